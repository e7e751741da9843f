"""The support vector machine: its lower level against other solvers, and answers of the whole."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

from karush.problems.bilevel import get_bilevel
from karush.problems.bilevel.lower_level import LowerLevel
from karush.solvers.bilevel.constrained_descent import ScaledRows
from karush.solvers.bilevel.lower_solution import solve_lower
from karush.solvers.bilevel.lower_value import LowerValue
from karush.solvers.bilevel.minimize import minimize_bilevel


def signed_rows(problem):
    """Rows l (z, 1) of the training samples, from the constraints."""
    return problem.lower.jacobian(problem.join(problem.x0, problem.y0)).toarray()[:, problem.n_x :][
        :, : problem.n_y - problem.lower.m
    ]


def squared_hinge(signed, weights):
    """(w, b) of .5 ||w||^2 + .5 sum e^x max(0, 1 - margin)^2, without slacks."""
    d = signed.shape[1] - 1

    def value(v):
        xi = np.maximum(0.0, 1.0 - signed @ v)
        gradient = -signed.T @ (weights * xi)
        gradient[:d] += v[:d]
        return 0.5 * (v[:d] @ v[:d] + weights @ xi**2), gradient

    options = {"ftol": 1e-16, "gtol": 1e-11, "maxiter": 5000, "maxfun": 10_000}
    return minimize(value, np.zeros(d + 1), jac=True, method="L-BFGS-B", options=options).x


@pytest.mark.parametrize("weights", ["sample", "one"])
def test_the_lower_level_is_the_squared_hinge(weights):
    problem = get_bilevel("SVM", weights=weights)
    x = np.random.default_rng(3).uniform(-2.0, 1.0, problem.n_x)
    signed, d = signed_rows(problem), 4
    lower = solve_lower(problem, x, problem.y0, 1e-9)
    weight = np.broadcast_to(np.exp(x), problem.lower.m)
    np.testing.assert_allclose(lower.y[: d + 1], squared_hinge(signed, weight), atol=1e-6)
    slack = lower.y[d + 1 :]
    np.testing.assert_allclose(slack, np.maximum(0.0, 1.0 - signed @ lower.y[: d + 1]), atol=1e-6)
    # w = sum lam l z, 0 = sum lam l, lam = e^x xi: support vectors carry the answer.
    np.testing.assert_allclose(signed.T @ (weight * slack), np.append(lower.y[:d], 0.0), rtol=1e-5, atol=1e-6)


def test_the_lower_level_agrees_with_scikit_learn():
    """Whose intercept is penalised, by 1/scaling^2."""
    svm = pytest.importorskip("sklearn.svm")
    problem = get_bilevel("SVM", samples=40)
    x, signed = np.linspace(-2.0, 1.0, 40), signed_rows(problem)
    labels = signed[:, -1]
    peer = svm.LinearSVC(
        C=1.0, loss="squared_hinge", dual=False, tol=1e-10, intercept_scaling=1e3, max_iter=10_000
    )
    peer.fit(signed[:, :-1] * labels[:, None], labels, sample_weight=0.5 * np.exp(x))
    ours = solve_lower(problem, x, problem.y0, 1e-9).y[:5]
    np.testing.assert_allclose(ours, [*peer.coef_[0], peer.intercept_[0]], atol=1e-5)


def test_the_start_is_feasible_and_matrices_are_sparse():
    problem = get_bilevel("SVM", samples=400, features=10)
    w = problem.join(problem.x0, problem.y0)
    assert (problem.lower.constraints(w) >= problem.lower.cl).all()
    assert problem.lower.jacobian(w).nnz == 400 * 12
    assert problem.lower.hessian(w).nnz == 10 + 4 * 400
    assert problem.upper.hessian(w).nnz == 400 + 11**2
    assert LowerLevel(problem, problem.x0).hessian(problem.y0).nnz == 10 + 400


@pytest.mark.parametrize("loss", ["softplus", "sigmoid"])
def test_one_weight_is_the_best_of_all(loss):
    """By a search along the reduced function, with the lower level solved without slacks."""
    problem = get_bilevel("SVM", weights="one", loss=loss, samples=30)
    result = minimize_bilevel(problem, method="kkt", options={"patience": 1})
    assert result.success
    signed = signed_rows(problem)

    def reduced(t):
        v = squared_hinge(signed, np.full(30, np.exp(t)))
        return problem.upper.objective(np.concatenate([[t], v, np.zeros(30)]))

    near = minimize_scalar(
        reduced, bracket=(result.x[0] - 0.1, result.x[0], result.x[0] + 0.1), options={"xtol": 1e-7}
    )
    assert result.x[0] == pytest.approx(near.x, abs=1e-4)
    assert result.fun == pytest.approx(near.fun, abs=1e-9)


def test_weights_of_samples_improve_on_one():
    one = minimize_bilevel(get_bilevel("SVM", weights="one"), method="kkt", options={"patience": 1})
    each = minimize_bilevel(get_bilevel("SVM"), method="kkt", options={"patience": 1})
    assert one.success
    assert each.success
    assert each.fun < one.fun - 1e-3


@pytest.mark.parametrize("target", [1e-9, 1e-3])
def test_the_proximal_value_is_found_where_multipliers_are_slow(target):
    """By SLSQP: the proximal problem of the lower level, from a start whose rows are all active."""
    problem = get_bilevel("SVM")
    w = problem.join(problem.x0, problem.y0)
    value = LowerValue(problem, ScaledRows(problem.lower, w), gamma1=10.0, gamma2=10.0, memory=10)
    found = value.at(problem.x0, problem.y0, target)
    level = LowerLevel(problem, problem.x0)
    peer = minimize(
        lambda y: level.objective(y) + np.sum((y - problem.y0) ** 2) / 20.0,
        problem.y0,
        jac=lambda y: level.gradient(y) + (y - problem.y0) / 10.0,
        constraints={"type": "ineq", "fun": lambda y: level.constraints(y) - level.cl},
        method="SLSQP",
        options={"ftol": 1e-14, "maxiter": 500},
    )
    assert found.v == pytest.approx(peer.fun, abs=max(1e-7, 10.0 * target))


def test_real_data():
    pytest.importorskip("sklearn")
    problem = get_bilevel("SVM", data="breast-cancer", weights="one")
    result = minimize_bilevel(problem)
    assert result.success
    assert problem.n_y == 30 + 1 + 285


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"weights": "class"}, "weights must be 'sample' or 'one'"),
        ({"loss": "hinge"}, "loss must be one of softplus, sigmoid"),
        ({"data": "wine"}, "data must be 'synthetic' or one of breast-cancer"),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ValueError, match=message):
        get_bilevel("SVM", **options)
