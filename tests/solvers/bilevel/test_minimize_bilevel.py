"""`minimize_bilevel` and its certificate: known answers, the contract, what is refused."""

import time

import numpy as np
import pytest
from scipy.optimize import LinearConstraint

import karush
from karush.problems.bilevel import Ball, Simplex, bilevel_from_callables, bilevel_from_formulas, get_bilevel
from karush.solvers.bilevel.auto import Auto
from karush.solvers.bilevel.kkt import KKT
from karush.solvers.bilevel.penalty import Penalty

# name: (formulas, (x, y) of the answer, F)
KNOWN = {
    "one-to-one": (
        {"upper": "(x1 - 1)**2 + (y1 + 1)**2", "lower": "(y1 - x1)**2", "start": [3.0, 0.0]},
        (0, 0),
        2.0,
    ),
    "three minima": (
        {
            "upper": "cos(4*y1 + 2)/(1 + exp(2 - 4*x1)) + log((4*x1 - 2)**2 + 1)/2",
            "lower": "(x1 + y1)**2 + x1*sin(x1 + y1)**2",
            "upper_constraints": ["x1", "3 - x1"],
            "start": [1.0, 0.0],
        },
        (1.2151455, -1.2151455),
        0.1999109,
    ),
    "coupled": (
        {
            "upper": "exp(2 - y1)/(2 + cos(6*x1)) + log((4*x1 - 2)**2 + 1)/2",
            "lower": "(y1 - 2*x1)**2",
            "upper_constraints": ["x1", "3 - x1"],
            "lower_constraints": ["x1 - y1"],
            "start": [1.0, 0.0],
        },
        (0.9862248, 0.9862248),
        1.7218788,
    ),
    "kink": (
        {
            "upper": "(x1 + 1)**2/2 + (y1 - 1)**2/2",
            "lower": "(y1 - x1)**2/2",
            "upper_constraints": ["x1 + 2", "2 - x1"],
            "lower_constraints": ["y1"],
            "start": [1.0, 0.0],
        },
        (-1, 0),
        0.5,
    ),
    "discontinuous": (
        {
            "upper": "x1**2 + y1**2",
            "lower": "x1*y1",
            "upper_constraints": ["x1 + 1", "1 - x1"],
            "lower_constraints": ["y1 + 1", "1 - y1"],
            "start": [0.5, 0.0],
        },
        (0, 0),
        0.0,
    ),
    "tie of two lower minima": (  # Mitsos & Barton (2006), example 3.14
        {
            "upper": "(x1 - 1/4)**2 + y1**2",
            "lower": "y1**3/3 - x1*y1",
            "upper_constraints": ["x1 + 1", "1 - x1"],
            "lower_constraints": ["y1 + 1", "1 - y1"],
            "start": [1.0, 1.0],
        },
        (0.25, 0.5),
        0.25,
    ),
    "lower level linear in y": (  # Lampariello & Sagratella (2017), example 3.5
        {
            "upper": "x1**2 + y1**2",
            "lower": "-y1",
            "upper_constraints": ["x1 + 1", "1 - x1"],
            "lower_constraints": ["2 - y1 - 2*x1", "y1", "1 - y1"],
            "start": [1.0, 1.0],
        },
        (0.8, 0.4),
        0.8,
    ),
}


def known(name):
    formulas, point, F = KNOWN[name]
    return bilevel_from_formulas(n_x=1, n_y=1, name=name, **formulas), np.array(point, dtype=float), F


def llc(n):
    """The first known answer of the methods file: x = -.3, y = (.7, -.4) in each entry."""
    return bilevel_from_callables(
        lambda x, y: 0.5 * np.sum((x - y[n:]) ** 2) + 0.5 * np.sum((y[:n] - 1) ** 2),
        lambda x, y: 0.5 * np.sum(y[:n] ** 2) - x @ y[:n] + np.sum(y[n:]),
        np.zeros(n),
        np.zeros(2 * n),
        lower_constraints=LinearConstraint(np.ones((1, 3 * n)), 0.0, 0.0),
        lower_convex=True,
    )


