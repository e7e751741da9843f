"""Sweeps of block coordinate descent over groups, on a Gram matrix."""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


@njit(**_OPTIONS)
def group_sweeps(G, starts, active, r, w, levels, l1, l2, L, sweeps, inner, tol):
    """Sweeps until no step times its curvature exceeds tol; r = q - G w, (m, k), is kept up to date.

    A visit takes up to `inner` proximal steps of length 1/L_g within the group before the others hear of it.
    Returns the largest first step times curvature of the last sweep.
    """
    m, outputs = w.shape
    widest = 0
    for g in range(starts.size - 1):
        widest = max(widest, starts[g + 1] - starts[g])
    local, total, step = np.empty((widest, outputs)), np.empty((widest, outputs)), np.empty((widest, outputs))
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        for a in range(active.size):
            g = active[a]
            if L[g] <= 0.0:
                continue
            s, width = starts[g], starts[g + 1] - starts[g]
            for i in range(width):
                for c in range(outputs):
                    local[i, c] = r[s + i, c]
                    total[i, c] = 0.0
            first, moved = 0.0, False
            for visit in range(inner):
                norm = 0.0
                for i in range(width):
                    for c in range(outputs):
                        v = w[s + i, c] + local[i, c] / L[g]
                        if l1 > 0.0:
                            v = max(v - l1 / L[g], 0.0) if v > 0.0 else min(v + l1 / L[g], 0.0)
                        step[i, c] = v
                        norm += v * v
                norm = np.sqrt(norm)
                shrink = 0.0
                if norm > levels[g] / L[g]:
                    shrink = (1.0 - levels[g] / (L[g] * norm)) / (1.0 + l2 / L[g])
                size = 0.0
                for i in range(width):
                    for c in range(outputs):
                        new = shrink * step[i, c]
                        d = new - w[s + i, c]
                        w[s + i, c] = new
                        step[i, c] = d
                        total[i, c] += d
                        size += d * d
                size = np.sqrt(size) * (L[g] + l2)
                if visit == 0:
                    first = size
                if size == 0.0:
                    break
                moved = True
                if visit + 1 == inner or size <= 0.01 * first:
                    break
                for i in range(width):
                    for j in range(width):
                        x = G[s + i, s + j]
                        for c in range(outputs):
                            local[i, c] -= x * step[j, c]
            worst = max(worst, first)
            if moved:
                for j in range(width):
                    row = G[s + j]
                    for c in range(outputs):
                        d = total[j, c]
                        if d != 0.0:
                            for i in range(m):
                                r[i, c] -= row[i] * d
        if worst <= tol:
            break
    return worst


@njit(**_OPTIONS)
def _minimise_group(w, force, block, width, level, l1, l2, L, inner, total, step):
    """Proximal steps within one group, w and force (changed) of its rows; total: how far w moved.

    Returns the size of the first step times its curvature.
    """
    first = 0.0
    for i in range(width):
        total[i] = 0.0
    for visit in range(inner):
        norm = 0.0
        for i in range(width):
            v = w[i] + force[i] / L
            if l1 > 0.0:
                v = max(v - l1 / L, 0.0) if v > 0.0 else min(v + l1 / L, 0.0)
            step[i] = v
            norm += v * v
        norm = np.sqrt(norm)
        shrink = 0.0
        if norm > level / L:
            shrink = (1.0 - level / (L * norm)) / (1.0 + l2 / L)
        size = 0.0
        for i in range(width):
            d = shrink * step[i] - w[i]
            w[i] += d
            step[i] = d
            total[i] += d
            size += d * d
        size = np.sqrt(size) * (L + l2)
        if visit == 0:
            first = size
        if size == 0.0 or size <= 0.01 * first:
            break
        for i in range(width):
            for j in range(width):
                force[i] -= block[i, j] * step[j]
    return first


@njit(**_OPTIONS)
def dense_group_sweeps(
    X, columns, starts, blocks, active, h, sums, total, u, shift, w, levels, l1, l2, L, sweeps, inner, tol
):
    """The same with X by columns, single output, u = -gradient of the samples; see `dense_sweeps`."""
    n, widest = u.size, blocks.shape[1]
    force, moved, step = np.empty(widest), np.empty(widest), np.empty(widest)
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        for a in range(active.size):
            g = active[a]
            if L[g] <= 0.0:
                continue
            s, width = starts[g], starts[g + 1] - starts[g]
            for k in range(width):
                j, product = columns[s + k], 0.0
                for i in range(n):
                    product += X[i, j] * u[i]
                force[k] = product + shift * sums[s + k]
            part = w[s : s + width]
            size = _minimise_group(part, force, blocks[g], width, levels[g], l1, l2, L[g], inner, moved, step)
            worst = max(worst, size)
            for k in range(width):
                d, j = moved[k], columns[s + k]
                if d == 0.0:
                    continue
                if h.size:
                    for i in range(n):
                        u[i] -= d * X[i, j] * h[i]
                else:
                    for i in range(n):
                        u[i] -= d * X[i, j]
                if total > 0.0:
                    shift += d * sums[s + k] / total
        if worst <= tol:
            break
    return worst, shift


@njit(**_OPTIONS)
def sparse_group_sweeps(
    indptr,
    indices,
    data,
    columns,
    starts,
    blocks,
    active,
    h,
    sums,
    total,
    u,
    shift,
    w,
    levels,
    l1,
    l2,
    L,
    sweeps,
    inner,
    tol,
):
    """The same with a sparse X."""
    widest = blocks.shape[1]
    force, moved, step = np.empty(widest), np.empty(widest), np.empty(widest)
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        for a in range(active.size):
            g = active[a]
            if L[g] <= 0.0:
                continue
            s, width = starts[g], starts[g + 1] - starts[g]
            for k in range(width):
                j, product = columns[s + k], 0.0
                for i in range(np.uint64(indptr[j]), np.uint64(indptr[j + 1])):
                    product += data[i] * u[np.uint64(indices[i])]
                force[k] = product + shift * sums[s + k]
            part = w[s : s + width]
            size = _minimise_group(part, force, blocks[g], width, levels[g], l1, l2, L[g], inner, moved, step)
            worst = max(worst, size)
            for k in range(width):
                d, j = moved[k], columns[s + k]
                if d == 0.0:
                    continue
                for i in range(np.uint64(indptr[j]), np.uint64(indptr[j + 1])):
                    u[np.uint64(indices[i])] -= d * data[i] * (h[np.uint64(indices[i])] if h.size else 1.0)
                if total > 0.0:
                    shift += d * sums[s + k] / total
        if worst <= tol:
            break
    return worst, shift
