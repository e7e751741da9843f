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

from .backward_error import frobenius_norm, karlson_walden, relative, stewart
from .products import dense as entries
from .sketched_factor import SketchedFactor, extreme_singular_values

# Singular values below this multiple of eps, relative to the largest, count as zero.
_NEGLIGIBLE = 30.0
# LAPACK's block size; and the bound, in units of eps, above which the backward error is estimated sharply.
_BLOCK, _SUSPICIOUS = 64, 2.0
# Operations of a QR, and entries, up to which a sparse matrix or an operator is better off as a dense matrix.
_SMALL_WORK, _SMALL_SIZE = 10**8, 10**7


@dataclass(frozen=True)
class Solution:
    """A solution and what is known about it; arrays of errors where there are several right-hand sides.

    With damping, the backward error is that of the augmented system [A; damp I] x = [b; 0]; the residual norm
    is ||b - A x|| always.
    """

    x: np.ndarray
    method: str
    residual_norm: Any
    backward_error: Any
    rank: int | None
    condition: float | None
    iterations: int = 0


def solve(A: Any, b: np.ndarray, damp: float, rtol: float, maxiter: int | None) -> Solution:
    """Min ||A x - b||^2 + damp^2 ||x||^2, of least norm, by what suits A.

    Parameters
    ----------
    A : ndarray, csr_array, csc_array or LinearOperator, shape (m, n)
        Dense ones, and small others: `dense`. Sparse square ones: LU. What remains: LSMR.
    b : ndarray, shape (m,) or (m, p)
        Right-hand sides.
    damp : float
        Square root of the ridge parameter.
    rtol, maxiter
        Tolerance of LSMR, and most steps.
    """
    m, n = A.shape
    if isinstance(A, np.ndarray):
        return dense(A, b, damp)
    if sp.issparse(A) and m == n and not damp:
        solution = _sparse_lu(A, b)
        if solution is not None:
            return solution
    if m * n <= _SMALL_SIZE and m * n * min(m, n) <= _SMALL_WORK:
        return dense(entries(A), b, damp)
    return _lsmr(A, b, damp, rtol, maxiter)


def dense(A: np.ndarray, b: np.ndarray, damp: float = 0.0) -> Solution:
    """LU for square systems, QR for the others, complete orthogonal decomposition where the rank is short."""
    m, n = A.shape
    least = _NEGLIGIBLE * float(np.finfo(A.dtype).eps)
    columns = np.asfortranarray(b.reshape(m, -1), dtype=A.dtype)
    if m == n and not damp:
        x, condition = _lu(A, columns)
        if x is not None and condition * least < 1.0:
            return _judge(A, b, damp, x, "lu", n, condition, None)
    x, condition, upper = _qr(A, columns, damp)
    if x is not None and condition * least < 1.0:
        return _judge(A, b, damp, x, "qr", min(m, n), condition, upper)
    x, rank = _gelsy(A, columns, damp, least)
    return _judge(A, b, damp, x, "gelsy", rank, condition, upper)


@cache
def _lapack(dtype: np.dtype[Any]) -> Any:
    """LAPACK's routines for a type; looking them up costs as much as a small system."""
    names = ("getrf", "getrs", "gecon", "lange", "geqrf", "ormqr", "trcon", "trtrs")
    return SimpleNamespace(**dict(zip(names, sla.get_lapack_funcs(names, dtype=dtype), strict=True)))


def _lu(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray | None, float]:
    """Solution (None where A is singular) and condition number in the 1-norm, up to n times the 2-norm's."""
    lapack = _lapack(A.dtype)
    # The transpose of a row-ordered matrix stands by columns: no copy is reordered.
    transposed = A.flags.c_contiguous
    work = A.T if transposed else A
    factor, pivots, info = lapack.getrf(work)
    reciprocal = 0.0 if info else float(lapack.gecon(factor, lapack.lange("1", work), "1")[0])
    if not reciprocal > 0.0:
        return None, np.inf
    return lapack.getrs(factor, pivots, b, trans=1 if transposed else 0)[0], 1.0 / reciprocal


def _qr(A: np.ndarray, b: np.ndarray, damp: float) -> tuple[np.ndarray | None, float, np.ndarray | None]:
    """Householder QR of A, or of A' where A is wide (least norm).

    Returns the solution (None where A is singular), the condition number of A with its columns (or rows)
    scaled, which is what solving by R feels, and R where A is not wide. With damping, a wide A solves
    A x + damp z = b with (x, z) of least norm, and both are returned, x first.
    """
    m, n = A.shape
    lapack = _lapack(A.dtype)
    long, short = max(m, n), min(m, n)
    work = np.empty((long + short if damp else long, short), dtype=A.dtype, order="F")
    work[:long] = A if m >= n else A.T
    if damp:
        work[long:] = 0.0
        work[np.arange(long, long + short), np.arange(short)] = damp
    factor, tau, _, _ = lapack.geqrf(work, lwork=_BLOCK * short, overwrite_a=True)
    upper = factor[:short]
    condition = _condition(upper, float(np.finfo(A.dtype).eps))
    if not condition < np.inf:
        return None, np.inf, None
    room = _BLOCK * b.shape[1]
    padded = np.zeros((work.shape[0], b.shape[1]), dtype=A.dtype, order="F")
    if m >= n:
        padded[:m] = b
        rotated = lapack.ormqr("L", "T", factor, tau, padded, lwork=room, overwrite_c=True)[0]
        return lapack.trtrs(upper, rotated[:n])[0], condition, upper
    padded[:m] = lapack.trtrs(upper, b, trans=1)[0]
    return lapack.ormqr("L", "N", factor, tau, padded, room, overwrite_c=True)[0], condition, None


