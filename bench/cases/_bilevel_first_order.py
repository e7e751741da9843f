"""First-order bilevel methods: ours beside the published single and double loops at their own settings.

Problems: LLC (n = 10 and 100, from a random start: from equal entries the published loop passes the answer by
chance, and leaves it), a support vector machine with a weight for each sample, and hyper-cleaning. Calls of
oracles, as `_bilevel_first_order_traces` counts them, until F, with the lower level solved anew, is within
1e-2, 1e-3 and 1e-6 of the optimum, relative. The ratio is of calls to 1e-3, or to 1e-2 where neither comes
within 1e-3; where the published loop does not come that near, it is to all calls that it made: a bound from
above.

Published settings: LV-HBA's of the authors' code for LLC, and for both other problems those of their code for
support vector machines: alpha = eta = .01, beta = .1, gamma1 = gamma2 = 10, c_k = (k + 1)^p, with p = .49 for
their .5, below which their theory holds. Constraints are scaled: unscaled, LLC diverges. The double loop is
published without constants, and for lower levels without constraints. "Best" rows are the best of a grid of
settings: of ours over the first weight, of the published loops over factors of c and of all steps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import copy
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.bilevel.registry import get_bilevel
from ...solvers.bilevel.driver import Method
from ...solvers.bilevel.lv_hba import LVHBA
from ...solvers.bilevel.lv_hba_published import PublishedLVHBA
from ...solvers.bilevel.minimize import minimize_bilevel
from ...solvers.bilevel.penalty import Penalty
from ...solvers.bilevel.penalty_published import PublishedPenalty
from ._bilevel_first_order_traces import Judge, Reached, Trace, trace

COLUMNS = ["problem", "n_x", "n_y", "method", "calls_1e-3", "calls_1e-6", "s_1e-3", "s_1e-6", "ratio", "best"]

LEVELS = [1e-2, 1e-3, 1e-6]

PUBLISHED_SVM = PublishedLVHBA(alpha=0.01, beta=0.1, eta=0.01, c=1.0, power=0.49)

WEIGHTS = (0.01, 0.1, 1.0, 10.0)
"""First weights of F in the grid of our methods: sigma0, and 1/c0."""

FACTORS = ((10.0, 1.0), (100.0, 1.0), (1.0, 10.0), (10.0, 10.0))
"""Of c (of 1/sigma0) and of all steps, in the grid of the published loops."""

Row = dict[str, Any]


@dataclass(frozen=True, eq=False)
class Case:
    """A problem with its optimum, and the settings of the published LV-HBA for it."""

    problem: BilevelProblem
    optimum: float
    published: PublishedLVHBA


@dataclass(frozen=True)
class Limits:
    """Of one run: seconds, and steps of 100 iterations of the published loops."""

    seconds: float
    steps: int


def rows(quick: bool, progress: Callable[[str], None]) -> list[Row]:
    """Run all methods on all problems; with ``quick`` briefly, on small ones, without grids."""
    limits = Limits(4.0, 20) if quick else Limits(20.0, 600)
    found = []
    for case in cases(quick):
        problem = case.problem
        progress(f"{problem.name} {problem.n_x} + {problem.n_y}")
        found += _rows(case, quick, limits)
    return found


def cases(quick: bool) -> list[Case]:
    """The problems."""
    llc = [
        Case(_scattered(get_bilevel("LLC", n=n)), 0.05 * n, PublishedLVHBA()) for n in (10, 100)[: 2 - quick]
    ]
    small = {"samples": 10} if quick else {}
    others = [
        (get_bilevel("SVM", **small), "kkt", {"patience": 1}),
        (get_bilevel("HYPER-CLEANING"), "implicit", {}),
    ]
    return llc + [
        Case(problem, minimize_bilevel(problem, method=method, options=options, rng=0).fun, PUBLISHED_SVM)
        for problem, method, options in others
    ]


def _scattered(problem: BilevelProblem) -> BilevelProblem:
    changed = copy(problem)
    rng = np.random.default_rng(0)
    changed.x0, changed.y0 = rng.standard_normal(problem.n_x), rng.standard_normal(problem.n_y)
    return changed


@dataclass(frozen=True, eq=False)
class _Measured:
    """A method's run, and when it reached which error."""

    name: str
    method: Method[Any]
    trace: Trace
    reached: dict[float, Reached | None]
    least: float

    @property
    def is_published(self) -> bool:
        return isinstance(self.method, PublishedLVHBA | PublishedPenalty)

    def cost(self) -> tuple[float, float, float]:
        """Less is better: calls to 1e-6, calls to 1e-3, the least error."""
        fine, coarse = self.reached[1e-6], self.reached[1e-3]
        return (fine.calls if fine else np.inf, coarse.calls if coarse else np.inf, self.least)


