"""CUTEst's SIF files, compiled without Fortran: `from_sif`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .errors import SIFError
    from .problem import SIFProblem, from_sif

_HOMES = {"SIFError": "errors", "SIFProblem": "problem", "from_sif": "problem"}

__all__ = ["SIFError", "SIFProblem", "from_sif"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        from importlib import import_module

        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
