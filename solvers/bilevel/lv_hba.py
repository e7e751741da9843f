"""`lv-hba`: first derivatives only, for constrained lower levels (Yao, Yu, Zeng & Zhang, ICLR 2024).

The lower level becomes f(x, y) - v(x, y, z) <= 0 with its proximal Lagrangian value function v, over the set
C = {x in X, y in Y, cl <= g(x, y) <= cu}, and this a penalty:

    for c_k = c_0, 5 c_0, ...:
        minimise F + c_k (f - max over z of v) over C
        extrapolate the path of (x, y) to 1/c_k = 0, and solve the lower level there from y

The published single loop (`lv_hba_published.py`) takes one gradient step for theta, lam, (x, y) and z in
turn; here theta, lam and z are solved for, which makes the penalised problem smooth in (x, y) alone, so that
projected L-BFGS with backtracking needs no step sizes and 1/c_k's bias can be extrapolated away.

Without the projection onto C, g is kept by an augmented Lagrangian at (x, y) too, and steps project onto X
and Y alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.bilevel.sets import Affine, ConvexSet, Polyhedron, Product, is_box
from ...problems.nlp import Vector
from ..status import Status
from .constrained_descent import SLOW, ScaledRows, rounding
from .driver import PenalisedStationarity, Run, State
from .lower_solution import solve_lower
from .lower_value import LowerValue
from .outer_step import OuterStep
from .penalty import first_sigma, lower_curvature, refusal_above
from .penalty_path import PathPoint, extrapolated
from .set_descent import Descent, descend

GROWTH = 5.0
"""Factor from one c_k to the next."""

MAX_GROWTH = 1e8
"""Of c_k over c_0: beyond, differences f - v are rounding."""

FIRST_LOOK = 3
"""Points of the path before its end is taken for an answer."""

MAX_PROJECTED = 300
"""Variables up to which the projection onto C is a dense least-distance problem."""

MAX_ENTRIES = 1_000_000
"""Entries of g's Jacobian up to which it is factorised, where C is given by equations alone."""

MAX_PASSES = 30
"""Updates of the multipliers at (x, y) for one c_k, without projection."""

_OUTER = 0.05
"""Target of the penalised problem's residual, relative to tol."""

_INNER = 0.05
"""Target of the inner residuals, relative to the outer target over c_k."""

_EARLY = 1e-3
"""The same, relative to the outer residual over c_k where that is larger, far from stationary points."""

_LATE = 20.0
"""An outer residual below so many times the error of its gradient is looked at again, with less of it."""

_FLOOR = 5e-14


@dataclass
class _State(State):
    """With c_k, the point of its problem and the path so far."""

    c: float = 0.0
    position: Vector = field(default_factory=lambda: np.zeros(0))
    lagrangian: _Penalised | None = None
    passes: int = 0
    path: list[PathPoint] = field(default_factory=list)


