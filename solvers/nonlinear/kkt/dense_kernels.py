"""Kernels of dense KKT systems: assembly with equilibration, inertia of LAPACK's factors.

K is symmetric and stored in full; only LAPACK's factors know rows from columns.
"""

from __future__ import annotations

from math import sqrt

from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(
    "void(int64[::1], int64[::1], float64[::1], int64[::1], int64[::1], float64[::1], int64,"
    " float64[:, ::1])",
    **_OPTIONS,
)
def load_blocks(hessian_rows, hessian_columns, hessian, jacobian_rows, jacobian_columns, jacobian, n, matrix):
    """Scatter the values of H (lower triangle) and J into both triangles of K."""
    for k in range(hessian.size):
        i, j = hessian_rows[k], hessian_columns[k]
        matrix[i, j] = hessian[k]
        matrix[j, i] = hessian[k]
    for k in range(jacobian.size):
        i, j = n + jacobian_rows[k], jacobian_columns[k]
        matrix[i, j] = jacobian[k]
        matrix[j, i] = jacobian[k]


@njit(
    "boolean(float64[:, ::1], float64[::1], float64[::1], float64[:, ::1], float64[:, ::1], float64[::1])",
    **_OPTIONS,
)
def assemble(base, primal, dual, matrix, scaled, scale):
    """Matrix = base with the diagonals added, scaled = scale * matrix * scale with row maxima about one.

    Returns False where an entry is not finite.
    """
    n, order = primal.size, base.shape[0]
    for i in range(order):
        largest, total = 0.0, 0.0
        for j in range(order):
            value = base[i, j]
            if i == j:
                value += primal[i] if i < n else -dual[i - n]
            matrix[i, j] = value
            largest = max(largest, abs(value))
            total += value - value  # NaN from the first entry that is not finite
        if total != 0.0:
            return False
        scale[i] = 1.0 / sqrt(largest) if largest > 0.0 else 1.0
    for i in range(order):
        for j in range(order):
            scaled[i, j] = scale[i] * matrix[i, j] * scale[j]
    return True


@njit("UniTuple(int64, 3)(float64[:, ::1], int32[::1], float64)", **_OPTIONS)
def inertia_of_factors(factors, pivots, tiny):
    """Positive, negative and zero eigenvalues of D, from the transpose of what ``dsytrf(lower=1)`` leaves.

    A 2 x 2 block, marked by two negative pivots, has one eigenvalue of either sign.
    """
    order = pivots.size
    negative = zero = 0
    i = 0
    while i < order:
        if pivots[i] > 0:
            d = factors[i, i]
            if abs(d) <= tiny:
                zero += 1
            elif d < 0.0:
                negative += 1
            i += 1
        else:
            if abs(factors[i, i + 1]) <= tiny:
                zero += 2
            else:
                negative += 1
            i += 2
    return order - zero - negative, negative, zero


@njit("void(float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def product(a, b, out):
    """Out = a * b, componentwise."""
    for i in range(a.size):
        out[i] = a[i] * b[i]
