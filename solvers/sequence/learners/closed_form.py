"""Young's optimal omega and its counterpart for SSOR-preconditioned CG: theory without learning."""

from __future__ import annotations

import math
from typing import Any, Literal

from .protocol import Choice, Context, Learner

Iteration = Literal["ssor-cg", "sor"]


def optimal_omega(gap: float, iteration: Iteration) -> float:
    """The closed form for a matrix with delta = 1 - rho(I - D^-1 A) = ``gap``.

    Parameters
    ----------
    gap : float
        In (0, 1]; values beyond are cut off.
    iteration : {"ssor-cg", "sor"}
        "sor": omega* = 2/(1 + sqrt(1 - beta^2)), exact for consistently ordered matrices (Young 1954); the
        same as 1 + (beta/(1 + sqrt(1 - beta^2)))^2. "ssor-cg": 2/(1 + sqrt(2 (1 - beta))), which minimises
        the bound on the condition of the SSOR-preconditioned matrix (Axelsson 1972).
    """
    delta = min(max(gap, 0.0), 1.0)
    if iteration == "sor":
        return 2.0 / (1.0 + math.sqrt(delta * (2.0 - delta)))
    if iteration == "ssor-cg":
        return 2.0 / (1.0 + math.sqrt(2.0 * delta))
    raise ValueError(f"iteration must be 'ssor-cg' or 'sor', got {iteration!r}")


class ClosedForm(Learner):
    """The closed form, from a few Lanczos steps on D^-1 A.

    With a constant diagonal nothing that is learned beats it; with heterogeneous matrices it is 1.5 to 2.3
    times off, and `OneScalar` is the remedy.

    Parameters
    ----------
    iteration : {"ssor-cg", "sor"}
        See `optimal_omega`.
    """

    kind = "closed-form"
    needs_gap = True

    def __init__(self, iteration: Iteration = "ssor-cg") -> None:
        optimal_omega(1.0, iteration)
        self.iteration: Iteration = iteration

    def choose(self, context: Context) -> Choice:
        """The formula's value; ValueError where there is no gap."""
        return Choice(0, min(optimal_omega(gap_of(context), self.iteration), _LARGEST), context)

    def update(self, choice: Choice, loss: float) -> None:
        """Nothing to learn."""

    def state_dict(self) -> dict[str, Any]:
        """The iteration it is meant for."""
        return {"kind": self.kind, "iteration": self.iteration}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> ClosedForm:
        """The same rule again."""
        return cls(state["iteration"])


_LARGEST = 1.9999  # a singular matrix would get omega = 2, where SSOR is none


def gap_of(context: Context) -> float:
    """The gap; ValueError where it is missing or not a number."""
    if context.gap is None or math.isnan(context.gap):
        raise ValueError(
            f"this learner needs the gap 1 - rho(I - D^-1 A) with every system, got {context.gap!r}"
        )
    return context.gap
