"""Group lasso and sparse group lasso."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np

from .inputs import level
from .protocol import Array, Indices, Penalty

_EPS = float(np.finfo(np.float64).eps)


class SparseGroupLasso(Penalty):
    """Sum over groups of lam factors_g ||w_g||_2, plus l1 ||w||_1 and l2 ||w||_2^2 / 2.

    Parameters
    ----------
    lam : float
        Level >= 0 of the group norms.
    groups : int, str or sequence
        A number: groups of that many coordinates, one after the other. ``"rows"``: the rows of w, (p, k), for
        several outputs. A sequence of index arrays: the groups, every coordinate in exactly one of them.
    l1 : float
        Level >= 0 of the L1 norm.
    factors : array_like, shape (number of groups,), optional
        Factors >= 0 of the groups; default: the square roots of their sizes.
    l2 : float
        Level >= 0 of a ridge.
    """

    separable = False

    def __init__(self, lam: Any, groups: Any, l1: Any = 0.0, factors: Any = None, l2: Any = 0.0) -> None:
        self.lam, self.l1, self.l2 = (
            float(level(name, value, array=False)) for name, value in (("lam", lam), ("l1", l1), ("l2", l2))
        )
        self.groups = _checked_groups(groups)
        self.factors = None if factors is None else level("factors", factors)
        if self.factors is not None and not self.factors.ndim:
            raise ValueError("factors must have one entry for every group, got a single number")

    # ---- which coordinates belong together -------------------------------------------------------------

    def layout(self, shape: tuple[int, ...]) -> tuple[Indices, Indices, Array]:
        """The groups of w, flat: where each begins in `order`, the coordinates `order`, levels lam factors.

        Returns
        -------
        starts : ndarray of int, shape (groups + 1,)
        order : ndarray of int, shape (w.size,)
        levels : ndarray, shape (groups,)
        """
        size = int(np.prod(shape))
        if isinstance(self.groups, list):
            sizes = np.array([len(group) for group in self.groups])
            order = np.concatenate(self.groups)
        else:
            each = size // shape[0] if self.groups == "rows" else int(self.groups)
            sizes = np.full(size // each, each)
            order = np.arange(size)
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        factors = np.sqrt(sizes) if self.factors is None else self.factors
        return starts, order.astype(np.int64), self.lam * factors

    def check(self, shape: tuple[int, ...]) -> None:
        size = int(np.prod(shape))
        if isinstance(self.groups, int) and size % self.groups:
            raise ValueError(f"groups of {self.groups} do not divide the {size} coordinates of w")
        if isinstance(self.groups, list):
            count = np.zeros(size, dtype=int)
            for g, group in enumerate(self.groups):
                if group.min() < 0 or group.max() >= size:
                    wrong = group.min() if group.min() < 0 else group.max()
                    raise ValueError(f"groups[{g}] has coordinate {wrong}, w has {size}")
                np.add.at(count, group, 1)
            if (count != 1).any():
                j = int(np.argmax(count != 1))
                what = "in no group" if count[j] == 0 else f"in {count[j]} groups"
                raise ValueError(f"groups must have every coordinate exactly once, but {j} is {what}")
        starts = self.layout(shape)[0]
        if self.factors is not None and self.factors.size != starts.size - 1:
            raise ValueError(
                f"factors must have one entry for each of the {starts.size - 1} groups, "
                f"got {self.factors.size}"
            )

    def _norms(self, v: Array) -> tuple[Array, Array, Indices, Indices]:
        """Norms and levels of the groups, with the layout."""
        starts, order, levels = self.layout(v.shape)
        squares = np.add.reduceat(v.ravel()[order] ** 2, starts[:-1])
        return np.sqrt(squares), levels, starts, order

    # ---- the protocol ----------------------------------------------------------------------------------

    def value(self, w: Array) -> float:
        norms, levels, _, _ = self._norms(w)
        return float(levels @ norms + self.l1 * np.abs(w).sum() + 0.5 * self.l2 * np.vdot(w, w))

    def prox(self, v: Array, step: float | Array) -> Array:
        step = float(step)
        u = _soft(v, step * self.l1)
        norms, levels, starts, order = self._norms(u)
        with np.errstate(divide="ignore", invalid="ignore"):
            shrink = np.where(norms > step * levels, 1.0 - step * levels / norms, 0.0)
        factor = np.empty(v.size)
        factor[order] = np.repeat(shrink / (1.0 + step * self.l2), np.diff(starts))
        return u * factor.reshape(v.shape)

    def _forces(self, w: Array, gradient: Array) -> tuple[Array, Array, Array]:
        """Residual forces by group, norms of w and levels: (force norm beyond l1 where w_g = 0, ...)."""
        norms, levels, starts, order = self._norms(w)
        shrunk = np.empty(w.size)
        with np.errstate(divide="ignore", invalid="ignore"):
            shrunk[order] = np.repeat(np.where(norms > 0, levels / norms, 0.0), np.diff(starts))
        force = -(gradient + self.l2 * w) - shrunk.reshape(w.shape) * w
        force = np.where(w != 0, force - self.l1 * np.sign(w), _soft(force, self.l1))
        return np.sqrt(np.add.reduceat(force.ravel()[order] ** 2, starts[:-1])), norms, levels

    def stationarity(self, w: Array, gradient: Array) -> Array:
        forces, norms, levels = self._forces(w, gradient)
        return np.where(norms > 0, forces, np.maximum(forces - levels, 0.0))

    def slack(self, w: Array, gradient: Array) -> float:
        """Over the groups at zero; zeros within a group count by their l1 level."""
        forces, norms, levels = self._forces(w, gradient)
        slack = float((levels - forces)[norms == 0].min(initial=np.inf))
        if self.l1:
            starts, order, _ = self.layout(w.shape)
            alive = np.empty(w.size, dtype=bool)
            alive[order] = np.repeat(norms > 0, np.diff(starts))
            held = alive & (w.ravel() == 0)
            slack = min(slack, float((self.l1 - np.abs(gradient.ravel()))[held].min(initial=np.inf)))
        return slack

    def conjugate(self, v: Array) -> float:
        norms, levels, _, _ = self._norms(_soft(v, self.l1))
        beyond = np.maximum(norms - levels, 0.0)
        if self.l2 == 0:
            return np.inf if (beyond > 0).any() else 0.0
        return 0.5 * float(beyond @ beyond) / self.l2

    def dual_scale(self, v: Array) -> float:
        if self.l2 > 0:
            return 1.0
        norms, levels, _, _ = self._norms(_soft(v, self.l1))
        if (norms <= levels).all():
            return 1.0
        norm = self.dual_norm(v)
        return 0.0 if norm == np.inf else (1.0 - 64.0 * _EPS) / norm

    def dual_norm(self, v: Array) -> float:
        """By group the root t of ||soft(v_g, t l1)|| = t lam factors_g; the largest of them."""
        norms, levels, _, _ = self._norms(v)
        if self.l1 == 0:
            with np.errstate(divide="ignore", invalid="ignore"):
                return float(np.max(np.where(norms > 0, norms / levels, 0.0), initial=0.0))
        low, high = 0.0, float(np.max(np.abs(v), initial=0.0)) / self.l1
        while high - low > 4 * _EPS * high:
            middle = 0.5 * (low + high)
            inside = (self._norms(_soft(v, middle * self.l1))[0] <= middle * levels).all()
            low, high = (low, middle) if inside else (middle, high)
        return high

    def restricted(self, block: Indices) -> Penalty:
        """The penalty of a block that consists of whole groups."""
        if not isinstance(self.groups, list):
            raise self.lacks("restricted to blocks, unless its groups are given as index arrays")
        position = {int(j): i for i, j in enumerate(block)}
        inside = [g for g, group in enumerate(self.groups) if int(group[0]) in position]
        try:
            groups = [np.array([position[int(j)] for j in self.groups[g]]) for g in inside]
        except KeyError as error:
            raise ValueError(f"the block cuts a group: coordinate {error} is not in it") from None
        factors = None if self.factors is None else self.factors[inside]
        return SparseGroupLasso(self.lam, groups, self.l1, factors, self.l2)

    def scaled(self, factor: float) -> SparseGroupLasso:
        return SparseGroupLasso(
            factor * self.lam, self.groups, factor * self.l1, self.factors, factor * self.l2
        )


class GroupLasso(SparseGroupLasso):
    """Sum over groups of lam factors_g ||w_g||_2 (Yuan and Lin 2006).

    Parameters
    ----------
    lam : float
        Level >= 0.
    groups : int, str or sequence
        A number: groups of that many coordinates, one after the other. ``"rows"``: the rows of w, (p, k), for
        several outputs. A sequence of index arrays: the groups, every coordinate in exactly one of them.
    factors : array_like, shape (number of groups,), optional
        Factors >= 0 of the groups; default: the square roots of their sizes.
    l2 : float
        Level >= 0 of a ridge.
    """

    def __init__(self, lam: Any, groups: Any, factors: Any = None, l2: Any = 0.0) -> None:
        super().__init__(lam, groups, 0.0, factors, l2)


def _checked_groups(groups: Any) -> int | str | list[Indices]:
    if isinstance(groups, str):
        if groups != "rows":
            raise ValueError(f"groups must be a number, 'rows' or a sequence of index arrays, got {groups!r}")
        return groups
    if isinstance(groups, (int, np.integer)):
        if groups < 1:
            raise ValueError(f"groups must have at least one coordinate each, got {groups}")
        return int(groups)
    if not isinstance(groups, Iterable):
        raise TypeError(f"groups must be an integer, 'rows' or a sequence of index arrays, got {groups!r}")
    found = []
    for g, group in enumerate(groups):
        indices = np.asarray(group)
        if indices.ndim != 1 or indices.size == 0:
            raise ValueError(f"groups[{g}] must be a non-empty list of coordinates, got {group!r}")
        if indices.dtype.kind not in "iu":
            raise TypeError(f"groups[{g}] must hold integers, got {indices.dtype}")
        found.append(indices.astype(np.int64))
    if not found:
        raise ValueError("groups must not be empty")
    return found


def _soft(v: Array, threshold: float) -> Array:
    return np.sign(v) * np.maximum(np.abs(v) - threshold, 0.0) if threshold else v
