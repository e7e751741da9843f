"""The sweep with real processes: what crashes, hangs, eats or is killed costs its own job only."""

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import pytest

from karush.bench.errors import BenchError
from karush.bench.jobs import Limits
from karush.bench.outcomes import Outcome
from karush.bench.spec import Spec, parse_spec
from karush.bench.store import Store
from karush.bench.sweep import plan, sweep

OWN = Path(__file__).with_name("own_problems.py")
LIMITS = Limits(time_limit=1.5, grace=0.5)


def own(text):
    spec = parse_spec(text)
    return Spec(f"{OWN}:{spec.name}", spec.settings)


def run(tmp_path, names, solvers=("SLSQP",), **options):
    options = {"limits": LIMITS, "workers": 1, **options}
    return sweep([own(name) for name in names], [parse_spec(s) for s in solvers], tmp_path, **options)


def rows(tmp_path):
    with Store(tmp_path, create=False) as store:
        return {(r["problem"].rpartition(":")[2], r["solver"]): r for r in store.rows()}


def children(pid):
    """Process ids of the workers that a process has started."""
    found = set()
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_bytes()
            if int(fields[1]) == pid and fields[0] != "Z" and b"karush.bench.worker" in command:
                found.add(int(stat.parent.name))
    return found


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition, seconds=30.0):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


needs_proc = pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="looks for processes in /proc")


@needs_proc
def test_every_end_of_a_job_is_told_apart_and_the_sweep_goes_on(tmp_path):
    names = ["crashing", "exiting", "hanging", "raising", "unbuildable", "not_a_problem", "good"]
    summary = run(tmp_path, names, workers=2)
    found = {name: row["outcome"] for (name, _), row in rows(tmp_path).items()}
    assert found == {
        "crashing": Outcome.CRASHED,
        "exiting": Outcome.CRASHED,
        "hanging": Outcome.KILLED_TIME,
        "raising": Outcome.SOLVER_ERROR,
        "unbuildable": Outcome.BUILD_ERROR,
        "not_a_problem": Outcome.BUILD_ERROR,
        "good": Outcome.SOLVED,
    }
    messages = {name: row["message"] for (name, _), row in rows(tmp_path).items()}
    assert "SIGSEGV" in messages["crashing"]
    assert "code 7" in messages["exiting"]
    assert "no value here" in messages["raising"]
    assert "no such model" in messages["unbuildable"]
    assert "int" in messages["not_a_problem"]
    assert summary.total == 7
    assert children(os.getpid()) == set()
    assert not (tmp_path / "logs").exists()


def test_worker_over_its_memory_limit_is_killed(tmp_path):
    run(tmp_path, ["hungry", "good"], limits=Limits(memory_limit=500.0))
    found = rows(tmp_path)
    assert found["hungry", "SLSQP"]["outcome"] is Outcome.KILLED_MEMORY
    assert "limit 500 MB" in found["hungry", "SLSQP"]["message"]
    assert found["good", "SLSQP"]["outcome"] is Outcome.SOLVED


def test_solvers_are_judged_by_one_certificate_and_skipped_with_a_reason(tmp_path):
    run(tmp_path, ["good", "unconstrained"], ["SLSQP", "trust-constr", "L-BFGS-B", "trust-constr[maxiter=2]"])
    with Store(tmp_path, create=False) as store:
        found = {
            (r["problem"].rpartition(":")[2], str(Spec.of(r["solver"], r["options"]))): r
            for r in store.rows()
        }
    assert found["good", "L-BFGS-B"]["outcome"] is Outcome.SKIPPED
    assert "takes no constraints" in found["good", "L-BFGS-B"]["message"]
    for solver in ("SLSQP", "trust-constr"):
        for name in ("good", "unconstrained"):
            row = found[name, solver]
            assert row["outcome"] is Outcome.SOLVED
            assert row["certificate"]["error"] <= LIMITS.tol
            assert row["counts"]["objective"] == row["evaluations"] > 0
    assert found["good", "trust-constr[maxiter=2]"]["outcome"] is Outcome.UNSOLVED
    phases = found["good", "SLSQP"]["phases"]
    assert {"startup", "build", "compile", "warm-up", "solve", "judge"} <= phases.keys()


def test_solver_that_obeys_its_time_limit_is_not_killed(tmp_path):
    run(tmp_path, ["slow[seconds=0.3]"], limits=Limits(time_limit=0.5, grace=20.0))
    (row,) = rows(tmp_path).values()
    assert row["outcome"] is Outcome.TIME_LIMIT
    assert 0.5 <= row["solve_time"] < 5.0


def test_second_run_does_only_what_is_missing(tmp_path):
    run(tmp_path, ["good", "crashing"])
    before = rows(tmp_path)
    summary = run(tmp_path, ["good", "crashing", "unconstrained"])
    after = rows(tmp_path)
    assert (summary.total, summary.known, summary.outcomes.total()) == (3, 2, 1)
    assert all(after[key] == before[key] for key in before)
    summary = run(tmp_path, ["good", "crashing", "unconstrained"], retry=True)
    assert dict(summary.outcomes) == {Outcome.CRASHED: 1}
    summary = run(tmp_path, ["good"], fresh=True)
    assert dict(summary.outcomes) == {Outcome.SOLVED: 1}


