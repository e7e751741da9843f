"""Guarded runs of ``karush bench nlp``: sweeps into stores that an interrupted benchmark finds again."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from ..jobs import Job, Limits
from ..outcomes import Outcome
from ..report.table import SAME_VALUE, Results, arrange
from ..spec import Spec
from ..store import Store
from ..sweep import plan, sweep

Progress = Callable[[str], None]
_STARTS = 5


class _Told:
    """The progress of a sweep as lines of text."""

    def __init__(self, progress: Progress, title: str, total: int) -> None:
        self._progress, self._title, self._total = progress, title, total
        self._done = 0

    def begin(self, total: int, known: int) -> None:
        """What is known is done."""
        self._done += known

    def tick(self, running: Sequence[tuple[Job, str]]) -> None:
        """Nothing new."""

    def finish(self, job: Job, record: dict[str, Any]) -> None:
        """One line a job."""
        self._done += 1
        name = job.problem.name.rpartition("/")[2]
        self._progress(f"{self._title}: {self._done} of {self._total}, {job.solver.name} on {name}")


def solve_all(
    title: str,
    problems: Sequence[Spec],
    solvers: Sequence[Spec],
    folder: Path,
    limits: Limits,
    progress: Progress,
    *,
    apart: bool = False,
) -> None:
    """Run what is missing in the store of a folder.

    With `apart` each job has a process of its own: memory that an earlier one has kept, and kernels that it
    has loaded, say nothing about the next.
    """
    told = _Told(progress, title, len(problems) * len(solvers))
    if not apart:
        sweep(problems, solvers, folder, limits=limits, observer=told)
        return
    for problem in problems:
        for solver in solvers:
            sweep([problem], [solver], folder, limits=limits, observer=told)


def results(
    problems: Sequence[Spec], solvers: Sequence[Spec], folder: Path, known: dict[str, float] | None = None
) -> Results:
    """Results of problems and solvers in their present versions; `known` adds best known values."""
    keys = {job.key for job in plan(problems, solvers)}
    with Store(folder) as store:
        rows = [row for row in store.rows() if row["key"] in keys]
    reached = _reached(rows, known or {})
    for row in rows:
        if row["cpu_time"] is not None:  # what else the machine is at does not count
            row["solve_time"] = row["cpu_time"]
        if row["optimum"] is None:
            row["optimum"] = reached.get(row["problem"])
    return arrange(rows)


def _reached(rows: Sequence[dict[str, Any]], known: dict[str, float]) -> dict[str, float]:
    """The known values that a certified point comes near: of the others, most are slips in their files."""
    return {
        row["problem"]: known[row["problem"]]
        for row in rows
        if row["outcome"] is Outcome.SOLVED
        and row["problem"] in known
        and row["objective"] - known[row["problem"]] <= SAME_VALUE * max(1.0, abs(known[row["problem"]]))
    }


def start_to_answer() -> float:
    """Least seconds of ``karush solve HS7`` as a fresh process, kernels compiled before."""
    command = [sys.executable, "-m", f"{__package__.partition('.')[0]}.cli", "solve", "HS7"]
    seconds = []
    for _ in range(_STARTS + 1):
        started = time.perf_counter()
        subprocess.run(command, check=True, capture_output=True)
        seconds.append(time.perf_counter() - started)
    return min(seconds[1:])
