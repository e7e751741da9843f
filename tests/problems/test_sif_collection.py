"""Folders of SIF files as a collection of the registry, and pycutest as another."""

import importlib.util
import sys
from pathlib import Path

import numpy as np
import pytest

from karush import problems
from karush.problems.sif.collection import SIFCollection


def load(name):
    specification = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


@pytest.fixture
def folder(tmp_path):
    return load("sif_folder").write(tmp_path / "sif files")


def test_folder_is_listed_by_heads_alone(folder, monkeypatch, caplog):
    monkeypatch.setattr("karush.problems.sif.reader.read_structure", None)
    with caplog.at_level("WARNING", logger="karush.problems"):
        entries = problems.select(collection="sif", path=folder)
    assert [entry.name for entry in entries] == ["sif:BOWL", "sif:LINE"]
    assert "BROKEN.SIF is left out" in caplog.text
    bowl, line = entries
    assert (bowl.classification, bowl.dimensions, bowl.sizes) == ("SUR2-AN-V-0", (0, 0), {"N": 3})
    assert bowl.adjustable[0].alternatives == (10, 100)
    assert (line.dimensions, line.constraint_kinds) == ((2, 1), {"equalities", "inequalities"})
    assert bowl.constraint_kinds == {"none"}


def test_selection(folder):
    assert [e.name for e in problems.select(collection="sif", path=folder, n=(2, 2))] == ["sif:LINE"]
    found = problems.select(collection="sif", path=folder, classification="SU*", constraints="none")
    assert [e.name for e in found] == ["sif:BOWL"]


def test_problems_are_built_with_their_parameters(folder, monkeypatch):
    problem = problems.get("sif:bowl", path=folder, N=7)
    assert (problem.n, problem.m) == (7, 0)
    assert problem.objective(np.zeros(7)) == 28.0
    monkeypatch.setenv("MASTSIF", str(folder))
    assert problems.get("sif:LINE").m == 1
    assert problems.get("sif:BOWL").n == 3
    assert problems.find("sif:BOWL").folder == folder


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda path: problems.get("sif:BOW", path=path), KeyError, "in the folder .*did you mean sif:BOWL"),
        (lambda path: problems.get("sif:BOWL", path=path / "x"), ValueError, "x', which is not a folder"),
        (lambda path: problems.get("sif:BOWL"), ValueError, "path=.*MASTSIF"),
        (lambda path: problems.get("sif:BOWL", path=path, K=3), ValueError, "K"),
        (lambda path: problems.get("sif:BROKEN", path=path), ValueError, "BROKEN.SIF"),
        (lambda path: problems.get("HS71", path=path), ValueError, "goes with SIF files"),
        (lambda path: problems.select(path=path), ValueError, "goes with SIF files"),
        (lambda path: problems.select(collection="boggs_tolle", path=path), ValueError, "goes with SIF"),
    ],
)
def test_what_is_wrong_is_said(folder, monkeypatch, call, error, message):
    monkeypatch.delenv("MASTSIF", raising=False)
    with pytest.raises(error, match=message):
        call(folder)


def test_environment_variable_is_named_where_it_is_wrong(monkeypatch):
    monkeypatch.setenv("MASTSIF", "/no/such folder")
    with pytest.raises(ValueError, match="MASTSIF is '/no/such folder', which is not a folder"):
        SIFCollection()


def test_pycutest_is_a_source(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycutest", load("pycutest_stand_in"))
    names = [entry.name for entry in problems.select(collection="cutest", constraints="none")]
    assert names == ["cutest:ROSENBR"]
    entry = problems.find("cutest:hs71")
    assert (entry.classification, entry.dimensions) == ("OOR2-AY-4-2", (4, 2))
    assert problems.get("cutest:HS71").m == 2
    assert problems.get("cutest:LUKVLE1", n=20).n == 20
