"""Sparsity patterns for differences: which columns may be perturbed together.

Columns that share no row can be differenced in one evaluation: A. R. Curtis, M. J. D. Powell, J. K. Reid,
"On the estimation of sparse Jacobian matrices", J. Inst. Math. Appl. 13 (1974). The groups are a greedy
colouring of the columns' intersection graph, largest degrees first: T. F. Coleman, J. J. Moré, "Estimation of
sparse Jacobian matrices and graph coloring problems", SIAM J. Numer. Anal. 20 (1983).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from .nlp import IndexVector


@dataclass(frozen=True)
class Pattern:
    """A fixed sparsity pattern, rows ascending and columns ascending in each row.

    Attributes
    ----------
    shape : tuple of int
        Numbers of rows and columns.
    rows, columns : ndarray of int64, shape (nnz,)
        Where the entries are.
    """

    shape: tuple[int, int]
    rows: IndexVector
    columns: IndexVector

    @classmethod
    def dense(cls, m: int, n: int) -> Pattern:
        """Every entry."""
        return cls((m, n), np.repeat(np.arange(m), n), np.tile(np.arange(n), m))

    @classmethod
    def of(cls, matrix: Any) -> Pattern:
        """Stored entries of a sparse matrix, nonzeros of a dense one."""
        entries = csr_array(matrix if issparse(matrix) else np.asarray(matrix))
        if not entries.has_canonical_format:
            entries = entries.copy()
            entries.sum_duplicates()
        rows = np.repeat(np.arange(entries.shape[0]), np.diff(entries.indptr))
        return cls(entries.shape, rows, entries.indices.astype(np.int64))

    @property
    def is_dense(self) -> bool:
        """Whether no entry is missing."""
        return self.rows.size == self.shape[0] * self.shape[1]

    @property
    def keys(self) -> IndexVector:
        """``row * columns + column`` of each entry, ascending."""
        return self.rows * self.shape[1] + self.columns

    @property
    def indptr(self) -> IndexVector:
        """Row pointers in CSR form."""
        indptr = np.zeros(self.shape[0] + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.rows, minlength=self.shape[0]), out=indptr[1:])
        return indptr

    @cached_property
    def groups(self) -> list[Any]:
        """Columns that may be perturbed together: each an index (dense pattern) or an array of indices."""
        if self.is_dense:
            return list(range(self.shape[1]))
        colours = self._colours
        return [np.flatnonzero(colours == k) for k in range(int(colours.max(initial=-1)) + 1)]

    @cached_property
    def group_of_entry(self) -> IndexVector:
        """In which of `groups` each entry's column is, shape (nnz,)."""
        return self.columns if self.is_dense else self._colours[self.columns]

    @cached_property
    def _colours(self) -> IndexVector:
        return column_colours(self)


def column_colours(pattern: Pattern) -> IndexVector:
    """Colour of each column so that columns of one colour share no row; -1 for empty columns."""
    n = pattern.shape[1]
    indptr = pattern.indptr
    order = np.argsort(pattern.columns, kind="stable")
    starts = np.searchsorted(pattern.columns[order], np.arange(n + 1))
    rows_of = pattern.rows[order]
    row_sizes = np.diff(indptr)
    degrees = np.bincount(pattern.columns, weights=row_sizes[pattern.rows], minlength=n)
    colours = np.full(n, -1, dtype=np.int64)
    for j in np.argsort(-degrees, kind="stable"):
        rows = rows_of[starts[j] : starts[j + 1]]
        if rows.size == 0:
            continue
        neighbours = np.concatenate([pattern.columns[indptr[i] : indptr[i + 1]] for i in rows])
        taken = np.unique(colours[neighbours])
        taken = taken[taken >= 0]
        # the first gap in 0, 1, 2, ...
        gap = np.flatnonzero(taken != np.arange(taken.size))
        colours[j] = gap[0] if gap.size else taken.size
    return colours
