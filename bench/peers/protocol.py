"""What a sweep asks of a solver, and what it gets back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

from ...problems.nlp import NLP, Vector
from ..recording import Recorder

Watch = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Answer:
    """Where a solver stopped.

    Attributes
    ----------
    x : ndarray, shape (n,)
        Its point.
    y, z : ndarray or None, shapes (m,) and (n,)
        Its multipliers of constraints and bounds in the sign of ``L = f + y'c + z'x``, where it has any.
    claimed : bool
        Its own word that it succeeded. Reported beside the certificate, never used in its place.
    message : str
        Its own message.
    iterations : int or None
        Iterations by its own count.
    out_of_time : bool
        It stopped for the time limit.
    """

    x: Vector
    y: Vector | None = None
    z: Vector | None = None
    claimed: bool = False
    message: str = ""
    iterations: int | None = None
    out_of_time: bool = False


class Peer(Protocol):
    """A solver behind the one interface of the sweep."""

    @property
    def name(self) -> str:
        """Name on the command line and in reports."""
        ...

    def version(self) -> str:
        """Version of its code, part of the identity of a result."""
        ...

    def unavailable(self) -> str | None:
        """Why it cannot run here at all (what to install), None where it can."""
        ...

    def unsuitable(self, problem: NLP) -> str | None:
        """Why it cannot take this problem, None where it can."""
        ...

    def check_options(self, options: dict[str, Any]) -> None:
        """Raise ValueError where an option's name is unknown."""
        ...

    def solve(
        self,
        problem: Recorder,
        options: dict[str, Any],
        time_limit: float,
        tol: float,
        watch: Watch | None = None,
    ) -> Answer:
        """Solve from ``problem.x0``; `watch` is shown the iterations, where the solver lets one look."""
        ...
