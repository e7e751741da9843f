"""Solve a whole sequence of linear systems, with limits, a callback, and what hindsight says."""

from __future__ import annotations

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...problems.linear_sequence import LinearSequence, LinearSystem
from ..driver import adapt_callback
from ..result import Result
from ..status import Status
from .eisenstat import EisenstatCG
from .learners import Learner
from .regret import Regret, regret
from .sequence_result import SequenceResult, SystemResult
from .sequence_solver import SequenceSolver
from .sor import SOR

Vector = NDArray[np.float64]
Systems = LinearSequence | Iterable[Any]

logger = logging.getLogger("karush")


def solve_sequence(
    systems: Systems,
    method: str | Sequence[str] = "auto",
    learner: str | float | Learner = "one-scalar",
    *,
    x0: ArrayLike | None = None,
    length: int | None = None,
    max_time: float = math.inf,
    callback: Callable[..., Any] | None = None,
    keep_solutions: bool = False,
    hindsight: ArrayLike | None = None,
    solver: SequenceSolver | None = None,
    **options: Any,
) -> SequenceResult:
    """Solve A_t x = b_t, t = 1, 2, ..., learning on the way how best to do it.

    Parameters
    ----------
    systems : LinearSequence or iterable
        A problem of the registry, or tuples (A, b) or (A, b, context), or `LinearSystem`. An iterable is
        asked for the next system after the last one has been solved; for right-hand sides that depend on
        solutions embed a `SequenceSolver` instead, or give a `LinearSequence`.
    method, learner : see `SequenceSolver`
        What solves the systems, and how relaxation parameters are found.
    x0 : array_like, shape (n,), optional
        Start for the first system.
    length : int, optional
        Solve at most so many.
    max_time : float
        Seconds for all.
    callback : callable, optional
        After every system, as ``callback(intermediate_result=SystemResult)`` if that is the name of its only
        parameter, else as ``callback(x)``. `StopIteration` ends the run.
    keep_solutions : bool
        Keep all solutions in the result.
    hindsight : array_like of float, optional
        Relaxation parameters: every system is solved with each of them, too, and the result has the `Regret`
        of the run's iterations against them. This multiplies the cost, and is for studies; it needs method
        "ssor-cg" or "sor".
    solver : SequenceSolver, optional
        Go on with this one; `method`, `learner` and further options are then not to be given.
    **options
        Of `SequenceSolver`. Context range and horizon are those of the LinearSequence where none are given.

    Returns
    -------
    SequenceResult
        Never lost: after an interrupt, a time limit or a system that is no number it has what was done.

    Raises
    ------
    ValueError, TypeError
        Bad options, or systems that are none. Exceptions of the iterable or the callback pass unchanged.
    """
    if length is not None and length < 0:
        raise ValueError(f"length must be nonnegative, got {length}")
    if math.isnan(max_time) or max_time < 0.0:
        raise ValueError(f"max_time must be nonnegative, got {max_time}")
    if solver is None:
        solver = SequenceSolver(method, learner, **_with_defaults(systems, length, options))
    elif options or method != "auto" or learner != "one-scalar":
        raise ValueError("a given solver has its own method, learner and options; give none beside it")
    grid = _checked_hindsight(hindsight, method)
    return _Sequence(systems, solver, x0, length, max_time, callback, keep_solutions, grid).result()


