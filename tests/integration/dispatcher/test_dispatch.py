"""What becomes of one event: the request, the tries, and the outcome or the dead letter."""

import asyncio

import pytest

from revertrisk.dispatcher import Ending, RetrySchedule
from tests.fakes.scripted_http import (
    PRODUCED,
    Misbehaviour,
    Reply,
    ScriptedServer,
    address_of,
    bound_socket,
    scripted_server,
)
from tests.integration.dispatcher.workplace import (
    RULE,
    STREAM,
    Workplace,
    event,
    hearing,
    one_after_the_other,
)


async def test_every_event_is_counted_by_what_the_server_says_of_it(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """The counts add up to the events read: produced, skipped by reason, scored only, and not dispatched at all."""
    answers = {
        1: PRODUCED,
        2: Reply.outcome("skipped:redirect"),
        3: Reply.outcome("skipped:null_edit"),
        4: Reply.outcome("scored_only"),
        5: Reply(201),
        6: Reply(200, headers={"x-revertrisk-outcome": "<script>"}),
        7: Reply(412),
    }
    model_server.script = lambda seen: answers[seen.json["event"]["page"]["page_id"]]
    events = [event(number) for number in answers]
    events += [
        event(8, wiki_id="enwiktionary"),
        event(9, meta={"domain": "canary"}),
        event(10, meta={"stream": "x"}),
    ]
    summary = await workplace.run(model_server.url, events)
    assert summary.outcomes == {
        "produced": 1,
        "skipped:redirect": 1,
        "skipped:null_edit": 1,
        "scored_only": 1,
        "accepted": 2,
        "ignored:status_412": 1,
        "unmatched:wiki_id": 1,
        "unmatched:meta.stream": 1,
        "canary": 1,
    }
    assert summary.read == summary.owed == 10
    assert summary.statuses == {200: 5, 201: 1, 412: 1}
    assert summary.is_clean
    assert list(summary.committed.values()) == [10]
    assert workplace.dead_letters() == []


async def test_the_request_is_change_propagations(model_server: ScriptedServer, workplace: Workplace) -> None:
    """Path, headers and body go over the wire as change-propagation writes them."""
    await workplace.run(model_server.url, [event(7, extra={"ä": None})])
    (seen,) = model_server.seen
    assert (seen.method, seen.raw_path) == ("POST", "/v1/models/model%3Apredict")
    assert seen.json == {"event": event(7, extra={"ä": None})}
    headers = [(name.lower(), value) for name, value in seen.raw_headers]
    assert len(headers) == len(dict(headers))
    sent = dict(headers)
    assert sent["host"] == "model.namespace.wikimedia.org"
    assert sent["content-type"] == "application/json"
    assert sent["user-agent"] == "test-agent/1 (https://example.org/)"
    assert sent["x-request-id"] == "r-7"
    assert sent["x-triggered-by"] == f"req:r-7,{STREAM}:https://en.wikipedia.org/wiki/P7"


async def test_a_retry_says_that_it_is_one(model_server: ScriptedServer, workplace: Workplace) -> None:
    """Each retry adds the retry stream to the trail, and everything else stays the same."""
    model_server.script = one_after_the_other(Reply(503), Reply(502))
    summary = await workplace.run(model_server.url, [event(1)])
    trails = [seen.headers["x-triggered-by"] for seen in model_server.seen]
    first = f"req:r-1,{STREAM}:https://en.wikipedia.org/wiki/P1"
    retry = f",changeprop.retry.{STREAM}:https://en.wikipedia.org/wiki/P1"
    assert trails == [first, first + retry, first + retry + retry]
    assert len({seen.body for seen in model_server.seen}) == 1
    assert (summary.outcomes, summary.retries) == ({"produced": 1}, 2)
    assert workplace.outcomes[0].attempts == 3


@pytest.mark.parametrize(
    "fault",
    [Reply(503), Reply(502), Misbehaviour.RESET, Misbehaviour.CUT],
    ids=str,
)
async def test_a_passing_fault_is_tried_again(
    model_server: ScriptedServer, workplace: Workplace, fault: Reply | Misbehaviour
) -> None:
    """What can get better is tried again, and no dead letter remains of it."""
    model_server.script = one_after_the_other(fault)
    summary = await workplace.run(model_server.url, [event(1)])
    assert (summary.outcomes, summary.retries) == ({"produced": 1}, 1)
    assert workplace.dead_letters() == []


async def test_a_request_that_takes_too_long_is_tried_again(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """The rule's timeout ends a try, and the next one may succeed."""
    model_server.script = one_after_the_other(Misbehaviour.HANG)
    rule = RULE.replace("timeout: 60000", "timeout: 500")
    summary = await workplace.run(model_server.url, [event(1)], rule=rule)
    assert (summary.outcomes, summary.retries) == ({"produced": 1}, 1)


async def test_a_refused_connection_is_tried_again_until_the_server_is_up(workplace: Workplace) -> None:
    """A server that starts after its dispatcher loses nothing."""
    bound = bound_socket()
    with hearing("revertrisk.dispatcher.executor", "connection_refused") as refused:
        running = asyncio.create_task(
            workplace.run(address_of(bound), [event(1)], retries=RetrySchedule(10_000, 0.01, 1.0))
        )
        await refused.wait()
        async with scripted_server(on=bound):
            summary = await running
    assert summary.outcomes == {"produced": 1}
    assert summary.retries >= 1


@pytest.mark.parametrize(
    ("answer", "reason", "attempts", "code"),
    [
        (Reply(400, {"error": "x", "code": "invalid_event"}), "status_400", 1, "invalid_event"),
        (Reply(404, b"not json"), "status_404", 1, None),
        (Reply(409, {"code": "event_mismatch"}), "status_409", 1, "event_mismatch"),
        (Reply(422, {"code": 5}), "status_422", 1, None),
        (Reply(429, {"code": "overloaded"}), "status_429", 1, "overloaded"),
        (Reply(500, {"code": "model_failure"}), "status_500", 1, "model_failure"),
        (Reply(504, []), "status_504", 1, None),
        (Reply(207, {}, PRODUCED.headers), "status_207", 1, None),
        (Reply(202), "status_202", 1, None),
        (Reply(301, headers={"location": "/elsewhere"}), "status_301", 1, None),
        (Reply(503, {"code": "mediawiki_unavailable"}), "status_503", 4, "mediawiki_unavailable"),
        (Reply(502), "status_502", 4, None),
        (Misbehaviour.RESET, "connection_reset", 4, None),
        (Misbehaviour.GIBBERISH, "invalid_answer", 1, None),
    ],
    ids=str,
)
async def test_what_is_given_up_is_kept_with_its_reason(
    model_server: ScriptedServer,
    workplace: Workplace,
    answer: Reply | Misbehaviour,
    reason: str,
    attempts: int,
    code: str | None,
) -> None:
    """Only 502, 503 and broken connections are tried again; the dead letter has all that a redrive needs."""
    model_server.script = lambda _: answer
    summary = await workplace.run(model_server.url, [event(1)])
    (letter,) = workplace.dead_letters()
    assert (letter["reason"], letter["attempts"], letter["code"]) == (reason, attempts, code)
    assert letter["status"] == (answer.status if isinstance(answer, Reply) else None)
    assert (letter["event"], letter["rule"], letter["offset"]) == (event(1), "model", 1)
    assert len(model_server.seen) == attempts
    assert summary.outcomes == {f"given_up:{reason}": 1}
    assert not summary.is_clean
    assert list(summary.committed.values()) == [1]


async def test_a_server_that_is_not_there_is_a_reason(workplace: Workplace) -> None:
    """Nobody listening and no such host are told apart."""
    bound = bound_socket()
    await workplace.run(address_of(bound), [event(1)])
    bound.close()
    await workplace.run("http://no-such-host.invalid", [event(1)])
    refused, failed = workplace.dead_letters()
    assert (refused["reason"], refused["attempts"]) == ("connection_refused", 4)
    assert (failed["reason"], failed["attempts"]) == ("connection_failed", 4)


async def test_a_tls_error_is_not_tried_again(model_server: ScriptedServer, workplace: Workplace) -> None:
    """A server that does not speak TLS will not learn it."""
    await workplace.run(model_server.url.replace("http:", "https:"), [event(1)])
    (letter,) = workplace.dead_letters()
    assert (letter["reason"], letter["attempts"]) == ("tls_error", 1)


async def test_a_huge_answer_is_not_read_to_its_end(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """A server cannot fill the dispatcher's memory, and its verdict counts all the same."""
    model_server.script = lambda _: Reply(400, b"x" * 5_000_000)
    await workplace.run(model_server.url, [event(1), event(2)])
    assert [letter["reason"] for letter in workplace.dead_letters()] == ["status_400"] * 2


async def test_records_that_are_no_events_are_kept(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """A broken line stops nothing: it is in the dead letters with its number, and the others go their way."""
    summary = await workplace.run(model_server.url, [event(1), b"", b'{"broken', b"[]", event(5)])
    assert summary.outcomes == {"produced": 2, "given_up:invalid_json": 1, "given_up:not_an_object": 1}
    assert (summary.read, summary.owed) == (4, 4)
    broken, array = workplace.dead_letters()
    assert (broken["reason"], broken["raw"], broken["offset"]) == ("invalid_json", '{"broken', 3)
    assert (array["reason"], array["raw"], array["offset"]) == ("not_an_object", "[]", 4)


async def test_an_event_that_a_template_cannot_use_is_kept(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """A request that cannot be made is given up, not sent with a hole in it."""
    rule = RULE.replace("/v1/models/model%3Apredict", "/{{message.page.page_title}}")
    summary = await workplace.run(model_server.url, [event(1)], rule=rule)
    assert summary.outcomes == {"given_up:unexpandable": 1}
    assert workplace.dead_letters()[0]["event"] == event(1)
    assert model_server.seen == []


async def test_an_event_older_than_the_rules_claim_is_let_go(
    model_server: ScriptedServer, workplace: Workplace
) -> None:
    """What is too old to matter costs no request."""
    old = event(1, meta={"stream": STREAM, "dt": "2020-01-01T00:00:00Z"})
    rule = RULE.replace("concurrency: 5", "concurrency: 5\n    claim_ttl: 3600")
    summary = await workplace.run(model_server.url, [old, event(2)], rule=rule)
    assert summary.outcomes == {"expired": 1, "produced": 1}


async def test_retry_after_is_waited_for(model_server: ScriptedServer, workplace: Workplace) -> None:
    """A server's Retry-After lengthens the pause that the schedule has."""
    model_server.script = one_after_the_other(Reply(503, headers={"retry-after": "1"}))
    summary = await workplace.run(model_server.url, [event(1)])
    assert summary.outcomes == {"produced": 1}
    assert workplace.outcomes[0].seconds >= 1.0


async def test_outcomes_arrive_with_their_event(model_server: ScriptedServer, workplace: Workplace) -> None:
    """A live table has what it needs: the event, the rule, the status and the time it took."""
    await workplace.run(model_server.url, [event(1)])
    (outcome,) = workplace.outcomes
    assert (outcome.ending, outcome.rule, outcome.status, outcome.attempts) == (
        Ending.PRODUCED,
        "model",
        200,
        1,
    )
    assert outcome.event == event(1)
    assert outcome.seconds > 0
