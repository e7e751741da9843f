"""Minimisers over Y of functions of y under the lower constraints: L-BFGS within the method of multipliers.

The constraints are in an augmented Lagrangian of weight gamma2. With s the point of [cl, cu] nearest to
g + z/gamma2, its multipliers and what it contributes are

    lam = z + gamma2 (g - s),   (||lam||^2 - ||z||^2)/(2 gamma2).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import NLP, Vector
from .outer_step import OuterStep
from .set_descent import Descent, descend

ITERATIONS = 500
"""Of one minimisation."""

MAX_MULTIPLIER_STEPS = 60

MAX_GROWTH = 1e4
"""Of gamma2 within one call, after which the constraints are taken to be infeasible."""

RAISED = 3.0
"""Factor of gamma2 where multipliers converge slowly."""

SLOW = 0.25
"""Where a violation falls by less than this factor, the weight of the constraints is raised."""

_LARGE = 1e-4
"""Violation at the end that counts as infeasible."""

_SHARPER = 0.1
"""Factor of the target where the error of y hides what the multipliers do."""

Weighed = Callable[[Vector], tuple[float, Vector]]
"""Of w = (x, y): value and gradient of what is to be minimised."""


def rounding(size: float, n: int) -> float:
    """Error of a value made of terms of this sum of absolute values, over n variables.

    Terms may cancel: those of a linear function are as large as its gradient times the variables. Errors of
    sums grow with the square root of the number of terms.
    """
    return (32.0 + float(np.sqrt(n))) * float(np.finfo(float).eps) * size


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
class ConstrainedMinimum:
    """A minimiser, the minimum, and its gradient by (x, y) with the multipliers' share.

    Attributes
    ----------
    y : ndarray, shape (n_y,)
    value : float
    gradient : ndarray, shape (n,)
        By x it is that of the minimum.
    """

    y: Vector
    value: float
    gradient: Vector


class ConstrainedDescent:
    """Minimises one function after another over {y in Y, cl <= g(x, y) <= cu}, each from the last y and z.

    Parameters
    ----------
    problem : BilevelProblem
    rows : ScaledRows
    y : ndarray, shape (n_y,)
        Start.
    flatness : float
        Inverse of a modulus of convexity: how far y may be off at a given residual.
    gamma2 : float
        Weight of the constraints; raised where multipliers converge slowly.
    memory : int
        Pairs of L-BFGS.

    Attributes
    ----------
    y, z : ndarray, shapes (n_y,), (m,)
        Solution and scaled multipliers of the last call.
    size : float
        Sum of the absolute values of what the last value is made of: its rounding is in proportion.
    """

    def __init__(
        self,
        problem: BilevelProblem,
        rows: ScaledRows,
        y: Vector,
        flatness: float,
        gamma2: float,
        memory: int,
    ) -> None:
        self.problem, self.rows, self.y = problem, rows, y.copy()
        self.flatness, self.gamma2, self.z = flatness, gamma2, np.zeros(rows.m)
        self._memory, self.size = memory, 0.0
        self._model = OuterStep(problem.Y, memory)

    def minimum(self, fun: Weighed, x: Vector, target: float) -> ConstrainedMinimum | None:
        """To residuals of `target`; None where no y satisfies the constraints."""
        before = self.y, self.z, self.gamma2
        found = self._settled(fun, x, target, MAX_GROWTH * self.gamma2)
        if found is None:  # the next call starts where this one did
            self.y, self.z, self.gamma2 = before
            self._model = OuterStep(self.problem.Y, self._memory)
            return None
        w = self.problem.join(x, self.y)
        return ConstrainedMinimum(self.y, found.value, fun(w)[1] + self.rows.vjp(w, self.z))

    def _settled(self, fun: Weighed, x: Vector, target: float, most: float) -> Descent | None:
        """Descents of y and steps of z, until neither has far to go; gamma2 is raised to at most `most`."""
        change, aim = np.inf, target
        size = max(1.0, float(abs(x).max()), float(abs(self.y).max())) * np.sqrt(x.size + self.y.size)
        for _ in range(MAX_MULTIPLIER_STEPS):
            noise = float(np.finfo(float).eps) * (1.0 + self.gamma2) * size  # rounding of g
            aim = max(aim, 4.0 * noise)
            found = self._descended(fun, x, aim, noise)
            lam, _ = self.rows.multipliers(self.problem.join(x, self.y), self.z, self.gamma2)
            last, change = change, float(abs(lam - self.z).max(initial=0.0))
            self.z = lam
            if not np.isfinite(change):
                return None
            # Violations fall by a constant factor: the next one is known ahead.
            ahead = change * min(1.0, change / last) if np.isfinite(last) else change
            near = change <= max(_LARGE, aim) * self.gamma2
            if near and ahead <= max(target, noise * self.gamma2):
                return found
            if not change > SLOW * last:
                continue
            # The function is convex of this modulus: so far may y be off, and the violation with it.
            blur = self.flatness * np.sqrt(self.y.size) * max(aim, found.residual)
            if change > blur * self.gamma2:
                if self.gamma2 >= most:
                    return None
                self.gamma2 *= RAISED
                self._model = OuterStep(self.problem.Y, self._memory)
            elif near and (aim <= 4.0 * noise or found.residual > aim):
                return found  # rounding allows no more
            aim *= _SHARPER
        return found if near else None

    def _descended(self, fun: Weighed, x: Vector, aim: float, noise: float) -> Descent:
        w_size = x.size + self.y.size
        found = descend(
            lambda y: self._lagrangian(fun, x, y),
            self._model,
            self.y,
            aim,
            ITERATIONS,
            lambda: rounding(self.size, w_size),
            noise,
        )
        self.y = found.v
        return found

    def _lagrangian(self, fun: Weighed, x: Vector, y: Vector) -> tuple[float, Vector]:
        w = self.problem.join(x, y)
        value, gradient = fun(w)
        lam, share = self.rows.multipliers(w, self.z, self.gamma2)
        by_constraints = self.rows.vjp(w, lam)
        self.size = abs(value) + float(lam @ lam) / self.gamma2
        self.size += float((abs(gradient) + abs(by_constraints)) @ abs(w))
        return value + share, (gradient + by_constraints)[x.size :]
