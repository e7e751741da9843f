"""Products with a matrix of any accepted kind, and its entries where a deterministic method wants them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .inputs import Matrix

Array = NDArray[Any]


def dtype_of(A: Matrix) -> np.dtype[Any]:
    """float32 where A is float32, else float64 (operators may have integer dtypes, or none)."""
    return np.dtype(np.float32 if A.dtype == np.float32 else np.float64)


def times(A: Matrix, X: Array) -> Array:
    """``A @ X``, finite.

    Raises
    ------
    ValueError
        The product is not finite: an operator returned NaN or infinities, or it overflowed.
    """
    return _finite(A @ X, "A @ X")


def adjoint_times(A: Matrix, X: Array) -> Array:
    """``A.T @ X``, finite; see `times`."""
    return _finite(A.T @ X, "A.T @ X")


def scaled_rows(X: Array, factors: Array | None) -> Array:
    """``diag(factors) @ X`` for one or several columns, in the type of X; X itself where factors is None."""
    if factors is None:
        return X
    factors = factors.astype(X.dtype, copy=False)
    return np.asarray(X * (factors if X.ndim == 1 else factors[:, None]))


def dense(A: Matrix) -> Array:
    """A as an array; an operator by its product with the identity of the smaller side."""
    if isinstance(A, np.ndarray):
        return A
    if hasattr(A, "toarray"):
        return np.asarray(A.toarray())
    m, n = A.shape
    if n <= m:
        return times(A, np.eye(n, dtype=dtype_of(A)))
    return adjoint_times(A, np.eye(m, dtype=dtype_of(A))).T


def _finite(product: Any, name: str) -> Array:
    result = np.asarray(product)
    with np.errstate(all="ignore"):
        if not np.isfinite(result.sum()) and not np.isfinite(result).all():
            raise ValueError(f"the product {name} is not finite; an operator with finite products is wanted")
    return result
