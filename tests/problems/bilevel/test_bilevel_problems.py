"""Bilevel problems: their forms, their derivatives, and what is refused."""

import json

import numpy as np
import pytest
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint, minimize

from karush.problems.bilevel import (
    Affine,
    Ball,
    BilevelProblem,
    Box,
    Polyhedron,
    Product,
    Simplex,
    bilevel_from_callables,
    bilevel_from_formulas,
    read_bilevel,
)
from karush.problems.bilevel.branches import branches_at
from karush.problems.bilevel.cuts import LowerAnswer, WithCuts
from karush.problems.bilevel.kkt_system import KKTSystem
from karush.problems.bilevel.lower_level import LowerLevel
from karush.problems.formulas import Formulas, parse_formula

F = "exp(x1)*y1 + x2**2*y2 + y3"
FORMULAS = {
    "upper": F,
    "lower": "cos(x1*y1) + x2*y2**3/(1 + y1**2) + y3**2*y1",
    "n_x": 2,
    "n_y": 3,
    "upper_constraints": ["x1*y2 + 1", "2 - y3**2", "2 - x1"],
    "lower_constraints": [
        "x1**2*y2**2 + y1 + 1",
        "2 - y3*y2",
        "y1",
        "1 - y1",
        "2*y2 + 4",
        "3 - x1 - y1 - y3",
    ],
    "start": [0.3, 0.4, 0.5, 0.6, 0.7],
}


def formula_problem(**changes):
    return bilevel_from_formulas(**{**FORMULAS, **changes})


def set_problem():
    """Every kind of row: equations, two-sided rows, linear rows, a ball, bounds."""
    return bilevel_from_callables(
        lambda x, y: x[0] * y[0] + x[1] ** 2 * y[1] + y[2],
        lambda x, y: x[0] * y[0] ** 2 + x[1] * y[1] ** 2 + y[2] ** 2,
        [0.3, 0.4],
        [0.5, 0.6, 0.7],
        upper_jac=lambda x, y: (
            np.array([y[0], 2 * x[1] * y[1]]),
            np.array([x[0], x[1] ** 2, 1.0]),
        ),
        upper_hess=lambda x, y: _upper_hessian(x, y),
        lower_jac=lambda x, y: (
            np.array([y[0] ** 2, y[1] ** 2]),
            np.array([2 * x[0] * y[0], 2 * x[1] * y[1], 2 * y[2]]),
        ),
        lower_hess=lambda x, y: _lower_hessian(x, y),
        lower_constraints=LinearConstraint(
            [[1, 0, 1, 0, 2], [0, 1, 0, 1, 1], [1, 1, 1, 1, 1]], [-1, 0.3, -np.inf], [2, 0.3, 3]
        ),
        y_bounds=None,
        X=Ball([0.0, 0.0], 2.0),
        Y=Product(Ball([0.0, 0.0], 3.0), Box([-1.0], [2.0])),
    )


def _upper_hessian(x, y):
    H = np.zeros((5, 5))
    H[0, 2] = H[2, 0] = 1.0
    H[1, 1], H[1, 3], H[3, 1] = 2 * y[1], 2 * x[1], 2 * x[1]
    return H


def _lower_hessian(x, y):
    H = np.zeros((5, 5))
    H[0, 2] = H[2, 0] = 2 * y[0]
    H[1, 3] = H[3, 1] = 2 * y[1]
    H[2, 2], H[3, 3], H[4, 4] = 2 * x[0], 2 * x[1], 2.0
    return H


def check_derivatives(problem, rng, tolerance):
    z = problem.x0 + rng.uniform(0.1, 0.3, problem.n)
    y, sigma, step = rng.standard_normal(problem.m), 0.7, 1e-6

    def differences(fun):
        columns = [(fun(z + step * e) - fun(z - step * e)) / (2 * step) for e in np.eye(problem.n)]
        return np.stack(columns, axis=-1)

    def lagrangian(point):
        return sigma * problem.gradient(point) + problem.jacobian(point).T @ y

    np.testing.assert_allclose(problem.gradient(z), differences(problem.objective), atol=1e-7)
    np.testing.assert_allclose(problem.jacobian(z).toarray(), differences(problem.constraints), atol=1e-7)
    hessian = problem.hessian(z, y, sigma).toarray()
    np.testing.assert_allclose(hessian, differences(lagrangian), atol=tolerance)


@pytest.mark.parametrize("make", [formula_problem, set_problem])
@pytest.mark.parametrize("relaxation", [None, 0.1])
def test_kkt_system_derivatives(make, relaxation):
    check_derivatives(KKTSystem(make(), relaxation), np.random.default_rng(1), 2e-7)


