"""The quadratic of a working set of groups on the columns of X, where a Gram matrix would cost more."""

from __future__ import annotations

import numpy as np

from ...problems.composite.design import Design
from ...problems.composite.protocol import Array, Indices
from .columns import ColumnQuadratic
from .group_terms import GroupTerms
from .terms import CONVEX, Terms

_INNER = 10
_MAX_HALVINGS = 8


class BlockCache:
    """X_g' diag(h) X_g of groups and their largest eigenvalues, an intercept eliminated; kept by group."""

    def __init__(self, design: Design, h: Array | None) -> None:
        self._design, self._h = design, h
        self._place = np.full(design.shape[1], -1)  # of a group, by its first column
        self._blocks, self._bounds = np.empty((0, 0, 0)), np.empty(0)

    def of(self, columns: Indices, terms: GroupTerms, sums: Array, total: float) -> tuple[Array, Array]:
        """Of groups with these columns, weighted sums and total; blocks have room for the widest."""
        firsts = columns[terms.starts[:-1]]
        for groups, rows in terms.by_width(self._place[firsts] < 0):
            blocks = self._design.gram_blocks(columns[rows], self._h)
            if total > 0.0:
                s = sums[rows]
                blocks -= s[:, :, None] * s[:, None, :] / total
            self._keep(firsts[groups], blocks)
        place = self._place[firsts]
        bounds = self._bounds[place]
        return self._blocks[place], np.where(bounds > 1e-14 * bounds.max(initial=0.0), bounds, 0.0)

    def _keep(self, firsts: Indices, blocks: Array) -> None:
        old, width = self._bounds.size, blocks.shape[1]
        widest = max(width, self._blocks.shape[1])
        grown = np.zeros((old + firsts.size, widest, widest))
        grown[:old, : self._blocks.shape[1], : self._blocks.shape[1]] = self._blocks
        grown[old:, :width, :width] = blocks
        self._blocks = grown
        self._bounds = np.concatenate([self._bounds, np.linalg.eigvalsh(blocks)[:, -1]])
        self._place[firsts] = np.arange(old, old + firsts.size)


class GroupColumnQuadratic:
    """As `ColumnQuadratic`, for groups, with a Newton step by conjugate gradients; see `Quadratic`."""

    inner_sweeps, patience = 10, 2

    def __init__(
        self,
        design: Design,
        columns: Indices,
        h: Array | None,
        u: Array,
        w: Array,
        terms: GroupTerms,
        total: float,
        known: tuple[Array, Array] | None = None,
        blocks: BlockCache | None = None,
    ) -> None:
        self.w, self.terms = w, terms
        self._columns = ColumnQuadratic(design, columns, h, u, w, _plain(columns.size), total, known)
        blocks = BlockCache(design, h) if blocks is None else blocks
        self._blocks, self.L = blocks.of(columns, terms, self._columns.sums, total)

    @property
    def items(self) -> int:
        """Number of groups."""
        return self.terms.count

    def moving(self) -> Indices:
        """Groups that are not zero."""
        return np.flatnonzero(self.terms.moves(self.w))

    def sweeps(self, active: Indices, count: int, goal: float) -> float:
        """On the columns: each visit costs the group once, a move twice."""
        from .group_kernels import dense_group_sweeps, sparse_group_sweeps

        inner, t = self._columns, self.terms
        rest = (
            *(t.starts, self._blocks, active, inner.h, inner.sums, inner.total, inner.u, inner.shift),
            *(self.w, t.levels, t.l1, t.l2, self.L, count, _INNER, goal),
        )
        if inner.design.kind == "sparse":
            parts = inner.design.parts  # type: ignore[attr-defined]
            worst, inner.shift = sparse_group_sweeps(*parts, inner.columns, *rest)
        else:
            X, columns = inner.by_columns()
            worst, inner.shift = dense_group_sweeps(X, columns, *rest)
        return float(worst)

    def newton(self) -> bool:
        """A Newton step on the entries that are not zero; never is another due before the next sweep.

        The Hessian of level ||w_g|| is (level / ||w_g||) (I - w_g w_g' / ||w_g||^2).
        """
        F = np.flatnonzero(self.w)
        if not F.size:
            return False
        terms, old = self.terms, self.w[F]
        norms = terms.norms(self.w)
        safe = np.where(norms > 0, norms, 1.0)
        ratios = terms.repeat(np.where(norms > 0, terms.levels / safe, 0.0))[F]
        units = old / terms.repeat(safe)[F]
        group = np.repeat(np.arange(terms.count), np.diff(terms.starts))[F]
        force = self._columns.force()[F]
        slope = force - (ratios + terms.l2) * old - terms.l1 * np.sign(old)

        def curved(v: Array) -> Array:
            along = np.bincount(group, units * v, terms.count)[group]
            return np.asarray((ratios + terms.l2) * v - ratios * units * along)

        d = self._columns.conjugate_gradients(F, slope, curved, ratios + terms.l2)
        if d is not None:
            self._search(F, old, d, force)
        return False

    def _search(self, F: Indices, old: Array, d: Array, force: Array) -> None:
        """Halve the step until the objective falls; with l1, what changes its sign stays at zero."""
        terms, cost = self.terms, self.terms.values(self.w)
        for k in range(_MAX_HALVINGS):
            new = old + 0.5**k * d
            if terms.l1:
                new[new * old < 0] = 0.0
            step, trial = new - old, self.w.copy()
            trial[F] = new
            change = float(step @ (0.5 * self._columns.product(F, step) - force))
            if change + terms.values(trial) - cost < 0.0:
                self._columns.move(F, step)
                return


def _plain(size: int) -> Terms:
    """No penalty: that of the groups is looked after here."""
    zeros, infinite = np.zeros(size), np.full(size, np.inf)
    return Terms(CONVEX, 1.0, zeros, zeros, zeros, -infinite, infinite)
