"""Derivatives of plain numpy functions by CasADi: sparse, compiled to its virtual machine.

The function runs once on an array of symbols. Numpy's arithmetic, elementary functions, sums, products and
matrix products work on such arrays; decisions by values (``if x[0] > 0``, `numpy.maximum`) do not.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.sparse import csr_array, tril

from .casadi_functions import ExpressionFunction, hessian_function, import_casadi, jacobian_function
from .colouring import Pattern
from .derivative_backends import DifferentiatedFunction, explained
from .nlp import Vector

_HINT = (
    "karush: derivatives by casadi run the function on an array of symbols, on which decisions by value "
    "(if, numpy.maximum, numpy.where) and functions other than numpy's elementary ones do not work"
)


class CasadiFunction(DifferentiatedFunction):
    """A function that has been run on symbols, and the sparse derivatives of the expression that came out.

    Values still come from the user's function itself.
    """

    def __init__(self, label: str, fun: Callable[..., Any], args: tuple[Any, ...], n: int) -> None:
        super().__init__(label, fun, args, n)
        casadi = import_casadi()
        self._x = casadi.SX.sym("x", n)
        try:
            self._values = _traced(casadi, fun, args, self._x)
        except Exception as error:
            raise explained(error, _HINT)  # noqa: B904 - the error itself, with a note
        self._jacobian = jacobian_function(self._x, self._values)
        self._rows = self._jacobian.transposed_pattern()
        self._hessian: ExpressionFunction | None = None

    def jacobian(self, x: Vector) -> Any:
        """Jacobian at x as a csr_array."""
        return _matrix(self._rows, self._jacobian(x))

    def hessian(self, x: Vector, weights: Vector) -> Any:
        """Hessian of the weighted sum at x as a csr_array, both triangles."""
        compiled = self._compiled_hessian()
        lower = _matrix(compiled.transposed_pattern(), compiled(x, weights))
        return lower + tril(lower, -1, format="csr").T

    def jacobian_pattern(self) -> Pattern | None:
        """Pattern of the expression."""
        return self._rows

    def hessian_pattern(self) -> Pattern | None:
        """Pattern of the expression, both triangles."""
        lower = self._compiled_hessian().transposed_pattern()
        ones = _matrix(lower, np.ones(lower.rows.size))
        return Pattern.of(ones + ones.T)

    def _compiled_hessian(self) -> ExpressionFunction:
        """Built at the first use: a solver may do without."""
        if self._hessian is None:
            casadi = import_casadi()
            weights = casadi.SX.sym("w", self._values.size1())
            self._hessian = hessian_function(self._x, weights, casadi.dot(weights, self._values))
        return self._hessian


def _traced(casadi: Any, fun: Callable[..., Any], args: tuple[Any, ...], x: Any) -> Any:
    """What the function makes of symbols, as a column."""
    symbols = np.empty(x.size1(), dtype=object)
    for i in range(symbols.size):
        symbols[i] = x[i]
    with warnings.catch_warnings():
        # casadi 3.8 announces other results of numpy's functions on its arrays; these are elements
        warnings.simplefilter("ignore", FutureWarning)
        result = fun(symbols, *args)
        if isinstance(result, casadi.SX):
            return casadi.densify(casadi.vec(result))
        return casadi.densify(casadi.vertcat(*(casadi.SX(item) for item in np.ravel(_objects(result)))))


def _objects(result: Any) -> Any:
    """A number, array or list of numbers and symbols, as an array of objects."""
    if isinstance(result, np.ndarray) or np.isscalar(result):
        return np.asarray(result, dtype=object)
    items = np.empty(len(result), dtype=object)
    for i, item in enumerate(result):
        items[i] = item
    return items


def _matrix(pattern: Pattern, values: Vector) -> csr_array:
    return csr_array((values, pattern.columns, pattern.indptr), shape=pattern.shape)
