"""The registry: problems by name, from the native collection and from other sources.

A plain name is native; ``source:NAME`` names another source: ``s2mpj:HS71``, ``sif:HS71`` (a file of the
folder ``path=`` or MASTSIF), ``cutest:HS71`` (an installed CUTEst). Nothing is built, and no collection is
imported, before it is asked for.
"""

from __future__ import annotations

import fnmatch
import importlib
import os
import pkgutil
from collections.abc import Callable, Collection, Iterator
from typing import Any, Protocol

from .entries import KINDS, ConstraintKind, Entry, NativeEntry, PycutestEntry, S2MPJEntry, nearest
from .nlp import NLP


class Source(Protocol):
    """Somewhere that problems come from."""

    def entries(self) -> Iterator[Entry]:
        """All its problems."""

    def entry(self, name: str) -> Entry:
        """The problem of this name (without prefix); KeyError where there is none."""


_native: dict[str, NativeEntry] = {}


def register(
    *,
    classification: str,
    optimum: float | Callable[..., float | None] | None = None,
    source: str = "",
    name: str | None = None,
    collection: str | None = None,
) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Register a function that fills a `Model` as a problem.

    Parameters
    ----------
    classification : str
        CUTEst classification string, such as "OOR2-AY-4-2".
    optimum : float or callable, optional
        Best known value at the default sizes, or a function of the sizes.
    source : str
        Where the problem comes from.
    name : str, optional
        The problem's name; by default the function's in upper case.
    collection : str, optional
        Its family; by default the module's name.

    Raises
    ------
    ValueError
        Where the name is taken by another function.
    """

    def decorate(builder: Callable[..., None]) -> Callable[..., None]:
        title = name or builder.__name__.upper()
        family = collection or _family(builder.__module__)
        known = _native.get(title)
        if known is not None and known.builder.__qualname__ != builder.__qualname__:
            raise ValueError(f"a problem named {title} is registered already, by {known.builder.__module__}")
        _native[title] = NativeEntry(title, classification, source, family, builder, optimum)
        return builder

    return decorate


def get(name: str, **sizes: Any) -> NLP:
    """Build a problem by name.

    Parameters
    ----------
    name : str
        "HS71" for a native problem, "s2mpj:HS71" for one of another source. Case does not matter.
    **sizes
        Sizes and other keywords of the problem. For a SIF file ``path`` is its folder, by default what the
        environment variable MASTSIF names, and the others are the parameters that it marks as adjustable.

    Returns
    -------
    NLP

    Raises
    ------
    KeyError
        Where there is no such problem; the message lists the nearest names.
    ValueError
        Where ``path`` is not a folder, or goes with a problem that is no SIF file.
    """
    path = sizes.pop("path", None)
    return find(name, path=path).build(**sizes)


def find(name: str, *, path: str | os.PathLike[str] | None = None) -> Entry:
    """The registry's entry of a problem, unbuilt; errors as in `get`."""
    if not isinstance(name, str):
        raise TypeError(f"name must be a str, not {type(name).__name__}")
    prefix, colon, bare = name.partition(":")
    if not colon:
        prefix, bare = "native", name
    source = _source(prefix, path)
    try:
        return source.entry(bare)
    except KeyError:
        known = [entry.name for entry in source.entries()]
        where = "" if path is None else f" in the folder {os.fspath(path)}"
        raise UnknownProblemError(
            f"there is no problem {name!r}{where}{nearest(name.upper(), known)}"
        ) from None


class UnknownProblemError(KeyError):
    """No problem or source has this name."""

    def __str__(self) -> str:
        return str(self.args[0])


def select(
    *,
    constraints: ConstraintKind | Collection[ConstraintKind] | None = None,
    n: tuple[float, float] | None = None,
    m: tuple[float, float] | None = None,
    classification: str | None = None,
    collection: str | None = None,
    path: str | os.PathLike[str] | None = None,
) -> list[Entry]:
    """Choose problems without building them.

    Parameters
    ----------
    constraints : {"none", "bounds", "equalities", "inequalities"} or collection of these
        Problems that have exactly these kinds of constraints ("bounds" alone: bounds and nothing else).
    n, m : (low, high)
        Ranges, ends included, of the numbers of variables and constraints at the default sizes.
    classification : str
        Pattern for the CUTEst string with ``*`` and ``?``, such as "S*" or "?UR2-*".
    collection : str
        "native" (the default), a native family such as "hock_schittkowski", or a source ("s2mpj", "sif",
        "cutest").
    path : path
        The folder of the collection "sif"; by default what the environment variable MASTSIF names.

    Returns
    -------
    list of Entry
        In the order of their names, numbers within them counted as such.
    """
    wanted = _wanted_kinds(constraints)
    found: list[Entry] = []
    for entry in _entries(collection, path):
        if classification is not None and not fnmatch.fnmatchcase(
            entry.classification, classification.upper()
        ):
            continue
        if n is not None and not n[0] <= entry.dimensions[0] <= n[1]:
            continue
        if m is not None and not m[0] <= entry.dimensions[1] <= m[1]:
            continue
        if wanted is not None and entry.constraint_kinds != wanted:
            continue
        found.append(entry)
    return sorted(found, key=lambda entry: _natural(entry.name))


