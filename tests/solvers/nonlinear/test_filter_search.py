"""The filter line search: its rules at the ends of what numbers can hold."""

import math

import numpy as np
import pytest

from karush.solvers.nonlinear.search import FilterRule, FilterSearch, _Judge


@pytest.mark.parametrize("slope", [-1e200, -1e-200, -1.0, 0.0, 1.0])
@pytest.mark.parametrize("theta", [0.0, 1e-12, 1e300])
def test_smallest_step_for_any_slope(slope, theta):
    """Slopes are raised to a power: Python's own overflows with an exception."""
    rule = FilterRule()
    with np.errstate(all="ignore"):  # as within a run
        step = _Judge(FilterSearch(rule), theta, 0.0, slope).smallest_step()
    assert math.isfinite(step)
    assert 0.0 < step <= rule.alpha_min_factor * rule.gamma_theta
