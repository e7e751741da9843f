"""The source of a pattern's kernels: numba functions printed from its graph and the graph of its derivatives.

A kernel evaluates a block of elements at a time, structure-of-arrays: local variable (then parameter) ``j``
of element ``e`` stands in ``x[j][e]``, output ``l`` in ``out[l * WIDTH + e]``. The loop over the elements is
inside, so one indirect call serves the whole block, and the compiler vectorises it: the outputs lie at known
distances, so few pairs of arrays have to be checked for overlap.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

from .graphs import LEAVES, Graph, Node

# Bump when what `kernel_source` prints for a graph changes: it is part of the cache key.
SOURCE_VERSION = 8

# Doubles of a block's buffers (half of a 32 kB first-level cache), and elements of the longest block.
_BUFFER = 2048
_LONGEST_BLOCK = 128

# A subexpression used once is written where it is used, unless it is deeper than this.
_DEEPEST = 6

# Results that a loop writes to several places itself: compile times grow faster than the loop's length.
_MOST_REPEATED = 32

_COPIES = """\
    for l in range({count}):
        source, target = _{name}_copies[l, 0], _{name}_copies[l, 1]
        for e in range(count):
            out[target + e] = out[source + e]
"""

_HEADER = '''"""A karush pattern of {variables} variables, generated; safe to delete."""

import math

import numpy as np

VARIABLES = {variables}
PARAMETERS = {parameters}
GRADIENT = {gradient}
HESSIAN = {hessian}
CONSTANT_HESSIAN = {constant}
LINEAR = {linear}
WIDTH = {width}
DEFINITION = {definition!r}
'''

_FORMATS = {
    "add": "({} + {})",
    "sub": "({} - {})",
    "mul": "({} * {})",
    "div": "({} / {})",
    "neg": "(-{})",
    "pow": "({} ** {})",
    "abs": "abs({})",
    "min": "({0} if {0} <= {1} else {1})",
    "max": "({0} if {0} >= {1} else {1})",
    "sign": "(1.0 if {0} > 0.0 else (-1.0 if {0} < 0.0 else 0.0 * {0}))",
    "where": "({1} if {0} else {2})",
    "lt": "({} < {})",
    "le": "({} <= {})",
    "gt": "({} > {})",
    "ge": "({} >= {})",
    "eq": "({} == {})",
    "ne": "({} != {})",
    "and": "({} and {})",
    "or": "({} or {})",
    "not": "(not {})",
    "trunc": "np.trunc({})",
    "nint": "np.trunc({0} + math.copysign(0.49999999999999994, {0}))",
    "single": "float(np.float32({}))",
    "mod": "np.fmod({}, {})",
    "copysign": "math.copysign({}, {})",
    "atan2": "math.atan2({}, {})",
}
# Operations whose format names an operand twice: the operand gets a name of its own.
_REPEATING = frozenset({"min", "max", "sign", "nint"})


def kernel_source(lines: Sequence[str], variables: int, parameters: int) -> str:
    """Source of the module with a pattern's kernels, differentiated here.

    Parameters
    ----------
    lines : sequence of str
        The normalised graph (`expressions.normalise`); its last line is the pattern's value.
    variables, parameters : int
        Numbers of local variables and of parameters.

    Returns
    -------
    str
        Module text; see `module_source`.
    """
    graph = Graph()
    value = graph.extend(lines)[-1]
    slopes = [graph.derivative(value, a) for a in range(variables)]
    curvatures = {(a, b): graph.derivative(slopes[a], b) for a in range(variables) for b in range(a + 1)}
    return module_source(graph, value, slopes, curvatures, parameters, "\n".join(lines))


def module_source(
    graph: Graph,
    value: Node,
    gradient: Sequence[Node],
    hessian: Mapping[tuple[int, int], Node],
    parameters: int,
    definition: str,
) -> str:
    """Source of the module with the kernels of a function whose derivatives stand in the graph.

    Parameters
    ----------
    graph : Graph
        Holds the following nodes.
    value : Node
        The function.
    gradient : sequence of Node
        Derivative with respect to each local variable.
    hessian : mapping of (int, int) to Node
        Second derivatives by (a, b), a >= b; missing ones are zero.
    parameters : int
        Number of parameters.
    definition : str
        What the function is, for the reader of the module.

    Returns
    -------
    str
        Module text: ``VARIABLES``, ``PARAMETERS``, ``GRADIENT`` (variables with a nonzero derivative),
        ``HESSIAN`` (pairs (a, b), a >= b, with a nonzero second derivative), ``CONSTANT_HESSIAN``,
        ``LINEAR``, ``WIDTH`` and the functions ``value``, ``gradient`` (value first, then one output a
        variable), ``hessian`` (one output a pair) and ``hessian_product`` (whose inputs end with the
        direction; one output a variable).
    """
    variables = len(gradient)
    hessian = {pair: node for pair, node in hessian.items() if graph.value(node) != 0.0}
    width = min(
        _LONGEST_BLOCK, max(8, _BUFFER // block_doubles(variables, parameters, len(hessian)) // 8 * 8)
    )
    header = _HEADER.format(
        variables=variables,
        parameters=parameters,
        gradient=tuple(a for a in range(variables) if graph.value(gradient[a]) != 0.0),
        hessian=tuple(hessian),
        constant=all(graph.value(node) is not None for node in hessian.values()),
        linear=not any(graph.nodes[node][0] == "variable" for node in graph.ancestors(gradient)),
        width=width,
        definition=definition,
    )
    kernels = {
        "value": [value],
        "gradient": [value, *gradient],
        "hessian": list(hessian.values()),
        "hessian_product": _hessian_product(graph, hessian, variables, parameters),
    }
    return "\n\n".join(
        [header, *(_function(graph, name, out, variables, width) for name, out in kernels.items())]
    )


def _hessian_product(
    graph: Graph, hessian: Mapping[tuple[int, int], Node], variables: int, parameters: int
) -> list[Node]:
    """The Hessian times a direction, whose components are inputs after variables and parameters."""
    direction = [graph.parameter(parameters + a) for a in range(variables)]
    products = [graph.constant(0.0)] * variables
    for (a, b), node in hessian.items():
        products[a] = graph.apply("add", products[a], graph.apply("mul", node, direction[b]))
        if a != b:
            products[b] = graph.apply("add", products[b], graph.apply("mul", node, direction[a]))
    return products


def block_doubles(variables: int, parameters: int, pairs: int) -> int:
    """Buffers for one element of a block: weight, scale, inputs, direction, the largest kernel's results."""
    return 2 + 2 * variables + parameters + max(1 + variables, pairs)


