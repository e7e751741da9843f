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

    Parameters
    ----------
    slope : float
        Of log cost over place, as expected before anything has been seen.
    """

    def __init__(self, slope: float = 0.0) -> None:
        self.slope = float(slope)
        self._anchor: float | None = None  # log of the first guess, or of the first cost
        self._model = BayesianRidge(_PRIOR, _NOISE, _FORGET)

    @property
    def observations(self) -> int:
        """Costs seen."""
        return self._model.observations

    def guess(self, cost: float, place: float | None = None) -> None:
        """What to expect at a place before anything has been seen; after that, nothing changes."""
        if self.observations == 0:
            self._anchor = _log(cost) - self._trend(place)

    def add(self, place: float | None, cost: float) -> None:
        """Learn from a cost."""
        if self._anchor is None:
            self.guess(cost, place)
        assert self._anchor is not None
        self._model.add(_features(place), _log(cost) - self._anchor - self._trend(place))

    def expected(self, place: float | None) -> float:
        """Median cost; 0 without guess or costs."""
        return self.outlook(place)[0]

    def outlook(self, place: float | None) -> tuple[float, float]:
        """Median cost, and one standard deviation of its logarithm less."""
        if self._anchor is None:
            return 0.0, 0.0
        mean, deviation = self._model.predict_one(_features(place))
        mean += self._anchor + self._trend(place)
        return math.exp(mean), math.exp(mean - deviation)

    def _trend(self, place: float | None) -> float:
        return 0.0 if place is None else self.slope * place

    def state_dict(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {"slope": self.slope, "anchor": self._anchor, "model": self._model.state_dict()}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> CostModel:
        """The model that goes on where the saved one stood."""
        model = cls(state["slope"])
        model._anchor = state["anchor"]
        model._model = BayesianRidge.from_state(state["model"])
        return model


def _log(cost: float) -> float:
    return math.log(max(cost, 1e-12))


def _features(place: float | None) -> NDArray[np.float64]:
    z = 0.0 if place is None else place
    return np.array([1.0, z, z * z])
