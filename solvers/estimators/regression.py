"""Linear regression with sparsity: lasso, elastic net, groups, several targets."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ...problems.composite.datafits import LeastSquares
from ...problems.composite.group_penalties import SparseGroupLasso
from ...problems.composite.penalties import PiecewiseQuadratic
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Penalty
from ..result import Result
from .fitting import MATRIX, check_number, check_weights, solve

from sklearn.base import BaseEstimator, RegressorMixin  # isort: skip (`fitting` says it where it is missing)
from sklearn.utils import column_or_1d  # isort: skip
from sklearn.utils.validation import check_is_fitted, validate_data  # isort: skip


class LinearModel(RegressorMixin, BaseEstimator):  # type: ignore[misc]
    """X w + b, fitted by least squares and a penalty; subclasses say which."""

    coef_: Array
    intercept_: Any
    n_iter_: Any
    dual_gap_: Any

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _penalty(self, total: float) -> Penalty:
        """The penalty where the datafit is a sum and not a mean: times the samples' total weight."""
        raise NotImplementedError

    def predict(self, X: Any) -> Array:
        """Predicted targets.

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
        return np.asarray(X @ self.coef_.T + self.intercept_)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse array, shape (n, p)
            Read, not copied, where it is floating point, and dense or CSC.
        y : array_like, shape (n,)
            Targets.
        sample_weight : float or array_like, shape (n,), optional
            Weights >= 0; a weight of 2 is the sample twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Bad parameters or data.

        Warns
        -----
        ConvergenceWarning
            Where the certificate does not confirm the solution to `tol`.
        """
        X, y = validate_data(self, X, y, y_numeric=True, **MATRIX)
        self._solve(X, column_or_1d(y, warn=True), sample_weight)
        return self

    def _solve(self, X: Any, y: Array, sample_weight: Any) -> None:
        """Fit one problem, of one target or of targets that belong together."""
        problem = self._problem(X, y, check_weights(sample_weight, y.shape[0]))
        self._keep(problem, solve(self, problem, self._start()))

    def _keep(self, problem: CompositeProblem, result: Result) -> None:
        self.coef_ = np.ascontiguousarray(result.x.T)
        self.intercept_ = _plain(result.intercept) if problem.intercept else 0.0
        self.n_iter_ = result.nit
        self.dual_gap_ = float(result.gap) / problem.sample_weights.sum()

    def _problem(self, X: Any, y: Array, weights: Array | None) -> CompositeProblem:
        total = float(y.shape[0] if weights is None else weights.sum())
        return CompositeProblem(
            LeastSquares(y, weights), self._penalty(total), X, intercept=bool(self.fit_intercept)
        )

    def _start(self) -> tuple[Array, Any] | None:
        """The last solution, for warm starts."""
        if not (getattr(self, "warm_start", False) and hasattr(self, "coef_")):
            return None
        return self.coef_.T, self.intercept_


