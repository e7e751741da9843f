"""Bounds of the Hessian, for steps and for scores: L_i, L_b, H_b and diagonals for variable blocks."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse
from scipy.linalg import LinAlgError, cho_factor, cho_solve

from ...problems.composite.datafits import QuadraticForm
from ...problems.composite.design import DenseDesign, SparseDesign
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array
from .block_point import Block, BlockPoint, PredictorPoint, QuadraticPoint

DIAGONALS = ("lipschitz", "row-sums", "size")
_POWER_STEPS = 30
_CHUNK = 256
_MOST_KEPT = 30_000_000
"""Numbers in the Hessians of fixed blocks that are kept."""

_RIDGE = 1e-12
"""Relative to the mean of the diagonal: added to a block that is singular to working precision."""


class BlockBounds:
    """Bounds of the Hessian's blocks over all points.

    Quadratic forms: H_b = A_bb, L_i = A_ii. Least squares: X_b'X_b and ||x_i||^2. Logistic: a quarter of
    that. Softmax with k' of k classes touched: (I - 11'/(k' + 1)) / 2 (x) X'X. L_b is the largest eigenvalue
    of H_b. What belongs to fixed blocks is computed once.
    """

    def __init__(self, problem: CompositeProblem, point: BlockPoint, size: int) -> None:
        self.problem, self.size = problem, size
        self._form = point if isinstance(point, QuadraticPoint) else None
        self._start = point.eta if isinstance(point, PredictorPoint) else point.x
        self._lipschitz: dict[int, float] = {}
        self._hessians: dict[int, Array] = {}
        self._kept = 0
        self._factors: dict[int, tuple[Array, bool]] = {}
        self._diagonals: dict[str, Array] = {}

    @cached_property
    def coordinate(self) -> Array:
        """L_i, flat."""
        problem = self.problem
        if problem.datafit.provides("curvature_bound"):
            return np.asarray(problem.coordinate_lipschitz.ravel())
        return problem.design.survey(np.zeros(problem.n), self._curvatures).squares

    @cached_property
    def _curvatures(self) -> Array:
        """Of the datafit: bounds, or where it has none the second derivatives at the start.

        Those are good for the scores of greedy rules; updates by bounds refuse such a datafit.
        """
        datafit = self.problem.datafit
        if datafit.provides("curvature_bound"):
            return datafit.curvature_bound()
        return datafit.hessian_diagonal(self._start)

    def hessian(self, block: Block) -> Array:
        """H_b, not to be changed."""
        if block.index is not None and block.index in self._hessians:
            return self._hessians[block.index]
        if self._form is not None:
            found = self._form.hessian(block)
        else:
            found = self.problem.hessian_block(block.coordinates)
        if block.index is not None and self._kept + found.size <= _MOST_KEPT:
            self._hessians[block.index] = found
            self._kept += found.size
        return found

    def lipschitz(self, block: Block) -> float:
        """L_b, the largest eigenvalue of H_b."""
        if block.size == 1:
            return float(self.coordinate[block.coordinates[0]])
        if block.index is None:
            return float(np.linalg.eigvalsh(self.hessian(block))[-1])
        if block.index not in self._lipschitz:
            self._lipschitz[block.index] = float(np.linalg.eigvalsh(self.hessian(block))[-1])
        return self._lipschitz[block.index]

    def solve(self, block: Block, v: Array) -> Array:
        """H_b^-1 v, by a Cholesky factor that is kept where blocks are fixed."""
        if block.index is None:
            return np.asarray(cho_solve(regular_factor(self.hessian(block)), v, check_finite=False))
        if block.index not in self._factors:
            self._factors[block.index] = regular_factor(self.hessian(block))
        return np.asarray(cho_solve(self._factors[block.index], v, check_finite=False))

    @cached_property
    def whole(self) -> float:
        """L, the largest eigenvalue of the whole bound, by power iteration and a little more."""
        v = np.ones(self.coordinate.size) + 1e-3 * np.cos(np.arange(self.coordinate.size))
        value = 0.0
        for _ in range(_POWER_STEPS):
            v /= np.linalg.norm(v)
            v = self.product(v)
            value = float(np.linalg.norm(v))
            if value == 0.0:
                break
        return 1.05 * value

    def diagonal(self, kind: str) -> Array:
        """D, flat, for variable blocks of tau coordinates: see `GreedyDiagonal`."""
        if kind not in self._diagonals:
            if kind == "lipschitz":
                found = self.coordinate
            elif kind == "size":
                found = self.size * self.coordinate
            else:
                found = self._row_sums()
            self._diagonals[kind] = found
        return self._diagonals[kind]

    def product(self, d: Array) -> Array:
        """The whole bound times d."""
        problem, datafit = self.problem, self.problem.datafit
        if isinstance(datafit, QuadraticForm):
            return np.asarray(datafit.A @ d)
        eta = problem.design.product(d.reshape(problem.shape))
        return problem.design.adjoint(np.ascontiguousarray(self._curvature(eta))).ravel()

    def _curvature(self, eta: Array) -> Array:
        """The bound of the datafit's Hessian times eta."""
        datafit = self.problem.datafit
        bound = self._curvatures
        if not datafit.provides("output_bound"):
            return np.asarray(bound * eta)
        return np.asarray(bound[:, :1] * (eta @ datafit.output_bound(self.problem.shape[1])))

    def _row_sums(self) -> Array:
        """Sum_j |M_ij| of the whole bound M: with it diag(D) >= M for any block."""
        datafit = self.problem.datafit
        if isinstance(datafit, QuadraticForm):
            return np.asarray(abs(datafit.A).sum(axis=1)).ravel()
        bound = self._curvatures
        weights = np.ascontiguousarray(bound if bound.ndim == 1 else bound[:, 0])
        design = self.problem.design
        if isinstance(design, SparseDesign):
            sums = _sparse_absolute_sums(design, weights)
        elif isinstance(design, DenseDesign):
            sums = _dense_absolute_sums(design.X, weights)
        else:
            sums = weights.copy()
        if len(self.problem.shape) == 1:
            return sums
        k = self.problem.shape[1]
        coupling = datafit.output_bound(k) if datafit.provides("output_bound") else np.eye(k)
        return np.outer(sums, np.abs(coupling).sum(axis=1)).ravel()


def regular_factor(H: Array) -> tuple[Array, bool]:
    """Cholesky factor of H, with as small a multiple of the identity added as makes it regular."""
    ridge = _RIDGE * float(np.trace(H)) / H.shape[0] or _RIDGE
    try:
        return cho_factor(H, lower=True, check_finite=False)  # type: ignore[no-any-return]
    except LinAlgError:
        pass
    while True:
        try:
            shifted = H + ridge * np.eye(H.shape[0])
            return cho_factor(shifted, lower=True, check_finite=False)  # type: ignore[no-any-return]
        except LinAlgError:
            if not np.isfinite(ridge):
                raise
            ridge *= 100.0


def _sparse_absolute_sums(design: SparseDesign, weights: Array) -> Array:
    from .block_kernels import absolute_gram_sums

    rows = sparse.csr_array(design.X)
    out = np.empty(design.shape[1])
    absolute_gram_sums(
        *design.parts,
        rows.indptr.astype(np.int64),
        rows.indices.astype(np.int64),
        rows.data.astype(np.float64),
        weights,
        out,
    )
    return out


def _dense_absolute_sums(X: Any, weights: Array) -> Array:
    """The Gram matrix some rows at a time."""
    p = X.shape[1]
    parts = []
    for first in range(0, p, _CHUNK):
        part = weights[:, None] * X[:, first : first + _CHUNK]
        parts.append(np.abs(part.T @ X).sum(axis=1))
    return np.concatenate(parts)
