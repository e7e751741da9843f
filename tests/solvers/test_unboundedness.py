"""The judge of rays, and the solver's search for them."""

import numpy as np
import pytest

import karush
from karush.problems.evaluator import Evaluator
from karush.solvers.nonlinear.rays import DivergenceWatch, falling_ray
from karush.solvers.status import Status
from karush.solvers.unboundedness import certify_unbounded

from .small_problems import Dense, quadratic

INF = np.inf


def line(f, g):
    """One free variable."""
    return Dense([1.0], lambda x: f(x[0]), lambda x: [g(x[0])], lambda x: [[0.0]], name="LINE")


FALLING = {
    "linear": (lambda t: -t, lambda t: -1.0),
    "quadratic": (lambda t: -t * t, lambda t: -2 * t),
    "square root": (lambda t: -np.sqrt(abs(t)), lambda t: -0.5 / np.sqrt(abs(t))),
    "with waves": (lambda t: -t + 5 * np.cos(t), lambda t: -1 - 5 * np.sin(t)),
}
BOUNDED = {
    "constant": (lambda t: 0.0, lambda t: 0.0),
    "to a limit": (lambda t: np.exp(-t), lambda t: -np.exp(-t)),
    "far minimum": (lambda t: -t + 1e-8 * t * t, lambda t: -1 + 2e-8 * t),
    "rising": (lambda t: t, lambda t: 1.0),
    "undefined far out": (lambda t: -t if t < 1e6 else np.nan, lambda t: -1.0),
}


@pytest.mark.parametrize("name", FALLING)
def test_falling_in_powers_of_the_length_is_certified(name):
    found = certify_unbounded(line(*FALLING[name]), np.array([1.0]), np.array([0.3]))
    assert found.holds
    assert found.direction == pytest.approx([1.0])
    assert found.falls.size == found.lengths.size > 3


@pytest.mark.parametrize("name", BOUNDED)
def test_what_has_a_lower_bound_is_not(name):
    assert not certify_unbounded(line(*BOUNDED[name]), np.array([1.0]), np.array([1.0])).holds


def test_the_ray_has_to_be_feasible():
    corner = quadratic(np.zeros((2, 2)), [-1.0, -1.0], [0.0, 0.0], A=[[1.0, -1.0]], cl=(0,), cu=(INF,))
    assert certify_unbounded(corner, np.zeros(2), np.array([1.0, 1.0])).holds
    assert certify_unbounded(corner, np.zeros(2), np.array([2.0, 1.0])).holds
    assert not certify_unbounded(corner, np.zeros(2), np.array([1.0, 1.0 + 1e-9])).holds
    assert not certify_unbounded(corner, np.array([0.0, 1.0]), np.array([1.0, 1.0])).holds
    bounded = quadratic(np.zeros((2, 2)), [-1.0, -1.0], [0.0, 0.0], ub=[INF, 1e7])
    assert not certify_unbounded(bounded, np.zeros(2), np.array([1.0, 1.0])).holds
    assert certify_unbounded(bounded, np.zeros(2), np.array([1.0, 0.0])).holds


def test_a_point_alone_is_evidence_beyond_1e18():
    problem = line(*FALLING["linear"])
    assert certify_unbounded(problem, np.array([2e18])).holds
    assert not certify_unbounded(problem, np.array([2e17])).holds


def test_a_ray_is_made_exact_from_a_rough_direction():
    A = [[1.0, 2.0, -1.0], [0.0, 1.0, 3.0]]
    d = np.array([7.0, -3.0, 1.0])  # A d = 0
    R = np.array([[1.0, 2.0, -1.0]])
    problem = quadratic(R.T @ R, -d, [0.0, 0.0, 0.0], A=A, cl=(0, -INF), cu=(0, 1))
    rough = 1e4 * d + np.array([1.0, -0.3, 0.2])
    found = falling_ray(Evaluator(problem), np.zeros(3), rough, 1e-8)
    assert found is not None
    np.testing.assert_allclose(found[1] / found[1][2], d, rtol=1e-12)


def test_a_bound_in_the_way_is_gone_along():
    problem = quadratic(np.zeros((2, 2)), [-1.0, -1.0], [0.0, 0.0], ub=[INF, 1.0])
    found = falling_ray(Evaluator(problem), np.zeros(2), np.array([1.0, 0.5]), 1e-8)
    assert found is not None
    assert found[1][1] == 0.0


def test_the_watch_looks_again_only_where_it_is_ten_times_as_far():
    watch = DivergenceWatch(np.array([2.0]))
    sizes = [1.0, 150.0, 1e4, 2e4, 3e4, 1e5, 3e5]
    assert [s for s in sizes if watch.is_due(np.array([s]))] == [2e4, 3e5]
    assert watch.near == pytest.approx([150.0])


def test_the_watch_looks_now_and_then_at_long_runs():
    watch = DivergenceWatch(np.array([2.0]))
    due = [k for k in range(1, 600) if watch.is_due(np.array([1e3]))]
    assert due == [64, 128, 256, 512]


@pytest.mark.parametrize("as_row", [False, True])
def test_a_half_line_is_left_at_once(as_row):
    limits = {"A": [[1.0]], "cl": (1,), "cu": (INF,)} if as_row else {"lb": 1.0}
    result = karush.minimize(quadratic([[0.0]], [-1.0], [2.0], **limits))
    assert result.status is Status.UNBOUNDED
    assert not result.success
    assert result.unboundedness.holds
    assert result.nit <= 10
