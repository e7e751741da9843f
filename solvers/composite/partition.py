"""Partitions of the coordinates into blocks: fixed ones by rule, by graph or by hand, and variable ones.

Section 4.1 of J. Nutini, I. Laradji, M. Schmidt, "Let's make block coordinate descent converge faster: faster
greedy rules, message-passing, active-set complexity, and superlinear convergence", JMLR 23(131), 2022; the
forests are from its section 5.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from scipy import sparse

from ...problems.composite.datafits import QuadraticForm
from ...problems.composite.group_penalties import SparseGroupLasso
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, Indices, MismatchError
from .trees import graph_arrays


@dataclass(frozen=True, eq=False)
class Blocks:
    """Disjoint blocks that cover the coordinates.

    Attributes
    ----------
    starts : ndarray of int, shape (blocks + 1,)
        Where in `order` each block begins.
    order : ndarray of int, shape (n,)
        The coordinates, block after block.
    """

    starts: Indices
    order: Indices

    @classmethod
    def of(cls, blocks: Sequence[Any]) -> Blocks:
        """The blocks of a sequence of index arrays."""
        sizes = [len(block) for block in blocks]
        starts = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        return cls(starts, np.concatenate([np.asarray(block, dtype=np.int64) for block in blocks]))

    @classmethod
    def cut(cls, order: Indices, size: int) -> Blocks:
        """An order of the coordinates cut into blocks of `size`; the last may be smaller."""
        starts = np.append(np.arange(0, order.size, size), order.size)
        return cls(starts.astype(np.int64), np.ascontiguousarray(order, dtype=np.int64))

    @classmethod
    def by_label(cls, labels: Indices) -> Blocks:
        """One block for every label 0, 1, ..."""
        starts = np.concatenate([[0], np.cumsum(np.bincount(labels))])
        return cls(starts.astype(np.int64), np.argsort(labels, kind="stable").astype(np.int64))

    def __len__(self) -> int:
        return self.starts.size - 1

    def __getitem__(self, k: int) -> Indices:
        return self.order[self.starts[k] : self.starts[k + 1]]

    def __iter__(self) -> Iterator[Indices]:
        return (self[k] for k in range(len(self)))

    @cached_property
    def owner(self) -> Indices:
        """Block of each coordinate."""
        owner = np.empty(self.order.size, dtype=np.int64)
        owner[self.order] = np.repeat(np.arange(len(self)), np.diff(self.starts))
        return owner

    def sums(self, values: Array) -> Array:
        """Sums of a value of every coordinate over the blocks."""
        return np.asarray(np.add.reduceat(values[self.order], self.starts[:-1]))


class Partition:
    """How coordinates are grouped; subclass it for one of your own."""

    def blocks(self, problem: CompositeProblem, size: int) -> Blocks | None:
        """The fixed blocks, None where blocks are chosen anew in every iteration.

        Parameters
        ----------
        problem : CompositeProblem
            Its coordinates are those of w, flat.
        size : int
            Wanted size of the blocks; partitions by graph or group have their own.
        """
        raise NotImplementedError


@dataclass(frozen=True)
class Variable(Partition):
    """Any coordinates may make a block (VB): the selection rule decides in every iteration."""

    def blocks(self, problem: CompositeProblem, size: int) -> None:
        return None


@dataclass(frozen=True)
class Order(Partition):
    """Coordinates as they come, cut into blocks."""

    def blocks(self, problem: CompositeProblem, size: int) -> Blocks:
        return Blocks.cut(np.arange(_size(problem)), size)


@dataclass(frozen=True)
class Sort(Partition):
    """Coordinates of similar L_i together: best for greedy rules with gradient updates.

    A few blocks then hold the large L_i, and all others can take long steps.
    """

    def blocks(self, problem: CompositeProblem, size: int) -> Blocks:
        return Blocks.cut(_descending_lipschitz(problem), size)


@dataclass(frozen=True)
class Average(Partition):
    """The largest L_i with the smallest, so that the blocks are alike."""

    def blocks(self, problem: CompositeProblem, size: int) -> Blocks:
        descending = _descending_lipschitz(problem)
        n = descending.size
        order = np.empty(n, dtype=np.int64)
        order[0::2] = descending[: (n + 1) // 2]
        order[1::2] = descending[::-1][: n // 2]
        return Blocks.cut(order, size)


@dataclass(frozen=True)
class Trees(Partition):
    """Few blocks whose graphs are forests, by first fit: exact updates of them cost O(|b|).

    Each vertex joins the first forest in which no two of its neighbours share a tree. The block size plays
    no role.

    Parameters
    ----------
    order : {"lipschitz", "natural"}
        Vertices by descending L_i, as in the paper, or as they are numbered.
    """

    order: str = "lipschitz"

    def blocks(self, problem: CompositeProblem, size: int) -> Blocks:
        from .partition_kernels import first_fit_forests

        indptr, indices, _ = sparse_graph(problem, "partition 'trees'")
        return Blocks.by_label(first_fit_forests(indptr, indices, _vertex_order(problem, self.order)))


@dataclass(frozen=True)
class Multicolour(Partition):
    """Blocks without any coupling inside, by greedy colouring; a lattice in its order gives red and black.

    Parameters
    ----------
    order : {"natural", "lipschitz"}
        Order in which vertices get the first colour that no neighbour has.
    """

    order: str = "natural"

    def blocks(self, problem: CompositeProblem, size: int) -> Blocks:
        from ..colouring_kernels import greedy_colours

        indptr, indices, _ = sparse_graph(problem, "partition 'multicolour'")
        return Blocks.by_label(greedy_colours(indptr, indices, _vertex_order(problem, self.order)))


@dataclass(frozen=True)
class Groups(Partition):
    """The groups of a group penalty: its prox does not split them."""

    def blocks(self, problem: CompositeProblem, size: int) -> Blocks:
        penalty = problem.penalty
        if not isinstance(penalty, SparseGroupLasso):
            raise MismatchError(
                f"partition 'groups' needs a penalty with groups, not {type(penalty).__name__}"
            )
        starts, order, _ = penalty.layout(problem.shape)
        return Blocks(starts, order)


@dataclass(frozen=True, eq=False)
class Given(Partition):
    """Blocks given as index arrays, every coordinate in exactly one."""

    given: Sequence[Any]

    def blocks(self, problem: CompositeProblem, size: int) -> Blocks:
        arrays = [np.atleast_1d(np.asarray(block)) for block in self.given]
        for k, block in enumerate(arrays):
            if block.ndim != 1 or block.dtype.kind not in "iu" or block.size == 0:
                raise ValueError(
                    f"partition[{k}] must be a non-empty array of indices, got {self.given[k]!r}"
                )
        if not arrays:
            raise ValueError("partition must have at least one block")
        found = Blocks.of(arrays)
        n = _size(problem)
        outside = found.order[(found.order < 0) | (found.order >= n)]
        if outside.size:
            raise ValueError(f"partition has coordinate {outside[0]}, w has {n}")
        count = np.bincount(found.order, minlength=n)
        if (count != 1).any():
            j = int(np.argmax(count != 1))
            what = "in no block" if count[j] == 0 else f"in {count[j]} blocks"
            raise ValueError(f"partition must have every coordinate exactly once, but {j} is {what}")
        return found


PARTITIONS: dict[str, type[Partition]] = {
    "variable": Variable,
    "order": Order,
    "sort": Sort,
    "average": Average,
    "trees": Trees,
    "multicolour": Multicolour,
    "groups": Groups,
}


def partition_of(given: Any) -> Partition:
    """A partition of its name, of a sequence of index arrays, or itself.

    Raises
    ------
    ValueError, TypeError
        An unknown name, or none of these.
    """
    if isinstance(given, Partition):
        return given
    if isinstance(given, str):
        if given not in PARTITIONS:
            raise ValueError(f"partition must be one of {', '.join(PARTITIONS)}, got {given!r}")
        return PARTITIONS[given]()
    if isinstance(given, Sequence):
        return Given(given)
    raise TypeError(f"partition must be a name, a Partition or a sequence of index arrays, got {given!r}")


def require_sparse_graph(problem: CompositeProblem, who: str) -> Any:
    """The sparse A of a quadratic form of w.

    Raises
    ------
    MismatchError
        Where the problem is not one; `who` needs it.
    """
    datafit = problem.datafit
    if not (isinstance(datafit, QuadraticForm) and sparse.issparse(datafit.A)):
        raise MismatchError(
            f"{who} needs the datafit QuadraticForm with a sparse A, not {type(datafit).__name__}"
        )
    if problem.design.kind != "identity" or problem.offset is not None:
        raise MismatchError(f"{who} needs a quadratic form of w itself: no X and no offset")
    return datafit.A


def sparse_graph(problem: CompositeProblem, who: str) -> tuple[Indices, Indices, Array]:
    """CSR arrays of that A; errors as in `require_sparse_graph`."""
    return graph_arrays(require_sparse_graph(problem, who))


def _size(problem: CompositeProblem) -> int:
    return int(np.prod(problem.shape))


def _descending_lipschitz(problem: CompositeProblem) -> Indices:
    return np.argsort(-problem.coordinate_lipschitz.ravel(), kind="stable")


def _vertex_order(problem: CompositeProblem, order: str) -> Indices:
    if order == "natural":
        return np.arange(_size(problem))
    if order == "lipschitz":
        return _descending_lipschitz(problem)
    raise ValueError(f"order must be 'lipschitz' or 'natural', got {order!r}")
