"""The KKT solvers against each other, numpy's eigenvalues and qdldl."""

import numpy as np
import pytest

from karush.solvers.nonlinear.kkt import DENSE_LIMIT, Inertia, KKTPattern, kkt_solver
from karush.solvers.nonlinear.kkt.dense import DenseKKT
from karush.solvers.nonlinear.kkt.sparse import SparseKKT

SOLVERS = [DenseKKT, SparseKKT]


def full_pattern(n, m):
    hessian_rows, hessian_columns = np.tril_indices(n)
    jacobian_rows, jacobian_columns = np.divmod(np.arange(m * n), max(n, 1))
    return KKTPattern(n, m, hessian_rows, hessian_columns, jacobian_rows, jacobian_columns)


def loaded(solver, H, J):
    n, m = H.shape[0], J.shape[0]
    kkt = solver(full_pattern(n, m))
    kkt.load(H[np.tril_indices(n)], J.ravel())
    return kkt


def random_system(rng):
    n = int(rng.integers(1, 12))
    m = int(rng.integers(0, n + 1))
    H = rng.standard_normal((n, n))
    primal = 10.0 ** rng.uniform(-6, 8, n) * (rng.random() < 0.5)
    dual = 10.0 ** rng.uniform(-6, 8, m) * (rng.random() < 0.5)
    return H + H.T, rng.standard_normal((m, n)), primal, dual


def assembled(H, J, primal, dual):
    return np.block([[H + np.diag(primal), J.T], [J, -np.diag(dual)]])


def equilibrated_inertia(K):
    """Inertia by eigenvalues of a congruent matrix with unit row maxima: no sign is lost to rounding."""
    d = np.ones(K.shape[0])
    for _ in range(10):
        d /= np.sqrt(np.abs(K * np.outer(d, d)).max(axis=0))
    e = np.linalg.eigvalsh(K * np.outer(d, d))
    return int((e > 0).sum()), int((e < 0).sum()), 0


@pytest.mark.parametrize("solver", SOLVERS)
def test_inertia_and_solution_of_random_systems(solver):
    rng = np.random.default_rng(1)
    for _ in range(150):
        H, J, primal, dual = random_system(rng)
        K = assembled(H, J, primal, dual)
        kkt = loaded(solver, H, J)
        assert kkt.factor(primal, dual) == equilibrated_inertia(K)
        v = rng.standard_normal(K.shape[0])
        rhs = K @ v
        solution, residual = kkt.solve(rhs)
        assert residual < 1e-12
        assert np.abs(K @ solution - rhs).max() <= 1e-11 * (np.abs(rhs).max() + np.abs(solution).max())
        assert np.allclose(kkt.multiply(v), rhs, rtol=1e-12, atol=1e-12 * np.abs(rhs).max())


def test_refactorisation_uses_only_the_new_values():
    rng = np.random.default_rng(2)
    H, J, primal, dual = random_system(rng)
    for solver in SOLVERS:
        kkt = loaded(solver, 3.0 * H + np.eye(H.shape[0]), -J)
        kkt.factor(primal + 5.0, dual + 1.0)
        kkt.load(H[np.tril_indices(H.shape[0])], J.ravel())
        assert kkt.factor(primal, dual) == loaded(solver, H, J).factor(primal, dual)
        rhs = rng.standard_normal(H.shape[0] + J.shape[0])
        reference = loaded(solver, H, J)
        reference.factor(primal, dual)
        assert np.array_equal(kkt.solve(rhs)[0], reference.solve(rhs)[0])


@pytest.mark.parametrize("solver", SOLVERS)
def test_dependent_rows_are_noticed_and_cured_by_dual_regularisation(solver):
    rng = np.random.default_rng(3)
    for _ in range(50):
        n = int(rng.integers(3, 9))
        J = rng.standard_normal((2, n))
        J = np.vstack([J, J[0] - 2.0 * J[1]])
        kkt = loaded(solver, np.eye(n), J)
        singular = kkt.factor(np.zeros(n), np.zeros(3))
        assert singular != Inertia(n, 3, 0)
        assert kkt.factor(np.zeros(n), np.full(3, 1e-8)) == Inertia(n, 3, 0)


@pytest.mark.parametrize("solver", SOLVERS)
def test_more_rows_than_columns_with_dual_regularisation(solver):
    J = np.random.default_rng(4).standard_normal((6, 2))
    kkt = loaded(solver, np.eye(2), J)
    assert kkt.factor(np.zeros(2), np.full(6, 1e-8)) == Inertia(2, 6, 0)


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_matrix_that_is_not_finite_has_no_definite_part(solver, bad):
    H = np.eye(3)
    H[2, 1] = H[1, 2] = bad
    kkt = loaded(solver, H, np.ones((1, 3)))
    assert kkt.factor(np.zeros(3), np.zeros(1)) == Inertia(0, 0, 4)
    kkt.load(np.eye(3)[np.tril_indices(3)], np.ones(3))
    assert kkt.factor(np.zeros(3), np.zeros(1)) == Inertia(3, 1, 0)


