"""What a sweep runs: jobs, their limits, and their identity in the store."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import Any

from .spec import Spec


@dataclass(frozen=True)
class Limits:
    """What one job may cost, and what counts as solved.

    Attributes
    ----------
    time_limit : float
        Seconds a solver may take; solvers are told, and stop by themselves.
    grace : float
        Seconds after `time_limit` at which a worker that has not stopped is killed. The default is generous:
        a solver is asked at each evaluation, and one dense factorisation may stand between two of them.
    build_limit : float
        Seconds for building a problem and compiling its kernels, and again for judging an answer.
    memory_limit : float
        Resident megabytes of a worker, watched from outside.
    tol : float
        Tolerance of the certificate (scaled residuals).
    solver_tol : float
        Tolerance asked of the solvers: tighter, since each measures it in its own way.
    """

    time_limit: float = 60.0
    grace: float = 5.0
    build_limit: float = 120.0
    memory_limit: float = 4096.0
    tol: float = 1e-6
    solver_tol: float = 1e-8

    def __post_init__(self) -> None:
        for name in ("time_limit", "grace", "build_limit", "memory_limit", "tol", "solver_tol"):
            value = getattr(self, name)
            if not isinstance(value, int | float) or not 0 < value < float("inf"):
                raise ValueError(f"{name} must be a positive finite number, got {value!r}")


@dataclass(frozen=True)
class Job:
    """One problem for one solver.

    Attributes
    ----------
    problem, solver : Spec
        Problem with its sizes, solver with its options.
    version : str
        Version of the solver's code: results of another version are other results.
    """

    problem: Spec
    solver: Spec
    version: str

    @property
    def key(self) -> str:
        """Identity in the store, from (problem, parameters, solver, options, version)."""
        parts = (
            self.problem.name,
            self.problem.canonical,
            self.solver.name,
            self.solver.canonical,
            self.version,
        )
        return hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:24]


def request(job: Job, limits: Limits) -> dict[str, Any]:
    """The message that asks a worker for a job."""
    return {
        "problem": job.problem.name,
        "sizes": job.problem.keywords,
        "solver": job.solver.name,
        "options": job.solver.keywords,
        "time_limit": limits.time_limit,
        "tol": limits.tol,
        "solver_tol": limits.solver_tol,
    }
