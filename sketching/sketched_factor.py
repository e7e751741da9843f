"""The triangular (or truncated) factor of a sketched matrix: preconditioner, condition, first guess."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import scipy.linalg as sla

from .products import scaled_rows

# Singular values below this multiple of the roundoff, relative to the largest, count as zero, as in FOSSILS.
_NEGLIGIBLE = 30.0
_POWERS = 12
# LAPACK's block size. Its wrappers hand over three columns of workspace unasked: a third of the speed.
_BLOCK = 64
# Backward errors of more right-hand sides than this are worth a singular value decomposition.
_FEW = 4


@dataclass(frozen=True, eq=False)
class SketchedFactor:
    """P of shape (n, r) with A P nearly orthonormal.

    With S A D = Q R, where D scales columns to norm one, P is D R^-1. Where R = U Sigma V' is singular to
    working precision, P is the projection of D V Sigma^-1, without what is negligible, along the null space
    of A: solutions P y then are those of least norm.

    Attributes
    ----------
    scale : ndarray, shape (n,)
        Diagonal of D.
    upper : ndarray, shape (n, n)
        R of the scaled sketch.
    right, inverse : ndarray, shape (n, r), or None
        P, and D^-1 V Sigma with P' D^-1 V Sigma = I, where it was truncated.
    largest, smallest : float
        Estimates of the extreme singular values of the scaled A, smallest among those kept.
    guess : ndarray, shape (r,) or (r, p)
        Q'S b: coordinates of the sketch-and-solve solution.
    """

    scale: np.ndarray
    upper: np.ndarray
    right: np.ndarray | None
    inverse: np.ndarray | None
    largest: float
    smallest: float
    guess: np.ndarray

    @property
    def rank(self) -> int:
        """Number of columns of P."""
        return int(self.guess.shape[0])

    @property
    def condition(self) -> float:
        """Estimated condition number of A with its columns scaled."""
        return self.largest / self.smallest if self.smallest > 0.0 else np.inf

    def apply(self, y: np.ndarray) -> np.ndarray:
        """The unknowns x = P y."""
        if self.right is not None:
            return np.asarray(self.right @ y)
        return scaled_rows(sla.solve_triangular(self.upper, y, check_finite=False), self.scale)

    def apply_adjoint(self, g: np.ndarray) -> np.ndarray:
        """P'g."""
        if self.right is not None:
            return np.asarray(self.right.T @ g)
        g = scaled_rows(g, self.scale)
        return np.asarray(sla.solve_triangular(self.upper, g, trans="T", check_finite=False))

    def unapply_adjoint(self, h: np.ndarray) -> np.ndarray:
        """The g in the range of A' with P'g = h."""
        if self.inverse is not None:
            return np.asarray(self.inverse @ h)
        return scaled_rows(self.upper.T @ h, 1.0 / self.scale)

    def unapply(self, x: np.ndarray) -> np.ndarray:
        """The y with x = P y, for x in the range of P: the coordinates of A x, and as large."""
        if self.inverse is not None:
            return np.asarray(self.inverse.T @ x)
        return np.asarray(self.upper @ scaled_rows(x, 1.0 / self.scale))

    @cached_property
    def norm(self) -> float:
        """||A||_F, estimated."""
        return float(np.linalg.norm(self.upper / self.scale))

    @cached_property
    def scaled_norm(self) -> float:
        """||A||_F with the columns of A scaled."""
        return float(np.linalg.norm(self.upper))

    @cached_property
    def _spectrum(self) -> tuple[np.ndarray, np.ndarray]:
        """Singular values, and right singular vectors in rows."""
        _, values, vectors = sla.svd(self.upper / self.scale, check_finite=False)
        return values, vectors

    def shifted_norms(self, g: np.ndarray, shifts: np.ndarray) -> np.ndarray:
        """||(A'A + shift^2 I)^(-1/2) g|| for the columns of g, by what the sketch knows of A'A."""
        if g.shape[1] <= _FEW:
            pairs = zip(g.T, shifts, strict=True)
            return np.array([self._shifted_norm(column, float(shift)) for column, shift in pairs])
        values, vectors = self._spectrum
        rotated = vectors @ g
        with np.errstate(all="ignore"):
            parts = np.where(rotated == 0.0, 0.0, rotated / np.hypot(values[:, None], shifts))
        return np.asarray(np.linalg.norm(parts, axis=0))

    def _shifted_norm(self, g: np.ndarray, shift: float) -> float:
        n = self.scale.size
        stacked = np.vstack([self.upper / self.scale, np.diag(np.full(n, shift, dtype=self.upper.dtype))])
        root = _qr(np.asfortranarray(stacked), np.zeros(2 * n, dtype=stacked.dtype))[0]
        if np.abs(np.diag(root)).min() == 0.0:
            return np.inf if np.any(g) else 0.0
        return float(np.linalg.norm(sla.solve_triangular(root, g, trans="T", check_finite=False)))


