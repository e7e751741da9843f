import csv
import html.parser
import re

import pytest

from karush.bench.errors import BenchError, StoreError
from karush.bench.jobs import Job, Limits
from karush.bench.outcomes import Outcome
from karush.bench.report import images, write_report
from karush.bench.report.html import Markup, element
from karush.bench.report.table import arrange, pairs, scores
from karush.bench.spec import Spec
from karush.bench.store import Store

LIMITS = Limits(time_limit=10.0)


def put(store, problem, solver, outcome=Outcome.SOLVED, *, seconds=1.0, objective=1.0, version="1", **values):
    record = {
        "outcome": outcome,
        "message": f"<{outcome.name}> & more",
        "n": 2,
        "m": 1,
        "classification": "OOR2-AN-2-1",
        "optimum": None,
        "objective": objective,
        "violation": 0.0,
        "claimed": 1,
        "iterations": 5,
        "evaluations": 7,
        "solve_time": seconds,
        "phases": {"build": 0.1},
        "counts": {"objective": 7},
        "certificate": {"error": 1e-9},
        "history": [[1, 0.0, 5.0, 0.0], [7, 0.1, objective, 0.0]],
        "environment": "abc",
    }
    store.put(Job(Spec(problem), Spec(solver), version), LIMITS, {**record, **values})


@pytest.fixture
def folder(tmp_path):
    with Store(tmp_path) as store:
        store.set_meta("environment:abc", '{"karush": "0.1", "python": "3", "cores": 2}')
        put(store, "A", "exact-al", seconds=1.0)
        put(store, "A", "SLSQP", seconds=3.0)
        put(store, "B", "exact-al", seconds=1.0)
        put(store, "B", "SLSQP", Outcome.UNSOLVED, objective=0.5)
        put(store, "C", "exact-al", Outcome.CRASHED, claimed=0)
        put(store, "C", "SLSQP", Outcome.SKIPPED, claimed=0)
        put(store, "D", "exact-al", objective=2.0)
        put(store, "D", "SLSQP", objective=1.0)
        put(store, "E", "exact-al", Outcome.BUILD_ERROR, n=None)
        put(store, "E", "SLSQP", Outcome.BUILD_ERROR, n=None)
    return tmp_path


def test_scores_count_what_the_certificate_says(folder):
    with Store(folder) as store:
        results = arrange(store.rows())
    ours, theirs = scores(results)
    assert results.solvers == ["exact-al", "SLSQP"]
    assert [problem.label for problem in results.broken] == ["E"]
    assert (ours.total, ours.attempted, ours.certified, ours.infrastructure) == (4, 4, 3, 1)
    assert (theirs.attempted, theirs.certified, theirs.skipped, theirs.overclaimed) == (3, 2, 1, 1)
    assert (ours.local, theirs.local) == (1, 0)


def test_best_value_never_comes_from_an_uncertified_point(folder):
    with Store(folder) as store:
        results = arrange(store.rows())
    assert {problem.label: problem.best for problem in results.problems}["B"] == 1.0


def test_pairs_compare_only_where_both_found_the_same_minimum(folder):
    with Store(folder) as store:
        (pair,) = pairs(arrange(store.rows()), "exact-al")
    assert pair.problems == 1
    assert pair.time_ratio == pytest.approx(3.0, rel=0.05)
    assert pair.evaluation_ratio == pytest.approx(1.0)


def test_newest_version_counts_unless_all_are_asked_for(folder):
    with Store(folder) as store:
        put(store, "A", "exact-al", Outcome.UNSOLVED, version="2")
        rows = store.rows()
    newest = arrange(rows)
    assert newest.cell(newest.problems[0], "exact-al")["outcome"] is Outcome.UNSOLVED
    assert scores(newest)[0].attempted == 1
    assert arrange(rows, all_versions=True).solvers == ["exact-al (1)", "exact-al (2)", "SLSQP (1)"]


class Page(html.parser.HTMLParser):
    VOID = ("meta", "input", "br", "link", "img")

    def __init__(self, text):
        super().__init__()
        self.open, self.tags, self.references, self.rows = [], [], [], 0
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.references += [value for key, value in attributes if key in ("src", "href")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_well_formed_and_needs_nothing_from_outside(folder):
    written = write_report(folder)
    text = written.page.read_text()
    page = Page(text)
    assert page.open == []
    assert page.references == []
    assert "link" not in page.tags
    assert not re.search(r"https?://|@import|url\(", text)
    assert page.tags.count("figure") == 6
    for word in (
        "exact-al",
        "SLSQP",
        "OOR2-AN-2-1",
        "not certified",
        "crash",
        "skipped",
        "could not be built",
    ):
        assert word in text
    assert "<CRASHED>" not in text
    assert "&lt;CRASHED&gt; &amp; more" in text


def test_tables_and_images_stand_beside_the_page(folder):
    written = write_report(folder)
    found = {path.name for path in written.page.parent.iterdir()}
    assert {"index.html", "results.csv", "summary.csv", "profile-time.csv"} <= found
    assert ("profile-time.png" in found) == images.available()
    with (written.page.parent / "results.csv").open() as stream:
        rows = list(csv.DictReader(stream))
    assert len(rows) == 10
    assert {row["outcome"] for row in rows if row["problem"] == "A"} == {"SOLVED"}


def test_report_of_nothing_is_an_error(tmp_path):
    with pytest.raises(StoreError, match="holds no results"):
        write_report(tmp_path / "none")
    Store(tmp_path).close()
    with pytest.raises(BenchError, match="no results yet"):
        write_report(tmp_path)


def test_report_where_nobody_solved_anything_can_be_written(tmp_path):
    with Store(tmp_path) as store:
        put(
            store,
            "A",
            "SLSQP",
            Outcome.UNSOLVED,
            history=[],
            objective=None,
            certificate=None,
            violation=None,
        )
    assert write_report(tmp_path).scores[0].certified == 0


def test_report_folder_that_cannot_be_written_is_named(folder):
    (folder / "report").write_text("in the way")
    with pytest.raises(BenchError, match="cannot write the report"):
        write_report(folder)


def test_plain_text_is_escaped_and_markup_is_not():
    assert element("p", "a < b", Markup("<b>c</b>"), class_="x") == '<p class="x">a &lt; b<b>c</b></p>'
    assert (
        element("input", hidden=True, data_value='"', title=None)
        == '<input hidden data-value="&quot;"></input>'
    )
