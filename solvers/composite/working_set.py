"""Working sets for penalties by coordinate: least squares on a cached Gram matrix, other datafits by prox-Newton.

An outer step begins with the certificate's gradient of all coordinates, one pass over X. The coordinates nearest
to moving make a pool, an eighth of all; the problem of the pool is solved by working sets within it, at the
price of passes over the pool, and the next certificate sees whether something outside wants to move.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.composite.datafits import LeastSquares
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices, MismatchError
from .driver import Run, State
from .gram import GramCache, minimise_on_gram
from .terms import Terms, terms_of

_POOL = 8
"""One coordinate in so many belongs to the pool."""

_FIRST = 64
"""Coordinates of the first working set."""

_NEAR = 0.97
"""A coordinate whose force is this part of its level is taken along."""

_SHARP = 0.05
"""Violation left in a pool, as a part of tol times the largest slope at w = 0."""


@dataclass
class _State(State):
    """With the predictor's part X w and the Gram matrix of the coordinates that were ever looked at."""

    Xw: Array | None = None
    gram: GramCache | None = None


@dataclass(frozen=True)
class WorkingSet:
    """Working sets, for least squares of one output and penalties by coordinate.

    Parameters
    ----------
    tol : float
        Tolerance of the certificate.
    max_iterations : int
        Limit of outer steps, each a pass over X and the exact solution of a pool.
    """

    tol: float = 1e-6
    max_iterations: int = 1000

    def check(self, problem: CompositeProblem) -> None:
        """A penalty by coordinate, one output."""
        if terms_of(problem.penalty, problem.p) is None:
            raise MismatchError(
                f"working sets need a penalty by coordinate (PiecewiseQuadratic, MCP, SCAD), "
                f"got {type(problem.penalty).__name__}"
            )
        if not isinstance(problem.datafit, LeastSquares) or len(problem.shape) > 1:
            raise MismatchError(f"working sets need least squares of one output, got {problem.datafit!r}")

    def init(self, run: Run, w: Array, b: Array) -> _State:
        """The start asks for the certificate, whose gradient the first step needs."""
        problem = run.problem
        return _State(w, b, problem.objective(w, b), settled=True)

    def step(self, run: Run, state: _State) -> _State:
        """Solve the problem of the pool."""
        assert run.certificate is not None
        return _Pool(run, state, run.certificate.gradient).solved()


class _Pool:
    """The problem of some coordinates, the rest of w fixed."""

    def __init__(self, run: Run, state: _State, gradient: Array) -> None:
        self.run, self.problem, self.state = run, run.problem, state
        problem = run.problem
        terms = terms_of(problem.penalty, problem.p)
        assert terms is not None
        self.terms: Terms = terms
        self.gram = _gram_of(problem) if state.gram is None else state.gram
        self.w, self.b = state.w.copy(), state.b
        self.gradient = gradient
        self.goal = _SHARP * run.tol * max(float(np.max(np.abs(problem.null.slopes))), 1e-300)

    def solved(self) -> _State:
        problem, w = self.problem, self.w
        pool = self._pool()
        excess = self.terms.at(pool).excess(w[pool], self.gradient[pool])
        rounds = 0
        while True:
            rounds += 1
            self._extend(pool, excess)
            self._minimise()
            eta = problem.predictor(w, 0.0)
            self.b = problem.best_intercept(eta, self.b)
            g = problem.datafit.gradient(eta + self.b if problem.intercept else eta)
            slopes = problem.design.adjoint_of(pool, g)
            excess = self.terms.at(pool).excess(w[pool], slopes)
            if excess.max(initial=0.0) <= 2 * self.goal:
                break
        objective = problem.objective(w, self.b)
        record = {"pool": pool.size, "working set": self.gram.columns.size, "rounds": rounds}
        return _State(w, self.b, objective, True, record, None, self.gram)

    def _pool(self) -> Indices:
        """The support, the columns of the cached matrix, and the coordinates nearest to moving."""
        p = self.problem.p
        size = max(p // _POOL, min(p, 1000))
        if size >= p:
            return np.arange(p)
        excess = self.terms.excess(self.w, self.gradient)
        excess[self.gram.columns] = np.inf
        excess[self.w != 0] = np.inf
        return np.sort(np.argpartition(-excess, size)[:size])

    def _extend(self, pool: Indices, excess: Array) -> None:
        """Add to the working set what moves and the nearest others."""
        known = np.zeros(self.problem.p, dtype=bool)
        known[self.gram.columns] = True
        w, l1 = self.w[pool], self.terms.l1[pool]
        wanted = ((w != 0) | (excess > -(1.0 - _NEAR) * l1)) & ~known[pool]
        most = max(_FIRST, int(np.count_nonzero(self.w)))
        scores = np.where(wanted, excess, -np.inf)
        scores[(w != 0) & wanted] = np.inf
        candidates = np.flatnonzero(scores > -np.inf)
        if candidates.size > most:
            candidates = candidates[np.argpartition(-scores[candidates], most)[:most]]
        if candidates.size:
            self.gram.extend(pool[candidates])

    def _minimise(self) -> None:
        """Minimise over the working set."""
        columns = self.gram.columns
        problem = self.problem
        part = self.terms.at(columns)
        eta = problem.predictor(self.w, 0.0)
        self.b = problem.best_intercept(eta, self.b)
        g = problem.datafit.gradient(eta + self.b if problem.intercept else eta)
        r = -problem.design.adjoint_of(columns, g) - part.linear
        w = self.w[columns]
        minimise_on_gram(self.gram.matrix, r, w, part, self.goal, self.run.check_deadline)
        self.w[columns] = w


def _gram_of(problem: CompositeProblem) -> GramCache:
    datafit = problem.datafit
    assert isinstance(datafit, LeastSquares)
    weights = None if datafit.unweighted else datafit.weights
    sums = problem.column_sums if problem.intercept else None
    return GramCache(problem.design, weights, sums, float(datafit.weights.sum()))
