"""cvxpy problems as NLP: derivatives, starts, what is refused, and that cvxpy's problem stays as it was."""

import pickle
import sys

import numpy as np
import pytest

from karush import problems
from karush.problems import cvxpy_problems

cp = pytest.importorskip("cvxpy", reason="needs karush[cvxpy]")

PARTS = ("objective", "gradient", "constraints", "jacobian_values", "hessian_values")


def nonlinear():
    x = cp.Variable(3, name="x", value=[0.3, 0.7, 1.2])
    y = cp.Variable((2, 2), name="y", value=[[0.5, 0.2], [0.9, 0.4]])
    objective = cp.sum(cp.exp(x)) + cp.sum(cp.multiply(x[:2], y[0])) + cp.sum_squares(y @ x[:2])
    constraints = [
        cp.nlp.sin(x[0]) + x[1] * x[2] <= 3,
        cp.sum(cp.log(y)) >= -9,
        cp.sum_squares(x) == 2,
        cp.nlp.tanh(y) <= 0.9,
    ]
    return cp.Problem(cp.Minimize(objective), constraints)


def test_derivatives():
    problem = problems.from_cvxpy(nonlinear())
    rng = np.random.default_rng(0)
    x = problem.x0 + 0.05 * rng.random(problem.n)
    y, sigma, h = rng.standard_normal(problem.m), 1.7, 1e-6

    def lagrangian(point):
        return sigma * problem.gradient(point) + problem.vjp(point, y)

    def slopes(fun):
        return np.array([(fun(x + h * e) - fun(x - h * e)) / (2 * h) for e in np.eye(problem.n)]).T

    np.testing.assert_allclose(problem.gradient(x), slopes(problem.objective), atol=1e-8)
    np.testing.assert_allclose(problem.jacobian(x).toarray(), slopes(problem.constraints), atol=1e-8)
    np.testing.assert_allclose(problem.hessian(x, y, sigma).toarray(), slopes(lagrangian), atol=1e-7)


def test_values_are_those_of_cvxpy():
    original = nonlinear()
    problem = problems.from_cvxpy(original)
    assert problem.objective(problem.x0) == pytest.approx(original.objective.value, rel=1e-14)
    assert (problem.cl > problem.cu).sum() == 0
    x = original.variables()[0]
    original_rows = np.concatenate([np.ravel(c.expr.value, order="F") for c in original.constraints])
    lowered = problem.constraints(problem.x0)
    for value in original_rows:
        assert np.abs(np.abs(lowered) - abs(value)).min() < 1e-12
    np.testing.assert_array_equal(x.value, [0.3, 0.7, 1.2])


def test_order_of_calls_does_not_matter():
    # The engine differentiates wherever it was last evaluated.
    rng = np.random.default_rng(1)
    problem = problems.from_cvxpy(nonlinear())
    points = [problem.x0 + 0.1 * rng.random(problem.n) for _ in range(3)]
    y = rng.standard_normal(problem.m)
    arguments = {name: (y,) if name == "hessian_values" else () for name in PARTS}
    expected = {}
    for k, x in enumerate(points):
        fresh = problems.from_cvxpy(nonlinear())
        for name in PARTS:
            expected[k, name] = np.array(getattr(fresh, name)(x, *arguments[name]))
    for _ in range(100):
        k, name = int(rng.integers(3)), PARTS[rng.integers(len(PARTS))]
        found = getattr(problem, name)(points[k], *arguments[name])
        np.testing.assert_array_equal(found, expected[k, name])


def test_starts():
    x = cp.Variable(4, bounds=[[0.0, -np.inf, 2.0, -np.inf], [4.0, 7.0, np.inf, np.inf]])
    y = cp.Variable(2, value=[5.0, 6.0])
    original = cp.Problem(cp.Minimize(cp.sum_squares(x) + cp.sum_squares(y)))
    problem = problems.from_cvxpy(original)
    np.testing.assert_array_equal(problem.x0, [2.0, 6.0, 3.0, 0.0, 5.0, 6.0])
    np.testing.assert_array_equal(problem.lb, [0.0, -np.inf, 2.0, -np.inf, -np.inf, -np.inf])
    moved = problems.from_cvxpy(original, {x: [1.0, 2.0, 3.0, 4.0]})
    np.testing.assert_array_equal(moved.x0, [1.0, 2.0, 3.0, 4.0, 5.0, 6.0])
    assert x.value is None
    np.testing.assert_array_equal(y.value, [5.0, 6.0])


