"""Hock-Schittkowski problems 26 to 50."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from ...registry import register
from .parts import book, linear_rows

if TYPE_CHECKING:
    from ...model import Model


@register(classification="OOR2-AY-3-1", optimum=0.0, source=book(26))
def hs26(model: Model) -> None:
    """A quartic valley on a quartic surface; the Hessian is singular at the minimiser."""
    x = model.variables(3, start=[-2.6, 2, 2])
    model.minimize(lambda a, b, c: (a - b) ** 2 + (b - c) ** 4, *x)
    model.subject_to(lambda a, b, c: (1 + b**2) * a + c**4 - 3, *x, lower=0, upper=0)


@register(classification="SQR2-AN-3-1", optimum=0.04, source=book(27))
def hs27(model: Model) -> None:
    """A badly scaled valley on a parabolic sheet."""
    x = model.variables(3, start=2)
    model.minimize(lambda a, b: 0.01 * (1 - a) ** 2 + (b - a**2) ** 2, x[0], x[1])
    model.subject_to(lambda a, c: a + c**2 + 1, x[0], x[2], lower=0, upper=0)


@register(classification="SLR2-AY-3-1", optimum=0.0, source=book(28))
def hs28(model: Model) -> None:
    """Least squares on a plane."""
    x = model.variables(3, start=[-4, 1, 1])
    model.minimize(lambda a, b: (a + b) ** 2, x[:-1], x[1:])
    linear_rows(model, [[1, 2, 3]], x, lower=0, upper=0, constant=1)


@register(classification="OQR2-AN-3-1", optimum=-16 * math.sqrt(2), source=book(29))
def hs29(model: Model) -> None:
    """The largest box in an ellipsoid."""
    x = model.variables(3, start=1)
    model.minimize(lambda a, b, c: -a * b * c, *x)
    model.subject_to(lambda a, b, c: 48 - a**2 - 2 * b**2 - 4 * c**2, *x, lower=0)


@register(classification="QQR2-AN-3-1", optimum=1.0, source=book(30))
def hs30(model: Model) -> None:
    """Smallest norm outside a cylinder."""
    x = model.variables(3, start=1, lower=[1, -10, -10], upper=10)
    model.minimize(lambda a: a**2, x)
    model.subject_to(lambda a, b: a**2 + b**2 - 1, x[0], x[1], lower=0)


@register(classification="QQR2-AN-3-1", optimum=6.0, source=book(31))
def hs31(model: Model) -> None:
    """Weighted norm above a hyperbola."""
    x = model.variables(3, start=1, lower=[-10, 1, -10], upper=[10, 10, 1])
    model.minimize(lambda a, b, c: 9 * a**2 + b**2 + 9 * c**2, *x)
    model.subject_to(lambda a, b: a * b - 1, x[0], x[1], lower=0)


@register(classification="SOR2-AY-3-2", optimum=1.0, source=book(32))
def hs32(model: Model) -> None:
    """Least squares on a simplex under a cubic."""
    x = model.variables(3, start=[0.1, 0.7, 0.2], lower=0)
    model.minimize(lambda a, b, c: (a + 3 * b + c) ** 2 + 4 * (a - b) ** 2, *x)
    model.subject_to(lambda a, b, c: 6 * b + 4 * c - a**3 - 3, *x, lower=0)
    linear_rows(model, [[-1, -1, -1]], x, lower=0, upper=0, constant=-1)


@register(classification="OQR2-AN-3-2", optimum=math.sqrt(2) - 6, source=book(33))
def hs33(model: Model) -> None:
    """A cubic over the inside of a cone outside a ball."""
    x = model.variables(3, start=[0, 0, 3], lower=0, upper=[np.inf, np.inf, 5])
    model.minimize(lambda a, c: (a - 1) * (a - 2) * (a - 3) + c, x[0], x[2])
    model.subject_to(lambda a, b, c: c**2 - b**2 - a**2, *x, lower=0)
    model.subject_to(lambda a, b, c: a**2 + b**2 + c**2 - 4, *x, lower=0)


@register(classification="LOR2-AN-3-2", optimum=-math.log(math.log(10)), source=book(34))
def hs34(model: Model) -> None:
    """A chain of exponentials."""
    x = model.variables(3, start=[0, 1.05, 2.9], lower=0, upper=[100, 100, 10])
    model.minimize_linear(-1, x[0])
    model.subject_to(lambda a, b: b - np.exp(a), x[:-1], x[1:], lower=0)


@register(classification="QLR2-AN-3-1", optimum=1 / 9, source=book(35))
def hs35(model: Model) -> None:
    """Beale's quadratic programme."""
    beale(model, lower=0, upper=np.inf)


