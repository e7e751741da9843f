"""``workers=``: the same answers, in the same order, whoever computes them."""

import os
from multiprocessing.pool import ThreadPool

import numpy as np
import pytest
from scipy.optimize import NonlinearConstraint, minimize, rosen, rosen_der

import karush
from karush.problems.callables import from_callables
from karush.problems.parallel_map import open_map

START = np.array([1.3, 0.7, 0.8, 1.9])


class Watching:
    """A map that counts what it is given."""

    def __init__(self, pool):
        self.pool, self.batches = pool, []

    def __call__(self, fun, points):
        points = list(points)
        self.batches.append(len(points))
        return self.pool.map(fun, points)


@pytest.fixture
def watching():
    with ThreadPool(3) as pool:
        yield Watching(pool)


def test_processes_keep_the_order():
    with open_map(2) as mapper:
        assert list(mapper(abs, range(-20, 0))) == list(range(20, 0, -1))
        processes = set(mapper(eval, ["__import__('os').getpid()"] * 8))
        assert os.getpid() not in processes
        assert len(processes) <= 2


@pytest.mark.parametrize("jac", ["2-point", "3-point", "cs", None])
def test_differences_are_the_same_bit_for_bit(watching, jac):
    problems = [
        from_callables(rosen, START, jac=jac, bounds=[(0, 2)] * 4, mapper=mapper)
        for mapper in (map, watching)
    ]
    alone, shared = (problem.gradient(START).tobytes() for problem in problems)
    assert alone == shared
    assert max(watching.batches) == START.size


def test_hessians_are_differenced_side_by_side_too(watching):
    problems = [from_callables(rosen, START, jac=rosen_der, mapper=mapper) for mapper in (map, watching)]
    alone, shared = (problem.hessian_values(START).tobytes() for problem in problems)
    assert alone == shared
    assert watching.batches == [START.size]


def test_minimize_in_processes():
    alone = karush.minimize(rosen, START, jac="3-point")
    shared = karush.minimize(rosen, START, jac="3-point", workers=2)
    assert shared.success
    assert alone.x.tobytes() == shared.x.tobytes()
    assert alone.counts == shared.counts


def test_constraints_and_the_option_of_scipy(watching):
    constraint = NonlinearConstraint(lambda x: [x[0] * x[1], x[2] ** 2], 0.0, 1.0, jac="3-point")
    call = {"jac": "3-point", "constraints": constraint, "method": karush.scipy_method()}
    alone = minimize(rosen, START, **call)
    shared = minimize(rosen, START, options={"workers": watching}, **call)
    assert watching.batches
    assert shared.success
    assert alone.x.tobytes() == shared.x.tobytes()


def test_evaluations_in_parallel_count_and_end_at_the_limit(watching):
    result = karush.minimize(
        rosen, np.full(30, 2.0), jac="3-point", workers=watching, options={"max_evaluations": 100}
    )
    assert result.status is karush.Status.EVALUATION_LIMIT
    assert result.nfev <= 100


def test_exceptions_come_back_unchanged(watching):
    class OwnError(Exception):
        pass

    def fun(x):
        if x[2] != START[2]:
            raise OwnError("beyond")
        return float(x @ x)

    problem = from_callables(fun, START, jac="2-point", mapper=watching)
    with pytest.raises(OwnError, match="beyond"):
        problem.gradient(START)


@pytest.mark.parametrize(
    ("workers", "error", "text"),
    [
        (0, ValueError, "workers must be a positive integer or -1, got 0"),
        (-2, ValueError, "workers must be a positive integer or -1, got -2"),
        (1.5, TypeError, "workers must be an integer or a map-like callable, got float"),
        (True, TypeError, "workers must be an integer or a map-like callable, got bool"),
    ],
)
def test_bad_workers(workers, error, text):
    with pytest.raises(error, match=text):
        karush.minimize(rosen, START, workers=workers)


def test_what_cannot_be_sent_is_named():
    with pytest.raises(TypeError, match="importable module"):
        karush.minimize(lambda x: x @ x, START, jac="3-point", workers=2)


def test_workers_are_given_once_and_only_with_a_callable():
    with pytest.raises(ValueError, match="given twice"):
        karush.minimize(rosen, START, workers=2, options={"workers": 2})
    with pytest.raises(ValueError, match="workers: only with a callable"):
        karush.minimize("HS71", workers=2)


@pytest.mark.parametrize(
    ("jac", "where"),
    [(jac, where) for jac in ("2-point", "3-point", "cs", None, rosen_der) for where in ("fun", "constraint")]
    + [(rosen_der, "jac")],
)
def test_a_stop_iteration_of_the_users_is_not_taken_for_the_end_of_a_map(watching, jac, where):
    error = StopIteration("of the user")

    def raising(function, name, after):
        calls = []

        def function_that_raises(x):
            calls.append(1)
            if name == where and len(calls) >= after:
                raise error
            return function(x)

        return function_that_raises

    for mapper in (map, watching):
        for after in (1, 2, 4, 7):
            with pytest.raises(StopIteration) as caught:
                karush.minimize(
                    raising(rosen, "fun", after),
                    START,
                    jac=raising(jac, "jac", after) if callable(jac) else jac,
                    constraints={"type": "eq", "fun": raising(lambda x: x @ x - 4.0, "constraint", after)},
                    workers=mapper,
                )
            assert caught.value is error
