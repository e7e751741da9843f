"""Patterns with given derivatives: the outputs are what was given, shared by normal form, and never raise."""

import math

import numpy as np
import pytest

from karush.problems.families import Family
from karush.problems.given_derivatives import GivenFunction, given_pattern
from karush.problems.graphs import Graph
from karush.problems.row_function import RowFunction


def squared_product(parameters=1):
    """p x0^2 x1 with its derivatives, except that the second derivative by x0 is left out."""
    g = Graph()
    a, b, p = g.variable(0), g.variable(1), g.parameter(0)
    pa = g.apply("mul", p, a)
    paa = g.apply("mul", pa, a)
    twice = g.apply("mul", g.constant(2.0), pa)
    gradient = (g.apply("mul", twice, b), paa)
    return GivenFunction(g, g.apply("mul", paa, b), gradient, {(1, 0): twice}, parameters)


def rows(pattern, variables, parameters=(), n=None):
    variables = np.array(variables, dtype=np.int32).reshape(pattern.variables, -1)
    count = variables.shape[1]
    data = tuple(np.array(p, dtype=float) for p in parameters)
    family = Family(pattern, variables, np.arange(count, dtype=np.int32), data)
    return RowFunction(n or int(variables.max()) + 1, count, [family])


def unary(operation, points):
    """The operation compiled, at the points."""
    return compiled(lambda g, a: g.apply(operation, a), points)


def compiled(build, points):
    g = Graph()
    node = build(g, g.variable(0))
    pattern = given_pattern(g, node, [g.constant(0.0)], {}, 0)
    points = np.array(points, dtype=float)
    out = np.empty(points.size)
    rows(pattern, np.arange(points.size)).values(points, out)
    return out


def hessian_matrix(row_function, x, weights):
    size = row_function.n
    dense = np.zeros((size, size))
    i, j = (np.concatenate(piece) for piece in row_function.hessian_entries())
    pieces = row_function.hessian_entries()[0]
    positions = np.split(np.arange(i.size), np.cumsum([p.size for p in pieces])[:-1])
    row_function.place_hessian(positions)
    values = np.zeros(i.size)
    row_function.add_hessian(x, weights, values)
    for r, c, value in zip(i, j, values, strict=True):
        dense[r, c] += value
        if r != c:
            dense[c, r] += value
    return dense


def test_outputs_are_what_was_given():
    function = rows(squared_product().pattern(), [0, 1], [[3.0]])
    x, slope = np.array([2.0, 5.0]), np.empty(2)
    assert function.total_and_gradient(x, slope) == 60.0
    np.testing.assert_array_equal(slope, [60.0, 12.0])
    np.testing.assert_array_equal(hessian_matrix(function, x, np.ones(1)), [[0.0, 12.0], [12.0, 0.0]])
    product = np.zeros(2)
    function.add_hessian_product(x, np.array([1.0, -1.0]), np.ones(1), product)
    np.testing.assert_array_equal(product, [-12.0, 12.0])


def test_equal_outputs_share_a_pattern_whatever_else_the_graph_holds():
    g = Graph()
    g.apply("exp", g.apply("add", g.variable(1), g.constant(7.0)))
    one = given_pattern(g, g.apply("sin", g.variable(0)), [g.apply("cos", g.variable(0))], {}, 0)
    h = Graph()
    other = given_pattern(h, h.apply("sin", h.variable(0)), [h.apply("cos", h.variable(0))], {}, 0)
    assert one is other
    missing = given_pattern(h, h.apply("sin", h.variable(0)), [h.constant(0.0)], {}, 0)
    assert missing is not one


def test_missing_second_derivatives_do_not_make_a_function_linear():
    g = Graph()
    x = g.variable(0)
    slope = g.apply("mul", g.constant(2.0), x)
    curved = given_pattern(g, g.apply("pow", x, g.constant(2.0)), [slope], {}, 0)
    assert not curved.hessian_pairs
    assert not curved.is_linear
    assert given_pattern(g, x, [g.constant(1.0)], {}, 0).is_linear


def test_merged_variables_add_their_derivatives():
    """x0 x1 x2 with x0 and x2 the same variable: y^2 z."""
    g = Graph()
    x = [g.variable(j) for j in range(3)]
    products = [g.apply("mul", x[1], x[2]), g.apply("mul", x[0], x[2]), g.apply("mul", x[0], x[1])]
    second = {(1, 0): x[2], (2, 0): x[1], (2, 1): x[0]}
    product = GivenFunction(g, g.apply("mul", x[0], products[0]), tuple(products), second)
    function = rows(product.merged([0, 1, 0]).pattern(), [0, 1])
    point, slope = np.array([3.0, 5.0]), np.empty(2)
    assert function.total_and_gradient(point, slope) == 45.0
    np.testing.assert_array_equal(slope, [30.0, 9.0])
    np.testing.assert_array_equal(hessian_matrix(function, point, np.ones(1)), [[10.0, 6.0], [6.0, 0.0]])


@pytest.mark.parametrize("pair", [(0, 1), (1, -1), (2, 0)])
def test_pairs_outside_the_lower_triangle_are_refused(pair):
    g = Graph()
    with pytest.raises(ValueError, match="a >= b"):
        given_pattern(g, g.variable(0), [g.constant(1.0), g.constant(0.0)], {pair: g.variable(0)}, 0)


@pytest.mark.parametrize("aliases", [[0], [0, 2], [1, 1]])
def test_aliases_with_gaps_are_refused(aliases):
    with pytest.raises(ValueError, match="without gaps"):
        squared_product().merged(aliases)


