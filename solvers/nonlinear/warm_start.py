"""Starting a barrier method from a solution of a nearby problem.

The solution of a problem with inequalities lies on the boundary, where a barrier method cannot start, and the
first barrier parameter of a cold start drives it away from there. So the parameter is fitted to how far the
start is from optimal, and the start is moved off the boundary no farther than its multipliers say: to a
distance ``mu/z`` from a bound with multiplier z, where it is on the central path.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.nlp import Vector
from .form import Point, SlackForm
from .iterate import Bounds, Iterate

SHARE = 1e-3
"""Barrier parameter of a warm start, as a share of the optimality error of the start.

Measured on 16 Hock-Schittkowski problems with all data moved by 1e-3 of their size, iterations together: cold
188; shares of 1, 0.1, 0.01, 0.001 and 0.0001 of the error 90, 75, 67, 55 and 56.
"""

LARGEST = 0.1
"""As for a cold start."""

FARTHEST = 1e-2
"""Largest distance moved, relative to max(1, |bound|) and to the interval's width; as for a cold start."""


@dataclass(frozen=True)
class WarmStart:
    """Multipliers to start from, of the original problem; None where there are none.

    Attributes
    ----------
    y : ndarray, shape (m,), or None
        Of the constraints.
    z : ndarray, shape (n,), or None
        Of the bounds; its sign names the bound.
    mu : float or None
        Barrier parameter; None: fitted to the start.
    """

    y: Vector | None
    z: Vector | None
    mu: float | None

    def begin(
        self, form: SlackForm, smallest: float
    ) -> tuple[Point, Vector | None, Vector, Vector, float] | None:
        """Differentiated point, y, zl, zu and mu of the slack form; None where the start is not usable.

        Parameters
        ----------
        form : SlackForm
            The problem.
        smallest : float
            Least barrier parameter.
        """
        y, zl, zu = self._multipliers(form)
        bounds = Bounds(form.lower, form.upper)
        x = np.clip(form.evaluator.x0[form.free], form.x_lower, form.x_upper)
        mu = self.mu
        if mu is None:
            point = _with_slacks(form, x)
            if not (point.finite and form.differentiate(point)):
                return None
            guess = Iterate(form, bounds, point, np.zeros(form.m) if y is None else y, zl, zu)
            mu = min(max(SHARE * guess.error(0.0), smallest), LARGEST)
        x = moved_off(x, form.x_lower, form.x_upper, zl[: form.nx], zu[: form.nx], mu)
        point = _with_slacks(form, x, zl[form.nx :], zu[form.nx :], mu)
        if not (point.finite and form.differentiate(point)):
            return None
        gaps = bounds.gaps(point)
        return point, y, np.maximum(zl, mu / gaps.lower), np.maximum(zu, mu / gaps.upper), mu

    def _multipliers(self, form: SlackForm) -> tuple[Vector | None, Vector, Vector]:
        """Those of the scaled rows and of the bounds of w; a slack's is that of its row."""
        of_w, y = np.zeros(form.nw), None
        if self.y is not None:
            y = form.scaling.objective * self.y[form.active] / form.scaling.constraints
            of_w[form.nx :] = y[form.tail_rows]
        if self.z is not None:
            of_w[: form.nx] = form.scaling.objective * self.z[form.free]
        return y, np.maximum(-of_w, 0.0), np.maximum(of_w, 0.0)


def moved_off(v: Vector, lower: Vector, upper: Vector, zl: Vector, zu: Vector, mu: float) -> Vector:
    """The point moved to a distance ``mu/z`` from bounds with multiplier z, ``mu^(1/2)`` from the others.

    By no more than a cold start.
    """
    least = np.sqrt(mu)
    width = FARTHEST * (upper - lower)
    low = np.minimum(mu / np.maximum(zl, least), np.minimum(FARTHEST * np.maximum(1.0, np.abs(lower)), width))
    high = np.minimum(
        mu / np.maximum(zu, least), np.minimum(FARTHEST * np.maximum(1.0, np.abs(upper)), width)
    )
    return np.minimum(np.maximum(v, lower + low), upper - high)


def _with_slacks(
    form: SlackForm, x: Vector, zl: Vector | None = None, zu: Vector | None = None, mu: float = 0.0
) -> Point:
    """The point with this x and the slacks that its constraints ask for, moved off their bounds."""
    lower, upper = form.lower[form.nx :], form.upper[form.nx :]
    point = form.evaluate(np.concatenate([x, np.zeros(lower.size)]))
    slacks = np.clip(np.nan_to_num(point.c[form.tail_rows]), lower, upper)
    if zl is not None and zu is not None:
        slacks = moved_off(slacks, lower, upper, zl, zu, mu)
    return form.evaluate(np.concatenate([x, slacks]))
