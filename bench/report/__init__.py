"""From a store to a page: profiles, means, tables, plots."""

from __future__ import annotations

import datetime
import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import BenchError
from ..store import Store
from .table import Results, Row, Score, arrange, pairs, scores

__all__ = ["Report", "write_report"]


@dataclass(frozen=True)
class Report:
    """What was written.

    Attributes
    ----------
    page : Path
        The HTML file.
    files : list of Path
        Beside it: CSV, and PNG where matplotlib is installed.
    results, scores
        The numbers.
    """

    page: Path
    files: list[Path]
    results: Results
    scores: list[Score]


def write_report(
    folder: str | os.PathLike[str], *, all_versions: bool = False, title: str | None = None
) -> Report:
    """Write ``report/index.html`` and the files beside it into the folder of a sweep.

    Parameters
    ----------
    folder : path
        Folder given to `karush.bench.sweep`.
    all_versions : bool, default False
        Compare versions of a solver; otherwise the newest results of each solver count.
    title : str, optional
        Heading of the page.

    Raises
    ------
    StoreError
        No store there, or a damaged one.
    BenchError
        It is empty, or the report cannot be written.
    """
    from .charts import charts
    from .images import available, write_images
    from .page import page
    from .tables import write_tables

    with Store(folder, create=False) as store:
        rows = store.rows()
        environments = _environments(store, rows)
    if not rows:
        raise BenchError(f"{folder} holds no results yet; run `karush sweep` first")
    results = arrange(rows, all_versions=all_versions)
    found = scores(results)
    drawn = charts(results)
    text = page(
        title or "Sweep of nonlinear optimisation problems",
        results,
        found,
        pairs(results, results.solvers[0]),
        drawn,
        _facts(rows, environments),
    )
    target = Path(folder) / "report"
    try:
        target.mkdir(exist_ok=True)
        (target / "index.html").write_text(text, encoding="utf-8")
        files = write_tables(results, found, drawn, target)
        if available():
            files += write_images(drawn, target)
    except OSError as error:
        raise BenchError(f"cannot write the report to {target}: {error.strerror or error}") from error
    return Report(target / "index.html", files, results, found)


def _environments(store: Store, rows: list[Row]) -> list[dict[str, Any]]:
    keys = dict.fromkeys(row["environment"] for row in reversed(rows) if row["environment"])
    texts = (store.meta(f"environment:{key}") for key in keys)
    return [json.loads(text) for text in texts if text]


def _facts(rows: list[Row], environments: list[dict[str, Any]]) -> dict[str, Any]:
    """What stands at the end of the page: the newest environment, limits, versions, a warning."""
    facts: dict[str, Any] = dict(environments[0]) if environments else {}
    limits = sorted({row["time_limit"] for row in rows})
    facts["time limit"] = " or ".join(f"{limit:g} s" for limit in limits)
    facts["memory limit"] = " or ".join(
        f"{limit:g} MB" for limit in sorted({row["memory_limit"] for row in rows})
    )
    facts["certificate"] = "scaled errors up to " + " or ".join(
        f"{tol:g}" for tol in sorted({r["tol"] for r in rows})
    )
    facts["solver versions"] = sorted({f"{row['solver']} ({row['version']})" for row in rows})
    facts["date"] = (
        datetime.datetime.fromtimestamp(rows[-1]["finished"]).astimezone().strftime("%d %B %Y, %H:%M")
    )
    if len(environments) > 1:
        facts["note"] = f"the results come from {len(environments)} environments; times may not compare"
    return facts
