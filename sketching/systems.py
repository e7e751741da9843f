"""The system min ||W^(1/2) (b - A x)||^2 + damp^2 ||x||^2 and its products, whatever A is made of.

All that the iterations need is the gradient A'W(b - A x) - damp^2 x, in one pass over A where possible. Sums
run over a partition of the rows that depends on A's shape alone: the bits do not depend on the threads.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator

from .operators.protocol import Sketch, in_threads
from .products import adjoint_times, dtype_of, scaled_rows, times

# Numbers of a matrix that one task works on at least, and the most tasks.
_GRAIN, _MOST_TASKS = 1 << 18, 16
# Rows taken at a time with several right-hand sides.
_CHUNK = 2048


class LeastSquaresSystem:
    """A, weights and damping, with counted passes over A.

    Parameters
    ----------
    A : ndarray, csr_array, csc_array or LinearOperator, shape (m, n)
        Checked beforehand (`inputs.matrix`).
    weights : ndarray, shape (m,), or None
        Diagonal of W.
    damp : float
        Square root of the ridge parameter.
    workers : int
        Threads.

    Attributes
    ----------
    shape : (int, int)
        Of A.
    dtype : dtype
        float32 or float64.
    passes : int
        How often A has been gone through (a product with A and one with A' in a single pass count as one;
        a LinearOperator counts one for each pair of products).
    """

    def __init__(self, A: Any, weights: np.ndarray | None, damp: float, workers: int) -> None:
        self.A, self.damp, self.workers = A, damp, workers
        self.shape: tuple[int, int] = A.shape
        self.dtype = dtype_of(A)
        self.weights = None if weights is None else np.ascontiguousarray(weights, dtype=self.dtype)
        self.passes = 0
        self._last: tuple[np.ndarray, np.ndarray, np.ndarray, Any] | None = None
        self._transposed = A.T.tocsr() if sp.issparse(A) and A.format == "csc" else None

    @property
    def eps(self) -> float:
        """Unit roundoff of the working type."""
        return float(np.finfo(self.dtype).eps) / 2

    def gradient(self, x: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, Any]:
        """A'W(b - A x) - damp^2 x, and the residual norms ||W^(1/2)(b - A x)||.

        Parameters
        ----------
        x : ndarray, shape (n,) or (n, p)
            Where.
        b : ndarray, shape (m,) or (m, p)
            Right-hand sides.

        Returns
        -------
        gradient : ndarray, shape (n,) or (n, p)
        norm : float or ndarray of shape (p,)
        """
        # A method's last check and the final judgement ask for the same point; nobody writes into x or b.
        if self._last is not None and self._last[0] is x and self._last[1] is b:
            return self._last[2:]
        self.passes += 1
        if x.ndim == 1 and self._has_kernel:
            gradient, squares = self._one_pass(x, b)
        else:
            gradient, squares = self._two_products(x, b)
        if self.damp:
            gradient = gradient - self.damp**2 * x
        norm = np.sqrt(squares)
        self._last = (x, b, gradient, norm)
        return gradient, norm

    def gram(self, x: np.ndarray, zero: np.ndarray) -> np.ndarray:
        """(A'WA + damp^2 I) x; ``zero`` is a zero right-hand side, which the caller keeps."""
        return -self.gradient(x, zero)[0]

    def sketch(self, S: Sketch) -> np.ndarray:
        """S W^(1/2) A as a new dense array."""
        self.passes += 1
        sketched = S.apply(self.A, workers=self.workers, row_scale=self._root_weights())
        if isinstance(self.A, LinearOperator) and not np.all(np.isfinite(sketched)):
            raise ValueError("the operator A has products that are not finite; finite ones are wanted")
        return sketched

    def sketch_right_hand_side(self, S: Sketch, b: np.ndarray) -> np.ndarray:
        """S W^(1/2) b."""
        return S.apply(b, workers=self.workers, row_scale=self._root_weights())

    def _root_weights(self) -> np.ndarray | None:
        return None if self.weights is None else np.sqrt(self.weights)

    @property
    def _has_kernel(self) -> bool:
        if isinstance(self.A, np.ndarray):
            return bool(self.A.flags.c_contiguous or self.A.flags.f_contiguous)
        return bool(sp.issparse(self.A) and self.A.format == "csr")

    def _one_pass(self, x: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, float]:
        from .residual_kernels import gradient_of_columns, gradient_of_rows, gradient_of_sparse_rows

        A = self.A
        arrays: tuple[Any, ...]
        if isinstance(A, np.ndarray):
            kernel = gradient_of_rows if A.flags.c_contiguous else gradient_of_columns
            arrays, entries = (A,), A.size
        else:
            kernel, arrays, entries = gradient_of_sparse_rows, (A.data, A.indices, A.indptr), A.nnz
        weights = np.ones(1, dtype=self.dtype) if self.weights is None else self.weights
        tasks = min(_MOST_TASKS, 1 + entries // _GRAIN)
        ends = np.linspace(0, self.shape[0], tasks + 1).astype(int).tolist()
        partial = np.zeros((tasks, self.shape[1]), dtype=self.dtype)
        squares = np.zeros(tasks)
        x = np.ascontiguousarray(x, dtype=self.dtype)

        def run(task: int) -> None:
            squares[task] = kernel(*arrays, x, b, weights, ends[task], ends[task + 1], partial[task])

        in_threads(self.workers, run, [(task,) for task in range(tasks)])
        return partial.sum(axis=0), float(squares.sum())

    def _two_products(self, x: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, Any]:
        A = self.A
        if isinstance(A, np.ndarray) and x.ndim == 2:
            return self._chunked_products(x, b)
        operator = isinstance(A, LinearOperator)
        residual = b - (times(A, x) if operator else A @ x)
        weighted = scaled_rows(residual, self.weights)
        squares = np.sum(weighted * residual, axis=0, dtype=np.float64)
        if operator:
            return adjoint_times(A, weighted), squares
        return (A.T if self._transposed is None else self._transposed) @ weighted, squares

    def _chunked_products(self, x: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gradient = np.zeros_like(x)
        squares = np.zeros(x.shape[1])
        for low in range(0, self.shape[0], _CHUNK):
            rows = slice(low, low + _CHUNK)
            residual = b[rows] - self.A[rows] @ x
            weighted = scaled_rows(residual, None if self.weights is None else self.weights[rows])
            squares += np.einsum("ij,ij->j", weighted, residual)
            gradient += self.A[rows].T @ weighted
        return gradient, squares
