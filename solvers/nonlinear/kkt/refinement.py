"""Iterative refinement, shared by the direct KKT solvers."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from ....problems.nlp import Vector
from .refinement_kernels import residual

TARGET = 1e-14
"""Relative residual below which a correction is not worth its solve."""


def refine(
    rhs: Vector,
    backsolve: Callable[[Vector], Vector],
    multiply: Callable[[Vector], Vector],
    max_steps: int = 4,
) -> tuple[Vector, float]:
    """Solve with given factors and correct the solution by its residual while that pays.

    Parameters
    ----------
    rhs : ndarray, shape (N,)
        Right-hand side b.
    backsolve : callable
        Approximate solution of ``K v = b`` from the factors.
    multiply : callable
        The product ``K v``.
    max_steps : int, default 4
        Corrections at most; each must halve the residual, or the loop ends with the better vector.

    Returns
    -------
    v : ndarray, shape (N,)
    residual : float
        ``||rhs - K v|| / (||rhs|| + ||v||)`` in the maximum norm, infinite for a solution that is not finite.
    """
    v = backsolve(rhs)
    r = np.empty_like(rhs)
    error = residual(rhs, multiply(v), v, r)
    for _ in range(max_steps):
        if error <= TARGET or not math.isfinite(error):
            break
        corrected = v + backsolve(r)
        r_corrected = np.empty_like(r)
        error_corrected = residual(rhs, multiply(corrected), corrected, r_corrected)
        if not error_corrected < error:
            break
        slow = error_corrected > 0.5 * error
        v, r, error = corrected, r_corrected, error_corrected
        if slow:
            break
    return v, error
