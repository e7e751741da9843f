"""Parts 2 to 4 of a SIF file: cards of the element and group functions, names of Fortran subprograms."""

from __future__ import annotations

import re
from collections.abc import Iterable

from .cards import header, is_comment, is_header, slice_card
from .errors import SIFError
from .structure import Card, FunctionPart

_SUBPROGRAM = re.compile(r"^ {5,}[^!'\"(]*?\b(?:SUBROUTINE|FUNCTION)\s+([A-Z]\w*)", re.IGNORECASE)
_TEMPORARY_CODES = ("R", "I", "L", "M", "F")


def read_function_part(file: str, lines: Iterable[tuple[int, str]]) -> FunctionPart:
    """Read the ELEMENTS or the GROUPS part, from the line after its header up to its ENDATA.

    Parameters
    ----------
    file : str
        Named in errors.
    lines : iterable of (int, str)
        Line numbers and lines; consumed up to ENDATA.

    Raises
    ------
    SIFError
        Where the part does not end, a section is unknown or a card stands before its type.
    """
    part = _Part()
    for line, text in lines:
        if is_comment(text):
            continue
        try:
            if not is_header(text):
                part.add(slice_card(line, text))
            elif header(text) == "ENDATA":
                return FunctionPart(
                    part.temporaries,
                    tuple(part.globals),
                    {name: tuple(cards) for name, cards in part.individuals.items()},
                )
            else:
                part.open(header(text))
        except SIFError as error:
            raise SIFError(error.reason, file=file, line=line, card=text) from None
    raise SIFError("the file ends before the ENDATA of its functions", file=file)


class _Part:
    """A function part while it is read."""

    def __init__(self) -> None:
        self.temporaries: dict[str, str] = {}
        self.globals: list[Card] = []
        self.individuals: dict[str, list[Card]] = {}
        self.section = ""
        self.type = ""

    def open(self, section: str) -> None:
        if section not in ("TEMPORARIES", "GLOBALS", "INDIVIDUALS"):
            raise SIFError("a section of functions is TEMPORARIES, GLOBALS or INDIVIDUALS")
        self.section = section

    def add(self, card: Card) -> None:
        # Cards before the first section are ignored, as CUTEst's decoder does.
        if self.section == "TEMPORARIES":
            if card.code not in _TEMPORARY_CODES or not card.field2:
                raise SIFError("a temporary is declared by R, I, L, M or F and its name")
            self.temporaries[card.field2] = card.code
        elif self.section == "GLOBALS":
            self.globals.append(card)
        elif self.section == "INDIVIDUALS":
            self._add_individual(card)

    def _add_individual(self, card: Card) -> None:
        if card.code == "T":
            self.type = card.field2
            if self.type in self.individuals:
                raise SIFError(f"type {self.type!r} stands twice")
            self.individuals[self.type] = []
        elif not self.individuals:
            raise SIFError("the card stands before the first T card")
        else:
            self.individuals[self.type].append(card)


def subprogram_names(lines: Iterable[tuple[int, str]]) -> tuple[str, ...]:
    """Names of the Fortran subprograms in part 4, in order."""
    found = (_SUBPROGRAM.match(text) for _, text in lines if text[:1] == " ")
    return tuple(
        match.group(1).upper() for match in found if match and "END" not in match.group(0).upper().split()
    )
