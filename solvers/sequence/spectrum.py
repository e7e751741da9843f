"""Extreme eigenvalues of D^-1 A by a few Lanczos steps, with their cost counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.linalg import eigh_tridiagonal

from .matrices import as_square_csr
from .protocol import Vector

CHECK_EVERY = 5
"""Lanczos steps between looks at the Ritz values."""


@dataclass(frozen=True)
class Spectrum:
    """Estimates of the extreme eigenvalues of D^-1 A for symmetric A with a positive diagonal D.

    Attributes
    ----------
    smallest, largest : float
        Ritz values: `smallest` lies above lambda_min, `largest` below lambda_max. NaN where A is not finite
        or its diagonal is not positive.
    error : float
        An eigenvalue lies within this of `smallest`.
    work : float
        Products with A that it took.
    """

    smallest: float
    largest: float
    error: float
    work: float

    @property
    def jacobi_radius(self) -> float:
        """Beta = rho(I - D^-1 A)."""
        return max(1.0 - self.smallest, self.largest - 1.0)


def extreme_eigenvalues(A: Any, *, steps: int = 60, rtol: float = 0.1, rng: Any = 0) -> Spectrum:
    """lambda_min and lambda_max of D^-1 A.

    Lanczos on D^(-1/2) A D^(-1/2) from a smooth start, the unit vector along D^(1/2) 1, with a little noise:
    the slow modes of diffusion problems are smooth, so few steps do. Without reorthogonalisation, which
    extreme values do not need.

    Parameters
    ----------
    A : sparse array, shape (n, n)
        Symmetric, not checked.
    steps : int
        Most Lanczos steps. 60 find lambda_min to ten per cent where it is above 1e-3.
    rtol : float
        Stop where the residual of the smallest Ritz pair is below this share of it.
    rng : {None, int, numpy.random.Generator}
        Of the noise.

    Returns
    -------
    Spectrum

    Raises
    ------
    ValueError
        If `steps` is not positive.
    """
    matrix = as_square_csr(A)
    if steps < 1:
        raise ValueError(f"steps must be at least 1, got {steps}")
    diagonal = matrix.diagonal()
    if not (np.isfinite(matrix.data).all() and diagonal.min() > 0.0):
        return Spectrum(np.nan, np.nan, np.nan, 0.0)
    n = diagonal.size
    root = np.sqrt(diagonal)
    noise = np.random.default_rng(rng).standard_normal(n)
    v = root / np.linalg.norm(root) + 0.1 * noise / np.linalg.norm(noise)
    return _lanczos(matrix, root, v / np.linalg.norm(v), min(steps, n), rtol)


def _lanczos(A: Any, root: Vector, v: Vector, steps: int, rtol: float) -> Spectrum:
    """The three-term recurrence on D^(-1/2) A D^(-1/2), D = diag(root^2)."""
    from .vector_kernels import add, dot

    alphas: list[float] = []
    betas: list[float] = []
    previous, beta = np.zeros(v.size), 0.0
    for k in range(1, steps + 1):
        w = (A @ (v / root)) / root
        add(-beta, previous, w)
        alpha = dot(v, w)
        add(-alpha, v, w)
        beta = float(np.sqrt(dot(w, w)))
        alphas.append(alpha)
        ended = k == steps or beta <= 1e-14 * max(abs(alpha), 1e-300)
        if k % CHECK_EVERY == 0 or ended:
            theta, y = eigh_tridiagonal(np.array(alphas), np.array(betas))
            error = beta * abs(float(y[-1, 0]))
            if ended or error <= rtol * abs(float(theta[0])):
                break
        betas.append(beta)
        previous, v = v, w / beta
    return Spectrum(float(theta[0]), float(theta[-1]), error, float(k))
