"""The sparse sum of outer products A'DA: curvature of group functions, row by row of the lower triangle.

What is stored is O(nonzeros of A and of the result); the products themselves, which can be far more (many
rows that share many columns), are never listed.
"""

from __future__ import annotations

import numpy as np
from numba import njit, types, void

from .pointers import int32s_at, int64s_at

_FLOAT = types.Array(types.float64, 1, "C")
_INT = types.Array(types.int64, 1, "C")
_SHORT = types.Array(types.int32, 1, "C")
_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True}


@njit(void(_INT, _INT, _INT, _INT, _INT, _INT), **_OPTIONS)
def count_gram(indptr, indices, column_start, entries, entry_row, counts):
    """Entries in each row of the lower triangle of A'A into counts.

    A has the sorted CSR pattern (indptr, indices); column i's entries are
    ``entries[column_start[i]:column_start[i + 1]]``, positions in ``indices``, and ``entry_row`` is the row
    of each entry.
    """
    seen = np.full(counts.size, -1, np.int64)
    for i in range(counts.size):
        found = 0
        for t in range(column_start[i], column_start[i + 1]):
            if found == i + 1:
                break  # the row is full
            for l in range(indptr[entry_row[entries[t]]], entries[t] + 1):
                j = indices[l]
                if seen[j] != i:
                    seen[j] = i
                    found += 1
        counts[i] = found


@njit(void(_INT, _INT, _INT, _INT, _INT, _INT, _SHORT), **_OPTIONS)
def fill_gram(indptr, indices, column_start, entries, entry_row, gram_start, columns):
    """Columns of the entries that `count_gram` counts, unsorted within a row."""
    seen = np.full(gram_start.size - 1, -1, np.int64)
    for i in range(gram_start.size - 1):
        at = gram_start[i]
        for t in range(column_start[i], column_start[i + 1]):
            if at == gram_start[i + 1]:
                break
            for l in range(indptr[entry_row[entries[t]]], entries[t] + 1):
                j = indices[l]
                if seen[j] != i:
                    seen[j] = i
                    columns[at] = j
                    at += 1


@njit(void(_INT, _FLOAT, _FLOAT, _FLOAT), **_OPTIONS)
def add_gram(plan, values, weights, out):
    """A'DA, D = diag(weights), added to out: entry l of its lower triangle at positions[l].

    ``plan`` holds n and the addresses of indptr, indices, column_start, entries, entry_row (see
    `count_gram`), gram_start, columns, positions: one array costs far less to hand over than nine.
    """
    n = plan[0]
    indptr, indices, column_start = int64s_at(plan[1]), int64s_at(plan[2]), int64s_at(plan[3])
    entries, entry_row, gram_start = int64s_at(plan[4]), int64s_at(plan[5]), int64s_at(plan[6])
    columns, positions = int32s_at(plan[7]), int32s_at(plan[8])
    work = np.zeros(n)
    for i in range(n):
        for t in range(column_start[i], column_start[i + 1]):
            end = entries[t]
            row = entry_row[end]
            scaled = weights[row] * values[end]
            for l in range(indptr[row], end + 1):
                work[indices[l]] += scaled * values[l]
        for l in range(gram_start[i], gram_start[i + 1]):
            out[positions[l]] += work[columns[l]]
            work[columns[l]] = 0.0
