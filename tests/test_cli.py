"""The command line as a user meets it."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from karush.bench import cases
from karush.cli import main
from karush.cli.compiling import on_compilation
from karush.cli.errors import describe
from karush.cli.problems import interval

OWN = Path(__file__).parent / "bench" / "own_problems.py"


def call(*arguments, code=0):
    outcome = CliRunner().invoke(main, list(arguments))
    assert outcome.exit_code == code, outcome.output
    assert outcome.exception is None or isinstance(outcome.exception, SystemExit)
    return outcome


def fails(*arguments):
    """Message of a call that must fail without a traceback."""
    outcome = CliRunner().invoke(main, list(arguments))
    assert outcome.exit_code in (1, 2), outcome.output
    assert isinstance(outcome.exception, SystemExit)
    return outcome.stderr


# ---- what is mistyped ----


@pytest.mark.parametrize(
    ("arguments", "hint"),
    [
        (["solv"], "Did you mean 'solve'"),
        (["swep", "--suite", "smoke"], "Did you mean 'sweep'"),
        (["problems", "lst"], "Did you mean 'list'"),
        (["xyzzy"], "There are bench, problems, report, solve, sweep"),
        (["solve", "HS71", "--metod", "x"], "--method"),
        (["sweep", "--sute", "x"], "--suite"),
        (["solve", "HS711"], "HS71"),
        (["solve", "hs71x"], "HS71"),
        (["solve", "HS71", "--method", "exct-al"], "Did you mean 'exact-al'"),
        (["solve", "HS71", "-o", "max_iteration=3"], "max_iterations"),
        (["solve", "LUKVLE1", "--set", "N=10"], "Did you mean 'n'"),
        (["solve", "LUKVLE1", "--set", "n=ten"], "positive integer"),
        (["solve", "LUKVLE1", "--set", "n"], "key=value"),
        (["solve", "HS71", "--tol", "-1"], "positive number"),
        (["solve", "HS71", "--max-time", "nan"], "positive number"),
        (["problems", "show", "LUKVLE11x"], "LUKVLE11"),
        (["problems", "list", "-n", "5:1"], "not a range"),
        (["problems", "list", "--constraints", "bound"], "bounds"),
        (["problems", "list", "--collection", "sequences", "-n", "1:5"], "takes no filters"),
        (["problems", "list", "--collection", "bilevel", "-n", "1:5"], "takes no filters"),
        (["problems", "list", "--collection", "hock_schitkowski"], "hock_schittkowski"),
        (["sweep", "--solvers", "SLSQPP"], "Did you mean 'SLSQP'"),
        (["sweep", "--suite", "smoky"], "Did you mean 'smoke'"),
        (["sweep", "--solvers", ","], "no solver given"),
        (["sweep", "--time-limit", "-3"], "time_limit must be a positive"),
        (["sweep", "--workers", "0"], "--workers"),
        (["bench", "oracle"], "Did you mean 'oracles'"),
    ],
)
def test_what_is_mistyped_is_named_with_the_nearest_right_one(arguments, hint, monkeypatch):
    monkeypatch.setattr(cases, "names", lambda: ["oracles", "nlp"])
    message = fails(*arguments)
    assert hint in message
    assert "Traceback" not in message


def test_method_that_cannot_take_the_problem_says_why():
    assert "takes no constraints" in fails("solve", "HS71", "--method", "L-BFGS-B")


def test_unforeseen_error_is_one_line_with_the_way_to_its_traceback():
    assert describe(RuntimeError("deep")) == "RuntimeError: deep (KARUSH_TRACEBACK=1 shows where)"
    assert describe(KeyError("there is no X")) == "there is no X"
    assert describe(FileNotFoundError(2, "No such file", "a")) == "No such file: a"


# ---- problems ----


def test_problems_can_be_listed_and_filtered():
    text = call("problems", "list", "--collection", "boggs_tolle").stdout
    assert "BT1 " in text
    assert "HS71" not in text
    found = json.loads(call("problems", "list", "-n", "10000:", "--json").stdout)
    assert len(found) >= 10
    assert all(entry["n"] >= 10_000 for entry in found)
    free = json.loads(call("problems", "list", "--constraints", "none", "--json").stdout)
    assert free
    assert all(entry["m"] == 0 for entry in free)


def test_bilevel_problems_are_listed_with_their_options():
    found = json.loads(call("problems", "list", "--collection", "bilevel", "--json").stdout)
    assert {"LLC", "SVM"} <= {entry["name"] for entry in found}
    assert next(entry for entry in found if entry["name"] == "LLC")["options"] == {"n": 10}


def test_sequences_are_listed_with_their_options():
    found = json.loads(call("problems", "list", "--collection", "sequences", "--json").stdout)
    heat = next(entry for entry in found if entry["name"] == "HEAT")
    assert heat["options"] == {"side": 99, "length": 5000, "end": 5.0}
    assert "FEM-ELASTICITY" in call("problems", "list", "--collection", "sequences").stdout


def test_problem_is_shown_at_the_sizes_asked_for():
    found = json.loads(call("problems", "show", "LUKVLE1", "--set", "n=50", "--json").stdout)
    assert (found["n"], found["m"], found["sizes"]) == (50, 48, {"n": 50})
    assert "OOR2-AY-4-2" in call("problems", "show", "HS71").stdout


@pytest.mark.parametrize(
    ("text", "pair"), [("3:7", (3, 7)), ("3:", (3, float("inf"))), (":7", (0, 7)), ("5", (5, 5))]
)
def test_ranges(text, pair):
    assert interval(text, "n") == pair


def test_sif_files_of_a_folder(tmp_path):
    path = Path(__file__).parent / "problems" / "sif_folder.py"
    specification = importlib.util.spec_from_file_location("sif_folder", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    folder = str(module.write(tmp_path / "sif files"))
    listed = json.loads(call("problems", "list", "--collection", "sif", "--path", folder, "--json").stdout)
    assert [entry["name"] for entry in listed] == ["sif:BOWL", "sif:LINE"]
    text = call("problems", "show", "sif:bowl", "--path", folder, "--set", "N=4").stdout
    assert "N: 3 by default, or 10, 100" in " ".join(text.split())
    found = json.loads(call("solve", f"{folder}/BOWL.SIF", "-s", "N=4", "--json").stdout)
    assert found["x"] == pytest.approx([2.0] * 4)
    out = ["--out", str(tmp_path / "out"), "--workers", "1", "--no-report"]
    swept = call("sweep", "--suite", f"sif:{folder}", "--solvers", "SLSQP", *out)
    assert "2 jobs, 0 known before. Now: 2 solved" in " ".join(swept.stderr.split())
    assert "is not a folder" in fails("problems", "list", "--collection", "sif", "--path", f"{folder}/x")
    assert "goes with SIF files" in fails("problems", "list", "--path", folder)


# ---- solve ----


def test_solve_shows_iterations_and_the_certificate():
    outcome = call("solve", "HS71")
    assert outcome.stdout.startswith("certified")
    assert "stationarity" in outcome.stdout
    rows = [line for line in outcome.stderr.splitlines() if line.split()[:1] and line.split()[0].isdigit()]
    assert len(rows) >= 5
    assert "17.014" in outcome.stdout


def test_solve_gives_strict_json_alone():
    found = json.loads(call("solve", "HS71", "--json").stdout)
    assert found["success"]
    assert found["objective"] == pytest.approx(17.0140173)
    assert len(found["x"]) == found["n"] == 4
    assert found["certificate"]["error"] <= found["tol"]


def test_solve_with_a_peer_and_its_options():
    found = json.loads(
        call("solve", "HS71", "-m", "slsqp", "-o", "maxiter=100", "--tol", "1e-5", "--json").stdout
    )
    assert found["method"] == "SLSQP"
    assert found["success"]


def test_exit_code_tells_a_missing_certificate():
    outcome = call("solve", "HS71", "--option", "max_iterations=1", "--quiet", code=3)
    assert outcome.stdout.startswith("not certified")


def test_own_problem_is_solved_from_its_file():
    assert "certified" in call("solve", f"{OWN}:good", "-q").stdout
    assert "no such model" in fails("solve", f"{OWN}:unbuildable")


def test_compilation_is_told_once_and_only_when_it_happens():
    import numba

    told = []
    with on_compilation(lambda: told.append(1)):
        pass
    assert told == []
    with on_compilation(lambda: told.append(1)):
        numba.njit(lambda x: x + 1)(3)
    assert told == [1]


# ---- sweep, report, bench ----


def test_sweep_and_report_from_end_to_end(tmp_path):
    out = str(tmp_path / "results")
    suite = f"HS71,{OWN}:good,{OWN}:unbuildable"
    options = ["--suite", suite, "--solvers", "exact-al,SLSQP", "--out", out, "--workers", "1"]
    first = call("sweep", *options, "--time-limit", "30", "--fail-below", "100")
    assert "6 jobs, 0 known" in first.stderr
    assert "--retry" in first.stderr
    assert "100.0 %" in first.stdout
    assert "could not be built" in first.stdout
    assert (tmp_path / "results/report/index.html").is_file()
    again = call("sweep", *options, "--time-limit", "30", "--no-report")
    assert "6 known before. Now: nothing" in again.stderr
    assert "exact-al" in call("report", out).stdout


def test_sweep_fails_below_the_share_asked_for(tmp_path):
    options = [
        "--suite",
        f"{OWN}:raising,{OWN}:good",
        "--solvers",
        "SLSQP",
        "--out",
        str(tmp_path),
        "--workers",
        "1",
    ]
    call("sweep", *options, "--fail-below", "50")
    call("sweep", *options, "--fail-below", "60", code=1)


def test_folders_that_do_not_serve_are_named(tmp_path):
    (tmp_path / "file").write_text("x")
    assert "cannot write to" in fails("sweep", "--suite", "HS71", "--out", str(tmp_path / "file"))
    assert "holds no results" in fails("report", str(tmp_path / "nothing"))
    (tmp_path / "results.sqlite").write_bytes(b"this is no database, but it is long enough " * 100)
    assert "damaged" in fails("report", str(tmp_path))
    assert "damaged" in fails("sweep", "--suite", "HS71", "--out", str(tmp_path))


def case(met):
    def run(quick, progress):
        progress("measuring [n=3]")
        return {
            "environment": {"cores": 2},
            "rows": [{"model": "[a]", "ns": 7.25, "hidden": 1}, {"model": "b", "ns": None}],
            "targets": [{"name": "overhead", "value": 1.5, "target": 2.0, "met": met}],
        }

    return type(sys)("case"), run


@pytest.mark.parametrize("met", [True, False])
def test_bench_prints_targets_and_writes_json(tmp_path, monkeypatch, met):
    module, run = case(met)
    module.run, module.TITLE, module.COLUMNS = run, "A case", ["model", "ns"]
    monkeypatch.setattr(cases, "names", lambda: ["thing"])
    monkeypatch.setattr(cases, "_module", lambda name: module)
    outcome = call("bench", "thing", "--quick", "--json", str(tmp_path / "out.json"), code=0 if met else 1)
    assert ("not met" in outcome.stdout) is not met
    assert "[a]" in outcome.stdout
    assert "hidden" not in outcome.stdout
    assert json.loads((tmp_path / "out.json").read_text())["targets"][0]["met"] is met
    assert "A case" in call("bench").stdout


def test_bench_runs_the_papers_experiments_where_there_are_any(monkeypatch):
    module, run = case(True)
    module.run, module.COLUMNS = run, ["model"]
    asked = []
    monkeypatch.setattr(cases, "names", lambda: ["thing", "thing_paper", "other"])
    monkeypatch.setattr(cases, "_module", lambda name: asked.append(name) or module)
    call("bench", "thing", "--paper")
    assert set(asked) == {"thing_paper"}
    assert "has no paper's experiments" in fails("bench", "other", "--paper")


def test_bench_case_of_the_wrong_form_is_refused(monkeypatch):
    module = type(sys)("case")
    module.run = lambda quick, progress: {"rows": []}
    monkeypatch.setattr(cases, "names", lambda: ["thing"])
    monkeypatch.setattr(cases, "_module", lambda name: module)
    assert "must return a dict" in fails("bench", "thing")


# ---- start-up ----


@pytest.mark.parametrize("arguments", [["--help"], ["sweep", "--help"], ["solv"], ["--version"]])
def test_help_loads_nothing_heavy(arguments):
    code = (
        "import sys; from karush.cli import main\n"
        f"try: main({arguments!r})\n"
        "except SystemExit: pass\n"
        "heavy = {'numpy', 'scipy', 'numba', 'sympy', 'rich', 'sqlite3'} & set(sys.modules)\n"
        "sys.exit(f'loaded: {heavy}' if heavy else 0)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
