"""Flexible conjugate gradients with any preconditioner, and with deflation."""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from .deflation import DeflationSpace, KeptDirections
from .eisenstat import RESTARTS
from .matrices import as_square_csr
from .protocol import LinearAnswer, LinearStatus, Preconditioner, Vector
from .run import Run, norm


def preconditioned_cg(
    A: Any,
    b: Vector,
    x0: Vector | None = None,
    preconditioner: Preconditioner | None = None,
    *,
    directions: int = 1,
    deflation: DeflationSpace | None = None,
    kept: KeptDirections | None = None,
    preconditioner_work: float = 1.0,
    rtol: float = 1e-8,
    atol: float = 0.0,
    max_iterations: int = 10_000,
    max_time: float | None = None,
) -> LinearAnswer:
    """Solve A x = b, A symmetric positive definite, by preconditioned conjugate gradients.

    A new direction is the preconditioned residual, made A-orthogonal to the last directions explicitly: the
    preconditioner may change from step to step, as a multigrid cycle or a learned one does, and need not be
    symmetric. With one direction and a fixed symmetric preconditioner these are the usual iterates.

    Parameters
    ----------
    A : sparse array, shape (n, n)
        Matrix; its symmetry is not checked.
    b, x0 : ndarray, shape (n,)
        Right-hand side and start, zero by default.
    preconditioner : callable, optional
        z = M^-1 r in a new array; the residual itself by default.
    directions : int
        Directions to be orthogonal to. Two make up for a preconditioner that is somewhat nonsymmetric, such
        as an incomplete LU.
    deflation : DeflationSpace, optional
        For this A: the method works in the A-orthogonal complement of its columns.
    kept : KeptDirections, optional
        Is given the directions, to find deflation vectors for the next system from.
    preconditioner_work : float
        Of one application, in products with A.
    rtol, atol, max_iterations, max_time
        As in `LinearSolver.solve`.

    Returns
    -------
    LinearAnswer

    Raises
    ------
    TypeError, ValueError
        For arguments of a wrong type or shape.

    Notes
    -----
    Notay, Flexible conjugate gradients, SIAM J. Sci. Comput. 22 (2000); deflation after Saad, Yeung, Erhel
    and Guyomarc'h, A deflated version of the conjugate gradient algorithm, ibid. 21 (2000).
    """
    A = as_square_csr(A)
    if directions < 1:
        raise ValueError(f"directions must be at least 1, got {directions}")
    run = Run(A.__matmul__, A.shape[0], A.nnz, b, x0, rtol, atol, max_iterations, max_time)
    if not np.isfinite(A.data).all():
        return run.failed(LinearStatus.NONFINITE)
    settled = run.settled()
    if settled is not None:
        return settled
    run.work += deflation.work if deflation is not None else 0.0
    method = _FlexibleCG(run, A, preconditioner, preconditioner_work, directions, deflation, kept)
    return method.answer()


class _FlexibleCG:
    """One solve."""

    def __init__(
        self,
        run: Run,
        A: Any,
        preconditioner: Preconditioner | None,
        preconditioner_work: float,
        directions: int,
        deflation: DeflationSpace | None,
        kept: KeptDirections | None,
    ) -> None:
        self._run, self._A, self._preconditioner = run, A, preconditioner
        self._work = 1.0 + (0.0 if preconditioner is None else preconditioner_work)
        self._deflation, self._kept = deflation, kept
        self._last: deque[tuple[Vector, Vector, float]] = deque(maxlen=directions)

    def answer(self) -> LinearAnswer:
        """Run from true residuals until one is within the tolerance."""
        run = self._run
        x, residual = run.x0.copy(), np.inf
        start, r = x.copy(), run.r0.copy()
        if self._deflation is not None:
            self._deflation.correct(start, r)
        for _ in range(RESTARTS):
            trial, status = self._iterate(start, r)
            r = run.residual(trial)
            before, now = residual, norm(r)
            if not now < before:
                break
            x, residual = trial, now
            if now <= run.target or now > 0.5 * before or status is not LinearStatus.CONVERGED:
                break
            start = x.copy()
        return run.answer(x, status, residual if residual < np.inf else run.history[0])

    def _iterate(self, x: Vector, r: Vector) -> tuple[Vector, LinearStatus]:
        """Until the residual by recurrence is small enough; changes x and r in place."""
        from .vector_kernels import dot

        run = self._run
        self._last.clear()
        norm2 = dot(r, r)
        try:
            while norm2 > run.target * run.target:
                status = run.limit()
                if status is not None:
                    return x, status
                direction = self._direction(r)
                product = self._A @ direction
                run.work += self._work
                curvature, slope = dot(direction, product), dot(r, direction)
                if not (np.isfinite(curvature) and np.isfinite(slope)):
                    return x, LinearStatus.DIVERGED
                if curvature <= 0.0 or slope <= 0.0:
                    return x, LinearStatus.INDEFINITE
                norm2 = self._step(x, r, direction, product, slope, curvature)
        except KeyboardInterrupt:
            return x, LinearStatus.INTERRUPTED
        return x, LinearStatus.CONVERGED

    def _step(
        self, x: Vector, r: Vector, direction: Vector, product: Vector, slope: float, curvature: float
    ) -> float:
        """To the minimum along the direction, which is kept; the new r'r."""
        from .vector_kernels import advance

        norm2 = float(advance(slope / curvature, direction, product, x, r))
        self._run.history.append(float(np.sqrt(norm2)))
        self._last.append((direction, product, curvature))
        if self._kept is not None:
            self._kept.offer(direction, product, curvature)
        return norm2

    def _direction(self, r: Vector) -> Vector:
        """The preconditioned residual, A-orthogonal to the last directions and to the deflated space."""
        from .vector_kernels import add, dot

        z = r if self._preconditioner is None else self._preconditioner(r)
        z = r.copy() if z is r else np.require(z, np.float64, ["C", "W"])
        if self._deflation is not None:
            self._deflation.project(z)
        for direction, product, curvature in self._last:
            add(-dot(z, product) / curvature, direction, z)
        return z
