"""Run part 1 of a SIF file: parameters, loops and array names, which leave calls of `assembly.Assembly`.

Part 1 is a program: integer and real parameters are its variables, DO its loops, every other card a call. Cards are
translated to one line of Python each and run as one function; interpreting them would cost several times as much,
and problems of default size execute hundreds of thousands. Integer parameters become local variables of that
function; real ones, whose names may be array names, stay in a dictionary.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import TracebackType
from typing import NamedTuple

from .assembly import Assembly
from .cards import number, slice_card
from .errors import SIFError
from .grammar import (
    DECLARATIONS,
    FORMS,
    IGNORED_DEFAULTS,
    INTEGER_PARAMETERS,
    LOOP_CODES,
    MAX_INDICES,
    MAX_LOOP_DEPTH,
    PARAMETER_FUNCTIONS,
    REAL_PARAMETERS,
    Form,
    Layout,
)
from .structure import Card

MAX_EXECUTIONS = 20_000_000
"""Card executions after which a file is refused: some ten times what the largest problems need."""

_LARGEST_INTEGER = 2**31 - 1
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
    max_executions: int = MAX_EXECUTIONS,
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
    max_executions : int
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
    program.run(assembly, max_executions)
    return assembly


class _Loop(NamedTuple):
    """An open loop: where its line stands in the program, and the Python names of its variable and limits."""

    position: int
    variable: str
    first: str
    last: str
    step: str


class _Program:
    """Cards translated to Python, a line each; line k of the function comes from card ``cards[k]``."""

    def __init__(self, file: str, overrides: Mapping[int, float]) -> None:
        self.file, self.overrides = file, overrides
        self.lines: list[str] = []
        self.cards: list[tuple[int, str]] = []
        self.integers: dict[str, str] = {}
        self.loops: list[_Loop] = []
        self.seen: set[str] = set()

    # -- translation

    def add_section(self, section: Section) -> None:
        """Translate the cards of a section."""
        forms = FORMS
        if section.name in DECLARATIONS:
            if section.name in self.seen:
                raise SIFError(f"{section.name} stands twice", file=self.file, line=section.line)
            if not self.seen & DECLARATIONS.keys():
                forms = DECLARATIONS
        self.seen.add(section.name)
        reader = _SectionTranslator(section.name, forms.get(section.name, ()), self.names_of)
        if section.name == "BOUNDS":
            self._emit("open_bounds()", (section.line, ""))
        for line, text in section.cards:
            try:
                self._add_card(slice_card(line, text), (line, text), reader)
            except SIFError as error:
                raise SIFError(error.reason, file=self.file, line=line, card=text) from None
        if self.loops:
            line, text = self.cards[self.loops[-1].position]
            raise SIFError("the loop is not closed in its section", file=self.file, line=line, card=text)

    def _add_card(self, card: Card, origin: tuple[int, str], reader: _SectionTranslator) -> None:
        if card.code in LOOP_CODES:
            self._add_loop_card(card, origin)
        elif card.code in INTEGER_PARAMETERS or card.code in REAL_PARAMETERS:
            self._emit(self._parameter(card), origin)
        else:
            statement = reader.statement(card)
            if statement:
                self._emit(statement, origin)

    def _emit(self, statement: str, origin: tuple[int, str]) -> None:
        self.lines.append(" " * (len(self.loops) + 1) + statement)
        self.cards.append(origin)

    def names_of(self, integer: str) -> str:
        """Python's name of an integer parameter."""
        if not integer:
            raise SIFError("the name of an integer parameter is missing")
        return self.integers.setdefault(integer, f"i{len(self.integers)}")

    def _add_loop_card(self, card: Card, origin: tuple[int, str]) -> None:
        if card.code == "DO":
            if len(self.loops) == MAX_LOOP_DEPTH:
                raise SIFError(f"loops are nested more than {MAX_LOOP_DEPTH} deep")
            variable, first, last = (self.names_of(name) for name in (card.field2, card.field3, card.field5))
            if any(variable == loop.variable for loop in self.loops):
                raise SIFError(f"a loop over {card.field2!r} is open already")
            loop = _Loop(len(self.lines), variable, first, last, "1")
            self._emit("", origin)
            self.loops.append(loop)
            return
        if not self.loops:
            raise SIFError("there is no open loop")
        if card.code == "DI":
            loop = self.loops[-1]
            if self.names_of(card.field2) != loop.variable or len(self.lines) != loop.position + 1:
                raise SIFError("a DI card stands right after the DO card of its variable")
            self.loops[-1] = loop._replace(step=self.names_of(card.field3))
            return
        for _ in range(1 if card.code == "OD" else len(self.loops)):
            self._close_loop(origin)

    def _close_loop(self, origin: tuple[int, str]) -> None:
        if len(self.lines) == self.loops[-1].position + 1:
            self._emit("pass", origin)
        loop = self.loops.pop()
        size = len(self.lines) - loop.position - 1
        self.lines[loop.position] = (
            " " * (len(self.loops) + 1)
            + f"for {loop.variable} in passes({loop.first}, {loop.last}, {loop.step}, {size}):"
        )

    def _parameter(self, card: Card) -> str:
        """A parameter card as an assignment."""
        integer = card.code in INTEGER_PARAMETERS
        if not card.field2:
            raise SIFError("the name of the parameter is missing")
        if integer:
            template, own = INTEGER_PARAMETERS[card.code], self.names_of
            target = self.names_of(card.field2)
        else:
            template = REAL_PARAMETERS[card.code]
            own = self._array_real if card.code[0] == "A" else _literal_real
            target = own(card.field2)
        if card.line in self.overrides:
            value = self.overrides[card.line]
            return f"{target} = {_integer(value) if integer else float(value)!r}"
        parts = {}
        if "{n4}" in template:
            value = number(card.field4)
            parts["n4"] = repr(_integer(value)) if integer else _float(value)
        if "{p3}" in template:
            parts["p3"] = own(card.field3)
        if "{p5}" in template:
            parts["p5"] = own(card.field5)
        if "{real3}" in template:
            parts["real3"] = _literal_real(card.field3)
        if "{integer3}" in template:
            parts["integer3"] = self.names_of(card.field3)
        if "{f3}" in template:
            if card.field3 not in PARAMETER_FUNCTIONS:
                raise SIFError(
                    f"{card.field3!r} is not a function; known are {', '.join(PARAMETER_FUNCTIONS)}"
                )
            parts["f3"] = f"functions[{card.field3!r}]"
        return f"{target} = {template.format(**parts)}"

    def _array_real(self, name: str) -> str:
        return f"reals[{_array_name(name, self.names_of)}]"

    # -- execution

    def run(self, assembly: Assembly, max_executions: int) -> None:
        """Compile and run the function; errors name the card whose line raised."""
        source = "def run():\n" + "\n".join(self.lines or [" pass"]) + "\n"
        namespace = {
            "passes": _Budget(max_executions).passes,
            "integer": _integer,
            "quotient": _quotient,
            "functions": PARAMETER_FUNCTIONS,
            "reals": {},
            "inf": float("inf"),
        }
        namespace |= {verb: getattr(assembly, verb) for verb in dir(assembly) if not verb.startswith("_")}
        exec(compile(source, _PROGRAM, "exec"), namespace)
        try:
            namespace["run"]()  # type: ignore[operator]
        except SIFError as error:
            raise self._at_card(error.reason, error.__traceback__) from None
        except UnboundLocalError as error:
            local = str(error).split("'")[1]
            name = next(name for name, short in self.integers.items() if short == local)
            raise self._at_card(f"integer parameter {name!r} has no value", error.__traceback__) from None
        except KeyError as error:
            raise self._at_card(f"real parameter {error} has no value", error.__traceback__) from None
        except (ArithmeticError, ValueError) as error:
            raise self._at_card(f"the value cannot be computed ({error})", error.__traceback__) from None

    def _at_card(self, reason: str, traceback: TracebackType | None) -> SIFError:
        line, text = 0, ""
        while traceback is not None:
            if traceback.tb_frame.f_code.co_filename == _PROGRAM:
                # Line 1 is the def.
                line, text = self.cards[traceback.tb_lineno - 2]
            traceback = traceback.tb_next
        return SIFError(reason, file=self.file, line=line, card=text)


