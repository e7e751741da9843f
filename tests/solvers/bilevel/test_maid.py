"""The hypergradient methods `implicit` and `maid`: known answers, references, sets, accuracy."""

import numpy as np
import pytest
from scipy.optimize import minimize, minimize_scalar

import karush
from karush.problems.bilevel.callables import bilevel_from_callables
from karush.problems.bilevel.registry import get_bilevel
from karush.problems.bilevel.sets import Ball, Simplex
from karush.problems.nlp import ProductNLP
from karush.solvers.bilevel.certificate import certify_bilevel
from karush.solvers.bilevel.driver import Run
from karush.solvers.bilevel.hypergradient import hypergradient
from karush.solvers.bilevel.implicit import Implicit
from karush.solvers.bilevel.maid import Maid
from karush.solvers.bilevel.outer_step import OuterStep
from karush.solvers.status import Status

METHODS = [Implicit, Maid]


def solved(method, problem, **limits):
    return Run(method, problem, **limits).solve()


def held_out(problem, x):
    return hypergradient(problem, x).F


@pytest.mark.parametrize("make", METHODS)
def test_known_answers(make):
    found = solved(make(), get_bilevel("FOLLOW"))
    assert found.success
    np.testing.assert_allclose([*found.x, *found.y, found.fun], [0.0, 0.0, 2.0], atol=1e-6)
    found = solved(make(), get_bilevel("WAVES"))
    assert found.success
    np.testing.assert_allclose([*found.x, *found.y, found.fun], [1.2151455, -1.2151455, 0.1999109], atol=1e-6)


@pytest.mark.parametrize("eps0", [1e-8, 1.0, 1e3])
def test_the_first_accuracy_does_not_matter(eps0):
    found = solved(Maid(eps0=eps0, delta0=eps0), get_bilevel("WAVES"))
    assert found.success
    assert found.x[0] == pytest.approx(1.2151455, abs=1e-6)


@pytest.mark.parametrize("alpha0", [1e-4, 1e2])
def test_the_first_step_does_not_matter(alpha0):
    problem = get_bilevel("LOGISTIC")
    found, usual = solved(Maid(alpha0=alpha0), problem), solved(Maid(), problem)
    assert found.success
    assert found.fun == pytest.approx(usual.fun, rel=1e-8)


@pytest.mark.parametrize("make", METHODS)
def test_one_penalty_against_scipy(make):
    problem = get_bilevel("RIDGE", per_feature=False, features=30, samples=40)
    reference = minimize_scalar(
        lambda t: held_out(problem, [t]), bounds=(-8.0, 3.0), method="bounded", options={"xatol": 1e-9}
    )
    found = solved(make(), problem)
    assert found.success
    assert found.x[0] == pytest.approx(reference.x, abs=1e-5)
    assert found.fun == pytest.approx(reference.fun, rel=1e-10)


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize("name", ["RIDGE", "LOGISTIC", "HYPER-CLEANING", "TV-WEIGHTS", "FILTERS"])
def test_no_worse_than_scipy_on_the_exact_hypergradient(make, name):
    sizes = {"RIDGE": {"features": 8}, "HYPER-CLEANING": {"samples": 20}}.get(name, {})
    problem = get_bilevel(name, **sizes)

    def value(x):
        found = hypergradient(problem, x)
        return found.F, found.gradient

    bounds = list(zip(problem.X.lb, problem.X.ub, strict=True))
    options = {"ftol": 1e-14, "gtol": 1e-8, "maxiter": 2000}
    reference = minimize(value, problem.x0, jac=True, bounds=bounds, method="L-BFGS-B", options=options)
    found = solved(make(), problem)
    assert found.success
    # A residual below tol/10 leaves that much F for each unit of the way to a better point.
    assert found.fun <= reference.fun + 1e-7 * np.sum(abs(found.x - reference.x)) + 1e-12


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize("X", [Simplex(4), Ball(np.zeros(4), 0.5)], ids=["simplex", "ball"])
def test_sets_that_are_no_boxes(make, X):
    rng = np.random.default_rng(2)
    B, t = rng.standard_normal((6, 4)), 2.0 * rng.standard_normal(6)
    diagonal = np.geomspace(1.0, 50.0, 6)
    hessian = np.block([[np.zeros((4, 4)), -B.T], [-B, np.diag(diagonal)]])
    problem = bilevel_from_callables(
        lambda x, y: 0.5 * np.sum((y - t) ** 2) + 0.05 * x @ x,
        lambda x, y: 0.5 * diagonal @ y**2 - (B @ x) @ y,
        np.full(4, 0.25),
        np.zeros(6),
        upper_jac=lambda x, y: (0.1 * x, y - t),
        upper_hess=lambda x, y: np.diag(np.concatenate([np.full(4, 0.1), np.ones(6)])),
        lower_jac=lambda x, y: (-B.T @ y, diagonal * y - B @ x),
        lower_hess=lambda x, y: hessian,
        lower_convex=True,
        X=X,
    )
    M = B / diagonal[:, None]
    x = X.project(np.zeros(4))
    step = 1.0 / np.linalg.norm(M.T @ M + 0.1 * np.eye(4), 2)
    for _ in range(20_000):  # projected gradients on the closed form
        x = X.project(x - step * (M.T @ (M @ x - t) + 0.1 * x))
    found = solved(make(), problem)
    assert found.success
    np.testing.assert_allclose(found.x, x, atol=1e-6)


