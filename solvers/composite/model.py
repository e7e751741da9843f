"""The model of a block, a quadratic with L1 term and bounds, minimised to rounding."""

from __future__ import annotations

import numpy as np

from ...problems.composite.penalties import PiecewiseQuadratic
from ...problems.composite.protocol import Array, MismatchError, Penalty

_MAX_ROUNDS = 60
_SWEEPS = 8
_EPS = float(np.finfo(np.float64).eps)


def minimize_model(H: Array, g: Array, x: Array, penalty: Penalty) -> Array:
    """Argmin over u of g'(u - x) + (u - x)'H(u - x) / 2 + penalty(u).

    Sweeps of coordinate descent find the signs; a solve for the coordinates that no kink holds, cut where the
    first of them changes its sign, ends it: finite, where H is positive definite there.

    Parameters
    ----------
    H : ndarray, shape (tau, tau)
        Positive semidefinite.
    g, x : ndarray, shape (tau,)
        Gradient at x, and x.
    penalty : PiecewiseQuadratic
        Of the block.

    Raises
    ------
    MismatchError
        A penalty of another kind.
    """
    if not isinstance(penalty, PiecewiseQuadratic):
        raise MismatchError(
            f"updates by a quadratic model with the penalty inside need a piecewise quadratic penalty, not "
            f"{type(penalty).__name__}; take update='gradient'"
        )
    from .block_kernels import model_sweeps

    l1, l2, linear, lower, upper = penalty.arrays(x.size)
    u = np.clip(x, lower, upper)
    r = g + linear + H @ (u - x)
    size = max(float(np.max(np.abs(g + linear), initial=0.0)), float(np.max(l1, initial=0.0)))
    H = np.ascontiguousarray(H)
    for _ in range(_MAX_ROUNDS):
        change = model_sweeps(H, r, u, l1, l2, lower, upper, _SWEEPS, 0.0)
        if change == 0.0:
            break
        if _solve_on_face(H, r, u, l1, l2, lower, upper):
            r = g + linear + H @ (u - x)
            if _residual(r, u, l1, l2, lower, upper) <= 64.0 * _EPS * size:
                break
    return u


def _solve_on_face(H: Array, r: Array, u: Array, l1: Array, l2: Array, lower: Array, upper: Array) -> bool:
    """Newton's step for the coordinates off the kinks, cut at the first kink; whether it went all the way."""
    free = np.flatnonzero(((u != 0) | (l1 == 0)) & (u > lower) & (u < upper))
    if free.size == 0:
        return True
    slope = r[free] + l1[free] * np.sign(u[free]) + l2[free] * u[free]
    try:
        d = -np.linalg.solve(H[np.ix_(free, free)] + np.diag(l2[free]), slope)
    except np.linalg.LinAlgError:
        return False
    if not np.isfinite(d).all() or slope @ d > 0:
        return False
    v = u[free]
    end = np.where(d > 0, upper[free], lower[free])
    kink = (l1[free] > 0) & (np.sign(d) != np.sign(v))
    end = np.where(kink, np.where(d > 0, np.minimum(end, 0.0), np.maximum(end, 0.0)), end)
    with np.errstate(divide="ignore", invalid="ignore"):
        room = np.where(d != 0, (end - v) / d, np.inf)
    t = min(1.0, float(room.min()))
    moved = v + t * d
    moved[room <= t] = end[room <= t]
    r += H[:, free] @ (moved - v)
    u[free] = moved
    return t == 1.0


def _residual(r: Array, u: Array, l1: Array, l2: Array, lower: Array, upper: Array) -> float:
    """How far the model is from stationary at u."""
    force = -(r + l2 * u)
    least = np.where(u <= lower, -np.inf, np.where(u > 0, l1, -l1))
    most = np.where(u >= upper, np.inf, np.where(u < 0, -l1, l1))
    return float(np.max(np.maximum(np.maximum(least - force, force - most), 0.0), initial=0.0))
