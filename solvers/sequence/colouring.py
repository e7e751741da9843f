"""SOR in multicolour order: rows of one colour have no entries in each other, so threads can share them."""

from __future__ import annotations

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
    from .sor_kernels import greedy_colours

    # Ones, so that no entry cancels; absolute values would keep NaN but lose stored zeros.
    pattern = csr_array((np.ones(A.nnz), A.indices, A.indptr), shape=A.shape)
    both = csr_array(pattern + pattern.T)
    return np.asarray(greedy_colours(both.indptr, both.indices))


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
    blocks : list of ndarray of int64, shape (., 2)
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


class ColouredSweeps:
    """Sweeps over colours one after another, each shared by threads; see `sor.SweepSequence`.

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
        self._matrix, self._omega, self._direction = matrix, omega, direction
        self._b, self._old = b[matrix.order], x0[matrix.order]
        self._new = np.zeros(b.size)
        self._pool = _pool(workers)
        self._workers = workers
        self._two = len(matrix.blocks) == 2 and direction != "symmetric"
        self._last_norm2: float | None = None

    @property
    def x(self) -> Vector:
        """The newest iterate, in A's own order."""
        return self._matrix.natural(self._old)

    def advance(self, target: float, most: float, norms: Vector) -> tuple[int, bool]:
        """See `sor.SweepSequence`."""
        for k in range(norms.size):
            norms[k] = self._two_colour_sweep() if self._two else self._sweep()
            if not target**2 < norms[k] < most**2:
                return k + 1, True
            self._old, self._new = self._new, self._old
        return norms.size, False

    def _sweep(self) -> float:
        """From `old` to `new`; ||b - A old||^2."""
        colours = list(enumerate(self._matrix.blocks))
        backward = self._direction == "backward"
        norms = [self._colour(blocks, backward, self._old) for _, blocks in colours[:: -1 if backward else 1]]
        if self._direction == "symmetric":
            for _, blocks in reversed(colours):
                self._colour(blocks, True, self._new)
        return float(np.concatenate(norms).sum())

    def _colour(self, blocks: IndexVector, backward: bool, old: Vector) -> Vector:
        from .sor_kernels import block_sweeps

        matrix = self._matrix
        lower, upper = (matrix.indptr[:-1], matrix.middle), (matrix.middle, matrix.indptr[1:])
        ranges = (*upper, *lower) if backward else (*lower, *upper)
        arguments = (
            self._omega,
            matrix.diagonal,
            *ranges,
            matrix.indices,
            matrix.data,
            self._b,
            old,
            self._new,
        )
        return self._shared(block_sweeps, blocks, arguments)

    def _two_colour_sweep(self) -> float:
        """The same with one gather an entry.

        The first colour sees the residual r of x_k before its update in sweep k + 1. The other colour saw r'
        before its update in sweep k, and since nothing has changed after that, r = (1 - omega) r' there.
        """
        from .sor_kernels import two_colour_blocks

        matrix, omega = self._matrix, self._omega
        first, last = self._matrix.blocks[:: -1 if self._direction == "backward" else 1]
        constant = omega, matrix.diagonal, matrix.indptr, matrix.indices, matrix.data, self._b
        if self._last_norm2 is None:  # a step of length 0
            idle = (0.0, *constant[1:], self._old, self._old, self._new)
            self._last_norm2 = float(self._shared(two_colour_blocks, last, idle).sum())
        norm2 = self._last_norm2
        seen = self._shared(two_colour_blocks, first, (*constant, self._old, self._old, self._new))
        norm2 += float(seen.sum())
        seen = self._shared(two_colour_blocks, last, (*constant, self._old, self._new, self._new))
        self._last_norm2 = (1.0 - omega) ** 2 * float(seen.sum())
        return norm2

    def _shared(self, kernel: Callable[..., None], blocks: IndexVector, arguments: tuple[Any, ...]) -> Vector:
        """The kernel over the blocks, by all workers; what it gives for each block."""
        norms = np.empty(len(blocks))
        if self._pool is None or len(blocks) == 1:
            kernel(blocks, *arguments, norms)
            return norms
        cuts = np.linspace(0, len(blocks), self._workers + 1).astype(int)
        tasks = [(blocks[i:j], *arguments, norms[i:j]) for i, j in pairwise(cuts.tolist()) if i < j]
        helpers = [self._pool.submit(_call, kernel, task) for task in tasks[1:]]
        try:
            kernel(*tasks[0])
        finally:  # nobody writes any longer, even where the keyboard interrupts
            wait(helpers)
        return norms


@lru_cache(maxsize=4)
def _pool(workers: int) -> ThreadPoolExecutor | None:
    """Helpers beside the calling thread; threads are started when first needed and kept."""
    return ThreadPoolExecutor(workers - 1, thread_name_prefix="karush-sor") if workers > 1 else None


def _call(function: Callable[..., None], arguments: tuple[Any, ...]) -> None:
    function(*arguments)


def _blocks(sizes: IndexVector) -> list[NDArray[np.int64]]:
    """Ranges of at most BLOCK_ROWS rows, colour by colour."""
    stops = np.cumsum(sizes)
    blocks = []
    for start, stop in zip(stops - sizes, stops, strict=True):
        edges = np.append(np.arange(start, stop, BLOCK_ROWS), stop)
        blocks.append(np.column_stack([edges[:-1], edges[1:]]))
    return blocks
