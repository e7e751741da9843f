"""Runs that go on without getting anywhere: steps within rounding of x, one after another."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from .iteration import BarrierIteration

ROUNDING = 1e-13
"""Length of a step, relative to the largest variable and at least to 1, that leads nowhere."""

FEASIBLE = 1e-4
"""Scaled violation above which a run is not just finishing off its constraints."""


@dataclass
class Standstill:
    """Counts steps within rounding while the barrier parameter remains the same.

    A few are in order: the last digits of a solution, multipliers that follow.

    Attributes
    ----------
    patience : int
        Steps in a row that are put up with.
    """

    patience: int
    count: int = 0
    mu: float = -1.0

    def notice(self, run: BarrierIteration) -> bool:
        """Take note of a step; whether patience is at an end, which begins again then."""
        log, size = run.log, float(np.abs(run.iterate.point.w).max(initial=1.0))
        stands = log.alpha * log.step <= ROUNDING * size and run.mu == self.mu
        self.count, self.mu = (self.count + 1 if stands else 0), run.mu
        if self.count < self.patience:
            return False
        self.count = 0
        return True


@dataclass
class Plateau:
    """Counts iterations that leave the violation of the constraints as large as it was.

    Where the constraints contradict each other multipliers may grow and grow, and every step be acceptable.
    """

    patience: int = 100
    least: float = inf
    count: int = 0

    def notice(self, violation: float) -> bool:
        """Take note of a violation; whether patience is at an end, which begins again then."""
        if violation <= FEASIBLE or violation < 0.99 * self.least:
            self.least, self.count = (violation if violation > FEASIBLE else inf), 0
            return False
        self.count += 1
        if self.count < self.patience:
            return False
        self.least, self.count = inf, 0
        return True
