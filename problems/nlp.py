"""The one protocol of a nonlinear problem: min f(x) subject to lb <= x <= ub, cl <= c(x) <= cu.

Everywhere in the library the Lagrangian is ``L(x, y, z) = f(x) + y'c(x) + z'x``, so at a minimiser
``grad f + J'y + z = 0``; ``y_i >= 0`` where ``c_i = cu_i``, ``y_i <= 0`` where ``c_i = cl_i``, and likewise
``z`` for the bounds. Fixed variables (``lb == ub``) count in ``n``.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

Vector = NDArray[np.float64]
IndexVector = NDArray[np.int64]

DerivativeSource = Literal["exact", "complex-step", "finite-difference", "none"]


@dataclass(frozen=True)
class Capabilities:
    """What a problem can compute, and how well.

    Attributes
    ----------
    first : {"exact", "complex-step", "finite-difference"}
        Where gradient and Jacobian come from.
    second : {"exact", "complex-step", "finite-difference", "none"}
        Where the Hessian of the Lagrangian comes from; "none": `NLP.hessian_values` and `NLP.hvp` raise
        `NotImplementedError`, and a solver must approximate it from gradients.
    matrix_free : bool
        True where `hvp`, `jvp`, `vjp` cost less than forming the matrices.
    hessian_matrix : bool
        False where the Hessian is known by products: as a matrix it costs n of them, if it is there at all.
    jacobian_matrix : bool
        False where there is only `jvp` and `vjp`: `NLP.jacobian_structure` and `NLP.jacobian_values` raise
        `NotImplementedError`.
    """

    first: DerivativeSource = "exact"
    second: DerivativeSource = "exact"
    matrix_free: bool = False
    hessian_matrix: bool = True
    jacobian_matrix: bool = True


@dataclass(kw_only=True)
class Metadata:
    """Everything about a problem that is known without evaluating it.

    Attributes
    ----------
    name : str
        Registry name, upper case for CUTEst problems.
    x0, lb, ub : ndarray, shape (n,)
        Start (not projected on the bounds) and bounds; +-inf where absent.
    y0, cl, cu : ndarray, shape (m,)
        Multiplier start and constraint bounds; ``cl_i == cu_i`` is an equality, both infinite a free row.
    classification : str
        CUTEst classification string such as "OOR2-AY-4-2", or "".
    optimum : float or None
        Best known objective value at these sizes.
    source : str
        Where the problem comes from.
    capabilities : Capabilities
        Which derivatives there are.
    """

    name: str
    x0: Vector
    lb: Vector
    ub: Vector
    cl: Vector = field(default_factory=lambda: np.zeros(0))
    cu: Vector = field(default_factory=lambda: np.zeros(0))
    y0: Vector = field(default_factory=lambda: np.zeros(0))
    classification: str = ""
    optimum: float | None = None
    source: str = ""
    capabilities: Capabilities = field(default_factory=Capabilities)


class NLP(ABC):
    """A nonlinear problem: metadata and oracles.

    A front end implements `objective`, `gradient`, `constraints`, the two structures and the two `*_values`
    oracles; the rest follows from these, and is overridden where there is a cheaper way. Every oracle takes a
    float64 array ``x`` of shape (n,), leaves its arguments alone, keeps no reference to them, and with
    ``out=`` writes into the caller's array and returns it.
    """

    def __init__(self, metadata: Metadata) -> None:
        self.metadata = metadata
        self.name = metadata.name
        self.classification = metadata.classification
        self.optimum = metadata.optimum
        self.source = metadata.source
        self.capabilities = metadata.capabilities
        self.x0, self.lb, self.ub = metadata.x0, metadata.lb, metadata.ub
        self.y0, self.cl, self.cu = metadata.y0, metadata.cl, metadata.cu
        self.n = int(metadata.x0.size)
        self.m = int(metadata.cl.size)

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self.name}: n={self.n}, m={self.m}>"

    @abstractmethod
    def objective(self, x: Vector) -> float:
        """f(x)."""

    @abstractmethod
    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Grad f(x), shape (n,)."""

    @abstractmethod
    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""

    @abstractmethod
    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """``(indptr, indices)`` of the Jacobian in CSR form: sorted, no duplicates, the same for every x."""

    @abstractmethod
    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x) in the order of `jacobian_structure`, shape (nnzj,)."""

    @abstractmethod
    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """``(indptr, indices)`` in CSR form of the *lower* triangle of the Hessian of the Lagrangian."""

    @abstractmethod
    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''`` (``y=None``: zero), shape (nnzh,)."""

    def objective_and_gradient(self, x: Vector, out: Vector | None = None) -> tuple[float, Vector]:
        """f(x) and grad f(x), in one pass where the problem can."""
        return self.objective(x), self.gradient(x, out)

    def hessian_entries_bound(self) -> int:
        """Most entries that the lower triangle of the Hessian of the Lagrangian may have, if that is known.

        0 where nothing is known without the structure itself.
        """
        return 0

    def jacobian(self, x: Vector) -> csr_array:
        """c'(x) as a csr_array of shape (m, n) with a fixed pattern."""
        indptr, indices = self.jacobian_structure()
        return csr_array((self.jacobian_values(x), indices.copy(), indptr.copy()), shape=(self.m, self.n))

    def hessian(self, x: Vector, y: Vector | None = None, sigma: float = 1.0) -> csr_array:
        """Hessian of ``sigma f + y'c``: csr_array of shape (n, n), both triangles, fixed pattern."""
        full, source = self._full_hessian_pattern()
        values = self.hessian_values(x, y, sigma)[source]
        return csr_array((values, full[1].copy(), full[0].copy()), shape=(self.n, self.n))

    def hvp(
        self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Hessian of ``sigma f + y'c`` times v, shape (n,)."""
        return deliver(self.hessian(x, y, sigma) @ v, out)

    def hessian_diagonal(self, x: Vector, y: Vector | None = None, sigma: float = 1.0) -> Vector | None:
        """Diagonal of the Hessian of ``sigma f + y'c``, shape (n,), where it costs but a few products.

        None elsewhere. Preconditioners are made of it.
        """
        return None

    def jvp(self, x: Vector, v: Vector, out: Vector | None = None) -> Vector:
        """c'(x) v, shape (m,)."""
        return deliver(self.jacobian(x) @ v, out)

    def vjp(self, x: Vector, w: Vector, out: Vector | None = None) -> Vector:
        """c'(x)' w, shape (n,)."""
        return deliver(self.jacobian(x).T @ w, out)

    def _full_hessian_pattern(self) -> tuple[tuple[IndexVector, IndexVector], IndexVector]:
        """Pattern of both triangles, and for each of its entries the position in the lower one."""
        cached: tuple[tuple[IndexVector, IndexVector], IndexVector] | None = getattr(self, "_full", None)
        if cached is None:
            cached = self._full = mirror_lower_pattern(self.n, *self.hessian_structure())
        return cached


class ProductNLP(NLP):
    """A problem known by products; to write: `objective`, `gradient`, `constraints`, `hvp`, `jvp`, `vjp`.

    For Hessians and Jacobians that are operators (simulations, transforms, networks). Everything that asks
    for their values raises `NotImplementedError`; a method that works without them is "exact-al", which
    chooses Krylov solvers by itself for such problems. Where ``metadata.capabilities.second`` is "none",
    `hvp` need not be there.
    """

    def __init__(self, metadata: Metadata) -> None:
        metadata.capabilities = replace(
            metadata.capabilities, matrix_free=True, hessian_matrix=False, jacobian_matrix=False
        )
        super().__init__(metadata)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Not there."""
        raise self._products_only("Jacobian")

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Not there."""
        raise self._products_only("Jacobian")

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Not there."""
        raise self._products_only("Hessian")

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Not there."""
        raise self._products_only("Hessian")

    def _products_only(self, what: str) -> NotImplementedError:
        return NotImplementedError(f"problem {self.name!r} knows its {what} by products only")


def mirror_lower_pattern(
    n: int, indptr: IndexVector, indices: IndexVector
) -> tuple[tuple[IndexVector, IndexVector], IndexVector]:
    """Both triangles of a symmetric CSR pattern given by its lower one.

    Returns
    -------
    (indptr, indices) : tuple of ndarray of int64
        The full pattern in CSR form, sorted.
    source : ndarray of int64, shape (nnz,)
        Position of each entry's value in the lower triangle.
    """
    rows = np.repeat(np.arange(n), np.diff(indptr))
    strict = np.flatnonzero(rows != indices)
    all_rows = np.concatenate([rows, indices[strict]])
    all_columns = np.concatenate([indices, rows[strict]])
    source = np.concatenate([np.arange(rows.size), strict])
    order = np.lexsort((all_columns, all_rows))
    full_indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(all_rows, minlength=n), out=full_indptr[1:])
    return (full_indptr, all_columns[order].astype(np.int64)), source[order].astype(np.int64)


def deliver(value: Vector, out: Vector | None) -> Vector:
    """The value, in the caller's array where there is one: the end of an oracle."""
    if out is None:
        return value
    out[...] = value
    return out
