"""Row sampling: rows of A picked at random and scaled, uniformly, by probabilities, or in blocks."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.linalg as sla
import scipy.sparse as sp

from ..inputs import matrix, rng_of, vector, whole
from .protocol import Sketch, sizes
from .sparse import SparseSign


class RowSampling(Sketch):
    """S with one entry a row: row i of S A is ``scale[i] * A[chosen[i]]``.

    Parameters
    ----------
    n : int
        Number of columns.
    chosen : ndarray of int64, shape (d,)
        Rows picked; repetitions allowed.
    scale : ndarray, shape (d,)
        Their factors.
    """

    def __init__(self, n: int, chosen: np.ndarray, scale: np.ndarray) -> None:
        super().__init__(chosen.size, n)
        self.chosen, self.scale = chosen, scale

    @classmethod
    def sample(cls, rng: Any, d: int, n: int, *, probabilities: Any = None) -> Self:
        """Draw d of n rows.

        Parameters
        ----------
        rng : None, int or numpy.random.Generator
            Source of randomness.
        d, n : int
            Shape.
        probabilities : array_like, shape (n,), optional
            Nonnegative weights of the rows, such as `row_norm_probabilities` and `leverage_probabilities`
            give; they are normalised. Rows are then drawn with replacement and scaled by 1/sqrt(d p). By
            default all rows are alike and are drawn without replacement, scaled by sqrt(n / d).
        """
        d, n = sizes(d, n)
        generator = rng_of(rng)
        if probabilities is None:
            if d > n:
                raise ValueError(f"d is {d}, n is {n}; without replacement at most {n} rows can be drawn")
            return cls(n, generator.choice(n, size=d, replace=False), np.full(d, np.sqrt(n / d)))
        weights = vector(probabilities, n, "probabilities").astype(np.float64)
        if weights.min() < 0.0 or weights.max() <= 0.0:
            lowest, highest = weights.min(), weights.max()
            raise ValueError(
                f"probabilities lie in [{lowest:g}, {highest:g}]; nonnegative ones, not all zero, are wanted"
            )
        weights = weights / weights.max()  # the sum could overflow
        weights /= weights.sum()
        chosen = generator.choice(n, size=d, p=weights)
        return cls(n, chosen, 1.0 / np.sqrt(d * weights[chosen]))

    def _apply(self, A: np.ndarray, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        return np.asarray(A[self.chosen] * self._factors(row_scale, A.dtype))

    def _apply_sparse(self, A: Any, row_scale: np.ndarray | None, workers: int) -> np.ndarray:
        rows = sp.csr_array(A)[self.chosen].toarray()
        return np.asarray(rows * self._factors(row_scale, A.dtype))

    def _apply_adjoint(self, B: np.ndarray, workers: int) -> np.ndarray:
        out = np.zeros((self.shape[1], B.shape[1]), dtype=B.dtype)
        np.add.at(out, self.chosen, B * self._factors(None, B.dtype))
        return out

    def _factors(self, row_scale: np.ndarray | None, dtype: Any) -> np.ndarray:
        factors = self.scale if row_scale is None else self.scale * row_scale[self.chosen]
        return factors[:, None].astype(dtype)


class BlockRowSampling(RowSampling):
    """Whole blocks of neighbouring rows, picked uniformly without replacement: kind to memory, hard on
    matrices whose rows differ.
    """

    @classmethod
    def sample(cls, rng: Any, d: int, n: int, *, block_size: int = 32, probabilities: Any = None) -> Self:
        """Draw about d rows: the d / block_size blocks, rounded up, that hold them.

        Parameters
        ----------
        rng, d, n
            As for `RowSampling`. The number of rows may differ from d by less than a block.
        block_size : int
            Rows in a block.
        probabilities : None
            Blocks are uniform: anything else is refused.
        """
        d, n = sizes(d, n)
        block_size = whole(block_size, "block_size")
        if probabilities is not None:
            raise ValueError("probabilities is given; blocks are drawn uniformly, so None is wanted")
        blocks = -(-n // block_size)
        wanted = -(-d // block_size)
        if wanted > blocks:
            raise ValueError(f"d is {d}, n is {n}; without replacement at most {n} rows can be drawn")
        picked = np.sort(rng_of(rng).choice(blocks, size=wanted, replace=False))
        chosen = (picked[:, None] * block_size + np.arange(block_size)).ravel()
        chosen = chosen[chosen < n]
        return cls(n, chosen, np.full(chosen.size, np.sqrt(blocks / wanted)))


def row_norm_probabilities(A: Any) -> np.ndarray:
    """Squared row norms of A over their sum, shape (n,); a dense or sparse A."""
    A = _explicit(A)
    return _shares(A)


def leverage_probabilities(A: Any, rng: Any = None, *, workers: int | None = 1) -> np.ndarray:
    """Approximate leverage scores of A's rows over their sum, shape (n,).

    Parameters
    ----------
    A : ndarray or sparse array, shape (n, k), n >= k
        Matrix of full column rank.
    rng : None, int or numpy.random.Generator
        For the two sketches that this takes.
    workers : int or None
        Threads.

    References
    ----------
    P. Drineas, M. Magdon-Ismail, M. W. Mahoney and D. P. Woodruff, "Fast approximation of matrix coherence
    and statistical leverage", JMLR 13 (2012), alg. 1: row norms of A R^-1 G, R from the QR factorisation of a
    sketch of A (of A itself where a sketch would be no smaller).
    """
    A = _explicit(A)
    n, k = A.shape
    if n < k:
        raise ValueError(f"A has shape {A.shape}; at least as many rows as columns are wanted")
    generator = rng_of(rng)
    if n > 4 * k:
        small = SparseSign.sample(generator, 4 * k, n).apply(A, workers=workers)
    else:
        small = A if isinstance(A, np.ndarray) else A.toarray()
    # Scores do not depend on the scale of columns; what counts as dependent should not either.
    scale = np.abs(small).max(axis=0)
    if scale.min() == 0.0:
        raise ValueError("A has a zero column: leverage scores need a basis of its columns")
    upper, order = sla.qr(small / scale, mode="r", pivoting=True)
    upper = upper[:k]
    diagonal = np.abs(np.diag(upper))
    if diagonal.min() <= np.finfo(upper.dtype).eps * k * diagonal.max():
        raise ValueError("A does not have full column rank: leverage scores need a basis of its columns")
    # 32 columns of a Gaussian give each row norm to about 25 %, and sampling needs no more.
    projection = np.empty((k, 32))
    projection[order] = sla.solve_triangular(upper, generator.standard_normal((k, 32)))
    return _shares(np.asarray(A @ (projection / scale[:, None])))


def _shares(A: Any) -> np.ndarray:
    """Squared row norms over their sum; of a zero matrix, equal shares."""
    with np.errstate(all="ignore"):
        if sp.issparse(A):
            squares = np.asarray(A.multiply(A).sum(axis=1), dtype=np.float64).ravel()
        else:
            squares = np.einsum("ij,ij->i", A, A, dtype=np.float64)
        total = squares.sum()
    if 1e-30 < total < 1e30:
        return np.asarray(squares / total)
    # Squares of such sizes may have left the range of the type.
    largest = abs(A).max()
    return _shares(A / largest) if largest > 0.0 else np.full(A.shape[0], 1.0 / A.shape[0])


def _explicit(A: Any) -> Any:
    A = matrix(A)
    if not isinstance(A, np.ndarray) and not sp.issparse(A):
        raise TypeError("A is a LinearOperator; its rows cannot be seen, so an explicit matrix is wanted")
    return A
