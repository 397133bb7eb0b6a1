import asyncio
import json
import logging
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from pathlib import Path
from typing import Any

import aiohttp
import pytest

from dispatcher import (
    DispatchSettings,
    Ending,
    Outcome,
    RetrySchedule,
    RuleFileError,
    SettingsError,
    Summary,
    dispatch,
)
from dispatcher.client import Answer, HttpClient, new_session
from dispatcher.deadletters import DeadLetterFile
from dispatcher.executor import Executor
from dispatcher.pipeline import COMMIT_INTERVAL_S, Pipeline
from dispatcher.recent import RecentIds
from dispatcher.requests import Request
from dispatcher.rule_file import load_rules
from dispatcher.sources import JsonlSource, Position, SourcedEvent
from tests.fakes.scripted_http import (
    PRODUCED,
    Misbehaviour,
    Reply,
    ScriptedServer,
    Seen,
    address_of,
    bound_socket,
    scripted_server,
)

STREAM = "mediawiki.page_change.v1"
AT_ONCE = RetrySchedule(limit=3, delay_s=0.0, factor=1.0)
RULE = """
rules:
  - name: model
    topic: mediawiki.page_change.v1
    match: {wiki_id: /wiki$/}
    concurrency: 5
    retry_on: {status: [502, 503]}
    timeout: 60000
    exec:
      method: post
      uri: '{{globals.target}}/v1/models/model%3Apredict'
      headers: {host: model.namespace.wikimedia.org, content-type: application/json}
      body: {event: '{{globals.message}}'}
"""

Run = Callable[..., Any]


def event(number: int, **changes: Any) -> dict[str, Any]:
    meta = {"stream": STREAM, "request_id": f"r-{number}", "uri": f"https://en.wikipedia.org/wiki/P{number}"}
    return {"wiki_id": "enwiki", "page": {"page_id": number}, "meta": meta} | changes


@pytest.fixture
async def server() -> AsyncIterator[ScriptedServer]:
    """Return a running model server that produces everything unless a test says otherwise."""
    async with scripted_server() as scripted:
        yield scripted


