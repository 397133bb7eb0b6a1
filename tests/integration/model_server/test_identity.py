"""Joined look-ups and batches change how much work is done, and nothing that anybody sees.

Sent one at a time, requests never meet: nothing is joined or batched. Sent all at once, over upstreams that take a
moment, they are. Scores, events and errors must be the same.
"""

import asyncio
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from revertrisk.cli.programs import Program, running
from tests.fakes.clients import STREAM, Client, StartServer
from tests.fakes.edited_wikis import LARGEST, OTHER_WIKIS, EditedWikis, Event, serving_edited_wikis

EXAMPLES = 20
MOST_REQUESTS = 24
UPSTREAM_SECONDS = 0.01
"""How long MediaWiki and EventGate take, so that requests wait for one another."""
NO_SUCH_REVISION = 10**12
FORMS = ("event", "mismatched", "merged", "missing", "call", "missing_call", "batch", "broken")


class Target:
    """A producer between its upstreams, and what the examples have made it do so far."""

    def __init__(self, program: Program, wikis: EditedWikis, gate: str) -> None:
        self.program = program
        self.wikis = wikis
        self.gate = gate
        self.alone: dict[str, float] = {}
        self.together: dict[str, float] = {}
        """How much its metrics have grown, with requests one at a time and all at once."""


@dataclass(frozen=True)
class Seen:
    """What a caller, and a reader of the stream, see of some requests."""

    answers: list[tuple[int, str, str, bytes]]
    """Status, outcome, Retry-After and body of each, without the request's id."""
    events: set[bytes]
    """As they were sent; the same revision may be asked for twice."""


@pytest.fixture(scope="module")
def target(start_server: StartServer, logs: Path) -> Iterator[Target]:
    """A producer, and a MediaWiki that it asks for several revisions at once."""
    with (
        serving_edited_wikis() as wikis,
        running(["mock-eventgate", "--port", "0"], logs / "identity-gate.log") as gate,
        start_server(
            WIKI_URL=wikis.url,
            EVENTGATE_URL=gate.url,
            EVENTGATE_STREAM=STREAM,
            MAX_REVISION_BYTES=str(LARGEST),
        ) as program,
    ):
        target = Target(program, wikis, gate.url)
        yield target
        for figure in ("revertrisk_mediawiki_request_seconds_count", "revertrisk_inference_batch_size_count"):
            assert target.together[figure] < target.alone[figure], "nothing has been joined"


def requests() -> st.SearchStrategy[list[tuple[str, int]]]:
    """Requests as a form and a number, which says of what; often several of one page."""
    return st.lists(
        st.tuples(st.sampled_from(FORMS) | st.just("event"), st.integers(0, 60)),
        min_size=2,
        max_size=MOST_REQUESTS,
    )


def body_of(wikis: EditedWikis, form: str, number: int) -> bytes:
    """Make a request's body; the special pages come first among the numbers."""
    events = sorted(
        wikis.events.values(), key=lambda event: (event["wiki_id"] == "enwiki", -event["page"]["page_id"])
    )
    event: Event = orjson.loads(orjson.dumps(events[number]))
    revision = event["revision"]
    call: dict[str, Any] = {"lang": event["wiki_id"], "rev_id": revision["rev_id"]}
    body: dict[str, Any]
    match form:
        case "event":
            body = {"event": event}
        case "mismatched":
            revision["rev_parent_id"] = revision.get("rev_parent_id", 0) + 7
            body = {"event": event}
        case "merged":
            event["page"]["page_id"] += 1
            body = {"event": event}
        case "missing":
            revision["rev_id"] = NO_SUCH_REVISION + number
            body = {"event": event}
        case "call":
            body = call
        case "missing_call":
            body = call | {"rev_id": NO_SUCH_REVISION + number}
        case "batch":
            body = {"instances": [call, call | {"rev_id": NO_SUCH_REVISION}, call | {"lang": "en"}]}
        case _:
            body = {"event": event | {"dt": number}}
    return orjson.dumps(body)


@asynccontextmanager
async def counted(client: Client, target: Target, into: dict[str, float]) -> AsyncIterator[None]:
    """Add up what the server's metrics grow by meanwhile."""
    await client.forget(target.gate)
    before = await _counters(client, target)
    yield
    for name, value in (await _counters(client, target)).items():
        into[name] = into.get(name, 0.0) + value - before.get(name, 0.0)


async def _counters(client: Client, target: Target) -> dict[str, float]:
    async with client.session.get(f"{target.program.url}/metrics") as answer:
        samples = [line.rsplit(" ", 1) for line in (await answer.text()).splitlines() if line[0] != "#"]
    sums: dict[str, float] = {}
    for name, value in samples:
        family = name.partition("{")[0]
        sums[family] = sums.get(family, 0.0) + float(value)
    return sums


async def see(client: Client, target: Target, bodies: Sequence[bytes], *, at_once: bool) -> Seen:
    """Send requests, and look at the answers and at all that is on the stream."""
    sending = [client.predict(target.program.url, body) for body in bodies]
    replies = await asyncio.gather(*sending) if at_once else [await each for each in sending]
    answers = []
    for reply in replies:
        reply.body.pop("request_id", None)
        for failure in reply.body.get("errors", ()):
            failure.pop("request_id", None)
        headers = (reply.headers.get(name, "") for name in ("x-revertrisk-outcome", "retry-after"))
        answers.append((reply.status, *headers, orjson.dumps(reply.body)))
    events = await client.accepted(target.gate)
    for event in events:
        del event["meta"]["dt"]  # the gate's own, the time of receipt
    return Seen(answers, {orjson.dumps(event) for event in events})


@pytest.mark.timeout(300)
@settings(max_examples=EXAMPLES, suppress_health_check=list(HealthCheck))
@given(drawn=requests())
def test_one_at_a_time_and_all_at_once_are_answered_and_emitted_alike(
    target: Target, drawn: list[tuple[str, int]]
) -> None:
    """Scored, skipped, refused, missing and hidden ones: same answers in order, same bytes on the stream."""

    async def run() -> None:
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
            client = Client(session)
            for upstream in (target.wikis.url, target.gate):
                faults = [{"kind": "delay", "seconds": UPSTREAM_SECONDS}]
                async with session.put(f"{upstream}/_mock/faults", json=faults) as answer:
                    answer.raise_for_status()
            bodies = [body_of(target.wikis, *each) for each in drawn]
            async with counted(client, target, target.alone):
                alone = await see(client, target, bodies, at_once=False)
            async with counted(client, target, target.together):
                together = await see(client, target, bodies, at_once=True)
            assert together == alone

    asyncio.run(run())


def test_the_forms_bring_every_sort_of_answer(target: Target) -> None:
    """The property above would hold of a server that refuses everything: this one does not."""

    async def run() -> Seen:
        async with aiohttp.ClientSession() as session:
            bodies = [body_of(target.wikis, form, number) for form in FORMS for number in range(30)]
            return await see(Client(session), target, bodies, at_once=True)

    seen = asyncio.run(run())
    assert {status for status, *_ in seen.answers} >= {200, 400, 409, 422}
    outcomes = {outcome for _, outcome, *_ in seen.answers}
    assert {
        "produced",
        "skipped:revision_missing",
        "skipped:revision_hidden",
        "skipped:too_large",
    } <= outcomes
    assert len(seen.events) >= len(OTHER_WIKIS)
