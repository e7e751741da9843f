"""Matrices of the five-point stencil, constant and variable coefficients, zero boundary values."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array, diags_array


def five_point_laplacian(rows: int, columns: int) -> csr_array:
    """h^2 times the negative Laplacian: 4 on the diagonal, -1 for each neighbour; row-major order."""
    ones = np.ones((rows + 1, columns)), np.ones((rows, columns + 1))
    return five_point_diffusion(*ones)


def five_point_diffusion(vertical: NDArray[np.float64], horizontal: NDArray[np.float64]) -> csr_array:
    """h^2 times -div(k grad) by finite volumes.

    Parameters
    ----------
    vertical : ndarray, shape (rows + 1, columns)
        Coefficients of the faces between rows, those at the two boundaries included.
    horizontal : ndarray, shape (rows, columns + 1)
        The same between columns.
    """
    rows, columns = horizontal.shape[0], vertical.shape[1]
    diagonal = vertical[:-1] + vertical[1:] + horizontal[:, :-1] + horizontal[:, 1:]
    across = horizontal[:, 1:].copy()
    across[:, -1] = 0.0  # no neighbour beyond the last column
    beside, below = across.ravel()[:-1], vertical[1:-1].ravel()
    A = csr_array(
        diags_array(
            [-below, -beside, diagonal.ravel(), -beside, -below],
            offsets=[-columns, -1, 0, 1, columns],
            shape=(rows * columns, rows * columns),
        )
    )
    A.eliminate_zeros()
    A.sort_indices()
    return A
