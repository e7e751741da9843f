"""Element and group functions of the S2MPJ problems, translated from their Python source to expressions.

S2MPJ writes every function in the same regular form: assignments, ``if`` statements without loops, value,
gradient and Hessian in turn. Run statement by statement with symbols in the place of numbers, such a
function leaves behind what it computes; where an ``if`` depends on a symbol, both branches run and their
results are joined by ``where``.
"""

from __future__ import annotations

import ast
import builtins
import functools
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np

from .expressions import BINARY, CONDITIONS, UNARY, Expression, as_expression
from .given_derivatives import GivenFunction
from .graphs import Graph, Node

# Where the functions begin in an S2MPJ file; before it stand the problem's data, by far the longer part.
_FIRST_FUNCTION = "\n    @staticmethod\n"


class UntranslatableError(ValueError):
    """A function is not of S2MPJ's regular form."""


def parse_functions(path: Path) -> dict[str, ast.FunctionDef]:
    """Syntax trees of all functions of an S2MPJ file but ``__init__``, by name, ready to run on symbols."""
    _, found, functions = path.read_text(encoding="utf-8").partition(_FIRST_FUNCTION)
    if not found:
        return {}
    module = ast.parse("class Functions:\n    @staticmethod\n" + functions)
    ast.fix_missing_locations(_WithoutLogicalOperators().visit(module))
    body = module.body[0]
    assert isinstance(body, ast.ClassDef)
    return {node.name: node for node in body.body if isinstance(node, ast.FunctionDef)}


class _WithoutLogicalOperators(ast.NodeTransformer):
    """Replaces ``and``, ``or`` and ``not``, which cannot be overloaded, by calls."""

    def visit_BoolOp(self, node: ast.BoolOp) -> ast.expr:
        self.generic_visit(node)
        name = ast.Name("_and" if isinstance(node.op, ast.And) else "_or", ast.Load())
        result = node.values[0]
        for value in node.values[1:]:
            result = ast.Call(name, [result, value], [])
        return result

    def visit_UnaryOp(self, node: ast.UnaryOp) -> ast.expr:
        self.generic_visit(node)
        if isinstance(node.op, ast.Not):
            return ast.Call(ast.Name("_not", ast.Load()), [node.operand], [])
        return node


def translate_element(
    function: ast.FunctionDef, variables: int, constants: Mapping[str, Sequence[float]]
) -> GivenFunction:
    """Translate an element function of this number of elemental variables.

    Parameters
    ----------
    function : ast.FunctionDef
        From `parse_functions`.
    variables : int
        Length of the vector ``EV_``.
    constants : mapping of str to sequence of float
        The global parameters, ``efpar`` and ``gfpar``, as the problem has set them.

    Raises
    ------
    UntranslatableError
        Where the function does what these functions do not do as a rule: loops, helper functions, ...
    """
    arguments = np.empty((variables, 1), dtype=object)
    arguments[:, 0] = [Expression("variable", payload=k) for k in range(variables)]
    return _translate(function, arguments, variables, constants)


def translate_group(function: ast.FunctionDef, constants: Mapping[str, Sequence[float]]) -> GivenFunction:
    """Translate a group function; see `translate_element`."""
    return _translate(function, Expression("variable", payload=0), 1, constants)


def _translate(
    function: ast.FunctionDef, argument: Any, variables: int, constants: Mapping[str, Sequence[float]]
) -> GivenFunction:
    parameters = _Parameters()
    owner = SimpleNamespace(elpar=_AnyElement(parameters), grpar=_AnyElement(parameters), **constants)
    names = {"self": owner, "nargout": 3, "args": (argument, 0)}
    try:
        value, gradient, hessian = _run(function.body, names)
        return _given_function(value, _entries(gradient), _entries(hessian), variables, parameters.count)
    except UntranslatableError:
        raise
    except Exception as error:  # whatever Python or numpy says to symbols that they do not understand
        raise UntranslatableError(f"{type(error).__name__}: {error}") from error


class _Parameters:
    """The parameter list of an element or group: each entry is a symbol."""

    def __init__(self) -> None:
        self.count = 0

    def __getitem__(self, position: int) -> Expression:
        self.count = max(self.count, int(position) + 1)
        return Expression("parameter", payload=int(position))


class _AnyElement:
    """The list of all elements' parameter lists, in which all are alike."""

    def __init__(self, parameters: _Parameters) -> None:
        self._parameters = parameters

    def __getitem__(self, index: Any) -> _Parameters:
        return self._parameters


def _run(statements: Sequence[ast.stmt], names: dict[str, Any]) -> Any:
    """Run statements on names; returns what they return, None if they end without."""
    for statement in statements:
        match statement:
            case ast.Import() | ast.ImportFrom() | ast.Pass():
                continue  # numpy and scipy.special are known
            case ast.Assign(targets=[target], value=value):
                _assign(target, _evaluate(value, names), names)
            case ast.If(test=test, body=body, orelse=alternative):
                result = _branch(_evaluate(test, names), body, alternative, names)
                if result is not None:
                    return result
            case ast.Try(body=body, handlers=[handler]):
                # S2MPJ asks in this way whether there are internal variables.
                try:
                    _run(body, names)
                except NameError:
                    _run(handler.body, names)
            case ast.Return(value=ast.expr() as value):
                return _evaluate(value, names)
            case _:
                raise UntranslatableError(f"a statement of the kind {type(statement).__name__}")
    return None


def _assign(target: ast.expr, value: Any, names: dict[str, Any]) -> None:
    match target:
        case ast.Name(id=name):
            names[name] = value
        case ast.Subscript(value=ast.Name(id=name), slice=place):
            names[name][_evaluate(place, names)] = value
        case _:
            raise UntranslatableError(f"an assignment to {ast.unparse(target)}")


