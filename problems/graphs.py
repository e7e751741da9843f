"""Expression graphs: simplified as they grow, differentiated node by node.

Equal nodes are one node, so common subexpressions are shared from the start, and differentiating costs one
local rule a node and variable: linear in the graph, where expanding it to a tree can be exponential.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import numpy as np

Node = int

# Rounding half away from zero: truncation after adding the number before one half, so that 0.49...9 stays 0.
_BELOW_HALF = math.nextafter(0.5, 0.0)

_FOLDED: dict[str, Callable[..., float]] = {
    "exp": math.exp,
    "log": math.log,
    "sin": math.sin,
    "cos": math.cos,
    "tan": math.tan,
    "asin": math.asin,
    "acos": math.acos,
    "atan": math.atan,
    "sinh": math.sinh,
    "cosh": math.cosh,
    "tanh": math.tanh,
    "sqrt": math.sqrt,
    "erf": math.erf,
    "abs": abs,
    "sign": lambda a: float((a > 0) - (a < 0)),
    "pow": math.pow,
    "div": lambda a, b: a / b,
    "min": min,
    "max": max,
    # What Fortran has besides.
    "atan2": math.atan2,
    "log10": math.log10,
    "mod": math.fmod,
    "copysign": math.copysign,
    "trunc": lambda a: float(math.trunc(a)),
    "nint": lambda a: float(math.trunc(a + math.copysign(_BELOW_HALF, a))),
    "single": lambda a: _single(a),
    "lt": lambda a, b: float(a < b),
    "le": lambda a, b: float(a <= b),
    "gt": lambda a, b: float(a > b),
    "ge": lambda a, b: float(a >= b),
    "eq": lambda a, b: float(a == b),
    "ne": lambda a, b: float(a != b),
    "not": lambda a: float(not a),
}


def _single(value: float) -> float:
    """The nearest single-precision number, infinite beyond the largest one."""
    with np.errstate(over="ignore"):
        return float(np.float32(value))


class Graph:
    """A directed acyclic graph of scalar operations.

    Nodes are numbers; operands have smaller numbers than their users. ``nodes[i]`` is (operation, operands),
    where the operand of "constant" is its value, that of "variable" and "parameter" a position.
    """

    def __init__(self) -> None:
        self.nodes: list[tuple[str, tuple[float, ...]]] = []
        self._known: dict[tuple[str, tuple[float, ...]], Node] = {}
        self._tangents: dict[tuple[Node, int], Node] = {}

    def constant(self, value: float) -> Node:
        """A number."""
        return self._intern("constant", float(value))

    def variable(self, position: int) -> Node:
        """Local variable of this position."""
        return self._intern("variable", position)

    def parameter(self, position: int) -> Node:
        """Parameter of this position."""
        return self._intern("parameter", position)

    def value(self, node: Node) -> float | None:
        """The number, where the node is one."""
        operation, operands = self.nodes[node]
        return operands[0] if operation == "constant" else None

    def extend(self, lines: Sequence[str]) -> list[Node]:
        """Add the graph of `expressions.normalise` or `normal_form`; returns the node of each line."""
        nodes: list[Node] = []
        for line in lines:
            operation, *operands = line.split()
            if operation == "constant":
                nodes.append(self.constant(float.fromhex(operands[0])))
            elif operation in ("variable", "parameter"):
                nodes.append(self._intern(operation, int(operands[0])))
            else:
                nodes.append(self.apply(operation, *(nodes[int(i)] for i in operands)))
        return nodes

    def normal_form(self, outputs: Sequence[Node]) -> tuple[tuple[str, ...], list[int]]:
        """The outputs' graph as text, equal for equal outputs whatever else the graph holds.

        Returns
        -------
        lines : tuple of str
            One line a node, as `expressions.normalise` writes them, in the order of a walk from the outputs.
        positions : list of int
            Line of each output.
        """
        number: dict[Node, int] = {}
        lines: list[str] = []
        stack = list(reversed(outputs))
        while stack:
            node = stack[-1]
            operation, operands = self.nodes[node]
            inner = [] if operation in LEAVES else [int(operand) for operand in operands]
            pending = [operand for operand in reversed(inner) if operand not in number]
            if node not in number and pending:
                stack.extend(pending)
                continue
            stack.pop()
            if node in number:
                continue
            number[node] = len(lines)
            if operation == "constant":
                lines.append(f"constant {operands[0].hex()}")
            else:
                shown = [str(number[operand]) for operand in inner] or [str(operands[0])]
                lines.append(" ".join([operation, *shown]))
        return tuple(lines), [number[output] for output in outputs]

    def apply(self, operation: str, *operands: Node) -> Node:
        """The node of an operation, simplified where that is exact whatever the operands' values."""
        special = getattr(self, f"_{operation}", None)
        if special is not None:
            return int(special(*operands))
        return self._plain(operation, *operands)

    def ancestors(self, outputs: Sequence[Node]) -> list[Node]:
        """Everything that the outputs need, themselves included, operands before users."""
        needed = set(outputs)
        for node in range(max(needed, default=-1), -1, -1):
            operation, operands = self.nodes[node]
            if node in needed and operation not in LEAVES:
                needed.update(int(operand) for operand in operands)
        return sorted(needed)

    def derivative(self, output: Node, position: int) -> Node:
        """Derivative of a node with respect to a local variable (almost everywhere: that of sign is zero)."""
        tangents = self._tangents
        for node in self.ancestors([output]):
            if (node, position) not in tangents:
                tangents[node, position] = self._tangent(node, position)
        return tangents[output, position]

    def _tangent(self, node: Node, position: int) -> Node:
        operation, operands = self.nodes[node]
        if operation in LEAVES:
            return self.constant(float(operation == "variable" and operands[0] == position))
        a = [int(operand) for operand in operands]
        d = [self._tangents[operand, position] for operand in a]
        if all(self.value(tangent) == 0.0 for tangent in d):
            return self.constant(0.0)
        return RULES[operation](self, node, a, d)

    def _intern(self, operation: str, *operands: float) -> Node:
        key = (operation, operands)
        if operation == "constant" and operands[0] == 0.0:
            key = (
                "constant",
                (0.0,),
            )  # no negative zeros: 0.0 == -0.0 would make the first one met stand for both
        node = self._known.get(key)
        if node is None:
            node = self._known[key] = len(self.nodes)
            self.nodes.append(key)
        return node

    def _plain(self, operation: str, *operands: Node) -> Node:
        numbers = [self.value(operand) for operand in operands]
        if operation in _FOLDED and None not in numbers:
            try:
                return self.constant(_FOLDED[operation](*numbers))
            except (ValueError, OverflowError, ZeroDivisionError):
                pass  # not a number: left to the kernel, which gives nan or inf
        return self._intern(operation, *operands)

    def _add(self, a: Node, b: Node) -> Node:
        u, v = self.value(a), self.value(b)
        if u is not None and v is not None:
            return self.constant(u + v)
        if u == 0.0 or v == 0.0:
            return b if u == 0.0 else a
        for one, other in ((a, b), (b, a)):
            operation, operands = self.nodes[other]
            if operation == "neg":
                return self._sub(one, int(operands[0]))
        return self._mul(self.constant(2.0), a) if a == b else self._intern("add", *sorted((a, b)))

    def _sub(self, a: Node, b: Node) -> Node:
        u, v = self.value(a), self.value(b)
        if u is not None and v is not None:
            return self.constant(u - v)
        if a == b:
            return self.constant(0.0)
        if v == 0.0:
            return a
        if u == 0.0:
            return self._neg(b)
        operation, operands = self.nodes[b]
        if operation == "neg":
            return self._add(a, int(operands[0]))
        return self._intern("sub", a, b)

    def _neg(self, a: Node) -> Node:
        operation, operands = self.nodes[a]
        if operation == "constant":
            return self.constant(-operands[0])
        if operation == "neg":
            return int(operands[0])
        if operation == "sub":
            return self._intern("sub", int(operands[1]), int(operands[0]))
        if operation == "mul" and self.value(int(operands[0])) is not None:
            return self._mul(self._neg(int(operands[0])), int(operands[1]))
        return self._intern("neg", a)

    def _mul(self, a: Node, b: Node) -> Node:
        u, v = self.value(a), self.value(b)
        if u is not None and v is not None:
            return self.constant(u * v)
        if v is not None:
            a, b, u = b, a, v
        if u == 0.0:
            return self.constant(0.0)
        if u in (1.0, -1.0):
            return b if u == 1.0 else self._neg(b)
        for one, other in ((a, b), (b, a)):
            operation, operands = self.nodes[other]
            if operation == "neg":
                return self._neg(self._mul(one, int(operands[0])))
            if operation == "mul" and (inner := self.value(int(operands[0]))) is not None:
                # Numbers move to the front, where they meet.
                outer = self.value(one)
                if outer is not None:
                    return self._mul(self.constant(outer * inner), int(operands[1]))
                return self._mul(int(operands[0]), self._mul(one, int(operands[1])))
        if a == b:
            return self._pow(a, self.constant(2.0))
        return self._intern("mul", a, b) if u is not None else self._intern("mul", *sorted((a, b)))

    def _div(self, a: Node, b: Node) -> Node:
        u, v = self.value(a), self.value(b)
        if u == 0.0:
            return a
        if v is not None and math.frexp(v)[0] in (0.5, -0.5) and 0.0 < abs(v) < 1e300:
            return self._mul(self.constant(1.0 / v), a)  # powers of two: exact
        return self._plain("div", a, b)

    def _pow(self, a: Node, b: Node) -> Node:
        v = self.value(b)
        if v == 0.0:
            return self.constant(1.0)
        if v == 1.0:
            return a
        if v == 0.5:
            return self._plain("sqrt", a)
        operation, operands = self.nodes[a]
        if operation == "neg" and v is not None and v % 2.0 == 0.0:
            return self._pow(int(operands[0]), b)
        return self._plain("pow", a, b)

    def _where(self, condition: Node, a: Node, b: Node) -> Node:
        known = self.value(condition)
        if known is not None:
            return a if known else b
        return a if a == b else self._intern("where", condition, a, b)

    def _and(self, a: Node, b: Node) -> Node:
        for one, other in ((a, b), (b, a)):
            known = self.value(one)
            if known is not None:
                return other if known else one
        return a if a == b else self._intern("and", a, b)

    def _or(self, a: Node, b: Node) -> Node:
        for one, other in ((a, b), (b, a)):
            known = self.value(one)
            if known is not None:
                return one if known else other
        return a if a == b else self._intern("or", a, b)


