import time

import numpy as np
import pytest

from karush.bench.recording import OutOfTime, Recorder, thinned
from karush.bench.warmup import tiny_problem
from karush.problems import Model
from karush.problems.nlp import NLP


def test_recorder_passes_everything_on_unchanged():
    problem = tiny_problem(True)
    recorder = Recorder(problem)
    x, y, v = np.array([0.7, 1.3]), np.array([0.5, -2.0]), np.array([1.0, -1.0])
    assert recorder.objective(x) == problem.objective(x)
    for name, arguments in [
        ("gradient", (x,)),
        ("constraints", (x,)),
        ("jacobian_values", (x,)),
        ("hessian_values", (x, y, 2.0)),
        ("hvp", (x, v, y, 2.0)),
        ("jvp", (x, v)),
        ("vjp", (x, y)),
    ]:
        expected = getattr(problem, name)(*arguments)
        out = np.empty_like(expected)
        np.testing.assert_array_equal(getattr(recorder, name)(*arguments), expected)
        assert getattr(recorder, name)(*arguments, out=out) is out
    assert recorder.counts["hvp"] == 2
    assert recorder.counts["jacobian"] == 2


def test_recorder_overrides_every_oracle():
    """What an oracle's default would hide is how the problem wants to be treated."""
    # made of the overridden ones
    composed = {"jacobian", "hessian"}
    oracles = {name for name, value in vars(NLP).items() if callable(value) and not name.startswith("_")}
    assert oracles - composed <= vars(Recorder).keys()
    model = Model("sum of squares")
    w = model.variables(3, start=1.0)
    model.groups(3, lambda a: a**2).add_linear(2.0, w)
    problem = model.build()
    recorder = Recorder(problem)
    assert recorder.is_least_squares
    assert not Recorder(tiny_problem(True)).is_least_squares
    assert recorder.hessian_entries_bound() == problem.hessian_entries_bound() > 0
    x = problem.x0
    np.testing.assert_array_equal(recorder.hessian_diagonal(x), problem.hessian_diagonal(x))
    np.testing.assert_array_equal(recorder.hessian_diagonal(x), 8.0)
    np.testing.assert_array_equal(recorder.gauss_newton_values(x, 2.0), problem.gauss_newton_values(x, 2.0))


def test_history_holds_improvements_only_and_feasibility_comes_first():
    recorder = Recorder(tiny_problem(True))
    low_but_infeasible, infeasible, feasible = (
        np.array([0.0, 2.0]),
        np.array([3.0, 3.0]),
        np.array([1.0, np.sqrt(2)]),
    )
    for x in (infeasible, low_but_infeasible, feasible, low_but_infeasible):
        recorder.objective(x)
        recorder.constraints(x)
    assert [entry[0] for entry in recorder.history] == [1, 2, 3]
    assert recorder.history[-1][3] <= 1e-6
    np.testing.assert_array_equal(recorder.best_x, feasible)


def test_values_of_different_points_are_never_mixed():
    recorder = Recorder(tiny_problem(True))
    recorder.objective(np.array([0.1, 0.2]))
    recorder.constraints(np.array([1.0, np.sqrt(2)]))
    assert recorder.history == []
    recorder.objective(np.array([1.0, np.sqrt(2)]))
    assert len(recorder.history) == 1


def test_point_outside_its_bounds_is_not_feasible():
    recorder = Recorder(tiny_problem(True))
    x = np.array([-1.0, 2.0])
    recorder.constraints(x)
    recorder.objective(x)
    assert recorder.history[0][3] >= 1.0


def test_nonfinite_values_are_no_improvement():
    problem = tiny_problem(False)
    problem.objective = lambda x: np.nan
    recorder = Recorder(problem)
    recorder.objective(np.zeros(2))
    assert recorder.history == []
    assert recorder.best_x is None


def test_deadline_is_raised_into_the_solver():
    recorder = Recorder(tiny_problem(False))
    recorder.deadline = time.perf_counter() - 1.0
    with pytest.raises(OutOfTime):
        recorder.gradient(np.zeros(2))


def test_thinning_keeps_both_ends():
    history = [(k, 0.0, -float(k), 0.0) for k in range(1000)]
    kept = thinned(history, 50)
    assert len(kept) == 50
    assert (kept[0], kept[-1]) == (history[0], history[-1])
