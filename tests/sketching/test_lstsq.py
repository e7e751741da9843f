"""Least squares: accuracy against LAPACK and known answers, every way in, fallbacks, bad input."""

import numpy as np
import pytest
import scipy.linalg as sla
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from karush.sketching import lstsq

STABLE = ["fossils", "spir"]
M, N = 2_000, 40


def system(condition, residual, seed=0, m=M, n=N):
    """A of the wanted condition, b with a residual of the wanted norm, the solution."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((m, n)))[0]
    V = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = (U * np.logspace(0, -np.log10(condition), n)) @ V.T
    x = rng.standard_normal(n)
    x /= np.linalg.norm(x)
    r = rng.standard_normal(m)
    r -= U @ (U.T @ r)
    r -= U @ (U.T @ r)
    return A, A @ x + residual * r / np.linalg.norm(r), x


def backward_error(A, b, x):
    """Karlson and Walden's estimate from the exact singular value decomposition, relative to ||A||_F."""
    _, s, Vt = np.linalg.svd(A, full_matrices=False)
    r = b - A @ x
    w = np.linalg.norm(r) / np.linalg.norm(x)
    return np.linalg.norm((Vt @ (A.T @ r)) / np.sqrt(s**2 + w**2)) / (np.linalg.norm(x) * np.linalg.norm(s))


def by_qr(A, b):
    Q, R = sla.qr(A, mode="economic")
    return sla.solve_triangular(R, Q.T @ b)


@pytest.mark.parametrize("method", STABLE)
@pytest.mark.parametrize("condition", [1e1, 1e4, 1e8, 1e12])
@pytest.mark.parametrize("residual", [1e-8, 1e-3, 1.0])
def test_as_backward_stable_as_qr(method, condition, residual):
    A, b, _ = system(condition, residual)
    answer = lstsq(A, b, method=method, rng=0)
    assert answer.success
    assert answer.method == method
    assert answer.fallback is None
    limit = 10.0 * max(backward_error(A, b, by_qr(A, b)), np.finfo(float).eps / 2)
    assert backward_error(A, b, answer.x) <= limit
    assert answer.rank == N
    assert 0.3 * condition < answer.condition < 3.0 * condition
    assert answer.residual_norm == pytest.approx(np.linalg.norm(b - A @ answer.x))


@pytest.mark.parametrize("condition", [1e1, 1e6])
def test_iterative_sketching_is_forward_stable(condition):
    A, b, x = system(condition, 1e-3)
    answer = lstsq(A, b, method="iterative-sketching", rng=0)
    # Wedin's bound, with a factor of 10.
    bound = 10.0 * np.finfo(float).eps * (condition + condition**2 * 1e-3)
    assert np.linalg.norm(answer.x - x) <= bound


def test_sketch_and_solve_is_within_the_distortion():
    A, b, _ = system(1e4, 1.0)
    for seed in range(10):
        answer = lstsq(A, b, method="sketch-and-solve", rng=seed)
        assert 1.0 <= answer.residual_norm < 1.0 / (1.0 - 1.5 * np.sqrt(1 / 12))
        assert not answer.success


@pytest.mark.parametrize("method", STABLE)
@pytest.mark.parametrize("sketch", ["sparse-sign", "sparse-stack", "srtt", "gaussian", "rademacher"])
def test_every_sketch_serves(method, sketch):
    A, b, _ = system(1e6, 1e-2)
    answer = lstsq(A, b, method=method, sketch=sketch, rng=1)
    assert answer.success
    assert backward_error(A, b, answer.x) < 2e-15


@pytest.mark.parametrize("method", [*STABLE, "iterative-sketching", "direct"])
def test_every_form_of_the_matrix(method):
    A, b, x = system(1e2, 1e-3)
    forms = {
        "Fortran": np.asfortranarray(A),
        "strided": np.repeat(A, 2, axis=1)[:, ::2],
        "csr": sp.csr_array(A),
        "csc": sp.csc_array(A),
        "operator": aslinearoperator(A),
    }
    for name, form in forms.items():
        answer = lstsq(form, b, method=method, rng=0)
        np.testing.assert_allclose(answer.x, x, rtol=0, atol=1e-11, err_msg=name)


