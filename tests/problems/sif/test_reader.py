"""The data part of SIF files: the examples and the traps of the format, on small files written here."""

import pickle

import numpy as np
import pytest

from karush.problems.sif.errors import SIFError
from karush.problems.sif.reader import read_head, read_structure

# Element types: a square, one with two variables and a parameter, one with an internal variable.
FUNCTIONS = """
ELEMENTS      TEST
TEMPORARIES
 R  T
INDIVIDUALS
 T  SQ
 F                      V * V
 G  V                   2.0 * V
 H  V         V         2.0
 T  PROD
 F                      P * V * W
 T  DIFF
 R  U         V         1.0            W         -1.0
 A  T                   2.0
 A+                     * U
 F                      U * U
ENDATA
GROUPS        TEST
INDIVIDUALS
 T  L2
 F                      C * GVAR * GVAR
ENDATA
"""
TYPES = """
ELEMENT TYPE
 EV SQ        V
 EV PROD      V                        W
 EP PROD      P
 EV DIFF      V                        W
 IV DIFF      U
"""


@pytest.fixture
def read(tmp_path):
    """Read a data part, given from the card after NAME up to the one before ENDATA."""

    def reader(body, parameters=None, functions=FUNCTIONS, **options):
        path = tmp_path / "TEST.SIF"
        path.write_text("NAME          TEST\n" + body.strip("\n") + "\nENDATA\n" + functions)
        return read_structure(path, parameters, **options)

    return reader


def row(structure, group):
    """The linear part of a group, by variable name."""
    rows, columns, values = structure.linear
    here = rows == structure.groups.index(group)
    return {structure.variables[j]: v for j, v in zip(columns[here], values[here], strict=True)}


def bounds(structure):
    return dict(zip(structure.variables, zip(structure.lb, structure.ub, strict=True), strict=True))


def start(structure):
    return dict(zip(structure.variables, structure.x0, strict=True))


def constants(structure):
    return dict(zip(structure.groups, structure.constant, strict=True))


# -- parameters, loops and array names


def test_integer_and_real_arithmetic(read):
    got = read("""
 IE N                   7              $-PARAMETER
 IS A         N         3
 ID B         N         -22
 RI RN        N
 RD C         RN        3.5
VARIABLES
 X  Y(A,B)
GROUPS
 N  OBJ
CONSTANTS
 Z  RHS       OBJ                      C
""")
    assert got.variables == ["Y-4,-3"]
    assert constants(got) == {"OBJ": 0.5}


@pytest.mark.parametrize(
    ("card", "value"),
    [
        (" RE C                   2.5D-1", 0.25),
        (" RE C                   1.E+2", 100.0),
        (" RE C                   - 1. 5", -1.5),
        (" RE C                   3.478+02", 347.8),
        (" RE C", 0.0),
        (" R= C         X", 3.0),
        (" RA C         X         2.0", 5.0),
        (" RS C         X         2.0", -1.0),
        (" RM C         X         2.0", 6.0),
        (" RD C         X         2.0", 2.0 / 3.0),
        (" R+ C         X                        Y", 1.0),
        (" R- C         X                        Y", 5.0),
        (" R* C         X                        Y", -6.0),
        (" R/ C         X                        Y", -1.5),
        (" RI C         X", 9.0),
        (" RF C         SQRT      4.0", 2.0),
        (" R( C         ABS                      Y", 2.0),
        (" R( C         HYPCOS                   X", np.cosh(3.0)),
        (" AE C                   1.5", 1.5),
        (" AS C         X         1.0", -2.0),
        (" AD C         X         1.5", 0.5),
        (" AI C         X", 9.0),
        (" A( C         ARCTAN                   X", np.arctan(3.0)),
    ],
)
def test_real_parameter_cards(read, card, value):
    # X is an integer as well: integer and real parameters are two name spaces.
    got = read(
        f"""
 IE X                   9
 RE X                   3.0
 RE Y                   -2.0
{card}
VARIABLES
    X1
GROUPS
 N  OBJ
CONSTANTS
 Z  RHS       OBJ                      C
""",
        cutest_digits=False,
    )
    assert constants(got) == {"OBJ": pytest.approx(value, rel=1e-15)}


