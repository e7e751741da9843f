"""Run part 1 of a SIF file: parameters, loops and array names, which leave calls of `assembly.Assembly`.

Part 1 is a program: integer and real parameters are its variables, DO its loops, every other card a call.
Its cards are translated to a line of Python each and run as one function; interpreting them would cost
several times as much, and problems of default size execute millions. Integer parameters are local variables
of that function; real ones, whose names may be array names, stay in a dictionary.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from math import inf
from types import TracebackType
from typing import Any, NamedTuple

from .assembly import Assembly
from .cards import slice_card
from .digits import cutest_real
from .errors import SIFError
from .grammar import (
    DECLARATIONS,
    FORMS,
    INTEGER_PARAMETERS,
    LOOP_CODES,
    MAX_LOOP_DEPTH,
    PARAMETER_FUNCTIONS,
    REAL_PARAMETERS,
    Form,
)
from .names import Names
from .statements import SectionStatements, assignment, truncated
from .structure import Card

MAX_CARDS = 20_000_000
"""Card executions after which a file is refused, several times what the largest problems need.

A parameter card counts a tenth: it is fast and leaves nothing behind.
"""

_COST_OF_CALL, _COST_OF_PARAMETER = 10, 1
_PROGRAM = "<part 1 of a SIF file>"


class Section(NamedTuple):
    """A section of part 1: its name in the grammar, its header's line, and its cards as (line, text)."""

    name: str
    line: int
    cards: list[tuple[int, str]]


def run_cards(
    file: str,
    sections: Iterable[Section],
    overrides: Mapping[int, float],
    *,
    cutest_digits: bool = True,
    max_cards: int = MAX_CARDS,
) -> Assembly:
    """Execute the cards of part 1.

    Parameters
    ----------
    file : str
        Named in errors.
    sections : iterable of Section
        In the order of the file.
    overrides : mapping of int to float
        Line of a parameter card to the value it gets instead of its own.
    cutest_digits : bool
        Whether integers become reals by way of single precision, as in the Fortran decoder.
    max_cards : int
        Card executions after which the file is refused, so that corrupted loop limits end.

    Raises
    ------
    SIFError
        For a card that the grammar does not know or that cannot be executed.
    """
    program = _Program(file, overrides)
    for section in sections:
        program.add_section(section)
    assembly = Assembly()
    program.run(assembly, max_cards, cutest_real if cutest_digits else float)
    return assembly


class _Loop(NamedTuple):
    """An open loop: where its line stands in the program, and the Python names of its variable and limits."""

    position: int
    variable: str
    first: str
    last: str
    step: str