def one(**arguments):
    """One variable at each level, from callables."""
    return karush.minimize_bilevel(
        lambda x, y: x[0] ** 2, lambda x, y: (y[0] - x[0]) ** 2, [1.0], [1.0], **arguments
    )


@pytest.mark.parametrize("name", list(KNOWN))
def test_known_answers(name):
    problem, point, F = known(name)
    result = karush.minimize_bilevel(problem)
    assert result.success, result.message
    np.testing.assert_allclose([result.x[0], result.y[0]], point, atol=1e-5)
    assert result.fun == pytest.approx(F, abs=1e-6)
    assert result.ll_gap <= 1e-6


@pytest.mark.parametrize(("name", "method"), [("LLC", Penalty), ("LLC-BLOCKS", KKT)])
def test_auto_keeps_factorisations_away_from_wide_rows(name, method):
    problem = get_bilevel(name, n=500)
    assert isinstance(Auto()._suited(problem), method)
    result = karush.minimize_bilevel(problem)
    assert result.success
    np.testing.assert_allclose(result.x, -0.3, atol=1e-5)


def test_a_branch_with_an_active_lower_row_is_solved_sharply():
    """Bard (1988), example 3: -12.6787 at x = (0, 2), where x1 >= 0 is active without a multiplier."""
    problem = bilevel_from_formulas(
        "-x1**2 - 3*x2 - 4*y1 + y2**2",
        "2*x1**2 + y1**2 - 5*y2",
        2,
        2,
        upper_constraints=["4 - x1**2 - 2*x2", "x1", "x2"],
        lower_constraints=["x1**2 - 2*x1 + x2**2 - 2*y1 + y2 + 3", "x2 + 3*y1 - 4*y2 - 4", "y1", "y2"],
    )
    result = karush.minimize_bilevel(problem, rng=0)
    assert result.success
    assert result.fun == pytest.approx(-6.0 - 4.0 * 1.875 + 0.90625**2, abs=1e-6)


def test_a_start_without_a_kkt_point_gives_at_least_its_lower_answer():
    """f = -x y^2 + y^4/2: above x = 0 the answers y = +-sqrt(x) are dear, and at x = 0 no row is regular."""
    problem = bilevel_from_formulas(
        "-x1 + x1*y1 + 10*y1**2",
        "-x1*y1**2 + y1**4/2",
        1,
        1,
        upper_constraints=["x1", "1 - x1"],
        lower_constraints=["y1 + 1", "1 - y1"],
        start=[0.0, 0.5],
    )
    result = karush.minimize_bilevel(problem, rng=0, max_iterations=2)
    assert result.certificate.feasible
    assert abs(result.fun) <= 1.5e-3  # y = 0 has a lower gap of x^2/2, within 1e-6 up to x = 1.4e-3


@pytest.mark.parametrize("n", [1, 5])
def test_equation_below(n):
    result = karush.minimize_bilevel(llc(n), options={"patience": 1}, method="kkt")
    assert result.success
    np.testing.assert_allclose(result.x, -0.3, atol=1e-6)
    np.testing.assert_allclose(result.y, [0.7] * n + [-0.4] * n, atol=1e-6)
    assert result.fun == pytest.approx(0.05 * n)


@pytest.mark.parametrize("name", list(KNOWN))
def test_certificate_refuses_other_points(name):
    problem, point, _ = known(name)
    assert karush.certify_bilevel(problem, point[:1], point[1:], tol=1e-5).holds
    rng = np.random.default_rng(0)
    for _ in range(5):
        x = problem.X.project(point[:1] + rng.uniform(0.05, 0.2))
        y = problem.Y.project(point[1:] + rng.uniform(0.05, 0.2))
        assert not karush.certify_bilevel(problem, x, y, tol=1e-5).holds


def test_certificate_sees_the_lower_gap():
    problem, _, _ = known("one-to-one")
    found = karush.certify_bilevel(problem, np.array([0.5]), np.array([-0.5]))
    assert found.lower_gap.absolute == pytest.approx(1.0, abs=1e-6)
    assert found.lower_value == pytest.approx(0.0, abs=1e-6)
    assert not found.feasible


