"""`minimize_bilevel`: bilevel problems, in scipy's manner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from copy import copy
from dataclasses import fields, is_dataclass, replace
from importlib import import_module
from inspect import signature
from typing import Any

import numpy as np

from ...problems.bilevel.callables import bilevel_from_callables
from ...problems.bilevel.problem import BilevelProblem
from ...problems.validation import as_finite_vector
from ..methods import nearest
from ..result import Result
from ..run_arguments import as_generator, check_limits
from .driver import Method, Run

# Name -> "module:class", imported when asked for.
_METHODS = {
    "auto": ".auto:Auto",
    "kkt": ".kkt:KKT",
    "implicit": ".implicit:Implicit",
    "maid": ".maid:Maid",
    "penalty": ".penalty:Penalty",
    "lv-hba": ".lv_hba:LVHBA",
    "stochastic-penalty": ".stochastic_penalty:StochasticPenalty",
}


def minimize_bilevel(
    upper: Callable[..., Any] | BilevelProblem,
    lower: Callable[..., Any] | None = None,
    x0: Any = None,
    y0: Any = None,
    *,
    method: str | Method[Any] = "auto",
    tol: float | None = None,
    max_iterations: int | None = None,
    max_time: float = np.inf,
    callback: Callable[..., Any] | None = None,
    rng: Any = None,
    options: Mapping[str, Any] | None = None,
    **parts: Any,
) -> Result:
    """Minimise F(x, y) over x and y where y solves min f(x, .), with constraints at both levels.

    Parameters
    ----------
    upper : callable or BilevelProblem
        ``F(x, y)``, a number; or the whole problem, and then no `lower` and no `parts`.
    lower : callable
        ``f(x, y)``.
    x0, y0 : array_like, shapes (n_x,), (n_y,)
        Start. Needed with callables; replaces a problem's own start, as of a problem solved before.
    method : str or Method
        ``"auto"``; ``"kkt"``: the lower level's optimality conditions, solved as a nonlinear problem from
        many starts, with cuts where the lower level is not convex; for free, strongly convex lower levels
        ``"implicit"``: L-BFGS with exact hypergradients, or ``"maid"``: with inexact ones, of bounded error;
        with first derivatives only ``"penalty"``, ``"lv-hba"`` and
        ``"stochastic-penalty"`` (levels known by samples).
    tol : float, optional
        Tolerance on the scaled errors of the certificate. Default: 1e-6, or what the Method object says.
    max_iterations : int, optional
        Limit of the method's steps.
    max_time : float
        Limit in seconds.
    callback : callable, optional
        After every step called as ``callback(intermediate_result=Result)`` if that is the name of its only
        parameter, else as ``callback(x)``. `StopIteration` ends the run.
    rng : int, numpy.random.Generator, optional
        Randomness (SPEC 7). Default 0, so that two calls give the same answer.
    options : dict, optional
        Of the method.
    **parts
        Gradients, constraints and bounds of both levels, with callables: ``upper_jac``, ``x_bounds``,
        ``lower_constraints`` and so on, see `bilevel_from_callables`.

    Returns
    -------
    Result
        With ``x``, ``y`` (the lower variables), ``fun`` (F), ``lower_fun`` (f), ``success``, ``status``,
        ``ll_gap`` (f less the best value of the lower level that a new solution from several starts found),
        ``maxcv``, ``stationarity``, ``lower_multipliers``, ``certificate``, ``counts`` by level and oracle,
        ``nit``, ``time``. ``success`` is True exactly if the certificate holds. For methods with a penalty,
        ``penalised``: the ``residual`` of their last penalised problem, and the ``sigma`` of that.

    Raises
    ------
    TypeError, ValueError
        Bad input, named, before anything is solved; a problem that the method does not take.

    Examples
    --------
    >>> import karush
    >>> result = karush.minimize_bilevel(
    ...     lambda x, y: (x[0] - 1) ** 2 + (y[0] + 1) ** 2, lambda x, y: (y[0] - x[0]) ** 2, [3.0], [0.0]
    ... )
    >>> result.success, abs(result.fun - 2.0) < 1e-6
    (True, True)
    """
    check_limits(tol, max_time, max_iterations, positive=True)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    problem = _as_problem(upper, lower, x0, y0, parts)
    chosen = _chosen(method, tol, dict(options or {}))
    refused = chosen.refusal(problem)
    if refused is not None:
        raise ValueError(f"{type(chosen).__name__} does not take problem {problem.name!r}: it has {refused}")
    run = Run(
        chosen,
        problem,
        max_time=max_time,
        max_iterations=max_iterations,
        callback=callback,
        rng=as_generator(0 if rng is None else rng),
        name=method if isinstance(method, str) else "",
    )
    return run.solve()


def bilevel_method_names() -> list[str]:
    """Names of all methods, the default first."""
    return list(_METHODS)


def bilevel_method(name: str, **options: Any) -> Method[Any]:
    """A method by name, with its options.

    Raises
    ------
    ValueError, TypeError
        Unknown name; unknown option.
    """
    if name not in _METHODS:
        raise ValueError(f"unknown method {name!r}{nearest(str(name), list(_METHODS))}")
    module, _, cls = _METHODS[name].partition(":")
    found = getattr(import_module(module, __package__), cls)
    _refuse_unknown(f"option of method {name!r}", options, [option.name for option in fields(found)])
    made: Method[Any] = found(**options)
    return made


def _refuse_unknown(what: str, given: Mapping[str, Any], known: list[str]) -> None:
    for name in given:
        if name not in known:
            raise TypeError(f"{name!r} is no {what}{nearest(name, known)}")


def _as_problem(upper: Any, lower: Any, x0: Any, y0: Any, parts: dict[str, Any]) -> BilevelProblem:
    if not isinstance(upper, BilevelProblem):
        if not callable(upper):
            raise TypeError(f"upper must be a callable or a BilevelProblem, got {type(upper).__name__}")
        for name, value in (("lower", lower), ("x0", x0), ("y0", y0)):
            if value is None:
                raise TypeError(f"{name} is missing: upper is a callable")
        _refuse_unknown("argument", parts, list(signature(bilevel_from_callables).parameters)[4:])
        return bilevel_from_callables(upper, lower, x0, y0, **parts)
    if lower is not None or parts:
        given = ["lower"] * (lower is not None) + list(parts)
        raise TypeError(f"{', '.join(given)}: problem {upper.name!r} has its own")
    if x0 is None and y0 is None:
        return upper
    started = copy(upper)
    if x0 is not None:
        started.x0 = upper.X.project(as_finite_vector("x0", x0, upper.n_x))
    if y0 is not None:
        started.y0 = upper.Y.project(as_finite_vector("y0", y0, upper.n_y))
    return started


def _chosen(method: Any, tol: float | None, options: dict[str, Any]) -> Method[Any]:
    if isinstance(method, str):
        return bilevel_method(method, **options, **({} if tol is None else {"tol": tol}))
    if not is_dataclass(method) or not all(
        hasattr(method, part) for part in ("refusal", "init", "step", "check")
    ):
        raise TypeError(f"method must be a name or a Method, got {type(method).__name__}")
    if isinstance(method, type):
        raise TypeError(f"method must be a Method object, got the class {method.__name__}; call it")
    changed: Any = replace(method, **options, **({} if tol is None else {"tol": tol}))
    chosen: Method[Any] = changed
    return chosen
