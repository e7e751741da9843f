"""karush: structured numerical optimisation with certified answers.

Names are imported when they are first used, so that ``import karush`` costs next to nothing.
"""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from ._lazy import attach
from ._version import __version__

if TYPE_CHECKING:
    from . import bench, estimators, problems, sketching, solvers
    from .problems.bilevel.problem import BilevelProblem
    from .problems.evaluator import Evaluator
    from .problems.linear_sequence import LinearSequence
    from .problems.model import Model
    from .problems.nlp import NLP, Capabilities, Metadata
    from .solvers.bilevel.certificate import certify_bilevel
    from .solvers.bilevel.hypergradient import check_hypergradient
    from .solvers.bilevel.minimize import minimize_bilevel
    from .solvers.certificate import Certificate, InfeasibilityCertificate, certify, certify_infeasible
    from .solvers.composite.certificate import certify_composite
    from .solvers.composite.cross_validation import cross_validate_composite
    from .solvers.composite.minimize import minimize_composite
    from .solvers.composite.path import composite_path
    from .solvers.cvxpy_interface import solve_cvxpy
    from .solvers.methods import method_names, register_method
    from .solvers.minimize import minimize
    from .solvers.result import Result
    from .solvers.scipy_interface import scipy_method
    from .solvers.sequence.sequence_solver import SequenceSolver
    from .solvers.sequence.solve_sequence import solve_sequence
    from .solvers.status import Status

__all__ = [
    "NLP",
    "BilevelProblem",
    "Capabilities",
    "Certificate",
    "Evaluator",
    "InfeasibilityCertificate",
    "LinearSequence",
    "Metadata",
    "Model",
    "Result",
    "SequenceSolver",
    "Status",
    "__version__",
    "bench",
    "certify",
    "certify_bilevel",
    "certify_composite",
    "certify_infeasible",
    "check_hypergradient",
    "composite_path",
    "cross_validate_composite",
    "estimators",
    "method_names",
    "minimize",
    "minimize_bilevel",
    "minimize_composite",
    "problems",
    "register_method",
    "scipy_method",
    "sketching",
    "solve_cvxpy",
    "solve_sequence",
    "solvers",
]

_SUBPACKAGES = ("bench", "estimators", "problems", "sketching", "solvers")

_HOMES = {
    "Evaluator": "problems.evaluator",
    "LinearSequence": "problems.linear_sequence",
    "Model": "problems.model",
    "NLP": "problems.nlp",
    "Capabilities": "problems.nlp",
    "Metadata": "problems.nlp",
    "BilevelProblem": "problems.bilevel.problem",
    "Certificate": "solvers.certificate",
    "InfeasibilityCertificate": "solvers.certificate",
    "certify": "solvers.certificate",
    "certify_infeasible": "solvers.certificate",
    "method_names": "solvers.methods",
    "register_method": "solvers.methods",
    "minimize": "solvers.minimize",
    "certify_bilevel": "solvers.bilevel.certificate",
    "certify_composite": "solvers.composite.certificate",
    "composite_path": "solvers.composite.path",
    "cross_validate_composite": "solvers.composite.cross_validation",
    "check_hypergradient": "solvers.bilevel.hypergradient",
    "minimize_bilevel": "solvers.bilevel.minimize",
    "minimize_composite": "solvers.composite.minimize",
    "solve_cvxpy": "solvers.cvxpy_interface",
    "Result": "solvers.result",
    "scipy_method": "solvers.scipy_interface",
    "SequenceSolver": "solvers.sequence.sequence_solver",
    "solve_sequence": "solvers.sequence.solve_sequence",
    "Status": "solvers.status",
}

# A library leaves it to the application whether and where its log appears.
logging.getLogger(__name__).addHandler(logging.NullHandler())

__getattr__, __dir__ = attach(__name__, _HOMES, _SUBPACKAGES)
