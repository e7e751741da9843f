"""Hock-Schittkowski problems 1 to 25."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from ...registry import register
from .parts import book, linear_rows

if TYPE_CHECKING:
    from ...model import Model


@register(classification="SBR2-AN-2-0", optimum=0.0, source=book(1))
def hs1(model: Model) -> None:
    """Rosenbrock's valley with an inactive bound."""
    x = model.variables(2, start=[-2, 1], lower=[-np.inf, -1.5])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, *x)


@register(classification="SBR2-AN-2-0", optimum=0.05042618789360708, source=book(2))
def hs2(model: Model) -> None:
    """Rosenbrock's valley with an active bound and a second local minimum."""
    x = model.variables(2, start=[-2, 1], lower=[-np.inf, 1.5])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, *x)


@register(classification="QBR2-AN-2-0", optimum=0.0, source=book(3))
def hs3(model: Model) -> None:
    """A nearly flat quadratic with a bound."""
    x = model.variables(2, start=[10, 1], lower=[-np.inf, 0])
    model.minimize(lambda a, b: b + 1e-5 * (b - a) ** 2, *x)


@register(classification="OBR2-AN-2-0", optimum=8 / 3, source=book(4))
def hs4(model: Model) -> None:
    """A cubic whose minimiser lies in a corner of the bounds."""
    x = model.variables(2, start=[1.125, 0.125], lower=[1, 0])
    model.minimize(lambda a, b: (a + 1) ** 3 / 3 + b, *x)


@register(classification="OBR2-AN-2-0", optimum=-math.sqrt(3) / 2 - math.pi / 3, source=book(5))
def hs5(model: Model) -> None:
    """McCormick's function in a box."""
    x = model.variables(2, start=0, lower=[-1.5, -3], upper=[4, 3])
    model.minimize(lambda a, b: np.sin(a + b) + (a - b) ** 2 - 1.5 * a + 2.5 * b + 1, *x)


@register(classification="QQR2-AN-2-1", optimum=0.0, source=book(6))
def hs6(model: Model) -> None:
    """Rosenbrock's valley as an equality constraint."""
    x = model.variables(2, start=[-1.2, 1])
    model.minimize(lambda a: (1 - a) ** 2, x[0])
    model.subject_to(lambda a, b: 10 * (b - a**2), *x, lower=0, upper=0)


@register(classification="OOR2-AN-2-1", optimum=-math.sqrt(3), source=book(7))
def hs7(model: Model) -> None:
    """A logarithm on a quartic curve."""
    x = model.variables(2, start=2)
    model.minimize(lambda a, b: np.log(1 + a**2) - b, *x)
    model.subject_to(lambda a, b: (1 + a**2) ** 2 + b**2 - 4, *x, lower=0, upper=0)


@register(classification="CQR2-AN-2-2", optimum=-1.0, source=book(8))
def hs8(model: Model) -> None:
    """Where a circle meets a hyperbola; the objective is constant."""
    x = model.variables(2, start=[2, 1])
    model.minimize_constant(-1)
    model.subject_to(lambda a, b: a**2 + b**2 - 25, *x, lower=0, upper=0)
    model.subject_to(lambda a, b: a * b - 9, *x, lower=0, upper=0)


@register(classification="OLR2-AN-2-1", optimum=-0.5, source=book(9))
def hs9(model: Model) -> None:
    """A product of waves along a line, with infinitely many minimisers."""
    x = model.variables(2, start=0)
    model.minimize(lambda a, b: np.sin(np.pi / 12 * a) * np.cos(np.pi / 16 * b), *x)
    linear_rows(model, [[4, -3]], x, lower=0, upper=0)


@register(classification="LQR2-AN-2-1", optimum=-1.0, source=book(10))
def hs10(model: Model) -> None:
    """A linear function over an ellipse."""
    x = model.variables(2, start=[-10, 10])
    model.minimize_linear([1, -1], x)
    model.subject_to(lambda a, b: -3 * a**2 + 2 * a * b - b**2 + 1, *x, lower=0)


@register(classification="SQR2-AN-2-1", optimum=-8.498464223154677, source=book(11))
def hs11(model: Model) -> None:
    """The point of a parabola's inside that is nearest to (5, 0)."""
    x = model.variables(2, start=[4.9, 0.1])
    model.minimize(lambda a, b: (a - 5) ** 2 + b**2 - 25, *x)
    model.subject_to(lambda a, b: b - a**2, *x, lower=0)


@register(classification="QQR2-AN-2-1", optimum=-30.0, source=book(12))
def hs12(model: Model) -> None:
    """A quadratic over an ellipse."""
    x = model.variables(2, start=0)
    model.minimize(lambda a, b: 0.5 * a**2 + b**2 - a * b - 7 * (a + b), *x)
    model.subject_to(lambda a, b: 25 - 4 * a**2 - b**2, *x, lower=0)


@register(classification="QOR2-AN-2-1", optimum=1.0, source=book(13))
def hs13(model: Model) -> None:
    """A cusp: no constraint qualification and no multipliers at the minimiser (1, 0)."""
    x = model.variables(2, start=-2, lower=0)
    model.minimize(lambda a, b: (a - 2) ** 2 + b**2, *x)
    model.subject_to(lambda a, b: (1 - a) ** 3 - b, *x, lower=0)


@register(classification="SQR2-AN-2-2", optimum=9 - 23 * math.sqrt(7) / 8, source=book(14))
def hs14(model: Model) -> None:
    """Nearest point on a chord of an ellipse."""
    x = model.variables(2, start=2)
    model.minimize(lambda a, b: (a - 2) ** 2 + (b - 1) ** 2, *x)
    model.subject_to(lambda a, b: 1 - a**2 / 4 - b**2, *x, lower=0)
    linear_rows(model, [[1, -2]], x, lower=0, upper=0, constant=-1)


