"""Numba kernels written by hand for one model each: what the term-family drivers are measured against.

Layouts are those of the problems: the Hessian's lower triangle by rows, so that in a tridiagonal pattern
entry (i, i) stands at 2 i and entry (i, i - 1) at 2 i - 1.
"""

import math

from numba import njit

_OPTIONS = {"cache": True, "error_model": "numpy"}


@njit(**_OPTIONS)
def rosenbrock(x):
    """Chained Rosenbrock: sum of 100 (x_i^2 - x_{i+1})^2 + (x_i - 1)^2."""
    total = 0.0
    for i in range(x.size - 1):
        t, s = x[i] * x[i] - x[i + 1], x[i] - 1.0
        total += 100.0 * t * t + s * s
    return total


@njit(**_OPTIONS)
def rosenbrock_gradient(x, g):
    """f, and its gradient into g."""
    total = 0.0
    g[:] = 0.0
    for i in range(x.size - 1):
        t, s = x[i] * x[i] - x[i + 1], x[i] - 1.0
        total += 100.0 * t * t + s * s
        g[i] += 400.0 * t * x[i] + 2.0 * s
        g[i + 1] -= 200.0 * t
    return total


@njit(**_OPTIONS)
def rosenbrock_hessian(x, h):
    """Lower triangle of the Hessian into h."""
    h[:] = 0.0
    for i in range(x.size - 1):
        h[2 * i] += 1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0
        h[2 * i + 1] -= 400.0 * x[i]
        h[2 * i + 2] += 200.0


@njit(**_OPTIONS)
def rosenbrock_product(x, v, out):
    """Hessian times v into out."""
    out[:] = 0.0
    for i in range(x.size - 1):
        c = -400.0 * x[i]
        out[i] += (1200.0 * x[i] * x[i] - 400.0 * x[i + 1] + 2.0) * v[i] + c * v[i + 1]
        out[i + 1] += c * v[i] + 200.0 * v[i + 1]


@njit(**_OPTIONS)
def lukvle1_constraints(x, c):
    """Constraints of LUKVLE1 into c."""
    for k in range(x.size - 2):
        a, b, d = x[k], x[k + 1], x[k + 2]
        c[k] = 3.0 * b * b * b + 2.0 * d - 5.0 + math.sin(b - d) * math.sin(b + d)
        c[k] += 4.0 * b - a * math.exp(a - b) - 3.0


@njit(**_OPTIONS)
def lukvle1_jacobian(x, values):
    """Jacobian of LUKVLE1's constraints, three values a row."""
    for k in range(x.size - 2):
        a, b, d = x[k], x[k + 1], x[k + 2]
        e = math.exp(a - b)
        p = math.cos(b - d) * math.sin(b + d)
        q = math.sin(b - d) * math.cos(b + d)
        values[3 * k] = -e * (1.0 + a)
        values[3 * k + 1] = 9.0 * b * b + p + q + 4.0 + a * e
        values[3 * k + 2] = 2.0 - p + q


@njit(**_OPTIONS)
def lukvle1_hessian(x, y, h):
    """Lower triangle of the Hessian of LUKVLE1's Lagrangian into h."""
    rosenbrock_hessian(x, h)
    for k in range(x.size - 2):
        a, b, d, w = x[k], x[k + 1], x[k + 2], y[k]
        e = math.exp(a - b)
        s = math.sin(b - d) * math.sin(b + d)
        c = math.cos(b - d) * math.cos(b + d)
        h[2 * k] -= w * e * (2.0 + a)
        h[2 * k + 1] += w * e * (1.0 + a)
        h[2 * k + 2] += w * (18.0 * b + 2.0 * (c - s) - a * e)
        h[2 * k + 4] -= w * 2.0 * (c + s)


@njit(**_OPTIONS)
def lukvle1_product(x, v, y, out):
    """Hessian of LUKVLE1's Lagrangian times v into out."""
    rosenbrock_product(x, v, out)
    for k in range(x.size - 2):
        a, b, d, w = x[k], x[k + 1], x[k + 2], y[k]
        e = math.exp(a - b)
        s = math.sin(b - d) * math.sin(b + d)
        c = math.cos(b - d) * math.cos(b + d)
        out[k] += w * e * ((1.0 + a) * v[k + 1] - (2.0 + a) * v[k])
        out[k + 1] += w * ((18.0 * b + 2.0 * (c - s) - a * e) * v[k + 1] + e * (1.0 + a) * v[k])
        out[k + 2] -= w * 2.0 * (c + s) * v[k + 2]


@njit(**_OPTIONS)
def tracking(x, target, cell, alpha):
    """Objective of Poisson control: cell/2 (||y - target||^2 + alpha ||u||^2), x = (y, u)."""
    half, total = target.size, 0.0
    for i in range(half):
        d = x[i] - target[i]
        total += d * d + alpha * x[half + i] * x[half + i]
    return 0.5 * cell * total


@njit(**_OPTIONS)
def tracking_gradient(x, target, cell, alpha, g):
    """Objective of Poisson control, and its gradient into g."""
    half, total = target.size, 0.0
    for i in range(half):
        d = x[i] - target[i]
        total += d * d + alpha * x[half + i] * x[half + i]
        g[i] = cell * d
        g[half + i] = alpha * cell * x[half + i]
    return 0.5 * cell * total


@njit(**_OPTIONS)
def tracking_hessian(cell, alpha, h):
    """Diagonal Hessian of Poisson control into h."""
    half = h.size // 2
    for i in range(half):
        h[i] = cell
        h[half + i] = alpha * cell


@njit(**_OPTIONS)
def tracking_product(v, cell, alpha, out):
    """Hessian of Poisson control times v into out."""
    half = v.size // 2
    for i in range(half):
        out[i] = cell * v[i]
        out[half + i] = alpha * cell * v[half + i]
