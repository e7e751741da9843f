"""More-Garbow-Hillstrom problems of fixed size: numbers 1-20, unless they grow (those are in their own file).

All are sums of squares of a few residuals. Names and forms are CUTEst's.
"""

from typing import Any

import numpy as np

from ..model import Model
from ..registry import register
from .sizes import check_size

PAPER = "More, Garbow & Hillstrom (1981), ACM Trans. Math. Softw. 7(1), 17-41, problem "


@register(classification="SUR2-AN-2-0", optimum=0.0, source=PAPER + "1")
def rosenbr(model: Model) -> None:
    """Rosenbrock's valley."""
    x = model.variables(2, start=[-1.2, 1.0])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, *x)


@register(classification="SUR2-AN-2-0", optimum=0.0, source=PAPER + "3")
def powellbsls(model: Model) -> None:
    """Powell's badly scaled function."""
    x = model.variables(2, start=[0.0, 1.0])
    model.minimize(lambda a, b: (1e4 * a * b - 1) ** 2 + (np.exp(-a) + np.exp(-b) - 1.0001) ** 2, *x)


@register(classification="SUR2-AN-2-0", optimum=0.0, source=PAPER + "4")
def brownbs(model: Model) -> None:
    """Brown's badly scaled function."""
    x = model.variables(2, start=1.0)
    model.minimize(lambda a, b: (a - 1e6) ** 2 + (b - 2e-6) ** 2 + (a * b - 2) ** 2, *x)


@register(classification="SUR2-AN-2-0", optimum=0.0, source=PAPER + "5")
def beale(model: Model) -> None:
    """Beale's function."""
    x = model.variables(2, start=1.0)
    model.minimize(lambda a, b: (1.5 - a * (1 - b)) ** 2, *x)
    model.minimize(lambda a, b: (2.25 - a * (1 - b**2)) ** 2, *x)
    model.minimize(lambda a, b: (2.625 - a * (1 - b**3)) ** 2, *x)


@register(classification="SUR2-AN-2-0", optimum=124.362182355615, source=PAPER + "6")
def jensmp(model: Model) -> None:
    """Jennrich and Sampson's function."""
    x1, x2 = model.variables(2, start=[0.3, 0.4])
    i = np.arange(1.0, 11)
    model.minimize(lambda a, b, i: (2 + 2 * i - np.exp(i * a) - np.exp(i * b)) ** 2, x1, x2, i)


@register(classification="SUR2-AN-3-0", optimum=0.0, source=PAPER + "7")
def helix(model: Model) -> None:
    """Fletcher and Powell's helical valley.

    The angle is the paper's, in (-1/4, 3/4) turns: CUTEst's ATAN2 has its cut through the starting point.
    """
    x = model.variables(3, start=[-1.0, 0.0, 0.0])

    def squares(a: Any, b: Any, c: Any) -> Any:
        turns = np.arctan(b / a) / (2 * np.pi) + np.where(a > 0, 0.0, 0.5)
        return 100 * (c - 10 * turns) ** 2 + 100 * (np.sqrt(a**2 + b**2) - 1) ** 2 + c**2

    model.minimize(squares, *x)


@register(classification="SUR2-AN-3-0", optimum=8.21487730657897e-3, source=PAPER + "8")
def bard(model: Model) -> None:
    """Bard's rational model of 15 observations."""
    x1, x2, x3 = model.variables(3, start=1.0)
    y = np.array([0.14, 0.18, 0.22, 0.25, 0.29, 0.32, 0.35, 0.39, 0.37, 0.58, 0.73, 0.96, 1.34, 2.10, 4.39])
    u = np.arange(1.0, 16)
    v = 16 - u
    model.minimize(
        lambda a, b, c, y, u, v, w: (y - a - u / (v * b + w * c)) ** 2, x1, x2, x3, y, u, v, np.minimum(u, v)
    )


