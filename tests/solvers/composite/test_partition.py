from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.csgraph import connected_components

from karush.problems.composite import (
    CompositeProblem,
    GroupLasso,
    LeastSquares,
    MismatchError,
    NoPenalty,
)
from karush.solvers.composite.partition import (
    Average,
    Blocks,
    Groups,
    Multicolour,
    Order,
    Sort,
    Trees,
    Variable,
    partition_of,
)
from karush.solvers.composite.partition_kernels import greedy_forest
from karush.solvers.composite.trees import graph_arrays

from .block_problems import lattice, random_graph


def _least_squares(n, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((5, n)) * np.exp(2 * rng.standard_normal(n))
    return CompositeProblem(LeastSquares(np.ones(5)), NoPenalty(), X)


def _covers(blocks, n):
    return sorted(np.concatenate(list(blocks)).tolist()) == list(range(n))


def _is_forest(A, block):
    part = sp.coo_array(A[block][:, block])
    edges = np.count_nonzero(part.row < part.col)
    return edges == block.size - connected_components(part)[0]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 40), st.integers(1, 50), st.sampled_from([Order, Sort, Average]))
def test_fixed_blocks_cover_every_coordinate_once(n, size, kind):
    blocks = kind().blocks(_least_squares(n), size)
    assert _covers(blocks, n)
    assert len(blocks) == -(-n // size)
    assert all(blocks.owner[i] == k for k, block in enumerate(blocks) for i in block)


def test_sort_puts_similar_lipschitz_constants_together_and_average_mixes_them():
    problem = _least_squares(20)
    L = problem.coordinate_lipschitz
    sort = [L[block] for block in Sort().blocks(problem, 4)]
    assert all(a.min() >= b.max() for a, b in pairwise(sort))
    ranks = np.argsort(np.argsort(L))
    for block in Average().blocks(problem, 2):
        assert ranks[block].sum() == 19  # the largest with the smallest


@settings(max_examples=40, deadline=None)
@given(
    st.integers(2, 40), st.integers(0, 120), st.integers(0, 10**6), st.sampled_from(["natural", "lipschitz"])
)
def test_first_fit_gives_forests_that_no_vertex_could_have_joined_earlier(n, edges, seed, order):
    problem = random_graph(np.random.default_rng(seed), n, edges)
    A = problem.datafit.A
    blocks = Trees(order).blocks(problem, 1)
    assert _covers(blocks, problem.p)
    assert all(_is_forest(A, block) for block in blocks)
    # The later forests' vertices close a cycle in each earlier one, as that is complete.
    for later in range(1, len(blocks)):
        for i in blocks[later]:
            assert not _is_forest(A, np.append(blocks[later - 1], i))


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(0, 120), st.integers(0, 10**6))
def test_colours_have_no_edges_inside(n, edges, seed):
    problem = random_graph(np.random.default_rng(seed), n, edges)
    A = problem.datafit.A
    blocks = Multicolour().blocks(problem, 1)
    assert _covers(blocks, problem.p)
    degree = np.diff(A.indptr).max() - 1
    assert len(blocks) <= degree + 1
    for block in blocks:
        part = A[block][:, block].toarray()
        assert np.count_nonzero(part - np.diag(np.diag(part))) == 0


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 40), st.integers(0, 120), st.integers(0, 10**6))
def test_a_greedy_forest_is_maximal_and_begins_with_the_first_vertices(n, edges, seed):
    rng = np.random.default_rng(seed)
    problem = random_graph(rng, n, edges)
    A = problem.datafit.A
    indptr, indices, _ = graph_arrays(A)
    order = rng.permutation(problem.p)
    found = greedy_forest(indptr, indices, order, problem.p)
    assert _is_forest(A, found)
    assert found[0] == order[0]
    for i in np.setdiff1d(order, found):
        assert not _is_forest(A, np.append(found, i))


def test_a_lattice_has_two_colours():
    from karush.problems.composite import QuadraticForm
    from karush.problems.composite.collection.label_propagation import lattice_graph

    graph = lattice_graph(5, 7)
    problem = CompositeProblem(QuadraticForm(graph + 5 * sp.eye_array(35), np.ones(35)), NoPenalty())
    assert [len(block) for block in Multicolour().blocks(problem, 1)] == [18, 17]


def test_groups_are_those_of_the_penalty():
    groups = [[3, 0], [1], [4, 2]]
    problem = CompositeProblem(LeastSquares(np.ones(5)), GroupLasso(1.0, groups), np.eye(5))
    assert [block.tolist() for block in Groups().blocks(problem, 1)] == groups
    with pytest.raises(MismatchError, match="needs a penalty with groups, not NoPenalty"):
        Groups().blocks(_least_squares(5), 1)


def test_variable_blocks_are_not_fixed():
    assert Variable().blocks(_least_squares(5), 2) is None


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ([[0, 1], [1, 2]], "exactly once, but 1 is in 2 blocks"),
        ([[0, 1]], "exactly once, but 2 is in no block"),
        ([[0, 1], [2, 3]], "has coordinate 3, w has 3"),
        ([[0, 1, 2], []], r"partition\[1\] must be a non-empty array of indices"),
        ([[0, 1.5]], r"partition\[0\] must be a non-empty array of indices"),
        ([], "at least one block"),
    ],
)
def test_given_blocks_are_checked(given, message):
    with pytest.raises(ValueError, match=message):
        partition_of(given).blocks(_least_squares(3), 1)


def test_names_and_types_are_checked():
    with pytest.raises(ValueError, match=r"partition must be one of variable, order.*'sorted'"):
        partition_of("sorted")
    with pytest.raises(TypeError, match="partition must be a name"):
        partition_of(3)
    with pytest.raises(MismatchError, match="QuadraticForm with a sparse A, not LeastSquares"):
        Trees().blocks(_least_squares(3), 1)


def test_sums_over_blocks():
    blocks = Blocks.of([[2, 0], [1, 3]])
    assert blocks.sums(np.array([1.0, 2.0, 3.0, 4.0])).tolist() == [4.0, 6.0]


def test_trees_of_the_lattice_are_two_or_three():
    assert len(Trees().blocks(lattice(), 1)) in (2, 3)
