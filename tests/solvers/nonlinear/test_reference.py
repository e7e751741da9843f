"""AdaSketch-Newton as published: iteration counts, the inner accuracy, the descent test, the order."""

from itertools import pairwise

import numpy as np
import pytest

import karush
from karush.problems import evaluator as evaluator_module
from karush.problems import get
from karush.problems.evaluator import Evaluator
from karush.solvers.methods import Scope, make_method, scope_of
from karush.solvers.nonlinear.reference import AdaSketchKaczmarz, AdaSketchNewton, Point, SketchedSystem
from karush.solvers.nonlinear.reference_kernels import gaussian_steps, kaczmarz_steps

from ..small_problems import Dense, circle, quadratic, rosenbrock

# Iterations of the published GV and RK runs on problems of the native collection.
PUBLISHED = {
    "HS6": (9, 9), "HS7": (10, 10), "HS28": (1, 1), "HS40": (3, 3), "HS42": (4, 4), "HS48": (1, 1),
    "HS50": (8, 8), "HS51": (1, 1), "HS52": (2, 1), "HS56": (5, 5), "HS77": (8, 8), "HS78": (4, 4),
    "HS79": (4, 4), "HS100LNP": (9, 8), "BT3": (1, 1), "BT5": (5, 5), "BT6": (9, 8), "BT9": (12, 10),
    "BT10": (7, 7), "BT11": (7, 7), "BT12": (5, 9), "TRIGON1NE": (4, 4), "MOREBVNE": (2, 2),
    "DENSCHNCNE": (7, 7),
}  # fmt: skip

VARIANTS = pytest.mark.parametrize("variant", ["gv", "rk"])


def spherical(x0=(1.1, 0.6, -0.9), y0=0.0):
    """A nonlinear objective on the unit sphere: H differs from the Hessian of f."""
    problem = Dense(
        x0,
        lambda x: np.exp(x[0]) + x[1] ** 4 + x[1] * x[2],
        lambda x: [np.exp(x[0]), 4 * x[1] ** 3 + x[2], x[1]],
        lambda x: [[np.exp(x[0]), 0, 0], [0, 12 * x[1] ** 2, 1], [0, 1, 0]],
        c=lambda x: [x @ x],
        jac=lambda x: [2 * x],
        hc=lambda x: [2 * np.eye(3)],
        cl=(1.0,),
        cu=(1.0,),
        name="SPHERICAL",
    )
    problem.y0[:] = y0
    return problem


def iterates(method, problem):
    """The states of a run up to its end."""
    evaluator = Evaluator(problem)
    states = [method.init(evaluator)]
    while method.check(evaluator, states[-1]) is None:
        states.append(method.step(evaluator, states[-1]))
    return states


# ---- the published experiment ------------------------------------------------------------------------------


@VARIANTS
@pytest.mark.parametrize("name", PUBLISHED)
def test_published_iterations_within_one(name, variant):
    result = karush.minimize(get(name), method=f"adasketch-{variant}", rng=0)
    assert result.success
    assert result.history[-1]["optimality"] <= 1e-4
    assert abs(result.nit - PUBLISHED[name][variant == "rk"]) <= 1


def test_the_two_names_differ_in_their_variant_only():
    gv, rk = make_method("adasketch-gv", {}), make_method("adasketch-rk", {})
    assert (gv.variant, rk.variant) == ("gv", "rk")
    assert vars(gv) | {"variant": "rk"} == vars(rk)


# ---- merit function and step -------------------------------------------------------------------------------


def test_merit_gradient_agrees_with_central_differences():
    evaluator = Evaluator(spherical())
    x, y, eta1, eta2 = np.array([0.7, -0.4, 1.2]), np.array([-0.8]), 3.0, 0.2
    point = Point(evaluator, x, y)
    gradient = point.merit_gradient(point.hessian(evaluator), eta1, eta2)
    for i in range(4):
        h = 1e-6 * np.eye(4)[i]
        above = Point(evaluator, x + h[:3], y + h[3:]).merit(eta1, eta2)
        below = Point(evaluator, x - h[:3], y - h[3:]).merit(eta1, eta2)
        assert gradient[i] == pytest.approx((above - below) / 2e-6, rel=1e-7, abs=1e-7)


@VARIANTS
def test_every_step_is_accurate_and_descends(variant):
    states = iterates(AdaSketchNewton(variant=variant, rng=1, max_inner=10**7), get("BT12"))
    assert len(states) > 3
    for before, after in pairwise(states):
        record, kkt = after.record, before.optimality
        assert record["residual"] <= record["threshold"]
        assert record["slope"] <= -0.5 * record["eta2"] * kkt**2
        reached, value = (s.point.merit(record["eta1"], record["eta2"]) for s in (after, before))
        assert reached <= value + 0.1 * record["alpha"] * record["slope"] + 1e-14 * abs(value)


