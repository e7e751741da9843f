"""Lower levels whose rows couple a few variables each, at any size, with answers known in closed form.

Both levels are term families: matrices are sparse, and n = 10,000 is solved in seconds.
"""

from __future__ import annotations

import numpy as np

from ..model import BilevelModel
from ..problem import BilevelProblem
from ..registry import register_bilevel


@register_bilevel("CHAIN")
def chain(n: int = 10) -> BilevelProblem:
    """A closed chain of inequalities, all active at the answer x = 2.1, y = .7, F = .05 n.

        f = .5 ||y||^2   subject to   2 y_i + y_(i+1) >= x_i,
        F = .5 ||x - 2||^2 + .5 ||y - 1||^2.

    The answer is global. With (M y)_i = 2 y_i + y_(i+1), lower answers are y = M'l with l'(M y - x) = 0; F is
    there the same as F + c l'(M M'l - x) for any c. For c = 3/7 this is a quadratic of all (x, l) that is
    strictly convex, since (1 + 2c) M M' > c^2 I (singular values of M are not below 1), and stationary at
    x = 2.1, l = .7/3.
    """
    model = BilevelModel("CHAIN")
    # Every second row is inactive at the start.
    x = model.upper.variables(n, start=np.where(np.arange(n) % 2, -1.0, 1.0))
    y = model.lower.variables(n, start=1.0)
    following = (np.arange(n) + 1) % n
    model.upper.minimize(lambda a: 0.5 * (a - 2) ** 2, x)
    model.upper.minimize(lambda a: 0.5 * (a - 1) ** 2, y)
    model.lower.minimize(lambda a: 0.5 * a**2, y)
    rows = model.lower.constraints(n, lower=0.0)
    rows.add_linear(2.0, y).add_linear(1.0, y[following]).add_linear(-1.0, x)
    return model.build(optimum=0.05 * n, lower_convex=True)


@register_bilevel("LLC-BLOCKS", "after Yao, Yu, Zeng & Zhang, ICLR 2024")
def llc_blocks(n: int = 10, block: int = 5) -> BilevelProblem:
    """LLC with one equation for every few indices: x = -.3, y1 = .7, y2 = -.4, F = .05 n as there.

        f = .5 ||y1||^2 - x'y1 + 1'y2   subject to   sum over a block of x + y1 + y2 = 0,
        F = .5 ||x - y2||^2 + .5 ||y1 - 1||^2.

    Each block is LLC of its size, whose answer does not depend on the size.
    """
    if block < 1:
        raise ValueError(f"block must be at least 1, got {block}")
    model = BilevelModel("LLC-BLOCKS")
    x = model.upper.variables(n, start=0.5)
    y1, y2 = model.lower.variables(n), model.lower.variables(n)
    model.upper.minimize(lambda a, b: 0.5 * (a - b) ** 2, x, y2)
    model.upper.minimize(lambda a: 0.5 * (a - 1) ** 2, y1)
    model.lower.minimize(lambda a, b: 0.5 * a**2 - a * b, y1, x)
    model.lower.minimize_linear(1.0, y2)
    rows = model.lower.constraints(-(-n // block), lower=0.0, upper=0.0)[np.arange(n) // block]
    rows.add_linear(1.0, x).add_linear(1.0, y1).add_linear(1.0, y2)
    return model.build(optimum=0.05 * n, lower_convex=True)
