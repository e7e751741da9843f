"""CUTEst's variants of Hock-Schittkowski problems: equations, other bounds and starts, explicit states."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from ...registry import register
from .hs026_050 import beale, bilinear_programme
from .hs076_100 import hs100_first, hs100_last, hs100_middle, hs100_objective, quadratic_programme
from .parts import linear_rows, minimize_quadratic

if TYPE_CHECKING:
    from ...model import Model


def variant(number: int) -> str:
    """Source of a variant of problem ``number``."""
    return f"CUTEst, after Hock & Schittkowski (1981), problem {number}"


@register(classification="NOR2-AN-2-2", optimum=0.0, source=variant(1))
def hs1ne(model: Model) -> None:
    """The residuals of Rosenbrock's valley as equations."""
    rosenbrock_equations(model, least=-1.5)


@register(classification="NOR2-AN-2-2", optimum=None, source=variant(2))
def hs2ne(model: Model) -> None:
    """The residuals of Rosenbrock's valley as equations; the bound makes them infeasible."""
    rosenbrock_equations(model, least=1.5)


def rosenbrock_equations(model: Model, least: float) -> None:
    """HS1NE and HS2NE."""
    x = model.variables(2, start=[-2, 1], lower=[-np.inf, least])
    model.subject_to(lambda a, b: 10 * (b - a**2), *x, lower=0, upper=0)
    linear_rows(model, [[1, 0]], x, lower=0, upper=0, constant=1)


@register(classification="QBR2-AN-2-0", optimum=0.0, source=variant(3))
def hs3mod(model: Model) -> None:
    """HS3, better scaled."""
    x = model.variables(2, start=[10, 1], lower=[-np.inf, 0])
    model.minimize(lambda a, b: b + (b - a) ** 2, *x)


@register(classification="SLR2-AN-7-1", optimum=-95.96, source=variant(21))
def hs21mod(model: Model) -> None:
    """HS21 with a variable for each kind of bound."""
    x = model.variables(
        7,
        start=[-1, -1, 0, 0, 0, 0, 0],
        lower=[2, -50, -np.inf, 2, -np.inf, -np.inf, 0],
        upper=[50, 50, 50, np.inf, np.inf, 0, np.inf],
    )
    model.minimize(lambda a: a**2, x, weight=[0.01, 1, 0.01, 1, 0.01, 0.01, 1])
    model.minimize_constant(-100)
    linear_rows(model, [[10, -1]], x[:2], lower=0, constant=10)


@register(classification="NOR2-AN-3-99", optimum=0.0, source=variant(25))
def hs25ne(model: Model) -> None:
    """The residuals of HS25 as equations."""
    x = model.variables(3, start=[100, 12.5, 3], lower=[0.1, 0, 0], upper=[100, 25.6, 5])
    t = np.arange(1, 100) / 100
    u = 25 + (-50 * np.log(t)) ** (2 / 3)
    model.subject_to(lambda a, b, c, u, t: np.exp(-((u - b) ** c) / a) - t, *x, u, t, lower=0, upper=0)


@register(classification="QLR2-AN-3-1", optimum=1 / 9, source=variant(35))
def hs35i(model: Model) -> None:
    """HS35 with upper bounds."""
    beale(model, lower=0, upper=5)


@register(classification="QLR2-AN-3-1", optimum=0.25, source=variant(35))
def hs35mod(model: Model) -> None:
    """HS35 with its second variable fixed."""
    beale(model, lower=[0, 0.5, 0], upper=[np.inf, 0.5, np.inf])


@register(classification="QLR2-AN-4-6", optimum=-15.0, source=variant(44))
def hs44new(model: Model) -> None:
    """HS44 from another start."""
    bilinear_programme(model, start=1.0)


@register(classification="QLR2-AN-4-3", optimum=-103 / 22, source=variant(76))
def hs76i(model: Model) -> None:
    """HS76 with upper bounds."""
    quadratic_programme(model, upper=5.0)


