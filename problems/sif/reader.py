"""Read a SIF file: its head alone (`read_head`), or all but the functions' meaning (`read_structure`)."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain
from math import isfinite
from numbers import Real
from os import PathLike, fspath

from .cards import header, is_comment, is_header, number, slice_card
from .condense import Surroundings, condense
from .errors import SIFError
from .expand import MAX_CARDS, Section, run_cards
from .function_parts import read_function_part, subprogram_names
from .grammar import SECTION_NAMES
from .structure import Adjustable, FunctionPart, Structure

_CLASSIFICATION = re.compile(r"^\*.*classification\s+([A-Za-z]\S*)", re.IGNORECASE)
_MARK = "$-PARAMETER"
_ADJUSTABLE_CODES = {"IE": int, "RE": float, "AE": float}
# An alternative is the active card with a star in column 1, sometimes shifted by a column.
_ALTERNATIVE = re.compile(r"^\*\s?(IE|RE|AE)\s+(\S.*?)\s+(\S+)\s+\$-PARAMETER")


@dataclass(frozen=True)
class Head:
    """What a SIF file says before its first section.

    Attributes
    ----------
    name, classification : str
        From the NAME card, and from the comment that carries it ("" where none does).
    adjustable : tuple of Adjustable
        The parameters marked ``$-PARAMETER``.
    """

    name: str
    classification: str
    adjustable: tuple[Adjustable, ...]


def read_head(path: str | PathLike[str]) -> Head:
    """Read name, classification and adjustable parameters; stops at the first section.

    Parameters
    ----------
    path : path
        The SIF file.

    Raises
    ------
    SIFError
        Where there is no NAME card or a marked card cannot be read.
    OSError
        Where the file cannot be opened.
    """
    file = fspath(path)
    with open(file, encoding="latin-1", newline="\n") as handle:
        lines = ((line, text.rstrip("\r\n").expandtabs()) for line, text in enumerate(handle, 1))
        return _Head.read(file, lines).head()


def read_structure(
    path: str | PathLike[str],
    parameters: Mapping[str, float] | None = None,
    *,
    cutest_digits: bool = True,
    max_cards: int = MAX_CARDS,
) -> Structure:
    """Read a SIF file and expand its data part.

    Parameters
    ----------
    path : path
        The SIF file, in fixed format.
    parameters : mapping of str to number, optional
        Values instead of the defaults of parameters marked ``$-PARAMETER``.
    cutest_digits : bool
        Round the data to 11 significant digits, as the Fortran decoder does (the default, since results are
        compared with CUTEst's); False keeps the decimals of the file.
    max_cards : int
        Card executions after which the file is refused (parameter cards count a tenth). The default leaves
        room for several times the largest default size of the collection.

    Returns
    -------
    Structure

    Raises
    ------
    SIFError
        For a file that cannot be read; names file, line and card.
    ValueError
        For a parameter that the file does not offer or a value that does not fit it.
    OSError
        Where the file cannot be opened.
    """
    file = fspath(path)
    with open(file, encoding="latin-1", newline="\n") as handle:
        lines = enumerate(handle.read().expandtabs().replace("\r\n", "\n").split("\n"), 1)
    reading = _Head.read(file, lines)
    head = reading.head()
    overrides = reading.overrides(dict(parameters or {}), head.adjustable)
    sections = list(_sections(file, reading, lines))
    element_functions, group_functions, subprograms = _functions(file, lines)
    assembly = run_cards(file, sections, overrides, cutest_digits=cutest_digits, max_cards=max_cards)
    surroundings = Surroundings(
        head.name, head.classification, head.adjustable, element_functions, group_functions, subprograms
    )
    try:
        return condense(assembly, surroundings, cutest_digits=cutest_digits)
    except SIFError as error:
        raise SIFError(error.reason, file=file) from None


class _Head:
    """The lines up to the first section."""

    def __init__(self, file: str) -> None:
        self.file = file
        self.name: str | None = None
        self.classification = ""
        self.cards: list[tuple[int, str]] = []
        self.marked: list[tuple[int, str]] = []
        self.alternatives: list[tuple[int, str]] = []
        self.next: tuple[int, str] | None = None

    @classmethod
    def read(cls, file: str, lines: Iterator[tuple[int, str]]) -> _Head:
        """Consume lines up to and with the header of the first section."""
        self = cls(file)
        for line, text in lines:
            if is_comment(text):
                self._comment(line, text)
            elif not is_header(text):
                if self.name is None:
                    raise SIFError("the file does not begin with NAME", file=file, line=line, card=text)
                self.cards.append((line, text))
                if _MARK in text:
                    self.marked.append((line, text))
            elif header(text[:5]) == "NAME" and self.name is None:
                self.name = text[14:24].strip()
            else:
                self.next = (line, text)
                break
        if self.name is None:
            first = self.next or (1, "")
            raise SIFError("the file does not begin with NAME", file=file, line=first[0], card=first[1])
        return self

    def _comment(self, line: int, text: str) -> None:
        if _MARK in text:
            self.alternatives.append((line, text))
        elif not self.classification and "lassification" in text:
            match = _CLASSIFICATION.match(text)
            if match:
                self.classification = match.group(1)

    def head(self) -> Head:
        """What the lines say."""
        others: dict[str, list[float | int]] = {}
        for _, text in self.alternatives:
            match = _ALTERNATIVE.match(text)
            if match:
                code, name, digits = match.groups()
                try:
                    others.setdefault(name, []).append(_ADJUSTABLE_CODES[code](number(digits)))
                except (SIFError, OverflowError):
                    continue
        adjustable = {}
        for line, text in self.marked:
            card = slice_card(line, text)
            if card.code in _ADJUSTABLE_CODES:
                try:
                    default = _ADJUSTABLE_CODES[card.code](number(card.field4))
                except (SIFError, OverflowError) as error:
                    raise SIFError(str(error), file=self.file, line=line, card=text) from None
                alternatives = tuple(v for v in dict.fromkeys(others.get(card.field2, ())) if v != default)
                adjustable[card.field2] = Adjustable(card.field2, default, alternatives)
        return Head(self.name or "", self.classification, tuple(adjustable.values()))

    def overrides(self, parameters: dict[str, float], adjustable: tuple[Adjustable, ...]) -> dict[int, float]:
        """Line of each marked card that the caller overrides, to its value."""
        offered = {each.name: each for each in adjustable}
        for name, value in parameters.items():
            if name not in offered:
                what = ", ".join(f"{each.name} (default {each.default})" for each in adjustable) or "nothing"
                raise ValueError(f"parameters: {name!r} cannot be set in {self.file}; {what} can be")
            if not isinstance(value, Real):
                raise TypeError(f"parameters: {name!r} is a number, got {type(value).__name__}")
            if not isfinite(value) or (isinstance(offered[name].default, int) and value != int(value)):
                what = "an integer" if isinstance(offered[name].default, int) else "finite"
                raise ValueError(f"parameters: {name!r} is {what}, got {value!r}")
        result = {}
        for line, text in self.marked:
            card = slice_card(line, text)
            if card.code in _ADJUSTABLE_CODES and card.field2 in parameters:
                result[line] = parameters[card.field2]
        return result


def _sections(file: str, head: _Head, lines: Iterator[tuple[int, str]]) -> Iterator[Section]:
    """The sections of part 1, the parameters before the first header under the name ""."""
    section = Section("", 0, head.cards)
    for line, text in chain([head.next] if head.next else [], lines):
        if is_comment(text):
            continue
        if not is_header(text):
            section.cards.append((line, text))
            continue
        yield section
        title = header(text)
        if title == "ENDATA":
            return
        if title not in SECTION_NAMES:
            free = "free format is not read" if title.startswith("FREE") else "the section is not known"
            raise SIFError(free, file=file, line=line, card=text)
        section = Section(SECTION_NAMES[title], line, [])
    raise SIFError("the file ends before the ENDATA of its data part", file=file)


def _functions(
    file: str, lines: Iterator[tuple[int, str]]
) -> tuple[FunctionPart, FunctionPart, tuple[str, ...]]:
    """Parts 2 to 4; absent ones are empty."""
    parts = {"ELEMENTS": FunctionPart({}, (), {}), "GROUPS": FunctionPart({}, (), {})}
    for line, text in lines:
        if is_comment(text):
            continue
        title = header(text) if is_header(text) else ""
        if title not in parts:
            rest: Iterable[tuple[int, str]] = chain([(line, text)], lines)
            return parts["ELEMENTS"], parts["GROUPS"], subprogram_names(rest)
        parts[title] = read_function_part(file, lines)
    return parts["ELEMENTS"], parts["GROUPS"], ()
