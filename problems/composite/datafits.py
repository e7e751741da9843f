"""The datafits: sums over samples of a loss of the linear predictor, and a quadratic form.

All are sums, not means: weights of 1/n make a mean of one.
"""

from __future__ import annotations

from copy import copy
from typing import Any, ClassVar

import numpy as np
from scipy import sparse
from scipy.special import expit, log_expit, logsumexp, xlogy

from .inputs import finite_array, level, sample_weights
from .protocol import Array, Datafit, Indices

_ROUNDING = 1e-12
"""How far outside its domain, relative to the domain's size, a dual point may lie by rounding."""


class _Samples(Datafit):
    """A sum over samples with weights."""

    weights: Array

    def reweighted(self, factors: Array) -> Datafit:
        twin = copy(self)
        twin.weights = sample_weights(self.weights * factors, self.shape[0])
        return twin


class LeastSquares(_Samples):
    """Least squares, sum_i s_i (eta_i - y_i)^2 / 2.

    Parameters
    ----------
    y : array_like, shape (n,) or (n, k)
        Targets; several columns for a multi-task problem.
    weights : array_like, shape (n,), optional
        Weights s >= 0 of the samples, one by default.
    """

    quadratic: ClassVar[bool] = True

    def __init__(self, y: Any, weights: Any = None) -> None:
        self.y = finite_array("y", y, (1, 2))
        self.shape = self.y.shape
        self.weights = sample_weights(weights, self.shape[0])
        self.unweighted = weights is None

    @property
    def _s(self) -> Array:
        """The weights so that they combine with eta."""
        return self.weights if self.y.ndim == 1 else self.weights[:, None]

    def reweighted(self, factors: Array) -> Datafit:
        twin = super().reweighted(factors)
        assert isinstance(twin, LeastSquares)
        twin.unweighted = False
        return twin

    def value(self, eta: Array) -> float:
        r = eta - self.y
        if self.unweighted:
            return 0.5 * float(np.vdot(r, r))
        return 0.5 * float(np.vdot(r, self._s * r))

    def gradient(self, eta: Array) -> Array:
        return eta - self.y if self.unweighted else self._s * (eta - self.y)

    def hessian_diagonal(self, eta: Array) -> Array:
        return self.curvature_bound()

    def curvature_bound(self) -> Array:
        return np.broadcast_to(self._s, self.shape)

    def conjugate(self, u: Array) -> float:
        if self.unweighted:
            return float(np.vdot(u, 0.5 * u + self.y))
        s = np.broadcast_to(self._s, self.shape)
        seen = s > 0
        if (u[~seen] != 0).any():
            return np.inf
        return float(np.sum(u[seen] ** 2 / (2 * s[seen])) + np.vdot(u, self.y))


class Huber(_Samples):
    """Huber's loss: (eta - y)^2 / 2 up to a distance delta, linear beyond.

    Parameters
    ----------
    y : array_like, shape (n,)
        Targets.
    delta : float
        Where the loss turns linear; 1.35 is efficient to 95 % on standard normal errors.
    weights : array_like, shape (n,), optional
        Weights s >= 0 of the samples.
    """

    def __init__(self, y: Any, delta: float = 1.35, weights: Any = None) -> None:
        self.y = finite_array("y", y)
        self.shape = self.y.shape
        self.delta = float(level("delta", delta, strict=True, array=False))
        self.weights = sample_weights(weights, self.y.size)

    def value(self, eta: Array) -> float:
        a, delta = np.abs(eta - self.y), self.delta
        near = np.minimum(a, delta)
        return float(self.weights @ (near * (a - 0.5 * near)))

    def gradient(self, eta: Array) -> Array:
        return self.weights * np.clip(eta - self.y, -self.delta, self.delta)

    def hessian_diagonal(self, eta: Array) -> Array:
        return self.weights * (np.abs(eta - self.y) < self.delta)

    def curvature_bound(self) -> Array:
        return self.weights

    def conjugate(self, u: Array) -> float:
        s, seen = self.weights, self.weights > 0
        if (np.abs(u) > self.delta * s * (1 + _ROUNDING)).any():
            return np.inf
        return float(np.sum(u[seen] ** 2 / (2 * s[seen])) + u @ self.y)


class _TwoClasses(_Samples):
    """What losses of the margin y eta, y = -1 or 1, have in common."""

    def __init__(self, y: Any, weights: Any = None) -> None:
        labels = finite_array("y", y)
        values = np.unique(labels)
        if np.isin(values, (0.0, 1.0)).all():
            labels = 2.0 * labels - 1.0
        elif not np.isin(values, (-1.0, 1.0)).all():
            wrong = values[~np.isin(values, (-1.0, 0.0, 1.0))]
            shown = wrong[0] if wrong.size else "-1, 0 and 1 together"
            raise ValueError(f"y must hold labels -1 and 1, or 0 and 1, got {shown}")
        self.y = labels
        self.shape = self.y.shape
        self.weights = sample_weights(weights, self.y.size)


