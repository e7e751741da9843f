"""Penalties: prox by definition, conjugates and stationarity by what they must satisfy, bad input."""

import numpy as np
import pytest
from scipy.optimize import minimize

from karush.problems.composite import (
    L1,
    MCP,
    SCAD,
    SLOPE,
    Box,
    ElasticNet,
    GroupLasso,
    NonNegative,
    PiecewiseQuadratic,
    SparseGroupLasso,
)

P = 6
GROUPS = [[0, 3], [1], [2, 5, 4]]
PENALTIES = {
    "l1": L1(0.7),
    "weighted l1": L1(0.7, factors=[0.0, 1.0, 2.0, 0.5, 1.0, 1.0]),
    "elastic net": ElasticNet(0.5, 0.8),
    "nonnegative": NonNegative(0.3),
    "box": Box(-0.5, [0.2, 0.5, 1.0, 2.0, 0.1, 0.0], linear=0.3),
    "everything": PiecewiseQuadratic(0.2, 0.3, -0.1, -1.0, 2.0),
    "group": GroupLasso(0.5, GROUPS),
    "group ridge": GroupLasso(0.5, 2, l2=0.4),
    "sparse group": SparseGroupLasso(0.4, GROUPS, l1=0.3, factors=[1.0, 0.5, 2.0]),
    "slope": SLOPE([2.0, 1.5, 1.0, 1.0, 0.5, 0.1]),
    "mcp": MCP(0.6, 2.0),
    "scad": SCAD(0.5, 3.0),
}
CONVEX = [name for name, penalty in PENALTIES.items() if penalty.convex]


@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize("step", [0.3, 1.0, 4.0])
def test_prox_is_not_beaten_by_any_trial(name, step):
    penalty, rng = PENALTIES[name], np.random.default_rng(0)
    for scale in (0.3, 1.0, 3.0):
        v = scale * rng.standard_normal(P)
        t = penalty.prox(v, step)
        best = 0.5 * np.sum((t - v) ** 2) + step * penalty.value(t)
        assert np.isfinite(best)
        for size in (1e-3, 0.1, 1.0):
            for _ in range(100):
                trial = t + size * rng.standard_normal(P) * (rng.random(P) < 0.5)
                assert 0.5 * np.sum((trial - v) ** 2) + step * penalty.value(trial) >= best - 1e-12


@pytest.mark.parametrize("name", ["mcp", "scad"])
def test_nonconvex_prox_is_global(name):
    penalty = PENALTIES[name]
    for step in (0.5, 1.9, 5.0):
        for v in np.linspace(-3.9, 4, 9):
            t = penalty.prox(np.array([v]), step)[0]

            def cost(x, v=v, step=step):
                return 0.5 * (x - v) ** 2 + step * penalty.value(np.array([x]))

            grid = np.linspace(-4, 4, 801)
            assert cost(t) <= min(cost(x) for x in grid) + 1e-9


@pytest.mark.parametrize("name", [n for n in PENALTIES if n != "slope"])
def test_prox_points_are_stationary(name):
    penalty, rng = PENALTIES[name], np.random.default_rng(0)
    for step in (0.5, 1.0):
        v = 2 * rng.standard_normal(P)
        t = penalty.prox(v, step)
        assert penalty.stationarity(t, (t - v) / step).max() <= 1e-9
        assert penalty.stationarity(t, (t - v) / step + 0.37).max() > 1e-3


@pytest.mark.parametrize("name", [n for n in PENALTIES if n != "slope"])
def test_stationarity_of_a_violation_is_its_size(name):
    """At w = 0 with a force outside, the distance shrinks to nothing as the force is scaled inside."""
    penalty = PENALTIES[name]
    w = np.zeros(P)
    force = np.full(P, 10.0)
    assert penalty.stationarity(w, -force).max() > 1.0
    # only within a box's upper bounds of 0 may any force be held
    assert (penalty.stationarity(w, -force) >= 0).all()


@pytest.mark.parametrize("name", CONVEX)
def test_conjugate_is_a_supremum(name):
    penalty, rng = PENALTIES[name], np.random.default_rng(0)
    for _ in range(20):
        v = rng.standard_normal(P)
        t = penalty.dual_scale(v)
        assert 0 <= t <= 1
        conjugate = penalty.conjugate(t * v)
        assert np.isfinite(conjugate)
        for _ in range(50):
            w = penalty.prox(3 * rng.standard_normal(P), 0.01)
            assert conjugate >= t * v @ w - penalty.value(w) - 1e-9
        if 0 < t < 1:
            assert penalty.conjugate(min(1.0, 1.01 * t) * v) == np.inf