class ElasticNet(LinearModel):
    """Least squares with a combined L1 and L2 penalty.

    Minimises, as scikit-learn's estimator of this name and parameters does, over w and b

        ||y - X w - b||^2 / (2 n) + alpha l1_ratio ||w||_1 + alpha (1 - l1_ratio) ||w||_2^2 / 2,

    to a certified duality gap, by working sets. Several targets are fitted one by one.

    Parameters
    ----------
    alpha : float
        Level of the penalty, >= 0.
    l1_ratio : float
        Share of the L1 norm in it, 0 to 1.
    fit_intercept : bool
        Whether there is an intercept b; it is not penalised.
    max_iter : int, optional
        Limit of outer steps, a pass over X each; None leaves it to the method (1000; a handful are taken).
    tol : float
        Duality gap sought, relative to the objective at w = 0. The default costs little more than
        scikit-learn's 1e-4.
    warm_start : bool
        Whether a further fit starts at the solution of the last one.
    positive : bool
        Whether w must be >= 0.

    Attributes
    ----------
    coef_ : ndarray, shape (p,) or (k, p)
    intercept_ : float or ndarray, shape (k,)
    n_iter_ : int or list of int
        Outer steps, by target.
    dual_gap_ : float or ndarray, shape (k,)
        Duality gap of the objective above: so far from the minimum at most. NaN where there is none
        (more than 500 columns without any penalty).
    n_features_in_ : int
    feature_names_in_ : ndarray of str, shape (p,)
        Where X has names of columns.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        l1_ratio: float = 0.5,
        fit_intercept: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-6,
        warm_start: bool = False,
        positive: bool = False,
    ) -> None:
        self.alpha = alpha
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags

    def _penalty(self, total: float) -> Penalty:
        return elastic_net(total * check_number("alpha", self.alpha), self.l1_ratio, self.positive)

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse array, shape (n, p)
            Read, not copied, where it is floating point, and dense or CSC.
        y : array_like, shape (n,) or (n, k)
            Targets.
        sample_weight : float or array_like, shape (n,), optional
            Weights >= 0; a weight of 2 is the sample twice.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Bad parameters or data.

        Warns
        -----
        ConvergenceWarning
            Where the certificate does not confirm a solution to `tol`.
        """
        X, y = validate_data(self, X, y, y_numeric=True, multi_output=True, **MATRIX)
        if y.ndim == 1 or y.shape[1] == 1:
            self._solve(X, y.ravel(), sample_weight)
        else:
            self._solve_each(X, y, sample_weight)
        return self

    def _solve_each(self, X: Any, y: Array, sample_weight: Any) -> None:
        """Targets one by one: without groups across them they have nothing to do with each other."""
        weights = check_weights(sample_weight, y.shape[0])
        start = self._start()
        if start is None or start[0].shape != (X.shape[1], y.shape[1]):
            starts: list[Any] = [None] * y.shape[1]
        else:
            starts = list(zip(start[0].T, np.broadcast_to(start[1], y.shape[1]), strict=True))
        problem = self._problem(X, y[:, 0], weights)
        fits = []
        for target, here in zip(y.T, starts, strict=True):
            problem = problem.with_datafit(LeastSquares(target, weights))
            fits.append(solve(self, problem, here))
        self.coef_ = np.array([fit.x for fit in fits])
        self.intercept_ = np.array([fit.intercept for fit in fits]) if problem.intercept else 0.0
        self.n_iter_ = [fit.nit for fit in fits]
        self.dual_gap_ = np.array([fit.gap for fit in fits]) / problem.sample_weights.sum()


class Lasso(ElasticNet):
    """Least squares with an L1 penalty: the elastic net with ``l1_ratio=1``.

    Minimises, as scikit-learn's estimator of this name and parameters does, over w and b

        ||y - X w - b||^2 / (2 n) + alpha ||w||_1,

    to a certified duality gap, by working sets. Several targets are fitted one by one.

    Parameters
    ----------
    alpha, fit_intercept, max_iter, tol, warm_start, positive
        As for `ElasticNet`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, dual_gap_, n_features_in_, feature_names_in_
        As for `ElasticNet`.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-6,
        warm_start: bool = False,
        positive: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start
        self.positive = positive

    def _penalty(self, total: float) -> Penalty:
        return elastic_net(total * check_number("alpha", self.alpha), 1.0, self.positive)


class GroupLasso(LinearModel):
    """Least squares with a penalty that keeps or drops groups of coefficients (Yuan and Lin 2006).

    Minimises over w and b

        ||y - X w - b||^2 / (2 n) + alpha (1 - l1_ratio) sum_g factors_g ||w_g||_2 + alpha l1_ratio ||w||_1.

    Parameters
    ----------
    alpha : float
        Level of the penalty, >= 0.
    groups : int or sequence of index arrays
        A number: groups of that many features, one after the other (1: the lasso). A sequence: the groups,
        every feature in exactly one of them.
    factors : array_like, shape (number of groups,), optional
        Factors >= 0 of the groups; default: the square roots of their sizes.
    l1_ratio : float
        Share of the L1 norm, 0 to 1; above zero it is the sparse group lasso.
    fit_intercept, max_iter, tol, warm_start
        As for `ElasticNet`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, dual_gap_, n_features_in_, feature_names_in_
        As for `ElasticNet`.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        groups: Any = 1,
        factors: Any = None,
        l1_ratio: float = 0.0,
        fit_intercept: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-6,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.groups = groups
        self.factors = factors
        self.l1_ratio = l1_ratio
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start

    def _penalty(self, total: float) -> Penalty:
        return group_lasso(
            total * check_number("alpha", self.alpha), self.groups, self.factors, self.l1_ratio
        )


