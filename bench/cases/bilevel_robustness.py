"""Bilevel methods at other settings than their own: oracle calls until the answer is certified.

maid's first accuracies eps0, delta0 and first step alpha0, penalty's first weight sigma0 and lv-hba's c0 over
several decades, one at a time, on three problems each. What the library would take itself has the factor 1:
for sigma0 and c0, which it measures at the start, a factor on that. "calls" are the gradients of both levels,
products with second derivatives and Hessians, until the certificate holds at a point whose F is within 1e-6
of the best F of all settings; "ratio" is calls over those of the library's own setting.

`docs/bilevel_robustness_picture.py` draws the rows. alpha0 stands for the published method's first step size:
here only the first step has a length of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from threadpoolctl import threadpool_limits

from ...problems.bilevel.problem import BilevelProblem
from ...problems.bilevel.registry import get_bilevel
from ...solvers.bilevel.driver import Run
from ...solvers.bilevel.lv_hba import LVHBA
from ...solvers.bilevel.maid import Maid
from ...solvers.bilevel.minimize import minimize_bilevel
from ...solvers.bilevel.penalty import Penalty
from ..environment import environment
from ._bilevel_hypergradient_traces import counts_of_run, total

TITLE = "Bilevel methods at other settings: calls to a certified answer"
COLUMNS = ["method", "setting", "problem", "factor", "calls", "ratio", "note"]

SAME = 1e-6
"""Relative distance of F from the best one that still counts as the same answer."""

WITHIN = 1.5
"""Most that the library's own setting may take, times the best setting."""

MAX_SECONDS = 30.0

Row = dict[str, Any]


@dataclass(frozen=True)
class Sweep:
    """One setting of one method; its own value is `own`, of the problem."""

    method: str
    setting: str
    own: Callable[[BilevelProblem], float]
    factors: np.ndarray
    problems: tuple[tuple[str, dict[str, Any]], ...]


@dataclass
class _Answer:
    """What a run came to."""

    factor: float
    F: float
    calls: int
    success: bool
    message: str = field(default="")


def sweeps(quick: bool) -> list[Sweep]:
    """What is measured."""
    smooth: tuple[tuple[str, dict[str, Any]], ...] = (
        ("LOGISTIC", {}),
        ("HYPER-CLEANING", {}),
        ("TV-WEIGHTS", {}),
    )
    # Where Hessians are factorised adjoints are exact, and delta0 does nothing.
    by_products = tuple(("HYPER-CLEANING", {"samples": n, "features": 10}) for n in (600, 800, 1000))
    first_order: tuple[tuple[str, dict[str, Any]], ...] = (
        ("RIDGE", {"per_feature": False}),
        ("HYPER-CLEANING", {"samples": 20, "features": 4}),
        ("TV-WEIGHTS", {"side": 8}),
    )
    constrained: tuple[tuple[str, dict[str, Any]], ...] = (("LLC", {}), ("CHAIN", {}), ("LLC-BLOCKS", {}))
    wide, narrow = 10.0 ** np.arange(-5, 6), 10.0 ** np.arange(-3, 4)
    if quick:
        wide, narrow = 10.0 ** np.arange(-4, 5, 4), 10.0 ** np.arange(-2, 3, 2)
        smooth, by_products, first_order, constrained = (
            smooth[:1],
            by_products[:1],
            first_order[:1],
            constrained[:2],
        )
    return [
        Sweep("maid", "eps0", lambda _: Maid.eps0, wide, smooth),
        Sweep("maid", "delta0", lambda _: Maid.delta0, narrow, by_products),
        Sweep("maid", "alpha0", lambda _: Maid.alpha0, narrow, smooth),
        Sweep("penalty", "sigma0", _own_sigma, narrow, first_order),
        Sweep("lv-hba", "c0", _own_c, narrow, constrained),
    ]


def _own_sigma(problem: BilevelProblem) -> float:
    method = Penalty()
    return method.init(Run(method, problem)).sigma


def _own_c(problem: BilevelProblem) -> float:
    method = LVHBA()
    return method.init(Run(method, problem)).c


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """All sweeps; see the module's text."""
    rows: list[Row] = []
    with threadpool_limits(1):
        for sweep in sweeps(quick):
            for name, options in sweep.problems:
                problem = get_bilevel(name, **options)
                own = sweep.own(problem)
                progress(f"{sweep.method} {sweep.setting}: {name}")
                answers = [_answer(problem, sweep, own, float(factor)) for factor in sweep.factors]
                rows += _rows(sweep, _title(name, problem), own, answers)
    return {"environment": environment(), "rows": rows, "targets": _targets(rows)}


def _title(name: str, problem: BilevelProblem) -> str:
    return f"{name} n={problem.n_x}+{problem.n_y}"


def _answer(problem: BilevelProblem, sweep: Sweep, own: float, factor: float) -> _Answer:
    # The library's own value is what it takes without being told.
    options = {} if factor == 1.0 else {sweep.setting: factor * own}
    result = minimize_bilevel(problem, method=sweep.method, options=options, max_time=MAX_SECONDS, rng=0)
    calls = total(counts_of_run(result.counts))
    return _Answer(factor, float(result.fun), calls, bool(result.success), result.message)


def _rows(sweep: Sweep, problem: str, own: float, answers: list[_Answer]) -> list[Row]:
    best = min((answer.F for answer in answers if answer.success), default=np.nan)
    reached = {
        answer.factor: answer.calls
        for answer in answers
        if answer.success and answer.F - best <= SAME * max(1.0, abs(best))
    }
    usual = reached.get(1.0)
    rows = []
    for answer in answers:
        calls = reached.get(answer.factor)
        note = "" if calls is not None else "another answer" if answer.success else answer.message
        rows.append(
            {
                "method": sweep.method,
                "setting": sweep.setting,
                "problem": problem,
                "factor": answer.factor,
                "value": answer.factor * own,
                "calls": calls,
                "ratio": None if calls is None or usual is None else calls / usual,
                "F": answer.F,
                "note": note,
            }
        )
    return rows


def _targets(rows: list[Row]) -> list[Row]:
    """The library's own setting over the best one of each sweep; and sweeps in which some setting fails."""
    targets = []
    groups: dict[tuple[str, str], dict[str, list[Row]]] = {}
    for row in rows:
        groups.setdefault((row["method"], row["setting"]), {}).setdefault(row["problem"], []).append(row)
    for (method, setting), problems in groups.items():
        over_best = [_own_over_best(part) for part in problems.values()]
        worst = max(over_best)
        targets.append(
            {
                "name": f"{method}: calls with its own {setting} over the best setting's, worst problem",
                "value": worst,
                "target": f"<= {WITHIN}",
                "met": worst <= WITHIN,
            }
        )
    return targets


def _own_over_best(rows: list[Row]) -> float:
    calls = {row["factor"]: row["calls"] for row in rows if row["calls"] is not None}
    return calls[1.0] / min(calls.values()) if 1.0 in calls else np.inf
