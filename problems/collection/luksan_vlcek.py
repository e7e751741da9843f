"""Luksan-Vlcek problems 5.1-5.10: chained classics under banded constraints, n = 10,000 by default.

``LUKVLE*`` has equalities; ``LUKVLI*`` is CUTEst's variant with inequalities. Both share one builder here:
``_problem<k>(model, n, ...)``. Indices in the comments count from 1, as in the paper. Where CUTEst departs
from the paper (name clashes in its files, changed exponents) its form is kept, so that values and published
results compare; each case is noted.
"""

import numpy as np

from ..model import Model, Rows, Variables
from ..registry import register
from .best_values import at_any_size
from .luksan_vlcek_sides import AT_LEAST, AT_MOST, EQUAL, PAPER, Side, cycle
from .sizes import check_size


def _rosenbrock(model: Model, n: int, side: Side) -> None:
    check_size("n", n, least=3)
    x = model.variables(n, start=cycle([-1.2, 1.0], n))
    i, k = np.arange(n - 1), np.arange(n - 2)
    model.minimize(lambda a, b: 100 * (a**2 - b) ** 2 + (a - 1) ** 2, x[i], x[i + 1])
    model.subject_to(
        lambda a, b, c: 3 * b**3 + 2 * c - 8 + np.sin(b - c) * np.sin(b + c) + 4 * b - a * np.exp(a - b),
        x[k], x[k + 1], x[k + 2],
        **side,
    )  # fmt: skip


