"""Uno on karush's oracles: known answers, multipliers in our sign, limits, failures of a problem."""

import numpy as np
import pytest

from karush.bench import peers
from karush.bench.execution import judge
from karush.bench.recording import Recorder
from karush.bench.warmup import tiny_problem
from karush.problems import get

UNO = peers.get("uno")
pytestmark = pytest.mark.skipif(UNO.unavailable() is not None, reason="needs unopy")

PRESETS = [{}, {"preset": "ipopt"}, {"preset": "filtersqp"}]


@pytest.mark.parametrize("options", PRESETS, ids=str)
@pytest.mark.parametrize(
    ("name", "optimum"),
    [("HS7", -np.sqrt(3.0)), ("HS71", 17.0140172895), ("HS4", 8 / 3), ("ROSENBR", 0.0)],
)
def test_known_answers_with_multipliers_that_certify(name, optimum, options):
    problem = get(name)
    answer = UNO.solve(Recorder(problem), options, 20.0, 1e-8)
    assert answer.claimed
    assert not answer.out_of_time
    assert problem.objective(answer.x) == pytest.approx(optimum, abs=1e-6)
    record = judge(problem, answer, 1e-6)
    assert record["outcome"] == "SOLVED"
    assert record["certificate"]["multipliers"] == "given"


def test_multipliers_of_hs71():
    answer = UNO.solve(Recorder(get("HS71")), {}, 20.0, 1e-9)
    np.testing.assert_allclose(answer.y, [-0.552293660, 0.161468564], atol=1e-5)
    np.testing.assert_allclose(answer.z, [-1.087871214, 0.0, 0.0, 0.0], atol=1e-5)


def test_an_exact_hessian_is_used_and_no_more_evaluations_than_it_needs():
    recorder = Recorder(get("HS7"))
    answer = UNO.solve(recorder, {}, 20.0, 1e-8)
    assert 0 < recorder.counts["hessian"] <= answer.iterations + 1
    assert recorder.counts["objective"] <= 40


def test_no_time_is_no_answer_but_a_point():
    recorder = Recorder(get("HS71"))
    answer = UNO.solve(recorder, {}, 1e-9, 1e-8)
    assert answer.out_of_time
    assert not answer.claimed
    assert np.isfinite(answer.x).all()
    recorder.gradient(recorder.x0)  # the deadline is gone again


def test_what_the_problem_raises_comes_through():
    problem = tiny_problem(True)
    problem.gradient = lambda x, out=None: 1 / 0
    with pytest.raises(ZeroDivisionError):
        UNO.solve(Recorder(problem), {}, 20.0, 1e-8)


def test_iterations_can_be_watched():
    seen = []
    UNO.solve(Recorder(get("HS7")), {}, 20.0, 1e-8, seen.append)
    assert seen[-1]["violation"] <= 1e-8
    assert seen[-1]["optimality"] <= 1e-6


def test_options_are_checked_and_reals_may_look_like_integers():
    problem = tiny_problem(True)
    assert UNO.solve(Recorder(problem), {"TR_radius": 10}, 20.0, 1e-8).claimed
    with pytest.raises(ValueError, match="TR_radus"):
        UNO.solve(Recorder(problem), {"TR_radus": 10}, 20.0, 1e-8)
    with pytest.raises(ValueError, match="TR_radius"):
        UNO.solve(Recorder(problem), {"TR_radius": "wide"}, 20.0, 1e-8)
    with pytest.raises(ValueError, match="preset"):
        UNO.solve(Recorder(problem), {"preset": "ipot"}, 20.0, 1e-8)
