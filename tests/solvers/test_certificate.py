"""The judge: what it accepts, what it refuses, and that multipliers are found when none are given."""

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from karush.solvers.certificate import certify, certify_infeasible
from karush.solvers.multipliers import estimate_multipliers

from .small_problems import Dense, circle, quadratic, rosenbrock

TOL = 1e-8


def test_a_minimiser_without_constraints_holds_and_its_neighbour_does_not():
    problem = rosenbrock()
    assert certify(problem, np.array([1.0, 1.0])).holds
    near = certify(problem, np.array([1.0 + 1e-6, 1.0]))
    assert not near.holds
    assert near.stationarity.absolute == pytest.approx(8e-4, rel=0.01)
    assert near.error == near.stationarity.scaled


def test_multipliers_given_and_estimated_agree():
    problem, x = circle(), np.array([-1.0, -1.0])
    given_ones = certify(problem, x, np.array([0.5]), np.zeros(2))
    estimated = certify(problem, x)
    assert given_ones.holds
    assert given_ones.multipliers == "given"
    assert estimated.holds
    assert estimated.multipliers == "estimated"
    np.testing.assert_allclose(estimated.y, [0.5])


def test_wrong_multipliers_are_replaced():
    certificate = certify(circle(), np.array([-1.0, -1.0]), np.array([7.0]), np.zeros(2))
    assert certificate.holds
    assert certificate.multipliers == "estimated"
    nan = certify(circle(), np.array([-1.0, -1.0]), np.array([np.nan]), np.zeros(2))
    assert nan.holds


def test_a_maximiser_on_an_inequality_is_refused_for_the_sign_of_its_multiplier():
    top = np.array([1.0, 1.0])
    assert certify(circle(), top).holds  # stationary on the equality, where either sign will do
    inside = circle(cl=(-np.inf,), cu=(2.0,))
    assert not certify(inside, top).holds
    forced = certify(inside, top, np.array([-0.5]), np.zeros(2))
    assert not forced.holds
    assert certify(inside, -top).holds


def test_a_multiplier_without_a_bound_is_a_dual_sign_error():
    problem = quadratic(np.eye(2), [-1.0, 0.0], [0.0, 0.0], lb=[0.0, 0.0])
    wrong = certify(problem, np.zeros(2), np.zeros(0), np.array([1.0, 0.0]))
    assert not wrong.holds
    assert certify(quadratic(np.eye(1), [1.0], [0.0], lb=0.0), np.zeros(1)).z == pytest.approx(-1.0)


def test_a_multiplier_off_its_bound_is_a_complementarity_error():
    problem = quadratic(np.eye(1), [-1.0], [0.0], ub=3.0)
    certificate = certify(problem, np.array([0.5]), np.zeros(0), np.array([0.5]))
    assert not certificate.holds
    assert certify(problem, np.array([1.0])).holds


@pytest.mark.parametrize("distance", [1e-3, 1e-5, 1e-7])
def test_stopping_short_of_an_active_bound_is_seen(distance):
    problem = quadratic(np.eye(1), [1.0], [1.0], lb=0.0)
    assert not certify(problem, np.array([distance])).holds
    assert certify(problem, np.array([1e-9])).holds


def test_infeasible_points_are_refused_however_stationary():
    certificate = certify(circle(), np.array([0.0, 0.0]), np.zeros(1), -np.ones(2))
    assert not certificate.holds
    assert certificate.feasibility.absolute == 2.0
    assert certificate.feasibility.scaled == 1.0


def test_violated_bounds_are_refused():
    problem = quadratic(np.eye(2), [0.0, 0.0], [1.0, 1.0], lb=1.0)
    assert not certify(problem, np.array([1.0, 1.0 - 1e-6])).holds


def test_huge_multipliers_do_not_pass_a_point_that_is_not_stationary():
    def cusp(x0):  # min -x0 subject to x1 - (1 - x0)^3 <= 0, x >= 0 (Kuhn & Tucker's example)
        return Dense(
            x0,
            lambda x: -x[0],
            lambda x: [-1.0, 0.0],
            lambda x: np.zeros((2, 2)),
            c=lambda x: [x[1] - (1 - x[0]) ** 3],
            jac=lambda x: [[3 * (1 - x[0]) ** 2, 1.0]],
            hc=lambda x: [[[-6 * (1 - x[0]), 0.0], [0.0, 0.0]]],
            lb=0.0,
            cl=(-np.inf,),
            cu=(0.0,),
        )

    x = np.array([0.9, 0.0])
    certificate = certify(cusp(x), x, np.array([1e12]), np.zeros(2))
    assert not certificate.holds
    assert not certify(cusp(x), x).holds


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_never_hold(bad):
    flat = Dense([0.0], lambda x: bad, lambda x: [0.0], lambda x: [[0.0]])
    assert not certify(flat, np.zeros(1)).holds
    steep = Dense([0.0], lambda x: 0.0, lambda x: [bad], lambda x: [[0.0]])
    assert not certify(steep, np.zeros(1)).holds
    assert certify(steep, np.zeros(1)).error == np.inf
    undefined = Dense(
        [0.0], lambda x: 0.0, lambda x: [0.0], lambda x: [[0.0]],
        c=lambda x: [bad], jac=lambda x: [[0.0]], hc=lambda x: [[[0.0]]], cl=(0.0,), cu=(1.0,),
    )  # fmt: skip
    assert not certify(undefined, np.zeros(1), np.zeros(1), np.zeros(1)).holds


