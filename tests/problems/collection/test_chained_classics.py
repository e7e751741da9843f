"""Growing unconstrained problems: CUTEst's values, S2MPJ's where those are missing, known minimisers."""

import numpy as np
import pytest

from karush.problems import get

COLLECTIONS = ("chained_classics", "dixon_maany")

# BROYDN7D: the exponent 7.0/3.0 is a single-precision quotient. SCHMVETT: so is pi, to five decimals.
# FLETCBV2: the gradient is 1e-5 of the terms it is the difference of, and those have 11 digits.
LESS_PRECISE = {"BROYDN7D": 1e-6, "SCHMVETT": 1e-7, "FLETCBV2": 1e-6}


def test_values_agree_with_cutest(cutest_case, disagreements):
    assert disagreements(cutest_case, LESS_PRECISE.get(cutest_case["name"], 1e-8)) == {}


@pytest.mark.parametrize(
    ("name", "sizes", "arguments"),
    [
        ("EXTROSNB", {"n": 7}, (7,)),
        ("GENROSE", {"n": 7}, (7,)),
        ("CRAGGLVY", {"n": 10}, (4,)),
        ("ARWHEAD", {"n": 7}, (7,)),
        ("QUARTC", {"n": 7}, (7,)),
        ("POWER", {"n": 7}, (7,)),
        ("SPARSINE", {"n": 25}, (25,)),
        ("DIXMAANL", {"n": 15}, (5,)),
        ("DIXMAANO", {"n": 15}, (5,)),
    ],
)
def test_values_agree_with_s2mpj(name, sizes, arguments, agrees_with_s2mpj):
    agrees_with_s2mpj(name, sizes, *arguments)


@pytest.mark.parametrize(
    ("name", "solution"),
    [
        ("EXTROSNB", np.ones(9)),
        ("GENROSE", np.ones(9)),
        ("FLETCHCR", np.ones(9)),
        ("CHAINWOO", np.ones(10)),
        ("TRIDIA", 0.5 ** np.arange(9)),
        ("DQDRTIC", np.zeros(9)),
        ("ARWHEAD", np.r_[np.ones(8), 0]),
        ("NONDQUAR", np.zeros(9)),
        ("NONDIA", np.ones(9)),
        ("LIARWHD", np.ones(9)),
        ("QUARTC", np.arange(1.0, 10)),
        ("DIXON3DQ", np.ones(9)),
        ("POWER", np.zeros(9)),
        ("TOINTGSS", np.zeros(9)),
        ("TQUARTIC", np.ones(9)),
        ("GENHUMPS", np.zeros(9)),
        ("SPARSQUR", np.zeros(9)),
        ("SPARSINE", np.zeros(9)),
        ("DIXMAANH", np.zeros(9)),
    ],
)
def test_known_minimisers(name, solution):
    problem = get(name, n=len(solution))
    assert problem.objective(solution) == pytest.approx(problem.optimum, abs=1e-14)
    assert np.abs(problem.gradient(solution)).max() < 1e-12
