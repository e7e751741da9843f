"""Descent over a convex set by projected L-BFGS: the inner and outer loops of the penalty methods."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...problems.nlp import Vector
from .outer_step import ARMIJO, OuterStep, shrinkage

MAX_BACKTRACKS = 30

MAX_STUCK = 3
"""Searches in a row without a step, each from a shorter one, after which the descent ends."""

MAX_IDLE = 10
"""Steps that do not halve the residual, and lower the value by no more than rounding: no more can be had."""

HARDLY = 0.9
"""Of a slope: what is left of it after a step that is too short."""

LENGTHENED = 10.0
"""Factor of a step that is too short."""

_ROUNDING = 16 * float(np.finfo(float).eps)

_LOUD = 30.0
"""Changes of the gradient below so many times its noise tell nothing of the curvature."""

Function = Callable[[Vector], tuple[float, Vector]]


@dataclass(frozen=True, eq=False)
class Descent:
    """Where a descent ended.

    Attributes
    ----------
    v, value, gradient : ndarray, float, ndarray
    residual : float
        Largest entry of v - P(v - gradient).
    done : bool
        Whether the residual is within the target, or rounding allows no further step.
    """

    v: Vector
    value: float
    gradient: Vector
    residual: float
    done: bool


def descend(
    fun: Function,
    model: OuterStep,
    v: Vector,
    target: float,
    max_iterations: int,
    uncertainty: Callable[[], float] | None = None,
    noise: float = 0.0,
) -> Descent:
    """Lower a smooth function over the set of `model`.

    Parameters
    ----------
    fun : callable
        ``fun(v)``: value and gradient.
    model : OuterStep
        The set and the L-BFGS pairs, which are kept for the next call.
    v : ndarray
        Start, in the set.
    target : float
        Residual to reach.
    max_iterations : int
        Most steps.
    uncertainty : callable, optional
        ``uncertainty()``: absolute error of the last value, where that is more than rounding of its size.
    noise : float, default 0
        Absolute error of gradients.

    Returns
    -------
    Descent
    """
    value, gradient = fun(v)
    value_then = value
    stuck = idle = 0
    least = np.inf
    for _ in range(max_iterations):
        residual = float(abs(model.residual(v, gradient)).max())
        if residual <= target or not np.isfinite(residual):
            return Descent(v, value, gradient, residual, residual <= target)
        unsure = max(0.0 if uncertainty is None else uncertainty(), _ROUNDING * abs(value))
        idle += 1
        if residual < 0.5 * least or value < value_then - unsure:
            idle, value_then = 0, value
        least = min(least, residual)
        if idle > MAX_IDLE:
            return Descent(v, value, gradient, residual, True)
        found = _search(fun, model, v, value, gradient, unsure)
        if found is None:
            stuck += 1
            if stuck >= MAX_STUCK:
                return Descent(v, value, gradient, residual, True)
            model.shorten(1e-3**stuck * max(1.0, float(abs(v).max())))
            continue
        stuck = 0
        v_next, value, gradient_next = found
        if float(abs(gradient_next - gradient).max()) > _LOUD * noise:
            model.learn(v_next - v, gradient_next - gradient)
        v, gradient = v_next, gradient_next
    residual = float(abs(model.residual(v, gradient)).max())
    return Descent(v, value, gradient, residual, residual <= target)


def _search(
    fun: Function, model: OuterStep, v: Vector, value: float, gradient: Vector, unsure: float
) -> tuple[Vector, float, Vector] | None:
    """The first of t = 1, 1/2, ... that lowers the value enough, or, below its rounding, the slope.

    Below the rounding of values steps that hardly change the slope are lengthened: they teach nothing.
    """
    d = model.direction(v, gradient)
    downhill = model.along(gradient)
    t, short = 1.0, None
    for _ in range(MAX_BACKTRACKS):
        v_next = model.X.project(v + t * d)
        slope = float(downhill @ (v_next - v))
        if not slope < 0.0 or (short is not None and (v_next == short[0]).all()):
            return short
        value_next, gradient_next = fun(v_next)
        rise = value_next - value
        good = np.isfinite(rise) and bool(np.isfinite(gradient_next).all())
        blind = good and abs(rise) <= unsure
        slope_next = float(model.along(gradient_next) @ (v_next - v)) if blind else np.nan
        if good and (rise <= ARMIJO * slope or slope_next <= (1.0 - 2.0 * ARMIJO) * -slope):
            if not slope_next < HARDLY * slope:
                return v_next, value_next, gradient_next
            short = v_next, value_next, gradient_next
            t *= LENGTHENED
        elif short is not None:
            return short
        else:
            t *= shrinkage(rise, slope)
    return short
