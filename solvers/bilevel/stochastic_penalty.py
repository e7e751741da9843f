"""The penalty method on samples (Kwon, Kwon, Wright & Nowak, 2023): both levels are expectations.

With the directions of `penalty.py`, estimated on batches,

    d_y = sigma grad_y F(x, y_s) + grad_y f(x, y_s),   d_z = grad_y f(x, z)
    d_x = grad_x F(x, y_s) + (grad_x f(x, y_s) - grad_x f(x, z)) / sigma     both f terms on the same sample

there are two loops:

- double: `inner_steps` steps of y_s and z, then one of x, on batches that grow with the iterations;
- single: one step of each, with STORM estimators (Cutkosky & Orabona, 2019),
  v = d(new) + (1 - eta)(v - d(old)) on the same sample.

Result.counts has the samples whose gradients were taken, at each level, as "upper sample gradient" and
"lower sample gradient".

Steps in y come from a Lipschitz estimate on one batch, those in x from the gradients so far (AdaGrad-norm:
Ward, Wu & Bottou, 2019).
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ...problems.bilevel.problem import BilevelProblem, Sampled
from ...problems.nlp import Vector
from ..status import Status
from .driver import PenalisedStationarity, Run, State
from .penalty import refusal_of_constraints

_LIPSCHITZ_BATCH = 32


@dataclass(frozen=True, eq=False)
class _Batch:
    """Draws, and how many."""

    draws: Any
    size: int


class _Counted:
    """A problem's samples; each gradient of a sample counts, at its level."""

    def __init__(self, sampled: Sampled, counts: dict[str, int]) -> None:
        self._sampled, self._counts = sampled, counts

    def sample(self, rng: np.random.Generator, size: int) -> _Batch:
        """A new batch."""
        return _Batch(self._sampled.sample(rng, size), size)

    def upper(self, x: Vector, y: Vector, batch: _Batch) -> tuple[float, Vector, Vector]:
        """Estimates of F and its gradient."""
        return self._counting("upper", self._sampled.upper, x, y, batch)

    def lower(self, x: Vector, y: Vector, batch: _Batch) -> tuple[float, Vector, Vector]:
        """Estimates of f and its gradient."""
        return self._counting("lower", self._sampled.lower, x, y, batch)

    def _counting(
        self, level: str, oracle: Any, x: Vector, y: Vector, batch: _Batch
    ) -> tuple[float, Vector, Vector]:
        kind = f"{level} sample gradient"
        self._counts[kind] = self._counts.get(kind, 0) + batch.size
        F, by_x, by_y = oracle(x, y, batch.draws)
        return F, by_x, by_y


@dataclass(frozen=True, eq=False)
class _Directions:
    """Estimates of d_x, d_y and d_z."""

    x: Vector
    y: Vector
    z: Vector

    def storm(self, old: _Directions, last: _Directions, eta: float) -> _Directions:
        """The estimator here: `old` is at the last point on the same sample, `last` the estimator there."""
        keep = 1.0 - eta
        return _Directions(
            self.x + keep * (last.x - old.x),
            self.y + keep * (last.y - old.y),
            self.z + keep * (last.z - old.z),
        )


@dataclass(frozen=True, eq=False)
class _Point:
    x: Vector
    y: Vector
    z: Vector


@dataclass
class _State(State):
    """The last two points, the estimators, the average of x, and what the steps are made of."""

    k: int = 0
    point: _Point | None = None
    before: _Point | None = None
    estimate: _Directions | None = None
    x_mean: Vector = field(default_factory=lambda: np.zeros(0))
    squares: float = 0.0
    lipschitz: tuple[float, float] = (1.0, 1.0)
    sigma0: float = 0.1


