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
def split_scaled(indptr, indices, data, scale, like):
    """Strict triangles of S A S, S = diag(scale), for symmetric A.

    Returns sub (first subdiagonal), then indptr, indices and data of the rest below, and of the rest above.
    """
    n = indptr.size - 1
    sub = np.zeros(n)
    lower_indptr, upper_indptr = np.zeros(n + 1, like.dtype), np.zeros(n + 1, like.dtype)
    lower_indices, upper_indices = np.empty(data.size, like.dtype), np.empty(data.size, like.dtype)
    lower_data, upper_data = np.empty(data.size), np.empty(data.size)
    below, above = 0, 0
    for i in range(n):
        own = scale[i]
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            if j == i - 1:
                sub[i] = data[p] * own * scale[j]
            elif j < i:
                lower_indices[below] = j
                lower_data[below] = data[p] * own * scale[j]
                below += 1
            elif j > i + 1:
                upper_indices[above] = j
                upper_data[above] = data[p] * own * scale[j]
                above += 1
        lower_indptr[i + 1] = below
        upper_indptr[i + 1] = above
    return (
        sub,
        lower_indptr,
        lower_indices[:below],
        lower_data[:below],
        upper_indptr,
        upper_indices[:above],
        upper_data[:above],
    )
