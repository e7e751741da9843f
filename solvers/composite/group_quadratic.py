"""The quadratic of a working set of groups: block sweeps, then Newton steps where the norms are smooth."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from scipy.linalg.lapack import dpotrf, dpotrs

from ...problems.composite.protocol import Array, Indices
from .group_terms import GroupTerms

_INNER = 10
_NEWTON_LIMIT = 3000
"""Unknowns of a Newton step, at most: beyond, sweeps alone."""

_MAX_HALVINGS = 12


class GroupQuadratic:
    """tr(w'G w) / 2 - <q, w> + Omega(w) for w (m,) or (m, k), r = q - G w kept; see `Quadratic`."""

    inner_sweeps, patience = 3, 0

    def __init__(self, G: Array, r: Array, w: Array, terms: GroupTerms) -> None:
        self.G, self.w, self.terms = G, w, terms
        # A reshape to (m, -1) fails where there is no group yet.
        self._w, self._r = (w, r.copy()) if w.ndim == 2 else (w[:, None], r[:, None].copy())
        self.L = self._block_bounds()

    def _block_bounds(self) -> Array:
        """The largest eigenvalues of the diagonal blocks; 0 where nothing but rounding is left."""
        bounds = np.zeros(self.terms.count)
        for groups, rows in self.terms.by_width():
            bounds[groups] = np.linalg.eigvalsh(self.G[rows[:, :, None], rows[:, None, :]])[:, -1]
        return np.where(bounds > 1e-14 * bounds.max(initial=0.0), bounds, 0.0)

    @property
    def items(self) -> int:
        """Number of groups."""
        return self.terms.count

    def moving(self) -> Indices:
        """Groups that are not zero."""
        return np.flatnonzero(self.terms.moves(self.w))

    def sweeps(self, active: Indices, count: int, goal: float) -> float:
        """On rows of G."""
        from .group_kernels import group_sweeps

        t = self.terms
        inner = _INNER if np.any(np.diff(t.starts) > 1) or t.l1 else 1
        return float(
            group_sweeps(
                self.G, t.starts, active, self._r, self._w, t.levels, t.l1, t.l2, self.L, count, inner, goal
            )
        )

    def newton(self) -> bool:
        """A Newton step on the entries that are not zero; never is another due before the next sweep.

        The Hessian of level ||w_g|| is (level / ||w_g||) (I - w_g w_g' / ||w_g||^2).
        """
        w, terms = self._w, self.terms
        rows, outputs = np.nonzero(w)
        if not 0 < rows.size <= _NEWTON_LIMIT:
            return False
        norms = terms.norms(self.w)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = terms.repeat(np.where(norms > 0, terms.levels / norms, 0.0))[rows]
            units = w[rows, outputs] / terms.repeat(np.where(norms > 0, norms, 1.0))[rows]
        group = np.repeat(np.arange(terms.count), np.diff(terms.starts))[rows]
        values = w[rows, outputs]
        force = self._r[rows, outputs] - (ratios + terms.l2) * values - terms.l1 * np.sign(values)
        H = self.G[np.ix_(rows, rows)]
        if w.shape[1] > 1:
            H *= outputs[:, None] == outputs
        for first, last in _runs(group):
            inside = slice(first, last)
            H[inside, inside] -= ratios[first] * np.outer(units[inside], units[inside])
        H.flat[:: rows.size + 1] += ratios + terms.l2
        H.flat[:: rows.size + 1] *= 1.0 + 1e-12
        factor, failed = dpotrf(H.T, lower=0, clean=0)
        if failed:
            return False
        d, _ = dpotrs(factor, force, lower=0)
        if np.isfinite(d).all():
            self._search(rows, outputs, values, d)
        return False

    def _search(self, rows: Indices, outputs: Indices, old: Array, d: Array) -> None:
        """Halve the step until the objective falls; with l1, what changes its sign stays at zero."""
        terms, w = self.terms, self._w
        cost = terms.values(self.w)
        alpha = 1.0
        for _ in range(_MAX_HALVINGS):
            new = old + alpha * d
            if terms.l1:
                new[new * old < 0] = 0.0
            step = np.zeros_like(w)
            step[rows, outputs] = new - old
            moved = self.G @ step
            trial = (w + step).reshape(self.w.shape)
            change = float(np.vdot(step, 0.5 * moved - self._r)) + terms.values(trial) - cost
            if change < 0.0:
                w += step
                self._r -= moved
                return
            alpha *= 0.5


def _runs(labels: Indices) -> list[tuple[int, int]]:
    """Where runs of equal labels begin and end."""
    cuts = np.flatnonzero(np.diff(labels)) + 1
    edges = [0, *cuts.tolist(), labels.size]
    return list(pairwise(edges))
