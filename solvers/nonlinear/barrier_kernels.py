"""Kernels of the barrier method: one pass over w where array expressions would take ten.

An absent bound is infinite, its gap infinite, its multiplier zero; the tests below are for finite gaps. All
maxima keep NaN.
"""

from __future__ import annotations

from math import log

import numpy as np
from numba import njit

_OPTIONS = {"cache": True, "nogil": True, "error_model": "numpy"}


@njit(
    "UniTuple(float64, 2)(float64[::1], float64[::1], float64[::1], float64, float64[::1], float64[::1])",
    **_OPTIONS,
)
def measure_gaps(w, lower, upper, smallest, gap_lower, gap_upper):
    """Distances to the bounds, at least ``smallest max(1, |bound|)``.

    Returns the sum of their logarithms, and the sum of the distances to bounds on one side only.
    """
    logs = run_away = 0.0
    for i in range(w.size):
        low, high = w[i] - lower[i], upper[i] - w[i]
        if low < np.inf:
            floor = smallest * max(1.0, abs(lower[i]))
            if low < floor:
                low = floor
            logs += log(low)
            if high == np.inf:
                run_away += low
        if high < np.inf:
            floor = smallest * max(1.0, abs(upper[i]))
            if high < floor:
                high = floor
            logs += log(high)
            if low == np.inf:
                run_away += high
        gap_lower[i], gap_upper[i] = low, high
    return logs, run_away


@njit("void(float64[::1], float64[::1], float64[::1], float64, float64, float64[::1])", **_OPTIONS)
def add_barrier_gradient(gradient, gap_lower, gap_upper, mu, damping, out):
    """The gradient with that of the barrier terms added, into out."""
    for i in range(gradient.size):
        low, high = gap_lower[i], gap_upper[i]
        value = gradient[i] + mu / high - mu / low
        if low < np.inf:
            if high == np.inf:
                value += damping
        elif high < np.inf:
            value -= damping
        out[i] = value


@njit("void(float64[::1], float64[::1], float64[::1], float64[::1], float64[::1])", **_OPTIONS)
def barrier_hessian(zl, zu, gap_lower, gap_upper, sigma):
    """Diagonal zl/(w - l) + zu/(u - w) into sigma."""
    for i in range(sigma.size):
        sigma[i] = zl[i] / gap_lower[i] + zu[i] / gap_upper[i]


@njit(
    "UniTuple(float64, 7)(float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64[::1],"
    " float64[::1])",
    **_OPTIONS,
)
def optimality_parts(gradient, c, y, zl, zu, gap_lower, gap_upper):
    """What the optimality error is made of.

    Maximum norms of gradient - zl + zu and of c; least and largest product of gap and multiplier (inf and
    -inf without bounds); sums of |y|, of zl and zu, and of the products.
    """
    stationarity = infeasibility = y_sum = z_sum = products = 0.0
    least, largest = np.inf, -np.inf
    for i in range(gradient.size):
        residual = abs(gradient[i] - zl[i] + zu[i])
        if residual > stationarity or residual != residual:
            stationarity = residual
        for gap, z in ((gap_lower[i], zl[i]), (gap_upper[i], zu[i])):
            if gap < np.inf:
                product = gap * z
                z_sum += z
                products += product
                least, largest = min(least, product), max(largest, product)
    for i in range(c.size):
        violation = abs(c[i])
        if violation > infeasibility or violation != violation:
            infeasibility = violation
        y_sum += abs(y[i])
    return stationarity, infeasibility, least, largest, y_sum, z_sum, products


@njit(
    "void(float64[::1], float64[::1], float64[::1], float64[::1], float64[::1], float64, float64[::1],"
    " float64[::1])",
    **_OPTIONS,
)
def bound_steps(dw, zl, zu, gap_lower, gap_upper, mu, dzl, dzu):
    """Newton steps of zl and zu that belong to the step dw."""
    for i in range(dw.size):
        dzl[i] = (mu - zl[i] * dw[i]) / gap_lower[i] - zl[i]
        dzu[i] = (mu + zu[i] * dw[i]) / gap_upper[i] - zu[i]


@njit("float64(float64[::1], float64[::1], float64[::1], float64, float64)", **_OPTIONS)
def primal_limit(dw, gap_lower, gap_upper, tau, longest):
    """Largest alpha up to ``longest`` that keeps the share 1 - tau of every gap."""
    rate = 0.0
    for i in range(dw.size):
        rate = max(rate, -dw[i] / gap_lower[i], dw[i] / gap_upper[i])
    return longest if longest * rate <= tau else tau / rate


