"""`import karush` loads nothing heavy, and its public names arrive when used."""

import json
import subprocess
import sys

import pytest

import karush

HEAVY = ("numba", "sympy", "matplotlib", "cvxpy", "llvmlite", "pandas", "rich", "feral")


def modules_after(code):
    """Names in sys.modules of a fresh interpreter after running `code`."""
    script = f"{code}\nimport json, sys\nprint(json.dumps(sorted(sys.modules)))"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=True
    )
    return set(json.loads(done.stdout.splitlines()[-1]))


def test_importing_karush_loads_not_even_numpy():
    loaded = modules_after("import karush")
    assert "karush" in loaded
    assert not loaded & {*HEAVY, "numpy", "scipy"}


def test_minimize_is_at_hand_without_compilers_and_plots():
    loaded = modules_after(
        "import karush; karush.minimize; karush.scipy_method; karush.Status; karush.certify"
    )
    assert "scipy" in loaded
    assert not loaded & set(HEAVY)


def test_every_public_name_exists():
    code = """
import karush
for name in karush.__all__:
    getattr(karush, name)
assert set(dir(karush)) >= set(karush.__all__)
"""
    assert "karush.solvers.minimize" in modules_after(code)


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="minimise"):
        karush.minimise  # noqa: B018
