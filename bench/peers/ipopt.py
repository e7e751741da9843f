"""IPOPT by cyipopt, an optional peer: exact Hessian, fixed structures."""

from __future__ import annotations

import importlib.util
import time
from typing import Any

import numpy as np

from ...problems.nlp import NLP, IndexVector, Vector
from ..environment import package_version
from ..recording import OutOfTime, Recorder
from .protocol import Answer, Watch

_TIME_STATUSES = (-4, -5, 5)  # CPU time, wall time, stopped by the callback
_SOLVED_STATUSES = (0, 1)


class IpoptPeer:
    """IPOPT with its defaults but the tolerance, the time limit and no limit on iterations."""

    name = "ipopt"

    def version(self) -> str:
        """Version of cyipopt, which brings IPOPT along."""
        return f"cyipopt {package_version('cyipopt-wheels') or package_version('cyipopt') or 'absent'}"

    def unavailable(self) -> str | None:
        """The package to install, where it is missing."""
        if importlib.util.find_spec("cyipopt") is None:
            return "cyipopt is not installed: pip install 'karush[peers]'"
        return None

    def check_options(self, options: dict[str, Any]) -> None:
        """IPOPT itself refuses an unknown option when the job runs."""

    def unsuitable(self, problem: NLP) -> str | None:
        """It takes every problem."""
        return None

    def solve(
        self,
        problem: Recorder,
        options: dict[str, Any],
        time_limit: float,
        tol: float,
        watch: Watch | None = None,
    ) -> Answer:
        """Run IPOPT."""
        import cyipopt

        exact = problem.capabilities.second != "none" and problem.capabilities.hessian_matrix
        kind = _ExactOracles if exact else _Oracles
        oracles = kind(problem, time.perf_counter() + time_limit, watch)
        solver = cyipopt.Problem(
            n=problem.n,
            m=problem.m,
            problem_obj=oracles,
            lb=problem.lb,
            ub=problem.ub,
            cl=problem.cl,
            cu=problem.cu,
        )
        settings: dict[str, Any] = {
            "print_level": 0,
            "sb": "yes",
            "tol": tol,
            "max_iter": 1_000_000,
            "max_wall_time": float(time_limit),
        }
        if not exact:
            settings["hessian_approximation"] = "limited-memory"
        for key, value in {**settings, **options}.items():
            _set(solver, key, value)
        problem.deadline = oracles.deadline + 1.0  # only if IPOPT overlooks both of its own limits
        try:
            x, info = solver.solve(problem.x0.copy())
        except OutOfTime:
            best = problem.x0 if problem.best_x is None else problem.best_x
            return Answer(x=best, message="stopped at the time limit", out_of_time=True)
        finally:
            problem.deadline = np.inf
        status = int(info["status"])
        message = "stopped at the time limit" if status in _TIME_STATUSES else info["status_msg"]
        return Answer(
            x=np.clip(x, problem.lb, problem.ub),
            y=np.asarray(info["mult_g"], dtype=float),
            z=np.asarray(info["mult_x_U"], dtype=float) - np.asarray(info["mult_x_L"], dtype=float),
            claimed=status in _SOLVED_STATUSES,
            message=message.decode() if isinstance(message, bytes) else str(message),
            iterations=oracles.iterations,
            out_of_time=status in _TIME_STATUSES,
        )


def _set(solver: Any, key: str, value: Any) -> None:
    """Set an option; IPOPT tells integers from reals, a command line does not."""
    try:
        solver.add_option(key, value)
    except TypeError as error:
        if not isinstance(value, int):
            raise ValueError(f"ipopt has no option {key} that takes {value!r}") from error
        try:
            solver.add_option(key, float(value))
        except TypeError:
            raise ValueError(f"ipopt has no option {key} that takes {value!r}") from error


class _Oracles:
    """The callbacks in cyipopt's names; IPOPT's L is sigma f + lambda'g, as ours."""

    def __init__(self, problem: Recorder, deadline: float, watch: Watch | None) -> None:
        self.problem = problem
        self.deadline = deadline
        self.iterations = 0
        self.watch = watch

    def objective(self, x: Vector) -> float:
        return self.problem.objective(x)

    def gradient(self, x: Vector) -> Vector:
        return self.problem.gradient(x)

    def constraints(self, x: Vector) -> Vector:
        return self.problem.constraints(x)

    def jacobian(self, x: Vector) -> Vector:
        return self.problem.jacobian_values(x)

    def jacobianstructure(self) -> tuple[IndexVector, IndexVector]:
        return _coordinates(*self.problem.jacobian_structure())

    def intermediate(
        self, mode: int, iteration: int, f: float, primal: float, dual: float, *rest: float
    ) -> bool:
        self.iterations = int(iteration)
        if self.watch is not None:
            shown = {"iteration": self.iterations, "f": f, "violation": primal, "optimality": dual}
            self.watch({**shown, "mu": rest[0], "step_length": rest[4]})
        return time.perf_counter() < self.deadline


class _ExactOracles(_Oracles):
    """With the Hessian: cyipopt asks for its structure wherever there is such a method."""

    def hessian(self, x: Vector, multipliers: Vector, factor: float) -> Vector:
        return self.problem.hessian_values(x, multipliers, factor)

    def hessianstructure(self) -> tuple[IndexVector, IndexVector]:
        return _coordinates(*self.problem.hessian_structure())


def _coordinates(indptr: IndexVector, indices: IndexVector) -> tuple[IndexVector, IndexVector]:
    return np.repeat(np.arange(indptr.size - 1), np.diff(indptr)), indices
