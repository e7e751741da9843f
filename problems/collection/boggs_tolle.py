"""Boggs-Tolle problems BT1-BT13: small equality-constrained problems with known traps.

The forms are those of CUTEst, which corrected several misprints of the paper (noted problem by problem).
"""

import numpy as np

from ..model import Model
from ..registry import register

PAPER = "Boggs & Tolle (1989), SIAM J. Numer. Anal. 26(3), 600-623, problem "


@register(classification="QQR2-AN-2-1", optimum=-1.0, source=PAPER + "1")
def bt1(model: Model) -> None:
    """Linear function plus a multiple of the constraint, on the unit circle."""
    x1, x2 = model.variables(2, start=[0.08, 0.06])
    model.minimize(lambda a, b: 100 * a**2 + 100 * b**2 - a - 100, x1, x2)
    model.subject_to(lambda a, b: a**2 + b**2 - 1, x1, x2, lower=0, upper=0)


@register(classification="QQR2-AY-3-1", optimum=0.0325682003, source=PAPER + "2")
def bt2(model: Model) -> None:
    """Quartic objective under one quartic constraint."""
    x1, x2, x3 = model.variables(3, start=10.0)
    model.minimize(lambda a, b, c: (a - 1) ** 2 + (a - b) ** 2 + (b - c) ** 4, x1, x2, x3)
    model.subject_to(lambda a, b, c: a * (1 + b**2) + c**4 - 8.2426407, x1, x2, x3, lower=0, upper=0)


@register(classification="SLR2-AY-5-3", optimum=176 / 43, source=PAPER + "3")
def bt3(model: Model) -> None:
    """Convex quadratic under three linear constraints."""
    x1, x2, x3, x4, x5 = model.variables(5, start=20.0)
    model.minimize(lambda a, b, c: (a - b) ** 2 + (b + c - 2) ** 2, x1, x2, x3)
    model.minimize(lambda d, e: (d - 1) ** 2 + (e - 1) ** 2, x4, x5)
    model.subject_to(lambda a, b: a + 3 * b, x1, x2, lower=0, upper=0)
    model.subject_to(lambda c, d, e: c + d - 2 * e, x3, x4, x5, lower=0, upper=0)
    model.subject_to(lambda b, e: b - e, x2, x5, lower=0, upper=0)


@register(classification="QQR2-AN-3-2", optimum=-45.5105507399, source=PAPER + "4")
def bt4(model: Model) -> None:
    """Cubic objective on a circle in the plane; x3 is squared where the paper has a cube (unbounded)."""
    x1, x2, x3 = model.variables(3, start=[4.0382, -2.9470, -0.09115])
    model.minimize(lambda a, b: a - b + b**3, x1, x2)
    model.subject_to(lambda a, b, c: a**2 + b**2 + c**2 - 25, x1, x2, x3, lower=0, upper=0)
    model.subject_to(lambda a, b, c: a + b + c - 1, x1, x2, x3, lower=0, upper=0)


@register(classification="QQR2-AN-3-2", optimum=961.715172130, source=PAPER + "5")
def bt5(model: Model) -> None:
    """Concave quadratic on a sphere and a plane; the sign of x3**2 in the sphere is corrected."""
    x1, x2, x3 = model.variables(3, start=2.0)
    model.minimize(lambda a, b, c: 1000 - a**2 - 2 * b**2 - c**2 - a * b - a * c, x1, x2, x3)
    model.subject_to(lambda a, b, c: a**2 + b**2 + c**2 - 25, x1, x2, x3, lower=0, upper=0)
    model.subject_to(lambda a, b, c: 8 * a + 14 * b + 7 * c - 56, x1, x2, x3, lower=0, upper=0)


@register(classification="OOR2-AY-5-2", optimum=0.277044788768, source=PAPER + "6")
def bt6(model: Model) -> None:
    """Sixth-degree objective, a trigonometric and a sixth-degree constraint."""
    x1, x2, x3, x4, x5 = model.variables(5, start=2.0)
    model.minimize(lambda a, b: (a - 1) ** 2 + (a - b) ** 2, x1, x2)
    model.minimize(lambda c, d, e: (c - 1) ** 2 + (d - 1) ** 4 + (e - 1) ** 6, x3, x4, x5)
    root2 = np.sqrt(2.0)
    model.subject_to(lambda a, d, e: d * a**2 + np.sin(d - e) - 2 * root2, x1, x4, x5, lower=0, upper=0)
    model.subject_to(lambda b, c: b + c**4 * b**2 - 8 - root2, x2, x3, lower=0, upper=0)


