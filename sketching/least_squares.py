"""Least squares by sketching, backward stable, or by a deterministic method where that is better."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from . import deterministic
from .backward_error import frobenius_norm, karlson_walden
from .blas import single_threaded_blas
from .inputs import check_finite, matrix, right_hand_sides, rng_of, vector, whole
from .least_norm import least_norm
from .operators import SRTT, CountSketch, Gaussian, Rademacher, Sketch, SparseSign, SparseStack
from .operators.protocol import worker_count
from .products import dtype_of, scaled_rows
from .refinement import DivergenceError, Momentum, Progress, fossils, iterative_sketching, spir
from .scaling import Scaling
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
# Methods that claim it, and hand over to a deterministic one where they miss it.
_STABLE_METHODS = ("fossils", "spir")


@dataclass(frozen=True)
class LeastSquaresResult:
    """Solution of a least-squares problem and what is known about it.

    Attributes
    ----------
    x : ndarray, shape (n,) or (n, p)
        The solution.
    success : bool
        True where the backward error is that of a stable method (1000 unit roundoffs), or below ``rtol``.
    residual_norm : float or ndarray of shape (p,)
        ||W^(1/2) (b - A x)||, recomputed from A.
    backward_error : float or ndarray of shape (p,)
        Size, relative to ||A||_F, of the change of A that makes x an exact solution: an estimate by
        `backward_error.karlson_walden` where a factor of A or of its sketch is at hand, else a bound. With
        weights and damping, of the equivalent system [W^(1/2) A; damp I] x = [W^(1/2) b; 0] (for a wide A, of
        the one in the unknowns x and z, [W^(1/2) A, damp I] with its solution of least norm).
    rank : int or None
        Numerical rank; None where the method does not see it.
    condition : float or None
        Estimated condition number; of A with its columns scaled to equal norm where it comes from a sketch.
    method : str
        What solved the system: "fossils", "spir", "iterative-sketching", "sketch-and-solve", or "lu", "qr",
        "gelsy", "splu", "lsmr". "sketch-and-solve" also where "iterative-sketching" diverged.
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
        "auto" is "spir" where that is faster than "direct", which it uses elsewhere: for small, square or
        nearly square systems. "fossils" and "spir" are backward stable, and hand over to "direct" where they
        are not; "iterative-sketching" is forward stable; "sketch-and-solve" is a crude solution from a single
        look at A; these two do not hand over. "direct" is LU, QR or the complete orthogonal decomposition for
        dense and small A, sparse LU or LSMR for others.
    rtol : float, optional
        Relative accuracy of A x that is enough. By default the accuracy of a backward-stable method, which
        takes about twice the time of rtol=1e-8. For a wide A, of x.
    damp : float
        Square root of the ridge parameter.
    weights : array_like, shape (m,), optional
        Nonnegative weights of the rows; A is copied for them by "direct", and where a wide A is damped.
    x0 : array_like, shape (n,) or (n, p), optional
        A start; used instead of the sketch-and-solve solution where its residual is smaller. "direct" and
        wide systems have no use for one.
    sketch : {"sparse-sign", "sparse-stack", "countsketch", "srtt", "gaussian", "rademacher"}
        Kind of sketch.
    sketch_size : int, optional
        Rows d of the sketch, more than n (or m, for a wide A). The iteration gains a factor of sqrt(n/d) a
        step. By default 12 n for dense A, less where the factorisation of the sketch would outweigh the
        iteration.
    maxiter : int, optional
        Most steps of an inner iteration; by default four times what theory expects.
    rng : None, int or numpy.random.Generator
        Source of randomness; the same gives the same bits, whatever ``workers`` is and however many threads
        BLAS has (it runs on one meanwhile, in the whole process).
    workers : int, optional
        Threads for passes over A; by default as many as the process may use.

    Returns
    -------
    LeastSquaresResult

    Raises
    ------
    ValueError, TypeError
        Non-finite or non-real entries, empty A, shapes that do not fit, unknown method or sketch, a sketch
        size that is not above n, negative weights, damping or tolerance, an operator without adjoint.

    References
    ----------
    See `refinement.fossils`. Plain sketch-and-precondition, which is not here, is not backward stable (M.
    Meier, Y. Nakatsukasa, A. Townsend and M. Webb, arXiv:2302.07202).
    """
    A = matrix(A, finite=False)
    norm = frobenius_norm(A)
    if norm is not None and not np.isfinite(norm):  # an entry, or the sum of squares of large ones
        check_finite(A, "A")
    b = right_hand_sides(b, A.shape[0])
    options = _options(A, b, method, rtol, damp, weights, x0, sketch, sketch_size, maxiter, rng, workers)
    _check_adjoint(A)
    A, b, options = _without_zero_weights(A, b, options)
    scaling = Scaling.of(A, norm, b, options.damp, options.weights)
    if scaling is None:
        return _solve(A, b, options)
    A, b = scaling.system(A, b)
    options = replace(
        options,
        damp=scaling.damping(options.damp),
        weights=scaling.weights(options.weights),
        x0=scaling.start(options.x0),
    )
    return _unscaled(_solve(A, b, options), scaling)


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
    if not isinstance(sketch, str) or sketch not in SKETCHES:
        raise ValueError(f"sketch is {sketch!r}; one of {', '.join(SKETCHES)} is wanted")
    if sketch_size is not None and whole(sketch_size, "sketch_size") <= min(m, n):
        raise ValueError(f"sketch_size is {sketch_size}; more than {min(m, n)}, the rank of A, is wanted")
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


def _check_adjoint(A: Any) -> None:
    if not isinstance(A, LinearOperator):
        return
    try:
        A.rmatvec(np.zeros(A.shape[0]))
    except NotImplementedError:
        raise TypeError("A is a LinearOperator without rmatvec; one with it is wanted") from None


def _without_zero_weights(A: Any, b: np.ndarray, options: _Options) -> tuple[Any, np.ndarray, _Options]:
    """Without rows that do not count, where they would make those of a wide A look dependent."""
    weights = options.weights
    if weights is None or A.shape[0] >= A.shape[1] or isinstance(A, LinearOperator):
        return A, b, options
    kept = weights > 0.0
    if np.all(kept) or not np.any(kept):
        return A, b, options
    return A[kept], b[kept], replace(options, weights=weights[kept])


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
        return ("spir", None) if why is None else ("direct", why)
    size = options.sketch_size or choose(A)
    if size >= long:
        return "direct", f"a sketch of {size} rows is no smaller than the {long} x {short} matrix"
    return options.method, None


def _solve(A: Any, b: np.ndarray, options: _Options) -> LeastSquaresResult:
    method, reason = _plan(A, options)
    if method == "direct":
        return _direct(A, b, options, reason)
    sketching = _wide if A.shape[0] < A.shape[1] else _tall
    with single_threaded_blas():
        return sketching(A, b, options, method)


def _tall(A: Any, b: np.ndarray, options: _Options, method: str) -> LeastSquaresResult:
    system = LeastSquaresSystem(A, options.weights, options.damp, options.workers)
    columns = np.asfortranarray(b, dtype=system.dtype)
    d = options.sketch_size or choose(A)
    S = options.sketch.sample(options.rng, d, A.shape[0])
    factor = factorise(system.sketch(S), system.sketch_right_hand_side(S, columns), options.damp, system.eps)
    x = _start(system, columns, factor, options.x0)
    x, progress, used, reason = _iterate(system, columns, factor, x, d, method, options)
    gradient, residual = system.gradient(x, columns)
    augmented = np.hypot(residual, options.damp * np.linalg.norm(x, axis=0))
    errors = karlson_walden(factor, x, gradient, augmented)
    success = _stable(errors, system.eps, options.rtol)
    if not success and method in _STABLE_METHODS:
        why = f"{used} reached a backward error of {np.max(errors):.1e} only"
        direct = _direct(A, b, options, why if reason is None else f"{reason}; {why}")
        if not np.max(direct.backward_error) >= np.max(errors):  # errors may be NaN
            return direct
    return LeastSquaresResult(
        x,
        success,
        _plain(residual),
        errors,
        factor.rank,
        factor.condition,
        used,
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
    warm = np.asfortranarray(x0, dtype=system.dtype)

    def objective(x: np.ndarray) -> np.ndarray:
        return np.asarray(np.hypot(system.gradient(x, b)[1], system.damp * np.linalg.norm(x, axis=0)))

    with np.errstate(over="ignore", invalid="ignore"):  # a wild start is no better
        return warm if np.all(objective(warm) < objective(guess)) else guess


def _iterate(
    system: LeastSquaresSystem,
    b: np.ndarray,
    factor: SketchedFactor,
    x: np.ndarray,
    d: int,
    method: str,
    options: _Options,
) -> tuple[np.ndarray, Progress, str, str | None]:
    """Run the method. Where it diverges, conjugate gradients, which need no bound on the distortion, follow
    FOSSILS; the others give back their start.
    """
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
        reason = _poor(method, error, d)
        if method == "iterative-sketching":
            return x, Progress(), "sketch-and-solve", reason
    try:
        return *spir(system, b, factor, x, options.rtol, maxiter), "spir", reason
    except DivergenceError as error:
        return x, Progress(), "sketch-and-solve", _poor("spir", error, d)


def _poor(method: str, error: DivergenceError, d: int) -> str:
    return f"{method}: {error}; the sketch of {d} rows is a poor one"


def _stable(errors: Any, eps: float, rtol: float) -> bool:
    return bool(np.max(errors) <= max(_STABLE * eps, rtol))


def _wide(A: Any, b: np.ndarray, options: _Options, method: str) -> LeastSquaresResult:
    """Least norm through the factor of a sketch of A'."""
    roots = None if options.weights is None else np.sqrt(options.weights)
    # Without damping A x = b can be had, and weights do not matter if they are not zero.
    matrix, right = A, b
    if roots is not None and (options.damp or np.any(roots == 0.0)):
        matrix, right = _scaled(A, roots), scaled_rows(b, roots)
    system = LeastSquaresSystem(matrix.T, None, options.damp, options.workers)
    right = np.asfortranarray(right, dtype=system.dtype)
    d = options.sketch_size or choose(A)
    S = options.sketch.sample(options.rng, d, A.shape[1])
    nothing = np.zeros((d, *b.shape[1:]), dtype=system.dtype)
    factor = factorise(system.sketch(S), nothing, options.damp, system.eps)
    if factor.right is not None:
        return _direct(A, b, options, f"the rows are dependent: rank {factor.rank} of {A.shape[0]}")
    maxiter = options.maxiter or 4 * expected_iterations(factor.rank, d, system.eps)
    momentum = Momentum.of(factor.rank, d)
    try:
        x, residual, error, progress = least_norm(
            system, matrix, right, factor, momentum, method, options.rtol, maxiter
        )
    except DivergenceError as failure:
        return _direct(A, b, options, _poor(method, failure, d))
    success = _stable(error, system.eps, options.rtol)
    if not success and method in _STABLE_METHODS:
        return _direct(A, b, options, f"{method} reached a backward error of {np.max(error):.1e} only")
    if roots is not None and matrix is A:
        residual = np.linalg.norm(scaled_rows(b - A @ x, roots), axis=0)
    return LeastSquaresResult(
        x,
        success,
        _plain(residual),
        _plain(error),
        factor.rank,
        factor.condition,
        method,
        None,
        progress.iterations,
        system.passes,
        d,
    )


