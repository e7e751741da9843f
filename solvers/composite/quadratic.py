"""A quadratic plus a penalty by coordinate: sweeps find the signs, Newton steps end the matter.

The paper's two-metric projection (section 5.3): a Newton step on the coordinates off their kinks and bounds,
projected, so that what would cross one is set to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

import numpy as np

from ...problems.composite.protocol import Array, Indices
from .terms import CONVEX, Terms

_MAX_ROUNDS = 300
_MAX_KINKS = 20
"""Newton steps in a row that end at a kink, before signs may change again in sweeps."""

_SHRINKING = (1.0, 0.5)
"""Parts of a Newton step that are tried along the projection."""


class Quadratic(Protocol):
    """min over w of w'H w / 2 - q'w + Omega(w), in one of its representations.

    Attributes
    ----------
    w : ndarray, shape (m,)
        The point, changed in place.
    inner_sweeps : int
        Sweeps over the support that one Newton step is worth.
    patience : int
        Rounds of sweeps before the first Newton step.
    """

    w: Array
    inner_sweeps: int
    patience: int

    @property
    def items(self) -> int:
        """Number of coordinates or groups."""

    def moving(self) -> Indices:
        """Items, coordinates or groups, that are not zero."""

    def newton(self) -> bool:
        """One projected Newton step on the support; whether it ended at a kink, and another is due."""

    def sweeps(self, active: Indices, count: int, goal: float) -> float:
        """Up to `count` sweeps; the largest step times curvature of the last one."""


def minimise(model: Quadratic, goal: float, check: Callable[[], None]) -> float:
    """Minimise, until no coordinate step times its curvature exceeds `goal`.

    Parameters
    ----------
    model : Quadratic
        The problem; its point is changed.
    goal : float
        Largest violation of the optimality conditions that is left.
    check : callable
        Called between rounds; raises where time is up.

    Returns
    -------
    float
        The largest step times curvature of the last sweep.
    """
    worst = np.inf
    for k in range(_MAX_ROUNDS):
        worst = minimise_round(model, goal, k >= model.patience, check)
        if worst <= goal:
            break
    return worst


def minimise_round(model: Quadratic, goal: float, newton: bool, check: Callable[[], None]) -> float:
    """One round: a sweep over everything, and unless that moved less than `goal`, sweeps over the support.

    Parameters
    ----------
    model, goal, check
        As for `minimise`.
    newton : bool
        Whether Newton steps end the round.

    Returns
    -------
    float
        The largest step times curvature of the sweep over everything.
    """
    check()
    worst = model.sweeps(np.arange(model.items), 1, goal)
    if worst <= goal:
        return worst
    model.sweeps(model.moving(), model.inner_sweeps, goal)
    if newton:
        for _ in range(_MAX_KINKS):
            if not model.newton():
                break
    return worst


class CoordinateQuadratic:
    """What Newton steps ask of a quadratic whose penalty is by coordinate."""

    w: Array
    terms: Terms

    @property
    def items(self) -> int:
        """Number of coordinates."""
        return self.w.size

    def moving(self) -> Indices:
        """Coordinates that are not zero."""
        return np.flatnonzero(self.w)

    def newton(self) -> bool:
        """One projected Newton step on the support; whether it ended at a kink, and another is due."""
        return newton_step(self)

    def force(self) -> Array:
        """The residual force, q - H w."""
        raise NotImplementedError

    def newton_direction(self, F: Indices, force: Array, curvatures: Array) -> Array | None:
        """(H_FF + diag(curvatures))^-1 force, perhaps only nearly; None where there is none."""
        raise NotImplementedError

    def product(self, F: Indices, step: Array) -> Array:
        """H_FF step; remembered for `move`."""
        raise NotImplementedError

    def move(self, F: Indices, step: Array) -> None:
        """W_F += step, of the last product."""
        raise NotImplementedError


def newton_step(model: CoordinateQuadratic) -> bool:
    """One projected Newton step on the support; whether it ended at a kink, and another is due."""
    w, terms = model.w, model.terms
    F = np.flatnonzero((w > terms.lower) & (w < terms.upper) & ((w != 0) | (terms.l1 == 0)))
    if F.size == 0:
        return False
    part, old = terms.at(F), w[F]
    curvatures = part.curvatures(np.abs(old))
    force = model.force()[F]
    slope = force - np.sign(old) * part.slopes(np.abs(old))
    if part.kind == CONVEX:
        slope -= part.l2 * old
    d = model.newton_direction(F, slope, curvatures)
    return d is not None and _projected_search(model, F, part, force, d)


def _projected_search(model: CoordinateQuadratic, F: Indices, part: Terms, force: Array, d: Array) -> bool:
    """Along the projection of w + alpha d onto orthant and bounds; whether it ended at a kink.

    Where that falls less than the segment does up to the first kink or bound it meets, the latter is taken:
    it always falls, also where the matrix is singular and d very long, and takes one off the support.
    """
    old = model.w[F]
    cost = part.values(old) - float(part.linear @ old)

    def change_by(step: Array) -> float:
        new = part.values(old + step) - float(part.linear @ (old + step))
        return float(step @ (0.5 * model.product(F, step) - force)) + new - cost

    segment = _until_the_first_kink(old, d, part)
    best = change_by(segment)
    if segment is not d:
        for alpha in _SHRINKING:
            new = np.clip(old + alpha * d, part.lower, part.upper)
            new[(new * old < 0) & (part.l1 > 0)] = 0.0
            if change_by(new - old) <= best:
                model.move(F, new - old)
                return False
        best = change_by(segment)  # once more, since moves go by the last product
    if best >= 0.0:
        return False
    model.move(F, segment)
    return segment is not d


def _until_the_first_kink(old: Array, d: Array, part: Terms) -> Array:
    """The longest step along d, at most d, that changes no sign and stays within the bounds."""
    with np.errstate(divide="ignore", invalid="ignore"):
        to_zero = np.where((old * d < 0) & (part.l1 > 0), -old / d, np.inf)
        to_bound = np.where(d > 0, part.upper - old, part.lower - old) / d
    reach = np.fmin(to_zero, np.where(d == 0, np.inf, to_bound))
    first = int(np.argmin(reach))
    if reach[first] >= 1.0:
        return d
    step = reach[first] * d
    ends = np.flatnonzero(reach <= reach[first])
    step[ends] = np.where(to_zero[ends] <= reach[first], -old[ends], step[ends])
    return np.asarray(np.clip(old + step, part.lower, part.upper) - old)
