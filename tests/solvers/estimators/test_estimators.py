"""The estimators keep scikit-learn's contract, and agree with scikit-learn where it has the same model."""

import pickle
import subprocess
import sys
import warnings

import numpy as np
import pytest
from scipy import sparse

pytest.importorskip("sklearn")

from sklearn import linear_model
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer, load_diabetes, load_digits, load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import GridSearchCV, KFold, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import check_estimator

from karush import estimators

FAMILIES = [
    estimators.Lasso(),
    estimators.ElasticNet(),
    estimators.GroupLasso(),
    estimators.MultiTaskLasso(),
    estimators.LogisticRegression(),
    estimators.LassoCV(alphas=3, cv=3),
    estimators.ElasticNetCV(alphas=3, cv=3),
    estimators.GroupLassoCV(alphas=3, cv=3),
]


@pytest.fixture(scope="module")
def diabetes():
    return load_diabetes(return_X_y=True)


@pytest.fixture(scope="module")
def cancer():
    X, y = load_breast_cancer(return_X_y=True)
    return StandardScaler().fit_transform(X), y


@pytest.mark.parametrize("estimator", FAMILIES, ids=lambda estimator: type(estimator).__name__)
def test_contract_of_scikit_learn(estimator):
    with warnings.catch_warnings():
        # The suite hands over formats that scikit-learn itself warns of, and unlearnable data.
        warnings.simplefilter("ignore", UserWarning)
        check_estimator(estimator, on_skip=None)


@pytest.mark.parametrize("positive", [False, True])
@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("convert", [np.asarray, sparse.csc_array, sparse.csr_array])
def test_elastic_net_agrees(diabetes, positive, weighted, convert):
    X, y = diabetes
    weights = np.random.default_rng(0).uniform(0, 2, y.size) if weighted else None
    options = {"alpha": 0.05, "l1_ratio": 0.9, "positive": positive}
    ours = estimators.ElasticNet(**options, tol=1e-13).fit(convert(X), y, weights)
    theirs = linear_model.ElasticNet(**options, tol=1e-12, max_iter=100_000).fit(X, y, weights)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict(convert(X)), theirs.predict(X), atol=1e-5)


def test_lasso_of_digits_agrees_and_its_gap_bounds_the_objective():
    X, y = load_digits(return_X_y=True)
    alpha = 0.02
    ours = estimators.Lasso(alpha, tol=1e-10).fit(X, y)
    theirs = linear_model.Lasso(alpha, tol=1e-10, max_iter=100_000).fit(X, y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)

    def objective(model):
        return np.mean((y - model.predict(X)) ** 2) / 2 + alpha * np.abs(model.coef_).sum()

    rough = estimators.Lasso(alpha, tol=1e-3).fit(X, y)
    assert objective(rough) - objective(theirs) <= rough.dual_gap_ + 1e-12
    assert rough.dual_gap_ <= 1e-3 * y.var() / 2


def test_several_targets_agree(diabetes):
    X, y = diabetes
    Y = np.column_stack([y, -(y**2) / 100, X[:, 2] * 100])
    ours = estimators.Lasso(0.3, tol=1e-12).fit(X, Y)
    theirs = linear_model.Lasso(0.3, tol=1e-12, max_iter=100_000).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)
    np.testing.assert_allclose(ours.intercept_, theirs.intercept_, atol=1e-6)
    assert len(ours.n_iter_) == 3
    assert ours.dual_gap_.shape == (3,)
    joint = estimators.MultiTaskLasso(1.0, tol=1e-12).fit(X, Y)
    known = linear_model.MultiTaskLasso(1.0, tol=1e-12, max_iter=100_000).fit(X, Y)
    np.testing.assert_allclose(joint.coef_, known.coef_, atol=1e-3)


@pytest.mark.parametrize("l1_ratio", [0.0, 0.5, 1.0])
def test_logistic_regression_of_two_classes_agrees(cancer, l1_ratio):
    X, y = cancer
    names = np.array(["malignant", "benign"])[y]
    ours = estimators.LogisticRegression(0.1, l1_ratio=l1_ratio, tol=1e-12).fit(X, names)
    theirs = linear_model.LogisticRegression(
        C=0.1, l1_ratio=l1_ratio, solver="saga", tol=1e-8, max_iter=20_000
    ).fit(X, names)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert (ours.predict(X) == theirs.predict(X)).all()
    np.testing.assert_allclose(np.exp(ours.predict_log_proba(X)), ours.predict_proba(X))


