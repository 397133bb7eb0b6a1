"""Bad input gets a clear answer that names the field, is never a 500, and emits nothing."""

# ruff: noqa: E501 - tables read best with a row on a line

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.fakes.clients import MODEL, Client, StartServer

DEEP = b'{"event":' * 2000 + b"1" + b"}" * 2000
EVENT: dict[str, Any] = {
    "$schema": "/mediawiki/page/change/1.2.0",
    "meta": {"stream": "mediawiki.page_change.v1"},
    "changelog_kind": "update",
    "page_change_kind": "edit",
    "dt": "2025-01-01T00:00:00Z",
    "wiki_id": "enwiki",
    "page": {"page_id": 123, "page_title": "Foo", "namespace_id": 0, "is_redirect": False},
    "revision": {"rev_id": 456789, "rev_parent_id": 456788, "rev_dt": "2025-01-01T00:00:00Z"},
}


def event(**changes: Any) -> dict[str, Any]:
    return {"event": EVENT | changes}


TABLE: list[tuple[str, Any, int, str, str]] = [
    # what, body, status, code, what the message must name
    ("empty body", b"", 400, "invalid_json", "empty"),
    ("broken JSON", b'{"lang": "en",', 400, "invalid_json", "line 1"),
    ("not UTF-8", b'{"lang": "\xff"}', 400, "invalid_json", "JSON"),
    ("NaN", b'{"lang": "en", "rev_id": NaN}', 400, "invalid_json", "JSON"),
    ("a list", [1], 400, "invalid_json", "object"),
    ("null", b"null", 400, "invalid_json", "object"),
    ("deeply nested", DEEP, 400, "invalid_json", "JSON"),
    ("nothing known", {"a": 1}, 400, "invalid_request", "lang and rev_id"),
    ("event is a string", {"event": "x"}, 400, "invalid_request", "event"),
    ("event is null", {"event": None}, 400, "invalid_request", "event"),
    ("event and instances", {"event": EVENT, "instances": []}, 400, "ambiguous_request", "instances"),
    ("event and revision_data", {"event": EVENT, "revision_data": {}}, 400, "ambiguous_request", "revision_data"),
    ("lang missing", {"rev_id": 1}, 400, "invalid_request", "lang"),
    ("lang a number", {"lang": 7, "rev_id": 1}, 400, "invalid_request", "lang"),
    ("lang empty", {"lang": "", "rev_id": 1}, 400, "invalid_request", "lang"),
    ("lang unknown", {"lang": "tlh", "rev_id": 1}, 400, "unknown_wiki", "lang"),
    ("lang a host", {"lang": "en.wikipedia.org.evil.example", "rev_id": 1}, 400, "unknown_wiki", "lang"),
    ("lang not a Wikipedia", {"lang": "commonswiki", "rev_id": 1}, 422, "not_wikipedia", "Wikipedia"),
    ("rev_id missing", {"lang": "en"}, 400, "invalid_request", "rev_id"),
    ("rev_id 0", {"lang": "en", "rev_id": 0}, 400, "invalid_request", "rev_id"),
    ("rev_id negative", {"lang": "en", "rev_id": -5}, 400, "invalid_request", "rev_id"),
    ("rev_id true", {"lang": "en", "rev_id": True}, 400, "invalid_request", "rev_id"),
    ("rev_id a word", {"lang": "en", "rev_id": "one"}, 400, "invalid_request", "rev_id"),
    ("rev_id a float", {"lang": "en", "rev_id": 1.5}, 400, "invalid_request", "rev_id"),
    ("rev_id over 2^53", {"lang": "en", "rev_id": 2**53}, 400, "invalid_request", "rev_id"),
    ("rev_id huge", b'{"lang": "en", "rev_id": 1' + b"0" * 400 + b"}", 400, "invalid", ""),
    ("empty event", {"event": {}}, 400, "invalid_event", "/revision"),
    ("event of another schema", event(**{"$schema": "/mediawiki/page/change/2.0.0"}), 400, "unsupported_schema", "/$schema"),
    ("event rev_id true", event(revision=EVENT["revision"] | {"rev_id": True}), 400, "invalid_event", "/revision/rev_id"),
    ("event rev_id over 2^53", event(revision=EVENT["revision"] | {"rev_id": 2**53}), 400, "invalid_event", "/revision/rev_id"),
    ("event dt without a zone", event(dt="2025-01-01T00:00:00"), 400, "invalid_event", "/dt"),
    ("event of a forged domain", event(meta=EVENT["meta"] | {"domain": "en.wikipedia.org.evil.example"}), 400, "invalid_event", "/meta/domain"),
    ("event null comment", event(comment=None), 400, "invalid_event", "/comment"),
]  # fmt: skip


