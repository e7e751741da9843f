"""The public calls: answers are right, `success` is the true residual's, nothing is lost."""

import json
import threading

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import spsolve

from karush.problems.collection.grids import five_point_laplacian
from karush.problems.linear_sequence import LinearSequence, LinearSystem, get_sequence
from karush.solvers.sequence.learners import OneScalar
from karush.solvers.sequence.sequence_solver import METHODS, SequenceSolver
from karush.solvers.sequence.solve_sequence import solve_sequence
from karush.solvers.sequence.system_methods import SSORCGMethod
from karush.solvers.status import Status

POSITIVE = [name for name in METHODS if name != "auto"]
NEEDS = {"incomplete-cholesky": "ilupp", "multigrid": "pyamg"}


def needed(method):
    if method in NEEDS:
        pytest.importorskip(NEEDS[method])


def small(length=12, **options):
    return get_sequence("DIFFUSION", side=12, length=length, coefficient="lognormal", **options)


# ---- answers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("method", [*POSITIVE, "auto"])
def test_single_precision_is_solved_and_certified_in_double(method):
    needed(method)
    solver = SequenceSolver(method, rtol=1e-12, loss="iterations")  # far below what float32 resolves
    for system in small(length=3):
        A, b = system.A.astype(np.float32), system.b.astype(np.float32)
        answer = solver.solve(A, b)
        assert answer.success
        assert answer.x.dtype == np.float64
        wide, right = A.astype(np.float64), b.astype(np.float64)
        assert np.linalg.norm(right - wide @ answer.x) <= 1.001e-12 * np.linalg.norm(right)


@pytest.mark.parametrize("method", [*POSITIVE, "auto"])
@pytest.mark.parametrize("schedule", ["stationary", "drifting"])
def test_every_method_solves_every_system(method, schedule):
    needed(method)
    sequence = small(schedule=schedule)
    result = solve_sequence(sequence, method, loss="iterations", keep_solutions=True)
    assert result.success
    assert result.status is Status.CONVERGED
    assert result.solved == len(result.systems) == 12
    for t, x in enumerate(result.solutions):
        system = sequence.system(t, sequence.start)
        assert np.linalg.norm(system.b - system.A @ x) <= 1e-8 * np.linalg.norm(system.b)
        assert np.allclose(x, spsolve(system.A.tocsc(), system.b), rtol=1e-4, atol=1e-6 * np.abs(x).max())
    assert np.array_equal(result.x, result.solutions[-1])


def test_a_stepping_sequence_is_the_time_stepper():
    sequence = get_sequence("HEAT", side=8, length=5000)
    result = solve_sequence(sequence, "ssor-cg", length=20, rtol=1e-12)
    x = sequence.start
    for t in range(20):
        system = sequence.system(t, x)
        x = spsolve(system.A.tocsc(), system.b)
    assert np.allclose(result.x, x, rtol=1e-9)
    assert len(result.systems) == 20


def test_general_matrices_are_solved_too():
    rng = np.random.default_rng(0)
    A = sp.random_array((60, 60), density=0.05, rng=rng) + 5 * sp.eye_array(60)
    systems = [(sp.csr_array(A + c * sp.eye_array(60)), rng.standard_normal(60)) for c in (0.0, 1.0, 2.0)]
    for method in ("auto", "sor", "direct"):
        result = solve_sequence(systems, method, rng=0)
        assert result.success
        assert np.allclose(result.x, spsolve(systems[-1][0].tocsc(), systems[-1][1]), rtol=1e-6, atol=1e-8)


def test_the_solver_can_be_embedded_without_a_sequence():
    solver, matrix = SequenceSolver("ssor-cg"), five_point_laplacian(9, 9)
    b = np.ones(81)
    first = solver.solve(matrix, b)
    again = solver.solve(matrix, b)
    assert first.success
    assert again.success
    assert (again.method, again.nit) == ("start", 0)  # the last solution is the start
    assert solver.systems == 2


def test_dense_matrices_lists_and_integers_are_taken():
    result = solve_sequence([([[4, 1], [1, 3]], [1, 2]), (np.array([[5, 1], [1, 3]]), [1, 2], 1)])
    assert result.success
    assert np.allclose(result.x, np.linalg.solve([[5, 1], [1, 3]], [1, 2]))


def test_sizes_and_patterns_may_change_on_the_way():
    solver = SequenceSolver(loss="iterations")
    for m in (4, 9, 4):
        A = five_point_laplacian(m, m)
        assert solver.solve(A, np.ones(m * m)).success


