"""The pycutest adapter against a stand-in with pycutest's interface, and against the real one where it is."""

import importlib.util
import pickle
import sys
from pathlib import Path

import numpy as np
import pytest

import karush
from karush import problems
from karush.problems.from_pycutest import from_pycutest

SPECIFICATION = importlib.util.spec_from_file_location(
    "pycutest_stand_in", Path(__file__).with_name("pycutest_stand_in.py")
)
pycutest_stand_in = importlib.util.module_from_spec(SPECIFICATION)
SPECIFICATION.loader.exec_module(pycutest_stand_in)

# bounds and both kinds of constraints; unconstrained; fixed variables; many variables, equalities
SAMPLE = {"HS71": {}, "ROSENBR": {}, "HS118": {}, "LUKVLE1": {"n": 30}, "HS99": {}}


@pytest.fixture
def stand_in(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycutest", pycutest_stand_in)


@pytest.mark.parametrize("name", SAMPLE)
def test_oracles_are_those_of_the_problem(name, stand_in):
    problem, expected = from_pycutest(name, sifParams=SAMPLE[name]), problems.get(name, **SAMPLE[name])
    rng = np.random.default_rng(0)
    x = expected.x0 + 0.1 * rng.standard_normal(expected.n)
    v, w = rng.standard_normal(problem.n), rng.standard_normal(problem.m)
    for key in ("n", "m", "x0", "lb", "ub", "cl", "cu", "y0"):
        np.testing.assert_array_equal(getattr(problem, key), getattr(expected, key))
    assert problem.objective(x) == expected.objective(x)
    np.testing.assert_array_equal(problem.gradient(x), expected.gradient(x))
    np.testing.assert_array_equal(problem.constraints(x), expected.constraints(x))
    np.testing.assert_allclose(problem.jvp(x, v), expected.jvp(x, v))
    np.testing.assert_allclose(problem.vjp(x, w), expected.vjp(x, w))
    for pattern in ("jacobian_structure", "hessian_structure"):
        for mine, theirs in zip(getattr(problem, pattern)(), getattr(expected, pattern)(), strict=True):
            np.testing.assert_array_equal(mine, theirs)
    np.testing.assert_array_equal(problem.jacobian_values(x), expected.jacobian_values(x))


@pytest.mark.parametrize("name", ["HS71", "ROSENBR"])
@pytest.mark.parametrize("sigma", [1.0, 0.3, -2.0, 1e-12, 0.0])
@pytest.mark.parametrize("with_y", [True, False])
def test_every_weight_of_the_objective(name, sigma, with_y, stand_in):
    problem, expected = from_pycutest(name), problems.get(name)
    x = expected.x0 + 0.1
    y = np.array([0.5, -1.5]) if with_y and problem.m else None
    wanted = expected.hessian_values(x, y, sigma)
    np.testing.assert_allclose(problem.hessian_values(x, y, sigma), wanted, rtol=1e-12, atol=1e-12)
    v = np.arange(1.0, 1.0 + problem.n)
    np.testing.assert_allclose(
        problem.hvp(x, v, y, sigma), expected.hvp(x, v, y, sigma), rtol=1e-12, atol=1e-12
    )


def test_patterns_hold_what_vanishes_at_a_point(stand_in):
    problem = from_pycutest("HS71")
    values = problem.jacobian_values(np.zeros(4))  # the product of four has no gradient here
    assert values.size == problem.jacobian_structure()[1].size == 8
    assert not values.any()


def test_entry_outside_the_pattern_is_an_error(stand_in):
    problem = from_pycutest("HS71")
    problem.jacobian_structure()
    problem._jacobian_keys = problem._jacobian_keys[1:]
    with pytest.raises(RuntimeError, match="not in its pattern"):
        problem.jacobian_values(problem.x0)


def test_problem_object_is_taken_as_it_is(stand_in):
    model = karush.Model("fixed")
    a = model.variables(3, start=1.0, lower=[0, 2, 0], upper=[5, 2, 5])
    model.minimize(lambda u, v: (u * v - 1) ** 2, a[:2], a[1:])
    native = model.build()
    hidden = from_pycutest(pycutest_stand_in.CUTEstProblem(native))
    kept = from_pycutest(pycutest_stand_in.CUTEstProblem(native, drop_fixed_variables=False))
    assert (hidden.n, kept.n) == (2, 3)
    x = np.array([0.7, 0.4])
    assert hidden.objective(x) == kept.objective(np.array([0.7, 2.0, 0.4]))
    np.testing.assert_array_equal(
        hidden.hessian(x).toarray(), kept.hessian(np.array([0.7, 2.0, 0.4])).toarray()[::2, ::2]
    )
    with pytest.raises(TypeError, match="problem object"):
        pickle.dumps(hidden)
    with pytest.raises(TypeError, match="go with a name"):
        from_pycutest(hidden.raw, sifParams={"N": 3})
    with pytest.raises(TypeError, match="CUTEst name or a pycutest"):
        from_pycutest(3.0)


def test_solves_pickles_and_writes_into_out(stand_in):
    problem = from_pycutest("HS71")
    result = karush.minimize(problem)
    assert result.success
    assert result.fun == pytest.approx(17.0140173, rel=1e-6)
    copy = pickle.loads(pickle.dumps(from_pycutest("LUKVLE1", sifParams={"n": 12})))
    assert (copy.name, copy.n) == ("LUKVLE1", 12)
    out = np.empty(problem.n)
    assert problem.gradient(problem.x0, out=out) is out


def test_missing_module_names_the_extra_and_what_cutest_needs(monkeypatch):
    monkeypatch.setitem(sys.modules, "pycutest", None)
    with pytest.raises(ImportError, match=r"karush\[pycutest\].*gfortran.*MASTSIF"):
        from_pycutest("HS71")


def test_real_pycutest():
    if importlib.util.find_spec("pycutest") is None:
        pytest.skip("pycutest (extra pycutest) is not installed")
    try:
        problem = from_pycutest("HS71")
    except (ImportError, RuntimeError) as error:
        pytest.skip(f"pycutest finds no CUTEst: {error}")
    expected = problems.get("HS71")
    x, y = expected.x0 + 0.1, np.array([0.5, -1.5])
    assert problem.objective(x) == pytest.approx(expected.objective(x), rel=1e-12)
    np.testing.assert_allclose(problem.jacobian(x).toarray(), expected.jacobian(x).toarray(), rtol=1e-12)
    np.testing.assert_allclose(problem.hessian(x, y).toarray(), expected.hessian(x, y).toarray(), rtol=1e-12)
