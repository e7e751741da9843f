"""The penalty method with given steps: a proximal double loop (Kwon, Kwon, Wright & Nowak, 2023).

One outer iteration at sigma, with `inner_steps` inner ones and a proximal parameter rho:

    wy = P_Y(wy - gamma (sigma grad_y F + grad_y f + (wy - y)/rho))      at (x, wy)
    wz = P_Y(wz - gamma (grad_y f + (wz - z)/rho))                       at (x, wz)
    y += beta (wy - y);  z += beta (wz - z)
    x = P_X(x - alpha (grad_x F(x, wy) + (grad_x f(x, wy) - grad_x f(x, wz))/sigma))

with sigma = sigma0 (k + 1)^(-1/5), alpha = alpha0 (k + 1)^(-3/5) and beta = beta0 (k + 1)^(-2/5). The paper
gives the orders of steps, not their constants.

`penalty.py` is the one to use: this module is what it is measured against.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from ..status import Status
from .driver import PenalisedStationarity, Run, State
from .penalty import refusal_of_constraints


@dataclass
class _State(State):
    """With the proximal centres y_s and z, their inner iterates, and the count of outer iterations."""

    k: int = 0
    y_s: Vector = field(default_factory=lambda: np.zeros(0))
    z: Vector = field(default_factory=lambda: np.zeros(0))
    w_s: Vector = field(default_factory=lambda: np.zeros(0))
    w_z: Vector = field(default_factory=lambda: np.zeros(0))


@dataclass(frozen=True)
class PublishedPenalty:
    """The proximal double loop with fixed schedules.

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate, which this method reaches on few problems.
    max_iterations : int, default 600
        Steps of `batch` outer iterations.
    batch : int, default 100
        Outer iterations in a step.
    inner_steps : int, default 10
    alpha0, beta0, gamma, rho, sigma0 : float, default .1, 1, .1, 1, 1
        First steps of x and of the proximal centres, step of the inner iterates, proximal parameter, first
        weight of F.
    powers : tuple of float, default (.6, .4, .2)
        With which alpha, beta and sigma fall.
    """

    tol: float = 1e-6
    max_iterations: int = 600
    batch: int = 100
    inner_steps: int = 10
    alpha0: float = 0.1
    beta0: float = 1.0
    gamma: float = 0.1
    rho: float = 1.0
    sigma0: float = 1.0
    powers: tuple[float, float, float] = (0.6, 0.4, 0.2)

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Constraints other than X and Y."""
        return refusal_of_constraints(problem)

    def init(self, run: Run) -> _State:
        """The start."""
        problem = run.problem
        x, y = problem.x0.copy(), problem.y0.copy()
        return _State(x, y, problem.upper.objective(problem.join(x, y)), y_s=y, z=y, w_s=y, w_z=y)

    def step(self, run: Run, state: _State) -> _State:
        """A batch of outer iterations."""
        for _ in range(self.batch):
            state = self._iterate(run.problem, state)
        state.F = run.problem.upper.objective(run.problem.join(state.x, state.y))
        return state

    def check(self, run: Run, state: _State) -> Status | None:
        """The iteration that leaves the finite numbers ends the run."""
        return None if np.isfinite(state.x).all() else Status.NUMERICAL_FAILURE

    def _iterate(self, problem: BilevelProblem, state: _State) -> _State:
        x, y_s, z, w_s, w_z = state.x, state.y_s, state.z, state.w_s, state.w_z
        n_x, F, f = problem.n_x, problem.upper.gradient, problem.lower.gradient
        alpha, beta, sigma = (
            first * (state.k + 1.0) ** -power
            for first, power in zip((self.alpha0, self.beta0, self.sigma0), self.powers, strict=True)
        )
        for _ in range(self.inner_steps):
            w = problem.join(x, w_s)
            by_y = (sigma * F(w) + f(w))[n_x:] + (w_s - y_s) / self.rho
            w_s = problem.Y.project(w_s - self.gamma * by_y)
            by_y = f(problem.join(x, w_z))[n_x:] + (w_z - z) / self.rho
            w_z = problem.Y.project(w_z - self.gamma * by_y)
        y_s, z = y_s + beta * (w_s - y_s), z + beta * (w_z - z)
        w = problem.join(x, w_s)
        d = F(w)[:n_x] + (f(w)[:n_x] - f(problem.join(x, w_z))[:n_x]) / sigma
        penalised = PenalisedStationarity(float(abs(x - problem.X.project(x - d)).max()), sigma)
        x = problem.X.project(x - alpha * d)
        return _State(x, z, np.nan, k=state.k + 1, y_s=y_s, z=z, w_s=w_s, w_z=w_z, penalised=penalised)
