"""The exact augmented Lagrangian of the barrier problem and its line search.

With ``gL`` the gradient of the barrier Lagrangian ``phi_mu + y'C`` with respect to w and A the Jacobian of C,

    M(w, y) = phi_mu + y'C + eta1/2 ||C||^2 + eta2/2 ||S gL||^2,
    grad_w M = gL + eta1 A'C + eta2 (H + Sigma) S^2 gL,      grad_y M = C + eta2 A S^2 gL,

Di Pillo & Grippo, SIAM J. Control Optim. 17 (1979); Hong, Na, Mahoney & Kolar, ICML 2023 (arXiv:2305.18379).
H is the Hessian of the *Lagrangian*, Sigma the Hessian of the barrier. S is the affine scaling
``min(1, gap)`` by the distance to the nearest bound: near a bound the components of gL behave like mu/gap,
and S gL stays of the order of mu. S is frozen during one line search, so that the derivative above is exact
for the function searched. Without bounds S = I, and M is the function of the paper.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...problems.nlp import Vector
from .barrier import barrier_gradient, barrier_value
from .form import Point
from .iterate import Bounds, Iterate, jacobian_product, transposed_product
from .kkt import KKTPattern
from .merit_kernels import add_symmetric_product, curved_parts, merit_parts, nearest_gap

EPSILON = float(np.finfo(float).eps)


@dataclass(frozen=True)
class MeritRule:
    """Constants of the merit function and of its line search.

    Attributes
    ----------
    eta1, eta2 : float
        First penalty parameters, of ||C||^2 and of ||S gL||^2.
    growth : float
        On failure of the descent test eta1 is multiplied by ``growth^2`` and eta2 divided by ``growth``.
    largest_eta1 : float
        Beyond this the merit function says more about rounding than about progress.
    armijo : float
        Share of the predicted decrease that must be reached.
    balance : float
        Largest share of the term of eta2 in the predicted decrease, see `Slopes.balanced`.
    shrink : float
        Factor between trial step lengths.
    smallest_step : float
        Shortest step length tried.
    longest_step : float
        Longest multiple of a regularised Newton step tried: no limit but that of an unbounded problem.
    memory : int
        Values of M that a trial without constraints may be compared with, see `ExactMeritSearch`.
    patience : int
        Cut steps in a row after which it is. Measured on the 188 SIF problems with n <= 600 and no
        constraints: always (0) leads HAHN1LS, MGH17LS, VIBRBEAM and six others to worse minimisers; never
        leaves LOGROS unsolved; 3, 5 and 8 hardly differ.
    """

    eta1: float = 1.0
    eta2: float = 0.1
    growth: float = 1.5
    largest_eta1: float = 1e12
    armijo: float = 1e-4
    balance: float = 0.1
    shrink: float = 0.5
    smallest_step: float = 1e-8
    longest_step: float = 1e20
    memory: int = 10
    patience: int = 5


@dataclass(slots=True)
class Slopes:
    """Directional derivatives of the three parts of M: Lagrangian, ||C||^2/2, ||S gL||^2/2; and the norms."""

    lagrangian: float
    feasibility: float
    stationarity: float
    residual2: float

    def total(self, eta1: float, eta2: float) -> float:
        """Directional derivative of M."""
        return self.lagrangian + eta1 * self.feasibility + eta2 * self.stationarity

    def balanced(self, eta2: float, share: float) -> float:
        """Eta2 lowered so that the norm of the gradient makes up at most this share of the decrease of M.

        eta2 has the unit of an inverse curvature: for stiff problems the value that suits others would turn M
        into the norm of the gradient, which grows along most ways to a minimiser.
        """
        first = abs(self.lagrangian + self.feasibility)
        return min(eta2, share * first / max(abs(self.stationarity), 1e-300))

    def descends(self, eta1: float, eta2: float) -> bool:
        """The descent test of the paper: derivative at most -(eta2/2)||(S gL, C)||^2."""
        return self.total(eta1, eta2) <= -0.5 * eta2 * self.residual2


def affine_scaling(iterate: Iterate) -> Vector:
    """S: distance of each component to its nearest bound, at most 1."""
    gaps, scale = iterate.gaps, np.empty_like(iterate.zl)
    nearest_gap(gaps.lower, gaps.upper, scale)
    return scale


def merit_value(
    bounds: Bounds, iterate: Iterate, mu: float, scale: Vector, eta1: float, eta2: float
) -> float:
    """M at an iterate."""
    gradient = barrier_gradient(iterate, mu, iterate.lagrangian_gradient)
    product, squares, scaled_squares = merit_parts(iterate.y, iterate.point.c, scale, gradient)
    penalty = 0.5 * eta1 * squares + 0.5 * eta2 * scaled_squares
    return barrier_value(bounds, iterate.point, mu) + float(product + penalty)


def merit_floor(bounds: Bounds, point: Point, y: Vector, mu: float, eta1: float) -> float:
    """M without its last term, which takes derivatives and is not negative."""
    c = point.c
    return barrier_value(bounds, point, mu) + float((y + 0.5 * eta1 * c) @ c)


def merit_gradient(
    iterate: Iterate, hessian: Any, mu: float, scale: Vector, eta1: float, eta2: float
) -> tuple[Vector, Vector]:
    """Gradient of M with respect to w and y; ``hessian`` as in `add_hessian_product`."""
    parts = _gradient_parts(iterate, hessian, mu, scale)
    grad_w = parts[0] + eta1 * parts[1] + eta2 * parts[2]
    return grad_w, iterate.point.c + eta2 * parts[3]


def merit_slopes(iterate: Iterate, hessian: Any, mu: float, scale: Vector, dw: Vector, dy: Vector) -> Slopes:
    """Derivatives of the parts of M along (dw, dy), one Hessian-vector product for all penalty parameters."""
    gradient, feasibility, curved, grad_y = _gradient_parts(iterate, hessian, mu, scale)
    c, scaled = iterate.point.c, scale * gradient
    return Slopes(
        lagrangian=float(gradient @ dw + c @ dy),
        feasibility=float(feasibility @ dw),
        stationarity=float(curved @ dw + grad_y @ dy),
        residual2=float(scaled @ scaled + c @ c),
    )


def _gradient_parts(
    iterate: Iterate, hessian: Any, mu: float, scale: Vector
) -> tuple[Vector, Vector, Vector, Vector]:
    """The vectors gL, A'C, (H + Sigma) S^2 gL and A S^2 gL."""
    form, point, gaps = iterate.form, iterate.point, iterate.gaps
    gradient = barrier_gradient(iterate, mu, iterate.lagrangian_gradient)
    v, curved = np.empty_like(gradient), np.empty_like(gradient)
    curved_parts(gradient, scale, gaps.lower, gaps.upper, form.diagonal, mu, v, curved)
    add_hessian_product(form.pattern, hessian, v, curved)
    return gradient, transposed_product(form, point, point.c), curved, jacobian_product(form, point, v)


def add_hessian_product(pattern: KKTPattern, hessian: Any, v: Vector, out: Vector) -> None:
    """Add the Hessian times the leading part of v to that of out.

    ``hessian`` holds the values of the lower triangle, or is an operator.
    """
    if isinstance(hessian, np.ndarray):
        add_symmetric_product(pattern.hessian_rows, pattern.hessian_columns, hessian, v, out)
    else:
        out[: pattern.n] += hessian @ v[: pattern.n]
