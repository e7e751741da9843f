"""The drivers of term families: compiled once, they know patterns by the address of their kernels.

A *row function* F maps R^n to R^rows: ``F_r(x) = g_r(a_r(x))``, a_r = sum of terms + linear part - constant.
Its terms come in families (`FAMILY`): one pattern repeated over many elements. Elements are taken in blocks;
what an element reads and where its results go are *slots*: integer sequences over the elements, stored as
base and stride where they are affine within the block, as a table where they are not. Slot j < variables is
the index of local variable j, slot ``variables`` the row, further slots are positions in the Jacobian's or
the Hessian's values.

Group functions g_r are families too: their variable is a_r, their row r, their position r.
"""

from __future__ import annotations

import numpy as np
from numba import carray, float64, njit, types, void

from .pointers import address_of, call_kernel, data_of, floats_at, int32s_at, int64s_at, offset, untyped_at

TABLE = np.iinfo(np.int64).min  # the stride that says: not affine, look the position up in the slot's table
CURVED = 2  # mark of a row whose group function has a second derivative; 1: a group without one

FAMILY = np.dtype(
    [
        ("value", np.int64),  # addresses of the pattern's kernels
        ("gradient", np.int64),
        ("hessian", np.int64),
        ("hessian_product", np.int64),
        ("variables", np.int64),
        ("parameters", np.int64),
        ("pairs", np.int64),  # entries of the packed Hessian
        ("constant", np.int64),  # 1 where the second derivatives are the same numbers for all elements
        ("width", np.int64),  # longest block; the stride of the block buffers
        ("blocks", np.int64),
        ("starts", np.int64),  # -> int64[blocks + 1], first element of each block
        ("slots", np.int64),
        ("base", np.int64),  # -> int64[blocks * slots]
        ("stride", np.int64),  # -> int64[blocks * slots]
        ("table", np.int64),  # -> int64[slots], addresses of int32[elements]
        ("parameter_data", np.int64),  # -> int64[parameters], addresses of float64[elements] or float64[1]
        ("parameter_stride", np.int64),  # -> int64[parameters], 1 or 0
        ("weight", np.int64),  # -> float64[elements] or float64[1]; 0 where all weights are one
        ("weight_stride", np.int64),
        ("uniform", np.int64),  # 1 where all elements have one row and one weight
    ]
)

ROWS = np.dtype(
    [
        ("count", np.int64),
        ("workspace", np.int64),  # doubles that a block of the largest family needs
        ("linear", np.int64),  # number of linear coefficients
        ("linear_row", np.int64),  # -> int32[linear]
        ("linear_column", np.int64),  # -> int32[linear]
        ("linear_value", np.int64),  # -> float64[linear]
        ("linear_position", np.int64),  # -> int64[linear], positions in the Jacobian's values
        ("constant", np.int64),  # -> float64[count], 0 where there is none
        (
            "grouped",
            np.int64,
        ),  # -> int64[count], 1 or CURVED where the row has a group; 0 where no row has one
    ]
)

_FLOAT = types.Array(types.float64, 1, "C")
_INT = types.Array(types.int64, 1, "C")
# Drivers that every solve calls have signatures; the others are compiled (and cached) when first called. All
# are in one file: numba's cache would not notice a change in a function that comes from another.
_OPTIONS = {"cache": True, "error_model": "numpy", "nogil": True}


# Plain loops: numba's array expressions would add seconds of compilation.
@njit(**_OPTIONS)
def _clear(array):
    for i in range(array.size):
        array[i] = 0.0


@njit(**_OPTIONS)
def _scale(array, factors):
    for i in range(array.size):
        array[i] *= factors[i]


@njit(**_OPTIONS)
def _sum(array):
    total = 0.0
    for i in range(array.size):
        total += array[i]
    return total


@njit(**_OPTIONS)
def _unpack(plan):
    """Records of the rows, the terms and the groups, whose addresses and numbers plan holds.

    Handing over one integer array costs a fifth of handing over three arrays of records.
    """
    rows = carray(untyped_at(plan[0]), (1,), ROWS)
    terms = carray(untyped_at(plan[1]), (plan[2],), FAMILY)
    groups = carray(untyped_at(plan[3]), (plan[4],), FAMILY)
    return rows, terms, groups


