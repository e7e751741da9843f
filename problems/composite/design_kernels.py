"""Passes over X: products with its transpose, column norms, gathered columns, Gram matrices.

Dense X of either order and CSC, in single or double precision; sums are in double precision always.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

# The sums may be reordered, which is what makes them vectors; NaN and Inf keep their meaning.
_OPTIONS = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}
# Unsigned indices of sparse columns below: numba then need not ask whether one counts from the end, which
# takes 40 % of a pass.
_FLOATS = (types.float64, types.float32)
_INTEGERS = (types.int32, types.int64)
_OUT = types.float64[::1]


def _read(dtype, ndim=1, layout="C"):
    """The type of an array that is only read: one from a memory map, say, may refuse to be written."""
    return types.Array(dtype, ndim, layout, readonly=True)


_VECTOR, _INDICES = _read(types.float64), _read(types.int64)


def _dense(layout, *rest):
    return [types.void(_read(t, 2, layout), *rest) for t in _FLOATS]


def _csc(*rest, returns=types.void):
    return [returns(_read(i), _read(i), _read(t), *rest) for t in _FLOATS for i in _INTEGERS]


@njit(_dense("F", _VECTOR, _OUT), **_OPTIONS)
def adjoint_by_columns(X, v, out):
    """Out = X'v."""
    n, p = X.shape
    for j in range(p):
        total = 0.0
        for i in range(n):
            total += X[i, j] * v[i]
        out[j] = total


@njit(_dense("C", _VECTOR, _OUT), **_OPTIONS)
def adjoint_by_rows(X, v, out):
    """Out = X'v, two rows at a time so that out is fetched half as often."""
    n, p = X.shape
    out[:] = 0.0
    for i in range(0, n - 1, 2):
        a, b = v[i], v[i + 1]
        for j in range(p):
            out[j] += X[i, j] * a + X[i + 1, j] * b
    if n % 2:
        a = v[n - 1]
        for j in range(p):
            out[j] += X[n - 1, j] * a


@njit(_dense("F", _INDICES, _VECTOR, _OUT), **_OPTIONS)
def adjoint_of_columns(X, columns, v, out):
    """Out = X[:, columns]'v."""
    n = X.shape[0]
    for k in range(columns.size):
        j = columns[k]
        total = 0.0
        for i in range(n):
            total += X[i, j] * v[i]
        out[k] = total


@njit(_dense("C", _INDICES, _VECTOR, _OUT), **_OPTIONS)
def adjoint_of_rows(X, columns, v, out):
    """The same of a matrix that stands by rows."""
    out[:] = 0.0
    for i in range(X.shape[0]):
        a = v[i]
        for k in range(columns.size):
            out[k] += X[i, columns[k]] * a


@njit(_dense("F", _VECTOR, _VECTOR, _OUT, _OUT, _OUT), **_OPTIONS)
def survey_by_columns(X, v, weights, products, squares, sums):
    """In one pass X'v, the weighted squares and the weighted sums of the columns; no weights, ones.

    One sum after the other while the column is in the cache: faster than all in one loop.
    """
    n, p = X.shape
    for j in range(p):
        product, square, total = 0.0, 0.0, 0.0
        for i in range(n):
            product += X[i, j] * v[i]
        if weights.size:
            for i in range(n):
                square += np.float64(X[i, j]) * X[i, j] * weights[i]
            for i in range(n):
                total += X[i, j] * weights[i]
        else:
            for i in range(n):
                square += np.float64(X[i, j]) * X[i, j]
            for i in range(n):
                total += np.float64(X[i, j])
        products[j], squares[j], sums[j] = product, square, total


@njit(_dense("C", _VECTOR, _VECTOR, _OUT, _OUT, _OUT), **_OPTIONS)
def survey_by_rows(X, v, weights, products, squares, sums):
    """The same of a matrix that stands by rows."""
    n, p = X.shape
    products[:] = 0.0
    squares[:] = 0.0
    sums[:] = 0.0
    for i in range(n):
        a, w = v[i], (weights[i] if weights.size else 1.0)
        for j in range(p):
            x = np.float64(X[i, j])
            products[j] += x * a
            squares[j] += w * x * x
            sums[j] += w * x


@njit(
    _dense("F", _INDICES, types.int64, types.int64, _VECTOR, types.float64[:, ::1]),
    **_OPTIONS,
)
def gather_from_columns(X, columns, first, last, scale, out):
    """Out = rows first .. last of the columns, transposed; row i times scale[i] (scale may be empty)."""
    for k in range(columns.size):
        j = columns[k]
        if scale.size:
            for i in range(first, last):
                out[k, i - first] = X[i, j] * scale[i]
        else:
            for i in range(first, last):
                out[k, i - first] = X[i, j]


@njit(
    _dense("C", _INDICES, types.int64, types.int64, _VECTOR, types.float64[:, ::1]),
    **_OPTIONS,
)
def gather_from_rows(X, columns, first, last, scale, out):
    """The same from a matrix that stands by rows."""
    for i in range(first, last):
        factor = scale[i] if scale.size else 1.0
        for k in range(columns.size):
            out[k, i - first] = X[i, columns[k]] * factor


