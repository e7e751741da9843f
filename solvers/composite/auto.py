"""`auto`: the fastest method that takes the problem."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, MismatchError
from .driver import Method, Run, State
from .proximal_gradient import ProximalGradient
from .working_set import WorkingSet

_FASTEST_FIRST: tuple[type[Any], ...] = (WorkingSet, ProximalGradient)


def fastest(problem: CompositeProblem, tol: float) -> Method[Any]:
    """The first of the methods, fastest first, that takes the problem; the last one takes all."""
    for candidate in _FASTEST_FIRST[:-1]:
        method: Method[Any] = candidate(tol=tol)
        try:
            method.check(problem)
        except MismatchError:
            continue
        return method
    last: Method[Any] = _FASTEST_FIRST[-1](tol=tol)
    return last


@dataclass(frozen=True)
class Auto:
    """Working sets where the penalty is known to the kernels, else accelerated proximal gradients.

    Parameters
    ----------
    tol : float
        Tolerance of the certificate.
    max_iterations : int, optional
        Limit of steps; what a step is depends on the method taken.
    """

    tol: float = 1e-6
    max_iterations: int = 100_000

    def check(self, problem: CompositeProblem) -> None:
        """Everything is taken."""

    def init(self, run: Run, w: Array, b: Array) -> State:
        """That of the method taken, which the run goes on with."""
        run.method = fastest(run.problem, self.tol)
        state: State = run.method.init(run, w, b)
        return state

    def step(self, run: Run, state: State) -> State:
        """Never reached: `init` hands the run over."""
        raise AssertionError("the run goes on with another method")
