"""`implicit`: L-BFGS on F(x, y*(x)) with the exact hypergradient, for strongly convex lower levels.

One iteration:

    d: the L-BFGS direction over X for the hypergradient p
    for t = 1, 1/2, ...:  x+ = P_X(x + t d)
                          y+ = y*(x+) by Newton's method from the tangent y - H^-1 J (x+ - x)
    until F(x+, y+) is sufficiently below F(x, y)
    p+ by one factorisation of H at (x+, y+), which also serves the next lower solution as its Newton matrix
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from ..status import Status
from .driver import Run, State
from .hypergradient import Hypergradient, hypergradient_at, polished, refusal_of_lower
from .lower_newton import NotConvexError, newton_lower
from .lower_start import from_convex_region
from .outer_step import ARMIJO, OuterStep, shrinkage

MAX_BACKTRACKS = 30

RETRIES = 3
"""Times that a run goes on, to a tenth of the residual, after a certificate that does not hold."""

MAX_STUCK = 3
"""Searches in a row without a step, each from a shorter one, after which the run ends."""

_LOWER = 1e-3
"""Residuals of the lower level and of the adjoint, relative to the hypergradient."""

_VALUE = 1e-2
"""Error of F by the lower level's residual r, which is q'r, relative to the decrease that a step promises."""

_ROUNDING = 16 * float(np.finfo(float).eps)
"""Relative uncertainty of F."""


@dataclass
class _State(State):
    """A point with its hypergradient; `target` is the residual at which it counts as an answer."""

    outer: OuterStep | None = None
    point: Hypergradient | None = None
    target: float = 0.0
    retries: int = 0
    stuck: int = 0


@dataclass(frozen=True)
class Implicit:
    """Exact hypergradients by the implicit function theorem and projected L-BFGS.

    For an unconstrained lower level that is strongly convex in y, with second derivatives. Each lower level
    is solved so well that its error is not seen; `Maid` solves them only as well as the step needs.

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate.
    max_iterations : int, default 1000
        Outer iterations.
    memory : int, default 50
        Pairs of L-BFGS. They cost next to nothing beside lower solutions, and many save iterations.
    """

    tol: float = 1e-6
    max_iterations: int = 1000
    memory: int = 50

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Lower constraints, upper constraints other than X, and missing second derivatives."""
        return refusal_of_lower(problem)

    def init(self, run: Run) -> _State:
        """The lower solution and the hypergradient at the start."""
        problem, target = run.problem, 0.1 * self.tol
        x, y = problem.x0.copy(), problem.y0.copy()
        state = _State(x, y, np.nan, outer=OuterStep(problem.X, self.memory), target=target)
        try:
            point = from_convex_region(lambda start: self._solved(run, x, start, _LOWER * target), run)
            return self._at(run, state, x, point)
        except NotConvexError:
            return replace(state, F=problem.upper.objective(problem.join(x, y)))

    def step(self, run: Run, state: _State) -> _State:
        """One outer iteration; after a certificate that does not hold, with a sharper target."""
        if state.settled:
            state = replace(state, target=0.1 * state.target, retries=state.retries + 1, settled=False)
        assert state.outer is not None
        assert state.point is not None
        x, p = state.x, state.point.gradient
        found = self._search(run, state, state.outer.direction(x, p))
        if found is None:
            return self._no_step(state)
        x_next, point = found
        state.outer.learn(x_next - x, point.gradient - p)
        return self._at(run, replace(state, stuck=0), x_next, point)

    def check(self, run: Run, state: _State) -> Status | None:
        """The certificate's word, or the floor of rounding."""
        if state.point is None:
            return Status.NUMERICAL_FAILURE
        if state.settled and run.certificate is not None and run.certificate.holds:
            return Status.CONVERGED
        return Status.STALLED if state.retries >= RETRIES or state.stuck >= MAX_STUCK else None

    def _at(self, run: Run, state: _State, x: Vector, point: Hypergradient) -> _State:
        """The state at x; an answer's lower level is solved to the last."""
        assert state.outer is not None
        residual = float(abs(state.outer.residual(x, point.gradient)).max())
        if residual <= state.target:
            if point.lower_residual > _LOWER * state.target:
                point = self._solved(run, x, point.y, _LOWER * state.target)
            point = polished(run.problem, x, point)
            residual = float(abs(state.outer.residual(x, point.gradient)).max())
        return replace(
            state,
            x=x,
            y=point.y,
            F=point.F,
            point=point,
            settled=residual <= state.target,
            record={"residual": residual, "lower_residual": point.lower_residual},
        )

    def _no_step(self, state: _State) -> _State:
        """Try a short step along the gradient next; in the end let the certificate judge what there is."""
        assert state.outer is not None
        stuck = state.stuck + 1
        state.outer.shorten(1e-3**stuck * max(1.0, float(abs(state.x).max())))
        return replace(state, stuck=stuck, settled=stuck >= MAX_STUCK)

    def _search(self, run: Run, state: _State, d: Vector) -> tuple[Vector, Hypergradient] | None:
        """The first of t = 1, 1/2, ... that lowers F enough, or, where F says nothing more, its slope."""
        assert state.point is not None
        problem, old = run.problem, state.point
        unsure = _ROUNDING * max(1e-8, abs(old.F))
        t = 1.0
        for _ in range(MAX_BACKTRACKS):
            x = problem.X.project(state.x + t * d)
            s = x - state.x
            slope = float(old.gradient @ s)
            if not slope < 0.0:
                return None
            try:
                y = old.y - old.curvature.solve(old.curvature.cross(s), 1e-3 * float(np.linalg.norm(s)))
                accuracy = self._accuracy(state, slope)
                lower = newton_lower(problem, x, y, accuracy, old.curvature)
                F = problem.upper.objective(problem.join(x, lower.y))
                rise = F - old.F
                if rise <= ARMIJO * slope:
                    return x, hypergradient_at(problem, x, lower.y, accuracy, lower.residual)
                if rise <= unsure:
                    point = hypergradient_at(problem, x, lower.y, accuracy, lower.residual)
                    if float(point.gradient @ s) <= (2.0 * ARMIJO - 1.0) * slope:
                        return x, point
            except NotConvexError:
                rise = np.nan
            t *= shrinkage(rise, slope)
        return None

    def _solved(self, run: Run, x: Vector, y: Vector, accuracy: float) -> Hypergradient:
        lower = newton_lower(run.problem, x, y, accuracy)
        return hypergradient_at(run.problem, x, lower.y, accuracy, lower.residual)

    def _accuracy(self, state: _State, slope: float) -> float:
        """Residual of the lower level after a step along which F changes by `slope`."""
        assert state.point is not None
        q, p = (float(np.linalg.norm(v)) for v in (state.point.adjoint, state.point.gradient))
        seen = min(_VALUE * abs(slope) / max(q, np.finfo(float).tiny), _LOWER * p)
        return max(seen, _LOWER * state.target)
