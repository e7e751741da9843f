"""SLOPE: the sorted L1 norm, for which coordinates are not told apart."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.optimize import isotonic_regression

from .inputs import finite_array
from .protocol import Array, Penalty


class SLOPE(Penalty):
    """Sum over i of lam_i |w|_(i), |w|_(1) the largest magnitude (Bogdan et al. 2015).

    Parameters
    ----------
    lam : array_like, shape (w.size,)
        Levels, nonincreasing and >= 0; equal ones make it the lasso's penalty.
    """

    separable = False

    def __init__(self, lam: Any) -> None:
        self.lam = finite_array("lam", lam)
        if (self.lam < 0).any() or (np.diff(self.lam) > 0).any():
            raise ValueError("lam must be nonincreasing and >= 0")

    def check(self, shape: tuple[int, ...]) -> None:
        if self.lam.size != np.prod(shape):
            raise ValueError(
                f"lam must have one entry for each of the {np.prod(shape)} coordinates of w, "
                f"got {self.lam.size}"
            )

    def value(self, w: Array) -> float:
        return float(self.lam @ np.sort(np.abs(w), axis=None)[::-1])

    def prox(self, v: Array, step: float | Array) -> Array:
        """Isotonic regression of the sorted magnitudes less the levels (Bogdan et al., section 2.2)."""
        a = np.abs(v).ravel()
        order = np.argsort(-a, kind="stable")
        fitted = isotonic_regression(a[order] - float(step) * self.lam, increasing=False).x
        out = np.empty_like(a)
        out[order] = np.maximum(fitted, 0.0)
        return np.sign(v) * out.reshape(v.shape)

    def conjugate(self, v: Array) -> float:
        return 0.0 if self.dual_norm(v) <= 1.0 + 1e-14 else np.inf

    def dual_scale(self, v: Array) -> float:
        norm = self.dual_norm(v)
        return 1.0 if norm <= 1.0 else 1.0 / norm

    def dual_norm(self, v: Array) -> float:
        sums = np.cumsum(np.sort(np.abs(v), axis=None)[::-1])
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(sums > 0, sums / np.cumsum(self.lam), 0.0)
        return float(ratios.max(initial=0.0))

    def scaled(self, factor: float) -> SLOPE:
        return SLOPE(factor * self.lam)
