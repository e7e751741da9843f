"""A level with the set of its variables written as rows of its constraints."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from scipy.sparse import coo_array, csr_array

from ..nlp import NLP, IndexVector, Vector, deliver
from ..sparse_patterns import merge_entries
from .sets import ConvexSet


def with_sets(problem: NLP, given: ConvexSet, first: int) -> NLP:
    """The problem with ``w[first : first + size]`` in the set, as bounds and rows.

    Linear rows come first, then one ``||v - center||^2 / radius <= radius`` for each ball.
    """
    lb, ub = problem.lb.copy(), problem.ub.copy()
    where = slice(first, first + given.size)
    lb[where], ub[where] = given.lb, given.ub
    return _WithSet(problem, given, first, lb, ub)


class _WithSet(NLP):
    """The rows of the problem, then those of the set."""

    def __init__(self, problem: NLP, given: ConvexSet, first: int, lb: Vector, ub: Vector) -> None:
        radii = np.array([radius for _, _, radius in given.balls])
        rows = given.A.shape[0] + radii.size
        super().__init__(
            replace(
                problem.metadata,
                lb=lb,
                ub=ub,
                cl=np.concatenate([problem.cl, given.cl, np.full(radii.size, -np.inf)]),
                cu=np.concatenate([problem.cu, given.cu, radii]),
                y0=np.concatenate([problem.y0, np.zeros(rows)]),
                capabilities=problem.capabilities,
            )
        )
        self._problem, self._m = problem, problem.m
        linear = coo_array(given.A)
        self._A = csr_array(
            (linear.data, (linear.row, linear.col + first)), shape=(given.A.shape[0], problem.n)
        )
        self._balls = [(index + first, center, radius) for index, center, radius in given.balls]
        self._hessian: tuple[IndexVector, IndexVector, list[np.ndarray]] | None = None

    def objective(self, x: Vector) -> float:
        return self._problem.objective(x)

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        return self._problem.gradient(x, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        balls = [float(np.sum((x[index] - center) ** 2)) / radius for index, center, radius in self._balls]
        return deliver(np.concatenate([self._problem.constraints(x), self._A @ x, balls]), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        indptr, indices = self._problem.jacobian_structure()
        sizes = np.cumsum([index.size for index, _, _ in self._balls], dtype=np.int64)
        before = indptr[-1] + self._A.indptr[1:]
        return (
            np.concatenate([indptr, before, indptr[-1] + self._A.nnz + sizes]).astype(np.int64),
            np.concatenate([indices, self._A.indices, *(index for index, _, _ in self._balls)]).astype(
                np.int64
            ),
        )

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        balls = [(2.0 / radius) * (x[index] - center) for index, center, radius in self._balls]
        return deliver(np.concatenate([self._problem.jacobian_values(x), self._A.data, *balls]), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        return self._pattern()[:2]

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        _, indices, places = self._pattern()
        values = np.zeros(indices.size)
        own = None if y is None else y[: self._m]
        values[places[0]] = self._problem.hessian_values(x, own, sigma)
        if y is not None:
            weights = y[self._m + self._A.shape[0] :]
            for place, (_, _, radius), weight in zip(places[1:], self._balls, weights, strict=True):
                values[place] += 2.0 * weight / radius
        return deliver(values, out)

    def _pattern(self) -> tuple[IndexVector, IndexVector, list[np.ndarray]]:
        if self._hessian is None:
            indptr, indices = self._problem.hessian_structure()
            rows: list[Any] = [np.repeat(np.arange(self.n), np.diff(indptr))]
            columns: list[Any] = [indices]
            for index, _, _ in self._balls:
                rows.append(index)
                columns.append(index)
            self._hessian = merge_entries(rows, columns, (self.n, self.n))
        return self._hessian
