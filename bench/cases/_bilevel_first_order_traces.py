"""The upper points of first-order methods, with what they had cost by then.

One rule of counting for all: a gradient of F or f counts one, with or without its value, a value alone one;
the values of all lower constraints one, a product of a vector with their Jacobian one, the Jacobian one for
each row. Starts and searches that fail count like everything else. Second derivatives are not to be had, and
certificates, which are no part of a method, are made with the original problem and not counted.

F is judged at x alone: the lower level is solved anew, from the recorded y.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import NLP, Capabilities, IndexVector, Vector
from ...solvers.bilevel.driver import Method, Run
from ...solvers.bilevel.lower_solution import solve_lower

_FINER = 1.03
"""Points are judged from one number of calls to the next that is larger by this factor."""


@dataclass(frozen=True, eq=False)
class Visit:
    """An x that F was asked for, and calls and seconds before that."""

    x: Vector
    y: Vector
    calls: int
    seconds: float


@dataclass(frozen=True, eq=False)
class Trace:
    """One run: its points, and calls and seconds in all."""

    visits: list[Visit]
    calls: int
    iterations: int
    seconds: float
    success: bool


@dataclass(frozen=True)
class Reached:
    """The first calls and seconds at which the error was below a level."""

    calls: int
    seconds: float


class _FirstOrder(NLP):
    """A level without its second derivatives, which lets a watcher know where it is evaluated."""

    def __init__(self, level: NLP) -> None:
        self._level = level
        self.watch: Any = lambda w: None
        given = level.capabilities
        super().__init__(level.metadata)
        self.capabilities = Capabilities(given.first, "none", jacobian_matrix=given.jacobian_matrix)
        self.lb, self.ub, self.cl, self.cu = level.lb, level.ub, level.cl, level.cu

    def objective(self, x: Vector) -> float:
        """Watched."""
        self.watch(x)
        return self._level.objective(x)

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Watched."""
        self.watch(x)
        return self._level.gradient(x, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """Of the level."""
        return self._level.constraints(x, out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Of the level."""
        return self._level.jacobian_structure()

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Of the level."""
        return self._level.jacobian_values(x, out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Not to be had."""
        raise NotImplementedError

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Not to be had."""
        raise NotImplementedError

    def vjp(self, x: Vector, w: Vector, out: Vector | None = None) -> Vector:
        """Of the level."""
        return self._level.vjp(x, w, out)


def trace(method: Method[Any], problem: BilevelProblem, max_time: float, max_iterations: int | None) -> Trace:
    """A run on the first derivatives of a problem."""
    upper = _FirstOrder(problem.upper)
    run = Run(
        method,
        problem.with_levels(upper, _FirstOrder(problem.lower)),
        max_time=max_time,
        max_iterations=max_iterations,
        rng=np.random.default_rng(0),
    )
    run.original = problem
    visits: list[Visit] = []
    started = perf_counter()

    def watch(w: Vector) -> None:
        x, y = problem.split(w)
        if not visits or (visits[-1].x != x).any():
            visits.append(Visit(x.copy(), y.copy(), _calls(run, problem.lower.m), perf_counter() - started))

    upper.watch = watch
    result = run.solve()
    calls = _calls(run, problem.lower.m)
    return Trace(visits, calls, result.nit, perf_counter() - started, bool(result.success))


def _calls(run: Run, m: int) -> int:
    return sum(calls_of_level(level.counts, m) for level in (run.upper, run.lower))


def calls_of_level(counts: Mapping[str, int], m: int) -> int:
    """By the rule above."""
    own = max(counts["objective"], counts["gradient"])
    return own + counts["constraints"] + counts["jvp"] + counts["vjp"] + m * counts["jacobian"]


class Judge:
    """Relative errors of F with the lower level solved anew.

    Parameters
    ----------
    problem : BilevelProblem
    optimum : float
        Best F.
    """

    def __init__(self, problem: BilevelProblem, optimum: float) -> None:
        self.problem, self.optimum = problem, optimum

    def error(self, visit: Visit) -> float:
        """(F(x, y*(x)) - F*)/|F*|; inf where the lower level has no answer."""
        problem = self.problem
        if not np.isfinite(visit.x).all():
            return np.inf
        x = problem.X.project(visit.x)
        y = visit.y if np.isfinite(visit.y).all() else problem.y0
        lower = solve_lower(problem, x, problem.Y.project(y), 1e-10, 10.0)
        if not (lower.success or lower.feasible):
            return np.inf
        return abs(float(problem.upper.objective(problem.join(x, lower.y))) - self.optimum) / abs(
            self.optimum
        )

    def reached(self, trace: Trace, levels: list[float]) -> tuple[dict[float, Reached | None], float]:
        """The first visit within each level, and the least error up to the last of them."""
        found: dict[float, Reached | None] = dict.fromkeys(levels)
        last, least = 0.0, np.inf
        for visit in trace.visits:
            if visit.calls < last * _FINER and visit is not trace.visits[-1]:
                continue
            last, error = visit.calls, self.error(visit)
            least = min(least, error)
            for level in levels:
                if found[level] is None and error <= level:
                    found[level] = Reached(visit.calls, visit.seconds)
            if all(found.values()):
                break
        return found, least
