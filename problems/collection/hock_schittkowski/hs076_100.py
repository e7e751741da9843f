"""Hock-Schittkowski problems 76 to 100 without 82, 85, 88 to 92 and 94."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from ...registry import register
from .parts import book, linear_rows, minimize_quadratic

if TYPE_CHECKING:
    from ...model import Model, Variables

# Colville's first problem (HS86) and its dual (HS117): min e'x + x'Cx + d'x^3 subject to Ax >= b.
COLVILLE_A = np.array(
    [
        [-16, 2, 0, 1, 0],
        [0, -2, 0, 4, 2],
        [-3.5, 0, 2, 0, 0],
        [0, -2, 0, -4, -1],
        [0, -9, -2, 1, -2.8],
        [2, 0, -4, 0, 0],
        [-1, -1, -1, -1, -1],
        [-1, -2, -3, -2, -1],
        [1, 2, 3, 4, 5],
        [1, 1, 1, 1, 1],
    ]
)
COLVILLE_B = np.array([-40, -2, -0.25, -4, -4, -1, -40, -60, 5, 1])
COLVILLE_C = np.array(
    [
        [30.0, -20, -10, 32, -10],
        [-20, 39, -6, -31, 32],
        [-10, -6, 10, -6, -10],
        [32, -31, -6, 39, -20],
        [-10, 32, -10, -20, 30],
    ]
)
COLVILLE_D = np.array([4.0, 8, 10, 6, 2])
COLVILLE_E = np.array([-15.0, -27, -36, -18, -12])


@register(classification="QLR2-AN-4-3", optimum=-103 / 22, source=book(76))
def hs76(model: Model) -> None:
    """A convex quadratic programme."""
    quadratic_programme(model, upper=np.inf)


def quadratic_programme(model: Model, upper: float) -> None:
    """HS76 with any upper bound."""
    x = model.variables(4, start=0.5, lower=0, upper=upper)
    model.minimize(
        lambda a, b, c, d: a**2 + 0.5 * b**2 + c**2 + 0.5 * d**2 - a * c + c * d - a - 3 * b + c - d,
        *x,
    )
    linear_rows(model, [[1, 2, 1, 1], [3, 1, 2, -1]], x, upper=0, constant=[5, 4])
    linear_rows(model, [[0, 1, 4, 0]], x, lower=0, constant=1.5)


@register(classification="OOR2-AY-5-2", optimum=0.241505128790179, source=book(77))
def hs77(model: Model) -> None:
    """Powers up to six on a transcendental surface."""
    x = model.variables(5, start=2)
    model.minimize(
        lambda a, b, c, d, e: (a - 1) ** 2 + (a - b) ** 2 + (c - 1) ** 2 + (d - 1) ** 4 + (e - 1) ** 6, *x
    )
    root = np.sqrt(2)
    model.subject_to(lambda a, d, e: a**2 * d + np.sin(d - e) - 2 * root, x[0], x[3], x[4], lower=0, upper=0)
    model.subject_to(lambda b, c, d: b + c**4 * d**2 - 8 - root, *x[1:4], lower=0, upper=0)


@register(classification="OOR2-AN-5-3", optimum=-2.91970040896368, source=book(78))
def hs78(model: Model) -> None:
    """A product of five variables under three polynomial equations."""
    x = model.variables(5, start=[-2, 1.5, 2, -1, -1])
    model.minimize(lambda a, b, c, d, e: a * b * c * d * e, *x)
    powell_constraints(model, x)


def powell_constraints(model: Model, x: Variables) -> None:
    """The equations of HS78, HS80 and HS81."""
    sphere = model.constraints((), lower=0, upper=0, constant=10)
    sphere.add(lambda a: a**2, x)
    model.subject_to(lambda b, c, d, e: b * c - 5 * d * e, *x[1:], lower=0, upper=0)
    model.subject_to(lambda a, b: a**3 + b**3 + 1, x[0], x[1], lower=0, upper=0)


@register(classification="OOR2-AY-5-3", optimum=0.0787768208710569, source=book(79))
def hs79(model: Model) -> None:
    """Powers of successive differences under three polynomial equations."""
    x = model.variables(5, start=2)
    model.minimize(
        lambda a, b, c, d, e: (a - 1) ** 2 + (a - b) ** 2 + (b - c) ** 2 + (c - d) ** 4 + (d - e) ** 4, *x
    )
    root = np.sqrt(2)
    model.subject_to(lambda a, b, c: a + b**2 + c**3 - 2 - 3 * root, *x[:3], lower=0, upper=0)
    model.subject_to(lambda b, c, d: b - c**2 + d + 2 - 2 * root, *x[1:4], lower=0, upper=0)
    model.subject_to(lambda a, e: a * e - 2, x[0], x[4], lower=0, upper=0)


@register(classification="OOR2-AN-5-3", optimum=0.053949847770272, source=book(80))
def hs80(model: Model) -> None:
    """Powell's exponential of a product."""
    bound = np.array([2.3, 2.3, 3.2, 3.2, 3.2])
    x = model.variables(5, start=[-2, 2, 2, -1, -1], lower=-bound, upper=bound)
    model.minimize(lambda a, b, c, d, e: np.exp(a * b * c * d * e), *x)
    powell_constraints(model, x)