def test_rounding_functions_are_fortrans():
    points = [2.5, -2.5, 0.49999999999999994, -0.5, 3.7, -3.7, 2.0**52 + 1]
    np.testing.assert_array_equal(unary("nint", points), [3, -3, 0, -1, 4, -4, 2.0**52 + 1])
    np.testing.assert_array_equal(unary("trunc", points), [2, -2, 0, 0, 3, -3, 2.0**52 + 1])
    np.testing.assert_array_equal(unary("single", [0.1]), [float(np.float32(0.1))])
    g = Graph()
    for operation, values in (("nint", [3.0, -3.0, 0.0]), ("trunc", [2.0, -2.0, 0.0])):
        folded = [g.value(g.apply(operation, g.constant(p))) for p in points[:3]]
        assert folded == values


@pytest.mark.parametrize(
    ("operation", "function"),
    [("mod", math.fmod), ("copysign", math.copysign), ("atan2", math.atan2)],
)
def test_functions_of_two_arguments(operation, function):
    points = [3.5, -3.5, 0.25]
    values = compiled(lambda g, a: g.apply(operation, a, g.constant(-1.5)), points)
    np.testing.assert_array_equal(values, [function(p, -1.5) for p in points])
    g = Graph()
    assert g.value(g.apply(operation, g.constant(-3.5), g.constant(1.5))) == function(-3.5, 1.5)


@pytest.mark.parametrize("operation", ["mod", "copysign", "atan2", "log10"])
def test_rules_of_the_added_functions(operation):
    """Derivatives against central differences."""
    g = Graph()
    operands = [g.variable(0), g.variable(1)][: 1 if operation == "log10" else 2]
    node = g.apply(operation, *operands)
    pattern = given_pattern(g, node, [g.derivative(node, a) for a in range(2)], {}, 0)
    function, x, step = rows(pattern, [0, 1], n=2), np.array([1.7, 0.6]), 1e-6
    slope, other = np.empty(2), np.empty(2)
    function.total_and_gradient(x, slope)
    for a in range(2):
        e = step * np.eye(2)[a]
        difference = (
            function.total_and_gradient(x + e, other) - function.total_and_gradient(x - e, other)
        ) / (2 * step)
        assert slope[a] == pytest.approx(difference, abs=1e-8)


def test_conditions_on_constants_are_decided():
    g = Graph()
    x, one, two = g.variable(0), g.constant(1.0), g.constant(2.0)
    true = g.apply("lt", one, two)
    unknown = g.apply("gt", x, one)
    assert g.apply("where", true, x, two) == x
    assert g.apply("and", true, unknown) == unknown
    assert g.apply("or", unknown, true) == true
    assert g.apply("where", g.apply("and", g.apply("not", true), unknown), x, two) == two


@pytest.mark.parametrize(
    "operation", ["log", "sqrt", "asin", "acos", "log10", "exp", "cosh", "sinh", "tan", "trunc", "nint"]
)
def test_kernels_do_not_raise_outside_the_domain(operation):
    points = [-2.0, 0.0, 1e300, np.nan, np.inf, -np.inf]
    reference = {"asin": "arcsin", "acos": "arccos", "nint": "round"}.get(operation, operation)
    with np.errstate(all="ignore"):
        expected = getattr(np, reference)(np.array(points))
    np.testing.assert_allclose(unary(operation, points), expected, rtol=1e-14)


@pytest.mark.parametrize("exponent", [-1.0, -2.0, 0.5, -0.5, 1 / 3, -2.7])
def test_powers_do_not_raise_outside_the_domain(exponent):
    points = np.array([0.0, -1.5, np.nan, np.inf])
    computed = compiled(lambda g, a: g.apply("pow", a, g.constant(exponent)), points)
    with np.errstate(all="ignore"):
        np.testing.assert_allclose(computed, points**exponent, rtol=1e-14)


def test_division_and_constants_outside_the_domain_do_not_raise():
    quotient = compiled(lambda g, a: g.apply("div", g.constant(1.0), a), [0.0, np.inf])
    np.testing.assert_array_equal(quotient, [np.inf, 0.0])
    log = compiled(lambda g, a: g.apply("add", a, g.apply("log", g.constant(-1.0))), [1.0])
    assert np.isnan(log).all()
    rest = compiled(lambda g, a: g.apply("mod", g.constant(1.0), a), [0.0])
    assert np.isnan(rest).all()


def test_the_branch_not_taken_does_no_harm():
    def build(g, a):
        positive = g.apply("gt", a, g.constant(0.0))
        return g.apply("where", positive, g.apply("log", a), g.apply("div", g.constant(1.0), a))

    np.testing.assert_array_equal(compiled(build, [1.0, -2.0]), [0.0, -0.5])


def test_results_that_stand_in_many_places():
    """78 pairs of 12 variables, two distinct second derivatives."""
    g = Graph()
    total = g.variable(0)
    for j in range(1, 12):
        total = g.apply("add", total, g.variable(j))
    exp = g.apply("exp", total)
    hessian = {(a, b): exp for a in range(12) for b in range(a + 1)}
    hessian[1, 0] = g.apply("mul", g.constant(3.0), exp)
    function = rows(given_pattern(g, exp, [exp] * 12, hessian, 0), np.arange(12))
    x = np.linspace(-1, 1, 12)
    expected = np.full((12, 12), np.exp(x.sum()))
    expected[0, 1] = expected[1, 0] = 3 * np.exp(x.sum())
    np.testing.assert_allclose(hessian_matrix(function, x, np.ones(1)), expected, rtol=1e-14)
