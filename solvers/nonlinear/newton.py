"""The regularised Newton step of the barrier problem's optimality conditions."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ...problems.nlp import Vector
from .barrier import barrier_gradient, bound_multiplier_steps
from .form import Form
from .iterate import Iterate, add_tail
from .kkt import KKTSolver, LinearSolver, kkt_solver

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


class NewtonSystem:
    """The reduced KKT system in (x, y); the tail is eliminated and recovered.

    Parameters
    ----------
    form : Form
        The problem.
    linear_solver : {"auto", "dense", "sparse"}
        See `kkt_solver`.
    rule : RegularisationRule
    """

    def __init__(self, form: Form, linear_solver: LinearSolver, rule: RegularisationRule) -> None:
        self.form = form
        self.rule = rule
        self.kkt: KKTSolver = kkt_solver(form.pattern, linear_solver)
        self.delta_w = 0.0
        self.delta_c = 0.0
        self.hessian = np.zeros(0)
        self._last_delta_w = 0.0
        self._dependent = form.m - len(set(form.tail_rows.tolist())) > form.nx
        self._tail_sigma = np.zeros(0)
        self.factorisations = 0

    def factor(self, iterate: Iterate, mu: float) -> bool:
        """Factorise at an iterate with the regularisation that gives the inertia (n, m, 0)."""
        point = iterate.point
        assert point.jacobian_values is not None
        self.hessian = hessian = self.form.hessian(point, iterate.y)
        if not np.isfinite(hessian).all():
            return False
        self.kkt.load(hessian, point.jacobian_values)
        return self.regularise(iterate.sigma, mu)

    def regularise(self, sigma: Vector, mu: float, least: float = 0.0) -> bool:
        """Raise delta_w from ``least``, and delta_c for a deficient Jacobian, until the inertia is right."""
        rule, form = self.rule, self.form
        dual = rule.dual * max(mu, 1e-11) ** rule.dual_exponent
        self.delta_w, self.delta_c = least, dual if self._dependent else 0.0
        while self.delta_w <= rule.largest:
            inertia = self._factor(sigma)
            if inertia == (form.nx, form.m, 0):
                if self.delta_w > 0.0:
                    self._last_delta_w = self.delta_w
                return True
            deficient = inertia[1] < form.m or inertia[2] > 0
            if self.delta_c == 0.0 and form.m and deficient:
                self.delta_c = dual
                continue
            self._grow()
        return False

    def _grow(self) -> None:
        rule = self.rule
        if self.delta_w == 0.0:
            last = self._last_delta_w
            self.delta_w = max(rule.smallest, rule.shrink * last) if last > 0.0 else rule.first
        else:
            self.delta_w *= rule.growth_first if self._last_delta_w == 0.0 else rule.growth

    def _factor(self, sigma: Vector) -> tuple[int, int, int]:
        form, nx = self.form, self.form.nx
        self.factorisations += 1
        sigma = sigma + form.diagonal
        primal = sigma[:nx] + self.delta_w
        dual = np.full(form.m, self.delta_c)
        self._tail_sigma = np.maximum(sigma[nx:] + self.delta_w, SMALLEST_SIGMA)
        add_tail(form, dual, 1.0 / self._tail_sigma)
        return self.kkt.factor(primal, dual)

    def solve(self, gradient: Vector, c: Vector) -> tuple[Vector, Vector, float]:
        """Solve for (dw, dy) with right-hand side -(gradient, c); and the relative residual."""
        form, nx = self.form, self.form.nx
        rhs = np.empty(nx + form.m)
        rhs[:nx] = -gradient[:nx]
        rows = -c
        tail_gradient = gradient[nx:]
        if tail_gradient.size:
            add_tail(form, rows, form.tail_signs * tail_gradient / self._tail_sigma)
        rhs[nx:] = rows
        v, residual = self.kkt.solve(rhs)
        dy = v[nx:]
        dw = np.empty(gradient.size)
        dw[:nx] = v[:nx]
        if tail_gradient.size:
            dw[nx:] = -(tail_gradient + form.tail_signs * dy[form.tail_rows]) / self._tail_sigma
        return dw, dy, residual

    def direction(self, iterate: Iterate, mu: float, c: Vector | None = None) -> Direction:
        """The Newton direction, with C(w) replaced by ``c`` for a second-order correction."""
        gradient = iterate.lagrangian_gradient + barrier_gradient(iterate, mu)
        dw, dy, residual = self.solve(gradient, iterate.point.c if c is None else c)
        dzl, dzu = bound_multiplier_steps(iterate, dw, mu)
        return Direction(dw, dy, dzl, dzu, residual)

    def least_squares_multipliers(self, iterate: Iterate, limit: float = 1e3) -> Vector:
        """The y that minimises the norm of the gradient of the Lagrangian; zero where it exceeds the limit.

        Waechter & Biegler (2006), equation (36).
        """
        form, point = self.form, iterate.point
        assert point.g is not None
        assert point.jacobian_values is not None
        if form.m == 0:
            return np.zeros(0)
        self.kkt.load(np.zeros(form.pattern.hessian_rows.size), point.jacobian_values)
        done = self.regularise(1.0 - form.diagonal, 1e-11)
        _, y, residual = self.solve(point.g - iterate.zl + iterate.zu, np.zeros(form.m))
        largest = float(np.abs(y).max(initial=0.0))
        usable = done and math.isfinite(residual) and largest <= limit
        return y if usable else np.zeros(form.m)
