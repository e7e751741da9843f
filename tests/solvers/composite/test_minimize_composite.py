"""`auto` beside proximal gradients on every pair of parts; certificates; manners."""

import numpy as np
import pytest
from scipy import sparse
from scipy.optimize import nnls

import karush
from karush import Status
from karush.problems.composite import (
    L1,
    MCP,
    SCAD,
    SLOPE,
    Box,
    CompositeProblem,
    Datafit,
    ElasticNet,
    GroupLasso,
    Huber,
    LeastSquares,
    Logistic,
    MismatchError,
    Multinomial,
    NonNegative,
    NoPenalty,
    Penalty,
    Poisson,
    QuadraticForm,
    SparseGroupLasso,
    SquaredHinge,
    svm_dual,
)
from karush.solvers.composite.minimize import composite_method
from karush.solvers.composite.working_set import WorkingSet

N, P = 40, 60


def data(seed=0, n=N, p=P):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n, p))
    signal = X[:, :3].sum(axis=1) + 0.3 * rng.standard_normal(n)
    return X, signal, rng


def datafits(signal, rng, X):
    n = signal.size
    weights = rng.random(n) + 0.1
    return {
        "least squares": LeastSquares(signal),
        "weighted": LeastSquares(signal, weights),
        "huber": Huber(signal, weights=weights),
        "logistic": Logistic(np.sign(signal), weights),
        "squared hinge": SquaredHinge(np.sign(signal)),
        "poisson": Poisson(rng.poisson(np.exp(0.3 * signal))),
    }


PENALTIES = {
    "l1": L1(1.5),
    "elastic net": ElasticNet(1.0, 0.5),
    "nonnegative": NonNegative(1.0),
    "box": Box(-0.1, 0.1),
    "factors": L1(2.0, factors=np.r_[0.0, 0.0, np.ones(P - 2)]),
    "group": GroupLasso(1.0, np.array_split(np.random.default_rng(0).permutation(P), 17)),
    "group ridge": GroupLasso(0.7, 5, l2=0.3),
    "sparse group": SparseGroupLasso(0.5, 4, l1=0.5),
}
STORAGES = {
    "F": np.asfortranarray,
    "C": np.ascontiguousarray,
    "single": lambda X: X.astype(np.float32),
    "sparse": lambda X: sparse.csc_array(X * (np.abs(X) > 0.7)),
}


@pytest.mark.parametrize(
    "fit", ["least squares", "weighted", "huber", "logistic", "squared hinge", "poisson"]
)
@pytest.mark.parametrize("name", PENALTIES)
@pytest.mark.parametrize(("storage", "intercept"), [("sparse", True), ("single", False)])
def test_auto_is_certified_and_agrees_with_proximal_gradients(fit, name, storage, intercept):
    X, signal, rng = data()
    datafit = datafits(signal, rng, X)[fit]
    offset = 0.1 * rng.standard_normal(N) if intercept else None
    problem = CompositeProblem(
        datafit, PENALTIES[name], STORAGES[storage](X), intercept=intercept, offset=offset
    )
    result = karush.minimize_composite(problem, tol=1e-9)
    assert result.success, result.certificate
    other = karush.minimize_composite(problem, method="proximal-gradient", tol=1e-7)
    assert other.success, other.certificate
    # both within their gaps of the minimum
    scale = result.certificate.gap_scale
    assert result.fun == pytest.approx(problem.objective(result.x, result.intercept), rel=1e-12, abs=1e-12)
    assert abs(result.fun - other.fun) <= 2e-7 * scale


@pytest.mark.parametrize("penalty", [MCP(1.5), SCAD(1.5)], ids=["mcp", "scad"])
@pytest.mark.parametrize("fit", ["least squares", "logistic"])
def test_nonconvex_penalties_end_at_stationary_points(penalty, fit):
    X, signal, rng = data()
    problem = CompositeProblem(datafits(signal, rng, X)[fit], penalty, X, intercept=True)
    result = karush.minimize_composite(problem, tol=1e-8)
    assert result.success
    assert np.isnan(result.gap)
    gradient, slope = problem.gradient(result.x, result.intercept)
    # computed here: |gradient| <= lam where w = 0, gradient = -penalty' elsewhere
    away = result.x != 0
    assert np.abs(gradient[~away]).max() <= 1.5 + 1e-5
    h = 1e-6
    slopes = [
        (penalty.value(np.array([x + h])) - penalty.value(np.array([x - h]))) / (2 * h)
        for x in result.x[away]
    ]
    np.testing.assert_allclose(gradient[away], -np.array(slopes), atol=1e-5)
    assert abs(slope) < 1e-5
    assert result.fun < problem.objective(np.zeros(P), problem.null.intercept)


