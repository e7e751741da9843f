"""Orthogonal regression: CUTEst's values, S2MPJ's where those are missing, and exact fits."""

import numpy as np
import pytest

from karush.problems import get

COLLECTIONS = ("orthogonal_regression",)


def test_values_agree_with_cutest(cutest_case, disagreements):
    assert disagreements(cutest_case) == {}


@pytest.mark.parametrize("name", ["ORTHREGC", "ORTHRDM2", "ORTHRGDS"])
def test_values_agree_with_s2mpj(name, agrees_with_s2mpj):
    agrees_with_s2mpj(name, {"points": 20}, 20)


def test_six_points_of_an_ellipsoid_are_fitted_exactly():
    """Centred at 1/2: H / (1 - c'Hc) with c = (1/2, 1/2, 1/2), solved from the points themselves."""
    problem = get("ORTHREGB")
    points = problem.x0[9:].reshape(6, 3)
    x, y, z = points.T
    # h11 x^2 + 2 h12 xy + h22 y^2 - 2 g1 x - 2 g2 y + 2 h13 xz + 2 h23 yz + h33 z^2 - 2 g3 z = 1
    terms = np.column_stack([x**2, 2 * x * y, 2 * x * z, y**2, 2 * y * z, z**2, -2 * x, -2 * y, -2 * z])
    shape = np.linalg.lstsq(terms, np.ones(6), rcond=None)[0]
    solution = np.concatenate([shape, problem.x0[9:]])
    np.testing.assert_allclose(problem.constraints(solution), 0, atol=1e-12)
    assert problem.objective(solution) == 0 == problem.metadata.optimum