class Workplace:
    """The files of a dispatcher, and a way to run it on them."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self.outcomes: list[Outcome] = []

    def write(self, events: list[Any], rule: str = RULE) -> None:
        lines = (line if isinstance(line, bytes) else json.dumps(line).encode() for line in events)
        (self._folder / "events.jsonl").write_bytes(b"\n".join(lines))
        (self._folder / "rule.yaml").write_text(rule)

    def settings(self, target: str, **changes: Any) -> DispatchSettings:
        given: dict[str, Any] = {
            "source": f"jsonl:{self._folder / 'events.jsonl'}",
            "rule_file": self._folder / "rule.yaml",
            "target": target,
            "dead_letters": self._folder / "dead.jsonl",
            "retries": AT_ONCE,
            "user_agent": "test-agent/1 (https://example.org/)",
        }
        return DispatchSettings(**given | changes)

    async def run(
        self,
        target: str,
        events: list[Any],
        *,
        rule: str = RULE,
        stop: asyncio.Event | None = None,
        **changes: Any,
    ) -> Summary:
        self.write(events, rule)
        self.outcomes.clear()
        summary = await dispatch(self.settings(target, **changes), self.outcomes.append, stop)
        assert Counter(outcome.label for outcome in self.outcomes) == summary.outcomes
        assert summary.outcomes.total() + summary.interrupted == summary.owed
        return summary

    def dead_letters(self) -> list[dict[str, Any]]:
        return [json.loads(line) for line in (self._folder / "dead.jsonl").read_text().splitlines()]


@pytest.fixture
def workplace(tmp_path: Path) -> Workplace:
    """Return a folder to run in."""
    return Workplace(tmp_path)


def one_after_the_other(*answers: Any) -> Callable[[Seen], Any]:
    """Give each answer once, and then produce."""
    left = iter(answers)
    return lambda _: next(left, PRODUCED)


async def test_every_event_is_counted_by_what_the_server_says_of_it(
    server: ScriptedServer, workplace: Workplace
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
    server.script = lambda seen: answers[seen.json["event"]["page"]["page_id"]]
    events = [event(number) for number in answers]
    events += [
        event(8, wiki_id="enwiktionary"),
        event(9, meta={"domain": "canary"}),
        event(10, meta={"stream": "x"}),
    ]
    summary = await workplace.run(server.url, events)
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


async def test_the_request_is_change_propagations(server: ScriptedServer, workplace: Workplace) -> None:
    """Path, headers and body go over the wire as change-propagation writes them."""
    await workplace.run(server.url, [event(7, extra={"ä": None})])
    (seen,) = server.seen
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


async def test_a_retry_says_that_it_is_one(server: ScriptedServer, workplace: Workplace) -> None:
    """Each retry adds the retry stream to the trail, and everything else stays the same."""
    server.script = one_after_the_other(Reply(503), Reply(502))
    summary = await workplace.run(server.url, [event(1)])
    trails = [seen.headers["x-triggered-by"] for seen in server.seen]
    first = f"req:r-1,{STREAM}:https://en.wikipedia.org/wiki/P1"
    retry = f",changeprop.retry.{STREAM}:https://en.wikipedia.org/wiki/P1"
    assert trails == [first, first + retry, first + retry + retry]
    assert len({seen.body for seen in server.seen}) == 1
    assert (summary.outcomes, summary.retries) == ({"produced": 1}, 2)
    assert workplace.outcomes[0].attempts == 3


@pytest.mark.parametrize(
    "fault",
    [Reply(503), Reply(502), Misbehaviour.RESET, Misbehaviour.CUT],
    ids=str,
)
async def test_a_passing_fault_is_tried_again(
    server: ScriptedServer, workplace: Workplace, fault: Reply | Misbehaviour
) -> None:
    """What can get better is tried again, and no dead letter remains of it."""
    server.script = one_after_the_other(fault)
    summary = await workplace.run(server.url, [event(1)])
    assert (summary.outcomes, summary.retries) == ({"produced": 1}, 1)
    assert workplace.dead_letters() == []


async def test_a_request_that_takes_too_long_is_tried_again(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """The rule's timeout ends a try, and the next one may succeed."""
    server.script = one_after_the_other(Misbehaviour.HANG)
    rule = RULE.replace("timeout: 60000", "timeout: 500")
    summary = await workplace.run(server.url, [event(1)], rule=rule)
    assert (summary.outcomes, summary.retries) == ({"produced": 1}, 1)


async def test_a_refused_connection_is_tried_again_until_the_server_is_up(workplace: Workplace) -> None:
    """A server that starts after its dispatcher loses nothing."""
    bound = bound_socket()
    refused = asyncio.Event()
    handler = logging.Handler(logging.DEBUG)
    handler.emit = lambda record: refused.set() if "connection_refused" in record.getMessage() else None  # type: ignore[method-assign]
    log = logging.getLogger("dispatcher.executor")
    log.addHandler(handler)
    log.setLevel(logging.DEBUG)
    try:
        running = asyncio.create_task(
            workplace.run(address_of(bound), [event(1)], retries=RetrySchedule(10_000, 0.01, 1.0))
        )
        await refused.wait()
        async with scripted_server(on=bound):
            summary = await running
    finally:
        log.removeHandler(handler)
        log.setLevel(logging.NOTSET)
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
    server: ScriptedServer,
    workplace: Workplace,
    answer: Reply | Misbehaviour,
    reason: str,
    attempts: int,
    code: str | None,
) -> None:
    """Only 502, 503 and broken connections are tried again; the dead letter has all that a redrive needs."""
    server.script = lambda _: answer
    summary = await workplace.run(server.url, [event(1)])
    (letter,) = workplace.dead_letters()
    assert (letter["reason"], letter["attempts"], letter["code"]) == (reason, attempts, code)
    assert letter["status"] == (answer.status if isinstance(answer, Reply) else None)
    assert (letter["event"], letter["rule"], letter["offset"]) == (event(1), "model", 1)
    assert len(server.seen) == attempts
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


