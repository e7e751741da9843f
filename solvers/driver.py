"""The one loop that runs every method: limits, callback, non-finite starts, best point, timing, logging."""

from __future__ import annotations

import inspect
import logging
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import perf_counter
from typing import Any

import numpy as np

from ..problems.evaluator import BestPoint, Evaluator, LimitReached
from ..problems.nlp import Vector
from .certificate import Certificate, InfeasibilityCertificate, certify, certify_infeasible
from .methods import Method, State, scope_of
from .result import Result
from .status import Status
from .unboundedness import UnboundednessCertificate, certify_unbounded

logger = logging.getLogger("karush")

HISTORY_LENGTH = 1000
"""Iteration records kept in `Result.history`: enough to draw a run, small enough to keep many results."""

MAX_REFINEMENTS = 5
"""Further steps after a claim of convergence that the certificate does not confirm yet."""

FIRST_LOOK = 32
"""From here on the certificate looks at every iteration whose number is a power of two."""

NEARLY_OPTIMAL = 1e-6
"""Error of the optimality conditions below which an iteration that hardly lowers it calls for a look."""

FLAT = 1e-10
"""Relative change of the objective, at feasible points, below which the same holds whatever the error."""

MAX_EXTRA_LOOKS = 3
"""Such looks in a run: where rounding is not what holds it up, they are in vain."""

# What a method reports when it gives up is overruled where the certificate holds at its point.
_GAVE_UP = {
    Status.STALLED,
    Status.NUMERICAL_FAILURE,
    Status.ACCEPTABLE,
    Status.UNCERTIFIED,
    Status.CONVERGED,
    Status.INFEASIBLE,
}

# What remains of a claim that its certificate does not confirm.
_UNCONFIRMED = {
    Status.CONVERGED: Status.UNCERTIFIED,
    Status.INFEASIBLE: Status.STALLED,
    Status.UNBOUNDED: Status.STALLED,
}

# After these the certificate gets little time; where that is not enough, the answer goes without.
_IN_A_HURRY = {Status.TIME_LIMIT, Status.INTERRUPTED}


def run(
    method: Method[Any],
    evaluator: Evaluator,
    *,
    callback: Callable[..., Any] | None = None,
    max_iterations: int | None = None,
) -> Result:
    """Run a method on a problem.

    Parameters
    ----------
    method : Method
        Frozen dataclass with `init`, `step`, `check`, and the fields `tol` and `max_iterations`.
    evaluator : Evaluator
        A fresh evaluator of the problem; it owns the limits on time and evaluations.
    callback : callable, optional
        After every iteration called as ``callback(intermediate_result=Result)`` if that is the name of its
        only parameter, else as ``callback(x)``, as in scipy. `StopIteration` ends the run.
    max_iterations : int, optional
        Default: the method's own.

    Returns
    -------
    Result
        With status INTERRUPTED after Ctrl-C: what was found is never lost.

    Raises
    ------
    ValueError
        Where the problem is outside the method's scope.
    """
    return _Run(method, evaluator, callback, max_iterations).result()


