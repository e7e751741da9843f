"""The digits of the data that the Fortran decoder hands on."""

from __future__ import annotations

import numpy as np

_EXACT_IN_SINGLE = 2**24


def cutest_rounded(values: np.ndarray) -> np.ndarray:
    """Round to 11 significant digits, as the decoder does by printing with ``%.10e``.

    Infinite values and NaN stay. Distinct values are printed once: large problems have few.
    """
    distinct, place = np.unique(values, return_inverse=True)
    rounded = np.array([float(f"{value:.10e}") for value in distinct.tolist()], dtype=np.float64)
    return rounded[place]


def cutest_real(integer: int) -> float:
    """An integer parameter as a real one: the decoder's conversion is to single precision."""
    return float(integer) if abs(integer) <= _EXACT_IN_SINGLE else float(np.float32(integer))
