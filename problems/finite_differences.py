"""Jacobians by finite differences that never leave the bounds, and by the complex step.

Steps are the textbook's (J. Nocedal, S. J. Wright, Numerical Optimization, 2nd ed. 2006, section 8.1); the
complex step is due to W. Squire, G. Trapp, SIAM Review 40 (1998).
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .colouring import Pattern
from .nlp import Vector

Scheme = Literal["2-point", "3-point", "cs"]
SCHEMES: tuple[Scheme, ...] = ("2-point", "3-point", "cs")
VectorFunction = Callable[[Vector], Vector]
ComplexFunction = Callable[[NDArray[np.complex128]], NDArray[Any]]
# Values of a function at several points, in their order: one after another, or in parallel.
ValuesAt = Callable[[Iterable[NDArray[Any]]], Iterable[NDArray[Any]]]

_EPS = float(np.finfo(np.float64).eps)
# Rounding f / h and truncation h (one-sided) or h^2 (central) balance at these powers.
_RELATIVE = {"2-point": _EPS ** (1 / 2), "3-point": _EPS ** (1 / 3)}
# The complex step subtracts nothing, so it may be so small that its own truncation vanishes.
_COMPLEX_STEP = 1e-30


def offsets(
    x: Vector, lb: Vector, ub: Vector, scheme: Scheme = "2-point", relative_step: ArrayLike | None = None
) -> Vector:
    """Where to evaluate: perturbations of each variable that stay within the bounds.

    Parameters
    ----------
    x : ndarray, shape (n,)
        Base point. A component beyond its bound is treated as if the bound were there.
    lb, ub : ndarray, shape (n,)
        Bounds.
    scheme : {"2-point", "3-point"}, default "2-point"
        One perturbation per variable, or two.
    relative_step : array_like, optional
        Step divided by max(1, abs(x)); default the square or cube root of the rounding unit. Its sign is the
        direction tried first.

    Returns
    -------
    ndarray, shape (1, n) or (2, n)
        ``x + offset`` lies within the bounds in floating point and differs from x, or the offset is 0: a
        variable that cannot move. "3-point": central where there is room, else both on the roomier side.
    """
    step = np.broadcast_to(_RELATIVE[scheme] if relative_step is None else relative_step, x.shape)
    h = np.abs(step) * np.maximum(1.0, np.abs(x))
    below, above = x - np.minimum(lb, x), np.maximum(ub, x) - x
    sign = np.where((x < 0) if relative_step is None else (step < 0), -1.0, 1.0)
    room_ahead = np.where(sign > 0, above, below)
    room_behind = np.where(sign > 0, below, above)
    turned = np.where((room_ahead < h) & (room_behind > room_ahead), -sign, sign)
    widest = np.maximum(below, above)
    if scheme == "2-point":
        return _representable(x, lb, ub, (turned * np.minimum(h, widest))[None, :])
    central = (below >= h) & (above >= h)
    towards = np.where(above >= below, 1.0, -1.0)
    first = np.where(central, h, towards * np.minimum(h, 0.5 * widest))
    second = np.where(central, -h, 2.0 * first)
    return _representable(x, lb, ub, np.stack([first, second]))


def _representable(x: Vector, lb: Vector, ub: Vector, offset: Vector) -> Vector:
    """Offsets that survive rounding: ``x + offset`` is the point meant, and within the bounds."""
    low, high = np.minimum(lb, x), np.maximum(ub, x)
    result = np.clip(x + offset, low, high) - x
    for _ in range(2):  # x + (bound - x) may round to a point beyond the bound
        outside = (x + result < low) | (x + result > high)
        result = np.where(outside, result * (1.0 - 4.0 * _EPS), result)
    outside = (x + result < low) | (x + result > high)
    return np.where(outside, 0.0, result)


def jacobian_by_differences(
    values_at: ValuesAt, x: Vector, base: Vector, offset: Vector, pattern: Pattern
) -> Vector:
    """Values of the Jacobian of a function in a pattern.

    Parameters
    ----------
    values_at : callable
        Takes an iterable of points and returns the function's values there, each of shape (m,), in the same
        order: ``lambda points: map(fun, points)``, or some parallel map.
    x : ndarray, shape (n,)
        Base point.
    base : ndarray, shape (m,)
        The function at x.
    offset : ndarray, shape (1, n) or (2, n)
        From `offsets`. Where it is zero the derivative is taken as zero: the variable is fixed.
    pattern : Pattern, shape (m, n)
        Where the Jacobian may be nonzero; columns that share no row are perturbed together.

    Returns
    -------
    ndarray, shape (nnz,)

    Notes
    -----
    If one of two perturbed values is not finite (x lies on the edge of the domain), the other alone is used.
    """
    rows, groups = pattern.rows, pattern.group_of_entry
    slopes = []
    for step in offset:
        table = np.tile(base, (len(pattern.groups), 1))
        moving = [k for k, columns in enumerate(pattern.groups) if np.any(step[columns])]
        points = (_moved(x, columns, step[columns]) for columns in (pattern.groups[k] for k in moving))
        for k, value in zip(moving, values_at(points), strict=True):
            table[k] = value
        slopes.append(_quotient(table[groups, rows] - base[rows], step[pattern.columns]))
    return _combine(slopes, offset[:, pattern.columns])


def _moved(x: NDArray[Any], columns: Any, along: Any) -> NDArray[Any]:
    moved = x.copy()
    moved[columns] += along
    return moved


def _quotient(difference: Vector, step: Vector) -> Vector:
    return np.divide(difference, step, out=np.zeros_like(difference), where=step != 0.0)


def _combine(slopes: list[Vector], steps: Vector) -> Vector:
    """Slope at zero of the parabola through two secants, or the one secant that there is."""
    if len(slopes) == 1:
        return slopes[0]
    (first, second), (a, b) = slopes, steps
    usable = np.isfinite(first) & (a != 0.0), np.isfinite(second) & (b != 0.0)
    parabola = _quotient(first * b - second * a, b - a)
    return np.where(usable[0] & usable[1], parabola, np.where(usable[0], first, second))


def jacobian_by_complex_step(values_at: ValuesAt, x: Vector, pattern: Pattern) -> Vector:
    """Values of the Jacobian of an analytic function in a pattern, to rounding; the real part of x stays.

    Parameters
    ----------
    values_at : callable
        Takes an iterable of complex points and returns the function's values there, each of shape (m,).
    x : ndarray, shape (n,)
        Point.
    pattern : Pattern, shape (m, n)
        Where the Jacobian may be nonzero; columns that share no row are perturbed together.

    Returns
    -------
    ndarray, shape (nnz,)
    """
    table = np.empty((len(pattern.groups), pattern.shape[0]))
    z = x.astype(np.complex128)
    points = (_moved(z, columns, 1j * _COMPLEX_STEP) for columns in pattern.groups)
    for k, value in zip(range(len(table)), values_at(points), strict=True):
        table[k] = np.imag(value)
    return np.asarray(table[pattern.group_of_entry, pattern.rows] / _COMPLEX_STEP)


def complex_slope(fun: ComplexFunction, x: Vector) -> VectorFunction:
    """Derivative of `fun` at x along a direction, by the complex step."""
    return lambda along: np.asarray(np.imag(fun(x + 1j * _COMPLEX_STEP * along)) / _COMPLEX_STEP)


def contradicts_differences(
    fun: VectorFunction, slope: VectorFunction, x: Vector, base: Vector, lb: Vector, ub: Vector
) -> bool:
    """Whether derivatives disagree with differences along one direction.

    Functions that lose imaginary parts (abs, moduli, casts to real) give wrong complex steps without any
    error, and code that hides an operation from an automatic differentiation wrong derivatives; one slope and
    two values find them out. The direction moves every variable that can move and stays within the bounds.

    Parameters
    ----------
    fun : callable
        The function, values of shape (m,).
    slope : callable
        What is claimed to be its derivative at x along a direction: shape (n,) to shape (m,).
    x : ndarray, shape (n,)
        Point.
    base : ndarray, shape (m,)
        ``fun(x)``.
    lb, ub : ndarray, shape (n,)
        Bounds.

    Returns
    -------
    bool
        False also where the values are not finite, and nothing can be said.
    """
    step = offsets(x, lb, ub, "3-point")[0] * (0.5 + 0.5 * ((0.618034 * np.arange(1, x.size + 1)) % 1.0))
    claimed = slope(step)
    whole = fun(x + step) - base
    half = 2.0 * (fun(x + 0.5 * step) - base)
    known = np.isfinite(whole) & np.isfinite(half)
    size = np.maximum(np.abs(whole), np.abs(half))
    margin = np.abs(whole - half) + 1e-6 * size + 1e3 * _EPS * np.maximum(1.0, np.abs(base))
    agrees = np.abs(claimed - (2.0 * half - whole)) <= margin
    return bool((known & ~agrees).any())
