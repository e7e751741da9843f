"""``karush report``: tables and charts from the results of a sweep."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from ..bench.report import Report


@click.command(short_help="Write tables, charts and a page from the results of a sweep.")
@click.argument("folder", metavar="DIR", type=click.Path(), default="sweep-results")
@click.option(
    "--all-versions", is_flag=True, help="Compare versions of a solver instead of taking the newest."
)
@click.option("--title", help="Heading of the page.")
def report(folder: str, all_versions: bool, title: str | None) -> None:
    """Write DIR/report: an HTML page that opens offline, CSV, and PNG where matplotlib is installed."""
    make_report(folder, all_versions, title)


def make_report(folder: str, all_versions: bool = False, title: str | None = None) -> float:
    """Write the report and print its summary.

    Returns
    -------
    float
        Percentage of the problems that the first solver certified.
    """
    from ..bench.report import write_report

    written = write_report(folder, all_versions=all_versions, title=title)
    _print_scores(written)
    first = written.scores[0]
    return 100.0 * first.certified / max(1, first.total)


def _print_scores(report: Report) -> None:
    from rich.table import Table

    from ..bench.report.numbers import percent, seconds
    from .console import console

    out = console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("solver", no_wrap=True)
    for title in (
        "certified",
        "of all",
        "ran on",
        "of these",
        "worse f",
        "overclaimed",
        "crashed/killed",
        "mean time",
    ):
        table.add_column(title, justify="right", no_wrap=True)
    for score in report.scores:
        table.add_row(
            score.solver.replace("[", "\\["),
            str(score.certified),
            percent(score.certified, score.total),
            str(score.attempted),
            percent(score.certified, score.attempted),
            str(score.local),
            str(score.overclaimed),
            str(score.infrastructure),
            seconds(score.mean_time),
        )
    out.print(f"{len(report.results.problems)} problems; certified means: checked by one certificate for all")
    out.print(table)
    if report.results.broken:
        names = ", ".join(problem.label for problem in report.results.broken)
        out.print(f"could not be built, counted for nobody: {names}", markup=False)
    out.print(f"report: {report.page.resolve()}", markup=False, soft_wrap=True)
