"""Least-squares multipliers with the right signs, for answers that come without any (part of the judge)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.sparse import csr_array, diags_array, vstack
from scipy.sparse.linalg import lsmr

from ..problems.nlp import Vector

Gaps = tuple[Vector, Vector]

NEAR = 0.1
"""Bounds at a larger relative distance get no multiplier: it would break complementarity before it helped."""

NARROW = 1e-6
"""Where both bounds are as near as this the multiplier is free: an equation."""

DENSE_LIMIT = 400
"""Up to so many constraints and variables the estimate is found by an active-set method, exactly."""

LSMR_BUDGET = 600
"""LSMR iterations spent on one estimate of a large problem, two products with the Jacobian each."""


def estimate_multipliers(
    gradient: Vector, jacobian: csr_array, row_gaps: Gaps, bound_gaps: Gaps, scale: float = 1.0
) -> Vector:
    """Multipliers y of the constraints that explain the gradient best.

    y minimises ``||(grad f + J'y + z)/scale||^2 + sum (gap_j y_j)^2 + sum (gap_i z_i)^2`` (in the manner of
    the multiplier functions of Di Pillo & Grippo, 1985), where the sign of a multiplier names the bound whose
    gap it pays: it is free where that bound is active, and nothing but the data says what is active. A second
    pass divides each gap by max(1, |multiplier|) of the first one, as the certificate does.

    Parameters
    ----------
    gradient : ndarray, shape (n,)
        Gradient of the objective.
    jacobian : csr_array, shape (m, n)
        Jacobian of the constraints.
    row_gaps, bound_gaps : pair of ndarray, shapes (m,), (n,)
        Relative distances of c and of x to their lower and to their upper bounds; inf where there is none.
    scale : float, default 1
        Divisor of the residual.

    Returns
    -------
    ndarray, shape (m,)

    Notes
    -----
    Small problems: non-negative least squares (Lawson & Hanson, 1974), then ordinary least squares on the
    multipliers that it leaves positive. Large ones: z eliminated, projected Newton steps by LSMR.
    """
    if jacobian.shape[0] == 0:
        return np.zeros(0)
    small = max(jacobian.shape) <= DENSE_LIMIT
    matrix = jacobian.toarray() if small else csr_array(jacobian.T)
    row_price, bound_price = np.full(row_gaps[0].size, scale), np.full(bound_gaps[0].size, scale)
    y = np.zeros(row_price.size)
    for _ in range(2):
        if small:
            y = _dense_estimate(gradient, matrix, row_gaps, bound_gaps, row_price, bound_price)
        else:
            newton = _ProjectedNewton(gradient, matrix, row_gaps, bound_gaps, row_price, bound_price)
            y = newton.solve(y, LSMR_BUDGET // 2)
        row_price = scale / np.maximum(1.0, abs(y))
        bound_price = scale / np.maximum(1.0, abs(gradient + jacobian.T @ y))
    return y


def _dense_estimate(
    gradient: Vector,
    jacobian: NDArray[np.float64],
    row_gaps: Gaps,
    bound_gaps: Gaps,
    row_price: Vector,
    bound_price: Vector,
) -> Vector:
    """By an active-set method; a gap counts as much as its price says."""
    m, n = jacobian.shape
    equations = np.maximum(*row_gaps) <= NARROW
    loose = np.maximum(*bound_gaps) > NARROW  # a fixed variable's z takes up any residual
    columns, weights, owners, signs = [], [], [], []
    for sign, row_gap, bound_gap in zip((-1.0, 1.0), row_gaps, bound_gaps, strict=True):
        rows = np.flatnonzero((row_gap <= NEAR) & ~equations)
        bounds = np.flatnonzero((bound_gap <= NEAR) & loose)
        columns += [sign * jacobian[rows].T, sign * np.eye(n)[:, bounds]]
        weights += [(row_price * row_gap)[rows], (bound_price * bound_gap)[bounds]]
        owners += [rows, np.full(bounds.size, -1)]
        signs += [np.full(rows.size + bounds.size, sign)]
    one_sided, weight, owner = np.hstack(columns)[loose], np.concatenate(weights), np.concatenate(owners)
    system = np.vstack([one_sided, np.diag(weight)])
    free = np.vstack([jacobian[equations].T[loose], np.zeros((weight.size, int(equations.sum())))])
    right = np.concatenate([-gradient[loose], np.zeros(weight.size)])
    positive = _positive_columns(system, free, right)
    kept = np.hstack([free, system[:, positive]])
    scale = _column_norms(kept)
    solution = np.linalg.lstsq(kept / scale, right)[0] / scale
    y = np.zeros(m)
    y[equations] = solution[: free.shape[1]]
    amounts = np.maximum(solution[free.shape[1] :], 0.0)
    mine = owner[positive] >= 0
    np.add.at(y, owner[positive][mine], (np.concatenate(signs)[positive] * amounts)[mine])
    return y


def _positive_columns(
    system: NDArray[np.float64], free: NDArray[np.float64], right: Vector
) -> NDArray[np.bool_]:
    """Which coefficients of `system` are positive in the least-squares solution with those of `free` free."""
    if free.shape[1]:
        left, singular, _ = np.linalg.svd(free / _column_norms(free), full_matrices=False)
        basis = left[:, singular > 1e-12 * singular[0]]
        system, right = system - basis @ (basis.T @ system), right - basis @ (basis.T @ right)
    if system.shape[1] == 0:
        return np.zeros(0, dtype=np.bool_)
    try:
        solution, _ = nnls(system / _column_norms(system), right, maxiter=10 * system.shape[1])
    except RuntimeError:  # out of iterations: every near bound may push
        return np.ones(system.shape[1], dtype=np.bool_)
    return np.asarray(solution > 0.0)


def _column_norms(matrix: NDArray[np.float64]) -> Vector:
    norms = np.linalg.norm(matrix, axis=0)
    return np.where(norms > 0.0, norms, 1.0)


class _ProjectedNewton:
    """The same for large problems; each row and each variable keeps the sign of its nearer bound."""

    def __init__(
        self,
        gradient: Vector,
        transposed: csr_array,
        row_gaps: Gaps,
        bound_gaps: Gaps,
        row_price: Vector,
        bound_price: Vector,
    ) -> None:
        self.gradient, self.transposed = gradient, transposed
        below, above = row_gaps
        gap = np.minimum(below, above)
        equations, far = np.maximum(below, above) <= NARROW, gap > NEAR
        self.low = np.where(~far & (equations | (below <= above)), -np.inf, 0.0)
        self.high = np.where(~far & (equations | (below > above)), np.inf, 0.0)
        self.gap = row_price * np.where(equations | far, 0.0, gap)
        # After z has done its part, this share of the residual's square remains.
        paid = [(bound_price * np.minimum(gap, NEAR)) ** 2 for gap in bound_gaps]
        self.kept = [
            np.where(gap <= NEAR, p / (1.0 + p), 1.0) for gap, p in zip(bound_gaps, paid, strict=True)
        ]

    def _residual(self, y: Vector) -> tuple[Vector, Vector]:
        residual = self.gradient + self.transposed @ y
        # A positive residual is held by z < 0, at the lower bound.
        return residual, np.where(residual > 0.0, *self.kept)

    def cost(self, y: Vector) -> float:
        """The sum of squares, z eliminated."""
        residual, kept = self._residual(y)
        return float(residual @ (kept * residual) + np.sum((self.gap * y) ** 2))

    def solve(self, y: Vector, budget: int) -> Vector:
        """From a start with the right signs, with so many iterations of LSMR at the most."""
        value = self.cost(y)
        while budget > 0:
            point, spent = self._newton_point(y, budget)
            budget -= max(spent, 1)
            step, t, trial = point - y, 1.0, y
            new = np.inf
            while new > value and t > 1e-6:
                trial = np.clip(y + t * step, self.low, self.high)
                new = self.cost(trial)
                t *= 0.25
            if not new < value:
                break
            finished = value - new <= 1e-14 * value
            y, value = trial, new
            if finished:
                break
        return y

    def _newton_point(self, y: Vector, budget: int) -> tuple[Vector, int]:
        """Minimiser of the quadratic around y over the multipliers that may move; iterations spent."""
        residual, kept = self._residual(y)
        slope = self.transposed.T @ (kept * residual) + self.gap**2 * y
        held = ((y <= self.low) & (slope >= 0.0)) | ((y >= self.high) & (slope <= 0.0))
        free = np.flatnonzero(~held)
        point = np.where(held, y, 0.0)
        if free.size == 0:
            return point, 0
        root = np.sqrt(kept)
        system = vstack(
            [diags_array(root) @ self.transposed[:, free], diags_array(self.gap[free])], format="csr"
        )
        norms = np.sqrt(np.asarray(system.power(2).sum(axis=0)).ravel())
        norms[norms == 0.0] = 1.0
        right = np.concatenate([-root * (self.gradient + self.transposed @ point), np.zeros(free.size)])
        solution, _, spent = lsmr(
            system @ diags_array(1.0 / norms),
            right,
            atol=1e-13,
            btol=1e-13,
            conlim=0.0,
            maxiter=budget,
            x0=norms * y[free],
        )[:3]
        point[free] = solution / norms
        return point, int(spent)
