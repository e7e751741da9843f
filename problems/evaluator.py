"""The only door to user code: private copies, counts, checks, limits, the last points and the best one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from math import inf, isfinite, nan
from time import perf_counter
from typing import Any

import numpy as np

from .nlp import NLP, Capabilities, IndexVector, Vector
from .validation import as_bounds, as_finite_vector, checked_scalar, checked_structure, checked_vector

_ACTIVE: ContextVar[Evaluator | None] = ContextVar("karush_active_evaluator", default=None)

ORACLES = (
    "objective",
    "gradient",
    "constraints",
    "jacobian",
    "hessian",
    "hvp",
    "jvp",
    "vjp",
    "objective_differences",
    "constraints_differences",
    "gradient_differences",
    "jacobian_differences",
)


class LimitReached(Exception):  # noqa: N818 - it is a message to the driver, not an error
    """A limit of a run was reached; only the driver of that run catches it."""

    def __init__(self, evaluator: Evaluator) -> None:
        super().__init__(type(self).__name__)
        self.evaluator = evaluator


class DeadlineReached(LimitReached):
    """The wall time of a run is used up."""


class EvaluationLimitReached(LimitReached):
    """The evaluations of a run are used up."""


@dataclass(frozen=True, slots=True)
class BestPoint:
    """A point at which f and c are finite.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Within the bounds.
    f : float
        Objective there.
    violation : float
        Largest distance of a c_i from its interval, each divided by max(1, abs(the bound it misses)).
    """

    x: Vector
    f: float
    violation: float


class _Point:
    """What is known at one x."""

    __slots__ = (
        "constraints",
        "finite",
        "gradient",
        "hessian",
        "hessian_key",
        "jacobian",
        "key",
        "objective",
        "violation",
        "x",
    )

    def __init__(self, key: bytes, x: Vector, finite: bool) -> None:
        self.key = key
        self.x = x
        self.finite = finite
        self.objective: float | None = None
        self.gradient: Vector | None = None
        self.constraints: Vector | None = None
        self.jacobian: Vector | None = None
        self.hessian: Vector | None = None
        self.hessian_key: tuple[bytes, float] | None = None
        self.violation: float | None = None


class Evaluator:
    """Oracles of one problem for one run of one method.

    Each oracle hands the problem a private copy of x, counts and times the call, checks what comes back,
    and remembers it at the last two points, so asking twice costs nothing. Arrays that are returned belong to
    the evaluator: read them, do not write into them. Non-finite values come back as they are, and the caller
    rejects the trial. The user's exceptions pass through unchanged.

    Parameters
    ----------
    problem : NLP
        The problem.
    max_time : float, default inf
        Seconds from now after which every oracle raises `DeadlineReached`.
    max_evaluations : int, optional
        Most evaluations of the objective, and of the constraints, differences included; the next one raises
        `EvaluationLimitReached`.
    x0 : ndarray, shape (n,), optional
        Start in place of the problem's own.
    feasibility_tolerance : float, default 1e-8
        Violations up to here count as none when points are compared, so that rounding in c cannot outweigh f.

    Attributes
    ----------
    n, m : int
        Numbers of variables and of constraints.
    x0, lb, ub : ndarray, shape (n,)
        Start, put within the bounds, and bounds; private copies.
    cl, cu : ndarray, shape (m,)
        Bounds of the constraints.
    counts : dict of str to int
        Calls by oracle, cached answers not counted; "objective_differences" and "constraints_differences" are
        the calls that a problem spent on finite differences (see `charge`).
    seconds : dict of str to float
        Time spent in the problem, by oracle.
    best : BestPoint or None
        Best point seen: least violation first, then least f.
    outside : int
        Points beyond the bounds by more than rounding that a method asked for. They are moved to the bounds
        before the problem sees them; a count above zero is a defect of the method.

    Raises
    ------
    TypeError, ValueError
        Start or bounds of the problem have a wrong shape, type, NaN, or cross each other.
    """

    def __init__(
        self,
        problem: NLP,
        *,
        max_time: float = inf,
        max_evaluations: int | None = None,
        x0: Vector | None = None,
        feasibility_tolerance: float = 1e-8,
    ) -> None:
        self.problem = problem
        self.n, self.m = problem.n, problem.m
        self.lb, self.ub = as_bounds("lb", "ub", problem.lb, problem.ub, self.n)
        self.cl, self.cu = as_bounds("cl", "cu", problem.cl, problem.cu, self.m)
        start = as_finite_vector("x0", problem.x0 if x0 is None else x0, self.n)
        self._bounded = bool(np.isfinite(self.lb).any() or np.isfinite(self.ub).any())
        self.x0 = np.clip(start, self.lb, self.ub)
        self._cl_scale = 1.0 / np.maximum(1.0, np.where(np.isfinite(self.cl), abs(self.cl), 1.0))
        self._cu_scale = 1.0 / np.maximum(1.0, np.where(np.isfinite(self.cu), abs(self.cu), 1.0))
        self.feasibility_tolerance = feasibility_tolerance
        self.counts: dict[str, int] = dict.fromkeys(ORACLES, 0)
        self.seconds: dict[str, float] = dict.fromkeys(ORACLES, 0.0)
        self.best: BestPoint | None = None
        self.outside = 0
        self.started = perf_counter()
        self._deadline = self.started + max_time
        self._max_evaluations = max_evaluations
        self._jacobian_structure: tuple[IndexVector, IndexVector] | None = None
        self._hessian_structure: tuple[IndexVector, IndexVector] | None = None
        self._last = self._previous = self._best_point = _Point(b"", np.zeros(0), False)

    # ---- oracles -------------------------------------------------------------------------------------------

    def objective(self, x: Vector) -> float:
        """f(x)."""
        point = self._locate(x)
        value = point.objective
        if value is None:
            if not point.finite:
                return nan
            started = self._start("objective")
            result = self.problem.objective(point.x.copy())
            self.seconds["objective"] += perf_counter() - started
            value = point.objective = result if type(result) is float else checked_scalar("objective", result)
            if self.m == 0 or point.constraints is not None:
                self._consider(point)
        return value

    def gradient(self, x: Vector) -> Vector:
        """Gradient of f, shape (n,)."""
        point = self._locate(x)
        if point.gradient is None:
            point.gradient = self._vector("gradient", self.problem.gradient, self.n, point)
        return point.gradient

    def objective_and_gradient(self, x: Vector) -> tuple[float, Vector]:
        """f(x) and grad f(x), in one pass where neither is known yet."""
        point = self._locate(x)
        if point.objective is None and point.gradient is None and point.finite:
            started = self._start("objective")
            self.counts["gradient"] += 1
            out = np.empty(self.n)
            value, gradient = self.problem.objective_and_gradient(point.x.copy(), out=out)
            self.seconds["objective"] += perf_counter() - started
            point.gradient = gradient if gradient is out else checked_vector("gradient", gradient, self.n)
            point.objective = checked_scalar("objective", value)
            if self.m == 0 or point.constraints is not None:
                self._consider(point)
        return self.objective(x), self.gradient(x)

    def constraints(self, x: Vector) -> Vector:
        """c(x), shape (m,)."""
        point = self._locate(x)
        if point.constraints is None:
            point.constraints = self._vector("constraints", self.problem.constraints, self.m, point)
            if point.objective is not None:
                self._consider(point)
        return point.constraints

    def jacobian_values(self, x: Vector) -> Vector:
        """Values of c'(x) in the order of `jacobian_structure`, shape (nnzj,)."""
        point = self._locate(x)
        if point.jacobian is None:
            size = self.jacobian_structure()[1].size
            point.jacobian = self._vector("jacobian", self.problem.jacobian_values, size, point)
        return point.jacobian

    def hessian_values(self, x: Vector, y: Vector | None = None, sigma: float = 1.0) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        point = self._locate(x)
        key = (b"" if y is None else y.tobytes(), sigma)
        if point.hessian is None or point.hessian_key != key:
            size = self.hessian_structure()[1].size
            multipliers = None if y is None else y.copy()
            point.hessian = self._vector(
                "hessian", self.problem.hessian_values, size, point, multipliers, sigma
            )
            point.hessian_key = key
        return point.hessian

    def gauss_newton_values(self, x: Vector, sigma: float = 1.0) -> Vector:
        """The same for ``sigma r'r'`` of a least-squares objective, for problems that know theirs."""
        problem: Any = self.problem
        size = self.hessian_structure()[1].size
        return self._vector("hessian", problem.gauss_newton_values, size, self._locate(x), sigma)

    def hvp(self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0) -> Vector:
        """Hessian of ``sigma f + y'c`` times v, shape (n,)."""
        multipliers = None if y is None else y.copy()
        return self._vector("hvp", self.problem.hvp, self.n, self._locate(x), v.copy(), multipliers, sigma)

    def hessian_diagonal(self, x: Vector, y: Vector | None = None, sigma: float = 1.0) -> Vector | None:
        """Diagonal of the Hessian of ``sigma f + y'c``, None where the problem has no cheap way to it."""
        point = self._locate(x)
        if not point.finite:
            return None
        self.check_deadline()
        diagonal = self.problem.hessian_diagonal(point.x.copy(), None if y is None else y.copy(), sigma)
        return None if diagonal is None else checked_vector("hessian_diagonal", diagonal, self.n)

    def jvp(self, x: Vector, v: Vector) -> Vector:
        """c'(x) v, shape (m,)."""
        return self._vector("jvp", self.problem.jvp, self.m, self._locate(x), v.copy())

    def vjp(self, x: Vector, w: Vector) -> Vector:
        """c'(x)' w, shape (n,)."""
        return self._vector("vjp", self.problem.vjp, self.n, self._locate(x), w.copy())

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """``(indptr, indices)`` of the Jacobian, asked of the problem once and checked."""
        if self._jacobian_structure is None:
            structure = self.problem.jacobian_structure()
            self._jacobian_structure = checked_structure("jacobian_structure", structure, self.m, self.n)
        return self._jacobian_structure

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """``(indptr, indices)`` of the lower triangle of the Hessian, asked once and checked."""
        if self._hessian_structure is None:
            structure = self.problem.hessian_structure()
            self._hessian_structure = checked_structure(
                "hessian_structure", structure, self.n, self.n, lower=True
            )
        return self._hessian_structure

    def violation(self, x: Vector) -> float:
        """Largest scaled violation of the constraints (see `BestPoint`); nan where c is not finite."""
        point = self._locate(x)
        if point.violation is None:
            point.violation = self._scaled_violation(self.constraints(x))
        return point.violation

    # ---- limits, best point --------------------------------------------------------------------------------

    @property
    def remaining_time(self) -> float:
        """Seconds until the deadline, negative beyond it."""
        return self._deadline - perf_counter()

    def check_deadline(self) -> None:
        """Raise `DeadlineReached` if the time is used up; for long stretches without an oracle call."""
        if perf_counter() > self._deadline:
            raise DeadlineReached(self)

    def allow(self, seconds: float) -> None:
        """Move the deadline to so many seconds from now, for what remains to be done after a run."""
        self._deadline = perf_counter() + seconds

    def as_problem(self) -> NLP:
        """The problem as seen through this evaluator: what is known is not evaluated again."""
        return _EvaluatedProblem(self)

    @contextmanager
    def active(self) -> Iterator[None]:
        """Within this context `charge` counts for this evaluator (per thread, nested runs restore)."""
        token = _ACTIVE.set(self)
        try:
            yield
        finally:
            _ACTIVE.reset(token)

    def is_better(self, f: float, violation: float, than: BestPoint) -> bool:
        """Whether (violation, f) comes strictly before that of `than`."""
        mine = violation if violation > self.feasibility_tolerance else 0.0
        other = than.violation if than.violation > self.feasibility_tolerance else 0.0
        return mine < other or (mine == other and f < than.f)

    def _consider(self, point: _Point) -> None:
        f = point.objective
        if f is None or not isfinite(f):
            return
        if point.violation is None:
            point.violation = 0.0 if point.constraints is None else self._scaled_violation(point.constraints)
        if isfinite(point.violation) and (self.best is None or self.is_better(f, point.violation, self.best)):
            self.best = BestPoint(point.x.copy(), f, point.violation)
            self._best_point = point

    def _scaled_violation(self, c: Vector) -> float:
        if self.m == 0:
            return 0.0
        if not _is_finite(c):
            return nan
        below = ((self.cl - c) * self._cl_scale).max()
        above = ((c - self.cu) * self._cu_scale).max()
        return max(float(below), float(above), 0.0)

    # ---- calling the problem -------------------------------------------------------------------------------

    def _locate(self, x: Vector) -> _Point:
        """The record of x, a new one if x is neither among the last two points nor the best one."""
        key = x.tobytes()
        last = self._last
        if last.key == key:
            return last
        found = self._previous
        if found.key != key:
            found = self._best_point
            if found.key != key:
                found = self._new_point(key, x)
        self._previous, self._last = last, found
        return found

    def _new_point(self, key: bytes, x: Vector) -> _Point:
        if x.shape != (self.n,) or x.dtype != np.float64:
            raise ValueError(f"x must be a float64 array of shape ({self.n},), got {x.dtype} {x.shape}")
        finite = _is_finite(x)
        private = np.minimum(np.maximum(x, self.lb), self.ub) if self._bounded else x.copy()
        if self._bounded and finite and private.tobytes() != key:
            self.outside += bool((abs(private - x) > 1e-12 * np.maximum(1.0, abs(private))).any())
        return _Point(key, private, finite)

    def _start(self, oracle: str) -> float:
        """Check the limits and count; the time at which the call starts."""
        now = perf_counter()
        if now > self._deadline:
            raise DeadlineReached(self)
        self.counts[oracle] += 1
        if self._max_evaluations is not None:
            self._check_evaluations(oracle)
        return now

    def _check_evaluations(self, oracle: str) -> None:
        limit, counts = self._max_evaluations, self.counts
        assert limit is not None
        spent = max(
            counts["objective"] + counts["objective_differences"],
            counts["constraints"] + counts["constraints_differences"],
        )
        if spent > limit and oracle.startswith(("objective", "constraints")):
            counts[oracle] -= 1
            raise EvaluationLimitReached(self)

    def _vector(
        self, oracle: str, call: Callable[..., Any], size: int, point: _Point, *arguments: Any
    ) -> Vector:
        if size == 0 or not point.finite:
            return np.full(size, nan)
        started = self._start(oracle)
        out = np.empty(size)
        result = call(point.x.copy(), *arguments, out=out)
        self.seconds[oracle] += perf_counter() - started
        # What the problem wrote into our own array has the right shape and type and is shared with nobody.
        return out if result is out else checked_vector(oracle, result, size)


