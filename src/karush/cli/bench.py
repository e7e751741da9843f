"""``karush bench``: measurements with stated targets."""

from __future__ import annotations

from typing import Any

import click

from .errors import suggestion


@click.command(short_help="Run a benchmark with stated targets.")
@click.argument("name", required=False)
@click.option("--quick", is_flag=True, help="Smaller sizes, fewer repetitions: a look, not a measurement.")
@click.option("--paper", is_flag=True, help="The paper's own experiments, where NAME has them: NAME_paper.")
@click.option(
    "--json",
    "file",
    type=click.Path(dir_okay=False, writable=True),
    metavar="FILE",
    help="Write everything to FILE.",
)
@click.pass_context
def bench(ctx: click.Context, name: str | None, quick: bool, paper: bool, file: str | None) -> None:
    """Run the benchmark NAME and say which of its targets are met; without NAME, list them.

    The exit code is 1 if a target is missed.
    """
    from ..bench import cases

    known = cases.names()
    if name is None:
        for case in known:
            click.echo(f"{case:<12} {cases.title(case)}")
        return
    if name not in known:
        raise click.BadParameter(
            f"there is no benchmark {name!r}.{suggestion(name, known)}", param_hint="NAME"
        )
    if paper:
        name = f"{name}_paper"
        if name not in known:
            raise click.UsageError(f"{name.removesuffix('_paper')} has no paper's experiments")
    result = _run(name, quick)
    _print(name, result)
    if file is not None:
        from .console import write_json

        write_json(result, file)
    ctx.exit(0 if all(target["met"] for target in result["targets"]) else 1)


def _run(name: str, quick: bool) -> dict[str, Any]:
    from ..bench import cases
    from .console import console

    notes = console(stderr=True)
    if not notes.is_terminal:
        return cases.run(name, quick, lambda text: notes.print(text, markup=False))
    with notes.status("starting") as status:
        return cases.run(name, quick, lambda text: status.update(text.replace("[", "\\[")))


def _print(name: str, result: dict[str, Any]) -> None:
    from rich.table import Table

    from ..bench import cases
    from .console import console, number

    out = console()
    out.print(f"[bold]{cases.title(name)}[/]")
    columns = cases.columns(name) or list(dict.fromkeys(key for row in result["rows"] for key in row))
    table = Table(box=None, pad_edge=False, header_style="bold")
    for column in columns:
        sample = next((row[column] for row in result["rows"] if row.get(column) is not None), "")
        is_number = isinstance(sample, int | float) and not isinstance(sample, bool)
        table.add_column(column, justify="right" if is_number else "left", no_wrap=True)
    for row in result["rows"]:
        table.add_row(*(_cell(row.get(column), number) for column in columns))
    out.print(table)
    for target in result["targets"]:
        verdict = "[bold green]met[/]    " if target["met"] else "[bold red]not met[/]"
        text = (
            f"{target['name']}: {_cell(target['value'], number)} (target {_cell(target['target'], number)})"
        )
        out.print(f"{verdict} ", end="")
        out.print(text, markup=False)


def _cell(value: Any, number: Any) -> str:
    if value is None or (isinstance(value, int | float) and not isinstance(value, bool)):
        return str(number(value, 4))
    return str(value).replace("[", "\\[")
