"""Second derivatives of an unconstrained, strongly convex lower level, and Newton's method on it.

With H = d(grad_y f)/dy and J = d(grad_y f)/dx at one (x, y): where the Hessian is there as a matrix, H is
factorised once, dense or sparse; where it is known by products, systems are solved by conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Protocol

import numpy as np
from scipy.linalg import eigvalsh_tridiagonal
from scipy.linalg.lapack import dpotrf, dpotrs
from scipy.sparse import csc_array, csr_array
from scipy.sparse.linalg import splu

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import NLP, Vector

DENSE_SIZE, DENSE_SHARE = 2000, 0.1
"""H is factorised as dense up to this order from this share of nonzeros on, and always up to order 50."""

_EPS = float(np.finfo(float).eps)

CONTRACTION = 0.3
"""Chord steps with an old factorisation go on while they shrink the gradient at least so much."""

MAX_STEPS = 200

TINY = 1e-8
"""Newton steps shorter than this, relative to y, have to shorten the gradient: slopes are rounding there."""

PATIENCE = 25
"""Steps without a shorter gradient, after which it is rounding that lets f seem to fall."""

ARMIJO = 1e-4

POWER_STEPS = 12
"""Of inverse iterations for the smallest eigenvalue of H, and of power iterations for ||J||."""


class NotConvexError(ArithmeticError):
    """The Hessian of the lower level is not positive definite."""


class Curvature(Protocol):
    """H and J at one point w = (x, y)."""

    reusable: bool
    """Whether solving again is cheap, so that an old point's H serves for steps elsewhere."""
    size: float
    """||H||, roughly; 0 where it is not known. Rounding in grad_y f is that times y's."""

    def solve(self, b: Vector, tolerance: float = 0.0) -> Vector:
        """H^-1 b; where that is done by iteration, to a residual below the tolerance.

        Raises
        ------
        NotConvexError
        """

    def times(self, v: Vector) -> tuple[Vector, Vector]:
        """J'v and H v."""

    def cross(self, d: Vector) -> Vector:
        """J d."""

    def modulus(self) -> float:
        """An estimate of the smallest eigenvalue of H, from above."""

    def cross_norm(self) -> float:
        """||J||: a bound where J is there as a matrix, else an estimate."""


def curvature_at(problem: BilevelProblem, w: Vector) -> Curvature:
    """By matrix where there is one."""
    if problem.lower.capabilities.hessian_matrix:
        return MatrixCurvature(problem.lower.hessian(w), problem.n_x)
    return ProductCurvature(problem.lower, w, problem.n_x)


class MatrixCurvature:
    """Of the Hessian of f as a sparse matrix.

    Parameters
    ----------
    hessian : csr_array, shape (n_x + n_y, n_x + n_y)
    n_x : int

    Attributes
    ----------
    H, J : csr_array or ndarray, shapes (n_y, n_y), (n_y, n_x)
        Dense where H is factorised as dense.
    """

    reusable = True

    def __init__(self, hessian: csr_array, n_x: int) -> None:
        n_y = hessian.shape[0] - n_x
        rows = hessian[n_x:]
        nonzeros = int(np.count_nonzero(rows.indices >= n_x))
        self.dense = n_y <= DENSE_SIZE and (n_y <= 50 or nonzeros >= DENSE_SHARE * n_y * n_y)
        if self.dense:
            rows = rows.toarray()
        self.J, self.H = rows[:, :n_x], rows[:, n_x:]
        self.size = float(abs(self.H).sum(axis=1).max())

    def solve(self, b: Vector, tolerance: float = 0.0) -> Vector:
        """By the factorisation, with one step of refinement where the residual is above the tolerance."""
        q = self._factor(b)
        r = b - self.H @ q
        return q if tolerance > 0.0 and np.sqrt(r @ r) <= tolerance else np.asarray(q + self._factor(r))

    def times(self, v: Vector) -> tuple[Vector, Vector]:
        """J'v and H v."""
        return self.J.T @ v, self.H @ v

    def cross(self, d: Vector) -> Vector:
        """J d."""
        return np.asarray(self.J @ d)

    def modulus(self) -> float:
        """By inverse iteration."""
        v = np.random.default_rng(0).standard_normal(self.H.shape[0])
        value = np.inf
        for _ in range(POWER_STEPS):
            v /= np.linalg.norm(v)
            u = self._factor(v)
            value = 1.0 / float(np.linalg.norm(u))
            v = u
        return value

    def cross_norm(self) -> float:
        """Frobenius."""
        return float(np.linalg.norm(self.J if self.dense else self.J.data))

    @cached_property
    def _factor(self) -> Callable[[Vector], Vector]:
        if not np.isfinite(self.size):
            raise NotConvexError("the Hessian of the lower level is not finite")
        return _dense_factor(self.H) if self.dense else _sparse_factor(csc_array(self.H))


