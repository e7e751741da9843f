"""Projection identities, exact expectations, rates of the papers, and how runs end."""

import numpy as np
import pytest
import scipy.sparse as sp
from scipy.sparse.linalg import LinearOperator, aslinearoperator

from karush.sketching.sketch_and_project import SELECTIONS, SketchAndProject, sketch_and_project
from karush.sketching.status import LinearStatus

METHODS = [(sketch, selection) for sketch, some in SELECTIONS.items() for selection in some or (None,)]
KINDS = {"C": np.ascontiguousarray, "F": np.asfortranarray, "csr": sp.csr_array, "csc": sp.csc_array}


def system(rng, m, n, condition=5.0, rank=None):
    rank = rank or min(m, n)
    U = np.linalg.qr(rng.standard_normal((m, rank)))[0]
    V = np.linalg.qr(rng.standard_normal((n, rank)))[0]
    A = (U * np.geomspace(1.0, 1.0 / condition, rank)) @ V.T
    x = rng.standard_normal(n)
    return A, A @ x


def norm2(x, B=None):
    return float(x @ x if B is None else x @ (B @ x))


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sketch", "selection"), METHODS)
@pytest.mark.parametrize("shape", [(60, 25), (25, 60), (30, 30)])
def test_converges_to_the_solution_nearest_to_the_start(kind, sketch, selection, shape):
    rng = np.random.default_rng(7)
    A, b = system(rng, *shape)
    x0 = rng.standard_normal(shape[1])
    result = sketch_and_project(
        KINDS[kind](A), b, x0=x0, sketch=sketch, selection=selection, rtol=1e-10, maxiter=100_000, rng=1
    )
    assert result.status in (LinearStatus.CONVERGED, LinearStatus.LEAST_SQUARES)
    assert result.converged
    assert result.fallback is None
    assert result.residual == pytest.approx(np.linalg.norm(b - A @ result.x) / np.linalg.norm(b), abs=1e-14)
    assert result.residual <= 1e-10
    if sketch != "coordinate":  # whose steps are not in the row space
        np.testing.assert_allclose(result.x, x0 + np.linalg.pinv(A) @ (b - A @ x0), atol=1e-7)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("sketch", "selection"), METHODS)
def test_each_step_is_a_projection(kind, sketch, selection):
    # ||x1 - x*||^2 + ||x1 - x0||^2 = ||x0 - x*||^2, in the norm of B = A'A for coordinate steps.
    rng = np.random.default_rng(2)
    A = rng.standard_normal((40, 15))
    target = rng.standard_normal(15)
    B = A.T @ A if sketch == "coordinate" else None
    method = SketchAndProject(sketch, selection)
    state = method.init(KINDS[kind](A), A @ target, x0=rng.standard_normal(15), rng=3)
    if sketch == "kaczmarz++":  # its first steps have no momentum yet; the ridge leaves 1e-8
        tolerance = 1e-6
    else:
        tolerance = 1e-12
    for _ in range(3):
        before = state.x
        state = method.step(state)
        moved = norm2(state.x - before, B)
        assert moved > 0.0
        assert norm2(state.x - target, B) + moved == pytest.approx(norm2(before - target, B), rel=tolerance)


@pytest.mark.parametrize("selection", ["norm", "uniform"])
@pytest.mark.parametrize("sketch", ["kaczmarz", "coordinate"])
def test_mean_squared_error_is_the_exact_expectation(sketch, selection):
    # e' = P_i e with probability p_i, so E[e e'] obeys M' = sum_i p_i P_i M P_i'.
    rng = np.random.default_rng(0)
    A = rng.standard_normal((12, 6)) * rng.uniform(0.3, 2.0, (12, 1))
    target = rng.standard_normal(6)
    lines = A if sketch == "kaczmarz" else A.T
    weights = np.sum(lines**2, axis=1)
    p = weights / weights.sum() if selection == "norm" else np.full(weights.size, 1.0 / weights.size)
    if sketch == "kaczmarz":
        projections = [np.eye(6) - np.outer(a, a) / (a @ a) for a in A]
    else:
        projections = [np.eye(6) - np.outer(np.eye(6)[j], A.T[j] @ A) / weights[j] for j in range(6)]
    moment = np.outer(target, target)
    for _ in range(25):
        moment = sum(w * P @ moment @ P.T for w, P in zip(p, projections, strict=True))
    method = SketchAndProject(sketch, selection)
    errors = np.array(
        [norm2(method.step(method.init(A, A @ target, rng=seed), 25).x - target) for seed in range(1500)]
    )
    assert errors.mean() == pytest.approx(np.trace(moment), abs=5.0 * errors.std() / np.sqrt(errors.size))