@pytest.mark.parametrize("method", STABLE)
def test_single_precision(method):
    A, b, x = system(1e2, 1e-3)
    answer = lstsq(A.astype(np.float32), b.astype(np.float32), method=method, rng=0)
    assert answer.x.dtype == np.float32
    assert np.linalg.norm(answer.x - x) < 1e-3


@pytest.mark.parametrize("method", [*STABLE, "direct"])
def test_ridge_is_the_augmented_system(method):
    A, b, _ = system(1e6, 1e-1)
    answer = lstsq(A, b, method=method, damp=1e-2, rng=0)
    augmented = np.vstack([A, 1e-2 * np.eye(N)])
    expected = np.linalg.lstsq(augmented, np.concatenate([b, np.zeros(N)]))[0]
    np.testing.assert_allclose(answer.x, expected, rtol=0, atol=1e-11 * np.linalg.norm(expected))
    assert answer.residual_norm == pytest.approx(np.linalg.norm(b - A @ answer.x))


@pytest.mark.parametrize("method", [*STABLE, "direct"])
def test_weights_scale_the_rows(method):
    A, b, _ = system(1e3, 1e-1)
    weights = np.random.default_rng(1).uniform(0, 2, M)
    weights[::7] = 0.0
    answer = lstsq(A, b, method=method, weights=weights, rng=0)
    roots = np.sqrt(weights)
    expected = np.linalg.lstsq(roots[:, None] * A, roots * b)[0]
    np.testing.assert_allclose(answer.x, expected, rtol=0, atol=1e-10 * np.linalg.norm(expected))
    assert answer.residual_norm == pytest.approx(np.linalg.norm(roots * (b - A @ answer.x)))


@pytest.mark.parametrize("method", [*STABLE, "direct"])
def test_several_right_hand_sides(method):
    A, b, _ = system(1e3, 1e-1)
    B = np.column_stack([b, np.random.default_rng(2).standard_normal(M), A[:, 0]])
    answer = lstsq(A, B, method=method, rng=0)
    np.testing.assert_allclose(answer.x, np.linalg.lstsq(A, B)[0], atol=1e-9)
    assert answer.residual_norm.shape == answer.backward_error.shape == (3,)
    assert np.all(answer.backward_error < 1e-14)


@pytest.mark.parametrize("method", [*STABLE, "direct", "auto"])
def test_wide_systems_have_the_least_norm(method):
    A, _, _ = system(1e4, 0.0)
    answer = lstsq(A.T, np.arange(1.0, N + 1), method=method, rng=0)
    expected = np.linalg.pinv(A.T) @ np.arange(1.0, N + 1)
    assert np.linalg.norm(answer.x - expected) < 1e-10 * np.linalg.norm(expected)
    assert answer.success


@pytest.mark.parametrize("method", [*STABLE, "direct"])
def test_short_rank_gives_the_least_norm(method):
    A, b, _ = system(1e2, 1e-1)
    A = np.column_stack([A, A[:, :5] @ np.ones((5, 3))])
    answer = lstsq(A, b, method=method, rng=0)
    expected = np.linalg.lstsq(A, b, rcond=1e-12)[0]
    assert answer.rank == N
    np.testing.assert_allclose(answer.x, expected, rtol=0, atol=1e-9 * np.linalg.norm(expected))


@pytest.mark.parametrize("exponent", [-100, 100])
@pytest.mark.parametrize("method", STABLE)
def test_scaling_of_columns_and_right_hand_side(method, exponent):
    A, b, x = system(1e2, 1e-3)
    scale = 10.0 ** np.linspace(0, exponent / 10, N)
    answer = lstsq(A * scale, 10.0**exponent * b, method=method, rng=0)
    np.testing.assert_allclose(answer.x * scale / 10.0**exponent, x, rtol=0, atol=1e-10)


def test_permuting_rows_and_columns_permutes_the_answer():
    A, b, _ = system(1e3, 1e-1)
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(M), rng.permutation(N)
    plain = lstsq(A, b, method="spir", rng=0).x
    permuted = lstsq(A[rows][:, columns], b[rows], method="spir", rng=0).x
    np.testing.assert_allclose(permuted, plain[columns], rtol=0, atol=1e-10)


