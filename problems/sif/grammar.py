"""The grammar of part 1 of a SIF file, in one place: sections, codes of cards, what stands in which field.

The other modules know a card only as a `Form`; what a verb does is said in `assembly`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import NamedTuple

SECTION_NAMES: Mapping[str, str] = MappingProxyType(
    {
        "GROUPS": "GROUPS",
        "ROWS": "GROUPS",
        "CONSTRAINTS": "GROUPS",
        "VARIABLES": "VARIABLES",
        "COLUMNS": "VARIABLES",
        "CONSTANTS": "CONSTANTS",
        "RHS": "CONSTANTS",
        "RHS'": "CONSTANTS",
        "RANGES": "RANGES",
        "BOUNDS": "BOUNDS",
        "START POINT": "START POINT",
        "QUADRATIC": "QUADRATIC",
        "HESSIAN": "QUADRATIC",
        "QUADS": "QUADRATIC",
        "QUADOBJ": "QUADRATIC",
        "QSECTION": "QUADRATIC",
        "QMATRIX": "QUADRATIC",
        "ELEMENT TYPE": "ELEMENT TYPE",
        "ELEMENT USES": "ELEMENT USES",
        "GROUP TYPE": "GROUP TYPE",
        "GROUP USES": "GROUP USES",
        "OBJECT BOUND": "OBJECT BOUND",
    }
)
"""Header card to section; one section has several names."""


class Layout(Enum):
    """What follows field 2 on a card."""

    NOTHING = auto()
    """Nothing; the other fields may hold text."""
    NAME = auto()
    """Field 3: a name."""
    NAMES = auto()
    """Fields 3 and 5: one or two names, each a statement of its own."""
    VALUE = auto()
    """Fields 3, 4: a name and its number; Z cards: field 5, a real parameter."""
    VALUES = auto()
    """Fields 3, 4 and 5, 6: one or two names with numbers; Z cards: field 5, a real parameter."""
    VARIABLE = auto()
    """Fields 3, 5: two names."""
    TWO_ROWS = auto()
    """Fields 3, 4, 5, 6: two names with numbers, one statement."""


class Form(NamedTuple):
    """One kind of card.

    Attributes
    ----------
    verb : str
        Method of `assembly.Assembly` that the card calls.
    plain, array, real : tuple of str
        Codes on which parentheses are literal and the value is a number; on which names are array names
        (X forms); on which, besides, the value is a real parameter (Z forms).
    layout : Layout
        What follows field 2.
    field2, field3, field5 : bool
        Whether the name there is an array name on X and Z forms; if not, it is literal always.
    vector : bool
        Field 2 names a vector: only the first one of the section counts, and verbs do not get the name.
    reserved : mapping of str to str
        Names in field 3 (field 2 where field 3 is a type) that stand for another verb, or, empty, for none.
    blank : float
        Value of an empty numeric field.
    kind : str
        First argument of the verbs, where not empty.
    alone : str
        Verb of a card with nothing but field 2, if that is allowed.
    """

    verb: str
    plain: tuple[str, ...]
    array: tuple[str, ...]
    real: tuple[str, ...]
    layout: Layout
    field2: bool = False
    field3: bool = False
    field5: bool = False
    vector: bool = False
    reserved: Mapping[str, str] = MappingProxyType({})
    blank: float = 0.0
    kind: str = ""
    alone: str = ""


def _codes(first: str, *letters: str) -> tuple[str, ...]:
    """Codes of an X or a Z form: the prefix before each letter."""
    return tuple(first + letter for letter in letters)


def _group_forms(layout: Layout) -> tuple[Form, ...]:
    """N, E, L and G cards: what is declared, and in the second section the row's coefficients."""
    rows = tuple(
        Form(
            "row",
            (kind,),
            (f"X{kind}",),
            (f"Z{kind}",),
            layout,
            field2=True,
            field3=True,
            field5=True,
            kind=kind,
            alone="group",
            reserved={"'SCALE'": "scale"},
        )
        for kind in "NELG"
    )
    combinations = tuple(
        Form("combine", (f"D{kind}",), (), (), Layout.TWO_ROWS, field2=True, kind=kind) for kind in "NELG"
    )
    return rows + combinations


