"""A quadratic over a working set: sweeps that find the signs, then Newton steps that end the matter.

min over w of w'G w / 2 - q'w + Omega(w). The two-metric projection of the paper (section 5.3): a Newton step
on the coordinates off their kinks and bounds; what would cross one is set to it.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ...problems.composite.design import Design
from ...problems.composite.protocol import Array, Indices
from .terms import CONVEX, Terms

_SWEEPS = 4
"""Between Newton steps: enough to let signs change, few enough not to do the Newton step's work."""

_MAX_ROUNDS = 200
_MAX_HALVINGS = 12
_RIDGE = 1e-10


class GramCache:
    """X_I' diag(h) X_I of a growing set I, with a best intercept eliminated where there is one."""

    def __init__(self, design: Design, weights: Array | None, sums: Array | None, total: float) -> None:
        self.design, self.weights = design, weights
        self.sums, self.total = sums, total
        self.columns: Indices = np.empty(0, dtype=np.int64)
        self._buffer = np.empty((0, 0))

    @property
    def matrix(self) -> Array:
        """The matrix, (m, m), rows not contiguous with each other."""
        m = self.columns.size
        return self._buffer[:m, :m]

    def extend(self, new: Indices) -> None:
        """Append columns that are not there yet."""
        old = self.columns.size
        columns = np.concatenate([self.columns, new])
        rows = self.design.gram_rows(columns, old, self.weights)
        if self.sums is not None:
            s = self.sums[columns]
            rows -= np.outer(s[old:] / self.total, s)
        m = columns.size
        if m > self._buffer.shape[0]:
            grown = np.empty((m + m // 2 if old else m,) * 2)
            grown[:old, :old] = self._buffer[:old, :old]
            self._buffer = grown
        self._buffer[old:m, :m] = rows
        self._buffer[:old, old:m] = rows[:, :old].T
        self.columns = columns


def minimise_on_gram(
    G: Array, r: Array, w: Array, terms: Terms, goal: float, check: Callable[[], None], newton: bool = True
) -> float:
    """Minimise over w, in place; r = q - linear - G w is kept up to date.

    Parameters
    ----------
    G : ndarray, shape (m, m)
        Symmetric; rows contiguous.
    r, w : ndarray, shape (m,)
        Residual force and point, changed.
    terms : Terms
        Penalties of the m coordinates (their linear parts are in r).
    goal : float
        Largest violation of the optimality conditions that is left.
    check : callable
        Called between rounds; raises where time is up.
    newton : bool
        Whether to end by Newton steps.

    Returns
    -------
    float
        The largest step times curvature of the last sweep.
    """
    from .coordinate_kernels import gram_sweeps

    everything = np.arange(w.size)
    parts = (terms.l1, terms.l2, terms.lower, terms.upper, terms.kind, terms.gamma)
    worst = np.inf
    for _ in range(_MAX_ROUNDS):
        check()
        worst = gram_sweeps(G, everything, r, w, *parts, 1, goal)
        if worst <= goal:
            break
        moving = np.flatnonzero(w)
        gram_sweeps(G, moving, r, w, *parts, _SWEEPS, goal)
        if newton:
            newton_step(G, r, w, terms)
    return worst


def newton_step(G: Array, r: Array, w: Array, terms: Terms) -> bool:
    """One projected Newton step on the support; whether the objective fell."""
    a = np.abs(w)
    free = (w > terms.lower) & (w < terms.upper) & ((w != 0) | (terms.l1 == 0))
    F = np.flatnonzero(free)
    if F.size == 0:
        return False
    if F.size == w.size:
        H = G.copy()
    else:
        H = G[np.ix_(F, F)]
    curvatures = terms.curvatures(a)[F]
    force = r[F] - np.sign(w[F]) * terms.slopes(a)[F]
    if terms.kind == CONVEX:
        force -= curvatures * w[F]
    H.flat[:: F.size + 1] += curvatures
    d = _solve(H, force)
    return d is not None and _projected_search(G, r, w, terms, F, d, force)


def _solve(H: Array, force: Array) -> Array | None:
    """H^-1 force; with a ridge where H is singular, None where it is indefinite beyond that."""
    diagonal = H.diagonal().copy()
    for ridge in (0.0, _RIDGE, 1e-6):
        H.flat[:: force.size + 1] = diagonal * (1.0 + ridge)
        factor, failed = dpotrf(H.T, lower=0, clean=0)
        if not failed:
            d, _ = dpotrs(factor, force, lower=0)
            if np.isfinite(d).all():
                return np.asarray(d)
    return None


def _projected_search(
    G: Array, r: Array, w: Array, terms: Terms, F: Indices, d: Array, force: Array
) -> bool:
    """Along the projection of w + alpha d onto the orthant and the bounds; r and w follow."""
    old = w[F]
    part = terms.at(F)
    sign = np.sign(old)
    cost = part.values(old) - float(part.linear @ old)
    alpha = 1.0
    for _ in range(_MAX_HALVINGS):
        new = np.clip(old + alpha * d, part.lower, part.upper)
        crossed = (new * sign < 0) & (part.l1 > 0)
        new[crossed] = 0.0
        step = new - old
        Gd = step @ G[F]
        change = float(step @ (0.5 * Gd[F] - r[F])) + part.values(new) - float(part.linear @ new) - cost
        if change < 0.0:
            w[F] = new
            r -= Gd
            return True
        alpha *= 0.5
    return False
