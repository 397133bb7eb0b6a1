"""Reports as text and as a page: hostile names are shown as text, and the same report gives the same page."""

import re

import pytest

from revertrisk.reports.document import Document, Plot, Section, Series, Table, as_text
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
    tables = (Table(HOSTILE, ("", "edits"), ((HOSTILE, "12"), ("long name", "1,234")), "a note"),)
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
