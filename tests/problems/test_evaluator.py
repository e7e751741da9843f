"""The evaluator: copies, counts, checks, cache, limits and the best point."""

import time

import numpy as np
import pytest

from karush.problems.evaluator import DeadlineReached, EvaluationLimitReached, Evaluator, charge
from karush.problems.nlp import NLP, Metadata


class Disc(NLP):
    """min x0 + x1 subject to x0^2 + x1^2 <= 2, x within [-2, 2]; every oracle may be replaced."""

    def __init__(self, x0=(0.5, 0.25), lb=(-2.0, -2.0), ub=(2.0, 2.0), **replaced):
        super().__init__(
            Metadata(
                name="DISC",
                x0=np.array(x0),
                lb=np.array(lb),
                ub=np.array(ub),
                cl=np.array([-np.inf]),
                cu=np.array([2.0]),
            )
        )
        self.seen = []
        for name, function in replaced.items():
            setattr(self, name, function)

    def objective(self, x):
        self.seen.append(x)
        return float(x[0] + x[1])

    def gradient(self, x, out=None):
        return _into(out, [1.0, 1.0])

    def constraints(self, x, out=None):
        return _into(out, [x @ x])

    def jacobian_structure(self):
        return np.array([0, 2]), np.array([0, 1])

    def jacobian_values(self, x, out=None):
        return _into(out, 2 * x)

    def hessian_structure(self):
        return np.array([0, 1, 2]), np.array([0, 1])

    def hessian_values(self, x, y=None, sigma=1.0, out=None):
        return _into(out, [2 * y[0], 2 * y[0]])


def _into(out, value):
    if out is None:
        return np.array(value)
    out[:] = value
    return out


def test_bounds_changed_after_construction_are_the_problems():
    problem = Disc()
    problem.ub, problem.cu = np.array([1.0, 2.0]), np.array([3.0])
    seen = Evaluator(problem).as_problem()
    assert (seen.ub[0], seen.cu[0]) == (1.0, 3.0)


def test_the_problem_gets_copies_and_each_answer_is_computed_once():
    problem = Disc()
    evaluator = Evaluator(problem)
    x = np.array([0.5, 0.25])
    assert evaluator.objective(x) == 0.75
    problem.seen[0][:] = 99.0
    assert evaluator.objective(x) == 0.75
    np.testing.assert_array_equal(x, [0.5, 0.25])
    other = np.array([1.0, 1.0])
    assert evaluator.objective(other) == 2.0
    assert evaluator.objective(x) == 0.75  # the last two points are known
    assert evaluator.counts["objective"] == 2


def test_a_point_changed_in_place_is_a_new_point():
    evaluator = Evaluator(Disc())
    x = np.array([0.5, 0.25])
    evaluator.objective(x)
    x[0] = 1.0
    assert evaluator.objective(x) == 1.25


def test_every_oracle_is_counted_and_right():
    evaluator = Evaluator(Disc())
    x, y, v = np.array([1.0, 0.5]), np.array([3.0]), np.array([1.0, -2.0])
    np.testing.assert_allclose(evaluator.gradient(x), [1.0, 1.0])
    np.testing.assert_allclose(evaluator.constraints(x), [1.25])
    np.testing.assert_allclose(evaluator.jacobian_values(x), [2.0, 1.0])
    np.testing.assert_allclose(evaluator.hessian_values(x, y), [6.0, 6.0])
    np.testing.assert_allclose(evaluator.hvp(x, v, y), 6.0 * v)
    np.testing.assert_allclose(evaluator.jvp(x, v), [0.0])
    np.testing.assert_allclose(evaluator.vjp(x, y), [6.0, 3.0])
    for oracle in ("gradient", "constraints", "jacobian", "hessian", "hvp", "jvp", "vjp"):
        assert evaluator.counts[oracle] == 1, oracle


def test_the_hessian_is_computed_anew_for_other_multipliers():
    evaluator = Evaluator(Disc())
    x = np.array([1.0, 0.5])
    assert evaluator.hessian_values(x, np.array([1.0]))[0] == 2.0
    assert evaluator.hessian_values(x, np.array([2.0]))[0] == 4.0
    assert evaluator.hessian_values(x, np.array([2.0]))[0] == 4.0
    assert evaluator.counts["hessian"] == 2


