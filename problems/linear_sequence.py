"""Sequences of related linear systems A_t x = b_t: a problem kind of its own, with its own registry.

`get_sequence` builds one by name, `sequences` lists them. A sequence comes as a function of the step, so that
long ones take no memory, and so that a right-hand side can depend on the solution before it, as in time
stepping.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.sparse import coo_array, csr_array

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


@dataclass(frozen=True, eq=False)
class SequenceEntry:
    """What the registry knows of a sequence before it is built."""

    name: str
    source: str
    builder: Callable[..., LinearSequence]

    @property
    def summary(self) -> str:
        """First line of the builder's docstring."""
        return (inspect.getdoc(self.builder) or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, Any]:
        """Keywords with their defaults."""
        return {p.name: p.default for p in inspect.signature(self.builder).parameters.values()}

    def build(self, **options: Any) -> LinearSequence:
        """The sequence.

        Raises
        ------
        TypeError
            Unknown options.
        """
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            raise TypeError(
                f"{self.name} takes the options {', '.join(self.options)}, not {', '.join(unknown)}"
            )
        return self.builder(**options)


_entries: dict[str, SequenceEntry] = {}


def register_sequence(
    name: str, source: str = ""
) -> Callable[[Callable[..., LinearSequence]], Callable[..., LinearSequence]]:
    """Register a function that builds a `LinearSequence` from keywords with defaults.

    Raises
    ------
    ValueError
        Where the name is taken by another function.
    """

    def decorate(builder: Callable[..., LinearSequence]) -> Callable[..., LinearSequence]:
        known = _entries.get(name)
        if known is not None and known.builder.__qualname__ != builder.__qualname__:
            raise ValueError(f"a sequence named {name} is registered already, by {known.builder.__module__}")
        _entries[name] = SequenceEntry(name, source, builder)
        return builder

    return decorate


def sequences() -> list[SequenceEntry]:
    """All registered sequences, by name; none is built."""
    from .registry import load_collection

    load_collection()
    return [_entries[name] for name in sorted(_entries)]


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
    from .entries import nearest
    from .registry import UnknownProblemError

    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    known = {entry.name: entry for entry in sequences()}
    if name.upper() not in known:
        raise UnknownProblemError(f"there is no sequence {name!r}{nearest(name.upper(), known)}")
    return known[name.upper()].build(**options)