@njit("float64(float64[::1], float64[::1], float64[::1], float64[::1], float64)", **_OPTIONS)
def dual_limit(zl, zu, dzl, dzu, tau):
    """Largest alpha up to 1 that keeps the share 1 - tau of every positive multiplier."""
    rate = 0.0
    for i in range(zl.size):
        if zl[i] > 0.0:
            rate = max(rate, -dzl[i] / zl[i])
        if zu[i] > 0.0:
            rate = max(rate, -dzu[i] / zu[i])
    return 1.0 if rate <= tau else tau / rate


@njit(
    "void(float64[::1], float64[::1], float64, float64[::1], float64, float64, float64[::1])",
    **_OPTIONS,
)
def safeguarded_step(z, dz, alpha, gap, mu, factor, out):
    """The sums z + alpha dz, kept within a factor of mu/gap, into out; zero where there is no bound."""
    for i in range(z.size):
        if gap[i] < np.inf:
            central = mu / gap[i]
            out[i] = min(max(z[i] + alpha * dz[i], central / factor), factor * central)
        else:
            out[i] = 0.0


@njit("float64(float64[::1], float64[::1])", **_OPTIONS)
def relative_length(dw, w):
    """Largest |dw_i| / (1 + |w_i|)."""
    longest = 0.0
    for i in range(w.size):
        length = abs(dw[i]) / (1.0 + abs(w[i]))
        if length > longest or length != length:
            longest = length
    return longest


@njit("float64(" + 12 * "float64[::1], " + "float64, float64, int64, int64, int64)", **_OPTIONS)
def quality(dw, dzl, dzu, cw, czl, czu, zl, zu, gap_lower, gap_upper, gradient, c, sigma, tau, n, m, count):
    """Quality function of Nocedal, Waechter & Waltz (2009), equation (4.2), squares of 2-norms in the mean.

    For the step ``(1 - sigma) d + sigma c``, d the affine one, c the one to the mean product of gap and
    multiplier, both cut by the fraction to the boundary.
    """
    rate_primal = rate_dual = 0.0
    rest = 1.0 - sigma
    for i in range(dw.size):
        step = rest * dw[i] + sigma * cw[i]
        rate_primal = max(rate_primal, -step / gap_lower[i], step / gap_upper[i])
        if zl[i] > 0.0:
            rate_dual = max(rate_dual, -(rest * dzl[i] + sigma * czl[i]) / zl[i])
        if zu[i] > 0.0:
            rate_dual = max(rate_dual, -(rest * dzu[i] + sigma * czu[i]) / zu[i])
    primal = 1.0 if rate_primal <= tau else tau / rate_primal
    dual = 1.0 if rate_dual <= tau else tau / rate_dual
    stationarity = complementarity = infeasibility = 0.0
    for i in range(dw.size):
        residual = gradient[i] - zl[i] + zu[i]
        stationarity += residual * residual
        step = primal * (rest * dw[i] + sigma * cw[i])
        if gap_lower[i] < np.inf:
            product = (gap_lower[i] + step) * (zl[i] + dual * (rest * dzl[i] + sigma * czl[i]))
            complementarity += product * product
        if gap_upper[i] < np.inf:
            product = (gap_upper[i] - step) * (zu[i] + dual * (rest * dzu[i] + sigma * czu[i]))
            complementarity += product * product
    for i in range(c.size):
        infeasibility += c[i] * c[i]
    return (
        (1.0 - dual) ** 2 * stationarity / n
        + (1.0 - primal) ** 2 * infeasibility / m
        + complementarity / count
    )


@njit("float64(" + 12 * "float64[::1], " + "float64, int64, int64, int64)", **_OPTIONS)
def best_centering(dw, dzl, dzu, cw, czl, czu, zl, zu, gap_lower, gap_upper, gradient, c, tau, n, m, count):
    """The sigma between 1e-6 and 100 with the least `quality`: on a grid of powers of ten, then refined."""
    best, least = 1.0, np.inf
    for k in range(-6, 3):
        sigma = 10.0**k
        q = quality(
            dw, dzl, dzu, cw, czl, czu, zl, zu, gap_lower, gap_upper, gradient, c, sigma, tau, n, m, count
        )
        if q < least:
            best, least = sigma, q
    factor = 10.0**0.5
    for _ in range(4):
        center = best
        for sigma in (center / factor, center * factor):
            q = quality(
                dw, dzl, dzu, cw, czl, czu, zl, zu, gap_lower, gap_upper, gradient, c, sigma, tau, n, m, count
            )
            if q < least and 1e-6 <= sigma <= 100.0:
                best, least = sigma, q
        factor = factor**0.5
    return best
