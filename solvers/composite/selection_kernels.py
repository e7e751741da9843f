"""A tournament among the scores of blocks: the largest is at the root, a change climbs log2(n) levels."""

from __future__ import annotations

import numpy as np
from numba import njit, types

_INTS = types.Array(types.int64, 1, "C", readonly=True)
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_OPTIONS = {"cache": True, "nogil": True}


@njit(types.void(types.float64[::1]), **_OPTIONS)
def build(tree):
    """Fill the inner nodes from 1 on; the leaves are the second half, the children of k are 2k and 2k + 1."""
    for k in range(tree.size // 2 - 1, 0, -1):
        tree[k] = max(tree[2 * k], tree[2 * k + 1])


@njit(types.void(types.float64[::1], _INTS, _FLOATS), **_OPTIONS)
def change(tree, leaves, scores):
    """Give leaves new scores."""
    first = tree.size // 2
    for i in range(leaves.size):
        k = first + leaves[i]
        tree[k] = scores[i]
        k //= 2
        while k > 0:
            best = max(tree[2 * k], tree[2 * k + 1])
            if tree[k] == best:
                break
            tree[k] = best
            k //= 2


@njit(types.int64(types.float64[::1]), **_OPTIONS)
def champion(tree):
    """The first leaf with the largest score."""
    first = tree.size // 2
    k = 1
    while k < first:
        k = 2 * k if tree[2 * k] == tree[k] else 2 * k + 1
    return k - first


@njit(types.void(types.float64[::1], types.int64, types.int64[::1]), **_OPTIONS)
def leaders(tree, count, out):
    """The `count` leaves with the largest scores, found by a walk along a frontier of nodes."""
    first = tree.size // 2
    nodes = np.empty(2 * count * 64 + 2, dtype=np.int64)
    nodes[0], size = 1, 1
    found = 0
    while found < count:
        best = 0
        for i in range(1, size):
            if tree[nodes[i]] > tree[nodes[best]]:
                best = i
        k = nodes[best]
        size -= 1
        nodes[best] = nodes[size]
        while k < first:
            left = tree[2 * k] >= tree[2 * k + 1]
            nodes[size] = 2 * k + 1 if left else 2 * k
            size += 1
            k = 2 * k if left else 2 * k + 1
        out[found] = k - first
        found += 1
