"""From scaled slack form back to the original problem: point, multipliers, errors that count there."""

from __future__ import annotations

from functools import cached_property

import numpy as np

from ...problems.nlp import Vector
from .form import SlackForm
from .iterate import Iterate
from .original_kernels import (
    bound_multipliers,
    complementarity_error,
    interval_violation,
    stationarity_error,
)


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
        self._z = np.zeros(ev.n)
        self._without_fixed = form.fixed.size > 0
        assert iterate.point.g is not None
        self.steep = max(1.0, float(np.abs(iterate.point.g).max(initial=0.0)) / sigma)
        bound_multipliers(iterate.zl, iterate.zu, form.free, 1.0 / sigma, negligible * self.steep, self._z)

    @property
    def z(self) -> Vector:
        """Multipliers of the bounds, shape (n,); those of fixed variables are what stationarity asks for."""
        if self._without_fixed:
            ev, fixed = self.form.evaluator, self.form.fixed
            residual = ev.gradient(self.x) + (ev.vjp(self.x, self.y) if ev.m else 0.0)
            self._z[fixed] = -residual[fixed]
            self._without_fixed = False
        return self._z

    def violation(self) -> float:
        """Largest violation of a constraint, each relative to max(1, |its bound|)."""
        form = self.form
        if form.m == 0:
            return 0.0
        return float(interval_violation(self._rows(), form.cl, form.cu))

    def _rows(self) -> Vector:
        c = self.form.evaluator.constraints(self.x)
        return c if self.form.m == c.size else c[self.form.active]

    def optimality(self) -> float:
        """Largest of the scaled errors: stationarity, violation, complementarity.

        Stationarity is relative to max(1, |grad f|); a product of gap and multiplier is divided by
        max(1, |multiplier|) max(1, |bound|).
        """
        form, gradient = self.form, self.iterate.lagrangian_gradient
        stationarity = stationarity_error(gradient, form.free, self._z, 1.0 / form.scaling.objective)
        errors = float(stationarity) / self.steep, self.violation(), self._bound_errors(), self._row_errors()
        return max(errors)

    def _bound_errors(self) -> float:
        form = self.form
        if not form.bounded:
            return 0.0
        x, z = self.x[form.free], self._z[form.free]
        return float(complementarity_error(x, z, form.x_lower, form.x_upper, self.steep))

    def _row_errors(self) -> float:
        form = self.form
        rows = form.tail_rows
        if rows.size == 0:
            return 0.0
        y = self.y[form.active[rows]]
        lower, upper = form.tail_bounds
        return float(complementarity_error(self._rows()[rows], y, lower, upper, self.steep))


class ViewedState:
    """What the driver asks of a state, seen through the eyes of the original problem."""

    view: OriginalView

    def look(self, view: OriginalView) -> None:
        """Take another view; errors are computed when asked for."""
        self.view = view
        self.__dict__.pop("optimality", None)
        self.__dict__.pop("violation", None)

    @property
    def x(self) -> Vector:
        """Point, shape (n,)."""
        return self.view.x

    @property
    def y(self) -> Vector:
        """Multipliers of the constraints, shape (m,)."""
        return self.view.y

    @property
    def z(self) -> Vector:
        """Multipliers of the bounds, shape (n,)."""
        return self.view.z

    @property
    def f(self) -> float:
        """Objective."""
        return self.view.f

    @cached_property
    def violation(self) -> float:
        """Largest relative violation of the constraints."""
        return self.view.violation()

    @cached_property
    def optimality(self) -> float:
        """Largest scaled error of the optimality conditions of the original problem."""
        return self.view.optimality()
