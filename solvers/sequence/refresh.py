"""When to rebuild a cached preconditioner: once what its age has cost passes what a new one costs."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bayesian_ridge import BayesianRidge
from .cost_model import CostModel

Vector = NDArray[np.float64]

_LARGEST_PATIENCE = 64.0
_MEMORY = 0.98
_IF_CUT = 2.0
_PILED_UP = 1.5  # an excess that grows by less over a cycle does not come from age


@dataclass
class _Imagined:
    """A preconditioner that serves every system, as far as can be foreseen."""

    built_at: float | None = None
    excess: float = 0.0
    rebuilds: float = 0.0  # both fade
    systems: float = 0.0


class RefreshPolicy:
    """Rent or buy, for one preconditioner.

    A preconditioner made for another matrix of the sequence still works, only slower. The excess of every
    solve over what a fresh one would have cost is added up; when the sum, with the excess foreseen for the
    next solve, passes `patience` times the set-up cost, it is rebuilt: at most twice the cost of the best
    policy in hindsight. So it is where the next solve alone is foreseen to exceed a set-up. Where the excess
    does not grow between two rebuilds it does not come from age (systems that jump about at random make every
    preconditioner wrong), and patience doubles.

    Costs are in any unit. The place of a system is a number that says which systems are alike, such as the
    logarithm of its gap; without places the next excess is foreseen to be the last one.

    Parameters
    ----------
    slope : float
        Of the log of a fresh solve's cost over the place, as expected before anything has been seen.
    ageing : float
        Log of how much longer a solve takes at a place one away from where the preconditioner was made, as
        expected before anything has been seen.
    """

    def __init__(self, slope: float = 0.0, ageing: float = 0.0) -> None:
        self.ageing = float(ageing)
        self.patience = 1.0
        self.setup: float | None = None  # cost of the last one
        self.built = False
        self.excess = 0.0  # since the last rebuild
        self._built_at: float | None = None
        self._imagined = _Imagined()
        self._cycle: list[float] = []  # excesses since the last rebuild, the fresh solve left out
        self._last = 0.0
        self._fresh = CostModel(slope)
        self._stale = BayesianRidge((0.5, 0.5, 0.3), noise=0.3, forget=0.95)  # log of how much longer

    def due(self, place: float | None) -> bool:
        """Whether to rebuild before the system at `place`."""
        if self.setup is None or not self.built:
            return True
        foreseen = self.foreseen_excess(place)
        return foreseen > self.setup or self.excess + foreseen > self.patience * self.setup

    def foreseen_excess(self, place: float | None) -> float:
        """What the next solve will cost above a fresh one."""
        distance = self._distance(place)
        if distance is None:
            return max(self._last, 0.0)
        return self.fresh_cost(place) * math.expm1(_cut(self._log_ratio(distance)))

    def _log_ratio(self, distance: float) -> float:
        return self.ageing * abs(distance) + self._stale.predict_one(_of_distance(distance))[0]

    def guess(self, cost: float, place: float | None = None) -> None:
        """What to expect of a fresh solve before there was one; after that, nothing changes."""
        self._fresh.guess(cost, place)

    def fresh_cost(self, place: float | None) -> float:
        """Expected cost of a solve right after a rebuild."""
        return self._fresh.expected(place)

    def fresh_outlook(self, place: float | None) -> tuple[float, float]:
        """The same, and one standard deviation of its logarithm less."""
        return self._fresh.outlook(place)

    def rebuilt(self, place: float | None, cost: float) -> None:
        """A set-up for the system at `place` has been paid."""
        self._adapt_patience()
        self.setup, self.excess, self._built_at, self._last = cost, 0.0, place, 0.0
        self.built = True
        self._cycle = []

    def _adapt_patience(self) -> None:
        """After a cycle: whether its excess came from age, or would have been cheaper to bear."""
        if len(self._cycle) < 2 or self.setup is None:
            return
        half = len(self._cycle) // 2
        early, late = np.mean(self._cycle[:half]), np.mean(self._cycle[half:])
        if late < _PILED_UP * early and np.mean(self._cycle) < 0.5 * self.setup:
            self.patience = min(2.0 * self.patience, _LARGEST_PATIENCE)
        else:
            self.patience = max(0.5 * self.patience, 1.0)

    def solved(self, place: float | None, cost: float, fresh: bool, cut: bool = False) -> None:
        """A solve took this; `fresh` right after the rebuild, `cut` where it was given up.

        Of one that was given up nobody knows what it would have cost: twice as much, say, or the next one of
        this kind would be foreseen to be cheap.
        """
        if fresh:
            self._fresh.add(place, cost)
            return
        expected = self.fresh_cost(place)
        self._last = cost - expected
        self.excess = max(self.excess + self._last, 0.0)
        self._cycle.append(self._last)
        distance = self._distance(place)
        if distance is not None and expected > 0.0:
            would_have = (_IF_CUT if cut else 1.0) * max(cost, 1e-12)
            ratio = math.log(would_have / expected) - self.ageing * abs(distance)
            self._stale.add(_of_distance(distance), ratio)

    def passed(self, place: float | None) -> None:
        """A system of the sequence came by, whichever method solved it: keeps the rate of rebuilds."""
        imagined = self._imagined
        imagined.systems = _MEMORY * imagined.systems + 1.0
        imagined.rebuilds *= _MEMORY
        if self._fresh.observations == 0:
            return
        distance = None if place is None or imagined.built_at is None else place - imagined.built_at
        ratio = 0.0 if distance is None else self._log_ratio(distance)
        excess = self._last if distance is None else self.fresh_cost(place) * math.expm1(_cut(ratio))
        imagined.excess += max(excess, 0.0)
        if imagined.excess > self.patience * (self.setup or 0.0):
            imagined.rebuilds += 1.0
            imagined.excess, imagined.built_at = 0.0, place
        elif imagined.built_at is None:
            imagined.built_at = place

    @property
    def rebuild_rate(self) -> float:
        """Rebuilds a system, had this preconditioner served all of them lately."""
        return self._imagined.rebuilds / max(self._imagined.systems, 1.0)

    def failed(self) -> None:
        """The preconditioner did not serve: rebuild before its next use."""
        self.built = False

    def _distance(self, place: float | None) -> float | None:
        return None if place is None or self._built_at is None else place - self._built_at

    def state_dict(self) -> dict[str, Any]:
        """What has been learned, in the types of JSON; the preconditioner itself is not saved."""
        return {
            "ageing": self.ageing,
            "patience": self.patience,
            "setup": self.setup,
            "fresh": self._fresh.state_dict(),
            "stale": self._stale.state_dict(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> RefreshPolicy:
        """The policy with what was learned, and nothing built."""
        policy = cls(ageing=state["ageing"])
        policy.patience, policy.setup = state["patience"], state["setup"]
        policy._fresh = CostModel.from_state(state["fresh"])
        policy._stale = BayesianRidge.from_state(state["stale"])
        return policy


def _cut(log_ratio: float) -> float:
    return min(max(log_ratio, 0.0), 5.0)


def _of_distance(distance: float) -> Vector:
    return np.array([abs(distance), distance, distance**2])
