"""The exact augmented Lagrangian of equations and inequalities without slacks.

With L = f + mu'c + lam'g, and G, J the Jacobians of the inequalities g <= 0 and of the equations c = 0,

    a(x) = nu - sum max(g, 0)^3,  q(x, lam) = a/nu / (1 + ||lam||^2/kappa),  omega = max(g, -eps q lam),
    M(x, mu, lam) = f + mu'c + lam'omega + ||c||^2/(2 eps) + ||omega||^2/(2 eps q) + eta/2 ||R||^2,
    R = (J grad L, G grad L + g^2 lam),

Na, Anitescu & Kolar, "Inequality constrained stochastic nonlinear optimization via active-set sequential
quadratic programming", Math. Prog. 202 (2023) (arXiv:2109.11502), after Pillo & Lucidi, SIAM J. Optim. 12
(2001). There q is a/(1 + ||lam||^2): the factor 1/nu makes eps mean the same for equations and inequalities,
however large the violation was that nu had to make room for, and kappa does so for large multipliers.

M is continuously differentiable, and finite where a > 0. Its gradient, H the Hessian of L:

    grad_x   = grad f + J'(mu + c/eps) + sum over active (lam + g/(eps q)) grad g - k grad_x q + eta r,
    r        = H A'R + (Hessian of R'(c, g)) grad L + G'(2 g lam R_g),     A = (J, G),
    grad_mu  = c + eta J A'R,
    grad_lam = omega - k grad_lam q + eta (G A'R + g^2 R_g),               k = ||omega||^2/(2 eps q^2),

where a constraint is active that has ``g >= -eps q lam``.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...problems.nlp import Vector
from .inequalities import ActiveSetIterate, Mask

Product = Callable[[Vector], Vector]


@dataclass(frozen=True)
class MeritParameters:
    """Parameters of M.

    Attributes
    ----------
    eps : float
        Of the penalties.
    nu : float
        Bound of the sum of the cubes of the violations.
    eta : float
        Weight of R.
    kappa : float
        Unit of ||lam||^2 in q: 1 in the paper. Where a step changes lam beyond it, q changes faster than M
        can fall.
    """

    eps: float
    nu: float
    eta: float
    kappa: float = 1.0

    def ratio(self, a: float, lam: Vector) -> float:
        """q, given a and the multipliers."""
        return self.kappa * a / (self.nu * (self.kappa + float(lam @ lam)))


@dataclass(slots=True)
class MeritState:
    """What M and its gradient share at an iterate.

    Attributes
    ----------
    a, q : float
        See the module; the merit function is infinite where a <= 0.
    omega : ndarray
        Violation of the inequalities and of complementarity in one.
    active : ndarray of bool
        The constraints with ``g >= -eps q lam``.
    R_mu, R_lam : ndarray
        The two parts of R.
    """

    a: float
    q: float
    omega: Vector
    active: Mask
    R_mu: Vector
    R_lam: Vector

    @property
    def stationarity2(self) -> float:
        """||R||^2."""
        return float(self.R_mu @ self.R_mu + self.R_lam @ self.R_lam)


def excess(g: Vector) -> float:
    """Sum of the cubes of the violations."""
    return float((np.maximum(g, 0.0) ** 3).sum())


def merit_state(it: ActiveSetIterate, p: MeritParameters) -> MeritState:
    """The ingredients of M at an iterate."""
    a = p.nu - excess(it.g)
    q = p.ratio(a, it.lam)
    threshold = -p.eps * q * it.lam
    R_mu, R_lam = it.products(it.gradient)
    return MeritState(
        a, q, np.maximum(it.g, threshold), it.g >= threshold, R_mu, R_lam + it.g * it.g * it.lam
    )


def penalised(f: float, c: Vector, g: Vector, mu: Vector, lam: Vector, p: MeritParameters) -> float:
    """M without the term of eta: a floor of M that takes no derivatives."""
    a = p.nu - excess(g)
    if not a > 0.0:
        return math.inf
    q = p.ratio(a, lam)
    omega = np.maximum(g, -p.eps * q * lam)
    of_equations = float(mu @ c) + 0.5 / p.eps * float(c @ c)
    return f + of_equations + float(lam @ omega) + 0.5 / (p.eps * q) * float(omega @ omega)


def merit_value(it: ActiveSetIterate, p: MeritParameters) -> float:
    """M at an iterate."""
    floor = penalised(it.point.f, it.c, it.g, it.mu, it.lam, p)
    return floor + 0.5 * p.eta * merit_state(it, p).stationarity2 if math.isfinite(floor) else floor


@dataclass(slots=True)
class MeritGradient:
    """Gradient of M, split: the part of the penalties, and that of ||R||^2/2, to be weighted by eta."""

    x: Vector
    mu: Vector
    lam: Vector
    curved_x: Vector
    curved_mu: Vector
    curved_lam: Vector

    def slopes(self, dx: Vector, dmu: Vector, dlam: Vector) -> tuple[float, float]:
        """Directional derivatives of the two parts."""
        first = self.x @ dx + self.mu @ dmu + self.lam @ dlam
        second = self.curved_x @ dx + self.curved_mu @ dmu + self.curved_lam @ dlam
        return float(first), float(second)


def merit_gradient(
    it: ActiveSetIterate, s: MeritState, p: MeritParameters, hessian: Product, bent: Product
) -> MeritGradient:
    """The gradient of M.

    Parameters
    ----------
    it, s, p
        Iterate, ingredients there, parameters.
    hessian : callable
        Product with the Hessian of the Lagrangian.
    bent : callable
        Product with the Hessian of the constraints weighted by R: ``R_mu'c + R_lam'g``.
    """
    size = p.kappa + float(it.lam @ it.lam)
    k = 0.5 * float(s.omega @ s.omega) / (p.eps * s.q * s.q)
    pull = np.where(s.active, it.lam + it.g / (p.eps * s.q), 0.0)
    pull += 3.0 * k * p.kappa / (p.nu * size) * np.maximum(it.g, 0.0) ** 2
    of_constraints = it.transposed(it.c / p.eps, pull - it.lam)
    back = it.transposed(s.R_mu, s.R_lam)
    back_mu, back_lam = it.products(back)
    of_weights = it.transposed(np.zeros_like(s.R_mu), 2.0 * it.g * it.lam * s.R_lam)
    return MeritGradient(
        x=it.gradient + of_constraints,
        mu=it.c,
        lam=s.omega + 2.0 * k * s.q / size * it.lam,
        curved_x=hessian(back) + bent(it.gradient) + of_weights,
        curved_mu=back_mu,
        curved_lam=back_lam + it.g * it.g * s.R_lam,
    )