def test_nan_in_the_point_never_holds():
    assert not certify(rosenbrock(), np.array([np.nan, 1.0])).holds


def test_bounds_of_1e20_are_absent():
    problem = quadratic(np.eye(1), [-1.0], [0.0], lb=-1e20, ub=1e20)
    assert certify(problem, np.ones(1), np.zeros(0), np.zeros(1)).holds
    assert not certify(problem, np.zeros(1), np.zeros(0), np.ones(1)).holds


def test_rounding_is_not_held_against_the_nearest_double():
    problem = quadratic([[1e12]], [-1e12 / 3], [0.0])
    x = np.array([1.0 / 3.0])
    assert certify(problem, x + 2e-16).holds
    assert not certify(problem, x + 1e-12).holds


def test_rounding_in_a_badly_scaled_row_is_not_held_against_it():
    problem = quadratic(np.zeros((2, 2)), [0.0, 0.0], [0.0, 0.0], A=[[1e10, -1e10]], cl=(0.0,), cu=(0.0,))
    assert certify(problem, np.array([0.1, 0.1 + 1e-16])).holds
    assert not certify(problem, np.array([0.1, 0.1 + 1e-13])).holds


def test_where_everything_is_rounding_nothing_is_confirmed():
    # The objective falls along (-1, -1) for ever; beyond 1e15 its gradient is lost in rounding.
    unbounded = quadratic([[4.0, -4.0], [-4.0, 4.0]], [1.0, 1.0], [0.0, 3.0])
    for far in (1e8, 1e13, 1e17, 1e27):
        assert not certify(unbounded, np.array([-far, -far * (1.0 + 1e-15)])).holds
    parallel = quadratic(np.zeros((2, 2)), [0.0, 0.0], [0.0, 0.0], A=[[1, -1], [1, -1]], cl=(0, 1), cu=(0, 1))
    assert not certify(parallel, np.array([1e16, 1e16])).holds


def power_at_a_bound(slope, lb=0.0):
    """An objective of x0 with the derivative `slope`, and x1^2; values play no part here."""
    return Dense(
        [1.0, 0.5],
        lambda x: x[1] ** 2,
        lambda x: [slope(x[0]), 2 * x[1]],
        lambda x: [[(slope(x[0] * (1 + 1e-6)) - slope(x[0])) / (1e-6 * x[0]), 0.0], [0.0, 2.0]],
        lb=[lb, -np.inf],
    )


@pytest.mark.parametrize("lb", [0.0, -np.inf])
@pytest.mark.parametrize("slope", [lambda u: 1 / u, lambda u: 1 / u**2])
def test_a_pole_is_no_minimum(slope, lb):
    for distance in (1e-8, 1e-12, 1e-16):
        assert not certify(power_at_a_bound(slope, lb), np.array([distance, 0.0])).holds


@pytest.mark.parametrize("slope", [lambda u: 1e8, lambda u: 1e4 / u**0.5, lambda u: 1e8 * (30 + np.log(u))])
def test_a_steep_boundary_is_no_pole(slope):
    assert certify(power_at_a_bound(slope), np.array([1e-9, 0.0]), tol=1e-8).holds


def test_fixed_variables_hold_any_gradient():
    problem = quadratic(np.eye(2), [5.0, -1.0], [2.0, 0.0], lb=[2.0, -np.inf], ub=[2.0, np.inf])
    certificate = certify(problem, np.array([2.0, 1.0]))
    assert certificate.holds
    np.testing.assert_allclose(certificate.z, [-7.0, 0.0], atol=1e-12)


def test_dependent_constraints_are_no_obstacle():
    A = [[1.0, 1.0], [2.0, 2.0], [1.0, 1.0]]
    problem = quadratic(np.eye(2), [0.0, 0.0], [0.0, 0.0], A=A, cl=(2.0, 4.0, 2.0), cu=(2.0, 4.0, 2.0))
    assert certify(problem, np.ones(2)).holds


