"""Sparse logistic regression with its level chosen by cross-validation."""

from __future__ import annotations

from typing import Any, Self

import numpy as np

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array
from ..composite.path import composite_path
from .classification import LogisticRegression
from .fitting import check_number, solve, warn
from .regression import elastic_net

from sklearn.model_selection import check_cv  # isort: skip (`fitting` says it where it is missing)


class LogisticRegressionCV(LogisticRegression):
    """`LogisticRegression` with C, and l1_ratio, chosen by the logistic loss of held-out samples.

    Parameters
    ----------
    Cs : int or array_like
        How many levels, evenly on the logarithm, from the largest C that keeps w at zero on; or the levels.
    l1_ratio : float or array_like
        As for `LogisticRegression`; the best of several is chosen.
    eps : float
        The smallest C relative to the largest.
    cv : int, cross-validation generator or iterable, optional
        Folds, as everywhere in scikit-learn; default: 5, each with its share of every class.
    fit_intercept, class_weight, max_iter, tol
        As for `LogisticRegression`.

    Attributes
    ----------
    C_, l1_ratio_ : float
        What was chosen.
    Cs_ : ndarray, shape (m,) or (r, m)
        Levels, rising; by l1_ratio where a list of them was given.
    loss_path_ : ndarray, shape (m, folds) or (r, m, folds)
        Mean losses (negative log-likelihoods) of the held-out samples. Zero, and without a say, for folds
        that hold out no weight or all of a class: without it, the loss is infinite at every level.
    classes_, coef_, intercept_, n_iter_, dual_gap_, n_features_in_, feature_names_in_
        As for `LogisticRegression`, of the fit on all samples.
    """

    def __init__(
        self,
        *,
        Cs: Any = 20,
        l1_ratio: Any = 1.0,
        eps: float = 1e-3,
        fit_intercept: bool = True,
        class_weight: Any = None,
        cv: Any = None,
        max_iter: int | None = None,
        tol: float = 1e-6,
    ) -> None:
        self.Cs = Cs
        self.l1_ratio = l1_ratio
        self.eps = eps
        self.fit_intercept = fit_intercept
        self.class_weight = class_weight
        self.cv = cv
        self.max_iter = max_iter
        self.tol = tol

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Choose the level and fit the model with it on all samples.

        Held-out samples get the weight zero in the fits: X is not cut for these.

        Parameters
        ----------
        X : array_like or sparse array, shape (n, p)
            Features.
        y : array_like, shape (n,)
            Labels of any type that sorts, of two classes at least.
        sample_weight : float or array_like, shape (n,), optional
            Weights >= 0, in the fits and in the losses; folds count by the weight they hold out.

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
        X, datafit, classes = self._read(X, y, sample_weight)
        folds = [test for _, test in check_cv(self.cv, y, classifier=True).split(X, y)]
        telling = np.array(
            [_has_all_classes(np.asarray(y), classes, datafit.weights, test) for test in folds]
        )
        if not telling.any():
            raise ValueError(
                "every fold of cv holds out all samples of some class: there is nothing to choose by"
            )
        ratios = np.atleast_1d(self.l1_ratio)
        problems = [
            CompositeProblem(datafit, elastic_net(1.0, ratio), X, intercept=bool(self.fit_intercept))
            for ratio in ratios
        ]
        levels = np.array([self._levels(problem) for problem in problems])
        found = [
            self._losses(problem, lam, folds, telling) for problem, lam in zip(problems, levels, strict=True)
        ]
        losses = np.array([each for each, _ in found])
        held_out = found[0][1]
        means = np.average(losses, axis=2, weights=held_out)
        which, at = np.unravel_index(int(np.argmin(means)), means.shape)
        several = np.ndim(self.l1_ratio) > 0
        self.Cs_: Array = 1.0 / (levels if several else levels[0])
        self.loss_path_: Array = losses if several else losses[0]
        self.C_, self.l1_ratio_ = float(1.0 / levels[which, at]), float(ratios[which])
        chosen = problems[which]
        problem = chosen.with_penalty(chosen.penalty.scaled(float(levels[which, at])))
        return self._keep(problem, classes, solve(self, problem))

    def _levels(self, problem: CompositeProblem) -> Array:
        """The levels 1/C of the penalty to choose from, falling."""
        if not isinstance(self.Cs, (int, np.integer)):
            given = np.sort([check_number("Cs", C) for C in np.ravel(self.Cs)])
            if not given.size or given[0] == 0 or np.isinf(given[-1]):
                raise ValueError(f"Cs must be a number of levels or a list of finite ones > 0, got {self.Cs}")
            return np.asarray(1.0 / given)
        if self.Cs < 1:
            raise ValueError(f"Cs must be at least 1, got {self.Cs}")
        eps = check_number("eps", self.eps, 1.0)
        top = problem.penalty.dual_norm(-problem.null.slopes)
        if top == np.inf or eps == 0:
            raise ValueError("without an L1 part, or with eps = 0, Cs must be given as a list")
        # Features that say nothing: w = 0 whatever the level.
        top = max(top, float(np.finfo(np.float64).resolution))
        return np.geomspace(top, eps * top, int(self.Cs))

    def _losses(
        self, problem: CompositeProblem, levels: Array, folds: list[Any], telling: Any
    ) -> tuple[Array, Array]:
        """Mean losses of held-out samples by level and fold, (m, folds); the weights held out, (folds,).

        Only of the folds that are telling; zero elsewhere.
        """
        losses, held_out, doubtful = np.zeros((levels.size, len(folds))), np.zeros(len(folds)), 0
        total = float(problem.sample_weights.sum())
        for k in np.flatnonzero(telling):
            test = folds[k]
            mask = np.zeros(problem.n)
            np.add.at(mask, test, 1.0)
            held_out[k] = problem.sample_weights @ mask
            train = problem.with_datafit(problem.datafit.reweighted((mask == 0).astype(float)))
            judge = problem.datafit.reweighted(mask)
            # The penalty counts against a sum over samples: it shrinks with the samples left.
            share = float(train.sample_weights.sum()) / total
            path = composite_path(train, lambdas=share * levels, tol=self.tol)
            doubtful += int((~path.success).sum())
            for i in range(levels.size):
                losses[i, k] = judge.value(problem.predictor(path.coef(i), path.intercepts[i])) / held_out[k]
        if doubtful:
            warn(
                self,
                f"{doubtful} of {losses.size} solutions on paths are not confirmed to tol = {self.tol:g}.",
            )
        return losses, held_out


def _has_all_classes(y: Any, classes: Any, weights: Array, test: Any) -> bool:
    """Whether a fold holds out some weight and leaves some of every class."""
    left = weights.copy()
    left[test] = 0.0
    return bool(weights[test].any() and np.isin(classes, y[left > 0]).all())
