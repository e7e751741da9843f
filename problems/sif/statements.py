"""One card of part 1 as one line of Python: a parameter's assignment, or calls of an `assembly.Assembly`."""

from __future__ import annotations

from .cards import number
from .errors import SIFError
from .grammar import (
    INTEGER_PARAMETERS,
    PARAMETER_FUNCTIONS,
    REAL_PARAMETERS,
    SKIPPED_SECTIONS,
    UNKNOWN_DEFAULTS_IGNORED,
    Form,
    Layout,
)
from .names import Names
from .structure import Card

_LARGEST_INTEGER = 2**31 - 1


def truncated(value: float) -> int:
    """Truncate towards zero; refuse what a Fortran integer cannot hold, so that no loop grows it for ever."""
    if not abs(value) <= _LARGEST_INTEGER:
        raise SIFError(f"an integer parameter exceeds {_LARGEST_INTEGER}")
    return int(value)


def assignment(card: Card, names: Names, override: float | None) -> str:
    """A parameter card; ``override`` is the caller's value instead of the card's.

    Raises
    ------
    SIFError
        For a missing name, a number that is none or an unknown function.
    """
    if not card.field2:
        raise SIFError("the name of the parameter is missing")
    if card.code in INTEGER_PARAMETERS:
        value = _integer_value(card, names) if override is None else repr(truncated(override))
        target = names.integer(card.field2)
        names.forget(target)
    else:
        # The value before the target, as Python evaluates them: an expanded name is kept at its first use.
        value = _real_value(card, names) if override is None else repr(float(override))
        target = _real(card.code, card.field2, names)
    return f"{target} = {value}"


def _integer_value(card: Card, names: Names) -> str:
    template = INTEGER_PARAMETERS[card.code]
    return template.format(
        n4=truncated(number(card.field4)) if "{n4}" in template else "",
        p3=names.integer(card.field3) if "{p3}" in template else "",
        p5=names.integer(card.field5) if "{p5}" in template else "",
        real3=_real("R", card.field3, names),
    )


def _real_value(card: Card, names: Names) -> str:
    template = REAL_PARAMETERS[card.code]
    if "{f3}" in template and card.field3 not in PARAMETER_FUNCTIONS:
        raise SIFError(f"{card.field3!r} is not a function; there are {', '.join(PARAMETER_FUNCTIONS)}")
    return template.format(
        n4=repr(number(card.field4)) if "{n4}" in template else "",
        p3=_real(card.code, card.field3, names) if "{p3}" in template else "",
        p5=_real(card.code, card.field5, names) if "{p5}" in template else "",
        integer3=names.integer(card.field3) if "{integer3}" in template else "",
        f3=f"functions[{card.field3!r}]",
    )


def _real(code: str, name: str, names: Names) -> str:
    """A real parameter: an array name on A cards, literal on R cards."""
    return f"reals[{names.array(name) if code[0] == 'A' else repr(name)}]"


class SectionStatements:
    """The cards of one section, by its forms.

    Parameters
    ----------
    section : str
        Its name in the grammar.
    forms : tuple of Form
        Its cards.
    names : Names
        Of the whole part 1.
    """

    def __init__(self, section: str, forms: tuple[Form, ...], names: Names) -> None:
        self.section, self.names = section, names
        self.forms = {code: form for form in forms for code in (*form.plain, *form.array, *form.real)}
        self.vector: str | None = None

    def statement(self, card: Card) -> str:
        """The calls that a card stands for; empty if it says nothing.

        Raises
        ------
        SIFError
            For an unknown code, a missing name or a number that is none.
        """
        form = self.forms.get(card.code)
        if form is None:
            return self._unknown(card)
        if form.vector:
            self.vector = card.field2 if self.vector is None else self.vector
            if card.field2 != self.vector:
                return ""
        elif not card.field2:
            raise SIFError("the name in field 2 is missing")
        arguments = [repr(form.kind)] if form.kind else []
        if form.layout is Layout.NAME:
            return self._with_type(form, card)
        if not form.vector:
            arguments.append(self._name(form, card, card.field2, form.field2))
        if card.field3 in form.reserved:
            verb = form.reserved[card.field3]
            value = self._value(form, card, card.field4) if verb not in ("", form.alone) else []
            return f"{verb}({', '.join(arguments + value)})" if verb else ""
        if form.layout is Layout.NOTHING or not card.field3:
            if not form.alone:
                raise SIFError("the name in field 3 is missing")
            return f"{form.alone}({', '.join(arguments)})"
        return "; ".join(f"{form.verb}({', '.join(arguments + rest)})" for rest in self._rest(form, card))

    def _with_type(self, form: Form, card: Card) -> str:
        """T cards: field 3 is a type, never an array name."""
        if not card.field3:
            raise SIFError("the type in field 3 is missing")
        if card.field2 in form.reserved:
            return f"{form.reserved[card.field2]}({card.field3!r})"
        return f"{form.verb}({self._name(form, card, card.field2, form.field2)}, {card.field3!r})"

    def _rest(self, form: Form, card: Card) -> list[list[str]]:
        """Arguments from field 3 on, of each call."""
        if form.layout is Layout.NAMES:
            return [[repr(name)] for name in (card.field3, card.field5) if name]
        first = self._name(form, card, card.field3, form.field3)
        if form.layout is Layout.VARIABLE:
            if not card.field5:
                raise SIFError("the variable in field 5 is missing")
            return [[first, self._name(form, card, card.field5, form.field5)]]
        calls = [[first, *self._value(form, card, card.field4)]]
        if form.layout is Layout.VALUE or card.code in form.real or not card.field5:
            return calls
        second = [
            self._name(form, card, card.field5, form.field5),
            *self._value(form, card, card.field6),
        ]
        return [calls[0] + second] if form.layout is Layout.TWO_ROWS else [calls[0], second]

    def _value(self, form: Form, card: Card, field: str) -> list[str]:
        """The number of a plain or X card, the real parameter of a Z card."""
        if card.code not in form.real:
            return [repr(number(field) if field else form.blank)]
        if not card.field5:
            raise SIFError("the real parameter in field 5 is missing")
        return [f"reals[{self.names.array(card.field5)}]"]

    def _name(self, form: Form, card: Card, name: str, expands: bool) -> str:
        return self.names.array(name) if expands and card.code not in form.plain else repr(name)

    def _unknown(self, card: Card) -> str:
        if self.section in SKIPPED_SECTIONS:
            return ""
        if self.section in UNKNOWN_DEFAULTS_IGNORED and card.field3 == "'DEFAULT'":
            return ""
        if not self.section:
            raise SIFError(f"{card.code!r} is no parameter card, and no section has begun")
        known = ", ".join(code or "blank" for code in self.forms)
        raise SIFError(f"{card.code!r} is not a code of {self.section}, which has {known}")
