"""Recording, simplification and differentiation of pattern graphs, checked against sympy and numpy."""

import math
import types

import numpy as np
import pytest
import sympy
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.special import erf

from karush.problems.expressions import Expression, normalise, record
from karush.problems.graphs import Graph
from karush.problems.kernel_source import kernel_source

X = [Expression("variable", payload=j) for j in range(3)]
POINT = (0.37, 0.81, 0.53)

SMOOTH = {
    "exp": np.exp,
    "log": np.log,
    "sin": np.sin,
    "cos": np.cos,
    "tan": np.tan,
    "asin": np.arcsin,
    "acos": np.arccos,
    "atan": np.arctan,
    "sinh": np.sinh,
    "cosh": np.cosh,
    "tanh": np.tanh,
    "sqrt": np.sqrt,
    "erf": erf,
}


def kernels(fun, variables=3, parameters=0):
    """The module of a pattern's kernels, run by Python rather than numba."""
    arguments = X[:variables] + [Expression("parameter", payload=q) for q in range(parameters)]
    module = types.ModuleType("pattern")
    exec(kernel_source(normalise(record(fun, arguments)), variables, parameters), module.__dict__)
    return module


def outputs(module, kernel, x):
    k = module.VARIABLES
    count = {"value": 1, "gradient": 1 + k, "hessian": len(module.HESSIAN), "hessian_product": k}[kernel]
    out = np.zeros(count * module.WIDTH)
    getattr(module, kernel)(1, np.array(x, dtype=float)[:, None], out)
    return out[:: module.WIDTH]


def dense_hessian(module, x):
    h = np.zeros((module.VARIABLES, module.VARIABLES))
    for (a, b), value in zip(module.HESSIAN, outputs(module, "hessian", x), strict=True):
        h[a, b] = h[b, a] = value
    return h


@pytest.mark.parametrize("name", SMOOTH)
def test_rules_agree_with_sympy(name):
    module = kernels(lambda a, b, c: SMOOTH[name](a * b + c / 4) * c**1.5 - a / b)
    x = sympy.symbols("x0:3")
    expression = getattr(sympy, name)(x[0] * x[1] + x[2] / 4) * x[2] ** sympy.Rational(3, 2) - x[0] / x[1]
    at = dict(zip(x, POINT, strict=True))
    gradient = [float(expression.diff(v).subs(at)) for v in x]
    hessian = [[float(expression.diff(v, w).subs(at)) for w in x] for v in x]
    np.testing.assert_allclose(outputs(module, "value", POINT)[0], float(expression.subs(at)), rtol=1e-13)
    np.testing.assert_allclose(outputs(module, "gradient", POINT)[1:], gradient, rtol=1e-11)
    np.testing.assert_allclose(dense_hessian(module, POINT), hessian, rtol=1e-10, atol=1e-11)


@pytest.mark.parametrize("exponent", [2, 3, -1, -2, 0.5, -0.5, 1.5, 2.5, -1.5, 0.3, -2.7, 0, 1])
def test_powers(exponent):
    module = kernels(lambda a: (a + 1) ** exponent, variables=1)
    x = POINT[0]
    slope = exponent * (x + 1) ** (exponent - 1)
    curvature = exponent * (exponent - 1) * (x + 1) ** (exponent - 2)
    np.testing.assert_allclose(outputs(module, "gradient", [x]), [(x + 1) ** exponent, slope], rtol=1e-13)
    np.testing.assert_allclose(dense_hessian(module, [x]), [[curvature]], rtol=1e-12)


def test_powers_of_variables_and_parameters():
    module = kernels(lambda a, b, p: a**b + p**a + 2**b, variables=2, parameters=1)
    a, b, p = POINT
    by_a = b * a ** (b - 1) + p**a * math.log(p)
    by_b = a**b * math.log(a) + 2**b * math.log(2)
    np.testing.assert_allclose(outputs(module, "gradient", POINT)[1:], [by_a, by_b], rtol=1e-13)


@pytest.mark.parametrize("x", [-0.7, 0.4])
def test_functions_with_kinks(x):
    module = kernels(
        lambda a: (
            abs(a) * a
            + np.sign(a) * a
            + np.maximum(a, 0.1) ** 2
            + np.minimum(a, a**3)
            + np.where((a > 0) | ~(a >= -1), np.log(abs(a)), a**4)
        ),
        variables=1,
    )

    def value(a):
        last = math.log(abs(a)) if a > 0 or a < -1 else a**4
        return abs(a) * a + abs(a) + max(a, 0.1) ** 2 + min(a, a**3) + last

    h = 1e-5
    slope = (value(x + h) - value(x - h)) / (2 * h)
    curvature = (value(x + h) - 2 * value(x) + value(x - h)) / h**2
    np.testing.assert_allclose(outputs(module, "gradient", [x]), [value(x), slope], rtol=1e-6)
    np.testing.assert_allclose(dense_hessian(module, [x]), [[curvature]], rtol=1e-4)


