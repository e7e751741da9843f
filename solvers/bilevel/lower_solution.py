"""Solving the lower level at a fixed x, from one start or from many."""

from __future__ import annotations

from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from scipy.spatial import cKDTree

from ...problems.bilevel.lower_level import LowerLevel
from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from .inner_run import solve_within

SPREADS = (1.0, 10.0)
"""Where y has no bounds, starts are drawn this far around the given point, relative to max(1, |y|)."""

SAMPLES = 200
"""Points at which f is looked at before some of them become starts."""

NEIGHBOURS = 8, 3
"""Neighbours in the sample that a start has to be better than: at least, and for each variable.

Of points on a slope one in 2^8 has no better one among eight neighbours."""

FEASIBLE = 1e-9
"""Largest violation of a lower answer whose value counts although nothing certifies it."""

SAME = 1e-5
"""Relative distance below which two answers are one."""


@dataclass(frozen=True, eq=False)
class LowerSolution:
    """An answer of the lower level.

    Attributes
    ----------
    y : ndarray, shape (n_y,)
    value : float
        f(x, y), and what it may have gained by violations of y.
    c, z : ndarray, shapes (m,), (n_y,)
        Multipliers of constraints and bounds, in the library's sign.
    success : bool
        Whether the certificate holds.
    feasible : bool
        Whether y is feasible to rounding: then its value counts, whatever the certificate says.
    """

    y: Vector
    value: float
    c: Vector
    z: Vector
    success: bool
    feasible: bool


def solve_lower(
    problem: BilevelProblem,
    x: Vector,
    y0: Vector,
    tol: float,
    max_time: float = np.inf,
    level: LowerLevel | None = None,
) -> LowerSolution:
    """A local answer of the lower level at x."""
    level = LowerLevel(problem, x, y0, like=level)
    answer = solve_within(level, tol, max_time=max_time)
    c, z = (np.where(np.isfinite(part), part, 0.0) for part in (answer.y, answer.z))
    feasible = bool(answer.maxcv <= FEASIBLE and np.isfinite(answer.fun))
    value = answer.fun + gain(level, answer.x, c)
    return LowerSolution(answer.x, value, c, z, bool(answer.success), feasible)


def gain(level: LowerLevel, y: Vector, c: Vector, least: float = 0.0) -> float:
    """What f may gain by the violations of y, or by `least` ones: these, times their multipliers c, twice.

    Once is the first order. Where constraints are all but singular, as y^2 <= x at x = 0, the violation of
    1e-9 that rounding leaves is seen in f, and it is twice that.
    """
    if not level.m:
        return 0.0
    g = level.constraints(y)
    violation = np.maximum(np.maximum(level.cl - g, g - level.cu), least)
    found = 2.0 * float(abs(c) @ violation)
    return found if np.isfinite(found) else 0.0


def solve_lower_globally(
    problem: BilevelProblem,
    x: Vector,
    ys: list[Vector],
    starts: int,
    tol: float,
    rng: np.random.Generator,
    max_time: float = np.inf,
) -> tuple[list[LowerSolution], bool]:
    """Distinct answers from several starts, the best first: the given ones, then the best of a sample.

    Parameters
    ----------
    problem : BilevelProblem
        Its lower level is solved.
    x : ndarray, shape (n_x,)
        Where.
    ys : list of ndarray
        Starts.
    starts : int
        Further starts. Where the level is known to be convex none are used.
    tol : float
        Tolerance of each solution.
    rng : Generator
        For the sample.
    max_time : float
        Seconds for all solutions.

    Returns
    -------
    answers : list of LowerSolution
        The certified and the feasible ones.
    complete : bool
        Whether the time allowed all starts.
    """
    level = LowerLevel(problem, x, ys[0])
    drawn = [] if problem.lower_convex else _best_of_sample(level, ys[0], starts, rng)
    found: list[LowerSolution] = []
    deadline = perf_counter() + max_time
    for start in [*ys, *drawn]:
        left = deadline - perf_counter()
        if left <= 0.0:
            return sorted(found, key=lambda answer: answer.value), False
        answer = solve_lower(problem, x, start, tol, left, level)
        if (answer.success or answer.feasible) and not any(_is_same(answer, other) for other in found):
            found.append(answer)
    return sorted(found, key=lambda answer: answer.value), True


def sample_box(lb: Vector, ub: Vector, around: Vector, size: int, rng: np.random.Generator) -> list[Vector]:
    """Points within the bounds, spread as `SPREADS` where there are none."""
    points = []
    for k in range(size):
        spread = SPREADS[k % len(SPREADS)] * np.maximum(1.0, abs(around))
        low = np.where(np.isfinite(lb), lb, np.minimum(around, ub) - spread)
        high = np.where(np.isfinite(ub), ub, np.maximum(around, low) + spread)
        # Where a box is huge, half of the points stay near.
        if k % 4 >= 2:
            low, high = np.maximum(low, around - spread), np.minimum(high, around + spread)
            low = np.minimum(low, high)
        points.append(rng.uniform(low, np.maximum(low, high)))
    return points


def _best_of_sample(level: LowerLevel, y: Vector, starts: int, rng: np.random.Generator) -> list[Vector]:
    """The lowest points of their neighbourhoods in a sample, and a few others for variety."""
    if starts <= 0:
        return []
    points = np.array(sample_box(level.lb, level.ub, y, max(SAMPLES, 2 * starts), rng))
    violations, values = np.array([_violation_and_value(level, point) for point in points]).T
    order = np.lexsort((values, violations))
    heads = _heads(points[order])[: starts - starts // 3]
    others = rng.permutation(len(points))[: starts - len(heads)]
    return [*points[order][heads], *points[others]]


def _violation_and_value(level: LowerLevel, y: Vector) -> tuple[float, float]:
    c = level.constraints(y)
    violation = float(np.maximum(np.maximum(level.cl - c, c - level.cu), 0.0).max(initial=0.0))
    f = level.objective(y)
    return (violation if np.isfinite(violation) else np.inf), (f if np.isfinite(f) else np.inf)


def _heads(points: np.ndarray[Any, np.dtype[np.float64]]) -> list[int]:
    """Of points ordered from the best on, those with no better one among their nearest neighbours.

    In the manner of multi-level single linkage (Rinnooy Kan & Timmer, 1987): one start for each valley that
    the sample shows.
    """
    spread = np.maximum(np.ptp(points, axis=0), 1e-300)
    least, each = NEIGHBOURS
    neighbours = min(max(least, each * points.shape[1]) + 1, len(points))
    _, nearest = cKDTree(points / spread).query(points / spread, neighbours)
    return [k for k in range(len(points)) if nearest[k].min() >= k]


def _is_same(a: LowerSolution, b: LowerSolution) -> bool:
    size = 1.0 + float(abs(a.y).max(initial=0.0))
    return float(abs(a.y - b.y).max(initial=0.0)) <= SAME * size
