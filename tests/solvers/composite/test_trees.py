import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from karush.problems.composite import L1, Box, CompositeProblem, ElasticNet, MismatchError, QuadraticForm
from karush.problems.composite.penalties import PiecewiseQuadratic
from karush.solvers.composite.minimize import minimize_composite
from karush.solvers.composite.partition import Trees
from karush.solvers.composite.trees import ForestFactor, graph_arrays
from karush.solvers.composite.trees_acceleration import ForestSweeps

from .block_problems import lattice, random_graph


@settings(max_examples=50, deadline=None)
@given(st.integers(2, 60), st.integers(0, 150), st.integers(0, 10**6))
def test_message_passing_is_the_dense_solve(n, edges, seed):
    rng = np.random.default_rng(seed)
    problem = random_graph(rng, n, edges)
    A = problem.datafit.A
    for block in Trees().blocks(problem, 1):
        shuffled, shift = rng.permutation(block), rng.random(block.size)
        factor = ForestFactor(graph_arrays(A), shuffled, shift)
        assert sorted(factor.order) == sorted(block)
        assert (factor.parent < np.arange(block.size)).all()
        c = rng.standard_normal(block.size)
        dense = A[factor.order][:, factor.order].toarray()
        added = dict(zip(shuffled.tolist(), shift, strict=True))
        dense += np.diag([added[i] for i in factor.order.tolist()])
        np.testing.assert_allclose(factor.solve(c), np.linalg.solve(dense, c), rtol=1e-9, atol=1e-11)


def test_a_cycle_is_found():
    A = sp.csr_array(np.full((3, 3), -1.0) + 4 * np.eye(3))
    with pytest.raises(ValueError, match=r"must be a forest, but vertex \d is on a cycle"):
        ForestFactor(graph_arrays(A), np.arange(3))
    ForestFactor(graph_arrays(A), np.array([2, 0]))


def test_an_indefinite_block_is_refused():
    A = sp.csr_array([[1.0, 2.0], [2.0, 1.0]])
    with pytest.raises(ValueError, match="must be positive definite, but the pivot of vertex 0 is -3"):
        ForestFactor(graph_arrays(A), np.arange(2))


def test_stored_twice_is_no_cycle():
    A = sp.csr_array(
        (np.array([2.0, -0.5, -0.5, -0.5, -0.5, 2.0]), [0, 1, 1, 0, 0, 1], [0, 3, 6]), shape=(2, 2)
    )
    factor = ForestFactor(graph_arrays(A), np.arange(2))
    np.testing.assert_allclose(factor.solve(np.array([1.0, 0.0])), [2 / 3, 1 / 3], rtol=1e-15)


# ---- accelerated sweeps ----------------------------------------------------------------------------------


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(0, 150), st.integers(0, 10**6))
def test_accelerated_sweeps_solve_the_system(n, edges, seed):
    rng = np.random.default_rng(seed)
    problem = random_graph(rng, n, edges)
    A, b = problem.datafit.A, problem.datafit.b
    result = minimize_composite(problem, method="forest-cg", tol=1e-11, w0=rng.standard_normal(problem.p))
    assert result.success
    np.testing.assert_allclose(result.x, np.linalg.solve(A.toarray(), b), rtol=1e-7, atol=1e-8)


def test_an_iteration_lowers_the_objective_by_what_it_says():
    problem = lattice(20)
    sweeps = ForestSweeps(problem, Trees("natural").blocks(problem, 1), np.zeros(problem.p))
    sweeps.restart()
    for _ in range(10):
        before = problem.objective(sweeps.w)
        fall = sweeps.iterate()
        assert fall > 0
        assert before - problem.objective(sweeps.w) == pytest.approx(fall, rel=1e-6, abs=1e-12)


def test_two_forests_are_conjugate_gradients_on_the_schur_complement():
    problem = lattice(12)
    blocks = Trees("natural").blocks(problem, 1)
    assert len(blocks) == 2
    A, b = problem.datafit.A.toarray(), problem.datafit.b
    i, j = blocks[0], blocks[1]
    S = A[np.ix_(j, j)] - A[np.ix_(j, i)] @ np.linalg.solve(A[np.ix_(i, i)], A[np.ix_(i, j)])
    c = b[j] - A[np.ix_(j, i)] @ np.linalg.solve(A[np.ix_(i, i)], b[i])
    M = A[np.ix_(j, j)]
    x, r = np.zeros(j.size), c.copy()
    z = np.linalg.solve(M, r)
    p = z.copy()
    sweeps = ForestSweeps(problem, blocks, np.zeros(problem.p))
    sweeps.restart()
    for _ in range(6):
        alpha = (r @ z) / (p @ S @ p)
        x, r_new = x + alpha * p, r - alpha * (S @ p)
        z_new = np.linalg.solve(M, r_new)
        p = z_new + (r_new @ z_new) / (r @ z) * p
        r, z = r_new, z_new
        sweeps.iterate()
        np.testing.assert_allclose(sweeps.w[j], x, rtol=1e-9, atol=1e-12)


def test_acceleration_takes_fewer_sweeps():
    problem = lattice(30)
    plain = minimize_composite(
        problem, method="bcd", partition="trees", selection="cyclic", update="trees", tol=1e-6
    )
    fast = minimize_composite(problem, method="forest-cg", tol=1e-6)
    assert plain.success
    assert fast.success
    assert fast.record["iterations"] < 0.25 * plain.record["updates"]


@pytest.mark.parametrize("method", ["forest-cg", "bcd"])
def test_a_ridge_and_a_linear_part_are_taken_in(method):
    form = lattice().datafit
    n = form.b.size
    linear, l2 = np.linspace(-1, 1, n), np.linspace(0.5, 2, n)
    options = (
        {} if method == "forest-cg" else {"partition": "trees", "selection": "cyclic", "update": "trees"}
    )
    result = minimize_composite(
        form, PiecewiseQuadratic(l2=l2, linear=linear), method=method, tol=1e-12, **options
    )
    exact = np.linalg.solve(form.A.toarray() + np.diag(l2), form.b - linear)
    # Strong convexity with the least l2 turns the gap into a distance.
    assert np.sum((result.x - exact) ** 2) <= 2.0 * max(result.gap, 1e-18) / l2.min()
    assert result.success


@pytest.mark.parametrize("penalty", [L1(0.1), Box(0.0, 1.0)])
def test_kinks_and_bounds_are_refused(penalty):
    form = lattice().datafit
    with pytest.raises(MismatchError, match="without kinks and bounds"):
        minimize_composite(form, penalty, method="forest-cg")
    with pytest.raises(MismatchError, match="without kinks and bounds"):
        minimize_composite(form, penalty, method="bcd", partition="trees", selection="cyclic", update="trees")


def test_a_forest_is_solved_at_once():
    A = sp.diags_array([-np.ones(9), 3 * np.ones(10), -np.ones(9)], offsets=[-1, 0, 1]).tocsr()
    result = minimize_composite(
        CompositeProblem(QuadraticForm(A, np.arange(10.0)), ElasticNet(0.0, 0.5)),
        method="forest-cg",
        tol=1e-12,
    )
    assert result.success
    assert result.nit <= 1
    np.testing.assert_allclose(result.x, np.linalg.solve(A.toarray() + 0.5 * np.eye(10), np.arange(10.0)))
