"""SciPy's methods with the exact derivatives of the problem in the form that each of them takes best."""

from __future__ import annotations

import importlib.metadata
import time
import warnings
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import optimize
from scipy.sparse.linalg import LinearOperator

from ...problems.nlp import NLP, Vector
from ..recording import OutOfTime, Recorder
from .protocol import Answer, Watch


@dataclass(frozen=True)
class Abilities:
    """What a method of `scipy.optimize.minimize` can be given.

    Attributes
    ----------
    bounds, constraints : bool
        Takes them.
    second : {"", "hess", "hessp"}
        The form of second derivatives that it uses.
    dense_limit : int or None
        Largest n + m for which its dense matrices are reasonable: at the limit one iteration costs seconds.
    options : dict
        Our settings beside the tolerances: iterations are not limited, time is.
    """

    bounds: bool
    constraints: bool
    second: str
    dense_limit: int | None
    options: dict[str, Any]


_MANY = 1_000_000
METHODS = {
    "SLSQP": Abilities(True, True, "", 1500, {"maxiter": _MANY}),
    "trust-constr": Abilities(True, True, "hess", None, {"maxiter": _MANY}),
    "L-BFGS-B": Abilities(True, False, "", None, {"maxiter": _MANY, "maxfun": 10 * _MANY, "ftol": 1e-15}),
    "TNC": Abilities(True, False, "", None, {"maxfun": 10 * _MANY, "ftol": 1e-15, "xtol": 1e-15}),
    "BFGS": Abilities(False, False, "", 3000, {"maxiter": _MANY}),
    "CG": Abilities(False, False, "", None, {"maxiter": _MANY}),
    "Newton-CG": Abilities(False, False, "hessp", None, {"maxiter": _MANY, "xtol": 1e-15}),
    "trust-krylov": Abilities(False, False, "hessp", None, {"maxiter": _MANY}),
    "trust-ncg": Abilities(False, False, "hessp", None, {"maxiter": _MANY}),
}


@dataclass(frozen=True)
class ScipyPeer:
    """One method of `scipy.optimize.minimize`.

    Inequalities and ranges go to SLSQP as rows ``c - cl >= 0`` and ``cu - c >= 0`` with dense Jacobians, to
    trust-constr as one `NonlinearConstraint` with sparse derivatives (a full Jacobian as an array, a Hessian
    that is known by products as such). Free rows are left out. The start is put within the bounds. On the
    time limit the answer is the best point evaluated.
    """

    name: str

    def version(self) -> str:
        """Version of SciPy."""
        return f"scipy {importlib.metadata.version('scipy')}"

    def unavailable(self) -> str | None:
        """Nothing is missing: karush itself needs SciPy."""
        return None

    def check_options(self, options: dict[str, Any]) -> None:
        """SciPy lists its options only in prose; an unknown one raises when the job runs."""

    def unsuitable(self, problem: NLP) -> str | None:
        """A kind of constraint that it does not take, or a size beyond its dense matrices."""
        able = METHODS[self.name]
        if problem.m and not able.constraints:
            return f"takes no constraints, {problem.name} has {problem.m}"
        if not able.bounds and (np.isfinite(problem.lb).any() or np.isfinite(problem.ub).any()):
            return f"takes no bounds, {problem.name} has some"
        size = problem.n + problem.m
        if able.dense_limit is not None and size > able.dense_limit:
            return f"dense matrices: n + m = {size} is over {able.dense_limit}"
        if able.second and problem.capabilities.second == "none":
            return f"needs second derivatives, {problem.name} has none"
        return None

    def solve(
        self,
        problem: Recorder,
        options: dict[str, Any],
        time_limit: float,
        tol: float,
        watch: Watch | None = None,
    ) -> Answer:
        """Run the method."""
        able = METHODS[self.name]
        form = _Form(problem)
        settings = {**able.options, **_tolerances(self.name, tol, form.equations_only), **options}
        keywords: dict[str, Any] = {"jac": problem.gradient, "options": settings, "method": self.name}
        by_products = not problem.capabilities.hessian_matrix
        if able.second == "hess" and not by_products:
            keywords["hess"] = problem.hessian
        elif able.second:
            keywords["hessp"] = problem.hvp
        if able.bounds and form.has_bounds:
            keywords["bounds"] = optimize.Bounds(problem.lb, problem.ub)
        if able.constraints and form.rows.size:
            keywords["constraints"] = form.sequential() if self.name == "SLSQP" else form.trust_region()
        start = np.clip(problem.x0, problem.lb, problem.ub)
        problem.deadline = time.perf_counter() + time_limit
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                warnings.filterwarnings("error", message="Unknown solver options")
                result = optimize.minimize(problem.objective, start, **keywords)
        except OutOfTime:
            best = start if problem.best_x is None else problem.best_x
            return Answer(x=best, message="stopped at the time limit", out_of_time=True)
        except optimize.OptimizeWarning as error:
            raise ValueError(f"{self.name}: {error}") from error
        finally:
            problem.deadline = np.inf
        return form.answer(self.name, result)


