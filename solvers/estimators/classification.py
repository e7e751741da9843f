"""Sparse logistic regression of two or more classes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ...problems.composite.datafits import Logistic, Multinomial
from ...problems.composite.penalties import NoPenalty
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Penalty
from ..result import Result
from .fitting import MATRIX, check_number, check_weights, solve
from .regression import elastic_net

from sklearn.base import BaseEstimator, ClassifierMixin  # isort: skip (`fitting` says it where it is missing)
from sklearn.utils import column_or_1d  # isort: skip
from sklearn.utils.class_weight import compute_class_weight  # isort: skip
from sklearn.utils.multiclass import check_classification_targets  # isort: skip
from sklearn.utils.validation import check_is_fitted, validate_data  # isort: skip
from scipy.special import expit, log_expit, log_softmax, softmax  # isort: skip


class LogisticRegression(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Logistic regression with an L1, elastic-net or L2 penalty, softmax for more than two classes.

    Minimises, with scikit-learn's meaning of C and l1_ratio, over w and b

        sum_i s_i loss_i(w, b) + (l1_ratio ||w||_1 + (1 - l1_ratio) ||w||_2^2 / 2) / C

    to a certified duality gap. The defaults differ from scikit-learn's: the penalty is L1.

    Parameters
    ----------
    C : float
        Inverse of the penalty's level, > 0; inf for no penalty.
    l1_ratio : float
        Share of the L1 norm, 0 (ridge) to 1 (sparse).
    fit_intercept : bool
        Whether there is an intercept, one for each class; it is not penalised.
    class_weight : dict or "balanced", optional
        Factors of the samples' weights by class; balanced: in inverse proportion to the classes' frequencies.
    max_iter : int, optional
        Limit of steps; None leaves it to the method.
    tol : float
        Duality gap sought, relative to the objective at w = 0.
    warm_start : bool
        Whether a further fit starts at the solution of the last one.

    Attributes
    ----------
    classes_ : ndarray, shape (k,)
        Labels, sorted: of the samples that have a weight.
    coef_ : ndarray, shape (1, p) or (k, p)
        One row for two classes, in favour of the second one.
    intercept_ : ndarray, shape (1,) or (k,)
        Of more than two classes they add up to zero: only differences matter.
    n_iter_ : ndarray of int, shape (1,)
    dual_gap_ : float
        Duality gap of the objective above; NaN where there is none (more than 500 columns without penalty).
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (p,)
        Where X has names of columns.
    """

    def __init__(
        self,
        C: float = 1.0,
        *,
        l1_ratio: float = 1.0,
        fit_intercept: bool = True,
        class_weight: Any = None,
        max_iter: int | None = None,
        tol: float = 1e-6,
        warm_start: bool = False,
    ) -> None:
        self.C = C
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse array, shape (n, p)
            Read, not copied, where it is floating point, and dense or CSC.
        y : array_like, shape (n,)
            Labels of any type that sorts, of two classes at least.
        sample_weight : float or array_like, shape (n,), optional
            Weights >= 0; a weight of 2 is the sample twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Bad parameters or data; one class only.

        Warns
        -----
        ConvergenceWarning
            Where the certificate does not confirm the solution to `tol`: also for separable classes without
            a penalty, where there is no minimum.
        """
        X, datafit, classes = self._read(X, y, sample_weight)
        problem = CompositeProblem(datafit, self._penalty(), X, intercept=bool(self.fit_intercept))
        return self._keep(problem, classes, solve(self, problem, self._start()))

    def _read(self, X: Any, y: Any, sample_weight: Any) -> tuple[Any, Logistic | Multinomial, Any]:
        """X as it is solved with, the loss of the labels, and the classes."""
        X, y = validate_data(self, X, y, **MATRIX)
        y = column_or_1d(y, warn=True)
        check_classification_targets(y)
        given = check_weights(sample_weight, y.shape[0])
        # A sample of weight zero is as good as not there: with its class an intercept would be infinite.
        classes = np.unique(y if given is None else y[given > 0])
        if classes.size < 2:
            raise ValueError(
                f"y must have at least 2 classes of positive weight, got one class: {classes[0]!r}"
            )
        labels = np.minimum(np.searchsorted(classes, y), classes.size - 1)
        weights = self._weights(given, classes, labels)
        if classes.size == 2:
            return X, Logistic(labels, weights), classes
        return X, Multinomial(labels, classes.size, weights), classes

    def _keep(self, problem: CompositeProblem, classes: Any, result: Result) -> Self:
        """Set what a fit has found."""
        self.classes_ = classes
        self.coef_ = np.ascontiguousarray(np.atleast_2d(result.x.T))
        b = np.atleast_1d(result.intercept) if problem.intercept else np.zeros(len(self.coef_))
        self.intercept_ = b if classes.size == 2 else b - b.mean()
        self.n_iter_ = np.array([result.nit])
        self.dual_gap_ = float(result.gap)
        return self

    def _penalty(self) -> Penalty:
        C = check_number("C", self.C)
        if C == 0:
            raise ValueError("C must be > 0, got 0")
        return NoPenalty() if np.isinf(C) else elastic_net(1.0 / C, self.l1_ratio)

    def _weights(self, weights: Array | None, classes: Any, labels: Any) -> Array | None:
        """Weights of the samples times those of their classes."""
        if self.class_weight is None:
            return weights
        of_samples = np.ones(labels.size) if weights is None else weights
        of_classes = compute_class_weight(self.class_weight, classes=classes, y=classes[labels])
        return np.asarray(of_samples * of_classes[labels])

    def _start(self) -> tuple[Array, Array] | None:
        """The last solution, for warm starts."""
        if not (self.warm_start and hasattr(self, "coef_")):
            return None
        if len(self.coef_) == 1:
            return self.coef_[0], self.intercept_[0]
        return self.coef_.T, self.intercept_

    def decision_function(self, X: Any) -> Array:
        """The linear predictor: of the second class for two, else by class.

        Parameters
        ----------
        X : array_like or sparse array, shape (n, p)
            Features.

        Returns
        -------
        ndarray, shape (n,) or (n, k)
        """
        check_is_fitted(self)
        X = validate_data(self, X, reset=False, accept_sparse=True, dtype=MATRIX["dtype"])
        eta = np.asarray(X @ self.coef_.T + self.intercept_)
        return eta.ravel() if eta.shape[1] == 1 else eta

    def predict(self, X: Any) -> Any:
        """The most probable class of each sample, (n,)."""
        eta = self.decision_function(X)
        return self.classes_[(eta > 0).astype(int) if eta.ndim == 1 else eta.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, (n, k)."""
        eta = self.decision_function(X)
        return np.asarray(softmax(eta, axis=1) if eta.ndim == 2 else expit(np.column_stack([-eta, eta])))

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities, (n, k), exact where the probabilities underflow."""
        eta = self.decision_function(X)
        both = log_softmax(eta, axis=1) if eta.ndim == 2 else log_expit(np.column_stack([-eta, eta]))
        return np.asarray(both)
