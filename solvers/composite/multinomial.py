"""The softmax loss of several classes: prox-Newton steps on working sets of entries or groups of w, (p, k).

The model of a step has the true Hessian, in which the classes are coupled: diag(p) - p p' by sample. Where
the working set is small its matrix is built and minimised as that of least squares is, by sweeps and
projected Newton steps; else sweeps and conjugate gradients go over the columns of X.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.composite.datafits import Multinomial
from ...problems.composite.group_penalties import SparseGroupLasso
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices, MismatchError, Penalty
from .driver import Run, State
from .gram import GramQuadratic
from .group_quadratic import GroupQuadratic
from .group_terms import GroupTerms
from .multinomial_models import Entries, SoftmaxColumns, softmax_matrix
from .quadratic import Quadratic, minimise
from .terms import CONVEX, Terms, terms_of

_FIRST = 200
"""Entries of the first working set, about; later ones grow to at most twice what moves, and these."""

_NEAR = 0.97
"""An entry or group whose force is this part of its level is taken along."""

_SHARP = 0.3
"""Violation at which the certificate is asked, as a part of tol times the largest slope at w = 0."""

_OUTSIDE, _INSIDE = 0.3, 0.03
"""A working set is solved to these parts of the violation outside it, and of all before."""

_FORCING, _SMOOTH_FORCING = 0.1, 0.25
"""Violation left by a model, as a part of what is violated before it, at most; without kinks and bounds."""

_GAP_PART, _INTERCEPT_PART = 0.5, 0.1
"""Of the gap allowed, where it is known beforehand; of that, for the slopes by the intercept."""

_MATRIX_LIMIT = 2000
_MATRIX_COST = 60.0
"""The matrix of m entries costs n m^2 / 2, about `_MATRIX_COST` times less per operation than sweeps."""

_MAX_NEWTON, _MAX_HALVINGS, _ARMIJO = 30, 40, 1e-4


@dataclass
class _State(State):
    """With the predictor, the datafit's gradient by w where it is known, and the present sharpness."""

    eta: Array | None = None
    gradient: Array | None = None
    sharp: float = _SHARP


@dataclass(frozen=True)
class MultinomialNewton:
    """Prox-Newton on working sets, for the datafit Multinomial; penalties by coordinate or by group.

    Parameters
    ----------
    tol : float
        Tolerance of the certificate.
    max_iterations : int
        Limit of outer steps, each the solution of a working set and a pass over X.
    """

    tol: float = 1e-6
    max_iterations: int = 1000

    def check(self, problem: CompositeProblem) -> None:
        """The softmax loss and a penalty that the kernels know."""
        who, datafit = "method 'multinomial'", problem.datafit
        if not isinstance(datafit, Multinomial):
            raise MismatchError(f"{who} needs the datafit Multinomial, not {type(datafit).__name__}")
        if flat_terms(problem.penalty, problem.shape) is None:
            raise MismatchError(
                f"{who} needs a penalty by coordinate or by group that the kernels know, "
                f"got {type(problem.penalty).__name__}"
            )

    def init(self, run: Run, w: Array, b: Array) -> _State:
        """The gradient is known at w = 0, elsewhere it is computed."""
        problem = run.problem
        null, eta = problem.null, problem.predictor(w, b)
        known = not w.any() and np.array_equal(b, null.intercept)
        gradient = null.slopes if known else problem.design.adjoint(problem.datafit.gradient(eta))
        objective = problem.datafit.value(eta) + problem.penalty.value(w)
        return _State(w, b, objective, eta=eta, gradient=gradient)

    def step(self, run: Run, state: _State) -> _State:
        """Choose a working set, solve it by prox-Newton steps, and look at the gradient of all entries."""
        problem, sharp = run.problem, state.sharp
        assert state.gradient is not None
        if state.settled:  # the certificate did not hold
            sharp *= 0.1
        terms = flat_terms(problem.penalty, problem.shape)
        assert terms is not None
        scale = max(float(np.max(np.abs(problem.null.slopes))), 1e-300)
        goal = sharp * run.tol * scale
        enough = _enough(problem, terms, run.tol) if sharp == _SHARP else 0.0
        excess = terms.excess(state.w.ravel()[terms.columns], state.gradient.ravel()[terms.columns])
        items, outside = working_set(terms, state.w, excess)
        inner = max(0.5 * goal, _OUTSIDE * outside, _INSIDE * excess.max(initial=0.0) * (outside > 0.0))
        point = _Point(run, state, terms.columns_of(items), terms.at(items), scale)
        newtons = point.minimise(inner, enough)
        gradient = problem.design.adjoint(problem.datafit.gradient(point.eta))
        w = point.w.reshape(problem.shape)
        after = terms.excess(point.w[terms.columns], gradient.ravel()[terms.columns])
        violation = float(after.max(initial=0.0))
        return _State(
            w,
            point.b,
            problem.datafit.value(point.eta) + problem.penalty.value(w),
            settled=violation <= goal or square_sum(after) <= enough or point.stuck,
            record={"working set": items.size, "newton": newtons, "violation": violation},
            eta=point.eta,
            gradient=gradient,
            sharp=sharp,
        )


