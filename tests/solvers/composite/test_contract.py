"""The contract of every solver, kept by every method for composite problems; its numbers head the sections.

Nothing here measures time: the clock of a limit counts evaluations.
"""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from functools import cache, partial
from types import SimpleNamespace

import numpy as np
import pytest
from scipy import sparse

from karush import Status, minimize_composite
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
    NoPenalty,
    Poisson,
    QuadraticForm,
    SparseGroupLasso,
    SquaredHinge,
)
from karush.solvers.composite.block_descent import BlockDescent
from karush.solvers.composite.certificate import certify_composite
from karush.solvers.composite.minimize import _METHODS

N, P = 40, 30
TOL = 1e-6

METHODS = {
    "auto": {"method": "auto"},
    "proximal-gradient": {"method": "proximal-gradient"},
    "bcd greedy": {"method": "bcd", "block_size": 5},
    "bcd random": {
        "method": "bcd",
        "partition": "order",
        "selection": "random",
        "update": "newton",
        "block_size": 15,
    },
    "forest-cg": {"method": "forest-cg"},
    "quadratic-form": {"method": "quadratic-form"},
    "multinomial": {"method": "multinomial"},
    "separate-outputs": {"method": "separate-outputs"},
}
BCD_GROUPS = {
    "bcd greedy": {"partition": "groups", "selection": "gs-r", "update": "backtracking"},
    "bcd random": {"partition": "groups", "update": "gradient"},
}
BCD_NONCONVEX = {
    "bcd greedy": {"selection": "gs-r", "update": "backtracking"},
    "bcd random": {"update": "gradient"},
}


@cache
def data():
    rng = np.random.default_rng(0)
    X = np.asfortranarray(rng.standard_normal((N, P)))
    y = X[:, :4].sum(axis=1) + 0.3 * rng.standard_normal(N)
    return X, y


def grid():
    """Laplacian of a 6 x 6 grid plus half the identity."""
    path = sparse.diags_array([-np.ones(5), np.ones(5)], offsets=[0, 1], shape=(5, 6))
    line = path.T @ path
    eye = sparse.eye_array(6)
    return sparse.csr_array(sparse.kron(line, eye) + sparse.kron(eye, line) + 0.5 * sparse.eye_array(36))


@dataclass
class Case:
    """A problem in parts, so that its datafit can be wrapped."""

    datafit: Datafit
    penalty: object
    X: object = None
    intercept: bool = False
    arrays: tuple = ()
    """The caller's arrays."""

    def problem(self, datafit=None):
        return CompositeProblem(datafit or self.datafit, self.penalty, self.X, intercept=self.intercept)


def case(name):
    """A fresh copy of a problem."""
    X, y = (a.copy(order="A") for a in data())
    labels = np.sign(y)
    if name == "lasso":
        return Case(LeastSquares(y), L1(2.0), X, arrays=(X, y))
    if name == "lasso CSC":
        S = sparse.csc_array(X * (np.abs(X) > 0.7))
        return Case(LeastSquares(y), L1(1.0), S, arrays=(S.data, S.indices, S.indptr, y))
    if name == "logistic":
        return Case(Logistic(labels), ElasticNet(1.0, 0.1), X, intercept=True, arrays=(X, labels))
    if name == "groups":
        return Case(LeastSquares(y), GroupLasso(1.0, 5), X, arrays=(X, y))
    if name in {"mcp", "scad"}:
        return Case(LeastSquares(y), MCP(2.0) if name == "mcp" else SCAD(2.0), X, arrays=(X, y))
    if name.startswith("targets"):
        Y = np.column_stack([y, np.roll(y, 1), -y])
        penalty = L1(3.0) if name == "targets L1" else GroupLasso(3.0, "rows")
        return Case(LeastSquares(Y), penalty, X, intercept=True, arrays=(X, Y))
    if name == "box":
        return Case(LeastSquares(y), Box(-0.1, 0.3), X, arrays=(X, y))
    if name.startswith("classes"):
        classes = np.digitize(y, [-1.0, 1.0])
        penalty = GroupLasso(0.5, "rows") if name == "classes rows" else L1(1.0)
        return Case(Multinomial(classes), penalty, X, intercept=True, arrays=(X, classes))
    assert name in {"graph", "graph L1"}
    A, b = grid(), np.sin(np.arange(36.0))
    penalty = NoPenalty() if name == "graph" else L1(0.1)
    return Case(QuadraticForm(A, b), penalty, arrays=(A.data, A.indices, A.indptr, b))


