"""Problems whose solution is a point of least violation, on the linear algebra of the original problem.

Both add *elastic* tail variables to the slack form, so that the reduced KKT system keeps its size and
pattern:

- `ElasticForm`, the l1 norm, Waechter & Biegler (2006), section 3.3:
  min rho sum(p + q) + zeta/2 ||D (x - x_R)||^2 subject to C(w) - p + q = 0, p, q >= 0 and the bounds of w;
- `LeastSquaresForm`: min kappa/2 ||r/scale||^2 subject to C(w) - r = 0 and the bounds of w. Its Newton step
  is that of the Gauss-Newton augmented system with second-order terms, and its stationary points are those
  that the infeasibility certificate asks for: J'v = 0 up to the bounds, v the violations of the original
  constraints.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import Any

import numpy as np

from ...problems.nlp import Vector
from .form import Point, SlackForm, push_inside
from .iterate import Iterate

PENALTY = 1000.0


class _Relaxed(ABC):
    """What the two forms share: everything but the elastic variables and the objective."""

    def __init__(self, base: SlackForm, elastic_signs: Vector, elastic_lower: float) -> None:
        self.base = base
        self.nx, self.m = base.nx, base.m
        self.nw = base.nw + elastic_signs.size
        rows = np.tile(np.arange(self.m), elastic_signs.size // max(self.m, 1))
        self.tail_rows = np.concatenate([base.tail_rows, rows])
        self.tail_signs = np.concatenate([base.tail_signs, elastic_signs])
        self.lower = np.concatenate([base.lower, np.full(elastic_signs.size, elastic_lower)])
        self.upper = np.concatenate([base.upper, np.full(elastic_signs.size, np.inf)])
        self.pattern = base.pattern
        self.diagonal = np.zeros(self.nw)
        self._curvature = base.approximation()

    def original(self, w: Vector) -> Vector:
        """The part of w that belongs to the original problem."""
        return w[: self.base.nw]

    @abstractmethod
    def objective(self, w: Vector) -> float:
        """The objective; for each form its own."""

    @abstractmethod
    def gradient(self, w: Vector) -> Vector:
        """Its gradient, shape (nw,)."""

    @abstractmethod
    def elastic(self, w: Vector) -> Vector:
        """What the elastic variables add to C(w)."""

    def set_barrier(self, mu: float) -> None:
        """Nothing depends on the barrier parameter unless a form says so."""
        return

    def evaluate(self, w: Vector) -> Point:
        """Objective and relaxed constraints; nan where the *original* objective is not defined."""
        point = self.base.evaluate(self.original(w))
        f = self.objective(w) if math.isfinite(point.f) else math.nan
        return Point(w, point.x, f, point.c + self.elastic(w))

    def differentiate(self, point: Point) -> bool:
        """Fill in gradient and Jacobian; False where they are not finite."""
        if point.g is not None:
            return True
        inner = Point(self.original(point.w), point.x, 0.0, point.c)
        if not self.base.differentiate(inner):
            return False
        point.J, point.jacobian_values = inner.J, inner.jacobian_values
        point.g = self.gradient(point.w)
        return True

    def refresh(self, point: Point) -> Point:
        """The same point after a change of the barrier parameter."""
        fresh = self.evaluate(point.w)
        self.differentiate(fresh)
        return fresh

    def hessian(self, point: Point, y: Vector) -> Any:
        """Of the constraints only; the objective is in `diagonal`."""
        if self._curvature is not None:
            return self._curvature.values
        return self.base.hessian(point, y, 0.0)

    def learn(self, old: Point, new: Point, y: Vector) -> None:
        """Update the quasi-Newton matrix of y'C where there is no Hessian."""
        if self._curvature is not None:
            self._curvature.update(new.w[: self.nx] - old.w[: self.nx], y @ new.J - y @ old.J)


