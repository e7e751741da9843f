"""The driver: limits, callbacks, claims, and the point that is returned."""

import logging
import time
from dataclasses import dataclass

import numpy as np
import pytest

import karush
from karush.problems.evaluator import EvaluationLimitReached, Evaluator
from karush.solvers.driver import HISTORY_LENGTH, MAX_REFINEMENTS, run
from karush.solvers.result import Result
from karush.solvers.status import Status

from .simple_method import ProjectedGradient, SimpleState
from .small_problems import Dense, circle, quadratic, rosenbrock

BOWL = quadratic(np.diag([1.0, 3.0]), [-1.0, 0.0], [4.0, 5.0], lb=[-9.0, 1.0])


@dataclass(frozen=True)
class Script:
    """Walks through given points and then says the given status."""

    points: tuple
    last: Status = Status.CONVERGED
    tol: float = 1e-8
    max_iterations: int = 100

    def init(self, evaluator):
        return self._at(evaluator, 0)

    def _at(self, evaluator, k):
        x = np.array(self.points[min(k, len(self.points) - 1)], dtype=float)
        f, violation = evaluator.objective(x), evaluator.violation(x)
        return SimpleState(x, np.zeros(evaluator.m), np.zeros(evaluator.n), f, violation, 0.0, k)

    def step(self, evaluator, state):
        return self._at(evaluator, state.step + 1)

    def check(self, evaluator, state):
        return self.last if state.step >= len(self.points) - 1 else None


def test_a_certified_answer_succeeds():
    result = run(ProjectedGradient(), Evaluator(BOWL))
    assert result.success
    assert result.status is Status.CONVERGED
    assert result.message == Status.CONVERGED.value
    np.testing.assert_allclose(result.x, [1.0, 1.0], atol=1e-7)
    assert result.fun == BOWL.objective(result.x)
    np.testing.assert_allclose(result.jac, BOWL.gradient(result.x))
    np.testing.assert_allclose(result.z, [0.0, -3.0], atol=1e-7)
    assert result.maxcv == 0.0
    assert result["nit"] == result.nit > 0
    assert result.nfev == result.counts["objective"] > 0
    assert set(result.time) == {"total", "problem", "method", "callback", "certificate"}
    parts = sum(seconds for phase, seconds in result.time.items() if phase != "total")
    assert result.time["total"] == pytest.approx(parts)


def test_a_claim_that_the_certificate_does_not_confirm_is_no_success():
    result = run(Script(((0.0, 2.0),)), Evaluator(BOWL))
    assert not result.success
    assert result.status is Status.UNCERTIFIED


def test_an_unconfirmed_claim_gets_a_few_more_steps():
    points = [(4.0, 5.0), (1.0 + 1e-4, 1.0), (1.0 + 1e-7, 1.0), (1.0, 1.0)]

    @dataclass(frozen=True)
    class Hasty(Script):
        def check(self, evaluator, state):
            return Status.CONVERGED if state.step >= 1 else None

    result = run(Hasty(tuple(points)), Evaluator(BOWL))
    assert result.success
    assert result.nit == 3
    never = run(Hasty(tuple([points[0]] + [points[1]] * 50)), Evaluator(BOWL))
    assert never.status is Status.UNCERTIFIED
    assert never.nit == 1 + MAX_REFINEMENTS


def test_a_method_that_does_not_notice_its_solution_is_stopped_there():
    script = Script((*[(4.0, 5.0)] * 40, *[(1.0, 1.0)] * 60), Status.STALLED)

    @dataclass(frozen=True)
    class WithMultipliers(Script):
        def _at(self, evaluator, k):
            state = super()._at(evaluator, k)
            state.z[1] = -3.0
            return state

    result = run(WithMultipliers(script.points, Status.STALLED), Evaluator(BOWL))
    assert result.success
    assert result.status is Status.CONVERGED
    assert result.nit == 64


@pytest.mark.parametrize("claim", [Status.STALLED, Status.NUMERICAL_FAILURE, Status.ACCEPTABLE])
def test_giving_up_at_a_solution_is_convergence(claim):
    result = run(Script(((4.0, 5.0), (1.0, 1.0)), claim), Evaluator(BOWL))
    assert result.success
    assert result.status is Status.CONVERGED
    elsewhere = run(Script(((4.0, 5.0), (2.0, 1.0)), claim), Evaluator(BOWL))
    assert not elsewhere.success
    assert elsewhere.status is claim