CASES = ("lasso", "lasso CSC", "logistic", "groups", "box", "mcp", "scad")
CASES += ("graph", "graph L1", "classes", "classes rows", "targets", "targets L1")


def options(method, name):
    """The method's options for a problem; bcd takes groups and nonconvex penalties by some parts only."""
    found = dict(METHODS[method])
    if name == "groups":
        found |= BCD_GROUPS.get(method, {})
    if name in {"mcp", "scad"}:
        found |= BCD_NONCONVEX.get(method, {})
    return found


TAKES = {
    "forest-cg": {"graph"},
    "quadratic-form": {"graph", "graph L1"},
    "multinomial": {"classes", "classes rows"},
    "separate-outputs": {"targets L1"},
}
"""The cases of methods that do not take all."""

_SEVERAL_OUTPUTS = {"classes", "classes rows", "targets", "targets L1"}
PAIRS = [(m, c) for m in METHODS for c in CASES if c in TAKES.get(m, CASES)]
PAIRS = [(m, c) for m, c in PAIRS if not (m.startswith("bcd") and c in _SEVERAL_OUTPUTS)]
each_pair = pytest.mark.parametrize(("method", "name"), PAIRS)


class Wrapped(Datafit):
    """A user's datafit: what `inner` provides, with `disturb` called before every value and gradient."""

    def __init__(self, inner, disturb):
        self.inner, self.disturb = inner, disturb
        self.shape = inner.shape
        self.evaluations = 0

    def value(self, eta):
        return self._disturbed(self.inner.value(eta))

    def gradient(self, eta):
        return self._disturbed(self.inner.gradient(eta))

    def _disturbed(self, value):
        self.evaluations += 1
        return value * self.disturb(self.evaluations)

    def hessian_diagonal(self, eta):
        return self.inner.hessian_diagonal(eta)

    def curvature_bound(self):
        return self.inner.curvature_bound()


def users_pairs():
    """Where a datafit that is no instance of ours is taken: a quadratic form is known by its matrix."""
    return [(m, c) for m, c in PAIRS if c in {"lasso", "lasso CSC", "logistic", "groups", "box", "mcp"}]


each_users_pair = pytest.mark.parametrize(("method", "name"), users_pairs())


def wrapped(name, disturb):
    parts = case(name)
    datafit = Wrapped(parts.datafit, lambda _: 1.0)
    problem = parts.problem(datafit)
    datafit.evaluations, datafit.disturb = 0, disturb
    return problem, datafit


def objective_at_start(problem):
    return problem.objective(np.zeros(problem.shape), problem.null.intercept)


def check_kept(problem, result):
    """What holds of every result: finite, not worse than w = 0, its own objective, success certified."""
    assert np.isfinite(result.x).all()
    assert np.isfinite(result.intercept).all()
    fun = problem.objective(result.x, result.intercept)
    assert result.fun == pytest.approx(fun, rel=1e-12, abs=1e-12)
    assert fun <= objective_at_start(problem)
    assert result.success == certify_composite(problem, result.x, result.intercept, TOL).holds
    assert result.success == (result.status is Status.CONVERGED)


def test_every_registered_method_is_here():
    assert {chosen["method"] for chosen in METHODS.values()} == set(_METHODS)


# ---- 1, 3: success is certified, the best point is kept --------------------------------------------------


@each_pair
def test_solved_with_a_certificate_that_holds(method, name):
    problem = case(name).problem()
    result = minimize_composite(problem, tol=TOL, rng=0, **options(method, name))
    assert result.success, result.certificate
    check_kept(problem, result)


