"""Globalisation: which trial along a Newton direction becomes the next iterate.

Two searches with one interface. `ExactMeritSearch` is the method of the paper; `FilterSearch` is what a run
falls back to where the merit function leads nowhere.
"""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np

from ...problems.nlp import Vector
from .barrier import barrier_gradient, barrier_value, primal_step_limit
from .form import Point, SlackForm
from .iterate import Bounds, Iterate
from .kkt import DENSE_LIMIT
from .merit import EPSILON, MeritRule, Slopes, affine_scaling, merit_floor, merit_slopes, merit_value
from .newton import Direction, NewtonSystem

if TYPE_CHECKING:
    from .linear_algebra import LinearAlgebra


@dataclass(slots=True)
class Accepted:
    """A trial that was accepted: the step in w, its length alpha, and the differentiated point."""

    point: Point
    alpha: float
    direction: Direction
    label: str


class Search(Protocol):
    """A line search along a Newton direction."""

    def reset(self) -> None:
        """Forget what belongs to the previous barrier parameter."""

    def search(
        self, system: NewtonSystem, iterate: Iterate, direction: Direction, mu: float, limit: float
    ) -> Accepted | None:
        """The next point at a step length of at most ``limit``, or None where no trial is acceptable."""


def suits_filter(form: SlackForm, algebra: LinearAlgebra) -> bool:
    """Whether the filter is the better first search, by the measurements behind `globalisation="auto"`."""
    inequalities = form.bounded or form.tail_rows.size > 0
    wanted = form.m > 0 and (inequalities or form.pattern.order > DENSE_LIMIT)
    return wanted and not algebra.iterative


ROUNDED = 1e-8
"""Growth of the violation, relative to w, that may be rounding far out on the way of an unbounded problem."""


def _violation(point: Point) -> float:
    """||C(w)||_1."""
    return float(np.abs(point.c).sum())


def trial_point(iterate: Iterate, dw: Vector, alpha: float) -> Point | None:
    """The point at ``w + alpha dw`` with finite function values, or None."""
    point = iterate.form.evaluate(iterate.point.w + alpha * dw)
    return point if point.finite else None