def _branch(
    condition: Any, body: Sequence[ast.stmt], alternative: Sequence[ast.stmt], names: dict[str, Any]
) -> Any:
    """Run the branch that a number chooses, or both on copies of the names where a symbol would choose."""
    if not isinstance(condition, Expression):
        return _run(body if condition else alternative, names)
    positive, negative = _copied(names), _copied(names)
    if _run(body, positive) is not None or _run(alternative, negative) is not None:
        raise UntranslatableError("a return that depends on the values of variables")
    for name in positive.keys() | negative.keys():
        # A name that one branch alone defines is not read where the other was taken.
        first = positive.get(name, negative.get(name))
        second = negative.get(name, first)
        names[name] = _either(condition, first, second)
    return None


def _copied(names: dict[str, Any]) -> dict[str, Any]:
    return {k: v.copy() if isinstance(v, np.ndarray) else v for k, v in names.items()}


def _either(condition: Expression, first: Any, second: Any) -> Any:
    if isinstance(first, np.ndarray) and isinstance(second, np.ndarray):
        return np.frompyfunc(functools.partial(_either, condition), 2, 1)(first, second)
    if first is second:
        return first
    return Expression("where", (condition, as_expression(first), as_expression(second)))


def _evaluate(node: ast.expr, names: dict[str, Any]) -> Any:
    """Value of an expression of the source, by Python itself, on symbols and symbolic functions."""
    code = compile(ast.Expression(node), "<S2MPJ>", "eval")
    return _plain_condition(eval(code, _NAMESPACE, names))


def _plain_condition(value: Any) -> Any:
    """S2MPJ asks ``condition != 0`` and ``condition == 0``: the condition, or its opposite."""
    if isinstance(value, Expression) and value.operation in ("eq", "ne"):
        condition, number = value.operands
        if condition.operation in CONDITIONS and number.operation == "constant" and number.payload == 0.0:
            return condition if value.operation == "ne" else Expression("not", (condition,))
    return value


def _numpy_or_node(operation: str, plain: Callable[..., Any]) -> Callable[..., Any]:
    def apply(*operands: Any) -> Any:
        if any(isinstance(operand, Expression) for operand in operands):
            return Expression(operation, tuple(as_expression(operand) for operand in operands))
        return plain(*operands)

    return apply


def _zeros(shape: Any) -> np.ndarray:
    array = np.empty(shape, dtype=object)
    array.fill(0.0)
    return array


def _scalar(value: Any) -> Any:
    return value.item() if isinstance(value, np.ndarray) else value


def _is_instance(value: Any, kind: Any) -> bool:
    return isinstance(value, kind) or (kind is float and isinstance(value, Expression))


_NUMPY = SimpleNamespace(
    zeros=_zeros,
    abs=_numpy_or_node("abs", np.abs),
    log10=_numpy_or_node("log10", np.log10),
    arctan2=_numpy_or_node("atan2", np.arctan2),
    mod=_numpy_or_node("mod", np.mod),  # Fortran's in the graph; the same, as neither operand is negative
    **{name: getattr(np, name) for name in (*UNARY, *BINARY) if hasattr(np, name)},
)
_NAMESPACE = {
    "__builtins__": {},
    "np": _NUMPY,
    "special": SimpleNamespace(erf=_numpy_or_node("erf", float)),
    "to_scalar": _scalar,
    "len": builtins.len,
    "float": builtins.float,
    "isinstance": _is_instance,
    "min": _numpy_or_node("min", builtins.min),
    "max": _numpy_or_node("max", builtins.max),
    "_and": _numpy_or_node("and", lambda a, b: a and b),
    "_or": _numpy_or_node("or", lambda a, b: a or b),
    "_not": _numpy_or_node("not", lambda a: not a),
}


def _entries(derivative: Any) -> list[Any]:
    return np.asarray(derivative, dtype=object).ravel().tolist()


def _given_function(
    value: Any, gradient: list[Any], hessian: list[Any], variables: int, parameters: int
) -> GivenFunction:
    if len(gradient) != variables or len(hessian) != variables**2:
        raise UntranslatableError(
            f"a gradient of {len(gradient)} and a Hessian of {len(hessian)} entries for {variables} variables"
        )
    adder = _Adder()
    lower = {(a, b): adder.add(hessian[a * variables + b]) for a in range(variables) for b in range(a + 1)}
    return GivenFunction(
        graph=adder.graph,
        value=adder.add(_scalar(value)),
        gradient=tuple(adder.add(entry) for entry in gradient),
        hessian={pair: node for pair, node in lower.items() if adder.graph.value(node) != 0.0},
        parameters=parameters,
    )


class _Adder:
    """Adds expressions to one graph, each subexpression once."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._nodes: dict[int, tuple[Node, Expression]] = {}  # the expression keeps its id taken

    def add(self, value: Any) -> Node:
        """The node of an expression or number."""
        root = as_expression(_scalar(value))
        stack = [root]
        while stack:
            expression = stack[-1]
            pending = [o for o in expression.operands if id(o) not in self._nodes]
            if pending and id(expression) not in self._nodes:
                stack.extend(pending)
                continue
            stack.pop()
            if id(expression) not in self._nodes:
                self._nodes[id(expression)] = self._node(expression), expression
        return self._nodes[id(root)][0]

    def _node(self, expression: Expression) -> Node:
        if expression.operation == "constant":
            return self.graph.constant(float(expression.payload or 0.0))
        if expression.operation == "variable":
            return self.graph.variable(int(expression.payload or 0))
        if expression.operation == "parameter":
            return self.graph.parameter(int(expression.payload or 0))
        return self.graph.apply(expression.operation, *(self._nodes[id(o)][0] for o in expression.operands))
