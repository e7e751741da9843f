"""How many rows a sketch should have, and whether sketching pays at all: rough costs, measured rates."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

# Rows a column: 12 is the default of FOSSILS; fewer where the sketch's own QR would dominate.
_RATIOS = (4, 6, 8, 12)
# Seconds for: a number of A read in an iteration (dense, sparse), an operation of a QR factorisation, a step
# besides. Measured on one core at 2.6 GHz with AVX-512; only their ratios matter.
_READ, _READ_SPARSE, _FLOP, _STEP = 7e-10, 2.5e-9, 6e-11, 4e-5
# The same for LAPACK's QR of a tall matrix, whose panels are bound by memory.
_TALL_FLOP = 8e-11
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
    return best * short


def pays(A: Any, sketch_size: int | None) -> str | None:
    """None where sketching should be faster than the best deterministic method, else why it should not."""
    long, short = max(A.shape), min(A.shape)
    shape = f"{A.shape[0]} x {A.shape[1]}"
    if long < _RATIOS[0] * short or long * short**2 <= _TRIFLE:
        return f"QR is faster at {shape}"
    d = sketch_size or choose(A)
    if d >= long:
        return f"{shape} is not tall (or wide) enough for a sketch"
    if isinstance(A, LinearOperator) or sp.issparse(A):
        return (
            None if short <= 4000 else f"the sketch of {shape} would be a dense matrix with {short} columns"
        )
    if _cost(A, d) >= 2.0 * long * short**2 * _TALL_FLOP:
        return f"QR is faster at {shape}"
    return None


def _cost(A: Any, d: int) -> float:
    """Seconds for sketch, factorisation and the usual number of steps."""
    short = min(A.shape)
    if isinstance(A, np.ndarray):
        entries, read = A.size, _READ
    else:
        entries, read = A.nnz if sp.issparse(A) else max(A.shape), _READ_SPARSE
    steps = expected_iterations(short, d, 1e-16)
    return steps * (entries * read + _STEP) + 2.0 * d * short**2 * _FLOP
