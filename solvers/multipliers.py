"""Least-squares multipliers with the right signs, for answers that come without any (part of the judge)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import nnls
from scipy.sparse import block_array, csr_array, diags_array, eye_array, vstack
from scipy.sparse.linalg import LinearOperator, lsmr, splu

from ..problems.nlp import Vector

Gaps = tuple[Vector, Vector]

NEAR = 0.1
"""Bounds at a larger relative distance get no multiplier: it would break complementarity before it helped."""

NARROW = 1e-6
"""Where both bounds are as near as this the multiplier is free: an equation."""

DENSE_LIMIT = 400
"""Up to so many constraints and variables the estimate is found by an active-set method, exactly."""

MAX_PROJECTED_STEPS = 10

LSMR_STEPS = 100
"""Iterations of LSMR per step; where they do not do, and the size allows it, a factorisation follows."""

DIRECT_LIMIT = 60_000
"""Up to so many constraints and variables together a sparse factorisation takes a few seconds at the most."""

PROXIMAL = 1e-10
"""Share of the square of a step, in columns of length one, that is added for dependent columns."""

NEGLIGIBLE = 1e-12
"""Residual at which an estimate is good enough for any tolerance."""


def estimate_multipliers(
    gradient: Vector, jacobian: Any, row_gaps: Gaps, bound_gaps: Gaps, scale: float = 1.0
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
    jacobian : csr_array or an object with ``J.T`` a LinearOperator, shape (m, n)
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
    multipliers that it leaves positive. Large ones: z eliminated, projected Newton steps by LSMR or by a
    sparse factorisation.
    """
    if jacobian.shape[0] == 0:
        return np.zeros(0)
    if isinstance(jacobian.T, LinearOperator):
        return _estimate_by_products(gradient, jacobian.T, row_gaps)
    small = max(jacobian.shape) <= DENSE_LIMIT
    matrix = jacobian.toarray() if small else csr_array(jacobian.T)
    row_price, bound_price = np.full(row_gaps[0].size, scale), np.full(bound_gaps[0].size, scale)
    y = np.zeros(row_price.size)
    for _ in range(2):
        if small:
            y = _dense_estimate(gradient, matrix, row_gaps, bound_gaps, row_price, bound_price)
        else:
            y = _ProjectedNewton(gradient, matrix, row_gaps, bound_gaps, row_price, bound_price).solve(y)
        row_price = scale / np.maximum(1.0, abs(y))
        bound_price = scale / np.maximum(1.0, abs(gradient + jacobian.T @ y))
    return y


def _estimate_by_products(gradient: Vector, transposed: LinearOperator, row_gaps: Gaps) -> Vector:
    """Least squares over the rows near a bound, by LSMR; signs that name no near bound are set to zero."""
    below, above = row_gaps
    near = (np.minimum(below, above) <= NEAR).astype(np.float64)
    n, m = transposed.shape
    restricted = LinearOperator(
        (n, m),
        matvec=lambda y: transposed.matvec(near * np.ravel(y)),
        rmatvec=lambda v: near * transposed.rmatvec(np.ravel(v)),
        dtype=np.float64,
    )
    y = near * lsmr(restricted, -gradient, atol=1e-13, btol=1e-13, conlim=0.0, maxiter=10 * LSMR_STEPS)[0]
    equations = np.maximum(below, above) <= NARROW
    low = np.where(equations | (below <= above), -np.inf, 0.0)
    high = np.where(equations | (below > above), np.inf, 0.0)
    return np.asarray(np.clip(y, low, high))


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
        self.gradient, self.transposed, self.direct = gradient, transposed, False
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

    def solve(self, y: Vector) -> Vector:
        """From a start with the right signs."""
        value = self.cost(y)
        for _ in range(MAX_PROJECTED_STEPS):
            step, t, trial = self._newton_step(y), 1.0, y
            new = np.inf
            while new > value and t > 1e-6:
                trial = np.clip(y + t * step, self.low, self.high)
                new = self.cost(trial)
                t *= 0.25
            if not new < value:
                break
            finished = value - new <= 1e-6 * value or new <= NEGLIGIBLE**2
            y, value = trial, new
            if finished:
                break
        return y

    def _newton_step(self, y: Vector) -> Vector:
        """To the minimiser of the quadratic around y over the multipliers that may move."""
        residual, kept = self._residual(y)
        slope = self.transposed.T @ (kept * residual) + self.gap**2 * y
        held = ((y <= self.low) & (slope >= 0.0)) | ((y >= self.high) & (slope <= 0.0))
        free = np.flatnonzero(~held)
        step = np.zeros_like(y)
        if free.size:
            columns = self.transposed[:, free]
            norms = np.sqrt(np.asarray(columns.power(2).sum(axis=0)).ravel() + self.gap[free] ** 2)
            norms[norms == 0.0] = 1.0
            columns = columns @ diags_array(1.0 / norms)
            system = _LeastSquaresStep(columns, kept, residual, self.gap[free] / norms, norms * y[free])
            self.direct = self.direct and sum(columns.shape) <= DIRECT_LIMIT
            if not self.direct:
                scaled, converged = system.by_lsmr()
                self.direct = not converged and sum(columns.shape) <= DIRECT_LIMIT
            if self.direct:
                scaled = system.by_factorisation()
            step[free] = scaled / norms
        return step


@dataclass(frozen=True)
class _LeastSquaresStep:
    """Minimise ``sum kept (residual + columns p)^2 + sum (gap (y + p))^2`` over p."""

    columns: csr_array
    kept: Vector
    residual: Vector
    gap: Vector
    y: Vector

    def by_lsmr(self) -> tuple[Vector, bool]:
        """By LSMR, and whether it came to an end within its iterations."""
        root = np.sqrt(self.kept)
        system = vstack([diags_array(root) @ self.columns, diags_array(self.gap)], format="csr")
        right = np.concatenate([-root * self.residual, -self.gap * self.y])
        solution, reason = lsmr(system, right, atol=1e-13, btol=1e-13, conlim=0.0, maxiter=LSMR_STEPS)[:2]
        return np.asarray(solution, dtype=np.float64), reason != 7

    def by_factorisation(self) -> Vector:
        """By a sparse LU of the augmented system, with a proximal term against dependent columns."""
        n, m = self.columns.shape
        weighted = diags_array(self.kept) @ self.columns
        corner = diags_array(self.gap**2 + PROXIMAL)
        system = block_array([[eye_array(n), -weighted], [self.columns.T, corner]], format="csc")
        right = np.concatenate([self.kept * self.residual, -(self.gap**2) * self.y])
        try:
            factors = splu(system, permc_spec="COLAMD", diag_pivot_thresh=0.01)
        except RuntimeError:  # singular to working precision
            return np.zeros(m)
        solution = factors.solve(right)
        solution += factors.solve(right - system @ solution)
        return np.asarray(solution[n:], dtype=np.float64)
