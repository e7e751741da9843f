"""Cross-validation along paths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from numbers import Real
from time import perf_counter
from typing import Any

import numpy as np

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Datafit, Penalty
from ..result import Result
from ..status import Status
from .minimize import minimize_composite
from .path import composite_path, grid


@dataclass(frozen=True)
class CrossValidation:
    """What held-out samples say of the levels of a path.

    Attributes
    ----------
    lambdas : ndarray, shape (m,)
        Factors of the penalty, falling.
    losses : ndarray, shape (m, folds)
        Datafit of the held-out samples, per unit of their weight; NaN where a path ended early.
    mean, error : ndarray, shape (m,)
        Mean over the folds and its standard error.
    best : float
        Lambda of the smallest mean.
    simplest : float
        The largest lambda whose mean is within one standard error of that.
    result : Result
        Solution for `best` on all samples.
    """

    lambdas: Array
    losses: Array
    mean: Array
    error: Array
    best: float
    simplest: float
    result: Result


def cross_validate_composite(
    datafit: Datafit | CompositeProblem,
    penalty: Penalty | None = None,
    X: Any = None,
    *,
    folds: int | Sequence[Any] = 5,
    lambdas: Sequence[float] | Array | None = None,
    count: int = 100,
    ratio: float | None = None,
    intercept: bool = False,
    offset: Any = None,
    tol: float = 1e-6,
    max_time: float = np.inf,
    rng: Any = None,
) -> CrossValidation:
    """Choose the level of a penalty by cross-validation.

    Held-out samples get the weight zero: X is neither copied nor cut.

    Parameters
    ----------
    datafit, penalty, X, intercept, offset
        As for `minimize_composite`; the penalty is the one for lambda = 1. The datafit must be able to change
        its weights (`Datafit.reweighted`).
    folds : int or sequence of index arrays
        How many folds, of samples chosen by `rng`; or the held-out samples of each.
    lambdas, count, ratio
        As for `composite_path`.
    tol : float
        Tolerance of every solution.
    max_time : float
        Limit in seconds for all of them. Levels that a fold has not reached are NaN and not chosen; `result`
        has what is left of the time, and says so in its status where that is too little.
    rng : int, numpy.random.Generator, optional
        Decides on the folds (SPEC 7).

    Returns
    -------
    CrossValidation

    Raises
    ------
    ValueError, TypeError
        Bad input.
    TimeoutError
        Where `max_time` ends before any level is solved in every fold: there is nothing to choose from.
    """
    deadline = _deadline(max_time)
    if isinstance(datafit, CompositeProblem):
        problem = datafit
    elif penalty is None:
        raise TypeError("penalty is missing: the one for lambda = 1, as L1(1.0)")
    else:
        problem = CompositeProblem(datafit, penalty, X, intercept=intercept, offset=offset)
    levels = grid(problem, lambdas, count, ratio)
    held_out = _folds(folds, problem.n, rng)
    losses = np.full((levels.size, len(held_out)), np.nan)
    for k, test in enumerate(held_out):
        mask = np.zeros(problem.n)
        mask[test] = 1.0
        train = problem.with_datafit(problem.datafit.reweighted(1.0 - mask))
        judge = problem.datafit.reweighted(mask)
        weight = float(problem.sample_weights @ mask)
        # The penalty counts against a sum over samples: it shrinks with the samples left.
        share = 1.0 - weight / float(problem.sample_weights.sum())
        path = composite_path(train, lambdas=share * levels, tol=tol, max_time=_left(deadline))
        reached = path.lambdas.size - (path.status is Status.TIME_LIMIT)  # the last one is cut short
        for i in range(reached):
            eta = problem.predictor(path.coef(i), path.intercepts[i])
            losses[i, k] = judge.value(eta) / weight
    mean = losses.mean(axis=1)
    error = losses.std(axis=1, ddof=1) / np.sqrt(len(held_out))
    if np.isnan(mean).all():
        raise TimeoutError(f"max_time, {max_time:g} s, ended before any level was solved in every fold")
    i = int(np.nanargmin(mean))
    best, simplest = float(levels[i]), float(levels[np.flatnonzero(mean <= mean[i] + error[i])[0]])
    chosen = problem.with_penalty(problem.penalty.scaled(best))
    result = minimize_composite(chosen, tol=tol, max_time=_left(deadline))
    return CrossValidation(levels, losses, mean, error, best, simplest, result)


def _deadline(max_time: Any) -> float:
    if not isinstance(max_time, Real):
        raise TypeError(f"max_time must be a number, got {max_time!r}")
    if not float(max_time) >= 0:
        raise ValueError(f"max_time must be a number >= 0, got {max_time}")
    return perf_counter() + float(max_time)


def _left(deadline: float) -> float:
    return max(deadline - perf_counter(), 0.0)


def _folds(folds: int | Sequence[Any], n: int, rng: Any) -> list[Any]:
    """The held-out samples of each fold."""
    if isinstance(folds, (int, np.integer)):
        if not 2 <= folds <= n:
            raise ValueError(f"folds must be between 2 and the number of samples, {n}, got {folds}")
        return np.array_split(np.random.default_rng(rng).permutation(n), int(folds))
    found = [np.asarray(fold) for fold in folds]
    for k, fold in enumerate(found):
        inside = fold.ndim == 1 and fold.size and fold.dtype.kind in "iu"
        if not inside or fold.min() < 0 or fold.max() >= n:
            raise ValueError(f"folds[{k}] must be a non-empty list of samples 0 .. {n - 1}")
    if len(found) < 2:
        raise ValueError(f"folds must be at least 2, got {len(found)}")
    return found
