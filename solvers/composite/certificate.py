"""Optimality of a composite problem, recomputed from the problem alone: no code is shared with a solver.

Where both parts are convex and their conjugates known, the duality gap: with u = t grad F(eta),

    P(w, b) - D(u),    D(u) = <u, offset> - F*(u) - Omega*(-X'u),    1'u = 0 with an intercept,

t the largest scale with a finite value, bounds the distance of the objective from its minimum. Elsewhere the
distance of the negative gradient from the subdifferential, by coordinate or group, or the residual of a
proximal gradient step.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...problems.composite.penalties import PiecewiseQuadratic
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, MismatchError

_MOST_FREE = 500
"""Columns without any penalty to which a dual point is made orthogonal by a QR; with more there is no gap."""


class CompositeCertificate:
    """What holds at a point (w, b); made by `certify_composite`.

    Attributes
    ----------
    point : ndarray
        The w it was made at.
    objective : float
        P(w, b).
    gap : float
        Duality gap; NaN where there is none to compute.
    gap_scale : float
        The larger of the objectives here and at w = 0: the gap is compared with tol times that.
    gradient : ndarray
        Gradient of the datafit by w, of w's shape.
    intercept_slope : float
        Largest derivative by an intercept, relative to the sum of the samples' absolute slopes.
    holds : bool
        Whether the gap, or where there is none the stationarity, is within the tolerance.
    """

    def __init__(self, problem: CompositeProblem, w: Array, b: Array, tol: float) -> None:
        self.tol = tol
        self.point = w
        self._penalty, self._w, self._problem = problem.penalty, w, problem
        datafit = problem.datafit
        eta = problem.predictor(w, b)
        fit = datafit.value(eta.copy())  # a datafit that spoils its argument must not spoil the certificate
        self.objective = fit + problem.penalty.value(w)
        g = datafit.gradient(eta.copy())
        self.intercept_slope = _relative_slope(g) if problem.intercept else 0.0
        self.gap_scale = max(abs(self.objective), abs(problem.null.value))
        self.gap = np.nan
        if np.isfinite(self.objective) and problem.convex and problem.penalty.provides("conjugate"):
            self.gap = self._duality_gap(eta, b, fit, g)
        else:
            self.gradient = problem.design.adjoint(g)

    def _duality_gap(self, eta: Array, b: Array, fit: float, g: Array) -> float:
        """The gap; `gradient` is set on the way, since both need the same pass over X."""
        problem, penalty = self._problem, self._problem.penalty
        if problem.intercept and self.intercept_slope > 1e-14:
            # The dual point belongs to the best intercept, where the slopes add up to zero.
            best = problem.best_intercept(eta - b, b)
            eta = eta - b + best
            fit, g = problem.datafit.value(eta.copy()), problem.datafit.gradient(eta.copy())
        centred = _centred(problem, g) if problem.intercept else g
        self.gradient = problem.design.adjoint(centred)
        free = _free_columns(problem)
        if free.size > _MOST_FREE:
            return np.nan  # a dual point would have to be orthogonal to all of these columns
        u, c = centred, self.gradient
        if free.size:
            u = _orthogonal_to(problem, free, centred)
            c = problem.design.adjoint(u)
            c[free] = 0.0
        t = penalty.dual_scale(-c)
        if t == 0.0:
            return np.nan  # signs or groups without a level: by rounding alone no multiple of u is feasible
        if problem.datafit.provides("conjugate"):
            conjugate = problem.datafit.conjugate(t * u if t < 1.0 else u)
        elif t == 1.0 and u is g:
            conjugate = float(np.vdot(g, eta)) - fit  # Fenchel's equality at a gradient
        else:
            return np.nan
        offset = 0.0 if problem.offset is None else t * float(np.vdot(u, problem.offset))
        return abs(self.objective - (offset - conjugate - penalty.conjugate(-t * c)))

    @cached_property
    def stationarity(self) -> float:
        """Distance of -gradient from the subdifferential, the largest over coordinates or groups.

        For penalties that do not provide it the residual L ||w - prox(w - gradient / L)||_inf.
        """
        if not np.isfinite(self.objective):
            return np.inf
        try:
            distances = self._penalty.stationarity(self._w, self.gradient)
        except MismatchError:
            L = max(float(np.max(self._problem.column_squares)), np.finfo(float).tiny)
            distances = L * np.abs(self._w - self._penalty.prox(self._w - self.gradient / L, 1.0 / L))
        return float(np.max(distances, initial=0.0))

    @cached_property
    def stationarity_scale(self) -> float:
        """The largest slope at w = 0; 1 where all are zero."""
        return float(np.max(np.abs(self._problem.null.slopes), initial=0.0)) or 1.0

    @property
    def relative_gap(self) -> float:
        """Gap / gap_scale."""
        return self.gap / self.gap_scale if self.gap_scale > 0 else self.gap

    @cached_property
    def holds(self) -> bool:
        """Whether the point is optimal (stationary where not convex) to the tolerance."""
        if np.isfinite(self.gap):
            return bool(self.gap <= self.tol * self.gap_scale)
        small = self.stationarity <= self.tol * self.stationarity_scale
        return bool(small and self.intercept_slope <= self.tol)

    @cached_property
    def support(self) -> NDArray[np.bool_]:
        """Coordinates that no kink and no bound holds, of w's shape."""
        return self._penalty.support(self._w)

    @cached_property
    def slack(self) -> float:
        """Delta of the support: it is identified once the gradient's error is below; NaN if unknown."""
        try:
            return self._penalty.slack(self._w, self.gradient)
        except MismatchError:
            return np.nan

    def __repr__(self) -> str:
        mark = "holds" if self.holds else "does not hold"
        gap = f"gap {self.relative_gap:.1e}" if np.isfinite(self.gap) else "no gap"
        return (
            f"CompositeCertificate({mark}: {gap}, stationarity "
            f"{self.stationarity / self.stationarity_scale:.1e}, tol {self.tol:g}, "
            f"support {int(self.support.sum())}, slack {self.slack:.1e})"
        )


