"""Plain callables as problems: derivatives, bounds, scipy's forms, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import (
    BFGS,
    Bounds,
    LinearConstraint,
    NonlinearConstraint,
    minimize,
    rosen,
    rosen_der,
    rosen_hess,
    rosen_hess_prod,
)
from scipy.sparse import csr_array, diags_array
from scipy.sparse.linalg import aslinearoperator

from karush.problems.callables import from_callables
from karush.problems.evaluator import EvaluationLimitReached, Evaluator

START = np.array([-1.2, 1.0, 0.5])


def circle(x):
    return np.array([x[0] ** 2 + x[1] ** 2, x[1] * x[2]])


def circle_jac(x):
    return np.array([[2 * x[0], 2 * x[1], 0.0], [0.0, x[2], x[1]]])


def circle_hess(x, v):
    return np.array([[2 * v[0], 0, 0], [0, 2 * v[0], v[1]], [0, v[1], 0.0]])


def rosen_pair(x):
    return rosen(x), rosen_der(x)


# options, where first and second derivatives come from, tolerances of gradient and Hessian (None: no Hessian)
WAYS = {
    "nothing": ({}, "complex-step", "finite-difference", 1e-14, 1e-6),
    "gradient": ({"jac": rosen_der}, "exact", "finite-difference", 1e-15, 1e-6),
    "forward": ({"jac": "2-point"}, "finite-difference", "none", 1e-6, None),
    "central": ({"jac": "3-point"}, "finite-difference", "none", 1e-9, None),
    "complex": ({"jac": "cs"}, "complex-step", "finite-difference", 1e-14, 1e-6),
    "update": ({"jac": rosen_der, "hess": BFGS()}, "exact", "none", 1e-15, None),
    "all": ({"jac": rosen_der, "hess": rosen_hess}, "exact", "exact", 1e-15, 1e-15),
    "product": ({"jac": rosen_der, "hessp": rosen_hess_prod}, "exact", "exact", 1e-15, 1e-15),
    "hess 3-point": ({"jac": rosen_der, "hess": "3-point"}, "exact", "finite-difference", 1e-15, 1e-9),
    "hess cs": ({"jac": rosen_der, "hess": "cs"}, "exact", "complex-step", 1e-15, 1e-14),
    "sparse": (
        {"jac": rosen_der, "hess": lambda x: csr_array(rosen_hess(x))},
        "exact",
        "exact",
        1e-15,
        1e-15,
    ),
    "operator": (
        {"jac": rosen_der, "hess": lambda x: aslinearoperator(rosen_hess(x))},
        "exact",
        "exact",
        1e-15,
        1e-15,
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_derivatives_of_the_objective(way):
    options, first, second, gradient_error, hessian_error = WAYS[way]
    problem = from_callables(rosen, START, **options)
    assert (problem.capabilities.first, problem.capabilities.second) == (first, second)
    x = np.array([0.3, -0.4, 1.7])
    assert problem.objective(x) == rosen(x)
    scale = np.abs(rosen_der(x)).max()
    np.testing.assert_allclose(problem.gradient(x), rosen_der(x), atol=gradient_error * scale)
    if hessian_error is None:
        with pytest.raises(NotImplementedError, match="no second derivatives"):
            problem.hessian_values(x)
        return
    H = rosen_hess(x)
    np.testing.assert_allclose(problem.hessian(x).toarray(), H, atol=hessian_error * np.abs(H).max())
    v = np.array([1.0, -2.0, 0.5])
    np.testing.assert_allclose(
        problem.hvp(x, v, sigma=3.0), 3 * H @ v, atol=10 * hessian_error * np.abs(H).max()
    )


def constraint_forms():
    linear = LinearConstraint(np.array([[1.0, 2.0, 0.0]]), -1.0, 4.0)
    return {
        "all given": [
            NonlinearConstraint(circle, [-np.inf, 0], [2, np.inf], jac=circle_jac, hess=circle_hess),
            linear,
        ],
        "jacobian": [NonlinearConstraint(circle, [-np.inf, 0], [2, np.inf], jac=circle_jac), linear],
        "nothing": [NonlinearConstraint(circle, [-np.inf, 0], [2, np.inf]), linear],
        "sparse": [
            NonlinearConstraint(
                circle,
                [-np.inf, 0],
                [2, np.inf],
                jac=lambda x: csr_array(circle_jac(x)),
                hess=lambda x, v: csr_array(circle_hess(x, v)),
            ),
            LinearConstraint(csr_array([[1.0, 2.0, 0.0]]), -1.0, 4.0),
        ],
        "sparsity": [
            NonlinearConstraint(
                circle, [-np.inf, 0], [2, np.inf], finite_diff_jac_sparsity=[[1, 1, 0], [0, 1, 1]]
            ),
            linear,
        ],
    }


@pytest.mark.parametrize("form", constraint_forms())
def test_derivatives_of_constraints(form):
    problem = from_callables(
        rosen, START, jac=rosen_der, hess=rosen_hess, constraints=constraint_forms()[form]
    )
    assert problem.m == 3
    np.testing.assert_array_equal(problem.cl, [-np.inf, 0, -1])
    np.testing.assert_array_equal(problem.cu, [2, np.inf, 4])
    x, y = np.array([0.3, -0.4, 1.7]), np.array([2.0, -1.0, 5.0])
    np.testing.assert_allclose(problem.constraints(x), [*circle(x), x[0] + 2 * x[1]], rtol=1e-15)
    J = np.vstack([circle_jac(x), [1.0, 2.0, 0.0]])
    np.testing.assert_allclose(problem.jacobian(x).toarray(), J, atol=1e-14)
    np.testing.assert_allclose(problem.jvp(x, y), J @ y, atol=1e-13)
    expected = 0.5 * rosen_hess(x) + circle_hess(x, y)
    np.testing.assert_allclose(problem.hessian(x, y, 0.5).toarray(), expected, atol=1e-5)
    out = np.empty(3)
    assert problem.constraints(x, out=out) is out


def test_dicts_and_objects_say_the_same():
    as_dicts = [
        {"type": "ineq", "fun": lambda x, r: r - x[0] ** 2 - x[1], "args": (2.0,)},
        {"type": "eq", "fun": circle, "jac": circle_jac},
    ]
    as_objects = [
        NonlinearConstraint(lambda x: 2.0 - x[0] ** 2 - x[1], 0, np.inf),
        NonlinearConstraint(circle, 0, 0, jac=circle_jac),
    ]
    one, other = (from_callables(rosen, START, constraints=c) for c in (as_dicts, as_objects))
    np.testing.assert_array_equal(one.cl, other.cl)
    np.testing.assert_array_equal(one.cu, [np.inf, 0, 0])
    x, y = np.array([0.3, -0.4, 1.7]), np.array([1.0, 2.0, 3.0])
    np.testing.assert_array_equal(one.constraints(x), other.constraints(x))
    np.testing.assert_array_equal(one.jacobian(x).toarray(), other.jacobian(x).toarray())
    np.testing.assert_array_equal(one.hessian(x, y).toarray(), other.hessian(x, y).toarray())


SIGNATURES = {
    "args": ((lambda x, a, b: a * x @ x + b, [1.0, 2.0]), {"args": (2.0, 1.0)}),
    "one argument": ((lambda x, a: a * x @ x, [1.0, 2.0]), {"args": 2.0}),
    "array of one": ((lambda x: np.array([x @ x]), [1.0, 2.0]), {}),
    "integers": ((lambda x: x @ x, [1, 2]), {}),
    "scalar start": ((lambda x: x[0] ** 2, 3), {}),
    "pair": ((rosen_pair, START), {"jac": True}),
    "jac False": ((rosen, START), {"jac": False}),
    "pairs of bounds": ((rosen, START), {"bounds": [(None, 2), (-1, None), (None, None)]}),
    "array of bounds": ((rosen, START), {"bounds": np.array([[-2, 2.0]] * 3)}),
    "one bound for all": ((rosen, START), {"bounds": Bounds(-2, [2, 3, 4])}),
    "one dict": ((rosen, START), {"constraints": {"type": "ineq", "fun": lambda x: x[0]}}),
    "one object": ((rosen, START), {"constraints": LinearConstraint(np.eye(3), -3, 3)}),
    "row vector": ((rosen, START), {"constraints": LinearConstraint([1, 1, 1], -3)}),
    "number": ((rosen, START), {"constraints": (NonlinearConstraint(lambda x: x @ x, -1, 9),)}),
}


@pytest.mark.parametrize("signature", SIGNATURES)
def test_what_scipy_accepts_is_accepted(signature):
    (fun, x0), options = SIGNATURES[signature]
    scipy_result = minimize(fun, x0, **{"method": "SLSQP", "options": {"maxiter": 1}, **options})
    problem = from_callables(fun, x0, **options)
    x = np.atleast_1d(scipy_result.x).astype(float)
    assert problem.objective(x) == pytest.approx(float(np.squeeze(scipy_result.fun)), rel=1e-14)
    assert problem.gradient(x).shape == (problem.n,)
    assert problem.jacobian(x).shape == (problem.m, problem.n)
    assert problem.x0.dtype == np.float64


class Recorder:
    """Remembers every point a function is called at."""

    def __init__(self, fun):
        self.fun = fun
        self.points = []

    def __call__(self, x, *args):
        self.points.append(np.real(x).copy())
        return self.fun(x, *args)


def broken(x):
    """Not analytic, so that everything is differenced."""
    return float(np.sum(np.abs(x) * x**2)) + x[0]


@settings(deadline=None, max_examples=60)
@given(
    st.lists(st.tuples(st.floats(-5, 5), st.sampled_from([0.0, 1e-10, 1e-4, 2.0])), min_size=2, max_size=4),
    st.lists(st.sampled_from([0.0, 1e-9, 0.5, 1.0]), min_size=4, max_size=4),
    st.sampled_from([None, "2-point", "3-point", "cs"]),
)
def test_nothing_is_evaluated_outside_the_bounds(intervals, positions, jac):
    lb = np.array([low for low, _ in intervals])
    ub = lb + np.array([width for _, width in intervals])
    x = np.clip(lb + np.array(positions[: lb.size]) * (ub - lb), lb, ub)
    fun = Recorder(broken if jac != "cs" else lambda x: np.sum(x**3))
    row = Recorder(lambda x: np.array([np.abs(x[0]) + x[1], x[1]]))
    given_jac = Recorder(lambda x: np.array([[1.0, 1.0] + [0.0] * (x.size - 2)]))
    problem = from_callables(
        fun,
        x,
        jac=jac,
        bounds=Bounds(lb, ub),
        constraints=[
            NonlinearConstraint(row, -1, 1),
            NonlinearConstraint(lambda x: x[0] + x[1], 0, 1, jac=given_jac),
        ],
    )
    problem.gradient(x)
    problem.jacobian(x)
    # the Hessian of the second constraint differences its Jacobian
    problem._blocks[1].curvature.values(x, np.ones(1))
    assert len(fun.points) > (0 if (lb == ub).all() else 1)
    for point in [*fun.points, *row.points, *given_jac.points]:
        assert (point >= lb).all()
        assert (point <= ub).all()


def test_hessian_row_of_a_fixed_variable_comes_from_its_column():
    problem = from_callables(
        rosen, [1.5, 2.0, 0.5], jac=rosen_der, bounds=[(None, None), (2.0, 2.0), (None, None)]
    )
    H, expected = problem.hessian(problem.x0).toarray(), rosen_hess(problem.x0)
    np.testing.assert_allclose(H[0], expected[0], atol=1e-4)
    np.testing.assert_allclose(H[2], expected[2], atol=1e-4)


def test_value_and_gradient_in_one_call():
    fun = Recorder(rosen_pair)
    problem = from_callables(fun, START, jac=True)
    x = START + 0.1
    problem.objective(x)
    problem.gradient(x)
    problem.objective_and_gradient(x)
    assert len(fun.points) == 1


def test_arrays_of_the_caller_stay_as_they_are():
    def vandal(x, a):
        value = float(a @ x)
        x[:] = np.nan
        return value

    a, x0 = np.array([1.0, 2.0]), np.array([3.0, 4.0])
    problem = from_callables(vandal, x0, args=(a,), jac="2-point")
    x = np.array([5.0, 6.0])
    assert problem.objective(x) == 17.0
    np.testing.assert_allclose(problem.gradient(x), a, rtol=1e-6)
    np.testing.assert_array_equal(x, [5.0, 6.0])
    problem.x0[0] = 99.0
    np.testing.assert_array_equal(x0, [3.0, 4.0])
    g = problem.gradient(x)
    g[:] = 0.0
    assert problem.gradient(x)[0] == pytest.approx(1.0)


def test_branch_that_loses_imaginary_parts_is_found_later():
    def fun(x):
        return np.sum(np.abs(x) ** 2) if np.real(x[0]) > 2 else np.sum(x**2)

    problem = from_callables(fun, [1.0, 1.0])
    assert problem.capabilities.first == "complex-step"
    for k in range(8):
        gradient = problem.gradient(np.array([3.0 + k, 1.0]))
    np.testing.assert_allclose(gradient, [20.0, 2.0], rtol=1e-8)
    assert problem.capabilities.first == "finite-difference"
    assert problem.metadata.capabilities.second == "none"


def test_functions_that_refuse_complex_numbers_are_differenced():
    import math

    problem = from_callables(lambda x: math.exp(x[0]) + x[1] ** 2, [0.5, 1.0])
    np.testing.assert_allclose(problem.gradient(problem.x0), [math.exp(0.5), 2.0], rtol=1e-9)
    assert problem.capabilities.first == "finite-difference"

    def casting(x):
        values = np.zeros(2)
        values[:] = x**2
        return values.sum()

    np.testing.assert_allclose(
        from_callables(casting, [0.5, 1.0]).gradient(problem.x0), [1.0, 2.0], rtol=1e-9
    )


def test_exceptions_pass_unchanged():
    def fails(x):
        raise ZeroDivisionError("mine")

    problem = from_callables(fails, [1.0])
    for oracle in (problem.objective, problem.gradient):
        with pytest.raises(ZeroDivisionError, match="mine"):
            oracle(np.array([1.0]))


def test_differences_count_as_evaluations():
    problem = from_callables(broken, START, jac="3-point")
    evaluator = Evaluator(problem, max_evaluations=4)
    with evaluator.active(), pytest.raises(EvaluationLimitReached):
        evaluator.gradient(START)


def test_sparse_jacobian_of_many_rows_keeps_its_pattern():
    n = 600
    pattern = diags_array([np.ones(n), np.ones(n - 1)], offsets=[0, 1])

    def jac(x):
        return diags_array([2 * x, np.ones(n - 1)], offsets=[0, 1])

    def fun(x):
        return x**2 + np.append(x[1:], 0.0)

    given_jac = NonlinearConstraint(fun, 0, 1, jac=jac)
    differenced = NonlinearConstraint(fun, 0, 1, finite_diff_jac_sparsity=pattern)
    x0 = np.linspace(0.0, 1.0, n)  # the first derivative vanishes at the start
    for constraint in (given_jac, differenced):
        problem = from_callables(lambda x: x @ x, x0, constraints=constraint)
        J = problem.jacobian(x0 + 0.5)
        assert J.nnz == 2 * n - 1
        np.testing.assert_allclose(J.toarray(), jac(x0 + 0.5).toarray(), rtol=1e-14)


def test_entry_outside_the_pattern_is_an_error():
    n = 600

    def jac(x):
        J = diags_array(x).tolil()
        if x[0] > 10:
            J[0, n - 1] = 1.0
        return J.tocsr()

    constraint = NonlinearConstraint(lambda x: x**2, 0, 1, jac=jac)
    problem = from_callables(lambda x: x @ x, np.ones(n), constraints=[constraint])
    problem.jacobian(np.ones(n))
    with pytest.raises(ValueError, match=r"constraints\[0\]\.jac returned a nonzero at \(0, 599\)"):
        problem.jacobian(np.full(n, 11.0))


def test_hessian_sparsity_saves_gradients():
    n = 100
    jac = Recorder(rosen_der)
    pattern = diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1])
    problem = from_callables(rosen, np.full(n, 0.5), jac=jac, hess_sparsity=pattern)
    H = problem.hessian(problem.x0)
    assert len(jac.points) <= 4
    np.testing.assert_allclose(H.toarray(), rosen_hess(problem.x0), atol=1e-4)


BAD = {
    "fun": ((3, START), {}, TypeError, "fun must be callable"),
    "x0 matrix": ((rosen, np.eye(2)), {}, ValueError, "x0 must be one-dimensional"),
    "x0 complex": ((rosen, [1j]), {}, TypeError, "x0 must hold real numbers"),
    "x0 empty": ((rosen, []), {}, ValueError, "at least one variable"),
    "jac": ((rosen, START), {"jac": "4-point"}, ValueError, "jac must be"),
    "hess": ((rosen, START), {"hess": "exact"}, ValueError, "hess must be"),
    "difference of differences": (
        (rosen, START),
        {"jac": "2-point", "hess": "2-point"},
        ValueError,
        "itself a",
    ),
    "hessp": ((rosen, START), {"hessp": 1}, TypeError, "hessp must be callable"),
    "few bounds": ((rosen, START), {"bounds": [(0, 1)]}, ValueError, "bounds must be"),
    "crossed": ((rosen, START), {"bounds": [(1, 0)] * 3}, ValueError, "above bounds.ub"),
    "nan bound": ((rosen, START), {"bounds": Bounds([np.nan] * 3, 1)}, ValueError, "bounds.lb.*NaN"),
    "constraint type": ((rosen, START), {"constraints": [3]}, TypeError, r"constraints\[0\] must be"),
    "constraints": ((rosen, START), {"constraints": 3}, TypeError, "constraints must be"),
    "dict type": (
        (rosen, START),
        {"constraints": {"type": "le", "fun": circle}},
        ValueError,
        "'eq' or 'ineq'",
    ),
    "dict key": ((rosen, START), {"constraints": {"type": "eq"}}, ValueError, "must have the key 'fun'"),
    "columns": ((rosen, START), {"constraints": LinearConstraint([[1, 2]], 0, 1)}, ValueError, "3 columns"),
    "rows": (
        (rosen, START),
        {"constraints": NonlinearConstraint(circle, [0, 0, 0], 1)},
        ValueError,
        r"constraints\.lb must have shape \(2,\)",
    ),
    "sparsity": (
        (rosen, START),
        {"constraints": NonlinearConstraint(circle, 0, 1, finite_diff_jac_sparsity=np.eye(2))},
        ValueError,
        "sparsity of constraints.fun",
    ),
    "hess sparsity": (
        (rosen, START),
        {"jac": rosen_der, "hess_sparsity": np.eye(2)},
        ValueError,
        "hess_sparsity",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_input_is_named(case):
    arguments, options, error, message = BAD[case]
    with pytest.raises(error, match=message):
        from_callables(*arguments, **options)


RETURNS = {
    "vector": (lambda x: x, {}, "objective", "fun must return a single number"),
    "none": (lambda x: None, {}, "objective", "fun must return a real number, got NoneType"),
    "complex": (lambda x: 1j, {}, "objective", "fun must return a real number, got complex"),
    "text": (lambda x: "1", {}, "objective", "fun must return a real number"),
    "no pair": (rosen, {"jac": True}, "objective", "pair"),
    "jac shape": (rosen, {"jac": lambda x: x[:2]}, "gradient", "jac must return shape"),
    "jac complex": (rosen, {"jac": lambda x: x * 1j}, "gradient", "jac"),
    "hess shape": (
        rosen,
        {"jac": rosen_der, "hess": lambda x: np.eye(2)},
        "hessian",
        "hess must return shape",
    ),
    "hessp": (rosen, {"jac": rosen_der, "hessp": lambda x, p: p[:2]}, "hessian", "hessp must return shape"),
    "changing rows": (
        rosen,
        {"constraints": {"type": "eq", "fun": lambda x: x[: 2 + (x[0] > 0)]}},
        "constraints",
        r"constraints\['fun'\] must return shape \(2,\)",
    ),
}


@pytest.mark.parametrize("case", RETURNS)
def test_bad_return_values_name_the_callable(case):
    fun, options, oracle, message = RETURNS[case]
    problem = from_callables(fun, START, **options)
    with pytest.raises((TypeError, ValueError), match=message):
        getattr(problem, oracle)(np.array([0.3, -0.4, 1.7]))


def test_names_and_flags():
    problem = from_callables(rosen, START, constraints=NonlinearConstraint(circle, 0, 1, keep_feasible=True))
    assert problem.name == "rosen"
    np.testing.assert_array_equal(problem.keep_feasible, [True, True])
    assert from_callables(lambda x: x @ x, [1.0], name="square").name == "square"
