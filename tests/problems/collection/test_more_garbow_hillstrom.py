"""More-Garbow-Hillstrom problems: CUTEst's values, S2MPJ's where those are missing, the paper's minima."""

import numpy as np
import pytest

from karush.problems import get

COLLECTIONS = ("more_garbow_hillstrom", "more_garbow_hillstrom_growing")

# GULF's file has the exponent 2.0/3.0 in single precision.
SINGLE_PRECISION = {"GULF": 1e-7}

# Hessians that the files' authors got wrong; ours agree with differences of the gradient (below).
# GULF: the entry (1, 3) lacks the factor a - 1. WATSON: the weights of column 9 are those of column 8.
WRONG_HESSIANS = ("GULF", "WATSON")


def test_values_agree_with_cutest(cutest_case, disagreements):
    name = cutest_case["name"]
    found = disagreements(cutest_case, SINGLE_PRECISION.get(name, 1e-8))
    if name in WRONG_HESSIANS:
        assert set(found) == {"H0", "Hw0", "H1", "Hw1"}
    else:
        assert found == {}


@pytest.mark.parametrize("name", WRONG_HESSIANS)
def test_hessian_agrees_with_differences_where_cutest_is_wrong(name):
    problem = get(name)
    x = problem.x0 + 1e-3 * (1 + np.arange(problem.n) % 7)
    step = 1e-5
    for j in range(problem.n):
        shift = step * np.eye(problem.n)[j]
        column = (problem.gradient(x + shift) - problem.gradient(x - shift)) / (2 * step)
        np.testing.assert_allclose(problem.hessian(x).toarray()[:, j], column, rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "sizes", "arguments"),
    [
        ("JENSMP", {}, ()), ("GAUSSIAN", {}, ()), ("OSBORNEA", {}, ()), ("BIGGS6", {}, ()),
        ("OSBORNEB", {}, ()), ("POWELLSG", {"n": 8}, (8,)), ("VARDIM", {"n": 7}, (7,)),
    ],
)  # fmt: skip
def test_values_agree_with_s2mpj(name, sizes, arguments, agrees_with_s2mpj):
    agrees_with_s2mpj(name, sizes, *arguments)


@pytest.mark.parametrize(
    ("name", "sizes", "solution", "value"),
    [
        ("ROSENBR", {}, [1, 1], 0),
        ("FREUROTH", {"n": 2}, [5, 4], 0),
        ("POWELLBSLS", {}, [1.098159329699759e-5, 9.106146739867318], 0),
        ("BROWNBS", {}, [1e6, 2e-6], 0),
        ("BEALE", {}, [3, 0.5], 0),
        ("JENSMP", {}, [0.2578252136705, 0.2578252136705], 124.362182355615),
        ("HELIX", {}, [1, 0, 0], 0),
        ("GULF", {}, [50, 25, 1.5], 0),
        ("BOX3", {}, [1, 10, 1], 0),
        ("BOX3", {}, [0.3, 0.3, 0], 0),
        ("POWELLSG", {"n": 4}, [0, 0, 0, 0], 0),
        ("WOODS", {"n": 4}, [1, 1, 1, 1], 0),
        ("BIGGS6", {}, [1, 10, 1, 5, 4, 3], 0),
        ("SROSENBR", {"n": 4}, [1, 1, 1, 1], 0),
        ("VARDIM", {"n": 5}, [1, 1, 1, 1, 1], 0),
        ("BROWNAL", {"n": 12}, [1] * 12, 0),
        ("ARGLINA", {"n": 3, "m": 5}, [-1, -1, -1], 2),
        ("CHEBYQAD", {"n": 2}, [0.2113248654051871, 0.7886751345948129], 0),
    ],
)
def test_minima_of_the_paper(name, sizes, solution, value):
    problem = get(name, **sizes)
    x = np.array(solution, dtype=float)
    assert problem.objective(x) == pytest.approx(value, abs=1e-12)
    assert np.abs(problem.gradient(x)).max() < 1e-5


@pytest.mark.parametrize(("name", "n", "m"), [("ARGLINA", 4, 9), ("ARGLINB", 4, 9), ("ARGLINC", 5, 9)])
def test_best_values_of_linear_least_squares_follow_the_sizes(name, n, m):
    problem = get(name, n=n, m=m)
    x = np.linalg.lstsq(problem.hessian(problem.x0).toarray(), -problem.gradient(np.zeros(n)), rcond=None)[0]
    assert problem.metadata.optimum == pytest.approx(problem.objective(x), rel=1e-10)


@pytest.mark.parametrize(("name", "n"), [("POWELLSG", 6), ("WOODS", 3), ("SROSENBR", 5), ("BROWNAL", 9)])
def test_impossible_sizes_are_refused(name, n):
    with pytest.raises(ValueError, match=rf"n must be .*, got {n}\b"):
        get(name, n=n)


@pytest.mark.parametrize(("n", "value"), [(4, 2.24997e-5), (10, 7.08765e-5)])
def test_best_value_of_the_first_penalty_function(n, value):
    assert get("PENALTY1", n=n).optimum == pytest.approx(value, rel=1e-5)