@dataclass(frozen=True)
class StochasticPenalty:
    """The penalty method on `problem.sampled`.

    The residual that `Result.penalised` carries is that of the last estimate of d_x, with its noise.

    The answer is the average of x, later ones weighted more, with the last z: it is noisy, and at the usual
    tolerances the certificate does not call it a success.

    Parameters
    ----------
    tol : float, default 1e-6
        Tolerance of the certificate.
    max_iterations : int, default 100
        Steps of `batch_iterations` iterations.
    batch_iterations : int, default 50
        Iterations in a step.
    single_loop : bool, default False
        Whether to take one step of each variable, with STORM, in place of the double loop.
    inner_steps : int, default 10
        Steps of y_s and z for one of x, in the double loop.
    batch : int, default 16
        First size of a batch; in the double loop it grows like sqrt(k).
    sigma0 : float, optional
        First weight of F, which falls like k^(-1/5). Default: a tenth of the curvature of f over that of F.
    radius : float, optional
        Length of the first step of x. Default: a tenth of max(1, ||x0||).
    """

    tol: float = 1e-6
    max_iterations: int = 100
    batch_iterations: int = 50
    single_loop: bool = False
    inner_steps: int = 10
    batch: int = 16
    sigma0: float | None = None
    radius: float | None = None

    def __post_init__(self) -> None:
        for name in ("batch_iterations", "inner_steps", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} must be >= 1, got {getattr(self, name)}")
        for name in ("sigma0", "radius"):
            value = getattr(self, name)
            if value is not None and not (np.isfinite(value) and value > 0.0):
                raise ValueError(f"{name} must be a number > 0, got {value}")

    def refusal(self, problem: BilevelProblem) -> str | None:
        """Problems without samples, and constraints other than X and Y."""
        return "no samples" if problem.sampled is None else refusal_of_constraints(problem)

    def init(self, run: Run) -> _State:
        """The start, with Lipschitz estimates along y on one batch."""
        problem, sampled = run.problem, _sampled(run)
        x, y = problem.x0.copy(), problem.y0.copy()
        sample = sampled.sample(run.rng, _LIPSCHITZ_BATCH)
        y_next = problem.Y.project(y + 1e-3 * max(1.0, float(abs(y).max())) * run.rng.standard_normal(y.size))
        length = max(float(np.linalg.norm(y_next - y)), float(np.finfo(float).tiny))
        below, above = (
            float(np.linalg.norm(level(x, y_next, sample)[2] - level(x, y, sample)[2])) / length
            for level in (sampled.lower, sampled.upper)
        )
        below = below if np.isfinite(below) and below > 0.0 else 1.0
        above = above if np.isfinite(above) else 1.0
        sigma0 = self.sigma0 or 0.1 * below / max(above, 1e-3 * below)
        F = problem.upper.objective(problem.join(x, y))
        point = _Point(x, y, y)
        return _State(x, y, F, point=point, x_mean=x, lipschitz=(below, above), sigma0=sigma0)

    def step(self, run: Run, state: _State) -> _State:
        """Iterations of the one loop or the other."""
        for _ in range(self.batch_iterations):
            run.check_deadline()
            state = self._single(run, state) if self.single_loop else self._double(run, state)
        assert state.point is not None
        x, y = run.problem.X.project(state.x_mean), state.point.z
        F = run.problem.upper.objective(run.problem.join(x, y))
        return replace(state, x=x, y=y, F=F, record={"sigma": self._sigma(state), "k": state.k})

    def check(self, run: Run, state: _State) -> Status | None:
        """Only a breakdown ends the run before its limits do."""
        return None if np.isfinite(state.F) else Status.NUMERICAL_FAILURE

    def _sigma(self, state: _State) -> float:
        return float(state.sigma0 * (state.k + 1.0) ** -0.2)

    def _double(self, run: Run, state: _State) -> _State:
        """`inner_steps` steps of y_s and z, then one of x, on new batches."""
        problem, sampled, point = run.problem, _sampled(run), state.point
        assert point is not None
        sigma, x, y, z = self._sigma(state), point.x, point.y, point.z
        size = int(np.ceil(self.batch * np.sqrt(state.k + 1.0)))
        gamma = 0.5 / (state.lipschitz[0] + sigma * state.lipschitz[1])
        for _ in range(self.inner_steps):
            sample = sampled.sample(run.rng, size)
            at_y, at_z = sampled.lower(x, y, sample)[2], sampled.lower(x, z, sample)[2]
            y = problem.Y.project(y - gamma * (sigma * sampled.upper(x, y, sample)[2] + at_y))
            z = problem.Y.project(z - gamma * at_z)
        sample = sampled.sample(run.rng, size)
        d = _directions(sampled, _Point(x, y, z), sigma, sample)
        return self._moved(problem, state, d.x, y, z)

    def _single(self, run: Run, state: _State) -> _State:
        """One step of everything along STORM estimators."""
        problem, sampled, point = run.problem, _sampled(run), state.point
        assert point is not None
        sigma, k = self._sigma(state), state.k + 1.0
        sample = sampled.sample(run.rng, self.batch)
        estimate = _directions(sampled, point, sigma, sample)
        if state.before is not None and state.estimate is not None:
            old = _directions(sampled, state.before, sigma, sample)
            estimate = estimate.storm(old, state.estimate, k**-0.8)
        gamma = 0.5 * k**-0.4 / (state.lipschitz[0] + sigma * state.lipschitz[1])
        y = problem.Y.project(point.y - gamma * estimate.y)
        z = problem.Y.project(point.z - gamma * estimate.z)
        moved = self._moved(problem, state, estimate.x, y, z)
        return replace(moved, before=point, estimate=estimate)

    def _moved(self, problem: BilevelProblem, state: _State, d: Vector, y: Vector, z: Vector) -> _State:
        """The step of x, and the average."""
        assert state.point is not None
        squares = state.squares + float(d @ d)
        radius = self.radius or 0.1 * max(1.0, float(np.linalg.norm(problem.x0)))
        length = radius / np.sqrt(squares) if squares > 0.0 else 0.0
        x = problem.X.project(state.point.x - length * d)
        residual = float(abs(state.point.x - problem.X.project(state.point.x - d)).max())
        penalised = PenalisedStationarity(residual, self._sigma(state))
        x_mean = state.x_mean + (4.0 / (state.k + 4.0)) * (x - state.x_mean)
        return replace(
            state,
            k=state.k + 1,
            point=_Point(x, y, z),
            squares=squares,
            x_mean=x_mean,
            penalised=penalised,
        )


def _sampled(run: Run) -> _Counted:
    assert run.problem.sampled is not None
    return _Counted(run.problem.sampled, run.sample_counts)


def _directions(sampled: _Counted, point: _Point, sigma: float, sample: _Batch) -> _Directions:
    x, y, z = point.x, point.y, point.z
    _, F_x, F_y = sampled.upper(x, y, sample)
    _, f_x, f_y = sampled.lower(x, y, sample)
    _, f_x_z, f_y_z = sampled.lower(x, z, sample)
    return _Directions(F_x + (f_x - f_x_z) / sigma, sigma * F_y + f_y, f_y_z)
