"""The exact augmented Lagrangian Newton method with direct linear algebra: method "exact-al".

The method of Hong, Na, Mahoney & Kolar, "Constrained optimization via exact augmented Lagrangian and
randomized iterative sketching", ICML 2023 (arXiv:2305.18379), with an exact linear solver in place of the
sketching one, and extended to bounds and inequalities by a primal-dual barrier. One iteration:

1. lower the barrier parameter mu where its subproblem is solved;
2. Newton direction (dw, dy, dz) of the perturbed optimality conditions, regularised to the inertia (n, m, 0);
   it is accepted when its residual is small, and solved with more regularisation otherwise;
3. penalty parameters eta1, eta2 moved until the direction descends on the exact merit function;
4. Armijo backtracking: x and the multipliers move together;
5. where no step is acceptable, or steps crawl: the first remedy of `recovery.REMEDIES` that suits.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np

from ...problems.evaluator import Evaluator
from ...problems.nlp import Vector
from ...problems.validation import as_vector
from ..status import Status
from ..unboundedness import ENOUGH
from .active_set import ActiveSetRule
from .active_set_state import ActiveSetState, obstacle
from .barrier import BarrierRule
from .barrier_update import UPDATES, AdaptiveUpdate, BarrierUpdate, MonotoneUpdate, UpdateName
from .form import SlackForm
from .iteration import BarrierIteration
from .linear_algebra import HESSIANS, LINEAR_SOLVERS, HessianChoice, LinearAlgebra, LinearSolver
from .merit import MeritRule
from .newton import RegularisationRule
from .original import OriginalView, ViewedState
from .rays import DivergenceWatch, Ray
from .recovery import ACCEPTABLE, STANDSTILL, Trouble, diagnose, recover
from .restoration_phase import RestorationPhase, Verdict
from .search import ExactMeritSearch, FilterRule, FilterSearch, Search, suits_filter
from .standstill import Plateau, Standstill
from .warm_start import WarmStart

Globalisation = Literal["auto", "exact-merit", "filter"]
InequalityChoice = Literal["barrier", "active-set"]

GAP = 100.0
"""Sum of gaps times multipliers at a solution, in units of the tolerance and relative to max(1, |f|)."""

SHARPEST = 1e-13
"""The scaled tolerance is not tightened beyond this times the scaling of the objective."""


@dataclass
class ExactState(ViewedState):
    """Where a run of `ExactLagrangian` stands."""

    form: SlackForm
    main: BarrierIteration
    negligible: float
    inequalities: str = "barrier"
    restoration: RestorationPhase | None = None
    status: Status | None = None
    restorations: int = 0
    crawls: int = 0
    begun_again: bool = False
    remedy: str = ""
    ray: Ray | None = None
    view: OriginalView = field(init=False)

    def __post_init__(self) -> None:
        self.first_f = self.main.iterate.point.f
        self.refresh()
        self.standstill, self.plateau = Standstill(STANDSTILL), Plateau()
        self.descent = DivergenceWatch(self.x)
        self.flight = DivergenceWatch(self.x, long_runs=False)

    def refresh(self) -> None:
        """Look at the present iterate through the eyes of the original problem."""
        self.look(OriginalView(self.form, self.main.iterate, self.negligible))

    @property
    def record(self) -> dict[str, Any]:
        """Entries of the iteration log."""
        log = (self.restoration.inner if self.restoration else self.main).log
        return {
            "mu": log.mu,
            "alpha": log.alpha,
            "alpha_dual": log.alpha_dual,
            "delta_w": log.delta_w,
            "delta_c": log.delta_c,
            "step": log.step,
            "search": ("r" if self.restoration else "") + log.search,
            "factorisations": log.factorisations,
            "repairs": log.repairs,
            "inner_iterations": log.inner_iterations,
            "remedy": self.remedy,
            "inequalities": self.inequalities,
            **self.main.linear_algebra.describe(self.main.system),
        }


@dataclass(frozen=True)
class UnusableStart:
    """What `ExactLagrangian.init` returns where no derivative is finite: nothing to go on from."""

    x: Vector
    y: Vector
    z: Vector
    f: float = float("nan")
    violation: float = float("nan")
    optimality: float = float("nan")
    record: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ExactLagrangian:
    """Exact augmented Lagrangian Newton method.

    Parameters
    ----------
    tol : float, default 1e-8
        Tolerance on the scaled errors of the original problem.
    max_iterations : int, default 3000
    globalisation : {"auto", "exact-merit", "filter"}
        "auto": the exact merit function until it fails, then the filter; with inequalities, or equations of
        more than 200 unknowns, and a direct linear solver, the other way round. Measured on the SIF problems
        with n + m <= 2000 and on LUKVLE* and DTOC*, see docs/exact_augmented_lagrangian.md: with
        inequalities the filter takes an eighth to a third fewer iterations; with equations only the merit
        function takes fewer on small problems and can go astray on large ones (DTOC2, LUKVLE13); without
        constraints it solves more. Inexact directions need it anyway: its descent test says how inexact
        they may be.
    inequalities : {"barrier", "active-set"}
        Bounds and inequalities by a primal-dual barrier, or by the active-set merit function of
        `active_set_merit`, which starts warm without loss; where that gets stuck, the barrier begins anew.
        It needs factorisations and the values of a Hessian; without, it is the barrier at once, and
        ``result.record["inequalities"]`` says why.
    linear_solver : {"auto", "dense", "sparse", "krylov", "sketched"}
        Factorisations: LAPACK's, for small systems, and feral's sparse LDL'. Without: "krylov", projected
        conjugate gradients or MINRES, to an adaptive accuracy; "sketched", the same with a randomised
        Nystrom preconditioner, or block sketch-and-project, where these prove faster. "auto" chooses by
        structure. What was chosen, and why, is in ``result.record["linear_solver"]`` and
        ``result.record["linear_solver_reason"]``.
    hessian : {"auto", "exact", "lbfgs", "bfgs", "gauss-newton"}
        "auto": the problem's own; where it has none, dense damped BFGS for few variables and L-BFGS for many.
        "gauss-newton" needs an objective that is a sum of squares by its structure.
    preconditioner : LinearOperator or callable, optional
        Approximate inverse, symmetric and positive definite, of the KKT matrix ``[[H + diag(p), J'], [J,
        -diag(d)]]`` of the problem as it was given, order n + m; or ``callable(x, y, p, d)`` that returns
        one, called whenever these change. Multipliers and diagonals are those of the original problem. It
        turns "auto" into "krylov", and the method into MINRES (conjugate gradients without constraints).
        Or one of the names "constraint" and "block-diagonal".
    rng : None, int, SeedSequence, BitGenerator or Generator, default 0
        Of the sketches; the others draw nothing.
    scale : bool, default True
        Gradient-based scaling of the objective and of each constraint.
    mu : float, optional
        First barrier parameter. Default: 0.1; with multipliers to start from, a thousandth of the error of
        the optimality conditions at the start.
    barrier_update : {"auto", "monotone", "adaptive"}
        How the barrier parameter is lowered: when its subproblem is solved, or with every step, to what
        promises the least error. "auto": adaptive; the measurements behind it stand in `barrier_update`.
    y0 : array_like, shape (m,), optional
        Multipliers of the constraints to start from, L = f + y'c + z'x. Default: least squares.
    z0 : array_like, shape (n,), optional
        Multipliers of the bounds to start from.
    warm_start : Result, optional
        The answer to a nearby problem of the same sizes, whose ``y`` and ``z`` are taken where y0 and z0 are
        not given. Its ``x`` is handed over as x0:
        ``minimize(problem, near.x, options={"warm_start": near})``.

    Notes
    -----
    A run that can make no further progress (`recovery.REMEDIES` is exhausted, or rounding leaves nothing to
    improve) ends as ACCEPTABLE where the largest scaled error is at most 1e-6, `recovery.ACCEPTABLE`, and
    above ``tol``. Such an answer has ``success=False``: it does not hold to the tolerance asked for.
    """

    tol: float = 1e-8
    max_iterations: int = 3000
    globalisation: Globalisation = "auto"
    inequalities: InequalityChoice = "barrier"
    linear_solver: LinearSolver = "auto"
    hessian: HessianChoice = "auto"
    preconditioner: Any = None
    rng: Any = 0
    scale: bool = True
    mu: float | None = None
    barrier_update: UpdateName = "auto"
    y0: Any = field(default=None, compare=False)
    z0: Any = field(default=None, compare=False)
    warm_start: Any = field(default=None, compare=False)
    active_set: ActiveSetRule = field(default_factory=ActiveSetRule)
    barrier: BarrierRule = field(default_factory=BarrierRule)
    merit: MeritRule = field(default_factory=MeritRule)
    filter: FilterRule = field(default_factory=FilterRule)
    regularisation: RegularisationRule = field(default_factory=RegularisationRule)

    def __post_init__(self) -> None:
        if not 0.0 < self.tol < 1.0:
            raise ValueError(f"tol must lie in (0, 1), got {self.tol!r}")
        if self.globalisation not in ("auto", "exact-merit", "filter"):
            raise ValueError(
                f"globalisation must be 'auto', 'exact-merit' or 'filter', got {self.globalisation!r}"
            )
        for name, known in (
            ("inequalities", ("barrier", "active-set")),
            ("linear_solver", LINEAR_SOLVERS),
            ("hessian", HESSIANS),
            ("barrier_update", UPDATES),
        ):
            if getattr(self, name) not in known:
                raise ValueError(f"{name} must be one of {', '.join(known)}, got {getattr(self, name)!r}")
        if self.mu is not None and not self.mu > 0.0:
            raise ValueError(f"mu must be positive, got {self.mu!r}")
        if self.warm_start is not None and not (
            hasattr(self.warm_start, "y") and hasattr(self.warm_start, "z")
        ):
            raise TypeError(f"warm_start must be a result with y and z, got {type(self.warm_start).__name__}")

    def init(self, evaluator: Evaluator) -> ExactState | ActiveSetState | UnusableStart:
        """Scale, push the start inside, estimate the multipliers."""
        with np.errstate(all="ignore"):
            algebra = LinearAlgebra.choose(
                evaluator.problem, self.linear_solver, self.hessian, self.preconditioner, self.rng
            )
            state = self._begin_active_set(evaluator, algebra)
            return self._begin_barrier(evaluator, algebra) if state is None else state

    def _begin_active_set(self, evaluator: Evaluator, algebra: LinearAlgebra) -> ActiveSetState | None:
        """At the start of the active-set method; None where that is not wanted or not possible."""
        if self.inequalities != "active-set" or obstacle(algebra):
            return None
        y = _multipliers("y0", self.y0, "y", self.warm_start, evaluator.m)
        z = _multipliers("z0", self.z0, "z", self.warm_start, evaluator.n)
        return ActiveSetState.begin(
            evaluator, algebra, self.scale, self.regularisation, self.active_set, (y, z), 0.1 * self.tol
        )

    def _begin_barrier(
        self, evaluator: Evaluator, algebra: LinearAlgebra, remedy: str = ""
    ) -> ExactState | UnusableStart:
        with np.errstate(all="ignore"):
            form = algebra.form(evaluator, self.scale, 0.1 * self.tol)
            adaptive = self.barrier_update == "adaptive" or (
                self.barrier_update == "auto" and not algebra.iterative
            )
            update = AdaptiveUpdate() if adaptive else MonotoneUpdate()
            main = self.iteration(form, algebra, self.searches(suits_filter(form, algebra)), update)
            if self._begin_warm(form, main) or self.begin(form, main):
                why = obstacle(algebra) if self.inequalities == "active-set" else ""
                named = f"barrier: {why}" if why else "barrier"
                return ExactState(form, main, 0.1 * self.tol, named, remedy=remedy)
            return UnusableStart(evaluator.x0.copy(), np.zeros(evaluator.m), np.zeros(evaluator.n))

    def iteration(
        self,
        form: SlackForm,
        algebra: LinearAlgebra,
        searches: list[Search],
        update: BarrierUpdate,
    ) -> BarrierIteration:
        """A barrier iteration with this method's constants."""
        return BarrierIteration(form, searches, self.tol, self.barrier, self.regularisation, algebra, update)

    def begin(self, form: SlackForm, main: BarrierIteration) -> bool:
        """Put the iteration at the start; False where functions or derivatives are not finite there."""
        point = form.evaluate(form.start)
        if not (point.finite and form.differentiate(point)):
            return False
        main.start(point, None, None, None, self.barrier.initial if self.mu is None else self.mu)
        return True

    def _begin_warm(self, form: SlackForm, main: BarrierIteration) -> bool:
        """Put the iteration at the multipliers given; False where there are none, or they are of no use."""
        y = _multipliers("y0", self.y0, "y", self.warm_start, form.evaluator.m)
        z = _multipliers("z0", self.z0, "z", self.warm_start, form.evaluator.n)
        if y is None and z is None:
            return False
        start = WarmStart(y, z, self.mu).begin(form, main.smallest_mu)
        if start is None:
            return False
        main.start(*start)
        return True

    def searches(self, filter_first: bool) -> list[Search]:
        """The searches in the order in which they take over; ``filter_first`` counts for "auto"."""
        merit, filtering = ExactMeritSearch(self.merit), FilterSearch(self.filter)
        if self.globalisation != "auto":
            return [merit if self.globalisation == "exact-merit" else filtering]
        return [filtering, merit] if filter_first else [merit, filtering]

    def step(self, evaluator: Evaluator, state: ExactState | ActiveSetState) -> ExactState | ActiveSetState:
        """One iteration, of the method itself or of its restoration phase."""
        with np.errstate(all="ignore"):
            if isinstance(state, ActiveSetState):
                return self._step_active_set(evaluator, state)
            if state.restoration is not None:
                self._restore(state)
            else:
                trouble = diagnose(state, state.main.advance())
                if trouble is not None:
                    recover(self, state, trouble)
            state.refresh()
        return state

    def _step_active_set(self, evaluator: Evaluator, state: ActiveSetState) -> ExactState | ActiveSetState:
        """One iteration of the active-set method; where it is stuck, the barrier's start."""
        state.advance()
        if state.stuck is None or state.optimality <= self.tol:
            return state
        barrier = self._begin_barrier(evaluator, state.algebra, remedy="barrier")
        return barrier if isinstance(barrier, ExactState) else state

    def _restore(self, state: ExactState) -> None:
        phase = state.restoration
        assert phase is not None
        verdict = phase.advance()
        if verdict is Verdict.GOING_ON:
            return
        state.restoration = None
        if verdict is Verdict.RESTORED and phase.hand_back():
            return
        phase.hand_back()
        if verdict is Verdict.INFEASIBLE:
            state.status = Status.INFEASIBLE
        else:
            recover(self, state, Trouble.NOT_RESTORED)

    def check(self, evaluator: Evaluator, state: ExactState | ActiveSetState) -> Status | None:
        """Converged on the original problem, infeasible, unbounded, or out of ideas."""
        if isinstance(state, ActiveSetState):
            return state.check(self.tol)
        if state.restoration is not None:
            return None
        if state.optimality <= self.tol and (state.status is not None or self._has_closed_the_gap(state)):
            return Status.CONVERGED
        if state.optimality > ACCEPTABLE and self._is_unbounded(evaluator, state):
            return Status.UNBOUNDED
        if state.status is not None:
            return Status.ACCEPTABLE if state.optimality <= ACCEPTABLE else state.status
        return self._sharpen(state)

    def _has_closed_the_gap(self, state: ExactState) -> bool:
        """Whether the products of gap and multiplier, small one by one, are so in all.

        Their sum is the error of the objective in a convex problem: with 130,000 bounds, half a per cent of
        it. What the last barrier parameter leaves has to do.
        """
        main = state.main
        total = main.iterate.mean_complementarity * main.bounds.count / state.form.scaling.objective
        return main.mu <= main.smallest_mu or total <= GAP * self.tol * max(1.0, abs(state.f))

    def _is_unbounded(self, evaluator: Evaluator, state: ExactState) -> bool:
        """Whether the objective is out of all measure at a feasible point, or falls for ever from there."""
        if not state.violation <= self.tol:
            return False
        if state.descent.is_due(state.x) or state.status is not None:
            state.ray = state.descent.falling_ray(evaluator, state.x, self.tol)
        return state.ray is not None or state.f < -ENOUGH

    def _sharpen(self, state: ExactState) -> Status | None:
        """Converged in the scaled problem only: ask for more there, as long as double precision has more."""
        main, sharpest = state.main, SHARPEST * state.form.scaling.objective
        if main.error <= main.tol:
            if main.tol <= sharpest:
                return Status.ACCEPTABLE if state.optimality <= ACCEPTABLE else Status.STALLED
            main.tol = max(0.1 * main.tol, sharpest)
        return None


def _multipliers(option: str, given: Any, name: str, result: Any, size: int) -> Vector | None:
    """The option's value, or that of the result; None where there is neither."""
    if given is None and result is not None:
        option, given = f"warm_start.{name}", getattr(result, name)
    if given is None:
        return None
    values = as_vector(option, given, size)
    return values if np.isfinite(values).all() else None
