"""SOR in multicolour order: rows of one colour have no entries in each other, so threads can share them."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

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


class ColouredSweeper:
    """A permuted by colours, colour after colour, and its sweeps.

    Parameters
    ----------
    A : csr_array, shape (n, n)
        Canonical, with a nonzero diagonal.
    workers : int
        Threads, the caller's among them. They share the blocks of a colour; answers do not depend on them.
    """

    def __init__(self, A: Any, workers: int = 1) -> None:
        from .splitting_kernels import split_off_diagonal

        colours = greedy_colouring(A)
        self.order: IndexVector = np.argsort(colours, kind="stable")
        permuted = csr_array(A[self.order][:, self.order])
        permuted.sort_indices()
        parts = split_off_diagonal(permuted.indptr, permuted.indices, permuted.data)
        self._diagonal, indptr, middle, self._indices, self._data = parts
        lower, upper = (indptr[:-1], middle), (middle, indptr[1:])
        self._ranges = {"forward": (*lower, *upper), "backward": (*upper, *lower)}
        self.colours = int(colours.max()) + 1
        self._blocks = _blocks(np.bincount(colours))
        self._workers = workers
        self._pool = ThreadPoolExecutor(workers - 1) if workers > 1 else None

    def enter(self, v: Vector) -> Vector:
        """A vector in the order of the sweeps, in a new array."""
        return v[self.order]

    def leave(self, v: Vector) -> Vector:
        """Back from it."""
        natural = np.empty_like(v)
        natural[self.order] = v
        return natural

    def iterations(
        self,
        direction: str,
        omega: float,
        b: Vector,
        pair: tuple[Vector, Vector],
        limits: tuple[float, float],
        norms: Vector,
    ) -> tuple[int, bool]:
        """As `sor_kernels.sor_iterations`."""
        old, new = pair
        first = "backward" if direction == "backward" else "forward"
        for k in range(norms.size):
            norms[k] = self._sweep(first, omega, b, old, new)
            if direction == "symmetric":
                self._sweep("backward", omega, b, new, new)
            if not limits[0] < norms[k] < limits[1]:
                return k + 1, True
            old, new = new, old
        return norms.size, False

    def _sweep(self, direction: str, omega: float, b: Vector, old: Vector, new: Vector) -> float:
        """One sweep from `old` to `new`; ||b - A old||^2, summed in the order of the rows."""
        from .sor_kernels import block_sweeps

        matrix = (self._diagonal, *self._ranges[direction], self._indices, self._data)
        norms = [np.empty(len(blocks)) for blocks in self._blocks]
        colours = range(self.colours)
        for colour in colours if direction == "forward" else reversed(colours):
            shares = zip(
                np.array_split(self._blocks[colour], self._workers),
                np.array_split(norms[colour], self._workers),
                strict=True,
            )
            tasks = [(blocks, omega, *matrix, b, old, new, part) for blocks, part in shares if len(blocks)]
            helpers = (
                [self._pool.submit(_call, block_sweeps, task) for task in tasks[1:]] if self._pool else []
            )
            try:
                block_sweeps(*tasks[0])
            finally:  # nobody writes any longer, even where the keyboard interrupts
                wait(helpers)
        return float(np.concatenate(norms).sum())


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
