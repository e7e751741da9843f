"""No learning: the same omega for every system."""

from __future__ import annotations

from typing import Any

from .protocol import Choice, Context, Learner, checked_grid


class Fixed(Learner):
    """Always the same relaxation parameter.

    Parameters
    ----------
    omega : float
        In (0, 2); 1 is Gauss-Seidel.
    """

    kind = "fixed"

    def __init__(self, omega: float = 1.0) -> None:
        self.omega = float(checked_grid([omega])[0])

    def choose(self, context: Context) -> Choice:
        """The parameter."""
        return Choice(0, self.omega, context)

    def update(self, choice: Choice, loss: float) -> None:
        """Nothing to learn."""

    def state_dict(self) -> dict[str, Any]:
        """The parameter."""
        return {"kind": self.kind, "omega": self.omega}

    @classmethod
    def from_state(cls, state: dict[str, Any]) -> Fixed:
        """The same rule again."""
        return cls(state["omega"])
