"""Data that bilevel problems of learning are made of: for training and, as many again, held out."""

from __future__ import annotations

from typing import Any

import numpy as np

Dense = np.ndarray[Any, np.dtype[np.float64]]
Split = tuple[Dense, Dense, Dense, Dense]
"""Features and answers for training, then the held-out ones."""


def regression_data(rng: Any, samples: int, features: int) -> Split:
    """Half of the coefficients are zero."""
    rng = np.random.default_rng(rng)
    coefficients = rng.standard_normal(features) * (np.arange(features) < (features + 1) // 2)
    A = rng.standard_normal((2 * samples, features))
    b = A @ coefficients + 0.5 * rng.standard_normal(2 * samples)
    return A[:samples], b[:samples], A[samples:], b[samples:]


def class_data(rng: Any, samples: int, features: int, classes: int) -> Split:
    """Gaussian clouds that overlap; labels 0, 1, ..."""
    rng = np.random.default_rng(rng)
    centers = 1.2 * rng.standard_normal((classes, features)) * (np.arange(features) < (features + 1) // 2)
    labels = rng.integers(classes, size=2 * samples)
    A = centers[labels] + 1.5 * rng.standard_normal((2 * samples, features))
    b = labels.astype(np.float64)
    return A[:samples], b[:samples], A[samples:], b[samples:]


def shipped_data(data: str, names: tuple[str, ...]) -> Split:
    """A data set that ships with scikit-learn: standardised features, every second sample for training.

    Raises
    ------
    ValueError
        Where `data` is not among the names that the problem takes.
    """
    if data not in names:
        raise ValueError(f"data must be 'synthetic' or one of {', '.join(names)}, got {data!r}")
    from sklearn import datasets

    A, b = getattr(datasets, "load_" + data.replace("-", "_"))(return_X_y=True)
    A = A[:, A.std(axis=0) > 0.0]
    A = (A - A.mean(axis=0)) / A.std(axis=0)
    order = np.random.default_rng(0).permutation(b.size)
    A, b = A[order], b[order].astype(np.float64)
    if data in REGRESSION:
        b = (b - b.mean()) / b.std()
    return A[::2], b[::2], A[1::2], b[1::2]


REGRESSION = ("diabetes",)
CLASSIFICATION = ("breast-cancer", "wine", "digits")
"""Names of the data sets that ship with scikit-learn."""
