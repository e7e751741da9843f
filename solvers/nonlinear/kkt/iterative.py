"""KKT systems solved by Krylov methods: a `KKTSolver` that never forms nor factorises K."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_array, issparse

from ....problems.nlp import Vector
from .krylov import Ending, KKTProducts, KrylovRun, Minres, Product, ProjectedCG
from .preconditioners import (
    SCHUR_LIMIT,
    BlockDiagonal,
    Deficient,
    DiagonalMetric,
    FactorisedConstraint,
    Metric,
    MetricPreconditioner,
    SchurConstraint,
    schur_diagonal,
)
from .protocol import Inertia, KKTPattern

PreconditionerKind = Literal["auto", "constraint", "block-diagonal"]

FORMED_ROWS = 50
"""Rows up to which a Jacobian known by products is formed, by as many products, for its Schur complement."""

SMALLEST_METRIC = 1e-6
"""Floor of the diagonal of G, relative to its mean."""

TRACE_PROBES = 4
"""Most products from which the mean curvature of a Hessian is estimated; fewer for large n."""

FULL = 0.3
"""Share of nonzeros beyond which a sparse Jacobian of few rows is worked with as a dense array."""

MAX_ITERATIONS = 2000
"""Most iterations of one solve; small systems get fewer, see `KrylovKKT.limit`."""


class KrylovKKT:
    """Projected CG with a constraint preconditioner, or MINRES with a positive definite one.

    Parameters
    ----------
    pattern : KKTPattern
        Orders, and the coordinates of values of H and J where there are any.
    preconditioner : {"auto", "constraint", "block-diagonal"} or callable, default "auto"
        A callable ``(primal, dual) -> (r -> M^-1 r)`` gives a positive definite one, for MINRES (for CG where
        m = 0). "auto" is "constraint" unless the Jacobian is known by products only and has many rows.

    Attributes
    ----------
    check : callable or None
        Called once an iteration; may raise, to end a run that has used up its time.
    note : str
        What a record should say of the method, if anything.
    tolerance : float
        Euclidean norm of the residual at which `solve` ends.
    radius, boundary : float
        Longest step along a direction of negative curvature; longest solution at all (projected CG).
    iterations : int
        Of all runs.
    run : KrylovRun or None
        The last one.
    """

    def __init__(
        self,
        pattern: KKTPattern,
        preconditioner: PreconditionerKind | Callable[[Vector, Vector], Product] = "auto",
    ) -> None:
        self.pattern = pattern
        self.preconditioner: Any = preconditioner
        self.check: Callable[[], None] | None = None
        self.note = ""
        self.tolerance, self.radius, self.boundary = 0.0, math.inf, math.inf
        self.iterations = 0
        self.run: KrylovRun | None = None
        self.limit = min(100 + 5 * pattern.order, MAX_ITERATIONS)
        self._hessian: Any = None
        self._jacobian: Any = csr_array((pattern.m, pattern.n))
        self._jacobian_values: Vector | None = None
        self._diagonal: Vector | None = np.zeros(pattern.n)
        self._matrix: KKTProducts | None = None
        self._precondition: Product = np.copy
        self._factorised: FactorisedConstraint | None = None
        self._symmetric: tuple[Any, ...] | None = None

    # ---- what is solved

    def load(self, hessian: Any, jacobian: Any, jacobian_values: Vector | None = None) -> None:
        """Take the derivatives.

        Parameters
        ----------
        hessian : ndarray, operator or None
            Values of the lower triangle on the pattern, or anything with ``H @ v``; None: zero.
        jacobian : ndarray, sparse array or operator
            Anything with ``J @ v`` and ``w @ J``.
        jacobian_values : ndarray, optional
            Its values in the order of the pattern.
        """
        if isinstance(hessian, np.ndarray) and not hessian.any():
            hessian = None
        self._hessian = self._assembled(hessian) if isinstance(hessian, np.ndarray) else hessian
        self._diagonal = self._diagonal_of(hessian)
        self._mean: float | None = None
        self._jacobian, self._jacobian_values = _dense_if_full(jacobian), jacobian_values
        self.run = None

    def _assembled(self, values: Vector) -> csr_array:
        """Both triangles of H as a sparse matrix."""
        p = self.pattern
        if self._symmetric is None:
            strict = np.flatnonzero(p.hessian_rows != p.hessian_columns)
            rows = np.concatenate([p.hessian_rows, p.hessian_columns[strict]])
            columns = np.concatenate([p.hessian_columns, p.hessian_rows[strict]])
            source = np.concatenate([np.arange(p.hessian_rows.size), strict])
            order = np.lexsort((columns, rows))
            indptr = np.zeros(p.n + 1, dtype=np.int64)
            np.cumsum(np.bincount(rows, minlength=p.n), out=indptr[1:])
            self._symmetric = columns[order], indptr, source[order]
        indices, indptr, source = self._symmetric
        return csr_array((values[source], indices, indptr), shape=(p.n, p.n))

    def _diagonal_of(self, hessian: Any) -> Vector | None:
        """The diagonal of H, None where H is known by products only."""
        p = self.pattern
        if hessian is None:
            return np.zeros(p.n)
        if isinstance(hessian, np.ndarray):
            on = p.hessian_rows == p.hessian_columns
            return np.bincount(p.hessian_rows[on], hessian[on], minlength=p.n).astype(np.float64)
        known = getattr(hessian, "diagonal", None)
        diagonal: Vector | None = None if known is None else known()
        return diagonal

    def _mean_curvature(self) -> float:
        """trace(H)/n by Hutchinson's estimator, with the same signs each time."""
        if self._mean is None:
            n, rng = self.pattern.n, np.random.default_rng(0)
            probes = max(1, min(TRACE_PROBES, 1000 // max(n, 1)))
            signs = rng.choice([-1.0, 1.0], (probes, n))
            mean = sum(float(v @ (self._hessian @ v)) for v in signs) / (probes * max(n, 1))
            self._mean = mean if math.isfinite(mean) else 0.0
        return self._mean

    # ---- preconditioner

    def factor(self, primal: Vector, dual: Vector) -> Inertia:
        """Build the preconditioner; the inertia is (n, m, 0) unless J's rows prove dependent.

        Negative curvature is seen by `solve` only, see `regularised`.
        """
        n, m = self.pattern.n, self.pattern.m
        self.run = self._matrix = None
        if not (np.isfinite(primal).all() and np.isfinite(dual).all()):
            return Inertia(0, 0, n + m)
        metric = self._metric(primal)
        try:
            self._precondition = self._build(metric, primal, dual)
        except Deficient:
            if not m or not bool((dual > 0.0).all()):
                return Inertia(n, m - 1, 1)
            # Rows so nearly dependent that the shift asked for is lost in rounding.
            dual = np.maximum(dual, 1e-9 * schur_diagonal(metric, self._jacobian, m))
            try:
                self._precondition = self._build(metric, primal, dual)
            except Deficient:
                return Inertia(n, m - 1, 1)
        self._matrix = KKTProducts(n, m, self._curved, self._jacobian, primal, dual)
        return Inertia(n, m, 0)

    def _curved(self, v: Vector) -> Vector:
        if self.check is not None:
            self.check()
        return np.zeros(v.size) if self._hessian is None else np.asarray(self._hessian @ v)

    def _metric(self, primal: Vector) -> DiagonalMetric:
        """G: the modulus of the diagonal of ``H + diag(p)``."""
        if primal.size == 0 or (self._diagonal is None and not np.ptp(primal)):
            return DiagonalMetric(np.ones(primal.size))  # its scale does not matter
        diagonal = np.abs((self._mean_curvature() if self._diagonal is None else self._diagonal) + primal)
        mean = float(diagonal.mean()) if diagonal.size else 0.0
        if not (mean > 0.0 and math.isfinite(mean)):
            return DiagonalMetric(np.ones(diagonal.size))
        return DiagonalMetric(np.maximum(diagonal, SMALLEST_METRIC * mean))

    def _outer_metric(self, metric: DiagonalMetric, primal: Vector) -> Metric:
        """G as constraint preconditioners take it."""
        return metric

    @property
    def projects(self) -> bool:
        """Whether the method is projected CG; else it is MINRES."""
        if self.pattern.m == 0:
            return True
        if self.preconditioner == "auto":
            return self._is_matrix() or self.pattern.m <= FORMED_ROWS
        return bool(self.preconditioner == "constraint")

    @property
    def name(self) -> str:
        """What the method is called in records."""
        if self.pattern.m == 0:
            return "krylov: CG"
        if self.projects:
            return "krylov: projected CG, constraint preconditioner"
        kind = "user's" if callable(self.preconditioner) else "block diagonal"
        return f"krylov: MINRES, {kind} preconditioner"

    def _is_matrix(self) -> bool:
        return isinstance(self._jacobian, np.ndarray) or issparse(self._jacobian)

    def _build(self, metric: DiagonalMetric, primal: Vector, dual: Vector) -> Product:
        n, m = self.pattern.n, self.pattern.m
        if callable(self.preconditioner):
            given: Product = self.preconditioner(primal, dual)
            return given
        if m == 0:
            return MetricPreconditioner(self._outer_metric(metric, primal))
        if not self.projects:
            return BlockDiagonal(metric, self._jacobian, dual)
        if m <= SCHUR_LIMIT or self._jacobian_values is None:
            jacobian = self._jacobian if self._is_matrix() else self._jacobian.toarray()
            return SchurConstraint(self._outer_metric(metric, primal), jacobian, dual)
        if self._factorised is None:
            self._factorised = FactorisedConstraint(
                self.pattern.jacobian_rows, self.pattern.jacobian_columns, (m, n)
            )
        return self._factorised.factor(metric.diagonal, self._jacobian_values, dual)

    # ---- solving

    def solve(self, rhs: Vector) -> tuple[Vector, float]:
        """Solution to `tolerance`, or the best one found; and its relative residual, inf if it is not finite.

        With the right-hand side of the last run, that run goes on.
        """
        if self._matrix is None:  # nothing could be factorised
            return np.full(rhs.size, math.nan), math.inf
        if self.run is None or not np.array_equal(rhs, self.run.rhs):
            self.run = self._new_run(rhs)
        run, before = self.run, self.run.iterations
        with np.errstate(all="ignore"):
            run.run(self.tolerance, max(self.limit - before, 1))
        self.iterations += run.iterations - before
        size, solution = float(np.linalg.norm(rhs)), run.solution.copy()  # the run's own may yet change
        if not (np.isfinite(solution).all() and math.isfinite(run.residual)):
            return solution, math.inf
        return solution, run.residual / size if size > 0.0 else 0.0

    def _new_run(self, rhs: Vector) -> KrylovRun:
        assert self._matrix is not None
        with np.errstate(all="ignore"):
            if self.projects:
                return ProjectedCG(self._matrix, self._precondition, rhs.copy(), self.radius, self.boundary)
            return Minres(self._matrix, self._precondition, rhs.copy())

    def multiply(self, v: Vector) -> Vector:
        """``K v``."""
        assert self._matrix is not None
        return self._matrix.multiply(v)

    @property
    def regularised(self) -> bool:
        """Whether the last run ended at a direction of no or negative curvature, or at the boundary."""
        return self.run is not None and self.run.ending in (Ending.CURVATURE, Ending.BOUNDARY)

    def curvature(self, x: Vector) -> float:
        """``x'(H + diag(p)) x``; -inf where K was seen to have more than m negative eigenvalues."""
        assert self._matrix is not None
        if isinstance(self.run, Minres) and self.run.negatives > self.pattern.m:
            return -math.inf
        return float(x @ self._matrix.curved(x))


def _dense_if_full(jacobian: Any) -> Any:
    """A sparse array of few rows that is hardly sparse as a dense one."""
    if issparse(jacobian) and jacobian.shape[0] <= SCHUR_LIMIT:
        m, n = jacobian.shape
        if jacobian.nnz > FULL * m * n:
            return jacobian.toarray()
    return jacobian
