"""Sketched GMRES: a cheap Krylov basis that is not orthogonal, and a sketched least-squares problem on it.

References
----------
.. [NT] Nakatsukasa, Tropp, "Fast and accurate randomized algorithms for linear systems and eigenvalue
   problems", SIAM J. Matrix Anal. Appl. 45 (2024).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, gmres

from .inputs import Matrix, matrix, rng_of, vector, whole
from .operators import SparseSign
from .products import dtype_of, times
from .status import LinearStatus

Array = NDArray[Any]

# Rows of the sketch for each basis vector, as in the paper: distortion 1/sqrt(2).
_ROWS_PER_VECTOR = 2
# The basis is used while its condition number is below eps**-POWER: its own rounding errors, times the
# condition number, then stay below eps**(1/3) of a cycle's work, which the next cycle mends.
_CONDITION_POWER = 2.0 / 3.0
_LOOK_EVERY = 8  # steps between two looks at the condition number
# Cycles in a row that may fail to halve the residual, before orthogonal bases are used instead; and before
# these are given up.
_PATIENCE = 2
_HALVED = 0.5
_PROGRESS = 0.99


@dataclass(frozen=True)
class SketchedGMRESResult:
    """What `sketched_gmres` returns.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The solution.
    residual : float
        ``||b - A x|| / ||b||``, computed afresh from x; relative to the residual at x0 where b is zero.
    status : LinearStatus
        Why the run ended.
    iterations : int
        Basis vectors made, over all cycles.
    cycles : int
        Restarts plus one.
    basis_condition : float
        Largest condition number of a basis met, as its sketch shows it; nan where none was sketched.
    method : str
        "sketched-gmres", or "gmres" where all, or the last part, was done by GMRES with orthogonal bases.
    fallback : str or None
        Why, None where it was not.
    """

    x: Array
    residual: float
    status: LinearStatus
    iterations: int
    cycles: int
    basis_condition: float
    method: str
    fallback: str | None = None

    @property
    def converged(self) -> bool:
        """Whether x is a solution to the tolerance."""
        return self.status.converged


def sketched_gmres(
    A: Any,
    b: Any,
    *,
    x0: Any = None,
    M: Any = None,
    truncation: int = 4,
    basis_size: int = 150,
    rtol: float = 1e-8,
    maxiter: int | None = None,
    rng: Any = None,
) -> SketchedGMRESResult:
    """Solve a square system ``A x = b``, with less orthogonalisation than GMRES.

    Parameters
    ----------
    A : ndarray, sparse array or LinearOperator, shape (n, n)
        Nonsingular, or b in its range.
    b : array_like, shape (n,)
        Right-hand side.
    x0 : array_like, shape (n,), optional
        Start, zero by default.
    M : ndarray, sparse array or LinearOperator, shape (n, n), optional
        Approximate inverse of A, applied from the right, so that residuals are those of the system itself.
    truncation : int, default 4
        Each basis vector is made orthogonal to so many before it: 2 to 4 in the paper. More keep the basis
        well conditioned for longer.
    basis_size : int, default 150
        Basis vectors before a restart; n * (basis_size + 1) numbers are stored.
    rtol : float, default 1e-8
        Converged when ``||b - A x|| <= rtol ||b||``.
    maxiter : int, optional
        Limit on iterations (products with A), 10 n by default.
    rng : None, int, Generator, optional
        Randomness, as `numpy.random.default_rng` takes it.

    Returns
    -------
    SketchedGMRESResult

    Raises
    ------
    ValueError, TypeError
        A is not a finite real square matrix; shapes that do not fit; options out of range.

    Notes
    -----
    [NT]_ algorithm 1.1 with a sparse sign sketch. The sketch of the basis shows its condition number; the
    cycle ends when that has grown to eps^(-2/3), and the next starts from the true residual. Where cycles do
    not halve the residual, or n is too small for sketches to pay, scipy's GMRES with restarts takes over,
    and the result says so.
    """
    A = matrix(A, square=True)
    n = A.shape[0]
    b = vector(b, n).astype(dtype_of(A))
    x = np.zeros(n, dtype=b.dtype) if x0 is None else vector(x0, n, "x0").astype(b.dtype)
    if not 0.0 < rtol < 1.0:
        raise ValueError(f"rtol is {rtol}; a number in (0, 1) is wanted")
    if M is not None:
        M = matrix(M, "M", square=True)
        if M.shape != A.shape:
            raise ValueError(f"M has shape {M.shape}; that of A, {A.shape}, is wanted")
    size = min(whole(basis_size, "basis_size"), n)
    limit = 10 * n if maxiter is None else whole(maxiter, "maxiter", 0)
    run = _Run(A, M, b, x, rtol, limit, size)
    rows = _ROWS_PER_VECTOR * (size + 1)
    if n < 2 * rows:
        fallback: str | None = f"n = {n} is not much larger than the {rows} rows of a sketch"
    else:
        S = SparseSign.sample(rng_of(rng), rows, n)
        fallback = run.sketched(S, whole(truncation, "truncation"))
    if fallback is not None:
        run.orthogonal()
    return SketchedGMRESResult(
        x=run.x,
        residual=run.norm / run.reference if run.norm > 0.0 else 0.0,
        status=run.status,
        iterations=run.iterations,
        cycles=run.cycles,
        basis_condition=run.basis_condition,
        method="sketched-gmres" if fallback is None else "gmres",
        fallback=fallback,
    )


class _Run:
    """The iterate, its true residual, and the account of cycles."""

    def __init__(
        self, A: Matrix, M: Matrix | None, b: Array, x: Array, rtol: float, limit: int, size: int
    ) -> None:
        self._A, self._M, self._b = A, M, b
        self._limit, self._size = limit, size
        self.x = x
        self.r = b - times(A, x)
        self.norm = float(np.linalg.norm(self.r))
        self.reference = float(np.linalg.norm(b)) or self.norm
        self._goal = rtol * self.reference
        self.iterations = self.cycles = 0
        self.basis_condition = np.nan
        self.status = LinearStatus.CONVERGED

    def sketched(self, S: Any, truncation: int) -> str | None:
        """Cycles of sketched GMRES; None when the run is over, else why these cycles do not do."""
        poor, ended = 0, ""
        while not self._over():
            before = self.norm
            ended = self._cycle(_SketchedBasis(S, self.r, self._size, truncation))
            poor = 0 if self.norm <= _HALVED * before else poor + 1
            if poor == _PATIENCE and not self._over():
                return f"{poor} cycles with truncated bases did not halve the residual; the last {ended}"
        return None

    def orthogonal(self) -> None:
        """Cycles of scipy's GMRES, right-preconditioned, until the run is over."""
        operator = self._A
        if self._M is not None:
            operator = LinearOperator(
                self._A.shape, matvec=lambda v: self._A @ self._apply(v), dtype=self._b.dtype
            )
        poor = 0
        while not self._over():
            steps: list[float] = []
            correction, _ = gmres(
                operator,
                self.r,
                rtol=0.0,
                atol=0.5 * self._goal,
                restart=min(self._size, self._limit - self.iterations),
                maxiter=1,
                callback=steps.append,
                callback_type="pr_norm",
            )
            self.iterations += max(1, len(steps))
            self.cycles += 1
            before = self.norm
            self._accept(self._apply(correction.astype(self._b.dtype)))
            poor = 0 if self.norm <= _PROGRESS * before else poor + 1
            if poor == _PATIENCE and not self._over():
                self.status = LinearStatus.STAGNATED
                return

    def _over(self) -> bool:
        if self.norm <= self._goal:
            self.status = LinearStatus.CONVERGED
            return True
        self.status = LinearStatus.ITERATION_LIMIT
        return self.iterations >= self._limit

    def _cycle(self, basis: _SketchedBasis) -> str:
        """Extend the basis until it gives the solution or has to be given up; says how it ended."""
        goal = self._goal
        self.cycles += 1
        start = self.x
        while True:
            alive = basis.extend(times(self._A, self._apply(basis.last())))
            self.iterations += 1
            if basis.residual <= goal or not alive or self.iterations >= self._limit:
                before = self.norm
                self._accept(self._apply(basis.combination()), start)
                if self.norm <= self._goal or not alive or self.iterations >= self._limit:
                    break
                if not self.norm < before:
                    basis.ended = f"was misled by its sketch after {basis.count} vectors"
                    break
                # The sketch was a little optimistic: it has to promise more before the next look.
                goal *= 0.5 * self._goal / self.norm
        self.basis_condition = float(np.fmax(self.basis_condition, basis.condition()))
        return basis.ended

    def _accept(self, correction: Array, start: Array | None = None) -> None:
        """Take start + correction where its true residual is the smaller one."""
        x = (self.x if start is None else start) + correction
        with np.errstate(all="ignore"):
            r = self._b - np.asarray(self._A @ x)
            norm = float(np.linalg.norm(r))
        if norm < self.norm:
            self.x, self.r, self.norm = x, r, norm

    def _apply(self, v: Array) -> Array:
        return v if self._M is None else times(self._M, v).astype(v.dtype, copy=False)


