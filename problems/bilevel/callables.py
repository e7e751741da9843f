"""Bilevel problems from plain callables of (x, y), in scipy's manner."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, LinearConstraint, NonlinearConstraint

from ..callable_constraints import as_sequence
from ..callables import from_callables, read_bounds
from ..nlp import Vector
from ..validation import as_finite_vector
from .problem import BilevelProblem, Sampled
from .sets import ConvexSet


def bilevel_from_callables(
    upper: Callable[..., Any],
    lower: Callable[..., Any],
    x0: ArrayLike,
    y0: ArrayLike,
    *,
    upper_jac: Any = None,
    upper_hess: Any = None,
    upper_hessp: Callable[..., Any] | None = None,
    upper_constraints: Any = (),
    x_bounds: Any = None,
    X: ConvexSet | None = None,
    lower_jac: Any = None,
    lower_hess: Any = None,
    lower_hessp: Callable[..., Any] | None = None,
    lower_constraints: Any = (),
    y_bounds: Any = None,
    Y: ConvexSet | None = None,
    name: str | None = None,
    optimum: float | None = None,
    lower_convex: bool | None = None,
    sampled: Sampled | None = None,
) -> BilevelProblem:
    """Make a bilevel problem of callables.

    Parameters
    ----------
    upper, lower : callable
        ``F(x, y)`` and ``f(x, y)``, numbers.
    x0, y0 : array_like, shapes (n_x,), (n_y,)
        Start.
    upper_jac, lower_jac : callable or name of a scheme or tool, optional
        ``jac(x, y)``: the pair of gradients by x and by y, or one array of shape (n_x + n_y,). Names as in
        `karush.minimize`; default: the complex step where it proves right, else differences.
    upper_hess, lower_hess : callable or name, optional
        ``hess(x, y)``: shape (n_x + n_y, n_x + n_y), dense or sparse. Default: differences of gradients.
    upper_hessp, lower_hessp : callable, optional
        ``hessp(x, y, p)``: that matrix times p, of n_x + n_y entries; not used where the matrix is given.
    upper_constraints, lower_constraints : LinearConstraint, NonlinearConstraint, dict, or sequence, optional
        A LinearConstraint has n_x + n_y columns, those of x first. The functions of the others are called
        with (x, y); their ``jac`` gives the pair of Jacobians by x and by y, or one of n_x + n_y columns;
        their ``hess`` is called with (x, y, v).
    x_bounds, y_bounds : Bounds or sequence of pairs, optional
        As in scipy.
    X, Y : ConvexSet, optional
        Sets in place of bounds.
    name, optimum, lower_convex, sampled : optional
        See `BilevelProblem`.

    Returns
    -------
    BilevelProblem

    Raises
    ------
    TypeError, ValueError
        Bad input, by name.

    Examples
    --------
    >>> problem = bilevel_from_callables(
    ...     lambda x, y: (x[0] - 1) ** 2 + (y[0] + 1) ** 2, lambda x, y: (y[0] - x[0]) ** 2, [3.0], [0.0]
    ... )
    >>> problem.n_x, problem.n_y
    (1, 1)
    """
    x, y = as_finite_vector("x0", np.atleast_1d(x0)), as_finite_vector("y0", np.atleast_1d(y0))
    for argument, start in (("x0", x), ("y0", y)):
        if start.size == 0:
            raise ValueError(f"{argument} must hold at least one variable, got shape (0,)")
    start = np.concatenate([x, y])
    cut = _Cut(x.size, y.size)
    bounds_x, bounds_y = read_bounds("x_bounds", x_bounds, x.size), read_bounds("y_bounds", y_bounds, y.size)
    free_x, free_y = read_bounds("x", None, x.size), read_bounds("y", None, y.size)
    upper_bounds = Bounds(*(np.concatenate(sides) for sides in zip(bounds_x, free_y, strict=True)))
    lower_bounds = Bounds(*(np.concatenate(sides) for sides in zip(free_x, bounds_y, strict=True)))
    levels = []
    for level, fun, jac, hess, hessp, constraints, bounds in (
        ("upper", upper, upper_jac, upper_hess, upper_hessp, upper_constraints, upper_bounds),
        ("lower", lower, lower_jac, lower_hess, lower_hessp, lower_constraints, lower_bounds),
    ):
        if not callable(fun):
            raise TypeError(f"{level} must be callable, got {type(fun).__name__}")
        levels.append(
            from_callables(
                cut.function(fun),
                start,
                jac=cut.derivative(jac) if callable(jac) else jac,
                hess=cut.function(hess) if callable(hess) else hess,
                hessp=cut.function(hessp) if callable(hessp) else hessp,
                bounds=bounds,
                constraints=[cut.constraint(item) for item in as_sequence(constraints)[1]],
                name=getattr(fun, "__name__", level),
            )
        )
    return BilevelProblem(
        levels[0],
        levels[1],
        x.size,
        X=X,
        Y=Y,
        name="bilevel problem" if name is None else name,
        optimum=optimum,
        lower_convex=lower_convex,
        sampled=sampled,
    )


class _Cut:
    """Functions of (x, y) as functions of w."""

    def __init__(self, n_x: int, n_y: int) -> None:
        self.n_x, self.n_y = n_x, n_y

    def function(self, fun: Callable[..., Any]) -> Callable[..., Any]:
        def of_w(w: Vector, *more: Any) -> Any:
            return fun(w[: self.n_x], w[self.n_x :], *more)

        of_w.__name__ = getattr(fun, "__name__", type(fun).__name__)
        return of_w

    def derivative(self, jac: Callable[..., Any]) -> Callable[..., Any]:
        of_w = self.function(jac)

        def joined(w: Vector, *more: Any) -> Any:
            value = of_w(w, *more)
            if not isinstance(value, tuple):
                return value
            from scipy.sparse import hstack, issparse

            if any(issparse(part) for part in value):
                return hstack(value, format="csr")
            by_x, by_y = (np.asarray(part) for part in value)
            if by_x.ndim < 2 and by_y.ndim < 2:
                return np.concatenate([np.atleast_1d(by_x), np.atleast_1d(by_y)])
            return np.hstack([by_x, by_y])

        return joined

    def constraint(self, item: Any) -> Any:
        """A constraint of scipy's, of w."""
        if isinstance(item, LinearConstraint):
            return item
        if isinstance(item, NonlinearConstraint):
            return NonlinearConstraint(
                self.function(item.fun),
                item.lb,
                item.ub,
                jac=self.derivative(item.jac) if callable(item.jac) else item.jac,
                hess=self.function(item.hess) if callable(item.hess) else item.hess,
                keep_feasible=item.keep_feasible,
            )
        if isinstance(item, dict) and callable(item.get("fun")):
            changed = {**item, "fun": self.function(item["fun"])}
            if callable(item.get("jac")):
                changed["jac"] = self.derivative(item["jac"])
            return changed
        return item
