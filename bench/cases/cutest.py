"""SIF files compiled here beside the Fortran CUTEst: agreement, time of building, time of a call.

The folder with the files and ``reference.jsonl`` is ``$KARUSH_CUTEST``, else ``$MASTSIF``, else
``../shared/data/sif`` beside the repository.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from ...problems import NLP, SIFError, from_sif, get
from ...problems.pattern_cache import forget_patterns
from ..environment import environment
from ..errors import BenchError
from ._cutest_agreement import disagreements, read_reference

TITLE = "CUTEst's SIF files: agreement, building, and calls beside the Fortran code"
COLUMNS = ["fortran_call", "problems", "oracle", "ratio", "worst", "karush_us", "s2mpj_ratio"]

# Oracles by the reference's names of their times.
_TIMES = {"f+c": "t_fc_us", "f+g": "t_fg_us", "J": "t_sj_us", "H": "t_sh_us"}
_LARGE = 50.0  # microseconds of a Fortran call from which ratios count
_CLASSES = ((0.0, 1.0), (1.0, 10.0), (10.0, 50.0), (50.0, 500.0), (500.0, np.inf))
_SECONDS, _ROUNDS = 0.01, 5
_QUICK = 40
# S2MPJ's own evaluation takes seconds on large problems: this many small and middling ones tell enough.
_S2MPJ, _S2MPJ_LARGEST = 40, 200

Row = dict[str, Any]


def run(quick: bool, progress: Callable[[str], None]) -> dict[str, Any]:
    """Build every file with an empty kernel cache, again with a full one; compare values, time calls."""
    folder = _folder()
    reference = read_reference(folder)
    names = sorted(reference)
    if quick:
        names = sorted(np.random.default_rng(0).permutation(names)[:_QUICK].tolist())
    get("HS71").hessian(get("HS71").x0)  # the drivers, which belong to the installation, not to a file
    problems: list[Row] = []
    for number, name in enumerate(names):
        progress(f"{number + 1} of {len(names)}: {name}")
        problems.append(_problem(folder / f"{name}.SIF", reference[name]))
    progress("S2MPJ's Python form")
    slower = _s2mpj([row for row in problems if "karush_us" in row])
    rows = _summary(problems, slower)
    return {
        "environment": environment(),
        "rows": rows,
        "problems": problems,
        "targets": _targets(problems, len(names), len(reference), slower),
    }


def _folder() -> Path:
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "sif"
    given = os.environ.get("KARUSH_CUTEST") or os.environ.get("MASTSIF")
    folder = Path(given) if given else beside
    if not (folder / "reference.jsonl").is_file():
        raise BenchError(
            f"no reference.jsonl in {folder}: set KARUSH_CUTEST to a folder of SIF files with CUTEst values"
        )
    return folder


def _problem(path: Path, reference: Mapping[str, float]) -> Row:
    row: Row = {"name": path.stem, "n": reference["n"], "m": reference["m"]}
    try:
        with _empty_cache():
            row["cold_s"], _ = _timed(lambda: _ready(path))
            forget_patterns()
            row["warm_s"], problem = _timed(lambda: _ready(path))
            row["karush_us"] = {
                oracle: 1e6 * _seconds(call)
                for oracle, call in _calls(problem).items()
                if _TIMES[oracle] in reference
            }
            row["disagrees"] = [found.quantity for found in disagreements(path, reference)]
    except SIFError as error:
        row["refused"] = error.reason
    row["fortran_us"] = {
        oracle: reference[key] for oracle, key in _TIMES.items() if reference.get(key, 0.0) > 0.0
    }
    return row


@contextmanager
def _empty_cache() -> Iterator[None]:
    """No pattern known, none on disk; both as before afterwards."""
    before = os.environ.get("KARUSH_CACHE_DIR")
    with tempfile.TemporaryDirectory(prefix="karush-cutest-") as folder:
        os.environ["KARUSH_CACHE_DIR"] = folder
        forget_patterns()
        try:
            yield
        finally:
            forget_patterns()
            if before is None:
                del os.environ["KARUSH_CACHE_DIR"]
            else:
                os.environ["KARUSH_CACHE_DIR"] = before


def _timed(build: Callable[[], NLP]) -> tuple[float, NLP]:
    start = time.perf_counter()
    problem = build()
    return time.perf_counter() - start, problem


def _ready(path: Path) -> NLP:
    """Built, and everything compiled that a Newton method calls."""
    problem = from_sif(path)
    with np.errstate(all="ignore"):
        for call in _calls(problem).values():
            call()
    return problem


def _calls(problem: NLP) -> dict[str, Callable[[], Any]]:
    x = problem.x0 + 1e-3 * (1 + np.arange(problem.n) % 7)
    y = np.asarray(1.0 + np.arange(problem.m) % 3, dtype=np.float64)
    g, c = np.empty(problem.n), np.empty(problem.m)
    jacobian = np.empty(problem.jacobian_structure()[1].size) if problem.m else None
    hessian = np.empty(problem.hessian_structure()[1].size)
    calls: dict[str, Callable[[], Any]] = {
        "f+c": lambda: (problem.objective(x), problem.constraints(x, c) if problem.m else None),
        "f+g": lambda: problem.objective_and_gradient(x, g),
        "H": lambda: problem.hessian_values(x, y, 1.0, hessian),
    }
    if jacobian is not None:
        # CUTEst's routine gives the gradient of the objective along with the Jacobian.
        calls["J"] = lambda: (problem.gradient(x, g), problem.jacobian_values(x, jacobian))
    return calls


def _seconds(call: Callable[[], Any]) -> float:
    """Least time of a call over several rounds of many calls."""
    start = time.perf_counter()
    call()
    number = max(1, min(2_000, int(_SECONDS / max(time.perf_counter() - start, 1e-7))))
    least = np.inf
    for _ in range(_ROUNDS):
        start = time.perf_counter()
        for _ in range(number):
            call()
        least = min(least, (time.perf_counter() - start) / number)
    return least


def _s2mpj(problems: list[Row]) -> dict[str, dict[str, float]]:
    """How many times slower S2MPJ's own evaluation is, on some problems; {} where it is not installed."""
    small = [row for row in problems if row["n"] <= _S2MPJ_LARGEST and not row["m"]]
    chosen = np.random.default_rng(1).permutation(len(small))[:_S2MPJ]
    slower: dict[str, dict[str, float]] = {}
    for row in (small[k] for k in chosen):
        try:
            raw = get(f"s2mpj:{row['name']}").raw  # type: ignore[attr-defined]
        except ImportError:
            return {}
        except (KeyError, ValueError):
            continue
        if raw.n != row["n"]:
            continue  # another default size
        x = np.asarray(raw.x0, dtype=float).reshape(-1, 1)
        calls = {"f+g": lambda raw=raw, x=x: raw.fgx(x), "H": lambda raw=raw, x=x: raw.fgHx(x)}
        slower[row["name"]] = {
            oracle: 1e6 * _seconds(call) / row["karush_us"][oracle]
            for oracle, call in calls.items()
            if oracle in row["karush_us"]
        }
    return slower


