"""The estimators that choose the level of their penalty by cross-validation along paths."""

from __future__ import annotations

from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from ...problems.composite.datafits import LeastSquares
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Penalty
from ..composite.path import Path, composite_path
from .fitting import MATRIX, check_number, check_weights, solve, warn
from .regression import LinearModel, elastic_net, group_lasso

from sklearn.model_selection import check_cv  # isort: skip (`fitting` says it where it is missing)
from sklearn.utils import column_or_1d  # isort: skip
from sklearn.utils.validation import validate_data  # isort: skip

Fold = tuple[NDArray[np.int64], NDArray[np.int64]]
"""Samples to fit and samples held out."""


class _Candidate(NamedTuple):
    """One value of l1_ratio: its problem for alpha = 1, levels, and errors by level and fold."""

    l1_ratio: float
    problem: CompositeProblem
    alphas: Array
    errors: Array


class PathCV(LinearModel):
    """Choice of alpha, and of l1_ratio where there are several, by the error of held-out samples."""

    def _unit_penalty(self, total: float, l1_ratio: float) -> Penalty:
        """The penalty for alpha = 1, times the samples' total weight."""
        raise NotImplementedError

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose the level and fit the model with it on all samples.

        Held-out samples get the weight zero in the fits: X is not cut for these.

        Parameters
        ----------
        X : array_like or sparse array, shape (n, p)
            Features.
        y : array_like, shape (n,)
            Targets.
        sample_weight : float or array_like, shape (n,), optional
            Weights >= 0, in the fits and in the errors; folds count by the weight they hold out.

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
            Where certificates do not confirm the solutions to `tol`.
        """
        X, y = validate_data(self, X, y, y_numeric=True, **MATRIX)
        y = column_or_1d(y, warn=True)
        weights = check_weights(sample_weight, y.size)
        folds = list(check_cv(self.cv).split(X, y))
        several = np.ndim(getattr(self, "l1_ratio", 1.0)) > 0
        candidates = self._candidates(X, y, weights, folds)
        held_out = np.ones(len(folds)) if weights is None else [weights[test].sum() for _, test in folds]
        means = np.array([np.average(each.errors, axis=1, weights=held_out) for each in candidates])
        which, at = np.unravel_index(int(np.argmin(means)), means.shape)
        best = candidates[which]
        self.alpha_ = float(best.alphas[at])
        if hasattr(self, "l1_ratio"):
            self.l1_ratio_ = best.l1_ratio
        self.alphas_ = np.array([each.alphas for each in candidates]) if several else best.alphas
        self.mse_path_ = np.array([each.errors for each in candidates]) if several else best.errors
        problem = best.problem.with_penalty(best.problem.penalty.scaled(self.alpha_))
        self._keep(problem, solve(self, problem))
        return self

    def _candidates(self, X: Any, y: Array, weights: Array | None, folds: list[Fold]) -> list[_Candidate]:
        total = float(y.size if weights is None else weights.sum())
        found, paths = [], []
        for l1_ratio in np.atleast_1d(getattr(self, "l1_ratio", 1.0)):
            penalty = self._unit_penalty(total, l1_ratio)
            problem = CompositeProblem(
                LeastSquares(y, weights), penalty, X, intercept=bool(self.fit_intercept)
            )
            alphas = self._levels(problem)
            here = [composite_path(_without(problem, fold), lambdas=alphas, tol=self.tol) for fold in folds]
            errors = [
                _errors(X[fold[1]], y[fold[1]], None if weights is None else weights[fold[1]], path)
                for fold, path in zip(folds, here, strict=True)
            ]
            found.append(_Candidate(float(l1_ratio), problem, alphas, np.column_stack(errors)))
            paths += here
        self._report(paths)
        return found

    def _levels(self, problem: CompositeProblem) -> Array:
        """The levels to choose from, falling."""
        if not isinstance(self.alphas, (int, np.integer)):
            given = np.sort([check_number("alphas", alpha) for alpha in np.ravel(self.alphas)])
            if not given.size:
                raise ValueError("alphas must be a number of levels or a list of them, got an empty list")
            return np.asarray(given[::-1])
        if self.alphas < 1:
            raise ValueError(f"alphas must be at least 1, got {self.alphas}")
        eps = check_number("eps", self.eps, 1.0)
        top = problem.penalty.dual_norm(-problem.null.slopes)
        if top == np.inf or eps == 0 or (top == 0 and problem.null.slopes.any()):
            raise ValueError("without an L1 part, or with eps = 0, alphas must be given as a list")
        # A constant target: w = 0 whatever the level.
        top = max(top, float(np.finfo(np.float64).resolution))
        return np.geomspace(top, eps * top, int(self.alphas))

    def _report(self, paths: list[Path]) -> None:
        """Warn of solutions on the paths that are not confirmed."""
        doubtful = sum(int((~path.success).sum()) for path in paths)
        if doubtful:
            worst = max(float(np.max(path.gaps[~path.success], initial=0.0)) for path in paths)
            count = sum(path.success.size for path in paths)
            warn(self, f"{doubtful} of {count} solutions on paths, duality gaps up to {worst:.2e}.")


class ElasticNetCV(PathCV):
    """The elastic net with alpha, and l1_ratio, chosen by cross-validation.

    Parameters
    ----------
    l1_ratio : float or array_like
        As for `ElasticNet`; the best of several is chosen.
    eps : float
        The smallest alpha, relative to the largest: that is the smallest one that keeps w at zero.
    alphas : int or array_like
        How many levels, evenly on the logarithm; or the levels.
    fit_intercept, tol, positive
        As for `ElasticNet`.
    cv : int, cross-validation generator or iterable, optional
        Folds, as everywhere in scikit-learn; default: 5.

    Attributes
    ----------
    alpha_, l1_ratio_ : float
        What was chosen.
    alphas_ : ndarray, shape (m,) or (r, m)
        Levels, falling; by l1_ratio where a list of them was given.
    mse_path_ : ndarray, shape (m, folds) or (r, m, folds)
        Mean squared errors of the held-out samples.
    coef_, intercept_, n_iter_, dual_gap_, n_features_in_, feature_names_in_
        As for `ElasticNet`, of the fit on all samples.
    """

    def __init__(
        self,
        *,
        l1_ratio: Any = 0.5,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        cv: Any = None,
        tol: float = 1e-6,
        positive: bool = False,
    ) -> None:
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.tol = tol
        self.positive = positive

    def _unit_penalty(self, total: float, l1_ratio: float) -> Penalty:
        return elastic_net(total, l1_ratio, self.positive)


class LassoCV(PathCV):
    """The lasso with alpha chosen by cross-validation.

    Parameters
    ----------
    eps, alphas, fit_intercept, cv, tol, positive
        As for `ElasticNetCV`.

    Attributes
    ----------
    alpha_, alphas_, mse_path_
        As for `ElasticNetCV`.
    coef_, intercept_, n_iter_, dual_gap_, n_features_in_, feature_names_in_
        As for `Lasso`, of the fit on all samples.
    """

    def __init__(
        self,
        *,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        cv: Any = None,
        tol: float = 1e-6,
        positive: bool = False,
    ) -> None:
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.tol = tol
        self.positive = positive

    def _unit_penalty(self, total: float, l1_ratio: float) -> Penalty:
        return elastic_net(total, l1_ratio, self.positive)


class GroupLassoCV(PathCV):
    """The (sparse) group lasso with alpha, and l1_ratio, chosen by cross-validation.

    Parameters
    ----------
    groups, factors
        As for `GroupLasso`.
    l1_ratio : float or array_like
        As for `GroupLasso`; the best of several is chosen.
    eps, alphas, fit_intercept, cv, tol
        As for `ElasticNetCV`.

    Attributes
    ----------
    alpha_, l1_ratio_, alphas_, mse_path_
        As for `ElasticNetCV`.
    coef_, intercept_, n_iter_, dual_gap_, n_features_in_, feature_names_in_
        As for `GroupLasso`, of the fit on all samples.
    """

    def __init__(
        self,
        *,
        groups: Any = 1,
        factors: Any = None,
        l1_ratio: Any = 0.0,
        eps: float = 1e-3,
        alphas: Any = 100,
        fit_intercept: bool = True,
        cv: Any = None,
        tol: float = 1e-6,
    ) -> None:
        self.groups = groups
        self.factors = factors
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.alphas = alphas
        self.fit_intercept = fit_intercept
        self.cv = cv
        self.tol = tol

    def _unit_penalty(self, total: float, l1_ratio: float) -> Penalty:
        return group_lasso(total, self.groups, self.factors, l1_ratio)


def _without(problem: CompositeProblem, fold: Fold) -> CompositeProblem:
    """The problem of the samples that a fold fits; the others stay with the weight zero."""
    mask = np.zeros(problem.n)
    np.add.at(mask, fold[0], 1.0)
    # The penalty counts against a sum over samples: it shrinks with the samples left.
    share = float(problem.sample_weights @ mask) / float(problem.sample_weights.sum())
    part = problem.with_datafit(problem.datafit.reweighted(mask))
    return part.with_penalty(problem.penalty.scaled(share))


def _errors(X: Any, y: Array, weights: Array | None, path: Path) -> Array:
    """Mean squared errors along a path."""
    residuals = X @ path.coefs.T
    residuals = (residuals.toarray() if hasattr(residuals, "toarray") else residuals) + path.intercepts
    residuals -= y[:, None]
    if weights is not None and not weights.any():
        return np.zeros(path.lambdas.size)  # such a fold has no say
    return np.asarray(np.average(residuals**2, axis=0, weights=weights))
