"""Orders of convergence, measured as slopes on a log-log plot by the functions that draw it for docs/."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

import karush
from karush.solvers.nonlinear import matrix_free

FILE = Path(__file__).parents[3] / "docs" / "exact_augmented_lagrangian_pictures.py"


@pytest.fixture(scope="module")
def pictures():
    specification = importlib.util.spec_from_file_location("exact_augmented_lagrangian_pictures", FILE)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def problem_of(name, pictures):
    if name == "spring chain":
        return pictures.spring_chain(300)
    sizes = {"ORTHREGC": {"points": 50}, "LUKVLE6": {"n": 199}}
    return karush.problems.get(name, **sizes.get(name, {"n": 200}))


def measured(name, rule, pictures):
    rule = pictures.RULES[rule]
    norms, _ = pictures.residuals(problem_of(name, pictures), rule)
    assert norms[-1] < 10 * pictures.ROUNDING  # the run has gone through the whole range
    return pictures.order(norms, rule.start)


@pytest.mark.parametrize("name", ["spring chain", "ORTHREGC", "BROYDN7D", "CRAGGLVY"])
def test_the_rule_in_use_is_superlinear(name, pictures):
    assert measured(name, "superlinear", pictures) >= 1.4


@pytest.mark.parametrize("name", ["spring chain", "ORTHREGC", "BROYDN7D", "CRAGGLVY"])
def test_a_constant_accuracy_is_linear(name, pictures):
    assert measured(name, "constant", pictures) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("name", ["spring chain", "ORTHREGC", "BROYDN7D", "CRAGGLVY"])
def test_an_accuracy_proportional_to_the_error_is_quadratic(name, pictures):
    assert measured(name, "quadratic", pictures) == pytest.approx(2.0, abs=0.2)


@pytest.mark.parametrize("name", ["spring chain", "LUKVLE6", "LUKVLE9", "ORTHREGC"])
def test_exact_directions_are_quadratic(name, pictures):
    assert measured(name, "exact", pictures) == pytest.approx(2.0, abs=0.2)


def test_the_rule_called_superlinear_is_the_one_in_use(pictures):
    theta = pictures.RULES["superlinear"].theta
    for b in np.logspace(-12, 3, 16):
        assert theta(b) == pytest.approx(matrix_free.forcing(b))


@pytest.mark.parametrize("exponent", [1.0, 1.5, 2.0])
def test_slopes_of_made_up_residuals(exponent, pictures):
    norms = [5.0, 0.05]
    while norms[-1] > 1e-14:
        norms.append(0.5 * norms[-1] ** exponent)
    assert pictures.order(np.array(norms), 0.1) == pytest.approx(exponent)
