"""Block SOR over a matrix of small dense blocks (BSR), and the LU factors of its diagonal blocks."""

from __future__ import annotations

import numpy as np
from numba import njit

from .sor_kernels import BACKWARD, SYMMETRIC

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}


@njit(**_OPTIONS)
def factor_diagonal_blocks(indptr, indices, blocks):
    """LU factors of the diagonal blocks and their row exchanges; and the first singular block, or -1."""
    rows, k = indptr.size - 1, blocks.shape[1]
    factors = np.zeros((rows, k, k))
    pivots = np.zeros((rows, k), dtype=np.int64)
    for i in range(rows):
        lu = factors[i]
        for p in range(indptr[i], indptr[i + 1]):
            if indices[p] == i:
                lu[:] = blocks[p]
        for c in range(k):
            best = c
            for r in range(c + 1, k):
                if abs(lu[r, c]) > abs(lu[best, c]):
                    best = r
            pivots[i, c] = best
            if best != c:
                for j in range(k):
                    lu[c, j], lu[best, j] = lu[best, j], lu[c, j]
            if not abs(lu[c, c]) >= 2.3e-308:
                return factors, pivots, i
            for r in range(c + 1, k):
                lu[r, c] /= lu[c, c]
                for j in range(c + 1, k):
                    lu[r, j] -= lu[r, c] * lu[c, j]
    return factors, pivots, -1


@njit(**_OPTIONS)
def _solve_block(lu, pivots, v):
    """Solve with one factorised block, in place."""
    k = v.size
    for c in range(k):
        v[c], v[pivots[c]] = v[pivots[c]], v[c]
    for r in range(k):
        for j in range(r):
            v[r] -= lu[r, j] * v[j]
    for r in range(k - 1, -1, -1):
        for j in range(r + 1, k):
            v[r] -= lu[r, j] * v[j]
        v[r] /= lu[r, r]


@njit(**_OPTIONS)
def block_sweep(backward, omega, indptr, indices, blocks, factors, pivots, b, old, new):
    """One sweep from `old` to `new`, which may be the same array; ||b - A old||^2 where they are two."""
    rows, k = indptr.size - 1, blocks.shape[1]
    rest, residual = np.empty(k), np.empty(k)
    norm2 = 0.0
    for step in range(rows):
        i = rows - 1 - step if backward else step
        for r in range(k):
            rest[r] = residual[r] = b[i * k + r]
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            swept = j > i if backward else j < i
            for r in range(k):
                with_old, with_new = 0.0, 0.0
                for c in range(k):
                    with_old += blocks[p, r, c] * old[j * k + c]
                    with_new += blocks[p, r, c] * new[j * k + c]
                residual[r] -= with_old
                rest[r] -= with_new if swept else with_old
        # rest is the residual of the newest values: the update is omega D_i^-1 rest.
        for r in range(k):
            norm2 += residual[r] * residual[r]
        _solve_block(factors[i], pivots[i], rest)
        for r in range(k):
            new[i * k + r] = old[i * k + r] + omega * rest[r]
    return norm2


@njit(**_OPTIONS)
def block_sor_iterations(
    direction, omega, indptr, indices, blocks, factors, pivots, b, old, new, target2, limit2, norms
):
    """As `sor_kernels.sor_iterations`."""
    for k in range(norms.size):
        backward = direction == BACKWARD
        norm2 = block_sweep(backward, omega, indptr, indices, blocks, factors, pivots, b, old, new)
        if direction == SYMMETRIC:
            block_sweep(True, omega, indptr, indices, blocks, factors, pivots, b, new, new)
        norms[k] = norm2
        if not target2 < norm2 < limit2:
            return k + 1, True
        old, new = new, old
    return norms.size, False
