"""The benchmark's traffic: page_change events of fresh revisions, and what a MediaWiki says of each.

Pages are real in shape: those of a history (the mock MediaWiki's samples, or an export). Every event is a new
revision of one of them: only the ids change, so that both sides of an answer are put together from bytes made
beforehand, and any revision's answer follows from its id alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from event_platform.wikis import Wiki, WikiTable
from mock_mediawiki.history import History
from mock_mediawiki.page_changes import page_changes

FIRST_ID = 100_000_000_000
"""All ids have twelve digits, so that no length depends on them."""
PADDED_TO = 11_500
"""Bytes that a text of the samples is brought to, about: the median article is longer than a sample."""
_REV, _PARENT, _PAGE = 999_999_999_999, 999_999_999_998, 999_999_999_997
"""Stand in the templates where ids go."""


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of a page, ready for any ids: the event, and the parts of the API's answer."""

    wiki_id: str
    event: bytes
    page: bytes
    revision: bytes
    parent: bytes
    size: int
    """Bytes of both texts."""

    def event_of(self, number: int) -> bytes:
        """Return the event of this edit as the benchmark's revision with this number."""
        return _with_ids(self.event, number)

    def page_of(self, number: int, parts: Iterable[bytes]) -> bytes:
        """Return the page with the revisions that were asked for."""
        revisions = b",".join(_with_ids(part, number) for part in parts)
        return _with_ids(self.page, number).replace(b'"REVISIONS"', b"[" + revisions + b"]")


def rev_id(number: int) -> int:
    """Return the revision id of the event with this number; its parent's is one less."""
    return FIRST_ID + 2 * number + 1


def number_of(revision: int) -> tuple[int, bool]:
    """Return the number of the event that a revision id belongs to, and whether it is the parent's."""
    offset = revision - FIRST_ID
    return offset // 2, offset % 2 == 0


def edits(
    history: History,
    wikis: WikiTable,
    supports: Callable[[str], bool],
    *,
    most: int,
    only_wiki: str | None = None,
    padded_to: int = PADDED_TO,
) -> list[Edit]:
    """Take up to ``most`` scorable edits of a history, evenly, of the wikis that all models support.

    ``only_wiki`` makes them all edits of that wiki; ``padded_to`` is in bytes of one text.
    """
    told = [
        event
        for event in page_changes(history, wikis)
        if event["page_change_kind"] == "edit" and supports(event["wiki_id"]) and _is_scorable(event)
    ]
    wiki = None if only_wiki is None else wikis.by_id(only_wiki)
    return [
        _edit(event, *texts, wiki, padded_to)
        for event in told[:: -(-len(told) // most)]
        if (texts := _texts(history, event)) is not None
    ]


def answer(edits_served: list[Edit], revisions: Iterable[int]) -> bytes:
    """Return the Action API's answer about some revisions."""
    wanted: dict[int, list[bytes]] = {}
    for revision in revisions:
        number, is_parent = number_of(revision)
        edit = edits_served[number % len(edits_served)]
        wanted.setdefault(number, []).append(edit.parent if is_parent else edit.revision)
    pages = b",".join(
        edits_served[number % len(edits_served)].page_of(number, parts) for number, parts in wanted.items()
    )
    return b'{"batchcomplete":true,"query":{"pages":[' + pages + b"]}}"


def requests(edits_served: list[Edit], path: str, first: int) -> Iterator[tuple[int, bytes]]:
    """Yield numbers, from ``first`` on, each with its predict request as the bytes of HTTP/1.1."""
    heads: dict[int, bytes] = {}
    for number in count(first):
        body = b'{"event":' + edits_served[number % len(edits_served)].event_of(number) + b"}"
        head = heads.get(len(body))
        if head is None:
            head = heads[len(body)] = (
                f"POST {path} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n"
                f"Content-Length: {len(body)}\r\n\r\n"
            ).encode()
        yield number, head + body


def _is_scorable(event: Mapping[str, Any]) -> bool:
    """Tell whether the server will score an edit, as far as its event says."""
    page, slots = event["page"], event["revision"].get("content_slots", {})
    return bool(
        event["revision"].get("rev_parent_id")
        and not page.get("is_redirect")
        and page.get("namespace_id") == 0
        and slots.get("main", {}).get("content_model", "wikitext") == "wikitext"
    )


def _texts(history: History, event: Mapping[str, Any]) -> tuple[str, str] | None:
    """Return an edit's text and its parent's, if they can be seen and differ."""
    ids = (event["revision"]["rev_id"], event["revision"]["rev_parent_id"])
    found = [history.revision(event["wiki_id"], identifier) for identifier in ids]
    text, parent = (None if each is None or each.hidden else history.text(each) for each in found)
    return None if text is None or parent is None or text == parent else (text, parent)


def _edit(event: dict[str, Any], text: str, parent_text: str, wiki: Wiki | None, padded_to: int) -> Edit:
    event = orjson.loads(orjson.dumps(event))
    revision = event["revision"]
    # What both texts end with costs no model anything, and makes the answer as long as a real one.
    filler = (parent_text * (1 + PADDED_TO // len(parent_text or " ")))[
        : max(0, PADDED_TO - len(text.encode()))
    ]
    text, parent_text = text + filler, parent_text + filler
    event["meta"].pop("key", None)
    if wiki is not None:
        event["wiki_id"], event["meta"]["domain"] = wiki.wiki_id, wiki.domain
    event["page"]["page_id"], revision["rev_id"], revision["rev_parent_id"] = _PAGE, _REV, _PARENT
    prior = event.get("prior_state", {}).get("revision")
    if prior is not None:
        prior["rev_id"] = _PARENT
    revision["rev_size"] = len(text.encode())
    editor = revision.get("editor", {})
    page = {
        "pageid": _PAGE, "ns": 0, "title": event["page"]["page_title"].replace("_", " "),
        "contentmodel": "wikitext", "pagelanguage": "en", "lastrevid": _REV, "revisions": "REVISIONS",
    }  # fmt: skip
    facts = {
        "minor": False, "user": editor.get("user_text", "Somebody"), "userid": editor.get("user_id", 7),
        "timestamp": revision["rev_dt"], "comment": revision.get("comment", ""), "sha1": "0" * 40, "tags": [],
    }  # fmt: skip

    def of_api(identifier: int, parent: int, content: str) -> bytes:
        slot = {"contentmodel": "wikitext", "contentformat": "text/x-wiki", "content": content}
        ids = {"revid": identifier, "parentid": parent, "size": len(content.encode())}
        return orjson.dumps(ids | facts | {"slots": {"main": slot}})

    return Edit(
        wiki_id=event["wiki_id"],
        event=orjson.dumps(event),
        page=orjson.dumps(page),
        revision=of_api(_REV, _PARENT, text),
        parent=of_api(_PARENT, 1, parent_text),
        size=len(text.encode()) + len(parent_text.encode()),
    )


_PLACES: tuple[tuple[bytes, Callable[[int], int]], ...] = (
    (str(_REV).encode(), rev_id),
    (str(_PARENT).encode(), lambda number: rev_id(number) - 1),
    (str(_PAGE).encode(), lambda number: FIRST_ID + number),
)


def _with_ids(template: bytes, number: int) -> bytes:
    for place, identifier in _PLACES:
        template = template.replace(place, b"%d" % identifier(number))
    return template
