"""Row functions F_r(x) = g_r(a_r(x)), a_r = terms + linear part - constant, on compiled drivers."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any

import numpy as np

from .families import Family, FamilyTable
from .gram_pattern import GramPattern
from .nlp import IndexVector, Vector
from .sparse_patterns import merge_entries

# The kernels that each driver calls: the terms', with group functions the terms' and the groups'.
_KERNELS: dict[str, tuple[str, ...]] = {
    "values": ("value",),
    "total": ("value",),
    "total_and_gradient": ("gradient",),
    "transposed_product": ("gradient",),
    "product": ("gradient",),
    "jacobian": ("gradient",),
    "add_hessian": ("hessian",),
    "add_hessian_product": ("hessian_product",),
}
_GROUPED_KERNELS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "values": (("value",), ("value",)),
    "total": (("value",), ("value",)),
    "total_and_gradient": (("value", "gradient"), ("value", "gradient")),
    "transposed_product": (("value", "gradient"), ("gradient",)),
    "product": (("value", "gradient"), ("gradient",)),
    "jacobian": (("value", "gradient"), ("gradient",)),
    "add_hessian": (("value", "hessian"), ("gradient",)),
    "add_hessian_product": (("value", "gradient", "hessian_product"), ("gradient", "hessian")),
    "group_curvature": (("value", "gradient"), ("hessian",)),
}


@dataclass(frozen=True, eq=False)
class LinearPart:
    """Coefficients of the rows' linear parts in coordinate form, duplicates allowed (they add)."""

    row: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    column: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int32))
    value: np.ndarray = field(default_factory=lambda: np.zeros(0))