def _function(graph: Graph, name: str, outputs: list[Node], variables: int, width: int) -> str:
    """A kernel that computes the outputs."""
    places: dict[Node, int] = {}
    for l, node in enumerate(outputs):
        places.setdefault(node, l)
    copied = len(outputs) - len(places) > _MOST_REPEATED
    written = list(places.items()) if copied else [(node, l) for l, node in enumerate(outputs)]
    arrays, body, text = _statements(graph, [node for node, _ in written], variables)
    body += [f"out[{l * width} + e] = {text[node]}" for node, l in written]
    loops = ["    for e in range(count):", *("        " + line for line in body or ["pass"])]
    head = [f"def {name}(count, x, out):", *("    " + line for line in arrays)]
    if copied:
        pairs = [(places[node] * width, l * width) for l, node in enumerate(outputs) if places[node] != l]
        head = [f"_{name}_copies = np.array({pairs})\n\n", *head]
        loops += _COPIES.format(name=name, count=len(pairs)).splitlines()
    return "\n".join([*head, *loops]) + "\n"


def scalar_source(graph: Graph, name: str, outputs: Sequence[Node], variables: int) -> str:
    """Source of a plain Python function ``name(x) -> list`` of the outputs, for one x: nothing to compile."""
    _, body, text = _statements(graph, list(outputs), variables, scalar=True)
    result = ", ".join(text[node] for node in outputs)
    return "\n".join([f"def {name}(x):", *("    " + line for line in body), f"    return [{result}]"]) + "\n"


def _statements(
    graph: Graph, outputs: list[Node], variables: int, scalar: bool = False
) -> tuple[list[str], list[str], dict[Node, str]]:
    """Lines that name the input arrays, lines that compute the outputs of element e, and each node's text."""
    needed = graph.ancestors(outputs)
    uses = Counter(outputs)
    for node in needed:
        operation, operands = graph.nodes[node]
        if operation not in LEAVES:
            uses.update({int(operand): 2 if operation in _REPEATING else 1 for operand in operands})
    arrays: list[str] = []
    body: list[str] = []
    text: dict[Node, str] = {}
    depth: dict[Node, int] = {}
    for node in needed:
        operation, operands = graph.nodes[node]
        if operation == "constant":
            text[node] = _number(operands[0])
        elif operation in LEAVES:
            position = int(operands[0]) + (variables if operation == "parameter" else 0)
            text[node] = f"{operation[0]}{int(operands[0])}"
            arrays.append(f"x{position} = x[{position}]")
            body.append(f"{text[node]} = x[{position}]" if scalar else f"{text[node]} = x{position}[e]")
        else:
            inner = [int(operand) for operand in operands]
            text[node] = _expression(graph, operation, inner, text)
            depth[node] = 1 + max(depth.get(operand, 0) for operand in inner)
            if uses[node] > 1 or depth[node] > _DEEPEST:
                body.append(f"t{node} = {text[node]}")
                text[node], depth[node] = f"t{node}", 0
    return arrays, body, text


def _expression(graph: Graph, operation: str, operands: list[Node], text: dict[Node, str]) -> str:
    if operation == "pow":
        exponent = graph.value(operands[1])
        if exponent is not None:
            return _power(text[operands[0]], exponent)
    shown = [text[operand] for operand in operands]
    return _FORMATS[operation].format(*shown) if operation in _FORMATS else f"math.{operation}({shown[0]})"


def _power(base: str, exponent: float) -> str:
    """Whole powers as products (which the compiler unrolls), half ones by the square root."""
    size = abs(exponent)
    if size.is_integer() and size <= 64:
        power = base if size == 1 else f"{base} ** {int(size)}"
    elif (2 * size).is_integer() and size <= 8:
        whole = int(size)
        power = {0: "", 1: f"{base} * "}.get(whole, f"{base} ** {whole} * ") + f"math.sqrt({base})"
    else:
        return f"({base} ** {_number(exponent)})"
    return f"({power})" if exponent > 0 else f"(1.0 / ({power}))"


def _number(value: float) -> str:
    if value != value:
        return "math.nan"
    if value in (float("inf"), float("-inf")):
        return "math.inf" if value > 0 else "(-math.inf)"
    return repr(value) if value >= 0 else f"({value!r})"
