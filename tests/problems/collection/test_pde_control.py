"""Elliptic control problems: exact on functions whose discrete Laplacian is known."""

import numpy as np
import pytest

from karush.problems import get

DISTRIBUTED = ["POISSONCONTROL", "SEMILINEARCONTROL"]


def _eigenvector(n, dims):
    """sin(pi x) sin(pi y) ... on the inner grid and its eigenvalue of h^2 times minus the Laplacian."""
    x = np.arange(1, n + 1) / (n + 1)
    v = np.sin(np.pi * x)
    product = v
    for _ in range(dims - 1):
        product = np.multiply.outer(product, v)
    return product.ravel(), dims * (2 - 2 * np.cos(np.pi / (n + 1)))


@pytest.mark.parametrize("dims", [2, 3])
@pytest.mark.parametrize("name", DISTRIBUTED)
def test_state_equation(name, dims):
    n = 5
    problem = get(f"{name}{dims}D", n=n)
    h = 1 / (n + 1)
    y, eigenvalue = _eigenvector(n, dims)
    control = eigenvalue / h**2 * y + (y**3 if name == "SEMILINEARCONTROL" else 0)
    np.testing.assert_allclose(problem.constraints(np.concatenate([y, control])), 0, atol=1e-13)


def test_exponential_reaction():
    n = 4
    y, eigenvalue = _eigenvector(n, 2)
    control = eigenvalue * (n + 1) ** 2 * y + np.exp(y)
    residual = get("EXPONENTIALCONTROL2D", n=n).constraints(np.concatenate([y, control]))
    np.testing.assert_allclose(residual, 0, atol=1e-13)


@pytest.mark.parametrize("dims", [2, 3])
def test_cost_of_the_control(dims):
    n, alpha = 4, 0.125
    problem = get(f"POISSONCONTROL{dims}D", n=n, alpha=alpha)
    y, u = np.zeros(n**dims), np.ones(n**dims)
    growth = problem.objective(np.concatenate([y, 3 * u])) - problem.objective(np.concatenate([y, u]))
    assert growth == pytest.approx(alpha / 2 * 8 * n**dims / (n + 1) ** dims, rel=1e-12)


def test_constant_boundary_values_and_their_source_balance():
    """y = c - 10 r^2-like parabola: with y = u = c the five-point residual is the source alone."""
    n = 6
    problem = get("DIRICHLETCONTROL2D", n=n)
    x = np.full(problem.n, 3.0)
    np.testing.assert_allclose(problem.constraints(x), -20 / (n + 1) ** 2, rtol=1e-12)


def test_neumann_control_balances_flux_and_reaction():
    """The equations sum to the reaction in the square less the flux through its boundary."""
    n = 5
    problem = get("NEUMANNCONTROL2D", n=n)
    rng = np.random.default_rng(3)
    y, u = rng.normal(size=(n, n)), rng.normal(size=(4, n))
    total = problem.constraints(np.concatenate([y.ravel(), u.ravel()])).sum()
    assert total == pytest.approx(((y**3 - y) / n**2).sum() - u.sum() / n, rel=1e-12)


def test_logistic_growth_without_harvest_has_no_flux_through_the_boundary():
    n = 5
    problem = get("LOGISTICCONTROL2D", n=n)
    rng = np.random.default_rng(4)
    y, u = rng.uniform(4, 5, size=(n, n)), rng.uniform(2, 3, size=(n, n))
    centre = (np.arange(n) + 0.5) / n
    growth = 7 + 4 * np.sin(2 * np.pi * np.outer(centre, centre))
    total = problem.constraints(np.concatenate([y.ravel(), u.ravel()])).sum()
    assert total == pytest.approx((y * (y + u - growth)).sum() / n**2, rel=1e-10)


@pytest.mark.parametrize(
    ("name", "n", "dimensions"),
    [
        ("POISSONCONTROL2D", 22, (968, 484)),
        ("POISSONCONTROL2D", 223, (99_458, 49_729)),
        ("POISSONCONTROL3D", 5, (250, 125)),
        ("POISSONBOUNDED2D", 5, (50, 25)),
        ("POISSONSTATE2D", 5, (50, 25)),
        ("DIRICHLETCONTROL2D", 5, (45, 25)),
    ],
)
def test_sizes(name, n, dimensions):
    problem = get(name, n=n)
    assert (problem.n, problem.m) == dimensions
