"""Corrupted SIF files: the reader answers with a `Structure` or a `SIFError` that names the file."""

from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from karush.problems.sif.errors import SIFError
from karush.problems.sif.reader import read_head, read_structure
from karush.problems.sif.structure import Structure

COLLECTION = Path(__file__).resolve().parents[4] / "shared" / "data" / "sif"
# Rows first, quadratic term, ranges, group parameters, subprograms, globals, three-deep loops.
FILES = [
    "HS21",
    "BIGGSC4",
    "AVGASA",
    "TABLE1",
    "HS118",
    "CAR2",
    "HS68",
    "DALLASS",
    "ANTWERP",
    "LUBRIF",
    "CHANDHEU",
]
FILES += ["ALLINITC", "OSBORNEB", "RDW2D51F", "NUFFIELD", "GPP", "DECONVBNE", "MEYER3", "HATFLDBNE", "CRESC4"]

SYNTHETIC = """\
*   classification QQR2-AN-V-V
NAME          SYNTH
*IE N                   100            $-PARAMETER
 IE N                   4              $-PARAMETER
 IE 1                   1
 IE 2                   2
 RE W                   0.5            $-PARAMETER
 RI RN        N
 R/ H         W                        RN
 RF S         SQRT      2.0
 R( T         EXP                      S
VARIABLES
 DO I         1                        N
 DO J         1                        I
 X  X(I,J)
 ND
GROUPS
 DO I         1                        N
 DI I         2
 IA K         I         1
 XN OBJ       X(I,I)    2.0            X(N,1)    1.0
 ZL C(I)      X(I,1)                   H
 XL C(I)      'SCALE'   4.0
 ND
 DE D         OBJ       1.0            C1        2.0
CONSTANTS
    RHS       'DEFAULT' 1.0
RANGES
 X  RNG       C(1)      2.0
BOUNDS
 FR B         'DEFAULT'
 UP B         X1,1      0.0
START POINT
 XV S         'DEFAULT' 1.0
 M  S         C1        2.0
QUADRATIC
    X1,1      X1,1      2.0            X2,1      1.0
ELEMENT TYPE
 EV PROD      V                        W
 IV PROD      U
 EP PROD      P
ELEMENT USES
 T  'DEFAULT' PROD
 DO I         1                        N
 ZV E(I)      V                        X(I,1)
 ZV E(I)      W                        X(N,I)
 ZP E(I)      P                        T
 OD I
GROUP TYPE
 GV L2        G
 GP L2        P
GROUP USES
 DO I         1                        N
 XE OBJ       E(I)      2.0
 OD I
 T  OBJ       L2
 P  OBJ       P         1.0
OBJECT BOUND
 LO SYNTH               0.0
ENDATA
ELEMENTS      SYNTH
TEMPORARIES
 R  A
 M  SQRT
GLOBALS
 A  A                   1.0D0
INDIVIDUALS
 T  PROD
 R  U         V         1.0            W         1.0
 F                      A * U
 G  U                   A
ENDATA
GROUPS        SYNTH
INDIVIDUALS
 T  L2
 F                      G * G
 G                      2.0 * G
 H                      2.0
ENDATA
"""

many = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[
        HealthCheck.function_scoped_fixture,
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
    ],
)


def sources():
    """The synthetic file, and files of the collection where they are there."""
    texts = {"SYNTH": SYNTHETIC}
    for name in FILES:
        path = COLLECTION / f"{name}.SIF"
        if path.is_file():
            texts[name] = path.read_text(encoding="latin-1")
    return texts


SOURCES = sources()
NUMBERS = ["", "0", "-1", "1.0D+308", "999999999", "1.0D-400", "- 7", "0.0", "1.2.3", "NaN", "2147483648"]
WORDS = [
    "'DEFAULT'",
    "'SCALE'",
    "'MARKER'",
    "X(",
    "X(I,J,K,L)",
    "X()",
    "$",
    "{I}",
    "\\N{BULLET}",
    "\x00",
    "I",
]