@pytest.mark.parametrize(
    ("card", "value"),
    [
        (" I= K         M", -7),
        (" IA K         M         10", 3),
        (" IS K         M         1", 8),
        (" IM K         M         2", -14),
        (" ID K         M         22", -3),
        (" I+ K         M                        N", -5),
        (" I- K         M                        N", -9),
        (" I* K         M                        N", -14),
        (" I/ K         M                        N", -3),
        (" IR K         R", -2),
    ],
)
def test_integer_parameter_cards_truncate(read, card, value):
    got = read(f"""
 IE M                   -7
 IE N                   2
 RE R                   -2.9
{card}
VARIABLES
 X  X(K)
GROUPS
 N  OBJ
""")
    assert got.variables == [f"X{value}"]


def test_loops_nest_three_deep_with_steps_and_triangular_limits(read):
    got = read("""
 IE 1                   1
 IE 3                   3
 IE -1                  -1
 IE 2                   2
VARIABLES
 DO I         1                        3
 DI I         2
 DO J         I                        3
 DO K         2                        1
 DI K         -1
 X  X(I,J,K)
 ND
 X  LAST(I,J)
""")
    pairs = [(1, 1), (1, 2), (1, 3), (3, 3)]
    assert got.variables == [f"X{i},{j},{k}" for i, j in pairs for k in (2, 1)] + ["LAST3,3"]


def test_cards_of_a_loop_run_in_order_at_each_pass(read):
    got = read("""
 IE 1                   1
 IE 3                   3
 IE S                   0
 AE A0                  1.0
VARIABLES
 DO I         1                        3
 I+ S         S                        I
 X  X(S)
 IA I-1       I         -1
 AM A(I)      A(I-1)    2.0
 OD I
GROUPS
 XN OBJ
CONSTANTS
 Z  RHS       OBJ                      A(3)
""")
    assert got.variables == ["X1", "X3", "X6"]
    assert constants(got) == {"OBJ": 8.0}


def test_a_name_is_expanded_anew_when_its_index_changes(read):
    got = read("""
 IE I                   1
 AE P(I)                1.5
VARIABLES
 X  X(I)
 IA I         I         1
 X  X(I)
 A= P(I)      P1
 AA P(I)      P(I)      1.0
GROUPS
 XN G(I)
 ZN G(I)      X(I)                     P(I)
""")
    assert got.variables == ["X1", "X2"]
    assert row(got, "G2") == {"X2": 2.5}


def test_an_empty_loop_runs_no_card(read):
    got = read("""
 IE 1                   1
 IE 0                   0
VARIABLES
    X
 DO I         1                        0
 X  X(I)
 OD I
 DO I         1                        0
 OD I
GROUPS
 N  OBJ
""")
    assert got.variables == ["X"]


def test_array_names(read):
    """Parentheses are literal on plain cards; text after the bracket goes; empty indices vanish."""
    got = read("""
 IE I                   3
 IE -J                  -1
VARIABLES
 X  B(I,-J)
 X  B(I,,I)
 X  X(I)old
    B(I,-J)
 X  {'"\\(I)
 X  PLAIN
GROUPS
 N  OBJ       B3,-1     2.0            X3        1.0
""")
    assert got.variables == ["B3,-1", "B3,3", "X3", "B(I,-J)", "{'\"\\3", "PLAIN"]
    assert row(got, "OBJ") == {"B3,-1": 2.0, "X3": 1.0}


# -- cards


def test_comments_columns_and_blanks(read):
    got = read("""
*   a comment
VARIABLES                                                        none of this VARIABLES
    X1        $ the first
    N      1                           $ the second

    x1
GROUPS
 N  OBJ       X1        1.0            $ no pair here
  E C1        N      1  1.0         ab
 N  OBJ       x1        123456789.12345
 E  C1        X1        - 1 . 0                                  9.0
""")
    assert got.variables == ["X1", "N      1", "x1"]
    assert list(got.kinds) == ["N", "E"]
    # A one-letter code may stand in column 3; the number running past column 36 has lost its tail.
    assert row(got, "OBJ") == {"X1": 1.0, "x1": 123456789.12}
    assert row(got, "C1") == {"N      1": 1.0, "X1": -1.0}


def test_tabs_stand_for_blanks(read):
    got = read("VARIABLES\n    X1\t\t\t\t$ comment\nGROUPS\n N  OBJ")
    assert got.variables == ["X1"]