class _SectionTranslator:
    """Cards of one section to statements, by the section's forms."""

    def __init__(self, section: str, forms: tuple[Form, ...], names_of) -> None:  # type: ignore[no-untyped-def]
        self.section, self.names_of = section, names_of
        self.by_code = {code: form for form in forms for code in (*form.plain, *form.array, *form.real)}
        self.vector: str | None = None

    def statement(self, card: Card) -> str:
        """The calls that a card stands for; empty if it says nothing."""
        form = self.by_code.get(card.code)
        if form is None:
            return self._unknown(card)
        if form.vector:
            if self.vector is None:
                self.vector = card.field2
            if card.field2 != self.vector:
                return ""
        expands = card.code not in form.plain
        arguments = [repr(form.kind)] if form.kind else []
        verb, rest = form.verb, card.field3
        if form.layout is Layout.NAME and card.field2 in form.reserved:
            verb = form.reserved[card.field2]
        elif not form.vector:
            if not card.field2:
                raise SIFError("the name in field 2 is missing")
            arguments.append(self._name(card.field2, expands and form.field2))
        if not rest or (form.layout is Layout.NOTHING and rest != "'SCALE'"):
            if not form.alone:
                raise SIFError("the name in field 3 is missing")
            return _call(form.alone, arguments)
        return self._with_rest(form, card, verb, arguments, expands)

    def _with_rest(self, form: Form, card: Card, verb: str, arguments: list[str], expands: bool) -> str:
        """Calls for the fields from 3 on."""
        if form.layout is not Layout.NAME and card.field3 in form.reserved:
            names = []
            verb = form.reserved[card.field3]
            if verb == "variable":
                return _call(verb, arguments)
        else:
            names = [self._name(card.field3, expands and form.field3)]
        if form.layout is Layout.NAME:
            return _call(verb, [*arguments, *names])
        field5 = card.field5
        if form.layout is Layout.VARIABLE:
            if not field5:
                raise SIFError("the name in field 5 is missing")
            return _call(verb, [*arguments, *names, self._name(field5, expands and form.field5)])
        if form.layout is Layout.NAMES:
            return "; ".join(_call(verb, [*arguments, repr(name)]) for name in (card.field3, field5) if name)
        if card.code in form.real:
            if not field5:
                raise SIFError("the real parameter in field 5 is missing")
            return _call(verb, [*arguments, *names, f"reals[{self._name(field5, True)}]"])
        first = [*names, self._value(card.field4, form)]
        if form.layout is Layout.VALUE or form.layout is Layout.NOTHING or not field5:
            return _call(verb, [*arguments, *first])
        second = [self._name(field5, expands and form.field5), self._value(card.field6, form)]
        if form.layout is Layout.TWO_ROWS:
            return _call(verb, [*arguments, *first, *second])
        return _call(verb, [*arguments, *first]) + "; " + _call(form.verb, [*arguments, *second])

    def _value(self, field: str, form: Form) -> str:
        return _float(number(field) if field else form.blank)

    def _name(self, name: str, expands: bool) -> str:
        return _array_name(name, self.names_of) if expands else repr(name)

    def _unknown(self, card: Card) -> str:
        if self.section == "OBJECT BOUND":
            return ""
        if self.section in IGNORED_DEFAULTS and card.field3 == "'DEFAULT'":
            return ""
        raise SIFError(
            f"code {card.code!r} is not known in {self.section or 'the parameters before the first section'}"
        )


