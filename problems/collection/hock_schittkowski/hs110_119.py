"""Hock-Schittkowski problems 110 to 119 without 115."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...registry import register
from .hs076_100 import COLVILLE_A, COLVILLE_B, COLVILLE_C, COLVILLE_D, COLVILLE_E
from .parts import book, linear_rows, minimize_quadratic

if TYPE_CHECKING:
    from ...model import Model


@register(classification="OBR2-AN-10-0", optimum=-45.7784697074462, source=book(110))
def hs110(model: Model) -> None:
    """Squared logarithms less a root of the product."""
    x = model.variables(10, start=9, lower=2.001, upper=9.999)
    model.minimize(lambda a: np.log(a - 2) ** 2 + np.log(10 - a) ** 2, x)
    product = model.groups((), lambda s: -np.exp(0.2 * s))
    product.add(lambda a: np.log(a), x)


EQUILIBRIUM_COST = np.array(
    [-6.089, -17.164, -34.054, -5.914, -24.721, -14.986, -24.1, -10.708, -26.662, -22.179]
)
EQUILIBRIUM_MATRIX = np.array(
    [[1.0, 2, 2, 0, 0, 1, 0, 0, 0, 1], [0, 0, 0, 1, 2, 1, 1, 0, 0, 0], [0, 0, 1, 0, 0, 0, 1, 1, 2, 1]]
)


@register(classification="OOR2-AN-10-3", optimum=-47.7610908593659, source=book(111))
def hs111(model: Model) -> None:
    """Chemical equilibrium in the logarithms of the amounts."""
    x = model.variables(10, start=-2.3, lower=-100, upper=100)
    model.minimize(lambda a, c: np.exp(a) * (c + a), x, EQUILIBRIUM_COST)
    total = model.groups((), lambda s: -s * np.log(s))
    total.add(lambda a: np.exp(a), x)
    rows = model.constraints(3, lower=0, upper=0, constant=[2, 1, 1])
    i, j = np.nonzero(EQUILIBRIUM_MATRIX)
    rows[i].add(lambda a: np.exp(a), x[j], weight=EQUILIBRIUM_MATRIX[i, j])


@register(classification="OLR2-MY-10-3", optimum=-47.7610908593659, source=book(112))
def hs112(model: Model) -> None:
    """Chemical equilibrium in the amounts."""
    x = model.variables(10, start=0.1, lower=1e-6)
    model.minimize(lambda a, c: a * (c + np.log(a)), x, EQUILIBRIUM_COST)
    total = model.groups((), lambda s: -s * np.log(s))
    total.add_linear(1, x)
    linear_rows(model, EQUILIBRIUM_MATRIX, x, lower=0, upper=0, constant=[2, 1, 1])


@register(classification="QQR2-AN-10-8", optimum=24.3062090681806, source=book(113))
def hs113(model: Model) -> None:
    """Wong's second problem: a convex quadratic under three linear and five quadratic constraints."""
    x = model.variables(10, start=[2, 3, 5, 5, 1, 2, 7, 3, 6, 10])
    weights, centres = np.array([[1, 4, 1, 2, 5, 7, 2, 1], [10, 5, 3, 1, 0, 11, 10, 7]], dtype=float)
    model.minimize(lambda a, b: a**2 + b**2 + a * b - 14 * a - 16 * b + 45, *x[:2])
    model.minimize(lambda a, w, p: w * (a - p) ** 2, x[2:], weights, centres)
    matrix = [[-4, -5, 3, -9, 0, 0], [-10, 8, 17, -2, 0, 0], [8, -2, 0, 0, -5, 2]]
    linear_rows(model, matrix, x[[0, 1, 6, 7, 8, 9]], lower=0, constant=[-105, 0, -12])
    a, b, c, d, e, f = x[:6]
    model.subject_to(
        lambda a, b, c, d: 120 - 3 * (a - 2) ** 2 - 4 * (b - 3) ** 2 - 2 * c**2 + 7 * d, a, b, c, d, lower=0
    )
    model.subject_to(lambda a, b, c, d: 40 - 5 * a**2 - 8 * b - (c - 6) ** 2 + 2 * d, a, b, c, d, lower=0)
    model.subject_to(
        lambda a, b, e, f: 30 - 0.5 * (a - 8) ** 2 - 2 * (b - 4) ** 2 - 3 * e**2 + f, a, b, e, f, lower=0
    )
    model.subject_to(
        lambda a, b, e, f: 2 * a * b - a**2 - 2 * (b - 2) ** 2 - 14 * e + 6 * f, a, b, e, f, lower=0
    )
    model.subject_to(lambda a, b, i, j: 3 * a - 6 * b - 12 * (i - 8) ** 2 + 7 * j, a, b, x[8], x[9], lower=0)


