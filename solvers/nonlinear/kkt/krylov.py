"""Krylov methods for ``K = [[H + diag(p), J'], [J, -diag(d)]]`` known by products, both resumable.

`ProjectedCG` is for constraint preconditioners, `Minres` for positive definite ones. Both keep the residual
itself, in the Euclidean norm, and stop at an absolute tolerance: a run that was stopped early goes on from
where it was when a sharper solution is asked for.

References
----------
.. [GHN] Gould, Hribar, Nocedal, "On the solution of equality constrained quadratic programming problems
   arising in optimization", SIAM J. Sci. Comput. 23 (2001).
.. [DGSW] Dollar, Gould, Schilders, Wathen, "Implicit-factorization preconditioning and iterative solvers for
   regularized saddle-point systems", SIAM J. Matrix Anal. Appl. 28 (2006).
.. [ESW] Elman, Silvester, Wathen, "Finite elements and fast iterative solvers", 2nd ed. (2014), section 4.1.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Any, Protocol

import numpy as np

from ....problems.nlp import Vector

EPSILON = float(np.finfo(float).eps)

FLAT = 10.0 * EPSILON
"""Curvature, relative to the lengths of v and H v, that counts as none."""

RECHECK = 50
"""Iterations after which a recursive residual is not believed without computing it."""

MAX_RESTARTS = 3

ROUNDED = 1e-12
"""Residual of the second block, relative to the right-hand side, that is not worth a correction."""

STIFF = 1e-7
"""Entries of d up to which a row counts as an equation, whose multiplier is updated from the residual."""

Product = Callable[[Vector], Vector]


class Ending(Enum):
    """Why a Krylov run ended."""

    CONVERGED = "the residual is small enough"
    LIMIT = "the iterations are used up"
    CURVATURE = "a direction of no or negative curvature was met"
    BOUNDARY = "the step is as long as may be"
    BREAKDOWN = "a number is not finite, or rounding has taken over"


@dataclass
class KKTProducts:
    """K by its products.

    Attributes
    ----------
    n, m : int
        Orders of the blocks.
    hessian : callable
        ``v -> H v``, shape (n,).
    jacobian : ndarray, sparse array or an object with ``J @ v`` and ``w @ J``
        The (2, 1) block, shape (m, n).
    primal, dual : ndarray, shapes (n,), (m,)
        p and d >= 0.
    """

    n: int
    m: int
    hessian: Product
    jacobian: Any
    primal: Vector
    dual: Vector

    def curved(self, v: Vector) -> Vector:
        """``(H + diag(p)) v``."""
        return np.asarray(self.hessian(v) + self.primal * v)

    def multiply(self, v: Vector) -> Vector:
        """``K v``."""
        x, y = v[: self.n], v[self.n :]
        out = np.empty(self.n + self.m)
        out[: self.n] = self.curved(x)
        if self.m:
            out[: self.n] += y @ self.jacobian
            out[self.n :] = self.jacobian @ x - self.dual * y
        return out


class KrylovRun(Protocol):
    """A run on one right-hand side that can be resumed.

    Attributes
    ----------
    rhs, solution : ndarray, shape (n + m,)
    residual : float
        ``||b - K v||``, Euclidean.
    iterations : int
    ending : Ending or None
    """

    rhs: Vector
    solution: Vector
    residual: float
    iterations: int
    ending: Ending | None

    def run(self, tol: float, limit: int) -> Ending:
        """Go on until ``residual <= tol`` or for ``limit`` more iterations."""


class ProjectedCG:
    """Conjugate gradients with a constraint preconditioner, [GHN]_ algorithm 6.2; for d > 0 after [DGSW]_.

    The iterates solve the second block of equations exactly, and the first one is solved on the null space
    of ``(J, -diag(d))``, where K acts as a quadratic form: the run ends when its curvature is not positive,
    which proves that the inertia of K is not (n, m, 0). The solution is then the last iterate, on which the
    quadratic model has decreased (Nocedal & Wright, Numerical Optimization, algorithm 7.1); in the first
    iteration the preconditioned steepest descent with the modulus of the curvature, no longer than
    ``radius``. With m = 0 this is the truncated Newton method of Dembo & Steihaug.

    Parameters
    ----------
    matrix : KKTProducts
        K.
    precondition : callable
        ``r -> P^-1 r`` with ``P = [[G, J'], [J, -diag(d)]]``, G positive definite on the same null space.
    rhs : ndarray, shape (n + m,)
        b.
    radius : float, default inf
        Longest step along a direction of negative curvature, Euclidean in the first n components.
    boundary : float, default inf
        Longest solution: where K is singular to working precision, nothing else limits its length.
    """

    def __init__(
        self,
        matrix: KKTProducts,
        precondition: Product,
        rhs: Vector,
        radius: float = math.inf,
        boundary: float = math.inf,
    ) -> None:
        self.matrix, self.precondition, self.rhs = matrix, precondition, rhs
        self.radius, self.boundary = radius, boundary
        self.iterations = self._since_check = self._restarts = 0
        self.ending: Ending | None = None
        self.solution = np.zeros(rhs.size)
        self.negative: Vector | None = None
        """Direction of no or negative curvature, where one was met."""
        self._equations = np.flatnonzero(matrix.dual <= STIFF)
        self._soft = self._equations.size < matrix.m
        self._begin_on_the_constraints()

    def _begin_on_the_constraints(self) -> None:
        """The solution of least G-norm of the second block of equations."""
        n, rhs = self.matrix.n, self.rhs
        if rhs[n:].any():
            normal = np.concatenate([np.zeros(n), rhs[n:]])
            self.solution = self.precondition(normal)
        self._restart()

    def _restart(self) -> None:
        """Directions anew from the true residual, the second block corrected."""
        n = self.matrix.n
        r = self.rhs - self.matrix.multiply(self.solution) if self.solution.any() else self.rhs.copy()
        gap = r[n:]
        if float(np.linalg.norm(gap)) > ROUNDED * float(np.linalg.norm(self.rhs)):
            correction = self.precondition(np.concatenate([np.zeros(n), gap]))
            corrected = self.solution + correction
            r_corrected = self.rhs - self.matrix.multiply(corrected)
            if float(np.linalg.norm(r_corrected[n:])) < float(np.linalg.norm(gap)):
                self.solution, r = corrected, r_corrected
        self._gap = r[n:].copy()
        r[n:] = 0.0
        self._r = r
        self._rho = self._project()
        self._p = self._z.copy()
        self._since_check = 0

    def _project(self) -> float:
        """Preconditioned residual z, and r'z.

        What the residual has in the range of J' is taken out of it by the multipliers of the equations, which
        keeps r and z of one size: the residual update strategy of [GHN]_, section 6.
        """
        n, r = self.matrix.n, self._r
        z = self.precondition(r)
        if self._equations.size:
            y = np.zeros(self.matrix.m)
            y[self._equations] = z[n:][self._equations]
            z[n:] -= y
            self.solution[n:] += y
            self._gap += self.matrix.dual * y
            r[:n] -= y @ self.matrix.jacobian
        self._z = z
        self.residual = math.hypot(float(np.linalg.norm(r)), float(np.linalg.norm(self._gap)))
        return float(r @ z)

    def run(self, tol: float, limit: int) -> Ending:
        """Go on until ``residual <= tol`` or for ``limit`` more iterations."""
        if self.ending in (Ending.CURVATURE, Ending.BOUNDARY, Ending.BREAKDOWN):
            return self.ending
        last = self.iterations + limit
        while True:
            if self.residual <= tol and self._confirmed(tol):
                self.ending = Ending.CONVERGED
            elif not (math.isfinite(self.residual) and self._rho > 0.0):
                self.ending = Ending.BREAKDOWN
            elif self.iterations >= last:
                self.ending = Ending.LIMIT
            else:
                self.ending = self._iterate()
            if self.ending is not None:
                return self.ending

    def _confirmed(self, tol: float) -> bool:
        """Whether the true residual of a long run agrees; otherwise the run starts again from it."""
        if self._since_check < RECHECK or self._restarts >= MAX_RESTARTS:
            return True
        self._restarts += 1
        self._restart()
        return self.residual <= tol

    def _iterate(self) -> Ending | None:
        matrix, p, n = self.matrix, self._p, self.matrix.n
        x, y = p[:n], p[n:]
        image = matrix.curved(x)
        curvature = float(x @ image)
        if self._soft:
            curvature += float(y @ (matrix.dual * y))
        if not math.isfinite(curvature):
            return self._leave(p, math.nan)
        if curvature <= FLAT * float(np.linalg.norm(x)) * float(np.linalg.norm(image)):
            return self._leave(p, curvature)
        alpha = self._rho / curvature
        length = float(np.linalg.norm(self.solution[:n]))
        step = alpha * float(np.linalg.norm(x))
        if length + step > self.boundary:
            self.solution += max(self.boundary - length, 0.0) / step * alpha * p
            return Ending.BOUNDARY
        self.solution += alpha * p
        self._r[:n] -= alpha * image
        if self._soft:
            self._r[:n] -= alpha * (y @ matrix.jacobian)
        rho, self._rho = self._rho, self._project()
        self._p = self._z + (self._rho / rho) * p
        self.iterations += 1
        self._since_check += 1
        return None

    def _leave(self, p: Vector, curvature: float) -> Ending:
        """End at a direction of no, negative or unknown curvature."""
        if self.iterations == 0:
            length = float(np.linalg.norm(p[: self.matrix.n]))
            longest = self.radius / max(length, 1e-300)
            modulus = self._rho / max(abs(curvature), 1e-300) if math.isfinite(curvature) else 1.0
            self.solution += min(modulus, longest) * p
        self.negative = p
        return Ending.CURVATURE if math.isfinite(curvature) else Ending.BREAKDOWN


class Minres:
    """Preconditioned MINRES, [ESW]_ algorithm 4.1, which also carries the residual vector along.

    The Lanczos process within shows the first negative eigenvalues of K, which are counted in `negatives`.

    Parameters
    ----------
    matrix : KKTProducts
        K, symmetric, definite or not.
    precondition : callable
        ``r -> M^-1 r``, M symmetric positive definite.
    rhs : ndarray, shape (n + m,)
        b.
    """

    def __init__(self, matrix: KKTProducts, precondition: Product, rhs: Vector) -> None:
        self.matrix, self.precondition, self.rhs = matrix, precondition, rhs
        self.iterations = self._since_check = self._restarts = 0
        self.ending: Ending | None = None
        self.solution = np.zeros(rhs.size)
        self._restart()

    def _restart(self) -> None:
        """The Lanczos process anew from the true residual."""
        r = self.rhs - self.matrix.multiply(self.solution) if self.solution.any() else self.rhs.copy()
        self._r = r
        self.residual = float(np.linalg.norm(r))
        self._v_old, self._v = np.zeros(r.size), r.copy()  # r is updated in place
        self._z = self.precondition(r)
        self._gamma_old, self._gamma = 1.0, _root(float(self._z @ r))
        self._eta = self._gamma
        self._s_old = self._s = 0.0
        self._c_old = self._c = 1.0
        zero = np.zeros(r.size)
        # The last two directions w, and their images K w, from which the residual follows.
        self._w_old, self._w, self._kw_old, self._kw = zero, zero, zero, zero
        self._pivot, self.negatives = math.inf, 0
        self._since_check = 0

    def run(self, tol: float, limit: int) -> Ending:
        """Go on until ``residual <= tol`` or for ``limit`` more iterations."""
        last = self.iterations + limit
        while True:
            if self.residual <= tol and self._confirmed(tol):
                self.ending = Ending.CONVERGED
            elif not (math.isfinite(self.residual) and self._gamma > 0.0):
                self.ending = Ending.BREAKDOWN
            elif self.iterations >= last:
                self.ending = Ending.LIMIT
            else:
                self._iterate()
                continue
            return self.ending

    def _confirmed(self, tol: float) -> bool:
        if self._since_check < RECHECK or self._restarts >= MAX_RESTARTS:
            return True
        self._restarts += 1
        self._restart()
        return self.residual <= tol

    def _iterate(self) -> None:
        z = self._z / self._gamma
        kz = self.matrix.multiply(z)
        delta = float(z @ kz)
        self._count(delta)
        v = kz - (delta / self._gamma) * self._v - (self._gamma / self._gamma_old) * self._v_old
        z_new = self.precondition(v)
        gamma_new = _root(float(z_new @ v))
        a0 = self._c * delta - self._c_old * self._s * self._gamma
        a1 = math.hypot(a0, gamma_new)
        a2 = self._s * delta + self._c_old * self._c * self._gamma
        a3 = self._s_old * self._gamma
        if not a1 > 0.0:  # K is singular along z, or nan
            self._gamma = 0.0
            return
        w = (z - a3 * self._w_old - a2 * self._w) / a1
        kw = (kz - a3 * self._kw_old - a2 * self._kw) / a1
        self._c_old, self._c = self._c, a0 / a1
        self._s_old, self._s = self._s, gamma_new / a1
        step = self._c * self._eta
        self.solution += step * w
        self._r -= step * kw
        self._eta *= -self._s
        self._w_old, self._w, self._kw_old, self._kw = self._w, w, self._kw, kw
        self._v_old, self._v, self._z = self._v, v, z_new
        self._gamma_old, self._gamma = self._gamma, gamma_new
        self.residual = float(np.linalg.norm(self._r))
        self.iterations += 1
        self._since_check += 1

    def _count(self, delta: float) -> None:
        """Negative pivots of the tridiagonal Lanczos matrix: K has at least as many negative eigenvalues.

        As long as the Lanczos vectors are orthogonal; later, eigenvalues are found again.
        """
        if self._since_check < RECHECK:
            self._pivot = delta - (self._gamma**2 / self._pivot if self._since_check else 0.0)
            self._pivot = self._pivot or EPSILON
            self.negatives += self._pivot < 0.0


def _root(value: float) -> float:
    """The square root; 0 for what is negative by rounding, or nan."""
    return math.sqrt(value) if value > 0.0 else 0.0