def test_softmax_agrees():
    X, y = load_iris(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    names = np.array(["setosa", "versicolor", "virginica"], dtype=object)[y]
    ours = estimators.LogisticRegression(0.2, tol=1e-10).fit(X, names)
    theirs = linear_model.LogisticRegression(
        C=0.2, l1_ratio=1.0, solver="saga", tol=1e-9, max_iter=20_000
    ).fit(X, names)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-5)
    assert list(ours.classes_) == ["setosa", "versicolor", "virginica"]
    assert abs(ours.intercept_.sum()) < 1e-12


def test_class_weights_are_sample_weights(cancer):
    X, y = cancer
    by_class = estimators.LogisticRegression(0.1, class_weight={0: 3.0, 1: 0.5}, tol=1e-10).fit(X, y)
    by_sample = estimators.LogisticRegression(0.1, tol=1e-10).fit(X, y, np.where(y == 0, 3.0, 0.5))
    np.testing.assert_array_equal(by_class.coef_, by_sample.coef_)


def test_classes_without_weight_are_not_there(cancer):
    X, y = cancer
    three = np.where(np.arange(y.size) % 10 == 0, 2, y)
    model = estimators.LogisticRegression(0.1, tol=1e-12).fit(X, three, (three < 2).astype(float))
    known = estimators.LogisticRegression(0.1, tol=1e-12).fit(X[three < 2], three[three < 2])
    assert list(model.classes_) == [0, 1]
    np.testing.assert_allclose(model.coef_, known.coef_, atol=1e-5)
    with pytest.raises(ValueError, match="2 classes of positive weight"):
        estimators.LogisticRegression().fit(X, y, y.astype(float))


@pytest.mark.parametrize("weighted", [False, True])
def test_lasso_by_cross_validation_agrees(diabetes, weighted):
    X, y = diabetes
    weights = np.random.default_rng(0).integers(0, 3, y.size).astype(float) if weighted else None
    folds = KFold(4, shuffle=True, random_state=0)
    options = {"alphas": 15, "cv": folds, "eps": 1e-2}
    ours = estimators.LassoCV(**options, tol=1e-11).fit(X, y, sample_weight=weights)
    theirs = linear_model.LassoCV(**options, tol=1e-11, max_iter=100_000).fit(X, y, sample_weight=weights)
    np.testing.assert_allclose(ours.alphas_, theirs.alphas_)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert ours.alpha_ == pytest.approx(theirs.alpha_)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-4)


def test_elastic_net_by_cross_validation_chooses_among_ratios(diabetes):
    X, y = diabetes
    options = {"l1_ratio": [0.3, 0.9], "alphas": 8, "cv": 3}
    ours = estimators.ElasticNetCV(**options, tol=1e-11).fit(X, y)
    theirs = linear_model.ElasticNetCV(**options, tol=1e-11, max_iter=100_000).fit(X, y)
    assert ours.mse_path_.shape == theirs.mse_path_.shape == (2, 8, 3)
    np.testing.assert_allclose(ours.mse_path_, theirs.mse_path_, rtol=1e-6)
    assert (ours.l1_ratio_, ours.alpha_) == pytest.approx((theirs.l1_ratio_, theirs.alpha_))


@pytest.mark.parametrize("load", [load_breast_cancer, load_iris], ids=["two classes", "three classes"])
def test_logistic_cross_validation_is_a_search_by_log_loss(load):
    X, y = load(return_X_y=True)
    X = StandardScaler().fit_transform(X)
    Cs, folds = [0.03, 0.1, 0.5], StratifiedKFold(3)
    model = estimators.LogisticRegressionCV(Cs=Cs, cv=folds, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.Cs_, Cs)
    for i, C in enumerate(Cs):
        for k, (train, test) in enumerate(folds.split(X, y)):
            # Here the penalty's weight beside the samples' is the one of the fold.
            one = estimators.LogisticRegression(C * y.size / train.size, tol=1e-8).fit(X[train], y[train])
            held_out = log_loss(y[test], one.predict_proba(X[test]))
            assert model.loss_path_[i, k] == pytest.approx(held_out, rel=1e-3)
    best = int(model.loss_path_.mean(axis=1).argmin())
    np.testing.assert_allclose(model.C_, Cs[best])
    again = estimators.LogisticRegression(model.C_, tol=1e-8).fit(X, y)
    np.testing.assert_allclose(model.predict_proba(X), again.predict_proba(X), atol=1e-4)