@register(classification="QOR2-MY-10-11", optimum=-1768.80696371624, source=book(114))
def hs114(model: Model) -> None:
    """Alkylation process."""
    x = model.variables(
        10,
        start=[1745, 12000, 110, 3048, 1974, 89.2, 92.8, 8, 3.6, 145],
        lower=[*[1e-5] * 5, 85, 90, 3, 1.2, 145],
        upper=[2000, 16000, 120, 5000, 2000, 93, 95, 12, 4, 162],
    )
    a, b, c, d, e, f, g, h, i, j = x
    model.minimize_linear([5.04, 0.035, 10, 3.36], x[[0, 1, 2, 4]])
    model.minimize(lambda d, g: -0.063 * d * g, d, g)
    model.subject_to(lambda i, j: 35.82 - 0.222 * j - 0.9 * i, i, j, lower=0)
    model.subject_to(lambda g, j: 3 * g - 0.99 * j - 133, g, j, lower=0)
    model.subject_to(lambda i, j: 0.222 * j + i / 0.9 - 35.82, i, j, lower=0)
    model.subject_to(lambda g, j: 133 - 3 * g + j / 0.99, g, j, lower=0)

    def alkylate(a: Any, h: Any) -> Any:
        return a * (1.12 + 0.13167 * h - 0.00667 * h**2)

    def octane(f: Any, h: Any) -> Any:
        return 57.425 + 1.098 * h - 0.038 * h**2 + 0.325 * f

    model.subject_to(lambda a, h, d: alkylate(a, h) - 0.99 * d, a, h, d, lower=0)
    model.subject_to(lambda f, h, g: octane(f, h) - 0.99 * g, f, h, g, lower=0)
    model.subject_to(lambda a, h, d: d / 0.99 - alkylate(a, h), a, h, d, lower=0)
    model.subject_to(lambda f, h, g: g / 0.99 - octane(f, h), f, h, g, lower=0)
    model.subject_to(lambda a, d, e: 1.22 * d - a - e, a, d, e, lower=0, upper=0)
    model.subject_to(lambda c, d, f, i: 98000 * c / (d * i + 1000 * c) - f, c, d, f, i, lower=0, upper=0)
    model.subject_to(lambda a, b, e, h: (b + e) / a - h, a, b, e, h, lower=0, upper=0)


@register(classification="LQR2-MN-13-14", optimum=97.587509558072, source=book(116))
def hs116(model: Model) -> None:
    """Three-stage membrane separation."""
    x = model.variables(
        13,
        start=[0.5, 0.8, 0.9, 0.1, 0.14, 0.5, 489, 80, 650, 450, 150, 150, 150],
        lower=[0.1, 0.1, 0.1, 1e-4, 0.1, 0.1, 0.1, 0.1, 500, 0.1, 1, 1e-4, 1e-4],
        upper=[1, 1, 1, 0.1, 0.9, 0.9, 1000, 1000, 1000, 500, 150, 150, 150],
    )
    model.minimize_linear(1, x[10:])
    constant = np.zeros(14)
    constant[[2, 3, 8, 10]] = [-1, 50, -1, 0.9]
    rows = model.constraints(14, lower=0, upper=[*[np.inf] * 3, 200, *[np.inf] * 10], constant=constant)
    # Row (from 1), variable (from 1), coefficient.
    linear = [[1, 3, 1], [1, 2, -1], [2, 2, 1], [2, 1, -1], [3, 7, -0.002], [3, 8, 0.002]]
    linear += [[4, 11, 1], [4, 12, 1], [4, 13, 1], [5, 13, 1], [5, 10, -1.262626]]
    linear += [[6, 5, 1], [6, 2, -0.03475], [7, 6, 1], [7, 3, -0.03475], [9, 5, -1], [9, 6, -1]]
    linear += [[10, 2, -500], [10, 6, 500], [11, 2, 1], [12, 4, 1], [12, 1, -0.03475]]
    linear += [[13, 11, 1], [13, 8, -1.262626], [14, 12, 1], [14, 9, -1.262626]]
    row, i, weight = np.array(linear).T
    rows[row.astype(int) - 1].add_linear(weight, x[i.astype(int) - 1])
    # Row, two variables, coefficient of their product.
    products = [[5, 3, 10, 1.231059], [13, 1, 8, 1.231059], [14, 2, 9, 1.231059]]
    products += [[6, 2, 5, -0.975], [6, 2, 2, 0.00975], [7, 3, 6, -0.975], [7, 3, 3, 0.00975]]
    products += [[8, 5, 7, 1], [8, 1, 8, -1], [8, 4, 7, -1], [8, 4, 8, 1]]
    products += [[9, 2, 9, -0.002], [9, 5, 8, -0.002], [9, 1, 8, 0.002], [9, 6, 9, 0.002]]
    products += [[10, 2, 9, 1], [10, 3, 10, -1], [10, 6, 9, -1], [10, 2, 10, 1]]
    products += [[11, 2, 10, -0.002], [11, 3, 10, 0.002], [12, 1, 4, -0.975], [12, 1, 1, 0.00975]]
    table = np.array(products)
    row, i, j = table[:, :3].astype(int).T - 1
    rows[row].add(lambda a, b: a * b, x[i], x[j], weight=table[:, 3])