class _EvaluatedProblem(NLP):
    """A problem whose oracles are an evaluator's."""

    def __init__(self, evaluator: Evaluator) -> None:
        self._evaluator = evaluator
        super().__init__(evaluator.problem.metadata)
        # The attributes count: a problem may have changed them since.
        self.lb, self.ub, self.cl, self.cu = evaluator.lb, evaluator.ub, evaluator.cl, evaluator.cu

    @property
    def capabilities(self) -> Capabilities:
        """Those of the problem, which may find them out only when asked."""
        return self._evaluator.problem.capabilities

    @capabilities.setter
    def capabilities(self, value: Capabilities) -> None:
        """Only for the base class."""

    def objective(self, x: Vector) -> float:
        return self._evaluator.objective(x)

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        return _into(out, self._evaluator.gradient(x))

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        return _into(out, self._evaluator.constraints(x))

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        return self._evaluator.jacobian_structure()

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        return _into(out, self._evaluator.jacobian_values(x))

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        return self._evaluator.hessian_structure()

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        return _into(out, self._evaluator.hessian_values(x, y, sigma))

    def hvp(
        self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        return _into(out, self._evaluator.hvp(x, v, y, sigma))

    def jvp(self, x: Vector, v: Vector, out: Vector | None = None) -> Vector:
        return _into(out, self._evaluator.jvp(x, v))

    def vjp(self, x: Vector, w: Vector, out: Vector | None = None) -> Vector:
        return _into(out, self._evaluator.vjp(x, w))


def charge(oracle: str) -> None:
    """Count a call that a problem makes inside one oracle, and check the limits of the run under way.

    A problem that differences user code calls this before each such call, with "objective" or "constraints",
    so that finite differences obey the deadline and are counted as scipy counts them.

    Parameters
    ----------
    oracle : {"objective", "constraints"}
        The user's function that is about to be called.
    """
    evaluator = _ACTIVE.get()
    if evaluator is not None:
        evaluator._start(oracle + "_differences")


def _into(out: Vector | None, value: Vector) -> Vector:
    """A copy of `value`, in `out` if that is given."""
    if out is None:
        return value.copy()
    out[...] = value
    return out


def _is_finite(v: Vector) -> bool:
    # For short vectors Python's own sum is several times quicker than two calls of numpy; it may overflow, so
    # a sum that is not finite proves nothing.
    if v.size <= 32 and isfinite(sum(v.tolist())):
        return True
    return bool(np.isfinite(v).all())
