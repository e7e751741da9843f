"""From the lists of an `Assembly` to the arrays of a `Structure`: defaults, sums, checks and digits."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from .assembly import INFINITE, Assembly, Declaration, Triplets
from .digits import cutest_rounded
from .errors import SIFError
from .structure import Adjustable, ElementType, FunctionPart, GroupType, Structure

Entries = tuple[np.ndarray, np.ndarray, np.ndarray]


class Surroundings(NamedTuple):
    """What a `Structure` holds besides part 1's lists."""

    name: str
    classification: str
    adjustable: tuple[Adjustable, ...]
    element_functions: FunctionPart
    group_functions: FunctionPart
    subprograms: tuple[str, ...]


def condense(assembly: Assembly, surroundings: Surroundings, *, cutest_digits: bool) -> Structure:
    """Make the `Structure`.

    Parameters
    ----------
    assembly : Assembly
        After the last card of part 1.
    surroundings : Surroundings
        The other parts.
    cutest_digits : bool
        Whether data are rounded to the decoder's 11 significant digits.

    Raises
    ------
    SIFError
        Where an element lacks a variable or parameter, a group a parameter or a type its function, and where
        a number is not finite.
    """
    _check_functions(assembly, surroundings)
    with np.errstate(all="ignore"):
        structure = _structure(assembly, surroundings, cutest_digits=cutest_digits)
    _check_numbers(structure)
    return structure


def _structure(assembly: Assembly, surroundings: Surroundings, *, cutest_digits: bool) -> Structure:
    rounded: Callable[[np.ndarray], np.ndarray] = cutest_rounded if cutest_digits else np.asarray
    n, groups = len(assembly.variables), len(assembly.groups)
    lower, upper = _bounds(assembly, rounded)
    scale = _filled(groups, 1.0, assembly.scales)
    if cutest_digits and assembly.scales:
        scale = 1.0 / cutest_rounded(1.0 / scale)
    group_type, group_parameter_start, group_parameters = _group_types(assembly)
    element_variables = np.array(assembly.element_variables, dtype=np.int32)
    element_parameters = np.array(assembly.element_parameters, dtype=np.float64)
    _check_elements(assembly, element_variables, element_parameters)
    x0 = _filled(n, assembly.default_start, assembly.starts)
    x0[assembly.declared_variables :] = 0.0
    return Structure(
        **surroundings._asdict(),
        variables=list(assembly.variables),
        groups=list(assembly.groups),
        elements=list(assembly.elements),
        x0=rounded(x0),
        lb=lower,
        ub=upper,
        kinds=np.array(assembly.kinds, dtype="U1"),
        scale=scale,
        constant=rounded(_filled(groups, assembly.default_constant, assembly.constants)),
        ranges=rounded(_filled(groups, assembly.default_range, assembly.ranges)),
        y0=rounded(_filled(groups, assembly.default_multiplier, assembly.multipliers)),
        linear=_linear(assembly, n, rounded),
        element_types=[
            ElementType(kind.name, tuple(kind.variables), tuple(kind.internal), tuple(kind.parameters))
            for kind in assembly.element_types.values()
        ],
        group_types=[
            GroupType(kind.name, next(iter(kind.variables), ""), tuple(kind.parameters))
            for kind in assembly.group_types.values()
        ],
        element_type=np.array([kind.index for kind in assembly.type_of_element], dtype=np.int32),
        element_start=_starts(assembly.variable_start, element_variables.size),
        element_variables=element_variables,
        parameter_start=_starts(assembly.parameter_start, element_parameters.size),
        element_parameters=rounded(element_parameters),
        use_group=np.array(assembly.use_group, dtype=np.int32),
        use_element=np.array(assembly.use_element, dtype=np.int32),
        use_weight=rounded(np.array(assembly.use_weight, dtype=np.float64)),
        group_type=group_type,
        group_parameter_start=group_parameter_start,
        group_parameters=rounded(group_parameters),
        quadratic=_quadratic(assembly.quadratic, n, rounded),
    )


def _check_functions(assembly: Assembly, surroundings: Surroundings) -> None:
    """Every type in use must have its function in part 2 or 3."""
    groups: set[Declaration | None] = {*assembly.type_of_group.values(), assembly.default_group_type}
    for what, used, part in (
        ("element", {*assembly.type_of_element}, surroundings.element_functions),
        ("group", groups - {None}, surroundings.group_functions),
    ):
        missing = {kind.name for kind in used if kind is not None} - part.individuals.keys()
        if missing:
            raise SIFError(f"{what} type {min(missing)!r} is used, but its function does not follow")


def _check_numbers(structure: Structure) -> None:
    """Overflow in parameter cards and absurd exponents end here."""
    for what, values in (
        ("start point", structure.x0),
        ("multipliers", structure.y0),
        ("scales of groups", structure.scale),
        ("constants", structure.constant),
        ("linear coefficients", structure.linear[2]),
        ("quadratic coefficients", structure.quadratic[2]),
        ("weights of elements", structure.use_weight),
        ("parameters of elements", structure.element_parameters),
        ("parameters of groups", structure.group_parameters),
    ):
        if not np.isfinite(values).all():
            raise SIFError(f"the {what} are not all finite")
    for what, values in (("bounds", structure.lb), ("bounds", structure.ub), ("ranges", structure.ranges)):
        if np.isnan(values).any():
            raise SIFError(f"the {what} are not all numbers")


