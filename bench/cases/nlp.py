"""exact-al beside IPOPT, Uno, SLSQP and trust-constr: solved counts, time, evaluations, memory.

All solvers work on karush's own oracles in guarded processes with the same limits, are asked for 1e-8, and
are judged by the one certificate at 1e-6. Sets: (a) the native collection; (b) the SIF files of ``$MASTSIF``,
else ``../shared/data/sif`` beside the repository, with n + m <= 2000; (c) AdaSketch-Newton's 47 problems,
judged at 1e-8; (d) large ones. SLSQP and trust-constr run where n + m <= 300, which is a set of its own.

Seconds are of processor time. Means are shifted geometric ones over all problems, with the time limit for
what is not certified. Results stand in the folder ``$KARUSH_NLP_STORE`` (default: ``nlp-results``), where an
interrupted benchmark goes on; a new version of a solver runs again by itself. ``$KARUSH_NLP_TIME_LIMIT`` is
the limit of a job of (a), (b) and (c), ``$KARUSH_NLP_LARGE_TIME_LIMIT`` that of (d). ``--quick`` keeps
nothing.
"""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..environment import environment
from ..jobs import Limits
from ..spec import Spec
from . import _nlp_sets as sets
from ._nlp_runs import results, solve_all, start_to_answer
from ._nlp_tables import (
    OURS,
    REFERENCE,
    Row,
    at_least,
    at_most,
    counts_and_time,
    losses,
    single,
    summary,
    worst_ratio,
)

TITLE = "Nonlinear programs: exact-al beside IPOPT, Uno, SLSQP and trust-constr"
COLUMNS = [
    "set",
    "solver",
    "problems",
    "solved",
    "at_best",
    "solved_1e-4",
    "refused",
    "mean_s",
    "vs_ipopt",
    "both_solved",
    "evaluations",
    "fastest",
    "within_2",
    "memory_mb",
    "added_mb",
]

_OURS, _IPOPT = Spec(OURS), Spec(REFERENCE)
_MATRIX_FREE = Spec.of(OURS, {"preconditioner": f"{sets.OWN}:sine_transform"})
_UNO, _UNO_BARRIER = Spec("uno"), Spec.of("uno", {"preset": "ipopt"})
_TRUST = Spec("trust-constr")

MATRIX_FREE = "exact-al, matrix-free"
NAMES = {str(_MATRIX_FREE): MATRIX_FREE}

MAIN = [_OURS, _IPOPT, _UNO, _UNO_BARRIER]
SMALL, SMALL_SOLVERS = 300, [Spec("SLSQP"), _TRUST]
"""n + m up to which SciPy's methods run: beyond, most of their runs would end at the time limit."""

_LARGE = {
    "pde": [_OURS, _MATRIX_FREE, _IPOPT, _UNO_BARRIER],
    "dense": [_OURS, _IPOPT, _UNO_BARRIER, _TRUST],
    "sparse": [_OURS, _IPOPT, _TRUST],
}


@dataclass(frozen=True)
class _Scale:
    """How much is run."""

    folder: Path
    time_limit: float
    large_limit: float
    sample: int | None = None
    families: bool = True
    grids: tuple[int, ...] = (64, 128, 256)
    dense: tuple[int, ...] = (300, 1000)
    sparse: tuple[int, ...] = (50_000,)


@dataclass
class _Findings:
    """What the sets add to the benchmark's answer."""

    rows: list[Row] = field(default_factory=list)
    targets: list[Row] = field(default_factory=list)
    losses: list[Row] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Run all four sets; with ``quick`` 40 problems of the collections, 64^2 and the start of a process."""
    found = _Findings()
    with _scale(quick) as scale:
        _collections(scale, progress, found)
        if not quick:
            _paper(scale, progress, found)
        _large(scale, progress, found)
    progress("karush solve HS7")
    found.targets.append(
        at_most("`karush solve HS7` from start to answer, warm, seconds", start_to_answer(), 1.5)
    )
    return {
        "environment": environment(),
        "rows": found.rows,
        "targets": found.targets,
        "losses": found.losses,
        "missing": found.missing,
    }


@contextlib.contextmanager
def _scale(quick: bool) -> Iterator[_Scale]:
    limit, large = _number("KARUSH_NLP_TIME_LIMIT", 10.0), _number("KARUSH_NLP_LARGE_TIME_LIMIT", 60.0)
    if not quick:
        yield _Scale(Path(os.environ.get("KARUSH_NLP_STORE") or "nlp-results"), limit, large)
        return
    with tempfile.TemporaryDirectory(prefix="karush-nlp-") as folder:
        yield _Scale(Path(folder), 3.0, 10.0, sample=20, families=False, grids=(64,), dense=(300,), sparse=())


def _number(name: str, default: float) -> float:
    return float(os.environ.get(name) or default)


def _collections(scale: _Scale, progress: Callable[[str], None], found: _Findings) -> None:
    """Sets (a) and (b), and the small problems of both for SciPy's methods."""
    folder = sets.sif_folder()
    known = sets.best_known(folder)
    chosen = {"native": sets.native()}
    if folder is None:
        found.missing.append("set (b): no folder of SIF files; MASTSIF names one")
    else:
        chosen["SIF"] = sets.sif(folder)
    store, limits = scale.folder / "collections", Limits(time_limit=scale.time_limit)
    for title, problems in chosen.items():
        if scale.sample is not None:
            problems = sets.stratified(problems, scale.sample)
        _compare(title, problems, MAIN, store, limits, known, progress, found)
        arranged = results(problems, [_OURS], store)
        sizes = {item.label: (item.n or 0) + (item.m or 0) for item in arranged.problems}
        small = [spec for spec in problems if sizes.get(str(spec), SMALL + 1) <= SMALL]
        title = f"{title}, n + m <= {SMALL}"
        _compare(title, small, [*MAIN, *SMALL_SOLVERS], store, limits, known, progress, found)


