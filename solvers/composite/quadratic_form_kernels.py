"""Sweeps of coordinate descent on a sparse matrix: a coordinate that moves costs its row."""

from __future__ import annotations

from numba import njit, types

from .coordinate_kernels import _OPTIONS, _minimiser

_INTS = types.Array(types.int64, 1, "C", readonly=True)
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_OUT = types.float64[::1]


@njit(
    types.float64(
        *(_INTS, _INTS, _FLOATS, _FLOATS, _INTS, _OUT, _OUT),
        *(_FLOATS, _FLOATS, _FLOATS, _FLOATS, types.int64, types.float64, types.int64, types.float64),
    ),
    **_OPTIONS,
)
def sparse_form_sweeps(
    indptr, indices, data, diagonal, active, r, w, l1, l2, lower, upper, kind, gamma, sweeps, tol
):
    """As `gram_sweeps`, G given by its CSR arrays; there and back, so that two sweeps are a symmetric one."""
    worst = 0.0
    for sweep in range(sweeps):
        worst = 0.0
        for k in range(active.size):
            j = active[k] if sweep % 2 == 0 else active[active.size - 1 - k]
            L = diagonal[j]
            if L <= 0.0:
                continue
            old = w[j]
            new = _minimiser(kind, gamma, r[j] + L * old, L, l1[j], l2[j], lower[j], upper[j])
            d = new - old
            if d != 0.0:
                w[j] = new
                worst = max(worst, abs(d) * (L + l2[j]))
                for s in range(indptr[j], indptr[j + 1]):
                    r[indices[s]] -= d * data[s]
        if worst <= tol:
            break
    return worst
