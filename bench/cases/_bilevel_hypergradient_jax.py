"""Peers in JAX: the implicit differentiation of jaxopt and of optimistix, within scipy's L-BFGS-B.

Both differentiate through the solution of the lower level by the implicit function theorem, in double
precision, compiled, each lower level from the last solution. jaxopt: its L-BFGS below, conjugate gradients
for the adjoint. optimistix: up to `DENSE` lower variables Newton's method with a dogleg on the gradient
(plain Newton diverges on logistic losses), and dense matrices; above, its L-BFGS and conjugate gradients.

The levels are written in JAX once more; that they are the library's is checked before anything is measured.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

from ...problems.bilevel.problem import BilevelProblem
from ...problems.nlp import Vector
from ._bilevel_hypergradient_peers import by_lbfgsb
from ._bilevel_hypergradient_traces import Point, Trace

DENSE = 100
"""Lower variables up to which optimistix factorises; measured: beyond, its L-BFGS is faster."""

_TOLERANCE = 1e-9
"""Of lower levels and adjoints."""

Level = Callable[[Any, Any], Any]


def jax_of_one_thread() -> Any:
    """JAX in double precision; on one thread, if this is its first import."""
    os.environ.setdefault("XLA_FLAGS", "--xla_cpu_multi_thread_eigen=false")
    import jax

    jax.config.update("jax_enable_x64", True)
    return jax


# ---- the levels ------------------------------------------------------------------------------------------


def ridge(A: Vector, b: Vector, V: Vector, c: Vector, group: Vector) -> tuple[Level, Level]:
    """F(x, y) and f(x, y) of "RIDGE"."""
    jnp = jax_of_one_thread().numpy

    def upper(x: Any, y: Any) -> Any:
        return 0.5 * jnp.mean((V @ y - c) ** 2)

    def lower(x: Any, y: Any) -> Any:
        return 0.5 * jnp.mean((A @ y - b) ** 2) + 0.5 * jnp.sum(jnp.exp(x)[group] * y * y)

    return upper, lower


def _softmax_losses(A: Vector, labels: Vector, classes: int, y: Any) -> Any:
    jax = jax_of_one_thread()
    scores = A @ y.reshape(classes, -1).T
    picked = scores[np.arange(labels.size), labels.astype(int)]
    return jax.scipy.special.logsumexp(scores, axis=1) - picked


def logistic(A: Vector, b: Vector, V: Vector, c: Vector, group: Vector) -> tuple[Level, Level]:
    """Of "LOGISTIC"; `group` is that of one class."""
    jnp = jax_of_one_thread().numpy
    classes = int(max(b.max(), c.max())) + 1
    groups = np.tile(group, classes)

    def upper(x: Any, y: Any) -> Any:
        return jnp.mean(_softmax_losses(V, c, classes, y))

    def lower(x: Any, y: Any) -> Any:
        penalty = 0.5 * jnp.sum(jnp.exp(x)[groups] * y * y)
        return jnp.mean(_softmax_losses(A, b, classes, y)) + penalty

    return upper, lower


def hyper_cleaning(A: Vector, b: Vector, V: Vector, c: Vector) -> tuple[Level, Level]:
    """Of "HYPER-CLEANING" with its defaults; `b` are the labels with errors."""
    jax = jax_of_one_thread()
    jnp = jax.numpy
    classes = int(max(b.max(), c.max())) + 1

    def upper(x: Any, y: Any) -> Any:
        return jnp.mean(_softmax_losses(V, c, classes, y)) + 1e-4 * jnp.mean(x * x)

    def lower(x: Any, y: Any) -> Any:
        losses = _softmax_losses(A, b, classes, y)
        return jnp.mean(jax.nn.sigmoid(x) * losses) + 0.5 * 1e-2 * jnp.sum(y * y)

    return upper, lower


def total_variation(clean: Vector, noisy: Vector, blocks: int) -> tuple[Level, Level]:
    """Of "TV-WEIGHTS" with its default width."""
    jnp = jax_of_one_thread().numpy
    side = round(np.sqrt(noisy.size))
    part = np.arange(side) * blocks // side
    block = part[:, None] * blocks + part

    def root(t: Any) -> Any:
        return jnp.sqrt(t * t + 0.05**2)

    def upper(x: Any, y: Any) -> Any:
        return 0.5 * jnp.mean((y - clean) ** 2)

    def lower(x: Any, y: Any) -> Any:
        weights, image = jnp.exp(x)[block], y.reshape(side, side)
        down, across = root(jnp.diff(image, axis=0)), root(jnp.diff(image, axis=1))
        return (
            0.5 * jnp.sum((y - noisy) ** 2) + jnp.sum(weights[:-1] * down) + jnp.sum(weights[:, :-1] * across)
        )

    return upper, lower


def filters(clean: Vector, noisy: Vector) -> tuple[Level, Level]:
    """Of "FILTERS" with its default width and ridge."""
    jnp = jax_of_one_thread().numpy
    side = round(np.sqrt(noisy.size))

    def upper(x: Any, y: Any) -> Any:
        return 0.5 * jnp.mean((y - clean) ** 2) + 0.5 * 1e-5 * jnp.sum(x * x)

    def lower(x: Any, y: Any) -> Any:
        image = y.reshape(side, side)
        a, b, c, d = image[:-1, :-1], image[:-1, 1:], image[1:, :-1], image[1:, 1:]
        patterns = jnp.stack([(c + d - a - b) / 4, (b + d - a - c) / 4, (a + d - b - c) / 4])
        t = jnp.tensordot(x.reshape(-1, 3), patterns, axes=1)
        return 0.5 * jnp.sum((y - noisy) ** 2) + jnp.sum(jnp.sqrt(t * t + 0.1**2))

    return upper, lower


def quadratic(A1: Vector, b1: Vector, A2: Vector, A3: Vector, b2: Vector) -> tuple[Level, Level]:
    """Of the benchmark's own quadratic."""
    jnp = jax_of_one_thread().numpy

    def upper(x: Any, y: Any) -> Any:
        return 0.5 * jnp.sum((A1 @ y - b1) ** 2)

    def lower(x: Any, y: Any) -> Any:
        return 0.5 * jnp.sum((A2 @ x + A3 @ y - b2) ** 2)

    return upper, lower


