"""Names of part 1 as Python expressions of the generated function."""

from __future__ import annotations

from .errors import SIFError
from .grammar import MAX_INDICES


class Names:
    """Integer parameters become local variables, array names f-strings that expand them.

    Neighbouring cards mostly name the same few things (an element's T, V and P cards), so an expanded name is
    kept in a local variable for as long as its indices stay.
    """

    def __init__(self) -> None:
        self._integers: dict[str, str] = {}
        self._expanded: dict[str, str] = {}
        self._count = 0

    def integer(self, name: str) -> str:
        """The local variable of an integer parameter."""
        if not name:
            raise SIFError("the name of an integer parameter is missing")
        return self._integers.setdefault(name, f"i{len(self._integers)}")

    def integer_of(self, local: str) -> str:
        """The integer parameter of a local variable."""
        return next(name for name, short in self._integers.items() if short == local)

    def array(self, name: str) -> str:
        """An array name: ``B(I,J)`` is B and the values joined by commas; what follows ``)`` is dropped."""
        base, bracket, rest = name.partition("(")
        if not bracket:
            return repr(name)
        inside, bracket, _ = rest.partition(")")
        if not bracket:
            raise SIFError(f"array name {name!r} has no closing parenthesis")
        indices = [index.rstrip() for index in inside.split(",") if index.strip()]
        if len(indices) > MAX_INDICES:
            raise SIFError(f"array name {name!r} has more than {MAX_INDICES} indices")
        values = ",".join(f"{{{self.integer(index)}}}" for index in indices)
        expression = "f" + repr(base.replace("{", "{{").replace("}", "}}") + values)
        kept = self._expanded.get(expression)
        if kept is None:
            self._count += 1
            self._expanded[expression] = kept = f"n{self._count}"
            return f"({kept} := {expression})"
        return kept

    def forget(self, local: str = "") -> None:
        """Drop the expanded names that use an integer's local variable, which is about to change; "": all."""
        changed = f"{{{local}}}" if local else ""
        self._expanded = {
            expression: kept for expression, kept in self._expanded.items() if changed not in expression
        }
