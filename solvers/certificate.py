"""The judge: optimality recomputed from the original problem, sharing no code with any solver.

Written for L = f + y'c + z'x. With s = max(1, max |grad f|) the scaled errors are

- stationarity: max |grad f + J'y + z| / s;
- feasibility: largest violation of a bound b by c_i or x_i, divided by max(1, |b|);
- complementarity: over all multipliers w and the bound b at distance d that w's sign names,
  d |w| / (max(1, |w|) max(1, |b|)): either the multiplier is small, or the distance is;
- dual sign: largest multiplier whose sign names a bound that does not exist, divided by s.

The scale s knows neither multipliers nor the start, so that diverging multipliers or a steep start cannot
pass a point that is not stationary; a large gradient that the constraints balance may leave rounding behind.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..problems.nlp import NLP, Vector
from .multipliers import estimate_multipliers


@dataclass(frozen=True, slots=True)
class Measure:
    """One error, as it is and scaled (see the module's text)."""

    absolute: float
    scaled: float


@dataclass(frozen=True)
class Certificate:
    """How well the optimality conditions hold at a point.

    Attributes
    ----------
    stationarity, feasibility, complementarity, dual_sign : Measure
        The four errors.
    tol : float
        Tolerance on the scaled errors.
    f : float
        Objective.
    gradient : ndarray, shape (n,)
        Its gradient.
    y, z : ndarray, shapes (m,), (n,)
        The multipliers that were judged.
    multipliers : {"given", "estimated"}
        Whether y and z came from the method or are this module's own least-squares estimate.
    """

    stationarity: Measure
    feasibility: Measure
    complementarity: Measure
    dual_sign: Measure
    tol: float
    f: float
    gradient: Vector
    y: Vector
    z: Vector
    multipliers: str

    @property
    def error(self) -> float:
        """Largest of the scaled errors; inf where something is not finite."""
        errors = [
            self.stationarity.scaled,
            self.feasibility.scaled,
            self.complementarity.scaled,
            self.dual_sign.scaled,
        ]
        return max(errors) if np.isfinite(errors).all() and np.isfinite(self.f) else float("inf")

    @property
    def holds(self) -> bool:
        """Whether all scaled errors are within the tolerance."""
        return self.error <= self.tol


@dataclass(frozen=True)
class InfeasibilityCertificate:
    """Stationarity of the constraint violation at an infeasible point.

    With w the signed violations of the c_i, divided by the largest of them, the point is stationary for the
    sum of squared violations within the bounds exactly if J'w + z = 0 for some z with the bounds' signs.

    Attributes
    ----------
    stationarity : Measure
        max |J'w + z|; scaled by max(1, largest sum of the magnitudes that cancel).
    violation : Measure
        Largest violation.
    tol : float
        Tolerance on stationarity, and what the violation must exceed.
    """

    stationarity: Measure
    violation: Measure
    tol: float

    @property
    def holds(self) -> bool:
        """Whether the point is stationary for the violation, yet infeasible."""
        return self.stationarity.scaled <= self.tol < self.violation.scaled


def certify(
    problem: NLP, x: Vector, y: Vector | None = None, z: Vector | None = None, tol: float = 1e-8
) -> Certificate:
    """Judge a point.

    Parameters
    ----------
    problem : NLP
        The original problem; it is evaluated here anew, outside any run's counts.
    x : ndarray, shape (n,)
        The point.
    y, z : ndarray, shapes (m,), (n,), optional
        Multipliers. Where they are missing, or do worse than the least-squares estimate, the estimate is
        taken, so that answers with and without multipliers are judged alike.
    tol : float, default 1e-8
        Tolerance on the scaled errors.

    Returns
    -------
    Certificate
    """
    with np.errstate(all="ignore"):
        facts = _Facts(problem, np.array(x, dtype=float))
        given = None
        if y is not None and np.isfinite(y).all() and (z is None or np.isfinite(z).all()):
            y = np.array(y, dtype=float)
            given = facts.judge(y, facts.bound_multipliers(y) if z is None else np.array(z), tol, "given")
            if given.holds:
                return given
        if not facts.finite:
            return given or facts.judge(np.zeros(problem.m), np.zeros(problem.n), tol, "estimated")
        y = estimate_multipliers(
            facts.gradient,
            facts.jacobian,
            _gaps(facts.c, problem.cl, problem.cu),
            _gaps(facts.x, problem.lb, problem.ub),
        )
        estimated = facts.judge(y, facts.bound_multipliers(y), tol, "estimated")
        return given if given is not None and given.error <= estimated.error else estimated


def certify_infeasible(problem: NLP, x: Vector, tol: float = 1e-8) -> InfeasibilityCertificate:
    """Judge a point that is said to be stationary for the constraint violation.

    Parameters
    ----------
    problem : NLP
        The original problem.
    x : ndarray, shape (n,)
        The point.
    tol : float, default 1e-8
        See `InfeasibilityCertificate`.
    """
    with np.errstate(all="ignore"):
        x = np.array(x, dtype=float)
        c, jacobian = problem.constraints(x.copy()), problem.jacobian(x.copy())
        signed = np.maximum(c - problem.cu, 0.0) - np.maximum(problem.cl - c, 0.0)
        scaled = np.maximum(_relative(c - problem.cu, problem.cu), _relative(problem.cl - c, problem.cl))
        largest = float(abs(signed).max(initial=0.0))
        violation = Measure(largest, float(scaled.max(initial=0.0)))
        if not largest > 0.0 or not np.isfinite(jacobian.data).all():
            return InfeasibilityCertificate(Measure(np.inf, np.inf), violation, tol)
        w = signed / largest
        force = jacobian.T @ w
        magnitude = abs(jacobian).T @ abs(w)
        # The step to the bound in the direction of descent: what it cuts off is held by the bound.
        free = x - np.clip(x - force, problem.lb, problem.ub)
        residual = float(abs(free).max(initial=0.0))
        stationarity = Measure(residual, residual / max(1.0, float(magnitude.max(initial=0.0))))
        return InfeasibilityCertificate(stationarity, violation, tol)


class _Facts:
    """Values and first derivatives of a problem at one point."""

    def __init__(self, problem: NLP, x: Vector) -> None:
        self.problem, self.x = problem, x
        self.f = float(problem.objective(x.copy()))
        self.gradient = np.array(problem.gradient(x.copy()), dtype=float)
        self.c = np.array(problem.constraints(x.copy()), dtype=float) if problem.m else np.zeros(0)
        self.jacobian = problem.jacobian(x.copy())
        self.finite = bool(
            np.isfinite(self.f)
            and np.isfinite(self.gradient).all()
            and np.isfinite(self.c).all()
            and np.isfinite(self.jacobian.data).all()
        )
        self.scale = max(1.0, float(abs(self.gradient).max(initial=0.0)))

    def bound_multipliers(self, y: Vector) -> Vector:
        """The z that cancels grad f + J'y where a bound stands close enough to push back."""
        residual = self.gradient + (self.jacobian.T @ y if y.size else 0.0)
        below, above = _gaps(self.x, self.problem.lb, self.problem.ub)
        gap = np.where(residual > 0.0, below, above)
        z = np.zeros_like(residual)
        held = np.isfinite(gap)
        z[held] = -residual[held] / (1.0 + gap[held] ** 2)
        return z

    def judge(self, y: Vector, z: Vector, tol: float, multipliers: str) -> Certificate:
        problem = self.problem
        residual = self.gradient + z + (self.jacobian.T @ y if y.size else 0.0)
        stationarity = float(abs(residual).max(initial=0.0))
        rows = (self.c, problem.cl, problem.cu), (self.x, problem.lb, problem.ub)
        absolute = [_violation(*row, scaled=False) for row in rows]
        scaled = [_violation(*row, scaled=True) for row in rows]
        pushes = [_push(*row, multiplier) for row, multiplier in zip(rows, (y, z), strict=True)]
        product, relative, wrong = (max(values) for values in zip(*pushes, strict=True))
        return Certificate(
            stationarity=Measure(stationarity, stationarity / self.scale),
            feasibility=Measure(max(absolute), max(scaled)),
            complementarity=Measure(product, relative),
            dual_sign=Measure(wrong, wrong / self.scale),
            tol=tol,
            f=self.f,
            gradient=self.gradient,
            y=y,
            z=z,
            multipliers=multipliers,
        )


def _relative(excess: Vector, bound: Vector) -> Vector:
    """Positive part of `excess`, divided by max(1, |bound|); zero where there is no bound."""
    return np.where(np.isfinite(bound), np.maximum(excess, 0.0) / np.maximum(1.0, abs(bound)), 0.0)


def _violation(value: Vector, lower: Vector, upper: Vector, scaled: bool) -> float:
    excess = lower - value, value - upper
    if scaled:
        excess = _relative(excess[0], lower), _relative(excess[1], upper)
    worst = np.maximum(excess[0], excess[1])
    return float(np.nan if np.isnan(worst).any() else worst.max(initial=0.0))


def _gaps(value: Vector, lower: Vector, upper: Vector) -> tuple[Vector, Vector]:
    """Relative distances to the lower and the upper bound, inf where there is none."""
    below = np.where(np.isfinite(lower), abs(value - lower) / np.maximum(1.0, abs(lower)), np.inf)
    above = np.where(np.isfinite(upper), abs(upper - value) / np.maximum(1.0, abs(upper)), np.inf)
    return below, above


def _push(value: Vector, lower: Vector, upper: Vector, multiplier: Vector) -> tuple[float, float, float]:
    """Largest product of multiplier and distance, the same scaled, the largest multiplier without bound."""
    bound = np.where(multiplier > 0.0, upper, lower)
    size = abs(multiplier)
    exists = np.isfinite(bound)
    wrong = float(size[~exists].max(initial=0.0))
    size, distance, bound = size[exists], abs(value - bound)[exists], bound[exists]
    product = size * distance
    relative = product / (np.maximum(1.0, size) * np.maximum(1.0, abs(bound)))
    if np.isnan(product).any():
        return np.nan, np.nan, wrong
    return float(product.max(initial=0.0)), float(relative.max(initial=0.0)), wrong
