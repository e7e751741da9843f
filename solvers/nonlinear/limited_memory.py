"""Limited-memory BFGS in compact form, and its KKT system as a diagonal one plus low rank.

Byrd, Nocedal, Schnabel, "Representations of quasi-Newton matrices and their use in limited memory methods",
Math. Prog. 63 (1994): with the last k steps as columns of S and the changes of the gradient as those of Y,

    B = gamma I - W M^-1 W',   W = [gamma S, Y],   M = [[gamma S'S, L], [L', -D]],

D the diagonal and L the strictly lower part of S'Y (their equation 3.5).
"""

from __future__ import annotations

import math
from collections import deque
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, lu_factor, lu_solve

from ...problems.nlp import Vector
from .kkt import Inertia, KKTSolver
from .kkt.refinement import refine

SHORTEST = 1e-14
"""Steps below this teach nothing but rounding."""

CURVATURE_RANGE = 1e-8, 1e8
"""Smallest and largest gamma."""


class CompactMatrix:
    """``gamma I - W M^-1 W'``, frozen.

    Attributes
    ----------
    gamma : float
    W : ndarray, shape (n, 2k)
        Columns of length one; those of M are scaled alike.
    M : ndarray, shape (2k, 2k)
        Symmetric, indefinite.
    """

    __array_ufunc__ = None

    def __init__(self, gamma: float, W: NDArray[np.float64], M: NDArray[np.float64]) -> None:
        self.gamma = gamma
        lengths = np.linalg.norm(W, axis=0)
        lengths[lengths == 0.0] = 1.0
        self.W = W / lengths
        self.M = M / np.outer(lengths, lengths)
        self._factor = lu_factor(self.M, check_finite=False) if self.M.size else None

    def __matmul__(self, v: Vector) -> Vector:
        if self._factor is None:
            return self.gamma * v
        inner = lu_solve(self._factor, self.W.T @ v, check_finite=False)
        return np.asarray(self.gamma * v - self.W @ inner)

    def diagonal(self) -> Vector:
        """The diagonal, shape (n,)."""
        if self._factor is None:
            return np.full(self.W.shape[0], self.gamma)
        inner = lu_solve(self._factor, self.W.T, check_finite=False)
        return np.asarray(self.gamma - np.einsum("ij,ji->i", self.W, inner))


class LimitedMemoryBFGS:
    """The last pairs of steps and changes of the gradient of the Lagrangian, damped as Powell's.

    Parameters
    ----------
    n : int
        Order of the matrix.
    memory : int, default 10
        Pairs that are kept. The KKT system needs two more solves for each.
    damping : float, default 0.2
        Least share of the curvature of the present matrix that a pair keeps: B stays positive definite where
        the Lagrangian is not convex. Powell, Numerical Analysis (Dundee 1977).
    """

    def __init__(self, n: int, memory: int = 10, damping: float = 0.2) -> None:
        self.n, self.damping = n, damping
        self._pairs: deque[tuple[Vector, Vector]] = deque(maxlen=memory)
        self._gamma = 1.0
        self.values = self._compact()

    def update(self, step: Vector, change: Vector) -> None:
        """Learn from the change of the gradient of the Lagrangian along a step, both of shape (n,)."""
        s, y = np.array(step), np.array(change)
        length = float(np.linalg.norm(s))
        if not (length > SHORTEST and bool(np.isfinite(y).all())):
            return
        if not self._pairs:
            self._rescale(s, y)
            self.values = self._compact()
        Bs = self.values @ s
        sBs, sy = float(s @ Bs), float(s @ y)
        if not sBs > 0.0:
            return
        if sy < self.damping * sBs:
            theta = (1.0 - self.damping) * sBs / (sBs - sy)
            y = theta * y + (1.0 - theta) * Bs
        else:
            self._rescale(s, y)
        self._pairs.append((s, y))
        self.values = self._refreshed()

    def _rescale(self, s: Vector, y: Vector) -> None:
        """Set gamma = y'y/s'y, the size of the curvature seen last."""
        sy = float(s @ y)
        if sy > 0.0:
            self._gamma = min(max(float(y @ y) / sy, CURVATURE_RANGE[0]), CURVATURE_RANGE[1])

    def _refreshed(self) -> CompactMatrix:
        """The matrix of the present pairs; the oldest ones go where it cannot be computed."""
        while True:
            try:
                fresh = self._compact()
            except (LinAlgError, ValueError):
                fresh = None
            if fresh is not None and (not fresh.M.size or math.isfinite(float(np.abs(fresh.M).sum()))):
                return fresh
            self._pairs.popleft()

    def _compact(self) -> CompactMatrix:
        if not self._pairs:
            return CompactMatrix(self._gamma, np.zeros((self.n, 0)), np.zeros((0, 0)))
        S = np.column_stack([s for s, _ in self._pairs])
        Y = np.column_stack([y for _, y in self._pairs])
        SY = S.T @ Y
        L = np.tril(SY, -1)
        M = np.block([[self._gamma * (S.T @ S), L], [L.T, -np.diag(SY.diagonal())]])
        return CompactMatrix(self._gamma, np.hstack([self._gamma * S, Y]), M)


