"""Least squares by sketching: backward errors against QR's, invariances, variants, fallbacks, bad input."""

import hashlib
import subprocess
import sys

import numpy as np
import pytest
import scipy.linalg as sla
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse.linalg import LinearOperator, aslinearoperator
from threadpoolctl import threadpool_limits

from karush.sketching import lstsq

M, N = 2000, 40
SKETCHED = ("fossils", "spir", "iterative-sketching")
STABLE = ("fossils", "spir", "direct")
EPS = np.finfo(float).eps


def problem(cond, residual, m=M, n=N, seed=0):
    """A of this condition number, ||x|| = 1, ||A|| = 1, and b with a residual of this norm."""
    rng = np.random.default_rng(seed)
    U = np.linalg.qr(rng.standard_normal((m, n + 1)))[0]
    V = np.linalg.qr(rng.standard_normal((n, n)))[0]
    A = (U[:, :n] * np.geomspace(1.0, 1.0 / cond, n)) @ V.T
    x = rng.standard_normal(n)
    x /= np.linalg.norm(x)
    return A, A @ x + residual * U[:, n], x


def backward_error(A, b, x):
    """Karlson and Walden's estimate from a singular value decomposition, relative to ||A||_F."""
    U, s, _ = np.linalg.svd(A, full_matrices=False)
    r = b - A @ x
    size = np.linalg.norm(x)
    shift = np.linalg.norm(r) / size
    return np.linalg.norm(s / np.hypot(s, shift) * (U.T @ r)) / (size * np.linalg.norm(s))


def by_qr(A, b):
    Q, R = np.linalg.qr(A)
    return sla.solve_triangular(R, Q.T @ b)


def random_problem(m=M, n=N, seed=0, columns=None):
    rng = np.random.default_rng(seed)
    shape = m if columns is None else (m, columns)
    return rng.standard_normal((m, n)), rng.standard_normal(shape)


def relative(x, y):
    return np.linalg.norm(x - y) / np.linalg.norm(y)


@pytest.mark.parametrize("cond", [1e1, 1e3, 1e5, 1e7, 1e9, 1e12])
@pytest.mark.parametrize("residual", [1e-12, 1e-6, 1e-2, 1.0])
def test_backward_error_is_within_ten_times_that_of_qr(cond, residual):
    A, b, _ = problem(cond, residual)
    yardstick = backward_error(A, b, by_qr(A, b))
    for method in STABLE:
        for seed in range(2):
            answer = lstsq(A, b, method=method, rng=seed)
            exact = backward_error(A, b, answer.x)
            assert answer.success
            assert answer.fallback is None
            assert exact <= 10.0 * yardstick
            # The estimate is within the sketch's distortion (and sqrt 2) of the exact one.
            assert 0.4 * exact <= answer.backward_error <= 2.5 * exact


@pytest.mark.parametrize("cond", [1e2, 1e6, 1e10])
@pytest.mark.parametrize("residual", [1e-10, 1e-3, 1.0])
def test_iterative_sketching_is_forward_stable(cond, residual):
    A, b, x = problem(cond, residual)
    answer = lstsq(A, b, method="iterative-sketching", rng=1)
    # Wedin: the forward error of a backward-stable method.
    bound = EPS * cond * (1.0 + cond * residual)
    assert np.linalg.norm(answer.x - x) <= 20.0 * bound
    assert answer.method == "iterative-sketching"
    # It does not claim more than it has: success is the backward error's.
    assert answer.success == (answer.backward_error <= 500.0 * EPS)


def test_success_is_false_where_it_should_be():
    A, b, _ = problem(1e8, 1.0)
    forward = lstsq(A, b, method="iterative-sketching", rng=0)
    assert backward_error(A, b, forward.x) > 1e-12
    assert not forward.success
    crude = lstsq(A, b, method="sketch-and-solve", rng=0)
    assert not crude.success
    assert crude.method == "sketch-and-solve"
    assert crude.iterations == 0
    assert crude.fallback is None
    # Within the distortion: (1 - sqrt(n/d))^-1 times the least residual, and not the least.
    assert 1.01 < crude.residual_norm / np.linalg.norm(b - A @ by_qr(A, b)) < 1.5
    assert lstsq(A, b, method="sketch-and-solve", rng=0, rtol=1.0).success
    # LSMR's limit on an operator too large to be written out, with a condition number of 1e6.
    large = sp.diags_array(np.geomspace(1.0, 1e-6, 4000)).tocsr()
    tall = sp.vstack([large, large], format="csr")
    slow = lstsq(aslinearoperator(tall), np.ones(8000), method="direct", maxiter=5)
    assert slow.method == "lsmr"
    assert slow.iterations <= 5
    assert not slow.success