class Products(ProductNLP):
    """A lower level that hides its matrices."""

    def __init__(self, level):
        super().__init__(level.metadata)
        self.objective, self.gradient, self.hvp = level.objective, level.gradient, level.hvp

    objective = gradient = hvp = None

    def constraints(self, x, out=None):
        return np.zeros(0)

    def jvp(self, x, v, out=None):
        return np.zeros(0)

    def vjp(self, x, w, out=None):
        return np.zeros(self.n)


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize("name", ["LOGISTIC", "TV-WEIGHTS"])
def test_a_lower_level_known_by_products(make, name):
    problem = get_bilevel(name)
    reference = solved(make(), problem)
    found = solved(make(), problem.with_levels(problem.upper, Products(problem.lower)))
    assert found.success
    assert "lower hessian" not in found.counts
    assert found.fun == pytest.approx(reference.fun, rel=1e-6)


def test_no_success_where_products_show_no_stationarity():
    problem = get_bilevel("LOGISTIC")
    route = problem.with_levels(problem.upper, Products(problem.lower))
    known = hypergradient(problem, problem.x0)
    judged = certify_bilevel(route, problem.x0, known.y)
    residual = abs(problem.x0 - problem.X.project(problem.x0 - known.gradient)).max()
    assert judged.feasible
    assert not judged.holds
    assert judged.stationarity.absolute == pytest.approx(residual, rel=1e-6)


@pytest.mark.parametrize("make", METHODS)
def test_refusals_say_what(make):
    assert make().refusal(get_bilevel("LLC")) == "constraints of the lower level"
    assert make().refusal(get_bilevel("KINK")) == "a set Y at the lower level"
    assert make().refusal(get_bilevel("RIDGE")) is None
    coupled = bilevel_from_callables(
        lambda x, y: x[0] + y[0], lambda x, y: (y[0] - x[0]) ** 2, [0.0], [0.0],
        upper_constraints={"type": "ineq", "fun": lambda x, y: np.array([x[0] + y[0]])},
        lower_jac=lambda x, y: np.array([-2.0, 2.0]) * (y[0] - x[0]),
    )  # fmt: skip
    assert make().refusal(coupled) == "constraints of the upper level other than X"


@pytest.mark.parametrize("make", METHODS)
def test_an_indefinite_lower_level_is_no_success(make):
    problem = bilevel_from_callables(
        lambda x, y: x[0] ** 2 + y[0] ** 2, lambda x, y: x[0] * y[0] - y[0] ** 2, [1.0], [0.2],
        lower_jac=lambda x, y: np.array([y[0], x[0] - 2.0 * y[0]]),
        lower_hess=lambda x, y: np.array([[0.0, 1.0], [1.0, -2.0]]),
    )  # fmt: skip
    found = solved(make(), problem)
    assert not found.success
    assert found.status is Status.NUMERICAL_FAILURE


@pytest.mark.parametrize("make", METHODS)
@pytest.mark.parametrize(("x0", "y0"), [(1.5, 0.0), (2.5, 0.9)])
def test_a_start_where_the_lower_level_is_not_convex(make, x0, y0):
    """WAVES has one lower solution for every x, with f'' > 0 there but not everywhere."""
    found = karush.minimize_bilevel(get_bilevel("WAVES"), x0=[x0], y0=[y0], method=make())
    assert found.success
    assert min(abs(found.x - [0.3823602, 1.2151455, 2.8296418])) < 1e-6


@pytest.mark.parametrize("name", ["RIDGE", "LOGISTIC", "FILTERS"])
def test_estimated_bounds_cover_the_true_errors(name):
    """At every iterate, with constants that are only estimated."""
    problem = get_bilevel(name)
    method = Maid()
    run = Run(method, problem)
    state = method.init(run)
    for _ in range(15):
        assert state.point is not None
        exact = hypergradient(problem, state.x, state.y).gradient
        error = float(np.linalg.norm(state.point.gradient - exact))
        assert error <= state.omega + 1e-12 * np.linalg.norm(exact)
        if state.settled:
            break
        state = method.step(run, state)


def test_maid_solves_the_lower_level_less_often():
    problem = get_bilevel("FILTERS")
    exact, inexact = (solved(make(), problem) for make in METHODS)
    assert inexact.counts["lower gradient"] < exact.counts["lower gradient"]


@pytest.mark.parametrize("make", METHODS)
def test_same_bits_and_limits(make):
    problem = get_bilevel("LOGISTIC")
    one, other = (solved(make(), problem, max_iterations=5) for _ in range(2))
    assert one.status is Status.ITERATION_LIMIT
    assert not one.success
    np.testing.assert_array_equal(one.x, other.x)
    assert np.isfinite(one.fun)


@pytest.mark.parametrize(
    ("option", "value"),
    [("eps0", 0.0), ("delta0", -1.0), ("alpha0", 0.0), ("eta", 1.0), ("nu", 0.0), ("growth", 0.5)],
)
def test_bad_options(option, value):
    with pytest.raises(ValueError, match=option):
        Maid(**{option: value})


def test_the_outer_step_holds_variables_at_their_bounds():
    problem = get_bilevel("RIDGE", features=3)
    outer = OuterStep(problem.X, 5)
    x = np.array([-12.0, 0.0, 0.0])
    outer.learn(np.array([1.0, 0.2, -0.3]), np.array([2.0, 0.1, -0.5]))
    p = np.array([1.0, -2.0, 0.5])
    d = outer.direction(x, p)
    assert problem.X.project(x + d)[0] == -12.0
    assert p[1:] @ d[1:] < 0.0
