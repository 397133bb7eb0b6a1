"""``:explain`` over a real socket: why a revision has its score, and nothing on any stream."""

import asyncio
import math
from collections.abc import Iterator
from typing import Any

import orjson
import pytest

from model_server.explaining import PLACES
from revertrisk.cli.programs import Program
from tests.fakes.clients import FAILURE_KEYS, STREAM, Client, Reply, StartServer
from tests.fakes.edited_wikis import (
    AFTER,
    BEFORE,
    CREATION,
    HIDDEN_TEXT,
    MARKER,
    EditedWikis,
    edit_of,
)

MODEL = "revertrisk-multilingual"
EDIT = {"lang": "en", "rev_id": edit_of(1)}
UNSAVED = {
    "lang": "en",
    "text": f"{BEFORE}lol you suck",
    "timestamp": "2026-10-01T12:00:00Z",
    "page": {"title": "Oberdorf"},
    "parent": {"text": BEFORE, "timestamp": "2026-09-01T12:00:00Z"},
    "comment": f"{MARKER} school",
}


@pytest.fixture(scope="module")
def server(start_server: StartServer, wikis: EditedWikis, gate: str) -> Iterator[Program]:
    """A producer, which could emit, and which accepts every form."""
    with start_server(
        MODEL_NAME=MODEL,
        WIKI_URL=wikis.url,
        EVENTGATE_URL=gate,
        EVENTGATE_STREAM=STREAM,
        ALLOW_REVISION_JSON_INPUT="true",
    ) as program:
        yield program


async def explain(client: Client, server: Program, body: Any, path: str = f"{MODEL}:explain") -> Reply:
    content = body if isinstance(body, bytes) else orjson.dumps(body)
    async with client.session.post(f"{server.url}/v1/models/{path}", data=content) as answer:
        names = {name.lower(): value for name, value in answer.headers.items()}
        return Reply(answer.status, orjson.loads(await answer.read()), names)


async def outcomes(client: Client, server: Program) -> dict[str, float]:
    """Return the server's count of requests by outcome."""
    async with client.session.get(f"{server.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    samples = (line.rsplit(" ", 1) for line in lines if line.startswith("revertrisk_requests_total{"))
    return {name.split('"')[1]: float(value) for name, value in samples}


async def test_the_parts_add_up_to_the_score_that_predict_answers(client: Client, server: Program) -> None:
    """Base and contributions sum to the logit, whose sigmoid is predict's probability; all else is predict's answer."""
    explained = (await explain(client, server, EDIT)).body
    parts = explained.pop("explanation")
    assert explained == (await client.predict(server.url, EDIT, model=MODEL)).body
    total = parts["base"] + sum(each["amount"] for each in parts["contributions"])
    assert total == pytest.approx(parts["logit"], abs=1e-6)
    probability = explained["output"]["probabilities"]["true"]
    assert 1 / (1 + math.exp(-parts["logit"])) == pytest.approx(probability, abs=1e-6)
    names = [each["name"] for each in parts["contributions"]]
    assert {"inserted_text", "comment_text", "user_is_anonymous"} <= set(names)


async def test_the_changed_places_are_shown_and_nothing_of_the_author(
    client: Client, server: Program
) -> None:
    """A place is page text, at its place; neither the comment nor the name of anybody is in the answer."""
    reply = await explain(client, server, EDIT)
    spans = reply.body["explanation"]["spans"]
    assert spans
    assert spans == sorted(spans, key=lambda span: -span["weight"])
    for span in spans:
        assert AFTER[span["start"] : span["end"]] == span["inserted"]
    # The page's title, the comment, and both authors' names have the marker in them, the changed line has not.
    assert MARKER not in orjson.dumps(reply.body).decode()


async def test_an_event_is_explained_and_never_emitted(
    client: Client, server: Program, wikis: EditedWikis, empty_gate: str
) -> None:
    """An event body gets the explanation of its revision, wrapped or not; the gate sees nothing, then or later."""
    for body in ({"event": wikis.event(2)}, wikis.event(2)):
        reply = await explain(client, server, body)
        assert (reply.status, reply.body["revision_id"], reply.outcome) == (200, edit_of(2), None)
        assert "explanation" in reply.body
    skipped = await explain(client, server, {"event": wikis.event(CREATION)})
    assert (skipped.body, skipped.outcome) == ({"skipped": True, "reason": "no_parent"}, "skipped:no_parent")
    assert await client.accepted(empty_gate) == []


async def test_what_is_explained_is_not_taken_for_produced(
    client: Client, server: Program, wikis: EditedWikis, empty_gate: str
) -> None:
    """An event that was explained first is emitted when it is predicted."""
    event = wikis.event(3)
    await explain(client, server, {"event": event})
    reply = await client.predict(server.url, {"event": event}, model=MODEL, reemit=False)
    assert reply.outcome == "produced"
    assert len(await client.accepted(empty_gate)) == 1


async def test_text_that_was_hidden_since_it_was_scored_is_not_shown(
    client: Client, server: Program, wikis: EditedWikis
) -> None:
    """The wiki is asked anew, whatever the server remembers of the revision."""
    call = {"lang": "en", "rev_id": edit_of(5)}
    faults = f"{wikis.url}/_mock/faults"
    hide = {"kind": "hide", "parts": ["text"], "after": 1, "rev_id": edit_of(5)}
    async with client.session.put(faults, data=orjson.dumps(hide)) as answer:
        assert answer.status == 200
    assert (await client.predict(server.url, call, model=MODEL)).status == 200
    reply = await explain(client, server, call)
    async with client.session.delete(faults):
        pass
    assert (reply.status, reply.body["code"]) == (422, "revision_hidden")


async def test_every_form_of_predict_is_taken(client: Client, server: Program, empty_gate: str) -> None:
    """Unsaved edits, several revisions with the failures of some, and the percent-encoded path."""
    unsaved = await explain(client, server, {"revision_data": UNSAVED})
    assert unsaved.body["revision_id"] == -1
    assert "suck" in unsaved.body["explanation"]["spans"][0]["inserted"]
    calls = [EDIT, {"lang": "en", "rev_id": edit_of(HIDDEN_TEXT)}, {"lang": "de", "rev_id": edit_of(1)}]
    several = (await explain(client, server, {"instances": calls}, f"{MODEL}%3Aexplain")).body
    assert [each["wiki_db"] for each in several["explanations"]] == ["enwiki", "dewiki"]
    assert [(each["index"], each["code"]) for each in several["errors"]] == [(1, "revision_hidden")]
    assert await client.accepted(empty_gate) == []


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("explain", b"{", 400, "invalid_json"),
        ("explain", {"lang": "en"}, 400, "invalid_request"),
        ("explain", {"lang": "en", "rev_id": edit_of(HIDDEN_TEXT)}, 422, "revision_hidden"),
        ("explain", {"lang": "simple", "rev_id": edit_of(1)}, 422, "unsupported_wiki"),
        ("explain", {"instances": [{"lang": "en", "rev_id": edit_of(HIDDEN_TEXT)}]}, 422, "nothing_scored"),
        ("explain", {"instances": [EDIT] * 21}, 400, "batch_too_large"),
    ],
)
async def test_a_failure_has_the_one_body(
    client: Client, server: Program, path: str, body: Any, status: int, code: str
) -> None:
    """What predict refuses, explain refuses in the same words."""
    reply = await explain(client, server, body)
    assert (reply.status, reply.body["code"]) == (status, code)
    assert reply.body.keys() >= FAILURE_KEYS
    assert reply.body["error"] == (await client.predict(server.url, body, model=MODEL)).body["error"]


