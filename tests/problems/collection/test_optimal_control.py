"""Control problems and large quadratic programs against the values of CUTEst."""

import numpy as np
import pytest

from karush.problems import get

COLLECTIONS = (
    "optimal_control",
    "state_constrained_control",
    "quadratic_programs",
    "variational_inequalities",
    "minimal_surfaces",
    "semilinear_equations",
)

# CUTEst reads 0.2 and pi of these files as single-precision literals.
SINGLE_PRECISION = {"OPTCTRL3", "OPTCTRL6", "READING1", "READING3"}


def test_cutest(cutest_case, disagreements):
    tolerance = 1e-7 if cutest_case["name"] in SINGLE_PRECISION else 1e-8
    assert disagreements(cutest_case, tolerance) == {}


@pytest.mark.parametrize(
    ("name", "sizes", "n", "m"),
    [
        ("DTOC1L", {"n": 10, "nx": 5, "ny": 10}, 145, 90),
        ("DTOC3", {"n": 10}, 29, 18),
        ("DTOC4", {"n": 10}, 29, 18),
        ("DTOC6", {"n": 11}, 21, 10),
        ("HAGER3", {"n": 10}, 21, 10),
        ("TORSION1", {"q": 5}, 100, 0),
        ("OBSTCLAE", {"px": 6, "py": 9}, 54, 0),
        ("CVXQP2", {"n": 100}, 100, 25),
        ("NCVXQP8", {"n": 100}, 100, 75),
        ("NCVXBQP3", {"n": 100}, 100, 0),
        ("AUG2D", {"nx": 3, "ny": 4}, 31, 12),
        ("AUG3D", {"nx": 3, "ny": 4, "nz": 5}, 312, 60),
        ("SVANBERG", {"n": 12}, 12, 12),
        ("BRATU3D", {"p": 4}, 64, 8),
    ],
)
def test_sizes(name, sizes, n, m):
    problem = get(name, **sizes)
    assert (problem.n, problem.m) == (n, m)
    assert np.isfinite(problem.objective(problem.x0))


def test_linear_state_equation_of_dtoc1l_holds_along_a_trajectory():
    problem = get("DTOC1L", n=4, nx=2, ny=4)
    x = np.arange(6.0).reshape(3, 2)
    b = (np.arange(4)[:, None] - np.arange(2)) / 6
    a = 0.5 * np.eye(4) + 0.25 * np.eye(4, k=1) - 0.25 * np.eye(4, k=-1)
    y = [np.zeros(4)]
    for control in x:
        y.append(a @ y[-1] + b @ control)
    residual = problem.constraints(np.concatenate([x.ravel(), np.ravel(y)]))
    np.testing.assert_allclose(residual, 0, atol=1e-14)


def test_known_values_follow_the_sizes():
    assert get("DTOC5", n=100).optimum == 1.53258634084
    assert get("DTOC5", n=101).optimum is None
    assert get("LMINSURF", p=9).optimum == 9.0


def test_planes_are_the_answers_of_lminsurf():
    problem = get("LMINSURF", p=9)
    t = np.arange(9) / 8
    plane = (1 + 8 * t + 4 * t[:, None]).ravel()
    assert problem.objective(plane) == pytest.approx(9.0, abs=1e-12)
    free = problem.lb < problem.ub
    np.testing.assert_allclose(problem.gradient(plane)[free], 0, atol=1e-12)


@pytest.mark.parametrize(
    ("name", "sizes", "message"),
    [("DTOC2", {"nx": 3}, "nx=3"), ("SVANBERG", {"n": 11}, "n=11"), ("SVANBERG", {"n": 8}, "n=8")],
)
def test_sizes_that_make_no_sense_are_refused(name, sizes, message):
    with pytest.raises(ValueError, match=message):
        get(name, **sizes)
