"""Models: what users write becomes the problem they meant; mistakes are explained."""

import concurrent.futures
import pickle

import numpy as np
import pytest

from karush.problems import Model


def hs71():
    model = Model("HS71")
    x = model.variables(4, start=[1, 5, 5, 1], lower=1, upper=5)
    model.minimize(lambda a, b, c, d: a * d * (a + b + c), *x)
    model.minimize_linear(1.0, x[2])
    model.subject_to(lambda a, b, c, d: a * b * c * d, *x, lower=25)
    model.subject_to(lambda a, b, c, d: a**2 + b**2 + c**2 + d**2, *x, lower=40, upper=40)
    return model.build()


def everything(permutation=None):
    """Groups, linear parts, constants, parameters, weights, repeated variables, several families in a row."""
    rng = np.random.default_rng(3)
    order = np.arange(30) if permutation is None else permutation
    place = np.argsort(order)
    model = Model("everything")
    start = rng.normal(size=30)
    block = model.variables(30, start=start[order])
    x = block[place].__class__(block.index[place].reshape(6, 5))
    model.minimize(
        lambda a, b, p: p * np.sin(a * b) + a**4, x[1:], x[:-1], rng.normal(size=(5, 5)), weight=2.0
    )
    model.minimize_linear(3.0, x[:, 0])
    model.minimize_constant(5.0)
    groups = model.groups(6, lambda a, q: q * a**2 + np.cos(a), np.arange(6.0), constant=0.5, scale=2.0)
    groups[:, None].add(lambda a: a**2, x)
    groups.add_linear(1.5, x[:, 1])
    flat = x.ravel()
    i = np.arange(30)
    model.subject_to(lambda a, b: a * b**2 + a, flat[i], flat[(7 * i) % 30], lower=0, upper=1)
    rows = model.constraints(3, lower=0, group=lambda a: a**3, constant=0.1, scale=4.0)
    rows[0].add(lambda a, b: a * b, x[:, 2], x[:, 3])
    rows[0].add(np.exp, x[2, 2])
    rows[1].add_linear(2.0, x[0])
    rows[2].add(lambda a, b: a / (1 + b**2), x[3, 3], x[4, 4], weight=[0.5, 0.25])
    return model.build()


def test_hs71_by_hand():
    problem = hs71()
    x = np.array([1.0, 5.0, 5.0, 1.0])
    assert problem.objective(x) == 16.0
    np.testing.assert_array_equal(problem.gradient(x), [12, 1, 2, 11])
    np.testing.assert_array_equal(problem.constraints(x), [25, 52])
    np.testing.assert_array_equal(problem.jacobian(x).toarray(), [[25, 5, 5, 25], [2, 10, 10, 2]])
    expected = [[4, 6, 6, 37], [6, 2, 1, 6], [6, 1, 2, 6], [37, 6, 6, 2]]
    np.testing.assert_array_equal(problem.hessian(x, np.ones(2)).toarray(), expected)
    np.testing.assert_array_equal(problem.cu, [np.inf, 40])


def test_oracles_agree_with_complex_steps(derivative_errors):
    problem = everything()
    errors = derivative_errors(problem, problem.x0, np.random.default_rng(0))
    assert max(errors.values()) < 1e-12, errors


def test_permutation_of_variables_permutes_everything():
    order = np.random.default_rng(5).permutation(30)
    plain, shuffled = everything(), everything(order)
    x, y = plain.x0, np.arange(1.0, plain.m + 1)
    np.testing.assert_allclose(shuffled.objective(x[order]), plain.objective(x), rtol=1e-13)
    np.testing.assert_allclose(shuffled.gradient(x[order]), plain.gradient(x)[order], rtol=1e-12)
    np.testing.assert_allclose(shuffled.constraints(x[order]), plain.constraints(x), rtol=1e-13)
    full, permuted = plain.hessian(x, y).toarray(), shuffled.hessian(x[order], y).toarray()
    np.testing.assert_allclose(permuted, full[np.ix_(order, order)], rtol=1e-11, atol=1e-12)


def test_repeated_variable_in_an_element_counts_fully():
    model = Model()
    x = model.variables(3, start=[2.0, 3.0, 5.0])
    model.minimize(lambda a, b: a**2 * b, x[[0, 1, 2]], x[[0, 2, 2]])
    problem = model.build()
    z = problem.x0
    assert problem.objective(z) == z[0] ** 3 + z[1] ** 2 * z[2] + z[2] ** 3
    expected = np.diag([6 * z[0], 2 * z[2], 6 * z[2]])
    expected[1, 2] = expected[2, 1] = 2 * z[1]
    np.testing.assert_allclose(problem.hessian(z).toarray(), expected)


