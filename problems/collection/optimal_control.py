"""Discrete-time and discretised optimal control: DTOC1-DTOC6, HAGER1-HAGER4, OPTCDEG2/3, OPTCTRL3/6.

Variables, rows and constants stand in CUTEst's order, so values can be compared entry by entry. The best
known values of DTOC2-DTOC6 and those at default sizes are IPOPT's, at violations below 1e-9: the values in
CUTEst's files are up to 4 % lower, and not reached by points that satisfy the equations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Variables

COLEMAN_LIAO = "Coleman & Liao, Cornell ACRI report ctc93tr144 (1992), problem "
HAGER = "Hager, SIAM J. Numer. Anal. 27 (1990) 1061-1080, problem "


def _initial(n: int, value: ArrayLike) -> dict[str, NDArray[np.float64]]:
    """Start and bounds of a trajectory of `n` states that is free but for its first state, `value`."""
    value = np.asarray(value, dtype=np.float64)
    is_first = (np.arange(n) == 0).reshape((n,) + (1,) * value.ndim)
    return {
        "start": np.where(is_first, value, 0.0),
        "lower": np.where(is_first, value, -np.inf),
        "upper": np.where(is_first, value, np.inf),
    }


def _dtoc1(model: Model, n: int, nx: int, ny: int, mu: float) -> None:
    """Add DTOC1: quartic costs of controls x_t and states y_t, transitions bilinear with strength `mu`."""
    x = model.variables((n - 1, nx))
    y = model.variables((n, ny), **_initial(n, np.zeros(ny)))
    model.minimize(lambda v: (v + 0.5) ** 4, x)
    model.minimize(lambda v: (v + 0.25) ** 4, y)
    i, j = np.arange(1, ny + 1)[:, None], np.arange(1, nx + 1)
    step = model.constraints((n - 1, ny), lower=0, upper=0)
    step.add_linear(-1.0, y[1:])
    step.add_linear(0.5, y[:-1])
    step[:, 1:].add_linear(-0.25, y[:-1, :-1])
    step[:, :-1].add_linear(0.25, y[:-1, 1:])
    step[:, :, None].add_linear((i - j) / (nx + ny), x[:, None, :])
    if mu > 0:
        strength = mu * (i + j) / (nx + ny)
        step[:, :, None, None].add(
            lambda c, a, b: c * a * b, strength, y[:-1, None, :, None], x[:, None, None, :]
        )


@register(
    classification="OLR2-AN-V-V",
    optimum=lambda n=1000, nx=2, ny=4: {
        (10, 2, 4): 0.0735931360,
        (100, 2, 4): 0.4253681120,
        (500, 2, 4): 1.9887794988,
        (1000, 2, 4): 3.9430507151,
        (1000, 5, 10): 125.33793359,
    }.get((n, nx, ny)),
    source=COLEMAN_LIAO + "1 with mu = 0",
)
def dtoc1l(model: Model, n: int = 1000, nx: int = 2, ny: int = 4) -> None:
    """DTOC1 with linear transitions: `n` periods, `nx` controls, `ny` states; convex."""
    _dtoc1(model, n, nx, ny, 0.0)


@register(
    classification="OQR2-AN-V-V",
    optimum=lambda n=1000, nx=2, ny=4: {
        (10, 2, 4): 0.07531263517,
        (100, 2, 4): 0.44472956731,
        (500, 2, 4): 2.08660731072,
        (1000, 2, 4): 4.13895890755,
    }.get((n, nx, ny)),
    source=COLEMAN_LIAO + "1 with mu = 0.005",
)
def dtoc1na(model: Model, n: int = 1000, nx: int = 2, ny: int = 4) -> None:
    """DTOC1 with bilinear transitions of strength 0.005."""
    _dtoc1(model, n, nx, ny, 0.005)


@register(
    classification="OQR2-AN-V-V",
    optimum=lambda n=1000, nx=2, ny=4: {
        (10, 2, 4): 0.09848124993,
        (100, 2, 4): 0.73850718221,
        (500, 2, 4): 3.58309876144,
        (1000, 2, 4): 7.13884991815,
    }.get((n, nx, ny)),
    source=COLEMAN_LIAO + "1 with mu = 0.05",
)
def dtoc1nb(model: Model, n: int = 1000, nx: int = 2, ny: int = 4) -> None:
    """DTOC1 with bilinear transitions of strength 0.05."""
    _dtoc1(model, n, nx, ny, 0.05)


@register(
    classification="OQR2-AN-V-V",
    optimum=lambda n=1000, nx=2, ny=4: {
        (10, 2, 4): 0.31231015014,
        (100, 2, 4): 3.48385849052,
        (500, 2, 4): 17.5796246912,
        (1000, 2, 4): 35.1993544122,
    }.get((n, nx, ny)),
    source=COLEMAN_LIAO + "1 with mu = 0.5",
)
def dtoc1nc(model: Model, n: int = 1000, nx: int = 2, ny: int = 4) -> None:
    """DTOC1 with bilinear transitions of strength 0.5."""
    _dtoc1(model, n, nx, ny, 0.5)


@register(
    classification="OQR2-AN-V-V",
    optimum=lambda n=1000, nx=2, ny=4: {
        (10, 2, 4): 0.41425633947,
        (100, 2, 4): 4.70413735495,
        (500, 2, 4): 23.7703360951,
        (1000, 2, 4): 47.6030771433,
    }.get((n, nx, ny)),
    source=COLEMAN_LIAO + "1 with mu = 1",
)
def dtoc1nd(model: Model, n: int = 1000, nx: int = 2, ny: int = 4) -> None:
    """DTOC1 with bilinear transitions of strength 1."""
    _dtoc1(model, n, nx, ny, 1.0)


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda n=1000, nx=2, ny=4: {
        10: 0.485982541332,
        50: 0.486900679085,
        100: 0.488048205487,
        500: 0.497222609514,
        1000: 0.508676209676,
    }.get(n),
    source=COLEMAN_LIAO + "2",
)
def dtoc2(model: Model, n: int = 1000, nx: int = 2, ny: int = 4) -> None:
    """Two controls, four states coupled through sines; running cost |y|^2 (1 + sin^2(|x|^2 / 2))."""
    if (nx, ny) != (2, 4):
        raise ValueError(f"DTOC2 is defined for nx=2 and ny=4 only, got nx={nx}, ny={ny}")
    first = np.arange(1, ny + 1) / (2.0 * ny)
    x = model.variables((n - 1, nx))
    y = model.variables((n, ny), **_initial(n, first))
    model.minimize(
        lambda a, b, c, d, u, v: (a**2 + b**2 + c**2 + d**2) * (1 + np.sin((u**2 + v**2) / 2) ** 2),
        *y[:-1].T,
        *x.T,
    )
    model.minimize(lambda v: v**2, y[-1])
    i, j = np.arange(1, ny + 1)[:, None], np.arange(1, nx + 1)
    step = model.constraints((n - 1, ny), lower=0, upper=0)
    step.add_linear(-1.0, y[1:])
    step.add(lambda v: np.sin(v), y[:-1])
    step[:, :, None].add(lambda c, v: c * np.sin(v), (i + j) / (2.0 * ny), x[:, None, :])


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda n=5000: {
        10: 224.590381885,
        50: 233.278713071,
        100: 234.287716503,
        500: 235.084451873,
        1000: 235.183412085,
        5000: 235.262481035,
    }.get(n),
    source=COLEMAN_LIAO + "3",
)
def dtoc3(model: Model, n: int = 5000) -> None:
    """A linear oscillator steered by one force: a convex quadratic program."""
    s = 1.0 / n
    x = model.variables(n - 1)
    y = model.variables((n, 2), **_initial(n, [15.0, 5.0]))
    model.minimize(lambda a, b, u: 2 * a**2 + b**2 + 6 * u**2, y[1:, 0], y[1:, 1], x, weight=s / 2)
    step = model.constraints((n - 1, 2), lower=0, upper=0)
    step.add_linear(-1.0, y[1:])
    step.add_linear(1.0, y[:-1])
    step[:, 0].add_linear(s, y[:-1, 1])
    step[:, 1].add_linear(-s, y[:-1, 0])
    step[:, 1].add_linear(s, x)


@register(
    classification="QOR2-AN-V-V",
    optimum=lambda n=5000: {
        10: 3.75082353066,
        50: 3.02996386588,
        100: 2.94734664665,
        500: 2.88285104064,
        1000: 2.87489042341,
        5000: 2.86853821248,
    }.get(n),
    source=COLEMAN_LIAO + "4",
)
def dtoc4(model: Model, n: int = 5000) -> None:
    """A van der Pol oscillator steered by one force."""
    h5 = 5.0 / n
    x = model.variables(n - 1)
    y = model.variables((n, 2), **_initial(n, [0.0, 1.0]))
    ends = np.where((np.arange(n) == 0) | (np.arange(n) == n - 1), 0.5, 1.0)
    model.minimize(lambda a, b: a**2 + b**2, y[:, 0], y[:, 1], weight=h5 * ends)
    model.minimize(lambda u: u**2, x, weight=h5)
    step = model.constraints((n - 1, 2), lower=0, upper=0)
    step.add_linear(-1.0, y[1:])
    step.add_linear(1.0, y[:-1])
    step[:, 0].add(lambda a, b, u: a - b + u - b**2 * a, y[:-1, 0], y[:-1, 1], x, weight=h5)
    step[:, 1].add_linear(h5, y[:-1, 0])


@register(
    classification="QQR2-AN-V-V",
    optimum=lambda n=5000: {
        10: 1.45190056692,
        50: 1.52885909563,
        100: 1.53258634084,
        500: 1.53472904849,
        1000: 1.53494599125,
        5000: 1.53511153222,
    }.get(n),
    source=COLEMAN_LIAO + "5; Di Pillo, Grippo & Lampariello",
)
def dtoc5(model: Model, n: int = 5000) -> None:
    """One state with quadratic growth, one control."""
    h = 1.0 / n
    x = model.variables(n - 1)
    y = model.variables(n, **_initial(n, 1.0))
    model.minimize(lambda a, u: a**2 + u**2, y[:-1], x, weight=h)
    model.subject_to(lambda h, a, b, u: b - a - h * u + h * b**2, h, y[1:], y[:-1], x, lower=0, upper=0)


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda n=5001: {
        11: 19.8041446219,
        51: 261.113293907,
        101: 727.981316583,
        501: 6846.61349607,
        1001: 17176.4514411,
        5001: 134850.616275,
    }.get(n),
    source=COLEMAN_LIAO + "6; Murray & Yakowitz (1981)",
)
def dtoc6(model: Model, n: int = 5001) -> None:
    """One state that the exponential of the control drives up; convex objective."""
    x = model.variables(n - 1)
    y = model.variables(n, **_initial(n, 0.0))
    model.minimize(lambda a, u: ((a + np.exp(u)) ** 2 + u**2) / 2, y[:-1], x)
    model.subject_to(lambda a, b, u: b - a + np.exp(u), y[1:], y[:-1], x, lower=0, upper=0)


@register(
    classification="SLR2-AN-V-V",
    optimum=lambda n=2500: {
        10: 0.88097222455,
        100: 0.88079882866,
        500: 0.88079714798,
        1000: 0.88079709548,
        2500: 0.880797080778,
        5000: 0.88079708841,
    }.get(n),
    source=HAGER + "P1",
)
def hager1(model: Model, n: int = 2500) -> None:
    """Drive x' = x + u to the origin: cost of the end state and the control, midpoint rule."""
    x = model.variables(n + 1, **_initial(n + 1, 1.0))
    u = model.variables(n)
    model.minimize(lambda a: a**2 / 2, x[n])
    model.minimize(lambda v: v**2, u, weight=0.5 / n)
    model.subject_to(
        lambda n, a, b, v: n * (b - a) - (a + b) / 2 - v, float(n), x[:-1], x[1:], u, lower=0, upper=0
    )


