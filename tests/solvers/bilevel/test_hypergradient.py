"""Hypergradients: closed forms, complex steps, two routes, differences; the bound on their error."""

import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.sparse import csr_array, issparse

from karush.problems.bilevel.callables import bilevel_from_callables
from karush.problems.bilevel.registry import get_bilevel
from karush.problems.nlp import ProductNLP
from karush.solvers.bilevel.hypergradient import (
    check_hypergradient,
    hypergradient,
    hypergradient_at,
    polished,
)
from karush.solvers.bilevel.hypergradient_error import Constants
from karush.solvers.bilevel.lower_newton import (
    MatrixCurvature,
    NotConvexError,
    ProductCurvature,
    newton_lower,
)

FREE = {
    "FOLLOW": {},
    "WAVES": {},
    "RIDGE": {},
    "LOGISTIC": {},
    "HYPER-CLEANING": {},
    "TV-WEIGHTS": {"side": 8},
    "FILTERS": {"side": 8},
}


class Products(ProductNLP):
    """A level that hides its matrices."""

    def __init__(self, level):
        super().__init__(level.metadata)
        self.level = level

    def objective(self, x):
        return self.level.objective(x)

    def gradient(self, x, out=None):
        return self.level.gradient(x, out)

    def constraints(self, x, out=None):
        return self.level.constraints(x, out)

    def hvp(self, x, v, y=None, sigma=1.0, out=None):
        return self.level.hvp(x, v, y, sigma, out)

    def jvp(self, x, v, out=None):
        return np.zeros(0)

    def vjp(self, x, w, out=None):
        return np.zeros(self.n)


def by_products(problem):
    return problem.with_levels(problem.upper, Products(problem.lower))


def quadratic(seed, n=6, condition=100.0):
    """F = .5 |y - t|^2 + x'y, f = .5 y'H y - (B x)'y, with the exact hypergradient."""
    rng = np.random.default_rng(seed)
    Q = np.linalg.qr(rng.standard_normal((n, n)))[0]
    H = (Q * np.geomspace(1.0, condition, n)) @ Q.T
    H = 0.5 * (H + H.T)
    B, t = rng.standard_normal((n, n)), rng.standard_normal(n)
    hessian = np.block([[np.zeros((n, n)), -B.T], [-B, H]])
    problem = bilevel_from_callables(
        lambda x, y: 0.5 * np.sum((y - t) ** 2) + x @ y,
        lambda x, y: 0.5 * y @ H @ y - (B @ x) @ y,
        rng.standard_normal(n),
        rng.standard_normal(n),
        upper_jac=lambda x, y: (y, y - t + x),
        upper_hess=lambda x, y: np.block([[np.zeros((n, n)), np.eye(n)], [np.eye(n), np.eye(n)]]),
        lower_jac=lambda x, y: (-B.T @ y, H @ y - B @ x),
        lower_hess=lambda x, y: hessian,
        lower_convex=True,
    )

    def exact(x):
        y = np.linalg.solve(H, B @ x)
        return y + B.T @ np.linalg.solve(H, y - t + x)

    constants = Constants(1.0, float(np.linalg.norm(B, 2)), 1.0, 1.0, 0.0, 0.0)
    return problem, exact, constants


def soft(seed, n=5):
    """F = .5 |y - t|^2 + x'y, f = sum_i .05 y_i^2 + log cosh(y_i - x_i), whose Hessian is not constant."""
    rng = np.random.default_rng(seed)
    t, mu = 2.0 * rng.standard_normal(n), 0.1

    def lower_hess(x, y):
        s = np.cosh(y - x) ** -2
        return np.block([[np.diag(s), -np.diag(s)], [-np.diag(s), np.diag(s + mu)]])

    def lower_jac(x, y):
        slope = np.tanh(y - x)
        return -slope, slope + mu * y

    problem = bilevel_from_callables(
        lambda x, y: 0.5 * np.sum((y - t) ** 2) + x @ y,
        lambda x, y: np.sum(0.5 * mu * y**2 + np.log(np.cosh(y - x))),
        2.0 * rng.standard_normal(n),
        2.0 * rng.standard_normal(n),
        upper_jac=lambda x, y: (y, y - t + x),
        lower_jac=lower_jac,
        lower_hess=lower_hess,
        lower_convex=True,
    )
    largest_third = 4.0 / (3.0 * np.sqrt(3.0))  # of log cosh
    return problem, Constants(mu, 1.0, 1.0, 1.0, largest_third, largest_third)


