"""A'DA in its fixed pattern against dense algebra."""

import numpy as np
import pytest
from scipy.sparse import random_array

from karush.problems.gram_pattern import GramPattern


@pytest.mark.parametrize("density", [0.05, 0.3, 1.0])
@pytest.mark.parametrize("selected", [[0, 2, 3, 7], list(range(9)), [4]])
def test_sum_of_outer_products(density, selected):
    rng = np.random.default_rng(7)
    a = random_array((9, 6), density=density, format="csr", rng=rng, data_sampler=rng.standard_normal)
    a.sort_indices()
    weights = np.zeros(9)
    weights[selected] = rng.standard_normal(len(selected))
    gram = GramPattern(a.indptr.astype(np.int64), a.indices.astype(np.int64), np.array(selected), 6)
    out = np.zeros(gram.rows.size)
    gram.add(a.data, weights, out)
    gram.add(a.data, weights, out)
    dense = np.zeros((6, 6))
    dense[gram.rows, gram.columns] = out
    expected = a.T @ (2 * weights[:, None] * a.toarray())
    np.testing.assert_allclose(dense, np.tril(expected), atol=1e-14)
    pattern = (a.toarray()[selected] != 0).astype(int)
    np.testing.assert_array_equal(
        np.stack([gram.rows, gram.columns]), np.stack(np.nonzero(np.tril(pattern.T @ pattern)))
    )


def test_places():
    gram = GramPattern(np.array([0, 2]), np.array([0, 2]), np.array([0]), 3)
    gram.place(np.array([4, 1, 0]))
    out = np.ones(5)
    gram.add(np.array([2.0, 3.0]), np.array([10.0]), out)
    np.testing.assert_array_equal(out, [91.0, 61.0, 1.0, 1.0, 41.0])


def test_nested_dense_rows_take_memory_of_the_result_only():
    """Row r holds columns 0..r: n^3 / 6 products, n^2 / 2 entries."""
    n = 400
    indptr = np.concatenate([[0], np.cumsum(np.arange(1, n + 1))])
    indices = np.concatenate([np.arange(r) for r in range(1, n + 1)])
    gram = GramPattern(indptr, indices, np.arange(n), n)
    assert gram.rows.size == n * (n + 1) // 2
    out = np.zeros(gram.rows.size)
    gram.add(np.ones(indices.size), np.ones(n), out)
    assert out[0] == n
    assert out[-1] == 1.0
