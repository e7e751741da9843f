"""The regularised Newton step of the barrier problem's optimality conditions."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import Any

import numpy as np

from ...problems.nlp import Vector
from .barrier import barrier_gradient, bound_multiplier_steps
from .form import Form, Point
from .form_kernels import all_finite
from .iterate import Iterate
from .kkt import KKTSolver, LinearSolver, kkt_solver
from .newton_kernels import recovered_step, reduced_diagonals, reduced_right_side
from .repairs import Symptom, described, examine, repair

LARGEST_RESIDUAL = 1e-5
"""Relative residual of a direct solver's solution beyond which it counts as inaccurate."""

SMALLEST_SIGMA = 1e-14
"""Floor of the diagonal of a tail variable, so that eliminating it stays within double precision."""


@dataclass(frozen=True)
class RegularisationRule:
    """How the KKT matrix is made to have the inertia (n, m, 0).

    Waechter & Biegler (2006), algorithm IC: ``growth_first`` is for the very first correction, ``growth`` for
    later ones, ``shrink`` brings down the last one that worked as the first trial of the next.
    """

    first: float = 1e-4
    smallest: float = 1e-20
    largest: float = 1e40
    growth_first: float = 100.0
    growth: float = 8.0
    shrink: float = 1.0 / 3.0
    dual: float = 1e-8
    dual_exponent: float = 0.25


@dataclass(slots=True)
class Direction:
    """A step in w, y, zl, zu; ``residual`` is the relative residual of the linear system."""

    dw: Vector
    dy: Vector
    dzl: Vector
    dzu: Vector
    residual: float

    def towards(self, other: Direction, share: float) -> Direction:
        """The direction ``(1 - share) self + share other``."""
        mine = 1.0 - share
        return Direction(
            mine * self.dw + share * other.dw,
            mine * self.dy + share * other.dy,
            mine * self.dzl + share * other.dzl,
            mine * self.dzu + share * other.dzu,
            max(self.residual, other.residual),
        )


