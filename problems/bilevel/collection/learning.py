"""Hyperparameters of learning as bilevel problems: training below, the loss on held-out data above.

The upper variables are logarithms of penalties, or weights of samples; the lower ones are coefficients. All
derivatives are written out.
"""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from scipy.sparse import csr_array

from ...nlp import Vector
from ..callables import bilevel_from_callables
from ..data_sets import CLASSIFICATION, REGRESSION, Dense, class_data, regression_data, shipped_data
from ..problem import BilevelProblem
from ..registry import register_bilevel

LOG_RANGE = 12.0
"""Logarithms of penalties lie within +- this."""

LOGISTIC_MATRIX, CLEANING_MATRIX = 3000, 500
"""Variables in all up to which second derivatives, which are dense, are matrices; products beyond.

Where these are faster was measured. Penalties from e^-12 to e^12 make conjugate gradients slow on LOGISTIC.
"""


def _penalty(x: Vector, y: Vector, group: np.ndarray) -> tuple[float, Vector, Vector, Vector]:
    """.5 sum_j e^x[group_j] y_j^2: value, weights e^x of each y_j, gradients by x and by y."""
    weights = np.exp(x)[group]
    each = weights * y * y
    by_x = 0.5 * np.bincount(group, each, x.size)
    return float(each.sum()) / 2.0, weights, np.asarray(by_x, dtype=np.float64), weights * y


def _lower_with_penalty(
    n_x: int, hess_y: Dense, weights: Vector, by_x: Vector, y: Vector, group: np.ndarray
) -> Dense:
    """Hessian over (x, y) of a loss of y with the penalty."""
    n = n_x + y.size
    hessian = np.zeros((n, n))
    hessian[n_x:, n_x:] = hess_y
    every = np.arange(y.size)
    hessian[n_x + every, n_x + every] += weights
    hessian[group, n_x + every] = hessian[n_x + every, group] = weights * y
    hessian[np.arange(n_x), np.arange(n_x)] = by_x
    return hessian


def _matrices_or_products(products: bool, upper: tuple[Any, Any], lower: tuple[Any, Any]) -> dict[str, Any]:
    """The second derivatives of both levels, each given as (hess, hessp), as keywords."""
    if products:
        return {"upper_hessp": upper[1], "lower_hessp": lower[1]}
    return {"upper_hess": upper[0], "lower_hess": lower[0]}


def _groups(d: int, per_feature: bool) -> np.ndarray:
    return np.arange(d) if per_feature else np.zeros(d, dtype=np.int64)


@register_bilevel("RIDGE", "Pedregosa, 'Hyperparameter optimization with approximate gradient', ICML 2016")
def ridge(
    samples: int = 60, features: int = 20, per_feature: bool = True, data: str = "synthetic", rng: Any = 0
) -> BilevelProblem:
    """Ridge regression: log-penalties, one per feature or one in all, by the error on held-out samples.

    ``data="diabetes"`` takes scikit-learn's.
    """
    made = data == "synthetic"
    A, b, V, c = regression_data(rng, samples, features) if made else shipped_data(data, REGRESSION)
    d = A.shape[1]
    group = _groups(d, per_feature)
    n_x = int(group[-1]) + 1
    gram, held = A.T @ A / A.shape[0], V.T @ V / V.shape[0]
    upper_hess = np.zeros((n_x + d, n_x + d))
    upper_hess[n_x:, n_x:] = held

    def lower(x: Vector, y: Vector) -> float:
        return 0.5 * float(np.mean((A @ y - b) ** 2)) + _penalty(x, y, group)[0]

    def lower_jac(x: Vector, y: Vector) -> tuple[Vector, Vector]:
        _, _, by_x, by_y = _penalty(x, y, group)
        return by_x, A.T @ (A @ y - b) / b.size + by_y

    def lower_hess(x: Vector, y: Vector) -> Dense:
        _, weights, by_x, _ = _penalty(x, y, group)
        return _lower_with_penalty(n_x, gram, weights, by_x, y, group)

    return bilevel_from_callables(
        lambda x, y: 0.5 * np.mean((V @ y - c) ** 2),
        lower,
        np.full(n_x, -2.0),
        np.zeros(d),
        upper_jac=lambda x, y: (np.zeros(n_x), V.T @ (V @ y - c) / c.size),
        upper_hess=lambda x, y: upper_hess,
        lower_jac=lower_jac,
        lower_hess=lower_hess,
        x_bounds=[(-LOG_RANGE, LOG_RANGE)] * n_x,
        name="RIDGE",
        lower_convex=True,
    )


