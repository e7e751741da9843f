"""The structure of an S2MPJ problem object: its groups and elements as arrays.

S2MPJ leaves out what is default: its lists may be absent, too short, or hold None.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from scipy.sparse import csr_array

from .given_derivatives import GivenFunction
from .nlp import IndexVector, Metadata, Vector
from .partially_separable import PartiallySeparable
from .s2mpj_functions import UntranslatableError, translate_element, translate_group

_INFINITY = 1e20  # CUTEst's convention: a bound this large is none
_SMALLEST_SCALE = 1e-15  # S2MPJ takes a smaller one for 1


def metadata_of(raw: Any, name: str, classification: str) -> Metadata:
    """Start, bounds and names of a problem object."""
    n, m = int(raw.n), int(raw.m)
    return Metadata(
        name=name,
        x0=filled(getattr(raw, "x0", None), n, 0.0),
        lb=_bound(getattr(raw, "xlower", None), n, -np.inf, 0.0),
        ub=_bound(getattr(raw, "xupper", None), n, np.inf, np.inf),
        cl=_bound(getattr(raw, "clower", None), m, -np.inf, -np.inf),
        cu=_bound(getattr(raw, "cupper", None), m, np.inf, np.inf),
        y0=filled(getattr(raw, "y0", None), m, 0.0),
        classification=classification,
        source="CUTEst, in its S2MPJ form",
    )


def objective_groups(raw: Any) -> IndexVector:
    """Numbers of the groups that make up the objective."""
    return np.asarray(raw.objgrps, dtype=np.int64)


def constraint_groups(raw: Any) -> IndexVector:
    """Numbers of the groups that are constraints, in S2MPJ's order."""
    return np.asarray(getattr(raw, "congrps", []), dtype=np.int64)[: int(raw.m)]


def scales(raw: Any, groups: IndexVector) -> Vector:
    """The numbers that divide the groups."""
    found = filled(getattr(raw, "gscale", None), int(groups.max(initial=-1)) + 1, 1.0)[groups]
    return np.where(np.abs(found) > _SMALLEST_SCALE, found, 1.0)


def constants(raw: Any, groups: IndexVector) -> Vector:
    """The numbers that are subtracted in the groups."""
    return filled(getattr(raw, "gconst", None), int(groups.max(initial=-1)) + 1, 0.0)[groups]


def group_kinds(raw: Any, groups: IndexVector) -> list[str | None]:
    """Names of the groups' functions; None: the identity."""
    kinds = [_entry(raw, "grftype", g) for g in groups.tolist()]
    return [None if kind == "TRIVIAL" else kind for kind in kinds]


def uses(raw: Any, groups: IndexVector) -> tuple[list[list[int]], list[list[float]]]:
    """For each group its elements and their weights."""
    elements, weights = [], []
    for g in groups.tolist():
        used = np.asarray(_entry(raw, "grelt", g, ()), dtype=np.int64).tolist()
        given = _entry(raw, "grelw", g, ())
        factors = [1.0 if weight is None else float(weight) for weight in given[: len(used)]]
        elements.append(used)
        weights.append(factors + [1.0] * (len(used) - len(factors)))
    return elements, weights


def linear_part(raw: Any, groups: IndexVector) -> csr_array:
    """Rows of the linear part; S2MPJ's matrix may be smaller than groups x variables."""
    n = int(raw.n)
    if not hasattr(raw, "A"):
        return csr_array((groups.size, n))
    matrix = csr_array(raw.A)
    missing = max(0, int(groups.max(initial=-1)) + 1 - matrix.shape[0])
    indptr = np.pad(matrix.indptr, (0, missing), "edge")
    rows = csr_array((matrix.data, matrix.indices, indptr), shape=(matrix.shape[0] + missing, n))[groups]
    rows.eliminate_zeros()
    return rows


