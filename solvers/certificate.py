"""The judge: optimality recomputed from the original problem, sharing no code with any solver.

Written for L = f + y'c + z'x. With s = max(1, max |grad f|) the scaled errors are

- stationarity: max |grad f + J'y + z| / s;
- feasibility: largest violation of a bound b by c_i or x_i, divided by max(1, |b|);
- complementarity: over all multipliers w and the bound b at distance d that w's sign names,
  d |w| / (max(1, |w|) max(1, |b|)): either the multiplier is small, or the distance is;
- dual sign: largest multiplier whose sign names a bound that does not exist, divided by s.

The scale s knows neither multipliers nor the start, so that diverging multipliers or a steep start cannot
pass a point that is not stationary.

What no double-precision x could do better is not held against a point: of each residual only the part beyond
`ROUNDING` times the unit roundoff times the magnitudes it is made of counts in the scaled errors. These are
``|J| |x|`` for the constraints and ``|grad f| + |J'| |y| + |z| + |H| |x|`` for the gradient of the Lagrangian
(the last where there are exact second derivatives): the componentwise backward error of Oettli & Prager
(1964), so the residual vanishes at a point that agrees with x in all but its last digits. Absolute errors are
untouched. Forgiveness ends where nothing is known any more: x counts up to `FARTHEST` only, multipliers up to
`STEEPEST` times s, and no more than half of s is ever forgiven. Else a point far out on the way along which
the objective falls without limit would pass, its whole gradient being rounding.

Large multipliers of bounds that are not quite attained are put to the test: four times as far from the bounds
the gradient must not have faded as that of a logarithm does. Next to a pole, of log(x) at 0 say, all scaled
errors are small, and the multiplier is no more than a measure of how near.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.sparse import csr_array
from scipy.sparse.linalg import LinearOperator

from ..problems.nlp import NLP, Vector
from .multipliers import estimate_multipliers

INFINITY = 1e20
"""Bounds at least this large are taken as absent, as in CUTEst."""

ROUNDING = 10.0
"""Multiple of the unit roundoff that counts as rounding: a few operations, not more."""

FARTHEST = 1e6
"""Largest size of a variable with which rounding in the gradient is reckoned."""

FARTHEST_ROW = 1e10
"""The same for the constraints."""

STEEPEST = 1e10
"""Largest size of a multiplier's force, relative to s, with which rounding is reckoned."""

FADED = 0.3
"""Share of its gradient that is left to x^a at four times its x, for a = 0.13 (a logarithm: 1/4)."""


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
    pole : bool
        Whether the objective falls to a pole at the bounds, so that the multipliers mean nothing.
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
    pole: bool = False

    @property
    def error(self) -> float:
        """Largest of the scaled errors; inf where something is not finite, and at a pole."""
        measures = self.stationarity, self.feasibility, self.complementarity, self.dual_sign
        errors = [measure.scaled for measure in measures]
        return max(errors) if np.isfinite([self.f, *errors]).all() and not self.pole else float("inf")

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
        max |J'w + z|; scaled by max(1, largest entry of |J'| |w|).
    violation : Measure
        Largest violation, absolute and scaled as in `Certificate`.
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
    problem: NLP,
    x: Vector,
    y: Vector | None = None,
    z: Vector | None = None,
    tol: float = 1e-8,
    *,
    estimate: bool = True,
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
    estimate : bool, default True
        False: judge the given multipliers only, for a quick look in the course of a run.

    Returns
    -------
    Certificate
    """
    with np.errstate(all="ignore"):
        facts = Facts(problem, np.array(x, dtype=float))
        given = None
        if y is not None and np.isfinite(y).all() and (z is None or np.isfinite(z).all()):
            y = np.array(y, dtype=float)
            given = facts.judge(y, facts.bound_multipliers(y) if z is None else np.array(z), tol, "given")
            if given.holds or not estimate:
                return given
        if not facts.finite:
            return given or facts.judge(np.zeros(problem.m), np.zeros(problem.n), tol, "estimated")
        row_gaps, bound_gaps = facts.rows.gaps(), facts.bounds.gaps()
        y = estimate_multipliers(facts.gradient, facts.jacobian, row_gaps, bound_gaps, facts.scale)
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

    Returns
    -------
    InfeasibilityCertificate
    """
    with np.errstate(all="ignore"):
        facts = Facts(problem, np.array(x, dtype=float))
        rows = facts.rows
        signed = np.maximum(rows.value - rows.upper, 0.0) - np.maximum(rows.lower - rows.value, 0.0)
        violation = Measure(rows.violation(), rows.scaled_violation())
        w = signed / violation.absolute if violation.absolute > 0.0 else signed
        force = facts.jacobian.T @ w
        magnitude = float((abs(facts.jacobian).T @ abs(w)).max(initial=1.0))
        if not violation.absolute > 0.0 or not np.isfinite(force).all():
            return InfeasibilityCertificate(Measure(np.inf, np.inf), violation, tol)
        # What a bound cuts off from the step of steepest descent, it holds.
        step = facts.x - np.clip(facts.x - force, facts.bounds.lower, facts.bounds.upper)
        residual = float(abs(step).max(initial=0.0))
        return InfeasibilityCertificate(Measure(residual, residual / magnitude), violation, tol)


