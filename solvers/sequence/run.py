"""One solve of A x = b: the target, the clock, the history, and the true residual at the end."""

from __future__ import annotations

import operator
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from .matrices import as_number
from .protocol import LinearAnswer, LinearStatus, Vector

_BATCH_SECONDS = 5e-3
_ENTRIES_A_SECOND = 4e8  # of sweeps over a matrix, roughly
_PROGRESS = 1e-6


class Run:
    """What all iterative solvers do alike.

    A norm that a method keeps by recurrence must come below `target` before the residual is computed; if then
    it is not within the tolerance, the method goes on from the true one.

    Parameters
    ----------
    multiply : callable
        v -> A v.
    n, nnz : int
        Order of A, and its entries.
    b, x0, rtol, atol, max_iterations, max_time
        As `LinearSolver.solve` takes them.

    Attributes
    ----------
    b, x0 : ndarray, shape (n,)
        Right-hand side and start, float64 and contiguous; not to be changed.
    r0 : ndarray, shape (n,)
        Residual of the start.
    target : float
        Residual norm to reach. All of these are those of a system scaled by a power of two, where b's squares
        would overflow or vanish; the answer is scaled back.
    work : float
        Products with A so far.
    """

    def __init__(
        self,
        multiply: Callable[[Vector], Vector],
        n: int,
        nnz: int,
        b: Any,
        x0: Any,
        rtol: float,
        atol: float,
        max_iterations: int,
        max_time: float | None,
    ) -> None:
        self._started = time.perf_counter()
        self.b = _vector("b", b, n)
        self.x0 = np.zeros(n) if x0 is None else _vector("x0", x0, n)
        self.max_iterations = _count("max_iterations", max_iterations)
        rtol, atol = _tolerance("rtol", rtol), _tolerance("atol", atol)
        if max_time is not None and not as_number("max_time", max_time) >= 0.0:
            raise ValueError(f"max_time must not be negative, got {max_time}")
        self._deadline = np.inf if max_time is None else self._started + float(max_time)
        self._multiply = multiply
        self._batch = max(1, int(_BATCH_SECONDS * _ENTRIES_A_SECOND / max(nnz + 10 * n, 1)))
        self.work = 0.0
        self._scale = _scale_of(self.b)
        if self._scale != 1.0:
            self.b, self.x0, atol = self.b / self._scale, self.x0 / self._scale, atol / self._scale
        self.target = max(rtol * norm(self.b), atol)
        self.r0 = self.residual(self.x0) if self.x0.any() else self.b.copy()
        self.history = [norm(self.r0)]
        self._anchor = (0, self.history[0])

    @property
    def iterations(self) -> int:
        """Iterations so far."""
        return len(self.history) - 1

    def residual(self, x: Vector) -> Vector:
        """Residual b - A x, which costs a product."""
        self.work += 1.0
        with np.errstate(all="ignore"):
            return np.asarray(self.b - self._multiply(x))

    def settled(self) -> LinearAnswer | None:
        """The answer, where nothing needs to be computed for it."""
        nothing = np.zeros(self.b.size)
        if not (np.isfinite(self.b).all() and np.isfinite(self.x0).all()):
            return self._finish(nothing, LinearStatus.NONFINITE, np.inf)
        if not self.b.any():
            return self._finish(nothing, LinearStatus.CONVERGED, 0.0)
        if not np.isfinite(self.history[0]):  # A x0 overflows: better to start at zero
            self.x0, self.r0, self.history = nothing, self.b.copy(), [norm(self.b)]
        if self.history[0] <= self.target:
            return self._finish(self.x0.copy(), LinearStatus.CONVERGED, self.history[0])
        return None

    def failed(self, status: LinearStatus) -> LinearAnswer:
        """The start as the answer."""
        finite = bool(np.isfinite(self.x0).all())
        return self._finish(self.x0.copy() if finite else np.zeros(self.b.size), status, self.history[0])

    def limit(self) -> LinearStatus | None:
        """The limit that has been reached."""
        if self.iterations >= self.max_iterations:
            return LinearStatus.ITERATION_LIMIT
        if time.perf_counter() >= self._deadline:
            return LinearStatus.TIME_LIMIT
        return None

    def stagnation(self, patience: int) -> LinearStatus | None:
        """STALLED, where the residual has not fallen by a millionth over the last `patience` iterations.

        For sweeps. The residuals of conjugate gradients may rise for long.
        """
        start, best = self._anchor
        recent = [norm for norm in self.history[start:] if norm < best * (1.0 - _PROGRESS)]
        if recent:
            self._anchor = (self.iterations, min(recent))
        return LinearStatus.STALLED if self.iterations - self._anchor[0] > patience else None

    def batch(self) -> int:
        """Iterations until the clock should be looked at again."""
        return min(self._batch, self.max_iterations - self.iterations)

    def answer(self, x: Vector, status: LinearStatus, true_residual: float | None = None) -> LinearAnswer:
        """The answer, by its true residual; the start's where that is smaller."""
        residual = norm(self.residual(x)) if true_residual is None else true_residual
        if not residual <= self.history[0]:
            x, residual = self.x0.copy(), self.history[0]
        if residual <= self.target:
            status = LinearStatus.CONVERGED
        elif status is LinearStatus.CONVERGED:
            status = LinearStatus.STALLED
        return self._finish(x, status, residual)

    def _finish(self, x: Vector, status: LinearStatus, residual: float) -> LinearAnswer:
        self.history[-1] = residual
        residuals = np.array(self.history)
        if self._scale != 1.0:
            x, residuals = x * self._scale, residuals * self._scale
        seconds = time.perf_counter() - self._started
        return LinearAnswer(x, status, self.iterations, residuals, self.work, seconds)


def norm(v: Vector) -> float:
    """2-norm; Inf where it overflows, NaN where v has NaN."""
    from .vector_kernels import dot

    return float(np.sqrt(dot(v, v)))


def _scale_of(b: Vector) -> float:
    """A power of two near b's size where its squares would overflow or vanish, else 1."""
    largest = float(np.abs(b).max(initial=0.0))
    if 1e-120 < largest < 1e120 or not 0.0 < largest < np.inf:
        return 1.0
    return float(2.0 ** np.floor(np.log2(largest)))


def _vector(name: str, value: Any, n: int) -> Vector:
    array = np.asarray(value)
    if array.dtype.kind not in "fiub":
        raise TypeError(f"{name} must be real, got dtype {array.dtype}")
    if array.shape != (n,):
        raise ValueError(f"{name} must have shape ({n},), got {array.shape}")
    return np.require(array, np.float64, ["C", "W"])  # kernels would be compiled anew for read-only arrays


def _count(name: str, value: Any) -> int:
    try:
        number = operator.index(value)
    except TypeError:
        raise TypeError(f"{name} must be an integer, got {value!r}") from None
    if number < 0:
        raise ValueError(f"{name} must not be negative, got {number}")
    return number


def _tolerance(name: str, value: Any) -> float:
    number = as_number(name, value)
    if not 0.0 <= number < np.inf:
        raise ValueError(f"{name} must be finite and not negative, got {number:g}")
    return number