_MARKS = {"'SCALE'": "variable", "'INTEGER'": "variable", "'ZERO-ONE'": "variable", "'MARKER'": ""}


def _variable_forms(layout: Layout) -> tuple[Form, ...]:
    """Variables: declared, and in the second section their columns."""
    return (
        Form(
            "column",
            ("",),
            ("X", "XN"),
            ("Z", "ZN"),
            layout,
            field2=True,
            field3=True,
            field5=True,
            alone="variable",
            reserved=_MARKS,
        ),
    )


DECLARATIONS: Mapping[str, tuple[Form, ...]] = MappingProxyType(
    {"GROUPS": _group_forms(Layout.NOTHING), "VARIABLES": _variable_forms(Layout.NOTHING)}
)
"""Forms of GROUPS or VARIABLES, whichever comes first: names only."""


def _bound(verb: str, plain: str, array: str, real: str = "") -> Form:
    return Form(
        verb,
        (plain,),
        (array,),
        (real,) if real else (),
        Layout.VALUE,
        field3=True,
        field5=True,
        vector=True,
        reserved={"'DEFAULT'": f"{verb}_default"},
    )


def _start(verb: str, letter: str) -> Form:
    return Form(
        verb,
        (letter,),
        (f"X{letter}",),
        (f"Z{letter}",),
        Layout.VALUES,
        field3=True,
        field5=True,
        vector=True,
        reserved={"'DEFAULT'": f"{verb}_default"},
    )


_KINDS_OR_NOTHING = ("", "N", "E", "L", "G")

FORMS: Mapping[str, tuple[Form, ...]] = MappingProxyType(
    {
        "GROUPS": _group_forms(Layout.VALUES),
        "VARIABLES": _variable_forms(Layout.VALUES),
        "CONSTANTS": (
            Form(
                "constant",
                _KINDS_OR_NOTHING,
                _codes("X", *_KINDS_OR_NOTHING),
                _codes("Z", *_KINDS_OR_NOTHING),
                Layout.VALUES,
                field3=True,
                field5=True,
                vector=True,
                reserved={"'DEFAULT'": "constant_default"},
            ),
        ),
        # The decoder takes the absolute value on plain cards alone.
        "RANGES": tuple(
            Form(
                verb,
                plain,
                _codes("X", *array),
                _codes("Z", *array),
                Layout.VALUES,
                field3=True,
                field5=True,
                vector=True,
                reserved={"'DEFAULT'": f"{verb}_default"},
            )
            for verb, plain, array in (
                ("plain_range", _KINDS_OR_NOTHING, ()),
                ("signed_range", (), _KINDS_OR_NOTHING),
            )
        ),
        "BOUNDS": (
            _bound("lower", "LO", "XL", "ZL"),
            _bound("upper", "UP", "XU", "ZU"),
            _bound("fix", "FX", "XX", "ZX"),
            _bound("free", "FR", "XR"),
            _bound("minus_infinity", "MI", "XM"),
            _bound("plus_infinity", "PL", "XP"),
        ),
        "START POINT": (
            _start("start_variable", "V"),
            _start("start_multiplier", "M"),
            _start("start_either", ""),
        ),
        "QUADRATIC": (
            Form("curvature", ("",), ("X",), ("Z",), Layout.VALUES, field2=True, field3=True, field5=True),
        ),
        "ELEMENT TYPE": (
            Form("elemental_variable", ("EV",), (), (), Layout.NAMES),
            Form("internal_variable", ("IV",), (), (), Layout.NAMES),
            Form("element_parameter_name", ("EP",), (), (), Layout.NAMES),
        ),
        "ELEMENT USES": (
            Form(
                "element",
                ("T",),
                ("XT",),
                (),
                Layout.NAME,
                field2=True,
                reserved={"'DEFAULT'": "element_default"},
            ),
            Form("element_variable", ("V",), ("XV",), ("ZV",), Layout.VARIABLE, field2=True, field5=True),
            Form("element_parameter", ("P",), ("XP",), ("ZP",), Layout.VALUES, field2=True),
        ),
        "GROUP TYPE": (
            Form("group_variable", ("GV",), (), (), Layout.NAMES),
            Form("group_parameter_name", ("GP",), (), (), Layout.NAMES),
        ),
        "GROUP USES": (
            Form(
                "group_type",
                ("T",),
                ("XT",),
                (),
                Layout.NAME,
                field2=True,
                reserved={"'DEFAULT'": "group_type_default"},
            ),
            Form(
                "use",
                ("E",),
                ("XE",),
                ("ZE",),
                Layout.VALUES,
                field2=True,
                field3=True,
                field5=True,
                blank=1.0,
            ),
            Form("group_parameter", ("P",), ("XP",), ("ZP",), Layout.VALUES, field2=True),
        ),
    }
)
"""Section to its forms."""

