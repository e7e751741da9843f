"""Second derivatives of user's functions: given, or by differences of exact gradients."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_array, issparse

from .callable_functions import DENSE_LIMIT, CallableFunction, as_matrix, nearby, union_of_patterns
from .callable_functions import values_in_pattern as entries_of
from .colouring import Pattern
from .finite_differences import Scheme, jacobian_by_complex_step, jacobian_by_differences, offsets
from .nlp import DerivativeSource, IndexVector, Vector
from .parallel_map import landed


class Curvature(ABC):
    """Hessian of a weighted sum of functions: the lower triangle in a fixed pattern."""

    @abstractmethod
    def source(self, x0: Vector) -> DerivativeSource:
        """Where it comes from."""

    @abstractmethod
    def keys(self, x0: Vector) -> IndexVector:
        """``row * n + column`` of the entries of the lower triangle, ascending."""

    @abstractmethod
    def values(self, x: Vector, weights: Vector) -> Vector:
        """Values in the order of `keys`."""


class NoCurvature(Curvature):
    """Of linear functions."""

    def source(self, x0: Vector) -> DerivativeSource:
        """Exact: zero."""
        return "exact"

    def keys(self, x0: Vector) -> IndexVector:
        """No entry."""
        return np.zeros(0, dtype=np.int64)

    def values(self, x: Vector, weights: Vector) -> Vector:
        """No value."""
        return np.zeros(0)


class UnknownCurvature(NoCurvature):
    """Where a quasi-Newton approximation is wanted."""

    def source(self, x0: Vector) -> DerivativeSource:
        """None: a solver must approximate it."""
        return "none"


class GivenCurvature(Curvature):
    """From a callable that returns the Hessian of the weighted sum.

    Parameters
    ----------
    label : str
        What the user calls it.
    hess : callable
        ``hess(x, weights)``: dense, sparse or LinearOperator, shape (n, n).
    lb, ub : ndarray, shape (n,)
        Bounds.
    m : int
        Number of weights.
    sparsity : sparse, shape (n, n), optional
        Pattern, both triangles.
    """

    def __init__(
        self,
        label: str,
        hess: Callable[[Vector, Vector], Any],
        lb: Vector,
        ub: Vector,
        m: int,
        sparsity: Any = None,
    ) -> None:
        self._label, self._hess, self._lb, self._ub, self._m = label, hess, lb, ub, m
        self.n = lb.size
        self._pattern = None if sparsity is None else _symmetric_pattern(sparsity, self.n)
        self._lower: IndexVector | None = None

    def source(self, x0: Vector) -> DerivativeSource:
        """Exact."""
        return "exact"

    def keys(self, x0: Vector) -> IndexVector:
        """Dense, unless given or read off large sparse answers near the start."""
        return self._find_pattern(x0)[0].keys[self._find_pattern(x0)[1]]

    def values(self, x: Vector, weights: Vector) -> Vector:
        """Values of the symmetric part of what the user returns."""
        pattern, lower = self._find_pattern(x)
        matrix = as_matrix(self._label, self._hess(x.copy(), weights.copy()), self.n, self.n)
        return entries_of(self._label, 0.5 * (matrix + matrix.T), pattern)[lower]

    def _find_pattern(self, x0: Vector) -> tuple[Pattern, IndexVector]:
        if self._pattern is None:
            self._pattern = self._probe(x0)
        if self._lower is None:
            self._lower = np.flatnonzero(self._pattern.rows >= self._pattern.columns)
        return self._pattern, self._lower

    def _probe(self, x0: Vector) -> Pattern:
        ones = np.ones(self._m)
        if self.n**2 <= DENSE_LIMIT or not issparse(self._hess(x0.copy(), ones)):
            return Pattern.dense(self.n, self.n)
        answers = [csr_array(self._hess(x, ones)) for x in nearby(x0, self._lb, self._ub)]
        return union_of_patterns([part for a in answers for part in (a, a.T)])


class DifferencedCurvature(Curvature):
    """By differences of the gradient of the weighted sum, made symmetric.

    Parameters
    ----------
    function : CallableFunction
        The function; where its own Jacobian is differenced, there is no curvature.
    lb, ub : ndarray, shape (n,)
        Bounds that no evaluation leaves.
    scheme : {"2-point", "3-point", "cs"}
        Forward differences are enough for Newton's method: the error is in the rate, not in the solution.
    sparsity : sparse, shape (n, n), optional
        Pattern, both triangles; gradients along columns of one colour are differenced together.
    """

    def __init__(
        self,
        function: CallableFunction,
        lb: Vector,
        ub: Vector,
        scheme: Scheme = "2-point",
        sparsity: Any = None,
    ) -> None:
        self._function, self._lb, self._ub, self._scheme = function, lb, ub, scheme
        n = lb.size
        self._pattern = Pattern.dense(n, n) if sparsity is None else _symmetric_pattern(sparsity, n)
        self._lower = np.flatnonzero(self._pattern.rows >= self._pattern.columns)
        transposed = self._pattern.columns * n + self._pattern.rows
        self._mirror = np.searchsorted(self._pattern.keys, transposed)

    def source(self, x0: Vector) -> DerivativeSource:
        """Differences, or none of inexact gradients."""
        if self._function.source(x0) == "finite-difference":
            return "none"
        return "complex-step" if self._scheme == "cs" else "finite-difference"

    def keys(self, x0: Vector) -> IndexVector:
        """Dense, or the lower triangle of the given pattern."""
        return self._pattern.keys[self._lower]

    @landed
    def values(self, x: Vector, weights: Vector) -> Vector:
        """Values of the symmetric part of the differences."""
        if self._scheme == "cs":
            values = jacobian_by_complex_step(
                lambda points: (self._function.complex_transposed_product(z, weights) for z in points),
                x,
                self._pattern,
            )
        else:
            base = self._function.transposed_product(x, weights)
            step = offsets(x, self._lb, self._ub, self._scheme)
            values = jacobian_by_differences(
                lambda points: self._function.transposed_products(points, weights),
                x,
                base,
                step,
                self._pattern,
            )
        movable = self._movable()
        one, other = values, values[self._mirror]
        # The column of a fixed variable cannot be differenced, its row can.
        column, row = movable[self._pattern.columns], movable[self._pattern.rows]
        symmetric = np.where(column & row, 0.5 * (one + other), np.where(column, one, other))
        return np.asarray(symmetric[self._lower])

    def _movable(self) -> Any:
        if self._scheme == "cs":
            return np.ones(self._lb.size, dtype=bool)
        return self._lb < self._ub


def products_to_matrix(hessp: Callable[[Vector], Any], n: int) -> Any:
    """Matrix of a Hessian that is known by its products, column by column."""
    return np.column_stack([hessp(column) for column in np.eye(n)])


def _symmetric_pattern(sparsity: Any, n: int) -> Pattern:
    pattern = sparsity if isinstance(sparsity, Pattern) else Pattern.of(sparsity)
    if pattern.shape != (n, n):
        raise ValueError(f"hess_sparsity must have shape ({n}, {n}), got {pattern.shape}")
    entries = csr_array((np.ones(pattern.rows.size), (pattern.rows, pattern.columns)), shape=(n, n))
    return Pattern.of(entries + entries.T)


def lower_pattern(keys: IndexVector, n: int) -> tuple[IndexVector, IndexVector]:
    """``(indptr, indices)`` of ascending keys ``row * n + column``."""
    indptr = np.zeros(n + 1, dtype=np.int64)
    np.cumsum(np.bincount(keys // n, minlength=n), out=indptr[1:])
    return indptr, keys % n
