"""SOR in multicolour order: rows of one colour have no entries in each other, so threads can share them."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from functools import lru_cache
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .matrices import unsigned
from .protocol import Vector

IndexVector = NDArray[np.int64]
Ranges = NDArray[np.uint64]

BLOCK_ROWS = 8192
"""Rows whose part of the residual's norm is summed in one go, and that one thread sweeps."""


def greedy_colouring(A: Any) -> IndexVector:
    """A colour for each row of A, different from those of the rows that it shares an entry with.

    Parameters
    ----------
    A : csr_array, shape (n, n)
        Its pattern counts, and that of its transpose.

    Returns
    -------
    colours : ndarray of int64, shape (n,)
        The smallest colour that is free, row by row: 0 and 1 for a five-point stencil in natural order, and
        at most one more than the largest number of entries in a row of A + A'.
    """
    from ..colouring_kernels import greedy_colours

    # Ones, so that no entry cancels; absolute values would keep NaN but lose stored zeros.
    pattern = csr_array((np.ones(A.nnz), A.indices, A.indptr), shape=A.shape)
    both = csr_array(pattern + pattern.T)
    graph = both.indptr.astype(np.int64), both.indices.astype(np.int64)
    return np.asarray(greedy_colours(*graph, np.arange(A.shape[0])))


class ColouredMatrix:
    """A permuted by a colouring, colour after colour, and split.

    Parameters
    ----------
    A : csr_array, shape (n, n)
        Canonical, with a nonzero diagonal.

    Attributes
    ----------
    order : ndarray of int64, shape (n,)
        Row k of the permuted matrix is row order[k] of A.
    blocks : list of ndarray of uint64, shape (., 2)
        By colour, ranges of rows.
    """

    def __init__(self, A: Any) -> None:
        from .splitting_kernels import split_off_diagonal

        colours = greedy_colouring(A)
        self.order: IndexVector = np.argsort(colours, kind="stable")
        permuted = csr_array(A[self.order][:, self.order])
        permuted.sort_indices()
        parts = split_off_diagonal(permuted.indptr, permuted.indices, permuted.data, unsigned(A.nnz))
        self.diagonal, self.indptr, self.middle, self.indices, self.data = parts
        self.blocks = _blocks(np.bincount(colours))

    def natural(self, v: Vector) -> Vector:
        """A vector in A's own order."""
        back = np.empty_like(v)
        back[self.order] = v
        return back


class SweepPair(ABC):
    """Sweeps from one array to another, which change places; see `sor.SweepSequence`."""

    def __init__(self, x0: Vector) -> None:
        self.old, self.new = x0, np.zeros_like(x0)

    @abstractmethod
    def sweep(self) -> float:
        """From `old` to `new`; ||b - A old||^2."""

    def advance(self, target: float, most: float, norms: Vector) -> tuple[int, bool]:
        """See `sor.SweepSequence`."""
        for k in range(norms.size):
            norms[k] = self.sweep()
            if not target * target < norms[k] < most * most:
                return k + 1, True
            self.old, self.new = self.new, self.old
        return norms.size, False


class ColouredSweeps(SweepPair):
    """Sweeps over any number of colours one after another, each shared by threads.

    Parameters
    ----------
    matrix : ColouredMatrix
        The permuted matrix.
    direction : {"forward", "backward", "symmetric"}
        Order of the colours.
    omega : float
        Relaxation parameter.
    b, x0 : ndarray, shape (n,)
        Right-hand side and start, in A's own order.
    workers : int
        Threads, the caller's among them. They share the blocks of a colour; answers do not depend on them.
    """

    def __init__(
        self, matrix: ColouredMatrix, direction: str, omega: float, b: Vector, x0: Vector, workers: int
    ) -> None:
        super().__init__(x0[matrix.order])
        self._matrix, self._direction, self._workers = matrix, direction, workers
        self._constant = matrix.indices, matrix.data, b[matrix.order]
        self._omega = omega

    @property
    def x(self) -> Vector:
        """The newest iterate, in A's own order."""
        return self._matrix.natural(self.old)

    def sweep(self) -> float:
        """See `SweepPair.sweep`."""
        backward = self._direction == "backward"
        colours = self._matrix.blocks
        norms = [self._colour(blocks, backward, self.old) for blocks in colours[:: -1 if backward else 1]]
        if self._direction == "symmetric":
            for blocks in reversed(colours):
                self._colour(blocks, True, self.new)
        return float(np.concatenate(norms).sum())

    def _colour(self, blocks: Ranges, backward: bool, old: Vector) -> Vector:
        from .sor_kernels import block_sweeps

        matrix = self._matrix
        lower, upper = (matrix.indptr[:-1], matrix.middle), (matrix.middle, matrix.indptr[1:])
        ranges = (*upper, *lower) if backward else (*lower, *upper)
        arguments = (self._omega, matrix.diagonal, *ranges, *self._constant, old, self.new)
        return shared(self._workers, block_sweeps, blocks, arguments)


