"""`auto`: the method that suits the problem."""

from __future__ import annotations

from dataclasses import dataclass

from ...problems.bilevel.problem import BilevelProblem
from ..status import Status
from .driver import Run, State
from .kkt import KKT

SMALL = 100
"""Up to so many variables in all, many starts are worth their time."""


@dataclass(frozen=True)
class Auto:
    """`KKT` from many starts where the problem is small, from one where it is large.

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate.
    max_iterations : int, default 60
        Limit of steps; what a step is depends on the method taken.
    """

    tol: float = 1e-6
    max_iterations: int = 60

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Where no method takes the problem."""
        return self._suited(problem).refusal(problem)

    def _suited(self, problem: BilevelProblem) -> KKT:
        small = problem.n_x + problem.n_y <= SMALL
        return KKT(tol=self.tol, patience=KKT.patience if small else 1)

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
