"""How a block is updated: gradient steps, matrix and Newton steps, exact minimisation, two-metric projection.

Section 4.2 and 6 of Nutini, Laradji and Schmidt (2022). Every update lowers the objective or leaves the point
where it is.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import cho_solve

from ...problems.composite.penalties import PiecewiseQuadratic
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, MismatchError
from .block_bounds import regular_factor
from .block_point import Block, BlockPoint, QuadraticPoint
from .homotopy import follow_path
from .model import minimize_model
from .partition import require_sparse_graph
from .selection import Setting
from .trees import ForestFactor

Apply = Callable[[Block], None]

_MAX_TRIALS = 60
_SUFFICIENT = 1e-4
"""Of Armijo's condition."""

_ROUNDING = 1e-14
"""Of the objective: what its evaluation may be wrong by."""

_MAX_DENSE = 5000
"""Block size beyond which a dense Hessian of the block is refused."""

_MAX_INNER = 50
"""Newton steps of an exact update."""


class Update:
    """How a block moves; subclass it for one of your own."""

    def check(self, problem: CompositeProblem) -> None:
        """Raise `MismatchError` where datafit or penalty lack what it needs."""

    def begin(self, setting: Setting) -> Apply:
        """The function that moves the run's point in a block."""
        raise NotImplementedError


# ---- one number for the block ------------------------------------------------------------------------------


@dataclass(frozen=True)
class GradientStep(Update):
    """X_b <- prox(x_b - g_b / L_b), L_b the largest eigenvalue of the block's bound: no line search."""

    def check(self, problem: CompositeProblem) -> None:
        _needs(problem, "curvature_bound", "gradient")

    def begin(self, setting: Setting) -> Apply:
        point, bounds = setting.point, setting.bounds

        def apply(block: Block) -> None:
            L = bounds.lipschitz(block)
            if L > 0:
                _proximal_step(point, block, point.slopes(block), L)

        return apply


@dataclass(frozen=True)
class BacktrackingStep(Update):
    """The same with L_b found by doubling until the quadratic with it lies above the function.

    Without a penalty: until f+ <= f - ||g_b||^2 / (2 L_b). Starts at half of what the block, or the last
    variable block, ended with; needs no bound.
    """

    def begin(self, setting: Setting) -> Apply:
        point = setting.point
        known: dict[int | None, float] = {}

        def apply(block: Block) -> None:
            i, g = block.coordinates, point.slopes(block)
            if not g.any() and point.parts.nothing:
                return
            L = 0.5 * known.get(block.index, 0.0) or _first_lipschitz(point, block, g)
            penalty, before = point.parts.of(block), point.x[i]
            for _ in range(_MAX_TRIALS):
                target = penalty.prox(before - g / L, 1.0 / L)
                d = target - before
                model = float(g @ d) + 0.5 * L * float(d @ d)
                if point.smooth_after(block, d) <= point.smooth + model + _ROUNDING * abs(point.smooth):
                    point.place(block, target, d)
                    break
                L *= 2.0
            known[block.index] = L

        return apply


def _first_lipschitz(point: BlockPoint, block: Block, g: Array) -> float:
    """Curvature along the gradient, by a short step."""
    norm = float(np.linalg.norm(g))
    if norm == 0.0:
        return 1.0
    t = 1e-4 * (1.0 + float(np.linalg.norm(point.x[block.coordinates]))) / norm
    fall = point.smooth_after(block, -t * g) - point.smooth + t * norm**2
    return max(2.0 * fall / (t * norm) ** 2, 1e-10)


def _proximal_step(point: BlockPoint, block: Block, g: Array, L: float) -> None:
    if point.parts.nothing:
        point.move(block, -g / L)
    else:
        point.place(block, point.parts.of(block).prox(point.x[block.coordinates] - g / L, 1.0 / L))


# ---- a matrix for the block --------------------------------------------------------------------------------


