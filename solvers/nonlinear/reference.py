"""AdaSketch-Newton as published, kept to compare with: methods "adasketch-gv" and "adasketch-rk".

I. Hong, S. Na, M. W. Mahoney & M. Kolar, "Constrained optimization via exact augmented Lagrangian and
randomized iterative sketching", ICML 2023 (arXiv:2305.18379): Newton steps on the KKT system of an
equality-constrained problem, solved inexactly by sketch-and-project, globalised by the exact augmented
Lagrangian

    M(x, y) = f + y'c + eta1/2 ||c||^2 + eta2/2 ||gL||^2,      gL = grad f + G'y,  G = c'(x),
    grad_x M = gL + eta1 G'c + eta2 H gL,   grad_y M = c + eta2 G gL,   H the Hessian of f + y'c.

The accuracy delta of the inner solve and the penalty parameters move together until the step descends on M.
Constants and stopping rule are those of the published experiments. For everything but comparison "exact-al"
is the better choice: the same merit function and argument, with the linear systems solved directly.

Departures, none of which changes a published run that succeeded: grad M has the H above, where the published
code has the Hessian of f; a trial that is not finite is rejected; the inner iteration ends at the level of
rounding; Armijo's rule forgives rounding in M, and its halvings are bounded.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

from ...problems.evaluator import Evaluator
from ...problems.nlp import Vector
from ..methods import Scope
from ..status import Status

Variant = Literal["gv", "rk"]
Matrix = NDArray[np.float64]

EPSILON = float(np.finfo(float).eps)

BLOCK = 128
"""Sketches drawn at a time; the deadline is looked at between two blocks."""

CURVATURE = 1e-6
"""Least eigenvalue of the reduced Hessian with which H is left as it is."""

LARGEST_ETA1, SMALLEST_ETA2 = 1e8, 1e-8
"""Beyond these the published code takes the step whether it descends or not."""


class Point:
    """Functions and first derivatives at (x, y), the constraints as c(x) = 0, everything dense."""

    def __init__(self, evaluator: Evaluator, x: Vector, y: Vector) -> None:
        self.x, self.y = x, y
        self.f, gradient = evaluator.objective(x), evaluator.gradient(x)
        self.c: Vector = evaluator.constraints(x) - evaluator.cl
        self.G: Matrix = np.zeros((evaluator.m, evaluator.n))
        indptr, columns = evaluator.jacobian_structure()
        self.G[np.repeat(np.arange(evaluator.m), np.diff(indptr)), columns] = evaluator.jacobian_values(x)
        self.gL: Vector = gradient + self.G.T @ y
        self.kkt = float(np.hypot(_norm(self.gL), _norm(self.c)))

    def hessian(self, evaluator: Evaluator) -> Matrix:
        """H, shape (n, n)."""
        indptr, columns = evaluator.hessian_structure()
        rows = np.repeat(np.arange(evaluator.n), np.diff(indptr))
        H: Matrix = np.zeros((evaluator.n, evaluator.n))
        H[rows, columns] = H[columns, rows] = evaluator.hessian_values(self.x, self.y)
        return H

    def merit(self, eta1: float, eta2: float) -> float:
        """M(x, y)."""
        lagrangian = self.f + self.y @ self.c
        return float(lagrangian + 0.5 * eta1 * (self.c @ self.c) + 0.5 * eta2 * (self.gL @ self.gL))

    def merit_gradient(self, H: Matrix, eta1: float, eta2: float) -> Vector:
        """Gradient of M with respect to (x, y), shape (n + m,)."""
        grad_x = self.gL + eta1 * (self.G.T @ self.c) + eta2 * (H @ self.gL)
        return np.concatenate([grad_x, self.c + eta2 * (self.G @ self.gL)])


class SketchedSystem:
    """The system A z = b of one Newton step, A = [[B, G'], [G, 0]], solved by sketch-and-project."""

    def __init__(self, point: Point, B: Matrix, variant: Variant, rng: np.random.Generator) -> None:
        corner = np.zeros((point.c.size, point.c.size))
        self.A = np.ascontiguousarray(np.block([[B, point.G.T], [point.G, corner]]))
        self.b: Vector = -np.concatenate([point.gL, point.c])
        self.z, self.r = np.zeros_like(self.b), -self.b
        self.norm = _norm(self.A)
        self.steps = 0
        self._variant, self._rng = variant, rng
        self._row_norms2 = np.einsum("ij,ij->i", self.A, self.A)

    def improve(self, threshold: float, max_steps: int, evaluator: Evaluator) -> Vector:
        """Go on from the present z until ||A z - b|| <= threshold, or to the level of rounding.

        Each step projects z onto the solutions of one equation s'A z = s'b: s is a Gaussian vector ("gv") or
        a unit vector drawn uniformly ("rk", a Kaczmarz step).
        """
        last = self.steps + max_steps
        while self.steps < last:
            rounding = 4.0 * EPSILON * (self.norm * _norm(self.z) + _norm(self.b))
            limit = max(threshold, rounding)
            if _norm(self.r) <= limit:
                break
            evaluator.check_deadline()
            self.steps += self._advance(limit, min(BLOCK, last - self.steps))
        return self.z

    def _advance(self, limit: float, count: int) -> int:
        from .reference_kernels import gaussian_steps, kaczmarz_steps

        size = self.b.size
        if self._variant == "gv":
            sketches = self._rng.standard_normal((count, size))
            return int(gaussian_steps(self.A, self.b, limit, sketches, self.z, self.r, np.empty(size)))
        rows = self._rng.integers(size, size=count)
        return int(kaczmarz_steps(self.A, self.b, limit, rows, self.z, self.r, self._row_norms2))


@dataclass
class AdaSketchState:
    """Where a run of `AdaSketchNewton` stands."""

    point: Point
    violation: float
    eta1: float
    eta2: float
    delta: float
    rng: np.random.Generator
    status: Status | None = None
    record: dict[str, Any] = field(default_factory=dict)

    @property
    def x(self) -> Vector:
        """Point, shape (n,)."""
        return self.point.x

    @property
    def y(self) -> Vector:
        """Multipliers, shape (m,)."""
        return self.point.y

    @property
    def z(self) -> Vector:
        """Multipliers of the bounds, of which there are none: zeros of shape (n,)."""
        return np.zeros(self.point.x.size)

    @property
    def f(self) -> float:
        """Objective."""
        return self.point.f

    @property
    def optimality(self) -> float:
        """||(gL, c)||_2, by which the published method stops."""
        return self.point.kkt


@dataclass(frozen=True)
class AdaSketchNewton:
    """AdaSketch-Newton (Algorithm 1 of the paper) with the constants of its experiments.

    For problems with equality constraints only, no bounds, and second derivatives; others are refused with
    ValueError. A run ends with NUMERICAL_FAILURE where G is nearly rank-deficient (see `singular`) or H is
    not finite, with STALLED where the line search finds nothing.

    Parameters
    ----------
    tol : float, default 1e-4
        On ||(gL, c)||_2, unscaled, as published.
    max_iterations : int, default 10000
    variant : {"gv", "rk"}
        Sketch of the inner iteration: a Gaussian vector, or one row drawn uniformly (randomised Kaczmarz).
    superlinear : bool, default False
        Inner accuracy theta = min(1, ||(gL, c)||^(1/2)), with which the paper proves superlinear convergence,
        instead of the theta = 1 of its experiments.
    eta1, eta2 : float, default 1.0, 0.1
        First penalty parameters.
    delta, smallest_delta : float, default 0.1, 1e-6
        First and least accuracy factor of the inner iteration.
    xi : float, default 0.1
        xi_B of the paper: shift of an indefinite Hessian beyond its norm.
    beta : float, default 0.1
        Armijo's constant.
    nu : float, default 1.5
        Where the descent test fails, eta1 grows by nu^2, eta2 shrinks by nu, delta by nu^4.
    singular : float, default 1e-2
        The run ends where the least eigenvalue of G G' falls below. On 2 of the published 47 problems that
        happens; with 1e-6 they are solved.
    max_inner : int, default 100000
        Most sketches for one accuracy.
    max_halvings : int, default 60
        Most step lengths tried.
    rng : None, int, SeedSequence, BitGenerator or Generator
        Source of the sketches, through `numpy.random.default_rng`.
    """

    scope: ClassVar[Scope] = Scope(bounds=False, inequalities=False, missing_hessian=False, reference=True)

    tol: float = 1e-4
    max_iterations: int = 10_000
    variant: Variant = "gv"
    superlinear: bool = False
    eta1: float = 1.0
    eta2: float = 0.1
    delta: float = 0.1
    smallest_delta: float = 1e-6
    xi: float = 0.1
    beta: float = 0.1
    nu: float = 1.5
    singular: float = 1e-2
    max_inner: int = 100_000
    max_halvings: int = 60
    rng: Any = None

    def __post_init__(self) -> None:
        if self.variant not in ("gv", "rk"):
            raise ValueError(f"variant must be 'gv' or 'rk', got {self.variant!r}")
        for name in ("tol", "eta1", "eta2", "delta", "smallest_delta", "xi", "singular"):
            if not getattr(self, name) > 0.0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)!r}")
        if not 0.0 < self.beta < 0.5:
            raise ValueError(f"beta must lie in (0, 1/2), got {self.beta!r}")
        if not self.nu > 1.0:
            raise ValueError(f"nu must exceed 1, got {self.nu!r}")
        for name in ("max_iterations", "max_inner", "max_halvings"):
            if not getattr(self, name) >= 1:
                raise ValueError(f"{name} must be at least 1, got {getattr(self, name)!r}")

    def init(self, evaluator: Evaluator) -> AdaSketchState:
        """Evaluate the start; y starts from the problem's own multipliers."""
        x, y = evaluator.x0.copy(), np.array(evaluator.problem.y0, dtype=float)
        return AdaSketchState(
            point=Point(evaluator, x, y),
            violation=evaluator.violation(x),
            eta1=self.eta1,
            eta2=self.eta2,
            delta=self.delta,
            rng=np.random.default_rng(self.rng),
        )

    def check(self, evaluator: Evaluator, state: AdaSketchState) -> Status | None:
        """The published stopping rule."""
        return Status.CONVERGED if state.optimality <= self.tol else state.status

    def step(self, evaluator: Evaluator, state: AdaSketchState) -> AdaSketchState:
        """One iteration of Algorithm 1."""
        point, eta1, eta2 = state.point, state.eta1, state.eta2
        H = point.hessian(evaluator)
        xi_G = _least_eigenvalue(point.G @ point.G.T)
        if not (xi_G >= self.singular and np.isfinite(H).all()):
            return _ended(state, Status.NUMERICAL_FAILURE, xi_G=xi_G)

        B = self._modified(H, point.G)
        psi = 20.0 * max(_norm(B) * _norm(B), 1.0) / (min(xi_G, 1.0) * min(self.xi, 1.0))
        upsilon = max(_norm(point.G), _norm(H), 1.0)
        delta = self._accuracy(state.delta, eta1, eta2, upsilon * psi)
        theta = min(1.0, point.kkt**0.5) if self.superlinear else 1.0

        system = SketchedSystem(point, B, self.variant, state.rng)
        while True:
            threshold = theta * delta * point.kkt / (system.norm * psi)
            z = system.improve(threshold, self.max_inner, evaluator)
            slope = float(point.merit_gradient(H, eta1, eta2) @ z)
            if slope <= -0.5 * eta2 * point.kkt**2 or eta1 > LARGEST_ETA1 or eta2 < SMALLEST_ETA2:
                break
            eta1, eta2 = eta1 * self.nu**2, eta2 / self.nu
            delta = self._accuracy(delta / self.nu**4, eta1, eta2, upsilon * psi)

        found = self._line_search(evaluator, point, z, slope, eta1, eta2)
        if found is None:
            return _ended(state, Status.STALLED, xi_G=xi_G, eta1=eta1, eta2=eta2)
        alpha, trial = found
        record = {
            "alpha": alpha,
            "eta1": eta1,
            "eta2": eta2,
            "delta": delta,
            "theta": theta,
            "xi_G": xi_G,
            "modified": B is not H,
            "slope": slope,
            "threshold": threshold,
            "residual": _norm(system.r),
            "sketches": system.steps,
        }
        violation = evaluator.violation(trial.x)
        return AdaSketchState(trial, violation, eta1, eta2, delta, state.rng, record=record)

    def _modified(self, H: Matrix, G: Matrix) -> Matrix:
        """B: H, shifted where it is not positive definite on the null space of G."""
        m, n = G.shape
        if m >= n:
            return H
        Z = np.linalg.qr(G.T, mode="complete")[0][:, m:]
        if _least_eigenvalue(Z.T @ H @ Z) >= CURVATURE:
            return H
        return H + (self.xi + _norm(H)) * np.eye(n)

    def _accuracy(self, delta: float, eta1: float, eta2: float, scale: float) -> float:
        """The accuracy factor, at most what the theory asks for; ``scale`` is Upsilon Psi."""
        enough = (0.5 - self.beta) * eta2 / ((1.0 + eta1 + eta2) * scale * scale)
        return max(min(delta, enough), self.smallest_delta)

    def _line_search(
        self, evaluator: Evaluator, point: Point, z: Vector, slope: float, eta1: float, eta2: float
    ) -> tuple[float, Point] | None:
        """Armijo backtracking on M with x and y together: step length and point, None where there is none."""
        n, value, alpha = point.x.size, point.merit(eta1, eta2), 1.0
        rounding = 10.0 * EPSILON * abs(value)
        for _ in range(self.max_halvings):
            trial = Point(evaluator, point.x + alpha * z[:n], point.y + alpha * z[n:])
            reached = trial.merit(eta1, eta2)
            if np.isfinite(reached) and reached <= value + alpha * self.beta * slope + rounding:
                return alpha, trial
            alpha *= 0.5
        return None


@dataclass(frozen=True)
class AdaSketchKaczmarz(AdaSketchNewton):
    """`AdaSketchNewton` with the variant "rk" by default: the method "adasketch-rk"."""

    variant: Variant = "rk"


def _ended(state: AdaSketchState, status: Status, **record: float) -> AdaSketchState:
    """The state that says that there is no step from here."""
    state.status, state.record = status, record
    return state


def _least_eigenvalue(S: Matrix) -> float:
    """Of a symmetric matrix; inf where it is empty, nan where it is not finite."""
    if not np.isfinite(S).all():
        return float("nan")
    return float(np.linalg.eigvalsh(S).min(initial=np.inf))


def _norm(a: NDArray[np.float64]) -> float:
    """Euclidean or Frobenius norm."""
    return float(np.linalg.norm(a))
