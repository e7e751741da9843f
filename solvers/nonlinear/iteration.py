"""One primal-dual barrier iteration on any problem in slack form; the restoration phase runs it too."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from math import isfinite

import numpy as np

from ...problems.nlp import Vector
from .barrier import BarrierRule, bound_multiplier_steps, dual_step_limit, primal_step_limit, stepped
from .barrier_kernels import relative_length
from .barrier_update import BarrierUpdate, MonotoneUpdate
from .form import Form, Point
from .iterate import Bounds, Iterate
from .linear_algebra import LinearAlgebra
from .newton import LARGEST_RESIDUAL, Direction, RegularisationRule
from .search import Accepted, Search, trial_point

TINY_STEP = 10.0 * float(np.finfo(float).eps)

MOST_TINY = 10
"""Steps within rounding in a row after which there is nothing to be gained by another."""

CRAWL_LENGTH = 10
"""Shortened steps in a row after which a search counts as stuck."""

CRAWL_FRACTION = 0.07
"""A step is shortened where the search cut it below this share of what the bounds allow: four halvings."""


class Outcome(Enum):
    """What an iteration came to."""

    STEP = "a step was taken"
    NO_STEP = "no trial was acceptable"
    CRAWLING = "steps have been too short for too long"
    NO_DIRECTION = "no usable Newton direction"


@dataclass
class IterationLog:
    """What the last iteration did, for the log."""

    mu: float = 0.0
    alpha: float = 0.0
    alpha_dual: float = 0.0
    delta_w: float = 0.0
    delta_c: float = 0.0
    step: float = 0.0
    search: str = ""
    factorisations: int = 0
    inner_iterations: int = 0
    repairs: str = ""


@dataclass(eq=False)
class BarrierIteration:
    """Newton's method on the barrier problem with a list of searches, tried in turn.

    Attributes
    ----------
    form : Form
        The problem in slack form.
    searches : list of Search
        The first is used; `next_search` gives it up for good.
    tol : float
        Target of the optimality error; the barrier parameter ends at tol/10.
    """

    form: Form
    searches: list[Search]
    tol: float
    barrier: BarrierRule = field(default_factory=BarrierRule)
    regularisation: RegularisationRule = field(default_factory=RegularisationRule)
    linear_algebra: LinearAlgebra = field(default_factory=LinearAlgebra)
    update: BarrierUpdate = field(default_factory=MonotoneUpdate)
    mu: float = 0.0
    log: IterationLog = field(default_factory=IterationLog)
    tiny_steps: int = 0
    short_steps: int = 0

    def __post_init__(self) -> None:
        self.bounds = Bounds(self.form.lower, self.form.upper)
        self.system = self.linear_algebra.system(self.form, self.regularisation)
        self.iterate: Iterate

    def start(self, point: Point, y: Vector | None, zl: Vector | None, zu: Vector | None, mu: float) -> None:
        """Begin at a differentiated point; missing multipliers: 1 for bounds, least squares for rows."""
        self.mu = mu if self.bounds.count else 0.0
        self.form.set_barrier(self.mu)
        zl = self.bounds.present_lower if zl is None else zl * self.bounds.present_lower
        zu = self.bounds.present_upper if zu is None else zu * self.bounds.present_upper
        self.iterate = Iterate(self.form, self.bounds, point, np.zeros(self.form.m), zl, zu)
        if y is None:
            y = self.system.least_squares_multipliers(self.iterate)
        self.iterate = Iterate(self.form, self.bounds, point, y, zl, zu)
        for search in self.searches:
            search.reset()

    @property
    def smallest_mu(self) -> float:
        """Barrier parameter that leaves an error within the tolerance."""
        return self.tol / (self.barrier.tolerance_factor + 1.0)

    @property
    def error(self) -> float:
        """Optimality error of the problem itself, E_0."""
        return self.iterate.error(0.0)

    def advance(self) -> Outcome:
        """One iteration: barrier parameter, Newton direction, search, multipliers."""
        self.update.at_iterate(self)
        while True:
            direction = self._direction()
            if direction is None:
                return Outcome.NO_DIRECTION
            tau = self.barrier.tau(self.mu)
            limit = primal_step_limit(self.iterate, direction.dw, tau)
            accepted = self._tiny_step(direction, limit) or self._search(direction, limit)
            if accepted is not None:
                break
            if not self.update.retreat(self):
                return Outcome.NO_STEP
        self._accept(accepted, tau)
        self.short_steps = self.short_steps + 1 if accepted.alpha < CRAWL_FRACTION * limit else 0
        return Outcome.CRAWLING if self.short_steps >= CRAWL_LENGTH else Outcome.STEP

    def set_barrier(self, mu: float) -> None:
        """Go over to another barrier parameter."""
        if mu == self.mu:
            return
        self.mu = mu
        self.tiny_steps = self.short_steps = 0
        self.form.set_barrier(mu)
        it = self.iterate
        point = self.form.refresh(it.point)
        if point is not it.point:
            self.iterate = Iterate(self.form, self.bounds, point, it.y, it.zl, it.zu)
        for search in self.searches:
            search.reset()

    def _direction(self) -> Direction | None:
        """A direction that solves the Newton system, repaired where the residual test fails."""
        system, iterate = self.system, self.iterate
        system.target = self.tol
        if not system.factor(iterate, self.mu):
            return None
        direction = self.update.with_factors(self)
        while True:
            direction = direction or system.direction(iterate, self.mu)
            if direction.residual <= LARGEST_RESIDUAL or (not system.direct and isfinite(direction.residual)):
                return direction
            direction = None
            if not system.resolve(iterate.sigma):
                return None

    def _tiny_step(self, direction: Direction, limit: float) -> Accepted | None:
        """A step within rounding of w is taken without a search: no function can judge it."""
        relative = relative_length(direction.dw, self.iterate.point.w)
        if not relative <= TINY_STEP or self.iterate.infeasibility > 1e-4:
            self.tiny_steps = 0
            return None
        if self.tiny_steps >= MOST_TINY:
            return None
        point = trial_point(self.iterate, direction.dw, limit)
        if point is None or not self.form.differentiate(point):
            return None
        self.tiny_steps += 1
        return Accepted(point, limit, direction, "t")

    def _search(self, direction: Direction, limit: float) -> Accepted | None:
        return self.searches[0].search(self.system, self.iterate, direction, self.mu, limit)

    def next_search(self) -> bool:
        """Give the present search up for the next one; False where it is the last."""
        self.short_steps = 0
        if len(self.searches) == 1:
            return False
        del self.searches[0]
        return True

    def _accept(self, accepted: Accepted, tau: float) -> None:
        old, d, alpha = self.iterate, accepted.direction, accepted.alpha
        y = old.y + alpha * d.dy
        zl, zu, alpha_dual = old.zl, old.zu, alpha
        if self.bounds.count:
            if alpha > 1.0:
                d.dzl, d.dzu = bound_multiplier_steps(old, alpha * d.dw, self.mu)
            alpha_dual = dual_step_limit(old, d.dzl, d.dzu, tau)
            gaps = self.bounds.gaps(accepted.point)
            zl = stepped(zl, d.dzl, alpha_dual, gaps.lower, self.mu)
            zu = stepped(zu, d.dzu, alpha_dual, gaps.upper, self.mu)
        self.form.learn(old.point, accepted.point, y)
        self.iterate = Iterate(self.form, self.bounds, accepted.point, y, zl, zu)
        self.log = IterationLog(
            mu=self.mu,
            alpha=alpha,
            alpha_dual=alpha_dual,
            delta_w=self.system.delta_w,
            delta_c=self.system.delta_c,
            step=float(np.abs(d.dw).max(initial=0.0)),
            search=accepted.label,
            factorisations=self.system.factorisations,
            inner_iterations=self.system.iterations,
            repairs=self.system.report_repairs(),
        )

    def replace_point(self, point: Point, zl: Vector, zu: Vector) -> None:
        """Continue from a point found elsewhere, with least-squares multipliers of the rows."""
        zl, zu = zl * self.bounds.present_lower, zu * self.bounds.present_upper
        provisional = Iterate(self.form, self.bounds, point, np.zeros(self.form.m), zl, zu)
        y = self.system.least_squares_multipliers(provisional)
        self.iterate = Iterate(self.form, self.bounds, point, y, zl, zu)
        self.tiny_steps = self.short_steps = 0
