"""More-Garbow-Hillstrom problems of variable size: numbers 2, 13, 14 and 21-35, at CUTEst's default sizes.

Sums of squares, and for four of them the systems of equations they come from (ARGTRIG, BROWNALE, INTEGREQ,
BROYDN3D). Residuals of few variables are single terms; residuals over all variables are groups.
"""

import numpy as np
from numpy.typing import NDArray

from ..model import Model, Rows, Variables
from ..registry import register
from .best_values import at_any_size
from .more_garbow_hillstrom import PAPER
from .sizes import check_size


def _blocks(n: int, length: int) -> int:
    check_size("n", n, least=length, step=length)
    return n // length


@register(classification="SUR2-AN-V-0", optimum=608159.189046, source=PAPER + "2, chained")
def freuroth(model: Model, n: int = 5_000) -> None:
    """Chained Freudenstein and Roth function; n = 2 is the original."""
    check_size("n", n, least=2)
    x = model.variables(n, start=np.r_[0.5, -2.0, np.zeros(n - 2)])
    model.minimize(lambda a, b: (a - 13 + ((5 - b) * b - 2) * b) ** 2, x[:-1], x[1:])
    model.minimize(lambda a, b: (a - 29 + ((b + 1) * b - 14) * b) ** 2, x[:-1], x[1:])


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "13 and 22")
def powellsg(model: Model, n: int = 10_000) -> None:
    """Powell's singular function, n / 4 copies."""
    x = model.variables((_blocks(n, 4), 4), start=[3.0, -1.0, 0.0, 1.0])
    model.minimize(
        lambda a, b, c, d: (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4,
        x[:, 0], x[:, 1], x[:, 2], x[:, 3],
    )  # fmt: skip


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "14")
def woods(model: Model, n: int = 4_000) -> None:
    """Wood's function, n / 4 copies."""
    x = model.variables((_blocks(n, 4), 4), start=[-3.0, -1.0, -3.0, -1.0])
    a, b, c, d = x[:, 0], x[:, 1], x[:, 2], x[:, 3]
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, a, b)
    model.minimize(lambda c, d: 90 * (d - c**2) ** 2 + (1 - c) ** 2, c, d)
    model.minimize(lambda b, d: 10 * (b + d - 2) ** 2 + 0.1 * (b - d) ** 2, b, d)


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "21")
def srosenbr(model: Model, n: int = 5_000) -> None:
    """Rosenbrock's valley, n / 2 copies; CUTEst decodes the classical start -1.2 as 1.2."""
    x = model.variables((_blocks(n, 2), 2), start=[1.2, 1.0])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (a - 1) ** 2, x[:, 0], x[:, 1])


def _penalty1_minimum(n: int) -> float:
    # Stationarity makes all variables equal, to the positive root of this cubic.
    roots = np.roots([2 * n, 0.0, 1e-5 - 0.5, -1e-5])
    t = float(np.max(roots.real))
    return 1e-5 * n * (t - 1) ** 2 + (n * t**2 - 0.25) ** 2


@register(classification="SUR2-AN-V-0", optimum=_penalty1_minimum, source=PAPER + "23")
def penalty1(model: Model, n: int = 1_000) -> None:
    """First penalty function; dense Hessian."""
    x = model.variables(n, start=np.arange(1.0, n + 1))
    model.minimize(lambda a: 1e-5 * (a - 1) ** 2, x)
    model.groups((), lambda r: r**2, constant=0.25).add(lambda a: a**2, x)


@register(classification="SUR2-AN-V-0", optimum=4.71162772755e13, source=PAPER + "24")
def penalty2(model: Model, n: int = 200) -> None:
    """Second penalty function; dense Hessian."""
    check_size("n", n, least=2)
    x = model.variables(n, start=0.5)
    i = np.arange(1.0, n + 1)
    y = np.exp(i[1:] / 10) + np.exp(i[:-1] / 10)
    model.minimize(lambda a: (a - 0.2) ** 2, x[0])
    model.minimize(lambda a, b, y: 1e-5 * (np.exp(b / 10) + np.exp(a / 10) - y) ** 2, x[:-1], x[1:], y)
    model.minimize(lambda a: 1e-5 * (np.exp(a / 10) - np.exp(-0.1)) ** 2, x[1:])
    model.groups((), lambda r: r**2, constant=1.0).add(lambda a, w: w * a**2, x, i[::-1])


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "25")
def vardim(model: Model, n: int = 200) -> None:
    """Variably dimensioned function; dense Hessian."""
    i = np.arange(1.0, n + 1)
    x = model.variables(n, start=1 - i / n)
    model.minimize(lambda a: (a - 1) ** 2, x)
    model.groups((), lambda r: r**2 + r**4, constant=i.sum()).add_linear(i, x)


