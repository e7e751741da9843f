"""Constraints in scipy's forms as blocks of rows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import BFGS, HessianUpdateStrategy, LinearConstraint, NonlinearConstraint
from scipy.sparse import csr_array, issparse

from .callable_curvature import Curvature, DifferencedCurvature, GivenCurvature, NoCurvature, UnknownCurvature
from .callable_functions import CallableFunction
from .colouring import Pattern
from .derivative_backends import BACKENDS, DifferentiatedFunction, differentiated
from .finite_differences import SCHEMES
from .nlp import Vector
from .parallel_map import MapLike
from .validation import as_bounds, as_real_array

_NAMED_SCHEMES = "'2-point', '3-point', 'cs'"
_NAMED_TOOLS = ", ".join(map(repr, BACKENDS))


@dataclass(frozen=True)
class ConstraintBlock:
    """Rows of one constraint: ``lower <= function(x) <= upper``, or ``matrix x`` in place of the function."""

    lower: Vector
    upper: Vector
    keep_feasible: Any
    curvature: Curvature
    function: CallableFunction | None = None
    matrix: csr_array | None = None

    def values(self, x: Vector) -> Vector:
        """Values of the rows."""
        if self.function is not None:
            return self.function.values(x)
        assert self.matrix is not None
        return np.asarray(self.matrix @ x)

    def pattern(self, x0: Vector) -> Pattern:
        """Pattern of the Jacobian of the rows."""
        return Pattern.of(self.matrix) if self.function is None else self.function.pattern(x0)

    def jacobian_values(self, x: Vector) -> Vector:
        """Values in the order of the pattern."""
        if self.function is not None:
            return self.function.jacobian_values(x)
        assert self.matrix is not None
        return np.asarray(self.matrix.data)


def constraint_block(
    label: str, item: Any, x0: Vector, lb: Vector, ub: Vector, mapper: MapLike = map
) -> ConstraintBlock:
    """One constraint, whatever form it has."""
    if isinstance(item, LinearConstraint):
        return _linear_block(label, item, x0.size)
    if isinstance(item, NonlinearConstraint):
        return _nonlinear_block(label, item, x0, lb, ub, mapper)
    if isinstance(item, dict):
        return _dict_block(label, item, x0, lb, ub, mapper)
    raise TypeError(
        f"{label} must be a LinearConstraint, a NonlinearConstraint or a dict, got {type(item).__name__}"
    )


def _linear_block(label: str, item: LinearConstraint, n: int) -> ConstraintBlock:
    raw = item.A
    matrix = csr_array(raw) if issparse(raw) else csr_array(np.atleast_2d(as_real_array(f"{label}.A", raw)))
    matrix = matrix.astype(np.float64)
    if matrix.shape[1] != n:
        raise ValueError(f"{label}.A must have {n} columns, got shape {matrix.shape}")
    if not np.isfinite(matrix.data).all():
        raise ValueError(f"{label}.A must be finite")
    matrix.sum_duplicates()
    lower, upper = _row_bounds(label, item.lb, item.ub, matrix.shape[0])
    return ConstraintBlock(lower, upper, item.keep_feasible, NoCurvature(), matrix=matrix)


def _nonlinear_block(
    label: str, item: NonlinearConstraint, x0: Vector, lb: Vector, ub: Vector, mapper: MapLike
) -> ConstraintBlock:
    require_callable(f"{label}.fun", item.fun)
    # "2-point" and BFGS are the defaults of the class, so nobody need have asked for them.
    jac = None if isinstance(item.jac, str) and item.jac == "2-point" else item.jac
    jac = checked_jac(f"{label}.jac", jac, pairs=False)
    hess = None if isinstance(item.hess, BFGS) else item.hess
    check_hess(f"{label}.hess", hess, jac)
    tools = Tools(f"{label}.fun", item.fun, (), lb.size, jac, hess)
    function = tools.function(
        lb,
        ub,
        oracle="constraints",
        jac_label=f"{label}.jac",
        sparsity=item.finite_diff_jac_sparsity,
        relative_step=item.finite_diff_rel_step,
        mapper=mapper,
    )
    m = function.values(x0).size
    curvature: Curvature
    if tools.second is not None:
        curvature = tools.curvature(f"{label}.hess", lb, ub, m)
    elif callable(hess) and not isinstance(hess, HessianUpdateStrategy):
        curvature = GivenCurvature(f"{label}.hess", hess, lb, ub, m)
    else:
        curvature = other_curvature(function, hess, lb, ub, None)
    lower, upper = _row_bounds(label, item.lb, item.ub, m)
    return ConstraintBlock(lower, upper, item.keep_feasible, curvature, function)


def _dict_block(
    label: str, item: dict[str, Any], x0: Vector, lb: Vector, ub: Vector, mapper: MapLike
) -> ConstraintBlock:
    for key in ("type", "fun"):
        if key not in item:
            raise ValueError(f"{label} must have the key {key!r}, got the keys {sorted(map(str, item))}")
    kind = str(item["type"]).lower()
    if kind not in ("eq", "ineq"):
        raise ValueError(f"{label}['type'] must be 'eq' or 'ineq', got {item['type']!r}")
    require_callable(f"{label}['fun']", item["fun"])
    args = item.get("args", ())
    jac = checked_jac(f"{label}['jac']", item.get("jac"), pairs=False)
    args = args if isinstance(args, tuple) else (args,)
    tools = Tools(f"{label}['fun']", item["fun"], args, lb.size, jac)
    function = tools.function(lb, ub, oracle="constraints", jac_label=f"{label}['jac']", mapper=mapper)
    lower = np.zeros(function.values(x0).size)
    upper = np.full(lower.size, 0.0 if kind == "eq" else np.inf)
    curvature: Curvature
    if tools.second is not None:
        curvature = tools.curvature(f"{label}['jac']", lb, ub, lower.size)
    else:
        curvature = other_curvature(function, None, lb, ub, None)
    return ConstraintBlock(lower, upper, False, curvature, function)


class Tools:
    """Which tool gives the first derivatives of a user's function, and which the second, if any does.

    Parameters
    ----------
    label, fun, args, n
        As in `DifferentiatedFunction`.
    jac, hess : optional
        What the user asked for. A tool that gives the first derivatives gives the second ones too unless
        something else is asked for: they are exact at the price of differences. And the other way round: a
        function that a tool understands may be none that numpy does.

    Attributes
    ----------
    first, second : DifferentiatedFunction or None
        The function as each of the two tools sees it.
    """

    def __init__(
        self,
        label: str,
        fun: Callable[..., Any],
        args: tuple[Any, ...],
        n: int,
        jac: Any,
        hess: Any = None,
    ) -> None:
        jac = hess if jac is None and is_tool(hess) else jac
        self._label, self._fun, self._args, self._jac = label, fun, args, jac
        self.first: DifferentiatedFunction | None = None
        self.second: DifferentiatedFunction | None = None
        if is_tool(jac):
            self.first = differentiated(jac, label, fun, args, n)
        if is_tool(hess) and hess != jac:
            self.second = differentiated(hess, label, fun, args, n)
        elif hess is None or is_tool(hess):
            self.second = self.first

    def function(
        self,
        lb: Vector,
        ub: Vector,
        *,
        oracle: Literal["objective", "constraints"],
        sparsity: Any = None,
        **keywords: Any,
    ) -> CallableFunction:
        """The function with its first derivatives; further arguments as of `CallableFunction`."""
        keywords |= {"oracle": oracle, "sparsity": sparsity}
        if self.first is None:
            return CallableFunction(self._label, self._fun, self._args, self._jac, lb, ub, **keywords)
        if sparsity is None and oracle == "constraints":  # gradients are dense
            keywords["sparsity"] = self.first.jacobian_pattern()
        first = self.first
        return CallableFunction(
            self._label, first.value, (), first.jacobian, lb, ub, tool=self._jac, **keywords
        )

    def curvature(self, label: str, lb: Vector, ub: Vector, m: int, sparsity: Any = None) -> Curvature:
        """The second derivatives by the tool."""
        assert self.second is not None
        pattern = self.second.hessian_pattern() if sparsity is None else sparsity
        return GivenCurvature(label, self.second.hessian, lb, ub, m, pattern)


def is_tool(value: Any) -> bool:
    """Whether this names one of the tools that differentiate functions."""
    return isinstance(value, str) and value in BACKENDS


def _row_bounds(label: str, lower: Any, upper: Any, m: int) -> tuple[Vector, Vector]:
    return broadcast_bounds(f"{label}.lb", f"{label}.ub", lower, upper, m)


def broadcast_bounds(
    lower_name: str, upper_name: str, lower: Any, upper: Any, size: int
) -> tuple[Vector, Vector]:
    """Bounds of the right size; scalars and arrays of one stand for all."""
    sides = []
    for name, bound in ((lower_name, lower), (upper_name, upper)):
        array = as_real_array(name, bound)
        sides.append(np.full(size, array.reshape(-1)[0]) if array.size == 1 else array)
    return as_bounds(lower_name, upper_name, sides[0], sides[1], size)


def as_sequence(constraints: Any) -> tuple[bool, list[Any]]:
    """Whether several constraints were given, and the list of them."""
    if isinstance(constraints, LinearConstraint | NonlinearConstraint | dict):
        return False, [constraints]
    if constraints is None:
        return False, []
    try:
        return True, list(constraints)
    except TypeError:
        raise TypeError(
            "constraints must be a LinearConstraint, a NonlinearConstraint, a dict or a sequence of these, "
            f"got {type(constraints).__name__}"
        ) from None


def other_curvature(
    function: CallableFunction, hess: Any, lb: Vector, ub: Vector, sparsity: Any
) -> Curvature:
    """Second derivatives where no callable gives them."""
    if isinstance(hess, HessianUpdateStrategy) or (hess is None and function.is_differenced):
        return UnknownCurvature()
    return DifferencedCurvature(function, lb, ub, "2-point" if hess is None else hess, sparsity)


def checked_jac(label: str, jac: Any, pairs: bool = True) -> Any:
    """`jac`, None where it is not given; a ValueError where it is none of the forms."""
    if jac is None or jac is False:
        return None
    if isinstance(jac, str) and jac == "complex-step":
        return "cs"
    if callable(jac) or (isinstance(jac, str) and jac in (*SCHEMES, *BACKENDS)) or (pairs and jac is True):
        return jac
    wanted = "a callable, True" if pairs else "a callable"
    raise ValueError(f"{label} must be {wanted}, {_NAMED_SCHEMES}, {_NAMED_TOOLS} or None, got {jac!r}")


def check_hess(label: str, hess: Any, jac: Any) -> None:
    """Raise a ValueError where `hess` is none of the forms, or would difference differences."""
    if hess is None or isinstance(hess, HessianUpdateStrategy) or callable(hess) or is_tool(hess):
        return
    if not isinstance(hess, str) or hess not in SCHEMES:
        raise ValueError(
            f"{label} must be a callable, {_NAMED_SCHEMES}, {_NAMED_TOOLS}, a HessianUpdateStrategy or None, "
            f"got {hess!r}"
        )
    if isinstance(jac, str) and jac in SCHEMES:
        raise ValueError(
            f"{label}={hess!r} would difference a gradient that is itself a difference ({jac!r}): "
            "give the gradient, or a HessianUpdateStrategy"
        )
    if hess == "cs" and (jac is None or is_tool(jac)):
        came = "none is given" if jac is None else f"that by {jac!r} does not"
        raise ValueError(f"{label}='cs' needs a gradient that takes complex arguments, {came}")


def require_callable(label: str, value: Any) -> None:
    """Raise a TypeError that names what is not callable."""
    if not callable(value):
        raise TypeError(f"{label} must be callable, got {type(value).__name__}")
