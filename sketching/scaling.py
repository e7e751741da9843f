"""Powers of two that bring a least-squares problem into the middle of the range of its type."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from .backward_error import frobenius_norm

# Sizes, as powers of two, that are left alone.
_SINGLE, _DOUBLE = 30, 300


@dataclass(frozen=True)
class Scaling:
    """Exponents of the powers of two by which A, each column of b, and W^(1/2) are multiplied.

    What follows takes squares of norms and products of two norms, which leave the range of double precision
    at 1e154 and 1e-154. Powers of two change no other bit of the solution.
    """

    matrix: int
    columns: Any
    root_weights: int

    @classmethod
    def of(
        cls, A: Any, norm: float | None, b: np.ndarray, damp: float, weights: np.ndarray | None
    ) -> Scaling | None:
        """None where all is in range. ``norm`` is ||A||_F; None of an operator, which stays as it is."""
        limit = _SINGLE if A.dtype == np.float32 else _DOUBLE
        roots = 0 if weights is None else _exponent(float(weights.max()), limit) // 2
        matrix = 0
        if norm is not None:
            size = norm if 2.0**-limit < norm < 2.0**limit else float(abs(A).max())
            if roots:
                damp = float(np.ldexp(damp, roots))
            matrix = _exponent(max(size, damp), limit)
        # Of one right-hand side, the norm will do where it is in range: small systems are in a hurry.
        if b.ndim == 1 and 2.0**-limit < (frobenius_norm(b) or 0.0) < 2.0**limit:
            return cls(matrix, np.array(0), roots) if matrix or roots else None
        largest = np.abs(b).max(axis=0)
        columns = np.array([_exponent(size, limit) for size in largest.ravel().tolist()])
        columns = columns.reshape(largest.shape)
        return cls(matrix, columns, roots) if matrix or roots or np.any(columns) else None

    def system(self, A: Any, b: np.ndarray) -> tuple[Any, np.ndarray]:
        """A and b, scaled; b, and A if it needs scaling, are copied."""
        if self.matrix and sp.issparse(A):
            A = type(A)((np.ldexp(A.data, self.matrix), A.indices, A.indptr), shape=A.shape)
        elif self.matrix:
            A = np.ldexp(A, self.matrix)
        return A, np.ldexp(b, self.columns)

    def damping(self, damp: float) -> float:
        """The damping of the scaled problem."""
        return float(np.ldexp(damp, self.matrix + self.root_weights))

    def weights(self, weights: np.ndarray | None) -> np.ndarray | None:
        """The weights of the scaled problem."""
        return None if weights is None else np.ldexp(weights, 2 * self.root_weights)

    def start(self, x0: np.ndarray | None) -> np.ndarray | None:
        """A starting point, for the scaled problem."""
        return None if x0 is None else _shifted(x0, self.columns - self.matrix)

    def solution(self, x: np.ndarray) -> np.ndarray:
        """The solution of the scaled problem, for the one given; infinite where it is out of range."""
        return np.asarray(_shifted(x, self.matrix - self.columns))

    def residual_norm(self, norm: Any) -> Any:
        """The norm of the weighted residual."""
        return _shifted(norm, -self.columns - self.root_weights)


def _exponent(size: float, limit: int) -> int:
    """Of what brings this size to about one, where it is out of range; zero for zero."""
    power = math.frexp(size)[1]
    return -power if abs(power) > limit else 0


def _shifted(values: Any, powers: Any) -> Any:
    with np.errstate(over="ignore", under="ignore"):
        return np.asarray(np.ldexp(values, powers))
