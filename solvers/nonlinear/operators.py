"""Derivatives of the scaled problem in the free variables as operators: products, and no matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from ...problems.nlp import Vector

if TYPE_CHECKING:
    from .form import SlackForm


class HessianProducts:
    """``H @ v`` for the Hessian of ``sigma f + y'C`` in the free variables, by the problem's hvp.

    Parameters
    ----------
    form : SlackForm
        Scaling, free variables, active rows.
    x : ndarray, shape (n,)
        The point, of the original problem.
    y : ndarray, shape (m,)
        Multipliers of the scaled rows.
    sigma : float
        Weight of the scaled objective.
    """

    __array_ufunc__ = None  # numpy leaves ``v @ self`` alone

    def __init__(self, form: SlackForm, x: Vector, y: Vector, sigma: float) -> None:
        self.form, self.x = form, x
        self._y = form.unscale_rows(y) if form.m else None
        self._sigma = sigma * form.scaling.objective
        self._whole = form.free.size == form.evaluator.n

    def __matmul__(self, v: Vector) -> Vector:
        form = self.form
        if self._whole:
            return form.evaluator.hvp(self.x, v, self._y, self._sigma)
        full = np.zeros(form.evaluator.n)
        full[form.free] = v
        return np.asarray(form.evaluator.hvp(self.x, full, self._y, self._sigma)[form.free])

    def diagonal(self) -> Vector | None:
        """The diagonal, None where the problem has no cheap way to it."""
        form = self.form
        diagonal = form.evaluator.hessian_diagonal(self.x, self._y, self._sigma)
        return diagonal if diagonal is None or self._whole else diagonal[form.free]


class JacobianProducts:
    """``J @ v`` and ``w @ J`` of the scaled active rows, by the problem's jvp and vjp.

    Parameters
    ----------
    form : SlackForm
        Scaling, free variables, active rows.
    x : ndarray, shape (n,)
        The point, of the original problem.
    """

    __array_ufunc__ = None

    def __init__(self, form: SlackForm, x: Vector) -> None:
        self.form, self.x = form, x
        self.shape = form.m, form.nx

    def __matmul__(self, v: Vector) -> Vector:
        form = self.form
        full = np.zeros(form.evaluator.n)
        full[form.free] = v
        return np.asarray(form.scaling.constraints * form.evaluator.jvp(self.x, full)[form.active])

    def __rmatmul__(self, w: Vector) -> Vector:
        form = self.form
        return np.asarray(form.evaluator.vjp(self.x, form.unscale_rows(w))[form.free])

    def toarray(self) -> NDArray[np.float64]:
        """The matrix, by m products."""
        return np.array([unit @ self for unit in np.eye(self.shape[0])]).reshape(self.shape)


def is_product(matrix: Any) -> bool:
    """Whether a Hessian or Jacobian is known by products only."""
    return isinstance(matrix, HessianProducts | JacobianProducts)
