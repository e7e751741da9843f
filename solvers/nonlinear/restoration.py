"""Feasibility restoration: the constraint violation minimised in the l1 norm, close to where the trouble began.

min rho sum(p + q) + zeta/2 ||D (x - x_R)||^2 subject to C(w) - p + q = 0, p, q >= 0 and the bounds of w,
Waechter & Biegler (2006), section 3.3. The elastic variables p, q are further tail variables, so the linear
algebra is that of the original problem. A solution with C(w) != 0 is a stationary point of the violation.
"""

from __future__ import annotations

import math

import numpy as np

from ...problems.nlp import Vector
from .form import Point, SlackForm
from .iterate import Iterate

PENALTY = 1000.0


class ElasticForm:
    """The restoration problem of a slack form; see the module.

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
        self.base = base
        self.penalty = penalty
        self.nx, self.m = base.nx, base.m
        rows = np.arange(self.m)
        ones = np.ones(self.m)
        self.tail_rows = np.concatenate([base.tail_rows, rows, rows])
        self.tail_signs = np.concatenate([base.tail_signs, -ones, ones])
        self.tail_unique = False
        self.lower = np.concatenate([base.lower, np.zeros(2 * self.m)])
        self.upper = np.concatenate([base.upper, np.full(2 * self.m, np.inf)])
        self.pattern = base.pattern
        self.reference = reference[: self.nx].copy()
        self._weights = 1.0 / np.maximum(1.0, np.abs(self.reference)) ** 2
        self._zeta = 0.0
        self.extra_diagonal: Vector | float = 0.0
        self._curvature = None
        if not base.exact_hessian:
            from .quasi_newton import DampedBFGS

            self._curvature = DampedBFGS(base.nx)

    def set_barrier(self, mu: float) -> None:
        """The proximity weight zeta is sqrt(mu)."""
        self._zeta = math.sqrt(mu)
        self.extra_diagonal = self._zeta * self._weights

    def split(self, w: Vector) -> tuple[Vector, Vector, Vector]:
        """W of the original problem, p and q."""
        k = self.base.nw
        return w[:k], w[k : k + self.m], w[k + self.m :]

    def elastic_start(self, c: Vector, mu: float) -> Vector:
        """p and q that minimise the barrier problem for a given C, equation (33)."""
        # Both quotients are written without cancellation for large |C|.
        large = self.penalty * np.abs(c)
        root = np.sqrt(mu * mu + large * large)
        wide, narrow = mu + root + large, mu + mu * mu / (root + large)
        p, q = np.where(c > 0.0, wide, narrow), np.where(c > 0.0, narrow, wide)
        return np.concatenate([p, q]) / (2.0 * self.penalty)

    def evaluate(self, w: Vector) -> Point:
        """Penalty and proximity term; C(w) - p + q."""
        original, p, q = self.split(w)
        point = self.base.evaluate(original)
        shift = original[: self.nx] - self.reference
        f = self.penalty * float(p.sum() + q.sum()) + 0.5 * self._zeta * float(
            self._weights @ (shift * shift)
        )
        # Where the original objective is not defined the restored point would be useless.
        return Point(w, point.x, f if math.isfinite(point.f) else math.nan, point.c - p + q)

    def differentiate(self, point: Point) -> bool:
        """Fill in gradient and Jacobian; False where they are not finite."""
        if point.g is not None:
            return True
        inner = Point(point.w[: self.base.nw], point.x, 0.0, point.c)
        if not self.base.differentiate(inner):
            return False
        g = np.zeros(point.w.size)
        g[: self.nx] = self._zeta * self._weights * (point.w[: self.nx] - self.reference)
        g[self.base.nw :] = self.penalty
        point.J, point.jacobian_values, point.g = inner.J, inner.jacobian_values, g
        return True

    def refresh(self, point: Point) -> Point:
        """The same point after a change of zeta."""
        fresh = self.evaluate(point.w)
        self.differentiate(fresh)
        return fresh

    def hessian(self, point: Point, y: Vector) -> Vector:
        """Constraints only; the proximity term is in the extra diagonal."""
        if self._curvature is not None:
            return np.asarray(self._curvature.values)
        return self.base.hessian(point, y, 0.0)

    def learn(self, old: Point, new: Point, y: Vector) -> None:
        """Update the quasi-Newton matrix of y'C where there is no Hessian."""
        if self._curvature is not None:
            self._curvature.update(new.w[: self.nx] - old.w[: self.nx], y @ new.J - y @ old.J)


def elastic_multipliers(form: ElasticForm, iterate: Iterate, w: Vector, mu: float) -> tuple[Vector, Vector]:
    """Starting multipliers of the bounds: at most rho for the original ones, mu/p and mu/q for the elastic."""
    _, p, q = form.split(w)
    zl = np.concatenate([np.minimum(form.penalty, iterate.zl), mu / p, mu / q])
    zu = np.concatenate([np.minimum(form.penalty, iterate.zu), np.zeros(2 * form.m)])
    return zl, zu
