"""Working sets for penalties by coordinate: least squares on cached quadratics, other datafits by prox-Newton.

An outer step begins with the certificate's gradient of all coordinates, one pass over X. The coordinates
nearest to moving make a pool; the problem of the pool is solved by working sets within it, at the price of
passes over the pool, and the next certificate sees whether something outside wants to move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.composite.datafits import LeastSquares
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices, MismatchError
from .columns import ColumnQuadratic
from .costs import gram_is_cheaper, pass_cost, round_cost
from .driver import Run, State
from .gram import GramCache, GramQuadratic
from .quadratic import Quadratic, minimise
from .terms import Terms, terms_of

_POOL = 8
"""One coordinate in so many belongs to the pool."""

_FIRST = 64
"""Coordinates of the first working set."""

_NEAR = 0.97
"""A coordinate whose force is this part of its level is taken along."""

_FAR, _PRUNE_FROM = 0.25, 1000
"""From so many columns on, those whose force lacks this part of the level are left out again."""

_SHARP = 0.3
"""Violation left in a pool, as a part of tol times the largest slope at w = 0."""

_FORCING = 0.3
"""Violation left in a working set, as a part of what is violated outside it, and by a model in prox-Newton."""

_MAX_NEWTON = 50
_MAX_HALVINGS = 30
_ARMIJO = 1e-4
_FLOOR = 1e-4
"""Curvatures of the samples are at least this part of their bound: some losses have none in places."""


@dataclass
class _State(State):
    """With what was learned of X, and how sharply pools are solved."""

    columns: Indices | None = None
    gram: GramCache | None = None
    sharp: float = _SHARP


@dataclass(frozen=True)
class WorkingSet:
    """Working sets, for datafits of one output and penalties by coordinate.

    Parameters
    ----------
    tol : float
        Tolerance of the certificate.
    max_iterations : int
        Limit of outer steps, each a pass over X and the solution of a pool.
    """

    tol: float = 1e-6
    max_iterations: int = 1000

    def check(self, problem: CompositeProblem) -> None:
        """A penalty by coordinate; one output; second derivatives."""
        name = type(problem.penalty).__name__
        if terms_of(problem.penalty, problem.p) is None:
            raise MismatchError(f"working sets need a penalty by coordinate that kernels know, got {name}")
        datafit = problem.datafit
        if len(problem.shape) > 1 or not datafit.separable:
            raise MismatchError(
                f"working sets need a datafit of one output that is a sum over samples, got {datafit!r}"
            )
        if not datafit.provides("hessian_diagonal"):
            raise datafit.lacks("hessian_diagonal, which working sets need")

    def init(self, run: Run, w: Array, b: Array) -> _State:
        """The start asks for the certificate, whose gradient the first step needs."""
        return _State(w, b, run.problem.objective(w, b), settled=True)

    def step(self, run: Run, state: _State) -> _State:
        """Solve the problem of the pool."""
        assert run.certificate is not None
        return _Pool(run, state, run.certificate.gradient).solved()


class _Pool:
    """The problem of some coordinates, the rest of w fixed."""

    def __init__(self, run: Run, state: _State, gradient: Array) -> None:
        self.run, self.problem = run, run.problem
        problem = run.problem
        terms = terms_of(problem.penalty, problem.p)
        assert terms is not None
        self.terms: Terms = terms
        self.gram = state.gram
        self.w, self.b = state.w.copy(), state.b
        self.excess = terms.excess(self.w, gradient)
        scale = max(float(np.max(np.abs(problem.null.slopes))), 1e-300)
        self.sharp = state.sharp
        if state.gram is not None and self.excess.max(initial=0.0) <= 2.0 * self.sharp * run.tol * scale:
            self.sharp *= 0.1  # nothing violates, and yet the certificate does not hold
        self.goal = self.sharp * run.tol * scale
        self.quadratic = isinstance(problem.datafit, LeastSquares)
        self.columns: Indices = np.flatnonzero(self.w) if state.columns is None else state.columns
        self.eta = problem.predictor(self.w, self.b)

    def solved(self) -> _State:
        """By working sets that grow until nothing in the pool violates."""
        problem, w = self.problem, self.w
        pool = self._pool()
        excess = self.excess[pool]
        if self.gram is None:
            self.gram = self._new_gram()
        self._prune()
        rounds = newtons = 0
        while True:
            rounds += 1
            worst = excess.max(initial=0.0)
            self._extend(pool, excess)
            newtons += self._minimise(max(self.goal, _FORCING * worst))
            slopes = problem.design.adjoint_of(pool, problem.datafit.gradient(self.eta))
            excess = self.terms.at(pool).excess(w[pool], slopes)
            if excess.max(initial=0.0) <= 2.0 * self.goal or rounds >= 100:
                break
            if pool.size < problem.p and self._is_large():
                break
        objective = problem.datafit.value(self.eta) + problem.penalty.value(w)
        record = {"pool": pool.size, "working set": self.columns.size, "rounds": rounds, "newton": newtons}
        return _State(w, self.b, objective, True, record, self.columns, self.gram, self.sharp)

    def _new_gram(self) -> GramCache:
        problem = self.problem
        weights = None if getattr(problem.datafit, "unweighted", False) else problem.sample_weights
        sums = problem.column_sums if problem.intercept else None
        return GramCache(problem.design, weights, sums, float(problem.sample_weights.sum()))

    def _pool(self) -> Indices:
        """The support, the working set, and the coordinates nearest to moving."""
        p = self.problem.p
        size = max(p // _POOL, 1000, 2 * self.columns.size)
        if size >= p or self._is_large():
            return np.arange(p)
        scores = self.excess.copy()
        scores[self.columns] = np.inf
        scores[self.w != 0] = np.inf
        return np.sort(np.argpartition(-scores, size - 1)[:size])

    def _is_large(self) -> bool:
        """Whether solving working sets costs more than passes over X: then nothing is saved by a pool."""
        moving = np.flatnonzero(self.w)
        return round_cost(self.problem.design, moving) > pass_cost(self.problem.design)

    def _prune(self) -> None:
        """Leave out columns far from moving where they are many."""
        assert self.gram is not None
        columns = self.columns
        near = (self.w[columns] != 0) | (self.excess[columns] > -_FAR * self.terms.l1[columns])
        if columns.size < _PRUNE_FROM or np.count_nonzero(near) > 0.8 * columns.size:
            return
        self.gram.keep(near[: self.gram.columns.size])
        self.columns = columns[near]

    def _extend(self, pool: Indices, excess: Array) -> None:
        """Add to the working set what moves and the nearest others."""
        known = np.zeros(self.problem.p, dtype=bool)
        known[self.columns] = True
        moves = self.w[pool] != 0
        wanted = (moves | (excess > -(1.0 - _NEAR) * self.terms.l1[pool])) & ~known[pool]
        candidates = np.flatnonzero(wanted)
        moving = int(np.count_nonzero(moves))
        most = max(_FIRST, moving if moving < self.problem.n // 8 else moving // 3)
        if candidates.size > most:
            scores = np.where(moves[candidates], np.inf, excess[candidates])
            most = max(most, int(np.count_nonzero(scores == np.inf)))
            candidates = candidates[np.argpartition(-scores, most - 1)[:most]]
        if candidates.size:
            self.columns = np.concatenate([self.columns, pool[candidates]])

    # ---- the problem of the working set ----------------------------------------------------------------

    def _minimise(self, goal: float) -> int:
        """Minimise over the working set by prox-Newton steps; how many. Least squares take one."""
        problem, columns = self.problem, self.columns
        part = self.terms.at(columns)
        for k in range(_MAX_NEWTON):
            g = problem.datafit.gradient(self.eta)
            slopes = problem.design.adjoint_of(columns, g)
            worst = part.excess(self.w[columns], slopes).max(initial=0.0)
            if worst <= goal and k:
                return k
            if self.quadratic:
                inner = 0.5 * goal
            else:
                inner = max(0.2 * goal, min(_FORCING, worst / self._scale()) * worst)
            if not self._newton_step(g, slopes, part, inner) or self.quadratic:
                return k + 1
        return _MAX_NEWTON

    def _scale(self) -> float:
        return max(float(np.max(np.abs(self.problem.null.slopes))), 1e-300)

    def _newton_step(self, g: Array, slopes: Array, part: Terms, goal: float) -> bool:
        """Minimise the model at eta, then search between here and its solution; whether P fell."""
        problem, columns = self.problem, self.columns
        h = None if self.quadratic and getattr(problem.datafit, "unweighted", False) else self._curvatures()
        total = 0.0
        if problem.intercept:
            total = float(problem.n if h is None else h.sum())
        model, start, u = self._model(g, slopes, h, total, part)
        minimise(model, goal, self.run.check_deadline)
        d = model.w - start
        moved = np.zeros(problem.n)
        moving = np.flatnonzero(d)
        problem.design.add_columns(columns[moving], d[moving], moved)
        db = 0.0
        if total > 0.0:
            weighted = moved.sum() if h is None else float(h @ moved)
            db = (float(-g.sum()) - weighted) / total
        return self._search(start, d, moved, db, g, part)

    def _curvatures(self) -> Array:
        """Second derivatives of the samples, kept off zero."""
        datafit = self.problem.datafit
        h = np.array(datafit.hessian_diagonal(self.eta))
        if self.quadratic:
            return h
        if datafit.provides("curvature_bound"):
            return np.maximum(h, _FLOOR * datafit.curvature_bound())
        return np.maximum(h, 1e-12 * float(h.max()))

    def _model(
        self, g: Array, slopes: Array, h: Array | None, total: float, part: Terms
    ) -> tuple[Quadratic, Array, Array]:
        """The quadratic of the working set, on its Gram matrix or on the columns, and where it starts."""
        problem, columns = self.problem, self.columns
        w = self.w[columns]
        start = w.copy()
        u = -g
        if total > 0.0:
            u -= (u.sum() / total) * (1.0 if h is None else h)
        if gram_is_cheaper(problem.design, columns, cached=self.quadratic):
            if self.quadratic:
                assert self.gram is not None
                if columns.size > self.gram.columns.size:
                    self.gram.extend(columns[self.gram.columns.size :])
                cache = self.gram
            else:
                sums = problem.design.squares_of(columns, h)[1] if total > 0.0 and h is not None else None
                cache = GramCache(problem.design, h, None, total)
                cache.extend(columns)
                if sums is not None:
                    cache.matrix[:] -= np.outer(sums / total, sums)
            r = problem.design.adjoint_of(columns, u) - part.linear if total > 0.0 else -slopes - part.linear
            return GramQuadratic(cache.matrix, r, w, part), start, u
        return ColumnQuadratic(problem.design, columns, h, u, w, part, total), start, u

    def _search(self, start: Array, d: Array, moved: Array, db: float, g: Array, part: Terms) -> bool:
        """Halve the step until P falls as the model promises; least squares take the whole of it."""
        datafit, columns = self.problem.datafit, self.columns
        if self.quadratic:
            self._move(start + d, self.eta + moved + db, db)
            return True
        value, cost = datafit.value(self.eta), part.values(start)
        promised = float(g @ moved) + db * float(g.sum()) + part.values(start + d) - cost
        alpha = 1.0
        for _ in range(_MAX_HALVINGS):
            w, eta = start + alpha * d, self.eta + alpha * (moved + db)
            change = datafit.value(eta) - value + part.values(w) - cost
            if change <= _ARMIJO * alpha * promised or (alpha == 1.0 and abs(change) <= 1e-14 * abs(value)):
                self._move(w, eta, alpha * db)
                return bool(change < 0.0)
            alpha *= 0.5
        return False

    def _move(self, w: Array, eta: Array, db: float) -> None:
        self.w[self.columns] = w
        self.eta = eta
        if self.problem.intercept:
            self.b = self.b + db
