"""A pool of long-lived worker processes that may crash, hang or eat memory without harm to the sweep."""

from __future__ import annotations

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ._process import kill, resident_megabytes
from .environment import THREAD_VARIABLES
from .errors import BenchError
from .jobs import Job, Limits, request
from .outcomes import Outcome

POLL_SECONDS = 0.05
START_LIMIT = 120.0
_MAX_FAILED_STARTS = 3
_LOG_TAIL = 400


@dataclass
class Worker:
    """One process and what it is at.

    Attributes
    ----------
    phase : str
        "start", "idle", or the phase of its job.
    since : float
        When the phase began.
    """

    process: subprocess.Popen[bytes]
    log: Path
    phase: str = "start"
    since: float = field(default_factory=time.monotonic)
    startup: float | None = None
    job: Job | None = None
    problem: str = ""

    def enter(self, phase: str) -> None:
        """Begin a phase."""
        self.phase = phase
        self.since = time.monotonic()


@dataclass(frozen=True)
class Finished:
    """A job that ended, with the columns of its row; None where it has to run again."""

    job: Job
    record: dict[str, Any] | None


class Pool:
    """`size` worker processes, each at one job at a time.

    Parameters
    ----------
    size : int
        Number of processes.
    limits : Limits
        Limits of every job.
    logs : path
        Folder for what solvers print; kept only as long as a worker is at its job.
    threads : int
        Threads that the numerical libraries of a worker may use; 1 by default, so that solvers are compared
        alike and workers do not disturb each other.

    Notes
    -----
    A process is killed when its phase passes its limit or its memory does, and replaced. Workers die with
    this process, even if it is killed itself. A worker that somebody else kills outright (signal 9) gives
    its job back once, since that says nothing about the solver.
    """

    def __init__(self, size: int, limits: Limits, logs: Path, threads: int = 1) -> None:
        self._limits = limits
        self._logs = logs
        self._threads = threads
        self._messages: queue.SimpleQueue[tuple[Worker, dict[str, Any] | None]] = queue.SimpleQueue()
        self._failed_starts = 0
        self._serial = 0
        self._given_back: set[str] = set()
        logs.mkdir(parents=True, exist_ok=True)
        self.workers: list[Worker] = []
        try:
            for _ in range(size):
                self.workers.append(self._start())
        except BaseException:
            self.close()
            raise

    # ---- from outside --------------------------------------------------------------------------------------

    def idle(self) -> list[Worker]:
        """Workers that wait for a job."""
        return [worker for worker in self.workers if worker.phase == "idle"]

    def submit(self, worker: Worker, job: Job) -> None:
        """Give an idle worker a job."""
        worker.job = job
        worker.problem = str(job.problem)
        worker.enter("build")
        os.truncate(worker.log, 0)
        line = json.dumps(request(job, self._limits)) + "\n"
        assert worker.process.stdin is not None
        try:
            worker.process.stdin.write(line.encode())
            worker.process.stdin.flush()
        except OSError:  # it died while idle; the reader thread reports it
            return

    def wait(self) -> list[Finished]:
        """Jobs that ended since the last call, after at most a moment."""
        finished = []
        timeout: float | None = POLL_SECONDS
        while True:
            try:
                worker, message = (
                    self._messages.get(timeout=timeout) if timeout else self._messages.get_nowait()
                )
            except queue.Empty:
                break
            timeout = None
            ended = self._receive(worker, message)
            if ended is not None:
                finished.append(ended)
        finished.extend(ended for worker in list(self.workers) if (ended := self._police(worker)) is not None)
        return finished

    def close(self) -> None:
        """End all workers: idle ones by closing their input, the others by force."""
        for worker in self.workers:
            if worker.process.stdin is not None:
                with contextlib.suppress(OSError):
                    worker.process.stdin.close()
        deadline = time.monotonic() + 0.5
        for worker in self.workers:
            if worker.phase == "idle":
                with contextlib.suppress(subprocess.TimeoutExpired):
                    worker.process.wait(max(0.0, deadline - time.monotonic()))
            kill(worker.process)
            worker.log.unlink(missing_ok=True)
        self.workers.clear()

    # ---- processes -----------------------------------------------------------------------------------------

    def _start(self) -> Worker:
        self._serial += 1
        log = self._logs / f"worker-{os.getpid()}-{self._serial}.log"
        environment = dict(os.environ, PYTHONUNBUFFERED="1")
        environment.update(dict.fromkeys(THREAD_VARIABLES, str(self._threads)))
        with log.open("ab") as errors:
            process = subprocess.Popen(
                [sys.executable, "-m", f"{__package__}.worker", str(os.getpid())],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=errors,
                env=environment,
                start_new_session=True,
            )
        worker = Worker(process, log)
        threading.Thread(target=self._read, args=(worker,), daemon=True).start()
        return worker

    def _read(self, worker: Worker) -> None:
        """Pass on what a worker says, then None; one thread per worker."""
        assert worker.process.stdout is not None
        # half a line of a worker that was killed is no JSON
        with contextlib.suppress(ValueError, OSError), worker.process.stdout as stream:
            for line in stream:
                self._messages.put((worker, json.loads(line)))
        self._messages.put((worker, None))

    def _replace(self, worker: Worker) -> None:
        kill(worker.process)
        worker.log.unlink(missing_ok=True)
        self.workers[self.workers.index(worker)] = self._start()

    def _receive(self, worker: Worker, message: dict[str, Any] | None) -> Finished | None:
        if worker not in self.workers:  # killed before
            return None
        if message is None:
            return self._bury(worker)
        if message["event"] == "ready":
            self._failed_starts = 0
            worker.startup = float(message["seconds"])
            worker.enter("idle")
        elif message["event"] == "phase":
            worker.enter(message["phase"])
        elif message["event"] == "result":
            return self._finish(worker, message["record"])
        return None

    def _finish(self, worker: Worker, record: dict[str, Any]) -> Finished:
        job, worker.job = worker.job, None
        assert job is not None
        record["outcome"] = Outcome[record["outcome"]]
        record.setdefault("phases", {})["startup"] = worker.startup
        worker.enter("idle")
        return Finished(job, record)

    def _bury(self, worker: Worker) -> Finished | None:
        """A worker's pipe has ended: it is dead, or about to be."""
        kill(worker.process)
        code = worker.process.returncode
        tail = _tail(worker.log)
        if worker.phase == "start":
            self._failed_starts += 1
            if self._failed_starts >= _MAX_FAILED_STARTS:
                raise BenchError(f"worker processes do not start ({_cause(code)}): {tail or 'no message'}")
        job, phase = worker.job, worker.phase
        self._replace(worker)
        if job is None:
            return None
        if code == -signal.SIGKILL and job.key not in self._given_back:
            self._given_back.add(job.key)
            return Finished(job, None)
        message = f"{_cause(code)} while at {phase}" + (f": {tail}" if tail else "")
        return Finished(
            job, {"outcome": Outcome.CRASHED, "message": message, "phases": {"startup": worker.startup}}
        )

    def _police(self, worker: Worker) -> Finished | None:
        """Kill a worker that is over a limit."""
        verdict = self._verdict(worker)
        if verdict is None:
            return None
        outcome, message = verdict
        job, seconds = worker.job, time.monotonic() - worker.since
        phases = {"startup": worker.startup, worker.phase: seconds}
        self._replace(worker)
        if job is None:
            return None
        record: dict[str, Any] = {"outcome": outcome, "message": message, "phases": phases}
        if worker.phase == "solve":
            record["solve_time"] = seconds
        return Finished(job, record)

    def _verdict(self, worker: Worker) -> tuple[Outcome, str] | None:
        limits, phase = self._limits, worker.phase
        if phase == "idle":
            return None
        if phase == "solve":
            limit, outcome = limits.time_limit + limits.grace, Outcome.KILLED_TIME
        elif phase == "start":
            limit, outcome = START_LIMIT, Outcome.CRASHED
        elif phase == "warm-up":
            limit, outcome = limits.build_limit, Outcome.KILLED_TIME
        else:
            limit, outcome = limits.build_limit, Outcome.BUILD_ERROR
        if time.monotonic() - worker.since > limit:
            return outcome, f"killed after {limit:g} s of {phase}"
        used = resident_megabytes(worker.process.pid)
        if used > limits.memory_limit:
            return (
                Outcome.KILLED_MEMORY,
                f"killed at {used:.0f} MB while at {phase} (limit {limits.memory_limit:g} MB)",
            )
        return None


def _cause(code: int | None) -> str:
    if code is None:
        return "the process does not answer"
    if code >= 0:
        return f"the process ended with code {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    hint = " (out of memory, or somebody killed it)" if code == -signal.SIGKILL else ""
    return f"the process died of {name}{hint}"


def _tail(log: Path) -> str:
    """The last words of a worker, on one line; of a fatal error its name, not the stacks below it."""
    try:
        with log.open("rb") as stream:
            stream.seek(max(0, log.stat().st_size - 20_000))
            text = stream.read().decode(errors="replace")
    except OSError:
        return ""
    fatal = [line for line in text.splitlines() if line.startswith("Fatal Python error")]
    if fatal:
        return fatal[-1]
    return " ".join(text.split())[-_LOG_TAIL:]
