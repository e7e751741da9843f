"""What a run does when its iteration comes to nothing."""

import numpy as np
import pytest
from scipy.optimize import rosen

import karush
from karush.problems.evaluator import Evaluator
from karush.solvers.nonlinear import recovery
from karush.solvers.nonlinear.exact_lagrangian import ExactLagrangian
from karush.solvers.nonlinear.iteration import Outcome
from karush.solvers.nonlinear.recovery import REMEDIES, Trouble, diagnose, recover
from karush.solvers.nonlinear.restoration import ElasticForm
from karush.solvers.nonlinear.restoration_phase import RestorationPhase, Verdict
from karush.solvers.nonlinear.search import ExactMeritSearch, FilterSearch
from karush.solvers.nonlinear.standstill import Plateau, Standstill
from karush.solvers.status import Status

from ..small_problems import Dense, rosenbrock
from .test_exact_lagrangian import hs71


def begun(problem, **options):
    method = ExactLagrangian(**options)
    return method, method.init(Evaluator(problem))


@pytest.mark.parametrize("trouble", Trouble)
def test_every_trouble_has_a_remedy_and_an_end(trouble):
    assert any(trouble in remedy.against for remedy in REMEDIES)
    assert trouble in recovery.STATUS_OF


def test_an_infeasible_point_is_restored_by_the_filter_first():
    method, state = begun(hs71())
    recover(method, state, Trouble.NO_STEP)
    assert state.remedy == "restoration"
    assert state.restoration is not None


def test_the_merit_function_gives_way_before_feasibility_is_restored():
    method, state = begun(hs71(), linear_solver="krylov")
    assert isinstance(state.main.searches[0], ExactMeritSearch)
    recover(method, state, Trouble.NO_STEP)
    assert state.remedy == "next search"
    assert isinstance(state.main.searches[0], FilterSearch)
    recover(method, state, Trouble.NO_STEP)
    assert state.remedy == "restoration"


def test_a_feasible_point_gets_the_other_search_a_second_start_and_then_the_end():
    method, state = begun(rosenbrock())
    first = state.main
    order = [type(search) for search in first.searches]
    recover(method, state, Trouble.NO_STEP)
    assert state.remedy == "next search"
    recover(method, state, Trouble.NO_STEP)
    assert state.remedy == "second start"
    assert state.main is not first
    assert [type(search) for search in state.main.searches] == order[::-1]
    assert type(state.main.update) is not type(first.update)
    recover(method, state, Trouble.NO_STEP)
    assert state.status is None
    recover(method, state, Trouble.NO_STEP)
    assert state.status is Status.STALLED
    assert method.check(state.form.evaluator, state) is Status.STALLED


def test_a_globalisation_that_was_asked_for_is_kept():
    method, state = begun(rosenbrock(), globalisation="exact-merit")
    recover(method, state, Trouble.NO_DIRECTION)
    assert state.status is Status.NUMERICAL_FAILURE


def test_short_steps_are_put_up_with_for_a_while():
    method, state = begun(rosenbrock())
    recover(method, state, Trouble.CRAWLING)
    assert state.remedy == "next search"
    for _ in range(recovery.PATIENCE):
        recover(method, state, Trouble.CRAWLING)
        assert state.remedy == "short steps"
    recover(method, state, Trouble.CRAWLING)
    assert state.remedy == "second start"


def test_an_objective_that_rises_beyond_measure_is_noticed():
    _, state = begun(rosenbrock())
    assert diagnose(state, Outcome.STEP) is None
    state.first_f = -1e3
    state.main.iterate.point.f = 1e9
    assert diagnose(state, Outcome.STEP) is Trouble.RUNNING_AWAY


def test_a_merit_function_that_is_unbounded_below_does_not_lose_the_problem():
    result = karush.minimize("HS27")
    assert result.success
    assert result.fun == pytest.approx(0.04, abs=1e-6)


def test_the_remedy_stands_in_the_record():
    method, state = begun(rosenbrock())
    recover(method, state, Trouble.NO_STEP)
    assert state.record["remedy"] == "next search"


def test_errors_below_1e_6_that_cannot_be_improved_are_acceptable():
    # A kink at the minimiser: no gradient is below 1e-7 in size.
    kink = 1e-7
    problem = Dense(
        [3.0, -2.0],
        lambda x: 0.5 * (x - 1.0) @ (x - 1.0) + kink * np.abs(x - 1.0).sum(),
        lambda x: x - 1.0 + kink * np.where(x >= 1.0, 1.0, -1.0),
        lambda x: np.eye(2),
    )
    result = karush.minimize(problem, options={"max_iterations": 200})
    assert not result.success
    assert result.status is Status.ACCEPTABLE
    assert 1e-8 < result.certificate.error < recovery.ACCEPTABLE


