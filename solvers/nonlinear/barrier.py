"""The logarithmic barrier: value and gradient, fraction to the boundary, multipliers, parameter updates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.nlp import Vector
from .barrier_kernels import add_barrier_gradient, bound_steps, dual_limit, primal_limit, safeguarded_step
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
    gaps = bounds.gaps(point)
    return point.f - mu * gaps.logs + DAMPING * mu * gaps.run_away


def barrier_gradient(iterate: Iterate, mu: float, gradient: Vector | None = None) -> Vector:
    """Gradient of the barrier terms with respect to w, added to ``gradient`` if that is given."""
    gaps, out = iterate.gaps, np.zeros(iterate.zl.size)
    add_barrier_gradient(out if gradient is None else gradient, gaps.lower, gaps.upper, mu, DAMPING * mu, out)
    return out


def bound_multiplier_steps(iterate: Iterate, dw: Vector, mu: float) -> tuple[Vector, Vector]:
    """Newton steps of zl and zu that belong to a step of w."""
    dzl, dzu = np.zeros_like(dw), np.zeros_like(dw)
    if iterate.bounds.count:
        gaps = iterate.gaps
        bound_steps(dw, iterate.zl, iterate.zu, gaps.lower, gaps.upper, mu, dzl, dzu)
    return dzl, dzu


def primal_step_limit(iterate: Iterate, dw: Vector, tau: float, longest: float = 1.0) -> float:
    """Largest step length up to ``longest`` by the fraction-to-the-boundary rule for w."""
    if iterate.bounds.count == 0:
        return longest
    gaps = iterate.gaps
    return float(primal_limit(dw, gaps.lower, gaps.upper, tau, longest))


def dual_step_limit(iterate: Iterate, dzl: Vector, dzu: Vector, tau: float) -> float:
    """Fraction-to-the-boundary rule for the bounds' multipliers."""
    return float(dual_limit(iterate.zl, iterate.zu, dzl, dzu, tau))


def stepped(z: Vector, dz: Vector, alpha: float, gap: Vector, mu: float) -> Vector:
    """A bound's multiplier after a step, kept within a factor of mu/gap.

    So that the barrier Hessian stays meaningful, equation (16) of the paper.
    """
    out = np.empty_like(z)
    safeguarded_step(z, dz, alpha, gap, mu, MULTIPLIER_RANGE, out)
    return out
