"""Conjugate gradients with an algebraic multigrid cycle, by the library pyamg."""

from __future__ import annotations

import warnings
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_matrix

from .preconditioned import Built, PreconditionedSolver, installed
from .protocol import Vector


class Multigrid(PreconditionedSolver):
    """Conjugate gradients with a V-cycle of algebraic multigrid, whose hierarchy `update` keeps.

    The smoother is symmetric Gauss-Seidel; its relaxation parameter is not worth learning.

    Parameters
    ----------
    kind : {"ruge-stuben", "smoothed-aggregation"}
        How coarse levels are made. The first is the better one for scalar equations, the second takes the
        near null space of a system of equations.
    near_nullspace : ndarray, shape (n, k), optional
        For "smoothed-aggregation": rigid body modes for elasticity.

    Raises
    ------
    ImportError
        If pyamg is not installed.
    ValueError
        For an unknown kind.
    """

    name = "multigrid"

    def __init__(
        self,
        kind: Literal["ruge-stuben", "smoothed-aggregation"] = "ruge-stuben",
        near_nullspace: Any = None,
    ) -> None:
        super().__init__()
        if kind not in ("ruge-stuben", "smoothed-aggregation"):
            raise ValueError(f"kind must be 'ruge-stuben' or 'smoothed-aggregation', got {kind!r}")
        if kind == "ruge-stuben" and near_nullspace is not None:
            raise ValueError("near_nullspace needs kind='smoothed-aggregation'")
        self.kind, self.near_nullspace = kind, near_nullspace
        self._pyamg = installed("pyamg", "Multigrid")

    def _build(self, A: Any) -> Built | None:
        matrix = csr_matrix(A)
        matrix.indptr, matrix.indices = matrix.indptr.astype(np.int32), matrix.indices.astype(np.int32)
        # pyamg draws from numpy's global generator: the same matrix should give the same hierarchy, and the
        # user's stream should not move.
        state = np.random.get_state()  # noqa: NPY002
        try:
            np.random.seed(0)  # noqa: NPY002
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                hierarchy = self._hierarchy(matrix)
        finally:
            np.random.set_state(state)  # noqa: NPY002
        complexity = float(hierarchy.cycle_complexity())
        cycle = hierarchy.aspreconditioner(cycle="V")

        def apply(r: Vector) -> Vector:
            return np.asarray(cycle @ r)

        return Built(apply, 180.0 * complexity, 8.0 * complexity)

    def _hierarchy(self, matrix: Any) -> Any:
        if self.kind == "ruge-stuben":
            return self._pyamg.ruge_stuben_solver(matrix)
        return self._pyamg.smoothed_aggregation_solver(matrix, B=self.near_nullspace)
