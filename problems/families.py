"""Term families: one pattern repeated over index data, and the records by which the drivers know them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .kernel_source import block_doubles
from .pattern_cache import Pattern

# Runs shorter than this on average are not worth a block of their own.
_SHORTEST_RUN = 16


@dataclass(frozen=True, eq=False)
class Family:
    """One pattern over many elements.

    Attributes
    ----------
    pattern : Pattern
        The scalar function of k local variables and q parameters.
    variables : ndarray of int32, shape (k, elements)
        Which variable each local variable is.
    rows : ndarray of int32, shape (elements,)
        The row that each element adds to.
    parameters : tuple of q ndarray of float64
        Each of shape (elements,), or (1,) where it is the same for all.
    weight : ndarray of float64, shape (elements,) or (1,), or None
        Factor of each element; None: one.
    """

    pattern: Pattern
    variables: np.ndarray
    rows: np.ndarray
    parameters: tuple[np.ndarray, ...] = ()
    weight: np.ndarray | None = None

    @property
    def elements(self) -> int:
        """Number of elements."""
        return int(self.rows.size)

    @property
    def workspace(self) -> int:
        """Doubles that the drivers need for a block and its input addresses."""
        k, q, pairs = self.pattern.variables, self.pattern.parameters, len(self.pattern.hessian_pairs)
        return 2 * k + q + self.pattern.width * block_doubles(k, q, pairs)


class FamilyTable:
    """The records of some families, as the drivers take them, with everything they point to.

    Parameters
    ----------
    families : sequence of Family
        What to describe.
    targets : sequence of ndarray of int32, shape (targets, elements)
        For each family where its results go, one sequence of positions a result.
    """

    def __init__(self, families: Sequence[Family], targets: Sequence[np.ndarray] | None = None) -> None:
        from .family_kernels import FAMILY

        self.families = families
        self.records = np.zeros(len(families), dtype=FAMILY)
        self._keep: list[np.ndarray] = []
        self._known: set[str] = set()
        for i, family in enumerate(families):
            slots = [family.variables, family.rows[None, :]]
            if targets is not None:
                slots.append(targets[i])
            self._describe(self.records[i], family, np.concatenate(slots))
        self.workspace = max((f.workspace for f in families), default=1)

    def require(self, kernel: str) -> None:
        """See that all families' kernels of this name are compiled and in the records."""
        if kernel not in self._known:
            for record, family in zip(self.records, self.families, strict=True):
                record[kernel] = family.pattern.address(kernel)
            self._known.add(kernel)

    def _describe(self, record: Any, family: Family, slots: np.ndarray) -> None:
        starts = affine_blocks(slots, family.pattern.width)
        base, stride = fit_blocks(slots, starts)
        irregular = (stride == _table_mark()).any(axis=0)
        tables = [
            self._hold(slot.astype(np.int32)) if bent else 0
            for slot, bent in zip(slots, irregular, strict=True)
        ]
        parameters = [np.ascontiguousarray(p, dtype=np.float64) for p in family.parameters]
        record["variables"] = family.pattern.variables
        record["parameters"] = len(parameters)
        record["pairs"] = len(family.pattern.hessian_pairs)
        record["constant"] = family.pattern.has_constant_hessian
        record["width"] = family.pattern.width
        record["blocks"] = starts.size - 1
        record["starts"] = self._hold(starts)
        record["slots"] = slots.shape[0]
        record["base"] = self._hold(base)
        record["stride"] = self._hold(stride)
        record["table"] = self._hold(np.array(tables, dtype=np.int64))
        record["parameter_data"] = self._hold(np.array([self._hold(p) for p in parameters], dtype=np.int64))
        record["parameter_stride"] = self._hold(np.array([p.size > 1 for p in parameters], np.int64))
        if family.weight is not None:
            weight = np.ascontiguousarray(family.weight, dtype=np.float64)
            record["weight"] = self._hold(weight)
            record["weight_stride"] = int(weight.size > 1)
        one_weight = family.weight is None or family.weight.size == 1
        record["uniform"] = one_weight and bool((family.rows == family.rows[0]).all())

    def _hold(self, array: np.ndarray) -> int:
        """Address of an array that lives as long as the table."""
        self._keep.append(array)
        return int(array.ctypes.data)