@njit(**_OPTIONS)
def _gather(source, target, base, stride, table, first, count):
    """target[e] = source[slot[first + e]]."""
    if stride != TABLE:
        for e in range(count):
            target[e] = source[base + stride * e]
    else:
        position = int32s_at(table)
        for e in range(count):
            target[e] = source[position[first + e]]


@njit(**_OPTIONS)
def _scatter(target, values, scale, base, stride, table, first, count):
    """target[slot[first + e]] += scale[e] * values[e]."""
    if stride == 1:
        for e in range(count):
            target[base + e] += scale[e] * values[e]
    elif stride == 0:
        target[base] += _dot(scale, values, count)
    elif stride != TABLE:
        for e in range(count):
            target[base + stride * e] += scale[e] * values[e]
    else:
        position = int32s_at(table)
        for e in range(count):
            target[position[first + e]] += scale[e] * values[e]


@njit(fastmath={"reassoc", "nsz"}, **_OPTIONS)
def _dot(a, b, count):
    """Inner product; the compiler may split the sum, which otherwise waits for each addition."""
    total = 0.0
    for e in range(count):
        total += a[e] * b[e]
    return total


@njit(**_OPTIONS)
def _read(family, block, slot, first, count, source, buffer):
    """Pointer to the slot's numbers for this block: where they stand if they stand in a row, else a copy."""
    at = block * family.slots + slot
    base, stride = int64s_at(family.base)[at], int64s_at(family.stride)[at]
    if stride == 1:
        return offset(source, base)
    _gather(source, buffer, base, stride, int64s_at(family.table)[slot], first, count)
    return buffer


@njit(**_OPTIONS)
def _add(family, block, slot, first, count, values, scale, target):
    """Add scaled results to where the slot says."""
    at = block * family.slots + slot
    base, stride = int64s_at(family.base)[at], int64s_at(family.stride)[at]
    _scatter(target, values, scale, base, stride, int64s_at(family.table)[slot], first, count)


@njit(**_OPTIONS)
def _load_inputs(family, block, first, count, x, inputs, local):
    """Addresses of the block's local variables and parameters."""
    for j in range(family.variables):
        inputs[j] = address_of(_read(family, block, j, first, count, x, offset(local, j * family.width)))
    for q in range(family.parameters):
        source = floats_at(int64s_at(family.parameter_data)[q])
        j = family.variables + q
        if int64s_at(family.parameter_stride)[q] == 1:
            inputs[j] = address_of(offset(source, first))
        elif block == 0:  # the same for all elements: one filled buffer serves all blocks
            target = offset(local, j * family.width)
            for e in range(family.width):
                target[e] = source[0]
            inputs[j] = address_of(target)


@njit(**_OPTIONS)
def _load_weights(family, block, first, count, weights):
    """weights[e] = weight of element e in its row."""
    if family.weight_stride == 1:
        weight = floats_at(family.weight)
        for e in range(count):
            weights[e] = weight[first + e]
    elif block == 0:
        value = 1.0 if family.weight == 0 else floats_at(family.weight)[0]
        for e in range(family.width):
            weights[e] = value


@njit(**_OPTIONS)
def _load_scale(family, block, first, count, row_weights, weights, scale):
    """scale[e] = weight of element e in its row, times the weight of that row."""
    if family.uniform:
        if block == 0:
            value = row_weights[int64s_at(family.base)[family.variables]] * weights[0]
            for e in range(family.width):
                scale[e] = value
        return
    rows = _read(family, block, family.variables, first, count, row_weights, scale)
    for e in range(count):
        scale[e] = rows[e] * weights[e]


@njit(**_OPTIONS)
def _buffers(family, workspace):
    """Pointers into the workspace: input addresses, weights, scales, gathered inputs, results."""
    start = data_of(workspace)
    # Local variables, parameters, and for products the direction's components.
    number = 2 * family.variables + family.parameters
    weights = offset(start, number)
    scale = offset(weights, family.width)
    local = offset(scale, family.width)
    return int64s_at(address_of(start)), weights, scale, local, offset(local, number * family.width)


