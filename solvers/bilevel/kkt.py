"""`kkt`: the lower level replaced by its optimality conditions, solved as a nonlinear problem, many times.

One start draws x, solves the lower level there, and follows the relaxed complementarity conditions u s <= t
for t to 0 (Scholtes, 2001) with the library's nonlinear solver. Then the active lower constraints are held as
equations and the point is solved for sharply, in this branch and in those next to it. Where a global look at
the lower level finds a better answer, its value becomes a cut and the start is followed anew: so lower levels
that are not convex are taken too (in the spirit of Mitsos, Lemonidis & Barton, 2008).
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...problems.bilevel.branches import MAX_BRANCHES, Branch, branches_at
from ...problems.bilevel.cuts import LowerAnswer, WithCuts
from ...problems.bilevel.kkt_system import KKTSystem
from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import NLP, Vector
from ..certificate import Intervals
from ..result import Result
from ..status import Status
from .driver import Run, State
from .inner_run import solve_within
from .lower_solution import LowerSolution, sample_box, solve_lower, solve_lower_globally

RELAXATIONS = (1.0, 1e-2, 1e-4, 1e-6)
MAX_CUTS = 8
MAX_PIECES = 6
"""Branches that one start goes through."""

_SHARP = 1e-9
"""Tolerance of nonlinear solutions: sharper than any asked for, so that activity can be read off."""

_INNER_ITERATIONS = 200
"""Of the nonlinear solver, for one relaxation or branch: those that converge need 10 to 40, at most 110."""

_SHARE = 0.125
"""Of the time limit, that one start may take: where the rows are degenerate, starts take seconds."""

_SAME = 1e-6
"""Relative difference of F below which two answers are as good as each other."""


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
    patience : int, default 12
        Starts in a row that find nothing better, after which the run ends. 1: no further starts after an
        answer has been found.
    lower_starts : int, default 8
        Starts of the lower level in the search for better answers; none where it is known to be convex.
    """

    tol: float = 1e-6
    max_iterations: int = 60
    patience: int = 12
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
            x, y = _draw(problem, run.rng, run.best[0].x if run.best else problem.x0)
        # The relaxation from 1 on forgets where it came from, which is good for some starts only; a descent
        # from branch to branch stays near its start.
        start = _Start(run, self, x, y, state.best)
        found = start.followed(RELAXATIONS if run.iterations % 3 == 0 else ())
        if found is None:
            return _State(state.x, state.y, state.F, False, {"start": "failed"}, state.vain + 1, state.best)
        x, y, F, gap = found
        good = gap <= self.tol
        better = good and bool(F + _SAME * max(1.0, abs(F)) < state.best)
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


@dataclass(frozen=True, eq=False)
class _Answer:
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

    def rank(self, tol: float) -> tuple[bool, float]:
        """The good ones first, by F."""
        return not self.is_good(tol), self.F if self.is_good(tol) else self.gap


