"""The restoration phase as a run within the run: how it starts, what ends it, and what it proves."""

from __future__ import annotations

from enum import Enum

import numpy as np

from ...problems.nlp import Vector
from .form import Point, SlackForm
from .iteration import BarrierIteration, Outcome
from .operators import is_product
from .restoration import ElasticForm, LeastSquaresForm
from .search import FilterRule, FilterSearch
from .standstill import Standstill

REDUCTION = 0.9
"""Share of the violation at which the original iteration may be taken up again."""

THOROUGH = 1e-3
"""The same where that has been tried several times, and the iteration went astray again."""


ATTAINED = 1e-4
"""Relative distance to a bound from which a variable may be put on it."""

STANDSTILL = 4
"""Steps within rounding that are put up with."""

SHARPEST = 1e-14
"""Tolerance of the inner iteration at which the search for a stationary point of the violation ends."""


class Verdict(Enum):
    """What the restoration phase came to."""

    GOING_ON = "violation is being reduced"
    RESTORED = "a better point was found"
    INFEASIBLE = "converged to a stationary point of the violation"
    FAILED = "no progress"


class RestorationPhase:
    """Reduces the violation of the main iteration's constraints from where it is stuck.

    First in the l1 norm, which finds feasible points well; if that ends infeasible, in the sense of least
    squares, where the certificate of infeasibility is a smooth condition.

    Parameters
    ----------
    base : SlackForm
        The problem.
    main : BarrierIteration
        The iteration that is stuck. Its filter, if it has one, judges the way back.
    max_iterations : int
        After these the phase has failed.
    reduction : float, default 0.9
        Share of the violation at which the original iteration may be taken up again.
    """

    def __init__(
        self,
        base: SlackForm,
        main: BarrierIteration,
        max_iterations: int = 500,
        reduction: float = REDUCTION,
    ) -> None:
        self.base, self.main, self.reduction = base, main, reduction
        self.violation = float(np.abs(main.iterate.point.c).sum())
        self.remaining = max_iterations
        self.last_stage = False
        self.standstill = Standstill(STANDSTILL)
        mu = max(main.mu, min(main.iterate.infeasibility, 1e4), 1e-8)
        form = ElasticForm(base, main.iterate.point.w)
        self.form: ElasticForm | LeastSquaresForm = form
        self.inner = self._iteration(form)
        self.usable = self._begin(form, form.start(main.iterate, mu), mu)

    def _iteration(self, form: ElasticForm | LeastSquaresForm) -> BarrierIteration:
        main = self.main
        return BarrierIteration(
            form,
            [FilterSearch(FilterRule())],
            main.tol,
            main.barrier,
            main.regularisation,
            main.linear_algebra,
        )

    def _begin(
        self,
        form: ElasticForm | LeastSquaresForm,
        start: tuple[Vector, Vector, Vector, Vector],
        mu: float,
    ) -> bool:
        """Go over to another form; False, and nothing is changed, where its start has no finite values."""
        form.set_barrier(mu)
        w, y, zl, zu = start
        point = form.evaluate(w)
        if not (point.finite and form.differentiate(point)):
            return False
        inner = self._iteration(form)
        inner.start(point, y, zl, zu, mu)
        self.form, self.inner = form, inner
        return True

    def advance(self) -> Verdict:
        """One iteration, and the verdict after it."""
        if not self.usable or self.remaining <= 0:
            return Verdict.FAILED
        self.remaining -= 1
        outcome = self.inner.advance()
        if outcome is Outcome.STEP and self._acceptable():
            return Verdict.RESTORED
        if self.last_stage and self._is_certain():
            return Verdict.INFEASIBLE
        if outcome is Outcome.STEP and self.standstill.notice(self.inner):
            outcome = Outcome.NO_STEP
        if self.inner.error <= self.inner.tol or outcome is not Outcome.STEP:
            return self._at_the_end(outcome)
        return Verdict.GOING_ON

    def _is_certain(self) -> bool:
        """Whether the certificate of infeasibility holds, whatever the inner iteration makes of its error."""
        violation = np.abs(self.base.signed_violations(self.inner.iterate.point.x)).max(initial=0.0)
        return bool(violation > 1e2 * self.main.tol) and self._stationarity() <= 0.5 * self.main.tol

    def _at_the_end(self, outcome: Outcome) -> Verdict:
        """The inner iteration converged or is stuck itself."""
        violation = float(np.abs(self.constraints()).sum())
        if violation <= 1e2 * self.main.tol and violation < self.violation:
            return Verdict.RESTORED
        if not self.last_stage:
            self.last_stage = True
            return Verdict.GOING_ON if self._least_squares() else Verdict.FAILED
        stationarity = self._stationarity()
        if stationarity > 0.5 * self.main.tol:
            stationarity = min(stationarity, self._put_on_bounds())
        if stationarity > 0.5 * self.main.tol and outcome is Outcome.STEP and self.inner.tol > SHARPEST:
            self.inner.tol = max(0.1 * self.inner.tol, SHARPEST)
            return Verdict.GOING_ON
        return Verdict.INFEASIBLE if stationarity <= 1e2 * self.main.tol else Verdict.FAILED

    def _put_on_bounds(self) -> float:
        """Move variables next to a bound, towards which the violation falls, onto it; the stationarity there.

        At a bound that holds nothing, the barrier keeps a distance of the root of its parameter.
        """
        base, inner = self.base, self.inner.iterate
        w, x = inner.point.w.copy(), inner.point.x[base.free]
        force = self._violations(inner.point)[1]
        near = ATTAINED * np.maximum(1.0, np.abs(x))
        x = np.where((force > 0.0) & (x - base.x_lower <= near), base.x_lower, x)
        x = np.where((force < 0.0) & (base.x_upper - x <= near), base.x_upper, x)
        w[: base.nx] = x
        point = self.form.evaluate(w)
        if not (point.finite and self.form.differentiate(point)):
            return np.inf
        before, after = self._stationarity(), self._stationarity(point)
        if after < before:
            self.inner.replace_point(point, inner.zl, inner.zu)
        return after

    def _violations(self, point: Point) -> tuple[Vector, Vector]:
        """Weights of the scaled rows, and the gradient of half the squared violations, largest 1, in x."""
        base = self.base
        signed = base.signed_violations(point.x)
        largest = max(float(np.abs(signed).max(initial=0.0)), 1e-300)
        weights = signed / (largest * base.scaling.constraints)
        return weights, weights @ point.J

    def _stationarity(self, point: Point | None = None) -> float:
        """Largest step that steepest descent on the squared violations would make within the bounds.

        Violations are those of the original constraints, divided by the largest of them; the step is relative
        to the magnitudes of which it is the sum.
        """
        base, point = self.base, self.inner.iterate.point if point is None else point
        weights, force = self._violations(point)
        # Products tell nothing of the magnitudes that they are sums of.
        magnitude = 1.0 if is_product(point.J) else float((np.abs(weights) @ abs(point.J)).max(initial=1.0))
        x = point.x[base.free]
        step = x - np.minimum(np.maximum(x - force, base.x_lower), base.x_upper)
        return float(np.abs(step).max(initial=0.0)) / magnitude

    def _least_squares(self) -> bool:
        k, inner, c = self.base.nw, self.inner.iterate, self.constraints()
        form = LeastSquaresForm(self.base, c)
        z_max = max(float(inner.zl[:k].max(initial=0.0)), float(inner.zu[:k].max(initial=0.0)), 1.0)
        start = form.start(inner.point.w[:k], c, inner.zl[:k] / z_max, inner.zu[:k] / z_max)
        return self._begin(form, start, max(self.inner.mu, 1e-6))

    def constraints(self) -> Vector:
        """C(w) without the elastic variables."""
        point = self.inner.iterate.point
        return point.c - self.form.elastic(point.w)

    def _acceptable(self) -> bool:
        """Whether the original iteration can go on from here."""
        if float(np.abs(self.constraints()).sum()) > self.reduction * self.violation:
            return False
        search = self.main.searches[0]
        if not isinstance(search, FilterSearch):
            return True
        main, inner = self.main, self.inner.iterate
        k = self.base.nw
        point = self.base.evaluate(inner.point.w[:k])
        return point.finite and search.admits(*search.measure(point, main.bounds, main.mu))

    def hand_back(self) -> bool:
        """Continue the original iteration at the restored point; False where that cannot be evaluated."""
        if not self.usable:
            return False
        main, inner = self.main, self.inner.iterate
        k = self.base.nw
        point = self.base.evaluate(inner.point.w[:k])
        if not (point.finite and self.base.differentiate(point)):
            return False
        zl, zu = inner.zl[:k], inner.zu[:k]
        if max(zl.max(initial=0.0), zu.max(initial=0.0)) > 1e3:
            zl, zu = main.bounds.present_lower, main.bounds.present_upper
        main.replace_point(point, zl, zu)
        return True
