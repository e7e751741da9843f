"""What the solvers with a relaxation parameter share: how a solve begins."""

from __future__ import annotations

from typing import Any

from .matrices import positive
from .protocol import LinearAnswer, LinearStatus, Vector
from .run import Run


def check_sweeps(sweep: Any, order: Any = "natural", workers: Any = 1) -> None:
    """Raise ValueError for an order of the unknowns, or a number of threads, that there is not."""
    if sweep not in ("forward", "backward", "symmetric"):
        raise ValueError(f"sweep must be 'forward', 'backward' or 'symmetric', got {sweep!r}")
    if order not in ("natural", "multicolour"):
        raise ValueError(f"order must be 'natural' or 'multicolour', got {order!r}")
    if workers != int(workers) or workers < 1:
        raise ValueError(f"workers must be a positive integer, got {workers!r}")
    if workers > 1 and order == "natural":
        raise ValueError("workers > 1 needs order='multicolour': in natural order rows wait for rows")


class RelaxationSolver:
    """A `LinearSolver` with a parameter omega in (0, 2), by default that of the object.

    A subclass sets `_A` and `_failure` in its set-up and offers `_iterate`.
    """

    omega: float
    _A: Any = None
    _failure: LinearStatus | None = None

    def solve(
        self,
        b: Vector,
        x0: Vector | None = None,
        *,
        omega: float | None = None,
        rtol: float = 1e-8,
        atol: float = 0.0,
        max_iterations: int = 10_000,
        max_time: float | None = None,
    ) -> LinearAnswer:
        """Solve; see `LinearSolver.solve`.

        Parameters
        ----------
        omega : float, optional
            For this solve.
        b, x0, rtol, atol, max_iterations, max_time
            See there.
        """
        if self._A is None:
            raise RuntimeError("solve needs a setup before it")
        relaxation = self.omega if omega is None else positive("omega", omega, 2.0)
        run = Run(self._A.__matmul__, *self._size(), b, x0, rtol, atol, max_iterations, max_time)
        if self._failure is not None:
            return run.failed(self._failure)
        return run.settled() or self._iterate(run, relaxation)

    def _size(self) -> tuple[int, int]:
        """Unknowns, and nonzeros of A."""
        return self._A.shape[0], self._A.nnz

    def _iterate(self, run: Run, omega: float) -> LinearAnswer:
        """Iterate from the start of a run until its target or a limit."""
        raise NotImplementedError