def _dense_factor(H: np.ndarray) -> Callable[[Vector], Vector]:
    """Cholesky's, by LAPACK itself: scipy's wrappers cost more than small systems do."""
    factor, info = dpotrf(H, lower=1, clean=0)
    if info != 0:
        raise NotConvexError("the Hessian of the lower level is not positive definite")

    def solve(b: Vector) -> Vector:
        found: Vector = dpotrs(factor, b, lower=1)[0]
        return found

    return solve


def _sparse_factor(H: csc_array) -> Callable[[Vector], Vector]:
    """LU with pivots from the diagonal: those of a positive definite matrix are positive."""
    try:
        factor = splu(H, permc_spec="MMD_AT_PLUS_A", diag_pivot_thresh=0.0, options={"SymmetricMode": True})
    except RuntimeError as error:
        raise NotConvexError("the Hessian of the lower level is singular") from error
    if not (factor.U.diagonal() > 0.0).all():
        raise NotConvexError("the Hessian of the lower level is not positive definite")
    solve: Callable[[Vector], Vector] = factor.solve
    return solve


class ProductCurvature:
    """Of products with the Hessian of f.

    Parameters
    ----------
    level : NLP
    w : ndarray, shape (n_x + n_y,)
    n_x : int
    """

    reusable = False
    size = 0.0

    def __init__(self, level: NLP, w: Vector, n_x: int) -> None:
        self._level, self._w, self._n_x = level, w.copy(), n_x
        self._ritz = np.inf

    def solve(self, b: Vector, tolerance: float = 0.0) -> Vector:
        """By conjugate gradients (Hestenes & Stiefel, 1952), at most 10 n_y steps."""
        q, r = np.zeros_like(b), b.copy()
        rr = float(r @ r)
        target = max(tolerance, 1e-15 * np.sqrt(rr))
        lengths, ratios = [], []
        best, best_norm = q.copy(), np.sqrt(rr)
        d = r.copy()
        for _ in range(10 * b.size):
            if np.sqrt(rr) <= target:
                break
            Hd = self.times(d)[1]
            dHd = float(d @ Hd)
            if not dHd > 0.0:
                raise NotConvexError("the Hessian of the lower level is not positive definite")
            q += (rr / dHd) * d
            r -= (rr / dHd) * Hd
            lengths.append(dHd / rr)
            rr, before = float(r @ r), rr
            ratios.append(rr / before)
            if np.sqrt(rr) < best_norm:
                best, best_norm = q.copy(), np.sqrt(rr)
            d = r + (rr / before) * d
        self._note_ritz(np.array(lengths), np.array(ratios))
        return best

    def _note_ritz(self, lengths: Vector, ratios: Vector) -> None:
        """The smallest eigenvalue of the Lanczos matrix of a run (Golub & Van Loan, 2013, section 11.3)."""
        if lengths.size == 0:
            return
        diagonal = lengths.copy()
        diagonal[1:] += lengths[:-1] * ratios[:-1]
        beside = lengths[:-1] * np.sqrt(ratios[:-1])
        smallest = float(eigvalsh_tridiagonal(diagonal, beside, select="i", select_range=(0, 0))[0])
        if smallest > 0.0:
            self._ritz = min(self._ritz, smallest)

    def modulus(self) -> float:
        """The smallest Ritz value of the systems that were solved here."""
        if not np.isfinite(self._ritz):
            n_y = self._w.size - self._n_x
            self.solve(np.random.default_rng(0).standard_normal(n_y), 1e-2 * np.sqrt(n_y))
        return self._ritz

    def cross_norm(self) -> float:
        """By power iteration."""
        d = np.random.default_rng(0).standard_normal(self._n_x)
        value = 0.0
        for _ in range(POWER_STEPS // 2):
            d /= max(float(np.linalg.norm(d)), np.finfo(float).tiny)
            Jd = self.cross(d)
            value = float(np.linalg.norm(Jd))
            d = self.times(Jd)[0]
        return value

    def times(self, v: Vector) -> tuple[Vector, Vector]:
        """J'v and H v, in one product."""
        both = self._level.hvp(self._w, np.concatenate([np.zeros(self._n_x), v]))
        return both[: self._n_x], both[self._n_x :]

    def cross(self, d: Vector) -> Vector:
        """J d."""
        return self._level.hvp(self._w, np.concatenate([d, np.zeros(self._w.size - self._n_x)]))[self._n_x :]


@dataclass(frozen=True, eq=False)
class LowerPoint:
    """An approximate solution of the lower level.

    Attributes
    ----------
    y : ndarray, shape (n_y,)
    residual : float
        ``||grad_y f(x, y)||``.
    """

    y: Vector
    residual: float


def newton_lower(
    problem: BilevelProblem, x: Vector, y: Vector, tolerance: float, model: Curvature | None = None
) -> LowerPoint:
    """Minimise f(x, .) by Newton's method until ``||grad_y f|| <= tolerance`` or rounding ends it.

    f itself is not evaluated: it is convex, so that the gradient at the end of a step tells whether f fell.

    Parameters
    ----------
    problem : BilevelProblem
        With an unconstrained lower level.
    x, y : ndarray, shapes (n_x,), (n_y,)
        The upper variables, and the start.
    tolerance : float
        Absolute.
    model : Curvature, optional
        At a point nearby: chord steps with it come first.

    Raises
    ------
    NotConvexError
    """
    n_x = problem.n_x
    g = problem.lower.gradient(problem.join(x, y))[n_x:]
    norm = first = best = float(np.linalg.norm(g))
    if model is not None and not model.reusable:
        model = None
    steps: list[Vector] = []
    since = 0
    for _ in range(MAX_STEPS):
        if not norm > tolerance:
            break
        fresh = model is None
        if model is None:
            model, steps = curvature_at(problem, problem.join(x, y)), []
        if norm <= _EPS * model.size * float(np.linalg.norm(y)):
            break
        forcing = min(0.1, np.sqrt(norm / max(first, norm))) * norm
        d = model.solve(g, max(min(forcing, 0.1 * norm), 0.1 * tolerance))
        steps.append(_broyden(d, steps))
        before = norm
        if fresh:
            trial, t = _newton_step(problem, x, y, g, steps[-1])
        else:
            trial, t = _if_shorter(_trial(problem, x, y - steps[-1]), norm), 1.0
        if trial is not None:
            y, g, norm = trial
        if trial is None and fresh:
            break  # at the floor of rounding
        best, since = (norm, 0) if norm < best else (best, since + 1)
        if since > PATIENCE:
            break
        if not model.reusable or trial is None or t < 1.0 or norm > CONTRACTION * before:
            model = None
    return LowerPoint(y, norm)


def _broyden(d: Vector, steps: list[Vector]) -> Vector:
    """A chord step d after Broyden's updates by the steps before it (Kelley, 1995, algorithm brsol)."""
    for s, following in pairwise(steps):
        d = d + following * (float(s @ d) / float(s @ s))
    if not steps:
        return d
    kept = 1.0 - float(steps[-1] @ d) / float(steps[-1] @ steps[-1])
    return d / kept if kept > 0.1 else d


_Trial = tuple[Vector, Vector, float]
"""A point with its gradient and the norm of that."""


def _newton_step(
    problem: BilevelProblem, x: Vector, y: Vector, g: Vector, d: Vector
) -> tuple[_Trial | None, float]:
    """The first of y - t d, t = 1, ..., where f is sufficiently lower, or the gradient much shorter.

    f(y - t d) <= f(y) - t g_t'd since f is convex, so that g_t'd >= c g'd is more than Armijo's condition.
    """
    norm, slope, size = float(np.linalg.norm(g)), float(g @ d), 1.0 + float(np.linalg.norm(y))
    tiny = float(np.linalg.norm(d)) <= TINY * size
    t = 1.0
    while t > 1e-8 and slope > 0.0:
        trial = _trial(problem, x, y - t * d)
        end = float(trial[1] @ d)
        if trial[2] <= CONTRACTION * norm or (end >= ARMIJO * slope and (trial[2] < norm or not tiny)):
            return trial, t
        if norm <= 1e-10 * size and t < 0.2:
            break
        t *= _shrinkage(slope, end)
    return None, t


def _shrinkage(slope: float, end: float) -> float:
    """To where the slope, which grows along the step, would be zero if it did so steadily."""
    if not np.isfinite(end):
        return 0.1
    return float(np.clip(slope / (slope - end), 0.1, 0.5)) if end < 0.0 else 0.5


def _if_shorter(trial: _Trial, norm: float) -> _Trial | None:
    return trial if trial[2] < norm else None


def _trial(problem: BilevelProblem, x: Vector, y: Vector) -> _Trial:
    g = problem.lower.gradient(problem.join(x, y))[problem.n_x :]
    return y, g, float(np.linalg.norm(g))
