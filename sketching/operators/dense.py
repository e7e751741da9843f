"""Dense sketches: independent entries, applied by BLAS."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from ..inputs import rng_of
from .protocol import Sketch, scaled_rows, sizes


class _DenseSketch(Sketch):
    """S stored as an array of shape (d, n)."""

    def __init__(self, entries: np.ndarray) -> None:
        super().__init__(*entries.shape)
        self.entries = entries

    def toarray(self) -> np.ndarray:
        """S as a dense array."""
        return self.entries.astype(np.float64)

    def _apply(self, A: np.ndarray, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        return self._as(A.dtype) @ scaled_rows(A, row_scale)

    def _apply_adjoint(self, B: np.ndarray, workers: int) -> np.ndarray:
        return self._as(B.dtype).T @ B

    def _apply_sparse(self, A: Any, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        entries = self._as(A.dtype)
        if row_scale is not None:
            entries = entries * row_scale.astype(A.dtype)
        return np.asarray((sp.csr_array(A.T) @ entries.T).T)

    def _as(self, dtype: Any) -> np.ndarray:
        return self.entries.astype(dtype, copy=False)


class Gaussian(_DenseSketch):
    """Independent normal entries of variance 1/d. Needs d n numbers of memory; the yardstick of the others.

    The bits of ``S @ A`` are those of the BLAS at hand.
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
            Type in which the entries are kept.
        """
        d, n = sizes(d, n)
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

    def toarray(self) -> np.ndarray:
        """S as a dense array."""
        return self._as(np.dtype(np.float64))

    def _as(self, dtype: Any) -> np.ndarray:
        return self.entries * dtype.type(1.0 / np.sqrt(self.shape[0]))
