"""Benchmarks with stated targets, one module each; ``karush bench NAME`` runs them.

A module offers ``run(quick, progress) -> dict`` with "environment", "rows" and "targets" (each target a dict
of "name", "value", "target", "met"); ``TITLE`` is its heading (default: the first line of its docstring),
``COLUMNS`` the keys of the rows that are printed (default: all). ``progress`` takes a line of text.
"""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable
from types import ModuleType
from typing import Any

_KEYS = {"environment", "rows", "targets"}


def names() -> list[str]:
    """Names of the benchmarks; nothing is imported for it."""
    found = pkgutil.iter_modules(__path__)
    return sorted(module.name for module in found if not module.name.startswith("_"))


def title(name: str) -> str:
    """Heading of a benchmark."""
    module = _module(name)
    found = getattr(module, "TITLE", None) or (module.__doc__ or name).strip().partition("\n")[0]
    return str(found)


def columns(name: str) -> list[str] | None:
    """Columns of its printed table, None for all."""
    found = getattr(_module(name), "COLUMNS", None)
    return None if found is None else list(found)


def run(name: str, quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Run a benchmark.

    Raises
    ------
    TypeError
        Where what it returns is not of the form described above.
    """
    result = _module(name).run(quick, progress)
    if not isinstance(result, dict) or not result.keys() >= _KEYS:
        raise TypeError(f"benchmark {name} must return a dict with {', '.join(sorted(_KEYS))}")
    for target in result["targets"]:
        if not {"name", "value", "target", "met"} <= target.keys():
            raise TypeError(f"a target of benchmark {name} lacks a key: {target}")
    return result


def _module(name: str) -> ModuleType:
    return importlib.import_module(f"{__name__}.{name}")
