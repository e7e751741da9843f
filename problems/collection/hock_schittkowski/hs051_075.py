"""Hock-Schittkowski problems 51 to 75 without 67."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
from scipy.special import erf

from ...registry import register
from .parts import book, linear_rows

if TYPE_CHECKING:
    from ...model import Model


@register(classification="QLR2-AY-5-3", optimum=0.0, source=book(51))
def hs51(model: Model) -> None:
    """Linear least squares with three equations and residual zero."""
    x = model.variables(5, start=[2.5, 0.5, 2, -1, 0.5])
    model.minimize(lambda a, b, c, d, e: (a - b) ** 2 + (b + c - 2) ** 2 + (d - 1) ** 2 + (e - 1) ** 2, *x)
    matrix = [[1, 3, 0, 0, 0], [0, 0, 1, 1, -2], [0, 1, 0, 0, -1]]
    linear_rows(model, matrix, x, lower=0, upper=0, constant=[4, 0, 0])


@register(classification="QLR2-AY-5-3", optimum=1859 / 349, source=book(52))
def hs52(model: Model) -> None:
    """Linear least squares with three equations."""
    x = model.variables(5, start=2)
    model.minimize(
        lambda a, b, c, d, e: (4 * a - b) ** 2 + (b + c - 2) ** 2 + (d - 1) ** 2 + (e - 1) ** 2, *x
    )
    matrix = [[1, 3, 0, 0, 0], [0, 0, 1, 1, -2], [0, 1, 0, 0, -1]]
    linear_rows(model, matrix, x, lower=0, upper=0)


@register(classification="QLR2-AY-5-3", optimum=176 / 43, source=book(53))
def hs53(model: Model) -> None:
    """Linear least squares with three equations in a box."""
    x = model.variables(5, start=2, lower=-10, upper=10)
    model.minimize(lambda a, b, c, d, e: (a - b) ** 2 + (b + c - 2) ** 2 + (d - 1) ** 2 + (e - 1) ** 2, *x)
    matrix = [[1, 3, 0, 0, 0], [0, 0, 1, 1, -2], [0, 1, 0, 0, -1]]
    linear_rows(model, matrix, x, lower=0, upper=0)


@register(classification="OLR2-AN-6-1", optimum=-math.exp(-27 / 280), source=book(54))
def hs54(model: Model) -> None:
    """A normal density over a plane, with variables from 1e-3 to 1e8."""
    x = model.variables(
        6,
        start=[6e3, 1.5, 4e6, 2, 3e-3, 5e7],
        lower=[0, -10, 0, 0, -1, 0],
        upper=[2e4, 10, 1e7, 20, 1, 2e8],
    )
    mean = np.array([1e4, 1, 2e6, 10, 1e-3, 1e8])
    deviation = np.array([8e3, 1, 7e6, 50, 0.05, 5e8])
    correlation = 0.2
    weight = np.array([1 / (1 - correlation**2)] * 2 + [1.0] * 4)
    form = model.groups((), lambda q: -np.exp(-q / 2))
    form.add(lambda a, m, s, w: w * ((a - m) / s) ** 2, x, mean, deviation, weight)
    cross = 2 * correlation * weight[0] / (deviation[0] * deviation[1])
    form.add(lambda a, b, m, k, w: w * (a - m) * (b - k), x[0], x[1], mean[0], mean[1], cross)
    linear_rows(model, [[1, 4000, 0, 0, 0, 0]], x, lower=0, upper=0, constant=17600)


@register(classification="OLR2-AN-6-6", optimum=19 / 3, source=book(55))
def hs55(model: Model) -> None:
    """An exponential over a degenerate transportation polytope."""
    x = model.variables(6, start=[1, 2, 0, 0, 0, 2], lower=0, upper=[1, *[np.inf] * 2, 1, *[np.inf] * 2])
    model.minimize_linear([1, 2, 4], x[[0, 1, 4]])
    model.minimize(lambda a, d: np.exp(a * d), x[0], x[3])
    matrix = [
        [1, 2, 0, 0, 5, 0],
        [1, 1, 1, 0, 0, 0],
        [0, 0, 0, 1, 1, 1],
        [1, 0, 0, 1, 0, 0],
        [0, 1, 0, 0, 1, 0],
        [0, 0, 1, 0, 0, 1],
    ]
    linear_rows(model, matrix, x, lower=0, upper=0, constant=[6, 3, 2, 1, 2, 2])


@register(classification="OOR2-AN-7-4", optimum=-3.456, source=book(56))
def hs56(model: Model) -> None:
    """The largest parcel, its bounds written with squared sines."""
    x = model.variables(7, start=[1, 1, 1, 0.50973968, 0.50973968, 0.50973968, 0.98511078])
    model.minimize(lambda a, b, c: -a * b * c, *x[:3])
    matrix = [[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 2, 2]]
    rows = linear_rows(model, matrix, x[:3], lower=0, upper=0)
    rows.add(lambda a, p: -p * np.sin(a) ** 2, x[3:], [4.2, 4.2, 4.2, 7.2])


@register(classification="SQR2-AN-2-1", optimum=0.0284596697229867, source=book(57))
def hs57(model: Model) -> None:
    """Chlorine left in a product over 42 weeks, fitted by an exponential decay."""
    x = model.variables(2, start=[0.42, 5], lower=[0.4, -4])
    week = np.repeat(np.arange(8.0, 43, 2), [2, 4, 4, 3, 3, 2, 3, 3, 3, 3, 2, 3, 2, 1, 2, 2, 1, 1])
    chlorine = [49, 49, 48, 47, 48, 47, 46, 46, 45, 43, 45, 43, 43, 44, 43, 43, 46, 45, 42, 42, 43, 41]
    chlorine += [41, 40, 42, 40, 40, 41, 40, 41, 41, 40, 40, 40, 38, 41, 40, 40, 41, 38, 40, 40, 39, 39]
    model.minimize(
        lambda a, b, t, y: (y - a - (0.49 - a) * np.exp(-b * (t - 8))) ** 2,
        *x,
        week,
        np.array(chlorine) / 100,
    )
    model.subject_to(lambda a, b: 0.49 * b - a * b - 0.09, *x, lower=0)


@register(classification="OQR2-AN-2-3", optimum=-7.80278947153832, source=book(59))
def hs59(model: Model) -> None:
    """A polynomial of degree six with an exponential and a pole; several local minima."""
    x = model.variables(2, start=[90, 10], lower=0, upper=[75, 65])
    powers = [[3, 0], [4, 0], [1, 1], [2, 1], [4, 1], [0, 2], [0, 3], [0, 4], [2, 2], [3, 2], [3, 3]]
    powers += [[1, 2], [1, 3], [3, 1], [2, 0], [1, 0], [0, 1]]
    weights = [2.0567e-3, -1.0345e-5, -0.030234, 1.28134e-3, 2.266e-7, -0.25645, 3.4604e-3, -1.3514e-5]
    weights += [5.2375e-6, 6.3e-8, -7e-10, -3.405e-4, 1.6638e-6, -3.5256e-5, -0.12694, 3.8112, 6.8306]
    model.minimize(
        lambda a, b: (
            sum(w * a**p * b**q for w, (p, q) in zip(weights, powers, strict=True))
            + 28.106 / (b + 1)
            + 2.8673 * np.exp(0.0005 * a * b)
            - 75.196
        ),
        *x,
    )
    model.subject_to(lambda a, b: a * b - 700, *x, lower=0)
    model.subject_to(lambda a, b: b - 0.008 * a**2, *x, lower=0)
    model.subject_to(lambda a, b: (b - 50) ** 2 - 5 * a + 275, *x, lower=0)


@register(classification="OOR2-AY-3-1", optimum=0.03256820025507, source=book(60))
def hs60(model: Model) -> None:
    """A quartic on a surface of degree four."""
    x = model.variables(3, start=2, lower=-10, upper=10)
    model.minimize(lambda a, b, c: (a - 1) ** 2 + (a - b) ** 2 + (b - c) ** 4, *x)
    model.subject_to(lambda a, b, c: a * (1 + b**2) + c**4 - 4 - 3 * np.sqrt(2), *x, lower=0, upper=0)


@register(classification="QQR2-AN-3-2", optimum=-143.64614219778, source=book(61))
def hs61(model: Model) -> None:
    """A quadratic on two parabolic cylinders."""
    x = model.variables(3, start=0)
    model.minimize(lambda a, b, c: 4 * a**2 + 2 * b**2 + 2 * c**2 - 33 * a + 16 * b - 24 * c, *x)
    model.subject_to(lambda a, b: 3 * a - 2 * b**2 - 7, x[0], x[1], lower=0, upper=0)
    model.subject_to(lambda a, c: 4 * a - c**2 - 11, x[0], x[2], lower=0, upper=0)


@register(classification="OLR2-AY-3-1", optimum=-26272.5144873183, source=book(62))
def hs62(model: Model) -> None:
    """Logarithms of ratios over a simplex."""
    x = model.variables(3, start=[0.7, 0.2, 0.1], lower=0, upper=1)

    def ratio(head: Any, rest: Any, rate: Any) -> Any:
        return np.log((head + rest + 0.03) / (rate * head + rest + 0.03))

    model.minimize(
        lambda a, b, c: (
            -32.174 * (255 * ratio(a, b + c, 0.09) + 280 * ratio(b, c, 0.07) + 290 * ratio(c, 0, 0.13))
        ),
        *x,
    )
    linear_rows(model, [[1, 1, 1]], x, lower=0, upper=0, constant=1)


@register(classification="QQR2-AY-3-2", optimum=961.715172130052, source=book(63))
def hs63(model: Model) -> None:
    """A quadratic on a circle in the positive octant."""
    x = model.variables(3, start=2, lower=0)
    model.minimize(lambda a, b, c: 1000 - a**2 - 2 * b**2 - c**2 - a * (b + c), *x)
    linear_rows(model, [[8, 14, 7]], x, lower=0, upper=0, constant=56)
    model.subject_to(lambda a, b, c: a**2 + b**2 + c**2 - 25, *x, lower=0, upper=0)


@register(classification="OOR2-AN-3-1", optimum=6299.84242792153, source=book(64))
def hs64(model: Model) -> None:
    """Costs of stock: linear and reciprocal terms."""
    x = model.variables(3, start=1, lower=1e-5)
    model.minimize(lambda a, p, q: p * a + q / a, x, [5.0, 20.0, 10.0], [5e4, 7.2e4, 1.44e5])
    model.subject_to(lambda a, b, c: 4 / a + 32 / b + 120 / c - 1, *x, upper=0)


@register(classification="QQR2-AN-3-1", optimum=0.953528856804908, source=book(65))
def hs65(model: Model) -> None:
    """The point of a ball that is nearest to a point, in a skew norm."""
    x = model.variables(3, start=[-5, 5, 0], lower=[-4.5, -4.5, -5], upper=[4.5, 4.5, 5])
    model.minimize(lambda a, b, c: (a - b) ** 2 + (a + b - 10) ** 2 / 9 + (c - 5) ** 2, *x)
    model.subject_to(lambda a, b, c: 48 - a**2 - b**2 - c**2, *x, lower=0)


@register(classification="LOR2-AN-3-2", optimum=0.518163274181792, source=book(66))
def hs66(model: Model) -> None:
    """A linear function above a chain of exponentials."""
    x = model.variables(3, start=[0, 1.05, 2.9], lower=0, upper=[100, 100, 10])
    model.minimize_linear([-0.8, 0.2], x[[0, 2]])
    model.subject_to(lambda a, b: b - np.exp(a), x[:-1], x[1:], lower=0)


@register(classification="OOR2-MN-4-2", optimum=-0.920425003639752, source=book(68))
def hs68(model: Model) -> None:
    """Cost-optimal inspection plan, light costs."""
    inspection_plan(model, a=1e-4, b=1.0, d=1.0, n=24)


@register(classification="OOR2-MN-4-2", optimum=-956.712886650031, source=book(69))
def hs69(model: Model) -> None:
    """Cost-optimal inspection plan, heavy costs."""
    inspection_plan(model, a=0.1, b=1000.0, d=1.0, n=4)


def inspection_plan(model: Model, a: float, b: float, d: float, n: int) -> None:
    """HS68 and HS69: x3 and x4 are normal tail probabilities of the control limit x2."""
    x = model.variables(4, start=1, lower=[1e-4, 0, 0, 0], upper=[100, 100, 2, 2])
    model.minimize(
        lambda t, p, q: (a * n - (b * (np.exp(t) - 1) - p) * q / (np.exp(t) - 1 + q)) / t, x[0], x[2], x[3]
    )

    def normal_cdf(t: Any) -> Any:
        return (1 + erf(t / np.sqrt(2))) / 2

    shift = d * np.sqrt(n)
    model.subject_to(lambda u, p: p - 2 * normal_cdf(-u), x[1], x[2], lower=0, upper=0)
    model.subject_to(
        lambda u, q: q - normal_cdf(shift - u) - normal_cdf(-shift - u), x[1], x[3], lower=0, upper=0
    )


@register(classification="SQR2-MN-4-1", optimum=0.0074984635744, source=book(70))
def hs70(model: Model) -> None:
    """A mixture of two gamma densities fitted to 19 observations."""
    x = model.variables(4, start=[2, 4, 0.04, 2], lower=1e-5, upper=[100, 100, 1, 100])
    c = np.concatenate([[0.1], np.arange(1.0, 19)])
    y = [0.00189, 0.1038, 0.268, 0.506, 0.577, 0.604, 0.725, 0.898, 0.947, 0.845, 0.702, 0.528, 0.385]
    y += [0.257, 0.159, 0.0869, 0.0453, 0.01509, 0.00189]

    def gamma(k: Any, z: Any) -> Any:
        # Density of shape k at z times its mode, up to 1/z, by Stirling's formula.
        return np.sqrt(k / 6.2832) * z**k * np.exp(k * (1 - z)) / (1 + 1 / (12 * k))

    def residual(k2: Any, k1: Any, p: Any, r: Any, c: Any, y: Any) -> Any:
        b = p + r * (1 - p)
        t = c / 7.658
        return (p * gamma(k1, b * t) + (1 - p) * gamma(k2, b * t / r)) / t - y

    model.minimize(lambda *args: residual(*args) ** 2, *x, c, np.array(y))
    model.subject_to(lambda p, r: p + r - p * r, x[2], x[3], lower=0)


@register(classification="OOR2-AY-4-2", optimum=17.0140172891566, source=book(71))
def hs71(model: Model) -> None:
    """The worked example of many an interior-point code."""
    x = model.variables(4, start=[1, 5, 5, 1], lower=1, upper=5)
    model.minimize(lambda a, b, c, d: a * d * (a + b + c) + c, *x)
    model.subject_to(lambda a, b, c, d: a * b * c * d - 25, *x, lower=0)
    model.subject_to(lambda a, b, c, d: a**2 + b**2 + c**2 + d**2 - 40, *x, lower=0, upper=0)


@register(classification="LOR2-MN-4-2", optimum=727.679357789613, source=book(72))
def hs72(model: Model) -> None:
    """Optimal sample sizes."""
    x = model.variables(4, start=1, lower=0.001, upper=[4e5, 3e5, 2e5, 1e5])
    weights = np.array([[4, 2.25, 1, 0.25], [0.16, 0.36, 0.64, 0.64]])
    model.minimize_linear(1, x)
    model.minimize_constant(1)
    rows = model.constraints(2, lower=0, constant=[-0.0401, -0.010085])
    rows[:, None].add(lambda a, w: -w / a, x, weights)


@register(classification="LOR2-MN-4-3", optimum=29.8943781591437, source=book(73))
def hs73(model: Model) -> None:
    """Cattle feed with a chance constraint."""
    x = model.variables(4, start=1, lower=0)
    model.minimize_linear([24.55, 26.75, 39, 40.5], x)
    matrix = [[2.3, 5.6, 11.1, 1.3], [12.0, 11.9, 41.8, 52.1], [1.0, 1, 1, 1]]
    rows = linear_rows(model, matrix, x, lower=0, upper=[np.inf, np.inf, 0], constant=[5, 21, 1])
    rows[1].add(
        lambda a, b, c, d: -1.645 * np.sqrt(0.28 * a**2 + 0.19 * b**2 + 20.5 * c**2 + 0.62 * d**2), *x
    )


@register(classification="OOR2-AY-4-5", optimum=5126.49810959527, source=book(74))
def hs74(model: Model) -> None:
    """Power flow between two generators, angles within .55."""
    two_generators(model, angle=0.55)


@register(classification="OOR2-AY-4-5", optimum=5174.41269537774, source=book(75))
def hs75(model: Model) -> None:
    """Power flow between two generators, angles within .48."""
    two_generators(model, angle=0.48)


def two_generators(model: Model, angle: float) -> None:
    """HS74 and HS75: generated power x1, x2 and phase angles x3, x4."""
    x = model.variables(4, start=0, lower=[0, 0, -angle, -angle], upper=[1200, 1200, angle, angle])
    model.minimize(lambda a, p, q: p * a + q * a**3, x[:2], [3.0, 2.0], [1e-6, 2e-6 / 3])
    linear_rows(model, [[0, 0, -1, 1], [0, 0, 1, -1]], x, lower=0, constant=-angle)

    def flow(t: Any) -> Any:
        return 1000 * np.sin(t - 0.25)

    a, b, s, t = x
    model.subject_to(lambda a, s, t: flow(-s) + flow(-t) + 894.8 - a, a, s, t, lower=0, upper=0)
    model.subject_to(lambda b, s, t: flow(s) + flow(s - t) + 894.8 - b, b, s, t, lower=0, upper=0)
    model.subject_to(lambda s, t: flow(t) + flow(t - s) + 1294.8, s, t, lower=0, upper=0)
