"""Patterns whose derivatives are given rather than derived: element and group functions of SIF and S2MPJ.

What a file gives is what CUTEst evaluates, also where it is not the derivative of the value: missing second
derivatives are zero, and branches may differ between the value and its derivatives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from .graphs import Graph, Node
from .kernel_source import SOURCE_VERSION, module_source
from .pattern_cache import Pattern, pattern_from_source


@dataclass(frozen=True, eq=False)
class GivenFunction:
    """A scalar function of local variables and parameters with its derivatives, as nodes of a graph.

    Attributes
    ----------
    graph : Graph
        Holds all nodes.
    value : Node
        The function.
    gradient : tuple of Node
        Derivative with respect to each local variable.
    hessian : mapping of (int, int) to Node
        Second derivatives by (a, b), a >= b; missing ones are zero.
    parameters : int
        Number of parameters.
    """

    graph: Graph
    value: Node
    gradient: tuple[Node, ...]
    hessian: Mapping[tuple[int, int], Node]
    parameters: int = 0

    @property
    def variables(self) -> int:
        """Number of local variables."""
        return len(self.gradient)

    def merged(self, aliases: Sequence[int]) -> GivenFunction:
        """The function where local variables coincide: derivatives with respect to them add.

        Parameters
        ----------
        aliases : sequence of int
            For each local variable its number among the distinct ones, 0, 1, ...

        Returns
        -------
        GivenFunction
            Of ``max(aliases) + 1`` variables.
        """
        if len(aliases) != self.variables or set(aliases) != set(range(len(set(aliases)))):
            raise ValueError(f"aliases must number {self.variables} variables without gaps, not {aliases!r}")
        graph = Graph()
        nodes = _copied(self.graph, self._outputs, graph, aliases)
        count = len(set(aliases))
        zero = graph.constant(0.0)
        gradient = [zero] * count
        for a, alias in enumerate(aliases):
            gradient[alias] = graph.apply("add", gradient[alias], nodes[self.gradient[a]])
        hessian: dict[tuple[int, int], Node] = {}
        for (a, b), node in self.hessian.items():
            i, j = max(aliases[a], aliases[b]), min(aliases[a], aliases[b])
            # Both (a, b) and (b, a) fall on the diagonal where a and b become one variable.
            factor = graph.constant(2.0 if a != b and i == j else 1.0)
            term = graph.apply("mul", factor, nodes[node])
            hessian[i, j] = graph.apply("add", hessian.get((i, j), zero), term)
        return GivenFunction(graph, nodes[self.value], tuple(gradient), hessian, self.parameters)

    def pattern(self) -> Pattern:
        """The compiled pattern, from memory, from disk, or printed now."""
        return given_pattern(self.graph, self.value, self.gradient, self.hessian, self.parameters)

    @property
    def _outputs(self) -> list[Node]:
        return [self.value, *self.gradient, *self.hessian.values()]


def given_pattern(
    graph: Graph,
    value: Node,
    gradient: Sequence[Node],
    hessian: Mapping[tuple[int, int], Node],
    parameters: int,
) -> Pattern:
    """The pattern of a function whose first and second derivatives stand in the graph, too.

    Parameters
    ----------
    graph : Graph
        Holds all nodes.
    value : Node
        The function.
    gradient : sequence of Node
        One node for each local variable.
    hessian : mapping of (int, int) to Node
        Second derivatives by (a, b), a >= b; missing ones are zero.
    parameters : int
        Number of parameters.

    Raises
    ------
    ValueError
        Where a pair of ``hessian`` is not one of the lower triangle.
    """
    variables = len(gradient)
    for a, b in hessian:
        if not 0 <= b <= a < variables:
            raise ValueError(f"hessian has the pair {(a, b)}; pairs a >= b below {variables} are wanted")
    pairs = [pair for pair in sorted(hessian) if graph.value(hessian[pair]) != 0.0]
    outputs = [value, *gradient, *(hessian[pair] for pair in pairs)]
    lines, positions = graph.normal_form(outputs)
    shown = " ".join([str(p) for p in positions] + [f"({a},{b})" for a, b in pairs])
    definition = "\n".join([*lines, f"outputs {shown}"])

    def source() -> str:
        normal = Graph()
        nodes = normal.extend(lines)
        value, *derivatives = (nodes[p] for p in positions)
        curvatures = dict(zip(pairs, derivatives[variables:], strict=True))
        return module_source(normal, value, derivatives[:variables], curvatures, parameters, definition)

    text = f"karush given {SOURCE_VERSION} {variables} {parameters}\n{definition}"
    return pattern_from_source(text, source)


def _copied(
    source: Graph, outputs: Sequence[Node], target: Graph, aliases: Sequence[int]
) -> dict[Node, Node]:
    """Nodes of another graph in which local variable a is number aliases[a], by the nodes of the first."""
    lines, positions = source.normal_form(outputs)
    renumbered = []
    for line in lines:
        operation, *operands = line.split()
        renumbered.append(f"variable {aliases[int(operands[0])]}" if operation == "variable" else line)
    nodes = target.extend(renumbered)
    return {output: nodes[position] for output, position in zip(outputs, positions, strict=True)}
