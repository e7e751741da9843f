"""Dense KKT systems by LAPACK's Bunch-Kaufman factorisation, for small problems."""

from __future__ import annotations

import numpy as np
from scipy.linalg.blas import dsymv
from scipy.linalg.lapack import dsytrf, dsytrf_lwork, dsytrs

from ....problems.nlp import Vector
from .dense_kernels import assemble, inertia_of_factors, load_blocks
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
        self._base, self._matrix = np.zeros((order, order)), np.zeros((order, order))
        self._factors = np.zeros((order, order), order="F")
        # LAPACK runs its unblocked code when it is given the small default workspace.
        self._lwork = int(dsytrf_lwork(order, lower=1)[0]) if order > 48 else order
        self._tiny = 10.0 * order * float(np.finfo(float).eps)
        self._scale = np.ones(order)
        self._pivots = np.zeros(order, dtype=np.int32)

    def load(self, hessian: Vector, jacobian: Vector) -> None:
        """Scatter the values of ``H`` (lower triangle) and ``J`` into both triangles of K."""
        p = self.pattern
        load_blocks(
            p.hessian_rows,
            p.hessian_columns,
            hessian,
            p.jacobian_rows,
            p.jacobian_columns,
            jacobian,
            p.n,
            self._base,
        )

    def factor(self, primal: Vector, dual: Vector) -> Inertia:
        """Factorise with the given diagonals; see `KKTSolver.factor`."""
        scaled = self._factors.T  # symmetric, so order does not matter
        if not assemble(self._base, primal, dual, self._matrix, scaled, self._scale):
            return Inertia(0, 0, self.pattern.order)
        self._factors, self._pivots, _ = dsytrf(self._factors, lower=1, lwork=self._lwork, overwrite_a=1)
        return Inertia(*inertia_of_factors(self._factors.T, self._pivots, self._tiny))

    def solve(self, rhs: Vector) -> tuple[Vector, float]:
        """Refined solution and its relative residual; see `KKTSolver.solve`."""
        return refine(rhs, self._backsolve, self.multiply)

    def _backsolve(self, rhs: Vector) -> Vector:
        v, _ = dsytrs(self._factors, self._pivots, self._scale * rhs, lower=1, overwrite_b=1)
        return np.asarray(self._scale * v)

    def multiply(self, v: Vector) -> Vector:
        """``K v``."""
        return np.asarray(dsymv(1.0, self._matrix.T, v, lower=1))
