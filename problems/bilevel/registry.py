"""The bilevel problems that are known by name.

`get_bilevel` builds one, `bilevel_problems` lists them, `register_bilevel` adds to them.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from typing import Any

from ..builder_registry import BuilderEntry, BuilderRegistry
from .problem import BilevelProblem

Builder = Callable[..., BilevelProblem]


def _load() -> None:
    from . import collection

    for module in pkgutil.iter_modules(collection.__path__, collection.__name__ + "."):
        importlib.import_module(module.name)


_PROBLEMS: BuilderRegistry[BilevelProblem] = BuilderRegistry("bilevel problem", _load)


def register_bilevel(name: str, source: str = "") -> Callable[[Builder], Builder]:
    """Register a function that builds a `BilevelProblem` from keywords with defaults.

    Raises
    ------
    ValueError
        Where the name is taken by another function.
    """
    return _PROBLEMS.register(name, source)


def bilevel_problems() -> list[BuilderEntry[BilevelProblem]]:
    """All registered bilevel problems, by name; none is built."""
    return _PROBLEMS.entries()


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
    return _PROBLEMS.get(name, **options)