def collections() -> list[str]:
    """Names that `select` takes as collection: families of the native collection and other sources."""
    return [
        "native",
        *sorted({e.collection for e in _loaded_native().values()}),
        *sorted(set(_SOURCES) - {"native"}),
    ]


def load_collection() -> None:
    """Import the native collection and the plug-ins, whatever kinds of problems they register."""
    _loaded_native()


def _wanted_kinds(constraints: Any) -> frozenset[ConstraintKind] | None:
    if constraints is None:
        return None
    wanted = frozenset([constraints] if isinstance(constraints, str) else constraints)
    unknown = wanted - set(KINDS)
    if unknown:
        raise ValueError(f"constraints holds {sorted(unknown)}; it takes {', '.join(KINDS)}")
    return wanted


def _entries(collection: str | None, path: str | os.PathLike[str] | None) -> list[Entry]:
    if collection in _SOURCES or path is not None:
        return list(_source(collection or "native", path).entries())
    if collection is None:
        return list(_loaded_native().values())
    entries: list[Entry] = [e for e in _loaded_native().values() if e.collection == collection]
    if not entries:
        raise UnknownProblemError(
            f"there is no collection {collection!r}{nearest(collection, collections())}"
        )
    return entries


class _Native:
    def entries(self) -> Iterator[Entry]:
        return iter(_loaded_native().values())

    def entry(self, name: str) -> Entry:
        return _loaded_native()[name.upper()]


class _S2MPJ:
    def entries(self) -> Iterator[Entry]:
        from .s2mpj import names

        return map(S2MPJEntry, names())

    def entry(self, name: str) -> Entry:
        from .s2mpj import information

        try:
            return S2MPJEntry(information(name).name)
        except ValueError as error:
            raise KeyError(name) from error


class _Pycutest:
    def entries(self) -> Iterator[Entry]:
        from .from_pycutest import names

        return map(PycutestEntry, names())

    def entry(self, name: str) -> Entry:
        return PycutestEntry(name.upper())  # pycutest says what is wrong with it when it is built


def _sif(path: str | os.PathLike[str] | None) -> Source:
    from .sif.collection import SIFCollection

    return SIFCollection(path)


_SOURCES: dict[str, Callable[[], Source]] = {
    "native": _Native,
    "s2mpj": _S2MPJ,
    "cutest": _Pycutest,
    "sif": lambda: _sif(None),
}


def _source(prefix: str, path: str | os.PathLike[str] | None = None) -> Source:
    if prefix == "sif":
        return _sif(path)
    if path is not None:
        raise ValueError(f"path goes with SIF files ('sif'), not with {prefix!r}; it is {os.fspath(path)!r}")
    if prefix not in _SOURCES:
        known = ", ".join(sorted(_SOURCES))
        raise UnknownProblemError(
            f"there is no source {prefix!r}{nearest(prefix, _SOURCES)}; sources: {known}"
        )
    return _SOURCES[prefix]()


_loaded = False


def _loaded_native() -> dict[str, NativeEntry]:
    """The native collection and the plug-ins' problems, imported at the first request."""
    global _loaded
    if not _loaded:
        from importlib.metadata import entry_points

        from . import collection

        for module in pkgutil.walk_packages(collection.__path__, collection.__name__ + "."):
            importlib.import_module(module.name)
        for plugin in entry_points(group="karush.problems"):
            plugin.load()
        _loaded = True
    return _native


def _family(module: str) -> str:
    """The collection's name from a module's: the first part below the collection package."""
    _, marker, tail = module.partition(".collection.")
    return tail.partition(".")[0] if marker else module.rpartition(".")[2]


def _natural(name: str) -> list[Any]:
    parts, digits = [], ""
    for character in name + " ":
        if character.isdigit():
            digits += character
            continue
        if digits:
            parts.append((0, int(digits), ""))
            digits = ""
        parts.append((1, 0, character))
    return parts
