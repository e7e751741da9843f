"""What a hypergradient method passes through, and when it came near the optimum.

Only x is taken from a method: afterwards the lower level is solved anew at each x, almost exactly, so that a
method which solves it loosely gains nothing by a wrong F.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from time import process_time
from typing import Any

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from ...solvers.bilevel.driver import Method, Run
from ...solvers.bilevel.hypergradient import hypergradient
from ...solvers.bilevel.lower_newton import NotConvexError

_HOPEFUL = 10.0
"""Points whose own F is further above the optimum than this many thresholds are not solved for again."""


_SOLVED = 1e-7
"""Residual of a lower level, relative to y, above which its F is not taken for a value."""


class OutOfTime(Exception):  # noqa: N818 - a message from a recorder to the run around it
    """The processor time of a run is used up."""


@dataclass(frozen=True, eq=False)
class Point:
    """An x that a method came to, with its own F, what it had called by then, and processor seconds."""

    x: Vector
    F: float
    calls: Counter[str]
    seconds: float


@dataclass
class Trace:
    """The points of one run.

    Attributes
    ----------
    points : list of Point
    note : str
        What a reader of the table must know.
    """

    max_seconds: float = np.inf
    points: list[Point] = field(default_factory=list)
    note: str = ""
    _started: float = field(default_factory=process_time)

    def record(self, x: Vector, F: float, calls: Counter[str]) -> None:
        """Note a point; raise `OutOfTime` if it is the last one."""
        seconds = process_time() - self._started
        self.points.append(Point(np.array(x, dtype=float), float(F), Counter(calls), seconds))
        if seconds > self.max_seconds:
            raise OutOfTime


class CountedLevels:
    """Both levels for peers: what they ask for is counted, and nothing of it is checked or kept.

    Names of counts, here and elsewhere: "upper gradient", "lower gradient", "product", "Hessian".
    """

    def __init__(self, problem: BilevelProblem) -> None:
        self._problem = problem
        self.calls: Counter[str] = Counter()

    def upper(self, w: Vector) -> tuple[float, Vector]:
        """F and its gradient."""
        self.calls["upper gradient"] += 1
        return self._problem.upper.objective_and_gradient(w)

    def lower_gradient(self, w: Vector) -> Vector:
        """Of f by x and y."""
        self.calls["lower gradient"] += 1
        return self._problem.lower.gradient(w)

    @property
    def has_hessian(self) -> bool:
        """Whether the lower Hessian is there as a matrix."""
        return self._problem.lower.capabilities.hessian_matrix

    def lower_product(self, w: Vector, v: Vector) -> Vector:
        """Of the Hessian of f over (x, y) with v."""
        self.calls["product"] += 1
        return self._problem.lower.hvp(w, v)

    def lower_hessian(self, w: Vector) -> Any:
        """Of f over (x, y), a CSR array."""
        self.calls["Hessian"] += 1
        return self._problem.lower.hessian(w)


def run_of(method: Method[Any], problem: BilevelProblem, max_seconds: float) -> Trace:
    """The steps of one of the library's methods, its certificates included."""
    trace = Trace()
    run: Run

    def counted() -> Counter[str]:
        levels = {"upper": run.upper, "lower": run.lower}
        return counts_of_run(
            {f"{name} {oracle}": n for name, level in levels.items() for oracle, n in level.counts.items()}
        )

    def seen(intermediate_result: Any) -> None:
        trace.record(intermediate_result.x, intermediate_result.fun, counted())

    run = Run(method, problem, max_time=max_seconds, callback=seen)
    result = run.solve()
    trace.record(result.x, result.fun, counts_of_run(result.counts))
    if not result.success:
        trace.note = result.message
    return trace


def counts_of_run(counts: Mapping[str, int]) -> Counter[str]:
    """A result's counts under the names of `CountedLevels`."""
    names = {
        "upper gradient": "upper gradient",
        "lower gradient": "lower gradient",
        "lower hvp": "product",
        "lower hessian": "Hessian",
    }
    return Counter({new: counts[old] for old, new in names.items() if counts.get(old)})


def total(calls: Counter[str]) -> int:
    """Gradients of both levels, products with second derivatives, and Hessians, each for one."""
    return sum(calls.values())


class Judge:
    """Gaps of points of one problem.

    Parameters
    ----------
    problem : BilevelProblem
    traces : list of Trace
        The best F of their ends is the optimum.
    """

    def __init__(self, problem: BilevelProblem, traces: list[Trace]) -> None:
        self._problem = problem
        self._known: dict[bytes, tuple[float, Vector]] = {}
        self._y = problem.y0
        start = self.value(problem.x0)
        ends = [min(trace.points[-3:], key=lambda point: point.F) for trace in traces if trace.points]
        self.optimum = min([self.value(end.x) for end in ends], default=np.nan)
        self.scale = max(abs(self.optimum), start - self.optimum)

    def value(self, x: Vector) -> float:
        """F(x, y*(x)); inf where there is none."""
        key = x.tobytes()
        if key not in self._known:
            try:
                found = hypergradient(self._problem, x, self._y)
                self._y = found.y
                solved = found.lower_residual <= _SOLVED * (1.0 + float(np.linalg.norm(found.y)))
                self._known[key] = found.F if solved else np.inf, found.y
            except (NotConvexError, FloatingPointError):
                self._known[key] = np.inf, self._problem.y0
        return self._known[key][0]

    def gap(self, x: Vector) -> float:
        """F above the optimum, relative to the larger of the optimum and of the gap at the start."""
        return (self.value(x) - self.optimum) / self.scale

    def first_below(self, trace: Trace, gap: float) -> int | None:
        """Index of the first point within the gap."""
        most = self.optimum + _HOPEFUL * gap * self.scale
        for index, point in enumerate(trace.points):
            if most < point.F:
                continue
            if self.gap(point.x) <= gap:
                return index
        return None


def fastest(rounds: list[Trace]) -> Trace:
    """The last of several rounds of one run, with the least seconds of all at each point."""
    last = rounds[-1]
    alike = [trace.points for trace in rounds if len(trace.points) == len(last.points)]
    points = [
        Point(same[-1].x, same[-1].F, same[-1].calls, min(point.seconds for point in same))
        for same in zip(*alike, strict=True)
    ]
    return Trace(last.max_seconds, points, last.note)
