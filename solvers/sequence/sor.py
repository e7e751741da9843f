"""Successive over-relaxation for one linear system, with its parameter honoured in every direction."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from .colouring import ColouredMatrix, coloured_sweeps
from .matrices import as_square_csr, positive, unsigned
from .protocol import LinearAnswer, LinearStatus, Setup, Vector
from .relaxation import RelaxationSolver, check_sweeps
from .run import Run, norm

Sweep = Literal["forward", "backward", "symmetric"]
Order = Literal["natural", "multicolour"]

DIVERGED = 1e8
"""Growth of the residual that counts as divergence; omega near 2 lets it grow by less before it falls."""


@dataclass(frozen=True)
class SplitMatrix:
    """A as its three middle diagonals and the rest, by rows; `middle` points to the rest's upper entries."""

    diagonal: Vector
    sub: Vector
    sup: Vector
    indptr: NDArray[Any]
    middle: NDArray[Any]
    indices: NDArray[Any]
    data: Vector

    @classmethod
    def of(cls, A: Any) -> SplitMatrix:
        """The split of a canonical CSR matrix."""
        from .splitting_kernels import split_off_tridiagonal

        return cls(*split_off_tridiagonal(A.indptr, A.indices, A.data, unsigned(A.nnz)))

    @property
    def arrays(self) -> tuple[Any, ...]:
        """In the order of the kernels' arguments."""
        return (self.diagonal, self.sub, self.sup, self.indptr, self.middle, self.indices, self.data)


class SOR(RelaxationSolver):
    """Successive over-relaxation: x += M^-1 r with M = D/omega + L, L the part of A below its diagonal.

    For any A with a nonzero diagonal; it converges for symmetric positive definite A and 0 < omega < 2, and
    for diagonally dominant A at omega <= 1. A sweep also yields the residual of the iterate before, so that
    each iteration reads A once.

    Parameters
    ----------
    omega : float
        Relaxation parameter in (0, 2); `solve` can be given another.
    sweep : {"forward", "backward", "symmetric"}
        Order of the rows. "symmetric" does both ways in an iteration, both with omega.
    order : {"natural", "multicolour"}
        "multicolour" permutes the matrix by a greedy colouring, so that a colour's rows can be updated at the
        same time. It is the same iteration for another numbering of the unknowns; only `workers` asks for it.
    workers : int
        Threads, with "multicolour". The answer is the same to the last bit for any number.

    Raises
    ------
    ValueError
        For an option that is none of these.

    Notes
    -----
    On A = D + L + U the forward sweep is x_new = (D/omega + L)^-1 (b - (U + (1 - 1/omega) D) x_old); Young,
    Iterative Solution of Large Linear Systems, 1971.
    """

    name = "sor"

    def __init__(
        self, omega: float = 1.0, sweep: Sweep = "forward", order: Order = "natural", workers: int = 1
    ) -> None:
        self.omega = positive("omega", omega, 2.0)
        check_sweeps(sweep, order, workers)
        self.sweep, self.order, self.workers = sweep, order, int(workers)
        self._A: Any = None
        self._split: SplitMatrix | None = None
        self._coloured: ColouredMatrix | None = None
        self._failure: LinearStatus | None = None

    def setup(self, A: Any) -> Setup:
        """Split A; see `LinearSolver.setup`."""
        started = time.perf_counter()
        self._A = as_square_csr(A)
        self._failure = diagonal_failure(self._A)
        if self._failure is None and self.order == "natural":
            self._split = SplitMatrix.of(self._A)
        elif self._failure is None:
            self._coloured = ColouredMatrix(self._A)
        return Setup(self._failure, 2.0, time.perf_counter() - started)

    def update(self, A: Any) -> Setup:
        """The same as `setup`: there is nothing to keep."""
        return self.setup(A)

    def _iterate(self, run: Run, omega: float) -> LinearAnswer:
        work = 2.0 if self.sweep == "symmetric" else 1.0
        return iterate(run, self._sweeps(omega, run), omega, work)

    def _sweeps(self, omega: float, run: Run) -> SweepSequence:
        if self._split is not None:
            from .sor_kernels import sor_iterations

            return NaturalSweeps(sor_iterations, self._split.arrays, self.sweep, omega, run.b, run.x0)
        assert self._coloured is not None
        return coloured_sweeps(self._coloured, self.sweep, omega, run.b, run.x0, self.workers)


