"""Uno by unopy, an optional peer: exact Hessian, fixed structures."""

from __future__ import annotations

import importlib.util
import time
from collections.abc import Callable
from typing import Any

import numpy as np

from ...problems.nlp import NLP, IndexVector, Vector
from ..environment import package_version
from ..recording import OutOfTime, Recorder
from .protocol import Answer, Watch

_MANY = 1_000_000


class UnoPeer:
    """Uno with its default preset but the tolerances, the time limit and no limit on iterations.

    Without a word Uno chooses "filtersqp", an SQP method with a trust region and a filter; the option
    ``preset`` names another, such as "ipopt", its interior-point method with a line search.
    """

    name = "uno"

    def version(self) -> str:
        """Version of unopy, which brings Uno along."""
        return f"unopy {package_version('unopy') or 'absent'}"

    def unavailable(self) -> str | None:
        """The package to install, where it is missing."""
        if importlib.util.find_spec("unopy") is None:
            return "unopy is not installed: pip install 'karush[peers]'"
        return None

    def check_options(self, options: dict[str, Any]) -> None:
        """Uno itself refuses an unknown option when the job runs."""

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
        """Run Uno."""
        import unopy

        deadline = time.perf_counter() + time_limit
        oracles = _Oracles(problem, deadline, watch)
        solver = unopy.UnoSolver()
        _configure(solver, _settings(problem, time_limit, tol), dict(options))
        solver.set_notify_acceptable_iterate_callback(oracles.guarded(oracles.accepted))
        solver.set_termination_callback(oracles.must_stop)
        problem.deadline = deadline + 1.0  # only if Uno overlooks both of its own limits
        try:
            result = solver.optimize(oracles.model(unopy))
        finally:
            problem.deadline = np.inf
        if oracles.failure is not None:
            raise oracles.failure
        late = oracles.late or result.optimization_status == unopy.OptimizationStatus.TIME_LIMIT
        # Its L is f + y'c + zl'x + zu'x in this sign convention: zl <= 0 <= zu.
        z = np.add(result.lower_bound_dual_solution, result.upper_bound_dual_solution)
        ended, reached = result.optimization_status.name, result.solution_status.name
        return Answer(
            x=np.clip(np.asarray(result.primal_solution, dtype=float), problem.lb, problem.ub),
            y=np.asarray(result.constraint_dual_solution, dtype=float),
            z=z,
            claimed=result.solution_status == unopy.SolutionStatus.FEASIBLE_KKT_POINT,
            message="stopped at the time limit" if late else f"{ended}: {reached}",
            iterations=int(result.number_iterations),
            out_of_time=late,
        )


def _settings(problem: NLP, time_limit: float, tol: float) -> dict[str, Any]:
    settings: dict[str, Any] = {
        "logger": "SILENT",
        "primal_tolerance": tol,
        "dual_tolerance": tol,
        "max_iterations": _MANY,
        "time_limit": float(time_limit),
    }
    if not _has_hessian(problem):
        settings["hessian_model"] = "LBFGS"
    return settings


def _has_hessian(problem: NLP) -> bool:
    return problem.capabilities.second != "none" and problem.capabilities.hessian_matrix


def _configure(solver: Any, settings: dict[str, Any], options: dict[str, Any]) -> None:
    """Preset first: it sets other options. Uno tells integers from reals, a command line does not."""
    preset = options.pop("preset", None)
    if preset is not None:
        try:
            solver.set_preset(str(preset))
        except RuntimeError as error:
            raise ValueError(f"uno has no preset {preset!r}") from error
    for key, value in {**settings, **options}.items():
        try:
            solver.set_option(key, value)
        except KeyError as error:
            raise ValueError(f"uno has no option {key}") from error
        except TypeError as error:
            if isinstance(value, bool) or not isinstance(value, int):
                raise ValueError(f"uno has no option {key} that takes {value!r}") from error
            solver.set_option(key, float(value))


class _Oracles:
    """The callbacks. Uno takes an exception for a failed evaluation and goes on, so they are kept here."""

    def __init__(self, problem: Recorder, deadline: float, watch: Watch | None) -> None:
        self.problem = problem
        self.deadline = deadline
        self.watch = watch
        self.iterations = 0
        self.late = False
        self.failure: Exception | None = None

    def model(self, unopy: Any) -> Any:
        """The problem in Uno's form, L = f + y'c as ours."""
        p = self.problem
        model = unopy.Model(
            unopy.PROBLEM_NONLINEAR, p.n, p.lb.tolist(), p.ub.tolist(), unopy.ZERO_BASED_INDEXING
        )
        model.set_objective(unopy.MINIMIZE, self.guarded(p.objective), self.guarded(self._gradient))
        if p.m:
            rows, columns = _coordinates(*p.jacobian_structure())
            bounds = p.cl.tolist(), p.cu.tolist()
            constraints, jacobian = self.guarded(self._constraints), self.guarded(self._jacobian)
            model.set_constraints(p.m, constraints, *bounds, len(rows), rows, columns, jacobian)
        if _has_hessian(p):
            rows, columns = _coordinates(*p.hessian_structure())
            hessian = self.guarded(self._hessian)
            model.set_lagrangian_hessian(len(rows), unopy.LOWER_TRIANGLE, rows, columns, hessian)
        model.set_lagrangian_sign_convention(unopy.MULTIPLIER_POSITIVE)
        model.set_initial_primal_iterate(p.x0.tolist())
        return model

    def guarded(self, oracle: Callable[..., Any]) -> Callable[..., Any]:
        """The same function; what it raises is kept."""

        def call(*arguments: Any) -> Any:
            try:
                return oracle(*arguments)
            except OutOfTime:
                self.late = True
                raise
            except Exception as error:
                self.failure = self.failure or error
                raise

        return call

    def _gradient(self, x: Vector, out: Vector) -> None:
        out[:] = self.problem.gradient(x)

    def _constraints(self, x: Vector, out: Vector) -> None:
        out[:] = self.problem.constraints(x)

    def _jacobian(self, x: Vector, out: Vector) -> None:
        out[:] = self.problem.jacobian_values(x)

    def _hessian(self, x: Vector, sigma: float, y: Vector, out: Vector) -> None:
        out[:] = self.problem.hessian_values(x, y, sigma)

    def accepted(self, *iterate: Any) -> None:
        """Look at an accepted iterate: x, three kinds of multipliers, then four numbers."""
        self.iterations += 1
        if self.watch is not None:
            _, violation, stationarity, complementarity = iterate[4:8]
            optimality = max(stationarity, complementarity)
            self.watch({"iteration": self.iterations, "violation": violation, "optimality": optimality})

    def must_stop(self, *iterate: Any) -> bool:
        """Whether to stop: by the clock, or because the problem raised."""
        self.late = self.late or time.perf_counter() > self.deadline
        return self.late or self.failure is not None


def _coordinates(indptr: IndexVector, indices: IndexVector) -> tuple[list[int], list[int]]:
    return np.repeat(np.arange(indptr.size - 1), np.diff(indptr)).tolist(), indices.tolist()
