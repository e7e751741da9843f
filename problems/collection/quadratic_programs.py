"""Large quadratic programs (AUG2D, AUG3D, CVXQP, NCVXQP, NCVXBQP, BLOCKQP families) and SVANBERG.

Variables, rows and constants stand in CUTEst's order, so values can be compared entry by entry.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Rows, Variables

AUGMENTED = "augmented system of a finite-difference Laplacian; SIF by N. Gould (1994)"
GOULD = "N. Gould, SIF (1995)"


def _edge(flow: Variables, tail: Rows, head: Rows) -> None:
    """Let `flow` leave the nodes of `tail` and enter those of `head`."""
    tail.add_linear(1.0, flow)
    head.add_linear(-1.0, flow)


def _aug2d(model: Model, nx: int, ny: int, rim_cost: bool, bounds: tuple[float, float, float]) -> None:
    """Flows on the edges of a grid with unit sources: lower bounds are (general, top side, right side)."""
    general, top_bound, right_bound = bounds
    inner = model.variables((ny - 1, nx - 1, 2), lower=general)
    top = model.variables(nx - 1, lower=top_bound)
    right = model.variables(ny - 1, lower=right_bound)
    rim_x, rim_y = model.variables((nx, 2), lower=general), model.variables((ny, 2), lower=general)
    for flow in (inner, top, right) + ((rim_x, rim_y) if rim_cost else ()):
        model.minimize(lambda v: (v - 1) ** 2 / 2, flow)
    node = model.constraints((ny, nx), lower=0, upper=0, constant=1.0)
    _edge(inner[..., 0], node[:-1, :-1], node[:-1, 1:])
    _edge(inner[..., 1], node[:-1, :-1], node[1:, :-1])
    _edge(top, node[-1, :-1], node[-1, 1:])
    _edge(right, node[:-1, -1], node[1:, -1])
    for end in (0, -1):
        node[end].add_linear(1.0, rim_x[:, end])
        node[:, end].add_linear(1.0, rim_y[:, end])


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda nx=100, ny=100: {(100, 100): 1687411.7529}.get((nx, ny)),
    source=AUGMENTED,
)
def aug2d(model: Model, nx: int = 100, ny: int = 100) -> None:
    """Least squares of flows on a planar grid; rim flows cost nothing: convex, not strictly."""
    _aug2d(model, nx, ny, False, (-np.inf, -np.inf, -np.inf))


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda nx=100, ny=100: {(100, 100): 1818368.06557}.get((nx, ny)),
    source=AUGMENTED,
)
def aug2dc(model: Model, nx: int = 100, ny: int = 100) -> None:
    """AUG2D with a cost on all flows."""
    _aug2d(model, nx, ny, True, (-np.inf, -np.inf, -np.inf))


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda nx=100, ny=100: {(100, 100): 6237012.02557}.get((nx, ny)),
    source=AUGMENTED,
)
def aug2dqp(model: Model, nx: int = 100, ny: int = 100) -> None:
    """AUG2D with nonnegative flows, at least 1 along two sides."""
    _aug2d(model, nx, ny, False, (0.0, 1.0, 1.0))


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda nx=100, ny=100: {(100, 100): 6498134.73947}.get((nx, ny)),
    source=AUGMENTED,
)
def aug2dcqp(model: Model, nx: int = 100, ny: int = 100) -> None:
    """AUG2DC with nonnegative flows, at least 1 along one side."""
    _aug2d(model, nx, ny, True, (0.0, 1.0, 0.0))


def _aug3d(model: Model, nx: int, ny: int, nz: int, rim_cost: bool, bounds: tuple[float, float]) -> None:
    """Flows on the edges of a spatial grid with unit sources: lower bounds are (general, far faces)."""
    general, face_bound = bounds
    inner = model.variables((nz - 1, ny - 1, nx - 1, 3), lower=general)
    face_x = model.variables((nz - 1, ny - 1, 2), lower=face_bound)
    face_y = model.variables((nz - 1, nx - 1, 2), lower=face_bound)
    face_z = model.variables((ny - 1, nx - 1, 2), lower=face_bound)
    rims = [model.variables((*shape, 2, 2), lower=general) for shape in ((nz, ny), (nz, nx), (ny, nx))]
    for flow in (inner, face_x, face_y, face_z, *(rims if rim_cost else ())):
        model.minimize(lambda v: (v - 1) ** 2 / 2, flow)
    node = model.constraints((nz, ny, nx), lower=0, upper=0, constant=1.0)
    low, high = slice(None, -1), slice(1, None)
    for flow, tail, head in (
        (inner[..., 0], node[low, low, low], node[low, low, high]),
        (inner[..., 1], node[low, low, low], node[low, high, low]),
        (inner[..., 2], node[low, low, low], node[high, low, low]),
        (face_x[..., 0], node[low, low, -1], node[low, high, -1]),
        (face_x[..., 1], node[low, low, -1], node[high, low, -1]),
        (face_y[..., 0], node[low, -1, low], node[low, -1, high]),
        (face_y[..., 1], node[low, -1, low], node[high, -1, low]),
        (face_z[..., 0], node[-1, low, low], node[-1, low, high]),
        (face_z[..., 1], node[-1, low, low], node[-1, high, low]),
    ):
        _edge(flow, tail, head)
    for end in (0, -1):
        for rim, side in zip(rims, (node[:, :, end], node[:, end, :], node[end]), strict=True):
            side[..., None].add_linear(1.0, rim[:, :, end, :])


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda nx=20, ny=20, nz=20: {(20, 20, 20): 24561.4859699}.get((nx, ny, nz)),
    source=AUGMENTED,
)
def aug3d(model: Model, nx: int = 20, ny: int = 20, nz: int = 20) -> None:
    """Least squares of flows on a spatial grid; rim flows cost nothing: convex, not strictly."""
    _aug3d(model, nx, ny, nz, False, (-np.inf, -np.inf))


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda nx=20, ny=20, nz=20: {(20, 20, 20): 27654.0710877}.get((nx, ny, nz)),
    source=AUGMENTED,
)
def aug3dc(model: Model, nx: int = 20, ny: int = 20, nz: int = 20) -> None:
    """AUG3D with a cost on all flows."""
    _aug3d(model, nx, ny, nz, True, (-np.inf, -np.inf))


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda nx=20, ny=20, nz=20: {(20, 20, 20): 54228.9963898}.get((nx, ny, nz)),
    source=AUGMENTED,
)
def aug3dqp(model: Model, nx: int = 20, ny: int = 20, nz: int = 20) -> None:
    """AUG3D with nonnegative flows, at least 1 along three faces."""
    _aug3d(model, nx, ny, nz, False, (0.0, 1.0))


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda nx=20, ny=20, nz=20: {(20, 20, 20): 61560.3836675}.get((nx, ny, nz)),
    source=AUGMENTED,
)
def aug3dcqp(model: Model, nx: int = 20, ny: int = 20, nz: int = 20) -> None:
    """AUG3DC with nonnegative flows, at least 1 along three faces."""
    _aug3d(model, nx, ny, nz, True, (0.0, 1.0))


def _quarters(n: int, count: int) -> int:
    """`count` quarters of n, rounded as CUTEst does."""
    return {0: 0, 1: n // 4, 2: n // 2, 3: 3 * (n // 4), 4: n}[count]


def _scattered_qp(rows: int, positive: int) -> Callable[..., None]:
    """Return the model of CVXQP, NCVXQP, NCVXBQP: `rows` quarters of n equations, couplings i to 5i.

    Of the n squares, weighted by 1..n, all after the first `positive` quarters count negatively.
    """

    def build(model: Model, n: int = 10_000) -> None:
        x = model.variables(n, start=0.5, lower=0.1, upper=10.0)
        i = np.arange(1, n + 1)
        weight = np.where(i <= _quarters(n, positive), 1.0, -1.0) * i
        model.minimize(
            lambda a, b, c: (a + b + c) ** 2, x, x[(2 * i - 1) % n], x[(3 * i - 1) % n], weight=weight / 2
        )
        if rows > 0:
            k = i[: _quarters(n, rows)]
            row = (x[k - 1], x[(4 * k - 1) % n], x[(5 * k - 1) % n])
            model.subject_to(lambda a, b, c: a + 2 * b + 3 * c - 6, *row, lower=0, upper=0)

    kind = "Convex" if positive == 4 else f"Nonconvex ({positive} of 4 quarters of the squares positive)"
    build.__doc__ = f"{kind} quadratic program with scattered couplings, {rows} n / 4 equations, in a box."
    return build


# name: (quarters of n that are equations, quarters of the squares that are positive, known optima by n)
SCATTERED: dict[str, tuple[int, int, dict[int, float]]] = {
    "CVXQP1": (2, 4, {1000: 1.08751e6}),
    "CVXQP2": (1, 4, {}),
    "CVXQP3": (3, 4, {1000: 1.362829e6}),
    "NCVXQP1": (2, 1, {1000: -7.16433e7}),
    "NCVXQP2": (2, 2, {1000: -5.78110e7}),
    "NCVXQP3": (2, 3, {1000: -3.14262e7}),
    "NCVXQP4": (1, 1, {1000: -9.39672e7}),
    "NCVXQP5": (1, 2, {1000: -6.62826e7}),
    "NCVXQP6": (1, 3, {1000: -3.54861e7}),
    "NCVXQP7": (3, 1, {1000: -4.35231e7}),
    "NCVXQP8": (3, 2, {1000: -3.04886e7}),
    "NCVXQP9": (3, 3, {1000: -2.15788e7}),
    "NCVXBQP1": (0, 1, {100: -1.99558e6}),
    "NCVXBQP2": (0, 2, {100: -1.33305e6}),
    "NCVXBQP3": (0, 3, {100: -6.60133e5}),
}

for _name, (_rows, _positive, _known) in SCATTERED.items():
    register(
        name=_name,
        classification="QBR2-AN-V-0" if _rows == 0 else "QLR2-AN-V-V",
        optimum=lambda n=10_000, known=_known: known.get(n),
        source=GOULD,
    )(_scattered_qp(_rows, _positive))


def _blockqp(model: Model, n: int, b: int, sign: float, weighted: bool, z_max: float) -> None:
    """Bilinear blocks x_i y_i and squares z_j^2/2; x_i + `sign` y_i + sum z = b, sum of everything > b."""
    xy = model.variables((n, 2), start=0.5, lower=-1.0, upper=1.0)
    x, y = xy.T
    z = model.variables(b, start=0.5, lower=0.0, upper=z_max)
    model.minimize(lambda p, q: p * q, x, y, weight=np.arange(1, n + 1) / n if weighted else 1.0)
    model.minimize(lambda v: v**2 / 2, z)
    total = model.constraints((), lower=0, constant=b + 1.0)
    total.add_linear(1.0, xy)
    total.add_linear(1.0, z)
    block = model.constraints(n, lower=0, upper=0, constant=float(b))
    block.add_linear(1.0, x)
    block.add_linear(sign, y)
    block[:, None].add_linear(1.0, z)


BLOCKS = "N. Gould, nonconvex program of bilinear blocks; SIF (1994)"


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda n=10, b=5: {(10, 5): -6.4988}.get((n, b)),
    source=BLOCKS,
)
def blockqp1(model: Model, n: int = 10, b: int = 5) -> None:
    """Bilinear blocks with sums in the equations."""
    _blockqp(model, n, b, 1.0, False, 2.0)


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda n=10, b=5: {(10, 5): -6.2017}.get((n, b)),
    source=BLOCKS,
)
def blockqp2(model: Model, n: int = 10, b: int = 5) -> None:
    """Bilinear blocks with differences in the equations."""
    _blockqp(model, n, b, -1.0, False, 2.0)


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda n=10, b=5: {(10, 5): -2.498765431}.get((n, b)),
    source=BLOCKS,
)
def blockqp3(model: Model, n: int = 10, b: int = 5) -> None:
    """BLOCKQP1 with the weight i / n on block i."""
    _blockqp(model, n, b, 1.0, True, 2.0)


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda n=5000, b=10: {(10, 5): -2.928925619, (100, 5): -48.082, (1000, 5): -498.098}.get((n, b)),
    source=BLOCKS,
)
def blockqp4(model: Model, n: int = 5000, b: int = 10) -> None:
    """BLOCKQP2 with the weight i / n on block i."""
    _blockqp(model, n, b, -1.0, True, 2.0)


@register(
    classification="QLR2-AN-V-V",
    optimum=lambda n=5000, b=10: {(10, 5): -2.498765431, (100, 5): -47.5, (1000, 5): -497.5}.get((n, b)),
    source=BLOCKS,
)
def blockqp5(model: Model, n: int = 5000, b: int = 10) -> None:
    """BLOCKQP3 with z at most 1."""
    _blockqp(model, n, b, 1.0, True, 1.0)


@register(
    classification="OOR2-MN-V-V",
    optimum=lambda n=5000: {10: 15.7315, 20: 32.4279, 50: 82.5819, 100: 166.1972, 5000: 8361.42433605}.get(n),
    source="Svanberg, Int. J. Numer. Meth. Engng 24 (1987) 359-373",
)
def svanberg(model: Model, n: int = 5000) -> None:
    """Separable convex reciprocals; nine neighbours around a ring in each row; `n` even, at least 10."""
    if n < 10 or n % 2:
        raise ValueError(f"SVANBERG needs an even n of at least 10, got n={n}")
    i = np.arange(1, n + 1)
    odd = i % 2 == 1
    x = model.variables(n, lower=-0.8, upper=0.8)
    sign = np.where(odd, 1.0, -1.0)
    weight = np.where(odd, 1 + 2 * i / n, 5 - 3 * i / n)
    model.minimize(lambda s, v: 1 / (1 + s * v), sign, x, weight=weight)
    row = model.constraints(n, upper=0, constant=10 + 5 * i / n)
    pattern = np.array([1.0, -1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0, 1.0])
    neighbour = (np.arange(n)[:, None] + np.arange(-4, 5)) % n
    row[:, None].add(lambda s, v: 1 / (1 + s * v), sign[:, None] * pattern, x[neighbour])
