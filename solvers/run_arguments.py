"""Checks of what every public call takes beside its problem: limits and randomness."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np


def check_limits(tol: Any, max_time: Any, max_iterations: Any, *, positive: bool) -> None:
    """Raise where tol, max_time (seconds) or max_iterations are no limits; the first and last may be None.

    Parameters
    ----------
    tol, max_time, max_iterations
        As given by the user.
    positive : bool
        Whether tol and max_time must be above 0, not only at least 0.

    Raises
    ------
    TypeError, ValueError
        Not numbers; too small, or NaN.
    """
    sign = ">" if positive else ">="
    for name, value in (("tol", tol), ("max_time", max_time)):
        if value is None and name == "tol":
            continue
        if isinstance(value, bool) or not isinstance(value, Real):
            raise TypeError(f"{name} must be a number, got {value!r}")
        if not (float(value) > 0 if positive else float(value) >= 0):
            raise ValueError(f"{name} must be a number {sign} 0, got {value}")
    if max_iterations is None:
        return
    if isinstance(max_iterations, bool) or not isinstance(max_iterations, Integral):
        raise TypeError(f"max_iterations must be an integer, got {max_iterations!r}")
    if max_iterations < 0:
        raise ValueError(f"max_iterations must be >= 0, got {max_iterations}")


def as_generator(rng: Any) -> np.random.Generator:
    """``np.random.default_rng(rng)``, with the argument's name in its errors."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"rng must be a Generator or a seed of one, got {rng!r}") from None
