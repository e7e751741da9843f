"""Derivatives of plain callables by other people's tools: automatic differentiation, named as ``jac="jax"``.

Each tool runs the user's function on its own kind of numbers and differentiates what it sees. It is imported
where it is asked for, and is an extra of karush.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from importlib import import_module
from types import ModuleType
from typing import Any

from .colouring import Pattern
from .nlp import Vector

BACKENDS = ("autograd", "jax", "casadi")
_CLASSES = {
    "autograd": ("autograd_backend", "AutogradFunction"),
    "jax": ("jax_backend", "JaxFunction"),
    "casadi": ("casadi_backend", "CasadiFunction"),
}


class DifferentiatedFunction(ABC):
    """A user's function R^n -> R^m with the derivatives that a tool finds.

    Parameters
    ----------
    label : str
        What the user calls the function, for messages.
    fun : callable
        ``fun(x, *args)``: a number or m of them.
    args : tuple
        Extra arguments.
    n : int
        Number of variables.
    """

    def __init__(self, label: str, fun: Callable[..., Any], args: tuple[Any, ...], n: int) -> None:
        self.label, self.fun, self.args, self.n = label, fun, args, n

    def value(self, x: Vector) -> Any:
        """The function at x, as the user returns it."""
        return self.fun(x, *self.args)

    @abstractmethod
    def jacobian(self, x: Vector) -> Any:
        """Jacobian at x, shape (m, n), dense or sparse."""

    @abstractmethod
    def hessian(self, x: Vector, weights: Vector) -> Any:
        """Hessian at x of the sum of the m values times their weights, shape (n, n), dense or sparse."""

    def jacobian_pattern(self) -> Pattern | None:
        """Where the Jacobian may be nonzero, if the tool knows."""
        return None

    def hessian_pattern(self) -> Pattern | None:
        """Where the Hessian may be nonzero, both triangles, if the tool knows."""
        return None


def differentiated(
    tool: str, label: str, fun: Callable[..., Any], args: tuple[Any, ...], n: int
) -> DifferentiatedFunction:
    """The function with derivatives by one of `BACKENDS`.

    Raises
    ------
    ImportError
        If the tool is not installed.
    """
    module, name = _CLASSES[tool]
    made: DifferentiatedFunction = getattr(import_module(f".{module}", __package__), name)(
        label, fun, args, n
    )
    return made


def import_tool(tool: str, module: str | None = None, *, wanted_for: str | None = None) -> ModuleType:
    """Import an optional package, or one of its modules.

    Parameters
    ----------
    tool : str
        The package, which is also the name of karush's extra.
    module : str, optional
        What to import; by default the package.
    wanted_for : str, optional
        What needs it, for the message.

    Raises
    ------
    ImportError
        With the command that installs it.
    """
    try:
        return import_module(module or tool)
    except ImportError as error:
        purpose = wanted_for or f"derivatives by {tool!r}"
        raise ImportError(f"{purpose} needs {tool}: pip install 'karush[{tool}]' ({error})") from error


def explained(error: Exception, text: str) -> Exception:
    """The user's exception unchanged but for a note on what the tool wants."""
    if text not in getattr(error, "__notes__", ()):
        error.add_note(text)
    return error
