"""Rows of a store arranged as problems x solvers, and the numbers drawn from them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...problems.nlp import Vector
from ..outcomes import Outcome
from ..profiles import shifted_geometric_mean
from ..spec import Spec

Row = dict[str, Any]

TIME_FLOOR = 1e-3
TIME_SHIFT = 1.0
EVALUATION_SHIFT = 10.0
SAME_VALUE = 1e-4
"""Objectives that differ by less, relative to max(1, |best|), are the same minimum."""


@dataclass
class Problem:
    """A problem of the sweep.

    Attributes
    ----------
    label : str
        Name with sizes.
    best : float or None
        Least of the best known value and of all certified ones.
    """

    label: str
    n: int | None = None
    m: int | None = None
    classification: str = ""
    optimum: float | None = None
    best: float | None = None


@dataclass
class Results:
    """Problems x solvers.

    Attributes
    ----------
    problems : list of Problem
        Those that somebody could work on.
    broken : list of Problem
        Those that could not be built: they count for nobody.
    solvers : list of str
        Labels, with options, and with the version where several are compared.
    cells : dict
        Row of the store by (problem label, solver label).
    """

    problems: list[Problem]
    broken: list[Problem]
    solvers: list[str]
    cells: dict[tuple[str, str], Row] = field(repr=False)

    def cell(self, problem: Problem, solver: str) -> Row | None:
        """The row of a pair, None where it has not run."""
        return self.cells.get((problem.label, solver))

    def matrix(self, value: Callable[[Row], float]) -> Vector:
        """Value of each certified pair, inf elsewhere, shape (problems, solvers)."""
        found = np.full((len(self.problems), len(self.solvers)), np.inf)
        for i, problem in enumerate(self.problems):
            for j, solver in enumerate(self.solvers):
                row = self.cell(problem, solver)
                if row is not None and row["outcome"] is Outcome.SOLVED:
                    found[i, j] = value(row)
        return found

    def times(self) -> Vector:
        """Seconds of certified solutions; what is below the timer's worth counts as `TIME_FLOOR`."""
        return self.matrix(lambda row: max(row["solve_time"], TIME_FLOOR))

    def evaluations(self) -> Vector:
        """Objective evaluations of certified solutions."""
        return self.matrix(lambda row: max(row["evaluations"] or 1, 1))

    def is_local(self, problem: Problem, row: Row) -> bool:
        """Whether a certified value is clearly above the best one: a stationary point, but another."""
        if row["outcome"] is not Outcome.SOLVED or problem.best is None or row["objective"] is None:
            return False
        excess: float = row["objective"] - problem.best
        return excess > SAME_VALUE * max(1.0, abs(problem.best))


def arrange(rows: Iterable[Row], *, all_versions: bool = False) -> Results:
    """Sort the rows of a store.

    Parameters
    ----------
    rows : iterable of dict
        As `Store.rows` gives them, oldest first.
    all_versions : bool, default False
        Keep every version of a solver under a label of its own; otherwise only the most recent one counts.
    """
    rows = list(rows)
    newest = {(row["solver"], json.dumps(row["options"])): row["version"] for row in rows}
    problems: dict[str, Problem] = {}
    cells: dict[tuple[str, str], Row] = {}
    solvers: dict[str, None] = {}
    for row in rows:
        if not all_versions and newest[row["solver"], json.dumps(row["options"])] != row["version"]:
            continue
        label = str(Spec.of(row["solver"], row["options"]))
        if all_versions:
            label += f" ({row['version']})"
        name = str(Spec.of(row["problem"], row["parameters"]))
        problem = problems.setdefault(name, Problem(name))
        _learn(problem, row)
        solvers.setdefault(label)
        cells[name, label] = row
    outcomes: dict[str, set[Outcome]] = {name: set() for name in problems}
    for (name, _), row in cells.items():
        outcomes[name].add(row["outcome"])
    broken = {name for name in problems if _is_broken(outcomes[name])}
    return Results(
        problems=sorted((p for p in problems.values() if p.label not in broken), key=_natural),
        broken=sorted((p for p in problems.values() if p.label in broken), key=_natural),
        solvers=sorted(solvers, key=_solver_order),
        cells=cells,
    )


def _natural(problem: Problem) -> list[tuple[int, str]]:
    """Numbers within a name count as numbers: HS2 comes before HS10."""
    pieces = re.findall(r"\d+|\D+", problem.label.upper())
    return [(int(piece), "") if piece.isdigit() else (-1, piece) for piece in pieces]


