"""What all estimators share: data and parameters checked in scikit-learn's manner, fits that warn."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np

try:
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.utils import check_array, check_scalar
except ImportError as error:
    raise ImportError(
        "karush.estimators needs scikit-learn 1.6 or later: pip install karush[sklearn]"
    ) from error

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array
from ..composite.minimize import minimize_composite
from ..result import Result

MATRIX = {"accept_sparse": "csc", "dtype": (np.float64, np.float32)}
"""How X is read: dense of either order and CSC as they are, in their own precision."""


def check_number(name: str, value: Any, most: float = np.inf) -> float:
    """A number between 0 and `most`."""
    number = check_scalar(value, name, (int, float, np.integer, np.floating), min_val=0, max_val=most)
    if np.isnan(number):
        raise ValueError(f"{name} must be a number >= 0, got {value}")
    return float(number)


def check_weights(sample_weight: Any, n: int) -> Array | None:
    """Weights >= 0 of the samples, not all of them zero; one number for all; None for ones."""
    if sample_weight is None or np.isscalar(sample_weight):
        return None if sample_weight is None else np.full(n, check_number("sample_weight", sample_weight))
    weights = check_array(
        sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight", ensure_min_samples=0
    )
    if weights.shape != (n,):
        raise ValueError(f"sample_weight must have shape ({n},), one for every sample, got {weights.shape}")
    if (weights < 0).any() or not weights.any():
        raise ValueError(f"sample_weight must be >= 0 and not all zero, got {weights.min():g} as the least")
    return np.asarray(weights)


def solve(estimator: Any, problem: CompositeProblem, start: tuple[Array, Any] | None = None) -> Result:
    """The solution, with a warning where the certificate does not confirm it.

    Parameters
    ----------
    estimator : estimator
        Has `tol`, and `max_iter` where steps are to be limited.
    problem : CompositeProblem
        What is to be minimised.
    start : tuple of coefficients and intercept, optional
        Those of an earlier fit; left out where they do not fit the problem.
    """
    tol = check_number("tol", estimator.tol)
    w0, b0 = (None, None) if start is None or start[0].shape != problem.shape else start
    limit = getattr(estimator, "max_iter", None)
    if limit is not None:
        check_scalar(limit, "max_iter", (int, np.integer), min_val=0)
    result = minimize_composite(problem, w0=w0, b0=b0, tol=tol, max_iterations=limit)
    if not result.success:
        warn(estimator, f"{shortfall(result)}. {result.message}")
    return result


def shortfall(result: Result) -> str:
    """What the certificate says of a point that is not optimal to the tolerance."""
    found: Any = result.certificate
    if np.isfinite(found.gap):
        return f"relative duality gap {found.relative_gap:.2e}, asked for tol = {found.tol:g}"
    relative = max(found.stationarity / found.stationarity_scale, found.intercept_slope)
    return f"relative distance from stationarity {relative:.2e}, asked for tol = {found.tol:g}"


def warn(estimator: Any, what: str) -> None:
    """`ConvergenceWarning` of an estimator."""
    warnings.warn(
        f"{type(estimator).__name__} did not converge: {what} Scaled features, a larger max_iter or more "
        "regularization may help.",
        ConvergenceWarning,
        stacklevel=4,
    )
