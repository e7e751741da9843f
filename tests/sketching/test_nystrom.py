"""Nystrom-preconditioned conjugate gradients: identities, predicted condition numbers, the gate."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator, cg

from karush.sketching.nystrom import NystromPreconditioner, nystrom_pcg
from karush.sketching.status import LinearStatus

KINDS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "operator": aslinearoperator,
}


def semidefinite(w, seed=0):
    V = np.linalg.qr(np.random.default_rng(seed).standard_normal((w.size, w.size)))[0]
    A = (V * w) @ V.T
    return 0.5 * (A + A.T)


N = 200
DECAYING = 0.85 ** np.arange(N)
FLAT = np.linspace(1.0, 2.0, N)


def test_preconditioner_is_the_formula_of_the_paper():
    A = semidefinite(DECAYING)
    P = NystromPreconditioner.build(A, mu=1e-3, rank=20, rng=0)
    dense = P.U @ np.diag(P.w + 1e-3) @ P.U.T / (P.w[-1] + 1e-3) + np.eye(N) - P.U @ P.U.T
    v = np.random.default_rng(0).standard_normal((N, 3))
    np.testing.assert_allclose(dense @ P.apply(v), v, atol=1e-10)
    np.testing.assert_allclose(P.apply(v)[:, 1], P.apply(v[:, 1]), rtol=1e-12)
    np.testing.assert_allclose(P.as_linear_operator() @ v, P.apply(v), rtol=1e-12)


@pytest.mark.parametrize("mu", [1e-2, 1e-4])
def test_condition_number_keeps_the_bound_of_the_paper(mu):
    # Proposition 5.3: cond <= (w_l + mu + ||E||) / mu, E the true error of the approximation.
    A = semidefinite(DECAYING)
    for seed in range(10):
        P = NystromPreconditioner.build(A, mu=mu, rank=30, rng=seed)
        E = np.linalg.norm(A - (P.U * P.w) @ P.U.T, 2)
        assert 0.5 * E < P.error <= 1.0001 * E
        root = np.linalg.cholesky(P.apply(np.eye(N)))
        values = np.linalg.eigvalsh(root.T @ (A + mu * np.eye(N)) @ root)
        assert values[-1] / values[0] <= (P.w[-1] + mu + E) / mu * (1 + 1e-8)


def test_rank_doubles_until_the_error_is_small():
    A = semidefinite(DECAYING)
    P = NystromPreconditioner.build(A, mu=1e-4, rng=0)
    assert P.rank == 64  # 0.85^64 is 3e-5, 0.85^32 is 5e-3
    assert P.error <= 1e-3
    assert P.products == 64 + 3 * 8
    assert NystromPreconditioner.build(A, mu=1e-5, max_rank=20, rng=0).rank == 20
    assert NystromPreconditioner.build(semidefinite(FLAT), rng=0).rank == 32  # one doubling shows no decay


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("mu", [0.0, 1e-6])
def test_solves_and_saves_iterations(kind, mu):
    w = DECAYING + 1e-6
    A = semidefinite(w)
    rng = np.random.default_rng(1)
    b = A @ rng.standard_normal(N)
    result = nystrom_pcg(KINDS[kind](A), b, mu=mu, rtol=1e-10, rng=0, max_rank=100)
    assert result.status is LinearStatus.CONVERGED
    assert (result.method, result.fallback) == ("nystrom-pcg", None)
    np.testing.assert_allclose(result.x, np.linalg.solve(A + mu * np.eye(N), b), rtol=1e-3, atol=1e-3)
    true = np.linalg.norm(b - A @ result.x - mu * result.x) / np.linalg.norm(b)
    assert result.residual == pytest.approx(true, rel=1e-2)
    steps = []
    cg(A + mu * np.eye(N), b, rtol=1e-10, callback=steps.append)
    assert result.iterations < 0.5 * len(steps)


def test_flat_spectra_fall_back_to_plain_cg():
    A = semidefinite(FLAT)
    b = np.random.default_rng(1).standard_normal(N)
    result = nystrom_pcg(A, b, rng=0)
    assert result.converged
    assert (result.method, result.rank) == ("cg", 0)
    assert "hardly decays" in result.fallback
    steps = []
    cg(A, b, rtol=1e-8, callback=steps.append)
    assert abs(result.iterations - len(steps)) <= 1
    forced = nystrom_pcg(A, b, rng=0, gate=False)
    assert (forced.method, forced.converged) == ("nystrom-pcg", True)


def test_sparse_matrices_fall_back_where_an_iteration_gets_too_dear():
    b = np.ones(3000)
    steep = sp.csr_array(sp.diags_array(np.r_[np.full(20, 1e4), np.linspace(1.0, 0.5, 2980)]))
    refused = nystrom_pcg(steep, b, rank=100, rng=0)
    assert "too sparse" in refused.fallback
    assert (refused.method, refused.converged) == ("cg", True)
    assert nystrom_pcg(steep.toarray(), b, rank=100, rng=0).method == "nystrom-pcg"


def test_the_error_bound_holds_the_count_of_iterations():
    # Iterations for a factor eps: sqrt(cond) / 2 * log(2 / eps) in the energy norm.
    A, mu = semidefinite(DECAYING), 1e-4
    b = np.random.default_rng(2).standard_normal(N)
    for seed in range(5):
        result = nystrom_pcg(A, b, mu=mu, rng=seed, rtol=1e-8)
        P = NystromPreconditioner.build(A, mu=mu, rng=seed)
        condition = (P.w[-1] + mu + 2.0 * P.error) / mu
        # From the energy norm to the residual: another factor sqrt(cond(A + mu I)).
        accuracy = 1e-8 / np.sqrt((1.0 + mu) / mu)
        assert result.iterations <= 0.5 * np.sqrt(condition) * np.log(2.0 / accuracy) + 1


def test_indefinite_matrices_are_reported():
    A = semidefinite(FLAT)
    with pytest.raises(ValueError, match="semidefinite"):
        nystrom_pcg(A - 1.8 * np.eye(N), np.ones(N), rng=0)
    # Few negative eigenvalues hide from the sketch, not from the curvature.
    assert nystrom_pcg(A - 1.2 * np.eye(N), np.ones(N), rng=0).status is LinearStatus.INDEFINITE
    hidden = semidefinite(np.r_[np.full(N - 1, 1.0), -0.01])
    V = np.linalg.eigh(hidden)[1]
    result = nystrom_pcg(hidden, V[:, 0], rng=0, rank=1, gate=False)
    assert result.status is LinearStatus.INDEFINITE
    assert not result.converged


def test_singular_systems():
    w = np.r_[DECAYING[:40], np.zeros(N - 40)]
    A = semidefinite(w)
    rng = np.random.default_rng(0)
    consistent = nystrom_pcg(A, A @ rng.standard_normal(N), rank=60, rng=0)
    assert consistent.converged
    inconsistent = nystrom_pcg(A, rng.standard_normal(N), rank=60, rng=0, maxiter=200)
    assert not inconsistent.converged
    assert np.isfinite(inconsistent.x).all()
    zero = nystrom_pcg(np.zeros((N, N)), np.ones(N), mu=2.0, rng=0)
    np.testing.assert_allclose(zero.x, 0.5)


def test_start_limit_and_zero_right_hand_side():
    A = semidefinite(DECAYING + 1e-4)
    x = np.random.default_rng(0).standard_normal(N)
    b = A @ x
    assert nystrom_pcg(A, b, x0=x, rng=0).iterations == 0
    limited = nystrom_pcg(A, b, maxiter=2, rng=0)
    assert (limited.status, limited.iterations) == (LinearStatus.ITERATION_LIMIT, 2)
    zero = nystrom_pcg(A, np.zeros(N), rng=0)
    assert (zero.converged, zero.residual) == (True, 0.0)
    assert not zero.x.any()
    beyond = nystrom_pcg(A, b, rtol=1e-30, rng=0)
    assert beyond.status is LinearStatus.STAGNATED
    assert beyond.residual < 1e-13


def test_single_precision_and_reproducibility():
    A = semidefinite(DECAYING).astype(np.float32)
    b = np.ones(N, dtype=np.float32)
    one, two = (nystrom_pcg(A, b, mu=1e-2, rtol=1e-5, rng=rng) for rng in (7, np.random.default_rng(7)))
    assert one.x.dtype == np.float32
    assert one.converged
    np.testing.assert_array_equal(one.x, two.x)
    assert not np.array_equal(one.x, nystrom_pcg(A, b, mu=1e-2, rtol=1e-5, rng=8).x)


def test_bad_input_is_named():
    A, b = semidefinite(DECAYING), np.ones(N)
    with pytest.raises(ValueError, match="b has shape"):
        nystrom_pcg(A, b[:-1])
    with pytest.raises(ValueError, match="mu is -1"):
        nystrom_pcg(A, b, mu=-1.0)
    with pytest.raises(ValueError, match="rank is 201"):
        nystrom_pcg(A, b, rank=201)
    with pytest.raises(ValueError, match="max_rank is 0"):
        nystrom_pcg(A, b, max_rank=0)
    with pytest.raises(ValueError, match="rtol"):
        nystrom_pcg(A, b, rtol=2.0)
    with pytest.raises(ValueError, match="square"):
        nystrom_pcg(A[:, :5], b)
    with pytest.raises(ValueError, match="not symmetric"):
        nystrom_pcg(np.triu(A), b)
    with pytest.raises(ValueError, match="finite"):
        nystrom_pcg(A * np.nan, b)
    broken = LinearOperator((N, N), matvec=lambda x: np.full(N, np.nan), dtype=float)
    with pytest.raises(ValueError, match="not finite"):
        nystrom_pcg(broken, b)