def _ratios(problems: list[Row], oracle: str, low: float, high: float) -> list[float]:
    return [
        row["karush_us"][oracle] / row["fortran_us"][oracle]
        for row in problems
        if "karush_us" in row
        and oracle in row["karush_us"]
        and low <= row["fortran_us"].get(oracle, -1.0) < high
    ]


def _summary(problems: list[Row], slower: dict[str, dict[str, float]]) -> list[Row]:
    rows = []
    for low, high in _CLASSES:
        for oracle in _TIMES:
            ratios = _ratios(problems, oracle, low, high)
            if not ratios:
                continue
            ours = [
                row["karush_us"][oracle]
                for row in problems
                if oracle in row.get("karush_us", {}) and low <= row["fortran_us"].get(oracle, -1.0) < high
            ]
            peers = [
                slower[row["name"]][oracle]
                for row in problems
                if oracle in slower.get(row["name"], {}) and low <= row["fortran_us"].get(oracle, -1.0) < high
            ]
            rows.append(
                {
                    "fortran_call": f"{low:g} to {high:g} us",
                    "problems": len(ratios),
                    "oracle": oracle,
                    "ratio": _geometric_mean(ratios),
                    "worst": max(ratios),
                    "karush_us": float(np.median(ours)),
                    "s2mpj_ratio": _geometric_mean(peers) if peers else None,
                }
            )
    return rows


def _geometric_mean(values: list[float]) -> float:
    return float(np.exp(np.mean(np.log(values))))


def _targets(
    problems: list[Row], tried: int, known: int, slower: dict[str, dict[str, float]]
) -> list[dict[str, Any]]:
    built = [row for row in problems if "karush_us" in row]
    agreeing = sum(not row["disagrees"] for row in built)
    cold = np.array([row["cold_s"] for row in built])
    warm = np.array([row["warm_s"] for row in built])
    share = 895 / 905
    targets = [
        {
            "name": f"files that agree with CUTEst, of {tried} tried of {known}",
            "value": agreeing,
            "target": f">= {share * tried:.0f}",
            "met": bool(agreeing >= np.floor(share * tried)),
        },
        _at_most("cold build, median seconds", float(np.median(cold)), 1.0),
        _at_most("cold build, 95 % of seconds", float(np.quantile(cold, 0.95)), 4.0),
        _at_most("warm build, median seconds", float(np.median(warm)), 0.1),
    ]
    for oracle in _TIMES:
        ratios = _ratios(problems, oracle, _LARGE, np.inf)
        if ratios:
            name = f"{oracle} over Fortran, geometric mean where it takes {_LARGE:g} us ({len(ratios)})"
            targets.append(_at_most(name, _geometric_mean(ratios), 1.0))
    small = [
        time
        for row in built
        for oracle, time in row["karush_us"].items()
        if row["fortran_us"].get(oracle, np.inf) < 1.0
    ]
    if small:
        targets.append(
            _at_most(
                "microseconds a call where Fortran takes < 1, 95 %", float(np.quantile(small, 0.95)), 5.0
            )
        )
    if slower:
        every = [ratio for ratios in slower.values() for ratio in ratios.values()]
        value = _geometric_mean(every)
        targets.append(
            {
                "name": "times S2MPJ's Python form, geometric mean",
                "value": value,
                "target": ">= 100",
                "met": value >= 100.0,
            }
        )
    return targets


def _at_most(name: str, value: float, limit: float) -> dict[str, Any]:
    return {"name": name, "value": value, "target": f"<= {limit:g}", "met": bool(value <= limit)}
