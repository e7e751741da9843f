"""Group penalties in the form the kernels know, for a set of groups."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...problems.composite.group_penalties import SparseGroupLasso
from ...problems.composite.protocol import Array, Indices


@dataclass(frozen=True)
class GroupTerms:
    """levels_g ||w_g|| + l1 ||w_g||_1 + l2 ||w_g||^2 / 2 over groups of rows of w, (m,) or (m, k).

    Attributes
    ----------
    order : ndarray of int, shape (m,)
        Columns of X, group after group; points and gradients come in this order.
    starts : ndarray of int, shape (groups + 1,)
        Where the groups begin in it.
    levels : ndarray, shape (groups,)
    l1, l2 : float
    """

    order: Indices
    starts: Indices
    levels: Array
    l1: float
    l2: float
    linear: float = 0.0

    @property
    def count(self) -> int:
        """Number of groups."""
        return self.levels.size

    @property
    def columns(self) -> Indices:
        """Columns of X in the order of points."""
        return self.order

    def columns_of(self, items: Indices) -> Indices:
        """Columns of some groups, one group after the other."""
        return self.order[self._rows_of(items)]

    def widths(self, items: Indices) -> Indices:
        """How many columns some groups have."""
        return self.starts[items + 1] - self.starts[items]

    def _rows_of(self, items: Indices) -> Indices:
        widths = self.widths(items)
        ends = np.cumsum(widths)
        inside = np.arange(ends[-1] if ends.size else 0) - np.repeat(ends - widths, widths)
        return np.asarray(np.repeat(self.starts[items], widths) + inside)

    def within(self, w: Array) -> Array:
        """W itself: groups have no bounds."""
        return w

    def at(self, items: Indices) -> GroupTerms:
        """Those of some groups."""
        starts = np.concatenate([[0], np.cumsum(self.widths(items))]).astype(np.int64)
        return GroupTerms(self.columns_of(items), starts, self.levels[items], self.l1, self.l2)

    def by_width(self, which: NDArray[np.bool_] | None = None) -> Iterator[tuple[Indices, Indices]]:
        """Groups of equal width, all or some, and their rows, (groups, width), for each width there is."""
        widths = np.diff(self.starts)
        if which is not None:
            widths = np.where(which, widths, 0)
        for width in np.unique(widths[widths > 0]):
            groups = np.flatnonzero(widths == width)
            yield groups, self.starts[groups][:, None] + np.arange(width)

    def norms(self, v: Array) -> Array:
        """Euclidean norms of the groups of v."""
        if self.count == 0:
            return np.empty(0)
        squares = v * v if v.ndim == 1 else np.einsum("ij,ij->i", v, v)
        return np.sqrt(np.add.reduceat(squares, self.starts[:-1]))

    def repeat(self, by_group: Array) -> Array:
        """A value of every group at each of its rows."""
        return np.repeat(by_group, np.diff(self.starts))

    def moves(self, w: Array) -> NDArray[np.bool_]:
        """Which groups are not zero."""
        return self.norms(w) > 0

    def excess(self, w: Array, gradient: Array) -> Array:
        """How far -gradient lies outside the subdifferential; negative, how far inside where w_g = 0."""
        norms = self.norms(w)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(norms > 0, self.levels / norms, 0.0)
        pull = self.repeat(ratios + self.l2)
        force = -gradient - (pull if w.ndim == 1 else pull[:, None]) * w
        if self.l1:
            shrunk = np.sign(force) * np.maximum(np.abs(force) - self.l1, 0.0)
            force = np.where(w != 0, force - self.l1 * np.sign(w), shrunk)
        return self.norms(force) - np.where(norms > 0, 0.0, self.levels)

    def values(self, w: Array) -> float:
        """Sum over the groups."""
        value = float(self.levels @ self.norms(w)) + 0.5 * self.l2 * float(np.vdot(w, w))
        return value + (self.l1 * float(np.abs(w).sum()) if self.l1 else 0.0)


def group_terms_of(penalty: SparseGroupLasso, shape: tuple[int, ...]) -> GroupTerms | None:
    """The terms of a group penalty: groups of coordinates, or with several outputs the rows of w."""
    if len(shape) == 1:
        starts, order, levels = penalty.layout(shape)
        return GroupTerms(order, starts, levels, penalty.l1, penalty.l2)
    if penalty.groups == "rows":
        _, _, levels = penalty.layout(shape)
        rows = np.arange(shape[0] + 1)
        return GroupTerms(rows[:-1], rows, levels, penalty.l1, penalty.l2)
    return None
