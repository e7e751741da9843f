"""The loop that runs every composite method: limits, callback, non-finite values, best point, certificate.

What `solvers/driver.py` is for nonlinear problems; points are (w, b), and a certificate costs a pass over X.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any, Protocol, TypeVar

import numpy as np

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array
from ..driver import HISTORY_LENGTH, adapt_callback
from ..result import Result
from ..status import Status
from .certificate import CompositeCertificate, certify_composite

logger = logging.getLogger("karush")

MAX_VAIN_LOOKS = 4
"""Certificates in a row that neither hold nor belong to a lower objective or gap: then the run is over."""

_PROGRESS = 1e-14
"""Relative decrease of the objective, or factor of the gap (0.999), that counts as progress."""


class TimeUp(Exception):  # noqa: N818 (an event, not an error)
    """The time limit was reached, within a step; caught by the driver."""


@dataclass
class State:
    """Where a method stands; methods subclass it for what else they carry.

    Attributes
    ----------
    w, b : ndarray
        Point; never changed in place once the state has been handed to the driver.
    objective : float
        P(w, b).
    settled : bool
        Whether the method asks for a look of the certificate: it believes to be done, or needs its gradient.
    record : dict
        For the iteration log.
    """

    w: Array
    b: Array
    objective: float
    settled: bool = False
    record: dict[str, Any] = field(default_factory=dict)


S = TypeVar("S", bound=State)


class Method(Protocol[S]):
    """A frozen dataclass of options, with `tol`, `max_iterations` and these three functions."""

    @property
    def tol(self) -> float:
        """Tolerance of the certificate."""

    @property
    def max_iterations(self) -> int:
        """Default limit of steps."""

    def check(self, problem: CompositeProblem) -> None:
        """Raise `MismatchError` where datafit or penalty lack what the method needs."""

    def init(self, run: Run, w: Array, b: Array) -> S:
        """The state at the start."""

    def step(self, run: Run, state: S) -> S:
        """The next state; ``run.certificate`` is that of `state` where it asked for a look, else older."""


class Run:
    """One run, as a method sees it: the problem, the clock, random numbers and the last certificate.

    Attributes
    ----------
    problem : CompositeProblem
    rng : numpy.random.Generator
    tol : float
    iterations : int
        Steps done.
    certificate : CompositeCertificate or None
        The last one.
    state : State or None
        The last one.
    """

    def __init__(
        self,
        method: Method[Any],
        problem: CompositeProblem,
        *,
        max_time: float = np.inf,
        max_iterations: int | None = None,
        callback: Callable[..., Any] | None = None,
        rng: np.random.Generator | None = None,
        name: str = "",
    ) -> None:
        self.method, self.problem, self.tol = method, problem, method.tol
        self.rng = np.random.default_rng() if rng is None else rng
        self.certificate: CompositeCertificate | None = None
        self._name = name or type(method).__name__
        self._callback = None if callback is None else adapt_callback(callback)
        self._max_iterations = method.max_iterations if max_iterations is None else max_iterations
        self._started = perf_counter()
        self._deadline = self._started + max_time
        self._seconds = {"certificate": 0.0, "callback": 0.0}
        self.iterations = self._vain_looks = 0
        self._history: deque[dict[str, Any]] = deque(maxlen=HISTORY_LENGTH)
        self.state: State | None = None
        self._best: State | None = None
        self._best_seen = (np.inf, np.inf)

    @property
    def remaining_time(self) -> float:
        """Seconds until the deadline, for runs within this one."""
        return self._deadline - perf_counter()

    def check_deadline(self) -> None:
        """For inner loops: raises `TimeUp`, which the driver catches."""
        if perf_counter() > self._deadline:
            raise TimeUp

    def solve(self, w: Array, b: Array, state: State | None = None) -> Result:
        """Run the method from (w, b) on, from a state of its own where that is given."""
        with np.errstate(all="ignore"):
            status = self._start(w, b) if state is None else None
            try:
                if status is None:
                    status = self._iterate(self.method.init(self, w, b) if state is None else state)
            except TimeUp:
                status = Status.TIME_LIMIT
            except KeyboardInterrupt:
                status = Status.INTERRUPTED
            return self._finish(status)

    def _start(self, w: Array, b: Array) -> Status | None:
        """Keep the start as the first best point."""
        objective = self.problem.objective(w, b)
        self._best = State(w, b, objective)
        return None if np.isfinite(objective) else Status.NONFINITE_START

    def _iterate(self, state: State) -> Status:
        self._keep(state)
        while True:
            if state.settled or _power_of_two(self.iterations):
                if self._look(state):
                    return Status.CONVERGED
                if self._vain_looks >= MAX_VAIN_LOOKS:
                    return Status.STALLED
            if self.iterations >= self._max_iterations:
                return Status.ITERATION_LIMIT
            self.check_deadline()
            state = self.method.step(self, state)
            self.iterations += 1
            self._keep(state)
            if not np.isfinite(state.objective):
                return Status.NUMERICAL_FAILURE
            if self._callback is not None and self._stopped(state):
                return Status.USER_STOP

    def _look(self, state: State) -> bool:
        """Whether the certificate holds."""
        started = perf_counter()
        self.certificate = found = certify_composite(self.problem, state.w, state.b, self.tol)
        self._seconds["certificate"] += perf_counter() - started
        if found.holds:
            self._best = state
            return True
        objective, gap = self._best_seen
        error = found.gap if np.isfinite(found.gap) else found.stationarity
        progress = found.objective < objective - _PROGRESS * abs(objective) or error < 0.999 * gap
        self._vain_looks = 0 if progress or not state.settled else self._vain_looks + 1
        self._best_seen = min(objective, found.objective), min(gap, error)
        return False

    def _keep(self, state: State) -> None:
        self.state = state
        if self._best is None or state.objective <= self._best.objective or np.isnan(self._best.objective):
            self._best = state
        entry = {"iteration": self.iterations, "objective": state.objective, **state.record}
        self._history.append(entry)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: %s", self._name, entry)

    def _stopped(self, state: State) -> bool:
        assert self._callback is not None
        started = perf_counter()
        try:
            self._callback(
                Result(
                    x=state.w.copy(),
                    intercept=np.array(state.b),
                    fun=state.objective,
                    nit=self.iterations,
                    record=dict(self._history[-1]),
                )
            )
        except StopIteration:
            return True
        finally:
            self._seconds["callback"] += perf_counter() - started
        return False

    def _finish(self, status: Status) -> Result:
        best = self._best
        assert best is not None
        certificate = self.certificate
        if certificate is None or certificate.point is not best.w:
            started = perf_counter()
            certificate = certify_composite(self.problem, best.w, best.b, self.tol)
            self._seconds["certificate"] += perf_counter() - started
        success = certificate.holds
        if success and status in {Status.STALLED, Status.NUMERICAL_FAILURE}:
            status = Status.CONVERGED
        total = perf_counter() - self._started
        result = Result(
            x=best.w,
            intercept=best.b,
            fun=certificate.objective,
            jac=certificate.gradient,
            success=success,
            status=status,
            message=status.message,
            nit=self.iterations,
            gap=certificate.gap,
            support=np.flatnonzero(certificate.support) if best.w.ndim == 1 else certificate.support,
            slack=certificate.slack,
            certificate=certificate,
            time={"total": total, **self._seconds, "method": total - sum(self._seconds.values())},
            record=dict(self._history[-1]) if self._history else {},
            history=list(self._history),
            method=self._name,
        )
        logger.info("%s: %s (%d iterations)", self._name, result.message, self.iterations)
        return result


def _power_of_two(k: int) -> bool:
    """From 32 on: ever rarer looks at runs that do not ask for one."""
    return k >= 32 and k & (k - 1) == 0
