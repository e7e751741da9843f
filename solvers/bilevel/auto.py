"""`auto`: the method that suits the problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ..status import Status
from .driver import Method, Run, State
from .hypergradient import refusal_of_lower
from .implicit import Implicit
from .kkt import KKT
from .penalty import Penalty

SMALL = 100
"""Up to so many variables in all, many starts are worth their time."""

WIDE = 1000
"""Variables in one lower constraint beyond which factors may fill in beside it."""


def _widest_row(problem: BilevelProblem) -> int:
    """Largest number of variables in a lower constraint."""
    indptr, _ = problem.lower.jacobian_structure()
    return int(np.diff(indptr).max(initial=0))


@dataclass(frozen=True)
class Auto:
    """`KKT` from many starts where the problem is small; larger: `Implicit` where the lower level is free and
    known to be convex, else `KKT` from one start, or `Penalty` where a constraint of a convex lower level
    holds more than a thousand variables. Without second derivatives: `Penalty`.

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate.
    max_iterations : int, default 1000
        Limit of steps; what a step is depends on the method taken.
    """

    tol: float = 1e-6
    max_iterations: int = 1000

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Where no method takes the problem."""
        return self._suited(problem).refusal(problem)

    def _suited(self, problem: BilevelProblem) -> Method[Any]:
        if not problem.has_second_derivatives:
            return Penalty(tol=self.tol)
        if problem.n_x + problem.n_y <= SMALL:
            return KKT(tol=self.tol)
        if problem.lower_convex and refusal_of_lower(problem) is None:
            return Implicit(tol=self.tol)
        penalty = Penalty(tol=self.tol)
        if problem.lower_convex and _widest_row(problem) > WIDE and penalty.refusal(problem) is None:
            return penalty
        return KKT(tol=self.tol, patience=1)

    def init(self, run: Run) -> State:
        """That of the method taken, which the run goes on with."""
        run.method = self._suited(run.original)
        state: State = run.method.init(run)
        return state

    def step(self, run: Run, state: State) -> State:
        """Never reached: `init` hands the run over."""
        raise AssertionError("the run goes on with another method")

    def check(self, run: Run, state: State) -> Status | None:
        """Never reached."""
        raise AssertionError("the run goes on with another method")
