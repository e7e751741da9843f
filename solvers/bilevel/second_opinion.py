"""A second solver's word on the lower level: scipy's, which shares no code with the library's own.

The judge of bilevel answers would otherwise believe the solver that found them.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from time import perf_counter
from typing import Any

import numpy as np
from scipy.optimize import Bounds, minimize

from ...problems.bilevel.lower_level import LowerLevel
from ...problems.nlp import Vector
from ..certificate import certify
from .lower_solution import FEASIBLE, LowerSolution, gain

MAX_SIZE = 100
"""Variables and rows up to which SLSQP, whose matrices are dense, takes no more than the judge's own work.
Larger levels are asked of L-BFGS-B where they have no rows."""

MAX_ITERATIONS = 200


class _OutOfTimeError(Exception):
    pass


def second_opinion(level: LowerLevel, y: Vector, max_time: float = np.inf) -> LowerSolution | None:
    """The lower level by SLSQP, or by L-BFGS-B where it is large and has no rows.

    Parameters
    ----------
    level : LowerLevel
        At one x.
    y : ndarray, shape (n_y,)
        Start.
    max_time : float
        Seconds; the best feasible point until then counts.

    Returns
    -------
    LowerSolution or None
        The best feasible point that the solver looked at, with estimated multipliers; None where there is
        none, or the level is too large.
    """
    small = level.n + level.m <= MAX_SIZE
    if not small and level.m:
        return None
    seen = _BestFeasible(level, perf_counter() + max_time)
    with suppress(_OutOfTimeError, np.linalg.LinAlgError):
        minimize(
            seen.objective,
            np.clip(y, level.lb, level.ub),
            jac=seen.gradient,
            method="SLSQP" if small else "L-BFGS-B",
            bounds=Bounds(level.lb, level.ub),
            constraints=_rows(level) if small else (),
            options={"maxiter": MAX_ITERATIONS, "ftol": 1e-12},
        )
    return seen.settled()


class _BestFeasible:
    """The objective, which keeps the best feasible point that it was asked for."""

    def __init__(self, level: LowerLevel, deadline: float) -> None:
        self._level, self._deadline = level, deadline
        self.answer: LowerSolution | None = None

    def objective(self, y: Vector) -> float:
        if perf_counter() > self._deadline:
            raise _OutOfTimeError
        level = self._level
        y = np.clip(y, level.lb, level.ub)
        f = level.objective(y)
        if np.isfinite(f) and (self.answer is None or f < self.answer.value) and self._is_feasible(y):
            self.answer = LowerSolution(y, f, np.zeros(level.m), np.zeros(level.n), False, True)
        return f if np.isfinite(f) else 1e300

    def settled(self) -> LowerSolution | None:
        """With estimated multipliers, and the value less what violations gain."""
        if self.answer is None:
            return None
        y = self.answer.y
        c = certify(self._level, y).y
        return replace(self.answer, value=self.answer.value + gain(self._level, y, c), c=c)

    def gradient(self, y: Vector) -> Vector:
        return np.nan_to_num(self._level.gradient(y))

    def _is_feasible(self, y: Vector) -> bool:
        level = self._level
        if not level.m:
            return True
        c = level.constraints(y)
        return bool((np.maximum(level.cl - c, c - level.cu) <= FEASIBLE).all())


def _rows(level: LowerLevel) -> list[dict[str, Any]]:
    """The constraints as SLSQP takes them: equations, then rows that are not negative."""
    equal = np.flatnonzero(level.cl == level.cu)
    below = np.flatnonzero((level.cl != level.cu) & np.isfinite(level.cl))
    above = np.flatnonzero((level.cl != level.cu) & np.isfinite(level.cu))
    rows, signs = np.concatenate([below, above]), np.repeat([1.0, -1.0], [below.size, above.size])
    bounds = signs * np.concatenate([level.cl[below], level.cu[above]])

    def values(y: Vector) -> Vector:
        return np.nan_to_num(level.constraints(y))

    def jacobian(y: Vector) -> np.ndarray[Any, np.dtype[np.float64]]:
        return np.asarray(np.nan_to_num(level.jacobian(y).toarray()))

    found: list[dict[str, Any]] = []
    if equal.size:
        found.append(
            {
                "type": "eq",
                "fun": lambda y: values(y)[equal] - level.cl[equal],
                "jac": lambda y: jacobian(y)[equal],
            }
        )
    if rows.size:
        found.append(
            {
                "type": "ineq",
                "fun": lambda y: signs * values(y)[rows] - bounds,
                "jac": lambda y: signs[:, None] * jacobian(y)[rows],
            }
        )
    return found
