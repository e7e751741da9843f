"""Small problems for the tests of block descent."""

import numpy as np
import scipy.sparse as sp

from karush.problems.composite import (
    L1,
    Box,
    CompositeProblem,
    ElasticNet,
    LeastSquares,
    Logistic,
    Multinomial,
    NonNegative,
    NoPenalty,
    QuadraticForm,
)
from karush.problems.composite.collection.label_propagation import lattice_graph, propagation


def random_graph(rng, n, edges, labelled=0.2):
    """Label propagation on a random graph; connected by a path, so that the form is positive definite."""
    i, j = rng.integers(0, n, (2, edges))
    keep = i != j
    path = np.arange(n - 1)
    rows, columns = np.concatenate([i[keep], path]), np.concatenate([j[keep], path + 1])
    half = sp.csr_array(sp.coo_array((np.ones(rows.size), (rows, columns)), shape=(n, n)))
    graph = sp.csr_array(half + half.T)
    graph.data[:] = 1.0
    known = rng.choice(n, max(1, int(labelled * n)), replace=False)
    return propagation(graph, known, rng.choice([-1.0, 1.0], known.size))


def lattice(side=12, seed=0):
    rng = np.random.default_rng(seed)
    known = rng.choice(side * side, side, replace=False)
    return propagation(lattice_graph(side, side), known, rng.choice([-1.0, 1.0], side))


def regression_problems():
    """One of each kind, as (name, problem); 30 coordinates."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((50, 30)) * np.exp(rng.standard_normal(30))
    y = X @ (rng.standard_normal(30) * (rng.random(30) < 0.2)) + 0.1 * rng.standard_normal(50)
    labels = np.sign(X[:, 0] + rng.standard_normal(50))
    classes = rng.integers(0, 3, 50)
    Q = X.T @ X + np.eye(30)
    return {
        "least-squares": CompositeProblem(LeastSquares(y), NoPenalty(), X),
        "lasso-sparse": CompositeProblem(LeastSquares(y), L1(8.0), sp.csc_array(X)),
        "nonnegative": CompositeProblem(LeastSquares(y), NonNegative(2.0), X),
        "quadratic-l1": CompositeProblem(QuadraticForm(Q, X.T @ y), L1(8.0)),
        "logistic-intercept": CompositeProblem(Logistic(labels), L1(2.0), X, intercept=True),
        "logistic-box": CompositeProblem(Logistic(labels), Box(-0.1, 0.2), X),
        "softmax": CompositeProblem(Multinomial(classes), ElasticNet(1.0, 1.0), X[:, :10]),
    }