def powell(t):
    """Maratos' example in Powell's form: full steps near the circle raise f and the violation both."""
    return Dense(
        [np.cos(t), np.sin(t)],
        lambda x: 2.0 * (x @ x - 1.0) - x[0],
        lambda x: 4.0 * x - np.array([1.0, 0.0]),
        lambda x: 4.0 * np.eye(2),
        c=lambda x: np.array([x @ x]),
        jac=lambda x: 2.0 * x[None, :],
        hc=lambda x: [2.0 * np.eye(2)],
        cl=[1.0],
        cu=[1.0],
    )


@pytest.mark.parametrize("globalisation", ["exact-merit", "filter"])
def test_no_maratos_effect(globalisation):
    result = karush.minimize(powell(0.3), options={"globalisation": globalisation})
    assert result.success
    assert result.x == pytest.approx([1.0, 0.0], abs=1e-7)
    assert result.nit <= 6
    assert all(entry["alpha"] == 1.0 for entry in result.history[2:])


def test_the_filter_needs_its_second_order_correction_for_that():
    result = karush.minimize(powell(1.0), options={"globalisation": "filter"})
    assert "s" in {entry["search"] for entry in result.history}


def test_a_regularised_step_goes_as_far_as_it_pays():
    problem = Dense([0.1], lambda x: -(x[0] ** 2), lambda x: -2.0 * x, lambda x: -2.0 * np.eye(1))
    result = karush.minimize(problem)
    assert result.status is Status.UNBOUNDED
    assert result.nit <= 3


@pytest.mark.parametrize("factor", [1e-10, 1e10])
def test_badly_scaled_objectives_are_solved_to_the_tolerance_on_the_original(factor):
    problem = Dense(
        np.full(3, 1e3),
        lambda x: factor * (x**4).sum(),
        lambda x: factor * 4.0 * x**3,
        lambda x: factor * np.diag(12.0 * x**2),
    )
    result = karush.minimize(problem)
    assert result.success
    assert result.status is Status.CONVERGED


def test_steps_within_rounding_are_noticed_after_a_while():
    _, state = begun(rosenbrock())
    main, standstill = state.main, Standstill(3)
    main.log.alpha, main.log.step = 1.0, 1e-16
    assert [standstill.notice(main) for _ in range(8)] == [
        False,
        False,
        False,
        True,
        False,
        False,
        True,
        False,
    ]
    main.log.step = 1e-3
    assert not standstill.notice(main)
    assert standstill.count == 0


@pytest.mark.parametrize("lb", [-1.0, -np.inf])
def test_a_pole_is_left_without_success(lb):
    problem = Dense(
        [1.0, 0.5],
        lambda x: np.log(x[0] + 1.0) + x[1] ** 2,
        lambda x: [1.0 / (x[0] + 1.0), 2.0 * x[1]],
        lambda x: [[-1.0 / (x[0] + 1.0) ** 2, 0.0], [0.0, 2.0]],
        lb=[lb, -np.inf],
    )
    result = karush.minimize(problem)
    assert not result.success
    assert result.status in (Status.STALLED, Status.UNBOUNDED)
    assert result.nit < 500


@pytest.mark.parametrize("key", range(4))
def test_a_tolerance_beyond_what_differences_can_do_ends_in_time(key):
    x0 = np.random.default_rng(key).normal(size=10)
    result = karush.minimize(rosen, x0, jac="2-point", tol=1e-8)
    assert result.status in (Status.CONVERGED, Status.ACCEPTABLE, Status.STALLED)
    assert result.nit < 500
    assert result.certificate.error < 1e-4


def test_a_violation_that_remains_is_noticed():
    plateau = Plateau(patience=3)
    assert [plateau.notice(v) for v in (9.0, 5.0, 5.0, 5.0, 4.99, 4.0, 1e-5, 1.0)] == [
        *(False, False, False, False, True),
        *(False, False, False),
    ]


def test_a_restoration_that_cannot_begin_gives_the_run_back(monkeypatch):
    _, state = begun(hs71())
    monkeypatch.setattr(ElasticForm, "differentiate", lambda form, point: False)
    phase = RestorationPhase(state.form, state.main)
    assert not phase.usable
    assert phase.advance() is Verdict.FAILED
    assert not phase.hand_back()