def _trigonometric_residuals(rows: Rows, model: Model, n: int) -> None:
    x = model.variables(n, start=1 / n)
    i = np.arange(1.0, n + 1)
    rows.add(lambda a, i: i * (np.cos(a) + np.sin(a) - 1) - n, x, i)
    row, j = np.indices((n, n))
    rows[row].add(lambda a: np.cos(a), x[j])


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "26")
def argtrigls(model: Model, n: int = 200) -> None:
    """Trigonometric function; dense Hessian."""
    _trigonometric_residuals(model.groups(n, lambda r: r**2), model, n)


@register(classification="NOR2-AN-V-V", optimum=at_any_size(0.0), source=PAPER + "26")
def argtrig(model: Model, n: int = 200) -> None:
    """Trigonometric system of equations; dense Jacobian."""
    _trigonometric_residuals(model.constraints(n, lower=0, upper=0), model, n)


def _almost_linear_residuals(rows: Rows, model: Model, n: int) -> None:
    # CUTEst multiplies the first ten variables only, so that the product stays away from underflow.
    x = model.variables(n, start=0.5)
    row, j = np.indices((n - 1, n))
    rows[:-1].add_linear(1.0, x[:-1])
    rows[row].add_linear(1.0, x[j])
    rows[-1].add(lambda a, b, c, d, e, f, g, h, i, j: a * b * c * d * e * f * g * h * i * j, *x[:10])


def _almost_linear_constants(n: int) -> NDArray[np.float64]:
    check_size("n", n, least=10)
    return np.append(np.full(n - 1, n + 1.0), 1.0)


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "27")
def brownal(model: Model, n: int = 200) -> None:
    """Brown's almost linear function, with the product of ten variables; dense Hessian."""
    _almost_linear_residuals(model.groups(n, lambda r: r**2, constant=_almost_linear_constants(n)), model, n)


@register(classification="NOR2-AN-V-V", optimum=at_any_size(0.0), source=PAPER + "27")
def brownale(model: Model, n: int = 200) -> None:
    """Brown's almost linear system, with the product of ten variables; dense Jacobian."""
    constant = _almost_linear_constants(n)
    _almost_linear_residuals(model.constraints(n, lower=0, upper=0, constant=constant), model, n)


@register(classification="SUR2-MN-V-0", optimum=at_any_size(0.0), source=PAPER + "28")
def morebv(model: Model, n: int = 5_000) -> None:
    """Discrete boundary value problem u'' = (u + t + 1)^3 / 2, in least squares."""
    check_size("n", n, least=2)
    h = 1 / (n + 1)
    t = h * np.arange(1.0, n + 1)
    x = model.variables(n, start=t * (t - 1))
    groups = model.groups(n, lambda r: r**2)
    groups.add(lambda a, t: 2 * a + h**2 * (a + t + 1) ** 3 / 2, x, t)
    groups[1:].add_linear(-1.0, x[:-1])
    groups[:-1].add_linear(-1.0, x[1:])


def _integral_equation(rows: Rows, x: Variables) -> None:
    """Rows of u(t) + 1/2 int k(s, t) (u(s) + s + 1)^3 ds, by the rectangle rule on the interior points."""
    n = len(rows)
    h = 1 / (n + 1)
    i, j = np.indices((n, n))
    s, t = h * (j + 1), h * (i + 1)
    weight = h / 2 * np.where(j <= i, s * (1 - t), t * (1 - s))
    rows.add_linear(1.0, x[1:-1])
    rows[i].add(lambda a, s: (a + s + 1) ** 3, x[j + 1], s, weight=weight)


def _integral_start(n: int) -> NDArray[np.float64]:
    t = np.arange(n + 2) / (n + 1)
    return t * (t - 1)


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "29")
def inteqnels(model: Model, n: int = 500) -> None:
    """Discrete integral equation in least squares; n + 2 variables, dense Hessian."""
    x = model.variables(n + 2, start=_integral_start(n))
    model.minimize(lambda a: a**2, x[[0, n + 1]])
    _integral_equation(model.groups(n, lambda r: r**2), x)


@register(classification="NOR2-AN-V-V", optimum=at_any_size(0.0), source=PAPER + "29")
def integreq(model: Model, n: int = 500) -> None:
    """Discrete integral equation; n + 2 variables, the two ends fixed at zero; dense Jacobian."""
    ends = np.r_[0.0, np.full(n, -np.inf), 0.0]
    x = model.variables(n + 2, start=_integral_start(n), lower=ends, upper=-ends)
    _integral_equation(model.constraints(n, lower=0, upper=0), x)


