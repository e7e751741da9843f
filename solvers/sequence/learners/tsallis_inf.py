"""Tsallis-INF: the bandit on a grid of omegas, against adversaries and for stochastic losses alike."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from .protocol import (
    Choice,
    Context,
    Learner,
    Vector,
    checked_grid,
    checked_loss,
    draw,
    restored_rng,
    saved_rng,
)

_NEWTON_STEPS = 50
_FIRST_REDUCED = 16  # the reduced-variance estimate waits for this many losses


class TsallisINF(Learner):
    """Online mirror descent with the Tsallis entropy of power 1/2 (Zimmert & Seldin 2021).

    Losses enter relative to their running mean above `floor`: no bound on them is needed.

    Parameters
    ----------
    grid : sequence of float, optional
        The arms; default 20 values in [1, 1.95].
    rng : None, int or Generator
        Source of the draws.
    reduced_variance : bool
        Losses of arms that are drawn often are measured from one half, which estimates the others' better;
        pays on long sequences.
    floor : float
        Smallest loss there can be: 1 for iterations, 0 for times.

    References
    ----------
    Khodak, Chow, Balcan & Talwalkar, ICLR 2024, algorithm 1; Zimmert & Seldin, JMLR 22 (2021), section 3.
    """

    kind = "tsallis-inf"

    def __init__(
        self,
        grid: Sequence[float] | Vector | None = None,
        rng: Any = None,
        *,
        reduced_variance: bool = False,
        floor: float = 1.0,
    ) -> None:
        self.grid = checked_grid(grid)
        self.rng = np.random.default_rng(rng)
        self.reduced_variance = bool(reduced_variance)
        self.floor = float(floor)
        self.cumulative = np.zeros(self.grid.size)  # estimates of the arms' total losses
        self.rounds = 0
        self.total = 0.0  # of the losses above the floor

    def choose(self, context: Context) -> Choice:
        """Draw an arm; the context plays no part."""
        p = self.probabilities()
        arm = draw(self.rng, p)
        return Choice(arm, float(self.grid[arm]), context, float(p[arm]))

    def probabilities(self) -> Vector:
        """p_i = 4 (eta (k_i/s - x))^-2, with x such that they sum to 1."""
        return tsallis_distribution(self.cumulative / self.scale, self._learning_rate())

    @property
    def scale(self) -> float:
        """Mean loss above the floor."""
        return self.total / self.rounds if self.total > 0.0 else 1.0

    def update(self, choice: Choice, loss: float) -> None:
        """Add the importance-weighted estimate of the losses of this round."""
        excess = max(checked_loss(loss) - self.floor, 0.0)
        reduced = self._well_known(choice) if self.reduced_variance else None
        self.rounds += 1
        self.total += excess
        self.cumulative[choice.arm] += excess / choice.probability
        if reduced is not None:
            self.cumulative[reduced] += 0.5 * self.scale
            if choice.arm in reduced:
                self.cumulative[choice.arm] -= 0.5 * self.scale / choice.probability

    def _learning_rate(self) -> float:
        return (4.0 if self.reduced_variance else 2.0) / math.sqrt(self.rounds + 1)

    def _well_known(self, choice: Choice) -> np.ndarray | None:
        """Arms whose probability is at least eta^2 = 16/t, by Zimmert & Seldin's equation (5)."""
        t = self.rounds + 1
        return None if t < _FIRST_REDUCED else np.flatnonzero(t * self.probabilities() >= 16.0)

    def estimated_regret(self) -> float:
        """Losses so far above the estimate of those of the best arm; noisy on short sequences."""
        return self.total - float(self.cumulative.min())

    def state_dict(self) -> dict[str, Any]:
        """Options, estimates and the generator."""
        return {
            "kind": self.kind,
            "grid": self.grid.tolist(),
            "reduced_variance": self.reduced_variance,
            "floor": self.floor,
            "cumulative": self.cumulative.tolist(),
            "rounds": self.rounds,
            "total": self.total,
            "rng": saved_rng(self.rng),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> TsallisINF:
        """The learner that goes on where the saved one stood."""
        learner = cls(
            state["grid"],
            restored_rng(state["rng"]),
            reduced_variance=state["reduced_variance"],
            floor=state["floor"],
        )
        learner.cumulative = np.array(state["cumulative"])
        learner.rounds, learner.total = state["rounds"], state["total"]
        return learner


def tsallis_distribution(losses: Vector, eta: float) -> Vector:
    """The minimiser of <p, losses> - (4/eta) sum sqrt(p_i) over the simplex.

    Newton's method on sum 4 (eta (l_i - x))^-2 = 1 from x = min l - 2/eta, where the sum is at least 1: it is
    convex and increasing in x there, so the iterates fall monotonically to the root.
    """
    gaps = losses - losses.min()
    x = -2.0 / eta
    for _ in range(_NEWTON_STEPS):
        p: Vector = 4.0 / (eta * (gaps - x)) ** 2
        step = (p.sum() - 1.0) / (eta * (p**1.5).sum())
        x -= step
        if step <= 1e-14 * abs(x):
            break
    return np.asarray(p / p.sum())
