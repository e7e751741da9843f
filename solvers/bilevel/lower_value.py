"""The value function of LV-HBA: a proximal term, and the constraints in an augmented Lagrangian.

    v(x, y, z) = min over theta in Y, max over lam of
                 f(x, theta) + lam'g(x, theta) + ||theta - y||^2/(2 gamma1) - ||lam - z||^2/(2 gamma2)

The maximum over lam is known (`constrained_descent.py`), and that over z is where z = lam.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from .constrained_descent import ConstrainedDescent, ScaledRows


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
    """

    def __init__(
        self, problem: BilevelProblem, rows: ScaledRows, gamma1: float, gamma2: float, memory: int
    ) -> None:
        self.problem, self.rows, self.gamma1 = problem, rows, gamma1
        self._descent = ConstrainedDescent(problem, rows, problem.y0, gamma1, gamma2, memory)

    @property
    def z(self) -> Vector:
        """Scaled multipliers of the last call, shape (m,)."""
        return self._descent.z

    @property
    def gamma2(self) -> float:
        """Weight of the constraints at the last call."""
        return self._descent.gamma2

    @property
    def size(self) -> float:
        """Sum of the absolute values of what the last value is made of: its rounding is in proportion."""
        return self._descent.size

    def at(self, x: Vector, y: Vector, target: float) -> Value:
        """The value at (x, y), to residuals of `target`; NaN where no theta satisfies the constraints."""
        n_x = x.size

        def proximal(w: Vector) -> tuple[float, Vector]:
            f, gradient = self.problem.lower.objective_and_gradient(w)
            away = w[n_x:] - y
            gradient = gradient.copy()
            gradient[n_x:] += away / self.gamma1
            return f + float(away @ away) / (2.0 * self.gamma1), gradient

        found = self._descent.minimum(proximal, x, target)
        if found is None:
            return Value(np.nan, np.full(n_x + y.size, np.nan))
        return Value(found.value, np.concatenate([found.gradient[:n_x], (y - found.y) / self.gamma1]))
