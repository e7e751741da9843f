"""Random problems of which it is known what a solver has to find, as hypothesis strategies that shrink well.

All are `Programme`s: a quadratic function, linear rows and ridge terms ``weight * phi(l'x - shift)`` in the
objective and in rows, made of small integers, so that degenerate and dependent rows are everyday cases. Four
kinds, each with the reason why the answer is known:

- `convex_quadratics`: x*, y* and z* are chosen first and satisfy the optimality conditions by construction;
- `feasible_programmes`: rows are put around a point, the objective is bounded below and coercive;
- `infeasible_programmes`: rows combine to 0 >= something positive (Farkas), or bound a function from above by
  less than its minimum over a set;
- `unbounded_programmes`: along a direction d every feasible point remains feasible and the objective falls at
  least linearly. So no point satisfies the optimality conditions, not even those of the first order.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from karush.problems.nlp import NLP, Capabilities, Metadata

INF = np.inf

LARGEST = 12
"""Most variables, and most constraints."""


def _softplus_slope(u: Any) -> Any:
    return 0.5 * (1.0 + np.tanh(0.5 * u))


# Name -> (phi, phi', phi'').
RIDGES: dict[str, tuple[Any, Any, Any]] = {
    "square": (lambda u: u * u, lambda u: 2.0 * u, lambda u: 2.0),
    "cube": (lambda u: u * u * u, lambda u: 3.0 * u * u, lambda u: 6.0 * u),
    "quartic": (lambda u: u * u * u * u, lambda u: 4.0 * u * u * u, lambda u: 12.0 * u * u),
    "hyperbola": (
        lambda u: np.hypot(1.0, u),
        lambda u: u / np.hypot(1.0, u),
        lambda u: np.hypot(1.0, u) ** -3.0,
    ),
    "softplus": (
        lambda u: np.logaddexp(0.0, u),
        _softplus_slope,
        lambda u: _softplus_slope(u) * _softplus_slope(-u),
    ),
    "logarithm": (
        lambda u: np.log1p(u * u),
        lambda u: 2.0 * u / (1.0 + u * u),
        lambda u: 2.0 * (1.0 - u * u) / (1.0 + u * u) ** 2,
    ),
    "cosine": (np.cos, lambda u: -np.sin(u), lambda u: -np.cos(u)),
    "tanh": (np.tanh, lambda u: 1.0 - np.tanh(u) ** 2, lambda u: -2.0 * np.tanh(u) * (1.0 - np.tanh(u) ** 2)),
}

BOUNDED_BELOW = ("square", "quartic", "hyperbola", "softplus", "logarithm", "cosine", "tanh")
CONVEX = ("square", "quartic", "hyperbola", "softplus")
OBJECTIVE = -1
"""Row of the terms that belong to the objective."""


@dataclass(frozen=True)
class Term:
    """``weight * phi(along'x - shift)`` in a row, or in the objective."""

    row: int
    weight: float
    ridge: str
    along: Any
    shift: float = 0.0

    def derivatives(self, x: Any) -> tuple[float, float, float]:
        """Value, slope and curvature with respect to ``along'x``."""
        u = float(self.along @ x) - self.shift
        value, slope, curvature = (self.weight * float(phi(u)) for phi in RIDGES[self.ridge])
        return value, slope, curvature


class Programme(NLP):
    """min 1/2 x'Hx + q'x + terms subject to cl <= Ax + terms <= cu and lb <= x <= ub, in sparse patterns."""

    def __init__(
        self,
        H: Any,
        q: Any,
        x0: Any,
        A: Any,
        cl: Any,
        cu: Any,
        lb: Any,
        ub: Any,
        terms: Sequence[Term] = (),
        optimum: float | None = None,
    ) -> None:
        self.H, self.q, self.A, self.terms = H, q, A, tuple(terms)
        super().__init__(
            Metadata(
                name="PROGRAMME",
                x0=x0,
                lb=lb,
                ub=ub,
                cl=cl,
                cu=cu,
                y0=np.zeros(len(cl)),
                optimum=optimum,
                capabilities=Capabilities(),
            )
        )
        jacobian, hessian = A != 0.0, H != 0.0
        for term in self.terms:
            if term.row != OBJECTIVE:
                jacobian[term.row] |= term.along != 0.0
            hessian |= np.outer(term.along, term.along) != 0.0
        self._jacobian, self._hessian = np.nonzero(jacobian), np.nonzero(np.tril(hessian))

    def __repr__(self) -> str:
        parts = {name: getattr(self, name) for name in ("H", "q", "x0", "A", "cl", "cu", "lb", "ub")}
        listed = [f"{name}=np.array({np.asarray(part).tolist()})" for name, part in parts.items()]
        return f"Programme({', '.join(listed)}, terms={list(self.terms)})".replace("inf", "INF")

    def objective(self, x: Any) -> float:
        mine = sum(term.derivatives(x)[0] for term in self.terms if term.row == OBJECTIVE)
        return float(0.5 * x @ self.H @ x + self.q @ x + mine)

    def gradient(self, x: Any, out: Any = None) -> Any:
        mine = (term for term in self.terms if term.row == OBJECTIVE)
        return _into(out, sum((t.derivatives(x)[1] * t.along for t in mine), self.H @ x + self.q))

    def constraints(self, x: Any, out: Any = None) -> Any:
        c = self.A @ x
        for term in self.terms:
            if term.row != OBJECTIVE:
                c[term.row] += term.derivatives(x)[0]
        return _into(out, c)

    def jacobian_structure(self) -> Any:
        return _indptr(self._jacobian[0], self.m), self._jacobian[1]

    def jacobian_values(self, x: Any, out: Any = None) -> Any:
        J = self.A.copy()
        for term in self.terms:
            if term.row != OBJECTIVE:
                J[term.row] += term.derivatives(x)[1] * term.along
        return _into(out, J[self._jacobian])

    def hessian_structure(self) -> Any:
        return _indptr(self._hessian[0], self.n), self._hessian[1]

    def hessian_values(self, x: Any, y: Any = None, sigma: float = 1.0, out: Any = None) -> Any:
        total = sigma * self.H
        for term in self.terms:
            factor = sigma if term.row == OBJECTIVE else 0.0 if y is None else y[term.row]
            total = total + factor * term.derivatives(x)[2] * np.outer(term.along, term.along)
        return _into(out, total[self._hessian])


def _indptr(rows: Any, m: int) -> Any:
    return np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=m))])


