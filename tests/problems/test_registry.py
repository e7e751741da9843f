"""The registry: names, selections, sizes, sources."""

import subprocess
import sys

import numpy as np
import pytest

from karush import problems
from karush.problems import registry


def test_collection_is_large_and_described():
    entries = problems.select()
    assert len(entries) >= 120
    for entry in entries:
        assert entry.classification, entry.name
        assert entry.source, entry.name
        assert entry.summary, entry.name
    assert [e.name for e in entries if e.name in ("HS6", "HS10", "HS100")] == ["HS6", "HS10", "HS100"]


def test_dimensions_without_building_are_those_of_the_problem():
    for name in ("HS71", "LUKVLE1", "ORTHREGB", "ROSENBR"):
        entry, problem = problems.find(name), problems.get(name)
        assert entry.dimensions == (problem.n, problem.m)
        assert problem.classification == entry.classification


def test_sizes_are_keywords():
    assert problems.get("lukvle1", n=20).n == 20
    assert problems.find("LUKVLE1").sizes == {"n": 10_000}


@pytest.mark.parametrize(
    ("name", "sizes", "error", "message"),
    [
        ("HS7l", {}, KeyError, "HS7"),
        ("s2mp:HS71", {}, KeyError, "s2mpj"),
        ("LUKVLE1", {"N": 5}, TypeError, r"no size 'N' \(did you mean n\?\); it takes n=10000"),
        ("LUKVLE1", {"n": 5.0}, TypeError, "must be an int"),
        ("LUKVLE1", {"n": True}, TypeError, "must be an int"),
        ("LUKVLE1", {"n": 0}, ValueError, "must be positive"),
        ("HS71", {"n": 5}, TypeError, "it takes no sizes"),
        (71, {}, TypeError, "name must be a str"),
    ],
)
def test_wrong_names_and_sizes_are_explained(name, sizes, error, message):
    with pytest.raises(error, match=message):
        problems.get(name, **sizes)


def test_selection_by_kind_size_and_classification():
    for entry in problems.select(constraints="none", n=(2, 10)):
        problem = entry.build()
        assert problem.m == 0
        assert not np.isfinite([problem.lb, problem.ub]).any()
        assert 2 <= problem.n <= 10
    names = {e.name for e in problems.select(classification="OOR2-*", collection="hock_schittkowski")}
    assert "HS71" in names
    assert all(e.classification.startswith("OOR2-") for e in problems.select(classification="OOR2-*"))
    both = problems.select(constraints=["bounds", "equalities"])
    assert both
    assert all(e.constraint_kinds == {"bounds", "equalities"} for e in both)


def test_wrong_selections_are_explained():
    with pytest.raises(ValueError, match="equalities"):
        problems.select(constraints="equality")
    with pytest.raises(KeyError, match="hock_schittkowski"):
        problems.select(collection="hock_schitkowski")


def test_registering_a_problem_of_one_s_own(monkeypatch):
    monkeypatch.setattr(registry, "_native", dict(registry._loaded_native()))

    @problems.register(classification="SUR2-AN-V-0", optimum=lambda n: 0.0, source="here", name="BOWL")
    def bowl(model, n=3):
        """A bowl."""
        model.minimize(lambda a: a**2, model.variables(n, start=1.0))

    problem = problems.get("BOWL", n=7)
    assert (problem.n, problem.objective(problem.x0), problem.optimum) == (7, 7.0, 0.0)
    assert problems.find("bowl").summary == "A bowl."
    with pytest.raises(ValueError, match="registered already"):

        @problems.register(classification="SUR2-AN-V-0", name="BOWL")
        def other(model):
            """Another."""


def test_optimum_belongs_to_its_size():
    entry = next(
        e
        for e in problems.select()
        if not callable(e.best) and e.best is not None and e.sizes.get("n", 0) > 50
    )
    assert entry.build().optimum == entry.optimum
    assert entry.build(n=entry.sizes["n"] * 2).optimum is None


def test_plug_ins_are_found(tmp_path):
    package = tmp_path / "bowls.py"
    package.write_text(
        "from karush.problems import register\n"
        "@register(classification='SUR2-AN-1-0', source='plug-in')\n"
        "def plugged(model):\n"
        "    '''A plug-in.'''\n"
        "    model.minimize(lambda a: a**2, model.variables())\n"
    )
    info = tmp_path / "bowls-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: bowls\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[karush.problems]\nbowls = bowls\n")
    path = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
    script = path + "from karush import problems\nprint(problems.find('PLUGGED').source)"
    result = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=False)
    assert result.stdout.strip() == "plug-in", result.stderr
