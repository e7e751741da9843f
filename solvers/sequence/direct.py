"""Sparse direct solution, whose later factorisations of a pattern are numeric only."""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import splu

from .matrices import same_pattern
from .preconditioned import Built, PreconditionedSolver
from .protocol import LinearAnswer, LinearStatus, Vector
from .run import Run, norm

REFINEMENTS = 5
"""Most corrections by the factorisation of the very matrix; two are needed where it is badly conditioned."""

SYMMETRIC = 1e-14
"""Largest asymmetry, relative to the largest entry, that is rounding."""


class Direct(PreconditionedSolver):
    """A sparse direct solver with iterative refinement.

    Symmetric matrices, definite or not, are factorised by feral (multifrontal LDL'), which keeps its symbolic
    analysis while the pattern stays the same; others by SuperLU, anew each time. After `update` the old
    factorisation is the preconditioner of conjugate gradients.
    """

    name = "direct"

    def __init__(self) -> None:
        super().__init__()
        self._fresh = False
        self._symmetric: _SymmetricFactor | None = None

    def _build(self, A: Any) -> Built | None:
        self._fresh = True
        if _is_symmetric(A):
            if self._symmetric is None or not self._symmetric.fits(A):
                self._symmetric = _SymmetricFactor(A)
            return self._symmetric.factorised(A)
        factor = splu(csc_array(A))
        fill = (factor.L.nnz + factor.U.nnz) / A.nnz
        return Built(factor.solve, 2.5 * fill**2 * A.nnz / A.shape[0], 2.0 * fill)

    def update(self, A: Any) -> Any:
        """See `PreconditionedSolver.update`."""
        self._fresh = False
        return super().update(A)

    def solve(
        self,
        b: Vector,
        x0: Vector | None = None,
        *,
        rtol: float = 1e-8,
        atol: float = 0.0,
        max_iterations: int = 10_000,
        max_time: float | None = None,
    ) -> LinearAnswer:
        """Solve; see `LinearSolver.solve`. Iterations are those of the refinement."""
        if not self._fresh or self._built is None:
            return super().solve(
                b, x0, rtol=rtol, atol=atol, max_iterations=max_iterations, max_time=max_time
            )
        A = self._A
        run = Run(A.__matmul__, A.shape[0], A.nnz, b, x0, rtol, atol, max_iterations, max_time)
        return run.settled() or self._refine(run, self._built)

    def _refine(self, run: Run, built: Built) -> LinearAnswer:
        """Corrections until the residual is small enough or falls no further."""
        x, r, residual = run.x0.copy(), run.r0, run.history[0]
        status = LinearStatus.STALLED
        try:
            for _ in range(REFINEMENTS):
                limit = run.limit()
                if limit is not None:
                    status = limit
                    break
                run.work += built.work
                with np.errstate(all="ignore"):
                    trial = x + built.apply(r)
                    r = run.residual(trial)
                before, now = residual, norm(r)
                if not now < before:
                    break
                x, residual = trial, now
                run.history.append(now)
                if now <= run.target:
                    status = LinearStatus.CONVERGED
                    break
        except KeyboardInterrupt:
            status = LinearStatus.INTERRUPTED
        return run.answer(x, status, residual)


def _is_symmetric(A: Any) -> bool:
    difference = abs(A - A.T)
    return bool(difference.nnz == 0 or difference.max() <= SYMMETRIC * np.abs(A.data).max())


class _SymmetricFactor:
    """LDL' for matrices of one pattern."""

    def __init__(self, A: Any) -> None:
        self._pattern = A
        n = A.shape[0]
        rows = np.repeat(np.arange(n), np.diff(A.indptr))
        # Row i of the upper triangle is column i of the lower one.
        self._upper: NDArray[np.int64] = np.flatnonzero(A.indices >= rows)
        self._indptr = np.zeros(n + 1, dtype=np.int64)
        np.cumsum(np.bincount(rows[self._upper], minlength=n), out=self._indptr[1:])
        self._rows = A.indices[self._upper].astype(np.int64)
        self._values: Vector = A.data[self._upper]
        self._version = 0
        # feral's objects are bound to the thread that made them: another one factorises for itself.
        self._own = threading.local()

    def fits(self, A: csr_array) -> bool:
        """Whether A has this pattern."""
        return same_pattern(A, self._pattern) or (
            A.shape == self._pattern.shape
            and np.array_equal(A.indptr, self._pattern.indptr)
            and np.array_equal(A.indices, self._pattern.indices)
        )

    def factorised(self, A: csr_array) -> Built | None:
        """The factorisation of A; None where it breaks down."""
        self._values = A.data[self._upper]
        self._version += 1
        factor = self._factor_of_this_thread()
        if factor is None:
            return None
        fill = float(factor.factor_nnz or A.nnz) / A.nnz
        return Built(self._apply, 2.5 * fill**2 * A.nnz / A.shape[0], 4.0 * fill)

    def _factor_of_this_thread(self) -> Any:
        """Feral's solver with the newest values factorised; None where that breaks down."""
        import feral

        own = self._own
        if getattr(own, "version", None) == self._version:
            return own.solver
        if not hasattr(own, "solver"):
            own.matrix = feral.CscMatrix(self._indptr.size - 1, self._indptr, self._rows, self._values)
            # Serial: on two cores its threads gain nothing, and lose much where the cores are busy.
            own.solver = feral.Solver(parallel=False)
            own.analysed = False
        own.version = None
        own.matrix.set_values(self._values)
        factorise = own.solver.refactor if own.analysed else own.solver.factor
        own.analysed = False
        if factorise(own.matrix)[0] != feral.FactorStatus.SUCCESS:
            return None
        own.version, own.analysed = self._version, True
        return own.solver

    def _apply(self, r: Vector) -> Vector:
        import feral

        try:
            factor = self._factor_of_this_thread()
            return np.full(r.size, np.nan) if factor is None else np.asarray(factor.solve(r))
        except feral.FeralError:
            return np.full(r.size, np.nan)
