"""HTML elements as text."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def element(tag: str, *content: str, **attributes: str | float | bool | None) -> Markup:
    """One element.

    Parameters
    ----------
    tag : str
        Its name.
    *content : str
        Plain text, which is escaped, or `Markup`, which is not.
    **attributes
        ``class_="x"``, ``aria_label="x"``: a trailing underscore falls away, the others become hyphens. None
        or False: left out; True: without a value.
    """
    text = "".join(_attribute(name, value) for name, value in attributes.items())
    return Markup(f"<{tag}{text}>{join(content)}</{tag}>")


def void(tag: str, **attributes: str | float | bool | None) -> Markup:
    """An element without content or end tag."""
    return Markup(f"<{tag}{''.join(_attribute(name, value) for name, value in attributes.items())}>")


def join(parts: Iterable[str]) -> Markup:
    """Pieces one after another, plain text escaped."""
    return Markup("".join(part if isinstance(part, Markup) else escape(part) for part in parts))


def table(head: Iterable[str], rows: Iterable[str]) -> Markup:
    """A table in a panel that scrolls sideways where it is too wide; cells and rows as elements."""
    body = element("tbody", *rows)
    return element(
        "div", element("table", element("thead", element("tr", *head)), body), class_="panel scroll"
    )


def _attribute(name: str, value: str | float | bool | None) -> str:
    if value is None or value is False:
        return ""
    name = name.rstrip("_").replace("_", "-")
    return f" {name}" if value is True else f' {name}="{escape(str(value), quote=True)}"'
