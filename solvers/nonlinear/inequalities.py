"""Inequalities as they stand, g(x) <= 0: no slacks, one entry for each side of a row and of a variable."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...problems.nlp import IndexVector, Vector
from .form import Point, SlackForm

Mask = NDArray[np.bool_]


class Inequalities:
    """The problem of a slack form as min f subject to c_E(x) = 0, g(x) <= 0.

    A range gives two entries of g, one for either side; a fixed variable none, since the form has left it
    out. Entries of rows come first, those of variables after them.

    Parameters
    ----------
    form : SlackForm
        Scaled problem; its slacks are not used.

    Attributes
    ----------
    equations : ndarray of int64
        Rows that are equations.
    rows, row_signs, row_limits : ndarray
        ``g = sign c[row] - limit`` of the entries of rows.
    variables, variable_signs, variable_limits : ndarray
        ``g = sign x[variable] - limit`` of the entries of bounds.
    """

    def __init__(self, form: SlackForm) -> None:
        self.form = form
        self.equations: IndexVector = np.setdiff1d(np.arange(form.m), form.tail_rows)
        scale = form.scaling.constraints[form.tail_rows]
        lower, upper = (scale * bound for bound in form.tail_bounds)
        self.rows, self.row_signs, self.row_limits = _sides(form.tail_rows, lower, upper)
        every = np.arange(form.nx)
        self.variables, self.variable_signs, self.variable_limits = _sides(every, form.x_lower, form.x_upper)
        self.count = int(self.rows.size + self.variables.size)

    def evaluate(self, x: Vector) -> Point:
        """Objective and constraints at x, all slacks zero."""
        return self.form.evaluate(np.concatenate([x, np.zeros(self.form.tail_rows.size)]))

    def values(self, point: Point) -> Vector:
        """The values g at a point."""
        of_rows = self.row_signs * point.c[self.rows] - self.row_limits
        of_variables = self.variable_signs * point.w[self.variables] - self.variable_limits
        return np.concatenate([of_rows, of_variables])

    def along(self, of_rows: Vector, of_variables: Vector) -> Vector:
        """G v, given ``J v`` and v."""
        return np.concatenate(
            [self.row_signs * of_rows[self.rows], self.variable_signs * of_variables[self.variables]]
        )

    def on_rows(self, mu: Vector, lam: Vector) -> Vector:
        """Weights of all rows: those of the equations, and of the inequalities with their signs."""
        y = np.zeros(self.form.m)
        y[self.equations] = mu
        np.add.at(y, self.rows, self.row_signs * lam[: self.rows.size])
        return y

    def on_variables(self, lam: Vector) -> Vector:
        """Weights of the variables, from those of their bounds."""
        z = np.zeros(self.form.nx)
        np.add.at(z, self.variables, self.variable_signs * lam[self.rows.size :])
        return z

    def one_side(self, active: Mask, preference: Vector) -> Mask:
        """An active set with at most one side of each row and variable, the one of larger preference."""
        chosen = active.copy()
        for owners, begin in ((self.rows, 0), (self.variables, self.rows.size)):
            part = np.flatnonzero(active[begin : begin + owners.size])
            owner = owners[part]
            if np.unique(owner).size == owner.size:
                continue
            order = np.lexsort((-preference[begin + part], owner))
            repeated = np.concatenate([[False], np.diff(owner[order]) == 0])
            chosen[begin + part[order[repeated]]] = False
        return chosen


def _sides(owners: IndexVector, lower: Vector, upper: Vector) -> tuple[IndexVector, Vector, Vector]:
    """Owner, sign and limit of every finite side: the upper ones first."""
    above, below = np.isfinite(upper), np.isfinite(lower)
    signs = np.concatenate([np.ones(int(above.sum())), np.full(int(below.sum()), -1.0)])
    return (
        np.concatenate([owners[above], owners[below]]).astype(np.int64),
        signs,
        np.concatenate([upper[above], -lower[below]]),
    )


@dataclass(frozen=True, slots=True)
class Multipliers:
    """Those of the equations, mu, and of the inequalities, lam: negative where one pulls the wrong way."""

    mu: Vector
    lam: Vector


class ActiveSetIterate:
    """A differentiated point with multipliers, and what the merit function is made of there.

    Attributes
    ----------
    x, c, g : ndarray
        Point, residuals of the equations, values of the inequalities.
    y, z : ndarray, shapes (m,) and (nx,)
        The multipliers as weights of rows and variables: the gradient of the Lagrangian is ``grad f + J'y +
        z``.
    gradient : ndarray, shape (nx,)
        That gradient.
    """

    def __init__(self, problem: Inequalities, point: Point, multipliers: Multipliers) -> None:
        assert point.g is not None
        self.problem, self.point, self.multipliers = problem, point, multipliers
        self.mu, self.lam = multipliers.mu, multipliers.lam
        nx = problem.form.nx
        self.x = point.w[:nx]
        self.c = point.c[problem.equations]
        self.g = problem.values(point)
        self.y = problem.on_rows(self.mu, self.lam)
        self.z = problem.on_variables(self.lam)
        self.gradient = point.g[:nx] + self.y @ point.J + self.z

    def products(self, v: Vector) -> tuple[Vector, Vector]:
        """Jacobians of the equations and of the inequalities, times v."""
        of_rows = np.asarray(self.point.J @ v)
        return of_rows[self.problem.equations], self.problem.along(of_rows, v)

    def transposed(self, mu: Vector, lam: Vector) -> Vector:
        """The transposed Jacobians times weights (mu, lam), added up."""
        p = self.problem
        return np.asarray(p.on_rows(mu, lam) @ self.point.J + p.on_variables(lam))
