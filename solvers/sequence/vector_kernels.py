"""Operations on vectors, on one thread: BLAS would share them among threads, for more than they bring."""

from __future__ import annotations

from numba import njit

_OPTIONS = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc"},  # so that sums use vector instructions
}


@njit("float64(float64[::1], float64[::1])", **_OPTIONS)
def dot(v, w):
    """V'w."""
    total = 0.0
    for i in range(v.size):
        total += v[i] * w[i]
    return total


@njit("void(float64, float64[::1], float64[::1])", **_OPTIONS)
def add(alpha, v, w):
    """W += alpha v."""
    for i in range(w.size):
        w[i] += alpha * v[i]


@njit("float64(float64, float64[::1], float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def advance(alpha, direction, product, x, r):
    """X += alpha direction, r -= alpha product; r'r."""
    for i in range(x.size):
        x[i] += alpha * direction[i]
    norm2 = 0.0
    for i in range(r.size):
        value = r[i] - alpha * product[i]
        r[i] = value
        norm2 += value * value
    return norm2


@njit("void(float64[:, ::1], float64[::1], float64[::1])", **_OPTIONS)
def products(rows, v, out):
    """Compute rows v, for few long rows."""
    for k in range(rows.shape[0]):
        total = 0.0
        for i in range(v.size):
            total += rows[k, i] * v[i]
        out[k] = total


@njit("void(float64, float64[:, ::1], float64[::1], float64[::1])", **_OPTIONS)
def add_combination(alpha, rows, coefficients, v):
    """Add: v += alpha rows'coefficients."""
    for k in range(rows.shape[0]):
        step = alpha * coefficients[k]
        for i in range(v.size):
            v[i] += step * rows[k, i]