def test_a_system_of_one_unknown_and_a_zero_right_hand_side():
    result = solve_sequence([(sp.csr_array([[2.0]]), [4.0]), (sp.csr_array([[2.0]]), [0.0])])
    assert result.success
    assert result.x == pytest.approx([0.0])


@pytest.mark.parametrize("method", ["ssor-cg", "auto"])
def test_a_permutation_of_the_unknowns_changes_nothing_but_their_order(method):
    A, p = five_point_laplacian(7, 8), np.random.default_rng(0).permutation(56)
    b = np.random.default_rng(1).standard_normal(56)
    one = solve_sequence([(A, b)], method, rtol=1e-12).x
    other = solve_sequence([(sp.csr_array(A[p][:, p]), b[p])], method, rtol=1e-12).x
    assert np.allclose(one[p], other, rtol=1e-9)


# ---- reproducibility and memory --------------------------------------------------------------------------


@pytest.mark.parametrize("learner", ["one-scalar", "tsallis-inf", "contextual", "chebcb"])
@pytest.mark.parametrize("method", ["ssor-cg", "auto"])
def test_runs_by_iterations_are_the_same_bit_for_bit(method, learner):
    def run():
        return solve_sequence(small(), method, learner, loss="iterations", rng=3)

    one, other = run(), run()
    assert np.array_equal(one.x, other.x)
    assert np.array_equal(one.omegas, other.omegas, equal_nan=True)
    assert [a.method for a in one.systems] == [a.method for a in other.systems]


@pytest.mark.parametrize("learner", ["one-scalar", "tsallis-inf-rv", "chebcb"])
def test_a_run_taken_up_again_goes_on_bit_for_bit(learner):
    sequence = small(length=30)
    through = solve_sequence(sequence, "ssor-cg", learner, loss="iterations", rng=3)
    first = solve_sequence(sequence, "ssor-cg", learner, loss="iterations", rng=3, length=13)
    saved = json.loads(json.dumps(first.solver.state_dict()))
    later = SequenceSolver(
        "ssor-cg",
        learner,
        loss="iterations",
        context_range=sequence.context_range,
        context_scale="log",
    )
    later.load_state(saved)
    assert later.systems == 13
    x = first.x
    for t in range(13, 30):
        system = sequence.system(t, x)
        answer = later.solve(system.A, system.b, system.context, x0=x)
        x = answer.x
        assert answer.omega == through.omegas[t]
    assert np.array_equal(x, through.x)


def test_a_saved_portfolio_goes_on():
    first = solve_sequence(small(length=20))
    saved = json.loads(json.dumps(first.solver.state_dict()))
    solver = SequenceSolver(assume_a="pos")
    solver.load_state(saved)
    system = small().system(3, np.zeros(144))
    assert solver.solve(system.A, system.b).success
    with pytest.raises(ValueError, match="state has the methods"):
        SequenceSolver("sor").load_state(saved)
    with pytest.raises(ValueError, match="state_dict"):
        SequenceSolver().load_state({})


