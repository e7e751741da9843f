"""Digits of the data: what CUTEst's decoder leaves of them."""

import numpy as np
import pytest

from karush.problems import from_sif
from karush.problems.sif.digits import cutest_real, cutest_rounded


def test_eleven_significant_digits():
    values = np.array([1 / 3, -2e-30 / 3, 0.0, np.inf, 12345678901234.0])
    expected = [0.33333333333, -6.6666666667e-31, 0.0, np.inf, 12345678901000.0]
    np.testing.assert_array_equal(cutest_rounded(values), expected)


@pytest.mark.parametrize("integer", [0, -7, 2**24, 2**24 + 1, 2**31 - 1, -(2**31) + 1])
def test_integers_become_reals_by_way_of_single_precision(integer):
    assert cutest_real(integer) == float(np.float32(integer))


@pytest.mark.parametrize(("digits", "expected"), [(True, 16777216.0), (False, 16777217.0)])
def test_conversion_in_a_file(tmp_path, digits, expected):
    path = tmp_path / "REAL.SIF"
    path.write_text("""NAME          REAL
 IE K                   16777217
 RI RK        K
VARIABLES
    X
GROUPS
 ZN OBJ       X                        RK
ENDATA
""")
    assert from_sif(path, cutest_digits=digits).gradient(np.zeros(1)) == expected