@register(classification="SQR2-AN-2-2", optimum=306.5, source=book(15))
def hs15(model: Model) -> None:
    """Rosenbrock's valley cut off by a hyperbola and a parabola."""
    x = model.variables(2, start=[-2, 1], upper=[0.5, np.inf])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, *x)
    model.subject_to(lambda a, b: a * b - 1, *x, lower=0)
    model.subject_to(lambda a, b: a + b**2, *x, lower=0)


@register(classification="SQR2-AN-2-2", optimum=0.25, source=book(16))
def hs16(model: Model) -> None:
    """Rosenbrock's valley outside two parabolas."""
    x = model.variables(2, start=[-2, 1], lower=[-0.5, -np.inf], upper=[0.5, 1])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, *x)
    model.subject_to(lambda a, b: a + b**2, x, x[::-1], lower=0)


@register(classification="SQR2-AN-2-2", optimum=1.0, source=book(17))
def hs17(model: Model) -> None:
    """Rosenbrock's valley between two parabolas."""
    x = model.variables(2, start=[-2, 1], lower=[-0.5, -np.inf], upper=[0.5, 1])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, *x)
    model.subject_to(lambda a, b: b**2 - a, x, x[::-1], lower=0)


@register(classification="SQR2-AN-2-2", optimum=5.0, source=book(18))
def hs18(model: Model) -> None:
    """A flat quadratic above a hyperbola and outside a circle."""
    x = model.variables(2, start=2, lower=[2, 0], upper=50)
    model.minimize(lambda a, b: 0.01 * a**2 + b**2, *x)
    model.subject_to(lambda a, b: a * b - 25, *x, lower=0)
    model.subject_to(lambda a, b: a**2 + b**2 - 25, *x, lower=0)


@register(classification="OQR2-AN-2-2", optimum=-6961.81387558014, source=book(19))
def hs19(model: Model) -> None:
    """Two cubics in the thin gap between two circles."""
    x = model.variables(2, start=[20.1, 5.84], lower=[13, 0], upper=100)
    model.minimize(lambda a, p: (a - p) ** 3, x, [10.0, 20.0])
    model.subject_to(lambda a, b: (a - 5) ** 2 + (b - 5) ** 2 - 100, *x, lower=0)
    model.subject_to(lambda a, b: 82.81 - (b - 5) ** 2 - (a - 6) ** 2, *x, lower=0)


@register(classification="SQR2-AN-2-3", optimum=81.5 - 25 * math.sqrt(3), source=book(20))
def hs20(model: Model) -> None:
    """Rosenbrock's valley outside two parabolas and a circle."""
    x = model.variables(2, start=[-2, 1], lower=[-0.5, -np.inf], upper=[0.5, np.inf])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, *x)
    model.subject_to(lambda a, b: a + b**2, x, x[::-1], lower=0)
    model.subject_to(lambda a, b: a**2 + b**2 - 1, *x, lower=0)


@register(classification="QLR2-AN-2-1", optimum=-99.96, source=book(21))
def hs21(model: Model) -> None:
    """A quadratic with one linear constraint, from an infeasible start."""
    x = model.variables(2, start=-1, lower=[2, -50], upper=50)
    model.minimize(lambda a, b: 0.01 * a**2 + b**2 - 100, *x)
    linear_rows(model, [[10, -1]], x, lower=0, constant=10)


@register(classification="QQR2-AN-2-2", optimum=1.0, source=book(22))
def hs22(model: Model) -> None:
    """Nearest point in a segment of a parabola."""
    x = model.variables(2, start=2)
    model.minimize(lambda a, b: (a - 2) ** 2 + (b - 1) ** 2, *x)
    linear_rows(model, [[-1, -1]], x, lower=0, constant=-2)
    model.subject_to(lambda a, b: b - a**2, *x, lower=0)


@register(classification="QQR2-AN-2-5", optimum=2.0, source=book(23))
def hs23(model: Model) -> None:
    """Smallest norm under five constraints."""
    x = model.variables(2, start=[3, 1], lower=-50, upper=50)
    model.minimize(lambda a: a**2, x)
    linear_rows(model, [[1, 1]], x, lower=0, constant=1)
    model.subject_to(lambda a, b, w: w * a**2 + b**2 - w, *x, [1.0, 9.0], lower=0)
    model.subject_to(lambda a, b: a**2 - b, x, x[::-1], lower=0)


@register(classification="OLR2-AN-2-3", optimum=-1.0, source=book(24))
def hs24(model: Model) -> None:
    """A quintic over a triangle."""
    x = model.variables(2, start=[1, 0.5], lower=0)
    model.minimize(lambda a, b: ((a - 3) ** 2 - 9) * b**3 / (27 * np.sqrt(3)), *x)
    root = np.sqrt(3)
    linear_rows(model, [[1 / root, -1], [1, root], [-1, -root]], x, lower=0, constant=[0, 0, -6])


@register(classification="SBR2-AN-3-0", optimum=0.0, source=book(25))
def hs25(model: Model) -> None:
    """Weibull's distribution fitted to 99 quantiles; the start is nearly stationary."""
    x = model.variables(3, start=[100, 12.5, 3], lower=[0.1, 0, 0], upper=[100, 25.6, 5])
    t = np.arange(1, 100) / 100
    u = 25 + (-50 * np.log(t)) ** (2 / 3)
    model.minimize(lambda a, b, c, u, t: (np.exp(-((u - b) ** c) / a) - t) ** 2, *x, u, t)
