"""The deterministic solvers behind least squares: which one, how accurate, and what they say of rank."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from karush.sketching import deterministic
from karush.sketching.backward_error import frobenius_norm, karlson_walden, stewart
from karush.sketching.deterministic import dense, solve
from karush.sketching.sketched_factor import extreme_singular_values, factorise

EPS = np.finfo(float).eps


def matrix(m, n, cond=10.0, seed=0):
    rng = np.random.default_rng(seed)
    k = min(m, n)
    U = np.linalg.qr(rng.standard_normal((m, k)))[0]
    V = np.linalg.qr(rng.standard_normal((n, k)))[0]
    return (U * np.geomspace(1.0, 1.0 / cond, k)) @ V.T


@pytest.mark.parametrize(("m", "n", "method"), [(30, 30, "lu"), (60, 30, "qr"), (30, 60, "qr")])
@pytest.mark.parametrize("cond", [1e1, 1e6, 1e12])
@pytest.mark.parametrize("order", "CF")
def test_full_rank(m, n, method, cond, order):
    A = np.asarray(matrix(m, n, cond), order=order)
    B = A @ np.random.default_rng(1).standard_normal((n, 2))
    found = dense(A, B)
    assert found.method == method
    assert found.rank == 30
    # LAPACK's estimates are in the 1-norm: up to n times larger, seldom smaller by more than 3.
    assert cond / 3.0 <= found.condition <= 30.0 * cond
    expected = np.linalg.pinv(A, rcond=1e-15) @ B
    assert np.linalg.norm(found.x - expected) <= 100.0 * EPS * cond * np.linalg.norm(expected)
    assert np.all(found.backward_error < 20.0 * EPS)
    np.testing.assert_allclose(found.residual_norm, np.linalg.norm(B - A @ found.x, axis=0), rtol=1e-10)


@pytest.mark.parametrize(("m", "n"), [(30, 30), (60, 30), (30, 60)])
def test_short_rank_is_for_the_complete_orthogonal_decomposition(m, n):
    A = matrix(m, 20) @ matrix(20, n)
    b = np.random.default_rng(2).standard_normal(m)
    found = dense(A, b)
    assert (found.method, found.rank) == ("gelsy", 20)
    np.testing.assert_allclose(found.x, np.linalg.pinv(A, rcond=1e-12) @ b, rtol=1e-9, atol=1e-9)
    assert found.backward_error < 20.0 * EPS


def test_badly_scaled_columns_are_no_short_rank():
    A, scale = matrix(60, 20), np.geomspace(1e-40, 1e40, 20)
    found = dense(A * scale, A.sum(axis=1))
    assert (found.method, found.rank) == ("qr", 20)
    np.testing.assert_allclose(found.x * scale, 1.0, rtol=1e-12)
    wide = dense((A * scale).T, scale * (A.T @ np.ones(60)))
    assert (wide.method, wide.rank) == ("qr", 20)
    np.testing.assert_allclose(wide.x, np.linalg.pinv(A.T) @ (A.T @ np.ones(60)), atol=1e-12)


@pytest.mark.parametrize(("m", "n"), [(30, 30), (60, 30), (30, 60)])
@pytest.mark.parametrize("damp", [1e-3, 1.0])
def test_damping(m, n, damp):
    for A in (matrix(m, n), matrix(m, 20) @ matrix(20, n)):
        b = np.random.default_rng(2).standard_normal(m)
        found = dense(A, b, damp)
        expected = np.linalg.solve(A.T @ A + damp**2 * np.eye(n), A.T @ b)
        np.testing.assert_allclose(found.x, expected, rtol=1e-6, atol=1e-8)
        assert found.method == "qr"
        assert found.rank == min(m, n)
        assert found.residual_norm == pytest.approx(np.linalg.norm(b - A @ found.x))
        assert found.backward_error < 20.0 * EPS


def test_damping_of_a_wide_matrix_needs_no_square_of_the_long_side():
    # The augmented system [A; damp I] would have 4e10 entries.
    A = np.random.default_rng(0).standard_normal((3, 200_000))
    found = dense(A, np.ones(3), 1.0)
    z = np.linalg.solve(A @ A.T + np.eye(3), np.ones(3))
    assert np.linalg.norm(found.x - A.T @ z) <= 1e-14 * np.linalg.norm(found.x)


def test_damping_that_is_rounded_away():
    A = matrix(60, 20) @ matrix(20, 30)
    b = np.ones(60)
    for form in (A, A.T.copy()):
        right = b[: form.shape[0]]
        found = dense(form, right, 1e-17)
        assert (found.method, found.rank) == ("gelsy", 20)
        np.testing.assert_allclose(found.x, np.linalg.pinv(form, rcond=1e-12) @ right, rtol=1e-8, atol=1e-8)


def test_sparse_square_systems_by_lu():
    n = 500
    A = sp.diags_array([-np.ones(n - 1), 3 * np.ones(n), -np.ones(n - 1)], offsets=[-1, 0, 1], format="csr")
    B = np.random.default_rng(0).standard_normal((n, 3))
    for right in (B, B[:, 0]):
        found = solve(A, right, 0.0, 0.0, None)
        assert found.method == "splu"
        np.testing.assert_allclose(A @ found.x, right, atol=1e-13)
        assert np.all(found.backward_error < 10.0 * EPS)
    assert solve(A, np.zeros(n), 0.0, 0.0, None).backward_error == 0.0
    assert solve(A.astype(np.float32), np.ones(n, np.float32), 0.0, 0.0, None).x.dtype == np.float32
    damped = solve(A, B, 2.0, 0.0, None)
    np.testing.assert_allclose(A.T @ (B - A @ damped.x), 4.0 * damped.x, atol=1e-12)


def test_sparse_singular_systems():
    n = 50
    A = sp.diags_array(np.r_[np.ones(n - 2), 0.0, 0.0], format="csc")
    found = solve(A, np.ones(n), 0.0, 0.0, None)
    assert (found.method, found.rank) == ("gelsy", n - 2)
    np.testing.assert_allclose(found.x, np.r_[np.ones(n - 2), 0.0, 0.0])


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array, aslinearoperator])
@pytest.mark.parametrize("damp", [0.0, 0.7])
def test_lsmr_where_the_matrix_is_too_large_to_be_dense(kind, damp, monkeypatch):
    monkeypatch.setattr(deterministic, "_SMALL_SIZE", 10)
    for shape in ((200, 20), (20, 200)):
        A = matrix(*shape)
        B = np.random.default_rng(0).standard_normal((shape[0], 2))
        for right in (B, B[:, 0]):
            found = solve(kind(A), right, damp, 0.0, None)
            reference = dense(A, right, damp)
            assert found.method == "lsmr"
            assert found.iterations > 0
            np.testing.assert_allclose(found.x, reference.x, atol=1e-11)
            np.testing.assert_allclose(found.residual_norm, reference.residual_norm, rtol=1e-9, atol=1e-11)
            assert np.all(found.backward_error < 1e-14)


def exact_backward_error(A, b, x):
    """Walden, Karlson and Sun: the smallest perturbation of A for which x solves the problem."""
    r = b - A @ x
    size, residual = np.linalg.norm(x), np.linalg.norm(r)
    m = A.shape[0]
    projector = np.eye(m) - np.outer(r, r) / residual**2
    smallest = np.linalg.svd(np.hstack([A, residual / size * projector]), compute_uv=False)[-1]
    return min(residual / size, smallest) / np.linalg.norm(A)


@pytest.mark.parametrize("cond", [1e1, 1e4, 1e8])
@pytest.mark.parametrize("residual", [1e-4, 1.0])
def test_estimates_of_the_backward_error(cond, residual):
    rng = np.random.default_rng(0)
    A = matrix(60, 8, cond)
    b = A @ rng.standard_normal(8) + residual * rng.standard_normal(60)
    x = np.linalg.lstsq(A, b)[0]
    factor = factorise(A, b, 0.0, EPS / 2)
    assert factor.norm == pytest.approx(frobenius_norm(A))
    for size in (1e-3, 1e-6):
        y = x * (1.0 + size * rng.standard_normal(8))
        r = b - A @ y
        exact = exact_backward_error(A, b, y)
        estimate = karlson_walden(factor, y, A.T @ r, float(np.linalg.norm(r)))
        assert exact / np.sqrt(2.0) <= estimate * 1.01
        assert estimate <= np.sqrt(2.0) * exact * 1.01
        slope, distance = np.linalg.norm(A.T @ r), np.linalg.norm(r)
        assert stewart(np.linalg.norm(y), slope, distance, frobenius_norm(A)) >= 0.99 * exact


def test_backward_errors_of_nothing():
    factor = factorise(np.eye(4, 2), np.ones(4), 0.0, EPS)
    assert karlson_walden(factor, np.zeros(2), np.zeros(2), 0.0) == 0.0
    assert karlson_walden(factor, np.zeros(2), np.ones(2), 1.0) == pytest.approx(1.0)
    assert np.isnan(karlson_walden(factor, np.ones(2), np.full(2, np.nan), 1.0))
    assert stewart(0.0, 0.0, 0.0, 1.0) == 0.0
    assert frobenius_norm(aslinearoperator(np.eye(2))) is None
    assert frobenius_norm(np.full((2, 2), 1e200)) == np.inf
    assert frobenius_norm(np.ones((6, 6))[::2, ::3]) == pytest.approx(np.sqrt(6.0))


def test_factor_of_a_matrix_without_full_rank():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((50, 6)) @ rng.standard_normal((6, 9)) * np.geomspace(1e-3, 1e3, 9)
    b = rng.standard_normal(50)
    factor = factorise(A.copy(), b, 0.0, EPS / 2)
    assert factor.rank == 6
    basis = A @ factor.apply(np.eye(6))
    np.testing.assert_allclose(basis.T @ basis, np.eye(6), atol=1e-10)
    # P is in the row space of A; the adjoint and its inverse belong together.
    null = np.linalg.svd(A)[2][6:]
    assert np.abs(null @ factor.apply(np.eye(6))).max() < 1e-9 * np.abs(factor.apply(np.eye(6))).max()
    h = rng.standard_normal(6)
    np.testing.assert_allclose(factor.apply_adjoint(factor.unapply_adjoint(h)), h, rtol=1e-9)
    np.testing.assert_allclose(
        factor.apply(factor.guess), np.linalg.pinv(A, rcond=1e-13) @ b, rtol=1e-7, atol=1e-9
    )


@pytest.mark.parametrize("cond", [1.0, 1e3, 1e10])
def test_extreme_singular_values(cond):
    R = np.linalg.qr(matrix(80, 30, cond))[1]
    largest, smallest = extreme_singular_values(R)
    values = np.linalg.svd(R, compute_uv=False)
    assert 0.7 * values[0] <= largest <= values[0] * (1 + 1e-12)
    assert values[-1] * (1 - 1e-4) <= smallest <= values[-1] / 0.7
    assert extreme_singular_values(np.diag([1.0, 0.0]))[1] == 0.0
    # The starting vector of ones is an eigenvector here, of the other end.
    R = np.linalg.cholesky(np.array([[1.0, 1.0 - 1e-10], [1.0 - 1e-10, 1.0]])).T
    assert extreme_singular_values(R)[1] == pytest.approx(1e-5, rel=1e-2)
