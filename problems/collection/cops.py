"""COPS: shapes and controls of moderate size: CHAIN, CAMSHAPE, ELEC, CATMIX, CATALYSTMIX, POLYGON.

Those that CUTEst holds have its order of variables and rows, so values can be compared entry by entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model

COPS2 = "Dolan & More, COPS 2.0, Argonne ANL/MCS-TM-246 (2000), problem "


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=400: {50: 5.07226, 100: 5.06987, 200: 5.06891, 400: 5.06862}.get(nh),
    source=COPS2 + "3",
)
def chain(model: Model, nh: int = 400) -> None:
    """Hanging chain of length 4 between heights 1 and 3: least potential energy."""
    a, b, length, h = 1.0, 3.0, 4.0, 1.0 / nh
    t = h * np.arange(nh + 1)
    end = (t == 0) | (np.arange(nh + 1) == nh)
    height = np.where(t == 0, a, b)
    x_start = 4 * abs(b - a) * t * (t / 2 - 0.25) + a
    u_start = 4 * abs(b - a) * (t - 0.25)
    free = np.full(nh + 1, np.inf)
    x, u = model.variables(
        (nh + 1, 2),
        start=np.stack([x_start, u_start], axis=1),
        lower=np.stack([np.where(end, height, -np.inf), -free], axis=1),
        upper=np.stack([np.where(end, height, np.inf), free], axis=1),
    ).T
    weight = h * np.where(end, 0.5, 1.0)
    model.minimize(lambda p, s: p * np.sqrt(1 + s**2), x, u, weight=weight)
    slope = model.constraints(nh, lower=0, upper=0)
    slope.add_linear(1.0, x[:-1])
    slope.add_linear(-1.0, x[1:])
    slope.add_linear(h / 2, u[:-1])
    slope.add_linear(h / 2, u[1:])
    total = model.constraints((), lower=0, upper=0, constant=length)
    total.add(lambda s: np.sqrt(1 + s**2), u, weight=weight)


@register(
    classification="LOR2-AN-V-V",
    optimum=lambda n=800: {100: -4.2841, 200: -4.2785, 400: -4.2757, 800: -4.2743}.get(n),
    source=COPS2 + "4",
)
def camshape(model: Model, n: int = 800) -> None:
    """Radii of a convex cam of largest valve opening, with bounded curvature and change of radius."""
    low, high, alpha = 1.0, 2.0, 1.5
    angle = 2 * np.pi / (5 * (n + 1))
    twice_cos, step = 2 * np.cos(angle), alpha * angle
    r = model.variables(n, start=(low + high) / 2, lower=low, upper=high)
    model.minimize_linear(-np.pi / n, r)
    convex = model.constraints(n - 2, upper=0)
    convex.add(lambda c, p, q, s: c * p * s - q * (p + s), twice_cos, r[:-2], r[1:-1], r[2:])
    model.subject_to(lambda c, p, q: low * (c * q - p) - p * q, twice_cos, r[0], r[1], upper=0)
    model.subject_to(lambda c, p: low * (c * p - p - low), twice_cos, r[0], upper=0)
    model.subject_to(lambda c, p, q: high * (c * p - q) - p * q, twice_cos, r[n - 2], r[n - 1], upper=0)
    model.subject_to(lambda c, q: c * q**2 - 2 * high * q, twice_cos, r[n - 1], upper=0)
    change = model.constraints(
        n + 1, lower=0, upper=2 * step, constant=np.r_[low - step, np.full(n - 1, -step), -step - high]
    )
    change[:n].add_linear(1.0, r)
    change[1:].add_linear(-1.0, r)


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda points=200: {25: 243.812, 50: 1055.18, 100: 4448.36, 200: 18438.9}.get(points),
    source=COPS2 + "2",
)
def elec(model: Model, points: int = 200) -> None:
    """Thomson's problem: electrons on the unit sphere with least Coulomb energy."""
    i = np.arange(1, points + 1)
    theta, phi = 2 * np.pi * i / points, np.pi * (i - 1) / points
    start = np.stack([np.cos(theta) * np.sin(phi), np.sin(theta) * np.sin(phi), np.cos(phi)], axis=1)
    x = model.variables((points, 3), start=start)
    first, second = np.triu_indices(points, 1)
    model.minimize(
        lambda a, b, c, d, e, f: 1 / np.sqrt((a - d) ** 2 + (b - e) ** 2 + (c - f) ** 2),
        *x[first].T,
        *x[second].T,
    )
    model.subject_to(lambda a, b, c: a**2 + b**2 + c**2 - 1, *x.T, lower=0, upper=0)


