"""The paper's regressions on a sparse design of badly scaled columns."""

from __future__ import annotations

import numpy as np
from scipy import sparse

from ..datafits import LeastSquares, Logistic, Multinomial
from ..penalties import NonNegative, NoPenalty
from ..problem import CompositeProblem
from ..protocol import Array
from .generators import register

_SOURCE = "Nutini, Laradji, Schmidt, JMLR 23(131), 2022, section 7"


def _design(rng: np.random.Generator, m: int, n: int) -> sparse.csc_array:
    """Entries N(0, 1) + 1, columns times 10 N(0, 1), each entry kept with probability 10 log(m) / m."""
    probability = min(1.0, 10.0 * np.log(m) / m)
    kept = rng.random((m, n)) < probability
    rows, columns = np.nonzero(kept)
    scales = 10.0 * rng.standard_normal(n)
    entries = (rng.standard_normal(rows.size) + 1.0) * scales[columns]
    X = sparse.csc_array((entries, (rows, columns)), shape=(m, n))
    X.sort_indices()
    return X


def _sparse_weights(rng: np.random.Generator, shape: tuple[int, ...]) -> Array:
    """Standard normal, each kept with probability 1/10."""
    return np.asarray(rng.standard_normal(shape) * (rng.random(shape) < 0.1))


@register("A", source=_SOURCE)
def least_squares(rng: np.random.Generator, m: int = 1000, n: int = 10_000) -> CompositeProblem:
    """Least squares, y = X w + N(0, 1) with a tenth of w nonzero."""
    X = _design(rng, m, n)
    y = X @ _sparse_weights(rng, (n,)) + rng.standard_normal(m)
    return CompositeProblem(LeastSquares(y), NoPenalty(), X)


@register("A-L1", source=_SOURCE)
def nonnegative_least_squares(
    rng: np.random.Generator, m: int = 1000, n: int = 10_000, lam: float = 50_000.0
) -> CompositeProblem:
    """The data of A, with w >= 0 and lam sum(w): about 50 of 10,000 coefficients are not zero."""
    X = _design(rng, m, n)
    y = X @ _sparse_weights(rng, (n,)) + rng.standard_normal(m)
    return CompositeProblem(LeastSquares(y), NonNegative(lam), X)


@register("B", source=_SOURCE)
def logistic(rng: np.random.Generator, m: int = 1000, n: int = 10_000) -> CompositeProblem:
    """Logistic regression on the design of A, a tenth of the labels flipped."""
    X = _design(rng, m, n)
    y = np.where(X @ _sparse_weights(rng, (n,)) >= 0, 1.0, -1.0)
    y[rng.random(m) < 0.1] *= -1.0
    return CompositeProblem(Logistic(y), NoPenalty(), X)


@register("C", source=_SOURCE)
def softmax(rng: np.random.Generator, m: int = 1000, n: int = 1000, classes: int = 50) -> CompositeProblem:
    """Softmax regression of 50 classes on a design like that of A, labels the largest of X W + N(0, 1)."""
    X = _design(rng, m, n)
    scores = X @ rng.standard_normal((n, classes)) + rng.standard_normal((m, classes))
    return CompositeProblem(Multinomial(np.argmax(scores, axis=1), classes=classes), NoPenalty(), X)
