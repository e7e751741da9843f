"""Every native problem's oracles agree with complex steps taken outside the compiled drivers."""

import numpy as np
import pytest

from karush.problems import NLP, find, select

# Larger problems are checked at a smaller size: patterns and drivers are the same at any.
_LARGE = 3000


def _built(entry) -> NLP:
    if max(entry.dimensions) <= _LARGE:
        return entry.build()
    for size in (60, 64, 61, 16, 10, 6, 5):
        sizes = {k: size for k, default in entry.sizes.items() if isinstance(default, int) and default > size}
        try:
            return entry.build(**sizes)
        except ValueError:
            continue  # some problems take multiples or squares only
    return entry.build()


@pytest.mark.parametrize("name", [entry.name for entry in select()])
def test_oracles_agree_with_complex_steps(name, derivative_errors):
    rng = np.random.default_rng(20)
    problem = _built(find(name))
    x = problem.x0 + 1e-3 * (1 + np.arange(problem.n) % 7)
    errors = derivative_errors(problem, x, rng)
    assert np.isfinite(problem.objective(x)), f"{name} is not finite near its start"
    wrong = {oracle: error for oracle, error in errors.items() if not error <= 1e-9}
    assert not wrong, f"{name} at n={problem.n}, m={problem.m}"
