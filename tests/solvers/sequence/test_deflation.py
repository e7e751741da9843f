"""Deflated and flexible conjugate gradients by what theory says of them."""

import numpy as np
import pytest
import scipy.sparse as sp

from karush.problems.collection.grids import five_point_laplacian
from karush.problems.linear_sequence import ShiftedMatrix
from karush.solvers.sequence.deflation import DeflationSpace, KeptDirections, RecycledSpace, ritz_vectors
from karush.solvers.sequence.flexible_cg import preconditioned_cg
from karush.solvers.sequence.protocol import LinearStatus


def with_spectrum(rng, eigenvalues):
    """A symmetric matrix with these eigenvalues, and its eigenvectors."""
    n = len(eigenvalues)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    return sp.csr_array((Q * eigenvalues) @ Q.T), Q


def test_as_many_iterations_as_eigenvalues_are_left():
    """CG ends after as many steps as A has distinct eigenvalues; deflated ones do not count."""
    rng = np.random.default_rng(0)
    values = np.repeat([1e-3, 2e-3, 1.0, 2.0, 3.0, 5.0], [1, 1, 10, 10, 10, 8])
    A, Q = with_spectrum(rng, values)
    b = rng.standard_normal(40)
    space = DeflationSpace.of(A, Q[:, :2])
    assert preconditioned_cg(A, b, rtol=1e-7).iterations == 6
    assert preconditioned_cg(A, b, rtol=1e-7, deflation=space).iterations == 4


def test_the_bound_is_that_of_the_rest_of_the_spectrum():
    rng = np.random.default_rng(1)
    values = np.concatenate([[1e-5, 1e-4, 1e-3], np.linspace(1.0, 10.0, 97)])
    A, Q = with_spectrum(rng, values)
    b = rng.standard_normal(100)
    x = np.linalg.solve(A.toarray(), b)
    space = DeflationSpace.of(A, Q[:, :3])
    answer = preconditioned_cg(A, b, rtol=1e-10, deflation=space)
    assert answer.converged
    q = (np.sqrt(10.0) - 1) / (np.sqrt(10.0) + 1)
    for k in (5, 10, 15):
        stopped = preconditioned_cg(A, b, rtol=0.0, max_iterations=k, deflation=space)
        start, r = np.zeros(100), b.copy()
        space.correct(start, r)
        error, first = stopped.x - x, start - x
        assert error @ (A @ error) <= (2 * q**k) ** 2 * (first @ (A @ first)) * (1 + 1e-8)


def test_projections():
    rng = np.random.default_rng(2)
    A = five_point_laplacian(6, 6)
    W = rng.standard_normal((36, 4))
    space = DeflationSpace.of(A, W)
    z, x = rng.standard_normal((2, 36))
    b = rng.standard_normal(36)
    space.project(z)
    np.testing.assert_allclose(W.T @ (A @ z), 0.0, atol=1e-12)
    r = b - A @ x
    space.correct(x, r)
    np.testing.assert_allclose(r, b - A @ x, atol=1e-12)
    np.testing.assert_allclose(W.T @ r, 0.0, atol=1e-12)


def test_dependent_or_undefined_vectors_are_no_space():
    A = five_point_laplacian(4, 4)
    assert DeflationSpace.of(A, np.zeros((16, 2))) is None
    assert DeflationSpace.of(A, np.full((16, 1), np.nan)) is None
    assert DeflationSpace.of(sp.csr_array(-A), np.ones((16, 1))) is None


def test_ritz_pairs_on_the_whole_space_are_eigenpairs():
    rng = np.random.default_rng(3)
    A = sp.csr_array(five_point_laplacian(4, 5) @ sp.eye_array(20))
    D = np.exp(rng.standard_normal(20))
    V = rng.standard_normal((20, 20))
    V = np.column_stack([V, V[:, :3] @ rng.standard_normal((3, 3))])  # dependent ones are harmless
    theta, U = ritz_vectors(V, A @ V, D, 5)
    exact = np.sort(np.linalg.eigvals(A.toarray() / D[:, None]).real)[:5]
    np.testing.assert_allclose(theta, exact, rtol=1e-8)
    np.testing.assert_allclose(A @ U, D[:, None] * U * theta, atol=1e-7)
    np.testing.assert_allclose(U.T @ (D[:, None] * U), np.eye(5), atol=1e-7)


