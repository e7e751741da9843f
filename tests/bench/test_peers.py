"""Each peer gets the problem in its own form; what comes back is in ours."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from karush.bench import peers
from karush.bench.execution import Executor, evaluate_everything, judge
from karush.bench.recording import Recorder
from karush.bench.warmup import tiny_problem
from karush.problems.nlp import NLP, Capabilities, Metadata

INF = np.inf


class Circle(NLP):
    """Min -x0 - 2 x1, x'x <= 5, x0 - x1 free, x1 - x0 in [-9, 1], x0 + x2 = 4, x2 <= 3; x* = (1, 2, 3)."""

    def __init__(self, **changes):
        data = {
            "x0": np.array([0.5, 0.5, 9.0]),
            "lb": np.array([-INF, -INF, -INF]),
            "ub": np.array([INF, INF, 3.0]),
            "cl": np.array([-INF, -INF, -9.0, 4.0]),
            "cu": np.array([5.0, INF, 1.0, 4.0]),
        }
        super().__init__(Metadata(name="CIRCLE", **{**data, **changes}))

    def objective(self, x):
        return float(-x[0] - 2 * x[1])

    def gradient(self, x, out=None):
        return np.array([-1.0, -2.0, 0.0])

    def constraints(self, x, out=None):
        return np.array([x[0] ** 2 + x[1] ** 2, x[0] - x[1], x[1] - x[0], x[0] + x[2]])

    def jacobian_structure(self):
        return np.array([0, 2, 4, 6, 8]), np.array([0, 1, 0, 1, 0, 1, 0, 2])

    def jacobian_values(self, x, out=None):
        return np.array([2 * x[0], 2 * x[1], 1.0, -1.0, -1.0, 1.0, 1.0, 1.0])

    def hessian_structure(self):
        return np.array([0, 1, 2, 2]), np.array([0, 1])

    def hessian_values(self, x, y=None, sigma=1.0, out=None):
        return np.full(2, 0.0 if y is None else 2.0 * y[0])


def has(name):
    return peers.get(name).unavailable() is None


CONSTRAINED = [
    "SLSQP",
    "trust-constr",
    pytest.param("ipopt", marks=pytest.mark.skipif(not has("ipopt"), reason="x")),
    pytest.param("uno", marks=pytest.mark.skipif(not has("uno"), reason="needs unopy")),
]


@pytest.mark.parametrize("name", CONSTRAINED)
def test_ranges_free_rows_equalities_and_bounds_arrive(name):
    problem = Circle()
    answer = peers.get(name).solve(Recorder(problem), {}, 20.0, 1e-9)
    np.testing.assert_allclose(answer.x, [1.0, 2.0, 3.0], atol=1e-4)
    assert judge(problem, answer, 1e-5)["outcome"] == "SOLVED"
    assert answer.iterations > 0


@pytest.mark.parametrize("name", CONSTRAINED)
def test_multipliers_have_the_sign_of_the_lagrangian(name):
    # Without the range, x2 is free of its bound: the ball alone holds, y0 = 1/2 at (1, 2).
    problem = Circle(cu=np.array([5.0, INF, INF, 4.0]), ub=np.full(3, INF))
    answer = peers.get(name).solve(Recorder(problem), {}, 20.0, 1e-9)
    np.testing.assert_allclose(answer.x, [1.0, 2.0, 3.0], atol=1e-4)
    np.testing.assert_allclose(answer.y, [0.5, 0.0, 0.0, 0.0], atol=1e-4)
    lower = Circle(cl=np.array([-INF, -INF, 1.0, 4.0]), cu=np.array([5.0, INF, INF, 4.0]), ub=np.full(3, INF))
    lower.gradient = lambda x, out=None: np.array([0.0, 2.0, 1.0]) - 0.0 * x
    lower.objective = lambda x: float(2 * x[1] + x[2])
    answer = peers.get(name).solve(Recorder(lower), {}, 20.0, 1e-9)
    residual = lower.gradient(answer.x) + lower.jacobian(answer.x).T @ answer.y
    np.testing.assert_allclose(residual, 0.0, atol=1e-4)
    assert answer.y[2] < -1e-3  # at its lower bound


@pytest.mark.parametrize(
    "name", ["L-BFGS-B", "TNC", "BFGS", "CG", "Newton-CG", "trust-krylov", "trust-ncg", "SLSQP"]
)
def test_unconstrained_methods_reach_the_certificate(name):
    problem = tiny_problem(False)
    answer = peers.get(name).solve(Recorder(problem), {}, 20.0, 1e-8)
    assert judge(problem, answer, 1e-4)["outcome"] == "SOLVED"


