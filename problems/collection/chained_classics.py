"""Unconstrained classics that grow with n: chains, arrow-heads and bands, at CUTEst's default sizes.

Small patterns repeated thousands of times: what a solver's sparse linear algebra and the oracles' speed are
measured on.
"""

import numpy as np

from ..model import Model
from ..registry import register
from .best_values import at_any_size
from .sizes import check_size

TOINT = "Toint (1983), Report 83/4, FUNDP Namur, problem "
CONN = "Conn, Gould, Lescrenier & Toint (1988), Report 88/4, FUNDP Namur, problem "
BUCKLEY = "Buckley (1989), TR 1989CS-3, Dalhousie University, problem "
LI = "Li (1988), The secant/finite difference algorithm for solving sparse nonlinear systems of equations"
FLETCHER = "Fletcher (1992), Report NA/145, University of Dundee, "
GOULD = "N. Gould, in CUTEst"


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=TOINT + "10")
def extrosnb(model: Model, n: int = 1_000) -> None:
    """Extended Rosenbrock function, nonseparable."""
    check_size("n", n, least=2)
    x = model.variables(n, start=-1.0)
    model.minimize(lambda a: (a - 1) ** 2, x[0])
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2, x[:-1], x[1:])


@register(
    classification="SUR2-AN-V-0",
    optimum=at_any_size(1.0),
    source="Nash (1984), SIAM J. Numer. Anal. 21, 770-788",
)
def genrose(model: Model, n: int = 500) -> None:
    """Generalised Rosenbrock function."""
    check_size("n", n, least=2)
    x = model.variables(n, start=np.arange(1, n + 1) / (n + 1))
    model.minimize_constant(1.0)
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (b - 1) ** 2, x[:-1], x[1:])


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source=FLETCHER + "problem 2")
def fletchcr(model: Model, n: int = 1_000) -> None:
    """Chained Rosenbrock function."""
    check_size("n", n, least=2)
    x = model.variables(n, start=0.0)
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, x[:-1], x[1:])


