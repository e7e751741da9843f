"""Paths: one problem for a falling sequence of penalty levels, each solution the start of the next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from scipy import sparse

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Datafit, Penalty
from ..result import Result
from ..status import Status
from .walk import Walk

_SPARSE_FROM = 2000
"""Coefficients of a path are kept as a sparse array from so many columns of X on."""


@dataclass(frozen=True)
class Path:
    """Solutions along a path.

    Attributes
    ----------
    lambdas : ndarray, shape (m,)
        Factors of the penalty, falling.
    coefs : ndarray, shape (m, p) or (m, p, k), or csr_array, shape (m, p)
        Coefficients; sparse where there are many columns.
    intercepts : ndarray, shape (m,) or (m, k)
    objectives, gaps : ndarray, shape (m,)
        Of the solutions; gaps are NaN where the problem has none.
    success : ndarray of bool, shape (m,)
        Which ones the certificate confirms.
    nit : ndarray of int, shape (m,)
        Steps.
    status : Status
        How the last one ended: the path ends early at the time limit, or where the callback says so.
    time : float
        Seconds.
    """

    lambdas: Array
    coefs: Any
    intercepts: Array
    objectives: Array
    gaps: Array
    success: Any
    nit: Any
    status: Status
    time: float

    def coef(self, i: int) -> Array:
        """The i-th coefficients, dense."""
        if not sparse.issparse(self.coefs):
            return np.asarray(self.coefs[i])
        i = range(self.coefs.shape[0])[i]
        row, w = slice(*self.coefs.indptr[i : i + 2]), np.zeros(self.coefs.shape[1])
        w[self.coefs.indices[row]] = self.coefs.data[row]
        return w


@dataclass(frozen=True)
class _Point:
    """What is kept of a solution: not its certificate and history, which hold arrays as long as w."""

    support: Any
    values: Array
    intercept: Array
    fun: float
    gap: float
    success: bool
    nit: int

    @classmethod
    def of(cls, result: Result) -> _Point:
        """What is kept of this one."""
        w = result.x.ravel()
        support = np.flatnonzero(w != 0)
        rest = (result.intercept, result.fun, result.gap, result.success, result.nit)
        return cls(support, w[support], *rest)


def composite_path(
    datafit: Datafit | CompositeProblem,
    penalty: Penalty | None = None,
    X: Any = None,
    *,
    lambdas: Sequence[float] | Array | None = None,
    count: int = 100,
    ratio: float | None = None,
    intercept: bool = False,
    offset: Any = None,
    tol: float = 1e-6,
    max_time: float = np.inf,
    callback: Callable[[float, Result], Any] | None = None,
) -> Path:
    """Minimise F(X w + offset + b) + lambda Omega(w) for a falling sequence of lambdas.

    Parameters
    ----------
    datafit, penalty, X, intercept, offset
        As for `minimize_composite`; the penalty is the one for lambda = 1, as ``L1(1.0)``.
    lambdas : array_like, shape (m,), optional
        Factors > 0 of the penalty; taken from the largest to the smallest.
    count : int
        Without lambdas: so many, evenly on the logarithm from the smallest one that keeps w at zero down to
        `ratio` times that.
    ratio : float, optional
        Default: 1e-2 where X has more columns than rows, else 1e-4 (glmnet's).
    tol : float
        As for `minimize_composite`, for each of them.
    max_time : float
        Limit in seconds for all of them; the path ends there.
    callback : callable, optional
        Called as ``callback(lambda, result)`` after each of them; `StopIteration` ends the path.

    Returns
    -------
    Path
    """
    if isinstance(datafit, CompositeProblem):
        problem = datafit
    elif penalty is None:
        raise TypeError("penalty is missing: the one for lambda = 1, as L1(1.0)")
    else:
        problem = CompositeProblem(datafit, penalty, X, intercept=intercept, offset=offset)
    levels = grid(problem, lambdas, count, ratio)
    started = perf_counter()
    walk = Walk(problem, levels, tol, started + max_time)
    found: list[_Point] = []
    status = Status.CONVERGED
    while len(found) < levels.size:
        try:
            result = walk.next_solution()
        except KeyboardInterrupt:  # between the solution of some levels and their certificates
            status = Status.INTERRUPTED
            break
        status = result.status
        found.append(_Point.of(result))
        if status in {Status.TIME_LIMIT, Status.INTERRUPTED}:
            break
        try:
            if callback is not None:
                callback(float(levels[len(found) - 1]), result)
        except StopIteration:
            status = Status.USER_STOP
            break
    return _collected(levels[: len(found)], found, problem.shape, status, perf_counter() - started)


def grid(problem: CompositeProblem, lambdas: Any, count: int, ratio: float | None) -> Array:
    """The levels of a path, falling."""
    if lambdas is not None:
        levels = np.array(lambdas, dtype=np.float64)
        if levels.ndim != 1 or not levels.size or not (np.isfinite(levels) & (levels >= 0)).all():
            raise ValueError("lambdas must be a non-empty one-dimensional sequence of numbers >= 0")
        return np.sort(levels)[::-1]
    if count < 1:
        raise ValueError(f"count must be at least 1, got {count}")
    if ratio is None:
        ratio = 1e-2 if problem.p > problem.n else 1e-4
    if not 0 < ratio <= 1:
        raise ValueError(f"ratio must be in (0, 1], got {ratio}")
    top = problem.penalty.dual_norm(-problem.null.slopes)
    if not 0 < top < np.inf:
        raise ValueError(f"no lambda keeps w at zero (dual norm {top}); give lambdas")
    return np.asarray(np.geomspace(top, ratio * top, count))


def _collected(
    levels: Array, found: list[_Point], shape: tuple[int, ...], status: Status, seconds: float
) -> Path:
    coefs: Any
    if len(shape) == 1 and shape[0] >= _SPARSE_FROM:
        indptr = np.concatenate([[0], np.cumsum([point.support.size for point in found])])
        parts = np.concatenate([p.values for p in found]), np.concatenate([p.support for p in found]), indptr
        coefs = sparse.csr_array(parts, shape=(len(found), shape[0]))
    else:
        coefs = np.zeros((len(found), int(np.prod(shape))))
        for row, point in zip(coefs, found, strict=True):
            row[point.support] = point.values
        coefs = coefs.reshape(len(found), *shape)
    return Path(
        lambdas=levels,
        coefs=coefs,
        intercepts=np.array([point.intercept for point in found]),
        objectives=np.array([point.fun for point in found]),
        gaps=np.array([point.gap for point in found]),
        success=np.array([point.success for point in found]),
        nit=np.array([point.nit for point in found]),
        status=status,
        time=seconds,
    )