class MultiTaskLasso(LinearModel):
    """Least squares of several targets, with features kept or dropped for all of them together.

    Minimises, as scikit-learn's estimator of this name and parameters does, over W (p, k) and b

        ||Y - X W - 1 b'||_F^2 / (2 n) + alpha sum_j ||W_j||_2,

    W_j the rows of W. `coef_` is W', of shape (k, p).

    Parameters
    ----------
    alpha, fit_intercept, max_iter, tol, warm_start
        As for `ElasticNet`.

    Attributes
    ----------
    coef_, intercept_, n_iter_, dual_gap_, n_features_in_, feature_names_in_
        As for `ElasticNet`, but one number of steps and one gap for all targets.
    """

    def __init__(
        self,
        alpha: float = 1.0,
        *,
        fit_intercept: bool = True,
        max_iter: int | None = None,
        tol: float = 1e-6,
        warm_start: bool = False,
    ) -> None:
        self.alpha = alpha
        self.fit_intercept = fit_intercept
        self.max_iter = max_iter
        self.tol = tol
        self.warm_start = warm_start

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = False
        tags.target_tags.two_d_labels = True
        return tags

    def _penalty(self, total: float) -> Penalty:
        raise AssertionError("its levels depend on the number of targets: see _problem")

    def _problem(self, X: Any, y: Array, weights: Array | None) -> CompositeProblem:
        total = float(y.shape[0] if weights is None else weights.sum())
        level = total * check_number("alpha", self.alpha)
        penalty = SparseGroupLasso(level, "rows", factors=np.ones(X.shape[1]))
        return CompositeProblem(LeastSquares(y, weights), penalty, X, intercept=bool(self.fit_intercept))

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Fit the model.

        Parameters
        ----------
        X : array_like or sparse array, shape (n, p)
            Features.
        y : array_like, shape (n, k)
            Targets.
        sample_weight : float or array_like, shape (n,), optional
            Weights >= 0 of the samples, for all targets.

        Returns
        -------
        self

        Raises
        ------
        ValueError, TypeError
            Bad parameters or data.

        Warns
        -----
        ConvergenceWarning
            Where the certificate does not confirm the solution to `tol`.
        """
        X, y = validate_data(self, X, y, y_numeric=True, multi_output=True, **MATRIX)
        if y.ndim == 1:
            raise ValueError("y must have two dimensions, one column for every target; for one, use Lasso")
        self._solve(X, y, sample_weight)
        return self


def elastic_net(level: float, l1_ratio: Any, positive: Any = False) -> PiecewiseQuadratic:
    """Level (l1_ratio ||w||_1 + (1 - l1_ratio) ||w||_2^2 / 2), and w >= 0 where positive."""
    share = check_number("l1_ratio", l1_ratio, 1.0)
    return PiecewiseQuadratic(level * share, level * (1.0 - share), lower=0.0 if positive else -np.inf)


def group_lasso(level: float, groups: Any, factors: Any, l1_ratio: Any) -> SparseGroupLasso:
    """Level ((1 - l1_ratio) sum_g factors_g ||w_g||_2 + l1_ratio ||w||_1)."""
    share = check_number("l1_ratio", l1_ratio, 1.0)
    return SparseGroupLasso(level * (1.0 - share), groups, level * share, factors)


def _plain(intercept: Array) -> Any:
    """A float for one target."""
    return float(intercept) if np.ndim(intercept) == 0 else intercept
