"""Kernels of the errors of the original problem, as its bounds see them."""

from __future__ import annotations

from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}

_ABSENT = 1e20  # CUTEst's infinity


@njit("float64(float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def interval_violation(values, lower, upper):
    """Largest distance of a value from its interval, relative to max(1, |the bound it misses|)."""
    worst = 0.0
    for i in range(values.size):
        if abs(lower[i]) < _ABSENT:
            below = (lower[i] - values[i]) / max(1.0, abs(lower[i]))
            if below > worst or below != below:
                worst = below
        if abs(upper[i]) < _ABSENT:
            above = (values[i] - upper[i]) / max(1.0, abs(upper[i]))
            if above > worst or above != above:
                worst = above
    return worst


@njit("float64(float64[::1], float64[::1], float64[::1], float64[::1], float64)", **_OPTIONS)
def complementarity_error(values, multipliers, lower, upper, steep):
    """Largest relative product of multiplier and distance, or multiplier whose sign names an absent bound."""
    worst = 0.0
    for i in range(values.size):
        size = abs(multipliers[i])
        bound = upper[i] if multipliers[i] > 0.0 else lower[i]
        if abs(bound) < _ABSENT:
            error = abs(values[i] - bound) * size / (max(1.0, size) * max(1.0, abs(bound)))
        else:
            error = size / steep
        if error > worst or error != error:
            worst = error
    return worst


@njit("float64(float64[::1], int64[::1], float64[::1], float64)", **_OPTIONS)
def stationarity_error(gradient, free, z, factor):
    """Largest |factor gradient_k + z[free_k]|."""
    worst = 0.0
    for k in range(free.size):
        error = abs(factor * gradient[k] + z[free[k]])
        if error > worst or error != error:
            worst = error
    return worst


@njit("float64(float64[::1], float64[::1], int64[::1], float64, float64, float64[::1])", **_OPTIONS)
def bound_multipliers(zl, zu, free, factor, negligible, z):
    """z[free] = factor (zu - zl), zero where that is negligible; returns the largest."""
    largest = 0.0
    for k in range(free.size):
        value = factor * (zu[k] - zl[k])
        if abs(value) <= negligible:
            value = 0.0
        z[free[k]] = value
        largest = max(largest, abs(value))
    return largest
