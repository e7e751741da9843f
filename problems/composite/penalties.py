"""Convex penalties that add up over coordinates: L1, elastic net, bounds, and what contains them all."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.blas import dasum

from ..validation import as_real_array
from .inputs import check_size, level
from .protocol import Array, Indices, Penalty

_EPS = float(np.finfo(np.float64).eps)


class PiecewiseQuadratic(Penalty):
    """Sum over j of l1_j |w_j| + l2_j w_j^2 / 2 + linear_j w_j, subject to lower_j <= w_j <= upper_j.

    The form the fast kernels know. `L1`, `ElasticNet`, `NonNegative` and `Box` are special cases.

    Parameters
    ----------
    l1, l2 : float or array_like, shape (p,)
        Levels >= 0; zero leaves a coordinate without that penalty.
    linear : float or array_like, shape (p,)
        Linear part.
    lower, upper : float or array_like, shape (p,)
        Bounds; -inf, inf where there is none.
    """

    def __init__(
        self,
        l1: Any = 0.0,
        l2: Any = 0.0,
        linear: Any = 0.0,
        lower: Any = -np.inf,
        upper: Any = np.inf,
    ) -> None:
        self.l1, self.l2 = level("l1", l1), level("l2", l2)
        self.linear = level("linear", linear, -np.inf)
        self.lower, self.upper = as_real_array("lower", lower), as_real_array("upper", upper)
        if np.isnan(self.lower).any() or np.isnan(self.upper).any():
            raise ValueError("lower and upper must not be NaN; use -inf / inf where there is no bound")
        if np.any(self.lower > self.upper) or np.any(self.lower == np.inf) or np.any(self.upper == -np.inf):
            raise ValueError(f"lower must not be above upper, got lower = {lower}, upper = {upper}")

    def check(self, shape: tuple[int, ...]) -> None:
        for name, value in zip(("l1", "l2", "linear", "lower", "upper"), self._parts(), strict=True):
            check_size(name, value, shape[0])

    def _parts(self) -> tuple[Array, ...]:
        return self.l1, self.l2, self.linear, self.lower, self.upper

    def _like(self, w: Array) -> tuple[Array, ...]:
        """The five parameters so that they combine with w of shape (p,) or (p, k)."""
        if w.ndim == 1:
            return self._parts()
        return tuple(part[:, None] if part.ndim else part for part in self._parts())

    def arrays(self, p: int) -> tuple[Array, Array, Array, Array, Array]:
        """L1, l2, linear, lower, upper, each with one entry for every coordinate (views)."""
        l1, l2, linear, lower, upper = (np.broadcast_to(part, (p,)) for part in self._parts())
        return l1, l2, linear, lower, upper

    @cached_property
    def is_norm(self) -> bool:
        """Whether it is lam ||w||_1 and nothing else: the case worth short cuts."""
        return not self.l1.ndim and not self.l2.any() and not self.linear.any() and self.is_unbounded

    @cached_property
    def is_unbounded(self) -> bool:
        """Whether there are no bounds."""
        return bool(np.all(self.lower == -np.inf) and np.all(self.upper == np.inf))

    def free(self, p: int) -> Indices:
        """Coordinates of w, (p,), on which it does not act at all."""
        if self.l1.all() or self.l2.all():
            return np.empty(0, dtype=np.int64)
        l1, l2, linear, lower, upper = self.arrays(p)
        return np.flatnonzero((l1 + l2 + np.abs(linear) == 0) & (lower == -np.inf) & (upper == np.inf))

    def value(self, w: Array) -> float:
        if self.is_norm:
            return float(self.l1) * _sum_of_sizes(w)
        l1, l2, linear, lower, upper = self._like(w)
        if np.any(w < lower) or np.any(w > upper):
            return np.inf
        return float(np.sum(l1 * np.abs(w))) + _half_square(l2, w) + float(np.sum(linear * w))

    def prox(self, v: Array, step: float | Array) -> Array:
        l1, l2, linear, lower, upper = self._like(v)
        u = v - step * linear
        return np.clip(_soft(u, step * l1) / (1.0 + step * l2), lower, upper)

    def _interval(self, w: Array) -> tuple[Array, Array]:
        """Ends of the subdifferential of the l1 part and the bounds at w."""
        l1, _, _, lower, upper = self._like(w)
        least = np.where(w <= lower, -np.inf, np.where(w > 0, l1, -l1))
        most = np.where(w >= upper, np.inf, np.where(w < 0, -l1, l1))
        return least, most

    def _force(self, w: Array, gradient: Array) -> Array:
        _, l2, linear, _, _ = self._like(w)
        return -(gradient + linear + l2 * w)

    def stationarity(self, w: Array, gradient: Array) -> Array:
        if self.is_norm:
            support = np.flatnonzero(w != 0)
            distances = np.maximum(np.abs(gradient) - self.l1, 0.0)
            distances.flat[support] = np.abs(gradient.flat[support] + self.l1 * np.sign(w.flat[support]))
            return distances
        force = self._force(w, gradient)
        least, most = self._interval(w)
        return np.maximum(np.maximum(least - force, force - most), 0.0)

    def support(self, w: Array) -> NDArray[np.bool_]:
        if self.is_norm and self.l1 > 0:
            return np.asarray(w != 0)
        least, most = self._interval(w)
        return np.asarray(least == most)

    def slack(self, w: Array, gradient: Array) -> float:
        if self.is_norm:
            forces = np.abs(gradient)
            forces.flat[np.flatnonzero(w != 0)] = -np.inf
            return float(self.l1) - float(forces.max(initial=-np.inf))
        force = self._force(w, gradient)
        least, most = self._interval(w)
        inside = np.minimum(force - least, most - force)[least < most]
        return float(inside.min(initial=np.inf))

    def conjugate(self, v: Array) -> float:
        if self.is_norm:
            return 0.0 if _largest_size(v) <= self.l1 else np.inf
        l1, l2, linear, lower, upper = self._like(v)
        force = _soft(v - linear, l1)
        # Where Omega is flat at infinity: the end the force points to; no force, the point nearest zero.
        with np.errstate(divide="ignore", invalid="ignore"):
            w = np.where(force == 0, 0.0, np.where(l2 > 0, force / l2, np.copysign(np.inf, force)))
        w = np.clip(w, lower, upper)
        if not np.isfinite(w).all():
            return np.inf
        return float(np.sum((v - linear) * w - l1 * np.abs(w) - 0.5 * l2 * w**2))

    def dual_scale(self, v: Array) -> float:
        if self.is_norm:
            most = _largest_size(v)
            return 1.0 if most <= self.l1 else float(self.l1) / most * (1.0 - 4.0 * _EPS)
        l1, l2, linear, lower, upper = self._like(v)
        flat = l2 == 0
        room = np.where((v > 0) & flat & (upper == np.inf), l1 + linear, np.inf)
        room = np.where((v < 0) & flat & (lower == -np.inf), l1 - linear, room)
        if not np.any(np.abs(v) > room):
            return 1.0
        with np.errstate(divide="ignore", invalid="ignore"):
            scale = float(np.min(np.where(v != 0, room / np.abs(v), np.inf)))
        return max(scale * (1.0 - 4.0 * _EPS), 0.0)

    def dual_norm(self, v: Array) -> float:
        l1, _, linear, lower, upper = self._like(v)
        if np.any(linear != 0) or np.any(lower > 0) or np.any(upper < 0):
            raise self.lacks("dual_norm: with a linear part, or with 0 outside the bounds")
        counts = (l1 > 0) & (((v > 0) & (upper > 0)) | ((v < 0) & (lower < 0)))
        with np.errstate(divide="ignore"):
            return float(np.max(np.where(counts, np.abs(v) / np.where(l1 > 0, l1, 1.0), 0.0), initial=0.0))

    def restricted(self, block: Indices) -> Penalty:
        return PiecewiseQuadratic(*(part[block] if part.ndim else part for part in self._parts()))

    def scaled(self, factor: float) -> PiecewiseQuadratic:
        l1, l2, linear, lower, upper = self._parts()
        return PiecewiseQuadratic(factor * l1, factor * l2, factor * linear, lower, upper)


class NoPenalty(PiecewiseQuadratic):
    """Nothing at all."""

    def __init__(self) -> None:
        super().__init__()


class L1(PiecewiseQuadratic):
    """The lasso's penalty, sum_j lam factors_j |w_j|.

    Parameters
    ----------
    lam : float
        Level >= 0.
    factors : array_like, shape (p,), optional
        Factors >= 0 of the coordinates (adaptive lasso); zero leaves one without penalty.
    """

    def __init__(self, lam: Any, factors: Any = None) -> None:
        super().__init__(l1=_times(lam, factors))


class ElasticNet(PiecewiseQuadratic):
    """Sum over j of factors_j (l1 |w_j| + l2 w_j^2 / 2).

    Parameters
    ----------
    l1, l2 : float
        Levels >= 0.
    factors : array_like, shape (p,), optional
        Factors >= 0 of the coordinates.
    """

    def __init__(self, l1: Any, l2: Any, factors: Any = None) -> None:
        super().__init__(l1=_times(l1, factors, "l1"), l2=_times(l2, factors, "l2"))


class NonNegative(PiecewiseQuadratic):
    """W >= 0, and lam sum_j factors_j w_j.

    Parameters
    ----------
    lam : float
        Level >= 0, none by default.
    factors : array_like, shape (p,), optional
        Factors >= 0 of the coordinates.
    """

    def __init__(self, lam: Any = 0.0, factors: Any = None) -> None:
        super().__init__(l1=_times(lam, factors), lower=0.0)


class Box(PiecewiseQuadratic):
    """Lower <= w <= upper, and linear'w.

    Parameters
    ----------
    lower, upper : float or array_like, shape (p,)
        Bounds; -inf, inf where there is none.
    linear : float or array_like, shape (p,)
        Linear part.
    """

    def __init__(self, lower: Any, upper: Any, linear: Any = 0.0) -> None:
        super().__init__(linear=linear, lower=lower, upper=upper)


def _times(lam: Any, factors: Any, name: str = "lam") -> Array:
    value = level(name, lam)
    return value if factors is None else value * level("factors", factors)


def _sum_of_sizes(w: Array) -> float:
    """||w||_1 in one pass, with nothing stored on the way: it is asked for at every level of a path."""
    return float(dasum(w)) if w.ndim == 1 and w.size else float(np.abs(w).sum())


def _largest_size(v: Array) -> float:
    """||v||_inf, with nothing stored on the way."""
    return max(float(v.max()), -float(v.min())) if v.size else 0.0


def _soft(v: Array, threshold: Any) -> Array:
    return np.asarray(np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0))


def _half_square(l2: Array, w: Array) -> float:
    return 0.5 * float(np.sum(l2 * w * w)) if np.any(l2) else 0.0