def test_the_best_point_is_returned_where_the_last_one_is_worse():
    result = run(Script(((4.0, 5.0), (1.5, 1.0), (8.0, 8.0)), Status.STALLED), Evaluator(BOWL))
    np.testing.assert_array_equal(result.x, [1.5, 1.0])
    assert result.fun == BOWL.objective(result.x)


def test_the_start_is_returned_where_all_else_is_worse():
    result = run(Script(((8.0, 8.0), (9.0, 9.0)), Status.CONVERGED), Evaluator(BOWL))
    np.testing.assert_array_equal(result.x, BOWL.x0)
    assert result.status is Status.UNCERTIFIED


def test_a_feasible_point_precedes_a_lower_infeasible_one():
    feasible, low = (0.6, -1.2806248474865698), (-3.0, -3.0)
    result = run(Script((feasible, low), Status.STALLED), Evaluator(circle()))
    np.testing.assert_array_equal(result.x, feasible)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_last_state_that_is_not_finite_is_not_returned(bad):
    result = run(Script(((1.5, 1.0), (bad, 1.0)), Status.NUMERICAL_FAILURE), Evaluator(BOWL))
    np.testing.assert_array_equal(result.x, [1.5, 1.0])
    assert result.status is Status.NUMERICAL_FAILURE


def test_a_last_state_beyond_the_bounds_is_moved_onto_them():
    result = run(Script(((4.0, 5.0), (1.0, 0.0))), Evaluator(BOWL))
    np.testing.assert_array_equal(result.x, [1.0, 1.0])


def test_infeasibility_is_reported_only_when_certified():
    problem = quadratic(np.eye(1), [0.0], [0.0], A=[[1.0]], cl=(2.0,), cu=(3.0,), ub=1.0)
    confirmed = run(Script(((0.0,), (1.0,)), Status.INFEASIBLE), Evaluator(problem))
    assert confirmed.status is Status.INFEASIBLE
    assert confirmed.infeasibility.holds
    assert not confirmed.success
    denied = run(Script(((0.0,), (0.5,)), Status.INFEASIBLE), Evaluator(problem))
    assert denied.status is Status.STALLED


def test_iteration_limit():
    result = run(ProjectedGradient(), Evaluator(rosenbrock()), max_iterations=7)
    assert result.status is Status.ITERATION_LIMIT
    assert result.nit == 7
    assert not result.success
    assert run(ProjectedGradient(max_iterations=4), Evaluator(rosenbrock())).nit == 4


def test_evaluation_limit():
    calls = []
    problem = rosenbrock()
    problem._f = lambda x: calls.append(1) or (1 - x[0]) ** 2 + 100 * (x[1] - x[0] ** 2) ** 2
    result = run(ProjectedGradient(), Evaluator(problem, max_evaluations=20))
    assert result.status is Status.EVALUATION_LIMIT
    assert len(calls) == result.nfev == 20
    assert result.fun < 24.2


def test_time_limit():
    problem = rosenbrock()
    plain = problem._f
    problem._f = lambda x: time.sleep(0.005) or plain(x)
    result = run(ProjectedGradient(max_iterations=10**6), Evaluator(problem, max_time=0.1))
    assert result.status is Status.TIME_LIMIT
    assert result.certificate is not None
    assert result.fun <= 24.2


def test_a_time_limit_that_leaves_no_time_still_gives_an_answer():
    problem = rosenbrock()
    problem._g = lambda x: time.sleep(2.5) or [1.0, 1.0]
    result = run(Script(((-1.2, 1.0), (0.0, 0.0))), Evaluator(problem, max_time=1e-9))
    assert result.status is Status.TIME_LIMIT
    assert result.x.shape == (2,)
    assert np.isfinite(result.fun)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("where", ["f", "c", "g"])
def test_a_start_that_is_not_finite_is_said_to_be_so(bad, where):
    problem = circle()
    setattr(problem, f"_{where}", lambda x: bad if where == "f" else [bad] * (1 if where == "c" else 2))
    result = run(ProjectedGradient(), Evaluator(problem))
    assert result.status is Status.NONFINITE_START
    assert not result.success
    np.testing.assert_array_equal(result.x, problem.x0)


