"""How far a least-squares solution is from being the exact one of a nearby problem."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp

from .sketched_factor import SketchedFactor


def frobenius_norm(A: Any) -> float | None:
    """||A||_F (zero or infinite out of range); None for an operator, whose entries cannot be seen."""
    if not isinstance(A, np.ndarray):
        return frobenius_norm(A.data) if sp.issparse(A) else None
    with np.errstate(over="ignore", invalid="ignore"):
        if A.ndim == 1 or A.flags.forc:
            flat = A.ravel(order="K")
            return float(np.sqrt(flat.dot(flat)))
        return float(np.sqrt(np.einsum("ij,ij->", A, A)))  # norm would copy A


def relative(error: np.ndarray, size: np.ndarray) -> np.ndarray:
    """Errors relative to sizes; zero where there is none."""
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(error == 0.0, 0.0, error / size))


def karlson_walden(factor: SketchedFactor, x: np.ndarray, gradient: np.ndarray, residual: Any) -> Any:
    """Relative backward error of x, estimated as ||(A'A + w^2 I)^(-1/2) A'r|| / (||x|| ||A||_F).

    Parameters
    ----------
    factor : SketchedFactor
        Of A, exact or sketched: it stands for A'A, and changes the estimate by its distortion only.
    x : ndarray, shape (n,) or (n, p)
        The solution.
    gradient : ndarray, shape (n,) or (n, p)
        A'r.
    residual : float or ndarray, shape (p,)
        ||r||.

    Returns
    -------
    float or ndarray, shape (p,)
        Of the smallest perturbation of A for which x is a least-squares solution, relative to ||A||_F;
        w = ||r|| / ||x||. Within a factor of sqrt(2) of the truth in exact arithmetic.

    References
    ----------
    S. Gratton, P. Jiranek and D. Titley-Peloquin, "On the accuracy of the Karlson-Walden estimate of the
    backward error for linear least squares problems", SIAM J. Matrix Anal. Appl. 33 (2012), with a sketch in
    place of A as in the paper cited by `refinement.fossils`.
    """
    if x.ndim == 1:
        return float(karlson_walden(factor, x[:, None], gradient[:, None], np.array([residual]))[0])
    size, slope = np.linalg.norm(x, axis=0), np.linalg.norm(gradient, axis=0)
    errors = np.array(
        [stewart(0.0, float(g), float(r), factor.norm) for g, r in zip(slope, residual, strict=True)]
    )
    sharp = (slope != 0.0) & (size > 0.0) & (factor.norm > 0.0)  # NaN counts
    if np.any(sharp):
        shifts = np.asarray(residual)[sharp] / size[sharp]
        errors[sharp] = factor.shifted_norms(gradient[:, sharp], shifts) / (size[sharp] * factor.norm)
    return errors


def stewart(size: float, gradient: float, residual: float, norm: float) -> float:
    """An upper bound of the relative backward error where no factor of A is known.

    The smaller of ||r|| / (||x|| ||A||) and ||A'r|| / (||r|| ||A||), each attained by a known perturbation
    (G. W. Stewart, "Research, development, and LINPACK", 1977).
    """
    if residual == 0.0 or norm == 0.0:
        return 0.0
    by_gradient = gradient / (residual * norm)
    return min(by_gradient, residual / (size * norm)) if size > 0.0 else by_gradient