def _solver_order(label: str) -> tuple[int, str]:
    """Put karush's own first: the page is about them."""
    from ...solvers.methods import method_names

    name = label.partition("[")[0].partition(" ")[0]
    return (0 if name in method_names() else 1, label.lower())


def _learn(problem: Problem, row: Row) -> None:
    if row["n"] is not None:
        problem.n, problem.m = row["n"], row["m"]
        problem.classification = row["classification"] or ""
        problem.optimum = row["optimum"]
    candidates = [problem.best, row["optimum"]]
    if row["outcome"] is Outcome.SOLVED:
        candidates.append(row["objective"])
    known = [value for value in candidates if value is not None]
    problem.best = min(known) if known else None


def _is_broken(outcomes: set[Outcome]) -> bool:
    """Nobody could work on it, and at least one tried in vain."""
    return Outcome.BUILD_ERROR in outcomes and outcomes <= {Outcome.BUILD_ERROR, Outcome.SKIPPED}


@dataclass
class Score:
    """How one solver did.

    Attributes
    ----------
    attempted, certified, local, skipped, infrastructure : int
        Problems it ran on; solved with certificate; of these at a worse minimum than the best one; not run
        with a reason; ended by crash or kill.
    overclaimed : int
        Its own word was success, the certificate says no.
    total : int
        All problems.
    mean_time : float
        Shifted geometric mean over the attempted problems, a failure counted as its time limit.
    """

    solver: str
    total: int
    attempted: int = 0
    certified: int = 0
    local: int = 0
    skipped: int = 0
    infrastructure: int = 0
    overclaimed: int = 0
    mean_time: float = float("nan")


def scores(results: Results) -> list[Score]:
    """One score per solver, in the order of `results.solvers`."""
    found = []
    for solver in results.solvers:
        score = Score(solver, len(results.problems))
        times = []
        for problem in results.problems:
            row = results.cell(problem, solver)
            if row is None:
                continue
            outcome = row["outcome"]
            if outcome is Outcome.SKIPPED:
                score.skipped += 1
                continue
            score.attempted += 1
            score.certified += outcome is Outcome.SOLVED
            score.infrastructure += outcome.kind == "infrastructure"
            score.local += results.is_local(problem, row)
            score.overclaimed += bool(row["claimed"]) and outcome is not Outcome.SOLVED
            times.append(row["solve_time"] if outcome is Outcome.SOLVED else row["time_limit"])
        score.mean_time = shifted_geometric_mean(np.array(times, dtype=float), TIME_SHIFT)
        found.append(score)
    return found


@dataclass(frozen=True)
class Pair:
    """Two solvers on the problems that both solved at the same minimum."""

    solver: str
    reference: str
    problems: int
    time_ratio: float
    evaluation_ratio: float


def pairs(results: Results, reference: str) -> list[Pair]:
    """Every other solver beside a reference: ratios of shifted geometric means, above 1 if it costs more."""
    times, evaluations = results.times(), results.evaluations()
    j = results.solvers.index(reference)
    found = []
    for k, solver in enumerate(results.solvers):
        if k == j:
            continue
        both = np.isfinite(times[:, j]) & np.isfinite(times[:, k])
        both &= np.array(
            [_same(results, problem, reference, solver) for problem in results.problems], dtype=bool
        )
        found.append(
            Pair(
                solver,
                reference,
                int(both.sum()),
                _ratio(times[both], k, j, TIME_SHIFT / 100),
                _ratio(evaluations[both], k, j, EVALUATION_SHIFT),
            )
        )
    return found


def _same(results: Results, problem: Problem, first: str, second: str) -> bool:
    a, b = results.cell(problem, first), results.cell(problem, second)
    if a is None or b is None or a["objective"] is None or b["objective"] is None:
        return False
    difference: float = abs(a["objective"] - b["objective"])
    scale: float = max(1.0, abs(a["objective"]))
    return difference <= SAME_VALUE * scale


def _ratio(costs: Vector, numerator: int, denominator: int, shift: float) -> float:
    if not len(costs):
        return float("nan")
    above = shifted_geometric_mean(costs[:, numerator], shift)
    below = shifted_geometric_mean(costs[:, denominator], shift)
    return above / below if below > 0 else float("nan")
