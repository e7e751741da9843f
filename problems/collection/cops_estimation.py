"""COPS: parameters of differential equations by collocation: GASOIL, MARINE, METHANOL, PINENE.

Those that CUTEst holds have its order of variables and rows, so values can be compared entry by entry.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import factorial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..registry import register
from . import cops_measurements as measured

if TYPE_CHECKING:
    from ..model import Model, Rows, Variables

COPS2 = "Dolan & More, COPS 2.0, Argonne ANL/MCS-TM-246 (2000), problem "
COPS3 = "Dolan, More & Munson, COPS 3.0, Argonne ANL/MCS-TM-273 (2004)"

# Collocation points, to the digits of the COPS models.
GAUSS = {
    2: np.array([0.7886751346, 0.2113248654]),
    3: np.array([0.5, 0.8872983346, 0.1127016654]),
    4: np.array([0.0694318442, 0.3300094782, 0.6699905218, 0.9305681558]),
}


@dataclass(frozen=True)
class Fit:
    """Measurements of an ordinary differential equation and how to start from them.

    Attributes
    ----------
    times : ndarray, shape (m,)
    values : ndarray, shape (m, states)
    points : int
        Collocation points an interval.
    initial : ndarray, shape (states,)
        State at time 0.
    known_start : bool
        True where the initial state is fixed.
    started : int
        CUTEst starts only so many states from the measurements, the others (after the first interval) from 0.
    """

    times: NDArray[np.float64]
    values: NDArray[np.float64]
    points: int
    initial: ArrayLike
    known_start: bool = True
    started: int = 99


def _powers(x: ArrayLike, first: int, last: int) -> NDArray[np.float64]:
    """x^k / k! for k = first..last along a new last axis."""
    return np.stack([np.asarray(x) ** k / factorial(k) for k in range(first, last + 1)], axis=-1)


def _start_values(fit: Fit, intervals: NDArray[np.int64], nh: int) -> NDArray[np.float64]:
    """State at which each interval starts: the measurement at the end of the stretch it lies in."""
    which = np.searchsorted(intervals, np.arange(nh))
    start = fit.values[np.minimum(which, fit.times.size - 1)].copy()
    start[:, fit.started :] = 0.0
    start[: intervals[0] + 1] = fit.initial
    return start


def _collocation(model: Model, fit: Fit, nh: int) -> tuple[Variables, Rows]:
    """Least-squares fit of a piecewise polynomial solution on `nh` intervals.

    On interval i the solution is v_i + sum_k w_ik (t - t_i)^k / (h^(k-1) k!); at each collocation point the
    value u and the rate du are variables of their own.

    Returns
    -------
    u : Variables, shape (nh, points, states)
        Values at the collocation points.
    rows : Rows, shape (nh, points, states)
        Rows that hold du so far: minus the right-hand side of the equation is to be added.
    """
    ne, nc = fit.values.shape[1], fit.points
    h = fit.times[-1] / nh
    interval = np.minimum((fit.times / h).astype(np.int64), nh - 1)
    begin = _start_values(fit, interval, nh)
    start = np.zeros((nh, ne + 3 * nc * ne))
    start[:, :ne] = begin
    u_columns = ne + nc * ne + np.arange(0, 2 * nc * ne, 2).reshape(nc, ne)
    start[:, u_columns] = begin[:, None, :]
    lower = np.full(start.shape, -np.inf)
    upper = -lower
    if fit.known_start:
        lower[0, :ne] = upper[0, :ne] = fit.initial
    block = model.variables(start.shape, start=start, lower=lower, upper=upper)
    v, w = block[:, :ne], block[:, ne + np.arange(nc * ne).reshape(nc, ne)]
    u, du = block[:, u_columns], block[:, u_columns + 1]

    misfit = model.groups(fit.values.shape, lambda a: a**2, constant=fit.values)
    misfit.add_linear(1.0, v[interval])
    inside = (fit.times - interval * h) / h
    misfit[:, None, :].add_linear(h * _powers(inside, 1, nc)[..., None], w[interval])

    rho = GAUSS[nc]
    definitions = model.constraints((nh, nc, 2, ne), lower=0, upper=0)
    value, rate = definitions[:, :, 0], definitions[:, :, 1]
    value.add_linear(-1.0, u)
    value.add_linear(1.0, v[:, None, :])
    value[:, :, None, :].add_linear(h * _powers(rho, 1, nc)[..., None], w[:, None])
    rate.add_linear(-1.0, du)
    rate[:, :, None, :].add_linear(_powers(rho, 0, nc - 1)[..., None], w[:, None])
    continuity = model.constraints((nh - 1, ne), lower=0, upper=0)
    continuity.add_linear(1.0, v[:-1])
    continuity.add_linear(-1.0, v[1:])
    continuity[:, None, :].add_linear(h * _powers(1.0, 1, nc)[:, None], w[:-1])
    rows = model.constraints((nh, nc, ne), lower=0, upper=0)
    rows.add_linear(1.0, du)
    return u, rows


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=10: {
        10: 0.00528874959612,
        50: 0.00523664,
        100: 0.00523659,
        200: 0.00523659,
        400: 0.00523659,
    }.get(nh),
    source=COPS2 + "12",
)
def gasoil(model: Model, nh: int = 10) -> None:
    """Catalytic cracking of gas oil: three rate constants."""
    theta = model.variables(3, lower=0.0)
    fit = Fit(measured.GASOIL_TIMES, measured.GASOIL_DATA, 4, [1.0, 0.0])
    u, rows = _collocation(model, fit, nh)
    rows[..., 0].add(lambda p, q, a: (p + q) * a**2, theta[0], theta[2], u[..., 0])
    rows[..., 1].add(lambda p, q, a, b: q * b - p * a**2, theta[0], theta[1], u[..., 0], u[..., 1])


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=200: {25: 1.97522e7, 50: 1.97465e7, 100: 1.97465e7, 200: 1.97465e7}.get(nh),
    source=COPS2 + "11",
)
def marine(model: Model, nh: int = 200) -> None:
    """Mortality and growth of a marine population in eight stages."""
    stages = 8
    m_and_g = model.variables(2 * stages - 1, lower=0.0)
    mortality, growth = m_and_g[::2], m_and_g[1::2]
    data = measured.MARINE_DATA
    fit = Fit(measured.MARINE_TIMES, data, 2, data[0], known_start=False, started=3)
    u, rows = _collocation(model, fit, nh)
    rows.add(lambda m, a: m * a, mortality, u)
    rows[..., :-1].add(lambda g, a: g * a, growth, u[..., :-1])
    rows[..., 1:].add(lambda g, a: -g * a, growth, u[..., :-1])


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=400: 0.00902228 if nh in (50, 100, 200, 400) else None,
    source=COPS2 + "13",
)
def methanol(model: Model, nh: int = 400) -> None:
    """Methanol to hydrocarbons: five rate constants."""
    theta = model.variables(5, start=1.0, lower=0.0)
    fit = Fit(measured.METHANOL_TIMES, measured.METHANOL_DATA, 3, [1.0, 0.0, 0.0])
    u, rows = _collocation(model, fit, nh)
    a, b = u[..., 0], u[..., 1]
    t1, t2, t3, t4, t5 = theta
    rows[..., 0].add(
        lambda t1, t2, t3, t4, t5, a, b: (2 * t2 + t3 + t4) * a - t1 * a * b / ((t2 + t5) * a + b),
        t1,
        t2,
        t3,
        t4,
        t5,
        a,
        b,
    )
    rows[..., 1].add(
        lambda t1, t2, t3, t5, a, b: t1 * a * (b - t2 * a) / ((t2 + t5) * a + b) - t3 * a,
        t1,
        t2,
        t3,
        t5,
        a,
        b,
    )
    rows[..., 2].add(
        lambda t1, t2, t4, t5, a, b: -t1 * a * (b + t5 * a) / ((t2 + t5) * a + b) - t4 * a,
        t1,
        t2,
        t4,
        t5,
        a,
        b,
    )


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=100: {100: 19.8721701453}.get(nh),
    source=COPS3 + ", isomerization of alpha-pinene; Box et al. (1973)",
)
def pinene(model: Model, nh: int = 100) -> None:
    """Thermal isomerization of alpha-pinene: five rate constants."""
    theta = model.variables(5, lower=0.0)
    fit = Fit(measured.PINENE_TIMES, measured.PINENE_DATA, 3, [100.0, 0.0, 0.0, 0.0, 0.0])
    u, rows = _collocation(model, fit, nh)
    y1, _, y3, _, y5 = (u[..., k] for k in range(5))
    t1, t2, t3, t4, t5 = theta
    rows[..., 0].add(lambda p, q, a: (p + q) * a, t1, t2, y1)
    rows[..., 1].add(lambda p, a: -p * a, t1, y1)
    rows[..., 2].add(lambda p, q, r, s, a, c, e: (q + r) * c - p * a - s * e, t2, t3, t4, t5, y1, y3, y5)
    rows[..., 3].add(lambda p, c: -p * c, t3, y3)
    rows[..., 4].add(lambda q, s, c, e: s * e - q * c, t4, t5, y3, y5)
