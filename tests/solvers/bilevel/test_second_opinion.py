"""The judge's second solver: agreement with the library's own, and what it sees when that one is wrong."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

import karush
from karush.problems.bilevel import bilevel_from_callables, bilevel_from_formulas
from karush.problems.bilevel.lower_level import LowerLevel
from karush.solvers.bilevel import certificate
from karush.solvers.bilevel.lower_solution import LowerSolution, solve_lower
from karush.solvers.bilevel.second_opinion import second_opinion


def coupled():
    return bilevel_from_formulas(
        "x1 + y1",
        "(y1 - 2)**2 + (y2 - x1)**2 + y1*y2/2",
        1,
        2,
        lower_constraints=["3 - y1 - y2 - x1", "y1 - y2**2 + 1", "y1", "2 - y2"],
        start=[0.5, 0.0, 0.0],
    )


@given(st.floats(-2.0, 2.0), st.floats(0.0, 2.0), st.floats(-2.0, 2.0))
def test_both_solvers_agree_on_a_convex_level(x, first, second):
    problem, y = coupled(), np.array([first, second])
    mine = solve_lower(problem, np.array([x]), y, 1e-9)
    other = second_opinion(LowerLevel(problem, np.array([x])), y)
    assert mine.success
    assert other is not None
    assert other.value == pytest.approx(mine.value, abs=1e-6)


def test_a_wrong_claim_of_the_own_solver_is_seen(monkeypatch):
    problem, x, y = coupled(), np.array([0.5]), np.array([0.1, 0.2])
    value = problem.lower.objective(problem.join(x, y))
    wrong = LowerSolution(y, value, np.zeros(problem.lower.m), np.zeros(2), True, True)
    monkeypatch.setattr(certificate, "solve_lower_globally", lambda *_: ([wrong], True))
    found = karush.certify_bilevel(problem, x, y)
    assert not found.feasible
    assert found.lower_gap.absolute > 1.0
    assert found.lower_value == pytest.approx(solve_lower(problem, x, y, 1e-9).value, abs=1e-6)


def test_large_levels_with_rows_are_left_alone_and_those_without_go_to_lbfgs():
    n = 300
    with_row = bilevel_from_callables(
        lambda x, y: x @ x,
        lambda x, y: np.sum((y - x[0]) ** 2),
        np.zeros(1),
        np.zeros(n),
        lower_constraints={"type": "eq", "fun": lambda x, y: np.sum(y)},
    )
    free = bilevel_from_callables(
        lambda x, y: x @ x,
        lambda x, y: np.sum((y - x[0]) ** 2),
        np.zeros(1),
        np.zeros(n),
        lower_jac=lambda x, y: (np.array([-2.0 * np.sum(y - x[0])]), 2.0 * (y - x[0])),
    )
    assert second_opinion(LowerLevel(with_row, np.ones(1)), np.zeros(n)) is None
    answer = second_opinion(LowerLevel(free, np.ones(1)), np.zeros(n))
    assert answer is not None
    np.testing.assert_allclose(answer.y, 1.0, atol=1e-6)


def test_without_time_there_is_no_opinion_and_no_error():
    assert second_opinion(LowerLevel(coupled(), np.zeros(1)), np.zeros(2), max_time=-1.0) is None


def test_values_that_are_not_finite_do_no_harm():
    problem = bilevel_from_formulas("x1", "log(y1) - x1*y1", 1, 1, lower_constraints=["y1", "4 - y1"])
    answer = second_opinion(LowerLevel(problem, np.array([1.0])), np.array([0.0]))
    assert answer is None or np.isfinite(answer.value)