@each_pair
@pytest.mark.parametrize("limit", [0, 1, 2])
def test_max_iterations_keeps_the_best_point(method, name, limit):
    problem = case(name).problem()
    result = minimize_composite(problem, tol=0.0, max_iterations=limit, rng=0, **options(method, name))
    assert result.nit <= limit
    assert np.isfinite(result.x).all()
    assert problem.objective(result.x, result.intercept) <= objective_at_start(problem)
    held = certify_composite(problem, result.x, result.intercept, 0.0).holds
    assert result.success == held
    assert result.status in ({Status.CONVERGED} if held else {Status.ITERATION_LIMIT, Status.STALLED})


@each_pair
def test_a_tolerance_out_of_reach_ends_without_success(method, name):
    """A gap of exactly zero is luck; without it the run ends by itself and says so."""
    problem = case(name).problem()
    result = minimize_composite(problem, tol=0.0, max_iterations=1000, rng=0, **options(method, name))
    assert result.success == certify_composite(problem, result.x, result.intercept, 0.0).holds
    assert result.success == (result.status is Status.CONVERGED)
    # and yet it is the minimum to rounding, or as near as so many steps bring it
    assert certify_composite(problem, result.x, result.intercept, TOL).holds


@each_pair
def test_a_start_given_by_the_caller_is_never_worsened(method, name):
    problem = case(name).problem()
    solved = minimize_composite(problem, tol=1e-10, rng=0, **options("auto", name))
    for limit in (0, 1, None):
        result = minimize_composite(
            problem,
            w0=solved.x,
            b0=solved.intercept,
            tol=TOL,
            rng=0,
            max_iterations=limit,
            **options(method, name),
        )
        assert result.success
        rounding = 1e-14 * result.certificate.gap_scale
        assert result.fun <= problem.objective(solved.x, solved.intercept) + rounding


# ---- 4: limits of time -----------------------------------------------------------------------------------


@each_pair
def test_no_time_at_all_ends_with_the_start(method, name):
    problem = case(name).problem()
    result = minimize_composite(problem, max_time=0.0, tol=1e-15, rng=0, **options(method, name))
    assert result.status is Status.TIME_LIMIT
    assert not result.success
    assert problem.objective(result.x, result.intercept) <= objective_at_start(problem)


@each_users_pair
def test_max_time_holds_within_steps(monkeypatch, method, name):
    """Each evaluation takes a second on this clock: beyond the limit come only a few."""
    clock = SimpleNamespace(now=0.0)
    monkeypatch.setattr("karush.solvers.composite.driver.perf_counter", lambda: clock.now)

    def tick(_):
        clock.now += 1.0
        return 1.0

    problem, datafit = wrapped(name, tick)
    result = minimize_composite(problem, max_time=6.0, tol=0.0, rng=0, **options(method, name))
    assert result.status is Status.TIME_LIMIT
    assert datafit.evaluations <= 6 + 40  # one line search, or the best intercept, and the certificate
    assert problem.objective(result.x, result.intercept) <= objective_at_start(problem)


# ---- 2: what is not finite -------------------------------------------------------------------------------


@each_users_pair
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("since", [1, 3, 8])
def test_values_that_are_not_finite_end_honestly(method, name, bad, since):
    """From some evaluation on the user's datafit is broken; what was found before is kept."""
    problem, datafit = wrapped(name, lambda k: 1.0 if k < since else bad)
    result = minimize_composite(problem, tol=TOL, max_iterations=200, rng=0, **options(method, name))
    assert np.isfinite(result.x).all()
    assert not result.success
    assert result.status is not Status.CONVERGED
    assert datafit.evaluations < 100_000


@each_users_pair
def test_a_single_nan_is_overcome_or_the_best_point_kept(method, name):
    for bad in (1, 2, 3, 5, 8, 13):
        problem, datafit = wrapped(name, lambda k, bad=bad: np.nan if k == bad else 1.0)
        result = minimize_composite(problem, tol=TOL, max_iterations=300, rng=0, **options(method, name))
        assert np.isfinite(result.x).all()
        assert result.success == (result.status is Status.CONVERGED)
        datafit.disturb = lambda _: 1.0
        if result.success:
            assert certify_composite(problem, result.x, result.intercept, TOL).holds
        assert problem.objective(result.x, result.intercept) <= objective_at_start(problem)


