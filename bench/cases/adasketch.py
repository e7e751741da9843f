"""AdaSketch-Newton's 47 problems: the reference modes beside their published figures and exact-al.

Each problem is the first of this size that is found among the SIF files (in ``$MASTSIF``, else in
``../shared/data/sif`` beside the repository), the native collection and S2MPJ. The reference modes run as
published, to ||(grad_x L, c)||_2 <= 1e-4; exact-al runs to 1e-8 by the certificate. Where the published run
was ended by its guard against singular Jacobians, further runs with a guard of 1e-6 stand, in parentheses,
beside the medians of the second published set, which has no stated guard.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

from ...problems import NLP, get
from ...solvers.minimize import minimize
from ...solvers.result import Result
from ..environment import environment
from ._adasketch_published import PUBLISHED, Published

TITLE = "AdaSketch-Newton on its 47 problems: iterations ours/published, seconds, beside exact-al"
COLUMNS = ["problem", "source", "gv", "rk", "exact_al", "gv_s", "rk_s", "exact_al_s", "gv_pub_s", "rk_pub_s"]

TOLERANCE, SHARP = 1e-4, 1e-8
LOOSE_GUARD = 1e-6
_QUICK_N = 12
_MAX_TIME = 60.0

Row = dict[str, Any]


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Solve all problems by the three methods; with ``quick`` those of at most 12 variables."""
    wanted = [published for published in PUBLISHED if not quick or published.n <= _QUICK_N]
    rows = []
    for published in wanted:
        progress(published.name)
        rows.append(_row(published))
    return {"environment": environment(), "rows": rows, "targets": _targets(rows, wanted)}


def _row(published: Published) -> Row:
    source, problem = find(published)
    row: Row = {"problem": published.name, "n": published.n, "m": published.m, "source": source}
    row |= {"gv_pub_s": published.gv_seconds, "rk_pub_s": published.rk_seconds}
    if problem is None:
        return row | {"gv": "missing", "rk": "missing"}
    for variant, iterations, median in (
        ("gv", published.gv, published.gv_median),
        ("rk", published.rk, published.rk_median),
    ):
        row |= _reference(problem, variant, iterations, median)
    seconds, result = _timed(problem, "exact-al", SHARP)
    row |= {"exact_al": result.nit if result.success else result.status.name}
    return row | {"exact_al_s": seconds, "exact_al_solved": bool(result.success)}


def _reference(problem: NLP, variant: str, iterations: int | None, median: float) -> Row:
    """A reference mode beside its published run; with the loose guard where the guard ended that."""
    name = f"adasketch-{variant}"
    seconds, result = _timed(problem, name, TOLERANCE)
    solved = bool(result.success)
    near = solved and iterations is not None and abs(result.nit - iterations) <= 1
    told = f"{result.nit if solved else '-'}/{'-' if iterations is None else iterations}"
    row: Row = {f"{variant}_s": seconds, f"{variant}_solved": solved, f"{variant}_near": near}
    if iterations is None:
        _, loose = _timed(problem, name, TOLERANCE, singular=LOOSE_GUARD)
        told += f" ({loose.nit if loose.success else '-'}/{median:g})"
        row[f"{variant}_loose"] = bool(loose.success)
    return row | {variant: told}


def find(published: Published) -> tuple[str, NLP | None]:
    """The problem and where it comes from; ("", None) where no source has it at the published size."""
    for source in ("sif", "native", "s2mpj"):
        folder = _sif_folder()
        if source == "sif" and folder is None:
            continue
        try:
            if source == "sif":
                problem = get(f"sif:{published.name}", path=folder)
            else:
                problem = get(published.name if source == "native" else f"s2mpj:{published.name}")
        except (KeyError, ImportError):  # unknown there, or S2MPJ is not installed
            continue
        if (problem.n, problem.m) == (published.n, published.m):
            return source, problem
    return "", None


def _sif_folder() -> Path | None:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "sif"
    folder = Path(os.environ.get("MASTSIF") or beside)
    return folder if folder.is_dir() else None


def _timed(problem: NLP, method: str, tol: float, **options: Any) -> tuple[float, Result]:
    """Wall time of the second of two equal runs: the first one compiles."""
    seconds = 0.0
    for _ in range(2):
        started = perf_counter()
        result = minimize(problem, method=method, tol=tol, rng=0, options={"max_time": _MAX_TIME, **options})
        seconds = perf_counter() - started
    return seconds, result


def _targets(rows: list[Row], wanted: list[Published]) -> list[Row]:
    everything, some = len(PUBLISHED), len(wanted)
    targets = []
    for variant in ("gv", "rk"):
        published = sum(getattr(problem, variant) is not None for problem in wanted)
        label = variant.upper()
        targets += [
            _at_least(f"{label}: solved to 1e-4, of {some}", _count(rows, f"{variant}_solved"), published),
            _at_least(
                f"{label}: iterations within 1 of the published, of {published}",
                _count(rows, f"{variant}_near"),
                38 * some // everything,
            ),
        ]
    stopped = sum((problem.gv is None) + (problem.rk is None) for problem in wanted)
    solved = _count(rows, "gv_loose") + _count(rows, "rk_loose")
    return [
        *targets,
        _at_least(f"runs ended by the guard, solved with a guard of 1e-6, of {stopped}", solved, stopped),
        _at_least(f"exact-al: solved to 1e-8, of {some}", _count(rows, "exact_al_solved"), some),
    ]


def _count(rows: list[Row], key: str) -> int:
    return sum(bool(row.get(key)) for row in rows)


def _at_least(name: str, value: int, least: int) -> Row:
    return {"name": name, "value": value, "target": f">= {least}", "met": value >= least}
