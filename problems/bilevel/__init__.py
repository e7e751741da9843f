"""Bilevel problems: an upper level over (x, y) whose y solves a lower level."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import attach

if TYPE_CHECKING:
    from .callables import bilevel_from_callables
    from .formula_problems import bilevel_from_formulas, read_bilevel
    from .model import BilevelModel
    from .problem import BilevelProblem, Sampled
    from .registry import bilevel_problems, get_bilevel, register_bilevel
    from .sets import Affine, Ball, Box, ConvexSet, Polyhedron, Product, Simplex

_HOMES = {
    "Affine": "sets",
    "Ball": "sets",
    "BilevelModel": "model",
    "BilevelProblem": "problem",
    "Box": "sets",
    "ConvexSet": "sets",
    "Polyhedron": "sets",
    "Product": "sets",
    "Sampled": "problem",
    "Simplex": "sets",
    "bilevel_from_callables": "callables",
    "bilevel_from_formulas": "formula_problems",
    "bilevel_problems": "registry",
    "get_bilevel": "registry",
    "read_bilevel": "formula_problems",
    "register_bilevel": "registry",
}

__all__ = [
    "Affine",
    "Ball",
    "BilevelModel",
    "BilevelProblem",
    "Box",
    "ConvexSet",
    "Polyhedron",
    "Product",
    "Sampled",
    "Simplex",
    "bilevel_from_callables",
    "bilevel_from_formulas",
    "bilevel_problems",
    "get_bilevel",
    "read_bilevel",
    "register_bilevel",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