def test_in_place_and_allocating_forms_agree():
    problem = everything()
    x, y, v, w = problem.x0, np.ones(problem.m), np.arange(30.0), np.arange(problem.m) * 1.0
    for call in (
        lambda out: problem.gradient(x, out),
        lambda out: problem.constraints(x, out),
        lambda out: problem.jacobian_values(x, out),
        lambda out: problem.hessian_values(x, y, 0.5, out),
        lambda out: problem.hvp(x, v, y, 0.5, out),
        lambda out: problem.jvp(x, v, out),
        lambda out: problem.vjp(x, w, out),
    ):
        fresh = call(None)
        target = np.full_like(fresh, np.nan)
        assert call(target) is target
        np.testing.assert_array_equal(target, fresh)


def test_arguments_are_left_alone_and_results_are_new():
    problem = everything()
    x = problem.x0.copy()
    x.setflags(write=False)
    first = problem.gradient(x)
    kept = first.copy()
    problem.gradient(x + 1)
    np.testing.assert_array_equal(first, kept)


def test_threads_do_not_disturb_each_other():
    problem = everything()
    points = [problem.x0 + 0.01 * k for k in range(40)]
    expected = [problem.hessian_values(x, np.ones(problem.m)) for x in points]
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda x: problem.hessian_values(x, np.ones(problem.m)), points * 5))
    for k, values in enumerate(found):
        np.testing.assert_array_equal(values, expected[k % 40])


def test_million_variables_take_little_memory():
    """Index data that are affine leave no tables behind: the families' own arrays are all there is."""
    n = 1_000_000
    model = Model()
    x = model.variables(n, start=1.0)
    model.minimize(lambda a, b: (a - b) ** 2 + a**4, x[:-1], x[1:])
    model.subject_to(lambda a, b: a * b, x[:-1], x[1:], lower=0)
    problem = model.build()
    held = sum(array.nbytes for array in problem._objective._terms._keep)
    assert held < n
    assert problem.jacobian_structure()[1].size == 2 * (n - 1)
    assert problem.objective(problem.x0) == n - 1
    assert problem.hessian_structure()[1].size == 2 * n - 1


def test_linear_rows_are_known():
    model = Model()
    x = model.variables(3)
    model.subject_to(lambda a, b: 2 * a - b, x[0], x[1], lower=0)
    model.subject_to(lambda a: a**2, x[2], upper=1)
    rows = model.constraints(2, upper=1, group=lambda a: a**2)
    rows.add_linear(1.0, x[:2])
    model.constraints(lower=0).add_linear(1.0, x[0])
    assert model.build().linear_constraints.tolist() == [True, False, False, False, True]


def test_no_objective_and_no_constraints():
    model = Model()
    x = model.variables(2, start=3.0)
    model.subject_to(lambda a: a**2 - 1, x, lower=0, upper=0)
    problem = model.build()
    assert problem.objective(problem.x0) == 0.0
    np.testing.assert_array_equal(problem.gradient(problem.x0), 0.0)
    free = Model()
    free.minimize(lambda a: a**2, free.variables(2, start=3.0))
    problem = free.build()
    assert problem.m == 0
    assert problem.constraints(problem.x0).shape == (0,)
    assert problem.jacobian(problem.x0).shape == (0, 2)


@pytest.mark.parametrize(
    ("mistake", "error", "message"),
    [
        (lambda m, x: m.variables(2, lower=1, upper=0), ValueError, "lower of the variables exceeds upper"),
        (lambda m, x: m.variables(2, lower=np.nan), ValueError, "NaN"),
        (lambda m, x: m.variables(2, start=[1, 2, 3]), ValueError, r"start has shape \(3,\)"),
        (lambda m, x: m.variables(2, start=1j), TypeError, "real numbers"),
        (lambda m, x: m.variables(-1), ValueError, "shape"),
        (lambda m, x: m.variables(2.5), ValueError, "shape"),
        (lambda m, x: m.subject_to(lambda a: a, x), ValueError, "lower= or upper="),
        (lambda m, x: m.subject_to(lambda a: a, x, lower=2, upper=1), ValueError, "exceeds upper"),
        (lambda m, x: m.constraints(2, lower=np.nan), ValueError, "NaN"),
        (lambda m, x: m.minimize(lambda a, b: a * b, x, x[:2]), ValueError, "broadcast"),
        (lambda m, x: m.minimize(lambda a: a, 1.0), ValueError, "argument that is Variables"),
        (lambda m, x: m.minimize(lambda a: a, x, x), TypeError, "argument"),
        (lambda m, x: x + 1, TypeError, "unsupported operand"),
    ],
)
def test_mistakes_are_explained(mistake, error, message):
    model = Model()
    x = model.variables(3)
    with pytest.raises(error, match=message):
        mistake(model, x)


def test_empty_model_and_wrong_vectors_are_refused():
    with pytest.raises(ValueError, match="no variables"):
        Model("nothing").build()
    problem = hs71()
    with pytest.raises(ValueError, match=r"x has shape \(3,\)"):
        problem.objective(np.ones(3))
    with pytest.raises(ValueError, match="out must be"):
        problem.gradient(problem.x0, np.zeros(4, np.float32))
    with pytest.raises(TypeError, match="cannot be pickled"):
        pickle.dumps(problem)
