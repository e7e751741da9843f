"""Discretised variational problems with bounds: torsion of a bar, obstacles, journal bearing, clamped plate.

Variables and groups stand in CUTEst's order, so values can be compared entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Variables

MORE_TORALDO = "More & Toraldo, SIAM J. Optim. 1 (1991) 93-113"
DEMBO_TULOWITZKI = "Dembo & Tulowitzki, WP 71, Yale University (1983)"


def _inside(shape: tuple[int, int]) -> NDArray[np.bool_]:
    """True at the inner points of a grid."""
    inside = np.zeros(shape, dtype=bool)
    inside[1:-1, 1:-1] = True
    return inside


def _membrane(model: Model, x: Variables, weights: tuple[float, float], load: float) -> None:
    """Sum over inner points of the weighted squared slopes to the four neighbours, less load times height."""
    centre = x[1:-1, 1:-1]
    for weight, a, b in (
        (weights[0], x[2:, 1:-1], x[:-2, 1:-1]),
        (weights[1], x[1:-1, 2:], x[1:-1, :-2]),
    ):
        model.minimize(lambda c, p, q: (p - c) ** 2 + (q - c) ** 2, centre, a, b, weight=weight)
    model.minimize_linear(-load, centre)


def _torsion(whole_edges: bool, force: float, from_upper: bool) -> Callable[..., None]:
    """Return the model of a TORSION problem.

    `whole_edges` takes the edges of all triangles (TORSIONA-F), else those of inner points (TORSION1-6); the
    start is the upper bound or 0.
    """

    def build(model: Model, q: int = 37) -> None:
        p = 2 * q
        h = 1.0 / (p - 1)
        i = np.minimum(np.arange(p), np.arange(p)[::-1])
        distance = h * np.minimum(i[:, None], i)
        start = distance if from_upper else 0.0
        x = model.variables((p, p), start=start, lower=-distance, upper=distance)
        if not whole_edges:
            _membrane(model, x, (0.25, 0.25), h**2 * force)
            return
        corner, along, across = x[:-1, :-1], x[:-1, 1:], x[1:, :-1]
        for point, a, b in ((corner, along, across), (x[1:, 1:], across, along)):
            model.minimize(lambda c, u, v: ((u - c) ** 2 + (v - c) ** 2) / 4, point, a, b)
        model.minimize_linear(-(h**2) * force, x[1:-1, 1:-1])

    start_text = "upper bound" if from_upper else "origin"
    build.__doc__ = f"Elastic-plastic torsion of a square bar, force {force:g}, from the {start_text}."
    return build


# name: (whole edges, force, starts at the upper bound)
TORSION = {
    f"TORSION{key}": (key in "ABCDEF", force, from_upper)
    for keys in ("123456", "ABCDEF")
    for key, force, from_upper in zip(keys, (5, 5, 10, 10, 20, 20), (True, False) * 3, strict=True)
}
TORSION_OPTIMA: dict[tuple[bool, int], dict[int, float]] = {
    (False, 5): {2: -0.51851852, 5: -0.49234185, 11: -0.45608771, 37: -0.430275649788},
    (False, 10): {2: -1.2592592567, 5: -1.2705380252, 11: -1.2422498827, 37: -1.21695576369},
    (False, 20): {2: -2.7407407353, 5: -2.8971193358, 11: -2.8847068155, 37: -2.86337758032},
    (True, 5): {37: -0.41829600571},
    (True, 10): {37: -1.20420863716},
    (True, 20): {37: -2.8502474788},
}

for _name, (_whole, _force, _upper) in TORSION.items():
    register(
        name=_name,
        classification="QBR2-MY-V-0",
        optimum=lambda q=37, known=TORSION_OPTIMA[_whole, _force]: known.get(q),
        source=MORE_TORALDO,
    )(_torsion(_whole, float(_force), _upper))


def _obstacle(model: Model, px: int, py: int, kind: str, start_at: str) -> None:
    """A membrane over obstacle A or between obstacles B; `start_at` is L, M, U (surfaces) or E (ones)."""
    hx, hy = 1.0 / (px - 1), 1.0 / (py - 1)
    inside = _inside((px, py))
    s, t = hy * np.arange(py), hx * np.arange(px)[:, None]
    if kind == "A":
        lower, upper = np.sin(3.2 * s) * np.sin(3.3 * t), np.full((px, py), 2000.0)
    else:
        wave = np.sin(9.2 * s) * np.sin(9.3 * t)
        lower, upper = wave**3, wave**2 + 0.02
    start = {"L": lower, "M": (lower + upper) / 2, "U": upper, "E": np.ones((px, py))}[start_at]
    x = model.variables(
        (px, py), start=start * inside, lower=np.where(inside, lower, 0.0), upper=np.where(inside, upper, 0.0)
    )
    _membrane(model, x, (hx / (4 * hy), hy / (4 * hx)), hx * hy)


OBSTACLE_A = {(10, 10): 1.397897560, (23, 23): 1.678027027, (32, 32): 1.748270031, (100, 100): 1.88646162022}
OBSTACLE_B = {(10, 10): 2.87503823, (23, 23): 6.51932527, (32, 32): 6.88708670, (100, 100): 7.2721561327}


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda px=100, py=100: OBSTACLE_A.get((px, py)),
    source=DEMBO_TULOWITZKI + ", problem A",
)
def obstclae(model: Model, px: int = 100, py: int = 100) -> None:
    """Membrane over one obstacle, from the constant 1."""
    _obstacle(model, px, py, "A", "E")


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda px=100, py=100: OBSTACLE_A.get((px, py)),
    source=DEMBO_TULOWITZKI + ", problem A",
)
def obstclal(model: Model, px: int = 100, py: int = 100) -> None:
    """Membrane over one obstacle, from the obstacle."""
    _obstacle(model, px, py, "A", "L")


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda px=100, py=100: OBSTACLE_B.get((px, py)),
    source=DEMBO_TULOWITZKI + ", problem B",
)
def obstclbl(model: Model, px: int = 100, py: int = 100) -> None:
    """Membrane between two obstacles, from the lower one."""
    _obstacle(model, px, py, "B", "L")


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda px=100, py=100: OBSTACLE_B.get((px, py)),
    source=DEMBO_TULOWITZKI + ", problem B",
)
def obstclbm(model: Model, px: int = 100, py: int = 100) -> None:
    """Membrane between two obstacles, from the middle."""
    _obstacle(model, px, py, "B", "M")


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda px=100, py=100: OBSTACLE_B.get((px, py)),
    source=DEMBO_TULOWITZKI + ", problem B",
)
def obstclbu(model: Model, px: int = 100, py: int = 100) -> None:
    """Membrane between two obstacles, from the upper one."""
    _obstacle(model, px, py, "B", "U")


def _bearing_start(model: Model, pt: int, py: int, start: NDArray[np.float64]) -> Variables:
    """Nonnegative pressures on a grid of `pt` angles and `py` widths, 0 on its edge."""
    inside = _inside((pt, py))
    return model.variables(
        (pt, py), start=np.where(inside, start[:, None], 0.0), lower=0.0, upper=np.where(inside, np.inf, 0.0)
    )


def _journal_triangles(model: Model, pt: int, py: int, eccentricity: float) -> None:
    """Linear finite elements on both triangles of every cell (JNLBRNG1, JNLBRNG2)."""
    ht, hy = 2 * np.pi / (pt - 1), 20.0 / (py - 1)
    angle = ht * np.arange(pt)
    x = _bearing_start(model, pt, py, np.sin(angle))
    film = (1 + eccentricity * np.cos(angle)) ** 3
    ahead, behind = (2 * film[:-1] + film[1:]) / 6, (2 * film[1:] + film[:-1]) / 6
    a, b = hy / (2 * ht), ht / (2 * hy)
    for weight, point, along, across in (
        (ahead, x[:-1, :-1], x[1:, :-1], x[:-1, 1:]),
        (behind, x[1:, 1:], x[:-1, 1:], x[1:, :-1]),
    ):
        model.minimize(
            lambda a, b, c, u, v: a * (u - c) ** 2 + b * (v - c) ** 2,
            a,
            b,
            point,
            along,
            across,
            weight=weight[:, None],
        )
    model.minimize_linear(-eccentricity * ht * hy * np.sin(angle[1:-1, None]), x[1:-1, 1:-1])


def _journal_points(model: Model, pt: int, py: int, eccentricity: float) -> None:
    """Differences to the four neighbours of every inner point (JNLBRNGA, JNLBRNGB)."""
    ht, hy = 6.2831853 / (pt - 1), 20.0 / (py - 1)
    angle = ht * np.arange(pt)
    x = _bearing_start(model, pt, py, np.zeros(pt))
    film = (1 + eccentricity * np.cos(angle)) ** 3
    twelfth = 0.0833333333  # to ten digits, as CUTEst has it
    a, b = hy / ht, ht / hy
    for weight, step in (
        (2 * film[1:-1] * film[2:] * twelfth, slice(2, None)),
        (2 * film[1:-1] * film[:-2] * twelfth, slice(None, -2)),
    ):
        model.minimize(
            lambda a, b, c, u, v: a * (u - c) ** 2 + b * (v - c) ** 2,
            a,
            b,
            x[1:-1, 1:-1],
            x[step, 1:-1],
            x[1:-1, step],
            weight=weight[:, None],
        )
    model.minimize_linear(-eccentricity * ht * hy * np.sin(angle[1:-1, None]), x[1:-1, 1:-1])


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda pt=100, py=100: {(100, 100): -0.18057295178}.get((pt, py)),
    source=MORE_TORALDO,
)
def jnlbrng1(model: Model, pt: int = 100, py: int = 100) -> None:
    """Pressure in a journal bearing of eccentricity 0.1, from a sine wave."""
    _journal_triangles(model, pt, py, 0.1)


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda pt=100, py=100: {(100, 100): -4.14865246089}.get((pt, py)),
    source=MORE_TORALDO,
)
def jnlbrng2(model: Model, pt: int = 100, py: int = 100) -> None:
    """Pressure in a journal bearing of eccentricity 0.5, from a sine wave."""
    _journal_triangles(model, pt, py, 0.5)


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda pt=100, py=100: {(100, 100): -0.271101459937}.get((pt, py)),
    source=MORE_TORALDO,
)
def jnlbrnga(model: Model, pt: int = 100, py: int = 100) -> None:
    """Pressure in a journal bearing of eccentricity 0.1, from the origin."""
    _journal_points(model, pt, py, 0.1)


@register(
    classification="QBR2-AY-V-0",
    optimum=lambda pt=100, py=100: {(100, 100): -6.30068634774}.get((pt, py)),
    source=MORE_TORALDO,
)
def jnlbrngb(model: Model, pt: int = 100, py: int = 100) -> None:
    """Pressure in a journal bearing of eccentricity 0.5, from the origin."""
    _journal_points(model, pt, py, 0.5)


@register(
    classification="OXR2-MN-V-0",
    optimum=lambda p=71: {71: -0.012592}.get(p),
    source="Toint, Numer. Math. (partially separable structure); SIF by Ph. Toint (1989)",
)
def clplatea(model: Model, p: int = 71) -> None:
    """A clamped plate with a load on one corner: quadratic and quartic slopes."""
    clamped = np.where(np.arange(p) == 0, 0.0, np.inf)
    x = model.variables((p, p), lower=-clamped, upper=clamped)
    stiff = p**2 / 2
    for neighbour in (x[:-1, 1:], x[1:, :-1]):
        model.minimize(lambda s, a, b: (a - b) ** 2 / 2 + s * (a - b) ** 4, stiff, x[1:, 1:], neighbour)
    model.minimize_linear(-0.1, x[p - 1, p - 1])
