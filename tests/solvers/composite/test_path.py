"""Paths and cross-validation: the same solutions as one by one, the grid's ends, folds, manners."""

import numpy as np
import pytest
from scipy import sparse

import karush
from karush import Status
from karush.problems.composite import (
    L1,
    MCP,
    Box,
    CompositeProblem,
    GroupLasso,
    LeastSquares,
    Logistic,
    Multinomial,
)


def data(n=50, p=80):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, X[:, :4] @ [1.0, -1.0, 2.0, 0.5] + rng.standard_normal(n) + 3.0


@pytest.mark.parametrize("penalty", [L1(1.0), GroupLasso(1.0, 4)], ids=["l1", "group"])
@pytest.mark.parametrize("fit", ["squares", "logistic"])
@pytest.mark.parametrize("storage", [np.asfortranarray, sparse.csc_array])
def test_a_path_has_the_solutions_of_its_problems(penalty, fit, storage):
    X, y = data()
    datafit = LeastSquares(y) if fit == "squares" else Logistic(np.sign(y - 3))
    problem = CompositeProblem(datafit, penalty, storage(X), intercept=True)
    path = karush.composite_path(problem, count=8, ratio=0.05, tol=1e-9)
    assert path.success.all()
    assert path.status is Status.CONVERGED
    for i, lam in enumerate(path.lambdas):
        single = problem.with_penalty(penalty.scaled(lam))
        alone = karush.minimize_composite(single, tol=1e-9)
        found = single.objective(path.coef(i), path.intercepts[i])
        assert found == pytest.approx(path.objectives[i], rel=1e-12)
        assert abs(found - alone.fun) <= 2e-9 * alone.certificate.gap_scale


def test_the_grid_begins_where_the_first_coefficient_appears():
    X, y = data()
    problem = CompositeProblem(LeastSquares(y), L1(1.0), X, intercept=True)
    top = karush.composite_path(problem, count=3, ratio=0.5).lambdas[0]
    assert top == pytest.approx(np.abs(X.T @ (y - y.mean())).max())
    just = karush.composite_path(problem, lambdas=[0.98 * top, 1.02 * top])
    np.testing.assert_array_equal([np.count_nonzero(just.coef(i)) for i in range(2)], [0, 1])


def test_many_columns_make_sparse_coefficients():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((30, 2500))
    path = karush.composite_path(LeastSquares(X[:, 0]), L1(1.0), X, count=4, ratio=0.3)
    assert sparse.issparse(path.coefs)
    assert path.coefs.shape == (4, 2500)
    objective = CompositeProblem(LeastSquares(X[:, 0]), L1(path.lambdas[3]), X).objective(path.coef(3))
    assert objective == pytest.approx(path.objectives[3])


def test_several_outputs_and_nonconvex_penalties_have_paths():
    X, y = data()
    classes = karush.composite_path(Multinomial(np.arange(50) % 3), L1(1.0), X, count=3, ratio=0.5)
    assert classes.coefs.shape == (3, 80, 3)
    assert classes.success.all()
    assert karush.composite_path(
        LeastSquares(y), MCP(1.0), X, intercept=True, count=5, ratio=0.2
    ).success.all()


def test_a_path_ends_when_the_callback_says_so_and_at_the_time_limit():
    X, y = data()
    seen = []

    def stop(lam, result):
        seen.append((lam, result.success))
        if len(seen) == 2:
            raise StopIteration

    path = karush.composite_path(LeastSquares(y), L1(1.0), X, callback=stop)
    assert path.status is Status.USER_STOP
    assert path.lambdas.size == path.coefs.shape[0] == 2
    assert karush.composite_path(LeastSquares(y), L1(1.0), X, max_time=0.0).status is Status.TIME_LIMIT


def test_cross_validation_finds_the_signal_with_given_folds():
    X, y = data(200, 100)
    folds = np.array_split(np.arange(200), 4)
    found = karush.cross_validate_composite(
        LeastSquares(y), L1(1.0), X, intercept=True, folds=folds, count=20, ratio=0.01
    )
    assert found.result.success
    assert {0, 1, 2} <= set(found.result.support.tolist())
    assert found.simplest >= found.best
    # one fold by hand
    train = np.setdiff1d(np.arange(200), folds[1])
    lam = found.lambdas[10] * train.size / 200
    model = karush.minimize_composite(LeastSquares(y[train]), L1(lam), X[train], intercept=True, tol=1e-10)
    held_out = y[folds[1]] - X[folds[1]] @ model.x - model.intercept
    assert found.losses[10, 1] == pytest.approx(0.5 * np.mean(held_out**2), rel=1e-2)


def test_same_rng_same_folds():
    X, y = data()
    one, two, other = (
        karush.cross_validate_composite(LeastSquares(y), L1(1.0), X, count=3, rng=rng).losses
        for rng in (0, 0, 1)
    )
    np.testing.assert_array_equal(one, two)
    assert (one != other).any()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"lambdas": []}, "lambdas must be a non-empty"),
        ({"lambdas": [1.0, -1.0]}, "lambdas must be"),
        ({"count": 0}, "count must be at least 1"),
        ({"ratio": 2.0}, "ratio must be in"),
    ],
)
def test_bad_grids_are_named(arguments, message):
    X, y = data()
    with pytest.raises(ValueError, match=message):
        karush.composite_path(LeastSquares(y), L1(1.0), X, **arguments)


@pytest.mark.parametrize("folds", [1, 51, [[0], [99]], [[0]], [[0.5], [1.0]]])
def test_bad_folds_are_named(folds):
    X, y = data()
    with pytest.raises(ValueError, match="folds"):
        karush.cross_validate_composite(LeastSquares(y), L1(1.0), X, folds=folds)


def test_a_grid_needs_a_penalty_that_holds_zero():
    X, y = data()
    with pytest.raises(ValueError, match="give lambdas"):
        karush.composite_path(LeastSquares(y), Box(-1.0, 1.0), X)


def test_cross_validation_without_time_says_so():
    X, y = data()
    with pytest.raises(TimeoutError, match="max_time"):
        karush.cross_validate_composite(LeastSquares(y), L1(1.0), X, count=3, rng=0, max_time=0.0)


@pytest.mark.parametrize(("limit", "error"), [(-1.0, ValueError), (np.nan, ValueError), ("1", TypeError)])
def test_cross_validation_refuses_bad_limits_by_name(limit, error):
    X, y = data()
    with pytest.raises(error, match="max_time"):
        karush.cross_validate_composite(LeastSquares(y), L1(1.0), X, count=3, rng=0, max_time=limit)


@pytest.mark.parametrize("penalty", [MCP(1.0), L1(1.0)], ids=["mcp", "l1"])
def test_a_path_without_time_keeps_a_finite_point(penalty):
    X, y = data()
    path = karush.composite_path(LeastSquares(y), penalty, X, lambdas=[8.0, 4.0], max_time=0.0)
    assert path.status is Status.TIME_LIMIT
    assert path.lambdas.size == 1
    assert np.isfinite(path.objectives).all()
    assert np.isfinite(path.coef(0)).all()