@pytest.mark.parametrize("make", [formula_problem, set_problem])
def test_levels_derivatives(make):
    problem = make()
    for level in (
        problem.upper_rows,
        problem.lower_rows,
        LowerLevel(problem, problem.x0 + 0.1),
    ):
        check_derivatives(level, np.random.default_rng(2), 1e-7)


@pytest.mark.parametrize("make", [formula_problem, set_problem])
def test_cuts_derivatives(make):
    problem, rng = make(), np.random.default_rng(3)
    answers = [
        LowerAnswer(problem.y0 + 0.1, np.zeros(problem.lower_rows.m)),
        LowerAnswer(problem.y0 - 0.1, np.where(np.isfinite(problem.lower_rows.cu), 0.5, 0.0)),
    ]
    check_derivatives(WithCuts(KKTSystem(problem), problem, answers), rng, 2e-7)


def test_branches_hold_what_they_say():
    problem = bilevel_from_formulas("x1 + y1", "(y1 - x1)**2", 1, 1, lower_constraints=["y1", "1 - y1"])
    system = KKTSystem(problem)
    w, u = np.array([0.0, 0.0]), np.array([0.0, 0.0])  # y's lower bound is active, without a multiplier
    strong, branches = branches_at(system, w, u)
    assert len(branches) == 2
    np.testing.assert_array_equal(strong.vanishing, [False, True])
    held = [branch.restrict(system) for branch in branches]
    assert sorted((level.ub[1] == 0.0, level.ub[2] == 0.0) for level in held) == [
        (False, True),
        (True, False),
    ]
    assert system.ub[1] == 1.0
    assert system.ub[2] == np.inf


def test_formulas_of_one_variable_become_bounds():
    problem = formula_problem()
    np.testing.assert_array_equal(problem.X.ub, [2.0, np.inf])
    np.testing.assert_array_equal(problem.Y.lb, [0.0, -2.0, -np.inf])
    np.testing.assert_array_equal(problem.Y.ub, [1.0, np.inf, np.inf])
    assert (problem.upper.m, problem.lower.m) == (2, 3)


def test_an_empty_level_keeps_its_rows():
    problem = formula_problem(lower_constraints=["y1 - 2", "1 - y1"])
    assert problem.lower.m == 2
    assert not np.isfinite(problem.Y.lb).any()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x1 +", "cannot be read"),
        ("__import__('os')", "cannot read"),
        ("x9", "'x9'"),
        ("x1.real", "cannot read"),
    ],
)
def test_formulas_that_cannot_be_read(text, message):
    with pytest.raises(ValueError, match=message):
        formula_problem(upper=text)


def test_formulas_know_functions_and_constants():
    read = Formulas.read(["max(x1, 2)*sin(pi) + ln(e) + sqrt(x1)"], ["x1"])
    assert read.function("f", read.values)(np.array([4.0]))[0] == pytest.approx(3.0)
    assert np.isnan(read.function("f", read.values)(np.array([-4.0]))[0])
    with pytest.raises(TypeError, match="must be a str"):
        parse_formula(3, {})


def test_read_file(tmp_path):
    record = {"name": "A", "n_x": 1, "n_y": 1, "F": "x1 + y1", "G": ["x1"], "f": "y1", "g": ["y1 - x1"]}
    record |= {"start": [1.0, 2.0], "reference": {"F": 0.0, "f": 0.0, "kind": "optimal"}}
    (tmp_path / "some.jsonl").write_text(json.dumps(record) + "\n\n")
    (problem,) = read_bilevel(tmp_path / "some.jsonl")
    assert (problem.name, problem.optimum, problem.x0[0], problem.y0[0]) == ("A", 0.0, 1.0, 2.0)


SETS = [
    Box([-1.0, 0.0, -np.inf], [1.0, np.inf, np.inf]),
    Simplex(3, 2.0),
    Ball([1.0, 0.0, -1.0], 0.5),
    Affine([[1.0, 1.0, 0.0], [2.0, 2.0, 0.0]], [1.0, 2.0]),
    Polyhedron([[1.0, 2.0, -1.0], [0.0, 1.0, 1.0]], [-np.inf, 0.0], [1.0, 1.0], lb=[-1.0, -1.0, -1.0]),
    Product(Simplex(2), Box([0.0], [1.0])),
]


