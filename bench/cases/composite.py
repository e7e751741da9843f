"""Composite problems beside their peers, at a matched duality gap.

Every solver runs in a process of its own on the same files, one thread, CPU seconds, warm; its tolerance is
made sharper until its gap is at most 1e-6 of the objective at zero (`_composite_worker.py`). A peer that
cannot share this interpreter (adelie and glmnet ask for an older numpy) runs in one of those that
``$KARUSH_PEERS_PYTHON`` names; a peer that is not installed is left out. Data: `_composite_data.py`; a case
whose data are not installed is left out, and the reason told. ``$KARUSH_BENCH_ROWS`` names a file that takes
each row as it is found; a run that finds the file goes on after its last row.
"""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import sparse

from ..environment import environment
from ._composite_data import MissingDataError, drawn

TITLE = "Composite problems: CPU seconds at a duality gap of 1e-6 P(0), one thread, warm"
COLUMNS = [
    "problem",
    "nonzeros",
    "karush",
    "celer",
    "skglm",
    "sklearn",
    "adelie",
    "glmnet",
    "ratio",
    "target",
    "memory",
]

GAP = 1e-6
MAX_TIME = 600.0
_LARGE = 16_000_000
"""Bytes of X from which memory is compared with it: below, kernels and small arrays weigh more."""
_WORKER = Path(__file__).with_name("_composite_worker.py")
Row = dict[str, Any]


@dataclass(frozen=True)
class Case:
    """One row: data, loss, and lambda as a part of the smallest one that keeps w at zero."""

    name: str
    data: str
    part: float
    target: float
    loss: str = "squares"
    group: int = 0
    path: int = 0
    peers: tuple[str, ...] = ("celer", "skglm", "sklearn", "adelie", "glmnet")


_GLM_PEERS = ("celer", "skglm", "adelie", "glmnet")
_GROUP_PEERS = ("celer", "skglm", "adelie")

CASES = (
    Case("lasso dense /5", "dense", 5, 0.6),
    Case("lasso dense /20", "dense", 20, 0.6),
    Case("lasso dense /100 (nnz ~ n)", "dense", 100, 1.0),
    Case("lasso sparse /10", "sparse", 10, 0.5),
    Case("lasso sparse /50", "sparse", 50, 0.5),
    Case("lasso sparse noisy /50", "sparse noisy", 50, 0.5),
    Case("lasso tall /1000", "tall", 1000, 0.6),
    Case("lasso digits /100", "digits", 100, 0.6),
    Case("lasso NCI60 /20", "NCI60", 20, 0.6),
    Case("lasso tissue /100", "tissue", 100, 0.6),
    Case("path of 100, dense to /100", "dense", 100, 0.8, path=100),
    Case("path of 100, sparse to /50", "sparse", 50, 0.8, path=100),
    Case("logistic sparse /10", "labels", 10, 0.8, "logistic", peers=_GLM_PEERS),
    Case("logistic sparse /50", "labels", 50, 0.8, "logistic", peers=_GLM_PEERS),
    Case("logistic dense /10", "dense labels", 10, 0.8, "logistic", peers=_GLM_PEERS),
    Case("logistic Caravan /20", "Caravan labels", 20, 0.8, "logistic", peers=_GLM_PEERS),
    Case("group(10) dense /5", "dense", 5, 1.0, group=10, peers=_GROUP_PEERS),
    Case("group(10) dense /20", "dense", 20, 1.0, group=10, peers=_GROUP_PEERS),
)
_QUICK = {"lasso dense /5", "lasso sparse /10", "path of 100, sparse to /50", "group(10) dense /5"}


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """All rows, or with ``quick`` four of them on data a quarter as large."""
    rows, left_out, known = [], {}, _known(quick)
    with tempfile.TemporaryDirectory() as folder:
        for case in CASES:
            if quick and case.name not in _QUICK:
                continue
            if case.name in known:
                rows.append(known[case.name])
                continue
            progress(case.name)
            try:
                row = _row(case, Path(folder), 4 if quick else 1)
            except MissingDataError as reason:
                left_out[case.name] = str(reason)
                progress(f"left out: {reason}")
                continue
            rows.append(row)
            _keep(row, quick)
            progress("  " + ", ".join(f"{name} {row[name]}" for name in COLUMNS[1:] if name in row))
        progress("first fit in a new process")
        rows.append(_first_fit(Path(folder)))
    return {"environment": environment(), "rows": rows, "targets": _targets(rows), "left out": left_out}


def _known(quick: bool) -> dict[str, Row]:
    """Rows of a run that was interrupted, by problem."""
    file = os.environ.get("KARUSH_BENCH_ROWS")
    if file is None or not Path(file).exists():
        return {}
    rows = [json.loads(line) for line in Path(file).read_text().splitlines()]
    return {row["problem"]: row for row in rows if row["quick"] == quick}


def _keep(row: Row, quick: bool) -> None:
    file = os.environ.get("KARUSH_BENCH_ROWS")
    if file is not None:
        with open(file, "a") as out:
            out.write(json.dumps({**row, "quick": quick}) + "\n")


