"""Performance profiles, data profiles and shifted geometric means.

E. D. Dolan and J. J. More, "Benchmarking optimization software with performance profiles", Mathematical
Programming 91 (2002), 201-213. J. J. More and S. M. Wild, "Benchmarking derivative-free optimization
algorithms", SIAM Journal on Optimization 20 (2009), 172-191.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from ..problems.nlp import Vector


@dataclass(frozen=True)
class Curve:
    """A distribution function: steps up at `x` to `y`.

    Attributes
    ----------
    x : ndarray, shape (k,)
        Where it steps, ascending.
    y : ndarray, shape (k,)
        Fraction of the problems reached there.
    """

    x: Vector
    y: Vector

    def at(self, x: float) -> float:
        """Its value at x."""
        position = int(np.searchsorted(self.x, x, side="right"))
        return float(self.y[position - 1]) if position else 0.0


def _distribution(values: Vector) -> Curve:
    """Fraction of all values, the infinite ones included, that are at most x."""
    reached = np.sort(values[np.isfinite(values)])
    x, counts = np.unique(reached, return_counts=True)
    return Curve(x, np.cumsum(counts) / max(1, values.size))


def performance_profile(costs: Vector) -> list[Curve]:
    """Fraction of problems that each solver solves within a factor of the best solver.

    Parameters
    ----------
    costs : ndarray, shape (problems, solvers)
        Positive costs; inf where a solver failed.

    Returns
    -------
    list of Curve
        One per solver over the factor tau >= 1 (Dolan & More, eq. 2.2). A problem that nobody solves counts
        in the denominator.

    Raises
    ------
    ValueError
        A cost that is NaN or not positive.
    """
    costs = np.asarray(costs, dtype=float)
    if costs.ndim != 2 or np.isnan(costs).any() or (costs <= 0).any():
        raise ValueError("costs must be a matrix of positive numbers, inf for a failure")
    if not costs.size:
        return [Curve(np.zeros(0), np.zeros(0)) for _ in range(costs.shape[1])]
    best = costs.min(axis=1, keepdims=True)
    with np.errstate(invalid="ignore"):
        ratios = np.where(np.isfinite(costs), costs / best, np.inf)
    return [_distribution(column) for column in ratios.T]


def solved_over(costs: Vector) -> list[Curve]:
    """Fraction of problems that each solver solves at a cost of at most x: no comparison with others.

    Parameters
    ----------
    costs : ndarray, shape (problems, solvers)
        Costs; inf where a solver failed.
    """
    return [_distribution(column) for column in np.asarray(costs, dtype=float).T]


History = Sequence[Sequence[float]]


def evaluations_to_accuracy(histories: Sequence[History], known: float | None, tau: float) -> Vector:
    """Evaluations that each solver needs on one problem to come within tau of the best objective.

    Parameters
    ----------
    histories : sequence of history
        Per solver its improvements: rows of evaluations, seconds, f, violation.
    known : float or None
        Best known objective, should no solver have found it.
    tau : float
        Accuracy in (0, 1).

    Returns
    -------
    ndarray, shape (solvers,)
        inf where it is not reached.

    Notes
    -----
    The test is that of More & Wild (eq. 2.2), ``f <= f_L + tau (f_0 - f_L)``, at feasible points (violation
    up to 1e-6). Where the start lies below ``f_L`` (it is infeasible then), ``max(1, |f_L|)`` takes the place
    of ``f_0 - f_L``.
    """
    feasible = [[entry for entry in history if entry[3] <= 1e-6] for history in histories]
    values = [entry[2] for history in feasible for entry in history]
    if not values:
        return np.full(len(histories), np.inf)
    least = min(values) if known is None else min(*values, known)
    start = max(history[0][2] for history in histories if history)
    scale = start - least if start > least else max(1.0, abs(least))
    threshold = least + tau * scale
    return np.array(
        [next((entry[0] for entry in history if entry[2] <= threshold), np.inf) for history in feasible]
    )


def shifted_geometric_mean(values: Vector, shift: float) -> float:
    """``exp(mean(log(v + shift))) - shift``; NaN of nothing."""
    values = np.asarray(values, dtype=float)
    if not values.size:
        return float("nan")
    return float(np.exp(np.mean(np.log(values + shift))) - shift)