def _condition(upper: np.ndarray, eps: float) -> float:
    """Condition number of R: LAPACK's estimate in the 1-norm, or a sharper one where that is alarming.

    The sharper one has R's columns scaled to norm one: their scale does no harm.
    """
    reciprocal = float(_lapack(upper.dtype).trcon(upper)[0])
    if reciprocal > _NEGLIGIBLE * eps * upper.shape[0]:
        return 1.0 / reciprocal
    upper = np.triu(upper)
    norms = np.linalg.norm(upper, axis=0)
    if norms.min() == 0.0:
        return np.inf
    largest, smallest = extreme_singular_values(upper / norms)
    return largest / smallest if smallest > 0.0 else np.inf


def _gelsy(A: np.ndarray, b: np.ndarray, damp: float, least: float) -> tuple[np.ndarray, int]:
    """Solution of least norm, and rank, by the complete orthogonal decomposition; (x, z) as in `_qr`."""
    m, n = A.shape
    if damp:
        identity = np.diag(np.full(min(m, n), damp, dtype=A.dtype))
        if m >= n:
            A, b = np.vstack([A, identity]), np.vstack([b, np.zeros((n, b.shape[1]), dtype=b.dtype)])
        else:
            A = np.hstack([A, identity])
    x, _, rank, _ = sla.lstsq(A, b, cond=least, lapack_driver="gelsy", check_finite=False)
    return x, int(rank)


def _judge(
    A: np.ndarray,
    b: np.ndarray,
    damp: float,
    x: np.ndarray,
    method: str,
    rank: int,
    condition: float,
    upper: np.ndarray | None,
) -> Solution:
    """Residuals and backward errors, recomputed from A."""
    n = A.shape[1]
    x, z = x[:n], x[n:]
    residual = b.reshape(A.shape[0], -1) - A @ x
    norm = frobenius_norm(A) or 0.0
    if damp:
        norm = float(np.hypot(norm, damp * np.sqrt(min(A.shape))))
    if z.size:
        norms = np.linalg.norm(residual, axis=0)
        left = np.linalg.norm(residual - A.dtype.type(damp) * z, axis=0)
        sizes = np.hypot(np.linalg.norm(x, axis=0), np.linalg.norm(z, axis=0))
        return _solution(b, x, method, norms, relative(left, norm * sizes), rank, condition)
    gradient = A.T @ residual
    if damp:
        gradient -= A.dtype.type(damp) ** 2 * x
    norms, errors = np.empty(x.shape[1]), np.empty(x.shape[1])
    for k in range(x.shape[1]):
        size, slope = float(np.linalg.norm(x[:, k])), float(np.linalg.norm(gradient[:, k]))
        norms[k] = float(np.linalg.norm(residual[:, k]))
        augmented = float(np.hypot(norms[k], damp * size)) if damp else float(norms[k])
        errors[k] = stewart(size, slope, augmented, norm)
        if upper is not None and errors[k] > _SUSPICIOUS * np.finfo(A.dtype).eps:
            errors[k] = karlson_walden(_exact_factor(upper), x[:, k], gradient[:, k], augmented)
    return _solution(b, x, method, norms, errors, rank, condition)


def _exact_factor(upper: np.ndarray) -> SketchedFactor:
    """R as the factor that estimates take."""
    ones = np.ones(upper.shape[1], dtype=upper.dtype)
    return SketchedFactor(ones, np.triu(upper), None, None, np.nan, np.nan, ones)


def _sparse_lu(A: Any, b: np.ndarray) -> Solution | None:
    """None where A is singular, or close to it."""
    try:
        x = splu(sp.csc_array(A).astype(np.float64)).solve(b.astype(np.float64))
    except RuntimeError:  # "Factor is exactly singular"
        return None
    if not np.all(np.isfinite(x)):
        return None
    columns = x.reshape(A.shape[1], -1)
    norms = np.linalg.norm(b.reshape(A.shape[0], -1) - A @ columns, axis=0)
    norm = frobenius_norm(A) or 0.0
    sizes = np.linalg.norm(columns, axis=0)
    errors = relative(norms, norm * sizes)
    if np.any(errors > 1e3 * np.finfo(A.dtype).eps):
        return None
    return _solution(b, columns.astype(A.dtype, copy=False), "splu", norms, errors, A.shape[0], None)


def _lsmr(A: Any, b: np.ndarray, damp: float, rtol: float, maxiter: int | None) -> Solution:
    columns = b.reshape(A.shape[0], -1)
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
    norms, sizes = np.linalg.norm(residual, axis=0), np.linalg.norm(x, axis=0)
    norm = frobenius_norm(A)
    if norm is None:
        norm = max(float(result[5]) for result in results)  # LSMR's own estimate, of the augmented matrix
    elif damp:
        norm = float(np.hypot(norm, damp * np.sqrt(min(A.shape))))
    augmented = np.hypot(norms, damp * sizes)
    triples = zip(sizes.tolist(), gradient.tolist(), augmented.tolist(), strict=True)
    errors = np.array([stewart(size, slope, rest, norm) for size, slope, rest in triples])
    iterations = max(int(result[2]) for result in results)
    kind = np.float32 if A.dtype == np.float32 else np.float64
    x = x.astype(kind, copy=False)
    return _solution(b, x, "lsmr", norms, errors, None, float(results[0][6]), iterations)


def _solution(
    b: np.ndarray,
    x: np.ndarray,
    method: str,
    norms: np.ndarray,
    errors: np.ndarray,
    rank: int | None,
    condition: float | None,
    iterations: int = 0,
) -> Solution:
    """In the shape of b."""
    if b.ndim == 1:
        return Solution(x[:, 0], method, float(norms[0]), float(errors[0]), rank, condition, iterations)
    return Solution(x, method, norms, errors, rank, condition, iterations)
