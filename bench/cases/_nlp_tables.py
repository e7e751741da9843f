"""Rows and targets of ``karush bench nlp`` from the results of its sweeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...problems.nlp import Vector
from ..outcomes import Outcome
from ..profiles import performance_profile, shifted_geometric_mean
from ..report.table import Problem, Results, pairs, scores

SHIFT, LONG_SHIFT = 0.01, 1.0
"""Shifts of the geometric means, seconds: most problems take milliseconds, 1 s alone would hide them."""

LOOSE = 1e-4
"""A tolerance at which solvers are forgiven that they stop by measures of their own."""

OURS, REFERENCE = "exact-al", "ipopt"
_SLOWER = 3.0

Row = dict[str, Any]


def costs(results: Results, limit: float) -> Vector:
    """Seconds, shape (problems, solvers), the limit for what is not certified."""
    times = results.times()
    return np.where(np.isfinite(times), times, limit)


def summary(title: str, results: Results, limit: float) -> list[Row]:
    """A row a solver: counts, means, ratios to IPOPT, profile."""
    seconds = costs(results, limit)
    means = [shifted_geometric_mean(column, SHIFT) for column in seconds.T]
    ratios = _both_solved(results)
    profile = performance_profile(results.times())
    rows = []
    for j, score in enumerate(scores(results)):
        time_ratio, evaluation_ratio = ratios.get(score.solver, (None, None))
        reference = results.solvers.index(REFERENCE) if REFERENCE in results.solvers else j
        rows.append(
            {
                "set": title,
                "solver": score.solver,
                "problems": score.total,
                "solved": score.certified,
                "at_best": score.certified - score.local,
                "solved_1e-4": _within(results, score.solver, LOOSE),
                "refused": score.overclaimed,
                "killed": score.infrastructure,
                "mean_s": means[j],
                "mean_shift_1_s": shifted_geometric_mean(seconds[:, j], LONG_SHIFT),
                "vs_ipopt": means[j] / means[reference],
                "both_solved": time_ratio,
                "evaluations": evaluation_ratio,
                "fastest": profile[j].at(1.0),
                "within_2": profile[j].at(2.0),
                "within_10": profile[j].at(10.0),
            }
        )
    return rows


def _within(results: Results, solver: str, tol: float) -> int:
    """Problems on which the certificate's error is at most `tol`."""
    cells = [results.cell(problem, solver) for problem in results.problems]
    certificates = [cell["certificate"] for cell in cells if cell is not None and cell["certificate"]]
    return sum(found["error"] is not None and found["error"] <= tol for found in certificates)


def _both_solved(results: Results) -> dict[str, tuple[float, float]]:
    """Ratios of time and evaluations to IPOPT's, on the problems that both solve at the same minimum."""
    if REFERENCE not in results.solvers:
        return {}
    return {pair.solver: (pair.time_ratio, pair.evaluation_ratio) for pair in pairs(results, REFERENCE)}


def single(title: str, results: Results, names: Mapping[str, str]) -> list[Row]:
    """A row a solver on one large problem: seconds, ratio to IPOPT, memory; `names` renames solvers."""
    (problem,) = results.problems or results.broken
    cells = {solver: results.cell(problem, solver) for solver in results.solvers}
    reference = cells.get(REFERENCE)
    rows = []
    for solver, cell in cells.items():
        if cell is None:
            continue
        solved = cell["outcome"] is Outcome.SOLVED
        ipopt_seconds = None
        if solved and reference is not None and reference["outcome"] is Outcome.SOLVED:
            ipopt_seconds = reference["solve_time"]
        rows.append(
            {
                "set": title,
                "solver": names.get(solver, solver),
                "problems": 1,
                "solved": int(solved),
                "at_best": int(solved and not results.is_local(problem, cell)),
                "refused": int(bool(cell["claimed"]) and not solved),
                "outcome": cell["outcome"].name,
                "mean_s": cell["solve_time"],
                "vs_ipopt": cell["solve_time"] / ipopt_seconds if ipopt_seconds else None,
                "memory_mb": cell["memory"],
                "added_mb": added(cell),
            }
        )
    return rows


def added(cell: Row) -> float | None:
    """Megabytes at the peak of a run beyond what the process had before."""
    if not cell["memory"] or cell["memory_before"] is None:
        return None
    return float(cell["memory"] - cell["memory_before"])


def losses(title: str, results: Results) -> list[Row]:
    """Where exact-al fails and somebody does not, or takes more than three times IPOPT's time."""
    found = []
    for problem in results.problems:
        ours, ipopt = results.cell(problem, OURS), results.cell(problem, REFERENCE)
        if ours is None:
            continue
        others = [
            solver for solver in results.solvers if _solved(results, problem, solver) and solver != OURS
        ]
        row = {"set": title, "problem": problem.label.partition("[path=")[0], "n": problem.n, "m": problem.m}
        row |= {"outcome": ours["outcome"].name, "message": ours["message"], "seconds": ours["solve_time"]}
        if ours["outcome"] is not Outcome.SOLVED and others:
            found.append({"loss": "unsolved", **row, "solved_by": others})
        elif REFERENCE in others and ipopt is not None and ours["solve_time"] > _SLOWER * ipopt["solve_time"]:
            found.append({"loss": "slower", **row, "ipopt_seconds": ipopt["solve_time"]})
    return found


def _solved(results: Results, problem: Problem, solver: str) -> bool:
    cell = results.cell(problem, solver)
    return cell is not None and cell["outcome"] is Outcome.SOLVED


def worst_ratio(results: Results, solver: str = OURS) -> tuple[float, str]:
    """Largest ratio of times to IPOPT's where that solves, inf where `solver` does not, and the problem."""
    worst, where = 0.0, ""
    for problem in results.problems:
        ours, ipopt = results.cell(problem, solver), results.cell(problem, REFERENCE)
        if ours is None or ipopt is None or ipopt["outcome"] is not Outcome.SOLVED:
            continue
        ratio = ours["solve_time"] / ipopt["solve_time"] if ours["outcome"] is Outcome.SOLVED else np.inf
        if ratio > worst:
            worst, where = float(ratio), problem.label
    return worst, where


def at_least(name: str, value: float, least: float) -> Row:
    """A target that a value reaches."""
    return {"name": name, "value": value, "target": f">= {least:g}", "met": bool(value >= least)}


def at_most(name: str, value: float, most: float) -> Row:
    """A target that a value stays below."""
    return {"name": name, "value": value, "target": f"<= {most:g}", "met": bool(value <= most)}


def counts_and_time(title: str, rows: list[Row]) -> list[Row]:
    """The targets of a collection: solved, claims, time beside IPOPT."""
    by_solver = {row["solver"]: row for row in rows}
    if OURS not in by_solver:
        return []
    ours = by_solver.pop(OURS)
    found = []
    if by_solver:
        best = max(by_solver.values(), key=lambda row: row["solved"])
        found.append(
            at_least(
                f"{title}: solved, of {ours['problems']} (best peer: {best['solver']})",
                ours["solved"],
                best["solved"],
            )
        )
    found.append(at_most(f"{title}: claims of exact-al that the certificate refuses", ours["refused"], 0))
    if REFERENCE in by_solver:
        found.append(at_most(f"{title}: mean time over IPOPT's (shift {SHIFT:g} s)", ours["vs_ipopt"], 0.5))
    return found
