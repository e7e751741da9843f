"""Failed factorisations: every row of the table of repairs, by solvers that fail as it says."""

import numpy as np
import pytest

import karush
from karush.problems.evaluator import Evaluator
from karush.solvers.nonlinear import repairs
from karush.solvers.nonlinear.form import SlackForm
from karush.solvers.nonlinear.kkt import Inertia, alternative
from karush.solvers.nonlinear.kkt.dense import DenseKKT
from karush.solvers.nonlinear.kkt.select import SparseUntilFull
from karush.solvers.nonlinear.kkt.sparse import SparseKKT
from karush.solvers.nonlinear.newton import NewtonSystem, RegularisationRule
from karush.solvers.nonlinear.repairs import REPAIRS, Symptom, described

from ..small_problems import Dense

N = 3


def system_of(solver, H, J):
    """A Newton system with this Hessian and this Jacobian, loaded."""
    problem = Dense(
        np.zeros(N),
        lambda x: 0.5 * x @ H @ x,
        lambda x: H @ x,
        lambda x: H,
        c=lambda x: J @ x,
        jac=lambda x: J,
        hc=lambda x: [np.zeros((N, N))] * J.shape[0],
        cl=np.ones(J.shape[0]),
        cu=np.ones(J.shape[0]),
    )
    form = SlackForm(Evaluator(problem), scale=False)
    system = NewtonSystem(form, solver(form.pattern), RegularisationRule())
    point = form.evaluate(np.ones(N))
    assert form.differentiate(point)
    system.load(point, form.hessian(point, np.zeros(J.shape[0])))
    return system


CONVEX, SADDLE = np.diag([1.0, 2.0, 3.0]), np.diag([1.0, -2.0, 3.0])
ROW, TWICE = np.array([[1.0, 0.0, 1.0]]), np.array([[1.0, 0.0, 1.0], [2.0, 0.0, 2.0]])
SIGMA = np.zeros(N)


class Fragile(SparseKKT):
    """Gives up until it is given another ordering."""

    ordered = 0

    def factor(self, primal, dual):
        return super().factor(primal, dual) if self.ordered else Inertia(0, 0, self.pattern.order)

    def reorder(self):
        self.ordered += 1
        return super().reorder()


class Broken(SparseKKT):
    """Gives up whatever the ordering."""

    def factor(self, primal, dual):
        return Inertia(0, 0, self.pattern.order)


class Inaccurate(DenseKKT):
    """Solves nothing accurately."""

    def solve(self, rhs):
        return super().solve(rhs)[0], 1.0


class InaccurateAtFirst(DenseKKT):
    """Solves accurately what is regularised well."""

    def factor(self, primal, dual):
        self.least = float(primal.min())
        return super().factor(primal, dual)

    def solve(self, rhs):
        solution, residual = super().solve(rhs)
        return solution, residual if self.least > 1e-6 else 1.0


def test_nothing_is_repaired_that_is_not_broken():
    system = system_of(DenseKKT, CONVEX, ROW)
    assert system.regularise(SIGMA, 1.0)
    assert (system.delta_w, system.delta_c, system.factorisations) == (0.0, 0.0, 1)
    assert not system.repairs


@pytest.mark.parametrize("symptom", [symptom for symptom in Symptom if symptom is not Symptom.NOT_FINITE])
def test_every_symptom_has_a_repair_but_numbers_that_are_none(symptom):
    assert any(symptom in entry.against for entry in REPAIRS)


@pytest.mark.parametrize("solver", [DenseKKT, SparseKKT])
def test_dependent_rows_get_a_diagonal(solver):
    system = system_of(solver, CONVEX, TWICE)
    assert system.regularise(SIGMA, 1.0)
    assert system.delta_c > 0.0
    assert system.delta_w == 0.0
    assert system.repairs == {"delta_c": 1}


@pytest.mark.parametrize("solver", [DenseKKT, SparseKKT])
def test_negative_curvature_gets_a_diagonal_large_enough(solver):
    system = system_of(solver, SADDLE, ROW)
    assert system.regularise(SIGMA, 1.0)
    assert system.delta_w > 2.0
    assert system.delta_c == 0.0
    assert set(system.repairs) == {"delta_w"}
    assert system.factorisations == 1 + system.repairs["delta_w"]


def test_the_diagonal_has_an_end():
    system = system_of(DenseKKT, -1e45 * CONVEX, ROW)
    assert not system.regularise(SIGMA, 1.0)
    assert system.factorisations <= 101


def test_a_broken_factorisation_is_tried_with_another_ordering():
    system = system_of(Fragile, CONVEX, ROW)
    assert system.regularise(SIGMA, 1.0)
    assert system.repairs == {"delta_c": 1, "other ordering": 1}
    assert system.kkt.ordered == 1


