"""What every solver of one linear system promises, so that a portfolio can hold them side by side."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ..status import Status

Vector = NDArray[np.float64]


class LinearStatus(Enum):
    """Why a linear solver ended. CONVERGED is said of the true residual and of nothing else."""

    CONVERGED = "The true residual is within the tolerance."
    ITERATION_LIMIT = "The iteration limit was reached."
    TIME_LIMIT = "The time limit was reached."
    INTERRUPTED = "The run was interrupted from the keyboard."
    STALLED = "The residual falls no further."
    DIVERGED = "The residual grows."
    ZERO_DIAGONAL = "An entry of the diagonal is zero, or a diagonal block is singular."
    INDEFINITE = "The matrix or the preconditioner is not positive definite."
    NONFINITE = "The matrix, the right-hand side or the start has NaN or Inf."
    NO_FACTORISATION = "The matrix could not be factorised, or no preconditioner could be built."

    @property
    def message(self) -> str:
        """The message, for humans."""
        return self.value

    @property
    def status(self) -> Status:
        """The nearest of the statuses that all of karush shares."""
        try:
            return Status[self.name]
        except KeyError:
            return Status.NUMERICAL_FAILURE


@dataclass(frozen=True)
class LinearAnswer:
    """The answer of a linear solver.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Finite, and with no larger residual than the start.
    status : LinearStatus
        Why the solver ended.
    iterations : int
        Iterations; 0 for a direct solver and where the start is the answer.
    residuals : ndarray
        2-norms of the residual, from the start's on, one for each iteration; the last one is true.
    work : float
        Cost in products with A, the same in every run.
    seconds : float
        Wall time of the solve.
    """

    x: Vector
    status: LinearStatus
    iterations: int
    residuals: Vector
    work: float
    seconds: float

    @property
    def converged(self) -> bool:
        """Whether the true residual is within the tolerance."""
        return self.status is LinearStatus.CONVERGED

    @property
    def residual(self) -> float:
        """True residual ||b - A x||_2."""
        return float(self.residuals[-1])


@dataclass(frozen=True)
class Setup:
    """What a set-up or an update has come to.

    Attributes
    ----------
    failure : LinearStatus or None
        Why the solver cannot be used; its `solve` would return that status with the start.
    work : float
        Cost in products with A: nominal, from the sizes of what was built, and the same in every run.
    seconds : float
        Wall time.
    """

    failure: LinearStatus | None
    work: float
    seconds: float


class LinearSolver(Protocol):
    """A solver of A x = b that keeps what it has built for the next A.

    No method raises for what a matrix or a right-hand side is like: breakdowns are statuses. Wrong types and
    shapes raise TypeError and ValueError.
    """

    name: str

    def setup(self, A: Any) -> Setup:
        """Build everything for A, a sparse array of shape (n, n)."""

    def update(self, A: Any) -> Setup:
        """Take another matrix of the same shape, with what was built for an earlier one where that serves.

        A solver that builds nothing worth keeping does a set-up. Before the first set-up this is one.
        """

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
        """Solve until ||b - A x||_2 <= max(rtol ||b||_2, atol).

        Parameters
        ----------
        b : ndarray, shape (n,)
            Right-hand side.
        x0 : ndarray, shape (n,), optional
            Start, zero by default. Neither is changed.
        rtol, atol : float
            Tolerances on the true residual.
        max_iterations : int
            Limit on iterations.
        max_time : float or None
            Limit in seconds; it may be overrun by about ten milliseconds, or by one iteration.
        """


Preconditioner = Callable[[Vector], Vector]
"""z = M^-1 r, in a new array."""
