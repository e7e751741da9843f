"""Expected cost of a solve, as a function of the system's place."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .bayesian_ridge import BayesianRidge

_PRIOR = (0.7, 0.5, 0.2)  # of the log cost about the first guess: level, slope and curvature
_NOISE = 0.25  # of log times, on a machine with other work
_FORGET = 0.97  # machines and sequences change


class CostModel:
    """Log cost as a quadratic in the place, about a first guess.

    Costs are positive, in any unit. A place says which systems are alike, such as the logarithm of the gap;
    None counts as 0.
    """

    def __init__(self) -> None:
        self._anchor: float | None = None  # log of the first guess, or of the first cost
        self._model = BayesianRidge(_PRIOR, _NOISE, _FORGET)

    @property
    def observations(self) -> int:
        """Costs seen."""
        return self._model.observations

    def guess(self, cost: float) -> None:
        """What to expect before anything has been seen; later calls change nothing."""
        if self._anchor is None:
            self._anchor = _log(cost)

    def add(self, place: float | None, cost: float) -> None:
        """Learn from a cost."""
        self.guess(cost)
        assert self._anchor is not None
        self._model.add(_features(place), _log(cost) - self._anchor)

    def expected(self, place: float | None) -> float:
        """Median cost; 0 without guess or costs."""
        return self.outlook(place)[0]

    def outlook(self, place: float | None) -> tuple[float, float]:
        """Median cost, and one standard deviation of its logarithm less."""
        if self._anchor is None:
            return 0.0, 0.0
        mean, deviation = self._model.predict_one(_features(place))
        return math.exp(self._anchor + mean), math.exp(self._anchor + mean - deviation)

    def state_dict(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {"anchor": self._anchor, "model": self._model.state_dict()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CostModel:
        """The model that goes on where the saved one stood."""
        model = cls()
        model._anchor = state["anchor"]
        model._model = BayesianRidge.from_state(state["model"])
        return model


def _log(cost: float) -> float:
    return math.log(max(cost, 1e-12))


def _features(place: float | None) -> NDArray[np.float64]:
    z = 0.0 if place is None else place
    return np.array([1.0, z, z * z])
