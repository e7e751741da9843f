"""Extreme eigenvalues of D^-1 A against dense ones."""

import numpy as np
import pytest
import scipy.sparse as sp

from karush.problems.collection.grids import five_point_diffusion, five_point_laplacian
from karush.solvers.sequence.spectrum import extreme_eigenvalues


def test_a_grid_whose_eigenvalues_are_known():
    A = five_point_laplacian(40, 40)
    spectrum = extreme_eigenvalues(A, rtol=0.01)
    smallest = 2 * np.sin(np.pi / 82) ** 2
    assert smallest * (1 - 1e-12) <= spectrum.smallest <= 1.01 * smallest
    assert 0.97 * (2 - smallest) <= spectrum.largest <= (2 - smallest) * (1 + 1e-12)
    assert spectrum.jacobi_radius == pytest.approx(np.cos(np.pi / 41), abs=1e-4)
    assert spectrum.work <= 60


def test_to_the_end_it_is_exact():
    rng = np.random.default_rng(0)
    B = rng.standard_normal((12, 12))
    A = B @ B.T + np.eye(12)
    exact = np.sort(np.linalg.eigvals(A / np.diag(A)[:, None]).real)
    spectrum = extreme_eigenvalues(sp.csr_array(A), steps=12, rtol=0.0)
    assert spectrum.smallest == pytest.approx(exact[0], rel=1e-8)
    assert spectrum.largest == pytest.approx(exact[-1], rel=1e-8)


def test_an_eigenvalue_lies_within_the_error():
    rng = np.random.default_rng(1)
    A = five_point_diffusion(np.exp(rng.standard_normal((16, 15))), np.exp(rng.standard_normal((15, 16))))
    exact = np.linalg.eigvals(A.toarray() / A.diagonal()[:, None]).real
    for steps in (1, 5, 20):
        spectrum = extreme_eigenvalues(A, steps=steps, rtol=0.0)
        assert np.abs(exact - spectrum.smallest).min() <= spectrum.error + 1e-12
        assert spectrum.work == steps


def test_scaling_changes_nothing():
    A = five_point_laplacian(9, 9)
    one, other = extreme_eigenvalues(A), extreme_eigenvalues(sp.csr_array(1e-200 * A))
    assert other.smallest == pytest.approx(one.smallest, rel=1e-9)


def test_the_same_rng_gives_the_same_bits():
    A = five_point_laplacian(9, 9)
    assert extreme_eigenvalues(A, rng=5) == extreme_eigenvalues(A, rng=5)


def test_a_diagonal_matrix_has_one_eigenvalue():
    spectrum = extreme_eigenvalues(sp.diags_array([1.0, 2.0, 3.0]).tocsr())
    assert spectrum.smallest == pytest.approx(1.0)
    assert spectrum.largest == pytest.approx(1.0)


@pytest.mark.parametrize("diagonal", [0.0, -1.0, np.nan])
def test_what_has_no_answer_is_not_a_number(diagonal):
    A = np.eye(3)
    A[1, 1] = diagonal
    spectrum = extreme_eigenvalues(sp.csr_array(A))
    assert np.isnan(spectrum.smallest)
    assert spectrum.work == 0.0


def test_bad_arguments():
    with pytest.raises(ValueError, match="steps"):
        extreme_eigenvalues(np.eye(3), steps=0)
