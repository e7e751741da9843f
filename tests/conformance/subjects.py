"""What the suite is run on: karush's registered methods, and scipy's for comparison."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

import karush
from karush.problems.evaluator import Evaluator
from karush.problems.nlp import NLP
from karush.solvers.driver import run
from karush.solvers.methods import make_method


@dataclass
class Answer:
    """What a subject says about a problem."""

    x: Any
    f: float
    success: bool
    said: str
    y: Any = None
    z: Any = None
    iterations: int = 0
    outside: int = 0
    raw: Any = field(default=None, repr=False)


class Subject(Protocol):
    """Something that solves problems.

    Attributes: `tol`, at which its successes are judged; `bounds`, `constraints`: what it takes at all.
    """

    name: str
    tol: float
    bounds: bool
    constraints: bool

    def solve(self, problem: NLP, *, callback: Any = None, max_iterations: int | None = None) -> Answer:
        """Run it."""


@dataclass(frozen=True)
class KarushMethod:
    """A registered method, with its default options."""

    name: str
    tol: float = 1e-8
    bounds: bool = True
    constraints: bool = True

    def solve(
        self, problem: NLP, *, callback: Any = None, max_iterations: int | None = None, **limits: Any
    ) -> Answer:
        method = make_method(self.name, {"tol": self.tol})
        evaluator = Evaluator(problem, **limits)
        r = run(method, evaluator, callback=callback, max_iterations=max_iterations)
        return Answer(r.x, r.fun, r.success, r.message, r.y, r.z, r.nit, evaluator.outside, r)


@dataclass(frozen=True)
class ScipyMethod:
    """A method of `scipy.optimize.minimize` with exact derivatives, judged by a looser tolerance."""

    name: str
    tol: float = 1e-4
    bounds: bool = True
    constraints: bool = True
    gradient: bool = True
    hessian: bool = False
    max_iterations: int | None = None

    def solve(
        self, problem: NLP, *, callback: Any = None, max_iterations: int | None = None, **limits: Any
    ) -> Answer:
        from scipy.optimize import Bounds, NonlinearConstraint, minimize

        call: dict[str, Any] = {"method": self.name, "tol": 1e-8, "callback": callback}
        bounded = np.isfinite(problem.lb).any() or np.isfinite(problem.ub).any()
        if self.gradient:
            call["jac"] = problem.gradient
        if self.hessian:
            call["hess"] = problem.hessian
        if bounded:
            call["bounds"] = Bounds(problem.lb, problem.ub)
        if problem.m:
            second = {"hess": lambda x, v: problem.hessian(x, v, 0.0)} if self.hessian else {}
            jacobian = (lambda x: problem.jacobian(x).toarray()) if self.gradient else "2-point"
            call["constraints"] = NonlinearConstraint(
                problem.constraints, problem.cl, problem.cu, jac=jacobian, **second
            )
        limit = self.max_iterations if max_iterations is None else max_iterations
        if limit is not None:
            call["options"] = {"maxiter": limit}
        r = minimize(problem.objective, problem.x0, **call)
        return Answer(r.x, float(r.fun), bool(r.success), str(r.message), iterations=r.get("nit", 0), raw=r)


SCIPY = [
    ScipyMethod("SLSQP"),
    ScipyMethod("trust-constr", hessian=True),
    ScipyMethod("COBYLA", gradient=False, max_iterations=20_000),
    ScipyMethod("COBYQA", gradient=False),
    ScipyMethod("L-BFGS-B", constraints=False),
]


def karush_methods() -> list[KarushMethod]:
    """All registered methods."""
    return [KarushMethod(name) for name in karush.method_names()]
