"""The numbers of a report as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from .charts import Chart
from .table import Results, Score

_RESULT_COLUMNS = (
    "outcome",
    "objective",
    "violation",
    "iterations",
    "evaluations",
    "solve_time",
    "claimed",
    "memory",
    "version",
    "message",
)


def write_tables(results: Results, scores: list[Score], charts: list[Chart], folder: Path) -> list[Path]:
    """``results.csv`` (a row per problem and solver), ``summary.csv``, and one file of steps per chart."""
    written = [folder / "results.csv", folder / "summary.csv"]
    _write(
        written[0],
        ["problem", "n", "m", "classification", "best", "solver", "certificate_error", *_RESULT_COLUMNS],
        _result_rows(results),
    )
    _write(written[1], list(asdict(Score("", 0))), (list(asdict(score).values()) for score in scores))
    for chart in charts:
        path = folder / f"{chart.key}.csv"
        steps = (
            [label, float(x), float(y)]
            for label, curve in chart.curves
            for x, y in zip(curve.x, curve.y, strict=True)
        )
        _write(path, ["solver", chart.x_label, "fraction"], steps)
        written.append(path)
    return written


def _result_rows(results: Results) -> Iterable[list[Any]]:
    for problem in [*results.problems, *results.broken]:
        for solver in results.solvers:
            row = results.cell(problem, solver)
            if row is None:
                continue
            error = row["certificate"]["error"] if row["certificate"] else None
            values = [row["outcome"].name, *(row[name] for name in _RESULT_COLUMNS[1:])]
            facts = [problem.label, problem.n, problem.m, problem.classification, problem.best]
            yield [*facts, solver, error, *values]


def _write(path: Path, head: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as stream:
        writer = csv.writer(stream)
        writer.writerow(head)
        writer.writerows(rows)