class Logistic(_TwoClasses):
    """Logistic loss, sum_i s_i log(1 + exp(-y_i eta_i)).

    Parameters
    ----------
    y : array_like, shape (n,)
        Labels -1 and 1, or 0 and 1.
    weights : array_like, shape (n,), optional
        Weights s >= 0 of the samples.
    """

    def value(self, eta: Array) -> float:
        return -float(self.weights @ log_expit(self.y * eta))

    def gradient(self, eta: Array) -> Array:
        return np.asarray(-self.weights * self.y * expit(-self.y * eta))

    def hessian_diagonal(self, eta: Array) -> Array:
        p = expit(eta)
        return np.asarray(self.weights * p * (1.0 - p))

    def curvature_bound(self) -> Array:
        return 0.25 * self.weights

    def conjugate(self, u: Array) -> float:
        seen = self.weights > 0
        p = -(u * self.y)[seen] / self.weights[seen]
        if (u[~seen] != 0).any() or (p < -_ROUNDING).any() or (p > 1 + _ROUNDING).any():
            return np.inf
        p = np.clip(p, 0.0, 1.0)
        return float(self.weights[seen] @ (xlogy(p, p) + xlogy(1 - p, 1 - p)))


class SquaredHinge(_TwoClasses):
    """Squared hinge loss, sum_i s_i max(0, 1 - y_i eta_i)^2 / 2.

    Parameters
    ----------
    y : array_like, shape (n,)
        Labels -1 and 1, or 0 and 1.
    weights : array_like, shape (n,), optional
        Weights s >= 0 of the samples.
    """

    def value(self, eta: Array) -> float:
        return 0.5 * float(self.weights @ np.maximum(0.0, 1.0 - self.y * eta) ** 2)

    def gradient(self, eta: Array) -> Array:
        return -self.weights * self.y * np.maximum(0.0, 1.0 - self.y * eta)

    def hessian_diagonal(self, eta: Array) -> Array:
        return self.weights * (self.y * eta < 1.0)

    def curvature_bound(self) -> Array:
        return self.weights

    def conjugate(self, u: Array) -> float:
        seen = self.weights > 0
        v = (u * self.y)[seen] / self.weights[seen]
        if (u[~seen] != 0).any() or (v > _ROUNDING).any():
            return np.inf
        v = np.minimum(v, 0.0)
        return float(self.weights[seen] @ (0.5 * v**2 + v))


class Poisson(_Samples):
    """Poisson deviance with logarithmic link, sum_i s_i (exp(eta_i) - y_i eta_i).

    Parameters
    ----------
    y : array_like, shape (n,)
        Counts (any numbers >= 0).
    weights : array_like, shape (n,), optional
        Weights s >= 0 of the samples.
    """

    def __init__(self, y: Any, weights: Any = None) -> None:
        self.y = finite_array("y", y)
        if (self.y < 0).any():
            i = int(np.argmin(self.y))
            raise ValueError(f"y must not be negative, got y[{i}] = {self.y[i]:g}")
        self.shape = self.y.shape
        self.weights = sample_weights(weights, self.y.size)

    def value(self, eta: Array) -> float:
        with np.errstate(over="ignore"):
            return float(self.weights @ (np.exp(eta) - self.y * eta))

    def gradient(self, eta: Array) -> Array:
        with np.errstate(over="ignore"):
            return self.weights * (np.exp(eta) - self.y)

    def hessian_diagonal(self, eta: Array) -> Array:
        with np.errstate(over="ignore"):
            return self.weights * np.exp(eta)

    def conjugate(self, u: Array) -> float:
        seen = self.weights > 0
        mean = u[seen] / self.weights[seen] + self.y[seen]
        if (u[~seen] != 0).any() or (mean < -_ROUNDING * (1 + self.y[seen])).any():
            return np.inf
        mean = np.maximum(mean, 0.0)
        return float(self.weights[seen] @ (xlogy(mean, mean) - mean))


