"""Truncated conjugate gradients for the Newton steps of models that have no matrix."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...problems.composite.protocol import Array


def truncated_cg(
    product: Callable[[Array], Array],
    force: Array,
    inverse_diagonal: Array,
    tolerance: float,
    most: int,
    check: Callable[[], None] = lambda: None,
) -> Array | None:
    """H^-1 force nearly, preconditioned by the diagonal.

    Where a direction of no positive curvature is met, what there is so far; None where that is nothing.

    Parameters
    ----------
    product : callable
        v -> H v.
    force : ndarray, shape (m,)
        Right-hand side.
    inverse_diagonal : ndarray, shape (m,)
        Preconditioner.
    tolerance : float
        Reduction of the preconditioned residual sought.
    most : int
        Limit of products.
    check : callable, optional
        Called before every product; raises where time is up.
    """
    d, residual = np.zeros(force.size), force.copy()
    z = inverse_diagonal * residual
    direction, rz = z, float(residual @ z)
    end = tolerance**2 * rz
    for _ in range(most):
        if rz <= end:
            break
        check()
        moved = product(direction)
        curvature = float(direction @ moved)
        if curvature <= 0.0:
            break
        alpha = rz / curvature
        d += alpha * direction
        residual -= alpha * moved
        z = inverse_diagonal * residual
        rz, before = float(residual @ z), rz
        direction = z + (rz / before) * direction
    return d if d.any() else None
