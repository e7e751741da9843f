"""Conjugate gradients preconditioned by SSOR, at about one product with A an iteration."""

from __future__ import annotations

import time
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .matrices import as_square_csr, positive, same_pattern, unsigned
from .protocol import LinearAnswer, LinearStatus, Setup, Vector
from .relaxation import RelaxationSolver
from .run import Run, norm

RESTARTS = 8
"""Most times that the iteration goes on from a true residual; each must halve it."""

EXHAUSTED = 1e-15
"""Fall of the preconditioned residual after which the recurrence has no digits left."""


class _ScaledSplit:
    """D^(-1/2) A D^(-1/2) = L + I + L', for matrices of one pattern.

    Attributes
    ----------
    diagonal, scale, sub : ndarray, shape (n,)
        D, the entries of D^(-1/2), and the first subdiagonal of L.
    lower, upper : tuple of ndarray
        The rest of L and L' by rows: indptr, indices, data.
    """

    def __init__(self, A: Any) -> None:
        from .splitting_kernels import triangle_patterns

        self._pattern = A
        self._diagonal_at, lower, upper = triangle_patterns(A.indptr, A.indices, unsigned(A.nnz))
        self.diagonal, self.scale, self.sub = (np.empty(A.shape[0]) for _ in range(3))
        self.lower = (*lower, np.empty(lower[1].size))
        self.upper = (*upper, np.empty(upper[1].size))

    def fits(self, A: Any) -> bool:
        """Whether A has the very arrays of the pattern."""
        return isinstance(A, csr_array) and A.dtype == np.float64 and same_pattern(A, self._pattern)

    def load(self, A: Any) -> LinearStatus | None:
        """Put A's values into place; what is wrong with them."""
        from .splitting_kernels import load_scaled

        code = load_scaled(
            A.indptr,
            A.indices,
            A.data,
            self._diagonal_at,
            self.diagonal,
            self.scale,
            self.sub,
            self.lower[2],
            self.upper[2],
        )
        failures = (None, LinearStatus.NONFINITE, LinearStatus.ZERO_DIAGONAL, LinearStatus.INDEFINITE)
        return failures[code]


class EisenstatCG(RelaxationSolver):
    """Conjugate gradients with the SSOR preconditioner, in Eisenstat's form.

    M = (D/omega + L)(D/omega)^-1(D/omega + L') on A = L + D + L', symmetric positive definite; the factor
    1/(2 - omega) of SSOR changes no iterate. The matrix is scaled to a unit diagonal first. The iterates are
    those of the plain preconditioned method at half its price.

    When the residual kept by recurrence is small enough, the true one is computed; where the two have drifted
    apart, the method starts again from the latter.

    Parameters
    ----------
    omega : float
        Relaxation parameter in (0, 2); `solve` can be given another, at no cost. 1 is a safe choice, the best
        is often between 1.5 and 1.95.

    Raises
    ------
    ValueError
        For omega outside (0, 2).

    Notes
    -----
    Natural order and one thread: a red-black ordering makes the kernels parallel and takes from SSOR most of
    what it gains as a preconditioner. Eisenstat, Efficient implementation of a class of preconditioned
    conjugate gradient methods, SIAM J. Sci. Stat. Comput. 2 (1981); A's symmetry is not checked.
    """

    name = "ssor-cg"

    def __init__(self, omega: float = 1.0) -> None:
        self.omega = positive("omega", omega, 2.0)
        self._A: Any = None
        self._failure: LinearStatus | None = None
        self._split: _ScaledSplit | None = None

    def setup(self, A: Any) -> Setup:
        """Scale and split A; see `LinearSolver.setup`."""
        started = time.perf_counter()
        if self._split is None or not self._split.fits(A):
            A = as_square_csr(A)
            self._split = _ScaledSplit(A)
        self._A = A
        self._failure = self._split.load(A)
        return Setup(self._failure, 2.0, time.perf_counter() - started)

    def update(self, A: Any) -> Setup:
        """The same as `setup`, which keeps what belongs to the pattern where matrices share its arrays."""
        return self.setup(A)

    def _iterate(self, run: Run, omega: float) -> LinearAnswer:
        """Run CG from true residuals until one is within the tolerance."""
        x, r, residual = run.x0.copy(), run.r0, run.history[0]
        for _ in range(RESTARTS):
            correction, status = self._correct(run, r, omega)
            trial = x + correction
            r = run.residual(trial)
            before, now = residual, norm(r)
            if not now < before:
                break
            x, residual = trial, now
            run.history[-1] = now
            if now <= run.target or now > 0.5 * before or status is not LinearStatus.CONVERGED:
                break
        return run.answer(x, status, residual)

    def _correct(self, run: Run, r: Vector, omega: float) -> tuple[Vector, LinearStatus]:
        """CG on A y = r from y = 0, until the recurrence says that r is small enough; y, and why it ended."""
        from .eisenstat_kernels import FINISHED, INDEFINITE, NONFINITE, solve_lower, ssor_cg_iterations
        from .vector_kernels import dot

        split = self._split
        assert split is not None
        n = r.size
        y, r = np.zeros(n), split.scale * r
        z, p, t, q, At = (np.zeros(n) for _ in range(5))
        solve_lower(omega, split.sub, *split.lower, r, z)
        run.work += 0.5
        norm2 = dot(z, z)
        scalars = np.array([norm2, 0.0, EXHAUSTED**2 * norm2])
        codes = {
            FINISHED: LinearStatus.CONVERGED,
            INDEFINITE: LinearStatus.INDEFINITE,
            NONFINITE: LinearStatus.DIVERGED,
        }
        arguments = (
            omega,
            split.diagonal,
            split.sub,
            split.lower,
            split.upper,
            (y, r, z, p, t, q, At),
            scalars,
            run.target * run.target,
        )
        status: LinearStatus | None = None
        try:
            while status is None and (status := run.limit()) is None:
                norms = np.empty(run.batch())
                made, code = ssor_cg_iterations(*arguments, norms)
                run.work += made
                run.history.extend(np.sqrt(norms[:made]).tolist())
                status = codes.get(code)
        except KeyboardInterrupt:
            status = LinearStatus.INTERRUPTED
        assert status is not None
        return split.scale * y, status


def ssor_cg(
    A: Any,
    b: Vector,
    x0: Vector | None = None,
    omega: float = 1.0,
    *,
    rtol: float = 1e-8,
    atol: float = 0.0,
    max_iterations: int = 10_000,
    max_time: float | None = None,
) -> LinearAnswer:
    """Solve A x = b by SSOR-preconditioned conjugate gradients: `EisenstatCG` in one call."""
    solver = EisenstatCG(omega)
    solver.setup(A)
    return solver.solve(b, x0, rtol=rtol, atol=atol, max_iterations=max_iterations, max_time=max_time)