def test_threshold_and_accuracy_are_the_papers():
    problem = get("HS40")
    evaluator, method = Evaluator(problem), AdaSketchNewton(rng=0)
    state = method.init(evaluator)
    point = state.point
    H, G = point.hessian(evaluator), point.G
    null_space = np.linalg.svd(G)[2][3:].T
    modified = bool((np.linalg.eigvalsh(null_space.T @ H @ null_space) < 1e-6).any())
    B = H + modified * (0.1 + np.linalg.norm(H)) * np.eye(4)
    xi_G = np.linalg.svd(G)[1].min() ** 2
    psi = 20 * max(np.linalg.norm(B) ** 2, 1) / (min(xi_G, 1) * 0.1)
    A = np.block([[B, G.T], [G, np.zeros((3, 3))]])
    record = method.step(evaluator, state).record
    assert record["modified"] == modified
    assert record["xi_G"] == pytest.approx(xi_G, rel=1e-10)
    assert record["delta"] == 1e-6  # Psi drives it to its floor, as in all published runs
    assert record["threshold"] == pytest.approx(1e-6 * point.kkt / (np.linalg.norm(A) * psi), rel=1e-10)


def test_penalties_move_together_until_the_step_descends_and_no_further():
    evaluator, method = Evaluator(get("BT12")), AdaSketchNewton(rng=0, max_inner=10**7)
    first = method.init(evaluator)
    second = method.step(evaluator, first)
    point, H = first.point, first.point.hessian(evaluator)
    B = H + (0.1 + np.linalg.norm(H)) * np.eye(5)
    assert second.record["modified"]
    z = np.linalg.solve(
        np.block([[B, point.G.T], [point.G, np.zeros((3, 3))]]), -np.concatenate([point.gL, point.c])
    )
    etas = [(2.25**k, 0.1 / 1.5**k) for k in range(3)]
    descends = [point.merit_gradient(H, eta1, eta2) @ z <= -0.5 * eta2 * point.kkt**2 for eta1, eta2 in etas]
    assert descends == [False, False, True]
    assert (second.eta1, second.eta2) == pytest.approx(etas[-1])


@VARIANTS
def test_order_is_superlinear_with_the_sharpened_accuracy_and_linear_without(variant):
    # An accuracy so loose that it can be seen: Psi makes the published one as good as exact.
    def states(superlinear):
        options = {"superlinear": superlinear, "smallest_delta": 1e5, "tol": 1e-11, "rng": 0}
        return iterates(AdaSketchNewton(variant=variant, **options), get("HS78"))

    sharpened = states(True)
    errors = np.array([state.optimality for state in sharpened])
    thetas = [state.record["theta"] for state in sharpened[1:]]
    assert thetas == pytest.approx(np.minimum(1.0, np.sqrt(errors[:-1])))
    near = errors[errors < 0.1]
    assert len(near) >= 4
    assert all(after <= max(10 * now**1.5, 1e-14) for now, after in pairwise(near))

    plain = np.array([state.optimality for state in states(False)])
    near = plain[plain < 0.1]
    assert len(near) >= 10
    assert all(0.02 * now <= after <= 0.7 * now for now, after in pairwise(near))


# ---- the inner iteration -----------------------------------------------------------------------------------


def symmetric_system(n, key=0):
    rng = np.random.default_rng(key)
    S = rng.standard_normal((n, n))
    return S + S.T, rng.standard_normal(n), rng


def test_a_gaussian_step_is_the_projection_onto_its_equation():
    A, b, rng = symmetric_system(7)
    z, s = rng.standard_normal(7), rng.standard_normal((1, 7))
    r = A @ z - b
    expected = z - np.linalg.pinv(s @ A) @ (s @ A @ z - s @ b)
    assert gaussian_steps(A, b, 0.0, s, z, r, np.empty(7)) == 1
    np.testing.assert_allclose(z, expected, rtol=1e-12)
    np.testing.assert_allclose(r, A @ z - b, rtol=1e-12, atol=1e-13)


def test_a_kaczmarz_step_solves_its_row_and_skips_an_empty_one():
    A, b, rng = symmetric_system(7)
    A[3] = A[:, 3] = 0.0
    z = rng.standard_normal(7)
    r, norms2, before = A @ z - b, (A * A).sum(axis=1), z.copy()
    assert kaczmarz_steps(A, b, 0.0, np.array([3]), z, r, norms2) == 1
    np.testing.assert_array_equal(z, before)
    assert kaczmarz_steps(A, b, 0.0, np.array([5]), z, r, norms2) == 1
    assert r[5] == pytest.approx(0.0, abs=1e-13)
    np.testing.assert_allclose(r, A @ z - b, atol=1e-13)