@register(classification="OOR2-AN-31-21", optimum=-(1122500.0**2), source=variant(99))
def hs99exp(model: Model) -> None:
    """HS99 with the states of each stage as variables, without gravity in the last.

    CUTEst's file overwrites the length of a step by half its square (both are called DT); so does this.
    """
    time = np.array([0.0, 25, 50, 100, 150, 200, 290, 380])
    thrust, gravity = np.array([50.0, 50, 75, 75, 75, 100, 100]), 32.0
    step = np.diff(time) ** 2 / 2
    start, lower, upper = np.zeros(31), np.full(31, -np.inf), np.full(31, np.inf)
    start[:28:4], lower[:28:4], upper[:28:4] = 0.5, 0, 1.58
    lower[1:4] = upper[1:4] = 0  # at rest at the origin
    z = model.variables(31, start=start, lower=lower, upper=upper)
    angle, distance, height, speed = z[:28:4], *(z[[*range(k, 28, 4), 27 + k]] for k in (1, 2, 3))
    model.minimize(lambda r: -(r**2), distance[-1])
    fall = gravity * np.array([np.zeros(7), step, step]).T
    fall[-1] = [0, 1e5, 1e3]
    rows = model.constraints((7, 3), lower=0, upper=0, constant=fall)
    for k, state in enumerate((distance, height, speed)):
        rows[:, k].add_linear(1, state[:-1])
        rows[:, k].add_linear(-1, state[1:])
    rows[:, 1].add_linear(step, speed[:-1])
    rows[:, 0].add(lambda t: np.cos(t), angle, weight=thrust * step)
    rows[:, 1:].add(lambda t: np.sin(t), angle[:, None], weight=(thrust * step)[:, None])


@register(classification="OOR2-AN-7-2", optimum=680.630057374402, source=variant(100))
def hs100lnp(model: Model) -> None:
    """HS100 with the two constraints that are active as equations, without the others."""
    x = model.variables(7, start=[1, 2, 0, 4, 0, 1, 1])
    hs100_objective(model, x)
    hs100_first(model, x, lower=0, upper=0)
    hs100_last(model, x, lower=0, upper=0)


@register(classification="OOR2-AN-7-4", optimum=678.679637889069, source=variant(100))
def hs100mod(model: Model) -> None:
    """HS100 with another linear part in its last constraint."""
    x = model.variables(7, start=[1, 2, 0, 4, 0, 1, 1])
    hs100_objective(model, x)
    hs100_first(model, x, lower=0)
    hs100_middle(model, x)
    hs100_last(model, x, matrix=[0, 0, 0, 587, 391, 2193, 11], lower=0)


@register(classification="QLR2-AN-5-5", optimum=0.0, source="Schittkowski (1987), problem 268")
def hs268(model: Model) -> None:
    """A convex quadratic programme whose minimum cancels many digits."""
    x = model.variables(5, start=1)
    matrix = [
        [10197, -12454, -1013, 1948, 329],
        [-12454, 20909, -1733, -4914, -186],
        [-1013, -1733, 1755, 1089, -174],
        [1948, -4914, 1089, 1515, -22],
        [329, -186, -174, -22, 27],
    ]
    minimize_quadratic(model, matrix, x)
    model.minimize_linear(-2 * np.array([-9170, 17099, -2271, -4336, -43]), x)
    model.minimize_constant(14463)
    rows = [
        [-1, -1, -1, -1, -1],
        [10, 10, -3, 5, 4],
        [-8, 1, -2, -5, 3],
        [8, -1, 2, 5, -3],
        [-4, -2, 3, -5, 1],
    ]
    linear_rows(model, rows, x, lower=0, constant=[-5, 20, -40, 11, -30])


@register(classification="QLR2-AN-5-5", optimum=0.0, source="Schittkowski (1987), problem 268")
def s268(model: Model) -> None:
    """HS268 under its second name in CUTEst."""
    hs268(model)
