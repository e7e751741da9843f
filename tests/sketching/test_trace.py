"""Trace estimates: unbiased, within the bounds, and as good as their own error estimates say."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from karush.sketching.trace import hutchpp, xtrace

ESTIMATORS = [hutchpp, xtrace]


def semidefinite(n, w, seed=0):
    V = np.linalg.qr(np.random.default_rng(seed).standard_normal((n, n)))[0]
    return (V * w) @ V.T


SLOW = 1.0 / (1.0 + np.arange(100.0))
FAST = 0.7 ** np.arange(100)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("symmetric", [True, False])
def test_unbiased_with_an_honest_standard_error(estimator, symmetric):
    A = semidefinite(100, SLOW)
    if not symmetric:
        A = A + 0.05 * np.triu(np.random.default_rng(1).standard_normal((100, 100)))
    results = [estimator(aslinearoperator(A), 30, rng=seed) for seed in range(400)]
    traces = np.array([result.trace for result in results])
    assert traces.mean() == pytest.approx(np.trace(A), abs=4.0 * traces.std() / np.sqrt(traces.size))
    mean_square = np.mean([result.error**2 for result in results])
    assert 0.6 < np.sqrt(mean_square) / traces.std() < 1.6
    assert {result.products for result in results} == {30}


def test_hutchpp_keeps_its_variance_bound():
    # Var <= 2 / k ||(I - QQ')A||_F^2 for k sign vectors, and by HMT theorem 10.5 (for a Gaussian sketch of k
    # columns, which signs match) E||(I - QQ')A||_F^2 <= (1 + r / (k - r - 1)) * squared tail beyond r.
    A, k, r = aslinearoperator(semidefinite(100, SLOW)), 10, 5
    errors = [hutchpp(A, 3 * k, rng=seed).trace - SLOW.sum() for seed in range(200)]
    assert np.mean(np.square(errors)) <= 2.0 / k * (1.0 + r / (k - r - 1.0)) * np.sum(SLOW[r:] ** 2)


def test_xtrace_is_far_better_where_the_spectrum_decays():
    A = aslinearoperator(semidefinite(100, FAST))
    rms = [
        np.sqrt(np.mean([(estimator(A, 60, rng=seed).trace - FAST.sum()) ** 2 for seed in range(50)]))
        for estimator in ESTIMATORS
    ]
    assert rms[1] < 0.1 * rms[0]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_low_rank_is_exact(estimator):
    A = semidefinite(80, np.r_[3.0, 2.0, 1.0, np.zeros(77)])
    result = estimator(aslinearoperator(A), 24, rng=0)
    assert result.trace == pytest.approx(6.0, abs=1e-12)
    assert result.error < 1e-12
    assert estimator(aslinearoperator(np.zeros((80, 80))), 24, rng=0).trace == 0.0


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_exact_where_that_is_no_dearer(estimator):
    A = semidefinite(20, SLOW[:20])
    for make in (np.asarray, np.asfortranarray, sp.csr_array, sp.csc_array):
        result = estimator(make(A), 6)
        assert result.trace == pytest.approx(np.trace(A), rel=1e-14)
        assert (result.method, result.error, result.products) == ("exact", 0.0, 0)
        assert "diagonal" in result.fallback
    formed = estimator(aslinearoperator(A), 24)
    assert formed.trace == pytest.approx(np.trace(A), rel=1e-14)
    assert (formed.method, formed.products) == ("exact", 20)
    assert "n = 20" in formed.fallback


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_reproducible_and_single_precision(estimator):
    A = semidefinite(100, FAST)
    assert estimator(aslinearoperator(A), 20, rng=3) == estimator(
        aslinearoperator(A), 20, rng=np.random.default_rng(3)
    )
    assert estimator(aslinearoperator(A), 20, rng=3) != estimator(aslinearoperator(A), 20, rng=4)
    single = estimator(aslinearoperator(A.astype(np.float32)), 60, rng=3)
    assert single.trace == pytest.approx(FAST.sum(), rel=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_bad_input_is_named(estimator):
    A = aslinearoperator(np.eye(50))
    with pytest.raises(ValueError, match="products is 2"):
        estimator(A, 2)
    with pytest.raises(TypeError, match="products"):
        estimator(A, 7.5)
    with pytest.raises(ValueError, match="square"):
        estimator(np.ones((3, 4)), 6)
    with pytest.raises(ValueError, match="finite"):
        estimator(np.full((4, 4), np.inf), 6)
    broken = LinearOperator((50, 50), matvec=lambda x: np.full(50, np.inf), dtype=float)
    with pytest.raises(ValueError, match="not finite"):
        estimator(broken, 12)
