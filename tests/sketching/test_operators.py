"""Sketch operators against their dense form, their adjoints, their distortion, their reproducibility."""

import subprocess
import sys

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import aslinearoperator
from threadpoolctl import threadpool_limits

from karush.sketching import (
    SRTT,
    BlockRowSampling,
    CountSketch,
    Gaussian,
    Rademacher,
    RowSampling,
    SparseSign,
    SparseStack,
    leverage_probabilities,
    row_norm_probabilities,
)

EVERY = [SparseSign, SparseStack, CountSketch, SRTT, Gaussian, Rademacher, RowSampling, BlockRowSampling]
EMBEDDINGS = [SparseSign, SparseStack, SRTT, Gaussian, Rademacher]
COLUMN_SPARSE = [SparseSign, SparseStack, CountSketch]

every = pytest.mark.parametrize("kind", EVERY, ids=lambda kind: kind.__name__)


def forms(A):
    """The same matrix in the ways that it may be given."""
    wide = np.repeat(A, 2, axis=1)
    yield "C", np.ascontiguousarray(A)
    yield "Fortran", np.asfortranarray(A)
    yield "strided", wide[:, ::2]
    yield "reversed", np.ascontiguousarray(A[:, ::-1])[:, ::-1]
    yield "csr", sp.csr_array(A)
    yield "csc", sp.csc_array(A)
    yield "coo", sp.coo_array(A)
    yield "operator", aslinearoperator(A)


@every
@pytest.mark.parametrize("columns", [1, 3, 16, 37, 70])
def test_products_are_those_of_the_dense_form(kind, columns):
    S = kind.sample(3, 60, 200)
    dense = S.toarray()
    A = np.random.default_rng(columns).standard_normal((200, columns))
    expected = dense @ A
    atol = 1e-12 * np.abs(expected).max()
    for name, form in forms(A):
        np.testing.assert_allclose(S @ form, expected, rtol=0, atol=atol, err_msg=name)
    np.testing.assert_allclose(S @ A[:, 0], expected[:, 0], rtol=0, atol=atol)
    np.testing.assert_allclose(A.T @ S.T, expected.T, rtol=0, atol=atol)


@every
def test_single_precision_stays_single(kind):
    S = kind.sample(3, 60, 200)
    A = np.random.default_rng(0).standard_normal((200, 20)).astype(np.float32)
    for name, form in forms(A):
        if name != "operator":
            result = S @ form
            assert result.dtype == np.float32, name
            np.testing.assert_allclose(result, S.toarray() @ A, atol=2e-5)
    assert (S.T @ (S @ A)).dtype == np.float32


@every
def test_integers_and_booleans_become_doubles(kind):
    S = kind.sample(3, 60, 200)
    A = np.random.default_rng(0).integers(-3, 4, size=(200, 5))
    assert (S @ A).dtype == np.float64
    np.testing.assert_allclose(S @ (A > 0), S @ (A > 0).astype(float))


@every
def test_adjoint(kind):
    rng = np.random.default_rng(5)
    S = kind.sample(rng, 60, 200)
    x, y = rng.standard_normal((200, 4)), rng.standard_normal((S.shape[0], 4))
    np.testing.assert_allclose(np.vdot(S @ x, y), np.vdot(x, S.T @ y), rtol=1e-12)
    np.testing.assert_allclose(S.T @ y, S.toarray().T @ y, atol=1e-12)
    np.testing.assert_allclose(S.T @ y[:, 0], S.toarray().T @ y[:, 0], atol=1e-12)
    operator = S.as_linear_operator()
    np.testing.assert_array_equal(operator @ x, S @ x)
    np.testing.assert_array_equal(operator.rmatmat(y), S.T @ y)
    assert S.T.T is S
    assert S.T.shape == (200, S.shape[0])


@every
def test_row_scale_is_a_diagonal_factor(kind):
    rng = np.random.default_rng(6)
    S = kind.sample(rng, 60, 200)
    A, scale = rng.standard_normal((200, 20)), rng.uniform(0, 3, 200)
    expected = S.toarray() @ (scale[:, None] * A)
    for name, form in forms(A):
        np.testing.assert_allclose(S.apply(form, row_scale=scale), expected, atol=1e-11, err_msg=name)