@dataclass(frozen=True)
class LVHBA:
    """LV-HBA with automatic scaling, steps and c_k.

    Takes lower constraints, coupled or not, equations too. The lower level should be convex in y, or nearly:
    f + ||y||^2/(2 gamma1) convex.

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate.
    max_iterations : int, default 200
        Steps, each of at most `outer_iterations` iterations on (x, y).
    outer_iterations : int, default 100
        Iterations within a step, after which callback and limits have a look.
    projection : bool, optional
        Whether steps are projected onto C. Default: where g is linear, and there are at most 300 variables or
        nothing but equations.
    c0 : float, optional
        First weight of f - v. Default: ten times the curvature of F over that of f along y at the start.
    gamma1, gamma2 : float, optional
        Proximal parameters of v. Default: 10 over, and 10 times, the curvature of f along y at the start;
        constraints are scaled to gradients of norm 1 there.
    memory : int, default 100
        Pairs of L-BFGS: they save oracles, which cost more than pairs do.
    """

    tol: float = 1e-6
    max_iterations: int = 200
    outer_iterations: int = 100
    projection: bool | None = None
    c0: float | None = None
    gamma1: float | None = None
    gamma2: float | None = None
    memory: int = 100

    def __post_init__(self) -> None:
        for name in ("c0", "gamma1", "gamma2"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0.0):
                raise ValueError(f"{name} must be a number > 0, got {value}")
        if self.outer_iterations < 1:
            raise ValueError(f"outer_iterations must be >= 1, got {self.outer_iterations}")

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Constraints of the upper level other than X."""
        return refusal_above(problem)

    def init(self, run: Run) -> _State:
        """The start, put into C, with the first c_k."""
        problem = run.problem
        x, y = problem.x0.copy(), problem.y0.copy()
        w = problem.join(x, y)
        c = 1.0 / first_sigma(run, x, y) if self.c0 is None else self.c0
        curvature = lower_curvature(run, x, y)
        gamma1 = 10.0 / curvature if self.gamma1 is None else self.gamma1
        gamma2 = 10.0 * curvature if self.gamma2 is None else self.gamma2
        rows = ScaledRows(problem.lower, w)
        region = self._region(run, w)
        projected = region is not None
        if region is None:
            region = Product(problem.X, problem.Y)
        value = LowerValue(problem, rows, gamma1, gamma2, self.memory)
        lagrangian = _Penalised(run, region, value, projected)
        w = region.project(w)
        x, y = problem.split(w)
        return _State(x, y, problem.upper.objective(w), c=c, position=w, lagrangian=lagrangian)

    def step(self, run: Run, state: _State) -> _State:
        """Iterations on (x, y) at one c_k; where they are done, the end of the path and the next c_k."""
        problem, lagrangian = run.problem, state.lagrangian
        assert lagrangian is not None
        target = _OUTER * self.tol
        found = lagrangian.lowered(self, state.c, state.position, target)
        if found.done and found.residual > target and lagrangian.early:
            lagrangian.early = False  # no step could be found: the error of v may be the reason
            found = lagrangian.lowered(self, state.c, found.v, target)
        infeasibility = lagrangian.update(found.v)
        record = {"c": state.c, "residual": found.residual, "infeasibility": infeasibility}
        penalised = PenalisedStationarity(found.residual, 1.0 / state.c)
        state = replace(state, position=found.v, settled=False, record=record, penalised=penalised)
        state.passes += 1
        done = found.done and infeasibility <= target / state.c
        if not done and state.passes < MAX_PASSES:
            x, y = problem.split(found.v)
            return replace(state, x=x, y=y, F=problem.upper.objective(found.v))
        path, c = [*state.path, PathPoint(1.0 / state.c, found.v)], GROWTH * state.c
        position = lagrangian.region.project(extrapolated(path, 1.0 / c))
        return self._end(run, replace(state, path=path, c=c, position=position, passes=0))

    def check(self, run: Run, state: _State) -> Status | None:
        """The certificate's word, or the largest c_k."""
        if state.settled and run.certificate is not None and run.certificate.holds:
            return Status.CONVERGED
        grown = bool(state.path) and state.c * state.path[0].sigma > MAX_GROWTH
        return Status.STALLED if grown else None

    def _end(self, run: Run, state: _State) -> _State:
        """Where the path leads, with the lower solution there."""
        problem = run.problem
        x, y = problem.split(extrapolated(state.path))
        x, y = problem.X.project(x), problem.Y.project(y)
        if problem.has_second_derivatives:
            lower = solve_lower(problem, x, y, 1e-2 * self.tol, run.remaining_time)
            y = lower.y if lower.success else y
        F = problem.upper.objective(problem.join(x, y))
        return replace(state, x=x, y=y, F=F, settled=len(state.path) >= FIRST_LOOK)

    def _region(self, run: Run, w: Vector) -> ConvexSet | None:
        """C where steps are projected onto it."""
        problem = run.problem
        if problem.lower.m == 0:
            return Product(problem.X, problem.Y)
        if self.projection is False or (self.projection is None and not self._is_small(problem)):
            return None
        boxes = is_box(problem.X) and is_box(problem.Y)
        linear = linear_rows(run, w) if boxes else None
        if linear is None and self.projection:
            raise ValueError("projection needs linear lower constraints, and boxes X and Y")
        return linear

    def _is_small(self, problem: BilevelProblem) -> bool:
        """Whether the projection onto C, if there is one, is cheap."""
        level, n = problem.lower, problem.n_x + problem.n_y
        bounds = [problem.X.lb, problem.Y.lb, problem.X.ub, problem.Y.ub]
        equations = (level.cl == level.cu).all() and not np.isfinite(np.concatenate(bounds)).any()
        return level.m * n <= MAX_ENTRIES if equations else n <= MAX_PROJECTED


