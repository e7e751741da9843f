"""Sketched GMRES beside scipy's, its monitors against the quantities they stand for, and its ways to end."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator, gmres, spilu

from karush.sketching.gmres import _SketchedBasis, sketched_gmres
from karush.sketching.operators import SparseSign
from karush.sketching.status import LinearStatus


def convection_diffusion(k, speed=20.0):
    """Central differences of -u_xx - u_yy + speed (u_x + u_y) on a k x k grid, times h^2."""
    h = 1.0 / (k + 1)
    one = sp.eye_array(k)
    line = sp.diags_array(
        [-1.0 - speed * h / 2.0, 2.0, -1.0 + speed * h / 2.0], offsets=[-1, 0, 1], shape=(k, k), dtype=float
    )
    return sp.csr_array(sp.kron(one, line) + sp.kron(line, one))


A = convection_diffusion(40)
N = A.shape[0]
B = np.random.default_rng(0).standard_normal(N)


def relative(A, x, b):
    return np.linalg.norm(b - A @ x) / np.linalg.norm(b)


KINDS = {
    "C": lambda A: A.toarray(),
    "F": lambda A: A.toarray(order="F"),
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "operator": aslinearoperator,
}


@pytest.mark.parametrize("kind", KINDS)
def test_agrees_with_gmres(kind):
    result = sketched_gmres(KINDS[kind](A), B, rtol=1e-10, rng=0)
    assert result.status is LinearStatus.CONVERGED
    assert (result.method, result.fallback, result.cycles) == ("sketched-gmres", None, 1)
    assert result.residual == pytest.approx(relative(A, result.x, B), rel=1e-6)
    steps = []
    x, _ = gmres(A, B, rtol=1e-10, restart=150, maxiter=1, callback=steps.append, callback_type="pr_norm")
    np.testing.assert_allclose(result.x, x, atol=1e-6 * np.abs(x).max())
    assert len(steps) <= result.iterations <= 1.1 * len(steps)


def test_sketched_residual_and_condition_stand_for_the_true_ones():
    # With S an embedding of distortion eps, residuals and conditions agree up to (1 + eps) / (1 - eps).
    for seed in range(20):
        S = SparseSign.sample(seed, 82, N)
        basis = _SketchedBasis(S, B, 40, 2)
        vectors = []
        for _ in range(40):
            vectors.append(basis.last().copy())
            basis.extend(A @ vectors[-1])
        V = np.array(vectors).T
        embedded = np.linalg.svd(S @ np.linalg.qr(np.column_stack([A @ V, B]))[0], compute_uv=False)
        low, high = embedded[-1], embedded[0]
        assert 0.1 < low < high < 2.0
        best = np.linalg.norm(B - A @ V @ np.linalg.lstsq(A @ V, B, rcond=None)[0])
        attained = np.linalg.norm(B - A @ basis.combination())
        assert best * (1 - 1e-9) <= attained <= high / low * best
        assert low * best * (1 - 1e-9) <= basis.residual <= high * best
        assert 0.2 < basis.condition() / np.linalg.cond(V) < 5.0


def test_truncated_vectors_are_orthonormal_to_the_last_few():
    S = SparseSign.sample(0, 82, N)
    basis = _SketchedBasis(S, B, 40, 3)
    vectors = []
    for _ in range(30):
        vectors.append(basis.last().copy())
        basis.extend(A @ vectors[-1])
    gram = np.array(vectors) @ np.array(vectors).T
    for offset in range(4):
        np.testing.assert_allclose(np.diagonal(gram, offset), float(offset == 0), atol=1e-12)


def test_restarts_where_the_basis_degrades():
    # Only normalised, the vectors are those of the power method.
    n = 1000
    D = sp.csr_array(sp.diags_array(np.linspace(1.0, 30.0, n)))
    b = np.ones(n)
    result = sketched_gmres(D, b, truncation=1, rtol=1e-9, rng=0)
    assert result.converged
    assert result.cycles > 1
    whole = sketched_gmres(D, b, truncation=150, rtol=1e-9, rng=0)
    assert (whole.cycles, whole.converged) == (1, True)
    assert whole.basis_condition < 20.0 < result.basis_condition


def test_restarts_by_size_and_limit():
    result = sketched_gmres(A, B, basis_size=30, rng=0)
    assert result.converged
    assert result.cycles >= 4
    limited = sketched_gmres(A, B, maxiter=45, basis_size=30, rng=0)
    assert (limited.status, limited.iterations) == (LinearStatus.ITERATION_LIMIT, 45)
    assert limited.residual == pytest.approx(relative(A, limited.x, B), rel=1e-6)
    assert limited.residual < 1.0


def test_right_preconditioning():
    plain = sketched_gmres(A, B, rng=0)
    factors = spilu(A.tocsc(), drop_tol=1e-2)
    M = LinearOperator(A.shape, matvec=factors.solve, dtype=float)
    result = sketched_gmres(A, B, M=M, rng=0)
    assert result.converged
    assert relative(A, result.x, B) <= 1e-8
    assert 3 * result.iterations < plain.iterations
    small = convection_diffusion(12)
    exact = sketched_gmres(small, np.ones(144), M=np.linalg.inv(small.toarray()), rng=0)
    assert (exact.method, exact.converged) == ("gmres", True)
    assert exact.iterations <= 2


def test_small_systems_go_to_gmres():
    small = convection_diffusion(15)
    b = np.arange(225.0)
    result = sketched_gmres(small, b, rtol=1e-11)
    assert (result.method, result.converged) == ("gmres", True)
    assert "n = 225 is not much larger" in result.fallback
    np.testing.assert_allclose(result.x, np.linalg.solve(small.toarray(), b), rtol=1e-8)
    assert np.isnan(result.basis_condition)


def test_stagnation_is_handed_over_and_then_told():
    # A cyclic shift: no polynomial of degree below n lowers the residual of a unit vector.
    n = 500
    shift = sp.csr_array(sp.eye_array(n, k=1) + sp.eye_array(n, k=1 - n))
    result = sketched_gmres(shift, np.eye(n)[0], basis_size=20, rng=0)
    assert result.status is LinearStatus.STAGNATED
    assert result.method == "gmres"
    assert "did not halve the residual" in result.fallback
    assert np.isfinite(result.x).all()
    assert result.residual <= 1.0


def test_poor_cycles_are_handed_over_to_gmres_which_converges():
    # Power vectors of a matrix of large condition: the truncated cycles end after a few vectors.
    n = 600
    D = sp.csr_array(sp.diags_array(np.geomspace(1.0, 1e4, n)))
    result = sketched_gmres(D, np.ones(n), basis_size=140, truncation=1, rtol=1e-4, rng=0)
    assert (result.method, result.converged) == ("gmres", True)
    assert "did not halve the residual" in result.fallback
    assert result.residual == pytest.approx(relative(D, result.x, np.ones(n)), rel=1e-6)


def test_invariant_subspaces_end_with_the_solution():
    n = 800
    P = sp.csr_array(sp.diags_array(np.r_[np.full(300, 2.0), np.full(500, -1.0)]))
    result = sketched_gmres(P, np.ones(n), rng=0)
    assert result.converged
    assert result.iterations == 2
    zero = sketched_gmres(sp.csr_array((n, n)), np.ones(n), rng=0)
    assert not zero.converged
    assert not zero.x.any()


def test_start_and_zero_right_hand_side():
    x = np.random.default_rng(1).standard_normal(N)
    assert sketched_gmres(A, A @ x, x0=x, rng=0).iterations == 0
    zero = sketched_gmres(A, np.zeros(N), rng=0)
    assert (zero.converged, zero.iterations, zero.residual) == (True, 0, 0.0)
    near = sketched_gmres(A, A @ x, x0=x + 1e-6, rng=0)
    assert near.converged
    assert near.iterations < sketched_gmres(A, A @ x, rng=0).iterations


def test_single_precision_and_reproducibility():
    one, two = (
        sketched_gmres(A.astype(np.float32), B, rtol=1e-5, rng=rng) for rng in (3, np.random.default_rng(3))
    )
    assert one.x.dtype == np.float32
    assert one.converged
    np.testing.assert_array_equal(one.x, two.x)
    assert not np.array_equal(one.x, sketched_gmres(A.astype(np.float32), B, rtol=1e-5, rng=4).x)


def test_bad_input_is_named():
    with pytest.raises(ValueError, match="square"):
        sketched_gmres(A[:, :5], B)
    with pytest.raises(ValueError, match="b has shape"):
        sketched_gmres(A, B[:-1])
    with pytest.raises(ValueError, match="M has shape"):
        sketched_gmres(A, B, M=np.eye(3))
    with pytest.raises(ValueError, match="truncation is 0"):
        sketched_gmres(A, B, truncation=0)
    with pytest.raises(ValueError, match="basis_size is 0"):
        sketched_gmres(A, B, basis_size=0)
    with pytest.raises(ValueError, match="rtol"):
        sketched_gmres(A, B, rtol=-1.0)
    with pytest.raises(ValueError, match="finite"):
        sketched_gmres(A * np.inf, B)
    broken = LinearOperator(A.shape, matvec=lambda x: np.full(N, np.nan), dtype=float)
    with pytest.raises(ValueError, match="not finite"):
        sketched_gmres(broken, B)
