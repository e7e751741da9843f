"""What work costs, roughly, on one core: decides between representations of the same quadratic."""

from __future__ import annotations

import numpy as np

from ...problems.composite.design import Design, SparseDesign
from ...problems.composite.protocol import Indices

_GEMM, _DENSE_VISIT, _SPARSE_VISIT, _SPARSE_DOT = 4e-11, 6e-10, 3e-9, 1.2e-9
"""Seconds: a multiply-add of a matrix product; an entry of a column in a sweep, dense and sparse; an entry
of a sparse dot product."""

_SWEEPS = 60
"""Sweeps and products of conjugate gradients until a small working set on columns is solved.

For random columns the condition grows as (1 - sqrt(m / n))^-2 with their number m, and the work as its root.
"""

_CHOLESKIES = 3
_GRAM_SHARE = 0.25
"""The Gram matrix may take this part of X's memory, or what `_SMALL` columns need."""

_SMALL = 1500


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
    m = columns.size
    if isinstance(design, SparseDesign):
        indptr, entries = design.parts[0], float(design.X.nnz)
        inside = float(np.sum(indptr[columns + 1] - indptr[columns]))
        build, visits = 0.5 * m * inside * _SPARSE_DOT, inside * _SPARSE_VISIT
    else:
        entries, inside = float(design.shape[0]) * design.shape[1], float(design.shape[0]) * m
        build, visits = m * inside * _GEMM, inside * _DENSE_VISIT
    if m > max(_SMALL, np.sqrt(_GRAM_SHARE * entries)):
        return False
    solve = _CHOLESKIES * m**3 / 3.0 * _GEMM + 20.0 * m * m * _DENSE_VISIT
    sweeps = _SWEEPS / max(1.0 - np.sqrt(m / design.shape[0]), 0.1)
    return bool((0.5 if cached else 1.0) * build + solve <= sweeps * visits)
