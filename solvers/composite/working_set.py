"""Working sets for penalties by coordinate and by group.

An outer step begins with the certificate's gradient of all coordinates, one pass over X. The items
(coordinates or groups) nearest to moving make a pool; the problem of the pool is solved by working sets
within it, at the price of passes over the pool, and the next certificate sees whether something outside wants
to move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ...problems.composite.datafits import LeastSquares
from ...problems.composite.group_penalties import SparseGroupLasso
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices, MismatchError, Penalty
from .costs import pass_cost, round_cost
from .driver import Run, State
from .gram import GramCache
from .group_terms import GroupTerms, group_terms_of
from .prox_newton import Iterate
from .terms import Terms, terms_of

_POOL, _SMALL = 8, 1000
"""One column in so many belongs to the pool; and at least so many columns."""

_POOL_ON_PATH = 32
"""The same at the first step from the solution of a nearby level: few others want to move."""

_FIRST = 64
"""Columns of the first working set, about."""

_NEAR = 0.97
"""An item whose force is this part of its level is taken along."""

_FAR, _PRUNE_FROM = 0.25, 1000
"""From so many columns on, items whose force lacks this part of the level are left out again."""

_SHARP = 0.3
"""Violation left in a pool, as a part of tol times the largest slope at w = 0."""

_ROUNDING = 1e-15
"""No pool is solved more sharply, relative to the largest slope at w = 0."""

_FORCING = 0.3
"""Violation left in a working set, as a part of what is violated outside it."""

_MAX_ROUNDS = 100


@dataclass
class WorkingSetState(State):
    """With the predictor; the datafit's gradient at w, where that is known without a certificate; the working
    set, what is kept of X'X, and how sharply pools are solved.
    """

    eta: Array | None = None
    gradient: Array | None = None
    items: Indices | None = None
    gram: GramCache | None = None
    sharp: float = _SHARP


@dataclass(frozen=True)
class WorkingSet:
    """Working sets: for datafits that are sums over samples, penalties by coordinate or by group.

    Several outputs: least squares with groups that are the rows of w (multi-task lasso).

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
        """A penalty that kernels know; second derivatives of a sum over samples."""
        datafit, shape = problem.datafit, problem.shape
        if known_terms(problem.penalty, shape) is None:
            raise MismatchError(
                "working sets need a penalty by coordinate or by group that the kernels know, "
                f"got {type(problem.penalty).__name__} for w of shape {shape}"
            )
        if not datafit.separable:
            raise MismatchError(
                f"working sets need a datafit that is a sum over samples, got {type(datafit).__name__}"
            )
        if len(shape) > 1 and not isinstance(datafit, LeastSquares):
            raise MismatchError(
                f"working sets take several outputs of LeastSquares only, got {type(datafit).__name__}"
            )
        if not datafit.provides("hessian_diagonal"):
            raise datafit.lacks("hessian_diagonal, which working sets need")

    def init(self, run: Run, w: Array, b: Array) -> WorkingSetState:
        """The first step needs the gradient: known at w = 0, elsewhere the certificate's."""
        null = run.problem.null
        known = not w.any() and np.array_equal(b, null.intercept)
        gradient = null.slopes if known else None
        eta = run.problem.predictor(w, b)
        objective = run.problem.datafit.value(eta) + run.problem.penalty.value(w)
        return WorkingSetState(w, b, objective, settled=not known, eta=eta, gradient=gradient)

    def resume(self, problem: CompositeProblem, state: WorkingSetState, gradient: Array) -> WorkingSetState:
        """The state of a solved problem as the start of one with another penalty, on a path."""
        assert state.eta is not None
        objective = problem.datafit.value(state.eta) + problem.penalty.value(state.w)
        return WorkingSetState(
            state.w, state.b, objective, False, {}, state.eta, gradient, state.items, state.gram
        )

    def ahead(
        self, run: Run, state: WorkingSetState, pool: Indices | None
    ) -> tuple[WorkingSetState, Array, Indices]:
        """A solution that the certificate has yet to see; the gradient, new in the pool; and the pool."""
        assert state.gradient is not None
        part = _Pool(run, state, state.gradient, pool)
        found = part.solved()
        gradient = state.gradient.copy()
        gradient[part.columns] = part.slopes
        return found, gradient, part.pool

    def step(self, run: Run, state: WorkingSetState) -> WorkingSetState:
        """Solve the problem of the pool."""
        if state.gradient is not None:
            return _Pool(run, state, state.gradient).solved()
        assert run.certificate is not None
        return _Pool(run, state, run.certificate.gradient).solved()


def known_terms(penalty: Penalty, shape: tuple[int, ...]) -> Terms | GroupTerms | None:
    """The penalty in the form of the kernels, None where it has none."""
    if isinstance(penalty, SparseGroupLasso):
        return group_terms_of(penalty, shape)
    return terms_of(penalty, shape[0]) if len(shape) == 1 else None


