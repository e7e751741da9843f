"""Least squares by sketching, backward stable, or by a deterministic method where that is better."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from . import deterministic
from .backward_error import karlson_walden
from .inputs import matrix, right_hand_sides, rng_of, vector, whole
from .least_norm import least_norm
from .operators import SRTT, CountSketch, Gaussian, Rademacher, Sketch, SparseSign, SparseStack
from .operators.protocol import worker_count
from .refinement import DivergenceError, Momentum, Progress, fossils, iterative_sketching, spir
from .sketch_size import choose, expected_iterations, pays
from .sketched_factor import SketchedFactor, factorise
from .systems import LeastSquaresSystem

Method = Literal["auto", "fossils", "spir", "iterative-sketching", "sketch-and-solve", "direct"]

METHODS = ("auto", "fossils", "spir", "iterative-sketching", "sketch-and-solve", "direct")
SKETCHES: dict[str, type[Sketch]] = {
    "sparse-sign": SparseSign,
    "sparse-stack": SparseStack,
    "countsketch": CountSketch,
    "srtt": SRTT,
    "gaussian": Gaussian,
    "rademacher": Rademacher,
}

# A backward error below this many roundoffs counts as that of a stable method; QR's are 1 to 100.
_STABLE = 1000.0


@dataclass(frozen=True)
class LeastSquaresResult:
    """Solution of a least-squares problem and what is known about it.

    Attributes
    ----------
    x : ndarray, shape (n,) or (n, p)
        The solution.
    success : bool
        True where the backward error is that of a stable method, or below ``rtol``.
    residual_norm : float or ndarray of shape (p,)
        ||W^(1/2) (b - A x)||, recomputed from A.
    backward_error : float or ndarray of shape (p,)
        Size, relative to ||A||_F, of the change of A that makes x an exact solution: an estimate by
        `backward_error.karlson_walden` where a factor of A or of its sketch is at hand, else a bound.
    rank : int or None
        Numerical rank; None where the method does not see it.
    condition : float or None
        Estimated condition number; of A with its columns scaled to equal norm where it comes from a sketch.
    method : str
        What solved the system: "fossils", "spir", "iterative-sketching", "sketch-and-solve", or "lu", "qr",
        "gelsy", "splu", "lsmr".
    fallback : str or None
        Why a deterministic method, or another than the one asked for, was used.
    iterations : int
        Steps of the iteration.
    passes : int
        How often the whole of A was read; 0 for deterministic methods.
    sketch_size : int or None
        Number of rows of the sketch.
    """

    x: np.ndarray
    success: bool
    residual_norm: Any
    backward_error: Any
    rank: int | None
    condition: float | None
    method: str
    fallback: str | None
    iterations: int
    passes: int
    sketch_size: int | None


def lstsq(
    A: Any,
    b: Any,
    *,
    method: Method = "auto",
    rtol: float | None = None,
    damp: float = 0.0,
    weights: Any = None,
    x0: Any = None,
    sketch: str = "sparse-sign",
    sketch_size: int | None = None,
    maxiter: int | None = None,
    rng: Any = None,
    workers: int | None = None,
) -> LeastSquaresResult:
    """Minimise sum_i w_i (b - A x)_i^2 + damp^2 ||x||^2; of several solutions the one of least norm.

    Parameters
    ----------
    A : array_like, sparse array or LinearOperator, shape (m, n)
        Dense in any memory order, CSR or CSC, float32 or float64 (other real types become float64).
    b : array_like, shape (m,) or (m, p)
        Right-hand sides.
    method : {"auto", "fossils", "spir", "iterative-sketching", "sketch-and-solve", "direct"}
        "auto" sketches where that is faster, and uses "direct" elsewhere: for small, square or nearly square
        systems. "fossils" and "spir" are backward stable; "iterative-sketching" is forward stable;
        "sketch-and-solve" is a crude solution from a single look at A; "direct" is LU, QR or the complete
        orthogonal decomposition for dense A, sparse LU or LSMR for others.
    rtol : float, optional
        Relative accuracy of A x that is enough. By default the accuracy of a backward-stable method, which
        takes about twice the time of rtol=1e-8.
    damp : float
        Square root of the ridge parameter.
    weights : array_like, shape (m,), optional
        Nonnegative weights of the rows.
    x0 : array_like, shape (n,) or (n, p), optional
        A start; used instead of the sketch-and-solve solution where its residual is smaller.
    sketch : {"sparse-sign", "sparse-stack", "countsketch", "srtt", "gaussian", "rademacher"}
        Kind of sketch.
    sketch_size : int, optional
        Rows d of the sketch, more than n (or m, for a wide A). The iteration gains a factor of sqrt(n/d) a
        step. By default 12 n for dense A, less where the factorisation of the sketch would outweigh the
        iteration.
    maxiter : int, optional
        Most steps of an inner iteration; by default four times what theory expects.
    rng : None, int or numpy.random.Generator
        Source of randomness; the same gives the same bits, whatever ``workers`` is.
    workers : int, optional
        Threads for passes over A; by default as many as the process may use.

    Returns
    -------
    LeastSquaresResult

    Raises
    ------
    ValueError, TypeError
        Non-finite or non-real entries, empty A, shapes that do not fit, unknown method or sketch, a sketch
        size below n, negative weights, damping or tolerance.

    References
    ----------
    See `refinement.fossils`. Plain sketch-and-precondition, which is not here, is not backward stable (M.
    Meier, Y. Nakatsukasa, A. Townsend and M. Webb, arXiv:2302.07202).
    """
    A = matrix(A)
    b = right_hand_sides(b, A.shape[0])
    options = _options(A, b, method, rtol, damp, weights, x0, sketch, sketch_size, maxiter, rng, workers)
    method, reason = _plan(A, options)
    if method == "direct":
        return _direct(A, b, options, reason)
    if A.shape[0] < A.shape[1]:
        return _wide(A, b, options, method)
    return _tall(A, b, options, method)


@dataclass(frozen=True)
class _Options:
    method: str
    rtol: float
    damp: float
    weights: np.ndarray | None
    x0: np.ndarray | None
    sketch: type[Sketch]
    sketch_size: int | None
    maxiter: int | None
    rng: np.random.Generator | None  # None: drawn where needed, which costs as much as a small system
    workers: int


def _options(
    A: Any,
    b: np.ndarray,
    method: str,
    rtol: float | None,
    damp: float,
    weights: Any,
    x0: Any,
    sketch: str,
    sketch_size: int | None,
    maxiter: int | None,
    rng: Any,
    workers: int | None,
) -> _Options:
    """All arguments, checked."""
    m, n = A.shape
    if method not in METHODS:
        raise ValueError(f"method is {method!r}; one of {', '.join(METHODS)} is wanted")
    if sketch not in SKETCHES:
        raise ValueError(f"sketch is {sketch!r}; one of {', '.join(SKETCHES)} is wanted")
    if sketch_size is not None and whole(sketch_size, "sketch_size") < min(m, n):
        raise ValueError(f"sketch_size is {sketch_size}; A has rank up to {min(m, n)}, and less loses it")
    checked = None if weights is None else vector(weights, m, "weights")
    if checked is not None and checked.min() < 0.0:
        raise ValueError(f"weights has a negative entry, {checked.min():g}")
    start = None
    if x0 is not None:
        start = right_hand_sides(x0, n, "x0")
        if start.shape != (n, *b.shape[1:]):
            raise ValueError(f"x0 has shape {start.shape}; {(n, *b.shape[1:])} is wanted")
    return _Options(
        method,
        0.0 if rtol is None else _nonnegative(rtol, "rtol"),
        _nonnegative(damp, "damp"),
        checked,
        start,
        SKETCHES[sketch],
        sketch_size,
        None if maxiter is None else whole(maxiter, "maxiter"),
        None if rng is None else rng_of(rng),
        worker_count(workers),
    )


def _nonnegative(value: Any, name: str) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float | np.floating | np.integer):
        raise TypeError(f"{name} is {value!r}; a number is wanted")
    if not 0.0 <= value < np.inf:
        raise ValueError(f"{name} is {value}; a finite nonnegative number is wanted")
    return float(value)


def _plan(A: Any, options: _Options) -> tuple[str, str | None]:
    """The method to use, and why it is not the one asked for."""
    long, short = max(A.shape), min(A.shape)
    if options.method == "direct":
        return "direct", None
    if options.method == "auto":
        why = pays(A, options.sketch_size)
        return ("fossils", None) if why is None else ("direct", why)
    size = options.sketch_size or choose(A)
    if size >= long:
        return "direct", f"a sketch of {size} rows is no smaller than the {long} x {short} matrix"
    return options.method, None


def _tall(A: Any, b: np.ndarray, options: _Options, method: str) -> LeastSquaresResult:
    system = LeastSquaresSystem(A, options.weights, options.damp, options.workers)
    b = np.asfortranarray(b, dtype=system.dtype)
    d = options.sketch_size or choose(A)
    S = options.sketch.sample(options.rng, d, A.shape[0])
    factor = factorise(system.sketch(S), system.sketch_right_hand_side(S, b), options.damp, system.eps)
    x = _start(system, b, factor, options.x0)
    x, progress, method, reason = _iterate(system, b, factor, x, d, method, options)
    gradient, residual = system.gradient(x, b)
    errors = _backward_errors(factor, x, gradient, residual)
    # The other methods do not claim backward stability.
    if method in ("fossils", "spir") and not _stable(errors, system, options.rtol):
        direct = _direct(A, b, options, f"{method} reached a backward error of {np.max(errors):.1e} only")
        if np.max(direct.backward_error) < np.max(errors):
            return direct
    return LeastSquaresResult(
        x,
        _stable(errors, system, options.rtol),
        residual,
        errors,
        factor.rank,
        factor.condition,
        method,
        reason,
        progress.iterations,
        system.passes,
        d,
    )


def _start(
    system: LeastSquaresSystem, b: np.ndarray, factor: SketchedFactor, x0: np.ndarray | None
) -> np.ndarray:
    """The sketch-and-solve solution, or a warm start that is better in every right-hand side."""
    guess = factor.apply(factor.guess)
    if x0 is None:
        return guess
    warm = x0.astype(system.dtype)
    better = np.all(system.gradient(warm, b)[1] < system.gradient(guess, b)[1])
    return warm if better else guess


def _iterate(
    system: LeastSquaresSystem,
    b: np.ndarray,
    factor: SketchedFactor,
    x: np.ndarray,
    d: int,
    method: str,
    options: _Options,
) -> tuple[np.ndarray, Progress, str, str | None]:
    """Run the method; conjugate gradients, which need no bound on the distortion, where momentum diverges."""
    if method == "sketch-and-solve" or factor.rank == 0:
        return x, Progress(), method, None
    maxiter = options.maxiter or 4 * expected_iterations(factor.rank, d, system.eps)
    momentum = Momentum.of(factor.rank, d)
    reason = None
    try:
        if method == "fossils":
            return *fossils(system, b, factor, x, momentum, options.rtol, maxiter), method, None
        if method == "iterative-sketching":
            return *iterative_sketching(system, b, factor, x, momentum, options.rtol, maxiter), method, None
    except DivergenceError as error:
        reason = f"{method}: {error}; the sketch of {d} rows is a poor one"
    return *spir(system, b, factor, x, options.rtol, maxiter), "spir", reason


def _backward_errors(factor: SketchedFactor, x: np.ndarray, gradient: np.ndarray, residual: Any) -> Any:
    if x.ndim == 1:
        return karlson_walden(factor, x, gradient, float(residual))
    return np.array(
        [karlson_walden(factor, x[:, k], gradient[:, k], float(residual[k])) for k in range(x.shape[1])]
    )


def _stable(errors: Any, system: LeastSquaresSystem, rtol: float) -> bool:
    return bool(np.max(errors) <= max(_STABLE * system.eps, rtol))


def _wide(A: Any, b: np.ndarray, options: _Options, method: str) -> LeastSquaresResult:
    """Least norm through the factor of a sketch of A'."""
    if options.weights is not None and options.damp:
        roots = np.sqrt(options.weights)
        A, b = _scaled(A, roots), b * (roots if b.ndim == 1 else roots[:, None])
    system = LeastSquaresSystem(A.T, None, options.damp, options.workers)
    b = np.asfortranarray(b, dtype=system.dtype)
    d = options.sketch_size or choose(A)
    S = options.sketch.sample(options.rng, d, A.shape[1])
    nothing = np.zeros((d, *b.shape[1:]), dtype=system.dtype)
    factor = factorise(system.sketch(S), nothing, options.damp, system.eps)
    if factor.right is not None:
        return _direct(A, b, options, f"the rows are dependent: rank {factor.rank} of {A.shape[0]}")
    maxiter = options.maxiter or 4 * expected_iterations(factor.rank, d, system.eps)
    x, residual, error, progress = least_norm(
        system, A, b, factor, Momentum.of(factor.rank, d), method, options.rtol, maxiter
    )
    if not _stable(error, system, options.rtol):
        return _direct(A, b, options, f"{method} reached a backward error of {np.max(error):.1e} only")
    return LeastSquaresResult(
        x,
        True,
        residual,
        error,
        factor.rank,
        factor.condition,
        method,
        None,
        progress.iterations,
        system.passes,
        d,
    )


