"""Comments and titles that no MediaWiki takes: refused from a caller, harmless from a wiki."""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.wikis import AFTER, BEFORE, page, serving_wikis

HOSTILE = "/* " * 30_000
"""90 kB of sections' names that do not end: the text that once kept a scorer busy for half a minute."""
WIKIS = {
    "enwiki": [page(1, 10, 11, comment=HOSTILE), page(2, 20, 21, comment=HOSTILE + "*/")],
}
UNSAVED: dict[str, Any] = {
    "lang": "en",
    "text": AFTER,
    "timestamp": "2026-10-01T12:00:00Z",
    "comment": "school",
    "page": {"title": "Oberdorf"},
    "parent": {"text": BEFORE, "timestamp": "2026-09-01T12:00:00Z"},
}


@pytest.fixture(scope="module")
def wiki() -> Iterator[str]:
    with serving_wikis(WIKIS) as url:
        yield url


@pytest.fixture(scope="module")
def server(start_server: StartServer, wiki: str, gate: str) -> Iterator[str]:
    with start_server(
        WIKI_URL=wiki, EVENTGATE_URL=gate, EVENTGATE_STREAM=STREAM, ALLOW_REVISION_JSON_INPUT="true"
    ) as program:
        yield program.url


REFUSED = [
    ({"comment": HOSTILE}, "/comment", "must have at most 500 characters"),
    ({"comment": "ä" * 501}, "/comment", "must have at most 500 characters"),
    (
        {"parent": UNSAVED["parent"] | {"comment": HOSTILE}},
        "/parent/comment",
        "must have at most 500 characters",
    ),
    ({"page": {"title": "ä" * 128}}, "/page/title", "must be a title of at most 255 bytes in UTF-8"),
    ({"lang": "e" * 65}, "/lang", "must have at most 64 characters"),
]


@pytest.mark.parametrize(("changes", "pointer", "message"), REFUSED)
async def test_m1_an_unsaved_edit_has_the_bounds_of_mediawiki(
    client: Client, server: str, changes: dict[str, Any], pointer: str, message: str
) -> None:
    """What is longer than MediaWiki can store is refused, with its place and what was expected."""
    reply = await client.predict(server, {"revision_data": UNSAVED | changes})
    assert (reply.status, reply.body["code"]) == (400, "invalid_revision_data")
    assert reply.body["violations"] == [{"pointer": pointer, "message": message}]


async def test_m1_an_unsaved_edit_may_use_all_of_them(client: Client, server: str) -> None:
    """500 characters of any size are a comment, and 255 bytes a title."""
    largest = {"comment": "\U0001f333" * 500, "page": {"title": "ä" * 127 + "x"}}
    reply = await client.predict(server, {"revision_data": UNSAVED | largest})
    assert reply.status == 200


@pytest.mark.parametrize("rev_id", [11, 21], ids=["sections that do not end", "one that ends"])
async def test_m1_a_comment_of_any_length_is_scored(client: Client, server: str, rev_id: int) -> None:
    """A wiki may answer with a longer comment than MediaWiki has, and the event is produced as any other."""
    event = {
        "$schema": "/mediawiki/page/change/1.2.0",
        "meta": {
            "stream": "mediawiki.page_change.v1",
            "domain": "en.wikipedia.org",
            "uri": "https://en.wikipedia.org/wiki/Page",
            "request_id": "3e0486c5-21a6-4625-9f7e-87a8b5b2e77b",
            "dt": "2024-01-02T00:00:01Z",
        },
        "changelog_kind": "update",
        "page_change_kind": "edit",
        "dt": "2024-01-02T00:00:00Z",
        "wiki_id": "enwiki",
        "page": {
            "page_id": rev_id // 10,
            "page_title": f"Page_{rev_id // 10}",
            "namespace_id": 0,
            "is_redirect": False,
        },
        "revision": {"rev_id": rev_id, "rev_parent_id": rev_id - 1, "rev_dt": "2024-01-02T00:00:00Z"},
    }
    reply = await client.predict(server, {"event": event})
    assert (reply.status, reply.outcome) == (200, "produced")