@pytest.mark.parametrize("method", [m for m in METHODS if m not in TAKES])
def test_a_datafit_broken_from_the_first_is_a_nonfinite_start(method):
    parts = case("lasso")
    problem = parts.problem(Wrapped(parts.datafit, lambda _: np.nan))
    result = minimize_composite(problem, **options(method, "lasso"))
    assert result.status is Status.NONFINITE_START
    assert not result.success
    assert np.isfinite(result.x).all()


# ---- 6: callbacks, exceptions, interrupts ----------------------------------------------------------------


@each_pair
def test_callback_by_keyword(method, name):
    problem, seen = case(name).problem(), []

    def callback(intermediate_result):
        seen.append((intermediate_result.x.copy(), intermediate_result.fun, intermediate_result.nit))
        fun = problem.objective(intermediate_result.x, intermediate_result.intercept)
        assert intermediate_result.fun == pytest.approx(fun, rel=1e-9, abs=1e-9)
        intermediate_result.x[:] = np.nan  # a copy: no harm

    result = minimize_composite(problem, tol=TOL, callback=callback, rng=0, **options(method, name))
    assert result.success
    check_kept(problem, result)
    assert [nit for *_, nit in seen] == list(range(1, result.nit + 1))


@each_pair
def test_callback_by_x(method, name):
    problem, seen = case(name).problem(), []
    result = minimize_composite(problem, tol=TOL, callback=seen.append, rng=0, **options(method, name))
    assert len(seen) == result.nit
    assert all(x.shape == problem.shape for x in seen)


@each_pair
def test_stop_iteration_is_a_user_stop(method, name):
    def callback(w):
        raise StopIteration

    problem = case(name).problem()
    result = minimize_composite(problem, tol=0.0, callback=callback, rng=0, **options(method, name))
    assert result.status is Status.USER_STOP
    assert result.nit == 1
    assert problem.objective(result.x, result.intercept) <= objective_at_start(problem)
    assert result.success == certify_composite(problem, result.x, result.intercept, 0.0).holds


class Own(Exception):  # noqa: N818
    """A user's exception."""


@each_pair
def test_exceptions_of_the_callback_propagate(method, name):
    mine = Own("callback")

    def callback(w):
        raise mine

    with pytest.raises(Own) as caught:
        minimize_composite(case(name).problem(), tol=0.0, callback=callback, rng=0, **options(method, name))
    assert caught.value is mine


@each_users_pair
@pytest.mark.parametrize("error", [Own, ValueError, ArithmeticError, np.linalg.LinAlgError])
def test_exceptions_of_the_datafit_propagate(method, name, error):
    for when in (1, 2, 3, 5, 8):
        mine = error("datafit")

        def disturb(k, when=when, mine=mine):
            if k == when:
                raise mine
            return 1.0

        problem, _ = wrapped(name, disturb)
        with pytest.raises(error) as caught:
            minimize_composite(problem, tol=0.0, rng=0, **options(method, name))
        assert caught.value is mine


@each_users_pair
def test_an_interrupt_keeps_the_best_point(method, name):
    for when in (3, 5, 8):

        def disturb(k, when=when):
            if k == when:
                raise KeyboardInterrupt
            return 1.0

        problem, _ = wrapped(name, disturb)
        result = minimize_composite(problem, tol=0.0, rng=0, **options(method, name))
        assert result.status is Status.INTERRUPTED
        assert not result.success
        assert problem.objective(result.x, result.intercept) <= objective_at_start(problem)


@each_pair
def test_an_interrupt_in_the_callback_keeps_the_best_point(method, name):
    def callback(intermediate_result):
        raise KeyboardInterrupt

    problem = case(name).problem()
    result = minimize_composite(problem, tol=0.0, callback=callback, rng=0, **options(method, name))
    assert result.status is Status.INTERRUPTED
    assert problem.objective(result.x, result.intercept) <= objective_at_start(problem)


# ---- 7: the caller's arrays ------------------------------------------------------------------------------


