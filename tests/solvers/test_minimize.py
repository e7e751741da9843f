"""`minimize`: forms of problem, options, bad input."""

from dataclasses import dataclass

import numpy as np
import pytest

import karush
from karush.solvers.methods import get_method, make_method, method_names, register_method
from karush.solvers.status import Status

from .simple_method import ProjectedGradient
from .small_problems import circle, rosenbrock


def test_a_problem_object_is_solved():
    result = karush.minimize(rosenbrock())
    assert result.success
    np.testing.assert_allclose(result.x, [1.0, 1.0], atol=1e-6)
    assert result.name == "ROSENBR"


def test_a_start_replaces_the_problems_own():
    problem = rosenbrock()
    result = karush.minimize(problem, [1.0, 1.0])
    assert result.nit == 0
    assert result.success
    np.testing.assert_array_equal(problem.x0, [-1.2, 1.0])


def test_what_can_be_built_is_built():
    class Recipe:
        def build(self):
            return circle()

    assert karush.minimize(Recipe()).fun == pytest.approx(-2.0)


def test_a_name_is_looked_up_in_the_registry():
    result = karush.minimize("HS71")
    assert result.success
    assert result.fun == pytest.approx(17.0140172891)


def test_an_unknown_problem_name_is_an_error():
    with pytest.raises((ValueError, KeyError), match="HS71"):
        karush.minimize("HS71X")


def test_limits_reach_the_run_under_scipys_names_too():
    assert karush.minimize(rosenbrock(), options={"maxiter": 3}).nit == 3
    assert karush.minimize(rosenbrock(), options={"max_iterations": 3}).status is Status.ITERATION_LIMIT
    assert karush.minimize(rosenbrock(), options={"maxfev": 4}).nfev == 4
    assert karush.minimize(rosenbrock(), options={"max_evaluations": 4}).status is Status.EVALUATION_LIMIT
    assert karush.minimize(rosenbrock(), options={"max_time": 1e-9}).status is Status.TIME_LIMIT


def test_tol_is_the_certificates():
    assert karush.minimize(circle(), tol=1e-4).certificate.tol == 1e-4
    assert karush.minimize(circle()).certificate.tol == 1e-8


def test_a_method_object_is_taken():
    result = karush.minimize(
        circle(), method=ProjectedGradient(penalty=3.0), options={"maxiter": 2}, tol=1e-3
    )
    assert result.method == "ProjectedGradient"
    assert result.nit == 2
    assert result.certificate.tol == 1e-3


def test_rng_reaches_methods_that_have_one():
    seen = []

    @dataclass(frozen=True)
    class Random(ProjectedGradient):
        rng: object = None

        def init(self, evaluator):
            seen.append(self.rng)
            return super().init(evaluator)

    karush.minimize(rosenbrock(), method=Random(), rng=7, options={"maxiter": 1})
    assert seen == [7]
    karush.minimize(rosenbrock(), method=ProjectedGradient(), rng=7, options={"maxiter": 1})
    with pytest.raises((TypeError, ValueError)):
        karush.minimize(rosenbrock(), rng="seven")