def test_kaczmarz_keeps_the_rate_of_strohmer_and_vershynin():
    rng = np.random.default_rng(0)
    A, b = system(rng, 50, 20, condition=3.0)
    target = np.linalg.lstsq(A, b, rcond=None)[0]
    rate = 1.0 - np.linalg.svd(A, compute_uv=False)[-1] ** 2 / np.linalg.norm(A) ** 2
    method = SketchAndProject("kaczmarz", "norm")
    for k in (50, 200, 500):
        errors = [norm2(method.step(method.init(A, b, rng=seed), k).x - target) for seed in range(60)]
        assert np.mean(errors) <= rate**k * norm2(target)


def test_greedy_steps_take_the_farthest_equation():
    rng = np.random.default_rng(5)
    A = rng.standard_normal((30, 10)) * rng.uniform(0.1, 3.0, (30, 1))
    b = A @ rng.standard_normal(10)
    x = np.zeros(10)
    for _ in range(7):
        r = b - A @ x
        i = np.argmax(np.abs(r) / np.linalg.norm(A, axis=1))
        x += r[i] / norm2(A[i]) * A[i]
    for make in KINDS.values():
        method = SketchAndProject("kaczmarz", "greedy")
        np.testing.assert_allclose(method.step(method.init(make(A), b), 7).x, x, rtol=1e-11)


def test_block_steps_fulfil_their_equations():
    rng = np.random.default_rng(5)
    A = rng.standard_normal((30, 20))
    b = A @ rng.standard_normal(20)
    method = SketchAndProject("block-kaczmarz", block_size=6)
    state = method.step(method.init(A, b, rng=0))
    assert np.count_nonzero(np.abs(b - A @ state.x) < 1e-12) == 6
    whole = SketchAndProject("block-kaczmarz", block_size=30)
    np.testing.assert_allclose(A @ whole.step(whole.init(A, b, rng=0)).x, b, atol=1e-11)


def test_blocks_with_dependent_and_empty_rows():
    rng = np.random.default_rng(5)
    A = np.vstack(
        [np.tile(rng.standard_normal((4, 10)), (5, 1)), np.zeros((3, 10)), rng.standard_normal((9, 10))]
    )
    b = A @ rng.standard_normal(10)
    for make in KINDS.values():
        for sketch in ("block-kaczmarz", "kaczmarz++", "kaczmarz"):
            assert sketch_and_project(make(A), b, sketch=sketch, rng=0, rtol=1e-10).converged


@pytest.mark.parametrize("sketch", ["kaczmarz", "block-kaczmarz", "kaczmarz++", "gaussian"])
@pytest.mark.parametrize("kind", KINDS)
def test_least_weighted_norm(sketch, kind):
    rng = np.random.default_rng(3)
    A, b = system(rng, 12, 20, condition=2.0)
    root = 0.1 * rng.standard_normal((20, 20)) + np.eye(20)
    diagonal = rng.uniform(0.5, 2.0, 20)
    for B, full in ((root @ root.T, root @ root.T), (diagonal, np.diag(diagonal))):
        result = sketch_and_project(KINDS[kind](A), b, B=B, sketch=sketch, rtol=1e-11, maxiter=50_000, rng=0)
        assert result.converged
        inverse = np.linalg.inv(full)
        wanted = inverse @ A.T @ np.linalg.solve(A @ inverse @ A.T, b)
        np.testing.assert_allclose(result.x, wanted, atol=1e-8)


