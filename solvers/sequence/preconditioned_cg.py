"""Conjugate gradients with any preconditioner, and refinement with an exact one."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .protocol import LinearAnswer, LinearStatus
from .run import Run, norm
from .sequence_preconditioners import Preconditioner

Vector = NDArray[np.float64]

RESTARTS = 4
"""Most times that the iteration goes on from a true residual that is not small enough yet."""


def preconditioned_cg(A: Any, b: Vector, x0: Vector, M: Preconditioner, **limits: Any) -> LinearAnswer:
    """Flexible conjugate gradients: Polak and Ribiere's beta forgives a preconditioner that varies a little.

    Parameters
    ----------
    A : csr_array, shape (n, n)
        Symmetric positive definite.
    b, x0 : ndarray, shape (n,)
        Right-hand side and start.
    M : Preconditioner
        Symmetric positive definite.
    **limits
        Tolerances and limits, all of them, as `LinearSolver.solve` takes them.

    References
    ----------
    Golub & Ye, SIAM J. Sci. Comput. 21 (1999) 1305-1320.
    """
    run = Run(A.__matmul__, A.shape[0], A.nnz, b, x0, **limits)
    answer = run.settled()
    if answer is not None:
        return answer
    x, status = run.x0.copy(), LinearStatus.STALLED
    try:
        with np.errstate(all="ignore"):
            for _ in range(RESTARTS):
                residual = run.residual(x) if run.iterations else run.r0.copy()
                run.history[-1] = norm(residual)
                status = _directions(run, x, residual, A, M)
                if status is not LinearStatus.CONVERGED or norm(run.residual(x)) <= run.target:
                    break
    except KeyboardInterrupt:
        status = LinearStatus.INTERRUPTED
    return run.answer(x, status) if np.isfinite(x).all() else run.failed(LinearStatus.DIVERGED)


def _directions(run: Run, x: Vector, r: Vector, A: Any, M: Preconditioner) -> LinearStatus:
    """Iterate on x and r, in place, until the residual by recurrence is small enough; why it ended."""
    p, delta = np.zeros_like(r), 0.0
    old = r
    while (limit := run.limit() or run.stagnation()) is None:
        z = M(r)
        run.work += M.work
        new_delta = float(r @ z)
        if not np.isfinite(new_delta):
            return LinearStatus.DIVERGED
        if new_delta <= 0.0:
            return LinearStatus.INDEFINITE
        beta = (new_delta - float(old @ z)) / delta if delta > 0.0 else 0.0
        p = z + max(beta, 0.0) * p
        q = A @ p
        run.work += 1.0
        curvature = float(p @ q)
        if not curvature > 0.0:
            return LinearStatus.INDEFINITE
        alpha = float(p @ r) / curvature
        x += alpha * p
        old, delta = r, new_delta
        r = r - alpha * q
        run.history.append(norm(r))
        if run.history[-1] <= run.target:
            return LinearStatus.CONVERGED
    return limit


def refine(A: Any, b: Vector, x0: Vector, M: Preconditioner, **limits: Any) -> LinearAnswer:
    """Add M(b - A x) to x until the residual is small enough or falls by less than half: for exact factors.

    Parameters and errors are those of `preconditioned_cg`; A need not be positive definite.
    """
    run = Run(A.__matmul__, A.shape[0], A.nnz, b, x0, **limits)
    answer = run.settled()
    if answer is not None:
        return answer
    x, r, status = run.x0.copy(), run.r0, LinearStatus.STALLED
    with np.errstate(all="ignore"):
        while run.limit() is None:
            trial = x + M(r)
            run.work += M.work
            residual = run.residual(trial)
            size = norm(residual)
            before = run.history[-1]
            run.history.append(size if size < before else before)
            if size < before:
                x, r = trial, residual
            if size <= run.target:
                status = LinearStatus.CONVERGED
                break
            if not size < 0.5 * before:
                break
        else:
            status = run.limit() or status
    return run.answer(x, status)
