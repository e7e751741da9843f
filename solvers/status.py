"""Why a run ended: one closed table, each status's value is its message."""

from __future__ import annotations

from enum import Enum

from ..problems.evaluator import DeadlineReached, LimitReached


class Status(Enum):
    """Why a run ended.

    The status says what happened. Whether the answer may be relied on is said by `Result.success`, which
    comes from the certificate and from nothing else.
    """

    CONVERGED = "The optimality conditions hold to the tolerance."
    ACCEPTABLE = "No further progress; the optimality conditions hold to a looser tolerance only."
    UNCERTIFIED = "The method reported convergence, but the certificate does not confirm it."
    INFEASIBLE = "Converged to a stationary point of the constraint violation: infeasible, at least locally."
    UNBOUNDED = "The objective falls without limit at feasible points."
    ITERATION_LIMIT = "The iteration limit was reached."
    EVALUATION_LIMIT = "The evaluation limit was reached."
    TIME_LIMIT = "The time limit was reached."
    NONFINITE_START = "Objective, constraints or their derivatives are not finite at the start."
    USER_STOP = "The callback stopped the run."
    INTERRUPTED = "The run was interrupted from the keyboard."
    STALLED = "No acceptable step could be found."
    NUMERICAL_FAILURE = "The linear algebra failed beyond repair."

    @property
    def message(self) -> str:
        """The message, for humans."""
        return self.value

    @classmethod
    def of_limit(cls, limit: LimitReached) -> Status:
        """The status of a limit that an evaluator reported."""
        return cls.TIME_LIMIT if isinstance(limit, DeadlineReached) else cls.EVALUATION_LIMIT
