"""Sweeps of single-row and single-column projections, for dense C-ordered and CSR matrices.

M is A for Kaczmarz steps and A' for coordinate steps, so that each step reads one row of M. Everything is
changed in place. Sums run in double precision and in a fixed order: results depend on nothing but the input.
"""

from __future__ import annotations

from numba import njit

# Reassociation lets the dot products use vector instructions.
_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True, "fastmath": {"reassoc", "contract"}}


@njit(**_OPTIONS)
def kaczmarz_dense(M, b, norms2, rows, x):
    """For each i of rows: x += (b_i - m_i'x) / ||m_i||^2 m_i."""
    n = x.size
    for i in rows:
        gap = 0.0
        for j in range(n):
            gap += M[i, j] * x[j]
        step = (b[i] - gap) / norms2[i]
        for j in range(n):
            x[j] += step * M[i, j]


@njit(**_OPTIONS)
def kaczmarz_csr(indptr, indices, data, b, norms2, rows, x):
    """As `kaczmarz_dense`."""
    for i in rows:
        gap = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            gap += data[p] * x[indices[p]]
        step = (b[i] - gap) / norms2[i]
        for p in range(indptr[i], indptr[i + 1]):
            x[indices[p]] += step * data[p]


@njit(**_OPTIONS)
def kaczmarz_momentum_dense(M, b, norms2, rows, momentum, x, previous):
    """As `kaczmarz_dense`, plus the heavy ball ``momentum * (x - previous)``."""
    n = x.size
    for i in rows:
        gap = 0.0
        for j in range(n):
            gap += M[i, j] * x[j]
        step = (b[i] - gap) / norms2[i]
        for j in range(n):
            now = x[j]
            x[j] = now + step * M[i, j] + momentum * (now - previous[j])
            previous[j] = now


@njit(**_OPTIONS)
def kaczmarz_momentum_csr(indptr, indices, data, b, norms2, rows, momentum, x, previous):
    """As `kaczmarz_momentum_dense`; the momentum makes each step cost n, however sparse the row."""
    n = x.size
    for i in rows:
        gap = 0.0
        for p in range(indptr[i], indptr[i + 1]):
            gap += data[p] * x[indices[p]]
        step = (b[i] - gap) / norms2[i]
        for j in range(n):
            now = x[j]
            x[j] = now + momentum * (now - previous[j])
            previous[j] = now
        for p in range(indptr[i], indptr[i + 1]):
            x[indices[p]] += step * data[p]


@njit(**_OPTIONS)
def coordinate_dense(M, norms2, rows, x, r):
    """For each j of rows: d = m_j'r / ||m_j||^2, x_j += d, r -= d m_j."""
    m = r.size
    for j in rows:
        slope = 0.0
        for i in range(m):
            slope += M[j, i] * r[i]
        step = slope / norms2[j]
        x[j] += step
        for i in range(m):
            r[i] -= step * M[j, i]


@njit(**_OPTIONS)
def coordinate_csr(indptr, indices, data, norms2, rows, x, r):
    """As `coordinate_dense`."""
    for j in rows:
        slope = 0.0
        for p in range(indptr[j], indptr[j + 1]):
            slope += data[p] * r[indices[p]]
        step = slope / norms2[j]
        x[j] += step
        for p in range(indptr[j], indptr[j + 1]):
            r[indices[p]] -= step * data[p]


@njit(**_OPTIONS)
def _farthest(gaps, norms2):
    """Index of the largest ``gap^2 / norm^2``; rows of norm zero never win."""
    best, largest = 0, -1.0
    for i in range(gaps.size):
        if norms2[i] > 0.0:
            distance2 = gaps[i] * gaps[i] / norms2[i]
            if distance2 > largest:
                best, largest = i, distance2
    return best


@njit(**_OPTIONS)
def greedy_dense(M, norms2, steps, gaps, y):
    """Repeat: i = argmax |gap_i| / ||m_i||, d = gap_i / ||m_i||^2, y_i += d, gaps -= d M m_i."""
    rows, n = M.shape
    for _ in range(steps):
        i = _farthest(gaps, norms2)
        step = gaps[i] / norms2[i]
        y[i] += step
        for k in range(rows):
            product = 0.0
            for j in range(n):
                product += M[k, j] * M[i, j]
            gaps[k] -= step * product


@njit(**_OPTIONS)
def greedy_csr(indptr, indices, data, column_indptr, column_indices, column_data, norms2, steps, gaps, y):
    """As `greedy_dense`; M's columns are needed to update the gaps."""
    for _ in range(steps):
        i = _farthest(gaps, norms2)
        step = gaps[i] / norms2[i]
        y[i] += step
        for p in range(indptr[i], indptr[i + 1]):
            j, scaled = indices[p], step * data[p]
            for q in range(column_indptr[j], column_indptr[j + 1]):
                gaps[column_indices[q]] -= scaled * column_data[q]