def _enough(problem: CompositeProblem, terms: Terms | GroupTerms, tol: float) -> float:
    """The sum of squared violations at which a ridge alone says that the gap is small enough.

    With the gradient of the datafit as dual point the gap is at most that over 2 l2.
    """
    least = float(np.min(terms.l2))
    return _GAP_PART * tol * abs(problem.null.value) * 2.0 * least


def square_sum(excess: Array) -> float:
    """Of the violations; what is negative is none."""
    beyond = np.maximum(excess, 0.0)
    return float(beyond @ beyond)


def flat_terms(penalty: Penalty, shape: tuple[int, ...]) -> Terms | GroupTerms | None:
    """The penalty of w flat in the form of the kernels, None where it has none."""
    if isinstance(penalty, SparseGroupLasso):
        starts, order, levels = penalty.layout(shape)
        return GroupTerms(order, starts, levels, penalty.l1, penalty.l2)
    terms = terms_of(penalty, shape[0])
    if terms is None:
        return None
    parts = (terms.l1, terms.l2, terms.linear, terms.lower, terms.upper)
    l1, l2, linear, lower, upper = (np.repeat(part, shape[1]) for part in parts)
    return Terms(terms.kind, terms.gamma, l1, l2, linear, lower, upper, terms.is_norm)


def working_set(terms: Terms | GroupTerms, w: Array, excess: Array) -> tuple[Indices, float]:
    """What moves and the nearest others; the largest violation that is left out."""
    moves = terms.moves(w.ravel()[terms.columns])
    wanted = moves | (excess > -(1.0 - _NEAR) * terms.levels)
    if not np.any(terms.levels) and isinstance(terms, Terms):
        wanted[:] = True  # all the same: nothing holds an entry at zero
        return np.flatnonzero(wanted), 0.0
    candidates = np.flatnonzero(wanted)
    width = w.size / terms.count
    moving = int(np.count_nonzero(moves))
    most = max(int(_FIRST / width) + 1, 2 * moving)
    if candidates.size <= most:
        return candidates, 0.0
    scores = np.where(moves[candidates], np.inf, excess[candidates])
    ranked = np.argpartition(-scores, most - 1)
    left_out = max(float(scores[ranked[most:]].max()), 0.0)
    return np.sort(candidates[ranked[:most]]), left_out


