"""Group partially separable problems (Conn, Gould & Toint, LANCELOT, 1992, ch. 1) on compiled term families.

Group i has the argument a_i(x) = sum_k w_k e_k(x) + (linear row)'x - b_i and the value F_i = t_i g_i(a_i).
The objective is the sum of some groups, each of the others is a constraint. An element e_k is one of a few
functions of few variables and parameters, and so is each g_i.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy.sparse import coo_array

from .families import Family, alias_classes
from .given_derivatives import GivenFunction
from .graphs import Graph
from .nlp import Metadata, Vector
from .row_function import LinearPart, RowFunction
from .term_problem import TermProblem


def _no_coordinates() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    return np.zeros(0, np.int32), np.zeros(0, np.int32), np.zeros(0)


@dataclass(frozen=True, eq=False, kw_only=True)
class PartiallySeparable:
    """A group partially separable problem as arrays.

    Attributes
    ----------
    metadata : Metadata
        Name, start, bounds; those of the constraints in the order of their groups.
    element_functions : sequence of GivenFunction
        The distinct element functions, in the elemental variables.
    element_function : ndarray of int, shape (elements,)
        Index into ``element_functions``.
    element_start : ndarray of int, shape (elements + 1,)
        ``element_variables[element_start[e]:element_start[e + 1]]`` are the variables of element e. One
        may occur twice.
    element_variables : ndarray of int
        See ``element_start``.
    parameter_start, element_parameters : ndarray
        The same for the elements' parameters.
    use_group, use_element : ndarray of int, use_weight : ndarray of float64, shape (uses,)
        Element ``use_element[k]`` stands in group ``use_group[k]`` with weight ``use_weight[k]``.
    is_constraint : ndarray of bool, shape (groups,)
        Groups that are constraints; the others make the objective.
    linear : (row, column, value)
        Linear parts in coordinate form, over the groups; duplicates add.
    constant : ndarray of float64, shape (groups,)
        b_i, subtracted.
    factor : ndarray of float64, shape (groups,)
        t_i, multiplies the group's value (CUTEst's scales s_i divide: t_i = 1 / s_i).
    group_functions : sequence of GivenFunction
        The distinct nontrivial group functions, each of one variable.
    group_function : ndarray of int, shape (groups,)
        Index into ``group_functions``, -1 for the identity.
    group_parameter_start, group_parameters : ndarray
        As for the elements, shape (groups + 1,) and the parameters in a row.
    quadratic : (row, column, value)
        x'Hx / 2 added to the objective: h_jj as (j, j, h), h_jk = h_kj once; duplicates add.
    """

    metadata: Metadata
    element_functions: Sequence[GivenFunction]
    element_function: np.ndarray
    element_start: np.ndarray
    element_variables: np.ndarray
    parameter_start: np.ndarray
    element_parameters: np.ndarray
    use_group: np.ndarray
    use_element: np.ndarray
    use_weight: np.ndarray
    is_constraint: np.ndarray
    linear: tuple[np.ndarray, np.ndarray, np.ndarray]
    constant: np.ndarray
    factor: np.ndarray
    group_functions: Sequence[GivenFunction]
    group_function: np.ndarray
    group_parameter_start: np.ndarray
    group_parameters: np.ndarray
    quadratic: tuple[np.ndarray, np.ndarray, np.ndarray] = field(default_factory=_no_coordinates)

    def __post_init__(self) -> None:
        groups, elements = self.is_constraint.size, self.element_function.size
        wanted = {
            "element_start": elements + 1,
            "parameter_start": elements + 1,
            "use_element": self.use_group.size,
            "use_weight": self.use_group.size,
            "constant": groups,
            "factor": groups,
            "group_function": groups,
            "group_parameter_start": groups + 1,
        }
        for name, size in wanted.items():
            if getattr(self, name).shape != (size,):
                raise ValueError(f"{name} has shape {getattr(self, name).shape}; ({size},) is wanted")
        rows = int(np.count_nonzero(self.is_constraint))
        if self.metadata.cl.shape != (rows,):
            raise ValueError(
                f"metadata.cl has shape {self.metadata.cl.shape}, but {rows} groups are constraints"
            )
        for names, functions, kinds, start in (
            ("element", self.element_functions, self.element_function, self.parameter_start),
            ("group", self.group_functions, self.group_function, self.group_parameter_start),
        ):
            counts = np.array([0] + [f.parameters for f in functions])[kinds + 1]
            if (np.diff(start)[kinds >= 0] != counts[kinds >= 0]).any():
                raise ValueError(f"a {names} has not as many parameters as its function")
        counts = np.array([f.variables for f in self.element_functions], dtype=np.int64)
        if (np.diff(self.element_start) != counts[self.element_function]).any():
            raise ValueError("an element has not as many variables as its function")

    @property
    def trivial_groups(self) -> np.ndarray:
        """Mask of the groups with the identity for a group function and no elements, shape (groups,)."""
        uses = np.bincount(self.use_group, minlength=self.factor.size)
        trivial: np.ndarray = (self.group_function < 0) & (uses == 0)
        return trivial

    def row_functions(self) -> tuple[RowFunction, RowFunction]:
        """Objective and constraints.

        The trivial groups of the objective share row 0: their sum is all that is wanted.
        """
        trivial = self.group_function < 0
        objective = ~self.is_constraint
        own_row = objective & ~trivial
        row = np.where(own_row, np.cumsum(own_row), 0)
        total = self._rows(objective, row, 1 + int(own_row.sum()), self._quadratic_families())
        row = np.cumsum(self.is_constraint) - 1
        constraints = self._rows(self.is_constraint, row, self.metadata.cl.size, [])
        return total, constraints

    def problem(self) -> TermProblem:
        """The problem on compiled kernels."""
        return TermProblem(self.metadata, *self.row_functions())

    def _rows(
        self, selected: np.ndarray, row: np.ndarray, count: int, families: Sequence[Family]
    ) -> RowFunction:
        """The row function of the selected groups, group i being row[i]."""
        # A trivial group's factor goes into its parts, so that the row needs no group function.
        inner = np.where(self.group_function < 0, self.factor, 1.0)
        families = [*families, *self._element_families(selected, row, inner)]
        n = self.metadata.x0.size
        kept = np.flatnonzero(selected[self.linear[0]])
        group = self.linear[0][kept]
        entries = (self.linear[2][kept] * inner[group], (row[group], self.linear[1][kept]))
        summed = coo_array(entries, shape=(count, n)).tocsr().tocoo()
        linear = LinearPart(summed.row.astype(np.int32), summed.col.astype(np.int32), summed.data)
        constant = np.bincount(
            row[selected], weights=(self.constant * inner)[selected], minlength=count
        ).astype(np.float64)
        return RowFunction(n, count, families, linear, constant, self._group_families(selected, row))

    def _element_families(self, selected: np.ndarray, row: np.ndarray, inner: Vector) -> list[Family]:
        kept = np.flatnonzero(selected[self.use_group])
        group = self.use_group[kept]
        element, use_row, weight = _summed_uses(
            self.use_element[kept],
            row[group],
            self.use_weight[kept] * inner[group],
            self.element_function.size,
        )
        families = []
        for kind, function in enumerate(self.element_functions):
            uses = np.flatnonzero(self.element_function[element] == kind)
            if not uses.size:
                continue
            members = element[uses]
            variables = self.element_variables[_columns(self.element_start, members, function.variables)]
            parameters = self.element_parameters[_columns(self.parameter_start, members, function.parameters)]
            for chosen, aliases in alias_classes(variables):
                distinct = [aliases.index(j) for j in range(max(aliases, default=-1) + 1)]
                plain = len(distinct) == function.variables
                families.append(
                    Family(
                        (function if plain else function.merged(aliases)).pattern(),
                        np.ascontiguousarray(variables[distinct][:, chosen], dtype=np.int32),
                        use_row[uses][chosen].astype(np.int32),
                        tuple(_uniform(values[chosen]) for values in parameters),
                        _weights(weight[uses][chosen]),
                    )
                )
        return families

    def _group_families(self, selected: np.ndarray, row: np.ndarray) -> list[Family]:
        families = []
        for kind, function in enumerate(self.group_functions):
            members = np.flatnonzero(selected & (self.group_function == kind))
            if not members.size:
                continue
            columns = _columns(self.group_parameter_start, members, function.parameters)
            families.append(
                Family(
                    function.pattern(),
                    row[members].astype(np.int32)[None, :],
                    row[members].astype(np.int32),
                    tuple(_uniform(values) for values in self.group_parameters[columns]),
                    _weights(self.factor[members]),
                )
            )
        return families

    def _quadratic_families(self) -> list[Family]:
        """The quadratic part x'Hx / 2, into row 0."""
        i, j, value = self.quadratic
        families = []
        for chosen, function in ((i == j, _half_square()), (i != j, _product())):
            if chosen.any():
                pair = np.stack([i[chosen], j[chosen]])[: function.variables].astype(np.int32)
                rows = np.zeros(pair.shape[1], dtype=np.int32)
                families.append(Family(function.pattern(), pair, rows, (), _weights(value[chosen])))
        return families


