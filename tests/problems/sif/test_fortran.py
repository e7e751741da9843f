"""Fortran 77 expressions: precedence, kinds and precisions, on constants that the graph folds."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from karush.problems.graphs import Graph
from karush.problems.sif.fortran import Fortran, FortranError, Value, tokenise


def evaluate(text, *, single_literals=True, **names):
    """(kind, number) of an expression; int values are integers, bools logicals, floats double."""
    graph = Graph()
    fortran = Fortran(graph, single_literals=single_literals)
    kinds = {bool: "logical", int: "integer", float: "double", np.float32: "single"}
    known = {
        name.upper(): Value(kinds[type(value)], graph.constant(float(value))) for name, value in names.items()
    }
    result = fortran.evaluate(text, known)
    return result.kind, graph.value(result.node)


def number(text, **names):
    return evaluate(text, **names)[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("-U**2", -9.0),
        ("2.0D0**U**2", 512.0),
        ("U*U/2.0D0*4.0D0", 18.0),
        ("U-1.0D0-1.0D0", 1.0),
        ("-U+1.0D0", -2.0),
        ("2.0D0*-U", -6.0),
        ("2.0D0**-U", 0.125),
        ("U**-1*2.0D0", 2.0 / 3.0),
        ("+U", 3.0),
        ("( U )", 3.0),
        ("-U*U", -9.0),
        ("U / U / U", 1.0 / 3.0),
    ],
)
def test_precedence(text, expected):
    assert number(text, u=3.0) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7/2*U", 9.0),
        ("U*7/2", 10.5),
        ("K/2", 2),
        ("-K/2", -2),
        ("2**(-1)", 0),
        ("(-1)**(-3)", -1),
        ("2**K", 32),
        ("K/2.0D0", 2.5),
        ("8/3*2", 4),
        ("4/2", 2),
        ("1/K*U", 0.0),
        ("MOD(-7,3)", -1),
        ("MOD(K,3)", 2),
        ("INT(-2.9D0)", -2),
        ("NINT(-2.5D0)", -3),
        ("NINT(2.5D0)", 3),
        ("SIGN(U,-1.0D0)", -3.0),
        ("SIGN(K,-1)", -5),
        ("SIGN(-K,0)", 5),
        ("SIGN(-U,0.0D0)", 3.0),
        ("ABS(-K)", 5),
        ("MAX(1,K,3)", 5),
        ("MIN(U,1.0D0,2.0D0)", 1.0),
        ("DIM(U,1.0D0)", 2.0),
        ("ATAN2(1.0D0,-1.0D0)", math.atan2(1, -1)),
        ("MAX0(1,2)", 2),
        ("DABS(-U)", 3.0),
        ("AINT(-2.5D0)", -2.0),
    ],
)
def test_integers_and_intrinsics(text, expected):
    kind, value = evaluate(text, u=3.0, k=5)
    assert value == expected
    assert kind == ("integer" if isinstance(expected, int) else "double")


SINGLE = np.float32


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0.1", SINGLE(0.1)),
        ("1.0/3.0", SINGLE(1) / SINGLE(3)),
        ("0.1*0.1", SINGLE(0.1) * SINGLE(0.1)),
        ("ATAN(1.0)", SINGLE(math.atan(1.0))),
        ("SQRT(2.0)", np.sqrt(SINGLE(2))),
        ("4.0*ATAN(1.0)", SINGLE(4) * SINGLE(math.atan(1.0))),
        ("1/3.0", SINGLE(1) / SINGLE(3)),
        ("16777217.0", SINGLE(16777217)),
        ("REAL(0.1D0)", SINGLE(0.1)),
        ("FLOAT(3)/7", SINGLE(3) / SINGLE(7)),
        (".5E-1", SINGLE(0.05)),
    ],
)
def test_literals_without_d_are_single(text, expected):
    kind, value = evaluate(text)
    assert kind == "single"
    assert value == float(expected)


def test_double_operands_make_double_results():
    assert number("0.1*U", u=1.0) == 0.100000001490116119384765625
    assert number("0.1D0*U", u=1.0) == 0.1
    assert number("DBLE(0.1)") == float(SINGLE(0.1))
    assert evaluate("DSQRT(2.0D0)") == ("double", math.sqrt(2))
    assert evaluate("1.0D0/3.0") == ("double", 1 / 3)


def test_literals_can_be_read_as_written():
    assert evaluate("0.1", single_literals=False) == ("double", 0.1)
    assert evaluate("1.0/3.0", single_literals=False) == ("double", 1 / 3)
    assert number("7/2", single_literals=False) == 3


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1.EQ.K", True),
        ("1.0.EQ.K", True),
        ("1.E0.EQ.1", True),
        ("U.LT.3.0D0", False),
        ("U.LE.3.0D0", True),
        ("U.GT.2.9D0.AND.U.GE.3", True),
        ("U.NE.3.0D0.OR.K.EQ.1", True),
        (".NOT.U.LT.0.0", True),
        (".NOT.U.LT.0.0.AND..NOT.K.EQ.1", False),
        ("K.EQ.1.OR.K.EQ.2.AND.K.EQ.3", True),
        ("(K.EQ.1.OR.K.EQ.2).AND.K.EQ.3", False),
        (".TRUE..EQV.K.EQ.1", True),
        (".FALSE..NEQV.K.EQ.1", True),
        ("U+1.GT.2*K", True),
        ("U>=3.0", True),
        ("U/=3.0", False),
        ("U.EQ.3.", True),
    ],
)
def test_logicals(text, expected):
    assert evaluate(text, u=3.0, k=1) == ("logical", float(expected))


def test_blanks_and_case_mean_nothing():
    assert number("1. 0 * u * X 1", u=2.0, x1=3.0) == 6.0
    assert number("e x p ( 0.0D0 )") == 1.0
    assert tokenise("a . gt . 1 d - 2") == [("name", "A"), ("operator", ".GT."), ("number", "1D-2")]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "ends where a value"),
        ("U+", "ends where a value"),
        ("U U2", "UU2 has no value"),
        ("(U", r"'\)' is wanted where the end"),
        ("U)", "should end"),
        ("U # 2", "cannot be understood"),
        ("V", "V has no value"),
        ("FOO(U)", "FOO is no intrinsic"),
        ("EXP(U,U)", "2 arguments instead of 1"),
        ("MAX(U)", "1 arguments instead of 2"),
        ("L+1", "logical value stands where a number"),
        ("U.AND.L", "double value stands where a logical"),
        ("1/0", "divided by zero"),
        ("0**(-1)", "negative integer power"),
        ("MOD(1,0)", "second argument zero"),
        ("*U", "stands where a value"),
        ("(" * 300 + "U" + ")" * 300, "nested more than"),
        ("-" * 3 + "U", "stands where a value"),
        (".NOT." * 200 + "L", "nested more than"),
    ],
)
def test_errors_say_what_is_wrong(text, message):
    with pytest.raises(FortranError, match=message):
        evaluate(text, u=1.0, l=True)


NUMBER = st.integers(1, 9)
TREE = st.recursive(
    NUMBER,
    lambda inner: st.tuples(st.sampled_from(["+", "-", "*", "/"]), inner, inner),
    max_leaves=8,
)


def written(tree):
    return f"{tree}" if isinstance(tree, int) else f"({written(tree[1])}{tree[0]}{written(tree[2])})"


def truncating(tree):
    if isinstance(tree, int):
        return tree
    a, b = truncating(tree[1]), truncating(tree[2])
    if tree[0] == "/":
        return int(math.copysign(abs(a) // abs(b), a * b)) if a else 0 // b
    return {"+": a + b, "-": a - b, "*": a * b}[tree[0]]


@given(TREE)
def test_integer_expressions_are_those_of_python_with_truncation(tree):
    try:
        expected = truncating(tree)
    except ZeroDivisionError:
        with pytest.raises(FortranError):
            evaluate(written(tree))
        return
    assert evaluate(written(tree)) == ("integer", expected)


@given(st.text(alphabet="UK12.()*+-/ED,LTANOR QSXP", max_size=40))
def test_any_text_gives_a_value_or_an_error(text):
    try:
        kind, _ = evaluate(text, u=2.0, k=3)
    except FortranError:
        return
    assert kind in ("integer", "single", "double", "logical")