def _call(verb: str, arguments: list[str]) -> str:
    return f"{verb}({', '.join(arguments)})"


def _array_name(name: str, names_of) -> str:  # type: ignore[no-untyped-def]
    """Python expression of an array name's expansion: ``B(I,J)`` is "B" and the values joined by commas."""
    base, bracket, rest = name.partition("(")
    if not bracket:
        return repr(name)
    inside, bracket, _ = rest.partition(")")
    if not bracket:
        raise SIFError(f"array name {name!r} has no closing parenthesis")
    indices = [index.strip() for index in inside.split(",") if index.strip()]
    if len(indices) > MAX_INDICES:
        raise SIFError(f"array name {name!r} has more than {MAX_INDICES} indices")
    values = ",".join(f"{{{names_of(index)}}}" for index in indices)
    return "f" + repr(base.replace("{", "{{").replace("}", "}}") + values)


def _literal_real(name: str) -> str:
    return f"reals[{name!r}]"


def _float(value: float) -> str:
    return repr(value)


def _integer(value: float) -> int:
    """Truncate towards zero; refuse what a Fortran integer cannot hold, which also keeps loops from growing it."""
    if not abs(value) <= _LARGEST_INTEGER:
        raise SIFError("an integer parameter exceeds 2147483647")
    return int(value)


def _quotient(numerator: int, denominator: int) -> int:
    """Integer division that truncates towards zero."""
    quotient = abs(numerator) // abs(denominator)
    return quotient if (numerator < 0) == (denominator < 0) else -quotient


class _Budget:
    """Loops, as long as card executions are left."""

    def __init__(self, executions: int) -> None:
        self.limit = self.left = executions

    def passes(self, first: int, last: int, step: int, cards: int) -> range:
        """Values of a loop variable; ``cards`` is the length of the loop's body."""
        if step == 0:
            raise SIFError("the step of a loop is 0")
        values = range(first, last + (1 if step > 0 else -1), step)
        self.left -= len(values) * cards
        if self.left < 0:
            raise SIFError(f"the file asks for more than {self.limit} card executions")
        return values