class Multinomial(_Samples):
    """Softmax loss, sum_i s_i (log sum_c exp(eta_ic) - eta_i,y_i).

    Parameters
    ----------
    y : array_like of int, shape (n,)
        Classes 0 .. k - 1.
    classes : int, optional
        Their number k, the largest label plus one by default.
    weights : array_like, shape (n,), optional
        Weights s >= 0 of the samples.
    """

    def __init__(self, y: Any, classes: int | None = None, weights: Any = None) -> None:
        labels = finite_array("y", y)
        k = int(labels.max()) + 1 if classes is None else int(classes)
        wrong = (labels != np.round(labels)) | (labels < 0) | (labels >= k)
        if wrong.any():
            i = int(np.argmax(wrong))
            raise ValueError(f"y must hold classes 0 .. {k - 1}, got y[{i}] = {labels[i]:g}")
        if k < 2:
            raise ValueError(f"classes must be at least 2, got {k}")
        self.y: Indices = labels.astype(np.int64)
        self.shape = (labels.size, k)
        self.weights = sample_weights(weights, labels.size)
        self._rows = np.arange(labels.size)

    def value(self, eta: Array) -> float:
        return float(self.weights @ (logsumexp(eta, axis=1) - eta[self._rows, self.y]))

    def probabilities(self, eta: Array) -> Array:
        """Of the classes, (n, k)."""
        p = np.exp(eta - eta.max(axis=1, keepdims=True))
        p /= p.sum(axis=1, keepdims=True)
        return np.asarray(p)

    def gradient(self, eta: Array) -> Array:
        p = self.probabilities(eta)
        p[self._rows, self.y] -= 1.0
        return self.weights[:, None] * p

    def hessian_diagonal(self, eta: Array) -> Array:
        p = self.probabilities(eta)
        return self.weights[:, None] * p * (1.0 - p)

    def curvature_bound(self) -> Array:
        return np.broadcast_to(0.25 * self.weights[:, None], self.shape)

    def intercept_step(self, eta: Array, slope: Array, floor: float) -> Array:
        """With the classes coupled; the direction of ones, in which F is constant, is pinned."""
        p = self.probabilities(eta)
        q = self.weights[:, None] * p
        H = np.diag(q.sum(axis=0)) - q.T @ p
        H += np.eye(slope.size) * floor + self.weights.sum() / slope.size
        return np.asarray(np.linalg.solve(H, slope), dtype=np.float64)

    def output_bound(self, outputs: int) -> Array:
        """Of Boehning: (I - 1 1'/k)/2; with k' < k outputs the missing ones count as one (k' + 1)."""
        k = self.shape[1]
        return 2.0 * (np.eye(outputs) - 1.0 / (outputs if outputs == k else outputs + 1))

    def conjugate(self, u: Array) -> float:
        seen = self.weights > 0
        q = u[seen] / self.weights[seen, None]
        q[np.arange(q.shape[0]), self.y[seen]] += 1.0
        if (u[~seen] != 0).any() or (q < -_ROUNDING).any() or (np.abs(q.sum(axis=1) - 1) > _ROUNDING).any():
            return np.inf
        q = np.maximum(q, 0.0)
        return float(self.weights[seen] @ xlogy(q, q).sum(axis=1))


class QuadraticForm(Datafit):
    """x'A x / 2 - b'x: label propagation, graph problems; with no X, eta is w itself.

    Parameters
    ----------
    A : array_like or sparse array, shape (n, n)
        Symmetric; convexity is the caller's to know (`auto` and the certificate detect no indefiniteness).
    b : array_like, shape (n,)
        Linear part.
    """

    quadratic: ClassVar[bool] = True
    separable: ClassVar[bool] = False

    def __init__(self, A: Any, b: Any) -> None:
        self.b = finite_array("b", b)
        n = self.b.size
        if sparse.issparse(A):
            self.A = sparse.csr_array(A, dtype=np.float64)
            finite_array("A", self.A.data if self.A.nnz else np.zeros(1))
            different = abs(self.A - self.A.T).max() if self.A.shape == (n, n) else 0.0
        else:
            self.A = finite_array("A", A, (2,))
            different = np.abs(self.A - self.A.T).max() if self.A.shape == (n, n) else 0.0
        if self.A.shape != (n, n):
            raise ValueError(f"A must have shape ({n}, {n}), got {self.A.shape}")
        if different > 1e-12 * max(abs(self.A).max(), 1e-300):
            raise ValueError(f"A must be symmetric, but entries differ from A' by {different:g}")
        self.shape = (n,)

    def value(self, eta: Array) -> float:
        return float(eta @ (0.5 * (self.A @ eta) - self.b))

    def gradient(self, eta: Array) -> Array:
        return np.asarray(self.A @ eta - self.b)

    def hessian_diagonal(self, eta: Array) -> Array:
        return np.asarray(self.A.diagonal())

    def curvature_bound(self) -> Array:
        return self.hessian_diagonal(self.b)

    def hessian_block(self, block: Indices) -> Array:
        part = self.A[block][:, block]
        return np.asarray(part.toarray() if sparse.issparse(part) else part)