def _into(out: Any, value: Any) -> Any:
    if out is None:
        return np.array(value, dtype=float)
    out[:] = value
    return out


@dataclass(frozen=True)
class Kinds:
    """What a solver takes: strategies keep to it."""

    bounds: bool = True
    inequalities: bool = True
    constraints: bool = True


ALL_KINDS = Kinds()


# ---- pieces ------------------------------------------------------------------------------------------------

sizes = st.integers(1, LARGEST)


def vectors(n: int, largest: int = 3) -> Any:
    """Integers."""
    return arrays(np.float64, n, elements=st.integers(-largest, largest).map(float))


@st.composite
def matrices(draw: Any, m: int, n: int, largest: int = 3) -> Any:
    """Integers; sparse, or dense."""
    elements = st.integers(-largest, largest).map(float)
    fill = draw(st.sampled_from([st.just(0.0), st.nothing()])) if m * n else st.nothing()
    return draw(arrays(np.float64, (m, n), elements=elements, fill=fill))


@st.composite
def rows_with_dependent_ones(draw: Any, kinds: Kinds, n: int) -> Any:
    """The linear part of some rows, a few of them multiples of others."""
    m = draw(st.integers(0, LARGEST)) if kinds.constraints else 0
    A = draw(matrices(m, n))
    for _ in range(draw(st.integers(0, 2)) if m >= 2 else 0):
        of, other = draw(st.integers(0, m - 1)), draw(st.integers(0, m - 1))
        A[other] = draw(st.sampled_from([1.0, -1.0, 2.0])) * A[of]
    return A


@st.composite
def intervals(draw: Any, values: Any, equations: bool, inequalities: bool, free: bool = True) -> Any:
    """Bounds around values, and multipliers of the right signs: zero where a bound is not attained.

    Equations and ranges, bounds attained (also with a zero multiplier) and not.
    """
    lower, upper, multipliers = (np.zeros(len(values)) for _ in range(3))
    shapes = ["free"] * free + ["equation"] * equations
    shapes += ["below", "above", "range", "at lower", "at upper", "at range"] * inequalities
    for i, value in enumerate(values):
        shape = draw(st.sampled_from(shapes))
        near, far = (0.0 if shape.startswith("at") else draw(st.integers(1, 3))), draw(st.integers(1, 3))
        multiplier = draw(st.integers(0, 3)) if shape.startswith("at") else 0
        lower[i], upper[i], multipliers[i] = {
            "free": (-INF, INF, 0.0),
            "equation": (value, value, 0.0),
            "below": (-INF, value + near, 0.0),
            "above": (value - near, INF, 0.0),
            "range": (value - near, value + far, 0.0),
            "at lower": (value, INF, -multiplier),
            "at upper": (-INF, value, multiplier),
            "at range": (value - far, value, multiplier),
        }[shape]
        if shape == "equation":
            multipliers[i] = draw(st.integers(-3, 3))
    return lower, upper, multipliers


