"""The steps of sketch-and-project: how the next equations are picked, and the projection onto them.

Each class holds what it needs of A and b and changes an iterate in place: ``advance(x, count)`` makes that
many projections.
"""

from __future__ import annotations

from typing import Any, Protocol

import numpy as np
import scipy.fft
import scipy.linalg
import scipy.sparse as sp
from numpy.typing import NDArray

from .inputs import Matrix
from .products import adjoint_times, dtype_of

Array = NDArray[Any]

_TINY = np.finfo(np.float64).tiny


class Steps(Protocol):
    """Projections that change an iterate in place."""

    check_every: int  # steps between two looks at the true residual: about the price of one look

    def advance(self, x: Array, count: int) -> None:
        """Make ``count`` projections on x, in place."""

    def drop_momentum(self) -> bool:
        """Go on without momentum; False where there was none."""


def squared_row_norms(A: Matrix) -> Array:
    """Squared 2-norms of the rows of a dense or sparse matrix, in double precision."""
    if isinstance(A, np.ndarray):
        return np.asarray(np.einsum("ij,ij->i", A, A, dtype=np.float64))
    squares = A.astype(np.float64)
    squares.data **= 2
    return np.asarray(squares.sum(axis=1)).ravel()


class _Draws:
    """Indices drawn with given probabilities by inverting the distribution.

    One uniform number an index: the sequence does not depend on how the steps are cut into calls.
    """

    def __init__(self, weights: Array, rng: np.random.Generator) -> None:
        self._alive = np.flatnonzero(weights > 0.0)
        self._cumulative = np.cumsum(weights[self._alive] / weights.max(initial=1.0))
        self._rng = rng

    def take(self, count: int) -> Array:
        if self._alive.size == 0:
            return self._alive
        where = np.searchsorted(
            self._cumulative, self._rng.random(count) * self._cumulative[-1], side="right"
        )
        return np.asarray(self._alive[np.minimum(where, self._alive.size - 1)])


def _weights(norms2: Array, selection: str) -> Array:
    return norms2 if selection == "norm" else (norms2 > 0.0).astype(np.float64)


def _rows_first(A: Matrix) -> tuple[Array, ...]:
    """A as the arrays that the kernels read by rows."""
    if isinstance(A, np.ndarray):
        return (np.ascontiguousarray(A),)
    rows = sp.csr_array(A)
    return rows.indptr, rows.indices, rows.data


class RowSteps:
    """Randomised Kaczmarz: one equation a step, with heavy-ball momentum if wanted."""

    def __init__(
        self, A: Matrix, b: Array, selection: str, momentum: float, rng: np.random.Generator
    ) -> None:
        self._rows = _rows_first(A)
        self._b = b
        self._norms2 = squared_row_norms(A)
        self._draws = _Draws(_weights(self._norms2, selection), rng)
        self._momentum = momentum
        self._previous: Array | None = None
        self.check_every = max(A.shape[0], 100)

    def advance(self, x: Array, count: int) -> None:
        """See `Steps`."""
        from . import projection_kernels as kernels

        rows = self._draws.take(count)
        dense = len(self._rows) == 1
        if self._momentum == 0.0:
            kernel = kernels.kaczmarz_dense if dense else kernels.kaczmarz_csr
            kernel(*self._rows, self._b, self._norms2, rows, x)
            return
        if self._previous is None:
            self._previous = x.copy()
        kernel = kernels.kaczmarz_momentum_dense if dense else kernels.kaczmarz_momentum_csr
        kernel(*self._rows, self._b, self._norms2, rows, self._momentum, x, self._previous)

    def drop_momentum(self) -> bool:
        """See `Steps`."""
        had, self._momentum, self._previous = self._momentum != 0.0, 0.0, None
        return had


class ColumnSteps:
    """Randomised coordinate descent on ``||A x - b||``: one column a step."""

    def __init__(self, A: Matrix, b: Array, selection: str, rng: np.random.Generator) -> None:
        self._A, self._b = A, b
        self._columns = _rows_first(A.T)
        self._norms2 = squared_row_norms(A.T)
        self._draws = _Draws(_weights(self._norms2, selection), rng)
        self.check_every = max(A.shape[1], 100)

    def advance(self, x: Array, count: int) -> None:
        """See `Steps`."""
        from . import projection_kernels as kernels

        kernel = kernels.coordinate_dense if len(self._columns) == 1 else kernels.coordinate_csr
        residual = np.asarray(self._b - self._A @ x)
        kernel(*self._columns, self._norms2, self._draws.take(count), x, residual)

    def drop_momentum(self) -> bool:
        """See `Steps`."""
        return False