@register(classification="OQR2-AN-5-3", optimum=306.5, source=PAPER + "7")
def bt7(model: Model) -> None:
    """Rosenbrock's function with squared slacks in three constraints."""
    x1, x2, x3, x4, x5 = model.variables(5, start=[-2.0, 1.0, 1.0, 1.0, 1.0])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (a - 1) ** 2, x1, x2)
    model.subject_to(lambda a, b, c: a * b - c**2 - 1, x1, x2, x3, lower=0, upper=0)
    model.subject_to(lambda a, b, d: b**2 - d**2 + a, x1, x2, x4, lower=0, upper=0)
    model.subject_to(lambda a, e: e**2 + a - 0.5, x1, x5, lower=0, upper=0)


@register(classification="QQR2-AN-5-2", optimum=1.0, source=PAPER + "8")
def bt8(model: Model) -> None:
    """Distance to the origin under squared slacks that vanish at the solution."""
    x1, x2, x3, x4, x5 = model.variables(5, start=[1.0, 1.0, 1.0, 0.0, 0.0])
    model.minimize(lambda a, b, c: a**2 + b**2 + c**2, x1, x2, x3)
    model.subject_to(lambda a, b, d: b**2 - d**2 + a - 1, x1, x2, x4, lower=0, upper=0)
    model.subject_to(lambda a, b, e: a**2 + b**2 - e**2 - 1, x1, x2, x5, lower=0, upper=0)


@register(classification="LOR2-AN-4-2", optimum=-1.0, source=PAPER + "9")
def bt9(model: Model) -> None:
    """Linear objective under cubic and quadratic constraints; the sign of x2 in the second is corrected."""
    x1, x2, x3, x4 = model.variables(4, start=2.0)
    model.minimize(lambda a: -a, x1)
    model.subject_to(lambda a, b, c: b - a**3 - c**2, x1, x2, x3, lower=0, upper=0)
    model.subject_to(lambda a, b, d: a**2 - b - d**2, x1, x2, x4, lower=0, upper=0)


@register(classification="LOR2-AN-2-2", optimum=-1.0, source=PAPER + "10")
def bt10(model: Model) -> None:
    """BT9 without slacks: two equations in two unknowns."""
    x1, x2 = model.variables(2, start=2.0)
    model.minimize(lambda a: -a, x1)
    model.subject_to(lambda a, b: b - a**3, x1, x2, lower=0, upper=0)
    model.subject_to(lambda a, b: a**2 - b, x1, x2, lower=0, upper=0)


@register(classification="OOR2-AY-5-3", optimum=0.824891778288, source=PAPER + "11")
def bt11(model: Model) -> None:
    """Chained quartic objective under polynomial constraints."""
    x1, x2, x3, x4, x5 = model.variables(5, start=2.0)
    model.minimize(lambda a, b, c: (a - 1) ** 2 + (a - b) ** 2 + (b - c) ** 2, x1, x2, x3)
    model.minimize(lambda c, d, e: (c - d) ** 4 + (d - e) ** 4, x3, x4, x5)
    model.subject_to(lambda a, b, c: a + b**2 + c**3 - (np.sqrt(18.0) - 2), x1, x2, x3, lower=0, upper=0)
    model.subject_to(lambda b, c, d: b - c**2 + d - (np.sqrt(8.0) - 2), x2, x3, x4, lower=0, upper=0)
    model.subject_to(lambda a, e: a - e - 2, x1, x5, lower=0, upper=0)


@register(classification="QQR2-AN-5-3", optimum=6.18811881188, source=PAPER + "12")
def bt12(model: Model) -> None:
    """Convex quadratic with squared slacks in three constraints."""
    x1, x2, x3, x4, x5 = model.variables(5, start=[15.811, 1.5811, 0.0, 15.083, 3.7164])
    model.minimize(lambda a, b: 0.01 * a**2 + b**2, x1, x2)
    model.subject_to(lambda a, b, c: a + b - c**2 - 25, x1, x2, x3, lower=0, upper=0)
    model.subject_to(lambda a, b, d: a**2 + b**2 - d**2 - 25, x1, x2, x4, lower=0, upper=0)
    model.subject_to(lambda a, e: a - e**2 - 2, x1, x5, lower=0, upper=0)


@register(classification="LQR2-AY-5-1", optimum=0.0, source=PAPER + "13")
def bt13(model: Model) -> None:
    """Norm minimisation in disguise: singular Jacobian at the solution; the bound x5 >= 0 is added."""
    free = np.full(4, -np.inf)
    x1, x2, x3, x4, x5 = model.variables(5, start=[1.0, 2.0, 3.0, 3.0, 228.0], lower=[*free, 0.0])
    model.minimize(lambda e: e, x5)
    model.subject_to(
        lambda a, b, c, d, e: a**2 + (a - 2 * b) ** 2 + (b - 3 * c) ** 2 + (c - 4 * d) ** 2 - e**2,
        x1, x2, x3, x4, x5,
        lower=0,
        upper=0,
    )  # fmt: skip