class ExactMeritSearch:
    """Armijo backtracking on the exact augmented Lagrangian; x and multipliers move together.

    Parameters
    ----------
    rule : MeritRule
    """

    def __init__(self, rule: MeritRule) -> None:
        self.rule = rule
        self.eta1, self.eta2 = rule.eta1, rule.eta2
        self._recent: deque[float] = deque(maxlen=rule.memory)
        self._short = 0

    def reset(self) -> None:
        """Start again from the first penalty parameters."""
        self.eta1, self.eta2 = self.rule.eta1, self.rule.eta2
        self._recent.clear()
        self._short = 0

    def search(
        self, system: NewtonSystem, iterate: Iterate, direction: Direction, mu: float, limit: float
    ) -> Accepted | None:
        """See `Search.search`."""
        rule, scale = self.rule, affine_scaling(iterate)
        slopes = self._slopes(system, iterate, direction, mu, scale)
        while not slopes.descends(self.eta1, self.eta2):
            sharper = system.sharpen(iterate, mu)
            if sharper is None:
                break
            direction = sharper
            slopes = self._slopes(system, iterate, direction, mu, scale)
            limit = primal_step_limit(iterate, direction.dw, max(0.99, 1.0 - mu))
        while not slopes.descends(self.eta1, self.eta2):
            self.eta1 *= rule.growth**2
            self.eta2 /= rule.growth
            if not self.eta1 <= rule.largest_eta1:
                return None
        line = _MeritLine(iterate, direction, mu, scale, self.eta1, self.eta2)
        reference = self._reference(line.start, iterate.form.m)
        slope = slopes.total(self.eta1, self.eta2)
        found = self._trial(line, reference, slope, limit)
        if found is None:
            corrected = self._correct(line, system, reference + self.rule.armijo * limit * slope, limit)
            if corrected is not None:
                return corrected
            found = self._backtrack(line, reference, slope, self.rule.shrink * limit)
        if found is None:
            return None
        self._short = self._short + 1 if found.alpha < limit else 0
        if system.regularised and found.alpha == limit == 1.0 and found.merit < line.start:
            found = self._expand(line, found)
        return Accepted(found.point, found.alpha, direction, "m")

    def _slopes(
        self, system: NewtonSystem, iterate: Iterate, direction: Direction, mu: float, scale: Vector
    ) -> Slopes:
        """Slopes along the direction, with eta2 in balance with them."""
        slopes = merit_slopes(iterate, system.hessian, mu, scale, direction.dw, direction.dy)
        self.eta2 = slopes.balanced(self.eta2, self.rule.balance) if iterate.form.m else 0.0
        return slopes

    def _reference(self, start: float, m: int) -> float:
        """What M has to fall below: in a curved valley without constraints, the largest of its last values.

        Grippo, Lampariello & Lucidi, "A nonmonotone line search technique for Newton's method", SIAM J.
        Numer. Anal. 23 (1986): full steps across the valley, not small ones along it. Only after steps have
        been cut several times in a row, since elsewhere it leads away to worse minimisers. With constraints
        M changes with its parameters, and values of different iterations do not compare.
        """
        if m:
            return start
        self._recent.append(start)
        return max(self._recent) if self._short >= self.rule.patience else start

    def _trial(self, line: _MeritLine, reference: float, slope: float, alpha: float) -> _Trial | None:
        """Armijo's test with a floor for rounding."""
        noise = 10.0 * EPSILON * abs(line.start)
        within_rounding = -alpha * slope <= noise
        return line.at(
            alpha, math.inf if within_rounding else reference + self.rule.armijo * alpha * slope + noise
        )

    def _backtrack(self, line: _MeritLine, reference: float, slope: float, alpha: float) -> _Trial | None:
        """Halve the step until it passes the test."""
        shortest = self.rule.smallest_step * alpha
        while alpha > shortest:
            trial = self._trial(line, reference, slope, alpha)
            if trial is not None:
                return trial
            alpha *= self.rule.shrink
        return None

    def _correct(
        self, line: _MeritLine, system: NewtonSystem, wanted: float, alpha: float
    ) -> Accepted | None:
        """A second-order correction of the full step, where that made the constraints worse.

        As in the filter method, section 2.4 of Waechter & Biegler (2006), but once, and judged by M.
        """
        origin, mu = line.iterate, line.mu
        c = origin.point.c
        point = trial_point(origin, line.direction.dw, alpha) if c.size and system.direct else None
        if point is None or _violation(point) < _violation(origin.point):
            return None
        direction = system.direction(origin, mu, alpha * c + point.c)
        if not math.isfinite(direction.residual):
            return None
        alpha = primal_step_limit(origin, direction.dw, max(0.99, 1.0 - mu))
        found = line.along(direction).at(alpha, wanted)
        return None if found is None else Accepted(found.point, alpha, direction, "c")

    def _expand(self, line: _MeritLine, found: _Trial) -> _Trial:
        """Double a full step of a regularised system while that pays: its length is the regularisation's.

        Not where the step has made the constraints worse: M can fall for ever along y'C.
        """
        worse = _violation(found.point) - _violation(line.iterate.point)
        if worse > ROUNDED * max(1.0, float(np.abs(found.point.w).max(initial=0.0))):
            return found
        longest = primal_step_limit(line.iterate, line.direction.dw, 0.99, self.rule.longest_step)
        while 2.0 * found.alpha <= longest:
            # Less than the decrease per length so far means that the curvature is beginning to count.
            trial = line.at(2.0 * found.alpha, found.merit + 0.5 * (found.merit - line.start))
            if trial is None:
                break
            found = trial
        return found


@dataclass(slots=True)
class _Trial:
    """Step length, differentiated point, merit function there."""

    alpha: float
    point: Point
    merit: float


