"""The method on problems with known answers, and the properties that it must have."""

import dataclasses

import numpy as np
import pytest

from karush.problems.evaluator import Evaluator
from karush.problems.nlp import Capabilities
from karush.solvers.driver import run
from karush.solvers.nonlinear.exact_lagrangian import ExactLagrangian
from karush.solvers.status import Status

from ..small_problems import Dense, quadratic, rosenbrock


def solve(problem, **options):
    evaluator = Evaluator(problem, max_time=60.0)
    result = run(ExactLagrangian(**options), evaluator)
    assert evaluator.outside == 0
    return result


def hs71(permutation=(0, 1, 2, 3), factor=1.0):
    """Hock & Schittkowski 71 with permuted variables and a scaled objective."""
    P = np.eye(4)[list(permutation)]  # x = P v

    def f_hessian(x):
        a = 2 * x[0] + x[1] + x[2]
        H = np.zeros((4, 4))
        H[0] = [2 * x[3], x[3], x[3], a]
        H[1, 3] = H[2, 3] = x[0]
        return np.tril(H + H.T - np.diag(np.diag(H)), 0) + np.tril(H + H.T - np.diag(np.diag(H)), -1).T

    def product_hessian(x):
        return np.array(
            [[0 if i == j else np.prod(np.delete(x, [i, j])) for j in range(4)] for i in range(4)]
        )

    def gradient(x):
        return np.array(
            [x[3] * (2 * x[0] + x[1] + x[2]), x[0] * x[3], x[0] * x[3] + 1, x[0] * (x[0] + x[1] + x[2])]
        )

    def jacobian(x):
        return np.array([[np.prod(np.delete(x, i)) for i in range(4)], 2 * x])

    def inner(function, left, right):
        return lambda v: left @ np.asarray(function(P @ v)) @ right

    return Dense(
        P.T @ [1.0, 5.0, 5.0, 1.0],
        lambda v: factor * ((P @ v)[0] * (P @ v)[3] * (P @ v)[:3].sum() + (P @ v)[2]),
        lambda v: factor * (P.T @ gradient(P @ v)),
        lambda v: factor * (P.T @ f_hessian(P @ v) @ P),
        c=lambda v: np.array([np.prod(v), v @ v]),
        jac=lambda v: jacobian(P @ v) @ P,
        hc=lambda v: [P.T @ product_hessian(P @ v) @ P, 2 * np.eye(4)],
        lb=1.0,
        ub=5.0,
        cl=[25.0, 40.0],
        cu=[np.inf, 40.0],
    )


HS71_SOLUTION = np.array([1.0, 4.742999642, 3.821149984, 1.379408294])


@pytest.mark.parametrize("globalisation", ["auto", "exact-merit", "filter"])
@pytest.mark.parametrize("linear_solver", ["dense", "sparse"])
def test_hs71(globalisation, linear_solver):
    result = solve(hs71(), globalisation=globalisation, linear_solver=linear_solver)
    assert result.success
    assert result.x == pytest.approx(HS71_SOLUTION, abs=1e-6)
    assert result.fun == pytest.approx(17.0140173, abs=1e-6)
    assert result.y[0] < -0.5  # at its lower bound
    assert result.z[0] < -1.0


def test_permuted_variables_give_the_permuted_answer():
    plain = solve(hs71())
    permutation = [2, 0, 3, 1]
    permuted = solve(hs71(permutation))
    assert np.eye(4)[permutation] @ permuted.x == pytest.approx(plain.x, abs=1e-7)
    assert permuted.y == pytest.approx(plain.y, abs=1e-6)


@pytest.mark.parametrize("factor", [1e-3, 1e3])
def test_scaled_objective_gives_scaled_multipliers(factor):
    plain, scaled = solve(hs71()), solve(hs71(factor=factor))
    assert scaled.success
    assert scaled.x == pytest.approx(plain.x, abs=1e-5)
    assert scaled.y == pytest.approx(factor * plain.y, rel=1e-4, abs=1e-6)


def test_rosenbrock():
    result = solve(rosenbrock())
    assert result.success
    assert result.x == pytest.approx([1, 1], abs=1e-7)


def test_equality_problem_converges_superlinearly():
    # min x + y on the circle of radius sqrt(2): the solution is (-1, -1), its multiplier 1/2.
    problem = Dense(
        [-1.5, -0.4],
        lambda x: x.sum(),
        lambda x: np.ones(2),
        lambda x: np.zeros((2, 2)),
        c=lambda x: np.array([x @ x]),
        jac=lambda x: 2 * x[None, :],
        hc=lambda x: [2 * np.eye(2)],
        cl=[2.0],
        cu=[2.0],
    )
    result = solve(problem, tol=1e-12, globalisation="exact-merit")
    assert result.success
    assert result.x == pytest.approx([-1, -1], abs=1e-10)
    assert result.y == pytest.approx([0.5], abs=1e-10)
    errors = [entry["optimality"] for entry in result.history]
    late = [e for e in errors if 1e-14 < e < 1e-1]
    assert len(late) >= 2
    assert late[-1] < 10.0 * late[-2] ** 1.5


def test_bounds_only_and_multiplier_signs():
    result = solve(quadratic(np.eye(3), [-2.0, 2.0, 0.5], [0.5] * 3, lb=0.0, ub=1.0))
    assert result.success
    assert result.x == pytest.approx([1, 0, 0], abs=1e-7)
    assert result.z == pytest.approx([1, -2, -0.5], abs=1e-6)


