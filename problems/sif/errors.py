"""The one exception of the SIF compiler."""

from __future__ import annotations


class SIFError(ValueError):
    """A SIF file, or a part of it, that cannot be read or translated.

    Parameters
    ----------
    reason : str
        What is wrong and what is wanted.
    file : str
        The file.
    line : int or None
        Line number, from 1.
    card : str
        The card as it stands in the file.
    """

    def __init__(self, reason: str, *, file: str = "", line: int | None = None, card: str = "") -> None:
        self.reason, self.file, self.line, self.card = reason, file, line, card
        place = file + (f", line {line}" if line is not None else "")
        shown = f": {card.rstrip()!r}" if card else ""
        super().__init__(f"{place}: {reason}{shown}" if place else reason + shown)

    def __reduce__(self) -> tuple[object, ...]:
        return _rebuild, (self.reason, self.file, self.line, self.card)


def _rebuild(reason: str, file: str, line: int | None, card: str) -> SIFError:
    return SIFError(reason, file=file, line=line, card=card)
