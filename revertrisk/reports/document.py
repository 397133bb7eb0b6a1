"""The parts of a report for people: paragraphs, tables and plots. A terminal and a page show the same document."""

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from revertrisk.reports.daily import DailyMean
from revertrisk.reports.figures import Figure

TOO_FEW_PAGES: Final = "too few pages"
"""Stands in place of an interval that cannot be computed."""
_WIDTH: Final = 118
_MAX_DECIMALS: Final = 8


@dataclass(frozen=True, slots=True)
class Table:
    """Rows of text cells; the first column names the row."""

    title: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    note: str = ""


@dataclass(frozen=True, slots=True)
class Series:
    """Points with a name. ``low`` and ``high`` are the ends of their intervals; None for a point without interval."""

    name: str
    x: tuple[float, ...]
    y: tuple[float, ...]
    low: tuple[float | None, ...] = ()
    high: tuple[float | None, ...] = ()
    is_line: bool = False


@dataclass(frozen=True, slots=True)
class Plot:
    """A plot."""

    title: str
    x_label: str
    y_label: str
    series: tuple[Series, ...]
    has_diagonal: bool = False
    rows: tuple[str, ...] = ()
    """Names on the vertical axis, from the top. If there are any, the ``y`` of each series is 0, 1, ..."""
    is_share: tuple[bool, bool] = (True, True)
    """Whether the values of the x axis and of the y axis are shares from 0 to 1, which are shown in percent."""


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a report."""

    title: str
    paragraphs: tuple[str, ...] = ()
    tables: tuple[Table, ...] = ()
    plots: tuple[Plot, ...] = ()

    @property
    def filled_tables(self) -> tuple[Table, ...]:
        """The tables that have rows; others are not shown."""
        return tuple(each for each in self.tables if each.rows)


@dataclass(frozen=True, slots=True)
class Document:
    """A whole report."""

    title: str
    paragraphs: tuple[str, ...]
    sections: tuple[Section, ...]
    definitions: dict[str, str] = field(default_factory=dict)
    """The definition of each figure, by its name in the tables."""
    queries: tuple[str, ...] = ()
    """The names of the queries in reports/sql that read the edits behind the figures."""


def number_text(value: float, decimals: int) -> str:
    """Return a number with ``decimals`` decimals, or more if it would have fewer than two significant digits."""
    if round(value, _MAX_DECIMALS):
        exponent = int(f"{value:.1e}".partition("e")[2])
        decimals = max(decimals, min(1 - exponent, _MAX_DECIMALS))
    return f"{value:,.{decimals}f}"


def percent(value: float) -> str:
    """Return a share in percent, with one decimal or two significant digits."""
    return f"{number_text(100 * value, 1)} %"


def figure_text(figure: Figure, *, is_share: bool = True) -> str:
    """Return a figure with its interval, or the reason why it is not shown."""
    if figure.value is None:
        return figure.note or "not shown"
    factor, decimals, unit = (100, 1, " %") if is_share else (1, 3, "")
    value, low, high = (
        None if each is None else number_text(factor * each, decimals)
        for each in (figure.value, figure.low, figure.high)
    )
    return f"{value}{unit} ({low} to {high})" if low and high else f"{value}{unit} ({TOO_FEW_PAGES})"


def figure_texts(*figures: Figure) -> tuple[str, ...]:
    """Return the figures of a row. A reason why figures are not shown is given once, then a dash."""
    texts: list[str] = []
    for each in figures:
        text = figure_text(each)
        texts.append("-" if each.value is None and text in texts else text)
    return tuple(texts)


def seconds_text(figure: Figure) -> str:
    """Return a time in seconds with its interval, or the reason why it is not shown."""
    if figure.value is None:
        return figure.note or "not shown"
    value, low, high = (
        None if each is None else number_text(each, 0) for each in (figure.value, figure.low, figure.high)
    )
    return f"{value} ({low} to {high})" if low and high else f"{value} ({TOO_FEW_PAGES})"


def daily_mean_text(number: DailyMean) -> str:
    """Return a mean number per day with its interval."""
    value = number_text(number.value, 1)
    if number.low is None or number.high is None:
        return f"{value} ({number.days} days: no interval)"
    return f"{value} ({number_text(number.low, 1)} to {number_text(number.high, 1)})"


def horizon_name(seconds: float) -> str:
    """Return a horizon in hours if it is at most two days, else in days."""
    hours = seconds / 3600
    return f"{hours:g} h" if hours <= 48 else f"{hours / 24:g} d"  # noqa: PLR2004 - two days


def as_text(document: Document) -> str:
    """Return a report for a terminal: columns are aligned, plots are left out."""
    lines = [document.title, "=" * len(document.title), "", *_wrapped(*document.paragraphs)]
    for section in document.sections:
        lines += ["", section.title, "-" * len(section.title), *_wrapped(*section.paragraphs)]
        for table in section.filled_tables:
            lines += ["", f"{table.title}:", *_aligned([table.header, *table.rows])]
            lines += _wrapped(table.note)
    if document.definitions:
        lines += ["", "Definitions", "-----------"]
        lines += _wrapped(*(f"{name}: {text}" for name, text in document.definitions.items()))
    if document.queries:
        names = ", ".join(f"revertrisk/reports/sql/{name}.sql" for name in document.queries)
        lines += ["", *_wrapped(f"The edits behind the figures are read from the lake by {names}.")]
    return "\n".join(lines) + "\n"


def _wrapped(*texts: str) -> list[str]:
    return [line for text in texts for line in textwrap.wrap(text, _WIDTH)]


def _aligned(rows: Sequence[Sequence[str]]) -> list[str]:
    widths = [max(len(row[place]) for row in rows) for place in range(len(rows[0]))]
    return [
        "  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
