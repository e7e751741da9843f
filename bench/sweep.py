"""A sweep: problems x solvers, each job guarded, every result on disk the moment it is there."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
from collections import Counter, OrderedDict, deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

from . import peers
from .environment import environment
from .errors import BenchError
from .jobs import Job, Limits
from .outcomes import Outcome
from .pool import Pool
from .spec import Spec
from .store import Store


class Observer(Protocol):
    """Who wants to watch a sweep."""

    def begin(self, total: int, known: int) -> None:
        """`total` jobs there are, `known` of them are in the store already."""

    def tick(self, running: Sequence[tuple[Job, str]]) -> None:
        """Called a few times a second with the jobs under way and their phases."""

    def finish(self, job: Job, record: dict[str, Any]) -> None:
        """A job has ended and is stored."""


class _Silent:
    def begin(self, total: int, known: int) -> None: ...

    def tick(self, running: Sequence[tuple[Job, str]]) -> None: ...

    def finish(self, job: Job, record: dict[str, Any]) -> None: ...


@dataclass
class Summary:
    """What a sweep did.

    Attributes
    ----------
    total, known : int
        Jobs of the sweep, and those of them that were in the store before.
    outcomes : Counter of Outcome
        Ends of the jobs that ran now.
    """

    total: int
    known: int
    outcomes: Counter[Outcome] = field(default_factory=Counter)


def plan(problems: Sequence[Spec], solvers: Sequence[Spec]) -> list[Job]:
    """All jobs, problem by problem, so that a worker builds a problem once for all solvers.

    Raises
    ------
    ValueError
        Unknown solver or option.
    """
    versions = []
    for solver in solvers:
        peer = peers.get(solver.name)
        peer.check_options(dict(solver.keywords))
        versions.append((Spec(peer.name, solver.settings), peer.version()))
    jobs = [Job(problem, solver, version) for problem in problems for solver, version in versions]
    return list({job.key: job for job in jobs}.values())


def sweep(
    problems: Sequence[Spec],
    solvers: Sequence[Spec],
    out: str | os.PathLike[str],
    *,
    limits: Limits | None = None,
    workers: int = 1,
    threads: int = 1,
    retry: bool = False,
    fresh: bool = False,
    observer: Observer | None = None,
) -> Summary:
    """Run every solver on every problem and keep the results in a folder.

    Parameters
    ----------
    problems, solvers : sequence of Spec
        What is run on what (see `karush.bench.suites.resolve`).
    out : path
        Folder of the results. With results in it, only what is missing runs.
    limits : Limits, optional
        Limits of each job; default ``Limits()``.
    workers : int, default 1
        Processes at work at the same time.
    threads : int, default 1
        Threads for the numerical libraries in each.
    retry : bool, default False
        Run those again that ended in a crash, a kill or a build error.
    fresh : bool, default False
        Run everything again.
    observer : Observer, optional
        Told about every event.

    Returns
    -------
    Summary
        Counts of this run; the results are in the store.

    Raises
    ------
    ValueError
        Unknown solver or option, no workers.
    StoreError, BenchError
        The folder cannot be used, another sweep is writing to it, or worker processes do not start.
    """
    if workers < 1 or threads < 1:
        raise ValueError(f"workers and threads must be at least 1, got {workers} and {threads}")
    limits = limits or Limits()
    observer = observer or _Silent()
    jobs = plan(problems, solvers)
    with Store(out) as store, _sole_writer(Path(out)):
        done = set() if fresh else store.finished(limits, retry=retry)
        todo = [job for job in jobs if job.key not in done]
        summary = Summary(len(jobs), len(jobs) - len(todo))
        observer.begin(summary.total, summary.known)
        setting = {"workers": workers, "threads of a worker": threads}
        writer = _Writer(store, limits, summary, observer, setting)
        todo = writer.skip_unavailable(todo)
        if todo:
            pool = Pool(min(workers, len(todo)), limits, Path(out) / "logs", threads)
            try:
                _run(pool, _Queue(todo), writer, observer)
            finally:
                pool.close()
                with contextlib.suppress(OSError):
                    (Path(out) / "logs").rmdir()
    return summary


def _run(pool: Pool, waiting: _Queue, writer: _Writer, observer: Observer) -> None:
    while waiting or any(worker.job for worker in pool.workers):
        for worker in pool.idle():
            job = waiting.take(worker.problem)
            if job is not None:
                pool.submit(worker, job)
        for ended in pool.wait():
            if ended.record is None:
                waiting.give_back(ended.job)
            else:
                writer.write(ended.job, ended.record)
        observer.tick([(worker.job, worker.phase) for worker in pool.workers if worker.job is not None])


class _Writer:
    """Rows to the store, counts to the summary, news to the observer."""

    def __init__(
        self, store: Store, limits: Limits, summary: Summary, observer: Observer, setting: dict[str, int]
    ) -> None:
        self._store, self._limits, self._summary, self._observer = store, limits, summary, observer
        text = json.dumps({**environment(), **setting})
        self._environment = hashlib.sha256(text.encode()).hexdigest()[:12]
        store.set_meta(f"environment:{self._environment}", text)

    def write(self, job: Job, record: dict[str, Any]) -> None:
        record["environment"] = self._environment
        self._store.put(job, self._limits, record)
        self._summary.outcomes[record["outcome"]] += 1
        self._observer.finish(job, record)

    def skip_unavailable(self, jobs: list[Job]) -> list[Job]:
        """Write down what cannot run on this machine; the rest."""
        reasons = {name: peers.get(name).unavailable() for name in {job.solver.name for job in jobs}}
        for job in jobs:
            reason = reasons[job.solver.name]
            if reason is not None:
                self.write(job, {"outcome": Outcome.SKIPPED, "message": reason})
        return [job for job in jobs if reasons[job.solver.name] is None]


class _Queue:
    """Jobs that wait, by problem; a worker is given more of the problem that it has built."""

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._groups: OrderedDict[str, deque[Job]] = OrderedDict()
        self._started: set[str] = set()
        for job in jobs:
            self._groups.setdefault(str(job.problem), deque()).append(job)

    def __bool__(self) -> bool:
        return bool(self._groups)

    def take(self, problem: str) -> Job | None:
        """The next job for a worker that holds `problem`; None where nothing is left."""
        if not self._groups:
            return None
        if problem not in self._groups:
            untouched = (name for name in self._groups if name not in self._started)
            problem = next(untouched, "") or max(self._groups, key=lambda name: len(self._groups[name]))
        self._started.add(problem)
        group = self._groups[problem]
        job = group.popleft()
        if not group:
            del self._groups[problem]
        return job

    def give_back(self, job: Job) -> None:
        """Put a job back to the front of its problem's."""
        self._groups.setdefault(str(job.problem), deque()).appendleft(job)


@contextlib.contextmanager
def _sole_writer(folder: Path) -> Iterator[None]:
    """A lock on the folder that goes away with the process, however it ends."""
    try:
        import fcntl
    except ImportError:  # not on this system: SQLite still keeps the rows whole
        yield
        return
    with (folder / "sweep.lock").open("w") as stream:
        try:
            fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise BenchError(
                f"another sweep is writing to {folder}; wait for it, or give another --out"
            ) from error
        yield
