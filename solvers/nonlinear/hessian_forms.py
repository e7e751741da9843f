"""Slack forms whose Hessian is not the problem's own: limited-memory and dense BFGS, Gauss-Newton."""

from __future__ import annotations

from typing import Any

import numpy as np

from ...problems.nlp import IndexVector, Vector
from .form import Point, SlackForm


class DampedForm(SlackForm):
    """With a dense damped BFGS matrix, whatever the problem offers."""

    def has_hessian(self) -> bool:
        """It is not asked for."""
        return False


class LimitedMemoryForm(DampedForm):
    """With a limited-memory matrix, an operator: the pattern has no Hessian entries."""

    def hessian_coordinates(self, column: IndexVector) -> tuple[IndexVector, IndexVector]:
        """None."""
        return np.zeros(0, dtype=np.int64), np.zeros(0, dtype=np.int64)

    def approximation(self) -> Any:
        """A fresh limited-memory matrix."""
        from .limited_memory import LimitedMemoryBFGS

        return LimitedMemoryBFGS(self.nx)


class GaussNewtonForm(SlackForm):
    """With ``sum w r'r'`` of a least-squares objective, positive semidefinite; no curvature of constraints.

    The multipliers vanish with the residuals, and with both the terms left out: convergence is fast where the
    objective is near zero at the solution, and linear elsewhere.
    """

    def has_hessian(self) -> bool:
        """The values stand in the pattern of the full Hessian."""
        return True

    def hessian(self, point: Point, y: Vector, sigma: float = 1.0) -> Any:
        """Values of the lower triangle, scaled."""
        values = self.evaluator.gauss_newton_values(point.x, sigma * self.scaling.objective)
        return np.asarray(values[self._hessian_keep])
