"""The result store of a sweep: one SQLite file, one row per job, one commit per row."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from .errors import StoreError
from .jobs import Job, Limits
from .outcomes import Outcome

SCHEMA_VERSION = "1"
FILE_NAME = "results.sqlite"

_COLUMNS = {
    "key": "TEXT PRIMARY KEY",
    "problem": "TEXT NOT NULL",
    "parameters": "TEXT NOT NULL",
    "solver": "TEXT NOT NULL",
    "options": "TEXT NOT NULL",
    "version": "TEXT NOT NULL",
    "outcome": "TEXT NOT NULL",
    "message": "TEXT NOT NULL",
    "time_limit": "REAL",
    "memory_limit": "REAL",
    "tol": "REAL",
    "n": "INTEGER",
    "m": "INTEGER",
    "classification": "TEXT",
    "optimum": "REAL",
    "objective": "REAL",
    "violation": "REAL",
    "claimed": "INTEGER",
    "iterations": "INTEGER",
    "evaluations": "INTEGER",
    "solve_time": "REAL",
    "cpu_time": "REAL",
    "phases": "TEXT",
    "counts": "TEXT",
    "certificate": "TEXT",
    "history": "TEXT",
    "memory": "REAL",
    "memory_before": "REAL",
    "environment": "TEXT",
    "finished": "REAL",
}
_JSON = ("parameters", "options", "phases", "counts", "certificate", "history")


class Store:
    """Results on disk.

    Parameters
    ----------
    folder : path
        Folder of the sweep; made if ``create`` is true.
    create : bool
        Make the store if there is none.

    Raises
    ------
    StoreError
        Where the folder cannot be written, the file is not a store, is damaged, or is of another version.
        The file is left as it was.

    Notes
    -----
    Write-ahead logging with a commit per row: a process killed at any moment leaves a store that opens with
    every row committed before.
    """

    def __init__(self, folder: str | os.PathLike[str], *, create: bool = True) -> None:
        self.folder = Path(folder)
        self.path = self.folder / FILE_NAME
        if create:
            _make_folder(self.folder)
        elif not self.path.is_file():
            raise StoreError(
                f"{self.folder} holds no results ({FILE_NAME} is missing); run `karush sweep` first"
            )
        with self._guard():
            self._connection = sqlite3.connect(self.path, timeout=30.0, isolation_level=None)
            self._open()

    def _open(self) -> None:
        connection = self._connection
        check = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if check != "ok":
            raise sqlite3.DatabaseError(check)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=NORMAL")
        tables = {row[0] for row in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}
        if tables and not {"results", "meta"} <= tables:
            raise StoreError(
                f"{self.path} is a database of something else (tables {sorted(tables)}); give another folder"
            )
        columns = ", ".join(f"{name} {kind}" for name, kind in _COLUMNS.items())
        with self._transaction():
            connection.execute(f"CREATE TABLE IF NOT EXISTS results ({columns})")
            known = {row[1] for row in connection.execute("PRAGMA table_info(results)")}
            for name in _COLUMNS.keys() - known:  # a store of before the column
                connection.execute(f"ALTER TABLE results ADD COLUMN {name} {_COLUMNS[name]}")
            connection.execute("CREATE TABLE IF NOT EXISTS meta (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
            connection.execute("INSERT OR IGNORE INTO meta VALUES ('schema', ?)", (SCHEMA_VERSION,))
        found = self.meta("schema")
        if found != SCHEMA_VERSION:
            raise StoreError(
                f"{self.path} has schema {found}, this karush reads {SCHEMA_VERSION}; give another folder"
            )

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield
        except BaseException:
            self._connection.execute("ROLLBACK")
            raise
        self._connection.execute("COMMIT")

    @contextlib.contextmanager
    def _guard(self) -> Iterator[None]:
        try:
            yield
        except sqlite3.OperationalError as error:
            raise StoreError(f"cannot use {self.path}: {error}") from error
        except sqlite3.DatabaseError as error:
            raise StoreError(
                f"{self.path} is damaged ({error}). It was left alone: move it away, or give another folder"
            ) from error

    def close(self) -> None:
        """Close the file; further calls raise."""
        self._connection.close()

    def __enter__(self) -> Store:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def meta(self, name: str) -> str | None:
        """A named text kept beside the results, or None."""
        with self._guard():
            row = self._connection.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return None if row is None else str(row[0])

    def set_meta(self, name: str, value: str) -> None:
        """Keep a named text."""
        with self._guard(), self._transaction():
            self._connection.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))

    def put(self, job: Job, limits: Limits, record: Mapping[str, Any]) -> None:
        """Write the row of a finished job, over an older one of the same key."""
        row = dict.fromkeys(_COLUMNS)
        row.update(record)
        row.update(
            key=job.key,
            problem=job.problem.name,
            parameters=job.problem.keywords,
            solver=job.solver.name,
            options=job.solver.keywords,
            version=job.version,
            outcome=record["outcome"].name,
            time_limit=limits.time_limit,
            memory_limit=limits.memory_limit,
            tol=limits.tol,
            finished=time.time(),
        )
        for name in _JSON:
            row[name] = json.dumps(row[name])
        values = [row[name] for name in _COLUMNS]
        marks, names = ", ".join("?" * len(values)), ", ".join(_COLUMNS)
        with self._guard(), self._transaction():
            self._connection.execute(f"INSERT OR REPLACE INTO results ({names}) VALUES ({marks})", values)

    def rows(self) -> list[dict[str, Any]]:
        """All rows, oldest first, ``outcome`` an `Outcome` and the JSON columns decoded."""
        with self._guard():
            cursor = self._connection.execute(f"SELECT {', '.join(_COLUMNS)} FROM results ORDER BY finished")
            found = [dict(zip(_COLUMNS, values, strict=True)) for values in cursor]
        for row in found:
            row["outcome"] = Outcome[row["outcome"]]
            for name in _JSON:
                row[name] = json.loads(row[name])
        return found

    def finished(self, limits: Limits, *, retry: bool = False) -> set[str]:
        """Keys of the jobs that need not run again under these limits.

        Parameters
        ----------
        limits : Limits
            The limits of the sweep that asks.
        retry : bool
            Run jobs again that ended in an infrastructure failure.

        Notes
        -----
        A row judged at another tolerance is not finished, nor one that ran out of less time or memory than it
        would have now. A skipped job is decided anew each time: the reason may be gone.
        """
        query = "SELECT key, outcome, time_limit, memory_limit, tol FROM results"
        with self._guard():
            rows = self._connection.execute(query).fetchall()
        return {key for key, name, *given in rows if _stands(Outcome[name], given, limits, retry)}


def _stands(outcome: Outcome, given: list[float], limits: Limits, retry: bool) -> bool:
    time_limit, memory_limit, tol = given
    if outcome is Outcome.SKIPPED or tol != limits.tol:
        return False
    if outcome in (Outcome.TIME_LIMIT, Outcome.KILLED_TIME) and time_limit < limits.time_limit:
        return False
    if outcome is Outcome.KILLED_MEMORY and memory_limit < limits.memory_limit:
        return False
    return not (retry and outcome.kind == "infrastructure")


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".write-test-{os.getpid()}"
        probe.touch()
        probe.unlink()
    except OSError as error:
        raise StoreError(f"cannot write to {folder}: {error.strerror or error}") from error
