"""The problem of a working set: prox-Newton steps; least squares take one, on a Gram matrix that is kept."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...problems.composite.datafits import LeastSquares
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices
from .columns import ColumnQuadratic
from .costs import gram_is_cheaper
from .gram import GramCache, GramQuadratic
from .group_columns import BlockCache, GroupColumnQuadratic
from .group_quadratic import GroupQuadratic
from .group_terms import GroupTerms
from .quadratic import Quadratic, minimise
from .terms import Terms

_FORCING = 0.3
"""Violation left by a model, as a part of what is violated before it, at most."""

_MAX_NEWTON = 50
_MAX_HALVINGS = 30
_ARMIJO = 1e-4
_FLOOR = 1e-4
"""Curvatures of the samples are at least this part of their bound: some losses have none in places."""


class Iterate:
    """A point (w, b) with its predictor, and what is kept of X'X.

    Attributes
    ----------
    w, b, eta : ndarray
        Point and predictor; w is changed in place.
    gram : GramCache
        Of the columns of the working set, for least squares.
    scale : float
        The largest slope at w = 0.
    """

    def __init__(
        self,
        problem: CompositeProblem,
        w: Array,
        b: Array,
        eta: Array | None,
        gram: GramCache | None,
        check: Callable[[], None],
    ) -> None:
        self.problem, self.w, self.b, self.check = problem, w, b, check
        self.eta = problem.predictor(w, b) if eta is None else eta
        self.quadratic = isinstance(problem.datafit, LeastSquares)
        self.unweighted = self.quadratic and bool(getattr(problem.datafit, "unweighted", False))
        self.scale = max(float(np.max(np.abs(problem.null.slopes))), 1e-300)
        self.gram = self._new_gram() if gram is None else gram

    def _new_gram(self) -> GramCache:
        problem = self.problem
        weights = None if self.unweighted else problem.sample_weights
        sums = problem.column_sums if problem.intercept else None
        return GramCache(problem.design, weights, sums, float(problem.sample_weights.sum()))

    @property
    def objective(self) -> float:
        """P(w, b)."""
        return self.problem.datafit.value(self.eta) + self.problem.penalty.value(self.w)

    def slopes(self, columns: Indices) -> Array:
        """Gradient of the datafit by some columns."""
        return self.problem.design.adjoint_of(columns, self.problem.datafit.gradient(self.eta))

    def minimise(self, columns: Indices, part: Terms | GroupTerms, goal: float) -> int:
        """Minimise over the columns until nothing violates by more than `goal`; the Newton steps taken."""
        design, datafit = self.problem.design, self.problem.datafit
        for k in range(_MAX_NEWTON):
            g = datafit.gradient(self.eta)
            if self.quadratic:
                self._newton_step(columns, part, g, None, 0.5 * goal)
                return 1
            slopes = design.adjoint_of(columns, g)
            worst = part.excess(self.w[columns], slopes).max(initial=0.0)
            if worst <= goal and k:
                return k
            inner = max(0.2 * goal, min(_FORCING, worst / self.scale) * worst)
            if not self._newton_step(columns, part, g, slopes, inner):
                return k + 1
        return _MAX_NEWTON

    def _newton_step(
        self, columns: Indices, part: Terms | GroupTerms, g: Array, slopes: Array | None, goal: float
    ) -> bool:
        """Minimise the model at eta, then search between here and its solution; whether P fell."""
        design = self.problem.design
        h = None if self.unweighted else self._curvatures()
        total = 0.0
        if self.problem.intercept:
            total = float(self.problem.n if h is None else h.sum())
        start = self.w[columns]
        model = self._model(columns, part, g, slopes, h, total)
        minimise(model, goal, self.check)
        target = part.within(model.w)
        d = target - start
        moving = np.flatnonzero(d if d.ndim == 1 else d.any(axis=1))
        moved = np.zeros_like(self.eta)
        design.add_columns(columns[moving], d[moving], moved)
        db = np.zeros(self.eta.shape[1:])
        if total > 0.0:
            weighted = moved if h is None else (h * moved.T).T
            db = (-g.sum(axis=0) - weighted.sum(axis=0)) / total
        return self._search(columns, part, start, target, moved, db, g)

    def _curvatures(self) -> Array:
        """Second derivatives of the samples, kept off zero; (n,) also for several outputs."""
        datafit = self.problem.datafit
        if self.quadratic:
            return self.problem.sample_weights
        h = np.array(datafit.hessian_diagonal(self.eta))
        if datafit.provides("curvature_bound"):
            return np.maximum(h, _FLOOR * datafit.curvature_bound())
        return np.maximum(h, 1e-12 * float(h.max()))

    def _model(
        self,
        columns: Indices,
        part: Terms | GroupTerms,
        g: Array,
        slopes: Array | None,
        h: Array | None,
        total: float,
    ) -> Quadratic:
        """The quadratic of the working set, on its Gram matrix or on the columns."""
        design, w = self.problem.design, self.w[columns]
        u = -g
        if total > 0.0:
            correction = u.sum(axis=0) / total
            u -= np.multiply.outer(np.ones(g.shape[0]) if h is None else h, correction)
        if w.ndim == 1 and not gram_is_cheaper(design, columns, cached=self.quadratic):
            known = None
            if self.quadratic:
                known = self.problem.column_sums[columns], self.problem.column_squares[columns]
            if isinstance(part, Terms):
                return ColumnQuadratic(design, columns, h, u, w, part, total, known)
            return GroupColumnQuadratic(design, columns, h, u, w, part, total, known, self._blocks(h))
        G = self._gram_matrix(columns, h, total)
        r = design.adjoint_of(columns, u) if total > 0.0 or slopes is None else -slopes
        r -= part.linear
        return GramQuadratic(G, r, w, part) if isinstance(part, Terms) else GroupQuadratic(G, r, w, part)

    def _blocks(self, h: Array | None) -> BlockCache:
        """Of the groups: kept with X'X where curvatures are constant."""
        if not self.quadratic:
            return BlockCache(self.problem.design, h)
        if self.gram.blocks is None:
            self.gram.blocks = BlockCache(self.problem.design, h)
        return self.gram.blocks

    def _gram_matrix(self, columns: Indices, h: Array | None, total: float) -> Array:
        """X_I' diag(h) X_I, less what the best intercept takes of it."""
        if self.quadratic:
            self.gram.extend(columns[self.gram.columns.size :])
            return self.gram.matrix
        G = self.problem.design.gram_rows(columns, 0, h)
        if total > 0.0 and h is not None:
            sums = self.problem.design.adjoint_of(columns, h)
            G -= np.outer(sums / total, sums)
        return G

    def _search(
        self,
        columns: Indices,
        part: Terms | GroupTerms,
        start: Array,
        target: Array,
        moved: Array,
        db: Array,
        g: Array,
    ) -> bool:
        """Halve the step until P falls as the model promises; least squares take the whole of it."""
        datafit = self.problem.datafit
        moved = moved + db
        if self.quadratic:
            self._move(columns, target, self.eta + moved, db)
            return True
        value, cost = datafit.value(self.eta), part.values(start)
        promised = float(np.vdot(g, moved)) + part.values(target) - cost
        alpha = 1.0
        for _ in range(_MAX_HALVINGS):
            w = target if alpha == 1.0 else start + alpha * (target - start)
            eta = self.eta + alpha * moved
            change = datafit.value(eta) - value + part.values(w) - cost
            rounding = alpha == 1.0 and abs(change) <= 1e-14 * abs(value)
            if change <= _ARMIJO * alpha * promised or rounding:
                self._move(columns, w, eta, alpha * db)
                return bool(change < 0.0)
            alpha *= 0.5
        return False

    def _move(self, columns: Indices, w: Array, eta: Array, db: Array) -> None:
        self.w[columns] = w
        self.eta = eta
        if self.problem.intercept:
            self.b = self.b + db
