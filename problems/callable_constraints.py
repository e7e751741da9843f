"""Constraints in scipy's forms as blocks of rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import BFGS, HessianUpdateStrategy, LinearConstraint, NonlinearConstraint
from scipy.sparse import csr_array, issparse

from .callable_curvature import Curvature, DifferencedCurvature, GivenCurvature, NoCurvature, UnknownCurvature
from .callable_functions import CallableFunction
from .colouring import Pattern
from .finite_differences import SCHEMES
from .nlp import Vector
from .validation import as_bounds, as_real_array


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


def constraint_block(label: str, item: Any, x0: Vector, lb: Vector, ub: Vector) -> ConstraintBlock:
    """One constraint, whatever form it has."""
    if isinstance(item, LinearConstraint):
        return _linear_block(label, item, x0.size)
    if isinstance(item, NonlinearConstraint):
        return _nonlinear_block(label, item, x0, lb, ub)
    if isinstance(item, dict):
        return _dict_block(label, item, x0, lb, ub)
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
    label: str, item: NonlinearConstraint, x0: Vector, lb: Vector, ub: Vector
) -> ConstraintBlock:
    require_callable(f"{label}.fun", item.fun)
    # "2-point" and BFGS are the defaults of the class, so nobody need have asked for them.
    jac = None if isinstance(item.jac, str) and item.jac == "2-point" else item.jac
    jac = checked_jac(f"{label}.jac", jac, pairs=False)
    check_hess(f"{label}.hess", item.hess, item.jac if jac is not None else None)
    function = CallableFunction(
        f"{label}.fun",
        item.fun,
        (),
        jac,
        lb,
        ub,
        oracle="constraints",
        jac_label=f"{label}.jac",
        sparsity=item.finite_diff_jac_sparsity,
        relative_step=item.finite_diff_rel_step,
    )
    m = function.values(x0).size
    hess = None if isinstance(item.hess, BFGS) else item.hess
    curvature: Curvature
    if callable(hess) and not isinstance(hess, HessianUpdateStrategy):
        curvature = GivenCurvature(f"{label}.hess", hess, lb, ub, m)
    else:
        curvature = other_curvature(function, hess, lb, ub, None)
    lower, upper = _row_bounds(label, item.lb, item.ub, m)
    return ConstraintBlock(lower, upper, item.keep_feasible, curvature, function)


def _dict_block(label: str, item: dict[str, Any], x0: Vector, lb: Vector, ub: Vector) -> ConstraintBlock:
    for key in ("type", "fun"):
        if key not in item:
            raise ValueError(f"{label} must have the key {key!r}, got the keys {sorted(map(str, item))}")
    kind = str(item["type"]).lower()
    if kind not in ("eq", "ineq"):
        raise ValueError(f"{label}['type'] must be 'eq' or 'ineq', got {item['type']!r}")
    require_callable(f"{label}['fun']", item["fun"])
    args = item.get("args", ())
    function = CallableFunction(
        f"{label}['fun']",
        item["fun"],
        args if isinstance(args, tuple) else (args,),
        checked_jac(f"{label}['jac']", item.get("jac"), pairs=False),
        lb,
        ub,
        oracle="constraints",
        jac_label=f"{label}['jac']",
    )
    lower = np.zeros(function.values(x0).size)
    upper = np.full(lower.size, 0.0 if kind == "eq" else np.inf)
    return ConstraintBlock(lower, upper, False, other_curvature(function, None, lb, ub, None), function)


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
    """`jac`, None where it is not given; a ValueError where it is none of scipy's forms."""
    if jac is None or jac is False:
        return None
    if callable(jac) or (isinstance(jac, str) and jac in SCHEMES) or (pairs and jac is True):
        return jac
    wanted = "a callable, True" if pairs else "a callable"
    raise ValueError(f"{label} must be {wanted}, '2-point', '3-point', 'cs' or None, got {jac!r}")


def check_hess(label: str, hess: Any, jac: Any) -> None:
    """Raise a ValueError where `hess` is none of scipy's forms, or would difference differences."""
    if hess is None or isinstance(hess, HessianUpdateStrategy) or callable(hess):
        return
    if not isinstance(hess, str) or hess not in SCHEMES:
        raise ValueError(
            f"{label} must be a callable, '2-point', '3-point', 'cs', a HessianUpdateStrategy or None, "
            f"got {hess!r}"
        )
    if isinstance(jac, str):
        raise ValueError(
            f"{label}={hess!r} would difference a gradient that is itself a difference ({jac!r}): "
            "give the gradient, or a HessianUpdateStrategy"
        )
    if hess == "cs" and jac is None:
        raise ValueError(f"{label}='cs' needs a gradient that takes complex arguments, none is given")


def require_callable(label: str, value: Any) -> None:
    """Raise a TypeError that names what is not callable."""
    if not callable(value):
        raise TypeError(f"{label} must be callable, got {type(value).__name__}")
