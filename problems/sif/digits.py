"""The digits of the data that the Fortran decoder hands on."""

from __future__ import annotations

import numpy as np


def cutest_rounded(values: np.ndarray) -> np.ndarray:
    """Round to 11 significant digits, as the decoder does by printing with ``%.10e``.

    Infinite values and NaN stay. Distinct values are printed once: large problems have few.
    """
    distinct, place = np.unique(values, return_inverse=True)
    rounded = np.array([float(f"{value:.10e}") for value in distinct.tolist()], dtype=np.float64)
    return rounded[place]
