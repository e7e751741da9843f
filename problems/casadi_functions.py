"""CasADi expressions as compiled functions of numpy arrays, and their sparse patterns.

J. A. E. Andersson, J. Gillis, G. Horn, J. B. Rawlings, M. Diehl, "CasADi: a software framework for nonlinear
optimization and optimal control", Math. Prog. Comp. 11 (2019).
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np

from .colouring import Pattern
from .derivative_backends import import_tool
from .nlp import IndexVector, Vector


def import_casadi(wanted_for: str | None = None) -> Any:
    """The module casadi, or an ImportError that says how to install it."""
    return import_tool("casadi", wanted_for=wanted_for)


class ExpressionFunction:
    """The nonzeros of one expression as a function of some vectors, through fixed buffers.

    CasADi's own call converts its arguments, which takes longer than evaluating a small function; through
    buffers it takes a tenth of a microsecond. A lock guards them.

    Parameters
    ----------
    function : casadi.Function
        Dense vectors in, one output.
    """

    def __init__(self, function: Any) -> None:
        self.function = function
        self._lock = threading.Lock()
        self._inputs = [np.zeros(function.nnz_in(k)) for k in range(function.n_in())]
        self._output = np.zeros(function.nnz_out(0))
        self._buffer, self._trigger = function.buffer()
        for k, array in enumerate(self._inputs):
            if array.size:
                self._buffer.set_arg(k, array.data)
        if self._output.size:
            self._buffer.set_res(0, self._output.data)

    def __call__(self, *arguments: Any) -> Vector:
        """Nonzeros of the output, column by column."""
        with self._lock:
            for array, argument in zip(self._inputs, arguments, strict=True):
                array[:] = argument
            self._trigger()
            return self._output.copy()

    def __reduce__(self) -> Any:
        return ExpressionFunction, (self.function,)

    @property
    def columns(self) -> tuple[IndexVector, IndexVector]:
        """``(indptr, indices)`` of the output's pattern, compressed by columns."""
        pattern = self.function.sparsity_out(0)
        return np.array(pattern.colind(), dtype=np.int64), np.array(pattern.row(), dtype=np.int64)

    def transposed_pattern(self) -> Pattern:
        """Pattern of the transposed output, whose rows are the output's columns."""
        indptr, indices = self.columns
        columns, rows = self.function.size_out(0)
        return Pattern((rows, columns), np.repeat(np.arange(rows), np.diff(indptr)), indices)


def expression_function(inputs: list[Any], expression: Any) -> ExpressionFunction:
    """The expression as a function of the symbols."""
    casadi = import_casadi()
    return ExpressionFunction(casadi.Function("karush", inputs, [expression]))


def jacobian_function(x: Any, values: Any) -> ExpressionFunction:
    """Jacobian of the values, transposed, so that its columns are the Jacobian's rows."""
    casadi = import_casadi()
    return expression_function([x], casadi.jacobian(values, x).T)


def hessian_function(x: Any, weights: Any, weighted: Any) -> ExpressionFunction:
    """Hessian of a weighted sum: the upper triangle, whose columns are the rows of the lower one."""
    casadi = import_casadi()
    return expression_function([x, weights], casadi.triu(casadi.hessian(weighted, x)[0]))
