"""Kernels of the exact merit function: its value, and the vectors that its slopes are made of."""

from __future__ import annotations

from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit("void(float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def nearest_gap(gap_lower, gap_upper, scale):
    """Distance to the nearest bound, at most 1, into scale."""
    for i in range(scale.size):
        scale[i] = min(1.0, gap_lower[i], gap_upper[i])


@njit("UniTuple(float64, 3)(float64[::1], float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def merit_parts(y, c, scale, gradient):
    """y'c, ||c||^2 and ||scale * gradient||^2."""
    product = squares = scaled_squares = 0.0
    for i in range(c.size):
        product += y[i] * c[i]
        squares += c[i] * c[i]
    for i in range(scale.size):
        scaled = scale[i] * gradient[i]
        scaled_squares += scaled * scaled
    return product, squares, scaled_squares


@njit(
    "void(float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64, float64[::1],"
    " float64[::1])",
    **_OPTIONS,
)
def curved_parts(gradient, scale, gap_lower, gap_upper, diagonal, mu, v, curved):
    """The vector v = scale^2 gradient, and the diagonal of the barrier problem's Hessian times v."""
    for i in range(v.size):
        v[i] = scale[i] * scale[i] * gradient[i]
        low, high = gap_lower[i], gap_upper[i]
        curved[i] = (mu / (low * low) + mu / (high * high) + diagonal[i]) * v[i]


@njit("void(int64[::1], int64[::1], float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def add_symmetric_product(rows, columns, values, v, out):
    """Out += the symmetric matrix with this lower triangle, times v."""
    for k in range(values.size):
        i, j = rows[k], columns[k]
        out[i] += values[k] * v[j]
        if i != j:
            out[j] += values[k] * v[i]