def _tolerances(method: str, tol: float, equations_only: bool) -> dict[str, float]:
    """The settings with which a method ends at points whose optimality conditions hold to about `tol`.

    SLSQP stops by the change in f, which is of second order in the error. The gradient test of trust-constr
    does not look at the barrier parameter, and ends far from complementarity at any ``gtol``; ended by its
    trust radius and barrier parameter, it certified 37 instead of 13 of 38 small problems. Where there is no
    barrier, the gradient test is the better one.
    """
    if method == "SLSQP":
        return {"ftol": max(tol**1.5, 1e-14)}
    if method == "trust-constr":
        return {"xtol": 0.1 * tol, "barrier_tol": 0.1 * tol, "gtol": tol if equations_only else 1e-15}
    return {} if method == "Newton-CG" else {"gtol": tol}


class _Form:
    """Rows of a problem in the forms of SciPy, and the way back for multipliers."""

    def __init__(self, problem: NLP) -> None:
        self.problem = problem
        self.rows = np.flatnonzero(np.isfinite(problem.cl) | np.isfinite(problem.cu))
        equal = problem.cl == problem.cu
        self.equal = np.flatnonzero(equal)
        self.lower = np.flatnonzero(~equal & np.isfinite(problem.cl))
        self.upper = np.flatnonzero(~equal & np.isfinite(problem.cu))
        self.has_bounds = bool(np.isfinite(problem.lb).any() or np.isfinite(problem.ub).any())
        self.equations_only = not (self.has_bounds or self.lower.size or self.upper.size)

    def sequential(self) -> list[dict[str, Any]]:
        """Equalities c - cl = 0, then inequalities c - cl >= 0 and cu - c >= 0."""
        p = self.problem
        found: list[dict[str, Any]] = []
        if self.equal.size:
            found.append(
                {
                    "type": "eq",
                    "fun": lambda x: p.constraints(x)[self.equal] - p.cl[self.equal],
                    "jac": lambda x: p.jacobian(x).toarray()[self.equal],
                }
            )
        if self.lower.size or self.upper.size:
            found.append({"type": "ineq", "fun": self._inequalities, "jac": self._inequality_jacobian})
        return found

    def _inequalities(self, x: Vector) -> Vector:
        p, c = self.problem, self.problem.constraints(x)
        return np.concatenate([c[self.lower] - p.cl[self.lower], p.cu[self.upper] - c[self.upper]])

    def _inequality_jacobian(self, x: Vector) -> Vector:
        J = self.problem.jacobian(x).toarray()
        return np.vstack([J[self.lower], -J[self.upper]])

    def trust_region(self) -> optimize.NonlinearConstraint:
        """All rows but the free ones, sparse."""
        p, rows = self.problem, self.rows
        every = rows.size == p.m
        full = p.jacobian_structure()[1].size == p.m * p.n

        def jacobian(x: Vector) -> Any:
            J = p.jacobian(x).toarray() if full else p.jacobian(x)
            return J if every else J[rows]

        def hessian(x: Vector, v: Vector) -> Any:
            y = np.zeros(p.m)
            y[rows] = v
            if p.capabilities.hessian_matrix:
                return p.hessian(x, y, 0.0)
            return LinearOperator((p.n, p.n), matvec=lambda d: p.hvp(x, d.ravel(), y, 0.0), dtype=float)

        return optimize.NonlinearConstraint(
            p.constraints if every else lambda x: p.constraints(x)[rows],
            p.cl[rows],
            p.cu[rows],
            jac=jacobian,
            hess=hessian,
        )

    def answer(self, method: str, result: optimize.OptimizeResult) -> Answer:
        """The result, multipliers with our sign."""
        y = z = None
        if method == "trust-constr":
            y, z = self._trust_region_multipliers(result)
        elif method == "SLSQP" and getattr(result, "multipliers", None) is not None:
            y = self._sequential_multipliers(np.asarray(result.multipliers, dtype=float))
        iterations = getattr(result, "nit", None)
        return Answer(
            x=np.clip(np.asarray(result.x, dtype=float), self.problem.lb, self.problem.ub),
            y=y,
            z=z,
            claimed=bool(result.success),
            message=str(result.message),
            iterations=None if iterations is None else int(iterations),
        )

    def _trust_region_multipliers(
        self, result: optimize.OptimizeResult
    ) -> tuple[Vector | None, Vector | None]:
        v = [np.asarray(item, dtype=float) for item in getattr(result, "v", [])]
        y = np.zeros(self.problem.m)
        if self.rows.size:
            if not v:
                return None, None
            y[self.rows] = v[0]
            v = v[1:]
        z = v[0] if self.has_bounds and v else np.zeros(self.problem.n)
        return y, z

    def _sequential_multipliers(self, multipliers: Vector) -> Vector | None:
        """SLSQP has L = f - lambda'(rows); it lists the equalities first."""
        sizes = np.cumsum([self.equal.size, self.lower.size, self.upper.size])
        if multipliers.size < sizes[-1]:
            return None
        y = np.zeros(self.problem.m)
        equal, lower, upper = np.split(multipliers[: sizes[-1]], sizes[:-1])
        y[self.equal] -= equal
        y[self.lower] -= lower
        y[self.upper] += upper
        return y
