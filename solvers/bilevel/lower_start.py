"""Where hypergradient methods start the lower level: at a point around which it is convex."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from ...problems.nlp import Vector
from .driver import Run
from .lower_newton import NotConvexError
from .lower_solution import solve_lower

T = TypeVar("T")


def from_convex_region(attempt: Callable[[Vector], T], run: Run) -> T:
    """What `attempt` makes of the start y; where f(x, .) is not convex there, of a local solution instead.

    Parameters
    ----------
    attempt : callable
        Of a y, by Newton's method.
    run : Run
        At its start.

    Raises
    ------
    NotConvexError
        Where that does not help either.
    """
    problem = run.problem
    try:
        return attempt(problem.y0.copy())
    except NotConvexError:
        return attempt(solve_lower(problem, problem.x0, problem.y0, run.tol, run.remaining_time).y)
