"""The bilevel problem: two nonlinear problems over the same variables (x, y), the lower one solved by y.

    min F(x, y)  subject to  x in X,  cl_F <= G(x, y) <= cu_F,
                             y solves  min f(x, .)  over  y in Y,  cl_f <= g(x, y) <= cu_f.

Where several y solve the lower level, the upper one chooses among them (the optimistic problem).
"""

from __future__ import annotations

from collections.abc import Callable
from copy import copy
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ..nlp import NLP, Vector
from .sets import Box, ConvexSet, is_box
from .with_sets import with_sets


@dataclass(frozen=True, eq=False)
class Sampled:
    """Both levels as expectations: what stochastic methods know of a problem.

    Attributes
    ----------
    sample : callable
        ``sample(rng, size)``: a batch of that many draws, in any form.
    upper, lower : callable
        ``upper(x, y, batch)``: unbiased estimates (F, grad_x F, grad_y F) of shapes (), (n_x,), (n_y,).
    size : int or None
        Number of samples in all, where that is finite; None for a distribution.
    """

    sample: Callable[[np.random.Generator, int], Any]
    upper: Callable[[Vector, Vector, Any], tuple[float, Vector, Vector]]
    lower: Callable[[Vector, Vector, Any], tuple[float, Vector, Vector]]
    size: int | None = None


class BilevelProblem:
    """A bilevel problem of two nonlinear problems.

    Parameters
    ----------
    upper, lower : NLP
        The levels, both over w = (x, y). Bounds of `upper` on x make the box X, those of `lower` on y the box
        Y; bounds of `upper` on y are constraints of the upper level; `lower` has no bounds on x, or bounds
        that contain X.
    n_x : int
        Number of upper variables: w[:n_x] is x.
    X, Y : ConvexSet, optional
        Further sets, for x and for y; default: the boxes alone.
    name : str, optional
        Default: that of the upper level.
    optimum : float, optional
        Best known F.
    lower_convex : bool, optional
        Whether the lower level is convex in y for every x, where that is known: one start is then enough to
        certify an answer.
    source : str, optional
        Where the problem comes from.
    sampled : Sampled, optional
        The levels as expectations, for stochastic methods.

    Raises
    ------
    TypeError, ValueError
        Levels over different numbers of variables; n_x outside 1..n - 1; sets of another size; bounds of
        the lower level on x that cut X.

    Attributes
    ----------
    n_x, n_y : int
    x0, y0 : ndarray, shapes (n_x,), (n_y,)
        Start, put into X and Y.
    """

    def __init__(
        self,
        upper: NLP,
        lower: NLP,
        n_x: int,
        *,
        X: ConvexSet | None = None,
        Y: ConvexSet | None = None,
        name: str | None = None,
        optimum: float | None = None,
        lower_convex: bool | None = None,
        source: str = "",
        sampled: Sampled | None = None,
    ) -> None:
        for level, problem in (("upper", upper), ("lower", lower)):
            if not isinstance(problem, NLP):
                raise TypeError(f"{level} must be an NLP, got {type(problem).__name__}")
        if upper.n != lower.n:
            raise ValueError(f"both levels are over (x, y), but upper has n = {upper.n}, lower n = {lower.n}")
        if not 1 <= n_x < upper.n:
            raise ValueError(f"n_x must lie in 1..{upper.n - 1}, one variable at each level, got {n_x}")
        self.upper, self.lower = upper, lower
        self.n_x, self.n_y = int(n_x), upper.n - int(n_x)
        self.X = _set_of("X", X, upper.lb[:n_x], upper.ub[:n_x])
        self.Y = _set_of("Y", Y, lower.lb[n_x:], lower.ub[n_x:])
        if (lower.lb[:n_x] > self.X.lb).any() or (lower.ub[:n_x] < self.X.ub).any():
            raise ValueError("lower bounds x more tightly than X; bounds on x belong to the upper level")
        self.name = upper.name if name is None else name
        self.optimum, self.lower_convex, self.source = optimum, lower_convex, source
        self.sampled = sampled
        self.x0 = self.X.project(upper.x0[:n_x])
        self.y0 = self.Y.project(upper.x0[n_x:])

    def __repr__(self) -> str:
        return (
            f"<BilevelProblem {self.name}: n_x={self.n_x}, n_y={self.n_y}, m={self.upper.m} + {self.lower.m}>"
        )

    def with_levels(self, upper: NLP, lower: NLP) -> BilevelProblem:
        """The problem with levels that evaluate the same functions, such as counted ones."""
        changed = copy(self)
        changed.upper, changed.lower = upper, lower
        changed.__dict__.pop("upper_rows", None)
        changed.__dict__.pop("lower_rows", None)
        return changed

    def join(self, x: Vector, y: Vector) -> Vector:
        """W = (x, y)."""
        return np.concatenate([x, y])

    def split(self, w: Vector) -> tuple[Vector, Vector]:
        """Views of x and y in w."""
        return w[: self.n_x], w[self.n_x :]

    @cached_property
    def upper_rows(self) -> NLP:
        """The upper level with X as rows of its constraints where it is more than a box."""
        return self.upper if is_box(self.X) else with_sets(self.upper, self.X, 0)

    @cached_property
    def lower_rows(self) -> NLP:
        """The lower level with Y as rows of its constraints where it is more than a box."""
        return self.lower if is_box(self.Y) else with_sets(self.lower, self.Y, self.n_x)

    @property
    def has_second_derivatives(self) -> bool:
        """Whether both levels know second derivatives, exactly or nearly."""
        return "none" not in (self.upper.capabilities.second, self.lower.capabilities.second)


def _set_of(name: str, given: ConvexSet | None, lb: Vector, ub: Vector) -> ConvexSet:
    if given is None:
        return Box(lb, ub)
    if not isinstance(given, ConvexSet):
        raise TypeError(f"{name} must be a ConvexSet such as Box or Simplex, got {type(given).__name__}")
    if given.size != lb.size:
        raise ValueError(f"{name} must be a set of {lb.size} variables, got one of {given.size}")
    if np.isfinite(lb).any() or np.isfinite(ub).any():
        raise ValueError(f"{name} is given twice, as a set and by bounds; put the bounds into the set")
    return given