def test_carriage_returns_go(tmp_path):
    path = tmp_path / "CR.SIF"
    path.write_bytes(b"NAME          CR\r\nVARIABLES\r\n    X1\r\nGROUPS\r\n N  OBJ\r\nENDATA\r\n")
    assert read_structure(path).variables == ["X1"]


# -- groups and variables


def test_scale_right_hand_side_and_range(read):
    got = read("""
VARIABLES
    X1
    X2
GROUPS
 L  C1        X1        3.0            X2        1.0
 L  C1        X1        0.5
 L  C1        'SCALE'   4.0
CONSTANTS
    RHS       C1        2.0
RANGES
    RNG       C1        5.0
""")
    assert row(got, "C1") == {"X1": 3.5, "X2": 1.0}
    assert (got.scale[0], got.constant[0], got.ranges[0], got.kinds[0]) == (4.0, 2.0, 5.0, "L")


def test_scales_by_parameter_may_be_negative(read):
    got = read("""
 RE S                   -0.25
VARIABLES
    X1
GROUPS
 ZN OBJ       'SCALE'                  S
 N  OBJ       X1        1.0
""")
    assert got.scale.tolist() == [-0.25]


def test_groups_before_variables(read):
    """The first section only declares; a column's card then names variable, group, value."""
    got = read("""
ROWS
 N  OBJ       (the objective)
 G  C1
 L  C1
COLUMNS
    X1        OBJ       1.0            C1        2.0
    X1        'SCALE'   100.0
    X2        C1        -1.0
    MARKER    'MARKER'                 'INTORG'
    X3        'INTEGER'
RHS
    RHS       C1        4.0            OBJ       -1.0
""")
    assert got.variables == ["X1", "X2", "X3"]
    assert got.groups == ["OBJ", "C1"]
    assert list(got.kinds) == ["N", "G"]
    assert row(got, "C1") == {"X1": 2.0, "X2": -1.0}
    assert constants(got) == {"OBJ": -1.0, "C1": 4.0}


def test_repeated_coefficients_add_and_zero_sums_vanish(read):
    got = read("""
VARIABLES
    X1
    X2
GROUPS
 N  OBJ       X2        1.0            X1        0.25
 N  OBJ       X1        0.5            X2        -1.0
""")
    assert row(got, "OBJ") == {"X1": 0.75}
    assert got.linear[0].size == 1


def test_rows_of_d_cards_combine_unscaled_rows(read):
    got = read("""
VARIABLES
    X1
    X2
GROUPS
 N  A         X1        1.0            X2        2.0
 N  A         'SCALE'   10.0
 N  B         X1        1.0
 DE C         A         2.0            B         -2.0
 DG D         C         0.5
""")
    assert row(got, "C") == {"X2": 4.0}
    assert row(got, "D") == {"X2": 2.0}
    assert "".join(got.kinds) == "NNEG"


def test_default_constants_ranges_and_their_overwriting(read):
    got = read("""
 RE P                   -3.0
VARIABLES
    X1
GROUPS
 N  OBJ
 L  C1
 G  C2
 E  C3
CONSTANTS
    RHS       'DEFAULT' 5.0
    RHS       C1        1.0            C2        2.0
    RHS       C1        7.0
RANGES
    RNG       'DEFAULT' -4.0
 Z  RNG       C2                       P
""")
    assert constants(got) == {"OBJ": 5.0, "C1": 7.0, "C2": 2.0, "C3": 5.0}
    # No absolute value on X and Z cards.
    assert got.ranges.tolist() == [4.0, 4.0, -3.0, 4.0]


# -- bounds and start


def test_rules_of_bounds(read):
    inf = np.inf
    got = read("""
VARIABLES
    X1
    X2
    X3
    X4
    X5
    X6
    X7
GROUPS
 N  OBJ
BOUNDS
 UP B         X1        0.0
 UP B         X2        -5.0
 MI B         X3
 MI B         X4
 UP B         X4        4.0
 FX B         X5        2.0
 FR B         X6
 LO B         X6        -1.0D+20
 PL B         X5
""")
    assert bounds(got) == {
        "X1": (-inf, 0.0),
        "X2": (0.0, -5.0),
        "X3": (-inf, 0.0),
        "X4": (-inf, 4.0),
        "X5": (2.0, inf),
        "X6": (-inf, inf),
        "X7": (0.0, inf),
    }


