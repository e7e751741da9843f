"""Problems of the conformance suite: regular ones with known optima, and ways to make any problem tough."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..solvers.small_problems import Dense, circle, quadratic, rosenbrock

INF = np.inf


def hs71() -> Dense:
    """Problem 71 of Hock & Schittkowski (1981)."""

    def hessian(x: Any) -> Any:
        h = np.zeros((4, 4))
        h[0] = [2 * x[3], x[3], x[3], 2 * x[0] + x[1] + x[2]]
        h[1:3, 3] = x[0]
        h[:, 0] = h[0]
        h[3] = h[:, 3]
        return h

    def product_hessian(x: Any) -> Any:
        h = np.zeros((4, 4))
        for i in range(4):
            for j in range(4):
                if i != j:
                    h[i, j] = np.prod(np.delete(x, [i, j]))
        return h

    return Dense(
        [1.0, 5.0, 5.0, 1.0],
        lambda x: x[0] * x[3] * (x[0] + x[1] + x[2]) + x[2],
        lambda x: [
            x[3] * (2 * x[0] + x[1] + x[2]),
            x[0] * x[3],
            x[0] * x[3] + 1,
            x[0] * (x[0] + x[1] + x[2]),
        ],
        hessian,
        c=lambda x: [x.prod(), x @ x],
        jac=lambda x: [[np.prod(np.delete(x, i)) for i in range(4)], 2 * x],
        hc=lambda x: [product_hessian(x), 2 * np.eye(4)],
        lb=1.0,
        ub=5.0,
        cl=(25.0, 40.0),
        cu=(INF, 40.0),
        name="HS71",
    )


def power(exponent: int = 4) -> Dense:
    """(x - 1)^exponent: the Hessian vanishes at the solution."""
    k = exponent
    return Dense(
        [3.0],
        lambda x: (x[0] - 1) ** k,
        lambda x: [k * (x[0] - 1) ** (k - 1)],
        lambda x: [[k * (k - 1) * (x[0] - 1) ** (k - 2)]],
        name=f"POWER{k}",
    )


def logarithm() -> Dense:
    """x - log(x) from 20: undefined beyond 0, where the first Newton step leads."""
    return Dense(
        [20.0],
        lambda x: x[0] - np.log(x[0]),
        lambda x: [1 - 1 / x[0]],
        lambda x: [[1 / x[0] ** 2]],
        name="LOGARITHM",
    )


def curved_feasibility() -> Dense:
    """No objective: a point on the circle with x0 = x1."""
    return Dense(
        [2.0, 0.5],
        lambda x: 0.0,
        lambda x: [0.0, 0.0],
        lambda x: np.zeros((2, 2)),
        c=lambda x: [x @ x, x[0] - x[1]],
        jac=lambda x: [2 * x, [1.0, -1.0]],
        hc=lambda x: [2 * np.eye(2), np.zeros((2, 2))],
        cl=(2.0, 0.0),
        cu=(2.0, 0.0),
        name="FEASIBILITY",
    )


# Name -> (maker, optimal value): problems that a method ought to solve.
REGULAR: dict[str, tuple[Callable[[], Dense], float]] = {
    "rosenbrock": (rosenbrock, 0.0),
    "rosenbrock, active bound": (lambda: rosenbrock(lb=[-2.0, -2.0], ub=[0.5, 2.0]), 0.25),
    "circle, equality": (circle, -2.0),
    "circle, inequality": (lambda: circle(cl=(-INF,), cu=(2.0,)), -2.0),
    "circle, range": (lambda: circle(cl=(1.0,), cu=(2.0,)), -2.0),
    "HS71": (hs71, 17.0140172891),
    "n = 1, active bound": (lambda: quadratic([[2.0]], [-6.0], [0.0], ub=2.0), -8.0),
    "n = 1, flat minimum": (power, 0.0),
    "m = 0, quadratic": (lambda: quadratic(np.diag([1.0, 100.0]), [-1.0, -1.0], [9.0, -9.0]), -0.505),
    "m > n, inequalities": (
        lambda: quadratic(
            np.eye(2),
            [0.0, 0.0],
            [5.0, 3.0],
            A=[[1, 1], [1, 0], [0, 1], [2, 2], [1, -1]],
            cl=(1.0, -9.0, -9.0, -INF, -1.0),
            cu=(INF, 9.0, INF, 90.0, 1.0),
        ),
        0.25,
    ),
    "m > n, dependent equalities": (
        lambda: quadratic(
            np.eye(2), [0.0, 0.0], [5.0, 3.0], A=[[1, 1], [2, 2], [1, -1]], cl=(2, 4, 0), cu=(2, 4, 0)
        ),
        1.0,
    ),
    "fixed variable": (
        lambda: quadratic(np.eye(3) + 1.0, [1.0, 2.0, 3.0], [0.0, 0.0, 0.0], lb=[1, -9, -9], ub=[1, 9, 9]),
        -7.0 / 3.0,
    ),
    "all variables fixed": (lambda: quadratic(np.eye(2), [1.0, 1.0], [5.0, 5.0], lb=[1, 2], ub=[1, 2]), 5.5),
    "free row": (
        lambda: quadratic(
            np.eye(2), [-1.0, -1.0], [0.0, 0.0], A=[[1, 1], [1, 2]], cl=(-INF, 0), cu=(INF, 1.5)
        ),
        -0.775,
    ),
    "row without variables": (
        lambda: quadratic(np.eye(2), [-1.0, -1.0], [0.0, 0.0], A=[[0, 0], [1, 1]], cl=(-1, 0), cu=(1, 1)),
        -0.75,
    ),
    "linear programme": (
        lambda: quadratic(
            np.zeros((2, 2)), [-1.0, -2.0], [0.3, 0.3], A=[[1, 1]], cl=(-INF,), cu=(1,), lb=0.0
        ),
        -2.0,
    ),
    "no objective": (curved_feasibility, 0.0),
    "start outside the bounds": (
        lambda: quadratic(np.eye(2), [-1.0, 4.0], [70.0, -70.0], lb=-3.0, ub=3.0),
        -8.0,
    ),
    "start far away": (lambda: quadratic(np.eye(2), [-1.0, 4.0], [1e6, -1e6]), -8.5),
}


def permuted(problem: Dense, order: Any) -> Dense:
    """The problem with its variables in another order: new x[k] is old x[order[k]]."""
    return _substituted(problem, np.eye(problem.n)[np.argsort(order)], f"{problem.name} permuted")


def rescaled(problem: Dense, scale: Any) -> Dense:
    """The problem in other units: old x = scale * new x."""
    return _substituted(problem, np.diag(scale), f"{problem.name} rescaled")


def _substituted(problem: Dense, M: Any, name: str) -> Dense:
    """Old x = M new x, with M a monomial matrix of positive entries."""
    p, back = problem, np.linalg.inv(M)
    return Dense(
        back @ p.x0,
        lambda x: p._f(M @ x),
        lambda x: M.T @ np.asarray(p._g(M @ x)),
        lambda x: M.T @ np.asarray(p._h(M @ x)) @ M,
        c=lambda x: p._c(M @ x),
        jac=lambda x: np.asarray(p._j(M @ x)) @ M,
        hc=lambda x: [M.T @ np.asarray(h) @ M for h in p._hc(M @ x)],
        lb=_bound(back, p.lb),
        ub=_bound(back, p.ub),
        cl=p.cl,
        cu=p.cu,
        name=name,
    )


def _bound(back: Any, bound: Any) -> Any:
    source, factor = abs(back).argmax(axis=1), abs(back).max(axis=1)
    return factor * bound[source]


def multiplied(problem: Dense, factor: float) -> Dense:
    """The problem with its objective times a positive factor."""
    f, g, h = problem._f, problem._g, problem._h
    problem._f = lambda x: factor * f(x)
    problem._g = lambda x: factor * np.asarray(g(x))
    problem._h = lambda x: factor * np.asarray(h(x))
    problem.name = f"{problem.name} times {factor:g}"
    return problem


def contaminated(problem: Dense, kind: str, key: int, share: float = 0.25) -> Dense:
    """The problem with a share of its objective values replaced, not the first ones (as PRIMA's tests do)."""
    bad = {"nan": np.nan, "inf": INF, "-inf": -INF, "1e30": 1e30, "-1e30": -1e30, "mixed": None}[kind]
    rng, plain, calls = np.random.default_rng(key), problem._f, [0]

    def f(x: Any) -> float:
        calls[0] += 1
        if calls[0] <= 3 or rng.random() > share:
            return float(plain(x))
        return float(rng.choice([np.nan, INF, -INF, 1e30, -1e30])) if bad is None else bad

    problem._f = f
    problem.name = f"{problem.name} with {kind}"
    return problem


def noisy(problem: Dense, level: float, key: int) -> Dense:
    """The problem with relative noise in f, c and their derivatives."""
    rng = np.random.default_rng(key)

    def with_noise(function: Callable[..., Any]) -> Callable[..., Any]:
        def noisy_function(x: Any) -> Any:
            value = np.asarray(function(x), dtype=float)
            return value * (1 + level * rng.normal(size=value.shape)) + level * rng.normal(size=value.shape)

        return noisy_function

    problem._f, problem._g = with_noise(problem._f), with_noise(problem._g)
    if problem.m:
        problem._c, problem._j = with_noise(problem._c), with_noise(problem._j)
    problem.name = f"{problem.name} with noise {level:g}"
    return problem


def holed(where: str) -> Dense:
    """Rosenbrock's function, not a number in a strip that the way to the minimiser crosses."""
    problem = rosenbrock()
    for part in where:
        plain = getattr(problem, f"_{part}")
        setattr(
            problem,
            f"_{part}",
            lambda x, plain=plain: np.nan * np.asarray(plain(x)) if -0.35 < x[0] < -0.15 else plain(x),
        )
    problem.name = f"ROSENBR with holes in {where}"
    return problem


def lying_gradient() -> Dense:
    """A gradient of the wrong sign: no step along it descends."""
    problem = rosenbrock()
    plain = problem._g
    problem._g = lambda x: -np.asarray(plain(x))
    problem.name = "ROSENBR with a wrong gradient"
    return problem


def infeasible_linear() -> Dense:
    """x0 + x1 = 1 and x0 + x1 = 3."""
    A = [[1.0, 1.0], [1.0, 1.0]]
    return quadratic(np.eye(2), [0, 0], [4, 1], A=A, cl=(1, 3), cu=(1, 3), name="INFEASIBLE LINEAR")


def infeasible_bounds() -> Dense:
    """x0 + x1 >= 3 with x <= 1."""
    return quadratic(
        np.eye(2), [0, 0], [0, 0], A=[[1.0, 1.0]], cl=(3,), cu=(INF,), ub=1.0, name="INFEASIBLE BOUNDS"
    )


def infeasible_curved() -> Dense:
    """x0^2 + x1^2 <= -1."""
    return circle(cl=(-INF,), cu=(-1.0,))


def infeasible_fixed() -> Dense:
    """The constraint has only fixed variables."""
    return quadratic(
        np.eye(2),
        [0, 1],
        [2, 0],
        A=[[1.0, 0.0]],
        cl=(3,),
        cu=(3,),
        lb=[2, -9],
        ub=[2, 9],
        name="INFEASIBLE FIXED",
    )


def infeasible_constant() -> Dense:
    """A row without variables that cannot hold."""
    return quadratic(np.eye(2), [0, 1], [2, 0], A=[[0.0, 0.0]], cl=(1,), cu=(2,), name="INFEASIBLE CONSTANT")


INFEASIBLE = [infeasible_linear, infeasible_bounds, infeasible_curved, infeasible_fixed, infeasible_constant]


def unbounded_linear() -> Dense:
    """-x0 with x0 free."""
    return quadratic(np.zeros((2, 2)), [-1, 1], [0, 0], lb=[-INF, 0], name="UNBOUNDED LINEAR")


def unbounded_quadratic() -> Dense:
    """Negative curvature, one constraint that does not stop it."""
    return quadratic(
        np.diag([1.0, -1.0]), [0, 0.1], [1, 0], A=[[1.0, 0.0]], cl=(-1,), cu=(1,), name="UNBOUNDED QUADRATIC"
    )


UNBOUNDED = [unbounded_linear, unbounded_quadratic]


def wild() -> list[Dense]:
    """Problems on which only good manners are asked for."""
    kinds = ("nan", "inf", "-inf", "1e30", "-1e30", "mixed")
    problems = [
        contaminated(maker(), kind, key)
        for key, maker in enumerate((rosenbrock, circle, hs71))
        for kind in kinds
    ]
    problems += [noisy(maker(), level, 7) for maker in (rosenbrock, circle, hs71) for level in (1e-8, 1e-3)]
    problems += [holed(where) for where in ("f", "g", "fg", "fgh")]
    problems += [lying_gradient(), *(maker() for maker in INFEASIBLE), *(maker() for maker in UNBOUNDED)]
    return problems
