"""Ranges, singular values and eigenvalues against LAPACK and the error bounds of the papers."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from karush.sketching.low_rank import nystrom_eigh, randomized_eigh, randomized_svd, range_finder


def orthogonal(rng, n, k):
    return np.linalg.qr(rng.standard_normal((n, k)))[0]


def with_singular_values(rng, m, n, s):
    return (orthogonal(rng, m, s.size) * s) @ orthogonal(rng, n, s.size).T


def semidefinite(rng, n, w):
    V = orthogonal(rng, n, w.size)
    A = (V * w) @ V.T
    return 0.5 * (A + A.T)


DECAY = 0.8 ** np.arange(60)


@pytest.fixture(scope="module")
def decaying():
    return with_singular_values(np.random.default_rng(1), 90, 60, DECAY)


KINDS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "operator": aslinearoperator,
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("wide", [False, True])
def test_svd_of_every_kind_of_matrix(decaying, kind, wide):
    dense = decaying.T if wide else decaying
    result = randomized_svd(KINDS[kind](dense), 8, rng=3)
    np.testing.assert_allclose(result.s, DECAY[:8], rtol=1e-10)
    np.testing.assert_allclose(result.U.T @ result.U, np.eye(8), atol=1e-13)
    np.testing.assert_allclose(result.Vt @ result.Vt.T, np.eye(8), atol=1e-13)
    E = dense - (result.U * result.s) @ result.Vt
    assert np.linalg.norm(E, 2) <= 1.01 * DECAY[8]
    assert (result.method, result.fallback) == ("randomized", None)


def test_range_finder_keeps_the_expected_error_of_the_paper():
    # HMT theorem 10.5, no power iterations: E||A - QQ'A||_F <= sqrt(1 + k / (p - 1)) * best rank-k error.
    rng = np.random.default_rng(0)
    A = with_singular_values(rng, 80, 70, 1.0 / (1.0 + np.arange(70.0)))
    k, p = 8, 5
    best = np.linalg.norm(1.0 / (1.0 + np.arange(k, 70.0)))
    errors = []
    for seed in range(100):
        result = range_finder(A, k, oversampling=p, power_iterations=0, rng=seed)
        errors.append(np.linalg.norm(A - result.Q @ (result.Q.T @ A)))
    assert np.mean(errors) <= np.sqrt(1.0 + k / (p - 1)) * best


def test_error_estimates_over_many_seeds():
    A = with_singular_values(np.random.default_rng(0), 80, 70, 1.0 / (1.0 + np.arange(70.0)))
    ratios = []
    for seed in range(200):
        result = randomized_svd(A, 10, rng=seed)
        E = A - (result.U * result.s) @ result.Vt
        assert result.error_bound >= np.linalg.norm(E, 2)
        ratios.append((result.error / np.linalg.norm(E)) ** 2)
    # The square of the estimate is unbiased; its standard deviation here is below 0.5 for one run.
    assert np.mean(ratios) == pytest.approx(1.0, abs=5 * np.std(ratios) / np.sqrt(200))


@pytest.mark.parametrize("power_iterations", [0, 1, 2])
@pytest.mark.parametrize("tol", [1e-1, 1e-4, 1e-12])
def test_adaptive_range_meets_its_tolerance(decaying, tol, power_iterations):
    for seed in range(5):
        result = range_finder(decaying, tol=tol, power_iterations=power_iterations, rng=seed)
        k = result.Q.shape[1]
        assert np.linalg.norm(decaying - result.Q @ (result.Q.T @ decaying), 2) <= tol
        assert result.error_bound <= tol
        np.testing.assert_allclose(result.Q.T @ result.Q, np.eye(k), atol=1e-13)
        assert k <= np.count_nonzero(tol * 1e-2 < DECAY) + 20


def test_adaptive_range_of_a_deficient_matrix_stays_orthonormal():
    rng = np.random.default_rng(4)
    A = rng.standard_normal((70, 7)) @ rng.standard_normal((7, 50))
    result = range_finder(A, tol=1e-10, rng=0)
    assert result.Q.shape == (70, 10)
    np.testing.assert_allclose(result.Q.T @ result.Q, np.eye(10), atol=1e-13)
    unreachable = range_finder(A, tol=1e-30, rng=0)
    assert unreachable.Q.shape == (70, 50)
    np.testing.assert_allclose(unreachable.Q.T @ unreachable.Q, np.eye(50), atol=1e-13)


def test_svd_to_a_tolerance_has_no_more_than_the_rank_it_needs(decaying):
    for tol in (1e-1, 1e-3, 1e-6):
        result = randomized_svd(decaying, tol=tol, rng=0)
        assert np.linalg.norm(decaying - (result.U * result.s) @ result.Vt, 2) <= tol
        assert result.s.size <= np.count_nonzero(tol / 1.5 < DECAY)
    assert randomized_svd(decaying, 4, tol=1e-9, rng=0).s.size == 4
    assert randomized_svd(np.zeros((12, 9)), tol=1e-9, rng=0).s.size == 0


def test_eigenvalues_of_an_indefinite_matrix():
    rng = np.random.default_rng(2)
    V = orthogonal(rng, 80, 80)
    w = 0.7 ** np.arange(80) * np.where(np.arange(80) % 2, -1.0, 1.0)
    A = (V * w) @ V.T
    result = randomized_eigh(0.5 * (A + A.T), 12, rng=0)
    np.testing.assert_allclose(result.w, w[:12], rtol=1e-9)
    np.testing.assert_allclose(np.abs(np.sum(result.V * V[:, :12], axis=0)), 1.0, rtol=1e-9)
    to_tolerance = randomized_eigh(0.5 * (A + A.T), tol=1e-4, rng=0)
    assert np.linalg.norm(A - (to_tolerance.V * to_tolerance.w) @ to_tolerance.V.T, 2) <= 1e-4


@pytest.mark.parametrize("kind", KINDS)
def test_nystrom_lies_below_the_matrix_and_within_the_bound(kind):
    # Tropp, Yurtsever, Udell, Cevher, theorem 4.1: expected nuclear error <= (1 + r / (k - r - 1)) * tail.
    w = 0.8 ** np.arange(60)
    A = semidefinite(np.random.default_rng(3), 60, w)
    errors = []
    for seed in range(20):
        result = nystrom_eigh(KINDS[kind](A), 15, oversampling=0, rng=seed)
        E = A - (result.V * result.w) @ result.V.T
        assert np.linalg.eigvalsh(E)[0] >= -1e-13
        errors.append(np.trace(E))
        assert (np.diff(result.w) <= 0).all()
    assert np.mean(errors) <= (1 + 7 / (15 - 7 - 1)) * w[7:].sum()


def test_nystrom_of_low_rank_is_exact():
    rng = np.random.default_rng(3)
    A = semidefinite(rng, 80, np.array([5.0, 3.0, 1.0, 0.5]))
    result = nystrom_eigh(A, 6, rng=0)
    np.testing.assert_allclose(result.w, [5.0, 3.0, 1.0, 0.5, 0.0, 0.0], atol=1e-12)
    assert np.linalg.norm(A - (result.V * result.w) @ result.V.T) < 1e-11
    assert not nystrom_eigh(np.zeros((30, 30)), 3, rng=0).w.any()


def test_nystrom_refuses_an_indefinite_matrix():
    A = semidefinite(np.random.default_rng(0), 50, np.linspace(-1.0, 1.0, 50))
    with pytest.raises(ValueError, match="semidefinite"):
        nystrom_eigh(A, 10, rng=0)
    with pytest.raises(ValueError, match="semidefinite"):
        nystrom_eigh(A, 50, rng=0)


@pytest.mark.parametrize("routine", [randomized_svd, randomized_eigh, nystrom_eigh])
def test_full_rank_falls_back_to_lapack(routine):
    A = semidefinite(np.random.default_rng(0), 20, np.linspace(1.0, 2.0, 20))
    for matrix in (A, aslinearoperator(A)):
        result = routine(matrix, 15, oversampling=10, rng=0)
        values = result.s if routine is randomized_svd else result.w
        np.testing.assert_allclose(values, np.linspace(1.0, 2.0, 20)[::-1][:15], rtol=1e-12)
        assert result.method == "lapack"
        assert "min(A.shape) = 20" in result.fallback
        assert result.error_bound == pytest.approx(np.linspace(1.0, 2.0, 20)[4])


@pytest.mark.parametrize("shape", [(12, 9), (9, 12)])
def test_range_of_full_rank_falls_back(shape):
    A = np.random.default_rng(0).standard_normal(shape)
    result = range_finder(A, 9)
    np.testing.assert_allclose(result.Q @ (result.Q.T @ A), A, atol=1e-13)
    assert result.method == "lapack"


def test_single_precision_stays(decaying):
    svd = randomized_svd(decaying.astype(np.float32), 5, rng=0)
    assert svd.U.dtype == svd.s.dtype == svd.Vt.dtype == np.float32
    np.testing.assert_allclose(svd.s, DECAY[:5], rtol=1e-5)
    A = semidefinite(np.random.default_rng(0), 60, DECAY).astype(np.float32)
    # Nystrom divides by the root of its shift, eps: beyond the numerical rank it keeps half the digits.
    for routine, accuracy in ((randomized_eigh, 1e-5), (nystrom_eigh, np.finfo(np.float32).eps ** 0.5)):
        eigen = routine(A, 40, rng=0)
        assert eigen.w.dtype == eigen.V.dtype == np.float32
        np.testing.assert_allclose(eigen.w[:5], DECAY[:5], rtol=accuracy)


def test_same_seed_same_bits(decaying):
    for call in (
        lambda rng: randomized_svd(decaying, 6, rng=rng).U,
        lambda rng: range_finder(decaying, tol=1e-3, rng=rng).Q,
        lambda rng: nystrom_eigh(decaying.T @ decaying, 6, rng=rng).V,
    ):
        np.testing.assert_array_equal(call(5), call(np.random.default_rng(5)))
        assert not np.array_equal(call(5), call(6))


def test_bad_input_is_named(decaying):
    with pytest.raises(ValueError, match="neither rank nor tol"):
        range_finder(decaying)
    with pytest.raises(ValueError, match="rank is 61"):
        randomized_svd(decaying, 61)
    with pytest.raises(ValueError, match="rank is 0"):
        randomized_svd(decaying, 0)
    with pytest.raises(ValueError, match="tol is -1"):
        randomized_svd(decaying, tol=-1.0)
    with pytest.raises(TypeError, match="rank"):
        randomized_svd(decaying, 2.5)
    with pytest.raises(ValueError, match="power_iterations"):
        range_finder(decaying, 3, power_iterations=-1)
    with pytest.raises(ValueError, match="square"):
        randomized_eigh(decaying, 3)
    with pytest.raises(ValueError, match="not symmetric"):
        nystrom_eigh(np.triu(np.ones((9, 9))), 3)
    with pytest.raises(ValueError, match="finite"):
        randomized_svd(np.where(decaying > 0, np.nan, 1.0), 3)
    broken = LinearOperator((30, 30), matvec=lambda x: np.full(30, np.nan), dtype=float)
    with pytest.raises(ValueError, match="not finite"):
        nystrom_eigh(broken, 3, rng=0)
