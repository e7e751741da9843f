"""Boggs-Tolle problems: CUTEst's values, and the solutions that the paper and simple algebra give."""

import numpy as np
import pytest

from karush.problems import get

COLLECTIONS = ("boggs_tolle",)


def test_values_agree_with_cutest(cutest_case, disagreements):
    assert disagreements(cutest_case) == {}


@pytest.mark.parametrize(
    ("name", "solution"),
    [
        ("BT1", [1, 0]),
        ("BT3", [-33 / 43, 11 / 43, 27 / 43, -5 / 43, 11 / 43]),
        ("BT8", [1, 0, 0, 0, 0]),
        ("BT9", [1, 1, 0, 0]),
        ("BT10", [1, 1]),
        ("BT13", [0, 0, 0, 0, 0]),
    ],
)
def test_known_solutions_are_feasible_and_attain_the_best_known_value(name, solution):
    problem = get(name)
    x = np.array(solution, dtype=float)
    np.testing.assert_allclose(problem.constraints(x), 0, atol=1e-14)
    assert problem.objective(x) == pytest.approx(problem.metadata.optimum, abs=1e-12)


def test_bt4_squares_where_the_paper_has_a_cube():
    """With x3**3 the constraint would be -125 - 25 at x3 = -5; the square makes the point feasible."""
    problem = get("BT4")
    assert problem.constraints(np.array([0.0, 0.0, -5.0]))[0] == 0