@pytest.mark.parametrize("given", SETS, ids=lambda s: type(s).__name__)
def test_projections_are_nearest_points(given):
    """By the variational inequality (v - P v)'(u - P v) <= 0, and by SLSQP on the rows that a set has."""
    rng = np.random.default_rng(0)
    for _ in range(10):
        v = 3.0 * rng.standard_normal(3)
        p = given.project(v)
        assert given.distance(p) < 1e-9
        others = np.array([given.project(5.0 * rng.standard_normal(3)) for _ in range(20)])
        assert ((others - p) @ (v - p)).max() < 1e-8
        constraints = [
            NonlinearConstraint(lambda u, i=i, c=c: np.sum((u[i] - c) ** 2), -np.inf, r**2)
            for i, c, r in given.balls
        ]
        rank = np.linalg.matrix_rank(given.A.toarray()) if given.A.shape[0] else 0
        if given.A.shape[0]:
            constraints.append(LinearConstraint(given.A.toarray()[:rank], given.cl[:rank], given.cu[:rank]))
        peer = minimize(
            lambda u, v=v: 0.5 * np.sum((u - v) ** 2),
            given.project(np.zeros(3)),
            jac=lambda u, v=v: u - v,
            bounds=Bounds(given.lb, given.ub),
            constraints=constraints,
            method="SLSQP",
            options={"ftol": 1e-14, "maxiter": 500},
        )
        np.testing.assert_allclose(p, peer.x, atol=1e-5)


@pytest.mark.parametrize("given", SETS, ids=lambda s: type(s).__name__)
def test_what_is_not_a_number_has_no_projection(given):
    given.project(np.ones(3))  # a polyhedron remembers the rows that were active
    assert np.isnan(given.project(np.array([0.0, np.nan, 0.0]))).any()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Simplex(3, 0.0), "total must be positive"),
        (lambda: Ball([0.0], -1.0), "radius must be positive"),
        (lambda: Affine([[1.0], [1.0]], [0.0, 1.0]), "no solution"),
        (lambda: Polyhedron([[1.0]], [0.0], [1.0], lb=[2.0]), "empty"),
        (lambda: Box([1.0], [0.0]), "above"),
        (lambda: formula_problem(n_x=0), "n_x must be at least 1"),
        (lambda: formula_problem(start=[1.0]), "start must hold 5 numbers"),
        (lambda: bilevel_from_callables(np.sum, np.sum, [], [1.0]), "x0 must hold at least one"),
        (lambda: bilevel_from_callables(np.sum, np.sum, [1.0], [1.0], x_bounds=[(0, 1)] * 2), "x_bounds"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_bad_problems():
    problem = formula_problem()
    with pytest.raises(TypeError, match="lower must be an NLP, got int"):
        BilevelProblem(problem.upper, 3, 1)
    with pytest.raises(ValueError, match=r"n_x must lie in 1\.\.4"):
        BilevelProblem(problem.upper, problem.lower, 5)
    with pytest.raises(ValueError, match="X must be a set of 2 variables, got one of 3"):
        BilevelProblem(problem.upper, problem.lower, 2, X=Simplex(3))
    with pytest.raises(ValueError, match="X is given twice"):
        BilevelProblem(problem.upper, problem.lower, 2, X=Simplex(2))
    with pytest.raises(TypeError, match="lower must be callable, got int"):
        bilevel_from_callables(np.sum, 3, [1.0], [1.0])


def test_callables_of_pairs_and_of_one_array_agree():
    def lower(x, y):
        return x[0] * y[0] ** 2 + y[1] ** 2

    def rows(x, y):
        return np.array([x[0] * y[1], y[0] ** 2])

    def jacobian(x, y):
        return np.array([[y[1]], [0.0]]), np.array([[0.0, x[0]], [2 * y[0], 0.0]])

    pairs = bilevel_from_callables(
        lower,
        lower,
        [1.0],
        [2.0, 3.0],
        lower_jac=lambda x, y: (np.array([y[0] ** 2]), np.array([2 * x[0] * y[0], 2 * y[1]])),
        lower_constraints=NonlinearConstraint(rows, -1, 1, jac=jacobian),
    )
    joined = bilevel_from_callables(
        lower,
        lower,
        [1.0],
        [2.0, 3.0],
        lower_jac=lambda x, y: np.array([y[0] ** 2, 2 * x[0] * y[0], 2 * y[1]]),
        lower_constraints={"type": "ineq", "fun": rows, "jac": lambda x, y: np.hstack(jacobian(x, y))},
    )
    w = np.array([0.5, 1.5, -2.0])
    np.testing.assert_array_equal(pairs.lower.gradient(w), joined.lower.gradient(w))
    np.testing.assert_array_equal(pairs.lower.jacobian(w).toarray(), joined.lower.jacobian(w).toarray())
