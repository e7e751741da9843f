"""The registry of composite problems that are drawn at random."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np

from ..problem import CompositeProblem

Draw = Callable[..., CompositeProblem]

_known: dict[str, Generator] = {}


@dataclass(frozen=True)
class Generator:
    """A named family of problems.

    Attributes
    ----------
    name, title, source : str
        What it is called, what it is, and where it comes from.
    draw : callable
        ``draw(rng, **sizes)`` with a `numpy.random.Generator`.
    """

    name: str
    title: str
    source: str
    draw: Draw


def register(name: str, *, source: str = "") -> Callable[[Draw], Draw]:
    """Register ``draw(rng, **sizes)`` under a name; the first line of its docstring is the title.

    Raises
    ------
    ValueError
        The name is taken.
    """

    def decorate(draw: Draw) -> Draw:
        known = _known.get(name)
        if known is not None and known.draw.__qualname__ != draw.__qualname__:
            raise ValueError(f"a composite problem named {name!r} is registered already")
        _known[name] = Generator(name, (draw.__doc__ or name).strip().partition("\n")[0], source, draw)
        return draw

    return decorate


def names() -> list[str]:
    """Names of the problems."""
    _import_all()
    return sorted(_known)


def generator(name: str) -> Generator:
    """The generator of a name.

    Raises
    ------
    KeyError
        Where there is none; the message lists the nearest names.
    """
    _import_all()
    if name not in _known:
        near = get_close_matches(str(name), _known, 3, 0.3) or sorted(_known)
        raise KeyError(f"there is no composite problem {name!r}; there are {', '.join(near)}")
    return _known[name]


def get(name: str, rng: Any = 0, **sizes: Any) -> CompositeProblem:
    """Draw a problem.

    Parameters
    ----------
    name : str
        See `names`.
    rng : int or numpy.random.Generator
        Randomness (SPEC 7); the default gives always the same problem.
    **sizes
        Sizes and other keywords of the generator.

    Raises
    ------
    KeyError
        Unknown name.
    """
    return generator(name).draw(np.random.default_rng(rng), **sizes)


def _import_all() -> None:
    from . import label_propagation, regressions  # noqa: F401 (they register)