@each_pair
def test_the_callers_arrays_stay_as_they_are(method, name):
    parts = case(name)
    shape = parts.problem().shape
    w0 = np.full(shape, 0.05)
    arrays = (*parts.arrays, w0)
    before = [a.tobytes() for a in arrays]
    for a in arrays:
        a.flags.writeable = False
    result = minimize_composite(parts.problem(), w0=w0, tol=TOL, rng=0, **options(method, name))
    assert result.success
    assert [a.tobytes() for a in arrays] == before
    assert not np.shares_memory(result.x, w0)


class Spoiling(Wrapped):
    """Overwrites what it is given."""

    def value(self, eta):
        found = super().value(eta)
        eta[:] = 0.0
        return found


@each_users_pair
def test_no_false_success_with_a_datafit_that_overwrites_its_argument(method, name):
    parts = case(name)
    problem = parts.problem(Spoiling(parts.datafit, lambda _: 1.0))
    result = minimize_composite(problem, tol=TOL, max_iterations=3, rng=0, **options(method, name))
    held = certify_composite(parts.problem(), result.x, result.intercept, TOL).holds
    assert result.success == held


# ---- 8: the same bits ------------------------------------------------------------------------------------


@each_pair
def test_the_same_rng_gives_the_same_bits(method, name):
    solve = partial(minimize_composite, tol=TOL, **options(method, name))
    first = solve(case(name).problem(), rng=7)
    for rng in (7, np.random.default_rng(7)):
        again = solve(case(name).problem(), rng=rng)
        assert again.x.tobytes() == first.x.tobytes()
        assert (again.nit, again.fun) == (first.nit, first.fun)


@each_pair
def test_two_threads_find_the_same(method, name):
    problem = case(name).problem()
    solve = partial(minimize_composite, problem, tol=TOL, rng=7, **options(method, name))
    alone = solve()
    with ThreadPoolExecutor(2) as pool:
        together = [future.result() for future in [pool.submit(solve) for _ in range(4)]]
    for result in together:
        assert result.x.tobytes() == alone.x.tobytes()
        assert result.nit == alone.nit


@each_pair
def test_a_run_within_a_callback(method, name):
    problem = case(name).problem()
    solve = partial(minimize_composite, problem, tol=TOL, rng=7, **options(method, name))
    alone, inner = solve(), []

    def callback(w):
        if not inner:
            inner.append(solve())

    outer = solve(callback=callback)
    for result in (outer, *inner):
        assert result.x.tobytes() == alone.x.tobytes()


@pytest.mark.parametrize("factors", [None, np.r_[0.0, 0.0, np.ones(P - 2)]], ids=["all", "two free"])
@pytest.mark.parametrize("intercept", [False, True])
def test_samples_of_weight_zero_leave_the_gap_finite(factors, intercept):
    X, y = data()
    weights = np.r_[np.zeros(8), np.ones(N - 8)]
    for all_samples, others in (
        (LeastSquares(y, weights), LeastSquares(y[8:])),
        (Logistic(np.sign(y), weights), Logistic(np.sign(y[8:]))),
    ):
        found = minimize_composite(all_samples, L1(1.0, factors), X, intercept=intercept)
        assert found.success
        assert 0.0 <= found.gap <= TOL * found.certificate.gap_scale
        alone = minimize_composite(others, L1(1.0, factors), X[8:], intercept=intercept)
        assert abs(found.fun - alone.fun) <= found.gap + alone.gap + 1e-12


# ---- bad input -------------------------------------------------------------------------------------------


def holed(a, value):
    a = np.array(a)
    a.flat[3] = value
    return a


@dataclass
class Bad:
    """Arguments of a call that must be refused, and what the message must name."""

    change: dict
    names: str
    errors: tuple = field(default=(ValueError, TypeError))


def solve_lasso(**change):
    X, y = data()
    given = {"datafit": LeastSquares(y), "penalty": L1(1.0), "X": X} | change
    return minimize_composite(given.pop("datafit"), given.pop("penalty"), given.pop("X"), **given)


