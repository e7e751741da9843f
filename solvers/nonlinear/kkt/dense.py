"""Dense KKT systems by LAPACK's Bunch-Kaufman factorisation, for small problems."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsymv
from scipy.linalg.lapack import dsytrf, dsytrf_lwork, dsytrs

from ....problems.nlp import Vector
from .protocol import Inertia, KKTPattern
from .refinement import refine


class DenseKKT:
    """K as a full array, equilibrated and factorised by ``sytrf``.

    The inertia is read off D: a 2 x 2 pivot of the Bunch-Kaufman strategy has one positive and one negative
    eigenvalue always, a 1 x 1 pivot has its sign. Pivots of the equilibrated matrix below ``10 N eps`` count
    as zero.

    Parameters
    ----------
    pattern : KKTPattern
        Coordinates of the values that `load` takes.
    """

    def __init__(self, pattern: KKTPattern) -> None:
        self.pattern = pattern
        order = pattern.order
        self._base = np.zeros((order, order), order="F")
        self._matrix = np.zeros((order, order), order="F")
        self._diagonal = np.arange(order) * (order + 1)
        self._lower = pattern.hessian_columns * order + pattern.hessian_rows
        self._upper = pattern.hessian_rows * order + pattern.hessian_columns
        self._jacobian = pattern.jacobian_columns * order + (pattern.jacobian_rows + pattern.n)
        self._transposed = (pattern.jacobian_rows + pattern.n) * order + pattern.jacobian_columns
        # LAPACK runs its unblocked code when it is given the small default workspace.
        self._lwork = int(dsytrf_lwork(order, lower=1)[0]) if order > 48 else order
        self._tiny = 10.0 * order * float(np.finfo(float).eps)
        self._scale = np.ones(order)
        self._factors = self._matrix
        self._pivots = np.zeros(order, dtype=np.int32)

    def load(self, hessian: Vector, jacobian: Vector) -> None:
        """Scatter the values of ``H`` (lower triangle) and ``J`` into both triangles of K."""
        flat = self._base.T.reshape(-1)  # a view: the array is Fortran-ordered
        flat[self._lower] = hessian
        flat[self._upper] = hessian
        flat[self._jacobian] = jacobian
        flat[self._transposed] = jacobian

    def factor(self, primal: Vector, dual: Vector) -> Inertia:
        """Factorise with the given diagonals; see `KKTSolver.factor`."""
        order, n = self.pattern.order, self.pattern.n
        np.copyto(self._matrix, self._base)
        flat = self._matrix.T.reshape(-1)
        flat[self._diagonal[:n]] += primal
        flat[self._diagonal[n:]] -= dual
        largest = np.abs(self._matrix).max(axis=0, initial=0.0)
        if not np.isfinite(largest).all():
            return Inertia(0, 0, order)
        largest[largest == 0.0] = 1.0
        self._scale = 1.0 / np.sqrt(largest)
        scaled = self._matrix * self._scale
        scaled *= self._scale[:, None]
        self._factors, self._pivots, _ = dsytrf(scaled, lower=1, lwork=self._lwork, overwrite_a=1)
        return self._inertia()

    def _inertia(self) -> Inertia:
        order = self.pattern.order
        single = self._pivots > 0
        d = self._factors.diagonal()[single]
        zero = int(np.count_nonzero(np.abs(d) <= self._tiny))
        negative = int(np.count_nonzero(d < -self._tiny))
        pairs = (order - d.size) // 2
        if pairs:
            first = np.flatnonzero(~single)[::2]
            singular = int(np.count_nonzero(np.abs(self._factors[first + 1, first]) <= self._tiny))
            zero += 2 * singular
            negative += pairs - singular
        return Inertia(order - zero - negative, negative, zero)

    def solve(self, rhs: Vector) -> tuple[Vector, float]:
        """Refined solution and its relative residual; see `KKTSolver.solve`."""
        with np.errstate(all="ignore"):
            return refine(rhs, self._backsolve, self.multiply)

    def _backsolve(self, rhs: Vector) -> Vector:
        v, _ = dsytrs(self._factors, self._pivots, self._scale * rhs, lower=1, overwrite_b=1)
        return np.asarray(self._scale * v)

    def multiply(self, v: Vector) -> Vector:
        """``K v``."""
        return np.asarray(dsymv(1.0, self._matrix, v, lower=1))