@njit(**_OPTIONS)
def _add_values(families, x, workspace, target):
    """target[row] += weight * term."""
    for f in range(families.size):
        family = families[f]
        inputs, weights, _, local, out = _buffers(family, workspace)
        starts = int64s_at(family.starts)
        for block in range(family.blocks):
            first, count = starts[block], starts[block + 1] - starts[block]
            _load_inputs(family, block, first, count, x, inputs, local)
            call_kernel(family.value, count, inputs, out)
            _load_weights(family, block, first, count, weights)
            _add(family, block, family.variables, first, count, out, weights, target)


@njit(**_OPTIONS)
def _add_gradients(families, x, row_weights, workspace, values, target):
    """values[row] += weight * term, target[variable] += row weight * weight * derivative."""
    for f in range(families.size):
        family = families[f]
        inputs, weights, scale, local, out = _buffers(family, workspace)
        starts = int64s_at(family.starts)
        for block in range(family.blocks):
            first, count = starts[block], starts[block + 1] - starts[block]
            _load_inputs(family, block, first, count, x, inputs, local)
            call_kernel(family.gradient, count, inputs, out)
            _load_weights(family, block, first, count, weights)
            _add(family, block, family.variables, first, count, out, weights, values)
            _load_scale(family, block, first, count, row_weights, weights, scale)
            for j in range(family.variables):
                slope = offset(out, (1 + j) * family.width)
                _add(family, block, j, first, count, slope, scale, target)


@njit(**_OPTIONS)
def _add_jacobian(families, x, workspace, target):
    """target[position] += weight * derivative; the positions' slots follow the row's."""
    for f in range(families.size):
        family = families[f]
        inputs, weights, _, local, out = _buffers(family, workspace)
        starts = int64s_at(family.starts)
        for block in range(family.blocks):
            first, count = starts[block], starts[block + 1] - starts[block]
            _load_inputs(family, block, first, count, x, inputs, local)
            call_kernel(family.gradient, count, inputs, out)
            _load_weights(family, block, first, count, weights)
            for j in range(family.variables):
                slope = offset(out, (1 + j) * family.width)
                _add(family, block, family.variables + 1 + j, first, count, slope, weights, target)


@njit(**_OPTIONS)
def _add_directional(families, x, v, workspace, target):
    """target[row] += weight * derivative along v."""
    for f in range(families.size):
        family = families[f]
        inputs, weights, _, local, out = _buffers(family, workspace)
        starts = int64s_at(family.starts)
        for block in range(family.blocks):
            first, count = starts[block], starts[block + 1] - starts[block]
            _load_inputs(family, block, first, count, x, inputs, local)
            call_kernel(family.gradient, count, inputs, out)
            for e in range(count):
                out[e] = 0.0  # the term's value is not needed: its place holds the sum
            for j in range(family.variables):
                slope = offset(out, (1 + j) * family.width)
                along = _read(family, block, j, first, count, v, offset(local, j * family.width))
                for e in range(count):
                    out[e] += slope[e] * along[e]
            _load_weights(family, block, first, count, weights)
            _add(family, block, family.variables, first, count, out, weights, target)


@njit(**_OPTIONS)
def _call_hessian(family, block, first, count, x, inputs, local, out):
    """Second derivatives of a block's elements; once where they are the same numbers for all."""
    if not family.constant:
        _load_inputs(family, block, first, count, x, inputs, local)
        call_kernel(family.hessian, count, inputs, out)
    elif block == 0:
        call_kernel(family.hessian, family.width, inputs, out)


@njit(**_OPTIONS)
def _add_hessian(families, x, row_weights, workspace, target):
    """target[position] += row weight * weight * second derivative."""
    for f in range(families.size):
        family = families[f]
        if family.pairs == 0:
            continue
        inputs, weights, scale, local, out = _buffers(family, workspace)
        starts = int64s_at(family.starts)
        for block in range(family.blocks):
            first, count = starts[block], starts[block + 1] - starts[block]
            _call_hessian(family, block, first, count, x, inputs, local, out)
            _load_weights(family, block, first, count, weights)
            _load_scale(family, block, first, count, row_weights, weights, scale)
            for l in range(family.pairs):
                curvature = offset(out, l * family.width)
                _add(family, block, family.variables + 1 + l, first, count, curvature, scale, target)