@register(
    classification="OLR2-AN-V-V",
    optimum=lambda n=2500: {
        10: 0.4325699689,
        100: 0.4320871769,
        500: 0.4320824457,
        1000: 0.4320822986,
        2500: 0.432082256685,
        5000: 0.4320822506,
    }.get(n),
    source=HAGER + "P2",
)
def hager2(model: Model, n: int = 2500) -> None:
    """Linear-quadratic regulator x' = x/2 + u with running cost x^2 + u^2/2."""
    x = model.variables(n + 1, **_initial(n + 1, 1.0))
    u = model.variables(n)
    model.minimize(lambda a, b: a**2 + a * b + b**2, x[:-1], x[1:], weight=1 / (6 * n))
    model.minimize(lambda v: v**2, u, weight=0.25 / n)
    model.subject_to(
        lambda n, a, b, v: n * (b - a) - (a + b) / 4 - v, float(n), x[:-1], x[1:], u, lower=0, upper=0
    )


@register(
    classification="OLR2-AN-V-V",
    optimum=lambda n=2500: {
        10: 0.14103316577,
        100: 0.14096197328,
        500: 0.14096128049,
        1000: 0.14096125887,
        2500: 0.140961252778,
        5000: 0.14096125191,
    }.get(n),
    source=HAGER + "P3",
)
def hager3(model: Model, n: int = 2500) -> None:
    """HAGER2 with the running cost 5/8 x^2 + x u / 2 + u^2 / 2."""
    x = model.variables(n + 1, **_initial(n + 1, 1.0))
    u = model.variables(n)
    model.minimize(
        lambda a, b, v: 0.625 * (a**2 + a * b + b**2) + (a + b) * v + 2 * v**2,
        x[:-1],
        x[1:],
        u,
        weight=1 / (8 * n),
    )
    model.subject_to(
        lambda n, a, b, v: n * (b - a) - (a + b) / 4 - v, float(n), x[:-1], x[1:], u, lower=0, upper=0
    )


