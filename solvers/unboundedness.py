"""The judge of unbounded problems: how the objective falls along a ray of feasible points.

Like `certificate` it shares no code with any solver, and evaluates the original problem anew. No finite
number of evaluations proves that a function has no lower bound; what is asked for here is a ray of feasible
points on which the objective falls in powers of the length, over eight decades or by 1e18, or one feasible
point where it is below -1e18.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..problems.nlp import NLP, Vector
from .certificate import Facts, Intervals

ENOUGH = 1e18
"""A fall by so much is falling without limit."""

DECADES = 8
"""Powers of ten over which the ray is followed, from the size of x on.

Farther out the rounding in x, squared, of a quadratic function is more than its linear part.
"""

GROWTH = 2.0
"""Least growth of the fall over a decade: t^0.31 has it, log(t) and what tends to a limit do not."""


@dataclass(frozen=True)
class UnboundednessCertificate:
    """The objective along a ray x + t d of feasible points, or at x alone.

    Attributes
    ----------
    origin : ndarray, shape (n,)
        x.
    direction : ndarray, shape (n,), or None
        d, with largest entry 1; None: the evidence is x itself, where f is below -1e18.
    lengths : ndarray, shape (k,)
        The t, each ten times the one before.
    falls : ndarray, shape (k,)
        f(x) - f(x + t d).
    violation : float
        Largest scaled violation on the ray, x included, as in `Certificate`: rounding is not counted.
    f : float
        f(x).
    tol : float
        Tolerance on the violation, and least first fall relative to max(1, |f|).
    """

    origin: Vector
    direction: Vector | None
    lengths: Vector
    falls: Vector
    violation: float
    f: float
    tol: float

    @property
    def holds(self) -> bool:
        """Whether the points are feasible and the objective falls in powers of the length, or far enough."""
        if not self.violation <= self.tol:
            return False
        if self.direction is None:
            return self.f <= -ENOUGH
        if self.falls.size == 0 or not self.falls[0] > self.tol * max(1.0, abs(self.f)):
            return False
        return bool((self.falls[1:] >= GROWTH * self.falls[:-1]).all())


def certify_unbounded(
    problem: NLP, x: Vector, direction: Vector | None = None, tol: float = 1e-8
) -> UnboundednessCertificate:
    """Follow a ray along which the objective is said to fall without limit.

    Parameters
    ----------
    problem : NLP
        The original problem.
    x : ndarray, shape (n,)
        Where the ray begins; within the bounds.
    direction : ndarray, shape (n,), optional
        Its direction, of any length. None: only x is judged.
    tol : float, default 1e-8
        See `UnboundednessCertificate`.

    Returns
    -------
    UnboundednessCertificate
        As far as the ray was followed: until the certificate can no longer hold, or the fall is beyond 1e18.
    """
    with np.errstate(all="ignore"):
        facts = Facts(problem, np.array(x, dtype=float))
        violation = float(np.maximum(facts.rows.scaled_violation(), facts.bounds.scaled_violation()))
        largest = 0.0 if direction is None else float(abs(direction).max(initial=0.0))
        if direction is None or not (0.0 < largest < np.inf):
            none = np.zeros(0)
            return UnboundednessCertificate(facts.x, None, none, none, violation, facts.f, tol)
        d = np.array(direction, dtype=float) / largest
        size = max(1.0, float(abs(facts.x).max(initial=0.0)))
        lengths: Vector = np.array([size * 10.0**k for k in range(DECADES + 1)])
        falls: list[float] = []
        found = UnboundednessCertificate(facts.x, d, lengths[:0], lengths[:0], violation, facts.f, tol)
        for k, t in enumerate(lengths):
            if not found.violation <= tol or (falls and not found.holds) or (k > 2 and falls[-1] >= ENOUGH):
                break
            point = facts.x + t * d
            falls.append(facts.f - float(problem.objective(point.copy())))
            violation = float(np.maximum(found.violation, _violation(facts, point)))
            found = UnboundednessCertificate(
                facts.x, d, lengths[: k + 1], np.array(falls), violation, facts.f, tol
            )
        return found


def _violation(facts: Facts, point: Vector) -> float:
    """Largest scaled violation at a point of the ray, beyond rounding by the Jacobian at its origin."""
    problem = facts.problem
    bounds = Intervals(point, problem.lb, problem.ub, 0.0)
    if not problem.m:
        return bounds.scaled_violation()
    # Products tell nothing of magnitudes; rows are taken to be of the size of x then.
    magnitudes = abs(facts.jacobian) @ abs(point) if facts.has_magnitudes else float(abs(point).max())
    values = np.array(problem.constraints(point.copy()), dtype=float)
    rows = Intervals(values, problem.cl, problem.cu, facts.unit * magnitudes)
    return float(np.maximum(rows.scaled_violation(), bounds.scaled_violation()))
