"""Minimal surfaces over the unit square and a related reaction-diffusion energy: MINSURF, LMINSURF, ..., SSC.

Variables and groups stand in CUTEst's order, so values can be compared entry by entry.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Variables

GRIEWANK_TOINT = "Griewank & Toint, Numer. Math. 39 (1982) 429-448"


def _area(model: Model, x: Variables) -> None:
    """Surface area over a square grid, one term a cell from its two diagonals."""
    cells = (x.shape[0] - 1) ** 2
    model.minimize(
        lambda m, a, b, c, d: np.sqrt(1 + m / 2 * ((a - b) ** 2 + (c - d) ** 2)),
        float(cells),
        x[:-1, :-1],
        x[1:, 1:],
        x[1:, :-1],
        x[:-1, 1:],
        weight=1 / cells,
    )


def _frame(p: int, boundary: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """`boundary` on the edge of a p x p grid and 0 inside; and where the edge is."""
    edge = np.ones((p, p), dtype=bool)
    edge[1:-1, 1:-1] = False
    return np.where(edge, boundary, 0.0), edge


def _plane(p: int) -> NDArray[np.float64]:
    """The plane 1 + 8 s + 4 t, with s along the second axis."""
    t = np.arange(p) / (p - 1)
    return 1 + 8 * t + 4 * t[:, None]


@register(
    classification="OXR2-MY-V-0",
    optimum=lambda p=7: 1.0,
    source="Griewank & Toint (1982); see also Toint, SIF (1990)",
)
def minsurf(model: Model, p: int = 7) -> None:
    """Minimal surface in a flat frame, started at 0 inside: the answer is the plane of area 1."""
    _, edge = _frame(p + 1, np.ones((p + 1, p + 1)))
    x = model.variables((p + 1, p + 1), lower=np.where(edge, 1.0, -np.inf), upper=np.where(edge, 1.0, np.inf))
    _area(model, x)


@register(
    classification="OXR2-MY-V-0",
    optimum=lambda p=75: 9.0,
    source=GRIEWANK_TOINT,
)
def lminsurf(model: Model, p: int = 75) -> None:
    """Minimal surface in a plane frame: the answer is the plane, of area 9."""
    start, edge = _frame(p, _plane(p))
    x = model.variables(
        (p, p),
        start=start,
        lower=np.where(edge, start, -np.inf),
        upper=np.where(edge, start, np.inf),
    )
    _area(model, x)


@register(
    classification="OXR2-MY-V-0",
    optimum=lambda p=75: {
        4: 32.15908307,
        7: 36.18183929,
        8: 36.60092706,
        11: 37.3790187,
        31: 38.57170723,
        32: 38.59107615,
        75: 38.948984911,
    }.get(p),
    source=GRIEWANK_TOINT,
)
def nlmsurf(model: Model, p: int = 75) -> None:
    """Minimal surface in a frame of four parabolas."""
    t = np.arange(p) / (p - 1)
    boundary = np.zeros((p, p))
    boundary[-1] = 10 * (t - 1) ** 2 + 8 * t + 1
    boundary[0] = 10 * (t - 2) ** 2 + 8 * t + 5
    boundary[:, 0] = 10 * (t + 1) ** 2 + 4 * t + 1
    boundary[:, -1] = 10 * t**2 + 4 * t + 9
    start, edge = _frame(p, boundary)
    x = model.variables(
        (p, p),
        start=start,
        lower=np.where(edge, start, -np.inf),
        upper=np.where(edge, start, np.inf),
    )
    _area(model, x)


@register(classification="OUR2-MY-V-0", optimum=lambda p=75: 1.0, source=GRIEWANK_TOINT + ", free boundary")
def fminsrf2(model: Model, p: int = 75) -> None:
    """Minimal surface with a free boundary, its middle drawn to 0: the answer is the plane 0."""
    x = model.variables((p, p), start=_frame(p, _plane(p))[0])
    _area(model, x)
    model.minimize(lambda a: a**2, x[p // 2 - 1, p // 2 - 1], weight=1 / p**2)


@register(
    classification="OBR2-AN-V-V",
    optimum=lambda nx=5, ny=10: {
        (5, 10): 2.7402785002,
        (50, 25): 2.51948,
        (50, 50): 2.51488,
        (50, 75): 2.50568,
        (50, 100): 2.50694,
    }.get((nx, ny)),
    source="COPS 2.0 (2000), minimal surface with obstacle; SIF by Ph. Toint",
)
def minsurfo(model: Model, nx: int = 5, ny: int = 10) -> None:
    """Minimal surface under a parabolic arch over a square obstacle (with CUTEst's two idle variables)."""
    hx, hy = 1.0 / (nx + 1), 1.0 / (ny + 1)
    shape = (nx + 2, ny + 2)
    arch = np.broadcast_to(1 - (2 * hx * np.arange(nx + 2)[:, None] - 1) ** 2, shape)
    lower = np.zeros(shape)
    lower[_middle(nx), _middle(ny)] = 1.0
    upper = np.full(shape, np.inf)
    lower[[0, -1]] = upper[[0, -1]] = 0.0
    lower[:, [0, -1]] = upper[:, [0, -1]] = arch[:, [0, -1]]
    v = model.variables(shape, start=arch, lower=lower, upper=upper)
    model.variables(2, lower=0.0)
    for point, along, across in (
        (v[:-1, :-1], v[1:, :-1], v[:-1, 1:]),
        (v[1:, 1:], v[:-1, 1:], v[1:, :-1]),
    ):
        model.minimize(
            lambda h, k, c, a, b: np.sqrt(1 + ((a - c) / h) ** 2 + ((b - c) / k) ** 2),
            hx,
            hy,
            point,
            along,
            across,
            weight=hx * hy / 2,
        )


def _middle(n: int) -> slice:
    """Grid points between 1/4 and 3/4 of an axis with `n` inner points."""
    return slice(int(0.25 * (n + 1)), int(0.75 * (n + 1) + 0.9999999999) + 1)


@register(
    classification="OXR2-MY-V-0",
    optimum=lambda nx=70, ny=70: {(10, 10): -2.0763, (70, 70): -2.07817327555}.get((nx, ny)),
    source="Averick & More, Argonne report MCS-P379-0893 (1993), steady-state combustion",
)
def ssc(model: Model, nx: int = 70, ny: int = 70) -> None:
    """Energy of steady-state combustion (Bratu, lambda = 2) by linear finite elements."""
    hx, hy = 1.0 / (nx + 1), 1.0 / (ny + 1)
    fixed = np.full((nx + 2, ny + 2), np.inf)
    fixed[[0, -1]] = fixed[:, [0, -1]] = 0.0
    x = model.variables(fixed.shape, lower=-fixed, upper=fixed)
    for point, along, across in (
        (x[:-1, :-1], x[1:, :-1], x[:-1, 1:]),
        (x[1:, 1:], x[:-1, 1:], x[1:, :-1]),
    ):
        model.minimize(
            lambda p, q, r, c, a, b: (
                p * (a - c) ** 2 + q * (b - c) ** 2 - r * (np.exp(c) + np.exp(a) + np.exp(b))
            ),
            hy / (4 * hx),
            hx / (4 * hy),
            hx * hy / 3,
            point,
            along,
            across,
        )
