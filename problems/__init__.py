"""What is solved: problem protocol, term families, registry, collections and front ends."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .._lazy import attach

if TYPE_CHECKING:
    from .casadi_problems import from_casadi
    from .cvxpy_problems import from_cvxpy
    from .linear_sequence import LinearSequence, LinearSystem, get_sequence, register_sequence, sequences
    from .model import Model, Rows, Variables
    from .nl_files import from_nl
    from .nlp import NLP, Capabilities, Metadata
    from .registry import collections, find, get, register, select
    from .sif import SIFError, from_sif

_HOMES = {
    "sequences": "linear_sequence",
    "register_sequence": "linear_sequence",
    "get_sequence": "linear_sequence",
    "LinearSystem": "linear_sequence",
    "LinearSequence": "linear_sequence",
    "NLP": "nlp",
    "Capabilities": "nlp",
    "Metadata": "nlp",
    "Model": "model",
    "Rows": "model",
    "SIFError": "sif",
    "Variables": "model",
    "collections": "registry",
    "find": "registry",
    "from_casadi": "casadi_problems",
    "from_cvxpy": "cvxpy_problems",
    "from_nl": "nl_files",
    "from_sif": "sif",
    "get": "registry",
    "register": "registry",
    "select": "registry",
}

__all__ = [
    "NLP",
    "Capabilities",
    "LinearSequence",
    "LinearSystem",
    "Metadata",
    "Model",
    "Rows",
    "SIFError",
    "Variables",
    "collections",
    "find",
    "from_casadi",
    "from_cvxpy",
    "from_nl",
    "from_sif",
    "get",
    "get_sequence",
    "register",
    "register_sequence",
    "select",
    "sequences",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
