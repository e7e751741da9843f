import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karush.problems.composite import (
    L1,
    MCP,
    Box,
    CompositeProblem,
    LeastSquares,
    Logistic,
    MismatchError,
    Multinomial,
    NoPenalty,
    Poisson,
)
from karush.problems.composite.penalties import PiecewiseQuadratic
from karush.solvers.composite.block_point import Block, point_of
from karush.solvers.composite.homotopy import follow_path
from karush.solvers.composite.model import minimize_model
from karush.solvers.composite.partition import Order
from karush.solvers.composite.selection import Setting
from karush.solvers.composite.update import UPDATES, MatrixStep, update_of

from .block_problems import lattice, regression_problems

PROBLEMS = regression_problems()
GENERAL = ["gradient", "backtracking", "matrix", "homotopy", "newton", "exact", "tmp"]


def _setting(problem, size=4, seed=0):
    rng = np.random.default_rng(seed)
    w = problem.penalty.prox(0.3 * rng.standard_normal(problem.shape), 1e-12)
    point = point_of(problem, w, np.zeros(problem.shape[1:]))
    return Setting(problem, point, Order().blocks(problem, size), size, rng)


@pytest.mark.parametrize("problem", PROBLEMS)
@pytest.mark.parametrize("update", GENERAL)
def test_every_update_lowers_the_objective_and_keeps_the_books(problem, update):
    problem = PROBLEMS[problem]
    setting = _setting(problem)
    point, apply = setting.point, UPDATES[update]().begin(setting)
    objective = problem.objective(point.w, point.b)
    for k in [0, 3, 1, 0, 2, 1]:
        apply(setting.block(k))
        found = problem.objective(point.w, point.b)
        assert found <= objective + 1e-12 * abs(objective)
        objective = found
        assert point.objective == pytest.approx(found, rel=1e-11)
        slopes, _ = problem.gradient(point.w, point.b)
        np.testing.assert_allclose(point.gradient(), slopes.ravel(), rtol=1e-8, atol=1e-8)
        np.testing.assert_allclose(
            point.slopes(setting.block(2)), slopes.ravel()[setting.blocks[2]], rtol=1e-8, atol=1e-8
        )
    assert objective < problem.objective(_setting(problem).point.w, np.zeros(problem.shape[1:]))


def _bound_decreases_enough(problem, update):
    """The proofs' decrease: ||g_b||^2 / (2 L_b) at least."""
    setting = _setting(problem)
    point, apply = setting.point, UPDATES[update]().begin(setting)
    for k in range(len(setting.blocks)):
        block = setting.block(k)
        g, before = point.slopes(block).copy(), point.objective
        apply(block)
        promised = g @ g / (2 * setting.bounds.lipschitz(block))
        assert before - point.objective >= promised * (1 - 1e-9) - 1e-12 * before


@pytest.mark.parametrize("update", ["gradient", "matrix", "exact"])
def test_bounds_keep_their_promise(update):
    rng = np.random.default_rng(1)
    X, y = rng.standard_normal((40, 12)), np.sign(rng.standard_normal(40))
    for datafit in (LeastSquares(y), Logistic(y), Multinomial(rng.integers(0, 4, 40))):
        _bound_decreases_enough(CompositeProblem(datafit, NoPenalty(), X), update)


def test_backtracking_finds_no_more_than_twice_the_lipschitz_constant():
    problem = PROBLEMS["logistic-intercept"].with_penalty(NoPenalty())
    setting = _setting(problem)
    apply = UPDATES["backtracking"]().begin(setting)
    block = setting.block(1)
    for _ in range(5):
        g, before = setting.point.slopes(block).copy(), setting.point.smooth
        apply(block)
        # f+ <= f - ||g||^2 / (2 L) with an L that was doubled from below L_b.
        assert before - setting.point.smooth >= g @ g / (4 * setting.bounds.lipschitz(block)) - 1e-12


@pytest.mark.parametrize("problem", PROBLEMS)
def test_an_exact_update_is_stationary_in_its_block(problem):
    problem = PROBLEMS[problem]
    setting = _setting(problem)
    block = setting.block(1)
    UPDATES["exact"]().begin(setting)(block)
    slopes = problem.gradient(setting.point.w, setting.point.b)[0]
    distance = problem.penalty.stationarity(setting.point.w, slopes).ravel()[block.coordinates]
    scale = np.abs(problem.null.slopes).max()
    # The intercept is minimised after the last step of the block, so that this is not exact there.
    assert distance.max() <= (1e-3 if problem.intercept else 1e-7) * scale


@pytest.mark.parametrize("problem", ["logistic-intercept", "softmax"])
def test_hessians_of_blocks_by_complex_steps_of_the_gradient(problem):
    problem = PROBLEMS[problem].with_penalty(NoPenalty())
    setting = _setting(problem)
    point, i = setting.point, setting.blocks[1]
    H, h = point.hessian(setting.block(1)), 1e-6
    for column, j in enumerate(i):
        e = np.zeros(point.x.size)
        e[j] = h
        ahead, behind = (
            problem.gradient((point.x + s * e).reshape(problem.shape), point.b)[0].ravel()[i] for s in (1, -1)
        )
        np.testing.assert_allclose((ahead - behind) / (2 * h), H[:, column], rtol=1e-5, atol=1e-6)
    bound = setting.bounds.hessian(setting.block(1))
    assert np.linalg.eigvalsh(bound - H)[0] >= -1e-9 * np.linalg.eigvalsh(bound)[-1]


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 12), st.integers(0, 10**6), st.sampled_from([minimize_model, follow_path]))
def test_the_model_is_minimised(n, seed, minimise):
    rng = np.random.default_rng(seed)
    B = rng.standard_normal((n + 3, n)) * np.exp(rng.standard_normal(n))
    H, g = B.T @ B, 3 * rng.standard_normal(n) * np.sqrt(n)
    lower = np.where(rng.random(n) < 0.3, -rng.random(n), -np.inf)
    upper = np.where(rng.random(n) < 0.3, rng.random(n), np.inf)
    penalty = PiecewiseQuadratic(
        2 * rng.random(n), rng.random(n) * (rng.random() < 0.5), rng.standard_normal(n), lower, upper
    )
    x = np.clip(rng.standard_normal(n), lower, upper)
    x[rng.random(n) < 0.5] = 0.0
    x = np.clip(x, lower, upper)
    u = minimise(H, g, x, penalty)
    distance = penalty.stationarity(u, g + H @ (u - x))
    assert distance.max() <= 1e-9 * (np.abs(g).max() + np.abs(H).max() * np.abs(u - x).max())
    assert (u >= lower).all()
    assert (u <= upper).all()