@pytest.mark.parametrize("method", SKETCHED)
def test_rtol_saves_steps_and_keeps_its_word(method):
    A, b, x = problem(1e4, 1e-1)
    sharp = lstsq(A, b, method=method, rng=0)
    rough = lstsq(A, b, method=method, rng=0, rtol=1e-6)
    assert rough.success
    assert rough.iterations < sharp.iterations
    assert rough.passes < sharp.passes
    assert np.linalg.norm(A @ (rough.x - x)) <= 3e-6 * np.linalg.norm(A @ x)


@pytest.mark.parametrize("method", SKETCHED)
def test_a_warm_start_is_used_where_it_is_better(method):
    A, b, x = problem(1e3, 1e-2)
    good = lstsq(A, b, method=method, rng=0, rtol=1e-8, x0=x + 1e-6)
    cold = lstsq(A, b, method=method, rng=0, rtol=1e-8)
    bad = lstsq(A, b, method=method, rng=0, rtol=1e-8, x0=1e6 * np.ones(N))
    assert good.iterations < cold.iterations
    np.testing.assert_array_equal(bad.x, cold.x)
    assert lstsq(A, b, method=method, rng=0, x0=x).success  # nothing left to do is no divergence


KINDS = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda A: np.repeat(A, 2, axis=1)[:, ::2],
    "csr": sp.csr_array,
    "csc": sp.csc_array,
    "coo": sp.coo_array,
    "operator": aslinearoperator,
    "operator without dtype": lambda A: LinearOperator(A.shape, matvec=A.dot, rmatvec=A.T.dot),
}


def read_only(A):
    A = A.copy()
    A.setflags(write=False)
    return A


KINDS["read-only"] = read_only


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
def test_every_kind_of_matrix(kind, method):
    A, b = random_problem()
    A[11] = 0.0
    A[A < -1.0] = 0.0
    B = np.column_stack([b, A @ np.ones(N), np.zeros(M)])
    expected = np.linalg.lstsq(A, B)[0]
    single = lstsq(KINDS[kind](A), read_only(b), method=method, rng=0)
    several = lstsq(KINDS[kind](A), B, method=method, rng=0)
    assert single.success
    assert several.success
    assert isinstance(single.residual_norm, float)
    assert isinstance(single.backward_error, float)
    np.testing.assert_allclose(single.x, expected[:, 0], atol=1e-13)
    np.testing.assert_allclose(several.x, expected, atol=1e-13)
    np.testing.assert_allclose(
        several.residual_norm, np.linalg.norm(B - A @ several.x, axis=0), rtol=1e-6, atol=1e-12
    )
    assert several.backward_error.shape == (3,)


@pytest.mark.parametrize("method", ["spir", "fossils", "direct"])
@pytest.mark.parametrize("columns", [4, 9])
def test_backward_errors_of_several_right_hand_sides(method, columns):
    # 9: by the singular value decomposition; 4: one by one.
    A, b, _ = problem(1e6, 1e-2)
    B = np.column_stack([b * 10.0**k for k in range(columns)])
    answer = lstsq(A, B, method=method, rng=0)
    exact = [backward_error(A, B[:, k], answer.x[:, k]) for k in range(columns)]
    assert np.all(answer.backward_error < 2.5 * np.array(exact))
    assert np.all(answer.backward_error > 0.4 * np.array(exact))