class _Softmax:
    """Multinomial logistic losses of samples; the coefficients are those of one class after another."""

    def __init__(self, A: Dense, labels: Dense, classes: int) -> None:
        self.A, self.classes = A, classes
        self.targets = np.eye(classes)[labels.astype(np.int64)]
        self._last: tuple[Vector, Vector, Dense] | None = None

    def probabilities(self, y: Vector) -> tuple[Vector, Dense]:
        """Loss of each sample, and the probabilities of the classes; kept for the last y."""
        if self._last is None or not np.array_equal(self._last[0], y):
            scores = self.scores(y)
            scores -= scores.max(axis=1, keepdims=True)
            powers = np.exp(scores)
            total = powers.sum(axis=1)
            losses = np.log(total) - (scores * self.targets).sum(axis=1)
            self._last = y.copy(), losses, powers / total[:, None]
        return self._last[1:]

    def scores(self, y: Vector) -> Dense:
        """Shape (samples, classes)."""
        return np.asarray(self.A @ y.reshape(self.classes, -1).T)

    def gradient(self, P: Dense, weights: Vector) -> Vector:
        """Of the weighted sum of losses."""
        return self.spread((P - self.targets) * weights[:, None])

    def spread(self, D: Dense) -> Vector:
        """The transpose of `scores`, shape (classes * features,)."""
        return np.asarray(D.T @ self.A).ravel()

    def product(
        self, P: Dense, weights: Vector, v: Vector, changes: Vector | float = 0.0
    ) -> tuple[Vector, Vector]:
        """Slopes of the samples' losses along v, and the change of `gradient` as y moves along v.

        The weights move along `changes` at the same time.
        """
        moved, away = self.scores(v), P - self.targets
        slopes = (away * moved).sum(axis=1)
        bend = P * (moved - (P * moved).sum(axis=1, keepdims=True))
        return slopes, self.spread(bend * weights[:, None] + away * np.reshape(changes, (-1, 1)))

    def hessian(self, P: Dense, weights: Vector) -> Dense:
        """Of the weighted sum of losses."""
        k, d = self.classes, self.A.shape[1]
        hessian = np.empty((k, d, k, d))
        for i in range(k):
            for j in range(i, k):
                share = weights * (P[:, i] * ((i == j) - P[:, j]))
                block = self.A.T @ (share[:, None] * self.A)
                hessian[i, :, j, :] = block
                hessian[j, :, i, :] = block
        return hessian.reshape(k * d, k * d)

    def sample_gradients(self, P: Dense) -> Dense:
        """One column for each sample, shape (k d, samples)."""
        each = (P - self.targets)[:, :, None] * self.A[:, None, :]
        return each.reshape(self.A.shape[0], -1).T


@register_bilevel("LOGISTIC", "Pedregosa, 'Hyperparameter optimization with approximate gradient', ICML 2016")
def logistic(
    samples: int = 80,
    features: int = 10,
    classes: int = 3,
    penalties: Literal["one", "feature"] = "feature",
    data: str = "synthetic",
    rng: Any = 0,
) -> BilevelProblem:
    """Multinomial logistic regression: log-penalties, one per feature or one in all, by the held-out loss.

    ``data`` may be one of scikit-learn's "breast-cancer", "wine", "digits".
    """
    if penalties not in ("one", "feature"):
        raise ValueError(f"penalties must be 'one' or 'feature', got {penalties!r}")
    made = data == "synthetic"
    split = class_data(rng, samples, features, classes) if made else shipped_data(data, CLASSIFICATION)
    classes = int(max(split[1].max(), split[3].max())) + 1
    loss, held = _Softmax(*split[:2], classes), _Softmax(*split[2:], classes)
    d, n_y = split[0].shape[1], classes * split[0].shape[1]
    group = np.tile(_groups(d, penalties == "feature"), classes)
    n_x = int(group.max()) + 1
    mean, held_mean = (np.full(part.A.shape[0], 1.0 / part.A.shape[0]) for part in (loss, held))

    def lower(x: Vector, y: Vector) -> float:
        return float(mean @ loss.probabilities(y)[0]) + _penalty(x, y, group)[0]

    def lower_jac(x: Vector, y: Vector) -> tuple[Vector, Vector]:
        _, _, by_x, by_y = _penalty(x, y, group)
        return by_x, loss.gradient(loss.probabilities(y)[1], mean) + by_y

    def lower_hess(x: Vector, y: Vector) -> Dense:
        _, weights, by_x, _ = _penalty(x, y, group)
        hess_y = loss.hessian(loss.probabilities(y)[1], mean)
        return _lower_with_penalty(n_x, hess_y, weights, by_x, y, group)

    def lower_hessp(x: Vector, y: Vector, p: Vector) -> Vector:
        _, weights, by_x, by_y = _penalty(x, y, group)
        dx, dy = p[:n_x], p[n_x:]
        mixed = np.bincount(group, by_y * dy, n_x)
        of_loss = loss.product(loss.probabilities(y)[1], mean, dy)[1]
        return np.concatenate([by_x * dx + mixed, of_loss + by_y * dx[group] + weights * dy])

    def upper_hess(x: Vector, y: Vector) -> Dense:
        hessian = np.zeros((n_x + n_y, n_x + n_y))
        hessian[n_x:, n_x:] = held.hessian(held.probabilities(y)[1], held_mean)
        return hessian

    def upper_hessp(x: Vector, y: Vector, p: Vector) -> Vector:
        of_loss = held.product(held.probabilities(y)[1], held_mean, p[n_x:])[1]
        return np.concatenate([np.zeros(n_x), of_loss])

    return bilevel_from_callables(
        lambda x, y: held_mean @ held.probabilities(y)[0],
        lower,
        np.full(n_x, -3.0),
        np.zeros(n_y),
        upper_jac=lambda x, y: (np.zeros(n_x), held.gradient(held.probabilities(y)[1], held_mean)),
        lower_jac=lower_jac,
        **_matrices_or_products(
            n_x + n_y > LOGISTIC_MATRIX, (upper_hess, upper_hessp), (lower_hess, lower_hessp)
        ),
        x_bounds=[(-LOG_RANGE, LOG_RANGE)] * n_x,
        name="LOGISTIC",
        lower_convex=True,
    )