@register(classification="OOR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.1")
def lukvle1(model: Model, n: int = 10_000) -> None:
    """Chained Rosenbrock function, trigonometric-exponential constraints."""
    _rosenbrock(model, n, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.1")
def lukvli1(model: Model, n: int = 10_000) -> None:
    """LUKVLE1 with inequalities."""
    _rosenbrock(model, n, AT_MOST)


def _add_broyden_band(rows: Rows, x: Variables, k: np.ndarray) -> None:
    """Add 5 x_k^3 + 2 x_k + 1 + sum of x_i (1 + x_i), k - 5 <= i <= k + 1 within x, to the row of each k."""
    rows.add(lambda v: 5 * v**3 + 2 * v + 1, x[k])
    row = np.arange(len(k))[:, None] + np.zeros(7, dtype=int)
    band = k[:, None] + np.arange(-5, 2)
    inside = (band >= 0) & (band < len(x))
    rows[row[inside]].add(lambda v: v * (1 + v), x[band[inside]])


def _wood(model: Model, n: int, side: Side) -> None:
    check_size("n", n, least=8, step=2)
    x = model.variables(n, start=cycle([-2.0, 1.0], n))
    i = np.arange(n // 2 - 1)
    a, b, c, d = x[2 * i], x[2 * i + 1], x[2 * i + 2], x[2 * i + 3]
    model.minimize(lambda a, b: 100 * (a**2 - b) ** 2 + (a - 1) ** 2 + 0.1 * (b - a) ** 2, a, b)
    model.minimize(lambda b, c, d: (c + 1) ** 2 + 10 * (b + d - 2) ** 2, b, c, d)
    # CUTEst names the groups 90 (c^2 - d)^2 and the constraints alike: constraint k falls into group k.
    groups = model.groups(len(i), lambda r: 90 * r**2)
    groups.add(lambda c, d: c**2 - d, c, d)
    inside, k = np.arange(5, len(i)), np.arange(max(5, len(i)), n - 2)
    _add_broyden_band(groups[inside], x, inside)
    _add_broyden_band(model.constraints(len(k), **side), x, k)


@register(classification="OOR2-AY-V-V", optimum=262260.636303, source=PAPER + "5.2")
def lukvle2(model: Model, n: int = 10_000) -> None:
    """Chained Wood function, Broyden banded constraints."""
    _wood(model, n, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=240153.298392, source=PAPER + "5.2")
def lukvli2(model: Model, n: int = 10_000) -> None:
    """LUKVLE2 with inequalities."""
    _wood(model, n, AT_MOST)


def _powell(model: Model, n: int, first: Side, second: Side) -> None:
    check_size("n", n, least=4, step=2)
    x = model.variables(n, start=cycle([3.0, -1.0, 0.0, 1.0], n))
    i = 2 * np.arange(n // 2 - 1)
    model.minimize(
        lambda a, b, c, d: (a + 10 * b) ** 2 + 5 * (c - d) ** 2 + (b - 2 * c) ** 4 + 10 * (a - d) ** 4,
        x[i], x[i + 1], x[i + 2], x[i + 3],
    )  # fmt: skip
    model.subject_to(lambda a, b: 3 * a**3 + 2 * b - 5 + np.sin(a - b) * np.sin(a + b), x[0], x[1], **first)
    model.subject_to(lambda a, b: 4 * a - a * np.exp(a - b) - 3, x[n - 2], x[n - 1], **second)


@register(classification="OOR2-AY-V-V", optimum=27.5865837567, source=PAPER + "5.3")
def lukvle3(model: Model, n: int = 10_000) -> None:
    """Chained Powell singular function, two trigonometric-exponential constraints."""
    _powell(model, n, EQUAL, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=11.5775416389, source=PAPER + "5.3")
def lukvli3(model: Model, n: int = 10_000) -> None:
    """LUKVLE3 with inequalities."""
    _powell(model, n, AT_LEAST, AT_MOST)


def _cragg_levy(model: Model, n: int, side: Side, *, clash: bool) -> None:
    check_size("n", n, least=4, step=2)
    x = model.variables(n, start=cycle([1.0, 2.0, 2.0, 2.0], n))
    i = np.arange(n // 2 - 1)
    a, b, c, d = x[2 * i], x[2 * i + 1], x[2 * i + 2], x[2 * i + 3]
    model.minimize(lambda a, b: (np.exp(a) - b) ** 4 + a**8, a, b)
    model.minimize(lambda b, c: 100 * (b - c) ** 6, b, c)
    model.minimize(lambda d: (d - 1) ** 2, d)
    groups = model.groups(len(i), lambda r: r**4)
    groups.add(lambda c, d: np.tan(c - d) + c - d, c, d)

    def add(rows: Rows, k: np.ndarray) -> None:
        tridiagonal = lambda u, v, w: 8 * v * (v**2 - u) - 2 * (1 - v) + 4 * (v - w**2)  # noqa: E731
        rows.add(tridiagonal, x[k], x[k + 1], x[k + 2])

    k = np.arange(n - 2)
    if clash:
        add(groups, k[: len(i)])
        k = k[len(i) :]
    add(model.constraints(len(k), **side), k)


@register(classification="OOR2-AY-V-V", optimum=33872.5486748, source=PAPER + "5.4")
def lukvle4(model: Model, n: int = 10_000) -> None:
    """Chained Cragg-Levy function, tridiagonal constraints.

    As decoded by CUTEst, where the first n/2 - 1 constraints share names with, and fall into, the groups
    (tan(c - d) + c - d)^4. LUKVLE4C is the problem of the paper.
    """
    _cragg_levy(model, n, EQUAL, clash=True)


@register(classification="OOR2-AY-V-V", optimum=48554.9108536, source=PAPER + "5.4")
def lukvle4c(model: Model, n: int = 10_000) -> None:
    """Chained Cragg-Levy function, tridiagonal constraints, as in the paper."""
    _cragg_levy(model, n, EQUAL, clash=False)


@register(classification="OOR2-AY-V-V", optimum=33872.5486748, source=PAPER + "5.4")
def lukvli4(model: Model, n: int = 10_000) -> None:
    """LUKVLE4 under another name: CUTEst's file meant inequalities and has equalities."""
    _cragg_levy(model, n, EQUAL, clash=True)


@register(classification="OOR2-AY-V-V", optimum=4306.21873829, source=PAPER + "5.4")
def lukvli4c(model: Model, n: int = 10_000) -> None:
    """LUKVLE4C with inequalities."""
    _cragg_levy(model, n, AT_MOST, clash=False)


def _broyden_tridiagonal(model: Model, n: int, side: Side) -> None:
    check_size("n", n, least=5)
    # x_0 = x_{n+1} = 0 are fixed variables.
    ends = np.r_[0.0, np.full(n, -np.inf), 0.0]
    x = model.variables(n + 2, start=np.r_[0.0, np.full(n, -1.0), 0.0], lower=ends, upper=-ends)
    i, k = np.arange(1, n + 1), np.arange(1, n - 3)
    model.minimize(lambda a, b, c: abs((3 - 2 * b) * b - a - c + 1) ** (7 / 3), x[i - 1], x[i], x[i + 1])
    model.subject_to(
        lambda a, b, c, d, e: 8 * c * (c**2 - b) - 2 * (1 - c) + 4 * (c - d**2) + b**2 - a + d - e**2,
        x[k], x[k + 1], x[k + 2], x[k + 3], x[k + 4],
        **side,
    )  # fmt: skip


@register(classification="OOR2-AY-V-V", optimum=2.63928370306, source=PAPER + "5.5")
def lukvle5(model: Model, n: int = 10_000) -> None:
    """Generalised Broyden tridiagonal function, five-diagonal constraints; n + 2 variables, two fixed."""
    _broyden_tridiagonal(model, n, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=0.372311061763, source=PAPER + "5.5")
def lukvli5(model: Model, n: int = 10_000) -> None:
    """LUKVLE5 with inequalities."""
    _broyden_tridiagonal(model, n, AT_LEAST)


def _broyden_banded(model: Model, n: int, side: Side) -> None:
    check_size("n", n, least=3, step=2)
    x = model.variables(n, start=3.0)
    groups = model.groups(n, lambda r: abs(r) ** (7 / 3))
    _add_broyden_band(groups, x, np.arange(n))
    k = 2 * np.arange((n - 1) // 2)
    model.subject_to(
        lambda a, b, c: 4 * b - (a - c) * np.exp(a - b - c) - 3, x[k], x[k + 1], x[k + 2], **side
    )


@register(classification="OOR2-AY-V-V", optimum=628644.175008, source=PAPER + "5.6")
def lukvle6(model: Model, n: int = 9_999) -> None:
    """Generalised Broyden banded function, exponential constraints; n is odd."""
    _broyden_banded(model, n, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=628644.175008, source=PAPER + "5.6")
def lukvli6(model: Model, n: int = 9_999) -> None:
    """LUKVLE6 with inequalities."""
    _broyden_banded(model, n, AT_LEAST)


def _trigonometric(model: Model, n: int, side: Side) -> None:
    check_size("n", n, least=4)
    x = model.variables(n, start=1.0)
    i = np.arange(1.0, n + 1)
    model.minimize(lambda a, i: i * (1 - np.cos(a)), x, i)
    model.minimize(lambda a, i: i * np.sin(a), x[:-1], i[1:])
    model.minimize(lambda a, i: -i * np.sin(a), x[1:], i[:-1])
    model.subject_to(lambda a, b, c: 4 * (a - b**2) + b - c**2, x[0], x[1], x[2], **side)
    model.subject_to(
        lambda a, b, c, d: 8 * b * (b**2 - a) - 2 * (1 - b) + 4 * (b - c**2) + c - d**2,
        x[0], x[1], x[2], x[3],
        **side,
    )  # fmt: skip
    model.subject_to(
        lambda a, b, c, d: 8 * c * (c**2 - b) - 2 * (1 - c) + 4 * (c - d**2) + b**2 - a,
        x[n - 4], x[n - 3], x[n - 2], x[n - 1],
        **side,
    )  # fmt: skip
    model.subject_to(
        lambda b, c, d: 8 * d * (d**2 - c) + 2 * d + c**2 - b, x[n - 3], x[n - 2], x[n - 1], **side
    )


@register(classification="OOR2-AY-V-V", optimum=-2165.07109300, source=PAPER + "5.7")
def lukvle7(model: Model, n: int = 10_000) -> None:
    """Trigonometric tridiagonal function, four five-diagonal constraints."""
    _trigonometric(model, n, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=-2168.40423331, source=PAPER + "5.7")
def lukvli7(model: Model, n: int = 10_000) -> None:
    """LUKVLE7 with inequalities."""
    _trigonometric(model, n, AT_MOST)


def _augmented_lagrangian(model: Model, n: int, side: Side) -> None:
    check_size("n", n, least=5)
    x = model.variables(n, start=cycle([-1.0, 2.0], n))
    i = 5 * np.arange(n // 5)
    y1, y2, y3 = -0.002008, -0.0019, -0.000261
    a, b, c, d, e = x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4]
    model.minimize(lambda a, b, c, d, e: np.exp(a * b * c * d * e), a, b, c, d, e)
    model.minimize(
        lambda a, b, c, d, e: 10 * (a**2 + b**2 + c**2 + d**2 + e**2 - 10 - y1) ** 2, a, b, c, d, e
    )
    model.minimize(lambda b, c, d, e: 10 * (b * c - 5 * d * e - y2) ** 2, b, c, d, e)
    model.minimize(lambda a, b: 10 * (a**3 + b**3 + 1 - y3) ** 2, a, b)
    k, h = np.arange(n - 2), 1 / (n + 1)
    model.subject_to(
        lambda a, b, c, t: 2 * b + h**2 / 2 * (b + t + 1) ** 2 - a - c,
        x[k], x[k + 1], x[k + 2], h * (k + 2),
        **side,
    )  # fmt: skip


@register(classification="OOR2-AY-V-V", optimum=826074.078085, source=PAPER + "5.8")
def lukvle8(model: Model, n: int = 10_000) -> None:
    """Augmented Lagrangian of HS80, discrete boundary value constraints (squared where the paper cubes)."""
    _augmented_lagrangian(model, n, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=825988.440476, source=PAPER + "5.8")
def lukvli8(model: Model, n: int = 10_000) -> None:
    """LUKVLE8 with inequalities."""
    _augmented_lagrangian(model, n, AT_MOST)


def _brown(model: Model, n: int, side: Side) -> None:
    check_size("n", n, least=6, step=2)
    x = model.variables(n, start=-1.0)
    i = 2 * np.arange(n // 2)
    model.minimize(lambda a, b: a**2 / 1000 - (a - b) + np.exp(20 * (a - b)), x[i], x[i + 1])
    model.subject_to(lambda a, b, c, d: 4 * (a - b**2) + b - c**2 + c - d**2, *x[:4], **side)
    model.subject_to(
        lambda a, b, c, d, e: 8 * b * (b**2 - a) - 2 * (1 - b) + 4 * (b - c**2)
        + a**2 + c - d**2 + d - e**2,
        *x[:5],
        **side,
    )  # fmt: skip
    model.subject_to(
        lambda a, b, c, d, e, f: 8 * c * (c**2 - b) - 2 * (1 - c) + 4 * (c - d**2)
        + b**2 - a + d - e**2 + a**2 + e - f**2,
        *x[:6],
        **side,
    )  # fmt: skip
    model.subject_to(
        lambda a, b, c, d, e, f: 8 * d * (d**2 - c) - 2 * (1 - d) + 4 * (d - e**2)
        + c**2 - b + e - f**2 + b**2 + f - a,
        *x[n - 6 :],
        **side,
    )  # fmt: skip
    model.subject_to(
        lambda b, c, d, e, f: 8 * e * (e**2 - d) - 2 * (1 - e) + 4 * (e - f**2)
        + d**2 - c + f + c**2 - b,
        *x[n - 5 :],
        **side,
    )  # fmt: skip
    model.subject_to(lambda c, d, e, f: 8 * f * (f**2 - e) + 2 * f + e**2 - d + d**2 - c, *x[n - 4 :], **side)


@register(classification="OOR2-AY-V-V", optimum=1000.15835003, source=PAPER + "5.9")
def lukvle9(model: Model, n: int = 10_000) -> None:
    """Modified Brown function, six seven-diagonal constraints."""
    _brown(model, n, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=998.933076073, source=PAPER + "5.9")
def lukvli9(model: Model, n: int = 10_000) -> None:
    """LUKVLE9 with inequalities."""
    _brown(model, n, AT_MOST)


def _generalised_brown(model: Model, n: int, side: Side) -> None:
    check_size("n", n, least=3)
    x = model.variables(n, start=cycle([-1.0, 1.0], n))
    i, k = 2 * np.arange(n // 2), np.arange(n - 2)
    model.minimize(lambda a, b: (a**2) ** (b**2 + 1) + (b**2) ** (a**2 + 1), x[i], x[i + 1])
    model.subject_to(lambda a, b, c: (3 - 2 * b) * b + 1 - a - 2 * c, x[k], x[k + 1], x[k + 2], **side)


@register(classification="OQR2-AY-V-V", optimum=3535.10297025, source=PAPER + "5.10")
def lukvle10(model: Model, n: int = 10_000) -> None:
    """Generalised Brown function, Broyden tridiagonal constraints."""
    _generalised_brown(model, n, EQUAL)


@register(classification="OQR2-AY-V-V", optimum=3535.10297025, source=PAPER + "5.10")
def lukvli10(model: Model, n: int = 10_000) -> None:
    """LUKVLE10 with inequalities."""
    _generalised_brown(model, n, AT_MOST)
