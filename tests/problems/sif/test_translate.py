"""Element and group functions of SIF files written here, against their formulas."""

import pickle

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from karush.problems import SIFError, from_sif
from karush.problems.sif.problem import partially_separable
from karush.problems.sif.reader import read_structure

DATA = """
VARIABLES
    X
    Y
GROUPS
 N  OBJ
 E  CON
BOUNDS
 FR B         'DEFAULT'
START POINT
    S         X         2.0            Y         3.0
ELEMENT TYPE
{types}
ELEMENT USES
 T  E         T
{uses}
GROUP USES
 E  OBJ       E
 E  CON       E         2.0
"""
TWO = " EV T         V                        W"
ON_XY = " V  E         V                        X\n V  E         W                        Y"
X, Y = 2.0, 3.0


@pytest.fixture
def compiled(tmp_path):
    """The problem min e(x, y) subject to 2 e(x, y) = 0, from the cards of the element function."""

    def build(functions, types=TWO, uses=ON_XY, temporaries="", global_cards="", digits=True, rest=""):
        path = tmp_path / "TEST.SIF"
        body = DATA.format(types=types.strip("\n"), uses=uses.strip("\n"))
        parts = ["NAME          TEST" + body.rstrip(), "ENDATA", "ELEMENTS      TEST", "TEMPORARIES"]
        parts += [temporaries, "GLOBALS", global_cards, "INDIVIDUALS", " T  T", functions, "ENDATA"]
        path.write_text("\n".join(part.strip("\n") for part in parts if part) + "\n" + rest)
        return from_sif(path, cutest_digits=digits)

    return build


def check(problem, value, gradient, hessian):
    x = problem.x0
    assert problem.objective(x) == pytest.approx(value, rel=1e-15)
    np.testing.assert_allclose(problem.gradient(x), gradient, rtol=1e-14)
    np.testing.assert_allclose(problem.constraints(x), [2 * value], rtol=1e-15)
    np.testing.assert_allclose(problem.jacobian(x).toarray(), [2 * np.array(gradient)], rtol=1e-14)
    np.testing.assert_allclose(problem.hessian(x).toarray(), hessian, rtol=1e-14)
    np.testing.assert_allclose(
        problem.hessian(x, np.array([0.5])).toarray(), 2 * np.array(hessian), rtol=1e-14
    )


def test_value_gradient_and_hessian(compiled):
    problem = compiled("""
 F                      V**2 * W
 G  V                   2.0 * V * W
 G  W                   V**2
 H  V         V         2.0 * W
 H  W         V         2.0 * V
""")
    check(problem, X**2 * Y, [2 * X * Y, X**2], [[2 * Y, 2 * X], [2 * X, 0]])


def test_missing_derivatives_are_zero(compiled):
    problem = compiled("""
 F                      V**2 * W
 G  V                   2.0 * V * W
 H  V         V         2.0 * W
""")
    check(problem, X**2 * Y, [2 * X * Y, 0], [[2 * Y, 0], [0, 0]])


def test_assignments_continuations_and_case(compiled):
    problem = compiled(
        """
 A  t                   V *
 A+                     ( w
 A+                       + 1.0D 0 )
 F                      T
 F+                     * 2.0
 G  v                   2.0 * (W + 1.0
 G+                     )
 G  W                   2.0 * v
 H  V         w         2.
 H+                     0
""",
        temporaries=" R  T",
    )
    check(problem, 2 * X * (Y + 1), [2 * (Y + 1), 2 * X], [[0, 2], [2, 0]])


@pytest.mark.parametrize("limit", ["1.0", "2.5"])
def test_conditions(compiled, limit):
    problem = compiled(
        f"""
 A  BIG                 V .GT. {limit}
 I  BIG       A         V * W
 E  BIG       A         W * W
 I  BIG       B         W
 E  BIG       B         0.0
 F                      A
 G  V                   B
""",
        temporaries=" L  BIG\n R  A\n R  B",
    )
    expected = (X * Y, [Y, 0]) if float(limit) < X else (Y * Y, [0, 0])
    check(problem, *expected, np.zeros((2, 2)))


def test_conditional_after_unconditional_assignment_and_chosen_logicals(compiled):
    problem = compiled(
        """
 A  P                   V .GT. 0.0
 A  Q                   W .LT. 0.0
 A  A                   5.0
 I  Q         A         7.0
 E  P         Q         .TRUE.
 I  P         P         Q .OR. V .EQ. 2.0
 I  P         A         A + V
 F                      A
""",
        temporaries=" L  P\n L  Q\n R  A",
    )
    check(problem, 5.0 + X, [0, 0], np.zeros((2, 2)))


