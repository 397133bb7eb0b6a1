"""Plots as SVG, drawn with matplotlib. Colours are CSS variables of the page, which follow light and dark mode."""

import io
import re
from collections.abc import Sequence
from typing import Any, Final

import matplotlib as mpl
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from revertrisk.reports.document import Plot, Series

# Placeholders: nothing else in the SVG has these colours, so that `_for_page` can replace them.
_INK: Final = "#010203"
_LINE: Final = "#010204"
_SERIES: Final = ("#010205", "#010206", "#010207", "#010208")
_COLOURS: Final = {_INK: "ink", _LINE: "line"} | {
    colour: f"series-{number}" for number, colour in enumerate(_SERIES, 1)
}
"""Colours that matplotlib draws with, and the CSS variables that replace them."""
_MARKERS: Final = ("o", "s", "^", "D")
_SETTINGS: Final[dict[str, Any]] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],
    "font.size": 10,
    "axes.edgecolor": _LINE,
    "axes.labelcolor": _INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _LINE,
    "grid.alpha": 0.5,
}
_WIDTH, _HEIGHT, _ROW, _FRAME = 5.0, 3.4, 0.3, 1.1
"""Width and height of a plot, height of a row, and height of what surrounds the rows; in inches."""


def svg(plot: Plot, name: str) -> str:
    """Draw a plot; the same plot always gives the same text. ``name`` must be unique on the page."""
    settings: Any = _SETTINGS | {"svg.hashsalt": name}
    with mpl.rc_context(settings):
        height = _FRAME + _ROW * len(plot.rows) if plot.rows else _HEIGHT
        figure = Figure(figsize=(_WIDTH, height), layout="constrained")
        axes = figure.add_subplot()
        for number, series in enumerate(plot.series):
            _draw(axes, series, number, is_vertical=not plot.rows)
        if plot.has_diagonal:
            axes.axline((0, 0), slope=1, color=_LINE, linestyle="--", linewidth=1)
        _frame(axes, plot)
        out = io.StringIO()
        figure.savefig(
            out,
            format="svg",
            transparent=True,
            metadata={"Date": None, "Creator": None, "Format": None, "Type": None},
        )
    return _for_page(out.getvalue(), name)


def _draw(axes: Any, series: Series, number: int, *, is_vertical: bool) -> None:
    colour, marker = _SERIES[number % len(_SERIES)], _MARKERS[number % len(_MARKERS)]
    style = {"color": colour, "label": series.name, "markersize": 5, "linewidth": 1.6}
    if series.is_line:
        axes.plot(series.x, series.y, "-", **style)
    else:
        axes.plot(series.x, series.y, marker, linestyle="-" if is_vertical else "", **style)
    values = series.y if is_vertical else series.x
    # Not strict: a series without intervals has empty `low` and `high`.
    bars = [
        (place, value - low, high - value)
        for place, (value, low, high) in enumerate(zip(values, series.low, series.high, strict=False))
        if low is not None and high is not None
    ]
    if bars:
        places = [place for place, _, _ in bars]
        # An estimate can lie outside of its interval (bootstrap, rounding). matplotlib refuses a negative length.
        errors = [[max(down, 0) for _, down, _ in bars], [max(up, 0) for _, _, up in bars]]
        axes.errorbar(
            _pick(series.x, places),
            _pick(series.y, places),
            **{"yerr" if is_vertical else "xerr": errors},
            fmt="none",
            color=colour,
            ecolor=colour,
            capsize=2,
            linewidth=1,
        )


def _frame(axes: Any, plot: Plot) -> None:
    axes.set_xlabel(plot.x_label)
    axes.grid(visible=True, linewidth=0.5)
    axes.set_axisbelow(True)
    if plot.is_share[0]:
        axes.xaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    if plot.rows:
        axes.set_yticks(range(len(plot.rows)), plot.rows)
        axes.set_ylim(len(plot.rows) - 0.5, -0.5)
        axes.set_xlim(left=0)
    else:
        axes.set_ylabel(plot.y_label)
        axes.set_ylim(bottom=0)
        if plot.is_share[1]:
            axes.yaxis.set_major_formatter(PercentFormatter(1, decimals=None))
    if len(plot.series) > 1:
        axes.legend(frameon=False, fontsize=9)


def _pick(values: Sequence[float], places: Sequence[int]) -> list[float]:
    return [values[place] for place in places]


def _for_page(text: str, name: str) -> str:
    text = text[text.index("<svg") :]
    before, _, rest = text.partition("<metadata>")
    text = before + rest.partition("</metadata>")[2]
    for placeholder, colour in _COLOURS.items():
        text = text.replace(placeholder, f"var(--{colour})")
    # The page sets the size. Ids get a prefix, because a page has several plots.
    head, closing, body = re.sub(r"\n\s*", "\n", text).partition(">")
    text = re.sub(r' (?:width|height)="[^"]*"', "", head) + closing + body
    prefix = re.sub(r"\W+", "-", name.lower())
    text = re.sub(r'\bid="', f'id="{prefix}-', text)
    return re.sub(r'(url\(#|href="#)', rf"\g<1>{prefix}-", text).strip()