def test_all_done_starts_no_process(tmp_path, monkeypatch):
    run(tmp_path, ["good"])
    monkeypatch.setattr(subprocess, "Popen", None)
    assert run(tmp_path, ["good"]).known == 1


class WorkerKiller:
    """Kills each worker, from outside and for good, the first `times` times that a job is being solved."""

    def __init__(self, times):
        self.left = times
        self.killed = set()

    def begin(self, total, known):
        pass

    def tick(self, running):
        if self.left and any(phase == "solve" for _, phase in running):
            fresh = children(os.getpid()) - self.killed  # the pool may not have noticed the last death yet
            self.killed |= fresh
            self.left -= bool(fresh)
            for pid in fresh:
                os.kill(pid, signal.SIGKILL)

    def finish(self, job, record):
        pass


@needs_proc
def test_kill_9_of_a_worker_costs_nothing(tmp_path):
    killer = WorkerKiller(1)
    run(tmp_path, ["good", "slow", "unconstrained"], observer=killer, limits=Limits(time_limit=20.0))
    assert killer.left == 0
    assert {row["outcome"] for row in rows(tmp_path).values()} == {Outcome.SOLVED}
    assert len(rows(tmp_path)) == 3


@needs_proc
def test_job_whose_worker_is_killed_each_time_is_given_up(tmp_path):
    run(tmp_path, ["slow"], observer=WorkerKiller(2), limits=Limits(time_limit=20.0))
    (row,) = rows(tmp_path).values()
    assert row["outcome"] is Outcome.CRASHED
    assert "SIGKILL" in row["message"]


def sweep_command(tmp_path, count):
    problems = ",".join(f"{OWN}:slow[k={k}]" for k in range(count))
    options = [
        "--solvers",
        "SLSQP",
        "--time-limit",
        "20",
        "--workers",
        "2",
        "--out",
        str(tmp_path),
        "--no-report",
    ]
    return [sys.executable, "-m", "karush.cli", "sweep", "--suite", problems, *options]


def stored(tmp_path):
    with (
        contextlib.suppress(sqlite3.Error),
        contextlib.closing(
            sqlite3.connect(f"file:{tmp_path / 'results.sqlite'}?mode=ro", uri=True)
        ) as connection,
    ):
        return dict(connection.execute("SELECT parameters, finished FROM results").fetchall())
    return {}


@needs_proc
def test_kill_9_of_the_sweep_loses_at_most_what_was_in_flight(tmp_path):
    count = 12
    command = sweep_command(tmp_path, count)
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        wait_until(lambda: len(stored(tmp_path)) >= 3)
        workers = children(process.pid)
        process.kill()
    assert workers
    before = stored(tmp_path)
    assert 3 <= len(before) < count
    wait_until(lambda: not any(is_alive(pid) for pid in workers), seconds=5.0)
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert f"{count} jobs, {len(before)} known" in done.stderr
    after = stored(tmp_path)
    assert len(after) == count
    assert all(after[key] == before[key] for key in before)


@needs_proc
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_sweep_ends_cleanly(tmp_path, signum):
    with subprocess.Popen(
        sweep_command(tmp_path, 40),
        stderr=subprocess.PIPE,
        text=True,
        # tests that run in the background of a shell inherit an ignored SIGINT
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        wait_until(lambda: len(stored(tmp_path)) >= 1)
        workers = children(process.pid)
        process.send_signal(signum)
        _, errors = process.communicate(timeout=20)
    assert process.returncode == 130
    assert "the same command goes on" in errors
    assert "Traceback" not in errors
    assert workers
    assert not any(is_alive(pid) for pid in workers)


def test_two_sweeps_do_not_write_to_one_folder(tmp_path):
    class Second:
        error = None

        def begin(self, total, known):
            try:
                run(tmp_path, ["good"])
            except BenchError as error:
                self.error = error

        def tick(self, running):
            pass

        def finish(self, job, record):
            pass

    second = Second()
    run(tmp_path, ["good"], observer=second)
    assert "another sweep is writing" in str(second.error)


def test_workers_that_do_not_start_are_an_error_not_a_loop(tmp_path, monkeypatch):
    monkeypatch.setenv("PYTHONHOME", str(tmp_path / "nowhere"))
    with pytest.raises(BenchError, match="worker processes do not start"):
        run(tmp_path, ["good"])


def test_unknown_solver_and_option_are_named_before_anything_runs(tmp_path):
    with pytest.raises(ValueError, match="Did you mean 'SLSQP'"):
        run(tmp_path / "out", ["good"], ["SLSQQ"])
    with pytest.raises(ValueError, match="max_iterations"):
        run(tmp_path / "out", ["good"], ["exact-al[max_iteration=3]"])
    assert not (tmp_path / "out").exists()


def test_plan_has_each_job_once_and_problem_by_problem():
    jobs = plan([Spec("A"), Spec("B"), Spec("A")], [Spec("SLSQP"), Spec("slsqp"), Spec("TNC")])
    assert [(str(job.problem), str(job.solver)) for job in jobs] == [
        ("A", "SLSQP"),
        ("A", "TNC"),
        ("B", "SLSQP"),
        ("B", "TNC"),
    ]
