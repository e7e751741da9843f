"""The hypergradient: the gradient of x -> F(x, y*(x)) by the implicit function theorem, and its check.

With H = d(grad_y f)/dy and J = d(grad_y f)/dx at the solution y* of a strongly convex lower level,

    p = grad_x F - J'q,    H q = grad_y F

(Pedregosa, "Hyperparameter optimization with approximate gradient", ICML 2016, section 3).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from ...problems.bilevel.problem import BilevelProblem
from ...problems.bilevel.sets import is_box
from ...problems.nlp import Vector
from ...problems.validation import as_vector
from ..certificate import Measure
from .lower_newton import Curvature, NotConvexError, curvature_at, newton_lower

ALL_COORDINATES = 32
"""Up to so many upper variables every coordinate is differenced; beyond, as many random directions."""


@dataclass(frozen=True, eq=False)
class Hypergradient:
    """What is known at (x, y) of F(x, y*(x)).

    Attributes
    ----------
    F : float
        F(x, y).
    gradient : ndarray, shape (n_x,)
        p.
    y : ndarray, shape (n_y,)
        The lower solution that was used.
    adjoint : ndarray, shape (n_y,)
        q.
    lower_residual, adjoint_residual : float
        ``||grad_y f||`` and ``||H q - grad_y F||``.
    by_x, by_y : ndarray, shapes (n_x,), (n_y,)
        Gradients of F.
    curvature : Curvature
        H and J.
    """

    F: float
    gradient: Vector
    y: Vector
    adjoint: Vector
    lower_residual: float
    adjoint_residual: float
    by_x: Vector
    by_y: Vector
    curvature: Curvature


def refusal_of_lower(problem: BilevelProblem) -> str | None:
    """What keeps a problem from having a hypergradient by the formula above, None where nothing does.

    Strong convexity of the lower level is found out on the way.
    """
    free_y = np.concatenate([problem.upper.lb[problem.n_x :], problem.upper.ub[problem.n_x :]])
    if problem.lower.capabilities.second == "none":
        return "no second derivatives of the lower level"
    if problem.lower.m:
        return "constraints of the lower level"
    if np.isfinite(problem.Y.lb).any() or np.isfinite(problem.Y.ub).any() or not is_box(problem.Y):
        return "a set Y at the lower level"
    if problem.upper.m or np.isfinite(free_y).any():
        return "constraints of the upper level other than X"
    return None


def hypergradient_at(
    problem: BilevelProblem, x: Vector, y: Vector, tolerance: float = 0.0, lower_residual: float | None = None
) -> Hypergradient:
    """The hypergradient with y in place of y*(x), the adjoint solved to a residual below the tolerance.

    Raises
    ------
    NotConvexError
        Where H is not positive definite.
    """
    n_x, w = problem.n_x, problem.join(x, y)
    F, gradient = problem.upper.objective_and_gradient(w)
    by_x, by_y = gradient[:n_x].copy(), gradient[n_x:].copy()
    curvature = curvature_at(problem, w)
    q = curvature.solve(by_y, tolerance)
    Jq, Hq = curvature.times(q)
    if lower_residual is None:
        lower_residual = float(np.linalg.norm(problem.lower.gradient(w)[n_x:]))
    residual = float(np.linalg.norm(Hq - by_y))
    return Hypergradient(F, by_x - Jq, y, q, lower_residual, residual, by_x, by_y, curvature)


def polished(problem: BilevelProblem, x: Vector, found: Hypergradient) -> Hypergradient:
    """The hypergradient after one more Newton step of the lower level, whatever its residual.

    Where H is ill-conditioned, the residual may be rounding in the stiff directions, and say nothing of the
    weak ones; there chord steps leave more than a Newton step does.
    """
    n_x = problem.n_x
    y = found.y - found.curvature.solve(problem.lower.gradient(problem.join(x, found.y))[n_x:])
    better = hypergradient_at(problem, x, y, found.adjoint_residual)
    return better if better.lower_residual <= 2.0 * found.lower_residual else found


def hypergradient(
    problem: BilevelProblem, x: ArrayLike, y: ArrayLike | None = None, *, tol: float = 1e-12
) -> Hypergradient:
    """Gradient of ``x -> F(x, y*(x))`` for a free and strongly convex lower level.

    Parameters
    ----------
    problem : BilevelProblem
        Without lower constraints, with second derivatives of f (as a matrix or by products).
    x : array_like, shape (n_x,)
        Where.
    y : array_like, shape (n_y,), optional
        Start of the lower level. Default: the problem's.
    tol : float, default 1e-12
        Residual of the lower level, relative to its gradient at the start (at least 1), and of the adjoint
        system relative to grad_y F. The error of p is of this order times the condition of H.

    Returns
    -------
    Hypergradient

    Raises
    ------
    ValueError
        Lower levels with constraints or without second derivatives, and x, y of another shape.
    NotConvexError
        Where the Hessian of the lower level is not positive definite (an ArithmeticError).

    Examples
    --------
    >>> from karush.problems.bilevel.callables import bilevel_from_callables
    >>> problem = bilevel_from_callables(
    ...     lambda x, y: (x[0] - 1) ** 2 + (y[0] + 1) ** 2, lambda x, y: (y[0] - x[0]) ** 2, [3.0], [0.0]
    ... )
    >>> round(float(hypergradient(problem, [3.0]).gradient[0]), 6)
    12.0
    """
    x, y = _checked(problem, x, y)
    y, residual = _lower_solution(problem, x, y, tol)
    by_y = problem.upper.gradient(problem.join(x, y))[problem.n_x :]
    return polished(problem, x, hypergradient_at(problem, x, y, tol * float(np.linalg.norm(by_y)), residual))


def hypergradient_stationarity(problem: BilevelProblem, x: Vector, y: Vector) -> Measure:
    """How far x is from stationary for F(x, y*(x)) over X, by products alone; inf where there is no telling.

    Parameters
    ----------
    problem : BilevelProblem
        With second derivatives of the lower level by products.
    x, y : ndarray, shapes (n_x,), (n_y,)
        Where y solves the lower level.

    Returns
    -------
    Measure
        ``max |x - P_X(x - p)|``, and relative to the largest entry of grad_x F and of J'q (at least 1); the
        residual of the adjoint system counts as well.
    """
    unknown = Measure(np.inf, np.inf)
    if refusal_of_lower(problem) is not None:
        return unknown
    try:
        by_y = problem.upper.gradient(problem.join(x, y))[problem.n_x :]
        found = hypergradient_at(problem, x, y, 1e-10 * float(np.linalg.norm(by_y)))
    except NotConvexError:
        return unknown
    if not np.isfinite(found.gradient).all():
        return unknown
    residual = float(abs(x - problem.X.project(x - found.gradient)).max())
    sizes = float(abs(found.by_x).max()), float(abs(found.by_x - found.gradient).max())
    adjoint = found.adjoint_residual / max(1.0, float(abs(by_y).max()))
    return Measure(max(residual, found.adjoint_residual), max(residual / max(1.0, *sizes), adjoint))


@dataclass(frozen=True, eq=False)
class HypergradientCheck:
    """A hypergradient beside differences.

    Attributes
    ----------
    gradient : ndarray, shape (n_x,)
        By the implicit function theorem.
    directions : ndarray, shape (n_x, k)
        Columns of length one along which F(x, y*(x)) was differenced.
    derivatives, differences : ndarray, shape (k,)
        ``gradient' direction`` and the differences.
    error : float
        Largest ``|derivative - difference|``, relative to the largest derivative (at least to `floor`).
    floor : float
        What rounding of F alone makes of the differences.
    """

    gradient: Vector
    directions: np.ndarray
    derivatives: Vector
    differences: Vector
    error: float
    floor: float


def check_hypergradient(
    problem: BilevelProblem,
    x: ArrayLike | None = None,
    y: ArrayLike | None = None,
    *,
    step: float = 1e-3,
    rng: np.random.Generator | int | None = 0,
) -> HypergradientCheck:
    """Compare the hypergradient with differences of F(x, y*(x)), the lower level solved anew at each x.

    Parameters
    ----------
    problem : BilevelProblem
        With an unconstrained, strongly convex lower level.
    x, y : array_like, shapes (n_x,), (n_y,), optional
        Where, and the start of the lower level. Default: the problem's.
    step : float, default 1e-3
        Of the differences, relative to max(1, max |x|). They are central and of fourth order, so that 1e-3
        leaves truncation near 1e-12 of the fifth derivative. Points up to two steps outside X are visited.
    rng : default 0
        For the directions where there are more than 32 upper variables.

    Returns
    -------
    HypergradientCheck
        An `error` well above 1e-6 says that a derivative is wrong, or that y*(x) is not smooth here.

    Raises
    ------
    ValueError, NotConvexError
        As `hypergradient`.
    """
    if not step > 0.0:
        raise ValueError(f"step must be positive, got {step}")
    x, y = _checked(problem, problem.x0 if x is None else x, y)
    found = hypergradient(problem, x, y)
    if x.size <= ALL_COORDINATES:
        directions = np.eye(x.size)
    else:
        directions = np.random.default_rng(rng).standard_normal((x.size, ALL_COORDINATES))
        directions /= np.linalg.norm(directions, axis=0)
    h = step * max(1.0, float(abs(x).max()))

    def value(at: Vector) -> float:
        solution, _ = _lower_solution(problem, at, found.y, 1e-15)
        return float(problem.upper.objective(problem.join(at, solution)))

    differences = np.array(
        [
            (8.0 * (value(x + h * d) - value(x - h * d)) - (value(x + 2 * h * d) - value(x - 2 * h * d)))
            / (12.0 * h)
            for d in directions.T
        ]
    )
    derivatives = directions.T @ found.gradient
    floor = float(np.finfo(float).eps) * max(abs(found.F), np.finfo(float).tiny) / h
    size = max(float(abs(derivatives).max()), float(abs(differences).max()), floor)
    error = float(abs(derivatives - differences).max()) / size
    return HypergradientCheck(found.gradient, directions, derivatives, differences, error, floor)


def _checked(problem: BilevelProblem, x: ArrayLike, y: ArrayLike | None) -> tuple[Vector, Vector]:
    if not isinstance(problem, BilevelProblem):
        raise TypeError(f"problem must be a BilevelProblem, got {type(problem).__name__}")
    point = as_vector("x", x, problem.n_x)
    start = problem.y0.copy() if y is None else as_vector("y", y, problem.n_y)
    if problem.lower.capabilities.second == "none":
        raise ValueError(f"problem {problem.name!r} has no second derivatives of the lower level")
    bounded = np.isfinite(problem.Y.lb).any() or np.isfinite(problem.Y.ub).any() or not is_box(problem.Y)
    if problem.lower.m or bounded:
        raise ValueError(f"problem {problem.name!r} has a constrained lower level, not a free one")
    return point, start


def _lower_solution(problem: BilevelProblem, x: Vector, y: Vector, tol: float) -> tuple[Vector, float]:
    first = float(np.linalg.norm(problem.lower.gradient(problem.join(x, y))[problem.n_x :]))
    found = newton_lower(problem, x, y, tol * max(1.0, first))
    return found.y, found.residual
