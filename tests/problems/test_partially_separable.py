"""Group partially separable problems against their definition, evaluated one element at a time."""

import numpy as np
import pytest

from karush.problems.given_derivatives import GivenFunction
from karush.problems.graphs import Graph
from karush.problems.nlp import Metadata
from karush.problems.partially_separable import PartiallySeparable


def given(build, variables, parameters=0):
    """A function with derivatives of its own making."""
    g = Graph()
    node = build(g, *(g.variable(j) for j in range(variables)), *(g.parameter(q) for q in range(parameters)))
    slopes = tuple(g.derivative(node, a) for a in range(variables))
    second = {(a, b): g.derivative(slopes[a], b) for a in range(variables) for b in range(a + 1)}
    return GivenFunction(g, node, slopes, second, parameters)


ELEMENTS = [
    given(lambda g, a, b, p: g.apply("mul", g.apply("sin", g.apply("mul", p, a)), b), 2, 1),
    given(lambda g, a, b, c: g.apply("mul", a, g.apply("mul", b, g.apply("exp", c))), 3),
    given(lambda g, a: g.apply("pow", a, g.constant(3.0)), 1),
]
ELEMENT_VALUES = [
    lambda v, p: np.sin(p[0] * v[0]) * v[1],
    lambda v, p: v[0] * v[1] * np.exp(v[2]),
    lambda v, p: v[0] ** 3,
]
GROUPS = [
    given(lambda g, a: g.apply("pow", a, g.constant(2.0)), 1),
    given(lambda g, a, p: g.apply("mul", p, g.apply("exp", a)), 1, 1),
]
GROUP_VALUES = [lambda a, p: a**2, lambda a, p: p[0] * np.exp(a)]


def random_form(rng, n=6, groups=9, elements=14, uses=25, **changes):
    kinds = rng.integers(0, 3, elements)
    sizes = np.array([f.variables for f in ELEMENTS])[kinds]
    counts = np.array([f.parameters for f in ELEMENTS])[kinds]
    types = rng.integers(-1, 2, groups)
    group_counts = np.array([0, 0, 1])[types + 1]
    is_constraint = np.arange(groups) % 2 == 1
    m = int(is_constraint.sum())
    data = {
        "metadata": Metadata(
            name="RANDOM",
            x0=np.zeros(n),
            lb=np.full(n, -np.inf),
            ub=np.full(n, np.inf),
            cl=np.zeros(m),
            cu=np.zeros(m),
            y0=np.zeros(m),
        ),
        "element_functions": ELEMENTS,
        "element_function": kinds,
        "element_start": np.append(0, np.cumsum(sizes)),
        "element_variables": rng.integers(0, n, sizes.sum()),  # often the same variable twice
        "parameter_start": np.append(0, np.cumsum(counts)),
        "element_parameters": rng.uniform(0.5, 2, counts.sum()),
        "use_group": rng.integers(0, groups, uses),
        "use_element": rng.integers(0, elements, uses),
        "use_weight": rng.uniform(-1, 1, uses),
        "is_constraint": is_constraint,
        "linear": (rng.integers(0, groups, 12), rng.integers(0, n, 12), rng.uniform(-1, 1, 12)),
        "constant": rng.uniform(-1, 1, groups),
        "factor": rng.choice([1.0, -0.5, 0.25], groups),
        "group_functions": GROUPS,
        "group_function": types,
        "group_parameter_start": np.append(0, np.cumsum(group_counts)),
        "group_parameters": rng.uniform(0.5, 2, group_counts.sum()),
        "quadratic": (np.array([0, 2, 4]), np.array([0, 1, 4]), np.array([2.0, -3.0, 0.5])),
    }
    return PartiallySeparable(**(data | changes))


def group_values(form, x):
    """F by its definition."""
    arguments = -form.constant.astype(x.dtype)
    for group, element, weight in zip(form.use_group, form.use_element, form.use_weight, strict=True):
        v = x[form.element_variables[form.element_start[element] : form.element_start[element + 1]]]
        p = form.element_parameters[form.parameter_start[element] : form.parameter_start[element + 1]]
        arguments[group] += weight * ELEMENT_VALUES[form.element_function[element]](v, p)
    for row, column, value in zip(*form.linear, strict=True):
        arguments[row] += value * x[column]
    values = arguments.copy()
    for i, kind in enumerate(form.group_function):
        if kind >= 0:
            p = form.group_parameters[form.group_parameter_start[i] : form.group_parameter_start[i + 1]]
            values[i] = GROUP_VALUES[kind](arguments[i], p)
    return form.factor * values


