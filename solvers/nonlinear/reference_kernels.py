"""Sketch-and-project steps on a dense symmetric system, for the published AdaSketch-Newton methods.

Both kernels make one step for each draw and recompute ``r = A z - b`` after it, as the published iteration
does; they stop when ||r|| is small enough and return the number of steps made. z and r are changed in place.
A is symmetric, so its rows serve as columns.
"""

from __future__ import annotations

from numba import njit

_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"reassoc", "contract"}}


@njit(**_OPTIONS)
def _residual(A, b, z, r):
    """R = A z - b; returns ||r||^2."""
    norm2 = 0.0
    for i in range(r.size):
        total = -b[i]
        for j in range(z.size):
            total += A[i, j] * z[j]
        r[i] = total
        norm2 += total * total
    return norm2


_V = "float64[::1]"


@njit(f"int64(float64[:, ::1], {_V}, float64, float64[:, ::1], {_V}, {_V}, {_V})", **_OPTIONS)
def gaussian_steps(A, b, threshold, sketches, z, r, image):
    """For each row s of sketches: z -= (s'r / ||A s||^2) A s, until ||r|| <= threshold; image holds A s."""
    size = z.size
    for k in range(sketches.shape[0]):
        overlap = norm2 = 0.0
        for i in range(size):
            total = 0.0
            for j in range(size):
                total += A[i, j] * sketches[k, j]
            image[i] = total
            norm2 += total * total
            overlap += sketches[k, i] * r[i]
        if norm2 > 0.0:
            for i in range(size):
                z[i] -= overlap / norm2 * image[i]
        if _residual(A, b, z, r) <= threshold * threshold:
            return k + 1
    return sketches.shape[0]


@njit(f"int64(float64[:, ::1], {_V}, float64, int64[::1], {_V}, {_V}, {_V})", **_OPTIONS)
def kaczmarz_steps(A, b, threshold, rows, z, r, norms2):
    """For each i of rows: z -= (r_i / ||A_i||^2) A_i, until ||r|| <= threshold; norms2: all ||A_i||^2."""
    for k in range(rows.size):
        i = rows[k]
        if norms2[i] > 0.0:
            step = r[i] / norms2[i]
            for j in range(z.size):
                z[j] -= step * A[i, j]
        if _residual(A, b, z, r) <= threshold * threshold:
            return k + 1
    return rows.size
