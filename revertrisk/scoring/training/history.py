"""Reads the history of a page from a MediaWiki XML export, as the revisions that a server would score.

The labels are in a second file. The features are computed from whole texts with `features.extract`, as in serving.
"""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from revertrisk.runtime.unpacking import text_lines
from revertrisk.scoring.features import extract
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User
from revertrisk.scoring.training.examples import Dataset, Example, TrainingError, sha256_of
from revertrisk.wiki.exports.reader import ExportedPage, ExportedRevision, ExportError, exported_revisions


def read_history(export: Path, labels: Path, *, wiki_id: str, language: str) -> Dataset:
    """Read the labelled edits of an exported page: each revision with the one before it in the file.

    Null edits and self-reverts are left out. So are edits in or directly after a run of two or more empty texts:
    there the archive lost the texts, and the page was not blank. Only training has this rule; for ``revertrisk label``
    an empty text is a blank page.

    Raises:
        TrainingError: one of the files cannot be used.

    """
    try:
        rows = {row["rev_id"]: row for row in map(json.loads, text_lines(labels))}
        return _joined(export, labels, rows, wiki_id=wiki_id, language=language)
    except (KeyError, TypeError, ValueError, RecursionError) as exc:
        problem = exc if isinstance(exc, ExportError) else f"{labels.name}: expected JSON lines with labels"
        raise TrainingError(str(problem)) from exc


def _joined(
    export: Path, labels: Path, rows: Mapping[int, Mapping[str, Any]], *, wiki_id: str, language: str
) -> Dataset:
    examples = []
    for revision, user_name, title in scorable_revisions(export, wiki_id=wiki_id, language=language):
        row = rows.get(revision.rev_id)
        if row is None or row["self_reverted"]:
            continue
        examples.append(
            Example(
                features=extract(revision),
                label=bool(row["label"]),
                page=title,
                user=user_name,
                wiki_id=wiki_id,
                is_anonymous=revision.user.kind.is_anonymous,
            )
        )
    return Dataset(labels.name.removesuffix(".jsonl.gz"), labels.name, sha256_of(labels), tuple(examples))


def scorable_revisions(
    export: Path, *, wiki_id: str, language: str
) -> Iterator[tuple[Revision, str | None, str]]:
    """Yield the edits of an export that changed a text, each with its author's name and page title.

    Left out are edits whose text or parent text is not in the export, edits whose parent is not the revision before
    them in the file, and the edits around lost texts (see `read_history`).
    """
    # Each edit is held back until the next revision is read. If its own text and the next one are empty, they are a run
    # of lost texts, and it is dropped. The edit that ends such a run has an empty parent and an empty grandparent.
    grandparent_empty = False
    before: tuple[ExportedPage, ExportedRevision] | None = None
    held: tuple[Revision, str | None, str] | None = None
    for page, current in exported_revisions(export):
        if before is not None and before[0].page_id != page.page_id:
            before = None  # an empty text at the end of a page and one at the start of the next are no run
        follows_empty = before is not None and before[1].text == ""
        if held is not None and (current.text != "" or not follows_empty):
            yield held
        held = None
        ends_lost_run = follows_empty and grandparent_empty
        if before is not None and not ends_lost_run:
            parent = before[1]
            if _is_parent(parent, current) and current.text != parent.text:
                held = _scorable(page, current, parent, wiki_id, language)
        grandparent_empty = follows_empty
        before = page, current
    if held is not None:
        yield held


def _is_parent(earlier: ExportedRevision, current: ExportedRevision) -> bool:
    if current.parent_id is not None:
        return current.parent_id == earlier.rev_id
    return (earlier.timestamp, earlier.rev_id) < (current.timestamp, current.rev_id)


def _scorable(
    page: ExportedPage, current: ExportedRevision, parent: ExportedRevision, wiki_id: str, language: str
) -> tuple[Revision, str | None, str] | None:
    if current.text is None or parent.text is None:
        return None
    revision = Revision(
        wiki_id=wiki_id,
        language=language,
        rev_id=current.rev_id,
        timestamp=current.saved_at,
        text=current.text,
        parent=ParentRevision(
            rev_id=parent.rev_id,
            timestamp=parent.saved_at,
            text=parent.text,
            user_kind=parent.user_kind,
        ),
        page=Page(page_id=0, title=page.title, namespace_id=page.namespace_id),  # no feature reads the id
        user=User(kind=current.user_kind),
        comment=current.visible_comment,
        is_minor=current.is_minor,
    )
    return revision, current.user_name, page.title
