"""The dual of the linear support vector machine, as a composite problem."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from .datafits import LeastSquares, SquaredHinge
from .inputs import level, sample_weights
from .penalties import Box
from .problem import CompositeProblem
from .protocol import Array


def svm_dual(X: Any, y: Any, C: float = 1.0, weights: Any = None) -> CompositeProblem:
    """Min over 0 <= a <= C s of ||sum_i a_i y_i x_i||^2 / 2 - sum_i a_i.

    The dual of min ||v||^2 / 2 + C sum_i s_i max(0, 1 - y_i x_i'v), without intercept; at the solution
    v = X'(y a), see `svm_weights`.

    Parameters
    ----------
    X : array_like or sparse array, shape (samples, features)
        Data.
    y : array_like, shape (samples,)
        Labels -1 and 1, or 0 and 1.
    C : float
        Weight > 0 of the losses.
    weights : array_like, shape (samples,), optional
        Weights s >= 0 of the samples.
    """
    labels = SquaredHinge(y).y
    upper = float(level("C", C, strict=True, array=False)) * sample_weights(weights, labels.size)
    if sparse.issparse(X):
        signed = sparse.csc_array((sparse.diags_array(labels) @ X).T)
    else:
        signed = (labels[:, None] * np.asarray(X, dtype=np.float64)).T
    return CompositeProblem(LeastSquares(np.zeros(signed.shape[0])), Box(0.0, upper, linear=-1.0), signed)


def svm_weights(problem: CompositeProblem, a: Array) -> Array:
    """The primal solution v of the dual's solution a."""
    return problem.predictor(a)
