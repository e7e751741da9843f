"""The contract where the problem is made of plain callables and derivatives may be differences."""

import math
import time

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint, rosen, rosen_der

import karush

from .subjects import karush_solvers

METHODS = pytest.mark.parametrize("method", [subject.name for subject in karush_solvers()])


def plain_rosen(x):
    """Rosenbrock's function, refusing complex numbers, so that derivatives are differences."""
    return 100 * math.pow(x[1] - x[0] ** 2, 2) + math.pow(1 - x[0], 2)


@METHODS
@pytest.mark.parametrize(
    "jac", [None, "2-point", "3-point", "cs", rosen_der], ids=["none", "2-point", "3-point", "cs", "callable"]
)
def test_every_source_of_gradients_leads_to_the_minimiser(method, jac):
    # Forward differences err by 1e-8 times the curvature, which is 1e3 here.
    result = karush.minimize(
        rosen, [-1.2, 1.0], jac=jac, method=method, tol=1e-4 if jac == "2-point" else None
    )
    assert result.success
    np.testing.assert_allclose(result.x, [1.0, 1.0], atol=1e-3 if jac == "2-point" else 1e-5)


@METHODS
@pytest.mark.parametrize("jac", [None, "2-point", "3-point"], ids=str)
def test_differences_never_leave_the_bounds(method, jac):
    low, high = np.array([-2.0, 0.1]), np.array([0.5, 0.1 + 1e-9])

    def guarded(x):
        if not ((low <= x).all() and (x <= high).all()):
            raise AssertionError(f"evaluated at {x}, beyond the bounds")
        return plain_rosen(x)

    def row(x):
        guarded(x)
        return math.cos(x[0]) + x[1]

    constraint = NonlinearConstraint(row, 0.0, 2.0)
    for start in ([0.5, 0.1], [-2.0, 0.1 + 1e-9], [9.0, 9.0]):
        result = karush.minimize(
            guarded, start, jac=jac, bounds=Bounds(low, high), constraints=constraint, method=method
        )
        assert ((low <= result.x) & (result.x <= high)).all()


@METHODS
def test_variables_fixed_by_their_bounds_with_differences(method):
    result = karush.minimize(plain_rosen, [0.5, 0.0], bounds=[(0.5, 0.5), (-3, 3)], method=method)
    assert result.success
    np.testing.assert_allclose(result.x, [0.5, 0.25], atol=1e-5)


@METHODS
def test_evaluations_for_differences_are_counted_and_limited(method):
    calls = []

    def counted(x):
        calls.append(1)
        return plain_rosen(x)

    result = karush.minimize(counted, [-1.2, 1.0], method=method)
    assert result.nfev == pytest.approx(len(calls), abs=3)
    calls.clear()
    limited = karush.minimize(counted, [-1.2, 1.0], method=method, options={"maxfev": 50})
    assert limited.status is karush.Status.EVALUATION_LIMIT
    assert len(calls) <= 50
    assert limited.fun <= plain_rosen([-1.2, 1.0])


@METHODS
def test_the_deadline_cuts_into_a_gradient_by_differences(method, monkeypatch):
    from karush.problems import evaluator
    from karush.solvers import driver

    clock, calls = [0.0], []
    for module in (evaluator, driver):
        monkeypatch.setattr(module, "perf_counter", lambda: clock[0])

    def slow(x):
        calls.append(1)
        clock[0] += 1.0
        return sum(math.pow(xi - 1, 2) for xi in x)

    result = karush.minimize(slow, np.zeros(500), jac="3-point", method=method, options={"max_time": 20.5})
    assert result.status is karush.Status.TIME_LIMIT
    assert len(calls) <= 21 + 3
    assert np.isfinite(result.fun)


@METHODS
def test_the_callers_arrays_are_unchanged(method):
    x0, target = np.array([-1.2, 1.0]), np.array([1.0, 2.0])
    low, high = np.array([-5.0, -5.0]), np.array([5.0, 5.0])

    def spoiling(x, target):
        value = float(((x.real - target) ** 2).sum())
        x[:] = -77.0
        return value

    result = karush.minimize(spoiling, x0, args=(target,), bounds=Bounds(low, high), method=method)
    np.testing.assert_array_equal(x0, [-1.2, 1.0])
    np.testing.assert_array_equal(target, [1.0, 2.0])
    np.testing.assert_array_equal(low, [-5.0, -5.0])
    assert result.success
    np.testing.assert_allclose(result.x, target, atol=1e-5)


@METHODS
@pytest.mark.parametrize("where", [1, 3, 9, 27])
def test_exceptions_of_callables_pass_unchanged(method, where):
    error, calls = RuntimeError("of the user"), []

    def failing(x):
        calls.append(1)
        if len(calls) >= where:
            raise error
        return plain_rosen(x)

    with pytest.raises(RuntimeError) as caught:
        karush.minimize(failing, [-1.2, 1.0], jac="3-point", method=method)
    assert caught.value is error


