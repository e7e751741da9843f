"""The sum of outer products w_r a_r a_r' over the rows of a sparse matrix, into fixed places."""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_array

from .nlp import IndexVector, Vector


class GramPattern:
    """Lower triangle of A'DA for matrices A of one sparse pattern.

    Parameters
    ----------
    indptr, indices : ndarray of int64
        Sorted CSR pattern of A.
    selected : ndarray of int
        The rows that take part; D is zero elsewhere.
    n : int
        Number of columns.

    Attributes
    ----------
    rows, columns : ndarray of int32, shape (entries,)
        Coordinates (row >= column) of the structural entries.
    """

    def __init__(self, indptr: IndexVector, indices: IndexVector, selected: np.ndarray, n: int) -> None:
        from .gram_kernels import add_gram, count_gram, fill_gram

        rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
        chosen = np.zeros(indptr.size - 1, dtype=bool)
        chosen[selected] = True
        entries = np.flatnonzero(chosen[rows])
        order = np.argsort(indices[entries], kind="stable")
        starts = np.concatenate([[0], np.cumsum(np.bincount(indices[entries], minlength=n))])
        pieces = (indptr, indices, starts, entries[order], rows)
        self._matrix = tuple(np.ascontiguousarray(piece, dtype=np.int64) for piece in pieces)
        counts = np.empty(n, dtype=np.int64)
        count_gram(*self._matrix, counts)
        self._start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        columns = np.empty(self._start[-1], dtype=np.int32)
        fill_gram(*self._matrix, self._start, columns)
        pattern = csr_array((np.zeros(columns.size, np.int8), columns, self._start), shape=(n, n))
        pattern.sort_indices()
        self.columns = pattern.indices.astype(np.int32, copy=False)
        self.rows = np.repeat(np.arange(n, dtype=np.int32), counts)
        self._kernel = add_gram
        self.place(np.arange(columns.size))

    def place(self, positions: np.ndarray) -> None:
        """Take the places of the entries in the arrays that `add` is given."""
        self._positions = np.ascontiguousarray(positions, dtype=np.int32)
        arrays = (*self._matrix, self._start, self.columns, self._positions)
        self._plan = np.array([self._start.size - 1, *(array.ctypes.data for array in arrays)])

    def add(self, values: Vector, weights: Vector, out: Vector) -> None:
        """A'DA added to out, where A has these values, in CSR order, and D = diag(weights)."""
        self._kernel(self._plan, values, weights, out)
