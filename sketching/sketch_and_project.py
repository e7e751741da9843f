"""Sketch-and-project: solve ``A x = b`` by projecting onto random combinations of the equations.

References
----------
.. [GR] Gower, Richtarik, "Randomized iterative methods for linear systems", SIAM J. Matrix Anal. Appl. 36
   (2015).
.. [SV] Strohmer, Vershynin, "A randomized Kaczmarz algorithm with exponential convergence", J. Fourier Anal.
   Appl. 15 (2009).
.. [LL] Leventhal, Lewis, "Randomized methods for linear constraints: convergence rates and conditioning",
   Math. Oper. Res. 35 (2010).
.. [NT] Needell, Tropp, "Paved with good intentions: analysis of a randomized block Kaczmarz method", Linear
   Algebra Appl. 441 (2014).
.. [LR] Loizou, Richtarik, "Momentum and stochastic momentum for stochastic gradient, Newton, proximal point
   and subspace descent methods", Comput. Optim. Appl. 77 (2020).
.. [DNRY] Derezinski, Needell, Rebrova, Yang, "Randomized Kaczmarz methods with beyond-Krylov convergence",
   arXiv:2501.11673 (2025).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray
from scipy.sparse.linalg import LinearOperator, lsqr

from .inputs import Matrix, matrix, rng_of, vector, whole
from .products import dtype_of, times
from .projection_steps import (
    AcceleratedBlockSteps,
    BlockSteps,
    ColumnSteps,
    GaussianSteps,
    GreedySteps,
    RowSteps,
    Steps,
    squared_row_norms,
)
from .status import LinearStatus

Array = NDArray[Any]
Stop = Callable[[float, Array], bool]

# The selections of each sketch, the default first.
SELECTIONS: dict[str, tuple[str, ...]] = {
    "kaczmarz": ("norm", "uniform", "greedy"),
    "block-kaczmarz": ("uniform", "norm", "greedy"),
    "kaczmarz++": ("uniform",),
    "coordinate": ("norm", "uniform", "greedy"),
    "gaussian": (),
}
_BLOCKED = ("block-kaczmarz", "kaczmarz++", "gaussian")

# A run has stalled when so many looks in a row did not lower the residual by 1 %.
STALL_LOOKS = 50
_PROGRESS = 0.99
# Momentum is given up where the residual has grown so much over the best one.
_GROWTH = 1e4


@dataclass(frozen=True)
class ProjectionResult:
    """What `sketch_and_project` returns.

    Attributes
    ----------
    x : ndarray, shape (n,)
        The iterate with the smallest residual among those looked at.
    residual : float
        ``||b - A x|| / ||b||``, computed from A; relative to ``||A x0||`` where b is zero.
    status : LinearStatus
        Why the run ended.
    iterations : int
        Projections made.
    method : str
        The sketch, with its selection where it has one.
    fallback : str or None
        Why momentum was given up, None where it was not.
    """

    x: Array
    residual: float
    status: LinearStatus
    iterations: int
    method: str
    fallback: str | None = None

    @property
    def converged(self) -> bool:
        """Whether x is a solution (by coordinate descent: a least-squares solution) to the tolerance."""
        return self.status.converged


@dataclass(frozen=True)
class SketchAndProject:
    """A method of the family; `init` sets it up for a system, `step` makes projections.

    Parameters
    ----------
    sketch, selection, block_size, momentum
        See `sketch_and_project`.

    Raises
    ------
    ValueError, TypeError
        Unknown sketch or selection, or an option that the sketch does not have.

    Examples
    --------
    >>> import numpy as np
    >>> from karush.sketching.sketch_and_project import SketchAndProject
    >>> A = np.array([[2.0, 0.0], [1.0, 1.0]])
    >>> method = SketchAndProject("kaczmarz")
    >>> state = method.init(A, np.array([2.0, 3.0]), rng=0)
    >>> while state.residual_norm() > 1e-10:
    ...     state = method.step(state, 50)
    >>> state.x.round(6)
    array([1., 2.])
    """

    sketch: str = "kaczmarz"
    selection: str | None = None
    block_size: int | None = None
    momentum: float | None = None

    def __post_init__(self) -> None:
        if self.sketch not in SELECTIONS:
            raise ValueError(f"sketch is {self.sketch!r}; one of {sorted(SELECTIONS)} is wanted")
        allowed = SELECTIONS[self.sketch]
        if self.selection is not None and self.selection not in allowed:
            wanted = f"one of {list(allowed)}" if allowed else "none (it mixes all equations)"
            raise ValueError(f"selection is {self.selection!r}; for {self.sketch!r}, {wanted} is wanted")
        if self.block_size is not None:
            whole(self.block_size, "block_size")
            if self.sketch not in _BLOCKED:
                raise ValueError(f"block_size is given, but {self.sketch!r} takes one equation a step")
        if self.momentum is not None and not 0.0 <= self.momentum < 1.0:
            raise ValueError(f"momentum is {self.momentum}; a number in [0, 1) is wanted")
        if self.momentum and (self.sketch == "coordinate" or self.selection == "greedy"):
            raise ValueError(f"momentum is {self.momentum}; {self.name} has none")

    @property
    def name(self) -> str:
        """The sketch, with its selection where there is a choice."""
        allowed = SELECTIONS[self.sketch]
        chosen = self.selection or (allowed[0] if allowed else "")
        return f"{self.sketch} ({chosen})" if len(allowed) > 1 else self.sketch

    def init(self, A: Any, b: Any, *, x0: Any = None, B: Any = None, rng: Any = None) -> ProjectionState:
        """Set up the system; arguments, errors as `sketch_and_project`."""
        A = matrix(A)
        if isinstance(A, LinearOperator) and self.sketch != "gaussian":
            raise TypeError(f"A is a LinearOperator, whose rows {self.sketch!r} cannot read; 'gaussian' can")
        dtype = dtype_of(A)
        A, b, unit = _well_scaled(A, vector(b, A.shape[0]).astype(dtype))
        weight = _weight(B, A, dtype)
        z = np.zeros(A.shape[1], dtype=dtype)
        if x0 is not None:
            z = weight.forward(vector(x0, A.shape[1], "x0").astype(dtype))
        steps = self._steps(weight.matrix(A), b, rng_of(rng))
        return ProjectionState(A, b, unit, weight, z, steps)

    def step(self, state: ProjectionState, count: int = 1) -> ProjectionState:
        """Make ``count`` projections; the state is changed in place and returned."""
        count = whole(count, "count", 0)
        with np.errstate(all="ignore"):
            state.steps.advance(state.z, count)
        state.iterations += count
        return state

    def _steps(self, A: Matrix, b: Array, rng: np.random.Generator) -> Steps:
        selection = self.selection or next(iter(SELECTIONS[self.sketch]), "")
        momentum = self.momentum or 0.0
        rank = min(A.shape)
        # The square root balances the factorisation of a block, s^2 n, against what it brings.
        size = min(self.block_size or max(1, round(2.0 * rank**0.5)), A.shape[0])
        if self.sketch == "gaussian":
            return GaussianSteps(A, b, self.block_size or 1, momentum, rng)
        if self.sketch == "block-kaczmarz":
            return BlockSteps(A, b, size, selection, momentum, rng)
        if self.sketch == "kaczmarz++":
            return AcceleratedBlockSteps(A, b, size, self.momentum, rng)
        if selection == "greedy":
            return GreedySteps(A, b, by_columns=self.sketch == "coordinate")
        if self.sketch == "coordinate":
            return ColumnSteps(A, b, selection, rng)
        return RowSteps(A, b, selection, momentum, rng)


class ProjectionState:
    """Where a run stands; made by `SketchAndProject.init`.

    Attributes
    ----------
    iterations : int
        Projections made so far.
    """

    def __init__(self, A: Matrix, b: Array, unit: float, weight: _Weight, z: Array, steps: Steps) -> None:
        self.A, self.b = A, b
        self.unit = unit  # the system given is (unit A) x = unit b
        self.weight = weight
        self.z = z  # the iterate in the coordinates in which B is the identity
        self.steps = steps
        self.iterations = 0

    @property
    def x(self) -> Array:
        """The iterate, a copy."""
        return self.weight.backward(self.z)

    def residual_norm(self) -> float:
        """``||b - A x||``, computed from A and b; nan or inf where the iterate has overflowed."""
        return self.unit * _norm(_residual(self.A, self.b, self.x))


def sketch_and_project(
    A: Any,
    b: Any,
    *,
    x0: Any = None,
    B: Any = None,
    sketch: str = "kaczmarz",
    selection: str | None = None,
    block_size: int | None = None,
    momentum: float | None = None,
    rtol: float = 1e-8,
    maxiter: int | None = None,
    check_every: int | None = None,
    stop: Stop | None = None,
    rng: Any = None,
) -> ProjectionResult:
    """Solve a consistent system ``A x = b`` of any shape and rank by random projections.

    Each step moves x to the nearest point that fulfils the sketched system ``S'A x = S'b``, S a fresh random
    matrix of few columns. From x0 = 0 the limit is the solution of least B-norm; in general, the one nearest
    to x0.

    Parameters
    ----------
    A : ndarray or sparse array, shape (m, n); for the Gaussian sketch also a LinearOperator
        The computation runs in A's precision. Kaczmarz reads A by rows, coordinate descent by columns: where
        these are not contiguous, one copy is made.
    b : array_like, shape (m,)
        Right-hand side.
    x0 : array_like, shape (n,), optional
        Start, zero by default.
    B : array_like, shape (n,) or (n, n), optional
        Symmetric positive definite matrix of the norm in which is projected, as its diagonal or dense; the
        identity by default. A dense B makes a dense copy of A.
    sketch : str, default "kaczmarz"
        - "kaczmarz": one equation a step ([SV]_, [GR]_ section 3.3);
        - "block-kaczmarz": a block of a random partition of the rows, least norm by a factorisation that is
          kept for each block ([NT]_);
        - "kaczmarz++": regularised projections on memoised random blocks, with Nesterov momentum set from
          the progress ([DNRY]_); the one for ill-conditioned systems with few large singular values;
        - "coordinate": one column a step, which is S = A e_j and B = A'A ([LL]_, [GR]_); solves the
          least-squares problem where the system is inconsistent;
        - "gaussian": random combinations of all equations ([GR]_): a product with A' each step.
    selection : str, optional
        "norm" (probabilities in proportion to squared norms, the default for single rows and columns, whose
        rate is known), "uniform" (the default for blocks), or "greedy" (the largest step: maximal residual
        over norm).
    block_size : int, optional
        Equations a step: ``2 sqrt(min(m, n))`` by default for blocks, 1 for the Gaussian sketch.
    momentum : float, optional
        Heavy ball ([LR]_), zero by default. For "kaczmarz++" the decay of the velocity: by default chosen
        from the progress. Momentum that makes the residual grow is given up, and the result says so.
    rtol : float, default 1e-8
        Converged when ``||b - A x|| <= rtol ||b||``; for coordinate descent also when
        ``||A'r|| <= rtol ||A||_F ||r||``.
    maxiter : int, optional
        Limit on projections: by default 1000 times the default of `check_every`.
    check_every : int, optional
        Projections between two looks at the true residual: by default a pass over the equations (columns,
        for coordinate descent), but 100 at least for single ones; 10 for the Gaussian sketch, and 20 to 100
        for greedy steps, each of which costs a product with A or about that.
    stop : callable, optional
        ``stop(residual_norm, x) -> bool`` at each look; True ends the run.
    rng : None, int, Generator, optional
        Randomness, as `numpy.random.default_rng` takes it. The same seed gives the same bits, as long as
        BLAS runs on the same number of threads.

    Returns
    -------
    ProjectionResult

    Raises
    ------
    ValueError, TypeError
        Non-finite or empty input, shapes that do not fit, a B that is not positive definite, unknown or
        contradictory options, a LinearOperator where rows are needed.

    Notes
    -----
    With rows drawn by squared norms, ``E||x - x*||^2`` falls by ``1 - s^2 / ||A||_F^2`` a step, s the
    smallest nonzero singular value ([SV]_ theorem 2). On an inconsistent system the iterates hover: the run
    ends as INCONSISTENT when a few LSQR steps show that no correction lowers the residual.
    """
    method = SketchAndProject(sketch, selection, block_size, momentum)
    if B is not None and sketch == "coordinate":
        raise ValueError("B is given, but coordinate descent works with B = A'A")
    if not 0.0 < rtol < 1.0:
        raise ValueError(f"rtol is {rtol}; a number in (0, 1) is wanted")
    state = method.init(A, b, x0=x0, B=B, rng=rng)
    looks = check_every if check_every is not None else state.steps.check_every
    limit = 1000 * state.steps.check_every if maxiter is None else whole(maxiter, "maxiter", 0)
    return _run(method, state, rtol, limit, whole(looks, "check_every"), stop)


def _run(
    method: SketchAndProject,
    state: ProjectionState,
    rtol: float,
    limit: int,
    check_every: int,
    stop: Stop | None,
) -> ProjectionResult:
    watch = _Watch(state, rtol, by_columns=method.sketch == "coordinate")
    fallback = None
    while True:
        x = state.x
        status = watch.look(x)
        if watch.diverging and state.steps.drop_momentum():
            fallback = f"the residual grew under momentum: without it from step {state.iterations} on"
            state.z[:] = state.weight.forward(watch.x)
            watch.diverging, status = False, None
        elif status is None and stop is not None and stop(state.unit * watch.norm, x.copy()):
            status = LinearStatus.STOPPED
        if status is None and state.iterations >= limit:
            status = LinearStatus.ITERATION_LIMIT
        if status is not None:
            residual = watch.best / watch.reference if watch.best > 0.0 else 0.0
            return ProjectionResult(watch.x, residual, status, state.iterations, method.name, fallback)
        method.step(state, min(check_every, limit - state.iterations))


class _Watch:
    """Looks at true residuals: keeps the best iterate, and tells when a run is over."""

    def __init__(self, state: ProjectionState, rtol: float, *, by_columns: bool) -> None:
        self._A, self._b = state.A, state.b
        self._rtol, self._by_columns = rtol, by_columns
        self.x = state.x
        self.best = _norm(_residual(self._A, self._b, self.x))
        self.norm = self.best
        self.reference = _norm(self._b) or self.best
        self.diverging = False
        self._mark, self._idle = np.inf, 0
        self._size = 0.0
        self._hopeless = False
        if not isinstance(self._A, LinearOperator):
            norms2 = squared_row_norms(self._A)
            self._size = float(np.sqrt(norms2.sum()))
            self._hopeless = bool(np.any(np.abs(self._b[norms2 == 0.0]) > rtol * self.reference))

    def look(self, x: Array) -> LinearStatus | None:
        """Take note of an iterate; the status with which the run is over, if it is."""
        r = _residual(self._A, self._b, x)
        self.norm = _norm(r)
        self.diverging = not self.norm <= _GROWTH * self.best + self._rtol * self.reference
        if self.norm < self.best:
            self.best, self.x = self.norm, x
        if self.norm <= self._rtol * self.reference:
            return LinearStatus.CONVERGED
        if not np.isfinite(self.norm):
            return LinearStatus.NONFINITE
        if self._by_columns:
            cosine = _norm(np.asarray(self._A.T @ (r / r.dtype.type(self.norm)))) / (self._size or 1.0)
            if cosine <= self._rtol:
                self.best, self.x = self.norm, x
                return LinearStatus.LEAST_SQUARES
            return self._stalled(cosine * self.norm)
        return LinearStatus.INCONSISTENT if self._hopeless else self._stalled(self.norm)

    def _stalled(self, measure: float) -> LinearStatus | None:
        if measure <= _PROGRESS * self._mark:
            self._mark, self._idle = measure, 0
            return None
        self._idle += 1
        if self._idle < STALL_LOOKS:
            return None
        return LinearStatus.INCONSISTENT if self._inconsistent() else LinearStatus.STAGNATED

    def _inconsistent(self) -> bool:
        """Whether LSQR from the best iterate ends at a residual orthogonal to the range."""
        eps = float(np.finfo(self._b.dtype).eps)
        if self.best <= 10.0 * eps * (self._size * _norm(self.x) + _norm(self._b)):
            return False  # rounding, not the system
        r = _residual(self._A, self._b, self.x)
        rounds = min(200, 4 * min(self._A.shape))
        _, reason, _, left = lsqr(self._A, r, atol=1e-4, btol=0.0, conlim=0.0, iter_lim=rounds)[:4]
        return bool(reason == 2 and left > self._rtol * self.reference)


class _Weight:
    """The coordinates z = L'x in which the norm of B = L L' is the Euclidean one; here B = I."""

    def forward(self, x: Array) -> Array:
        """Coordinates z of x."""
        return x.copy()

    def backward(self, z: Array) -> Array:
        """The x of coordinates z."""
        return z.copy()

    def matrix(self, A: Matrix) -> Matrix:
        """The matrix of the system in z."""
        return A


class _DiagonalWeight(_Weight):
    def __init__(self, diagonal: Array) -> None:
        self._root = np.sqrt(diagonal)

    def forward(self, x: Array) -> Array:
        return np.asarray(self._root * x)

    def backward(self, z: Array) -> Array:
        return np.asarray(z / self._root)

    def matrix(self, A: Matrix) -> Matrix:
        if isinstance(A, np.ndarray):
            return A / self._root
        return A @ sp.diags_array(1.0 / self._root, dtype=A.dtype)


class _DenseWeight(_Weight):
    def __init__(self, factor: Array) -> None:
        self._upper = factor.T

    def forward(self, x: Array) -> Array:
        return np.asarray(self._upper @ x)

    def backward(self, z: Array) -> Array:
        return np.asarray(scipy.linalg.solve_triangular(self._upper, z, check_finite=False))

    def matrix(self, A: Matrix) -> Matrix:
        full = A if isinstance(A, np.ndarray) else A.toarray()
        return np.ascontiguousarray(
            scipy.linalg.solve_triangular(self._upper, full.T, trans="T", check_finite=False).T
        )


def _weight(B: Any, A: Matrix, dtype: np.dtype[Any]) -> _Weight:
    if B is None:
        return _Weight()
    if isinstance(A, LinearOperator):
        raise TypeError("B is given together with a LinearOperator A; a dense or sparse A is wanted")
    n = A.shape[1]
    if np.ndim(B) == 1:
        diagonal = vector(B, n, "B").astype(dtype)
        if not (diagonal > 0.0).all():
            raise ValueError(f"B has the diagonal entry {diagonal.min():.3g}; positive ones are wanted")
        return _DiagonalWeight(diagonal)
    B = matrix(B, "B", symmetric=True)
    if B.shape != (n, n) or not isinstance(B, np.ndarray):
        raise ValueError(f"B is a {type(B).__name__} of shape {B.shape}; an ndarray ({n}, {n}) is wanted")
    try:
        factor = scipy.linalg.cholesky(B.astype(dtype), lower=True, check_finite=False)
    except scipy.linalg.LinAlgError:
        raise ValueError("B is not positive definite") from None
    return _DenseWeight(factor)


def _residual(A: Matrix, b: Array, x: Array) -> Array:
    with np.errstate(all="ignore"):
        if not np.isfinite(x).all():
            return np.full_like(b, np.nan)
        return np.asarray(b - (times(A, x) if isinstance(A, LinearOperator) else A @ x))


def _norm(r: Array) -> float:
    """2-norm in double precision that neither overflows nor underflows on the way."""
    largest = float(np.abs(r).max())
    if not 0.0 < largest < np.inf:
        return largest
    return largest * float(np.linalg.norm(r.astype(np.float64) / largest))


def _well_scaled(A: Matrix, b: Array) -> tuple[Matrix, Array, float]:
    """The system divided by a power of two where the squares of A's entries would leave the double range."""
    if isinstance(A, LinearOperator):
        return A, b, 1.0
    largest = float(np.abs(A if isinstance(A, np.ndarray) else A.data).max(initial=0.0))
    if largest == 0.0 or 1e-100 < largest < 1e100:
        return A, b, 1.0
    unit = 2.0 ** np.floor(np.log2(largest))
    return A / unit, b / unit, float(unit)
