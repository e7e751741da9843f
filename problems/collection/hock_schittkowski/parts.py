"""What many Hock-Schittkowski models share: their source and dense linear and quadratic parts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

if TYPE_CHECKING:
    from ...model import Model, Rows, Variables


def book(number: int) -> str:
    """Source of problem ``number``."""
    return f"Hock & Schittkowski (1981), problem {number}"


def linear_rows(
    model: Model,
    matrix: ArrayLike,
    x: Variables,
    *,
    lower: ArrayLike = -np.inf,
    upper: ArrayLike = np.inf,
    constant: ArrayLike = 0.0,
) -> Rows:
    """Constraint rows ``lower <= matrix x - constant <= upper``, sparse as the matrix."""
    matrix = np.asarray(matrix, dtype=np.float64)
    rows = model.constraints(matrix.shape[0], lower=lower, upper=upper, constant=constant)
    add_matrix(rows, matrix, x)
    return rows


def add_matrix(rows: Rows, matrix: ArrayLike, x: Variables) -> None:
    """Add ``matrix x`` to the rows."""
    matrix = np.asarray(matrix, dtype=np.float64)
    i, j = np.nonzero(matrix)
    rows[i].add_linear(matrix[i, j], x[j])


def minimize_quadratic(model: Model, matrix: ArrayLike, x: Variables) -> None:
    """Add ``x' matrix x`` to the objective, for a symmetric matrix."""
    matrix = np.asarray(matrix, dtype=np.float64)
    model.minimize(lambda a: a**2, x, weight=np.diag(matrix))
    i, j = np.nonzero(np.tril(matrix, -1))
    model.minimize(lambda a, b: a * b, x[i], x[j], weight=2 * matrix[i, j])
