"""Regret: what learning cost, against what could have been known in hindsight."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Regret:
    """Losses of a run beside those of hindsight.

    Attributes
    ----------
    total : float
        Sum of the losses.
    best_fixed : float
        Sum for the arm that is best over the whole sequence.
    best_arm : int
        That arm.
    instance_optimum : float
        Sum of each system's least loss.
    curve : ndarray, shape (T,)
        Regret against the best fixed arm after each system.
    """

    total: float
    best_fixed: float
    best_arm: int
    instance_optimum: float
    curve: Vector

    @property
    def against_best_fixed(self) -> float:
        """Losses above the best fixed arm's; negative where contexts helped."""
        return self.total - self.best_fixed

    @property
    def against_instance_optimum(self) -> float:
        """Losses above the least ones."""
        return self.total - self.instance_optimum


def regret(losses: ArrayLike, table: ArrayLike) -> Regret:
    """Compare the losses of a run with all that could have been had.

    Parameters
    ----------
    losses : array_like, shape (T,)
        Of the run.
    table : array_like, shape (T, arms)
        Loss of every arm on every system; see `hindsight.losses_of_all`.

    Raises
    ------
    ValueError
        Shapes that do not fit, or losses that are not numbers.
    """
    had, could = np.asarray(losses, dtype=np.float64), np.asarray(table, dtype=np.float64)
    if had.ndim != 1 or could.ndim != 2 or could.shape[0] != had.size or could.size == 0:
        raise ValueError(f"losses must be of shape (T,), table (T, arms), got {had.shape} and {could.shape}")
    if np.isnan(had).any() or np.isnan(could).any():
        raise ValueError("losses and table must not hold NaN; a failed solve counts its limit")
    totals = could.sum(axis=0)
    best = int(np.argmin(totals))
    return Regret(
        total=float(had.sum()),
        best_fixed=float(totals[best]),
        best_arm=best,
        instance_optimum=float(could.min(axis=1).sum()),
        curve=np.cumsum(had - could[:, best]),
    )
