"""Descent over sets and under constraints: minima, multipliers, rounding, infeasibility."""

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import karush
from karush.problems.bilevel import Affine, Box, bilevel_from_callables
from karush.solvers.bilevel.constrained_descent import ConstrainedDescent, ScaledRows
from karush.solvers.bilevel.outer_step import OuterStep
from karush.solvers.bilevel.set_descent import descend


def box(n):
    return Box(np.full(n, -np.inf), np.full(n, np.inf))


@pytest.mark.parametrize("offset", [0.0, 1e6])
def test_residuals_far_below_the_rounding_of_values(offset):
    """With an offset of 1e6 values have ten digits; the gradient goes on alone."""
    rng = np.random.default_rng(0)
    scale, center = 10.0 ** rng.uniform(-1.0, 1.0, 50), rng.standard_normal(50)

    def fun(v):
        return 0.5 * float(scale @ (v - center) ** 2) + offset, scale * (v - center)

    found = descend(fun, OuterStep(box(50), 100), np.zeros(50), 1e-10, 500)
    assert found.done
    assert found.residual <= 1e-10
    np.testing.assert_allclose(found.v, center, atol=1e-8)


def test_short_steps_are_lengthened_where_values_are_blind():
    """The first step is far too short, and no value shows what it gains."""
    calls = []

    def fun(v):
        calls.append(1)
        return 0.5 * 1e-4 * float(v @ v) + 1e9, 1e-4 * v

    model = OuterStep(box(3), 10)
    model.shorten(1e-6)
    found = descend(fun, model, np.ones(3), 1e-9, 100)
    assert found.residual <= 1e-9
    assert len(calls) < 30


def test_affine_sets():
    """The minimiser over 1'v = 1 of a quadratic with a large gradient across the set; its KKT system."""
    rng = np.random.default_rng(1)
    n = 30
    M = rng.standard_normal((n, n))
    H, g, a = M @ M.T + np.eye(n), 1e3 * np.ones(n) + rng.standard_normal(n), np.ones(n)
    X = Affine(a[None, :], [1.0])
    found = descend(
        lambda v: (0.5 * v @ H @ v + g @ v, H @ v + g), OuterStep(X, 100), X.project(g), 1e-8, 500
    )
    system = np.block([[H, a[:, None]], [a[None, :], np.zeros((1, 1))]])
    expected = np.linalg.solve(system, np.concatenate([-g, [1.0]]))[:n]
    assert found.done
    np.testing.assert_allclose(found.v, expected, atol=1e-6)
    assert found.v.sum() == pytest.approx(1.0, abs=1e-12)


def halfspace(level):
    """Min .5 ||y - x||^2 subject to y1 + y2 >= level and y1 <= 0, for every x in the plane."""
    return bilevel_from_callables(
        lambda x, y: float(x @ x),
        lambda x, y: 0.5 * float((y - x) @ (y - x)),
        np.zeros(2),
        np.zeros(2),
        upper_jac=lambda x, y: (2.0 * x, np.zeros(2)),
        lower_jac=lambda x, y: (x - y, y - x),
        lower_constraints=LinearConstraint(
            [[0.0, 0.0, 10.0, 10.0], [0.0, 0.0, 1.0, 0.0]], [10.0 * level, -np.inf], [np.inf, 0.0]
        ),
        y_bounds=[(-1.0, 1.0), (-1.0, 1.0)],
    )


def descent_of(problem):
    w = problem.join(problem.x0, problem.y0)
    return ConstrainedDescent(problem, ScaledRows(problem.lower, w), problem.y0, 1.0, 1.0, 10)


def test_minima_and_multipliers():
    """From x = (1, 0): the nearest point is (0, 1) with multipliers 1 and 2, by hand."""
    problem = halfspace(1.0)
    descent = descent_of(problem)
    found = descent.minimum(problem.lower.objective_and_gradient, np.array([1.0, 0.0]), 1e-11)
    np.testing.assert_allclose(found.y, [0.0, 1.0], atol=1e-9)
    assert found.value == pytest.approx(1.0, abs=1e-9)
    # stationarity: y - x + A'lam = 0, with rows of norm 1; lam <= 0 at a lower limit
    first, second = descent.z
    assert first / np.sqrt(2.0) == pytest.approx(-1.0, abs=1e-8)
    assert second == pytest.approx(2.0, abs=1e-8)
    np.testing.assert_allclose(found.gradient[:2], [1.0, -1.0], atol=1e-9)


def test_no_feasible_point():
    """Nothing is lost: the next call starts where this one did."""
    problem = halfspace(1.5)  # y1 <= 0 and y2 <= 1
    descent = descent_of(problem)
    before = descent.y.copy(), descent.z.copy(), descent.gamma2
    assert descent.minimum(problem.lower.objective_and_gradient, np.array([1.0, 0.0]), 1e-8) is None
    np.testing.assert_array_equal(descent.y, before[0])
    np.testing.assert_array_equal(descent.z, before[1])
    assert descent.gamma2 == before[2]


def test_starts_where_the_lower_level_is_infeasible_are_no_success():
    result = karush.minimize_bilevel(halfspace(1.5), method="penalty")
    assert not result.success
