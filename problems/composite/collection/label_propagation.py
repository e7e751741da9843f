"""Label propagation: labels of some vertices are spread over a graph by minimising a quadratic form.

Min over the unlabelled x of sum over the edges of w_ij (x_i - x_j)^2 / 2, that is x'L_uu x / 2 + x'L_ul y
with the graph's Laplacian L; the constant is left out.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.sparse.csgraph import connected_components
from scipy.spatial import KDTree

from ..datafits import QuadraticForm
from ..penalties import NoPenalty
from ..problem import CompositeProblem
from ..protocol import Array, Indices
from .generators import register

_SOURCE = "Nutini, Laradji, Schmidt, JMLR 23(131), 2022, section 7"


@register("D", source=_SOURCE)
def small_lattice(rng: np.random.Generator, side: int = 50, labelled: int = 100) -> CompositeProblem:
    """A lattice of 50 x 50 points, 100 of them labelled -1 or 1 by chance."""
    graph = lattice_graph(side, side)
    known = rng.choice(side * side, labelled, replace=False)
    return propagation(graph, known, rng.choice([-1.0, 1.0], labelled))


@register("lattice")
def large_lattice(rng: np.random.Generator, side: int = 1000, share: float = 0.04) -> CompositeProblem:
    """The same with 1000 x 1000 points and the same share of labels."""
    return small_lattice(rng, side, round(share * side * side))


@register("E", source=_SOURCE)
def two_moons(
    rng: np.random.Generator,
    points: int = 2000,
    labelled: int = 100,
    neighbours: int = 5,
    noise: float = 0.1,
) -> CompositeProblem:
    """Two moons, 2000 points joined to their 5 nearest (either way), 100 of them labelled by their moon."""
    xy, moon = _moons(rng, points, noise)
    graph = neighbour_graph(xy, neighbours)
    known = _labelled(rng, graph, labelled)
    return propagation(graph, known, np.where(moon[known], 1.0, -1.0))


def _moons(rng: np.random.Generator, points: int, noise: float) -> tuple[Array, Indices]:
    """Points of two half circles that reach into each other, and whose they are."""
    moon = (np.arange(points) >= points // 2).astype(np.int64)
    angle = np.pi * rng.random(points)
    x, y = np.cos(angle), np.sin(angle)
    xy = np.column_stack([np.where(moon, 1.0 - x, x), np.where(moon, 0.5 - y, y)])
    return xy + noise * rng.standard_normal((points, 2)), moon


def _labelled(rng: np.random.Generator, graph: sparse.csr_array, count: int) -> Indices:
    """Random vertices, at least one of each component: without one its values would be arbitrary."""
    order = rng.permutation(graph.shape[0])
    _, component = connected_components(graph)
    _, first = np.unique(component[order], return_index=True)
    rest = np.setdiff1d(np.arange(order.size), first)
    chosen = np.concatenate([first, np.sort(rest)])[: max(count, first.size)]
    return np.asarray(order[chosen])


def lattice_graph(rows: int, columns: int) -> sparse.csr_array:
    """Adjacency of a lattice: neighbours to the left, right, above and below, weights 1."""
    number = np.arange(rows * columns).reshape(rows, columns)
    i = np.concatenate([number[:, :-1].ravel(), number[:-1].ravel()])
    j = np.concatenate([number[:, 1:].ravel(), number[1:].ravel()])
    half = sparse.coo_array((np.ones(i.size), (i, j)), shape=(number.size, number.size))
    return sparse.csr_array(half + half.T)


def neighbour_graph(points: Array, neighbours: int) -> sparse.csr_array:
    """Adjacency of points of which one is among the other's nearest, weights 1."""
    n = points.shape[0]
    _, nearest = KDTree(points).query(points, neighbours + 1)
    i = np.repeat(np.arange(n), neighbours)
    directed = sparse.csr_array((np.ones(i.size), (i, nearest[:, 1:].ravel())), shape=(n, n))
    return sparse.csr_array(directed.maximum(directed.T))


def propagation(graph: sparse.csr_array, labelled: Indices, labels: Array) -> CompositeProblem:
    """The problem of a graph of nonnegative weights with labels at some vertices.

    The unknowns are the other vertices in ascending order.
    """
    laplacian = sparse.csr_array(sparse.diags_array(np.asarray(graph.sum(axis=1)).ravel()) - graph)
    unknown = np.setdiff1d(np.arange(graph.shape[0]), labelled)
    rows = laplacian[unknown]
    return CompositeProblem(QuadraticForm(rows[:, unknown], -(rows[:, labelled] @ labels)), NoPenalty())