@register(
    classification="SUR2-AN-V-0",
    optimum=at_any_size(1.0),
    source="Conn, Gould & Toint (1988), Math. Comp. 50, 399-430, problem 8",
)
def chainwoo(model: Model, n: int = 4_000) -> None:
    """Chained Wood function; n is even."""
    check_size("n", n, least=4, step=2)
    x = model.variables(n, start=np.r_[-3.0, -1.0, -3.0, -1.0, np.full(n - 4, -2.0)])
    i = 2 * np.arange((n - 2) // 2)
    a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
    model.minimize_constant(1.0)
    model.minimize(lambda a, b: 100 * (b - a**2) ** 2 + (1 - a) ** 2, a, b)
    model.minimize(lambda c, d: 90 * (d - c**2) ** 2 + (1 - c) ** 2, c, d)
    model.minimize(lambda b, d: 10 * (b + d - 2) ** 2 + 0.1 * (b - d) ** 2, b, d)


@register(classification="OUR2-AY-V-0", optimum=1688.21530971, source=TOINT + "32")
def cragglvy(model: Model, n: int = 5_000) -> None:
    """Extended Cragg and Levy function; n is even."""
    check_size("n", n, least=4, step=2)
    x = model.variables(n, start=np.r_[1.0, np.full(n - 1, 2.0)])
    i = 2 * np.arange((n - 2) // 2)
    a, b, c, d = x[i], x[i + 1], x[i + 2], x[i + 3]
    model.minimize(lambda a, b: (np.exp(a) - b) ** 4 + a**8, a, b)
    model.minimize(lambda b, c: 100 * (b - c) ** 6, b, c)
    model.minimize(lambda c, d: (np.tan(c - d) + c - d) ** 4 + (d - 1) ** 2, c, d)


@register(classification="OUR2-AN-V-0", optimum=5548.66841942, source=TOINT + "31")
def engval1(model: Model, n: int = 5_000) -> None:
    """Engvall's chain."""
    check_size("n", n, least=2)
    x = model.variables(n, start=2.0)
    model.minimize(lambda a, b: (a**2 + b**2) ** 2 - 4 * a + 3, x[:-1], x[1:])


@register(classification="QUR2-AN-V-0", optimum=at_any_size(0.0), source=TOINT + "8")
def tridia(model: Model, n: int = 5_000) -> None:
    """Shanno's tridiagonal quadratic."""
    check_size("n", n, least=2)
    x = model.variables(n, start=1.0)
    model.minimize(lambda a: (a - 1) ** 2, x[0])
    model.minimize(lambda a, b, i: i * (2 * b - a) ** 2, x[:-1], x[1:], np.arange(2.0, n + 1))


@register(classification="QUR2-AN-V-0", optimum=at_any_size(0.0), source=TOINT + "22")
def dqdrtic(model: Model, n: int = 5_000) -> None:
    """Diagonal quadratic."""
    check_size("n", n, least=3)
    x = model.variables(n, start=3.0)
    model.minimize(lambda a, b, c: a**2 + 100 * b**2 + 100 * c**2, x[:-2], x[1:-1], x[2:])


@register(classification="OUR2-AY-V-0", optimum=at_any_size(10.0), source=TOINT + "21")
def tointgss(model: Model, n: int = 5_000) -> None:
    """Toint's Gaussian function."""
    check_size("n", n, least=3)
    x = model.variables(n, start=3.0)
    model.minimize(
        lambda a, b, c: (10 / (n - 2) + c**2) * (2 - np.exp(-((a - b) ** 2) / (0.1 + c**2))),
        x[:-2], x[1:-1], x[2:],
    )  # fmt: skip


@register(
    classification="OUR2-AN-V-0", optimum=1506.28720578, source="Toint (1978), Math. Comp. 32(114), 839-852"
)
def broydn7d(model: Model, n: int = 5_000) -> None:
    """Broyden's tridiagonal system with a band far from the diagonal; n is even."""
    check_size("n", n, least=2, step=2)
    x = model.variables(n, start=1.0)
    groups = model.groups(n, lambda r: abs(r) ** (7 / 3), constant=-1.0)
    groups.add(lambda a: (3 - 2 * a) * a, x)
    groups[1:].add_linear(-1.0, x[:-1])
    groups[:-1].add_linear(-2.0, x[1:])
    model.minimize(lambda a, b: abs(a + b) ** (7 / 3), x[: n // 2], x[n // 2 :])


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source=CONN + "55")
def arwhead(model: Model, n: int = 5_000) -> None:
    """Quartic with an arrow-head Hessian."""
    check_size("n", n, least=2)
    x = model.variables(n, start=1.0)
    model.minimize(lambda a, z: (a**2 + z**2) ** 2 - 4 * a + 3, x[:-1], x[n - 1])


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source=CONN + "57")
def nondquar(model: Model, n: int = 5_000) -> None:
    """Quartic with a tridiagonal and arrow-head Hessian, singular at the solution."""
    check_size("n", n, least=3)
    x = model.variables(n, start=np.resize([1.0, -1.0], n))
    model.minimize(lambda a, b, z: (a + b + z) ** 4, x[:-2], x[1:-1], x[n - 1])
    model.minimize(lambda a, b: (a - b) ** 2, x[[0, n - 2]], x[[1, n - 1]])


@register(classification="SUR2-AN-V-0", optimum=20006.2568784, source=CONN + "61")
def bdqrtic(model: Model, n: int = 5_000) -> None:
    """Quartic with a banded and arrow-head Hessian."""
    check_size("n", n, least=5)
    x = model.variables(n, start=1.0)
    i = np.arange(n - 4)
    model.minimize(lambda a: (3 - 4 * a) ** 2, x[i])
    model.minimize(
        lambda a, b, c, d, z: (a**2 + 2 * b**2 + 3 * c**2 + 4 * d**2 + 5 * z**2) ** 2,
        x[i], x[i + 1], x[i + 2], x[i + 3], x[n - 1],
    )  # fmt: skip


@register(
    classification="SUR2-AN-V-0",
    optimum=at_any_size(0.0),
    source="Shanno (1978), MIS Tech report 27, Univ. of Arizona",
)
def nondia(model: Model, n: int = 5_000) -> None:
    """Shanno's nondiagonal extension of the Rosenbrock function: arrow-head Hessian."""
    check_size("n", n, least=2)
    x = model.variables(n, start=-1.0)
    model.minimize(lambda z: (z - 1) ** 2, x[0])
    model.minimize(lambda z, a: 100 * (z - a**2) ** 2, x[0], x[:-1])


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source=LI)
def liarwhd(model: Model, n: int = 5_000) -> None:
    """NONDIA simplified: arrow-head Hessian."""
    x = model.variables(n, start=4.0)
    model.minimize(lambda z, a: 4 * (a**2 - z) ** 2 + (a - 1) ** 2, x[0], x)


@register(classification="OUR2-AN-V-0", optimum=12003.2845920, source=LI)
def edensch(model: Model, n: int = 2_000) -> None:
    """Extended Dennis and Schnabel function, with CUTEst's constant 16."""
    check_size("n", n, least=2)
    x = model.variables(n, start=8.0)
    model.minimize_constant(16.0)
    model.minimize(lambda a, b: (a - 2) ** 4 + (a * b - 2 * b) ** 2 + (b + 1) ** 2, x[:-1], x[1:])


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source=BUCKLEY + "157")
def quartc(model: Model, n: int = 5_000) -> None:
    """Separable quartic."""
    x = model.variables(n, start=2.0)
    model.minimize(lambda a, i: (a - i) ** 4, x, np.arange(1.0, n + 1))


