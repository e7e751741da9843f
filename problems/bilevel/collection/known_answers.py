"""Small bilevel problems whose answers are known in closed form or to many digits.

Each shows one difficulty: coupled constraints, several local answers, a kink, many lower solutions, a value
function that jumps.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy.optimize import LinearConstraint
from scipy.sparse import coo_array, csr_array, diags_array

from ...nlp import Vector
from ..callables import bilevel_from_callables
from ..problem import BilevelProblem
from ..registry import register_bilevel

_YAO = "Yao, Yu, Zeng & Zhang, 'Constrained bi-level optimization', ICLR 2024"


def _blocks(n: int, entries: list[tuple[int, int, float]]) -> csr_array:
    """A 3 x 3 symmetric block matrix over (x, y1, y2) of multiples of the identity; upper blocks given."""
    small = np.zeros((3, 3))
    for i, j, value in entries:
        small[i, j] = small[j, i] = value
    block = coo_array(small)
    each = np.arange(n)
    rows = (block.row[:, None] * n + each).ravel()
    columns = (block.col[:, None] * n + each).ravel()
    return csr_array((np.repeat(block.data, n), (rows, columns)), shape=(3 * n, 3 * n))


def _llc_lower(n: int) -> dict[str, object]:
    """F = .5 ||y1||^2 - x'y1 + 1'y2 subject to 1'(x + y1 + y2) = 0."""
    curvature = _blocks(n, [(1, 1, 1.0), (0, 1, -1.0)])
    return {
        "lower": lambda x, y: 0.5 * y[:n] @ y[:n] - x @ y[:n] + y[n:].sum(),
        "lower_jac": lambda x, y: (-y[:n], np.concatenate([y[:n] - x, np.ones_like(x)])),
        "lower_hess": lambda x, y: curvature,
        "lower_constraints": LinearConstraint(csr_array(np.ones((1, 3 * n))), 0.0, 0.0),
        "lower_convex": True,
    }


@register_bilevel("LLC", _YAO)
def llc(n: int = 10) -> BilevelProblem:
    """A lower level coupled by one equation: x = -.3, y1 = .7, y2 = -.4, F = .05 n."""
    curvature = _blocks(n, [(0, 0, 1.0), (1, 1, 1.0), (2, 2, 1.0), (0, 2, -1.0)])

    def gradient(x: Vector, y: Vector) -> tuple[Vector, Vector]:
        away = x - y[n:]
        return away, np.concatenate([y[:n] - 1.0, -away])

    return bilevel_from_callables(
        lambda x, y: 0.5 * np.sum((x - y[n:]) ** 2) + 0.5 * np.sum((y[:n] - 1.0) ** 2),
        x0=np.full(n, 0.5),
        y0=np.zeros(2 * n),
        upper_jac=gradient,
        upper_hess=lambda x, y: curvature,
        name="LLC",
        optimum=0.05 * n,
        **_llc_lower(n),  # type: ignore[arg-type]
    )


@register_bilevel("LLC-BILINEAR", _YAO)
def llc_bilinear(n: int = 10) -> BilevelProblem:
    """The lower level of LLC under a bilinear upper one: x = 1, y = (2, -3), F = 0, multiplier -1."""
    curvature = _blocks(n, [(0, 1, 1.0), (2, 2, 2.0)])
    return bilevel_from_callables(
        lambda x, y: (y[:n] - 2.0) @ (x - 1.0) + np.sum((y[n:] + 3.0) ** 2),
        x0=np.full(n, 0.5),
        y0=np.zeros(2 * n),
        upper_jac=lambda x, y: (y[:n] - 2.0, np.concatenate([x - 1.0, 2.0 * (y[n:] + 3.0)])),
        upper_hess=lambda x, y: curvature,
        name="LLC-BILINEAR",
        optimum=0.0,
        **_llc_lower(n),  # type: ignore[arg-type]
    )


def _log_term(x: float) -> tuple[float, float, float]:
    """.5 ln((4x - 2)^2 + 1) and its derivatives."""
    u = 4.0 * x - 2.0
    size = u * u + 1.0
    return 0.5 * math.log(size), 4.0 * u / size, 16.0 * (1.0 - u * u) / size**2