def linear_rows(run: Run, w: Vector) -> ConvexSet | None:
    """{x in X, y in Y, cl <= g <= cu} for boxes X, Y and linear g; None where g bends at random points."""
    problem, level = run.problem, run.problem.lower
    J = level.jacobian(w).toarray()
    g = level.constraints(w).copy()
    offset = g - J @ w
    lb, ub = np.concatenate([problem.X.lb, problem.Y.lb]), np.concatenate([problem.X.ub, problem.Y.ub])
    for _ in range(3):
        other = np.clip(w + run.rng.standard_normal(w.size) * np.maximum(1.0, abs(w)), lb, ub)
        size = np.maximum(1.0, abs(J) @ abs(other) + abs(offset))
        if not (abs(level.constraints(other) - J @ other - offset) <= 1e-10 * size).all():
            return None
    cl, cu = level.cl - offset, level.cu - offset
    if (cl == cu).all() and not np.isfinite([lb, ub]).any():
        return Affine(J, cl)
    return Polyhedron(J, cl, cu, lb, ub)


class _Penalised:
    """F + c (f - v), with an augmented Lagrangian of g where steps are not projected onto C."""

    def __init__(self, run: Run, region: ConvexSet, value: LowerValue, projected: bool) -> None:
        self.run, self.problem, self.region, self.value = run, run.problem, region, value
        self._free = not projected
        self._multipliers = np.zeros(value.rows.m)
        self._weight, self._violation = 10.0 * value.gamma2, np.inf
        self._size, self._residual, self._c = 0.0, np.inf, 0.0
        self.early = True

    def lowered(self, method: LVHBA, c: float, w: Vector, target: float) -> Descent:
        """Iterations of projected L-BFGS from w."""
        if c != self._c:
            self._c, self._model = c, OuterStep(self.region, method.memory)
            self._residual = np.inf
        inner = max(_FLOOR, _INNER * target / c)
        return descend(
            lambda v: self._at(v, c, inner),
            self._model,
            w,
            target,
            method.outer_iterations,
            lambda: rounding(self._size, w.size),
            inner * c,
        )

    def update(self, w: Vector) -> float:
        """The step of the multipliers at (x, y): the violation that is left.

        f - v is not convex outside C: the weight rises until its term outweighs that.
        """
        if not self._free or not self.value.rows.m:
            return 0.0
        lam, _ = self.value.rows.multipliers(w, self._multipliers, self._weight)
        violation = float(abs(lam - self._multipliers).max()) / self._weight
        self._multipliers = lam
        if violation > SLOW * self._violation:
            self._weight *= 10.0
        self._violation = violation
        return violation

    def _at(self, w: Vector, c: float, least: float) -> tuple[float, Vector]:
        """Value and gradient, with inner residuals of `least`, or larger ones far from stationary points."""
        problem, rows = self.problem, self.value.rows
        x, y = problem.split(w)
        F, F_gradient = problem.upper.objective_and_gradient(w)
        F_gradient = F_gradient.copy()
        f, f_gradient = problem.lower.objective_and_gradient(w)
        f_gradient, share = f_gradient.copy(), 0.0
        if self._free and rows.m:
            lam, share = rows.multipliers(w, self._multipliers, self._weight)
            f_gradient += rows.vjp(w, lam)
        residual = min(self._residual, float(abs(F_gradient).max()))
        while True:
            target = max(least, _EARLY * residual / c) if self.early else least
            lower = self.value.at(x, y, target)
            gradient = F_gradient + c * (f_gradient - lower.gradient)
            residual = float(abs(self._model.residual(w, gradient)).max())
            if not _LATE * target * c > residual or target <= least:
                break
        self._residual = residual
        self.run.note(x, y)
        self._size = c * (self.value.size + abs(f) + float(abs(f_gradient) @ abs(w)))
        self._size += abs(F) + float(abs(F_gradient) @ abs(w))
        return F + c * (f - lower.v + share), gradient
