"""Sweeps of coordinate descent over a working set, on a Gram matrix or on the columns of X.

Both minimise w'G w / 2 - q'w + Omega(w) over the coordinates `active`, G = X' diag(h) X. Omega adds up
over coordinates: kind 0 l1 |t| + l2 t^2 / 2 on [lower, upper], kinds 1 and 2 MCP and SCAD of level l1.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


@njit(inline="always", **_OPTIONS)
def _soft(u, threshold):
    if u > threshold:
        return u - threshold
    if u < -threshold:
        return u + threshold
    return 0.0


@njit(**_OPTIONS)
def _nonconvex_minimiser(kind, gamma, u, L, lam):
    """Argmin of L t^2 / 2 - u t + Omega(t), the best stationary point of the pieces."""
    a = abs(u)
    knee = gamma * lam
    best, lowest = 0.0, 0.0
    for piece in range(3):
        if piece == 0:  # concave middle of MCP, linear start of SCAD
            if kind == 1:
                curvature = L - 1.0 / gamma
                t = max(a - lam, 0.0) / curvature if curvature > 0.0 else knee
                t = min(t, knee)
            else:
                t = min(max(a - lam, 0.0) / L, lam)
        elif piece == 1:
            if kind == 1:
                continue
            curvature = L - 1.0 / (gamma - 1.0)
            t = (a - knee / (gamma - 1.0)) / curvature if curvature > 0.0 else knee
            t = min(max(t, lam), knee)
        else:
            t = max(a / L, knee)
        near = min(t, knee)
        if kind == 1:
            cost = lam * near - near * near / (2.0 * gamma)
        elif t <= lam:
            cost = lam * t
        else:
            cost = (2.0 * gamma * lam * near - near * near - lam * lam) / (2.0 * (gamma - 1.0))
        value = 0.5 * L * t * t - a * t + cost
        if value < lowest:
            best, lowest = t, value
    return best if u > 0.0 else -best


@njit(inline="always", **_OPTIONS)
def _minimiser(kind, gamma, u, L, l1, l2, lower, upper):
    if kind == 0:
        return min(max(_soft(u, l1) / (L + l2), lower), upper)
    return _nonconvex_minimiser(kind, gamma, u, L, l1)


@njit(**_OPTIONS)
def gram_sweeps(G, active, r, w, l1, l2, lower, upper, kind, gamma, sweeps, tol):
    """Sweeps until no step times its curvature exceeds tol; r = q - G w is kept up to date.

    Returns the largest step times curvature of the last sweep.
    """
    size = r.size
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        for k in range(active.size):
            j = active[k]
            L = G[j, j]
            if L <= 0.0:
                continue
            old = w[j]
            new = _minimiser(kind, gamma, r[j] + L * old, L, l1[j], l2[j], lower[j], upper[j])
            d = new - old
            if d != 0.0:
                w[j] = new
                worst = max(worst, abs(d) * (L + l2[j]))
                row = G[j]
                for i in range(size):
                    r[i] -= d * row[i]
        if worst <= tol:
            break
    return worst


@njit(**_OPTIONS)
def dense_sweeps(
    X, active, columns, h, sums, total, L, u, shift, w, l1, l2, lower, upper, kind, gamma, force, sweeps, tol
):
    """The same with X by columns, column columns[k] that of coordinate k.

    The samples are there by u, their negative gradient: h v for a residual v.

    The force on coordinate k is x_k'u + shift sums_k - force_k, sums = X'h. With an intercept total = sum h,
    and shift is what its best value has fallen by; else total is 0. No h: ones. Returns the largest step
    times curvature of the last sweep, and shift.
    """
    n = u.size
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        for a in range(active.size):
            k = active[a]
            if L[k] <= 0.0:
                continue
            j = columns[k]
            product = 0.0
            for i in range(n):
                product += X[i, j] * u[i]
            old = w[k]
            pull = product + shift * sums[k] - force[k] + L[k] * old
            new = _minimiser(kind, gamma, pull, L[k], l1[k], l2[k], lower[k], upper[k])
            d = new - old
            if d != 0.0:
                w[k] = new
                worst = max(worst, abs(d) * (L[k] + l2[k]))
                if h.size:
                    for i in range(n):
                        u[i] -= d * X[i, j] * h[i]
                else:
                    for i in range(n):
                        u[i] -= d * X[i, j]
                if total > 0.0:
                    shift += d * sums[k] / total
        if worst <= tol:
            break
    return worst, shift


@njit(**_OPTIONS)
def sparse_sweeps(
    indptr,
    indices,
    data,
    active,
    columns,
    h,
    sums,
    total,
    L,
    u,
    shift,
    w,
    l1,
    l2,
    lower,
    upper,
    kind,
    gamma,
    force,
    sweeps,
    tol,
):
    """The same with a sparse X."""
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        for a in range(active.size):
            k = active[a]
            if L[k] <= 0.0:
                continue
            first, last = np.uint64(indptr[columns[k]]), np.uint64(indptr[columns[k] + 1])
            product = 0.0
            for s in range(first, last):
                product += data[s] * u[np.uint64(indices[s])]
            old = w[k]
            pull = product + shift * sums[k] - force[k] + L[k] * old
            new = _minimiser(kind, gamma, pull, L[k], l1[k], l2[k], lower[k], upper[k])
            d = new - old
            if d != 0.0:
                w[k] = new
                worst = max(worst, abs(d) * (L[k] + l2[k]))
                if h.size:
                    for s in range(first, last):
                        u[np.uint64(indices[s])] -= d * data[s] * h[np.uint64(indices[s])]
                else:
                    for s in range(first, last):
                        u[np.uint64(indices[s])] -= d * data[s]
                if total > 0.0:
                    shift += d * sums[k] / total
        if worst <= tol:
            break
    return worst, shift
