"""Datafits: gradients by complex steps or differences, conjugates by Fenchel's equality, bad input."""

import numpy as np
import pytest
from scipy import sparse

from karush.problems.composite import (
    Huber,
    LeastSquares,
    Logistic,
    Multinomial,
    Poisson,
    QuadraticForm,
    SquaredHinge,
)

N = 12


def datafits():
    rng = np.random.default_rng(0)
    weights = rng.random(N) + 0.1
    weights[3] = 0.0
    y, signs = rng.standard_normal(N), np.sign(rng.standard_normal(N))
    return {
        "least squares": LeastSquares(y),
        "weighted": LeastSquares(y, weights),
        "multi-task": LeastSquares(rng.standard_normal((N, 3)), weights),
        "huber": Huber(y, 0.7, weights),
        "logistic": Logistic(signs, weights),
        "squared hinge": SquaredHinge(signs, weights),
        "poisson": Poisson(rng.poisson(2.0, N), weights),
        "multinomial": Multinomial(rng.integers(0, 3, N), weights=weights),
    }


@pytest.fixture(params=list(datafits()))
def datafit(request):
    return datafits()[request.param]


@pytest.fixture
def eta(datafit):
    return np.random.default_rng(1).standard_normal(datafit.shape)


def differences(function, x, step=1e-6):
    slopes = np.zeros_like(x)
    for i in np.ndindex(x.shape):
        e = np.zeros_like(x)
        e[i] = step
        slopes[i] = (function(x + e) - function(x - e)) / (2 * step)
    return slopes


def test_gradient_is_the_slope_of_the_value(datafit, eta):
    np.testing.assert_allclose(datafit.gradient(eta), differences(datafit.value, eta), atol=1e-7)


def test_hessian_diagonal_is_the_slope_of_the_gradient(datafit, eta):
    diagonal = np.zeros_like(eta)
    for i in np.ndindex(eta.shape):
        e = np.zeros_like(eta)
        e[i] = 1e-6
        diagonal[i] = (datafit.gradient(eta + e) - datafit.gradient(eta - e))[i] / 2e-6
    np.testing.assert_allclose(datafit.hessian_diagonal(eta), diagonal, atol=1e-7)


def test_curvature_bound_is_one(datafit, eta):
    if not datafit.provides("curvature_bound"):
        pytest.skip("no bound")
    for scale in (0.0, 0.3, 3.0, 30.0):
        assert (datafit.hessian_diagonal(scale * eta) <= datafit.curvature_bound() + 1e-15).all()


def test_conjugate_meets_fenchels_equality_at_gradients(datafit, eta):
    g = datafit.gradient(eta)
    equality = np.vdot(g, eta) - datafit.value(eta)
    assert datafit.conjugate(g) == pytest.approx(equality, rel=1e-10, abs=1e-12)


def test_conjugate_obeys_fenchels_inequality_elsewhere(datafit, eta):
    rng = np.random.default_rng(2)
    g = datafit.gradient(eta)
    for t in (0.0, 0.3, 0.9):
        other = rng.standard_normal(datafit.shape)
        assert datafit.conjugate(t * g) >= t * np.vdot(g, other) - datafit.value(other) - 1e-12


def test_conjugate_is_infinite_outside_its_domain():
    assert Logistic([1, -1]).conjugate(np.array([0.5, 0.5])) == np.inf
    assert Huber([0.0, 0.0], 1.0).conjugate(np.array([2.0, 0.0])) == np.inf
    assert Poisson([1.0, 0.0]).conjugate(np.array([0.0, -0.1])) == np.inf
    assert SquaredHinge([1, 1]).conjugate(np.array([0.1, -0.1])) == np.inf
    assert LeastSquares([1.0, 2.0], [1.0, 0.0]).conjugate(np.array([0.0, 1.0])) == np.inf


def test_softmax_bound_majorises_the_hessian_of_a_block():
    datafit = Multinomial([0, 1, 2, 3], weights=[1.0, 2.0, 0.5, 1.0])
    rng = np.random.default_rng(0)
    for classes in ([0, 1, 2, 3], [1, 2], [3]):
        M = datafit.output_bound(len(classes))
        for _ in range(50):
            p = datafit.probabilities(3 * rng.standard_normal((4, 4)))
            for i in range(4):
                H = datafit.weights[i] * (np.diag(p[i]) - np.outer(p[i], p[i]))[np.ix_(classes, classes)]
                slack = datafit.curvature_bound()[i, 0] * M - H
                assert np.linalg.eigvalsh(slack).min() >= -1e-12


def test_values_are_finite_far_out():
    far = np.array([800.0, -800.0])
    assert Logistic([1, -1]).value(far) == pytest.approx(0.0)
    assert Logistic([-1, 1]).value(far) == pytest.approx(1600.0)
    assert np.isfinite(Multinomial([0, 1]).value(np.array([[800.0, 0.0], [0.0, -800.0]])))
    assert Poisson([1.0, 1.0]).value(np.array([800.0, 0.0])) == np.inf


def test_reweighting_splits_a_datafit_in_two(datafit, eta):
    mask = np.arange(N) % 3 == 0
    parts = datafit.reweighted(mask * 1.0), datafit.reweighted(~mask * 1.0)
    assert sum(part.value(eta) for part in parts) == pytest.approx(datafit.value(eta))


def test_quadratic_form_of_a_sparse_matrix():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((5, 5))
    A = A @ A.T
    b, x = rng.standard_normal(5), rng.standard_normal(5)
    dense, thin = QuadraticForm(A, b), QuadraticForm(sparse.csr_array(A), b)
    assert thin.value(x) == pytest.approx(0.5 * x @ A @ x - b @ x)
    np.testing.assert_allclose(thin.gradient(x), dense.gradient(x))
    block = np.array([3, 1])
    np.testing.assert_allclose(thin.hessian_block(block), A[np.ix_(block, block)])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: LeastSquares([1.0, np.nan]), r"y\[1\] is nan"),
        (lambda: LeastSquares([]), "y must not be empty"),
        (lambda: LeastSquares([1.0, 2.0], [1.0, -1.0]), r"weights\[1\] = -1"),
        (lambda: LeastSquares([1.0, 2.0], [1.0]), r"weights must have shape \(2,\)"),
        (lambda: LeastSquares([1.0, 2.0], [0.0, 0.0]), "weights must not all be zero"),
        (lambda: Logistic([0.0, 2.0]), "labels -1 and 1, or 0 and 1, got 2"),
        (lambda: Logistic([0.0, 1.0, -1.0]), "labels -1 and 1, or 0 and 1"),
        (lambda: Multinomial([0, 1, 5], classes=3), r"classes 0 .. 2, got y\[2\] = 5"),
        (lambda: Multinomial([0, 1.5]), r"got y\[1\] = 1.5"),
        (lambda: Multinomial([0, 0]), "classes must be at least 2"),
        (lambda: Poisson([1.0, -2.0]), r"y\[1\] = -2"),
        (lambda: Huber([1.0], delta=0.0), "delta must be > 0"),
        (lambda: QuadraticForm(np.array([[1.0, 2.0], [0.0, 1.0]]), [1.0, 1.0]), "A must be symmetric"),
        (lambda: QuadraticForm(np.eye(3), [1.0, 1.0]), r"A must have shape \(2, 2\)"),
    ],
)
def test_bad_input_is_named(make, message):
    with pytest.raises(ValueError, match=message):
        make()