@pytest.mark.parametrize(
    "penalty",
    [
        GroupLasso(1.0, "rows"),
        SparseGroupLasso(0.7, "rows", l1=0.3),
        L1(1.0),
        SLOPE(np.linspace(2, 1, 3 * P)),
    ],
)
@pytest.mark.parametrize("multinomial", [False, True])
def test_several_outputs(penalty, multinomial):
    X, _signal, rng = data()
    datafit = (
        Multinomial(rng.integers(0, 3, N))
        if multinomial
        else LeastSquares(X[:, :3] + rng.standard_normal((N, 3)))
    )
    problem = CompositeProblem(datafit, penalty, X, intercept=True)
    result = karush.minimize_composite(problem, tol=1e-7)
    assert result.success
    assert result.x.shape == (P, 3)
    assert result.intercept.shape == (3,)
    rng = np.random.default_rng(1)
    for _ in range(50):
        trial = result.x + 1e-3 * rng.standard_normal((P, 3))
        assert problem.objective(trial, result.intercept) >= result.fun - 2e-7 * result.certificate.gap_scale


def test_lasso_has_its_known_solution_on_orthogonal_columns():
    rng = np.random.default_rng(0)
    X, _ = np.linalg.qr(rng.standard_normal((50, 20)))
    y = rng.standard_normal(50)
    result = karush.minimize_composite(LeastSquares(y), L1(0.15), X, tol=1e-12)
    z = X.T @ y
    np.testing.assert_allclose(result.x, np.sign(z) * np.maximum(np.abs(z) - 0.15, 0), atol=1e-10)
    np.testing.assert_array_equal(result.support, np.flatnonzero(np.abs(z) > 0.15))
    assert result.slack == pytest.approx(0.15 - np.abs(z[np.abs(z) <= 0.15]).max(), abs=1e-9)


def test_least_squares_without_penalty_is_lstsq():
    X, y, _ = data(n=60, p=20)
    result = karush.minimize_composite(LeastSquares(y), NoPenalty(), X, tol=1e-12)
    np.testing.assert_allclose(result.x, np.linalg.lstsq(X, y)[0], atol=1e-7)


@pytest.mark.parametrize("method", ["auto", "proximal-gradient"])
def test_signs_without_a_level_are_nonnegative_least_squares(method):
    X, signal, _ = data(n=80)
    result = karush.minimize_composite(LeastSquares(signal), NonNegative(), X, method=method, tol=1e-10)
    assert result.success, result.certificate  # no multiple of a dual point is feasible: by stationarity
    np.testing.assert_allclose(result.x, nnls(X, signal)[0], rtol=0, atol=1e-8)


