"""S2MPJ problem objects under the protocol of `NLP`: on compiled kernels, or calling S2MPJ's functions."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .group_elements import Element, Group, GroupElements, accumulate
from .nlp import NLP, IndexVector, Metadata, Vector, deliver
from .partially_separable import PartiallySeparable
from .s2mpj_structure import (
    constants,
    constraint_groups,
    group_kinds,
    linear_part,
    objective_groups,
    scales,
    uses,
)
from .term_problem import TermProblem


class S2MPJProblem(NLP):
    """An S2MPJ problem as an `NLP`. Constraints stand in S2MPJ's order: <=, then ==, then >=.

    Attributes
    ----------
    raw : object
        The S2MPJ problem itself, with its own (slow) evaluation methods ``fgHx``, ``cJHx``, ``LgHxy``, ...
    file_order : ndarray of int64, shape (m,)
        ``c(x)[file_order]`` are the constraints in the order of the SIF file, which is CUTEst's.
    compiled : bool
        True where element and group functions run as compiled kernels, False where S2MPJ's own are called.
    """

    raw: Any
    file_order: IndexVector
    compiled: bool
    _load_arguments: tuple[Any, ...]

    def __reduce__(self) -> Any:
        from .s2mpj import load

        return functools.partial(load, compiled=self.compiled), self._load_arguments

    def _remember(self, raw: Any, arguments: tuple[Any, ...]) -> None:
        self.raw, self._load_arguments = raw, arguments
        self.file_order = np.argsort(constraint_groups(raw)).astype(np.int64)


class CompiledS2MPJProblem(S2MPJProblem, TermProblem):
    """An S2MPJ problem on compiled kernels."""

    compiled = True

    def __init__(self, raw: Any, structure: PartiallySeparable, arguments: tuple[Any, ...]) -> None:
        TermProblem.__init__(self, structure.metadata, *structure.row_functions())
        self._remember(raw, arguments)


class CalledS2MPJProblem(S2MPJProblem):
    """An S2MPJ problem whose element and group functions are called one by one."""

    compiled = False

    def __init__(self, raw: Any, metadata: Metadata, arguments: tuple[Any, ...]) -> None:
        super().__init__(metadata)
        self._remember(raw, arguments)
        elements = _elements(raw)
        self._objective = _groups(raw, objective_groups(raw), elements)
        self._constraints = _groups(raw, constraint_groups(raw), elements)
        self._quadratic = csr_array(raw.H) if hasattr(raw, "H") else csr_array((self.n, self.n))
        self._merged: tuple[IndexVector, IndexVector, IndexVector] | None = None

    def objective(self, x: Vector) -> float:
        """f(x)."""
        value = float(np.sum(self._objective.values(x)))
        if self._quadratic.nnz:
            value += 0.5 * float(x @ self._quadratic_gradient(x))
        return value

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        value = self._objective.gradient(x)
        if self._quadratic.nnz:
            value += self._quadratic_gradient(x)
        return deliver(value, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        return deliver(self._constraints.values(x).copy(), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian, from the variables of the groups."""
        return self._constraints.row_structure

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        return deliver(self._constraints.row_values(x), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Lower pattern of the Hessian, from the variables of elements and curved groups."""
        keys = self._merge_hessian()[0]
        indptr = np.zeros(self.n + 1, dtype=np.int64)
        np.cumsum(np.bincount(keys // self.n, minlength=self.n), out=indptr[1:])
        return indptr, keys % self.n

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        keys, objective_target, constraint_target = self._merge_hessian()
        value = np.zeros(keys.size)
        if sigma != 0.0:
            terms = self._objective.hessian_terms(x, np.full(len(self._objective.groups), float(sigma)))
            terms = np.concatenate([terms, sigma * self._quadratic_terms()[1]])
            value += accumulate(objective_target, terms, keys.size)
        if y is not None and self.m:
            terms = self._constraints.hessian_terms(x, y)
            value += accumulate(constraint_target, terms, keys.size)
        return deliver(value, out)

    def _quadratic_gradient(self, x: Vector) -> Vector:
        return np.asarray(self._quadratic @ x)

    def _quadratic_terms(self) -> tuple[IndexVector, Vector]:
        """Keys and values of the lower triangle of the quadratic term."""
        entries = self._quadratic.tocoo()
        lower = entries.row >= entries.col
        keys = entries.row[lower].astype(np.int64) * self.n + entries.col[lower]
        return keys, entries.data[lower]

    def _merge_hessian(self) -> tuple[IndexVector, IndexVector, IndexVector]:
        """Keys of the pattern, and the position in it of each term of objective and constraints."""
        if self._merged is None:
            first = np.concatenate([self._objective.hessian_keys(), self._quadratic_terms()[0]])
            keys, target = np.unique(
                np.concatenate([first, self._constraints.hessian_keys()]), return_inverse=True
            )
            target = target.astype(np.int64)
            self._merged = keys.astype(np.int64), target[: first.size], target[first.size :]
        return self._merged


def _elements(raw: Any) -> list[Element]:
    """All elements of the problem, as functions of order and values."""
    return [
        Element(
            functools.partial(_call, raw, getattr(raw, kind), index), np.asarray(variables, dtype=np.int64)
        )
        for index, (kind, variables) in enumerate(
            zip(getattr(raw, "elftype", ()), getattr(raw, "elvar", ()), strict=False)
        )
    ]


def _call(raw: Any, function: Any, index: int, order: int, argument: Any) -> Any:
    return function(raw, order + 1, argument, index)


def _groups(raw: Any, indices: IndexVector, elements: list[Element]) -> GroupElements:
    """The groups with these numbers."""
    kinds = group_kinds(raw, indices)
    functions = [
        None if kind is None else functools.partial(_call, raw, getattr(raw, kind), g)
        for g, kind in zip(indices.tolist(), kinds, strict=True)
    ]
    parts = (*uses(raw, indices), constants(raw, indices), scales(raw, indices), functions)
    groups = [
        Group(used, weights, float(constant), float(scale), function)
        for used, weights, constant, scale, function in zip(*parts, strict=True)
    ]
    return GroupElements(int(raw.n), groups, elements, linear_part(raw, indices))
