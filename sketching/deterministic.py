"""Least squares without randomness: for small and square systems, and for what sketching cannot do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from types import SimpleNamespace
from typing import Any

import numpy as np
import scipy.linalg as sla
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, lsmr, splu

from .backward_error import frobenius_norm, karlson_walden, stewart
from .sketched_factor import SketchedFactor, extreme_singular_values

# Singular values below this multiple of eps, relative to the largest, count as zero.
_NEGLIGIBLE = 30.0
# LAPACK's block size; and the bound, in units of eps, above which the backward error is estimated sharply.
_BLOCK, _SUSPICIOUS = 64, 2.0


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


@cache
def _lapack(dtype: np.dtype[Any]) -> Any:
    """LAPACK's routines for a type; looking them up costs as much as a small system."""
    names = ("getrf", "getrs", "gecon", "lange", "geqrf", "ormqr", "trcon", "trtrs")
    return SimpleNamespace(**dict(zip(names, sla.get_lapack_funcs(names, dtype=dtype), strict=True)))


def _lu(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, str, float, np.ndarray | None]:
    lapack = _lapack(A.dtype)
    # The transpose of a row-ordered matrix stands by columns: no copy is reordered.
    transposed = A.flags.c_contiguous
    work = A.T if transposed else A
    factor, pivots, info = lapack.getrf(work)
    reciprocal = 0.0 if info else float(lapack.gecon(factor, lapack.lange("1", work), "1")[0])
    if not reciprocal > 0.0:
        return b, "lu", np.inf, None
    x, _ = lapack.getrs(factor, pivots, b, trans=1 if transposed else 0)
    # In the 1-norm, up to n times the 2-norm's: on the safe side.
    return x, "lu", 1.0 / reciprocal, None


def _qr(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, str, float, np.ndarray | None]:
    """Householder QR of A, or of A' where A is wide (least norm)."""
    m, n = A.shape
    lapack = _lapack(A.dtype)
    short = min(m, n)
    work = np.array(A if m >= n else A.T, order="F")
    factor, tau, _, _ = lapack.geqrf(work, lwork=_BLOCK * short, overwrite_a=True)
    upper = factor[:short]
    condition = _condition(upper, float(np.finfo(A.dtype).eps))
    if not condition < np.inf:
        return b, "qr", np.inf, None
    room = _BLOCK * b.shape[1]
    if m >= n:
        rotated = lapack.ormqr("L", "T", factor, tau, b, lwork=room)[0]
        return lapack.trtrs(upper, rotated[:n])[0], "qr", condition, upper
    inner = np.zeros((n, b.shape[1]), dtype=A.dtype)
    inner[:m] = lapack.trtrs(upper, b, trans=1)[0]
    return lapack.ormqr("L", "N", factor, tau, inner, room)[0], "qr", condition, None


def _condition(upper: np.ndarray, eps: float) -> float:
    """Condition number of R: LAPACK's estimate in the 1-norm, or a sharper one where that is alarming."""
    reciprocal = float(_lapack(upper.dtype).trcon(upper)[0])
    if reciprocal > _NEGLIGIBLE * eps * upper.shape[0]:
        return 1.0 / reciprocal
    largest, smallest = extreme_singular_values(np.triu(upper))
    return largest / smallest if smallest > 0.0 else np.inf


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
    norm = frobenius_norm(A) or 0.0
    norms, errors = np.empty(x.shape[1]), np.empty(x.shape[1])
    for k in range(x.shape[1]):
        size, slope = float(np.linalg.norm(x[:, k])), float(np.linalg.norm(gradient[:, k]))
        norms[k] = float(np.linalg.norm(residual[:, k]))
        errors[k] = stewart(size, slope, float(norms[k]), norm)
        if upper is not None and errors[k] > _SUSPICIOUS * np.finfo(A.dtype).eps:
            errors[k] = karlson_walden(_exact_factor(upper), x[:, k], gradient[:, k], float(norms[k]))
    if b.ndim == 1:
        return Solution(x[:, 0], method, float(norms[0]), float(errors[0]), rank, condition)
    return Solution(x, method, norms, errors, rank, condition)


def _exact_factor(upper: np.ndarray) -> SketchedFactor:
    """R as the factor that estimates take."""
    ones = np.ones(upper.shape[1], dtype=upper.dtype)
    return SketchedFactor(ones, np.triu(upper), None, None, np.nan, np.nan, ones)


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