@register(
    classification="OLR2-AN-V-V",
    optimum=lambda n=2500: {
        10: 2.833914199,
        50: 2.799810928,
        100: 2.796761851,
        500: 2.794513229,
        1000: 2.794244187,
        2500: 2.7940841631,
    }.get(n),
    source=HAGER + "P4",
)
def hager4(model: Model, n: int = 2500) -> None:
    """Linear-quadratic regulator with weights exp(-2t), integrated exactly, and the bound u <= 1."""
    h = 1.0 / n
    x = model.variables(n + 1, **_initial(n + 1, (1 + 3 * np.e) / (2 - 2 * np.e)))
    u = model.variables(n, upper=1.0)
    t = h * np.arange(n + 1)
    z = np.exp(-2 * t[:-1])
    a = -0.5 * np.exp(-2 * t[:2])
    moments = [np.diff(a)[0], np.diff(a * (t[:2] + 0.5))[0], np.diff(a * (t[:2] ** 2 + t[:2] + 0.5))[0]]
    d, e, f = moments[0] / 2, moments[1] * n, moments[2] * n**2 / 2
    model.minimize(
        lambda d, e, f, p, q: d * q**2 + e * q * (p - q) + f * (p - q) ** 2, d, e, f, x[:-1], x[1:], weight=z
    )
    model.minimize(lambda v: v**2, u, weight=h / 2)
    model.subject_to(
        lambda n, w, p, q, v: (n - 1) * q - n * p - w * v,
        float(n),
        np.exp(t[1:]),
        x[:-1],
        x[1:],
        u,
        lower=0,
        upper=0,
    )