def test_a_warm_start_saves_iterations():
    A, b, x = system(1e2, 1e-3)
    cold = lstsq(A, b, method="spir", rng=0)
    warm = lstsq(A, b, method="spir", rng=0, x0=x)
    assert warm.iterations < cold.iterations
    np.testing.assert_allclose(warm.x, x, rtol=0, atol=1e-12)


def test_a_tolerance_saves_iterations():
    A, b, x = system(1e2, 1e-1)
    exact = lstsq(A, b, method="spir", rng=0)
    rough = lstsq(A, b, method="spir", rng=0, rtol=1e-4)
    assert rough.iterations < exact.iterations
    assert np.linalg.norm(A @ (rough.x - x)) < 1e-3 * np.linalg.norm(A @ x)


@pytest.mark.parametrize("method", STABLE)
def test_same_rng_same_bits_whatever_the_workers(method):
    A, b, _ = system(1e4, 1e-1)
    first = lstsq(A, b, method=method, rng=5, workers=1).x
    for workers in (1, 2, None):
        np.testing.assert_array_equal(lstsq(A, b, method=method, rng=5, workers=workers).x, first)


def test_zero_right_hand_side_and_zero_matrix():
    A, _, _ = system(1e2, 0.0)
    np.testing.assert_array_equal(lstsq(A, np.zeros(M), method="spir", rng=0).x, np.zeros(N))
    np.testing.assert_array_equal(lstsq(np.zeros((M, N)), np.ones(M), method="spir", rng=0).x, np.zeros(N))


@pytest.mark.parametrize("method", ["auto", "spir", "fossils"])
@pytest.mark.parametrize("shape", [(1, 1), (30, 30), (60, 30), (30, 60), (5, 1), (1, 5)])
def test_small_systems_go_to_lapack_and_say_why(method, shape):
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal(shape), rng.standard_normal(shape[0])
    answer = lstsq(A, b, method=method, rng=0)
    np.testing.assert_allclose(answer.x, np.linalg.lstsq(A, b)[0], atol=1e-9)
    if answer.sketch_size is None:
        assert answer.fallback
    assert answer.success


def test_large_sparse():
    rng = np.random.default_rng(0)
    A = sp.random_array((60_000, 150), density=0.02, rng=rng, format="csr")
    b = rng.standard_normal(60_000)
    answer = lstsq(A, b, rng=0)
    assert answer.method in STABLE
    gradient = A.T @ (b - A @ answer.x)
    assert np.linalg.norm(gradient) < 1e-13 * sp.linalg.norm(A) * np.linalg.norm(b)


@pytest.mark.parametrize(
    ("change", "error", "match"),
    [
        ({"A": np.ones(3)}, ValueError, r"A has shape \(3,\)"),
        ({"A": np.ones((0, 3))}, ValueError, "empty"),
        ({"A": np.full((20, 2), np.nan)}, ValueError, "A has 40 entries that are not finite"),
        ({"A": np.ones((20, 2), complex)}, TypeError, "A has dtype complex128"),
        ({"b": np.ones(19)}, ValueError, r"b has shape \(19,\)"),
        ({"b": np.full(20, np.inf)}, ValueError, "b has 20 entries that are not finite"),
        ({"method": "magic"}, ValueError, "method is 'magic'; one of auto"),
        ({"sketch": "magic"}, ValueError, "sketch is 'magic'; one of sparse-sign"),
        ({"sketch_size": 1}, ValueError, "sketch_size is 1"),
        ({"weights": -np.ones(20)}, ValueError, "weights has a negative entry"),
        ({"weights": np.ones(3)}, ValueError, r"weights has shape \(3,\)"),
        ({"damp": -1.0}, ValueError, "damp is -1.0"),
        ({"rtol": np.nan}, ValueError, "rtol is nan"),
        ({"rtol": "x"}, TypeError, "rtol is 'x'"),
        ({"maxiter": 0}, ValueError, "maxiter is 0"),
        ({"x0": np.ones(3)}, ValueError, "x0 has shape"),
        ({"rng": "x"}, (TypeError, ValueError), "rng is 'x'"),
        ({"workers": -1}, ValueError, "workers is -1"),
    ],
)
def test_bad_input(change, error, match):
    call = {"A": np.random.default_rng(0).standard_normal((20, 2)), "b": np.ones(20)} | change
    with pytest.raises(error, match=match):
        lstsq(call.pop("A"), call.pop("b"), **call)