class _Run:
    """One run: the state, what the clock says, and how the answer is put together."""

    def __init__(
        self,
        method: Method[Any],
        evaluator: Evaluator,
        callback: Callable[..., Any] | None,
        max_iterations: int | None,
    ) -> None:
        self.method = method
        self.evaluator = evaluator
        self.callback = None if callback is None else adapt_callback(callback)
        self.max_iterations = method.max_iterations if max_iterations is None else max_iterations
        self.state: State | None = None
        self.iterations = self.refinements = self.extra_looks = 0
        self.previous = (np.inf, np.inf)
        self.confirmed: tuple[Vector, Certificate] | None = None
        self.callback_seconds = 0.0
        self.history: deque[dict[str, Any]] = deque(maxlen=HISTORY_LENGTH)

    def result(self) -> Result:
        evaluator = self.evaluator
        # Trials in regions where f overflows or is undefined are everyday events, not worth a warning each.
        with evaluator.active(), np.errstate(all="ignore"):
            try:
                status = self._iterate()
            except LimitReached as limit:
                if limit.evaluator is not evaluator:  # of a run around this one
                    raise
                status = Status.of_limit(limit)
            except KeyboardInterrupt:
                status = Status.INTERRUPTED
            return self._finish(status)

    def _iterate(self) -> Status:
        method, evaluator = self.method, self.evaluator
        # Within the run, since finding out may take evaluations.
        refused = scope_of(method).refusal(evaluator.problem)
        if refused is not None:
            raise ValueError(
                f"{type(method).__name__} does not take problem {evaluator.problem.name!r}: it has {refused}"
            )
        f, c = evaluator.objective(evaluator.x0), evaluator.constraints(evaluator.x0)
        if not (np.isfinite(f) and np.isfinite(c).all()):
            return Status.NONFINITE_START
        state = self.state = method.init(evaluator)
        if not (np.isfinite(state.f) and np.isfinite(state.optimality)):
            self.state = None
            return Status.NONFINITE_START
        self._log(state)
        while True:
            status = method.check(evaluator, state)
            if status is not None and not self._worth_refining(status, state):
                return status
            if self._certified_unnoticed(state):
                return Status.CONVERGED
            if self.iterations >= self.max_iterations:
                return Status.ITERATION_LIMIT
            evaluator.check_deadline()
            state = self.state = method.step(evaluator, state)
            self.iterations += 1
            self._log(state)
            if self.callback is not None and self._called_back_to_stop(state):
                return Status.USER_STOP

    def _worth_refining(self, status: Status, state: State) -> bool:
        """Whether a claim of convergence lacks so little that a few more steps may confirm it."""
        if status is not Status.CONVERGED or self.refinements >= MAX_REFINEMENTS:
            return False
        self.refinements += 1
        return not self._holds_at(state, estimate=True)

    def _certified_unnoticed(self, state: State) -> bool:
        """Whether a run is at a solution that its method cannot see for rounding; asked ever less."""
        k = self.iterations
        look = k >= FIRST_LOOK and k & (k - 1) == 0
        if self._rests(state):
            look |= self.extra_looks < MAX_EXTRA_LOOKS
            self.extra_looks += 1
        self.previous = state.optimality, state.f
        return look and self._holds_at(state, estimate=False)

    def _rests(self, state: State) -> bool:
        """Whether the last iteration changed next to nothing at what may be a solution."""
        optimality, f = self.previous
        if not state.optimality > 0.1 * optimality:
            return False
        flat = abs(state.f - f) <= FLAT * max(1.0, abs(f)) and state.violation <= self.method.tol
        return flat or state.optimality <= NEARLY_OPTIMAL

    def _holds_at(self, state: State, estimate: bool) -> bool:
        problem, tol = self.evaluator.as_problem(), self.method.tol
        found = certify(problem, state.x, state.y, state.z, tol, estimate=estimate)
        self.confirmed = (state.x, found) if found.holds else None
        return found.holds

    def _log(self, state: State) -> None:
        entry = {
            "iteration": self.iterations,
            "f": state.f,
            "violation": state.violation,
            "optimality": state.optimality,
            **state.record,
        }
        self.history.append(entry)
        if logger.isEnabledFor(logging.DEBUG):
            logger.debug("%s: %s", self.evaluator.problem.name, entry)

    def _called_back_to_stop(self, state: State) -> bool:
        assert self.callback is not None
        started = perf_counter()
        counts = self.evaluator.counts
        try:
            self.callback(
                Result(
                    x=state.x.copy(),
                    fun=state.f,
                    y=state.y.copy(),
                    z=state.z.copy(),
                    nit=self.iterations,
                    nfev=counts["objective"] + counts["objective_differences"],
                    maxcv=state.violation,
                    optimality=state.optimality,
                    record=dict(self.history[-1]),
                )
            )
        except StopIteration:
            return True
        finally:
            self.callback_seconds += perf_counter() - started
        return False

    # ---- the answer ----------------------------------------------------------------------------------------

    def _finish(self, status: Status) -> Result:
        evaluator = self.evaluator
        seconds = perf_counter() - evaluator.started
        problem_seconds = sum(evaluator.seconds.values())
        started = perf_counter()
        evaluator.allow(max(1.0, 0.1 * seconds) if status in _IN_A_HURRY else np.inf)
        result = self._assemble(self._judged(status))
        certified = perf_counter() - started
        result.time = {
            "total": seconds + certified,
            "problem": problem_seconds,
            "method": max(seconds - problem_seconds - self.callback_seconds, 0.0),
            "callback": self.callback_seconds,
            "certificate": certified,
        }
        logger.info("%s: %s (%d iterations)", evaluator.problem.name, result.message, self.iterations)
        return result

    def _certify(self, x: Vector, y: Vector | None = None, z: Vector | None = None) -> Certificate | None:
        """The certificate at x; None where the limits leave no room for what it takes."""
        try:
            return certify(self.evaluator.as_problem(), x, y, z, self.method.tol)
        except LimitReached as limit:
            if limit.evaluator is not self.evaluator:
                raise
            return None

    def _certify_state(self, x: Vector, state: State) -> Certificate | None:
        """The certificate that ended the run where it belongs to this point, else a new one."""
        if self.confirmed is not None and np.array_equal(self.confirmed[0], x):
            return self.confirmed[1]
        return self._certify(x, state.y, state.z)

    def _judged(self, status: Status) -> _Verdict:
        """The point to return, what may be said of it, and the status that this leaves."""
        evaluator, state = self.evaluator, self.state
        last = None
        if state is not None and np.isfinite(state.x).all():
            x = np.clip(state.x, evaluator.lb, evaluator.ub)
            last = _Verdict(x, state.f, status, self._certify_state(x, state))
            if last.holds:
                return replace(last, status=Status.CONVERGED if status in _GAVE_UP else status)
            if status is Status.INFEASIBLE:
                last = replace(
                    last, infeasibility=certify_infeasible(evaluator.as_problem(), x, self.method.tol)
                )
                if last.infeasibility is not None and last.infeasibility.holds:
                    return last
        unboundedness = self._unboundedness() if status is Status.UNBOUNDED else None
        best = evaluator.best
        if best is None:
            return _Verdict(evaluator.x0.copy(), evaluator.objective(evaluator.x0), status, None)
        if last is None or state is None or evaluator.is_better(best.f, best.violation, _as_point(state)):
            last = _Verdict(best.x.copy(), best.f, status, self._certify(best.x))
            if last.holds and status in _GAVE_UP:
                return replace(last, status=Status.CONVERGED)
        if unboundedness is not None and unboundedness.holds:
            return replace(last, unboundedness=unboundedness)
        return replace(last, status=_UNCONFIRMED.get(status, status))

    def _unboundedness(self) -> UnboundednessCertificate | None:
        """What the judge says of the ray that the method found, or of its point if there is none."""
        state = self.state
        assert state is not None
        origin, direction = getattr(state, "ray", None) or (state.x, None)
        try:
            return certify_unbounded(self.evaluator.as_problem(), origin, direction, self.method.tol)
        except LimitReached as limit:
            if limit.evaluator is not self.evaluator:
                raise
            return None

    def _assemble(self, verdict: _Verdict) -> Result:
        evaluator, counts, certificate = self.evaluator, self.evaluator.counts, verdict.certificate
        unknown = np.full(evaluator.n, np.nan)
        return Result(
            x=verdict.x,
            fun=verdict.f,
            jac=unknown if certificate is None else certificate.gradient.copy(),
            success=verdict.holds,
            status=verdict.status,
            message=verdict.status.message,
            nit=self.iterations,
            nfev=counts["objective"] + counts["objective_differences"],
            njev=counts["gradient"],
            nhev=counts["hessian"] + counts["hvp"],
            maxcv=np.nan if certificate is None else certificate.feasibility.absolute,
            y=np.full(evaluator.m, np.nan) if certificate is None else certificate.y,
            z=unknown.copy() if certificate is None else certificate.z,
            certificate=certificate,
            infeasibility=verdict.infeasibility,
            unboundedness=verdict.unboundedness,
            counts=dict(counts),
            record=dict(self.history[-1]) if self.history else {},
            history=list(self.history),
            name=evaluator.problem.name,
            method=type(self.method).__name__,
        )


@dataclass(frozen=True)
class _Verdict:
    """A point, and what may be said of it."""

    x: Vector
    f: float
    status: Status
    certificate: Certificate | None
    infeasibility: InfeasibilityCertificate | None = None
    unboundedness: UnboundednessCertificate | None = None

    @property
    def holds(self) -> bool:
        return self.certificate is not None and self.certificate.holds


def _as_point(state: State) -> BestPoint:
    """The state as a point to compare with; one that is not finite comes last."""
    finite = bool(np.isfinite(state.f) and np.isfinite(state.violation))
    return BestPoint(state.x, state.f if finite else np.inf, state.violation if finite else np.inf)


def adapt_callback(callback: Callable[..., Any]) -> Callable[[Result], Any]:
    """The callback in scipy's two forms as a function of one intermediate result.

    Parameters
    ----------
    callback : callable
        With a single parameter named ``intermediate_result`` it gets the Result by keyword, otherwise
        a copy of x.
    """
    try:
        by_keyword = set(inspect.signature(callback).parameters) == {"intermediate_result"}
    except (TypeError, ValueError):  # builtins without a signature
        by_keyword = False
    if by_keyword:
        return lambda result: callback(intermediate_result=result)
    return lambda result: callback(result.x)
