"""Krylov KKT solvers against dense linear algebra."""

import numpy as np
import pytest
from scipy.sparse import csr_array

from karush.solvers.nonlinear.kkt import KKTPattern
from karush.solvers.nonlinear.kkt.iterative import KrylovKKT
from karush.solvers.nonlinear.kkt.krylov import Ending, KKTProducts, Minres, ProjectedCG
from karush.solvers.nonlinear.kkt.preconditioners import (
    Deficient,
    DiagonalMetric,
    FactorisedConstraint,
    SchurConstraint,
)


def full_pattern(n, m):
    rows, columns = np.tril_indices(n)
    jacobian_rows, jacobian_columns = np.divmod(np.arange(m * n), max(n, 1))
    return KKTPattern(n, m, rows, columns, jacobian_rows, jacobian_columns)


def convex_system(rng):
    """Positive definite H, any diagonals, m <= n."""
    n = int(rng.integers(1, 12))
    m = int(rng.integers(0, n + 1))
    root, J = rng.standard_normal((n, n)), rng.standard_normal((m, n))
    primal = 10.0 ** rng.uniform(-6, 4, n) * (rng.random() < 0.5)
    dual = 10.0 ** rng.uniform(-4, 4, m) * (rng.random(m) < 0.5)
    return root @ root.T + 0.1 * np.eye(n), J, primal, dual


def assembled(H, J, primal, dual):
    return np.block([[H + np.diag(primal), J.T], [J, -np.diag(dual)]])


def loaded(H, J, preconditioner="auto"):
    kkt = KrylovKKT(full_pattern(*J.shape[::-1]), preconditioner)
    kkt.load(H[np.tril_indices(H.shape[0])], J, J.ravel())
    return kkt


@pytest.mark.parametrize("preconditioner", ["constraint", "block-diagonal"])
def test_convex_systems_are_solved_and_runs_go_on(preconditioner):
    rng = np.random.default_rng(1)
    for _ in range(150):
        H, J, primal, dual = convex_system(rng)
        K = assembled(H, J, primal, dual)
        kkt = loaded(H, J, preconditioner)
        assert kkt.factor(primal, dual) == (H.shape[0], J.shape[0], 0)
        b = K @ rng.standard_normal(K.shape[0])
        kkt.tolerance = 1e-2 * np.linalg.norm(b)
        rough, _ = kkt.solve(b)
        run = kkt.run
        assert np.linalg.norm(K @ rough - b) <= 1.01 * kkt.tolerance
        kkt.tolerance = 1e-8 * np.linalg.norm(b)
        fine, residual = kkt.solve(b)
        assert kkt.run is run  # sharpened, not begun again
        assert np.linalg.norm(K @ fine - b) <= 1.01 * kkt.tolerance
        assert residual <= 1e-8


def test_projected_cg_ends_after_n_minus_m_iterations():
    rng = np.random.default_rng(2)
    n, m = 30, 20
    root, J = rng.standard_normal((n, n)), rng.standard_normal((m, n))
    kkt = loaded(root @ root.T + np.eye(n), J)
    kkt.factor(np.zeros(n), np.zeros(m))
    b = rng.standard_normal(n + m)
    kkt.tolerance = 1e-9 * np.linalg.norm(b)
    kkt.solve(b)
    assert kkt.run.ending is Ending.CONVERGED
    assert kkt.iterations <= n - m + 2


def test_a_constraint_preconditioner_with_the_whole_hessian_is_the_inverse():
    rng = np.random.default_rng(3)
    n, m = 9, 4
    diagonal, J, dual = rng.uniform(0.5, 2, n), rng.standard_normal((m, n)), rng.uniform(0, 1, m)
    K = assembled(np.diag(diagonal), J, np.zeros(n), dual)
    r = rng.standard_normal(n + m)
    rows, columns = np.divmod(np.arange(m * n), n)
    for apply in (
        SchurConstraint(DiagonalMetric(diagonal), J, dual),
        SchurConstraint(DiagonalMetric(diagonal), csr_array(J), dual),
        FactorisedConstraint(rows, columns, (m, n)).factor(diagonal, J.ravel(), dual),
    ):
        assert K @ apply(r) == pytest.approx(r, abs=1e-10)


