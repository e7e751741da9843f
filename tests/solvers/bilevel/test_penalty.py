"""The penalty methods: known answers, the formulas, what is refused, samples."""

import numpy as np
import pytest

import karush
from karush.problems.bilevel import Simplex, bilevel_from_callables
from karush.problems.bilevel.problem import Sampled
from karush.problems.bilevel.registry import get_bilevel
from karush.solvers.bilevel.driver import Run
from karush.solvers.bilevel.penalty import Penalty, _Inner
from karush.solvers.bilevel.penalty_path import PathPoint, extrapolated
from karush.solvers.bilevel.penalty_published import PublishedPenalty
from karush.solvers.bilevel.stochastic_penalty import StochasticPenalty
from karush.solvers.status import Status


@pytest.mark.parametrize(
    ("name", "x"),
    [
        ("WAVES", 1.2151455),
        ("FOLLOW", 0.0),
        ("KINK", -1.0),
        ("JUMP", 0.0),
        ("LLC", -0.3),
        ("LLC-BILINEAR", 1.0),
        ("COUPLED-WAVES", 0.9862248),
    ],
    ids=lambda value: str(value),
)
def test_known_answers(name, x):
    problem = get_bilevel(name)
    result = karush.minimize_bilevel(problem, method=Penalty())
    assert result.success, result.message
    np.testing.assert_allclose(result.x, x, atol=1e-5)
    assert result.fun == pytest.approx(problem.optimum, abs=1e-6)
    assert result.counts["lower gradient"] > 0


def test_constraints_of_a_large_lower_level():
    """As many oracles as for a small one."""
    result = karush.minimize_bilevel(get_bilevel("LLC", n=1000), method=Penalty())
    assert result.success, result.message
    np.testing.assert_allclose(result.x, -0.3, atol=1e-5)
    assert result.counts["lower gradient"] < 500


def test_a_support_vector_machine():
    """Inequalities, some active; there are kinks, where stationary points may differ a little."""
    problem = get_bilevel("SVM", samples=10)
    result = karush.minimize_bilevel(problem, method=Penalty())
    expected = karush.minimize_bilevel(problem, method="kkt", options={"patience": 1})
    assert result.success, result.message
    assert result.fun == pytest.approx(expected.fun, rel=1e-4)


@pytest.mark.parametrize("seed", [0, 1])
def test_many_lower_solutions(seed):
    """The nearest point to w0 is found among them."""
    problem = get_bilevel("MANY-ANSWERS", rng=seed)
    result = karush.minimize_bilevel(problem, method=Penalty())
    expected = karush.minimize_bilevel(problem, method="kkt", options={"patience": 1})
    assert result.success, result.message
    assert result.fun == pytest.approx(problem.optimum, abs=1e-6)
    np.testing.assert_allclose(result.x, expected.x, atol=1e-5)


@pytest.mark.parametrize("name", ["WAVES", "FOLLOW"])
def test_central_differences(name):
    problem = get_bilevel(name)
    result = karush.minimize_bilevel(problem, method=Penalty(central=True))
    assert result.success, result.message
    assert result.fun == pytest.approx(problem.optimum, abs=1e-6)


@pytest.mark.parametrize("central", [False, True])
def test_psi_and_its_gradient(central):
    """The gradient is that of psi; psi's error is of order sigma, or sigma^2 with central differences."""
    method = Penalty(tol=1e-8, central=central)
    problem = get_bilevel("FOLLOW")
    inner = _Inner(Run(method, problem), method, problem.y0)
    x, errors = np.array([0.7]), []
    for sigma in (0.1, 0.01):
        inner.sigma = sigma
        value, gradient = inner.psi(x)
        h = 1e-4
        difference = (inner.psi(x + h)[0] - inner.psi(x - h)[0]) / (2.0 * h)
        assert gradient[0] == pytest.approx(difference, abs=1e-6)
        errors.append(abs(value - ((0.7 - 1.0) ** 2 + (0.7 + 1.0) ** 2)))
    order = np.log10(errors[0] / errors[1])
    assert order == pytest.approx(2.0 if central else 1.0, abs=0.1)


def test_sets_above_and_below():
    """Simplices at both levels: y is x, and the nearest pair of points to the target is wanted."""
    target = np.array([0.9, 0.4, -0.5])
    problem = bilevel_from_callables(
        lambda x, y: np.sum((y - target) ** 2) + 0.1 * np.sum(x**2),
        lambda x, y: np.sum((y - x) ** 2),
        np.full(3, 1 / 3),
        np.full(3, 1 / 3),
        X=Simplex(3),
        Y=Simplex(3),
        lower_convex=True,
    )
    result = karush.minimize_bilevel(problem, method=Penalty())
    expected = Simplex(3).project(target / 1.1)
    np.testing.assert_allclose(result.x, expected, atol=1e-5)
    np.testing.assert_allclose(result.y, expected, atol=1e-5)


def test_the_path_is_extrapolated_exactly_where_it_is_a_polynomial():
    path = [PathPoint(s, np.array([3.0 + s - 2.0 * s**3])) for s in (0.5, 0.1, 0.02, 0.004)]
    assert extrapolated(path)[0] == pytest.approx(3.0, abs=1e-12)