@st.composite
def semidefinite(draw: Any, n: int) -> Any:
    """H = R'R of any rank."""
    R = draw(matrices(draw(st.integers(0, n)), n, 2))
    return R.T @ R


@st.composite
def terms(draw: Any, row: int, n: int, ridges: Sequence[str], weights: Any, most: int = 3) -> Any:
    """Some ridge terms of a row."""
    return [
        Term(row, float(draw(weights)), draw(st.sampled_from(ridges)), draw(vectors(n, 2)), float(shift))
        for shift in draw(st.lists(st.integers(-2, 2), max_size=most))
    ]


# ---- the four kinds ----------------------------------------------------------------------------------------


@st.composite
def convex_quadratics(draw: Any, kinds: Kinds = ALL_KINDS) -> Programme:
    """Convex quadratic programmes, linear ones included, with a solution; ``optimum`` is its value."""
    n = draw(sizes)
    H, A, x = draw(semidefinite(n)), draw(rows_with_dependent_ones(kinds, n)), draw(vectors(n))
    cl, cu, y = draw(
        intervals(A @ x, equations=True, inequalities=kinds.inequalities, free=kinds.inequalities)
    )
    lb, ub, z = draw(intervals(x, equations=kinds.bounds, inequalities=kinds.bounds))
    q = -(H @ x + A.T @ y + z)
    return Programme(H, q, draw(vectors(n, 9)), A, cl, cu, lb, ub, optimum=float(0.5 * x @ H @ x + q @ x))


@st.composite
def feasible_programmes(draw: Any, kinds: Kinds = ALL_KINDS) -> Programme:
    """Smooth problems, convex or not, with a feasible point and a coercive objective."""
    n = draw(sizes)
    A, inside = draw(rows_with_dependent_ones(kinds, n)), draw(vectors(n))
    H = draw(semidefinite(n)) + np.diag(
        draw(arrays(np.float64, n, elements=st.sampled_from([1.0, 0.25, 4.0])))
    )
    parts = draw(terms(OBJECTIVE, n, BOUNDED_BELOW, st.integers(1, 3)))
    for row in range(len(A)):
        parts += draw(terms(row, n, tuple(RIDGES), st.sampled_from([1.0, -1.0, 2.0]), most=2))
    nothing = np.zeros(len(A))
    values = Programme(H, nothing, inside, A, nothing, nothing, inside, inside, parts).constraints(inside)
    cl, cu, _ = draw(
        intervals(values, equations=True, inequalities=kinds.inequalities, free=kinds.inequalities)
    )
    lb, ub, _ = draw(intervals(inside, equations=kinds.bounds, inequalities=kinds.bounds))
    return Programme(H, draw(vectors(n)), draw(vectors(n, 9)), A, cl, cu, lb, ub, parts)


@st.composite
def infeasible_programmes(draw: Any, kinds: Kinds = ALL_KINDS) -> Programme:
    """Problems without a feasible point: by Farkas' lemma, or above the reach of a convex set."""
    n = draw(sizes)
    H, q, x0 = draw(semidefinite(n)), draw(vectors(n)), draw(vectors(n, 9))
    contradiction = _beyond_a_ball if kinds.inequalities and draw(st.booleans()) else _farkas
    A, cl, cu, lb, ub, parts = contradiction(draw, kinds, n)
    parts = parts + draw(terms(OBJECTIVE, n, BOUNDED_BELOW, st.integers(1, 3)))
    return Programme(H, q, x0, A, cl, cu, lb, ub, parts)


def _farkas(draw: Any, kinds: Kinds, n: int) -> Any:
    """Rows and bounds, and a row that contradicts the sum of them with non-negative weights."""
    A, centre = draw(rows_with_dependent_ones(kinds, n))[: LARGEST - 1], draw(vectors(n))
    cl, cu, _ = draw(
        intervals(A @ centre, equations=True, inequalities=kinds.inequalities, free=kinds.inequalities)
    )
    lb, ub, _ = draw(intervals(centre, equations=kinds.bounds, inequalities=kinds.bounds))
    # Every w with finite bound l or u: weight (w >= l) or weight (-w >= -u), added up to total'x >= least.
    total, least = np.zeros(n), 0.0
    for row, low, high in [*zip(A, cl, cu, strict=True), *zip(np.eye(n), lb, ub, strict=True)]:
        for bound, sign in ((low, 1.0), (high, -1.0)):
            weight = draw(st.integers(0, 2)) if np.isfinite(bound) else 0
            if weight:
                total, least = total + sign * weight * row, least + sign * weight * bound
    high = least - draw(st.sampled_from([1.0, 0.25, 10.0]))
    low = draw(st.sampled_from([-INF, high - 1.0] if kinds.inequalities else [high]))
    return np.vstack([A, total]), np.append(cl, low), np.append(cu, high), lb, ub, []