def test_gaussian_block_as_large_as_the_rank_solves_at_once():
    A, b = system(np.random.default_rng(0), 40, 30, rank=9)
    result = sketch_and_project(
        aslinearoperator(A), b, sketch="gaussian", block_size=12, rng=0, check_every=1
    )
    assert result.converged
    assert result.iterations == 1


def test_coordinate_descent_solves_least_squares():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((50, 12))
    b = rng.standard_normal(50)
    for selection in SELECTIONS["coordinate"]:
        result = sketch_and_project(A, b, sketch="coordinate", selection=selection, rtol=1e-10, rng=0)
        assert result.status is LinearStatus.LEAST_SQUARES
        np.testing.assert_allclose(result.x, np.linalg.lstsq(A, b, rcond=None)[0], rtol=1e-7)


def test_momentum_helps_an_ill_conditioned_system():
    A, b = system(np.random.default_rng(1), 60, 30, condition=30.0)
    plain, heavy = (
        np.median([sketch_and_project(A, b, momentum=beta, rng=s, rtol=1e-6).iterations for s in range(5)])
        for beta in (0.0, 0.3)
    )
    assert heavy < plain


def test_kaczmarz_plus_plus_needs_fewer_blocks():
    # A few large singular values and a flat tail, the case of the paper.
    rng = np.random.default_rng(1)
    U = np.linalg.qr(rng.standard_normal((300, 200)))[0]
    V = np.linalg.qr(rng.standard_normal((200, 200)))[0]
    A = (U * np.r_[np.geomspace(1e3, 1e1, 10), np.linspace(1.0, 0.1, 190)]) @ V.T
    b = A @ rng.standard_normal(200)
    options = {"block_size": 28, "rtol": 1e-8, "rng": 0}
    plain = sketch_and_project(A, b, sketch="block-kaczmarz", **options)
    accelerated = sketch_and_project(A, b, sketch="kaczmarz++", **options)
    assert accelerated.converged
    assert accelerated.fallback is None
    assert 2 * accelerated.iterations < plain.iterations


def test_momentum_that_diverges_is_given_up():
    A, b = system(np.random.default_rng(1), 60, 30, condition=3.0)
    result = sketch_and_project(A, b, sketch="block-kaczmarz", block_size=20, momentum=0.999, rng=0)
    assert result.converged
    assert "without it from step" in result.fallback


@pytest.mark.parametrize("sketch", ["kaczmarz", "block-kaczmarz", "kaczmarz++", "gaussian"])
def test_inconsistent_systems_are_recognised(sketch):
    rng = np.random.default_rng(0)
    A, b = system(rng, 60, 20)
    result = sketch_and_project(A, b + 0.1 * rng.standard_normal(60), sketch=sketch, rng=0)
    assert result.status is LinearStatus.INCONSISTENT
    assert not result.converged


def test_a_zero_row_with_a_right_hand_side_is_inconsistent_at_once():
    A, b = system(np.random.default_rng(0), 20, 10)
    A[4], b[4] = 0.0, 1.0
    result = sketch_and_project(A, b, rng=0)
    assert (result.status, result.iterations) == (LinearStatus.INCONSISTENT, 0)
    nothing = sketch_and_project(np.zeros((5, 4)), np.ones(5))
    assert (nothing.status, nothing.iterations) == (LinearStatus.INCONSISTENT, 0)


def test_hopelessly_slow_runs_stagnate_without_being_called_inconsistent():
    A, b = system(np.random.default_rng(0), 60, 50, condition=1e9)
    result = sketch_and_project(A, b, rtol=1e-14, rng=0)
    assert result.status is LinearStatus.STAGNATED


@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-10), (np.float64, 1e-25)])
def test_rounding_is_not_taken_for_inconsistency(dtype, rtol):
    A, b = system(np.random.default_rng(0), 60, 20, condition=2.0)
    for sketch in ("kaczmarz", "block-kaczmarz", "kaczmarz++"):
        result = sketch_and_project(A.astype(dtype), b.astype(dtype), sketch=sketch, rtol=rtol, rng=0)
        assert result.status is LinearStatus.STAGNATED
        assert result.residual < 10 * np.finfo(dtype).eps


