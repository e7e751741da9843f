"""What a linear solver for KKT systems has to offer, and the pattern it is built from.

The matrix is always ``K = [[H + diag(p), J'], [J, -diag(d)]]`` with ``H`` (n, n) symmetric and ``J`` (m, n).
Its inertia is (n, m, 0) exactly where ``H + diag(p)`` is positive definite on the null space of ``J`` and
``J`` has full row rank (d = 0), see Gould, "On practical conditions for the existence and uniqueness of
solutions to the general equality quadratic programming problem", Math. Prog. 32 (1985).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

import numpy as np

from ....problems.nlp import IndexVector, Vector


class Inertia(NamedTuple):
    """Numbers of positive, negative and (numerically) zero eigenvalues."""

    positive: int
    negative: int
    zero: int


@dataclass(frozen=True)
class KKTPattern:
    """Where the nonzeros of ``H`` and ``J`` are, as coordinates in the order of the values.

    Attributes
    ----------
    n, m : int
        Orders of the (1, 1) and of the (2, 2) block.
    hessian_rows, hessian_columns : ndarray of int64, shape (nnzh,)
        Lower triangle of ``H`` (row >= column), no duplicates.
    jacobian_rows, jacobian_columns : ndarray of int64, shape (nnzj,)
        Entries of ``J``, no duplicates.
    """

    n: int
    m: int
    hessian_rows: IndexVector
    hessian_columns: IndexVector
    jacobian_rows: IndexVector
    jacobian_columns: IndexVector

    @property
    def order(self) -> int:
        """Number of unknowns, n + m."""
        return self.n + self.m

    def lower_coordinates(self) -> tuple[IndexVector, IndexVector]:
        """Rows and columns of the lower triangle of K: Hessian entries, Jacobian entries, whole diagonal."""
        diagonal = np.arange(self.order, dtype=np.int64)
        rows = np.concatenate([self.hessian_rows, self.jacobian_rows + self.n, diagonal])
        columns = np.concatenate([self.hessian_columns, self.jacobian_columns, diagonal])
        return rows, columns


class KKTSolver(Protocol):
    """A symmetric indefinite factorisation of K that is refilled with new values on one pattern."""

    pattern: KKTPattern

    def load(self, hessian: Vector, jacobian: Vector) -> None:
        """Take the values of ``H`` (lower triangle) and ``J``."""

    def factor(self, primal: Vector, dual: Vector) -> Inertia:
        """Factorise with ``diag(primal)`` added to H and ``-diag(dual)`` as (2, 2) block.

        Never raises for numerical trouble: a matrix that is not finite has inertia (0, 0, order).
        """

    def solve(self, rhs: Vector) -> tuple[Vector, float]:
        """Solution with the last factors after iterative refinement, and its relative residual.

        The relative residual is ``||b - K v|| / (||b|| + ||v||)`` in the maximum norm; infinite where the
        solution is not finite.
        """

    def multiply(self, v: Vector) -> Vector:
        """``K v`` with the matrix of the last `factor`."""