def sor(
    A: Any,
    b: Vector,
    x0: Vector | None = None,
    omega: float = 1.0,
    *,
    sweep: Sweep = "forward",
    order: Order = "natural",
    workers: int = 1,
    rtol: float = 1e-8,
    atol: float = 0.0,
    max_iterations: int = 10_000,
    max_time: float | None = None,
) -> LinearAnswer:
    """Solve A x = b by successive over-relaxation: `SOR` in one call."""
    solver = SOR(omega, sweep, order, workers)
    solver.setup(A)
    return solver.solve(b, x0, rtol=rtol, atol=atol, max_iterations=max_iterations, max_time=max_time)


def diagonal_failure(A: Any) -> LinearStatus | None:
    """What forbids dividing by A's diagonal."""
    if not np.isfinite(A.data).all():
        return LinearStatus.NONFINITE
    diagonal = np.abs(A.diagonal())
    # The reciprocals of subnormal numbers overflow.
    return None if diagonal.min() >= np.finfo(np.float64).tiny else LinearStatus.ZERO_DIAGONAL


class SweepSequence(Protocol):
    """Sweeps of one solve, from x_0 on."""

    @property
    def x(self) -> Vector:
        """The newest x_k; where `advance` stopped, the last one whose norm it gave."""

    def advance(self, target: float, most: float, norms: Vector) -> tuple[int, bool]:
        """Sweep until norms is full or a norm is not within (target, most].

        The sweep that makes x_{k+1} yields ||b - A x_k||^2, for norms. Returns the sweeps made and whether a
        norm stopped it.
        """


class NaturalSweeps:
    """Sweeps in the order of the rows; see `SweepSequence`.

    Parameters
    ----------
    kernel : callable
        `sor_kernels.sor_iterations` or one like it.
    matrix : tuple
        Its arguments between omega and b.
    direction, omega, b, x0
        Of the sweeps.
    """

    def __init__(
        self,
        kernel: Callable[..., tuple[int, bool]],
        matrix: tuple[Any, ...],
        direction: Sweep,
        omega: float,
        b: Vector,
        x0: Vector,
    ) -> None:
        from .sor_kernels import BACKWARD, FORWARD, SYMMETRIC

        codes = {"forward": FORWARD, "backward": BACKWARD, "symmetric": SYMMETRIC}
        self._kernel, self._constant = kernel, (codes[direction], omega, *matrix, b)
        self._pair = x0.copy(), np.zeros_like(x0)

    @property
    def x(self) -> Vector:
        """The newest iterate."""
        return self._pair[0]

    def advance(self, target: float, most: float, norms: Vector) -> tuple[int, bool]:
        """See `SweepSequence.advance`."""
        limits = target * target, most * most  # powers of floats raise where products overflow
        sweeps, stopped = self._kernel(*self._constant, *self._pair, *limits, norms)
        if sweeps % 2 != stopped:
            self._pair = self._pair[::-1]
        return int(sweeps), bool(stopped)


def iterate(run: Run, sweeps: SweepSequence, omega: float, work: float = 1.0) -> LinearAnswer:
    """Sweep in batches until the residual settles it or a limit is reached.

    Parameters
    ----------
    run : Run
        The solve.
    sweeps : SweepSequence
        From its start.
    omega : float
        Their relaxation parameter.
    work : float
        Of a sweep, in products.
    """
    patience = int(500 + 20 / (2.0 - omega))  # near 2 the residual rises for about 1/(2 - omega) sweeps
    target, most = run.target, DIVERGED * run.history[0]
    status: LinearStatus | None = None
    try:
        while (status := run.limit() or run.stagnation(patience)) is None:
            norms = np.empty(run.batch())
            made, stopped = sweeps.advance(target, most, norms)
            run.work += made * work
            run.history[-1:] = np.sqrt(norms[:made]).tolist()
            if not stopped:
                run.history.append(np.nan)  # comes with the next sweep
            elif not run.history[-1] <= target:
                status = LinearStatus.DIVERGED
                break
            elif (true := norm(run.residual(sweeps.x))) <= run.target:
                return run.answer(sweeps.x, LinearStatus.CONVERGED, true)
            else:  # by a rounding
                target *= 0.5
    except KeyboardInterrupt:
        status = LinearStatus.INTERRUPTED
    assert status is not None
    return run.answer(sweeps.x, status)
