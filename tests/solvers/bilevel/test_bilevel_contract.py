"""The contract that every bilevel method keeps; a new one is tested by being registered."""

import time

import numpy as np
import pytest

import karush
from karush.problems.bilevel import bilevel_from_callables
from karush.solvers.bilevel.minimize import bilevel_method, bilevel_method_names

CENTER = np.array([0.5, -0.25, 2.0])


def tracking(**changes):
    """y follows sin x by a strongly convex lower level; x is bounded, with bounds active at the answer."""

    def upper(x, y):
        return 0.5 * np.sum((x - CENTER) ** 2) + 0.5 * np.sum((y - 1.0) ** 2)

    def upper_jac(x, y):
        return x - CENTER, y - 1.0

    def lower(x, y):
        return np.sum(0.5 * y**2 + 0.1 * np.log(np.cosh(y)) - np.sin(x) * y)

    def lower_jac(x, y):
        return -np.cos(x) * y, y + 0.1 * np.tanh(y) - np.sin(x)

    def lower_hess(x, y):
        mixed = np.diag(-np.cos(x))
        return np.block([[np.diag(np.sin(x) * y), mixed], [mixed, np.diag(1.0 + 0.1 / np.cosh(y) ** 2)]])

    parts = {
        "upper": upper,
        "lower": lower,
        "x0": np.zeros(3),
        "y0": np.zeros(3),
        "upper_jac": upper_jac,
        "upper_hess": lambda x, y: np.eye(6),
        "lower_jac": lower_jac,
        "lower_hess": lower_hess,
        "x_bounds": [(-1.0, 1.0)] * 3,
        "lower_convex": True,
    }
    return {**parts, **changes}


def takers():
    """Every registered method but those that want samples in place of functions."""
    problem = bilevel_from_callables(**tracking())
    return [name for name in bilevel_method_names() if bilevel_method(name).refusal(problem) is None]


pytestmark = pytest.mark.parametrize("method", takers())


def solve(method, parts, **options):
    return karush.minimize_bilevel(bilevel_from_callables(**parts), method=method, **options)


def test_answer_and_certificate(method):
    result = solve(method, tracking(), max_time=60.0)
    assert result.success, result.message
    # An independent route: y by Newton's method, x by a fine search in each coordinate, which separate.
    grid = np.linspace(-1.0, 1.0, 400_001)
    y = np.sin(grid) / 1.1
    for _ in range(50):
        y -= (y + 0.1 * np.tanh(y) - np.sin(grid)) / (1.0 + 0.1 / np.cosh(y) ** 2)
    best = [grid[np.argmin(0.5 * (grid - c) ** 2 + 0.5 * (y - 1.0) ** 2)] for c in CENTER]
    np.testing.assert_allclose(result.x, best, atol=2e-5)
    assert result.certificate.holds
    assert karush.certify_bilevel(bilevel_from_callables(**tracking()), result.x, result.y).holds
    assert {"total", "certificate"} <= result.time.keys()
    assert result.counts["lower gradient"] > 0


def test_same_rng_same_bits(method):
    first, second = (solve(method, tracking(), rng=3, max_iterations=3) for _ in range(2))
    assert first.x.tobytes() == second.x.tobytes()
    assert first.y.tobytes() == second.y.tobytes()
    assert first.counts == second.counts


def test_stop_iteration_returns_a_point(method):
    def stop(intermediate_result):
        raise StopIteration

    result = solve(method, tracking(), callback=stop)
    assert result.status is karush.Status.USER_STOP
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.y).all()


def test_max_time_is_kept(method):
    def slow(x, y):
        time.sleep(0.01)
        return tracking()["lower"](x, y)

    started = time.perf_counter()
    result = solve(method, tracking(lower=slow), max_time=0.2)
    assert time.perf_counter() - started < 30.0  # the certificate solves the lower level once more
    assert np.isfinite(result.x).all()


def test_exceptions_pass(method):
    calls = []

    def upper(x, y):
        calls.append(1)
        if len(calls) > 4:
            raise RuntimeError("mine")
        return tracking()["upper"](x, y)

    with pytest.raises(RuntimeError, match="mine"):
        solve(method, tracking(upper=upper))


def test_an_interrupt_ends_the_run_with_a_point(method):
    """Also one that comes while a problem within the run is solved."""
    calls = []

    def upper(x, y):
        calls.append(1)
        if len(calls) == 7:
            raise KeyboardInterrupt
        return tracking()["upper"](x, y)

    result = solve(method, tracking(upper=upper))
    assert result.status is karush.Status.INTERRUPTED
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.y).all()


def test_callers_arrays_and_bounds(method):
    x0, y0 = np.array([0.1, 0.2, 0.3]), np.array([0.1, 0.0, -0.1])
    kept = x0.copy(), y0.copy()
    seen = []

    def upper(x, y):
        seen.append(np.array(x))
        value = tracking()["upper"](x, y)
        x[:] = 99.0  # what is handed out is the user's to spoil
        return value

    result = solve(method, tracking(upper=upper, x0=x0, y0=y0), max_time=60.0)
    np.testing.assert_array_equal(x0, kept[0])
    np.testing.assert_array_equal(y0, kept[1])
    assert np.max(np.abs(seen)) <= 1.0 + 1e-12
    assert np.abs(result.x).max() <= 1.0


def test_nan_away_from_the_start(method):
    def upper(x, y):
        return tracking()["upper"](x, y) if x[2] < 0.9 else np.nan

    result = solve(method, tracking(upper=upper), max_time=2.0, max_iterations=200)
    assert np.isfinite(result.fun)
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.y).all()
