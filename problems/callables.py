"""Plain callables in scipy's form as an `NLP`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import ArrayLike
from scipy.optimize import Bounds, HessianUpdateStrategy

from .callable_constraints import (
    ConstraintBlock,
    Tools,
    as_sequence,
    broadcast_bounds,
    check_hess,
    checked_jac,
    constraint_block,
    other_curvature,
    require_callable,
)
from .callable_curvature import (
    Curvature,
    GivenCurvature,
    NoCurvature,
    lower_pattern,
    products_to_matrix,
)
from .callable_functions import CallableFunction
from .nlp import NLP, Capabilities, DerivativeSource, IndexVector, Metadata, Vector
from .parallel_map import MapLike
from .validation import as_vector, checked_vector


def from_callables(
    fun: Callable[..., Any],
    x0: ArrayLike,
    args: Any = (),
    jac: Any = None,
    hess: Any = None,
    hessp: Callable[..., Any] | None = None,
    bounds: Any = None,
    constraints: Any = (),
    *,
    name: str | None = None,
    classification: str = "",
    optimum: float | None = None,
    source: str = "",
    finite_diff_rel_step: ArrayLike | None = None,
    hess_sparsity: Any = None,
    mapper: MapLike = map,
) -> CallableProblem:
    """Make a problem of what `scipy.optimize.minimize` takes.

    Parameters
    ----------
    fun : callable
        ``fun(x, *args)``: the objective, a number or an array of one.
    x0 : array_like, shape (n,)
        Start.
    args : tuple, default ()
        Extra arguments of fun, jac, hess and hessp; anything else counts as a tuple of one.
    jac : callable, bool, or the name of a scheme or tool, optional
        ``jac(x, *args)``, shape (n,); True: fun returns (value, gradient). "2-point", "3-point": differences;
        "cs" or "complex-step": the complex step; "autograd", "jax", "casadi": automatic differentiation by
        the tool (an extra of karush). Steps and tools asked for by name are compared with differences at the
        first gradient: a wrong complex step is an error, a tool's disagreement, which may be a kink, a
        warning. Default: the complex step where it proves right (checked against differences at the start,
        and again now and then), otherwise central differences.
    hess : callable, name of a scheme or tool, or HessianUpdateStrategy, optional
        ``hess(x, *args)``: dense, sparse or LinearOperator, shape (n, n). "2-point", "3-point", "cs":
        differences of the gradient. A tool: exact. An update strategy: none, solvers approximate. Default:
        the tool that gives the gradient; else forward differences of the gradient where that is exact or a
        complex step, otherwise none.
    hessp : callable, optional
        ``hessp(x, p, *args)``: Hessian times p; not used where hess is given.
    bounds : scipy.optimize.Bounds or sequence of (lower, upper), optional
        None in a pair stands for no bound. No evaluation leaves the bounds, differences included; the
        derivative by differences along a variable fixed by its bounds is 0.
    constraints : LinearConstraint, NonlinearConstraint, dict, or a sequence of these, default ()
        Rows in the order given. The defaults of NonlinearConstraint, ``jac="2-point"`` and BFGS for ``hess``,
        count as not given.
        Their ``jac`` and ``hess`` take the tools' names too; those of the objective say nothing about them.
        ``keep_feasible`` of constraints is recorded (`CallableProblem.keep_feasible`), not enforced.
    name : str, optional
        Default: that of fun.
    classification, optimum, source : optional
        Metadata.
    finite_diff_rel_step : array_like, optional
        Relative step of the objective's differences.
    hess_sparsity : sparse or array_like, shape (n, n), optional
        Where the objective's Hessian may be nonzero.
    mapper : callable, default map
        Evaluates functions at several points for differences, with the signature of `map`; `open_map` makes
        one of scipy's ``workers``. The answer does not depend on it.

    Returns
    -------
    CallableProblem

    Raises
    ------
    ImportError
        A tool that is not installed; the message says how to install it.
    TypeError, ValueError
        Bad input, by name. Nonlinear constraints are evaluated once at the start to count their rows; what
        they raise passes unchanged.
    """
    require_callable("fun", fun)
    start = as_vector("x0", np.atleast_1d(x0) if np.ndim(x0) == 0 else x0)
    if start.size == 0:
        raise ValueError("x0 must hold at least one variable, got shape (0,)")
    args = args if isinstance(args, tuple) else (args,)
    lb, ub = read_bounds("bounds", bounds, start.size)
    jac = checked_jac("jac", jac)
    check_hess("hess", hess, jac)
    if hessp is not None:
        require_callable("hessp", hessp)
    tools = Tools("fun", fun, args, start.size, jac, hess)
    objective = tools.function(lb, ub, oracle="objective", relative_step=finite_diff_rel_step, mapper=mapper)
    product = None if hessp is None or hess is not None else _product(hessp, args, start.size)
    if tools.second is not None and product is None:
        curvature = tools.curvature("hess", lb, ub, 1, hess_sparsity)
    else:
        curvature = _objective_curvature(objective, hess, product, args, lb, ub, hess_sparsity)
    base = np.clip(start, lb, ub)
    blocks = [
        constraint_block(f"constraints[{k}]" if many else "constraints", item, base, lb, ub, mapper)
        for many, items in [as_sequence(constraints)]
        for k, item in enumerate(items)
    ]
    metadata = Metadata(
        name=getattr(fun, "__name__", type(fun).__name__) if name is None else name,
        x0=start,
        lb=lb,
        ub=ub,
        cl=np.concatenate([np.zeros(0), *(block.lower for block in blocks)]),
        cu=np.concatenate([np.zeros(0), *(block.upper for block in blocks)]),
        y0=np.zeros(sum(block.lower.size for block in blocks)),
        classification=classification,
        optimum=optimum,
        source=source,
    )
    return CallableProblem(metadata, objective, curvature, product, blocks)


class CallableProblem(NLP):
    """A problem made of plain callables by `from_callables`.

    Attributes
    ----------
    capabilities : Capabilities
        Where derivatives come from. Asking may evaluate functions at the start, to test the complex step.
    keep_feasible : ndarray of bool, shape (m,)
        Rows that the user wants feasible throughout.
    """

    def __init__(
        self,
        metadata: Metadata,
        objective: CallableFunction,
        curvature: Curvature,
        hessp: Callable[[Vector, Vector], Vector] | None,
        blocks: Sequence[ConstraintBlock],
    ) -> None:
        self._objective, self._curvature, self._hessp = objective, curvature, hessp
        self._blocks: list[ConstraintBlock] = list(blocks)
        super().__init__(metadata)
        self._base = np.clip(self.x0, self.lb, self.ub)
        sizes = [block.lower.size for block in self._blocks]
        self._rows = np.concatenate([[0], np.cumsum(sizes)]).astype(np.int64)
        flags = [np.broadcast_to(b.keep_feasible, b.lower.shape) for b in self._blocks]
        self.keep_feasible = np.concatenate([np.zeros(0, dtype=bool), *flags])
        self._jacobian_pattern: tuple[IndexVector, IndexVector] | None = None
        self._merged: tuple[IndexVector, list[IndexVector]] | None = None

    @property
    def capabilities(self) -> Capabilities:
        """Where derivatives come from, as far as is known by now."""
        functions = [self._objective] + [b.function for b in self._blocks if b.function is not None]
        first = _worst([function.source(self._base) for function in functions])
        second = _worst([c.source(self._base) for c in self._all_curvatures()])
        products = self._hessp is not None
        found = Capabilities(first=first, second=second, matrix_free=products, hessian_matrix=not products)
        self.metadata.capabilities = found
        return found

    @capabilities.setter
    def capabilities(self, value: Capabilities) -> None:
        """Only for the base class: what derivatives there are is not for others to say."""

    def objective(self, x: Vector) -> float:
        """f(x)."""
        return float(self._objective.values(x)[0])

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        return _deliver(self._objective.jacobian_values(x), out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        # A list, since a generator would change a StopIteration of the user's.
        return _deliver(np.concatenate([np.zeros(0), *[block.values(x) for block in self._blocks]]), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian."""
        if self._jacobian_pattern is None:
            patterns = [block.pattern(self._base) for block in self._blocks]
            counts = [np.diff(pattern.indptr) for pattern in patterns]
            indptr = np.concatenate([[0], np.cumsum(np.concatenate([np.zeros(0, dtype=np.int64), *counts]))])
            indices = np.concatenate([np.zeros(0, dtype=np.int64), *(p.columns for p in patterns)])
            self._jacobian_pattern = indptr.astype(np.int64), indices.astype(np.int64)
        return self._jacobian_pattern

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        self.jacobian_structure()  # patterns are read at the start, not at the first x that comes along
        parts = [block.jacobian_values(x) for block in self._blocks]
        return _deliver(np.concatenate([np.zeros(0), *parts]), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the lower triangle of the Hessian of the Lagrangian."""
        self._require_second()
        return lower_pattern(self._merge()[0], self.n)

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        self._require_second()
        keys, targets = self._merge()
        value = np.zeros(keys.size)
        if sigma != 0.0:
            value[targets[0]] += self._curvature.values(x, np.array([float(sigma)]))
        self._add_constraints(value, targets, x, y)
        return _deliver(value, out)

    def hvp(
        self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Hessian of ``sigma f + y'c`` times v, by the user's hessp where there is one."""
        if self._hessp is None:
            return super().hvp(x, v, y, sigma, out)
        self._require_second()
        result = sigma * self._hessp(x, v) if sigma != 0.0 else np.zeros(self.n)
        if y is not None and any(type(b.curvature) is not NoCurvature for b in self._blocks):
            result = result + super().hvp(x, v, y, 0.0)
        return _deliver(result, out)

    def _all_curvatures(self) -> list[Curvature]:
        return [self._curvature, *(block.curvature for block in self._blocks)]

    def _add_constraints(
        self, value: Vector, targets: list[IndexVector], x: Vector, y: Vector | None
    ) -> None:
        if y is None:
            return
        for k, block in enumerate(self._blocks):
            weights = y[self._rows[k] : self._rows[k + 1]]
            if weights.any():
                value[targets[k + 1]] += block.curvature.values(x, weights)

    def _merge(self) -> tuple[IndexVector, list[IndexVector]]:
        """Keys of the whole pattern, and where each part's entries stand in it."""
        if self._merged is None:
            parts = [curvature.keys(self._base) for curvature in self._all_curvatures()]
            keys = np.unique(np.concatenate(parts)).astype(np.int64)
            self._merged = keys, [np.searchsorted(keys, part) for part in parts]
        return self._merged

    def _require_second(self) -> None:
        if self.capabilities.second == "none":
            raise NotImplementedError(
                f"problem {self.name!r} has no second derivatives: give hess or exact gradients "
                "(of every nonlinear constraint too), or let the solver approximate them"
            )


# ---- reading scipy's forms ---------------------------------------------------------------------------------


def _objective_curvature(
    objective: CallableFunction,
    hess: Any,
    product: Callable[[Vector, Vector], Vector] | None,
    args: tuple[Any, ...],
    lb: Vector,
    ub: Vector,
    sparsity: Any,
) -> Curvature:
    if callable(hess) and not isinstance(hess, HessianUpdateStrategy):
        return GivenCurvature("hess", lambda x, w: w[0] * hess(x, *args), lb, ub, 1, sparsity)
    if product is not None:
        by_columns = product
        return GivenCurvature(
            "hessp",
            lambda x, w: w[0] * products_to_matrix(lambda v: by_columns(x, v), lb.size),
            lb,
            ub,
            1,
            sparsity,
        )
    return other_curvature(objective, hess, lb, ub, sparsity)


def _product(hessp: Callable[..., Any], args: tuple[Any, ...], n: int) -> Callable[[Vector, Vector], Vector]:
    def product(x: Vector, v: Vector) -> Vector:
        return checked_vector("hessp", np.atleast_1d(hessp(x.copy(), v.copy(), *args)), n)

    return product


def read_bounds(name: str, bounds: Any, n: int) -> tuple[Vector, Vector]:
    """Lower and upper bounds, shape (n,), of a Bounds object or of pairs in which None is no bound.

    Raises
    ------
    TypeError, ValueError
        Not n pairs of numbers, NaN, or crossed; `name` is the argument's.
    """
    if bounds is None:
        return np.full(n, -np.inf), np.full(n, np.inf)
    if isinstance(bounds, Bounds):
        lower, upper = bounds.lb, bounds.ub
    else:
        pairs = list(bounds)
        if len(pairs) != n or any(np.size(pair) != 2 for pair in pairs):
            raise ValueError(
                f"{name} must be a Bounds object or {n} pairs (lower, upper), one per variable, "
                f"got {len(pairs)} items"
            )
        lower = [-np.inf if low is None else low for low, _ in pairs]
        upper = [np.inf if high is None else high for _, high in pairs]
    return broadcast_bounds(f"{name}.lb", f"{name}.ub", lower, upper, n)


def _worst(sources: list[DerivativeSource]) -> DerivativeSource:
    order: list[DerivativeSource] = ["exact", "complex-step", "finite-difference", "none"]
    return max(sources, key=order.index, default="exact")


def _deliver(value: Vector, out: Vector | None) -> Vector:
    """A copy: what functions remember stays theirs."""
    if out is None:
        return value.copy()
    out[...] = value
    return out
