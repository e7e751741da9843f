"""What every solver of one linear system promises: one suite for all of them."""

import threading

import numpy as np
import pytest
import scipy.sparse as sp

from karush.problems.collection.grids import five_point_laplacian
from karush.problems.linear_sequence import ShiftedMatrix
from karush.solvers.sequence.block_sor import BlockSOR
from karush.solvers.sequence.direct import Direct
from karush.solvers.sequence.eisenstat import EisenstatCG
from karush.solvers.sequence.incomplete_cholesky import IncompleteCholesky
from karush.solvers.sequence.multigrid import Multigrid
from karush.solvers.sequence.protocol import LinearStatus
from karush.solvers.sequence.sor import SOR
from karush.solvers.status import Status


def incomplete_cholesky():
    pytest.importorskip("ilupp")
    return IncompleteCholesky()


def multigrid(kind="ruge-stuben"):
    pytest.importorskip("pyamg")
    return Multigrid(kind)


SOLVERS = {
    "sor": lambda: SOR(1.5),
    "symmetric sor": lambda: SOR(1.5, "symmetric"),
    "multicolour sor": lambda: SOR(1.5, order="multicolour", workers=2),
    "block sor": lambda: BlockSOR(2, 1.5),
    "ssor-cg": lambda: EisenstatCG(1.5),
    "incomplete cholesky": incomplete_cholesky,
    "multigrid": multigrid,
    "smoothed aggregation": lambda: multigrid("smoothed-aggregation"),
    "direct": Direct,
}
every_solver = pytest.mark.parametrize("name", SOLVERS)


@pytest.fixture
def solver(name):
    return SOLVERS[name]()


@pytest.fixture
def A():
    return ShiftedMatrix(five_point_laplacian(8, 10)).plus(0.1)


@pytest.fixture
def b():
    return np.random.default_rng(0).standard_normal(80)


@every_solver
def test_solves_to_the_tolerance(solver, A, b):
    setup = solver.setup(A)
    assert setup.failure is None
    assert setup.seconds > 0.0
    for rtol, atol in ((1e-4, 0.0), (1e-10, 0.0), (0.0, 1e-6)):
        answer = solver.solve(b, rtol=rtol, atol=atol)
        assert answer.status is LinearStatus.CONVERGED
        true = np.linalg.norm(b - A @ answer.x)
        assert true <= max(rtol * np.linalg.norm(b), atol)
        assert answer.residual == pytest.approx(true, rel=1e-6, abs=1e-13)
        assert answer.residuals.size == answer.iterations + 1
        assert answer.work > 0.0


@every_solver
def test_the_next_matrix_with_what_there_is(solver, A, b):
    family = ShiftedMatrix(A)
    for c in (0.0, 0.05, 1.0):
        assert solver.update(family.plus(c)).failure is None
        answer = solver.solve(b)
        assert answer.converged
        assert np.linalg.norm(b - family.plus(c) @ answer.x) <= 1e-8 * np.linalg.norm(b)


@every_solver
def test_nothing_of_the_callers_is_changed(solver, A, b):
    x0 = np.linspace(-1.0, 1.0, 80)
    copies = A.copy(), b.copy(), x0.copy()
    for array in (A.data, A.indices, A.indptr, b, x0):
        array.setflags(write=False)
    solver.setup(A)
    solver.solve(b, x0)
    assert abs(A - copies[0]).max() == 0.0
    assert np.array_equal(b, copies[1])
    assert np.array_equal(x0, copies[2])


@every_solver
def test_forms_of_the_matrix(solver, A, b):
    solver.setup(A)
    expected = solver.solve(b, rtol=1e-10).x
    wide = A.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    shuffled = sp.csr_array(A[:, ::-1])[:, ::-1]
    twice = sp.coo_array(
        (np.tile(A.data / 2, 2), (np.tile(A.tocoo().row, 2), np.tile(A.tocoo().col, 2))), shape=A.shape
    )
    for form in (wide, shuffled, twice, sp.csc_matrix(A), A.toarray(), A.tolil()):
        solver.setup(form)
        np.testing.assert_allclose(solver.solve(b, rtol=1e-10).x, expected, rtol=1e-7, atol=1e-9)


@every_solver
def test_single_precision_and_integers_are_taken_in(solver, b):
    A = five_point_laplacian(8, 10)
    for dtype in (np.float32, np.int64):
        solver.setup(A.astype(dtype))
        answer = solver.solve(b.astype(np.float32))
        assert answer.converged
        assert answer.x.dtype == np.float64


@every_solver
def test_zero_is_solved_by_zero(solver, A, b):
    solver.setup(A)
    answer = solver.solve(np.zeros(80), b)
    assert answer.converged
    assert not answer.x.any()


