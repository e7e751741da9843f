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
