"""Bilevel problems: the BOLIB collection by `auto`.

Its problems are read from the file that ``$KARUSH_BOLIB`` names, else ``../shared/data/bilevel/bolib.jsonl``
beside the repository. A problem is reached where F is at most 1e-3 relative above its reference, at a point
whose lower level, solved anew from several starts, has a gap of at most 1e-6. References of the literature
are not always right: a point with a gap as small and a lower F counts as reached, and is marked as better.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from ...problems.bilevel.formula_problems import from_record
from ...solvers.bilevel.minimize import minimize_bilevel
from ..environment import environment

TITLE = "Bilevel problems: the BOLIB collection, 20 s each"
COLUMNS = [
    "problem",
    "kind",
    "reference",
    "F",
    "reached",
    "success",
    "gap",
    "starts",
    "evaluations",
    "seconds",
]

MAX_TIME = 20.0
REACHED, GAP = 1e-3, 1e-6
_QUICK = 10
"""Every so-many-th problem with --quick."""

Row = dict[str, Any]


def bolib() -> list[dict[str, Any]]:
    """Records of the collection; none where the file is not there."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "bilevel" / "bolib.jsonl"
    file = Path(os.environ.get("KARUSH_BOLIB") or beside)
    if not file.is_file():
        return []
    return [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Solve the collection; see the module's text."""
    records = bolib()[:: _QUICK if quick else 1]
    rows = []
    for record in records:
        rows.append(_row(record))
        progress(
            "{problem}: F = {F:.6g}, reference {reference}, {reached}, {seconds:.1f} s".format(**rows[-1])
        )
    return {"environment": environment(), "rows": rows, "targets": _targets(rows)}


def _row(record: dict[str, Any]) -> Row:
    problem = from_record(record)
    started = perf_counter()
    result = minimize_bilevel(problem, max_time=MAX_TIME, rng=0)
    seconds = perf_counter() - started
    found: Any = result.certificate
    excess = np.nan
    if problem.optimum is not None:
        excess = (found.F - problem.optimum) / max(1.0, abs(problem.optimum))
    feasible = found.feasible and found.lower_gap.scaled <= GAP
    return {
        "problem": problem.name,
        "kind": record["reference"]["kind"],
        "reference": problem.optimum,
        "F": found.F,
        "reached": "-" if np.isnan(excess) else _verdict(excess, feasible),
        "success": bool(result.success),
        "gap": found.lower_gap.scaled,
        "starts": result.nit,
        "evaluations": sum(result.counts.values()),
        "seconds": seconds,
    }


def _verdict(excess: float, feasible: bool) -> str:
    if not feasible or excess > REACHED:
        return "no"
    return "better" if excess < -REACHED else "yes"


def _targets(rows: list[Row]) -> list[Row]:
    optimal = [row for row in rows if row["kind"] == "optimal"]
    if not optimal:
        return []
    share = np.mean([row["reached"] != "no" for row in optimal])
    false = [row["problem"] for row in rows if row["success"] and row["reached"] == "no"]
    return [
        {
            "name": f"{len(optimal)} problems with an optimal reference: share reached",
            "value": float(share),
            "target": ">= 0.85",
            "met": bool(share >= 0.85),
        },
        {
            "name": "success at a point that misses the reference",
            "value": len(false),
            "target": "0",
            "met": not false,
        },
    ]
