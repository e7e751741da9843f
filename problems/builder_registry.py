"""Problems of one kind by name: builders with keywords, built when asked for.

For kinds that are not nonlinear problems (those are in `registry`): sequences of linear systems, bilevel
problems.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from .entries import nearest
from .registry import UnknownProblemError

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class BuilderEntry(Generic[T]):
    """What is known of a problem before it is built.

    Attributes
    ----------
    name : str
        Upper case.
    source : str
        Where it comes from.
    builder : callable
        Takes keywords with defaults.
    """

    name: str
    source: str
    builder: Callable[..., T]

    @property
    def summary(self) -> str:
        """First line of the builder's docstring."""
        return (inspect.getdoc(self.builder) or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, Any]:
        """Keywords with their defaults."""
        return {p.name: p.default for p in inspect.signature(self.builder).parameters.values()}

    def build(self, **options: Any) -> T:
        """The problem.

        Raises
        ------
        TypeError
            Unknown options.
        """
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            known = ", ".join(self.options) or "none"
            raise TypeError(f"{self.name} takes the options {known}, not {', '.join(unknown)}")
        return self.builder(**options)


class BuilderRegistry(Generic[T]):
    """Entries of one kind.

    Parameters
    ----------
    kind : str
        For messages, such as "sequence".
    load : callable
        Imports the modules whose builders register themselves.
    """

    def __init__(self, kind: str, load: Callable[[], None]) -> None:
        self._kind, self._load = kind, load
        self._entries: dict[str, BuilderEntry[T]] = {}

    def register(self, name: str, source: str = "") -> Callable[[Callable[..., T]], Callable[..., T]]:
        """A decorator for builders.

        Raises
        ------
        ValueError
            Where the name is taken by another function.
        """

        def decorate(builder: Callable[..., T]) -> Callable[..., T]:
            known = self._entries.get(name)
            if known is not None and known.builder.__qualname__ != builder.__qualname__:
                raise ValueError(
                    f"a {self._kind} named {name} is registered already, by {known.builder.__module__}"
                )
            self._entries[name] = BuilderEntry(name, source, builder)
            return builder

        return decorate

    def entries(self) -> list[BuilderEntry[T]]:
        """All, by name; none is built."""
        self._load()
        return [self._entries[name] for name in sorted(self._entries)]

    def get(self, name: str, **options: Any) -> T:
        """Build one by name; case does not matter.

        Raises
        ------
        KeyError
            Where there is none; the message lists the nearest names.
        TypeError
            Not a name; unknown options.
        """
        if not isinstance(name, str):
            raise TypeError(f"name must be a str, not {type(name).__name__}")
        known = {entry.name: entry for entry in self.entries()}
        if name.upper() not in known:
            raise UnknownProblemError(f"there is no {self._kind} {name!r}{nearest(name.upper(), known)}")
        return known[name.upper()].build(**options)
