"""The merit function: its gradient, its behaviour without bounds, the descent test."""

import numpy as np
import pytest

import karush
from karush.problems.evaluator import Evaluator
from karush.solvers.nonlinear.exact_lagrangian import ExactLagrangian
from karush.solvers.nonlinear.iterate import Iterate
from karush.solvers.nonlinear.merit import (
    MeritRule,
    affine_scaling,
    merit_gradient,
    merit_slopes,
    merit_value,
)

from ..small_problems import Dense, rosenbrock


def bounded_problem():
    """Nonlinear objective, one equality, one range, bounds on both sides, on one side and none."""
    return Dense(
        [0.5, 1.5, -0.3],
        lambda x: np.exp(x[0]) * x[1] + x[2] ** 4,
        lambda x: np.array([np.exp(x[0]) * x[1], np.exp(x[0]), 4 * x[2] ** 3]),
        lambda x: np.array(
            [[np.exp(x[0]) * x[1], np.exp(x[0]), 0], [np.exp(x[0]), 0, 0], [0, 0, 12 * x[2] ** 2]]
        ),
        c=lambda x: np.array([x[0] * x[1] - x[2] ** 2, x[0] + x[1] * x[2]]),
        jac=lambda x: np.array([[x[1], x[0], -2 * x[2]], [1, x[2], x[1]]]),
        hc=lambda x: [
            np.array([[0, 1, 0], [1, 0, 0], [0, 0, -2.0]]),
            np.array([[0, 0, 0], [0, 0, 1], [0, 1.0, 0]]),
        ],
        lb=[0, 1, -np.inf],
        ub=[2, np.inf, np.inf],
        cl=[0.2, -1],
        cu=[0.2, 3],
    )


@pytest.fixture
def iterate():
    state = ExactLagrangian(scale=False).init(Evaluator(bounded_problem()))
    start = state.main.iterate
    y = np.array([0.7, -1.3])
    return Iterate(start.form, start.bounds, start.point, y, start.zl, start.zu)


def moved(iterate, w, y):
    point = iterate.form.evaluate(w)
    assert iterate.form.differentiate(point)
    return Iterate(iterate.form, iterate.bounds, point, y, iterate.zl, iterate.zu)


@pytest.mark.parametrize("mu", [0.0, 0.1])
def test_gradient_agrees_with_central_differences(iterate, mu):
    eta1, eta2 = 2.0, 0.3
    scale = affine_scaling(iterate)
    hessian = iterate.form.hessian(iterate.point, iterate.y)
    grad_w, grad_y = merit_gradient(iterate, hessian, mu, scale, eta1, eta2)
    gradient = np.concatenate([grad_w, grad_y])
    size = iterate.point.w.size

    def value(v):
        return merit_value(iterate.bounds, moved(iterate, v[:size], v[size:]), mu, scale, eta1, eta2)

    v = np.concatenate([iterate.point.w, iterate.y])
    for i in range(v.size):
        h = np.zeros(v.size)
        h[i] = 1e-6
        assert gradient[i] == pytest.approx((value(v + h) - value(v - h)) / 2e-6, rel=1e-6, abs=1e-7)


def test_slopes_are_the_parts_of_the_directional_derivative(iterate):
    rng = np.random.default_rng(1)
    scale, hessian = affine_scaling(iterate), iterate.form.hessian(iterate.point, iterate.y)
    dw, dy = rng.standard_normal(iterate.point.w.size), rng.standard_normal(iterate.y.size)
    slopes = merit_slopes(iterate, hessian, 0.1, scale, dw, dy)
    for eta1, eta2 in [(1.0, 0.1), (10.0, 0.01), (0.0, 0.0)]:
        grad_w, grad_y = merit_gradient(iterate, hessian, 0.1, scale, eta1, eta2)
        assert slopes.total(eta1, eta2) == pytest.approx(grad_w @ dw + grad_y @ dy, rel=1e-12)


def test_newton_direction_of_a_definite_problem_descends(iterate):
    state = ExactLagrangian(scale=False).init(Evaluator(bounded_problem()))
    main = state.main
    assert main.system.factor(main.iterate, main.mu)
    d = main.system.direction(main.iterate, main.mu)
    scale = affine_scaling(main.iterate)
    slopes = merit_slopes(main.iterate, main.system.hessian, main.mu, scale, d.dw, d.dy)
    assert any(slopes.descends(4.0**k, 0.1 / 2.0**k) for k in range(12))


def test_without_constraints_the_merit_function_may_rise_for_a_while():
    def values(memory, patience=0):
        options = {"merit": MeritRule(memory=memory, patience=patience), "globalisation": "exact-merit"}
        result = karush.minimize(rosenbrock(), options=options)
        assert result.success
        return np.array([entry["f"] for entry in result.history])

    assert (np.diff(values(1)) <= 0.0).all()
    f = values(10)
    assert (np.diff(f) > 0.0).any()
    assert all(f[k] <= f[max(0, k - 10) : k].max() for k in range(1, f.size))
    assert (np.diff(values(10, patience=1000)) <= 0.0).all()


def test_affine_scaling_is_one_without_bounds_and_the_gap_near_one(iterate):
    scale = affine_scaling(iterate)
    assert scale[2] == 1.0
    assert scale[0] == pytest.approx(min(1.0, iterate.point.w[0]))


def test_the_full_step_is_corrected_where_it_makes_the_constraints_worse():
    """Rosenbrock's equations: the Newton step lands at x2 = -3.84, one correction later all is solved."""
    problem = Dense(
        [-1.2, 1.0],
        lambda x: 0.0,
        lambda x: [0.0, 0.0],
        lambda x: np.zeros((2, 2)),
        c=lambda x: [10.0 * (x[1] - x[0] ** 2), 1.0 - x[0]],
        jac=lambda x: [[-20.0 * x[0], 10.0], [-1.0, 0.0]],
        hc=lambda x: [[[-20.0, 0.0], [0.0, 0.0]], np.zeros((2, 2))],
        cl=[0.0, 0.0],
        cu=[0.0, 0.0],
    )
    result = karush.minimize(problem, options={"globalisation": "exact-merit"})
    assert result.success
    assert result.nit == 1
    assert result.history[-1]["search"] == "c"
