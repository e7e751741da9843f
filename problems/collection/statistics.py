"""Estimation in statistics: constrained logistic regression on any data, and a normal mixture (MAXLIKA)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from ..registry import register

if TYPE_CHECKING:
    from ..model import Model, Variables

HONG = "after Hong, Na, Mahoney & Kolar, ICML (2023), constrained logistic regression"

# Fisher's iris data (1936), species versicolor and virginica: sepal length and width, petal length and width
# in tenths of a centimetre, two digits each, 50 flowers a species. The same table ships with scikit-learn.
VERSICOLOR = """
70324714 64324515 69314915 55234013 65284615 57284513 63334716 49243310 66294613 52273914 50203510 59304215
60224010 61294714 56293613 67314414 56304515 58274110 62224515 56253911 59324818 61284013 63254915 61284712
64294313 66304414 68284814 67305017 60294515 57263510 55243811 55243710 58273912 60275116 54304515 60344516
67314715 63234413 56304113 55254013 55264412 61304614 58264012 50233310 56274213 57304212 57294213 62294313
51253011 57284113
"""
VIRGINICA = """
63336025 58275119 71305921 63295618 65305822 76306621 49254517 73296318 67255818 72366125 65325120 64275319
68305521 57255020 58285124 64325323 65305518 77386722 77266923 60225015 69325723 56284920 77286720 63274918
67335721 72326018 62284818 61304918 64285621 72305816 74286119 79386420 64285622 63285115 61265614 77306123
63345624 64315518 60304818 69315421 67315624 69315123 58275119 68325923 67335725 67305223 63255019 65305220
62345423 59305118
"""


def _iris() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Standardised measurements with a column of ones, shape (100, 5), and labels -1, 1."""
    digits = (VERSICOLOR + VIRGINICA).split()
    x = np.array([[int(flower[k : k + 2]) for k in range(0, 8, 2)] for flower in digits]) / 10
    return _standardised(x), np.repeat([-1.0, 1.0], 50)


def _standardised(x: NDArray[np.float64]) -> NDArray[np.float64]:
    scaled = (x - x.mean(axis=0)) / x.std(axis=0)
    return np.column_stack([scaled, np.ones(x.shape[0])])


