"""The loop that runs every bilevel method: limits, callback, best point, certificate.

What `solvers/driver.py` is for nonlinear problems; both levels are seen through counting evaluators.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.evaluator import Evaluator, LimitReached
from ...problems.nlp import Vector
from ..driver import HISTORY_LENGTH, adapt_callback
from ..result import Result
from ..status import Status
from .certificate import BilevelCertificate, certify_bilevel

logger = logging.getLogger("karush")

_LEAST_TIME = 1.0
"""Seconds that a certificate gets at least, however little time is left."""


@dataclass(frozen=True)
class PenalisedStationarity:
    """How stationary a point is for the problem F + (f - min f)/sigma that a method has put in place.

    Attributes
    ----------
    residual : float
        Largest entry of v - P(v - gradient) over the variables v and the set of that problem.
    sigma : float
        Weight of F relative to the lower level's term; 1/c for methods that weigh that with c.
    """

    residual: float
    sigma: float


@dataclass
class State:
    """Where a method stands; methods subclass it for what else they carry.

    Attributes
    ----------
    x, y : ndarray, shapes (n_x,), (n_y,)
        Point; not changed in place once handed to the driver.
    F : float
        Upper objective there.
    settled : bool
        Whether the method takes the point for an answer: then the certificate looks at it.
    record : dict
        For the iteration log.
    penalised : PenalisedStationarity or None
        Of the last penalised problem, for methods that solve such problems.
    """

    x: Vector
    y: Vector
    F: float
    settled: bool = False
    record: dict[str, Any] = field(default_factory=dict)
    penalised: PenalisedStationarity | None = field(default=None, kw_only=True)


S = TypeVar("S", bound=State)


class Method(Protocol[S]):
    """A frozen dataclass of options, with `tol`, `max_iterations` and these functions."""

    @property
    def tol(self) -> float:
        """Tolerance of the certificate."""

    @property
    def max_iterations(self) -> int:
        """Default limit of steps."""

    def refusal(self, problem: BilevelProblem) -> str | None:
        """What of the problem is not taken, None where all of it is."""

    def init(self, run: Run) -> S:
        """The state at the start."""

    def step(self, run: Run, state: S) -> S:
        """The next state; ``run.certificate`` is that of `state` if it was settled."""

    def check(self, run: Run, state: S) -> Status | None:
        """Why to stop here, None to go on; asked after the certificate's look at a settled state."""


