"""The problem sets of ``karush bench nlp``."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from ...problems import get
from ..spec import Spec
from ..suites import entry_of, resolve
from ._adasketch_published import PUBLISHED
from .adasketch import find

LARGEST = 2000
"""n + m of the SIF problems, and of what `--quick` takes from any collection."""

OWN = Path(__file__).with_name("_nlp_problems.py")
"""Problems of the benchmark itself."""


@dataclass(frozen=True)
class Instance:
    """A large problem that has rows of its own in the table."""

    label: str
    problem: Spec
    kind: str


def sif_folder() -> Path | None:
    """``$MASTSIF``, else ``../shared/data/sif`` beside the repository; None where there is neither."""
    beside = Path(__file__).resolve().parents[3] / "shared" / "data" / "sif"
    folder = Path(os.environ.get("MASTSIF") or beside)
    return folder if folder.is_dir() else None


def best_known(folder: Path | None) -> dict[str, float]:
    """Best known objective values by name, from the folder's ``solutions.json``."""
    file = None if folder is None else folder / "solutions.json"
    if file is None or not file.is_file():
        return {}
    entries = json.loads(file.read_text(encoding="utf-8"))
    # A list holds values of several sizes, without saying which.
    return {
        f"sif:{name}": float(entry["soltn"])
        for name, entry in entries.items()
        if isinstance(entry["soltn"], int | float)
    }


def native() -> list[Spec]:
    """The native collection at its default sizes."""
    return resolve("native")


def sif(folder: Path) -> list[Spec]:
    """SIF files with n + m up to `LARGEST` at their default sizes."""
    sizes = _sizes(folder)
    return [spec for spec in resolve(f"sif:{folder}") if _size(spec, sizes) <= LARGEST]


def _sizes(folder: Path) -> dict[str, int]:
    """Sizes n + m by name from ``reference.jsonl``, if it is there: it spares building every file."""
    file = folder / "reference.jsonl"
    if not file.is_file():
        return {}
    lines = (json.loads(line) for line in file.read_text(encoding="utf-8").splitlines() if line)
    return {f"sif:{entry['name']}": entry["n"] + entry["m"] for entry in lines}


def _size(spec: Spec, known: dict[str, int]) -> int:
    if spec.name in known:
        return known[spec.name]
    try:
        problem = get(spec.name, **spec.keywords)
    except ValueError:  # the worker will say why
        return 0
    return problem.n + problem.m


def paper() -> tuple[list[Spec], list[str]]:
    """AdaSketch-Newton's 47 problems where they are found, and the names of those that are not."""
    found, missing = [], []
    for published in PUBLISHED:
        source, problem = find(published)
        if problem is None:
            missing.append(published.name)
        elif source == "sif":
            found.append(Spec.of(f"sif:{published.name}", {"path": str(sif_folder())}))
        else:
            found.append(Spec(published.name if source == "native" else f"s2mpj:{published.name}"))
    return found, missing


def families() -> dict[str, list[Spec]]:
    """Families of large native problems at their default sizes."""
    return {"LUKVLE": resolve("native:LUKVLE*"), "DTOC": resolve("native:DTOC*")}


def instances(grids: Sequence[int], dense: Sequence[int], sparse: Sequence[int]) -> Iterator[Instance]:
    """PDE control on grids, logistic regression with dense and with sparse data of so many variables."""
    for n in grids:
        yield Instance(
            f"PDE control, equations, {n}^2", Spec.of(f"{OWN}:semilinear_control", {"n": n}), "pde"
        )
        yield Instance(f"PDE control, bounds, {n}^2", Spec.of("SEMILINEARCONTROL2D", {"n": n}), "pde")
    for n in dense:
        yield Instance(f"logistic, dense data, n={n}", Spec.of(f"{OWN}:logistic_dense", {"n": n}), "dense")
    for n in sparse:
        yield Instance(f"logistic, sparse data, n={n}", Spec.of(f"{OWN}:logistic_sparse", {"n": n}), "sparse")


def stratified(problems: Sequence[Spec], count: int) -> list[Spec]:
    """Always the same `count` small problems, evenly from the kinds of objectives and constraints."""
    strata: dict[str, list[Spec]] = {}
    for k in np.random.default_rng(0).permutation(len(problems)):
        entry, _ = entry_of(problems[k])
        if sum(entry.dimensions) <= LARGEST:
            strata.setdefault(entry.classification[:2], []).append(problems[k])
    chosen: list[Spec] = []
    while len(chosen) < count and any(strata.values()):
        for key in sorted(strata):
            if strata[key] and len(chosen) < count:
                chosen.append(strata[key].pop())
    return chosen
