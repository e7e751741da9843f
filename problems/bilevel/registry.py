"""The bilevel problems that are known by name.

`get_bilevel` builds one, `bilevel_problems` lists them, `register_bilevel` adds to them.
"""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from .problem import BilevelProblem

Builder = Callable[..., BilevelProblem]


@dataclass(frozen=True, eq=False)
class BilevelEntry:
    """What the registry knows of a problem before it is built."""

    name: str
    source: str
    builder: Builder

    @property
    def summary(self) -> str:
        """First line of the builder's docstring."""
        return (inspect.getdoc(self.builder) or "").partition("\n")[0]

    @property
    def options(self) -> dict[str, Any]:
        """Keywords with their defaults."""
        return {p.name: p.default for p in inspect.signature(self.builder).parameters.values()}

    def build(self, **options: Any) -> BilevelProblem:
        """The problem.

        Raises
        ------
        TypeError
            Unknown options.
        """
        unknown = sorted(set(options) - set(self.options))
        if unknown:
            known = ", ".join(self.options) or "no options"
            raise TypeError(f"{self.name} takes {known}, not {', '.join(unknown)}")
        return self.builder(**options)


_entries: dict[str, BilevelEntry] = {}


def register_bilevel(name: str, source: str = "") -> Callable[[Builder], Builder]:
    """Register a function that builds a `BilevelProblem` from keywords with defaults.

    Raises
    ------
    ValueError
        Where the name is taken by another function.
    """

    def decorate(builder: Builder) -> Builder:
        known = _entries.get(name)
        if known is not None and known.builder.__qualname__ != builder.__qualname__:
            raise ValueError(
                f"a bilevel problem named {name} is registered already, by {known.builder.__module__}"
            )
        _entries[name] = BilevelEntry(name, source, builder)
        return builder

    return decorate


def bilevel_problems() -> list[BilevelEntry]:
    """All registered bilevel problems, by name; none is built."""
    from . import collection

    for module in pkgutil.iter_modules(collection.__path__, collection.__name__ + "."):
        importlib.import_module(module.name)
    return [_entries[name] for name in sorted(_entries)]


def get_bilevel(name: str, **options: Any) -> BilevelProblem:
    """Build a bilevel problem by name.

    Parameters
    ----------
    name : str
        Such as "LLC"; case does not matter.
    **options
        Sizes and the like: see ``bilevel_problems()``.

    Raises
    ------
    KeyError
        Where there is no such problem; the message lists the nearest names.
    ImportError
        Where it needs an optional package that is not installed.
    """
    from ..entries import nearest
    from ..registry import UnknownProblemError

    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    known = {entry.name: entry for entry in bilevel_problems()}
    if name.upper() not in known:
        raise UnknownProblemError(f"there is no bilevel problem {name!r}{nearest(name.upper(), known)}")
    return known[name.upper()].build(**options)