@register(classification="OOR2-AN-5-3", optimum=0.053949847770272, source=book(81))
def hs81(model: Model) -> None:
    """Powell's exponential of a product less a term that vanishes at feasible points."""
    bound = np.array([2.3, 2.3, 3.2, 3.2, 3.2])
    x = model.variables(5, start=[-2, 2, 2, -1, -1], lower=-bound, upper=bound)
    model.minimize(lambda a, b, c, d, e: np.exp(a * b * c * d * e) - 0.5 * (a**3 + b**3 + 1) ** 2, *x)
    powell_constraints(model, x)


@register(classification="QQR2-AN-5-3", optimum=-30665.5386717833, source=book(83))
def hs83(model: Model) -> None:
    """Colville's third problem."""
    x = model.variables(5, start=[78, 33, 27, 27, 27], lower=[78, 33, 27, 27, 27], upper=[102, *[45] * 4])
    a, b, c, d, e = x
    model.minimize(lambda a, c, e: 5.3578547 * c**2 + 0.8356891 * a * e + 37.293239 * a - 40792.141, a, c, e)
    model.subject_to(
        lambda a, b, c, d, e: 85.334407 + 0.0056858 * b * e + 0.0006262 * a * d - 0.0022053 * c * e,
        *x,
        lower=0,
        upper=92,
    )
    model.subject_to(
        lambda a, b, c, e: 0.0071317 * b * e + 0.0029955 * a * b + 0.0021813 * c**2 - 9.48751,
        *(a, b, c, e),
        lower=0,
        upper=20,
    )
    model.subject_to(
        lambda a, c, d, e: c * (0.0047026 * e + 0.0012547 * a + 0.0019085 * d) - 10.699039,
        *(a, c, d, e),
        lower=0,
        upper=5,
    )


@register(classification="QQR2-AN-5-3", optimum=-5280335.13321476, source=book(84))
def hs84(model: Model) -> None:
    """Bilinear production planning with large coefficients."""
    x = model.variables(
        5, start=[2.52, 2, 37.5, 9.25, 6.8], lower=[0, 1.2, 20, 9, 6.5], upper=[1000, 2.4, 60, 9.3, 7]
    )
    linear = np.array([8720288.849, -145421.402, -155011.1084, -326669.5104])
    products = np.array(
        [
            [-150512.5253, 156.6950325, -476470.3222, -729482.8271],
            [2931.1506, -40.427932, 5106.192, 15711.36],
            [4360.53352, 12.9492344, 10236.884, 13176.786],
            [7390.68412, -27.8986976, 16643.076, 30988.146],
        ]
    )
    model.minimize_constant(24345)
    model.minimize_linear(linear[0], x[0])
    model.minimize(lambda a, b: a * b, x[0], x[1:], weight=products[0])
    rows = model.constraints(3, lower=0, upper=[294000, 294000, 277200])
    rows.add_linear(linear[1:], x[0])
    rows[:, None].add(lambda a, b: a * b, x[0], x[1:], weight=products[1:])