def test_branches_that_are_not_taken_may_be_undefined(compiled):
    problem = compiled(
        """
 A  POS                 V .GT. 4.0
 I  POS       A         LOG( V - 4.0 ) / ( V - 2.0 )
 E  POS       A         V
 F                      A
 G  V                   1.0
""",
        temporaries=" L  POS\n R  A\n M  LOG",
    )
    check(problem, X, [1, 0], np.zeros((2, 2)))


def test_cards_after_f_belong_to_the_derivatives(compiled):
    problem = compiled(
        """
 A  T                   V * W
 F                      T
 A  T                   W + 10.0
 G  V                   T
 A  T                   100.0
 G  W                   T * V
""",
        temporaries=" R  T",
    )
    check(problem, X * Y, [Y + 10, 100 * X], np.zeros((2, 2)))


def test_integer_temporaries_truncate_and_globals_run_first(compiled):
    problem = compiled(
        """
 A  K                   V * 1.45D0
 A  T                   K / 2 + C
 F                      T * V + 7 / 2
 G  V                   T
""",
        temporaries=" I  K\n R  T\n R  C\n L  YES",
        global_cards="""
 A  YES                 1 .EQ. 1
 A  C                   4.0D0
 I  YES       C         C * C
 I+                     + 0.5D0
""",
    )
    t = int(X * 1.45) // 2 + 16.5
    check(problem, t * X + 3, [t, 0], np.zeros((2, 2)))


def test_variables_hide_globals_of_the_same_name(compiled):
    problem = compiled(
        """
 F                      V * 1.0
 G  V                   1.0
""",
        temporaries=" R  V",
        global_cards=" A  V                   77.0",
    )
    check(problem, X, [1, 0], np.zeros((2, 2)))


INTERNAL = """
 EV T         V                        W
 IV T         U
"""


def test_internal_variables(compiled):
    """U = 2 V - W from cards that add up: e = U^3."""
    problem = compiled(
        """
 R  U         V         1.0            W         -3.0
 R  U         W         2.0            V         1.0
 F                      U**3
 G  U                   3.0 * U**2
 H  U         U         6.0 * U
""",
        types=INTERNAL,
    )
    u, w = 2 * X - Y, np.array([2.0, -1.0])
    check(problem, u**3, 3 * u**2 * w, 6 * u * np.outer(w, w))


def test_two_internal_variables_give_wtgw_and_wthw(compiled):
    problem = compiled(
        """
 R  U         V         1.0            W         -1.0
 R  S         V         0.5            W         2.0
 F                      U * S * S
 G  U                   S * S
 G  S                   2.0 * U * S
 H  S         S         2.0 * U
 H  U         S         2.0 * S
""",
        types=INTERNAL + " IV T         S\n",
    )
    w = np.array([[1.0, -1.0], [0.5, 2.0]])
    u, s = w @ [X, Y]
    inner = np.array([[0, 2 * s], [2 * s, 2 * u]])
    check(problem, u * s * s, w.T @ [s * s, 2 * u * s], w.T @ inner @ w)


@pytest.mark.parametrize(("digits", "coefficient"), [(True, float(np.float32(3.14159))), (False, 3.14159265)])
def test_coefficients_of_internal_variables_have_cutests_digits(compiled, digits, coefficient):
    problem = compiled(
        """
 R  U         V         3.14159265     W         -1.0
 F                      U
 G  U                   1.0
""",
        types=INTERNAL,
        digits=digits,
    )
    gradient = np.array([coefficient, -1.0])
    check(problem, gradient @ [X, Y], gradient, np.zeros((2, 2)))


@pytest.mark.parametrize(("digits", "tenth"), [(True, float(np.float32(0.1))), (False, 0.1)])
def test_literals_have_cutests_digits(compiled, digits, tenth):
    problem = compiled(
        """
 F                      0.1 * V + 0.1D0 * W
 G  V                   0.1
 G  W                   0.1D0
""",
        digits=digits,
    )
    check(problem, tenth * X + 0.1 * Y, [tenth, 0.1], np.zeros((2, 2)))


def test_one_variable_in_two_places(compiled):
    problem = compiled(
        """
 F                      V * V * W
 G  V                   2.0 * V * W
 G  W                   V * V
 H  V         V         2.0 * W
 H  V         W         2.0 * V
""",
        uses=" V  E         V                        Y\n V  E         W                        Y",
    )
    check(problem, Y**3, [0, 3 * Y**2], [[0, 0], [0, 6 * Y]])


