"""One job from the request to the record, inside a worker process."""

from __future__ import annotations

import math
import os
import time
import traceback
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ..problems.nlp import NLP
from ._process import forget_peak, peak_megabytes, resident_megabytes
from .peers import Answer, Peer, get
from .recording import Recorder, thinned
from .warmup import tiny_problem

if TYPE_CHECKING:
    from ..solvers.certificate import Certificate

STORED_HISTORY = 120
Record = dict[str, Any]


@dataclass
class _Built:
    """A problem ready to be solved, kept for the next solver of the same problem."""

    key: tuple[str, str]
    problem: NLP
    seconds: float
    compile_seconds: float


class Executor:
    """Runs jobs one after another and keeps what the next one can use: the problem, warm solvers.

    Parameters
    ----------
    announce : callable
        Called with the name of each phase before it begins: build, warm-up, solve, judge.
    """

    def __init__(self, announce: Callable[[str], None]) -> None:
        self._announce = announce
        self._built: _Built | None = None
        self._warm: set[str] = set()

    def run(self, request: dict[str, Any]) -> Record:
        """Carry out one job; never raises for what a problem or a solver does.

        Returns
        -------
        dict
            JSON-ready columns of the store, ``outcome`` by its name.
        """
        try:
            built = self._build(request)
        except Exception as error:
            return {"outcome": "BUILD_ERROR", "message": _describe(error)}
        record = _facts(built.problem)
        record["phases"] = {"build": built.seconds, "compile": built.compile_seconds}
        try:
            peer = get(request["solver"])
        except ValueError as error:
            return {**record, "outcome": "SOLVER_ERROR", "message": str(error)}
        reason = peer.unavailable() or peer.unsuitable(built.problem)
        if reason is not None:
            return {**record, "outcome": "SKIPPED", "message": reason}
        started = time.perf_counter()
        self._warm_up(peer, request)
        record["phases"]["warm-up"] = time.perf_counter() - started
        record.update(self._solve(peer, built.problem, request, record["phases"]))
        return record

    def _build(self, request: dict[str, Any]) -> _Built:
        key = (request["problem"], repr(sorted(request["sizes"].items())))
        if self._built is not None and self._built.key == key:
            return self._built
        from .suites import build

        self._built = None  # before the next one needs the memory
        self._announce("build")
        started = time.perf_counter()
        problem = build(request["problem"], request["sizes"])
        seconds = time.perf_counter() - started
        self._announce("compile")
        started = time.perf_counter()
        evaluate_everything(problem)
        self._built = _Built(key, problem, seconds, time.perf_counter() - started)
        return self._built

    def _warm_up(self, peer: Peer, request: dict[str, Any]) -> None:
        """Solve something tiny first, so that imports and compiled kernels are not timed."""
        if peer.name in self._warm:
            return
        self._announce("warm-up")
        self._warm.add(peer.name)
        for constrained in (True, False):
            problem = tiny_problem(constrained)
            if peer.unsuitable(problem) is None:
                try:
                    peer.solve(Recorder(problem), {}, 60.0, request["solver_tol"])
                except Exception:  # the job itself will say it
                    traceback.print_exc()

    def _solve(self, peer: Peer, problem: NLP, request: dict[str, Any], phases: dict[str, float]) -> Record:
        recorder = Recorder(problem, feasible=request["tol"])
        self._announce("solve")
        before = resident_megabytes(os.getpid())
        forget_peak()
        busy = time.process_time()
        recorder.start_clock()
        try:
            answer = peer.solve(recorder, request["options"], request["time_limit"], request["solver_tol"])
        except Exception as error:
            traceback.print_exc()
            found: Record = {"outcome": "SOLVER_ERROR", "message": _describe(error)}
            answer = None
        seconds = recorder.elapsed
        cost = {"solve_time": seconds, "cpu_time": time.process_time() - busy}
        cost |= {"memory": peak_megabytes(), "memory_before": before}
        phases["solve"] = seconds
        if answer is not None:
            self._announce("judge")
            started = time.perf_counter()
            found = judge(problem, answer, request["tol"])
            phases["judge"] = time.perf_counter() - started
        found.update(cost)
        found["counts"] = dict(recorder.counts)
        found["evaluations"] = recorder.counts["objective"]
        found["history"] = [list(item) for item in thinned(recorder.history, STORED_HISTORY)]
        return found


def evaluate_everything(problem: NLP) -> None:
    """Call each oracle once at the start, so that everything is compiled and every structure is known."""
    x = np.clip(problem.x0, problem.lb, problem.ub)
    with np.errstate(all="ignore"):
        problem.objective(x)
        problem.gradient(x)
        problem.constraints(x)
        if problem.capabilities.jacobian_matrix:
            problem.jacobian_structure()
            problem.jacobian_values(x)
        problem.jvp(x, np.zeros(problem.n))
        problem.vjp(x, np.zeros(problem.m))
        if problem.capabilities.second != "none":
            if problem.capabilities.hessian_matrix:
                problem.hessian_structure()
                problem.hessian_values(x, np.ones(problem.m), 1.0)
            problem.hvp(x, np.zeros(problem.n), np.ones(problem.m), 1.0)


def judge(problem: NLP, answer: Answer, tol: float) -> Record:
    """The certificate of an answer, computed alike for every solver.

    Where a solver gives no multipliers, or its own do not certify the point, the certificate takes its own
    estimate: nobody fails for bookkeeping.
    """
    from ..solvers.certificate import certify

    x = np.asarray(answer.x, dtype=float)
    record: Record = {
        "message": answer.message,
        "claimed": int(answer.claimed),
        "iterations": answer.iterations,
    }
    if x.shape != (problem.n,) or not np.isfinite(x).all():
        return {**record, "outcome": "UNSOLVED", "message": f"no finite point; {answer.message}"}
    try:
        certificate = certify(problem, x, answer.y, answer.z, tol)
    except Exception as error:
        traceback.print_exc()
        return {**record, "outcome": "BUILD_ERROR", "message": f"judging failed: {_describe(error)}"}
    record["objective"] = certificate.f
    record["violation"] = certificate.feasibility.absolute
    record["certificate"] = certificate_record(certificate)
    if certificate.holds:
        record["outcome"] = "SOLVED"
    else:
        record["outcome"] = "TIME_LIMIT" if answer.out_of_time else "UNSOLVED"
    return record


def certificate_record(certificate: Certificate) -> Record:
    """The numbers of a certificate that are worth keeping."""
    found: Record = {"error": certificate.error, "multipliers": certificate.multipliers}
    for name in ("stationarity", "feasibility", "complementarity", "dual_sign"):
        measure = getattr(certificate, name)
        found[name] = [float(measure.absolute), float(measure.scaled)]
    return found


def _facts(problem: NLP) -> Record:
    optimum = problem.optimum
    return {
        "n": problem.n,
        "m": problem.m,
        "classification": problem.classification,
        "optimum": None if optimum is None or not math.isfinite(optimum) else float(optimum),
    }


def _describe(error: BaseException) -> str:
    text = " ".join(str(error).split())
    return f"{type(error).__name__}: {text}"[:500] if text else type(error).__name__


__all__ = ["Executor", "evaluate_everything", "judge"]
