"""From level to level along a path, several levels ahead of the certificate.

A certificate costs a pass over X, and one pass over X with four vectors costs about as much as two. So where
all went well some levels are solved before the certificates of them all, whose products with X come from one
pass; a level whose certificate does not hold is solved again, from there, by itself.
"""

from __future__ import annotations

from time import perf_counter

import numpy as np

from ...problems.composite.design import RememberedDesign
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array
from ..result import Result
from .auto import fastest
from .driver import Run, TimeUp
from .minimize import start
from .working_set import WorkingSet, WorkingSetState

_AHEAD = 4
"""Levels at most that are solved before their certificates."""


class Walk:
    """Solutions of a problem for falling levels of its penalty, one after the other.

    Parameters
    ----------
    problem : CompositeProblem
        With the penalty for level 1.
    levels : ndarray, shape (m,)
        Factors of the penalty, falling.
    tol : float
        Of the certificates.
    deadline : float
        Of all levels, on the clock of `perf_counter`.
    """

    def __init__(self, problem: CompositeProblem, levels: Array, tol: float, deadline: float) -> None:
        self.problem, self._levels, self._deadline = problem, levels, deadline
        self._w, self._b = start(problem)
        first = self._part(0)
        self._method = fastest(first, tol)  # one for all levels: no method asks how large the penalty is
        self._method.check(first)
        self._done, self._width = 0, 1
        self._known: tuple[WorkingSetState, Array] | None = None
        self._guesses: list[tuple[CompositeProblem, WorkingSetState]] = []

    def next_solution(self) -> Result:
        """That of the next level."""
        if not self._guesses and self._known is not None and self._can_look_ahead():
            self._look_ahead(*self._known)
        result = self._confirmed()
        if result is None:
            part, state = self._part(self._done), None
            if isinstance(self._method, WorkingSet) and self._known is not None:
                state = self._method.resume(part, *self._known)
            run = Run(self._method, part, max_time=self._left())
            result = self._keep(run, run.solve(self._w, self._b, state))
        self._done += 1
        return result

    def _part(self, i: int) -> CompositeProblem:
        return self.problem.with_penalty(self.problem.penalty.scaled(float(self._levels[i])))

    def _left(self) -> float:
        return self._deadline - perf_counter()

    def _keep(self, run: Run, result: Result) -> Result:
        self._w, self._b, self._known = result.x, result.intercept, None
        if isinstance(run.state, WorkingSetState) and run.state.w is result.x:
            self._known = run.state, result.jac
        return result

    def _can_look_ahead(self) -> bool:
        """One output; and with an intercept certificates might choose another one, and other vectors."""
        return len(self.problem.shape) == 1 and not self.problem.intercept

    def _look_ahead(self, state: WorkingSetState, gradient: Array) -> None:
        """Solve some levels, and have the products that their certificates will ask for."""
        method, problem = self._method, self.problem
        assert isinstance(method, WorkingSet)
        stop = min(self._done + self._width, self._levels.size)
        self._width = min(2 * self._width, _AHEAD)
        if stop - self._done < 2:
            return
        found: list[tuple[CompositeProblem, WorkingSetState]] = []
        pool = None
        try:
            with np.errstate(all="ignore"):
                for i in range(self._done, stop):
                    part = self._part(i)
                    run = Run(method, part, max_time=self._left())
                    state, gradient, pool = method.ahead(run, method.resume(part, state, gradient), pool)
                    found.append((part, state))
        except TimeUp:
            _forget_gram(state)
        if found:
            vectors = [problem.datafit.gradient(problem.predictor(s.w, s.b)) for _, s in found]
            remembered = RememberedDesign(problem.design, vectors)
            for part, _ in found:
                part.design = remembered
        self._guesses = found

    def _confirmed(self) -> Result | None:
        """The solution found ahead, if there is one and its certificate holds."""
        if not self._guesses:
            return None
        part, state = self._guesses.pop(0)
        run = Run(self._method, part, max_time=self._left(), max_iterations=1)
        run.iterations = 1  # done ahead
        result = self._keep(run, run.solve(state.w, state.b, state))
        if result.success:
            return result
        _forget_gram(state)
        self._guesses, self._width = [], 1
        return None


def _forget_gram(state: WorkingSetState) -> None:
    """The Gram matrix is one for all states: it has gone on to those that come later."""
    state.items = state.gram = None