def test_a_group_without_a_level_is_fitted_freely():
    X, signal, _ = data(n=80)
    penalty = GroupLasso(1e4, 3, factors=np.r_[0.0, np.ones(P // 3 - 1)])
    result = karush.minimize_composite(LeastSquares(signal), penalty, X, tol=1e-10)
    assert result.success, result.certificate
    np.testing.assert_allclose(result.x[:3], np.linalg.lstsq(X[:, :3], signal)[0], rtol=1e-9)
    assert not result.x[3:].any()


def test_a_weight_of_two_is_a_sample_twice():
    X, y, rng = data()
    twice = rng.integers(0, 3, N)
    weighted = karush.minimize_composite(
        LeastSquares(y, twice.astype(float)), L1(2.0), X, intercept=True, tol=1e-11
    )
    rows = np.repeat(np.arange(N), twice)
    repeated = karush.minimize_composite(LeastSquares(y[rows]), L1(2.0), X[rows], intercept=True, tol=1e-11)
    np.testing.assert_allclose(weighted.x, repeated.x, atol=1e-6)


def test_permuted_columns_permute_the_solution():
    X, y, rng = data()
    order = rng.permutation(P)
    plain = karush.minimize_composite(Logistic(np.sign(y)), L1(1.0), X, tol=1e-11)
    permuted = karush.minimize_composite(Logistic(np.sign(y)), L1(1.0), X[:, order], tol=1e-11)
    np.testing.assert_allclose(permuted.x, plain.x[order], atol=1e-5)


def test_a_constant_column_beside_an_intercept_stays_at_zero():
    X, y, _ = data()
    X[:, 5] = 3.0
    for stored in (X, sparse.csc_array(X)):
        result = karush.minimize_composite(LeastSquares(y + 100), L1(1.0), stored, intercept=True)
        assert result.success
        assert abs(result.x[5]) < 1e-8


@pytest.mark.parametrize(
    "design", ["equal columns", "zero columns", "one sample", "one column", "more support than rows"]
)
def test_degenerate_designs(design):
    X, y, _rng = data()
    if design == "equal columns":
        X[:, 30:] = X[:, :30]
    elif design == "zero columns":
        X[:, ::2] = 0
    elif design == "one sample":
        X, y = X[:1], y[:1]
    elif design == "one column":
        X = X[:, :1]
    lam = 1e-3 if design == "more support than rows" else 0.1 * np.abs(X.T @ y).max()
    for intercept in (False, True):
        for stored in (X, sparse.csc_array(X)):
            result = karush.minimize_composite(LeastSquares(y), L1(lam), stored, intercept=intercept)
            assert result.success, (design, intercept, result.certificate)


def test_a_pool_that_misses_the_support_is_corrected():
    """More columns than a pool holds, strongly correlated, so that first slopes mislead."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((60, 3000)) + 2 * rng.standard_normal((60, 1))
    y = X[:, :40] @ rng.standard_normal(40)
    result = karush.minimize_composite(LeastSquares(y), L1(0.5), X, tol=1e-8)
    assert result.success
    assert result.certificate.stationarity <= 1e-5 * result.certificate.stationarity_scale


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("storage", ["F", "C", "sparse"])
@pytest.mark.parametrize("fit", ["weighted", "logistic"])
def test_columns_and_gram_are_two_routes_to_one_solution(monkeypatch, storage, intercept, fit):
    X, signal, rng = data(n=80)
    stored, datafit = STORAGES[storage](X), datafits(signal, rng, X)[fit]
    found = []
    for cheaper in (True, False):
        monkeypatch.setattr(
            "karush.solvers.composite.prox_newton.gram_is_cheaper", lambda *_, c=cheaper, **__: c
        )
        found.append(
            karush.minimize_composite(datafit, ElasticNet(1.0, 0.1), stored, intercept=intercept, tol=1e-12)
        )
    assert all(result.success for result in found)
    np.testing.assert_allclose(found[0].x, found[1].x, atol=1e-5)


@pytest.mark.parametrize("intercept", [False, True])
@pytest.mark.parametrize("storage", ["F", "C", "sparse"])
@pytest.mark.parametrize("fit", ["weighted", "logistic"])
def test_groups_on_columns_and_on_gram_are_two_routes(monkeypatch, storage, intercept, fit):
    X, signal, rng = data(n=80)
    stored, datafit = STORAGES[storage](X), datafits(signal, rng, X)[fit]
    penalty = SparseGroupLasso(0.5, [[1, 0, 7], [2], [3, 4, 5, 6], list(range(8, P))], l1=0.3, l2=0.1)
    found = []
    for cheaper in (True, False):
        monkeypatch.setattr(
            "karush.solvers.composite.prox_newton.gram_is_cheaper", lambda *_, c=cheaper, **__: c
        )
        problem = CompositeProblem(datafit, penalty, stored, intercept=intercept)
        found.append(karush.minimize_composite(problem, tol=1e-12))
    assert all(result.success for result in found)
    np.testing.assert_allclose(found[0].x, found[1].x, atol=1e-5)


def test_svm_dual_meets_its_primal():
    X, signal, _ = data(n=60, p=5)
    y = np.sign(signal)
    problem = svm_dual(X, y, 0.7)
    result = karush.minimize_composite(problem, tol=1e-9)
    v = problem.predictor(result.x)
    primal = 0.5 * v @ v + 0.7 * np.maximum(0, 1 - y * (X @ v)).sum()
    assert result.success
    assert primal == pytest.approx(-result.fun, rel=1e-6)


def test_quadratic_form_without_design():
    rng = np.random.default_rng(0)
    A = rng.standard_normal((12, 12))
    A = A @ A.T + np.eye(12)
    b = rng.standard_normal(12)
    result = karush.minimize_composite(QuadraticForm(sparse.csr_array(A), b), NoPenalty(), tol=1e-9)
    assert result.success
    np.testing.assert_allclose(result.x, np.linalg.solve(A, b), atol=1e-6)


# ---- certificates ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "fit", ["least squares", "weighted", "huber", "logistic", "squared hinge", "poisson"]
)
@pytest.mark.parametrize("name", PENALTIES)
def test_the_gap_bounds_the_error_of_any_point(fit, name):
    X, signal, rng = data()
    problem = CompositeProblem(datafits(signal, rng, X)[fit], PENALTIES[name], X, intercept=True)
    best = karush.minimize_composite(problem, tol=1e-9)
    rng = np.random.default_rng(1)
    for size in (1e-4, 1e-2, 1.0):
        w = problem.penalty.prox(best.x + size * rng.standard_normal(P), 1e-6)
        b = best.intercept + size
        found = karush.certify_composite(problem, w, b)
        error = problem.objective(w, b) - best.fun
        assert found.gap >= error - 1e-9 * found.gap_scale or np.isnan(found.gap)
        assert not (found.holds and error > 1e-6 * found.gap_scale)


def test_no_false_proof_where_columns_go_without_penalty():
    """At w = 0 the dual point must be orthogonal to the free columns; the gradient is not."""
    X, signal, _rng = data()
    problem = CompositeProblem(Logistic(np.sign(signal)), PENALTIES["factors"], X)
    assert not karush.certify_composite(problem, np.zeros(P)).holds


def test_identified_support_stays_within_the_slack():
    X, signal, _ = data()
    problem = CompositeProblem(LeastSquares(signal), L1(3.0), X)
    exact = karush.minimize_composite(problem, tol=1e-13)
    gradient = problem.gradient(exact.x)[0]
    outside = np.setdiff1d(np.arange(P), exact.support)
    assert exact.slack == pytest.approx(3.0 - np.abs(gradient[outside]).max())
    assert exact.slack > 0


# ---- manners --------------------------------------------------------------------------------------------


def big():
    return CompositeProblem(LeastSquares(data()[1]), L1(0.05), data()[0])


def test_iteration_limit_keeps_the_best_point():
    problem = big()
    result = karush.minimize_composite(problem, method="proximal-gradient", tol=1e-12, max_iterations=3)
    assert result.status is Status.ITERATION_LIMIT
    assert not result.success
    assert result.nit == 3
    assert result.fun == problem.objective(result.x) < problem.objective(np.zeros(P))


@pytest.mark.parametrize("method", ["auto", "proximal-gradient"])
def test_no_time_gives_the_start_back(method):
    result = karush.minimize_composite(big(), method=method, max_time=0.0)
    assert result.status is Status.TIME_LIMIT
    assert not result.x.any()


def test_time_limit_within_a_step(monkeypatch):
    from karush.solvers.composite import driver

    clock = iter(range(10_000))
    monkeypatch.setattr(driver, "perf_counter", lambda: next(clock))
    result = karush.minimize_composite(big(), max_time=6)
    assert result.status is Status.TIME_LIMIT
    assert np.isfinite(result.fun)


def test_callback_in_both_forms_and_stop():
    seen = []

    def stop(intermediate_result):
        seen.append(intermediate_result.fun)
        raise StopIteration

    result = karush.minimize_composite(big(), method="proximal-gradient", tol=1e-12, callback=stop)
    assert result.status is Status.USER_STOP
    assert len(seen) == 1
    karush.minimize_composite(big(), callback=lambda w: seen.append(w.shape))
    assert seen[-1] == (P,)


def test_errors_of_a_callback_come_through():
    def fail(w):
        raise RuntimeError("mine")

    with pytest.raises(RuntimeError, match="mine"):
        karush.minimize_composite(big(), callback=fail)


def test_start_that_is_not_finite():
    X, _signal, rng = data()
    problem = CompositeProblem(Poisson(rng.poisson(1.0, N)), L1(1.0), X)
    result = karush.minimize_composite(problem, w0=np.full(P, 1e3))
    assert result.status is Status.NONFINITE_START
    assert not result.success


def test_warm_start_from_the_solution_takes_no_step():
    problem = big()
    first = karush.minimize_composite(problem)
    again = karush.minimize_composite(problem, w0=first.x)
    assert again.nit == 0
    assert again.success


def test_same_call_same_bits():
    one, two = (karush.minimize_composite(big(), rng=0) for _ in range(2))
    np.testing.assert_array_equal(one.x, two.x)


def test_inputs_are_not_changed():
    X, y, _ = data()
    w0, kept = np.ones(P), (X.copy(), y.copy())
    karush.minimize_composite(LeastSquares(y), L1(1.0), X, w0=w0)
    np.testing.assert_array_equal(X, kept[0])
    np.testing.assert_array_equal(y, kept[1])
    np.testing.assert_array_equal(w0, np.ones(P))


def test_a_method_that_does_not_fit_says_what_is_missing():
    problem = CompositeProblem(LeastSquares(np.ones(4)), SLOPE([2.0, 1.0]), np.eye(4)[:, :2])
    with pytest.raises(MismatchError, match="SLOPE"):
        karush.minimize_composite(problem, method=WorkingSet())
    form = CompositeProblem(QuadraticForm(np.eye(3), np.ones(3)), L1(1.0))
    with pytest.raises(MismatchError, match="QuadraticForm"):
        karush.minimize_composite(form, method=WorkingSet())


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"method": "proximal-gradent"}, ValueError, "did you mean 'proximal-gradient'"),
        ({"tol": np.nan}, ValueError, "tol must be a number >= 0"),
        ({"max_time": -1}, ValueError, "max_time must be"),
        ({"w0": np.ones(3)}, ValueError, r"w0 must have shape \(60,\)"),
        ({"w0": np.full(P, np.nan)}, ValueError, "w0 must be finite"),
        ({"b0": [1.0]}, ValueError, "b0 must have shape"),
        ({"penalty": L1(1.0)}, TypeError, "belong to it"),
    ],
)
def test_bad_arguments_are_named(arguments, kind, message):
    with pytest.raises(kind, match=message):
        karush.minimize_composite(big(), **arguments)


def test_penalty_must_be_given():
    with pytest.raises(TypeError, match="penalty is missing"):
        karush.minimize_composite(LeastSquares([1.0]))
    assert composite_method("auto", tol=0.1).tol == 0.1


# ---- one's own parts ------------------------------------------------------------------------------------


class LogCosh(Datafit):
    """A smooth absolute error, sum of log cosh(eta - y)."""

    def __init__(self, y):
        self.y, self.shape = y, y.shape

    def value(self, eta):
        return float(np.sum(np.logaddexp(eta - self.y, self.y - eta) - np.log(2)))

    def gradient(self, eta):
        return np.tanh(eta - self.y)

    def hessian_diagonal(self, eta):
        return 1 - np.tanh(eta - self.y) ** 2

    def curvature_bound(self):
        return np.ones(self.shape)


class SquareRoot(Penalty):
    """sqrt-like L2 norm of everything: one group, with nothing but value and prox."""

    separable = False

    def value(self, w):
        return float(np.linalg.norm(w))

    def prox(self, v, step):
        return max(0.0, 1 - step / max(np.linalg.norm(v), 1e-300)) * v


def test_ones_own_datafit_runs_on_the_fast_path():
    X, y, _ = data()
    problem = CompositeProblem(LogCosh(y), L1(1.0), X, intercept=True)
    result = karush.minimize_composite(problem, method=WorkingSet(tol=1e-8))
    assert result.success
    assert np.isnan(result.gap)
    other = karush.minimize_composite(problem, method="proximal-gradient", tol=1e-8)
    assert result.fun == pytest.approx(other.fun, rel=1e-6)


def test_tol_beside_a_method_object_counts():
    X, y, _ = data()
    problem = CompositeProblem(LeastSquares(y), L1(1.0), X)
    rough = WorkingSet(tol=1e-1)
    sharp = karush.minimize_composite(problem, method=rough, tol=1e-12)
    assert sharp.success
    assert sharp.gap <= 1e-12 * problem.null.value
    same = karush.minimize_composite(problem, method=WorkingSet(tol=1e-12))
    np.testing.assert_array_equal(sharp.x, same.x)
    assert rough.tol == 1e-1


def test_ones_own_penalty_runs_by_proximal_gradients():
    X, y, _ = data()
    mine = karush.minimize_composite(LeastSquares(y), SquareRoot(), X, tol=1e-9)
    ours = karush.minimize_composite(LeastSquares(y), GroupLasso(1.0, P, factors=[1.0]), X, tol=1e-9)
    assert mine.success
    assert mine.fun == pytest.approx(ours.fun, rel=1e-6)
