"""The lower level at a fixed x, as a nonlinear problem of y."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..nlp import NLP, IndexVector, Metadata, Vector, deliver
from .problem import BilevelProblem


class LowerLevel(NLP):
    """min f(x, .) subject to the lower constraints, at one x.

    Parameters
    ----------
    problem : BilevelProblem
    x : ndarray, shape (n_x,)
    y0 : ndarray, shape (n_y,), optional
        Start; default: the problem's.
    like : LowerLevel, optional
        One at another x: patterns are taken from it.
    """

    def __init__(
        self,
        problem: BilevelProblem,
        x: Vector,
        y0: Vector | None = None,
        like: LowerLevel | None = None,
    ) -> None:
        level, n_x = problem.lower_rows, problem.n_x
        capabilities = level.capabilities
        super().__init__(
            Metadata(
                name=f"{problem.name} (lower level)",
                x0=problem.y0 if y0 is None else np.array(y0, dtype=float),
                lb=level.lb[n_x:],
                ub=level.ub[n_x:],
                cl=level.cl,
                cu=level.cu,
                y0=level.y0,
                capabilities=capabilities,
            )
        )
        self.x = np.array(x, dtype=float)
        self._level, self._n_x = level, n_x
        # The Hessian is then made of n_y products; that of the whole level would take n_x + n_y.
        self._by_products = not capabilities.hessian_matrix
        self._jacobian_part: _Part | None = None if like is None else like._jacobian_part
        self._hessian_part: _Part | None = None if like is None else like._hessian_part

    def _join(self, y: Vector) -> Vector:
        return np.concatenate([self.x, y])

    def objective(self, x: Vector) -> float:
        """f(x)."""
        return self._level.objective(self._join(x))

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        return deliver(self._level.gradient(self._join(x))[self._n_x :], out)

    def objective_and_gradient(self, x: Vector, out: Vector | None = None) -> tuple[float, Vector]:
        """f(x) and its gradient."""
        value, gradient = self._level.objective_and_gradient(self._join(x))
        return value, deliver(gradient[self._n_x :], out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        return self._level.constraints(self._join(x), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian."""
        part = self._of_jacobian()
        return part.indptr, part.indices

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        return deliver(self._level.jacobian_values(self._join(x))[self._of_jacobian().entries], out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the lower triangle of the Hessian of the Lagrangian."""
        if self._by_products:
            rows = np.arange(self.n)
            return np.append(0, np.cumsum(rows + 1)), np.tril_indices(self.n)[1]
        part = self._of_hessian()
        return part.indptr, part.indices

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        if self._by_products:
            columns = [self.hvp(x, unit, y, sigma) for unit in np.eye(self.n)]
            return deliver(np.array(columns)[np.tril_indices(self.n)], out)
        values = self._level.hessian_values(self._join(x), y, sigma)
        return deliver(values[self._of_hessian().entries], out)

    def hvp(
        self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Hessian of ``sigma f + y'c`` times v, shape (n,)."""
        direction = np.concatenate([np.zeros(self._n_x), v])
        return deliver(self._level.hvp(self._join(x), direction, y, sigma)[self._n_x :], out)

    def jvp(self, x: Vector, v: Vector, out: Vector | None = None) -> Vector:
        """c'(x) v, shape (m,)."""
        return self._level.jvp(self._join(x), np.concatenate([np.zeros(self._n_x), v]), out)

    def vjp(self, x: Vector, w: Vector, out: Vector | None = None) -> Vector:
        """c'(x)' w, shape (n,)."""
        return deliver(self._level.vjp(self._join(x), w)[self._n_x :], out)

    def _of_jacobian(self) -> _Part:
        if self._jacobian_part is None:
            self._jacobian_part = _part(*self._level.jacobian_structure(), 0, self._n_x)
        return self._jacobian_part

    def _of_hessian(self) -> _Part:
        if self._hessian_part is None:
            self._hessian_part = _part(*self._level.hessian_structure(), self._n_x, self._n_x)
        return self._hessian_part


@dataclass(frozen=True)
class _Part:
    """Rows and columns from some on of a CSR pattern, and where its entries stand in the whole."""

    indptr: IndexVector
    indices: IndexVector
    entries: IndexVector


def _part(indptr: IndexVector, indices: IndexVector, first_row: int, first_column: int) -> _Part:
    rows = np.repeat(np.arange(indptr.size - 1), np.diff(indptr))
    entries = np.flatnonzero((rows >= first_row) & (indices >= first_column))
    counts = np.bincount(rows[entries] - first_row, minlength=indptr.size - 1 - first_row)
    return _Part(
        np.concatenate([[0], np.cumsum(counts)]).astype(np.int64), indices[entries] - first_column, entries
    )