@pytest.mark.parametrize("scale", [1e-200, 1e200])
@pytest.mark.parametrize("make", [np.asarray, sp.csr_array])
def test_extreme_scales(scale, make):
    A, b = system(np.random.default_rng(0), 40, 20)
    for sketch in SELECTIONS:
        plain = sketch_and_project(make(A), b, sketch=sketch, rng=0)
        scaled = sketch_and_project(make(scale * A), scale * b, sketch=sketch, rng=0)
        assert scaled.status is plain.status
        np.testing.assert_allclose(scaled.x, plain.x, atol=1e-6)
    state = SketchAndProject().init(make(scale * A), scale * b)
    assert state.residual_norm() == pytest.approx(scale * np.linalg.norm(b))


def test_limits_and_callbacks():
    A, b = system(np.random.default_rng(0), 60, 30)
    limited = sketch_and_project(A, b, maxiter=37, rng=0)
    assert (limited.status, limited.iterations) == (LinearStatus.ITERATION_LIMIT, 37)
    seen = []

    def stop(norm, x):
        assert norm == pytest.approx(np.linalg.norm(b - A @ x))
        x[:] = np.nan  # the callback's copy
        seen.append(norm)
        return len(seen) == 4

    stopped = sketch_and_project(A, b, stop=stop, check_every=10, rng=0)
    assert (stopped.status, stopped.iterations) == (LinearStatus.STOPPED, 30)
    assert stopped.residual <= seen[0] / np.linalg.norm(b)
    assert np.isfinite(stopped.x).all()


def test_zero_right_hand_side():
    A, _ = system(np.random.default_rng(0), 20, 10)
    at_once = sketch_and_project(A, np.zeros(20), rng=0)
    assert (at_once.converged, at_once.residual, at_once.iterations) == (True, 0.0, 0)
    result = sketch_and_project(A, np.zeros(20), x0=np.ones(10), rng=0)
    assert result.converged
    assert np.linalg.norm(A @ result.x) <= 1e-8 * np.linalg.norm(A @ np.ones(10))


def test_never_worse_than_the_start():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((40, 20))
    b = rng.standard_normal(40)
    x0 = np.linalg.lstsq(A, b, rcond=None)[0]
    for sketch in ("kaczmarz", "block-kaczmarz", "kaczmarz++", "gaussian"):
        result = sketch_and_project(A, b, x0=x0, sketch=sketch, rng=0, maxiter=500)
        assert np.linalg.norm(b - A @ result.x) <= np.linalg.norm(b - A @ x0) * (1 + 1e-14)


@pytest.mark.parametrize(("sketch", "selection"), METHODS)
def test_same_seed_same_bits_and_the_callers_arrays_stay(sketch, selection):
    A, b = system(np.random.default_rng(0), 60, 30)
    kept = A.copy(), b.copy()
    one, two, other = (
        sketch_and_project(A, b, sketch=sketch, selection=selection, maxiter=60, rng=rng).x
        for rng in (4, np.random.default_rng(4), 5)
    )
    np.testing.assert_array_equal(one, two)
    if selection != "greedy":
        assert not np.array_equal(one, other)
    np.testing.assert_array_equal(A, kept[0])
    np.testing.assert_array_equal(b, kept[1])


@pytest.mark.parametrize("momentum", [None, 0.4])
@pytest.mark.parametrize("sketch", ["kaczmarz", "block-kaczmarz", "kaczmarz++", "gaussian"])
def test_steps_do_not_depend_on_how_they_are_grouped(sketch, momentum):
    A, b = system(np.random.default_rng(0), 60, 30)
    method = SketchAndProject(sketch, momentum=momentum)
    at_once = method.step(method.init(A, b, rng=0), 12)
    piecemeal = method.init(A, b, rng=0)
    for count in (1, 0, 4, 7):
        piecemeal = method.step(piecemeal, count)
    np.testing.assert_array_equal(at_once.x, piecemeal.x)
    assert piecemeal.iterations == 12