def _spring_mass(
    model: Model, t: int, fixed_end: tuple[bool, bool], limit: float, slowest: float
) -> tuple[Variables, Variables, Variables]:
    """Displacements x_0..x_t and velocities y_0..y_t >= `slowest`, interleaved; forces |u_i| <= `limit`."""
    start = np.zeros((t + 1, 2))
    start[1:t, 1] = -1.0
    lower, upper = np.full((t + 1, 2), -np.inf), np.full((t + 1, 2), np.inf)
    lower[:t, 1] = slowest
    lower[0] = upper[0] = [10.0, 0.0]
    fixed = np.array(fixed_end)
    lower[t, fixed] = upper[t, fixed] = 0.0
    state = model.variables((t + 1, 2), start=start, lower=lower, upper=upper)
    u = model.variables(t, lower=-limit, upper=limit)
    return state[:, 0], state[:, 1], u


@register(
    classification="QQR2-AN-V-V",
    optimum=lambda t=1500: {10: 340.6053, 40: 253.2756, 100: 237.2764, 400: 229.573, 1500: 227.702324471}.get(
        t
    ),
    source="Murtagh & Saunders, Math. Program. Stud. 16 (1982) 84-117, example 5.11",
)
def optcdeg2(model: Model, t: int = 1500) -> None:
    """Bring a mass on a quadratically damped spring to rest, with bounded velocity and force."""
    dt = 20.0 / t
    x, y, u = _spring_mass(model, t, (False, True), 0.2, -1.0)
    model.minimize(lambda a: a**2, x, weight=dt / 2)
    step = model.constraints((t, 2), lower=0, upper=0)
    step[:, 0].add(lambda h, a, b, v: b - a - h * v, dt, x[:-1], x[1:], y[:-1])
    step[:, 1].add(
        lambda h, v, w, f, a: w - v - h * f + h * (0.02 * a + 0.05 * v**2), dt, y[:-1], y[1:], u, x[:-1]
    )