def _summed_uses(
    element: np.ndarray, row: np.ndarray, weight: Vector, elements: int
) -> tuple[np.ndarray, np.ndarray, Vector]:
    """The uses, each element at most once a row: it would be evaluated for every one."""
    keys = row.astype(np.int64) * max(elements, 1) + element
    distinct, first, member = np.unique(keys, return_index=True, return_inverse=True)
    if distinct.size == keys.size:
        return element, row, weight
    order = np.argsort(first)  # as they came, so that regular index data stay regular
    totals = np.zeros(distinct.size)
    np.add.at(totals, member.ravel(), weight)
    return element[first[order]], row[first[order]], totals[order]


def _columns(start: np.ndarray, members: np.ndarray, count: int) -> np.ndarray:
    """Positions of the members' entries, shape (count, members)."""
    columns: np.ndarray = np.arange(count)[:, None] + start[members][None, :]
    return columns


def _uniform(values: Vector) -> Vector:
    """One number where all are the same."""
    values = np.ascontiguousarray(values, dtype=np.float64)
    return values[:1] if (values == values[0]).all() else values


def _weights(values: Vector) -> Vector | None:
    weights = _uniform(values)
    return None if weights.size == 1 and weights[0] == 1.0 else weights


def _half_square() -> GivenFunction:
    g = Graph()
    x = g.variable(0)
    square = g.apply("mul", g.constant(0.5), g.apply("pow", x, g.constant(2.0)))
    return GivenFunction(g, square, (x,), {(0, 0): g.constant(1.0)})


def _product() -> GivenFunction:
    g = Graph()
    x, y = g.variable(0), g.variable(1)
    return GivenFunction(g, g.apply("mul", x, y), (y, x), {(1, 0): g.constant(1.0)})