def test_single_precision():
    A, b, _ = problem(1e3, 1e-2)
    single, right = A.astype(np.float32), b.astype(np.float32)
    exact = np.linalg.lstsq(single.astype(float), right.astype(float))[0]
    for method in (*SKETCHED, "direct"):
        for form in (single, np.asfortranarray(single), sp.csr_array(single)):
            answer = lstsq(form, right, method=method, rng=0)
            assert answer.x.dtype == np.float32
            assert answer.success
            assert backward_error(single.astype(float), right.astype(float), answer.x) < 1e-6
            assert relative(answer.x, exact) < 1e-2
    # The residual's norm is summed in double precision.
    big = lstsq(
        np.ones((2**20, 2), np.float32) * [1, 0], np.full(2**20, 3.0, np.float32), method="spir", rng=0
    )
    assert big.residual_norm < 1e-2
    ramp = np.arange(2**20, dtype=np.float32)
    flat = lstsq(np.ones((2**20, 1), np.float32), ramp, method="spir", rng=0)
    assert flat.residual_norm == pytest.approx(np.linalg.norm(ramp.astype(float) - flat.x[0]), rel=1e-6)


@pytest.mark.parametrize("dtype", [np.int64, np.int8, np.bool_])
def test_integers(dtype):
    A = np.random.default_rng(0).integers(0, 2, (M, 20)).astype(dtype)
    b = np.arange(M)
    for method in STABLE:
        np.testing.assert_allclose(
            lstsq(A, b, method=method, rng=0).x, np.linalg.lstsq(A * 1.0, b * 1.0)[0], rtol=1e-9
        )


@pytest.mark.parametrize(
    "sketch", ["sparse-sign", "sparse-stack", "countsketch", "srtt", "gaussian", "rademacher"]
)
@pytest.mark.parametrize("method", ["fossils", "spir"])
def test_every_sketch(sketch, method):
    A, b, _ = problem(1e8, 1e-3)
    A[0] *= 1e3  # a row of high leverage
    yardstick = backward_error(A, b, by_qr(A, b))
    weights = np.random.default_rng(0).uniform(0.5, 2.0, M)
    roots = np.sqrt(weights)
    answer = lstsq(A, b, method=method, sketch=sketch, rng=0)
    assert answer.method == method
    assert backward_error(A, b, answer.x) < 10.0 * yardstick
    weighted = lstsq(A, b, weights=weights, method=method, sketch=sketch, rng=0)
    assert weighted.method == method
    assert backward_error(roots[:, None] * A, roots * b, weighted.x) < 10.0 * yardstick


@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
def test_permutations_of_rows_and_columns(method):
    A, b, _ = problem(1e4, 1e-1)
    rng = np.random.default_rng(3)
    rows, columns = rng.permutation(M), rng.permutation(N)
    plain = lstsq(A, b, method=method, rng=0)
    permuted = lstsq(A[rows][:, columns], b[rows], method=method, rng=0)
    bound = EPS * 1e4 * (1 + 1e4 * 0.1)
    assert np.linalg.norm(permuted.x - plain.x[columns]) < 50.0 * bound