@njit(**_OPTIONS)
def _add_hessian_product(families, x, v, row_weights, workspace, target):
    """target[variable] += row weight * weight * (second derivatives times v)."""
    for f in range(families.size):
        family = families[f]
        if family.pairs == 0:
            continue
        inputs, weights, scale, local, out = _buffers(family, workspace)
        starts = int64s_at(family.starts)
        directions = family.variables + family.parameters
        gathered = offset(local, directions * family.width)
        for block in range(family.blocks):
            first, count = starts[block], starts[block + 1] - starts[block]
            _load_inputs(family, block, first, count, x, inputs, local)
            for j in range(family.variables):
                along = _read(family, block, j, first, count, v, offset(gathered, j * family.width))
                inputs[directions + j] = address_of(along)
            call_kernel(family.hessian_product, count, inputs, out)
            _load_weights(family, block, first, count, weights)
            _load_scale(family, block, first, count, row_weights, weights, scale)
            for j in range(family.variables):
                _add(family, block, j, first, count, offset(out, j * family.width), scale, target)


@njit(**_OPTIONS)
def _add_linear(rows, x, target):
    """target[row] += coefficient * x[column], less the constants."""
    row, column = int32s_at(rows.linear_row), int32s_at(rows.linear_column)
    value = floats_at(rows.linear_value)
    for l in range(rows.linear):
        target[row[l]] += value[l] * x[column[l]]
    if rows.constant != 0:
        constant = floats_at(rows.constant)
        for r in range(rows.count):
            target[r] -= constant[r]


@njit(**_OPTIONS)
def _add_linear_transposed(rows, row_weights, target):
    row, column = int32s_at(rows.linear_row), int32s_at(rows.linear_column)
    value = floats_at(rows.linear_value)
    for l in range(rows.linear):
        target[column[l]] += value[l] * row_weights[row[l]]


@njit(**_OPTIONS)
def _add_weighted_gradient(rows, terms, x, weights, workspace, target):
    """The gradient of weights'a added to target; returns the terms' part of a."""
    part = np.zeros(rows.count)
    _add_gradients(terms, x, data_of(weights), workspace, data_of(part), target)
    _add_linear_transposed(rows, data_of(weights), target)
    return part


@njit(**_OPTIONS)
def _arguments(rows, terms, x, workspace, a):
    """The rows' arguments a = sum of terms + linear part - constant."""
    _clear(a)
    _add_values(terms, x, workspace, data_of(a))
    _add_linear(rows, x, data_of(a))


@njit(**_OPTIONS)
def _argument_jacobian(rows, terms, x, workspace, out):
    """Values of a'(x) into out, whose positions the terms' slots name."""
    _clear(out)
    _add_jacobian(terms, x, workspace, data_of(out))
    position, value = int64s_at(rows.linear_position), floats_at(rows.linear_value)
    for l in range(rows.linear):
        out[position[l]] += value[l]


@njit(**_OPTIONS)
def _argument_product(rows, terms, x, v, workspace, out):
    """a'(x) v into out."""
    _clear(out)
    _add_directional(terms, x, v, workspace, data_of(out))
    row, column = int32s_at(rows.linear_row), int32s_at(rows.linear_column)
    value = floats_at(rows.linear_value)
    for l in range(rows.linear):
        out[row[l]] += value[l] * v[column[l]]


# The drivers. First those of rows without group functions: F = a.


@njit(void(_INT, _FLOAT, _FLOAT), **_OPTIONS)
def values(plan, x, out):
    """F(x) into out."""
    rows, terms, _ = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    _arguments(rows[0], terms, data_of(x), workspace, out)


@njit(float64(_INT, _FLOAT), **_OPTIONS)
def total(plan, x):
    """Sum of F(x) over the rows."""
    rows, terms, _ = _unpack(plan)
    workspace, a = np.empty(rows[0].workspace), np.empty(rows[0].count)
    _arguments(rows[0], terms, data_of(x), workspace, a)
    return _sum(a)


