from itertools import combinations, islice

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from karush.problems.composite import (
    L1,
    MCP,
    CompositeProblem,
    GroupLasso,
    LeastSquares,
    MismatchError,
    NoPenalty,
)
from karush.solvers.composite.block_point import point_of
from karush.solvers.composite.partition import Blocks, Order
from karush.solvers.composite.selection import (
    GSD,
    GSQ,
    GSR,
    SELECTIONS,
    Setting,
    selection_of,
)
from karush.solvers.composite.selection_kernels import build, champion, change, leaders
from karush.solvers.composite.update import GradientStep

from .block_problems import lattice, random_graph, regression_problems

PROBLEMS = regression_problems()


def _setting(problem, size=3, fixed=True, seed=0, w=None):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal(problem.shape) * (rng.random(problem.shape) < 0.5) if w is None else w
    w = problem.penalty.prox(w, 1e-12)  # into the bounds
    point = point_of(problem, w, np.zeros(problem.shape[1:]))
    blocks = Order().blocks(problem, size) if fixed else None
    return Setting(problem, point, blocks, size, rng)


def _first(name, setting):
    return next(SELECTIONS[name]().picks(setting)) if isinstance(name, str) else next(name.picks(setting))


def _promise(setting, i, H):
    """The largest decrease of the model of coordinates i, by a fine search where a penalty has kinks."""
    problem, point = setting.problem, setting.point
    g, x = point.gradient()[i], point.x[i]
    if isinstance(problem.penalty, NoPenalty):
        return 0.5 * g @ np.linalg.solve(H, g)
    penalty = point.parts.of(setting_block(i))
    target = x
    L = np.linalg.eigvalsh(H)[-1]
    for _ in range(20_000):
        moved = penalty.prox(target - (g + H @ (target - x)) / L, 1 / L)
        if np.abs(moved - target).max() < 1e-14:
            break
        target = moved
    d = target - x
    return -(g @ d + 0.5 * d @ H @ d + penalty.value(target) - penalty.value(x))


def setting_block(i):
    from karush.solvers.composite.block_point import Block

    return Block(np.asarray(i))


def _model(name, setting, block):
    """H of the rule's model on a block."""
    bounds, size = setting.bounds, block.size
    i = block.coordinates
    if name in ("gs", "gs-r"):
        return (1.0 if setting.point.parts.nothing else bounds.whole) * np.eye(size)
    if name == "gsl":
        return bounds.lipschitz(block) * np.eye(size)
    if name == "gsd":
        return np.diag(bounds.coordinate[i])
    return bounds.hessian(block)


@pytest.mark.parametrize(
    "problem", ["least-squares", "lasso-sparse", "nonnegative", "quadratic-l1", "softmax"]
)
@pytest.mark.parametrize("rule", ["gs", "gsl", "gsd", "gsq"])
def test_greedy_rules_take_the_block_of_the_largest_promise(problem, rule):
    setting = _setting(PROBLEMS[problem])
    blocks = [setting.block(k) for k in range(len(setting.blocks))]
    promised = [_promise(setting, b.coordinates, _model(rule, setting, b)) for b in blocks]
    assert _first(rule, setting).index == int(np.argmax(promised))


@pytest.mark.parametrize("problem", ["least-squares", "lasso-sparse", "nonnegative", "logistic-box"])
@pytest.mark.parametrize("diagonal", ["lipschitz", "row-sums", "size"])
def test_variable_blocks_are_the_best_of_all_subsets(problem, diagonal):
    setting = _setting(PROBLEMS[problem], fixed=False)
    D = setting.bounds.diagonal(diagonal)
    each = np.array([_promise(setting, np.array([i]), D[[i]][:, None]) for i in range(setting.n)])
    best = max(combinations(range(setting.n), 3), key=lambda i: sum(each[j] for j in i))
    assert _first(GSD(diagonal), setting).coordinates.tolist() == sorted(best)


