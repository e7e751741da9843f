"""The value function of LV-HBA: a proximal term, and the constraints in an augmented Lagrangian.

    v(x, y, z) = min over theta in Y, max over lam of
                 f(x, theta) + lam'g(x, theta) + ||theta - y||^2/(2 gamma1) - ||lam - z||^2/(2 gamma2)

The maximum over lam is known: with s the point of [cl, cu] nearest to g + z/gamma2,

    lam = z + gamma2 (g - s),  contributing (||lam||^2 - ||z||^2)/(2 gamma2).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import NLP, Vector
from .outer_step import OuterStep
from .set_descent import descend

ITERATIONS = 500
"""Of one minimisation over theta."""

MAX_MULTIPLIER_STEPS = 60

MAX_GROWTH = 1e4
"""Of gamma2 within one call, after which the constraints are taken to be infeasible."""

SLOW = 0.25
"""Where a violation falls by less than this factor, the weight of the constraints is raised tenfold."""

ROUNDING = 32 * float(np.finfo(float).eps)
"""Error of values, relative to the size of their terms, which may cancel: those of a linear function are as
large as its gradient times the variables."""

_LARGE = 1e-4
"""Violation at the end that counts as infeasible."""


class ScaledRows:
    """The lower constraints, each divided by the norm of its gradient at a point where that is above 0.

    Parameters
    ----------
    level : NLP
    w : ndarray, shape (n,)
        The point.
    """

    def __init__(self, level: NLP, w: Vector) -> None:
        self.level, self.m = level, level.m
        norms = np.sqrt(_squares(level.jacobian(w))) if level.m else np.zeros(0)
        self.scale = 1.0 / np.where((norms > 1e-8) & np.isfinite(norms), norms, 1.0)
        self.cl, self.cu = self.scale * level.cl, self.scale * level.cu

    def values(self, w: Vector) -> Vector:
        """Scaled g, shape (m,)."""
        return self.scale * self.level.constraints(w) if self.m else np.zeros(0)

    def vjp(self, w: Vector, lam: Vector) -> Vector:
        """Scaled g'(w)' lam, shape (n,)."""
        return self.level.vjp(w, self.scale * lam) if lam.any() else np.zeros(w.size)

    def multipliers(self, w: Vector, z: Vector, weight: float) -> tuple[Vector, float]:
        """The maximising lam, and what it contributes."""
        g = self.values(w)
        lam = z + weight * (g - np.clip(g + z / weight, self.cl, self.cu))
        return lam, float(lam @ lam - z @ z) / (2.0 * weight)


def _squares(matrix: csr_array) -> Vector:
    return np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel()


@dataclass(frozen=True, eq=False)
class Value:
    """The maximum over z of v, where lam = z, and its gradient by x and y."""

    v: float
    gradient: Vector


class LowerValue:
    """Max over z of v(x, y, z), by the method of multipliers, each time from the last theta and z.

    Parameters
    ----------
    problem : BilevelProblem
    rows : ScaledRows
    gamma1, gamma2 : float
        Proximal parameters; gamma2 is raised where multipliers converge slowly.
    memory : int
        Pairs of L-BFGS.

    Attributes
    ----------
    theta, z : ndarray, shapes (n_y,), (m,)
        Solution and scaled multipliers of the last call.
    size : float
        Sum of the absolute values of what the last value is made of: its rounding is in proportion.
    """

    def __init__(
        self, problem: BilevelProblem, rows: ScaledRows, gamma1: float, gamma2: float, memory: int
    ) -> None:
        self.problem, self.rows = problem, rows
        self.gamma1, self.gamma2 = gamma1, gamma2
        self.theta, self.z = problem.y0.copy(), np.zeros(rows.m)
        self._memory, self.size = memory, 0.0
        self._model = OuterStep(problem.Y, memory)

    def at(self, x: Vector, y: Vector, target: float) -> Value:
        """The value at (x, y), to residuals of `target`; NaN where no theta satisfies the constraints."""
        before = self.theta, self.z, self.gamma2
        change, aim = np.inf, target
        size = max(1.0, float(abs(x).max()), float(abs(y).max())) * np.sqrt(x.size + y.size)
        for _ in range(MAX_MULTIPLIER_STEPS):
            noise = float(np.finfo(float).eps) * (1.0 + self.gamma2) * size  # rounding of g
            aim = max(aim, 4.0 * noise)
            found = descend(
                lambda theta: self._lagrangian(x, y, theta),
                self._model,
                self.theta,
                aim,
                ITERATIONS,
                lambda: ROUNDING * self.size,
                noise,
            )
            self.theta = found.v
            lam, _ = self.rows.multipliers(self.problem.join(x, self.theta), self.z, self.gamma2)
            last, change = change, float(abs(lam - self.z).max(initial=0.0))
            self.z = lam
            # Violations fall by a constant factor: the next one is known ahead.
            ahead = change * min(1.0, change / last) if np.isfinite(last) else change
            near = change <= max(_LARGE, aim) * self.gamma2
            if not np.isfinite(change) or (near and ahead <= max(target, noise * self.gamma2)):
                break
            if not change > SLOW * last:
                continue
            # The function of theta is strongly convex: so far may theta be off, and the violation with it.
            blur = self.gamma1 * np.sqrt(y.size) * max(aim, found.residual)
            if change > blur * self.gamma2:
                if self.gamma2 >= MAX_GROWTH * before[2]:
                    return self._infeasible(before, x.size + y.size)
                self.gamma2 *= 10.0
                self._model = OuterStep(self.problem.Y, self._memory)
            elif near and (aim <= 4.0 * noise or found.residual > aim):
                break  # rounding allows no more
            aim *= 0.1
        if not (np.isfinite(change) and near):
            return self._infeasible(before, x.size + y.size)
        w = self.problem.join(x, self.theta)
        gradient = self.problem.lower.gradient(w) + self.rows.vjp(w, lam)
        by_y = (y - self.theta) / self.gamma1
        return Value(found.value, np.concatenate([gradient[: x.size], by_y]))

    def _infeasible(self, before: tuple[Vector, Vector, float], n: int) -> Value:
        """No value; the next call starts where this one did."""
        self.theta, self.z, self.gamma2 = before
        self._model = OuterStep(self.problem.Y, self._memory)
        return Value(np.nan, np.full(n, np.nan))

    def _lagrangian(self, x: Vector, y: Vector, theta: Vector) -> tuple[float, Vector]:
        """What theta minimises, and its gradient."""
        w = self.problem.join(x, theta)
        f, gradient = self.problem.lower.objective_and_gradient(w)
        lam, share = self.rows.multipliers(w, self.z, self.gamma2)
        by_constraints = self.rows.vjp(w, lam)
        away = theta - y
        value = f + share + float(away @ away) / (2.0 * self.gamma1)
        self.size = abs(f) + float(lam @ lam) / self.gamma2
        self.size += float((abs(gradient) + abs(by_constraints)) @ abs(w))
        return value, (gradient + by_constraints)[x.size :] + away / self.gamma1
