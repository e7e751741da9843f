"""The judge of bilevel answers: the lower level solved anew, feasibility, and stationarity of the whole.

Nothing is taken from the method but the point:

- the *lower gap* f(x, y) - min f(x, .) is measured against new solutions of the lower level at x, from y,
  from the problem's start and, unless the level is known to be convex, from the best of a sample; and against
  those of scipy's solvers from y and from the problem's start, where the level is not too large for them;
- *stationarity* is that of the problem in which the lower level is replaced by its optimality conditions
  (Dempe & Dutta, 2012): where a constraint is active and its multiplier vanishes the point must be stationary
  in each branch (B-stationary), or have multipliers with the right signs there (strongly stationary), which
  implies it. Other lower answers with the same value count as rows, since moving x must not make one of them
  better than y;
- where the lower Hessian is known by products only, stationarity is that of F(x, y*(x)), for a free lower
  level, by the implicit function theorem;
- without second derivatives, and where y is no regular point of its level, there is no measure of
  stationarity, and no success.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.bilevel.branches import MAX_BRANCHES, Branch, branches_at
from ...problems.bilevel.cuts import LowerAnswer, WithCuts
from ...problems.bilevel.kkt_system import KKTSystem
from ...problems.bilevel.lower_level import LowerLevel
from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import NLP, Vector
from ..certificate import INFINITY, Certificate, Intervals, Measure, certify
from .hypergradient import hypergradient_stationarity
from .lower_solution import FEASIBLE, LowerSolution, gain, solve_lower_globally
from .second_opinion import second_opinion

STARTS = 12
"""Starts of the lower level beside the given ones."""

LARGE = 1000
"""Variables beyond which a convex lower level is solved from y alone."""

TIE = 10.0
"""Other lower answers within so many tolerances of the best value count as rows."""


@dataclass(frozen=True)
class BilevelCertificate:
    """How well (x, y) solves a bilevel problem.

    Attributes
    ----------
    upper_feasibility, lower_feasibility : Measure
        Largest violation at each level, absolute, and relative to max(1, |bound|).
    lower_gap : Measure
        f(x, y) - min f(x, .), absolute, and relative to max(1, |min f|). Inf where no new solution was found.
    lower_gain : Measure
        How well the gap is known: what f gains by the violations of y, at least 1e-9, times their
        multipliers, twice. Large where the lower level is all but singular at x; other solvers with other
        tolerances then come to other values.
    stationarity : Measure
        Of the problem with the lower level's optimality conditions; inf where it could not be measured.
    kind : {"strong", "branches", "none"}
        How stationarity holds where lower constraints are active without a multiplier.
    lower_value : float
        The best value of the lower level that was found at x.
    lower_solution : ndarray, shape (n_y,)
        Where.
    lower_multipliers : ndarray, shape (m,)
        Multipliers of the lower constraints at y, L = f + c'g.
    F, f : float
        Values of both levels at (x, y).
    tol : float
        Tolerance on the scaled errors.
    """

    upper_feasibility: Measure
    lower_feasibility: Measure
    lower_gap: Measure
    lower_gain: Measure
    stationarity: Measure
    kind: str
    lower_value: float
    lower_solution: Vector
    lower_multipliers: Vector
    F: float
    f: float
    tol: float

    @property
    def feasible(self) -> bool:
        """Whether (x, y) is feasible for both levels and y solves the lower one."""
        errors = [self.upper_feasibility.scaled, self.lower_feasibility.scaled, self.lower_gap.scaled]
        return bool(np.isfinite([self.F, self.f]).all() and max(errors) <= self.tol)

    @property
    def holds(self) -> bool:
        """Whether all scaled errors are within the tolerance."""
        return self.feasible and max(self.stationarity.scaled, self.lower_gain.scaled) <= self.tol


def certify_bilevel(
    problem: BilevelProblem,
    x: Vector,
    y: Vector,
    tol: float = 1e-6,
    rng: np.random.Generator | int | None = 0,
    starts: int = STARTS,
    max_time: float = np.inf,
) -> BilevelCertificate:
    """Judge a point.

    Parameters
    ----------
    problem : BilevelProblem
        The original problem, evaluated outside any run's counts.
    x, y : ndarray, shapes (n_x,), (n_y,)
        The point.
    tol : float, default 1e-6
        Tolerance on the scaled errors.
    rng : default 0
        For the starts of the lower level.
    starts : int, default 12
        Starts of the lower level beside y and the problem's; none where it is known to be convex.
    max_time : float, default inf
        Seconds for the lower level; a certificate that would need more does not hold.

    Returns
    -------
    BilevelCertificate
    """
    with np.errstate(all="ignore"):
        judge = _Judge(problem, np.array(x, dtype=float), np.array(y, dtype=float), tol)
        return judge.certificate(np.random.default_rng(rng), starts, max_time)


class _Judge:
    def __init__(self, problem: BilevelProblem, x: Vector, y: Vector, tol: float) -> None:
        self.problem, self.x, self.y, self.tol = problem, x, y, tol
        self.w = problem.join(x, y)
        self.upper, self.lower = problem.upper_rows, problem.lower_rows
        self.F, self.f = (
            float(self.upper.objective(self.w.copy())),
            float(self.lower.objective(self.w.copy())),
        )

    def certificate(self, rng: np.random.Generator, starts: int, max_time: float) -> BilevelCertificate:
        problem, n_x = self.problem, self.problem.n_x
        upper = _violation(self.upper, self.w, slice(0, problem.n_x + problem.n_y))
        lower = _violation(self.lower, self.w, slice(n_x, None))
        # Of a large convex level one answer, whose optimality conditions are certified, is proof and cheap.
        one = problem.lower_convex and problem.n_y > LARGE
        ys = [self.y] if one else [self.y, problem.y0]
        answers, complete = solve_lower_globally(problem, self.x, ys, starts, 0.01 * self.tol, rng, max_time)
        found = sorted([*answers, *self._second_opinions(max_time)], key=lambda answer: answer.value)
        at_y = certify(LowerLevel(problem, self.x, self.y), self.y, tol=self.tol)
        gap = self._gap(found, complete)
        stationarity, kind = Measure(np.inf, np.inf), "none"
        if gap.scaled <= self.tol and max(upper.scaled, lower.scaled) <= self.tol:
            stationarity, kind = self._stationarity(answers, at_y)
        best = found[0] if found else None
        return BilevelCertificate(
            upper,
            lower,
            gap,
            self._gain(at_y),
            stationarity,
            kind,
            self.f if best is None else best.value,
            self.y.copy() if best is None else best.y,
            at_y.y,
            self.F,
            self.f,
            self.tol,
        )

    def _second_opinions(self, max_time: float) -> list[LowerSolution]:
        level = LowerLevel(self.problem, self.x, self.y)
        found = (second_opinion(level, start, 0.1 * max_time) for start in (self.y, self.problem.y0))
        return [answer for answer in found if answer is not None]

    def _gain(self, at_y: Certificate) -> Measure:
        found = gain(LowerLevel(self.problem, self.x), self.y, at_y.y, FEASIBLE)
        return Measure(found, found / max(1.0, abs(self.f)))

    def _gap(self, answers: list[LowerSolution], complete: bool) -> Measure:
        """Against the best value; no proof where no answer is certified, or not all were looked for."""
        if not answers or not np.isfinite(self.f):
            return Measure(np.inf, np.inf)
        gap = self.f - answers[0].value
        if not complete or not any(answer.success for answer in answers):
            return Measure(gap, np.inf)
        return Measure(gap, max(gap, 0.0) / max(1.0, abs(answers[0].value)))

    def _stationarity(self, answers: list[LowerSolution], at_y: Certificate) -> tuple[Measure, str]:
        """Of the single-level problem, in all its branches."""
        problem, c, z = self.problem, at_y.y, at_y.z
        if not (at_y.holds and problem.has_second_derivatives):
            return Measure(np.inf, np.inf), "none"
        if not problem.lower.capabilities.hessian_matrix:
            return hypergradient_stationarity(problem, self.x, self.y), "strong"
        system = KKTSystem(problem)
        u, v = system.rows.from_lower_solution(c, z)
        near = TIE * self.tol * max(1.0, abs(self.f))
        rivals = [
            LowerAnswer(other.y, other.c)
            for other in ([] if problem.lower_convex else answers)  # a convex level has no other minima
            if abs(other.value - self.f) <= near and self._is_elsewhere(other)
        ]
        strong, branches = branches_at(system, self.w, u)
        error = self._error(strong, system, u, v, [])
        if rivals and error.scaled > self.tol:
            error = self._error(strong, system, u, v, rivals)
        if error.scaled <= self.tol or len(branches) < 2:
            return error, "strong"
        if len(branches) > MAX_BRANCHES:
            return error, "none"
        errors = [self._error(branch, system, u, v, rivals) for branch in branches]
        return max(errors, key=lambda measure: measure.scaled), "branches"

    def _is_elsewhere(self, other: LowerSolution) -> bool:
        return float(abs(other.y - self.y).max()) > 1e-3 * (1.0 + float(abs(self.y).max()))

    def _error(
        self, branch: Branch, system: KKTSystem, u: Vector, v: Vector, rivals: list[LowerAnswer]
    ) -> Measure:
        level: NLP = branch.restrict(system)
        if rivals:  # a tie within the tolerance counts as a tie
            level = cuts = WithCuts(level, self.problem, rivals)
            cuts.cu[-len(rivals) :] = cuts.excess(self.w)
        point = np.concatenate([self.w, np.where(branch.vanishing, 0.0, u), v])
        found = certify(level, point, tol=self.tol)
        errors = found.stationarity, found.feasibility, found.complementarity, found.dual_sign
        return Measure(max(e.absolute for e in errors), found.error)


def _violation(level: NLP, w: Vector, own: slice) -> Measure:
    """Largest violation of the rows and of the bounds of a level's own variables."""
    worst = []
    c = np.array(level.constraints(w.copy()), dtype=float) if level.m else np.zeros(0)
    for value, lower, upper in ((c, level.cl, level.cu), (w[own], level.lb[own], level.ub[own])):
        rows = Intervals(value, np.maximum(lower, -INFINITY), np.minimum(upper, INFINITY), 0.0)
        worst.append((rows.violation(), rows.scaled_violation()))
    return Measure(*(float(np.max(pair)) for pair in zip(*worst, strict=True)))
