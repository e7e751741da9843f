"""How a job of a sweep can end."""

from __future__ import annotations

from enum import Enum
from typing import Literal

Kind = Literal["solved", "solver", "infrastructure", "skipped"]


class Outcome(Enum):
    """The end of a job; the value is its explanation.

    The first four are the solver's doing. The next ones are not an answer at all: the process, the machine or
    the problem stood in the way (a solver that had to be killed counts as not solved in every profile).
    """

    SOLVED = "the certificate holds at the returned point"
    UNSOLVED = "the solver returned a point that the certificate does not accept"
    TIME_LIMIT = "stopped at the time limit without a certified point"
    SOLVER_ERROR = "the solver raised an exception"
    KILLED_TIME = "killed: it did not stop at the hard time limit"
    KILLED_MEMORY = "killed: it passed the memory limit"
    CRASHED = "the process died"
    BUILD_ERROR = "the problem could not be built or evaluated"
    SKIPPED = "not run, with a reason"

    @property
    def kind(self) -> Kind:
        """Whose doing it is."""
        if self is Outcome.SOLVED:
            return "solved"
        if self is Outcome.SKIPPED:
            return "skipped"
        if self in (Outcome.UNSOLVED, Outcome.TIME_LIMIT, Outcome.SOLVER_ERROR):
            return "solver"
        return "infrastructure"
