"""A nonlinear problem whose objective and constraints are row functions on compiled term families."""

from __future__ import annotations

from functools import cached_property
from typing import Any

import numpy as np

from .nlp import NLP, IndexVector, Metadata, Vector
from .row_function import RowFunction
from .sparse_patterns import merge_entries


class TermProblem(NLP):
    """min sum of F(x) over the objective's rows, subject to cl <= c(x) <= cu and lb <= x <= ub.

    Parameters
    ----------
    metadata : Metadata
        Name, start, bounds.
    objective, constraints : RowFunction
        Of the same n; ``constraints.count`` is m.

    Notes
    -----
    Safe to call from several threads: every call has buffers of its own.
    """

    def __init__(self, metadata: Metadata, objective: RowFunction, constraints: RowFunction) -> None:
        super().__init__(metadata)
        self._objective, self._constraints = objective, constraints
        self._unit = np.ones(objective.count)
        self._free = np.zeros(self.m)

    def __reduce__(self) -> Any:
        raise TypeError(f"{self!r} holds compiled code and cannot be pickled: pickle what builds it")

    @property
    def linear_constraints(self) -> np.ndarray:
        """Mask of the constraints that are affine in x, shape (m,)."""
        return self._constraints.linear_rows

    def objective(self, x: Vector) -> float:
        """f(x)."""
        return self._objective.total(_vector(x, self.n, "x"))

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f at x, shape (n,)."""
        out = _target(out, self.n)
        self._objective.total_and_gradient(_vector(x, self.n, "x"), out)
        return out

    def objective_and_gradient(self, x: Vector, out: Vector | None = None) -> tuple[float, Vector]:
        """f(x) and grad f(x) in one pass."""
        out = _target(out, self.n)
        return self._objective.total_and_gradient(_vector(x, self.n, "x"), out), out

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        out = _target(out, self.m)
        self._constraints.values(_vector(x, self.n, "x"), out)
        return out

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """(indptr, indices) of c'(x) in CSR form."""
        return self._constraints.jacobian_structure()

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x) in the order of `jacobian_structure`."""
        out = _target(out, self.jacobian_structure()[1].size)
        self._constraints.jacobian(_vector(x, self.n, "x"), out)
        return out

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """(indptr, indices) in CSR form of the lower triangle of the Hessian of the Lagrangian."""
        return self._hessian_pattern

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of the Hessian of ``sigma f + y'c``."""
        out = _target(out, len(self._hessian_pattern[1]))
        x = _vector(x, self.n, "x")
        out.fill(0.0)
        if sigma != 0.0:
            self._objective.add_hessian(x, self._unit if sigma == 1.0 else sigma * self._unit, out)
        if y is not None and not self._constraints.is_linear:
            self._constraints.add_hessian(x, _vector(y, self.m, "y"), out)
        return out

    @property
    def is_least_squares(self) -> bool:
        """True where the objective is a sum of squares by its group functions, and of linear terms."""
        return self._objective.is_least_squares

    def gauss_newton_values(self, x: Vector, sigma: float = 1.0, out: Vector | None = None) -> Vector:
        """Values of ``sigma sum g'' (grad a)(grad a)'`` of the objective, as `hessian_structure` has them.

        For a least-squares objective the Gauss-Newton part of its Hessian, positive semidefinite.
        """
        out = _target(out, len(self._hessian_pattern[1]))
        out.fill(0.0)
        self._objective.add_gauss_newton(_vector(x, self.n, "x"), sigma * self._unit, out)
        return out

    def hessian_diagonal(self, x: Vector, y: Vector | None = None, sigma: float = 1.0) -> Vector | None:
        """Diagonal of the Hessian of ``sigma f + y'c``; None where terms of several variables are curved."""
        out, x = np.zeros(self.n), _vector(x, self.n, "x")
        known = self._objective.add_hessian_diagonal(x, sigma * self._unit, out)
        if known and y is not None and not self._constraints.is_linear:
            known = self._constraints.add_hessian_diagonal(x, _vector(y, self.m, "y"), out)
        return out if known else None

    def hessian_entries_bound(self) -> int:
        """Most entries of the lower triangle of the Hessian, without its pattern."""
        return self._objective.hessian_entries_bound() + self._constraints.hessian_entries_bound()

    def hvp(
        self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Hessian of ``sigma f + y'c`` times v, shape (n,), without forming it."""
        out = _target(out, self.n)
        x, v = _vector(x, self.n, "x"), _vector(v, self.n, "v")
        out.fill(0.0)
        if sigma != 0.0:
            self._objective.add_hessian_product(x, v, self._unit if sigma == 1.0 else sigma * self._unit, out)
        if y is not None and not self._constraints.is_linear:
            self._constraints.add_hessian_product(x, v, _vector(y, self.m, "y"), out)
        return out

    def jvp(self, x: Vector, v: Vector, out: Vector | None = None) -> Vector:
        """c'(x) v, shape (m,), without forming c'(x)."""
        out = _target(out, self.m)
        self._constraints.product(_vector(x, self.n, "x"), _vector(v, self.n, "v"), out)
        return out

    def vjp(self, x: Vector, w: Vector, out: Vector | None = None) -> Vector:
        """c'(x)' w, shape (n,), without forming c'(x)."""
        out = _target(out, self.n)
        self._constraints.transposed_product(_vector(x, self.n, "x"), _vector(w, self.m, "w"), out)
        return out

    @cached_property
    def _hessian_pattern(self) -> tuple[IndexVector, IndexVector]:
        f_rows, f_columns = self._objective.hessian_entries()
        c_rows, c_columns = self._constraints.hessian_entries()
        indptr, indices, positions = merge_entries(
            [*f_rows, *c_rows], [*f_columns, *c_columns], (self.n, self.n)
        )
        self._objective.place_hessian(positions[: len(f_rows)])
        self._constraints.place_hessian(positions[len(f_rows) :])
        return indptr, indices


_ARRAY, _DOUBLE = np.ndarray, np.dtype(np.float64)


def _fits(array: Any, size: int) -> bool:
    """True for what the drivers take as it is: contiguous, aligned, writable doubles of this length."""
    return (
        array.__class__ is _ARRAY
        and array.dtype is _DOUBLE
        and array.size == size
        and array.ndim == 1
        and array.flags.carray
    )


def _vector(array: Vector, size: int, name: str) -> Vector:
    """The array as the drivers need it; they trust the length, so it is checked here."""
    if _fits(array, size):
        return array
    vector = np.require(array, np.float64, ["C", "A", "W", "O"])
    if vector.shape != (size,):
        raise ValueError(f"{name} has shape {np.shape(array)}; ({size},) is wanted")
    return vector


def _target(out: Vector | None, size: int) -> Vector:
    if out is None:
        return np.empty(size)
    if not _fits(out, size):
        raise ValueError(
            f"out must be a contiguous float64 array of shape ({size},), not {out.dtype} {out.shape}"
        )
    return out
