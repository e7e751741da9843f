"""Coordinate-wise penalties in the form the kernels know, for a set of coordinates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...problems.composite.nonconvex_penalties import MCP, SCAD
from ...problems.composite.penalties import PiecewiseQuadratic
from ...problems.composite.protocol import Array, Indices, Penalty

CONVEX = 0


@dataclass(frozen=True)
class Terms:
    """L1 |t| + l2 t^2 / 2 + linear t on [lower, upper]; kinds 1 and 2: MCP and SCAD of level l1.

    Attributes
    ----------
    kind : int
    gamma : float
    l1, l2, linear, lower, upper : ndarray, shape (p,)
    is_norm : bool
        Whether there is l1 alone, which allows short cuts.
    """

    kind: int
    gamma: float
    l1: Array
    l2: Array
    linear: Array
    lower: Array
    upper: Array
    is_norm: bool = False

    @property
    def count(self) -> int:
        """Number of items: here coordinates."""
        return self.l1.size

    @property
    def levels(self) -> Array:
        """How strongly an item is held at zero."""
        return self.l1

    @property
    def columns(self) -> slice:
        """Columns of X in the order of points."""
        return slice(None)

    def columns_of(self, items: Indices) -> Indices:
        """Columns of some items."""
        return items

    def widths(self, items: Indices) -> Indices:
        """How many columns they have."""
        return np.ones(items.size, dtype=np.int64)

    def moves(self, w: Array) -> NDArray[np.bool_]:
        """Which items are not zero."""
        return np.asarray(w != 0)

    def within(self, w: Array) -> Array:
        """The nearest point between the bounds: steps that end at one may miss it by rounding."""
        return w if self.is_norm else np.clip(w, self.lower, self.upper)

    def at(self, columns: Indices) -> Terms:
        """Those of some coordinates."""
        l1, l2, linear, lower, upper = (
            part[columns] for part in (self.l1, self.l2, self.linear, self.lower, self.upper)
        )
        return Terms(self.kind, self.gamma, l1, l2, linear, lower, upper, self.is_norm)

    def excess(self, w: Array, gradient: Array) -> Array:
        """How far -gradient lies outside the subdifferential; negative, how far inside where it is held."""
        if self.is_norm:
            found = np.abs(gradient)
            found -= self.l1
            support = np.flatnonzero(w != 0)
            found[support] = np.abs(gradient[support] + self.l1[support] * np.sign(w[support]))
            return found
        force = -(gradient + self.linear)
        if self.kind == CONVEX:
            force -= self.l2 * w
            least = np.where(w <= self.lower, -np.inf, np.where(w > 0, self.l1, -self.l1))
            most = np.where(w >= self.upper, np.inf, np.where(w < 0, -self.l1, self.l1))
            return np.maximum(least - force, force - most)
        return np.where(w == 0, np.abs(force) - self.l1, np.abs(force - np.sign(w) * self.slopes(np.abs(w))))

    def slopes(self, a: Array) -> Array:
        """Derivative of the penalty at |w| = a > 0, the ridge not counted."""
        if self.kind == CONVEX:
            return self.l1
        if self.kind == MCP.code:
            return np.maximum(self.l1 - a / self.gamma, 0.0)
        middle = np.maximum(self.gamma * self.l1 - a, 0.0) / (self.gamma - 1.0)
        return np.where(a <= self.l1, self.l1, middle)

    def curvatures(self, a: Array) -> Array:
        """Second derivative there."""
        if self.kind == CONVEX:
            return self.l2
        if self.kind == MCP.code:
            return np.where(a < self.gamma * self.l1, -1.0 / self.gamma, 0.0)
        return np.where((a > self.l1) & (a < self.gamma * self.l1), -1.0 / (self.gamma - 1.0), 0.0)

    def values(self, w: Array) -> float:
        """Sum over the coordinates, bounds not looked at."""
        a = np.abs(w)
        if self.is_norm:
            return float(self.l1 @ a)
        if self.kind == CONVEX:
            return float(np.sum(self.l1 * a + 0.5 * self.l2 * a * a + self.linear * w))
        penalty: Penalty = (MCP if self.kind == MCP.code else SCAD)(self.l1, self.gamma)
        return penalty.value(w)


def terms_of(penalty: Penalty, p: int) -> Terms | None:
    """The terms of a penalty, None where it is not of that form."""
    if isinstance(penalty, PiecewiseQuadratic):
        alone = not penalty.l2.any() and not penalty.linear.any() and penalty.is_unbounded
        return Terms(CONVEX, 1.0, *penalty.arrays(p), alone)
    if isinstance(penalty, (MCP, SCAD)):
        zeros, infinite = np.zeros(p), np.full(p, np.inf)
        lam = np.ascontiguousarray(np.broadcast_to(penalty.lam, (p,)))
        return Terms(penalty.code, penalty.gamma, lam, zeros, zeros, -infinite, infinite)
    return None
