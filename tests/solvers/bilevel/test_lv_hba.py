"""LV-HBA: known answers, the value function, the published loop, what is refused."""

import numpy as np
import pytest

import karush
from karush.problems.bilevel import bilevel_from_callables
from karush.problems.bilevel.registry import get_bilevel
from karush.solvers.bilevel.constrained_descent import ScaledRows
from karush.solvers.bilevel.lower_value import LowerValue
from karush.solvers.bilevel.lv_hba import LVHBA
from karush.solvers.bilevel.lv_hba_published import PublishedLVHBA

ANSWERS = {
    "LLC": -0.3,
    "LLC-BILINEAR": 1.0,
    "COUPLED-WAVES": 0.9862248,
    "FOLLOW": 0.0,
    "KINK": -1.0,
    "JUMP": 0.0,
}


@pytest.mark.parametrize("projection", [None, False])
@pytest.mark.parametrize("name", list(ANSWERS))
def test_known_answers(name, projection):
    problem = get_bilevel(name)
    result = karush.minimize_bilevel(problem, method=LVHBA(projection=projection))
    assert result.success, result.message
    assert result.penalised.sigma == 1.0 / result.record["c"]
    assert result.penalised.residual == result.record["residual"]
    np.testing.assert_allclose(result.x, ANSWERS[name], atol=1e-5)
    assert result.fun == pytest.approx(problem.optimum, abs=1e-6)


@pytest.mark.parametrize("projection", [None, False])
@pytest.mark.parametrize("n", [100, 300])
@pytest.mark.parametrize("name", ["LLC", "LLC-BILINEAR"])
def test_large_problems(name, n, projection):
    """Values are sums of many terms there: their rounding must not end a search or raise a weight."""
    result = karush.minimize_bilevel(get_bilevel(name, n=n), method=LVHBA(projection=projection))
    assert result.success, result.message
    np.testing.assert_allclose(result.x, ANSWERS[name], atol=1e-5)


def test_a_thousand_upper_variables():
    """Steps are projected onto equations of any size."""
    result = karush.minimize_bilevel(get_bilevel("LLC", n=1000), method=LVHBA())
    assert result.success, result.message
    np.testing.assert_allclose(result.x, -0.3, atol=1e-5)
    assert result.counts["upper gradient"] < 500


def test_many_lower_solutions():
    problem = get_bilevel("MANY-ANSWERS")
    result = karush.minimize_bilevel(problem, method=LVHBA())
    assert result.success, result.message
    assert result.fun == pytest.approx(problem.optimum, abs=1e-6)


def test_a_local_answer_of_waves():
    result = karush.minimize_bilevel(get_bilevel("WAVES"), method=LVHBA())
    assert result.success
    assert min(abs(result.x[0] - np.array([0.3823601, 1.2151455, 2.8296418]))) <= 1e-5


def test_the_value_function():
    """Its gradient is the difference quotient, and its multiplier that of the lower level."""
    problem = get_bilevel("COUPLED-WAVES")
    x, y = np.array([0.8]), np.array([0.6])
    rows = ScaledRows(problem.lower, np.concatenate([x, y]))
    value = LowerValue(problem, rows, 5.0, 5.0, 10)
    found = value.at(x, y, 1e-12)
    h = 1e-4
    by_x = (value.at(x + h, y, 1e-12).v - value.at(x - h, y, 1e-12).v) / (2 * h)
    by_y = (value.at(x, y + h, 1e-12).v - value.at(x, y - h, 1e-12).v) / (2 * h)
    np.testing.assert_allclose(found.gradient, [by_x, by_y], atol=1e-6)
    # at y* = x: v = f and lam = 2x
    assert value.at(x, x, 1e-12).v == pytest.approx(0.64, abs=1e-9)
    assert (rows.scale * value.z)[0] == pytest.approx(1.6, abs=1e-8)


@pytest.mark.parametrize("scale", [0.1, 1e3])
def test_the_scale_of_g_does_not_matter(scale):
    problem = bilevel_from_callables(
        lambda x, y: (x[0] - 2.0) ** 2 + (y[0] - 2.0) ** 2,
        lambda x, y: (y[0] - 2.0 * x[0]) ** 2,
        [0.5],
        [0.0],
        upper_jac=lambda x, y: 2.0 * np.array([x[0] - 2.0, y[0] - 2.0]),
        lower_jac=lambda x, y: (y[0] - 2.0 * x[0]) * np.array([-4.0, 2.0]),
        lower_constraints={
            "type": "ineq",
            "fun": lambda x, y: scale * (1.0 - y[0] ** 2 - x[0] ** 2),
            "jac": lambda x, y: -2.0 * scale * np.array([[x[0], y[0]]]),
        },
        lower_convex=True,
    )
    result = karush.minimize_bilevel(problem, method=LVHBA())
    expected = karush.minimize_bilevel(problem, method="kkt")
    assert result.success, result.message
    np.testing.assert_allclose([result.x, result.y], [expected.x, expected.y], atol=1e-5)


def test_the_published_loop_needs_many_more_oracles():
    problem = get_bilevel("LLC")
    published = karush.minimize_bilevel(problem, method=PublishedLVHBA(), max_iterations=20)
    ours = karush.minimize_bilevel(problem, method=LVHBA())
    assert np.isfinite(published.x).all()
    assert abs(published.x + 0.3).max() < abs(problem.x0 + 0.3).max()
    assert abs(ours.x + 0.3).max() < 1e-3 * abs(published.x + 0.3).max()
    assert sum(ours.counts.values()) < 0.5 * sum(published.counts.values())


def test_refusals():
    problem = bilevel_from_callables(
        lambda x, y: x[0] ** 2 + y[0] ** 2,
        lambda x, y: (y[0] - x[0]) ** 2,
        [1.0],
        [1.0],
        upper_constraints={"type": "ineq", "fun": lambda x, y: x[0] + y[0] - 1.0},
    )
    with pytest.raises(ValueError, match="upper constraints beyond the set X"):
        karush.minimize_bilevel(problem, method=LVHBA())
    with pytest.raises(ValueError, match="c0 must be a number > 0, got 0"):
        LVHBA(c0=0.0)
