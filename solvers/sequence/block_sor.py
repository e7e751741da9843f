"""Block SOR: over-relaxation that solves small diagonal blocks exactly, for systems of equations."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scipy.sparse import bsr_array

from .matrices import as_square_csr, positive
from .protocol import LinearAnswer, LinearStatus, Setup
from .relaxation import RelaxationSolver, check_sweeps
from .run import Run
from .sor import NaturalSweeps, Sweep, iterate


class BlockSOR(RelaxationSolver):
    """Successive over-relaxation by blocks: x += M^-1 r, M = D/omega + L with D the block diagonal.

    For matrices whose unknowns come in groups of one size, such as the displacements of a node. It converges
    for symmetric positive definite A and 0 < omega < 2, and the coupling within a block costs no iterations.

    Parameters
    ----------
    block_size : int
        Unknowns of a block; they are consecutive. Up to about ten: blocks are stored densely.
    omega : float
        Relaxation parameter in (0, 2); `solve` can be given another.
    sweep : {"forward", "backward", "symmetric"}
        Order of the blocks.

    Raises
    ------
    ValueError
        For an option that is none of these; by `setup`, for an order that is no multiple of `block_size`.

    Notes
    -----
    Diagonal blocks are factorised once, by LU with partial pivoting. Saad, Iterative Methods for Sparse
    Linear Systems, 2nd edition, section 4.1.1.
    """

    name = "block-sor"

    def __init__(self, block_size: int, omega: float = 1.0, sweep: Sweep = "forward") -> None:
        if block_size != int(block_size) or block_size < 1:
            raise ValueError(f"block_size must be a positive integer, got {block_size!r}")
        check_sweeps(sweep)
        self.block_size, self.omega, self.sweep = int(block_size), positive("omega", omega, 2.0), sweep
        self._A: Any = None
        self._arrays: tuple[Any, ...] = ()
        self._failure: LinearStatus | None = None

    def setup(self, A: Any) -> Setup:
        """Gather the blocks of A and factorise those of the diagonal; see `LinearSolver.setup`."""
        from .block_sor_kernels import factor_diagonal_blocks

        started = time.perf_counter()
        matrix = as_square_csr(A)
        k = self.block_size
        if matrix.shape[0] % k:
            raise ValueError(f"A's order must be a multiple of block_size={k}, got {matrix.shape[0]}")
        self._A = matrix
        self._failure = None if np.isfinite(matrix.data).all() else LinearStatus.NONFINITE
        if self._failure is None:
            blocks = bsr_array(matrix, blocksize=(k, k))
            blocks.sort_indices()
            arrays = blocks.indptr, blocks.indices, blocks.data
            factors, pivots, singular = factor_diagonal_blocks(*arrays)
            self._arrays = (*arrays, factors, pivots)
            if singular >= 0:
                self._failure = LinearStatus.ZERO_DIAGONAL
        return Setup(self._failure, 3.0, time.perf_counter() - started)

    def update(self, A: Any) -> Setup:
        """The same as `setup`: there is nothing to keep."""
        return self.setup(A)

    def _iterate(self, run: Run, omega: float) -> LinearAnswer:
        from .block_sor_kernels import block_sor_iterations

        sweeps = NaturalSweeps(block_sor_iterations, self._arrays, self.sweep, omega, run.b, run.x0)
        return iterate(run, sweeps, omega, 2.0 if self.sweep == "symmetric" else 1.0)
