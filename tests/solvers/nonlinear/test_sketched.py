"""Sketched KKT systems: right, reproducible, used only where they prove cheaper, and open about it."""

import numpy as np
import pytest

import karush

from ..small_problems import Dense


def ridge_logistic(n, rows, m, decay, ridge):
    """Logistic regression on dense data whose spectrum decays, with m equations."""
    rng = np.random.default_rng(0)
    basis = np.linalg.qr(rng.normal(size=(n, n)))[0]
    X = (rng.normal(size=(rows, n)) * np.arange(1, n + 1) ** -decay) @ basis
    Z = X * np.sign(X @ rng.normal(size=n) + 0.1 * rng.normal(size=rows))[:, None]
    A = rng.normal(size=(m, n)) / np.sqrt(n)
    b = 0.1 * A @ rng.normal(size=n)

    def weights(x):
        return 1 / (1 + np.exp(np.clip(Z @ x, -700, 700)))

    return Dense(
        np.zeros(n),
        lambda x: np.logaddexp(0, -Z @ x).mean() + 0.5 * ridge * x @ x,
        lambda x: -Z.T @ weights(x) / rows + ridge * x,
        lambda x: (Z.T * (weights(x) * (1 - weights(x)) / rows)) @ Z + ridge * np.eye(n),
        c=lambda x: A @ x,
        jac=lambda x: A,
        hc=lambda x: [np.zeros((n, n))] * m,
        cl=b,
        cu=b,
    )


def minimise(problem, solver, rng=0):
    return karush.minimize(problem, options={"linear_solver": solver}, rng=rng)


def test_a_slowly_decaying_spectrum_is_worth_a_sketch():
    problem = ridge_logistic(600, 1200, 0, 1.0, 1e-7)
    result, plain = minimise(problem, "sketched"), minimise(problem, "krylov")
    assert result.success
    assert result.fun == pytest.approx(plain.fun, abs=1e-9)
    assert result.record["linear_solver"] == "sketched: Nystrom-preconditioned CG"
    assert "multiplications" in result.record["linear_solver_reason"]


@pytest.mark.parametrize("m", [0, 5])
def test_where_sketching_is_dearer_the_record_says_so(m):
    problem = ridge_logistic(250, 500, m, 1.0, 1e-1)
    result = minimise(problem, "sketched")
    assert result.success
    assert result.record["linear_solver"].startswith("krylov")
    assert "not faster" in result.record["linear_solver_reason"]


def test_small_systems_are_not_sketched():
    result = karush.minimize("HS71", options={"linear_solver": "sketched"})
    assert result.success
    assert "too small" in result.record["linear_solver_reason"]


def test_the_same_source_of_randomness_gives_the_same_bits():
    problem = ridge_logistic(250, 500, 5, 0.5, 1e-6)
    first, second = (minimise(problem, "sketched", rng=3) for _ in range(2))
    assert first.x.tobytes() == second.x.tobytes()
