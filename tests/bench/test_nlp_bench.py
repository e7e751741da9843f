"""The parts of ``karush bench nlp``: its sets, its own problems, its tables, its runs."""

from pathlib import Path

import numpy as np
import pytest

from karush.bench import peers
from karush.bench.cases import _nlp_problems as problems
from karush.bench.cases import _nlp_sets as sets
from karush.bench.cases import _nlp_tables as tables
from karush.bench.cases import nlp
from karush.bench.cases._nlp_runs import results, solve_all
from karush.bench.jobs import Limits
from karush.bench.outcomes import Outcome
from karush.bench.recording import Recorder
from karush.bench.report.table import arrange
from karush.bench.spec import Spec
from karush.bench.suites import entry_of

OWN = Path(__file__).with_name("own_problems.py")


def row(problem, solver, outcome=Outcome.SOLVED, *, seconds=1.0, objective=1.0, error=1e-9, claimed=1):
    return {
        "problem": problem,
        "parameters": {},
        "solver": solver,
        "options": {},
        "version": "1",
        "outcome": outcome,
        "message": "",
        "n": 2,
        "m": 1,
        "classification": "OOR2-AN-2-1",
        "optimum": None,
        "objective": objective,
        "claimed": claimed,
        "evaluations": 7,
        "solve_time": seconds,
        "time_limit": 10.0,
        "certificate": {"error": error},
        "memory": 200.0,
        "memory_before": 150.0,
    }


@pytest.fixture
def arranged():
    """exact-al solves three, one far slower; IPOPT two, one claim refused; Uno one that nobody else does."""
    unsolved = {"error": 1e-5}
    return arrange(
        [
            row("A", "exact-al", seconds=0.01),
            row("A", "ipopt", seconds=0.02),
            row("A", "uno", Outcome.UNSOLVED, claimed=0, error=0.5),
            row("B", "exact-al", seconds=4.0),
            row("B", "ipopt", seconds=1.0, objective=0.5),
            row("B", "uno", Outcome.KILLED_TIME, claimed=0, error=0.5),
            row("C", "exact-al", seconds=0.01),
            row("C", "ipopt", Outcome.UNSOLVED, **unsolved),
            row("C", "uno", Outcome.UNSOLVED, claimed=0, error=0.5),
            row("D", "exact-al", Outcome.TIME_LIMIT, claimed=0, error=0.5),
            row("D", "ipopt", Outcome.TIME_LIMIT, claimed=0, error=0.5),
            row("D", "uno", seconds=0.1),
        ]
    )


def test_summary_counts_by_the_certificate_and_charges_the_limit(arranged):
    ours, ipopt, uno = tables.summary("set", arranged, 10.0)
    assert [entry["solver"] for entry in (ours, ipopt, uno)] == ["exact-al", "ipopt", "uno"]
    assert [entry["solved"] for entry in (ours, ipopt, uno)] == [3, 2, 1]
    assert [entry["at_best"] for entry in (ours, ipopt, uno)] == [2, 2, 1]
    assert [entry["refused"] for entry in (ours, ipopt, uno)] == [0, 1, 0]
    assert [entry["solved_1e-4"] for entry in (ours, ipopt, uno)] == [3, 3, 1]
    assert [entry["killed"] for entry in (ours, ipopt, uno)] == [0, 0, 1]
    seconds = np.array([0.02, 1.0, 10.0, 10.0])
    assert ipopt["mean_s"] == pytest.approx(np.exp(np.log(seconds + 0.01).mean()) - 0.01)
    assert ours["vs_ipopt"] == pytest.approx(ours["mean_s"] / ipopt["mean_s"])
    # only A: on B the minima differ
    assert ours["both_solved"] == pytest.approx(0.5)
    assert ours["fastest"] == pytest.approx(0.5)
    assert ours["within_10"] == pytest.approx(0.75)


def test_losses_are_failures_where_somebody_succeeds_and_slow_successes(arranged):
    found = tables.losses("set", arranged)
    assert [(loss["loss"], loss["problem"]) for loss in found] == [("slower", "B"), ("unsolved", "D")]
    assert found[1]["solved_by"] == ["uno"]


