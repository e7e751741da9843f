"""From scaled slack form back to the original problem: point, multipliers, errors that count there."""

from __future__ import annotations

import numpy as np

from ...problems.nlp import Vector
from .form import INFINITY, SlackForm
from .iterate import Iterate


class OriginalView:
    """What an iterate of a slack form means for the problem as it was given.

    Parameters
    ----------
    form : SlackForm
    iterate : Iterate
        Differentiated.
    negligible : float
        Multipliers of bounds below this share of max(1, |grad f|) are returned as zero: what the barrier
        leaves at a bound that does not hold anything.
    """

    def __init__(self, form: SlackForm, iterate: Iterate, negligible: float = 0.0) -> None:
        ev, sigma = form.evaluator, form.scaling.objective
        self.form, self.iterate = form, iterate
        self.x = iterate.point.x
        self.f = iterate.point.f / sigma
        self.y = form.unscale_rows(iterate.y) / sigma
        self.z = np.zeros(ev.n)
        nx = form.nx
        assert iterate.point.g is not None
        self.steep = max(1.0, float(np.abs(iterate.point.g[:nx]).max(initial=0.0)) / sigma)
        z = (iterate.zu[:nx] - iterate.zl[:nx]) / sigma
        if form.bounded:
            z[np.abs(z) <= negligible * self.steep] = 0.0
        self.z[form.free] = z
        if form.fixed.size:
            residual = ev.gradient(self.x) + (ev.vjp(self.x, self.y) if ev.m else 0.0)
            self.z[form.fixed] = -residual[form.fixed]

    def violation(self) -> float:
        """Largest violation of a constraint, each relative to max(1, |its bound|)."""
        form = self.form
        if form.m == 0:
            return 0.0
        c = self._rows()
        with np.errstate(invalid="ignore"):
            low = (form.cl - c) / np.maximum(1.0, np.abs(form.cl))
            high = (c - form.cu) / np.maximum(1.0, np.abs(form.cu))
        low[~np.isfinite(form.cl)] = 0.0
        high[~np.isfinite(form.cu)] = 0.0
        return float(max(low.max(initial=0.0), high.max(initial=0.0)))

    def _rows(self) -> Vector:
        c = self.form.evaluator.constraints(self.x)
        return c if self.form.m == c.size else c[self.form.active]

    def optimality(self) -> float:
        """Largest of the scaled errors: stationarity, violation, complementarity.

        Stationarity is relative to max(1, |grad f|); a product of gap and multiplier is divided by
        max(1, |multiplier|) max(1, |bound|).
        """
        form = self.form
        r = self.iterate.lagrangian_gradient[: form.nx] / form.scaling.objective + self.z[form.free]
        stationarity = float(np.abs(r).max(initial=0.0)) / self.steep
        return max(stationarity, self.violation(), self._bound_errors(), self._row_errors())

    def _bound_errors(self) -> float:
        form = self.form
        if not form.bounded:
            return 0.0
        x, z = self.x[form.free], self.z[form.free]
        return _complementarity(x, z, form.x_lower, form.x_upper, self.steep)

    def _row_errors(self) -> float:
        form = self.form
        if form.tail_rows.size == 0:
            return 0.0
        rows = form.tail_rows
        y = self.y[form.active[rows]]
        return _complementarity(self._rows()[rows], y, form.cl[rows], form.cu[rows], self.steep)


def _complementarity(value: Vector, multiplier: Vector, lower: Vector, upper: Vector, steep: float) -> float:
    """Largest relative product of multiplier and distance, or multiplier whose sign names an absent bound."""
    bound = np.where(multiplier > 0.0, upper, lower)
    size = np.abs(multiplier)
    exists = np.abs(bound) < INFINITY
    wrong = float(size[~exists].max(initial=0.0)) / steep
    value, bound, size = value[exists], bound[exists], size[exists]
    products = np.abs(value - bound) * size / (np.maximum(1.0, size) * np.maximum(1.0, np.abs(bound)))
    return max(wrong, float(products.max(initial=0.0)))
