"""`penalty`: first derivatives only, by a penalty on the lower level (Kwon, Kwon, Wright & Nowak, 2023).

With l(x, sigma) = min of sigma F(x, y) + f(x, y) over {y in Y, cl <= g(x, y) <= cu}, the value function
F(x, y*(x)) is close to

    psi(x) = (l(x, sigma) - l(x, 0)) / sigma
    grad psi(x) = grad_x F(x, y_s) + (grad_x f(x, y_s) - grad_x f(x, z)) / sigma

with the minimisers y_s of sigma F + f and z of f; or by its central difference

    psi(x) = (l(x, sigma) - l(x, -sigma)) / (2 sigma).

For sigma = sigma0, sigma0/5, ...:

    minimise psi over X; each evaluation minimises two functions of y from the last y_s and z
    extrapolate the path of (x, y_s) to sigma = 0, and solve the lower level there from y_s

Steps are those of projected L-BFGS with backtracking in both loops, so there are no step sizes to choose.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import NLP, Vector
from ..status import Status
from .constrained_descent import ConstrainedDescent, ScaledRows, Weighed, rounding
from .driver import PenalisedStationarity, Run, State
from .outer_step import OuterStep
from .penalty_path import PathPoint, extrapolated, leniency
from .set_descent import Descent, descend

FALL = 0.2
"""Factor from one sigma to the next."""

MIN_SIGMA = 1e-9
"""Relative to the first sigma: below, differences of gradients are rounding."""

FIRST_LOOK = 3
"""Points of the path before its end is taken for an answer."""

DIVERGED = 1e20
"""Residual of a function that has no minimum."""

_OUTER = 0.05
"""Target of psi's residual, relative to tol: the extrapolation magnifies errors."""

_INNER = 0.05
"""Target of the inner residuals, relative to sigma times that of psi, which divides them by sigma."""

_EARLY = 1e-3
"""The same, relative to psi's own residual where that is larger, far from stationary points."""

_FIRST = 1e-3
"""The first target, relative to sigma."""

_LATE = 20.0
"""A residual of psi below so many times the error of its gradient is looked at again, with less of it."""

_FLOOR = 5e-14
"""Least target of an inner residual."""


@dataclass
class _State(State):
    """With sigma, the point of its problem, the lower solutions there, and the path so far."""

    sigma: float = 0.0
    first_sigma: float = 0.0
    position: Vector = field(default_factory=lambda: np.zeros(0))
    inner: _Inner | None = None
    path: list[PathPoint] = field(default_factory=list)
    failed: bool = False