def test_targets_compare_with_the_best_peer(arranged):
    rows = tables.summary("set", arranged, 10.0)
    solved, claims, seconds = tables.counts_and_time("set", rows)
    assert (solved["value"], solved["target"], solved["met"]) == (3, ">= 2", True)
    assert claims["met"]
    assert seconds["value"] == pytest.approx(rows[0]["vs_ipopt"])
    rows[0]["solved"] = 1
    assert not tables.counts_and_time("set", rows)[0]["met"]


def test_worst_ratio_is_over_what_ipopt_solves(arranged):
    assert tables.worst_ratio(arranged) == (4.0, "B")
    failed = arrange([row("A", "exact-al", Outcome.UNSOLVED, claimed=0), row("A", "ipopt")])
    assert tables.worst_ratio(failed) == (np.inf, "A")


def test_a_single_problem_tells_the_memory_it_added():
    two = arrange([row("A", "exact-al", seconds=0.5), row("A", "ipopt", seconds=2.0)])
    entries = tables.single("A", two, {"ipopt": "IPOPT"})
    assert [entry["solver"] for entry in entries] == ["exact-al", "IPOPT"]
    assert [entry["vs_ipopt"] for entry in entries] == [0.25, 1.0]
    assert entries[0]["added_mb"] == 50.0


def test_a_stratified_sample_is_small_and_of_all_kinds():
    native = sets.native()
    sample = sets.stratified(native, 20)
    assert sample == sets.stratified(native, 20)
    assert len(set(sample)) == 20
    entries = [entry_of(spec)[0] for spec in sample]
    assert all(sum(entry.dimensions) <= sets.LARGEST for entry in entries)
    assert len({entry.classification[1] for entry in entries}) >= 3


def test_sets_of_sif_files_go_by_size_and_know_the_best_values(tmp_path):
    text = "NAME {}\nVARIABLES\n    X\nGROUPS\n N  OBJ  X  1.0\nBOUNDS\n LO BND  X  1.0\nENDATA\n"
    for name in ("LITTLE", "GREAT"):
        (tmp_path / f"{name}.SIF").write_text(text.format(name))
    sizes = '{"name": "LITTLE", "n": 1, "m": 0}\n{"name": "GREAT", "n": 2000, "m": 1}\n'
    (tmp_path / "reference.jsonl").write_text(sizes)
    (tmp_path / "solutions.json").write_text(
        '{"LITTLE": {"soltn": 1}, "GREAT": {"soltn": null}, "MANY": {"soltn": [1.0, 2.0]}}'
    )
    assert [spec.name for spec in sets.sif(tmp_path)] == ["sif:LITTLE"]
    assert sets.best_known(tmp_path) == {"sif:LITTLE": 1.0}
    (tmp_path / "reference.jsonl").unlink()
    assert [spec.name for spec in sets.sif(tmp_path)] == ["sif:GREAT", "sif:LITTLE"]
    assert sets.best_known(None) == {}


@pytest.mark.parametrize("problem", [problems.logistic_dense(12), problems.logistic_sparse(40)], ids=str)
def test_derivatives_of_logistic_regression(problem):
    rng = np.random.default_rng(3)
    x, v, w = rng.standard_normal(problem.n), rng.standard_normal(problem.n), rng.standard_normal(problem.m)
    h = 1e-5
    difference = (problem.objective(x + h * v) - problem.objective(x - h * v)) / (2 * h)
    assert problem.gradient(x) @ v == pytest.approx(difference, rel=1e-7)
    curvature = (problem.gradient(x + h * v) - problem.gradient(x - h * v)) / (2 * h)
    np.testing.assert_allclose(problem.hvp(x, v), curvature, atol=1e-8)
    np.testing.assert_allclose(problem.hvp(x, v, w, 0.0), 0.0)
    diagonal = [problem.hvp(x, e)[k] for k, e in enumerate(np.eye(problem.n))]
    np.testing.assert_allclose(problem.hessian_diagonal(x), diagonal, rtol=1e-12)
    np.testing.assert_allclose(problem.jvp(x, v), problem.jacobian(x) @ v)
    np.testing.assert_allclose(problem.vjp(x, w), problem.jacobian(x).T @ w)
    if problem.capabilities.hessian_matrix:
        np.testing.assert_allclose(problem.hessian(x) @ v, problem.hvp(x, v), atol=1e-14)
    else:
        with pytest.raises(NotImplementedError, match="products only"):
            problem.hessian_structure()


