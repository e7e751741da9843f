from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from karush.problems.composite import (
    L1,
    MCP,
    CompositeProblem,
    GroupLasso,
    LeastSquares,
    MismatchError,
    NoPenalty,
    Poisson,
    QuadraticForm,
    collection,
    svm_dual,
)
from karush.solvers.composite.block_descent import BlockDescent
from karush.solvers.composite.block_point import Block
from karush.solvers.composite.minimize import minimize_composite
from karush.solvers.composite.selection import Selection, Setting
from karush.solvers.composite.update import GradientStep, Update
from karush.solvers.status import Status

from .block_problems import lattice, regression_problems

PROBLEMS = regression_problems()


def _intercept(problem, w):
    return problem.best_intercept(problem.predictor(w), np.zeros(problem.shape[1:]))


def _solve(problem, tol=1e-7, **options):
    return minimize_composite(problem, method="bcd", tol=tol, rng=0, **{"block_size": 6} | options)


@pytest.fixture(scope="module")
def minima():
    return {name: _solve(problem, tol=1e-11, block_size=30).fun for name, problem in PROBLEMS.items()}


@pytest.mark.parametrize("name", PROBLEMS)
@pytest.mark.parametrize(
    ("partition", "selection", "update"),
    [
        ("variable", "gsd", "newton"),
        ("variable", "gs", "tmp"),
        ("variable", "gsq-iht", "exact"),
        ("variable", "permutation", "newton"),
        ("sort", "gsl", "newton"),
        ("average", "cyclic", "exact"),
        ("sort", "random", "newton"),
        ("variable", "lipschitz", "tmp"),
        ("order", "gs-r", "matrix"),
    ],
)
def test_combinations_end_at_the_same_minimum(name, partition, selection, update, minima):
    problem = PROBLEMS[name]
    result = _solve(problem, partition=partition, selection=selection, update=update)
    assert result.success, result.message
    scale = max(abs(problem.null.value), abs(result.fun))
    assert result.fun - minima[name] <= 2e-7 * scale
    assert result.fun == problem.objective(result.x, result.intercept)


def test_gradient_updates_and_tiny_blocks_end_there_too(minima):
    for size in (1, 7):
        result = _solve(PROBLEMS["lasso-sparse"], update="gradient", block_size=size, selection="gs")
        assert result.success
        assert result.fun == pytest.approx(minima["lasso-sparse"], rel=1e-6)


@pytest.mark.parametrize(
    ("selection", "update", "fixed"),
    [
        ("gsd", "gradient", False),
        ("gsl", "gradient", True),
        ("cyclic", "matrix", True),
        ("gs", "newton", False),
    ],
)
def test_the_objective_never_rises(selection, update, fixed):
    for problem in PROBLEMS.values():
        seen = []
        minimize_composite(
            problem,
            method="bcd",
            partition="sort" if fixed else "variable",
            selection=selection,
            update=update,
            block_size=4,
            max_iterations=60,
            callback=seen.append,
        )
        # With an intercept the points alone do not tell: the best one for each is taken.
        values = [problem.objective(w, _intercept(problem, w)) for w in seen]
        assert all(b <= a + 1e-12 * abs(a) for a, b in pairwise(values))


# ---- the support -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("update", ["newton", "tmp"])
def test_greedy_variable_blocks_as_large_as_the_support_end_after_few_steps(update):
    problem = collection.get("A-L1", m=300, n=1500, lam=15_000.0)
    support = _solve(problem, tol=1e-13, block_size=200).support
    result = _solve(problem, tol=0.0, block_size=2 * support.size, update=update, max_iterations=60)
    np.testing.assert_array_equal(result.support, support)
    assert result.record["identified_at"] <= 15
    assert result.slack > 0
    assert result.certificate.stationarity <= 1e-12 * result.certificate.stationarity_scale


