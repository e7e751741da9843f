"""The one-scalar learner: omega follows the gap of each system, by one number that is learned."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from ..bayesian_ridge import BayesianRidge
from .closed_form import Iteration, gap_of, optimal_omega
from .protocol import Choice, Context, Learner, Vector, checked_loss

_LOWEST_GAP = 1e-10
_LARGEST = 1.9999
# Standard deviations of the coefficients of 1, z, z^2, u, u z, u^2 around the theoretical loss: the level is
# free, the dependence on the gap nearly so, the shape in omega is trusted most.
_PRIOR = (5.0, 0.5, 0.1, 0.3, 0.1, 0.05)
_NOISE = 0.06  # standard deviation of the log losses of like systems
_FORGET = 0.99  # sequences change, and so do estimates of the gap


class OneScalar(Learner):
    """omega = omega*(theta delta), theta chosen by a model of the losses over all systems so far.

    delta = 1 - rho(I - D^-1 A) is the system's gap and omega* the closed form, for which theta = 1. The log
    loss is the one that theory gives for a matrix with this gap plus a quadratic in z = log delta and
    u = 1/2 log(2 theta delta) with normal priors on its six coefficients; theta minimises mean - `optimism` x
    standard deviation of the posterior. A handful of systems suffices, since every loss tells of all thetas
    and all gaps. No randomness.

    Parameters
    ----------
    iteration : {"ssor-cg", "sor"}
        What omega is for.
    optimism : float
        Standard deviations by which an uncertain theta is favoured.
    rounding : float
        Standard deviation of a loss's rounding: counts of a few iterations say little about omega. 0 for
        times.
    first : float
        theta of the first system: between 1, right for constant diagonals, and 16 to 64, right for
        heterogeneous matrices.

    References
    ----------
    Axelsson's bound on the condition of the SSOR-preconditioned matrix (BIT 12, 1972) is the theory's loss.
    """

    kind = "one-scalar"
    needs_gap = True

    def __init__(
        self,
        iteration: Iteration = "ssor-cg",
        *,
        optimism: float = 1.0,
        rounding: float = 0.5,
        first: float | None = None,
    ) -> None:
        optimal_omega(1.0, iteration)
        if not optimism >= 0.0:
            raise ValueError(f"optimism must be nonnegative, got {optimism}")
        if not rounding >= 0.0:
            raise ValueError(f"rounding must be nonnegative, got {rounding}")
        self.iteration: Iteration = iteration
        self.optimism, self.rounding = float(optimism), float(rounding)
        self.first = (4.0 if iteration == "ssor-cg" else 1.0) if first is None else float(first)
        if not self.first > 0.0:
            raise ValueError(f"first must be positive, got {first}")
        self.thetas = 2.0 ** (
            np.arange(-1.0, 9.01, 0.25) if iteration == "ssor-cg" else np.arange(-3, 3.01, 0.25)
        )
        self.model = BayesianRidge(_PRIOR, _NOISE, _FORGET)

    def choose(self, context: Context) -> Choice:
        """The theta of the least lower confidence bound, and its omega."""
        gap = _clipped(gap_of(context))
        usable = self.thetas * gap <= (0.5 if self.iteration == "ssor-cg" else 1.0)
        usable[0] = True  # beyond, omega falls below 1
        if self.model.observations == 0:
            merit = np.abs(np.log(self.thetas / self.first))
        else:
            mean, deviation = self.model.predict(self._features(self.thetas, gap))
            merit = mean + _theory(self.thetas, gap, self.iteration) - self.optimism * deviation
        arm = int(np.argmin(np.where(usable, merit, np.inf)))
        omega = optimal_omega(float(self.thetas[arm]) * gap, self.iteration)
        return Choice(arm, min(omega, _LARGEST), context)

    def update(self, choice: Choice, loss: float) -> None:
        """Condition the model on the loss."""
        gap, theta = _clipped(gap_of(choice.context)), self.thetas[choice.arm : choice.arm + 1]
        loss = max(checked_loss(loss), 1e-12)
        residual = math.log(loss) - _theory(theta, gap, self.iteration)[0]
        weight = 1.0 / (1.0 + (self.rounding / (loss * _NOISE)) ** 2)
        self.model.add(self._features(theta, gap)[0], float(residual), weight)

    def _features(self, thetas: Vector, gap: float) -> Vector:
        z = np.full(thetas.size, math.log(gap) + 4.0)
        u = 0.5 * np.log(2.0 * thetas * gap) + 1.0
        return np.stack([np.ones_like(z), z, z * z, u, u * z, u * u], axis=1)

    def state_dict(self) -> dict[str, Any]:
        """Options and the model's sums."""
        return {
            "kind": self.kind,
            "iteration": self.iteration,
            "optimism": self.optimism,
            "rounding": self.rounding,
            "first": self.first,
            "model": self.model.state_dict(),
        }

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> OneScalar:
        """The learner that goes on where the saved one stood."""
        options = {name: state[name] for name in ("optimism", "rounding", "first")}
        learner = cls(state["iteration"], **options)
        learner.model = BayesianRidge.from_state(state["model"])
        return learner


def _theory(thetas: Vector, gap: float, iteration: Iteration) -> Vector:
    """Log of the iterations for omega*(theta gap) where the matrix behaves like one of constant diagonal.

    SSOR-CG: half the log of the bound 1/s + s/(2 delta), s = (2 - omega)/omega, on the condition number, up
    to a constant. SOR: by Young's spectral radius.
    """
    if iteration == "ssor-cg":
        s = np.sqrt(2.0 * thetas * gap)
        return np.asarray(0.5 * np.log(1.0 / s + 0.5 * s / gap))
    beta = 1.0 - gap
    omega = np.array([optimal_omega(theta * gap, iteration) for theta in thetas])
    inside = np.maximum((omega * beta) ** 2 - 4.0 * (omega - 1.0), 0.0)
    rho = np.where(inside > 0.0, 0.25 * (omega * beta + np.sqrt(inside)) ** 2, omega - 1.0)
    return np.asarray(-np.log(-np.log(np.clip(rho, 1e-8, 1.0 - 1e-12))))


def _clipped(gap: float) -> float:
    return min(max(gap, _LOWEST_GAP), 1.0)