def test_objective_and_gradient_together_serve_both():
    evaluator = Evaluator(Disc())
    x = np.array([1.0, 0.5])
    f, g = evaluator.objective_and_gradient(x)
    assert f == 1.5
    np.testing.assert_array_equal(g, [1.0, 1.0])
    assert evaluator.objective(x) == 1.5
    assert evaluator.counts["objective"] == evaluator.counts["gradient"] == 1


def test_points_beyond_the_bounds_are_moved_onto_them_and_reported():
    problem = Disc()
    evaluator = Evaluator(problem)
    assert evaluator.objective(np.array([5.0, 0.0])) == 2.0
    assert evaluator.outside == 1
    evaluator.objective(np.array([2.0 + 4e-16, 0.0]))
    assert evaluator.outside == 1
    assert all((abs(x) <= 2.0).all() for x in problem.seen)


def test_the_start_is_put_within_the_bounds():
    np.testing.assert_array_equal(Evaluator(Disc(x0=(9.0, -9.0))).x0, [2.0, -2.0])
    np.testing.assert_array_equal(Evaluator(Disc(), x0=np.array([-7.0, 1.0])).x0, [-2.0, 1.0])


def test_a_point_that_is_not_finite_is_not_evaluated():
    problem = Disc()
    evaluator = Evaluator(problem)
    x = np.array([np.nan, 0.0])
    assert np.isnan(evaluator.objective(x))
    assert np.isnan(evaluator.gradient(x)).all()
    assert np.isnan(evaluator.violation(x))
    assert problem.seen == []
    assert evaluator.best is None


def test_large_finite_points_are_evaluated():
    evaluator = Evaluator(Disc(lb=(-np.inf,) * 2, ub=(np.inf,) * 2))
    assert evaluator.objective(np.array([1e200, 0.0])) == 1e200


def test_best_prefers_small_violation_then_small_f():
    evaluator = Evaluator(Disc())
    for x in ([2.0, 2.0], [1.0, 0.5], [-1.5, -1.5], [-0.5, 0.0]):
        evaluator.objective(np.array(x))
        evaluator.constraints(np.array(x))
    np.testing.assert_array_equal(evaluator.best.x, [-0.5, 0.0])
    assert evaluator.best.violation == 0.0
    evaluator.objective(np.array([-1.0, -1.0 - 1e-10]))  # violation within the tolerance counts as none
    evaluator.constraints(np.array([-1.0, -1.0 - 1e-10]))
    assert evaluator.best.f == pytest.approx(-2.0)


def test_best_ignores_values_that_are_not_finite():
    evaluator = Evaluator(Disc(objective=lambda x: -np.inf if x[0] > 0 else float(x[0])))
    for x in ([1.0, 0.0], [-0.5, 0.0]):
        evaluator.objective(np.array(x))
        evaluator.constraints(np.array(x))
    assert evaluator.best.f == -0.5


def test_the_deadline_is_checked_at_each_call():
    evaluator = Evaluator(Disc(), max_time=0.01)
    evaluator.objective(np.zeros(2))
    time.sleep(0.02)
    with pytest.raises(DeadlineReached):
        evaluator.gradient(np.ones(2))
    with pytest.raises(DeadlineReached):
        evaluator.check_deadline()
    evaluator.allow(10.0)
    evaluator.gradient(np.ones(2))


def test_the_evaluation_limit_is_exact():
    problem = Disc()
    evaluator = Evaluator(problem, max_evaluations=3)
    for i in range(3):
        evaluator.objective(np.array([0.1 * i, 0.0]))
    with pytest.raises(EvaluationLimitReached):
        evaluator.objective(np.array([0.9, 0.0]))
    assert len(problem.seen) == evaluator.counts["objective"] == 3


def test_differences_count_towards_the_innermost_run_and_its_limits():
    def gradient(x, out=None):
        for _ in range(4):
            charge("objective")
        return _into(out, [1.0, 1.0])

    outer, inner = Evaluator(Disc(), max_evaluations=1), Evaluator(Disc(gradient=gradient), max_evaluations=6)
    with outer.active():
        with inner.active():
            inner.gradient(np.zeros(2))
            with pytest.raises(EvaluationLimitReached) as caught:
                inner.gradient(np.ones(2))
        assert caught.value.evaluator is inner
        assert inner.counts["objective_differences"] == 6
        assert outer.counts["objective_differences"] == 0
        charge("objective")
        assert outer.counts["objective_differences"] == 1
    charge("objective")  # outside of any run nothing happens
    assert outer.counts["objective_differences"] == 1