@pytest.mark.parametrize("kind", ["lasso", "svm"])
def test_the_homotopy_needs_no_help_on_lasso_and_svm_blocks(kind, monkeypatch):
    from karush.solvers.composite import homotopy

    monkeypatch.setattr(homotopy, "minimize_model", None)
    rng = np.random.default_rng(0)
    for n in (20, 60):
        B = rng.standard_normal((2 * n, n))
        H, g = B.T @ B, 5 * rng.standard_normal(n) * np.sqrt(n)
        penalty = L1(2 * np.sqrt(n)) if kind == "lasso" else Box(0.0, 0.3, linear=-1.0)
        u = follow_path(H, g, np.zeros(n), penalty)
        assert penalty.stationarity(u, g + H @ u).max() <= 1e-9 * np.abs(g).max()
        assert 0 < penalty.support(u).sum() < n


def test_two_metric_projection_ends_at_the_solution_of_a_nonnegative_problem():
    problem = PROBLEMS["nonnegative"]
    setting = _setting(problem, size=30)
    apply = UPDATES["tmp"]().begin(setting)
    for _ in range(12):
        apply(setting.block(0))
    slopes = problem.gradient(setting.point.w)[0]
    assert problem.penalty.stationarity(setting.point.w, slopes).max() <= 1e-10 * np.abs(slopes).max()
    assert (setting.point.w == 0).sum() > 10


def test_short_steps_inside_the_prox_still_reach_zero():
    # A curvature that the model underestimates: steps must be shortened, zeros must be met exactly.
    rng = np.random.default_rng(0)
    X = 4 * rng.standard_normal((30, 8))
    problem = CompositeProblem(Poisson(rng.poisson(3.0, 30)), L1(40.0), X)
    w = 0.2 * rng.standard_normal(8)
    point = point_of(problem, w, 0.0)
    setting = Setting(problem, point, Order().blocks(problem, 8), 8, rng)
    apply = UPDATES["newton"]().begin(setting)
    for _ in range(60):
        apply(setting.block(0))
    assert 0 < np.count_nonzero(point.x == 0) < 8
    slopes = problem.gradient(point.w)[0]
    assert problem.penalty.stationarity(point.w, slopes).max() <= 1e-8 * np.abs(slopes).max()


def test_matrix_updates_survive_singular_blocks():
    X = np.ones((5, 3))
    problem = CompositeProblem(LeastSquares(np.arange(5.0)), NoPenalty(), X)
    setting = _setting(problem, size=3)
    MatrixStep().begin(setting)(setting.block(0))
    np.testing.assert_allclose(X.T @ (X @ setting.point.x - np.arange(5.0)), 0, atol=1e-6)


def test_message_passing_minimises_over_a_tree():
    problem = lattice()
    from karush.solvers.composite.partition import Trees

    blocks = Trees().blocks(problem, 1)
    point = point_of(problem, np.zeros(problem.p), 0.0)
    setting = Setting(problem, point, blocks, 1, np.random.default_rng(0))
    UPDATES["trees"]().begin(setting)(setting.block(1))
    slopes = problem.gradient(point.w)[0]
    assert np.abs(slopes[blocks[1]]).max() < 1e-13
    assert np.abs(slopes[blocks[0]]).max() > 1e-3


def test_mismatches_are_named():
    X = np.eye(4)
    poisson = CompositeProblem(Poisson(np.ones(4)), NoPenalty(), X)
    with pytest.raises(MismatchError, match="'gradient' needs curvature_bound, which datafit Poisson"):
        UPDATES["gradient"]().check(poisson)
    UPDATES["newton"]().check(poisson)
    mcp = CompositeProblem(LeastSquares(np.ones(4)), MCP(1.0, 3.0), X)
    for name in ("matrix", "newton", "exact", "tmp"):
        with pytest.raises(MismatchError, match=f"'{name}' needs a piecewise quadratic penalty, not MCP"):
            UPDATES[name]().check(mcp)
    with pytest.raises(ValueError, match="update must be one of gradient"):
        update_of("step")
    with pytest.raises(TypeError, match="update must be a name or an Update"):
        update_of(None)


def test_a_block_too_large_for_a_dense_matrix_is_refused():
    from karush.problems.composite.collection.label_propagation import lattice_graph, propagation

    problem = propagation(lattice_graph(80, 80), np.array([0]), np.ones(1))
    point = point_of(problem, np.zeros(problem.p), 0.0)
    setting = Setting(problem, point, None, problem.p, np.random.default_rng(0))
    with pytest.raises(ValueError, match="block of 6399 coordinates would need a dense matrix"):
        MatrixStep().begin(setting)(Block(np.arange(problem.p)))
