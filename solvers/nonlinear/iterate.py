"""The primal-dual iterate and the quantities of the optimality conditions at it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ...problems.nlp import Vector
from .form import Form, Point

SMALLEST_GAP = 2e-16
"""Distance to a bound, relative to max(1, |bound|), below which rounding makes distances meaningless."""


class Bounds:
    """Index sets and floors of the bounds of w, computed once.

    A bound that is absent is infinite: its gap is infinite and its multiplier zero, so that all formulas hold
    without index sets; only logarithms need these.
    """

    def __init__(self, lower: Vector, upper: Vector) -> None:
        self.lower, self.upper = lower, upper
        has_lower, has_upper = np.isfinite(lower), np.isfinite(upper)
        self.has_lower, self.has_upper = np.flatnonzero(has_lower), np.flatnonzero(has_upper)
        self.count = int(self.has_lower.size + self.has_upper.size)
        self.floor_lower = SMALLEST_GAP * np.maximum(1.0, np.where(has_lower, np.abs(lower), 1.0))
        self.floor_upper = SMALLEST_GAP * np.maximum(1.0, np.where(has_upper, np.abs(upper), 1.0))
        one_sided = has_lower.astype(np.float64) - has_upper.astype(np.float64)
        self.one_sided = one_sided
        self.present_lower, self.present_upper = has_lower.astype(np.float64), has_upper.astype(np.float64)

    def gaps(self, w: Vector) -> tuple[Vector, Vector]:
        """Distances to the lower and the upper bounds, positive."""
        return np.maximum(w - self.lower, self.floor_lower), np.maximum(self.upper - w, self.floor_upper)


@dataclass(eq=False)
class Iterate:
    """A point with multipliers: y of C(w) = 0, zl and zu (nonnegative) of the bounds of w.

    Everything derived is computed when first asked for. Needs a differentiated point.
    """

    form: Form
    bounds: Bounds
    point: Point
    y: Vector
    zl: Vector
    zu: Vector

    @cached_property
    def gaps(self) -> tuple[Vector, Vector]:
        """Distances to the lower and the upper bounds."""
        return self.bounds.gaps(self.point.w)

    @cached_property
    def lagrangian_gradient(self) -> Vector:
        """Gradient of f + y'C with respect to w."""
        point = self.point
        assert point.g is not None
        return point.g + transposed_product(self.form, point, self.y)

    @cached_property
    def sigma(self) -> Vector:
        """Primal-dual barrier Hessian, a diagonal: zl/(w - l) + zu/(u - w)."""
        gap_lower, gap_upper = self.gaps
        return self.zl / gap_lower + self.zu / gap_upper

    @cached_property
    def stationarity(self) -> float:
        """Maximum norm of the gradient of the Lagrangian with the bounds' multipliers."""
        return float(np.abs(self.lagrangian_gradient - self.zl + self.zu).max(initial=0.0))

    @cached_property
    def infeasibility(self) -> float:
        """Maximum norm of C(w)."""
        return float(np.abs(self.point.c).max(initial=0.0))

    def complementarity(self, mu: float) -> float:
        """Largest deviation of a product of gap and multiplier from mu."""
        bounds = self.bounds
        if bounds.count == 0:
            return 0.0
        gap_lower, gap_upper = self.gaps
        il, iu = bounds.has_lower, bounds.has_upper
        low = np.abs(gap_lower[il] * self.zl[il] - mu).max(initial=0.0)
        high = np.abs(gap_upper[iu] * self.zu[iu] - mu).max(initial=0.0)
        return float(max(low, high))

    @cached_property
    def weights(self) -> tuple[float, float]:
        """Scaling of the dual and of the complementarity error by the mean multiplier, at least 1.

        s_d and s_c of Waechter & Biegler (2006), equation (6).
        """
        zs = float(self.zl.sum() + self.zu.sum())
        ys = float(np.abs(self.y).sum())
        count, m = self.bounds.count, self.y.size
        s_d = max(100.0, (ys + zs) / max(1, m + count)) / 100.0
        s_c = max(100.0, zs / max(1, count)) / 100.0
        return s_d, s_c

    def error(self, mu: float) -> float:
        """The optimality error E_mu, Waechter & Biegler (2006), equation (5)."""
        s_d, s_c = self.weights
        return max(self.stationarity / s_d, self.infeasibility, self.complementarity(mu) / s_c)


def transposed_product(form: Form, point: Point, y: Vector) -> Vector:
    """Transposed Jacobian of C with respect to w, times y."""
    product = y @ point.J
    if form.tail_rows.size:
        return np.concatenate([product, form.tail_signs * y[form.tail_rows]])
    return np.asarray(product)


def jacobian_product(form: Form, point: Point, dw: Vector) -> Vector:
    """Jacobian of C with respect to w, times dw."""
    product = np.asarray(point.J @ dw[: form.nx])
    add_tail(form, product, form.tail_signs * dw[form.nx :])
    return product


def add_tail(form: Form, rows: Vector, values: Vector) -> None:
    """Add one value of each tail variable to its row, in place."""
    if form.tail_unique:
        rows[form.tail_rows] += values
    else:
        np.add.at(rows, form.tail_rows, values)
