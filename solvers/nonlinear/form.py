"""The problem as the solver sees it: scaled, fixed variables gone, inequalities as equations with slacks.

min f(w) subject to C(w) = 0 and lower <= w <= upper, where ``w = (x, t)``: the free variables x and a *tail*
of auxiliary variables, each of which enters exactly one row, linearly, with coefficient +1 or -1 (slacks
here, elastic variables in `restoration`). The tail never enters the linear algebra: the KKT system is
reduced to (x, y) by eliminating it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from ...problems.evaluator import Evaluator
from ...problems.nlp import IndexVector, Vector
from .form_kernels import (
    all_finite,
    equation_residuals,
    fill_matrix,
    gather_scaled,
    gather_weighted,
    place_variables,
)
from .kkt import DENSE_LIMIT, KKTPattern
from .scaling import Scaling, gradient_scaling

INFINITY = 1e20
"""Bounds at least this large are taken as absent, CUTEst's convention."""

NARROW = 1e-10
"""Relative width of an interval below which it counts as a single value."""


@dataclass(slots=True)
class Gaps:
    """Distances of a point to its bounds, infinite where there is none.

    ``logs`` is the sum of the logarithms of the finite ones, ``run_away`` that of the distances to bounds on
    one side only: what the barrier function takes from them, whatever its parameter.
    """

    lower: Vector
    upper: Vector
    logs: float
    run_away: float


@dataclass(slots=True)
class Point:
    """A point and the function values there; derivatives and gaps are filled in when asked for.

    ``g`` is the gradient with respect to x and the tail, ``J`` the Jacobian with respect to x alone: an
    ndarray for small problems, a csr_array otherwise, with its nonzeros in ``jacobian_values``.
    """

    w: Vector
    x: Vector
    f: float
    c: Vector
    g: Vector | None = None
    J: Any = None
    jacobian_values: Vector | None = None
    gaps: Gaps | None = None

    @property
    def finite(self) -> bool:
        """Whether objective and constraints are finite numbers."""
        return math.isfinite(self.f) and bool(all_finite(self.c))


class Form(Protocol):
    """What the barrier iteration needs to know of a problem in slack form."""

    nx: int
    m: int
    lower: Vector
    upper: Vector
    tail_rows: IndexVector
    tail_signs: Vector
    pattern: KKTPattern
    diagonal: Vector
    """Curvature of the objective in w that is not part of `hessian`."""

    def evaluate(self, w: Vector) -> Point:
        """Objective and constraints at w."""

    def differentiate(self, point: Point) -> bool:
        """Fill in gradient and Jacobian; False where they are not finite."""

    def hessian(self, point: Point, y: Vector) -> Any:
        """Values of the lower triangle of the Hessian of f + y'C with respect to x, or an operator."""

    def learn(self, old: Point, new: Point, y: Vector) -> None:
        """Tell a quasi-Newton approximation about an accepted step."""

    def set_barrier(self, mu: float) -> None:
        """Tell the form the barrier parameter, on which an elastic objective depends."""

    def refresh(self, point: Point) -> Point:
        """The same point, differentiated, with function values that belong to the present parameter."""