def test_and_by_another_backend_after_that():
    system = system_of(Broken, CONVEX, ROW)
    assert system.regularise(SIGMA, 1.0)
    assert isinstance(system.kkt, DenseKKT)
    assert list(system.repairs) == ["delta_c", "other ordering", "other backend"]
    # It stays, and is right from the start the next time.
    assert system.regularise(SIGMA, 1.0)
    assert (system.delta_w, system.delta_c) == (0.0, 0.0)


def test_a_backend_is_changed_once_in_a_run(monkeypatch):
    made = []

    def another(solver):
        made.append(solver)
        return Broken(solver.pattern)

    monkeypatch.setattr(repairs, "alternative", another)
    system = system_of(Broken, CONVEX, ROW)
    assert not system.regularise(SIGMA, 1.0)
    assert not system.regularise(SIGMA, 1.0)
    assert len(made) == 1
    assert system.used_in_run == {"other ordering": 1, "other backend": 1}


def test_an_inaccurate_solution_gets_more_of_the_diagonal():
    system = system_of(InaccurateAtFirst, CONVEX, ROW)
    system.kkt.least = 0.0
    assert system.regularise(SIGMA, 1.0)
    system.kkt.least = 0.0
    assert system.solve(np.ones(N), np.ones(1))[2] == 1.0
    deltas = []
    while system.solve(np.ones(N), np.ones(1))[2] > 1e-5 and len(deltas) < 20:
        assert system.resolve(SIGMA)
        deltas.append(system.delta_w)
        system.kkt.least = system.delta_w
    assert deltas == sorted(deltas)
    assert deltas[0] == 1e-8
    assert system.repairs == {"more delta_w": len(deltas)}


def test_one_that_remains_inaccurate_gets_another_backend_and_then_none():
    system = system_of(Inaccurate, CONVEX, ROW)
    assert system.regularise(SIGMA, 1.0)
    tried = 0
    while isinstance(system.kkt, Inaccurate):
        assert system.resolve(SIGMA)
        tried += 1
    assert system.repairs == {"more delta_w": 7, "other backend": 1}
    assert tried == 8
    assert system.solve(np.ones(N), np.ones(1))[2] < 1e-12
    assert not system.resolve(SIGMA)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize("solver", [DenseKKT, SparseKKT])
def test_numbers_that_are_none_are_beyond_repair(solver, bad):
    system = system_of(solver, CONVEX, ROW)
    assert not system.regularise(np.array([bad, 0.0, 0.0]), 1.0)
    assert system.factorisations == 1
    assert not system.repairs


def test_a_zero_matrix_is_singular_and_not_broken():
    system = system_of(DenseKKT, np.zeros((N, N)), np.zeros((0, N)))
    assert system.regularise(SIGMA, 1.0)
    assert system.repairs == {"delta_w": 1}
    assert isinstance(system.kkt, DenseKKT)


def test_the_other_ordering_solves_the_same_system():
    system = system_of(SparseKKT, CONVEX, ROW)
    assert system.regularise(SIGMA, 1.0)
    before = system.solve(np.ones(N), np.ones(1))
    for _ in range(2):  # there and back
        assert system.kkt.reorder()
        assert system.regularise(SIGMA, 1.0)
        after = system.solve(np.ones(N), np.ones(1))
        assert after[0] == pytest.approx(before[0], abs=1e-14)
        assert after[1] == pytest.approx(before[1], abs=1e-14)


def test_alternatives():
    pattern = system_of(DenseKKT, CONVEX, ROW).kkt.pattern
    assert isinstance(alternative(DenseKKT(pattern)), SparseKKT)
    assert isinstance(alternative(SparseKKT(pattern)), DenseKKT)
    filled = SparseUntilFull(pattern)
    assert isinstance(alternative(filled), DenseKKT)
    assert filled.reorder()
    filled.inner = DenseKKT(pattern)
    assert isinstance(alternative(filled), SparseKKT)
    assert not filled.reorder()
    assert alternative(object()) is None


def test_the_repairs_stand_in_the_history():
    saddle = Dense(
        [0.1, 0.1],
        lambda x: 0.25 * (x**4).sum() - 0.5 * x @ x,
        lambda x: x**3 - x,
        lambda x: np.diag(3.0 * x**2 - 1.0),
    )
    result = karush.minimize(saddle)
    assert result.success
    said = [entry["repairs"] for entry in result.history]
    assert any(words.startswith("delta_w") for words in said)
    assert said[-1] == ""


def test_a_run_survives_a_broken_backend(monkeypatch):
    chosen = "karush.solvers.nonlinear.linear_algebra.kkt_solver"
    monkeypatch.setattr(chosen, lambda pattern, choice: Broken(pattern))
    result = karush.minimize("HS71")
    assert result.success
    said = [entry["repairs"] for entry in result.history if entry["repairs"]]
    assert "other backend" in said[0]
    assert not any("other" in words for words in said[1:])


def test_words():
    assert described({"delta_c": 1, "delta_w": 3}) == "delta_c, delta_w x3"
    assert described({}) == ""
