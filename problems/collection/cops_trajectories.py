"""COPS: best trajectories by the trapezoidal rule: ROCKET, ROBOTARM, STEERING, GLIDER.

Those that CUTEst holds have its order of variables and rows, so values can be compared entry by entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Rows, Variables

COPS2 = "Dolan & More, COPS 2.0, Argonne ANL/MCS-TM-246 (2000), problem "
COPS3 = "Dolan, More & Munson, COPS 3.0, Argonne ANL/MCS-TM-273 (2004)"


def _advance(row: Rows, x: Variables, step: Variables, rate: Variables, factor: float = 1.0) -> None:
    """Add x_{j-1} - x_j + step (rate_{j-1} + rate_j) factor / 2 to `row`."""
    row.add_linear(1.0, x[:-1])
    row.add_linear(-1.0, x[1:])
    row.add(lambda h, p, q: h * (p + q), step, rate[:-1], rate[1:], weight=factor / 2)


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=400: {50: -1.0128, 100: -1.0128, 200: -1.0128, 400: -1.0128}.get(nh),
    source=COPS2 + "10",
)
def rocket(model: Model, nh: int = 400) -> None:
    """Goddard's rocket: greatest height for a given fuel; drag and gravity are variables of their own."""
    drag0, thrust_max, mass_end, decay = 310.0, 3.5, 0.6, 500.0
    t = np.arange(nh + 1) / nh
    step = model.variables(start=1.0 / nh, lower=0.0)
    speed, mass = t * (1 - t), 1 - (1 - mass_end) * t
    ones = np.ones(nh + 1)
    start = np.stack([ones, speed, mass, thrust_max / 2 * ones, drag0 * speed**2, ones], axis=1)
    lower = np.tile([1.0, 0.0, mass_end, 0.0, -np.inf, -np.inf], (nh + 1, 1))
    upper = np.tile([np.inf, np.inf, 1.0, thrust_max, np.inf, np.inf], (nh + 1, 1))
    lower[0, :3] = upper[0, :3] = [1.0, 0.0, 1.0]
    lower[nh, 2] = upper[nh, 2] = mass_end
    h, v, m, thrust, drag, gravity = model.variables((nh + 1, 6), start=start, lower=lower, upper=upper).T
    model.minimize_linear(-1.0, h[nh])
    forces = model.constraints((nh + 1, 2), lower=0, upper=0)
    forces[:, 0].add(lambda d, s, a: drag0 * s**2 * np.exp(decay * (1 - a)) - d, drag, v, h)
    forces[:, 1].add(lambda g, a: 1 / a**2 - g, gravity, h)
    motion = model.constraints((nh, 3), lower=0, upper=0)
    _advance(motion[:, 0], h, step, v)
    motion[:, 1].add_linear(1.0, v[:-1])
    motion[:, 1].add_linear(-1.0, v[1:])
    for end in (slice(None, -1), slice(1, None)):
        motion[:, 1].add(
            lambda s, f, d, a, g: s / 2 * ((f - d) / a - g),
            step,
            thrust[end],
            drag[end],
            m[end],
            gravity[end],
        )
    _advance(motion[:, 2], m, step, thrust, -2.0)


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=400: {50: 9.14687, 100: 9.14267, 200: 9.14138, 400: 9.14108}.get(nh),
    source=COPS2 + "8",
)
def robotarm(model: Model, nh: int = 400) -> None:
    """Least time to turn a robot arm: length, two angles, their rates, controls and inertias."""
    length, pi = 5.0, np.pi
    t = np.arange(nh + 1) / nh
    step = model.variables(start=1.0 / nh, lower=0.0)
    inertia = (0.5**2 + 4.5**2) / 3
    start = np.zeros((nh + 1, 11))
    # CUTEst starts rho at 0.5: COPS has 4.5, whose first digit the file's columns cut off.
    start[:, [0, 2, 9, 10]] = [0.5, pi / 4, inertia * np.sin(pi / 4) ** 2, inertia]
    start[:, 1], start[:, 4] = 2 * pi / 3 * t**2, 4 * pi / 3 * t
    upper = np.tile([length, pi, pi, *[np.inf] * 3, 1.0, 1.0, 1.0, np.inf, np.inf], (nh + 1, 1))
    lower = -upper
    lower[:, [0, 2]] = 0.0
    lower[0, :6] = upper[0, :6] = [4.5, 0.0, pi / 4, 0.0, 0.0, 0.0]
    lower[nh, :6] = upper[nh, :6] = [4.5, 2 * pi / 3, pi / 4, 0.0, 0.0, 0.0]
    y = model.variables((nh + 1, 11), start=start, lower=lower, upper=upper)
    rho, phi, inertia_theta, inertia_phi = y[:, 0], y[:, 2], y[:, 9], y[:, 10]
    model.minimize_linear(float(nh), step)
    motion = model.constraints((nh, 6), lower=0, upper=0)
    for k in range(3):
        _advance(motion[:, k], y[:, k], step, y[:, 3 + k])
    _advance(motion[:, 3], y[:, 3], step, y[:, 6], 1 / length)
    for k, moment in ((1, inertia_theta), (2, inertia_phi)):
        motion[:, 3 + k].add_linear(1.0, y[:-1, 3 + k])
        motion[:, 3 + k].add_linear(-1.0, y[1:, 3 + k])
        for end in (slice(None, -1), slice(1, None)):
            motion[:, 3 + k].add(lambda h, f, i: h * f / i / 2, step, y[end, 6 + k], moment[end])
    moments = model.constraints((nh + 1, 2), lower=0, upper=0)
    moments[:, 0].add(
        lambda i, r, a: np.sin(a) ** 2 * ((length - r) ** 3 + r**3) / 3 - i, inertia_theta, rho, phi
    )
    moments[:, 1].add(lambda i, r: ((length - r) ** 3 + r**3) / 3 - i, inertia_phi, rho)