def check(problem: BilevelProblem, upper: Level, lower: Level) -> None:
    """Raise ArithmeticError where levels in JAX are not those of the problem."""
    rng = np.random.default_rng(0)
    x = problem.x0 + 0.1 * rng.standard_normal(problem.n_x)
    y = problem.y0 + 0.1 * rng.standard_normal(problem.n_y)
    w = problem.join(x, y)
    for name, ours, theirs in (("upper", problem.upper, upper), ("lower", problem.lower, lower)):
        known, found = ours.objective(w), float(theirs(x, y))
        if not abs(known - found) <= 1e-10 * max(1.0, abs(known)):
            raise ArithmeticError(f"{problem.name}: the {name} level is {found} in JAX, and {known}")


# ---- the peers -------------------------------------------------------------------------------------------


class JaxoptPeer:
    """jaxopt: L-BFGS below, the adjoint by conjugate gradients.

    Parameters
    ----------
    problem : BilevelProblem
    upper, lower : callable
        Its levels in JAX.
    """

    def __init__(self, problem: BilevelProblem, upper: Level, lower: Level) -> None:
        self._problem, self._upper, self._lower = problem, upper, lower
        self._products = 0
        self._timed = self._compiled(count=False)

    def _compiled(self, count: bool) -> Any:
        import jaxopt

        jax = jax_of_one_thread()

        def adjoint(matvec: Callable[[Any], Any], b: Any, **_: Any) -> Any:
            def counted(v: Any) -> Any:
                jax.debug.callback(self._tick)
                return matvec(v)

            product = counted if count else matvec
            return jaxopt.linear_solve.solve_cg(product, b, tol=_TOLERANCE, maxiter=20 * self._problem.n_y)

        solver = jaxopt.LBFGS(
            fun=lambda y, x: self._lower(x, y),
            tol=_TOLERANCE * max(1.0, self._first_gradient()),
            maxiter=20_000,
            implicit_diff_solve=adjoint,
        )

        def reduced(x: Any, y: Any) -> Any:
            found = solver.run(y, x)
            return self._upper(x, found.params), (found.params, found.state.num_grad_eval)

        return jax.jit(jax.value_and_grad(reduced, has_aux=True))

    def _first_gradient(self) -> float:
        problem = self._problem
        w = problem.join(problem.x0, problem.y0)
        return float(np.linalg.norm(problem.lower.gradient(w)[problem.n_x :]))

    def _tick(self) -> None:
        self._products += 1

    def trace(self, max_seconds: float) -> Trace:
        """One run, without the products."""
        y, calls = self._problem.y0, Counter[str]()

        def hypergradient(x: Vector) -> tuple[float, Vector]:
            nonlocal y
            (F, (y, gradients)), p = self._timed(x, y)
            calls["upper gradient"] += 1
            calls["lower gradient"] += int(gradients)
            return float(F), np.asarray(p)

        return by_lbfgsb(self._problem, hypergradient, Trace(max_seconds), calls)

    def with_products(self, trace: Trace) -> Trace:
        """The same points, all of them evaluated once more to count the products."""
        jax = jax_of_one_thread()
        counted, y, points = self._compiled(count=True), self._problem.y0, []
        self._products = 0
        for point in trace.points:
            (_, (y, _)), _ = counted(point.x, y)
            jax.effects_barrier()
            calls = point.calls + Counter({"product": self._products})
            points.append(Point(point.x, point.F, calls, point.seconds))
        return Trace(trace.max_seconds, points, trace.note)