def test_the_support_stays_once_the_distance_is_within_the_bound():
    """The paper's bound: ||x - x*|| <= delta / (2 L) with proximal gradient steps of all coordinates."""
    problem = PROBLEMS["lasso-sparse"]
    exact = _solve(problem, tol=1e-15, block_size=30)
    slack = exact.slack
    L = np.linalg.eigvalsh(problem.hessian_block(np.arange(30)))[-1]
    points = []
    minimize_composite(
        problem,
        method="bcd",
        partition="order",
        selection="cyclic",
        update="gradient",
        block_size=30,
        tol=1e-10,
        callback=points.append,
    )
    near = [np.linalg.norm(w - exact.x) <= slack / (2 * L) for w in points]
    assert sum(near) > 3
    first = int(np.argmax(near))
    for w in points[first + 1 :]:
        np.testing.assert_array_equal(np.flatnonzero(w), exact.support)


def test_the_record_says_when_the_support_was_found():
    points = []
    result = _solve(PROBLEMS["lasso-sparse"], callback=points.append, selection="gs", update="gradient")
    supports = [np.flatnonzero(w).tolist() for w in points]
    last = max(k for k in range(len(points)) if k == 0 or supports[k] != supports[k - 1])
    assert result.record["identified_at"] == last + 1
    assert supports[-1] == result.support.tolist()


# ---- other penalties, other problems ---------------------------------------------------------------------


def test_groups_are_blocks():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((40, 24)), rng.standard_normal(40)
    problem = CompositeProblem(LeastSquares(y), GroupLasso(3.0, 4), X)
    reference = minimize_composite(problem, method="proximal-gradient", tol=1e-9)
    for selection, update in (("gs-r", "gradient"), ("cyclic", "backtracking")):
        result = _solve(problem, partition="groups", selection=selection, update=update)
        assert result.success
        assert result.fun == pytest.approx(reference.fun, rel=1e-6)
    with pytest.raises(MismatchError, match="take partition='groups'"):
        _solve(problem)


def test_penalties_that_are_not_convex_reach_a_stationary_point():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 20))
    X /= np.linalg.norm(X, axis=0)
    y = X[:, :3] @ [5.0, -4.0, 3.0] + 0.1 * rng.standard_normal(60)
    problem = CompositeProblem(LeastSquares(y), MCP(0.5, 3.0), X)
    result = _solve(problem, selection="cyclic", update="gradient", block_size=1, tol=1e-8)
    assert result.success
    assert result.support.tolist() == [0, 1, 2]


def test_a_datafit_without_bounds():
    rng = np.random.default_rng(0)
    X = 0.3 * rng.standard_normal((80, 20))
    y = rng.poisson(np.exp(X[:, 0] * 2))
    problem = CompositeProblem(Poisson(y), L1(2.0), X, intercept=True)
    for selection, update in (("gsd", "newton"), ("cyclic", "backtracking"), ("gs", "tmp")):
        assert _solve(problem, selection=selection, update=update).success


def test_the_dual_of_a_support_vector_machine():
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 5))
    y = np.sign(X[:, 0] + 0.5 * rng.standard_normal(60))
    problem = svm_dual(X, y, C=0.7)
    result = _solve(problem, selection="gsd", update="tmp", tol=1e-9)
    assert result.success
    assert result.x.min() >= 0
    assert result.x.max() <= 0.7


@pytest.mark.parametrize(
    ("partition", "selection"),
    [
        ("trees", "cyclic"),
        ("multicolour", "cyclic"),
        ("variable", "greedy-tree"),
        ("variable", "random-tree"),
    ],
)
def test_trees_solve_label_propagation(partition, selection):
    problem = lattice(14)
    exact = np.linalg.solve(problem.datafit.A.toarray(), problem.datafit.b)
    result = _solve(problem, partition=partition, selection=selection, update="trees")
    assert result.success
    np.testing.assert_allclose(result.x, exact, atol=1e-4)


def test_single_coordinates_of_a_larger_graph():
    problem = collection.get("lattice", side=200)
    result = _solve(problem, selection="gs", update="matrix", block_size=1, tol=1e-2, max_iterations=3000)
    assert result.record["updates"] > result.nit  # several in a step: copying w would cost more
    assert result.fun < -300