def test_what_a_method_cannot_take_is_said_beforehand():
    constrained, free = tiny_problem(True), tiny_problem(False)
    assert "takes no constraints" in peers.get("L-BFGS-B").unsuitable(constrained)
    assert peers.get("L-BFGS-B").unsuitable(free) is None
    assert "takes no bounds" in peers.get("BFGS").unsuitable(Circle(cl=np.zeros(0), cu=np.zeros(0)))
    big = tiny_problem(False)
    big.n = 5000
    assert "dense" in peers.get("SLSQP").unsuitable(big)
    assert "5000" in peers.get("BFGS").unsuitable(big)


def test_absent_peer_tells_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "karush[peers]" in peers.get("ipopt").unavailable()


def test_time_limit_ends_a_method_that_knows_none():
    problem = tiny_problem(True)
    recorder = Recorder(problem)
    answer = peers.get("SLSQP").solve(recorder, {}, 1e-9, 1e-8)
    assert answer.out_of_time
    assert np.isfinite(answer.x).all()
    recorder.gradient(problem.x0)  # the deadline is gone again


def test_unknown_option_is_an_error_and_not_a_warning():
    with pytest.raises(ValueError, match="maxitr"):
        peers.get("SLSQP").solve(Recorder(tiny_problem(True)), {"maxitr": 3}, 10.0, 1e-8)


@pytest.mark.skipif(not has("ipopt"), reason="needs cyipopt")
def test_ipopt_takes_reals_that_look_like_integers_and_refuses_unknown_options():
    peer, problem = peers.get("ipopt"), tiny_problem(True)
    assert peer.solve(Recorder(problem), {"bound_relax_factor": 0}, 10.0, 1e-8).claimed
    with pytest.raises(ValueError, match="bound_relx"):
        peer.solve(Recorder(problem), {"bound_relx": 0}, 10.0, 1e-8)


@pytest.mark.parametrize(
    ("typed", "meant"), [("slsqq", "SLSQP"), ("ipot", "ipopt"), ("exact-la", "exact-al")]
)
def test_mistyped_solver_names_the_nearest(typed, meant):
    with pytest.raises(ValueError, match=f"Did you mean '{meant}'"):
        peers.get(typed)


def test_judge_takes_nobody_at_their_word():
    problem = tiny_problem(True)
    boast = peers.Answer(x=np.array([1.5, 0.5]), claimed=True, message="optimal")
    assert judge(problem, boast, 1e-6)["outcome"] == "UNSOLVED"
    nowhere = peers.Answer(x=np.array([np.nan, 0.5]), claimed=True, message="optimal")
    assert judge(problem, nowhere, 1e-6)["outcome"] == "UNSOLVED"
    late = peers.Answer(x=np.array([1.5, 0.5]), out_of_time=True)
    assert judge(problem, late, 1e-6)["outcome"] == "TIME_LIMIT"


class ByProducts(Circle):
    """The same with its Hessian known by products only."""

    def __init__(self):
        super().__init__(capabilities=Capabilities(hessian_matrix=False))

    def hessian_structure(self):
        raise NotImplementedError

    hessian_values = hessian_structure

    def hvp(self, x, v, y=None, sigma=1.0, out=None):
        return (0.0 if y is None else 2.0 * y[0]) * np.array([v[0], v[1], 0.0])


@pytest.mark.parametrize("name", CONSTRAINED)
def test_a_hessian_known_by_products_is_not_asked_for_as_a_matrix(name):
    problem = ByProducts()
    evaluate_everything(problem)
    recorder = Recorder(problem)
    answer = peers.get(name).solve(recorder, {}, 20.0, 1e-9)
    assert judge(problem, answer, 1e-5)["outcome"] == "SOLVED"
    assert (recorder.counts["hvp"] > 0) == (name == "trust-constr")


def test_peak_memory_is_that_of_the_run(tmp_path):
    executor = Executor(announce=lambda phase: None)
    own = f"{Path(__file__).with_name('own_problems.py')}:gluttonous"
    request = {
        "problem": own,
        "sizes": {},
        "options": {},
        "time_limit": 20.0,
        "tol": 1e-6,
        "solver_tol": 1e-8,
    }
    record = executor.run({**request, "solver": "SLSQP"})
    if record["memory"] == 0.0:
        pytest.skip("the system does not tell")
    assert record["memory"] - record["memory_before"] > 150.0


def test_processor_time_does_not_count_waiting():
    executor = Executor(announce=lambda phase: None)
    own = f"{Path(__file__).with_name('own_problems.py')}:slow"
    request = {"problem": own, "sizes": {"seconds": 0.2}, "options": {}, "tol": 1e-6, "solver_tol": 1e-8}
    record = executor.run({**request, "solver": "SLSQP", "time_limit": 20.0})
    assert 0.0 < record["cpu_time"] < record["solve_time"] - 0.1