class GreedySteps:
    """Kaczmarz or coordinate steps on the equation, or coordinate, that moves x farthest.

    Both keep the gaps (residuals, or slopes ``A'r``) up to date by one column of the Gram matrix of M a
    step, M = A or A'. They are computed afresh at each call.
    """

    def __init__(self, A: Matrix, b: Array, *, by_columns: bool) -> None:
        self._A, self._b, self._by_columns = A, b, by_columns
        M = A.T if by_columns else A
        self._rows = _rows_first(M)
        self._norms2 = squared_row_norms(M)
        self._alive = bool(self._norms2.any())
        if len(self._rows) == 3:
            columns = sp.csc_array(M)
            self._rows += (columns.indptr, columns.indices, columns.data)
        self.check_every = max(20, min(M.shape[0], 100))

    def advance(self, x: Array, count: int) -> None:
        """See `Steps`."""
        from . import projection_kernels as kernels

        if not self._alive:
            return
        kernel = kernels.greedy_dense if len(self._rows) == 1 else kernels.greedy_csr
        residual = np.asarray(self._b - self._A @ x)
        gaps = np.asarray(self._A.T @ residual) if self._by_columns else residual
        y = np.zeros_like(gaps)
        kernel(*self._rows, self._norms2, count, gaps, y)
        x += y if self._by_columns else self._A.T @ y

    def drop_momentum(self) -> bool:
        """See `Steps`."""
        return False


class _HeavyBall:
    """``x - w + momentum * (x - previous)`` for steps made in Python."""

    def __init__(self, momentum: float) -> None:
        self._momentum = momentum
        self._previous: Array | None = None

    def _move(self, x: Array, w: Array) -> None:
        if self._momentum == 0.0:
            x += w
            return
        drift = np.zeros_like(x) if self._previous is None else x - self._previous
        self._previous = x.copy()
        x += w
        x += self._momentum * drift

    def drop_momentum(self) -> bool:
        """See `Steps`."""
        had, self._momentum, self._previous = self._momentum != 0.0, 0.0, None
        return had


class GaussianSteps(_HeavyBall):
    """Random combinations of all equations: S Gaussian, m x s (Gower & Richtarik 2015)."""

    def __init__(
        self, A: Matrix, b: Array, block_size: int, momentum: float, rng: np.random.Generator
    ) -> None:
        super().__init__(momentum)
        self._A, self._b, self._block_size, self._rng = A, b, block_size, rng
        self.check_every = 10

    def advance(self, x: Array, count: int) -> None:
        """See `Steps`."""
        shape = (self._b.size, self._block_size)
        for _ in range(count):
            S = self._rng.standard_normal(shape, dtype=dtype_of(self._A))
            W = adjoint_times(self._A, S)
            gaps = S.T @ self._b - W.T @ x
            F = inverse_gram_factor(W.T)
            self._move(x, W @ (F @ (F.T @ gaps)))


