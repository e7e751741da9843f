"""What the suite is run on: karush's registered methods, and scipy's for comparison."""

from __future__ import annotations

from dataclasses import dataclass, field, fields, replace
from typing import Any, Protocol

import numpy as np

import karush
from karush.problems.evaluator import Evaluator
from karush.problems.nlp import NLP, ProductNLP
from karush.solvers.driver import run
from karush.solvers.methods import get_method, make_method, scope_of


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

    Attributes: `tol`, at which its successes are judged; `bounds`, `constraints`, and `inequalities` if there
    is such an attribute: what it takes at all.
    """

    name: str
    tol: float
    bounds: bool
    constraints: bool

    def solve(self, problem: NLP, *, callback: Any = None, max_iterations: int | None = None) -> Answer:
        """Run it."""


@dataclass(frozen=True)
class KarushMethod:
    """A registered method, with its default options or in one of its modes.

    One that is kept as published, for reference, is held to the manners of the contract within its scope: it
    need not solve anything here, and runs briefly.
    """

    name: str
    tol: float = 1e-8
    constraints: bool = True
    mode: str = ""
    given: tuple[tuple[str, Any], ...] = ()
    products: bool = False

    @property
    def label(self) -> str:
        """Name and mode."""
        return f"{self.name}/{self.mode}" if self.mode else self.name

    @property
    def bounds(self) -> bool:
        return scope_of(self.name).bounds

    @property
    def inequalities(self) -> bool:
        return scope_of(self.name).inequalities

    @property
    def reference(self) -> bool:
        return scope_of(self.name).reference

    def options(self) -> dict[str, Any]:
        """Tolerance; a fixed source of randomness where there is one; short inner loops for a reference."""
        known = {option.name for option in fields(get_method(self.name))}
        wanted = {"tol": self.tol, "rng": 0} | ({"max_inner": 500} if self.reference else {})
        return {name: value for name, value in wanted.items() if name in known} | dict(self.given)

    def solve(
        self, problem: NLP, *, callback: Any = None, max_iterations: int | None = None, **limits: Any
    ) -> Answer:
        method = make_method(self.name, self.options())
        if self.reference and max_iterations is None:
            max_iterations = 200
        evaluator = Evaluator(ProductsOnly(problem) if self.products else problem, **limits)
        r = run(method, evaluator, callback=callback, max_iterations=max_iterations)
        return Answer(r.x, r.fun, r.success, r.message, r.y, r.z, r.nit, evaluator.outside, r)


class ProductsOnly(ProductNLP):
    """A problem with its matrices hidden."""

    def __init__(self, problem: NLP) -> None:
        super().__init__(replace(problem.metadata))
        self._problem = problem

    def objective(self, x: Any) -> float:
        return self._problem.objective(x)

    def gradient(self, x: Any, out: Any = None) -> Any:
        return self._problem.gradient(x, out)

    def constraints(self, x: Any, out: Any = None) -> Any:
        return self._problem.constraints(x, out)

    def hvp(self, x: Any, v: Any, y: Any = None, sigma: float = 1.0, out: Any = None) -> Any:
        return self._problem.hvp(x, v, y, sigma, out)

    def jvp(self, x: Any, v: Any, out: Any = None) -> Any:
        return self._problem.jvp(x, v, out)

    def vjp(self, x: Any, w: Any, out: Any = None) -> Any:
        return self._problem.vjp(x, w, out)


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


# Modes of a method that work otherwise than by default, and are held to the same contract.
MODES = [
    KarushMethod("exact-al", mode="krylov", given=(("linear_solver", "krylov"),)),
    KarushMethod("exact-al", mode="products", products=True),
    KarushMethod("exact-al", mode="lbfgs", given=(("hessian", "lbfgs"),)),
    KarushMethod("exact-al", mode="active-set", given=(("inequalities", "active-set"),)),
]


def karush_methods() -> list[KarushMethod]:
    """All registered methods."""
    return [KarushMethod(name) for name in karush.method_names()]


def karush_solvers() -> list[KarushMethod]:
    """Those that are there to solve problems: all but the ones kept for reference."""
    return [method for method in karush_methods() if not method.reference]