class Intervals:
    """Values, the intervals in which they ought to lie, and the rounding in them."""

    def __init__(self, value: Vector, lower: Vector, upper: Vector, rounding: Vector | float) -> None:
        self.value, self.rounding = value, rounding
        self.lower = np.where(np.asarray(lower) <= -INFINITY, -np.inf, lower)
        self.upper = np.where(np.asarray(upper) >= INFINITY, np.inf, upper)

    def violation(self) -> float:
        """Largest violation; nan where a value is."""
        excess = np.maximum(self.lower - self.value, self.value - self.upper)
        return float("nan") if np.isnan(excess).any() else float(excess.max(initial=0.0))

    def scaled_violation(self) -> float:
        """Largest violation beyond rounding, relative to the bound; nan where a value is."""
        below = (self.lower - self.value - self.rounding) / _size(self.lower)
        above = (self.value - self.upper - self.rounding) / _size(self.upper)
        excess = np.maximum(below, above)
        return float("nan") if np.isnan(excess).any() else float(excess.max(initial=0.0))

    def gaps(self) -> tuple[Vector, Vector]:
        """Relative distances beyond rounding to the lower and the upper bounds; inf where there is none."""
        below = np.maximum(abs(self.value - self.lower) - self.rounding, 0.0) / _size(self.lower)
        above = np.maximum(abs(self.upper - self.value) - self.rounding, 0.0) / _size(self.upper)
        return below, above

    def complementarity(self, multiplier: Vector) -> tuple[Measure, float]:
        """Largest product of multiplier and distance, and the largest multiplier that has no bound."""
        bound = np.where(multiplier > 0.0, self.upper, self.lower)
        gap = np.where(multiplier > 0.0, *self.gaps()[::-1])
        size = abs(multiplier)
        exists = np.isfinite(bound)
        wrong = float(size[~exists].max(initial=0.0))
        size, gap, distance = size[exists], gap[exists], abs(self.value - bound)[exists]
        if np.isnan(distance).any():
            return Measure(np.nan, np.nan), wrong
        relative = gap * size / np.maximum(1.0, size)
        return Measure(float((size * distance).max(initial=0.0)), float(relative.max(initial=0.0))), wrong


