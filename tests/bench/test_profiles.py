import numpy as np
import pytest

from karush.bench.profiles import (
    evaluations_to_accuracy,
    performance_profile,
    shifted_geometric_mean,
    solved_over,
)


def test_performance_profile_of_a_worked_example():
    costs = np.array([[1.0, 2.0], [4.0, 1.0], [3.0, np.inf], [np.inf, np.inf]])
    first, second = performance_profile(costs)
    assert first.at(1.0) == 0.5
    assert first.at(4.0) == 0.75
    assert second.at(1.0) == 0.25
    assert second.at(2.0) == 0.5
    assert second.at(1e9) == 0.5


def test_performance_profile_does_not_depend_on_the_unit_of_cost():
    costs = np.random.default_rng(3).uniform(0.1, 5.0, (20, 3))
    for a, b in zip(performance_profile(costs), performance_profile(7.0 * costs), strict=True):
        np.testing.assert_allclose(a.x, b.x)
        np.testing.assert_array_equal(a.y, b.y)


@pytest.mark.parametrize("bad", [np.nan, 0.0, -1.0])
def test_performance_profile_refuses_costs_that_are_none(bad):
    with pytest.raises(ValueError, match="positive"):
        performance_profile(np.array([[1.0, bad]]))


def test_curves_rise_and_stay_in_the_unit_interval():
    costs = np.random.default_rng(1).uniform(0.1, 5.0, (30, 4))
    costs[::3, 1] = np.inf
    for curve in [*performance_profile(costs), *solved_over(costs)]:
        assert (np.diff(curve.y) > 0).all()
        assert 0.0 < curve.y[0] <= curve.y[-1] <= 1.0


def test_accuracy_is_reached_at_the_first_feasible_point_that_is_good_enough():
    quick = [(1, 0.0, 10.0, 0.0), (5, 0.1, 1.05, 0.0), (9, 0.2, 1.0, 0.0)]
    slow = [(1, 0.0, 10.0, 0.0), (50, 0.1, 1.0001, 0.0)]
    assert list(evaluations_to_accuracy([quick, slow], None, 1e-1)) == [5, 50]
    assert list(evaluations_to_accuracy([quick, slow], None, 1e-6)) == [9, np.inf]


def test_infeasible_points_do_not_count_however_low():
    cheat = [(1, 0.0, -100.0, 1.0)]
    honest = [(1, 0.0, 10.0, 1.0), (7, 0.1, 1.0, 0.0)]
    assert list(evaluations_to_accuracy([cheat, honest], None, 1e-3)) == [np.inf, 7]


def test_known_optimum_that_nobody_reaches_counts():
    stuck = [(1, 0.0, 10.0, 0.0), (4, 0.0, 5.0, 0.0)]
    assert list(evaluations_to_accuracy([stuck], 0.0, 1e-1)) == [np.inf]
    assert list(evaluations_to_accuracy([stuck, []], 0.0, 0.5)) == [4, np.inf]


def test_start_below_the_optimum_gets_the_scale_of_the_optimum():
    history = [(1, 0.0, -50.0, 3.0), (6, 0.0, 100.05, 0.0), (8, 0.0, 100.0, 0.0)]
    assert list(evaluations_to_accuracy([history], None, 1e-3)) == [6]


def test_shifted_geometric_mean():
    assert shifted_geometric_mean(np.array([1.0, 4.0]), 0.0) == pytest.approx(2.0)
    assert shifted_geometric_mean(np.array([0.0, 8.0]), 1.0) == pytest.approx(2.0)
    assert np.isnan(shifted_geometric_mean(np.zeros(0), 1.0))