@dataclass(frozen=True)
class Penalty:
    """The deterministic double loop.

    The lower level needs no second derivatives and may have many solutions, as long as f(x, .) rises at least
    quadratically from their set (the proximal Polyak-Lojasiewicz condition).

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate.
    max_iterations : int, default 200
        Steps, each of at most `outer_iterations` iterations on psi.
    outer_iterations : int, default 50
        Iterations on psi within a step, after which callback and limits have a look.
    sigma0 : float, optional
        First weight of F. Default: a tenth of the curvature of f over that of F along y at the start.
    central : bool, default False
        Central differences in sigma: an error of order sigma^2, for lower levels that are smooth and strongly
        convex over a free y.
    memory : int, default 100
        Pairs of L-BFGS: they save oracles, which cost more than pairs do.
    """

    tol: float = 1e-6
    max_iterations: int = 200
    outer_iterations: int = 50
    sigma0: float | None = None
    central: bool = False
    memory: int = 100

    def __post_init__(self) -> None:
        if self.sigma0 is not None and not (np.isfinite(self.sigma0) and self.sigma0 > 0.0):
            raise ValueError(f"sigma0 must be a number > 0, got {self.sigma0}")
        if self.outer_iterations < 1:
            raise ValueError(f"outer_iterations must be >= 1, got {self.outer_iterations}")

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Constraints of the upper level other than X; for `central`, those of the lower level as well."""
        named = refusal_above(problem)
        if named is None and self.central and np.isfinite([problem.Y.lb, problem.Y.ub]).any():
            return "bounds on y, which central differences do not take"
        if named is None and self.central and problem.lower.m:
            return "lower constraints, which central differences do not take"
        return named

    def init(self, run: Run) -> _State:
        """The start, with the first sigma."""
        problem = run.problem
        x, y = problem.x0.copy(), problem.y0.copy()
        sigma = first_sigma(run, x, y) if self.sigma0 is None else self.sigma0
        F = problem.upper.objective(problem.join(x, y))
        inner = _Inner(run, self, y)
        return _State(x, y, F, sigma=sigma, first_sigma=sigma, position=x, inner=inner)

    def step(self, run: Run, state: _State) -> _State:
        """Iterations on psi at one sigma; where they are done, the end of the path and the next sigma."""
        inner, problem = state.inner, run.problem
        assert inner is not None
        inner.sigma = state.sigma
        target = leniency(len(state.path)) * _OUTER * self.tol
        found = self._lowered(inner, state.position, target)
        if found.done and found.residual > target and inner.early:
            inner.sharpen()  # no step could be found: the error of psi may be the reason
            found = self._lowered(inner, found.v, target)
        record = {"sigma": state.sigma, "residual": found.residual}
        penalised = PenalisedStationarity(found.residual, state.sigma)
        state = replace(state, settled=False, record=record, penalised=penalised)
        if not found.residual < DIVERGED:
            return replace(state, failed=True)
        state = replace(state, position=found.v)
        if not found.done:
            y = inner.z.copy()
            return replace(state, x=found.v, y=y, F=problem.upper.objective(problem.join(found.v, y)))
        inner.psi(found.v)
        point = (
            PathPoint(state.sigma**2, problem.join(found.v, 0.5 * (inner.y_s + inner.z)))
            if self.central
            else PathPoint(state.sigma, problem.join(found.v, inner.y_s))
        )
        path, sigma = [*state.path, point], FALL * state.sigma
        ahead = extrapolated(path, sigma**2 if self.central else sigma)[: problem.n_x]
        position = problem.X.project(ahead)
        return self._end(run, replace(state, path=path, sigma=sigma, position=position))

    def check(self, run: Run, state: _State) -> Status | None:
        """The certificate's word, or the least sigma."""
        if state.settled and run.certificate is not None and run.certificate.holds:
            return Status.CONVERGED
        if state.failed:
            return Status.NUMERICAL_FAILURE
        return Status.STALLED if state.sigma < MIN_SIGMA * state.first_sigma else None

    def _lowered(self, inner: _Inner, x: Vector, target: float) -> Descent:
        """Iterations on psi."""
        return descend(inner.psi, inner.model, x, target, self.outer_iterations, inner.uncertainty)

    def _end(self, run: Run, state: _State) -> _State:
        """Where the path leads, with the lower solution there."""
        problem, inner = run.problem, state.inner
        assert inner is not None
        x, y = problem.split(extrapolated(state.path))
        x = problem.X.project(x)
        y = inner.lower_solution(x, problem.Y.project(y))
        F = problem.upper.objective(problem.join(x, y))
        return replace(state, x=x, y=y, F=F, settled=len(state.path) >= FIRST_LOOK)