def test_bounds_are_nonnegative_without_a_section(read):
    got = read("VARIABLES\n    X1\nGROUPS\n N  OBJ")
    assert bounds(got) == {"X1": (0.0, np.inf)}


def test_default_bounds_reset_and_arrays_have_x_and_z_forms(read):
    got = read("""
 IE 1                   1
 RE U                   3.5
VARIABLES
 X  X(1)
    X2
    X3
GROUPS
 N  OBJ
BOUNDS
 LO B         X2        1.0
 XR B         'DEFAULT'
 ZU B         X(1)                     U
 ZL B         X2                       U
 XX B         X3        -1.0
 UP OTHER     X2        -9.0
 PL B         'DEFAULT'
""")
    assert bounds(got) == {"X1": (-np.inf, 3.5), "X2": (3.5, np.inf), "X3": (-1.0, -1.0)}


def test_start_is_not_projected_and_only_the_first_vector_counts(read):
    got = read("""
VARIABLES
    X1
    X2
    X3
GROUPS
 N  OBJ
 E  C1
 E  C2
BOUNDS
 FX B         X1        1.0
START POINT
 XV FIRST     'DEFAULT' -2.0
 FR FIRST     'DEFAULT'
    FIRST     X1        5.0            X2        6.0
    FIRST     C1        0.5
 M  FIRST     C2        1.5
 V  SECOND    X1        9.0
    FRIST     X3        9.0
""")
    assert start(got) == {"X1": 5.0, "X2": 6.0, "X3": -2.0}
    assert got.y0.tolist() == [0.0, 0.5, 1.5]


def test_a_blank_default_starts_variables_and_multipliers(read):
    got = read("VARIABLES\n    X1\nGROUPS\n E  C1\nSTART POINT\n    S         'DEFAULT' 3.0")
    assert got.x0.tolist() == [3.0]
    assert got.y0.tolist() == [3.0]


# -- quadratic term, elements and groups


def test_quadratic_term_takes_pairs_in_either_order(read):
    got = read("""
VARIABLES
    X1
    X2
GROUPS
 N  OBJ
QUADRATIC
    X1        X1        2.0            X2        3.0
    X2        X1        0.5
""")
    assert [part.tolist() for part in got.quadratic] == [[0, 0], [0, 1], [2.0, 3.5]]


def test_elements_types_defaults_and_a_variable_from_a_v_card(read):
    got = read(
        """
 IE 1                   1
 RE P                   0.5
VARIABLES
    X1
    X2
GROUPS
 N  OBJ
BOUNDS
 XR B         'DEFAULT'
START POINT
 XV S         'DEFAULT' 1.0
"""
        + TYPES.strip("\n")
        + """
ELEMENT USES
 XT 'DEFAULT' SQ
 V  FIRST     V                        X2
 XT E(1)      PROD
 ZV E(1)      W                        X(1)
 ZV E(1)      V                        NEW
 ZP E(1)      P                        P
 T  E2        DIFF
 V  E2        V                        X1
 V  E2        W                        X1
""",
    )
    assert got.elements == ["FIRST", "E1", "E2"]
    assert [got.element_types[k].name for k in got.element_type] == ["SQ", "PROD", "DIFF"]
    used = [got.variables[j] for j in got.element_variables]
    assert np.split(used, got.element_start[1:-1])[1].tolist() == ["NEW", "X1"]
    assert used == ["X2", "NEW", "X1", "X1", "X1"]
    assert got.parameter_start.tolist() == [0, 0, 1, 1]
    assert got.element_parameters.tolist() == [0.5]
    assert got.element_types[2].internal == ("U",)
    assert got.element_types[0].internal == ()
    # Appended last, with the bounds' default but not the start's.
    assert start(got) == {"X1": 1.0, "X2": 1.0, "NEW": 0.0}
    assert bounds(got)["NEW"] == (-np.inf, np.inf)