@njit(float64(_INT, _FLOAT, _FLOAT), **_OPTIONS)
def total_and_gradient(plan, x, out):
    """Sum of F(x) over the rows; its gradient into out."""
    rows, terms, _ = _unpack(plan)
    workspace, unit = np.empty(rows[0].workspace), np.ones(rows[0].count)
    _clear(out)
    a = _add_weighted_gradient(rows[0], terms, data_of(x), unit, workspace, data_of(out))
    _add_linear(rows[0], data_of(x), data_of(a))
    return _sum(a)


@njit(void(_INT, _FLOAT, _INT, _FLOAT), **_OPTIONS)
def jacobian(plan, x, indptr, out):
    """Values of F'(x) into out, in the CSR order of the pattern with row pointers indptr."""
    rows, terms, _ = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    _argument_jacobian(rows[0], terms, data_of(x), workspace, out)


@njit(void(_INT, _FLOAT, _FLOAT, _FLOAT), **_OPTIONS)
def add_hessian(plan, x, w, out):
    """The Hessian of w'F added to out, at the positions that the terms' slots name."""
    rows, terms, _ = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    _add_hessian(terms, data_of(x), data_of(w), workspace, data_of(out))


@njit(**_OPTIONS)
def transposed_product(plan, x, w, out):
    """F'(x)' w into out."""
    rows, terms, _ = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    _clear(out)
    _add_weighted_gradient(rows[0], terms, data_of(x), w, workspace, data_of(out))


@njit(**_OPTIONS)
def product(plan, x, v, out):
    """F'(x) v into out."""
    rows, terms, _ = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    _argument_product(rows[0], terms, data_of(x), data_of(v), workspace, out)


@njit(**_OPTIONS)
def add_hessian_product(plan, x, v, w, out):
    """(Hessian of w'F) v added to out."""
    rows, terms, _ = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    _add_hessian_product(terms, data_of(x), data_of(v), data_of(w), workspace, data_of(out))


# The same with group functions: F = g(a), by the chain rule.


@njit(**_OPTIONS)
def _group_values(rows, groups, a, workspace):
    """g(a)."""
    grouped = int64s_at(rows.grouped)
    result = np.empty(rows.count)
    for r in range(rows.count):
        result[r] = 0.0 if grouped[r] else a[r]
    _add_values(groups, data_of(a), workspace, data_of(result))
    return result


@njit(**_OPTIONS)
def _group_slopes(rows, groups, a, workspace):
    """g'(a)."""
    grouped = int64s_at(rows.grouped)
    slopes = np.empty(rows.count)
    for r in range(rows.count):
        slopes[r] = 0.0 if grouped[r] else 1.0
    unit, unused = np.ones(rows.count), np.zeros(rows.count)
    _add_gradients(groups, data_of(a), data_of(unit), workspace, data_of(unused), data_of(slopes))
    return slopes


@njit(**_OPTIONS)
def _group_curvatures(rows, groups, a, workspace):
    """g''(a)."""
    unit, curvatures = np.ones(rows.count), np.zeros(rows.count)
    _add_hessian(groups, data_of(a), data_of(unit), workspace, data_of(curvatures))
    return curvatures


@njit(**_OPTIONS)
def _argument_weights(rows, terms, groups, x, w, workspace):
    """The weights w g'(a) that the arguments have where their rows have weights w."""
    a = np.empty(rows.count)
    _arguments(rows, terms, x, workspace, a)
    weights = _group_slopes(rows, groups, a, workspace)
    _scale(weights, w)
    return weights


@njit(**_OPTIONS)
def grouped_values(plan, x, out):
    """F(x) into out."""
    rows, terms, groups = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    _arguments(rows[0], terms, data_of(x), workspace, out)
    result = _group_values(rows[0], groups, out, workspace)
    for i in range(result.size):
        out[i] = result[i]


@njit(**_OPTIONS)
def grouped_total(plan, x):
    """Sum of F(x) over the rows."""
    rows, terms, groups = _unpack(plan)
    workspace, a = np.empty(rows[0].workspace), np.empty(rows[0].count)
    _arguments(rows[0], terms, data_of(x), workspace, a)
    return _sum(_group_values(rows[0], groups, a, workspace))