def partially_separable(
    raw: Any, functions: Mapping[str, ast.FunctionDef], metadata: Metadata
) -> PartiallySeparable:
    """The problem as arrays and translated functions; groups of the objective first.

    Raises
    ------
    UntranslatableError
        Where a function is not of S2MPJ's regular form, or the object lacks what it needs.
    """
    objective, constraints = objective_groups(raw), constraint_groups(raw)
    groups = np.concatenate([objective, constraints])
    variables = [np.asarray(v, dtype=np.int64) for v in getattr(raw, "elvar", ())]
    sizes = np.array([v.size for v in variables], dtype=np.int64)
    types = list(getattr(raw, "elftype", ()))[: sizes.size]
    numbers = {"efpar": _numbers(raw, "efpar"), "gfpar": _numbers(raw, "gfpar")}
    element_functions, element_function = _distinct(
        list(zip(types, sizes.tolist(), strict=True)),
        lambda kind: translate_element(_function(functions, kind[0]), kind[1], numbers),
    )
    group_functions, group_function = _distinct(
        group_kinds(raw, groups), lambda kind: translate_group(_function(functions, kind), numbers)
    )
    elements, weights = uses(raw, groups)
    parameter_start, element_parameters = _parameters(
        getattr(raw, "elpar", ()), np.arange(sizes.size), element_functions, element_function
    )
    group_parameter_start, group_parameters = _parameters(
        getattr(raw, "grpar", ()), groups, group_functions, group_function
    )
    linear = linear_part(raw, groups).tocoo()
    return PartiallySeparable(
        metadata=metadata,
        element_functions=element_functions,
        element_function=element_function,
        element_start=_starts(sizes),
        element_variables=_joined(variables, np.int64),
        parameter_start=parameter_start,
        element_parameters=element_parameters,
        use_group=np.repeat(np.arange(groups.size), [len(used) for used in elements]),
        use_element=_joined(elements, np.int64),
        use_weight=_joined(weights, np.float64),
        is_constraint=np.arange(groups.size) >= objective.size,
        linear=(*linear.coords, linear.data),
        constant=constants(raw, groups),
        factor=1.0 / scales(raw, groups),
        group_functions=group_functions,
        group_function=group_function,
        group_parameter_start=group_parameter_start,
        group_parameters=group_parameters,
        quadratic=_quadratic(raw),
    )


def filled(values: Any, size: int, default: float) -> Vector:
    """A float64 vector of this size; None entries and what is missing at the end take the default."""
    result = np.full(size, default)
    if values is not None:
        given = np.ravel(values)[:size]
        if given.dtype == object:
            given = np.array([default if v is None else float(v) for v in given.tolist()], dtype=np.float64)
        result[: given.size] = given
    return result


def _bound(values: Any, size: int, absent: float, default: float) -> Vector:
    """Bounds, infinite beyond 1e20; `absent` stands for the whole vector, `default` for a gap in it."""
    bounds = filled(values, size, absent if values is None else default)
    bounds[bounds <= -_INFINITY] = -np.inf
    bounds[bounds >= _INFINITY] = np.inf
    return bounds


def _entry(raw: Any, attribute: str, index: int, default: Any = None) -> Any:
    values = getattr(raw, attribute, None)
    if values is None or index >= len(values) or values[index] is None:
        return default
    return values[index]


def _numbers(raw: Any, attribute: str) -> list[float]:
    return [float(value) for value in np.ravel(getattr(raw, attribute, ())).tolist()]


def _function(functions: Mapping[str, ast.FunctionDef], name: str) -> ast.FunctionDef:
    if name not in functions:
        raise UntranslatableError(f"the file has no function {name}")
    return functions[name]


def _distinct(
    kinds: Sequence[Any], translate: Callable[[Any], GivenFunction]
) -> tuple[list[GivenFunction], IndexVector]:
    """Translations of the distinct kinds, and the index of each one's among them (None: -1)."""
    found: dict[Any, int] = {}
    functions: list[GivenFunction] = []
    for kind in dict.fromkeys(kinds):
        if kind is not None:
            found[kind] = len(functions)
            try:
                functions.append(translate(kind))
            except UntranslatableError as error:
                raise UntranslatableError(f"{kind if isinstance(kind, str) else kind[0]}: {error}") from error
    return functions, np.array([found.get(kind, -1) for kind in kinds], dtype=np.int64)


def _parameters(
    lists: Any, owners: IndexVector, functions: Sequence[GivenFunction], function: IndexVector
) -> tuple[IndexVector, Vector]:
    """Start and values of the parameters that the functions of elements or groups read."""
    counts = np.array([0, *(f.parameters for f in functions)], dtype=np.int64)[function + 1]
    values: list[float] = []
    for owner in np.flatnonzero(counts).tolist():
        index, count = int(owners[owner]), int(counts[owner])
        given = lists[index] if index < len(lists) else None
        if given is None or len(given) < count or any(value is None for value in given[:count]):
            raise UntranslatableError("a parameter has no value")
        values.extend(given[:count])
    return _starts(counts), np.array(values, dtype=np.float64)


def _quadratic(raw: Any) -> tuple[IndexVector, IndexVector, Vector]:
    """Lower triangle of the quadratic term, which S2MPJ gives as a full symmetric matrix."""
    if not hasattr(raw, "H"):
        return np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0)
    matrix = csr_array(raw.H)
    if (matrix != matrix.T).nnz:
        raise UntranslatableError("the quadratic term is not symmetric")
    entries = matrix.tocoo()
    row, column = (coordinate.astype(np.int64) for coordinate in entries.coords)
    lower = row >= column
    return row[lower], column[lower], entries.data[lower]


def _starts(counts: Any) -> IndexVector:
    return np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)


def _joined(pieces: Sequence[Any], dtype: Any) -> Any:
    return np.concatenate([np.zeros(0, dtype), *(np.asarray(piece, dtype) for piece in pieces if len(piece))])