Update = Callable[[int, float, Vector, Vector, Vector], float]
"""``update(colour, omega, old, others, new)``: new = old + omega D^-1 r for one of two colours, the values of
the other one from `others`; the sum of squares of r = b - A x over the colour."""


class TwoColourSweeps(SweepPair):
    """Sweeps over two colours, in either order, whose residual norm costs nothing.

    Parameters
    ----------
    update : callable
        See `Update`.
    first : int
        The colour that comes first, 0 or 1.
    omega : float
        Relaxation parameter.
    x0 : ndarray
        Start, as `update` takes it; it is changed.
    leave : callable
        From that form to a vector in A's own order.
    """

    def __init__(
        self, update: Update, first: int, omega: float, x0: Vector, leave: Callable[[Vector], Vector]
    ) -> None:
        super().__init__(x0)
        self._update, self._first, self._omega, self._leave = update, first, omega, leave
        self._last_norm2: float | None = None

    @property
    def x(self) -> Vector:
        """The newest iterate, in A's own order."""
        return self._leave(self.old)

    def sweep(self) -> float:
        """See `SweepPair.sweep`.

        The first colour sees the residual r of x_k before its update in sweep k + 1. The other colour saw r'
        before its update in sweep k, and since nothing has changed after that, r = (1 - omega) r' there.
        """
        first, last = self._first, 1 - self._first
        if self._last_norm2 is None:  # a step of length 0
            self._last_norm2 = self._update(last, 0.0, self.old, self.old, self.new)
        norm2 = self._last_norm2 + self._update(first, self._omega, self.old, self.old, self.new)
        seen = self._update(last, self._omega, self.old, self.new, self.new)
        self._last_norm2 = (1.0 - self._omega) ** 2 * seen
        return norm2


def coloured_sweeps(
    matrix: ColouredMatrix, direction: str, omega: float, b: Vector, x0: Vector, workers: int
) -> ColouredSweeps | TwoColourSweeps:
    """The cheapest sweeps there are; parameters as in `ColouredSweeps`."""
    if len(matrix.blocks) != 2 or direction == "symmetric":
        return ColouredSweeps(matrix, direction, omega, b, x0, workers)
    from .sor_kernels import two_colour_blocks

    constant = matrix.diagonal, matrix.indptr, matrix.indices, matrix.data, b[matrix.order]

    def update(colour: int, step: float, old: Vector, others: Vector, new: Vector) -> float:
        arguments = (step, *constant, old, others, new)
        return float(shared(workers, two_colour_blocks, matrix.blocks[colour], arguments).sum())

    first = 1 if direction == "backward" else 0
    return TwoColourSweeps(update, first, omega, x0[matrix.order], matrix.natural)


def shared(workers: int, kernel: Callable[..., None], ranges: Ranges, arguments: tuple[Any, ...]) -> Vector:
    """``kernel(some of the ranges, *arguments, norms)`` by all workers; one number for each range."""
    norms = np.empty(len(ranges))
    pool = _pool(workers, os.getpid())  # a forked child has none of its parent's threads
    if pool is None or len(ranges) == 1:
        kernel(ranges, *arguments, norms)
        return norms
    cuts = np.linspace(0, len(ranges), workers + 1).astype(int)
    tasks = [(ranges[i:j], *arguments, norms[i:j]) for i, j in pairwise(cuts.tolist()) if i < j]
    helpers = [pool.submit(_call, kernel, task) for task in tasks[1:]]
    try:
        kernel(*tasks[0])
    finally:  # nobody writes any longer, even where the keyboard interrupts
        wait(helpers)
    return norms


@lru_cache(maxsize=4)
def _pool(workers: int, process: int) -> ThreadPoolExecutor | None:
    """Helpers beside the calling thread; threads are started when first needed and kept."""
    return ThreadPoolExecutor(workers - 1, thread_name_prefix="karush-sor") if workers > 1 else None


def _call(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    function(*arguments)


def _blocks(sizes: IndexVector) -> list[Ranges]:
    """Ranges of at most BLOCK_ROWS rows, colour by colour; unsigned, as all that the kernels index with."""
    stops = np.cumsum(sizes)
    blocks = []
    for start, stop in zip(stops - sizes, stops, strict=True):
        edges = np.append(np.arange(start, stop, BLOCK_ROWS), stop)
        blocks.append(np.column_stack([edges[:-1], edges[1:]]).astype(np.uint64))
    return blocks