@register(classification="SUR2-AN-3-0", optimum=1.12793276961912e-8, source=PAPER + "9")
def gaussian(model: Model) -> None:
    """Gaussian bell through 15 observations."""
    x1, x2, x3 = model.variables(3, start=[0.4, 1.0, 0.0])
    half = np.array([0.0009, 0.0044, 0.0175, 0.0540, 0.1295, 0.2420, 0.3521, 0.3989])
    y, t = np.r_[half, half[-2::-1]], np.arange(7, -8, -1) / 2
    model.minimize(lambda a, b, c, y, t: (a * np.exp(-b * (t - c) ** 2 / 2) - y) ** 2, x1, x2, x3, y, t)


@register(classification="SUR2-RN-3-0", optimum=87.9458551708603, source=PAPER + "10")
def meyer3(model: Model) -> None:
    """Meyer's thermistor: resistance against temperature."""
    x1, x2, x3 = model.variables(3, start=[0.02, 4000.0, 250.0])
    y = np.array([
        34780, 28610, 23650, 19630, 16370, 13720, 11540, 9744, 8261, 7030, 6005, 5147, 4427,
        3820, 3307, 2872.0,
    ])  # fmt: skip
    t = 45 + 5 * np.arange(1.0, 17)
    model.minimize(lambda a, b, c, y, t: (a * np.exp(b / (t + c)) - y) ** 2, x1, x2, x3, y, t)


@register(classification="SUR2-MN-3-0", optimum=0.0, source=PAPER + "11")
def gulf(model: Model) -> None:
    """Gulf Research and Development function, 99 residuals."""
    x1, x2, x3 = model.variables(3, start=[5.0, 2.5, 0.15])
    t = np.arange(1, 100) / 100
    u = 25 + (-50 * np.log(t)) ** (2 / 3)
    model.minimize(lambda a, b, c, t, u: (np.exp(-(abs(u - b) ** c) / a) - t) ** 2, x1, x2, x3, t, u)


@register(classification="SUR2-AN-3-0", optimum=0.0, source=PAPER + "12")
def box3(model: Model) -> None:
    """Box's three-dimensional function, ten residuals."""
    x1, x2, x3 = model.variables(3, start=[0.0, 10.0, 1.0])
    t = np.arange(1, 11) / 10
    model.minimize(
        lambda a, b, c, t, w: (np.exp(-t * a) - np.exp(-t * b) - c * w) ** 2,
        x1, x2, x3, t, np.exp(-t) - np.exp(-10 * t),
    )  # fmt: skip


@register(classification="SUR2-MN-4-0", optimum=3.07800946733320e-4, source=PAPER + "15")
def kowosb(model: Model) -> None:
    """Kowalik and Osborne's enzyme reaction."""
    x = model.variables(4, start=[0.25, 0.39, 0.415, 0.39])
    y = np.array([0.1957, 0.1947, 0.1735, 0.1600, 0.0844, 0.0627, 0.0456, 0.0342, 0.0323, 0.0235, 0.0246])
    u = np.array([4.0, 2.0, 1.0, 0.5, 0.25, 0.167, 0.125, 0.1, 0.0833, 0.0714, 0.0624])
    model.minimize(lambda a, b, c, d, y, u: (a * (u**2 + u * b) / (u**2 + u * c + d) - y) ** 2, *x, y, u)


@register(classification="SUR2-AN-4-0", optimum=85822.2016263564, source=PAPER + "16")
def brownden(model: Model) -> None:
    """Brown and Dennis' function, 20 residuals."""
    x = model.variables(4, start=[25.0, 5.0, -5.0, -1.0])
    t = np.arange(1, 21) / 5
    model.minimize(
        lambda a, b, c, d, t: ((a + t * b - np.exp(t)) ** 2 + (c + np.sin(t) * d - np.cos(t)) ** 2) ** 2,
        *x, t,
    )  # fmt: skip


