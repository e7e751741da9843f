"""Sequences of related linear systems A_t x = b_t: a problem kind of its own, with its own registry.

`get_sequence` builds one by name, `sequences` lists them. A sequence comes as a function of the step, so that
long ones take no memory, and so that a right-hand side can depend on the solution before it, as in time
stepping.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.sparse import coo_array, csr_array

from .builder_registry import BuilderEntry, BuilderRegistry
from .nlp import Vector

ContextScale = Literal["linear", "log"]


@dataclass(frozen=True, eq=False)
class LinearSystem:
    """One system of a sequence.

    Attributes
    ----------
    A : csr_array, shape (n, n)
        Float64, column indices sorted. Systems of one pattern share the arrays `indptr` and `indices`.
    b : ndarray, shape (n,)
        Right-hand side.
    context : float or None
        What is known beforehand about how this system differs from the others, such as a shift or a
        diffusion coefficient.
    """

    A: csr_array
    b: Vector
    context: float | None = None


@dataclass(frozen=True, eq=False, kw_only=True)
class LinearSequence:
    """T related linear systems, in order.

    Attributes
    ----------
    name : str
        Registry name.
    n : int
        Number of unknowns.
    length : int
        Number of systems, T.
    system : callable
        ``system(t, previous)`` is the `LinearSystem` of step t (from 0), given the solution of the step
        before (`start` for t = 0). Called twice with the same arguments it gives the same system.
    start : ndarray, shape (n,)
        What stands in for the solution before the first.
    positive_definite : bool
        True where every A_t is symmetric positive definite.
    stepping : bool
        True where the right-hand sides depend on the solutions before them.
    context_range : (float, float) or None
        Ends of the interval of the contexts.
    context_scale : {"linear", "log"}
        How contexts are spread over it.
    grid : (int, int) or None
        Rows and columns of the grid, where the unknowns are those of one in row-major order.
    source : str
        Where the sequence comes from.
    """

    name: str
    n: int
    length: int
    system: Callable[[int, Vector], LinearSystem]
    start: Vector
    positive_definite: bool = True
    stepping: bool = False
    context_range: tuple[float, float] | None = None
    context_scale: ContextScale = "linear"
    grid: tuple[int, int] | None = None
    source: str = ""

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[LinearSystem]:
        """The systems, where they do not depend on solutions; TypeError elsewhere."""
        if self.stepping:
            raise TypeError(
                f"the systems of {self.name} depend on the solutions before them: use system(t, previous)"
            )
        return (self.system(t, self.start) for t in range(self.length))


class ShiftedMatrix:
    """A + c I for many c, sharing A's pattern.

    Parameters
    ----------
    A : sparse array, shape (n, n)
        Entries of the diagonal that are not stored are added.
    """

    def __init__(self, A: Any) -> None:
        n = A.shape[0]
        entries, every = coo_array(A), np.arange(n)
        rows, columns = np.concatenate([entries.row, every]), np.concatenate([entries.col, every])
        values = np.concatenate([entries.data, np.zeros(n)])
        self.A = csr_array(coo_array((values, (rows, columns)), shape=(n, n)), dtype=np.float64)
        self.A.sum_duplicates()
        self._diagonal = np.flatnonzero(self.A.indices == np.repeat(every, np.diff(self.A.indptr)))

    def plus(self, c: float) -> csr_array:
        """A + c I."""
        data = self.A.data.copy()
        data[self._diagonal] += c
        return csr_array((data, self.A.indices, self.A.indptr), shape=self.A.shape)


def _load() -> None:
    from .registry import load_collection

    load_collection()


_SEQUENCES: BuilderRegistry[LinearSequence] = BuilderRegistry("sequence", _load)


def register_sequence(
    name: str, source: str = ""
) -> Callable[[Callable[..., LinearSequence]], Callable[..., LinearSequence]]:
    """Register a function that builds a `LinearSequence` from keywords with defaults.

    Raises
    ------
    ValueError
        Where the name is taken by another function.
    """
    return _SEQUENCES.register(name, source)


def sequences() -> list[BuilderEntry[LinearSequence]]:
    """All registered sequences, by name; none is built."""
    return _SEQUENCES.entries()


def get_sequence(name: str, **options: Any) -> LinearSequence:
    """Build a sequence by name.

    Parameters
    ----------
    name : str
        Such as "HEAT"; case does not matter.
    **options
        Sizes, coefficients and the like: see ``sequences()``.

    Raises
    ------
    KeyError
        Where there is no such sequence; the message lists the nearest names.
    ImportError
        Where it needs an optional package that is not installed.
    """
    return _SEQUENCES.get(name, **options)