class _MeritLine:
    """The merit function along one direction."""

    def __init__(
        self, iterate: Iterate, direction: Direction, mu: float, scale: Vector, eta1: float, eta2: float
    ) -> None:
        self.iterate, self.direction, self.eta1, self.mu = iterate, direction, eta1, mu
        self._parameters = mu, scale, eta1, eta2
        self.start = merit_value(iterate.bounds, iterate, *self._parameters)

    def along(self, direction: Direction) -> _MeritLine:
        """The same function along another direction."""
        mu, scale, eta1, eta2 = self._parameters
        return _MeritLine(self.iterate, direction, mu, scale, eta1, eta2)

    def at(self, alpha: float, wanted: float) -> _Trial | None:
        """The trial of this length; None where M is above ``wanted``, or something is not finite.

        A trial that is refused for its function values alone costs no derivatives.
        """
        origin, d = self.iterate, self.direction
        point = trial_point(origin, d.dw, alpha)
        if point is None:
            return None
        y = origin.y + alpha * d.dy
        floor = merit_floor(origin.bounds, point, y, self.mu, self.eta1)
        if not floor <= wanted or not origin.form.differentiate(point):
            return None
        trial = Iterate(origin.form, origin.bounds, point, y, origin.zl, origin.zu)
        value = merit_value(origin.bounds, trial, *self._parameters)
        return _Trial(alpha, point, value) if value <= wanted and math.isfinite(value) else None


@dataclass(frozen=True)
class FilterRule:
    """Constants of the filter line search, Waechter & Biegler (2006), section 2.3 and table of section 4."""

    gamma_theta: float = 1e-5
    gamma_phi: float = 1e-8
    delta: float = 1.0
    s_theta: float = 1.1
    s_phi: float = 2.3
    armijo: float = 1e-8
    alpha_min_factor: float = 0.05
    soc_reduction: float = 0.99
    max_soc: int = 4
    theta_max_factor: float = 1e4
    theta_min_factor: float = 1e-4
    max_increase: float = 5.0


class FilterSearch:
    """Filter line search with second-order corrections.

    Waechter & Biegler, "Line search filter methods for nonlinear programming: motivation and global
    convergence", SIAM J. Optim. 16 (2005).

    Parameters
    ----------
    rule : FilterRule
    """

    def __init__(self, rule: FilterRule) -> None:
        self.rule = rule
        self._theta_max = self._theta_min = math.inf
        self.entries: list[tuple[float, float]] = []

    def reset(self) -> None:
        """Empty the filter."""
        self.entries.clear()

    def add(self, theta: float, phi: float) -> None:
        """Forbid the neighbourhood of a point."""
        margin = (1.0 - self.rule.gamma_theta) * theta, phi - self.rule.gamma_phi * theta
        self.entries = [e for e in self.entries if e[0] < margin[0] or e[1] < margin[1]]
        self.entries.append(margin)

    def admits(self, theta: float, phi: float) -> bool:
        """Whether a pair is acceptable to the filter."""
        if not (theta <= self._theta_max and math.isfinite(phi)):
            return False
        return all(theta < t or phi < p for t, p in self.entries)

    def measure(self, point: Point, bounds: Bounds, mu: float) -> tuple[float, float]:
        """Violation and barrier function; the first call fixes the thresholds of violation."""
        theta = _violation(point)
        if self._theta_max == math.inf:
            self._theta_max = self.rule.theta_max_factor * max(1.0, theta)
            self._theta_min = self.rule.theta_min_factor * max(1.0, theta)
        return theta, barrier_value(bounds, point, mu)

    def search(
        self, system: NewtonSystem, iterate: Iterate, direction: Direction, mu: float, limit: float
    ) -> Accepted | None:
        """See `Search.search`."""
        theta, phi = self.measure(iterate.point, iterate.bounds, mu)
        assert iterate.point.g is not None
        slope = float(barrier_gradient(iterate, mu, iterate.point.g) @ direction.dw)
        judge = _Judge(self, theta, phi, slope)
        alpha = limit
        smallest = judge.smallest_step()
        while alpha >= smallest:
            point = trial_point(iterate, direction.dw, alpha)
            accepted = None
            if point is not None:
                if judge.accepts(iterate, point, mu, alpha) and iterate.form.differentiate(point):
                    accepted = Accepted(point, alpha, direction, "f")
                elif alpha == limit and _violation(point) >= theta > 0.0:
                    accepted = self._correct(judge, system, iterate, point, mu, alpha)
            if accepted is not None:
                if not judge.by_descent:
                    self.add(theta, phi)
                return accepted
            alpha *= 0.5
        return None

    def _correct(
        self,
        judge: _Judge,
        system: NewtonSystem,
        iterate: Iterate,
        point: Point,
        mu: float,
        alpha: float,
    ) -> Accepted | None:
        """Second-order corrections of the full step, section 2.4 of Waechter & Biegler (2006)."""
        c = iterate.point.c
        previous = _violation(iterate.point)
        for _ in range(self.rule.max_soc):
            c = alpha * c + point.c
            corrected = system.direction(iterate, mu, c)
            if not math.isfinite(corrected.residual):
                return None
            alpha = primal_step_limit(iterate, corrected.dw, max(0.99, 1.0 - mu))
            trial = trial_point(iterate, corrected.dw, alpha)
            if trial is None:
                return None
            if judge.accepts(iterate, trial, mu, alpha) and iterate.form.differentiate(trial):
                return Accepted(trial, alpha, corrected, "s")
            theta = _violation(trial)
            if theta > self.rule.soc_reduction * previous:
                return None
            point, previous = trial, theta
        return None