def test_certificate_sees_a_better_lower_minimum():
    """y = .5 is a local minimum of y^3/3 - x y at x = .25; for x = .2 the one at y = -1 is lower."""
    problem, _, _ = known("tie of two lower minima")
    x = np.array([0.2])
    found = karush.certify_bilevel(problem, x, np.sqrt(x))
    assert found.lower_gap.absolute == pytest.approx((-2 / 3 * 0.2**1.5) - (-1 / 3 + 0.2), abs=1e-6)
    assert not found.feasible


@pytest.mark.parametrize("x", [0.0, -1e-12, -1.5e-11, -1e-7])
def test_other_answers_of_a_convex_level_are_no_constraints(x):
    """At x = 0 every y solves JUMP's lower level, so y = 1 can move down: rows of near ties hid that."""
    found = karush.certify_bilevel(get_bilevel("JUMP"), np.array([x]), np.array([1.0]))
    assert found.feasible
    assert not found.holds


def test_a_local_answer_is_stationary_but_not_passed_off_for_a_better_one():
    problem, _, _ = known("three minima")
    result = karush.minimize_bilevel(problem, x0=[2.9], y0=[-2.9], method="kkt", options={"patience": 1})
    assert result.success
    assert result.fun >= 0.1999109 - 1e-6


def test_sets_beyond_boxes():
    """min ||x - a||^2 + ||y - b||^2 where y projects x on the simplex: checked against a fine grid."""
    target = np.array([0.9, -0.2])

    problem = bilevel_from_callables(
        lambda x, y: np.sum((x - 1.5) ** 2) + 4 * np.sum((y - target) ** 2),
        lambda x, y: np.sum((y - x) ** 2),
        [0.1, 0.2],
        [0.5, 0.5],
        X=Ball([0.0, 0.0], 1.0),
        Y=Simplex(2),
        lower_convex=True,
    )
    result = karush.minimize_bilevel(problem)
    assert result.success
    angle, radius = np.meshgrid(np.linspace(0, 2 * np.pi, 2001), np.linspace(0, 1, 201))
    x1, x2 = radius * np.cos(angle), radius * np.sin(angle)
    y1 = np.clip((x1 - x2 + 1) / 2, 0, 1)
    grid = (x1 - 1.5) ** 2 + (x2 - 1.5) ** 2 + 4 * ((y1 - target[0]) ** 2 + (1 - y1 - target[1]) ** 2)
    assert result.fun == pytest.approx(grid.min(), abs=1e-4)
    assert result.fun <= grid.min() + 1e-7
    assert np.linalg.norm(result.x) <= 1 + 1e-8
    assert result.y.sum() == pytest.approx(1.0)


def test_infeasible_is_no_success():
    problem = bilevel_from_formulas(
        "x1 + y1", "(y1 - x1)**2", 1, 1, upper_constraints=["x1 - y1 - 1", "x1", "1 - x1"]
    )
    result = karush.minimize_bilevel(problem, options={"patience": 2}, method="kkt")
    assert not result.success


def test_same_rng_same_bits():
    problem, _, _ = known("three minima")
    first, second = (karush.minimize_bilevel(problem, rng=7) for _ in range(2))
    assert first.x.tobytes() == second.x.tobytes()
    assert first.y.tobytes() == second.y.tobytes()
    assert first.nit == second.nit


def test_callback_and_limits():
    problem, _, _ = known("three minima")
    seen = []

    def stop(intermediate_result):
        seen.append(intermediate_result.fun)
        raise StopIteration

    result = karush.minimize_bilevel(problem, callback=stop)
    assert len(seen) == 1
    assert result.status is karush.Status.USER_STOP
    assert np.isfinite(result.x).all()
    assert karush.minimize_bilevel(problem, max_iterations=1).nit == 1
    started = time.perf_counter()
    result = karush.minimize_bilevel(problem, max_time=0.05)
    assert result.status is karush.Status.TIME_LIMIT
    assert time.perf_counter() - started < 20.0
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.y).all()


def test_warm_start_replaces_the_start():
    problem, point, _ = known("three minima")
    starts = []
    problem_x0 = problem.x0.copy()
    karush.minimize_bilevel(
        problem, x0=point[:1], y0=point[1:], max_iterations=1, callback=lambda x: starts.append(x.copy())
    )
    np.testing.assert_array_equal(problem.x0, problem_x0)
    np.testing.assert_allclose(starts[0], point[:1], atol=1e-5)