@METHODS
@pytest.mark.parametrize(
    ("fun", "call", "error", "words"),
    [
        (lambda x: x, {}, ValueError, "fun must return a single number"),
        (lambda x: 1j * x[0], {}, TypeError, "complex"),
        (lambda x: None, {}, TypeError, "fun must return a real number"),
        (rosen, {"jac": lambda x: np.zeros(3)}, ValueError, r"jac must return shape \(2,\), got \(3,\)"),
        (rosen, {"jac": lambda x: np.zeros(2, dtype=complex)}, TypeError, "jac .*complex"),
        (
            rosen,
            {"jac": rosen_der, "hess": lambda x: np.eye(3)},
            ValueError,
            r"hess must return shape \(2, 2\)",
        ),
        (rosen, {"bounds": [(0, 1)]}, ValueError, "bounds"),
        (rosen, {"bounds": [(0, 1), (3, 2)]}, ValueError, r"bounds.lb\[1\] = 3 is above bounds.ub\[1\] = 2"),
        (rosen, {"bounds": [(0, 1), (np.nan, 2)]}, ValueError, r"bounds.lb\[1\] is NaN"),
        (rosen, {"jac": "4-point"}, ValueError, "jac must be"),
        (rosen, {"constraints": [3]}, TypeError, r"constraints\[0\] must be"),
        (
            rosen,
            {"constraints": LinearConstraint([[1.0, 2.0, 3.0]], 0, 1)},
            ValueError,
            "A must have 2 columns",
        ),
        (rosen, {"constraints": {"type": "le", "fun": rosen}}, ValueError, "must be 'eq' or 'ineq'"),
    ],
)
def test_bad_callables_and_arguments_are_named(method, fun, call, error, words):
    with pytest.raises(error, match=words):
        karush.minimize(fun, [0.5, 1.5], method=method, **call)


@METHODS
@pytest.mark.parametrize(
    ("x0", "error", "words"),
    [
        ([1.0, np.nan], ValueError, r"x0 must be finite, got x0\[1\] = nan"),
        ([1.0, 1j], TypeError, "x0 must hold real numbers"),
        ([[1.0, 2.0]], ValueError, "x0 must be one-dimensional"),
        (["a", "b"], TypeError, "x0 must hold real numbers"),
        ([], ValueError, "x0"),
    ],
)
def test_bad_starts_are_named(method, x0, error, words):
    with pytest.raises(error, match=words):
        karush.minimize(rosen, x0, method=method)


@METHODS
def test_a_start_that_is_not_finite_is_reported_without_warnings(method):
    result = karush.minimize(lambda x: np.log(x[0]) + x[0] ** 2, [-1.0], method=method)
    assert result.status is karush.Status.NONFINITE_START


@METHODS
def test_a_domain_is_respected_without_warnings(method):
    result = karush.minimize(lambda x: x[0] - np.log(x[0]), [20.0], method=method)
    assert result.success
    assert result.x[0] == pytest.approx(1.0, abs=1e-6)


@METHODS
def test_inside_scipy(method):
    from scipy.optimize import OptimizeResult, minimize

    seen = []
    result = minimize(
        rosen,
        [-1.2, 1.0],
        jac=rosen_der,
        method=karush.scipy_method(method),
        bounds=[(-2, 0.5), (None, None)],
        constraints={"type": "ineq", "fun": lambda x: x[1]},
        callback=lambda intermediate_result: seen.append(intermediate_result.fun),
        tol=1e-7,
        options={"maxiter": 200},
    )
    assert isinstance(result, OptimizeResult)
    assert result.success
    assert result.certificate.tol == 1e-7
    assert len(seen) == result.nit
    np.testing.assert_allclose(result.x, [0.5, 0.25], atol=1e-6)


@METHODS
def test_inside_scipy_with_value_and_gradient_together_and_extra_arguments(method):
    from scipy.optimize import minimize

    def both(x, shift):
        return rosen(x - shift), rosen_der(x - shift)

    result = minimize(both, [0.0, 0.0], args=(1.0,), jac=True, method=karush.scipy_method(method))
    assert result.success
    np.testing.assert_allclose(result.x, [2.0, 2.0], atol=1e-5)


def test_scipy_method_names_the_nearest_one():
    with pytest.raises(ValueError, match="did you mean 'exact-al'"):
        karush.scipy_method("exact-la")


@METHODS
def test_a_slow_function_is_stopped_in_real_time(method):
    def slow(x):
        time.sleep(0.02)
        return plain_rosen(x)

    result = karush.minimize(slow, [-1.2, 1.0], method=method, options={"max_time": 0.2})
    assert result.status is karush.Status.TIME_LIMIT