def _compare(
    title: str,
    problems: list[Spec],
    solvers: list[Spec],
    store: Path,
    limits: Limits,
    known: dict[str, float],
    progress: Callable[[str], None],
    found: _Findings,
) -> None:
    """Run solvers on a set and add its rows, targets and losses."""
    solve_all(title, problems, solvers, store, limits, progress)
    arranged = results(problems, solvers, store, known)
    rows = summary(title, arranged, limits.time_limit)
    found.rows += rows
    found.targets += counts_and_time(title, rows)
    found.losses += losses(title, arranged)


def _paper(scale: _Scale, progress: Callable[[str], None], found: _Findings) -> None:
    """Set (c), to 1e-8; solvers are asked for a tenth of it."""
    problems, missing = sets.paper()
    found.missing += [f"set (c): {name}" for name in missing]
    solvers = [*MAIN, *SMALL_SOLVERS]
    store, limits = scale.folder / "paper", Limits(time_limit=scale.time_limit, tol=1e-8, solver_tol=1e-9)
    solve_all("paper", problems, solvers, store, limits, progress)
    arranged = results(problems, solvers, store)
    rows = summary("AdaSketch-Newton's, 1e-8", arranged, limits.time_limit)
    found.rows += rows
    total = len(problems) + len(missing)
    solved = next(row["solved"] for row in rows if row["solver"] == OURS)
    found.targets.append(at_least(f"AdaSketch-Newton's problems solved to 1e-8, of {total}", solved, total))
    found.losses += losses("AdaSketch-Newton's, 1e-8", arranged)


def _large(scale: _Scale, progress: Callable[[str], None], found: _Findings) -> None:
    """Set (d), each job in a process of its own."""
    store, limits = scale.folder / "large", Limits(time_limit=scale.large_limit, memory_limit=8192.0)
    if scale.families:
        for title, problems in sets.families().items():
            solvers = [_OURS, _IPOPT, _UNO_BARRIER]
            solve_all(title, problems, solvers, store, limits, progress, apart=True)
            arranged = results(problems, solvers, store)
            found.rows += summary(title, arranged, limits.time_limit)
            found.losses += losses(title, arranged)
            _direct_target(title, *worst_ratio(arranged), found)
    memory: list[float] = []
    for instance in sets.instances(scale.grids, scale.dense, scale.sparse):
        solvers = _LARGE[instance.kind]
        solve_all(instance.label, [instance.problem], solvers, store, limits, progress, apart=True)
        arranged = results([instance.problem], solvers, store)
        rows = {row["solver"]: row for row in single(instance.label, arranged, NAMES)}
        found.rows += rows.values()
        if instance.kind == "sparse":
            ratio = _ratio(rows["trust-constr"], rows[OURS], "mean_s")
            found.targets.append(
                at_least(f"{instance.label}: trust-constr's time over exact-al's", ratio, 2.0)
            )
            continue
        _direct_target(instance.label, *worst_ratio(arranged), found)
        if instance.kind == "pde":
            memory.append(_ratio(rows[MATRIX_FREE], rows[REFERENCE], "added_mb"))
    found.targets.append(
        at_most("PDE control: matrix-free memory over IPOPT's, the worst of all", max(memory), 0.5)
    )


def _direct_target(title: str, ratio: float, where: str, found: _Findings) -> None:
    at = f", worst at {where}" if title in ("LUKVLE", "DTOC") else ""
    found.targets.append(at_most(f"{title}: direct solves, time over IPOPT's{at}", ratio, 1.2))


def _ratio(above: Row, below: Row, key: str) -> float:
    """Ratio of two numbers; inf where what is above is not solved or not known."""
    if not below["solved"]:
        return 0.0 if above["solved"] else float("inf")
    if not above["solved"] or above[key] is None or not below[key]:
        return float("inf")
    return float(above[key] / below[key])
