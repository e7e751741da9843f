"""Randomised Nystrom preconditioning of ``(A + mu I) x = b``, A symmetric positive semidefinite.

References
----------
.. [FTU] Frangella, Tropp, Udell, "Randomized Nystrom preconditioning", SIAM J. Matrix Anal. Appl. 44 (2023).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator

from .inputs import Matrix, matrix, rng_of, vector, whole
from .low_rank import nystrom_from_sketch
from .products import dtype_of, times
from .status import LinearStatus

Array = NDArray[Any]

# First rank of the adaptive construction, and steps of the power method for its error.
_FIRST_RANK = 16
_POWER_STEPS = 8
# The rank is good enough when the error is this multiple of mu: the condition number is then below 22.
_ERROR_TO_MU = 10.0
# Without mu: when the error is this fraction of the largest eigenvalue, for a hundredth of the iterations.
_ERROR_TO_NORM = 1e-4
# Doubling the rank has to lower the error to this fraction, or no decay is seen and it is not doubled again.
_DECAY = 0.8
# Least factor on the condition number for which the preconditioner is used: a third of the iterations.
_WORTHWHILE = 10.0
# Restarts from the true residual before rounding is taken as the limit.
_RESTARTS = 3


@dataclass(frozen=True)
class NystromPreconditioner:
    """``P^-1 = (w_l + mu) U (diag(w) + mu I)^-1 U' + I - U U'`` ([FTU]_ eq. 5.3).

    Attributes
    ----------
    U : ndarray, shape (n, l)
        Approximate eigenvectors, orthonormal.
    w : ndarray, shape (l,)
        Approximate eigenvalues, decreasing, >= 0.
    mu : float
        The shift of the system.
    error : float
        Estimate of ``||A - U diag(w) U'||``, from below, by the power method.
    products : int
        Products with A that the construction took.
    """

    U: Array
    w: Array
    mu: float
    error: float
    products: int

    @classmethod
    def build(
        cls, A: Any, *, mu: float = 0.0, rank: int | None = None, max_rank: int | None = None, rng: Any = None
    ) -> NystromPreconditioner:
        """Construct it from products with random vectors.

        Parameters
        ----------
        A : ndarray, sparse array or LinearOperator, shape (n, n)
            Symmetric positive semidefinite.
        mu : float, default 0
            The shift of the system ``(A + mu I) x = b``.
        rank : int, optional
            Size of the sketch. By default it is doubled from 16 on ([FTU]_ algorithm E.2, earlier samples
            kept) until the error is ``10 mu``, or 1e-4 of the largest eigenvalue where that is more; or
            until a doubling lowers the error by less than a fifth, or `max_rank` is reached. Eigenvalues at
            rounding level are dropped.
        max_rank : int, optional
            Limit of the doubling; ``min(n // 2, 512)`` by default, at least 1.
        rng : None, int, Generator, optional
            Randomness, as `numpy.random.default_rng` takes it.

        Raises
        ------
        ValueError, TypeError
            A is not square, symmetric, finite or positive semidefinite; mu < 0; rank out of range.
        """
        A = matrix(A, square=True, symmetric=True)
        n = A.shape[0]
        _check_mu(mu)
        for name, value in (("rank", rank), ("max_rank", max_rank)):
            if value is not None and whole(value, name) > n:
                raise ValueError(f"{name} is {value}; at most n = {n} is wanted")
        most = rank or max_rank or max(1, min(n // 2, 512))
        return _build(A, float(mu), rank or min(_FIRST_RANK, most), most, rng_of(rng))

    @property
    def rank(self) -> int:
        """Rank of the approximation."""
        return self.w.size

    @property
    def gain(self) -> float:
        """Predicted factor by which the condition number falls, after [FTU]_ proposition 5.3."""
        left = float(self.w[-1]) + self.mu + self.error
        return (float(self.w[0]) + self.mu) / left if left > 0.0 else np.inf

    def apply(self, v: Array) -> Array:
        """``P^-1 v``, for a vector or the columns of a matrix."""
        lowest = self.w[-1] + self.w.dtype.type(self.mu)
        values = self.w + self.w.dtype.type(self.mu)
        # All zero where A is: P is the identity then.
        factors = np.divide(lowest, values, out=np.ones_like(values), where=values > 0.0) - 1.0
        inner = self.U.T @ v
        return np.asarray(v + self.U @ (factors * inner if v.ndim == 1 else factors[:, None] * inner))

    def as_linear_operator(self) -> LinearOperator:
        """P^-1 as a LinearOperator, as scipy's solvers take it for `M`."""
        n = self.U.shape[0]
        return LinearOperator(
            (n, n), matvec=self.apply, rmatvec=self.apply, matmat=self.apply, dtype=self.U.dtype
        )


@dataclass(frozen=True)
class NystromPCGResult:
    """What `nystrom_pcg` returns.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The solution.
    residual : float
        ``||b - (A + mu I) x|| / ||b||``, computed afresh from x; relative to the residual at x0 where b is
        zero.
    status : LinearStatus
        Why the run ended.
    iterations : int
        Iterations of conjugate gradients.
    method : str
        "nystrom-pcg" or "cg".
    fallback : str or None
        Why plain conjugate gradients were used, None where they were not.
    rank : int
        Rank of the preconditioner, 0 for plain conjugate gradients.
    error : float
        Its estimated error ``||A - A_nys||``; nan where none was built.
    products : int
        All products with A, those of the construction included.
    """

    x: Array
    residual: float
    status: LinearStatus
    iterations: int
    method: str
    fallback: str | None
    rank: int
    error: float
    products: int

    @property
    def converged(self) -> bool:
        """Whether x is a solution to the tolerance."""
        return self.status.converged


def nystrom_pcg(
    A: Any,
    b: Any,
    *,
    mu: float = 0.0,
    x0: Any = None,
    rank: int | None = None,
    max_rank: int | None = None,
    gate: bool = True,
    rtol: float = 1e-8,
    maxiter: int | None = None,
    rng: Any = None,
) -> NystromPCGResult:
    """Solve ``(A + mu I) x = b`` by conjugate gradients with a randomised Nystrom preconditioner.

    Parameters
    ----------
    A : ndarray, sparse array or LinearOperator, shape (n, n)
        Symmetric positive semidefinite; positive definite where mu = 0 and b is not in its range.
    b : array_like, shape (n,)
        Right-hand side.
    mu : float, default 0
        Shift, >= 0.
    x0 : array_like, shape (n,), optional
        Start, zero by default.
    rank, max_rank : int, optional
        See `NystromPreconditioner.build`.
    gate : bool, default True
        Use the preconditioner only if it is predicted to pay: it has to lower the condition number by a
        factor of 10 at least, and by the square of how much dearer it makes an iteration (products with a
        dense n x l matrix beside those with a sparse A).
    rtol : float, default 1e-8
        Converged when ``||b - (A + mu I) x|| <= rtol ||b||``.
    maxiter : int, optional
        Limit on iterations, 10 n by default.
    rng : None, int, Generator, optional
        Randomness, as `numpy.random.default_rng` takes it.

    Returns
    -------
    NystromPCGResult

    Raises
    ------
    ValueError, TypeError
        A is not square, symmetric, finite or (as far as the sketch shows) positive semidefinite; shapes that
        do not fit; options out of range.

    Notes
    -----
    [FTU]_ algorithm 5.1. Conjugate gradients deal with a few outlying eigenvalues by themselves; the
    preconditioner pays where the decay goes on over many, and products with blocks of vectors are cheap.
    """
    A = matrix(A, square=True, symmetric=True)
    n = A.shape[0]
    b = vector(b, n).astype(dtype_of(A))
    x = np.zeros(n, dtype=b.dtype) if x0 is None else vector(x0, n, "x0").astype(b.dtype)
    if not 0.0 < rtol < 1.0:
        raise ValueError(f"rtol is {rtol}; a number in (0, 1) is wanted")
    limit = 10 * n if maxiter is None else whole(maxiter, "maxiter", 0)
    P = NystromPreconditioner.build(A, mu=mu, rank=rank, max_rank=max_rank, rng=rng)
    reason = _why_not(P, A) if gate else None
    run = _ConjugateGradients(A, float(mu), b, x, None if reason else P.apply, rtol)
    status = run.solve(limit)
    return NystromPCGResult(
        x=run.x,
        residual=run.residual,
        status=status,
        iterations=run.iterations,
        method="cg" if reason else "nystrom-pcg",
        fallback=reason,
        rank=0 if reason else P.rank,
        error=P.error,
        products=P.products + run.products,
    )


def _check_mu(mu: float) -> None:
    if not 0.0 <= mu < np.inf:
        raise ValueError(f"mu is {mu}; a number >= 0 is wanted")


def _build(A: Matrix, mu: float, rank: int, most: int, rng: np.random.Generator) -> NystromPreconditioner:
    n, dtype = A.shape[0], dtype_of(A)
    test = np.zeros((n, 0), dtype=dtype)
    images = np.zeros((n, 0), dtype=dtype)
    products, before = 0, np.inf
    while True:
        fresh = rng.standard_normal((n, rank - test.shape[1]), dtype=dtype)
        fresh, _ = np.linalg.qr(fresh - test @ (test.T @ fresh))
        test, images = np.hstack([test, fresh]), np.hstack([images, times(A, fresh)])
        w, U = nystrom_from_sketch(test, images)
        error = _error_norm(A, w, U, rng)
        products += fresh.shape[1] + _POWER_STEPS
        enough = max(_ERROR_TO_MU * mu, _ERROR_TO_NORM * float(w[0]))
        if error <= enough or error > _DECAY * before or rank >= most:
            # Eigenvalues lost in rounding: without a shift they would make P^-1 singular.
            sure = max(1, int(np.count_nonzero(w + mu > n * np.finfo(dtype).eps * w[0])))
            return NystromPreconditioner(U[:, :sure], w[:sure], mu, error, products)
        before, rank = error, min(2 * rank, most)


def _error_norm(A: Matrix, w: Array, U: Array, rng: np.random.Generator) -> float:
    """``||A - U diag(w) U'||`` by the power method ([FTU]_ algorithm E.1)."""
    v = rng.standard_normal(A.shape[0], dtype=dtype_of(A))
    v /= np.linalg.norm(v)
    error = 0.0
    for _ in range(_POWER_STEPS):
        v = times(A, v) - U @ (w * (U.T @ v))
        norm = float(np.linalg.norm(v))
        if norm == 0.0:
            break
        error = max(error, norm)
        v /= v.dtype.type(norm)
    return error


def _why_not(P: NystromPreconditioner, A: Matrix) -> str | None:
    """Why the preconditioner will not pay, or None."""
    if P.gain < _WORTHWHILE:
        return (
            f"the spectrum hardly decays: rank {P.rank} lowers the condition number by a factor of "
            f"{max(P.gain, 1.0):.3g}, {_WORTHWHILE:.3g} is wanted"
        )
    if isinstance(A, (np.ndarray, LinearOperator)):
        return None
    # Iterations fall with the root of the condition number; multiplications of one iteration, either way:
    n = A.shape[0]
    plain = A.nnz + 6 * n
    dearer = (plain + 2 * n * P.rank) / plain
    if P.gain < dearer**2:
        return (
            f"A is too sparse: rank {P.rank} makes an iteration {dearer:.3g} times as dear and is predicted "
            f"to divide their number by {np.sqrt(P.gain):.3g}"
        )
    return None


class _ConjugateGradients:
    """Preconditioned conjugate gradients that believe only residuals computed from x."""

    def __init__(
        self,
        A: Matrix,
        mu: float,
        b: Array,
        x: Array,
        precondition: Callable[[Array], Array] | None,
        rtol: float,
    ) -> None:
        self._A, self._mu, self._b = A, b.dtype.type(mu), b
        self._precondition = precondition or np.copy
        self._rtol = rtol
        self.x = x
        self.iterations = self.products = 0
        self._r = b - self._multiply(x) if x.any() else b.copy()
        self._reference = float(np.linalg.norm(b)) or float(np.linalg.norm(self._r))
        self.residual = self._relative(self._r)

    def solve(self, limit: int) -> LinearStatus:
        """Iterate; afterwards `x`, `residual`, `iterations` and `products` hold the outcome."""
        for _ in range(1 + _RESTARTS):
            before = self.residual
            if before <= self._rtol:
                return LinearStatus.CONVERGED
            with np.errstate(all="ignore"):
                status = self._iterate(limit)
                self._r = self._b - self._multiply(self.x)
                self.residual = self._relative(self._r)
            if not np.isfinite(self.residual):
                return LinearStatus.NONFINITE
            if self.residual <= self._rtol:
                return LinearStatus.CONVERGED
            if status is not None:
                return status
            if self.residual > 0.5 * before:
                break
        return LinearStatus.STAGNATED

    def _iterate(self, limit: int) -> LinearStatus | None:
        """Conjugate gradients from x; None when the recursive residual has converged."""
        r = self._r
        z = self._precondition(r)
        p, rho = z, float(r @ z)
        while self._relative(r) > self._rtol:
            if self.iterations >= limit:
                return LinearStatus.ITERATION_LIMIT
            q = self._multiply(p)
            curvature = float(p @ q)
            if not curvature > 0.0:
                rounding = 10.0 * np.finfo(p.dtype).eps * float(np.linalg.norm(p) * np.linalg.norm(q))
                return LinearStatus.INDEFINITE if curvature < -rounding else LinearStatus.STAGNATED
            step = p.dtype.type(rho / curvature)
            self.x = self.x + step * p
            r = r - step * q
            self.iterations += 1
            z = self._precondition(r)
            rho, old = float(r @ z), rho
            p = z + p.dtype.type(rho / old) * p
        return None

    def _multiply(self, v: Array) -> Array:
        self.products += 1
        return np.asarray(self._A @ v + self._mu * v)

    def _relative(self, r: Array) -> float:
        norm = float(np.linalg.norm(r))
        return norm / self._reference if norm > 0.0 else 0.0