def _direct(A: Any, b: np.ndarray, options: _Options, reason: str | None) -> LeastSquaresResult:
    n = A.shape[1]
    weights, damp = options.weights, options.damp
    if weights is not None:
        roots = np.sqrt(weights)
        A, b = _scaled(A, roots), b * (roots if b.ndim == 1 else roots[:, None])
    if isinstance(A, np.ndarray) or _small(A):
        A = A if isinstance(A, np.ndarray) else A.toarray()
        if damp:
            A = np.vstack([A, damp * np.eye(n, dtype=A.dtype)])
            b = np.concatenate([b, np.zeros((n, *b.shape[1:]), dtype=b.dtype)])
        found = deterministic.dense(A, np.asfortranarray(b, dtype=A.dtype))
    else:
        found = deterministic.sparse(A, b, damp, options.rtol, options.maxiter)
    eps = float(np.finfo(A.dtype).eps) / 2 if A.dtype == np.float32 else float(np.finfo(np.float64).eps) / 2
    success = bool(np.max(found.backward_error) <= max(_STABLE * eps, options.rtol))
    return LeastSquaresResult(
        found.x,
        success,
        found.residual_norm,
        found.backward_error,
        found.rank,
        found.condition,
        found.method,
        reason,
        found.iterations,
        0,
        None,
    )


def _small(A: Any) -> bool:
    """Sparse matrices that LAPACK solves in milliseconds."""
    return sp.issparse(A) and A.shape[0] != A.shape[1] and A.shape[0] * A.shape[1] * min(A.shape) <= 10**8


def _scaled(A: Any, factors: np.ndarray) -> Any:
    """diag(factors) A."""
    if isinstance(A, LinearOperator):
        from scipy.sparse.linalg import aslinearoperator

        return aslinearoperator(sp.diags_array(factors)) @ A
    if sp.issparse(A):
        return (sp.diags_array(factors.astype(A.dtype)) @ A).asformat(A.format)
    return A * factors[:, None].astype(A.dtype)
