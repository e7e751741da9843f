"""Problems of CasADi expressions: exact sparse derivatives, both kinds of symbols, what is refused."""

import pickle
import sys
from itertools import pairwise

import numpy as np
import pytest

import karush
from karush import problems

ca = pytest.importorskip("casadi", reason="needs karush[casadi]")


@pytest.fixture(params=["SX", "MX"])
def kind(request):
    return getattr(ca, request.param)


def hs71(kind):
    x = kind.sym("x", 4)
    f = x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2]
    g = ca.vertcat(x[0] * x[1] * x[2] * x[3] - 25, ca.sumsqr(x) - 40)
    return problems.from_casadi(x, f, g, x0=[1, 5, 5, 1], lbx=1, ubx=5, lbg=0, ubg=[np.inf, 0], name="hs71")


def test_same_as_the_native_problem(kind):
    problem, native = hs71(kind), problems.get("HS71")
    x, y = np.array([1.1, 2.2, 3.3, 4.4]), np.array([0.7, -1.3])
    for name in ("x0", "lb", "ub", "cl", "cu"):
        np.testing.assert_array_equal(getattr(problem, name), getattr(native, name))
    assert problem.objective(x) == pytest.approx(native.objective(x), rel=1e-14)
    for name, arguments in (("gradient", ()), ("constraints", ()), ("hvp", (x[::-1].copy(), y, 0.5))):
        found, expected = (getattr(p, name)(x, *arguments) for p in (problem, native))
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    np.testing.assert_allclose(problem.jacobian(x).toarray(), native.jacobian(x).toarray(), rtol=1e-14)
    for sigma in (0.0, 2.0):
        found, expected = (p.hessian(x, y, sigma).toarray() for p in (problem, native))
        np.testing.assert_allclose(found, expected, rtol=1e-13)
    result = karush.minimize(problem)
    assert result.success
    assert result.fun == pytest.approx(17.0140173, abs=1e-6)


def test_patterns_are_those_of_the_expressions(kind):
    n = 50
    x = kind.sym("x", n)
    rows = [x[i] * x[i + 1] for i in range(n - 1)]
    problem = problems.from_casadi(x, ca.sum1(x**4), rows)
    assert problem.jacobian(np.ones(n)).nnz == 2 * (n - 1)
    assert problem.hessian(np.ones(n), np.ones(n - 1)).nnz == 3 * n - 2
    indptr, indices = problem.jacobian_structure()
    assert all((np.diff(indices[a:b]) > 0).all() for a, b in pairwise(indptr))


def test_several_symbols_and_rows_that_do_not_depend_on_them(kind):
    a, b = kind.sym("a", 2), kind.sym("b")
    problem = problems.from_casadi(ca.vertcat(a, b), 3.0, [a[0] * 0, 5, b])
    x = np.array([1.0, 2.0, 4.0])
    assert problem.objective(x) == 3.0
    np.testing.assert_array_equal(problem.constraints(x), [0.0, 5.0, 4.0])
    np.testing.assert_array_equal(problem.jacobian(x).toarray(), [[0, 0, 0], [0, 0, 0], [0, 0, 1]])
    np.testing.assert_array_equal(problem.gradient(x), np.zeros(3))
    assert problem.hessian(x, np.ones(3)).nnz == 0
    assert problems.from_casadi(b, b**2).constraints(np.ones(1)).shape == (0,)


def test_it_can_be_sent_to_other_processes(kind):
    problem = hs71(kind)
    copy = pickle.loads(pickle.dumps(problem))
    x, y = np.array([1.1, 2.2, 3.3, 4.4]), np.array([0.7, -1.3])
    np.testing.assert_array_equal(copy.hessian_values(x, y), problem.hessian_values(x, y))
    assert copy.name == "hs71"


def test_answers_are_copies():
    problem = hs71(ca.SX)
    first = problem.gradient(np.ones(4))
    kept = first.copy()
    problem.gradient(np.full(4, 2.0))
    np.testing.assert_array_equal(first, kept)


X = ca.SX.sym("x", 2)


@pytest.mark.parametrize(
    ("arguments", "error", "text"),
    [
        ((3, X[0]), TypeError, "x must be a casadi.SX or casadi.MX symbol, got int"),
        ((ca.vertcat(X, X[0] + 1), X[0]), ValueError, "x must be a column of symbols"),
        ((X, X), ValueError, r"f must be one element, got shape \(2, 1\)"),
        ((X, X[0], ca.horzcat(X, X)), ValueError, r"g must be a column, got shape \(2, 2\)"),
        ((X, X[0] * ca.SX.sym("p")), ValueError, r"symbols that are not in x \(p\)"),
    ],
)
def test_bad_expressions(arguments, error, text):
    with pytest.raises(error, match=text):
        problems.from_casadi(*arguments)


@pytest.mark.parametrize(
    ("keywords", "error", "text"),
    [
        ({"x0": [1, 2, 3]}, ValueError, r"x0 must have shape \(2,\), got \(3,\)"),
        ({"lbx": [1, 3], "ubx": 2}, ValueError, "lbx.* is above ubx"),
        ({"lbg": [1, 3]}, ValueError, r"lbg must have shape \(1,\), got \(2,\)"),
        ({"ubg": np.nan}, ValueError, r"ubg\[0\] is NaN"),
    ],
)
def test_bad_numbers(keywords, error, text):
    with pytest.raises(error, match=text):
        problems.from_casadi(X, X[0], X[1], **keywords)


def test_missing_casadi(monkeypatch):
    monkeypatch.setitem(sys.modules, "casadi", None)
    with pytest.raises(ImportError, match=r"CasADi expressions needs casadi: pip install 'karush\[casadi\]'"):
        problems.from_casadi(X, X[0])
