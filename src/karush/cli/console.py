"""Where output goes: results to standard output, everything about their making to standard error."""

from __future__ import annotations

import math
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

PIPE_WIDTH = 200


def console(stderr: bool = False) -> Console:
    """A console; into a pipe or a file it is wide, so that no line breaks in the middle of a table."""
    from rich.console import Console

    stream = sys.stderr if stderr else sys.stdout
    width = None if stream.isatty() else PIPE_WIDTH
    return Console(file=stream, width=width, highlight=False, soft_wrap=False)


def number(value: Any, figures: int = 6) -> str:
    """A number for a table; a dash for none."""
    if value is None:
        return "-"
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:.{figures}g}"


def write_json(value: Any, file: str | None = None) -> None:
    """Strict JSON to standard output or to a file."""
    from ..bench.spec import to_json

    text = to_json(value, indent=2) + "\n"
    if file is None:
        sys.stdout.write(text)
        return
    with open(file, "w", encoding="utf-8") as stream:
        stream.write(text)