def test_sparse_agrees_with_qdldl_on_a_quasi_definite_control_problem():
    qdldl = pytest.importorskip("qdldl")
    from scipy.sparse import block_array, csc_array, diags_array

    n, m = 120, 60
    H = diags_array([np.full(n, 4.0), np.full(n - 1, -1.0), np.full(n - 1, -1.0)], offsets=[0, 1, -1])
    J = diags_array([np.ones(m), np.full(m, -2.0)], offsets=[0, 3], shape=(m, n))
    K = csc_array(block_array([[H, J.T], [J, -1e-3 * diags_array(np.ones(m))]]))
    lower, coordinates = H.tocoo(), J.tocoo()
    keep = lower.coords[0] >= lower.coords[1]
    rows, columns = (index[keep].astype(np.int64) for index in lower.coords)
    kkt = SparseKKT(KKTPattern(n, m, rows, columns, *(i.astype(np.int64) for i in coordinates.coords)))
    kkt.load(lower.data[keep], coordinates.data)
    assert kkt.factor(np.zeros(n), np.full(m, 1e-3)) == Inertia(n, m, 0)
    rhs = np.random.default_rng(5).standard_normal(n + m)
    from scipy.sparse import csc_matrix

    second_opinion = qdldl.Solver(csc_matrix(K)).solve(rhs)
    assert np.allclose(kkt.solve(rhs)[0], second_opinion, rtol=1e-9, atol=1e-9)


def test_choice_by_size():
    small, large = full_pattern(3, 1), full_pattern(DENSE_LIMIT, 1)
    diagonal, none = np.arange(DENSE_LIMIT + 1), np.zeros(0, dtype=np.int64)
    assert isinstance(kkt_solver(small), DenseKKT)
    assert isinstance(kkt_solver(large), DenseKKT)  # a full matrix stays with LAPACK
    thin = kkt_solver(KKTPattern(diagonal.size, 0, diagonal, diagonal, none, none))
    thin.load(np.ones(diagonal.size), np.zeros(0))
    assert thin.factor(np.zeros(diagonal.size), np.zeros(0)) == Inertia(diagonal.size, 0, 0)
    assert isinstance(thin.inner, SparseKKT)
    assert isinstance(kkt_solver(small, "sparse"), SparseKKT)


def test_a_sparse_matrix_with_a_full_factor_goes_over_to_lapack():
    """Few nonzeros, randomly placed: elimination fills nearly everything in."""
    rng = np.random.default_rng(3)
    order = DENSE_LIMIT + 100
    rows, columns = np.tril_indices(order, -1)
    kept = rng.random(rows.size) < 0.1
    rows, columns, none = rows[kept], columns[kept], np.zeros(0, dtype=np.int64)
    values = rng.standard_normal(rows.size)
    pattern = KKTPattern(order, 0, rows, columns, none, none)
    filling, sparse = kkt_solver(pattern), SparseKKT(pattern)
    for kkt in (filling, sparse):
        kkt.load(values, np.zeros(0))
    for shift in (50.0, 0.0):
        assert filling.factor(np.full(order, shift), np.zeros(0)) == sparse.factor(
            np.full(order, shift), np.zeros(0)
        )
        rhs = rng.standard_normal(order)
        assert filling.solve(rhs)[0] == pytest.approx(sparse.solve(rhs)[0], rel=1e-6, abs=1e-8)
        assert filling.multiply(rhs) == pytest.approx(sparse.multiply(rhs), rel=1e-12, abs=1e-12)
    assert isinstance(filling.inner, DenseKKT)


@pytest.mark.parametrize("solver", SOLVERS)
def test_graded_barrier_matrices_are_not_taken_for_singular(solver):
    # Late in a barrier method the diagonals span twenty orders of magnitude: tiny pivots, but no zero.
    rng = np.random.default_rng(6)
    for _ in range(50):
        n, m = 10, 6
        H = np.diag(rng.uniform(0.1, 1.0, n))
        primal = 10.0 ** rng.uniform(-10, 10, n)
        dual = 10.0 ** rng.uniform(-10, 10, m)
        kkt = loaded(solver, H, rng.standard_normal((m, n)))
        assert kkt.factor(primal, dual) == Inertia(n, m, 0)
        assert kkt.solve(rng.standard_normal(n + m))[1] < 1e-12


def test_heavy_fill_is_met_by_nested_dissection():
    """On a random sparse system, whose factor is nearly dense, both orderings give the same solution."""
    rng = np.random.default_rng(11)
    n = 900
    rows, columns = rng.integers(0, n, (2, 6 * n))
    lower = np.unique(np.stack([np.maximum(rows, columns), np.minimum(rows, columns)]), axis=1)
    lower = lower[:, lower[0] != lower[1]]
    pattern = KKTPattern(n, 0, lower[0], lower[1], np.zeros(0, np.int64), np.zeros(0, np.int64))
    kkt = SparseKKT(pattern)
    kkt.load(rng.normal(size=lower.shape[1]), np.zeros(0))
    inertia = kkt.factor(np.full(n, 40.0), np.zeros(0))
    assert kkt._solver.factor_nnz > 150 * n
    assert (inertia.positive, inertia.negative) == (n, 0)
    known = rng.normal(size=n)
    solution, _ = kkt.solve(kkt.multiply(known))
    np.testing.assert_allclose(solution, known, rtol=1e-9)