class ElasticForm(_Relaxed):
    """Least violation in the l1 norm, close to a reference point; see the module.

    Parameters
    ----------
    base : SlackForm
        The problem whose constraints are to be met.
    reference : ndarray
        w where the restoration starts.
    penalty : float, default 1000
        rho.
    """

    def __init__(self, base: SlackForm, reference: Vector, penalty: float = PENALTY) -> None:
        ones = np.ones(base.m)
        super().__init__(base, np.concatenate([-ones, ones]), 0.0)
        self.penalty = penalty
        self.reference = reference[: self.nx].copy()
        self._weights = 1.0 / np.maximum(1.0, np.abs(self.reference)) ** 2
        self._zeta = 0.0

    def set_barrier(self, mu: float) -> None:
        """The proximity weight zeta is sqrt(mu)."""
        self._zeta = math.sqrt(mu)
        self.diagonal[: self.nx] = self._zeta * self._weights

    def start(self, iterate: Iterate, mu: float) -> tuple[Vector, Vector, Vector, Vector]:
        """Start (w, y, zl, zu) at an iterate of the original problem.

        p and q minimise the barrier problem for the present C, equation (33) of the paper; multipliers of the
        original bounds are cut off at rho.
        """
        c = iterate.point.c
        # Both quotients are written without cancellation for large |C|.
        large = self.penalty * np.abs(c)
        root = np.sqrt(mu * mu + large * large)
        wide, narrow = mu + root + large, mu + mu * mu / (root + large)
        p = np.where(c > 0.0, wide, narrow) / (2.0 * self.penalty)
        q = np.where(c > 0.0, narrow, wide) / (2.0 * self.penalty)
        zl = np.concatenate([np.minimum(self.penalty, iterate.zl), mu / p, mu / q])
        zu = np.concatenate([np.minimum(self.penalty, iterate.zu), np.zeros(2 * self.m)])
        return np.concatenate([iterate.point.w, p, q]), np.zeros(self.m), zl, zu

    def objective(self, w: Vector) -> float:
        """Penalty and proximity terms."""
        shift = w[: self.nx] - self.reference
        proximity = 0.5 * self._zeta * float(self._weights @ (shift * shift))
        return self.penalty * float(w[self.base.nw :].sum()) + proximity

    def gradient(self, w: Vector) -> Vector:
        """Gradient of the objective."""
        g = np.zeros(self.nw)
        g[: self.nx] = self._zeta * self._weights * (w[: self.nx] - self.reference)
        g[self.base.nw :] = self.penalty
        return g

    def elastic(self, w: Vector) -> Vector:
        """Q - p."""
        k = self.base.nw
        return w[k + self.m :] - w[k : k + self.m]


class LeastSquaresForm(_Relaxed):
    """Least sum of squared violations of the original, unscaled constraints; see the module.

    Parameters
    ----------
    base : SlackForm
        The problem whose constraints are to be met.
    c : ndarray, shape (m,)
        C(w) at the start; the objective is scaled so that the largest violation has weight 1.
    """

    def __init__(self, base: SlackForm, c: Vector) -> None:
        super().__init__(base, -np.ones(base.m), -np.inf)
        violation = np.abs(c / base.scaling.constraints).max(initial=0.0)
        self._weights = 1.0 / (base.scaling.constraints**2 * max(float(violation), 1e-12))
        self.diagonal[base.nw :] = self._weights
        # With r free there is an interior without widened bounds, which would shift the stationary point.
        slacks, scale = slice(base.nx, base.nw), base.scaling.constraints[base.tail_rows]
        self.lower[slacks], self.upper[slacks] = (scale * bound for bound in base.tail_bounds)

    def start(self, w: Vector, c: Vector, zl: Vector, zu: Vector) -> tuple[Vector, Vector, Vector, Vector]:
        """Start (w, y, zl, zu) at a point of the original problem with C(w) = c."""
        base, free = self.base, np.zeros(self.m)
        k, lower, upper = base.nx, self.lower[base.nx : base.nw], self.upper[base.nx : base.nw]
        inside = np.concatenate([w[:k], push_inside(np.clip(w[k:], lower, upper), lower, upper, 1e-8)])
        r = c.copy()
        r[base.tail_rows] += base.tail_signs * (inside - w)[k:]
        y = self._weights * r
        return np.concatenate([inside, r]), y, np.concatenate([zl, free]), np.concatenate([zu, free])

    def objective(self, w: Vector) -> float:
        """Half the weighted sum of squares."""
        r = w[self.base.nw :]
        return 0.5 * float(self._weights @ (r * r))

    def gradient(self, w: Vector) -> Vector:
        """Gradient of the objective."""
        g = np.zeros(self.nw)
        g[self.base.nw :] = self._weights * w[self.base.nw :]
        return g

    def elastic(self, w: Vector) -> Vector:
        """-r."""
        return -w[self.base.nw :]
