"""Hock-Schittkowski problems 85 and 88 to 92, whose functions the book gives as programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ...registry import register
from .parts import add_matrix, book

if TYPE_CHECKING:
    from ...model import Model


@register(classification="OOI2-MN-5-21", optimum=-2.215604688475, source=book(85))
def hs85(model: Model) -> None:
    """Profit of a recovery process through many intermediate quantities.

    Row 19 is the book's, y4 - (.28 / .72) y5; S2MPJ's translation divides by y5 there.
    """
    x = model.variables(
        5,
        start=[900, 80, 115, 267, 27],
        lower=[704.4148, 68.6, 0, 193, 25],
        upper=[906.3855, 288.88, 134.75, 287.0966, 84.1988],
    )
    least = [0, 213.1, 17.505, 11.275, 214.228, 7.458, 0.961, 1.612, 0.146, 107.99, 922.693, 926.832, 18.766]
    least += [1072.163, 8961.448, 0.063, 71084.33, 2802713, 0, -21, 110.6]
    most = [
        np.inf,
        np.inf,
        1053.6667,
        35.03,
        665.585,
        584.463,
        265.916,
        7.046,
        0.222,
        273.366,
        1286.105,
        1444.046,
    ]
    most += [537.141, 3247.039, 26844.086, 0.386, 140000, 12146108, np.inf, np.inf, np.inf]
    weights = recovery_weights()
    constant = least - weights[1:, 0]
    rows = model.constraints(21, lower=0, upper=np.subtract(most, least), constant=constant)
    add_matrix(rows, weights[1:, 1:6], x)
    model.minimize_constant(weights[0, 0])
    model.minimize_linear(weights[0, 1:6], x)
    for k, (cost, *weight) in enumerate(weights[:, 6:].T):
        i = np.flatnonzero(weight)
        rows[i].add(lambda *x, k=k: recovery(*x)[k], *x, weight=np.array(weight)[i])
        if cost:
            model.minimize(lambda *x, k=k: recovery(*x)[k], *x, weight=cost)


def recovery(x1: Any, x2: Any, x3: Any, x4: Any, x5: Any) -> list[Any]:
    """The quantities of HS85 that are not affine in the others and x."""
    y1 = x2 + x3 + 41.6
    y2 = 12.5 / (0.024 * x4 - 4.62) + 12
    y3 = (0.0003535 * x1**2 + 0.5311 * x1 + 0.08705 * y2 * x1) / (0.052 * x1 + 78 + 0.002377 * y2 * x1)
    rest = x1 - y3
    heat = 0.04782 * rest + 0.1956 * rest**2 / x2 + (0.6376 * 19 + 1.594) * y3
    y5 = (rest - 19 * y3) * (0.95 - heat / (100 * x2))
    y7 = 0.995 * (19 * y3 + y5) / y1
    y9 = 96.82 / (y7 - 0.0663 * 3798 / y1 - 0.3153) + 0.321 * y1
    y10 = (2.29 + 1.258 * 19 - 1.71 * 20) * y3 + (1.29 - 1.71) * y5 + 1.71 * x1
    flow = 0.9995 * y10 + 1998
    y13 = flow - 1.75 * y2
    inflow = 1 / (y9 + x5)
    y14 = 3623 + 64.4 * x2 + 58.4 * x3 + 146312 * inflow
    divisor = 0.9995 * y10 + 60.8 * x2 + 48 * x4 - 0.1121 * y14 - 5095
    y15 = y13 / divisor
    loss = (divisor - y13 / 0.52) / (1.104 - 0.72 * y15)
    return [y2, y3, y5, y7, y9, inflow, x1 * y2 / flow, y2 / flow, 1 / flow, y15, y13 * y15, loss]


def recovery_weights() -> np.ndarray:
    """Objective and constraints of HS85 as combinations of 1, x1 to x5 and `recovery`, shape (22, 18)."""
    one, x1, x2, x3, _, _, y2, y3, y5, y7, y9, inflow, a, b, c, y15, y13_y15, loss = np.eye(18)
    y1 = x2 + x3 + 41.6 * one
    y4 = 19 * y3
    y6 = x1 - y3 - y4 - y5
    y8 = 0.995 / 3798 * (y4 + y5)
    y10 = 2.29 * y3 + 1.258 * y4 + 1.29 * y5 + 1.71 * y6
    y11 = 1.71 * x1 + 0.58 * y3 - 0.452 * y4
    y12 = 12.3 / 752.3 * x1 + 1.74125 * a
    y13 = 0.9995 * y10 + 1998 * one - 1.75 * y2
    y14 = 3623 * one + 64.4 * x2 + 58.4 * x3 + 146312 * inflow
    y16 = 148000 * one - 331000 * y15 + 40 * y13 - 61 * y13_y15
    y10_per_flow = (one - 1998 * c) / 0.9995
    y17 = 14130000 * one - 1328 * y10 - 531 * y11 + 2324 * y10_per_flow - 28740000 * b
    profit = 0.0001 * loss + 37.48 * b - 0.1365 * one + 0.000117 * y14 - 5.843e-7 * y17 + 2.358e-5 * y13
    profit += 1.502e-6 * y16 + 0.0321 * y12 + 0.00423 * y5
    last = [y4 - 0.28 / 0.72 * y5, -3496 * b, 62212 * inflow - y1]
    first = [profit, 1.5 * x2 - x3, y1, y2, y3, y4, y5, y6, y7, y8, y9, y10, y11]
    return np.array([*first, y12, y13, y14, y15, y16, y17, *last])


@register(classification="QOR2-MN-2-1", optimum=1.36265681489, source=book(88))
def hs88(model: Model) -> None:
    """Time-optimal heating of a rod with two switches."""
    heat_rod(model, 2)


@register(classification="QOR2-MN-3-1", optimum=1.36265681489, source=book(89))
def hs89(model: Model) -> None:
    """Time-optimal heating of a rod with three switches."""
    heat_rod(model, 3)


@register(classification="QOR2-MN-4-1", optimum=1.36265681489, source=book(90))
def hs90(model: Model) -> None:
    """Time-optimal heating of a rod with four switches."""
    heat_rod(model, 4)


@register(classification="QOR2-MN-5-1", optimum=1.36265681489, source=book(91))
def hs91(model: Model) -> None:
    """Time-optimal heating of a rod with five switches."""
    heat_rod(model, 5)


@register(classification="QOR2-MN-6-1", optimum=1.36265681489, source=book(92))
def hs92(model: Model) -> None:
    """Time-optimal heating of a rod with six switches."""
    heat_rod(model, 6)


def heat_rod(model: Model, switches: int) -> None:
    """HS88 to HS92: the final temperature misses its target by at most .01 in the L2 norm.

    The temperature is a sum of 30 modes; its squared error is a quadratic form in their amplitudes ``rho``.
    """
    x = model.variables(switches, start=np.where(np.arange(switches) % 2 == 0, 0.5, -0.5))
    model.minimize(lambda a: a**2, x)
    mu, linear, quadratic = rod_modes(30)

    def rho(x: Any, mu: Any) -> Any:
        """Amplitude of a mode; between switches the heating is full on and full off in turn."""
        total, remaining = (-1) ** switches, 0
        for k in reversed(range(switches)):
            remaining = remaining + x[k] ** 2
            total = total + (-1) ** k * (1 if k == 0 else 2) * np.exp(-(mu**2) * remaining)
        return -total / mu**2

    row = model.constraints((), lower=0, constant=2 / 15 - 1e-4)
    row.add(lambda *args: -args[-1] * rho(args[:-2], args[-2]), *x, mu, linear)
    i, j = np.tril_indices(mu.size)
    weights = np.where(i == j, 1, 2) * quadratic[i, j]
    row.add(
        lambda *args: -args[-1] * rho(args[:-3], args[-3]) * rho(args[:-3], args[-2]),
        *x,
        mu[i],
        mu[j],
        weights,
    )


def rod_modes(count: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Roots of ``mu tan(mu) = 1`` and the linear and quadratic coefficients of the squared error."""
    mu = np.arange(count) * np.pi + 1
    for _ in range(100):  # contracts, by .58 a step for the first root and much faster for the others
        mu = np.arange(count) * np.pi + np.arctan(1 / mu)
    sine, cosine = np.sin(mu), np.cos(mu)
    a = 2 * sine / (mu + sine * cosine)
    total, difference = np.add.outer(mu, mu), np.subtract.outer(mu, mu)
    overlap = (np.sin(total) / total + np.sinc(difference / np.pi)) / 2
    scaled = a * mu**2
    return mu, 2 * a * (cosine - sine / mu), overlap * np.outer(scaled, scaled)
