"""Denoising learnt from one pair of images: the smoothed total variation, or filters, below; the error above.

The lower levels are strongly convex, with sparse Hessians: images of 100 x 100 pixels are no trouble.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.sparse import block_array, coo_array, csr_array, diags_array, eye_array, kron, vstack

from ...nlp import Vector
from ..callables import bilevel_from_callables
from ..problem import BilevelProblem
from ..registry import register_bilevel

_KUNISCH = (
    "Kunisch & Pock, 'A bilevel optimization approach for parameter learning in variational models', 2013"
)


def _smoothed(t: Vector, width: float) -> tuple[float, Vector, Vector]:
    """Sum of sqrt(t^2 + width^2), its gradient and the diagonal of its Hessian."""
    root = np.sqrt(t * t + width * width)
    return float(root.sum()), t / root, width * width / root**3


def _images(side: int, noise: float, rng: Any) -> tuple[Vector, Vector]:
    """A disc and a ramp beside a square, and the same with noise."""
    i, j = np.meshgrid(*2 * [(np.arange(side) + 0.5) / side], indexing="ij")
    clean = 0.3 * j
    clean[(i - 0.35) ** 2 + (j - 0.35) ** 2 < 0.05] = 1.0
    clean[(i > 0.6) & (j > 0.55) & (i < 0.9) & (j < 0.85)] = 0.7
    noisy = clean + noise * np.random.default_rng(rng).standard_normal(clean.shape)
    return clean.ravel(), noisy.ravel()


def _differences(side: int) -> tuple[csr_array, csr_array]:
    """Forward differences down and across, each of shape (side (side - 1), side^2)."""
    one = diags_array([-1.0, 1.0], offsets=[0, 1], shape=(side - 1, side))
    return csr_array(kron(one, eye_array(side))), csr_array(kron(eye_array(side), one))


def _error(clean: Vector, n_x: int, ridge: float) -> dict[str, Any]:
    """Upper level .5 mean (y - clean)^2 + .5 ridge ||x||^2."""
    size = clean.size
    diagonal = np.concatenate([np.full(n_x, ridge), np.full(size, 1.0 / size)])
    hessian = csr_array(diags_array(diagonal))
    return {
        "upper": lambda x, y: 0.5 * float(np.mean((y - clean) ** 2)) + 0.5 * ridge * float(x @ x),
        "upper_jac": lambda x, y: (ridge * x, (y - clean) / size),
        "upper_hess": lambda x, y: hessian,
    }


@register_bilevel("TV-WEIGHTS", _KUNISCH)
def total_variation_weights(
    side: int = 12, blocks: int = 2, noise: float = 0.1, width: float = 0.05, rng: Any = 0
) -> BilevelProblem:
    """Logarithms of the weights of the smoothed total variation, one for each of blocks^2 parts of the image.

    f = .5 ||y - noisy||^2 + sum_i e^x[block of i] sqrt((D y)_i^2 + width^2).
    """
    clean, noisy = _images(side, noise, rng)
    down, across = _differences(side)
    D = csr_array(vstack([down, across]))
    place = np.arange(side * side).reshape(side, side)
    of_pixel = (place // side * blocks // side) * blocks + place % side * blocks // side
    block = np.concatenate([of_pixel[:-1].ravel(), of_pixel[:, :-1].ravel()])
    n_x = blocks * blocks
    members = csr_array((np.ones(block.size), (block, np.arange(block.size))), shape=(n_x, block.size))
    identity = eye_array(side * side, format="csr")

    def parts(x: Vector, y: Vector) -> tuple[Vector, Vector, Vector, Vector]:
        """Weight, root, slope and curvature of each difference."""
        t = D @ y
        _, slope, curvature = _smoothed(t, width)
        return np.exp(x)[block], np.sqrt(t * t + width * width), slope, curvature

    def lower(x: Vector, y: Vector) -> float:
        weights, root, _, _ = parts(x, y)
        return 0.5 * float(np.sum((y - noisy) ** 2)) + float(weights @ root)

    def lower_jac(x: Vector, y: Vector) -> tuple[Vector, Vector]:
        weights, root, slope, _ = parts(x, y)
        return members @ (weights * root), y - noisy + D.T @ (weights * slope)

    def lower_hess(x: Vector, y: Vector) -> csr_array:
        weights, root, slope, curvature = parts(x, y)
        by_y = identity + D.T @ diags_array(weights * curvature) @ D
        cross = members @ diags_array(weights * slope) @ D
        by_x = diags_array(members @ (weights * root))
        return csr_array(block_array([[by_x, cross], [cross.T, by_y]]))

    return bilevel_from_callables(
        lower=lower,
        x0=np.full(n_x, -3.0),
        y0=noisy,
        lower_jac=lower_jac,
        lower_hess=lower_hess,
        x_bounds=[(-10.0, 4.0)] * n_x,
        name="TV-WEIGHTS",
        lower_convex=True,
        **_error(clean, n_x, 0.0),
    )


@register_bilevel("FILTERS", _KUNISCH)
def filters(
    side: int = 12, count: int = 2, noise: float = 0.1, width: float = 0.1, ridge: float = 1e-5, rng: Any = 0
) -> BilevelProblem:
    """Filters of 2 x 2 pixels for denoising: each x[k] holds the coefficients of three zero-sum patterns.

    f = .5 ||y - noisy||^2 + sum_k sum_i sqrt((sum_l x[k, l] B_l y)_i^2 + width^2).
    """
    clean, noisy = _images(side, noise, rng)
    patterns = _zero_sum_patterns(side)
    n_x, size = count * len(patterns), side * side
    identity = eye_array(size, format="csr")

    def filtered(x: Vector) -> list[csr_array]:
        return [
            csr_array(sum(c * B for c, B in zip(row, patterns, strict=True))) for row in x.reshape(count, -1)
        ]

    def lower(x: Vector, y: Vector) -> float:
        prior = sum(_smoothed(K @ y, width)[0] for K in filtered(x))
        return 0.5 * float(np.sum((y - noisy) ** 2)) + float(prior)

    def lower_jac(x: Vector, y: Vector) -> tuple[Vector, Vector]:
        by_x, by_y = [], y - noisy
        answers = [B @ y for B in patterns]
        for K in filtered(x):
            slope = _smoothed(K @ y, width)[1]
            by_x += [float(slope @ answer) for answer in answers]
            by_y = by_y + K.T @ slope
        return np.array(by_x), by_y

    def lower_hess(x: Vector, y: Vector) -> csr_array:
        answers = np.column_stack([B @ y for B in patterns])
        by_y, crosses, by_x = identity, [], []
        for K in filtered(x):
            _, slope, curvature = _smoothed(K @ y, width)
            by_y = by_y + K.T @ diags_array(curvature) @ K
            bent = curvature[:, None] * answers
            crosses.append(np.column_stack([B.T @ slope for B in patterns]) + K.T @ bent)
            by_x.append(answers.T @ bent)
        cross = csr_array(np.hstack(crosses).T)
        corner = block_array(
            [[m if i == j else None for j in range(count)] for i, m in enumerate(map(coo_array, by_x))]
        )
        return csr_array(block_array([[corner, cross], [cross.T, by_y]]))

    return bilevel_from_callables(
        lower=lower,
        x0=0.1 * np.random.default_rng(rng).standard_normal(n_x),
        y0=noisy,
        lower_jac=lower_jac,
        lower_hess=lower_hess,
        name="FILTERS",
        lower_convex=True,
        **_error(clean, n_x, ridge),
    )


def _zero_sum_patterns(side: int) -> list[csr_array]:
    """Down, across and diagonal differences of each 2 x 2 square (a Haar basis), as matrices."""
    mean = diags_array([0.5, 0.5], offsets=[0, 1], shape=(side - 1, side))
    step = diags_array([-0.5, 0.5], offsets=[0, 1], shape=(side - 1, side))
    return [csr_array(kron(a, b)) for a, b in ((step, mean), (mean, step), (step, step))]
