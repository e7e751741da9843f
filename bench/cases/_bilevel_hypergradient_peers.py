"""Peers of the hypergradient methods without JAX: scipy's L-BFGS-B on the exact hypergradient, and sparho.

The first is what a careful user would write: Newton's method on the lower level from the last solution, one
Cholesky or sparse LU factorisation for the adjoint (conjugate gradients where the Hessian is known by
products alone), all that in L-BFGS-B, with as many pairs as the library's methods.

`sparho` has sparse-ho's method for
L1 penalties (Bertrand et al., JMLR 2022): where the share of the L1 norm in its elastic net is next to
nothing, it chooses the penalty of ridge regression.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.linalg import cho_factor, cho_solve
from scipy.optimize import minimize
from scipy.sparse import csc_array
from scipy.sparse.linalg import LinearOperator, cg, splu

from ...problems.bilevel.data_sets import Split
from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from ._bilevel_hypergradient_traces import CountedLevels, OutOfTime, Trace

LBFGSB = {"maxcor": 50, "ftol": 1e-15, "gtol": 1e-9, "maxiter": 5000, "maxfun": 10000}
"""Options of scipy's L-BFGS-B, around its own and other people's hypergradients."""

_TOLERANCE = 1e-9
"""Of the lower level, relative to its gradient at the first point."""

_DENSE = 2000, 0.1
"""H is factorised as dense up to this order, where it has this share of nonzeros."""

_L1_SHARE = 1e-9
"""Of the L1 norm in sparho's elastic net."""


def by_lbfgsb(
    problem: BilevelProblem,
    value_and_gradient: Callable[[Vector], tuple[float, Vector]],
    trace: Trace,
    calls: Counter[str],
) -> Trace:
    """Minimise over x by scipy's L-BFGS-B and record each evaluation."""

    def recorded(x: Vector) -> tuple[float, Vector]:
        F, p = value_and_gradient(x)
        trace.record(x, F, calls)
        return F, p

    bounds = list(zip(problem.X.lb, problem.X.ub, strict=True))
    try:
        found = minimize(recorded, problem.x0, jac=True, bounds=bounds, method="L-BFGS-B", options=LBFGSB)
    except OutOfTime:
        trace.note = "time limit"
        return trace
    if not found.success:
        trace.note = f"{found.message}".lower()
    return trace


def scipy_trace(problem: BilevelProblem, max_seconds: float) -> Trace:
    """L-BFGS-B with exact hypergradients."""
    levels = CountedLevels(problem)
    exact = _ExactHypergradient(problem, levels)
    return by_lbfgsb(problem, exact, Trace(max_seconds), levels.calls)


class _ExactHypergradient:
    """F(x, y*(x)) and its gradient; lower solutions start from the last one."""

    def __init__(self, problem: BilevelProblem, levels: CountedLevels) -> None:
        self._levels, self._n_x, self._y = levels, problem.n_x, problem.y0
        self._tolerance = 0.0

    def __call__(self, x: Vector) -> tuple[float, Vector]:
        """Value and gradient."""
        n_x = self._n_x
        y = self._y = self._solved(x, self._y)
        w = np.concatenate([x, y])
        F, gradient = self._levels.upper(w)
        solve, cross = self._second(w)
        return F, gradient[:n_x] - cross(solve(gradient[n_x:]))

    def _solved(self, x: Vector, y: Vector) -> Vector:
        """Newton's method with halving until the gradient is shorter."""
        n_x = self._n_x
        g = self._levels.lower_gradient(np.concatenate([x, y]))[n_x:]
        norm = float(np.linalg.norm(g))
        self._tolerance = self._tolerance or _TOLERANCE * max(1.0, norm)
        while norm > self._tolerance:
            d = self._second(np.concatenate([x, y]))[0](g)
            t = 1.0
            while True:
                trial = y - t * d
                g = self._levels.lower_gradient(np.concatenate([x, trial]))[n_x:]
                if np.linalg.norm(g) < norm:
                    break
                t *= 0.5
                if t < 1e-8:
                    return y
            y, norm = trial, float(np.linalg.norm(g))
        return y

    def _second(self, w: Vector) -> tuple[Callable[[Vector], Vector], Callable[[Vector], Vector]]:
        """H^-1 and J' at a point."""
        n_x, levels = self._n_x, self._levels
        if levels.has_hessian:
            hessian = levels.lower_hessian(w)
            return _solver(hessian[n_x:, n_x:]), lambda q: hessian[:n_x, n_x:] @ q
        none = np.zeros(n_x)

        def product(v: Vector) -> Vector:
            return levels.lower_product(w, np.concatenate([none, v]))

        n_y = w.size - n_x
        H = LinearOperator((n_y, n_y), matvec=lambda v: product(v)[n_x:], dtype=float)
        return lambda b: cg(H, b, rtol=_TOLERANCE, atol=0.0)[0], lambda q: product(q)[:n_x]


def _solver(H: Any) -> Callable[[Vector], Vector]:
    n = H.shape[0]
    if n <= _DENSE[0] and H.nnz >= _DENSE[1] * n * n:
        factor = cho_factor(H.toarray(), lower=True, overwrite_a=True, check_finite=False)
        return lambda b: cho_solve(factor, b, check_finite=False)
    lu = splu(
        csc_array(H),
        permc_spec="MMD_AT_PLUS_A",
        diag_pivot_thresh=0.0,
        options={"SymmetricMode": True},
    )
    solve: Callable[[Vector], Vector] = lu.solve
    return solve


def sparho_trace(problem: BilevelProblem, data: Split, max_seconds: float) -> Trace:
    """HOAG around ridge regression by Cholesky factorisation; products of its adjoint are not seen.

    With its own adapter of sklearn's coordinate descent, which needs an L1 norm to see that it has converged,
    it takes a thousand times as long.
    """
    import sparho

    A, b, V, c = data
    trace, calls = Trace(max_seconds), Counter[str]()
    design, target = np.vstack([A, V]), np.concatenate([b, c])
    rows = np.arange(target.size, dtype=np.int32)
    held_out = sparho.HeldOutMSE(rows[: b.size], rows[b.size :])
    every = np.arange(A.shape[1], dtype=np.int32)
    gram, moments = A.T @ A / b.size, A.T @ b / b.size

    def solver(part: Any, alpha: Any, /, **_: Any) -> Any:
        calls["lower gradient"] += 1
        calls["Hessian"] += 1
        H = gram + float(alpha) * (1.0 - _L1_SHARE) * np.eye(every.size)
        y = cho_solve(cho_factor(H, lower=True, overwrite_a=True), moments)
        return sparho.SolverResult(y, every, 0.0, 1)

    class Recorded:
        """The criterion, which sees every hyperparameter."""

        def value(self, *arguments: Any, **options: Any) -> float:
            return float(held_out.value(*arguments, **options))

        def value_and_hypergrad(self, part: Any, alpha: Any, *rest: Any, **options: Any) -> Any:
            found = held_out.value_and_hypergrad(part, alpha, *rest, **options)
            calls["upper gradient"] += 1
            trace.record(np.log(np.atleast_1d(alpha)), 0.5 * found.value, calls)
            return found

    whole = sparho.Problem(sparho.SquaredLoss(), sparho.ElasticNet(_L1_SHARE), design, target)
    start = float(np.exp(problem.x0[0]))
    options = {"n_iter": 300, "inner_tol": 1e-10, "outer_tol": 1e-9}
    try:
        sparho.hoag_search(whole, start, solver=solver, criterion=Recorded(), **options)
    except OutOfTime:
        trace.note = "time limit"
    trace.note = trace.note or "products not counted"
    return trace
