"""Choice of the linear solver by size and density of the system."""

from __future__ import annotations

from typing import Literal

from .dense import DenseKKT
from .protocol import KKTPattern, KKTSolver
from .sparse import SparseKKT

DENSE_LIMIT = 200
"""Unknowns up to which LAPACK's dense factorisation beats the sparse one."""

DENSE_SHARE = 0.25
"""Share of nonzeros from which the same holds for larger systems.

Measured on full Hessians of order 600 (ELEC) and 1000 (POWER, PENALTY1): whole runs take a third of the time.
"""

LARGEST_DENSE = 4000
"""Unknowns up to which a dense matrix is stored at all: 128 MB."""

LinearSolver = Literal["auto", "dense", "sparse"]


def kkt_solver(pattern: KKTPattern, choice: LinearSolver = "auto") -> KKTSolver:
    """The solver named, or for "auto" the dense one for small or full systems, the sparse one for others."""
    if choice == "auto":
        choice = "dense" if suits_dense(pattern) else "sparse"
    return DenseKKT(pattern) if choice == "dense" else SparseKKT(pattern)


def suits_dense(pattern: KKTPattern) -> bool:
    """Whether LAPACK is the faster choice."""
    order = pattern.order
    if order <= DENSE_LIMIT:
        return True
    nonzeros = pattern.hessian_rows.size + pattern.jacobian_rows.size
    return order <= LARGEST_DENSE and nonzeros >= DENSE_SHARE * order * order / 2
