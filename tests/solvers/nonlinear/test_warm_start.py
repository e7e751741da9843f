"""Starts from the solution of a nearby problem."""

import numpy as np
import pytest

import karush
from karush.solvers.nonlinear.warm_start import moved_off

from ..small_problems import Dense


def shifted(t):
    """A strictly convex problem with active bounds and inequalities and an equation; t moves all of it."""
    rng = np.random.default_rng(5)
    n, m = 12, 5
    root, A = rng.standard_normal((n, n)), rng.standard_normal((m, n))
    Q = root @ root.T + np.eye(n)
    q = 5.0 * rng.standard_normal(n) + t * rng.standard_normal(n)
    b = A @ np.full(n, 0.5) + t * rng.standard_normal(m)
    lower = np.full(m, -np.inf)
    lower[0] = b[0]
    return Dense(
        np.zeros(n),
        lambda x: 0.5 * x @ Q @ x + q @ x + 0.1 * (x**4).sum(),
        lambda x: Q @ x + q + 0.4 * x**3,
        lambda x: Q + np.diag(1.2 * x**2),
        c=lambda x: A @ x + 0.1 * x[0] ** 2,
        jac=lambda x: A + np.outer(np.ones(m), 0.2 * x[0] * np.eye(n)[0]),
        hc=lambda x: [0.2 * np.outer(np.eye(n)[0], np.eye(n)[0])] * m,
        lb=0.0,
        ub=1.0,
        cl=lower,
        cu=b,
    )


@pytest.fixture(scope="module")
def near():
    return karush.minimize(shifted(0.0))


def test_the_problem_has_active_and_inactive_constraints(near):
    assert near.success
    assert (np.abs(near.y[1:]) > 1e-3).any()
    assert (np.abs(near.z) > 1e-3).any()
    assert (near.z == 0.0).any()


def test_a_nearby_problem_takes_a_third_of_the_iterations(near):
    cold = karush.minimize(shifted(1e-3))
    warm = karush.minimize(shifted(1e-3), near.x, options={"warm_start": near})
    assert cold.success
    assert warm.success
    assert warm.x == pytest.approx(cold.x, abs=1e-6)
    assert 3 * warm.nit <= cold.nit


def test_a_path_of_problems(near):
    cold = warm = 0
    last = near
    for t in np.linspace(0.01, 0.1, 10):
        cold += karush.minimize(shifted(t)).nit
        last = karush.minimize(shifted(t), last.x, options={"warm_start": last})
        assert last.success
        warm += last.nit
    assert 2 * warm <= cold


def test_the_solution_itself_is_confirmed_almost_at_once(near):
    again = karush.minimize(shifted(0.0), near.x, options={"y0": near.y, "z0": near.z, "mu": 1e-9})
    assert again.success
    assert again.nit <= 2


@pytest.mark.parametrize("given", ["y0", "z0"])
def test_one_kind_of_multipliers_is_enough(near, given):
    values = {"y0": near.y, "z0": near.z}[given]
    result = karush.minimize(shifted(1e-3), near.x, options={given: values})
    assert result.success
    assert result.x == pytest.approx(karush.minimize(shifted(1e-3)).x, abs=1e-6)


def test_a_useless_warm_start_does_not_hinder():
    problem = shifted(0.0)
    rng = np.random.default_rng(0)
    options = {"y0": 1e3 * rng.standard_normal(problem.m), "z0": 1e3 * rng.standard_normal(problem.n)}
    result = karush.minimize(problem, rng.random(problem.n), options=options)
    assert result.success
    assert result.fun == pytest.approx(karush.minimize(problem).fun, rel=1e-7)


def test_bad_input_is_named(near):
    with pytest.raises(ValueError, match=r"y0 must have shape \(5,\)"):
        karush.minimize(shifted(0.0), options={"y0": np.ones(4)})
    with pytest.raises(ValueError, match=r"warm_start\.z must have shape \(2,\)"):
        karush.minimize("HS7", options={"z0": None, "y0": [0.0], "warm_start": near})
    with pytest.raises(TypeError, match="warm_start must be a result"):
        karush.minimize("HS7", options={"warm_start": 3})


def test_distance_moved_off_a_bound():
    mu = 1e-4
    v, zl = np.zeros(3), np.array([10.0, 0.0, 1.0])
    lower, upper = np.zeros(3), np.array([np.inf, np.inf, 1e-3])
    moved = moved_off(v, lower, upper, zl, np.zeros(3), mu)
    # mu/z; mu^(1/2) without a multiplier; at most a hundredth of the interval.
    assert moved == pytest.approx([1e-5, 1e-2, 1e-5])