class RowFunction:
    """F : R^n -> R^count with its derivatives in fixed sparse patterns.

    Parameters
    ----------
    n, count : int
        Numbers of variables and of rows.
    families : sequence of Family
        The terms.
    linear : LinearPart
        The linear parts.
    constant : ndarray, shape (count,), or None
        Subtracted from the group arguments; None: zero.
    groups : sequence of Family
        Group functions, as families over the rows: the local variable is the row's argument. A row without
        one has the identity.
    """

    def __init__(
        self,
        n: int,
        count: int,
        families: Sequence[Family],
        linear: LinearPart | None = None,
        constant: Vector | None = None,
        groups: Sequence[Family] = (),
    ) -> None:
        self.n, self.count = n, count
        self.families = tuple(f for f in families if f.elements)
        self.groups = tuple(g for g in groups if g.elements)
        self.linear = linear or LinearPart()
        self.constant = constant if constant is not None and np.any(constant) else None
        self._keep: list[np.ndarray] = []
        self._drivers: dict[str, Callable[..., Any]] = {}
        self._terms = FamilyTable(self.families)
        # The group kernels' results go to the row itself: its slot serves as target too.
        self._groups = FamilyTable(self.groups, [g.rows[None, :] for g in self.groups])
        self._rows = self._describe_rows()
        self._hessian_terms: FamilyTable | None = None

    @cached_property
    def linear_rows(self) -> np.ndarray:
        """Mask of the rows that are affine functions of x, shape (count,)."""
        curved = np.zeros(self.count, dtype=bool)
        for family in (*self.families, *self.groups):
            if not family.pattern.is_linear:
                curved[family.rows] = True
        return ~curved

    @cached_property
    def is_linear(self) -> bool:
        """True where all rows are affine functions of x."""
        return bool(self.linear_rows.all())

    def values(self, x: Vector, out: Vector) -> None:
        """F(x) into out, shape (count,)."""
        self._driver("values")(x, out)

    def total(self, x: Vector) -> float:
        """Sum of F(x)."""
        value: float = self._driver("total")(x)
        return value

    def total_and_gradient(self, x: Vector, out: Vector) -> float:
        """Sum of F(x); its gradient into out, shape (n,)."""
        value: float = self._driver("total_and_gradient")(x, out)
        return value

    def transposed_product(self, x: Vector, w: Vector, out: Vector) -> None:
        """F'(x)' w into out, shape (n,)."""
        self._driver("transposed_product")(x, w, out)

    def product(self, x: Vector, v: Vector, out: Vector) -> None:
        """F'(x) v into out, shape (count,)."""
        self._driver("product")(x, v, out)

    def add_hessian_product(self, x: Vector, v: Vector, w: Vector, out: Vector) -> None:
        """(Hessian of w'F) v added to out, shape (n,)."""
        self._driver("add_hessian_product")(x, v, w, out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """(indptr, indices) of F'(x) in CSR form."""
        return self._jacobian[:2]

    def jacobian(self, x: Vector, out: Vector) -> None:
        """Values of F'(x) into out, in the order of `jacobian_structure`."""
        self._driver("jacobian")(x, self._jacobian[0], out)

    def hessian_entries(self) -> tuple[list[np.ndarray], list[np.ndarray]]:
        """Coordinates (row >= column), in pieces, of everything that adds to the Hessian of w'F."""
        rows, columns = [], []
        for family in self.families:
            for a, b in family.pattern.hessian_pairs:
                i, j = family.variables[a], family.variables[b]
                rows.append(np.maximum(i, j))
                columns.append(np.minimum(i, j))
        if self._curved.size:
            rows.append(self._curvature.rows)
            columns.append(self._curvature.columns)
        return rows, columns

    def place_hessian(self, positions: Sequence[np.ndarray]) -> None:
        """Take the places, in the values of the whole Hessian, of the pieces of `hessian_entries`."""
        pieces = list(positions)
        if self._curved.size:
            self._curvature.place(pieces.pop())
        targets = []
        for family in self.families:
            pairs = len(family.pattern.hessian_pairs)
            targets.append(np.array(pieces[:pairs], dtype=np.int32).reshape(pairs, family.elements))
            del pieces[:pairs]
        self._hessian_terms = FamilyTable(self.families, targets)
        self._drivers.pop("add_hessian", None)

    def add_hessian(self, x: Vector, w: Vector, out: Vector) -> None:
        """Values of the Hessian of w'F added to out, at the places given to `place_hessian`."""
        self._driver("add_hessian")(x, w, out)
        self.add_gauss_newton(x, w, out)

    def add_gauss_newton(self, x: Vector, w: Vector, out: Vector) -> None:
        """The part ``sum w g'' (grad a)(grad a)'`` of it alone, at the same places."""
        if self.groups and self._curved.size:
            indptr, indices, _ = self._jacobian
            curvatures, slopes = np.empty(self.count), np.empty(indices.size)
            self._driver("group_curvature")(x, w, indptr, curvatures, slopes)
            self._curvature.add(slopes, curvatures, out)

    def add_hessian_diagonal(self, x: Vector, w: Vector, out: Vector) -> bool:
        """Diagonal of the Hessian of w'F added to out; False where it takes more than a few products."""
        if any(a != b for family in self.families for a, b in family.pattern.hessian_pairs):
            return False
        # The terms are separable: the row sums of their part of the Hessian are its diagonal.
        self.add_hessian_product(x, np.ones(self.n), w, out)
        if self.groups and self._curved.size:
            indptr, indices, _ = self._jacobian
            curvatures, slopes = np.empty(self.count), np.empty(indices.size)
            self._driver("group_curvature")(x, w, indptr, curvatures, slopes)
            rows = np.repeat(np.arange(self.count), np.diff(indptr))
            sums = np.bincount(rows, slopes, minlength=self.count)
            out += np.bincount(indices, slopes * (curvatures[rows] * (slopes - sums[rows])), self.n)
        return True

    def hessian_entries_bound(self) -> int:
        """Most entries of the lower triangle of the Hessian of w'F, without its pattern."""
        pieces = sum(len(f.pattern.hessian_pairs) * f.elements for f in self.families)
        if self._curved.size:
            lengths = np.diff(self._jacobian[0])[self._curved]
            pieces += int((lengths * (lengths + 1) // 2).sum())
        return int(min(pieces, self.n * (self.n + 1) // 2))

    @cached_property
    def is_least_squares(self) -> bool:
        """True where every row is linear or a convex quadratic function of its argument."""
        quadratic = np.zeros(self.count, dtype=bool)
        for group in self.groups:
            if group.pattern.has_constant_hessian and group.pattern.hessian_pairs:
                quadratic[group.rows] = True
        straight = self.linear_rows | quadratic
        if not straight.all() or not quadratic.any():
            return False
        curvatures, slopes = np.empty(self.count), np.empty(self._jacobian[1].size)
        point = np.zeros(self.n)
        self._driver("group_curvature")(point, np.ones(self.count), self._jacobian[0], curvatures, slopes)
        return bool((curvatures >= 0.0).all())

    @cached_property
    def _curved(self) -> np.ndarray:
        """Rows whose group function has a second derivative."""
        rows = [g.rows for g in self.groups if g.pattern.hessian_pairs]
        return np.unique(np.concatenate(rows)) if rows else np.zeros(0, np.int64)

    @cached_property
    def _curvature(self) -> GramPattern:
        """Where the products of two entries of a row with a curved group go."""
        indptr, indices, _ = self._jacobian
        return GramPattern(indptr, indices, self._curved, self.n)

    @cached_property
    def _jacobian(self) -> tuple[IndexVector, IndexVector, FamilyTable]:
        rows = [np.broadcast_to(f.rows, f.variables.shape).ravel() for f in self.families]
        columns = [f.variables.ravel() for f in self.families]
        indptr, indices, positions = merge_entries(
            [*rows, self.linear.row], [*columns, self.linear.column], (self.count, self.n)
        )
        self._rows["linear_position"] = self._hold(positions.pop().astype(np.int64))
        targets = [p.reshape(f.variables.shape) for p, f in zip(positions, self.families, strict=True)]
        return indptr, indices, FamilyTable(self.families, targets)

    def _describe_rows(self) -> np.ndarray:
        from .family_kernels import CURVED, ROWS

        rows = np.zeros(1, dtype=ROWS)
        rows["count"] = self.count
        rows["workspace"] = max(self._terms.workspace, self._groups.workspace)
        rows["linear"] = self.linear.row.size
        rows["linear_row"] = self._hold(np.ascontiguousarray(self.linear.row, dtype=np.int32))
        rows["linear_column"] = self._hold(np.ascontiguousarray(self.linear.column, dtype=np.int32))
        rows["linear_value"] = self._hold(np.ascontiguousarray(self.linear.value, dtype=np.float64))
        if self.constant is not None:
            rows["constant"] = self._hold(np.ascontiguousarray(self.constant, dtype=np.float64))
        if self.groups:
            marks = np.zeros(self.count, dtype=np.int64)
            for group in self.groups:
                marks[group.rows] = CURVED if group.pattern.hessian_pairs else 1
            rows["grouped"] = self._hold(marks)
        return rows

    def _hold(self, array: np.ndarray) -> int:
        self._keep.append(array)
        return int(array.ctypes.data)

    def _driver(self, name: str) -> Callable[..., Any]:
        """A driver with its records bound, and the kernels that it calls compiled."""
        if name not in self._drivers:
            self._drivers[name] = self._bound(name)
        return self._drivers[name]

    def _bound(self, name: str) -> Callable[..., Any]:
        from . import family_kernels

        terms = self._terms
        if name in ("jacobian", "group_curvature"):
            terms = self._jacobian[2]
        elif name == "add_hessian":
            if self._hessian_terms is None:
                raise RuntimeError("place_hessian must be called before add_hessian")
            terms = self._hessian_terms
        if self.groups:
            kernels, group_kernels = _GROUPED_KERNELS[name]
            name = name if name == "group_curvature" else f"grouped_{name}"
        else:
            kernels, group_kernels = _KERNELS[name], ()
        for kernel in kernels:
            terms.require(kernel)
        for kernel in group_kernels:
            self._groups.require(kernel)
        addresses = [self._rows.ctypes.data, terms.records.ctypes.data, terms.records.size]
        plan = np.array([*addresses, self._groups.records.ctypes.data, self._groups.records.size])
        return partial(getattr(family_kernels, name), plan)