def _filled(size: int, default: float, values: dict[int, float]) -> np.ndarray:
    result = np.full(size, default)
    result[np.fromiter(values.keys(), dtype=np.intp, count=len(values))] = list(values.values())
    return result


def _starts(starts: array[int], end: int) -> np.ndarray:
    return np.array([*starts, end], dtype=np.int64)


def _bounds(assembly: Assembly, rounded: Callable[[np.ndarray], np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    assembly.open_bounds()
    lower = rounded(np.array(assembly.lower_bounds, dtype=np.float64))
    upper = rounded(np.array(assembly.upper_bounds, dtype=np.float64))
    return (
        np.where(np.abs(lower) >= INFINITE, np.copysign(np.inf, lower), lower),
        np.where(np.abs(upper) >= INFINITE, np.copysign(np.inf, upper), upper),
    )


def _entries(triplets: Triplets) -> Entries:
    return (
        np.array(triplets.rows, dtype=np.int32),
        np.array(triplets.columns, dtype=np.int32),
        np.array(triplets.values, dtype=np.float64),
    )


def _summed(entries: Entries, columns: int) -> Entries:
    """Add repeated entries, in order of appearance; sort by row, then column."""
    row, column, value = entries
    place, inverse = np.unique(row * np.int64(columns) + column, return_inverse=True)
    total = np.bincount(inverse, weights=value, minlength=place.size) if place.size else value
    return (place // max(columns, 1)).astype(np.int32), (place % max(columns, 1)).astype(np.int32), total


def _linear(assembly: Assembly, n: int, rounded: Callable[[np.ndarray], np.ndarray]) -> Entries:
    row, column, value = _summed(_combined(assembly, _entries(assembly.linear), n), n)
    kept = value != 0.0
    return row[kept], column[kept], rounded(value[kept])


def _combined(assembly: Assembly, entries: Entries, n: int) -> Entries:
    """Add the rows of D cards, each a combination of rows that stand before it."""
    if not assembly.combinations:
        return entries
    row, column, value = _summed(entries, n)
    first = np.searchsorted(row, np.arange(len(assembly.groups) + 1))
    rows = {
        group: (column[first[group] : first[group + 1]], value[first[group] : first[group + 1]])
        for group in range(len(assembly.groups))
    }
    for combination in assembly.combinations:
        terms = [rows[combination.group]] + [
            (rows[part][0], weight * rows[part][1])
            for part, weight in zip(combination.rows, combination.weights, strict=True)
        ]
        columns = np.concatenate([term[0] for term in terms])
        _, columns, values = _summed(
            (np.zeros(columns.size, np.int32), columns, np.concatenate([term[1] for term in terms])), n
        )
        rows[combination.group] = columns, values
    counts = [columns.size for columns, _ in rows.values()]
    return (
        np.repeat(np.arange(len(rows), dtype=np.int32), counts),
        np.concatenate([columns for columns, _ in rows.values()]),
        np.concatenate([values for _, values in rows.values()]),
    )


def _quadratic(triplets: Triplets, n: int, rounded: Callable[[np.ndarray], np.ndarray]) -> Entries:
    """Each pair once, as (smaller, larger) index; repeats in either order add."""
    row, column, value = _entries(triplets)
    row, column, value = _summed((np.minimum(row, column), np.maximum(row, column), value), n)
    return row, column, rounded(value)


def _check_elements(assembly: Assembly, variables: np.ndarray, parameters: np.ndarray) -> None:
    """Every variable and every parameter of an element must have been given."""
    for values, starts, missing, what in (
        (variables, assembly.variable_start, variables < 0, "variables"),
        (parameters, assembly.parameter_start, np.isnan(parameters), "parameters"),
    ):
        if missing.any():
            slot = int(np.flatnonzero(missing)[0])
            element = int(np.searchsorted(np.array(starts), slot, side="right")) - 1
            kind: Declaration = assembly.type_of_element[element]
            name = list(getattr(kind, what))[slot - starts[element]]
            raise SIFError(
                f"element {list(assembly.elements)[element]!r} of type {kind.name!r} lacks its {what[:-1]} "
                f"{name!r} ({int(missing.sum())} of {values.size} {what} are missing)"
            )


def _group_types(assembly: Assembly) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Type, first parameter and parameters of every group; the default type is for those without one."""
    default = assembly.default_group_type
    kinds = [assembly.type_of_group.get(group, default) for group in range(len(assembly.groups))]
    counts = [0 if kind is None else len(kind.parameters) for kind in kinds]
    start = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    parameters = np.full(start[-1], np.nan)
    names = list(assembly.groups)
    for group, name, value in assembly.group_parameters:
        kind = kinds[group]
        if kind is None or name not in kind.parameters:
            of = "is trivial" if kind is None else f"of type {kind.name!r}"
            raise SIFError(f"group {names[group]!r} {of} and has no parameter {name!r}")
        parameters[start[group] + kind.parameters[name]] = value
    if np.isnan(parameters).any():
        slot = int(np.flatnonzero(np.isnan(parameters))[0])
        group = int(np.searchsorted(start, slot, side="right")) - 1
        raise SIFError(f"group {names[group]!r} lacks a parameter of its type")
    return np.array([-1 if kind is None else kind.index for kind in kinds], dtype=np.int32), start, parameters
