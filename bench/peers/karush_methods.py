"""karush's own methods, called as a user calls them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ...problems.nlp import NLP
from ..environment import karush_version
from ..recording import Recorder
from .protocol import Answer, Watch

_MANY = 1_000_000


@dataclass(frozen=True)
class KarushPeer:
    """A method of `karush.solvers.methods` with its defaults, but no limit on iterations: time is it.

    The option ``preconditioner=path/to/file.py:function`` calls the function with the problem, and passes on
    what it returns.
    """

    name: str

    def version(self) -> str:
        """Release and digest of the solvers' sources."""
        return f"karush {karush_version()}"

    def unavailable(self) -> str | None:
        """It is here."""
        return None

    def unsuitable(self, problem: NLP) -> str | None:
        """What of the problem is outside the method's scope."""
        from ...solvers.methods import scope_of

        return scope_of(self.name).refusal(problem)

    def check_options(self, options: dict[str, Any]) -> None:
        """Raise ValueError for a name that is no field of the method."""
        from ...solvers.methods import make_method

        make_method(self.name, options)

    def solve(
        self,
        problem: Recorder,
        options: dict[str, Any],
        time_limit: float,
        tol: float,
        watch: Watch | None = None,
    ) -> Answer:
        """Run `karush.minimize`."""
        from ...solvers.minimize import minimize
        from ...solvers.status import Status

        def show(intermediate_result: Any) -> None:
            assert watch is not None
            watch(intermediate_result.record)

        result = minimize(
            problem,
            method=self.name,
            tol=tol,
            callback=None if watch is None else show,
            options={"max_time": time_limit, "max_iterations": _MANY, **_filled_in(options, problem)},
        )
        return Answer(
            x=result.x,
            y=result.y,
            z=result.z,
            claimed=bool(result.success),
            message=f"{result.status.name}: {result.message}",
            iterations=int(result.nit),
            out_of_time=result.status is Status.TIME_LIMIT,
        )


def _filled_in(options: dict[str, Any], problem: NLP) -> dict[str, Any]:
    """Options with a preconditioner that was named by its file made for the problem."""
    from ..suites import load_function, own_file

    named = options.get("preconditioner")
    path, function = own_file(named) if isinstance(named, str) else (None, "")
    if path is None:
        return options
    return {**options, "preconditioner": load_function(path, function)(problem)}
