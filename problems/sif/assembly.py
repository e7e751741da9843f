"""What the cards of part 1 do: every verb of `grammar.FORMS` is a method here.

The methods run once a card execution, hundreds of thousands of times for a large problem: dictionaries from
names to indices and arrays that grow, nothing else. Checks that can wait are made once, in `condense`.
"""

from __future__ import annotations

from array import array
from math import inf, nan
from typing import NamedTuple

from .errors import SIFError

INFINITE = 1e20
"""Bounds at least as large are infinite."""


class Declaration:
    """A type under construction: names of variables, internal variables and parameters, with positions."""

    __slots__ = ("index", "internal", "name", "no_parameters", "no_variables", "parameters", "variables")

    def __init__(self, name: str, index: int) -> None:
        self.name, self.index = name, index
        self.variables: dict[str, int] = {}
        self.internal: dict[str, int] = {}
        self.parameters: dict[str, int] = {}
        self.no_variables, self.no_parameters = array("i"), array("d")
        """What a new element begins with: -1 and NaN, one a name."""


class Combination(NamedTuple):
    """A D card: linear row of ``group`` = ``weights[0] * rows[0] + weights[1] * rows[1]``."""

    group: int
    rows: tuple[int, ...]
    weights: tuple[float, ...]


class Triplets:
    """Entries of a sparse matrix, in order of appearance."""

    __slots__ = ("columns", "rows", "values")

    def __init__(self) -> None:
        self.rows, self.columns, self.values = array("i"), array("i"), array("d")


