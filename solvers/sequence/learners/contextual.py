"""Contexts in bins, a copy of Tsallis-INF for each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from .protocol import Choice, Context, ContextInterval, Learner, Vector
from .tsallis_inf import TsallisINF


class ContextualTsallisINF(Learner):
    """Tsallis-INF that starts afresh in every bin of the contexts.

    Parameters
    ----------
    interval : ContextInterval
        Where contexts lie; it is cut into bins of equal length (on its scale).
    bins : int
        Number of copies; each has to learn for itself, so that few are better on short sequences.
    grid, rng, reduced_variance, floor
        As in `TsallisINF`; the copies draw from one generator.

    References
    ----------
    Khodak, Chow, Balcan & Talwalkar, ICLR 2024, section 3.2.
    """

    kind = "contextual"
    needs_context = True

    def __init__(
        self,
        interval: ContextInterval,
        bins: int = 6,
        grid: Sequence[float] | Vector | None = None,
        rng: Any = None,
        *,
        reduced_variance: bool = False,
        floor: float = 1.0,
    ) -> None:
        if bins < 1:
            raise ValueError(f"bins must be at least 1, got {bins}")
        self.interval = interval
        generator = np.random.default_rng(rng)
        self.copies = [
            TsallisINF(grid, generator, reduced_variance=reduced_variance, floor=floor) for _ in range(bins)
        ]

    def bin_of(self, context: Context) -> int:
        """Index of the context's bin."""
        bins = len(self.copies)
        return min(int(0.5 * (self.interval.unit(context) + 1.0) * bins), bins - 1)

    def choose(self, context: Context) -> Choice:
        """What the bin's copy draws."""
        return replace(self.copies[self.bin_of(context)].choose(context), context=context)

    def update(self, choice: Choice, loss: float) -> None:
        """Tell the bin's copy."""
        self.copies[self.bin_of(choice.context)].update(choice, loss)

    def estimated_regret(self) -> float:
        """Sum over the bins: against the best fixed arm of each."""
        return sum(copy.estimated_regret() for copy in self.copies)

    def state_dict(self) -> dict[str, Any]:
        """The copies' states."""
        return {
            "kind": self.kind,
            "interval": self.interval.state_dict(),
            "copies": [copy.state_dict() for copy in self.copies],
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ContextualTsallisINF:
        """The learner that goes on where the saved one stood."""
        copies = [TsallisINF.from_state(copy) for copy in state["copies"]]
        learner = cls(ContextInterval(**state["interval"]), len(copies))
        for copy in copies:
            copy.rng = copies[0].rng
        learner.copies = copies
        return learner