async def test_a_tls_error_is_not_tried_again(server: ScriptedServer, workplace: Workplace) -> None:
    """A server that does not speak TLS will not learn it."""
    await workplace.run(server.url.replace("http:", "https:"), [event(1)])
    (letter,) = workplace.dead_letters()
    assert (letter["reason"], letter["attempts"]) == ("tls_error", 1)


async def test_a_huge_answer_is_not_read_to_its_end(server: ScriptedServer, workplace: Workplace) -> None:
    """A server cannot fill the dispatcher's memory, and its verdict counts all the same."""
    server.script = lambda _: Reply(400, b"x" * 5_000_000)
    await workplace.run(server.url, [event(1), event(2)])
    assert [letter["reason"] for letter in workplace.dead_letters()] == ["status_400"] * 2


async def test_records_that_are_no_events_are_kept(server: ScriptedServer, workplace: Workplace) -> None:
    """A broken line stops nothing: it is in the dead letters with its number, and the others go their way."""
    summary = await workplace.run(server.url, [event(1), b"", b'{"broken', b"[]", event(5)])
    assert summary.outcomes == {"produced": 2, "given_up:invalid_json": 1, "given_up:not_an_object": 1}
    assert (summary.read, summary.owed) == (4, 4)
    broken, array = workplace.dead_letters()
    assert (broken["reason"], broken["raw"], broken["offset"]) == ("invalid_json", '{"broken', 3)
    assert (array["reason"], array["raw"], array["offset"]) == ("not_an_object", "[]", 4)


