"""Least-squares multipliers with the right signs, for answers that come without any (part of the judge)."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array, diags_array, vstack
from scipy.sparse.linalg import lsmr

from ..problems.nlp import Vector

DENSE_LIMIT = 400
"""Up to so many constraints and variables a dense least-squares solution is exact, and quicker than LSMR."""

ABSENT = 1e6
"""Distance that stands for a bound that does not exist, and the most that a distance counts."""

MAX_NEWTON_STEPS = 20
MAX_LSMR_STEPS = 300


def estimate_multipliers(
    gradient: Vector,
    jacobian: csr_array,
    row_gaps: tuple[Vector, Vector],
    bound_gaps: tuple[Vector, Vector],
) -> Vector:
    """Multipliers y of the constraints that explain the gradient best.

    y minimises ``||grad f + J'y + z||^2 + sum (gap_j y_j)^2 + sum (gap_i z_i)^2`` (in the manner of the
    multiplier functions of Di Pillo & Grippo, 1985), where the sign of a multiplier names the bound whose gap
    it pays: it is free where that bound is active, and nothing but the data says what is active. z is
    eliminated; the convex, piecewise quadratic rest is solved by Newton steps with a line search.

    Parameters
    ----------
    gradient : ndarray, shape (n,)
        Gradient of the objective.
    jacobian : csr_array, shape (m, n)
        Jacobian of the constraints.
    row_gaps, bound_gaps : pair of ndarray, shapes (m,), (n,)
        Relative distances of c and of x to their lower and to their upper bounds; inf where there is none.

    Returns
    -------
    ndarray, shape (m,)
    """
    m = jacobian.shape[0]
    y = np.zeros(m)
    if m == 0:
        return y
    cost = _Cost(gradient, jacobian, row_gaps, bound_gaps)
    value = cost(y)
    for _ in range(MAX_NEWTON_STEPS):
        step = cost.minimiser_of_piece(y) - y
        previous, t = value, 1.0
        value = cost(y + step)
        while value > previous and t > 1e-4:
            t *= 0.5
            value = cost(y + t * step)
        if not value < previous:
            break
        y = y + t * step
        if previous - value <= 1e-15 * previous:
            break
    lower, upper = row_gaps
    return np.clip(y, np.where(np.isfinite(lower), -np.inf, 0.0), np.where(np.isfinite(upper), np.inf, 0.0))


class _Cost:
    """The sum of squares as a function of y, z eliminated."""

    def __init__(
        self,
        gradient: Vector,
        jacobian: csr_array,
        row_gaps: tuple[Vector, Vector],
        bound_gaps: tuple[Vector, Vector],
    ) -> None:
        self.gradient = gradient
        self.transposed = csr_array(jacobian.T)
        self.below, self.above = (np.minimum(gap, ABSENT) for gap in row_gaps)
        # After z has done its part, this share of the residual's square remains.
        self.kept = [gap**2 / (1.0 + gap**2) for gap in (np.minimum(gap, ABSENT) for gap in bound_gaps)]
        self.dense = max(self.transposed.shape) <= DENSE_LIMIT

    def _weights(self, y: Vector) -> tuple[Vector, Vector, Vector]:
        residual = self.gradient + self.transposed @ y
        # A positive residual is held by z < 0, the lower bound; y > 0 pays for the upper one.
        kept = np.where(residual > 0.0, *self.kept)
        gap = np.where(y > 0.0, self.above, np.where(y < 0.0, self.below, np.minimum(self.above, self.below)))
        return residual, kept, gap

    def __call__(self, y: Vector) -> float:
        residual, kept, gap = self._weights(y)
        return float(residual @ (kept * residual) + np.sum((gap * y) ** 2))

    def minimiser_of_piece(self, y: Vector) -> Vector:
        """Minimiser of the quadratic that agrees with the cost around y."""
        _, kept, gap = self._weights(y)
        root = np.sqrt(kept)
        right = np.concatenate([-root * self.gradient, np.zeros(y.size)])
        if self.dense:
            matrix = np.vstack([root[:, None] * self.transposed.toarray(), np.diag(gap)])
            return np.asarray(np.linalg.lstsq(matrix, right)[0])
        sparse = vstack([diags_array(root) @ self.transposed, diags_array(gap)], format="csr")
        norms = np.sqrt(np.asarray(sparse.power(2).sum(axis=0)).ravel())
        norms[norms == 0.0] = 1.0
        scaled = sparse @ diags_array(1.0 / norms)
        solution = lsmr(
            scaled, right, atol=1e-13, btol=1e-13, conlim=0.0, maxiter=MAX_LSMR_STEPS, x0=norms * y
        )
        return np.asarray(solution[0] / norms, dtype=np.float64)
