"""The table of all problems, a column per solver."""

from __future__ import annotations

from ..outcomes import Outcome
from .html import Markup, element, join, table, void
from .numbers import DASH, seconds
from .table import Problem, Results, Row

SIGNS = {
    Outcome.UNSOLVED: "not certified",
    Outcome.TIME_LIMIT: "time limit",
    Outcome.SOLVER_ERROR: "exception",
    Outcome.KILLED_TIME: "killed: time",
    Outcome.KILLED_MEMORY: "killed: memory",
    Outcome.CRASHED: "crash",
    Outcome.BUILD_ERROR: "not built",
    Outcome.SKIPPED: "skipped",
}


def problem_section(results: Results) -> Markup:
    """Heading, filter and table."""
    head = ["Problem", "Class", "n", "m", "Best f", *results.solvers]
    cells = (
        element("th", element("button", name), class_="text" if position == 1 else None)
        for position, name in enumerate(head)
    )
    rows = (_row(results, problem) for problem in results.problems)
    keys = element(
        "p",
        element("b", "Bold"),
        ": the fastest. ",
        element("b", "\u2260"),
        ": certified, at a worse objective value than the best known one.",
        class_="soft",
    )
    return join(
        [
            element("h2", "Problems"),
            element(
                "p", "Solving time where the certificate holds, else what happened; a cell's tip tells more."
            ),
            keys,
            _tools(),
            element("div", table(cells, rows), id="problems"),
        ]
    )


def _tools() -> Markup:
    search = void(
        "input", id="search", type="search", placeholder="name or class", aria_label="Filter by name or class"
    )
    only = element("label", void("input", id="only", type="checkbox"), " only where some solver failed")
    return element("div", search, only, element("span", id="shown", class_="soft"), class_="tools")


def _row(results: Results, problem: Problem) -> Markup:
    rows = [results.cell(problem, solver) for solver in results.solvers]
    times = [row["solve_time"] for row in rows if row is not None and row["outcome"] is Outcome.SOLVED]
    fastest = min(times) if len(times) > 1 else None
    failed = any(row is not None and row["outcome"].kind in ("solver", "infrastructure") for row in rows)
    return element(
        "tr",
        element("td", problem.label),
        element("td", problem.classification, class_="text soft"),
        _number(problem.n),
        _number(problem.m),
        _number(problem.best),
        *(_cell(results, problem, row, fastest) for row in rows),
        data_failed="yes" if failed else "no",
    )


def _cell(results: Results, problem: Problem, row: Row | None, fastest: float | None) -> Markup:
    if row is None:
        return element("td", DASH, class_="skip", data_value="", title="has not run")
    outcome = row["outcome"]
    if outcome is not Outcome.SOLVED:
        kind = "skip" if outcome is Outcome.SKIPPED else "no"
        return element("td", SIGNS[outcome], class_=kind, data_value="", title=details(row))
    classes = ["yes"]
    classes += ["local"] * results.is_local(problem, row)
    classes += ["fast"] * (row["solve_time"] == fastest)
    return element(
        "td",
        seconds(row["solve_time"]),
        class_=" ".join(classes),
        data_value=f"{row['solve_time']:.6g}",
        title=details(row),
    )


def details(row: Row) -> str:
    """What is known of one run, a line each."""
    lines = [row["outcome"].value, row["message"]]
    if row["objective"] is not None:
        violation = "" if row["violation"] is None else f", violation {row['violation']:.1e}"
        lines.append(f"f = {row['objective']:.10g}{violation}")
    if row["certificate"]:
        lines.append(f"largest scaled error {row['certificate']['error']:.1e}")
    if row["solve_time"] is not None:
        iterations = "" if row["iterations"] is None else f", {row['iterations']} iterations"
        lines.append(f"{row['solve_time']:.4g} s{iterations}")
    if row["counts"]:
        lines.append("calls: " + ", ".join(f"{key} {count}" for key, count in row["counts"].items()))
    phases = {key: value for key, value in (row["phases"] or {}).items() if value is not None}
    if phases:
        lines.append("seconds: " + ", ".join(f"{key} {value:.2g}" for key, value in phases.items()))
    return "\n".join(line for line in lines if line)


def _number(value: float | None) -> Markup:
    if value is None:
        return element("td", DASH, data_value="")
    text = f"{value:,}" if isinstance(value, int) else f"{value:.6g}"
    return element("td", text, data_value=f"{value:.12g}")
