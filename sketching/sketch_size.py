"""How many rows a sketch should have, and whether sketching pays at all: rough costs, measured rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

# Rows a column: 12 is the default of FOSSILS; fewer where the sketch's own QR would dominate.
_RATIOS = (4, 6, 8, 12)
# Seconds, measured on one core at 2.6 GHz with AVX-512; only their ratios matter. For each number of A: a
# pass (dense, sparse), the sketch. For each operation: a blocked QR. For each step: what Python adds.
_PASS, _SPARSE_PASS, _SKETCH, _FLOP, _STEP = 4.5e-10, 2.5e-9, 2.5e-9, 3e-11, 8e-5
# LAPACK factors up to 128 columns one by one, wider matrices in panels of 32: bound by the memory that holds
# the panel. Bytes, and seconds for each number and column.
_UNBLOCKED, _PANEL = 128, 32
_MEMORY = ((2e6, 1.5e-10), (2e7, 4e-10), (np.inf, 1.1e-9))
# Systems with m n^2 below this are done before the question is answered.
_TRIFLE = 10**7


def expected_iterations(rank: int, d: int, eps: float) -> int:
    """Steps until the error has fallen from 1 to eps at the rate sqrt(rank / d)."""
    rate = np.sqrt(min(rank / d, 0.9))
    return int(np.ceil(np.log(eps) / np.log(rate))) + 4


def choose(A: Any) -> int:
    """Number of rows of the sketch of A (of A' where A is wide)."""
    short = min(A.shape)
    best = min(_RATIOS, key=lambda ratio: _cost(A, ratio * short))
    return int(best * short)


def pays(A: Any, sketch_size: int | None) -> str | None:
    """None where sketching should be faster than the best deterministic method, else why it should not."""
    long, short = max(A.shape), min(A.shape)
    shape = f"{A.shape[0]} x {A.shape[1]}"
    if long < _RATIOS[0] * short or long * short**2 <= _TRIFLE:
        return f"{shape} is too small or too square for a sketch to pay"
    d = sketch_size or choose(A)
    if d >= long:
        return f"{shape} is not tall (or wide) enough for a sketch"
    if isinstance(A, LinearOperator) or sp.issparse(A):
        return (
            None if short <= 4000 else f"the sketch of {shape} would be a dense matrix with {short} columns"
        )
    if _cost(A, d) >= _householder(long, short):
        return f"QR is faster at {shape}"
    return None


def _cost(A: Any, d: int) -> float:
    """Seconds for sketch, factorisation and the usual number of steps."""
    short = min(A.shape)
    if isinstance(A, np.ndarray):
        entries, read = A.size, _PASS
    else:
        entries, read = A.nnz if sp.issparse(A) else max(A.shape), _SPARSE_PASS
    steps = expected_iterations(short, d, 1e-16)
    return steps * (entries * read + _STEP) + entries * _SKETCH + _householder(d, short)


def _householder(long: int, short: int) -> float:
    """Seconds for a QR factorisation by LAPACK."""
    width = short if short <= _UNBLOCKED else _PANEL
    rate = next(rate for size, rate in _MEMORY if 8.0 * long * width <= size)
    blocked = 2.0 * long * short**2 * _FLOP if short > _UNBLOCKED else 0.0
    return blocked + long * short * width * rate