class OptimistixPeer:
    """optimistix, with its implicit adjoint.

    Parameters
    ----------
    problem : BilevelProblem
    upper, lower : callable
        Its levels in JAX.
    """

    def __init__(self, problem: BilevelProblem, upper: Level, lower: Level) -> None:
        import lineax
        import optimistix

        jax = jax_of_one_thread()
        self._problem, self._dense = problem, problem.n_y <= DENSE
        if self._dense:
            by_y = jax.grad(lower, argnums=1)
            linear = lineax.AutoLinearSolver(well_posed=True)
            solver: Any = optimistix.Dogleg(_TOLERANCE, _TOLERANCE, linear_solver=linear)
            solve = partial(optimistix.root_find, lambda y, x: by_y(x, y), solver)
        else:
            linear = lineax.CG(rtol=_TOLERANCE, atol=1e-13)
            solver = optimistix.LBFGS(0.01 * _TOLERANCE, 0.01 * _TOLERANCE)  # on changes of y and f
            solve = partial(optimistix.minimise, lambda y, x: lower(x, y), solver)
        adjoint = optimistix.ImplicitAdjoint(linear_solver=linear)
        definite = frozenset({lineax.symmetric_tag, lineax.positive_semidefinite_tag})

        def reduced(x: Any, y: Any) -> Any:
            found: Any = solve(y, args=x, max_steps=20_000, adjoint=adjoint, tags=definite, throw=False)
            good = found.result == optimistix.RESULTS.successful
            return upper(x, found.value), (found.value, found.stats["num_steps"], good)

        self._timed = jax.jit(jax.value_and_grad(reduced, has_aux=True))

    def trace(self, max_seconds: float) -> Trace:
        """One run."""
        y, calls, trace = self._problem.y0, Counter[str](), Trace(max_seconds)
        failures = 0

        def hypergradient(x: Vector) -> tuple[float, Vector]:
            nonlocal y, failures
            (F, (found, steps, good)), p = self._timed(x, y)
            calls["upper gradient"] += 1
            calls["lower gradient"] += int(steps)
            if self._dense:
                calls["Hessian"] += int(steps) + 1
            if bool(good):
                y = found
            else:
                failures += 1
            return float(F), np.asarray(p)

        by_lbfgsb(self._problem, hypergradient, trace, calls)
        notes = [trace.note] if trace.note else []
        if failures:
            notes.append(f"{failures} lower levels not solved")
        if not self._dense:
            notes.append("products not counted")
        trace.note = "; ".join(notes)
        return trace
