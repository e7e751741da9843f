"""The checks that every sketching routine makes of its arguments."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import aslinearoperator

from karush.sketching.inputs import matrix, right_hand_sides, rng_of, vector, whole


def test_what_is_fine_is_not_copied():
    for A in (np.eye(3), np.asfortranarray(np.eye(3, dtype=np.float32)), np.ones((6, 6))[::2, ::3]):
        assert matrix(A) is A
    for cls in (sp.csr_array, sp.csc_array):
        A = cls(np.eye(3))
        assert np.shares_memory(matrix(A).data, A.data)
    operator = aslinearoperator(np.eye(3))
    assert matrix(operator) is operator


@pytest.mark.parametrize("dtype", [bool, np.int8, np.uint64, np.float16, np.dtype(">f8"), np.longdouble])
def test_other_real_types_become_double(dtype):
    A = np.eye(3).astype(dtype)
    assert matrix(A).dtype == np.dtype(np.float64)
    assert matrix(A).dtype.isnative
    assert vector(A[0], 3).dtype == np.float64
    if np.dtype(dtype).kind in "biu":
        assert matrix(sp.csr_array(A)).dtype == np.float64


def test_sparse_formats_and_repeated_entries():
    A = sp.coo_array(([1.0, 2.0, 3.0], ([0, 0, 1], [1, 1, 0])), shape=(2, 2))
    result = matrix(A)
    assert result.format == "csr"
    np.testing.assert_array_equal(result.toarray(), [[0, 3], [3, 0]])
    unsorted = sp.csr_array(([1.0, 2.0, 4.0], [1, 1, 0], [0, 2, 3]), shape=(2, 2))
    np.testing.assert_array_equal(matrix(unsorted).toarray(), [[0, 3], [4, 0]])
    assert unsorted.nnz == 3  # the caller's is left alone
    assert matrix(sp.csc_matrix(np.eye(2))).format == "csc"


def test_unaligned_arrays_are_copied():
    records = np.zeros(4, dtype=np.dtype([("flag", "i1"), ("value", "f8")]))
    assert not records["value"].flags.aligned
    assert vector(records["value"], 4).flags.aligned


def test_large_finite_entries_are_no_overflow():
    A = np.full((4, 4), 1e308)
    assert matrix(A) is A
    assert vector(A[0], 4) is not None
    A[1, 2] = -np.inf
    with pytest.raises(ValueError, match=r"the first at \(1, 2\)"):
        matrix(A)


def test_place_of_what_is_not_finite():
    A = np.zeros((3, 4))
    A[1, 3] = np.nan
    A[2, 0] = np.inf
    with pytest.raises(ValueError, match=r"A has 2 entries that are not finite, the first at \(1, 3\)"):
        matrix(A)
    for cls in (sp.csr_array, sp.coo_array):
        with pytest.raises(ValueError, match=r"the first at \(1, 3\)"):
            matrix(cls(A))
    with pytest.raises(ValueError, match=r"the first at \(2, 0\)"):
        matrix(sp.csc_array(A))


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: matrix(np.ones(3)), ValueError, r"A has shape \(3,\); a matrix"),
        (lambda: matrix(np.ones((2, 2, 2)), "B"), ValueError, r"B has shape \(2, 2, 2\)"),
        (lambda: matrix(np.ones((0, 3))), ValueError, r"A has shape \(0, 3\): it is empty"),
        (lambda: matrix(sp.csr_array((3, 0))), ValueError, "empty"),
        (lambda: matrix(1j * np.eye(2)), TypeError, "A has dtype complex128; real numbers"),
        (lambda: matrix(sp.csr_array(1j * np.eye(2))), TypeError, "A has dtype complex128"),
        (lambda: matrix(aslinearoperator(1j * np.eye(2))), TypeError, "complex LinearOperator"),
        (lambda: matrix([["a"]]), TypeError, "A has dtype <U1"),
        (lambda: matrix(None), TypeError, "A has dtype object"),
        (lambda: matrix(np.ones((2, 3)), square=True), ValueError, "a square matrix is wanted"),
        (lambda: matrix(np.ones((2, 3)), symmetric=True), ValueError, "a square matrix is wanted"),
        (lambda: matrix([[1, 2], [3, 4]], symmetric=True), ValueError, "A is not symmetric"),
        (lambda: matrix(sp.csr_array([[1, 2], [3, 4]]), symmetric=True), ValueError, "A is not symmetric"),
        (lambda: matrix(sp.coo_array(np.ones(3))), ValueError, r"A has shape \(3,\)"),
        (lambda: vector(np.ones(3), 4), ValueError, r"b has shape \(3,\); \(4,\) is wanted"),
        (lambda: vector(np.ones((3, 1)), 3, "c"), ValueError, r"c has shape \(3, 1\)"),
        (
            lambda: vector([1, np.nan], 2),
            ValueError,
            r"b has 1 entries that are not finite, the first at \(1\)",
        ),
        (lambda: vector(sp.csr_array(np.eye(2)), 2), TypeError, "b has dtype object"),
        (lambda: right_hand_sides(np.ones((3, 0)), 3), ValueError, r"\(3, right-hand sides\) is wanted"),
        (lambda: right_hand_sides(np.ones((1, 3)), 3), ValueError, r"b has shape \(1, 3\)"),
        (lambda: right_hand_sides(1.0, 1), ValueError, r"b has shape \(\)"),
        (lambda: whole(True, "d"), TypeError, "d is True"),
        (lambda: whole(2.0, "d"), TypeError, "d is 2.0"),
        (lambda: whole(1, "d", 2), ValueError, "d is 1; at least 2"),
        (lambda: rng_of("seed"), TypeError, "rng is 'seed'"),
        (lambda: rng_of(-3), ValueError, "rng is -3"),
        (lambda: rng_of(1.5), TypeError, "rng is 1.5"),
    ],
)
def test_bad_input(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_symmetry_up_to_rounding():
    A = np.random.default_rng(0).standard_normal((20, 20))
    A = A + A.T
    A[0, 1] *= 1 + 1e-15
    assert matrix(A, symmetric=True) is A
    assert rng_of(None) is not None
    generator = np.random.default_rng(0)
    assert rng_of(generator) is generator
