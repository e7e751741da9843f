"""Conjugate gradients on symmetric sweeps over forest blocks; one pass over the couplings an iteration.

The unknowns stand block after block, each block in the order of `trees_kernels.walk`. A = L + D + L' with D
the blocks' own parts, L what couples a block to earlier ones (`low`), L' to later ones (`up`). The first
block is eliminated: vectors are used from ``starts[1]`` on, but for `u`, whose first part is its share of L
u. Roots are their own parents with factor 0: a branch less on the way.
"""

from __future__ import annotations

from numba import njit, types

_INTS = types.Array(types.int64, 1, "C", readonly=True)
_SHORT = types.Array(types.int32, 1, "C", readonly=True)
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_VECTOR = types.float64[::1]
_COUNTS = types.int32[::1]
_OPTIONS = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
_COUPLINGS = (_SHORT, _SHORT, _FLOATS)
_FOREST = (_SHORT, _FLOATS, _FLOATS)


@njit(types.void(_INTS, _INTS, _INTS, _SHORT, _INTS, _COUNTS, _COUNTS), **_OPTIONS)
def count_couplings(indptr, indices, order, place, starts, low, up):
    """Row pointers of L and L' in the new order."""
    low[0] = up[0] = 0
    for b in range(starts.size - 1):
        first, last = starts[b], starts[b + 1]
        for k in range(first, last):
            below = above = 0
            for e in range(indptr[order[k]], indptr[order[k] + 1]):
                j = place[indices[e]]
                below += j < first
                above += j >= last
            low[k + 1], up[k + 1] = low[k] + below, up[k] + above


@njit(types.void(_INTS, _INTS, _FLOATS, _INTS, _SHORT, _INTS, _COUNTS, _VECTOR, _COUNTS, _VECTOR), **_OPTIONS)
def fill_couplings(indptr, indices, data, order, place, starts, low_indices, low_data, up_indices, up_data):
    """Columns and entries of L and L' in the new order."""
    below = above = 0
    for b in range(starts.size - 1):
        first, last = starts[b], starts[b + 1]
        for k in range(first, last):
            for e in range(indptr[order[k]], indptr[order[k] + 1]):
                j = place[indices[e]]
                if j < first:
                    low_indices[below], low_data[below] = j, data[e]
                    below += 1
                elif j >= last:
                    up_indices[above], up_data[above] = j, data[e]
                    above += 1


@njit(types.void(types.int64, types.int64, *_FOREST, _VECTOR), **_OPTIONS)
def solve_forest(first, last, parent, inverse, factors, y):
    """D y = y in the block first .. last."""
    for k in range(last - 1, first - 1, -1):
        y[parent[k]] -= factors[k] * y[k]
    for k in range(first, last):
        y[k] *= inverse[k]
        y[k] -= factors[k] * y[parent[k]]


@njit(types.void(types.int64, types.int64, *_COUPLINGS, _FLOATS, types.float64, _VECTOR), **_OPTIONS)
def add_couplings(first, last, indptr, indices, data, x, factor, out):
    """Out += factor times the couplings of the block first .. last times x."""
    for k in range(first, last):
        total = 0.0
        for e in range(indptr[k], indptr[k + 1]):
            total += data[e] * x[indices[e]]
        out[k] += factor * total


@njit(types.void(_INTS, *_COUPLINGS, *_FOREST, _FLOATS, _VECTOR, _VECTOR), **_OPTIONS)
def start(starts, low, low_indices, low_data, parent, inverse, factors, rhs, r, z):
    """Z = (D + L)^-1 rhs and r = D z, z zero on entry and the first block left out."""
    for b in range(1, starts.size - 1):
        for k in range(starts[b + 1] - 1, starts[b] - 1, -1):
            total = rhs[k]
            for e in range(low[k], low[k + 1]):
                total -= low_data[e] * z[low_indices[e]]
            r[k] = total
            z[k] += total
            z[parent[k]] -= factors[k] * z[k]
        for k in range(starts[b], starts[b + 1]):
            z[k] *= inverse[k]
            z[k] -= factors[k] * z[parent[k]]


@njit(types.void(_INTS, *_COUPLINGS, *_FOREST, _FLOATS, _VECTOR, _VECTOR, _VECTOR), **_OPTIONS)
def sweep_back(starts, up, up_indices, up_data, parent, inverse, factors, p, t, s, u):
    """T = (D + L')^-1 D p, s = L't; in the first block u = D^-1 L't."""
    blocks = starts.size - 1
    for k in range(starts[blocks - 1], starts[blocks]):
        t[k], s[k] = p[k], 0.0
    for b in range(blocks - 2, -1, -1):
        u[starts[b] : starts[b + 1]] = 0.0
        for k in range(starts[b + 1] - 1, starts[b] - 1, -1):
            total = 0.0
            for e in range(up[k], up[k + 1]):
                total += up_data[e] * t[up_indices[e]]
            if b > 0:
                s[k] = total
            u[k] += total
            u[parent[k]] -= factors[k] * u[k]
        for k in range(starts[b], starts[b + 1]):
            u[k] *= inverse[k]
            u[k] -= factors[k] * u[parent[k]]
            if b > 0:
                t[k] = p[k] - u[k]


@njit(types.float64(_INTS, *_COUPLINGS, *_FOREST, _FLOATS, _FLOATS, _FLOATS, _VECTOR, _VECTOR), **_OPTIONS)
def sweep_forth(starts, low, low_indices, low_data, parent, inverse, factors, s, v, t, u, q):
    """U = (D + L)^-1 s and q = L u beyond the first block; returns v'(t + u)."""
    curvature = 0.0
    for b in range(1, starts.size - 1):
        u[starts[b] : starts[b + 1]] = 0.0
        for k in range(starts[b + 1] - 1, starts[b] - 1, -1):
            total = 0.0
            for e in range(low[k], low[k + 1]):
                total += low_data[e] * u[low_indices[e]]
            q[k] = total
            u[k] += s[k] - total
            u[parent[k]] -= factors[k] * u[k]
        for k in range(starts[b], starts[b + 1]):
            u[k] *= inverse[k]
            u[k] -= factors[k] * u[parent[k]]
            curvature += v[k] * (t[k] + u[k])
    return curvature


@njit(
    types.float64(types.int64, types.float64, _FLOATS, _FLOATS, _FLOATS, _FLOATS, _VECTOR, _VECTOR, _VECTOR),
    **_OPTIONS,
)
def advance(first, alpha, v, t, u, q, x, r, z):
    """X += alpha t, r -= alpha (v - q), z -= alpha (t + u); the new r'z."""
    total = 0.0
    for k in range(first, v.size):
        x[k] += alpha * t[k]
        r[k] -= alpha * (v[k] - q[k])
        z[k] -= alpha * (t[k] + u[k])
        total += r[k] * z[k]
    return total


@njit(types.void(types.int64, types.float64, _FLOATS, _FLOATS, _VECTOR, _VECTOR), **_OPTIONS)
def turn(first, beta, r, z, v, p):
    """V = r + beta v and p = z + beta p."""
    for k in range(first, v.size):
        v[k] = r[k] + beta * v[k]
        p[k] = z[k] + beta * p[k]
