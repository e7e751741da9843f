"""Certificates, gaps along a sequence, regret: by definition."""

import numpy as np
import pytest
import scipy.sparse as sp

from karush.problems.collection.grids import five_point_laplacian
from karush.problems.linear_sequence import ShiftedMatrix, get_sequence
from karush.solvers.sequence.regret import regret
from karush.solvers.sequence.sequence_gap import GapTracker, lanczos_gap
from karush.solvers.sequence.sequence_result import certify_system


def exact(A):
    """Gap by dense eigenvalues, at the price of ten products."""
    d = A.diagonal()
    return float(np.linalg.eigvalsh(A.toarray() / np.sqrt(np.outer(d, d))).min()), 10.0


def test_the_certificate_is_the_true_residual():
    A = five_point_laplacian(4, 4)
    x = np.arange(16.0)
    b = A @ x
    b[0] += 1e-3
    certificate = certify_system(A, b, x, rtol=1e-6)
    assert certificate.residual == pytest.approx(1e-3)
    assert certificate.relative == pytest.approx(1e-3 / np.linalg.norm(b))
    assert not certificate.holds
    assert certify_system(A, b, x, rtol=1e-6, atol=2e-3).holds
    assert certify_system(A, A @ x, x, rtol=1e-14).backward_error < 1e-16


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_answer_that_is_no_number_is_not_certified(bad):
    A = five_point_laplacian(2, 2)
    assert not certify_system(A, np.ones(4), np.array([bad, 0, 0, 0]), rtol=1e10).holds


def test_zero_is_the_certified_answer_for_zero():
    certificate = certify_system(five_point_laplacian(2, 2), np.zeros(4), np.zeros(4), rtol=1e-8)
    assert certificate.holds
    assert certificate.relative == 0.0


@pytest.mark.parametrize("first", [0.0, 0.3])
def test_gaps_of_shifts_and_multiples_are_exact_without_estimates(first):
    matrix = ShiftedMatrix(five_point_laplacian(5, 6))
    tracker = GapTracker(exact)
    tracker.gap(matrix.plus(first))
    for c, alpha in ((0.01, 1.0), (1.0, 1.0), (0.3, 7.0)):
        A = matrix.plus(c)
        if first == 0.0 or c > 0.1:  # not so much smaller that it is estimated anew
            assert tracker.gap(alpha * A) == pytest.approx(exact(A)[0], rel=1e-9)
            assert tracker.products == 10.0


def test_gaps_of_the_heat_equation_need_one_estimate():
    sequence = get_sequence("HEAT", side=7, length=5000)
    tracker = GapTracker(exact)
    for t in (0, 100, 600, 700):
        A = sequence.system(t, sequence.start).A
        assert tracker.gap(A) == pytest.approx(exact(A)[0], rel=1e-8)
    assert tracker.products == 10.0


def test_other_matrices_are_estimated_when_the_solves_have_earned_it():
    rng = np.random.default_rng(0)
    tracker = GapTracker(exact)

    def another():
        A = five_point_laplacian(4, 4)
        A.data *= rng.uniform(1.0, 1.1, size=A.nnz)
        return sp.csr_array(0.5 * (A + A.T))

    first = tracker.gap(another())
    assert tracker.gap(another()) == first  # nothing earned yet
    tracker.solved(10.0 / 0.03 + 1.0)
    other = another()
    assert tracker.gap(other) == pytest.approx(exact(other)[0])
    assert tracker.products == 20.0


def test_a_falling_shift_is_estimated_anew_before_the_gap_turns_negative():
    matrix = ShiftedMatrix(five_point_laplacian(6, 6) + sp.diags_array(np.linspace(0.0, 9.0, 36)))
    tracker = GapTracker(lambda A: (1.5 * exact(A)[0], 10.0))  # Lanczos values are too large
    for c in (1.0, 0.1, 1e-2, 1e-3, 1e-4):
        tracker.solved(1e6)
        assert tracker.gap(matrix.plus(c)) > 0.0


def test_the_estimate_of_a_gap_is_an_upper_bound_of_its_order():
    for c in (1e-3, 1.0):
        A = ShiftedMatrix(five_point_laplacian(20, 20)).plus(c)
        gap, products = lanczos_gap(A)
        assert exact(A)[0] * (1 - 1e-10) <= gap <= 2.0 * exact(A)[0]
        assert 0 < products <= 25


def test_regret_is_against_the_best_column_and_the_best_entries():
    table = np.array([[3.0, 1.0], [3.0, 9.0], [3.0, 1.0]])
    found = regret([3.0, 9.0, 1.0], table)
    assert (found.total, found.best_fixed, found.best_arm, found.instance_optimum) == (13.0, 9.0, 0, 5.0)
    assert found.against_best_fixed == 4.0
    assert found.against_instance_optimum == 8.0
    assert np.array_equal(found.curve, [0.0, 6.0, 4.0])


@pytest.mark.parametrize(
    ("losses", "table"),
    [([1.0], [[1.0], [2.0]]), ([1.0], [1.0]), ([np.nan], [[1.0]]), ([], np.empty((0, 2)))],
)
def test_regret_wants_fitting_numbers(losses, table):
    with pytest.raises(ValueError, match="losses"):
        regret(losses, table)
