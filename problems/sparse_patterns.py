"""Fixed sparse patterns: merging scattered entries."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from .nlp import IndexVector


def merge_entries(
    rows: Sequence[np.ndarray], columns: Sequence[np.ndarray], shape: tuple[int, int]
) -> tuple[IndexVector, IndexVector, list[np.ndarray]]:
    """The CSR pattern of scattered entries, duplicates merged.

    Parameters
    ----------
    rows, columns : sequences of integer arrays
        Entry coordinates, in pieces.
    shape : (int, int)
        Shape of the matrix.

    Returns
    -------
    indptr, indices : ndarray of int64
        The pattern in CSR form, sorted.
    positions : list of ndarray of int32
        For each piece, the position of each entry in ``indices``.
    """
    sizes = [piece.size for piece in rows]
    width = max(shape[1], 1)
    keys = np.empty(sum(sizes), dtype=np.int64)
    ends = np.cumsum([0, *sizes])
    for start, end, row, column in zip(ends[:-1], ends[1:], rows, columns, strict=True):
        np.multiply(row, width, out=keys[start:end], dtype=np.int64)
        keys[start:end] += column
    if (keys[1:] > keys[:-1]).all():
        distinct, positions = keys, np.arange(keys.size, dtype=np.int32)
    else:
        distinct, positions = _merged(keys)
    row_of = distinct // width
    indptr = np.zeros(shape[0] + 1, dtype=np.int64)
    np.cumsum(np.bincount(row_of, minlength=shape[0]), out=indptr[1:])
    return (
        indptr,
        distinct - row_of * width,
        [positions[s:e] for s, e in pairwise(ends)],
    )


def _merged(keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The distinct keys, sorted, and the position among them of each key."""
    # Index data come in sorted runs, which a stable (merging) sort exploits.
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    first = np.empty(keys.size, dtype=bool)
    first[0] = True
    np.not_equal(keys[1:], keys[:-1], out=first[1:])
    positions = np.empty(keys.size, dtype=np.int32)
    positions[order] = np.cumsum(first, dtype=np.int32) - 1
    return keys[first], positions