def test_group_uses(read):
    got = read(
        """
 IE 2                   2
 RE W                   0.5
VARIABLES
    X1
GROUPS
 N  A
 E  G2
 N  C
"""
        + TYPES.strip("\n")
        + """
ELEMENT USES
 T  'DEFAULT' SQ
 V  E1        V                        X1
 V  E2        V                        X1
 V  E3        V                        X1
GROUP TYPE
 GV L2        GVAR
 GP L2        C
 GV L3        GVAR
GROUP USES
 T  'DEFAULT' L2
 T  C         L3
 E  A         E1                       E2        2.0
 XE G(2)      E1        -1.0           E3
 ZE G(2)      E2                       W
 P  A         C         3.0
 XP G(2)      C         4.0
""",
        functions=FUNCTIONS.replace(" T  L2\n", " T  L3\n F                      GVAR\n T  L2\n"),
    )
    uses = zip(got.use_group, got.use_element, got.use_weight, strict=True)
    named = [(got.groups[i], got.elements[e], w) for i, e, w in uses]
    assert named == [
        ("A", "E1", 1.0),
        ("A", "E2", 2.0),
        ("G2", "E1", -1.0),
        ("G2", "E3", 1.0),
        ("G2", "E2", 0.5),
    ]
    # The default type is that of every group without its own, constraints included.
    assert [got.group_types[k].name for k in got.group_type] == ["L2", "L2", "L3"]
    assert got.group_parameter_start.tolist() == [0, 1, 2, 2]
    assert got.group_parameters.tolist() == [3.0, 4.0]


def test_groups_are_trivial_without_a_type(read):
    got = read("VARIABLES\n    X1\nGROUPS\n N  OBJ\nOBJECT BOUND\n LO X         0.0\n anything")
    assert got.group_type.tolist() == [-1]


# -- function parts


def test_function_parts_keep_their_cards(read):
    got = read("VARIABLES\n    X1\nGROUPS\n N  OBJ")
    part = got.element_functions
    assert part.temporaries == {"T": "R"}
    assert list(part.individuals) == ["SQ", "PROD", "DIFF"]
    assert [card.code for card in part.individuals["DIFF"]] == ["R", "A", "A+", "F"]
    first, second = part.individuals["DIFF"][:2]
    assert (first.field2, first.field3, first.field4, first.field5, first.field6) == (
        "U",
        "V",
        "1.0",
        "W",
        "-1.0",
    )
    assert (second.field2, second.field7) == ("T", "2.0")
    assert list(got.group_functions.individuals) == ["L2"]
    assert got.subprograms == ()


def test_cards_before_the_first_section_of_functions_are_ignored(read):
    functions = FUNCTIONS.replace("ELEMENTS      TEST\n", "ELEMENTS      TEST\n R  IGNORED\n")
    assert read("VARIABLES\n    X1\nGROUPS\n N  OBJ", functions=functions).element_functions.temporaries == {
        "T": "R"
    }


def test_subprograms_are_named(read):
    functions = (
        FUNCTIONS
        + """
C  A FUNCTION in a comment
      DOUBLE PRECISION FUNCTION  AREA( X )
      AREA = X
      END FUNCTION AREA
      subroutine flow(Y)
      END
"""
    )
    assert read("VARIABLES\n    X1\nGROUPS\n N  OBJ", functions=functions).subprograms == ("AREA", "FLOW")


# -- adjustable parameters and the head

SIZED = """
*   classification OUR2-AN-V-0
*IE N                   10             $-PARAMETER
 IE N                   4              $-PARAMETER     default
* IE N                  100            $-PARAMETER
*RE C                   0.5            $-PARAMETER
 RE C                   1.0            $-PARAMETER
 IE 1                   1
VARIABLES
 DO I         1                        N
 X  X(I)
 OD I
GROUPS
 N  OBJ
CONSTANTS
 Z  RHS       OBJ                      C
"""


def test_parameters_override_defaults(read):
    got = read(SIZED)
    assert (len(got.variables), got.constant[0]) == (4, 1.0)
    got = read(SIZED, {"N": 7.0, "C": 3})
    assert (len(got.variables), got.constant[0]) == (7, 3.0)
    offered = {each.name: (each.default, each.alternatives) for each in got.adjustable}
    assert offered == {"N": (4, (10, 100)), "C": (1.0, (0.5,))}
    assert got.classification == "OUR2-AN-V-0"


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"M": 3}, ValueError, r"'M' cannot be set.*N \(default 4\), C \(default 1.0\)"),
        ({"1": 3}, ValueError, "'1' cannot be set"),
        ({"N": 2.5}, ValueError, "'N' is an integer, got 2.5"),
        ({"C": float("nan")}, ValueError, "'C' is finite, got nan"),
        ({"N": float("inf")}, ValueError, "'N' is an integer, got inf"),
        ({"N": "5"}, TypeError, "'N' is a number, got str"),
    ],
)
def test_wrong_parameters_are_named(read, parameters, error, message):
    with pytest.raises(error, match=message):
        read(SIZED, parameters)


