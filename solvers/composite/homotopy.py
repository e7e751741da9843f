"""The model of a block by homotopy: the solution is followed from a problem that x solves to the one wanted.

The model's linear part c is changed to c + v, with v the forces at x that no subgradient balances, so that x
is a solution; then v is taken back in proportion. On the way the solution is piecewise linear, and at each
break a coordinate reaches a kink or a bound, or leaves one. This is the lasso's homotopy (Osborne, Presnell
and Turlach 2000) and the path of a support vector machine's dual, with the warm start of H. J. Ferreau,
H. G. Bock, M. Diehl, "An online active set strategy", Int. J. Robust Nonlinear Control 18 (2008).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ...problems.composite.penalties import PiecewiseQuadratic
from ...problems.composite.protocol import Array, Indices
from .model import minimize_model

_BREAKS = 20
"""Times the size of the block: breaks after which cycling is suspected."""


def follow_path(H: Array, g: Array, x: Array, penalty: PiecewiseQuadratic) -> Array:
    """Argmin over u of g'(u - x) + (u - x)'H(u - x) / 2 + penalty(u), exactly.

    Parameters
    ----------
    H : ndarray, shape (tau, tau)
        Positive definite on the coordinates that are free at once; elsewhere `minimize_model` answers.
    g, x : ndarray, shape (tau,)
        Gradient at x, and x within the bounds.
    penalty : PiecewiseQuadratic
        Of the block.
    """
    path = _Path(H, g, x, penalty)
    try:
        for _ in range(_BREAKS * (x.size + 1)):
            if path.advance():
                return path.u
    except np.linalg.LinAlgError:
        pass
    return minimize_model(H, g, path.u_start, penalty)


class _Path:
    """Where the path stands: u, the forces, and which coordinates are free, with the signs they have."""

    def __init__(self, H: Array, g: Array, x: Array, penalty: PiecewiseQuadratic) -> None:
        self.l1, l2, linear, self.lower, self.upper = penalty.arrays(x.size)
        self.u = self.u_start = x.copy()
        self.H = H + np.diag(l2)
        self.force = -(g + linear + l2 * x)
        at_kink = (x == 0) & (self.l1 > 0)
        self.free: NDArray[np.bool_] = ~(at_kink | (x <= self.lower) | (x >= self.upper))
        self.sign = np.sign(x)
        least, most = self._interval()
        balanced = np.where(self.free, self.l1 * self.sign, np.clip(self.force, least, most))
        self.v = self.force - balanced
        self.force = balanced
        self.left = 1.0

    def _interval(self) -> tuple[Array, Array]:
        """Forces that hold a coordinate which is not free."""
        least = np.where(self.u <= self.lower, -np.inf, np.where(self.u > 0, self.l1, -self.l1))
        most = np.where(self.u >= self.upper, np.inf, np.where(self.u < 0, -self.l1, self.l1))
        return least, most

    def advance(self) -> bool:
        """Go to the next break; whether that is the end."""
        free = np.flatnonzero(self.free)
        du = np.zeros(self.u.size)
        if free.size:
            du[free] = np.linalg.solve(self.H[np.ix_(free, free)], self.v[free])
        df = self.v - self.H @ du
        df[free] = 0.0
        ends, room_free = self._room_of_free(free, du)
        room_held = self._room_of_held(df)
        t = min(self.left, float(room_free.min(initial=np.inf)), float(room_held.min(initial=np.inf)))
        self.u = self.u + t * du
        self.force = self.force + t * df
        self.left -= t
        if self.left <= 0.0:
            return True
        if room_free.min(initial=np.inf) <= t:
            k = int(np.argmin(room_free))
            self.u[free[k]], self.free[free[k]] = ends[k], False
        else:
            i = int(np.argmin(room_held))
            self.free[i] = True
            self.sign[i] = np.sign(self.u[i]) or np.sign(df[i])
        return False

    def _room_of_free(self, free: Indices, du: Array) -> tuple[Array, Array]:
        """Where each free coordinate is headed to, and the step that takes it there."""
        u, d = self.u[free], du[free]
        ends = np.where(d > 0, self.upper[free], self.lower[free])
        kinked = (self.l1[free] > 0) & (self.sign[free] * d < 0)
        ends = np.where(kinked, np.where(d > 0, np.minimum(ends, 0.0), np.maximum(ends, 0.0)), ends)
        with np.errstate(divide="ignore", invalid="ignore"):
            return ends, np.where(d != 0, np.maximum((ends - u) / d, 0.0), np.inf)

    def _room_of_held(self, df: Array) -> Array:
        """The step with which the force leaves the interval that holds a coordinate."""
        least, most = self._interval()
        with np.errstate(divide="ignore", invalid="ignore"):
            room = np.where(df > 0, (most - self.force) / df, (least - self.force) / df)
        return np.where(self.free | (df == 0) | (self.lower == self.upper), np.inf, np.maximum(room, 0.0))
