"""L-BFGS in compact form against the recursion, and its KKT systems against dense ones."""

import numpy as np
import pytest

from karush.solvers.driver import MAX_EXTRA_LOOKS
from karush.solvers.nonlinear.kkt import KKTPattern, kkt_solver
from karush.solvers.nonlinear.limited_memory import CompactMatrix, LimitedMemoryBFGS, LimitedMemoryKKT

from ..small_problems import rosenbrock
from .test_exact_lagrangian import hs71, solve


def learned(rng, n, pairs, H=None):
    memory = LimitedMemoryBFGS(n, memory=6)
    H = H if H is not None else (lambda R: R @ R.T + np.eye(n))(rng.standard_normal((n, n)))
    steps = [rng.standard_normal(n) for _ in range(pairs)]
    for s in steps:
        memory.update(s, H @ s)
    return memory, H, steps


def recursion(memory):
    """Byrd, Nocedal & Schnabel: BFGS updates of gamma I with the pairs kept, one after the other."""
    B = memory.values.gamma * np.eye(memory.n)
    for s, y in memory._pairs:
        B = B - np.outer(B @ s, B @ s) / (s @ B @ s) + np.outer(y, y) / (s @ y)
    return B


def test_the_compact_form_is_that_of_the_recursion():
    rng = np.random.default_rng(1)
    for pairs in (0, 1, 3, 9):
        memory, _, _ = learned(rng, 12, pairs)
        B = np.column_stack([memory.values @ e for e in np.eye(12)])
        assert pytest.approx(recursion(memory), rel=1e-9) == B
        assert memory.values.diagonal() == pytest.approx(np.diag(B), rel=1e-9)


def test_the_last_step_is_interpolated():
    rng = np.random.default_rng(2)
    memory, H, steps = learned(rng, 12, 9)
    assert memory.values @ steps[-1] == pytest.approx(H @ steps[-1], rel=1e-8)


def test_damping_keeps_the_matrix_positive_definite():
    rng = np.random.default_rng(3)
    H = np.diag(np.linspace(-3.0, 3.0, 10))
    memory, _, _ = learned(rng, 10, 20, H)
    B = np.column_stack([memory.values @ e for e in np.eye(10)])
    assert np.linalg.eigvalsh(0.5 * (B + B.T))[0] > 0.0


def test_steps_that_teach_nothing_are_left_out():
    memory = LimitedMemoryBFGS(3)
    memory.update(np.zeros(3), np.ones(3))
    memory.update(np.ones(3), np.array([1.0, np.nan, 1.0]))
    assert not memory._pairs


@pytest.mark.parametrize("solver", ["dense", "sparse"])
def test_kkt_systems_by_sherman_morrison_woodbury(solver):
    rng = np.random.default_rng(4)
    n, m = 15, 6
    memory, _, _ = learned(rng, n, 8)
    J, primal, dual = rng.standard_normal((m, n)), rng.uniform(0, 3, n), rng.uniform(0, 1, m)
    empty = np.zeros(0, dtype=np.int64)
    rows, columns = np.divmod(np.arange(m * n), n)
    kkt = LimitedMemoryKKT(kkt_solver(KKTPattern(n, m, empty, empty, rows, columns), solver))
    kkt.load(memory.values, J.ravel())
    assert kkt.factor(primal, dual) == (n, m, 0)
    K = np.block([[recursion(memory) + np.diag(primal), J.T], [J, -np.diag(dual)]])
    v = rng.standard_normal(n + m)
    solution, residual = kkt.solve(K @ v)
    assert solution == pytest.approx(v, rel=1e-8)
    assert residual < 1e-13
    assert kkt.multiply(v) == pytest.approx(K @ v)


def test_an_empty_memory_is_a_multiple_of_the_identity():
    B = CompactMatrix(2.0, np.zeros((3, 0)), np.zeros((0, 0)))
    assert np.array_equal(B @ np.ones(3), [2.0, 2.0, 2.0])
    assert np.array_equal(B.diagonal(), [2.0, 2.0, 2.0])


@pytest.mark.parametrize("linear_solver", ["auto", "sparse", "krylov"])
def test_known_answers_without_second_derivatives(linear_solver):
    result = solve(hs71(), hessian="lbfgs", linear_solver=linear_solver)
    assert result.success
    assert result.fun == pytest.approx(17.0140173, abs=1e-6)
    assert result.counts["hvp"] == 0
    assert result.counts["hessian"] <= MAX_EXTRA_LOOKS  # the certificate's, for its bound on rounding
    assert result.record["hessian"] == "lbfgs"
    assert solve(rosenbrock(), hessian="lbfgs", linear_solver=linear_solver).fun < 1e-12
