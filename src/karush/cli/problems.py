"""``karush problems``: what there is to solve."""

from __future__ import annotations

from typing import Any

import click

from .errors import FriendlyGroup

KINDS = ("none", "bounds", "equalities", "inequalities")


@click.group(cls=FriendlyGroup)
def problems() -> None:
    """List problems and show one."""


@problems.command("list")
@click.option(
    "--collection",
    metavar="NAME",
    help="native (default), a family of it such as cops, s2mpj, sif, cutest, sequences or bilevel.",
)
@click.option("--path", metavar="DIR", help="Folder of the SIF files of --collection sif; default: MASTSIF.")
@click.option(
    "--constraints", multiple=True, type=click.Choice(KINDS), help="Exactly these kinds; repeatable."
)
@click.option(
    "--classification", metavar="PATTERN", help="CUTEst classification with * and ?, such as 'S*-*'."
)
@click.option("-n", "--variables", "n", metavar="LOW:HIGH", help="Range of n, such as 10:200 or 1000:.")
@click.option("-m", "--rows", "m", metavar="LOW:HIGH", help="Range of m, the number of constraints.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def list_problems(as_json: bool, **filters: Any) -> None:
    """List problems, by default all native ones."""
    from ..problems import registry

    if filters["collection"] in ("sequences", "bilevel"):
        _list_builders(as_json, filters)
        return
    for name in ("n", "m"):
        filters[name] = None if filters[name] is None else interval(filters[name], name)
    filters["constraints"] = filters["constraints"] or None
    entries = registry.select(**filters)
    from .console import write_json

    if as_json:
        write_json([entry_record(entry) for entry in entries])
        return
    _print_table(entries)


def _print_table(entries: list[Any]) -> None:
    from rich.table import Table

    from .console import console, number

    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "class", "n", "m", "sizes", "best f", "what it is"):
        right = title in ("n", "m", "best f")
        table.add_column(title, justify="right" if right else "left", no_wrap=title != "what it is")
    for entry in entries:
        n, m = entry.dimensions
        sizes = ", ".join(f"{key}={value}" for key, value in entry.sizes.items())
        row = (number(n), number(m), sizes, number(entry.optimum), entry.summary)
        table.add_row(entry.name, entry.classification, *row)
    out.print(table)
    console(stderr=True).print(f"{len(entries)} problems", style="dim")


def _list_builders(as_json: bool, filters: dict[str, Any]) -> None:
    """Families of problems that are not nonlinear programs, with no classes and no kinds of constraints."""
    from rich.table import Table

    from ..problems import sequences
    from ..problems.bilevel import bilevel_problems
    from .console import console, write_json

    collection = filters["collection"]
    given = [name for name, value in filters.items() if value and name != "collection"]
    if given:
        raise click.UsageError(f"--collection {collection} takes no filters, got one for {', '.join(given)}")
    entries: list[Any] = sequences() if collection == "sequences" else list(bilevel_problems())
    if as_json:
        fields = ("name", "summary", "source", "options")
        write_json([{field: getattr(entry, field) for field in fields} for entry in entries])
        return
    table = Table(box=None, pad_edge=False, header_style="bold")
    for title in ("name", "options", "what it is"):
        table.add_column(title, no_wrap=title == "name")
    for entry in entries:
        options = ", ".join(f"{key}={value}" for key, value in entry.options.items())
        table.add_row(entry.name, options, entry.summary)
    console().print(table)


@problems.command("show")
@click.argument("name")
@click.option("-s", "--set", "sizes", multiple=True, metavar="KEY=VALUE", help="A size: n=1000; repeatable.")
@click.option("--path", metavar="DIR", help="Folder of the file of sif:NAME; default: MASTSIF.")
@click.option("--json", "as_json", is_flag=True, help="As JSON.")
def show_problem(name: str, sizes: tuple[str, ...], path: str | None, as_json: bool) -> None:
    """Show what is known of a problem, and its structure."""
    from ..bench.suites import entry_of, problem_spec
    from .console import console, number, write_json

    spec = problem_spec(name, sizes, path)
    entry, keywords = entry_of(spec)
    problem = entry.build(**keywords)
    record = entry_record(entry)
    record["sizes"] = {**entry.sizes, **keywords}
    if hasattr(entry, "adjustable"):  # a SIF file names its parameters
        record["adjustable"] = {
            p.name: {"default": p.default, "alternatives": list(p.alternatives)} for p in entry.adjustable
        }
    record.update(
        n=problem.n,
        m=problem.m,
        optimum=problem.optimum,
        jacobian_nonzeros=int(problem.jacobian_structure()[1].size),
        hessian_nonzeros=int(problem.hessian_structure()[1].size),
        fixed_variables=int((problem.lb == problem.ub).sum()),
        equalities=int((problem.cl == problem.cu).sum()),
        derivatives=[problem.capabilities.first, problem.capabilities.second],
    )
    if as_json:
        write_json(record)
        return
    out = console()
    for key, value in record.items():
        if key == "adjustable":
            text = "; ".join(f"{name}: {_choices(**known)}" for name, known in value.items()) or "-"
        elif isinstance(value, dict):
            text = ", ".join(f"{k}={v}" for k, v in value.items()) or "-"
        elif isinstance(value, list):
            text = ", ".join(map(str, value))
        else:
            text = number(value, 12) if value is None or isinstance(value, int | float) else str(value)
        out.print(f"[dim]{key.replace('_', ' '):>18}[/]  ", end="")
        out.print(text, markup=False)


def _choices(default: float, alternatives: list[float]) -> str:
    text = f"{default} by default"
    return f"{text}, or {', '.join(map(str, alternatives))}" if alternatives else text


def entry_record(entry: Any) -> dict[str, Any]:
    """What the registry knows of a problem, for JSON."""
    n, m = entry.dimensions
    return {
        "name": entry.name,
        "summary": entry.summary,
        "classification": entry.classification,
        "collection": entry.collection,
        "source": entry.source,
        "constraints": sorted(entry.constraint_kinds),
        "n": n,
        "m": m,
        "sizes": dict(entry.sizes),
        "optimum": entry.optimum,
    }


def interval(text: str, what: str) -> tuple[float, float]:
    """``"10:200"``, ``"10:"``, ``":200"`` or ``"5"`` as a pair.

    Raises
    ------
    click.BadParameter
        For anything else.
    """
    low, colon, high = text.partition(":")
    try:
        first = float(low) if low else 0.0
        last = (float(high) if high else float("inf")) if colon else first
    except ValueError:
        first, last = 1.0, 0.0
    if not first <= last:
        raise click.BadParameter(f"{text!r} is not a range such as 10:200, 1000: or 5", param_hint=f"-{what}")
    return first, last