def _broyden_tridiagonal(rows: Rows, model: Model, n: int) -> None:
    check_size("n", n, least=2)
    x = model.variables(n, start=-1.0)
    rows.add(lambda a: (3 - 2 * a) * a + 1, x)
    rows[1:].add_linear(-1.0, x[:-1])
    rows[:-1].add_linear(-2.0, x[1:])


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "30")
def broydn3dls(model: Model, n: int = 5_000) -> None:
    """Broyden's tridiagonal function."""
    _broyden_tridiagonal(model.groups(n, lambda r: r**2), model, n)


@register(classification="NQR2-AN-V-V", optimum=at_any_size(0.0), source=PAPER + "30")
def broydn3d(model: Model, n: int = 5_000) -> None:
    """Broyden's tridiagonal system of equations."""
    _broyden_tridiagonal(model.constraints(n, lower=0, upper=0), model, n)


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=PAPER + "31")
def broydnbdls(model: Model, n: int = 5_000) -> None:
    """Broyden's banded function.

    In CUTEst the rows away from the ends exchange the powers: a square on the diagonal, cubes below it.
    """
    check_size("n", n, least=7)
    x = model.variables(n, start=1.0)
    groups = model.groups(n, lambda r: r**2)
    i = np.arange(n)
    middle = (i >= 5) & (i < n - 2)
    groups[middle].add(lambda a: 2 * a + 5 * a**2, x[middle])
    groups[~middle].add(lambda a: 2 * a + 5 * a**3, x[~middle])
    row, offset = np.broadcast_arrays(i[:, None], [-5, -4, -3, -2, -1, 1])
    j = row + offset
    inside = (j >= 0) & (j < n)
    cubes = inside & middle[row] & (offset < 0)
    squares = inside & ~cubes
    groups[row[cubes]].add(lambda a: -a - a**3, x[j[cubes]])
    groups[row[squares]].add(lambda a: -a - a**2, x[j[squares]])


@register(classification="SUR2-AN-V-0", optimum=lambda n, m: float(m - n), source=PAPER + "32")
def arglina(model: Model, n: int = 200, m: int = 400) -> None:
    """Linear function of full rank, m >= n residuals; dense Hessian."""
    check_size("m", m, least=n)
    x = model.variables(n, start=1.0)
    i, j = np.indices((m, n))
    model.groups(m, lambda r: r**2, constant=1.0)[i].add_linear((i == j) - 2 / m, x[j])


@register(
    classification="SUR2-AN-V-0",
    optimum=lambda n, m: m * (m - 1) / (2 * (2 * m + 1)),
    source=PAPER + "33",
)
def arglinb(model: Model, n: int = 200, m: int = 400) -> None:
    """Linear function of rank one, m >= n residuals; dense Hessian."""
    check_size("m", m, least=n)
    x = model.variables(n, start=1.0)
    i, j = np.indices((m, n))
    model.groups(m, lambda r: r**2, constant=1.0)[i].add_linear((i + 1.0) * (j + 1.0), x[j])


@register(
    classification="SUR2-AN-V-0",
    optimum=lambda n, m: (m**2 + 3 * m - 6) / (2 * (2 * m - 3)),
    source=PAPER + "34",
)
def arglinc(model: Model, n: int = 200, m: int = 400) -> None:
    """Linear function of rank one with zero columns and rows, m >= n residuals; dense Hessian."""
    check_size("n", n, least=3)
    check_size("m", m, least=n)
    x = model.variables(n, start=1.0)
    i, j = np.indices((m - 2, n - 2)) + 1
    groups = model.groups(m, lambda r: r**2, constant=1.0)
    groups[i].add_linear(i * (j + 1.0), x[j])


@register(classification="SBR2-AN-V-0", optimum=4.87769642771601e-3, source=PAPER + "35")
def chebyqad(model: Model, n: int = 100) -> None:
    """Chebyquad: equally weighted quadrature of shifted Chebyshev polynomials; 0 <= x <= 1, dense Hessian."""
    x = model.variables(n, start=np.arange(1, n + 1) / (n + 1), lower=0.0, upper=1.0)
    degree = np.arange(1.0, n + 1)
    even = degree % 2 == 0
    integral = np.where(even, -1 / np.where(even, degree**2 - 1, 1.0), 0.0)
    groups = model.groups(n, lambda r: r**2, constant=integral)
    i, j = np.indices((n, n))
    groups[i].add(lambda a, k: np.cos(k * np.arccos(2 * a - 1)), x[j], degree[i], weight=1 / n)