class Facts:
    """Values and first derivatives of a problem at one point, for the judges."""

    def __init__(self, problem: NLP, x: Vector) -> None:
        self.problem, self.x = problem, x
        self.f = float(problem.objective(x.copy()))
        self.gradient = np.array(problem.gradient(x.copy()), dtype=float)
        c = np.array(problem.constraints(x.copy()), dtype=float) if problem.m else np.zeros(0)
        self.jacobian: Any = (
            problem.jacobian(x.copy()) if problem.capabilities.jacobian_matrix else _Products(problem, x)
        )
        self.has_magnitudes = not isinstance(self.jacobian, _Products)
        self.finite = bool(
            np.isfinite(self.f)
            and np.isfinite(self.gradient).all()
            and np.isfinite(c).all()
            and np.isfinite(self.jacobian.data).all()
        )
        self.unit = ROUNDING * float(np.finfo(float).eps)
        self.rows = Intervals(
            c, problem.cl, problem.cu, self.unit * (abs(self.jacobian) @ np.minimum(abs(x), FARTHEST_ROW))
        )
        self.bounds = Intervals(x, problem.lb, problem.ub, 0.0)
        self.scale = float(abs(self.gradient).max(initial=1.0))

    def bound_multipliers(self, y: Vector) -> Vector:
        """The z that cancels grad f + J'y where a bound is close enough to push back."""
        residual = self.gradient + (self.jacobian.T @ y if y.size else 0.0)
        gap = np.where(residual > 0.0, *self.bounds.gaps())
        # As a multiplier the residual costs its gap, as a residual its share of the scale: the lesser evil.
        held = gap * self.scale <= np.maximum(1.0, abs(residual))
        return np.where(held, -residual, 0.0)

    def judge(self, y: Vector, z: Vector, tol: float, multipliers: str) -> Certificate:
        """The certificate with these multipliers."""
        residual = abs(self.gradient + z + (self.jacobian.T @ y if y.size else 0.0))
        stationarity = float(residual.max(initial=0.0))
        beyond = stationarity
        if self.finite and stationarity > tol * self.scale:
            beyond = float((residual - self._rounding(y, z)).max(initial=0.0))
        (of_rows, wrong_y), (of_bounds, wrong_z) = (
            self.rows.complementarity(y),
            self.bounds.complementarity(z),
        )
        wrong = max(wrong_y, wrong_z)
        return Certificate(
            stationarity=Measure(stationarity, beyond / self.scale),
            feasibility=Measure(
                _worst(self.rows.violation(), self.bounds.violation()),
                _worst(self.rows.scaled_violation(), self.bounds.scaled_violation()),
            ),
            complementarity=Measure(
                _worst(of_rows.absolute, of_bounds.absolute), _worst(of_rows.scaled, of_bounds.scaled)
            ),
            dual_sign=Measure(wrong, wrong / self.scale),
            tol=tol,
            f=self.f,
            gradient=self.gradient,
            y=y,
            z=z,
            multipliers=multipliers,
            pole=self._at_a_pole(_worst(of_rows.absolute, of_bounds.absolute), tol),
        )

    def _at_a_pole(self, fall: float, tol: float) -> bool:
        """Whether the gradient fades away from the bounds, to which f would fall by `fall` as it is here."""
        squared = float(self.gradient @ self.gradient)
        if not (fall > tol * max(1.0, abs(self.f)) and tol * squared > 1.0 and np.isfinite(squared)):
            return False
        away = self.x + (3.0 * fall / squared) * self.gradient
        gradient = self.problem.gradient(np.clip(away, self.bounds.lower, self.bounds.upper))
        return bool(self.gradient @ gradient < FADED * squared)

    def _rounding(self, y: Vector, z: Vector) -> Vector:
        """Rounding in the gradient of the Lagrangian, that of x included."""
        forces: Vector = abs(z)
        if y.size:
            forces = forces + abs(self.jacobian).T @ abs(y)
        magnitude = abs(self.gradient) + np.minimum(forces, STEEPEST * self.scale)
        capabilities = self.problem.capabilities
        if capabilities.second == "exact" and capabilities.hessian_matrix:
            hessian = self.problem.hessian(self.x.copy(), y.copy())
            moved = abs(hessian) @ np.minimum(abs(self.x), FARTHEST)
            magnitude = magnitude + np.where(np.isfinite(moved), moved, 0.0)
        return np.asarray(np.minimum(self.unit * magnitude, 0.5 * self.scale))


class _Products:
    """A Jacobian known by products: its magnitudes are unknown, so no rounding of theirs is forgiven."""

    data = np.zeros(0)

    def __init__(self, problem: NLP, x: Vector) -> None:
        self.problem, self.x = problem, x
        self.shape = problem.m, problem.n

    def __matmul__(self, v: Vector) -> Vector:
        return np.array(self.problem.jvp(self.x.copy(), v.copy()), dtype=float)

    @property
    def T(self) -> LinearOperator:
        """The transpose."""
        m, n = self.shape
        return LinearOperator((n, m), matvec=self._transposed, rmatvec=self.__matmul__, dtype=np.float64)

    def _transposed(self, w: Vector) -> Vector:
        return np.array(self.problem.vjp(self.x.copy(), np.array(w, dtype=float).ravel()), dtype=float)

    def __abs__(self) -> csr_array:
        return csr_array(self.shape)


def _size(bound: Vector) -> Vector:
    """Divisor that makes a distance to the bound relative; 1 where there is no bound."""
    return np.where(np.isfinite(bound), np.maximum(1.0, abs(bound)), 1.0)


def _worst(a: float, b: float) -> float:
    """The larger one; nan where either is, which `max` would lose."""
    return float(np.maximum(a, b))