@every
def test_the_mean_of_the_gram_matrix_is_the_identity(kind):
    """Each entry of the mean of 400 samples of S'S is within six standard errors of the identity's."""
    rng = np.random.default_rng(7)
    samples = []
    for _ in range(400):
        dense = kind.sample(rng, 12, 20, **({"block_size": 2} if kind is BlockRowSampling else {})).toarray()
        samples.append(dense.T @ dense)
    mean, error = np.mean(samples, axis=0), np.std(samples, axis=0) / 20.0
    assert np.all(np.abs(mean - np.eye(20)) <= 6.0 * error + 1e-12)


@pytest.mark.parametrize("kind", EMBEDDINGS, ids=lambda kind: kind.__name__)
@pytest.mark.parametrize("coherent", [False, True], ids=["incoherent", "coherent"])
def test_distortion(kind, coherent):
    """Singular values of S Q lie in 1 +- sqrt(k/d), widened by a third for the tail.

    By two thirds where few rows carry Q: four entries a column collide there, and a cosine is not flat.
    """
    n, k, d = 2_000, 20, 320
    for seed in range(25):
        rng = np.random.default_rng(seed)
        Q = np.eye(n)[:, :k] if coherent else np.linalg.qr(rng.standard_normal((n, k)))[0]
        values = np.linalg.svd(kind.sample(rng, d, n) @ Q, compute_uv=False)
        slack = 5.0 / 3.0 if coherent and kind in (SparseStack, SRTT) else 4.0 / 3.0
        width = slack * np.sqrt(k / d)
        assert 1.0 - width <= values.min(), seed
        assert values.max() <= 1.0 + width, seed


def test_uniform_sampling_loses_a_coherent_subspace_and_leverage_scores_find_it():
    n, k = 2_000, 5
    Q = np.zeros((n, k))
    Q[:k] = np.eye(k)
    uniform = RowSampling.sample(0, 100, n) @ Q
    assert np.linalg.matrix_rank(uniform) < k
    A = Q * np.logspace(0, -6, k)
    for probabilities in (leverage_probabilities(A, 0), row_norm_probabilities(Q)):
        weighted = RowSampling.sample(1, 300, n, probabilities=probabilities) @ Q
        values = np.linalg.svd(weighted, compute_uv=False)
        assert 0.5 < values.min() <= values.max() < 1.5


def test_leverage_scores_are_near_the_exact_ones():
    rng = np.random.default_rng(1)
    A = rng.standard_normal((3_000, 10)) * rng.exponential(size=(3_000, 1)) ** 3
    exact = np.linalg.norm(np.linalg.qr(A)[0], axis=1) ** 2 / 10
    estimate = leverage_probabilities(A, rng)
    assert estimate.sum() == pytest.approx(1.0)
    # 32 Gaussian columns: chi-squared / 32, which exceeds 3 or falls short of 1/5 with probability 1e-7.
    assert np.all(estimate < 3.0 * exact + 1e-15)
    assert np.all(exact < 5.0 * estimate + 1e-15)


@pytest.mark.parametrize("kind", COLUMN_SPARSE, ids=lambda kind: kind.__name__)
def test_structure_of_column_sparse_sketches(kind):
    S = kind.sample(0, 30, 500)
    assert S.zeta == {SparseSign: 8, SparseStack: 4, CountSketch: 1}[kind]
    assert all(len(set(rows)) == S.zeta for rows in S.rows.tolist())
    assert set(np.unique(S.signs)) == {-1, 1}
    np.testing.assert_allclose(S.tocsc().toarray(), S.toarray(), atol=1e-15)
    counts = np.bincount(S.rows.ravel(), minlength=30)
    # Binomial: 500 zeta / 30 a row, five standard deviations.
    expected = 500 * S.zeta / 30
    assert np.all(np.abs(counts - expected) < 5.0 * np.sqrt(expected))


def test_sparse_sign_is_uniform_over_sets_of_rows():
    """Floyd's sampling: all 10 pairs of 5 rows equally often, within five standard deviations."""
    S = SparseSign.sample(2, 5, 20_000, zeta=2)
    pairs = np.sort(S.rows, axis=1) @ [5, 1]
    counts = np.unique_counts(pairs).counts
    assert counts.size == 10
    assert np.all(np.abs(counts - 2_000) < 5.0 * np.sqrt(2_000 * 0.9))


@every
def test_same_rng_same_bits(kind):
    A = np.random.default_rng(0).standard_normal((200, 40))
    first = kind.sample(np.random.default_rng(9), 60, 200) @ A
    np.testing.assert_array_equal(first, kind.sample(9, 60, 200) @ A)
    assert not np.array_equal(first, kind.sample(10, 60, 200) @ A)


