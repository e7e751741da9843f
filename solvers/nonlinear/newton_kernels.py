"""Kernels that eliminate the tail from the Newton system and recover it.

Each tail variable t enters one row, with coefficient +1 or -1; its equation is
``sigma_t dt + sign dy_row = -gradient_t``.
"""

from __future__ import annotations

from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(
    "void(float64[::1], float64[::1], float64, float64, float64, int64[::1], float64[::1], float64[::1],"
    " float64[::1])",
    **_OPTIONS,
)
def reduced_diagonals(sigma, diagonal, delta_w, delta_c, smallest, tail_rows, primal, dual, tail_sigma):
    """Diagonals of the reduced system: of x into primal, of the rows into dual; and those of the tail."""
    n = primal.size
    for i in range(n):
        primal[i] = sigma[i] + diagonal[i] + delta_w
    for r in range(dual.size):
        dual[r] = delta_c
    for k in range(tail_rows.size):
        value = max(sigma[n + k] + diagonal[n + k] + delta_w, smallest)
        tail_sigma[k] = value
        dual[tail_rows[k]] += 1.0 / value


@njit("void(float64[::1], float64[::1], int64[::1], float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def reduced_right_side(gradient, c, tail_rows, tail_signs, tail_sigma, rhs):
    """Rhs = -(gradient, c) with the tail eliminated."""
    m = c.size
    n = rhs.size - m
    for i in range(n):
        rhs[i] = -gradient[i]
    for r in range(m):
        rhs[n + r] = -c[r]
    for k in range(tail_rows.size):
        rhs[n + tail_rows[k]] += tail_signs[k] * gradient[n + k] / tail_sigma[k]


@njit("void(float64[::1], float64[::1], int64[::1], float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def recovered_step(solution, gradient, tail_rows, tail_signs, tail_sigma, dw):
    """Dw = the step of x, followed by that of the tail."""
    n = dw.size - tail_rows.size
    for i in range(n):
        dw[i] = solution[i]
    for k in range(tail_rows.size):
        force = gradient[n + k] + tail_signs[k] * solution[n + tail_rows[k]]
        dw[n + k] = -force / tail_sigma[k]


@njit("void(int64[::1], float64[::1], float64[::1])", **_OPTIONS)
def add_at(rows, values, out):
    """out[rows] += values, rows repeated or not."""
    for k in range(rows.size):
        out[rows[k]] += values[k]
