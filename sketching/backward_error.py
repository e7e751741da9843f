"""How far a least-squares solution is from being the exact one of a nearby problem."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .sketched_factor import SketchedFactor


def frobenius_norm(A: Any) -> float | None:
    """||A||_F; None for an operator, whose entries cannot be seen."""
    if isinstance(A, np.ndarray):
        return float(np.linalg.norm(A))
    return float(np.linalg.norm(A.data)) if sp.issparse(A) else None


def karlson_walden(factor: SketchedFactor, x: np.ndarray, gradient: np.ndarray, residual: float) -> float:
    """Relative backward error of x, estimated as ||(A'A + w^2 I)^(-1/2) A'r|| / (||x|| ||A||_F).

    Parameters
    ----------
    factor : SketchedFactor
        Of A, exact or sketched: it stands for A'A, and changes the estimate by its distortion only.
    x : ndarray, shape (n,)
        The solution.
    gradient : ndarray, shape (n,)
        A'r.
    residual : float
        ||r||.

    Returns
    -------
    float
        Of the smallest perturbation of A for which x is a least-squares solution, relative to ||A||_F;
        w = ||r|| / ||x||. Within a factor of sqrt(2) of the truth in exact arithmetic.

    References
    ----------
    S. Gratton, P. Jiranek and D. Titley-Peloquin, "On the accuracy of the Karlson-Walden estimate of the
    backward error for linear least squares problems", SIAM J. Matrix Anal. Appl. 33 (2012), with a sketch in
    place of A as in the paper cited by `refinement.fossils`.
    """
    norm = factor.norm
    size = float(np.linalg.norm(x))
    if norm == 0.0 or not np.any(gradient):
        return 0.0
    if size == 0.0:
        return stewart(0.0, float(np.linalg.norm(gradient)), residual, norm)
    return factor.shifted_norm(gradient, residual / size) / (size * norm)


def stewart(size: float, gradient: float, residual: float, norm: float) -> float:
    """An upper bound of the relative backward error where no factor of A is known.

    The smaller of ||r|| / (||x|| ||A||) and ||A'r|| / (||r|| ||A||), each attained by a known perturbation
    (G. W. Stewart, "Research, development, and LINPACK", 1977).
    """
    if residual == 0.0 or norm == 0.0:
        return 0.0
    by_gradient = gradient / (residual * norm)
    return min(by_gradient, residual / (size * norm)) if size > 0.0 else by_gradient
