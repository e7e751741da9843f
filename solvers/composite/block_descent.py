"""Block coordinate descent from interchangeable parts: a partition, a selection rule and an update.

J. Nutini, I. Laradji, M. Schmidt, "Let's make block coordinate descent converge faster: faster greedy rules,
message-passing, active-set complexity, and superlinear convergence", JMLR 23(131), 2022.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...problems.composite.problem import CompositeProblem
from ...problems.composite.protocol import Array, MismatchError
from .block_point import Block, BlockPoint, point_of
from .driver import Run, State
from .partition import Groups, Partition, Variable, partition_of
from .selection import Selection, Setting, selection_of
from .update import Apply, Update, update_of

_LOOK_EVERY = 25
"""Updates between certificates where an update costs about as much as one: greedy rules on designs."""

_PATIENCE = 25
"""Epochs without progress before a random rule asks for a certificate: some blocks wait that long."""

_PROGRESS = 1e-14
"""Relative decrease of the objective that counts."""

_COPY = 16_384
"""Coordinates that are copied in the time of one small update: larger points make several in a step."""


@dataclass
class _State(State):
    """With the moving parts; `w` is a copy of the point's."""

    point: BlockPoint | None = None
    picks: Iterator[Block] | None = None
    apply: Apply | None = None
    updates: int = 0
    per_step: int = 1
    look_every: int = 1
    looked: int = 0
    looked_objective: float = np.inf
    patience: int = 1
    identified_at: int = 0


@dataclass(frozen=True)
class BlockDescent:
    """Repeat: select a block, update it.

    Parameters
    ----------
    partition : str, Partition or sequence of index arrays
        ``"variable"`` (VB: any tau coordinates), ``"sort"``, ``"average"``, ``"order"`` (fixed blocks of
        tau), ``"trees"``, ``"multicolour"`` (blocks of a sparse graph), ``"groups"`` (of a group penalty), or
        the blocks themselves, coordinates of w flat.
    selection : str or Selection
        ``"random"``, ``"cyclic"``, ``"permutation"``, ``"lipschitz"``; greedy: ``"gs"``, ``"gsl"``,
        ``"gsd"``, ``"gsq"``, ``"gsq-iht"``, ``"gs-r"``; of sparse graphs ``"greedy-tree"``,
        ``"random-tree"``. With a penalty the greedy rules are the proximal ones (GS-q, ...).
    update : str or Update
        ``"gradient"``, ``"backtracking"``, ``"matrix"``, ``"newton"``, ``"exact"``, ``"tmp"`` (two-metric
        projection), ``"homotopy"``, ``"trees"`` (message passing).
    block_size : int
        Tau, the number of coordinates of a block.
    updates_per_step : int, optional
        Block updates between two calls of the callback. Default: one, and more only where copying w would
        cost more than the updates.
    tol : float
        Tolerance of the certificate, see `minimize_composite`.
    max_iterations : int
        Limit of steps.

    Notes
    -----
    The defaults, greedy variable blocks by sum g_i^2 / L_i with Newton steps, are the paper's combination
    that identifies the support and then converges superlinearly, in finitely many steps on quadratics, once
    tau is at least the size of the support. `Result.record` holds ``identified_at``, the update after which
    the support has not changed, and `Result.slack` its margin delta.
    """

    partition: str | Partition | Sequence[Any] = "variable"
    selection: str | Selection = "gsd"
    update: str | Update = "newton"
    block_size: int = 50
    updates_per_step: int | None = None
    tol: float = 1e-6
    max_iterations: int = 1_000_000
    _parts: tuple[Partition, Selection, Update] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        for name in ("block_size", "updates_per_step"):
            value = getattr(self, name)
            if value is not None and not (isinstance(value, int | np.integer) and value > 0):
                raise ValueError(f"{name} must be an integer > 0, got {value!r}")
        parts = partition_of(self.partition), selection_of(self.selection), update_of(self.update)
        object.__setattr__(self, "_parts", parts)

    def check(self, problem: CompositeProblem) -> None:
        """Raise `MismatchError` where the parts do not suit the problem, or each other."""
        partition, selection, update = self._parts
        if not problem.penalty.separable and not isinstance(partition, Groups):
            raise MismatchError(
                f"penalty {type(problem.penalty).__name__} does not add up over coordinates: take "
                f"partition='groups'"
            )
        selection.check(problem, isinstance(partition, Variable))
        update.check(problem)

    def init(self, run: Run, w: Array, b: Array) -> _State:
        """Make the blocks and start the rule."""
        partition, selection, update = self._parts
        problem = run.problem
        point = point_of(problem, w, b)
        setting = Setting(
            problem, point, partition.blocks(problem, self.block_size), self.block_size, run.rng
        )
        local, epoch = point.local or not selection.greedy, selection.epoch(setting)
        return _State(
            w,
            b,
            point.objective,
            point=point,
            picks=selection.picks(setting),
            apply=update.begin(setting),
            per_step=self.updates_per_step or _updates_per_step(setting.n, epoch),
            look_every=max(1, epoch if local else min(epoch, _LOOK_EVERY)),
            patience=_PATIENCE if selection.random else 1,
        )

    def step(self, run: Run, state: _State) -> _State:
        """Select and update, once or a few times."""
        point, picks, apply = state.point, state.picks, state.apply
        assert point is not None
        assert picks is not None
        assert apply is not None
        if state.settled:
            point.refresh()
        updates, identified_at = state.updates, state.identified_at
        for _ in range(state.per_step):
            run.check_deadline()
            changes = point.support_changes
            block = next(picks)
            apply(block)
            updates += 1
            if point.support_changes != changes:
                identified_at = updates
        look = updates - state.looked >= state.look_every and (
            point.objective < state.looked_objective - _PROGRESS * abs(point.objective)
            or updates - state.looked >= state.patience * state.look_every
        )
        return _State(
            point.w,
            point.b,
            point.objective,
            settled=look,
            record={"updates": updates, "block": block.size, "identified_at": identified_at},
            point=point,
            picks=picks,
            apply=apply,
            updates=updates,
            per_step=state.per_step,
            look_every=state.look_every,
            looked=updates if look else state.looked,
            looked_objective=point.objective if look else state.looked_objective,
            patience=state.patience,
            identified_at=identified_at,
        )


def _updates_per_step(n: int, epoch: int) -> int:
    """So many that copying w does not count, and at most a sixteenth of an epoch."""
    return max(1, min(n // _COPY, epoch // 16))
