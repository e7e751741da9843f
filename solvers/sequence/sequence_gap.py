"""The gap of every system of a sequence, mostly without computing it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .spectrum import extreme_eigenvalues

Vector = NDArray[np.float64]
Estimate = Callable[[Any], tuple[float, float]]
"""From a matrix to its gap lambda_min(D^-1 A) and the cost of finding it, in products with A."""

_BUDGET = 0.03  # of the solves' products may go into estimates
_FALL = 0.3  # a gap that is this factor below the reference's is estimated anew
_LANCZOS_STEPS = 25
_SAMPLE = 64  # off-diagonal entries that are compared before all of them are


@dataclass(frozen=True)
class _Reference:
    """A matrix whose gap is known."""

    indptr: NDArray[Any]
    indices: NDArray[Any]
    data: Vector
    diagonal: NDArray[Any]  # places of the diagonal in data
    sample: NDArray[Any]  # a few places off it, of entries that are not 0
    median: float  # of the diagonal
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
        reference = self._reference
        if reference is None:
            return self._anew(A)
        relation = _relation(reference, A)
        if relation is None:
            affordable = _BUDGET * self._earned >= self._price
            return self._anew(A) if affordable else reference.gap
        alpha, c = relation
        median = alpha * reference.median
        gap = (reference.gap * median + c) / max(median + c, 1e-300)
        if gap <= _FALL * reference.gap and (gap <= 0.0 or _BUDGET * self._earned >= self._price):
            return self._anew(A)
        return gap

    def solved(self, products: float) -> None:
        """A solve took this many products."""
        self._earned += products

    def state_dict(self) -> dict[str, Any]:
        """The reference and the accounts, in the types of JSON."""
        reference = self._reference
        return {
            "products": self.products,
            "earned": self._earned,
            "price": self._price,
            "reference": None
            if reference is None
            else {name: np.asarray(value).tolist() for name, value in vars(reference).items()},
        }

    def load_state(self, state: dict[str, Any]) -> None:
        """Go on with a saved reference."""
        self.products, self._earned, self._price = state["products"], state["earned"], state["price"]
        saved = state["reference"]
        if saved is not None:
            saved = {
                name: np.array(value) if isinstance(value, list) else value for name, value in saved.items()
            }
            self._reference = _Reference(**saved)

    def _anew(self, A: Any) -> float:
        gap, price = self._estimate(A)
        if not np.isfinite(gap):
            return 1.0  # no positive diagonal: no method for positive definite matrices gets anywhere
        rows = np.repeat(np.arange(A.shape[0]), np.diff(A.indptr))
        diagonal = np.flatnonzero(A.indices == rows)
        median = float(np.median(A.data[diagonal]))
        beside = np.flatnonzero((A.indices != rows) & (A.data != 0.0))
        sample = beside[:: max(beside.size // _SAMPLE, 1)]
        self._reference = _Reference(A.indptr, A.indices, A.data.copy(), diagonal, sample, median, gap)
        self.products += price
        self._price, self._earned = price, 0.0
        return gap


def _relation(reference: _Reference, A: Any) -> tuple[float, float] | None:
    """(alpha, c) with A = alpha A_0 + c I to rounding, or None."""
    if not (_same(A.indptr, reference.indptr) and _same(A.indices, reference.indices)):
        return None
    old, places = reference.data, reference.diagonal
    if places.size != A.shape[0]:
        return None
    if reference.sample.size == 0:
        return None
    ratios = A.data[reference.sample] / old[reference.sample]
    alpha = float(ratios[0])
    if not alpha > 0.0 or np.ptp(ratios) > 1e-8 * alpha:  # a look at a few entries first
        return None
    difference = A.data - alpha * old
    shifts = difference[places]
    c = float(shifts[0])
    slack = 1e-10 * float(np.abs(A.data).max())
    difference[places] -= c
    return (alpha, c) if np.abs(difference).max() <= slack else None


def _same(one: NDArray[Any], other: NDArray[Any]) -> bool:
    if one.size != other.size:
        return False
    return one is other or np.shares_memory(one, other) or np.array_equal(one, other)


def lanczos_gap(A: Any) -> tuple[float, float]:
    """The gap by a few Lanczos steps, and the products that they took.

    Never below the true one. Where it is too large, it is so by a factor that a learner's scalar takes up.
    """
    spectrum = extreme_eigenvalues(A, steps=_LANCZOS_STEPS)
    return spectrum.smallest, spectrum.work
