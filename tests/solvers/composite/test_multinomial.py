"""Softmax loss by prox-Newton: the model's matrix, two routes, known special cases, what is refused."""

import numpy as np
import pytest
from scipy import sparse

import karush
from karush.problems.composite import (
    L1,
    MCP,
    SLOPE,
    Box,
    CompositeProblem,
    ElasticNet,
    GroupLasso,
    Logistic,
    MismatchError,
    Multinomial,
    SparseGroupLasso,
)
from karush.solvers.composite import multinomial
from karush.solvers.composite.multinomial import MultinomialNewton
from karush.solvers.composite.multinomial_models import Entries, softmax_matrix

N, P, K = 90, 25, 4
PENALTIES = {
    "ridge": ElasticNet(0.0, 0.5),
    "L1": L1(1.5),
    "factors": L1(1.0, np.linspace(0.2, 3.0, P)),
    "elastic net": ElasticNet(1.0, 0.5),
    "box": Box(-0.1, 0.2, 0.05),
    "rows": GroupLasso(1.5, "rows"),
    "sparse rows": SparseGroupLasso(0.7, "rows", 0.5),
    "groups": GroupLasso(1.5, 10),
}


def data(seed=0):
    rng = np.random.default_rng(seed)
    X = np.asfortranarray(rng.standard_normal((N, P)))
    B = np.zeros((P, K))
    B[:4] = 2.0 * rng.standard_normal((4, K))
    return X, np.argmax(X @ B + rng.gumbel(size=(N, K)), axis=1), rng.uniform(0.5, 2.0, N)


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("intercept", [False, True])
def test_reaches_the_optimum_of_proximal_gradients(penalty, intercept):
    X, y, weights = data()
    problem = CompositeProblem(Multinomial(y, weights=weights), penalty, X, intercept=intercept)
    slow = karush.minimize_composite(problem, method="proximal-gradient", tol=1e-7)
    fast = karush.minimize_composite(problem, method="multinomial", tol=1e-10)
    assert slow.success
    assert fast.success
    assert fast.nit < slow.nit
    assert fast.fun <= slow.fun <= fast.fun + 2e-7 * problem.null.value


@pytest.mark.parametrize("storage", ["dense C", "float32", "sparse"])
@pytest.mark.parametrize("limit", [2000, 5])
@pytest.mark.parametrize("name", ["L1", "ridge", "box"])
def test_matrix_and_columns_agree_for_any_storage(storage, limit, name, monkeypatch):
    monkeypatch.setattr(multinomial, "_MATRIX_LIMIT", limit)
    X, y, _ = data()
    X = (X * (np.abs(X) > 0.5)).astype(np.float32).astype(float)
    reference = karush.minimize_composite(
        Multinomial(y), PENALTIES[name], X, intercept=True, method="proximal-gradient", tol=1e-7
    )
    stored = {
        "dense C": np.ascontiguousarray,
        "float32": lambda a: a.astype(np.float32),
        "sparse": sparse.csr_array,
    }
    result = karush.minimize_composite(
        Multinomial(y), PENALTIES[name], stored[storage](X), intercept=True, method="multinomial", tol=1e-10
    )
    assert result.success
    rounding = 1e-13
    assert result.fun * (1 - rounding) <= reference.fun <= result.fun * (1 + 1e-6)


@pytest.mark.parametrize("make", [np.asfortranarray, sparse.csc_array])
def test_the_matrix_is_the_derivative_of_the_gradient(make):
    X, y, weights = data(1)
    problem = CompositeProblem(Multinomial(y, weights=weights), L1(1.0), make(X), intercept=True)
    rng = np.random.default_rng(2)
    w, b = 0.3 * rng.standard_normal((P, K)), rng.standard_normal(K)
    eta = problem.predictor(w, b)
    chosen = np.sort(rng.choice(P * K, 30, replace=False))
    entries = Entries(problem.design, chosen, K, True)
    H = softmax_matrix(
        entries.Z, *entries.with_intercept(), problem.datafit.probabilities(eta), problem.datafit.weights
    )
    step, db, size = rng.standard_normal(30), rng.standard_normal(K), 1e-6
    moved = entries.product(step, db)
    ends = [problem.datafit.gradient(eta + sign * size * moved) for sign in (1, -1)]
    change = [np.concatenate([problem.design.adjoint(g).ravel()[chosen], g.sum(axis=0)]) for g in ends]
    np.testing.assert_allclose(
        H @ np.concatenate([step, db]), (change[0] - change[1]) / (2 * size), rtol=1e-6, atol=1e-6
    )


def test_two_classes_are_a_logistic_regression_of_half_the_ridge():
    X, y, _ = data()
    y = (y > 1).astype(int)
    two = karush.minimize_composite(Multinomial(y), ElasticNet(0.0, 1.0), X, intercept=True, tol=1e-10)
    one = karush.minimize_composite(Logistic(y), ElasticNet(0.0, 0.5), X, intercept=True, tol=1e-10)
    np.testing.assert_allclose(two.x[:, 1] - two.x[:, 0], one.x, atol=1e-6)
    np.testing.assert_allclose(two.intercept[1] - two.intercept[0], one.intercept, atol=1e-6)


def test_a_wide_problem_grows_its_working_sets():
    rng = np.random.default_rng(3)
    X = rng.standard_normal((60, 800))
    y = np.argmax(X[:, :3] + 0.1 * rng.standard_normal((60, 3)), axis=1)
    result = karush.minimize_composite(Multinomial(y), L1(1.0), X, intercept=True, method="multinomial")
    assert result.success
    assert result.record["working set"] < 800
    again = karush.minimize_composite(
        Multinomial(y), L1(1.0), X, intercept=True, method="multinomial", w0=result.x, b0=result.intercept
    )
    assert again.success
    assert again.nit == 0 or again.nit <= 2


def test_zero_above_the_largest_level():
    X, y, _ = data()
    top = np.abs(CompositeProblem(Multinomial(y), L1(1.0), X, intercept=True).null.slopes).max()
    above, below = (
        karush.minimize_composite(Multinomial(y), L1(f * top), X, intercept=True, tol=1e-9)
        for f in (1.001, 0.98)
    )
    assert not above.x.any()
    assert above.success
    assert below.x.any()


def test_nonconvex_penalty_ends_stationary():
    X, y, _ = data()
    result = karush.minimize_composite(Multinomial(y), MCP(4.0, 30.0), X, method="multinomial", tol=1e-6)
    assert result.success
    assert 0 < np.count_nonzero(result.x) < P * K


def test_what_is_refused():
    X, y, _ = data()
    method = MultinomialNewton()
    with pytest.raises(MismatchError, match="Multinomial, not Logistic"):
        method.check(CompositeProblem(Logistic(y > 1), L1(1.0), X))
    with pytest.raises(MismatchError, match="got SLOPE"):
        method.check(CompositeProblem(Multinomial(y), SLOPE(np.linspace(2.0, 1.0, P * K)), X))
