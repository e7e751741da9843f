"""Monotone and adaptive barrier parameters."""

import numpy as np
import pytest

import karush
from karush.problems.evaluator import Evaluator
from karush.solvers.nonlinear.barrier_kernels import best_centering, quality
from karush.solvers.nonlinear.exact_lagrangian import ExactLagrangian

from .test_exact_lagrangian import HS71_SOLUTION, hs71
from .test_warm_start import shifted


@pytest.mark.parametrize("update", ["monotone", "adaptive"])
@pytest.mark.parametrize("globalisation", ["exact-merit", "filter"])
def test_both_rules_find_the_solution(update, globalisation):
    options = {"barrier_update": update, "globalisation": globalisation}
    result = karush.minimize(hs71(), options=options)
    assert result.success
    assert result.x == pytest.approx(HS71_SOLUTION, abs=1e-6)


def test_adaptive_takes_fewer_iterations_on_a_convex_problem():
    monotone, adaptive = (
        karush.minimize(shifted(0.0), options={"barrier_update": update, "globalisation": "exact-merit"})
        for update in ("monotone", "adaptive")
    )
    assert adaptive.success
    assert adaptive.x == pytest.approx(monotone.x, abs=1e-6)
    assert adaptive.nit < monotone.nit


def test_the_monotone_parameter_never_rises_the_adaptive_one_may():
    def parameters(update, name):
        history = karush.minimize(name, options={"barrier_update": update}).history
        return np.array([entry["mu"] for entry in history[1:]])

    assert (np.diff(parameters("monotone", "HS71")) <= 0.0).all()
    assert (np.diff(parameters("adaptive", "HS71")) > 0.0).any()


def test_errors_that_do_not_come_down_end_the_free_mode():
    state = ExactLagrangian(barrier_update="adaptive").init(Evaluator(hs71()))
    run = state.main
    update = run.update
    for _ in range(5):  # the same iterate again and again
        update.at_iterate(run)
    assert not update.free
    assert run.mu <= 0.8 * run.iterate.mean_complementarity


def test_centering_is_the_minimiser_of_the_quality_function():
    run = ExactLagrangian().init(Evaluator(shifted(0.0))).main
    iterate, system = run.iterate, run.system
    assert system.factor(iterate, run.mu)
    affine = system.direction(iterate, 0.0)
    centered = system.direction(iterate, iterate.mean_complementarity)
    steps = (affine.dw, affine.dzl, affine.dzu, centered.dw, centered.dzl, centered.dzu)
    rest = (
        *(iterate.zl, iterate.zu, iterate.gaps.lower, iterate.gaps.upper),
        *(iterate.lagrangian_gradient, iterate.point.c),
    )
    counts = (run.form.nx, run.form.m, run.bounds.count)
    best = best_centering(*steps, *rest, 0.99, *counts)
    values = [quality(*steps, *rest, s, 0.99, *counts) for s in np.logspace(-6, 2, 400)]
    assert quality(*steps, *rest, best, 0.99, *counts) <= 1.05 * min(values)


def test_quality_of_full_steps_is_what_complementarity_remains():
    one, zero = np.ones(3), np.zeros(3)
    gaps = np.array([1.0, 2.0, np.inf])
    # Affine steps of zero length, to gap 1 and 2 with multipliers 1, and no upper bounds.
    present = np.array([1.0, 1.0, 0.0])
    value = quality(
        zero,
        zero,
        zero,
        zero,
        zero,
        zero,
        present,
        zero,
        gaps,
        np.full(3, np.inf),
        one,
        zero,
        0.5,
        0.99,
        3,
        1,
        2,
    )
    assert value == pytest.approx((1.0**2 + 2.0**2) / 2)


def test_unknown_rule_is_named():
    with pytest.raises(ValueError, match="barrier_update must be one of auto, monotone, adaptive"):
        ExactLagrangian(barrier_update="probing")