def test_logistic_cross_validation_chooses_among_ratios(cancer):
    X, y = cancer
    ratios = [0.2, 1.0]
    model = estimators.LogisticRegressionCV(Cs=4, l1_ratio=ratios, cv=3).fit(X, y)
    assert model.Cs_.shape == (2, 4)
    assert model.loss_path_.shape == (2, 4, 3)
    which, at = np.unravel_index(model.loss_path_.mean(axis=2).argmin(), (2, 4))
    assert (model.l1_ratio_, model.C_) == (ratios[which], model.Cs_[which, at])


def test_groups_of_one_are_the_lasso_and_larger_ones_live_or_die_together(diabetes):
    X, y = diabetes
    single = estimators.GroupLasso(0.3, tol=1e-12).fit(X, y)
    np.testing.assert_allclose(single.coef_, estimators.Lasso(0.3, tol=1e-12).fit(X, y).coef_, atol=1e-4)
    pairs = estimators.GroupLasso(0.5, groups=2).fit(X, y).coef_.reshape(-1, 2)
    alive = (pairs != 0).all(axis=1)
    assert ((pairs == 0).all(axis=1) | alive).all()
    assert 0 < alive.sum() < alive.size


def test_what_is_not_converged_warns_with_the_figure(diabetes, cancer):
    with pytest.warns(ConvergenceWarning, match=r"Lasso did not converge: relative duality gap \d\.\d+e"):
        model = estimators.Lasso(0.01, max_iter=0).fit(*diabetes)
    assert model.n_iter_ == 0
    assert model.dual_gap_ > 0
    with pytest.warns(ConvergenceWarning, match="asked for tol = 1e-06"):
        estimators.LogisticRegression(max_iter=0).fit(*cancer)


def test_warm_starts_have_nothing_left_to_do(diabetes):
    model = estimators.Lasso(0.1, warm_start=True).fit(*diabetes)
    before = model.coef_
    assert model.fit(*diabetes).n_iter_ == 0
    np.testing.assert_array_equal(model.coef_, before)


def test_pipelines_searches_clones_and_pickles(cancer):
    X, y = cancer
    search = GridSearchCV(
        make_pipeline(StandardScaler(), estimators.LogisticRegression()),
        {"logisticregression__C": [0.05, 0.5]},
        cv=3,
    ).fit(X, y)
    assert search.best_score_ > 0.95
    model = search.best_estimator_[-1]
    twin = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(twin.predict_proba(X), model.predict_proba(X))
    assert not hasattr(clone(model), "coef_")
    assert clone(model).get_params() == model.get_params()


@pytest.mark.parametrize(
    ("model", "what"),
    [
        (estimators.Lasso(-1.0), "alpha"),
        (estimators.ElasticNet(l1_ratio=1.5), "l1_ratio"),
        (estimators.Lasso(tol=np.nan), "tol"),
        (estimators.Lasso(max_iter=-3), "max_iter"),
        (estimators.LassoCV(alphas=[]), "alphas"),
        (estimators.ElasticNetCV(l1_ratio=0.0), "alphas"),
        (estimators.LogisticRegression(C=0.0), "C"),
        (estimators.GroupLasso(groups=[[0, 1], [1, 2]]), "groups"),
    ],
)
def test_bad_parameters_are_named(diabetes, model, what):
    X, y = diabetes
    with pytest.raises(ValueError, match=what):
        model.fit(X, y > 100 if what == "C" else y)


def test_scikit_learn_is_imported_for_an_estimator_and_not_before():
    code = (
        "import sys, karush; karush.estimators; assert 'sklearn' not in sys.modules; "
        "from karush.estimators import Lasso; assert 'sklearn' in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
