"""What moving a few coordinates takes: rows of a sparse Hessian, columns of a design."""

from __future__ import annotations

import numpy as np
from numba import njit, types

_OPTIONS = {
    "cache": True,
    "nogil": True,
    "error_model": "numpy",
    "fastmath": {"contract", "reassoc", "nsz", "arcp"},
}


def _read(dtype, ndim=1, layout="C"):
    return types.Array(dtype, ndim, layout, readonly=True)


_FLOATS, _INTS = _read(types.float64), _read(types.int64)
_OUT = types.float64[::1]
_PREDICTOR = types.float64[:, ::1]


def _csc(*rest):
    return [
        types.void(_read(i), _read(i), _read(t), *rest)
        for t in (types.float64, types.float32)
        for i in (types.int32, types.int64)
    ]


def _dense(*rest):
    return [types.void(_read(t, 2, o), *rest) for t in (types.float64, types.float32) for o in ("F", "C")]


# ---- sparse quadratic forms: the gradient is kept, a move touches the neighbours only --------------------


@njit(types.void(_INTS, _INTS, _FLOATS, _INTS, _FLOATS, _OUT), **_OPTIONS)
def add_rows(indptr, indices, data, block, d, g):
    """G += A[:, block] d of a symmetric A."""
    for k in range(block.size):
        step = d[k]
        if step != 0.0:
            for e in range(indptr[block[k]], indptr[block[k] + 1]):
                g[indices[e]] += data[e] * step


@njit(types.int64(_INTS, _INTS, _INTS, types.int64[::1], types.int64[::1]), **_OPTIONS)
def neighbours(indptr, indices, block, place, out):
    """Write the block and its neighbours to out, each once; place is -1 everywhere, before and after."""
    count = 0
    for i in block:
        for e in range(indptr[i], indptr[i + 1]):
            j = indices[e]
            if place[j] < 0:
                place[j] = count
                out[count] = j
                count += 1
    for k in range(count):
        place[out[k]] = -1
    return count


@njit(types.void(_INTS, _INTS, _FLOATS, _INTS, types.int64[::1], types.float64[:, ::1]), **_OPTIONS)
def submatrix(indptr, indices, data, block, place, out):
    """Out = A[block, block], out zero on entry; place is -1 everywhere, before and after."""
    for k in range(block.size):
        place[block[k]] = k
    for k in range(block.size):
        for e in range(indptr[block[k]], indptr[block[k] + 1]):
            where = place[indices[e]]
            if where >= 0:
                out[k, where] += data[e]
    for i in block:
        place[i] = -1


# ---- designs: coordinate j is the column features[j] with the output outputs[j] ----------------------------


@njit(_csc(_INTS, _INTS, _PREDICTOR, _OUT), **_OPTIONS)
def sparse_slopes(indptr, indices, data, features, outputs, u, out):
    """Out_j = X[:, features_j]' u[:, outputs_j]."""
    for k in range(features.size):
        c, total = outputs[k], 0.0
        for e in range(indptr[features[k]], indptr[features[k] + 1]):
            total += data[e] * u[indices[e], c]
        out[k] = total


@njit(_csc(_INTS, _INTS, _FLOATS, _PREDICTOR), **_OPTIONS)
def sparse_add(indptr, indices, data, features, outputs, d, eta):
    """Eta[:, outputs_j] += X[:, features_j] d_j for all j."""
    for k in range(features.size):
        c, step = outputs[k], d[k]
        if step != 0.0:
            for e in range(indptr[features[k]], indptr[features[k] + 1]):
                eta[indices[e], c] += data[e] * step


@njit(_dense(_INTS, _INTS, _PREDICTOR, _OUT), **_OPTIONS)
def dense_slopes(X, features, outputs, u, out):
    """The same of a dense X."""
    for k in range(features.size):
        j, c, total = features[k], outputs[k], 0.0
        for i in range(X.shape[0]):
            total += X[i, j] * u[i, c]
        out[k] = total


@njit(_dense(_INTS, _INTS, _FLOATS, _PREDICTOR), **_OPTIONS)
def dense_add(X, features, outputs, d, eta):
    """The same of a dense X."""
    for k in range(features.size):
        j, c, step = features[k], outputs[k], d[k]
        if step != 0.0:
            for i in range(X.shape[0]):
                eta[i, c] += X[i, j] * step


@njit(_csc(_INTS, _INTS, _FLOATS, _FLOATS, _OUT), **_OPTIONS)
def absolute_gram_sums(indptr, indices, data, row_starts, row_columns, row_data, weights, out):
    """Out_j = sum_k |x_j' diag(weights) x_k|, X by columns and by rows."""
    sums = np.zeros(out.size)
    for j in range(out.size):
        sums[:] = 0.0
        for e in range(indptr[j], indptr[j + 1]):
            i = indices[e]
            scale = data[e] * weights[i]
            for f in range(row_starts[i], row_starts[i + 1]):
                sums[row_columns[f]] += scale * row_data[f]
        total = 0.0
        for k in range(out.size):
            total += abs(sums[k])
        out[j] = total


# ---- the quadratic model of a block with an L1 term and bounds ---------------------------------------------


@njit(
    types.float64(
        _read(types.float64, 2), _OUT, _OUT, _FLOATS, _FLOATS, _FLOATS, _FLOATS, types.int64, types.float64
    ),
    **_OPTIONS,
)
def model_sweeps(H, r, u, l1, l2, lower, upper, sweeps, tol):
    """Coordinate descent on the model of a block; r, the model's gradient at u, is kept up to date.

    The model is quadratic with Hessian H, plus l1 |u| + l2 u^2 / 2 within bounds. Ends after `sweeps` of them
    or once no coordinate changes the objective by more than about `tol`; returns the last such change.
    """
    change = 0.0
    for _ in range(sweeps):
        change = 0.0
        for i in range(u.size):
            curvature = H[i, i] + l2[i]
            if curvature <= 0.0:
                continue
            v = H[i, i] * u[i] - r[i]
            v = np.sign(v) * max(abs(v) - l1[i], 0.0) / curvature
            v = min(max(v, lower[i]), upper[i])
            step = v - u[i]
            if step != 0.0:
                u[i] = v
                for j in range(u.size):
                    r[j] += H[i, j] * step
                change = max(change, curvature * step * step)
        if change <= tol:
            break
    return change
