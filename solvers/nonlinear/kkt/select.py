"""Choice of the linear solver by size and density of the system."""

from __future__ import annotations

from typing import Literal

from ....problems.nlp import Vector
from .dense import DenseKKT
from .protocol import Inertia, KKTPattern, KKTSolver
from .sparse import SparseKKT

DENSE_LIMIT = 200
"""Unknowns up to which LAPACK's dense factorisation beats the sparse one."""

DENSE_SHARE = 0.25
"""Share of nonzeros from which the same holds for larger systems.

Measured on full Hessians of order 600 (ELEC) and 1000 (POWER, PENALTY1): whole runs take a third of the time.
"""

DENSE_FILL = 0.4
"""Share of nonzeros in the sparse factor from which the same holds.

Measured on SIF problems of order 300 to 1500: from .5 on (VANDERM1, DIXCHLNV, SPINLS, ARGLCLE) LAPACK takes a
half to a sixth of feral's time, at .25 and .33 (MSS2, STEENBRG) as much or more.
"""

LARGEST_DENSE = 4000
"""Unknowns up to which a dense matrix is stored at all: 128 MB."""

AFFORDABLE = 1000
"""Unknowns up to which LAPACK takes over where the sparse factorisation fails."""

LinearSolver = Literal["auto", "dense", "sparse"]


def kkt_solver(pattern: KKTPattern, choice: LinearSolver = "auto") -> KKTSolver:
    """The solver named, or for "auto" the dense one for small or full systems, the sparse one for others."""
    if choice == "dense" or (choice == "auto" and suits_dense(pattern)):
        return DenseKKT(pattern)
    if choice == "sparse" or pattern.order > LARGEST_DENSE:
        return SparseKKT(pattern)
    return SparseUntilFull(pattern)


def suits_dense(pattern: KKTPattern) -> bool:
    """Whether LAPACK is the faster choice."""
    order = pattern.order
    if order <= DENSE_LIMIT:
        return True
    nonzeros = pattern.hessian_rows.size + pattern.jacobian_rows.size
    return order <= LARGEST_DENSE and nonzeros >= DENSE_SHARE * order * order / 2


def alternative(solver: KKTSolver) -> KKTSolver | None:
    """Another direct solver for the same pattern, where one has failed; None where there is none to afford.

    Solvers that wrap others, or that do not factorise, have none.
    """
    if isinstance(solver, DenseKKT):
        return SparseKKT(solver.pattern)
    if isinstance(solver, SparseUntilFull) and isinstance(solver.inner, DenseKKT):
        return SparseKKT(solver.pattern)
    if isinstance(solver, SparseKKT | SparseUntilFull) and solver.pattern.order <= AFFORDABLE:
        return DenseKKT(solver.pattern)
    return None


class SparseUntilFull:
    """The sparse solver, and the dense one from the first factorisation on where that fills in.

    Parameters
    ----------
    pattern : KKTPattern
        Coordinates of the values that `load` takes.
    """

    def __init__(self, pattern: KKTPattern) -> None:
        self.pattern = pattern
        self.inner: SparseKKT | DenseKKT = SparseKKT(pattern)
        self._settled = False

    def load(self, hessian: Vector, jacobian: Vector) -> None:
        """See `KKTSolver.load`."""
        self._loaded = hessian, jacobian
        self.inner.load(hessian, jacobian)

    def factor(self, primal: Vector, dual: Vector) -> Inertia:
        """See `KKTSolver.factor`."""
        inertia = self.inner.factor(primal, dual)
        if self._settled:
            return inertia
        self._settled = True
        assert isinstance(self.inner, SparseKKT)
        if self.inner.fill < DENSE_FILL * self.pattern.order**2 / 2:
            return inertia
        self.inner = DenseKKT(self.pattern)
        self.inner.load(*self._loaded)
        return self.inner.factor(primal, dual)

    def reorder(self) -> bool:
        """See `SparseKKT.reorder`."""
        return isinstance(self.inner, SparseKKT) and self.inner.reorder()

    def solve(self, rhs: Vector) -> tuple[Vector, float]:
        """See `KKTSolver.solve`."""
        return self.inner.solve(rhs)

    def multiply(self, v: Vector) -> Vector:
        """``K v``."""
        return self.inner.multiply(v)
