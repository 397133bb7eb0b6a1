"""What the report commands share: flags, reading the lake, and writing a report."""

# ruff: noqa: PLC0415 - database engines and statistics are imported only when a report is made

import importlib.util
import os
import re
import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NoReturn

import typer

from revertrisk.cli import dispatcher_flags as flags
from revertrisk.cli.lake import EXIT_CONFIGURATION

if TYPE_CHECKING:
    from revertrisk.lake import Reader
    from revertrisk.reports.document import Document
    from revertrisk.reports.lake_edits import ModelVersion, Period

_UNITS: Final = {"h": 3600.0, "d": 86_400.0}

Wikis = Annotated[list[str], typer.Option("--wiki", help="Report on this wiki only; repeatable.")]
Models = Annotated[list[str], typer.Option("--model", help="Report on this model only; repeatable.")]
Since = Annotated[str | None, typer.Option(metavar="DAY", help="The first day of edits, such as 2026-11-01.")]
Until = Annotated[str | None, typer.Option(metavar="DAY", help="The last day of edits.")]
Json = Annotated[bool, typer.Option("--json", help="Write JSON instead of text, with all cells and figures.")]
Html = Annotated[
    Path | None,
    typer.Option(
        dir_okay=False, help="Also write an HTML page with tables and plots. It needs no other file."
    ),
]
AutomoderatorRules = Annotated[
    bool,
    typer.Option(
        "--automoderator-rules",
        help="Leave out edits that Automoderator skips: by bots and privileged editors, self-reverts, creations, "
        "null edits.",
    ),
]


def models_of(reader: "Reader", wikis: Collection[str], names: Collection[str]) -> "list[ModelVersion]":
    """Return the model versions of the given wikis and model names; empty means all.

    The command ends with status 2 if the lake has no predictions of a wiki, of a name, or of their combination.
    """
    from revertrisk.reports.lake_edits import read_models

    known = read_models(reader)
    _check("wiki", wikis, {each.wiki_id for model in known for each in model.wikis})
    _check("model", names, {model.model_name for model in known})
    found = read_models(reader, wikis=wikis, model_names=names)
    if not found:
        flags.refuse(ValueError("the lake has no predictions of these wikis by these models"))
    return found


def _check(flag: str, asked: Collection[str], known: Collection[str]) -> None:
    for each in asked:
        if each not in known:
            names = ", ".join(sorted(known)[:20]) or "none"
            flags.refuse(ValueError(f"--{flag}: the lake has no predictions of {each!r}; it has: {names}"))


@contextmanager
def reading(lake: str) -> "Iterator[Reader]":
    """Open a lake for reading. An error of the lake ends the command with its exit status."""
    from revertrisk.lake import LakeError, Reader

    try:
        with closing(Reader(lake)) as reader:
            yield reader
    except LakeError as exc:
        end(exc, exc.exit_status)


def write(
    report: Any,
    to_json: Callable[[Any], dict[str, Any]],
    to_document: "Callable[[Any], Document]",
    *,
    as_json: bool,
    html: Path | None,
) -> None:
    """Write a report as text or JSON to standard output, and as an HTML page to ``html`` if given."""
    import orjson

    from revertrisk.reports.document import as_text

    if html is not None:
        from revertrisk.reports.page import as_html

        try:
            html.write_text(as_html(to_document(report)), encoding="utf-8")
        except OSError as exc:
            flags.refuse(ValueError(f"--html: {html} cannot be written: {exc.strerror}"))
    if as_json:
        content = orjson.dumps(to_json(report), default=str, option=orjson.OPT_INDENT_2)
        typer.echo(content.decode())
    else:
        typer.echo(as_text(to_document(report)), nl=False)


def period_of(since: str | None, until: str | None) -> "Period":
    """Return the period of --since and --until."""
    from revertrisk.reports.lake_edits import Period

    days: dict[str, date | None] = {"since": None, "until": None}
    for flag, text in (("since", since), ("until", until)):
        if text is None:
            continue
        try:
            days[flag] = date.fromisoformat(text)
        except ValueError:
            flags.refuse(ValueError(f"--{flag}: expected a day such as 2026-11-01, not {text!r}"))
    since_day, until_day = days["since"], days["until"]
    if since_day and until_day and since_day > until_day:
        flags.refuse(ValueError(f"--until: expected a day from --since ({since_day}) on, not {until_day}"))
    return Period(since_day, until_day)


def seconds_of(flag: str, text: str) -> float:
    """Return the seconds of a time in hours or days, such as 48h or 7d."""
    found = re.fullmatch(r"(\d{1,4})([hd])", text)
    if found is None or int(found[1]) == 0:
        flags.refuse(ValueError(f"--{flag}: expected hours or days such as 48h or 7d, not {text!r}"))
    return int(found[1]) * _UNITS[found[2]]


def prepare(html: Path | None, level: str = "WARNING") -> None:
    """Set up logging; end the command if the extra is not installed or the page cannot be written."""
    needed = ("deltalake", "duckdb", "matplotlib", "scipy", "statsmodels")
    if any(importlib.util.find_spec(name) is None for name in needed):
        problem = "reports need the extra: pip install 'revertrisk-events[reports]'"
        end(ValueError(problem), EXIT_CONFIGURATION)
    if html is not None and (not html.parent.is_dir() or not os.access(html.parent, os.W_OK)):
        flags.refuse(ValueError(f"--html: {html} cannot be written"))
    from revertrisk.runtime.logs import configure_logging_from_environment

    try:
        configure_logging_from_environment(level, sys.stderr)
    except ValueError as exc:
        end(exc, EXIT_CONFIGURATION)


def end(problem: Exception, status: int) -> NoReturn:
    """End the command with a message and an exit status."""
    typer.echo(f"revertrisk: {problem}", err=True)
    raise typer.Exit(status)
