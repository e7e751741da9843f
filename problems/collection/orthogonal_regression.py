"""Orthogonal regression: fit a curve or surface to points by moving the points onto it.

Every problem has the parameters of the curve first, then the coordinates of the projected points. The sum of
squared distances between points and projections is minimised; one or two constraint rows a point say that the
projection lies on the curve. The data are deterministic perturbations of points on an exact curve.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..model import Model, Variables
from ..registry import register
from .sizes import check_size

SOURCE = "Gulliksson (1990), UMINF-178.90, University of Umea"
MODIFIED = SOURCE + ", modified by Plantagena (1994)"

# The data of the collection were made with this many digits of pi; the frequency below amplifies the rest.
PI = 3.1415926535
FREQUENCY = 237.1531

Points = NDArray[np.float64]


def _angles(points: int) -> Points:
    return np.arange(float(points)) * (2 * PI / points)


def _perturbation(angle: Points, size: float) -> Points:
    return 1 + size * np.cos(FREQUENCY * angle)


def _projections(model: Model, data: Points, start: Points | None = None) -> Variables:
    """Add the projected points (..., d) as variables and their squared distances to the data."""
    projection = model.variables(data.shape, start=data if start is None else start)
    model.minimize(lambda a, b: (a - b) ** 2, projection, data)
    return projection


def _fit_ellipse(model: Model, data: Points, start: list[float]) -> None:
    h11, h12, h22, g1, g2 = model.variables(5, start=start)
    projection = _projections(model, data)
    model.subject_to(
        lambda x, y, h11, h12, h22, g1, g2: h11 * x**2 + 2 * h12 * x * y + h22 * y**2
        - 2 * g1 * x - 2 * g2 * y - 1,
        projection[:, 0], projection[:, 1], h11, h12, h22, g1, g2,
        lower=0,
        upper=0,
    )  # fmt: skip


@register(classification="QQR2-AN-V-V", optimum=22647.8419050, source=SOURCE)
def orthrega(model: Model, levels: int = 6) -> None:
    """Ellipse through a self-similar set of 4**levels points."""
    data = np.full((1, 2), 0.5)
    a, b = 9.0, 6.0
    for _ in range(levels):
        data = (data[:, None, :] + [[a, a], [b, -b], [-a, -a], [-b, b]]).reshape(-1, 2)
        a, b = a / PI, b / PI
    _fit_ellipse(model, data, [1.0, 0.0, 1.0, 0.0, 0.0])


@register(classification="QQR2-AN-27-6", optimum=0.0, source=SOURCE)
def orthregb(model: Model) -> None:
    """Ellipsoid through six points that lie on one."""
    h11, h12, h13, h22, h23, h33, g1, g2, g3 = model.variables(9, start=[1, 0, 0, 1, 0, 1, 0, 0, 0])
    steps = np.array([[9, 9, 0], [6, -6, 0], [-9, -9, 0], [-6, 6, 0], [0, 0, 7], [0, 0, -7]])
    projection = _projections(model, 0.5 + steps)
    x, y, z = projection[:, 0], projection[:, 1], projection[:, 2]
    rows = model.constraints(len(steps), lower=0, upper=0, constant=1.0)
    rows.add(lambda x, y, h11, h12, h22: h11 * x**2 + 2 * h12 * x * y + h22 * y**2, x, y, h11, h12, h22)
    rows.add(
        lambda x, y, z, h13, h23, h33: 2 * h13 * x * z + 2 * h23 * y * z + h33 * z**2, x, y, z, h13, h23, h33
    )
    rows.add(lambda x, y, z, g1, g2, g3: -2 * (g1 * x + g2 * y + g3 * z), x, y, z, g1, g2, g3)


@register(classification="QQR2-AN-V-V", optimum=189.597674243, source=SOURCE)
def orthregc(model: Model, points: int = 5_000) -> None:
    """Ellipse around the origin, rotated, through perturbed points."""
    angle = _angles(points)
    u, v = 2 * np.cos(angle), np.sin(angle)
    rotated = np.column_stack([np.cos(2) * u - np.sin(2) * v, np.sin(2) * u + np.cos(2) * v])
    _fit_ellipse(model, rotated * _perturbation(angle, 0.2)[:, None], [1.0, 0.0, 1.0, 1.0, 1.0])


def _cardioid(points: int, *, size: float, bulge: float = 1.0) -> Points:
    angle = _angles(points)
    radius = (1 + 1.7**2 + bulge * np.cos(angle)) * _perturbation(angle, size)
    return np.column_stack([radius * np.cos(angle), radius * np.sin(angle)])


def _fit_cardioid(model: Model, data: Points, start: Points | None = None) -> None:
    z1, z2, z3 = model.variables(3, start=[1.0, 0.0, 1.0])
    projection = _projections(model, data, start)

    def on_curve(x: Any, y: Any, z1: Any, z2: Any, z3: Any) -> Any:
        square = (x - z1) ** 2 + (y - z2) ** 2
        return square**2 - square * (1 + z3**2) ** 2

    model.subject_to(on_curve, projection[:, 0], projection[:, 1], z1, z2, z3, lower=0, upper=0)


@register(classification="QOR2-AY-V-V", optimum=762.064321784, source=SOURCE)
def orthregd(model: Model, points: int = 2_500) -> None:
    """Circle (the paper calls it a cardioid) through perturbed points of a cardioid."""
    _fit_cardioid(model, _cardioid(points, size=0.2))


@register(classification="QOR2-AY-V-V", optimum=311.015311392, source=MODIFIED)
def orthrdm2(model: Model, points: int = 4_000) -> None:
    """ORTHREGD, perturbed less: no projection goes to the centre, where the Jacobian is singular."""
    _fit_cardioid(model, _cardioid(points, size=0.1))


@register(classification="QOR2-AY-V-V", optimum=761.455018885, source=MODIFIED)
def orthrds2(model: Model, points: int = 2_500) -> None:
    """ORTHREGD with one point moved to pull its projection to the centre, where the Jacobian is singular."""
    check_size("points", points, least=5)
    data = _cardioid(points, size=0.2)
    data[4] = 1.1, 0.1
    _fit_cardioid(model, data)


@register(classification="QOR2-AY-V-V", optimum=1513.80232345, source=MODIFIED)
def orthrgdm(model: Model, points: int = 5_000) -> None:
    """ORTHREGD with a rounder curve: no projection goes to the centre."""
    _fit_cardioid(model, _cardioid(points, size=0.2, bulge=0.25))


@register(classification="QOR2-AY-V-V", optimum=1523.89973288, source=MODIFIED)
def orthrgds(model: Model, points: int = 5_000) -> None:
    """ORTHREGD with ten projections started where they go to the centre: ill-conditioned Jacobians."""
    check_size("points", points, least=14)
    data = _cardioid(points, size=0.2)
    start = data.copy()
    start[4:14] = 1.8, 1.0
    _fit_cardioid(model, data, start)


@register(classification="QOR2-AY-V-V", optimum=None, source=SOURCE)
def orthrege(model: Model, points: int = 2_500) -> None:
    """Elliptic helix through perturbed points in space; p6 >= 0.001.

    Both coordinates follow a cosine, as coded in CUTEst; the paper's second one is a sine.
    """
    angle = _angles(points)
    curve = np.column_stack([1.7 * np.cos(angle), 0.8 * np.sin(angle), 2 * angle])
    lower = np.r_[np.full(5, -np.inf), 0.001]
    p1, p2, p3, p4, p5, p6 = model.variables(6, start=[1.0, 0.0, 1.0, 1.0, 0.0, 0.25], lower=lower)
    projection = _projections(model, curve * _perturbation(angle, 0.2)[:, None])
    x, y, z = projection[:, 0], projection[:, 1], projection[:, 2]
    rows = model.constraints((points, 2), lower=0, upper=0)
    rows[:, 0].add(lambda x, z, p, q, b, c: x - p - q * np.cos((z - b) / c), x, z, p1, p4, p3, p6)
    rows[:, 1].add(lambda y, z, p, q, b, c: y - p - q * np.cos((z - b) / c), y, z, p2, p5, p3, p6)


@register(classification="QOR2-AY-V-V", optimum=70.9528629443, source=SOURCE)
def orthregf(model: Model, grid: int = 40) -> None:
    """Torus through grid**2 perturbed points in space; radii at least 0.001."""
    tube, ring = _angles(grid)[:, None], _angles(grid)[None, :]
    radius = 1.7 + 0.8 * np.cos(tube)
    height = 0.8 * np.sin(tube) * np.ones_like(ring)
    surface = np.stack([radius * np.cos(ring), radius * np.sin(ring), height], axis=-1)
    lower = np.r_[np.full(3, -np.inf), 0.001, 0.001]
    p1, p2, p3, p4, p5 = model.variables(5, start=[1.0, 0.0, 1.0, 1.0, 0.5], lower=lower)
    projection = _projections(model, surface * _perturbation(ring, 0.2)[..., None])
    model.subject_to(
        lambda x, y, z, p1, p2, p3, p4, p5: (np.sqrt((x - p1) ** 2 + (y - p2) ** 2) / p4 - 1) ** 2
        + (z - p3) ** 2 - p5**2,
        projection[..., 0], projection[..., 1], projection[..., 2], p1, p2, p3, p4, p5,
        lower=0,
        upper=0,
    )  # fmt: skip