# ---- the contract of all methods -------------------------------------------------------------------------


def test_the_same_rng_gives_the_same_bits():
    options = {"selection": "random", "update": "newton", "max_iterations": 50}
    first, second = (_solve(PROBLEMS["logistic-box"], tol=0.0, **options) for _ in range(2))
    np.testing.assert_array_equal(first.x, second.x)
    other = minimize_composite(
        PROBLEMS["logistic-box"], method="bcd", tol=0.0, rng=1, block_size=6, **options
    )
    assert not np.array_equal(first.x, other.x)


def test_limits_and_callback():
    problem = PROBLEMS["logistic-box"]
    slow = {"selection": "random", "update": "gradient", "block_size": 1}
    result = _solve(problem, tol=1e-14, max_iterations=7, **slow)
    assert result.status is Status.ITERATION_LIMIT
    assert result.nit == 7
    assert not result.success
    result = _solve(problem, tol=1e-14, max_time=0.0, **slow)
    assert result.status is Status.TIME_LIMIT

    def stop(intermediate_result):
        if intermediate_result.nit == 3:
            raise StopIteration

    result = _solve(problem, tol=1e-14, callback=stop, **slow)
    assert result.status is Status.USER_STOP
    assert result.nit == 3
    assert result.fun <= problem.null.value


def test_the_start_is_not_changed_and_the_returned_point_is_no_worse():
    problem = PROBLEMS["lasso-sparse"]
    w0 = np.linspace(-1, 1, 30)
    kept = w0.copy()
    result = minimize_composite(problem, method="bcd", w0=w0, max_iterations=2, rng=0)
    np.testing.assert_array_equal(w0, kept)
    assert result.fun <= problem.objective(w0)


def test_callback_points_are_not_changed_later():
    points, copies = [], []

    def keep(w):
        points.append(w)
        copies.append(w.copy())

    _solve(PROBLEMS["lasso-sparse"], callback=keep, max_iterations=10)
    for point, copy in zip(points, copies, strict=True):
        np.testing.assert_array_equal(point, copy)


def test_coordinates_may_be_permuted():
    problem = PROBLEMS["lasso-sparse"]
    order = np.random.default_rng(1).permutation(30)
    X = sp.csc_array(problem.design.X)[:, order]
    turned = CompositeProblem(problem.datafit, problem.penalty, X)
    a, b = (_solve(p, max_iterations=4, tol=0.0) for p in (problem, turned))
    np.testing.assert_allclose(a.x[order], b.x, rtol=1e-9, atol=1e-12)


def test_parts_of_ones_own():
    @dataclass(frozen=True)
    class Backwards(Selection):
        def picks(self, setting: Setting) -> Iterator[Block]:
            while True:
                for k in reversed(range(len(setting.blocks))):
                    yield setting.block(k)

    class Twice(Update):
        def begin(self, setting):
            once = GradientStep().begin(setting)

            def apply(block):
                once(block)
                once(block)

            return apply

    blocks = [np.arange(0, 30, 2), np.arange(1, 30, 2)]
    result = _solve(
        PROBLEMS["nonnegative"], partition=blocks, selection=Backwards(), update=Twice(), tol=1e-3
    )
    assert result.success


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"block_size": 0}, "block_size must be an integer > 0, got 0"),
        ({"updates_per_step": 1.5}, r"updates_per_step must be an integer > 0, got 1\.5"),
        ({"partition": "blocks"}, "partition must be one of"),
        ({"selection": "best"}, "selection must be one of"),
        ({"update": "jump"}, "update must be one of"),
    ],
)
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message):
        BlockDescent(**options)


def test_a_quadratic_form_of_something_else_is_refused():
    form = QuadraticForm(np.eye(3), np.ones(3))
    with pytest.raises(MismatchError, match="a form of w itself"):
        _solve(
            CompositeProblem(form, NoPenalty(), np.ones((3, 2))), selection="cyclic", update="backtracking"
        )