async def test_an_event_that_a_template_cannot_use_is_kept(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """A request that cannot be made is given up, not sent with a hole in it."""
    rule = RULE.replace("/v1/models/model%3Apredict", "/{{message.page.page_title}}")
    summary = await workplace.run(server.url, [event(1)], rule=rule)
    assert summary.outcomes == {"given_up:unexpandable": 1}
    assert workplace.dead_letters()[0]["event"] == event(1)
    assert server.seen == []


@pytest.mark.parametrize(("override", "most"), [(None, 5), (1, 1), (12, 12)])
async def test_a_rules_requests_are_bounded(
    server: ScriptedServer, workplace: Workplace, override: int | None, most: int
) -> None:
    """So many are under way at once and not one more, however many events there are."""
    server.gate.clear()
    running = asyncio.create_task(
        workplace.run(server.url, [event(number) for number in range(40)], concurrency=override)
    )
    await server.arrived(most)
    server.gate.set()
    summary = await running
    assert server.most == most
    assert summary.outcomes == {"produced": 40}


async def test_with_one_request_at_a_time_events_go_out_in_order(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """Concurrency 1 keeps the source's order, retries included."""
    faults = {3, 7}

    def script(seen: Seen) -> Reply:
        number = seen.json["event"]["page"]["page_id"]
        if number in faults:
            faults.remove(number)
            return Reply(503)
        return PRODUCED

    server.script = script
    await workplace.run(server.url, [event(number) for number in range(10)], concurrency=1)
    asked = [seen.json["event"]["page"]["page_id"] for seen in server.seen]
    assert asked == [0, 1, 2, 3, 3, 4, 5, 6, 7, 7, 8, 9]


async def test_each_rule_has_its_own_bound_and_its_own_outcome(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """An event that two rules take is sent for both, and is done when both are."""
    second = (
        RULE.split("rules:\n")[1]
        .replace("name: model", "name: other")
        .replace("models/model", "models/other")
    )
    server.script = lambda seen: Reply(400) if "other" in seen.raw_path else PRODUCED
    summary = await workplace.run(server.url, [event(1), event(2)], rule=RULE + second)
    assert summary.outcomes == {"produced": 2, "given_up:status_400": 2}
    assert (summary.read, summary.owed) == (2, 4)
    assert {letter["rule"] for letter in workplace.dead_letters()} == {"other"}


async def test_events_of_a_page_keep_their_order_where_a_rule_asks_for_it(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """Retries included, while other pages go on beside them."""
    faults = {3, 7}

    def script(seen: Seen) -> Reply:
        number = seen.json["event"]["number"]
        if number in faults:
            faults.remove(number)
            return Reply(503)
        return PRODUCED

    server.script = script
    rule = RULE.replace("concurrency: 5", "concurrency: 5\n    order_by: '{{message.page.page_id}}'")
    events = [event(number) | {"number": number, "page": {"page_id": number % 2}} for number in range(20)]
    await workplace.run(server.url, events, rule=rule, retries=RetrySchedule(3, 0.05, 1.0))
    asked = [seen.json["event"]["number"] for seen in server.seen]
    odd = [number for number in asked if number % 2]
    assert odd == sorted(odd)
    even = [number for number in asked if not number % 2]
    assert even == sorted(even)
    assert odd.count(3) == 2
    assert asked.index(4) < len(asked) - 1 - asked[::-1].index(3)  # it did not wait for the other page


async def test_an_event_that_comes_twice_is_sent_once(server: ScriptedServer, workplace: Workplace) -> None:
    """Known by its meta.id; the second one is done at once, and the first one holds the commit back."""
    twice = event(1, meta={"stream": STREAM, "id": "x"})
    summary = await workplace.run(server.url, [twice, twice, event(2), event(2)])
    assert summary.outcomes == {"produced": 3, "duplicate": 1}  # without an id each counts


async def test_a_second_coming_is_not_done_before_the_first(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """A partition that was lost and given back is not committed past an event whose first request is under way."""
    same = event(1, meta={"stream": STREAM, "id": "x"})

    class GivenBack:
        """Yields an event, and again after its partition was lost and given back."""

        def __init__(self) -> None:
            self.committed: list[Position] = []

        async def events(self) -> AsyncGenerator[SourcedEvent, None]:
            for epoch in (1, 2):
                yield SourcedEvent(same, Position("t[0]", 10, epoch))

        async def commit(self, position: Position) -> None:
            self.committed.append(position)

        async def close(self) -> None:
            pass

    server.gate.clear()
    workplace.write([])
    settings = workplace.settings(server.url)
    rules = load_rules(settings.rule_file, target=server.url)
    source = GivenBack()
    async with new_session("test") as session:
        with DeadLetterFile(Path(settings.dead_letters)) as dead_letters:
            pipeline = Pipeline(
                source,
                rules,
                Executor(rules, HttpClient(session), dead_letters),
                grace_s=1,
                on_outcome=workplace.outcomes.append,
                recent=RecentIds(),
            )
            running = asyncio.create_task(pipeline.run(asyncio.Event()))
            while not workplace.outcomes:
                await asyncio.sleep(0.01)
            await asyncio.sleep(2 * COMMIT_INTERVAL_S)
            assert [outcome.label for outcome in workplace.outcomes] == ["duplicate"]
            assert source.committed == []
            server.gate.set()
            await running
    assert len(server.seen) == 1
    assert {(place.offset, place.epoch) for place in source.committed} == {(10, 1), (10, 2)}


async def test_an_event_older_than_the_rules_claim_is_let_go(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """What is too old to matter costs no request."""
    old = event(1, meta={"stream": STREAM, "dt": "2020-01-01T00:00:00Z"})
    rule = RULE.replace("concurrency: 5", "concurrency: 5\n    claim_ttl: 3600")
    summary = await workplace.run(server.url, [old, event(2)], rule=rule)
    assert summary.outcomes == {"expired": 1, "produced": 1}


async def test_a_server_that_refuses_everything_stops_the_run(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """After so many in a row, not after so many in all; what was read is kept, and the rest is left for later."""
    server.script = lambda seen: PRODUCED if seen.json["event"]["page"]["page_id"] == 3 else Reply(404)
    summary = await workplace.run(
        server.url, [event(number) for number in range(1, 1001)], refusal_limit=5, concurrency=1
    )
    assert summary.source_error == "stopped: 5 requests in a row were given up, the last for status_404"
    assert summary.outcomes["produced"] == 1
    assert 7 <= summary.given_up <= 8  # the next one may be under way
    assert list(summary.committed.values()) == [1 + summary.given_up]
    assert not summary.is_clean


async def test_reading_stops_behind_something_slow(server: ScriptedServer, workplace: Workplace) -> None:
    """What is done and cannot be committed is bounded; when the slow one is done, reading goes on."""
    released = asyncio.Event()
    workplace.write([event(number) for number in range(200)])
    source = JsonlSource.from_path(str(workplace.settings(server.url).source.removeprefix("jsonl:")))
    rules = load_rules(workplace.settings(server.url).rule_file, target=server.url)

    class Slow:
        """Sends nothing; the first event takes until it is released."""

        async def send(self, request: Request, **_: object) -> Answer:
            if request.request_id == "r-0":
                await released.wait()
            return Answer(200)

    dead_letters = DeadLetterFile(Path(workplace.settings(server.url).dead_letters))
    executor = Executor(rules, Slow(), dead_letters)  # type: ignore[arg-type]  # the part of the client that is used
    pipeline = Pipeline(
        source, rules, executor, grace_s=1, on_outcome=workplace.outcomes.append, most_held=50
    )
    with dead_letters:
        running = asyncio.create_task(pipeline.run(asyncio.Event()))
        while len(workplace.outcomes) < 49:
            await asyncio.sleep(0.01)
        for _ in range(50):
            await asyncio.sleep(0)
        assert len(workplace.outcomes) == 49
        released.set()
        summary = await running
    assert summary.outcomes == {"accepted": 200}


async def test_metrics_are_served_while_the_run_lasts(server: ScriptedServer, workplace: Workplace) -> None:
    """Prometheus reads them from the port."""
    bound = bound_socket()
    port = bound.getsockname()[1]
    bound.close()
    server.gate.clear()
    running = asyncio.create_task(
        workplace.run(server.url, [event(1, wiki_id="x"), event(2)], metrics_port=port)
    )
    await server.arrived(1)
    async with (
        aiohttp.ClientSession() as session,
        session.get(f"http://127.0.0.1:{port}/metrics") as answer,
    ):
        text = await answer.text()
    server.gate.set()
    await running
    assert 'dispatcher_events_total{outcome="unmatched:wiki_id",rule="none"} 1.0' in text
    assert 'dispatcher_lag_seconds{source="jsonl"}' in text


async def test_a_checkpoint_takes_a_file_up_where_it_was(
    server: ScriptedServer, workplace: Workplace, tmp_path: Path
) -> None:
    """A second run sends the rest, and another file under the same name is refused."""
    events = [event(number) for number in range(1, 11)]
    checkpoint = tmp_path / "checkpoint"
    await workplace.run(server.url, events, limit=4, checkpoint=checkpoint)
    summary = await workplace.run(server.url, events, checkpoint=checkpoint)
    assert summary.outcomes == {"produced": 6}
    assert [seen.json["event"]["page"]["page_id"] for seen in server.seen] == list(range(1, 11))
    summary = await workplace.run(server.url, [event(99), *events], checkpoint=checkpoint)
    assert "the checkpoint is of another input" in str(summary.source_error)
    assert summary.read == 0


async def test_a_limit_ends_the_reading(server: ScriptedServer, workplace: Workplace) -> None:
    """So many records are read, whatever becomes of them."""
    events = [event(1), b"broken", event(3, wiki_id="x"), event(4), event(5)]
    summary = await workplace.run(server.url, events, limit=4)
    assert summary.read == 4
    assert summary.outcomes == {"produced": 2, "given_up:invalid_json": 1, "unmatched:wiki_id": 1}


async def test_retry_after_is_waited_for(server: ScriptedServer, workplace: Workplace) -> None:
    """A server's Retry-After lengthens the pause that the schedule has."""
    server.script = one_after_the_other(Reply(503, headers={"retry-after": "1"}))
    summary = await workplace.run(server.url, [event(1)])
    assert summary.outcomes == {"produced": 1}
    assert workplace.outcomes[0].seconds >= 1.0


async def test_stopping_finishes_what_is_in_flight_and_reads_no_more(
    server: ScriptedServer, workplace: Workplace, caplog: pytest.LogCaptureFixture
) -> None:
    """After a stop the requests under way get their answers, and are committed; no others are started."""
    caplog.set_level(logging.INFO, "dispatcher.pipeline")
    server.gate.clear()
    stop = asyncio.Event()
    running = asyncio.create_task(
        workplace.run(server.url, [event(number) for number in range(20)], concurrency=3, stop=stop)
    )
    await server.arrived(3)
    stop.set()
    while "stopping: 3 requests in flight" not in caplog.text:
        await asyncio.sleep(0.01)
    server.gate.set()
    summary = await running
    assert summary.outcomes == {"produced": 3}
    assert len(server.seen) == 3
    assert list(summary.committed.values()) == [3]
    # The fourth had been read and waited for a slot.
    assert (summary.read, summary.interrupted) == (4, 1)


async def test_what_does_not_finish_in_the_grace_period_is_not_committed(
    server: ScriptedServer, workplace: Workplace
) -> None:
    """Of what is cut short nothing is committed, nor anything behind it, though that may be done."""
    server.script = lambda seen: Misbehaviour.HANG if seen.json["event"]["page"]["page_id"] == 2 else PRODUCED
    stop = asyncio.Event()
    running = asyncio.create_task(
        workplace.run(server.url, [event(n) for n in range(1, 5)], concurrency=4, stop=stop, grace_s=0.05)
    )
    await server.arrived(4)
    while len(workplace.outcomes) < 3:
        await asyncio.sleep(0.01)
    stop.set()
    summary = await running
    assert (summary.outcomes, summary.interrupted) == ({"produced": 3}, 1)
    assert list(summary.committed.values()) == [1]
    assert not summary.is_clean


async def test_a_source_that_cannot_be_read_is_in_the_summary(
    server: ScriptedServer, workplace: Workplace, tmp_path: Path
) -> None:
    """A missing file is no clean run of nothing."""
    summary = await workplace.run(server.url, [], source=f"jsonl:{tmp_path / 'none'}")
    assert "cannot be opened: No such file" in str(summary.source_error)
    assert not summary.is_clean


async def test_a_callback_that_fails_stops_the_run(server: ScriptedServer, workplace: Workplace) -> None:
    """A caller's error is the caller's to see, and is not committed over."""

    def fail(outcome: Outcome) -> None:
        raise RuntimeError(outcome.label)

    workplace.write([event(number) for number in range(10)])
    with pytest.raises(RuntimeError, match="produced"):
        await dispatch(workplace.settings(server.url), fail)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"source": "events.jsonl"}, "source: expected jsonl:FILE"),
        ({"source": "jsonl:"}, "source: expected jsonl:FILE"),
        ({"target": "localhost:8080"}, "target: expected http://host:port"),
        ({"target": "http://"}, "target: expected"),
        ({"target": "http://h/?x=1"}, "target: expected"),
        ({"target": "http://user:secret@h/"}, "target: expected"),
        ({"target": "http://h:port/"}, "target: "),
        ({"concurrency": 0}, "concurrency: expected a number of at least 1"),
        ({"limit": 0}, "limit: expected a number of at least 1"),
    ],
)
async def test_a_setting_that_cannot_work_is_named(
    workplace: Workplace, changes: dict[str, Any], reason: str
) -> None:
    """Nothing is read, sent or written before every setting is known to work."""
    workplace.write([event(1)])
    with pytest.raises(SettingsError, match=reason) as caught:
        await dispatch(workplace.settings(**{"target": "http://127.0.0.1:1"} | changes))
    assert "secret" not in str(caught.value)


async def test_a_rule_that_cannot_work_stops_the_start(workplace: Workplace) -> None:
    """The path of the field is in the error."""
    workplace.write([event(1)], RULE.replace("/wiki$/", "/(/"))
    with pytest.raises(RuleFileError, match=r"rules\[0\]\.match\.wiki_id"):
        await dispatch(workplace.settings("http://127.0.0.1:1"))


async def test_outcomes_arrive_with_their_event(server: ScriptedServer, workplace: Workplace) -> None:
    """A live table has what it needs: the event, the rule, the status and the time it took."""
    await workplace.run(server.url, [event(1)])
    (outcome,) = workplace.outcomes
    assert (outcome.ending, outcome.rule, outcome.status, outcome.attempts) == (
        Ending.PRODUCED,
        "model",
        200,
        1,
    )
    assert outcome.event == event(1)
    assert outcome.seconds > 0