class Assembly:
    """Lists that the cards fill; see `structure.Structure` for what becomes of them."""

    def __init__(self) -> None:
        self.variables: dict[str, int] = {}
        self.groups: dict[str, int] = {}
        self.elements: dict[str, int] = {}
        self.kinds: list[str] = []
        self.scales: dict[int, float] = {}
        self.linear = Triplets()
        self.combinations: list[Combination] = []
        self.constants: dict[int, float] = {}
        self.default_constant = 0.0
        self.ranges: dict[int, float] = {}
        self.default_range = inf
        self.lower_bounds, self.upper_bounds = array("d"), array("d")
        self.default_bounds = (0.0, inf)
        self.starts: dict[int, float] = {}
        self.default_start = 0.0
        self.multipliers: dict[int, float] = {}
        self.default_multiplier = 0.0
        self.quadratic = Triplets()
        self.element_types: dict[str, Declaration] = {}
        self.group_types: dict[str, Declaration] = {}
        self.default_element_type: Declaration | None = None
        self.default_group_type: Declaration | None = None
        self.type_of_element: list[Declaration] = []
        self.variable_start, self.element_variables = array("q"), array("i")
        self.parameter_start, self.element_parameters = array("q"), array("d")
        self.use_group, self.use_element, self.use_weight = array("i"), array("i"), array("d")
        self.type_of_group: dict[int, Declaration] = {}
        self.group_parameters: list[tuple[int, str, float]] = []
        self.declared_variables = 0
        """Variables of VARIABLES; those that a V card of ELEMENT USES brings in come after."""

    # -- GROUPS and VARIABLES

    def group(self, kind: str, name: str) -> int:
        """Declare a group; a group keeps its first kind."""
        index = self.groups.get(name)
        if index is None:
            index = self.groups[name] = len(self.kinds)
            self.kinds.append(kind)
        return index

    def row(self, kind: str, group: str, variable: str, value: float) -> None:
        """A coefficient on a row's card."""
        linear = self.linear
        linear.rows.append(self.group(kind, group))
        linear.columns.append(self.known_variable(variable))
        linear.values.append(value)

    def scale(self, kind: str, group: str, value: float) -> None:
        """``'SCALE'``: the group is divided by the value."""
        if value == 0.0:
            raise SIFError("a group is divided by its scale, which cannot be 0")
        self.scales[self.group(kind, group)] = value

    def combine(self, kind: str, group: str, *terms: str | float) -> None:
        """A D card: the row is a combination of the rows named, each followed by its weight."""
        names = [self.known_group(name) for name in terms[::2] if isinstance(name, str)]
        weights = [value for value in terms[1::2] if isinstance(value, float)]
        self.combinations.append(Combination(self.group(kind, group), tuple(names), tuple(weights)))

    def variable(self, name: str) -> int:
        """Declare a variable."""
        index = self.variables.get(name)
        if index is None:
            index = self.variables[name] = len(self.variables)
            self.declared_variables += 1
        return index

    def column(self, variable: str, group: str, value: float) -> None:
        """A coefficient on a column's card."""
        linear = self.linear
        linear.columns.append(self.variable(variable))
        linear.rows.append(self.known_group(group))
        linear.values.append(value)

    def known_variable(self, name: str) -> int:
        """Index of a declared variable."""
        index = self.variables.get(name)
        if index is None:
            raise SIFError(f"variable {name!r} is not declared")
        return index

    def known_group(self, name: str) -> int:
        """Index of a declared group."""
        index = self.groups.get(name)
        if index is None:
            raise SIFError(f"group {name!r} is not declared")
        return index

    # -- CONSTANTS and RANGES

    def constant(self, group: str, value: float) -> None:
        """b_i; later entries overwrite."""
        self.constants[self.known_group(group)] = value

    def constant_default(self, value: float) -> None:
        """b_i of all groups."""
        self.constants.clear()
        self.default_constant = value

    def plain_range(self, group: str, value: float) -> None:
        """r_i on a card whose code has neither X nor Z."""
        self.ranges[self.known_group(group)] = abs(value)

    def plain_range_default(self, value: float) -> None:
        """r_i of all groups, likewise."""
        self.signed_range_default(abs(value))

    def signed_range(self, group: str, value: float) -> None:
        """r_i on an X or Z card."""
        self.ranges[self.known_group(group)] = value

    def signed_range_default(self, value: float) -> None:
        """r_i of all groups, likewise."""
        self.ranges.clear()
        self.default_range = value

    # -- BOUNDS

    def open_bounds(self) -> None:
        """Give every variable that has none yet the default bounds."""
        missing = len(self.variables) - len(self.lower_bounds)
        self.lower_bounds.extend([self.default_bounds[0]] * missing)
        self.upper_bounds.extend([self.default_bounds[1]] * missing)

    def _bounded(self, name: str) -> int:
        index = self.known_variable(name)
        if index >= len(self.lower_bounds):
            self.open_bounds()
        return index

    def lower(self, variable: str, value: float) -> None:
        """LO."""
        self.lower_bounds[self._bounded(variable)] = value

    def upper(self, variable: str, value: float) -> None:
        """UP; exactly 0 while the bounds are [0, inf] takes the lower bound away."""
        index = self._bounded(variable)
        if value == 0.0 and self.lower_bounds[index] == 0.0 and self.upper_bounds[index] >= INFINITE:
            self.lower_bounds[index] = -inf
        self.upper_bounds[index] = value

    def fix(self, variable: str, value: float) -> None:
        """FX."""
        index = self._bounded(variable)
        self.lower_bounds[index] = self.upper_bounds[index] = value

    def free(self, variable: str, _: float = 0.0) -> None:
        """FR."""
        index = self._bounded(variable)
        self.lower_bounds[index], self.upper_bounds[index] = -inf, inf

    def minus_infinity(self, variable: str, _: float = 0.0) -> None:
        """MI; while the bounds are [0, inf] the upper one becomes 0."""
        index = self._bounded(variable)
        if self.lower_bounds[index] == 0.0 and self.upper_bounds[index] >= INFINITE:
            self.upper_bounds[index] = 0.0
        self.lower_bounds[index] = -inf

    def plus_infinity(self, variable: str, _: float = 0.0) -> None:
        """PL."""
        self.upper_bounds[self._bounded(variable)] = inf

    def _all_bounds(self, lower: float | None = None, upper: float | None = None) -> None:
        """Set one or both bounds of all variables, those that V cards bring in later included."""
        self.open_bounds()
        count = len(self.variables)
        if lower is not None:
            self.lower_bounds = array("d", [lower]) * count
            self.default_bounds = lower, self.default_bounds[1]
        if upper is not None:
            self.upper_bounds = array("d", [upper]) * count
            self.default_bounds = self.default_bounds[0], upper

    def lower_default(self, value: float) -> None:
        """LO for all variables."""
        self._all_bounds(lower=value)

    def upper_default(self, value: float) -> None:
        """UP for all variables; 0 acts as on one variable."""
        if value == 0.0:
            self.open_bounds()
            for index, (low, up) in enumerate(zip(self.lower_bounds, self.upper_bounds, strict=True)):
                if low == 0.0 and up >= INFINITE:
                    self.lower_bounds[index] = -inf
            if self.default_bounds == (0.0, inf):
                self.default_bounds = -inf, inf
        self._all_bounds(upper=value)

    def fix_default(self, value: float) -> None:
        """FX for all variables."""
        self._all_bounds(value, value)

    def free_default(self, _: float = 0.0) -> None:
        """FR for all variables."""
        self._all_bounds(-inf, inf)

    def minus_infinity_default(self, _: float = 0.0) -> None:
        """MI for all variables; the upper bounds become 0."""
        self._all_bounds(-inf, 0.0)

    def plus_infinity_default(self, _: float = 0.0) -> None:
        """PL for all variables does nothing."""

    # -- START POINT and QUADRATIC

    def start_variable(self, variable: str, value: float) -> None:
        """V: start of a variable."""
        self.starts[self.known_variable(variable)] = value

    def start_multiplier(self, group: str, value: float) -> None:
        """M: start of a multiplier."""
        self.multipliers[self.known_group(group)] = value

    def start_either(self, name: str, value: float) -> None:
        """No code: start of the variable of that name, or else of the group's multiplier."""
        index = self.variables.get(name)
        if index is None:
            self.start_multiplier(name, value)
        else:
            self.starts[index] = value

    def start_variable_default(self, value: float) -> None:
        """Start of all variables."""
        self.starts.clear()
        self.default_start = value

    def start_multiplier_default(self, value: float) -> None:
        """Start of all multipliers."""
        self.multipliers.clear()
        self.default_multiplier = value

    def start_either_default(self, value: float) -> None:
        """Start of all variables and all multipliers."""
        self.start_variable_default(value)
        self.start_multiplier_default(value)

    def curvature(self, first: str, second: str, value: float) -> None:
        """h_jk of the quadratic term."""
        quadratic = self.quadratic
        quadratic.rows.append(self.known_variable(first))
        quadratic.columns.append(self.known_variable(second))
        quadratic.values.append(value)

    # -- ELEMENT TYPE and ELEMENT USES

    def _declaration(self, name: str) -> Declaration:
        if self.elements:
            raise SIFError("an element type is declared after elements have been used")
        return self.element_types.setdefault(name, Declaration(name, len(self.element_types)))

    def elemental_variable(self, kind: str, name: str) -> None:
        """EV."""
        declaration = self._declaration(kind)
        _append(declaration.variables, name)
        declaration.no_variables.append(-1)

    def internal_variable(self, kind: str, name: str) -> None:
        """IV."""
        _append(self._declaration(kind).internal, name)

    def element_parameter_name(self, kind: str, name: str) -> None:
        """EP."""
        declaration = self._declaration(kind)
        _append(declaration.parameters, name)
        declaration.no_parameters.append(nan)

    def _add_element(self, name: str, kind: Declaration) -> int:
        index = self.elements[name] = len(self.type_of_element)
        self.type_of_element.append(kind)
        self.variable_start.append(len(self.element_variables))
        self.element_variables.extend(kind.no_variables)
        self.parameter_start.append(len(self.element_parameters))
        self.element_parameters.extend(kind.no_parameters)
        return index

    def _element_kind(self, name: str) -> Declaration:
        kind = self.element_types.get(name)
        if kind is None:
            raise SIFError(f"element type {name!r} is not declared")
        return kind

    def element(self, name: str, kind: str) -> None:
        """T: an element and its type."""
        declared = self.element_types.get(kind) or self._element_kind(kind)
        index = self.elements.get(name)
        if index is None:
            self._add_element(name, declared)
        elif self.type_of_element[index] is not declared:
            raise SIFError(f"element {name!r} has the type {self.type_of_element[index].name!r} already")

    def element_default(self, kind: str) -> None:
        """``T 'DEFAULT'``: the type of elements that are met without one."""
        self.default_element_type = self._element_kind(kind)

    def _default_element(self, name: str) -> int:
        """An element met first on a V or P card: it has the default type."""
        if self.default_element_type is None:
            raise SIFError(f"element {name!r} has no type, and there is no default")
        return self._add_element(name, self.default_element_type)

    def element_variable(self, element: str, local: str, variable: str) -> None:
        """V: which problem variable an elemental variable is; a new one is appended."""
        index = self.elements.get(element)
        if index is None:
            index = self._default_element(element)
        kind = self.type_of_element[index]
        position = kind.variables.get(local)
        if position is None:
            raise SIFError(f"element type {kind.name!r} has no variable {local!r}")
        problem_variable = self.variables.get(variable)
        if problem_variable is None:
            problem_variable = self.variables[variable] = len(self.variables)
        self.element_variables[self.variable_start[index] + position] = problem_variable

    def element_parameter(self, element: str, name: str, value: float) -> None:
        """P: value of an element's parameter."""
        index = self.elements.get(element)
        if index is None:
            index = self._default_element(element)
        kind = self.type_of_element[index]
        position = kind.parameters.get(name)
        if position is None:
            raise SIFError(f"element type {kind.name!r} has no parameter {name!r}")
        self.element_parameters[self.parameter_start[index] + position] = value

    # -- GROUP TYPE and GROUP USES

    def group_variable(self, kind: str, name: str) -> None:
        """GV."""
        _append(self.group_types.setdefault(kind, Declaration(kind, len(self.group_types))).variables, name)

    def group_parameter_name(self, kind: str, name: str) -> None:
        """GP."""
        _append(self.group_types.setdefault(kind, Declaration(kind, len(self.group_types))).parameters, name)

    def _group_kind(self, name: str) -> Declaration:
        kind = self.group_types.get(name)
        if kind is None:
            raise SIFError(f"group type {name!r} is not declared")
        return kind

    def group_type(self, group: str, kind: str) -> None:
        """T: the type of a group."""
        self.type_of_group[self.known_group(group)] = self._group_kind(kind)

    def group_type_default(self, kind: str) -> None:
        """``T 'DEFAULT'``: the type of all groups without their own."""
        self.default_group_type = self._group_kind(kind)

    def use(self, group: str, element: str, weight: float) -> None:
        """E: an element of a group and its weight."""
        index = self.elements.get(element)
        row = self.groups.get(group)
        if index is None or row is None:
            what = f"element {element!r}" if index is None else f"group {group!r}"
            raise SIFError(f"{what} is not declared")
        self.use_group.append(row)
        self.use_element.append(index)
        self.use_weight.append(weight)

    def group_parameter(self, group: str, name: str, value: float) -> None:
        """P: value of a group's parameter; its type may come later."""
        self.group_parameters.append((self.known_group(group), name, value))


def _append(names: dict[str, int], name: str) -> None:
    if name in names:
        raise SIFError(f"{name!r} is named twice")
    names[name] = len(names)
