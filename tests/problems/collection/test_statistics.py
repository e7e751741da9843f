"""Logistic regression against numpy, its bad input, and MAXLIKA against CUTEst."""

import builtins

import numpy as np
import pytest
from scipy import sparse

from karush.problems import get

COLLECTIONS = ("statistics",)
LOGISTIC = ["LOGISTICSPHERE", "LOGISTICBALL", "LOGISTICBOX"]


def test_cutest(cutest_case, disagreements):
    """Values and gradients agree; the file's Hessian of the third density is incomplete."""
    assert {key for key in disagreements(cutest_case) if not key.startswith("H")} == set()


def _data(rng=0):
    generator = np.random.default_rng(rng)
    x = generator.normal(size=(40, 6))
    return x, np.where(x[:, 0] + generator.normal(size=40) > 0, 1, 0)


@pytest.mark.parametrize("name", LOGISTIC)
def test_loss_is_the_mean_log_likelihood(name):
    x, t = _data()
    problem = get(name, data=(x, t))
    w = np.linspace(-1, 1, 6)
    signed = (2 * t - 1) * (x @ w)
    assert problem.objective(w) == pytest.approx(np.logaddexp(0, -signed).mean(), rel=1e-14)
    slope = -(x * ((2 * t - 1) / (1 + np.exp(signed)))[:, None]).mean(axis=0)
    np.testing.assert_allclose(problem.gradient(w), slope, rtol=1e-12)


def test_default_data_are_the_iris_of_scikit_learn():
    datasets = pytest.importorskip("sklearn.datasets")
    x, species = datasets.load_iris(return_X_y=True)
    x = x[species > 0]
    x = np.column_stack([(x - x.mean(axis=0)) / x.std(axis=0), np.ones(100)])
    same, default = get("LOGISTICBALL", data=(x, species[species > 0])), get("LOGISTICBALL")
    w = np.arange(5.0)
    assert default.objective(w) == pytest.approx(same.objective(w), rel=1e-14)


def test_far_away_nothing_overflows():
    problem = get("LOGISTICBALL")
    w = np.full(problem.n, 1e4)
    for w_far in (w, -w):
        assert np.isfinite(problem.objective(w_far))
        assert np.isfinite(problem.gradient(w_far)).all()
        assert np.isfinite(problem.hessian(w_far).data).all()


def test_sparse_data_give_the_dense_problem():
    x, t = _data()
    x = x * (np.abs(x) > 1)
    w = np.linspace(-1, 1, 6)
    dense, thin = get("LOGISTICBOX", data=(x, t)), get("LOGISTICBOX", data=(sparse.csr_array(x), t))
    assert thin.objective(w) == dense.objective(w)


def test_equations_have_a_solution_inside_and_follow_rng():
    first, again, other = (get("LOGISTICSPHERE", rng=rng) for rng in (1, 1, 2))
    zero = np.zeros(first.n)
    assert (first.constraints(zero) == again.constraints(zero)).all()
    assert (first.constraints(zero) != other.constraints(zero))[:2].all()
    a, b = first.jacobian(zero).toarray()[:2], -first.constraints(zero)[:2]
    assert np.linalg.norm(np.linalg.lstsq(a, b)[0]) <= 0.5 + 1e-12


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        ("wine", ValueError, "'wine'"),
        (3, TypeError, "int"),
        ((np.ones(3), np.ones(3)), ValueError, r"\(3,\)"),
        ((np.ones((3, 2)), np.ones(4)), ValueError, r"\(4,\)"),
        ((np.ones((3, 2)), np.ones(3)), ValueError, "two different labels"),
        ((np.array([[np.nan, 1], [1, 1]]), [0, 1]), ValueError, "NaN"),
    ],
)
def test_bad_data_are_named(data, error, message):
    with pytest.raises(error, match=message):
        get("LOGISTICSPHERE", data=data)


@pytest.mark.parametrize("keyword", [{"equations": 5}, {"radius": 0.1}])
def test_bad_settings_are_named(keyword):
    with pytest.raises(ValueError, match=next(iter(keyword))):
        get("LOGISTICBALL", **keyword)


def test_missing_scikit_learn_is_named(monkeypatch):
    real = builtins.__import__

    def without_sklearn(name, *args, **kwargs):
        if name.startswith("sklearn"):
            raise ImportError(name)
        return real(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_sklearn)
    with pytest.raises(ImportError, match="scikit-learn"):
        get("LOGISTICSPHERE", data="breast_cancer")


def test_maxlika_is_hs105_in_likelihood():
    hs105, maxlika = get("HS105"), get("MAXLIKA")
    x = maxlika.x0
    assert maxlika.objective(x) == pytest.approx(hs105.objective(x), rel=1e-6)