class _Judge:
    """Acceptance of one line search's trials."""

    def __init__(self, owner: FilterSearch, theta: float, phi: float, slope: float) -> None:
        self.owner, self.rule = owner, owner.rule
        self.theta, self.phi, self.slope = theta, phi, slope
        self.small = theta <= owner._theta_min
        self.by_descent = False

    def _switch(self) -> np.float64:
        """Right-hand side of the switching condition, equation (19)."""
        return np.float64(self.rule.delta * _power(self.theta, self.rule.s_theta))

    def smallest_step(self) -> float:
        """Step length below which restoration is the better idea, equation (23)."""
        rule, slope = self.rule, self.slope
        alpha = rule.gamma_theta
        if slope < 0.0:
            alpha = min(alpha, rule.gamma_phi * self.theta / -slope)
            if self.small:
                alpha = min(alpha, float(self._switch() / _power(-slope, rule.s_phi)))
        return max(rule.alpha_min_factor * alpha, 1e-14)

    def accepts(self, iterate: Iterate, point: Point, mu: float, alpha: float) -> bool:
        """Whether a trial makes sufficient progress and is acceptable to the filter."""
        rule = self.rule
        theta = _violation(point)
        phi = barrier_value(iterate.bounds, point, mu)
        if not (math.isfinite(theta) and math.isfinite(phi)):
            return False
        increase = phi - self.phi
        if increase > 0.0 and math.log10(increase) > rule.max_increase + max(
            0.0, math.log10(max(abs(self.phi), 10.0))
        ):
            return False
        noise = 10.0 * EPSILON * abs(self.phi)
        switching = (
            self.slope < 0.0 and self.small and alpha * _power(-self.slope, rule.s_phi) > self._switch()
        )
        self.by_descent = False
        if switching:
            self.by_descent = phi - self.phi <= rule.armijo * alpha * self.slope + noise
            if not self.by_descent:
                return False
        elif not (
            theta <= (1.0 - rule.gamma_theta) * self.theta + 10.0 * EPSILON * self.theta
            or phi - self.phi <= -rule.gamma_phi * self.theta + noise
        ):
            return False
        return self.owner.admits(theta, phi - noise)


def _power(base: float, exponent: float) -> np.float64:
    """Of numpy's kind, where what is out of range is inf or 0 and may be divided by, not an exception."""
    return np.float64(np.float_power(base, exponent))