@register_bilevel("WAVES", "Kwon, Kwon, Wright & Nowak, arXiv 2309.01753 (2023)")
def waves() -> BilevelProblem:
    """One variable each, three local answers on [0, 3]: x = 1.2151455 is the best; y = -x."""

    def parts(x: Vector, y: Vector) -> tuple[float, float, float]:
        """The logistic factor s(x), s', s''."""
        s = 1.0 / (1.0 + math.exp(2.0 - 4.0 * x[0]))
        return s, 4.0 * s * (1.0 - s), 16.0 * s * (1.0 - s) * (1.0 - 2.0 * s)

    def upper(x: Vector, y: Vector) -> float:
        return math.cos(4.0 * y[0] + 2.0) * parts(x, y)[0] + _log_term(x[0])[0]

    def upper_jac(x: Vector, y: Vector) -> Vector:
        s, ds, _ = parts(x, y)
        angle = 4.0 * y[0] + 2.0
        return np.array([math.cos(angle) * ds + _log_term(x[0])[1], -4.0 * math.sin(angle) * s])

    def upper_hess(x: Vector, y: Vector) -> np.ndarray:
        s, ds, dds = parts(x, y)
        cos, sin = math.cos(4.0 * y[0] + 2.0), math.sin(4.0 * y[0] + 2.0)
        return np.array(
            [[cos * dds + _log_term(x[0])[2], -4.0 * sin * ds], [-4.0 * sin * ds, -16.0 * cos * s]]
        )

    def lower(x: Vector, y: Vector) -> float:
        u = x[0] + y[0]
        return float(u * u + x[0] * math.sin(u) ** 2)

    def lower_jac(x: Vector, y: Vector) -> Vector:
        u = x[0] + y[0]
        by_u = 2.0 * u + x[0] * math.sin(2.0 * u)
        return np.array([by_u + math.sin(u) ** 2, by_u])

    def lower_hess(x: Vector, y: Vector) -> np.ndarray:
        u = x[0] + y[0]
        by_uu, mixed = 2.0 + 2.0 * x[0] * math.cos(2.0 * u), math.sin(2.0 * u)
        return np.array([[by_uu + 2.0 * mixed, by_uu + mixed], [by_uu + mixed, by_uu]])

    return bilevel_from_callables(
        upper,
        lower,
        [1.0],
        [0.0],
        upper_jac=upper_jac,
        upper_hess=upper_hess,
        lower_jac=lower_jac,
        lower_hess=lower_hess,
        x_bounds=[(0.0, 3.0)],
        name="WAVES",
        optimum=0.1999109,
    )


@register_bilevel("COUPLED-WAVES", "Kwon, Kwon, Wright & Nowak, arXiv 2309.01753 (2023)")
def coupled_waves() -> BilevelProblem:
    """A coupled lower constraint, active everywhere: y = x; four local answers, x = .9862248 is the best."""

    def factor(x: float) -> tuple[float, float, float]:
        """1 / (2 + cos 6x) and its derivatives."""
        d, dd, ddd = 2.0 + math.cos(6.0 * x), -6.0 * math.sin(6.0 * x), -36.0 * math.cos(6.0 * x)
        return 1.0 / d, -dd / d**2, 2.0 * dd**2 / d**3 - ddd / d**2

    def upper(x: Vector, y: Vector) -> float:
        return math.exp(2.0 - y[0]) * factor(x[0])[0] + _log_term(x[0])[0]

    def upper_jac(x: Vector, y: Vector) -> Vector:
        e, (r, dr, _) = math.exp(2.0 - y[0]), factor(x[0])
        return np.array([e * dr + _log_term(x[0])[1], -e * r])

    def upper_hess(x: Vector, y: Vector) -> np.ndarray:
        e, (r, dr, ddr) = math.exp(2.0 - y[0]), factor(x[0])
        return np.array([[e * ddr + _log_term(x[0])[2], -e * dr], [-e * dr, e * r]])

    return bilevel_from_callables(
        upper,
        lambda x, y: (y[0] - 2.0 * x[0]) ** 2,
        [1.0],
        [0.5],
        upper_jac=upper_jac,
        upper_hess=upper_hess,
        lower_jac=lambda x, y: (y[0] - 2.0 * x[0]) * np.array([-4.0, 2.0]),
        lower_hess=lambda x, y: np.array([[8.0, -4.0], [-4.0, 2.0]]),
        lower_constraints=LinearConstraint([[-1.0, 1.0]], -np.inf, 0.0),
        x_bounds=[(0.0, 3.0)],
        name="COUPLED-WAVES",
        optimum=1.7218788,
        lower_convex=True,
    )