def test_callbacks_in_both_forms():
    by_keyword, by_position = [], []

    def keyword(intermediate_result):
        by_keyword.append(intermediate_result)

    run(ProjectedGradient(), Evaluator(BOWL), callback=keyword)
    run(ProjectedGradient(), Evaluator(BOWL), callback=by_position.append)
    np.testing.assert_array_equal([r.x for r in by_keyword], by_position)
    assert [r.nit for r in by_keyword] == list(range(1, len(by_keyword) + 1))
    assert by_keyword[-1].fun == BOWL.objective(by_keyword[-1].x)
    assert "step" in by_keyword[0].record


def test_a_callback_cannot_disturb_the_run():
    def vandal(intermediate_result):
        intermediate_result.x[:] = np.nan
        intermediate_result.z[:] = np.nan

    assert run(ProjectedGradient(), Evaluator(BOWL), callback=vandal).success


def test_stop_iteration_from_the_callback_stops_with_the_best_point():
    def stop(x):
        raise StopIteration

    result = run(ProjectedGradient(), Evaluator(rosenbrock()), callback=stop)
    assert result.status is Status.USER_STOP
    assert result.nit == 1
    assert result.fun < 24.2


def test_stop_iteration_from_the_problem_is_an_exception_like_any_other():
    problem = rosenbrock()
    problem._g = lambda x: next(iter(()))
    with pytest.raises(StopIteration):
        run(ProjectedGradient(), Evaluator(problem))


def test_other_exceptions_of_the_callback_pass():
    def broken(x):
        raise LookupError("mine")

    with pytest.raises(LookupError, match="mine"):
        run(ProjectedGradient(), Evaluator(rosenbrock()), callback=broken)


def test_an_interrupt_from_the_keyboard_returns_what_was_found():
    problem, calls = rosenbrock(), []
    plain = problem._f

    def interrupted(x):
        calls.append(1)
        if len(calls) == 30:
            raise KeyboardInterrupt
        return plain(x)

    problem._f = interrupted
    result = run(ProjectedGradient(), Evaluator(problem))
    assert result.status is Status.INTERRUPTED
    assert result.fun < 24.2
    assert not result.success


def test_the_limit_of_an_outer_run_is_not_swallowed_by_an_inner_one():
    outer, inner = Evaluator(rosenbrock(), max_evaluations=5), rosenbrock()
    inner._f = outer.objective
    with pytest.raises(EvaluationLimitReached) as caught:
        run(ProjectedGradient(), Evaluator(inner))
    assert caught.value.evaluator is outer


def test_history_is_kept_and_bounded():
    steps = HISTORY_LENGTH + 20
    problem = Dense([0.0], lambda x: -x[0], lambda x: [-1.0], lambda x: [[0.0]])
    script = Script(tuple((float(k),) for k in range(steps + 1)), Status.STALLED, max_iterations=steps)
    result = run(script, Evaluator(problem))
    assert len(result.history) == HISTORY_LENGTH
    assert result.history[-1]["iteration"] == steps
    assert result.history[-1]["f"] == -steps
    assert result.record == result.history[-1]


def test_iterations_are_logged(caplog):
    with caplog.at_level(logging.DEBUG, logger="karush"):
        run(ProjectedGradient(), Evaluator(BOWL))
    assert any("optimality" in message for message in caplog.messages)
    caplog.clear()
    run(ProjectedGradient(), Evaluator(BOWL))
    assert caplog.messages == []


def test_a_solution_that_rounding_hides_from_the_method_is_noticed_early():
    """Ill-conditioned linear least squares: the gradient at the solution is rounding, above the tolerance."""
    nodes = np.linspace(1.0, 40.0, 30)
    design = nodes[:, None] ** np.arange(6)
    data = np.exp(0.05 * nodes)

    def gradient(x):
        return 2.0 * design.T @ (design @ x - data)

    result = karush.minimize(
        lambda x: float(np.sum((design @ x - data) ** 2)),
        np.ones(6),
        jac=gradient,
        hess=lambda x: 2.0 * design.T @ design,
        method="exact-al",
    )
    assert result.success
    assert result.nit <= 8


def test_a_result_with_empty_parts_can_be_printed():
    text = repr(Result(x=np.ones(2), record={}, counts={"objective": 1}, success=False))
    assert "success: False" in text
    assert "record" not in text
    assert "objective" in text
    assert repr(Result()) == repr(Result(record={}))
