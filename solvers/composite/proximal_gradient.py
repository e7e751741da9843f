"""Accelerated proximal gradients: needs the least of datafit and penalty, and so solves everything."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array
from .driver import Run, State

_GROWTH, _RELAXATION = 2.0, 0.9
"""Of the bound L when a step fails to majorise, and after every step that did."""

_MAX_BACKTRACKS = 100
_LOOK_EVERY = 20


@dataclass
class _State(State):
    """With the extrapolation: the predictor at w, the point before, FISTA's t and the bound L."""

    eta: Array | None = None
    previous: tuple[Array, Array, Array] | None = None
    t: float = 1.0
    L: float = 1.0


@dataclass(frozen=True)
class ProximalGradient:
    """FISTA with backtracking and restarts (Beck and Teboulle 2009; O'Donoghue and Candes 2015).

    Asks for `value` and `gradient` of the datafit, `value` and `prox` of the penalty. Where the penalty is
    not convex, steps are not extrapolated: each one lowers the objective.

    Parameters
    ----------
    tol : float
        Tolerance of the certificate.
    max_iterations : int
        Limit of steps.
    """

    tol: float = 1e-6
    max_iterations: int = 100_000

    def check(self, problem: CompositeProblem) -> None:
        """Nothing is asked beyond what every datafit and penalty has."""

    def init(self, run: Run, w: Array, b: Array) -> _State:
        """Start with the curvature along the gradient for L."""
        problem = run.problem
        eta = problem.predictor(w, b)
        return _State(w, b, problem.objective(w, b), eta=eta, L=_first_bound(problem, eta))

    def step(self, run: Run, state: _State) -> _State:
        """One proximal step from the extrapolated point; from w itself where the objective would rise."""
        problem = run.problem
        assert state.eta is not None
        t = 0.5 * (1.0 + np.sqrt(1.0 + 4.0 * state.t**2))
        beta = (state.t - 1.0) / t
        if state.previous is None or not problem.convex or beta == 0.0:
            found = self._proximal_step(run, state.w, state.b, state.eta, state.L)
        else:
            w0, b0, eta0 = state.previous
            w, b, eta = (x + beta * (x - x0) for x, x0 in ((state.w, w0), (state.b, b0), (state.eta, eta0)))
            found = self._proximal_step(run, w, b, eta, state.L)
            if not found.objective <= state.objective:
                found, t = self._proximal_step(run, state.w, state.b, state.eta, state.L), 1.0
        if not found.objective <= state.objective + 1e-13 * abs(state.objective):
            return _State(  # rounding: nothing lower within reach
                state.w, state.b, state.objective, True, {}, state.eta, None, 1.0, found.L
            )
        found.previous, found.t = (state.w, state.b, state.eta), t
        step = float(np.max(np.abs(found.w - state.w), initial=0.0))
        still = step <= 1e-3 * self.tol * float(np.max(np.abs(found.w), initial=0.0))
        found.record = {"L": found.L, "step": step}
        found.settled = still or run.iterations % _LOOK_EVERY == _LOOK_EVERY - 1
        return found

    def _proximal_step(self, run: Run, w: Array, b: Array, eta: Array, L: float) -> _State:
        """From (w, b) with the smallest L >= 0.9 L, up to a factor 2, whose quadratic lies above F."""
        problem = run.problem
        datafit, penalty = problem.datafit, problem.penalty
        value, g = datafit.value(eta), datafit.gradient(eta)
        slopes = problem.design.adjoint(g)
        slope = g.sum(axis=0) if problem.intercept else np.zeros_like(b)
        L *= _RELAXATION
        for _ in range(_MAX_BACKTRACKS):
            run.check_deadline()
            w_new, b_new = penalty.prox(w - slopes / L, 1.0 / L), b - slope / L
            eta_new = problem.predictor(w_new, b_new)
            fit = datafit.value(eta_new)
            d, e = w_new - w, b_new - b
            model = float(np.vdot(slopes, d) + np.vdot(slope, e))
            squares = float(np.vdot(d, d) + np.vdot(e, e))
            if fit - value <= model + 0.5 * L * squares + 1e-14 * abs(value):
                break
            L *= _GROWTH
        return _State(w_new, b_new, fit + penalty.value(w_new), eta=eta_new, L=L)


def _first_bound(problem: CompositeProblem, eta: Array) -> float:
    """L from the change of the gradient over a small step along it: a lower bound, backtracking corrects."""
    g = problem.datafit.gradient(eta)
    d = problem.design.adjoint(g)
    norm = float(np.linalg.norm(d))
    if norm == 0.0 or not np.isfinite(norm):
        return 1.0
    size = 1e-4 / norm
    change = problem.datafit.gradient(eta + size * problem.design.product(d)) - g
    return max(float(np.vdot(change, problem.design.product(d))) / (size * norm**2), 1e-12)