def test_closed_form():
    problem, exact, _ = quadratic(0)
    for route in (problem, by_products(problem)):
        found = hypergradient(route, problem.x0)
        np.testing.assert_allclose(found.gradient, exact(problem.x0), rtol=1e-10)


def test_complex_step_of_the_closed_lower_solution():
    """Ridge regression solves its lower level by one linear system, through which a complex step goes."""
    rng = np.random.default_rng(3)
    problem = get_bilevel("RIDGE", samples=30, features=6, rng=3)
    x = rng.standard_normal(6)
    w = np.concatenate([x, np.zeros(6)])
    right = -problem.lower.gradient(w)[6:]
    gram = problem.lower.hessian(w).toarray()[6:, 6:] - np.diag(np.exp(x))
    held, shift = problem.upper.hessian(w).toarray()[6:, 6:], problem.upper.gradient(w)[6:]

    def value(z):
        y = np.linalg.solve(gram + np.diag(np.exp(z)), right)
        return 0.5 * y @ held @ y + shift @ y

    reference = [value(x + 1e-30j * e).imag / 1e-30 for e in np.eye(6)]
    np.testing.assert_allclose(hypergradient(problem, x).gradient, reference, rtol=1e-10, atol=1e-14)


@pytest.mark.parametrize("name", FREE)
def test_differences_agree(name):
    problem = get_bilevel(name, **FREE[name])
    found = check_hypergradient(problem)
    assert found.derivatives.size == min(problem.n_x, 32)
    assert found.error < 1e-7


@pytest.mark.parametrize("name", ["RIDGE", "LOGISTIC", "TV-WEIGHTS"])
def test_matrices_and_products_agree(name):
    problem = get_bilevel(name, **FREE[name])
    one, other = hypergradient(problem, problem.x0), hypergradient(by_products(problem), problem.x0)
    assert isinstance(one.curvature, MatrixCurvature)
    assert isinstance(other.curvature, ProductCurvature)
    size = abs(one.gradient).max()
    np.testing.assert_allclose(one.gradient, other.gradient, atol=1e-8 * size, rtol=1e-8)


def test_a_wrong_derivative_is_found():
    problem = bilevel_from_callables(
        lambda x, y: (y[0] - 1.0) ** 2,
        lambda x, y: (y[0] - x[0]) ** 2,
        [3.0],
        [0.0],
        lower_jac=lambda x, y: np.array([-2.0, 2.0]) * (y[0] - x[0]),
        lower_hess=lambda x, y: np.array([[2.0, -1.0], [-1.0, 2.0]]),
    )
    assert check_hypergradient(problem).error > 0.1


def test_a_large_sparse_lower_level_stays_sparse():
    problem = get_bilevel("TV-WEIGHTS", side=100)
    assert problem.n_y == 10_000
    found = hypergradient(problem, problem.x0, tol=1e-9)
    assert issparse(found.curvature.H)
    assert found.curvature.H.nnz < 6 * problem.n_y
    rng = np.random.default_rng(0)
    d, h = rng.standard_normal(problem.n_x), 1e-3
    sides = []
    for sign in (1.0, -1.0):
        x = problem.x0 + sign * h * d
        sides.append(problem.upper.objective(problem.join(x, newton_lower(problem, x, found.y, 1e-10).y)))
    assert found.gradient @ d == pytest.approx((sides[0] - sides[1]) / (2.0 * h), rel=1e-4)


def test_newton_reaches_rounding_from_far():
    problem, _ = soft(0)
    lower = newton_lower(problem, problem.x0, np.full(5, 50.0), 0.0)
    assert lower.residual < 1e-13


def test_newton_denoises_with_a_weight_that_flattens_the_image():
    """Where the norm of the gradient was to fall in each step, it took 100 steps and went nowhere."""
    problem = get_bilevel("TV-WEIGHTS", side=32)
    x = np.array([-2.0, 4.0, -2.5, 0.0])
    lower = newton_lower(problem, x, problem.y0, 1e-9)
    assert lower.residual <= 1e-9
    found = minimize(
        lambda y: problem.lower.objective(problem.join(x, y)),
        problem.y0,
        jac=lambda y: problem.lower.gradient(problem.join(x, y))[4:],
        method="L-BFGS-B",
        options={"maxiter": 5000, "maxfun": 10_000, "ftol": 1e-15},
    )
    value = problem.lower.objective(problem.join(x, lower.y))
    assert value == pytest.approx(found.fun, rel=1e-9)
    assert value <= found.fun


