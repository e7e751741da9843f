"""Conjugate gradients on W^-1 A W^-T, W = I/omega + L, for A = L + I + L': one pass over A an iteration.

Eisenstat (1981): A = W + W' - kappa I with kappa = 2/omega - 1, so for t = W^-T p the product is
``W^-1 A t = t + W^-1 (p - kappa t)``: two triangular solves and no multiplication. The residual of A itself,
which the stopping rule needs, follows from L t, gathered along with the second solve from entries that have
been read anyway, since ``A t = L t + p + (1 - 1/omega) t``.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}

FINISHED, UNFINISHED, INDEFINITE, NONFINITE = 0, 1, 2, 3


@njit(**_OPTIONS)
def solve_lower(omega, sub, indptr, indices, data, r, z):
    """Solve W z = r."""
    previous = 0.0
    for i in range(r.size):
        rest = r[i]
        for p in range(indptr[i], indptr[i + 1]):
            rest -= data[p] * z[indices[p]]
        previous = omega * rest - (omega * sub[i]) * previous
        z[i] = previous


@njit(**_OPTIONS)
def next_direction(omega, beta, sub, indptr, indices, data, z, p, t):
    """Make p = z + beta p and t = W^-T p, from the last row to the first."""
    n = p.size
    previous, coupling = 0.0, 0.0
    for i in range(n - 1, -1, -1):
        p[i] = z[i] + beta * p[i]
        rest = p[i]
        for q in range(indptr[i], indptr[i + 1]):
            rest -= data[q] * t[indices[q]]
        previous = omega * rest - (omega * coupling) * previous
        coupling = sub[i]
        t[i] = previous


@njit(**_OPTIONS)
def multiply(omega, sub, indptr, indices, data, p, t, q, At):
    """Make q = W^-1 (p - kappa t) and At = A t, for t = W^-T p; returns p'(q + t)."""
    kappa, excess = 2.0 / omega - 1.0, 1.0 - 1.0 / omega
    previous, previous_t, curvature = 0.0, 0.0, 0.0
    for i in range(p.size):
        own, rest, lower = t[i], p[i], 0.0
        solved = rest - kappa * own
        for k in range(indptr[i], indptr[i + 1]):
            j = indices[k]
            lower += data[k] * t[j]
            solved -= data[k] * q[j]
        previous = omega * solved - (omega * sub[i]) * previous
        At[i] = rest + excess * own + lower + sub[i] * previous_t
        previous_t = own
        q[i] = previous
        curvature += rest * (previous + own)
    return curvature


@njit(**_OPTIONS)
def advance(alpha, weight, t, q, At, x, z, r):
    """Add: x += alpha t, z -= alpha (q + t), r -= alpha At; returns z'z and sum weight_i r_i^2."""
    z2, r2 = 0.0, 0.0
    for i in range(x.size):
        x[i] += alpha * t[i]
        z[i] -= alpha * (q[i] + t[i])
        r[i] -= alpha * At[i]
        z2 += z[i] * z[i]
        r2 += weight[i] * (r[i] * r[i])
    return z2, r2


@njit(**_OPTIONS)
def ssor_cg_iterations(omega, weight, sub, lower, upper, vectors, scalars, target2, norms):
    """Iterations until the residual is within `target2`, `norms` is full or CG breaks down.

    Parameters
    ----------
    omega : float
        Relaxation parameter.
    weight : (n,)
        Of the residual's entries in its squared norm: the scaling's inverse squares.
    sub, lower, upper
        The triangles of the scaled matrix, as `split_scaled` has them.
    vectors : tuple of (n,)
        x, r, z, p, t, q and room for A t; r = b - A x and z = W^-1 r on entry.
    scalars : (3,)
        z'z, beta of the next direction, and a z'z so small that only the true residual can say more.
    target2, norms
        As `sor_iterations` has them.

    Returns the iterations made, with their squared residual norms in `norms`, and a code.
    """
    x, r, z, p, t, q, At = vectors
    for k in range(norms.size):
        next_direction(omega, scalars[1], sub, upper[0], upper[1], upper[2], z, p, t)
        curvature = multiply(omega, sub, lower[0], lower[1], lower[2], p, t, q, At)
        if not 0.0 < curvature < np.inf:
            return k, INDEFINITE if curvature <= 0.0 else NONFINITE
        z2, r2 = advance(scalars[0] / curvature, weight, t, q, At, x, z, r)
        scalars[1] = z2 / scalars[0]
        scalars[0] = z2
        norms[k] = r2
        if r2 <= target2 or z2 <= scalars[2]:
            return k + 1, FINISHED
        if not (np.isfinite(z2) and np.isfinite(r2)):
            return k + 1, NONFINITE
    return norms.size, UNFINISHED
