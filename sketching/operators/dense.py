"""Dense sketches: independent entries, applied by BLAS."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from ..blas import single_threaded_blas
from ..inputs import rng_of
from ..products import scaled_rows
from .protocol import Sketch, in_threads, panels, sizes

# Columns of S, and rows of A, whose copies are made at a time where copies are needed.
_CHUNK = 4096


class _DenseSketch(Sketch):
    """S stored as an array of shape (d, n), in the type of A or in one that is converted in parts."""

    def __init__(self, entries: np.ndarray) -> None:
        super().__init__(*entries.shape)
        self.entries = entries

    def toarray(self) -> np.ndarray:
        """S as a dense array."""
        return self._columns(slice(None), np.dtype(np.float64)).copy()

    def _apply(self, A: np.ndarray, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        out = np.empty((self.shape[0], A.shape[1]), dtype=A.dtype)

        def task(panel: slice) -> None:
            out[:, panel] = self._product(A[:, panel], row_scale)

        with single_threaded_blas():
            in_threads(workers, task, [(panel,) for panel in panels(A.shape[1])])
        return out

    def _product(self, A: np.ndarray, row_scale: np.ndarray | None) -> np.ndarray:
        if row_scale is None and self.entries.dtype == A.dtype:
            return np.asarray(self.entries @ A)
        out = np.zeros((self.shape[0], A.shape[1]), dtype=A.dtype)
        for chunk in self._chunks():
            factors = None if row_scale is None else row_scale[chunk]
            out += self._columns(chunk, A.dtype) @ scaled_rows(A[chunk], factors)
        return out

    def _apply_adjoint(self, B: np.ndarray, workers: int) -> np.ndarray:
        out = np.empty((self.shape[1], B.shape[1]), dtype=B.dtype)

        def task(chunk: slice) -> None:
            out[chunk] = self._columns(chunk, B.dtype).T @ B

        with single_threaded_blas():
            in_threads(workers, task, [(chunk,) for chunk in self._chunks()])
        return out

    def _apply_sparse(self, A: Any, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        rows = sp.csr_array(A)
        out = np.zeros((A.shape[1], self.shape[0]), dtype=A.dtype)
        for chunk in self._chunks():
            columns = self._columns(chunk, A.dtype)
            if row_scale is not None:
                columns = columns * row_scale[chunk].astype(A.dtype)
            out += rows[chunk].T @ columns.T
        return out.T

    def _chunks(self) -> list[slice]:
        return [slice(first, first + _CHUNK) for first in range(0, self.shape[1], _CHUNK)]

    def _columns(self, chunk: slice, dtype: np.dtype[Any]) -> np.ndarray:
        """These columns of S in this type."""
        return self.entries[:, chunk].astype(dtype, copy=False)


class Gaussian(_DenseSketch):
    """Independent normal entries of variance 1/d. Needs d n numbers of memory; the yardstick of the others.

    The bits of ``S @ A`` are those of the BLAS at hand on one thread, whatever ``workers`` is.
    """

    @classmethod
    def sample(cls, rng: Any, d: int, n: int, *, dtype: Any = np.float64) -> Self:
        """Draw one.

        Parameters
        ----------
        rng : None, int or numpy.random.Generator
            Source of randomness.
        d, n : int
            Shape.
        dtype : {float64, float32}
            Type in which the entries are kept; best that of the matrices to come.
        """
        d, n = sizes(d, n)
        if np.dtype(dtype) not in (np.float64, np.float32):
            raise TypeError(f"dtype is {dtype!r}; float64 or float32 is wanted")
        entries = rng_of(rng).standard_normal((d, n), dtype=np.dtype(dtype).type)
        entries *= 1.0 / np.sqrt(d)
        return cls(entries)


class Rademacher(_DenseSketch):
    """Independent signs / sqrt(d), kept in a byte each until they are applied.

    References
    ----------
    D. Achlioptas, "Database-friendly random projections", J. Comput. Syst. Sci. 66 (2003).
    """

    @classmethod
    def sample(cls, rng: Any, d: int, n: int) -> Self:
        """Draw one of shape (d, n)."""
        d, n = sizes(d, n)
        return cls(rng_of(rng).integers(0, 2, size=(d, n), dtype=np.int8) * np.int8(2) - np.int8(1))

    def _columns(self, chunk: slice, dtype: np.dtype[Any]) -> np.ndarray:
        return np.asarray(self.entries[:, chunk] * dtype.type(1.0 / np.sqrt(self.shape[0])))
