"""Optimal control of elliptic equations on the unit square and cube by finite differences.

All problems track a desired state y_d with a cost on the control,

    minimise 1/2 ||y - y_d||^2 + alpha/2 ||u||^2,

on a uniform grid with ``n`` inner points a side and h = 1/(n + 1); norms are the sums over the grid times h^2
(h^3 in space, h on an edge). The state equations are multiplied by h^2: all coefficients stay near one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Rows, Variables

HINZE = "Hinze, Pinnau, Ulbrich & Ulbrich, Optimization with PDE Constraints (2009), section 3.4"
MAURER_MITTELMANN_DISTRIBUTED = "Maurer & Mittelmann, Comput. Optim. Appl. 18 (2001) 141-160"
MAURER_MITTELMANN_BOUNDARY = "Maurer & Mittelmann, Comput. Optim. Appl. 16 (2000) 29-55"
TROELTZSCH = "Troeltzsch, Optimal Control of Partial Differential Equations (2010), section 4.1"


def _coordinates(n: int, dims: int) -> list[NDArray[np.float64]]:
    """Coordinates of the inner points, broadcasting against each other."""
    return [x / (n + 1) for x in np.ogrid[(slice(1, n + 1),) * dims]]


def _add_laplacian(rows: Rows, y: Variables) -> None:
    """Add -h^2 Laplace(y) with zero boundary values to `rows`; both have the shape of the inner grid."""
    dims = len(y.shape)
    rows.add_linear(2.0 * dims, y)
    for axis in range(dims):
        before = (slice(None),) * axis
        lower, upper = (*before, slice(None, -1)), (*before, slice(1, None))
        rows[lower].add_linear(-1.0, y[upper])
        rows[upper].add_linear(-1.0, y[lower])


def _distributed(
    model: Model,
    n: int,
    dims: int,
    target: NDArray[np.float64],
    alpha: float,
    *,
    reaction: Callable[[Any], Any] | None = None,
    control: tuple[float, float] = (-np.inf, np.inf),
    state: ArrayLike = np.inf,
) -> None:
    """Track `target` by u in -Laplace(y) + reaction(y) = u with `control` bounds and y <= `state`."""
    h = 1.0 / (n + 1)
    shape = (n,) * dims
    y = model.variables(shape, upper=state)
    u = model.variables(shape, lower=control[0], upper=control[1])
    cell = h**dims
    model.minimize(lambda d, v: (v - d) ** 2, target, y, weight=cell / 2)
    model.minimize(lambda v: v**2, u, weight=alpha * cell / 2)
    equation = model.constraints(shape, lower=0, upper=0)
    _add_laplacian(equation, y)
    equation.add_linear(-(h**2), u)
    if reaction is not None:
        equation.add(reaction, y, weight=h**2)


def _bump(n: int, dims: int) -> NDArray[np.float64]:
    """Product of sin(2 pi x_k), with the first coordinate's exponential to break the symmetry."""
    x = _coordinates(n, dims)
    product: NDArray[np.float64] = np.exp(2 * x[0]) / 6 + np.zeros((n,) * dims)
    for c in x:
        product = product * np.sin(2 * np.pi * c)
    return product


@register(
    classification="QLR2-MN-V-V",
    optimum=lambda n=100, alpha=0.001: {(100, 0.001): 0.0362466962333}.get((n, alpha)),
    source=HINZE,
)
def poissoncontrol2d(model: Model, n: int = 100, alpha: float = 1e-3) -> None:
    """Distributed control of Poisson's equation on the square, no bounds: 2 n^2 variables, n^2 equations."""
    _distributed(model, n, 2, _bump(n, 2), alpha)


@register(
    classification="QLR2-MN-V-V",
    optimum=lambda n=20, alpha=0.001: {(20, 0.001): 0.0196929649247}.get((n, alpha)),
    source=HINZE,
)
def poissoncontrol3d(model: Model, n: int = 20, alpha: float = 1e-3) -> None:
    """Distributed control of Poisson's equation in the cube, no bounds: 2 n^3 variables, n^3 equations."""
    _distributed(model, n, 3, _bump(n, 3), alpha)


@register(
    classification="QLR2-MN-V-V",
    optimum=lambda n=100, alpha=0.0001: {(100, 0.0001): 0.0371724067367}.get((n, alpha)),
    source=HINZE + ", control constraints",
)
def poissonbounded2d(model: Model, n: int = 100, alpha: float = 1e-4) -> None:
    """POISSONCONTROL2D with -2 <= u <= 2."""
    _distributed(model, n, 2, _bump(n, 2), alpha, control=(-2.0, 2.0))


@register(
    classification="QLR2-MN-V-V",
    optimum=lambda n=100, alpha=0.0001: {(100, 0.0001): 0.0257736660737}.get((n, alpha)),
    source=HINZE + ", state constraints",
)
def poissonstate2d(model: Model, n: int = 100, alpha: float = 1e-4) -> None:
    """POISSONCONTROL2D with y <= 0.05: a state constraint, with multipliers that concentrate."""
    _distributed(model, n, 2, _bump(n, 2), alpha, state=0.05)


@register(
    classification="QOR2-MN-V-V",
    optimum=lambda n=100, alpha=0.001: {(100, 0.001): 0.0365408575983}.get((n, alpha)),
    source=TROELTZSCH,
)
def semilinearcontrol2d(model: Model, n: int = 100, alpha: float = 1e-3) -> None:
    """Distributed control of -Laplace(y) + y^3 = u on the square with -5 <= u <= 5."""
    _distributed(model, n, 2, _bump(n, 2), alpha, reaction=lambda v: v**3, control=(-5.0, 5.0))


