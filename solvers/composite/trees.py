"""Blocks whose graph is a forest: their part of a sparse quadratic is minimised exactly in linear time."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from ...problems.composite.protocol import Array, Indices


def graph_arrays(A: Any) -> tuple[Indices, Indices, Array]:
    """CSR arrays of a sparse symmetric matrix with 64-bit indices, as the kernels want them."""
    matrix = sparse.csr_array(A)
    if not matrix.has_canonical_format:
        matrix = matrix.copy()
        matrix.sum_duplicates()
    return matrix.indptr.astype(np.int64), matrix.indices.astype(np.int64), matrix.data.astype(np.float64)


class ForestFactor:
    """Factorisation of A_bb where the graph of the block b is a forest; no fill, O(|b|).

    Message passing in the words of Nutini, Laradji and Schmidt (2022), section 5: from the leaves to the
    roots P_ii -= sum_j P_ji^2 / P_jj over the children j, then C_i -= sum_j (P_ji / P_jj) C_j, and back from
    the roots x_i = (C_i - A_ip x_p) / P_ii. The pivots do not depend on the right-hand side and are kept.

    Parameters
    ----------
    graph : tuple of ndarray
        CSR arrays of A, see `graph_arrays`.
    block : ndarray of int
        The vertices.
    shift : ndarray or float
        Added to the diagonal, in the order of the block.

    Attributes
    ----------
    order : ndarray of int
        The block's vertices, each after its parent.
    parent : ndarray of int
        Positions of their parents in `order`, -1 for roots.

    Raises
    ------
    ValueError
        The graph of the block has a cycle, or A_bb is not positive definite.
    """

    def __init__(
        self, graph: tuple[Indices, Indices, Array], block: Indices, shift: Array | float = 0.0
    ) -> None:
        from .trees_kernels import eliminate, walk

        indptr, indices, data = graph
        n, size = indptr.size - 1, block.size
        self.order, self.parent = np.empty(size, dtype=np.int64), np.empty(size, dtype=np.int64)
        place = np.full(n, -1, dtype=np.int64)
        cycle = walk(indptr, indices, block, place, self.order, self.parent)
        if cycle >= 0:
            raise ValueError(f"the block's graph must be a forest, but vertex {cycle} is on a cycle")
        self.pivots, self.factors = np.zeros(size), np.zeros(size)
        if np.any(shift):
            place[block] = np.arange(size)
            self.pivots += np.broadcast_to(shift, block.shape)[place[self.order]]
        failed = eliminate(indptr, indices, data, self.order, self.parent, self.pivots, self.factors)
        if failed >= 0:
            raise ValueError(
                f"the block of A must be positive definite, but the pivot of vertex {self.order[failed]} is "
                f"{self.pivots[failed]:g}"
            )

    def solve(self, c: Array) -> Array:
        """The solution of A_bb x = c, both in the order of `order`."""
        from .trees_kernels import pass_messages

        x = np.array(c, dtype=np.float64)
        pass_messages(self.parent, self.pivots, self.factors, x)
        return x
