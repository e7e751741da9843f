"""MCP and SCAD: penalties that level off, so that large coefficients are not pulled towards zero."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from .inputs import check_size, level
from .penalties import _soft
from .protocol import Array, Indices, Penalty


class _LevellingOff(Penalty):
    """What MCP and SCAD have in common: lam |w_j| at first, constant beyond gamma lam."""

    convex: ClassVar[bool] = False
    code: ClassVar[int]
    """By which the kernels know it."""

    def __init__(self, lam: Any, gamma: float) -> None:
        self.lam, self.gamma = level("lam", lam), gamma

    def check(self, shape: tuple[int, ...]) -> None:
        check_size("lam", self.lam, shape[0])

    def _lam(self, w: Array) -> Array:
        return self.lam[:, None] if self.lam.ndim and w.ndim == 2 else self.lam

    def value(self, w: Array) -> float:
        return float(np.sum(self._values(np.abs(w), self._lam(w))))

    def prox(self, v: Array, step: float | Array) -> Array:
        """The best of the stationary points of the pieces: right for steps of any length."""
        a, lam = np.abs(v), self._lam(v)
        best, lowest = np.zeros_like(a), 0.5 * a**2
        for t in self._candidates(a, lam, step):
            value = 0.5 * (t - a) ** 2 + step * self._values(t, lam)
            best, lowest = np.where(value < lowest, t, best), np.minimum(value, lowest)
        return np.sign(v) * best

    def stationarity(self, w: Array, gradient: Array) -> Array:
        lam = self._lam(w)
        at_kink = np.maximum(np.abs(gradient) - lam, 0.0)
        return np.where(w == 0, at_kink, np.abs(gradient + np.sign(w) * self._slopes(np.abs(w), lam)))

    def slack(self, w: Array, gradient: Array) -> float:
        inside = (self._lam(w) - np.abs(gradient))[w == 0]
        return float(inside.min(initial=np.inf))

    def dual_norm(self, v: Array) -> float:
        return float(np.max(np.abs(v) / np.where(self._lam(v) > 0, self._lam(v), np.inf), initial=0.0))

    def restricted(self, block: Indices) -> Penalty:
        return type(self)(self.lam[block] if self.lam.ndim else self.lam, self.gamma)

    def scaled(self, factor: float) -> Penalty:
        """With lam scaled: a path in lam at a fixed gamma."""
        return type(self)(factor * self.lam, self.gamma)

    def _values(self, a: Array, lam: Array) -> Array:
        raise NotImplementedError

    def _slopes(self, a: Array, lam: Array) -> Array:
        raise NotImplementedError

    def _candidates(self, a: Array, lam: Array, step: float | Array) -> list[Array]:
        raise NotImplementedError


class MCP(_LevellingOff):
    """Minimax concave penalty (Zhang 2010): lam |t| - t^2 / (2 gamma), constant beyond gamma lam.

    Parameters
    ----------
    lam : float or array_like, shape (p,)
        Level >= 0.
    gamma : float
        How late it levels off, > 1; at 1 hard thresholding, at infinity the lasso.
    """

    code: ClassVar[int] = 1

    def __init__(self, lam: Any, gamma: float = 3.0) -> None:
        super().__init__(lam, float(level("gamma", gamma, 1.0, strict=True, array=False)))

    def _values(self, a: Array, lam: Array) -> Array:
        near = np.minimum(a, self.gamma * lam)
        return lam * near - near**2 / (2 * self.gamma)

    def _slopes(self, a: Array, lam: Array) -> Array:
        return np.maximum(lam - a / self.gamma, 0.0)

    def _candidates(self, a: Array, lam: Array, step: float | Array) -> list[Array]:
        knee = self.gamma * lam
        curvature = 1.0 - np.asarray(step) / self.gamma
        with np.errstate(divide="ignore", invalid="ignore"):
            inner = np.where(curvature > 0, _soft(a, step * lam) / curvature, knee)
        return [np.clip(inner, 0.0, knee), np.maximum(a, knee)]


class SCAD(_LevellingOff):
    """Smoothly clipped absolute deviation (Fan and Li 2001).

    Parameters
    ----------
    lam : float or array_like, shape (p,)
        Level >= 0.
    gamma : float
        How late it levels off, > 2; 3.7 is the authors' choice.
    """

    code: ClassVar[int] = 2

    def __init__(self, lam: Any, gamma: float = 3.7) -> None:
        super().__init__(lam, float(level("gamma", gamma, 2.0, strict=True, array=False)))

    def _values(self, a: Array, lam: Array) -> Array:
        g = self.gamma
        middle = (2 * g * lam * a - a**2 - lam**2) / (2 * (g - 1))
        return np.where(a <= lam, lam * a, np.where(a <= g * lam, middle, lam**2 * (g + 1) / 2))

    def _slopes(self, a: Array, lam: Array) -> Array:
        return np.where(a <= lam, lam, np.maximum(self.gamma * lam - a, 0.0) / (self.gamma - 1))

    def _candidates(self, a: Array, lam: Array, step: float | Array) -> list[Array]:
        g, knee = self.gamma, self.gamma * lam
        curvature = g - 1.0 - np.asarray(step)
        with np.errstate(divide="ignore", invalid="ignore"):
            middle = np.where(curvature > 0, ((g - 1) * a - step * knee) / curvature, knee)
        return [np.clip(_soft(a, step * lam), 0.0, lam), np.clip(middle, lam, knee), np.maximum(a, knee)]