def test_vectors_recycled_over_shifts_serve_as_well_as_eigenvectors():
    rng = np.random.default_rng(4)
    family = ShiftedMatrix(five_point_laplacian(30, 30))
    exact = np.linalg.eigh(family.A.toarray())[1][:, :6]
    recycled = RecycledSpace(6, window=24)
    counts = []
    for c in (1e-3, 2e-3, 5e-4, 1e-3, 3e-3, 1e-3, 1e-3, 1e-3):
        A = family.plus(c)
        b = rng.standard_normal(900)
        space, kept = recycled.space(A), recycled.directions()
        answer = preconditioned_cg(A, b, deflation=space, kept=kept)
        assert answer.converged
        recycled.learn(A, space, kept)
        others = (preconditioned_cg(A, b, deflation=by) for by in (None, DeflationSpace.of(A, exact)))
        counts.append((answer.iterations, *(other.iterations for other in others)))
    assert counts[0][0] == counts[0][1]
    assert counts[-1][0] < 0.75 * counts[-1][1]
    assert counts[-1][0] < 1.1 * counts[-1][2]
    smallest = (8 * np.sin(np.pi / 62) ** 2 + 1e-3) / 4.001
    assert smallest * (1 - 1e-9) <= recycled.theta[0] <= 1.05 * smallest


def test_nothing_is_learned_from_nothing():
    A = five_point_laplacian(3, 3)
    recycled = RecycledSpace(2)
    recycled.learn(A, None, KeptDirections(4))
    assert recycled.space(A) is None


def test_two_directions_make_up_for_a_nonsymmetric_preconditioner():
    A = five_point_laplacian(25, 25)
    ilu = sp.linalg.spilu(sp.csc_array(A), drop_tol=0.01, fill_factor=3)
    b = np.random.default_rng(0).standard_normal(625)
    one, two = (preconditioned_cg(A, b, preconditioner=ilu.solve, directions=k) for k in (1, 2))
    assert one.converged
    assert two.converged
    assert two.iterations < 0.7 * one.iterations


def test_a_preconditioner_that_changes():
    A = five_point_laplacian(15, 15)
    rng = np.random.default_rng(0)
    b = rng.standard_normal(225)
    answer = preconditioned_cg(
        A, b, preconditioner=lambda r: r * np.exp(0.3 * rng.standard_normal(225)), directions=3
    )
    assert answer.converged


def test_the_exact_inverse_needs_one_iteration():
    A = five_point_laplacian(8, 8)
    solve = sp.linalg.splu(sp.csc_array(A)).solve
    b = np.ones(64)
    answer = preconditioned_cg(A, b, preconditioner=solve)
    assert answer.iterations == 1


@pytest.mark.parametrize(
    ("preconditioner", "status"),
    [
        (lambda r: -r, LinearStatus.INDEFINITE),
        (lambda r: np.full_like(r, np.nan), LinearStatus.DIVERGED),
        (lambda r: np.zeros_like(r), LinearStatus.INDEFINITE),
    ],
)
def test_a_preconditioner_that_breaks_down(preconditioner, status):
    A = five_point_laplacian(4, 4)
    answer = preconditioned_cg(A, np.ones(16), preconditioner=preconditioner)
    assert answer.status is status
    assert np.array_equal(answer.x, np.zeros(16))


def test_bad_options():
    A = five_point_laplacian(2, 2)
    with pytest.raises(ValueError, match="directions"):
        preconditioned_cg(A, np.ones(4), directions=0)
    with pytest.raises(ValueError, match="k and window"):
        RecycledSpace(0)
