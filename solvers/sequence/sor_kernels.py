"""SOR sweeps over a split CSR matrix, with the residual of the iterate before at next to no cost.

Row i reads its entries once and uses them twice: with the newest values for the update, with the old ones for
the residual. In the natural order the coupling to the row before would make each row wait for a store to come
back; its value stays in a register instead. Indices are unsigned, as `splitting_kernels` makes them.
"""

from __future__ import annotations

from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy", "fastmath": {"contract"}}

FORWARD, BACKWARD, SYMMETRIC = 0, 1, 2


@njit(**_OPTIONS)
def forward_sweep(omega, diagonal, sub, sup, indptr, middle, indices, data, b, old, new):
    """One sweep from `old` to `new`, which may be the same array; ||b - A old||^2 where they are two.

    ``new_i = (1 - omega) old_i + omega/d_i (b_i - sum_{j<i} a_ij new_j - sum_{j>i} a_ij old_j)``
    """
    n = b.size
    norm2 = 0.0
    previous, previous_old = 0.0, 0.0
    current = old[0]
    start = indptr[0]
    for i in range(n):
        stop = indptr[i + 1]
        below_new, below_old, above = 0.0, 0.0, 0.0
        for p in range(start, middle[i]):
            below_new += data[p] * new[indices[p]]
            below_old += data[p] * old[indices[p]]
        for p in range(middle[i], stop):
            above += data[p] * old[indices[p]]
        start = stop
        following = old[i + 1] if i + 1 < n else 0.0
        rest = b[i] - above - sup[i] * following
        residual = rest - below_old - sub[i] * previous_old - diagonal[i] * current
        norm2 += residual * residual
        step = omega / diagonal[i]
        # Only the last product waits for the row before.
        previous = ((1.0 - omega) * current + step * (rest - below_new)) - (step * sub[i]) * previous
        previous_old, current = current, following
        new[i] = previous
    return norm2


@njit(**_OPTIONS)
def backward_sweep(omega, diagonal, sub, sup, indptr, middle, indices, data, b, old, new):
    """As `forward_sweep`, from the last row to the first."""
    n = b.size
    norm2 = 0.0
    previous, previous_old = 0.0, 0.0
    current = old[n - 1]
    stop = indptr[n]
    for i in range(n - 1, -1, -1):
        start = indptr[i]
        above_new, above_old, below = 0.0, 0.0, 0.0
        for p in range(middle[i], stop):
            above_new += data[p] * new[indices[p]]
            above_old += data[p] * old[indices[p]]
        for p in range(start, middle[i]):
            below += data[p] * old[indices[p]]
        stop = start
        following = old[i - 1] if i > 0 else 0.0
        rest = b[i] - below - sub[i] * following
        residual = rest - above_old - sup[i] * previous_old - diagonal[i] * current
        norm2 += residual * residual
        step = omega / diagonal[i]
        previous = ((1.0 - omega) * current + step * (rest - above_new)) - (step * sup[i]) * previous
        previous_old, current = current, following
        new[i] = previous
    return norm2


@njit(**_OPTIONS)
def sor_iterations(
    direction, omega, diagonal, sub, sup, indptr, middle, indices, data, b, old, new, target2, limit2, norms
):
    """Sweeps until the residual is within `target2` or beyond `limit2`, or `norms` is full.

    Sweep k writes ||b - A x_k||^2 to norms[k] and makes x_{k+1}; `old` and `new` change places. Returns the
    sweeps made and whether the last norm passed a limit: then x_k is the older of the two.
    """
    for k in range(norms.size):
        if direction == BACKWARD:
            norm2 = backward_sweep(omega, diagonal, sub, sup, indptr, middle, indices, data, b, old, new)
        else:
            norm2 = forward_sweep(omega, diagonal, sub, sup, indptr, middle, indices, data, b, old, new)
            if direction == SYMMETRIC:
                backward_sweep(omega, diagonal, sub, sup, indptr, middle, indices, data, b, new, new)
        norms[k] = norm2
        if not target2 < norm2 < limit2:
            return k + 1, True
        old, new = new, old
    return norms.size, False


@njit(**_OPTIONS)
def range_sweep(
    start, stop, omega, diagonal, new_start, new_stop, old_start, old_stop, indices, data, b, old, new
):
    """One sweep over rows that have no entries in each other, in any order: part of one colour.

    Entries [new_start, new_stop) of a row lie in colours already swept, [old_start, old_stop) in the others.
    Returns the rows' part of ||b - A old||^2.
    """
    norm2 = 0.0
    for i in range(start, stop):
        swept, swept_old, rest = 0.0, 0.0, b[i]
        for p in range(new_start[i], new_stop[i]):
            swept += data[p] * new[indices[p]]
            swept_old += data[p] * old[indices[p]]
        for p in range(old_start[i], old_stop[i]):
            rest -= data[p] * old[indices[p]]
        residual = rest - swept_old - diagonal[i] * old[i]
        norm2 += residual * residual
        new[i] = (1.0 - omega) * old[i] + omega / diagonal[i] * (rest - swept)
    return norm2


@njit(**_OPTIONS)
def two_colour_range(start, stop, omega, diagonal, indptr, indices, data, b, old, others, new):
    """As `range_sweep` where the other colour's values all come from one array, `others`.

    Returns the sum of squares of the rows' residuals before their update, with the values of `others`.
    """
    norm2 = 0.0
    first = indptr[start]
    for i in range(start, stop):
        residual = b[i] - diagonal[i] * old[i]
        last = indptr[i + 1]
        for p in range(first, last):
            residual -= data[p] * others[indices[p]]
        first = last
        norm2 += residual * residual
        new[i] = old[i] + omega / diagonal[i] * residual
    return norm2


@njit(**_OPTIONS)
def block_sweeps(
    blocks, omega, diagonal, new_start, new_stop, old_start, old_stop, indices, data, b, old, new, norms
):
    """`range_sweep` over ranges blocks[k] of rows, one after another; norms[k] is the part of each.

    The ranges do not depend on the number of threads, nor do the sums within them: hence the same bits.
    """
    for k in range(norms.size):
        start, stop = blocks[k]
        norms[k] = range_sweep(
            start, stop, omega, diagonal, new_start, new_stop, old_start, old_stop, indices, data, b, old, new
        )


@njit(**_OPTIONS)
def two_colour_blocks(blocks, omega, diagonal, indptr, indices, data, b, old, others, new, norms):
    """`two_colour_range` over ranges of rows, as `block_sweeps` does it."""
    for k in range(norms.size):
        start, stop = blocks[k]
        norms[k] = two_colour_range(start, stop, omega, diagonal, indptr, indices, data, b, old, others, new)