@register(classification="SUR2-MN-5-0", optimum=5.46489469748281e-5, source=PAPER + "17")
def osbornea(model: Model) -> None:
    """Osborne's first function: two exponentials through 33 observations."""
    x = model.variables(5, start=[0.5, 1.5, -1.0, 0.01, 0.02])
    y = np.array([
        0.844, 0.908, 0.932, 0.936, 0.925, 0.908, 0.881, 0.850, 0.818, 0.784, 0.751, 0.718, 0.685,
        0.658, 0.628, 0.603, 0.580, 0.558, 0.538, 0.522, 0.506, 0.490, 0.478, 0.467, 0.457, 0.448,
        0.438, 0.431, 0.424, 0.420, 0.414, 0.411, 0.406,
    ])  # fmt: skip
    t = 10.0 * np.arange(33)
    model.minimize(
        lambda a, b, c, d, e, y, t: (a + b * np.exp(-t * d) + c * np.exp(-t * e) - y) ** 2, *x, y, t
    )


@register(classification="SUR2-AN-6-0", optimum=0.0, source=PAPER + "18")
def biggs6(model: Model) -> None:
    """Biggs' exponential function, 13 residuals."""
    x = model.variables(6, start=[1.0, 2.0, 1.0, 1.0, 1.0, 1.0])
    t = np.arange(1, 14) / 10
    y = np.exp(-t) - 5 * np.exp(-10 * t) + 3 * np.exp(-4 * t)
    model.minimize(
        lambda a, b, c, d, e, f, y, t: (c * np.exp(-t * a) - d * np.exp(-t * b) + f * np.exp(-t * e) - y)
        ** 2,
        *x, y, t,
    )  # fmt: skip


@register(classification="SUR2-MN-11-0", optimum=0.0401377362935, source=PAPER + "19")
def osborneb(model: Model) -> None:
    """Osborne's second function: an exponential and three bells through 65 observations.

    CUTEst's times start at 0.2 where the paper's start at 0; the minimum is the same, the minimiser shifted.
    """
    x1, x2, x3, x4, x5, x6, x7, x8, x9, x10, x11 = model.variables(
        11, start=[1.3, 0.65, 0.65, 0.7, 0.6, 3.0, 5.0, 7.0, 2.0, 4.5, 5.5]
    )
    y = np.array([
        1.366, 1.191, 1.112, 1.013, 0.991, 0.885, 0.831, 0.847, 0.786, 0.725, 0.746, 0.679, 0.608,
        0.655, 0.616, 0.606, 0.602, 0.626, 0.651, 0.724, 0.649, 0.649, 0.694, 0.644, 0.624, 0.661,
        0.612, 0.558, 0.533, 0.495, 0.500, 0.423, 0.395, 0.375, 0.372, 0.391, 0.396, 0.405, 0.428,
        0.429, 0.523, 0.562, 0.607, 0.653, 0.672, 0.708, 0.633, 0.668, 0.645, 0.632, 0.591, 0.559,
        0.597, 0.625, 0.739, 0.710, 0.729, 0.720, 0.636, 0.581, 0.428, 0.292, 0.162, 0.098, 0.054,
    ])  # fmt: skip
    t = np.arange(2, 67) / 10
    groups = model.groups(65, lambda r: r**2, constant=y)
    groups.add(lambda a, b, t: a * np.exp(-t * b), x1, x5, t)
    for height, centre, width in ((x2, x9, x6), (x3, x10, x7), (x4, x11, x8)):
        groups.add(lambda a, m, s, t: a * np.exp(-((t - m) ** 2) * s), height, centre, width, t)


@register(classification="SUR2-AN-V-0", optimum=4.7223811e-10, source=PAPER + "20")
def watson(model: Model, n: int = 12) -> None:
    """Watson's function: polynomial coefficients for an initial value problem; 2 <= n <= 31."""
    check_size("n", n, least=2)
    x = model.variables(n, start=0.0)
    t = np.arange(1, 30)[:, None] / 29
    j = np.arange(n)
    groups = model.groups(29, lambda r: r**2, constant=1.0)
    row = np.arange(29)[:, None]
    groups[row].add_linear(j[1:] * t ** (j[1:] - 1), x[j[1:]])
    # The square of the polynomial, product by product.
    row, a, b = np.indices((29, n, n))
    groups[row].add(lambda u, v, w: -w * u * v, x[a], x[b], ((row + 1) / 29) ** (a + b))
    model.minimize(lambda a, b: a**2 + (b - a**2 - 1) ** 2, x[0], x[1])
