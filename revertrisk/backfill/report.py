"""Prints a plan and a final report: tables on a terminal, one line of JSON otherwise."""

import sys
from collections import Counter
from datetime import timedelta
from math import ceil
from typing import Any, TextIO

from rich.console import Console
from rich.table import Table

from revertrisk.backfill.counts import Counts
from revertrisk.runtime.json_documents import json_text

_MAX_TITLES = 10


def show_plan(  # noqa: PLR0913 - what a plan says
    counts: Counts,
    per_second: float,
    *,
    planned_at: str,
    scorer: str,
    unfound: list[tuple[str, str]],
    out: TextIO | None = None,
) -> None:
    """Print how many revisions will be sent, how many not and why, and how many requests and how long it takes."""
    out = out or sys.stdout
    facts = {"planned_at": planned_at, "scorer": scorer} | counts.plan_as_dict(per_second)
    if not out.isatty():
        _write_json(out, {"plan": facts | {"titles_not_found": [title for _, title in unfound]}})
        return
    console = Console(file=out, highlight=False)
    console.print(f"Planned at {planned_at} for {scorer}: {counts.found} revisions found")
    table = Table(title=f"{counts.to_send} revisions to send")
    for heading in ("by", "", "revisions"):
        table.add_column(heading, justify="right" if heading == "revisions" else "left")
    for name, by in (("wiki", counts.by_wiki), ("namespace", counts.by_namespace), ("age", counts.by_age)):
        _add_rows(table, name, by)
    console.print(table)
    if counts.not_sent:
        console.print(_reasons("not sent", counts.not_sent))
    for wiki_id, title in unfound[:_MAX_TITLES]:
        console.print(f"{wiki_id} has no page {title!r}", style="yellow", markup=False)
    if len(unfound) > _MAX_TITLES:
        console.print(f"… and {len(unfound) - _MAX_TITLES} more titles", style="yellow")
    if counts.left < counts.to_send:
        console.print(f"{counts.to_send - counts.left} of them are done; {counts.left} are left.")
    console.print(
        f"At most {counts.requests_to_come} requests to MediaWiki, "
        f"{_lasting(facts['seconds_at_the_limit'])} at {per_second:g} a second."
    )


def show_report(counts: Counts, how_to_retry: str | None, out: TextIO | None = None) -> None:
    """Print the outcomes of all revisions, and the command that retries failed ones."""
    out = out or sys.stdout
    if not out.isatty():
        _write_json(out, {"report": counts.report_as_dict() | {"retry_with": how_to_retry}})
        return
    console = Console(file=out, highlight=False)
    table = Table(title=f"{counts.found} revisions found")
    table.add_column("outcome")
    table.add_column("revisions", justify="right")
    table.add_row("scored", str(counts.scored))
    for reason, count in sorted(counts.skipped.items()):
        table.add_row(reason, str(count))
    for reason, count in sorted(counts.failed.items()):
        table.add_row(reason, str(count), style="red")
    if counts.left:
        table.add_row("left: run the same command to continue", str(counts.left), style="yellow")
    console.print(table)
    if how_to_retry is not None:
        console.print("This command sends failed revisions again:")
        console.print(f"  {how_to_retry}", soft_wrap=True, markup=False)


def _reasons(title: str, counted: Counter[str]) -> Table:
    table = Table(title=title)
    table.add_column("reason")
    table.add_column("revisions", justify="right")
    for reason, count in sorted(counted.items()):
        table.add_row(reason, str(count))
    return table


def _add_rows(table: Table, name: str, counted: Counter[str]) -> None:
    for key, count in sorted(counted.items()):
        table.add_row(name, key, str(count))
        name = ""  # only in the first row
    table.add_section()


def _lasting(seconds: float) -> str:
    return str(timedelta(seconds=ceil(seconds)))


def _write_json(out: TextIO, document: dict[str, Any]) -> None:
    out.write(json_text(document, out) + "\n")
    out.flush()
