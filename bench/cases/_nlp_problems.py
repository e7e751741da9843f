"""Large problems of ``karush bench nlp``, for ``_nlp_problems.py:function`` in the worker processes.

Absolute imports: the workers load this file by its path.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from scipy import sparse
from scipy.fft import dstn
from scipy.sparse.linalg import LinearOperator
from scipy.special import expit

from karush.problems import NLP, Capabilities, Metadata, Model
from karush.problems.nlp import IndexVector, Vector

RIDGE = 1e-4


class LogisticRegression(NLP):
    """Min mean_i log(1 + exp(-t_i x_i'w)) + ridge/2 ||w||^2 subject to A w = b with few dense rows.

    Parameters
    ----------
    data : ndarray or csr_array, shape (N, n)
        Observations, each row times its label t_i of -1 or 1.
    equations : ndarray, shape (k, n)
        A.
    values : ndarray, shape (k,)
        b.
    name : str
        Name of the problem.

    Notes
    -----
    With sparse data the Hessian is known by products only, as data of this kind are used: its matrix would
    be nearly full.
    """

    def __init__(self, data: Any, equations: Vector, values: Vector, name: str) -> None:
        self._data, self._equations = data, equations
        self._transposed = sparse.csr_array(data.T) if sparse.issparse(data) else data.T
        n = data.shape[1]
        free = np.full(n, np.inf)
        super().__init__(
            Metadata(
                name=name,
                x0=np.zeros(n),
                lb=-free,
                ub=free,
                cl=values,
                cu=values.copy(),
                y0=np.zeros(values.size),
                classification="OLR2-RN-V-V",
                capabilities=Capabilities(matrix_free=True, hessian_matrix=not sparse.issparse(data)),
            )
        )
        self._weights_at: Vector | None = None

    def objective(self, x: Vector) -> float:
        """See `NLP.objective`."""
        return float(np.logaddexp(0.0, -(self._data @ x)).mean() + 0.5 * RIDGE * (x @ x))

    def gradient(self, x: Vector, out: Vector | None = None) -> Vector:
        """See `NLP.gradient`."""
        slopes = expit(-(self._data @ x))
        return _into(out, RIDGE * x - self._transposed @ slopes / slopes.size)

    def constraints(self, x: Vector, out: Vector | None = None) -> Vector:
        """A x."""
        return _into(out, self._equations @ x)

    def jacobian_structure(self) -> tuple[IndexVector, IndexVector]:
        """All entries."""
        return np.arange(self.m + 1) * self.n, np.tile(np.arange(self.n), self.m)

    def jacobian_values(self, x: Vector, out: Vector | None = None) -> Vector:
        """A row by row."""
        return _into(out, self._equations.ravel())

    def jvp(self, x: Vector, v: Vector, out: Vector | None = None) -> Vector:
        """A v."""
        return _into(out, self._equations @ v)

    def vjp(self, x: Vector, w: Vector, out: Vector | None = None) -> Vector:
        """A'w."""
        return _into(out, self._equations.T @ w)

    def hessian_structure(self) -> tuple[IndexVector, IndexVector]:
        """All entries of the lower triangle; with sparse data too many."""
        if not self.capabilities.hessian_matrix:
            raise NotImplementedError(f"problem {self.name!r} knows its Hessian by products only")
        indptr = np.concatenate([[0], np.cumsum(np.arange(1, self.n + 1))])
        return indptr, np.tril_indices(self.n)[1]

    def hessian_values(
        self, x: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Lower triangle of sigma (X'DX/N + ridge I)."""
        H = self._data.T @ (self._weights(x)[:, None] * self._data)
        H[np.diag_indices(self.n)] += RIDGE
        return _into(out, sigma * H[np.tril_indices(self.n)])

    def hvp(
        self, x: Vector, v: Vector, y: Vector | None = None, sigma: float = 1.0, out: Vector | None = None
    ) -> Vector:
        """Product with sigma (X'DX/N + ridge I): the constraints are linear."""
        if sigma == 0.0:
            return _into(out, np.zeros(self.n))
        return _into(out, sigma * (self._transposed @ (self._weights(x) * (self._data @ v)) + RIDGE * v))

    def hessian_diagonal(self, x: Vector, y: Vector | None = None, sigma: float = 1.0) -> Vector:
        """Diagonal of the same."""
        diagonal: Vector = sigma * (self._transposed**2 @ self._weights(x) + RIDGE)
        return diagonal

    def _weights(self, x: Vector) -> Vector:
        """D/N, kept for the next product at the same x."""
        if self._weights_at is None or not np.array_equal(self._weights_at, x):
            p = expit(self._data @ x)
            self._weights_at = x.copy()
            self._kept: Vector = p * (1.0 - p) / p.size
        return self._kept


def logistic_dense(n: int = 300) -> LogisticRegression:
    """Gaussian data with 4 n observations and badly scaled columns, 10 equations."""
    rng = np.random.default_rng(2023)
    data = rng.standard_normal((4 * n, n)) * np.logspace(0, -2, n)
    return _regression(data, rng, f"LOGISTIC-DENSE[n={n}]")


def logistic_sparse(n: int = 50_000) -> LogisticRegression:
    """As many observations as variables, ten ones a row, columns as frequent as words; 10 equations."""
    rng = np.random.default_rng(2023)
    frequency = 1.0 / np.arange(1, n + 1)
    columns = rng.choice(n, size=(n, 10), p=frequency / frequency.sum())
    rows = np.repeat(np.arange(n), 10)
    data = sparse.coo_array((np.ones(10 * n), (rows, columns.ravel())), shape=(n, n)).tocsr()
    return _regression(data, rng, f"LOGISTIC-SPARSE[n={n}]")


def _regression(data: Any, rng: np.random.Generator, name: str) -> LogisticRegression:
    """Labels by a logistic model with weights w*; the equations hold at w*."""
    n = data.shape[1]
    weights = rng.standard_normal(n)
    labels = np.where(rng.random(data.shape[0]) < expit(data @ weights), 1.0, -1.0)
    signed = sparse.diags_array(labels) @ data if sparse.issparse(data) else labels[:, None] * data
    equations = rng.standard_normal((10, n)) / np.sqrt(n)
    return LogisticRegression(signed, equations, equations @ weights, name)


def semilinear_control(n: int = 64, alpha: float = 1e-3) -> NLP:
    """Control of -Laplace(y) + y^3 = u on the square without bounds: 2 n^2 variables, n^2 equations."""
    h = 1.0 / (n + 1)
    s, t = (np.arange(1, n + 1) * h)[:, None], np.arange(1, n + 1) * h
    target = np.exp(2 * s) / 6 * np.sin(2 * np.pi * s) * np.sin(2 * np.pi * t)
    model = Model(f"SEMILINEAR-EQUATIONS[n={n}]")
    y, u = model.variables((n, n)), model.variables((n, n))
    model.minimize(lambda d, v: (v - d) ** 2, target, y, weight=h**2 / 2)
    model.minimize(lambda v: v**2, u, weight=alpha * h**2 / 2)
    equation = model.constraints((n, n), lower=0, upper=0)
    equation.add_linear(4.0, y)
    for a, b in ((np.s_[:-1], np.s_[1:]), (np.s_[:, :-1], np.s_[:, 1:])):
        equation[a].add_linear(-1.0, y[b])
        equation[b].add_linear(-1.0, y[a])
    equation.add_linear(-(h**2), u)
    equation.add(lambda v: v**3, y, weight=h**2)
    return model.build()


def sine_transform(problem: NLP) -> Callable[..., LinearOperator]:
    """Preconditioner of the control problems' KKT matrices [[H + P, J'], [J, -D]], for MINRES.

    diag(H_y, H_u, S) with the mean coefficients of the Schur complement S = J (H + P)^-1 J', which the sine
    transform then diagonalises: n^2 log n operations and no factor.
    """
    n = math.isqrt(problem.m)
    cells, mass = n * n, 1.0 / (n + 1) ** 2
    roots = 4.0 * np.sin(np.pi * np.arange(1, n + 1) / (2 * (n + 1))) ** 2
    laplace = roots[:, None] + roots
    cost = problem.hvp(problem.x0, np.eye(1, problem.n, problem.n - 1)[0])[-1]

    def at(x: Vector, y: Vector, primal: Vector, dual: Vector) -> LinearOperator:
        diagonal = np.concatenate([mass + primal[:cells], cost + primal[cells:]])
        operator = laplace + mass * np.mean(3.0 * x[:cells] ** 2)
        schur = operator**2 * np.mean(1.0 / diagonal[:cells]) + mass**2 * np.mean(1.0 / diagonal[cells:])

        def apply(r: Vector) -> Vector:
            r = r.ravel()
            waves = dstn(r[problem.n :].reshape(n, n), type=1, norm="ortho") / schur
            return np.concatenate([r[: problem.n] / diagonal, dstn(waves, type=1, norm="ortho").ravel()])

        return LinearOperator((problem.n + cells, problem.n + cells), matvec=apply, dtype=float)

    return at


def _into(out: Vector | None, value: Vector) -> Vector:
    if out is None:
        return value
    out[...] = value
    return out