def _rows(case: Case, quick: bool, limits: Limits) -> list[Row]:
    """The published loops, ours with automatic settings, and the best of the grids."""
    judge = Judge(case.problem, case.optimum)

    def measured(name: str, method: Method[Any]) -> _Measured:
        steps = limits.steps if isinstance(method, PublishedLVHBA | PublishedPenalty) else None
        run = trace(method, case.problem, limits.seconds, steps)
        return _Measured(name, method, run, *judge.reached(run, LEVELS))

    def best(name: str, grid: Sequence[Method[Any]]) -> _Measured:
        return min((measured(name, method) for method in grid), key=_Measured.cost)

    single, double = case.published, PublishedPenalty()
    loops = [measured("LV-HBA, published settings", single)]
    if double.refusal(case.problem) is None:
        loops.append(measured("penalty, orders as published", double))
    found = [_row(case, loop, None) for loop in loops]
    found.append(_row(case, measured("lv-hba", LVHBA()), loops[0]))
    found.append(_row(case, measured("penalty", Penalty()), loops[-1]))
    if quick:
        return found
    ours = best("lv-hba, best of 4 c0", [LVHBA(c0=1.0 / weight) for weight in WEIGHTS])
    found.append(_row(case, ours, loops[0]))
    ours = best("penalty, best of 4 sigma0", [Penalty(sigma0=weight) for weight in WEIGHTS])
    found.append(_row(case, ours, loops[-1]))
    tuned = best("LV-HBA, published loop, best of 4", [_scaled(single, *factors) for factors in FACTORS])
    found.append(_row(case, tuned, None))
    if len(loops) > 1:
        grid = [replace(double, sigma0=1.0 / c, alpha0=0.1 * step) for c, step in FACTORS]
        found.append(_row(case, best("penalty, published loop, best of 4", grid), None))
    return found


def _scaled(method: PublishedLVHBA, c: float, step: float) -> PublishedLVHBA:
    steps = {name: step * getattr(method, name) for name in ("alpha", "beta", "eta")}
    return replace(method, c=c * method.c, **steps)


def _row(case: Case, run: _Measured, versus: _Measured | None) -> Row:
    problem = case.problem
    row: Row = {"problem": problem.name, "n_x": problem.n_x, "n_y": problem.n_y, "method": run.name}
    for level, at in run.reached.items():
        key = f"{level:.0e}".replace("e-0", "e-")
        row |= {f"calls_{key}": at.calls if at else None, f"s_{key}": at.seconds if at else None}
    note = f"{run.least:.1e}"
    if not all(run.reached.values()):
        unit = (
            f"{100 * run.trace.iterations:,} iterations" if run.is_published else f"{run.trace.calls:,} calls"
        )
        note += f" at best in {unit}"
    row |= {"ratio": None, "best": note, "least_error": run.least, "calls": run.trace.calls}
    row |= {"success": run.trace.success, "settings": repr(run.method)}
    if versus is not None:
        row |= {"versus": versus.name} | _ratio(run, versus)
    return row


def _ratio(run: _Measured, versus: _Measured) -> Row:
    """Of calls to 1e-3; to 1e-2 where 1e-3 is out of reach for both."""
    level = 1e-3 if run.reached[1e-3] or versus.reached[1e-3] else 1e-2
    own, other = run.reached[level], versus.reached[level]
    calls = other.calls if other else versus.trace.calls
    return {"ratio": own.calls / calls if own else np.inf, "to": level}


def targets(rows: list[Row]) -> list[Row]:
    """At most half the calls of the published settings; automatic settings within 1.5 times the best."""
    found = []
    for row in rows:
        if row["method"] not in ("lv-hba", "penalty"):
            continue
        name = f"{row['problem']} {row['n_x']} + {row['n_y']}, {row['method']}"
        found.append(_at_most(f"{name}: calls to {row['to']:g}, ours/{row['versus']}", row["ratio"], 0.5))
        same = [other for other in rows if (other["problem"], other["n_x"]) == (row["problem"], row["n_x"])]
        tuned = [other for other in same if other["method"].startswith(f"{row['method']}, best")]
        for other in tuned:
            level = next((key for key in ("1e-6", "1e-3") if other[f"calls_{key}"]), "1e-2")
            own, least = row[f"calls_{level}"], other[f"calls_{level}"]
            ratio = own / min(own, least) if own and least else np.inf
            found.append(_at_most(f"{name}: calls to {level}, automatic/best of a grid", ratio, 1.5))
    return found


def _at_most(name: str, value: float, most: float) -> Row:
    return {"name": name, "value": value, "target": f"<= {most}", "met": bool(value <= most)}
