"""A problem that remembers how its best point improved while a solver worked on it."""

from __future__ import annotations

import time
from collections import Counter

import numpy as np

from ..problems.nlp import NLP, IndexVector, Vector

Improvement = tuple[int, float, float, float]
MAX_HISTORY = 300


class OutOfTime(Exception):  # noqa: N818 - a message to the caller, not an error
    """The deadline of a `Recorder` has passed. Raised into solvers that know no time limit themselves."""


class Recorder(NLP):
    """An `NLP` that passes every call on, counts it, and keeps each improvement of the best point seen.

    Better is by (violation, f), lexicographic, violations up to `feasible` counting as none. The
    objective and the constraints of a point need not be asked for in one go, only before the next point.

    Parameters
    ----------
    problem : NLP
        The problem itself.
    feasible : float
        Violation that counts as none.

    Attributes
    ----------
    history : list of (int, float, float, float)
        At each improvement: objective evaluations so far, seconds since the start, f, violation.
    counts : dict
        Calls of each oracle.
    best_x : ndarray or None
        The best point.
    deadline : float
        Time (`time.perf_counter`) from which every call raises `OutOfTime`; infinite by default.
    """

    def __init__(self, problem: NLP, feasible: float = 1e-6) -> None:
        super().__init__(problem.metadata)
        self._problem = problem
        self._feasible = feasible
        self.start_clock()

    def start_clock(self) -> None:
        """Forget what was recorded and count time from now."""
        self.history: list[Improvement] = []
        self.counts: Counter[str] = Counter()
        self.best_x: Vector | None = None
        self.deadline = np.inf
        self._point: bytes | None = None
        self._f: float | None = None
        self._violation: float | None = None
        self._best = (np.inf, np.inf)
        self._started = time.perf_counter()

    @property
    def elapsed(self) -> float:
        """Seconds since the clock was started."""
        return time.perf_counter() - self._started

    def _count(self, oracle: str) -> None:
        self.counts[oracle] += 1
        if time.perf_counter() > self.deadline:
            raise OutOfTime

    def objective(self, x: Vector) -> float:
        """f(x), recorded."""
        self._count("objective")
        value = float(self._problem.objective(x))
        self._saw(x, value, None)
        return value

    def objective_and_gradient(self, x: Vector, out: Vector | None = None) -> tuple[float, Vector]:
        """f(x) and its gradient, recorded."""
        self._count("objective")
        self.counts["gradient"] += 1
        value, gradient = self._problem.objective_and_gradient(x, out)
        self._saw(x, float(value), None)
        return float(value), gradient

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), recorded."""
        self._count("constraints")
        values = self._problem.constraints(x, out)
        if self.m:
            excess = np.maximum(self.cl - values, values - self.cu)
            self._saw(x, None, float(np.max(excess, initial=0.0)))
        return values

    def _saw(self, x: Vector, f: float | None, violation: float | None) -> None:
        point = x.tobytes()
        if point != self._point:
            self._point, self._f = point, None
            self._violation = None if self.m else 0.0
        self._f = self._f if f is None else f
        self._violation = self._violation if violation is None else violation
        if self._f is None or self._violation is None:
            return
        bounds = float(np.max(np.maximum(self.lb - x, x - self.ub), initial=0.0))
        total = max(self._violation, bounds)
        if not (np.isfinite(self._f) and np.isfinite(total)):
            return
        rank = (0.0 if total <= self._feasible else total, self._f)
        if rank < self._best:
            self._best = rank
            self.best_x = x.copy()
            self.history.append((self.counts["objective"], self.elapsed, self._f, total))
            if len(self.history) > 2 * MAX_HISTORY:
                self.history = thinned(self.history, MAX_HISTORY)

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Passed on."""
        self._count("gradient")
        return self._problem.gradient(x, out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Passed on."""
        return self._problem.jacobian_structure()

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Passed on."""
        self._count("jacobian")
        return self._problem.jacobian_values(x, out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Passed on."""
        return self._problem.hessian_structure()

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Passed on."""
        self._count("hessian")
        return self._problem.hessian_values(x, y, sigma, out)

    @property
    def is_least_squares(self) -> bool:
        """Passed on, for problems that know it."""
        return bool(getattr(self._problem, "is_least_squares", False))

    def gauss_newton_values(self, x: Vector, sigma: float = 1.0, out: Vector | None = None) -> Vector:
        """Passed on, where the objective is a sum of squares."""
        self._count("hessian")
        values: Vector = self._problem.gauss_newton_values(x, sigma, out)  # type: ignore[attr-defined]
        return values

    def hessian_entries_bound(self) -> int:
        """Passed on."""
        return self._problem.hessian_entries_bound()

    def hessian_diagonal(self, x: Vector, y: Vector | None = None, sigma: float = 1.0) -> Vector | None:
        """Passed on."""
        self._count("hessian_diagonal")
        return self._problem.hessian_diagonal(x, y, sigma)

    def hvp(
        self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Passed on."""
        self._count("hvp")
        return self._problem.hvp(x, v, y, sigma, out)

    def jvp(self, x: Vector, v: Vector, out: Vector | None = None) -> Vector:
        """Passed on."""
        self._count("jvp")
        return self._problem.jvp(x, v, out)

    def vjp(self, x: Vector, w: Vector, out: Vector | None = None) -> Vector:
        """Passed on."""
        self._count("vjp")
        return self._problem.vjp(x, w, out)


def thinned(history: list[Improvement], size: int) -> list[Improvement]:
    """At most `size` entries, evenly spaced in rank, the first and the last among them."""
    if len(history) <= size:
        return history
    keep = np.unique(np.linspace(0, len(history) - 1, size).round().astype(int))
    return [history[k] for k in keep]
