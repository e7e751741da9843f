"""One start of `kkt`: followed to an answer, around better answers of the lower level.

From the lower answer at x through relaxed complementarity conditions u s <= t to the branch of active lower
constraints, and on to branches next to it. Where a global look at the lower level finds a better answer
there, two paths lead on: from the point, with the better answer's value as a cut, and from the better answer.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.bilevel.branches import MAX_BRANCHES, Branch, branches_at
from ...problems.bilevel.cuts import LowerAnswer, WithCuts
from ...problems.bilevel.kkt_system import KKTSystem
from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import NLP, Vector
from ..certificate import Intervals
from ..result import Result
from .driver import Run
from .inner_run import solve_within
from .lower_solution import LowerSolution, solve_lower, solve_lower_globally

RELAXATIONS = (1.0, 1e-2, 1e-4, 1e-6)

MAX_PATHS = 16
"""That one start may be followed along."""

MAX_PIECES = 6
"""Branches that one path goes through."""

SHARP = 1e-9
"""Tolerance of nonlinear solutions: sharper than any asked for, so that activity can be read off."""

INNER_ITERATIONS = 200
"""Of the nonlinear solver, for one relaxation or branch: those that converge need 10 to 40, at most 110."""

ALL_INNER_ITERATIONS = 3000
"""Of one start: most need some hundred, those with degenerate rows would go on for tens of thousands."""

SHARE = 0.125
"""Of the time limit, that one start may take: where the rows are degenerate, starts take seconds."""

SAME = 1e-6
"""Relative difference of F below which two answers are as good as each other."""

NEAR = 0.05
"""Relative distance below which a cut belongs to the same branch of lower answers."""


@dataclass(frozen=True, eq=False)
class Answer:
    """A point of the KKT system, its relative lower gap, and the best lower answer at its x."""

    z: Vector
    x: Vector
    y: Vector
    F: float
    gap: float
    rival: LowerSolution | None

    def is_good(self, tol: float) -> bool:
        """Whether y solves the lower level."""
        return self.gap <= 0.1 * tol

    def is_same(self, other: Answer) -> bool:
        """Whether it is another's point."""
        size = 1.0 + float(abs(self.z).max())
        return float(abs(self.z - other.z).max()) <= SAME * size

    def rank(self, tol: float) -> tuple[bool, float]:
        """The good ones first, by F."""
        return not self.is_good(tol), self.F if self.is_good(tol) else self.gap


@dataclass(frozen=True, eq=False)
class _Thread:
    """A path to follow: from z through relaxations, under cuts; `F` is the answer's that it comes from."""

    z: Vector
    relaxations: tuple[float, ...]
    cuts: tuple[LowerAnswer, ...] = ()
    F: float = -np.inf