@register(
    classification="QOR2-AN-V-V",
    optimum=lambda t=1500: {10: 67.4677, 40: 50.6341, 100: 47.6146, 400: 46.145, 1500: 45.7901471596}.get(t),
    source="Ritch, Automatica 9 (1973) 415-429, example 6.1",
)
def optcdeg3(model: Model, t: int = 1500) -> None:
    """OPTCDEG2 with cubic damping, a fixed end position and a penalty on the end velocity."""
    dt = 20.0 / t
    x, y, u = _spring_mass(model, t, (True, False), 0.2, -1.0)
    model.minimize(lambda a: a**2, x, weight=dt / 10)
    model.minimize(lambda v: 1000 * v**2, y[t])
    step = model.constraints((t, 2), lower=0, upper=0)
    step[:, 0].add(lambda h, a, b, v: b - a - h * v, dt, x[:-1], x[1:], y[:-1])
    step[:, 1].add(
        lambda h, v, w, f, a: w - v - h * f + h * (0.02 * a + 0.05 * v**3), dt, y[:-1], y[1:], u, x[:-1]
    )


def _penalised_spring_mass(model: Model, t: int) -> None:
    x, y, u = _spring_mass(model, t, (False, True), np.inf, -np.inf)
    model.minimize(lambda a: a**2 / 2, x)
    model.minimize(lambda v: 1e6 * (v - 0.2) ** 2, u[1:])
    step = model.constraints((t, 2), lower=0, upper=0)
    step[:, 0].add(lambda a, b, v: b - a - 0.2 * v, x[:-1], x[1:], y[:-1])
    step[:, 1].add(lambda v, w, f, a: w - v - 0.2 * f + 0.004 * a + 0.01 * v**2, y[:-1], y[1:], u, x[:-1])


@register(
    classification="QQR2-AN-V-V",
    optimum=lambda t=1500: {40: 2048.01654171, 1500: 74465.0280229}.get(t),
    source="Murtagh & Saunders (1982), example 5.11, bounds replaced by a penalty (Plantenga, 1992)",
)
def optctrl3(model: Model, t: int = 1500) -> None:
    """Spring and mass without bounds; a penalty of 1e6 holds the forces near 0.2: badly conditioned."""
    _penalised_spring_mass(model, t)


@register(
    classification="QQR2-AN-V-V",
    optimum=lambda t=1500: {40: 2048.01654171, 1500: 74465.0280229}.get(t),
    source="Murtagh & Saunders (1982), example 5.11, bounds replaced by a penalty (Plantenga, 1992)",
)
def optctrl6(model: Model, t: int = 1500) -> None:
    """The same functions as OPTCTRL3: CUTEst holds the problem under both names."""
    _penalised_spring_mass(model, t)