@every_solver
def test_a_start_that_serves_is_the_answer(solver, A, b):
    solver.setup(A)
    answer = solver.solve(A @ b, b)
    assert answer.converged
    assert answer.iterations == 0
    assert np.array_equal(answer.x, b)
    for limits in ({}, {"max_iterations": 0}, {"max_iterations": 1}):
        assert not np.shares_memory(solver.solve(A @ b, b, **limits).x, b)


@every_solver
@pytest.mark.parametrize(
    ("limits", "status"),
    [
        ({"max_iterations": 0}, LinearStatus.ITERATION_LIMIT),
        ({"max_time": 0.0}, LinearStatus.TIME_LIMIT),
    ],
)
def test_limits(solver, A, b, limits, status):
    solver.setup(A)
    x0 = np.ones(80)
    answer = solver.solve(b, x0, **limits)
    assert answer.status is status
    assert np.linalg.norm(b - A @ answer.x) <= np.linalg.norm(b - A @ x0)


@every_solver
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_what_is_not_finite_is_a_status(solver, A, b, bad):
    solver.setup(A)
    wrong = b.copy()
    wrong[3] = bad
    for arguments in ((wrong,), (b, wrong)):
        answer = solver.solve(*arguments)
        assert answer.status is LinearStatus.NONFINITE
        assert np.isfinite(answer.x).all()
    broken = A.copy()
    broken.data[7] = bad
    assert solver.setup(broken).failure is LinearStatus.NONFINITE
    assert solver.solve(b).status is LinearStatus.NONFINITE
    assert solver.setup(A).failure is None
    assert solver.solve(b).converged


