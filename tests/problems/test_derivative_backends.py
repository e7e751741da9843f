"""Derivatives by automatic differentiation, complex steps by name, and what is said where they are wrong."""

import sys

import numpy as np
import pytest
from scipy.optimize import BFGS, NonlinearConstraint, rosen, rosen_der, rosen_hess

import karush
from karush.problems.callables import from_callables
from karush.problems.derivative_backends import BACKENDS

X = np.array([-0.7, 1.2, 0.4, 1.5])
Y = np.array([0.3, -2.0])


def library(tool):
    """The numpy that functions must use, or a skip."""
    if tool == "casadi":
        pytest.importorskip("casadi", reason="needs karush[casadi]")
        return np
    return pytest.importorskip(f"{tool}.numpy", reason=f"needs karush[{tool}]")


@pytest.fixture(params=BACKENDS)
def tool(request):
    library(request.param)
    return request.param


def rosenbrock(xp):
    return lambda x: xp.sum(100.0 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2)


def rows(xp):
    return lambda x: xp.array([x[0] ** 2 * x[3], xp.exp(x[1]) + xp.sin(x[2])])


ROWS_JACOBIAN = np.array(
    [[2 * X[0] * X[3], 0.0, 0.0, X[0] ** 2], [0.0, np.exp(X[1]), np.cos(X[2]), 0.0]],
)
ROWS_HESSIAN = np.diag([Y[0] * 2 * X[3], Y[1] * np.exp(X[1]), -Y[1] * np.sin(X[2]), 0.0])
ROWS_HESSIAN[0, 3] = ROWS_HESSIAN[3, 0] = Y[0] * 2 * X[0]


def test_objective(tool):
    problem = from_callables(rosenbrock(library(tool)), X, jac=tool)
    assert problem.objective(X) == pytest.approx(rosen(X), rel=1e-15)
    np.testing.assert_allclose(problem.gradient(X), rosen_der(X), rtol=1e-13)
    np.testing.assert_allclose(problem.hessian(X).toarray(), rosen_hess(X), rtol=1e-13)
    assert (problem.capabilities.first, problem.capabilities.second) == ("exact", "exact")


def test_constraints(tool):
    xp = library(tool)
    block = NonlinearConstraint(rows(xp), -1, 1, jac=tool)
    problem = from_callables(rosenbrock(xp), X, jac=tool, constraints=block)
    np.testing.assert_allclose(problem.jacobian(X).toarray(), ROWS_JACOBIAN, rtol=1e-13)
    np.testing.assert_allclose(problem.hessian(X, Y, 0.0).toarray(), ROWS_HESSIAN, rtol=1e-13)
    product = problem.hvp(X, np.ones(4), Y, 2.0)
    np.testing.assert_allclose(product, (2 * rosen_hess(X) + ROWS_HESSIAN).sum(axis=1), rtol=1e-12)


def test_dict_constraints_lists_and_arguments(tool):
    xp = library(tool)
    constraint = {"type": "ineq", "fun": lambda x, a: [a * x[0] * x[1], x[2]], "jac": tool, "args": (3.0,)}
    problem = from_callables(
        lambda x, a: a * rosenbrock(xp)(x), X, args=(2.0,), jac=tool, constraints=constraint
    )
    np.testing.assert_allclose(problem.gradient(X), 2.0 * rosen_der(X), rtol=1e-13)
    expected = [[3.0 * X[1], 3.0 * X[0], 0.0, 0.0], [0.0, 0.0, 1.0, 0.0]]
    np.testing.assert_allclose(problem.jacobian(X).toarray(), expected, rtol=1e-15)


def test_linear_and_constant_functions(tool):
    xp = library(tool)
    constraint = NonlinearConstraint(lambda x: xp.array([3.0, 4.0]), -5, 5, jac=tool)
    problem = from_callables(lambda x: 2.0 * x[1], X, jac=tool, constraints=constraint)
    np.testing.assert_array_equal(problem.gradient(X), [0.0, 2.0, 0.0, 0.0])
    np.testing.assert_array_equal(problem.jacobian(X).toarray(), np.zeros((2, 4)))
    np.testing.assert_array_equal(problem.hessian(X, Y).toarray(), np.zeros((4, 4)))


def test_minimize(tool):
    xp = library(tool)
    result = karush.minimize(
        rosenbrock(xp),
        X,
        jac=tool,
        bounds=[(-2, 2)] * 4,
        constraints=NonlinearConstraint(rows(xp), -1, 1, jac=tool),
    )
    assert result.success
    with_differences = karush.minimize(
        rosen, X, jac=rosen_der, bounds=[(-2, 2)] * 4, constraints=NonlinearConstraint(rows(np), -1, 1)
    )
    assert result.fun == pytest.approx(with_differences.fun, rel=1e-7)