SKIPPED_SECTIONS = ("OBJECT BOUND",)
"""Sections whose cards are not read."""

UNKNOWN_DEFAULTS_IGNORED = ("START POINT",)
"""Sections where a ``'DEFAULT'`` card with an unknown code does nothing (``FR`` in 8 files)."""

INTEGER_PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        "IE": "{n4}",
        "I=": "{p3}",
        "IA": "{n4} + {p3}",
        "IS": "{n4} - {p3}",
        "IM": "integer({n4} * {p3})",
        "ID": "quotient({n4}, {p3})",
        "I+": "integer({p3} + {p5})",
        "I-": "integer({p3} - {p5})",
        "I*": "integer({p3} * {p5})",
        "I/": "quotient({p3}, {p5})",
        "IR": "integer({real3})",
    }
)
"""Code to the value of the integer parameter in field 2.

``n4`` is the number in field 4, ``p3`` and ``p5`` are parameters of the same kind, ``real3`` and ``integer3``
of the kind named, ``f3`` is a function; ``integer`` truncates towards zero and refuses what a Fortran integer
cannot hold, ``quotient`` truncates towards zero, ``real`` makes an integer a real parameter.
"""

REAL_PARAMETERS: Mapping[str, str] = MappingProxyType(
    {
        first + second: value
        for first in "RA"
        for second, value in {
            "E": "{n4}",
            "=": "{p3}",
            "A": "{n4} + {p3}",
            "S": "{n4} - {p3}",
            "M": "{n4} * {p3}",
            "D": "{n4} / {p3}",
            "+": "{p3} + {p5}",
            "-": "{p3} - {p5}",
            "*": "{p3} * {p5}",
            "/": "{p3} / {p5}",
            "I": "real({integer3})",
            "F": "{f3}({n4})",
            "(": "{f3}({p5})",
        }.items()
    }
)
"""The same for real parameters: on R cards names are literal, on A cards they are array names."""

PARAMETER_FUNCTIONS: Mapping[str, Callable[[float], float]] = MappingProxyType(
    {
        "ABS": abs,
        "SQRT": math.sqrt,
        "EXP": math.exp,
        "LOG": math.log,
        "LOG10": math.log10,
        "SIN": math.sin,
        "COS": math.cos,
        "TAN": math.tan,
        "ARCSIN": math.asin,
        "ARCCOS": math.acos,
        "ARCTAN": math.atan,
        "HYPSIN": math.sinh,
        "HYPCOS": math.cosh,
        "HYPTAN": math.tanh,
    }
)
"""Functions of RF, AF, R( and A( cards."""

LOOP_CODES = ("DO", "DI", "OD", "ND")
MAX_LOOP_DEPTH = 3
MAX_INDICES = 3
"""Of an array name."""
