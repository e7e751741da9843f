"""Checks of what comes in: names the argument, what came and what is wanted."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..validation import as_real_array
from .protocol import Array


def finite_array(name: str, value: Any, dimensions: tuple[int, ...] = (1,)) -> Array:
    """A float64 copy with as many dimensions as wanted and no NaN or Inf."""
    array = as_real_array(name, value)
    if array.ndim not in dimensions:
        wanted = " or ".join(f"{d}-dimensional" for d in dimensions)
        raise ValueError(f"{name} must be {wanted}, got shape {array.shape}")
    finite = np.isfinite(array)
    if not finite.all():
        where = np.unravel_index(int(np.argmin(finite)), array.shape) if array.ndim else ()
        at = f"[{', '.join(str(int(i)) for i in where)}]" if where else ""
        raise ValueError(f"{name}{at} is {array[where]}; {name} must be finite")
    if array.ndim and array.shape[0] == 0:
        raise ValueError(f"{name} must not be empty, got shape {array.shape}")
    return array


def sample_weights(value: Any, n: int) -> Array:
    """Weights of the samples, ones where None."""
    if value is None:
        return np.ones(n)
    weights = finite_array("weights", value)
    if weights.shape != (n,):
        raise ValueError(f"weights must have shape ({n},), one for every sample, got {weights.shape}")
    if (weights < 0).any():
        i = int(np.argmin(weights))
        raise ValueError(f"weights must not be negative, got weights[{i}] = {weights[i]:g}")
    if not weights.any():
        raise ValueError("weights must not all be zero")
    return weights


def level(name: str, value: Any, least: float = 0.0, strict: bool = False, array: bool = True) -> Array:
    """A level or factor, one number or one for every coordinate, not below `least`."""
    found = finite_array(name, value, (0, 1) if array else (0,))
    if (found < least).any() or (strict and (found <= least).any()):
        sign = ">" if strict else ">="
        raise ValueError(f"{name} must be {sign} {least:g}, got {found.min():g}")
    return found


def check_size(name: str, array: Array, p: int) -> None:
    """Raise where an array that is to have one entry for every coordinate does not."""
    if array.ndim and array.shape != (p,):
        raise ValueError(f"{name} must be one number or have shape ({p},), got {array.shape}")