def never(x):
    raise AssertionError("evaluated before the input was checked")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"method": "exact"}, ValueError, "unknown method 'exact'; did you mean 'exact-al'"),
        ({"method": "zzz"}, ValueError, "unknown method 'zzz'; known are .*exact-al"),
        ({"method": 3}, TypeError, "method must be a name or a method object, got int"),
        ({"options": {"max_tme": 3}}, ValueError, "unknown option 'max_tme' .*did you mean .*'max_time'"),
        ({"options": {"glbalisation": "auto"}}, ValueError, "did you mean 'globalisation'"),
        ({"options": {"max_time": -1}}, ValueError, "option 'max_time' must be a positive number, got -1"),
        (
            {"options": {"max_time": np.nan}},
            ValueError,
            "option 'max_time' must be a positive number, got nan",
        ),
        ({"options": {"maxiter": 2.5}}, TypeError, "option 'maxiter' must be a positive integer, got 2.5"),
        ({"options": {"maxiter": True}}, TypeError, "option 'maxiter' must be a positive integer, got True"),
        ({"options": {"maxfev": 0}}, ValueError, "option 'maxfev' must be a positive integer, got 0"),
        ({"options": {"maxiter": 2, "max_iterations": 3}}, ValueError, "given twice"),
        ({"options": [1, 2]}, TypeError, "options must be a dict, got list"),
        ({"tol": 0.0}, ValueError, "tol must be a positive number, got 0.0"),
        ({"tol": "small"}, TypeError, "tol must be a positive number, got 'small'"),
        ({"callback": 3}, TypeError, "callback must be callable, got int"),
        ({"x0": [1.0, 2.0, 3.0]}, ValueError, r"x0 must have shape \(2,\), got \(3,\)"),
        ({"x0": [1.0, 2.0 + 1j]}, TypeError, "x0 must hold real numbers, got complex"),
        ({"x0": [1.0, None]}, TypeError, "x0 must hold real numbers, got object"),
        ({"x0": [1.0, np.inf]}, ValueError, r"x0 must be finite, got x0\[1\] = inf"),
        ({"x0": "start"}, TypeError, "x0 must hold real numbers"),
        ({"bounds": [(0, 1), (0, 1)]}, ValueError, "bounds: only with a callable"),
        ({"jac": never, "args": (3,)}, ValueError, "jac, args: only with a callable"),
        ({"constraints": {"type": "eq", "fun": never}}, ValueError, "constraints: only with a callable"),
    ],
)
def test_bad_input_is_named_before_anything_is_evaluated(arguments, error, words):
    problem = rosenbrock()
    problem._f = problem._g = never
    with pytest.raises(error, match=words):
        karush.minimize(problem, **arguments)


def test_what_is_no_problem_is_said_to_be_none():
    with pytest.raises(TypeError, match=r"fun_or_problem must be a callable, .* got list"):
        karush.minimize([1, 2, 3], [0.0])
    with pytest.raises(TypeError, match="x0 is missing"):
        karush.minimize(lambda x: x @ x)


@pytest.mark.parametrize(
    ("bound", "words"),
    [
        ({"lb": np.array([0.0, 5.0]), "ub": np.array([1.0, 1.0])}, r"lb\[1\] = 5 is above ub\[1\] = 1"),
        ({"ub": np.array([1.0, np.nan])}, r"ub\[1\] is NaN"),
        ({"cl": np.array([3.0])}, r"cl\[0\] = 3 is above cu\[0\] = 2"),
    ],
)
def test_bad_bounds_of_a_problem_are_named(bound, words):
    problem = circle()
    for name, value in bound.items():
        setattr(problem, name, value)
    problem._f = never
    with pytest.raises(ValueError, match=words):
        karush.minimize(problem)


def test_methods_register_by_class_and_by_address(monkeypatch):
    from karush.solvers import methods

    monkeypatch.setattr(methods, "_METHODS", dict(methods._METHODS))
    register_method("Projected", ProjectedGradient)
    assert get_method("projected") is ProjectedGradient
    register_method("again", "karush.solvers.nonlinear.exact_lagrangian:ExactLagrangian")
    assert get_method("again") is get_method("exact-al")
    assert method_names()[0] == "exact-al"
    assert {"projected", "again"} <= set(method_names())
    assert make_method(None, {}) == get_method("exact-al")()
    assert make_method("projected", {"penalty": 2.0}).penalty == 2.0


def test_plugins_are_found_by_their_entry_point(monkeypatch):
    from importlib.metadata import EntryPoint

    from karush.solvers import methods

    entry = EntryPoint(
        "plugged", "karush.solvers.nonlinear.exact_lagrangian:ExactLagrangian", "karush.solvers"
    )
    monkeypatch.setattr(methods, "_METHODS", dict(methods._METHODS))
    monkeypatch.setattr(methods, "entry_points", lambda group: [entry] if group == "karush.solvers" else [])
    assert "plugged" in method_names()
    assert get_method("plugged") is get_method("exact-al")