def test_kernels_stop_at_the_first_residual_below_the_threshold():
    A, b = 2.0 * np.eye(3), np.array([2.0, 4.0, 6.0])
    z, r = np.zeros(3), -b
    steps = kaczmarz_steps(A, b, 1e-12, np.array([0, 0, 2, 1, 0, 1, 2]), z, r, np.full(3, 4.0))
    assert steps == 4
    np.testing.assert_array_equal(z, [1.0, 2.0, 3.0])


@VARIANTS
def test_inner_iterations_are_bounded(variant):
    evaluator = Evaluator(get("HS40"))
    point = Point(evaluator, evaluator.x0.copy(), np.zeros(3))
    system = SketchedSystem(point, np.eye(4), variant, np.random.default_rng(0))
    system.improve(0.0, 300, evaluator)
    assert system.steps == 300
    system.improve(0.0, 10**6, evaluator)  # ends by itself at the level of rounding
    assert system.steps < 10**6
    assert np.linalg.norm(system.A @ system.z - system.b) <= 1e-14 * system.norm * max(
        1.0, np.linalg.norm(system.z)
    )


# ---- manners -----------------------------------------------------------------------------------------------


@VARIANTS
def test_same_rng_same_bits(variant):
    runs = [karush.minimize(get("BT6"), method=f"adasketch-{variant}", rng=key) for key in (3, 3, 4)]
    assert runs[0].x.tobytes() == runs[1].x.tobytes()
    assert runs[0].record == runs[1].record
    assert runs[0].record["sketches"] != runs[2].record["sketches"]


def test_singular_jacobians_end_the_run_unless_the_guard_is_loosened():
    # (x0 - 1)^2 = 0: the Jacobian becomes singular on the way to the double root.
    def squares():
        return Dense(
            [1.5, 0.5],
            lambda x: 0.0,
            lambda x: [0.0, 0.0],
            lambda x: np.zeros((2, 2)),
            c=lambda x: [(x[0] - 1) ** 2, x[1]],
            jac=lambda x: [[2 * (x[0] - 1), 0.0], [0.0, 1.0]],
            hc=lambda x: [np.diag([2.0, 0.0]), np.zeros((2, 2))],
            cl=(0.0, 0.0),
            cu=(0.0, 0.0),
        )

    stopped = karush.minimize(squares(), method="adasketch-gv", rng=0)
    assert stopped.status is karush.Status.NUMERICAL_FAILURE
    assert stopped.record["xi_G"] < 1e-2
    loose = karush.minimize(squares(), method="adasketch-gv", rng=0, options={"singular": 1e-10})
    assert loose.success
    assert loose.nit > stopped.nit


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        (circle(cl=(-np.inf,)), "CIRCLE.*constraints other than equations"),
        (rosenbrock(lb=-5.0), "ROSENBR.*bounds on variables"),
        (quadratic([[1.0]], [0.0], [1.0], A=[[1.0]], cl=(-np.inf,), cu=(np.inf,)), "other than equations"),
    ],
)
def test_problems_outside_the_class_are_refused(problem, words):
    with pytest.raises(ValueError, match=f"AdaSketchNewton does not take problem.*{words}"):
        karush.minimize(problem, method="adasketch-gv")


def test_problems_without_second_derivatives_are_refused():
    with pytest.raises(ValueError, match="no second derivatives"):
        karush.minimize(lambda x: abs(x[0]) ** 1.5, [1.0], jac="2-point", method="adasketch-rk")


def test_scopes():
    assert scope_of("exact-al") == Scope()
    assert scope_of("adasketch-rk") == scope_of(AdaSketchKaczmarz(rng=1)) == AdaSketchNewton.scope
    assert scope_of("adasketch-gv").reference


def test_time_is_limited_within_the_inner_iteration(monkeypatch):
    ticks = iter(range(10**6))
    problem = get("BT12")  # more than a thousand blocks of sketches in the first iteration
    monkeypatch.setattr(evaluator_module, "perf_counter", lambda: float(next(ticks)))
    result = karush.minimize(problem, method="adasketch-gv", rng=0, options={"max_time": 100.0})
    assert result.status is karush.Status.TIME_LIMIT
    assert result.nit == 0


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"variant": "cd"}, "variant must be 'gv' or 'rk', got 'cd'"),
        ({"tol": 0.0}, "tol must be positive, got 0.0"),
        ({"singular": -1.0}, "singular must be positive"),
        ({"beta": 0.5}, r"beta must lie in \(0, 1/2\), got 0.5"),
        ({"nu": 1.0}, "nu must exceed 1"),
        ({"max_inner": 0}, "max_inner must be at least 1"),
    ],
)
def test_bad_options_are_named(options, words):
    with pytest.raises(ValueError, match=words):
        AdaSketchNewton(**options)
