"""The outer step of the hypergradient methods: L-BFGS on F(x, y*(x)) over the set X.

Where X is a box, variables at a bound that the gradient pushes outwards are held, and the L-BFGS metric acts
on the others (two-metric projection: Bertsekas, SIAM J. Control Optim. 20, 1982). Where X is affine,
gradients are projected onto its directions: that is L-BFGS within X. For other sets the step minimises the
L-BFGS model over X by projected gradients (Schmidt, van den Berg, Friedlander & Murphy, AISTATS 2009).
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ...problems.bilevel.sets import Affine, ConvexSet, is_box
from ...problems.nlp import Vector

ARMIJO = 1e-4
MODEL_STEPS = 50
"""Projected gradient steps on the model, for sets that are no boxes."""


class OuterStep:
    """L-BFGS with projections.

    Parameters
    ----------
    X : ConvexSet
    memory : int
        Pairs that are kept.
    """

    def __init__(self, X: ConvexSet, memory: int) -> None:
        self.X = X
        self._box = is_box(X)
        self._offset = X.project(np.zeros(X.size)) if isinstance(X, Affine) else None
        self._pairs: deque[tuple[Vector, Vector]] = deque(maxlen=memory)
        self._first = 1.0
        """Length of steps while there are no pairs."""

    def residual(self, x: Vector, p: Vector) -> Vector:
        """X - P_X(x - p): zero at stationary points."""
        return x - self.X.project(x - p)

    def direction(self, x: Vector, p: Vector) -> Vector:
        """A d with p'd < 0 such that P_X(x + t d) lowers the value for small t."""
        if not self._pairs:
            return -p * (self._first / max(float(np.linalg.norm(p)), np.finfo(float).tiny))
        if self._box:
            free = self._free(x, p)
            d = np.where(free, 0.0, -p)
            d[free] = -self._two_loops(p[free], free)
            return d if p @ d < 0.0 else -p * self._scale()
        if self._offset is not None:
            return -self._two_loops(self.along(p), np.ones(x.size, dtype=bool))
        return self._over_set(x, p)

    def along(self, p: Vector) -> Vector:
        """The part of a gradient along an affine X, where rounding of a large normal part does no harm."""
        return p if self._offset is None else self.X.project(p) - self._offset

    def learn(self, s: Vector, change: Vector) -> None:
        """A step and the change of the gradient along it; pairs without positive curvature are left out."""
        change = self.along(change)
        curvature = float(s @ change)
        if curvature > 1e-10 * float(np.linalg.norm(s) * np.linalg.norm(change)):
            self._pairs.append((s.copy(), change.copy()))
        else:
            self.lengthen(s)

    def lengthen(self, s: Vector) -> None:
        """The value falls ever faster along s: forget the model and try longer steps."""
        self._pairs.clear()
        self._first = 4.0 * max(float(np.linalg.norm(s)), np.finfo(float).tiny)

    def shorten(self, length: float) -> None:
        """No step was found: forget the model and try steps of this length."""
        self._pairs.clear()
        self._first = length

    def _free(self, x: Vector, p: Vector) -> np.ndarray:
        near = min(1e-6, float(abs(self.residual(x, p)).max()))
        low = (x <= self.X.lb + near) & (p > 0.0)
        high = (x >= self.X.ub - near) & (p < 0.0)
        return np.asarray(~(low | high))

    def _scale(self) -> float:
        s, change = self._pairs[-1]
        return float(s @ change) / float(change @ change)

    def _two_loops(self, p: Vector, free: np.ndarray) -> Vector:
        """H p on the free variables (Nocedal & Wright, 2006, algorithm 7.4)."""
        every = bool(free.all())
        cut = [(s, change) if every else (s[free], change[free]) for s, change in self._pairs]
        products = [(s, c, float(s @ c)) for s, c in cut]
        pairs = [
            (s, c, sc) for s, c, sc in products if sc > 1e-12 * float(np.linalg.norm(s) * np.linalg.norm(c))
        ]
        if not pairs:
            return self._scale() * p
        r = p.copy()
        weights = []
        for s, c, sc in reversed(pairs):
            a = float(s @ r) / sc
            weights.append(a)
            r -= a * c
        _, c, sc = pairs[-1]
        r *= sc / float(c @ c)
        for (s, c, sc), a in zip(pairs, reversed(weights), strict=True):
            r += (a - float(c @ r) / sc) * s
        return r

    def _over_set(self, x: Vector, p: Vector) -> Vector:
        """Approximate minimiser of p'd + d'B d / 2 over x + d in X, by projected Barzilai-Borwein steps."""
        factors = self._factors()
        t, d = self._scale(), np.zeros_like(x)
        g, best, best_value = p.copy(), d, 0.0
        for _ in range(MODEL_STEPS):
            d_next = self.X.project(x + d - t * g) - x
            step = d_next - d
            Bs = _apply(factors, step)
            curvature = float(step @ Bs)
            if not curvature > 0.0 or float(step @ step) < 1e-24 * (1.0 + float(d @ d)):
                break
            length = min(1.0, max(0.0, -float(g @ step) / curvature))
            d = d + length * step
            g = g + length * Bs
            value = 0.5 * float((p + g) @ d)
            if value < best_value:
                best, best_value = d, value
            t = float(step @ step) / curvature
        return best if p @ best < 0.0 else -p * self._scale()

    def _factors(self) -> tuple[float, Vector, Vector]:
        """B = theta I + C'C - D'D, built pair by pair (Nocedal & Wright, 2006, procedure 7.6)."""
        k, n = len(self._pairs), self.X.size
        theta, C, D = 1.0 / self._scale(), np.empty((k, n)), np.empty((k, n))
        for i, (s, change) in enumerate(self._pairs):
            Bs = _apply((theta, C[:i], D[:i]), s)
            C[i] = change / np.sqrt(float(s @ change))
            D[i] = Bs / np.sqrt(float(s @ Bs))
        return theta, C, D


def shrinkage(rise: float, slope: float) -> float:
    """From the parabola through both values and the slope (Nocedal & Wright, 2006, equation 3.58)."""
    if not np.isfinite(rise):
        return 0.1
    return float(np.clip(-slope / (2.0 * (rise - slope)), 0.1, 0.5)) if rise > slope else 0.5


def _apply(factors: tuple[float, Vector, Vector], v: Vector) -> Vector:
    theta, C, D = factors
    return np.asarray(theta * v + (C @ v) @ C - (D @ v) @ D)
