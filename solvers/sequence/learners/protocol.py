"""What a learner is: it proposes a parameter for each system and hears what that cost."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
from numpy.typing import NDArray

Vector = NDArray[np.float64]


@dataclass(frozen=True)
class Context:
    """What is known of a system before it is solved.

    Attributes
    ----------
    value : float or None
        The user's context: a shift, a coefficient, a step size.
    gap : float or None
        delta = lambda_min(D^-1 A) = 1 - rho(I - D^-1 A) for symmetric positive definite A; computed only for
        learners with `Learner.needs_gap`.
    """

    value: float | None = None
    gap: float | None = None


@dataclass(frozen=True)
class Choice:
    """A proposal, to be handed back with its loss.

    Attributes
    ----------
    arm : int
        Index of the parameter among the learner's.
    omega : float
        The relaxation parameter.
    context : Context
        What it was chosen for.
    probability : float
        With which the arm was drawn; 1 where the choice was not random.
    """

    arm: int
    omega: float
    context: Context = Context()
    probability: float = 1.0


class Learner(ABC):
    """A rule that chooses the relaxation parameter omega of each system from the losses before it.

    Calls alternate: `choose`, then `update` with that choice and its loss, a positive number such as
    iterations or seconds. A learner knows nothing of matrices.
    """

    kind: ClassVar[str]
    """Name among the learners, and in saved states."""

    needs_gap: ClassVar[bool] = False
    """Whether it wants `Context.gap`."""

    needs_context: ClassVar[bool] = False
    """Whether it cannot do without `Context.value`."""

    @abstractmethod
    def choose(self, context: Context) -> Choice:
        """A parameter for the next system."""

    @abstractmethod
    def update(self, choice: Choice, loss: float) -> None:
        """Learn from the loss of a choice."""

    @abstractmethod
    def state_dict(self) -> dict[str, Any]:
        """Everything that the future depends on, in the types of JSON; `kind` included."""

    @classmethod
    @abstractmethod
    def from_state(cls, state: dict[str, Any]) -> Learner:
        """The learner that goes on where the saved one stood."""

    def estimated_regret(self) -> float | None:
        """Own estimate of the losses so far above those of its best fixed arm; None where it has none."""
        return None


def omega_grid(count: int = 20, low: float = 1.0, high: float = 1.95) -> Vector:
    """The paper's grid; omega below 1 never pays on the matrices where SOR is used."""
    return np.linspace(low, high, count)


def checked_grid(grid: Sequence[float] | Vector | None) -> Vector:
    """The grid, or the default one.

    Raises
    ------
    ValueError
        Not a vector of increasing numbers in (0, 2).
    """
    if grid is None:
        return omega_grid()
    values = np.array(grid, dtype=np.float64)
    if values.ndim != 1 or values.size == 0 or not ((values > 0.0) & (values < 2.0)).all():
        raise ValueError(f"grid must be a vector of relaxation parameters in (0, 2), got {grid!r}")
    if (np.diff(values) <= 0.0).any():
        raise ValueError("grid must increase")
    return values


def checked_loss(loss: float) -> float:
    """The loss as a float; ValueError where it is not finite and nonnegative."""
    if not (math.isfinite(loss) and loss >= 0.0):
        raise ValueError(f"loss must be finite and nonnegative, got {loss!r}")
    return float(loss)


@dataclass(frozen=True)
class ContextInterval:
    """Where contexts lie, and their map to [-1, 1].

    Attributes
    ----------
    low, high : float
        Its ends; contexts beyond them count as the ends.
    scale : {"linear", "log"}
        "log" where contexts spread over orders of magnitude.
    """

    low: float
    high: float
    scale: Literal["linear", "log"] = "linear"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.low) and math.isfinite(self.high) and self.low < self.high):
            raise ValueError(
                f"context_range must be (low, high) with low < high, got ({self.low}, {self.high})"
            )
        if self.scale not in ("linear", "log"):
            raise ValueError(f"context_scale must be 'linear' or 'log', got {self.scale!r}")
        if self.scale == "log" and self.low <= 0.0:
            raise ValueError(f"context_scale='log' needs a positive context_range, got low = {self.low}")

    def unit(self, context: Context) -> float:
        """The context's place in [-1, 1].

        Raises
        ------
        ValueError
            Where there is no finite context.
        """
        value = context.value
        if value is None or not math.isfinite(value):
            raise ValueError(f"this learner needs a finite context with every system, got {value!r}")
        value = min(max(value, self.low), self.high)
        if self.scale == "log":
            return 2.0 * math.log(value / self.low) / math.log(self.high / self.low) - 1.0
        return 2.0 * (value - self.low) / (self.high - self.low) - 1.0

    def state_dict(self) -> dict[str, Any]:
        """In the types of JSON."""
        return {"low": self.low, "high": self.high, "scale": self.scale}


def draw(rng: np.random.Generator, probabilities: Vector) -> int:
    """An index drawn with these probabilities, which may miss the sum of 1 by rounding."""
    cumulative = np.cumsum(probabilities)
    arm = int(np.searchsorted(cumulative, rng.random() * cumulative[-1], side="right"))
    return min(arm, probabilities.size - 1)


def saved_rng(rng: np.random.Generator) -> dict[str, Any]:
    """State of a generator in the types of JSON."""
    state: dict[str, Any] = _plain(rng.bit_generator.state)
    return state


def restored_rng(state: dict[str, Any]) -> np.random.Generator:
    """The generator that goes on where the saved one stood."""
    bits = getattr(np.random, state["bit_generator"])()
    bits.state = state
    return np.random.Generator(bits)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value.tolist() if isinstance(value, np.ndarray | np.generic) else value
