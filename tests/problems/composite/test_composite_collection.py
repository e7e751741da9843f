import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from karush.problems.composite import collection

SMALL = {
    "A": {"m": 40, "n": 90},
    "A-L1": {"m": 40, "n": 90},
    "B": {"m": 40, "n": 90},
    "C": {"m": 40, "n": 20, "classes": 4},
    "D": {"side": 12, "labelled": 9},
    "E": {"points": 150, "labelled": 10},
    "lattice": {"side": 15},
}


def test_all_are_there():
    assert collection.names() == sorted(SMALL)
    assert all(collection.generator(name).title for name in SMALL)


@pytest.mark.parametrize("name", SMALL)
def test_the_same_rng_gives_the_same_problem(name):
    first, second, other = (collection.get(name, rng=k, **SMALL[name]) for k in (3, 3, 4))
    w = np.random.default_rng(0).random(first.shape)
    assert first.objective(w) == second.objective(w)
    if other.shape == first.shape:
        assert first.objective(w) != other.objective(w)


def test_the_design_is_the_papers():
    X = collection.get("A").design.X
    assert X.shape == (1000, 10_000)
    density = X.nnz / 1e7
    assert density == pytest.approx(10 * np.log(1000) / 1000, rel=0.01)
    # Column means over column deviations of the kept entries: 1 / 1.
    first = X[:, [0]].data
    assert abs(first.mean()) / first.std() == pytest.approx(1.0, abs=0.6)


@pytest.mark.parametrize("name", ["D", "E", "lattice"])
def test_label_propagation_is_the_sum_over_edges(name):
    problem = collection.get(name, **SMALL[name])
    A, b = problem.datafit.A, problem.datafit.b
    assert np.linalg.eigvalsh(A.toarray())[0] > 0
    # At a constant c only the edges to labels count: A c 1 - b vanishes where no neighbour is labelled.
    degree = A @ np.ones(problem.p)
    assert (degree >= -1e-12).all()
    assert (np.abs(b) <= degree + 1e-12).all()
    solution = np.linalg.solve(A.toarray(), b)
    assert np.abs(solution).max() <= 1 + 1e-12  # the maximum principle


def test_every_component_of_the_moons_has_a_label():
    from karush.problems.composite.collection.label_propagation import _labelled

    rng = np.random.default_rng(0)
    graph = sp.csr_array(sp.block_diag([np.ones((5, 5)), np.ones((40, 40)), np.ones((3, 3))]))
    for _ in range(20):
        known = _labelled(rng, graph, 4)
        assert known.size == 4
        assert np.unique(known).size == 4
        assert np.unique(connected_components(graph)[1][known]).size == 3


def test_names_are_checked():
    with pytest.raises(KeyError, match="there is no composite problem 'A-L2'; there are A-L1"):
        collection.get("A-L2")
    with pytest.raises(ValueError, match="'A' is registered already"):
        collection.register("A")(lambda rng: None)
