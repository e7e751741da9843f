"""Paths several levels ahead of their certificates: the same solutions, fewer passes, nothing lost."""

import numpy as np
import pytest
from scipy import sparse

import karush
from karush import Status
from karush.problems.composite import L1, CompositeProblem, GroupLasso, LeastSquares, Logistic
from karush.problems.composite.design import RememberedDesign, design_of
from karush.solvers.composite.driver import TimeUp
from karush.solvers.composite.working_set import WorkingSet

STORAGES = {
    "F": np.asfortranarray,
    "C": np.ascontiguousarray,
    "float32": lambda X: np.asfortranarray(X, dtype=np.float32),
    "csc": sparse.csc_array,
}


def data(n=50, p=80):
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, p))
    return X, X[:, :4] @ [1.0, -1.0, 2.0, 0.5] + rng.standard_normal(n)


@pytest.mark.parametrize("storage", STORAGES)
def test_several_products_in_one_pass_are_those_of_several_passes(storage):
    rng = np.random.default_rng(1)
    design = design_of(STORAGES[storage](rng.standard_normal((30, 7))), 30)
    vectors = list(rng.standard_normal((5, 30)))
    for product, v in zip(design.adjoints(vectors), vectors, strict=True):
        np.testing.assert_allclose(product, design.adjoint(v), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n", [30, 90_000], ids=["many at a time", "one by one"])
@pytest.mark.parametrize("storage", STORAGES)
def test_gram_blocks_are_blocks_of_the_gram_matrix(storage, n, weighted):
    rng = np.random.default_rng(2)
    design = design_of(STORAGES[storage](rng.standard_normal((n, 9))), n)
    weights = rng.random(n) if weighted else None
    groups = np.array([[4, 0, 7], [1, 8, 2]])
    for block, columns in zip(design.gram_blocks(groups, weights), groups, strict=True):
        np.testing.assert_allclose(block, design.gram_rows(columns, 0, weights), rtol=1e-9, atol=1e-9 * n)


def test_a_remembered_product_is_handed_out_once_and_others_take_a_pass(monkeypatch):
    rng = np.random.default_rng(3)
    X = rng.standard_normal((20, 6))
    design, v = design_of(X, 20), rng.standard_normal(20)
    remembered = RememberedDesign(design, [v, 2 * v])
    passes = []
    adjoint = design.adjoint
    monkeypatch.setattr(design, "adjoint", lambda u: passes.append(1) or adjoint(u))
    for u, count in ((2 * v, 0), (v, 0), (v, 1), (np.nextafter(v, np.inf), 2)):
        np.testing.assert_allclose(remembered.adjoint(u), X.T @ u, rtol=1e-12, atol=1e-12)
        assert len(passes) == count


@pytest.mark.parametrize("penalty", [L1(1.0), GroupLasso(1.0, 4)], ids=["l1", "group"])
@pytest.mark.parametrize("fit", ["squares", "logistic"])
@pytest.mark.parametrize("storage", STORAGES)
def test_a_path_has_the_solutions_of_its_problems(penalty, fit, storage):
    X, y = data()
    datafit = LeastSquares(y) if fit == "squares" else Logistic(np.sign(y))
    problem = CompositeProblem(datafit, penalty, STORAGES[storage](X))
    path = karush.composite_path(problem, count=12, ratio=0.05, tol=1e-9)
    assert path.success.all()
    assert (path.nit >= 0).all()
    for i, lam in enumerate(path.lambdas):
        alone = karush.minimize_composite(problem.with_penalty(penalty.scaled(lam)), tol=1e-9)
        assert abs(path.objectives[i] - alone.fun) <= 2e-9 * alone.certificate.gap_scale


@pytest.mark.parametrize("storage", ["F", "csc"])
def test_certificates_of_several_levels_share_a_pass(monkeypatch, storage):
    X, y = data(100, 400)
    problem = CompositeProblem(LeastSquares(y), L1(1.0), STORAGES[storage](X))
    passes = []
    adjoint = problem.design.adjoint
    monkeypatch.setattr(problem.design, "adjoint", lambda v: passes.append(1) or adjoint(v))
    path = karush.composite_path(problem, count=40, ratio=0.1)
    assert path.success.all()
    assert len(passes) < 20


def test_what_was_not_solved_ahead_is_solved_again(monkeypatch):
    X, y = data()
    asked = []

    def ahead(method, run, state, pool):
        asked.append(1)
        return state, state.gradient, pool

    monkeypatch.setattr(WorkingSet, "ahead", ahead)
    path = karush.composite_path(LeastSquares(y), L1(1.0), X, count=12, ratio=0.05, tol=1e-9)
    assert asked
    assert path.success.all()


def test_an_interrupt_ahead_of_the_certificates_loses_none_of_what_they_have_seen(monkeypatch):
    def ahead(method, run, state, pool):
        raise KeyboardInterrupt

    monkeypatch.setattr(WorkingSet, "ahead", ahead)
    X, y = data()
    path = karush.composite_path(LeastSquares(y), L1(1.0), X, count=12)
    assert path.status is Status.INTERRUPTED
    assert path.success.all()
    assert 0 < path.lambdas.size < 12


def test_levels_solved_before_time_is_up_are_kept(monkeypatch):
    whole, calls = WorkingSet.ahead, []

    def ahead(method, run, state, pool):
        calls.append(1)
        if len(calls) == 2:
            raise TimeUp
        return whole(method, run, state, pool)

    monkeypatch.setattr(WorkingSet, "ahead", ahead)
    X, y = data()
    path = karush.composite_path(LeastSquares(y), L1(1.0), X, count=12)
    assert path.success.all()
    assert path.lambdas.size == 12
