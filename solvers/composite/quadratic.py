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
_MAX_HALVINGS = 12


class Quadratic(Protocol):
    """min over w of w'H w / 2 - q'w + Omega(w), in one of its representations.

    Attributes
    ----------
    w : ndarray, shape (m,)
        The point, changed in place.
    inner_sweeps : int
        Sweeps over the support that one Newton step is worth.
    """

    w: Array
    inner_sweeps: int

    @property
    def items(self) -> int:
        """Number of coordinates or groups."""

    def moving(self) -> Indices:
        """Items, coordinates or groups, that are not zero."""

    def newton(self) -> bool:
        """One projected Newton step on the support; whether the objective fell."""

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
    everything = np.arange(model.items)
    worst = np.inf
    for _ in range(_MAX_ROUNDS):
        check()
        worst = model.sweeps(everything, 1, goal)
        if worst <= goal:
            break
        model.sweeps(model.moving(), model.inner_sweeps, goal)
        model.newton()
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
        """One projected Newton step on the support; whether the objective fell."""
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
    """One projected Newton step on the support; whether the objective fell."""
    w, terms = model.w, model.terms
    F = np.flatnonzero((w > terms.lower) & (w < terms.upper) & ((w != 0) | (terms.l1 == 0)))
    if F.size == 0:
        return False
    part, old = terms.at(F), w[F]
    curvatures = part.curvatures(np.abs(old))
    force = model.force()[F] - np.sign(old) * part.slopes(np.abs(old))
    if part.kind == CONVEX:
        force -= part.l2 * old
    d = model.newton_direction(F, force, curvatures)
    return d is not None and _projected_search(model, F, part, d)


def _projected_search(model: CoordinateQuadratic, F: Indices, part: Terms, d: Array) -> bool:
    """Along the projection of w + alpha d onto the orthant and the bounds."""
    old, force = model.w[F], model.force()[F]
    sign = np.sign(old)
    cost = part.values(old) - float(part.linear @ old)
    alpha = 1.0
    for _ in range(_MAX_HALVINGS):
        new = np.clip(old + alpha * d, part.lower, part.upper)
        new[(new * sign < 0) & (part.l1 > 0)] = 0.0
        step = new - old
        change = float(step @ (0.5 * model.product(F, step) - force))
        change += part.values(new) - float(part.linear @ new) - cost
        if change < 0.0:
            model.move(F, step)
            return True
        alpha *= 0.5
    return False