def test_parameters_are_told_apart_by_element(tmp_path):
    path = tmp_path / "PARAMS.SIF"
    path.write_text("""NAME          PARAMS
 IE N                   3              $-PARAMETER
 IE 1                   1
VARIABLES
 DO I         1                        N
 X  X(I)
 OD I
GROUPS
 N  OBJ
BOUNDS
 FR B         'DEFAULT'
START POINT
    S         'DEFAULT' 2.0
ELEMENT TYPE
 EV T         V
 EP T         P                        Q
ELEMENT USES
 T  'DEFAULT' T
 DO I         1                        N
 RI RI        I
 ZV E(I)      V                        X(I)
 ZP E(I)      P                        RI
 XP E(I)      Q         0.5
 OD I
GROUP USES
 DO I         1                        N
 XE OBJ       E(I)
 OD I
ENDATA
ELEMENTS      PARAMS
TEMPORARIES
 M  INT
INDIVIDUALS
 T  T
 F                      P * V ** INT( P ) + Q
 G  V                   P * P * V ** ( INT( P ) - 1 )
 H  V         V         P * P * ( P - 1.0 )
 H+                     * V ** ( INT( P ) - 2 )
ENDATA
""")
    problem = from_sif(path, N=4)
    p = np.arange(1.0, 5.0)
    x = problem.x0
    assert problem.objective(x) == pytest.approx((p * x**p + 0.5).sum(), rel=1e-15)
    np.testing.assert_allclose(problem.gradient(x), p**2 * x ** (p - 1), rtol=1e-15)
    np.testing.assert_allclose(
        problem.hessian(x).toarray(), np.diag(p**2 * (p - 1) * x ** (p - 2)), rtol=1e-15
    )
    assert problem.adjustable[0].name == "N"
    assert problem.parameters == {"N": 4}
    again = pickle.loads(pickle.dumps(problem))
    assert again.objective(x) == problem.objective(x)
    assert (again.variable_names, again.n) == (["X1", "X2", "X3", "X4"], 4)
    with pytest.raises(ValueError, match="twice"):
        from_sif(path, N=4, parameters={"N": 3})


GROUPED = """NAME          GROUPED
VARIABLES
    X
    Y
GROUPS
 N  OBJ       X         1.0            Y         2.0
 N  OBJ       'SCALE'   4.0
 N  PLAIN     X         1.0
 N  PLAIN     'SCALE'   -2.0
 L  CON       X         3.0
 L  CON       'SCALE'   5.0
 G  LIN       X         1.0            Y         -1.0
 G  LIN       'SCALE'   0.5
CONSTANTS
    RHS       OBJ       1.0            PLAIN     -3.0
    RHS       CON       2.0            LIN       4.0
RANGES
    RNG       CON       7.0            LIN       6.0
BOUNDS
 FR B         'DEFAULT'
START POINT
    S         X         0.5            Y         0.25
ELEMENT TYPE
 EV T         V                        W
ELEMENT USES
 T  E         T
 V  E         V                        X
 V  E         W                        Y
GROUP TYPE
 GV CUBE      GVAR
 GP CUBE      C
GROUP USES
 T  OBJ       CUBE
 P  OBJ       C         3.0
 E  OBJ       E         -2.0
 T  CON       CUBE
 P  CON       C         1.0
 E  CON       E
ENDATA
ELEMENTS      GROUPED
INDIVIDUALS
 T  T
 F                      V * W
 G  V                   W
 G  W                   V
 H  V         W         1.0
ENDATA
GROUPS        GROUPED
TEMPORARIES
 R  SQUARE
GLOBALS
 A  SQUARE              0.0
INDIVIDUALS
 T  CUBE
 A  SQUARE              GVAR * GVAR
 F                      C * GVAR * SQUARE
 G                      3.0 * C * SQUARE
 H                      6.0 * C * GVAR
ENDATA
"""


def test_groups(tmp_path):
    """F = g(a) / s with a = sum w e + linear - b, and its chain rule by central differences."""
    path = tmp_path / "GROUPED.SIF"
    path.write_text(GROUPED)
    problem = from_sif(path)

    def objective(x):
        return 3 * (-2 * x[0] * x[1] + x[0] + 2 * x[1] - 1) ** 3 / 4 + (x[0] + 3) / -2

    def constraints(x):
        return np.array([(x[0] * x[1] + 3 * x[0] - 2) ** 3 / 5, (x[0] - x[1] - 4) / 0.5])

    x, step, y = problem.x0, 1e-5, np.array([0.7, 1.3])
    assert problem.objective(x) == pytest.approx(objective(x), rel=1e-14)
    np.testing.assert_allclose(problem.constraints(x), constraints(x), rtol=1e-14)
    steps = step * np.eye(2)
    slope = [(objective(x + e) - objective(x - e)) / (2 * step) for e in steps]
    np.testing.assert_allclose(problem.gradient(x), slope, rtol=1e-8)
    jacobian = [(constraints(x + e) - constraints(x - e)) / (2 * step) for e in steps]
    np.testing.assert_allclose(problem.jacobian(x).toarray(), np.transpose(jacobian), rtol=1e-8)

    def lagrangian_gradient(z):
        return problem.gradient(z) + problem.vjp(z, y)

    curvature = [(lagrangian_gradient(x + e) - lagrangian_gradient(x - e)) / (2 * step) for e in steps]
    np.testing.assert_allclose(problem.hessian(x, y).toarray(), curvature, rtol=1e-7)
    np.testing.assert_array_equal(problem.cl, [-7.0, 0.0])
    np.testing.assert_array_equal(problem.cu, [0.0, 6.0])
    np.testing.assert_array_equal(problem.linear_constraints, [False, True])
    np.testing.assert_array_equal(problem.trivial_constraints, [False, True])
    assert problem.constraint_names == ["CON", "LIN"]


