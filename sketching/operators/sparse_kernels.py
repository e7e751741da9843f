"""Kernels of the column-sparse sketches: each column of S has ``zeta`` entries, signs times one scale.

``rows`` (int32) and ``signs`` (int8) have shape (n, zeta): column j of S has ``signs[j, z] * scale`` in row
``rows[j, z]``. ``row_scale`` has n factors, or one for all.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types

from .vector_kernels import scatter_16, scatter_32

_WIDE, _NARROW = 32, 16  # columns taken at a time; measured best among 8, 16, 32, 64
_TILE = 64  # rows copied at a time where a row's entries are not neighbours


def _read(dtype, ndim, layout="C"):
    """The type of an array that is only read: one from a memory map, say, may refuse to be written."""
    return types.Array(dtype, ndim, layout, readonly=True)


_FLOATS = (types.float32, types.float64)
_SPARSE = (_read(types.int32, 2), _read(types.int8, 2))
_RANGE = (types.int64, types.int64)
_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


@njit("void(uint64[:, ::1], int64, int32[:, ::1], int8[:, ::1])", cache=True, nogil=True)
def distinct_rows(words, d, rows, signs):
    """Uniform random sets of rows, one a column, by Floyd's sampling; a sign from each word's last bit."""
    n, zeta = rows.shape
    for j in range(n):
        for z in range(zeta):
            top = d - zeta + z
            word = words[j, z]
            signs[j, z] = 1 if word & np.uint64(1) else -1
            row = np.int32((word >> np.uint64(1)) % np.uint64(top + 1))
            for earlier in range(z):
                if rows[j, earlier] == row:
                    row = np.int32(top)
                    break
            rows[j, z] = row


@njit(
    [types.void(*_SPARSE, _read(t, 1), _read(t, 2, "A"), *_RANGE, t[::1], t, t[:, ::1]) for t in _FLOATS],
    **_OPTIONS,
)
def sketch_panel(rows, signs, row_scale, A, first, width, buffer, scale, out):
    """Columns first .. first + width of out = S diag(row_scale) A; width is 32 or 16.

    ``buffer`` holds d * width numbers: one panel of the result, small enough to stay in the cache while all
    of A's rows are added into it.
    """
    n, d, zeta = A.shape[0], out.shape[0], rows.shape[1]
    buffer[: d * width] = 0
    scaled = row_scale.size > 1
    flat_rows, flat_signs = rows.reshape(rows.size), signs.reshape(signs.size)
    if A.strides[1] == A.itemsize:
        stride = A.strides[0]
        start = A.ctypes.data + first * A.itemsize
        for j in range(n):
            factor = row_scale[j if scaled else 0]
            if width == _WIDE:
                scatter_32(start + j * stride, stride, factor, flat_rows, flat_signs, j * zeta, zeta, buffer)
            else:
                scatter_16(start + j * stride, stride, factor, flat_rows, flat_signs, j * zeta, zeta, buffer)
    else:
        tile = np.empty((_TILE, width), dtype=A.dtype)
        stride = tile.strides[0]
        start = tile.ctypes.data
        for low in range(0, n, _TILE):
            high = min(n, low + _TILE)
            for group in range(0, width, 8):
                for j in range(low, high):
                    for c in range(group, group + 8):
                        tile[j - low, c] = A[j, first + c]
            for j in range(low, high):
                factor = row_scale[j if scaled else 0]
                place = start + (j - low) * stride
                if width == _WIDE:
                    scatter_32(place, 0, factor, flat_rows, flat_signs, j * zeta, zeta, buffer)
                else:
                    scatter_16(place, 0, factor, flat_rows, flat_signs, j * zeta, zeta, buffer)
    for i in range(d):
        for c in range(width):
            out[i, first + c] = scale * buffer[i * width + c]


@njit(
    [types.void(*_SPARSE, _read(t, 1), _read(t, 2, "A"), *_RANGE, t, t[:, ::1]) for t in _FLOATS],
    **_OPTIONS,
)
def sketch_columns(rows, signs, row_scale, A, first, last, scale, out):
    """The same for columns first .. last, a few that make no panel."""
    n, zeta = rows.shape
    scaled = row_scale.size > 1
    out[:, first:last] = 0
    for j in range(n):
        factor = scale * row_scale[j if scaled else 0]
        for z in range(zeta):
            i, signed = rows[j, z], factor * signs[j, z]
            for c in range(first, last):
                out[i, c] += signed * A[j, c]


@njit(
    [
        types.void(*_SPARSE, _read(t, 1), _read(t, 1), _read(i, 1), _read(i, 1), *_RANGE, t, t[:, ::1])
        for t in _FLOATS
        for i in (types.int32, types.int64)
    ],
    **_OPTIONS,
)
def sketch_sparse_columns(rows, signs, row_scale, data, indices, indptr, first, last, scale, out):
    """Columns first .. last of S diag(row_scale) A for A in CSC form, as rows of out."""
    zeta = rows.shape[1]
    scaled = row_scale.size > 1
    for c in range(first, last):
        for i in range(out.shape[1]):
            out[c, i] = 0
        for p in range(indptr[c], indptr[c + 1]):
            j = indices[p]
            value = scale * row_scale[j if scaled else 0] * data[p]
            for z in range(zeta):
                out[c, rows[j, z]] += signs[j, z] * value


@njit(
    [types.void(*_SPARSE, _read(t, 2), t, *_RANGE, t[:, ::1]) for t in _FLOATS],
    **_OPTIONS,
)
def adjoint_rows(rows, signs, B, scale, first, last, out):
    """Rows first .. last of out = S'B."""
    zeta = rows.shape[1]
    for j in range(first, last):
        for c in range(B.shape[1]):
            out[j, c] = 0
        for z in range(zeta):
            i, signed = rows[j, z], scale * signs[j, z]
            for c in range(B.shape[1]):
                out[j, c] += signed * B[i, c]
