"""Closed convex sets with a cheap projection, for the variables of a level."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import nnls
from scipy.sparse import block_diag, csr_array

from ..nlp import Vector
from ..validation import as_bounds, as_real_array, as_vector


class ConvexSet(ABC):
    """A closed convex set of vectors v.

    Attributes
    ----------
    size : int
        Length of v.
    lb, ub : ndarray, shape (size,)
        Bounds that hold in the set.
    A, cl, cu : csr_array, shape (rows, size), and ndarray, shape (rows,)
        Linear constraints ``cl <= A v <= cu`` beside the bounds.
    balls : list of (ndarray of int, ndarray, float)
        Further ``||v[index] - center|| <= radius``.
    """

    def __init__(
        self,
        lb: Vector,
        ub: Vector,
        A: Any = None,
        cl: Vector | None = None,
        cu: Vector | None = None,
        balls: Sequence[tuple[np.ndarray, Vector, float]] = (),
    ) -> None:
        self.size = int(lb.size)
        self.lb, self.ub = lb, ub
        self.A = csr_array((0, self.size)) if A is None else csr_array(A)
        self.cl = np.zeros(0) if cl is None else cl
        self.cu = np.zeros(0) if cu is None else cu
        self.balls = list(balls)

    @abstractmethod
    def project(self, v: Vector) -> Vector:
        """The nearest point of the set, a new array."""

    def distance(self, v: Vector) -> float:
        """Euclidean distance from v to the set."""
        return float(np.linalg.norm(v - self.project(v)))


class Box(ConvexSet):
    """``lb <= v <= ub``; infinite bounds are none.

    Parameters
    ----------
    lb, ub : array_like, shape (size,)
    """

    def __init__(self, lb: ArrayLike, ub: ArrayLike) -> None:
        super().__init__(*as_bounds("lb", "ub", lb, ub, np.size(lb)))

    def project(self, v: Vector) -> Vector:
        """Clipped."""
        return np.clip(v, self.lb, self.ub)


class Simplex(ConvexSet):
    """``v >= 0, sum v = total``.

    Parameters
    ----------
    size : int
    total : float, default 1
        Positive.
    """

    def __init__(self, size: int, total: float = 1.0) -> None:
        if not total > 0.0:
            raise ValueError(f"total must be positive, got {total}")
        one = np.array([float(total)])
        super().__init__(np.zeros(size), np.full(size, np.inf), np.ones((1, size)), one, one)
        self.total = float(total)

    def project(self, v: Vector) -> Vector:
        """By sorting (Held, Wolfe & Crowder, 1974); NaN where v is not finite."""
        if not np.isfinite(v).all():
            return np.full(v.size, np.nan)
        ordered = np.sort(v)[::-1]
        excess = (np.cumsum(ordered) - self.total) / np.arange(1, self.size + 1)
        last = np.flatnonzero(ordered > excess)[-1]
        return np.asarray(np.maximum(v - excess[last], 0.0))


class Ball(ConvexSet):
    """``||v - center|| <= radius``, Euclidean.

    Parameters
    ----------
    center : array_like, shape (size,)
    radius : float
        Positive.
    """

    def __init__(self, center: ArrayLike, radius: float) -> None:
        self.center, self.radius = as_vector("center", center), float(radius)
        if not radius > 0.0:
            raise ValueError(f"radius must be positive, got {radius}")
        every = np.arange(self.center.size)
        super().__init__(
            self.center - radius, self.center + radius, balls=[(every, self.center, self.radius)]
        )

    def project(self, v: Vector) -> Vector:
        """Along the ray to the center."""
        away = v - self.center
        norm = float(np.linalg.norm(away))
        return v.copy() if norm <= self.radius else self.center + (self.radius / norm) * away


class Affine(ConvexSet):
    """``A v = b`` with rows that may depend on each other.

    Parameters
    ----------
    A : array_like or sparse, shape (rows, size)
    b : array_like, shape (rows,)

    Raises
    ------
    ValueError
        Where no v satisfies the equations.
    """

    def __init__(self, A: Any, b: ArrayLike) -> None:
        dense = as_real_array("A", A.toarray() if hasattr(A, "toarray") else A)
        if dense.ndim != 2:
            raise ValueError(f"A must be a matrix, got shape {dense.shape}")
        right = as_vector("b", b, dense.shape[0])
        size = dense.shape[1]
        super().__init__(np.full(size, -np.inf), np.full(size, np.inf), dense, right, right)
        u, s, vt = np.linalg.svd(dense, full_matrices=False)
        rank = int((s > s.max(initial=0.0) * max(dense.shape) * np.finfo(float).eps).sum())
        self._rows = vt[:rank]
        self._levels = (u[:, :rank].T @ right) / s[:rank]
        residual = dense @ (self._rows.T @ self._levels) - right
        if float(abs(residual).max(initial=0.0)) > 1e-9 * max(1.0, float(abs(right).max(initial=0.0))):
            raise ValueError("A v = b has no solution")

    def project(self, v: Vector) -> Vector:
        """By orthonormal rows."""
        return np.asarray(v - self._rows.T @ (self._rows @ v - self._levels))


class Polyhedron(ConvexSet):
    """``lb <= v <= ub, cl <= A v <= cu``.

    Parameters
    ----------
    A : array_like or sparse, shape (rows, size)
    cl, cu : array_like, shape (rows,)
    lb, ub : array_like, shape (size,), optional
        Default: none.

    Notes
    -----
    The projection is a least-distance problem, solved as nonnegative least squares (Lawson & Hanson, 1974,
    chapter 23), with the last active rows tried first.
    """

    def __init__(
        self, A: Any, cl: ArrayLike, cu: ArrayLike, lb: ArrayLike | None = None, ub: ArrayLike | None = None
    ) -> None:
        dense = as_real_array("A", A.toarray() if hasattr(A, "toarray") else A)
        if dense.ndim != 2:
            raise ValueError(f"A must be a matrix, got shape {dense.shape}")
        rows, size = dense.shape
        low, high = as_bounds("cl", "cu", cl, cu, rows)
        lower, upper = as_bounds(
            "lb",
            "ub",
            np.full(size, -np.inf) if lb is None else lb,
            np.full(size, np.inf) if ub is None else ub,
            size,
        )
        super().__init__(lower, upper, dense, low, high)
        eye = np.eye(size)
        normals = [dense, -dense, eye, -eye]
        levels = np.concatenate([low, -high, lower, -upper])
        there = np.isfinite(levels)
        self._normals, self._levels = np.vstack(normals)[there], levels[there]
        self._active = np.zeros(0, dtype=np.int64)
        if self._normals.size and not np.isfinite(self.project(np.zeros(size))).all():
            raise ValueError("the polyhedron is empty")

    def project(self, v: Vector) -> Vector:
        """The nearest point; NaN where the set is empty or v is not finite."""
        slack = self._normals @ v - self._levels
        if (slack >= 0.0).all():
            return v.copy()
        if not np.isfinite(slack).all():
            return np.full(v.size, np.nan)
        guess = self._onto(self._active, v, slack)
        return self._least_distance(slack, v) if guess is None else guess

    def _onto(self, active: np.ndarray, v: Vector, slack: Vector) -> Vector | None:
        """The projection if just these rows are active there."""
        if active.size == 0:
            return None
        normals = self._normals[active]
        try:
            multipliers = cho_solve(cho_factor(normals @ normals.T), -slack[active])
        except np.linalg.LinAlgError:
            return None
        point = v + normals.T @ multipliers
        rounding = 1e-12 * (1.0 + abs(self._levels))
        fits = (multipliers >= 0.0).all() and (self._normals @ point - self._levels >= -rounding).all()
        return point if fits else None

    def _least_distance(self, slack: Vector, v: Vector) -> Vector:
        """Min ||d|| subject to N d >= -slack."""
        size = self._normals.shape[1]
        system = np.vstack([self._normals.T, -slack[None, :]])
        target = np.zeros(size + 1)
        target[-1] = 1.0
        u, _ = nnls(system, target, maxiter=30 * max(system.shape))
        residual = system @ u - target
        if abs(residual[-1]) < 1e-13:
            return np.full(size, np.nan)
        self._active = np.flatnonzero(u > 0.0)
        point = v - residual[:-1] / residual[-1]
        sharper = self._onto(self._active, v, slack)
        return point if sharper is None else sharper


class Product(ConvexSet):
    """The first entries of v in the first set, those after them in the second, and so on.

    Parameters
    ----------
    *sets : ConvexSet
    """

    def __init__(self, *sets: ConvexSet) -> None:
        if not sets or not all(isinstance(part, ConvexSet) for part in sets):
            raise TypeError("Product takes one set or more")
        self.sets = sets
        ends = np.cumsum([0, *(part.size for part in sets)])
        self._slices = [slice(a, b) for a, b in pairwise(ends)]
        balls = [
            (index + start, center, radius)
            for part, start in zip(sets, ends[:-1], strict=True)
            for index, center, radius in part.balls
        ]
        super().__init__(
            np.concatenate([part.lb for part in sets]),
            np.concatenate([part.ub for part in sets]),
            block_diag([part.A for part in sets], format="csr"),
            np.concatenate([part.cl for part in sets]),
            np.concatenate([part.cu for part in sets]),
            balls,
        )

    def project(self, v: Vector) -> Vector:
        """Set by set."""
        return np.concatenate(
            [part.project(v[where]) for part, where in zip(self.sets, self._slices, strict=True)]
        )


def is_box(given: ConvexSet) -> bool:
    """Whether bounds say all there is to say."""
    return given.A.shape[0] == 0 and not given.balls