class _Point:
    """A point (w flat, b) with its predictor, moved by prox-Newton steps on a working set."""

    def __init__(
        self, run: Run, state: _State, entries: Indices, part: Terms | GroupTerms, scale: float
    ) -> None:
        assert state.eta is not None
        problem = run.problem
        self._problem, self._part, self._check, self._scale = problem, part, run.check_deadline, scale
        self.w, self.b, self.eta = state.w.ravel().copy(), state.b, state.eta
        self._where = entries
        self._entries = Entries(problem.design, entries, problem.shape[1], problem.intercept)
        self.stuck = False

    def minimise(self, goal: float, enough: float) -> int:
        """Until nothing in the working set violates by more than `goal`, or all squared by `enough`.

        Returns the number of Newton steps.
        """
        for k in range(_MAX_NEWTON):
            g = self._problem.datafit.gradient(self.eta)
            slopes = self._entries.adjoint(g)
            excess = self._part.excess(self.w[self._where], slopes)
            slope = g.sum(axis=0) if self._problem.intercept else np.zeros(1)
            worst = max(float(excess.max(initial=0.0)), float(np.max(np.abs(slope))))
            near = square_sum(excess) <= enough and float(slope @ slope) <= _INTERCEPT_PART * enough
            if worst <= goal or near:
                return k
            if not self._newton_step(g, slopes, worst, goal):
                self.stuck = k == 0
                return k + 1
        return _MAX_NEWTON

    def _newton_step(self, g: Array, slopes: Array, worst: float, goal: float) -> bool:
        """Minimise the model at eta, then search between here and its solution; whether P fell."""
        datafit, entries = self._problem.datafit, self._entries
        assert isinstance(datafit, Multinomial)
        p, s = datafit.probabilities(self.eta), datafit.weights
        start = self.w[self._where]
        smooth = isinstance(self._part, Terms) and is_smooth(self._part)
        forcing = (
            min(_SMOOTH_FORCING, (worst / self._scale) ** 0.5)
            if smooth
            else min(_FORCING, worst / self._scale)
        )
        left = max(0.2 * goal / worst, forcing)
        if not smooth and self._by_matrix():
            target, db = self._solve_on_matrix(p, s, g, slopes, left * worst)
        else:
            target, db = self._solve_on_columns(p, s, g, slopes, left, worst)
        target = self._part.within(target)
        return self._search(start, target, db, entries.product(target - start, db), g)

    def _by_matrix(self) -> bool:
        """Groups always: there are no sweeps over columns for them."""
        size = self._entries.size
        if isinstance(self._part, GroupTerms):
            return True
        visits = float(self._entries.Z.size) / self._entries.Z.shape[1]
        cost = 0.5 * float(self._entries.Z.shape[0]) * size + size**2
        return size <= _MATRIX_LIMIT and cost <= 15.0 * _MATRIX_COST * visits

    def _solve_on_matrix(
        self, p: Array, s: Array, g: Array, slopes: Array, goal: float
    ) -> tuple[Array, Array]:
        """The best intercept is eliminated; its k-th direction, in which nothing changes, is pinned."""
        entries, part, start = self._entries, self._part, self.w[self._where]
        H = softmax_matrix(entries.Z, *entries.with_intercept(), p, s)
        r, m = -slopes, entries.size
        if self._problem.intercept:
            k = self.b.size
            pinned = H[m:, m:] + H[m:, m:].trace() / k**2
            slope = -g.sum(axis=0)
            solved = np.linalg.solve(pinned, np.column_stack([H[m:, :m], slope]))
            r -= H[:m, m:] @ solved[:, -1]
            H = H[:m, :m] - H[:m, m:] @ solved[:, :-1]
        model: Quadratic
        w = start.copy()
        if isinstance(part, Terms):
            model = GramQuadratic(np.ascontiguousarray(H), r - part.linear, w, part)
        else:
            model = GroupQuadratic(np.ascontiguousarray(H), r, w, part)
        minimise(model, goal, self._check)
        if not self._problem.intercept:
            return model.w, np.zeros_like(self.b)
        return model.w, solved[:, -1] - solved[:, :-1] @ (model.w - start)

    def _solve_on_columns(
        self, p: Array, s: Array, g: Array, slopes: Array, left: float, worst: float
    ) -> tuple[Array, Array]:
        """The intercept is a part of w without penalty."""
        part, w, r = self._part, self.w[self._where], -slopes
        assert isinstance(part, Terms)
        r, m = r - part.linear, w.size
        if self._problem.intercept:
            w, r = np.concatenate([w, self.b]), np.concatenate([r, -g.sum(axis=0)])
            part = _with_free(part, self.b.size)
        model = SoftmaxColumns(self._entries, p, s, r, w, part, self._check)
        if is_smooth(part):
            model.solve_smooth(left)
        else:
            minimise(model, left * worst, self._check)
        return model.w[:m], model.w[m:] - self.b if self._problem.intercept else np.zeros_like(self.b)

    def _search(self, start: Array, target: Array, db: Array, moved: Array, g: Array) -> bool:
        """Halve the step until P falls as the model promises; whether it did."""
        datafit, part = self._problem.datafit, self._part
        value, cost = datafit.value(self.eta), part.values(start)
        promised = float(np.vdot(g, moved)) + part.values(target) - cost
        alpha = 1.0
        for _ in range(_MAX_HALVINGS):
            self._check()
            w = target if alpha == 1.0 else start + alpha * (target - start)
            eta = self.eta + alpha * moved
            change = datafit.value(eta) - value + part.values(w) - cost
            rounding = alpha == 1.0 and abs(change) <= 1e-14 * abs(value)
            if change <= _ARMIJO * alpha * promised or rounding:
                self.w[self._where], self.eta = w, eta
                self.b = self.b + alpha * db
                return bool(change < 0.0)
            alpha *= 0.5
        return False


def is_smooth(terms: Terms) -> bool:
    """Whether there are no kinks and no bounds."""
    no_bounds = np.isneginf(terms.lower).all() and np.isposinf(terms.upper).all()
    return bool(terms.kind == CONVEX and no_bounds and not terms.l1.any())


def _with_free(terms: Terms, count: int) -> Terms:
    """Entries without penalty behind the others."""
    parts = (terms.l1, terms.l2, terms.linear, terms.lower, terms.upper)
    ends = (0.0, 0.0, 0.0, -np.inf, np.inf)
    l1, l2, linear, lower, upper = (
        np.concatenate([part, np.full(count, end)]) for part, end in zip(parts, ends, strict=True)
    )
    return Terms(terms.kind, terms.gamma, l1, l2, linear, lower, upper, False)
