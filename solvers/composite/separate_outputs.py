"""Least squares with several outputs and a penalty by coordinate: one problem for each output."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ...problems.composite.datafits import LeastSquares
from ...problems.composite.penalties import PiecewiseQuadratic
from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, MismatchError
from ..status import Status
from .driver import Run, State
from .working_set import WorkingSet

_SHARP = 0.5
"""Gap of each output relative to its objective at zero, as a part of tol: their sum is what counts."""


@dataclass
class _State(State):
    """With the output that is next, and how sharply outputs are solved."""

    output: int = 0
    sharp: float = _SHARP


@dataclass(frozen=True)
class SeparateOutputs:
    """Working sets for one output after the other: nothing but X connects them.

    Where rows of w are groups the outputs belong together, and working sets take them together.

    Parameters
    ----------
    tol : float
        Tolerance of the certificate, which is that of the whole problem.
    max_iterations : int
        Limit of steps, each the solution of one output.
    """

    tol: float = 1e-6
    max_iterations: int = 100_000

    def check(self, problem: CompositeProblem) -> None:
        """Least squares, several outputs, a penalty that acts on every entry of w alike."""
        # Not a subclass, whose own value an output would not have.
        if not (type(problem.datafit) is LeastSquares and len(problem.shape) == 2):
            raise MismatchError("separate outputs need LeastSquares with several outputs")
        if not isinstance(problem.penalty, PiecewiseQuadratic):
            raise MismatchError(
                f"separate outputs need a penalty by coordinate, got {type(problem.penalty).__name__}"
            )

    def init(self, run: Run, w: Array, b: Array) -> _State:
        """The start, with nothing solved."""
        return _State(w, b, run.problem.objective(w, b))

    def step(self, run: Run, state: _State) -> _State:
        """Solve the next output; after the last one the certificate looks."""
        j, outputs = state.output, run.problem.shape[1]
        part = _output(run.problem, j)
        start = state.w[:, j].copy(), np.array(state.b[j] if run.problem.intercept else 0.0)
        inner = Run(WorkingSet(tol=state.sharp * run.tol), part, max_time=run.remaining_time)
        found = inner.solve(*start)
        if found.status is Status.INTERRUPTED:
            raise KeyboardInterrupt
        w, b = state.w.copy(), np.array(state.b)
        w[:, j] = found.x
        if run.problem.intercept:
            b[j] = found.intercept
        last = j + 1 == outputs
        objective = state.objective - part.objective(*start) + found.fun
        return _State(
            w,
            b,
            run.problem.objective(w, b) if last else objective,
            last,
            {"output": j, "steps": found.nit},
            0 if last else j + 1,
            0.1 * state.sharp if last else state.sharp,
        )


def _output(problem: CompositeProblem, j: int) -> CompositeProblem:
    """The problem of one output."""
    datafit = problem.datafit
    assert isinstance(datafit, LeastSquares)
    return CompositeProblem(
        LeastSquares(datafit.y[:, j], datafit.weights),
        problem.penalty,
        problem.design,
        intercept=problem.intercept,
        offset=None if problem.offset is None else problem.offset[:, j],
    )
