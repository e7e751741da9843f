"""Weights of the samples of a linear support vector machine, by a smooth loss on held-out samples.

The lower level is a quadratic problem with one linear row a sample; all matrices are sparse but for the
features.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal

import numpy as np
from scipy.optimize import LinearConstraint
from scipy.sparse import block_diag, coo_array, csr_array, diags_array, hstack

from ...nlp import Vector
from ..callables import bilevel_from_callables
from ..data_sets import class_data, shipped_data
from ..problem import BilevelProblem
from ..registry import register_bilevel
from .learning import LOG_RANGE

MarginLoss = Callable[[Vector], tuple[Vector, Vector, Vector]]
"""Losses of margins l (z'w + b), with first and second derivatives."""


def _softplus(margin: Vector) -> tuple[Vector, Vector, Vector]:
    """ln(1 + e^-m)."""
    p = 0.5 * (1.0 - np.tanh(0.5 * margin))
    return np.logaddexp(0.0, -margin), -p, p * (1.0 - p)


def _sigmoid(margin: Vector) -> tuple[Vector, Vector, Vector]:
    """1/(1 + e^m): a smooth count of errors."""
    p = 0.5 * (1.0 - np.tanh(0.5 * margin))
    return p, -p * (1.0 - p), p * (1.0 - p) * (1.0 - 2.0 * p)


_LOSSES: dict[str, MarginLoss] = {"softplus": _softplus, "sigmoid": _sigmoid}


@register_bilevel(
    "SVM",
    "Xu & Zhu, 'Efficient gradient approximation method for constrained bilevel optimization', AAAI 2023",
)
def support_vector_machine(
    samples: int = 20,
    features: int = 4,
    weights: Literal["sample", "one"] = "sample",
    loss: Literal["softplus", "sigmoid"] = "softplus",
    ridge: float = 1e-2,
    data: str = "synthetic",
    rng: Any = 0,
) -> BilevelProblem:
    """Log-weights of the slacks of a support vector machine, one per sample or one in all.

    With labels l of +-1 and y = (w, b, xi),

        f = .5 ||w||^2 + .5 sum_i e^x_i xi_i^2   subject to   l_i (z_i'w + b) + xi_i >= 1,
        F = mean over held-out samples of loss(l (z'w + b)) + .5 ridge mean(x^2).

    The lower level is the published one, also of LV-HBA's experiments (ICLR 2024). Those have above a leaky
    ReLU of sigmoids of distances, which has kinks; here it is smooth. Without `ridge` weights of samples
    beyond the margin would be anything. ``data="breast-cancer"`` takes scikit-learn's.
    """
    if weights not in ("sample", "one"):
        raise ValueError(f"weights must be 'sample' or 'one', got {weights!r}")
    if loss not in _LOSSES:
        raise ValueError(f"loss must be one of {', '.join(_LOSSES)}, got {loss!r}")
    made = data == "synthetic"
    split = class_data(rng, samples, features, 2) if made else shipped_data(data, ("breast-cancer",))
    signed, held = (_signed(*part) for part in (split[:2], split[2:]))
    n, d = signed.shape[0], signed.shape[1] - 1
    n_x = n if weights == "sample" else 1
    which = np.arange(n) if weights == "sample" else np.zeros(n, dtype=np.int64)
    slack = slice(d + 1, None)
    margin_loss = _LOSSES[loss]
    penalty = csr_array(diags_array(np.full(n_x, ridge / n_x)))
    no_slack = csr_array((n, n))
    identity = np.ones(d)
    rows = hstack([csr_array((n, n_x)), csr_array(signed), diags_array(np.ones(n))], format="csr")

    def upper(x: Vector, y: Vector) -> float:
        return float(margin_loss(held @ y[: d + 1])[0].mean() + 0.5 * ridge * np.mean(x * x))

    def upper_jac(x: Vector, y: Vector) -> tuple[Vector, Vector]:
        slope = margin_loss(held @ y[: d + 1])[1] / held.shape[0]
        return ridge / n_x * x, np.concatenate([held.T @ slope, np.zeros(n)])

    def upper_hess(x: Vector, y: Vector) -> csr_array:
        curvature = margin_loss(held @ y[: d + 1])[2] / held.shape[0]
        return csr_array(block_diag([penalty, held.T @ (curvature[:, None] * held), no_slack]))

    def lower(x: Vector, y: Vector) -> float:
        return 0.5 * float(y[:d] @ y[:d] + np.exp(x)[which] @ y[slack] ** 2)

    def lower_jac(x: Vector, y: Vector) -> tuple[Vector, Vector]:
        pull = np.exp(x)[which] * y[slack]
        by_x = 0.5 * np.bincount(which, pull * y[slack], n_x)
        return np.asarray(by_x), np.concatenate([y[:d], [0.0], pull])

    # Entries (x_i, x_i), (w_j, w_j), (xi_i, xi_i), (x_i, xi_i), (xi_i, x_i).
    of_w, of_slack = n_x + np.arange(d), n_x + d + 1 + np.arange(n)
    hessian_rows = np.concatenate([np.arange(n_x), of_w, of_slack, which, of_slack])
    hessian_columns = np.concatenate([np.arange(n_x), of_w, of_slack, of_slack, which])

    def lower_hess(x: Vector, y: Vector) -> csr_array:
        weight = np.exp(x)[which]
        pull = weight * y[slack]
        by_x = 0.5 * np.bincount(which, pull * y[slack], n_x)
        values = np.concatenate([by_x, identity, weight, pull, pull])
        size = n_x + d + 1 + n
        return csr_array(coo_array((values, (hessian_rows, hessian_columns)), shape=(size, size)))

    return bilevel_from_callables(
        upper,
        lower,
        np.zeros(n_x),
        np.concatenate([np.zeros(d + 1), np.ones(n)]),
        upper_jac=upper_jac,
        upper_hess=upper_hess,
        lower_jac=lower_jac,
        lower_hess=lower_hess,
        lower_constraints=LinearConstraint(rows, 1.0, np.inf),
        x_bounds=[(-LOG_RANGE, LOG_RANGE)] * n_x,
        name="SVM",
        lower_convex=True,
    )


def _signed(A: np.ndarray, labels: Vector) -> np.ndarray:
    """Rows l (z, 1), so that margins are a product with (w, b)."""
    sign = np.where(labels > 0.0, 1.0, -1.0)
    return np.hstack([A, np.ones((A.shape[0], 1))]) * sign[:, None]
