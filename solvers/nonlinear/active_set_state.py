"""Where a run with ``inequalities="active-set"`` stands, and when it gives way to the barrier."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...problems.evaluator import Evaluator
from ...problems.nlp import Vector
from ..status import Status
from .active_set import ActiveSetIteration, ActiveSetRule
from .form import Point, SlackForm
from .inequalities import ActiveSetIterate, Inequalities, Multipliers
from .iterate import Bounds, Iterate
from .iteration import Outcome
from .linear_algebra import LinearAlgebra
from .newton import RegularisationRule
from .original import OriginalView, ViewedState


def obstacle(algebra: LinearAlgebra) -> str:
    """Why the active-set method cannot work with this linear algebra; "" where it can."""
    if algebra.iterative:
        return "the active-set method factorises, and this problem asks for Krylov methods"
    if algebra.hessian == "lbfgs":
        return "the active-set method needs the values of a Hessian, and L-BFGS has none"
    return ""


@dataclass
class ActiveSetState(ViewedState):
    """The state of the driver's protocol, in terms of the original problem."""

    form: SlackForm
    iteration: ActiveSetIteration
    algebra: LinearAlgebra
    rule: ActiveSetRule
    negligible: float
    least: float = float("inf")
    vain: int = 0
    stuck: Outcome | None = None
    view: OriginalView = field(init=False)

    def __post_init__(self) -> None:
        self._bounds = Bounds(self.form.lower, self.form.upper)
        self.refresh()

    @classmethod
    def begin(
        cls,
        evaluator: Evaluator,
        algebra: LinearAlgebra,
        scale: bool,
        regularisation: RegularisationRule,
        rule: ActiveSetRule,
        given: tuple[Vector | None, Vector | None],
        negligible: float,
    ) -> ActiveSetState | None:
        """At the start of the problem, with multipliers y and z where given.

        None where the start is not usable, or where there are no inequalities.
        """
        form = algebra.form(evaluator, scale, 0.0)
        problem = Inequalities(form)
        if problem.count == 0:
            return None
        iteration = ActiveSetIteration(problem, algebra.system(form, regularisation), rule)
        if not iteration.start(np.array(evaluator.x0[form.free]), _scaled(problem, *given)):
            return None
        return cls(form, iteration, algebra, rule, negligible)

    def advance(self) -> None:
        """One iteration; `stuck` says why there was none."""
        outcome = self.iteration.advance()
        self.refresh()
        if self.optimality <= 0.9 * self.least:
            self.least, self.vain = self.optimality, 0
        else:
            self.vain += 1
        if outcome is not Outcome.STEP:
            self.stuck = outcome
        elif self.vain >= self.rule.most_vain:
            self.stuck = Outcome.CRAWLING

    def refresh(self) -> None:
        """Look at the present iterate through the eyes of the original problem."""
        it = self.iteration.iterate
        self.look(OriginalView(self.form, _in_slack_form(self.form, self._bounds, it), self.negligible))

    @property
    def record(self) -> dict[str, Any]:
        """Entries of the iteration log."""
        log, parameters = self.iteration.log, self.iteration.parameters
        return {
            "inequalities": "active-set",
            "active": int(self.iteration.active.sum()),
            "eps": parameters.eps,
            "nu": parameters.nu,
            "eta": parameters.eta,
            "alpha": log.alpha,
            "delta_w": log.delta_w,
            "delta_c": log.delta_c,
            "step": log.step,
            "search": log.search,
            "factorisations": log.factorisations,
            "repairs": log.repairs,
            **self.algebra.describe(self.iteration.newton),
        }

    def check(self, tol: float) -> Status | None:
        """Converged, or going on; stuck only where the barrier could not take over."""
        if self.optimality <= tol:
            return Status.CONVERGED
        return Status.STALLED if self.stuck is not None else None


def _in_slack_form(form: SlackForm, bounds: Bounds, it: ActiveSetIterate) -> Iterate:
    """The iterate as one of the barrier method's, with the slacks that its constraints ask for."""
    point, nx = it.point, form.nx
    assert point.g is not None
    slacks = np.clip(point.c[form.tail_rows], form.lower[nx:], form.upper[nx:])
    c = point.c.copy()
    c[form.tail_rows] -= slacks
    w = np.concatenate([it.x, slacks])
    moved = Point(w, point.x, point.f, c, point.g, point.J, point.jacobian_values)
    z = np.concatenate([it.z, it.y[form.tail_rows]])
    return Iterate(form, bounds, moved, it.y, np.maximum(-z, 0.0), np.maximum(z, 0.0))


def _scaled(problem: Inequalities, y: Vector | None, z: Vector | None) -> Multipliers | None:
    """Multipliers of the original problem as those of the scaled one; each goes to the side of its sign."""
    if y is None and z is None:
        return None
    form = problem.form
    weights = np.zeros(form.m)
    if y is not None:
        weights = form.scaling.objective * y[form.active] / form.scaling.constraints
    of_variables = np.zeros(form.nx)
    if z is not None:
        of_variables = form.scaling.objective * z[form.free]
    sides = np.concatenate(
        [
            problem.row_signs * weights[problem.rows],
            problem.variable_signs * of_variables[problem.variables],
        ]
    )
    return Multipliers(weights[problem.equations], np.maximum(sides, 0.0))