class _Inner:
    """Minimisers of a F + f over the feasible y, a = sigma and 0 (or -sigma), and psi made of them."""

    def __init__(self, run: Run, method: Penalty, y: Vector) -> None:
        self.run, self.problem, self.method = run, run.problem, method
        self.sigma, self.size = 1.0, 1.0
        self.early = True
        self.model = OuterStep(run.problem.X, method.memory)  # psi hardly changes with sigma
        self._residual = _FIRST / _EARLY
        rows = ScaledRows(run.problem.lower, run.problem.join(run.problem.x0, y))
        curvature = lower_curvature(run, run.problem.x0, y) if rows.m else 1.0
        self._descents = [
            ConstrainedDescent(run.problem, rows, y, 10.0 / curvature, 10.0 * curvature, method.memory)
            for _ in range(2)
        ]

    @property
    def y_s(self) -> Vector:
        """The minimiser of sigma F + f."""
        return self._descents[0].y

    @property
    def z(self) -> Vector:
        """That of f; of f - sigma F with central differences."""
        return self._descents[1].y

    def sharpen(self) -> None:
        """From now on inner residuals are as small as can be, and what was learnt of psi is forgotten."""
        self.early = False
        self.model = OuterStep(self.problem.X, self.method.memory)

    def psi(self, x: Vector) -> tuple[float, Vector]:
        """Psi and its gradient; inner residuals are as small as that of psi makes it necessary."""
        least = max(_FLOOR, _INNER * _OUTER * self.method.tol * self.sigma)
        while True:
            target = max(least, _EARLY * self.sigma * self._residual) if self.early else least
            value, gradient = self._psi(x, target)
            residual = float(abs(self.model.residual(x, gradient)).max())
            if not np.isfinite(residual):  # no lower solution here
                return value, gradient
            self._residual = residual
            if not _LATE * target > self.sigma * residual or target <= least:
                return value, gradient

    def uncertainty(self) -> float:
        """Absolute error of psi, by rounding and by the least residual of the inner problems."""
        reach = max(float(abs(descent.y).max()) for descent in self._descents)
        by_rounding = rounding(self.size, self.problem.n_x + self.problem.n_y)
        return (by_rounding + 2.0 * _FLOOR * reach) / self.sigma

    def lower_solution(self, x: Vector, y: Vector) -> Vector:
        """The lower solution that gradient steps from y lead to: near y where there are many."""
        last = self._descents[1]
        descent = ConstrainedDescent(
            self.problem, last.rows, y, last.flatness, last.gamma2, self.method.memory
        )
        descent.z = last.z
        found = descent.minimum(self._weighted(0.0), x, _FLOOR)
        return y if found is None else found.y

    def _psi(self, x: Vector, target: float) -> tuple[float, Vector]:
        sigma = self.sigma
        other, width = (-sigma, 2.0 * sigma) if self.method.central else (0.0, sigma)
        above = self._descents[0].minimum(self._weighted(sigma), x, target)
        below = self._descents[1].minimum(self._weighted(other), x, target)
        if above is None or below is None:
            return np.nan, np.full(x.size, np.nan)
        self.size = sum(descent.size for descent in self._descents)
        self.run.note(x, self.z)
        return (above.value - below.value) / width, (above.gradient - below.gradient)[: x.size] / width

    def _weighted(self, a: float) -> Weighed:
        problem = self.problem

        def fun(w: Vector) -> tuple[float, Vector]:
            value, gradient = problem.lower.objective_and_gradient(w)
            if not a:
                return value, gradient
            F, F_gradient = problem.upper.objective_and_gradient(w)
            return value + a * F, gradient + a * F_gradient

        return fun


def refusal_of_constraints(problem: BilevelProblem) -> str | None:
    """What the penalty methods do not take: constraints beyond the sets X and Y."""
    if problem.lower.m:
        return "lower constraints beyond the set Y"
    return refusal_above(problem)


def refusal_above(problem: BilevelProblem) -> str | None:
    """Constraints of the upper level beyond X."""
    if problem.upper.m:
        return "upper constraints beyond the set X"
    bounds = problem.upper.lb[problem.n_x :], problem.upper.ub[problem.n_x :]
    return "upper bounds on y" if np.isfinite(bounds).any() else None


def first_sigma(run: Run, x: Vector, y: Vector) -> float:
    """A tenth of the curvature of f over that of F, along one random step of y."""
    below, above = (curvature_along_y(run, level, x, y) for level in (run.problem.lower, run.problem.upper))
    ratio = below / above if above > 0.0 else 1.0
    return 0.1 * (min(max(ratio, 1e-3), 1e3) if np.isfinite(ratio) and ratio > 0.0 else 1.0)


def lower_curvature(run: Run, x: Vector, y: Vector) -> float:
    """That of f along y, within 1e-3..1e3, for proximal parameters and weights of constraints."""
    curvature = curvature_along_y(run, run.problem.lower, x, y)
    return min(max(curvature, 1e-3), 1e3) if np.isfinite(curvature) else 1.0


def curvature_along_y(run: Run, level: NLP, x: Vector, y: Vector) -> float:
    """Change of a level's gradient by y along a random step, per length: a Lipschitz estimate from below."""
    problem, n_x = run.problem, run.problem.n_x
    step = 1e-4 * max(1.0, float(abs(y).max())) * run.rng.standard_normal(y.size)
    y_next = problem.Y.project(y + step)
    if (y_next == y).all():
        y_next = problem.Y.project(y - step)
    length = float(np.linalg.norm(y_next - y))
    here = level.gradient(problem.join(x, y))[n_x:].copy()
    return (
        float(np.linalg.norm(level.gradient(problem.join(x, y_next))[n_x:] - here)) / length
        if length
        else 0.0
    )