@register(classification="QUR2-AN-V-0", optimum=at_any_size(0.0), source=BUCKLEY + "156")
def dixon3dq(model: Model, n: int = 10_000) -> None:
    """Dixon's tridiagonal quadratic."""
    check_size("n", n, least=3)
    x = model.variables(n, start=-1.0)
    model.minimize(lambda a: (a - 1) ** 2, x[[0, n - 1]])
    model.minimize(lambda a, b: (a - b) ** 2, x[1:-1], x[2:])


@register(
    classification="OUR2-AN-V-0",
    optimum=at_any_size(0.0),
    source="Oren (1974), Management Science 20(5), 863-874",
)
def power(model: Model, n: int = 1_000) -> None:
    """Oren's power function: the square of a quadratic; dense Hessian (CUTEst's default is n = 10,000)."""
    x = model.variables(n, start=1.0)
    model.groups((), lambda r: r**2).add(lambda a, i: i * a**2, x, np.arange(1.0, n + 1))


@register(classification="OUR2-AN-V-0", optimum=-0.500286317715, source=FLETCHER + "problem 1")
def fletcbv2(model: Model, n: int = 5_000) -> None:
    """Boundary value problem x'' = -2 + sin x, in variational form."""
    check_size("n", n, least=2)
    h = 1 / (n + 1)
    x = model.variables(n, start=h * np.arange(1, n + 1))
    model.minimize(lambda a, b: (a - b) ** 2 / 2, x[:-1], x[1:])
    model.minimize(lambda a: a**2 / 2, x[[0, n - 1]])
    model.minimize(lambda a: -(h**2) * (2 * a + np.cos(a)), x)
    model.minimize(lambda a: -a, x[n - 1])


@register(
    classification="OUR2-AY-V-0",
    optimum=lambda n: -3.0 * (n - 2),
    source="Schmidt & Vetters (1970), Numer. Math. 15, 263-282",
)
def schmvett(model: Model, n: int = 5_000) -> None:
    """Schmidt and Vetters' function, with CUTEst's five decimals of pi."""
    check_size("n", n, least=3)
    x = model.variables(n, start=0.5)
    pi = 3.14159
    model.minimize(
        lambda a, b, c: -1 / (1 + (a - b) ** 2) - np.sin((pi * b + c) / 2)
        - np.exp(-(((a + c) / b - 2) ** 2)),
        x[:-2], x[1:-1], x[2:],
    )  # fmt: skip


@register(classification="OUR2-AN-V-0", optimum=lambda n: -(n - 1.0), source=GOULD)
def cosine(model: Model, n: int = 10_000) -> None:
    """Cosines of a chain."""
    check_size("n", n, least=2)
    x = model.variables(n, start=1.0)
    model.minimize(lambda a, b: np.cos(a**2 - b / 2), x[:-1], x[1:])


