"""Control with state constraints: READING1-5, TRAINF, TRAINH, UBH5, CLNLBEAM, SSNLBEAM, MANNE, LCH.

Variables, rows and constants stand in CUTEst's order, so values can be compared entry by entry. The best
known values at default sizes are IPOPT's.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Rows, Variables

LYLE_NICHOLS = "Lyle & Nichols, Numerical Analysis Report 8/91, University of Reading (1991)"
MAURER_MITTELMANN = "Maurer & Mittelmann, Optim. Control Appl. Methods 12 (1991) 19-31"
KAUTSKY_NICHOLS = "Kautsky & Nichols, Numerical Analysis Report NA/4/83, University of Reading (1983)"
WAVE = 0.07716  # the constant "a" of READING1, READING3, READING4 and READING5

# CUTEst writes pi in single precision. READING4 and READING5 keep it: with pi the rows would be singular at
# the start, where x = 0 and cos(2 pi t) = 0 for t = 1/4.
SINGLE_PI = float(np.float32(np.pi))


def _tidal_power(model: Model, n: int, periodic: bool) -> None:
    """Water level x and valve u on a grid of `n` intervals, interleaved; trapezoidal rule."""
    h = 1.0 / n
    lower, upper = np.tile([-0.5, 0.0], (n + 1, 1)), np.tile([0.5, 1.0], (n + 1, 1))
    if not periodic:
        lower[0, 0] = upper[0, 0] = 0.25
    xu = model.variables((n + 1, 2), lower=lower, upper=upper)
    x, u = xu[:, 0], xu[:, 1]
    tide = np.cos(2 * np.pi * h * np.arange(n + 1))
    weight = h * np.where((np.arange(n + 1) == 0) | (np.arange(n + 1) == n), 0.5, 1.0)
    model.minimize(lambda c, a, v: v * (a - c) ** 2, tide, x, u, weight=-weight)
    flow = model.constraints(n, lower=0, upper=0)
    flow.add_linear(float(n), x[1:])
    flow.add_linear(-float(n), x[:-1])
    flow.add(lambda c, a, v: v * (a - c) / (2 * WAVE), tide[1:], x[1:], u[1:])
    flow.add(lambda c, a, v: v * (a - c) / (2 * WAVE), tide[:-1], x[:-1], u[:-1])
    if periodic:
        model.subject_to(lambda a, b: a - b, x[0], x[n], lower=0, upper=0)


@register(
    classification="OOR2-MN-V-V",
    optimum=lambda n=2000: {2000: -0.160480095731}.get(n),
    source=LYLE_NICHOLS,
)
def reading1(model: Model, n: int = 2000) -> None:
    """Most energy from a tidal basin: level between bounds, valve between 0 and 1, given first level."""
    _tidal_power(model, n, periodic=False)


@register(
    classification="LLR2-MN-V-V",
    optimum=lambda n=2000: {2000: -0.0125832177925}.get(n),
    source=LYLE_NICHOLS,
)
def reading2(model: Model, n: int = 2000) -> None:
    """A double integrator with bounded velocity and force against a cosine wave: a linear program."""
    h = 1.0 / n
    lower = np.tile([-np.inf, -0.125, -1.0], (n + 1, 1))
    lower[0, :2] = 0.0
    upper = -lower
    state = model.variables((n + 1, 3), lower=lower, upper=upper)
    x1, x2, u = state.T
    weight = h * np.where((np.arange(n + 1) == 0) | (np.arange(n + 1) == n), 0.5, 1.0)
    model.minimize_linear(-weight * np.cos(2 * np.pi * h * np.arange(n + 1)), x1)
    model.minimize_linear(weight / (4 * np.pi**2), u)
    step = model.constraints((n, 2), lower=0, upper=0)
    for row, a, b in ((step[:, 0], x1, x2), (step[:, 1], x2, u)):
        row.add_linear(float(n), a[1:])
        row.add_linear(-float(n), a[:-1])
        row.add_linear(-0.5, b[1:])
        row.add_linear(-0.5, b[:-1])


@register(
    classification="OOR2-MN-V-V",
    optimum=lambda n=2000: {2000: -0.152571280652}.get(n),
    source=LYLE_NICHOLS,
)
def reading3(model: Model, n: int = 2000) -> None:
    """READING1 with the same level at both ends of the period, rather than a given one."""
    _tidal_power(model, n, periodic=True)


def _eliminated_valve(model: Model, n: int, upper: float) -> None:
    """READING1 with the valve eliminated: rows 0 <= u_i(x) <= `upper`."""
    is_first = np.arange(n + 1) == 0
    x = model.variables(n + 1, lower=np.where(is_first, 0.25, -0.5), upper=np.where(is_first, 0.25, 0.5))
    tide = np.cos(2 * SINGLE_PI * np.arange(1, n + 1) / n)
    weight = WAVE * np.where((np.arange(n) == 0) | (np.arange(n) == n - 1), 1.0, 2.0)
    model.minimize(lambda c, a, b: (c - a) * (a - b), tide, x[1:], x[:-1], weight=-weight)
    valve = model.constraints(n, lower=0, upper=upper)
    valve.add(lambda c, a, b: (a - b) / (c - a), tide, x[1:], x[:-1], weight=2 * WAVE * n)


@register(
    classification="OOR2-MN-V-V",
    optimum=lambda n=5000: {5000: -0.291433442243}.get(n),
    source=LYLE_NICHOLS + ", a variant by Ph. Toint",
)
def reading4(model: Model, n: int = 5000) -> None:
    """READING1 with the valve eliminated; its range is a nonlinear row."""
    _eliminated_valve(model, n, 1.0)


@register(classification="OOR2-MN-V-V", source=LYLE_NICHOLS + ", a variant by Ph. Toint")
def reading5(model: Model, n: int = 5000) -> None:
    """READING4 with the valve shut: the rows are equations, the feasible set nearly a point."""
    _eliminated_valve(model, n, 0.0)


def _train(model: Model, n: int, time: float, length: float, constant: float) -> tuple[Variables, Rows]:
    """Positions, speeds, tractions and brakings at n + 1 instants; returns (positions, speed rows)."""
    h = time / n
    grid = np.arange(n + 1)
    inner = (grid > 0) & (grid < n)
    end = grid == n
    x = model.variables(
        n + 1,
        start=length / n * grid,
        lower=np.where(inner, -np.inf, length * end),
        upper=np.where(inner, np.inf, length * end),
    )
    v = model.variables(
        n + 1,
        start=np.where(inner, length / n, 0.0),
        lower=np.where(inner, -np.inf, 0.0),
        upper=np.where(inner, np.inf, 0.0),
    )
    first, last = 10.0 * (grid == 0), -2.0 * end
    traction = model.variables(n + 1, start=first, lower=first, upper=np.where(end, 0.0, 10.0))
    braking = model.variables(n + 1, start=last, lower=np.where(grid == 0, 0.0, -2.0), upper=last)
    model.minimize(lambda a, b: a * b, traction[1:-1], v[1:-1], weight=h)
    rows = model.constraints((n, 2), lower=0, upper=0, constant=[0.0, constant])
    rows[:, 0].add(lambda h, a, b, p, q: b - a - h / 2 * (p + q), h, x[:-1], x[1:], v[:-1], v[1:])
    motion = rows[:, 1]
    motion.add(lambda h, p, q: q - p + h / 2 * (0.14 * (p + q) + 0.16 * (p**2 + q**2)), h, v[:-1], v[1:])
    for force in (traction, braking):
        motion.add_linear(-h / 2, force[1:])
        motion.add_linear(-h / 2, force[:-1])
    return x, motion


@register(
    classification="QQR2-MN-V-V",
    optimum=lambda n=1001: {1001: 3.10337702125}.get(n),
    source=KAUTSKY_NICHOLS,
)
def trainf(model: Model, n: int = 1001) -> None:
    """Least energy of a train between two stations of a flat track in given time."""
    _train(model, n, 1.5, 2.0, constant=-0.3 * 1.5 / n)


@register(
    classification="QOR2-MN-V-V",
    optimum=lambda n=1001: {1001: 12.3118968075}.get(n),
    source=KAUTSKY_NICHOLS,
)
def trainh(model: Model, n: int = 1001) -> None:
    """TRAINF over a hill: three sections of slopes 2, 0, -2 joined smoothly."""
    time, slopes, breaks, width = 4.8, np.array([2.0, 0.0, -2.0]), np.array([2.0, 4.0]), 0.05
    mean_slope = (slopes[0] + slopes[-1]) / 2
    x, motion = _train(model, n, time, 6.0, constant=(mean_slope - 0.3) * time / n)
    weight = np.diff(slopes) * time / (2 * np.pi * n)
    for position in (x[:-1], x[1:]):
        motion[:, None].add(lambda z, a: np.arctan((a - z) / width), breaks, position[:, None], weight=weight)


@register(
    classification="LQR2-MN-V-V",
    optimum=lambda n=500: {10: 1.14735202967, 100: 1.11632408066, 500: 1.11601303662}.get(n),
    source="Betts & Huffman, Sparse Nonlinear Programming Test Problems, Boeing (1993), problem 5",
)
def ubh5(model: Model, n: int = 500) -> None:
    """Bring a body in space to rest at the origin with least effort; cost carried as a seventh state."""
    k = 1000.0 / n
    lower, upper = np.full((7, n + 1), -np.inf), np.full((7, n + 1), np.inf)
    lower[:, 0] = upper[:, 0] = [1000.0, 1000.0, 1000.0, -10.0, 10.0, -10.0, 0.0]
    lower[:6, n] = upper[:6, n] = 0.0
    y = model.variables((7, n + 1), lower=lower, upper=upper)
    u = model.variables((3, n + 1), lower=-1.0, upper=1.0)
    model.minimize_linear(1.0, y[6, n])
    for a, rate in ((y[:3], y[3:6]), (y[3:6], u)):
        model.subject_to(
            lambda k, p, q, r, s: q - p - k / 2 * (r + s),
            k,
            a[:, :-1],
            a[:, 1:],
            rate[:, :-1],
            rate[:, 1:],
            lower=0,
            upper=0,
        )
    cost = model.constraints(n, lower=0, upper=0)
    cost.add_linear(1.0, y[6, 1:])
    cost.add_linear(-1.0, y[6, :-1])
    for i in range(3):
        cost.add(lambda p, q: p**2 + q**2, u[i, :-1], u[i, 1:], weight=-k / 2)


def _beam(model: Model, n: int, clamped: bool) -> None:
    """Angles t, deflections x and controls u of a beam on `n` intervals; `clamped` fixes the end angles."""
    h, alpha = 1.0 / n, 350.0
    grid = np.arange(n + 1)
    end = (grid == 0) | (grid == n)
    start = 0.05 * np.cos(h * grid)
    t_limit = np.where(end & clamped, 0.0, 1.0)
    x_limit = np.where(end, 0.0, 0.05)
    t = model.variables(n + 1, start=start, lower=-t_limit, upper=t_limit)
    x = model.variables(n + 1, start=start, lower=-x_limit, upper=x_limit)
    u = model.variables(n + 1)
    weight = h * np.where(end, 0.5, 1.0)
    model.minimize(lambda a, v: v**2 + alpha * np.cos(a), t, u, weight=weight)
    rows = model.constraints((n, 2), lower=0, upper=0)
    rows[:, 0].add(
        lambda h, a, b, p, q: b - a - h / 2 * (np.sin(p) + np.sin(q)), h, x[:-1], x[1:], t[:-1], t[1:]
    )
    rows[:, 1].add(lambda h, p, q, r, s: q - p - h / 2 * (r + s), h, t[:-1], t[1:], u[:-1], u[1:])


@register(
    classification="OOR2-MN-V-V",
    optimum=lambda ni=2000: {
        10: 345.031107629,
        50: 344.868682794,
        100: 344.877471998,
        500: 344.876218521,
        1000: 344.876142334,
    }.get(ni),
    source=MAURER_MITTELMANN,
)
def clnlbeam(model: Model, ni: int = 2000) -> None:
    """Energy of a clamped, compressed beam with bounded deflection."""
    _beam(model, ni, clamped=True)


@register(
    classification="OOR2-MN-V-V",
    optimum=lambda ni=1000: {
        10: 337.772470764,
        50: 340.01313861,
        100: 340.027871075,
        500: 340.030377004,
        1000: 340.030399271,
    }.get(ni),
    source=MAURER_MITTELMANN,
)
def ssnlbeam(model: Model, ni: int = 1000) -> None:
    """CLNLBEAM simply supported: the end angles are free."""
    _beam(model, ni, clamped=False)


@register(
    classification="OOR2-MN-V-V",
    optimum=lambda t=2000: {2000: -0.97457259}.get(t),
    source="Murtagh & Saunders, Math. Program. Stud. 16 (1982) 84-117, example 5.12",
)
def manne(model: Model, t: int = 2000) -> None:
    """Consumption C, investment I and capital K of an economy over `t` periods (Manne's growth model)."""
    grow, beta, power = 0.03, 0.95, 0.25
    period = np.arange(1, t + 1)
    capital = np.where(period == 1, 3.05, 3.0 + 0.1 * (period - 1))
    start = np.stack([np.full(t, 0.95), np.full(t, 0.05), capital], axis=1)
    lower = np.tile([0.95, 0.05, 3.05], (t, 1))
    ceiling = 0.05 * 1.04**period
    ceiling[ceiling >= 1e20] = np.inf  # CUTEst's infinity
    upper = np.stack([np.full(t, np.inf), ceiling, np.where(period == 1, 3.05, np.inf)], axis=1)
    c, i, k = model.variables((t, 3), start=start, lower=lower, upper=upper).T
    discount = beta**period / np.where(period == t, 1 - beta, 1.0)
    model.minimize(lambda a: np.log(a), c, weight=discount)
    output = (1.0 / 3.0**power) * (1 + grow) ** ((1 - power) * period)
    model.subject_to(lambda w, s, a, b: w * s**power - a - b, output, k, c, i, lower=0)
    model.subject_to(lambda s, r, b: s - r - b, k[1:], k[:-1], i[:-1], upper=0)
    model.subject_to(lambda s, b: grow * s - b, k[t - 1], i[t - 1], upper=0)


@register(
    classification="OOR2-MY-V-1",
    optimum=lambda n=1000: {10: -3.7565286, 50: -4.229594, 100: -4.2887306, 200: -4.2887306}.get(n),
    source="L. Cruzeiro-Hansson, private communication; SIF by N. Gould (1991)",
)
def lch(model: Model, n: int = 1000) -> None:
    """Least energy of an excitation on a ring of `n` peptide groups: real and imaginary amplitude, shift."""
    shift = 0.1 * np.arange(1, n + 1)
    amplitude = np.full(n, np.sqrt(1 / (2 * n)))
    w = model.variables((n, 3), start=np.stack([amplitude, amplitude, shift], axis=1))
    before, after = np.roll(np.arange(n), 1), np.roll(np.arange(n), -1)
    for part in (w[:, 0], w[:, 1]):
        model.minimize(lambda a, p, q: -1.549429 * a * (p + q), part, part[before], part[after])
    re, im, u = w.T
    model.minimize(
        lambda p, v, q, a, b: 62.0 * (q - p) * (a**2 + b**2) + 650.0 * (p - v) ** 2,
        u[before],
        u,
        u[after],
        re,
        im,
    )
    norm = model.constraints((), lower=0, upper=0, constant=1.0)
    norm.add(lambda a, b: a**2 + b**2, re, im)
