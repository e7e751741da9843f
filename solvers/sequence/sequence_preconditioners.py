"""Preconditioners that serve many systems of a sequence, on the libraries that have them."""

from __future__ import annotations

from time import perf_counter
from typing import Any, Protocol

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from .protocol import LinearStatus, Setup

Vector = NDArray[np.float64]

_SETUP_WORK = 30.0  # products that a set-up takes for each entry it makes, over those of A; nominal


class Preconditioner(Protocol):
    """An approximate inverse of the matrices near the one that it was built for."""

    work: float
    """Arithmetic of an application, in products with A."""

    def build(self, A: Any) -> Setup:
        """For this CSR matrix, with what earlier ones of its pattern left behind."""

    def __call__(self, r: Vector) -> Vector:
        """The correction for a residual."""


class IncompleteCholesky:
    """Incomplete Cholesky with limited fill and a drop tolerance (Lin & More 1999), by ilupp.

    Parameters
    ----------
    fill : int
        Entries allowed in a column of the factor above those of A.
    threshold : float
        Relative size below which entries are dropped.
    """

    def __init__(self, fill: int = 10, threshold: float = 1e-3) -> None:
        self.fill, self.threshold = fill, threshold
        self.work = 2.0
        self._factor: Any = None

    def build(self, A: Any) -> Setup:
        """Factorise; NO_FACTORISATION where a pivot is not positive."""
        import ilupp

        started = perf_counter()
        failure = None
        try:
            self._factor = ilupp.ICholTPreconditioner(
                _with_int32(A), add_fill_in=self.fill, threshold=self.threshold
            )
            self.work = 2.0 * self._factor.total_nnz / A.nnz
        except (RuntimeError, ValueError, ArithmeticError):
            failure = LinearStatus.NO_FACTORISATION
        return Setup(failure, _SETUP_WORK * self.work, perf_counter() - started)

    def __call__(self, r: Vector) -> Vector:
        """Two triangular solves."""
        z = r.copy()
        self._factor.apply(z)
        return z


class Multigrid:
    """A V-cycle of classical algebraic multigrid, by pyamg."""

    def __init__(self) -> None:
        self.work = 8.0
        self._cycle: Any = None

    def build(self, A: Any) -> Setup:
        """Coarsen; NO_FACTORISATION where that fails."""
        import pyamg

        started = perf_counter()
        failure = None
        try:
            with np.errstate(all="ignore"):
                hierarchy = pyamg.ruge_stuben_solver(_with_int32(A))
            self._cycle = hierarchy.aspreconditioner()
            self.work = float(hierarchy.cycle_complexity())
        except (RuntimeError, ValueError, TypeError, ArithmeticError, np.linalg.LinAlgError):
            failure = LinearStatus.NO_FACTORISATION
        return Setup(failure, _SETUP_WORK * self.work, perf_counter() - started)

    def __call__(self, r: Vector) -> Vector:
        """One cycle from zero."""
        return np.asarray(self._cycle @ r)


class Factorisation:
    """Sparse LDL' by feral, whose ordering and symbolic part are made once for a pattern; serial.

    For symmetric matrices; a general one gets scipy's sparse LU.
    """

    def __init__(self, symmetric: bool = True) -> None:
        self.symmetric = symmetric
        self.work = 20.0
        self._solve: Any = None
        self._pattern: tuple[Any, Any] | None = None
        self._lower: Any = None  # where the entries of the lower triangle, by columns, stand in A's
        self._matrix: Any = None
        self._solver: Any = None

    def build(self, A: Any) -> Setup:
        """Factorise; NO_FACTORISATION where A is singular."""
        started = perf_counter()
        failure = None
        try:
            entries = self._refactor(A) if self.symmetric else self._lu(A)
            self.work = 2.0 * entries / A.nnz
        except (RuntimeError, ValueError, ArithmeticError, SingularMatrixError):
            self._pattern, failure = None, LinearStatus.NO_FACTORISATION
        # A column with k entries takes k^2 operations, a product with A two an entry.
        return Setup(failure, 0.5 * self.work**2 * A.nnz / A.shape[0], perf_counter() - started)

    def __call__(self, r: Vector) -> Vector:
        """Solve with the factors."""
        return np.asarray(self._solve(r))

    def _refactor(self, A: Any) -> int:
        import feral

        known = self._pattern is not None and same_pattern(self._pattern, A)
        if not known:
            self._analyse(A, feral)
        self._matrix.set_values(A.data[self._lower])
        try:
            status = (self._solver.refactor if known else self._solver.factor)(self._matrix)[0]
        except feral.FeralError as error:
            raise SingularMatrixError from error
        if status != feral.FactorStatus.SUCCESS:
            raise SingularMatrixError
        self._solve = self._solver.solve
        return int(self._solver.factor_nnz)

    def _analyse(self, A: Any, feral: Any) -> None:
        places = sp.csr_array((np.arange(A.nnz) + 1, A.indices, A.indptr), shape=A.shape)
        lower = sp.csc_array(sp.tril(places))  # one more than the place, since a zero would not be stored
        lower.sort_indices()
        self._lower = lower.data - 1
        self._matrix = feral.CscMatrix(
            A.shape[0],
            lower.indptr.astype(np.int64),
            lower.indices.astype(np.int64),
            A.data[self._lower],
        )
        self._solver = feral.Solver(parallel=False)
        self._pattern = A.indptr, A.indices

    def _lu(self, A: Any) -> int:
        factor = sp.linalg.splu(A.tocsc())
        self._solve = factor.solve
        return int(factor.L.nnz + factor.U.nnz) // 2


class SingularMatrixError(Exception):
    """A matrix cannot be factorised."""


def same_pattern(pattern: tuple[Any, Any], A: Any) -> bool:
    """Whether A's ``indptr`` and ``indices`` are these."""
    return all(
        old is new or (old.size == new.size and (np.shares_memory(old, new) or np.array_equal(old, new)))
        for old, new in zip(pattern, (A.indptr, A.indices), strict=True)
    )


def _with_int32(A: Any) -> Any:
    """A as the matrix class, with the index type, that the libraries insist on."""
    indices, indptr = A.indices.astype(np.int32, copy=False), A.indptr.astype(np.int32, copy=False)
    return sp.csr_matrix((A.data, indices, indptr), shape=A.shape)