@register_bilevel("FOLLOW")
def follow() -> BilevelProblem:
    """The lower level copies x: (0, 0), F = 2; with a lower gap of eps allowed, +-sqrt(eps)/2."""
    return bilevel_from_callables(
        lambda x, y: (x[0] - 1.0) ** 2 + (y[0] + 1.0) ** 2,
        lambda x, y: (y[0] - x[0]) ** 2,
        [3.0],
        [0.0],
        upper_jac=lambda x, y: np.array([2.0 * (x[0] - 1.0), 2.0 * (y[0] + 1.0)]),
        upper_hess=lambda x, y: 2.0 * np.eye(2),
        lower_jac=lambda x, y: (y[0] - x[0]) * np.array([-2.0, 2.0]),
        lower_hess=lambda x, y: np.array([[2.0, -2.0], [-2.0, 2.0]]),
        name="FOLLOW",
        optimum=2.0,
        lower_convex=True,
    )


@register_bilevel("KINK")
def kink() -> BilevelProblem:
    """A lower bound makes y*(x) = max(x, 0), whose corner is at x = 0: the answer is (-1, 0), F = .5."""
    return bilevel_from_callables(
        lambda x, y: 0.5 * (x[0] + 1.0) ** 2 + 0.5 * (y[0] - 1.0) ** 2,
        lambda x, y: 0.5 * (y[0] - x[0]) ** 2,
        [1.0],
        [1.0],
        upper_jac=lambda x, y: np.array([x[0] + 1.0, y[0] - 1.0]),
        upper_hess=lambda x, y: np.eye(2),
        lower_jac=lambda x, y: (y[0] - x[0]) * np.array([-1.0, 1.0]),
        lower_hess=lambda x, y: np.array([[1.0, -1.0], [-1.0, 1.0]]),
        x_bounds=[(-2.0, 2.0)],
        y_bounds=[(0.0, np.inf)],
        name="KINK",
        optimum=0.5,
        lower_convex=True,
    )


@register_bilevel("MANY-ANSWERS")
def many_answers(n_x: int = 5, n_y: int = 10, rows: int = 4, rng: Any = 0) -> BilevelProblem:
    """Least squares with a wide matrix below: many lower solutions, the nearest to w0 is wanted."""
    rng = np.random.default_rng(rng)
    A, C = rng.standard_normal((rows, n_y)), rng.standard_normal((rows, n_x))
    b, w0 = rng.standard_normal(rows), rng.standard_normal(n_x + n_y)
    M = np.hstack([-C, A])
    optimum = 0.5 * float(np.sum((np.linalg.pinv(M) @ (M @ w0 - b)) ** 2))
    curvature, identity = M.T @ M, diags_array(np.ones(n_x + n_y), format="csr")

    def residual(x: Vector, y: Vector) -> Vector:
        return np.asarray(A @ y - C @ x - b)

    return bilevel_from_callables(
        lambda x, y: 0.5 * np.sum((np.concatenate([x, y]) - w0) ** 2),
        lambda x, y: 0.5 * np.sum(residual(x, y) ** 2),
        np.zeros(n_x),
        np.zeros(n_y),
        upper_jac=lambda x, y: np.concatenate([x, y]) - w0,
        upper_hess=lambda x, y: identity,
        lower_jac=lambda x, y: M.T @ residual(x, y),
        lower_hess=lambda x, y: curvature,
        name="MANY-ANSWERS",
        optimum=optimum,
        lower_convex=True,
    )


@register_bilevel("JUMP")
def jump() -> BilevelProblem:
    """A value function that jumps: x^2 + 1 for x != 0, 0 at x = 0, which is the answer with y = 0."""
    swap = np.array([[0.0, 1.0], [1.0, 0.0]])
    return bilevel_from_callables(
        lambda x, y: x[0] ** 2 + y[0] ** 2,
        lambda x, y: x[0] * y[0],
        [0.5],
        [0.5],
        upper_jac=lambda x, y: np.array([2.0 * x[0], 2.0 * y[0]]),
        upper_hess=lambda x, y: 2.0 * np.eye(2),
        lower_jac=lambda x, y: np.array([y[0], x[0]]),
        lower_hess=lambda x, y: swap,
        x_bounds=[(-1.0, 1.0)],
        y_bounds=[(-1.0, 1.0)],
        name="JUMP",
        optimum=0.0,
        lower_convex=True,
    )