def test_dependent_rows_are_seen_and_solved_with_a_shift():
    J = np.array([[1.0, 2.0, 0.0], [2.0, 4.0, 0.0]])
    with pytest.raises(Deficient):
        SchurConstraint(DiagonalMetric(np.ones(3)), J, np.zeros(2))
    kkt = loaded(np.eye(3), J)
    assert kkt.factor(np.zeros(3), np.zeros(2)) != (3, 2, 0)
    assert kkt.factor(np.zeros(3), np.full(2, 1e-8)) == (3, 2, 0)
    b = np.array([1.0, -1.0, 1.0, 3.0, 6.0])
    kkt.tolerance = 1e-6
    v, residual = kkt.solve(b)
    assert residual < 1e-6
    assert J @ v[:3] == pytest.approx([3.0, 6.0], abs=1e-6)


def test_negative_curvature_on_the_null_space_is_met_and_the_step_descends():
    rng = np.random.default_rng(4)
    for _ in range(100):
        n, m = 8, 3
        J = rng.standard_normal((m, n))
        null = np.linalg.svd(J)[2][m:].T
        H = rng.standard_normal((n, n))
        H = H + H.T
        reduced = np.linalg.eigvalsh(null.T @ H @ null)
        matrix = KKTProducts(n, m, lambda v, H=H: H @ v, J, np.zeros(n), np.zeros(m))
        g = rng.standard_normal(n)
        P = SchurConstraint(DiagonalMetric(np.ones(n)), J, np.zeros(m))
        run = ProjectedCG(matrix, P, np.concatenate([-g, np.zeros(m)]), radius=10.0)
        ending = run.run(1e-10, 1000)
        assert (ending is Ending.CURVATURE) == (reduced[0] < 0)
        x = run.solution[:n]
        assert abs(J @ x).max() < 1e-10 * max(1.0, abs(x).max())
        assert g @ x < 0.0
        if ending is Ending.CURVATURE:
            p = run.negative[:n]
            assert p @ H @ p <= 0.0


def test_curvature_on_the_range_of_the_transpose_does_not_matter():
    """Indefinite H, positive on the null space: the inertia is right."""
    H, J = np.diag([-5.0, 1.0, 2.0]), np.array([[1.0, 0.0, 0.0]])
    kkt = loaded(H, J)
    kkt.factor(np.zeros(3), np.zeros(1))
    b = np.array([1.0, 2.0, 3.0, 4.0])
    kkt.tolerance = 1e-10
    v, _ = kkt.solve(b)
    assert not kkt.regularised
    assert v == pytest.approx(np.linalg.solve(assembled(H, J, np.zeros(3), np.zeros(1)), b))


def test_minres_counts_negative_eigenvalues():
    rng = np.random.default_rng(5)
    for _ in range(50):
        n, m = 10, 3
        H = rng.standard_normal((n, n))
        H, J = H + H.T, rng.standard_normal((m, n))
        K = assembled(H, J, np.zeros(n), np.zeros(m))
        matrix = KKTProducts(n, m, lambda v, H=H: H @ v, J, np.zeros(n), np.zeros(m))
        run = Minres(matrix, np.copy, rng.standard_normal(n + m))
        run.run(0.0, n + m)
        assert run.negatives == np.count_nonzero(np.linalg.eigvalsh(K) < 0)


def test_numbers_that_are_not_finite_are_reported():
    H, J = np.eye(2), np.array([[1.0, 1.0]])
    kkt = loaded(H, J)
    assert kkt.factor(np.array([np.nan, 1.0]), np.zeros(1)) == (0, 0, 3)
    assert kkt.solve(np.ones(3))[1] == np.inf
    kkt.factor(np.zeros(2), np.zeros(1))
    assert kkt.solve(np.array([np.nan, 1.0, 1.0]))[1] == np.inf


def test_many_sparse_rows_use_a_factorised_preconditioner():
    rng = np.random.default_rng(6)
    n, m = 900, 500
    rows = np.repeat(np.arange(m), 2)
    columns = np.column_stack([np.arange(m), np.arange(m) + 400]).ravel()
    values = rng.uniform(1, 2, 2 * m)
    J = csr_array((values, (rows, columns)), shape=(m, n))
    diagonal = np.arange(n)
    kkt = KrylovKKT(KKTPattern(n, m, diagonal, diagonal, rows, columns))
    kkt.load(rng.uniform(1, 3, n), J, values)
    kkt.factor(np.zeros(n), np.zeros(m))
    b = rng.standard_normal(n + m)
    kkt.tolerance = 1e-9
    v, _ = kkt.solve(b)
    assert kkt.iterations <= 2  # H is diagonal: the preconditioner is exact
    assert np.linalg.norm(kkt.multiply(v) - b) < 1e-8
