"""`solve_cvxpy` beside cvxpy's own solvers: values, dual values with their signs, statuses."""

import numpy as np
import pytest
from scipy.sparse import issparse

import karush

cp = pytest.importorskip("cvxpy", reason="needs karush[cvxpy]")


def dense(value):
    return value.toarray() if issparse(value) else np.asarray(value)


def quadratic_program(seed, maximise):
    """A strictly convex one with every kind of row and unique multipliers."""
    rng = np.random.default_rng(seed)
    n = 6
    x, y = cp.Variable(n), cp.Variable(2, nonneg=True)
    matrix, root = rng.standard_normal((2, n)), rng.standard_normal((n, n))
    f = cp.quad_form(x, root @ root.T + np.eye(n)) + 5 * rng.standard_normal(n) @ x
    f += cp.sum_squares(y + np.array([1.0, -1.0]))
    constraints = [
        matrix @ x == matrix @ (0.3 * rng.random(n)),
        x <= 0.4,
        cp.reshape(x[:4], (2, 2), order="F") >= -0.3,
        cp.sum(x) >= 0.2,
        cp.NonNeg(0.5 - x[4] - y[0]),
        cp.Zero(y[1] - 0.5),
    ]
    return cp.Problem(cp.Maximize(-f) if maximise else cp.Minimize(f), constraints)


@pytest.mark.parametrize("maximise", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_quadratic_programs_as_clarabel(seed, maximise):
    problem = quadratic_program(seed, maximise)
    result = karush.solve_cvxpy(problem)
    assert result.success
    assert problem.status == "optimal"
    assert problem.solver_stats.solver_name == "karush"
    assert problem.solver_stats.num_iters == result.nit
    mine = problem.value, [v.value for v in problem.variables()], [c.dual_value for c in problem.constraints]
    problem.solve(solver=cp.CLARABEL, tol_gap_abs=1e-11, tol_gap_rel=1e-11, tol_feas=1e-11)
    assert mine[0] == pytest.approx(problem.value, rel=1e-7)
    assert result.fun == pytest.approx(-problem.value if maximise else problem.value, rel=1e-7)
    for value, variable in zip(mine[1], problem.variables(), strict=True):
        np.testing.assert_allclose(value, variable.value, atol=1e-6)
    for value, constraint in zip(mine[2], problem.constraints, strict=True):
        assert np.shape(value) == np.shape(constraint.dual_value)
        np.testing.assert_allclose(value, constraint.dual_value, atol=2e-6)
    # The comparison of signs says something.
    assert max(np.max(problem.constraints[k].dual_value) for k in (1, 2, 3, 4)) > 1e-3
    assert max(np.max(np.abs(problem.constraints[k].dual_value)) for k in (0, 5)) > 1e-3


def test_kinks_and_attributes_as_clarabel():
    X, d = cp.Variable((2, 2), symmetric=True), cp.Variable((3, 3), diag=True)
    z = cp.Variable()
    objective = cp.sum_squares(X - np.array([[1.0, 2.0], [2.0, 5.0]])) + cp.sum_squares(d - 2 * np.eye(3))
    objective += cp.norm1(X[0] - 0.5) + cp.exp(z) + cp.abs(z) - cp.log(z + 2) + cp.norm(cp.hstack([z - 1, 2]))
    constraints = [X[0, 1] >= 2.5, X <= 4, cp.trace(d) <= 3, cp.max(X) <= 3.5]
    problem = cp.Problem(cp.Minimize(objective), constraints)
    assert karush.solve_cvxpy(problem).success
    mine = problem.value, [dense(v.value) for v in problem.variables()]
    duals = [np.array(c.dual_value) for c in constraints]
    problem.solve(solver=cp.CLARABEL)
    assert mine[0] == pytest.approx(problem.value, rel=1e-6)
    for value, variable in zip(mine[1], problem.variables(), strict=True):
        np.testing.assert_allclose(value, dense(variable.value), atol=1e-4)
    for value, constraint in zip(duals, constraints, strict=True):
        np.testing.assert_allclose(value, constraint.dual_value, atol=1e-4)


def test_a_nonconvex_program():
    # HS71
    x = cp.Variable(4, bounds=[1, 5], value=[1.0, 5.0, 5.0, 1.0])
    problem = cp.Problem(
        cp.Minimize(x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]), [cp.prod(x) >= 25, cp.sum_squares(x) == 40]
    )
    result = karush.solve_cvxpy(problem)
    assert result.success
    assert problem.value == pytest.approx(17.0140173, abs=1e-6)
    np.testing.assert_allclose(x.value, [1.0, 4.7429994, 3.8211503, 1.3794082], atol=1e-6)
    assert problem.constraints[0].dual_value == pytest.approx(0.5522937, abs=1e-6)
    assert problem.constraints[1].dual_value == pytest.approx(0.1614686, abs=1e-6)