class Start:
    """The way from one start to an answer.

    Parameters
    ----------
    run : Run
    x, y : ndarray, shapes (n_x,), (n_y,)
    bar : float
        The F to beat: what comes to lie above it is not followed further.
    lower_starts : int
        Starts of the lower level in the search for better answers.
    shared : bool
        Whether a time limit has to do for other starts as well.
    """

    def __init__(self, run: Run, x: Vector, y: Vector, bar: float, lower_starts: int, shared: bool) -> None:
        self.run, self.x, self.y, self.bar = run, x, y, bar
        self._lower_starts = lower_starts
        self._iterations_left = ALL_INNER_ITERATIONS
        self._plain = KKTSystem(run.problem)
        self._left_to_others = 0.0
        if shared and np.isfinite(run.max_time):
            self._left_to_others = max(run.remaining_time - SHARE * run.max_time, 0.0)

    @property
    def _remaining_time(self) -> float:
        """Seconds of this start."""
        return max(self.run.remaining_time - self._left_to_others, 0.0)

    def followed(self, relaxations: tuple[float, ...]) -> tuple[Vector, Vector, float, float] | None:
        """(x, y, F, lower gap), None where no point was found that solves the lower level's conditions."""
        problem, tol = self.run.problem, self.run.tol
        system = KKTSystem(problem, RELAXATIONS[0])
        first = self._first(system, relaxations)
        threads, seen, best = [first], list[Answer](), None
        for _ in range(MAX_PATHS):
            if not threads or not self._remaining_time or not self._iterations_left:
                break
            thread = min(threads, key=lambda other: other.F)
            threads.remove(thread)
            end = self._path(system, thread)
            if end is None:
                continue
            answer = self._looked_at(end)
            if any(answer.is_same(other) for other in seen):
                continue
            seen.append(answer)
            best = min(seen, key=lambda other: other.rank(tol))
            bar = min(self.bar, best.F) if best.is_good(tol) else self.bar
            if not answer.is_good(tol) and answer.F + SAME * max(1.0, abs(answer.F)) < bar:
                threads += self._onwards(system, answer, thread.cuts, relaxations)
        if self.bar == np.inf and (best is None or not best.is_good(tol)):
            # Nothing is known yet: the start itself may at least solve its lower level.
            own = self._looked_at(first.z)
            if own.is_good(tol) and violation_above(problem, problem.join(own.x, own.y)) <= SHARP:
                best = own
        return None if best is None else (best.x, best.y, best.F, best.gap)

    def _first(self, system: KKTSystem, relaxations: tuple[float, ...]) -> _Thread:
        """From the lower answer at x. Without relaxations: from the best one, the others being cuts.

        They hold the path on the branch of best answers, and off the maxima that the conditions allow.
        """
        problem, x, y, tol = self.run.problem, self.x, self.y, self.run.tol
        if relaxations or problem.lower_convex:
            return _Thread(self._from_lower(system, x, solve_lower(problem, x, y, tol)), relaxations)
        found, _ = solve_lower_globally(problem, x, [y], self._lower_starts, tol, self.run.rng)
        if not found:
            return _Thread(self._from_lower(system, x, solve_lower(problem, x, y, tol)), relaxations)
        cuts = tuple(LowerAnswer(other.y, other.c) for other in found[1:] if other.success)
        return _Thread(self._from_lower(system, x, found[0]), relaxations, cuts)

    def _onwards(
        self,
        system: KKTSystem,
        answer: Answer,
        cuts: tuple[LowerAnswer, ...],
        relaxations: tuple[float, ...],
    ) -> list[_Thread]:
        """From the point itself, which the rival's cut pushes away; and from the rival.

        On the rival's own branch of lower answers its cut would say nothing, and be no regular row.
        """
        rival = answer.rival
        if rival is None:
            return []
        apart = NEAR * (1.0 + float(abs(rival.y).max(initial=0.0)))
        others = tuple(cut for cut in cuts if float(abs(cut.y - rival.y).max()) > apart)
        under = (*cuts, LowerAnswer(rival.y, rival.c))
        there = self._from_lower(system, answer.x, rival)
        onwards = [
            _Thread(answer.z, RELAXATIONS[1:], under, answer.F),
            _Thread(there, (), others, answer.F),
        ]
        # A relaxation from 1 on does not stay on the branch.
        return [*onwards, _Thread(there, relaxations, under, answer.F)] if relaxations else onwards

    def _looked_at(self, z: Vector) -> Answer:
        """A point of the KKT system with what a global look at the lower level says of it."""
        problem, n_x = self.run.problem, self.run.problem.n_x
        x, y = z[:n_x], z[n_x : n_x + problem.n_y]
        w = problem.join(x, y)
        f = problem.lower.objective(w)
        rivals, _ = solve_lower_globally(
            problem, x, [y], self._lower_starts, 1e-2 * self.run.tol, self.run.rng
        )
        gap = max(f - rivals[0].value, 0.0) / max(1.0, abs(f)) if rivals else np.inf
        return Answer(z, x, y, problem.upper.objective(w), gap, rivals[0] if rivals else None)

    def _from_lower(self, system: KKTSystem, x: Vector, lower: LowerSolution) -> Vector:
        """The start of the KKT system at a lower answer."""
        u, v = system.rows.from_lower_solution(lower.c, lower.z)
        finite = np.isfinite(u).all() and np.isfinite(v).all()
        return system.point(x, lower.y, u if finite else None, v if finite else None)

    def _path(self, system: KKTSystem, thread: _Thread) -> Vector | None:
        """Relaxations to 0, then the branch."""
        z = thread.z
        for t in thread.relaxations:
            system.relax(t)
            z = self._solve(system, z, 1e-6 if t > RELAXATIONS[-1] else 1e-8, thread.cuts).x
        return self._pieces(system, z, thread.cuts)

    def _pieces(self, system: KKTSystem, z: Vector, cuts: tuple[LowerAnswer, ...]) -> Vector | None:
        """The best branch that a descent from branch to branch finds."""
        w, u, _ = system.parts(z)
        slack = system.rows.slack(system.values(w))
        active = slack <= u
        plain = self._plain
        found = self._within(plain, Branch(active, ~active), z, cuts)
        if found is None:
            return None
        for _ in range(MAX_PIECES):
            w, u, _ = plain.parts(found.x)
            _, branches = branches_at(plain, w, u)
            if not 2 <= len(branches) <= MAX_BRANCHES:
                break
            step = self._first_better(plain, branches, found, cuts)
            if step is None:
                break
            found = step
        return np.asarray(found.x)

    def _first_better(
        self, system: KKTSystem, branches: list[Branch], found: Result, cuts: tuple[LowerAnswer, ...]
    ) -> Result | None:
        for branch in branches:
            trial = self._within(system, branch, found.x, cuts)
            if trial is not None and trial.fun < found.fun - SAME * max(1.0, abs(found.fun)):
                return trial
        return None

    def _within(
        self, system: KKTSystem, branch: Branch, z: Vector, cuts: tuple[LowerAnswer, ...]
    ) -> Result | None:
        answer = self._solve(branch.restrict(system), z, SHARP, cuts)
        return answer if answer.success or answer.maxcv <= SHARP else None

    def _solve(self, level: NLP, z: Vector, tol: float, cuts: tuple[LowerAnswer, ...]) -> Result:
        level = WithCuts(level, self.run.problem, cuts) if cuts else level
        limit = min(INNER_ITERATIONS, self._iterations_left)
        found = solve_within(level, tol, x0=z, max_time=self._remaining_time, max_iterations=limit)
        self._iterations_left -= found.nit
        return found


def violation_above(problem: BilevelProblem, w: Vector) -> float:
    """Largest relative violation of the upper level's rows and bounds."""
    level = problem.upper_rows
    rows = Intervals(level.constraints(w), level.cl, level.cu, 0.0)
    return max(rows.scaled_violation(), Intervals(w, level.lb, level.ub, 0.0).scaled_violation())
