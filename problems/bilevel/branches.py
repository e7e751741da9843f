"""Branches of a KKT system: which lower constraints are active, and which multipliers vanish."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product

import numpy as np

from ..nlp import NLP, IndexVector, Vector
from .kkt_system import KKTSystem

ACTIVE = 1e-6
"""Relative slack below which a lower constraint counts as active, and multiplier below which it is zero."""

MAX_BRANCHES = 64
"""Branches that are looked at one by one."""


@dataclass(frozen=True, eq=False)
class Branch:
    """Which slacks and which multipliers are held at zero.

    Attributes
    ----------
    active, vanishing : ndarray of bool, shape (p,)
    """

    active: np.ndarray
    vanishing: np.ndarray

    def restrict(self, system: KKTSystem) -> NLP:
        """The KKT system within the branch."""
        return BranchSystem(system, self)


def branches_at(system: KKTSystem, w: Vector, u: Vector) -> tuple[Branch, list[Branch]]:
    """The relaxed branch, whose multipliers are those of strong stationarity, and all the others."""
    slack = system.rows.slack(system.values(w))
    size = max(1.0, float(abs(u).max(initial=0.0)))
    tight = slack <= ACTIVE * np.maximum(1.0, abs(system.rows.bound))
    pushing = u > ACTIVE * size
    both = np.flatnonzero(tight & ~pushing)
    strong = Branch(tight & pushing, ~tight)
    return strong, list(_assignments(strong, both))


def _assignments(strong: Branch, both: np.ndarray) -> Iterator[Branch]:
    if both.size > math.log2(MAX_BRANCHES):  # 2^size is too much for a float where many rows are in doubt
        yield from [strong] * (MAX_BRANCHES + 1)
        return
    for choice in product((True, False), repeat=both.size):
        active, vanishing = strong.active.copy(), strong.vanishing.copy()
        active[both], vanishing[both] = choice, ~np.array(choice, dtype=bool)
        yield Branch(active, vanishing)


class BranchSystem(NLP):
    """A KKT system with some slacks and multipliers held at zero by its bounds."""

    def __init__(self, system: KKTSystem, branch: Branch) -> None:
        lb, ub, cu = system.lb.copy(), system.ub.copy(), system.cu.copy()
        rows, n_x, w = system.rows, system.problem.n_x, system.problem.n_x + system.problem.n_y
        ub[w : w + system.p][branch.vanishing] = 0.0
        constraint = np.flatnonzero(rows.row < rows.m)
        first = system.blocks[3]
        for position, k in enumerate(constraint):
            if branch.active[k]:
                cu[first + position] = 0.0
        for k in np.flatnonzero((rows.row >= rows.m) & branch.active):
            at = n_x + rows.row[k] - rows.m
            lb[at] = ub[at] = rows.bound[k]
        super().__init__(replace(system.metadata, lb=lb, ub=ub, cl=system.cl, cu=cu))
        self._system = system

    def objective(self, x: Vector) -> float:
        """f(x)."""
        return self._system.objective(x)

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        return self._system.gradient(x, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        return self._system.constraints(x, out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian."""
        return self._system.jacobian_structure()

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        return self._system.jacobian_values(x, out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the lower triangle of the Hessian of the Lagrangian."""
        return self._system.hessian_structure()

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        return self._system.hessian_values(x, y, sigma, out)