class NewtonSystem:
    """The reduced KKT system in (x, y); the tail is eliminated and recovered.

    Parameters
    ----------
    form : Form
        The problem.
    linear_solver : {"auto", "dense", "sparse"} or KKTSolver
        See `kkt_solver`.
    rule : RegularisationRule

    Attributes
    ----------
    hessian : ndarray or operator
        The Hessian of the last factorisation: values of its lower triangle, or something with ``@``.
    direct : bool
        True where directions are exact up to rounding, so that a large residual tells of a breakdown.
    repairs : Counter
        How often each repair was made since the last report.
    used, used_in_run : Counter
        The same for this matrix and, of lasting repairs, for the run.
    """

    direct = True
    iterations = 0
    """Iterations of an iterative linear solver so far."""
    target = 0.0
    """Error of the optimality conditions that is small enough for the run."""

    def __init__(self, form: Form, linear_solver: LinearSolver | KKTSolver, rule: RegularisationRule) -> None:
        self.form = form
        self.rule = rule
        if isinstance(linear_solver, str):
            self.kkt: KKTSolver = kkt_solver(form.pattern, linear_solver)
        else:
            self.kkt = linear_solver
        self.delta_w = 0.0
        self.delta_c = 0.0
        self.hessian: Any = np.zeros(0)
        self._last_delta_w = 0.0
        self._dependent = form.m - len(set(form.tail_rows.tolist())) > form.nx
        self._primal, self._dual = np.zeros(form.nx), np.zeros(form.m)
        self._tail_sigma = np.zeros(form.tail_rows.size)
        self.factorisations = 0
        self.dual_regularisation = 0.0
        self._loaded: tuple[Any, ...] = ()
        self.repairs: Counter[str] = Counter()
        self.used: Counter[str] = Counter()
        self.used_in_run: Counter[str] = Counter()

    def factor(self, iterate: Iterate, mu: float) -> bool:
        """Factorise at an iterate with the regularisation that gives the inertia (n, m, 0)."""
        point = iterate.point
        self.hessian = hessian = self.form.hessian(point, iterate.y)
        if isinstance(hessian, np.ndarray) and not all_finite(hessian):
            return False
        self.load(point, hessian)
        return self.regularise(iterate.sigma, mu)

    def load(self, point: Point, hessian: Any) -> None:
        """Hand the derivatives at a point to the linear solver."""
        assert point.jacobian_values is not None
        self.load_values(hessian, point.jacobian_values)

    def load_values(self, hessian: Any, jacobian: Vector) -> None:
        """Hand the values of H and J to the linear solver."""
        self._loaded = hessian, jacobian
        self.kkt.load(hessian, jacobian)

    @property
    def regularised(self) -> bool:
        """Whether the length of the last direction says nothing about the distance to a solution."""
        return self.delta_w > 0.0

    def sharpen(self, iterate: Iterate, mu: float) -> Direction | None:
        """The direction to a smaller residual, where that is to be had; a direct solver has none."""
        return None

    def regularise(self, sigma: Vector, mu: float, least: float = 0.0, least_c: float = 0.0) -> bool:
        """Factorise, and repair the matrix by `repairs.REPAIRS`, until its inertia is (n, m, 0).

        Parameters
        ----------
        sigma : ndarray, shape (nw,)
            Diagonal that is added to the Hessian in w.
        mu : float
            Barrier parameter, which delta_c goes by.
        least, least_c : float
            delta_w and delta_c to begin with.
        """
        rule = self.rule
        self.used.clear()
        self.dual_regularisation = rule.dual * max(mu, 1e-11) ** rule.dual_exponent
        self.delta_w = least
        self.delta_c = max(least_c, self.dual_regularisation if self._dependent else 0.0)
        return self._settle(sigma)

    def resolve(self, sigma: Vector) -> bool:
        """Another factorisation of the same matrix, repaired, since its last solution was inaccurate."""
        return repair(self, Symptom.INACCURATE) and self._settle(sigma)

    def _settle(self, sigma: Vector) -> bool:
        while (symptom := examine(self, self._factor(sigma))) is not None:
            if not repair(self, symptom):
                return False
        if self.delta_w > 0.0:
            self._last_delta_w = self.delta_w
        return True

    def grow(self) -> None:
        """The next delta_w, see `RegularisationRule`."""
        rule = self.rule
        if self.delta_w == 0.0:
            last = self._last_delta_w
            self.delta_w = max(rule.smallest, rule.shrink * last) if last > 0.0 else rule.first
        else:
            self.delta_w *= rule.growth_first if self._last_delta_w == 0.0 else rule.growth

    def report_repairs(self) -> str:
        """The repairs since the last report, in words, for the log of an iteration."""
        words = described(self.repairs)
        self.repairs.clear()
        return words

    def is_finite(self) -> bool:
        """Whether all entries of the matrix are finite numbers, as far as they are known."""
        return all(bool(np.isfinite(part).all()) for part in self._entries())

    def is_zero(self) -> bool:
        """Whether all entries of the matrix are zero, as far as they are known."""
        return not any(bool(part.any()) for part in self._entries())

    def _entries(self) -> list[Vector]:
        known = [part for part in self._loaded if isinstance(part, np.ndarray)]
        return [*known, self._primal, self._dual]

    def replace_solver(self, solver: KKTSolver) -> None:
        """Go on with another linear solver, for good."""
        self.kkt = solver
        solver.load(*self._loaded)

    def _factor(self, sigma: Vector) -> tuple[int, int, int]:
        form = self.form
        self.factorisations += 1
        reduced_diagonals(
            sigma,
            form.diagonal,
            self.delta_w,
            self.delta_c,
            SMALLEST_SIGMA,
            form.tail_rows,
            self._primal,
            self._dual,
            self._tail_sigma,
        )
        return self.kkt.factor(self._primal, self._dual)

    def solve(self, gradient: Vector, c: Vector) -> tuple[Vector, Vector, float]:
        """Solve for (dw, dy) with right-hand side -(gradient, c); and the relative residual."""
        form = self.form
        rhs, dw = np.empty(form.nx + form.m), np.empty(gradient.size)
        reduced_right_side(gradient, c, form.tail_rows, form.tail_signs, self._tail_sigma, rhs)
        solution, residual = self.kkt.solve(rhs)
        recovered_step(solution, gradient, form.tail_rows, form.tail_signs, self._tail_sigma, dw)
        return dw, solution[form.nx :], residual

    def direction(self, iterate: Iterate, mu: float, c: Vector | None = None) -> Direction:
        """The Newton direction, with C(w) replaced by ``c`` for a second-order correction."""
        gradient = barrier_gradient(iterate, mu, iterate.lagrangian_gradient)
        dw, dy, residual = self.solve(gradient, iterate.point.c if c is None else c)
        dzl, dzu = bound_multiplier_steps(iterate, dw, mu)
        return Direction(dw, dy, dzl, dzu, residual)

    def least_squares_multipliers(self, iterate: Iterate, limit: float = 1e3) -> Vector:
        """The y that minimises the norm of the gradient of the Lagrangian; zero where it exceeds the limit.

        Waechter & Biegler (2006), equation (36).
        """
        form, point = self.form, iterate.point
        assert point.g is not None
        if form.m == 0:
            return np.zeros(0)
        self.load(point, np.zeros(form.pattern.hessian_rows.size))
        done = self.regularise(1.0 - form.diagonal, 1e-11)
        _, y, residual = self.solve(point.g - iterate.zl + iterate.zu, np.zeros(form.m))
        largest = float(np.abs(y).max(initial=0.0))
        usable = done and math.isfinite(residual) and largest <= limit
        return y if usable else np.zeros(form.m)
