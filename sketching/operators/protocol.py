"""The protocol of sketch operators: what can be done with any of them, and how inputs reach the kernels."""

from __future__ import annotations

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from ..inputs import whole

# Columns (or rows) of what is given only as an operator, or has to be made dense, taken at a time.
_PANEL = 64


class Sketch(ABC):
    """A random matrix S of shape (d, n) with E[S'S] = I.

    ``S @ A`` sketches a matrix or vector with n rows, ``S.T @ B`` applies the adjoint, ``A @ S.T`` sketches
    from the right. A may be an ndarray of any memory order, a sparse array or (not from the right) a
    LinearOperator. The result is a dense array (a sketch is dense, whatever the matrix was) of A's
    floating-point type, of float64 for an operator.

    Entries of A are not looked at: NaN and Inf come through.
    """

    __array_ufunc__ = None  # ndarray @ S asks S, not every element

    def __init__(self, d: int, n: int) -> None:
        self.shape: tuple[int, int] = (d, n)

    @classmethod
    @abstractmethod
    def sample(cls, rng: Any, d: int, n: int) -> Self:
        """Draw one of shape (d, n) from ``rng``: None, a seed or a numpy.random.Generator."""

    def __repr__(self) -> str:
        return f"{type(self).__name__}(d={self.shape[0]}, n={self.shape[1]})"

    def __matmul__(self, A: Any) -> np.ndarray:
        return self.apply(A)

    def __rmatmul__(self, A: Any) -> np.ndarray:
        return np.asarray(self.apply_adjoint(A.T).T)

    @property
    def T(self) -> AdjointSketch:
        """The adjoint S', of shape (n, d)."""
        return AdjointSketch(self)

    def apply(self, A: Any, *, workers: int | None = 1, row_scale: np.ndarray | None = None) -> np.ndarray:
        """S A, or S diag(row_scale) A.

        Parameters
        ----------
        A : ndarray, sparse array or LinearOperator, shape (n,) or (n, k)
            What to sketch.
        workers : int or None
            Threads; None: as many as the process may use. The bits of the result do not depend on it.
        row_scale : ndarray, shape (n,), optional
            Factors of A's rows, as weights of a least-squares problem need them; A is not copied for it, or
            only a part at a time.

        Returns
        -------
        ndarray, shape (d,) or (d, k)

        Raises
        ------
        TypeError, ValueError
            Where A is not real or does not have n rows.
        """
        A = _operand(A, self.shape[1], "A")
        if row_scale is not None and row_scale.shape != (self.shape[1],):
            raise ValueError(f"row_scale has shape {row_scale.shape}; ({self.shape[1]},) is wanted")
        threads = worker_count(workers)
        if isinstance(A, LinearOperator):
            return self._apply_operator(A, row_scale, threads)
        if sp.issparse(A):
            return self._apply_sparse(A, row_scale, threads)
        result = self._apply(A if A.ndim == 2 else A[:, None], row_scale, threads)
        return result if A.ndim == 2 else result[:, 0]

    def apply_adjoint(self, B: Any, *, workers: int | None = 1) -> np.ndarray:
        """S' B for B of shape (d,) or (d, k); arguments and errors as in `apply`."""
        B = _operand(B, self.shape[0], "B")
        if isinstance(B, LinearOperator):
            B = B @ np.eye(B.shape[1])
        elif sp.issparse(B):
            B = B.toarray()
        result = self._apply_adjoint(B if B.ndim == 2 else B[:, None], worker_count(workers))
        return result if B.ndim == 2 else result[:, 0]

    def as_linear_operator(self, dtype: Any = np.float64) -> LinearOperator:
        """S as scipy's LinearOperator."""
        return LinearOperator(
            shape=self.shape,
            dtype=np.dtype(dtype),
            matvec=self.apply,
            rmatvec=self.apply_adjoint,
            matmat=self.apply,
            rmatmat=self.apply_adjoint,
        )

    def toarray(self) -> np.ndarray:
        """S as a dense array, for looking at it."""
        return self.apply_adjoint(np.eye(self.shape[0])).T.copy()

    @abstractmethod
    def _apply(self, A: np.ndarray, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        """S diag(row_scale) A for a dense A of shape (n, k), any memory order."""

    @abstractmethod
    def _apply_adjoint(self, B: np.ndarray, workers: int) -> np.ndarray:
        """S' B for a dense B of shape (d, k), any memory order."""

    def _apply_sparse(self, A: Any, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        """The same for a CSR or CSC array: dense a few columns at a time, unless a subclass knows better."""
        columns = sp.csc_array(A)
        out = np.empty((self.shape[0], A.shape[1]), dtype=A.dtype)
        for panel in panels(A.shape[1]):
            out[:, panel] = self._apply(columns[:, panel].toarray(order="F"), row_scale, workers)
        return out

    def _apply_operator(self, A: LinearOperator, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        """The same for an operator: (A' S')', a few rows of S at a time."""
        out = np.empty((self.shape[0], A.shape[1]))
        for panel in panels(self.shape[0]):
            unit = np.zeros((self.shape[0], panel.stop - panel.start))
            unit[np.arange(panel.start, panel.stop), np.arange(unit.shape[1])] = 1.0
            rows = self._apply_adjoint(unit, workers)
            if row_scale is not None:
                rows *= row_scale[:, None]
            out[panel] = A.rmatmat(rows).T
        return out


class AdjointSketch:
    """S', as ``S.T`` gives it."""

    __array_ufunc__ = None

    def __init__(self, sketch: Sketch) -> None:
        self.T = sketch
        self.shape = sketch.shape[::-1]

    def __repr__(self) -> str:
        return f"{self.T!r}.T"

    def __matmul__(self, B: Any) -> np.ndarray:
        return self.T.apply_adjoint(B)

    def __rmatmul__(self, A: Any) -> np.ndarray:
        return np.asarray(self.T.apply(A.T).T)


def sizes(d: Any, n: Any) -> tuple[int, int]:
    """Checked numbers of rows and columns of a sketch."""
    return whole(d, "d"), whole(n, "n")


def worker_count(workers: int | None) -> int:
    """Number of threads that ``workers`` stands for."""
    if workers is not None:
        return whole(workers, "workers")
    usable = getattr(os, "sched_getaffinity", None)  # absent on macOS and Windows
    return len(usable(0)) if usable is not None else os.cpu_count() or 1


def panels(count: int) -> Iterable[slice]:
    """0 .. count in slices of a few."""
    return (slice(i, min(i + _PANEL, count)) for i in range(0, count, _PANEL))


def in_threads(workers: int, task: Callable[..., None], arguments: list[tuple[Any, ...]]) -> None:
    """Call the task with each of the arguments, on several threads where there are several of both."""
    if workers == 1 or len(arguments) < 2:
        for each in arguments:
            task(*each)
        return
    with ThreadPoolExecutor(min(workers, len(arguments))) as pool:
        for done in [pool.submit(task, *each) for each in arguments]:
            done.result()


def _operand(A: Any, rows: int, name: str) -> Any:
    """A in a form that the methods above take, with this many rows."""
    if isinstance(A, LinearOperator):
        result: Any = A
        if A.dtype is not None and np.dtype(A.dtype).kind == "c":
            raise TypeError(f"{name} is a complex LinearOperator; a real one is wanted")
    elif sp.issparse(A) and A.ndim == 2:
        result = A if A.format in ("csr", "csc") else A.tocsr()
        result = _floating(result, name)
    else:
        result = _floating(A.toarray() if sp.issparse(A) else np.asarray(A), name)
        result = result if result.flags.aligned else result.copy()
    if result.ndim not in (1, 2) or result.shape[0] != rows:
        raise ValueError(f"{name} has shape {result.shape}; {rows} rows are wanted")
    return result


def _floating(A: Any, name: str) -> Any:
    if A.dtype.kind not in "biuf":
        raise TypeError(f"{name} has dtype {A.dtype}; real numbers are wanted")
    return A if A.dtype in (np.float32, np.float64) else A.astype(np.float64)
