"""Composite problems: a smooth datafit of X w + offset + b plus a penalty of w."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..._lazy import attach

if TYPE_CHECKING:
    from .datafits import Huber, LeastSquares, Logistic, Multinomial, Poisson, QuadraticForm, SquaredHinge
    from .design import Design
    from .group_penalties import GroupLasso, SparseGroupLasso
    from .nonconvex_penalties import MCP, SCAD
    from .penalties import L1, Box, ElasticNet, NonNegative, NoPenalty, PiecewiseQuadratic
    from .problem import CompositeProblem
    from .protocol import Datafit, MismatchError, Penalty
    from .slope import SLOPE
    from .support_vectors import svm_dual

_HOMES = {
    "Box": "penalties",
    "CompositeProblem": "problem",
    "Datafit": "protocol",
    "Design": "design",
    "ElasticNet": "penalties",
    "GroupLasso": "group_penalties",
    "Huber": "datafits",
    "L1": "penalties",
    "LeastSquares": "datafits",
    "Logistic": "datafits",
    "MCP": "nonconvex_penalties",
    "MismatchError": "protocol",
    "Multinomial": "datafits",
    "NoPenalty": "penalties",
    "NonNegative": "penalties",
    "Penalty": "protocol",
    "PiecewiseQuadratic": "penalties",
    "Poisson": "datafits",
    "QuadraticForm": "datafits",
    "SCAD": "nonconvex_penalties",
    "SLOPE": "slope",
    "SparseGroupLasso": "group_penalties",
    "SquaredHinge": "datafits",
    "svm_dual": "support_vectors",
}

__all__ = [
    "L1",
    "MCP",
    "SCAD",
    "SLOPE",
    "Box",
    "CompositeProblem",
    "Datafit",
    "Design",
    "ElasticNet",
    "GroupLasso",
    "Huber",
    "LeastSquares",
    "Logistic",
    "MismatchError",
    "Multinomial",
    "NoPenalty",
    "NonNegative",
    "Penalty",
    "PiecewiseQuadratic",
    "Poisson",
    "QuadraticForm",
    "SparseGroupLasso",
    "SquaredHinge",
    "svm_dual",
]

__getattr__, __dir__ = attach(__name__, _HOMES)
