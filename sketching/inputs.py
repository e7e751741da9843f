"""What every sketching routine asks of its arguments, checked before any work."""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

Matrix = Any  # ndarray, csr_array, csc_array or LinearOperator

_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))


def matrix(
    A: Any, name: str = "A", *, square: bool = False, symmetric: bool = False, finite: bool = True
) -> Matrix:
    """A as a real matrix that the routines can work with; not copied where it is one already.

    Parameters
    ----------
    A : array_like, sparse array or matrix, or LinearOperator
        Two-dimensional. float32 stays, everything else real becomes float64; sparse formats other than CSR
        and CSC become CSR, and repeated entries are added up.
    name : str
        The argument's name, for messages.
    square, symmetric : bool
        Require it. Symmetry of a LinearOperator cannot be seen and is taken on trust.

    finite : bool
        Look at the entries. A caller that takes the norm of A anyway need not: see `check_finite`.

    Returns
    -------
    ndarray, csr_array, csc_array or LinearOperator

    Raises
    ------
    TypeError
        Where A is not a real matrix.
    ValueError
        Wrong number of dimensions, no rows or columns, non-finite entries, not square or not symmetric where
        that is asked for.
    """
    if isinstance(A, LinearOperator):
        result: Matrix = A
        if A.dtype is not None and np.dtype(A.dtype).kind == "c":
            raise TypeError(f"{name} is a complex LinearOperator; a real one is wanted")
    elif sp.issparse(A):
        result = _sparse(A, name)
    else:
        result = _real(A, name)
    _check_shape(result.shape, name, square or symmetric)
    if not isinstance(result, LinearOperator):
        if finite:
            check_finite(result, name)
        if symmetric:
            _check_symmetric(result, name)
    return result


def vector(b: Any, length: int, name: str = "b") -> np.ndarray:
    """B as a finite float vector of this length; float32 stays, everything else becomes float64."""
    result = _real(b, name)
    if result.shape != (length,):
        raise ValueError(f"{name} has shape {result.shape}; ({length},) is wanted")
    check_finite(result, name)
    return result


def right_hand_sides(b: Any, rows: int, name: str = "b") -> np.ndarray:
    """B as one finite vector of this length, or as several in the columns of a matrix."""
    result = _real(b, name)
    if result.ndim not in (1, 2) or result.shape[0] != rows or (result.ndim == 2 and result.shape[1] == 0):
        raise ValueError(
            f"{name} has shape {result.shape}; ({rows},) or ({rows}, right-hand sides) is wanted"
        )
    check_finite(result, name)
    return result


def rng_of(rng: Any) -> np.random.Generator:
    """The generator that ``rng`` stands for (SPEC 7): None, a seed or a Generator."""
    try:
        return np.random.default_rng(rng)
    except (TypeError, ValueError) as error:
        raise type(error)(f"rng is {rng!r}; None, a seed or a numpy.random.Generator is wanted") from None


def whole(value: Any, name: str, least: int = 1) -> int:
    """An integer argument with a lower limit."""
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise TypeError(f"{name} is {value!r}; a whole number is wanted")
    if value < least:
        raise ValueError(f"{name} is {value}; at least {least} is wanted")
    return int(value)


def _real(A: Any, name: str) -> np.ndarray:
    result = np.asarray(A)
    if result.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {result.dtype}; real numbers are wanted")
    if result.dtype not in _FLOATS:
        result = result.astype(np.float64)
    # A field of a record array may stand at odd addresses, which the kernels do not read.
    return result if result.flags.aligned else result.copy()


def _sparse(A: Any, name: str) -> Any:
    if A.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {A.dtype}; real numbers are wanted")
    if A.ndim != 2:
        raise ValueError(f"{name} has shape {A.shape}; a matrix, with two dimensions, is wanted")
    result = sp.csc_array(A) if A.format == "csc" else sp.csr_array(A)
    if result.dtype not in _FLOATS:
        result = result.astype(np.float64)
    if not result.has_canonical_format:
        result = result.copy()
        result.sum_duplicates()
    return result


def _check_shape(shape: tuple[int, ...], name: str, square: bool) -> None:
    if len(shape) != 2:
        raise ValueError(f"{name} has shape {shape}; a matrix, with two dimensions, is wanted")
    if 0 in shape:
        raise ValueError(f"{name} has shape {shape}: it is empty")
    if square and shape[0] != shape[1]:
        raise ValueError(f"{name} has shape {shape}; a square matrix is wanted")


def check_finite(A: Any, name: str) -> None:
    """ValueError where an array or sparse array has entries that are not finite; says where the first is."""
    values = A if isinstance(A, np.ndarray) else A.data
    # The sum is finite unless an entry is not (or it overflows): one pass, no temporary.
    with np.errstate(all="ignore"):
        if np.isfinite(values.sum()):
            return
    wrong = np.argwhere(~np.isfinite(values))
    if wrong.size == 0:
        return
    first = wrong[0]
    if A is not values:
        A = A.tocoo()
        first = (A.row[first[0]], A.col[first[0]])
    place = ", ".join(map(str, first))
    raise ValueError(f"{name} has {len(wrong)} entries that are not finite, the first at ({place})")


def _check_symmetric(A: Matrix, name: str) -> None:
    difference, scale = abs(A - A.T).max(), abs(A).max()
    if difference > 1e3 * np.finfo(A.dtype).eps * scale:
        raise ValueError(f"{name} is not symmetric: |A - A'| is {difference:.3g} where |A| is {scale:.3g}")
