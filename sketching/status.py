"""Why an iterative linear solver ended: one closed table, each status's value is its message."""

from __future__ import annotations

from enum import Enum


class LinearStatus(Enum):
    """Why an iterative linear solver ended."""

    CONVERGED = "The residual is below the tolerance."
    LEAST_SQUARES = "The residual is orthogonal to the range: a least-squares solution."
    ITERATION_LIMIT = "The iteration limit was reached."
    STAGNATED = "The residual no longer falls."
    INCONSISTENT = "The residual no longer falls, and no correction reduces it: the system is inconsistent."
    INDEFINITE = "A direction of negative curvature was met: the matrix is not positive semidefinite."
    NONFINITE = "The iterates left the range of floating-point numbers."
    STOPPED = "The stop callback ended the run."

    @property
    def message(self) -> str:
        """The message, for humans."""
        return self.value

    @property
    def converged(self) -> bool:
        """Whether the result is a solution to the tolerance asked for."""
        return self in (LinearStatus.CONVERGED, LinearStatus.LEAST_SQUARES)
