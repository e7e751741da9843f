"""Column-sparse sketches: a few random signs in each column of S."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from ..inputs import rng_of, whole
from .protocol import Sketch, in_threads, sizes

# Columns of a dense panel; what is left over below the narrow width is done one by one.
_WIDE, _NARROW = 32, 16
# Rows of S'B, and columns of a sparse matrix, that make a task for a thread.
_TASKS = 16


class ColumnSparseSketch(Sketch):
    """S with ``zeta`` entries of equal size and random sign in each column.

    Parameters
    ----------
    d : int
        Number of rows.
    rows : ndarray of int32, shape (n, zeta)
        Rows of the entries of each column, without repetition within a column.
    signs : ndarray of int8, shape (n, zeta)
        Their signs.
    """

    def __init__(self, d: int, rows: np.ndarray, signs: np.ndarray) -> None:
        super().__init__(d, rows.shape[0])
        self.rows, self.signs = rows, signs

    @property
    def zeta(self) -> int:
        """Entries in each column."""
        return int(self.rows.shape[1])

    def tocsc(self) -> sp.csc_array:
        """S as a sparse array."""
        indptr = np.arange(0, self.rows.size + 1, self.zeta)
        values = self.signs.ravel() / np.sqrt(self.zeta)
        return sp.csc_array((values, self.rows.ravel(), indptr), shape=self.shape)

    def _apply(self, A: np.ndarray, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        from .sparse_kernels import sketch_columns, sketch_panel

        d, k = self.shape[0], A.shape[1]
        out = np.empty((d, k), dtype=A.dtype)
        scale, factors = self._scale(A.dtype), _factors(row_scale, A.dtype)
        if k < _NARROW:
            sketch_columns(self.rows, self.signs, factors, A, 0, k, scale, out)
            return out

        def panel(first: int, width: int) -> None:
            buffer = np.empty(d * width, dtype=A.dtype)
            sketch_panel(self.rows, self.signs, factors, A, first, width, buffer, scale, out)

        in_threads(workers, panel, _dense_panels(k))
        return out

    def _apply_sparse(self, A: Any, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        from .sparse_kernels import sketch_sparse_columns

        # By columns, so that what is added into stays in the cache: worth the conversion.
        columns = sp.csc_array(A)
        d, k = self.shape[0], A.shape[1]
        out = np.empty((k, d), dtype=A.dtype)
        common = (self.rows, self.signs, _factors(row_scale, A.dtype))
        arrays = (columns.data, columns.indices, columns.indptr)

        def task(first: int, last: int) -> None:
            sketch_sparse_columns(*common, *arrays, first, last, self._scale(A.dtype), out)

        in_threads(workers, task, _shares(k))
        return out.T

    def _apply_adjoint(self, B: np.ndarray, workers: int) -> np.ndarray:
        from .sparse_kernels import adjoint_rows

        B = np.ascontiguousarray(B)
        out = np.empty((self.shape[1], B.shape[1]), dtype=B.dtype)

        def task(first: int, last: int) -> None:
            adjoint_rows(self.rows, self.signs, B, self._scale(B.dtype), first, last, out)

        in_threads(workers, task, _shares(self.shape[1]))
        return out

    def _scale(self, dtype: Any) -> Any:
        return dtype.type(1.0 / np.sqrt(self.zeta))


class SparseSign(ColumnSparseSketch):
    """Sparse sign embedding: ``zeta`` random signs / sqrt(zeta) at uniformly random places of each column.

    The default sketch of this library: as good as a Gaussian one in practice at a small part of its cost.

    References
    ----------
    P.-G. Martinsson and J. A. Tropp, "Randomized numerical linear algebra: foundations and algorithms", Acta
    Numerica 29 (2020), sec. 9.2.
    """

    @classmethod
    def sample(cls, rng: Any, d: int, n: int, *, zeta: int = 8) -> Self:
        """Draw one.

        Parameters
        ----------
        rng : None, int or numpy.random.Generator
            Source of randomness; the same gives the same bits.
        d, n : int
            Shape.
        zeta : int
            Entries in each column, at most d; 8 is what Martinsson and Tropp advise. Fewer than 8 rows: d.
        """
        d, n = sizes(d, n)
        zeta = min(whole(zeta, "zeta"), d)
        rows, signs = np.empty((n, zeta), dtype=np.int32), np.empty((n, zeta), dtype=np.int8)
        from .sparse_kernels import distinct_rows

        words = rng_of(rng).integers(0, 2**64, size=(n, zeta), dtype=np.uint64)
        distinct_rows(words, d, rows, signs)
        return cls(d, rows, signs)


class SparseStack(ColumnSparseSketch):
    """``zeta`` independent CountSketches on top of each other, each of d / zeta rows, scaled by 1/sqrt(zeta).

    References
    ----------
    "Sparse stack embeddings" as analysed in arXiv:2508.21189; zeta = 4 and d = 2 x (dimension embedded) are
    its advice for low-rank approximation.
    """

    @classmethod
    def sample(cls, rng: Any, d: int, n: int, *, zeta: int = 4) -> Self:
        """Draw one; ``zeta`` blocks, whose sizes differ by at most one. Arguments as for `SparseSign`."""
        d, n = sizes(d, n)
        zeta = min(whole(zeta, "zeta"), d)
        ends = np.linspace(0, d, zeta + 1).astype(np.int32)
        generator = rng_of(rng)
        rows = generator.integers(ends[:-1], ends[1:], size=(n, zeta), dtype=np.int32)
        signs = generator.integers(0, 2, size=(n, zeta), dtype=np.int8) * np.int8(2) - np.int8(1)
        return cls(d, rows, signs)


class CountSketch(SparseStack):
    """One random sign in each column: the cheapest sketch, which needs many rows (of the order of k^2).

    References
    ----------
    K. L. Clarkson and D. P. Woodruff, "Low-rank approximation and regression in input sparsity time",
    J. ACM 63 (2017).
    """

    @classmethod
    def sample(cls, rng: Any, d: int, n: int, *, zeta: int = 1) -> Self:
        """Draw one; ``zeta`` is there for uniformity and can only be 1."""
        if zeta != 1:
            raise ValueError(f"zeta is {zeta}; a CountSketch has one entry in each column")
        return super().sample(rng, d, n, zeta=1)


def _factors(row_scale: np.ndarray | None, dtype: Any) -> np.ndarray:
    return np.ones(1, dtype=dtype) if row_scale is None else np.ascontiguousarray(row_scale, dtype=dtype)


def _dense_panels(k: int) -> list[tuple[int, int]]:
    """(first column, width) of panels that cover k columns; the last one may overlap the one before."""
    wide = [(first, _WIDE) for first in range(0, k - _WIDE + 1, _WIDE)]
    done = len(wide) * _WIDE
    narrow = [(first, _NARROW) for first in range(done, k - _NARROW + 1, _NARROW)]
    done += len(narrow) * _NARROW
    return wide + narrow + ([(k - _NARROW, _NARROW)] if done < k else [])


def _shares(count: int) -> list[tuple[int, int]]:
    """0 .. count in a few nearly equal parts."""
    ends = np.linspace(0, count, min(_TASKS, count) + 1).astype(int)
    return list(zip(ends[:-1].tolist(), ends[1:].tolist(), strict=True))
