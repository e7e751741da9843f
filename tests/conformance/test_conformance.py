"""The contract, on every registered method."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import karush
from karush.problems import evaluator as evaluator_module
from karush.solvers import driver as driver_module
from karush.solvers.certificate import certify

from ..solvers.small_problems import quadratic, rosenbrock
from . import battery
from .contract import CHECKS, Check
from .subjects import MODES, KarushMethod, karush_methods, karush_solvers

METHODS = pytest.mark.parametrize("subject", [*karush_methods(), *MODES], ids=lambda subject: subject.label)
SOLVERS = pytest.mark.parametrize("subject", [*karush_solvers(), *MODES], ids=lambda subject: subject.label)


@METHODS
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: f"{check.number}-{check.verify.__name__}")
def test_contract(subject: KarushMethod, check: Check) -> None:
    if subject.reference and check.solving:
        pytest.skip("kept for reference, not to solve more than its paper shows")
    check.verify(subject)


@SOLVERS
@pytest.mark.parametrize("name", battery.REGULAR)
def test_regular_problem(subject: KarushMethod, name: str) -> None:
    maker, optimum = battery.REGULAR[name]
    answer = subject.solve(maker())
    assert answer.success, answer.said
    assert answer.f == pytest.approx(optimum, abs=1e-6)


@METHODS
@pytest.mark.parametrize("oracle", ["_f", "_g", "_h"])
def test_the_deadline_holds_whichever_oracle_is_slow(subject: KarushMethod, oracle: str, monkeypatch) -> None:
    clock = [0.0]
    for module in (evaluator_module, driver_module):
        monkeypatch.setattr(module, "perf_counter", lambda: clock[0])
    problem = battery.noisy(rosenbrock(), 1e-3, 1)
    plain, calls = getattr(problem, oracle), []

    def slow(x):
        calls.append(1)
        clock[0] += 1.0
        return plain(x)

    setattr(problem, oracle, slow)
    answer = subject.solve(problem, max_time=4.5)
    if not answer.success and answer.raw.status.name != "STALLED":
        assert answer.raw.status.name == "TIME_LIMIT"
    assert len(calls) <= 5 + 2  # two more at most for the certificate


@SOLVERS
@settings(max_examples=40, deadline=None, derandomize=True)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6), st.integers(0, 5))
def test_random_convex_programmes_are_solved(subject: KarushMethod, key: int, n: int, m: int) -> None:
    """Strictly convex, with a feasible point: some rows are equations, some variables bounded."""
    rng = np.random.default_rng(key)
    root = rng.normal(size=(n, n))
    A, inside = rng.normal(size=(m, n)), rng.normal(size=n)
    equal = rng.random(m) < 0.3 * (np.cumsum(np.ones(m)) < n)
    problem = quadratic(
        root @ root.T + 0.1 * np.eye(n),
        3 * rng.normal(size=n),
        rng.normal(size=n),
        A=A,
        cl=A @ inside - np.where(equal, 0.0, rng.exponential(size=m)),
        cu=A @ inside + np.where(equal, 0.0, rng.exponential(size=m)),
        lb=np.where(rng.random(n) < 0.5, inside - rng.exponential(size=n), -np.inf),
        ub=np.where(rng.random(n) < 0.5, inside + rng.exponential(size=n), np.inf),
    )
    answer = subject.solve(problem)
    assert answer.success, answer.said
    assert certify(problem, answer.x, tol=1e-6).holds


@METHODS
def test_the_evaluation_limit_is_never_passed(subject: KarushMethod) -> None:
    for limit in (1, 2, 7):
        calls, problem = [], rosenbrock()
        plain = problem._f
        problem._f = lambda x, plain=plain, calls=calls: calls.append(1) or plain(x)
        answer = subject.solve(problem, max_evaluations=limit)
        assert answer.raw.status.name == "EVALUATION_LIMIT"
        assert len(calls) == answer.raw.nfev == limit


@METHODS
def test_an_interrupt_loses_nothing(subject: KarushMethod) -> None:
    problem, calls = rosenbrock(), []
    plain = problem._f

    def interrupted(x):
        calls.append(1)
        if len(calls) == 12:
            raise KeyboardInterrupt
        return plain(x)

    problem._f = interrupted
    answer = subject.solve(problem)
    assert answer.raw.status.name == "INTERRUPTED"
    assert answer.f < 24.2


def test_the_suite_covers_every_registered_method() -> None:
    assert {subject.name for subject in karush_methods()} == set(karush.method_names())
    assert "exact-al" in karush.method_names()