def _beyond_a_ball(draw: Any, kinds: Kinds, n: int) -> Any:
    """A ball (or less: a negative squared radius), a half-space that does not meet it, and more rows."""
    centre, squared = draw(vectors(n)), float(draw(st.sampled_from([1, 4, -1])))
    normal = draw(vectors(n))
    more = draw(rows_with_dependent_ones(kinds, n))[: LARGEST - 2]
    cl, cu, _ = draw(intervals(more @ centre, equations=True, inequalities=True))
    lb, ub, _ = draw(intervals(centre, equations=kinds.bounds, inequalities=kinds.bounds))
    reach = normal @ centre + np.sqrt(max(squared, 0.0)) * np.linalg.norm(normal)
    gap = draw(st.sampled_from([1.0, 0.25]))
    ball = [Term(0, 1.0, "square", direction, p) for direction, p in zip(np.eye(n), centre, strict=True)]
    A = np.vstack([np.zeros(n), normal, more])
    return A, np.concatenate([[-INF, reach + gap], cl]), np.concatenate([[squared, INF], cu]), lb, ub, ball


@st.composite
def unbounded_programmes(draw: Any, kinds: Kinds = ALL_KINDS) -> Programme:
    """Problems whose objective falls along a direction in which the feasible set has no end."""
    n = draw(sizes)
    d = draw(arrays(np.float64, n, elements=st.sampled_from([0.0, 1.0, -1.0])).filter(np.any))
    inside = draw(vectors(n))
    R = across(draw(matrices(draw(st.integers(0, n)), n, 2)), d)
    q = draw(vectors(n))
    q = q - (max(q @ d, 0.0) / (d @ d)) * d
    if q @ d > -0.5:
        q = q - draw(st.integers(1, 3)) * d
    parts = []
    for term in draw(
        terms(OBJECTIVE, n, ("square", "cosine", "tanh", "softplus", "cube"), st.integers(1, 2))
    ):
        if term.ridge in ("square", "cosine"):
            along = across(term.along, d)
        else:  # increasing: along d it has to fall
            along = -np.sign(term.along @ d) * term.along if term.along @ d else term.along
        parts.append(Term(OBJECTIVE, term.weight, term.ridge, along, term.shift))
    A = draw(rows_with_dependent_ones(kinds, n))
    cl, cu = _rows_open_along(draw, kinds, A, d, inside, parts)
    lb, ub, _ = draw(intervals(inside, equations=kinds.bounds, inequalities=kinds.bounds))
    lb, ub = np.where(d < 0, -INF, lb), np.where(d > 0, INF, ub)
    return Programme(R.T @ R, q, draw(vectors(n, 9)), A, cl, cu, lb, ub, parts)


def _rows_open_along(draw: Any, kinds: Kinds, A: Any, d: Any, inside: Any, parts: list[Term]) -> Any:
    """Bounds of rows that no feasible point meets on its way along d; some rows become nonlinear, and convex.

    A row with a hyperbola falls along d by its linear part and has an upper bound only.
    """
    m = len(A)
    for row in range(m):
        if not kinds.inequalities:
            A[row] = across(A[row], d)
        elif draw(st.booleans()):
            along = draw(vectors(len(d), 2))
            A[row] = across(A[row], d) - (abs(along @ d) / (d @ d)) * d
            parts.append(Term(row, 1.0, draw(st.sampled_from(["hyperbola"])), along))
    nothing = np.zeros(m)
    shape = np.zeros((len(d), len(d)))
    values = Programme(shape, nothing, inside, A, nothing, nothing, inside, inside, parts).constraints(inside)
    cl, cu, _ = draw(
        intervals(values, equations=True, inequalities=kinds.inequalities, free=kinds.inequalities)
    )
    slope, curved = A @ d, np.isin(np.arange(m), [term.row for term in parts])
    return np.where((slope < 0) | curved, -INF, cl), np.where((slope > 0) & ~curved, INF, cu)


def across(vectors: Any, d: Any) -> Any:
    """The vectors without their parts along d, times d'd: integers remain integers, exactly orthogonal."""
    return (d @ d) * vectors - np.multiply.outer(vectors @ d, d)