@pytest.mark.parametrize("kind", [*COLUMN_SPARSE, SRTT], ids=lambda kind: kind.__name__)
def test_bits_do_not_depend_on_threads(kind):
    A = np.random.default_rng(0).standard_normal((500, 90))
    S = kind.sample(1, 100, 500)
    one = S.apply(A, workers=1)
    for workers in (2, 3, None):
        with threadpool_limits(2):
            np.testing.assert_array_equal(S.apply(A, workers=workers), one)
            np.testing.assert_array_equal(S.apply(sp.csr_array(A), workers=workers), S.apply(sp.csr_array(A)))
            np.testing.assert_array_equal(S.apply_adjoint(one, workers=workers), S.apply_adjoint(one))


def test_bits_are_the_same_in_another_process():
    program = (
        "import hashlib, numpy as np; from karush.sketching import SparseSign;"
        "A = np.random.default_rng(0).standard_normal((300, 40));"
        "print(hashlib.sha256((SparseSign.sample(4, 50, 300) @ A).tobytes()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] != ""


@settings(deadline=None, max_examples=60)
@given(
    n=st.integers(1, 70),
    k=st.integers(1, 50),
    d=st.integers(1, 80),
    dtype=st.sampled_from([np.float32, np.float64]),
    order=st.sampled_from("CF"),
    seed=st.integers(0, 2**32 - 1),
)
def test_any_shape(n, k, d, dtype, order, seed):
    rng = np.random.default_rng(seed)
    A = np.asarray(rng.standard_normal((n, k)), dtype=dtype, order=order)
    S = SparseSign.sample(rng, d, n)
    tolerance = 100 * np.finfo(dtype).eps * np.abs(A).max() * np.sqrt(n)
    np.testing.assert_allclose(S @ A, S.toarray() @ A, rtol=0, atol=tolerance)
    np.testing.assert_allclose(S @ sp.csc_array(A), S.toarray() @ A, rtol=0, atol=tolerance)


def test_nan_comes_through():
    A = np.ones((200, 20))
    A[7, 3] = np.nan
    result = SparseSign.sample(0, 60, 200) @ A
    assert np.isnan(result[:, 3]).sum() == 8
    assert np.isfinite(np.delete(result, 3, axis=1)).all()


@every
def test_operands_of_a_wrong_kind(kind):
    S = kind.sample(0, 60, 200)
    with pytest.raises(ValueError, match=r"A has shape \(199, 2\); 200 rows are wanted"):
        S @ np.ones((199, 2))
    with pytest.raises(ValueError, match="rows are wanted"):
        S.T @ np.ones((200, 2))
    with pytest.raises(TypeError, match="complex128; real numbers are wanted"):
        S @ np.ones((200, 2), dtype=complex)
    with pytest.raises(ValueError, match="row_scale has shape"):
        S.apply(np.ones((200, 2)), row_scale=np.ones(3))
    with pytest.raises(ValueError, match="workers is 0"):
        S.apply(np.ones((200, 2)), workers=0)


@every
@pytest.mark.parametrize(
    ("d", "n", "error", "match"),
    [
        (0, 10, ValueError, "d is 0; at least 1 is wanted"),
        (5, 0, ValueError, "n is 0; at least 1 is wanted"),
        (2.5, 10, TypeError, "d is 2.5; a whole number is wanted"),
        (True, 10, TypeError, "d is True"),
    ],
)
def test_bad_sizes(kind, d, n, error, match):
    with pytest.raises(error, match=match):
        kind.sample(0, d, n)


@pytest.mark.parametrize("kind", [SRTT, RowSampling, BlockRowSampling], ids=lambda kind: kind.__name__)
def test_no_more_rows_than_there_are(kind):
    with pytest.raises(ValueError, match="d is 300, n is 200"):
        kind.sample(0, 300, 200)


def test_bad_options():
    with pytest.raises(ValueError, match="CountSketch has one entry"):
        CountSketch.sample(0, 10, 20, zeta=2)
    with pytest.raises(ValueError, match="zeta is 0"):
        SparseSign.sample(0, 10, 20, zeta=0)
    with pytest.raises(ValueError, match="nonnegative ones, not all zero, are wanted"):
        RowSampling.sample(0, 10, 20, probabilities=np.zeros(20))
    with pytest.raises((TypeError, ValueError), match="rng is 'a'"):
        SparseSign.sample("a", 10, 20)
    with pytest.raises(TypeError, match="LinearOperator; its rows cannot be seen"):
        leverage_probabilities(aslinearoperator(np.eye(4)))
    with pytest.raises(ValueError, match="full column rank"):
        leverage_probabilities(np.ones((50, 2)), 0)