@register(classification="OUR2-AY-V-0", optimum=-6757013.75734, source=GOULD)
def sinquad(model: Model, n: int = 5_000) -> None:
    """Sines and squares on an arrow-head, unsquared in the middle as CUTEst decodes it."""
    check_size("n", n, least=3)
    x = model.variables(n, start=0.1)
    model.minimize(lambda a: (a - 1) ** 4, x[0])
    model.minimize(lambda a, b, z: b**2 - a**2 + np.sin(b - z), x[0], x[1:-1], x[n - 1])
    model.minimize(lambda a, z: (z**2 - a**2) ** 2, x[0], x[n - 1])


@register(classification="OUR2-AN-V-0", optimum=None, source=GOULD)
def indef(model: Model, n: int = 5_000) -> None:
    """Linear function plus cosines on an arrow-head: indefinite at the start, unbounded below."""
    check_size("n", n, least=3)
    x = model.variables(n, start=np.arange(1, n + 1) / (n + 1))
    model.minimize(lambda a: a, x)
    model.minimize(lambda a, b, z: np.cos(a + z - 2 * b) / 2, x[0], x[1:-1], x[n - 1])


@register(classification="OUR2-AN-V-0", optimum=-1003162.90241, source=GOULD)
def curly10(model: Model, n: int = 10_000, k: int = 10) -> None:
    """Quartic of sums of k + 1 neighbours: a band with negative curvature near the start."""
    x = model.variables(n, start=1e-4 * np.arange(1, n + 1) / (n + 1))
    groups = model.groups(n, lambda q: q * (q * (q**2 - 20) - 0.1))
    row, j = np.broadcast_arrays(np.arange(n)[:, None], np.arange(n)[:, None] + np.arange(k + 1))
    inside = j < n
    groups[row[inside]].add_linear(1.0, x[j[inside]])


@register(classification="SUR2-AN-V-0", optimum=at_any_size(0.0), source="Ph. Toint, in CUTEst")
def tquartic(model: Model, n: int = 5_000) -> None:
    """Quartic with an arrow-head Hessian."""
    check_size("n", n, least=2)
    x = model.variables(n, start=0.1)
    model.minimize(lambda a: (a - 1) ** 2, x[0])
    model.minimize(lambda a, b: (a**2 - b**2) ** 2, x[0], x[1:])


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source="Ph. Toint, in CUTEst")
def genhumps(model: Model, n: int = 5_000, zeta: int = 20) -> None:
    """Chain of humps: zeta sets their density."""
    check_size("n", n, least=2)
    x = model.variables(n, start=np.r_[-506.0, np.full(n - 1, -506.2)])
    model.minimize(
        lambda a, b: (np.sin(zeta * a) * np.sin(zeta * b)) ** 2 + 0.05 * (a**2 + b**2), x[:-1], x[1:]
    )


def _scattered(n: int) -> np.ndarray:
    """Index array (n, 6): i and the last of each run of 2i, 3i, 5i, 7i, 11i, modulo n."""
    i = np.arange(1, n + 1)[:, None]
    return (i * [1, 2, 3, 5, 7, 11] - 1) % n


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source=GOULD)
def sparsqur(model: Model, n: int = 10_000) -> None:
    """Weighted squares of sums of six scattered squares."""
    x = model.variables(n, start=0.5)
    groups = model.groups(n, lambda r, i: i * r**2 / 2, np.arange(1.0, n + 1))
    groups[np.arange(n)[:, None]].add(lambda a: a**2 / 2, x[_scattered(n)])


@register(classification="OUR2-AN-V-0", optimum=at_any_size(0.0), source=GOULD)
def sparsine(model: Model, n: int = 5_000) -> None:
    """Weighted squares of sums of six scattered sines."""
    x = model.variables(n, start=0.5)
    groups = model.groups(n, lambda r, i: i * r**2 / 2, np.arange(1.0, n + 1))
    groups[np.arange(n)[:, None]].add(lambda a: np.sin(a), x[_scattered(n)])