@register(classification="OLR2-AN-5-10", optimum=-32.3486789657222, source=book(86))
def hs86(model: Model) -> None:
    """Colville's first problem."""
    x = model.variables(5, start=[0, 0, 0, 0, 1], lower=0)
    model.minimize_linear(COLVILLE_E, x)
    minimize_quadratic(model, COLVILLE_C, x)
    model.minimize(lambda a: a**3, x, weight=COLVILLE_D)
    linear_rows(model, COLVILLE_A, x, lower=0, constant=COLVILLE_B)


@register(classification="OOI2-MN-6-4", optimum=8926.05271455, source=book(87))
def hs87(model: Model) -> None:
    """Electrical network whose costs jump where a price rises; the infimum is a limit as x2 rises to 100."""
    x = model.variables(
        6,
        start=[107.8119, 196.3186, 373.8307, 420, 21.30713, 0.153292],
        lower=[0, 0, 340, 340, -1000, 0],
        upper=[400, 1000, 420, 420, 10000, 0.5236],
    )
    model.minimize(lambda a: np.where(a < 300, 30 * a, 31 * a), x[0])
    model.minimize(lambda a: np.where(a < 100, 28 * a, np.where(a < 200, 29 * a, 30 * a)), x[1])
    impedance, phase = 131.078, 1.48577
    loss = 0.90798 / impedance * np.array([np.cos(1.47588), np.sin(1.47588)])
    rows = model.constraints(4, lower=0, upper=0, constant=[-300, 0, 0, -200])
    rows[:3].add_linear(-1, x[[0, 1, 4]])
    rows.add(lambda v: v**2, x[[2, 3, 3, 2]], weight=loss[[0, 0, 1, 1]])
    rows[:2].add(
        lambda v, w, t, s: -v * w * np.cos(t + s) / impedance, *x[2:4], x[5], np.array([-phase, phase])
    )
    rows[2:].add(
        lambda v, w, t, s: -v * w * np.sin(s * t + phase) / impedance, *x[2:4], x[5], np.array([1.0, -1.0])
    )


@register(classification="OOR2-MY-6-2", optimum=135.07596282915, source=book(93))
def hs93(model: Model) -> None:
    """Transformer design."""
    x = model.variables(6, start=[5.54, 4.4, 12.02, 11.82, 0.702, 0.852], lower=0)

    def core(a: Any, b: Any, c: Any, d: Any) -> Any:
        return a * d * (a + b + c)

    def winding(a: Any, b: Any, c: Any, d: Any) -> Any:
        return b * c * (a + 1.57 * b + d)

    model.minimize(
        lambda *x: (
            core(*x[:4]) * (0.0204 + 0.0607 * x[4] ** 2) + winding(*x[:4]) * (0.0187 + 0.0437 * x[5] ** 2)
        ),
        *x,
    )
    model.subject_to(lambda a, b, c, d, e, f: 0.001 * a * b * c * d * e * f - 2.07, *x, lower=0)
    model.subject_to(
        lambda *x: 6.2e-4 * core(*x[:4]) * x[4] ** 2 + 5.8e-4 * winding(*x[:4]) * x[5] ** 2 - 1, *x, upper=0
    )


@register(classification="LQR2-AN-6-4", optimum=0.015619525243, source=book(95))
def hs95(model: Model) -> None:
    """Linear costs under bilinear process constraints."""
    process(model, [4.97, -1.88, -29.08, -78.02])


@register(classification="LQR2-AN-6-4", optimum=0.015619525243, source=book(96))
def hs96(model: Model) -> None:
    """HS95 with looser requirements."""
    process(model, [4.97, -1.88, -69.08, -118.02])


@register(classification="LQR2-AN-6-4", optimum=3.1358091228078, source=book(97))
def hs97(model: Model) -> None:
    """HS95 with higher requirements."""
    process(model, [32.97, 25.12, -29.08, -78.02])


@register(classification="LQR2-AN-6-4", optimum=3.1358091228078, source=book(98))
def hs98(model: Model) -> None:
    """HS95 with higher and looser requirements."""
    process(model, [32.97, 25.12, -124.08, -173.02])


