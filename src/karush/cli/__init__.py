"""The command line. Only click is loaded here: whatever a command needs it imports when it runs."""

from __future__ import annotations

import click

from .bench import bench
from .errors import FriendlyGroup
from .problems import problems
from .report import report
from .solve import solve
from .sweep import sweep

__all__ = ["main"]


@click.group(
    cls=FriendlyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(package_name="karush")
def main() -> None:
    """Structured numerical optimisation: problems, solvers, sweeps and reports.

    KARUSH_TRACEBACK=1 in the environment shows where an error comes from.
    """


for command in (problems, solve, sweep, report, bench):
    main.add_command(command)
