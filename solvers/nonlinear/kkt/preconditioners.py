"""Preconditioners for KKT systems: constraint preconditioners, block diagonal ones, and the user's.

A constraint preconditioner is ``P = [[G, J'], [J, -diag(d)]]`` with an approximation G of ``H + diag(p)``
that is easily inverted; J and d are those of the system (Keller, Gould, Wathen, "Constraint preconditioning
for indefinite linear systems", SIAM J. Matrix Anal. Appl. 21 (2000)). A block diagonal one is ``diag(G, S)``,
S an approximation of the Schur complement ``J G^-1 J' + diag(d)`` (Murphy, Golub, Wathen, SIAM J. Sci.
Comput. 21 (2000)).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import LinAlgError, cho_factor, cho_solve
from scipy.sparse import diags_array, issparse

from ....problems.nlp import IndexVector, Vector
from .protocol import KKTPattern
from .select import kkt_solver

SCHUR_LIMIT = 400
"""Rows up to which the Schur complement is a dense matrix."""

SINGULAR = 1e-13
"""Pivots of the equilibrated Schur complement below this stand for dependent rows."""

PROBES = 8
"""Random signs from which the diagonal of a Schur complement known by products is estimated."""


class Deficient(ArithmeticError):  # noqa: N818 - a message to the system, not an error
    """The rows of J are dependent, as far as the preconditioner can tell: d > 0 is needed."""


class Metric(Protocol):
    """G: a symmetric positive definite matrix that is easily inverted."""

    def solve(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """``G^-1 v`` for a vector or the columns of a matrix."""


class DiagonalMetric:
    """G diagonal.

    Parameters
    ----------
    diagonal : ndarray, shape (n,)
        Positive.
    """

    def __init__(self, diagonal: Vector) -> None:
        self.diagonal = diagonal
        self.inverse = 1.0 / diagonal

    def solve(self, v: NDArray[np.float64]) -> NDArray[np.float64]:
        """``G^-1 v``."""
        return v * (self.inverse if v.ndim == 1 else self.inverse[:, None])


class MetricPreconditioner:
    """``P = G``, for systems without constraints."""

    def __init__(self, metric: Metric) -> None:
        self.metric = metric

    def __call__(self, r: Vector) -> Vector:
        """``P^-1 r``."""
        return self.metric.solve(r)


class SchurConstraint:
    """Constraint preconditioner by a Cholesky factorisation of the dense Schur complement, for few rows.

    Parameters
    ----------
    metric : Metric
        G.
    jacobian : ndarray or sparse array, shape (m, n)
        J.
    dual : ndarray, shape (m,)
        d.

    Raises
    ------
    Deficient
        The Schur complement is numerically singular.
    """

    def __init__(self, metric: Metric, jacobian: Any, dual: Vector) -> None:
        self.metric, self.jacobian = metric, jacobian
        self.n = jacobian.shape[1]
        self._scale, self._factor = _scaled_cholesky(schur_complement(metric, jacobian) + np.diag(dual))

    def __call__(self, r: Vector) -> Vector:
        """``P^-1 r``."""
        a, b = r[: self.n], r[self.n :]
        inner = self.metric.solve(a)
        rhs = self.jacobian @ inner
        rhs -= b
        y = self._scale * cho_solve(self._factor, self._scale * rhs, check_finite=False)
        x = inner - self.metric.solve(np.asarray(y @ self.jacobian))
        return np.concatenate([x, y])


def schur_complement(metric: Metric, jacobian: Any) -> NDArray[np.float64]:
    """``J G^-1 J'`` as a dense matrix."""
    if not issparse(jacobian):
        return np.asarray(jacobian @ metric.solve(np.ascontiguousarray(jacobian.T)))
    if isinstance(metric, DiagonalMetric):
        return np.asarray((jacobian @ diags_array(metric.inverse) @ jacobian.T).toarray())
    return np.asarray(jacobian @ metric.solve(jacobian.T.toarray()))


