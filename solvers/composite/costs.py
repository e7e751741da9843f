"""What work costs, roughly, on one core: decides between representations of the same quadratic."""

from __future__ import annotations

import numpy as np

from ...problems.composite.design import Design, SparseDesign
from ...problems.composite.protocol import Indices

_GEMM, _DENSE_VISIT, _SPARSE_VISIT, _SPARSE_DOT = 4e-11, 6e-10, 3e-9, 1.2e-9
"""Seconds: a multiply-add of a matrix product; an entry of a column in a sweep, dense and sparse; an entry
of a sparse dot product."""

_SWEEPS = 12
"""Sweeps and products of conjugate gradients until a small working set on columns is solved, about.

For random columns the condition grows as (1 - sqrt(m / n))^-2 with their number m, and the work as its root.
Few are wanted: a set starts from the solution of the one before, and is solved no better than the rest of the
pool is known.
"""

_FEW_SAMPLES = 500
"""With so few, a Gram matrix costs nothing, and sets as large as n make sweeps slow."""

_CHOLESKIES = 3
_GRAM_SHARE = 0.25
"""The Gram matrix may take this part of X's memory, or what `_SMALL` columns need."""

_SMALL = 1500


def pass_cost(design: Design) -> float:
    """Seconds of a pass over X."""
    if isinstance(design, SparseDesign):
        return float(design.X.nnz) * _SPARSE_DOT
    return float(design.shape[0]) * design.shape[1] * _DENSE_VISIT


def round_cost(design: Design, columns: Indices) -> float:
    """Seconds to extend a working set by a third and to solve it."""
    gram, swept = _costs(design, columns)
    return min(0.3 * gram[0] + gram[1], swept)


def gram_is_cheaper(design: Design, columns: Indices, cached: bool) -> bool:
    """Whether a working set is better solved on its Gram matrix than on the columns of X.

    Parameters
    ----------
    design : Design
        X.
    columns : ndarray of int
        The working set.
    cached : bool
        Whether the matrix is kept, and so built once for many solutions.
    """
    if columns.size > max(_SMALL, np.sqrt(_GRAM_SHARE * _entries(design))):
        return False
    if design.shape[0] <= _FEW_SAMPLES:
        return True
    (build, solve), swept = _costs(design, columns)
    return bool((0.5 if cached else 1.0) * build + solve <= swept)


def _entries(design: Design) -> float:
    return float(design.X.nnz) if isinstance(design, SparseDesign) else float(np.prod(design.shape))


def _costs(design: Design, columns: Indices) -> tuple[tuple[float, float], float]:
    """Seconds to build the Gram matrix and to solve on it; to solve on the columns."""
    m, n = columns.size, design.shape[0]
    if isinstance(design, SparseDesign):
        indptr = design.parts[0]
        inside = float(np.sum(indptr[columns + 1] - indptr[columns]))
        build, visits = 0.5 * m * inside * _SPARSE_DOT, inside * _SPARSE_VISIT
    else:
        inside = float(n) * m
        build, visits = m * inside * _GEMM, inside * _DENSE_VISIT
    solve = _CHOLESKIES * m**3 / 3.0 * _GEMM + 20.0 * m * m * _DENSE_VISIT
    return (build, solve), _SWEEPS / max(1.0 - np.sqrt(m / n), 0.1) * visits