def test_branch_not_taken_does_no_harm():
    """The derivative of where is finite although that of the other branch is not."""
    module = kernels(lambda a: np.where(a > 0, np.sqrt(abs(a)), 0.0 * a), variables=1)
    with np.errstate(divide="ignore"):
        scope = module.__dict__
        scope["math"] = np  # Python's math raises where the compiled kernel gives inf
        assert np.isfinite(outputs(module, "gradient", [0.0])).all()


def test_deep_sharing_stays_linear():
    """Sixty squarings of one node: a tree would have 2**60 leaves."""

    def tower(a):
        for _ in range(60):
            a = a * a + 0.1
        return a

    source = kernel_source(normalise(record(tower, X[:1])), 1, 0)
    assert source.count("\n") < 1000


def test_equal_patterns_share_a_key_and_constants_matter():
    one = normalise(record(lambda a, b: 2 * a**2 + np.sin(b), X[:2]))
    other = normalise(record(lambda p, q: 2.0 * p**2 + np.sin(q), X[:2]))
    different = normalise(record(lambda a, b: 2.0000000000000004 * a**2 + np.sin(b), X[:2]))
    assert one == other
    assert one != different


def test_structural_zeros_are_found():
    module = kernels(lambda a, b, c: a * b + 3 * c + (c - c) * a + np.exp(a))
    assert module.HESSIAN == ((0, 0), (1, 0))
    assert module.GRADIENT == (0, 1, 2)


LEAF = st.sampled_from([0, 1, 2]) | st.floats(0.25, 4).map(lambda v: float(round(v, 3)))
TREE = st.recursive(
    LEAF,
    lambda inner: (
        st.tuples(st.sampled_from(["+", "-", "*", "/"]), inner, inner)
        | st.tuples(st.sampled_from(["sin", "exp", "atan", "tanh"]), inner)
    ),
    max_leaves=12,
)


def evaluate(tree, x):
    if isinstance(tree, int):
        return x[tree]
    if isinstance(tree, float):
        return tree
    if len(tree) == 2:
        return SMOOTH[tree[0]](evaluate(tree[1], x))
    left, right = evaluate(tree[1], x), evaluate(tree[2], x)
    if tree[0] == "+":
        return left + right
    if tree[0] == "-":
        return left - right
    return left * right if tree[0] == "*" else left / (right * right + 1.0)


@settings(max_examples=60, deadline=None)
@given(TREE)
def test_random_expressions_agree_with_numpy_and_complex_steps(tree):
    with np.errstate(all="ignore"):
        value = evaluate(tree, np.array(POINT))
        slopes = [
            evaluate(tree, np.array(POINT) + 1e-40j * e).imag / 1e-40 if tree != 0 else 0 for e in np.eye(3)
        ]
    if isinstance(tree, float) or not np.isfinite([value, *slopes]).all() or abs(value) > 1e30:
        return
    module = kernels(lambda a, b, c: evaluate(tree, (a, b, c)) + 0 * a)
    computed = outputs(module, "gradient", POINT)
    size = max(1.0, np.abs(slopes).max())
    np.testing.assert_allclose(computed[0], value, rtol=1e-12, atol=1e-12)
    if tree != 0:
        np.testing.assert_allclose(computed[1:], slopes, rtol=1e-9, atol=1e-10 * size)


@pytest.mark.parametrize(
    ("fun", "message"),
    [
        (lambda a: math.sin(a), "np.exp, np.sin"),
        (lambda a: a if a > 0 else -a, "np.where"),
        (lambda a: max(a, 1.0), "np.maximum"),
        (lambda a: np.arctan2(a, 1.0), "arctan2"),
        (lambda a: a * np.ones(3), "parameter of each row"),
        (lambda a: a + "one", "real number"),
        (lambda a: np.sum([a, a]) + np.linalg.norm(np.ones(2)) * 1j * a, "real number"),
    ],
)
def test_what_cannot_be_recorded_is_explained(fun, message):
    with pytest.raises(TypeError, match=message):
        record(fun, X[:1])


def test_graph_folds_and_orders():
    g = Graph()
    a, b = g.variable(0), g.variable(1)
    assert g.apply("add", a, b) == g.apply("add", b, a)
    assert g.apply("mul", g.constant(2.0), g.apply("mul", g.constant(3.0), a)) == g.apply(
        "mul", g.constant(6.0), a
    )
    assert g.value(g.apply("sub", a, a)) == 0.0
    assert g.apply("neg", g.apply("neg", a)) == a
    assert g.value(g.apply("exp", g.constant(0.0))) == 1.0
    assert g.value(g.apply("log", g.constant(-1.0))) is None