def test_two_solvers_in_two_threads_do_not_meet():
    expected = solve_sequence(small(), "ssor-cg", loss="iterations").x
    found = {}

    def work(key):
        found[key] = solve_sequence(small(), "ssor-cg", loss="iterations").x

    threads = [threading.Thread(target=work, args=(key,)) for key in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert all(np.array_equal(x, expected) for x in found.values())


def test_what_the_caller_gives_is_not_changed():
    A, b, x0 = five_point_laplacian(5, 5), np.ones(25), np.full(25, 3.0)
    kept = A.copy(), b.copy(), x0.copy()
    for method in ("auto", "sor"):
        solve_sequence([(A, b), (A, b)], method, x0=x0)
    assert (kept[0] != A).nnz == 0
    assert np.array_equal(b, kept[1])
    assert np.array_equal(x0, kept[2])


# ---- regret ----------------------------------------------------------------------------------------------


def test_regret_is_against_the_iterations_of_the_grid():
    omegas = np.array([1.0, 1.5, 1.9])
    result = solve_sequence(small(), "ssor-cg", 1.5, hindsight=omegas, loss="iterations")
    assert result.regret.total == result.iterations.sum()
    fixed = [solve_sequence(small(), "ssor-cg", w, loss="iterations").nit for w in omegas]
    # starts are solutions to the tolerance, found in another way
    assert result.regret.best_fixed == pytest.approx(min(fixed), rel=0.02)
    assert result.regret.instance_optimum <= result.regret.best_fixed
    assert result.estimated_regret is None
    assert solve_sequence(small(), "ssor-cg", "tsallis-inf", rng=0).estimated_regret is not None


def test_the_one_scalar_learner_is_near_the_instance_optimum():
    sequence = get_sequence("DIFFUSION", side=32, length=60)
    result = solve_sequence(sequence, "ssor-cg", hindsight=np.linspace(1.0, 1.95, 20), loss="iterations")
    assert result.regret.total <= 1.07 * result.regret.instance_optimum


# ---- limits, failures, callbacks -------------------------------------------------------------------------


def test_an_unconverged_answer_is_no_success_and_no_worse_than_the_start():
    sequence = small()
    system = sequence.system(0, sequence.start)
    solver = SequenceSolver("ssor-cg", max_iterations=2)
    solver._backstops = ()
    solver._build_methods("pos")
    solver._backstops = ()
    answer = solver.solve(system.A, system.b)
    assert not answer.success
    assert answer.status is Status.ITERATION_LIMIT
    assert np.linalg.norm(system.b - system.A @ answer.x) <= np.linalg.norm(system.b)
    assert np.isfinite(answer.x).all()


def test_another_method_takes_over_where_one_fails():
    sequence = small()
    result = solve_sequence(sequence, "ssor-cg", 1.999, max_iterations=5, loss="iterations")
    assert result.success
    assert set(result.methods) <= {"direct", "start"}
    assert result.systems[0].attempts == ("ssor-cg", "direct")


def test_an_indefinite_matrix_is_solved_or_reported():
    A = five_point_laplacian(5, 5) - 2.0 * sp.eye_array(25)
    result = solve_sequence([(sp.csr_array(A), np.ones(25))])
    residual = np.linalg.norm(1.0 - A @ result.x)
    assert result.success == (residual <= 1e-8 * 5.0)
    assert result.success


def test_a_diagonal_that_is_not_positive_is_no_disaster():
    A = five_point_laplacian(4, 4)
    other = A.copy()
    other.data *= -1.0
    shifted = sp.csr_array(A - 9.0 * sp.eye_array(16))
    for first, second in ((A, other), (other, A), (A, shifted)):
        result = solve_sequence([(first, np.ones(16)), (second, np.ones(16))], assume_a="pos")
        assert result.success
        assert np.allclose(second @ result.x, 1.0, atol=1e-6)


def test_a_singular_system_is_no_success():
    A = sp.csr_array(np.array([[1.0, -1.0], [-1.0, 1.0]]))
    result = solve_sequence([(A, [1.0, 1.0])])
    assert not result.success
    assert result.status is not Status.CONVERGED
    assert np.isfinite(result.x).all()
    assert solve_sequence([(A, [1.0, -1.0])]).success  # consistent


def test_a_system_that_is_no_number_ends_the_run_and_keeps_what_was_done():
    A = five_point_laplacian(4, 4)
    bad = A.copy()
    bad.data[3] = np.nan
    result = solve_sequence([(A, np.ones(16)), (bad, np.ones(16)), (A, np.ones(16))])
    assert not result.success
    assert result.status is Status.NONFINITE_START
    assert result.solved == 1
    assert np.allclose(A @ result.x, 1.0, atol=1e-6)


def test_time_is_limited():
    result = solve_sequence(small(), max_time=0.0)
    assert result.status is Status.TIME_LIMIT
    assert not result.success
    assert len(result.systems) == 0
    with pytest.raises(ValueError, match="max_time"):
        solve_sequence(small(), max_time=-1.0)


def test_the_callback_sees_every_system_and_can_stop():
    seen = []

    def callback(intermediate_result):
        seen.append(intermediate_result)
        if len(seen) == 3:
            raise StopIteration

    result = solve_sequence(small(), "ssor-cg", callback=callback)
    assert result.status is Status.USER_STOP
    assert not result.success
    assert len(seen) == len(result.systems) == 3
    assert seen[0].certificate.holds
    points = []
    solve_sequence(small(length=2), "ssor-cg", callback=lambda x: points.append(x))
    assert points[0].shape == (144,)


def test_exceptions_of_the_user_pass_unchanged():
    def systems():
        yield five_point_laplacian(3, 3), np.ones(9)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        solve_sequence(systems())
    with pytest.raises(ZeroDivisionError):
        solve_sequence(small(), callback=lambda x: 1 / 0)


def test_an_interrupt_keeps_what_was_done():
    A = five_point_laplacian(3, 3)

    def systems():
        yield A, np.ones(9)
        raise KeyboardInterrupt

    result = solve_sequence(systems())
    assert result.status is Status.INTERRUPTED
    assert result.solved == 1
    assert not result.success


def test_an_empty_sequence_is_solved():
    result = solve_sequence([])
    assert result.success
    assert result.nit == 0
    assert len(result.omegas) == 0


def test_an_iterable_is_asked_for_one_system_at_a_time():
    asked = []

    def systems():
        for t in range(5):
            asked.append(t)
            yield five_point_laplacian(3, 3), np.full(9, float(t))

    solve_sequence(systems(), length=2)
    assert asked == [0, 1]


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda: SequenceSolver("gauss"), ValueError, "method must be of auto"),
        (lambda: SequenceSolver([]), ValueError, "at least one method"),
        (lambda: SequenceSolver(["auto", "sor"]), ValueError, "'auto' or different names"),
        (lambda: SequenceSolver(learner="best"), ValueError, "learner must be one of"),
        (lambda: SequenceSolver(learner="chebcb"), ValueError, "needs context_range"),
        (lambda: SequenceSolver(loss="money"), ValueError, "loss must be one of"),
        (lambda: SequenceSolver(rtol=-1.0), ValueError, "rtol must be finite"),
        (lambda: SequenceSolver(atol=np.nan), ValueError, "atol must be finite"),
        (lambda: SequenceSolver(max_iterations=0), ValueError, "max_iterations must be at least 1"),
        (lambda: SequenceSolver(horizon=0), ValueError, "horizon must be at least 1"),
        (lambda: SequenceSolver(assume_a="sym"), ValueError, "assume_a must be"),
        (lambda: SequenceSolver(context_range=(1.0, 0.0)), ValueError, "low < high"),
        (lambda: SequenceSolver().solve(np.eye(3)[:2], [1, 2]), ValueError, "A must be square"),
        (lambda: SequenceSolver().solve(np.eye(3), [1, 2]), ValueError, r"b must have shape \(3,\)"),
        (lambda: SequenceSolver().solve(np.eye(2), [1, np.inf]), ValueError, "b has entries"),
        (lambda: SequenceSolver().solve(np.eye(2) * np.nan, [1, 1]), ValueError, "A has entries"),
        (lambda: SequenceSolver().solve(np.eye(2), [1, 1], "hot"), TypeError, "context must be a number"),
        (lambda: SequenceSolver().solve(np.eye(2), [1, 1], np.nan), ValueError, "context must be finite"),
        (lambda: SequenceSolver().solve(np.eye(2), [1, 1j]), TypeError, "b must hold real numbers"),
        (lambda: SequenceSolver().solve(np.eye(2) * 1j, [1, 1]), TypeError, "A must be real"),
        (
            lambda: SequenceSolver("ssor-cg").solve(np.array([[1.0, 2.0], [0.0, 1.0]]), [1, 1]),
            ValueError,
            "for symmetric positive definite",
        ),
        (lambda: solve_sequence([1]), TypeError, "systems must yield"),
        (lambda: solve_sequence(small(), hindsight=[1.0]), ValueError, "hindsight needs method"),
        (lambda: solve_sequence(small(), "sor", hindsight=[2.0]), ValueError, "hindsight must be"),
        (lambda: solve_sequence(small(), length=-1), ValueError, "length must be nonnegative"),
        (lambda: solve_sequence(small(), "sor", solver=SequenceSolver()), ValueError, "a given solver"),
    ],
)
def test_bad_input_is_named(call, error, message):
    with pytest.raises(error, match=message):
        call()


def test_a_learner_of_ones_own_is_used():
    learner = OneScalar(first=64.0)
    result = solve_sequence(small(), "ssor-cg", learner)
    assert result.success
    method = result.solver._methods["ssor-cg"]
    assert isinstance(method, SSORCGMethod)
    assert method.learner is learner
    assert learner.model.observations == 12


def test_sequences_of_ones_own_need_no_registry():
    A = five_point_laplacian(4, 4)
    sequence = LinearSequence(
        name="MINE",
        n=16,
        length=3,
        system=lambda t, previous: LinearSystem(A, previous + 1.0),
        start=np.zeros(16),
        stepping=True,
    )
    result = solve_sequence(sequence, "ssor-cg")
    assert result.success
    assert len(result.systems) == 3
