"""CasADi expressions as `NLP`: exact, sparse, evaluated by CasADi's virtual machine."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from .casadi_functions import (
    expression_function,
    hessian_function,
    import_casadi,
    jacobian_function,
)
from .nlp import NLP, IndexVector, Metadata, Vector, deliver
from .validation import as_bounds, as_vector


def from_casadi(
    x: Any,
    f: Any,
    g: Any = None,
    *,
    x0: ArrayLike = 0.0,
    lbx: ArrayLike = -np.inf,
    ubx: ArrayLike = np.inf,
    lbg: ArrayLike = -np.inf,
    ubg: ArrayLike = np.inf,
    name: str = "casadi",
    optimum: float | None = None,
    source: str = "",
) -> CasadiProblem:
    """A problem given by CasADi expressions: min f(x), lbg <= g(x) <= ubg, lbx <= x <= ubx.

    Parameters
    ----------
    x : casadi.SX or casadi.MX
        The variables: a column of symbols, n of them, or a `casadi.vertcat` of symbols.
    f : casadi.SX, casadi.MX or float
        The objective, one element.
    g : casadi.SX, casadi.MX or list of these, optional
        The constraints, a column of m elements, or what `casadi.vertcat` makes one of.
    x0 : array_like, shape (n,) or (), default 0
        Start. Its name and default and those of the bounds are those of CasADi's `nlpsol`; one number stands
        for all.
    lbx, ubx : array_like, shape (n,) or (), default -inf and inf
        Bounds of the variables.
    lbg, ubg : array_like, shape (m,) or (), default -inf and inf
        Bounds of the constraints.
    name, optimum, source : optional
        Metadata.

    Returns
    -------
    CasadiProblem
        It can be pickled.

    Raises
    ------
    ImportError
        If CasADi is not installed.
    TypeError
        If `x` is no symbol of CasADi's.
    ValueError
        Wrong shapes, crossed bounds, or symbols in f or g that are not in x: parameters must have been
        replaced by numbers (`casadi.substitute`).

    Examples
    --------
    >>> import casadi as ca
    >>> import karush
    >>> x = ca.SX.sym("x", 2)
    >>> problem = karush.problems.from_casadi(x, ca.sumsqr(x), x[0] * x[1], x0=2, lbg=1)
    >>> karush.minimize(problem).success
    True
    """
    casadi = import_casadi("a problem of CasADi expressions")
    variables, objective, rows = _scalar_form(casadi, x, f, g)
    n, m = variables.size1(), rows.size1()
    lb, ub = as_bounds("lbx", "ubx", _filled("lbx", lbx, n), _filled("ubx", ubx, n), n)
    cl, cu = as_bounds("lbg", "ubg", _filled("lbg", lbg, m), _filled("ubg", ubg, m), m)
    metadata = Metadata(
        name=name,
        x0=_filled("x0", x0, n),
        lb=lb,
        ub=ub,
        cl=cl,
        cu=cu,
        y0=np.zeros(m),
        optimum=optimum,
        source=source,
    )
    return CasadiProblem(metadata, variables, objective, rows)


class CasadiProblem(NLP):
    """A problem given by CasADi expressions, made by `from_casadi`."""

    def __init__(self, metadata: Metadata, x: Any, f: Any, g: Any) -> None:
        super().__init__(metadata)
        casadi = import_casadi()
        sigma, y = type(x).sym("sigma"), type(x).sym("y", self.m)
        weights = casadi.vertcat(sigma, y)
        lagrangian = sigma * f + casadi.dot(y, g) if self.m else sigma * f
        self._objective = expression_function([x], f)
        self._gradient = expression_function([x], casadi.densify(casadi.gradient(f, x)))
        self._constraints = expression_function([x], casadi.densify(g))
        self._jacobian = jacobian_function(x, g)
        self._hessian = hessian_function(x, weights, lagrangian)

    def objective(self, x: Vector) -> float:
        """f(x)."""
        value = self._objective(x)
        return float(value[0]) if value.size else 0.0

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        return deliver(self._gradient(x), out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        return deliver(self._constraints(x), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian: that of the expressions."""
        return self._jacobian.columns

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        return deliver(self._jacobian(x), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Lower pattern of the Hessian of the Lagrangian: that of the expressions."""
        return self._hessian.columns

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        weights = np.zeros(1 + self.m)
        weights[0] = sigma
        if y is not None:
            weights[1:] = y
        return deliver(self._hessian(x, weights), out)


def _scalar_form(casadi: Any, x: Any, f: Any, g: Any) -> tuple[Any, Any, Any]:
    """Variables, objective and rows as SX, element by element, where that is possible; else as they came."""
    if not isinstance(x, casadi.SX | casadi.MX):
        raise TypeError(f"x must be a casadi.SX or casadi.MX symbol, got {type(x).__name__}")
    if not x.is_column() or x.size1() == 0 or not x.is_valid_input():
        raise ValueError(f"x must be a column of symbols, at least one, got {x} of shape {x.shape}")
    rows = [] if g is None else g
    objective = type(x)(f)
    constraints = casadi.vertcat(*rows) if isinstance(rows, list | tuple) else rows
    constraints = type(x)(0, 1) if constraints.shape in ((0, 0), (0, 1), (1, 0)) else type(x)(constraints)
    if not objective.is_scalar():
        raise ValueError(f"f must be one element, got shape {objective.shape}")
    if not constraints.is_column():
        raise ValueError(f"g must be a column, got shape {constraints.shape}")
    both = casadi.Function("karush", [x], [objective, constraints], {"allow_free": True})
    if both.get_free():
        raise ValueError(
            f"f and g contain symbols that are not in x ({', '.join(both.get_free())}); replace parameters "
            "by numbers with casadi.substitute"
        )
    try:
        both = both.expand()
    except RuntimeError:  # calls functions that are no expressions
        return x, objective, constraints
    symbols = casadi.SX.sym("x", x.size1())
    return symbols, *both(symbols)


def _filled(name: str, value: ArrayLike, size: int) -> Vector:
    """A vector; one number stands for all its elements. CasADi's own matrices are taken, too."""
    array = np.array(value, dtype=np.float64) if hasattr(value, "full") else value
    if np.ndim(array) == 2 and np.shape(array)[1] == 1:
        array = np.reshape(array, -1)
    return as_vector(name, np.full(size, array) if np.ndim(array) == 0 else array, size)