def lagrangian(form, x, y):
    i, j, h = form.quadratic
    values = group_values(form, x)
    quadratic = sum(np.where(i == j, 0.5, 1.0) * h * x[i] * x[j])
    return values[~form.is_constraint].sum() + quadratic + y @ values[form.is_constraint]


def complex_step(fun, x):
    steps = [fun(x + 1e-40j * e) for e in np.eye(x.size)]
    return np.array(steps).imag.T / 1e-40


@pytest.mark.parametrize("seed", range(4))
def test_random_forms_agree_with_their_definition(seed):
    rng = np.random.default_rng(seed)
    form = random_form(rng)
    problem = form.problem()
    x, y, v = rng.uniform(-1, 1, 6), rng.uniform(-1, 1, problem.m), rng.uniform(-1, 1, 6)
    values = group_values(form, x)
    np.testing.assert_allclose(problem.objective(x), lagrangian(form, x, 0 * y), rtol=1e-13)
    np.testing.assert_allclose(problem.constraints(x), values[form.is_constraint], rtol=1e-12, atol=1e-14)
    slope = complex_step(lambda z: lagrangian(form, z, 0 * y), x)
    np.testing.assert_allclose(problem.gradient(x), slope, rtol=1e-12, atol=1e-13)
    jacobian = complex_step(lambda z: group_values(form, z)[form.is_constraint], x)
    np.testing.assert_allclose(problem.jacobian(x).toarray(), jacobian, rtol=1e-12, atol=1e-13)
    step, columns = 1e-6, []
    for e in np.eye(6):
        ends = [complex_step(lambda z: lagrangian(form, z, y), x + s * step * e) for s in (1, -1)]
        columns.append((ends[0] - ends[1]) / (2 * step))
    hessian = problem.hessian(x, y).toarray()
    np.testing.assert_allclose(hessian, np.array(columns), rtol=1e-7, atol=1e-7)
    np.testing.assert_allclose(problem.hvp(x, v, y), hessian @ v, rtol=1e-11, atol=1e-12)


def test_trivial_groups_without_elements_stay_linear_whatever_their_factor():
    form = random_form(
        np.random.default_rng(0),
        use_group=np.zeros(1, int),
        use_element=np.zeros(1, int),
        use_weight=np.ones(1),
        group_function=np.full(9, -1),
        group_parameter_start=np.zeros(10, int),
        group_parameters=np.zeros(0),
    )
    problem = form.problem()
    assert problem.linear_constraints.all()
    assert not problem._constraints.groups
    x = np.linspace(-1, 1, 6)
    np.testing.assert_allclose(problem.constraints(x), group_values(form, x)[form.is_constraint], atol=1e-14)


def test_no_objective_groups_is_zero():
    rng = np.random.default_rng(3)
    empty = (np.zeros(0, int), np.zeros(0, int), np.zeros(0))
    everything = Metadata(
        name="SYSTEM",
        x0=np.zeros(6),
        lb=np.zeros(6),
        ub=np.ones(6),
        cl=np.zeros(9),
        cu=np.zeros(9),
        y0=np.zeros(9),
    )
    form = random_form(rng, metadata=everything, is_constraint=np.ones(9, bool), quadratic=empty)
    problem = form.problem()
    assert problem.objective(np.ones(6)) == 0.0
    np.testing.assert_array_equal(problem.gradient(np.ones(6)), 0.0)


def test_an_element_used_twice_in_a_row_is_evaluated_once():
    rng = np.random.default_rng(1)
    form = random_form(
        rng,
        use_group=np.array([0, 2, 0, 1]),
        use_element=np.array([5, 5, 5, 5]),
        use_weight=np.array([1.0, 2.0, 3.0, 4.0]),
        group_function=np.full(9, -1),
        group_parameter_start=np.zeros(10, int),
        group_parameters=np.zeros(0),
    )
    objective, constraints = form.row_functions()
    assert sum(f.elements for f in objective.families) == 1 + 3  # and the quadratic part's three
    assert sum(f.elements for f in constraints.families) == 1
    x = rng.uniform(-1, 1, 6)
    np.testing.assert_allclose(objective.total(x), lagrangian(form, x, np.zeros(4)), rtol=1e-13)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"constant": np.zeros(3)}, "constant has shape"),
        ({"use_weight": np.zeros(3)}, "use_weight has shape"),
        ({"is_constraint": np.ones(9, bool)}, "9 groups are constraints"),
        ({"element_start": np.zeros(15, int)}, "as many variables"),
        ({"parameter_start": np.zeros(15, int)}, "as many parameters"),
    ],
)
def test_inconsistent_arrays_are_refused(change, message):
    with pytest.raises(ValueError, match=message):
        random_form(np.random.default_rng(0), **change)
