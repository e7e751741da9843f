"""The benchmark of first-order bilevel methods: how it counts, what it judges, its targets."""

import numpy as np
import pytest

from karush.bench.cases import _bilevel_first_order as benchmark
from karush.bench.cases._bilevel_first_order_traces import Judge, Visit, calls_of_level, trace
from karush.problems.bilevel import get_bilevel
from karush.problems.evaluator import ORACLES
from karush.solvers.bilevel.lv_hba_published import PublishedLVHBA
from karush.solvers.bilevel.penalty import Penalty


def test_the_rule_of_counting():
    counts = dict.fromkeys(ORACLES, 0) | {
        "objective": 5,
        "gradient": 3,
        "constraints": 2,
        "vjp": 4,
        "jacobian": 1,
    }
    assert calls_of_level(counts, 7) == 5 + 2 + 4 + 7


def test_calls_of_the_published_loop():
    """Each iteration: one gradient of F, three of f, one g and two products."""
    problem = get_bilevel("LLC", n=3)
    run = trace(PublishedLVHBA(batch=10), problem, 10.0, 1)
    assert run.iterations == 1
    again = trace(PublishedLVHBA(batch=10), problem, 10.0, 2)
    assert again.calls - run.calls == pytest.approx(10 * 7, abs=1)
    assert all(a.calls <= b.calls for a, b in zip(again.visits[:-1], again.visits[1:], strict=True))


def test_methods_see_first_derivatives_only_and_certificates_do_not_count():
    run = trace(Penalty(), get_bilevel("FOLLOW"), 10.0, None)
    assert run.success  # by the certificate of the problem with its second derivatives
    assert run.calls < 200


def test_errors_are_those_of_x():
    """At x = 1 the lower answer is 1, whatever y was: F = 4 where the best is 2."""
    judge = Judge(get_bilevel("FOLLOW"), 2.0)
    assert judge.error(Visit(np.ones(1), np.full(1, -9.0), 1, 0.0)) == pytest.approx(1.0, abs=1e-8)
    assert judge.error(Visit(np.full(1, np.nan), np.zeros(1), 1, 0.0)) == np.inf


def test_targets():
    common = {"problem": "P", "n_x": 1, "n_y": 1, "versus": "loop", "calls_1e-3": 10, "to": 1e-3}
    rows = [
        common | {"method": "penalty", "ratio": 0.4, "calls_1e-6": 40},
        common | {"method": "penalty, best of 4 sigma0", "ratio": 0.1, "calls_1e-6": 20},
        common | {"method": "loop", "ratio": None, "calls_1e-6": None},
    ]
    half, tuned = benchmark.targets(rows)
    assert (half["value"], half["met"]) == (0.4, True)
    assert (tuned["value"], tuned["met"]) == (2.0, False)
