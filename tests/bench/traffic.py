"""The benchmark's traffic: page_change events of fresh revisions, and what a MediaWiki says of each.

Pages are real in shape: those of a history (the mock MediaWiki's samples, or an export). Every event is a new
revision of one of them: only the ids change, so that answers are put together from bytes made beforehand, and any
revision's answer follows from its id alone.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import orjson

from mock_mediawiki.page_changes import page_changes
from revertrisk.wiki.history import History
from revertrisk.wiki.table import Wiki, WikiTable

FIRST_ID = 100_000_000_000
"""All ids have twelve digits, so that no length depends on them."""
PADDED_TO = 11_500
"""Bytes that a text of the samples is brought to, about: the median article is longer than a sample."""
_REV, _PARENT, _PAGE = 999_999_999_999, 999_999_999_998, 999_999_999_997
"""Stand in the templates where ids go."""
_REQUEST = (
    b"POST %b HTTP/1.1\r\nhost: revertrisk.revertrisk.wikimedia.org\r\ncontent-type: application/json\r\n"
    b"x-request-id: %b\r\nuser-agent: ChangePropagation/WMF\r\n"
    b"x-triggered-by: req:%b,mediawiki.page_change.v1:https://en.wikipedia.org/wiki/Europe\r\n"
    b"content-length: %d\r\n\r\n%b"
)


@dataclass(frozen=True, slots=True)
class Edit:
    """One edit of a page, ready for any ids: the event, and the parts of the API's answer."""

    wiki_id: str
    event: bytes
    page: bytes
    revision: bytes
    """What the API tells of it, without its text."""
    parent: bytes
    texts: tuple[bytes, bytes]
    """The revision's and the parent's, as the API has them."""
    size: int
    """Bytes of both texts."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Edits to ask about, over and over; what an event and its revisions are follows from the event's number."""

    edits: Sequence[Edit]

    def body(self, number: int) -> bytes:
        """Return the body of the predict request."""
        return b'{"event":' + self._with_ids(self._edit(number).event, number) + b"}"

    def requests(self, path: str, first: int) -> Iterator[tuple[int, bytes]]:
        """Yield numbers, from ``first`` on, each with its predict request, as change-propagation sends it."""
        for number in count(first):
            body = self.body(number)
            request_id = b"9c5f3b1e-2d47-4a60-8f13-%012d" % number
            yield number, _REQUEST % (path.encode(), request_id, request_id, len(body), body)

    def answer(self, revisions: Iterable[int]) -> list[bytes]:
        """Return the Action API's answer about some revisions, in pieces: to join large texts would take time."""
        pages: dict[int, list[list[bytes]]] = {}
        for revision in revisions:
            number, is_parent = number_of(revision)
            pages.setdefault(number, []).append(self._revision(number, is_parent=is_parent))
        told = [
            _put(self._with_ids(self._edit(page).page, page), b'"REVISIONS"', [b"[", *_listed(parts), b"]"])
            for page, parts in pages.items()
        ]
        return [b'{"batchcomplete":true,"query":{"pages":[', *_listed(told), b"]}}"]

    def _edit(self, number: int) -> Edit:
        return self.edits[number % len(self.edits)]

    def _revision(self, number: int, *, is_parent: bool) -> list[bytes]:
        edit = self._edit(number)
        text = edit.texts[is_parent]
        return _put(self._with_ids(edit.parent if is_parent else edit.revision, number), b'"TEXT"', [text])

    def _with_ids(self, template: bytes, number: int) -> bytes:
        identifiers = ((_REV, rev_id(number)), (_PARENT, rev_id(number) - 1), (_PAGE, FIRST_ID + number))
        for place, identifier in identifiers:
            template = template.replace(b"%d" % place, b"%d" % identifier)
        return template


def _put(template: bytes, place: bytes, pieces: list[bytes]) -> list[bytes]:
    before, _, after = template.partition(place)
    return [before, *pieces, after]


def _listed(entries: list[list[bytes]]) -> list[bytes]:
    first, *others = entries
    return [*first, *(piece for entry in others for piece in (b",", *entry))]


def rev_id(number: int) -> int:
    """Return the revision id of the event with this number; its parent's is one less, if it was not asked about."""
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
    missing = max(0, padded_to - len(text.encode()))
    repeated = parent_text * (1 + missing // len(parent_text.encode() or b" "))
    filler = repeated.encode()[:missing].decode(errors="ignore")  # perhaps cut within a character
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

    def of_api(identifier: int, parent: int, size: int) -> bytes:
        ids = {"revid": identifier, "parentid": parent, "size": size}
        return orjson.dumps(ids | facts | {"slots": {"main": "TEXT"}})

    sizes = len(text.encode()), len(parent_text.encode())
    return Edit(
        wiki_id=event["wiki_id"],
        event=orjson.dumps(event),
        page=orjson.dumps(page),
        revision=of_api(_REV, _PARENT, sizes[0]),
        parent=of_api(_PARENT, 1, sizes[1]),
        texts=(_slot(text), _slot(parent_text)),
        size=sum(sizes),
    )


def _slot(text: str) -> bytes:
    return orjson.dumps({"contentmodel": "wikitext", "contentformat": "text/x-wiki", "content": text})