def beale(model: Model, lower: ArrayLike, upper: ArrayLike) -> None:
    """HS35 with any bounds."""
    x = model.variables(3, start=0.5, lower=lower, upper=upper)
    model.minimize(
        lambda a, b, c: 9 - 8 * a - 6 * b - 4 * c + 2 * a**2 + 2 * b**2 + c**2 + 2 * a * (b + c), *x
    )
    linear_rows(model, [[-1, -1, -2]], x, lower=0, constant=-3)


@register(classification="OLR2-AN-3-1", optimum=-3300.0, source=book(36))
def hs36(model: Model) -> None:
    """The largest parcel of bounded girth and sides."""
    x = model.variables(3, start=10, lower=0, upper=[20, 11, 42])
    model.minimize(lambda a, b, c: -a * b * c, *x)
    linear_rows(model, [[-1, -2, -2]], x, lower=0, constant=-72)


@register(classification="OLR2-AN-3-2", optimum=-3456.0, source=book(37))
def hs37(model: Model) -> None:
    """The largest parcel of bounded girth (Box)."""
    x = model.variables(3, start=10, lower=0, upper=42)
    model.minimize(lambda a, b, c: -a * b * c, *x)
    linear_rows(model, [[-1, -2, -2], [1, 2, 2]], x, lower=0, constant=[-72, 0])


@register(classification="OBR2-AN-4-0", optimum=0.0, source=book(38))
def hs38(model: Model) -> None:
    """Colville's fourth function: two coupled Rosenbrock valleys."""
    x = model.variables(4, start=[-3, -1, -3, -1], lower=-10, upper=10)
    a, b = x[::2], x[1::2]
    model.minimize(lambda a, b, w: w * (b - a**2) ** 2 + (a - 1) ** 2, a, b, [100.0, 90.0])
    model.minimize(lambda b, d: 10.1 * ((b - 1) ** 2 + (d - 1) ** 2) + 19.8 * (b - 1) * (d - 1), *b)


@register(classification="LOR2-AN-4-2", optimum=-1.0, source=book(39))
def hs39(model: Model) -> None:
    """A linear function between a cubic and a parabola, each with a slack."""
    x = model.variables(4, start=2)
    model.minimize_linear(-1, x[0])
    model.subject_to(lambda a, b, c: b - a**3 - c**2, x[0], x[1], x[2], lower=0, upper=0)
    model.subject_to(lambda a, b, d: a**2 - b - d**2, x[0], x[1], x[3], lower=0, upper=0)


@register(classification="OOR2-AN-4-3", optimum=-0.25, source=book(40))
def hs40(model: Model) -> None:
    """A product under three polynomial equations."""
    x = model.variables(4, start=0.8)
    model.minimize(lambda a, b, c, d: -a * b * c * d, *x)
    model.subject_to(lambda a, b: a**3 + b**2 - 1, x[0], x[1], lower=0, upper=0)
    model.subject_to(lambda a, c, d: a**2 * d - c, x[0], x[2], x[3], lower=0, upper=0)
    model.subject_to(lambda b, d: d**2 - b, x[1], x[3], lower=0, upper=0)


@register(classification="OLR2-AN-4-1", optimum=52 / 27, source=book(41))
def hs41(model: Model) -> None:
    """A product in a box with a linear equation."""
    x = model.variables(4, start=2, lower=0, upper=[1, 1, 1, 2])
    model.minimize(lambda a, b, c: 2 - a * b * c, *x[:3])
    linear_rows(model, [[1, 2, 2, -1]], x, lower=0, upper=0)


@register(classification="SQR2-AN-4-2", optimum=28 - 10 * math.sqrt(2), source=book(42))
def hs42(model: Model) -> None:
    """The nearest point to (1, 2, 3, 4) on a circle in a plane."""
    x = model.variables(4, start=1)
    model.minimize(lambda a, p: (a - p) ** 2, x, np.arange(1, 5))
    linear_rows(model, [[1, 0, 0, 0]], x, lower=0, upper=0, constant=2)
    model.subject_to(lambda c, d: c**2 + d**2 - 2, x[2], x[3], lower=0, upper=0)


@register(classification="QQR2-AN-4-3", optimum=-44.0, source=book(43))
def hs43(model: Model) -> None:
    """Rosen and Suzuki's problem."""
    x = model.variables(4, start=0)
    squares = np.array([[1, 1, 2, 1], [-1, -1, -1, -1], [-1, -2, -1, -2], [-2, -1, -1, 0]])
    linear = [[-1, 1, -1, 1], [1, 0, 0, 1], [-2, 1, 0, 1]]
    model.minimize(lambda a: a**2, x, weight=squares[0])
    model.minimize_linear([-5, -5, -21, 7], x)
    rows = linear_rows(model, linear, x, lower=0, constant=[-8, -10, -5])
    rows[:, None].add(lambda a: a**2, x, weight=squares[1:])