def certify_composite(
    problem: CompositeProblem, w: Any, b: Any = 0.0, tol: float = 1e-6
) -> CompositeCertificate:
    """Check a point of a composite problem.

    Parameters
    ----------
    problem : CompositeProblem
        The problem.
    w : array_like, shape (p,) or (p, k)
        Coefficients.
    b : array_like, shape () or (k,)
        Intercept; ignored where the problem has none.
    tol : float
        Relative tolerance of the duality gap, and of stationarity where there is no gap.
    """
    w = np.asarray(w, dtype=np.float64)
    if w.shape != problem.shape:
        raise ValueError(f"w must have shape {problem.shape}, got {w.shape}")
    return CompositeCertificate(problem, w, np.asarray(b, dtype=np.float64), tol)


def _relative_slope(g: Array) -> float:
    total = float(np.abs(g).sum())
    return float(np.max(np.abs(g.sum(axis=0)))) / total if total > 0 else 0.0


def _free_columns(problem: CompositeProblem) -> NDArray[np.int64]:
    """Columns without penalty or bound, to which a dual point must be orthogonal."""
    penalty = problem.penalty
    if not isinstance(penalty, PiecewiseQuadratic):
        return np.empty(0, dtype=np.int64)
    return penalty.free(problem.p)


def _orthogonal_to(problem: CompositeProblem, free: NDArray[np.int64], g: Array) -> Array:
    """What of g is orthogonal to the free columns (and to the intercept's); zero where weights are."""
    seen = problem.sample_weights > 0
    columns = np.asarray(problem.design.columns(free), dtype=np.float64)
    if problem.intercept:
        columns = np.column_stack([columns, np.ones(problem.n)])
    q, _ = np.linalg.qr(columns[seen])
    once = g[seen] - q @ (q.T @ g[seen])
    found = np.zeros_like(g)
    found[seen] = once - q @ (q.T @ once)
    return found


def _centred(problem: CompositeProblem, g: Array) -> Array:
    """What of g is orthogonal to the intercept's column of ones.

    Samples of weight zero are left alone: their slopes are zero, and no others have a finite conjugate.
    """
    seen = problem.sample_weights > 0
    if seen.all():
        return np.asarray(g - g.mean(axis=0))
    found = np.zeros_like(g)
    found[seen] = g[seen] - g[seen].mean(axis=0)
    return found
