"""Matrices as the kernels take them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, issparse


def as_square_csr(A: Any) -> csr_array:
    """A as float64 CSR with sorted indices and without duplicates; a copy only where something changes.

    Parameters
    ----------
    A : sparse array or matrix, or ndarray, shape (n, n)
        The matrix.

    Raises
    ------
    TypeError
        If A is none of these or is complex.
    ValueError
        If A is not square or is empty.
    """
    if not issparse(A):
        if not isinstance(A, np.ndarray):
            raise TypeError(f"A must be a sparse array or an ndarray, got {type(A).__name__}")
        if A.ndim != 2:
            raise ValueError(f"A must have two dimensions, got {A.ndim}")
    if A.dtype.kind not in "fiub":
        raise TypeError(f"A must be real, got dtype {A.dtype}")
    if A.shape[0] != A.shape[1] or A.shape[0] == 0:
        raise ValueError(f"A must be square and not empty, got shape {A.shape}")
    matrix = csr_array(A, dtype=np.float64)
    if not matrix.has_canonical_format:
        if matrix is A or np.shares_memory(matrix.data, getattr(A, "data", matrix.data)):
            matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix


def same_pattern(A: csr_array, other: csr_array | None) -> bool:
    """Whether two CSR matrices share the arrays of their pattern, not only what is in them."""
    if other is None or A.shape != other.shape:
        return False
    pairs = (A.indptr, other.indptr), (A.indices, other.indices)
    return all(one is two or one.__array_interface__ == two.__array_interface__ for one, two in pairs)


def positive(name: str, value: Any, upper: float = np.inf) -> float:
    """`value` as a float in (0, upper); ValueError or TypeError that names it otherwise."""
    number = as_number(name, value)
    if not 0.0 < number < upper:
        raise ValueError(f"{name} must lie in (0, {upper:g}), got {number:g}")
    return number


def as_number(name: str, value: Any) -> float:
    """`value` as a float; TypeError that names it where it is none."""
    if isinstance(value, (str, bytes)) or np.ndim(value) != 0 or np.iscomplexobj(value):
        raise TypeError(f"{name} must be a number, got {value!r}")
    try:
        return float(value)
    except TypeError:
        raise TypeError(f"{name} must be a number, got {value!r}") from None


def unsigned(size: int) -> NDArray[Any]:
    """An empty array of the unsigned type that `size` fits in, for the kernels of `splitting_kernels`."""
    return np.empty(0, dtype=np.uint32 if size < 2**32 else np.uint64)
