"""Small problems written as formulas, in text: exact derivatives, plain Python, nothing to compile.

For collections of many problems of a few variables each, where compiling a pattern would cost more than all
evaluations together; for large ones see `Model`.
"""

from __future__ import annotations

import ast
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from .expressions import UNARY, Expression, as_expression, normalise
from .graphs import Graph, Node
from .kernel_source import scalar_source
from .nlp import NLP, IndexVector, Metadata, Vector, deliver

_FUNCTIONS = {**{name: name for name in UNARY.values()}, **UNARY, "ln": "log"}
_TWO = {"min": "min", "max": "max", "minimum": "min", "maximum": "max"}
_CONSTANTS = {"pi": math.pi, "e": math.e}
_BINARY: dict[type[ast.operator], Callable[[Any, Any], Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.Pow: operator.pow,
}


def parse_formula(text: str, symbols: Mapping[str, Expression]) -> Expression:
    """The expression of a formula.

    Parameters
    ----------
    text : str
        Numbers, names, + - * / ** ( ), ``pi``, ``e``, and functions such as ``exp(a)`` and ``max(a, b)``.
    symbols : mapping of str to Expression
        What names stand for.

    Returns
    -------
    Expression

    Raises
    ------
    TypeError, ValueError
        Not a text; a formula that cannot be read, with the part that is at fault.
    """
    if not isinstance(text, str):
        raise TypeError(f"a formula must be a str, got {type(text).__name__}")
    try:
        tree = ast.parse(text.strip(), mode="eval")
    except SyntaxError as error:
        raise ValueError(f"formula {text!r} cannot be read: {error.msg}") from None
    return as_expression(_read(tree.body, text, symbols))


def _read(node: ast.expr, text: str, symbols: Mapping[str, Expression]) -> Any:
    match node:
        case ast.Constant(value=int() | float() as value):
            return float(value)
        case ast.Name(id=name) if name in symbols:
            return symbols[name]
        case ast.Name(id=name) if name in _CONSTANTS:
            return _CONSTANTS[name]
        case ast.UnaryOp(op=ast.USub(), operand=operand):
            return -_read(operand, text, symbols)
        case ast.UnaryOp(op=ast.UAdd(), operand=operand):
            return _read(operand, text, symbols)
        case ast.BinOp(left=left, op=operation, right=right) if type(operation) in _BINARY:
            return _BINARY[type(operation)](_read(left, text, symbols), _read(right, text, symbols))
        case ast.Call(func=ast.Name(id=name), args=[argument], keywords=[]) if name in _FUNCTIONS:
            return Expression(_FUNCTIONS[name], (as_expression(_read(argument, text, symbols)),))
        case ast.Call(func=ast.Name(id=name), args=[first, second], keywords=[]) if name in _TWO:
            operands = as_expression(_read(first, text, symbols)), as_expression(_read(second, text, symbols))
            return Expression(_TWO[name], operands)
    raise ValueError(f"formula {text!r}: cannot read {ast.unparse(node)!r}")


@dataclass(frozen=True, eq=False)
class Formulas:
    """Functions of the same variables, with their derivatives.

    Attributes
    ----------
    names : tuple of str
        Names of the variables.
    graph : Graph
    values : tuple of Node
    slopes : list of dict of int to Node
        Nonzero first derivatives of each function, by variable.
    """

    names: tuple[str, ...]
    graph: Graph
    values: tuple[Node, ...]
    slopes: tuple[dict[int, Node], ...]

    @classmethod
    def read(cls, texts: Sequence[str], names: Sequence[str]) -> Formulas:
        """Functions given as text."""
        symbols = {name: Expression("variable", payload=i) for i, name in enumerate(names)}
        graph = Graph()
        values = tuple(graph.extend(normalise(parse_formula(text, symbols)))[-1] for text in texts)
        return cls(tuple(names), graph, values, tuple(_nonzero(graph, value, len(names)) for value in values))

    def bound(self, function: int) -> tuple[int, float, float] | None:
        """(variable, a, b) where the function is ``a w + b`` in one variable w, None elsewhere."""
        slopes = self.slopes[function]
        if len(slopes) != 1:
            return None
        (variable, slope), *_ = slopes.items()
        a = self.graph.value(slope)
        if a is None:
            return None
        return variable, a, float(self.function("f", [self.values[function]])(np.zeros(len(self.names)))[0])

    def function(self, name: str, nodes: Sequence[Node]) -> Callable[[Vector], Vector]:
        """The nodes as one function of x; NaN where an operation has no real value."""
        space: dict[str, Any] = {"math": math, "np": np}
        exec(scalar_source(self.graph, name, list(nodes), len(self.names)), space)
        return _guarded(space[name], len(nodes))


class FormulaProblem(NLP):
    """A problem whose objective and constraints are formulas.

    Parameters
    ----------
    formulas : Formulas
        The objective, then the constraints.
    metadata : Metadata
    """

    def __init__(self, formulas: Formulas, metadata: Metadata) -> None:
        super().__init__(replace(metadata))
        self._value = formulas.function("objective", formulas.values[:1])
        self._constraints = formulas.function("constraints", formulas.values[1:])
        slopes = formulas.slopes
        self._gradient_at = np.array(sorted(slopes[0]), dtype=np.int64)
        self._gradient_of = formulas.function("gradient", [slopes[0][j] for j in sorted(slopes[0])])
        counts = [len(row) for row in slopes[1:]]
        self._jacobian_structure = (
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            np.array([j for row in slopes[1:] for j in sorted(row)], dtype=np.int64),
        )
        self._jacobian_of = formulas.function("jacobian", [row[j] for row in slopes[1:] for j in sorted(row)])
        self._second(formulas)

    def _second(self, formulas: Formulas) -> None:
        """Second derivatives: of each function in turn, and where they go in the pattern of their sum."""
        entries = [
            (k, i, j, node)
            for k, row in enumerate(formulas.slopes)
            for i, slope in row.items()
            for j, node in _nonzero(formulas.graph, slope, i + 1).items()
        ]
        self._hessian_of = formulas.function("hessian", [node for *_, node in entries])
        keys = np.array([i * self.n + j for _, i, j, _ in entries], dtype=np.int64)
        distinct, self._places = np.unique(keys, return_inverse=True)
        self._function = np.array([k for k, *_ in entries], dtype=np.int64)
        counts = np.bincount(distinct // self.n, minlength=self.n)
        self._hessian_structure = (
            np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
            (distinct % self.n).astype(np.int64),
        )

    def objective(self, x: Vector) -> float:
        """f(x)."""
        return float(self._value(x)[0])

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """Gradient of f, shape (n,)."""
        value = np.zeros(self.n)
        value[self._gradient_at] = self._gradient_of(x)
        return deliver(value, out)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """c(x), shape (m,)."""
        return deliver(self._constraints(x), out)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the Jacobian."""
        return self._jacobian_structure

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """Values of c'(x), shape (nnzj,)."""
        return deliver(self._jacobian_of(x), out)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """Pattern of the lower triangle of the Hessian of the Lagrangian."""
        return self._hessian_structure

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Values of the lower triangle of ``sigma f'' + sum y_i c_i''``, shape (nnzh,)."""
        weights = np.concatenate([[sigma], np.zeros(self.m) if y is None else y])
        size = self._hessian_structure[1].size
        used = weights[self._function] != 0.0  # 0 times inf is not wanted
        values = np.where(used, weights[self._function] * np.where(used, self._hessian_of(x), 0.0), 0.0)
        return deliver(np.bincount(self._places, values, minlength=size).astype(np.float64), out)


def _nonzero(graph: Graph, node: Node, variables: int) -> dict[int, Node]:
    """Derivatives that do not vanish identically."""
    found = {j: graph.derivative(node, j) for j in range(variables)}
    return {j: slope for j, slope in found.items() if graph.value(slope) != 0.0}


def _guarded(function: Callable[[list[float]], list[float]], size: int) -> Callable[[Vector], Vector]:
    def call(x: Vector) -> Vector:
        try:
            return np.array(function(x.tolist()), dtype=np.float64)
        except (ValueError, OverflowError, ZeroDivisionError, TypeError):  # no real value somewhere
            return np.full(size, np.nan)

    return call