def test_conjugate_is_attained():
    v, points = np.array([1.3]), np.r_[np.linspace(-5, 5, 10_001), -1.0, -0.5, 0.4, 2.0]
    for penalty in (
        ElasticNet(0.5, 0.8),
        Box(-0.5, 0.4, linear=0.3),
        PiecewiseQuadratic(0.2, 0.3, -0.1, -1, 2),
    ):
        attained = max(v[0] * x - penalty.value(np.array([x])) for x in points)
        assert penalty.conjugate(v) == pytest.approx(attained, abs=1e-6)


def test_dual_norm_of_the_sparse_group_lasso_is_where_zero_stops_being_optimal():
    penalty, v = PENALTIES["sparse group"], np.random.default_rng(0).standard_normal(P)
    norm = penalty.dual_norm(v)
    assert penalty.scaled(1.001 * norm).stationarity(np.zeros(P), v).max() == 0
    assert penalty.scaled(0.999 * norm).stationarity(np.zeros(P), v).max() > 0


def test_group_prox_against_a_general_minimiser():
    penalty, v = PENALTIES["sparse group"], np.array([2.0, -1.0, 0.5, 1.5, -2.0, 1.0])
    t = penalty.prox(v, 1.0)
    found = minimize(
        lambda x: 0.5 * np.sum((x - v) ** 2) + penalty.value(x),
        t + 0.1,
        method="Nelder-Mead",
        options={"xatol": 1e-9, "fatol": 1e-13, "maxiter": 20_000, "maxfev": 20_000},
    )
    np.testing.assert_allclose(t, found.x, atol=1e-4)


def test_slope_of_equal_levels_is_the_lasso():
    v = np.random.default_rng(0).standard_normal(P)
    slope, lasso = SLOPE(np.full(P, 0.4)), L1(0.4)
    np.testing.assert_allclose(slope.prox(v, 1.0), lasso.prox(v, 1.0), atol=1e-15)
    assert slope.dual_norm(v) == pytest.approx(lasso.dual_norm(v))


def test_restricted_penalties_see_their_block_only():
    w = np.random.default_rng(0).standard_normal(P)
    block = np.array([0, 3, 1])
    rest = np.array([2, 4, 5])
    for name in ("weighted l1", "group", "sparse group", "mcp"):
        penalty = PENALTIES[name]
        parts = penalty.restricted(block).value(w[block]) + penalty.restricted(rest).value(w[rest])
        assert parts == pytest.approx(penalty.value(w))
    with pytest.raises(ValueError, match="cuts a group"):
        PENALTIES["group"].restricted(np.array([0, 1]))


def test_slack_is_the_distance_to_the_edge():
    w, gradient = np.array([1.0, 0.0, 0.0]), np.array([-1.0, 0.4, -0.9])
    assert L1(1.0).slack(w, gradient) == pytest.approx(0.1)
    assert NonNegative(1.0).slack(w, np.array([-1.0, 0.4, -0.9])) == pytest.approx(0.1)
    assert GroupLasso(1.0, [[0], [1, 2]], factors=[1.0, 1.0]).slack(w, gradient) == pytest.approx(
        1 - np.hypot(0.4, 0.9)
    )
    np.testing.assert_array_equal(Box(0, 1).support(np.array([0.0, 0.5, 1.0])), [False, True, False])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: L1(-1.0), "lam must be >= 0, got -1"),
        (lambda: L1(np.nan), "lam is nan"),
        (lambda: L1(1.0, factors=[1.0, -1.0]), "factors must be >= 0"),
        (lambda: L1(1.0, factors=[1.0]).check((3,)), r"shape \(3,\)"),
        (lambda: ElasticNet(1.0, -0.5), "l2 must be >= 0"),
        (lambda: Box(1.0, 0.0), "lower must not be above upper"),
        (lambda: Box(np.nan, 0.0), "must not be NaN"),
        (lambda: MCP(1.0, gamma=1.0), "gamma must be > 1"),
        (lambda: SCAD(1.0, gamma=2.0), "gamma must be > 2"),
        (lambda: GroupLasso(1.0, []), "groups must not be empty"),
        (lambda: GroupLasso(1.0, [[0], []]), r"groups\[1\] must be a non-empty"),
        (lambda: GroupLasso(1.0, [[0, 1], [1, 2]]).check((3,)), "1 is in 2 groups"),
        (lambda: GroupLasso(1.0, [[0, 1]]).check((3,)), "2 is in no group"),
        (lambda: GroupLasso(1.0, [[0, 7]]).check((3,)), "coordinate 7, w has 3"),
        (lambda: GroupLasso(1.0, 2).check((3,)), "do not divide the 3"),
        (lambda: GroupLasso(1.0, "columns"), "'rows'"),
        (lambda: SLOPE([1.0, 2.0]), "nonincreasing"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
