"""The logarithmic barrier: value and gradient, fraction to the boundary, multipliers, parameter updates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.nlp import Vector
from .form import Point
from .iterate import Bounds, Iterate

DAMPING = 1e-5
"""Slope, relative to mu, against running away along a bound on one side only (section 3.7 of the paper)."""

MULTIPLIER_RANGE = 1e10
"""Factor by which a bound's multiplier may differ from mu/gap (kappa_Sigma, equation (16) of the paper)."""


@dataclass(frozen=True)
class BarrierRule:
    """Monotone Fiacco-McCormick updates, Waechter & Biegler (2006), equations (7) and (8).

    Attributes
    ----------
    initial : float
        First barrier parameter.
    reduction, exponent : float
        Next parameter is ``min(reduction mu, mu^exponent)``.
    tolerance_factor : float
        The subproblem counts as solved at an error of ``tolerance_factor mu``.
    fraction : float
        Least fraction of the way to the boundary that a step may take.
    """

    initial: float = 0.1
    reduction: float = 0.2
    exponent: float = 1.5
    tolerance_factor: float = 10.0
    fraction: float = 0.99

    def next(self, mu: float) -> float:
        """The parameter after mu."""
        return float(min(self.reduction * mu, mu**self.exponent))

    def tau(self, mu: float) -> float:
        """Fraction to the boundary."""
        return max(self.fraction, 1.0 - mu)


def barrier_value(bounds: Bounds, point: Point, mu: float) -> float:
    """Objective with the barrier terms, phi_mu(w)."""
    if bounds.count == 0 or mu == 0.0:
        return point.f
    gap_lower, gap_upper = bounds.gaps(point.w)
    il, iu = bounds.has_lower, bounds.has_upper
    logs = float(np.log(gap_lower[il]).sum() + np.log(gap_upper[iu]).sum())
    lower_only = bounds.one_sided > 0.0
    upper_only = bounds.one_sided < 0.0
    run_away = float(gap_lower[lower_only].sum() + gap_upper[upper_only].sum())
    return point.f - mu * logs + DAMPING * mu * run_away


def barrier_gradient(iterate: Iterate, mu: float) -> Vector:
    """Gradient of the barrier terms with respect to w."""
    gap_lower, gap_upper = iterate.gaps
    return mu / gap_upper - mu / gap_lower + (DAMPING * mu) * iterate.bounds.one_sided


def bound_multiplier_steps(iterate: Iterate, dw: Vector, mu: float) -> tuple[Vector, Vector]:
    """Newton steps of zl and zu that belong to a step of w."""
    gap_lower, gap_upper = iterate.gaps
    dzl = (mu - iterate.zl * dw) / gap_lower - iterate.zl
    dzu = (mu + iterate.zu * dw) / gap_upper - iterate.zu
    return dzl, dzu


def largest_step(values: Vector, step: Vector, tau: float, longest: float = 1.0) -> float:
    """Largest alpha up to ``longest`` with ``values + alpha step >= (1 - tau) values``, for values > 0."""
    shrink = float((-step / values).max(initial=0.0))
    return longest if longest * shrink <= tau else tau / shrink


def primal_step_limit(iterate: Iterate, dw: Vector, tau: float, longest: float = 1.0) -> float:
    """Fraction-to-the-boundary rule for w."""
    if iterate.bounds.count == 0:
        return longest
    gap_lower, gap_upper = iterate.gaps
    limit = largest_step(gap_lower, dw, tau, longest)
    return largest_step(gap_upper, -dw, tau, limit)


def dual_step_limit(iterate: Iterate, dzl: Vector, dzu: Vector, tau: float) -> float:
    """Fraction-to-the-boundary rule for the bounds' multipliers."""
    bounds = iterate.bounds
    il, iu = bounds.has_lower, bounds.has_upper
    return min(largest_step(iterate.zl[il], dzl[il], tau), largest_step(iterate.zu[iu], dzu[iu], tau))


def safeguarded(z: Vector, gap: Vector, present: Vector, mu: float) -> Vector:
    """A bound's multiplier kept within a factor of mu/gap, so that the barrier Hessian stays meaningful."""
    central = mu / gap
    return present * np.minimum(np.maximum(z, central / MULTIPLIER_RANGE), MULTIPLIER_RANGE * central)