@register(
    classification="LOR2-AN-V-V",
    optimum=lambda nh=400: {50: 0.554668, 100: 0.554595, 200: 0.554577, 400: 0.554572}.get(nh),
    source=COPS2 + "9",
)
def steering(model: Model, nh: int = 400) -> None:
    """Least time of a particle under a steered force of constant size 100 to a given height and velocity."""
    t = np.arange(nh + 1) / nh
    step = model.variables(start=1.0 / nh, lower=0.0)
    zero = np.zeros(nh + 1)
    lower, upper = np.full((nh + 1, 5), -np.inf), np.full((nh + 1, 5), np.inf)
    lower[:, 0], upper[:, 0] = -np.pi / 2, np.pi / 2
    lower[0, 1:] = upper[0, 1:] = 0.0
    lower[nh, 2:] = upper[nh, 2:] = [5.0, 45.0, 0.0]
    u, *y = model.variables(
        (nh + 1, 5), start=np.stack([zero, zero, 5 * t, 45 * t, zero], axis=1), lower=lower, upper=upper
    ).T
    model.minimize_linear(float(nh), step)
    motion = model.constraints((nh, 4), lower=0, upper=0)
    _advance(motion[:, 0], y[0], step, y[2])
    _advance(motion[:, 1], y[1], step, y[3])
    for k in (2, 3):
        motion[:, k].add_linear(1.0, y[k][:-1])
        motion[:, k].add_linear(-1.0, y[k][1:])
    motion[:, 2].add(lambda h, p, q: 50 * h * (np.cos(p) + np.cos(q)), step, u[:-1], u[1:])
    motion[:, 3].add(lambda h, p, q: 50 * h * (np.sin(p) + np.sin(q)), step, u[:-1], u[1:])


def _glider_force(x: Any, vx: Any, vy: Any, lift: Any) -> tuple[Any, Any]:
    """Horizontal and vertical acceleration of a hang glider in a thermal."""
    r = (x / 100 - 2.5) ** 2
    w = vy - 2.5 * (1 - r) * np.exp(-r)
    v = np.sqrt(vx**2 + w**2)
    pressure = 1.13 * 14.0 / 2 / 100.0  # air density, wing area, mass of glider and pilot
    drag = (0.034 + 0.069662 * lift**2) * pressure * v
    raise_ = lift * pressure * v
    return -raise_ * w - drag * vx, raise_ * vx - drag * w - 9.81


@register(
    classification="LOR2-AN-V-V",
    optimum=lambda nh=400: {50: -1286.90419173, 100: -1255.04374267, 400: -1247.97421791}.get(nh),
    source=COPS3 + ", hang glider; Bulirsch, Nerz, Pesch & von Stryk (1993)",
)
def glider(model: Model, nh: int = 400) -> None:
    """Greatest range of a hang glider in an updraft: position, velocity, lift coefficient, free time."""
    t = np.arange(nh + 1) / nh
    ones = np.ones(nh + 1)
    vx0, vy0 = 13.227567500, -1.2875005200
    # COPS starts with a flight of one second, as long as none of its speeds allows.
    step = model.variables(start=100.0 / nh, lower=0.0)
    start = np.stack([100 * vx0 * t, 1000 - 100 * t, vx0 * ones, vy0 * ones, 0.7 * ones], axis=1)
    lower = np.tile([0.0, -np.inf, 0.0, -np.inf, 0.0], (nh + 1, 1))
    upper = np.tile([np.inf, np.inf, np.inf, np.inf, 1.4], (nh + 1, 1))
    lower[0, :4] = upper[0, :4] = [0.0, 1000.0, vx0, vy0]
    lower[nh, 1:4] = upper[nh, 1:4] = [900.0, vx0, vy0]
    x, y, vx, vy, lift = model.variables((nh + 1, 5), start=start, lower=lower, upper=upper).T
    model.minimize_linear(-1.0, x[nh])
    motion = model.constraints((nh, 4), lower=0, upper=0)
    _advance(motion[:, 0], x, step, vx)
    _advance(motion[:, 1], y, step, vy)
    for k, v in ((0, vx), (1, vy)):
        motion[:, 2 + k].add_linear(1.0, v[:-1])
        motion[:, 2 + k].add_linear(-1.0, v[1:])
    for end in (slice(None, -1), slice(1, None)):
        state = (x[end], vx[end], vy[end], lift[end])
        motion[:, 2].add(lambda h, *s: h / 2 * _glider_force(*s)[0], step, *state)
        motion[:, 3].add(lambda h, *s: h / 2 * _glider_force(*s)[1], step, *state)
