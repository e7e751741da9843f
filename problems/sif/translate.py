"""Element and group functions: from the cards of a function part to functions with given derivatives."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from ..given_derivatives import GivenFunction
from ..graphs import Graph, Node
from .cards import number
from .errors import SIFError
from .fortran import Fortran, FortranError, Kind, Value
from .structure import Card, ElementType, FunctionPart, GroupType

_TEMPORARY_KINDS: dict[str, Kind] = {"R": "double", "I": "integer", "L": "logical"}
_CODES = ("A", "I", "E", "F", "G", "H")


class Statement(NamedTuple):
    """A card with the expression of its continuations."""

    card: Card
    expression: str


class Translator:
    """Translates the types of one function part.

    Parameters
    ----------
    part : FunctionPart
        The ELEMENTS or the GROUPS part.
    file : str
        Named in errors.
    cutest_digits : bool
        Whether literals without a D exponent are single precision and the coefficients of R cards are rounded
        as CUTEst's decoder prints them; otherwise all are read as they are written.
    """

    def __init__(self, part: FunctionPart, *, file: str = "", cutest_digits: bool = True) -> None:
        self.part, self.file, self.cutest_digits = part, file, cutest_digits
        self.kinds: dict[str, Kind] = {
            name.upper(): _TEMPORARY_KINDS[code]
            for name, code in part.temporaries.items()
            if code in _TEMPORARY_KINDS
        }
        self.external = {name.upper() for name, code in part.temporaries.items() if code == "F"}

    def element(self, kind: ElementType) -> GivenFunction:
        """The function of an element type, in its elemental variables.

        In internal variables u = W v, the gradient is W'g and the Hessian W'HW.

        Raises
        ------
        SIFError
            Where a card cannot be translated; names it.
        """
        graph = Graph()
        for variables in (kind.variables, kind.internal):
            if len(set(_folded(variables))) < len(variables):
                raise self.refuse(
                    f"type {kind.name!r} has two variables whose names Fortran takes for the same"
                )
        elemental = [graph.variable(j) for j in range(len(kind.variables))]
        statements = self._statements(kind.name)
        names, transformation = dict(zip(_folded(kind.variables), elemental, strict=True)), None
        if kind.internal:
            transformation = self._transformation(kind, statements)
            nodes = [_combination(graph, row, elemental) for row in transformation]
            names = dict(zip(_folded(kind.internal), nodes, strict=True))
        run = _Run(self, graph, names, kind.parameters)
        run.execute(statements)
        value, gradient, hessian = run.results(kind.name)
        if transformation is None:
            return GivenFunction(graph, value, tuple(gradient), hessian, len(kind.parameters))
        gradient, hessian = _transformed(graph, transformation, gradient, hessian)
        return GivenFunction(graph, value, tuple(gradient), hessian, len(kind.parameters))

    def group(self, kind: GroupType) -> GivenFunction:
        """The function of a group type, in its one variable.

        Raises
        ------
        SIFError
            Where a card cannot be translated; names it.
        """
        graph = Graph()
        names = {_compact(kind.variable): graph.variable(0)}
        run = _Run(self, graph, names, kind.parameters)
        run.execute(self._statements(kind.name))
        value, gradient, hessian = run.results(kind.name)
        return GivenFunction(graph, value, tuple(gradient), hessian, len(kind.parameters))

    def refuse(self, reason: str, card: Card | None = None) -> SIFError:
        """The error with file and card."""
        if card is None:
            return SIFError(reason, file=self.file)
        text = f" {card.code:<2} {card.field2:<10}{card.field3:<10}{card.field7}"
        return SIFError(reason, file=self.file, line=card.line, card=text)

    def _statements(self, name: str) -> Sequence[Card]:
        if name not in self.part.individuals:
            raise self.refuse(f"type {name!r} has no functions")
        return self.part.individuals[name]

    def _transformation(self, kind: ElementType, cards: Iterable[Card]) -> np.ndarray:
        """The matrix W of the R cards, shape (internal, elemental variables)."""
        rows = {name: i for i, name in enumerate(_folded(kind.internal))}
        columns = {name: j for j, name in enumerate(_folded(kind.variables))}
        matrix = np.zeros((len(rows), len(columns)))
        for card in cards:
            if card.code != "R":
                continue
            for name, coefficient in ((card.field3, card.field4), (card.field5, card.field6)):
                if not name:
                    continue
                try:
                    entry = rows[card.field2.upper()], columns[name.upper()]
                except KeyError as error:
                    raise self.refuse(f"{error.args[0]} is no variable of type {kind.name!r}", card) from None
                try:
                    matrix[entry] += number(coefficient)
                except SIFError as error:
                    raise self.refuse(error.reason, card) from None
        if self.cutest_digits:
            plain = np.abs(matrix) == 1.0
            with np.errstate(over="ignore"):
                matrix = np.where(plain, matrix, matrix.round(5).astype(np.float32).astype(np.float64))
        return matrix


class _Run:
    """Executes a type's cards in order, on nodes in the place of numbers."""

    def __init__(
        self, translator: Translator, graph: Graph, variables: Mapping[str, Node], parameters: Sequence[str]
    ) -> None:
        self.translator, self.graph = translator, graph
        self.fortran = Fortran(graph, single_literals=translator.cutest_digits)
        self.names: dict[str, Value] = {}
        self.kinds = dict(translator.kinds)
        self.execute(translator.part.globals)
        self.position = {name: i for i, name in enumerate(variables)}
        named = dict(variables) | {name: graph.parameter(q) for q, name in enumerate(_folded(parameters))}
        for name, node in named.items():
            self.names[name] = Value("double", node)
            self.kinds[name] = "double"
        self.value: Node | None = None
        self.gradient = [graph.constant(0.0)] * len(self.position)
        self.hessian: dict[tuple[int, int], Node] = {}

    def execute(self, cards: Iterable[Card]) -> None:
        """Run the cards."""
        for card, expression in self._joined(cards):
            try:
                self._step(card, expression)
            except FortranError as error:
                called = [name for name in self.translator.external if name in expression.upper()]
                reason = f"the external function {called[0]} is needed: {error}" if called else str(error)
                raise self.translator.refuse(reason, card) from None

    def results(self, name: str) -> tuple[Node, list[Node], dict[tuple[int, int], Node]]:
        """Value, gradient and Hessian."""
        if self.value is None:
            raise self.translator.refuse(f"type {name!r} has no F card")
        return self.value, self.gradient, self.hessian

    def _joined(self, cards: Iterable[Card]) -> Iterator[Statement]:
        """Cards with their continuations; R cards have been read."""
        last: Statement | None = None
        for card in cards:
            if card.code == "R":
                continue
            if card.code.endswith("+"):
                if last is None or last.card.code != card.code[:-1]:
                    raise self.translator.refuse("the card continues none of its kind", card)
                last = Statement(last.card, last.expression + card.field7)
                continue
            if last is not None:
                yield last
            if card.code not in _CODES:
                raise self.translator.refuse(f"{card.code!r} is no code of a function card", card)
            last = Statement(card, card.field7)
        if last is not None:
            yield last

    def _step(self, card: Card, expression: str) -> None:
        value = self.fortran.evaluate(expression, self.names)
        if card.code == "A":
            self._assign(card.field2, value)
        elif card.code in ("I", "E"):
            self._assign(card.field3, value, self._condition(card))
        elif not hasattr(self, "gradient"):  # among the global assignments, before any function
            raise self.translator.refuse(f"{card.code!r} stands outside a function", card)
        elif card.code == "F":
            self.value = self._double(value)
        elif card.code == "G":
            self.gradient[self._variable(card.field2)] = self._double(value)
        else:
            pair = self._variable(card.field2), self._variable(card.field3)
            self.hessian[max(pair), min(pair)] = self._double(value)

    def _assign(self, field: str, value: Value, condition: Value | None = None) -> None:
        name = _compact(field)
        kind = self.kinds.get(name)
        if kind is None:
            raise FortranError(f"{name or 'a name'} is assigned but not declared")
        value = self.fortran.convert(value, kind)
        # A variable without a value so far gets the one that the condition would give it: whoever reads it
        # where the condition does not hold would read nothing.
        if condition is not None and name in self.names:
            value = self.fortran.choose(condition, value, self.names[name])
        self.names[name] = value

    def _condition(self, card: Card) -> Value:
        name = _compact(card.field2)
        if name not in self.names:
            raise FortranError(f"{name or 'the condition'} has no value here")
        condition = self.fortran.convert(self.names[name], "logical")
        return condition if card.code == "I" else self.fortran.logical("not", condition)

    def _variable(self, field: str) -> int:
        name = _compact(field)
        if not name and len(self.position) == 1:
            return 0  # the group variable is not named
        if name not in self.position:
            raise FortranError(f"{name or 'a blank'} is no variable of this type")
        return self.position[name]

    def _double(self, value: Value) -> Node:
        return self.fortran.convert(value, "double").node