def factorise(sketched: np.ndarray, sketched_b: np.ndarray, damp: float, eps: float) -> SketchedFactor:
    """Factor a sketched matrix, with its columns scaled to norm one.

    Parameters
    ----------
    sketched : ndarray, shape (d, n)
        S A; with damping the rows of damp I are added below it.
    sketched_b : ndarray, shape (d,) or (d, p)
        S b.
    damp : float
        Square root of the ridge parameter.
    eps : float
        Unit roundoff; singular values below 30 eps times the largest are dropped.
    """
    n = sketched.shape[1]
    norms = np.sqrt(np.einsum("ij,ij->j", sketched, sketched))
    if damp:
        # Damping in the noise of A must not make large what it alone holds: such columns are negligible.
        noise = _NEGLIGIBLE * eps * norms.max()
        norms = np.where((norms < damp) & (damp <= noise), norms.max(), np.hypot(norms, damp))
        sketched = np.vstack([sketched, damp * np.eye(n, dtype=sketched.dtype)])
        padding = np.zeros((n, *sketched_b.shape[1:]), dtype=sketched_b.dtype)
        sketched_b = np.concatenate([sketched_b, padding])
    scale = np.where(norms > 0.0, 1.0 / np.where(norms > 0.0, norms, 1.0), 1.0).astype(sketched.dtype)
    scaled = np.multiply(sketched, scale, order="F")
    upper, coordinates = _qr(scaled, sketched_b)
    largest, smallest = extreme_singular_values(upper)
    if smallest > _NEGLIGIBLE * eps * largest:
        return SketchedFactor(scale, upper, None, None, largest, smallest, coordinates)
    return _truncated(upper, coordinates, scale, eps)


def _truncated(upper: np.ndarray, coordinates: np.ndarray, scale: np.ndarray, eps: float) -> SketchedFactor:
    """The same from the singular value decomposition of R, without what is negligible."""
    left, values, right = sla.svd(upper, check_finite=False)
    rank = int(np.sum(values > _NEGLIGIBLE * eps * max(values[0], np.finfo(values.dtype).tiny)))
    largest, smallest = float(values[0]), float(values[rank - 1]) if rank else 0.0
    if rank == values.size:
        return SketchedFactor(scale, upper, None, None, largest, smallest, coordinates)
    basis = right[:rank].T
    solving = scale[:, None] * (basis / values[:rank])
    null = np.linalg.qr(scale[:, None] * right[rank:].T)[0]
    solving -= null @ (null.T @ solving)
    inverse = basis * values[:rank] / scale[:, None]
    guess = left[:, :rank].T @ coordinates
    return SketchedFactor(scale, upper, solving, inverse, largest, smallest, guess)


def _qr(A: np.ndarray, b: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """R and Q'b, without forming Q. A is overwritten."""
    n = A.shape[1]
    geqrf, ormqr = sla.get_lapack_funcs(("geqrf", "ormqr"), (A,))
    factor, tau, _, _ = geqrf(A, lwork=_BLOCK * n, overwrite_a=True)
    column = np.asarray(b, dtype=A.dtype).reshape(b.shape[0], -1)
    rotated, _, info = ormqr("L", "T", factor, tau, column, lwork=_BLOCK * column.shape[1])
    assert info == 0
    return np.triu(factor[:n]), rotated[:n].reshape((n, *b.shape[1:]))


def extreme_singular_values(upper: np.ndarray) -> tuple[float, float]:
    """Largest and smallest singular value of a triangular matrix, by a few (inverse) power iterations.

    Good to some per cent where they are separated, and never outside: the smallest is an upper bound.
    """
    if np.abs(np.diag(upper)).min() == 0.0:
        return float(np.linalg.norm(upper)), 0.0
    with np.errstate(all="ignore"):
        large = small = np.ones(upper.shape[1], dtype=upper.dtype)
        for _ in range(_POWERS):
            large = upper.T @ (upper @ (large / np.linalg.norm(large)))
            inner = sla.solve_triangular(upper, small / np.linalg.norm(small), trans="T", check_finite=False)
            small = sla.solve_triangular(upper, inner, check_finite=False)
        largest, inverse = float(np.sqrt(np.linalg.norm(large))), float(np.sqrt(np.linalg.norm(small)))
    return largest, 1.0 / inverse if np.isfinite(inverse) and inverse > 0.0 else 0.0
