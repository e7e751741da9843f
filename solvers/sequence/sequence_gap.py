"""The gap of every system of a sequence, mostly without computing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]
Estimate = Callable[[Any], tuple[float, float]]
"""From a matrix to its gap lambda_min(D^-1 A) and the cost of finding it, in products with A."""

_BUDGET = 0.03  # of the solves' products may go into estimates
_FALL = 0.3  # a gap that is this factor below the reference's is estimated anew
_SAMPLE = 64  # off-diagonal entries that are compared before all of them are


@dataclass(frozen=True)
class _Reference:
    """A matrix whose gap is known."""

    indptr: NDArray[Any]
    indices: NDArray[Any]
    off_diagonal: Vector  # A's entries with those of the diagonal set to 0
    diagonal: Vector
    median: float
    gap: float


class GapTracker:
    """delta_t = lambda_min(D_t^-1 A_t) along a sequence.

    Where A_t = alpha A_0 + c I, which covers shifts, time steps and coefficients that vary in time, it is
    (alpha lambda d + c)/(alpha d + c) with lambda that of A_0 and d its median diagonal: exact for constant
    diagonals. Everywhere else it is estimated, within a small share of the products that the solves take, and
    the last estimate stands in between.

    Parameters
    ----------
    estimate : callable
        From a matrix to its gap and the cost, in products.
    """

    def __init__(self, estimate: Estimate) -> None:
        self._estimate = estimate
        self._reference: _Reference | None = None
        self.products = 0.0  # spent on estimates
        self._earned = 0.0  # products of solves since the last estimate
        self._price = 0.0

    def gap(self, A: Any) -> float:
        """The gap of the next system's matrix (CSR, sorted)."""
        parts = _parts(A)
        reference = self._reference
        if reference is None:
            return self._anew(A, parts)
        relation = _relation(reference, A, parts)
        if relation is None:
            affordable = _BUDGET * self._earned >= self._price
            return self._anew(A, parts) if affordable else reference.gap
        alpha, c = relation
        numerator = alpha * reference.gap * reference.median + c
        gap = numerator / (alpha * reference.median + c)
        if gap <= _FALL * reference.gap and (gap <= 0.0 or _BUDGET * self._earned >= self._price):
            return self._anew(A, parts)
        return gap

    def solved(self, products: float) -> None:
        """A solve took this many products."""
        self._earned += products

    def _anew(self, A: Any, parts: tuple[Vector, Vector]) -> float:
        off_diagonal, diagonal = parts
        gap, price = self._estimate(A)
        self._reference = _Reference(
            A.indptr, A.indices, off_diagonal, diagonal, float(np.median(diagonal)), gap
        )
        self.products += price
        self._price, self._earned = price, 0.0
        return gap


def _parts(A: Any) -> tuple[Vector, Vector]:
    """Off-diagonal entries, zero at the places of the diagonal, and the diagonal."""
    rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
    return np.where(A.indices == rows, 0.0, A.data), A.diagonal()


def _relation(reference: _Reference, A: Any, parts: tuple[Vector, Vector]) -> tuple[float, float] | None:
    """(alpha, c) with A = alpha A_0 + c I to rounding, or None."""
    off_diagonal, diagonal = parts
    if not (_same(A.indptr, reference.indptr) and _same(A.indices, reference.indices)):
        return None
    old = reference.off_diagonal
    largest = int(np.argmax(np.abs(old))) if old.size else 0
    if old.size == 0 or old[largest] == 0.0:
        return None
    alpha = float(off_diagonal[largest] / old[largest])
    if not alpha > 0.0:
        return None
    slack = 1e-10 * alpha * abs(float(old[largest]))
    step = max(old.size // _SAMPLE, 1)
    for part in (slice(None, None, step), slice(None)):  # a look at a few entries first
        if not np.allclose(off_diagonal[part], alpha * old[part], rtol=1e-10, atol=slack):
            return None
    shifts = diagonal - alpha * reference.diagonal
    c = float(shifts[0])
    if np.abs(shifts - c).max() > 1e-10 * float(np.abs(diagonal).max()):
        return None
    return alpha, c


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    return one is other or np.shares_memory(one, other) or np.array_equal(one, other)
