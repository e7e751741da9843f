"""Checks of arrays that come from outside: names the argument, what came and what is wanted."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from .nlp import IndexVector, Vector


def as_real_array(name: str, value: Any) -> NDArray[np.float64]:
    """A float64 copy of `value`.

    Raises
    ------
    TypeError
        Complex, object, text or ragged data.
    """
    try:
        array = np.asarray(value)
    except ValueError as error:
        raise TypeError(f"{name} must be an array of real numbers, got ragged data: {error}") from None
    if array.dtype.kind not in "fiub":
        kind = {"c": "complex", "O": "object"}.get(array.dtype.kind, str(array.dtype))
        raise TypeError(f"{name} must hold real numbers, got {kind} values of type {type(value).__name__}")
    return np.array(array, dtype=np.float64)


def as_vector(name: str, value: Any, size: int | None = None) -> Vector:
    """A float64 copy of `value` as a vector (of length `size`).

    Raises
    ------
    TypeError
        Complex, object, text or ragged data.
    ValueError
        Wrong shape.
    """
    array = as_real_array(name, value)
    if array.ndim != 1:
        raise ValueError(f"{name} must be one-dimensional, got shape {array.shape}")
    if size is not None and array.size != size:
        raise ValueError(f"{name} must have shape ({size},), got {array.shape}")
    return array


def as_finite_vector(name: str, value: Any, size: int | None = None) -> Vector:
    """`as_vector`, of finite numbers.

    Raises
    ------
    TypeError, ValueError
        As `as_vector`; NaN or Inf, the first of them named.
    """
    vector = as_vector(name, value, size)
    if not np.isfinite(vector).all():
        i = int(np.argmin(np.isfinite(vector)))
        raise ValueError(f"{name} must be finite, got {name}[{i}] = {vector[i]}")
    return vector


def as_bounds(lower_name: str, upper_name: str, lower: Any, upper: Any, size: int) -> tuple[Vector, Vector]:
    """Float64 copies of a pair of bounds.

    Raises
    ------
    TypeError
        Complex, object, text or ragged data.
    ValueError
        Wrong shape, NaN, a lower bound above its upper one, +inf below or -inf above.
    """
    low, high = as_vector(lower_name, lower, size), as_vector(upper_name, upper, size)
    for name, bound, senseless in ((lower_name, low, np.inf), (upper_name, high, -np.inf)):
        for bad, what in ((np.isnan(bound), "NaN"), (bound == senseless, str(senseless))):
            if bad.any():
                raise ValueError(
                    f"{name}[{int(np.argmax(bad))}] is {what}; use -inf / inf where there is no bound"
                )
    crossed = low > high
    if crossed.any():
        i = int(np.argmax(crossed))
        raise ValueError(
            f"{lower_name}[{i}] = {low[i]:g} is above {upper_name}[{i}] = {high[i]:g}; "
            f"bounds must satisfy {lower_name} <= {upper_name}"
        )
    return low, high


def checked_scalar(oracle: str, value: Any) -> float:
    """`value`, which the oracle returned, as a float.

    Raises
    ------
    TypeError
        Not a real number.
    ValueError
        An array with other than one entry.
    """
    if isinstance(value, float | int):
        return float(value)
    array = _real(oracle, value, "a real number")
    if array.size != 1:
        raise ValueError(f"{oracle} must return a single number, got an array of shape {array.shape}")
    return float(array.reshape(-1)[0])


def checked_vector(oracle: str, value: Any, size: int) -> Vector:
    """A float64 copy of `value`, which the oracle returned.

    Raises
    ------
    TypeError
        Not an array of real numbers.
    ValueError
        Wrong shape.
    """
    array = _real(oracle, value, f"real numbers of shape ({size},)")
    if array.shape != (size,):
        raise ValueError(f"{oracle} must return shape ({size},), got {array.shape}")
    return np.array(array, dtype=np.float64)


def checked_structure(
    oracle: str, structure: Any, rows: int, columns: int, lower: bool = False
) -> tuple[IndexVector, IndexVector]:
    """``(indptr, indices)`` as int64, valid as a CSR pattern.

    Raises
    ------
    ValueError
        Not a sorted CSR pattern without duplicates of that shape (in the lower triangle if `lower`).
    """
    try:
        indptr, indices = (np.asarray(part).astype(np.int64, casting="same_kind") for part in structure)
    except (TypeError, ValueError):
        raise ValueError(f"{oracle} must return two arrays of integers (indptr, indices)") from None
    if (
        indptr.shape != (rows + 1,)
        or indptr[0] != 0
        or indptr[-1] != indices.size
        or (np.diff(indptr) < 0).any()
    ):
        raise ValueError(
            f"{oracle}: indptr must have shape ({rows + 1},) and rise from 0 to len(indices) = {indices.size}"
        )
    if indices.size == 0:
        return indptr, indices
    if indices.min() < 0 or indices.max() >= columns:
        raise ValueError(f"{oracle}: column indices must lie in 0..{columns - 1}")
    of_row = np.repeat(np.arange(rows), np.diff(indptr))
    if ((np.diff(indices) <= 0) & (of_row[1:] == of_row[:-1])).any():
        raise ValueError(f"{oracle}: column indices must rise within each row, without duplicates")
    if lower and (indices > of_row).any():
        raise ValueError(f"{oracle}: the pattern must lie in the lower triangle")
    return indptr, indices


def _real(oracle: str, value: Any, wanted: str) -> NDArray[Any]:
    """`value` as an array with a real number type."""
    try:
        array = np.asarray(value)
    except ValueError:
        raise TypeError(f"{oracle} must return {wanted}, got ragged data") from None
    if array.dtype.kind not in "fiub":
        kind = "complex values" if array.dtype.kind == "c" else f"{type(value).__name__} ({array.dtype})"
        raise TypeError(f"{oracle} must return {wanted}, got {kind}")
    return array
