"""Message passing on forests: A_bb x = c in O(|b|), by elimination from the leaves to the roots."""

from __future__ import annotations

import numpy as np
from numba import njit, types

_INTS = types.Array(types.int64, 1, "C", readonly=True)
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(
    types.void(types.int64[::1], types.int64[::1], types.int64[::1], types.int64[::1], types.int64[::1]),
    **_OPTIONS,
)
def _keep_order(given, order, parent, key, where):
    """Sort a depth first order by the latest given place among a vertex and its ancestors.

    Parents still come first. What is near in memory stays near, and the chains of dependent operations that
    depth first order makes along every path are interleaved.
    """
    size = order.size
    counts = np.zeros(size + 1, dtype=np.int64)
    for k in range(size):
        key[k] = given[order[k]]
        if parent[k] >= 0:
            key[k] = max(key[k], key[parent[k]])
        counts[key[k] + 1] += 1
    for k in range(size):
        counts[k + 1] += counts[k]
    for k in range(size):
        where[k] = counts[key[k]]
        counts[key[k]] += 1
    vertices, parents = order.copy(), parent.copy()
    for k in range(size):
        order[where[k]] = vertices[k]
        parent[where[k]] = where[parents[k]] if parents[k] >= 0 else -1


@njit(types.int64(_INTS, _INTS, _INTS, types.int64[::1], types.int64[::1], types.int64[::1]), **_OPTIONS)
def walk(indptr, indices, block, place, order, parent):
    """Order of the block's vertices in which each follows its parent; as near to the given one as that
    allows.

    `place`, of all vertices and -1 on entry, is used for marks and left at -1. In `order` are the vertices,
    in `parent` the positions there of their parents, -1 for roots. Returns the first vertex found on a cycle,
    -1 in a forest.
    """
    unseen, waiting = -2, -3
    for i in block:
        place[i] = unseen
    stack = np.empty(block.size, dtype=np.int64)
    ancestor = np.empty(block.size, dtype=np.int64)
    count, cycle = 0, -1
    for start in block:
        if place[start] != unseen:
            continue
        stack[0], ancestor[0], top = start, -1, 1
        place[start] = waiting
        while top > 0 and cycle < 0:
            top -= 1
            i, above = stack[top], ancestor[top]
            here = count
            order[here], parent[here], place[i] = i, above, here
            count += 1
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                if j == i or place[j] == -1:
                    continue
                if place[j] == unseen:
                    place[j] = waiting
                    stack[top], ancestor[top] = j, here
                    top += 1
                elif place[j] == waiting or place[j] != above:
                    cycle = i
        if cycle >= 0:
            break
    for k in range(block.size):
        place[block[k]] = k
    if cycle < 0:
        _keep_order(place, order, parent, stack, ancestor)
    for i in block:
        place[i] = -1
    return cycle


@njit(types.int64(_INTS, _INTS, _FLOATS, _INTS, _INTS, types.float64[::1], types.float64[::1]), **_OPTIONS)
def eliminate(indptr, indices, data, order, parent, pivots, factors):
    """Pivots P_ii and factors A_ip / P_ii of the elimination; returns the position of a pivot <= 0, or -1.

    `pivots` holds on entry what is to be added to the diagonal.
    """
    for k in range(order.size):
        i = order[k]
        above = order[parent[k]] if parent[k] >= 0 else -1
        coupling = 0.0
        for e in range(indptr[i], indptr[i + 1]):
            if indices[e] == i:
                pivots[k] += data[e]
            elif indices[e] == above:
                coupling += data[e]
        factors[k] = coupling
    for k in range(order.size - 1, -1, -1):
        if not pivots[k] > 0.0:
            return k
        if parent[k] >= 0:
            coupling = factors[k]
            factors[k] = coupling / pivots[k]
            pivots[parent[k]] -= factors[k] * coupling
    return -1


@njit(types.void(_INTS, _FLOATS, _FLOATS, types.float64[::1]), **_OPTIONS)
def pass_messages(parent, pivots, factors, c):
    """C becomes the solution of A_bb x = c, both in the order of `walk`."""
    for k in range(c.size - 1, -1, -1):
        if parent[k] >= 0:
            c[parent[k]] -= factors[k] * c[k]
    for k in range(c.size):
        c[k] /= pivots[k]
        if parent[k] >= 0:
            c[k] -= factors[k] * c[parent[k]]
