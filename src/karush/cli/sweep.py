"""``karush sweep``: many problems, many solvers."""

from __future__ import annotations

import signal
import time
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from ..bench.jobs import Job
    from ..bench.sweep import Summary

DEFAULT_SOLVERS = "exact-al,SLSQP,trust-constr,L-BFGS-B,ipopt"


@click.command(short_help="Run many solvers on many problems; stop and go on at any time.")
@click.option(
    "--suite",
    default="smoke",
    show_default=True,
    metavar="LIST",
    help="Suites, problems with or without sizes, patterns; see below.",
)
@click.option(
    "--solvers",
    default=DEFAULT_SOLVERS,
    show_default=True,
    metavar="LIST",
    help="Solvers, with options in brackets if any.",
)
@click.option(
    "--out",
    default="sweep-results",
    show_default=True,
    type=click.Path(),
    metavar="DIR",
    help="Folder of the results.",
)
@click.option(
    "--time-limit", type=float, default=60.0, show_default=True, metavar="SECONDS", help="For each job."
)
@click.option(
    "--grace",
    type=float,
    default=5.0,
    show_default=True,
    metavar="SECONDS",
    help="After the time limit, before a worker is killed.",
)
@click.option(
    "--memory-limit", type=float, default=4096.0, show_default=True, metavar="MB", help="Of each worker."
)
@click.option("--tol", type=float, default=1e-6, show_default=True, help="Tolerance of the certificate.")
@click.option(
    "--solver-tol", type=float, default=1e-8, show_default=True, help="Tolerance asked of the solvers."
)
@click.option(
    "--workers", type=click.IntRange(min=1), help="Processes at work at a time; default: the cores."
)
@click.option(
    "--threads",
    type=click.IntRange(min=1),
    default=1,
    show_default=True,
    help="Threads of the numerical libraries in each.",
)
@click.option("--retry", is_flag=True, help="Run again what crashed, was killed or could not be built.")
@click.option("--fresh", is_flag=True, help="Run everything again.")
@click.option("--report/--no-report", "with_report", default=True, help="Write the report at the end.")
@click.option(
    "--fail-below", type=float, metavar="PERCENT", help="Exit with 1 where the first solver certifies less."
)
@click.pass_context
def sweep(ctx: click.Context, /, suite: str, solvers: str, out: str, **options: Any) -> None:
    """Run every solver on every problem, each job in a guarded process.

    Results are kept in DIR the moment they are there: stop at any time, and the same command goes on where it
    was. What has run under the same limits and the same version of a solver does not run again.

    \b
    LIST is a comma list of
      suites     smoke, native, cutest-small, cutest
      problems   HS71, LUKVLE1[n=1000], s2mpj:BT1, file.py:function
      patterns   'native:HS*', 'native:O*R2-*' (a classification), 's2mpj:BT*'
      files      sif:DIR, 'sif:DIR/HS*', path/to/HS71.SIF, path/to/model.nl
    """  # noqa: D301 - click reads the backspace
    from ..bench.environment import cores
    from ..bench.jobs import Limits
    from ..bench.spec import parse_spec, split_specs
    from ..bench.suites import resolve
    from ..bench.sweep import sweep as run

    names = ("time_limit", "grace", "memory_limit", "tol", "solver_tol")
    limits = Limits(**{name: options[name] for name in names})
    chosen = [parse_spec(text, "option") for text in split_specs(solvers)]
    if not chosen:
        raise click.BadParameter("no solver given", param_hint="--solvers")
    problems = resolve(suite)
    workers = options["workers"] or cores()
    signal.signal(signal.SIGTERM, _terminate)
    display = _display()
    try:
        with display:
            summary = run(
                problems,
                chosen,
                out,
                limits=limits,
                workers=workers,
                threads=options["threads"],
                retry=options["retry"],
                fresh=options["fresh"],
                observer=display,
            )
    except KeyboardInterrupt:
        click.echo(
            f"stopped; what has finished is kept in {out}, the same command goes on from there", err=True
        )
        ctx.exit(130)
    _say_what_happened(summary, options["retry"])
    if options["with_report"]:
        from .report import make_report

        best = make_report(out)
        if options["fail_below"] is not None and best < options["fail_below"]:
            ctx.exit(1)


