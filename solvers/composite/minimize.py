"""`minimize_composite`: composite problems, in scipy's manner."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import is_dataclass, replace
from difflib import get_close_matches
from importlib import import_module
from typing import Any

import numpy as np

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Datafit, Penalty
from ...problems.validation import as_real_array
from ..result import Result
from ..run_arguments import as_generator, check_limits
from .driver import Method, Run

# Name -> "module:class", imported when asked for.
_METHODS = {
    "auto": ".auto:Auto",
    "proximal-gradient": ".proximal_gradient:ProximalGradient",
    "bcd": ".block_descent:BlockDescent",
    "forest-cg": ".trees_acceleration:ForestConjugateGradient",
    "multinomial": ".multinomial:MultinomialNewton",
    "quadratic-form": ".quadratic_form:QuadraticFormDescent",
    "separate-outputs": ".separate_outputs:SeparateOutputs",
}


def minimize_composite(
    datafit: Datafit | CompositeProblem,
    penalty: Penalty | None = None,
    X: Any = None,
    *,
    intercept: bool = False,
    offset: Any = None,
    w0: Any = None,
    b0: Any = None,
    method: str | Method[Any] = "auto",
    tol: float | None = None,
    max_iterations: int | None = None,
    max_time: float = np.inf,
    callback: Callable[..., Any] | None = None,
    rng: Any = None,
    **options: Any,
) -> Result:
    """Minimise F(X w + offset + b) + Omega(w) over w, and b with an intercept.

    Parameters
    ----------
    datafit : Datafit or CompositeProblem
        F: `LeastSquares`, `Logistic`, ... of `karush.problems.composite`, or one of your own; or the whole
        problem, and then no penalty, X, intercept and offset.
    penalty : Penalty
        Omega: `L1`, `GroupLasso`, ..., or one of your own.
    X : array_like or sparse array, shape (n, p), optional
        Design matrix; None for the identity. Read, not copied, where it is floating point, and dense or CSC.
    intercept : bool
        Whether there is an intercept b. It is not penalised.
    offset : array_like, shape (n,), optional
        Fixed part of the predictor.
    w0, b0 : array_like, optional
        Start; by default w = 0 and the intercept that fits best there.
    method : str or Method
        ``"auto"``, ``"bcd"`` (the paper's parts, to be combined by `options`), ``"forest-cg"`` (sparse
        quadratic forms on graphs), ``"quadratic-form"`` (the same with penalties by coordinate, or dense),
        ``"multinomial"`` (prox-Newton for several classes) ``"separate-outputs"`` (least squares) or
        ``"proximal-gradient"``.
    tol : float, optional
        The duality gap sought, relative to the objective at w = 0; where there is no gap, the distance from
        stationarity, relative to the largest slope at w = 0. Default: 1e-6, or what the Method object says;
        where both are given, this one counts.
    max_iterations : int, optional
        Limit of the method's steps; beside a Method object, in place of its own.
    max_time : float
        Limit in seconds, also within steps.
    callback : callable, optional
        After every step called as ``callback(intermediate_result=Result)`` if that is the name of its only
        parameter, else as ``callback(w)``. `StopIteration` ends the run.
    rng : int, numpy.random.Generator, optional
        Randomness, for methods that use it (SPEC 7).
    **options
        Of the method.

    Returns
    -------
    Result
        With ``x`` (w), ``intercept``, ``fun``, ``success``, ``status``, ``gap`` (NaN where there is none),
        ``support``, ``slack`` (what holds the rest at zero, at least), ``certificate``, ``nit``, ``time``.

    Raises
    ------
    ValueError, TypeError
        Bad input; `MismatchError`, a TypeError, where the method needs what datafit or penalty lack.
    """
    if isinstance(datafit, CompositeProblem):
        if penalty is not None or X is not None or intercept or offset is not None:
            raise TypeError("with a CompositeProblem, penalty, X, intercept and offset belong to it")
        problem = datafit
    elif penalty is None:
        raise TypeError("penalty is missing; NoPenalty() is one that does nothing")
    else:
        problem = CompositeProblem(datafit, penalty, X, intercept=intercept, offset=offset)
    check_limits(tol, max_time, max_iterations, positive=False)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    chosen = _chosen(method, tol, options)
    chosen.check(problem)
    w, b = start(problem, w0, b0)
    run = Run(
        chosen,
        problem,
        max_time=max_time,
        max_iterations=max_iterations,
        callback=callback,
        rng=as_generator(rng),
        name=method if isinstance(method, str) else "",
    )
    return run.solve(w, b)


def _chosen(method: Any, tol: float | None, options: dict[str, Any]) -> Method[Any]:
    if isinstance(method, str):
        return composite_method(method, tol=1e-6 if tol is None else tol, **options)
    if not all(hasattr(method, name) for name in ("tol", "max_iterations", "check", "init", "step")):
        raise TypeError(f"method must be a name or a Method, got {type(method).__name__}")
    if options:
        raise TypeError(f"options {', '.join(options)} belong to the method where it is given as an object")
    chosen: Method[Any] = method
    if tol is None:
        return chosen
    if not is_dataclass(chosen):
        raise TypeError(f"tol belongs to the method: {type(method).__name__} is not a dataclass")
    return replace(chosen, tol=tol)


def composite_method(name: str, **options: Any) -> Method[Any]:
    """A method by name, with its options.

    Raises
    ------
    ValueError, TypeError
        Unknown name; unknown option.
    """
    if name not in _METHODS:
        near = get_close_matches(str(name), _METHODS, 1)
        hint = f"; did you mean {near[0]!r}?" if near else f"; there are {', '.join(_METHODS)}"
        raise ValueError(f"method {name!r} is not known{hint}")
    module, _, cls = _METHODS[name].partition(":")
    made: Method[Any] = getattr(import_module(module, __package__), cls)(**options)
    return made


def start(problem: CompositeProblem, w0: Any = None, b0: Any = None) -> tuple[Array, Array]:
    """The start as fresh arrays, within the penalty's domain where w0 is not given."""
    shape = problem.shape
    if w0 is None:
        w = np.zeros(shape)
        if not np.isfinite(problem.penalty.value(w)):
            w = problem.penalty.prox(w, 1.0)
    else:
        w = as_real_array("w0", w0)
        if w.shape != shape:
            raise ValueError(f"w0 must have shape {shape}, got {w.shape}")
        if not np.isfinite(w).all():
            raise ValueError("w0 must be finite")
    if b0 is None:
        b = np.array(problem.null.intercept if w0 is None else np.zeros(shape[1:]))
        if w0 is not None:
            b = problem.best_intercept(problem.predictor(w, 0.0), b)
    else:
        b = as_real_array("b0", b0)
        if b.shape != shape[1:]:
            raise ValueError(f"b0 must have shape {shape[1:]}, got {b.shape}")
        if not np.isfinite(b).all():
            raise ValueError("b0 must be finite")
    return w, b
