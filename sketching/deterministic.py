"""Least squares without randomness: for small and square systems, and for what sketching cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg as sla
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, lsmr, splu

from .backward_error import frobenius_norm, karlson_walden, stewart
from .sketched_factor import SketchedFactor, extreme_singular_values

# Singular values below this multiple of eps, relative to the largest, count as zero.
_NEGLIGIBLE = 30.0


@dataclass(frozen=True)
class Solution:
    """A solution and what is known about it; arrays of errors where there are several right-hand sides."""

    x: np.ndarray
    method: str
    residual_norm: Any
    backward_error: Any
    rank: int | None
    condition: float | None
    iterations: int = 0


def dense(A: np.ndarray, b: np.ndarray) -> Solution:
    """LU for square systems, QR for the others, complete orthogonal decomposition where the rank is short."""
    m, n = A.shape
    least = _NEGLIGIBLE * float(np.finfo(A.dtype).eps)
    columns = b.reshape(m, -1)
    condition, upper = np.inf, None
    for attempt in (_lu, _qr) if m == n else (_qr,):
        x, method, condition, upper = attempt(A, columns)
        if condition * least < 1.0:
            return _judge(A, b, x, method, min(m, n), condition, upper)
    x, _, rank, _ = sla.lstsq(A, columns, cond=least, lapack_driver="gelsy", check_finite=False)
    return _judge(A, b, x, "gelsy", int(rank), condition, upper)


def _lu(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, str, float, np.ndarray | None]:
    getrf, getrs, gecon = sla.get_lapack_funcs(("getrf", "getrs", "gecon"), (A,))
    # The transpose of a row-ordered matrix stands by columns: no copy is reordered.
    transposed = A.flags.c_contiguous
    work = A.T if transposed else A
    norm = np.abs(work).sum(axis=0).max()
    factor, pivots, info = getrf(work)
    reciprocal = 0.0 if info else float(gecon(factor, norm, "1")[0])
    if reciprocal == 0.0:
        return b, "lu", np.inf, None
    x, _ = getrs(factor, pivots, b, trans=1 if transposed else 0)
    # In the 1-norm, up to n times the 2-norm's: on the safe side.
    return x, "lu", 1.0 / reciprocal, None


def _qr(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, str, float, np.ndarray | None]:
    """Householder QR of A, or of A' where A is wide (least norm)."""
    m, n = A.shape
    geqrf, ormqr, trtrs = sla.get_lapack_funcs(("geqrf", "ormqr", "trtrs"), (A,))
    short = min(m, n)
    factor, tau, _, _ = geqrf(np.array(A if m >= n else A.T, order="F"), overwrite_a=True)
    upper = np.triu(factor[:short])
    largest, smallest = extreme_singular_values(upper)
    if smallest == 0.0:
        return b, "qr", np.inf, upper if m >= n else None
    room = max(1, 64 * b.shape[1])
    if m >= n:
        rotated = ormqr("L", "T", factor, tau, b, lwork=room)[0]
        x = trtrs(upper, rotated[:n])[0]
    else:
        inner = trtrs(upper, b, trans=1)[0]
        x = ormqr("L", "N", factor, tau, np.vstack([inner, np.zeros((n - m, b.shape[1]), A.dtype)]), room)[0]
    return x, "qr", largest / smallest, upper if m >= n else None


def _judge(
    A: np.ndarray,
    b: np.ndarray,
    x: np.ndarray,
    method: str,
    rank: int,
    condition: float,
    upper: np.ndarray | None,
) -> Solution:
    """Residuals and backward errors, recomputed from A."""
    columns = b.reshape(A.shape[0], -1)
    residual = columns - A @ x
    gradient = A.T @ residual
    norms = np.linalg.norm(residual, axis=0)
    factor = None
    if upper is not None:
        scale = np.ones(A.shape[1], dtype=A.dtype)
        factor = SketchedFactor(scale, upper, None, None, np.nan, np.nan, scale)
    size = frobenius_norm(A) or 0.0
    errors = np.array(
        [
            karlson_walden(factor, x[:, k], gradient[:, k], float(norms[k]))
            if factor is not None
            else stewart(
                float(np.linalg.norm(x[:, k])), float(np.linalg.norm(gradient[:, k])), float(norms[k]), size
            )
            for k in range(x.shape[1])
        ]
    )
    if b.ndim == 1:
        return Solution(x[:, 0], method, float(norms[0]), float(errors[0]), rank, condition)
    return Solution(x, method, norms, errors, rank, condition)


def sparse(A: Any, b: np.ndarray, damp: float, rtol: float, maxiter: int | None) -> Solution:
    """Sparse LU for square systems, LSMR for the others and for operators."""
    columns = b.reshape(A.shape[0], -1)
    if sp.issparse(A) and A.shape[0] == A.shape[1] and damp == 0.0:
        solution = _sparse_lu(A, b)
        if solution is not None:
            return solution
    return _lsmr(A, columns, b.ndim == 1, damp, rtol, maxiter)


def _sparse_lu(A: Any, b: np.ndarray) -> Solution | None:
    """None where A is singular, or close to it."""
    try:
        x = splu(sp.csc_array(A).astype(np.float64)).solve(b.astype(np.float64))
    except RuntimeError:  # "Factor is exactly singular"
        return None
    norms = np.linalg.norm(b - A @ x, axis=0)
    with np.errstate(all="ignore"):
        errors = np.nan_to_num(norms / (np.linalg.norm(A.data) * np.linalg.norm(x, axis=0)), nan=0.0)
    if not np.all(np.isfinite(x)) or np.any(errors > 1e3 * np.finfo(A.dtype).eps):
        return None
    return Solution(x, "splu", _plain(norms), _plain(errors), A.shape[0], None)


def _lsmr(
    A: Any, columns: np.ndarray, single: bool, damp: float, rtol: float, maxiter: int | None
) -> Solution:
    # Tolerances at the roundoff: LSMR then stops by itself where nothing is to be gained.
    tolerance = max(rtol, float(np.finfo(np.float64).eps))
    most = maxiter or 4 * min(A.shape) + 100
    results = [
        lsmr(A, column, damp=damp, atol=tolerance, btol=tolerance, conlim=0.0, maxiter=most)
        for column in columns.T
    ]
    x = np.column_stack([result[0] for result in results])
    residual = columns - A @ x
    transposed = A.rmatmat(residual) if isinstance(A, LinearOperator) else A.T @ residual
    gradient = np.linalg.norm(transposed - damp**2 * x, axis=0)
    norms = np.linalg.norm(residual, axis=0)
    size = frobenius_norm(A) or float(results[0][5])  # LSMR's own estimate of the norm
    errors = np.array(
        [
            stewart(float(np.linalg.norm(x[:, k])), float(gradient[k]), float(norms[k]), size)
            for k in range(x.shape[1])
        ]
    )
    iterations = max(int(result[2]) for result in results)
    condition = float(results[0][6])
    if single:
        return Solution(x[:, 0], "lsmr", float(norms[0]), float(errors[0]), None, condition, iterations)
    return Solution(x, "lsmr", norms, errors, None, condition, iterations)


def _plain(values: Any) -> Any:
    return float(values) if np.ndim(values) == 0 else values