class Run:
    """One run, as a method sees it.

    Attributes
    ----------
    problem : BilevelProblem
        With levels that are counted and watch the clock.
    original : BilevelProblem
    rng : numpy.random.Generator
    tol : float
    max_time : float
        Seconds of the whole run.
    iterations : int
    certificate : BilevelCertificate or None
        Of the last settled state.
    sample_counts : dict of str to int
        Samples at which methods looked, by level and kind.
    """

    def __init__(
        self,
        method: Method[Any],
        problem: BilevelProblem,
        *,
        max_time: float = np.inf,
        max_iterations: int | None = None,
        callback: Callable[..., Any] | None = None,
        rng: np.random.Generator | None = None,
        name: str = "",
    ) -> None:
        self.method, self.original, self.tol = method, problem, method.tol
        self.rng = np.random.default_rng() if rng is None else rng
        self.upper = Evaluator(problem.upper, max_time=max_time)
        self.lower = Evaluator(problem.lower, max_time=max_time)
        self.problem = problem.with_levels(self.upper.as_problem(), self.lower.as_problem())
        self.certificate: BilevelCertificate | None = None
        self.iterations = 0
        self.sample_counts: dict[str, int] = {}
        self.max_time = max_time
        self._name = name or type(method).__name__
        self._callback = None if callback is None else adapt_callback(callback)
        self._max_iterations = method.max_iterations if max_iterations is None else max_iterations
        self._started = perf_counter()
        self._deadline = self._started + max_time
        self._seconds = {"certificate": 0.0, "callback": 0.0}
        self._history: deque[dict[str, Any]] = deque(maxlen=HISTORY_LENGTH)
        self._best: tuple[State, BilevelCertificate] | None = None
        self._last: State | None = None

    @property
    def best(self) -> tuple[State, BilevelCertificate] | None:
        """The best settled state so far, with its certificate."""
        return self._best

    @property
    def remaining_time(self) -> float:
        """Seconds until the deadline."""
        return self._deadline - perf_counter()

    def note(self, x: Vector, y: Vector) -> None:
        """A point within a step, which is the answer where the run ends before any other is found."""
        if np.isfinite(x).all() and np.isfinite(y).all():
            self._last = State(x.copy(), y.copy(), np.nan)

    def check_deadline(self) -> None:
        """For long stretches without an oracle."""
        self.upper.check_deadline()

    def solve(self) -> Result:
        """Run the method."""
        with self.upper.active(), np.errstate(all="ignore"):
            try:
                status = self._iterate()
            except LimitReached as limit:
                if limit.evaluator not in (self.upper, self.lower):
                    raise
                status = Status.TIME_LIMIT
            except KeyboardInterrupt:
                status = Status.INTERRUPTED
            return self._finish(status)

    def _iterate(self) -> Status:
        problem = self.problem
        w = problem.join(problem.x0, problem.y0)
        F, f = problem.upper.objective(w), problem.lower.objective(w)
        self._last = State(problem.x0.copy(), problem.y0.copy(), F)
        if not np.isfinite([F, f]).all():
            return Status.NONFINITE_START
        state: State = self.method.init(self)
        while True:
            self._keep(state)
            if state.settled:
                self._look(state)
            status = self.method.check(self, state)
            if status is not None:
                return status
            if self.iterations >= self._max_iterations:
                return Status.ITERATION_LIMIT
            self.check_deadline()
            state = self.method.step(self, state)
            self.iterations += 1
            if self._callback is not None and self._stopped(state):
                self._keep(state)
                return Status.USER_STOP

    def _look(self, state: State) -> None:
        """The certificate of a settled state; the best one is kept."""
        started = perf_counter()
        self.certificate = found = certify_bilevel(
            self.original,
            state.x,
            state.y,
            self.tol,
            np.random.default_rng(self.iterations),
            max_time=max(self.remaining_time, _LEAST_TIME),
        )
        self._seconds["certificate"] += perf_counter() - started
        if self._best is None or _rank(found) < _rank(self._best[1]):
            self._best = state, found

    def _keep(self, state: State) -> None:
        if np.isfinite(state.F) and np.isfinite(state.x).all() and np.isfinite(state.y).all():
            self._last = state
        entry = {"iteration": self.iterations, "F": state.F, **state.record}
        self._history.append(entry)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: %s", self._name, entry)

    def _stopped(self, state: State) -> bool:
        assert self._callback is not None
        started = perf_counter()
        try:
            self._callback(
                Result(
                    x=state.x.copy(),
                    y=state.y.copy(),
                    fun=state.F,
                    nit=self.iterations,
                    record=dict(state.record),
                )
            )
        except StopIteration:
            return True
        finally:
            self._seconds["callback"] += perf_counter() - started
        return False

    def _finish(self, status: Status) -> Result:
        if self._best is None:
            assert self._last is not None
            started = perf_counter()
            state = self._last
            hurry = status in {Status.TIME_LIMIT, Status.INTERRUPTED}
            found = certify_bilevel(
                self.original,
                state.x,
                state.y,
                self.tol,
                np.random.default_rng(0),
                max_time=max(_LEAST_TIME, 0.1 * (started - self._started)) if hurry else np.inf,
            )
            self._seconds["certificate"] += perf_counter() - started
        else:
            state, found = self._best
        success = found.holds
        if success and status in {Status.STALLED, Status.NUMERICAL_FAILURE, Status.UNCERTIFIED}:
            status = Status.CONVERGED
        elif not success and status is Status.CONVERGED:
            status = Status.UNCERTIFIED
        total = perf_counter() - self._started
        counts = {f"upper {k}": v for k, v in self.upper.counts.items() if v}
        counts |= {f"lower {k}": v for k, v in self.lower.counts.items() if v}
        counts |= self.sample_counts
        result = Result(
            x=state.x,
            y=state.y,
            fun=found.F,
            lower_fun=found.f,
            success=success,
            status=status,
            message=status.message,
            nit=self.iterations,
            ll_gap=found.lower_gap.absolute,
            lower_multipliers=found.lower_multipliers,
            maxcv=max(found.upper_feasibility.absolute, found.lower_feasibility.absolute),
            stationarity=found.stationarity.scaled,
            penalised=state.penalised,
            certificate=found,
            counts=counts,
            time={"total": total, **self._seconds, "method": total - sum(self._seconds.values())},
            record=dict(state.record),
            history=list(self._history),
            name=self.original.name,
            method=self._name,
        )
        logger.info("%s: %s (%d iterations)", self._name, result.message, self.iterations)
        return result


def _rank(found: BilevelCertificate) -> tuple[int, float, bool]:
    """Feasible points by F, the certified ones first where it is the same; then the rest by what is amiss.

    A certified point that is beaten by a feasible one is at best a local answer: it must not be passed off
    for a success when a better point is known.
    """
    if found.feasible:
        size = max(1.0, abs(found.F))
        digits = 1e-7 * 10.0 ** np.ceil(np.log10(size))
        return 0, float(np.round(found.F / digits)) * digits, not found.holds
    errors = found.upper_feasibility.scaled, found.lower_feasibility.scaled, found.lower_gap.scaled
    worst = float(np.max(errors))
    return 1, worst if np.isfinite(worst) else np.inf, True