@dataclass(frozen=True)
class MatrixStep(Update):
    """X_b <- argmin of g_b'd + d'H_b d / 2 + Omega(x + d), H_b the block's bound: no line search.

    Without a penalty -H_b^-1 g_b. On quadratics H_b is the Hessian, and the update is exact.
    """

    def check(self, problem: CompositeProblem) -> None:
        _needs(problem, "curvature_bound", "matrix")
        _needs_pieces(problem, "matrix")

    def begin(self, setting: Setting) -> Apply:
        point, bounds = setting.point, setting.bounds

        def apply(block: Block) -> None:
            _refuse_large(block)
            g = point.slopes(block)
            if point.parts.nothing:
                point.move(block, -bounds.solve(block, g))
            else:
                x, penalty = point.x[block.coordinates], point.parts.of(block)
                point.place(block, minimize_model(bounds.hessian(block), g, x, penalty))

        return apply


@dataclass(frozen=True)
class HomotopyStep(Update):
    """The same by following the solution from x on, break by break: exact, for lasso and SVM blocks.

    Its cost is a linear system for each coordinate that enters or leaves the support of the block; without a
    kink or a bound in it, one.
    """

    def check(self, problem: CompositeProblem) -> None:
        _needs(problem, "curvature_bound", "homotopy")
        _needs_pieces(problem, "homotopy")

    def begin(self, setting: Setting) -> Apply:
        point, bounds = setting.point, setting.bounds

        def apply(block: Block) -> None:
            _refuse_large(block)
            x = point.x[block.coordinates]
            target = follow_path(bounds.hessian(block), point.slopes(block), x, point.parts.piece(block))
            point.place(block, target)

        return apply


@dataclass(frozen=True)
class NewtonStep(Update):
    """The same with the Hessian at the point, and a line search.

    Without a penalty Armijo's condition along the segment, by quadratic and then cubic interpolation. With
    one the step size alpha is inside the prox, d(alpha) = argmin of g'd + d'Hd / (2 alpha) + Omega(x + d):
    shorter steps still put coordinates on kinks, as identification needs; along the segment they do not.
    """

    def check(self, problem: CompositeProblem) -> None:
        _needs_curvature(problem, "newton")
        _needs_pieces(problem, "newton")

    def begin(self, setting: Setting) -> Apply:
        point = setting.point
        if setting.problem.datafit.quadratic and setting.problem.datafit.provides("curvature_bound"):
            return MatrixStep().begin(setting)  # the same, with factors that are kept

        def apply(block: Block) -> None:
            _newton(point, block)

        return apply


def _newton(point: BlockPoint, block: Block) -> float:
    """One step; what it lowered the objective by."""
    _refuse_large(block)
    before = point.objective
    g, H = point.slopes(block), point.hessian(block)
    if point.parts.nothing:
        d = -cho_solve(regular_factor(H), g, check_finite=False)
        _armijo(point, block, d, float(g @ d))
    else:
        _prox_newton(point, block, g, H)
    return before - point.objective


def _armijo(point: BlockPoint, block: Block, d: Array, slope: float) -> None:
    """Move along d by the first step that lowers the smooth part enough; not at all where none does."""
    if not slope < 0.0:
        return
    f, t = point.smooth, 1.0
    tried: list[tuple[float, float]] = []
    for _ in range(_MAX_TRIALS):
        step = t * d
        value = point.smooth_after(block, step)
        if value <= f + _SUFFICIENT * t * slope + _ROUNDING * abs(f):
            point.move(block, step)
            return
        tried.append((t, value))
        t = _interpolated(f, slope, tried[-2:])


def _interpolated(f: float, slope: float, tried: list[tuple[float, float]]) -> float:
    """Minimiser of the quadratic or cubic through f, its slope and the last trials; within [.1, .5] of t.

    Nocedal and Wright, Numerical Optimization, 2nd edition, equations (3.57) to (3.59).
    """
    t, value = tried[-1]
    guess = np.nan
    if np.isfinite(value):
        guess = -slope * t * t / (2.0 * (value - f - slope * t))
        if len(tried) == 2 and np.isfinite(tried[0][1]):
            (t0, f0), (t1, f1) = tried
            r0, r1 = (f0 - f - slope * t0) / t0**2, (f1 - f - slope * t1) / t1**2
            a, b = (r1 - r0) / (t1 - t0), (r0 * t1 - r1 * t0) / (t1 - t0)
            root = b * b - 3.0 * a * slope
            if a != 0.0 and root >= 0.0:
                guess = (-b + np.sqrt(root)) / (3.0 * a)
    return float(np.clip(guess, 0.1 * t, 0.5 * t)) if np.isfinite(guess) else 0.1 * t


