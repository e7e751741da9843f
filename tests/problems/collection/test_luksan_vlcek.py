"""Luksan-Vlcek problems: CUTEst's values, S2MPJ's where the Fortran values are missing, and sizes."""

import numpy as np
import pytest

from karush.problems import get

COLLECTIONS = ("luksan_vlcek", "luksan_vlcek_chained")

# CUTEst's exponent 7.0/3.0 is a single-precision quotient; it shows most in second derivatives near zero.
SINGLE_PRECISION = {"LUKVLE5": 1e-5, "LUKVLI5": 1e-5, "LUKVLE6": 1e-6}


def test_values_agree_with_cutest(cutest_case, disagreements):
    tolerance = SINGLE_PRECISION.get(cutest_case["name"], 1e-8)
    assert disagreements(cutest_case, tolerance) == {}


@pytest.mark.parametrize(
    ("name", "size"),
    [
        ("LUKVLE9", 12), ("LUKVLI9", 12), ("LUKVLE10", 9), ("LUKVLI10", 10), ("LUKVLI11", 14),
        ("LUKVLE12", 13), ("LUKVLE13", 14), ("LUKVLI4C", 10), ("LUKVLI6", 13),
    ],
)  # fmt: skip
def test_values_agree_with_s2mpj(name, size, agrees_with_s2mpj):
    agrees_with_s2mpj(name, {"n": size}, size)


@pytest.mark.parametrize("number", [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18])
def test_inequalities_differ_from_equalities_by_the_sides_only(number):
    n = {6: 25, 11: 26, 13: 26, 14: 26}.get(number, 25 if number in (12, 15, 16, 17, 18) else 24)
    equal, unequal = get(f"LUKVLE{number}", n=n), get(f"LUKVLI{number}", n=n)
    x = equal.x0 + 0.01 * np.cos(np.arange(equal.n))
    assert equal.objective(x) == unequal.objective(x)
    np.testing.assert_array_equal(equal.constraints(x), unequal.constraints(x))
    assert (equal.cl == equal.cu).all()
    # CUTEst's LUKVLI4 forgot to change its equations.
    assert (unequal.cl == unequal.cu).all() == (number == 4)


@pytest.mark.parametrize(
    "name",
    [
        "LUKVLE1",
        "LUKVLI1",
        "LUKVLE11",
        "LUKVLI11",
        "LUKVLE15",
        "LUKVLI15",
        "LUKVLE16",
        "LUKVLI16",
        "LUKVLI18",
    ],
)
def test_ones_attain_the_best_value_zero(name):
    problem = get(name, n=29)
    x = np.ones(29)
    assert problem.objective(x) == 0 == problem.optimum
    np.testing.assert_allclose(
        np.clip(problem.constraints(x), problem.cl, problem.cu), problem.constraints(x)
    )


def test_zeros_attain_the_best_value_of_lukvli12():
    problem = get("LUKVLI12", n=29)
    assert problem.objective(np.zeros(29)) == 0 == problem.optimum
    assert (problem.constraints(np.zeros(29)) < 0).all()


@pytest.mark.parametrize(
    ("name", "n"), [("LUKVLE1", 2), ("LUKVLE2", 9), ("LUKVLE9", 4), ("LUKVLI11", 12), ("LUKVLE16", 8)]
)
def test_impossible_sizes_are_refused(name, n):
    with pytest.raises(ValueError, match=rf"n must be .*, got {n}\b"):
        get(name, n=n)
