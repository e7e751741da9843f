"""The quadratic of a working set on its Gram matrix, which is cached as the set grows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dpotrs

from ...problems.composite.design import Design
from ...problems.composite.protocol import Array, Indices
from .group_columns import BlockCache
from .quadratic import CoordinateQuadratic
from .terms import Terms

_RIDGES = (0.0, 1e-10, 1e-6)
"""Tried in turn where the matrix of a Newton step is singular, relative to its diagonal."""


class GramCache:
    """X_I' diag(h) X_I of a growing set I, with a best intercept eliminated where there is one.

    Attributes
    ----------
    columns : ndarray of int, shape (m,)
        I, in the order in which it grew.
    blocks : BlockCache or None
        Gram matrices of single groups, kept where the whole one would be too large.
    """

    def __init__(self, design: Design, weights: Array | None, sums: Array | None, total: float) -> None:
        self.design, self.weights = design, weights
        self.sums, self.total = sums, total
        self.columns: Indices = np.empty(0, dtype=np.int64)
        self.blocks: BlockCache | None = None
        self._buffer = np.empty((0, 0))

    @property
    def matrix(self) -> Array:
        """The matrix, (m, m); a view, its rows contiguous."""
        m = self.columns.size
        return self._buffer[:m, :m]

    def extend(self, new: Indices) -> None:
        """Append columns that are not there yet."""
        if not new.size:
            return
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

    def keep(self, which: NDArray[np.bool_]) -> None:
        """Forget the other columns."""
        kept = np.flatnonzero(which)
        self._buffer = np.ascontiguousarray(self._buffer[np.ix_(kept, kept)])
        self.columns = self.columns[kept]


class GramQuadratic(CoordinateQuadratic):
    """w'G w / 2 - q'w + Omega(w) with r = q - G w kept up to date; see `Quadratic`."""

    inner_sweeps, patience = 2, 0

    def __init__(self, G: Array, r: Array, w: Array, terms: Terms) -> None:
        self.G, self.r, self.w, self.terms = G, r, w, terms
        self._moved = r

    def sweeps(self, active: Indices, count: int, goal: float) -> float:
        """On rows of G: a coordinate that moves costs m."""
        from .coordinate_kernels import gram_sweeps

        t = self.terms
        return float(
            gram_sweeps(
                self.G, active, self.r, self.w, t.l1, t.l2, t.lower, t.upper, t.kind, t.gamma, count, goal
            )
        )

    def force(self) -> Array:
        """R."""
        return self.r

    def newton_direction(self, F: Indices, force: Array, curvatures: Array) -> Array | None:
        """By Cholesky, with a small ridge where the matrix is singular; None where it is indefinite."""
        H = self.G.copy() if F.size == self.w.size else self.G[np.ix_(F, F)]
        diagonal = H.diagonal() + curvatures
        for ridge in _RIDGES:
            H.flat[:: F.size + 1] = diagonal * (1.0 + ridge)
            factor, failed = dpotrf(H.T, lower=0, clean=0)
            if not failed:
                d, _ = dpotrs(factor, force, lower=0)
                if np.isfinite(d).all():
                    return np.asarray(d)
        return None

    def product(self, F: Indices, step: Array) -> Array:
        """All of G step at once, since `move` needs it."""
        self._moved = step @ self.G[F]
        return self._moved[F]

    def move(self, F: Indices, step: Array) -> None:
        """By the last product."""
        self.w[F] += step
        self.r -= self._moved