@register(classification="QOR2-MN-V-V", source=TROELTZSCH)
def semilinearcontrol3d(model: Model, n: int = 20, alpha: float = 1e-3) -> None:
    """Distributed control of -Laplace(y) + y^3 = u in the cube with -5 <= u <= 5."""
    _distributed(model, n, 3, _bump(n, 3), alpha, reaction=lambda v: v**3, control=(-5.0, 5.0))


@register(
    classification="QOR2-MN-V-V",
    optimum=lambda n=100, alpha=0.0001: {(100, 0.0001): 0.0294292626626}.get((n, alpha)),
    source=TROELTZSCH,
)
def exponentialcontrol2d(model: Model, n: int = 100, alpha: float = 1e-4) -> None:
    """Distributed control of -Laplace(y) + exp(y) = u on the square, u between -8 and 9, y at most 0.05."""
    _distributed(
        model, n, 2, _bump(n, 2), alpha, reaction=lambda v: np.exp(v), control=(-8.0, 9.0), state=0.05
    )


def _add_neumann_laplacian(rows: Rows, y: Variables) -> None:
    """Add -h^2 Laplace(y) to `rows`, the outward derivative taken as 0: values at the centres of cells."""
    for axis in range(len(y.shape)):
        before = (slice(None),) * axis
        lower, upper = (*before, slice(None, -1)), (*before, slice(1, None))
        for here, there in ((lower, upper), (upper, lower)):
            rows[here].add_linear(1.0, y[here])
            rows[here].add_linear(-1.0, y[there])


@register(
    classification="QQR2-MN-V-V",
    optimum=lambda n=100, cost=1.0: {(100, 1.0): -6.1401915038}.get((n, cost)),
    source="after " + MAURER_MITTELMANN_DISTRIBUTED + ", logistic growth",
)
def logisticcontrol2d(model: Model, n: int = 100, cost: float = 1.0) -> None:
    """Best harvest u in [1.6, 2.8] of a population -Laplace(y) = y (7 + 4 sin(2 pi s t) - y - u)."""
    h = 1.0 / n
    centre = (np.arange(n) + 0.5) * h
    growth = 7 + 4 * np.sin(2 * np.pi * centre[:, None] * centre)
    y = model.variables((n, n), start=5.0, lower=0.0, upper=6.5)
    u = model.variables((n, n), start=2.0, lower=1.6, upper=2.8)
    model.minimize(lambda c, a, v: c * v**2 - 0.8 * v * a, cost, y, u, weight=h**2)
    equation = model.constraints((n, n), lower=0, upper=0)
    _add_neumann_laplacian(equation, y)
    equation.add(lambda g, a, v: a * (a + v - g), growth, y, u, weight=h**2)


def _sides(grid: Any) -> list[Any]:
    """The four sides of a square block of variables, rows or numbers."""
    return [grid[0], grid[-1], grid[:, 0], grid[:, -1]]


@register(
    classification="QLR2-MN-V-V",
    optimum=lambda n=100, alpha=0.01: {(100, 0.01): 0.196548592697}.get((n, alpha)),
    source=MAURER_MITTELMANN_BOUNDARY + ", Dirichlet control",
)
def dirichletcontrol2d(model: Model, n: int = 100, alpha: float = 0.01) -> None:
    """Boundary values u in [0, 10] steer -Laplace(y) = 20 to 3 + 5 s(s-1) t(t-1) under y <= 3.5."""
    h = 1.0 / (n + 1)
    s, t = _coordinates(n, 2)
    y = model.variables((n, n), upper=3.5)
    u = model.variables((4, n), lower=0.0, upper=10.0)
    target = 3 + 5 * s * (s - 1) * t * (t - 1)
    model.minimize(lambda d, v: (v - d) ** 2, target, y, weight=h**2 / 2)
    model.minimize(lambda v: v**2, u, weight=alpha * h / 2)
    equation = model.constraints((n, n), lower=0, upper=0, constant=20 * h**2)
    _add_laplacian(equation, y)
    for k, side in enumerate(_sides(equation)):
        side.add_linear(-1.0, u[k])


@register(
    classification="QOR2-MN-V-V",
    optimum=lambda n=100, alpha=0.01: {(100, 0.01): 0.270198666072}.get((n, alpha)),
    source="after " + MAURER_MITTELMANN_BOUNDARY + ", Neumann control",
)
def neumanncontrol2d(model: Model, n: int = 100, alpha: float = 0.01) -> None:
    """Boundary flux u in [1.8, 2.5] steers -Laplace(y) + y^3 - y = 0 to 2 - 2 (s(s-1) + t(t-1)), y <= 2.7."""
    h = 1.0 / n
    centre = (np.arange(n) + 0.5) * h
    s, t = centre[:, None], centre
    y = model.variables((n, n), start=2.0, upper=2.7)
    u = model.variables((4, n), start=2.0, lower=1.8, upper=2.5)
    target = 2 - 2 * (s * (s - 1) + t * (t - 1))
    model.minimize(lambda d, v: (v - d) ** 2, target, y, weight=h**2 / 2)
    model.minimize(lambda v: v**2, u, weight=alpha * h / 2)
    equation = model.constraints((n, n), lower=0, upper=0)
    _add_neumann_laplacian(equation, y)
    equation.add(lambda v: v**3 - v, y, weight=h**2)
    for k, side in enumerate(_sides(equation)):
        side.add_linear(-h, u[k])
