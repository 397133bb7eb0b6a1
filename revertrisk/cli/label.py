"""``revertrisk label``: makes labelled edits from recorded events or from an export."""

# ruff: noqa: PLC0415 - each command imports what it needs

import gzip
import json
from collections.abc import Iterable, Iterator, Mapping
from contextlib import nullcontext
from datetime import timedelta
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from revertrisk.cli.dispatcher_flags import refuse
from revertrisk.runtime.output_files import complete_file, is_same_file

if TYPE_CHECKING:
    from revertrisk.event_platform.page_change import SkipReason
    from revertrisk.labels.labelled import Counts
    from revertrisk.labels.rule import LabelRule

_MAX_HOURS = 87_600.0
"""Ten years."""


class Widened(StrEnum):
    """The skip reasons in `rule.WIDENABLE`, as an enum for Typer."""

    NOT_WIKIPEDIA = "not_wikipedia"
    NAMESPACE = "namespace"
    REDIRECT = "redirect"
    CONTENT_MODEL = "content_model"
    TOO_LARGE = "too_large"


def label(
    source: Annotated[
        Path,
        typer.Argument(
            exists=True,
            dir_okay=False,
            help="page_change events as JSON lines, or an XML export. It can be compressed.",
        ),
    ],
    out: Annotated[
        Path,
        typer.Option(
            dir_okay=False,
            help="The file to write, as JSON lines. If its name ends in .gz, it is compressed.",
        ),
    ],
    wiki_id: Annotated[
        str | None,
        typer.Option(
            "--wiki-id",
            "--wiki",
            help="A name for a wiki that is not in the wiki table. Its edits are labelled like those of scored wikis.",
        ),
    ] = None,
    include: Annotated[
        list[Widened],
        typer.Option(
            metavar="REASON",
            help="Also label edits that the server skips for this reason: not_wikipedia, namespace, redirect, "
            "content_model or too_large; repeatable.",
        ),
    ] = [],  # noqa: B006 - Typer reads it
    hours: Annotated[
        float,
        typer.Option(
            min=0, max=_MAX_HOURS, help="A revert counts only within this many hours after the edit."
        ),
    ] = 48.0,
) -> None:
    """Label edits as reverted by another user or not, for training and evaluation.

    Edits that the server scores are labelled; --include adds others. Null edits, self-reverts and edits whose revert
    was itself reverted are left out. Edits that are too young to have a final label are marked. An export also gives
    the changed lines, which events do not have. At the end the command prints how many edits were left out, and why.
    """
    import sqlite3

    from revertrisk.event_platform.page_change import SkipReason
    from revertrisk.labels.labelled import Counts
    from revertrisk.labels.recorded import is_export
    from revertrisk.labels.rule import LabelRule
    from revertrisk.runtime.unpacking import PackedFileError
    from revertrisk.wiki.exports.reader import ExportError
    from revertrisk.wiki.table import WikiTable

    if is_same_file(source, out):
        refuse(ValueError(f"--out: {out} is the file that is read; give another one"))
    counts = Counts()
    widened = [SkipReason(reason) for reason in include]
    horizon = timedelta(hours=hours)
    try:
        if is_export(source):
            rows = _of_export(source, wiki_id, widened, counts, horizon)
        else:
            rows = _of_events(source, LabelRule(WikiTable.load(), widened, wiki_id), counts, horizon)
        _write(rows, out)
    except PackedFileError as exc:
        refuse(ValueError(f"{source}: {exc}"))
    except (ExportError, OSError, _NothingReadError) as exc:
        refuse(exc)
    except sqlite3.Error as exc:
        refuse(ValueError(f"the edits cannot be stored in a temporary file: {exc}"))
    typer.echo(summary(counts))


class _NothingReadError(ValueError):
    """A file does not have any page_change event."""


def _of_events(
    source: Path, rule: "LabelRule", counts: "Counts", horizon: timedelta
) -> Iterator[dict[str, Any]]:
    from revertrisk.labels.labelled import label_events
    from revertrisk.labels.recorded import recorded_events
    from revertrisk.labels.rule import INVALID_EVENT

    yield from label_events(recorded_events(source), rule, counts, horizon=horizon)
    if counts.read and counts.left_out[INVALID_EVENT] == counts.read:
        raise _NothingReadError(
            f"{source}: expected a page_change event on each line, or an XML export; {counts.first_invalid}"
        )


def _of_export(
    source: Path,
    wiki_id: str | None,
    widened: "list[SkipReason]",
    counts: "Counts",
    horizon: timedelta,
) -> Iterator[dict[str, Any]]:
    """Convert the edits of an export to page_change events, label these, and add the changed lines from the texts."""
    from mock_mediawiki.app import open_history, wikis_of
    from mock_mediawiki.page_changes import page_changes
    from revertrisk.labels.labelled import label_events
    from revertrisk.labels.rule import LabelRule
    from revertrisk.scoring import changes
    from revertrisk.scoring.changes import Change

    wikis = wikis_of(source, wiki_id)
    with open_history(source, wikis, wiki_id) as history:

        def change_of(of_wiki: str, rev_id: int, parent_id: int | None) -> Change | None:
            after = history.revision(of_wiki, rev_id)
            before = history.revision(of_wiki, parent_id or 0)
            if after is None or before is None:
                return None
            old, new = history.text(before), history.text(after)
            return None if old is None or new is None else changes.between(old, new)

        rule = LabelRule(wikis, widened, wiki_id)
        events = enumerate(page_changes(history, wikis), start=1)
        yield from label_events(events, rule, counts, horizon=horizon, change_of=change_of)


def _write(rows: Iterable[Mapping[str, Any]], path: Path) -> None:
    """Write labelled edits, with gzip if the name ends in ``.gz``. The file appears when it is complete."""
    with (
        complete_file(path) as file,
        gzip.open(file, "wb") if path.suffix == ".gz" else nullcontext(file) as out,
    ):
        for row in rows:
            out.write(_json(row) + b"\n")


def _json(row: Mapping[str, Any]) -> bytes:
    try:
        return json.dumps(row, ensure_ascii=False).encode()
    except UnicodeEncodeError:  # half of a surrogate pair can be written only as an escape sequence
        return json.dumps(row).encode()


def summary(counts: "Counts") -> str:
    """Return a text with the counts: read, labelled, and left out by reason. The numbers add up."""
    lines = [
        f"{counts.read} edits and other changes read",
        f"{counts.labelled} labelled: {counts.reverted} reverted, {counts.immature} too young for a final label",
        f"{counts.left_out.total()} left out",
    ]
    lines += [f"  {number} {reason}" for reason, number in counts.left_out.most_common()]
    if counts.first_invalid is not None:
        lines.append(f"the first invalid_event is in {counts.first_invalid}")
    if counts.reverts_without_range:
        lines.append(f"reverts that do not say which edits they revert: {counts.reverts_without_range}")
    return "\n".join(lines)
