"""Splits of a CSR matrix with sorted indices into what sweeps read one after another.

Indices come out unsigned, in the type of `like`: looking for negative ones, as numba does with the others,
would take a third of the sweeps' time.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def split_off_tridiagonal(indptr, indices, data, like):
    """The three middle diagonals as vectors and the rest as CSR, with a pointer to its first upper entry.

    Returns diagonal, sub (sub[i] = a(i, i-1)), sup (sup[i] = a(i, i+1)), and indptr, middle, indices and data
    of the rest.
    """
    n = indptr.size - 1
    diagonal, sub, sup = np.zeros(n), np.zeros(n), np.zeros(n)
    rest_indptr, middle = np.zeros(n + 1, like.dtype), np.zeros(n, like.dtype)
    rest_indices, rest_data = np.empty(data.size, like.dtype), np.empty(data.size)
    count = 0
    for i in range(n):
        lower = 0
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            if j == i:
                diagonal[i] = data[p]
            elif j == i - 1:
                sub[i] = data[p]
            elif j == i + 1:
                sup[i] = data[p]
            else:
                rest_indices[count] = j
                rest_data[count] = data[p]
                count += 1
                lower += j < i
        middle[i] = rest_indptr[i] + lower
        rest_indptr[i + 1] = count
    return diagonal, sub, sup, rest_indptr, middle, rest_indices[:count].copy(), rest_data[:count].copy()


@njit(**_OPTIONS)
def split_off_diagonal(indptr, indices, data, like):
    """As `split_off_tridiagonal`, the diagonal alone: diagonal, indptr, middle, indices, data."""
    n = indptr.size - 1
    diagonal = np.zeros(n)
    rest_indptr, middle = np.zeros(n + 1, like.dtype), np.zeros(n, like.dtype)
    rest_indices, rest_data = np.empty(data.size, like.dtype), np.empty(data.size)
    count = 0
    for i in range(n):
        lower = 0
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            if j == i:
                diagonal[i] = data[p]
            else:
                rest_indices[count] = j
                rest_data[count] = data[p]
                count += 1
                lower += j < i
        middle[i] = rest_indptr[i] + lower
        rest_indptr[i + 1] = count
    return diagonal, rest_indptr, middle, rest_indices[:count].copy(), rest_data[:count].copy()


@njit(**_OPTIONS)
def triangle_patterns(indptr, indices, like):
    """Where the entries of a CSR pattern go when its strict triangles are split.

    Returns diagonal_at (place of a(i, i), -1 where it is not stored), and indptr and indices of the entries
    below the first subdiagonal, and of those above the first superdiagonal.
    """
    n, nnz = indptr.size - 1, indices.size
    diagonal_at = np.full(n, -1, indptr.dtype)
    lower_indptr, upper_indptr = np.zeros(n + 1, like.dtype), np.zeros(n + 1, like.dtype)
    lower_indices, upper_indices = np.empty(nnz, like.dtype), np.empty(nnz, like.dtype)
    below, above = 0, 0
    for i in range(n):
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            if j < i - 1:
                lower_indices[below] = j
                below += 1
            elif j == i:
                diagonal_at[i] = p
            elif j > i + 1:
                upper_indices[above] = j
                above += 1
        lower_indptr[i + 1] = below
        upper_indptr[i + 1] = above
    return (
        diagonal_at,
        (lower_indptr, lower_indices[:below].copy()),
        (upper_indptr, upper_indices[:above].copy()),
    )


@njit(**_OPTIONS)
def load_scaled(indptr, indices, data, diagonal_at, diagonal, scale, sub, lower, upper):
    """Entries of S A S for symmetric A, S = diag(scale) = D^(-1/2): first subdiagonal, and the rest.

    Fills diagonal, scale, sub, lower and upper. Returns 0, or 1 for an entry that is not finite, 2 for a zero
    on the diagonal and 3 for a negative one.
    """
    n = indptr.size - 1
    smallest, sum_of_zeros = np.inf, 0.0
    for i in range(n):
        diagonal[i] = data[diagonal_at[i]] if diagonal_at[i] >= 0 else 0.0
        scale[i] = 1.0 / np.sqrt(diagonal[i])
        smallest = min(smallest, diagonal[i])
    below, above = 0, 0
    for i in range(n):
        own = scale[i]
        p, stop = indptr[i], indptr[i + 1]
        while p < stop and indices[p] < i - 1:
            lower[below] = data[p] * own * scale[indices[p]]
            sum_of_zeros += 0.0 * data[p]
            below += 1
            p += 1
        sub[i] = 0.0
        while p < stop and indices[p] <= i + 1:
            if indices[p] == i - 1:
                sub[i] = data[p] * own * scale[i - 1]
            sum_of_zeros += 0.0 * data[p]
            p += 1
        while p < stop:
            upper[above] = data[p] * own * scale[indices[p]]
            sum_of_zeros += 0.0 * data[p]
            above += 1
            p += 1
    if sum_of_zeros != 0.0:  # NaN
        return 1
    # The reciprocals of subnormal numbers overflow.
    return 3 if smallest < 0.0 else (2 if smallest < 2.3e-308 else 0)
