"""Fortran 77 expressions of SIF's function cards, parsed straight into the nodes of a graph.

Kinds are tracked as Fortran does: an operation on integers truncates, one on single-precision numbers is
rounded to single, and everything else happens in double. A literal without a D exponent is single.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

from ..graphs import Graph, Node

Kind = Literal["integer", "single", "double", "logical"]
_RANK: dict[Kind, int] = {"integer": 0, "single": 1, "double": 2}
_BY_RANK: tuple[Kind, ...] = ("integer", "single", "double")

# Deeper expressions are refused rather than overflow Python's stack.
_DEEPEST = 60


class FortranError(ValueError):
    """An expression that cannot be translated; the caller knows the card."""


class Value(NamedTuple):
    """A node and its Fortran kind."""

    kind: Kind
    node: Node


_OPERATORS = r"\.(?:LT|LE|GT|GE|EQV|EQ|NEQV|NE|AND|OR|NOT|TRUE|FALSE)\."
# A point that begins an operator does not belong to the number before it: 1.EQ.K.
_TOKEN = re.compile(
    rf"(?P<operator>{_OPERATORS})"
    rf"|(?P<number>\d+(?={_OPERATORS})|(?:\d+\.?\d*|\.\d+)(?:[ED][+-]?\d+)?)"
    r"|(?P<name>[A-Z][A-Z0-9_$]*)"
    r"|(?P<symbol>\*\*|<=|>=|==|/=|[-+*/(),<>])"
)
_RELATIONS = {
    ".LT.": "lt",
    ".LE.": "le",
    ".GT.": "gt",
    ".GE.": "ge",
    ".EQ.": "eq",
    ".NE.": "ne",
    "<": "lt",
    "<=": "le",
    ">": "gt",
    ">=": "ge",
    "==": "eq",
    "/=": "ne",
}

# Intrinsics by their generic name: operation of the graph. Specific names stand in _SPECIFIC.
_REAL_FUNCTIONS = {
    "SQRT": "sqrt",
    "EXP": "exp",
    "LOG": "log",
    "LOG10": "log10",
    "SIN": "sin",
    "COS": "cos",
    "TAN": "tan",
    "ASIN": "asin",
    "ACOS": "acos",
    "ATAN": "atan",
    "SINH": "sinh",
    "COSH": "cosh",
    "TANH": "tanh",
    "ERF": "erf",
}
_SPECIFIC = {
    **{f"D{name}": name for name in (*_REAL_FUNCTIONS, "ABS", "INT", "NINT", "SIGN", "MOD", "DIM", "ATAN2")},
    "IABS": "ABS",
    "ALOG": "LOG",
    "ALOG10": "LOG10",
    "IFIX": "INT",
    "IDINT": "INT",
    "IDNINT": "NINT",
    "ISIGN": "SIGN",
    "AMOD": "MOD",
    "IDIM": "DIM",
    "FLOAT": "REAL",
    "SNGL": "REAL",
    **dict.fromkeys(("AMAX1", "DMAX1", "MAX0"), "MAX"),
    **dict.fromkeys(("AMIN1", "DMIN1", "MIN0"), "MIN"),
    "DINT": "AINT",
    "DNINT": "ANINT",
    "DFLOAT": "DBLE",
}


class Fortran:
    """Translates expressions into a graph.

    Parameters
    ----------
    graph : Graph
        Takes the nodes.
    single_literals : bool
        Whether literals without a D exponent are single precision, as compiled Fortran has them; otherwise
        they are read as double.
    """

    def __init__(self, graph: Graph, *, single_literals: bool = True) -> None:
        self.graph = graph
        self.single_literals = single_literals

    def evaluate(self, text: str, names: Mapping[str, Value]) -> Value:
        """The value of an expression.

        Parameters
        ----------
        text : str
            The expression; blanks and case are ignored.
        names : mapping of str to Value
            What is known by name, in upper case.

        Raises
        ------
        FortranError
            Where it cannot be translated.
        """
        return _Parser(self, tokenise(text), names).whole()

    def convert(self, value: Value, kind: Kind) -> Value:
        """The value as an assignment to a variable of this kind makes it."""
        if (value.kind == "logical") != (kind == "logical"):
            raise FortranError(f"a {value.kind} value stands where a {kind} one is wanted")
        if value.kind == kind:
            return value
        if kind == "integer":
            return Value(kind, self.graph.apply("trunc", value.node))
        return self._rounded(kind, value.node)

    def constant(self, kind: Kind, value: float) -> Value:
        """A number or, for "logical", a truth value."""
        return self._rounded(kind, self.graph.constant(value))

    def literal(self, text: str) -> Value:
        """A number as it is written."""
        if text.isdigit():
            return self.constant("integer", float(text))
        double = "D" in text or not self.single_literals
        return self.constant("double" if double else "single", float(text.replace("D", "E")))

    def arithmetic(self, operation: str, *values: Value) -> Value:
        """An operation in the highest kind of its operands."""
        kind, nodes = self._common(*values)
        return self._rounded(kind, self.graph.apply(operation, *nodes))

    def quotient(self, a: Value, b: Value) -> Value:
        """Division: that of integers truncates."""
        kind, nodes = self._common(a, b)
        if kind == "integer" and self.graph.value(nodes[1]) == 0.0:
            raise FortranError("an integer is divided by zero")
        return self._truncated(kind, self.graph.apply("div", *nodes))

    def power(self, a: Value, b: Value) -> Value:
        """Power; that of integers truncates."""
        kind, nodes = self._common(a, b)
        if kind == "integer" and self.graph.value(nodes[0]) == 0.0 and (self.graph.value(nodes[1]) or 0) < 0:
            raise FortranError("zero is raised to a negative integer power")
        return self._truncated(kind, self.graph.apply("pow", *nodes))

    def relation(self, operation: str, a: Value, b: Value) -> Value:
        """A comparison of numbers."""
        return Value("logical", self.graph.apply(operation, *self._common(a, b)[1]))

    def logical(self, operation: str, *values: Value) -> Value:
        """An operation on truth values."""
        nodes = [self.convert(value, "logical").node for value in values]
        if operation in ("eqv", "neqv"):
            negated = self.graph.apply("not", nodes[1])
            same = [negated, nodes[1]] if operation == "neqv" else [nodes[1], negated]
            return Value("logical", self.graph.apply("where", nodes[0], *same))
        return Value("logical", self.graph.apply(operation, *nodes))

    def choose(self, condition: Value, yes: Value, no: Value) -> Value:
        """One of two values of the same kind."""
        test = self.convert(condition, "logical").node
        return Value(yes.kind, self.graph.apply("where", test, yes.node, no.node))

    def call(self, name: str, arguments: list[Value]) -> Value:
        """An intrinsic function."""
        generic = _SPECIFIC.get(name, name)
        if generic in _REAL_FUNCTIONS:
            (a,) = _counted(name, arguments, 1)
            kind: Kind = "double" if a.kind == "double" or name.startswith("D") else "single"
            argument = self.convert(a, kind).node
            return self._rounded(kind, self.graph.apply(_REAL_FUNCTIONS[generic], argument))
        special: Callable[[list[Value]], Value] | None = getattr(self, f"_call_{generic.lower()}", None)
        if special is None:
            raise FortranError(f"{name} is no intrinsic function that is known here")
        return special(_counted(name, arguments, *_ARGUMENTS[generic]))

    def _call_abs(self, arguments: list[Value]) -> Value:
        return self.arithmetic("abs", *arguments)

    def _call_max(self, arguments: list[Value]) -> Value:
        return self._folded("max", arguments)

    def _call_min(self, arguments: list[Value]) -> Value:
        return self._folded("min", arguments)

    def _call_sign(self, arguments: list[Value]) -> Value:
        kind, (a, b) = self._common(*arguments)
        if kind == "integer":  # an integer zero has no sign: it counts as positive
            b = self.graph.apply("add", b, self.graph.constant(0.5))
        return Value(kind, self.graph.apply("copysign", a, b))

    def _call_mod(self, arguments: list[Value]) -> Value:
        if arguments[1].kind == "integer" and self.graph.value(arguments[1].node) == 0.0:
            raise FortranError("MOD has the second argument zero")
        return self.arithmetic("mod", *arguments)

    def _call_dim(self, arguments: list[Value]) -> Value:
        return self._folded("max", [self.arithmetic("sub", *arguments), self.constant("integer", 0.0)])

    def _call_atan2(self, arguments: list[Value]) -> Value:
        return self.arithmetic("atan2", *arguments)

    def _call_int(self, arguments: list[Value]) -> Value:
        return self.convert(arguments[0], "integer")

    def _call_nint(self, arguments: list[Value]) -> Value:
        return Value("integer", self.graph.apply("nint", self._common(*arguments)[1][0]))

    def _call_aint(self, arguments: list[Value]) -> Value:
        return self.arithmetic("trunc", *arguments)

    def _call_anint(self, arguments: list[Value]) -> Value:
        return self.arithmetic("nint", *arguments)

    def _call_real(self, arguments: list[Value]) -> Value:
        return self.convert(arguments[0], "single" if self.single_literals else "double")

    def _call_dble(self, arguments: list[Value]) -> Value:
        return self.convert(arguments[0], "double")

    def _folded(self, operation: str, arguments: list[Value]) -> Value:
        kind, nodes = self._common(*arguments)
        result = nodes[0]
        for node in nodes[1:]:
            result = self.graph.apply(operation, result, node)
        return Value(kind, result)

    def _common(self, *values: Value) -> tuple[Kind, list[Node]]:
        """The highest kind among numbers, and their nodes in it."""
        for value in values:
            if value.kind == "logical":
                raise FortranError("a logical value stands where a number is wanted")
        kind = _BY_RANK[max(_RANK[value.kind] for value in values)]
        return kind, [self.convert(value, kind).node for value in values]

    def _truncated(self, kind: Kind, node: Node) -> Value:
        """What an operation that leads out of the integers gives in this kind."""
        if kind == "integer":
            return Value(kind, self.graph.apply("trunc", node))
        return self._rounded(kind, node)

    def _rounded(self, kind: Kind, node: Node) -> Value:
        """What an operation in double gives in this kind; exact in single for + - * / and sqrt."""
        return Value(kind, self.graph.apply("single", node) if kind == "single" else node)


_ARGUMENTS = {
    "ABS": (1,),
    "MAX": (2, 999),
    "MIN": (2, 999),
    "SIGN": (2,),
    "MOD": (2,),
    "DIM": (2,),
    "ATAN2": (2,),
    "INT": (1,),
    "NINT": (1,),
    "AINT": (1,),
    "ANINT": (1,),
    "REAL": (1,),
    "DBLE": (1,),
}
INTRINSICS = frozenset(_REAL_FUNCTIONS) | frozenset(_SPECIFIC) | frozenset(_ARGUMENTS)
"""Names of the functions that can be translated."""


def _counted(name: str, arguments: list[Value], least: int, most: int | None = None) -> list[Value]:
    if not least <= len(arguments) <= (most or least):
        raise FortranError(f"{name} has {len(arguments)} arguments instead of {least}")
    return arguments


def tokenise(text: str) -> list[tuple[str, str]]:
    """Tokens as (kind, text); blanks mean nothing and letters are made upper case first."""
    compact = "".join(text.split()).upper()
    tokens, at = [], 0
    while at < len(compact):
        match = _TOKEN.match(compact, at)
        if match is None:
            raise FortranError(f"{compact[at : at + 12]!r} cannot be understood")
        tokens.append((str(match.lastgroup), match.group()))
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent; one method a level of precedence, from the loosest to the tightest."""

    def __init__(self, fortran: Fortran, tokens: list[tuple[str, str]], names: Mapping[str, Value]) -> None:
        self.fortran, self.tokens, self.names = fortran, tokens, names
        self.at = self.depth = 0

    def whole(self) -> Value:
        value = self.equivalence()
        if self.at < len(self.tokens):
            raise FortranError(f"{self.tokens[self.at][1]!r} stands where the expression should end")
        return value

    def peek(self) -> str:
        return self.tokens[self.at][1] if self.at < len(self.tokens) else ""

    def accept(self, *texts: str) -> str:
        """The next token where it is one of these, else ""."""
        text = self.peek()
        if not text or text not in texts:
            return ""
        self.at += 1
        return text

    def expect(self, text: str) -> None:
        if not self.accept(text):
            found = repr(self.peek()) if self.peek() else "the end"
            raise FortranError(f"{text!r} is wanted where {found} stands")

    def equivalence(self) -> Value:
        value = self.disjunction()
        while operator := self.accept(".EQV.", ".NEQV."):
            value = self.fortran.logical(operator.strip(".").lower(), value, self.disjunction())
        return value

    def disjunction(self) -> Value:
        value = self.conjunction()
        while self.accept(".OR."):
            value = self.fortran.logical("or", value, self.conjunction())
        return value

    def conjunction(self) -> Value:
        value = self.negation()
        while self.accept(".AND."):
            value = self.fortran.logical("and", value, self.negation())
        return value

    def negation(self) -> Value:
        if self.accept(".NOT."):
            return self.fortran.logical("not", self.nested(self.negation))
        return self.comparison()

    def comparison(self) -> Value:
        value = self.sum()
        if operator := self.accept(*_RELATIONS):
            value = self.fortran.relation(_RELATIONS[operator], value, self.sum())
        return value

    def sum(self) -> Value:
        sign = self.accept("+", "-")
        value = self.product()
        if sign == "-":
            value = self.fortran.arithmetic("neg", value)
        while operator := self.accept("+", "-"):
            value = self.fortran.arithmetic("add" if operator == "+" else "sub", value, self.product())
        return value

    def product(self) -> Value:
        value = self.power()
        while operator := self.accept("*", "/"):
            factor = self.signed(self.power)
            value = (
                self.fortran.quotient(value, factor)
                if operator == "/"
                else self.fortran.arithmetic("mul", value, factor)
            )
        return value

    def power(self) -> Value:
        base = self.primary()
        if self.accept("**"):
            return self.fortran.power(base, self.nested(lambda: self.signed(self.power)))
        return base

    def signed(self, operand: Callable[[], Value]) -> Value:
        """A sign after an operator: not of the standard, but compilers take it."""
        if sign := self.accept("+", "-"):
            value = operand()
            return self.fortran.arithmetic("neg", value) if sign == "-" else value
        return operand()

    def primary(self) -> Value:
        if self.accept("("):
            value = self.nested(self.equivalence)
            self.expect(")")
            return value
        if self.at == len(self.tokens):
            raise FortranError("the expression ends where a value is wanted")
        kind, text = self.tokens[self.at]
        self.at += 1
        if kind == "number":
            return self.fortran.literal(text)
        if text in (".TRUE.", ".FALSE."):
            return self.fortran.constant("logical", float(text == ".TRUE."))
        if kind != "name":
            raise FortranError(f"{text!r} stands where a value is wanted")
        return self.named(text)

    def named(self, name: str) -> Value:
        if self.accept("("):
            arguments = [self.nested(self.equivalence)]
            while self.accept(","):
                arguments.append(self.nested(self.equivalence))
            self.expect(")")
            return self.fortran.call(name, arguments)
        if name not in self.names:
            raise FortranError(f"{name} has no value here")
        return self.names[name]

    def nested(self, operand: Callable[[], Value]) -> Value:
        self.depth += 1
        if self.depth > _DEEPEST:
            raise FortranError(f"parentheses are nested more than {_DEEPEST} deep")
        value = operand()
        self.depth -= 1
        return value
