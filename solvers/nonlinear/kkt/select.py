"""Choice of the linear solver by the size of the system."""

from __future__ import annotations

from typing import Literal

from .dense import DenseKKT
from .protocol import KKTPattern, KKTSolver
from .sparse import SparseKKT

DENSE_LIMIT = 200
"""Unknowns up to which LAPACK's dense factorisation beats the sparse one."""

LinearSolver = Literal["auto", "dense", "sparse"]


def kkt_solver(pattern: KKTPattern, choice: LinearSolver = "auto") -> KKTSolver:
    """The solver named, or for "auto" the dense one up to `DENSE_LIMIT` unknowns and the sparse one above."""
    if choice == "auto":
        choice = "dense" if pattern.order <= DENSE_LIMIT else "sparse"
    return DenseKKT(pattern) if choice == "dense" else SparseKKT(pattern)