class BlockSteps(_HeavyBall):
    """Block Kaczmarz on a random partition of the rows, factorised once a block.

    The rows are put in a random order once, so that each block is a slice of one copy of A.
    """

    def __init__(
        self,
        A: Matrix,
        b: Array,
        block_size: int,
        selection: str,
        momentum: float,
        rng: np.random.Generator,
    ) -> None:
        super().__init__(momentum)
        order = rng.permutation(A.shape[0])
        self._A, self._b = (A if isinstance(A, np.ndarray) else sp.csr_array(A))[order], b[order]
        count = -(-order.size // block_size)
        self._starts = np.linspace(0, order.size, count + 1).astype(np.int64)
        self._norms2 = np.add.reduceat(squared_row_norms(self._A), self._starts[:-1])
        self._greedy = selection == "greedy"
        self._draws = _Draws(_weights(self._norms2, selection), rng)
        self._factors: dict[int, Array] = {}
        self.check_every = max(count, 4)

    def advance(self, x: Array, count: int) -> None:
        """See `Steps`."""
        if not self._norms2.any():
            return
        drawn = None if self._greedy else self._draws.take(count)
        for step in range(count):
            block = self._farthest(x) if drawn is None else int(drawn[step])
            rows = slice(self._starts[block], self._starts[block + 1])
            part = self._A[rows]
            if block not in self._factors:
                self._factors[block] = inverse_gram_factor(part)
            F = self._factors[block]
            self._move(x, part.T @ (F @ (F.T @ (self._b[rows] - part @ x))))

    def _farthest(self, x: Array) -> int:
        gaps2 = np.add.reduceat(np.square(self._b - self._A @ x), self._starts[:-1])
        return int(
            np.argmax(np.divide(gaps2, self._norms2, out=np.zeros_like(gaps2), where=self._norms2 > 0))
        )


class AcceleratedBlockSteps:
    """Kaczmarz++: regularised block projections, Nesterov momentum set from the progress, memoised blocks.

    A dense system is first mixed by random signs and a cosine transform of its rows, after which uniform
    blocks are good blocks. Sparse rows stay as they are.
    """

    RIDGE = 1e-8  # times the mean squared row norm; in single precision its square root

    def __init__(
        self, A: Matrix, b: Array, block_size: int, momentum: float | None, rng: np.random.Generator
    ) -> None:
        self._A: Matrix
        self._A, self._b = _mixed(A, b, rng) if isinstance(A, np.ndarray) else (sp.csr_array(A), b)
        self._rng = rng
        self._size = block_size
        self._rank = min(A.shape)
        self._blocks: list[tuple[Array, Array]] = []
        self._count = 0
        relative = self.RIDGE if dtype_of(A) == np.float64 else self.RIDGE**0.5
        self._ridge = relative * float(squared_row_norms(self._A).mean())
        self._momentum = _MomentumFromProgress(self._rank / block_size, momentum)
        self._velocity: Array | None = None
        self.check_every = max(4, -(-A.shape[0] // block_size))

    def advance(self, x: Array, count: int) -> None:
        """See `Steps`."""
        if self._ridge == 0.0:
            return
        if self._velocity is None:
            self._velocity = np.zeros_like(x)
        for _ in range(count):
            rows, F = self._next_block()
            part = self._A[rows]
            gaps = self._b[rows] - part @ x
            w = part.T @ (F @ (F.T @ gaps))
            decay, gain = self._momentum.decay, self._momentum.gain
            self._velocity = decay * (self._velocity + w)
            x += w
            x += gain * self._velocity
            self._momentum.observe(float(gaps @ gaps))

    def _next_block(self) -> tuple[Array, Array]:
        """A fresh block with probability min(1, r log r / (s k)) at step k, else one seen before."""
        self._count += 1
        chance = self._rank * np.log(max(self._rank, 2)) / (self._size * self._count)
        if self._blocks and self._rng.random() >= chance:
            return self._blocks[int(self._rng.integers(len(self._blocks)))]
        rows = np.sort(self._rng.choice(self._A.shape[0], self._size, replace=False))
        block = rows, inverse_gram_factor(self._A[rows], self._ridge)
        self._blocks.append(block)
        return block

    def drop_momentum(self) -> bool:
        """See `Steps`."""
        had = self._momentum.decay > 0.0
        self._momentum = _MomentumFromProgress(self._rank / self._size, 0.0)
        self._velocity = None
        return had


class _MomentumFromProgress:
    """The parameters of the accelerated method, from how fast the sketched residuals fall.

    With rate rho, the velocity decays by (1 - rho) / (1 + rho); its gain is 1 / nu with nu = 2 r / s. rho
    comes from the sums of squared block residuals over two successive windows of about r / s steps, later
    windows weighing more.

    Parameters
    ----------
    blocks : float
        r / s: the blocks that make up the rank.
    fixed : float or None
        Decay to be kept; None: from the progress.
    """

    def __init__(self, blocks: float, fixed: float | None) -> None:
        self.decay = 1.0 if fixed is None else fixed
        self.gain = 0.0 if fixed is None or fixed == 0.0 else 0.5 / blocks
        self._adaptive = fixed is None
        self._nu = 2.0 * blocks
        self._window = max(1, round(blocks + 1))
        self._sums = [0.0, 0.0]
        self._seen = 0
        self._rounds = 1
        self._ratio = 0.0

    def observe(self, squared_gap: float) -> None:
        """Take note of one block's squared residual before its projection."""
        if not self._adaptive:
            return
        self._sums[self._seen // self._window] += squared_gap
        self._seen += 1
        if self._seen < 2 * self._window:
            return
        old, new = self._sums
        now = min(1.0, new / old) if old > 0.0 else 1.0
        c = self._rounds
        keep = float(c ** np.log(c) / (c + 1.0) ** np.log(c + 1.0))
        self._ratio = keep * self._ratio + (1.0 - keep) * now
        rho = 1.0 - self._ratio ** (1.0 / self._window)
        self.decay, self.gain = (1.0 - rho) / (1.0 + rho), 1.0 / self._nu
        self._sums, self._seen, self._rounds = [0.0, 0.0], 0, c + 1


def _mixed(A: Array, b: Array, rng: np.random.Generator) -> tuple[Array, Array]:
    """Rows of (A, b) mixed by an orthogonal transform: random signs, then a cosine transform."""
    signs = rng.integers(0, 2, A.shape[0]).astype(A.dtype) * 2 - 1
    mix = scipy.fft.dct(signs[:, None] * A, axis=0, norm="ortho", overwrite_x=True)
    return np.ascontiguousarray(mix), scipy.fft.dct(signs * b, norm="ortho")


def inverse_gram_factor(block: Any, ridge: float = 0.0) -> Array:
    """F with ``F F' = (C C' + ridge I)^+`` on the range of C, for a block C of s rows.

    From the triangular factor of C', not from the Gram matrix, whose condition is squared: steps
    ``C' F F' r`` then solve the least-norm problem as well as an orthogonal factorisation would.
    """
    if not isinstance(block, np.ndarray):
        used = np.unique(block.indices)
        if used.size == 0:
            return np.zeros((block.shape[0], 0), dtype=block.dtype)
        block = block[:, used].toarray()
    (R,) = scipy.linalg.qr(block.T, mode="r", check_finite=False)
    R = R[: min(R.shape)]
    _, s, Vt = scipy.linalg.svd(R, full_matrices=False, check_finite=False)
    if ridge > 0.0:
        return np.asarray(Vt.T / np.sqrt(s * s + ridge).astype(s.dtype))
    keep = s > max(block.shape) * np.finfo(s.dtype).eps * s.max(initial=0.0)
    return np.asarray(Vt[keep].T / s[keep])
