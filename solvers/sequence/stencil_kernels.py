"""SOR sweeps for five-point stencils without a matrix, on grids padded by a border of zeros.

Grid row j, column i is entry [j + 1, i + 1] of `old` and `new`, and [j, i] of b and `center`. The coupling of
(j, i) to (j, i + 1) is horizontal[j, i + 1], to (j + 1, i) it is vertical[j + 1, i]; those to the border are
stored, and zero.
"""

from __future__ import annotations

from numba import njit

from .sor_kernels import BACKWARD, SYMMETRIC

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract", "reassoc"}}
_IN_ORDER = {**_OPTIONS, "fastmath": {"contract"}}


@njit(**_IN_ORDER)
def constant_sweep(step, omega, center, horizontal, vertical, b, old, new):
    """As `sor_kernels.forward_sweep` for one coefficient each; step is 1, or -1 for the backward sweep."""
    rows, columns = b.shape
    weight, norm2 = omega / center, 0.0
    for line in range(rows):
        j = line if step > 0 else rows - 1 - line
        current_row, next_row, last_row_old = old[j + 1], old[j + 1 + step], old[j + 1 - step]
        new_row, last_row, right_side = new[j + 1], new[j + 1 - step], b[j]
        previous, previous_old = 0.0, 0.0
        i = 0 if step > 0 else columns - 1
        current = current_row[i + 1]
        for _ in range(columns):
            following = current_row[i + 1 + step]
            rest = right_side[i] - horizontal * following - vertical * next_row[i + 1]
            residual = rest - vertical * last_row_old[i + 1] - horizontal * previous_old - center * current
            norm2 += residual * residual
            previous = (
                (1.0 - omega) * current + weight * (rest - vertical * last_row[i + 1])
            ) - weight * horizontal * previous
            new_row[i + 1] = previous
            previous_old, current = current, following
            i += step
    return norm2


@njit(**_IN_ORDER)
def variable_sweep(step, omega, center, horizontal, vertical, b, old, new):
    """As `constant_sweep` with coefficients in arrays."""
    rows, columns = b.shape
    norm2 = 0.0
    behind, ahead = (0, 1) if step > 0 else (1, 0)
    for line in range(rows):
        j = line if step > 0 else rows - 1 - line
        current_row, next_row, last_row_old = old[j + 1], old[j + 1 + step], old[j + 1 - step]
        new_row, last_row, right_side = new[j + 1], new[j + 1 - step], b[j]
        beside, to_last, to_next, middle = horizontal[j], vertical[j + behind], vertical[j + ahead], center[j]
        previous, previous_old = 0.0, 0.0
        i = 0 if step > 0 else columns - 1
        current = current_row[i + 1]
        for _ in range(columns):
            following = current_row[i + 1 + step]
            rest = right_side[i] - beside[i + ahead] * following - to_next[i] * next_row[i + 1]
            residual = (
                rest
                - to_last[i] * last_row_old[i + 1]
                - beside[i + behind] * previous_old
                - middle[i] * current
            )
            norm2 += residual * residual
            weight = omega / middle[i]
            previous = (
                (1.0 - omega) * current + weight * (rest - to_last[i] * last_row[i + 1])
            ) - weight * beside[i + behind] * previous
            new_row[i + 1] = previous
            previous_old, current = current, following
            i += step
    return norm2


@njit(**_OPTIONS)
def constant_natural(direction, omega, center, horizontal, vertical, b, old, new, target2, limit2, norms):
    """As `sor_kernels.sor_iterations`."""
    step = -1 if direction == BACKWARD else 1
    for k in range(norms.size):
        norm2 = constant_sweep(step, omega, center, horizontal, vertical, b, old, new)
        if direction == SYMMETRIC:
            constant_sweep(-1, omega, center, horizontal, vertical, b, new, new)
        norms[k] = norm2
        if not target2 < norm2 < limit2:
            return k + 1, True
        old, new = new, old
    return norms.size, False


@njit(**_OPTIONS)
def variable_natural(direction, omega, center, horizontal, vertical, b, old, new, target2, limit2, norms):
    """As `sor_kernels.sor_iterations`."""
    step = -1 if direction == BACKWARD else 1
    for k in range(norms.size):
        norm2 = variable_sweep(step, omega, center, horizontal, vertical, b, old, new)
        if direction == SYMMETRIC:
            variable_sweep(-1, omega, center, horizontal, vertical, b, new, new)
        norms[k] = norm2
        if not target2 < norm2 < limit2:
            return k + 1, True
        old, new = new, old
    return norms.size, False


@njit(**_OPTIONS)
def constant_colour(ranges, colour, omega, center, horizontal, vertical, b, old, others, new, norms):
    """Update points of one colour, (j + i) mod 2, in ranges of grid rows; the others' values are in `others`.

    norms[k] is the sum of squares of the points' residuals before the update, in rows ranges[k, 0] on.
    """
    columns = b.shape[1]
    weight = omega / center
    for k in range(norms.size):
        norm2 = 0.0
        for j in range(ranges[k, 0], ranges[k, 1]):
            own, row, above, below = old[j + 1], others[j + 1], others[j + 2], others[j]
            right_side, out = b[j], new[j + 1]
            for i in range((j + colour) % 2, columns, 2):
                residual = (
                    right_side[i]
                    - center * own[i + 1]
                    - horizontal * (row[i] + row[i + 2])
                    - vertical * (below[i + 1] + above[i + 1])
                )
                out[i + 1] = own[i + 1] + weight * residual
                norm2 += residual * residual
        norms[k] = norm2


@njit(**_OPTIONS)
def variable_colour(ranges, colour, omega, center, horizontal, vertical, b, old, others, new, norms):
    """As `constant_colour` with coefficients in arrays."""
    columns = b.shape[1]
    for k in range(norms.size):
        norm2 = 0.0
        for j in range(ranges[k, 0], ranges[k, 1]):
            own, row, above, below = old[j + 1], others[j + 1], others[j + 2], others[j]
            right_side, out, middle = b[j], new[j + 1], center[j]
            beside, to_below, to_above = horizontal[j], vertical[j], vertical[j + 1]
            for i in range((j + colour) % 2, columns, 2):
                residual = (
                    right_side[i]
                    - middle[i] * own[i + 1]
                    - (beside[i] * row[i] + beside[i + 1] * row[i + 2])
                    - (to_below[i] * below[i + 1] + to_above[i] * above[i + 1])
                )
                out[i + 1] = own[i + 1] + omega / middle[i] * residual
                norm2 += residual * residual
        norms[k] = norm2