async def test_another_model_and_another_method_are_refused(client: Client, server: Program) -> None:
    """404 and 405, as for predict."""
    assert (await explain(client, server, EDIT, "another:explain")).body["code"] == "model_not_found"
    async with client.session.get(f"{server.url}/v1/models/{MODEL}:explain") as answer:
        assert (answer.status, (await answer.json())["code"]) == (405, "method_not_allowed")


async def test_an_explanation_is_counted_once_and_logged_in_one_line(client: Client, server: Program) -> None:
    """As `direct`, `batch` or the code of its failure, with the verb in the log, and no text of page or comment."""
    before, log_begins = await outcomes(client, server), server.log.stat().st_size
    for body in (EDIT, {"instances": [EDIT]}, {"lang": "en", "rev_id": edit_of(HIDDEN_TEXT)}):
        await explain(client, server, body)
    after = await outcomes(client, server)
    grown = {name: after[name] - before[name] for name in after if after[name] != before[name]}
    assert grown == {"direct": 1, "batch": 1, "revision_hidden": 1}
    log = server.log.read_bytes()[log_begins:].decode()
    assert log.count('"verb":"explain"') == 3
    assert MARKER not in log
    assert "school since" not in log


async def test_explanations_leave_room_for_scores(
    client: Client, server: Program, wikis: EditedWikis
) -> None:
    """One explain request too many is told to come back, while the others wait for a wiki that hangs."""
    faults = f"{wikis.url}/_mock/faults"
    async with client.session.put(faults, data=orjson.dumps({"kind": "hang", "wiki_id": "dewiki"})) as answer:
        assert answer.status == 200
    call = {"lang": "de", "rev_id": edit_of(1)}
    waiting = {asyncio.create_task(explain(client, server, call)) for _ in range(PLACES + 1)}
    (first, *_), rest = await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    refused = first.result()
    assert (refused.status, refused.body["code"]) == (503, "overloaded")
    assert "retry-after" in refused.headers
    assert (await client.predict(server.url, EDIT, model=MODEL)).status == 200
    async with client.session.delete(faults):
        pass
    assert {reply.status for reply in await asyncio.gather(*rest)} == {200}
