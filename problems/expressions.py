"""Scalar expressions recorded while a pattern function runs: the way from a Python function to a graph.

A pattern function is called once with `Expression` symbols; what it does to them is recorded as a directed
acyclic graph, whose text is the key of the pattern cache: a pattern met before is neither differentiated nor
compiled again.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

# numpy and scipy universal functions, by name, that a pattern may apply.
UNARY = {
    "exp": "exp",
    "log": "log",
    "sin": "sin",
    "cos": "cos",
    "tan": "tan",
    "arcsin": "asin",
    "arccos": "acos",
    "arctan": "atan",
    "sinh": "sinh",
    "cosh": "cosh",
    "tanh": "tanh",
    "sqrt": "sqrt",
    "absolute": "abs",
    "fabs": "abs",
    "sign": "sign",
    "erf": "erf",
    "negative": "neg",
}
BINARY = {
    "add": "add",
    "subtract": "sub",
    "multiply": "mul",
    "divide": "div",
    "power": "pow",
    "float_power": "pow",
    "minimum": "min",
    "fmin": "min",
    "maximum": "max",
    "fmax": "max",
}
COMPARISONS = {
    "less": "lt",
    "less_equal": "le",
    "greater": "gt",
    "greater_equal": "ge",
    "equal": "eq",
    "not_equal": "ne",
}
BOOLEAN = {"logical_and": "and", "bitwise_and": "and", "logical_or": "or", "bitwise_or": "or"}
CONDITIONS = frozenset(COMPARISONS.values()) | frozenset(BOOLEAN.values()) | {"not"}

Operand = "Expression | float | int"


class Expression:
    """A node of the recorded graph: an operation and its operands.

    Parameters
    ----------
    operation : str
        "variable", "parameter", "constant" or the name of a function.
    operands : tuple of Expression
        Empty for leaves.
    payload : int or float or None
        Position of a variable or parameter, value of a constant.
    """

    __slots__ = ("operands", "operation", "payload")
    __array_priority__ = 1000.0

    def __init__(
        self, operation: str, operands: tuple[Expression, ...] = (), payload: float | None = None
    ) -> None:
        self.operation = operation
        self.operands = operands
        self.payload = payload

    def __repr__(self) -> str:
        if not self.operands:
            return f"{self.operation[0]}{self.payload}" if self.operation != "constant" else f"{self.payload}"
        return f"{self.operation}({', '.join(map(repr, self.operands))})"

    def __add__(self, other: Any) -> Expression:
        return _binary("add", self, other)

    def __radd__(self, other: Any) -> Expression:
        return _binary("add", other, self)

    def __sub__(self, other: Any) -> Expression:
        return _binary("sub", self, other)

    def __rsub__(self, other: Any) -> Expression:
        return _binary("sub", other, self)

    def __mul__(self, other: Any) -> Expression:
        return _binary("mul", self, other)

    def __rmul__(self, other: Any) -> Expression:
        return _binary("mul", other, self)

    def __truediv__(self, other: Any) -> Expression:
        return _binary("div", self, other)

    def __rtruediv__(self, other: Any) -> Expression:
        return _binary("div", other, self)

    def __pow__(self, other: Any) -> Expression:
        return _binary("pow", self, other)

    def __rpow__(self, other: Any) -> Expression:
        return _binary("pow", other, self)

    def __neg__(self) -> Expression:
        return Expression("neg", (self,))

    def __pos__(self) -> Expression:
        return self

    def __abs__(self) -> Expression:
        return Expression("abs", (self,))

    def __lt__(self, other: Any) -> Expression:
        return _binary("lt", self, other)

    def __le__(self, other: Any) -> Expression:
        return _binary("le", self, other)

    def __gt__(self, other: Any) -> Expression:
        return _binary("gt", self, other)

    def __ge__(self, other: Any) -> Expression:
        return _binary("ge", self, other)

    def __eq__(self, other: object) -> Expression:  # type: ignore[override]
        return _binary("eq", self, other)

    def __ne__(self, other: object) -> Expression:  # type: ignore[override]
        return _binary("ne", self, other)

    __hash__ = object.__hash__

    def __and__(self, other: Any) -> Expression:
        return _binary("and", self, other)

    def __or__(self, other: Any) -> Expression:
        return _binary("or", self, other)

    def __invert__(self) -> Expression:
        return Expression("not", (self,))

    def __bool__(self) -> bool:
        raise TypeError(
            "a pattern function cannot branch on the value of a variable with if, and, or, min() or max(): "
            "use np.where(condition, a, b), np.minimum, np.maximum, and & or | between conditions"
        )

    def __float__(self) -> float:
        raise TypeError(
            "a pattern function got a symbol where a float is needed: "
            "use numpy's functions (np.exp, np.sin, ...) instead of those of the math module"
        )

    def __array_ufunc__(self, ufunc: Any, method: str, *inputs: Any, **kwargs: Any) -> Expression:
        name = ufunc.__name__
        if method == "__call__" and not kwargs:
            if name in UNARY and len(inputs) == 1:
                return Expression(UNARY[name], (as_expression(inputs[0]),))
            for table in (BINARY, COMPARISONS, BOOLEAN):
                if name in table and len(inputs) == 2:
                    return _binary(table[name], *inputs)
            if name == "square":
                return _binary("pow", inputs[0], 2)
            if name == "reciprocal":
                return _binary("div", 1, inputs[0])
            if name in ("logical_not", "invert"):
                return Expression("not", (as_expression(inputs[0]),))
            if name == "positive":
                return as_expression(inputs[0])
        known = sorted(set(UNARY) | set(BINARY) | set(COMPARISONS) | set(BOOLEAN) | {"square", "where"})
        raise TypeError(f"a pattern function used {name!r}, which is not one of: {', '.join(known)}")

    def __array_function__(self, function: Any, types: Any, args: Any, kwargs: Any) -> Expression:
        if function is np.where and len(args) == 3 and not kwargs:
            condition, positive, negative = map(as_expression, args)
            return Expression("where", (condition, positive, negative))
        raise TypeError(f"a pattern function used np.{function.__name__} in a way that cannot be recorded")


def as_expression(value: Any) -> Expression:
    """The value as a node: numbers become constants, nodes stay as they are."""
    if isinstance(value, Expression):
        return value
    array = np.asarray(value)
    if array.shape != () or array.dtype.kind not in "biuf":
        raise TypeError(f"a pattern function combined a symbol with {value!r}; a real number is wanted")
    return Expression("constant", payload=float(array))


def _binary(operation: str, left: Any, right: Any) -> Expression:
    if isinstance(right, np.ndarray | list) and np.ndim(right) > 0:
        raise TypeError(
            f"a pattern function combined a symbol with an array of shape {np.shape(right)}; "
            "pass the array as an argument, so that it becomes a parameter of each row"
        )
    return Expression(operation, (as_expression(left), as_expression(right)))


def record(fun: Callable[..., Any], arguments: list[Expression]) -> Expression:
    """Run a pattern function on symbols and return what it computes."""
    return as_expression(fun(*arguments))


def normalise(expression: Expression) -> tuple[str, ...]:
    """The graph as text, one line a distinct node, operands before users: equal for equal patterns.

    Lines read ``operation operand operand``, operands being line numbers; leaves read ``variable 0``,
    ``parameter 1`` or ``constant 0x1.8p+1`` (hexadecimal, so that no digit is lost).
    """
    lines: dict[str, int] = {}
    number: dict[int, int] = {}
    stack = [expression]
    while stack:
        node = stack[-1]
        if id(node) in number:
            stack.pop()
            continue
        pending = [operand for operand in reversed(node.operands) if id(operand) not in number]
        if pending:
            stack.extend(pending)
            continue
        stack.pop()
        if node.operation == "constant":
            text = f"constant {float(node.payload or 0.0).hex()}"
        elif node.operands:
            text = " ".join([node.operation, *(str(number[id(operand)]) for operand in node.operands)])
        else:
            text = f"{node.operation} {node.payload}"
        number[id(node)] = lines.setdefault(text, len(lines))
    return tuple(lines)
