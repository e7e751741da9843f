"""COPS problems against the values of CUTEst, and those that CUTEst lacks by their physics."""

import numpy as np
import pytest

from karush.problems import get

COLLECTIONS = ("cops", "cops_trajectories", "cops_estimation")

# CUTEst rounds weights and starts to 11 digits, and the weighted sum of the rows cancels: in CAMSHAPE the
# weight 2 cos(angle) of 800 rows, in ELEC the 600 coordinates of points on the sphere.
ROUNDED = {"CAMSHAPE", "ELEC"}

# The Hessian of one element in ROBOTARM.SIF lacks a pair of parentheses.
WRONG_HESSIAN = {"ROBOTARM"}


def test_cutest(cutest_case, disagreements):
    name = cutest_case["name"]
    differ = disagreements(cutest_case, 1e-7 if name in ROUNDED else 1e-8)
    if name in WRONG_HESSIAN:
        differ = {key: text for key, text in differ.items() if not key.startswith("H")}
    assert differ == {}


@pytest.mark.parametrize(
    ("name", "n", "m"),
    [("GLIDER", 56, 40), ("PINENE", 505, 495), ("CATALYSTMIX", 33, 20), ("GASOIL", 263, 258)],
)
def test_sizes(name, n, m):
    problem = get(name, nh=10)
    assert (problem.n, problem.m) == (n, m)


def test_catalystmix_is_catmix_with_the_second_rate_of_each_interval():
    right, slip = get("CATALYSTMIX", nh=1), get("CATMIX", nh=1)
    x = np.linspace(0.1, 0.6, 6)
    np.testing.assert_allclose(right.constraints(x), slip.constraints(x), rtol=1e-15)
    assert not np.allclose(get("CATALYSTMIX", nh=3).constraints(np.linspace(0, 1, 12)), 0)


def test_glider_without_air_falls_freely():
    """At rest in still air far from the thermal the only acceleration is gravity."""
    nh = 4
    problem = get("GLIDER", nh=nh)
    step, state = 0.5, np.zeros((nh + 1, 5))
    state[:, 0], state[:, 2] = 1e4, 1e-9
    rows = problem.constraints(np.concatenate([[step], state.ravel()])).reshape(nh, 4)
    np.testing.assert_allclose(rows[:, 3], -9.81 * step, rtol=1e-9)


def test_pinene_conserves_mass_in_its_rates():
    """The right-hand sides of alpha-pinene's isomerization sum to -(t1 + t2) y1 + t1 y1 + t2 y1 = 0."""
    problem = get("PINENE", nh=2)
    rng = np.random.default_rng(7)
    x = rng.uniform(size=problem.n)
    rows = problem.constraints(x)[-2 * 3 * 5 :].reshape(2, 3, 5)
    block = x[5:].reshape(2, 50)
    rates = block[:, 21::2].reshape(2, 3, 5)
    np.testing.assert_allclose((rows - rates).sum(axis=2), 0, atol=1e-13)
