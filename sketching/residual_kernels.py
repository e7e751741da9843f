"""Kernels of least-squares iterations: residual and gradient in one pass over the matrix.

``gradient += A' W (b - A x)`` over the rows first .. last, returning the sum of squares of W^(1/2) (b - A x).
A row's residual is known as soon as the row has been read, so A comes from memory once where two products
with BLAS fetch it twice.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

# Rows of a column-ordered matrix worked on at a time, so that the second use finds them in the cache.
_CHUNK = 512

# The sums may be reordered, which is what makes them vectors; NaN and Inf keep their meaning.
_OPTIONS = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


def _read(dtype, ndim, layout="C"):
    """The type of an array that is only read: one from a memory map, say, may refuse to be written."""
    return types.Array(dtype, ndim, layout, readonly=True)


_FLOATS = (types.float32, types.float64)


def _vectors(t):
    """Of x, b, weights, first, last, gradient."""
    return (_read(t, 1), _read(t, 1), _read(t, 1), types.int64, types.int64, t[::1])


@njit([types.float64(_read(t, 2), *_vectors(t)) for t in _FLOATS], **_OPTIONS)
def gradient_of_rows(A, x, b, weights, first, last, gradient):
    """A stands by rows; four at a time, so that x and the gradient are fetched once for all four."""
    n = A.shape[1]
    weighted = weights.size > 1
    squares = 0.0  # in double precision whatever A's type: a sum over all rows
    i = first
    while i + 4 <= last:
        r0, r1, r2, r3 = b[i], b[i + 1], b[i + 2], b[i + 3]
        s0, s1, s2, s3 = r0 * 0, r0 * 0, r0 * 0, r0 * 0
        for j in range(n):
            s0 += A[i, j] * x[j]
            s1 += A[i + 1, j] * x[j]
            s2 += A[i + 2, j] * x[j]
            s3 += A[i + 3, j] * x[j]
        r0, r1, r2, r3 = r0 - s0, r1 - s1, r2 - s2, r3 - s3
        w0, w1, w2, w3 = r0, r1, r2, r3
        if weighted:
            w0, w1, w2, w3 = (
                r0 * weights[i],
                r1 * weights[i + 1],
                r2 * weights[i + 2],
                r3 * weights[i + 3],
            )
        squares += (r0 * w0 + r1 * w1) + (r2 * w2 + r3 * w3)
        for j in range(n):
            gradient[j] += (w0 * A[i, j] + w1 * A[i + 1, j]) + (w2 * A[i + 2, j] + w3 * A[i + 3, j])
        i += 4
    while i < last:
        s0 = b[i] * 0
        for j in range(n):
            s0 += A[i, j] * x[j]
        r0 = b[i] - s0
        w0 = r0 * weights[i] if weighted else r0
        squares += r0 * w0
        for j in range(n):
            gradient[j] += w0 * A[i, j]
        i += 1
    return squares


@njit([types.float64(_read(t, 2, "F"), *_vectors(t)) for t in _FLOATS], **_OPTIONS)
def gradient_of_columns(A, x, b, weights, first, last, gradient):
    """A stands by columns."""
    n = A.shape[1]
    weighted = weights.size > 1
    squares = 0.0  # in double precision whatever A's type: a sum over all rows
    residual = np.empty(_CHUNK, dtype=A.dtype)
    for low in range(first, last, _CHUNK):
        count = min(_CHUNK, last - low)
        for i in range(count):
            residual[i] = b[low + i]
        j = 0
        while j + 4 <= n:
            x0, x1, x2, x3 = x[j], x[j + 1], x[j + 2], x[j + 3]
            for i in range(count):
                k = low + i
                residual[i] -= (A[k, j] * x0 + A[k, j + 1] * x1) + (A[k, j + 2] * x2 + A[k, j + 3] * x3)
            j += 4
        while j < n:
            for i in range(count):
                residual[i] -= A[low + i, j] * x[j]
            j += 1
        for i in range(count):
            r = residual[i]
            residual[i] = r * weights[low + i] if weighted else r
            squares += r * residual[i]
        j = 0
        while j + 4 <= n:
            s0, s1, s2, s3 = b[0] * 0, b[0] * 0, b[0] * 0, b[0] * 0
            for i in range(count):
                k = low + i
                s0 += A[k, j] * residual[i]
                s1 += A[k, j + 1] * residual[i]
                s2 += A[k, j + 2] * residual[i]
                s3 += A[k, j + 3] * residual[i]
            gradient[j] += s0
            gradient[j + 1] += s1
            gradient[j + 2] += s2
            gradient[j + 3] += s3
            j += 4
        while j < n:
            s0 = b[0] * 0
            for i in range(count):
                s0 += A[low + i, j] * residual[i]
            gradient[j] += s0
            j += 1
    return squares


@njit(
    [
        types.float64(_read(t, 1), _read(i, 1), _read(i, 1), *_vectors(t))
        for t in _FLOATS
        for i in (types.int32, types.int64)
    ],
    **_OPTIONS,
)
def gradient_of_sparse_rows(data, indices, indptr, x, b, weights, first, last, gradient):
    """A in CSR form."""
    weighted = weights.size > 1
    squares = 0.0  # in double precision whatever A's type: a sum over all rows
    for i in range(first, last):
        start, stop = indptr[i], indptr[i + 1]
        s = b[0] * 0
        for p in range(start, stop):
            s += data[p] * x[indices[p]]
        r = b[i] - s
        w = r * weights[i] if weighted else r
        squares += r * w
        for p in range(start, stop):
            gradient[indices[p]] += w * data[p]
    return squares
