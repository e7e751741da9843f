"""Kernel of iterative refinement."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(
    "float64(float64[::1], float64[::1], float64[::1], float64[::1])",
    cache=True,
    nogil=True,
    error_model="numpy",
)
def residual(rhs, image, v, r):
    """Residual r = rhs - image; ``||r|| / (||rhs|| + ||v||)`` in the maximum norm.

    Infinite where that is not finite.
    """
    largest = size = length = 0.0
    for i in range(rhs.size):
        r[i] = rhs[i] - image[i]
        error = abs(r[i])
        if error > largest or error != error:
            largest = error
        size, length = max(size, abs(rhs[i])), max(length, abs(v[i]))
    if largest == 0.0:
        return 0.0
    relative = largest / (size + length)
    return relative if relative < np.inf else np.inf