@dataclass
class _Start:
    """The way from one start to an answer; `bar` is the F to beat."""

    run: Run
    method: KKT
    x: Vector
    y: Vector
    bar: float
    answers: list[LowerAnswer] = field(default_factory=list)

    def __post_init__(self) -> None:
        run = self.run
        limited = np.isfinite(run.max_time) and self.method.patience > 1
        self._left_to_others = max(run.remaining_time - _SHARE * run.max_time, 0.0) if limited else 0.0

    @property
    def _remaining_time(self) -> float:
        """Seconds of this start."""
        return max(self.run.remaining_time - self._left_to_others, 0.0)

    def followed(self, relaxations: tuple[float, ...]) -> tuple[Vector, Vector, float, float] | None:
        """(x, y, F, lower gap), None where no point was found that solves the lower level's conditions."""
        problem, tol = self.run.problem, self.run.tol
        system = KKTSystem(problem, RELAXATIONS[0])
        best: _Answer | None = None
        first = self._from_lower(system, self.x, solve_lower(problem, self.x, self.y, tol))
        starts = [(first, relaxations)]
        for _ in range(MAX_CUTS):
            ends = [self._path(system, start, ts) for start, ts in starts]
            found = [self._looked_at(z) for z in ends if z is not None]
            if not found:
                break
            best = min([*found, *([] if best is None else [best])], key=lambda answer: answer.rank(tol))
            tempting = min(found, key=lambda answer: answer.F)
            if tempting.is_good(tol) or tempting.rival is None or not self._remaining_time:
                break
            if tempting.F + _SAME * max(1.0, abs(tempting.F)) >= self.bar:  # cuts only raise it
                break
            # Onwards from the point itself, which the cut pushes away, and from the better lower answer.
            self.answers.append(LowerAnswer(tempting.rival.y, tempting.rival.c))
            starts = [
                (tempting.z, RELAXATIONS[1:]),
                (self._from_lower(system, tempting.x, tempting.rival), relaxations),
            ]
        if self.bar == np.inf and (best is None or not best.is_good(tol)):
            # Nothing is known yet: the start itself may at least solve its lower level.
            own = self._looked_at(first)
            if own.is_good(tol) and self._is_feasible_above(own):
                best = own
        return None if best is None else (best.x, best.y, best.F, best.gap)

    def _is_feasible_above(self, answer: _Answer) -> bool:
        level = self.run.problem.upper_rows
        w = self.run.problem.join(answer.x, answer.y)
        rows = Intervals(level.constraints(w), level.cl, level.cu, 0.0)
        return (
            max(rows.scaled_violation(), Intervals(w, level.lb, level.ub, 0.0).scaled_violation()) <= _SHARP
        )

    def _looked_at(self, z: Vector) -> _Answer:
        """A point of the KKT system with what a global look at the lower level says of it."""
        problem, n_x = self.run.problem, self.run.problem.n_x
        x, y = z[:n_x], z[n_x : n_x + problem.n_y]
        w = problem.join(x, y)
        f = problem.lower.objective(w)
        rivals, _ = solve_lower_globally(
            problem, x, [y], self.method.lower_starts, 1e-2 * self.run.tol, self.run.rng
        )
        gap = max(f - rivals[0].value, 0.0) / max(1.0, abs(f)) if rivals else np.inf
        return _Answer(z, x, y, problem.upper.objective(w), gap, rivals[0] if rivals else None)

    def _from_lower(self, system: KKTSystem, x: Vector, lower: LowerSolution) -> Vector:
        """The start of the KKT system at a lower answer."""
        u, v = system.rows.from_lower_solution(lower.c, lower.z)
        finite = np.isfinite(u).all() and np.isfinite(v).all()
        return system.point(x, lower.y, u if finite else None, v if finite else None)

    def _path(self, system: KKTSystem, z: Vector, relaxations: tuple[float, ...]) -> Vector | None:
        """Relaxations to 0, then the branch."""
        for t in relaxations:
            system.relax(t)
            z = self._solve(system, z, 1e-6 if t > RELAXATIONS[-1] else 1e-8).x
        return self._pieces(system, z)

    def _pieces(self, system: KKTSystem, z: Vector) -> Vector | None:
        """The best branch that a descent from branch to branch finds."""
        w, u, _ = system.parts(z)
        slack = system.rows.slack(system.values(w))
        active = slack <= u
        plain = KKTSystem(self.run.problem)
        found = self._within(plain, Branch(active, ~active), z)
        if found is None:
            return None
        for _ in range(MAX_PIECES):
            w, u, _ = plain.parts(found.x)
            _, branches = branches_at(plain, w, u)
            if not 2 <= len(branches) <= MAX_BRANCHES:
                break
            step = self._first_better(plain, branches, found)
            if step is None:
                break
            found = step
        return np.asarray(found.x)

    def _first_better(self, system: KKTSystem, branches: list[Branch], found: Result) -> Result | None:
        for branch in branches:
            trial = self._within(system, branch, found.x)
            if trial is not None and trial.fun < found.fun - _SAME * max(1.0, abs(found.fun)):
                return trial
        return None

    def _within(self, system: KKTSystem, branch: Branch, z: Vector) -> Result | None:
        answer = self._solve(branch.restrict(system), z, _SHARP)
        return answer if answer.success or answer.maxcv <= _SHARP else None

    def _solve(self, level: NLP, z: Vector, tol: float) -> Result:
        if self.answers:
            level = WithCuts(level, self.run.problem, self.answers)
        left = self._remaining_time
        return solve_within(level, tol, x0=z, max_time=left, max_iterations=_INNER_ITERATIONS)
