"""The subsampled randomised trigonometric transform."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.fft

from ..inputs import rng_of
from ..products import scaled_rows
from .protocol import Sketch, panels, sizes


class SRTT(Sketch):
    """S = sqrt(n / d) R F D: random signs, an orthogonal cosine transform, a random choice of d rows.

    Parameters
    ----------
    signs : ndarray of int8, shape (n,)
        Diagonal of D.
    chosen : ndarray of int64, shape (d,)
        Rows of the transform that R keeps, all different.

    References
    ----------
    N. Halko, P.-G. Martinsson and J. A. Tropp, "Finding structure with randomness", SIAM Rev. 53 (2011),
    sec. 4.6, with the discrete cosine transform (type II) in place of the complex Fourier transform.
    """

    def __init__(self, signs: np.ndarray, chosen: np.ndarray) -> None:
        super().__init__(chosen.size, signs.size)
        self.signs, self.chosen = signs, chosen

    @classmethod
    def sample(cls, rng: Any, d: int, n: int) -> Self:
        """Draw one of shape (d, n); d may not exceed n."""
        d, n = sizes(d, n)
        if d > n:
            raise ValueError(f"d is {d}, n is {n}; a transform of {n} rows can be sampled {n} times at most")
        generator = rng_of(rng)
        signs = generator.integers(0, 2, size=n, dtype=np.int8) * np.int8(2) - np.int8(1)
        return cls(signs, np.sort(generator.choice(n, size=d, replace=False)))

    def _apply(self, A: np.ndarray, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        d, n = self.shape
        out = np.empty((d, A.shape[1]), dtype=A.dtype)
        factor, signs = A.dtype.type(np.sqrt(n / d)), self.signs[:, None].astype(A.dtype)
        for panel in panels(A.shape[1]):
            # By columns: the transform then runs over neighbours.
            work = np.asfortranarray(scaled_rows(A[:, panel], row_scale) * signs)
            spectrum = scipy.fft.dct(work, axis=0, norm="ortho", overwrite_x=True, workers=workers)
            out[:, panel] = factor * spectrum[self.chosen]
        return out

    def _apply_adjoint(self, B: np.ndarray, workers: int) -> np.ndarray:
        d, n = self.shape
        out = np.empty((n, B.shape[1]), dtype=B.dtype)
        factor, signs = B.dtype.type(np.sqrt(n / d)), self.signs[:, None].astype(B.dtype)
        for panel in panels(B.shape[1]):
            spectrum = np.zeros((n, panel.stop - panel.start), dtype=B.dtype, order="F")
            spectrum[self.chosen] = factor * B[:, panel]
            out[:, panel] = signs * scipy.fft.idct(
                spectrum, axis=0, norm="ortho", overwrite_x=True, workers=workers
            )
        return out
