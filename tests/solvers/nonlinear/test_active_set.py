"""The active-set exact merit function: its parts against numpy, and the runs it makes."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

import karush
from karush import problems
from karush.problems.evaluator import Evaluator
from karush.solvers.nonlinear.active_set import ActiveSetIteration, ActiveSetRule
from karush.solvers.nonlinear.active_set_merit import (
    MeritParameters,
    excess,
    merit_gradient,
    merit_state,
    merit_value,
    penalised,
)
from karush.solvers.nonlinear.active_set_step import ActiveSetSystem
from karush.solvers.nonlinear.exact_lagrangian import ExactLagrangian
from karush.solvers.nonlinear.form import SlackForm
from karush.solvers.nonlinear.inequalities import ActiveSetIterate, Inequalities, Multipliers
from karush.solvers.nonlinear.newton import NewtonSystem, RegularisationRule
from karush.solvers.status import Status

from ..small_problems import Dense
from .test_warm_start import shifted

ACTIVE_SET = {"inequalities": "active-set"}


def mixed():
    """An equation, a range, one-sided rows, bounds of every kind, a fixed variable; all curved."""
    n = 5
    rng = np.random.default_rng(8)
    A = rng.standard_normal((4, n))
    curvature = [np.diag(rng.standard_normal(n)) for _ in range(4)]
    Q = A.T @ A + np.eye(n)
    inside = np.array([0.3, -0.2, 0.4, 2.0, 0.1])
    values = A @ inside + 0.5 * np.array([inside @ C @ inside for C in curvature])
    return Dense(
        inside + 0.2,
        lambda x: 0.5 * x @ Q @ x - x.sum() + 0.25 * (x**4).sum(),
        lambda x: Q @ x - 1.0 + x**3,
        lambda x: Q + np.diag(3.0 * x**2),
        c=lambda x: A @ x + 0.5 * np.array([x @ C @ x for C in curvature]),
        jac=lambda x: A + np.array([C @ x for C in curvature]),
        hc=lambda x: curvature,
        lb=[-1.0, -np.inf, 0.0, 2.0, -np.inf],
        ub=[1.0, 0.5, np.inf, 2.0, np.inf],
        cl=values + np.array([0.0, -0.5, -np.inf, -0.3]),
        cu=values + np.array([0.0, 0.5, 0.2, np.inf]),
    )


def parts_of(problem):
    problem = problems.get(problem) if isinstance(problem, str) else problem
    form = SlackForm(Evaluator(problem), scale=True, slack_relaxation=0.0)
    inequalities = Inequalities(form)
    system = ActiveSetSystem(inequalities, NewtonSystem(form, "dense", RegularisationRule()))
    return form, inequalities, system


def iterate_at(inequalities, x, mu, lam):
    point = inequalities.evaluate(x)
    assert inequalities.form.differentiate(point)
    return ActiveSetIterate(inequalities, point, Multipliers(mu, lam))


def random_iterate(inequalities, key=0, size=1.0):
    rng = np.random.default_rng(key)
    form = inequalities.form
    x = form.start[: form.nx] + 0.1 * rng.standard_normal(form.nx)
    x = np.clip(x, form.x_lower + 1e-3, form.x_upper - 1e-3)
    mu = rng.standard_normal(inequalities.equations.size)
    return iterate_at(inequalities, x, mu, size * rng.standard_normal(inequalities.count))


def stacked(it):
    """Jacobian of equations and inequalities, one under the other."""
    columns = [np.concatenate(it.products(column)) for column in np.eye(it.x.size)]
    return np.array(columns).T


# ---- the inequalities


def test_every_finite_side_is_an_inequality_and_no_other():
    form, inequalities, _ = parts_of(mixed())
    assert form.nx == 4  # one variable is fixed
    assert inequalities.equations.tolist() == [0]
    assert sorted(zip(inequalities.rows, inequalities.row_signs, strict=True)) == [
        (1, -1.0),
        (1, 1.0),
        (2, 1.0),
        (3, -1.0),
    ]
    assert sorted(zip(inequalities.variables, inequalities.variable_signs, strict=True)) == [
        (0, -1.0),
        (0, 1.0),
        (1, 1.0),
        (2, -1.0),
    ]


def test_values_are_positive_where_violated_and_only_there():
    form, inequalities, _ = parts_of(mixed())
    it = random_iterate(inequalities)
    c = form.evaluator.constraints(it.point.x) * form.scaling.constraints
    lower, upper = (form.scaling.constraints * bound for bound in (form.cl, form.cu))
    of_rows = [c[1] - upper[1], c[2] - upper[2], lower[1] - c[1], lower[3] - c[3]]
    of_bounds = [it.x[0] - 1.0, it.x[1] - 0.5, -1.0 - it.x[0], -it.x[2]]
    assert it.g == pytest.approx(of_rows + of_bounds)


def test_the_gradient_of_the_lagrangian_is_the_sum_over_all_constraints():
    _, inequalities, _ = parts_of(mixed())
    it = random_iterate(inequalities)
    weights = np.concatenate([it.mu, it.lam])
    assert it.gradient == pytest.approx(it.point.g[: it.x.size] + stacked(it).T @ weights)
    assert it.transposed(it.mu, it.lam) == pytest.approx(stacked(it).T @ weights)


def test_one_side_of_a_range_is_active_at_most():
    _, inequalities, _ = parts_of(mixed())
    everything = np.ones(inequalities.count, dtype=bool)
    chosen = inequalities.one_side(everything, np.arange(inequalities.count, dtype=float))
    # Row 1 and variable 0 have two sides each; the one of larger preference stays.
    assert chosen.sum() == inequalities.count - 2
    assert chosen[[2, 6]].all()
    assert not chosen[[0, 4]].any()
    assert inequalities.one_side(chosen, np.zeros(chosen.size)).tolist() == chosen.tolist()


# ---- the merit function


@pytest.mark.parametrize("problem", [mixed(), "HS71", "HS24", "HS13"], ids=["mixed", "HS71", "HS24", "HS13"])
@pytest.mark.parametrize("key", range(3))
def test_the_gradient_of_the_merit_function(problem, key):
    form, inequalities, system = parts_of(problem)
    it = random_iterate(inequalities, key, 2.0)
    p = MeritParameters(eps=0.3, nu=2.0 * excess(it.g) + 5.0, eta=0.2, kappa=7.0)
    state = merit_state(it, p)
    assert system.load(it)
    gradient = merit_gradient(
        it,
        state,
        p,
        system.hessian_product,
        lambda v: system.constraint_curvature(it, state.R_mu, state.R_lam, v),
    )
    nx, k = form.nx, it.mu.size
    v = np.concatenate([it.x, it.mu, it.lam])

    def merit(v):
        return merit_value(iterate_at(inequalities, v[:nx], v[nx : nx + k], v[nx + k :]), p)

    h = 1e-5 * np.eye(v.size)
    central = np.array([8.0 * (merit(v + e) - merit(v - e)) - merit(v + 2 * e) + merit(v - 2 * e) for e in h])
    central /= 12e-5
    whole = np.concatenate(
        [
            gradient.x + p.eta * gradient.curved_x,
            gradient.mu + p.eta * gradient.curved_mu,
            gradient.lam + p.eta * gradient.curved_lam,
        ]
    )
    assert whole == pytest.approx(central, rel=1e-6, abs=1e-6 * np.abs(central).max())


def test_the_published_form_is_the_same_function():
    """L + ||c||^2/(2 eps) + (||g||^2 - ||b||^2)/(2 eps q), b = min(0, g + eps q lam) in place of omega."""
    _, inequalities, _ = parts_of(mixed())
    it = random_iterate(inequalities, 3, 2.0)
    nu = 2.0 * excess(it.g) + 1.0
    p = MeritParameters(eps=0.3, nu=nu, eta=0.0, kappa=1.0)
    q = (nu - excess(it.g)) / (1.0 + it.lam @ it.lam) / nu
    b = np.minimum(0.0, it.g + p.eps * q * it.lam)
    published = it.point.f + it.mu @ it.c + it.lam @ it.g + it.c @ it.c / (2 * p.eps)
    published += (it.g @ it.g - b @ b) / (2 * p.eps * q)
    assert merit_value(it, p) == pytest.approx(published, rel=1e-13)


def test_the_merit_function_is_infinite_where_the_violation_is_too_large():
    _, inequalities, _ = parts_of(mixed())
    it = random_iterate(inequalities)
    g = np.full(inequalities.count, 2.0)
    p = MeritParameters(eps=0.1, nu=1.0, eta=0.1)
    assert penalised(it.point.f, it.c, g, it.mu, it.lam, p) == np.inf


@pytest.mark.parametrize("eps", [1.0, 1e-2])
@pytest.mark.parametrize("name", ["HS71", "HS24", "HS76"])
def test_solutions_are_stationary_whatever_the_parameters(name, eps):
    result = karush.minimize(name, tol=1e-11)
    form, inequalities, system = parts_of(name)
    y = form.scaling.objective * result.y / form.scaling.constraints
    z = form.scaling.objective * result.z
    lam = np.maximum(
        np.concatenate(
            [
                inequalities.row_signs * y[inequalities.rows],
                inequalities.variable_signs * z[inequalities.variables],
            ]
        ),
        0.0,
    )
    it = iterate_at(inequalities, result.x[form.free], y[inequalities.equations], lam)
    p = MeritParameters(eps, 1.0, 0.5)
    state = merit_state(it, p)
    assert system.load(it)
    g = merit_gradient(
        it,
        state,
        p,
        system.hessian_product,
        lambda v: system.constraint_curvature(it, state.R_mu, state.R_lam, v),
    )
    largest = max(np.abs(part).max(initial=0.0) for part in (g.x, g.mu, g.lam, g.curved_x, g.curved_lam))
    assert largest < 1e-5
    assert merit_value(it, p) == pytest.approx(it.point.f, abs=1e-5)


# ---- the steps


@pytest.mark.parametrize("key", range(4))
def test_multiplier_function(key):
    """The least-squares problem itself, by numpy."""
    _, inequalities, system = parts_of(mixed())
    it = random_iterate(inequalities, key)
    found = system.multiplier_function(it)
    matrix = np.vstack(
        [
            stacked(it).T,
            np.hstack([np.zeros((it.g.size, it.mu.size)), np.diag(it.g)]),
        ]
    )
    right = np.concatenate([-it.point.g[: it.x.size], np.zeros(it.g.size)])
    wanted = np.linalg.lstsq(matrix, right, rcond=None)[0]
    assert np.concatenate([found.mu, found.lam]) == pytest.approx(wanted, rel=1e-8, abs=1e-9)


@pytest.mark.parametrize("active", [[], [1], [3, 5], [6, 7], [0, 4, 7]])
def test_newton_direction_of_an_active_set(active):
    """The full KKT system, bounds as rows like all others, by numpy."""
    form, inequalities, system = parts_of(mixed())
    it = random_iterate(inequalities, 1)
    assert system.load(it)
    mask = np.zeros(inequalities.count, dtype=bool)
    mask[active] = True
    direction = system.newton(it, mask, 1e-11)
    H = np.array([system.hessian_product(column) for column in np.eye(form.nx)])
    A = stacked(it)[np.concatenate([[True], mask])]
    K = np.block([[H, A.T], [A, np.zeros((A.shape[0],) * 2)]])
    values = np.concatenate([it.c, it.g[mask]])
    solution = np.linalg.solve(K, -np.concatenate([it.point.g[: form.nx], values]))
    assert direction.dx == pytest.approx(solution[: form.nx], abs=1e-8)
    assert it.mu + direction.dmu == pytest.approx(solution[form.nx : form.nx + 1], abs=1e-7)
    assert (it.lam + direction.dlam)[mask] == pytest.approx(solution[form.nx + 1 :], abs=1e-7)
    assert not (it.lam + direction.dlam)[~mask].any()


@pytest.mark.parametrize("key", range(5))
def test_the_safeguard_direction_descends(key):
    form, inequalities, system = parts_of(mixed())
    it = random_iterate(inequalities, key, 3.0)
    assert system.load(it)
    g = np.random.default_rng(key).standard_normal(form.nx)
    active = np.random.default_rng(key).random(inequalities.count) < 0.4
    direction = system.descent(it, g, active, 1e-3)
    assert g @ direction.dx < 0.0
    assert not direction.dmu.any()


def test_the_safeguard_takes_over_where_the_newton_direction_does_not_descend(monkeypatch):
    form, inequalities, system = parts_of(mixed())
    iteration = ActiveSetIteration(inequalities, system.system, ActiveSetRule())
    assert iteration.start(form.start[: form.nx])
    monkeypatch.setattr(iteration.system, "newton", lambda *given: None)
    before = merit_value(iteration.iterate, iteration.parameters)
    iteration.advance()
    assert iteration.log.search == "d"
    assert merit_value(iteration.iterate, iteration.parameters) < before


def test_parameters_keep_up():
    form, inequalities, system = parts_of(mixed())
    iteration = ActiveSetIteration(inequalities, system.system, ActiveSetRule())
    assert iteration.start(form.start[: form.nx], Multipliers(np.zeros(1), np.full(inequalities.count, 30.0)))
    iteration.parameters = replace(iteration.parameters, nu=1e-9)
    iteration.advance()
    p, it = iteration.parameters, iteration.iterate
    assert p.kappa >= 4.0 * inequalities.count * 30.0**2
    assert p.nu - excess(it.g) > 0.0


# ---- runs


def test_mixed_constraints():
    result = karush.minimize(mixed(), options=ACTIVE_SET)
    assert result.success
    assert result.record["inequalities"] == "active-set"
    assert result.x[3] == 2.0
    other = karush.minimize(mixed())
    assert result.x == pytest.approx(other.x, abs=1e-6)
    assert result.y == pytest.approx(other.y, abs=1e-5)
    assert result.z == pytest.approx(other.z, abs=1e-5)


@pytest.mark.parametrize("key", range(6))
def test_a_quadratic_programme_takes_few_steps(key):
    """Known solution: x and multipliers are drawn first, the data after them."""
    rng = np.random.default_rng(key)
    n, m = 15, 10
    root, A = rng.standard_normal((n, n)), rng.standard_normal((m, n))
    Q = root @ root.T + np.eye(n)
    x, y = rng.standard_normal(n), np.where(np.arange(m) < 5, rng.random(m) + 0.1, 0.0)
    z = np.where(np.arange(n) < 4, rng.random(n) + 0.1, 0.0)
    q = -(Q @ x + A.T @ y - z)
    problem = Dense(
        x + rng.standard_normal(n) + 2.0,
        lambda v: 0.5 * v @ Q @ v + q @ v,
        lambda v: Q @ v + q,
        lambda v: Q,
        c=lambda v: A @ v,
        jac=lambda v: A,
        hc=lambda v: [np.zeros((n, n))] * m,
        lb=np.where(z > 0.0, x, x - 1.0),
        cl=np.full(m, -np.inf),
        cu=A @ x + np.where(y > 0.0, 0.0, 1.0),
    )
    result = karush.minimize(problem, options={"inequalities": "active-set", "scale": False})
    assert result.success
    assert result.nit <= 4
    assert result.x == pytest.approx(x, abs=1e-7)
    assert result.y == pytest.approx(y, abs=1e-6)
    assert result.z == pytest.approx(-z, abs=1e-6)


def test_convergence_is_quadratic():
    result = karush.minimize("HS71", options=ACTIVE_SET | {"tol": 1e-11})
    errors = [entry["optimality"] for entry in result.history]
    assert result.success
    assert result.history[-1]["alpha"] == 1.0
    late = [(a, b) for a, b in pairwise(errors) if a < 1e-2]
    assert late
    assert all(b <= max(10.0 * a**2, 1e-13) for a, b in late)


def test_hock_schittkowski_problems_from_their_standard_starts():
    names = [
        entry.name
        for entry in problems.select(collection="hock_schittkowski")
        if {"bounds", "inequalities"} & set(entry.constraint_kinds)
    ]
    alone = []
    for name in names:
        result = karush.minimize(problems.get(name), options=ACTIVE_SET | {"max_iterations": 400})
        if result.success and result.record["inequalities"] == "active-set":
            alone.append(name)
    assert len(names) >= 105
    assert len(alone) >= 0.9 * len(names), set(names) - set(alone)


@pytest.mark.parametrize("step", [1e-2, 5e-2])
def test_a_path_of_problems_takes_fewer_iterations_than_with_the_barrier(step):
    iterations = {}
    for kind in ("active-set", "barrier"):
        options = {"inequalities": kind}
        last = karush.minimize(shifted(0.0), options=options)
        total = 0
        for k in range(1, 11):
            last = karush.minimize(shifted(k * step), last.x, options=options | {"warm_start": last})
            assert last.success
            assert last.record["inequalities"] == kind
            total += last.nit
        iterations[kind] = total
    assert iterations["active-set"] <= 0.75 * iterations["barrier"]


def test_a_solution_is_a_start_without_a_step():
    solved = karush.minimize(shifted(0.0), options=ACTIVE_SET)
    again = karush.minimize(shifted(0.0), solved.x, options=ACTIVE_SET | {"warm_start": solved})
    assert again.success
    assert again.nit <= 1


# ---- where the barrier takes over


def test_the_barrier_takes_over_and_proves_infeasibility():
    contradictory = Dense(
        [0.5, 0.5],
        lambda x: x @ x,
        lambda x: 2.0 * x,
        lambda x: 2.0 * np.eye(2),
        c=lambda x: np.array([x.sum()]),
        jac=lambda x: np.ones((1, 2)),
        hc=lambda x: [np.zeros((2, 2))],
        lb=0.0,
        ub=1.0,
        cl=[3.0],
        cu=[np.inf],
    )
    result = karush.minimize(contradictory, options=ACTIVE_SET)
    assert result.status is Status.INFEASIBLE
    assert result.record["inequalities"] == "barrier"
    assert "barrier" in {entry.get("remedy") for entry in result.history}


@pytest.mark.parametrize(
    ("options", "why"), [({"linear_solver": "krylov"}, "factorises"), ({"hessian": "lbfgs"}, "Hessian")]
)
def test_what_cannot_be_done_is_said(options, why):
    result = karush.minimize("HS71", options=ACTIVE_SET | options)
    assert result.success
    assert result.record["inequalities"].startswith("barrier: ")
    assert why in result.record["inequalities"]


def test_without_inequalities_there_is_nothing_to_choose():
    plain, asked = karush.minimize("HS6"), karush.minimize("HS6", options=ACTIVE_SET)
    assert plain.nit == asked.nit
    assert plain.x.tolist() == asked.x.tolist()


def test_without_second_derivatives():
    result = karush.minimize("HS71", options=ACTIVE_SET | {"hessian": "bfgs"})
    assert result.success
    assert result.record["inequalities"] == "active-set"
    assert result.fun == pytest.approx(17.0140173, abs=1e-6)


def test_other_names_are_refused():
    with pytest.raises(ValueError, match=r"inequalities must be one of barrier, active-set, got 'simplex'"):
        ExactLagrangian(inequalities="simplex")
