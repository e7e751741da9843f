"""Active-set Newton on the exact augmented Lagrangian of inequalities: the second choice beside the barrier.

After Na, Anitescu & Kolar (2023), see `active_set_merit`, with exact derivatives. One iteration:

1. nu doubled until the violation is well inside the merit function's domain, a >= nu/2;
2. active set {i: g_i >= -eps q lam_i};
3. Newton direction of that set, with equations for its constraints; the set is identified again on the
   linearised constraints and new multipliers, until it stays: a quadratic program's active set is found here;
4. descent test; where it fails, a smaller eps, which may change the set, or else a safeguard direction;
5. Armijo backtracking on M: x and the multipliers move together. x never leaves its bounds.

Beside the repeated identification this differs from the publication in that the multipliers' step is that of
the KKT system. There it is one towards the multiplier function, with the matrix ``A A' + diag(0, g^2)``; near
a solution, and with exact second derivatives, the two agree to first order, and a factorisation is saved. The
multiplier function gives the first multipliers, and the step that goes with the safeguard direction.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np

from ...problems.nlp import Vector
from .active_set_merit import (
    MeritGradient,
    MeritParameters,
    MeritState,
    excess,
    merit_gradient,
    merit_state,
    merit_value,
    penalised,
)
from .active_set_step import ActiveSetSystem, Direction
from .form import SlackForm
from .inequalities import ActiveSetIterate, Inequalities, Mask, Multipliers
from .iteration import IterationLog, Outcome
from .merit import EPSILON
from .newton import NewtonSystem


@dataclass(frozen=True)
class ActiveSetRule:
    """Constants of the active-set method.

    Attributes
    ----------
    eps, nu, eta : float
        First parameters of M.
    shrink_eps : float
        eps is multiplied by this where the descent test fails.
    smallest_eps : float
        Below this M says more about rounding than about progress, and the safeguard direction is taken.
    unit : float
        kappa is at least this times ||lam||^2, before and after the step.
    balance : float
        Largest share of the term of eta in the predicted change of M, as for `MeritRule`.
    rounds : int
        Active sets tried in an iteration; 1 is the published method. Measured on the 105 native
        Hock-Schittkowski problems with bounds or inequalities: 1 solves 87, 10 solve 94, 40 solve 98, 100
        solve 99.
    patience : int
        Rounds without progress after which constraints change sides one by one.
    wildest : float
        Multipliers that change by more belong to dependent constraints; another set is better.
    armijo, shrink, smallest_step : float
        Of the line search.
    short, most_searches : float, int
        Steps below ``short`` make for another search, with a tenth of eta, up to ``most_searches`` in all.
    most_vain : int
        Iterations in a row without a tenth off the least error so far, after which the barrier takes over.
    """

    eps: float = 0.1
    nu: float = 1.0
    eta: float = 0.1
    shrink_eps: float = 0.1
    smallest_eps: float = 1e-8
    unit: float = 4.0
    balance: float = 0.1
    rounds: int = 40
    patience: int = 3
    wildest: float = 1e8
    armijo: float = 1e-4
    shrink: float = 0.5
    smallest_step: float = 1e-10
    short: float = 0.1
    most_searches: int = 5
    most_vain: int = 50


@dataclass(slots=True)
class _Choice:
    """A direction, the slopes of the two parts of M along it, and the parameters of M that go with it."""

    direction: Direction
    first: float
    second: float
    parameters: MeritParameters
    label: str

    @property
    def slope(self) -> float:
        """Directional derivative of M."""
        return self.first + self.parameters.eta * self.second

    def with_less_eta(self, factor: float) -> _Choice:
        """The same with a smaller weight of R."""
        eta = factor * self.parameters.eta
        return replace(self, parameters=replace(self.parameters, eta=eta))


@dataclass(slots=True)
class _Accepted:
    """A trial that was accepted, and the parameters of the M that it was accepted by."""

    alpha: float
    trial: ActiveSetIterate
    parameters: MeritParameters


class ActiveSetIteration:
    """The iteration and what it remembers.

    Parameters
    ----------
    problem : Inequalities
    system : NewtonSystem
    rule : ActiveSetRule
    """

    def __init__(self, problem: Inequalities, system: NewtonSystem, rule: ActiveSetRule) -> None:
        self.problem, self.rule = problem, rule
        self.newton = system
        self.system = ActiveSetSystem(problem, system)
        self.parameters = MeritParameters(rule.eps, rule.nu, rule.eta)
        self.log = IterationLog()
        self.iterate: ActiveSetIterate
        self.active: Mask = np.zeros(problem.count, dtype=bool)

    def start(self, x: Vector, multipliers: Multipliers | None = None) -> bool:
        """Begin at x; multipliers that are missing are those of the multiplier function."""
        form: SlackForm = self.problem.form
        point = self.problem.evaluate(np.clip(x, form.x_lower, form.x_upper))
        if not (point.finite and form.differentiate(point)):
            return False
        none = Multipliers(np.zeros(self.problem.equations.size), np.zeros(self.problem.count))
        self.iterate = ActiveSetIterate(self.problem, point, multipliers or none)
        if multipliers is None:
            found = self.system.multiplier_function(self.iterate)
            if found is not None:
                self.iterate = ActiveSetIterate(self.problem, point, found)
        return True

    def advance(self) -> Outcome:
        """One iteration."""
        it = self.iterate
        self._keep_inside()
        if not self.system.load(it):
            return Outcome.NO_DIRECTION
        found = self._newton_choice() or self._safeguard()
        if found is None:
            return Outcome.NO_DIRECTION
        accepted = self._search(found)
        if accepted is None and found.label == "a":
            found = self._safeguard()
            accepted = None if found is None else self._search(found)
        if found is None or accepted is None:
            return Outcome.NO_STEP
        self._accept(found, accepted)
        return Outcome.STEP

    # ---- steps 1 to 4

    def _keep_inside(self) -> None:
        """Double nu until a >= nu/2."""
        violation, p = excess(self.iterate.g), self.parameters
        while p.nu - violation < 0.5 * p.nu and math.isfinite(p.nu):
            p = replace(p, nu=2.0 * p.nu)
        self.parameters = self._with_unit(p, self.iterate.lam)

    def _with_unit(self, p: MeritParameters, lam: Vector) -> MeritParameters:
        """Parameters for which lam is of moderate size."""
        wanted = self.rule.unit * float(lam @ lam)
        return p if p.kappa >= wanted else replace(p, kappa=2.0 * wanted)

    def identify(self, it: ActiveSetIterate, p: MeritParameters, state: MeritState) -> Mask:
        """The active set at an iterate, one side of a range at most."""
        return self.problem.one_side(state.active, it.g + p.eps * state.q * it.lam)

    def _newton_choice(self) -> _Choice | None:
        """Directions of the identified set for smaller and smaller eps, until one descends."""
        it, rule, p = self.iterate, self.rule, self.parameters
        tried: Mask | None = None
        candidates: list[Direction] = []
        while p.eps >= rule.smallest_eps:
            state = merit_state(it, p)
            active = self.identify(it, p, state)
            if tried is None or (active != tried).any():
                tried, candidates = active, self._model_steps(active, p, state)
                for direction in candidates:
                    p = self._with_unit(p, it.lam + direction.dlam)
                state = merit_state(it, p)
            gradient = self._gradient(p, state)
            for direction in candidates:
                choice = self._judge(direction, gradient, p, state)
                if choice is not None:
                    return choice
            p = replace(p, eps=rule.shrink_eps * p.eps)
        return None

    def _model_steps(self, active: Mask, p: MeritParameters, state: MeritState) -> list[Direction]:
        """The direction of the best active set that the model leads to, and that of the first.

        All constraints that are on the wrong side change it; where their number has not fallen for a while,
        one only, the last, as in Judice & Pires, "A block principal pivoting algorithm for large-scale
        strictly monotone linear complementarity problems", Comput. Oper. Res. 21 (1994).
        """
        found: list[Direction] = []
        fewest, patience = active.size + 1, self.rule.patience
        for _ in range(self.rule.rounds):
            direction = self.system.newton(self.iterate, active, 1e-11)
            if direction is None:
                break
            g, lam = self._model(direction)
            weight = g + p.eps * state.q * lam
            wrong = np.flatnonzero(self.problem.one_side(weight >= 0.0, weight) != active)
            if wrong.size < fewest:
                if not found or np.abs(direction.dlam).max(initial=0.0) <= self.rule.wildest:
                    found.append(direction)
                fewest, patience = wrong.size, self.rule.patience
            else:
                patience -= 1
            if wrong.size == 0:
                break
            change = wrong if patience > 0 else wrong[-1:]
            active = active.copy()
            active[change] ^= True
        ends = [found[-1], found[0]] if len(found) > 1 else found
        return [self._inside(direction) for direction in ends]

    def _model(self, direction: Direction) -> tuple[Vector, Vector]:
        """Linearised inequalities at the end of a step, exactly zero on the active set; and multipliers."""
        it = self.iterate
        g = it.g + it.products(direction.dx)[1]
        return np.where(direction.active, 0.0, g), it.lam + direction.dlam

    def _inside(self, direction: Direction) -> Direction:
        """The direction, cut off at the bounds of variables."""
        form, x = self.problem.form, self.iterate.x
        direction.dx = np.clip(x + direction.dx, form.x_lower, form.x_upper) - x
        return direction

    def _gradient(self, p: MeritParameters, state: MeritState) -> MeritGradient:
        it, system = self.iterate, self.system
        return merit_gradient(
            it,
            state,
            p,
            system.hessian_product,
            lambda v: system.constraint_curvature(it, state.R_mu, state.R_lam, v),
        )

    def _judge(
        self, d: Direction, gradient: MeritGradient, p: MeritParameters, state: MeritState
    ) -> _Choice | None:
        """The direction where it passes the descent test, eta lowered to be in balance with the rest."""
        first, second = gradient.slopes(d.dx, d.dmu, d.dlam)
        eta = p.eta
        if second > 0.0:
            eta = min(eta, self.rule.balance * abs(first) / second)
        slope = first + eta * second
        it = self.iterate
        residual2 = state.stationarity2 + float(it.c @ it.c + state.omega @ state.omega)
        if not slope <= -0.5 * eta * min(1.0, p.eps) * residual2 or not slope < 0.0:
            return None
        return _Choice(d, first, second, replace(p, eta=eta), "a")

    def _safeguard(self) -> _Choice | None:
        """The regularised Newton direction of M in x; multipliers follow where that descends too."""
        it, p = self.iterate, self.parameters
        state = merit_state(it, p)
        gradient = self._gradient(p, state)
        gx = gradient.x + p.eta * gradient.curved_x
        d = self.system.descent(it, gx, self.identify(it, p, state), p.eps * min(1.0, state.q))
        if d is None:
            return None
        first, second = gradient.slopes(d.dx, d.dmu, d.dlam)
        target = self.system.multiplier_function(it)
        if target is not None:
            dmu, dlam = target.mu - it.mu, target.lam - it.lam
            more = gradient.slopes(0.0 * d.dx, dmu, dlam)
            if more[0] + p.eta * more[1] < 0.0:
                d, first, second = d.with_multipliers(dmu, dlam), first + more[0], second + more[1]
        return _Choice(d, first, second, p, "d") if first + p.eta * second < 0.0 else None

    # ---- step 5

    def _search(self, choice: _Choice) -> _Accepted | None:
        """Armijo backtracking; where it comes to short steps only, once more with less weight on R.

        R has g^2 lam in it, which rises and falls on the way to a constraint that is far from active.
        """
        best: _Accepted | None = None
        for _ in range(self.rule.most_searches):
            if not choice.slope < 0.0:
                break
            found = self._backtrack(choice)
            if found is not None and (best is None or found.alpha > 2.0 * best.alpha):
                best = found
            if (found is not None and found.alpha >= self.rule.short) or choice.parameters.eta == 0.0:
                break
            choice = choice.with_less_eta(0.1)
        return best

    def _backtrack(self, choice: _Choice) -> _Accepted | None:
        """The first step length that passes Armijo's test, with a floor for rounding."""
        rule, p, d = self.rule, choice.parameters, choice.direction
        start = merit_value(self.iterate, p)
        noise = 10.0 * EPSILON * abs(start)
        alpha = self._longest(d.dx)
        while alpha > rule.smallest_step:
            wanted = start + rule.armijo * alpha * choice.slope + noise
            trial = self._trial(alpha, d, p, math.inf if -alpha * choice.slope <= noise else wanted)
            if trial is not None:
                return _Accepted(alpha, trial, p)
            alpha *= rule.shrink
        return None

    def _longest(self, dx: Vector) -> float:
        """The part of the step, at most 1, that the bounds of variables leave."""
        form, x = self.problem.form, self.iterate.x
        room = np.where(dx > 0.0, form.x_upper - x, x - form.x_lower)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratios = np.where(dx != 0.0, room / np.abs(dx), np.inf)
        longest = float(ratios.min(initial=np.inf))
        return 1.0 if longest >= 1.0 - 1e-12 else longest

    def _trial(
        self, alpha: float, d: Direction, p: MeritParameters, wanted: float
    ) -> ActiveSetIterate | None:
        it, form = self.iterate, self.problem.form
        x = np.clip(it.x + alpha * d.dx, form.x_lower, form.x_upper)
        point = self.problem.evaluate(x)
        if not point.finite:
            return None
        multipliers = Multipliers(it.mu + alpha * d.dmu, it.lam + alpha * d.dlam)
        c, g = point.c[self.problem.equations], self.problem.values(point)
        floor = penalised(point.f, c, g, multipliers.mu, multipliers.lam, p)
        if not floor <= wanted or not math.isfinite(floor) or not form.differentiate(point):
            return None
        trial = ActiveSetIterate(self.problem, point, multipliers)
        return trial if merit_value(trial, p) <= wanted else None

    def _accept(self, choice: _Choice, accepted: _Accepted) -> None:
        old, new, newton = self.iterate, accepted.trial, self.newton
        self.problem.form.learn(old.point, new.point, new.y)
        self.iterate, self.active, self.parameters = new, choice.direction.active, accepted.parameters
        self.log = IterationLog(
            alpha=accepted.alpha,
            alpha_dual=accepted.alpha,
            delta_w=newton.delta_w,
            delta_c=newton.delta_c,
            step=float(np.abs(choice.direction.dx).max(initial=0.0)),
            search=choice.label,
            factorisations=newton.factorisations,
            repairs=newton.report_repairs(),
        )
