"""Coupled problems of any size: their known answers, and the models they are written in."""

import numpy as np
import pytest

from karush.problems.bilevel import BilevelModel, Box, Simplex, get_bilevel
from karush.problems.bilevel.lower_level import LowerLevel
from karush.solvers.bilevel.certificate import certify_bilevel
from karush.solvers.bilevel.lower_solution import solve_lower
from karush.solvers.bilevel.minimize import minimize_bilevel

ANSWERS = {"CHAIN": (2.1, [0.7]), "LLC-BLOCKS": (-0.3, [0.7, -0.4])}


def answer(name, n):
    x, y = ANSWERS[name]
    return np.full(n, x), np.repeat(y, n)


def lower_answers(problem, count, rng):
    """Lower solutions at random x, with multipliers."""
    for _ in range(count):
        x = rng.uniform(-3.0, 5.0, problem.n_x)
        yield x, solve_lower(problem, x, problem.y0, 1e-9)


@pytest.mark.parametrize("name", ANSWERS)
def test_known_answers(name):
    problem = get_bilevel(name, n=10)
    x, y = answer(name, 10)
    found = certify_bilevel(problem, x, y)
    assert found.holds
    assert found.kind == "strong"
    np.testing.assert_allclose(found.F, problem.optimum, rtol=1e-12)
    for x, lower in lower_answers(problem, 20, np.random.default_rng(0)):
        assert problem.upper.objective(problem.join(x, lower.y)) > problem.optimum


def test_the_proof_of_chain():
    """F + c l'(M M'l - x) is F at lower answers, and strictly convex with its minimum at the known one."""
    n, c = 10, 3.0 / 7.0
    problem = get_bilevel("CHAIN", n=n)
    M = 2.0 * np.eye(n) + np.roll(np.eye(n), 1, axis=1)

    def bound(x, multipliers):
        y = M.T @ multipliers
        F = problem.upper.objective(problem.join(x, y))
        return F + c * multipliers @ (M @ y - x)

    for x, lower in lower_answers(problem, 20, np.random.default_rng(1)):
        np.testing.assert_allclose(lower.y, -M.T @ lower.c, atol=1e-7)
        value = problem.upper.objective(problem.join(x, lower.y))
        assert bound(x, -lower.c) == pytest.approx(value, abs=1e-6)
    hessian = np.block([[np.eye(n), -c * np.eye(n)], [-c * np.eye(n), (1.0 + 2.0 * c) * M @ M.T]])
    assert np.linalg.eigvalsh(hessian)[0] > 0.5
    x, multipliers, h = np.full(n, 2.1), np.full(n, 0.7 / 3.0), 1e-5
    for e in np.eye(n):
        assert bound(x + h * e, multipliers) == pytest.approx(bound(x - h * e, multipliers), abs=1e-13)
        assert bound(x, multipliers + h * e) == pytest.approx(bound(x, multipliers - h * e), abs=1e-13)


def test_blocks_answer_is_affine_in_x():
    """So that F(x, y*(x)) is convex there, and the certified answer is the only one."""
    problem = get_bilevel("LLC-BLOCKS", n=7, block=3)
    rng = np.random.default_rng(2)
    (a, at_a), (b, at_b) = lower_answers(problem, 2, rng)
    middle = solve_lower(problem, 0.5 * (a + b), problem.y0, 1e-9).y
    np.testing.assert_allclose(middle[:7], 0.5 * (at_a.y + at_b.y)[:7], atol=1e-6)  # y1; y2 is not unique
    assert certify_bilevel(problem, *answer("LLC-BLOCKS", 7)).holds


@pytest.mark.parametrize("name", ANSWERS)
@pytest.mark.parametrize("n", [10, 10_000])
def test_solved(name, n):
    problem = get_bilevel(name, n=n)
    result = minimize_bilevel(problem, method="kkt", max_iterations=1, tol=1e-6)
    x, y = answer(name, n)
    assert result.success
    np.testing.assert_allclose(result.x, x, atol=1e-6)
    np.testing.assert_allclose(result.y, y, atol=1e-6)


def test_matrices_are_sparse():
    problem = get_bilevel("CHAIN", n=10_000)
    assert problem.lower.jacobian_structure()[1].size == 30_000
    assert LowerLevel(problem, problem.x0).hessian_structure()[1].size == 10_000


def test_models_agree_with_callables():
    """LLC by term families, one block, and by callables."""
    ours, other = get_bilevel("LLC-BLOCKS", n=6, block=6), get_bilevel("LLC", n=6)
    rng = np.random.default_rng(3)
    for w in rng.standard_normal((3, 18)):
        for level in ("upper", "lower"):
            a, b = getattr(ours, level), getattr(other, level)
            assert a.objective(w) == pytest.approx(b.objective(w), rel=1e-13)
            np.testing.assert_allclose(a.gradient(w), b.gradient(w), atol=1e-14)
            np.testing.assert_allclose(a.hessian(w).toarray(), b.hessian(w).toarray(), atol=1e-14)
            np.testing.assert_array_equal(a.jacobian(w).toarray(), b.jacobian(w).toarray())


def test_a_model_puts_bounds_where_they_belong():
    model = BilevelModel("bounds")
    x = model.upper.variables(2, start=[5.0, 0.5], lower=0.0, upper=1.0)
    y = model.lower.variables((2, 2), start=3.0, upper=[2.0, 4.0])
    model.upper.minimize(lambda a, b: (a + b) ** 2, x, y)
    model.upper.subject_to(lambda a: a, y[0], lower=-1.0)
    model.lower.minimize(lambda a, b: (a - b) ** 2, x, y)
    problem = model.build(optimum=1.0, source="here")
    assert (problem.n_x, problem.n_y, problem.upper.m, problem.lower.m) == (2, 4, 2, 0)
    assert (problem.name, problem.optimum, problem.source) == ("bounds", 1.0, "here")
    np.testing.assert_array_equal(problem.X.ub, [1.0, 1.0])
    np.testing.assert_array_equal(problem.Y.ub, [2.0, 4.0, 2.0, 4.0])
    np.testing.assert_array_equal(problem.x0, [1.0, 0.5])
    np.testing.assert_array_equal(problem.y0, [2.0, 3.0, 2.0, 3.0])
    assert np.isinf(problem.lower.lb[:2]).all()
    assert np.isinf(problem.upper.ub[2:]).all()


def test_a_model_takes_sets():
    model = BilevelModel()
    x, y = model.upper.variables(3, start=1.0), model.lower.variables(2)
    model.upper.minimize(lambda a: a**2, x)
    model.lower.minimize(lambda a, b: (a - b) ** 2, y, x[:2])
    problem = model.build(X=Simplex(3), Y=Box([0.0, 0.0], [1.0, 1.0]))
    np.testing.assert_allclose(problem.x0, 1.0 / 3.0)


def test_models_say_what_is_wrong():
    model = BilevelModel("late")
    model.upper.variables(1)
    with pytest.raises(ValueError, match="'late' has no variables of the lower level"):
        model.build()
    model.lower.variables(2)
    with pytest.raises(ValueError, match="'late': declare all variables of the upper level before"):
        model.upper.variables(1)
    assert model.build().n_x == 1
    empty = BilevelModel()
    empty.lower.variables(1)
    with pytest.raises(ValueError, match="no variables of the upper level"):
        empty.build()
    with pytest.raises(ValueError, match="block must be at least 1, got 0"):
        get_bilevel("LLC-BLOCKS", block=0)
