"""The design matrix X behind one face, whatever its storage; X itself is never copied nor changed."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

from .protocol import Array, Indices

_CHUNK = 4_000_000
"""Entries of gathered columns held at a time: 32 MB, a tenth of the smallest X where memory matters."""

_FEW = 250_000
"""The same where they are used once, from the cache."""

_FOUR = 4
"""Vectors that a pass over a sparse X takes at once."""

_NO_SCALE = np.empty(0)


class Survey:
    """What one pass over X finds: X'v, and weighted squares and sums of the columns."""

    def __init__(self, p: int) -> None:
        self.products, self.squares, self.sums = np.empty(p), np.empty(p), np.empty(p)

    def is_finite(self, v: Array) -> bool:
        """Whether nothing is wrong with X; products with a v that is not finite itself do not count."""
        if not np.isfinite(self.squares).all():
            return False
        return bool(np.isfinite(self.products).all() or not np.isfinite(v).all())


class Design:
    """X, n x p; this class is the identity, for datafits of w itself.

    `design_of` makes the right one of an array. Dense X of C or Fortran order and sparse CSC are used as
    they are; CSR is converted once, which takes as much memory again.
    """

    kind = "identity"

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape = shape

    def product(self, w: Array) -> Array:
        """X w, w of shape (p,) or (p, k)."""
        return np.array(w)

    def add_columns(self, columns: Indices, values: Array, out: Array) -> None:
        """Out += X[:, columns] values, for values (m,) or (m, k)."""
        if values.ndim == 1:
            self._add_columns(columns, values, out)
            return
        for c in range(values.shape[1]):
            column = np.zeros(self.shape[0])
            self._add_columns(columns, np.ascontiguousarray(values[:, c]), column)
            out[:, c] += column

    def _add_columns(self, columns: Indices, values: Array, out: Array) -> None:
        np.add.at(out, columns, values)

    def adjoint(self, v: Array) -> Array:
        """X'v, v of shape (n,) or (n, k)."""
        return np.array(v)

    def adjoints(self, vectors: list[Array]) -> list[Array]:
        """X'v for several v of shape (n,)."""
        return [self.adjoint(v) for v in vectors]

    def adjoint_of(self, columns: Indices, v: Array) -> Array:
        """X[:, columns]'v, v of shape (n,) or (n, k)."""
        if v.ndim == 1:
            return self._adjoint_of(columns, v)
        parts = [self._adjoint_of(columns, np.ascontiguousarray(v[:, c])) for c in range(v.shape[1])]
        return np.column_stack(parts)

    def _adjoint_of(self, columns: Indices, v: Array) -> Array:
        return np.asarray(v[columns])

    def squares_of(self, columns: Indices, weights: Array) -> tuple[Array, Array]:
        """Weighted squares and sums of some columns."""
        return weights[columns], weights[columns]

    def survey(self, v: Array, weights: Array | None) -> Survey:
        """X'v, and the weighted squares and sums of the columns, in one pass; weights None, ones.

        Raises
        ------
        ValueError
            NaN or Inf in X.
        """
        found = Survey(self.shape[1])
        found.products[:] = v
        found.squares[:] = found.sums[:] = 1.0 if weights is None else weights
        return found

    def columns(self, columns: Indices) -> Array:
        """X[:, columns], dense, of Fortran order and double precision."""
        out = np.zeros((self.shape[0], columns.size), order="F")
        out[columns, np.arange(columns.size)] = 1.0
        return out

    def gram_rows(self, columns: Indices, first: int = 0, weights: Array | None = None) -> Array:
        """Rows `first` .. of X_I' diag(weights) X_I, I the columns; weights >= 0, ones where None."""
        size = columns.size
        out = np.zeros((size - first, size))
        values = np.ones(size) if weights is None else weights[columns]
        out[np.arange(size - first), np.arange(first, size)] = values[first:]
        return out

    def gram_blocks(self, groups: Indices, weights: Array | None = None) -> Array:
        """X_g' diag(weights) X_g for groups of equal width, the rows of (count, width)."""
        width = groups.shape[1]
        out = np.empty((groups.shape[0], width, width))
        for block, columns in zip(out, groups, strict=True):
            block[:] = self.gram_rows(columns, 0, weights)
        return out