def test_the_callers_arrays_and_the_problem_are_left_alone():
    problem, x, y, z = circle(), np.array([-1.0, -1.0]), np.array([0.4]), np.zeros(2)
    certify(problem, x, y, z)
    np.testing.assert_array_equal(x, [-1.0, -1.0])
    np.testing.assert_array_equal(y, [0.4])
    np.testing.assert_array_equal(z, [0.0, 0.0])


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 4))
def test_solutions_built_backwards_are_certified_and_moved_ones_are_not(key, n, m):
    """A strictly convex program built around a point and its multipliers, active and inactive rows mixed."""
    rng = np.random.default_rng(key)
    root = rng.normal(size=(n, n))
    H, A = root @ root.T + np.eye(n), rng.normal(size=(m, n))
    x = rng.normal(size=n)
    y = rng.choice([-1.0, 0.0, 1.0], m) * rng.uniform(0.5, 2.0, m)
    z = rng.choice([-1.0, 0.0, 1.0], n) * rng.uniform(0.5, 2.0, n)
    c = A @ x
    problem = quadratic(
        H, -(H @ x + A.T @ y + z), np.zeros(n), A=A,
        cl=np.where(y < 0, c, c - 1.0), cu=np.where(y > 0, c, c + 2.0),
        lb=np.where(z < 0, x, x - 1.5), ub=np.where(z > 0, x, x + 0.5),
    )  # fmt: skip
    assert certify(problem, x, y, z).holds
    assert certify(problem, x).error <= 1e-7
    inward = x - 1e-3 * np.where(z != 0, np.sign(z), 1.0)
    assert not certify(problem, inward).holds


def test_sparse_and_dense_estimates_agree(monkeypatch):
    rng = np.random.default_rng(3)
    jacobian = sp.csr_array(sp.random_array((40, 80), density=0.1, rng=rng))
    gradient = rng.normal(size=80)
    row_gaps = rng.choice([0.0, 0.5, np.inf], 40), rng.choice([0.0, 2.0], 40)
    bound_gaps = rng.choice([0.0, np.inf], 80), np.full(80, np.inf)
    dense = estimate_multipliers(gradient, jacobian, row_gaps, bound_gaps)
    monkeypatch.setattr("karush.solvers.multipliers.DENSE_LIMIT", 0)
    sparse = estimate_multipliers(gradient, jacobian, row_gaps, bound_gaps)
    np.testing.assert_allclose(sparse, dense, atol=1e-6)


def test_estimates_have_the_signs_of_the_bounds():
    rng = np.random.default_rng(5)
    jacobian = sp.csr_array(rng.normal(size=(30, 10)))
    lower = np.where(np.arange(30) % 2 == 0, 0.0, np.inf)
    upper = np.where(np.arange(30) % 2 == 0, np.inf, 0.0)
    absent = np.full(10, np.inf)
    y = estimate_multipliers(rng.normal(size=10), jacobian, (lower, upper), (absent, absent))
    assert (y[::2] <= 0.0).all()
    assert (y[1::2] >= 0.0).all()


def _two_circles(distance):
    """c = squared distances to (0, 0) and (distance, 0), both to be at most 1."""
    centre = np.array([distance, 0.0])
    return Dense(
        [0.3, 0.4],
        lambda x: 0.0,
        lambda x: [0.0, 0.0],
        lambda x: np.zeros((2, 2)),
        c=lambda x: [x @ x, (x - centre) @ (x - centre)],
        jac=lambda x: [2 * x, 2 * (x - centre)],
        hc=lambda x: [2 * np.eye(2), 2 * np.eye(2)],
        cl=(-np.inf, -np.inf),
        cu=(1.0, 1.0),
    )


def test_infeasibility_is_certified_where_the_violation_is_stationary_and_only_there():
    assert certify_infeasible(_two_circles(4.0), np.array([2.0, 0.0])).holds
    assert not certify_infeasible(_two_circles(4.0), np.array([2.0, 0.1])).holds
    assert not certify_infeasible(_two_circles(1.0), np.array([0.5, 0.0])).holds  # feasible
    assert not certify(_two_circles(4.0), np.array([2.0, 0.0])).holds


def test_infeasibility_against_a_bound():
    problem = quadratic(np.eye(1), [0.0], [0.0], A=[[1.0]], cl=(2.0,), cu=(3.0,), ub=1.0)
    assert certify_infeasible(problem, np.array([1.0])).holds
    assert not certify_infeasible(problem, np.array([0.5])).holds


def test_nearly_feasible_points_of_a_degenerate_row_are_not_called_infeasible():
    problem = Dense(
        [1.0], lambda x: 0.0, lambda x: [0.0], lambda x: [[0.0]],
        c=lambda x: [x[0] ** 2], jac=lambda x: [[2 * x[0]]], hc=lambda x: [[[2.0]]], cl=(0.0,), cu=(0.0,),
    )  # fmt: skip
    assert not certify_infeasible(problem, np.array([1e-3])).holds


def test_nan_in_the_jacobian_certifies_nothing():
    problem = Dense(
        [0.0], lambda x: 0.0, lambda x: [0.0], lambda x: [[0.0]],
        c=lambda x: [-1.0], jac=lambda x: [[np.nan]], hc=lambda x: [[[0.0]]], cl=(0.0,), cu=(0.0,),
    )  # fmt: skip
    assert not certify_infeasible(problem, np.zeros(1)).holds