@pytest.mark.parametrize("rank", [1, 2])
def test_chord_steps_learn_what_an_old_matrix_lacks(rank):
    """With a model that is off by a low rank Broyden's method ends after 2 rank + 2 steps (Gay, 1979)."""
    rng = np.random.default_rng(3)
    basis = rng.standard_normal((12, 12))
    H, b = basis @ basis.T / 12 + np.eye(12), rng.standard_normal(12)
    hessian = np.zeros((13, 13))
    hessian[1:, 1:] = H
    calls = []

    def lower_jac(x, y):
        calls.append(y)
        return np.zeros(1), H @ y - b

    problem = bilevel_from_callables(
        lambda x, y: y @ y,
        lambda x, y: 0.5 * y @ H @ y - b @ y,
        [0.0],
        np.zeros(12),
        lower_jac=lower_jac,
        lower_hess=lambda x, y: hessian,
    )
    old = hessian.copy()
    for v in np.linalg.eigh(H)[1][:, :rank].T + 0.1 * rng.standard_normal((rank, 12)):
        old[1:, 1:] += 0.1 * np.outer(v, v)
    calls.clear()
    found = newton_lower(problem, problem.x0, problem.y0, 1e-11, MatrixCurvature(csr_array(old), 1))
    np.testing.assert_allclose(found.y, np.linalg.solve(H, b), atol=1e-10)
    assert len(calls) <= 2 * rank + 3


def test_the_lower_level_is_solved_in_its_weak_directions_too():
    """With weights e^12 the residual is rounding, 1e-11, long before all of y is right."""
    problem = get_bilevel("LOGISTIC")
    x = np.where(np.arange(problem.n_x) % 2, 12.0, -2.0)
    near = hypergradient(problem, x + 1e-3, tol=1e-9)
    scratch = hypergradient(problem, x)
    chords = newton_lower(problem, x, near.y, 1e-12, near.curvature)
    assert chords.residual < 1e-10
    value = polished(problem, x, hypergradient_at(problem, x, chords.y)).F
    assert value == pytest.approx(scratch.F, abs=3e-13)


@pytest.mark.parametrize("make", [quadratic, soft])
@pytest.mark.parametrize("accuracy", [1.0, 1e-2, 1e-4])
def test_the_bound_holds_for_inexact_solutions(make, accuracy):
    """With true constants omega bounds the true error, and is within a few orders of it."""
    ratios = []
    for seed in range(20):
        problem, *_, constants = make(seed)
        route = by_products(problem)
        exact = hypergradient(problem, problem.x0)
        rng = np.random.default_rng(seed)
        y = exact.y + accuracy * rng.standard_normal(problem.n_y)
        found = hypergradient_at(route, problem.x0, y, accuracy)
        assert constants.error_of_lower(found.lower_residual) >= np.linalg.norm(y - exact.y) * (1 - 1e-9)
        error = float(np.linalg.norm(found.gradient - exact.gradient))
        omega = constants.error_bound(found)
        assert error <= omega * (1.0 + 1e-9) + 1e-12
        value_error = abs(found.F - exact.F)
        assert value_error <= constants.error_of_value(found) * (1.0 + 1e-9) + 1e-12
        ratios.append(omega / error)
    assert np.median(ratios) < 1e4


def test_constants_read_off_the_curvature():
    problem, _, constants = quadratic(1)
    for route in (problem, by_products(problem)):
        curvature = hypergradient(route, problem.x0).curvature
        assert curvature.modulus() == pytest.approx(constants.modulus, rel=0.02)
        assert curvature.cross_norm() >= 0.9 * constants.cross


def test_indefinite_lower_levels_are_named():
    problem = bilevel_from_callables(
        lambda x, y: y[0], lambda x, y: x[0] * y[0] - y[0] ** 2, [1.0], [0.0],
        lower_jac=lambda x, y: np.array([y[0], x[0] - 2.0 * y[0]]),
        lower_hess=lambda x, y: np.array([[0.0, 1.0], [1.0, -2.0]]),
    )  # fmt: skip
    for route in (problem, by_products(problem)):
        with pytest.raises(NotConvexError, match="not positive definite"):
            hypergradient(route, [1.0])


def test_bad_input():
    problem = get_bilevel("FOLLOW")
    with pytest.raises(TypeError, match="problem must be a BilevelProblem"):
        hypergradient("FOLLOW", [1.0])
    with pytest.raises(ValueError, match="x"):
        hypergradient(problem, [1.0, 2.0])
    with pytest.raises(ValueError, match="constrained lower level"):
        hypergradient(get_bilevel("LLC"), np.zeros(10))
    with pytest.raises(ValueError, match="constrained lower level"):
        check_hypergradient(get_bilevel("KINK"))
    with pytest.raises(ValueError, match="step must be positive"):
        check_hypergradient(problem, step=0.0)
