"""Dixon-Maany problems DIXMAANA-DIXMAANP: one function of four sums, sixteen sets of coefficients.

Where the coefficient of the second sum is zero, CUTEst keeps the vanishing terms in the sparsity pattern and
offers DIXMAANA1, E1, I1 and M1 without them; here they are left out.
"""

import numpy as np

from ..model import Model
from ..registry import register
from .best_values import at_any_size
from .sizes import check_size

SOURCE = "Dixon & Maany (1988), Technical report 206, Hatfield Polytechnic"

# alpha, beta, gamma, delta and the powers k1..k4 of i / n, by the problem's letter.
_WEIGHTS = {
    "AEIM": (1.0, 0.0, 0.125, 0.125),
    "BFJN": (1.0, 0.0625, 0.0625, 0.0625),
    "CGKO": (1.0, 0.125, 0.125, 0.125),
    "DHLP": (1.0, 0.26, 0.26, 0.26),
}
_POWERS = {"ABCD": (0, 0, 0, 0), "EFGH": (1, 0, 0, 1), "IJKL": (2, 0, 0, 2), "MNOP": (2, 1, 1, 2)}


def _dixmaan(model: Model, n: int, letter: str) -> None:
    check_size("n", n, least=3, step=3)
    alpha, beta, gamma, delta = next(w for letters, w in _WEIGHTS.items() if letter in letters)
    k1, k2, k3, k4 = next(k for letters, k in _POWERS.items() if letter in letters)
    m = n // 3
    t = np.arange(1, n + 1) / n
    x = model.variables(n, start=2.0)
    model.minimize_constant(1.0)
    model.minimize(lambda a, w: w * a**2, x, alpha * t**k1)
    if beta:
        model.minimize(lambda a, b, w: w * a**2 * (b + b**2) ** 2, x[:-1], x[1:], beta * t[:-1] ** k2)
    model.minimize(lambda a, b, w: w * a**2 * b**4, x[: 2 * m], x[m:], gamma * t[: 2 * m] ** k3)
    model.minimize(lambda a, b, w: w * a * b, x[:m], x[2 * m :], delta * t[:m] ** k4)


def _register(letter: str) -> None:
    def build(model: Model, n: int = 3_000) -> None:
        _dixmaan(model, n, letter)

    build.__doc__ = f"Dixon and Maany's function, version {letter}; n is a multiple of 3."
    register(name=f"DIXMAAN{letter}", classification="OUR2-AN-V-0", optimum=at_any_size(1.0), source=SOURCE)(
        build
    )


for _letter in "ABCDEFGHIJKLMNOP":
    _register(_letter)
