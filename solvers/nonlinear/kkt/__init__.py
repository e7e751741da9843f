"""KKT systems ``[[H + diag(p), J'], [J, -diag(d)]]`` behind one small protocol."""

from .protocol import Inertia, KKTPattern, KKTSolver
from .select import DENSE_LIMIT, LinearSolver, alternative, kkt_solver

__all__ = [
    "DENSE_LIMIT",
    "Inertia",
    "KKTPattern",
    "KKTSolver",
    "LinearSolver",
    "alternative",
    "kkt_solver",
]