def test_the_head_is_read_without_the_rest(tmp_path):
    path = tmp_path / "HEAD.SIF"
    path.write_text(
        "*   a title\n\nNAME          HEAD      and more\n" + SIZED + "no valid SIF from here on\n"
    )
    head = read_head(path)
    assert (head.name, head.classification) == ("HEAD", "OUR2-AN-V-0")
    assert [each.name for each in head.adjustable] == ["N", "C"]


# -- digits


def test_cutest_digits_are_eleven_and_an_option(read):
    body = """
 RE S                   3.0
 RD W         S         1.0
VARIABLES
    X1
GROUPS
 N  OBJ       X1        123456789012
 ZN OBJ       'SCALE'                  S
CONSTANTS
 Z  RHS       OBJ                      W
BOUNDS
 ZU B         X1                       W
"""
    rounded, exact = read(body), read(body, cutest_digits=False)
    assert row(rounded, "OBJ") == {"X1": 123456789010.0}
    assert row(exact, "OBJ") == {"X1": 123456789012.0}
    assert (rounded.constant[0], exact.constant[0]) == (0.33333333333, 1.0 / 3.0)
    assert rounded.ub[0] == 0.33333333333
    # The decoder hands on 1/s.
    assert 1.0 / rounded.scale[0] == pytest.approx(0.33333333333, rel=1e-15)
    assert exact.scale[0] == 3.0


# -- errors

VALID = "VARIABLES\n    X1\nGROUPS\n N  OBJ\n"


