"""Deflation of conjugate gradients by Ritz vectors that are handed from one system to the next.

The slowest part of the error lies in few eigenvectors of D^-1 A for small eigenvalues. The matrices A + c I
of a sequence have eigenvectors in common, and those of neighbouring matrices are close; so the directions of
one solve give vectors that make the next one shorter.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve, eigh

from .protocol import Vector

Matrix = NDArray[np.float64]

DEPENDENT = 1e-10
"""Eigenvalues of a normalised Gram matrix below this are rounding: the vectors are dependent."""


@dataclass(frozen=True, eq=False)
class DeflationSpace:
    """Columns W with A W and the Cholesky factor of W'A W.

    Attributes
    ----------
    W, AW : ndarray, shape (n, k)
        Basis and its products with A; column after column in memory.
    factor : tuple
        Of W'A W, as `scipy.linalg.cho_factor` gives it.
    work : float
        What it took to make, in products with A.
    """

    W: Matrix
    AW: Matrix
    factor: Any
    work: float

    @classmethod
    def of(cls, A: Any, W: Matrix) -> DeflationSpace | None:
        """The space spanned by W; None where W'A W is not positive definite to working precision."""
        W = np.asfortranarray(W, dtype=np.float64)
        with np.errstate(all="ignore"):
            AW = np.asfortranarray(A @ W)
            gram = W.T @ AW
        if W.shape[1] == 0 or not np.isfinite(gram).all():
            return None
        try:
            factor = cho_factor(0.5 * (gram + gram.T))
        except LinAlgError:
            return None
        # W'A W costs k^2 n, a product about 2 nnz
        k = W.shape[1]
        return cls(W, AW, factor, k + k * k * W.shape[0] / (2.0 * max(A.nnz, 1)))

    def correct(self, x: Vector, r: Vector) -> None:
        """Add to x what makes its residual r orthogonal to W; both in place."""
        from .vector_kernels import add_combination

        y = self._coefficients(self.W, r)
        add_combination(1.0, self.W.T, y, x)
        add_combination(-1.0, self.AW.T, y, r)

    def project(self, z: Vector) -> None:
        """Make z A-orthogonal to W, in place: z -= W (W'A W)^-1 (A W)'z."""
        from .vector_kernels import add_combination

        add_combination(-1.0, self.W.T, self._coefficients(self.AW, z), z)

    def _coefficients(self, V: Matrix, v: Vector) -> Vector:
        from .vector_kernels import products

        y = np.empty(V.shape[1])
        products(V.T, v, y)
        return np.asarray(cho_solve(self.factor, y, check_finite=False))


class KeptDirections:
    """The first directions of a solve, scaled to p'A p = 1, with their products.

    Parameters
    ----------
    most : int
        How many are kept.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self._directions: list[Vector] = []
        self._products: list[Vector] = []

    def offer(self, direction: Vector, product: Vector, curvature: float) -> None:
        """Keep a copy, where there is room."""
        if len(self._directions) < self.most:
            self._directions.append(direction / np.sqrt(curvature))
            self._products.append(product / np.sqrt(curvature))

    def joined(self, space: DeflationSpace | None) -> tuple[Matrix, Matrix]:
        """The deflation vectors and the directions, side by side, and their products with A."""
        vectors, products = list(self._directions), list(self._products)
        if space is not None:
            vectors, products = [*space.W.T, *vectors], [*space.AW.T, *products]
        return np.column_stack(vectors), np.column_stack(products)

    def __len__(self) -> int:
        return len(self._directions)


def ritz_vectors(V: Matrix, AV: Matrix, diagonal: Vector, k: int) -> tuple[Vector, Matrix]:
    """Rayleigh-Ritz for A u = theta D u on the span of V: the k smallest values and their vectors.

    Parameters
    ----------
    V, AV : ndarray, shape (n, m)
        Vectors, not necessarily independent, and their products with symmetric A.
    diagonal : ndarray, shape (n,)
        D, positive.
    k : int
        Pairs wanted; there are fewer where the span is smaller.

    Returns
    -------
    theta : ndarray, shape (k,)
        Ascending.
    U : ndarray, shape (n, k)
        U'D U = I.
    """
    gram = V.T @ (diagonal[:, None] * V)
    sizes = np.sqrt(np.diag(gram))
    sizes[sizes == 0.0] = 1.0
    values, basis = eigh(gram / np.outer(sizes, sizes))
    independent = values > DEPENDENT
    basis = basis[:, independent] / np.sqrt(values[independent]) / sizes[:, None]
    projected = basis.T @ (V.T @ AV) @ basis
    theta, y = eigh(0.5 * (projected + projected.T))
    return theta[:k], V @ (basis @ y[:, :k])


class RecycledSpace:
    """Deflation vectors that get better from system to system.

    For each system: `space` for its matrix, `preconditioned_cg` with that and with `directions`, then
    `learn`.

    Parameters
    ----------
    k : int
        Deflation vectors. More of them mean fewer iterations, each dearer by 4 n k operations.
    window : int, optional
        Directions of each solve that the vectors are drawn from, 2 k by default. 4 k learn twice as fast, and
        `learn` takes time as the square of k + window.

    Attributes
    ----------
    W : ndarray, shape (n, k) or None
        The vectors.
    theta : ndarray or None
        Their Ritz values for the last D^-1 A.
    """

    def __init__(self, k: int = 8, window: int | None = None) -> None:
        if k < 1 or (window is not None and window < 1):
            raise ValueError(f"k and window must be at least 1, got {k} and {window}")
        self.k, self.window = int(k), int(window or 2 * k)
        self.W: Matrix | None = None
        self.theta: Vector | None = None

    def space(self, A: Any) -> DeflationSpace | None:
        """The space for A; None before there is one, and where it is of no use."""
        if self.W is None or self.W.shape[0] != A.shape[0]:
            return None
        return DeflationSpace.of(A, self.W)

    def directions(self) -> KeptDirections:
        """Room for the directions of the next solve."""
        return KeptDirections(self.window)

    def learn(self, A: Any, space: DeflationSpace | None, kept: KeptDirections) -> None:
        """New vectors from the old ones and from the directions of a solve with A."""
        if len(kept) == 0:
            return
        diagonal = A.diagonal()
        if not diagonal.min() > 0.0:
            return
        V, AV = kept.joined(space)
        try:
            theta, W = ritz_vectors(V, AV, diagonal, self.k)
        except (LinAlgError, ValueError):  # overflow
            return
        if np.isfinite(W).all():
            self.theta, self.W = theta, W
