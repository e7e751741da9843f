"""What a run does where its iteration comes to nothing: a table of remedies, tried from the top.

Troubles of a single linear system are settled before, by `repairs.REPAIRS`; and where the adaptive barrier
rule found no step, the monotone one tries, in `BarrierIteration.advance`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING

from ..status import Status
from .barrier_update import AdaptiveUpdate, MonotoneUpdate
from .iteration import Outcome
from .restoration_phase import REDUCTION, THOROUGH, RestorationPhase
from .search import ExactMeritSearch, FilterSearch, suits_filter
from .standstill import FEASIBLE

if TYPE_CHECKING:
    from .exact_lagrangian import ExactLagrangian, ExactState

ACCEPTABLE = 1e-6
"""Error up to which a run that cannot go on has status ACCEPTABLE."""

MOST_RESTORATIONS = 50

HASTY_RESTORATIONS = 5
"""Further ones have to find a point that is almost feasible, or show that there is none."""

PATIENCE = 50
"""Short steps that are put up with once a search counts as stuck."""


LARGEST_RISE = 1e5
"""Rise of the objective since the start, relative to it and at least to 10, that no feasibility is worth."""

STANDSTILL = 25
"""Steps within rounding that are put up with."""


class Trouble(Enum):
    """Why there is no next iterate, or no good one."""

    NO_STEP = "no trial was acceptable"
    CRAWLING = "steps have been too short for too long"
    NO_DIRECTION = "no usable Newton direction"
    NOT_RESTORED = "the restoration phase made no progress"
    RUNNING_AWAY = "the merit function falls while the objective rises beyond all measure"
    STANDING_STILL = "steps have been within rounding for too long"
    PLATEAU = "the violation has not come down for too long"
    DIVERGING = "the variables grow beyond all measure at infeasible points"


TROUBLES = {
    Outcome.NO_STEP: Trouble.NO_STEP,
    Outcome.CRAWLING: Trouble.CRAWLING,
    Outcome.NO_DIRECTION: Trouble.NO_DIRECTION,
}

STATUS_OF = {
    Trouble.NO_STEP: Status.STALLED,
    Trouble.CRAWLING: None,
    Trouble.NO_DIRECTION: Status.NUMERICAL_FAILURE,
    Trouble.NOT_RESTORED: Status.STALLED,
    Trouble.RUNNING_AWAY: None,
    Trouble.STANDING_STILL: Status.STALLED,
    Trouble.PLATEAU: None,
    Trouble.DIVERGING: None,
}
"""How a run ends where no remedy is left; None: it goes on, any step being better than none."""


@dataclass(frozen=True)
class Remedy:
    """A way out.

    Attributes
    ----------
    name : str
        As it stands in ``record["remedy"]``.
    against : frozenset of Trouble
    suits : callable
        ``suits(method, state)``: whether it may help here.
    apply : callable
        ``apply(method, state)``: do it; False where it came to nothing.
    """

    name: str
    against: frozenset[Trouble]
    suits: Callable[[ExactLagrangian, ExactState], bool]
    apply: Callable[[ExactLagrangian, ExactState], bool]


def diagnose(state: ExactState, outcome: Outcome) -> Trouble | None:
    """What is wrong after an iteration, if anything.

    The exact augmented Lagrangian is exact near solutions; far away, y'C of either sign can outweigh all
    else, and M be unbounded below where the problem is not.
    """
    if outcome is not Outcome.STEP:
        return TROUBLES[outcome]
    main = state.main
    if main.iterate.infeasibility > FEASIBLE and state.flight.is_due(main.iterate.point.x):
        return Trouble.DIVERGING
    if state.standstill.notice(main):
        return Trouble.STANDING_STILL
    if state.plateau.notice(main.iterate.infeasibility):
        return Trouble.PLATEAU
    rise = main.iterate.point.f - state.first_f
    runs_away = rise > LARGEST_RISE * max(10.0, abs(state.first_f))
    return Trouble.RUNNING_AWAY if runs_away and isinstance(main.searches[0], ExactMeritSearch) else None


def recover(method: ExactLagrangian, state: ExactState, trouble: Trouble) -> None:
    """Apply the first remedy that suits, or set the status that remains."""
    state.refresh()
    for remedy in REMEDIES:
        if trouble in remedy.against and remedy.suits(method, state) and remedy.apply(method, state):
            state.remedy = remedy.name
            return
    state.status = STATUS_OF[trouble]


def _may_be_restored(method: ExactLagrangian, state: ExactState) -> bool:
    """Restoration is part of the filter method; the merit function gives way to another search first."""
    main = state.main
    infeasible = main.iterate.infeasibility > 1e-2 * method.tol
    last_resort = isinstance(main.searches[0], FilterSearch) or len(main.searches) == 1
    return infeasible and last_resort and state.restorations < MOST_RESTORATIONS


def _restore_feasibility(method: ExactLagrangian, state: ExactState) -> bool:
    main = state.main
    state.restorations += 1
    search = main.searches[0]
    if isinstance(search, FilterSearch):
        search.add(*search.measure(main.iterate.point, main.bounds, main.mu))
    reduction = REDUCTION if state.restorations <= HASTY_RESTORATIONS else THOROUGH
    state.restoration = RestorationPhase(state.form, main, reduction=reduction)
    return True


def _has_another_search(method: ExactLagrangian, state: ExactState) -> bool:
    return len(state.main.searches) > 1


def _search_otherwise(method: ExactLagrangian, state: ExactState) -> bool:
    return state.main.next_search()


def _is_patient(method: ExactLagrangian, state: ExactState) -> bool:
    return state.crawls < PATIENCE


def _go_on(method: ExactLagrangian, state: ExactState) -> bool:
    state.crawls += 1
    state.main.short_steps = 0
    return True


def _has_another_start(method: ExactLagrangian, state: ExactState) -> bool:
    return method.globalisation == "auto" and not state.begun_again and state.optimality > ACCEPTABLE


def _begin_again(method: ExactLagrangian, state: ExactState) -> bool:
    """From the start, with all that differs from the first attempt: order of searches, barrier rule."""
    state.begun_again = True
    first = state.main
    searches = method.searches(filter_first=not suits_filter(state.form, first.linear_algebra))
    update = MonotoneUpdate() if isinstance(first.update, AdaptiveUpdate) else AdaptiveUpdate()
    main = method.iteration(state.form, first.linear_algebra, searches, update)
    if not method.begin(state.form, main):
        return False
    state.main, state.restorations, state.crawls = main, 0, 0
    return True


_STUCK = frozenset(
    {Trouble.NO_STEP, Trouble.CRAWLING, Trouble.NO_DIRECTION, Trouble.STANDING_STILL, Trouble.DIVERGING}
)
_SEARCHING = _STUCK - {Trouble.NO_DIRECTION} | {Trouble.NOT_RESTORED}

REMEDIES = (
    Remedy("restoration", _STUCK | {Trouble.PLATEAU}, _may_be_restored, _restore_feasibility),
    Remedy("next search", _SEARCHING, _has_another_search, _search_otherwise),
    Remedy("short steps", frozenset({Trouble.CRAWLING}), _is_patient, _go_on),
    Remedy("second start", frozenset(Trouble) - {Trouble.PLATEAU}, _has_another_start, _begin_again),
)
"""In the order in which they are tried."""
