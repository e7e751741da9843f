"""Differences: steps within the bounds, accuracy, groups of columns, and the test of the complex step."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_array, diags_array, random_array

from karush.problems.colouring import Pattern, column_colours
from karush.problems.finite_differences import (
    complex_slope,
    contradicts_differences,
    jacobian_by_complex_step,
    jacobian_by_differences,
    offsets,
)


def each(fun):
    """The function at many points, as the differences want it."""
    return lambda points: map(fun, points)


free = np.array([-np.inf]), np.array([np.inf])
numbers = st.floats(-1e12, 1e12, allow_nan=False)


@st.composite
def boxes(draw):
    """A point in a box: wide, one-sided, tiny and closed intervals, the point at an end or inside."""
    low = draw(numbers)
    width = draw(st.sampled_from([0.0, 1e-12, 1e-9, 1e-3, 1.0, 1e6, np.inf]))
    high = low + width * max(1.0, abs(low))
    low = draw(st.sampled_from([low, -np.inf]))
    inner = draw(numbers)
    x = draw(st.sampled_from([low, high, inner]))
    return low, high, min(max(x if np.isfinite(x) else inner, low), high)


@settings(deadline=None, max_examples=300)
@given(st.lists(boxes(), min_size=1, max_size=5), st.sampled_from(["2-point", "3-point"]))
def test_steps_never_leave_the_bounds(rows, scheme):
    lb, ub, x = np.array(rows, dtype=float).T
    steps = offsets(x, lb, ub, scheme)
    points = x + steps
    assert ((points >= lb) & (points <= ub)).all()
    still = points == x
    # Only what has no room of a few units in the last place may stand still.
    assert (ub - lb)[still.any(axis=0)] == pytest.approx(0.0, abs=16 * np.spacing(np.abs(x).max()))
    if scheme == "3-point":
        assert (points[0] != points[1])[~still.any(axis=0)].all()


@settings(deadline=None, max_examples=100)
@given(st.floats(-3, 3), st.sampled_from(["left", "right", "inside"]))
def test_three_points_are_second_order_at_bounds_too(x, side):
    x = np.array([x])
    lb = x if side == "left" else x - 1.0
    ub = x if side == "right" else x + 1.0
    steps = offsets(x, lb, ub, "3-point")
    value = jacobian_by_differences(each(np.exp), x, np.exp(x), steps, Pattern.dense(1, 1))
    assert value[0] == pytest.approx(np.exp(x[0]), rel=1e-8)


def test_two_points():
    x = np.array([0.5, -2.0])
    value = jacobian_by_differences(
        each(lambda z: np.array([z[0] * z[1]])),
        x,
        np.array([-1.0]),
        offsets(x, np.full(2, -np.inf), np.full(2, np.inf)),
        Pattern.dense(1, 2),
    )
    np.testing.assert_allclose(value, [-2.0, 0.5], rtol=1e-7)


def test_given_relative_step_and_its_direction():
    step = offsets(np.array([4.0]), *free, "2-point", -0.25)
    assert step[0, 0] == -1.0
    turned = offsets(np.array([4.0]), np.array([4.0]), np.array([9.0]), "2-point", -0.25)
    assert turned[0, 0] == 1.0


def test_edge_of_the_domain():
    # sqrt is nan left of 0: the central difference at 1e-7 has only its right half
    x = np.array([1e-7])
    with np.errstate(invalid="ignore"):
        value = jacobian_by_differences(
            each(lambda z: z * np.sqrt(z)),
            x,
            x * np.sqrt(x),
            offsets(x, *free, "3-point"),
            Pattern.dense(1, 1),
        )
    assert np.isfinite(value).all()


@settings(deadline=None, max_examples=100)
@given(st.integers(1, 12), st.integers(1, 12), st.floats(0.0, 1.0), st.integers(0, 2**31))
def test_colours_share_no_row(m, n, density, stream):
    matrix = random_array((m, n), density=density, rng=np.random.default_rng(stream), format="csr")
    pattern = Pattern.of(matrix)
    colours = column_colours(pattern)
    dense = np.zeros((m, n), dtype=bool)
    dense[pattern.rows, pattern.columns] = True
    for k in range(int(colours.max(initial=-1)) + 1):
        assert dense[:, colours == k].sum(axis=1).max() <= 1
    assert ((colours >= 0) == dense.any(axis=0)).all()


def test_tridiagonal_needs_three_evaluations():
    n = 200
    pattern = Pattern.of(diags_array([np.ones(n - 1), np.ones(n), np.ones(n - 1)], offsets=[-1, 0, 1]))
    calls = []

    def fun(x):
        calls.append(x)
        left, right = np.append(0.0, x[:-1]), np.append(x[1:], 0.0)
        return (3 - 2 * x) * x - left - 2 * right + 1

    x = np.linspace(-1.0, 1.0, n)
    base = fun(x)
    bounds = np.full(n, -np.inf), np.full(n, np.inf)
    values = jacobian_by_differences(each(fun), x, base, offsets(x, *bounds), pattern)
    assert len(calls) == 1 + 3
    expected = diags_array([-np.ones(n - 1), 3 - 4 * x, -2 * np.ones(n - 1)], offsets=[-1, 0, 1])
    found = csr_array((values, pattern.columns, pattern.indptr), shape=(n, n))
    np.testing.assert_allclose(found.toarray(), expected.toarray(), atol=1e-6)
    exact = jacobian_by_complex_step(each(fun), x, pattern)
    assert len(calls) == 1 + 3 + 3
    np.testing.assert_allclose(exact, csr_array(expected).data, rtol=1e-14, atol=1e-15)


ANALYTIC = [
    lambda x: np.array([np.sum(x**4)]),
    lambda x: np.array([1e10 + np.sum(x**2)]),
    lambda x: np.array([1e8 * (x[0] - x[1]) ** 2 + x[0]]),
    lambda x: np.array([np.exp(x[0]), np.sin(x[1]), np.sum(np.log(x))]),
]
# Each loses the imaginary part of something that matters.
LOSSY = [
    lambda x: np.array([np.sum(np.abs(x))]),
    lambda x: np.array([np.linalg.norm(x) ** 2]),
    lambda x: np.array([np.vdot(x, x)]),
    lambda x: np.array([x[0] ** 2, np.real(x[1])]),
    lambda x: np.array([np.sum(x**2) + 1e-3 * np.abs(x[0])]),
]


@pytest.mark.parametrize("fun", ANALYTIC)
def test_complex_step_is_believed(fun):
    x = np.array([0.7, 1.3])
    assert not contradicts_differences(fun, complex_slope(fun, x), x, fun(x), np.zeros(2), np.full(2, 2.0))


@pytest.mark.parametrize("fun", LOSSY)
def test_lost_imaginary_parts_are_found(fun):
    x = np.array([0.7, 1.3])
    assert contradicts_differences(fun, complex_slope(fun, x), x, fun(x), np.zeros(2), np.full(2, 2.0))
