"""Eisenstat's form is SSOR-preconditioned CG, iterate for iterate, and takes what comes."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from karush.problems.collection.grids import five_point_diffusion, five_point_laplacian
from karush.problems.linear_sequence import ShiftedMatrix
from karush.solvers.sequence.eisenstat import EisenstatCG, ssor_cg
from karush.solvers.sequence.protocol import LinearStatus


def random_spd(rng, n, density=0.2):
    """Sparse, positive definite, with diagonal entries of very different sizes."""
    B = sp.random_array((n, n), density=density, rng=rng)
    scale = sp.diags_array(np.exp(2.0 * rng.standard_normal(n)))
    return sp.csr_array(scale @ (B @ B.T + sp.eye_array(n)) @ scale)


def explicit_ssor_cg(A, b, x, omega, iterations):
    """Preconditioned CG with M = (D/omega + L) (D/omega)^-1 (D/omega + L') as a dense matrix."""
    D = np.diag(np.diag(A)) / omega
    W = D + np.tril(A, -1)
    M = W @ np.linalg.solve(D, W.T)
    r = b - A @ x
    iterates, p, rho = [x], np.zeros_like(x), 1.0
    for _ in range(iterations):
        z = np.linalg.solve(M, r)
        rho, previous = r @ z, rho
        p = z + (rho / previous) * p
        step = rho / (p @ A @ p)
        x, r = x + step * p, r - step * (A @ p)
        iterates.append(x)
    return iterates


@pytest.mark.parametrize("omega", [0.6, 1.0, 1.5, 1.9])
def test_iterates_are_those_of_explicit_ssor_cg(omega):
    rng = np.random.default_rng(4)
    for A in (random_spd(rng, 40), five_point_laplacian(6, 8)):
        n = A.shape[0]
        b, x0 = rng.standard_normal((2, n))
        iterates = explicit_ssor_cg(A.toarray(), b, x0, omega, 8)
        for k in (1, 3, 8):
            answer = ssor_cg(A, b, x0, omega, max_iterations=k, rtol=0.0)
            assert answer.iterations == k
            np.testing.assert_allclose(answer.x, iterates[k], rtol=1e-9, atol=1e-11)
        expected = [np.linalg.norm(b - A @ x) for x in iterates]
        np.testing.assert_allclose(answer.residuals, expected, rtol=1e-8)


@given(st.integers(1, 25), st.floats(0.1, 1.95), st.integers(0, 2**32 - 1))
def test_positive_definite_systems_are_solved(n, omega, seed):
    rng = np.random.default_rng(seed)
    A = random_spd(rng, n)
    b, x0 = rng.standard_normal((2, n))
    answer = ssor_cg(A, b, x0, omega, rtol=1e-9)
    assert answer.status is LinearStatus.CONVERGED
    assert np.linalg.norm(b - A @ answer.x) <= 1e-9 * np.linalg.norm(b)


def test_scaling_changes_nothing_but_the_scale():
    rng = np.random.default_rng(0)
    A = random_spd(rng, 50)
    b = rng.standard_normal(50)
    answer = ssor_cg(A, b, omega=1.4)
    for factor in (2.0**-60, 2.0**40):
        scaled = ssor_cg(sp.csr_array(A * 4.0), b * factor, omega=1.4)
        assert scaled.iterations == answer.iterations
        np.testing.assert_allclose(scaled.x, answer.x * factor / 4.0, rtol=1e-11)


def test_diagonal_scaling_of_the_system_leaves_the_preconditioned_iteration():
    rng = np.random.default_rng(0)
    A = five_point_laplacian(7, 7)
    b = rng.standard_normal(49)
    S = np.exp(rng.standard_normal(49))
    answer = ssor_cg(A, b, omega=1.5, max_iterations=6, rtol=0.0)
    scaled = ssor_cg(
        sp.csr_array(sp.diags_array(S) @ A @ sp.diags_array(S)), S * b, omega=1.5, max_iterations=6, rtol=0.0
    )
    np.testing.assert_allclose(S * scaled.x, answer.x, rtol=1e-11)


def test_a_good_omega_saves_iterations_and_costs_no_setup():
    A = five_point_laplacian(60, 60)
    b = np.random.default_rng(0).standard_normal(3600)
    solver = EisenstatCG()
    solver.setup(A)
    iterations = {omega: solver.solve(b, omega=omega).iterations for omega in (1.0, 1.9)}
    assert iterations[1.9] < 0.6 * iterations[1.0]


def test_matrices_that_share_a_pattern_are_loaded_into_it():
    rng = np.random.default_rng(0)
    family = ShiftedMatrix(five_point_diffusion(rng.random((9, 8)), rng.random((8, 9))))
    reused = EisenstatCG(1.3)
    b = rng.standard_normal(64)
    for c in (0.1, 3.0, 0.01):
        A = family.plus(c)
        reused.update(A)
        expected = ssor_cg(A.copy(), b, omega=1.3)
        answer = reused.solve(b)
        assert np.array_equal(answer.x, expected.x)
    other = five_point_laplacian(8, 8)
    reused.update(other)
    assert np.array_equal(reused.solve(b).x, ssor_cg(other, b, omega=1.3).x)


def test_a_warm_start_at_the_solution_takes_no_iterations():
    A = five_point_laplacian(5, 5)
    x = np.arange(25.0)
    answer = ssor_cg(A, A @ x, x)
    assert answer.converged
    assert answer.iterations == 0
    assert np.array_equal(answer.x, x)


def test_where_rounding_ends_the_descent_the_status_says_so():
    rng = np.random.default_rng(0)
    A = random_spd(rng, 60)
    b = rng.standard_normal(60)
    answer = ssor_cg(A, b, rtol=1e-18, max_iterations=5000)
    assert answer.status is LinearStatus.STALLED
    assert np.linalg.norm(b - A @ answer.x) < 1e-11 * np.linalg.norm(b)


def test_a_drifted_recurrence_restarts_from_the_true_residual():
    """From a start of size 1e9, the recurrence cannot know the residual to 1e-8."""
    A = five_point_laplacian(12, 12)
    rng = np.random.default_rng(0)
    b, x0 = rng.standard_normal(144), 1e9 * rng.standard_normal(144)
    answer = ssor_cg(A, b, x0, omega=1.5, rtol=1e-11)
    assert answer.converged
    assert np.linalg.norm(b - A @ answer.x) <= 1e-11 * np.linalg.norm(b)


@pytest.mark.parametrize(
    ("A", "status"),
    [
        ([[1.0, 5.0], [5.0, 1.0]], LinearStatus.INDEFINITE),
        ([[1.0, 0.0], [0.0, -1.0]], LinearStatus.INDEFINITE),
        ([[1.0, 0.5], [0.5, 0.0]], LinearStatus.ZERO_DIAGONAL),
        ([[1.0, np.nan], [np.nan, 1.0]], LinearStatus.NONFINITE),
        ([[np.inf, 0.0], [0.0, 1.0]], LinearStatus.NONFINITE),
    ],
)
def test_breakdowns_are_statuses(A, status):
    answer = ssor_cg(np.array(A), np.array([1.0, -1.0]))
    assert answer.status is status
    assert np.isfinite(answer.x).all()
