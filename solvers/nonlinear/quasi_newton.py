"""Damped BFGS approximation of the Hessian of the Lagrangian, for problems without second derivatives."""

from __future__ import annotations

import math

import numpy as np

from ...problems.nlp import Vector


class DampedBFGS:
    """A dense positive definite matrix, updated by Powell's damped BFGS formula.

    Powell, "A fast algorithm for nonlinearly constrained optimization calculations", Numerical Analysis
    (Dundee 1977). The first update scales the identity by the curvature seen. Meant for n up to a few
    thousand.

    Parameters
    ----------
    n : int
        Order of the matrix.
    damping : float, default 0.2
        Least share of the curvature of the present matrix that an update keeps.
    """

    def __init__(self, n: int, damping: float = 0.2) -> None:
        self.matrix = np.eye(n)
        self.damping = damping
        self._lower = np.tril_indices(n)
        self._fresh = True

    @property
    def values(self) -> Vector:
        """The lower triangle, row by row."""
        return np.asarray(self.matrix[self._lower])

    def update(self, step: Vector, change: Vector) -> None:
        """Learn from the change of the gradient of the Lagrangian along a step, both of shape (n,)."""
        s, y = step, np.array(change)
        length = float(s @ s)
        if not (length > 0.0 and bool(np.isfinite(y).all())) or math.sqrt(length) < 1e-14:
            return
        sy = float(s @ y)
        if self._fresh and sy > 0.0:
            self.matrix *= min(max(float(y @ y) / sy, 1e-3), 1e3)
            self._fresh = False
        Bs = self.matrix @ s
        sBs = float(s @ Bs)
        if sBs <= 0.0:
            return
        if sy < self.damping * sBs:
            theta = (1.0 - self.damping) * sBs / (sBs - sy)
            y = theta * y + (1.0 - theta) * Bs
            sy = float(s @ y)
        updated = self.matrix + np.outer(y, y / sy) - np.outer(Bs, Bs / sBs)
        if np.isfinite(updated).all():
            self.matrix = updated
