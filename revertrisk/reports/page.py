"""A report as one HTML page without other files and without scripts, for light and dark mode and for phones."""

from collections.abc import Iterator
from html import escape
from typing import Final

from revertrisk.reports.document import Document, Plot, Section, Table
from revertrisk.reports.plots import svg
from revertrisk.reports.statements import template

_MAX_UNBROKEN: Final = 40
"""A cell with more characters has line breaks at any space."""
_STYLE: Final = """
:root { color-scheme: light dark; --ink: #202122; --paper: #fff; --line: #a2a9b1; --soft: #f8f9fa; --quiet: #54595d;
--series-1: #36c; --series-2: #b32424; --series-3: #14866d; --series-4: #7b4fb3 }
@media (prefers-color-scheme: dark) { :root { --ink: #eaecf0; --paper: #101418; --line: #72777d; --soft: #1b2026;
--quiet: #a2a9b1; --series-1: #88a3e8; --series-2: #fd7865; --series-3: #2cb491; --series-4: #b197d9 } }
* { box-sizing: border-box }
body { margin: 0 auto; max-width: 72rem; padding: 1rem; color: var(--ink); background: var(--paper);
font: 1rem/1.5 system-ui, sans-serif }
h1 { font-size: 1.5rem; line-height: 1.25; overflow-wrap: anywhere }
h2 { font-size: 1.2rem; margin-top: 2.5rem; border-bottom: 1px solid var(--line); overflow-wrap: anywhere }
p, dd { max-width: 45rem }
.scroll { overflow-x: auto; margin: 1rem 0 }
table { border-collapse: collapse; font-size: .875rem }
caption { text-align: left; font-weight: 600; padding: .25rem 0 }
th, td { text-align: left; padding: .25rem .75rem .25rem 0; border-bottom: 1px solid var(--line); vertical-align: top }
td span, tbody th { white-space: nowrap }
thead th { vertical-align: bottom }
tbody th { position: sticky; left: 0; background: var(--paper); font-weight: 400 }
.note, dd { color: var(--quiet) }
.note { margin-top: -.5rem; font-size: .875rem }
.plots { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 22rem), 1fr)); gap: 1rem }
figure { margin: 0; min-width: 0 }
figcaption { font-weight: 600; font-size: .875rem }
svg { width: 100%; max-width: 32rem; height: auto; display: block }
pre { overflow-x: auto; font-size: .8125rem; background: var(--soft); padding: .75rem }
dt { font-weight: 600; margin-top: .5rem }
dd { margin: 0 }
@media (max-width: 30rem) { body { padding: .75rem } tbody th { max-width: 9rem; white-space: normal } }
"""


def as_html(document: Document) -> str:
    """Return a report as an HTML page."""
    return "\n".join(_page(document)) + "\n"


def _page(document: Document) -> Iterator[str]:
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>{escape(document.title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main>"
    yield f"<h1>{escape(document.title)}</h1>"
    yield from _paragraphs(document.paragraphs)
    for section in document.sections:
        yield from _section(section)
    if document.definitions:
        yield "<section>\n<h2>Definitions</h2>\n<dl>"
        for name, text in document.definitions.items():
            yield f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>"
        yield "</dl>\n</section>"
    if document.queries:
        yield "<section>\n<h2>Queries</h2>"
        yield "<p>These queries read the edits behind the figures from the lake. "
        yield "The report fills in the values in braces.</p>"
        for name in document.queries:
            yield f"<details><summary>{escape(name)}.sql</summary><pre>{escape(template(name))}</pre></details>"
        yield "</section>"
    yield "</main>\n</body>\n</html>"


def _section(section: Section) -> Iterator[str]:
    yield f"<section>\n<h2>{escape(section.title)}</h2>"
    yield from _paragraphs(section.paragraphs)
    if section.plots:
        yield '<div class="plots">'
        for plot in section.plots:
            yield from _plot(section, plot)
        yield "</div>"
    for table in section.filled_tables:
        yield from _table(table)
    yield "</section>"


def _paragraphs(paragraphs: tuple[str, ...]) -> Iterator[str]:
    for paragraph in paragraphs:
        yield f"<p>{escape(paragraph)}</p>"


def _table(table: Table) -> Iterator[str]:
    # tabindex lets keyboard users scroll a wide table.
    yield f'<div class="scroll" role="region" tabindex="0" aria-label="{escape(table.title)}">'
    yield f"<table>\n<caption>{escape(table.title)}</caption>\n<thead><tr>"
    yield "".join(f'<th scope="col">{escape(cell)}</th>' for cell in table.header) + "</tr></thead>\n<tbody>"
    for first, *others in table.rows:
        cells = "".join(f"<td>{_cell(cell)}</td>" for cell in others)
        yield f'<tr><th scope="row">{escape(first)}</th>{cells}</tr>'
    yield "</tbody>\n</table>\n</div>"
    if table.note:
        yield f'<p class="note">{escape(table.note)}</p>'


def _cell(text: str) -> str:
    """Return a cell as HTML. Lines break only before an interval in parentheses, and in long texts."""
    value, opening, interval = escape(text).partition(" (")
    if len(text) > _MAX_UNBROKEN:
        return escape(text)
    return f"<span>{value}</span>" + (f" <span>({interval}</span>" if opening else "")


def _plot(section: Section, plot: Plot) -> Iterator[str]:
    # Plots of several sections can have the same title, but element ids must be unique on the page.
    drawn = svg(plot, f"{section.title} {plot.title}")
    yield f"<figure>\n<figcaption>{escape(plot.title)}</figcaption>"
    label = escape(
        f"{plot.title}: {plot.y_label or 'each row'} by {plot.x_label}; the values are in the tables"
    )
    yield drawn.replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    yield "</figure>"
