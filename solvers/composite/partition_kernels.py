"""Graphs of sparse symmetric matrices (CSR, both triangles): forests, vertex by vertex."""

from __future__ import annotations

import numpy as np
from numba import njit, types

_INTS = types.Array(types.int64, 1, "C", readonly=True)
_OPTIONS = {"cache": True, "nogil": True}


@njit(types.int64(types.int64[::1], types.int64), **_OPTIONS)
def _root(parent, i):
    """Root of i's tree in a union-find structure, halving the path to it."""
    while parent[i] != i:
        parent[i] = parent[parent[i]]
        i = parent[i]
    return i


@njit(
    types.boolean(
        _INTS,
        _INTS,
        types.int64,
        types.int64[::1],
        types.int64,
        types.int64[::1],
        types.int64[::1],
        types.int64,
    ),
    **_OPTIONS,
)
def _may_join(indptr, indices, i, forest, k, parent, seen, stamp):
    """Whether no two neighbours of i in forest k share a tree."""
    for e in range(indptr[i], indptr[i + 1]):
        j = indices[e]
        if j != i and forest[j] == k:
            root = _root(parent, j)
            if seen[root] == stamp:
                return False
            seen[root] = stamp
    return True


@njit(types.void(_INTS, _INTS, types.int64, types.int64[::1], types.int64, types.int64[::1]), **_OPTIONS)
def _join(indptr, indices, i, forest, k, parent):
    """Put i in forest k: it links the trees of its neighbours there."""
    forest[i] = k
    for e in range(indptr[i], indptr[i + 1]):
        j = indices[e]
        if j != i and forest[j] == k:
            parent[_root(parent, j)] = i


@njit(types.int64[::1](_INTS, _INTS, _INTS), **_OPTIONS)
def first_fit_forests(indptr, indices, order):
    """Number of each vertex's forest: the first in which it closes no cycle."""
    n = indptr.size - 1
    forest = np.full(n, -1, dtype=np.int64)
    parent = np.arange(n)
    seen = np.full(n, -1, dtype=np.int64)
    stamp = 0
    for i in order:
        k = 0
        while not _may_join(indptr, indices, i, forest, k, parent, seen, stamp):
            k += 1
            stamp += 1
        stamp += 1
        _join(indptr, indices, i, forest, k, parent)
    return forest


@njit(types.int64[::1](_INTS, _INTS, _INTS, types.int64), **_OPTIONS)
def greedy_forest(indptr, indices, order, most):
    """The vertices of one forest, each taken in the given order if it closes no cycle; at most `most`."""
    n = indptr.size - 1
    forest = np.full(n, -1, dtype=np.int64)
    parent = np.arange(n)
    seen = np.full(n, -1, dtype=np.int64)
    chosen = np.empty(min(most, order.size), dtype=np.int64)
    count = 0
    for stamp in range(order.size):
        if count == chosen.size:
            break
        i = order[stamp]
        if _may_join(indptr, indices, i, forest, 0, parent, seen, stamp):
            _join(indptr, indices, i, forest, 0, parent)
            chosen[count] = i
            count += 1
    return chosen[:count]
