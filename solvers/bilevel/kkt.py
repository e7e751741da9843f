"""`kkt`: the lower level replaced by its optimality conditions, solved as a nonlinear problem, many times.

One start draws x, solves the lower level there, and follows the relaxed complementarity conditions u s <= t
for t to 0 (Scholtes, 2001) with the library's nonlinear solver. Then the active lower constraints are held as
equations and the point is solved for sharply, in this branch and in those next to it. Where a global look at
the lower level finds a better answer, one path goes on with its value as a cut and one from there: so lower
levels that are not convex are taken too (in the spirit of Mitsos, Lemonidis & Barton, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from ..status import Status
from .driver import Run, State
from .kkt_start import RELAXATIONS, SAME, SHARP, Start, violation_above
from .lower_solution import sample_box, solve_lower

SCREENED = (1, 1, 8)
"""Pairs drawn for a start, in turn; the best one is followed. More choosy starts would all come to lie in the
best valley that is near, where no bounds say how far to draw."""


@dataclass
class _State(State):
    """With the number of starts in a row that found nothing better."""

    vain: int = 0
    best: float = np.inf


@dataclass(frozen=True)
class KKT:
    """The KKT system of the lower level, from many starts.

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate.
    max_iterations : int, default 60
        Most starts; the first is the problem's own.
    patience : int, default 15
        Starts in a row that find nothing better, after which the run ends. 1: no further starts after an
        answer has been found.
    lower_starts : int, default 8
        Starts of the lower level in the search for better answers; none where it is known to be convex.
    """

    tol: float = 1e-6
    max_iterations: int = 60
    patience: int = 15
    lower_starts: int = 8

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Second derivatives are needed."""
        return None if problem.has_second_derivatives else "no second derivatives"

    def init(self, run: Run) -> _State:
        """The problem's own start."""
        problem = run.problem
        return _State(problem.x0, problem.y0, problem.upper.objective(problem.join(problem.x0, problem.y0)))

    def step(self, run: Run, state: _State) -> _State:
        """Follow one start."""
        problem = run.problem
        if run.iterations == 0:
            x, y = problem.x0, problem.y0
        else:
            center = run.best[0].x if run.best else problem.x0
            x, y = _best_of(
                [_draw(problem, run.rng, center) for _ in range(SCREENED[run.iterations % 3])], run
            )
        # The relaxation from 1 on forgets where it came from, which is good for some starts only; a descent
        # from branch to branch stays near its start.
        start = Start(run, x, y, state.best, self.lower_starts, self.patience > 1)
        found = start.followed(RELAXATIONS if run.iterations % 3 == 0 else ())
        if found is None:
            return _State(state.x, state.y, state.F, False, {"start": "failed"}, state.vain + 1, state.best)
        x, y, F, gap = found
        good = gap <= self.tol
        better = good and bool(F + SAME * max(1.0, abs(F)) < state.best)
        record = {"gap": gap, "better": better}
        vain = 0 if better else state.vain + 1
        worth = better or run.best is None or not run.best[1].holds
        return _State(x, y, F, worth, record, vain, min(state.best, F) if good else state.best)

    def check(self, run: Run, state: _State) -> Status | None:
        """Nothing better for a while."""
        enough = self.patience == 1 and run.best is not None and run.best[1].holds
        if run.iterations and (enough or state.vain >= self.patience):
            return Status.CONVERGED if run.best is not None and run.best[1].holds else Status.STALLED
        return None


def _draw(problem: BilevelProblem, rng: np.random.Generator, x: Vector) -> tuple[Vector, Vector]:
    """A random start, spread around the best x where there are no bounds."""
    k = int(rng.integers(4)) + 1
    x = problem.X.project(sample_box(problem.X.lb, problem.X.ub, x, k, rng)[-1])
    y = problem.Y.project(sample_box(problem.Y.lb, problem.Y.ub, problem.y0, k, rng)[-1])
    return x, y


def _best_of(drawn: list[tuple[Vector, Vector]], run: Run) -> tuple[Vector, Vector]:
    """The pair with the least violation of the upper level, then with the lowest F, at its lower answer."""
    if len(drawn) == 1:
        return drawn[0]
    problem, keys = run.problem, []
    for x, y in drawn:
        lower = solve_lower(problem, x, y, run.tol, run.remaining_time)
        violation = violation_above(problem, problem.join(x, lower.y))
        F = problem.upper.objective(problem.join(x, lower.y))
        key = (not lower.feasible, max(violation, SHARP), F)
        keys.append(key if np.isfinite(key).all() else (True, np.inf, np.inf))
    return drawn[min(range(len(drawn)), key=lambda k: keys[k])]
