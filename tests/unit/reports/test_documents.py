"""Reports as text and as a page: hostile names are shown as text, and the same report gives the same page."""

import re

import pytest

from revertrisk.reports.daily import DailyMean
from revertrisk.reports.document import (
    Document,
    Plot,
    Section,
    Series,
    Table,
    as_text,
    daily_mean_text,
    figure_text,
    figure_texts,
    number_text,
)
from revertrisk.reports.figures import Figure
from revertrisk.reports.page import as_html

HOSTILE = "<script>alert('&')</script>"


@pytest.fixture(scope="module")
def document() -> Document:
    line = Series("48 h", (0.5, 0.8, 0.9), (0.4, 0.6, 0.7), (0.3, None, 0.6), (0.5, None, 0.8))
    rows = Series("", (0.1, 0.2), (0.0, 1.0), (0.05, 0.1), (0.2, 0.3))
    plots = (
        Plot(HOSTILE, "threshold", "share", (line, Series(HOSTILE, (0.5,), (0.5,))), has_diagonal=True),
        Plot("By kind", "share", "", (rows,), rows=("ip", HOSTILE)),
    )
    empty = Table("Empty", ("", "edits"), ())
    tables = (empty, Table(HOSTILE, ("", "edits"), ((HOSTILE, "12"), ("long name", "1,234")), "a note"))
    sections = (Section("One", (HOSTILE,), tables, plots), Section("Two", (), tables, plots))
    return Document(HOSTILE, ("a paragraph " * 30,), sections, {"share": HOSTILE}, ("watched",))


def test_the_page_shows_names_as_text(document: Document) -> None:
    """No name becomes markup, in tables, plots and titles."""
    page = as_html(document)
    assert HOSTILE not in page
    assert page.count("&lt;script&gt;") > 8
    assert page.count("<svg") == 4
    assert page == as_html(document)


def test_ids_are_the_plots_own(document: Document) -> None:
    """A page has several plots, one of them twice. Each id is unique, and each reference has a target."""
    page = as_html(document)
    ids = re.findall(r'\bid="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page)) <= set(ids)


def test_colours_are_the_pages(document: Document) -> None:
    """Plots use the colours of the page, so that they follow light and dark mode."""
    drawn = as_html(document).partition("</style>")[2]
    assert re.findall(r"#[0-9a-f]{6}\b", drawn) == []
    assert "var(--series-1)" in drawn
    assert "var(--ink)" in drawn


def test_text_is_aligned_and_wrapped(document: Document) -> None:
    """Columns start at the same position in each row, and lines are at most 118 characters long."""
    lines = as_text(document).splitlines()
    rows = [line for line in lines if line.endswith(("  12", "1,234"))]
    assert len({len(line) - len(line.split()[-1]) for line in rows}) == 1
    assert max(len(line) for line in lines) <= 118
    assert (
        "The edits behind the figures are read from the lake by revertrisk/reports/sql/watched.sql." in lines
    )


def figure(value: float | None, low: float | None, high: float | None, note: str | None = None) -> Figure:
    """Return a share."""
    return Figure(measure="recall", value=value, low=low, high=high, n=65, reverted=45, pages=9, note=note)


@pytest.mark.parametrize(
    ("value", "decimals", "text"),
    [
        (0, 1, "0.0"),
        (0.0212, 1, "0.021"),
        (0.0996, 1, "0.10"),
        (9.96, 1, "10.0"),
        (1234.56, 1, "1,234.6"),
        (-0.0034, 1, "-0.0034"),
        (0.895, 3, "0.895"),
        (3.4, 0, "3.4"),
        (1e-12, 1, "0.0"),
    ],
)
def test_numbers_have_two_significant_digits(value: float, decimals: int, text: str) -> None:
    """No number is rounded to nothing: 36 flagged edits in 1,698 days are 0.021 per day."""
    assert number_text(value, decimals) == text


def test_figures_as_text() -> None:
    """A figure, one without an interval, and a row in which the reason for the same refusal is given once."""
    assert figure_text(figure(0.0043, 0.000076, 0.024)) == "0.43 % (0.0076 to 2.4)"
    assert (
        figure_text(figure(0.5, None, None, "no interval: 1.6 effective pages")) == "50.0 % (too few pages)"
    )
    assert daily_mean_text(DailyMean(0.0212, 0.0141, 0.0283, 1698, 0)) == "0.021 (0.014 to 0.028)"
    few = figure(None, None, None, "too few (n = 65, 45 reverted)")
    assert figure_texts(few, figure(0.5, 0.4, 0.6), few, few) == (
        "too few (n = 65, 45 reverted)",
        "50.0 % (40.0 to 60.0)",
        "-",
        "-",
    )


def test_empty_tables_are_left_out(document: Document) -> None:
    """A table without rows is in neither form of the report."""
    assert "Empty" not in as_text(document)
    assert "Empty" not in as_html(document)
