"""The primal-dual iterate and the quantities of the optimality conditions at it."""

from __future__ import annotations

import numpy as np

from ...problems.nlp import Vector
from .barrier_kernels import barrier_hessian, measure_gaps, optimality_parts
from .form import Form, Gaps, Point
from .newton_kernels import add_at

SMALLEST_GAP = 2e-16
"""Distance to a bound, relative to max(1, |bound|), below which rounding makes distances meaningless."""


class Bounds:
    """Bounds of w and what is known of them for good.

    A bound that is absent is infinite: its gap is infinite and its multiplier zero, so that all formulas hold
    without index sets.
    """

    def __init__(self, lower: Vector, upper: Vector) -> None:
        self.lower, self.upper = lower, upper
        self.present_lower = np.isfinite(lower).astype(np.float64)
        self.present_upper = np.isfinite(upper).astype(np.float64)
        self.count = int(self.present_lower.sum() + self.present_upper.sum())

    def gaps(self, point: Point) -> Gaps:
        """Distances of a point to its bounds, measured once."""
        gaps = point.gaps
        if gaps is None:
            below, above = np.empty_like(point.w), np.empty_like(point.w)
            sums = measure_gaps(point.w, self.lower, self.upper, SMALLEST_GAP, below, above)
            gaps = point.gaps = Gaps(below, above, *sums)
        return gaps


class Iterate:
    """A point with multipliers: y of C(w) = 0, zl and zu (nonnegative) of the bounds of w.

    Attributes
    ----------
    point : Point
        Differentiated.
    gaps : Gaps
        Distances to the bounds.
    lagrangian_gradient : ndarray
        Gradient of f + y'C with respect to w.
    stationarity : float
        Maximum norm of the gradient of the Lagrangian with the bounds' multipliers.
    infeasibility : float
        Maximum norm of C(w).
    mean_complementarity : float
        Mean product of gap and multiplier.
    """

    __slots__ = (
        "_products",
        "_weights",
        "bounds",
        "form",
        "gaps",
        "infeasibility",
        "lagrangian_gradient",
        "mean_complementarity",
        "point",
        "stationarity",
        "y",
        "zl",
        "zu",
    )

    def __init__(self, form: Form, bounds: Bounds, point: Point, y: Vector, zl: Vector, zu: Vector) -> None:
        self.form, self.bounds, self.point = form, bounds, point
        self.y, self.zl, self.zu = y, zl, zu
        assert point.g is not None
        gaps = self.gaps = bounds.gaps(point)
        gradient = self.lagrangian_gradient = point.g + transposed_product(form, point, y)
        parts = optimality_parts(gradient, point.c, y, zl, zu, gaps.lower, gaps.upper)
        self.stationarity, self.infeasibility = parts[:2]
        self._products = parts[2:4]
        # s_d and s_c of Waechter & Biegler (2006), equation (6): the mean multiplier in hundreds, at least 1.
        y_sum, z_sum, product_sum = parts[4:]
        self.mean_complementarity = product_sum / max(1, bounds.count)
        mean = (y_sum + z_sum) / max(1, y.size + bounds.count)
        self._weights = max(100.0, mean) / 100.0, max(100.0, z_sum / max(1, bounds.count)) / 100.0

    @property
    def sigma(self) -> Vector:
        """Primal-dual barrier Hessian, a diagonal: zl/(w - l) + zu/(u - w)."""
        sigma = np.zeros_like(self.zl)
        if self.bounds.count:
            barrier_hessian(self.zl, self.zu, self.gaps.lower, self.gaps.upper, sigma)
        return sigma

    def complementarity(self, mu: float) -> float:
        """Largest deviation of a product of gap and multiplier from mu."""
        least, largest = self._products
        return float(max(largest - mu, mu - least, 0.0)) if self.bounds.count else 0.0

    def error(self, mu: float) -> float:
        """The optimality error E_mu, Waechter & Biegler (2006), equation (5)."""
        s_d, s_c = self._weights
        return float(max(self.stationarity / s_d, self.infeasibility, self.complementarity(mu) / s_c))


def transposed_product(form: Form, point: Point, y: Vector) -> Vector:
    """Transposed Jacobian of C with respect to w, times y."""
    product = y @ point.J
    if form.tail_rows.size:
        return np.concatenate([product, form.tail_signs * y[form.tail_rows]])
    return np.asarray(product)


def jacobian_product(form: Form, point: Point, dw: Vector) -> Vector:
    """Jacobian of C with respect to w, times dw."""
    product = np.asarray(point.J @ dw[: form.nx])
    if form.tail_rows.size:
        add_at(form.tail_rows, form.tail_signs * dw[form.nx :], product)
    return product
