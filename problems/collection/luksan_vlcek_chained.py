"""Luksan-Vlcek problems 5.11-5.18: chained Hock-Schittkowski problems HS46-HS53.

Objective blocks of five variables overlap in steps of three (5.11-5.14) or four (5.15-5.18); constraints
come in cycles of two or three. ``LUKVLE*`` has equalities, ``LUKVLI*`` is CUTEst's variant with inequalities.
CUTEst advances the constraints by the cycle's length rather than the block's and is followed here.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

from ..model import Model, Variables
from ..registry import register
from .best_values import at_any_size
from .luksan_vlcek_sides import AT_LEAST, AT_MOST, EQUAL, PAPER, Side, cycle
from .sizes import check_size


def _interleaved_sides(sides: tuple[Side, ...], rows: int) -> dict[str, Any]:
    return {bound: cycle([side[bound] for side in sides], rows) for bound in ("lower", "upper")}


def _hs46(model: Model, n: int, *sides: Side) -> None:
    check_size("n", n, least=5, step=3)
    blocks = (n - 2) // 3
    x = model.variables(n, start=cycle([2.0, 1.5, 0.5], n))
    i, k = 3 * np.arange(blocks), 2 * np.arange(blocks)
    model.minimize(
        lambda a, b, c, d, e: (a - b) ** 2 + (c - 1) ** 2 + (d - 1) ** 4 + (e - 1) ** 6,
        x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4],
    )  # fmt: skip
    rows = model.constraints(2 * blocks, **_interleaved_sides(sides, 2 * blocks))
    rows[::2].add(lambda a, d, e: a**2 * d + np.sin(d - e) - 1, x[k], x[k + 3], x[k + 4])
    rows[1::2].add(lambda b, c, d: b + c**2 * d - 2, x[k + 1], x[k + 2], x[k + 3])


@register(classification="OOR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.11")
def lukvle11(model: Model, n: int = 9_998) -> None:
    """Chained HS46; c^2 d stands where the paper has c^4 d^2. n = 3 b + 2 for b blocks."""
    _hs46(model, n, EQUAL, EQUAL)


@register(classification="OOR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.11")
def lukvli11(model: Model, n: int = 9_998) -> None:
    """LUKVLE11 with inequalities."""
    _hs46(model, n, AT_MOST, AT_MOST)


def _hs47(model: Model, n: int, *sides: Side) -> None:
    check_size("n", n, least=5, step=4)
    blocks = (n - 1) // 4
    m = 3 * blocks
    x = model.variables(n, start=cycle([2.0, 1.5, -1.0, 0.5], n))
    i, k = 4 * np.arange(blocks), 3 * np.arange(blocks)
    model.minimize(
        lambda a, b, c, d, e: (a - b) ** 2 + (b - c) ** 2 + (c - d) ** 4 + (d - e) ** 4,
        x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4],
    )  # fmt: skip
    # CUTEst reuses the last index of an earlier loop: the product always takes the same variable.
    last = np.full(blocks, m + 1)
    rows = model.constraints(m, **_interleaved_sides(sides, m))
    rows[::3].add(lambda a, b, c: a + b**2 + c**2 - 3, x[k], x[k + 1], x[k + 2])
    rows[1::3].add(lambda b, c, d: b + c**2 + d - 1, x[k + 1], x[k + 2], x[k + 3])
    rows[2::3].add(lambda a, e: a * e - 1, x[k], x[last])


@register(classification="OQR2-AY-V-V", optimum=192911.789831, source=PAPER + "5.12")
def lukvle12(model: Model, n: int = 9_997) -> None:
    """Chained HS47. n = 4 b + 1 for b blocks."""
    _hs47(model, n, EQUAL, EQUAL, EQUAL)


@register(classification="OQR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.12")
def lukvli12(model: Model, n: int = 9_997) -> None:
    """LUKVLE12 with inequalities."""
    _hs47(model, n, AT_MOST, AT_MOST, AT_MOST)


def _hs48(model: Model, n: int, *sides: Side) -> None:
    check_size("n", n, least=5, step=3)
    blocks = (n - 2) // 3
    x = model.variables(n, start=cycle([3.0, 5.0, -3.0], n))
    i, k = 3 * np.arange(blocks), 2 * np.arange(blocks)
    model.minimize(
        lambda a, b, c, d, e: (a - 1) ** 2 + (b - c) ** 2 + (d - e) ** 4,
        x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4],
    )  # fmt: skip
    rows = model.constraints(2 * blocks, **_interleaved_sides(sides, 2 * blocks))
    rows[::2].add(
        lambda a, b, c, d, e: a + b**2 + c + d + 4 * e - 5, x[k], x[k + 1], x[k + 2], x[k + 3], x[k + 4]
    )
    rows[1::2].add(lambda c, d, e: c**2 - 2 * (d + e) - 3, x[k + 2], x[k + 3], x[k + 4])


@register(classification="OQR2-AY-V-V", optimum=91571.5712337, source=PAPER + "5.13")
def lukvle13(model: Model, n: int = 9_998) -> None:
    """Chained modified HS48. n = 3 b + 2 for b blocks."""
    _hs48(model, n, EQUAL, EQUAL)


@register(classification="OQR2-AY-V-V", optimum=132.185468827, source=PAPER + "5.13")
def lukvli13(model: Model, n: int = 9_998) -> None:
    """LUKVLE13 with inequalities."""
    _hs48(model, n, AT_MOST, AT_MOST)


def _hs49(model: Model, n: int, *sides: Side) -> None:
    check_size("n", n, least=5, step=3)
    blocks = (n - 2) // 3
    x = model.variables(n, start=cycle([10.0, 7.0, -3.0], n))
    i, k = 3 * np.arange(blocks), 2 * np.arange(blocks)
    model.minimize(
        lambda a, b, c, d, e: (a - b) ** 2 + (c - 1) ** 2 + (d - 1) ** 4 + (e - 1) ** 6,
        x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4],
    )  # fmt: skip
    # CUTEst reuses the last index of an earlier loop: the squared variable is always the same one.
    last = np.full(blocks, 2 * blocks)
    rows = model.constraints(2 * blocks, **_interleaved_sides(sides, 2 * blocks))
    rows[::2].add(lambda a, b, c, d: a**2 + b + c + 4 * d - 7, x[k], x[k + 1], x[k + 2], x[k + 3])
    rows[1::2].add(lambda c, e: c**2 - 5 * e - 6, x[last], x[k + 4])


@register(classification="OQR2-AY-V-V", optimum=106321.517108, source=PAPER + "5.14")
def lukvle14(model: Model, n: int = 9_998) -> None:
    """Chained modified HS49. n = 3 b + 2 for b blocks."""
    _hs49(model, n, EQUAL, EQUAL)


@register(classification="OQR2-AY-V-V", optimum=5194.44579320, source=PAPER + "5.14")
def lukvli14(model: Model, n: int = 9_998) -> None:
    """LUKVLE14 with inequalities."""
    _hs49(model, n, AT_LEAST, AT_LEAST)


def _hs50(model: Model, n: int, *sides: Side) -> None:
    check_size("n", n, least=5, step=4)
    blocks = (n - 1) // 4
    m = 3 * blocks
    x = model.variables(n, start=cycle([35.0, 11.0, 5.0, -5.0], n))
    i, k = 4 * np.arange(blocks), np.arange(m)
    model.minimize(
        lambda a, b, c, d, e: (a - b) ** 2 + (b - c) ** 2 + (c - d) ** 4 + (d - e) ** 4,
        x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4],
    )  # fmt: skip
    model.subject_to(
        lambda a, b, c: a**2 + 2 * b + 3 * c - 6,
        x[k], x[k + 1], x[k + 2],
        **_interleaved_sides(sides, m),
    )  # fmt: skip


@register(classification="OQR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.15")
def lukvle15(model: Model, n: int = 9_997) -> None:
    """Chained modified HS50. n = 4 b + 1 for b blocks."""
    _hs50(model, n, EQUAL, EQUAL, EQUAL)


@register(classification="OQR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.15")
def lukvli15(model: Model, n: int = 9_997) -> None:
    """LUKVLE15 with inequalities: two upper, one lower in each cycle."""
    _hs50(model, n, AT_MOST, AT_MOST, AT_LEAST)


def _quadratic_cycle(
    model: Model, n: int, start: list[float], objective: Callable[..., Any], rhs: float, side: Side
) -> None:
    """Build 5.16-5.18 around an objective block: they share the left-hand sides of the constraints."""
    check_size("n", n, least=5, step=4)
    blocks = (n - 1) // 4
    x: Variables = model.variables(n, start=cycle(start, n))
    i, k = 4 * np.arange(blocks), 3 * np.arange(blocks)
    model.minimize(objective, x[i], x[i + 1], x[i + 2], x[i + 3], x[i + 4])
    rows = model.constraints(3 * blocks, **side)
    rows[::3].add(lambda a, b: a**2 + 3 * b - rhs, x[k], x[k + 1])
    rows[1::3].add(lambda c, d, e: c**2 + d - 2 * e, x[k + 2], x[k + 3], x[k + 4])
    rows[2::3].add(lambda b, e: b**2 - e, x[k + 1], x[k + 4])


def _hs51(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    return (a - b) ** 4 + (b + c - 2) ** 2 + (d - 1) ** 2 + (e - 1) ** 2


def _hs52(a: Any, b: Any, c: Any, d: Any, e: Any) -> Any:
    return (4 * a - b) ** 2 + (b + c - 2) ** 4 + (d - 1) ** 2 + (e - 1) ** 2


@register(classification="OQR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.16")
def lukvle16(model: Model, n: int = 9_997) -> None:
    """Chained modified HS51. n = 4 b + 1 for b blocks."""
    _quadratic_cycle(model, n, [2.5, 0.5, 2.0, -1.0], _hs51, 4.0, EQUAL)


@register(classification="OQR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.16")
def lukvli16(model: Model, n: int = 9_997) -> None:
    """LUKVLE16 with inequalities."""
    _quadratic_cycle(model, n, [2.5, 0.5, 2.0, -1.0], _hs51, 4.0, AT_LEAST)


@register(classification="OQR2-AY-V-V", optimum=None, source=PAPER + "5.17")
def lukvle17(model: Model, n: int = 9_997) -> None:
    """Chained modified HS52. n = 4 b + 1 for b blocks."""
    _quadratic_cycle(model, n, [2.0], _hs52, 0.0, EQUAL)


@register(classification="OQR2-AY-V-V", optimum=780.508507831, source=PAPER + "5.17")
def lukvli17(model: Model, n: int = 9_997) -> None:
    """LUKVLE17 with inequalities."""
    _quadratic_cycle(model, n, [2.0], _hs52, 0.0, AT_LEAST)


@register(classification="OQR2-AY-V-V", optimum=None, source=PAPER + "5.18")
def lukvle18(model: Model, n: int = 9_997) -> None:
    """Chained modified HS53. n = 4 b + 1 for b blocks."""
    _quadratic_cycle(model, n, [2.0], _hs51, 0.0, EQUAL)


@register(classification="OQR2-AY-V-V", optimum=at_any_size(0.0), source=PAPER + "5.18")
def lukvli18(model: Model, n: int = 9_997) -> None:
    """LUKVLE18 with inequalities."""
    _quadratic_cycle(model, n, [2.0], _hs51, 0.0, AT_LEAST)
