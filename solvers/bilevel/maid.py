"""`maid`: hypergradients only as exact as the step needs (Salehi, Mukherjee, Roberts & Ehrhardt, 2023).

MAID's control of accuracy around an L-BFGS step: with eps the error allowed to y, delta that of the adjoint
system, omega the bound on the error of the hypergradient p,

    while omega > (1 - eta) ||residual of p||:  eps, delta *= nu, and solve on
    for t = 1, 1/2, ...:  x+ = P_X(x + t d), y+ within eps
    until the upper bound on F(x+, y*(x+)) is sufficiently below the lower bound on F(x, y*(x))
    no such t: eps, delta *= nu, and try again;  else eps, delta *= growth

Near the answer values are too uncertain for that; there the slope of F along the step decides, with its own
bound omega (the approximate Wolfe conditions of Hager & Zhang, SIAM J. Optim. 16, 2005, equation 4.1).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from ..status import Status
from .driver import Run, State
from .hypergradient import Hypergradient, hypergradient_at, polished, refusal_of_lower
from .hypergradient_error import Constants, first_constants, updated
from .lower_newton import NotConvexError, newton_lower
from .lower_start import from_convex_region
from .outer_step import ARMIJO, OuterStep, shrinkage

RETRIES = 3
"""Times that a run goes on, to a tenth of the residual, after a certificate that does not hold."""

MAX_STUCK = 12
"""Searches in a row without a step, each at a higher accuracy, after which the run ends."""

_ROUNDING = 16 * float(np.finfo(float).eps)
"""Relative uncertainty of F however exact y is."""


_PROBE = 1e-3
"""Least relative length of the first step, from which constants are estimated."""


_AHEAD = 0.1
"""Eps is set for hypergradients of this relative length, so that steps seldom have to be solved for again."""


_GAIN = 0.5
"""Residuals that fall by less are at the floor of rounding."""


_POLISHED = 1e-3
"""Residual of the lower level at an answer, relative to that of the hypergradient."""


@dataclass
class _State(State):
    """A point with its hypergradient and the accuracy in force.

    `exhausted`: rounding keeps omega from being as small as the hypergradient asks for.
    """

    outer: OuterStep | None = None
    point: Hypergradient | None = None
    constants: Constants | None = None
    omega: float = np.inf
    exhausted: bool = False
    eps: float = 0.0
    delta: float = 0.0
    target: float = 0.0
    retries: int = 0
    stuck: int = 0


@dataclass(frozen=True)
class Maid:
    """Adaptively inexact hypergradients and projected L-BFGS.

    For an unconstrained lower level that is strongly convex in y, with second derivatives.

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate.
    max_iterations : int, default 1000
        Outer iterations.
    memory : int, default 50
        Pairs of L-BFGS. They cost next to nothing beside lower solutions, and many save iterations.
    eps0, delta0 : float, default 0.1
        First accuracies of y and of the adjoint system. They are corrected at once where they do not fit.
    alpha0 : float, default 1
        Length of the first step; L-BFGS knows those of the next ones.
    eta : float, default 0.5
        The bound omega stays below (1 - eta) times the length of the projected hypergradient.
    nu : float, default 0.1
        Factor of eps and delta where more accuracy is needed; Newton's method makes a digit cheap.
    growth : float, default 10
        Most that eps and delta grow by after a step. Below that they are what omega says the next
        hypergradient will need, so that first accuracies of any size are soon forgotten.
    max_backtracks : int, default 10
        Step lengths tried before more accuracy is asked for.
    constants : Constants, optional
        What is known of the problem; the bound omega is then proven. Default: estimated along the way.
    """

    tol: float = 1e-6
    max_iterations: int = 1000
    memory: int = 50
    eps0: float = 0.1
    delta0: float = 0.1
    alpha0: float = 1.0
    eta: float = 0.5
    nu: float = 0.1
    growth: float = 10.0
    max_backtracks: int = 10
    constants: Constants | None = None

    def __post_init__(self) -> None:
        for name in ("eps0", "delta0", "alpha0"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")
        for name in ("eta", "nu"):
            if not 0.0 < getattr(self, name) < 1.0:
                raise ValueError(f"{name} must lie between 0 and 1, got {getattr(self, name)}")
        if not self.growth >= 1.0:
            raise ValueError(f"growth must be at least 1, got {self.growth}")

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Lower constraints, upper constraints other than X, and missing second derivatives."""
        return refusal_of_lower(problem)

    def init(self, run: Run) -> _State:
        """The constants at the start, then a hypergradient that is accurate enough."""
        problem = run.problem
        x, y = problem.x0.copy(), problem.y0.copy()
        outer = OuterStep(problem.X, self.memory)
        outer.shorten(self.alpha0)
        state = _State(
            x,
            y,
            np.nan,
            outer=outer,
            eps=self.eps0,
            delta=self.delta0,
            target=0.1 * self.tol,
        )
        try:
            return from_convex_region(lambda start: self._first(run, state, start), run)
        except NotConvexError:
            return replace(state, F=problem.upper.objective(problem.join(x, y)), point=None)

    def _first(self, run: Run, state: _State, y: Vector) -> _State:
        """The start with constants and hypergradient."""
        point = hypergradient_at(run.problem, state.x, y, self.delta0)
        state = replace(state, point=point, constants=self.constants)
        return self._accurate(run, state if self.constants else self._probed(run, state))

    def step(self, run: Run, state: _State) -> _State:
        """One outer iteration; after a certificate that does not hold, with a sharper target."""
        if state.settled:
            target, retries = 0.1 * state.target, state.retries + 1
            return self._accurate(run, replace(state, target=target, retries=retries))
        assert state.outer is not None
        assert state.point is not None
        found = self._search(run, state, state.outer.direction(state.x, state.point.gradient))
        if found is None:
            return self._sharper(run, state)
        x, point = found
        s, p = x - state.x, state.point.gradient
        moved = replace(
            state,
            x=x,
            point=point,
            constants=self._learned(state, x, point),
            eps=state.eps * self.growth,
            delta=state.delta * self.growth,
            stuck=0,
        )
        moved = self._accurate(run, moved)
        assert moved.point is not None
        state.outer.learn(s, moved.point.gradient - p)
        return moved

    def check(self, run: Run, state: _State) -> Status | None:
        """The certificate's word, or the floor of accuracy."""
        if state.point is None:
            return Status.NUMERICAL_FAILURE
        if state.settled and run.certificate is not None and run.certificate.holds:
            return Status.CONVERGED
        return Status.STALLED if state.retries >= RETRIES or state.stuck >= MAX_STUCK else None

    def _probed(self, run: Run, state: _State) -> _State:
        """First constants from two points: the start, and a Newton step of the lower level from there."""
        assert state.point is not None
        problem, start = run.problem, state.point
        newton = start.curvature.solve(problem.lower.gradient(problem.join(state.x, start.y))[problem.n_x :])
        least = _PROBE * (1.0 + float(np.linalg.norm(start.y)))
        if float(np.linalg.norm(newton)) < least:
            newton = run.rng.standard_normal(problem.n_y)
            newton *= least / float(np.linalg.norm(newton))
        probe = hypergradient_at(problem, state.x, start.y - newton, self.delta0)
        constants = updated(first_constants(start), (state.x, start), (state.x, probe))
        better = min(start, probe, key=lambda point: point.lower_residual)
        return replace(state, point=better, constants=constants)

    def _accurate(self, run: Run, state: _State) -> _State:
        """Eps and delta lowered until omega is small beside the hypergradient, or at its floor."""
        assert state.outer is not None
        assert state.point is not None
        assert state.constants is not None
        point, constants, eps, delta = state.point, state.constants, state.eps, state.delta
        exhausted = False
        while True:
            omega = constants.error_bound(point)
            away = state.outer.residual(state.x, point.gradient)
            enough = max((1.0 - self.eta) * float(np.linalg.norm(away)), 0.5 * state.target)
            if float(abs(away).max()) <= state.target:  # an answer is to be as good as its y
                eps = min(eps, constants.error_of_lower(_POLISHED * state.target))
            within = constants.error_of_lower(point.lower_residual) <= eps
            if omega <= enough and within:
                break
            if within:
                eps, delta = self.nu * eps, self.nu * delta
            sharper = self._solved(run, state.x, point.y, replace(state, eps=eps, delta=delta), point)
            floor = sharper.lower_residual >= _GAIN * point.lower_residual
            if floor and sharper.adjoint_residual >= _GAIN * point.adjoint_residual:
                eps, exhausted = max(eps, constants.error_of_lower(point.lower_residual)), True
                break
            constants = self._learned(replace(state, point=point), state.x, sharper)
            point = sharper
        residual = float(abs(away).max())
        if residual <= state.target:
            point = polished(run.problem, state.x, point)
            residual = float(abs(state.outer.residual(state.x, point.gradient)).max())
        if omega > 0.0 and not exhausted:  # what the next hypergradient is likely to need
            eps = min(eps, _AHEAD * enough / omega * constants.error_of_lower(point.lower_residual))
            delta = min(delta, _AHEAD * enough * constants.modulus / max(constants.cross, 1e-300))
        return replace(
            state,
            y=point.y,
            F=point.F,
            point=point,
            constants=constants,
            omega=omega,
            exhausted=exhausted,
            eps=eps,
            delta=delta,
            settled=residual <= state.target,
            record={"residual": residual, "omega": omega, "eps": eps, "delta": delta},
        )

    def _sharper(self, run: Run, state: _State) -> _State:
        """No step at this accuracy: ask for more, in the end also for a shorter step."""
        assert state.outer is not None
        stuck = state.stuck + 1
        if stuck % 3 == 0:
            state.outer.shorten(1e-2**stuck * max(1.0, float(abs(state.x).max())))
        sharper = replace(state, eps=self.nu * state.eps, delta=self.nu * state.delta, stuck=stuck)
        sharper = self._accurate(run, sharper)
        return replace(sharper, settled=sharper.settled or stuck >= MAX_STUCK)

    def _search(self, run: Run, state: _State, d: Vector) -> tuple[Vector, Hypergradient] | None:
        """The first of t = 1, 1/2, ... with a sufficient decrease in spite of all errors.

        Where accuracy is exhausted the values are taken as they are: the certificate has the last word.
        """
        assert state.point is not None
        assert state.constants is not None
        problem, old, constants = run.problem, state.point, state.constants
        doubt = 0.0 if state.exhausted else 1.0
        rounding = _ROUNDING * max(1e-8, abs(old.F))
        t = 1.0
        for _ in range(self.max_backtracks):
            x = problem.X.project(state.x + t * d)
            s = x - state.x
            slope = float(old.gradient @ s)
            if not slope < 0.0:
                return None
            try:
                y = old.y - old.curvature.solve(old.curvature.cross(s), constants.modulus * state.eps)
                lower = newton_lower(problem, x, y, constants.modulus * state.eps, old.curvature)
                F, gradient = problem.upper.objective_and_gradient(problem.join(x, lower.y))
                rise, by_y = F - old.F, float(np.linalg.norm(gradient[problem.n_x :]))
                errors = constants.error_of_value(old) + constants.value_error(by_y, lower.residual)
                unsure = rounding + doubt * errors
                if rise + unsure <= ARMIJO * slope:
                    return x, hypergradient_at(problem, x, lower.y, state.delta, lower.residual)
                if rise <= unsure:
                    point = hypergradient_at(problem, x, lower.y, state.delta, lower.residual)
                    if self._slope_is_low(state, s, point):
                        return x, point
            except NotConvexError:
                rise = np.nan
            t *= shrinkage(rise, slope)
        return None

    def _slope_is_low(self, state: _State, s: Vector, point: Hypergradient) -> bool:
        """Whether the true slope at the end of the step shows a decrease, whatever the errors."""
        assert state.point is not None
        assert state.constants is not None
        length = 0.0 if state.exhausted else float(np.linalg.norm(s))
        start = float(state.point.gradient @ s) + state.omega * length
        end = float(point.gradient @ s) + state.constants.error_bound(point) * length
        return start < 0.0 and end <= (2.0 * ARMIJO - 1.0) * start

    def _solved(self, run: Run, x: Vector, y: Vector, state: _State, point: Hypergradient) -> Hypergradient:
        assert state.constants is not None
        lower = newton_lower(run.problem, x, y, state.constants.modulus * state.eps, point.curvature)
        return hypergradient_at(run.problem, x, lower.y, state.delta, lower.residual)

    def _learned(self, state: _State, x: Vector, point: Hypergradient) -> Constants:
        """The user's constants, or estimates after one more point."""
        assert state.point is not None
        assert state.constants is not None
        if self.constants is not None:
            return self.constants
        return updated(state.constants, (state.x, state.point), (x, point))