class _SketchedBasis:
    """Truncated Arnoldi vectors B, and the QR factorisation of S A M B, one column at a time.

    Attributes
    ----------
    count : int
        Columns of the least-squares problem.
    residual : float
        ``min ||S (r - A M B y)||``.
    ended : str
        Why the basis cannot be extended, once it cannot.
    """

    def __init__(self, S: Any, r: Array, size: int, truncation: int) -> None:
        self._S, self._truncation, self._size = S, truncation, size
        rows, n = S.shape
        norm = float(np.linalg.norm(r))
        self._B = np.empty((n, size + 1), dtype=r.dtype, order="F")
        self._B[:, 0] = r / r.dtype.type(norm)
        self._SB = np.empty((rows, size + 1), dtype=r.dtype, order="F")
        self._SB[:, 0] = S @ self._B[:, 0]
        self._Q = np.empty((rows, size), dtype=r.dtype, order="F")
        self._R = np.zeros((size, size), dtype=r.dtype)
        self._rest = r.dtype.type(norm) * self._SB[:, 0]
        self._along = np.zeros(size, dtype=r.dtype)
        self._most = float(np.finfo(r.dtype).eps) ** -_CONDITION_POWER
        self.count = 0
        self.residual = float(np.linalg.norm(self._rest))
        self.ended = ""

    def last(self) -> Array:
        """The basis vector whose image `extend` wants."""
        return self._B[:, self.count]

    def extend(self, image: Array) -> bool:
        """Add the image ``A M b`` of the last vector; False if that was the last one for this basis."""
        sketch = self._S @ image
        if not self._add_column(sketch):
            self.ended = f"lost independence after {self.count} vectors"
            return False
        j = self.count
        if j == self._size:
            self.ended = f"was full with {j} vectors"
            return False
        self._add_vector(image.copy(), sketch, j)
        if self.ended:
            return False
        if j % _LOOK_EVERY == 0 and self.condition() > self._most:
            self.ended = f"was ill-conditioned after {j} vectors"
            return False
        return True

    def combination(self) -> Array:
        """``B y`` for the least-squares solution y."""
        j = self.count
        if j == 0:
            return np.zeros(self._B.shape[0], dtype=self._B.dtype)
        y = scipy.linalg.solve_triangular(self._R[:j, :j], self._along[:j], check_finite=False)
        return np.asarray(self._B[:, :j] @ y)

    def condition(self) -> float:
        """Condition number of ``S B``, which is that of B up to the distortion of the sketch."""
        s = scipy.linalg.svdvals(self._SB[:, : max(self.count, 1)], check_finite=False)
        return float(s[0] / s[-1]) if s[-1] > 0.0 else np.inf

    def _add_column(self, sketch: Array) -> bool:
        j, Q = self.count, self._Q[:, : self.count]
        q = sketch.copy()
        for _ in range(2):  # twice is enough
            part = Q.T @ q
            q -= Q @ part
            self._R[:j, j] += part
        norm = float(np.linalg.norm(q))
        if not norm > 10.0 * np.finfo(q.dtype).eps * float(np.linalg.norm(sketch)):
            return False
        self._R[j, j] = norm
        self._Q[:, j] = q / q.dtype.type(norm)
        self._along[j] = self._Q[:, j] @ self._rest
        self._rest -= self._along[j] * self._Q[:, j]
        self.residual = float(np.linalg.norm(self._rest))
        self.count = j + 1
        return True

    def _add_vector(self, w: Array, sketch: Array, j: int) -> None:
        recent = slice(max(0, j - self._truncation), j)
        before = float(np.linalg.norm(w))
        # The sketch of the new vector follows by linearity, without another product with S.
        sketch = sketch.copy()
        for _ in range(2):
            part = self._B[:, recent].T @ w
            w -= self._B[:, recent] @ part
            sketch -= self._SB[:, recent] @ part
        norm = float(np.linalg.norm(w))
        if not norm > 10.0 * np.finfo(w.dtype).eps * before:
            self.ended = f"was invariant after {j} vectors"
            return
        self._B[:, j] = w / w.dtype.type(norm)
        self._SB[:, j] = sketch / w.dtype.type(norm)
