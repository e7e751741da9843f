"""ChebCB: losses of every omega as Chebyshev series in the context, inverse gap weighting on top."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.polynomial.chebyshev import chebvander
from scipy.optimize import lsq_linear

from .protocol import (
    Choice,
    Context,
    ContextInterval,
    Learner,
    Vector,
    checked_grid,
    checked_loss,
    draw,
    restored_rng,
    saved_rng,
)

_RANK_TOLERANCE = 1e-12  # of eigenvalues of the Gram matrices, relative


class ChebCB(Learner):
    """SquareCB with a Chebyshev regression oracle for every arm.

    With K the largest loss, Lambda the losses' spread over the length b - a of the contexts' interval, m
    terms and N = 2 + 4 (b - a) Lambda (1 + ln m)/K, the loss enters as (loss - floor)/(K N); coefficients are
    those of least squares, of least norm, within |theta_0| <= 1/N and |theta_j| <= 2 (b - a) Lambda/(K N j).
    K and Lambda are those of the losses seen so far. The exploration falls with eta = 2 t sqrt(d t/(R - r + 2
    alpha^2 t)), as in the authors' own experiments (theory has no factor t).

    Parameters
    ----------
    interval : ContextInterval
        Where contexts lie.
    terms : int
        m, of the series.
    grid : sequence of float, optional
        The arms; default 20 values in [1, 1.95].
    rng : None, int or Generator
        Source of the draws.
    floor : float
        Smallest loss there can be: 1 for iterations, 0 for times.

    References
    ----------
    Khodak, Chow, Balcan & Talwalkar, ICLR 2024, algorithm 2 and its appendix; Foster & Rakhlin, ICML 2020.
    """

    kind = "chebcb"
    needs_context = True

    def __init__(
        self,
        interval: ContextInterval,
        terms: int = 6,
        grid: Sequence[float] | Vector | None = None,
        rng: Any = None,
        *,
        floor: float = 1.0,
    ) -> None:
        if terms < 1:
            raise ValueError(f"terms must be at least 1, got {terms}")
        self.interval, self.terms, self.floor = interval, terms, float(floor)
        self.grid = checked_grid(grid)
        self.rng = np.random.default_rng(rng)
        d = self.grid.size
        self.gram = np.zeros((d, terms, terms))  # of the arms' features
        self.moments = np.zeros((d, terms))  # features times losses above the floor
        self.squares = np.zeros(d)  # of the losses above the floor
        self.theta = np.zeros((d, terms))  # coefficients of the losses above the floor, unscaled
        self.rounds = 0
        self.largest, self.smallest = 0.0, math.inf
        self.eta = 0.0
        # Sums for R = sum (prediction - loss/(K N))^2, whose K N changes while predictions stay.
        self.predicted, self.crossed, self.lost = 0.0, 0.0, 0.0

    def choose(self, context: Context) -> Choice:
        """Draw with p_i = 1/(d + eta (y_i - y*)), the rest on the arm that looks best."""
        y = self.theta @ self._features(context) / self._normalisation()
        best, d = int(np.argmin(y)), y.size
        p = 1.0 / (d + self.eta * (y - y[best]))
        p[best] = 0.0
        p[best] = 1.0 - p.sum()
        arm = draw(self.rng, p)
        return Choice(arm, float(self.grid[arm]), context, float(p[arm]))

    def update(self, choice: Choice, loss: float) -> None:
        """Refit the arm, or all of them where the losses' range has grown; set eta."""
        loss, features, arm = checked_loss(loss), self._features(choice.context), choice.arm
        prediction = float(self.theta[arm] @ features) / self._normalisation()
        excess, bounds = loss - self.floor, self._bounds()
        self.gram[arm] += np.outer(features, features)
        self.moments[arm] += excess * features
        self.squares[arm] += excess**2
        self.rounds += 1
        self.largest, self.smallest = max(self.largest, loss), min(self.smallest, loss)
        self.predicted += prediction**2
        self.crossed += prediction * loss
        self.lost += loss**2
        grown = not np.array_equal(bounds, self._bounds())
        residual = 0.0
        for i in np.flatnonzero(self.squares > 0.0) if grown else [arm]:
            residual = self._fit(int(i))
        self._set_learning_rate(residual)

    def _features(self, context: Context) -> Vector:
        return np.asarray(chebvander(self.interval.unit(context), self.terms - 1), dtype=np.float64).ravel()

    @property
    def _spread(self) -> float:
        """(b - a) Lambda: the losses' range."""
        return self.largest - self.smallest if self.rounds else 0.0

    def _normalisation(self) -> float:
        """K N; 1 before the first loss."""
        if self.largest == 0.0:
            return 1.0
        return 2.0 * self.largest + 4.0 * self._spread * (1.0 + math.log(self.terms))

    def _bounds(self) -> Vector:
        """Of the coefficients, before the division by K N."""
        j = np.maximum(np.arange(self.terms), 1)
        bounds: Vector = 2.0 * self._spread / j
        bounds[0] = self.largest
        return bounds

    def _fit(self, arm: int) -> float:
        """Least squares of least norm, in the box where that leaves it; residual of the latter, else 0.

        By the eigenvalues of the Gram matrix: its square root stands for the features.
        """
        bounds = self._bounds()
        values, vectors = np.linalg.eigh(self.gram[arm])
        kept = values > _RANK_TOLERANCE * values[-1]
        roots, vectors = np.sqrt(values[kept]), vectors[:, kept]
        target = (vectors.T @ self.moments[arm]) / roots
        theta = vectors @ (target / roots)
        residual = 0.0
        if (np.abs(theta) > bounds).any():
            safe = np.maximum(bounds, 1e-12 * max(self.largest, 1e-300))  # an interval must not be a point
            theta = lsq_linear(roots[:, None] * vectors.T, target, bounds=(-safe, safe), method="bvls").x
            inside = float(((roots * (vectors.T @ theta) - target) ** 2).sum())
            outside = max(float(self.squares[arm] - target @ target), 0.0)  # what no coefficients explain
            residual = (inside + outside) / self._normalisation() ** 2
        self.theta[arm] = theta
        return residual

    def _set_learning_rate(self, residual: float) -> None:
        d, t, m = self.grid.size, self.rounds, self.terms
        scale = self._normalisation()
        alpha = (math.pi + 2.0 / math.pi * math.log(2 * m + 1)) * self._spread / (2.0 * scale * (m + 1))
        error = self.predicted - 2.0 * self.crossed / scale + self.lost / scale**2
        room = max(error - residual + 2.0 * alpha**2 * t, 1e-12)
        self.eta = 2.0 * t * math.sqrt(d * t / room)

    def state_dict(self) -> dict[str, Any]:
        """Options, sums of the regressions and the generator."""
        return {
            "kind": self.kind,
            "interval": self.interval.state_dict(),
            "terms": self.terms,
            "grid": self.grid.tolist(),
            "floor": self.floor,
            "arrays": {name: getattr(self, name).tolist() for name in _ARRAYS},
            "numbers": {name: getattr(self, name) for name in _NUMBERS if math.isfinite(getattr(self, name))},
            "rng": saved_rng(self.rng),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ChebCB:
        """The learner that goes on where the saved one stood."""
        learner = cls(
            ContextInterval(**state["interval"]),
            state["terms"],
            state["grid"],
            restored_rng(state["rng"]),
            floor=state["floor"],
        )
        for name, values in state["arrays"].items():
            setattr(learner, name, np.array(values))
        for name, value in state["numbers"].items():
            setattr(learner, name, value)
        return learner


_ARRAYS = ("gram", "moments", "squares", "theta")
_NUMBERS = ("rounds", "largest", "smallest", "eta", "predicted", "crossed", "lost")