def changed(draw, lines):
    """One corruption of a file's lines."""
    position = draw(st.integers(0, len(lines) - 1))
    line = lines[position]
    column = draw(st.integers(0, max(len(line) - 1, 0)))
    kind = draw(
        st.sampled_from(
            ["truncate", "cut", "flip", "delete", "double", "swap", "number", "word", "code", "join"]
        )
    )
    if kind == "truncate":
        return lines[:position] or ["NAME          T"]
    if kind == "delete":
        return lines[:position] + lines[position + 1 :] or ["NAME          T"]
    if kind == "double":
        other = draw(st.integers(0, len(lines)))
        return [*lines[:other], line, *lines[other:]]
    if kind == "swap":
        other = draw(st.integers(0, len(lines) - 1))
        lines = list(lines)
        lines[position], lines[other] = lines[other], line
        return lines
    if kind == "cut":
        line = line[:column]
    elif kind == "flip":
        line = line[:column] + chr(draw(st.integers(0, 255))) + line[column + 1 :]
    elif kind == "number":
        line = f"{line:24.24}{draw(st.sampled_from(NUMBERS)):12}{line[36:]}"
    elif kind == "word":
        start = draw(st.sampled_from([4, 14, 39]))
        line = f"{line.ljust(start)[:start]}{draw(st.sampled_from(WORDS)):10}{line[start + 10 :]}"
    elif kind == "code":
        line = f" {draw(st.sampled_from(CODES)):2}{line[3:]}"
    else:
        line = line + lines[draw(st.integers(0, len(lines) - 1))]
    return [*lines[:position], line, *lines[position + 1 :]]


CODES = [
    "",
    "X",
    "Z",
    "IE",
    "IM",
    "I*",
    "I/",
    "RE",
    "R/",
    "RF",
    "R(",
    "A*",
    "AE",
    "DO",
    "DI",
    "OD",
    "ND",
    "XN",
]
CODES += [
    "ZE",
    "DN",
    "UP",
    "MI",
    "XU",
    "V",
    "ZV",
    "T",
    "XT",
    "P",
    "XE",
    "EV",
    "IV",
    "GP",
    "M",
    "E",
    "\xff",
    "(",
]


@st.composite
def corrupted(draw, names):
    lines = SOURCES[draw(st.sampled_from(names))].split("\n")
    for _ in range(draw(st.integers(1, 4))):
        lines = changed(draw, lines)
    return "\n".join(lines)


def named(error, path):
    """The error, which says where."""
    assert error.file == str(path)
    assert error.reason
    return error


def read(path, text):
    """Read a file; the outcome is a structure or a `SIFError`, any other exception is the test's failure."""
    path.write_text(text, encoding="latin-1", newline="\n")
    try:
        # Few card executions, so that absurd loop limits end soon.
        structure = read_structure(path, max_cards=5_000)
    except SIFError as error:
        return named(error, path)
    assert isinstance(structure, Structure)
    assert structure.element_start.size == len(structure.elements) + 1
    assert (structure.element_variables >= 0).all()
    assert (structure.element_variables < len(structure.variables)).all()
    return structure


def test_the_synthetic_file_is_valid(tmp_path):
    structure = read(tmp_path / "SYNTH.SIF", SYNTHETIC)
    assert isinstance(structure, Structure)
    assert len(structure.variables) == 10


@many
@given(text=corrupted(["SYNTH"]))
def test_a_corrupted_synthetic_file_is_read_or_refused(tmp_path, text):
    read(tmp_path / "FUZZ.SIF", text)


@pytest.mark.skipif(len(SOURCES) < 2, reason="CUTEst's files (shared/data/sif) are not beside the repository")
@many
@given(text=corrupted(sorted(SOURCES)))
def test_a_corrupted_file_of_the_collection_is_read_or_refused(tmp_path, text):
    read(tmp_path / "FUZZ.SIF", text)


@many
@given(cut=st.integers(0, len(SYNTHETIC)))
def test_a_truncated_file_is_refused(tmp_path, cut):
    """Nothing can be missing up to the last ENDATA, since all functions are used."""
    needed = SYNTHETIC.rindex("ENDATA") + len("ENDATA")
    outcome = read(tmp_path / "CUT.SIF", SYNTHETIC[:cut])
    assert isinstance(outcome, SIFError) == (cut < needed)


@many
@given(text=st.one_of(st.text(alphabet=st.characters(max_codepoint=255), max_size=400), corrupted(["SYNTH"])))
def test_heads_of_anything(tmp_path, text):
    path = tmp_path / "HEAD.SIF"
    path.write_text(text, encoding="latin-1", newline="\n")
    try:
        assert isinstance(read_head(path).name, str)
    except SIFError as error:
        named(error, path)
