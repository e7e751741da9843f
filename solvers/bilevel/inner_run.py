"""Nonlinear problems solved within a bilevel run."""

from __future__ import annotations

import numpy as np

from ...problems.evaluator import Evaluator
from ...problems.nlp import NLP, Vector
from ..driver import run
from ..nonlinear.exact_lagrangian import ExactLagrangian
from ..result import Result
from ..status import Status


def solve_within(
    level: NLP,
    tol: float,
    *,
    x0: Vector | None = None,
    max_time: float = np.inf,
    max_iterations: int | None = None,
) -> Result:
    """Solve a problem by `exact-al`; an interrupt from the keyboard ends the run around it as well."""
    evaluator = Evaluator(level, x0=x0, max_time=max_time)
    result = run(ExactLagrangian(tol=tol), evaluator, max_iterations=max_iterations)
    if result.status is Status.INTERRUPTED:
        raise KeyboardInterrupt
    return result
