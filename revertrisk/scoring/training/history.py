"""The history of a page from a MediaWiki XML export, read as the revisions that a server would score.

The labels come from a companion file. Whole texts go through `features.extract`, the very path that serves.
"""

import gzip
import hashlib
import json
import lzma

# The export is a local file that its user chose; expat of this Python does not expand external entities.
import xml.etree.ElementTree as ET
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from revertrisk.scoring.features import extract
from revertrisk.scoring.revision import Page, ParentRevision, Revision, User, UserKind
from revertrisk.scoring.training.examples import Dataset, Example


@dataclass(frozen=True, slots=True, kw_only=True)
class ExportedRevision:
    """One revision of an export, as far as format 0.4 describes it."""

    rev_id: int
    timestamp: datetime
    text: str
    user_kind: UserKind
    user_name: str | None
    comment: str | None
    is_minor: bool
    title: str


def read_history(export: Path, labels: Path, *, wiki_id: str, language: str) -> Dataset:
    """Read the labelled edits of an exported page: each revision with the one before it in the file.

    Null edits and self-reverts are left out, and so are edits into, out of and within a run of two or more
    empty texts: there the archive lost the texts, and nobody blanked the page.
    """
    packed = labels.read_bytes()
    rows = {row["rev_id"]: row for row in map(json.loads, gzip.decompress(packed).splitlines())}
    examples = []
    for revision, user_name, title in scorable_revisions(export, wiki_id=wiki_id, language=language):
        row: dict[str, Any] | None = rows.get(revision.rev_id)
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
    digest = hashlib.sha256(packed).hexdigest()
    return Dataset(labels.name.removesuffix(".jsonl.gz"), labels.name, digest, tuple(examples))


def scorable_revisions(
    export: Path, *, wiki_id: str, language: str
) -> Iterator[tuple[Revision, str | None, str]]:
    """Yield the edits of an export that changed a text, each with its author's name and page title."""
    grandparent_empty = False
    parent: ExportedRevision | None = None
    held: tuple[Revision, str | None, str] | None = None
    for current in exported_revisions(export):
        lost = parent is not None and not parent.text and not current.text
        if held is not None and not lost:
            yield held
        held = None
        leaves_lost_run = parent is not None and not parent.text and grandparent_empty
        same_page = parent is not None and parent.title == current.title
        if parent is not None and same_page and not leaves_lost_run and current.text != parent.text:
            held = (_revision(current, parent, wiki_id, language), current.user_name, current.title)
        grandparent_empty = parent is not None and not parent.text
        parent = current
    if held is not None:
        yield held


def exported_revisions(export: Path) -> Iterator[ExportedRevision]:
    """Stream the revisions of an export (plain or .lzma/.xz XML) in file order, holding one at a time."""
    with lzma.open(export, "rb") if export.suffix in {".lzma", ".xz"} else export.open("rb") as stream:
        title = ""
        for _, element in ET.iterparse(stream):  # noqa: S314 - see the import
            name = element.tag.rpartition("}")[2]
            if name == "title":
                title = element.text or ""
            elif name == "revision":
                yield _exported(element, title)
                element.clear()


def _exported(element: ET.Element, title: str) -> ExportedRevision:
    parts = {part.tag.rpartition("}")[2]: part for part in element}
    contributor = {part.tag.rpartition("}")[2]: part.text for part in parts["contributor"]}
    kind, name = UserKind.UNKNOWN, None
    if "username" in contributor:
        kind, name = UserKind.REGISTERED, contributor["username"]
    elif "ip" in contributor:
        kind, name = UserKind.IP, contributor["ip"]
    comment = parts.get("comment")
    return ExportedRevision(
        rev_id=int(parts["id"].text or 0),
        timestamp=datetime.fromisoformat(parts["timestamp"].text or ""),
        text=parts["text"].text or "",
        user_kind=kind,
        user_name=name,
        comment=_comment(comment),
        is_minor="minor" in parts,
        title=title,
    )


def _comment(element: ET.Element | None) -> str | None:
    if element is None:
        return ""
    return None if "deleted" in element.attrib else element.text or ""


def _revision(current: ExportedRevision, parent: ExportedRevision, wiki_id: str, language: str) -> Revision:
    return Revision(
        wiki_id=wiki_id,
        language=language,
        rev_id=current.rev_id,
        timestamp=current.timestamp,
        text=current.text,
        parent=ParentRevision(
            rev_id=parent.rev_id, timestamp=parent.timestamp, text=parent.text, user_kind=parent.user_kind
        ),
        page=Page(page_id=0, title=current.title, namespace_id=0),
        user=User(kind=current.user_kind),
        comment=current.comment,
        is_minor=current.is_minor,
    )
