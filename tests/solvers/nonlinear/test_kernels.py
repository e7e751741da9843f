"""The kernels against the array expressions that they stand for."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from karush.solvers.nonlinear import barrier_kernels, form_kernels, merit_kernels, newton_kernels
from karush.solvers.nonlinear.original_kernels import complementarity_error, interval_violation

SMALLEST = 2e-16


@pytest.fixture
def rng():
    return np.random.default_rng(3)


@pytest.fixture
def box(rng):
    """Points within bounds of all kinds: none, one, both; with w on some of them."""
    w = rng.uniform(-1.0, 1.0, 40)
    lower = np.where(rng.random(40) < 0.6, w - rng.uniform(0.0, 2.0, 40), -np.inf)
    upper = np.where(rng.random(40) < 0.6, w + rng.uniform(0.0, 2.0, 40), np.inf)
    lower[0], upper[1] = w[0], w[1]
    return w, lower, upper


def gaps_of(box):
    below, above = np.empty(40), np.empty(40)
    sums = barrier_kernels.measure_gaps(*box, SMALLEST, below, above)
    return below, above, sums


def test_gaps_and_their_sums(box):
    w, lower, upper = box
    below, above, (logs, run_away) = gaps_of(box)
    floors = [SMALLEST * np.maximum(1.0, np.nan_to_num(np.abs(b), posinf=1.0)) for b in (lower, upper)]
    assert_array_equal(below, np.maximum(w - lower, floors[0]))
    assert_array_equal(above, np.maximum(upper - w, floors[1]))
    has_lower, has_upper = np.isfinite(lower), np.isfinite(upper)
    assert logs == pytest.approx(np.log(below[has_lower]).sum() + np.log(above[has_upper]).sum())
    assert run_away == pytest.approx(
        below[has_lower & ~has_upper].sum() + above[has_upper & ~has_lower].sum()
    )


def test_barrier_gradient_is_the_derivative_of_the_sums(box, rng):
    w, lower, upper = box
    w = w + np.where(np.arange(40) == 0, 0.1, 0.0) - np.where(np.arange(40) == 1, 0.1, 0.0)
    lower[1], upper[0] = -np.inf, np.inf
    mu, damping = 0.3, 0.01
    gradient, direction = np.empty(40), rng.standard_normal(40)
    below, above, _ = gaps_of((w, lower, upper))
    barrier_kernels.add_barrier_gradient(np.zeros(40), below, above, mu, damping, gradient)

    def value(t):
        logs, run_away = gaps_of((w + t * direction, lower, upper))[2]
        return damping * run_away - mu * logs

    h = 1e-7 * min(below.min(), above.min())
    assert gradient @ direction == pytest.approx((value(h) - value(-h)) / (2 * h), rel=1e-5)


def test_step_limit_is_where_the_first_gap_has_lost_its_share(box, rng):
    below, above, _ = gaps_of(box)
    dw = rng.standard_normal(40)
    low, high = np.isfinite(below), np.isfinite(above)

    def least_share(alpha):
        remaining = 1.0 + alpha * dw[low] / below[low], 1.0 - alpha * dw[high] / above[high]
        return np.concatenate(remaining).min()

    alpha = barrier_kernels.primal_limit(dw, below, above, 0.9, 1.0)
    assert 0.0 < alpha < 1.0
    assert least_share(alpha) == pytest.approx(0.1)
    assert barrier_kernels.primal_limit(1e-20 * dw, below, above, 0.9, 5.0) == 5.0


def test_multipliers_after_a_full_newton_step_are_central_to_first_order(box):
    below, above, _ = gaps_of(box)
    zl, zu = np.isfinite(below) * 2.0, np.isfinite(above) * 3.0
    dzl, dzu, new = np.empty(40), np.empty(40), np.empty(40)
    barrier_kernels.bound_steps(np.zeros(40), zl, zu, below, above, 0.1, dzl, dzu)
    barrier_kernels.safeguarded_step(zl, dzl, 1.0, below, 0.1, 1e10, new)
    assert_allclose(new[np.isfinite(below)], 0.1 / below[np.isfinite(below)])
    assert_array_equal(new[np.isinf(below)], 0.0)
    alpha = barrier_kernels.dual_limit(zl, zu, dzl, dzu, 0.5)
    assert (zl + alpha * dzl >= 0.5 * zl - 1e-12).all()
    assert (zu + alpha * dzu >= 0.5 * zu - 1e-12).all()


def test_optimality_parts(box, rng):
    below, above, _ = gaps_of(box)
    gradient, c, y = rng.standard_normal(40), rng.standard_normal(7), rng.standard_normal(7)
    zl, zu = np.isfinite(below) * rng.random(40), np.isfinite(above) * rng.random(40)
    parts = barrier_kernels.optimality_parts(gradient, c, y, zl, zu, below, above)
    low, high = np.isfinite(below), np.isfinite(above)
    products = np.concatenate([below[low] * zl[low], above[high] * zu[high]])
    expected = (
        np.abs(gradient - zl + zu).max(),
        np.abs(c).max(),
        products.min(),
        products.max(),
        np.abs(y).sum(),
        (zl + zu).sum(),
        products.sum(),
    )
    assert_allclose(parts, expected, rtol=1e-14)
    gradient[3], c[2] = np.nan, np.nan
    assert np.isnan(barrier_kernels.optimality_parts(gradient, c, y, zl, zu, below, above)[:2]).all()


def test_symmetric_product(rng):
    rows, columns = (a.astype(np.int64) for a in np.tril_indices(6))
    values, v, out = rng.standard_normal(rows.size), rng.standard_normal(6), rng.standard_normal(6)
    lower = np.zeros((6, 6))
    lower[rows, columns] = values
    expected = out + (lower + np.tril(lower, -1).T) @ v
    merit_kernels.add_symmetric_product(rows, columns, values, v, out)
    assert_allclose(out, expected, rtol=1e-13)


@pytest.mark.parametrize("rows", [[0, 2, 3], [0, 1, 1, 3, 3, 3]])
def test_elimination_of_the_tail_solves_the_whole_system(rng, rows):
    n, m = 5, 4
    tail_rows = np.array(rows)
    k = tail_rows.size
    signs = np.where(rng.random(k) < 0.5, 1.0, -1.0)
    sigma, J = rng.uniform(0.5, 2.0, n + k), rng.standard_normal((m, n))
    gradient, c = rng.standard_normal(n + k), rng.standard_normal(m)
    primal, dual, tail_sigma = np.empty(n), np.empty(m), np.empty(k)
    newton_kernels.reduced_diagonals(
        sigma, np.full(n + k, 0.2), 0.1, 1e-3, 1e-14, tail_rows, primal, dual, tail_sigma
    )
    rhs, dw = np.empty(n + m), np.empty(n + k)
    newton_kernels.reduced_right_side(gradient, c, tail_rows, signs, tail_sigma, rhs)
    K = np.block([[np.diag(primal), J.T], [J, -np.diag(dual)]])
    solution = np.linalg.solve(K, rhs)
    newton_kernels.recovered_step(solution, gradient, tail_rows, signs, tail_sigma, dw)
    A = np.hstack([J, np.zeros((m, k))])
    A[tail_rows, n + np.arange(k)] = signs
    whole = np.block([[np.diag(sigma + 0.3), A.T], [A, -1e-3 * np.eye(m)]])
    assert_allclose(whole @ np.concatenate([dw, solution[n:]]), -np.concatenate([gradient, c]), atol=1e-12)


def test_gathering_says_whether_all_numbers_are_finite():
    values, out = np.array([1.0, np.inf, -2.0, np.nan]), np.empty(2)
    assert form_kernels.gather_scaled(values, np.array([0, 2]), 3.0, out)
    assert_array_equal(out, [3.0, -6.0])
    assert not form_kernels.gather_scaled(values, np.array([0, 1]), 3.0, out)
    assert not form_kernels.gather_weighted(values, np.array([3, 0]), np.ones(2), out)
    assert form_kernels.all_finite(np.array([1e308, 1e308]))  # whose sum is not
    assert form_kernels.all_finite(np.zeros(0))


def test_errors_of_intervals_are_relative_to_the_bound():
    lower, upper = np.array([-np.inf, 100.0, 0.0]), np.array([1.0, np.inf, 0.0])
    assert interval_violation(np.array([0.0, 90.0, 0.05]), lower, upper) == pytest.approx(0.1)
    assert np.isnan(interval_violation(np.array([0.0, np.nan, 0.0]), lower, upper))
    # The second multiplier has no bound of its sign, the third one is at a small distance from its bound.
    multipliers = np.array([0.0, 0.5, -0.25])
    assert complementarity_error(np.array([0.0, 100.0, 0.05]), multipliers, lower, upper, 10.0) == 0.05
    multipliers[1] = 0.0
    assert complementarity_error(np.array([0.0, 100.0, 0.05]), multipliers, lower, upper, 10.0) == 0.0125