class LimitedMemoryKKT:
    """A KKT solver whose Hessian is a `CompactMatrix`.

    The solver within factorises ``K0 = [[gamma I + diag(p), J'], [J, -diag(d)]]``; with ``W0 = [W; 0]`` the
    Sherman-Morrison-Woodbury formula gives

        K^-1 = K0^-1 + Z (M - W0'Z)^-1 Z',   Z = K0^-1 W0.

    B is positive definite, so the inertia of K is that of K0.

    Parameters
    ----------
    inner : KKTSolver
        On a pattern without Hessian entries.
    """

    def __init__(self, inner: KKTSolver) -> None:
        self.inner, self.pattern = inner, inner.pattern
        self._compact: CompactMatrix | None = None
        self._Z = np.zeros((self.pattern.order, 0))
        self._capacitance: tuple[NDArray[np.float64], NDArray[np.int32]] | None = None

    def load(self, hessian: Any, jacobian: Vector) -> None:
        """Take the `CompactMatrix` (or no values: a zero Hessian) and the values of ``J``."""
        self._compact = hessian if isinstance(hessian, CompactMatrix) else None
        self.inner.load(np.zeros(0), jacobian)

    def factor(self, primal: Vector, dual: Vector) -> Inertia:
        """Factorise with the given diagonals; see `KKTSolver.factor`."""
        compact, n = self._compact, self.pattern.n
        inertia = self.inner.factor(primal if compact is None else primal + compact.gamma, dual)
        self._capacitance = None
        if compact is None or not compact.M.size or inertia != (n, self.pattern.m, 0):
            return inertia
        self._Z = np.empty((self.pattern.order, compact.M.shape[0]))
        column = np.zeros(self.pattern.order)
        for k, w in enumerate(compact.W.T):
            column[:n] = w
            self._Z[:, k] = self.inner.solve(column)[0]
        capacitance = compact.M - compact.W.T @ self._Z[:n]
        if not np.isfinite(capacitance).all():
            return Inertia(0, 0, self.pattern.order)
        self._capacitance = lu_factor(capacitance, check_finite=False)
        return inertia

    def solve(self, rhs: Vector) -> tuple[Vector, float]:
        """Refined solution and its relative residual; see `KKTSolver.solve`."""
        if self._capacitance is None:
            return self.inner.solve(rhs)
        with np.errstate(all="ignore"):
            return refine(rhs, self._backsolve, self.multiply)

    def _backsolve(self, rhs: Vector) -> Vector:
        assert self._capacitance is not None
        v = self.inner.solve(rhs)[0]
        return np.asarray(v + self._Z @ lu_solve(self._capacitance, self._Z.T @ rhs, check_finite=False))

    def multiply(self, v: Vector) -> Vector:
        """``K v``."""
        product = self.inner.multiply(v)
        compact, n = self._compact, self.pattern.n
        if compact is not None:
            product[:n] += compact @ v[:n] - compact.gamma * v[:n]
        return product