def _direct(A: Any, b: np.ndarray, options: _Options, reason: str | None) -> LeastSquaresResult:
    if options.weights is not None:
        roots = np.sqrt(options.weights)
        A, b = _scaled(A, roots), scaled_rows(b, roots)
    found = deterministic.solve(A, b, options.damp, options.rtol, options.maxiter)
    eps = float(np.finfo(dtype_of(A)).eps) / 2
    return LeastSquaresResult(
        found.x,
        _stable(found.backward_error, eps, options.rtol),
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


def _unscaled(result: LeastSquaresResult, scaling: Scaling) -> LeastSquaresResult:
    """The result for the problem given; not a success where the solution is out of range."""
    x = scaling.solution(result.x)
    return replace(
        result,
        x=x,
        success=result.success and bool(np.all(np.isfinite(x))),
        residual_norm=_plain(scaling.residual_norm(result.residual_norm)),
    )


def _scaled(A: Any, factors: np.ndarray) -> Any:
    """diag(factors) A."""
    if isinstance(A, LinearOperator):
        from scipy.sparse.linalg import aslinearoperator

        return aslinearoperator(sp.diags_array(factors)) @ A
    if sp.issparse(A):
        return (sp.diags_array(factors.astype(A.dtype)) @ A).asformat(A.format)
    return scaled_rows(A, factors)


def _plain(values: Any) -> Any:
    return float(values) if np.ndim(values) == 0 else values
