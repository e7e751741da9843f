"""Derivatives by autograd: functions written with ``autograd.numpy``, n passes for a Hessian.

D. Maclaurin, D. Duvenaud, R. P. Adams, "Autograd: effortless gradients in numpy", AutoML workshop, ICML 2015.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

from .derivative_backends import DifferentiatedFunction, explained, import_tool
from .nlp import Vector

_HINT = "karush: derivatives by autograd want functions that use autograd.numpy in place of numpy"


class AutogradFunction(DifferentiatedFunction):
    """A function that autograd differentiates in reverse mode."""

    def __init__(self, label: str, fun: Callable[..., Any], args: tuple[Any, ...], n: int) -> None:
        super().__init__(label, fun, args, n)
        autograd = import_tool("autograd")
        numpy = import_tool("autograd", "autograd.numpy")

        def vector(x: Any) -> Any:
            return numpy.reshape(numpy.array(fun(x, *args)), (-1,))

        self._jacobian = autograd.jacobian(vector)
        self._hessian = autograd.jacobian(autograd.grad(lambda x, w: numpy.dot(w, vector(x))))

    def jacobian(self, x: Vector) -> Any:
        """Jacobian at x, one reverse pass a row."""
        return _quietly(self._jacobian, x)

    def hessian(self, x: Vector, weights: Vector) -> Any:
        """Hessian of the weighted sum at x, one reverse pass over the gradient a row."""
        return _quietly(self._hessian, x, weights)


def _quietly(derivative: Callable[..., Any], *arguments: Vector) -> Any:
    """The derivative; that it vanishes, as of constants and linear functions, is no cause for a warning."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Output seems independent of input")
        try:
            return derivative(*arguments)
        except Exception as error:
            raise explained(error, _HINT)  # noqa: B904 - the error itself, with a note