@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
def test_column_scaling_by_powers_of_two_changes_nothing(method):
    # Badly scaled columns are no rank deficiency.
    A, b = random_problem()
    powers = 2.0 ** np.random.default_rng(1).integers(-60, 60, N)
    plain = lstsq(A, b, method=method, rng=0)
    scaled = lstsq(A * powers, b, method=method, rng=0)
    assert scaled.rank == N
    np.testing.assert_allclose(scaled.x * powers, plain.x, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
@pytest.mark.parametrize(("a", "c"), [(700, 0), (-700, 0), (0, 900), (0, -900), (500, -400), (-300, 600)])
def test_powers_of_two_change_no_bit(method, a, c):
    A, b = random_problem(columns=2)
    b[:, 1] = A @ np.ones(N)
    weights = np.random.default_rng(0).uniform(0.0, 1.0, M)
    for form in (np.asarray, sp.csr_array):
        plain = lstsq(form(A), b, method=method, rng=0, weights=weights, damp=0.5)
        scaled = lstsq(
            form(np.ldexp(A, a)),
            np.ldexp(b, [c, 0]),
            method=method,
            rng=0,
            weights=weights,
            damp=0.5 * 2.0**a,
        )
        assert scaled.success == plain.success
        np.testing.assert_array_equal(scaled.x, np.ldexp(plain.x, [c - a, -a]))
        np.testing.assert_array_equal(scaled.residual_norm, np.ldexp(plain.residual_norm, [c, 0]))
        np.testing.assert_array_equal(scaled.backward_error, plain.backward_error)


def test_weights_of_any_scale():
    A, b = random_problem()
    weights = np.random.default_rng(0).uniform(0.0, 1.0, M)
    for method in ("spir", "direct"):
        plain = lstsq(A, b, method=method, rng=0, weights=weights)
        for power in (-900, 900):
            scaled = lstsq(A, b, method=method, rng=0, weights=np.ldexp(weights, power))
            np.testing.assert_allclose(scaled.x, plain.x, rtol=1e-12)
            assert scaled.residual_norm == pytest.approx(np.ldexp(plain.residual_norm, power // 2), rel=1e-12)


def test_solutions_out_of_range_are_no_success():
    A, b = random_problem()
    answer = lstsq(A * 1e-200, b * 1e200, method="spir", rng=0)
    assert not np.all(np.isfinite(answer.x))
    assert not answer.success


@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
@pytest.mark.parametrize("shape", [(M, N), (N, M)])
@pytest.mark.parametrize("damp", [0.0, 3.0])
def test_weights_are_a_scaling_of_the_rows(method, shape, damp):
    A, b = random_problem(*shape)
    weights = np.random.default_rng(1).uniform(0.0, 2.0, shape[0])
    weights[::4] = 0.0
    roots = np.sqrt(weights)
    explicit = lstsq(roots[:, None] * A, roots * b, damp=damp, method="direct")
    for form in (A, sp.csr_array(A), aslinearoperator(A)):
        answer = lstsq(form, b, damp=damp, weights=weights, method=method, rng=0)
        assert answer.success
        assert relative(answer.x, explicit.x) < 1e-11
        expected = np.linalg.norm(roots * (b - A @ answer.x))
        assert answer.residual_norm == pytest.approx(expected, rel=1e-9, abs=1e-9)


def augmented(A, b, damp):
    n = A.shape[1]
    return np.vstack([A, damp * np.eye(n)]), np.concatenate([b, np.zeros(n)])


@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
@pytest.mark.parametrize("shape", [(M, N), (N, M), (N, N)])
@pytest.mark.parametrize("damp", [1e-3, 1.0, 1e3])
def test_ridge_is_the_augmented_system(method, shape, damp):
    A, b = random_problem(*shape)
    m, n = shape
    # The wide problem through the dual one, A'(A A' + damp^2 I)^-1 b, which is as well conditioned.
    expected = (
        by_qr(*augmented(A, b, damp)) if m >= n else A.T @ np.linalg.solve(A @ A.T + damp**2 * np.eye(m), b)
    )
    for form in (A, np.asfortranarray(A), sp.csc_array(A), aslinearoperator(A)):
        answer = lstsq(form, b, damp=damp, method=method, rng=0)
        assert answer.success
        assert relative(answer.x, expected) < (1e-6 if m == n and damp < 1.0 else 1e-10)
        # Of the problem given: without the damping's share.
        assert answer.residual_norm == pytest.approx(np.linalg.norm(b - A @ answer.x), rel=1e-9, abs=1e-9)
    if m > n:
        exact = backward_error(*augmented(A, b, damp), answer.x)
        assert answer.backward_error < 2.5 * exact


@pytest.mark.parametrize("method", ["fossils", "spir", "direct"])
def test_damping_of_a_matrix_without_full_rank(method):
    A, b = random_problem()
    A[:, 1] = A[:, 0]
    A[:, 2] = 0.0
    for damp in (1e-2, 10.0):
        expected = by_qr(*augmented(A, b, damp))
        answer = lstsq(A, b, damp=damp, method=method, rng=0)
        assert answer.success
        assert answer.rank == N
        assert relative(answer.x, expected) < 1e-9
    # Damping below the rounding of A does not make up for the rank: the solution of least norm.
    faint = lstsq(A, b, damp=1e-14, method=method, rng=0)
    assert faint.rank == N - 2
    assert relative(faint.x, np.linalg.pinv(A) @ b) < 1e-12


@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
@pytest.mark.parametrize("cond", [1e1, 1e5, 1e8])
def test_wide_systems_have_the_solution_of_least_norm(method, cond):
    T, _, _ = problem(cond, 0.0)
    A = T.T.copy()
    U, s, Vt = np.linalg.svd(A, full_matrices=False)
    B = A @ np.random.default_rng(1).standard_normal((M, 2))
    expected = Vt.T @ ((U.T @ B) / s[:, None])
    for form in (A, np.asfortranarray(A), sp.csr_array(A), aslinearoperator(A)):
        answer = lstsq(form, B, method=method, rng=0)
        assert answer.method == ("qr" if method == "direct" else method)
        assert answer.success
        assert relative(answer.x, expected) < 100.0 * EPS * cond
        residual = np.linalg.norm(B - A @ answer.x, axis=0)
        assert np.all(residual <= 500 * EPS * np.linalg.norm(A) * np.linalg.norm(answer.x, axis=0))


def test_wide_systems_beyond_the_reach_of_sketching_go_to_qr():
    A = problem(1e12, 0.0)[0].T
    answer = lstsq(A, A @ np.ones(M), method="spir", rng=0)
    assert answer.method == "qr"
    assert answer.fallback.startswith("spir reached a backward error of")
    crude = lstsq(A, A @ np.ones(M), method="sketch-and-solve", rng=0)
    assert (crude.method, crude.success, crude.fallback) == ("sketch-and-solve", False, None)


@pytest.mark.parametrize("weights", [False, True])
@pytest.mark.parametrize("damp", [0.0, 0.5])
def test_wide_systems_with_dependent_rows(weights, damp):
    A, b = random_problem(N, M)
    A[1] = A[0]
    A[2] = 0.0
    w = np.random.default_rng(1).uniform(0.5, 2.0, N) if weights else None
    roots = np.ones(N) if w is None else np.sqrt(w)
    scaled = roots[:, None] * A
    gram = scaled @ scaled.T + damp**2 * np.eye(N)
    expected = scaled.T @ (np.linalg.pinv(gram, rcond=1e-12, hermitian=True) @ (roots * b))
    for form in (A, sp.csr_array(A), aslinearoperator(A)):
        answer = lstsq(form, b, weights=w, damp=damp, method="spir", rng=0)
        assert answer.success
        assert relative(answer.x, expected) < 1e-10
        # Damping makes them independent.
        assert (answer.fallback is None) == (damp > 0.0)
    if damp == 0.0:
        assert answer.fallback == "the rows are dependent: rank 38 of 40"


@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
@pytest.mark.parametrize("spread", [0.0, 3.0, 6.0])
def test_rank_deficiency_gives_the_solution_of_least_norm(method, spread):
    """As LAPACK's gelsd, whatever the scale of the columns: least norm of x, not of the scaled unknowns."""
    rng = np.random.default_rng(0)
    rank = 25
    A = rng.standard_normal((M, rank)) @ rng.standard_normal((rank, N)) * np.geomspace(10.0**-spread, 1.0, N)
    A[:, 7] = 0.0
    B = np.column_stack([rng.standard_normal(M), A @ np.ones(N)])
    expected, _, by_gelsd, values = sla.lstsq(A, B, cond=1e-14, lapack_driver="gelsd")
    answer = lstsq(A, B, method=method, rng=0)
    assert answer.rank == by_gelsd == rank
    assert answer.success
    cond = values[0] / values[rank - 1]
    for k in range(2):
        size = np.linalg.norm(expected[:, k])
        residual = np.linalg.norm(B[:, k] - A @ expected[:, k])
        # Wedin, for perturbations that keep the rank.
        bound = EPS * np.sqrt(N) * (cond + cond**2 * residual / (values[0] * size))
        assert np.linalg.norm(answer.x[:, k] - expected[:, k]) <= 20.0 * bound * size
        assert abs(answer.x[7, k]) <= bound * size


def test_duplicated_columns_share():
    A, b = random_problem()
    A[:, 1] = 2.0 * A[:, 0]
    for method in ("spir", "fossils", "direct"):
        x = lstsq(A, b, method=method, rng=0).x
        assert x[1] == pytest.approx(2.0 * x[0], rel=1e-10)


@pytest.mark.parametrize("method", [*SKETCHED, "sketch-and-solve", "direct", "auto"])
def test_nothing_to_do(method):
    A, b = random_problem()
    for zero in (0.0 * A, sp.csr_array((M, N)), aslinearoperator(np.zeros((M, N)))):
        nothing = lstsq(zero, b, method=method, rng=0)
        assert not nothing.x.any()
        assert nothing.success
        assert nothing.residual_norm == pytest.approx(np.linalg.norm(b))
        assert nothing.rank == 0
    for right in (np.zeros(M), np.zeros((M, 2))):
        homogeneous = lstsq(A, right, method=method, rng=0)
        assert not homogeneous.x.any()
        assert homogeneous.success
        assert np.all(homogeneous.residual_norm == 0.0)
    assert not lstsq(A, b, weights=np.zeros(M), method=method, rng=0).x.any()
    assert not lstsq(A.T, np.zeros(N), method=method, rng=0).x.any()
    assert not lstsq(0.0 * A.T, b[:N], method=method, rng=0).x.any()
    assert not lstsq(A.T, b[:N], weights=np.zeros(N), method=method, rng=0).x.any()


@pytest.mark.parametrize("method", [*SKETCHED, "direct", "auto"])
def test_small_shapes(method):
    for shape in ((1, 1), (2, 1), (50, 1), (1, 50), (3, 3), (7, 6), (6, 7)):
        A, b = random_problem(*shape)
        for form in (A, sp.csr_array(A), aslinearoperator(A)):
            answer = lstsq(form, b, method=method, rng=0)
            assert answer.success
            np.testing.assert_allclose(answer.x, np.linalg.pinv(A) @ b, rtol=1e-9, atol=1e-11)


def test_b_orthogonal_to_the_range():
    A, b, _ = problem(1e3, 1.0)
    b = b - A @ by_qr(A, b)
    for method in ("fossils", "spir", "direct"):
        answer = lstsq(A, b, method=method, rng=0)
        assert answer.success
        assert np.linalg.norm(A @ answer.x) < 1e-13


def test_reasons_of_falling_back():
    A, b = random_problem()
    assert lstsq(A, b, method="spir", rng=0).fallback is None
    assert lstsq(A, b, method="direct").fallback is None
    small = lstsq(A, b)
    assert small.method == "qr"
    assert small.fallback == "2000 x 40 is too small or too square for a sketch to pay"
    square = lstsq(A[:N], b[:N], method="fossils")
    assert square.method == "lu"
    assert square.fallback == "a sketch of 480 rows is no smaller than the 40 x 40 matrix"
    for method in ("fossils", "spir"):
        limited = lstsq(A, b, method=method, maxiter=1, rng=0)
        assert limited.method == "qr"
        assert limited.success
        assert limited.fallback.startswith(f"{method} reached a backward error of")
    kept = lstsq(A, b, method="iterative-sketching", maxiter=1, rng=0)
    assert (kept.method, kept.success, kept.fallback, kept.iterations) == (
        "iterative-sketching",
        False,
        None,
        1,
    )


def test_poor_sketches_are_noticed():
    # Rows of few columns only: a CountSketch of 60 rows makes them collide.
    A = np.zeros((M, N))
    A[: 2 * N] = np.vstack([np.eye(N), 0.5 * np.eye(N)])
    A += 1e-3 * np.random.default_rng(0).standard_normal((M, N))
    b = np.random.default_rng(1).standard_normal(M)
    reasons = set()
    for seed in range(8):
        answer = lstsq(A, b, method="fossils", sketch="countsketch", sketch_size=60, rng=seed)
        assert answer.success
        assert answer.fallback is not None
        reasons.add(answer.fallback.split(";")[0])
        other = lstsq(A, b, method="iterative-sketching", sketch="countsketch", sketch_size=60, rng=seed)
        assert other.method in ("iterative-sketching", "sketch-and-solve")
        assert not other.success
    assert "fossils: the steps grow" in reasons


def test_auto_sketches_where_that_pays():
    rng = np.random.default_rng(0)
    A = sp.random_array((30_000, 60), density=0.05, format="csr", rng=rng)
    b = rng.standard_normal(30_000)
    tall = lstsq(A, b, rng=0)
    assert (tall.method, tall.fallback) == ("spir", None)
    assert tall.success
    np.testing.assert_allclose(tall.x, np.linalg.lstsq(A.toarray(), b)[0], rtol=1e-9)
    wide = lstsq(A.T, b[:60], rng=0)
    assert (wide.method, wide.fallback) == ("spir", None)
    np.testing.assert_allclose(A.T @ wide.x, b[:60], atol=1e-12)


@pytest.mark.parametrize("method", SKETCHED)
def test_bits_do_not_depend_on_workers(method):
    A = np.random.default_rng(0).standard_normal((20_000, 32))
    b = A[:, 0] + np.sin(np.arange(20_000))
    for form in (A, np.asfortranarray(A), sp.csr_array(A * (np.abs(A) > 1.0)), A.T):
        right = b if form.shape[0] > 32 else b[:32]
        seen = {
            hashlib.sha256(lstsq(form, right, method=method, rng=5, workers=workers).x.tobytes()).hexdigest()
            for workers in (1, 2, None)
        }
        assert len(seen) == 1
    first = lstsq(A, b, method=method, rng=5).x
    assert not np.array_equal(first, lstsq(A, b, method=method, rng=6).x)


@pytest.mark.parametrize("method", ["fossils", "spir"])
def test_bits_do_not_depend_on_the_threads_of_blas(method):
    """At a size at which LAPACK does split its work: "direct" gives other bits there."""
    rng = np.random.default_rng(0)
    A, b = rng.standard_normal((10_000, 300)), rng.standard_normal((10_000, 2))
    seen = set()
    for threads in (1, 2):
        with threadpool_limits(threads, user_api="blas"):
            seen.add(lstsq(A, b, method=method, rng=5).x.tobytes())
    assert len(seen) == 1


def test_bits_are_the_same_in_another_process():
    program = (
        "import hashlib, numpy as np\n"
        "from karush.sketching import lstsq\n"
        "rng = np.random.default_rng(0)\n"
        "A, b = rng.standard_normal((2000, 40)), rng.standard_normal(2000)\n"
        "print(hashlib.sha256(lstsq(A, b, method='spir', rng=2).x.tobytes()).hexdigest())"
    )
    runs = [
        subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
        for _ in range(2)
    ]
    assert runs[0] == runs[1] != ""


def test_arguments_are_left_alone():
    A, b = random_problem()
    weights, x0 = np.random.default_rng(0).uniform(size=M), np.ones(N)
    before = [array.copy() for array in (A, b, weights, x0)]
    for method in (*SKETCHED, "direct"):
        for scale in (1.0, 2.0**700):
            lstsq(A * scale, b, method=method, weights=weights, x0=x0, damp=1.0, rng=0)
            lstsq(np.asfortranarray(A), b, method=method, weights=weights, x0=x0, damp=1.0, rng=0)
        lstsq(A, b, method=method, weights=weights, x0=x0, rng=0)
    for array, copy in zip((A, b, weights, x0), before, strict=True):
        np.testing.assert_array_equal(array, copy)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(
    m=st.integers(1, 120),
    n=st.integers(1, 12),
    method=st.sampled_from(["auto", "fossils", "spir", "direct"]),
    dtype=st.sampled_from([np.float32, np.float64, np.int32]),
    kind=st.sampled_from(["C", "F", "csr", "csc", "strided", "operator"]),
    turned=st.booleans(),
    damp=st.sampled_from([0.0, 0.1]),
    columns=st.sampled_from([None, 1, 3]),
    seed=st.integers(0, 2**32),
)
def test_any_shape_type_and_order(m, n, method, dtype, kind, turned, damp, columns, seed):
    rng = np.random.default_rng(seed)
    A = rng.integers(-4, 5, (n, m) if turned else (m, n)).astype(dtype)
    b = rng.integers(-4, 5, A.shape[0] if columns is None else (A.shape[0], columns)).astype(float)
    answer = lstsq(KINDS[kind](A), b, method=method, damp=damp, rng=seed)
    assert answer.success
    assert answer.x.shape == (A.shape[1], *b.shape[1:])
    exact = A.astype(float)
    gradient = exact.T @ (b - exact @ answer.x) - damp**2 * answer.x
    eps = np.finfo(np.float32 if dtype == np.float32 else np.float64).eps
    norm = np.linalg.norm(exact) + damp
    assert np.linalg.norm(gradient) <= 500 * eps * norm * (
        norm * np.linalg.norm(answer.x) + np.linalg.norm(b)
    )


A, B = np.ones((30, 3)), np.ones(30)


@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.ones(3), B), {}, ValueError, r"A has shape \(3,\)"),
        ((np.ones((0, 3)), B), {}, ValueError, "it is empty"),
        ((np.full((30, 3), np.nan), B), {}, ValueError, "A has 90 entries that are not finite"),
        ((1j * A, B), {}, TypeError, "A has dtype complex128"),
        ((A, np.ones(29)), {}, ValueError, r"b has shape \(29,\); \(30,\) or \(30, right-hand sides\)"),
        ((A, np.full(30, np.inf)), {}, ValueError, "b has 30 entries that are not finite"),
        ((A, 1j * B), {}, TypeError, "b has dtype complex128"),
        ((A, B), {"method": "qr"}, ValueError, "method is 'qr'; one of auto, fossils"),
        ((A, B), {"method": None}, ValueError, "method is None"),
        ((A, B), {"sketch": "hadamard"}, ValueError, "sketch is 'hadamard'; one of sparse-sign"),
        ((A, B), {"sketch": []}, ValueError, r"sketch is \[\]"),
        ((A, B), {"sketch_size": 2}, ValueError, "sketch_size is 2; more than 3"),
        ((A, B), {"sketch_size": 3}, ValueError, "sketch_size is 3; more than 3"),
        ((A, B), {"sketch_size": 4.0}, TypeError, "sketch_size is 4.0"),
        ((A.T, B[:3]), {"sketch_size": 3}, ValueError, "sketch_size is 3; more than 3"),
        ((A, B), {"weights": np.ones(3)}, ValueError, r"weights has shape \(3,\); \(30,\)"),
        ((A, B), {"weights": -B}, ValueError, "weights has a negative entry, -1"),
        ((A, B), {"weights": B * np.nan}, ValueError, "weights has 30 entries"),
        ((A, B), {"damp": -1.0}, ValueError, "damp is -1.0"),
        ((A, B), {"damp": np.nan}, ValueError, "damp is nan"),
        ((A, B), {"damp": "1"}, TypeError, "damp is '1'"),
        ((A, B), {"damp": True}, TypeError, "damp is True"),
        ((A, B), {"rtol": -1e-3}, ValueError, "rtol is -0.001"),
        ((A, B), {"rtol": np.inf}, ValueError, "rtol is inf"),
        ((A, B), {"maxiter": 0}, ValueError, "maxiter is 0; at least 1"),
        ((A, B), {"maxiter": 1.5}, TypeError, "maxiter is 1.5"),
        ((A, B), {"workers": 0}, ValueError, "workers is 0"),
        ((A, B), {"rng": "x"}, TypeError, "rng is 'x'"),
        ((A, B), {"x0": np.ones(4)}, ValueError, r"x0 has shape \(4,\)"),
        ((A, B), {"x0": np.ones((3, 2))}, ValueError, r"x0 has shape \(3, 2\); \(3,\) is wanted"),
        ((LinearOperator(A.shape, matvec=A.dot, dtype=float), B), {}, TypeError, "without rmatvec"),
        ((aslinearoperator(1j * A), B), {}, TypeError, "complex LinearOperator"),
    ],
)
def test_bad_input(arguments, options, error, message):
    with pytest.raises(error, match=message):
        lstsq(*arguments, **options)


@pytest.mark.parametrize("shape", [(M, N), (N, M)])
@pytest.mark.parametrize("method", [*SKETCHED, "direct"])
def test_operators_with_products_that_are_not_finite(shape, method):
    bad = LinearOperator(
        shape, matvec=lambda v: np.full(shape[0], np.nan), rmatvec=lambda v: np.full(shape[1], np.nan)
    )
    with pytest.raises(ValueError, match="not finite"):
        lstsq(bad, np.ones(shape[0]), method=method, rng=0)