LEAVES = frozenset({"constant", "variable", "parameter"})

Rule = Callable[[Graph, Node, list[Node], list[Node]], Node]


def _chain(slope: Callable[[Graph, Node, Node], Node]) -> Rule:
    """Rule of a function of one argument, from its derivative in terms of argument and node."""
    return lambda g, node, a, d: g.apply("mul", slope(g, a[0], node), d[0])


def _power_rule(g: Graph, node: Node, a: list[Node], d: list[Node]) -> Node:
    base, exponent = a
    lowered = g.apply("pow", base, g.apply("sub", exponent, g.constant(1.0)))
    by_base = g.apply("mul", g.apply("mul", exponent, lowered), d[0])
    if g.value(d[1]) == 0.0:
        return by_base
    by_exponent = g.apply("mul", g.apply("mul", node, g.apply("log", base)), d[1])
    return g.apply("add", by_base, by_exponent)


def _product_rule(g: Graph, node: Node, a: list[Node], d: list[Node]) -> Node:
    return g.apply("add", g.apply("mul", d[0], a[1]), g.apply("mul", a[0], d[1]))


def _quotient_rule(g: Graph, node: Node, a: list[Node], d: list[Node]) -> Node:
    return g.apply("div", g.apply("sub", d[0], g.apply("mul", node, d[1])), a[1])