@njit(**_OPTIONS)
def grouped_total_and_gradient(plan, x, out):
    """Sum of F(x) over the rows; its gradient into out."""
    rows, terms, groups = _unpack(plan)
    workspace, a = np.empty(rows[0].workspace), np.empty(rows[0].count)
    _arguments(rows[0], terms, data_of(x), workspace, a)
    _clear(out)
    slopes = _group_slopes(rows[0], groups, a, workspace)
    _add_weighted_gradient(rows[0], terms, data_of(x), slopes, workspace, data_of(out))
    return _sum(_group_values(rows[0], groups, a, workspace))


@njit(**_OPTIONS)
def grouped_jacobian(plan, x, indptr, out):
    """Values of F'(x) into out, in the CSR order of the pattern with row pointers indptr."""
    rows, terms, groups = _unpack(plan)
    workspace, unit = np.empty(rows[0].workspace), np.ones(rows[0].count)
    slopes = _argument_weights(rows[0], terms, groups, data_of(x), unit, workspace)
    _argument_jacobian(rows[0], terms, data_of(x), workspace, out)
    for i in range(slopes.size):
        for at in range(indptr[i], indptr[i + 1]):
            out[at] *= slopes[i]


@njit(**_OPTIONS)
def grouped_add_hessian(plan, x, w, out):
    """The part ``sum w g' a''`` of the Hessian of w'F added to out; see `group_curvature` for the other."""
    rows, terms, groups = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    weights = _argument_weights(rows[0], terms, groups, data_of(x), w, workspace)
    _add_hessian(terms, data_of(x), data_of(weights), workspace, data_of(out))


@njit(**_OPTIONS)
def group_curvature(plan, x, w, indptr, curvatures, slopes):
    """``w g''`` into curvatures and the values of a'(x) into slopes.

    Between them stands the part ``sum w g'' (grad a)(grad a)'`` of the Hessian of w'F. ``indptr`` are the row
    pointers of a'(x), whose positions the terms' slots name.
    """
    rows, terms, groups = _unpack(plan)
    workspace, a = np.empty(rows[0].workspace), np.empty(rows[0].count)
    _arguments(rows[0], terms, data_of(x), workspace, a)
    _clear(curvatures)
    _add_hessian(groups, data_of(a), data_of(w), workspace, data_of(curvatures))
    _argument_jacobian(rows[0], terms, data_of(x), workspace, slopes)


@njit(**_OPTIONS)
def grouped_transposed_product(plan, x, w, out):
    """F'(x)' w into out."""
    rows, terms, groups = _unpack(plan)
    workspace = np.empty(rows[0].workspace)
    _clear(out)
    weights = _argument_weights(rows[0], terms, groups, data_of(x), w, workspace)
    _add_weighted_gradient(rows[0], terms, data_of(x), weights, workspace, data_of(out))


@njit(**_OPTIONS)
def grouped_product(plan, x, v, out):
    """F'(x) v into out."""
    rows, terms, groups = _unpack(plan)
    workspace, unit = np.empty(rows[0].workspace), np.ones(rows[0].count)
    _argument_product(rows[0], terms, data_of(x), data_of(v), workspace, out)
    _scale(out, _argument_weights(rows[0], terms, groups, data_of(x), unit, workspace))


@njit(**_OPTIONS)
def grouped_add_hessian_product(plan, x, v, w, out):
    """(Hessian of w'F) v added to out."""
    rows, terms, groups = _unpack(plan)
    workspace, a = np.empty(rows[0].workspace), np.empty(rows[0].count)
    _arguments(rows[0], terms, data_of(x), workspace, a)
    weights = _group_slopes(rows[0], groups, a, workspace)
    _scale(weights, w)
    _add_hessian_product(terms, data_of(x), data_of(v), data_of(weights), workspace, data_of(out))
    along = np.empty(rows[0].count)
    _argument_product(rows[0], terms, data_of(x), data_of(v), workspace, along)
    _scale(along, w)
    _scale(along, _group_curvatures(rows[0], groups, a, workspace))
    _add_weighted_gradient(rows[0], terms, data_of(x), along, workspace, data_of(out))
