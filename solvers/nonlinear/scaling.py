"""Gradient-based scaling of the objective and of each constraint."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.nlp import IndexVector, Vector

MAX_GRADIENT = 100.0
SMALLEST = 1e-8


@dataclass(frozen=True)
class Scaling:
    """Factors of the objective and of the constraints, shape (m,)."""

    objective: float
    constraints: Vector


def gradient_scaling(gradient: Vector, jacobian: Vector, rows: IndexVector, m: int) -> Scaling:
    """Factors that bring every gradient at the start to at most 100 in the maximum norm.

    Waechter & Biegler, "On the implementation of an interior-point filter line-search algorithm for
    large-scale nonlinear programming", Math. Prog. 106 (2006), section 3.8. Nothing is scaled up; no factor
    is below 1e-8.

    Parameters
    ----------
    gradient : ndarray, shape (n,)
        Gradient of the objective.
    jacobian : ndarray, shape (nnzj,)
        Values of the Jacobian.
    rows : ndarray of int64, shape (nnzj,)
        Their rows.
    m : int
        Number of rows.
    """
    largest = np.zeros(m)
    np.maximum.at(largest, rows, np.abs(jacobian))
    steepest = float(np.abs(gradient).max(initial=0.0))
    return Scaling(
        objective=max(min(1.0, MAX_GRADIENT / max(steepest, 1e-300)), SMALLEST),
        constraints=np.maximum(np.minimum(1.0, MAX_GRADIENT / np.maximum(largest, 1e-300)), SMALLEST),
    )