def test_gsq_is_the_maximum_improvement_on_quadratics():
    problem = PROBLEMS["least-squares"]
    setting = _setting(problem)
    X, r = problem.design.X, problem.predictor(setting.point.x) - problem.datafit.y
    after = [np.linalg.lstsq(X[:, b], -r)[1] for b in setting.blocks]
    assert next(GSQ().picks(setting)).index == int(np.argmin([a.item() for a in after]))


def test_hard_thresholding_promises_no_less_than_where_it_starts():
    setting = _setting(PROBLEMS["least-squares"], size=4, fixed=False)
    found, start = (_first(name, setting).coordinates for name in ("gsq-iht", "gsd"))
    H = PROBLEMS["least-squares"].hessian_block
    assert found.size == 4
    assert _promise(setting, found, H(found)) >= _promise(setting, start, H(start))


@pytest.mark.parametrize("problem", ["least-squares", "logistic-intercept", "softmax", "quadratic-l1"])
def test_the_row_sums_and_the_sizes_majorise_the_bound(problem):
    setting = _setting(PROBLEMS[problem], fixed=False)
    n, bounds = setting.n, setting.bounds
    M = bounds.hessian(setting_block(np.arange(n)))
    np.testing.assert_allclose(bounds.product(np.eye(n)[3]), M[:, 3], rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(bounds.diagonal("row-sums"), np.abs(M).sum(axis=1), rtol=1e-9)
    assert np.linalg.eigvalsh(np.diag(bounds.diagonal("row-sums")) - M)[0] >= -1e-8 * bounds.whole
    block = np.array([1, 4, 7])
    difference = np.diag(bounds.diagonal("size")[block]) - M[np.ix_(block, block)]
    assert np.linalg.eigvalsh(difference)[0] >= -1e-8 * bounds.whole
    assert bounds.whole >= np.linalg.eigvalsh(M)[-1]


@settings(max_examples=30, deadline=None)
@given(st.integers(2, 40), st.integers(0, 80), st.integers(0, 10**6), st.integers(1, 6), st.booleans())
def test_a_tournament_and_a_full_search_pick_the_same_way(n, edges, seed, size, fixed):
    problem = random_graph(np.random.default_rng(seed), n, edges)
    local, full = (_setting(problem, size, fixed, w=np.zeros(problem.p)) for _ in range(2))
    full.point.local = False
    moves = [GradientStep().begin(setting) for setting in (local, full)]
    picks = [GSD().picks(setting) for setting in (local, full)]
    for _ in range(12):
        a, b = (next(p) for p in picks)
        scores = full.point.gradient() ** 2 / full.bounds.coordinate
        assert scores[a.coordinates].sum() == pytest.approx(scores[b.coordinates].sum(), rel=1e-12)
        assert a.size == b.size
        moves[0](a)
        moves[1](a)  # ties may be broken otherwise: keep them together
        np.testing.assert_allclose(local.point.gradient(), full.point.gradient(), atol=1e-12)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.floats(0, 1), min_size=1, max_size=50), st.integers(0, 10**6))