def test_symmetric_diagonal_and_sparse_variables_become_smaller():
    symmetric, diagonal = cp.Variable((3, 3), symmetric=True), cp.Variable((3, 3), diag=True)
    sparse = cp.Variable((3, 3), sparsity=([0, 1], [1, 2]))
    symmetric.value = np.arange(9.0).reshape(3, 3) + np.arange(9.0).reshape(3, 3).T
    objective = cp.sum_squares(symmetric - 1) + cp.sum_squares(diagonal) + cp.sum_squares(sparse - 2)
    problem = problems.from_cvxpy(cp.Problem(cp.Minimize(objective)))
    assert problem.n == 6 + 3 + 2
    expected = np.sum((symmetric.value - 1) ** 2) + 4.0 * 9
    assert problem.objective(problem.x0) == pytest.approx(expected)


def test_objective_or_constraints_alone():
    x = cp.Variable(3)
    free = problems.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(x - 1))))
    assert (free.n, free.m) == (3, 0)
    assert free.constraints(np.zeros(3)).shape == (0,)
    assert free.jacobian(np.zeros(3)).shape == (0, 3)
    equations = problems.from_cvxpy(cp.Problem(cp.Minimize(0), [x == [1, 2, 3]]))
    np.testing.assert_array_equal(equations.gradient(np.ones(3)), np.zeros(3))
    assert equations.hessian(np.ones(3), np.ones(3)).nnz == 0


x = cp.Variable(2, name="x")
REFUSED = {
    "no problem": (lambda: 3, TypeError, "problem must be a cvxpy.Problem, got int"),
    "integers": (
        lambda: cp.Problem(cp.Minimize(cp.Variable(integer=True, name="k"))),
        ValueError,
        r"integer variables \(k\)",
    ),
    "complex": (
        lambda: cp.Problem(cp.Minimize(cp.real(cp.Variable(complex=True, name="w")))),
        ValueError,
        "complex variables: w",
    ),
    "semidefinite": (
        lambda: cp.Problem(cp.Minimize(cp.trace(cp.Variable((2, 2), PSD=True, name="S")))),
        ValueError,
        "semidefinite variables: S",
    ),
    "cone": (
        lambda: cp.Problem(cp.Minimize(cp.sum(x)), [x >= 0, cp.SOC(x[0], x[1:])]),
        ValueError,
        "these parts are none: SOC .*conic solvers",
    ),
    "not DNLP": (
        lambda: cp.Problem(cp.Minimize(-cp.abs(x[0])), [cp.abs(x[1]) >= 1]),
        ValueError,
        "these parts are none: Minimize .*; Inequality",
    ),
    "parameter": (
        lambda: cp.Problem(cp.Minimize(cp.sum_squares(x) * cp.Parameter(nonneg=True, name="p"))),
        ValueError,
        "parameters without a value: p",
    ),
}


@pytest.mark.parametrize(("make", "error", "text"), REFUSED.values(), ids=REFUSED.keys())
def test_what_is_refused(make, error, text):
    with pytest.raises(error, match=text):
        problems.from_cvxpy(make())


@pytest.mark.parametrize(
    ("start", "error", "text"),
    [
        ([1, 2], TypeError, "start must be a mapping of variables to values, got list"),
        ({x: np.ones(3)}, ValueError, "start of x: "),
        ({cp.Variable(name="other"): 1.0}, TypeError, "start has the key other"),
        ({"x": 1.0}, TypeError, "start has the key x"),
    ],
)
def test_bad_starts(start, error, text):
    with pytest.raises(error, match=text):
        problems.from_cvxpy(cp.Problem(cp.Minimize(cp.sum_squares(x))), start)


def test_missing_and_old_cvxpy(monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(cp, "__version__", "1.8.2")
        with pytest.raises(ImportError, match=r"need cvxpy 1.9, not 1.8.2"):
            problems.from_cvxpy(3)
        patch.setattr(cp, "__version__", "1.10.0")
        assert cvxpy_problems.import_cvxpy() is cp
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "cvxpy", None)
        with pytest.raises(ImportError, match=r"pip install 'karush\[cvxpy\]'"):
            problems.from_cvxpy(3)
    with monkeypatch.context() as patch:
        patch.setitem(sys.modules, "cvxpy.reductions.dnlp2smooth.dnlp2smooth", None)
        with pytest.raises(ImportError, match="has moved what karush needs"):
            problems.from_cvxpy(nonlinear())


def test_it_stays_in_its_process():
    with pytest.raises(TypeError, match="build the cvxpy problem there"):
        pickle.dumps(problems.from_cvxpy(nonlinear()))
