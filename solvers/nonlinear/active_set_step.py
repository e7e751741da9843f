"""Directions for the active-set merit function, on the KKT solvers of the barrier method.

The pattern of the KKT matrix is that of all rows and variables, whatever the active set, so that one symbolic
analysis serves the whole run: an inactive row keeps its place with a zero row in J and 1 on its diagonal, a
variable at an active bound has its row and column of H, and its column of J, replaced by the identity's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...problems.nlp import Vector
from .inequalities import ActiveSetIterate, Inequalities, Mask, Multipliers
from .merit import add_hessian_product
from .newton import LARGEST_RESIDUAL, NewtonSystem


@dataclass(slots=True)
class Direction:
    """A step in x and the multipliers; ``active`` is the set that it was made for."""

    dx: Vector
    dmu: Vector
    dlam: Vector
    active: Mask
    residual: float

    def with_multipliers(self, dmu: Vector, dlam: Vector) -> Direction:
        """The same step in x with another one of the multipliers."""
        return Direction(self.dx, dmu, dlam, self.active, self.residual)


class ActiveSetSystem:
    """KKT systems of an active set.

    Parameters
    ----------
    problem : Inequalities
    system : NewtonSystem
        Regularisation and linear solver, with tail variables for the rows that are inequalities.
    """

    def __init__(self, problem: Inequalities, system: NewtonSystem) -> None:
        self.problem, self.system = problem, system
        self.hessian: Any = None

    def load(self, it: ActiveSetIterate) -> bool:
        """Take the Hessian of the Lagrangian at an iterate; False where it is not finite."""
        self.hessian = self.problem.form.hessian(it.point, it.y)
        return bool(np.isfinite(self.hessian).all())

    def hessian_product(self, v: Vector) -> Vector:
        """H v, H without regularisation."""
        return self._product(self.hessian, v)

    def constraint_curvature(self, it: ActiveSetIterate, mu: Vector, lam: Vector, v: Vector) -> Vector:
        """The Hessian of ``mu'c + lam'g``, times v; zero where second derivatives are approximations."""
        form = self.problem.form
        if form.m == 0 or not form.exact_hessian:
            return np.zeros(form.nx)
        return self._product(form.hessian(it.point, self.problem.on_rows(mu, lam), 0.0), v)

    def _product(self, hessian: Any, v: Vector) -> Vector:
        out = np.zeros(v.size)
        add_hessian_product(self.problem.form.pattern, hessian, v, out)
        return out

    # ---- directions

    def newton(self, it: ActiveSetIterate, active: Mask, error: float) -> Direction | None:
        """The step to the KKT point of the quadratic model on an active set; None where there is none.

        Multipliers of the other constraints go to zero.
        """
        p = self.problem
        fixed, shift = self._bounds(it, active)
        target = np.zeros(p.form.m)
        target[p.equations] = -it.c
        of_rows = active[: p.rows.size]
        target[p.rows[of_rows]] = -(p.row_signs * it.g[: p.rows.size])[of_rows]
        rows = self._active_rows(of_rows)
        assert it.point.g is not None
        y = np.where(rows, it.y, 0.0)
        gradient = it.point.g[: p.form.nx] + y @ it.point.J
        solved = self._solve(it, self.hessian, fixed, rows, shift, -gradient, target, error)
        if solved is None:
            return None
        dx, dy, residual = solved
        reduced = gradient + self.hessian_product(dx) + self.system.delta_w * dx + dy @ it.point.J
        lam = self._multipliers(active, y + dy, -reduced)
        return Direction(dx, (y + dy)[p.equations] - it.mu, lam - it.lam, active, residual)

    def multiplier_function(self, it: ActiveSetIterate) -> Multipliers | None:
        """The (mu, lam) that minimise ``||grad L||^2 + ||g lam||^2``; None where they are not finite.

        Their normal equations have the matrix ``A A' + diag(0, g^2)``; here they are solved in the form
        ``[[I, A'], [A, -diag(0, g^2)]]``, with the bounds eliminated.
        """
        p, form = self.problem, self.problem.form
        assert it.point.g is not None
        nr, pull = p.rows.size, 1.0 / np.maximum(it.g * it.g, 1e-12)
        of_rows, of_variables = np.zeros(form.m), np.zeros(form.nx)
        np.add.at(of_rows, p.rows, pull[:nr])  # both sides of a range pull at one row
        np.add.at(of_variables, p.variables, pull[nr:])
        self.system.load(it.point, np.zeros(form.pattern.hessian_rows.size))
        if not self.system.regularise(np.concatenate([1.0 + of_variables, of_rows[form.tail_rows]]), 1e-11):
            return None
        gradient = it.point.g[: form.nx]
        solution, residual = self.system.kkt.solve(np.concatenate([-gradient, np.zeros(form.m)]))
        if not math.isfinite(residual):
            return None
        y = solution[form.nx :]
        z = -(gradient + y @ it.point.J) - solution[: form.nx]  # the first part of the solution is -grad L
        share = pull / np.concatenate([of_rows[p.rows], of_variables[p.variables]])
        weights = np.concatenate([p.row_signs * y[p.rows], p.variable_signs * z[p.variables]])
        return Multipliers(y[p.equations], share * weights)

    def descent(self, it: ActiveSetIterate, gradient: Vector, active: Mask, dual: float) -> Direction | None:
        """A regularised Newton step of the merit function in x: it descends whatever happens.

        The matrix is ``H + delta I + A'A/dual`` with A the Jacobian of equations and active rows, made
        positive definite. Variables at their bounds stay there where the gradient pushes them outwards.
        """
        p, form = self.problem, self.problem.form
        pushed = np.zeros(p.count, dtype=bool)
        nr = p.rows.size
        pushed[nr:] = (it.g[nr:] >= 0.0) & (p.variable_signs * gradient[p.variables] < 0.0)
        fixed, shift = self._bounds(it, pushed)
        rows = self._active_rows(active[:nr])
        solved = self._solve(
            it, self.hessian, fixed, rows, 0.0 * shift, -gradient, np.zeros(form.m), dual, dual
        )
        if solved is None:
            return None
        dx, _, residual = solved
        return Direction(dx, np.zeros_like(it.mu), np.zeros_like(it.lam), active, residual)

    # ---- their parts

    def _bounds(self, it: ActiveSetIterate, active: Mask) -> tuple[Mask, Vector]:
        """Variables at active bounds, and what takes them there."""
        p, nr = self.problem, self.problem.rows.size
        part = active[nr:]
        fixed, shift = np.zeros(p.form.nx, dtype=bool), np.zeros(p.form.nx)
        fixed[p.variables[part]] = True
        shift[p.variables[part]] = -(p.variable_signs * it.g[nr:])[part]
        return fixed, shift

    def _active_rows(self, active: Mask) -> Mask:
        rows = np.zeros(self.problem.form.m, dtype=bool)
        rows[self.problem.equations] = True
        rows[self.problem.rows[active]] = True
        return rows

    def _multipliers(self, active: Mask, y: Vector, z: Vector) -> Vector:
        p = self.problem
        weights = np.concatenate([p.row_signs * y[p.rows], p.variable_signs * z[p.variables]])
        return np.where(active, weights, 0.0)

    def _solve(
        self,
        it: ActiveSetIterate,
        hessian: Vector,
        fixed: Mask,
        rows: Mask,
        shift: Vector,
        right: Vector,
        target: Vector,
        error: float,
        dual: float = 0.0,
    ) -> tuple[Vector, Vector, float] | None:
        """(dx, dy) with dx = shift where fixed, dy = 0 off the active rows, and the KKT equations else."""
        pattern, form, system = self.problem.form.pattern, self.problem.form, self.system
        assert it.point.jacobian_values is not None
        free = ~fixed
        H = np.where(free[pattern.hessian_rows] & free[pattern.hessian_columns], hessian, 0.0)
        J = np.where(
            free[pattern.jacobian_columns] & rows[pattern.jacobian_rows], it.point.jacobian_values, 0.0
        )
        system.load_values(H, J)
        # 1 on the diagonal of a fixed variable; an inactive row's tail variable has curvature 1, an active
        # one's is infinite.
        sigma = np.concatenate([np.where(fixed, 1.0, 0.0), np.where(rows[form.tail_rows], np.inf, 1.0)])
        moved_x = self._product(hessian, shift)
        rhs = np.concatenate(
            [
                np.where(free, right - moved_x, 0.0),
                np.where(rows, target - np.asarray(it.point.J @ shift), 0.0),
            ]
        )
        if not system.regularise(sigma, error, least_c=dual):
            return None
        while True:
            solution, residual = system.kkt.solve(rhs)
            if residual <= LARGEST_RESIDUAL:
                dx = np.where(fixed, shift, solution[: form.nx])
                return dx, np.where(rows, solution[form.nx :], 0.0), residual
            if not system.resolve(sigma):
                return None