def _choice_rule(comparison: str) -> Rule:
    return lambda g, node, a, d: g.apply("where", g.apply(comparison, *a), *d)


def _inverse(g: Graph, denominator: Node) -> Node:
    return g.apply("div", g.constant(1.0), denominator)


def _one_plus_square(g: Graph, a: Node, sign: str = "add") -> Node:
    return g.apply(sign, g.constant(1.0), g.apply("pow", a, g.constant(2.0)))


def _root_of_one_minus_square(g: Graph, a: Node) -> Node:
    return g.apply("sqrt", _one_plus_square(g, a, "sub"))


def _gauss(g: Graph, a: Node) -> Node:
    bell = g.apply("exp", g.apply("neg", g.apply("pow", a, g.constant(2.0))))
    return g.apply("mul", g.constant(2.0 / math.sqrt(math.pi)), bell)


def _transfer_rule(g: Graph, node: Node, a: list[Node], d: list[Node]) -> Node:
    side = g.apply("copysign", g.constant(1.0), a[1])
    return g.apply("mul", g.apply("mul", g.apply("sign", a[0]), side), d[0])


def _angle_rule(g: Graph, node: Node, a: list[Node], d: list[Node]) -> Node:
    across = g.apply("sub", g.apply("mul", a[1], d[0]), g.apply("mul", a[0], d[1]))
    two = g.constant(2.0)
    return g.apply("div", across, g.apply("add", g.apply("pow", a[0], two), g.apply("pow", a[1], two)))


