"""The quadratic model of the softmax loss by some entries of w, (p, k): its matrix, or on the columns of X.

The Hessian by the k outputs of sample i is s_i (diag(p_i) - p_i p_i'), p_i its probabilities.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from ...problems.composite.design import Design, SparseDesign
from ...problems.composite.protocol import Array, Indices
from .conjugate_gradients import truncated_cg
from .quadratic import CoordinateQuadratic
from .terms import Terms

_CHUNK = 4_000_000
"""Entries of weighted columns held at a time."""

_FORCING, _MOST_PRODUCTS = 0.1, 100


class Entries:
    """Some entries of w, flat, with the columns of X that they touch, gathered once.

    Attributes
    ----------
    rows : ndarray of int, shape (m,)
        Which of the gathered columns an entry belongs to.
    outputs : ndarray of int, shape (m,)
    Z : ndarray or sparse array, shape (n, q)
        The columns; with an intercept one of ones comes last.
    """

    def __init__(self, design: Design, entries: Indices, outputs: int, intercept: bool) -> None:
        features, self.rows = np.unique(entries // outputs, return_inverse=True)
        self.outputs, self.count = entries % outputs, outputs
        ones = np.ones((design.shape[0], int(intercept)))
        self.Z: Any
        if isinstance(design, SparseDesign):
            part = sparse.csc_array(design.X[:, features], dtype=np.float64)
            self.Z = sparse.hstack([part, sparse.csc_array(ones)], format="csc") if intercept else part
        else:
            part = design.columns(features)
            self.Z = np.asfortranarray(np.hstack([part, ones])) if intercept else part
        self._last = features.size

    @property
    def size(self) -> int:
        """How many entries."""
        return self.rows.size

    @cached_property
    def squares(self) -> Any:
        """Those of the entries of Z."""
        return self.Z.multiply(self.Z).tocsc() if sparse.issparse(self.Z) else self.Z**2

    def product(self, values: Array, b: Array | None = None) -> Array:
        """What the predictor, (n, k), changes by when the entries (and the intercept) do."""
        W = np.zeros((self.Z.shape[1], self.count))
        W[self.rows, self.outputs] = values
        if b is not None and self.Z.shape[1] > self._last:
            W[-1] = b
        return np.asarray(self.Z @ W)

    def adjoint(self, v: Array) -> Array:
        """Slopes by the entries, of slopes (n, k) by the predictor."""
        return np.asarray((self.Z.T @ v)[self.rows, self.outputs])

    def with_intercept(self) -> tuple[Indices, Indices]:
        """Rows and outputs of the entries, those of the intercept behind them."""
        if self.Z.shape[1] == self._last:
            return self.rows, self.outputs
        last = np.full(self.count, self._last)
        return np.concatenate([self.rows, last]), np.concatenate([self.outputs, np.arange(self.count)])


def softmax_matrix(Z: Any, rows: Indices, outputs: Indices, p: Array, s: Array) -> Array:
    """The Hessian by entries (rows, outputs) of w: of each output by itself Z'diag(s p)Z, less the coupling.

    The coupling is A'A with columns sqrt(s) p_c z_j, one for every entry: a symmetric matrix product.
    """
    n, size = Z.shape[0], rows.size
    H = np.zeros((size, size))
    root = np.sqrt(s)[:, None]
    most = max(64, _CHUNK // max(size, 1))
    for first in range(0, n, most):
        part = Z[first : first + most]
        part = part.toarray() if sparse.issparse(part) else part
        q = p[first : first + most]
        A = np.take(part, rows, axis=1)
        A *= np.take(root[first : first + most] * q, outputs, axis=1)
        H -= A.T @ A
        for c in range(p.shape[1]):
            inside = np.flatnonzero(outputs == c)
            mine = part[:, rows[inside]] * (root[first : first + most] * np.sqrt(q[:, c : c + 1]))
            H[np.ix_(inside, inside)] += mine.T @ mine
    return H


class SoftmaxColumns(CoordinateQuadratic):
    """The model on the columns: sweeps find the signs, conjugate gradients the rest; see `Quadratic`.

    Parameters
    ----------
    entries : Entries
        What it is a function of; the intercept's entries come last.
    p : ndarray, shape (n, k)
        Probabilities.
    s : ndarray, shape (n,)
        Weights of the samples.
    r : ndarray, shape (m,)
        Force at the start, less linear parts.
    w : ndarray, shape (m,)
        Point, changed in place.
    terms : Terms
    check : callable
        Raises where time is up.
    """

    inner_sweeps, patience = 3, 1

    def __init__(
        self,
        entries: Entries,
        p: Array,
        s: Array,
        r: Array,
        w: Array,
        terms: Terms,
        check: Callable[[], None],
    ) -> None:
        self.entries, self.w, self.terms = entries, w, terms
        self._rows, self._outputs = entries.with_intercept()
        self._p, self._q = np.ascontiguousarray(p.T), np.ascontiguousarray((s[:, None] * p).T)
        self._r, self._check = r, check
        self._V, self._t = np.zeros(self._p.shape), np.zeros(p.shape[0])
        L = ((self._q * (1.0 - self._p)) @ entries.squares)[self._outputs, self._rows]
        self.L = np.ascontiguousarray(np.maximum(L, 0.0))

    def solve_smooth(self, reduction: float) -> None:
        """For a penalty without kinks and bounds: one run of conjugate gradients, from the start."""
        everything, l2 = np.arange(self.w.size), self.terms.l2
        d = truncated_cg(
            lambda v: self.product(everything, v) + l2 * v,
            self._r - l2 * self.w,
            1.0 / np.maximum(self.L + l2, 1e-300),
            reduction,
            _MOST_PRODUCTS,
            self._check,
        )
        if d is not None:
            self.w += d

    def sweeps(self, active: Indices, count: int, goal: float) -> float:
        """On the columns."""
        t, entries = self.terms, self.entries
        from .multinomial_kernels import dense_softmax_sweeps, sparse_softmax_sweeps

        rest = (
            *(active, self._rows, self._outputs, self._p, self._q, self.L, self._V, self._t, self._r, self.w),
            *(t.l1, t.l2, t.lower, t.upper, t.kind, t.gamma, count, goal),
        )
        if sparse.issparse(entries.Z):
            Z = entries.Z
            parts = Z.indptr.astype(np.int64), Z.indices.astype(np.int64), Z.data
            return float(sparse_softmax_sweeps(*parts, *rest))
        return float(dense_softmax_sweeps(entries.Z, *rest))

    def _slopes(self, V: Array, t: Array) -> Array:
        """Of the entries and the intercept, of the model alone, where the predictor has moved by V."""
        return np.asarray(((self._q * (V - t)) @ self.entries.Z)[self._outputs, self._rows])

    def force(self) -> Array:
        """R less what the model's slope has become."""
        return self._r - self._slopes(self._V, self._t)

    def newton_direction(self, F: Indices, force: Array, curvatures: Array) -> Array | None:
        """By conjugate gradients."""
        inverse = 1.0 / np.maximum(self.L[F] + curvatures, 1e-300)
        return truncated_cg(
            lambda v: self.product(F, v) + curvatures * v,
            force,
            inverse,
            _FORCING,
            _MOST_PRODUCTS,
            self._check,
        )

    def product(self, F: Indices, step: Array) -> Array:
        """Two passes over the columns."""
        W = np.zeros((self._p.shape[0], self.entries.Z.shape[1]))
        W[self._outputs[F], self._rows[F]] = step
        V = np.ascontiguousarray(W @ self.entries.Z.T)
        t = np.einsum("ci,ci->i", self._p, V)
        self._moved = V, t
        return self._slopes(V, t)[F]

    def move(self, F: Indices, step: Array) -> None:
        """By the last product."""
        self.w[F] += step
        self._V += self._moved[0]
        self._t += self._moved[1]
