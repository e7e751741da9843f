"""A deliberately simple method: projected gradient steps with Armijo's rule on a quadratic penalty."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from karush.solvers.status import Status


@dataclass
class SimpleState:
    x: Any
    y: Any
    z: Any
    f: float
    violation: float
    optimality: float
    step: float
    record: dict = field(default_factory=dict)


@dataclass(frozen=True)
class ProjectedGradient:
    tol: float = 1e-8
    max_iterations: int = 500
    penalty: float = 10.0

    def init(self, evaluator):
        return self._state(evaluator, evaluator.x0, 1.0)

    def _slope(self, evaluator, x):
        g = evaluator.gradient(x)
        if evaluator.m:
            c = evaluator.constraints(x)
            signed = np.maximum(c - evaluator.cu, 0) - np.maximum(evaluator.cl - c, 0)
            g = g + self.penalty * evaluator.vjp(x, signed)
        return g

    def _merit(self, evaluator, x):
        c = evaluator.constraints(x)
        signed = np.maximum(c - evaluator.cu, 0) - np.maximum(evaluator.cl - c, 0)
        return evaluator.objective(x) + 0.5 * self.penalty * signed @ signed

    def _state(self, evaluator, x, step):
        g = self._slope(evaluator, x)
        error = abs(x - np.clip(x - g, evaluator.lb, evaluator.ub)).max()
        f, violation = evaluator.objective(x), evaluator.violation(x)
        return SimpleState(
            x, np.zeros(evaluator.m), np.zeros(evaluator.n), f, violation, error, step, {"step": step}
        )

    def step(self, evaluator, state):
        g, merit, t = self._slope(evaluator, state.x), self._merit(evaluator, state.x), 2 * state.step
        while t > 1e-14:
            x = np.clip(state.x - t * g, evaluator.lb, evaluator.ub)
            if self._merit(evaluator, x) <= merit - 1e-4 * g @ (state.x - x):
                return self._state(evaluator, x, t)
            t *= 0.5
        return self._state(evaluator, state.x, t)

    def check(self, evaluator, state):
        if state.optimality <= self.tol:
            return Status.CONVERGED
        return Status.STALLED if state.step <= 1e-14 else None