def _compact(field: str) -> str:
    """A Fortran name: blanks and case mean nothing."""
    return "".join(field.split()).upper()


def _folded(names: Iterable[str]) -> list[str]:
    return [_compact(name) for name in names]


def _combination(graph: Graph, row: np.ndarray, nodes: Sequence[Node]) -> Node:
    """Sum of coefficient * node."""
    total = graph.constant(0.0)
    for coefficient, node in zip(row.tolist(), nodes, strict=True):
        if coefficient != 0.0:
            total = graph.apply("add", total, graph.apply("mul", graph.constant(coefficient), node))
    return total


def _transformed(
    graph: Graph, matrix: np.ndarray, gradient: Sequence[Node], hessian: Mapping[tuple[int, int], Node]
) -> tuple[list[Node], dict[tuple[int, int], Node]]:
    """W'g and the lower triangle of W'HW."""
    count = matrix.shape[1]
    # H W first, then W' from the left: linear in the nonzeros of W for each column.
    products: dict[tuple[int, int], Node] = {}
    for (a, b), node in hessian.items():
        for u, v in sorted({(a, b), (b, a)}):
            for j in np.flatnonzero(matrix[v]).tolist():
                term = graph.apply("mul", graph.constant(float(matrix[v, j])), node)
                before = products.get((u, j), graph.constant(0.0))
                products[u, j] = graph.apply("add", before, term)
    result: dict[tuple[int, int], Node] = {}
    for (u, j), node in sorted(products.items()):
        for i in np.flatnonzero(matrix[u]).tolist():
            if i >= j:
                term = graph.apply("mul", graph.constant(float(matrix[u, i])), node)
                result[i, j] = graph.apply("add", result.get((i, j), graph.constant(0.0)), term)
    return [_combination(graph, matrix[:, j], gradient) for j in range(count)], result