@every_solver
def test_a_singular_matrix_is_never_solved(solver, name):
    """Inconsistent: no x has a residual below 1/sqrt(2)."""
    A = sp.csr_array(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    solver.setup(A)
    answer = solver.solve(np.array([1.0, 0.0]), max_iterations=2000)
    assert not answer.converged
    assert np.isfinite(answer.x).all()
    assert answer.residual <= 1.0


@every_solver
def test_a_zero_matrix_is_a_failure(solver):
    setup = solver.setup(sp.csr_array((4, 4)))
    assert setup.failure is not None
    assert solver.solve(np.ones(4)).status is setup.failure
    assert setup.failure.status is Status.NUMERICAL_FAILURE


@every_solver
def test_tiny_systems(solver):
    A = sp.csr_array(np.diag([2.0, 4.0]))
    solver.setup(A)
    answer = solver.solve(np.array([2.0, 2.0]))
    np.testing.assert_allclose(answer.x, [1.0, 0.5], rtol=1e-7)


@every_solver
@pytest.mark.parametrize("exponent", [-900, -560, 560, 1000])
def test_sizes_whose_squares_overflow_or_vanish(solver, A, b, exponent):
    solver.setup(A)
    expected = solver.solve(b)
    answer = solver.solve(np.ldexp(b, exponent))
    assert answer.converged
    np.testing.assert_allclose(np.ldexp(answer.x, -exponent), expected.x, rtol=1e-9, atol=1e-12)
    assert answer.iterations == expected.iterations
    assert answer.residual == pytest.approx(np.ldexp(expected.residual, exponent), rel=1e-4)


@every_solver
@pytest.mark.parametrize("size", [1e145, 1e150, 1e170, 1e308])
def test_a_start_far_away(solver, A, b, size):
    """Where its residual overflows, zero is the start."""
    solver.setup(A)
    answer = solver.solve(b, np.full(80, size))
    assert answer.status in (LinearStatus.CONVERGED, LinearStatus.STALLED)
    assert answer.converged or size < 1e160
    assert np.linalg.norm(b - A @ answer.x) <= 1e-10 * size


@every_solver
def test_solves_at_the_same_time_do_not_meet(solver, A):
    solver.setup(A)
    rights = np.random.default_rng(1).standard_normal((4, 80))
    expected = [solver.solve(b).x for b in rights]
    found = [None] * 4

    def work(k):
        for _ in range(5):
            found[k] = solver.solve(rights[k]).x

    threads = [threading.Thread(target=work, args=(k,)) for k in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for one, other in zip(expected, found, strict=True):
        assert np.array_equal(one, other)


@every_solver
@pytest.mark.parametrize(
    ("arguments", "options", "error", "message"),
    [
        ((np.ones(79),), {}, ValueError, r"b must have shape \(80,\), got \(79,\)"),
        ((np.ones(80), np.ones((80, 1))), {}, ValueError, "x0 must have shape"),
        ((np.ones(80) * 1j,), {}, TypeError, "b must be real"),
        ((["a"] * 80,), {}, TypeError, "b must be real"),
        ((np.ones(80),), {"rtol": -1.0}, ValueError, "rtol must be finite and not negative"),
        ((np.ones(80),), {"rtol": np.nan}, ValueError, "rtol must be finite"),
        ((np.ones(80),), {"atol": "small"}, TypeError, "atol must be a number"),
        ((np.ones(80),), {"max_iterations": 2.5}, TypeError, "max_iterations must be an integer"),
        ((np.ones(80),), {"max_iterations": -1}, ValueError, "max_iterations must not be negative"),
        ((np.ones(80),), {"max_time": -1.0}, ValueError, "max_time must not be negative"),
    ],
)
def test_bad_arguments(solver, A, arguments, options, error, message):
    solver.setup(A)
    with pytest.raises(error, match=message):
        solver.solve(*arguments, **options)


@every_solver
@pytest.mark.parametrize(
    ("A", "error", "message"),
    [
        ("A", TypeError, "sparse array"),
        (np.ones(3), ValueError, "two dimensions"),
        (np.ones((2, 3)), ValueError, "square"),
        (np.eye(2) * 1j, TypeError, "real"),
        (np.ones((0, 0)), ValueError, "not empty"),
    ],
)
def test_bad_matrices(solver, A, error, message):
    with pytest.raises(error, match=message):
        solver.setup(A)


@every_solver
def test_solve_before_setup(solver):
    with pytest.raises(RuntimeError, match="setup"):
        solver.solve(np.ones(3))


@every_solver
def test_an_interrupt_keeps_the_best_point(solver, A, b, monkeypatch):
    """The keyboard interrupts when the clock is looked at, which every iteration does sooner or later."""
    from karush.solvers.sequence.run import Run

    solver.setup(A)
    limit, looks = Run.limit, []

    def interrupted(run):
        looks.append(run)
        if len(looks) > 1:
            raise KeyboardInterrupt
        return limit(run)

    monkeypatch.setattr(Run, "limit", interrupted)
    monkeypatch.setattr(Run, "batch", lambda run: 2)
    answer = solver.solve(b, rtol=1e-14)
    assert answer.status in (LinearStatus.INTERRUPTED, LinearStatus.CONVERGED)
    assert answer.residual <= np.linalg.norm(b)
    assert answer.residual == pytest.approx(np.linalg.norm(b - A @ answer.x), abs=1e-12)


def test_nonsymmetric_systems_have_sor_and_a_direct_solver():
    rng = np.random.default_rng(0)
    A = sp.csr_array(rng.standard_normal((30, 30)) + 40.0 * np.eye(30))
    x = rng.standard_normal(30)
    for solver in (SOR(1.0), BlockSOR(3), Direct()):
        solver.setup(A)
        np.testing.assert_allclose(solver.solve(A @ x, rtol=1e-12).x, x, rtol=1e-9)


def test_the_direct_solver_takes_indefinite_matrices():
    rng = np.random.default_rng(0)
    B = rng.standard_normal((20, 20))
    A = sp.csr_array(B + B.T)
    solver = Direct()
    solver.setup(A)
    x = rng.standard_normal(20)
    answer = solver.solve(A @ x, rtol=1e-11)
    assert answer.converged
    assert answer.iterations <= 2


def test_factorisations_of_one_pattern_share_their_analysis(A, b):
    family = ShiftedMatrix(A)
    solver = Direct()
    solver.setup(family.plus(0.0))
    analysed = solver._symmetric
    solver.setup(family.plus(1.0))
    assert solver._symmetric is analysed
    assert solver.solve(b, rtol=1e-12).iterations == 1
    solver.setup(five_point_laplacian(10, 8))
    assert solver._symmetric is not analysed


def test_an_old_factorisation_is_a_preconditioner(A, b):
    family = ShiftedMatrix(A)
    solver = Direct()
    solver.setup(family.plus(0.0))
    solver.update(family.plus(0.01))
    old = solver.solve(b)
    assert old.converged
    assert 1 < old.iterations < 10


def test_incomplete_cholesky_shifts_where_it_breaks_down():
    """Kershaw's matrix: positive definite, with a negative pivot in its factorisation without fill."""
    pytest.importorskip("ilupp")
    A = np.array([[3.0, -2, 0, 2], [-2, 3, -2, 0], [0, -2, 3, -2], [2, 0, -2, 3]])
    solver = IncompleteCholesky(fill=0, threshold=0.0)
    assert solver.setup(sp.csr_array(A)).failure is None
    assert solver.solve(np.array([1.0, 2.0, 3.0, 4.0])).converged


def test_a_hierarchy_leaves_the_global_generator_alone(A):
    pytest.importorskip("pyamg")
    np.random.seed(3)  # noqa: NPY002
    expected = np.random.random()  # noqa: NPY002
    np.random.seed(3)  # noqa: NPY002
    Multigrid("smoothed-aggregation").setup(A)
    assert np.random.random() == expected  # noqa: NPY002