@register(classification="OQR2-AN-15-5", optimum=32.3486789657241, source=book(117))
def hs117(model: Model) -> None:
    """Colville's second problem, the dual of his first (HS86)."""
    start = np.full(15, 0.001)
    start[6] = 60
    x = model.variables(15, start=start, lower=0)
    y, u = x[:10], x[10:]
    model.minimize_linear(-COLVILLE_B, y)
    minimize_quadratic(model, COLVILLE_C, u)
    model.minimize(lambda a: a**3, u, weight=2 * COLVILLE_D)
    rows = linear_rows(model, np.hstack([-COLVILLE_A.T, 2 * COLVILLE_C]), x, lower=0, constant=-COLVILLE_E)
    rows.add(lambda a: a**2, u, weight=3 * COLVILLE_D)


@register(classification="QLR2-AN-15-17", optimum=664.82045, source=book(118))
def hs118(model: Model) -> None:
    """Production planning over five periods, a quadratic programme."""
    start = np.full((5, 3), 20)
    start[:, 1] = [55, 60, 60, 60, 60]
    start[0, 2] = 15
    lower, upper = np.zeros((5, 3)), np.tile([90, 120, 60], (5, 1))
    lower[0], upper[0] = [8, 43, 3], [21, 57, 16]
    x = model.variables((5, 3), start=start, lower=lower, upper=upper)
    model.minimize(lambda a, p, q: p * a + q * a**2, x, [2.3, 1.7, 2.2], [1e-4, 1e-4, 1.5e-4])
    order = [0, 2, 1]
    changes = model.constraints((4, 3), lower=0, upper=[13, 13, 14], constant=-7)
    changes.add_linear(1, x[1:, order])
    changes.add_linear(-1, x[:-1, order])
    totals = model.constraints(5, lower=0, constant=[60, 50, 70, 85, 100])
    totals[:, None].add_linear(1, x)


@register(classification="OLR2-AN-16-8", optimum=244.899697516917, source=book(119))
def hs119(model: Model) -> None:
    """Colville's seventh problem: products of quadratics under eight linear equations."""
    x = model.variables(16, start=10, lower=0, upper=5)
    columns = [[4, 7, 8, 16], [3, 7, 10], [7, 9, 10, 14], [7, 11, 15], [6, 10, 12, 16], [8, 15], [11, 13]]
    columns += [[10, 15], [12, 16], [14], [13], [14], [14]]
    i = np.repeat(np.arange(13), [len(c) for c in columns])
    j = np.concatenate(columns) - 1
    model.minimize(lambda a: (a**2 + a + 1) ** 2, x)
    model.minimize(lambda a, b: (a**2 + a + 1) * (b**2 + b + 1), x[i], x[j])
    matrix = np.array(
        [
            [0.22, 0.2, 0.19, 0.25, 0.15, 0.11, 0.12, 0.13, 1],
            [-1.46, 0, -1.3, 1.82, -1.15, 0, 0.8, 0, 0],
            [1.29, -0.89, 0, 0, -1.16, -0.96, 0, -0.49, 0],
            [-1.1, -1.06, 0.95, -0.54, 0, -1.78, -0.41, 0, 0],
            [0, 0, 0, -1.43, 1.51, 0.59, -0.33, -0.43, 0],
            [0, -1.72, -0.33, 0, 1.62, 1.24, 0.21, -0.26, 0],
            [1.12, 0, 0, 0.31, 0, 0, 1.12, 0, -0.36],
            [0, 0.45, 0.26, -1.1, 0.58, 0, -1.03, 0.1, 0],
        ]
    )
    slacks = np.eye(8)[:, 1:]
    requirement = [2.5, 1.1, -3.1, -3.5, 1.3, 2.1, 2.3, -1.5]
    linear_rows(model, np.hstack([matrix, slacks]), x, lower=0, upper=0, constant=requirement)