def _remainder_rule(g: Graph, node: Node, a: list[Node], d: list[Node]) -> Node:
    return g.apply("sub", d[0], g.apply("mul", g.apply("trunc", g.apply("div", *a)), d[1]))


# Derivative of each operation, from its node, its operands a and their derivatives d. They are tangents, not
# adjoints, so that a branch that is not taken can be nan or inf without touching the result.
RULES: dict[str, Rule] = {
    "add": lambda g, node, a, d: g.apply("add", *d),
    "sub": lambda g, node, a, d: g.apply("sub", *d),
    "neg": lambda g, node, a, d: g.apply("neg", *d),
    "mul": _product_rule,
    "div": _quotient_rule,
    "pow": _power_rule,
    "min": _choice_rule("le"),
    "max": _choice_rule("ge"),
    "where": lambda g, node, a, d: g.apply("where", a[0], d[1], d[2]),
    "abs": _chain(lambda g, a, node: g.apply("sign", a)),
    "sign": lambda g, node, a, d: g.constant(0.0),
    "exp": _chain(lambda g, a, node: node),
    "log": _chain(lambda g, a, node: _inverse(g, a)),
    "sqrt": _chain(lambda g, a, node: g.apply("div", g.constant(0.5), node)),
    "sin": _chain(lambda g, a, node: g.apply("cos", a)),
    "cos": _chain(lambda g, a, node: g.apply("neg", g.apply("sin", a))),
    "tan": _chain(lambda g, a, node: _one_plus_square(g, node)),
    "asin": _chain(lambda g, a, node: _inverse(g, _root_of_one_minus_square(g, a))),
    "acos": _chain(lambda g, a, node: g.apply("neg", _inverse(g, _root_of_one_minus_square(g, a)))),
    "atan": _chain(lambda g, a, node: _inverse(g, _one_plus_square(g, a))),
    "sinh": _chain(lambda g, a, node: g.apply("cosh", a)),
    "cosh": _chain(lambda g, a, node: g.apply("sinh", a)),
    "tanh": _chain(lambda g, a, node: _one_plus_square(g, node, "sub")),
    "erf": _chain(lambda g, a, node: _gauss(g, a)),
    "log10": _chain(lambda g, a, node: _inverse(g, g.apply("mul", g.constant(math.log(10.0)), a))),
    "atan2": _angle_rule,
    "copysign": _transfer_rule,
    "mod": _remainder_rule,
    "trunc": lambda g, node, a, d: g.constant(0.0),
    "nint": lambda g, node, a, d: g.constant(0.0),
    "single": lambda g, node, a, d: d[0],
    **dict.fromkeys(
        ("lt", "le", "gt", "ge", "eq", "ne", "and", "or", "not"), lambda g, node, a, d: g.constant(0.0)
    ),
}
