"""Problems on every storage of X: the same numbers; intercepts, null models, bounds, bad input."""

import numpy as np
import pytest
from scipy import sparse

from karush.problems.composite import (
    L1,
    CompositeProblem,
    GroupLasso,
    LeastSquares,
    Logistic,
    Multinomial,
    Poisson,
    svm_dual,
)

STORAGES = {
    "C": np.ascontiguousarray,
    "F": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "single C": lambda X: X.astype(np.float32),
    "single F": lambda X: np.asfortranarray(X.astype(np.float32)),
    "CSC": sparse.csc_array,
    "CSC, long indices": lambda X: _long(sparse.csc_array(X)),
    "CSR": sparse.csr_array,
    "integers": lambda X: X.astype(np.int64),
}


def _long(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


@pytest.fixture(params=[(9, 5), (5, 9), (7, 1), (1, 4)], ids=str)
def data(request):
    rng = np.random.default_rng(0)
    n, p = request.param
    return rng.integers(-3, 4, (n, p)).astype(float), rng


@pytest.mark.parametrize("storage", STORAGES)
def test_storages_of_X_are_the_same_problem(data, storage):
    X, rng = data
    n, p = X.shape
    y, weights, offset = rng.standard_normal(n), rng.random(n) + 0.1, rng.standard_normal(n)
    stored = STORAGES[storage](X)
    problem = CompositeProblem(LeastSquares(y, weights), L1(1.0), stored, intercept=True, offset=offset)
    w, b = rng.standard_normal(p), 0.7
    eta = X @ w + offset + b
    np.testing.assert_allclose(problem.predictor(w, b), eta)
    gw, gb = problem.gradient(w, b)
    np.testing.assert_allclose(gw, X.T @ (weights * (eta - y)))
    assert gb == pytest.approx(np.sum(weights * (eta - y)))
    np.testing.assert_allclose(problem.column_squares, weights @ X**2)
    np.testing.assert_allclose(problem.column_sums, weights @ X)
    block = rng.permutation(p)[: max(1, p // 2)]
    np.testing.assert_allclose(
        problem.hessian_block(block), X[:, block].T @ (weights[:, None] * X[:, block]), atol=1e-12
    )
    np.testing.assert_allclose(problem.design.columns(block), X[:, block])
    whole = problem.design.gram_rows(block)
    np.testing.assert_allclose(problem.design.gram_rows(block, 1), whole[1:])
    two = rng.standard_normal((p, 2))
    np.testing.assert_allclose(problem.design.product(two), X @ two, atol=1e-12)
    np.testing.assert_allclose(problem.design.adjoint_of(block, X @ two), X[:, block].T @ X @ two, atol=1e-10)


def test_X_is_not_changed_and_may_be_read_only():
    X = np.asfortranarray(np.random.default_rng(0).standard_normal((6, 4)))
    kept = X.copy()
    X.flags.writeable = False
    problem = CompositeProblem(LeastSquares(np.ones(6)), L1(1.0), X)
    problem.gradient(np.ones(4))
    problem.hessian_block(np.arange(4))
    np.testing.assert_array_equal(X, kept)


@pytest.mark.parametrize("datafit", [LeastSquares, Logistic, Poisson, Multinomial])
def test_null_model_has_the_best_intercept(datafit):
    rng = np.random.default_rng(0)
    y = rng.integers(0, 3, 50) if datafit in (Multinomial, Poisson) else rng.integers(0, 2, 50)
    fit = datafit(y)
    problem = CompositeProblem(fit, L1(1.0), rng.standard_normal((50, 3)), intercept=True)
    slopes = fit.gradient(np.zeros(fit.shape) + problem.null.intercept).sum(axis=0)
    np.testing.assert_allclose(slopes, 0, atol=1e-9)
    np.testing.assert_allclose(
        problem.null.slopes, problem.gradient(np.zeros(problem.shape), problem.null.intercept)[0]
    )


def test_coordinate_bounds_majorise_the_objective():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((20, 4))
    problem = CompositeProblem(Logistic(np.sign(rng.standard_normal(20)), rng.random(20)), L1(0.0), X)
    w = rng.standard_normal(4)
    value, g = problem.objective(w), problem.gradient(w)[0]
    for j in range(4):
        for d in (-2.0, -0.1, 0.1, 2.0):
            e = np.eye(4)[j] * d
            L = problem.coordinate_lipschitz[j]
            assert problem.objective(w + e) <= value + g[j] * d + 0.5 * L * d**2 + 1e-12


def test_softmax_block_bound_majorises_the_objective():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((15, 3))
    problem = CompositeProblem(Multinomial(rng.integers(0, 3, 15)), L1(0.0), X)
    w = rng.standard_normal((3, 3))
    value, g = problem.objective(w), problem.gradient(w)[0]
    for block in (np.array([0, 1, 2]), np.array([1, 4]), np.arange(9), np.array([2])):
        H = problem.hessian_block(block)
        for _ in range(20):
            d = rng.standard_normal(block.size)
            step = np.zeros(9)
            step[block] = d
            bound = value + g.ravel()[block] @ d + 0.5 * d @ H @ d
            assert problem.objective(w + step.reshape(3, 3)) <= bound + 1e-12


def test_svm_dual_has_the_objective_of_the_textbook():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((8, 3)), np.sign(rng.standard_normal(8))
    Q = (y[:, None] * X) @ (y[:, None] * X).T
    a = rng.random(8)
    for stored in (X, sparse.csr_array(X)):
        assert svm_dual(stored, y, 2.0).objective(a) == pytest.approx(0.5 * a @ Q @ a - a.sum())
    assert svm_dual(X, y, 0.5).objective(np.ones(8)) == np.inf


GOOD = np.arange(6.0).reshape(3, 2)


@pytest.mark.parametrize(
    ("make", "kind", "message"),
    [
        (lambda: (LeastSquares(np.ones(3)), L1(1.0), np.array([[1, 2], [np.nan, 1], [0, 0]])), ValueError,
         r"X\[1, 0\] is nan"),
        (lambda: (LeastSquares(np.ones(3)), L1(1.0), sparse.csc_array(np.array([[1, np.inf]] * 3))),
         ValueError, "X holds inf"),
        (lambda: (LeastSquares(np.ones(4)), L1(1.0), GOOD), ValueError, "X must have 4 rows"),
        (lambda: (LeastSquares(np.ones(3)), L1(1.0), np.ones(3)), ValueError, "X must be two-dimensional"),
        (lambda: (LeastSquares(np.ones(3)), L1(1.0), GOOD + 1j), TypeError, "X must hold real numbers"),
        (lambda: (LeastSquares(np.ones(3)), L1([1.0, 2.0, 3.0]), GOOD), ValueError, r"shape \(2,\)"),
        (lambda: (LeastSquares(np.ones(3)), GroupLasso(1.0, [[0], [0, 1]]), GOOD), ValueError, "in 2 groups"),
        (lambda: (np.ones(3), L1(1.0), GOOD), TypeError, "datafit must be a Datafit"),
        (lambda: (LeastSquares(np.ones(3)), 1.0, GOOD), TypeError, "penalty must be a Penalty"),
    ],
)  # fmt: skip
def test_bad_input_is_named(make, kind, message):
    with pytest.raises(kind, match=message):
        CompositeProblem(*make())


def test_bad_offsets_are_named():
    with pytest.raises(ValueError, match=r"offset must have shape \(3,\)"):
        CompositeProblem(LeastSquares(np.ones(3)), L1(1.0), GOOD, offset=[1.0])
    with pytest.raises(ValueError, match="offset"):
        CompositeProblem(LeastSquares(np.ones(3)), L1(1.0), GOOD, offset=[1.0, np.nan, 0.0])