class SlackForm:
    """The problem of an evaluator in slack form.

    Parameters
    ----------
    evaluator : Evaluator
        Oracles of the original problem.
    scale : bool, default True
        Gradient-based scaling of the objective and of each constraint at the start.
    slack_relaxation : float, default 1e-8
        Relative amount by which the bounds of slacks are widened, so that an interior exists where the
        constraints meet in a point. Bounds of variables are never widened.
    """

    def __init__(self, evaluator: Evaluator, scale: bool = True, slack_relaxation: float = 1e-8) -> None:
        self.evaluator = evaluator
        self._split_variables()
        self._split_rows()
        self._select_patterns()
        self.diagonal = np.zeros(self.nw)
        self.scaling = Scaling(1.0, np.ones(self.m))
        self._apply_scaling(slack_relaxation)
        start = self._push_inside(self._start_variables())
        if scale:
            self.scaling = self._measure_scaling(start)
            self._apply_scaling(slack_relaxation)
        self.start = self._with_slacks(start)

    # ---- construction

    def _split_variables(self) -> None:
        ev = self.evaluator
        lb = np.where(ev.lb <= -INFINITY, -np.inf, ev.lb)
        ub = np.where(ev.ub >= INFINITY, np.inf, ev.ub)
        fixed = is_narrow(lb, ub)
        self.free: IndexVector = np.flatnonzero(~fixed)
        self.fixed: IndexVector = np.flatnonzero(fixed)
        self.nx = int(self.free.size)
        self._template = np.array(ev.x0, dtype=np.float64)
        self._template[fixed] = np.clip(0.5 * (lb[fixed] + ub[fixed]), lb[fixed], ub[fixed])
        self.x_lower, self.x_upper = lb[self.free], ub[self.free]
        self.bounded = bool(np.isfinite(self.x_lower).any() or np.isfinite(self.x_upper).any())

    def _split_rows(self) -> None:
        ev = self.evaluator
        cl = np.where(ev.cl <= -INFINITY, -np.inf, ev.cl)
        cu = np.where(ev.cu >= INFINITY, np.inf, ev.cu)
        self.active: IndexVector = np.flatnonzero(np.isfinite(cl) | np.isfinite(cu))
        self.cl, self.cu = cl[self.active], cu[self.active]
        self.m = int(self.active.size)
        self._all_rows = self.m == ev.m
        equal = is_narrow(self.cl, self.cu)
        self.tail_rows: IndexVector = np.flatnonzero(~equal)
        self.tail_signs = np.full(self.tail_rows.size, -1.0)
        self.tail_bounds = self.cl[self.tail_rows], self.cu[self.tail_rows]
        self._target = np.zeros(self.m)
        self._target[equal] = 0.5 * (self.cl[equal] + self.cu[equal])
        self.nw = self.nx + self.tail_rows.size

    def _select_patterns(self) -> None:
        column = np.full(self.evaluator.n, -1, dtype=np.int64)
        column[self.free] = np.arange(self.nx)
        row = np.full(self.evaluator.m, -1, dtype=np.int64)
        row[self.active] = np.arange(self.m)
        jr, jc = self.jacobian_coordinates(row, column)
        self.exact_hessian = self.has_hessian()
        hr, hc = self.hessian_coordinates(column)
        self.pattern = KKTPattern(self.nx, self.m, hr, hc, jr, jc)
        self.dense = self.pattern.order <= DENSE_LIMIT
        if not self.dense:
            self._indptr = np.zeros(self.m + 1, dtype=np.int64)
            np.cumsum(np.bincount(jr, minlength=self.m), out=self._indptr[1:])
        self._curvature = self.approximation()

    def has_hessian(self) -> bool:
        """Whether second derivatives are taken from the problem."""
        return self.evaluator.problem.capabilities.second != "none"

    def approximation(self) -> Any:
        """A fresh quasi-Newton approximation of a Hessian of order nx, None where none is wanted."""
        if self.exact_hessian:
            return None
        from .quasi_newton import DampedBFGS

        return DampedBFGS(self.nx)

    def jacobian_coordinates(self, row: IndexVector, column: IndexVector) -> tuple[IndexVector, IndexVector]:
        """Rows and columns of the Jacobian's values, given the new numbers of the old ones (-1: left out)."""
        indptr, indices = self.evaluator.jacobian_structure()
        rows, columns = np.repeat(row, np.diff(indptr)), column[indices]
        self._jacobian_keep: IndexVector = np.flatnonzero((rows >= 0) & (columns >= 0))
        return rows[self._jacobian_keep], columns[self._jacobian_keep]

    def hessian_coordinates(self, column: IndexVector) -> tuple[IndexVector, IndexVector]:
        """Rows and columns of the values of the Hessian's lower triangle, likewise."""
        if not self.exact_hessian:
            rows, columns = np.tril_indices(self.nx)
            return rows.astype(np.int64), columns.astype(np.int64)
        indptr, indices = self.evaluator.hessian_structure()
        rows, columns = np.repeat(column, np.diff(indptr)), column[indices]
        self._hessian_keep: IndexVector = np.flatnonzero((rows >= 0) & (columns >= 0))
        return rows[self._hessian_keep], columns[self._hessian_keep]

    def _apply_scaling(self, relaxation: float) -> None:
        rows, scale = self.tail_rows, self.scaling.constraints
        self._scaled_target = scale * self._target
        sl, su = self.cl[rows], self.cu[rows]
        finite = np.isfinite(sl) & np.isfinite(su)
        widest = np.full(rows.size, np.inf)
        widest[finite] = 0.1 * (su - sl)[finite]
        sl = sl - np.minimum(relaxation * np.maximum(1.0, np.where(np.isfinite(sl), np.abs(sl), 1.0)), widest)
        su = su + np.minimum(relaxation * np.maximum(1.0, np.where(np.isfinite(su), np.abs(su), 1.0)), widest)
        self.lower = np.concatenate([self.x_lower, scale[rows] * sl])
        self.upper = np.concatenate([self.x_upper, scale[rows] * su])
        self._jacobian_scale = scale[self.pattern.jacobian_rows]

    def _start_variables(self) -> Vector:
        return np.array(self.evaluator.x0[self.free])

    def _push_inside(self, x: Vector) -> Vector:
        """The start moved inside the bounds, by less where the functions are not defined there."""
        original = np.clip(x, self.x_lower, self.x_upper)
        for fraction in (1e-2, 1e-4, 1e-8, 0.0):
            pushed = push_inside(original, self.x_lower, self.x_upper, fraction)
            point = self.evaluate(np.concatenate([pushed, np.zeros(self.nw - self.nx)]))
            if point.finite and self.differentiate(point):
                break
        return pushed

    def _measure_scaling(self, x: Vector) -> Scaling:
        point = self.evaluate(np.concatenate([x, np.zeros(self.nw - self.nx)]))
        if not self.differentiate(point) or point.g is None or point.jacobian_values is None:
            return self.scaling
        return gradient_scaling(point.g[: self.nx], point.jacobian_values, self.pattern.jacobian_rows, self.m)

    def _with_slacks(self, x: Vector) -> Vector:
        point = self.evaluate(np.concatenate([x, np.zeros(self.nw - self.nx)]))
        slacks = np.nan_to_num(point.c[self.tail_rows], nan=0.0, posinf=1e10, neginf=-1e10)
        lower, upper = self.lower[self.nx :], self.upper[self.nx :]
        return np.concatenate([x, push_inside(np.clip(slacks, lower, upper), lower, upper, 1e-2)])

    # ---- oracles

    def full(self, w: Vector) -> Vector:
        """The original x, shape (n,), inside its bounds."""
        x = self._template.copy()
        place_variables(w, self.x_lower, self.x_upper, self.free, x)
        return x

    def evaluate(self, w: Vector) -> Point:
        """Objective and constraints at w, scaled."""
        x, c = self.full(w), np.empty(self.m)
        f = self.scaling.objective * float(self.evaluator.objective(x))
        if self.m:
            values, scale = self.evaluator.constraints(x), self.scaling.constraints
            equation_residuals(
                values, self.active, scale, self._scaled_target, self.tail_rows, w[self.nx :], c
            )
        return Point(w, x, f, c)

    def differentiate(self, point: Point) -> bool:
        """Fill in gradient and Jacobian; False where they are not finite."""
        if point.g is not None:
            return True
        g = np.zeros(self.nw)
        if not gather_scaled(self.evaluator.gradient(point.x), self.free, self.scaling.objective, g):
            return False
        if not self.differentiate_rows(point):
            return False
        point.g = g
        return True

    def differentiate_rows(self, point: Point) -> bool:
        """Fill in the Jacobian; False where it is not finite."""
        values = np.empty(self._jacobian_keep.size)
        if values.size:
            unscaled = self.evaluator.jacobian_values(point.x)
            if not gather_weighted(unscaled, self._jacobian_keep, self._jacobian_scale, values):
                return False
        point.jacobian_values, point.J = values, self.jacobian_matrix(values)
        return True

    def jacobian_matrix(self, values: Vector) -> Any:
        """The Jacobian with respect to x of these values, dense or CSR."""
        if self.dense:
            J = np.zeros((self.m, self.nx))
            fill_matrix(self.pattern.jacobian_rows, self.pattern.jacobian_columns, values, J)
            return J
        from scipy.sparse import csr_array

        return csr_array((values, self.pattern.jacobian_columns, self._indptr), shape=(self.m, self.nx))

    def hessian(self, point: Point, y: Vector, sigma: float = 1.0) -> Any:
        """Values of the lower triangle of the Hessian of ``sigma f + y'C`` with respect to x, scaled.

        Or an operator, in forms without values.
        """
        if self._curvature is not None:
            return self._curvature.values
        values = self.evaluator.hessian_values(point.x, self.unscale_rows(y), sigma * self.scaling.objective)
        return np.asarray(values[self._hessian_keep])

    def learn(self, old: Point, new: Point, y: Vector) -> None:
        """Update the quasi-Newton matrix where there is no Hessian."""
        if self._curvature is not None and old.g is not None and new.g is not None:
            change = new.g[: self.nx] - old.g[: self.nx] + y @ new.J - y @ old.J
            self._curvature.update(new.w[: self.nx] - old.w[: self.nx], change)

    def set_barrier(self, mu: float) -> None:
        """Nothing here depends on the barrier parameter."""

    def refresh(self, point: Point) -> Point:
        """The point itself."""
        return point

    def signed_violations(self, x: Vector) -> Vector:
        """Violations of the original constraints (free rows left out): positive above, negative below."""
        c = self.evaluator.constraints(x)
        if not self._all_rows:
            c = c[self.active]
        return np.maximum(c - self.cu, 0.0) - np.maximum(self.cl - c, 0.0)

    def unscale_rows(self, y: Vector) -> Vector:
        """Multipliers of scaled rows as weights of the original ones, shape (m,); objective still scaled."""
        if self._all_rows:
            return self.scaling.constraints * y
        full = np.zeros(self.evaluator.m)
        full[self.active] = self.scaling.constraints * y
        return full


def is_narrow(lower: Vector, upper: Vector) -> NDArray[np.bool_]:
    """Which intervals count as a single value."""
    narrow = np.isfinite(lower) & np.isfinite(upper)
    narrow[narrow] = (upper - lower)[narrow] <= NARROW * np.maximum(1.0, np.abs(lower[narrow]))
    return narrow


def push_inside(v: Vector, lower: Vector, upper: Vector, fraction: float) -> Vector:
    """Move v away from its bounds, Waechter & Biegler (2006), section 3.6.

    By ``fraction max(1, |bound|)``, but by no more than ``fraction`` of the width of the interval.
    """
    width = fraction * (upper - lower)
    with np.errstate(invalid="ignore"):
        low = lower + np.minimum(fraction * np.maximum(1.0, np.abs(lower)), width)
        high = upper - np.minimum(fraction * np.maximum(1.0, np.abs(upper)), width)
        low = np.where(np.isfinite(lower), low, -np.inf)
        high = np.where(np.isfinite(upper), high, np.inf)
    return np.minimum(np.maximum(v, low), high)