def test_the_control_problem_is_the_collections_without_bounds():
    from karush.problems import get

    own, native = problems.semilinear_control(5), get("SEMILINEARCONTROL2D", n=5)
    x = np.random.default_rng(1).standard_normal(own.n)
    assert own.objective(x) == pytest.approx(native.objective(x))
    np.testing.assert_allclose(own.constraints(x), native.constraints(x))
    assert not np.isfinite(own.lb).any()


def test_runs_go_on_where_they_were(tmp_path):
    chosen = [Spec.of(f"{OWN}:good", {"k": k}) for k in (1, 2)]
    solvers, told = [Spec("SLSQP")], []
    solve_all("set", chosen[:1], solvers, tmp_path, Limits(), told.append, apart=True)
    solve_all("set", chosen, solvers, tmp_path, Limits(), told.append)
    assert told == [
        "set: 1 of 1, SLSQP on own_problems.py:good",
        "set: 2 of 2, SLSQP on own_problems.py:good",
    ]
    found = results(chosen, solvers, tmp_path)
    assert [found.cell(problem, "SLSQP")["outcome"] for problem in found.problems] == [Outcome.SOLVED] * 2
    assert len(results(chosen[:1], solvers, tmp_path).problems) == 1


def test_columns_are_keys_of_the_rows(arranged):
    keys = {
        *tables.summary("set", arranged, 10.0)[0],
        *tables.single("A", arrange([row("A", "ipopt")]), {})[0],
    }
    assert set(nlp.COLUMNS) <= keys


def test_the_sine_transform_preconditions_the_control_problem():
    problem = problems.semilinear_control(12)
    x, y = np.full(problem.n, 0.1), np.zeros(problem.m)
    make = problems.sine_transform(problem)
    P = make(x, y, np.zeros(problem.n), np.zeros(problem.m)) @ np.eye(problem.n + problem.m)
    np.testing.assert_allclose(P, P.T, atol=1e-9)
    H, J = problem.hessian(x, y).toarray(), problem.jacobian(x).toarray()
    K = np.block([[H, J.T], [J, np.zeros((problem.m, problem.m))]])
    # an exact Schur complement gives 1 and (1 +- sqrt 5)/2 only (Murphy, Golub & Wathen, 2000)
    spectrum = np.linalg.eigvals(P @ K).real
    golden = np.array([1.0, (1 + np.sqrt(5)) / 2, (1 - np.sqrt(5)) / 2])
    assert np.abs(spectrum[:, None] - golden).min(axis=1).max() < 0.02


def test_a_preconditioner_can_be_named_by_its_file():
    peer, recorder = peers.get("exact-al"), Recorder(problems.semilinear_control(6))
    answer = peer.solve(recorder, {"preconditioner": f"{sets.OWN}:sine_transform"}, 20.0, 1e-8)
    assert answer.claimed
    assert recorder.counts["hvp"] + recorder.counts["hessian"] > 0
    with pytest.raises(ValueError, match="sine_transfrom"):
        peer.solve(recorder, {"preconditioner": f"{sets.OWN}:sine_transfrom"}, 20.0, 1e-8)


def test_a_stated_best_value_counts_where_somebody_reaches_it(tmp_path):
    good = Spec(f"{OWN}:good")
    solve_all("set", [good], [Spec("SLSQP")], tmp_path, Limits(), lambda text: None)
    solved = results([good], [Spec("SLSQP")], tmp_path)
    (problem,) = solved.problems
    value = solved.cell(problem, "SLSQP")["objective"]
    for stated, best in ((value - 1e-6, value - 1e-6), (value - 1.0, value)):
        found = results([good], [Spec("SLSQP")], tmp_path, {good.name: stated})
        assert found.problems[0].best == pytest.approx(best, abs=1e-9)
