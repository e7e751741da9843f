"""The restoration phase as a run within the run: how it starts, what ends it, and what it proves."""

from __future__ import annotations

from enum import Enum

import numpy as np

from .form import SlackForm
from .iterate import Iterate
from .iteration import BarrierIteration, Outcome
from .restoration import ElasticForm, elastic_multipliers
from .search import FilterRule, FilterSearch

REDUCTION = 0.9
"""Share of the violation at which the original iteration may be taken up again."""


class Verdict(Enum):
    """What the restoration phase came to."""

    GOING_ON = "violation is being reduced"
    RESTORED = "a better point was found"
    INFEASIBLE = "converged to a stationary point of the violation"
    FAILED = "no progress"


class RestorationPhase:
    """Minimises the violation of the main iteration's constraints from where it is stuck.

    Parameters
    ----------
    base : SlackForm
        The problem.
    main : BarrierIteration
        The iteration that is stuck. Its filter, if it has one, judges the way back.
    max_iterations : int
        After these the phase has failed.
    """

    def __init__(self, base: SlackForm, main: BarrierIteration, max_iterations: int = 500) -> None:
        self.main = main
        iterate = main.iterate
        self.form = ElasticForm(base, iterate.point.w)
        self.violation = float(np.abs(iterate.point.c).sum())
        self.remaining = max_iterations
        mu = max(main.mu, min(iterate.infeasibility, 1e4), 1e-8)
        self.form.set_barrier(mu)
        w = np.concatenate([iterate.point.w, self.form.elastic_start(iterate.point.c, mu)])
        self.inner = BarrierIteration(
            self.form,
            [FilterSearch(FilterRule())],
            main.tol,
            main.barrier,
            main.regularisation,
            main.linear_solver,
        )
        point = self.form.evaluate(w)
        self.usable = point.finite and self.form.differentiate(point)
        if self.usable:
            zl, zu = elastic_multipliers(self.form, iterate, w, mu)
            self.inner.start(point, np.zeros(self.form.m), zl, zu, mu)

    def advance(self) -> Verdict:
        """One iteration, and the verdict after it."""
        if not self.usable or self.remaining <= 0:
            return Verdict.FAILED
        self.remaining -= 1
        outcome = self.inner.advance()
        if outcome is Outcome.STEP and self._acceptable():
            return Verdict.RESTORED
        if self.inner.error <= max(self.inner.tol, 1e-8) or outcome is not Outcome.STEP:
            return self._final_verdict(outcome)
        return Verdict.GOING_ON

    def _final_verdict(self, outcome: Outcome) -> Verdict:
        violation = self._violation()
        small = 1e2 * self.main.tol
        if violation <= max(small, 0.0):
            return Verdict.RESTORED if violation < self.violation else Verdict.FAILED
        if self.inner.error <= 1e-5:
            return Verdict.INFEASIBLE
        if outcome is not Outcome.STEP and violation <= REDUCTION * self.violation:
            return Verdict.RESTORED
        return Verdict.FAILED

    def _violation(self) -> float:
        return float(np.abs(self.original_constraints()).sum())

    def original_constraints(self) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
        """C(w) without the elastic variables."""
        point = self.inner.iterate.point
        _, p, q = self.form.split(point.w)
        return np.asarray(point.c + p - q)

    def _acceptable(self) -> bool:
        """Whether the original iteration can go on from here."""
        violation = self._violation()
        if violation > REDUCTION * self.violation:
            return False
        search = self.main.searches[0]
        if not isinstance(search, FilterSearch):
            return True
        w = self.form.split(self.inner.iterate.point.w)[0]
        point = self.main.form.evaluate(w)
        trial = Iterate(self.main.form, self.main.bounds, point, *self._multipliers())
        return point.finite and search.admits(*search.measure(trial, self.main.mu))

    def _multipliers(
        self,
    ) -> tuple[np.ndarray[tuple[int, ...], np.dtype[np.float64]], ...]:
        k = self.form.base.nw
        inner = self.inner.iterate
        return np.zeros(self.form.m), inner.zl[:k], inner.zu[:k]

    def hand_back(self) -> bool:
        """Continue the original iteration at the restored point; False where that cannot be evaluated."""
        main = self.main
        w = self.form.split(self.inner.iterate.point.w)[0]
        point = main.form.evaluate(w)
        if not (point.finite and main.form.differentiate(point)):
            return False
        _, zl, zu = self._multipliers()
        if max(zl.max(initial=0.0), zu.max(initial=0.0)) > 1e3:
            zl, zu = main.bounds.present_lower, main.bounds.present_upper
        main.replace_point(point, zl, zu)
        return True
