"""`auto`: the fastest method that takes the problem."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, MismatchError
from .driver import Method, Run, State
from .multinomial import MultinomialNewton
from .proximal_gradient import ProximalGradient
from .quadratic_form import QuadraticFormDescent
from .separate_outputs import SeparateOutputs
from .trees_acceleration import ForestConjugateGradient
from .working_set import WorkingSet

_FASTEST_FIRST: tuple[type[Any], ...] = (
    WorkingSet,
    MultinomialNewton,
    ForestConjugateGradient,
    QuadraticFormDescent,
    SeparateOutputs,
    ProximalGradient,
)


def fastest(problem: CompositeProblem, tol: float) -> Method[Any]:
    """The first of the methods, fastest first, that takes the problem; the last one takes all."""
    return next(_those_that_take(problem, tol))


def _those_that_take(problem: CompositeProblem, tol: float) -> Iterator[Method[Any]]:
    for candidate in _FASTEST_FIRST:
        method: Method[Any] = candidate(tol=tol)
        try:
            method.check(problem)
        except MismatchError:
            continue
        yield method


@dataclass(frozen=True)
class Auto:
    """The fastest method that takes the problem.

    Working sets for sums over samples with a penalty known to the kernels, prox-Newton where their classes
    are coupled; for quadratic forms conjugate gradients on forests (sparse, without kinks) or coordinate
    descent with projected Newton steps; for the rest accelerated proximal gradients.

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
        for method in _those_that_take(run.problem, self.tol):
            run.method = method
            try:
                state: State = method.init(run, w, b)
            except ValueError:  # factors of forests need a definite matrix, others do not
                if not isinstance(method, ForestConjugateGradient):
                    raise
                continue
            return state
        raise AssertionError("proximal gradients take everything")

    def step(self, run: Run, state: State) -> State:
        """Never reached: `init` hands the run over."""
        raise AssertionError("the run goes on with another method")