def test_user_exceptions_pass():
    def broken(x, y):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        karush.minimize_bilevel(broken, lambda x, y: y[0] ** 2, [0.0], [0.0])


def test_nonfinite_start():
    result = karush.minimize_bilevel(
        lambda x, y: np.nan, lambda x, y: (y[0] - x[0]) ** 2, [0.0], [0.0], upper_jac=lambda x, y: np.zeros(2)
    )
    assert result.status is karush.Status.NONFINITE_START
    assert not result.success


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: karush.minimize_bilevel(3), TypeError, "upper must be a callable or a BilevelProblem"),
        (lambda: karush.minimize_bilevel(np.sum, np.sum, [0.0]), TypeError, "y0 is missing"),
        (lambda: karush.minimize_bilevel(np.sum, np.sum, [0.0], [np.nan]), ValueError, r"got y0\[0\] = nan"),
        (lambda: karush.minimize_bilevel(llc(1), np.sum), TypeError, "has its own"),
        (lambda: karush.minimize_bilevel(llc(1), method="kkkt"), ValueError, "did you mean 'kkt'"),
        (lambda: karush.minimize_bilevel(llc(1), tol=-1.0), ValueError, "tol must be a number > 0"),
        (lambda: karush.minimize_bilevel(llc(1), max_iterations=1.5), TypeError, "max_iterations"),
        (lambda: karush.minimize_bilevel(llc(1), callback=3), TypeError, "callback must be callable"),
        (lambda: karush.minimize_bilevel(llc(1), rng="x"), (TypeError, ValueError), "rng must be"),
        (lambda: karush.minimize_bilevel(llc(1), x0=[0.0, 1.0]), ValueError, r"x0 must have shape \(1,\)"),
        (lambda: karush.minimize_bilevel(llc(1), y0=[0.0, np.nan]), ValueError, "y0 must be finite"),
        (lambda: one(x_bounds=[(2.0, 1.0)]), ValueError, r"x_bounds.lb\[0\] = 2 is above"),
        (lambda: one(y_bounds=[(0.0, "a")]), TypeError, "y_bounds.ub must hold real numbers"),
        (lambda: one(lower_constraint=[]), TypeError, "no argument; did you mean 'lower_constraints'"),
        (lambda: one(options={"patience": 3}), TypeError, "'patience' is no option of method 'auto'"),
        (lambda: one(method="kkt", options={"patienc": 3}), TypeError, "did you mean 'patience'"),
        (lambda: karush.minimize_bilevel(llc(1), method=KKT), TypeError, "call it"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


@pytest.mark.parametrize("rng", range(3))
def test_a_narrow_valley_of_the_lower_level_is_found(rng):
    """f = y^3 - 3y over y >= x - 3: left of x = 1 the end of the interval, at -2 and a little, is best."""
    problem = bilevel_from_formulas(
        "(x1 - 1/2)**2 + (y1 - 2)**2",
        "y1**3 - 3*y1",
        1,
        1,
        upper_constraints=["x1", "4 - x1"],
        lower_constraints=["y1 - x1 + 3"],
        start=[-1.0, -1.0],
    )
    found = karush.certify_bilevel(problem, np.array([0.9926]), np.array([1.0]), rng=rng)
    end = 0.9926 - 3.0
    assert found.lower_gap.absolute == pytest.approx(-2.0 - (end**3 - 3.0 * end), abs=1e-5)


def test_what_a_violation_gains_is_no_success():
    """y^2 <= x at x = 0: one y is feasible, and one that is off by 1e-9 has a visibly lower f."""
    problem = bilevel_from_formulas(
        "x1 + y1**2", "(y1 - 3)**2", 1, 1, upper_constraints=["x1"], lower_constraints=["x1 - y1**2"]
    )
    found = karush.certify_bilevel(problem, np.array([0.0]), np.array([3e-5]))
    assert found.lower_feasibility.scaled <= 1e-9
    assert found.lower_gain.absolute > 1e-5
    assert not found.holds