def process(model: Model, requirement: ArrayLike) -> None:
    """HS95 to HS98, which differ in their right-hand sides."""
    x = model.variables(6, start=0, lower=0, upper=[0.31, 0.046, 0.068, 0.042, 0.028, 0.0134])
    model.minimize_linear([4.3, 31.8, 63.3, 15.8, 68.5, 4.7], x)
    matrix = [
        [17.1, 38.2, 204.2, 212.3, 623.4, 1495.5],
        [17.9, 36.8, 113.9, 169.7, 337.8, 1385.2],
        [0.0, -273, 0, -70, -819, 0],
        [159.9, -311.0, 0, 587, 391, 2198],
    ]
    rows = linear_rows(model, matrix, x, lower=0, constant=requirement)
    products = [(0, 0, 2, -169), (0, 2, 4, -3580), (0, 3, 4, -3810), (0, 3, 5, -18500), (0, 4, 5, -24300)]
    products += [(1, 0, 2, -139), (1, 3, 4, -2450), (1, 3, 5, -16600), (1, 4, 5, -17200)]
    products += [(2, 3, 4, 26000), (3, 0, 5, -14000)]
    row, i, j, weight = np.array(products).T
    rows[row].add(lambda a, b: a * b, x[i], x[j], weight=weight)


@register(classification="OOR2-AN-7-2", optimum=-831079891.510108, source=book(99))
def hs99(model: Model) -> None:
    """Longest flight of a rocket to a height and a speed, with a constant angle in each of seven stages."""
    x = model.variables(7, start=0.5, lower=0, upper=1.58)
    time = np.array([0.0, 25, 50, 100, 150, 200, 290, 380])
    thrust, gravity = np.array([50.0, 50, 75, 75, 75, 100, 100]), 32.0
    step = np.diff(time)
    arm = step * (step / 2 + time[-1] - time[1:])  # what a stage's acceleration adds to the last height
    flight = model.groups((), lambda r: -(r**2))
    flight.add(lambda t: np.cos(t), x, weight=thrust * step)
    weights = np.array([arm, step])
    rows = model.constraints(2, lower=0, upper=0, constant=[1e5, 1e3] + gravity * weights.sum(axis=1))
    rows[:, None].add(lambda t: np.sin(t), x, weight=thrust * weights)


@register(classification="OOR2-AN-7-4", optimum=680.630057374402, source=book(100))
def hs100(model: Model) -> None:
    """A polynomial of degree six under four polynomial inequalities."""
    x = model.variables(7, start=[1, 2, 0, 4, 0, 1, 1])
    hs100_objective(model, x)
    hs100_first(model, x, lower=0)
    hs100_middle(model, x)
    hs100_last(model, x, lower=0)


def hs100_objective(model: Model, x: Variables) -> None:
    """The objective of HS100 and its variants."""
    model.minimize(
        lambda a, b, c, d, e, f, g: (
            (a - 10) ** 2
            + 5 * (b - 12) ** 2
            + c**4
            + 3 * (d - 11) ** 2
            + 10 * e**6
            + 7 * f**2
            + g**4
            - 4 * f * g
            - 10 * f
            - 8 * g
        ),
        *x,
    )


def hs100_first(model: Model, x: Variables, **bounds: float) -> None:
    """First constraint of HS100."""
    model.subject_to(lambda a, b, c, d, e: 127 - 2 * a**2 - 3 * b**4 - c - 4 * d**2 - 5 * e, *x[:5], **bounds)


def hs100_middle(model: Model, x: Variables) -> None:
    """Second and third constraints of HS100."""
    model.subject_to(lambda a, b, c, d, e: 282 - 7 * a - 3 * b - 10 * c**2 - d + e, *x[:5], lower=0)
    model.subject_to(lambda a, b, f, g: 196 - 23 * a - b**2 - 6 * f**2 + 8 * g, *x[:2], *x[5:], lower=0)


def hs100_last(
    model: Model, x: Variables, matrix: ArrayLike = (0, 0, 0, 0, 0, -5, 11), **bounds: float
) -> None:
    """Last constraint of HS100."""
    row = linear_rows(model, np.atleast_2d(matrix), x, **bounds)
    row[0].add(lambda a, b, c: 3 * a * b - 4 * a**2 - b**2 - 2 * c**2, *x[:3])
