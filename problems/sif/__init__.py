"""CUTEst's SIF files, compiled without Fortran: `from_sif`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import attach

if TYPE_CHECKING:
    from .errors import SIFError
    from .problem import SIFProblem, from_sif

_HOMES = {"SIFError": "errors", "SIFProblem": "problem", "from_sif": "problem"}

__all__ = ["SIFError", "SIFProblem", "from_sif"]

__getattr__, __dir__ = attach(__name__, _HOMES)