class _Sequence:
    """One run over a sequence."""

    def __init__(
        self,
        systems: Systems,
        solver: SequenceSolver,
        x0: ArrayLike | None,
        length: int | None,
        max_time: float,
        callback: Callable[..., Any] | None,
        keep_solutions: bool,
        grid: _Hindsight | None,
    ) -> None:
        self.systems, self.solver, self.x0, self.length = systems, solver, x0, length
        self.started = perf_counter()
        self.deadline = self.started + max_time
        self.callback = None if callback is None else adapt_callback(callback)
        self.callback_seconds = 0.0
        self.hindsight = grid
        self.answers: list[SystemResult] = []
        self.solutions: list[Vector] | None = [] if keep_solutions else None
        self.x: Vector | None = None

    def result(self) -> SequenceResult:
        try:
            status = self._iterate()
        except KeyboardInterrupt:
            status = Status.INTERRUPTED
        return self._assemble(status)

    def _iterate(self) -> Status:
        failed: Status | None = None
        for system in self._systems():
            if perf_counter() >= self.deadline:
                return Status.TIME_LIMIT
            if not _is_finite(system):
                return Status.NONFINITE_START
            start = self.x
            answer = self.solver.solve(
                system.A,
                system.b,
                system.context,
                x0=self.x0 if self.x is None else None,
                max_time=self.deadline - perf_counter(),
            )
            self._keep(answer)
            if answer.status in (Status.INTERRUPTED, Status.TIME_LIMIT):
                return Status(answer.status)
            if not answer.success:
                failed = failed or answer.status
            if self.hindsight is not None:
                self.hindsight.add(system, start, *self.solver.tolerances)
            if self.callback is not None and self._called_back_to_stop(answer):
                return Status.USER_STOP
        return failed or Status.CONVERGED

    def _systems(self) -> Iterator[LinearSystem]:
        """The systems; of a stepping sequence, each after the solution before it."""
        if isinstance(self.systems, LinearSequence):
            sequence = self.systems
            length = sequence.length if self.length is None else min(self.length, sequence.length)
            if self.x0 is None:
                self.x0 = sequence.start
            for t in range(length):
                yield sequence.system(t, sequence.start if self.x is None else self.x)
            return
        iterator = iter(self.systems)
        while self.length is None or len(self.answers) < self.length:
            try:
                item = next(iterator)
            except StopIteration:
                return
            yield _as_system(item)

    def _keep(self, answer: SystemResult) -> None:
        self.x = answer.x
        if self.solutions is not None:
            self.solutions.append(answer.x)
        record = SystemResult(**answer)
        del record["x"]
        self.answers.append(record)

    def _called_back_to_stop(self, answer: SystemResult) -> bool:
        assert self.callback is not None
        started = perf_counter()
        try:
            self.callback(Result(**{**answer, "x": answer.x.copy()}))
        except StopIteration:
            return True
        finally:
            self.callback_seconds += perf_counter() - started
        return False

    def _assemble(self, status: Status) -> SequenceResult:
        answers = self.answers
        solved = sum(bool(answer.success) for answer in answers)
        success = status is Status.CONVERGED and solved == len(answers)
        losses = np.array([np.nan if a.loss is None else a.loss for a in answers])
        logger.info("sequence: %s (%d of %d systems solved)", status.message, solved, len(answers))
        return SequenceResult(
            x=self.x if self.x is not None else _as_start(self.x0),
            solutions=self.solutions,
            success=success,
            status=status,
            message=status.message,
            nit=sum(answer.nit for answer in answers),
            solved=solved,
            systems=answers,
            omegas=np.array([np.nan if a.omega is None else a.omega for a in answers]),
            iterations=np.array([a.nit for a in answers], dtype=np.int64),
            seconds=np.array([a.time["total"] for a in answers]),
            residuals=np.array([a.certificate.relative for a in answers]),
            losses=losses,
            estimated_regret=self.solver.estimated_regret(),
            regret=None if self.hindsight is None else self.hindsight.regret([a.nit for a in answers]),
            methods=dict(Counter(a.method for a in answers)),
            time={
                "total": perf_counter() - self.started,
                "setup": sum(a.time["setup"] for a in answers),
                "solve": sum(a.time["solve"] for a in answers),
                "callback": self.callback_seconds,
            },
            solver=self.solver,
        )


class _Hindsight:
    """Iterations of every relaxation parameter on every system."""

    def __init__(self, omegas: Vector, method: str) -> None:
        self.omegas = omegas
        self._solver = SOR() if method == "sor" else EisenstatCG()
        self._table: list[list[int]] = []

    def add(self, system: LinearSystem, start: Vector | None, rtol: float, atol: float) -> None:
        """Solve the system with all of them, from the start that the run had."""
        self._solver.setup(system.A)
        if start is not None and not np.linalg.norm(system.b - system.A @ start) < np.linalg.norm(system.b):
            start = None
        self._table.append(
            [
                self._solver.solve(system.b, start, omega=w, rtol=rtol, atol=atol).iterations
                for w in self.omegas
            ]
        )

    def regret(self, iterations: list[int]) -> Regret | None:
        """Of the systems that were finished; None where there are none."""
        rows = len(self._table)
        return regret(iterations[:rows], self._table) if rows else None


def _with_defaults(systems: Systems, length: int | None, options: dict[str, Any]) -> dict[str, Any]:
    """Options, with what a LinearSequence knows about itself."""
    if not isinstance(systems, LinearSequence):
        return {"horizon": length, **options} if length else options
    known: dict[str, Any] = {
        "context_range": systems.context_range,
        "context_scale": systems.context_scale,
        "horizon": max(min(systems.length, length if length is not None else systems.length), 1),
        "assume_a": "pos" if systems.positive_definite else "gen",
    }
    return {**known, **options}


def _checked_hindsight(omegas: ArrayLike | None, method: Any) -> _Hindsight | None:
    if omegas is None:
        return None
    grid = np.asarray(omegas, dtype=np.float64)
    if grid.ndim != 1 or grid.size == 0 or not ((grid > 0.0) & (grid < 2.0)).all():
        raise ValueError(f"hindsight must be a vector of relaxation parameters in (0, 2), got {omegas!r}")
    if method not in ("ssor-cg", "sor"):
        raise ValueError(f"hindsight needs method 'ssor-cg' or 'sor', got {method!r}")
    return _Hindsight(grid, method)


def _as_system(item: Any) -> LinearSystem:
    if isinstance(item, LinearSystem):
        return item
    if isinstance(item, tuple | list) and len(item) in (2, 3):
        return LinearSystem(*item)
    raise TypeError(f"systems must yield (A, b), (A, b, context) or LinearSystem, got {type(item).__name__}")


def _is_finite(system: LinearSystem) -> bool:
    entries = getattr(system.A, "data", system.A)
    try:
        return bool(np.isfinite(entries).all() and np.isfinite(system.b).all())
    except TypeError:  # no numbers: the solver says what is wrong with them
        return True


def _as_start(x0: Any) -> Vector:
    return np.zeros(0) if x0 is None else np.array(x0, dtype=np.float64)