class _Program:
    """Cards translated to Python; line k of the function's body comes from card ``origins[k]``."""

    def __init__(self, file: str, overrides: Mapping[int, float]) -> None:
        self.file, self.overrides = file, overrides
        self.lines: list[str] = []
        self.costs: list[int] = []
        self.origins: list[tuple[int, str]] = []
        self.names = Names()
        self.loops: list[_Loop] = []
        self.declared: set[str] = set()

    # -- translation

    def add_section(self, section: Section) -> None:
        """Translate the cards of a section."""
        statements = SectionStatements(section.name, self._forms(section), self.names)
        for line, text in section.cards:
            try:
                self._add_card(slice_card(line, text), (line, text), statements)
            except SIFError as error:
                raise SIFError(error.reason, file=self.file, line=line, card=text) from None
        if self.loops:
            line, text = self.origins[self.loops[-1].position]
            raise SIFError("the loop is not closed in its section", file=self.file, line=line, card=text)

    def _forms(self, section: Section) -> tuple[Form, ...]:
        """GROUPS or VARIABLES, whichever is first, only declares."""
        if section.name not in DECLARATIONS:
            return FORMS.get(section.name, ())
        if section.name in self.declared:
            raise SIFError(f"{section.name} stands twice", file=self.file, line=section.line)
        forms = FORMS if self.declared else DECLARATIONS
        self.declared.add(section.name)
        return forms[section.name]

    def _add_card(self, card: Card, origin: tuple[int, str], statements: SectionStatements) -> None:
        if card.code in LOOP_CODES:
            self._add_loop_card(card, origin)
        elif card.code in INTEGER_PARAMETERS or card.code in REAL_PARAMETERS:
            line = assignment(card, self.names, self.overrides.get(card.line))
            self._emit(line, origin, _COST_OF_PARAMETER)
        else:
            line = statements.statement(card)
            if line:
                self._emit(line, origin, _COST_OF_CALL)

    def _emit(self, line: str, origin: tuple[int, str], cost: int) -> None:
        self.lines.append(" " * (len(self.loops) + 1) + line)
        self.costs.append(cost)
        self.origins.append(origin)

    def _add_loop_card(self, card: Card, origin: tuple[int, str]) -> None:
        # A name expanded inside a loop is another one outside, and at the next pass.
        self.names.forget()
        if card.code == "DO":
            self._open_loop(card, origin)
        elif not self.loops:
            raise SIFError("there is no open loop")
        elif card.code == "DI":
            loop = self.loops[-1]
            if self.names.integer(card.field2) != loop.variable or len(self.lines) != loop.position + 1:
                raise SIFError("a DI card stands right after the DO card of its variable")
            self.loops[-1] = loop._replace(step=self.names.integer(card.field3))
        else:
            for _ in range(1 if card.code == "OD" else len(self.loops)):
                self._close_loop(origin)

    def _open_loop(self, card: Card, origin: tuple[int, str]) -> None:
        if len(self.loops) == MAX_LOOP_DEPTH:
            raise SIFError(f"loops are nested more than {MAX_LOOP_DEPTH} deep")
        names = (card.field2, card.field3, card.field5)
        variable, first, last = (self.names.integer(name) for name in names)
        if any(variable == loop.variable for loop in self.loops):
            raise SIFError(f"a loop over {card.field2!r} is open already")
        loop = _Loop(len(self.lines), variable, first, last, "1")
        self._emit("", origin, _COST_OF_PARAMETER)
        self.loops.append(loop)

    def _close_loop(self, origin: tuple[int, str]) -> None:
        """Write the loop's line, now that its step and the cost of a pass are known."""
        loop = self.loops[-1]
        if len(self.lines) == loop.position + 1:
            self._emit("pass", origin, _COST_OF_PARAMETER)
        self.loops.pop()
        cost = sum(self.costs[loop.position + 1 :])
        self.lines[loop.position] = (
            " " * (len(self.loops) + 1)
            + f"for {loop.variable} in passes({loop.first}, {loop.last}, {loop.step}, {cost}):"
        )
        # An outer loop need not pay for what this one pays for itself.
        self.costs[loop.position + 1 :] = [0] * (len(self.lines) - loop.position - 1)

    # -- execution

    def run(self, assembly: Assembly, max_cards: int, real: Callable[[int], float]) -> None:
        """Compile and run the function; an error names the card whose line raised it."""
        source = "def run():\n" + "\n".join(self.lines or [" pass"]) + "\n"
        namespace: dict[str, Any] = {verb: getattr(assembly, verb) for verb in _VERBS}
        namespace |= {
            "passes": _Budget(max_cards).passes,
            "integer": truncated,
            "quotient": _quotient,
            "real": real,
            "functions": PARAMETER_FUNCTIONS,
            "reals": {},
            "inf": inf,
        }
        exec(compile(source, _PROGRAM, "exec"), namespace)
        try:
            namespace["run"]()
        except SIFError as error:
            raise self._at_card(error.reason, error.__traceback__) from None
        except NameError as error:
            name = self.names.integer_of(str(error).split("'")[1])
            raise self._at_card(f"integer parameter {name!r} has no value", error.__traceback__) from None
        except KeyError as error:
            raise self._at_card(f"real parameter {error} has no value", error.__traceback__) from None
        except (ArithmeticError, ValueError) as error:
            raise self._at_card(f"the value cannot be computed: {error}", error.__traceback__) from None

    def _at_card(self, reason: str, traceback: TracebackType | None) -> SIFError:
        line, text = self.origins[0]
        while traceback is not None:
            if (
                traceback.tb_frame.f_code.co_filename == _PROGRAM
                and traceback.tb_frame.f_code.co_name == "run"
            ):
                # Line 1 is the def.
                line, text = self.origins[traceback.tb_lineno - 2]
            traceback = traceback.tb_next
        return SIFError(reason, file=self.file, line=line, card=text)


def _verbs() -> set[str]:
    forms = [form for table in (DECLARATIONS, FORMS) for section in table.values() for form in section]
    verbs = {verb for form in forms for verb in (form.verb, form.alone, *form.reserved.values())}
    return verbs - {""}


_VERBS = _verbs()


def _quotient(numerator: int, denominator: int) -> int:
    """Integer division that truncates towards zero."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


class _Budget:
    """Loops, as long as card executions are left."""

    def __init__(self, cards: int) -> None:
        self.cards, self.left = cards, cards * _COST_OF_CALL

    def passes(self, first: int, last: int, step: int, cost: int) -> range:
        """Values of a loop variable; ``cost`` is that of the cards of one pass."""
        if step == 0:
            raise SIFError("the step of a loop is 0")
        values = range(first, last + (1 if step > 0 else -1), step)
        self.left -= len(values) * cost
        if self.left < 0:
            raise SIFError(f"the file asks for more than {self.cards} card executions")
        return values
