"""A bound on the error of a hypergradient whose lower level and adjoint system were solved inexactly.

With eps >= ||y - y*||, delta the residual of H q = grad_y F and mu the modulus of strong convexity,

    ||p - p*|| <= omega = L_Fx eps + ||J|| delta/mu + ||J|| r + L_J eps (U + r),
    U = ||q|| + delta/mu,    r = (L_H U + L_Fy) eps/mu,

where L_Fx, L_Fy, L_H, L_J are Lipschitz constants in y of grad_x F, grad_y F, H and J. It is the bound of
MAID (Salehi, Mukherjee, Roberts & Ehrhardt, 2023, theorem 2.1) with the measured ||q|| in the place of
||grad_y F||/mu, which makes it sharper where grad_y F has little of the weak directions of H.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .hypergradient import Hypergradient

SAFETY = 2.0
"""What estimated constants are multiplied by, and an estimated modulus divided by."""


@dataclass(frozen=True)
class Constants:
    """Constants of a bilevel problem near a point.

    Attributes
    ----------
    modulus : float
        Smallest eigenvalue of H, mu.
    cross : float
        ``||J||``.
    upper_x, upper_y : float
        Lipschitz constants in y of grad_x F and grad_y F.
    H, J : float
        Lipschitz constants in y of H and J.
    """

    modulus: float
    cross: float
    upper_x: float
    upper_y: float
    H: float
    J: float

    def error_of_lower(self, residual: float) -> float:
        """Eps from ``||grad_y f||``."""
        return residual / self.modulus

    def error_bound(self, found: Hypergradient) -> float:
        """Omega."""
        mu, delta = self.modulus, found.adjoint_residual
        eps = self.error_of_lower(found.lower_residual)
        U = float(np.linalg.norm(found.adjoint)) + delta / mu
        r = (self.H * U + self.upper_y) * eps / mu
        return self.upper_x * eps + self.cross * (delta / mu + r) + self.J * eps * (U + r)

    def error_of_value(self, found: Hypergradient) -> float:
        """Bound on ``|F(x, y) - F(x, y*)|``."""
        return self.value_error(float(np.linalg.norm(found.by_y)), found.lower_residual)

    def value_error(self, slope: float, residual: float) -> float:
        """Likewise, from ``||grad_y F||`` and ``||grad_y f||``."""
        eps = self.error_of_lower(residual)
        return slope * eps + 0.5 * self.upper_y * eps**2


def first_constants(found: Hypergradient) -> Constants:
    """Modulus and ||J|| at a point; the Lipschitz constants, which take two, are 0."""
    modulus, cross = found.curvature.modulus() / SAFETY, found.curvature.cross_norm()
    return Constants(modulus, cross, 0.0, 0.0, 0.0, 0.0)


def updated(
    constants: Constants, before: tuple[np.ndarray, Hypergradient], after: tuple[np.ndarray, Hypergradient]
) -> Constants:
    """Constants after a step from one point (x, hypergradient) to another.

    Lipschitz constants are the largest ratios of changes to steps so far, times `SAFETY`; those of H and J
    are measured on q, the one vector that the bound applies them to. They are estimates: only constants that
    the user gives make omega a proven bound.
    """
    (x_old, old), (x_new, new) = before, after
    modulus, cross = new.curvature.modulus() / SAFETY, constants.cross
    if new.curvature.reusable:  # elsewhere a norm costs many products: it is kept, and corrected on q below
        cross = new.curvature.cross_norm()
    step = float(np.sqrt(np.sum((x_new - x_old) ** 2) + np.sum((new.y - old.y) ** 2)))
    if step <= 1e-9 * (1.0 + float(np.linalg.norm(x_new) + np.linalg.norm(new.y))):
        return replace(constants, modulus=modulus, cross=cross)  # nothing but rounding
    q = new.adjoint
    size = max(float(np.linalg.norm(q)), np.finfo(float).tiny)
    (J_old, H_old), (J_new, H_new) = old.curvature.times(q), new.curvature.times(q)
    change = SAFETY / step
    cross = max(cross, float(np.linalg.norm(J_new)) / size)
    return Constants(
        modulus,
        cross,
        max(constants.upper_x, change * float(np.linalg.norm(new.by_x - old.by_x))),
        max(constants.upper_y, change * float(np.linalg.norm(new.by_y - old.by_y))),
        max(constants.H, change * float(np.linalg.norm(H_new - H_old)) / size),
        max(constants.J, change * float(np.linalg.norm(J_new - J_old)) / size),
    )
