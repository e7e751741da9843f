"""What a user sees when something is mistyped or goes wrong."""

from __future__ import annotations

import difflib
import os
from collections.abc import Iterable
from typing import Any

import click

TRACEBACK = "KARUSH_TRACEBACK"


class FriendlyGroup(click.Group):
    """A group that names the nearest command, and turns exceptions into messages.

    Errors in what the user gave (`ValueError`, `TypeError`, `LookupError`, `BenchError`, `OSError`) are shown
    by their message alone; anything else with the name of its class and the way to its traceback.
    """

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command, or fail naming the nearest one."""
        name = args[0] if args else ""
        if name and not name.startswith("-") and self.get_command(ctx, name) is None:
            known = self.list_commands(ctx)
            ctx.fail(f"there is no command {name!r}.{suggestion(name, known)}")
        return super().resolve_command(ctx, args)

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command; the outermost group reports what went wrong."""
        if ctx.parent is not None or os.environ.get(TRACEBACK):
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except (click.exceptions.Exit, click.Abort, click.ClickException, KeyboardInterrupt):
            raise
        except Exception as error:
            raise click.ClickException(describe(error)) from error


def describe(error: Exception) -> str:
    """One line about an exception."""
    from ..bench.errors import BenchError

    if isinstance(error, OSError) and error.strerror:
        return f"{error.strerror}: {error.filename}" if error.filename else error.strerror
    text = " ".join(str(error.args[0] if isinstance(error, KeyError) and error.args else error).split())
    if isinstance(error, ValueError | TypeError | LookupError | BenchError) and text:
        return text
    return f"{type(error).__name__}: {text or 'no message'} ({TRACEBACK}=1 shows where)"


def suggestion(word: str, known: Iterable[str]) -> str:
    """`` Did you mean 'sweep'?``, or a list of what there is."""
    known = list(known)
    near = difflib.get_close_matches(word.lower(), known, n=2, cutoff=0.5)
    if near:
        return f" Did you mean {' or '.join(map(repr, near))}?"
    return f" There are {', '.join(known)}."
