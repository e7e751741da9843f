"""The quadratic of a working set on the columns of X: for sets whose Gram matrix would cost more."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ...problems.composite.design import DenseDesign, Design, SparseDesign
from ...problems.composite.protocol import Array, Indices
from .conjugate_gradients import truncated_cg
from .quadratic import CoordinateQuadratic
from .terms import Terms

_MAX_CG, _CG_TOLERANCE = 30, 0.1
"""Sweeps are cheaper than a sharper Newton direction, of which most is projected away."""

_NONE = np.empty(0)


class ColumnQuadratic(CoordinateQuadratic):
    """sum_i h_i (x_i's + b)^2 / 2 - u'X s + Omega(w + s), b the best intercept; see `Quadratic`.

    Parameters
    ----------
    design : Design
        X, sparse or dense.
    columns : ndarray of int, shape (m,)
        The working set.
    h : ndarray, shape (n,), or None
        Curvatures of the samples, ones where None.
    u : ndarray, shape (n,)
        Negative gradient of the samples at w; changed in place as w moves.
    w : ndarray, shape (m,)
        Point, changed in place.
    terms : Terms
        Penalties of the columns.
    total : float
        Sum of h with an intercept, 0 without.
    known : pair of ndarray, shape (m,), optional
        Sums and squares of the columns, weighted by h, where they need not be computed.
    """

    inner_sweeps, patience = 5, 3

    def __init__(
        self,
        design: Design,
        columns: Indices,
        h: Array | None,
        u: Array,
        w: Array,
        terms: Terms,
        total: float,
        known: tuple[Array, Array] | None = None,
    ) -> None:
        self.design, self.columns, self.u, self.w, self.terms = design, columns, u, w, terms
        self.h = _NONE if h is None else h
        self.total, self.shift = total, 0.0
        self.sums, squares = self._sums_and_squares() if known is None else known
        if total > 0.0:
            # A constant column has nothing left but rounding.
            left = squares - self.sums**2 / total
            squares = np.where(left > 1e-12 * squares, left, 0.0)
        self.L = squares

    def _sums_and_squares(self) -> tuple[Array, Array]:
        h = np.ones(self.u.size) if self.h.size == 0 else self.h
        squares, sums = self.design.squares_of(self.columns, h)
        return sums, squares

    def sweeps(self, active: Indices, count: int, goal: float) -> float:
        """On the columns: each visit costs the column once, a move twice."""
        from .coordinate_kernels import dense_sweeps, sparse_sweeps

        t, design = self.terms, self.design
        rest = (
            *(self.h, self.sums, self.total, self.L, self.u, self.shift, self.w),
            *(t.l1, t.l2, t.lower, t.upper, t.kind, t.gamma, t.linear, count, goal),
        )
        if isinstance(design, SparseDesign):
            worst, self.shift = sparse_sweeps(*design.parts, active, self.columns, *rest)
        else:
            X, columns = self.by_columns()
            worst, self.shift = dense_sweeps(X, active, columns, *rest)
        return float(worst)

    def by_columns(self) -> tuple[Any, Indices]:
        """X as it is where it stands by columns, else the working set gathered, once."""
        if isinstance(self.design, DenseDesign) and self.design.by_columns:
            return self.design.X, self.columns
        if not hasattr(self, "_gathered"):
            self._gathered = self.design.columns(self.columns), np.arange(self.columns.size)
        return self._gathered

    def force(self) -> Array:
        """X'u, less the linear parts."""
        return self.design.adjoint_of(self.columns, self.u) + self.shift * self.sums - self.terms.linear

    def newton_direction(self, F: Indices, force: Array, curvatures: Array) -> Array | None:
        """By conjugate gradients."""
        return self.conjugate_gradients(F, force, lambda v: curvatures * v, curvatures)

    def conjugate_gradients(
        self, F: Indices, force: Array, curved: Callable[[Array], Array], diagonal: Array
    ) -> Array | None:
        """(H_FF + C)^-1 force, C v = curved(v), with the diagonal as preconditioner.

        Where curvature is negative, what there is so far; None where that is nothing.
        """
        scale = 1.0 / np.maximum(self.L[F] + diagonal, 1e-300)
        return truncated_cg(lambda v: self.product(F, v) + curved(v), force, scale, _CG_TOLERANCE, _MAX_CG)

    def product(self, F: Indices, step: Array) -> Array:
        """Two passes over the columns F."""
        columns = self.columns[F]
        moved = np.zeros(self.u.size)
        self.design.add_columns(columns, step, moved)
        if self.h.size:
            moved *= self.h
        self._moved = moved
        back = self.design.adjoint_of(columns, moved)
        if self.total > 0.0:
            sums = self.sums[F]
            back -= sums * (float(sums @ step) / self.total)
        return back

    def move(self, F: Indices, step: Array) -> None:
        """By the last product."""
        self.w[F] += step
        self.u -= self._moved
        if self.total > 0.0:
            self.shift += float(self.sums[F] @ step) / self.total