@register(classification="QLR2-AN-4-6", optimum=-15.0, source=book(44))
def hs44(model: Model) -> None:
    """An indefinite quadratic programme with many vertices that are local minima."""
    bilinear_programme(model, start=0.0)


def bilinear_programme(model: Model, start: float) -> None:
    """HS44 from any start."""
    x = model.variables(4, start=start, lower=0)
    model.minimize(lambda a, b, c, d: a - b - c - a * c + a * d + b * c - b * d, *x)
    matrix = [[1, 2, 0, 0], [4, 1, 0, 0], [3, 4, 0, 0], [0, 0, 2, 1], [0, 0, 1, 2], [0, 0, 1, 1]]
    linear_rows(model, -np.array(matrix), x, lower=0, constant=[-8, -12, -12, -8, -8, -5])


@register(classification="OBR2-AN-5-0", optimum=1.0, source=book(45))
def hs45(model: Model) -> None:
    """A product whose minimiser is a vertex of the box."""
    x = model.variables(5, start=2, lower=0, upper=np.arange(1, 6))
    model.minimize(lambda a, b, c, d, e: 2 - a * b * c * d * e / 120, *x)


@register(classification="OOR2-AY-5-2", optimum=0.0, source=book(46))
def hs46(model: Model) -> None:
    """Powers up to six: the Hessian is singular at the minimiser."""
    x = model.variables(5, start=[np.sqrt(2) / 2, 1.75, 0.5, 2, 2])
    model.minimize(lambda a, b, c, d, e: (a - b) ** 2 + (c - 1) ** 2 + (d - 1) ** 4 + (e - 1) ** 6, *x)
    model.subject_to(lambda a, d, e: a**2 * d + np.sin(d - e) - 1, x[0], x[3], x[4], lower=0, upper=0)
    model.subject_to(lambda b, c, d: b + c**4 * d**2 - 2, *x[1:4], lower=0, upper=0)


@register(classification="OOR2-AY-5-3", optimum=-0.026714182693941, source=book(47))
def hs47(model: Model) -> None:
    """Powers of successive differences; (x2 - x3)^3 makes the book's minimum a local one."""
    x = model.variables(5, start=[2, np.sqrt(2), -1, 2 - np.sqrt(2), 0.5])
    model.minimize(lambda a, b, c, d, e: (a - b) ** 2 + (b - c) ** 3 + (c - d) ** 4 + (d - e) ** 4, *x)
    model.subject_to(lambda a, b, c: a + b**2 + c**3 - 3, *x[:3], lower=0, upper=0)
    model.subject_to(lambda b, c, d: b - c**2 + d - 1, *x[1:4], lower=0, upper=0)
    model.subject_to(lambda a, e: a * e - 1, x[0], x[4], lower=0, upper=0)


@register(classification="SLR2-AY-5-2", optimum=0.0, source=book(48))
def hs48(model: Model) -> None:
    """Linear least squares with two equations."""
    x = model.variables(5, start=[3, 5, -3, 2, -2])
    model.minimize(lambda a: (a - 1) ** 2, x[0])
    model.minimize(lambda a, b: (a - b) ** 2, x[1::2], x[2::2])
    linear_rows(model, [[1, 1, 1, 1, 1], [0, 0, 1, -2, -2]], x, lower=0, upper=0, constant=[5, -3])


@register(classification="OLR2-AY-5-2", optimum=0.0, source=book(49))
def hs49(model: Model) -> None:
    """Powers up to six under linear equations."""
    x = model.variables(5, start=[10, 7, 2, -3, 0.8])
    model.minimize(lambda a, b, c, d, e: (a - b) ** 2 + (c - 1) ** 2 + (d - 1) ** 4 + (e - 1) ** 6, *x)
    linear_rows(model, [[1, 1, 1, 4, 0], [0, 0, 1, 0, 5]], x, lower=0, upper=0, constant=[7, 6])


@register(classification="OLR2-AY-5-3", optimum=0.0, source=book(50))
def hs50(model: Model) -> None:
    """Powers of successive differences under banded linear equations."""
    x = model.variables(5, start=[35, -31, 11, 5, -5])
    model.minimize(lambda a, b, c, d, e: (a - b) ** 2 + (b - c) ** 2 + (c - d) ** 4 + (d - e) ** 2, *x)
    matrix = [[1, 2, 3, 0, 0], [0, 1, 2, 3, 0], [0, 0, 1, 2, 3]]
    linear_rows(model, matrix, x, lower=0, upper=0, constant=6)
