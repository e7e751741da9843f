"""Bilevel problems with known answers by every method that takes them.

The error is that of x, to the nearest of the local answers, since most methods look for one from one start;
the excess is that of F over the best one. A method *claims* a case where what its page says of its lower
levels fits: others may try, and are reported too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.bilevel.registry import get_bilevel
from ...problems.nlp import Vector
from ...solvers.bilevel.minimize import bilevel_method, bilevel_method_names, minimize_bilevel
from ..environment import environment

TITLE = "Bilevel problems with known answers: cases x methods"
COLUMNS = [
    "problem",
    "method",
    "claims",
    "x error",
    "answer",
    "F excess",
    "success",
    "status",
    "calls",
    "seconds",
]

MAX_TIME = 30.0
REACHED = 1e-5
"""Error in x."""

Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """A problem with its local answers.

    Attributes
    ----------
    name : str
        Of the registered problem.
    answers : callable
        ``answers(problem)``: local answers x, the best first.
    convex : bool
        Whether the lower level is convex in y for every x in X.
    modulus : bool
        Whether it is also strongly convex and free of constraints: then y*(x) has a derivative.
    """

    name: str
    answers: Callable[[BilevelProblem], list[Any]]
    convex: bool = True
    modulus: bool = False


def _all(value: float) -> Callable[[BilevelProblem], list[Any]]:
    return lambda problem: [np.full(problem.n_x, value)]


def _nearest_lower_answer(problem: BilevelProblem) -> list[Vector]:
    """Of MANY-ANSWERS: w0 projected onto the lower answers {w: H w + g = 0}, from derivatives at 0."""
    zero = np.zeros(problem.n_x + problem.n_y)
    H, g = problem.lower.hessian(zero).toarray(), problem.lower.gradient(zero)
    w0 = -problem.upper.gradient(zero)
    return [(w0 - np.linalg.pinv(H, rcond=1e-10, hermitian=True) @ (H @ w0 + g))[: problem.n_x]]


CASES = (
    Case("LLC", _all(-0.3)),
    Case("LLC-BILINEAR", _all(1.0)),
    Case("LLC-BLOCKS", _all(-0.3)),
    Case("CHAIN", _all(2.1)),
    Case("WAVES", lambda problem: [[1.2151455], [0.3823601], [2.8296418]], convex=False),
    Case("COUPLED-WAVES", lambda problem: [[0.9862248], [2.0197256], [2.9907740], [0.1488910]]),
    Case("FOLLOW", _all(0.0), modulus=True),
    Case("KINK", _all(-1.0)),
    Case("MANY-ANSWERS", _nearest_lower_answer),
    Case("JUMP", _all(0.0)),
)


def claims(method: str, case: Case) -> bool:
    """Whether the case is of the class that a method is for; that it takes the case is known already."""
    if method in ("implicit", "maid"):
        return case.modulus
    return case.convex or method in ("auto", "kkt")


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Solve every case by every method; with `quick` every third case."""
    rows = []
    for case in CASES[:: 3 if quick else 1]:
        for method in bilevel_method_names():
            problem = get_bilevel(case.name)
            if bilevel_method(method).refusal(problem) is not None:
                continue
            rows.append(_row(case, problem, method))
            progress("{problem} by {method}: error {x error:.1e}, {seconds:.2f} s".format(**rows[-1]))
    return {"environment": environment(), "rows": rows, "targets": _targets(rows)}


def _row(case: Case, problem: BilevelProblem, method: str) -> Row:
    started = perf_counter()
    result = minimize_bilevel(problem, method=method, max_time=MAX_TIME, rng=0)
    seconds = perf_counter() - started
    assert problem.optimum is not None
    errors = [float(abs(result.x - np.asarray(answer)).max()) for answer in case.answers(problem)]
    return {
        "problem": case.name,
        "method": method,
        "claims": claims(method, case),
        "x error": min(errors),
        "answer": "local" if np.argmin(errors) else "best",
        "F excess": result.fun - problem.optimum,
        "success": bool(result.success),
        "status": result.status.name.lower(),
        "calls": sum(result.counts.values()),
        "seconds": seconds,
    }


def _targets(rows: list[Row]) -> list[Row]:
    names = list(dict.fromkeys(row["problem"] for row in rows))
    reached = {row["problem"] for row in rows if row["x error"] <= REACHED and row["answer"] == "best"}
    failed = [_label(row) for row in rows if row["claims"] and not row["x error"] <= REACHED]
    silent = [_label(row) for row in rows if row["claims"] and not row["success"]]
    false = [_label(row) for row in rows if row["success"] and not row["x error"] <= REACHED]
    return [
        {
            "name": "best answers found to 1e-5 in x by some method",
            "value": len(reached),
            "target": str(len(names)),
            "met": len(reached) == len(names),
        },
        _none("methods that claim a case and miss it", failed),
        _none("methods that claim a case and report no success", silent),
        _none("success elsewhere", false),
    ]


def _label(row: Row) -> str:
    return f"{row['problem']} by {row['method']}"


def _none(name: str, found: list[str]) -> Row:
    return {"name": name, "value": ", ".join(found) or "none", "target": "none", "met": not found}
