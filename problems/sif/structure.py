"""What the data part of a SIF file says, expanded: names, index arrays and numbers; no functions yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np


class Card(NamedTuple):
    """One card of a function part: its line, its code and its fields as they stand there."""

    line: int
    code: str
    field2: str
    field3: str
    field4: str
    field5: str
    field6: str
    field7: str


@dataclass(frozen=True)
class ElementType:
    """Declaration of an element type: names of elemental variables, internal variables and parameters.

    ``internal`` is empty where the elemental variables are the internal ones.
    """

    name: str
    variables: tuple[str, ...]
    internal: tuple[str, ...]
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class GroupType:
    """Declaration of a group type: name of the group variable, names of the parameters."""

    name: str
    variable: str
    parameters: tuple[str, ...]


@dataclass(frozen=True)
class FunctionPart:
    """The ELEMENTS or the GROUPS part.

    Attributes
    ----------
    temporaries : dict of str to str
        Name (as declared) to code: R real, I integer, L logical, M intrinsic, F external.
    globals : tuple of Card
        Cards that run before any type's.
    individuals : dict of str to tuple of Card
        Cards of each type, in order, without the T card that names it.
    """

    temporaries: dict[str, str]
    globals: tuple[Card, ...]
    individuals: dict[str, tuple[Card, ...]]


@dataclass(frozen=True)
class Adjustable:
    """A parameter marked ``$-PARAMETER``: its default (the active card) and the commented alternatives."""

    name: str
    default: float | int
    alternatives: tuple[float | int, ...]


@dataclass(frozen=True, eq=False)
class Structure:
    """A SIF problem before its functions are translated: group i is F_i = g_i(a_i) / scale_i.

    Attributes
    ----------
    name, classification : str
        From the NAME card and the comment in the file's head.
    adjustable : tuple of Adjustable
        What ``parameters=`` may override.
    variables, groups, elements : list of str
        Names, in order of first appearance.
    x0, lb, ub : ndarray of float64, shape (n,)
        Start (not projected) and bounds (infinite ones are inf).
    kinds : ndarray of "U1", shape (groups,)
        N, E, L or G.
    scale, constant, ranges, y0 : ndarray of float64, shape (groups,)
        s_i (divides); b_i (subtracted); r_i, inf where there is none; the multiplier's start.
    linear : (row, column, value)
        Linear parts in coordinate form, repeated entries summed and zero sums gone.
    element_types, group_types : list
        Declarations, in order.
    element_type : ndarray of int32, shape (elements,)
        Index into ``element_types``.
    element_start : ndarray of int64, shape (elements + 1,)
        ``element_variables[element_start[e]:element_start[e + 1]]`` are the problem variables of element e,
        in the order of its type's elemental variables.
    element_variables : ndarray of int32
        See ``element_start``.
    parameter_start, element_parameters
        The same for the elements' parameters.
    use_group, use_element : ndarray of int32, use_weight : ndarray of float64, shape (uses,)
        Element ``use_element[k]`` stands in group ``use_group[k]`` with this weight.
    group_type : ndarray of int32, shape (groups,)
        Index into ``group_types``, -1 for the trivial type.
    group_parameter_start, group_parameters
        As for the elements.
    quadratic : (row, column, value)
        The QUADRATIC section: h_jj as (j, j, h), h_jk once; empty where there is none.
    element_functions, group_functions : FunctionPart
        Parts 2 and 3.
    subprograms : tuple of str
        Names of the Fortran subprograms appended to the file.
    """

    name: str
    classification: str
    adjustable: tuple[Adjustable, ...]
    variables: list[str]
    groups: list[str]
    elements: list[str]
    x0: np.ndarray
    lb: np.ndarray
    ub: np.ndarray
    kinds: np.ndarray
    scale: np.ndarray
    constant: np.ndarray
    ranges: np.ndarray
    y0: np.ndarray
    linear: tuple[np.ndarray, np.ndarray, np.ndarray]
    element_types: list[ElementType]
    group_types: list[GroupType]
    element_type: np.ndarray
    element_start: np.ndarray
    element_variables: np.ndarray
    parameter_start: np.ndarray
    element_parameters: np.ndarray
    use_group: np.ndarray
    use_element: np.ndarray
    use_weight: np.ndarray
    group_type: np.ndarray
    group_parameter_start: np.ndarray
    group_parameters: np.ndarray
    quadratic: tuple[np.ndarray, np.ndarray, np.ndarray]
    element_functions: FunctionPart
    group_functions: FunctionPart
    subprograms: tuple[str, ...]
