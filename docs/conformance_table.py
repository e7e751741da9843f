"""Write docs/conformance.md: the contract of the conformance suite, measured on karush's and scipy's methods.

Run by hand from the top of the repository, ``python docs/conformance_table.py``; it takes some minutes. Every
check runs in a process of its own, since some of them never come back.
"""

from __future__ import annotations

import argparse
import json
import platform
import subprocess
import sys
import warnings
from pathlib import Path

TOP = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(TOP))

TIME_LIMIT = 300.0
"""Seconds per check, several times what the slowest method needs where it comes back at all."""

KEPT, BROKEN, NONE = "kept", "broken", "-"

HEAD = """# The contract, measured

Every method of karush keeps the contract below; the conformance suite runs it on every registered method. For
comparison scipy's own methods went through the same checks, behind the same interface and with exact
derivatives where a method takes any (COBYLA and COBYQA take none). A cell says *kept*, or *broken* with a
number that leads to what was seen first; `-` stands where a method does not take such problems at all. Some
of these promises scipy never made: the table says what to expect, not who is to blame.

karush's successes are judged at a tolerance of 1e-8 by the certificate, scipy's at 1e-4; all were run with
`tol=1e-8`. Where a method raises, that counts once, under the promises to solve and to survive.
trust-constr keeps within bounds only with `Bounds(keep_feasible=True)`, and then refuses starts on or beyond
a bound; it was left at its default.
"""


def subjects() -> dict:
    """What is measured, by name."""
    from tests.conformance.subjects import SCIPY, karush_solvers

    return {subject.name: subject for subject in [*karush_solvers(), *SCIPY]}


def checks() -> list:
    """The checks that make sense for any solver."""
    from tests.conformance.contract import CHECKS

    return [check for check in CHECKS if check.portable]


def verify_one(name: str, index: int) -> None:
    """In a process of its own: run one check and print what came of it."""
    from tests.conformance.contract import Broken

    warnings.simplefilter("ignore")
    seen = ""
    try:
        checks()[index].verify(subjects()[name])
    except Broken as broken:
        seen = str(broken).splitlines()[0]
    except Exception as error:
        seen = f"raised {type(error).__name__}: {error}".splitlines()[0]
    print(json.dumps(seen))


def outcome(name: str, index: int) -> str:
    """What was seen, empty if the promise was kept."""
    command = [sys.executable, __file__, "--one", name, str(index)]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=TIME_LIMIT, cwd=TOP)
    except subprocess.TimeoutExpired:
        return f"had not come back after {TIME_LIMIT:.0f} s"
    if done.returncode != 0 or not done.stdout.strip():
        return f"the process died (exit code {done.returncode})"
    return str(json.loads(done.stdout.splitlines()[-1]))


def applies(subject: object, title: str) -> bool:
    """Whether the check makes sense: a method without bounds or constraints is measured on the rest."""
    return bool(getattr(subject, "bounds", True)) or "bound" not in title


def write(path: Path) -> None:
    """Run everything and write the page."""
    import numpy
    import scipy

    import karush

    everyone, every_check = subjects(), checks()
    lines = [HEAD, "| | the contract | " + " | ".join(everyone) + " |", "|---|---|" + "---|" * len(everyone)]
    notes: list[str] = []
    for index, check in enumerate(every_check):
        cells = []
        for name, subject in everyone.items():
            seen = outcome(name, index) if applies(subject, check.title) else NONE
            if seen and seen != NONE:
                notes.append(f'{len(notes) + 1}. {name}, "{check.title}": {seen}')
            cells.append(KEPT if not seen else NONE if seen == NONE else f"{BROKEN} ({len(notes)})")
            print(f"{name:14} {check.title}: {seen or KEPT}", flush=True)
        lines.append(f"| {check.number} | {check.title} | " + " | ".join(cells) + " |")
    versions = (
        f"karush {karush.__version__}, scipy {scipy.__version__}, numpy {numpy.__version__}, "
        f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    )
    lines += ["", "## What was seen", "", *(notes or ["Nothing broken."]), "", f"Measured with {versions};"]
    lines += ["written by `python docs/conformance_table.py`.", ""]
    path.write_text("\n".join(lines))


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--one", nargs=2, metavar=("METHOD", "CHECK"), help="run one check, print its outcome"
    )
    parser.add_argument("--out", type=Path, default=TOP / "docs" / "conformance.md")
    arguments = parser.parse_args()
    if arguments.one:
        verify_one(arguments.one[0], int(arguments.one[1]))
    else:
        write(arguments.out)


if __name__ == "__main__":
    main()
