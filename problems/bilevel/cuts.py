"""Value-function cuts: a problem of (x, y, ...) with rows that say y does as well as known lower answers.

A lower answer y_k with multipliers c_k at some x gives ``f(x, y) <= f(x, y_k) + c_k'(g(x, y_k) - b_k)``, with
b_k the bounds at which c_k's rows are. Where g does not depend on x, that is f(x, y) <= f(x, y_k): true at
every bilevel feasible point (Mitsos, Lemonidis & Barton, 2008). Where it does, the row is right to first
order near the x at which y_k was found.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from ..nlp import NLP, IndexVector, Vector, deliver
from ..sparse_patterns import merge_entries
from .problem import BilevelProblem


@dataclass(frozen=True, eq=False)
class LowerAnswer:
    """A feasible point of the lower level, with its multipliers.

    Attributes
    ----------
    y : ndarray, shape (n_y,)
    c : ndarray, shape (m,)
        Multipliers of the lower constraints in the library's sign.
    """

    y: Vector
    c: Vector


class WithCuts(NLP):
    """An NLP whose first variables are (x, y), with a row for each of some lower answers.

    Parameters
    ----------
    base : NLP
    problem : BilevelProblem
    answers : sequence of LowerAnswer
    slack : float or ndarray, shape (answers,), default 0
        What f(x, y) may exceed the other sides by.
    """

    def __init__(
        self, base: NLP, problem: BilevelProblem, answers: Sequence[LowerAnswer], slack: float | Vector = 0.0
    ) -> None:
        k = len(answers)
        super().__init__(
            replace(
                base.metadata,
                lb=base.lb,
                ub=base.ub,
                cl=np.concatenate([base.cl, np.full(k, -np.inf)]),
                cu=np.concatenate([base.cu, np.broadcast_to(slack, k)]),
                y0=np.concatenate([base.y0, np.zeros(k)]),
                capabilities=base.capabilities,
            )
        )
        self._base, self._lower, self._n_x = base, problem.lower_rows, problem.n_x
        self._w = problem.n_x + problem.n_y
        level = self._lower
        self._answers = []
        for answer in answers:
            bound = np.where(answer.c > 0.0, level.cu, level.cl)
            c = np.where(np.isfinite(bound), answer.c, 0.0)  # what a barrier leaves of an absent bound
            self._answers.append((answer.y, c, float(c[c != 0.0] @ bound[c != 0.0])))
        indptr, indices = self._lower.hessian_structure()
        rows = np.repeat(np.arange(self._w), np.diff(indptr))
        base_indptr, base_indices = base.hessian_structure()
        pieces = [(np.repeat(np.arange(self.n), np.diff(base_indptr)), base_indices), (rows, indices)]
        self._in_x = rows < self._n_x  # the columns of a lower triangle do not exceed its rows
        first, second, self._places = merge_entries(
            [piece[0] for piece in pieces], [piece[1] for piece in pieces], (self.n, self.n)
        )
        self._hessian_pattern = first, second

    def excess(self, w: Vector) -> Vector:
        """f(x, y) less the other sides, shape (answers,)."""
        level = self._lower
        f = level.objective(w)
        cuts = np.zeros(len(self._answers))
        for k, (y, c, level_of) in enumerate(self._answers):
            there = self._at(w, y)
            cuts[k] = f - level.objective(there)
            if c.any():
                cuts[k] -= float(c @ level.constraints(there)) - level_of
        return cuts

    def _at(self, w: Vector, y: Vector) -> Vector:
        return np.concatenate([w[: self._n_x], y])

    def objective(self, x: Vector) -> float:
        """f(x)."""
        return self._base.objective(x)

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        return self._base.gradient(x, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        return deliver(np.concatenate([self._base.constraints(x), self.excess(x[: self._w])]), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian."""
        indptr, indices = self._base.jacobian_structure()
        k = len(self._answers)
        every = np.arange(self._w)
        return (
            np.concatenate([indptr, indptr[-1] + self._w * np.arange(1, k + 1)]).astype(np.int64),
            np.concatenate([indices, np.tile(every, k)]).astype(np.int64),
        )

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        w, level, n_x = x[: self._w], self._lower, self._n_x
        gradient = level.gradient(w)
        rows = []
        for y, c, _ in self._answers:
            there = self._at(w, y)
            other = level.gradient(there)
            if c.any():
                other = other + level.vjp(there, c)
            row = gradient.copy()
            row[:n_x] -= other[:n_x]
            rows.append(row)
        return deliver(np.concatenate([self._base.jacobian_values(x), *rows]), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the lower triangle of the Hessian of the Lagrangian."""
        return self._hessian_pattern

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        k = len(self._answers)
        own = None if y is None else y[: self.m - k]
        data = np.zeros(self._hessian_pattern[1].size)
        data[self._places[0]] += self._base.hessian_values(x, own, sigma)
        if y is not None and y[self.m - k :].any():
            w, level = x[: self._w], self._lower
            weights = y[self.m - k :]
            total = level.hessian_values(w, None, float(weights.sum()))
            for weight, (there, c, _) in zip(weights, self._answers, strict=True):
                if weight != 0.0:
                    curved = level.hessian_values(self._at(w, there), weight * c, float(weight))
                    total = total - np.where(self._in_x, curved, 0.0)
            data[self._places[1]] += total
        return deliver(data, out)