def _row(case: Case, folder: Path, shrink: int) -> Row:
    task = _task(case, folder, shrink)
    row: Row = {"problem": case.name, "target": case.target}
    found = {"karush": _solve({**task, "solver": "karush"}, folder, sys.executable)}
    for peer in case.peers:
        interpreter = _interpreter(peer)
        if interpreter is not None:
            found[peer] = _solve({**task, "solver": peer}, folder, interpreter)
    for solver, answer in found.items():
        seconds, reached = answer.get("seconds"), (answer.get("gap") or np.inf) <= GAP
        row[solver] = round(seconds, 4) if seconds and reached else f"fails ({answer.get('gap')})"
        row[f"{solver}_memory"] = answer.get("memory")
        row[f"{solver}_gap"], row[f"{solver}_error"] = answer.get("gap"), answer.get("error")
    ours = found["karush"]
    row["nonzeros"], row["size"] = ours.get("nonzeros"), ours.get("size")
    row["memory"] = None if ours.get("memory") is None else round(ours["memory"], 2)
    best = min((row[peer] for peer in case.peers if isinstance(row.get(peer), float)), default=None)
    if best is not None and isinstance(row["karush"], float):
        row["ratio"] = round(row["karush"] / best, 2)
    return row


def _interpreter(peer: str) -> str | None:
    """The interpreter that has a peer, None where there is none."""
    if importlib.util.find_spec(peer) is not None:
        return sys.executable
    for elsewhere in filter(None, os.environ.get("KARUSH_PEERS_PYTHON", "").split(os.pathsep)):
        there = subprocess.run([elsewhere, "-c", f"import {peer}"], capture_output=True, check=False)
        if there.returncode == 0:
            return elsewhere
    return None


def _solve(task: Row, folder: Path, interpreter: str) -> Row:
    file = folder / "task.json"
    file.write_text(json.dumps(task))
    threads = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")
    try:
        done = subprocess.run(
            [interpreter, str(_WORKER), str(file)],
            capture_output=True,
            text=True,
            timeout=MAX_TIME,
            env={**os.environ, **threads},
            check=True,
        )
        return dict(json.loads(done.stdout.splitlines()[-1]))
    except subprocess.TimeoutExpired:
        return {"error": f"more than {MAX_TIME:g} s"}
    except subprocess.CalledProcessError as error:
        return {"error": error.stderr[-200:]}


def _first_fit(folder: Path) -> Row:
    """The second of two new processes: the first one may fill the cache."""
    for _ in range(2):
        answer = _solve({"kind": "cold"}, folder, sys.executable)
    told = {"wall": answer["wall"], "karush": round(answer["seconds"], 2), "target": 1.0}
    return {"problem": "first fit, new process", **told}


def _targets(rows: list[Row]) -> list[Row]:
    targets = []
    for row in rows:
        cold = "first fit" in row["problem"]
        value = row["karush"] if cold else row.get("ratio")
        name = row["problem"] if cold else f"{row['problem']}: time / best peer's"
        met = value is not None and value <= row["target"]
        targets.append({"name": name, "value": value, "target": f"<= {row['target']}", "met": met})
    solved = sum(isinstance(row["karush"], float) for row in rows)
    targets.append(
        {"name": "converged", "value": solved, "target": f">= {len(rows)}", "met": solved == len(rows)}
    )
    large = [row for row in rows if row.get("memory") is not None and row["size"] >= _LARGE]
    most = max((row["memory"] for row in large), default=np.nan)
    name = "peak memory / X, where X has 16 MB or more"
    targets.append({"name": name, "value": most, "target": "<= 1.3", "met": most <= 1.3})
    return targets


def _task(case: Case, folder: Path, shrink: int) -> Row:
    """Write the data where that is not yet done; the task of a worker, all but the solver."""
    place = folder / case.data.replace(" ", "-")
    description = place / "description.json"
    if not description.exists():
        X, y = drawn(case.data, shrink)
        place.mkdir()
        np.save(place / "y.npy", y)
        if sparse.issparse(X):
            for part in ("data", "indices", "indptr"):
                np.save(place / f"{part}.npy", getattr(X, part))
        else:
            np.save(place / "X.npy", X)
        slopes = np.asarray(X.T @ y) * (0.5 if "labels" in case.data else 1.0)
        description.write_text(
            json.dumps({"sparse": bool(sparse.issparse(X)), "shape": X.shape, "slopes": slopes.tolist()})
        )
    told = json.loads(description.read_text())
    slopes = np.array(told.pop("slopes"))
    g = case.group
    top = np.linalg.norm(slopes.reshape(-1, g), axis=1).max() / np.sqrt(g) if g else np.abs(slopes).max()
    lambdas = np.geomspace(top, top / case.part, case.path).tolist() if case.path else []
    return {
        **told,
        "kind": "path" if case.path else "single",
        "data": str(place),
        "loss": case.loss,
        "group": g,
        "lambda": top / case.part,
        "lambdas": lambdas,
        "gap": GAP,
    }