@pytest.mark.parametrize(("sketch", "selection"), METHODS)
@pytest.mark.parametrize("kind", KINDS)
def test_single_precision(sketch, selection, kind):
    A, b = system(np.random.default_rng(0), 60, 20, condition=3.0)
    result = sketch_and_project(
        KINDS[kind](A.astype(np.float32)), b, sketch=sketch, selection=selection, rtol=1e-5, rng=0
    )
    assert result.x.dtype == np.float32
    assert result.converged


def test_kkt_systems():
    rng = np.random.default_rng(0)
    H = np.diag(rng.uniform(1.0, 4.0, 30))
    J = rng.standard_normal((10, 30))
    K = sp.csr_array(sp.block_array([[sp.csr_array(H), J.T], [J, None]]))
    solution = rng.standard_normal(40)
    for sketch in ("kaczmarz", "block-kaczmarz", "kaczmarz++"):
        result = sketch_and_project(K, K @ solution, sketch=sketch, rtol=1e-9, rng=0, maxiter=200_000)
        assert result.converged
        np.testing.assert_allclose(result.x, solution, atol=1e-6)


def test_bad_input_is_named():
    A, b = system(np.random.default_rng(0), 12, 8)
    with pytest.raises(ValueError, match="b has shape"):
        sketch_and_project(A, b[:-1])
    with pytest.raises(ValueError, match="x0 has shape"):
        sketch_and_project(A, b, x0=np.zeros(3))
    with pytest.raises(ValueError, match="finite"):
        sketch_and_project(np.where(A > 0, np.inf, A), b)
    with pytest.raises(ValueError, match=r"b .*finite"):
        sketch_and_project(A, np.full(12, np.nan))
    with pytest.raises(ValueError, match="empty"):
        sketch_and_project(np.zeros((0, 3)), np.zeros(0))
    with pytest.raises(ValueError, match="sketch is 'fourier'"):
        sketch_and_project(A, b, sketch="fourier")
    with pytest.raises(ValueError, match="selection is 'greedy'"):
        sketch_and_project(A, b, sketch="kaczmarz++", selection="greedy")
    with pytest.raises(ValueError, match="mixes all equations"):
        sketch_and_project(A, b, sketch="gaussian", selection="norm")
    with pytest.raises(ValueError, match="block_size is given"):
        sketch_and_project(A, b, block_size=3)
    with pytest.raises(ValueError, match=r"momentum is 1\.5"):
        sketch_and_project(A, b, momentum=1.5)
    with pytest.raises(ValueError, match=r"coordinate .* has none"):
        sketch_and_project(A, b, sketch="coordinate", momentum=0.5)
    with pytest.raises(ValueError, match="rtol"):
        sketch_and_project(A, b, rtol=0.0)
    with pytest.raises(ValueError, match="maxiter"):
        sketch_and_project(A, b, maxiter=-1)
    with pytest.raises(TypeError, match="LinearOperator, whose rows"):
        sketch_and_project(aslinearoperator(A), b)
    with pytest.raises(ValueError, match="not positive definite"):
        sketch_and_project(A, b, B=-np.eye(8))
    with pytest.raises(ValueError, match="B has the diagonal entry"):
        sketch_and_project(A, b, B=np.arange(8.0))
    with pytest.raises(ValueError, match="B = A'A"):
        sketch_and_project(A, b, B=np.eye(8), sketch="coordinate")
    with pytest.raises(TypeError, match="together with a LinearOperator"):
        sketch_and_project(aslinearoperator(A), b, B=np.eye(8), sketch="gaussian")
    broken = LinearOperator(
        (12, 8), matvec=lambda x: A @ x, rmatvec=lambda y: np.full(8, np.nan), dtype=float
    )
    with pytest.raises(ValueError, match="not finite"):
        sketch_and_project(broken, b, sketch="gaussian")