def _scaled_cholesky(S: NDArray[np.float64]) -> tuple[Vector, Any]:
    diagonal = S.diagonal()
    if not (np.isfinite(S).all() and (diagonal > 0.0).all()):
        raise Deficient
    scale = 1.0 / np.sqrt(diagonal)
    try:
        factor = cho_factor(scale[:, None] * S * scale, lower=True, check_finite=False)
    except LinAlgError:
        raise Deficient from None
    if float(factor[0].diagonal().min()) ** 2 <= SINGULAR:
        raise Deficient
    return scale, factor


class FactorisedConstraint:
    """Constraint preconditioner with a diagonal G by a factorisation of P, for many sparse rows.

    P is sparser than K, by all of H but its diagonal.

    Parameters
    ----------
    rows, columns : ndarray of int64
        Coordinates of J's values.
    shape : tuple of int
        (m, n).
    """

    def __init__(self, rows: IndexVector, columns: IndexVector, shape: tuple[int, int]) -> None:
        m, n = shape
        empty = np.zeros(0, dtype=np.int64)
        self._kkt = kkt_solver(KKTPattern(n, m, empty, empty, rows, columns))
        self.shape = shape

    def factor(self, diagonal: Vector, values: Vector, dual: Vector) -> Callable[[Vector], Vector]:
        """``r -> P^-1 r`` with these numbers.

        Raises
        ------
        Deficient
            P is singular, or J's rows are dependent.
        """
        m, n = self.shape
        self._kkt.load(np.zeros(0), values)
        if self._kkt.factor(diagonal, dual) != (n, m, 0):
            raise Deficient
        return lambda r: self._kkt.solve(r)[0]


class BlockDiagonal:
    """``diag(G, S)`` with S the diagonal of the Schur complement, or all of it for few rows.

    Parameters
    ----------
    metric : DiagonalMetric
        G.
    jacobian : ndarray, sparse array or operator, shape (m, n)
        J; where only its products are known, the diagonal of S is estimated from random signs.
    dual : ndarray, shape (m,)
        d.
    """

    def __init__(self, metric: DiagonalMetric, jacobian: Any, dual: Vector) -> None:
        self.metric, self.n = metric, metric.diagonal.size
        m = dual.size
        self._factor: Any = None
        if m <= SCHUR_LIMIT and (issparse(jacobian) or isinstance(jacobian, np.ndarray)):
            try:
                self._scale, self._factor = _scaled_cholesky(
                    schur_complement(metric, jacobian) + np.diag(dual)
                )
                return
            except Deficient:
                pass
        diagonal = schur_diagonal(metric, jacobian, m) + dual
        largest = float(diagonal.max(initial=0.0))
        self._inverse = 1.0 / np.maximum(diagonal, 1e-12 * largest if largest > 0.0 else 1.0)

    def __call__(self, r: Vector) -> Vector:
        """``P^-1 r``."""
        x, b = self.metric.solve(r[: self.n]), r[self.n :]
        if self._factor is None:
            return np.concatenate([x, self._inverse * b])
        y = self._scale * cho_solve(self._factor, self._scale * b, check_finite=False)
        return np.concatenate([x, y])


def schur_diagonal(metric: DiagonalMetric, jacobian: Any, m: int) -> Vector:
    """Diagonal of ``J G^-1 J'``: exact where J is a matrix, else an estimate by `PROBES` products."""
    if issparse(jacobian):
        return np.asarray(jacobian.power(2) @ metric.inverse)
    if isinstance(jacobian, np.ndarray):
        return np.asarray((jacobian * jacobian) @ metric.inverse)
    # The same signs at every call: a run must not depend on anything but its arguments.
    rng = np.random.default_rng(0)
    root = np.sqrt(metric.inverse)
    total = np.zeros(m)
    for _ in range(PROBES):
        total += (jacobian @ (root * rng.choice([-1.0, 1.0], root.size))) ** 2
    return total / PROBES
