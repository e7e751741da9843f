"""The registered bilevel problems: derivatives, known answers, options, names."""

import numpy as np
import pytest

from karush.problems.bilevel.collection import learning
from karush.problems.bilevel.lower_level import LowerLevel
from karush.problems.bilevel.problem import BilevelProblem
from karush.problems.bilevel.registry import bilevel_problems, get_bilevel, register_bilevel
from karush.problems.registry import UnknownProblemError
from karush.solvers.bilevel.certificate import certify_bilevel
from karush.solvers.bilevel.minimize import minimize_bilevel

NAMES = [entry.name for entry in bilevel_problems()]

ANSWERS = {
    "LLC": (np.full(10, -0.3), np.repeat([0.7, -0.4], 10)),
    "LLC-BILINEAR": (np.ones(10), np.repeat([2.0, -3.0], 10)),
    "WAVES": ([1.2151455], [-1.2151455]),
    "COUPLED-WAVES": ([0.9862248], [0.9862248]),
    "FOLLOW": ([0.0], [0.0]),
    "KINK": ([-1.0], [0.0]),
    "JUMP": ([0.0], [0.0]),
}


@pytest.mark.parametrize("name", NAMES)
def test_derivatives(name):
    problem = get_bilevel(name)
    rng = np.random.default_rng(1)
    w = problem.join(problem.x0, problem.y0) + 0.1 * rng.standard_normal(problem.n_x + problem.n_y)
    d, h = rng.standard_normal(w.size), 1e-6
    for level in (problem.upper, problem.lower):
        assert level.capabilities.first == "exact"
        assert level.capabilities.second == "exact"
        slope = (level.objective(w + h * d) - level.objective(w - h * d)) / (2.0 * h)
        assert level.gradient(w) @ d == pytest.approx(slope, rel=1e-6, abs=1e-7)
        bend = (level.gradient(w + h * d) - level.gradient(w - h * d)) / (2.0 * h)
        np.testing.assert_allclose(level.hessian(w) @ d, bend, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ANSWERS)
def test_known_answers(name):
    problem = get_bilevel(name)
    x, y = (np.asarray(part, dtype=float) for part in ANSWERS[name])
    assert problem.upper.objective(problem.join(x, y)) == pytest.approx(problem.optimum, abs=1e-6)
    found = certify_bilevel(problem, x, y, tol=1e-5)
    assert found.feasible


def test_many_answers_has_its_nearest_one():
    """Among random lower answers none is nearer to w0."""
    problem = get_bilevel("MANY-ANSWERS")
    M = np.linalg.cholesky(problem.lower.hessian(problem.upper.x0).toarray() + 1e-14 * np.eye(15))
    assert np.linalg.matrix_rank(M, tol=1e-6) == 4
    rng = np.random.default_rng(0)
    for _ in range(20):
        w = 2.0 * rng.standard_normal(15)
        w -= np.linalg.lstsq(problem.lower.hessian(w).toarray(), problem.lower.gradient(w))[0]
        assert problem.lower.objective(w) < 1e-20
        assert problem.upper.objective(w) >= problem.optimum


def test_sizes():
    assert get_bilevel("llc", n=10_000).n_y == 20_000
    assert get_bilevel("TV-WEIGHTS", side=6, blocks=3).n_x == 9
    assert get_bilevel("RIDGE", features=7, per_feature=False).n_x == 1
    for name in NAMES:
        problem = get_bilevel(name)
        assert isinstance(problem, BilevelProblem)
        assert problem.name == name


@pytest.mark.parametrize(
    ("name", "data"), [("RIDGE", "diabetes"), ("LOGISTIC", "wine"), ("HYPER-CLEANING", "wine")]
)
def test_shipped_data(name, data):
    pytest.importorskip("sklearn")
    problem = get_bilevel(name, data=data)
    assert np.isfinite(problem.lower.gradient(problem.join(problem.x0, problem.y0))).all()
    with pytest.raises(ValueError, match="data must be"):
        get_bilevel(name, data="iris?")


@pytest.mark.parametrize(
    ("name", "limit"), [("LOGISTIC", "LOGISTIC_MATRIX"), ("HYPER-CLEANING", "CLEANING_MATRIX")]
)
def test_products_are_those_of_the_matrices(name, limit, monkeypatch):
    matrices = get_bilevel(name)
    monkeypatch.setattr(learning, limit, 0)
    products = get_bilevel(name)
    rng = np.random.default_rng(5)
    w, v = rng.standard_normal((2, matrices.n_x + matrices.n_y))
    for level in ("upper", "lower"):
        by_product, by_matrix = getattr(products, level), getattr(matrices, level)
        assert not by_product.capabilities.hessian_matrix
        np.testing.assert_allclose(by_product.hvp(w, v), by_matrix.hvp(w, v), rtol=1e-12, atol=1e-14)
    x, y = matrices.split(w)
    at_x = [LowerLevel(problem, x).hessian(y).toarray() for problem in (products, matrices)]
    np.testing.assert_allclose(*at_x, rtol=1e-12, atol=1e-14)


def test_hyper_cleaning_of_many_samples():
    problem = get_bilevel("HYPER-CLEANING", samples=5000)
    result = minimize_bilevel(problem, method="implicit")
    assert result.success
    assert result.fun < problem.upper.objective(problem.join(problem.x0, problem.y0))
    assert "lower hessian" not in result.counts


def test_the_registry_says_what_is_wrong():
    with pytest.raises(UnknownProblemError, match="LLC"):
        get_bilevel("LLCC")
    with pytest.raises(TypeError, match="name must be a str"):
        get_bilevel(3)
    with pytest.raises(TypeError, match="LLC takes the options n, not size"):
        get_bilevel("LLC", size=3)
    with pytest.raises(ValueError, match="registered already"):
        register_bilevel("LLC")(lambda: None)
    assert all(entry.summary for entry in bilevel_problems())
