"""Semilinear elliptic equations as square systems: BRATU2D, BRATU3D, CBRATU2D, CBRATU3D, POROUS1.

Variables and rows stand in CUTEst's order, so values can be compared entry by entry. There is no objective.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Rows, Variables

MORE = "More, A collection of nonlinear model problems, Argonne MCS-P60-0289 (1989), problem 3"


def _laplacian(rows: Rows, u: Variables) -> None:
    """Add minus the Laplacian, times h^2, of `u` at its inner points to `rows`."""
    dims = len(u.shape)
    centre = (slice(1, -1),) * dims
    rows.add_linear(2.0 * dims, u[centre])
    for axis in range(dims):
        for step in (slice(2, None), slice(None, -2)):
            rows.add_linear(-1.0, u[(*centre[:axis], step, *centre[axis + 1 :])])


def _grid(model: Model, p: int, dims: int, fields: int) -> list[Variables]:
    """Fields on a grid of p points a side that vanish on the boundary, indexed (i, j[, k]).

    CUTEst lets the second index vary slowest, hence the exchange of axes.
    """
    inside = np.zeros((p,) * dims, dtype=bool)
    inside[(slice(1, -1),) * dims] = True
    bound = np.where(np.repeat(inside[..., None], fields, axis=-1), np.inf, 0.0)
    x = model.variables(bound.size, lower=-bound.ravel(), upper=bound.ravel())
    index = np.arange(bound.size).reshape(bound.shape).swapaxes(0, 1)
    return [x[index[..., k]] for k in range(fields)]


def _bratu(model: Model, p: int, dims: int, coefficient: float) -> None:
    """-Laplace(u) = coefficient exp(u) on the unit cube."""
    (u,) = _grid(model, p, dims, 1)
    rows = model.constraints((p - 2,) * dims, lower=0, upper=0)
    _laplacian(rows, u)
    c = coefficient / (p - 1) ** 2
    rows.add(lambda a: np.exp(a), u[(slice(1, -1),) * dims], weight=-c)


def _complex_bratu(model: Model, p: int, dims: int, coefficient: float) -> None:
    """The Bratu equation for a complex u, real and imaginary parts interleaved."""
    real, imaginary = _grid(model, p, dims, 2)
    rows = model.constraints((p - 2,) * dims + (2,), lower=0, upper=0)
    _laplacian(rows[..., 0], real)
    _laplacian(rows[..., 1], imaginary)
    c = coefficient / (p - 1) ** 2
    inner = (slice(1, -1),) * dims
    rows[..., 0].add(lambda a, b: np.exp(a) * np.cos(b), real[inner], imaginary[inner], weight=-c)
    rows[..., 1].add(lambda a, b: np.exp(a) * np.sin(b), real[inner], imaginary[inner], weight=-c)


@register(classification="NOR2-MN-V-V", optimum=0.0, source=MORE)
def bratu2d(model: Model, p: int = 72) -> None:
    """Bratu's equation -Laplace(u) = 4 exp(u) on the unit square."""
    _bratu(model, p, 2, 4.0)


@register(classification="NOR2-MN-V-V", optimum=0.0, source=MORE)
def bratu3d(model: Model, p: int = 17) -> None:
    """Bratu's equation -Laplace(u) = 6.80812 exp(u) on the unit cube."""
    _bratu(model, p, 3, 6.80812)


@register(classification="NOR2-MN-V-V", optimum=0.0, source=MORE + ", complex form")
def cbratu2d(model: Model, p: int = 40) -> None:
    """Complex Bratu equation with coefficient 5 on the unit square."""
    _complex_bratu(model, p, 2, 5.0)


@register(classification="NOR2-MN-V-V", optimum=0.0, source=MORE + ", complex form")
def cbratu3d(model: Model, p: int = 12) -> None:
    """Complex Bratu equation with coefficient 6.80812 on the unit cube."""
    _complex_bratu(model, p, 3, 6.80812)


@register(
    classification="NOR2-MN-V-V",
    optimum=0.0,
    source="Eisenstat & Walker, Utah State University report 6/94/75 (1994), example 3.2.4",
)
def porous1(model: Model, p: int = 72) -> None:
    """Flow in a porous medium: Laplace(u^2) + 50 d(u^3)/dx + f = 0, a source of 50 in one corner."""
    h = 1.0 / (p - 1)
    t = h * np.arange(p)
    fixed = np.full((p, p), np.nan)
    fixed[-1], fixed[0] = 1.0, 0.0  # the sides of the second coordinate
    fixed[:, 0], fixed[:, -1] = 1.0, 0.0
    free = np.isnan(fixed)
    x = model.variables(
        (p, p),
        start=1 - t[:, None] * t,
        lower=np.where(free, -np.inf, fixed),
        upper=np.where(free, np.inf, fixed),
    )
    u = x[np.arange(p)[None, :], np.arange(p)[:, None]]
    source = np.zeros((p - 2, p - 2))
    source[-1, -1] = 50.0
    rows = model.constraints((p - 2, p - 2), lower=0, upper=0, constant=-source)
    rows.add(lambda a: a**2, u[1:-1, 1:-1], weight=-4 / h**2)
    for neighbour in (u[2:, 1:-1], u[:-2, 1:-1], u[1:-1, 2:], u[1:-1, :-2]):
        rows.add(lambda a: a**2, neighbour, weight=1 / h**2)
    rows.add(lambda a, b: a**3 - b**3, u[2:, 1:-1], u[:-2, 1:-1], weight=25 / h)