def _breast_cancer() -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Wisconsin breast cancer data of scikit-learn, shape (569, 31) with a column of ones; labels -1, 1."""
    try:
        from sklearn.datasets import load_breast_cancer
    except ImportError as error:
        raise ImportError(
            "data='breast_cancer' needs scikit-learn: install it, or pass data=(X, t) with your own arrays"
        ) from error
    x, t = load_breast_cancer(return_X_y=True)
    return _standardised(x), np.where(t == 1, 1.0, -1.0)


def _observations(data: Any) -> tuple[sparse.coo_array, NDArray[np.float64]]:
    """Features (m, d) in coordinates and labels -1, 1 of what a user passed as `data`.

    Raises
    ------
    TypeError, ValueError
        Where `data` is neither a known name nor a pair of an array (m, d) and m labels of two values.
    """
    if data is None:
        data = _iris()
    elif isinstance(data, str):
        if data != "breast_cancer":
            raise ValueError(f"data must be None, 'breast_cancer' or a pair (X, t), not {data!r}")
        data = _breast_cancer()
    if not isinstance(data, tuple | list) or len(data) != 2:
        raise TypeError(f"data must be None, 'breast_cancer' or a pair (X, t), not {type(data).__name__}")
    features = data[0] if sparse.issparse(data[0]) else np.asarray(data[0], dtype=np.float64)
    labels = np.asarray(data[1])
    if features.ndim != 2 or labels.shape != (features.shape[0],):
        raise ValueError(
            f"data must hold X of shape (m, d) and t of shape (m,), not {features.shape} and {labels.shape}"
        )
    x = sparse.coo_array(features, dtype=np.float64)
    x.sum_duplicates()
    if not np.isfinite(x.data).all():
        raise ValueError("X in data holds NaN or inf; finite numbers are wanted")
    values = np.unique(labels)
    if values.size != 2:
        raise ValueError(f"t in data must hold two different labels, not {values.size}")
    return x, np.where(labels == values[1], 1.0, -1.0)


def _logistic_loss(model: Model, data: Any, bound: float = np.inf) -> Variables:
    """Add mean_i log(1 + exp(-t_i x_i'w)) and return the weights w, between -`bound` and `bound`."""
    x, t = _observations(data)
    d = x.shape[1]
    # Not 0, where the gradient of the norm vanishes.
    w = model.variables(d, start=0.1 / np.sqrt(d), lower=-bound, upper=bound)
    # The form that does not overflow: exp is taken of a negative number only.
    margin = model.groups(
        t.size,
        lambda a: np.where(a > 0, np.log(1 + np.exp(-a)), np.log(1 + np.exp(a)) - a),
        scale=float(t.size),
    )
    row, column = x.coords
    margin[row].add_linear(t[row] * x.data, w[column])
    return w


def _add_random_equations(model: Model, w: Variables, equations: int, rng: Any) -> None:
    """Add A w = A w* with Gaussian A and w* of norm 1/2: always feasible, also inside the unit ball."""
    d = w.size
    if not 0 < equations < d:
        raise ValueError(f"equations must be between 1 and {d - 1} for {d} features, not {equations}")
    generator = np.random.default_rng(rng)
    a = generator.standard_normal((equations, d))
    inside = generator.standard_normal(d)
    inside *= 0.5 / np.linalg.norm(inside)
    rows = model.constraints(equations, lower=0, upper=0, constant=a @ inside)
    rows[:, None].add_linear(a, w)


@register(
    classification="OQR2-RN-V-V",
    optimum=lambda data=None, equations=2, rng=2023: (
        0.382100433015 if data is None and (equations, rng) == (2, 2023) else None
    ),
    source=HONG,
)
def logisticsphere(model: Model, data: Any = None, equations: int = 2, rng: int = 2023) -> None:
    """Logistic regression with random equations A w = b on the unit sphere; data=(X, t) takes any data."""
    w = _logistic_loss(model, data)
    _add_random_equations(model, w, equations, rng)
    norm = model.constraints((), lower=0, upper=0, constant=1.0)
    norm.add(lambda v: v**2, w)


@register(
    classification="OQR2-RN-V-V",
    optimum=lambda data=None, equations=2, radius=1.0, rng=2023: (
        0.382100433015 if data is None and (equations, radius, rng) == (2, 1.0, 2023) else None
    ),
    source=HONG,
)
def logisticball(
    model: Model, data: Any = None, equations: int = 2, radius: float = 1.0, rng: int = 2023
) -> None:
    """Logistic regression with random equations A w = b and norm of w at most `radius` (at least 1/2)."""
    if not radius >= 0.5:
        raise ValueError(f"radius must be at least 0.5, where the equations have a solution, not {radius!r}")
    w = _logistic_loss(model, data)
    _add_random_equations(model, w, equations, rng)
    norm = model.constraints((), upper=0, constant=radius**2)
    norm.add(lambda v: v**2, w)


@register(
    classification="OLR2-RN-V-V",
    optimum=lambda data=None, equations=2, bound=1.0, rng=2023: (
        0.310422069783 if data is None and (equations, bound, rng) == (2, 1.0, 2023) else None
    ),
    source=HONG + ", with bounds",
)
def logisticbox(
    model: Model, data: Any = None, equations: int = 2, bound: float = 1.0, rng: int = 2023
) -> None:
    """Logistic regression with random equations A w = b and all weights between -`bound` and `bound`."""
    if not bound >= 0.5:
        raise ValueError(f"bound must be at least 0.5, where the equations have a solution, not {bound!r}")
    w = _logistic_loss(model, data, bound)
    _add_random_equations(model, w, equations, rng)


@register(
    classification="OBR2-AY-8-0",
    optimum=1136.30730381,
    source="mixture of three normal densities; data of HS105",
)
def maxlika(model: Model) -> None:
    """Maximum likelihood of a mixture of three normal densities (HS105 with its constraint eliminated)."""
    p, q, *mean_and_spread = model.variables(
        8,
        start=[0.1, 0.2, 100.0, 125.0, 175.0, 11.2, 13.2, 15.8],
        lower=[0.001, 0.001, 100.0, 130.0, 170.0, 5.0, 5.0, 5.0],
        upper=[0.499, 0.499, 180.0, 210.0, 240.0, 25.0, 25.0, 25.0],
    )
    (a, b, c), (s, t, u) = mean_and_spread[:3], mean_and_spread[3:]
    values = np.array([95, *range(105, 221, 5), *range(230, 251, 5)], dtype=float)
    counts = [
        1,
        1,
        4,
        4,
        15,
        15,
        15,
        13,
        21,
        12,
        17,
        4,
        20,
        8,
        17,
        8,
        6,
        6,
        7,
        4,
        3,
        3,
        8,
        1,
        6,
        5,
        1,
        7,
        1,
        2,
    ]
    likelihood = model.groups(
        values.size, lambda v, w: -w * np.log(v * 0.39894228), np.array(counts, dtype=float)
    )
    likelihood.add(lambda y, w, m, d: w / d * np.exp(-((y - m) ** 2) / (2 * d**2)), values, p, a, s)
    likelihood.add(lambda y, w, m, d: w / d * np.exp(-((y - m) ** 2) / (2 * d**2)), values, q, b, t)
    likelihood.add(
        lambda y, v, w, m, d: (1 - v - w) / d * np.exp(-((y - m) ** 2) / (2 * d**2)), values, p, q, c, u
    )
