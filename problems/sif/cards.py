"""Fixed-format cards: columns, comments and numbers (LANCELOT's SIF, part "fixed format")."""

from __future__ import annotations

import re

from .errors import SIFError
from .structure import Card

LAST_COLUMN = 65
"""What stands beyond it is dropped."""

_NUMBER = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:(?:[EDed][+-]?|(?P<bare>[+-]))[0-9]+)?")


def is_comment(text: str) -> bool:
    """Whether a line is a comment or blank."""
    return text.startswith("*") or not text[:LAST_COLUMN].strip()


def is_header(text: str) -> bool:
    """Whether a line that is not a comment opens a section."""
    return text[0] != " "


def header(text: str) -> str:
    """Name of the section that a header card opens: columns 1 to 12."""
    return text[:12].rstrip()


def slice_card(line: int, text: str) -> Card:
    """Cut a card into its fields; a ``$`` that begins field 3 or 5 makes the rest of the card a comment.

    Trailing blanks go, leading and inner ones stay. Field 7 overlays fields 4 to 6: the section decides which
    of them is meant.
    """
    if text[14:15] == "$":
        text = text[:14]
    field4 = text[24:36].rstrip()
    field7 = text[24:LAST_COLUMN].rstrip()
    if text[39:40] == "$":
        text = text[:39]
    return Card(
        line,
        text[1:3].strip(),
        text[4:14].rstrip(),
        text[14:24].rstrip(),
        field4,
        text[39:49].rstrip(),
        text[49:61].rstrip(),
        field7,
    )


def number(field: str) -> float:
    """Read a numeric field as Fortran does; an empty field is 0.

    Blanks may stand anywhere, the point is optional, the exponent's letter is D or E or missing:
    ``3.478+04``.

    Raises
    ------
    SIFError
        Where the field holds anything else; the caller adds file, line and card.
    """
    digits = field.replace(" ", "")
    if not digits:
        return 0.0
    match = _NUMBER.fullmatch(digits)
    if match is None:
        raise SIFError(f"{field.strip()!r} is not a number")
    if match["bare"]:
        digits = digits[: match.start("bare")] + "E" + digits[match.start("bare") :]
    return float(digits.replace("D", "E").replace("d", "e"))