def test_refusals():
    with pytest.raises(ValueError, match="lower constraints, which central differences do not take"):
        karush.minimize_bilevel(get_bilevel("LLC"), method=Penalty(central=True))
    with pytest.raises(ValueError, match="bounds on y"):
        karush.minimize_bilevel(get_bilevel("KINK"), method=Penalty(central=True))
    with pytest.raises(ValueError, match="no samples"):
        karush.minimize_bilevel(get_bilevel("FOLLOW"), method=StochasticPenalty())
    with pytest.raises(ValueError, match="sigma0 must be a number > 0, got -1"):
        Penalty(sigma0=-1.0)
    with pytest.raises(ValueError, match="batch must be >= 1, got 0"):
        StochasticPenalty(batch=0)


def test_central_differences_without_a_minimum_are_no_success():
    """f - sigma F falls without limit along the lower level's flat directions."""
    result = karush.minimize_bilevel(get_bilevel("MANY-ANSWERS"), method=Penalty(central=True))
    assert not result.success


def test_the_published_loop_needs_many_more_oracles():
    """It approaches FOLLOW's answer 0, with a bias of the order of its sigma, k^(-1/5)."""
    problem = get_bilevel("FOLLOW")
    published = karush.minimize_bilevel(problem, method=PublishedPenalty(), max_iterations=20)
    ours = karush.minimize_bilevel(problem, method=Penalty())
    assert published.penalised.sigma == pytest.approx(2000.0**-0.2)
    assert abs(published.x[0]) < 1.5 * published.penalised.sigma
    assert abs(ours.x[0]) < 1e-3 * abs(published.x[0])
    assert sum(ours.counts.values()) < 0.01 * sum(published.counts.values())


def noisy(noise):
    """y*(x) = x in the mean, F = ||x - 1||^2/2 + ||y||^2/2: x = y = 1/2."""

    def upper(x, y, batch):
        return 0.5 * np.sum((x - 1) ** 2) + 0.5 * np.sum(y**2), x - 1 + batch.mean(axis=0), y

    def lower(x, y, batch):
        away = y - x - batch.mean(axis=0)
        return 0.5 * np.sum(away**2), -away, away

    return bilevel_from_callables(
        lambda x, y: 0.5 * np.sum((x - 1) ** 2) + 0.5 * np.sum(y**2),
        lambda x, y: 0.5 * np.sum((y - x) ** 2),
        np.zeros(3),
        np.zeros(3),
        lower_convex=True,
        sampled=Sampled(lambda rng, size: noise * rng.standard_normal((size, 3)), upper, lower),
    )


@pytest.mark.parametrize("single_loop", [False, True])
def test_samples(single_loop):
    method = StochasticPenalty(single_loop=single_loop, max_iterations=60 if single_loop else 20)
    first = karush.minimize_bilevel(noisy(0.5), method=method, rng=3)
    again = karush.minimize_bilevel(noisy(0.5), method=method, rng=3)
    np.testing.assert_allclose(first.x, 0.5, atol=0.05)
    assert (first.x == again.x).all()
    assert not first.success
    assert first.penalised.sigma < 0.1
    assert np.isfinite(first.penalised.residual)


def test_samples_are_counted():
    """Lipschitz estimates on 32 draws, then batches of 16; STORM looks at two points on each."""
    problem = noisy(0.5)
    method = StochasticPenalty(single_loop=True, batch_iterations=1, max_iterations=1)
    first = karush.minimize_bilevel(problem, method=method)
    assert first.counts["upper sample gradient"] == 2 * 32 + 16
    assert first.counts["lower sample gradient"] == 2 * 32 + 2 * 16
    second = karush.minimize_bilevel(problem, method=method, max_iterations=2)
    assert second.counts["upper sample gradient"] == first.counts["upper sample gradient"] + 2 * 16
    assert second.counts["lower sample gradient"] == first.counts["lower sample gradient"] + 4 * 16


def test_the_result_has_the_residual_and_its_sigma():
    """At FOLLOW's answer 0, y_s = -sigma/(1 + sigma), so psi' = -2 + 2/(1 + sigma)."""
    problem = get_bilevel("FOLLOW")
    method = Penalty()
    result = karush.minimize_bilevel(problem, method=method)
    penalised = result.penalised
    assert penalised.residual <= 0.05 * method.tol
    assert penalised.residual == result.record["residual"]
    assert penalised.sigma == result.record["sigma"]
    inner = _Inner(Run(method, problem), method, problem.y0)
    inner.sigma = penalised.sigma
    expected = -2.0 + 2.0 / (1.0 + penalised.sigma)
    assert inner.psi(np.zeros(1))[1][0] == pytest.approx(expected, abs=1e-6)
    assert karush.minimize_bilevel(problem, method="kkt").penalised is None


@pytest.mark.parametrize("method", ["penalty", "lv-hba"])
def test_an_interrupt_within_the_first_step_keeps_what_it_found(method):
    problem = get_bilevel("RIDGE")
    calls = 0
    gradient = problem.upper.gradient

    def interrupted(w, out=None):
        nonlocal calls
        calls += 1
        if calls == 100:
            raise KeyboardInterrupt
        return gradient(w, out)

    problem.upper.gradient = interrupted
    result = karush.minimize_bilevel(problem, method=method)
    assert result.status is Status.INTERRUPTED
    assert result.nit == 0
    assert (result.x != problem.x0).any()
