"""Estimators in scikit-learn's manner on `minimize_composite`; it is imported when one is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import attach

if TYPE_CHECKING:
    from .classification import LogisticRegression
    from .classification_cv import LogisticRegressionCV
    from .cross_validation import ElasticNetCV, GroupLassoCV, LassoCV
    from .regression import ElasticNet, GroupLasso, Lasso, MultiTaskLasso

_HOMES = {
    "ElasticNet": "regression",
    "ElasticNetCV": "cross_validation",
    "GroupLasso": "regression",
    "GroupLassoCV": "cross_validation",
    "Lasso": "regression",
    "LassoCV": "cross_validation",
    "LogisticRegression": "classification",
    "LogisticRegressionCV": "classification_cv",
    "MultiTaskLasso": "regression",
}

__all__ = [
    "ElasticNet",
    "ElasticNetCV",
    "GroupLasso",
    "GroupLassoCV",
    "Lasso",
    "LassoCV",
    "LogisticRegression",
    "LogisticRegressionCV",
    "MultiTaskLasso",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