@register_bilevel("HYPER-CLEANING", "Franceschi, Donini, Frasconi & Pontil, ICML 2017")
def hyper_cleaning(
    samples: int = 60,
    features: int = 8,
    classes: int = 3,
    corrupted: float = 0.3,
    ridge: float = 1e-2,
    data: str = "synthetic",
    rng: Any = 0,
) -> BilevelProblem:
    """Weights 1/(1 + e^-x_i) of training samples, some with wrong labels, by the loss on clean ones.

    The upper level has a small multiple of ||x||^2, without which answers lie at infinity. ``data`` may be
    scikit-learn's "digits", "wine" or "breast-cancer".
    """
    if not 0.0 <= corrupted < 1.0:
        raise ValueError(f"corrupted must lie in [0, 1), got {corrupted}")
    made = data == "synthetic"
    split = class_data(rng, samples, features, classes) if made else shipped_data(data, CLASSIFICATION)
    classes = int(max(split[1].max(), split[3].max())) + 1
    rng = np.random.default_rng(rng)
    labels = split[1].copy()
    wrong = rng.random(labels.size) < corrupted
    labels[wrong] = (labels[wrong] + rng.integers(1, classes, size=int(wrong.sum()))) % classes
    loss, held = _Softmax(split[0], labels, classes), _Softmax(*split[2:], classes)
    n_x, n_y = labels.size, classes * split[0].shape[1]
    held_mean = np.full(held.A.shape[0], 1.0 / held.A.shape[0])
    small = 1e-4 / n_x

    def shares(x: Vector) -> tuple[Vector, Vector, Vector]:
        """Weights over the number of samples, and their derivatives."""
        s = 0.5 * (1.0 + np.tanh(0.5 * x))
        return s / n_x, s * (1.0 - s) / n_x, s * (1.0 - s) * (1.0 - 2.0 * s) / n_x

    def lower(x: Vector, y: Vector) -> float:
        return float(shares(x)[0] @ loss.probabilities(y)[0]) + 0.5 * ridge * float(y @ y)

    def lower_jac(x: Vector, y: Vector) -> tuple[Vector, Vector]:
        losses, P = loss.probabilities(y)
        s, ds, _ = shares(x)
        return ds * losses, loss.gradient(P, s) + ridge * y

    def lower_hess(x: Vector, y: Vector) -> Dense:
        losses, P = loss.probabilities(y)
        s, ds, dds = shares(x)
        hessian = np.zeros((n_x + n_y, n_x + n_y))
        hessian[np.arange(n_x), np.arange(n_x)] = dds * losses
        hessian[n_x:, :n_x] = loss.sample_gradients(P) * ds
        hessian[:n_x, n_x:] = hessian[n_x:, :n_x].T
        hessian[n_x:, n_x:] = loss.hessian(P, s) + ridge * np.eye(n_y)
        return hessian

    def lower_hessp(x: Vector, y: Vector, p: Vector) -> Vector:
        losses, P = loss.probabilities(y)
        s, ds, dds = shares(x)
        dx, dy = p[:n_x], p[n_x:]
        slopes, of_loss = loss.product(P, s, dy, ds * dx)
        return np.concatenate([dds * losses * dx + ds * slopes, of_loss + ridge * dy])

    def upper_hess(x: Vector, y: Vector) -> csr_array:
        hessian = np.zeros((n_x + n_y, n_x + n_y))
        hessian[np.arange(n_x), np.arange(n_x)] = 2.0 * small
        hessian[n_x:, n_x:] = held.hessian(held.probabilities(y)[1], held_mean)
        return csr_array(hessian)

    def upper_hessp(x: Vector, y: Vector, p: Vector) -> Vector:
        of_loss = held.product(held.probabilities(y)[1], held_mean, p[n_x:])[1]
        return np.concatenate([2.0 * small * p[:n_x], of_loss])

    return bilevel_from_callables(
        lambda x, y: held_mean @ held.probabilities(y)[0] + small * (x @ x),
        lower,
        np.zeros(n_x),
        np.zeros(n_y),
        upper_jac=lambda x, y: (2.0 * small * x, held.gradient(held.probabilities(y)[1], held_mean)),
        lower_jac=lower_jac,
        **_matrices_or_products(
            n_x + n_y > CLEANING_MATRIX, (upper_hess, upper_hessp), (lower_hess, lower_hessp)
        ),
        name="HYPER-CLEANING",
        lower_convex=True,
    )
