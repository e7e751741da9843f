"""Kernels of the slack form: copies with scaling, and whether all numbers are finite."""

from __future__ import annotations

from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit("boolean(float64[::1])", **_OPTIONS)
def all_finite(values):
    """Whether all values are finite numbers."""
    total = 0.0
    for i in range(values.size):
        total += values[i] - values[i]  # NaN from the first value that is not finite
    return total == 0.0


@njit("void(float64[::1], float64[::1], float64[::1], int64[::1], float64[::1])", **_OPTIONS)
def place_variables(w, lower, upper, free, x):
    """x[free] = the leading part of w, put within the bounds."""
    for k in range(free.size):
        x[free[k]] = min(max(w[k], lower[k]), upper[k])


@njit(
    "void(float64[::1], int64[::1], float64[::1], float64[::1], int64[::1], float64[::1], float64[::1])",
    **_OPTIONS,
)
def equation_residuals(values, rows, scale, target, slack_rows, slacks, out):
    """Out = scale * values[rows] - target, less the slacks of the inequalities."""
    for i in range(rows.size):
        out[i] = scale[i] * values[rows[i]] - target[i]
    for k in range(slack_rows.size):
        out[slack_rows[k]] -= slacks[k]


@njit("boolean(float64[::1], int64[::1], float64, float64[::1])", **_OPTIONS)
def gather_scaled(values, positions, factor, out):
    """The leading part of out = factor * values[positions]; False where a number is not finite."""
    total = 0.0
    for k in range(positions.size):
        value = factor * values[positions[k]]
        total += value - value
        out[k] = value
    return total == 0.0


@njit("boolean(float64[::1], int64[::1], float64[::1], float64[::1])", **_OPTIONS)
def gather_weighted(values, positions, weights, out):
    """Out = weights * values[positions]; False where a number is not finite."""
    total = 0.0
    for k in range(positions.size):
        value = weights[k] * values[positions[k]]
        total += value - value
        out[k] = value
    return total == 0.0


@njit("void(int64[::1], int64[::1], float64[::1], float64[:, ::1])", **_OPTIONS)
def fill_matrix(rows, columns, values, matrix):
    """matrix[rows, columns] = values."""
    for k in range(values.size):
        matrix[rows[k], columns[k]] = values[k]