def _prox_newton(point: BlockPoint, block: Block, g: Array, H: Array) -> None:
    x, penalty = point.x[block.coordinates], point.parts.of(block)
    H = H + 1e-12 * (float(np.trace(H)) / block.size or 1.0) * np.eye(block.size)
    start, omega = point.objective, penalty.value(x)
    alpha = 1.0
    for _ in range(_MAX_TRIALS):
        trial = minimize_model(H / alpha, g, x, penalty)
        d = trial - x
        promised = float(g @ d) + penalty.value(trial) - omega
        if not promised < 0.0:
            return
        if point.objective_at(block, trial, d) <= start + _SUFFICIENT * promised + _ROUNDING * abs(start):
            point.place(block, trial, d)
            return
        alpha *= 0.5


@dataclass(frozen=True)
class ExactStep(Update):
    """Minimises over the block: one matrix step on quadratics, Newton steps to rounding elsewhere."""

    def check(self, problem: CompositeProblem) -> None:
        _needs_curvature(problem, "exact")
        _needs_pieces(problem, "exact")

    def begin(self, setting: Setting) -> Apply:
        point = setting.point
        if setting.problem.datafit.quadratic and setting.problem.datafit.provides("curvature_bound"):
            return MatrixStep().begin(setting)

        def apply(block: Block) -> None:
            for _ in range(_MAX_INNER):
                if _newton(point, block) <= 4.0 * _ROUNDING * abs(point.objective):
                    break

        return apply


# ---- bounds and kinks --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TwoMetricProjection(Update):
    """Two-metric projection (Gafni and Bertsekas 1984), with Newton's metric for what may move freely.

    A = {x_i within eps of its bound, g_i pushes to it}, W the rest: x_W <- P(x_W - alpha H_WW^-1 g_W),
    x_A <- P(x_A - alpha g_A). One linear system instead of a quadratic programme, and still finite
    identification. With an L1 term the same on the orthant of x, zeros put where -g points; zeros that the L1
    term holds stay.

    Parameters
    ----------
    eps : float
        How near a bound counts as at it, relative to 1 + |x_i|.
    """

    eps: float = 1e-8

    def check(self, problem: CompositeProblem) -> None:
        _needs_curvature(problem, "tmp")
        _needs_pieces(problem, "tmp")

    def begin(self, setting: Setting) -> Apply:
        point = setting.point
        exact = setting.problem.datafit.quadratic

        def apply(block: Block) -> None:
            _refuse_large(block)
            H = setting.bounds.hessian(block) if exact else point.hessian(block)
            _two_metric(point, block, H, self.eps)

        return apply


def _two_metric(point: BlockPoint, block: Block, H: Array, eps: float) -> None:
    x, piece = point.x[block.coordinates], point.parts.piece(block)
    smooth = point.slopes(block) + piece.linear + piece.l2 * x
    sign = np.where(x != 0, np.sign(x), -np.sign(smooth))
    held = (x == 0) & (np.abs(smooth) <= piece.l1)
    g = np.where(held, 0.0, smooth + piece.l1 * sign)
    kinked = piece.l1 > 0
    lower = np.where(kinked & (sign > 0), np.maximum(piece.lower, 0.0), piece.lower)
    upper = np.where(kinked & (sign < 0), np.minimum(piece.upper, 0.0), piece.upper)
    near = eps * (1.0 + np.abs(x))
    active = ((x - lower <= near) & (g > 0)) | ((upper - x <= near) & (g < 0)) | held
    step = g.copy()
    free = np.flatnonzero(~active)
    if free.size:
        metric = H[np.ix_(free, free)] + np.diag(piece.l2[free])
        step[free] = cho_solve(regular_factor(metric), g[free], check_finite=False)
    start, alpha = point.objective, 1.0
    for _ in range(_MAX_TRIALS):
        trial = np.clip(x - alpha * step, lower, upper)
        d = trial - x
        fall = alpha * float(g[free] @ step[free]) - float(g[active] @ d[active])
        if not d.any():
            return
        if point.objective_at(block, trial, d) <= start - _SUFFICIENT * fall + _ROUNDING * abs(start):
            point.place(block, trial, d)
            return
        alpha *= 0.5