def _terminate(*_: Any) -> None:
    raise KeyboardInterrupt


def _say_what_happened(summary: Summary, retry: bool) -> None:
    kinds = Counter[str]()
    for outcome, count in summary.outcomes.items():
        kinds[outcome.kind] += count
    parts = [f"{count} {kind}" for kind, count in kinds.most_common()]
    click.echo(
        f"{summary.total} jobs, {summary.known} known before. Now: {', '.join(parts) or 'nothing'}", err=True
    )
    failures = kinds["infrastructure"]
    if failures and not retry:
        click.echo(
            f"{failures} ended in a crash, a kill or a build error; --retry runs these again", err=True
        )


def _display() -> Any:
    from .console import console

    out = console(stderr=True)
    return _Bar(out) if out.is_terminal else _Lines(out)


class _Lines:
    """Progress where there is no terminal: a line now and then."""

    EVERY_SECONDS = 10.0

    def __init__(self, out: Any) -> None:
        self._out = out
        self._total = self._done = 0
        self._started = self._last = time.monotonic()
        self._outcomes: Counter[str] = Counter()

    def __enter__(self) -> _Lines:
        return self

    def __exit__(self, *_: object) -> None:
        if self._done:
            self._print()

    def begin(self, total: int, known: int) -> None:
        """Say how much there is."""
        self._total = total - known
        self._out.print(f"{total} jobs, {known} known already", markup=False)

    def tick(self, running: Sequence[tuple[Job, str]]) -> None:
        """Print if it is time."""
        if time.monotonic() - self._last > self.EVERY_SECONDS:
            self._print()

    def finish(self, job: Job, record: dict[str, Any]) -> None:
        """Count."""
        self._done += 1
        self._outcomes[record["outcome"].kind] += 1

    def _print(self) -> None:
        self._last = time.monotonic()
        kinds = ", ".join(f"{count} {kind}" for kind, count in self._outcomes.most_common())
        seconds = self._last - self._started
        self._out.print(f"{self._done}/{self._total} jobs in {seconds:.0f} s: {kinds}", markup=False)


class _Bar:
    """A progress bar with the time left, counts, and what is under way."""

    def __init__(self, out: Any) -> None:
        from rich.progress import (
            BarColumn,
            MofNCompleteColumn,
            Progress,
            TextColumn,
            TimeElapsedColumn,
            TimeRemainingColumn,
        )

        self._progress = Progress(
            BarColumn(bar_width=30),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("left"),
            TimeRemainingColumn(),
            TextColumn("[green]{task.fields[solved]}[/] solved [red]{task.fields[failed]}[/] not"),
            TextColumn("[dim]{task.fields[now]}", markup=True),
            console=out,
        )
        self._solved = self._failed = 0
        self._task = self._progress.add_task("sweep", total=None, solved=0, failed=0, now="starting")

    def __enter__(self) -> _Bar:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.update(self._task, now="")
        self._progress.stop()

    def begin(self, total: int, known: int) -> None:
        """Set the length."""
        self._progress.update(self._task, total=total - known)

    def tick(self, running: Sequence[tuple[Job, str]]) -> None:
        """Show what is under way."""
        now = "  ".join(f"{job.solver.name}: {job.problem} ({phase})" for job, phase in running)
        self._progress.update(self._task, now=now.replace("[", "\\["))

    def finish(self, job: Job, record: dict[str, Any]) -> None:
        """One more."""
        kind = record["outcome"].kind
        self._solved += kind == "solved"
        self._failed += kind in ("solver", "infrastructure")
        self._progress.update(self._task, advance=1, solved=self._solved, failed=self._failed)