def test_fixed_variable_gets_its_multiplier_from_stationarity():
    result = solve(quadratic(np.eye(2), [1.0, 3.0], [0.0, 0.0], lb=[-10, 2], ub=[10, 2]))
    assert result.success
    assert result.x == pytest.approx([-1, 2], abs=1e-7)
    assert result.z[1] == pytest.approx(-5.0, abs=1e-6)


def test_all_variables_fixed():
    result = solve(quadratic(np.eye(2), [1.0, 1.0], [0.0, 0.0], lb=[1, 2], ub=[1, 2]))
    assert result.success
    assert result.x == pytest.approx([1, 2])


def test_range_free_row_and_inactive_row():
    A = [[1.0, 1.0], [1.0, -1.0], [0.0, 1.0]]
    problem = quadratic(np.eye(2), [-4.0, -3.0], [0, 0], A=A, cl=[1, -np.inf, -9], cu=[3, np.inf, 9])
    result = solve(problem)
    assert result.success
    assert result.x == pytest.approx([2, 1], abs=1e-7)
    assert result.y == pytest.approx([2, 0, 0], abs=1e-6)


def test_more_equations_than_variables_and_dependent_ones():
    A = np.array([[1.0, 2.0], [2.0, 4.0], [1.0, -1.0], [3.0, 3.0]])
    b = A @ [1.0, 2.0]
    result = solve(quadratic(np.eye(2), [0.0, 0.0], [5.0, 5.0], A=A, cl=b, cu=b))
    assert result.success
    assert result.x == pytest.approx([1, 2], abs=1e-7)


def test_duplicated_constraint_with_freedom_left():
    A = np.array([[1.0, 1.0, 1.0], [1.0, 1.0, 1.0]])
    result = solve(quadratic(np.eye(3), np.zeros(3), [1.0, 0.0, 3.0], A=A, cl=[3, 3], cu=[3, 3]))
    assert result.success
    assert result.x == pytest.approx([1, 1, 1], abs=1e-7)
    assert result.y.sum() == pytest.approx(-1.0, abs=1e-6)


@pytest.mark.parametrize("bounds", [(-np.inf, np.inf), (-5.0, 5.0)])
def test_inconsistent_equations_give_a_certificate_of_infeasibility(bounds):
    A = np.array([[1.0, 0.0], [1.0, 0.0], [0.0, 1.0]])
    b = [0.0, 2.0, 1.0]
    result = solve(quadratic(np.eye(2), [0, 0], [3, 3], A=A, cl=b, cu=b, lb=bounds[0], ub=bounds[1]))
    assert not result.success
    assert result.status is Status.INFEASIBLE
    assert result.infeasibility.holds
    assert result.x == pytest.approx([1, 1], abs=1e-5)


def test_infeasible_inequalities_against_a_bound():
    result = solve(quadratic([[1.0]], [0.0], [3.0], A=[[1.0]], cl=[-np.inf], cu=[-1.0], lb=0.0))
    assert not result.success
    assert result.status is Status.INFEASIBLE
    assert result.x == pytest.approx([0], abs=1e-6)


def test_negative_curvature_is_regularised_away():
    problem = Dense(
        [0.1, 1.0],
        lambda x: x[0] ** 4 / 4 - x[0] ** 2 / 2 + x[1] ** 2,
        lambda x: np.array([x[0] ** 3 - x[0], 2 * x[1]]),
        lambda x: np.diag([3 * x[0] ** 2 - 1, 2.0]),
    )
    result = solve(problem)
    assert result.success
    assert result.x == pytest.approx([1, 0], abs=1e-7)
    assert any(entry["delta_w"] > 0 for entry in result.history)


def test_unbounded_objective_is_reported():
    result = solve(quadratic(np.zeros((2, 2)), [-1.0, 0.0], [0.0, 0.0], A=[[0, 1.0]], cl=[1], cu=[1]))
    assert not result.success
    assert result.status is Status.UNBOUNDED


def test_undefined_trials_are_rejected():
    # log(x) is undefined where the full Newton step from x0 = 3 goes.
    problem = Dense(
        [3.0],
        lambda x: x[0] * np.log(x[0]) - x[0] if x[0] > 0 else np.nan,
        lambda x: np.array([np.log(x[0]) if x[0] > 0 else np.nan]),
        lambda x: np.array([[1.0 / x[0]]]),
    )
    result = solve(problem)
    assert result.success
    assert result.x == pytest.approx([1.0], abs=1e-7)


def test_without_second_derivatives_a_quasi_newton_matrix_is_used():
    problem = hs71()
    problem.capabilities = Capabilities(second="none")
    result = solve(problem, tol=1e-7)
    assert result.counts["hessian"] == 0
    assert result.success
    assert result.x == pytest.approx(HS71_SOLUTION, abs=1e-4)


def test_same_run_twice_is_identical():
    first, second = solve(hs71()), solve(hs71())
    assert np.array_equal(first.x, second.x)
    assert first.nit == second.nit


@pytest.mark.parametrize(
    ("option", "value"),
    [("tol", 0.0), ("tol", 2.0), ("globalisation", "trust"), ("linear_solver", "ma57"), ("mu", -1.0)],
)
def test_bad_options_are_named(option, value):
    with pytest.raises(ValueError, match=option):
        ExactLagrangian(**{option: value})


def test_options_are_frozen():
    with pytest.raises(dataclasses.FrozenInstanceError):
        ExactLagrangian().tol = 1.0