@pytest.mark.parametrize(
    ("body", "line", "message"),
    [
        (VALID + "BOUNDS\n UQ B         X1        1.0", 7, "'UQ' is not a code of BOUNDS"),
        (VALID + "BOUNDS\n UP B         X9        1.0", 7, "variable 'X9' is not declared"),
        (VALID + "BOUNDS\n UP B         X1        1.x", 7, "'1.x' is not a number"),
        (VALID + "BOUNDS\n ZU B         X1", 7, "real parameter in field 5 is missing"),
        (VALID + "BOUNDS\n ZU B         X1                       P", 7, "real parameter 'P' has no value"),
        (VALID + "CONSTANTS\n    RHS       C1        1.0", 7, "group 'C1' is not declared"),
        (VALID + "RANGES\n    RHS", 7, "field 3 is missing"),
        (VALID + "BOUNDARIES", 6, "section is not known"),
        ("FREE FORMAT\n" + VALID, 2, "free format"),
        (VALID + "VARIABLES\n    X2", 6, "VARIABLES stands twice"),
        (" N  OBJ\n" + VALID, 2, "no section has begun"),
        (" IE\n" + VALID, 2, "name of the parameter is missing"),
        (" IE N                   3000000000\n" + VALID, 2, "exceeds 2147483647"),
        (" IA N         M         1\n" + VALID, 2, "integer parameter 'M' has no value"),
        (" RF C         ROOT      2.0\n" + VALID, 2, "'ROOT' is not a function"),
        (" RF C         LOG       0.0\n" + VALID, 2, "cannot be computed"),
        (" RE A\n RD C         A         1.0\n" + VALID, 3, "cannot be computed"),
        (" IE A\n ID C         A         1\n" + VALID, 3, "cannot be computed"),
        (VALID.replace("    X1", " X  X(I)"), 3, "integer parameter 'I' has no value"),
        (VALID.replace("    X1", " X  X(I"), 3, "no closing parenthesis"),
        (VALID.replace("    X1", " X  X(I,I,I,I)"), 3, "more than 3 indices"),
        (VALID.replace("    X1", " OD I"), 3, "no open loop"),
        (" IE I                   1\n DO I         I                        I\n" + VALID, 3, "not closed"),
        (" IE I                   1\n DI I         I\n" + VALID, 3, "no open loop"),
        (VALID + " N  OBJ       X1        1.0            X2        1.0", 6, "variable 'X2' is not declared"),
        (VALID + " N  OBJ       'SCALE'   0.0", 6, "cannot be 0"),
        (
            VALID + "ELEMENT USES\n V  E1        V                        X1",
            7,
            "no type, and there is no default",
        ),
        (
            VALID + TYPES.strip() + "\nELEMENT USES\n T  E1        CUBE",
            13,
            "element type 'CUBE' is not declared",
        ),
        (
            VALID + TYPES.strip() + "\nELEMENT USES\n T  E1        SQ\n T  E1        DIFF",
            14,
            "has the type 'SQ' already",
        ),
        (
            VALID
            + TYPES.strip()
            + "\nELEMENT USES\n T  E1        SQ\n V  E1        W                        X1",
            14,
            "'SQ' has no variable 'W'",
        ),
        (VALID + TYPES.strip() + "\n EV SQ        V", 12, "'V' is named twice"),
        (VALID + "GROUP USES\n E  OBJ       E1", 7, "element 'E1' is not declared"),
        (VALID + "GROUP USES\n T  OBJ       L2", 7, "group type 'L2' is not declared"),
    ],
)
def test_errors_name_file_line_and_card(read, body, line, message):
    with pytest.raises(SIFError, match=message) as caught:
        read(body)
    error = caught.value
    assert error.file.endswith("TEST.SIF")
    assert error.line == line
    assert error.card == f"NAME          TEST\n{body}".splitlines()[line - 1] or "stands twice" in message
    assert str(pickle.loads(pickle.dumps(error))) == str(error)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (
            VALID + TYPES.strip() + "\nELEMENT USES\n T  E1        SQ",
            "'E1' of type 'SQ' lacks its variable 'V'",
        ),
        (
            VALID
            + TYPES.strip()
            + "\nELEMENT USES\n T  E1        PROD\n"
            + " V  E1        V                        X1\n V  E1        W                        X1",
            "'E1' of type 'PROD' lacks its parameter 'P'",
        ),
        (
            VALID + "GROUP TYPE\n GV L2        G\n GP L2        C\nGROUP USES\n T  OBJ       L2",
            "lacks a parameter",
        ),
        (
            VALID + "GROUP TYPE\n GV L4        G\nGROUP USES\n T  OBJ       L4",
            "'L4' is used, but its function",
        ),
        (VALID + "CONSTANTS\n    RHS       OBJ       1.0D+999", "constants are not all finite"),
    ],
)
def test_what_only_the_whole_shows(read, body, message):
    with pytest.raises(SIFError, match=message):
        read(body)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "does not begin with NAME"),
        ("VARIABLES\n", "does not begin with NAME"),
        (" IE N                   1\n", "does not begin with NAME"),
        ("NAME          T\nVARIABLES\n    X1\n", "ends before the ENDATA of its data"),
        (
            "NAME          T\nENDATA\nELEMENTS      T\nINDIVIDUALS\n",
            "ends before the ENDATA of its functions",
        ),
        ("NAME          T\nENDATA\nELEMENTS      T\nTYPES\n", "TEMPORARIES, GLOBALS or INDIVIDUALS"),
        ("NAME          T\nENDATA\nELEMENTS      T\nTEMPORARIES\n X  A\n", "R, I, L, M or F"),
        (
            "NAME          T\nENDATA\nGROUPS        T\nINDIVIDUALS\n F                      1\n",
            "before the first T",
        ),
    ],
)
def test_truncated_files(tmp_path, text, message):
    path = tmp_path / "T.SIF"
    path.write_text(text)
    with pytest.raises(SIFError, match=message):
        read_structure(path)


def test_absurd_loops_are_refused_before_they_run(read):
    body = """
 IE 1                   1
 IE N                   2000000000
VARIABLES
 DO I         1                        N
 X  X(I)
 OD I
"""
    with pytest.raises(SIFError, match="more than 20000000 card executions") as caught:
        read(body)
    assert caught.value.line == 5


def test_loops_pay_for_every_pass_and_integers_stay_fortran_s(read):
    nested = """
 IE 1                   1
 IE N                   2000
 IE K                   3
VARIABLES
 DO I         1                        N
 DO J         1                        N
 {card}
 ND
"""
    with pytest.raises(SIFError, match="more than 1000 card executions"):
        read(nested.format(card="I= K         K"), max_cards=1000)
    with pytest.raises(SIFError, match="exceeds 2147483647"):
        read(nested.format(card="I* K         K                        K"))
