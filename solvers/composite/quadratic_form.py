"""Quadratic forms w'A w / 2 - b'w with a penalty by coordinate: sweeps, then two-metric projection.

The residual force b - A w of all coordinates is kept up to date, so that a sweep visits everything at the
price of what moves: no working set is needed. Newton steps go by Cholesky where A is dense and the support
is small, else by conjugate gradients.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import sparse

from ...problems.composite.datafits import QuadraticForm
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices, MismatchError
from .conjugate_gradients import truncated_cg
from .driver import Run, State
from .gram import GramQuadratic
from .quadratic import CoordinateQuadratic, minimise_round
from .terms import Terms, terms_of
from .trees import graph_arrays

_SHARP = 0.3
"""Violation at which the certificate is asked, as a part of tol times the largest slope at w = 0."""

_CHOLESKY_LIMIT = 2500
"""Unknowns of a Newton step by Cholesky, at most."""

_MOST_PRODUCTS = 1000
_FORCING, _SHARPEST = 0.5, 1e-4
"""Reduction of the residual by conjugate gradients: at first; the more, the longer the support stays."""


@dataclass
class _State(State):
    """With the model, whose point goes on; `w` is a copy."""

    model: Any = None
    sharp: float = _SHARP


@dataclass(frozen=True)
class QuadraticFormDescent:
    """Coordinate sweeps and projected Newton steps (Nutini et al. 2022, section 5.3) for quadratic forms.

    Parameters
    ----------
    tol : float
        Tolerance of the certificate.
    max_iterations : int
        Limit of steps, each a few sweeps and the Newton steps that follow them.
    """

    tol: float = 1e-6
    max_iterations: int = 10_000

    def check(self, problem: CompositeProblem) -> None:
        """A quadratic form of w itself, and a penalty by coordinate that the kernels know."""
        who = "method 'quadratic-form'"
        if not isinstance(problem.datafit, QuadraticForm):
            raise MismatchError(
                f"{who} needs the datafit QuadraticForm, not {type(problem.datafit).__name__}"
            )
        if problem.design.kind != "identity":
            raise MismatchError(f"{who} needs a quadratic form of w itself: no X")
        if terms_of(problem.penalty, problem.p) is None:
            raise MismatchError(
                f"{who} needs a penalty by coordinate that the kernels know, "
                f"got {type(problem.penalty).__name__}"
            )

    def init(self, run: Run, w: Array, b: Array) -> _State:
        """The model, its point within the bounds."""
        problem = run.problem
        model = _model(problem, w, run.check_deadline)
        return _State(w, b, problem.objective(w), model=model)

    def step(self, run: Run, state: _State) -> _State:
        """One round: a sweep over everything, sweeps over the support, projected Newton steps."""
        problem, model, sharp = run.problem, state.model, state.sharp
        if state.settled:  # the certificate did not hold
            sharp *= 0.1
        if state.settled or run.iterations % 16 == 15:
            model.refresh(_force(problem, model.w, model.terms))
        scale = max(float(np.max(np.abs(problem.null.slopes))), 1e-300)
        goal = sharp * run.tol * scale
        worst = minimise_round(model, goal, run.iterations >= model.patience, run.check_deadline)
        w = model.terms.within(model.w.copy())
        return _State(
            w,
            state.b,
            problem.objective(w),
            settled=worst <= goal,
            record={"violation": worst, "support": int(np.count_nonzero(w))},
            model=model,
            sharp=sharp,
        )


def _model(problem: CompositeProblem, w: Array, check: Callable[[], None]) -> DenseForm | SparseForm:
    datafit, terms = problem.datafit, terms_of(problem.penalty, problem.p)
    assert isinstance(datafit, QuadraticForm)
    assert terms is not None
    terms = _contiguous(terms)
    kind = SparseForm if sparse.issparse(datafit.A) else DenseForm
    w = np.array(w)
    return kind(datafit.A, _force(problem, w, terms), w, terms, check)


def _force(problem: CompositeProblem, w: Array, terms: Terms) -> Array:
    return np.asarray(-problem.datafit.gradient(problem.predictor(w)) - terms.linear)


def _contiguous(terms: Terms) -> Terms:
    parts = (terms.l1, terms.l2, terms.linear, terms.lower, terms.upper)
    l1, l2, linear, lower, upper = (np.array(part) for part in parts)
    return Terms(terms.kind, terms.gamma, l1, l2, linear, lower, upper, terms.is_norm)


class _Accuracy:
    """How sharply Newton directions are solved: sharper while the support stays the same."""

    def __init__(self) -> None:
        self._support: Indices = np.empty(0, dtype=np.int64)
        self._tolerance = _FORCING

    def on(self, support: Indices) -> float:
        """For a step on this support."""
        same = np.array_equal(support, self._support)
        self._support = support
        self._tolerance = max(0.1 * self._tolerance, _SHARPEST) if same else _FORCING
        return self._tolerance


class DenseForm(GramQuadratic):
    """A dense quadratic form; directions by conjugate gradients where the support is large.

    Parameters
    ----------
    A : ndarray, shape (n, n)
    r : ndarray, shape (n,)
        Force b - A w, less the linear part; kept up to date.
    w : ndarray, shape (n,)
        Point, changed in place.
    terms : Terms
    check : callable
        Raises where time is up.
    """

    def __init__(self, A: Array, r: Array, w: Array, terms: Terms, check: Callable[[], None]) -> None:
        super().__init__(np.ascontiguousarray(A), r, w, terms)
        self._check, self._accuracy = check, _Accuracy()

    def refresh(self, r: Array) -> None:
        """The force computed anew."""
        self.r = r

    def newton_direction(self, F: Indices, force: Array, curvatures: Array) -> Array | None:
        """By Cholesky, or by conjugate gradients."""
        if F.size <= _CHOLESKY_LIMIT:
            return super().newton_direction(F, force, curvatures)
        part = self.G if F.size == self.w.size else self.G[np.ix_(F, F)]
        inverse = 1.0 / np.maximum(part.diagonal() + curvatures, 1e-300)
        return truncated_cg(
            lambda v: part @ v + curvatures * v,
            force,
            inverse,
            self._accuracy.on(F),
            _MOST_PRODUCTS,
            self._check,
        )

    def product(self, F: Indices, step: Array) -> Array:
        """All of A step at once, since `move` needs it."""
        full = np.zeros(self.w.size)
        full[F] = step
        self._moved = self.G @ full
        return self._moved[F]


class SparseForm(CoordinateQuadratic):
    """The same with a sparse A."""

    inner_sweeps, patience = 4, 1

    def __init__(self, A: Any, r: Array, w: Array, terms: Terms, check: Callable[[], None]) -> None:
        self.A, self.r, self.w, self.terms = A, r, w, terms
        self._graph, self._diagonal = graph_arrays(A), np.ascontiguousarray(A.diagonal())
        self._check, self._accuracy = check, _Accuracy()
        self._moved = r

    def refresh(self, r: Array) -> None:
        """The force computed anew."""
        self.r = r

    def sweeps(self, active: Indices, count: int, goal: float) -> float:
        """On rows of A."""
        from .quadratic_form_kernels import sparse_form_sweeps

        t = self.terms
        return float(
            sparse_form_sweeps(
                *(*self._graph, self._diagonal, active, self.r, self.w),
                *(t.l1, t.l2, t.lower, t.upper, t.kind, t.gamma, count, goal),
            )
        )

    def force(self) -> Array:
        """R."""
        return self.r

    def newton_direction(self, F: Indices, force: Array, curvatures: Array) -> Array | None:
        """By conjugate gradients."""
        part = self.A if F.size == self.w.size else self.A[F][:, F]
        inverse = 1.0 / np.maximum(self._diagonal[F] + curvatures, 1e-300)
        return truncated_cg(
            lambda v: part @ v + curvatures * v,
            force,
            inverse,
            self._accuracy.on(F),
            _MOST_PRODUCTS,
            self._check,
        )

    def product(self, F: Indices, step: Array) -> Array:
        """All of A step at once, since `move` needs it."""
        full = np.zeros(self.w.size)
        full[F] = step
        self._moved = np.asarray(self.A @ full)
        return self._moved[F]

    def move(self, F: Indices, step: Array) -> None:
        """By the last product."""
        self.w[F] += step
        self.r -= self._moved
