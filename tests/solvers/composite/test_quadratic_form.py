"""Quadratic forms with penalties by coordinate: known answers, two routes, what is refused."""

import numpy as np
import pytest
from scipy import sparse

import karush
from karush.problems.composite import (
    L1,
    MCP,
    Box,
    CompositeProblem,
    ElasticNet,
    GroupLasso,
    LeastSquares,
    MismatchError,
    NonNegative,
    NoPenalty,
    QuadraticForm,
)
from karush.solvers.composite.quadratic_form import QuadraticFormDescent

PENALTIES = {
    "none": NoPenalty(),
    "ridge": ElasticNet(0.0, 0.5),
    "L1": L1(0.3),
    "elastic net": ElasticNet(0.2, 0.1, np.linspace(0.5, 2.0, 400)),
    "nonnegative": NonNegative(0.1),
    "box": Box(-0.2, 0.4, 0.05),
}


def lattice(side, shift):
    path = sparse.diags_array([-np.ones(side - 1), np.ones(side - 1)], offsets=[0, 1], shape=(side - 1, side))
    line, eye = path.T @ path, sparse.eye_array(side)
    A = sparse.kron(line, eye) + sparse.kron(eye, line) + shift * sparse.eye_array(side**2)
    return sparse.csr_array(A)


@pytest.mark.parametrize("penalty", PENALTIES.values(), ids=PENALTIES)
@pytest.mark.parametrize("dense", [False, True])
def test_reaches_the_optimum_of_proximal_gradients(penalty, dense):
    A, b = lattice(20, 0.05), np.random.default_rng(0).standard_normal(400)
    problem = CompositeProblem(QuadraticForm(A.toarray() if dense else A, b), penalty)
    slow = karush.minimize_composite(problem, method="proximal-gradient", tol=1e-7)
    fast = karush.minimize_composite(problem, method="quadratic-form", tol=1e-11)
    assert slow.success
    assert fast.success
    assert fast.nit < slow.nit
    rounding = 1e-12 * abs(slow.fun)
    assert fast.fun <= slow.fun + rounding
    # 0.05 is the modulus of strong convexity.
    assert 0.025 * np.sum((fast.x - slow.x) ** 2) <= slow.fun - fast.fun + rounding


@pytest.mark.parametrize("limit", [2500, 10])
def test_dense_directions_by_cholesky_and_by_conjugate_gradients(limit, monkeypatch):
    from karush.solvers.composite import quadratic_form

    monkeypatch.setattr(quadratic_form, "_CHOLESKY_LIMIT", limit)
    rng = np.random.default_rng(1)
    factor = rng.standard_normal((120, 80))
    A, b = factor.T @ factor, rng.standard_normal(80)
    result = karush.minimize_composite(QuadraticForm(A, b), L1(0.5), method="quadratic-form", tol=1e-10)
    assert result.success
    on = result.support
    assert 5 < on.size < 80
    expected = np.linalg.solve(A[np.ix_(on, on)], b[on] - 0.5 * np.sign(result.x[on]))
    np.testing.assert_allclose(result.x[on], expected, rtol=1e-7)


def test_a_least_squares_problem_in_another_form():
    rng = np.random.default_rng(2)
    X, y = rng.standard_normal((60, 40)), rng.standard_normal(60)
    form = karush.minimize_composite(QuadraticForm(X.T @ X, X.T @ y), L1(4.0), tol=1e-10)
    lasso = karush.minimize_composite(LeastSquares(y), L1(4.0), X, tol=1e-12)
    np.testing.assert_allclose(form.x, lasso.x, atol=1e-8)


def test_offset_and_warm_start():
    A, b = lattice(12, 0.1), np.random.default_rng(3).standard_normal(144)
    shift = np.linspace(-1.0, 1.0, 144)
    problem = CompositeProblem(QuadraticForm(A, b), L1(0.2), offset=shift)
    moved = CompositeProblem(QuadraticForm(A, b - A @ shift), L1(0.2))
    one, two = (karush.minimize_composite(p, method="quadratic-form", tol=1e-10) for p in (problem, moved))
    np.testing.assert_allclose(one.x, two.x, atol=1e-8)
    again = karush.minimize_composite(problem, method="quadratic-form", w0=one.x, tol=1e-9)
    assert again.success
    assert again.nit <= 2


def test_nonconvex_penalty_ends_stationary():
    A, b = lattice(12, 3.0), 2.0 * np.random.default_rng(4).standard_normal(144)
    result = karush.minimize_composite(QuadraticForm(A, b), MCP(0.5, 3.0), method="quadratic-form", tol=1e-9)
    assert result.success
    assert 0 < result.support.size < 144


@pytest.mark.parametrize(
    "problem",
    [
        CompositeProblem(LeastSquares(np.ones(3)), L1(1.0), np.eye(3)),
        CompositeProblem(QuadraticForm(np.eye(3), np.ones(3)), L1(1.0), np.eye(3)),
        CompositeProblem(QuadraticForm(np.eye(4), np.ones(4)), GroupLasso(1.0, 2)),
    ],
)
def test_what_is_refused(problem):
    with pytest.raises(MismatchError, match="method 'quadratic-form' needs"):
        QuadraticFormDescent().check(problem)


def test_auto_takes_trees_where_nothing_is_penalised_and_survives_a_singular_matrix():
    A = lattice(15, 0.0)
    b = np.random.default_rng(5).standard_normal(225)
    b -= b.mean()
    for matrix in (A, lattice(15, 0.1)):
        result = karush.minimize_composite(QuadraticForm(matrix, b), NoPenalty(), tol=1e-8)
        assert result.success
        np.testing.assert_allclose(matrix @ result.x, b, atol=1e-6)
    line = lattice(15, 0.0)[:15, :15]  # the matrix of a tree: no forest block is definite
    line = sparse.csr_array(line - sparse.diags_array(np.asarray(line.sum(axis=1)).ravel()))
    b = b[:15] - b[:15].mean()
    result = karush.minimize_composite(QuadraticForm(line, b), NoPenalty(), tol=1e-8)
    assert result.success
    np.testing.assert_allclose(line @ result.x, b, atol=1e-6)