X, Y = data()
CALLS = {
    "NaN in X": Bad({"X": holed(X, np.nan)}, "X"),
    "inf in X": Bad({"X": holed(X, np.inf)}, "X"),
    "NaN in sparse X": Bad({"X": sparse.csc_array(holed(X, np.nan))}, "X"),
    "NaN in CSR X": Bad({"X": sparse.csr_array(holed(X, np.nan))}, "X"),
    "NaN in single X": Bad({"X": holed(X, np.nan).astype(np.float32)}, "X"),
    "complex X": Bad({"X": X + 1j}, "X", (TypeError,)),
    "text X": Bad({"X": [["a"] * P] * N}, "X"),
    "rows of X": Bad({"X": X[:-1]}, "X"),
    "vector X": Bad({"X": X[:, 0]}, "X"),
    "no columns": Bad({"X": X[:, :0]}, "X"),
    "no X": Bad({"X": None, "intercept": True}, "intercept"),
    "offset": Bad({"offset": np.ones(3)}, "offset"),
    "NaN offset": Bad({"offset": holed(Y, np.nan)}, "offset"),
    "shape of w0": Bad({"w0": np.zeros(P + 1)}, "w0"),
    "NaN in w0": Bad({"w0": holed(np.zeros(P), np.nan)}, "w0"),
    "text w0": Bad({"w0": ["a"] * P}, "w0"),
    "complex w0": Bad({"w0": np.zeros(P) + 1j}, "w0", (TypeError,)),
    "NaN b0": Bad({"b0": np.nan, "intercept": True}, "b0"),
    "text b0": Bad({"b0": "a", "intercept": True}, "b0"),
    "shape of b0": Bad({"b0": np.zeros(2), "intercept": True}, "b0"),
    "method": Bad({"method": "bdc"}, "method"),
    "method of no name": Bad({"method": 3}, "method", (TypeError,)),
    "options beside a Method": Bad({"block_size": 3, "method": BlockDescent()}, "block_size", (TypeError,)),
    "option": Bad({"blocksize": 3, "method": "bcd"}, "blocksize", (TypeError,)),
    "option of auto": Bad({"block_size": 3}, "block_size", (TypeError,)),
    "block_size": Bad({"block_size": 0, "method": "bcd"}, "block_size"),
    "partition": Bad({"partition": "blocks", "method": "bcd"}, "partition"),
    "selection": Bad({"selection": "best", "method": "bcd"}, "selection"),
    "update": Bad({"update": "best", "method": "bcd"}, "update"),
    "overlapping blocks": Bad({"partition": [[0, 1], [1, 2]], "method": "bcd"}, "partition"),
    "graph of a lasso": Bad({"method": "forest-cg"}, "forest-cg", (MismatchError,)),
    "tol": Bad({"tol": -1.0}, "tol"),
    "NaN tol": Bad({"tol": np.nan}, "tol"),
    "text tol": Bad({"tol": "small"}, "tol"),
    "max_time": Bad({"max_time": -1.0}, "max_time"),
    "no max_time": Bad({"max_time": None}, "max_time"),
    "max_iterations": Bad({"max_iterations": -1}, "max_iterations"),
    "half max_iterations": Bad({"max_iterations": 1.5}, "max_iterations"),
    "text max_iterations": Bad({"max_iterations": "many"}, "max_iterations"),
    "callback": Bad({"callback": 3}, "callback", (TypeError,)),
    "rng": Bad({"rng": "seed"}, "rng"),
    "datafit": Bad({"datafit": Y}, "datafit", (TypeError,)),
    "penalty": Bad({"penalty": 1.0}, "penalty", (TypeError,)),
    "no penalty": Bad({"penalty": None}, "penalty", (TypeError,)),
    "factors": Bad({"penalty": L1(1.0, factors=np.ones(3))}, "l1|factors"),
    "bounds": Bad({"penalty": Box(np.zeros(3), 1.0)}, "lower"),
    "overlapping groups": Bad({"penalty": GroupLasso(1.0, [range(20), range(10, P)])}, "groups"),
    "missing in groups": Bad({"penalty": GroupLasso(1.0, [range(20)])}, "groups"),
    "groups beyond w": Bad({"penalty": GroupLasso(1.0, [range(P + 1)])}, "groups"),
    "group size": Bad({"penalty": GroupLasso(1.0, 7)}, "groups"),
    "group factors": Bad({"penalty": GroupLasso(1.0, 5, factors=np.ones(3))}, "factors"),
    "slope levels": Bad({"penalty": SLOPE(np.ones(3))}, "lam"),
}


