"""Linear regression with independent normal priors on the coefficients: means and standard deviations."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


class BayesianRidge:
    """Posterior of the coefficients of y = f'w + noise.

    Parameters
    ----------
    prior : sequence of float
        Standard deviations of the coefficients about zero.
    noise : float
        Standard deviation of an observation.
    forget : float
        Factor on the weight of all observations so far when one is added; 1 forgets nothing.
    """

    def __init__(self, prior: Sequence[float], noise: float, forget: float = 1.0) -> None:
        self.prior, self.noise, self.forget = tuple(float(p) for p in prior), float(noise), float(forget)
        self.gram = np.zeros((len(self.prior), len(self.prior)))
        self.moments = np.zeros(len(self.prior))
        self.observations = 0
        self._posterior: tuple[Vector, Vector] | None = None

    def add(self, features: Vector, y: float, weight: float = 1.0) -> None:
        """Condition on an observation; `weight` multiplies its precision."""
        self.gram = self.forget * self.gram + weight * np.outer(features, features)
        self.moments = self.forget * self.moments + weight * y * features
        self.observations += 1
        self._posterior = None

    def predict(self, features: Vector) -> tuple[Vector, Vector]:
        """Means and standard deviations of f'w for the rows f of `features`."""
        mean, covariance = self._solved()
        variance = np.einsum("ij,jk,ik->i", features, covariance, features)
        return features @ mean, np.sqrt(np.maximum(variance, 0.0))

    def predict_one(self, features: Vector) -> tuple[float, float]:
        """The same for one vector of features, faster."""
        mean, covariance = self._solved()
        return float(features @ mean), math.sqrt(max(float(features @ covariance @ features), 0.0))

    def _solved(self) -> tuple[Vector, Vector]:
        if self._posterior is None:
            precision = self.gram / self.noise**2 + np.diag(1.0 / np.square(self.prior))
            covariance = np.asarray(np.linalg.inv(precision), dtype=np.float64)
            self._posterior = (covariance @ self.moments / self.noise**2, covariance)
        return self._posterior

    def state_dict(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {
            "prior": list(self.prior),
            "noise": self.noise,
            "forget": self.forget,
            "gram": self.gram.tolist(),
            "moments": self.moments.tolist(),
            "observations": self.observations,
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> BayesianRidge:
        """The model that goes on where the saved one stood."""
        model = cls(state["prior"], state["noise"], state["forget"])
        model.gram, model.moments = np.array(state["gram"]), np.array(state["moments"])
        model.observations = state["observations"]
        return model