@njit(_dense("F", _INDICES, _VECTOR, _OUT), **_OPTIONS)
def add_columns(X, columns, values, out):
    """Out += X[:, columns] values, two columns at a time."""
    n, count = X.shape[0], columns.size
    for k in range(0, count - 1, 2):
        a, b, i0, i1 = values[k], values[k + 1], columns[k], columns[k + 1]
        for i in range(n):
            out[i] += X[i, i0] * a + X[i, i1] * b
    if count % 2:
        a, i0 = values[count - 1], columns[count - 1]
        for i in range(n):
            out[i] += X[i, i0] * a


@njit(_dense("C", _INDICES, _VECTOR, _OUT), **_OPTIONS)
def add_columns_of_rows(X, columns, values, out):
    """The same of a matrix that stands by rows."""
    for i in range(X.shape[0]):
        total = 0.0
        for k in range(columns.size):
            total += X[i, columns[k]] * values[k]
        out[i] += total


@njit(_csc(_VECTOR, _OUT), **_OPTIONS)
def sparse_adjoint(indptr, indices, data, v, out):
    """Out = X'v."""
    for j in range(indptr.size - 1):
        total = 0.0
        for k in range(np.uint64(indptr[j]), np.uint64(indptr[j + 1])):
            total += data[k] * v[np.uint64(indices[k])]
        out[j] = total


@njit(_csc(_read(types.float64, 2), types.float64[:, ::1]), **_OPTIONS)
def sparse_adjoint_of_four(indptr, indices, data, V, out):
    """Out = (X'V)' for V, (n, 4): the time of two products."""
    for j in range(indptr.size - 1):
        a, b, c, d = 0.0, 0.0, 0.0, 0.0
        for k in range(np.uint64(indptr[j]), np.uint64(indptr[j + 1])):
            x, i = np.float64(data[k]), np.uint64(indices[k])
            a += x * V[i, 0]
            b += x * V[i, 1]
            c += x * V[i, 2]
            d += x * V[i, 3]
        out[0, j], out[1, j], out[2, j], out[3, j] = a, b, c, d


@njit(_csc(_INDICES, _VECTOR, _OUT), **_OPTIONS)
def sparse_adjoint_of(indptr, indices, data, columns, v, out):
    """Out = X[:, columns]'v."""
    for c in range(columns.size):
        total = 0.0
        for k in range(np.uint64(indptr[columns[c]]), np.uint64(indptr[columns[c] + 1])):
            total += data[k] * v[np.uint64(indices[k])]
        out[c] = total


@njit(_csc(_INDICES, _VECTOR, _OUT, _OUT), **_OPTIONS)
def sparse_squares_of(indptr, indices, data, columns, weights, squares, sums):
    """Weighted squares and sums of some columns."""
    for c in range(columns.size):
        square, total = 0.0, 0.0
        for k in range(np.uint64(indptr[columns[c]]), np.uint64(indptr[columns[c] + 1])):
            x = np.float64(data[k])
            weight = weights[np.uint64(indices[k])]
            square += weight * x * x
            total += weight * x
        squares[c], sums[c] = square, total


@njit(_csc(types.int64, _VECTOR, _VECTOR, _OUT, _OUT, _OUT, returns=types.boolean), **_OPTIONS)
def sparse_survey(indptr, indices, data, n, v, weights, products, squares, sums):
    """In one pass X'v, weighted squares and sums of the columns; False where an index is out of range."""
    for j in range(indptr.size - 1):
        product, square, total = 0.0, 0.0, 0.0
        for k in range(np.uint64(indptr[j]), np.uint64(indptr[j + 1])):
            if indices[k] < 0 or indices[k] >= n:
                return False
            i = np.uint64(indices[k])
            x = np.float64(data[k])
            product += x * v[i]
            weight = weights[i] if weights.size else 1.0
            square += weight * x * x
            total += weight * x
        products[j], squares[j], sums[j] = product, square, total
    return True


@njit(_csc(_INDICES, _VECTOR, _OUT), **_OPTIONS)
def sparse_add_columns(indptr, indices, data, columns, values, out):
    """Out += X[:, columns] values."""
    for c in range(columns.size):
        a = values[c]
        for k in range(np.uint64(indptr[columns[c]]), np.uint64(indptr[columns[c] + 1])):
            out[np.uint64(indices[k])] += data[k] * a


@njit(_csc(_INDICES, types.int64, _VECTOR, _OUT, types.float64[:, ::1]), **_OPTIONS)
def sparse_gram_rows(indptr, indices, data, columns, first, weights, work, out):
    """Rows first .. of X_I' diag(weights) X_I for I = columns; work holds n zeros and is left so.

    Only what stands left of the diagonal is summed; the block of the new columns is mirrored.
    """
    for a in range(first, columns.size):
        j = columns[a]
        for k in range(np.uint64(indptr[j]), np.uint64(indptr[j + 1])):
            i = np.uint64(indices[k])
            work[i] += data[k] * (weights[i] if weights.size else 1.0)
        for b in range(a + 1):
            total = 0.0
            for k in range(np.uint64(indptr[columns[b]]), np.uint64(indptr[columns[b] + 1])):
                total += data[k] * work[np.uint64(indices[k])]
            out[a - first, b] = total
            if b >= first:
                out[b - first, a] = total
        for k in range(np.uint64(indptr[j]), np.uint64(indptr[j + 1])):
            work[np.uint64(indices[k])] = 0.0