def test_parameters_change_and_the_start_is_the_last_answer():
    a = cp.Parameter(value=1.0)
    x = cp.Variable(2)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x - a) + cp.exp(x[0])), [cp.sum(x) <= 1])
    first = karush.solve_cvxpy(problem)
    assert karush.solve_cvxpy(problem).nit < first.nit
    a.value = -3.0
    assert karush.solve_cvxpy(problem).success
    np.testing.assert_allclose(x.value[1], -3.0, atol=1e-6)
    assert problem.constraints[0].dual_value == pytest.approx(0.0, abs=1e-6)


def test_infeasible_and_limit():
    x = cp.Variable(2, value=[3.0, 1.0])
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x)), [cp.sum(x) >= 3, x <= 1])
    result = karush.solve_cvxpy(problem)
    assert result.status is karush.Status.INFEASIBLE
    assert (problem.status, problem.value) == ("infeasible", np.inf)
    assert x.value is None
    maximum = cp.Problem(cp.Maximize(-cp.sum_squares(x)), problem.constraints)
    karush.solve_cvxpy(maximum)
    assert (maximum.status, maximum.value) == ("infeasible", -np.inf)

    y = cp.Variable(2, value=[-1.2, 1.0])
    rosenbrock = cp.Problem(cp.Minimize(100 * cp.square(y[1] - cp.square(y[0])) + cp.square(1 - y[0])))
    result = karush.solve_cvxpy(rosenbrock, options={"max_iterations": 3})
    assert not result.success
    assert rosenbrock.status == "user_limit"
    assert rosenbrock.value == pytest.approx(result.fun)
    assert karush.solve_cvxpy(rosenbrock, x0={y: [2.0, 2.0]}).success
    np.testing.assert_allclose(y.value, [1.0, 1.0], atol=1e-6)


def test_failures_leave_no_answer_behind():
    x = cp.Variable(value=1e6)
    problem = cp.Problem(cp.Minimize(cp.exp(x) + cp.exp(-x)))
    result = karush.solve_cvxpy(problem)
    assert result.status is karush.Status.NONFINITE_START
    assert (problem.status, problem.value, x.value) == ("solver_error", None, None)
    assert karush.solve_cvxpy(problem).success
    assert x.value == pytest.approx(0.0, abs=1e-6)


def test_a_variable_that_occurs_only_times_zero():
    x, y = cp.Variable(), cp.Variable()
    problem = cp.Problem(cp.Minimize(cp.square(x) + 0 * y), [x >= 1])
    assert karush.solve_cvxpy(problem).success
    assert x.value == pytest.approx(1.0)
    assert y.value == 0.0


def test_options_and_callback_pass_through():
    x = cp.Variable(3)
    problem = cp.Problem(cp.Minimize(cp.sum_squares(x - 1) + cp.sum(cp.exp(x))))
    seen = []
    result = karush.solve_cvxpy(problem, tol=1e-4, method="exact-al", callback=seen.append, rng=0)
    assert result.success
    assert len(seen) == result.nit
    with pytest.raises(ValueError, match="unknown option 'nonsense'"):
        karush.solve_cvxpy(problem, options={"nonsense": 1})
