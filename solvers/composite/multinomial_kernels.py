"""Sweeps of coordinate descent on the quadratic model of the softmax loss, on the columns of Z.

The model's Hessian by the outputs of sample i is diag(q_i) - q_i p_i', p the probabilities and q = s p. A
step in w has moved the predictor by V, kept with t_i = sum_c p_ic V_ic: the slope by output c is then
q_ic (V_ic - t_i), and a coordinate costs the same as with a single output. V, p and q have outputs by rows.
"""

from __future__ import annotations

from numba import njit, types

from .coordinate_kernels import _OPTIONS, _minimiser

_INTS = types.Array(types.int64, 1, "C", readonly=True)
_FLOATS = types.Array(types.float64, 1, "C", readonly=True)
_MATRIX = types.Array(types.float64, 2, "C", readonly=True)
_COLUMNS = types.Array(types.float64, 2, "F", readonly=True)
_REST = (
    *(_INTS, _INTS, _INTS, _MATRIX, _MATRIX, _FLOATS, types.float64[:, ::1], types.float64[::1]),
    *(_FLOATS, types.float64[::1], _FLOATS, _FLOATS, _FLOATS, _FLOATS, types.int64, types.float64),
    *(types.int64, types.float64),
)


@njit(types.float64(_COLUMNS, *_REST), **_OPTIONS)
def dense_softmax_sweeps(
    Z, active, rows, outputs, p, q, L, V, t, r, w, l1, l2, lower, upper, kind, gamma, sweeps, tol
):
    """Coordinate k is entry (rows[k], outputs[k]) of w, r[k] its force at the start, L[k] its curvature.

    Sweeps until no step times its curvature exceeds tol; returns the largest one of the last sweep.
    """
    n = t.size
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        for a in range(active.size):
            k = active[a]
            if L[k] <= 0.0:
                continue
            j, c = rows[k], outputs[k]
            product = 0.0
            for i in range(n):
                product += Z[i, j] * q[c, i] * (V[c, i] - t[i])
            old = w[k]
            pull = r[k] - product + L[k] * old
            new = _minimiser(kind, gamma, pull, L[k], l1[k], l2[k], lower[k], upper[k])
            d = new - old
            if d != 0.0:
                w[k] = new
                worst = max(worst, abs(d) * (L[k] + l2[k]))
                for i in range(n):
                    z = d * Z[i, j]
                    V[c, i] += z
                    t[i] += p[c, i] * z
        if worst <= tol:
            break
    return worst


@njit(types.float64(_INTS, _INTS, _FLOATS, *_REST), **_OPTIONS)
def sparse_softmax_sweeps(
    indptr,
    indices,
    data,
    active,
    rows,
    outputs,
    p,
    q,
    L,
    V,
    t,
    r,
    w,
    l1,
    l2,
    lower,
    upper,
    kind,
    gamma,
    sweeps,
    tol,
):
    """The same with Z given by its CSC arrays."""
    worst = 0.0
    for _ in range(sweeps):
        worst = 0.0
        for a in range(active.size):
            k = active[a]
            if L[k] <= 0.0:
                continue
            j, c = rows[k], outputs[k]
            product = 0.0
            for s in range(indptr[j], indptr[j + 1]):
                i = indices[s]
                product += data[s] * q[c, i] * (V[c, i] - t[i])
            old = w[k]
            pull = r[k] - product + L[k] * old
            new = _minimiser(kind, gamma, pull, L[k], l1[k], l2[k], lower[k], upper[k])
            d = new - old
            if d != 0.0:
                w[k] = new
                worst = max(worst, abs(d) * (L[k] + l2[k]))
                for s in range(indptr[j], indptr[j + 1]):
                    i = indices[s]
                    z = d * data[s]
                    V[c, i] += z
                    t[i] += p[c, i] * z
        if worst <= tol:
            break
    return worst
