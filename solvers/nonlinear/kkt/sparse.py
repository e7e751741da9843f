"""Sparse KKT systems by feral's multifrontal LDL' with a symbolic analysis that is done once."""

from __future__ import annotations

from typing import Any

import numpy as np

from ....problems.nlp import IndexVector, Vector
from .protocol import Inertia, KKTPattern
from .refinement import refine

SUSPICIOUS = 1e-14
"""Pivots of feral's equilibrated matrix below this share of the largest one are looked into."""

LOST = 1e-2
"""Error of a known solution above which a suspicious pivot stands for a zero eigenvalue."""

HEAVY_FILL = 150
"""Nonzeros of the factor, per row, beyond which nested dissection is tried in place of minimum degree.

Measured: the quadratic programs CVXQP1 and NCVXQP1 (order 15,000) have 220 and refactor three times faster
with it; grids and chains have 10 to 110 and are better off without.
"""


class SparseKKT:
    """K in lower-triangular CSC form behind ``feral.Solver``.

    An exactly singular matrix is reported by feral as factorised, with a zero count that can be wrong; so
    where the smallest pivot is suspicious, a system with a known solution is solved as well.

    Parameters
    ----------
    pattern : KKTPattern
        Coordinates of the values that `load` takes.
    """

    def __init__(self, pattern: KKTPattern) -> None:
        import feral

        self.pattern = pattern
        self._feral: Any = feral
        indptr, rows, positions = _compressed(pattern)
        split = np.cumsum([pattern.hessian_rows.size, pattern.jacobian_rows.size])
        self._hessian, self._jacobian, self._diagonal = np.split(positions, split)
        self._base = np.zeros(rows.size)
        self._values = np.zeros(rows.size)
        self._matrix: Any = feral.CscMatrix(pattern.order, indptr, rows, self._values)
        self._dissects = self._settled = False
        self._solver: Any = self._new_solver()
        self._analysed = False

    @property
    def fill(self) -> int:
        """Nonzeros of the factor; 0 before the first factorisation."""
        return int(self._solver.factor_nnz or 0)

    def load(self, hessian: Vector, jacobian: Vector) -> None:
        """Put the values of ``H`` (lower triangle) and ``J`` into place."""
        self._base[self._diagonal] = 0.0
        self._base[self._hessian] = hessian
        self._base[self._jacobian] = jacobian

    def factor(self, primal: Vector, dual: Vector) -> Inertia:
        """Factorise with the given diagonals; see `KKTSolver.factor`."""
        order, n = self.pattern.order, self.pattern.n
        np.copyto(self._values, self._base)
        self._values[self._diagonal[:n]] += primal
        self._values[self._diagonal[n:]] -= dual
        if not np.isfinite(self._values).all():
            return Inertia(0, 0, order)
        self._matrix.set_values(self._values)
        try:
            status = self._factorise()
        except self._feral.FeralError:
            self._analysed = False
            return Inertia(0, 0, order)
        self._analysed = True
        return self._inertia(status)

    def _factorise(self) -> Any:
        """Status of the factorisation; the first one also settles the ordering."""
        if self._analysed:
            return self._solver.refactor(self._matrix)[0]
        status, _ = self._solver.factor(self._matrix)
        fill = self.fill
        if not self._settled and fill > HEAVY_FILL * self.pattern.order:
            dissected = self._feral.analyze(self._matrix, ordering="metis")
            if dissected.factor_nnz_estimate < 0.9 * fill:
                self._dissects = True
                self._solver = self._new_solver()
                status, _ = self._solver.factor(self._matrix)
        return status

    def reorder(self) -> bool:
        """Begin again with the other ordering: nested dissection for minimum degree, or the reverse."""
        self._dissects = not self._dissects
        self._solver = self._new_solver()
        self._analysed, self._settled = False, True
        return True

    def _new_solver(self) -> Any:
        # Serial: on two cores its threads gain nothing, and lose much where the cores are busy.
        ordering = {"ordering": "metis"} if self._dissects else {}
        return self._feral.Solver(parallel=False, **ordering)

    def _inertia(self, status: Any) -> Inertia:
        order = self.pattern.order
        if status != self._feral.FactorStatus.SUCCESS or self._solver.inertia is None:
            return Inertia(0, 0, order)
        counted = self._solver.inertia
        positive, negative, zero = int(counted.n_pos), int(counted.n_neg), int(counted.n_zero)
        smallest, largest = self._solver.min_pivot_magnitude, self._solver.max_pivot_magnitude
        suspicious = smallest is not None and smallest <= SUSPICIOUS * float(largest or 1.0)
        if zero == 0 and suspicious and self._lost_a_solution():
            return Inertia(positive - 1, negative, 1)
        return Inertia(positive, negative, zero)

    def _lost_a_solution(self) -> bool:
        """Whether a known solution is not recovered: a null vector has been mixed in.

        The graded matrices of a barrier method have tiny pivots too, but solve accurately.
        """
        known = np.ones(self.pattern.order)
        error = np.abs(self._backsolve(self.multiply(known)) - known).max(initial=0.0)
        return not error <= LOST

    def solve(self, rhs: Vector) -> tuple[Vector, float]:
        """Refined solution and its relative residual; see `KKTSolver.solve`."""
        with np.errstate(all="ignore"):
            return refine(rhs, self._backsolve, self.multiply)

    def _backsolve(self, rhs: Vector) -> Vector:
        try:
            return np.asarray(self._solver.solve(rhs))
        except self._feral.FeralError:
            return np.full(rhs.size, np.nan)

    def multiply(self, v: Vector) -> Vector:
        """``K v``."""
        return np.asarray(self._matrix.symv(v))


def _compressed(pattern: KKTPattern) -> tuple[IndexVector, IndexVector, IndexVector]:
    """CSC column pointers and row indices of K's lower triangle, and each coordinate's place among them."""
    rows, columns = pattern.lower_coordinates()
    keys, positions = np.unique(columns * pattern.order + rows, return_inverse=True)
    indptr = np.zeros(pattern.order + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys // pattern.order, minlength=pattern.order), out=indptr[1:])
    return indptr, keys % pattern.order, positions.astype(np.int64)
