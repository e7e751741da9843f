"""Methods by name: what a method must offer, and where the registered ones live."""

from __future__ import annotations

from dataclasses import dataclass, fields
from difflib import get_close_matches
from importlib import import_module
from importlib.metadata import entry_points
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

if TYPE_CHECKING:
    from ..problems.evaluator import Evaluator
    from ..problems.nlp import NLP, Vector
    from .status import Status

ENTRY_POINT_GROUP = "karush.solvers"

# Name -> "module:class", imported when asked for; the first one is the default of `minimize`.
_METHODS: dict[str, str | type] = {
    "exact-al": ".nonlinear.exact_lagrangian:ExactLagrangian",
    "adasketch-gv": ".nonlinear.reference:AdaSketchNewton",
    "adasketch-rk": ".nonlinear.reference:AdaSketchKaczmarz",
}


@dataclass(frozen=True)
class Scope:
    """What a method takes and promises; a method without a ``scope`` takes and promises everything.

    Attributes
    ----------
    bounds, inequalities : bool
        Whether bounds on variables, and constraints other than equations, are taken.
    missing_hessian : bool
        Whether problems without second derivatives are taken.
    reference : bool
        True for a published method that is kept as it was, to compare with: it keeps the manners of the
        contract, but nobody promises that it solves anything beyond what its paper shows.
    """

    bounds: bool = True
    inequalities: bool = True
    missing_hessian: bool = True
    reference: bool = False

    def refusal(self, problem: NLP) -> str | None:
        """What of the problem is not taken, None where all of it is."""
        if not self.bounds and (np.isfinite(problem.lb).any() or np.isfinite(problem.ub).any()):
            return "bounds on variables"
        if not self.inequalities and (problem.cl != problem.cu).any():
            return "constraints other than equations"
        if not self.missing_hessian and problem.capabilities.second == "none":
            return "no second derivatives"
        return None


def scope_of(method: Any) -> Scope:
    """The scope of a method, of its class or of its name."""
    method = get_method(method) if isinstance(method, str) else method
    scope = getattr(method, "scope", None)
    return scope if isinstance(scope, Scope) else Scope()


class State(Protocol):
    """Where a method stands after a step; a method's own class with at least these attributes.

    Attributes
    ----------
    x, y, z : ndarray, shapes (n,), (m,), (n,)
        Point and multipliers of constraints and bounds, of the original problem.
    f, violation, optimality : float
        Objective, scaled violation and scaled error of the optimality conditions there.
    record : dict
        What goes into the iteration log (step length, regularisation, barrier parameter, ...).
    """

    x: Vector
    y: Vector
    z: Vector
    f: float
    violation: float
    optimality: float
    record: dict[str, Any]


S = TypeVar("S", bound=State)


class Method(Protocol[S]):
    """A method: a frozen dataclass of options with three functions.

    `init` evaluates the start, `step` makes one iteration, `check` says whether to stop and why. None of them
    looks at limits, callbacks or clocks: that is the driver's work, and limits reach it by exceptions of the
    evaluator that a method lets pass.
    """

    @property
    def tol(self) -> float:
        """Tolerance on the scaled errors of the optimality conditions."""

    @property
    def max_iterations(self) -> int:
        """Most steps."""

    def init(self, evaluator: Evaluator) -> S:
        """Evaluate the start."""

    def step(self, evaluator: Evaluator, state: S) -> S:
        """One iteration."""

    def check(self, evaluator: Evaluator, state: S) -> Status | None:
        """Why to stop here, None to go on."""


def register_method(name: str, method: type | str) -> None:
    """Register a method.

    Parameters
    ----------
    name : str
        Name for ``method=``.
    method : type or str
        The dataclass (see `Method`), or "module:class" to be imported when asked for.
    """
    _METHODS[name.lower()] = method


def method_names() -> list[str]:
    """Names of all registered methods, the default first, plug-ins last."""
    plugins = (entry.name for entry in entry_points(group=ENTRY_POINT_GROUP))
    return list(dict.fromkeys([*_METHODS, *plugins]))


def get_method(name: str) -> type[Any]:
    """The class of a method.

    Raises
    ------
    ValueError
        Unknown name; the nearest ones are listed.
    """
    wanted = name.lower()
    found = _METHODS.get(wanted)
    if isinstance(found, str):
        module, _, attribute = found.partition(":")
        _METHODS[wanted] = found = getattr(import_module(module, __package__), attribute)
    if found is None:
        for entry in entry_points(group=ENTRY_POINT_GROUP):
            if entry.name == wanted:
                _METHODS[wanted] = found = entry.load()
    if found is None:
        raise ValueError(f"unknown method {name!r}{nearest(wanted, method_names())}")
    assert isinstance(found, type)
    return found


def make_method(name: str | None, options: dict[str, Any], extra: tuple[str, ...] = ()) -> Any:
    """A method with options.

    Parameters
    ----------
    name : str or None
        None: the default.
    options : dict
        Values of the dataclass's fields.
    extra : tuple of str
        Other options that the caller knows; named where an unknown option resembles one.

    Raises
    ------
    ValueError
        Unknown method or option; the nearest names are listed.
    """
    name = next(iter(_METHODS)) if name is None else name
    method = get_method(name)
    known = [option.name for option in fields(method) if option.init]
    for option in options:
        if option not in known:
            raise ValueError(
                f"unknown option {option!r} of method {name!r}{nearest(option, [*known, *extra])}"
            )
    return method(**options)


def nearest(name: str, known: list[str]) -> str:
    """The end of an error message about an unknown name."""
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f"; did you mean {' or '.join(repr(other) for other in close)}?"
    return f"; known are {', '.join(sorted(known))}"
