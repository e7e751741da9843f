"""Compiled patterns are found again: in the process, on disk by another process, between models."""

import subprocess
import sys

import pytest

from karush.problems.pattern_cache import cache_folder, pattern_of

SCRIPT = """
import numpy as np
from karush.problems import Model
model = Model()
x = model.variables(3, start=1.0)
model.minimize(lambda a, b: (a * b - {constant}) ** 2 + np.exp(a - b), x[:2], x[1:])
problem = model.build()
problem.objective(x0 := problem.x0), problem.gradient(x0), problem.hessian(x0)
pattern = problem._objective.families[0].pattern
print([pattern.loaded_from_disk(kernel) for kernel in ("value", "gradient", "hessian")])
from karush.problems import family_kernels
drivers = (family_kernels.total, family_kernels.total_and_gradient, family_kernels.add_hessian)
print(all(not driver.stats.cache_misses for driver in drivers))
"""


def run(folder, constant=3.25):
    environment = {"KARUSH_CACHE_DIR": str(folder), "PATH": "", "HOME": str(folder)}
    script = SCRIPT.format(constant=constant)
    result = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        env=environment,
        timeout=300,
        check=False,
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.split("\n")


def test_second_process_compiles_nothing(tmp_path):
    first, second = run(tmp_path), run(tmp_path)
    assert first[0] == "[False, False, False]"
    assert second[0] == "[True, True, True]"
    assert second[1] == "True"


def test_folder_that_cannot_be_written_is_replaced(tmp_path, monkeypatch, caplog):
    blocked = tmp_path / "file"
    blocked.write_text("in the way")
    monkeypatch.setenv("KARUSH_CACHE_DIR", str(blocked))
    folder = cache_folder()
    assert folder.is_dir()
    assert tmp_path not in folder.parents
    assert "cannot be written" in caplog.text


def test_equal_patterns_are_one():
    one = pattern_of(lambda a, b: a * b + 1, [0, 1])
    assert pattern_of(lambda u, v: u * v + 1, [0, 1]) is one
    assert pattern_of(lambda u, v: u * v + 1, [0, 0]) is not one


@pytest.mark.parametrize("kernel", ["value", "gradient", "hessian"])
def test_addresses_stay(kernel):
    pattern = pattern_of(lambda a: a**3, [0])
    assert pattern.address(kernel) == pattern.address(kernel) != 0