FUNCTION = " F                      FOO( V )"


@pytest.mark.parametrize(
    ("functions", "options", "message"),
    [
        (FUNCTION, {"temporaries": " F  FOO"}, r"line \d+: the external function FOO is needed.*FOO\( V \)"),
        (FUNCTION, {}, "FOO is no intrinsic"),
        (" F                      V + Z", {}, r"Z has no value here: .*V \+ Z"),
        (" A  T                   1.0\n F                      T", {}, "T is assigned but not declared"),
        (" G  V                   1.0", {}, "type 'T' has no F card"),
        (" F                      1.0\n G  Q                   1.0", {}, "Q is no variable of this type"),
        (" F                      1.0\n G                      1.0", {}, "a blank is no variable"),
        (" F                      1.0\n H+                     1.0", {}, "continues none of its kind"),
        (" F                      1.0\n Q  V                   1.0", {}, "'Q' is no code"),
        (" I  L         T         1.0", {"temporaries": " R  T\n L  L"}, "L has no value here"),
        (" A  T                   V\n I  T         T         1.0", {"temporaries": " R  T"}, "double value"),
        (" R  U         Z         1.0\n F                      U", {"types": INTERNAL}, "Z is no variable"),
        (" R  U         V         1.x\n F                      U", {"types": INTERNAL}, "is not a number"),
        (" F                      V", {"types": INTERNAL}, "V has no value here"),
        (
            " F                      V",
            {"types": TWO.replace("W", "v"), "uses": ON_XY.replace("W", "v")},
            "two variables",
        ),
        (
            " F                      V",
            {"rest": "      SUBROUTINE FOO( X )\n      END\n"},
            "needs the Fortran subprograms FOO",
        ),
    ],
)
def test_errors_name_file_line_and_card(compiled, functions, options, message):
    with pytest.raises(SIFError, match=message) as caught:
        compiled(functions, **options)
    assert "TEST.SIF" in caught.value.file


def test_types_without_functions_are_refused(tmp_path):
    path = tmp_path / "TEST.SIF"
    body = DATA.format(types=TWO, uses=ON_XY)
    path.write_text(f"NAME          TEST{body}ENDATA\n")
    with pytest.raises(SIFError, match="type 'T' is used"):
        from_sif(path)


CORRUPTED = GROUPED.replace(
    " T  T\n F                      V * W\n",
    """ T  T
 A  A                   1 .EQ. K .OR. .NOT. ( V .GT. 0.5 )
 I  A         B         MOD( 7, 3 ) ** 2 / K
 F                      V * W + SIGN( B, -V ) + INT( B )
 F+                     ** 2
""",
).replace(
    "INDIVIDUALS\n T  T",
    "TEMPORARIES\n L  A\n R  B\n I  K\nGLOBALS\n A  K                   3\nINDIVIDUALS\n T  T",
    1,
)


def test_the_functions_that_are_corrupted_below(tmp_path):
    path = tmp_path / "GOOD.SIF"
    path.write_text(CORRUPTED)
    x, y = 0.25, 2.0
    # A holds, since V <= 0.5: B = (7 mod 3)**2 / 3 = 0 by integer division.
    expected = 3 * (-2 * (x * y - 0.0) + x + 2 * y - 1) ** 3 / 4 + (x + 3) / -2
    assert from_sif(path).objective(np.array([x, y])) == pytest.approx(expected, rel=1e-14)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_corrupted_functions_raise_sif_errors_only(tmp_path, data):
    first = CORRUPTED.index("ENDATA") + 7
    text = list(CORRUPTED)
    for _ in range(data.draw(st.integers(1, 4))):
        at = data.draw(st.integers(first, len(text) - 1))
        text[at] = data.draw(st.sampled_from(list("ABEFGHIKTVW+-*/().,0123 \n$'")))
    path = tmp_path / "BAD.SIF"
    path.write_text("".join(text))
    try:
        form = partially_separable(read_structure(path), str(path))
    except SIFError:
        return
    assert len(form.element_functions) == len(form.group_functions) == 1
