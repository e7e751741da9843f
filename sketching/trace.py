"""Traces of matrices that are known by their products only.

References
----------
.. [MMMW] Meyer, Musco, Musco, Woodruff, "Hutch++: optimal stochastic trace estimation", SOSA (2021).
.. [ETW] Epperly, Tropp, Webber, "XTrace: making the most of every sample in stochastic trace estimation",
   SIAM J. Matrix Anal. Appl. 45 (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from .inputs import Matrix, matrix, rng_of, whole
from .products import dense, dtype_of, times

Array = NDArray[Any]


@dataclass(frozen=True)
class TraceResult:
    """An estimate of tr A.

    Attributes
    ----------
    trace : float
        The estimate; unbiased.
    error : float
        Its estimated standard error. For XTrace, whose samples depend on each other, a rough one.
    products : int
        Products of A with a vector.
    method : str
        "hutch++", "xtrace" or "exact".
    fallback : str or None
        Why the trace was computed exactly, None where it was not.
    """

    trace: float
    error: float
    products: int
    method: str
    fallback: str | None = None


def hutchpp(A: Any, products: int, *, rng: Any = None) -> TraceResult:
    """Hutch++: the trace on a sketched range exactly, and of the rest by random signs ([MMMW]_ algorithm 1).

    Parameters
    ----------
    A : LinearOperator, ndarray or sparse array, shape (n, n)
        Symmetric or not; the error bound is for positive semidefinite ones. The entries of an ndarray or
        sparse array are simply added up: wrap it by `scipy.sparse.linalg.aslinearoperator` to estimate.
    products : int
        Products of A with a vector to be spent, at least 6; a third each on sketch, range and rest.
    rng : None, int, Generator, optional
        Randomness, as `numpy.random.default_rng` takes it.

    Returns
    -------
    TraceResult

    Raises
    ------
    ValueError, TypeError
        A is not a finite real square matrix; products too small.
    """
    A = matrix(A, square=True)
    third = whole(products, "products", 6) // 3
    exact = _exact(A, 3 * third)
    if exact is not None:
        return exact
    generator, n = rng_of(rng), A.shape[0]
    Q, _ = np.linalg.qr(times(A, _signs(generator, n, third, A)))
    G = _signs(generator, n, third, A)
    G -= Q @ (Q.T @ G)
    images = times(A, np.hstack([Q, G]))
    samples = np.asarray(np.sum(G * images[:, third:], axis=0, dtype=np.float64))
    trace = float(np.sum(Q * images[:, :third], dtype=np.float64) + samples.mean())
    return TraceResult(trace, _standard_error(samples), 3 * third, "hutch++")


def xtrace(A: Any, products: int, *, rng: Any = None) -> TraceResult:
    """XTrace: each random vector both sketches the range and, left out of it, tests the rest.

    Parameters
    ----------
    A, rng
        See `hutchpp`.
    products : int
        Products of A with a vector to be spent, at least 4; half each on sketch and range.

    Returns
    -------
    TraceResult
        For a rapidly decaying spectrum far more accurate than Hutch++ at the same price.

    Raises
    ------
    ValueError, TypeError
        As `hutchpp`.

    Notes
    -----
    The estimator of [ETW]_, with their normalisation of the test vectors on the complement of the range. With
    Y = A W = Q R and s_i the normalised i-th column of R^-T, the range without sample i is that of
    ``Q (I - s_i s_i')``.
    """
    A = matrix(A, square=True)
    half = whole(products, "products", 4) // 2
    exact = _exact(A, 2 * half)
    if exact is not None:
        return exact
    n = A.shape[0]
    W = rng_of(rng).standard_normal((n, half), dtype=dtype_of(A))
    Y = times(A, W)
    Q, R = np.linalg.qr(Y)
    Z = times(A, Q)
    H = Q.T @ Z
    inner = float(np.trace(H, dtype=np.float64))
    diagonal = np.abs(np.diagonal(R))
    if diagonal.min() <= half * np.finfo(R.dtype).eps * diagonal.max():
        # Fewer independent images than samples: Q spans the whole range of A.
        rounding = float(np.finfo(R.dtype).eps * np.linalg.norm(H) * np.sqrt(half))
        return TraceResult(inner, rounding, 2 * half, "xtrace")
    S = scipy.linalg.solve_triangular(R, np.eye(half, dtype=R.dtype), check_finite=False).T
    S /= np.linalg.norm(S, axis=0)
    C = Q.T @ W
    along = np.sum(S * C, axis=0)
    # Test vector i less its part in the range without sample i, and A times it, from products at hand.
    left = W - Q @ (C - S * along)
    images = Y - Z @ (C - S * along)
    lengths2 = np.sum(left * left, axis=0, dtype=np.float64)
    rest = np.sum(left * images, axis=0, dtype=np.float64) * (n - half + 1) / lengths2
    samples = inner - np.sum(S * (H @ S), axis=0, dtype=np.float64) + rest
    return TraceResult(float(samples.mean()), _standard_error(samples), 2 * half, "xtrace")


def _exact(A: Matrix, products: int) -> TraceResult | None:
    """The trace itself, where it costs no more than the estimate."""
    n = A.shape[0]
    if not isinstance(A, LinearOperator):
        reason = "the entries are at hand: the diagonal is added up"
        return TraceResult(float(np.sum(A.diagonal(), dtype=np.float64)), 0.0, 0, "exact", reason)
    if products >= n:
        reason = f"{products} products are no fewer than n = {n}: the matrix is formed"
        return TraceResult(float(np.trace(dense(A), dtype=np.float64)), 0.0, n, "exact", reason)
    return None


def _signs(rng: np.random.Generator, n: int, k: int, A: Matrix) -> Array:
    return (2 * rng.integers(0, 2, (n, k), dtype=np.int8) - 1).astype(dtype_of(A))


def _standard_error(samples: Array) -> float:
    return float(samples.std(ddof=1) / np.sqrt(samples.size))
