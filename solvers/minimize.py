"""`minimize`: the public call, in scipy's manner."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from math import inf
from numbers import Integral, Real
from typing import Any

import numpy as np

from ..problems.evaluator import Evaluator, LimitReached
from ..problems.nlp import NLP, Vector
from ..problems.parallel_map import MapLike, open_map
from ..problems.validation import as_vector
from .driver import run
from .methods import make_method, nearest
from .result import Result

DIFFERENCES_TOL = 1e-6
"""Default tolerance with finite differences; central ones err by 1e-11 times the third derivatives or so."""

# scipy's names of limits that every method has.
_SYNONYMS = {"maxiter": "max_iterations", "maxfun": "max_evaluations", "maxfev": "max_evaluations"}
_RUN_OPTIONS = ("max_time", "max_evaluations", "max_iterations")


def minimize(
    fun_or_problem: Any,
    x0: Any = None,
    args: tuple[Any, ...] = (),
    jac: Any = None,
    hess: Any = None,
    hessp: Any = None,
    bounds: Any = None,
    constraints: Any = (),
    tol: float | None = None,
    callback: Callable[..., Any] | None = None,
    method: Any = None,
    options: Mapping[str, Any] | None = None,
    rng: Any = None,
    *,
    workers: Any = None,
) -> Result:
    """Minimise a function of several variables, or solve a problem object.

    Parameters
    ----------
    fun_or_problem : callable, NLP, Model or str
        The objective ``fun(x, *args) -> float``, as in `scipy.optimize.minimize`; or a problem; or a model,
        which is built; or a problem's registry name, such as ``"HS71"``.
    x0 : array_like, shape (n,), optional
        Start. Needed with a callable; replaces a problem's own start. It is put within the bounds.
    args : tuple, default ()
        Further arguments of `fun`, `jac`, `hess` and `hessp`.
    jac, hess, hessp, bounds, constraints
        As in `scipy.optimize.minimize`; only with a callable. `jac` and `hess`, and those of constraints,
        also take the names of tools that differentiate the function, "autograd", "jax" and "casadi" (extras
        of karush), and `jac` takes "complex-step". What is asked for by name is compared with differences at
        the first gradient.
    tol : float, optional
        Tolerance on the scaled errors of the certificate. Default: the method's own, 1e-8; 1e-6 where first
        derivatives are finite differences, whose own error is of that size.
    callback : callable, optional
        Called after every iteration, by keyword if its only parameter is named ``intermediate_result``, else
        with a copy of x. `StopIteration` ends the run, and the best point is returned.
    method : str or Method, optional
        Name of a registered method (`karush.method_names` lists them), or a method object; default
        "exact-al".
    options : dict, optional
        ``max_time`` (seconds, default none), ``max_evaluations`` (of the objective, and of the constraints,
        default none), ``max_iterations``; scipy's names ``maxiter``, ``maxfun`` and ``maxfev`` mean the same;
        and the options of the method by the names of its fields.
    rng : None, int, SeedSequence, BitGenerator or Generator, optional
        Source of randomness of methods that use any, through `numpy.random.default_rng`.
    workers : int or map-like callable, optional
        Evaluate differences side by side, as in scipy (whose place for it, among `options`, is taken too): in
        so many processes (-1: one per processor; functions must be importable), or by a callable like
        ``pool.map``. The answer is the same, bit for bit. Default: one after another. Only with a callable.

    Returns
    -------
    Result
        ``success`` is True exactly if the optimality conditions, recomputed from the problem, hold to `tol`.

    Raises
    ------
    TypeError, ValueError
        Bad input, named; before anything is evaluated. Exceptions of the user's functions pass unchanged.

    Examples
    --------
    >>> import karush
    >>> result = karush.minimize(lambda x: (x[0] - 1) ** 2 + x[1] ** 4, [3.0, 1.0])
    >>> result.success
    True
    """
    limits, own = _split_options(options)
    if "workers" in own:
        if workers is not None:
            raise ValueError("workers is given twice, as an argument and as an option")
        workers = own.pop("workers")
    solver = _as_method(method, own, tol, rng)
    if callback is not None and not callable(callback):
        raise TypeError(f"callback must be callable, got {type(callback).__name__}")
    call = {"jac": jac, "hess": hess, "hessp": hessp, "bounds": bounds, "workers": workers}
    tol_is_open = tol is None and "tol" not in own and (method is None or isinstance(method, str))
    with open_map(workers) as mapper:
        problem, start = _as_problem(fun_or_problem, x0, args, call, constraints, mapper)
        evaluator = Evaluator(
            problem,
            max_time=limits.get("max_time", inf),
            max_evaluations=limits.get("max_evaluations"),
            x0=start,
        )
        if tol_is_open and _has_coarse_gradients(evaluator):
            solver = replace(solver, tol=max(solver.tol, DIFFERENCES_TOL))
        evaluator.feasibility_tolerance = solver.tol
        return run(solver, evaluator, callback=callback, max_iterations=limits.get("max_iterations"))


def _has_coarse_gradients(evaluator: Evaluator) -> bool:
    """Whether first derivatives are finite differences; finding out may cost evaluations of the run."""
    try:
        with evaluator.active(), np.errstate(all="ignore"):
            return evaluator.problem.capabilities.first == "finite-difference"
    except LimitReached:
        return False


def _as_problem(
    given: Any,
    x0: Any,
    args: tuple[Any, ...],
    call: dict[str, Any],
    constraints: Any,
    mapper: MapLike,
) -> tuple[NLP, Vector | None]:
    """The problem, and the start that replaces its own."""
    if isinstance(given, str):
        from ..problems import registry

        given = registry.get(given)
    elif not isinstance(given, NLP) and callable(getattr(given, "build", None)):
        given = given.build()
    if isinstance(given, NLP):
        _refuse_parts(given, args, call, constraints)
        return given, None if x0 is None else as_vector("x0", x0, given.n)
    if not callable(given):
        raise TypeError(
            "fun_or_problem must be a callable, a problem, a model or a problem's name, "
            f"got {type(given).__name__}"
        )
    if x0 is None:
        raise TypeError("x0 is missing: a callable needs a start")
    from ..problems.callables import from_callables

    parts = {name: value for name, value in call.items() if name != "workers"}
    return from_callables(given, x0, args=args, constraints=constraints, mapper=mapper, **parts), None


def _refuse_parts(problem: NLP, args: tuple[Any, ...], call: dict[str, Any], constraints: Any) -> None:
    """A problem object has its own derivatives, bounds and constraints."""
    given = [name for name, value in call.items() if value is not None]
    given += ["args"] * (args != ()) + ["constraints"] * (constraints is not None and constraints != ())
    if given:
        raise ValueError(f"{', '.join(given)}: only with a callable; problem {problem.name!r} has its own")


def _split_options(options: Mapping[str, Any] | None) -> tuple[dict[str, Any], dict[str, Any]]:
    """Options of the run, checked, and options of the method."""
    if options is None:
        return {}, {}
    if not isinstance(options, Mapping):
        raise TypeError(f"options must be a dict, got {type(options).__name__}")
    limits: dict[str, Any] = {}
    own: dict[str, Any] = {}
    for key, value in options.items():
        name = _SYNONYMS.get(key, key)
        if name not in _RUN_OPTIONS:
            own[key] = value
        elif name in limits:
            raise ValueError(f"option {key!r} is given twice, under two names")
        elif value is not None:
            limits[name] = _positive(f"option {key!r}", value, integer=name != "max_time")
    return limits, own


def _positive(name: str, value: Any, integer: bool) -> Any:
    """The value as a positive number."""
    what = "a positive integer" if integer else "a positive number"
    if isinstance(value, bool) or not isinstance(value, Integral if integer else Real):
        raise TypeError(f"{name} must be {what}, got {value!r}")
    number: float = int(value) if isinstance(value, Integral) else float(value)
    if not number > 0:
        raise ValueError(f"{name} must be {what}, got {value!r}")
    return number


def _as_method(method: Any, options: dict[str, Any], tol: float | None, rng: Any) -> Any:
    """The method object with its options."""
    if tol is not None:
        tol = _positive("tol", tol, integer=False)
    if rng is not None:
        np.random.default_rng(rng)  # a clear error now rather than a strange one later
    if method is None or isinstance(method, str):
        solver = make_method(method, options, extra=("max_time", "max_evaluations"))
    elif is_dataclass(method) and all(hasattr(method, part) for part in ("init", "step", "check")):
        solver = method() if isinstance(method, type) else method
        known = [option.name for option in fields(solver)]
        for option in options:
            if option not in known:
                raise ValueError(f"unknown option {option!r}{nearest(option, [*known, *_RUN_OPTIONS])}")
        solver = replace(solver, **options)
    else:
        raise TypeError(f"method must be a name or a method object, got {type(method).__name__}")
    changes = {} if tol is None else {"tol": tol}
    if rng is not None and any(option.name == "rng" for option in fields(solver)):
        changes["rng"] = rng
    return replace(solver, **changes) if changes else solver
