"""Groups of elements in CUTEst's form, evaluated element by element with patterns known beforehand.

A group function is ``g(A_i x - b_i + sum_j w_ij e_j(x restricted to a few variables)) / s_i``. The elements
e_j and the functions g are opaque Python functions that return value, gradient and Hessian; what is known
without calling them is which variables each may depend on, and that alone fixes the sparse patterns here.
Patterns read off values would miss the entries that happen to vanish at a point.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import csr_array

from .nlp import IndexVector, Vector

# What element functions written with Python floats raise where numpy's would have given inf or nan.
_ARITHMETIC_FAILURES = (ArithmeticError, ValueError)


@dataclass(frozen=True)
class Element:
    """One nonlinear element: ``function(order, values)`` over the variables with these indices.

    ``order`` 0, 1, 2 asks for the value, (value, gradient), (value, gradient, Hessian).
    """

    function: Callable[[int, NDArray[np.float64]], Any]
    variables: IndexVector


@dataclass(frozen=True)
class Group:
    """One group: its elements with weights, and its group function (None: the identity)."""

    elements: Sequence[int]
    weights: Sequence[float]
    constant: float
    scale: float
    function: Callable[[int, float], Any] | None


@dataclass(frozen=True)
class _Point:
    """Everything evaluated at one x, up to derivatives of the given order."""

    x: Vector
    order: int
    values: Vector
    slopes: Vector
    curvatures: Vector
    rows: Vector
    element_hessians: Vector


class GroupElements:
    """Values, Jacobian and weighted Hessian of a list of groups.

    Parameters
    ----------
    n : int
        Number of variables.
    groups : sequence of Group, length r
        The groups.
    elements : sequence of Element
        The elements they refer to.
    linear : csr_array, shape (r, n)
        Linear part of each group.
    """

    def __init__(
        self, n: int, groups: Sequence[Group], elements: Sequence[Element], linear: csr_array
    ) -> None:
        self.n = n
        self.groups = list(groups)
        self._linear = linear
        self._constants = np.array([g.constant for g in groups], dtype=np.float64)
        self._scales = np.array([g.scale for g in groups], dtype=np.float64)
        self._curved = [k for k, g in enumerate(groups) if g.function is not None]
        self._index_elements(elements)
        self._index_rows()
        self._hessian_index: tuple[IndexVector, ...] | None = None
        self._highest_order = 0
        self._last: _Point | None = None

    def _index_elements(self, elements: Sequence[Element]) -> None:
        """Number the elements in use, and list every use of one by a group."""
        used = sorted({e for g in self.groups for e in g.elements})
        position = {e: k for k, e in enumerate(used)}
        self._elements = [elements[e] for e in used]
        sizes = np.array([e.variables.size for e in self._elements], dtype=np.int64)
        self._starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        self._square_starts = np.concatenate([[0], np.cumsum(sizes**2)]).astype(np.int64)
        self._variables = _concatenate([e.variables for e in self._elements])
        self._use_group = np.array([k for k, g in enumerate(self.groups) for _ in g.elements], dtype=np.int64)
        self._use_element = np.array([position[e] for g in self.groups for e in g.elements], dtype=np.int64)
        self._use_weight = np.array([w for g in self.groups for w in g.weights], dtype=np.float64)

    def _index_rows(self) -> None:
        """Pattern of the rows (gradients of the groups' arguments), and where each entry comes from."""
        counts = np.diff(self._starts)[self._use_element]
        self._row_use = np.repeat(np.arange(counts.size), counts)
        self._row_source = _ranges(self._starts[self._use_element], counts)
        linear = self._linear.tocoo()
        rows = np.concatenate([linear.row, self._use_group[self._row_use]]).astype(np.int64)
        columns = np.concatenate([linear.col, self._variables[self._row_source]]).astype(np.int64)
        keys, target = np.unique(rows * self.n + columns, return_inverse=True)
        self.row_of, self.column_of = keys // self.n, keys % self.n
        self._row_target = target[linear.nnz :].astype(np.int64)
        self._row_base = accumulate(target[: linear.nnz], linear.data, keys.size)

    @property
    def row_structure(self) -> tuple[IndexVector, IndexVector]:
        """``(indptr, indices)`` of the Jacobian of the groups."""
        indptr = np.zeros(len(self.groups) + 1, dtype=np.int64)
        np.cumsum(np.bincount(self.row_of, minlength=len(self.groups)), out=indptr[1:])
        return indptr, self.column_of.astype(np.int64)

    def values(self, x: Vector) -> Vector:
        """Values of the groups, shape (r,)."""
        return self._at(x, 0).values

    def row_values(self, x: Vector) -> Vector:
        """Values of the Jacobian of the groups in the order of `row_structure`."""
        point = self._at(x, 1)
        with np.errstate(all="ignore"):
            values: Vector = point.slopes[self.row_of] * point.rows
            return values

    def gradient(self, x: Vector) -> Vector:
        """Gradient of the sum of the groups, shape (n,)."""
        return accumulate(self.column_of, self.row_values(x), self.n)

    def hessian_keys(self) -> IndexVector:
        """``row * n + column`` (lower triangle, with repeats) of the terms that `hessian_terms` returns."""
        return self._indexed_hessian()[0]

    def hessian_terms(self, x: Vector, weights: Vector) -> Vector:
        """Terms of the Hessian of the weighted sum of the groups, to be summed by `hessian_keys`."""
        _, use, source, group, left, right = self._indexed_hessian()
        point = self._at(x, 2)
        with np.errstate(all="ignore"):
            slopes = weights * point.slopes
            curvatures = weights * point.curvatures
            from_elements = (slopes[self._use_group] * self._use_weight)[use] * point.element_hessians[source]
            from_groups = curvatures[group] * (point.rows[left] * point.rows[right])
        return np.concatenate([from_elements, from_groups])

    def _indexed_hessian(self) -> tuple[IndexVector, ...]:
        if self._hessian_index is None:
            self._hessian_index = self._index_hessian()
        return self._hessian_index

    def _index_hessian(self) -> tuple[IndexVector, ...]:
        """Sources of the Hessian's terms: pairs of variables of each element, and of each curved group."""
        uses, sources, keys = [], [], []
        for use, element in enumerate(self._use_element):
            variables = self._elements[element].variables
            a, b = np.divmod(np.arange(variables.size**2), max(variables.size, 1))
            # By variable, not a >= b: an element may hold a variable twice, and then (a, b) and (b, a) count.
            kept = np.flatnonzero(variables[a] >= variables[b])
            uses.append(np.full(kept.size, use))
            sources.append(self._square_starts[element] + kept)
            keys.append(variables[a[kept]] * self.n + variables[b[kept]])
        indptr = self.row_structure[0]
        groups, lefts, rights = [], [], []
        for k in self._curved:
            a, b = np.tril_indices(indptr[k + 1] - indptr[k])
            groups.append(np.full(a.size, k))
            lefts.append(indptr[k] + a)
            rights.append(indptr[k] + b)
        left, right = _concatenate(lefts), _concatenate(rights)
        keys.append(self.column_of[left] * self.n + self.column_of[right])
        return (
            _concatenate(keys),
            _concatenate(uses),
            _concatenate(sources),
            _concatenate(groups),
            left,
            right,
        )

    def _at(self, x: Vector, order: int) -> _Point:
        """Evaluate at x, or take what is known of it. Whoever asks for Hessians once will ask again."""
        last = self._last
        if last is not None and last.order >= order and np.array_equal(last.x, x):
            return last
        self._highest_order = max(self._highest_order, order)
        with np.errstate(all="ignore"):
            point = self._evaluate(x.copy(), self._highest_order if order else 0)
        self._last = point
        return point

    def _evaluate(self, x: Vector, order: int) -> _Point:
        values, gradients, hessians = self._evaluate_elements(x, order)
        arguments = self._linear @ x - self._constants
        weighted = self._use_weight * values[self._use_element]
        arguments += accumulate(self._use_group, weighted, len(self.groups))
        rows = self._row_base
        if order:
            terms = self._use_weight[self._row_use] * gradients[self._row_source]
            rows = rows + accumulate(self._row_target, terms, rows.size)
        results, slopes, curvatures = arguments.copy(), np.ones_like(arguments), np.zeros_like(arguments)
        for k in self._curved:
            function = self.groups[k].function
            assert function is not None
            results[k], slopes[k], curvatures[k] = _group_value(function, order, arguments[k])
        s = self._scales
        return _Point(x, order, results / s, slopes / s, curvatures / s, rows, hessians)

    def _evaluate_elements(self, x: Vector, order: int) -> tuple[Vector, Vector, Vector]:
        """Values, concatenated gradients and concatenated row-major Hessians of the elements in use."""
        local = x[self._variables].reshape(-1, 1)
        starts, squares = self._starts, self._square_starts
        values = np.empty(len(self._elements))
        gradients = np.full(starts[-1] if order > 0 else 0, np.nan)
        hessians = np.full(squares[-1] if order > 1 else 0, np.nan)
        for k, element in enumerate(self._elements):
            try:
                result = element.function(order, local[starts[k] : starts[k + 1]])
            except _ARITHMETIC_FAILURES:
                values[k] = np.nan
                continue
            values[k] = _real(result[0] if order else result)
            if order > 0:
                gradients[starts[k] : starts[k + 1]] = _reals(result[1])
            if order > 1:
                hessians[squares[k] : squares[k + 1]] = _reals(result[2])
        return values, gradients, hessians


def accumulate(target: IndexVector, terms: Vector, size: int) -> Vector:
    """Sums of the terms with the same target; unlike bincount, float64 even where there are none."""
    return np.bincount(target, weights=terms, minlength=size).astype(np.float64, copy=False)


def _group_value(
    function: Callable[[int, float], Any], order: int, argument: float
) -> tuple[float, float, float]:
    """g, g', g'' as far as the order asks, zeros beyond it."""
    try:
        result = function(order, argument)
    except _ARITHMETIC_FAILURES:
        return np.nan, np.nan, np.nan
    if order == 0:
        return _real(result), 0.0, 0.0
    return _real(result[0]), _real(result[1]), _real(result[2]) if order > 1 else 0.0


def _real(value: Any) -> float:
    """One float out of a scalar or an array of one element; a complex value is outside the domain: nan."""
    if isinstance(value, (float, int)):
        return float(value)
    return float(_reals(value)[0])


def _reals(values: Any) -> Vector:
    array = np.asarray(values).ravel()
    if np.iscomplexobj(array):
        return np.full(array.size, np.nan)
    return array.astype(np.float64, copy=False)


def _concatenate(parts: Sequence[Any]) -> IndexVector:
    return np.concatenate([np.zeros(0, dtype=np.int64), *parts]).astype(np.int64)


def _ranges(starts: IndexVector, counts: IndexVector) -> IndexVector:
    """``[starts[0], starts[0] + 1, ...]`` for each start and count, concatenated."""
    offsets = np.repeat(np.cumsum(counts) - counts, counts)
    return np.repeat(starts, counts) + np.arange(int(counts.sum())) - offsets