@pytest.mark.parametrize("bad", CALLS.values(), ids=CALLS)
def test_bad_calls_are_refused_by_name(bad):
    with pytest.raises(bad.errors, match=bad.names):
        solve_lasso(**bad.change)


PARTS = {
    "NaN in y": (lambda: LeastSquares(holed(Y, np.nan)), "y"),
    "inf in y": (lambda: Huber(holed(Y, np.inf)), "y"),
    "no samples": (lambda: LeastSquares([]), "y"),
    "text y": (lambda: LeastSquares(["a", "b"]), "y"),
    "three classes": (lambda: Logistic([0, 1, 2]), "y"),
    "mixed labels": (lambda: SquaredHinge([-1, 0, 1]), "y"),
    "half a class": (lambda: Multinomial([0, 1, 0.5]), "y"),
    "negative class": (lambda: Multinomial([0, 1, -1]), "y"),
    "negative counts": (lambda: Poisson([1, -1]), "y"),
    "negative weights": (lambda: LeastSquares(Y, -np.ones(N)), "weights"),
    "NaN weights": (lambda: Logistic(np.sign(Y), holed(np.ones(N), np.nan)), "weights"),
    "weights of other samples": (lambda: LeastSquares(Y, np.ones(3)), "weights"),
    "weights all zero": (lambda: LeastSquares(Y, np.zeros(N)), "weights"),
    "delta": (lambda: Huber(Y, delta=0.0), "delta"),
    "asymmetric A": (lambda: QuadraticForm([[1.0, 2.0], [0.0, 1.0]], [0.0, 0.0]), "A"),
    "shape of A": (lambda: QuadraticForm(np.eye(3), [0.0, 0.0]), "A"),
    "NaN in sparse A": (lambda: QuadraticForm(sparse.csr_array([[np.nan]]), [0.0]), "A"),
    "negative level": (lambda: L1(-1.0), "lam"),
    "NaN level": (lambda: L1(np.nan), "lam"),
    "text level": (lambda: L1("strong"), "lam"),
    "negative ridge": (lambda: ElasticNet(1.0, -1.0), "l2"),
    "negative factors": (lambda: L1(1.0, factors=[-1.0, 1.0]), "factors"),
    "negative group level": (lambda: GroupLasso(-1.0, 5), "lam"),
    "negative l1 of groups": (lambda: SparseGroupLasso(1.0, 5, l1=-1.0), "l1"),
    "empty group": (lambda: GroupLasso(1.0, [[0, 1], []]), "groups"),
    "no groups": (lambda: GroupLasso(1.0, []), "groups"),
    "groups of none": (lambda: GroupLasso(1.0, 0), "groups"),
    "groups of halves": (lambda: GroupLasso(1.0, [[0.5, 1.0]]), "groups"),
    "groups of no kind": (lambda: GroupLasso(1.0, 2.5), "groups"),
    "crossed bounds": (lambda: Box(1.0, 0.0), "lower"),
    "NaN bounds": (lambda: Box(np.nan, 0.0), "lower"),
    "text bounds": (lambda: Box("a", 0.0), "lower"),
    "rising slope levels": (lambda: SLOPE([1.0, 2.0]), "lam"),
}


@pytest.mark.parametrize(("make", "names"), PARTS.values(), ids=PARTS)
def test_bad_parts_are_refused_by_name(make, names):
    with pytest.raises((ValueError, TypeError), match=rf"\b{names}\b"):
        make()


@pytest.mark.parametrize("intercept", [False, True])
def test_constant_columns(intercept):
    """Constant columns, of zeros too, are columns like others; beside an intercept they get nothing."""
    rng = np.random.default_rng(4)
    X = rng.standard_normal((40, 6))
    X[:, 1], X[:, 4] = 3.0, 0.0
    y = X @ np.array([1.0, 0.5, 0.0, -1.0, 0.0, 0.0]) + 0.1 * rng.standard_normal(40)
    result = minimize_composite(LeastSquares(y), L1(1.0), X, intercept=intercept)
    assert result.success
    assert result.x[4] == 0.0
    assert (result.x[1] == 0.0) == intercept
