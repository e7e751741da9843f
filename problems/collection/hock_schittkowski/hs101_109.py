"""Hock-Schittkowski problems 101 to 109."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np

from ...registry import register
from .parts import add_matrix, book, linear_rows

if TYPE_CHECKING:
    from ...model import Model, Rows, Variables


@register(classification="OOR2-AN-7-5", optimum=1809.76476557142, source=book(101))
def hs101(model: Model) -> None:
    """Geometric programme of chemical equilibrium, exponent -.25."""
    geometric_programme(model, exponent=-0.25)


@register(classification="OOR2-AN-7-5", optimum=911.880571430111, source=book(102))
def hs102(model: Model) -> None:
    """Geometric programme of chemical equilibrium, exponent .125."""
    geometric_programme(model, exponent=0.125)


@register(classification="OOR2-AN-7-5", optimum=543.667958466284, source=book(103))
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


@register(classification="OOR2-AN-8-5", optimum=3.951163440104, source=book(104))
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


@register(classification="OLR2-AY-8-1", optimum=1136.30730357407, source=book(105))
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


@register(classification="LQR2-MN-8-6", optimum=7049.24802052867, source=book(106))
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


@register(classification="OOR2-MY-9-6", optimum=5055.01180354383, source=book(107))
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


@register(classification="QQR2-AY-9-13", optimum=-math.sqrt(3) / 2, source=book(108))
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


@register(classification="OOR2-AY-9-10", optimum=5362.06918111, source=book(109))
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
