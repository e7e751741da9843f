"""Hock-Schittkowski problems 101 to 119 without 115."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...registry import register
from .hs076_100 import COLVILLE_A, COLVILLE_B, COLVILLE_C, COLVILLE_D, COLVILLE_E
from .parts import add_matrix, book, linear_rows, minimize_quadratic

if TYPE_CHECKING:
    from ...model import Model, Rows, Variables


@register(classification="OOR2-AN-7-5", optimum=1809.76476, source=book(101))
def hs101(model: Model) -> None:
    """Geometric programme of chemical equilibrium, exponent -.25."""
    geometric_programme(model, exponent=-0.25)


@register(classification="OOR2-AN-7-5", optimum=911.880571, source=book(102))
def hs102(model: Model) -> None:
    """Geometric programme of chemical equilibrium, exponent .125."""
    geometric_programme(model, exponent=0.125)


@register(classification="OOR2-AN-7-5", optimum=543.667958, source=book(103))
def hs103(model: Model) -> None:
    """Geometric programme of chemical equilibrium, exponent .5."""
    geometric_programme(model, exponent=0.5)


def geometric_programme(model: Model, exponent: float) -> None:
    """HS101 to HS103: posynomials, of which the fifth is the objective and a constraint too."""
    x = model.variables(7, start=6, lower=[*[0.1] * 6, 0.01], upper=10)
    third = 1 / 3
    # Row, coefficient and the exponents of x1, ..., x7 of each monomial.
    monomials = np.array(
        [
            [0, 0.5, 0.5, 0, -1, 0, 0, -2, 1],
            [0, 0.7, 3, 1, -2, 0, 0, 1, 0.5],
            [0, 0.2, 0, -1, 1, -0.5, 0, 2 * third, 0.25],
            [1, 1.3, -0.5, 1, -1, 0, -1, 1, 0],
            [1, 0.8, 0, 0, 1, -1, -1, 2, 0],
            [1, 3.1, -1, 0.5, 0, -2, -1, third, 0],
            [2, 2.0, 1, 0, -1.5, 0, 1, -1, third],
            [2, 0.1, 0, 1, -0.5, 0, 1, -1, -0.5],
            [2, 1.0, -1, 1, 0.5, 0, 1, 0, 0],
            [2, 0.65, 0, -2, 1, 0, 1, -1, 1],
            [3, 0.2, -2, 1, 0, -1, 0.5, 0, third],
            [3, 0.3, 0.5, 2, 1, third, -2 * third, 0, 0.25],
            [3, 0.4, -3, -2, 1, 0, 1, 0, 0.75],
            [3, 0.5, 0, 0, -2, 1, 0, 0, 0.5],
            [4, 10, 1, -1, 0, 2, 0, -3, exponent],
            [4, 15, -1, -2, 1, 1, -1, 0, -0.5],
            [4, 20, -2, 1, 0, -1, -2, 1, 0],
            [4, 25, 2, 2, -1, 0, 0.5, -2, 1],
        ]
    )

    def monomial(*args: Any) -> Any:
        value = args[7]
        for base, power in zip(args[:7], args[8:], strict=True):
            value = value * base**power
        return value

    cost = monomials[monomials[:, 0] == 4, 1:]
    model.minimize(monomial, *x, *cost.T)
    rows = model.constraints(5, lower=[*[-np.inf] * 4, -2900], upper=0, constant=[1, 1, 1, 1, 3000])
    rows[monomials[:, 0].astype(int)].add(monomial, *x, *monomials[:, 1:].T)


@register(classification="OOR2-AN-8-5", optimum=3.9511634396, source=book(104))
def hs104(model: Model) -> None:
    """Geometric programme of a reactor design."""
    x = model.variables(8, start=[6, 3, 0.4, 0.2, 6, 6, 1, 0.5], lower=0.1, upper=10)
    a, c, e, g = x[:2], x[2:4], x[4:6], x[6:]
    model.minimize(lambda a, g: 0.4 * (a / g) ** 0.67 - a, a, g)
    model.minimize_constant(10)
    volumes = model.constraints(2, upper=0, constant=1)
    volumes.add(lambda e, g: 0.0588 * e * g, e, g)
    add_matrix(volumes, [[0.1, 0], [0.1, 0.1]], a)
    model.subject_to(
        lambda c, e, g: 4 * c / e + 2 / (c**0.71 * e) + 0.0588 * g / c**1.3 - 1, c, e, g, upper=0
    )
    cost = model.constraints((), lower=0, upper=3.2, constant=-9)
    cost.add(lambda a, g: 0.4 * (a / g) ** 0.67 - a, a, g)


@register(classification="OLR2-AY-8-1", optimum=1138.41624, source=book(105))
def hs105(model: Model) -> None:
    """Maximum likelihood of a mixture of three normal densities, 235 observations."""
    x = model.variables(
        8,
        start=[0.1, 0.2, 100, 125, 175, 11.2, 13.2, 15.8],
        lower=[0.001, 0.001, 100, 130, 170, 5, 5, 5],
        upper=[0.499, 0.499, 180, 210, 240, 25, 25, 25],
    )
    observed = np.array([95, *range(105, 221, 5), *range(230, 251, 5)], dtype=float)
    times = [
        1,
        1,
        4,
        4,
        15,
        15,
        15,
        13,
        21,
        12,
        17,
        4,
        20,
        8,
        17,
        8,
        6,
        6,
        7,
        4,
        3,
        3,
        8,
        1,
        6,
        5,
        1,
        7,
        1,
        2,
    ]

    def density(share: Any, mean: Any, deviation: Any, y: Any) -> Any:
        return share / deviation * np.exp(-0.5 * ((y - mean) / deviation) ** 2)

    def log_likelihood(a: Any, b: Any, m: Any, n: Any, o: Any, r: Any, s: Any, t: Any, y: Any, w: Any) -> Any:
        total = density(a, m, r, y) + density(b, n, s, y) + density(1 - a - b, o, t, y)
        return -w * np.log(total / np.sqrt(2 * np.pi))

    model.minimize(log_likelihood, *x, observed, np.array(times, dtype=float))
    linear_rows(model, [[-1, -1]], x[:2], lower=0, constant=-1)


@register(classification="LQR2-MN-8-6", optimum=7049.248020528667, source=book(106))
def hs106(model: Model) -> None:
    """Heat exchanger design."""
    x = model.variables(
        8,
        start=[5000, 5000, 5000, 200, 350, 150, 225, 425],
        lower=[100, 1000, 1000, *[10] * 5],
        upper=[*[10000] * 3, *[1000] * 5],
    )
    model.minimize_linear(1, x[:3])
    matrix = np.zeros((6, 8))
    matrix[0, [3, 5]] = -0.0025
    matrix[1, 3:7] = [0.0025, -0.0025, 0, -0.0025]
    matrix[2, [4, 7]] = [0.01, -0.01]
    matrix[3, [0, 3]] = [-100, -833.33252]
    matrix[4, [3, 4]] = [1250, -1250]
    matrix[5, 4] = 2500
    rows = linear_rows(model, matrix, x, lower=0, constant=[-1, -1, -1, -83333.333, 0, 1.25e6])
    rows[[3, 4, 4, 5, 5]].add(
        lambda a, b: a * b, x[[0, 1, 1, 2, 2]], x[[5, 6, 3, 7, 4]], weight=[1, 1, -1, 1, -1]
    )


@register(classification="OOR2-MY-9-6", optimum=5055.011803, source=book(107))
def hs107(model: Model) -> None:
    """Static power scheduling in a network of three buses."""
    free = [np.inf] * 2
    x = model.variables(
        9,
        start=[0.8, 0.8, 0.2, 0.2, 1.0454, 1.0454, 1.0454, 0, 0],
        lower=[0, 0, -np.inf, -np.inf, *[0.90909] * 3, -np.inf, -np.inf],
        upper=[*free, *free, *[1.0909] * 3, *free],
    )
    voltage = x[4:7]
    admittance = 48.4 / 50.176
    model.minimize(lambda a, p, q: p * a + q * a**3, x[:2], [3000.0, 2000.0], [1000.0, 666.667])
    rows = model.constraints(6, lower=0, upper=0, constant=[-0.4, -0.4, -0.8, -0.2, -0.2, 0.337])
    rows[[0, 1, 3, 4]].add_linear(-1, x[:4])
    own = 2 * admittance * np.array([np.sin(0.25), np.cos(0.25)])
    rows.add(lambda v: v**2, voltage[[0, 1, 2] * 2], weight=np.repeat(own, 3))
    add_flows(rows, voltage, x[7:], admittance, -admittance)


def add_flows(rows: Rows, voltage: Variables, angle: Variables, real: float, reactive: float) -> None:
    """Power that three buses exchange, real in the first three rows and reactive in the last three.

    The first bus has angle zero, ``angle`` holds the two others; ``real`` and ``reactive`` are weights.
    """
    i, j, k, sign = np.array([[0, 0, 1, 2], [1, 2, 0, 0], [0, 1, 0, 1], [-1, -1, 1, 1]])
    for first, wave, weight in ((0, np.sin, real), (3, np.cos, reactive)):
        rows[first + i].add(
            lambda v, w, t, s, wave=wave: v * w * wave(s * t - 0.25),
            *(voltage[i], voltage[j], angle[k], sign),
            weight=weight,
        )
        rows[[first + 1, first + 2]].add(
            lambda v, w, t, u, wave=wave: v * w * wave(t - u - 0.25),
            *(voltage[1:], voltage[:0:-1], angle, angle[::-1]),
            weight=weight,
        )


@register(classification="QQR2-AY-9-13", optimum=-np.sqrt(3) / 2, source=book(108))
def hs108(model: Model) -> None:
    """The largest hexagon of unit diameter, with a mirrored side."""
    x = model.variables(9, start=1, lower=[*[-np.inf] * 8, 0])
    weights = [-0.5, 0.5, -0.5, 0.5, -0.5, 0.5]
    model.minimize(lambda a, b: a * b, x[[0, 1, 2, 4, 4, 5]], x[[3, 2, 8, 8, 7, 6]], weight=weights)
    above, below = [0, 0, 0], [np.inf] * 3
    rows = model.constraints(
        13,
        lower=[*[-np.inf] * 9, *above, -np.inf],
        upper=[*[0] * 9, *below, 0],
        constant=[*[1] * 9, *[0] * 4],
    )
    rows[[0, 0, 1, 1, 2, 3, 8]].add(lambda a: a**2, x[[2, 3, 4, 5, 8, 0, 6]])
    differences = np.array(
        [
            [3, 1, 8],
            [4, 0, 4],
            [4, 1, 5],
            [5, 0, 6],
            [5, 1, 7],
            [6, 2, 4],
            [6, 3, 5],
            [7, 2, 6],
            [7, 3, 7],
            [8, 7, 8],
        ]
    )
    row, i, j = differences.T
    rows[row].add(lambda a, b: (a - b) ** 2, x[i], x[j])
    row, i, j, sign = np.array(
        [[9, 2, 8, 1], [10, 4, 7, 1], [10, 5, 6, -1], [11, 0, 3, 1], [11, 1, 2, -1], [12, 4, 8, 1]]
    ).T
    rows[row].add(lambda a, b: a * b, x[i], x[j], weight=sign)


@register(classification="OOR2-AY-9-10", optimum=5326.851310, source=book(109))
def hs109(model: Model) -> None:
    """Power flow between two generators and a load, in a network of three buses."""
    bound = [0.55] * 2
    x = model.variables(
        9,
        start=0,
        lower=[0, 0, *[-b for b in bound], *[196] * 3, -400, -400],
        upper=[np.inf, np.inf, *bound, *[252] * 3, 800, 800],
    )
    model.minimize(lambda a, p, q: p * a + q * a**3, x[:2], [3.0, 2.0], [1e-6, 0.522074e-6])
    linear_rows(model, [[-1, 1], [1, -1]], x[2:4], lower=0, constant=-0.55)
    model.subject_to(lambda p, q: 2250000 - p**2 - q**2, x[:2], x[7:], lower=0)
    a, b, c = 50.176, np.sin(0.25), np.cos(0.25)
    load = a * np.array([-400, -400, -881.779, 200, 200, 22.938])
    rows = model.constraints(6, lower=0, upper=0, constant=load)
    rows[:2].add_linear(-a, x[:2])
    rows[3:5].add_linear(a, x[7:])
    voltage = x[4:7]
    own = np.repeat([2 * b, 0.7533e-3 * a - 2 * c], 3)
    rows.add(lambda v: v**2, voltage[[0, 1, 2] * 2], weight=own)
    add_flows(rows, voltage, x[2:4], 1.0, 1.0)


@register(classification="OBR2-AN-10-0", optimum=-45.77846971, source=book(110))
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


@register(classification="OOR2-AN-10-3", optimum=-47.76109026, source=book(111))
def hs111(model: Model) -> None:
    """Chemical equilibrium in the logarithms of the amounts."""
    x = model.variables(10, start=-2.3, lower=-100, upper=100)
    model.minimize(lambda a, c: np.exp(a) * (c + a), x, EQUILIBRIUM_COST)
    total = model.groups((), lambda s: -s * np.log(s))
    total.add(lambda a: np.exp(a), x)
    rows = model.constraints(3, lower=0, upper=0, constant=[2, 1, 1])
    i, j = np.nonzero(EQUILIBRIUM_MATRIX)
    rows[i].add(lambda a: np.exp(a), x[j], weight=EQUILIBRIUM_MATRIX[i, j])


@register(classification="OLR2-MY-10-3", optimum=-47.76109026, source=book(112))
def hs112(model: Model) -> None:
    """Chemical equilibrium in the amounts."""
    x = model.variables(10, start=0.1, lower=1e-6)
    model.minimize(lambda a, c: a * (c + np.log(a)), x, EQUILIBRIUM_COST)
    total = model.groups((), lambda s: -s * np.log(s))
    total.add_linear(1, x)
    linear_rows(model, EQUILIBRIUM_MATRIX, x, lower=0, upper=0, constant=[2, 1, 1])


@register(classification="QQR2-AN-10-8", optimum=24.3062091, source=book(113))
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


@register(classification="QOR2-MY-10-11", optimum=-1768.80696, source=book(114))
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


@register(classification="LQR2-MN-13-14", optimum=97.588409, source=book(116))
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


@register(classification="OQR2-AN-15-5", optimum=32.34867897, source=book(117))
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


@register(classification="OLR2-AN-16-8", optimum=244.899698, source=book(119))
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