def test_tournaments_know_their_leaders(scores, seed):
    rng = np.random.default_rng(seed)
    n = len(scores)
    scores = np.array(scores)
    tree = np.full(2 << max(n - 1, 1).bit_length(), -1.0)
    tree[tree.size // 2 : tree.size // 2 + n] = scores
    build(tree)
    leaves = rng.permutation(n)[: n // 2 + 1]
    scores[leaves] = rng.random(leaves.size)
    change(tree, leaves, scores[leaves])
    assert champion(tree) == np.argmax(scores)
    count = rng.integers(1, n + 1)
    best = np.empty(count, dtype=np.int64)
    leaders(tree, count, best)
    assert np.unique(best).size == count
    np.testing.assert_array_equal(scores[best], np.sort(scores)[::-1][:count])


@pytest.mark.parametrize("fixed", [True, False])
def test_every_round_visits_every_coordinate_once(fixed):
    for name in ("cyclic", "permutation"):
        setting = _setting(PROBLEMS["least-squares"], size=4, fixed=fixed)
        epoch = SELECTIONS[name]().epoch(setting)
        rounds = list(islice(SELECTIONS[name]().picks(setting), 2 * epoch))
        for part in (rounds[:epoch], rounds[epoch:]):
            seen = np.concatenate([block.coordinates for block in part])
            assert sorted(seen) == list(range(30))
        same = all(
            np.array_equal(a.coordinates, b.coordinates)
            for a, b in zip(rounds[:epoch], rounds[epoch:], strict=True)
        )
        assert same == (name == "cyclic")


@pytest.mark.parametrize("fixed", [True, False])
def test_chances_are_as_they_should_be(fixed):
    problem = PROBLEMS["least-squares"]
    for name in ("random", "lipschitz"):
        setting = _setting(problem, size=1, fixed=fixed)
        L = setting.bounds.coordinate
        expected = np.full(30, 1 / 30) if name == "random" else L / L.sum()
        draws = [b.coordinates[0] for b in islice(SELECTIONS[name]().picks(setting), 6000)]
        counts = np.bincount(draws, minlength=30)
        deviation = (counts - 6000 * expected) / np.sqrt(6000 * expected * (1 - expected))
        assert np.abs(deviation).max() < 4.5
        assert np.unique(draws).size > 20


def test_the_same_rng_gives_the_same_picks():
    for name in ("random", "permutation", "lipschitz"):
        first, second = (
            [b.coordinates.tolist() for b in islice(SELECTIONS[name]().picks(_setting(lattice())), 20)]
            for _ in range(2)
        )
        assert first == second


def test_longest_steps_work_for_groups_and_for_penalties_that_are_not_convex():
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((20, 12)), rng.standard_normal(20)
    problem = CompositeProblem(LeastSquares(y), GroupLasso(1.0, 4), X)
    point = point_of(problem, np.zeros(12), 0.0)
    groups = Blocks.cut(np.arange(12), 4)
    setting = Setting(problem, point, groups, 4, rng)
    L = setting.bounds.whole
    steps = problem.penalty.prox(-point.gradient() / L, 1 / L).reshape(3, 4)
    assert next(GSR().picks(setting)).index == int(np.argmax((steps**2).sum(axis=1)))
    mcp = CompositeProblem(LeastSquares(y), MCP(1.0, 3.0), X)
    setting = Setting(mcp, point_of(mcp, np.zeros(12), 0.0), None, 3, rng)
    assert next(GSR().picks(setting)).size == 3


@pytest.mark.parametrize(
    ("name", "variable", "message"),
    [
        ("gsl", True, "'gsl' is for fixed blocks"),
        ("gsq", True, "'gsq' is for fixed blocks"),
        ("gsq-iht", False, "'gsq-iht' is for variable blocks"),
    ],
)
def test_rules_for_one_kind_of_blocks_say_so(name, variable, message):
    with pytest.raises(ValueError, match=message):
        SELECTIONS[name]().check(PROBLEMS["least-squares"], variable)


def test_mismatches_are_named():
    X = np.eye(4)
    groups = CompositeProblem(LeastSquares(np.ones(4)), GroupLasso(1.0, 2), X)
    with pytest.raises(MismatchError, match="adds up over coordinates, not GroupLasso"):
        GSD().check(groups, False)
    mcp = CompositeProblem(LeastSquares(np.ones(4)), MCP(1.0, 3.0), X)
    with pytest.raises(MismatchError, match="MCP does not provide its values by coordinates"):
        next(GSD().picks(_setting(mcp, fixed=False)))
    with pytest.raises(MismatchError, match="greedy-tree' needs the datafit QuadraticForm"):
        SELECTIONS["greedy-tree"]().check(PROBLEMS["least-squares"], True)
    with pytest.raises(ValueError, match="needs partition='variable'"):
        SELECTIONS["greedy-tree"]().check(lattice(), False)
    with pytest.raises(ValueError, match="selection must be one of random"):
        selection_of("greedy")
    with pytest.raises(TypeError, match="selection must be a name or a Selection"):
        selection_of(L1(1.0))
    with pytest.raises(ValueError, match="diagonal must be one of lipschitz"):
        GSD("trace")