def _catalysts(model: Model, nh: int, second: slice | int) -> None:
    """Mixing policy u, catalysts x1, x2 at nh + 1 points; `second`: where the second rate is taken."""
    lower = np.tile([0.0, -np.inf, -np.inf], (nh + 1, 1))
    upper = np.tile([1.0, np.inf, np.inf], (nh + 1, 1))
    lower[0, 1:] = upper[0, 1:] = [1.0, 0.0]
    u, x1, x2 = model.variables((nh + 1, 3), start=[0.0, 1.0, 0.0], lower=lower, upper=upper).T
    model.minimize_linear(1.0, x1[nh])
    model.minimize_linear(1.0, x2[nh])
    model.minimize_constant(-1.0)
    ode = model.constraints((nh, 2), lower=0, upper=0)
    for row, x in ((ode[:, 0], x1), (ode[:, 1], x2)):
        row.add_linear(1.0, x[:-1])
        row.add_linear(-1.0, x[1:])
    for at in (slice(None, -1), second):
        v, p, q = u[at], x1[at], x2[at]
        ode[:, 0].add(lambda v, p, q: v * (10 * q - p), v, p, q, weight=0.5 / nh)
        ode[:, 1].add(lambda v, p, q: v * (p - 10 * q) + (v - 1) * q, v, p, q, weight=0.5 / nh)


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=800: {100: -0.047748, 200: -0.048016, 400: -0.047862, 800: -0.047185}.get(nh),
    source=COPS2 + "14, as CUTEst holds it",
)
def catmix(model: Model, nh: int = 800) -> None:
    """Best mixing of two catalysts in a reactor, with CUTEst's slip: second rates are the last point's."""
    _catalysts(model, nh, nh)


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nh=800: {800: -0.0480558708012}.get(nh),
    source=COPS2 + "14",
)
def catalystmix(model: Model, nh: int = 800) -> None:
    """Best mixing of two catalysts in a tubular reactor by the trapezoidal rule: CATMIX as COPS means it."""
    _catalysts(model, nh, slice(1, None))


@register(
    classification="OOR2-AN-V-V",
    optimum=lambda nv=100: {25: -0.77974, 50: -0.77839, 100: -0.77847, 200: -0.77850}.get(nv),
    source=COPS2 + "1",
)
def polygon(model: Model, nv: int = 100) -> None:
    """Polygon of largest area with diameter at most 1: polar radius and angle of each vertex."""
    i = np.arange(1, nv + 1)
    last = i == nv
    start = np.stack([4 * i * (nv + 1 - i) / (nv + 1) ** 2, np.pi * i / nv], axis=1)
    start[-1] = 0.0
    upper = np.stack([np.where(last, 0.0, 1.0), np.full(nv, np.pi)], axis=1)
    r, t = model.variables(
        (nv, 2), start=start, lower=np.stack([np.zeros(nv), np.where(last, np.pi, 0.0)], axis=1), upper=upper
    ).T
    model.minimize(lambda p, q, a, b: -p * q * np.sin(b - a) / 2, r[:-1], r[1:], t[:-1], t[1:])
    model.subject_to(lambda a, b: b - a, t[:-1], t[1:], lower=0)
    j, k = np.triu_indices(nv, 1)
    model.subject_to(
        lambda p, q, a, b: p**2 + q**2 - 2 * p * q * np.cos(b - a) - 1, r[j], r[k], t[j], t[k], upper=0
    )