class _Pool:
    """The problem of some items, the rest of w fixed."""

    def __init__(
        self, run: Run, state: WorkingSetState, gradient: Array, pool: Indices | None = None
    ) -> None:
        self.problem = problem = run.problem
        terms = known_terms(problem.penalty, problem.shape)
        assert terms is not None
        self.terms: Terms | GroupTerms = terms
        self.point = Iterate(problem, state.w.copy(), state.b, state.eta, state.gram, run.check_deadline)
        w = self.point.w[terms.columns]
        self.excess = terms.excess(w, gradient[terms.columns])
        self.moving = np.flatnonzero(terms.moves(w))
        self.items: Indices = self.moving if state.items is None else state.items
        self.sharp = state.sharp
        self.resumed = state.items is not None and state.gradient is not None
        seen = state.items is not None and not self.resumed
        if seen and self.excess.max(initial=0.0) <= 2.0 * self.sharp * run.tol * self.point.scale:
            self.sharp *= 0.1  # nothing violates, and yet the certificate does not hold
        self.goal = max(self.sharp * run.tol, _ROUNDING) * self.point.scale
        self._prune()
        self.pool = self._chosen() if pool is None else pool
        self.columns = terms.columns_of(self.pool)
        self.slopes: Array = np.empty(0)

    def solved(self) -> WorkingSetState:
        """By working sets that grow until nothing in the pool violates."""
        point, terms = self.point, self.terms
        pool, columns = self.pool, self.columns
        whole = pool.size == terms.count
        part = terms if whole else terms.at(pool)
        excess = self.excess if whole else self.excess[pool]
        rounds = newtons = 0
        while True:
            rounds += 1
            self._extend(pool, excess, part.moves(point.w[columns]))
            goal = max(self.goal, _FORCING * excess.max(initial=0.0))
            working = terms.columns_of(self.items)
            newtons += point.minimise(working, terms.at(self.items), goal)
            self.slopes = point.slopes(columns)
            excess = part.excess(point.w[columns], self.slopes)
            self.moving = pool[part.moves(point.w[columns])]
            if excess.max(initial=0.0) <= 2.0 * self.goal or rounds >= _MAX_ROUNDS:
                break
            if not whole and self._is_large():
                break
        record = {"pool": pool.size, "working set": self.items.size, "rounds": rounds, "newton": newtons}
        return WorkingSetState(
            point.w,
            point.b,
            point.objective,
            True,
            record,
            point.eta,
            None,
            self.items,
            point.gram,
            self.sharp,
        )

    def _is_large(self) -> bool:
        """Whether solving working sets costs more than passes over X: then nothing is saved by a pool."""
        columns, design = self.terms.columns_of(self.moving), self.problem.design
        return round_cost(design, columns) > pass_cost(design)

    def _prune(self) -> None:
        """Leave out items far from moving where there are many."""
        items, terms = self.items, self.terms
        widths = terms.widths(items)
        if widths.sum() < _PRUNE_FROM:
            return
        near = self.excess[items] > -_FAR * terms.levels[items]
        near |= np.isin(items, self.moving)
        if widths[near].sum() > 0.8 * widths.sum():
            return
        gram = self.point.gram
        gram.keep(np.repeat(near, widths)[: gram.columns.size])
        self.items = items[near]

    def _chosen(self) -> Indices:
        """The working set, what moves, and the items nearest to moving."""
        terms, p = self.terms, self.problem.p
        average = p / terms.count
        size = int(max(p // (_POOL_ON_PATH if self.resumed else _POOL), _SMALL) / average)
        size = max(size, 2 * self.items.size, 2 * self.moving.size)
        if size >= terms.count or self._is_large():
            return np.arange(terms.count)
        distance = -self.excess
        distance[self.items] = -np.inf
        distance[self.moving] = -np.inf
        return np.sort(np.argpartition(distance, size - 1)[:size])

    def _extend(self, pool: Indices, excess: Array, moves: NDArray[np.bool_]) -> None:
        """Add to the working set what moves and the nearest others."""
        terms = self.terms
        known = np.zeros(terms.count, dtype=bool)
        known[self.items] = True
        wanted = (moves | (excess > -(1.0 - _NEAR) * terms.levels[pool])) & ~known[pool]
        candidates = np.flatnonzero(wanted)
        moving, average = int(np.count_nonzero(moves)), self.problem.p / terms.count
        many = moving * average >= self.problem.n // 8
        most = max(int(_FIRST / average) + 1, moving // 3 if many else moving)
        if candidates.size > most:
            scores = np.where(moves[candidates], np.inf, excess[candidates])
            most = max(most, int(np.count_nonzero(scores == np.inf)))
            candidates = candidates[np.argpartition(-scores, most - 1)[:most]]
        self.items = np.concatenate([self.items, pool[candidates]])
