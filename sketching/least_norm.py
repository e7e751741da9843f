"""Least-norm solutions of wide systems by the factor of a sketch of A'."""

from __future__ import annotations

from typing import Any

import numpy as np

from .backward_error import frobenius_norm
from .refinement import Momentum, Progress, conjugate_gradients, heavy_ball
from .sketched_factor import SketchedFactor
from .systems import LeastSquaresSystem

_PASSES = 3


def least_norm(
    system: LeastSquaresSystem,
    A: Any,
    b: np.ndarray,
    factor: SketchedFactor,
    momentum: Momentum,
    method: str,
    rtol: float,
    maxiter: int,
) -> tuple[np.ndarray, Any, Any, Progress]:
    """X = A'z with (A A' + damp^2 I) z = b, refined until the residual is at the level of rounding.

    Parameters
    ----------
    system : LeastSquaresSystem
        Of A'.
    A : matrix, shape (m, n), m <= n
        Of full row rank.
    b : ndarray, shape (m,) or (m, p)
        Right-hand sides.
    factor : SketchedFactor
        P of shape (m, m) with A'P nearly orthonormal.
    momentum, method, rtol, maxiter
        As in `refinement`; "spir" iterates by conjugate gradients, everything else by heavy ball.

    Returns
    -------
    x : ndarray, shape (n,) or (n, p)
    residual : float or ndarray
        ||b - A x||.
    error : float or ndarray
        (||b - A x - damp^2 z||) / (||A||_F ||x||): relative backward error.
    progress : Progress
    """
    progress = Progress()
    zero = np.zeros((A.shape[1], *b.shape[1:]), dtype=system.dtype)
    norm = frobenius_norm(A) or float(factor.largest)

    def gram(y: np.ndarray) -> np.ndarray:
        return factor.apply_adjoint(system.gram(factor.apply(y), zero))

    x, z = zero, np.zeros_like(b)
    residual = b
    for _ in range(_PASSES):
        c = factor.apply_adjoint(residual)
        size = np.linalg.norm(c if not np.any(x) else x, axis=0)
        tolerance = np.maximum(max(system.eps, rtol) * size, np.finfo(system.dtype).tiny)
        if method == "spir":
            y = conjugate_gradients(gram, c, tolerance, maxiter, progress)
        else:
            y = heavy_ball(gram, c, momentum, tolerance, maxiter, progress)
        step = factor.apply(y)
        z = z + step
        x = x + A.T @ step
        residual = b - A @ x - system.damp**2 * z
        system.passes += 1
        with np.errstate(all="ignore"):
            error = np.linalg.norm(residual, axis=0) / (norm * np.linalg.norm(x, axis=0))
        error = np.nan_to_num(error, nan=0.0)
        if np.all(error <= max(system.eps, rtol)):
            break
    plain = np.linalg.norm(b - A @ x, axis=0)
    if b.ndim == 1:
        return x, float(plain), float(error), progress
    return x, plain, error, progress