def alias_classes(variables: np.ndarray) -> list[tuple[np.ndarray | slice, list[int]]]:
    """Elements grouped by which of their arguments are the same variable.

    The kernels take the local variables of an element for distinct ones; an element that names a variable
    twice gets a pattern in which the two arguments are one symbol.

    Parameters
    ----------
    variables : ndarray of int, shape (k, elements)
        Which variable each argument is.

    Returns
    -------
    list of (selected, aliases)
        The elements, and for each argument the number of its local variable.
    """
    k = variables.shape[0]
    plain: list[tuple[np.ndarray | slice, list[int]]] = [(slice(None), list(range(k)))]
    if k <= 1 or not any((variables[a] == variables[b]).any() for a in range(k) for b in range(a)):
        return plain
    first = np.stack([(variables == variables[a]).argmax(axis=0) for a in range(k)], axis=1)
    signatures, member = np.unique(first, axis=0, return_inverse=True)
    classes: list[tuple[np.ndarray | slice, list[int]]] = []
    for s, signature in enumerate(signatures):
        number = {int(leader): j for j, leader in enumerate(dict.fromkeys(signature.tolist()))}
        classes.append((np.flatnonzero(member.ravel() == s), [number[int(leader)] for leader in signature]))
    return classes


def _table_mark() -> int:
    from .family_kernels import TABLE

    return int(TABLE)


def affine_blocks(slots: np.ndarray, width: int) -> np.ndarray:
    """Block boundaries: at the ends of the runs over which all slots are affine, where such runs are long.

    Parameters
    ----------
    slots : ndarray of int, shape (slots, elements)
        Integer sequences over the elements.
    width : int
        Longest block.

    Returns
    -------
    ndarray of int64, shape (blocks + 1,)
        First element of each block, and the number of elements.
    """
    elements = slots.shape[1]
    uniform = np.append(np.arange(0, elements, width), elements).astype(np.int64)
    if elements <= width:
        return uniform
    step = np.diff(slots, axis=1)
    bend = np.flatnonzero((step[:, 1:] != step[:, :-1]).any(axis=0)) + 2
    # A jump bends twice, on reaching the new run and on settling in it: only the first counts.
    runs = np.concatenate([[0], bend[np.diff(bend, prepend=-1) > 1], [elements]])
    if elements < _SHORTEST_RUN * (runs.size - 1):
        return uniform
    lengths = np.diff(runs)
    blocks = -(-lengths // width)
    within = np.arange(blocks.sum()) - np.repeat(np.cumsum(blocks) - blocks, blocks)
    return np.append(np.repeat(runs[:-1], blocks) + within * width, elements).astype(np.int64)


def fit_blocks(slots: np.ndarray, starts: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Base and stride of each slot in each block; the stride `family_kernels.TABLE` where it is not affine.

    Returns
    -------
    base, stride : ndarray of int64, shape (blocks, slots)
    """
    first, length = starts[:-1], np.diff(starts)
    base = slots[:, first].astype(np.int64)
    following = slots[:, np.minimum(first + 1, slots.shape[1] - 1)].astype(np.int64)
    stride = np.where(length > 1, following - base, 0)
    for s, slot in enumerate(slots):
        predicted = np.repeat(base[s] - stride[s] * first, length) + np.repeat(stride[s], length) * np.arange(
            slot.size
        )
        wrong = (
            np.add.reduceat((predicted != slot).astype(np.int64), first)
            if slot.size
            else np.zeros(0, np.int64)
        )
        stride[s, wrong > 0] = _table_mark()
    return np.ascontiguousarray(base.T), np.ascontiguousarray(stride.T)