def test_users_exceptions_pass_unchanged_and_leave_the_evaluator_usable():
    class MineError(Exception):
        pass

    def objective(x):
        if x[0] > 1.0:
            raise MineError("here")
        return 1.0

    evaluator = Evaluator(Disc(objective=objective))
    with pytest.raises(MineError, match="here"):
        evaluator.objective(np.array([1.5, 0.0]))
    assert evaluator.objective(np.array([0.5, 0.0])) == 1.0


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (1.0 + 2.0j, TypeError, "objective must return a real number, got complex"),
        (np.array([1.0, 2.0]), ValueError, r"objective must return a single number, got .* \(2,\)"),
        (None, TypeError, "objective must return a real number, got NoneType"),
        ("1.0", TypeError, "objective must return a real number"),
        ([[1.0], [1.0, 2.0]], TypeError, "ragged"),
    ],
)
def test_a_bad_objective_is_named(value, error, words):
    with pytest.raises(error, match=words):
        Evaluator(Disc(objective=lambda x: value)).objective(np.zeros(2))


@pytest.mark.parametrize("value", [3, np.float32(3.0), np.array(3.0), np.array([3.0]), np.int64(3)])
def test_harmless_forms_of_a_number_are_accepted(value):
    result = Evaluator(Disc(objective=lambda x: value)).objective(np.zeros(2))
    assert type(result) is float
    assert result == 3.0


@pytest.mark.parametrize(
    ("value", "error", "words"),
    [
        (np.zeros(3), ValueError, r"gradient must return shape \(2,\), got \(3,\)"),
        (np.zeros((2, 1)), ValueError, r"got \(2, 1\)"),
        (np.zeros(2, dtype=complex), TypeError, "complex"),
        (np.array([1.0, None]), TypeError, "object"),
        (None, TypeError, "NoneType"),
    ],
)
def test_a_bad_gradient_is_named(value, error, words):
    with pytest.raises(error, match=words):
        Evaluator(Disc(gradient=lambda x, out=None: value)).gradient(np.zeros(2))


def test_an_array_that_the_problem_keeps_is_copied():
    kept = np.array([1.0, 1.0])
    evaluator = Evaluator(Disc(gradient=lambda x, out=None: kept))
    g = evaluator.gradient(np.zeros(2))
    kept[:] = 7.0
    np.testing.assert_array_equal(g, [1.0, 1.0])


@pytest.mark.parametrize(
    ("structure", "words"),
    [
        ((np.array([0, 1]), np.array([0, 1])), "indptr"),
        ((np.array([0, 2]), np.array([1, 0])), "rise within each row"),
        ((np.array([0, 2]), np.array([0, 2])), r"0\.\.1"),
        ((np.array([0.0, 2.5]), np.array([0, 1])), "integers"),
        (None, "integers"),
    ],
)
def test_a_bad_pattern_is_named(structure, words):
    with pytest.raises(ValueError, match=f"jacobian_structure.*{words}"):
        Evaluator(Disc(jacobian_structure=lambda: structure)).jacobian_values(np.zeros(2))


def test_an_upper_triangle_is_refused_as_hessian_pattern():
    structure = np.array([0, 2, 3]), np.array([0, 1, 1])
    with pytest.raises(ValueError, match="lower triangle"):
        Evaluator(Disc(hessian_structure=lambda: structure)).hessian_structure()


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"lb": (0.0, np.nan)}, ValueError, r"lb\[1\] is NaN"),
        ({"lb": (0.0, 3.0)}, ValueError, r"lb\[1\] = 3 is above ub\[1\] = 2"),
        ({"ub": (2.0,)}, ValueError, r"ub must have shape \(2,\), got \(1,\)"),
        ({"lb": (0.0, np.inf), "ub": (np.inf, np.inf)}, ValueError, r"lb\[1\] is inf"),
        ({"x0": (1.0, np.nan)}, ValueError, r"x0 must be finite, got x0\[1\] = nan"),
        ({"x0": (1.0, 1j)}, TypeError, "x0 must hold real numbers, got complex"),
        ({"x0": (1.0, None)}, TypeError, "x0 must hold real numbers, got object"),
        ({"x0": ((1.0, 2.0),)}, ValueError, "x0 must be one-dimensional"),
    ],
)
def test_bad_metadata_is_named(arguments, error, words):
    with pytest.raises(error, match=words):
        Evaluator(Disc(**arguments))