class DenseDesign(Design):
    """A dense X, by rows or by columns."""

    kind = "dense"

    def __init__(self, X: Any) -> None:
        super().__init__(X.shape)
        self.X = X
        self.by_columns = not X.flags.c_contiguous  # numba takes a single column or row for C order

    def product(self, w: Array) -> Array:
        if w.ndim == 1:
            support = np.flatnonzero(w != 0)
            if 4 * support.size < w.size or self.X.dtype != np.float64:
                out = np.zeros(self.shape[0])
                self.add_columns(support, w[support], out)
                return out
        elif self.X.dtype != np.float64:
            return np.column_stack([self.product(column) for column in w.T])
        return np.asarray(self.X @ w)

    def _add_columns(self, columns: Indices, values: Array, out: Array) -> None:
        from . import design_kernels as kernels

        add = kernels.add_columns if self.by_columns else kernels.add_columns_of_rows
        add(self.X, columns, values, out)

    def adjoint(self, v: Array) -> Array:
        if self.X.dtype == np.float64:
            return np.asarray(self.X.T @ v)
        if v.ndim == 2:
            return np.column_stack([self.adjoint(np.ascontiguousarray(column)) for column in v.T])
        from . import design_kernels as kernels

        out = np.empty(self.shape[1])
        (kernels.adjoint_by_columns if self.by_columns else kernels.adjoint_by_rows)(self.X, v, out)
        return out

    def adjoints(self, vectors: list[Array]) -> list[Array]:
        if self.X.dtype != np.float64:
            return super().adjoints(vectors)
        return list(np.asarray(vectors) @ self.X)

    def _adjoint_of(self, columns: Indices, v: Array) -> Array:
        from . import design_kernels as kernels

        out = np.empty(columns.size)
        adjoint = kernels.adjoint_of_columns if self.by_columns else kernels.adjoint_of_rows
        adjoint(self.X, columns, v, out)
        return out

    def squares_of(self, columns: Indices, weights: Array) -> tuple[Array, Array]:
        sums, squares = np.zeros(columns.size), np.zeros(columns.size)
        most = max(1, _CHUNK // self.shape[0])
        for start in range(0, columns.size, most):
            stop = min(start + most, columns.size)
            part = self.columns(columns[start:stop])
            sums[start:stop] = weights @ part
            np.multiply(part, part, out=part)
            squares[start:stop] = weights @ part
        return squares, sums

    def survey(self, v: Array, weights: Array | None) -> Survey:
        from . import design_kernels as kernels

        found = Survey(self.shape[1])
        survey = kernels.survey_by_columns if self.by_columns else kernels.survey_by_rows
        weights = _NO_SCALE if weights is None else weights
        survey(self.X, v, weights, found.products, found.squares, found.sums)
        if not found.is_finite(v):
            self._refuse()
        return found

    def _refuse(self) -> None:
        """Name the entry that is not finite (weights of zero hide one: then nothing is wrong)."""
        for j in range(self.shape[1]):
            finite = np.isfinite(self.X[:, j])
            if not finite.all():
                i = int(np.argmin(finite))
                raise ValueError(f"X[{i}, {j}] is {self.X[i, j]}; X must be finite")
        raise ValueError("X is too large: the squares of its columns overflow; scale it down")

    def _gather(self, columns: Indices, first: int, last: int, scale: Array, out: Array) -> None:
        """Rows first .. last of the columns into out, (columns, rows)."""
        from . import design_kernels as kernels

        gather = kernels.gather_from_columns if self.by_columns else kernels.gather_from_rows
        gather(self.X, columns, first, last, scale, out)

    def columns(self, columns: Indices) -> Array:
        out = np.empty((columns.size, self.shape[0]))
        self._gather(columns, 0, self.shape[0], _NO_SCALE, out)
        return out.T

    def gram_rows(self, columns: Indices, first: int = 0, weights: Array | None = None) -> Array:
        n, size = self.shape[0], columns.size
        scale = _NO_SCALE if weights is None else np.sqrt(weights)
        rows = min(n, max(256, _CHUNK // max(size, 1)))
        total = np.zeros((size - first, size))
        buffer = np.empty((0, 0))
        for start in range(0, n, rows):
            stop = min(start + rows, n)
            if buffer.shape != (size, stop - start):
                buffer = np.empty((size, stop - start))
            self._gather(columns, start, stop, scale, buffer)
            total += (buffer if first == 0 else buffer[first:]) @ buffer.T
        return total

    def gram_blocks(self, groups: Indices, weights: Array | None = None) -> Array:
        (count, width), n = groups.shape, self.shape[0]
        if n * width > _FEW:
            return super().gram_blocks(groups, weights)
        scale = _NO_SCALE if weights is None else np.sqrt(weights)
        most = _FEW // (n * width)
        out, buffer = np.empty((count, width, width)), np.empty((min(count, most) * width, n))
        for start in range(0, count, most):
            part = groups[start : start + most]
            self._gather(part.ravel(), 0, n, scale, buffer)
            gathered = buffer[: part.size].reshape(*part.shape, n)
            np.matmul(gathered, gathered.transpose(0, 2, 1), out=out[start : start + most])
        return out


class SparseDesign(Design):
    """A sparse X by columns."""

    kind = "sparse"

    def __init__(self, X: Any) -> None:
        super().__init__(X.shape)
        self.X = X
        if X.indices.dtype != X.indptr.dtype:
            wider = np.promote_types(X.indices.dtype, X.indptr.dtype)
            self.parts = (X.indptr.astype(wider), X.indices.astype(wider), X.data)
        else:
            self.parts = (X.indptr, X.indices, X.data)

    def product(self, w: Array) -> Array:
        if w.ndim == 2:
            return np.asarray(self.X @ w)
        out = np.zeros(self.shape[0])
        support = np.flatnonzero(w != 0)
        self.add_columns(support, w[support], out)
        return out

    def _add_columns(self, columns: Indices, values: Array, out: Array) -> None:
        from .design_kernels import sparse_add_columns

        sparse_add_columns(*self.parts, columns, values, out)

    def adjoint(self, v: Array) -> Array:
        if v.ndim == 2:
            return np.asarray(self.X.T @ v)
        from .design_kernels import sparse_adjoint

        out = np.empty(self.shape[1])
        sparse_adjoint(*self.parts, v, out)
        return out

    def adjoints(self, vectors: list[Array]) -> list[Array]:
        from .design_kernels import sparse_adjoint_of_four

        found: list[Array] = []
        for start in range(0, len(vectors), _FOUR):
            part, out = vectors[start : start + _FOUR], np.empty((_FOUR, self.shape[1]))
            V = np.zeros((self.shape[0], _FOUR))
            V[:, : len(part)] = np.transpose(part)
            sparse_adjoint_of_four(*self.parts, V, out)
            found += list(out[: len(part)])
        return found

    def _adjoint_of(self, columns: Indices, v: Array) -> Array:
        from .design_kernels import sparse_adjoint_of

        out = np.empty(columns.size)
        sparse_adjoint_of(*self.parts, columns, v, out)
        return out

    def squares_of(self, columns: Indices, weights: Array) -> tuple[Array, Array]:
        from .design_kernels import sparse_squares_of

        squares, sums = np.empty(columns.size), np.empty(columns.size)
        sparse_squares_of(*self.parts, columns, weights, squares, sums)
        return squares, sums

    def survey(self, v: Array, weights: Array | None) -> Survey:
        from .design_kernels import sparse_survey

        found = Survey(self.shape[1])
        weights = _NO_SCALE if weights is None else weights
        fine = sparse_survey(
            *self.parts, self.shape[0], v, weights, found.products, found.squares, found.sums
        )
        if not fine:
            raise ValueError(f"X has row indices outside 0 .. {self.shape[0] - 1}")
        if not found.is_finite(v):
            wrong = self.X.data[~np.isfinite(self.X.data)]
            raise ValueError(f"X holds {wrong[0] if wrong.size else 'values too large'}; X must be finite")
        return found

    def columns(self, columns: Indices) -> Array:
        return np.asarray(self.X[:, columns].toarray(order="F"), dtype=np.float64)

    def gram_rows(self, columns: Indices, first: int = 0, weights: Array | None = None) -> Array:
        from .design_kernels import sparse_gram_rows

        out = np.empty((columns.size - first, columns.size))
        work = np.zeros(self.shape[0])
        sparse_gram_rows(*self.parts, columns, first, _NO_SCALE if weights is None else weights, work, out)
        return out


class RememberedDesign(Design):
    """X with some products X'v made in advance, in one pass; each is handed out once.

    For products and their adjoints alone, as certificates need them.

    Parameters
    ----------
    design : Design
        X.
    vectors : list of ndarray, shape (n,)
        Vectors v. What is asked for is compared entry by entry: another v takes a pass of its own.
    """

    def __init__(self, design: Design, vectors: list[Array]) -> None:
        super().__init__(design.shape)
        self.kind, self._design = design.kind, design
        self._known = list(zip(vectors, design.adjoints(vectors), strict=True))

    def adjoint(self, v: Array) -> Array:
        """X'v, by a pass where it is not known."""
        for i, (known, _) in enumerate(self._known):
            if np.array_equal(known, v):
                return self._known.pop(i)[1]
        return self._design.adjoint(v)

    def product(self, w: Array) -> Array:
        """X w."""
        return self._design.product(w)

    def columns(self, columns: Indices) -> Array:
        """X[:, columns]."""
        return self._design.columns(columns)


def design_of(X: Any, n: int) -> Design:
    """The design of an array, a sparse array or None (the identity).

    Raises
    ------
    TypeError, ValueError
        Not numbers, not two-dimensional, not `n` rows.
    """
    if X is None:
        return Design((n, n))
    if isinstance(X, Design):
        made = X
    elif sparse.issparse(X):
        made = SparseDesign(_of_floats(X if X.format == "csc" else X.tocsc()))
    else:
        array = _of_floats(np.asarray(X))
        if array.ndim != 2:
            raise ValueError(f"X must be two-dimensional, got shape {array.shape}")
        if not (array.flags.f_contiguous or array.flags.c_contiguous):
            array = np.asfortranarray(array)
        made = DenseDesign(array)
    if made.shape[0] != n:
        raise ValueError(f"X must have {n} rows, one for every sample of the datafit, got shape {made.shape}")
    if made.shape[1] == 0:
        raise ValueError("X must have at least one column")
    return made


def _of_floats(X: Any) -> Any:
    if X.dtype in (np.float64, np.float32):
        return X
    if X.dtype.kind not in "fiub":
        raise TypeError(f"X must hold real numbers, got {X.dtype}")
    return X.astype(np.float64)