def test_a_tool_for_second_derivatives_alone_and_other_second_derivatives(tool):
    xp = library(tool)
    fun = rosenbrock(xp)
    second = from_callables(fun, X, hess=tool)
    np.testing.assert_allclose(second.gradient(X), rosen_der(X), rtol=1e-13)
    np.testing.assert_allclose(second.hessian(X).toarray(), rosen_hess(X), rtol=1e-13)
    given = from_callables(fun, X, jac=lambda x: rosen_der(x), hess=tool)
    np.testing.assert_allclose(given.hessian(X).toarray(), rosen_hess(X), rtol=1e-13)
    differenced = from_callables(fun, X, jac=tool, hess="2-point")
    assert differenced.capabilities.second == "finite-difference"
    np.testing.assert_allclose(differenced.hessian(X).toarray(), rosen_hess(X), rtol=1e-4)
    assert from_callables(fun, X, jac=tool, hess=BFGS()).capabilities.second == "none"


def test_casadi_finds_sparse_patterns():
    library("casadi")
    n = 400
    constraint = NonlinearConstraint(lambda x: x[:-1] * x[1:], -1, 1, jac="casadi")
    problem = from_callables(rosen, np.ones(n), jac="casadi", constraints=constraint)
    assert problem.jacobian(np.ones(n)).nnz == 2 * (n - 1)
    assert problem.hessian(np.ones(n)).nnz == 3 * n - 2


def test_jax_computes_in_double_precision_and_leaves_the_setting_alone():
    numpy = library("jax")
    problem = from_callables(lambda x: numpy.sum(x) / 3.0, X, jac="jax")
    assert problem.objective(X) == pytest.approx(X.sum() / 3.0, rel=1e-15)
    assert numpy.asarray(1.0).dtype == np.float32


def test_jax_runs_uncompiled_where_branches_depend_on_values():
    numpy = library("jax")
    problem = from_callables(
        lambda x: numpy.sum(x**3) if x[0] < 0 else numpy.sum(x**2), X, jac="jax", hess="jax"
    )
    np.testing.assert_allclose(problem.gradient(X), 3 * X**2, rtol=1e-14)
    np.testing.assert_allclose(problem.gradient(-X), -2 * X, rtol=1e-14)
    np.testing.assert_allclose(problem.hessian(X).toarray(), np.diag(6 * X), rtol=1e-14)


@pytest.mark.parametrize("name", ["cs", "complex-step"])
def test_complex_step_by_name(name):
    problem = from_callables(rosen, X, jac=name)
    np.testing.assert_allclose(problem.gradient(X), rosen_der(X), rtol=1e-14)
    assert problem.capabilities.first == "complex-step"


@pytest.mark.parametrize(
    "fun", [lambda x: np.sum(np.abs(x) ** 2) + 0j, lambda x: np.vdot(x, x)], ids=["abs", "vdot"]
)
def test_complex_step_of_what_is_not_analytic_is_an_error(fun):
    with pytest.raises(ValueError, match="jac: the complex step of fun disagrees with differences"):
        from_callables(
            lambda x: fun(x) if np.iscomplexobj(x) else fun(x).real, X, jac="complex-step"
        ).gradient(X)


def test_a_tool_that_is_deceived_is_found_out():
    numpy = library("autograd")
    from autograd.extend import defvjp, primitive

    broken = primitive(lambda x: x**2)
    defvjp(broken, lambda answer, x: lambda g: g * x)  # the factor 2 is missing
    problem = from_callables(lambda x: numpy.sum(broken(x)), X, jac="autograd")
    with pytest.warns(RuntimeWarning, match="jac='autograd' disagrees with differences of fun"):
        problem.gradient(X)


def test_exceptions_keep_their_type_and_say_what_the_tool_wants(tool):
    class OwnError(Exception):
        pass

    def fun(x):
        if isinstance(x, np.ndarray) and x.dtype == np.float64:
            return 0.0
        raise OwnError

    with pytest.raises(OwnError) as caught:
        from_callables(fun, X, jac=tool).gradient(X)
    assert any(tool in note for note in caught.value.__notes__)


def test_casadi_cannot_decide_by_value():
    library("casadi")
    with pytest.raises(RuntimeError) as caught:
        from_callables(lambda x: np.sum(np.maximum(x, 0.0)), X, jac="casadi")
    assert "decisions by value" in caught.value.__notes__[0]


@pytest.mark.parametrize("name", BACKENDS)
def test_a_missing_tool_is_named_with_its_extra(monkeypatch, name):
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=rf"pip install 'karush\[{name}\]'"):
        karush.minimize(rosen, X, jac=name)


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        ({"jac": "jacks"}, "jac must be .*'autograd', 'jax', 'casadi'.* got 'jacks'"),
        ({"hess": "jacks"}, "hess must be .*'autograd', 'jax', 'casadi'.* got 'jacks'"),
        ({"jac": "casadi", "hess": "cs"}, "hess='cs' needs a gradient that takes complex arguments"),
    ],
)
def test_bad_names(arguments, text):
    with pytest.raises(ValueError, match=text):
        karush.minimize(rosen, X, **arguments)
