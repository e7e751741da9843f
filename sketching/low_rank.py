"""Low-rank approximation from products with random vectors: ranges, singular values, eigenvalues.

References
----------
.. [HMT] Halko, Martinsson, Tropp, "Finding structure with randomness: probabilistic algorithms for
   constructing approximate matrix decompositions", SIAM Review 53 (2011).
.. [YGL] Yu, Gu, Li, "Efficient randomized algorithms for the fixed-precision low-rank matrix
   approximation", SIAM J. Matrix Anal. Appl. 39 (2018).
.. [TYUC] Tropp, Yurtsever, Udell, Cevher, "Fixed-rank approximation of a positive-semidefinite matrix from
   streaming data", NeurIPS 30 (2017).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray

from .inputs import Matrix, matrix, rng_of, whole
from .products import adjoint_times, dense, dtype_of, times

Array = NDArray[Any]

# Probes of the error estimates, and the factor alpha of HMT, lemma 4.1: the spectral bound fails with
# probability alpha**-PROBES, here 1e-6.
PROBES = 10
_ALPHA = 4.0


@dataclass(frozen=True)
class RangeResult:
    """An orthonormal basis of the dominant range of A.

    Attributes
    ----------
    Q : ndarray, shape (m, k)
        The basis.
    error : float
        Estimate of ``||A - Q Q'A||`` in the Frobenius norm; its square is unbiased.
    error_bound : float
        Upper bound on ``||A - Q Q'A||`` in the spectral norm, which fails with probability below 1e-6 for
        each look at it.
    iterations : int
        Blocks of random vectors drawn.
    method : str
        "randomized" or "lapack".
    fallback : str or None
        Why a deterministic method was used, None where it was not.
    """

    Q: Array
    error: float
    error_bound: float
    iterations: int
    method: str
    fallback: str | None = None


@dataclass(frozen=True)
class LowRankSVD:
    """``A ~ U diag(s) Vt``.

    Attributes
    ----------
    U : ndarray, shape (m, k)
        Left singular vectors, orthonormal.
    s : ndarray, shape (k,)
        Singular values, decreasing.
    Vt : ndarray, shape (k, n)
        Right singular vectors, orthonormal rows.
    error, error_bound : float
        Of ``A - U diag(s) Vt``: estimate of the Frobenius norm, bound on the spectral norm; see
        `RangeResult`.
    iterations, method, fallback
        See `RangeResult`.
    """

    U: Array
    s: Array
    Vt: Array
    error: float
    error_bound: float
    iterations: int
    method: str
    fallback: str | None = None


@dataclass(frozen=True)
class LowRankEigh:
    """``A ~ V diag(w) V'``, A symmetric.

    Attributes
    ----------
    w : ndarray, shape (k,)
        Eigenvalues, largest magnitude first.
    V : ndarray, shape (n, k)
        Orthonormal eigenvectors.
    error, error_bound : float
        Of ``A - V diag(w) V'``: estimate of the Frobenius norm, bound on the spectral norm; see
        `RangeResult`.
    iterations : int
        Blocks of random vectors drawn.
    method : str
        "randomized", "nystrom" or "lapack".
    fallback : str or None
        Why a deterministic method was used, None where it was not.
    """

    w: Array
    V: Array
    error: float
    error_bound: float
    iterations: int
    method: str
    fallback: str | None = None


def range_finder(
    A: Any,
    rank: int | None = None,
    *,
    tol: float | None = None,
    oversampling: int = 10,
    power_iterations: int = 2,
    rng: Any = None,
) -> RangeResult:
    """Orthonormal basis Q of the dominant range of A, of given size or to a given accuracy.

    Parameters
    ----------
    A : ndarray, sparse array or LinearOperator, shape (m, n)
        A LinearOperator needs its adjoint where `power_iterations` > 0.
    rank : int, optional
        Size of the range wanted; Q gets ``min(rank + oversampling, m, n)`` columns. With `tol`, the largest
        number of columns.
    tol : float, optional
        Absolute tolerance on ``||A - Q Q'A||`` in the spectral norm: blocks are added until the a-posteriori
        bound is below it, or until Q has all ``min(m, n)`` columns. One of `rank` and `tol` is needed.
    oversampling : int, default 10
        Columns beyond `rank`; ten make the bound of [HMT]_ theorem 10.6 a small multiple of the best error.
    power_iterations : int, default 2
        Passes with A A', orthonormalised at each half step ([HMT]_ algorithm 4.4). Two suffice unless the
        singular values hardly decay; each costs two more passes over A.
    rng : None, int, Generator, optional
        Randomness, as `numpy.random.default_rng` takes it. The same seed gives the same bits, as long as
        BLAS runs on the same number of threads.

    Returns
    -------
    RangeResult

    Raises
    ------
    ValueError, TypeError
        A is not a finite real matrix; rank, tol, oversampling or power_iterations out of range.

    Notes
    -----
    Fixed rank: [HMT]_ algorithm 4.4. Fixed accuracy: the blocked scheme of [YGL]_ with the stopping rule of
    [HMT]_ algorithm 4.2, for which each fresh block serves as the probes of the basis so far.
    """
    A = matrix(A)
    k, tol = _wanted(A, rank, tol, oversampling, power_iterations)
    if tol is None and k >= min(A.shape):
        return _exact_range(A, _no_gain(k, A))
    Q, images, _, blocks = _range(A, k, tol, power_iterations, rng_of(rng))
    error, bound = _norms_from_probes(images - Q @ (Q.T @ images))
    return RangeResult(Q, error, bound, blocks, "randomized")


def randomized_svd(
    A: Any,
    rank: int | None = None,
    *,
    tol: float | None = None,
    oversampling: int = 10,
    power_iterations: int = 2,
    rng: Any = None,
) -> LowRankSVD:
    """Leading singular values and vectors ([HMT]_ algorithm 5.1 on the range of `range_finder`).

    Parameters
    ----------
    A : ndarray, sparse array or LinearOperator, shape (m, n)
        A LinearOperator needs its adjoint.
    rank : int, optional
        Number of singular values. With `tol`, the largest number.
    tol : float, optional
        Absolute tolerance on ``||A - U diag(s) Vt||`` in the spectral norm: the smallest rank for which the
        bound is below it.
    oversampling, power_iterations, rng
        See `range_finder`.

    Returns
    -------
    LowRankSVD

    Raises
    ------
    ValueError, TypeError
        As `range_finder`.
    """
    A = matrix(A)
    k, tol = _wanted(A, rank, tol, oversampling, power_iterations)
    if tol is None and k >= min(A.shape):
        return _exact_svd(A, rank, _no_gain(k, A))
    # ||A - A_k||^2 <= ||A - QQ'A||^2 + s_{k+1}^2: either part gets half of tol^2.
    part = None if tol is None else tol / np.sqrt(2.0)
    Q, images, probes, blocks = _range(A, k, part, power_iterations, rng_of(rng))
    small, s, Vt = scipy.linalg.svd(adjoint_times(A, Q).T, full_matrices=False, check_finite=False)
    keep = s.size if part is None else int(np.count_nonzero(s > part))
    keep = keep if rank is None else min(keep, rank)
    U, s, Vt = Q @ small[:, :keep], s[:keep], Vt[:keep]
    error, bound = _norms_from_probes(images - U @ (s[:, None] * (Vt @ probes)))
    return LowRankSVD(U, s, Vt, error, bound, blocks, "randomized")


def randomized_eigh(
    A: Any,
    rank: int | None = None,
    *,
    tol: float | None = None,
    oversampling: int = 10,
    power_iterations: int = 2,
    rng: Any = None,
) -> LowRankEigh:
    """Eigenvalues of largest magnitude of a symmetric matrix ([HMT]_ algorithm 5.3).

    Parameters
    ----------
    A : ndarray, sparse array or LinearOperator, shape (n, n)
        Symmetric.
    rank : int, optional
        Number of eigenvalues. With `tol`, the largest number.
    tol : float, optional
        Absolute tolerance on ``||A - V diag(w) V'||`` in the spectral norm.
    oversampling, power_iterations, rng
        See `range_finder`.

    Returns
    -------
    LowRankEigh

    Raises
    ------
    ValueError, TypeError
        As `range_finder`; A is not square or not symmetric.
    """
    A = matrix(A, square=True, symmetric=True)
    k, tol = _wanted(A, rank, tol, oversampling, power_iterations)
    if tol is None and k >= A.shape[0]:
        return _exact_eigh(A, rank, _no_gain(k, A))
    # ||A - QQ'AQQ'|| <= 2 ||A - QQ'A|| (HMT section 5.3), and the eigenvalues dropped come on top.
    part = None if tol is None else tol / 3.0
    Q, images, probes, blocks = _range(A, k, part, power_iterations, rng_of(rng))
    compressed = Q.T @ times(A, Q)
    w, small = scipy.linalg.eigh(0.5 * (compressed + compressed.T), check_finite=False)
    order = np.argsort(-np.abs(w), kind="stable")
    keep = w.size if part is None else int(np.count_nonzero(np.abs(w) > part))
    order = order[: keep if rank is None else min(keep, rank)]
    w, V = w[order], Q @ small[:, order]
    error, bound = _norms_from_probes(images - V @ (w[:, None] * (V.T @ probes)))
    return LowRankEigh(w, V, error, bound, blocks, "randomized")


def nystrom_eigh(A: Any, rank: int, *, oversampling: int = 10, rng: Any = None) -> LowRankEigh:
    """Nystrom approximation of a positive semidefinite matrix, from one pass over it.

    Parameters
    ----------
    A : ndarray, sparse array or LinearOperator, shape (n, n)
        Symmetric positive semidefinite.
    rank : int
        Number of eigenvalues.
    oversampling : int, default 10
        Random vectors beyond `rank`.
    rng : None, int, Generator, optional
        Randomness, as `numpy.random.default_rng` takes it.

    Returns
    -------
    LowRankEigh
        With ``V diag(w) V' <= A`` up to rounding, w >= 0.

    Raises
    ------
    ValueError, TypeError
        A is not square, not symmetric, not finite, or has negative eigenvalues beyond rounding; rank out of
        range.

    Notes
    -----
    [TYUC]_ algorithm 3: a shift by rounding level keeps the Cholesky factorisation alive and is taken off
    the eigenvalues afterwards. The probes of the error estimate go along in the same pass.
    """
    A = matrix(A, square=True, symmetric=True)
    n = A.shape[0]
    k, _ = _wanted(A, rank, None, oversampling, 0)
    if k >= n:
        return _exact_eigh(A, rank, _no_gain(k, A), semidefinite=True)
    generator = rng_of(rng)
    test = _orthonormal(generator.standard_normal((n, k), dtype=dtype_of(A)))
    probes = generator.standard_normal((n, PROBES), dtype=dtype_of(A))
    images = times(A, np.hstack([test, probes]))
    w, V = nystrom_from_sketch(test, images[:, :k])
    w, V = w[:rank], V[:, :rank]
    error, bound = _norms_from_probes(images[:, k:] - V @ (w[:, None] * (V.T @ probes)))
    return LowRankEigh(w, V, error, bound, 1, "nystrom")


def nystrom_from_sketch(test: Array, images: Array) -> tuple[Array, Array]:
    """Eigenvalues (decreasing, >= 0) and eigenvectors of the Nystrom approximation ``Y (T'Y)^+ Y'``.

    Parameters
    ----------
    test : ndarray, shape (n, k)
        The test matrix T, with orthonormal columns or nearly so.
    images : ndarray, shape (n, k)
        Y = A T.

    Raises
    ------
    ValueError
        ``T'Y`` has a negative eigenvalue beyond rounding: A is not positive semidefinite.
    """
    scale = float(np.linalg.norm(images))
    if scale == 0.0:
        return np.zeros(images.shape[1], dtype=images.dtype), test
    shift = float(np.finfo(images.dtype).eps * np.sqrt(images.shape[0]) * scale)
    core = test.T @ images
    core = 0.5 * (core + core.T)
    gram = test.T @ test
    try:
        C = scipy.linalg.cholesky(core + shift * gram, check_finite=False)
    except scipy.linalg.LinAlgError:
        lowest = float(scipy.linalg.eigvalsh(core, check_finite=False)[0])
        # Rounding in A itself (a Gram matrix in float32, say) passes; a negative eigenvalue does not.
        if lowest < -100.0 * shift:
            raise ValueError(
                f"A has to be positive semidefinite; the compression has the eigenvalue {lowest:.3g}"
            ) from None
        shift = 4.0 * max(-lowest, shift)
        C = scipy.linalg.cholesky(core + shift * gram, check_finite=False)
    factor = scipy.linalg.solve_triangular(C, (images + shift * test).T, trans="T", check_finite=False).T
    V, s, _ = scipy.linalg.svd(factor, full_matrices=False, check_finite=False)
    return np.maximum(s * s - shift, 0.0), V


def _wanted(
    A: Matrix, rank: int | None, tol: float | None, oversampling: int, power_iterations: int
) -> tuple[int, float | None]:
    """Number of columns of the basis, and the checked tolerance."""
    most = min(A.shape)
    whole(power_iterations, "power_iterations", 0)
    if rank is not None and whole(rank, "rank") > most:
        raise ValueError(f"rank is {rank}; at most min(A.shape) = {most} is wanted")
    if tol is not None:
        if not 0.0 < tol < np.inf:
            raise ValueError(f"tol is {tol}; a positive number is wanted")
        return (most if rank is None else rank), float(tol)
    if rank is None:
        raise ValueError("neither rank nor tol is given; one of them is wanted")
    return min(rank + whole(oversampling, "oversampling", 0), most), None


def _no_gain(k: int, A: Matrix) -> str:
    return f"rank + oversampling reaches min(A.shape) = {min(A.shape)}: a full factorisation is exact"


def _range(
    A: Matrix, k: int, tol: float | None, power_iterations: int, rng: np.random.Generator
) -> tuple[Array, Array, Array, int]:
    """Basis Q, images ``A P`` of probes P independent of Q, the probes P, and blocks drawn."""
    if tol is not None:
        return _adaptive_range(A, k, tol, power_iterations, rng)
    test = rng.standard_normal((A.shape[1], k + PROBES), dtype=dtype_of(A))
    images = times(A, test)
    Q = _orthonormal(images[:, :k])
    for _ in range(power_iterations):
        Q = _orthonormal(times(A, _orthonormal(adjoint_times(A, Q))))
    return Q, images[:, k:], test[:, k:], 1


def _adaptive_range(
    A: Matrix, most: int, tol: float, power_iterations: int, rng: np.random.Generator
) -> tuple[Array, Array, Array, int]:
    m, n = A.shape
    Q = np.zeros((m, 0), dtype=dtype_of(A))
    blocks = 0
    while True:
        probes = rng.standard_normal((n, PROBES), dtype=dtype_of(A))
        images = times(A, probes)
        blocks += 1
        fresh = images - Q @ (Q.T @ images)
        if _norms_from_probes(fresh)[1] <= tol or Q.shape[1] >= most:
            return Q, images, probes, blocks
        for _ in range(power_iterations):
            back = _orthonormal(adjoint_times(A, _orthonormal_beside(Q, fresh)))
            fresh = times(A, back)
            fresh -= Q @ (Q.T @ fresh)
        Q = np.hstack([Q, _orthonormal_beside(Q, fresh[:, : most - Q.shape[1]])])


def _orthonormal(Y: Array) -> Array:
    Q, _ = scipy.linalg.qr(Y, mode="economic", check_finite=False)
    return np.asarray(Q)


def _orthonormal_beside(Q: Array, Y: Array) -> Array:
    """Orthonormal basis of Y, orthogonal to Q.

    Where Y is deficient, its QR factorisation fills up with directions that may lie in Q's range, so the
    projection is repeated until it takes nothing away.
    """
    fresh = _orthonormal(Y)
    for _ in range(4):
        fresh, R = scipy.linalg.qr(fresh - Q @ (Q.T @ fresh), mode="economic", check_finite=False)
        if np.abs(np.diagonal(R)).min() > 0.5:
            break
    return np.asarray(fresh)


def _norms_from_probes(residuals: Array) -> tuple[float, float]:
    """Estimate of ``||E||_F`` and probable bound on ``||E||`` from ``E P``, P Gaussian ([HMT]_ lemma 4.1)."""
    squares = np.sum(np.square(residuals, dtype=np.float64), axis=0)
    return float(np.sqrt(squares.mean())), float(_ALPHA * np.sqrt(2.0 / np.pi * squares.max()))


def _exact_range(A: Matrix, reason: str) -> RangeResult:
    m, n = A.shape
    Q = np.eye(m, dtype=dtype_of(A)) if m <= n else _orthonormal(dense(A))
    return RangeResult(Q, 0.0, 0.0, 0, "lapack", reason)


def _exact_svd(A: Matrix, rank: int | None, reason: str) -> LowRankSVD:
    U, s, Vt = scipy.linalg.svd(dense(A), full_matrices=False, check_finite=False)
    dropped = s[rank:]
    error, bound = float(np.linalg.norm(dropped)), float(dropped.max(initial=0.0))
    return LowRankSVD(U[:, :rank], s[:rank], Vt[:rank], error, bound, 0, "lapack", reason)


def _exact_eigh(A: Matrix, rank: int | None, reason: str, *, semidefinite: bool = False) -> LowRankEigh:
    w, V = scipy.linalg.eigh(dense(A), check_finite=False)
    if semidefinite:
        if w[0] < -100.0 * w.size * np.finfo(w.dtype).eps * max(abs(w[0]), abs(w[-1])):
            raise ValueError(f"A has to be positive semidefinite; it has the eigenvalue {w[0]:.3g}")
        w = np.maximum(w, 0.0)
    order = np.argsort(-np.abs(w), kind="stable")
    kept, dropped = order[:rank], w[order[rank:]]
    error, bound = float(np.linalg.norm(dropped)), float(np.abs(dropped).max(initial=0.0))
    return LowRankEigh(w[kept], V[:, kept], error, bound, 0, "lapack", reason)
