"""The report as one HTML file that needs nothing from outside."""

from __future__ import annotations

import importlib.resources
from collections.abc import Iterable, Mapping
from typing import Any

from .charts import Chart
from .html import Markup, element, join, table, void
from .numbers import percent, seconds
from .problem_table import problem_section
from .svg import draw, sample
from .table import SAME_VALUE, Pair, Results, Score

_SCORE_HEAD = (
    ("Solver", ""),
    ("Certified", "The optimality conditions hold at the returned point, checked by one certificate for all"),
    ("of all", "Share of all problems"),
    ("Ran on", "Problems that it can take and that were run"),
    ("of these", "Share of the problems it ran on"),
    ("At a worse f", f"Certified, but more than {SAME_VALUE:g} (relative) above the best known objective"),
    ("Overclaimed", "The solver says success, the certificate says no"),
    ("Crashed, killed", "Crashed, or killed for time or memory"),
    ("Mean time", "Shifted geometric mean (1 s) of the seconds; a failure counts as its time limit"),
)
_PAIR_HEAD = ("Solver", "Problems both solved", "Time ratio", "Evaluation ratio")


def page(
    title: str,
    results: Results,
    scores: list[Score],
    pairs: list[Pair],
    charts: list[Chart],
    facts: Mapping[str, Any],
) -> str:
    """The whole page.

    Parameters
    ----------
    title : str
        Of the page.
    results, scores, pairs, charts
        What it shows.
    facts : mapping
        Environment, versions, limits, date: shown as they are.
    """
    head = element(
        "head",
        void("meta", charset="utf-8"),
        void("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", Markup(_asset("page.css"))),
    )
    main = element(
        "main",
        element("h1", title),
        element("p", _subtitle(results, facts), class_="soft"),
        _score_section(scores),
        _pair_section(pairs),
        _chart_section(results, charts),
        problem_section(results),
        _broken_section(results),
        _fact_section(facts),
    )
    body = element("body", main, element("script", Markup(_asset("page.js"))))
    return "<!doctype html>\n" + element("html", head, body, lang="en")


def _asset(name: str) -> str:
    return importlib.resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def _subtitle(results: Results, facts: Mapping[str, Any]) -> str:
    return (
        f"{len(results.problems)} problems, {len(results.solvers)} solvers, {facts['time limit']} each; "
        f"karush {facts.get('karush', '')}, {facts['date']}."
    )


def _score_section(scores: list[Score]) -> Markup:
    return join(
        [
            element("h2", "Solved"),
            element(
                "p",
                "No solver is taken at its word: stationarity, feasibility, complementarity and the signs of "
                "the multipliers are recomputed from the problem itself at the point that each one returned.",
            ),
            table(
                (element("th", name, title=why or None) for name, why in _SCORE_HEAD),
                (_score_row(index, score) for index, score in enumerate(scores)),
            ),
        ]
    )


def _score_row(index: int, score: Score) -> Markup:
    filled = element("i", style=f"width:{100 * score.certified / max(1, score.total):.1f}%")
    cells = (
        element("td", sample(index), " ", score.solver),
        element("td", element("b", str(score.certified))),
        element("td", percent(score.certified, score.total), element("span", filled, class_="bar")),
        element("td", str(score.attempted)),
        element("td", percent(score.certified, score.attempted)),
        element("td", str(score.local)),
        element("td", str(score.overclaimed)),
        element("td", str(score.infrastructure)),
        element("td", seconds(score.mean_time)),
    )
    return element("tr", *cells)


def _pair_section(pairs: list[Pair]) -> Markup:
    pairs = [pair for pair in pairs if pair.problems]
    if not pairs:
        return Markup()
    reference = pairs[0].reference
    text = (
        "On the problems that both solved, at the same objective value: shifted geometric means (.01 s and "
        f"10 evaluations), divided by those of {reference}. Above 1: it costs more than {reference}."
    )
    rows = (
        element(
            "tr",
            element("td", pair.solver),
            element("td", str(pair.problems)),
            element("td", f"{pair.time_ratio:.2f}"),
            element("td", f"{pair.evaluation_ratio:.2f}"),
        )
        for pair in pairs
    )
    head = (element("th", name) for name in _PAIR_HEAD)
    return join([element("h2", f"Beside {reference}"), element("p", text), table(head, rows)])


def _chart_section(results: Results, charts: list[Chart]) -> Markup:
    legend = (element("li", sample(k), name) for k, name in enumerate(results.solvers))
    figures = (
        element(
            "figure",
            element("figcaption", element("h3", chart.title), element("p", chart.note)),
            draw(chart),
            class_="panel",
        )
        for chart in charts
    )
    return join(
        [
            element("h2", "Profiles"),
            element("ul", *legend, class_="legend"),
            element("div", *figures, class_="charts"),
        ]
    )


def _broken_section(results: Results) -> Markup:
    if not results.broken:
        return Markup()
    rows = []
    for problem in results.broken:
        messages = {row["message"] for (name, _), row in results.cells.items() if name == problem.label}
        message = element("td", "; ".join(sorted(messages)), class_="text")
        rows.append(element("tr", element("td", problem.label), message))
    head = (element("th", "Problem"), element("th", "Why", class_="text"))
    return join(
        [
            element("h2", "Problems that could not be built"),
            element("p", "They count for nobody."),
            table(head, rows),
        ]
    )


def _fact_section(facts: Mapping[str, Any]) -> Markup:
    items = (join([element("dt", str(key)), element("dd", _plain(value))]) for key, value in facts.items())
    return join([element("h2", "Environment"), element("div", element("dl", *items), class_="panel")])


def _plain(value: Any) -> str:
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {item}" for key, item in value.items())
    if isinstance(value, Iterable) and not isinstance(value, str):
        return ", ".join(map(str, value))
    return str(value)