@pytest.mark.parametrize(("what", "body", "status", "code", "named"), TABLE, ids=[row[0] for row in TABLE])
async def test_bad_input_is_refused_with_the_field_named(
    client: Client, producer: str, empty_gate: str, what: str, body: Any, status: int, code: str, named: str
) -> None:
    """E30, E31, E32: each row of the table, over the socket."""
    reply = await client.predict(producer, body)
    assert reply.status == status, what
    assert reply.body["code"].startswith(code)
    assert reply.body["retryable"] is False
    assert named in reply.body["error"]
    assert await client.accepted(empty_gate) == []


async def test_all_violations_are_in_the_answer(client: Client, producer: str) -> None:
    """One answer lists everything that is wrong, by JSON pointer, so that nobody has to try six times."""
    broken = event(dt=7, wiki_id=None, page={"page_id": "1"})
    reply = await client.predict(producer, broken)
    assert {found["pointer"] for found in reply.body["violations"]} == {
        "/dt",
        "/wiki_id",
        "/page/page_id",
        "/page/page_title",
    }


async def in_pieces() -> AsyncIterator[bytes]:
    """Give a body that does not say how long it is."""
    for _ in range(11):
        yield b" " * 100


async def test_a_body_over_the_limit_is_refused(
    client: Client, start_server: StartServer, sample_wiki: str
) -> None:
    """The limit is a setting, and the answer says what it is."""
    with start_server(WIKI_URL=sample_wiki, MAX_BODY_BYTES="1000") as program:
        reply = await client.predict(program.url, b"{" + b" " * 1000)
        assert (reply.status, reply.body["code"]) == (400, "body_too_large")
        assert "1000" in reply.body["error"]
        for data in (b" " * 1001, in_pieces()):
            async with client.session.post(f"{program.url}/v2/models/{MODEL}/infer", data=data) as answer:
                assert (answer.status, (await answer.json())["code"]) == (400, "body_too_large")
        async with client.session.post(
            f"{program.url}/v1/models/{MODEL}:predict", data=in_pieces()
        ) as answer:
            assert (answer.status, (await answer.json())["code"]) == (400, "body_too_large")
        assert (await client.predict(program.url, {"lang": "en", "rev_id": 456789})).status == 200


async def test_a_body_that_stops_arriving_is_given_up(
    client: Client, start_server: StartServer, sample_wiki: str
) -> None:
    """At the request's deadline, with a 503 that is counted like every other kind of too much, on any route."""

    async def stuck() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.Event().wait()

    with start_server(WIKI_URL=sample_wiki, REQUEST_DEADLINE="1") as program:
        for count, path in enumerate((f"/v1/models/{MODEL}:predict", f"/v2/models/{MODEL}/infer"), 1):
            async with client.session.post(f"{program.url}{path}", data=stuck()) as answer:
                assert (answer.status, (await answer.json())["code"]) == (503, "overloaded")
                assert answer.headers["x-request-id"]
            async with client.session.get(f"{program.url}/metrics") as answer:
                assert f'revertrisk_requests_total{{outcome="overloaded"}} {count}.0' in await answer.text()