# ---- forests -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class MessagePassing(Update):
    """Minimises a sparse quadratic exactly over a block whose graph is a forest, in O(|b|)."""

    def check(self, problem: CompositeProblem) -> None:
        require_sparse_graph(problem, "update 'trees'")
        smooth_penalty(problem, "update 'trees'")

    def begin(self, setting: Setting) -> Apply:
        point = setting.point
        assert isinstance(point, QuadraticPoint)
        linear, l2 = smooth_penalty(setting.problem, "update 'trees'")
        known: dict[int, tuple[ForestFactor, Block]] = {}

        def factor(block: Block) -> tuple[ForestFactor, Block]:
            found = ForestFactor(point.graph, block.coordinates, l2[block.coordinates])
            return found, Block(found.order, block.index)

        def apply(block: Block) -> None:
            if block.index is None:
                tree, ordered = factor(block)
            else:
                if block.index not in known:
                    known[block.index] = factor(block)
                tree, ordered = known[block.index]
            i = ordered.coordinates
            c = -(point.slopes(ordered) + linear[i] + l2[i] * point.x[i])
            point.move(ordered, tree.solve(c))

        return apply


def smooth_penalty(problem: CompositeProblem, who: str) -> tuple[Array, Array]:
    """Linear part and l2 of a penalty that has nothing else.

    Raises
    ------
    MismatchError
        Where there is an L1 term or a bound; `who` cannot have it.
    """
    penalty = problem.penalty
    if isinstance(penalty, PiecewiseQuadratic):
        l1, l2, linear, lower, upper = penalty.arrays(problem.p)
        if not l1.any() and np.isneginf(lower).all() and np.isposinf(upper).all():
            return linear, l2
    raise MismatchError(f"{who} needs a penalty without kinks and bounds, not {type(penalty).__name__}")


UPDATES: dict[str, type[Update]] = {
    "gradient": GradientStep,
    "backtracking": BacktrackingStep,
    "matrix": MatrixStep,
    "homotopy": HomotopyStep,
    "newton": NewtonStep,
    "exact": ExactStep,
    "tmp": TwoMetricProjection,
    "trees": MessagePassing,
}


def update_of(given: Any) -> Update:
    """An update of its name, or itself.

    Raises
    ------
    ValueError, TypeError
        An unknown name, or neither.
    """
    if isinstance(given, Update):
        return given
    if not isinstance(given, str):
        raise TypeError(f"update must be a name or an Update, got {given!r}")
    if given not in UPDATES:
        raise ValueError(f"update must be one of {', '.join(UPDATES)}, got {given!r}")
    return UPDATES[given]()


def _needs(problem: CompositeProblem, what: str, update: str) -> None:
    if not problem.datafit.provides(what):
        raise MismatchError(
            f"update {update!r} needs {what}, which datafit {type(problem.datafit).__name__} does not "
            f"provide; 'backtracking' needs no more than values and gradients"
        )


def _needs_curvature(problem: CompositeProblem, update: str) -> None:
    if not problem.datafit.quadratic:
        _needs(problem, "hessian_diagonal", update)


def _needs_pieces(problem: CompositeProblem, update: str) -> None:
    if not isinstance(problem.penalty, PiecewiseQuadratic):
        raise MismatchError(
            f"update {update!r} needs a piecewise quadratic penalty, not {type(problem.penalty).__name__}; "
            f"'gradient' and 'backtracking' take any with a prox"
        )


def _refuse_large(block: Block) -> None:
    if block.size > _MAX_DENSE:
        raise ValueError(
            f"a block of {block.size} coordinates would need a dense matrix of that order; take a smaller "
            f"block_size, or update='trees' where its graph is a forest"
        )
