"""`karush.estimators`: scikit-learn estimators with certified fits (extra ``sklearn``).

They live in `karush.solvers.estimators`; importing this module does not import scikit-learn yet.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .solvers import estimators as _home

if TYPE_CHECKING:
    from .solvers.estimators import (
        ElasticNet,
        ElasticNetCV,
        GroupLasso,
        GroupLassoCV,
        Lasso,
        LassoCV,
        LogisticRegression,
        LogisticRegressionCV,
        MultiTaskLasso,
    )

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


def __getattr__(name: str) -> Any:
    if name in __all__:
        return getattr(_home, name)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
