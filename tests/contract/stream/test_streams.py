"""Streams beside one another: backfills, versions during a rollout, canaries; built, accepted and read for real."""

import copy
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Any

import aiohttp
import pytest

from mock_eventgate import listening
from revertrisk.consumer import Consumer, Delivery, Drop, PredictionRecord
from revertrisk.event_platform.eventgate import EventGateClient
from revertrisk.event_platform.page_change import PageChange
from revertrisk.event_platform.prediction_change import PredictedClassification, PredictionEventBuilder
from revertrisk.event_platform.schemas import SchemaRepository
from revertrisk.runtime.http_client import HttpClient
from revertrisk.runtime.instants import parse_date_time
from tests.contract.stream.conftest import Event, Samples
from tests.fakes.clients import MODEL, STREAM, Client
from tests.fakes.http import in_a_minute, open_http

BACKFILL = f"{STREAM}.backfill"


class Producer:
    """Builds predictions and sends them to an EventGate, as the server does."""

    def __init__(self, session: aiohttp.ClientSession, http: HttpClient, url: str) -> None:
        self._gate = EventGateClient(http, url, user_agent="tests", timeout=5)
        self._client = Client(session)
        self._url = url

    async def produce(
        self,
        source: Event,
        *,
        stream: str = STREAM,
        version: str = "revertrisk-events-2",
        probability: float = 0.5,
    ) -> Event:
        """Send the prediction for a page_change event; return it as it was accepted."""
        builder = PredictionEventBuilder(SchemaRepository(), stream)
        predicted = PredictedClassification(MODEL, version, probability > 0.5, probability)
        await self._gate.produce(builder.build(PageChange.of(source), predicted), in_a_minute())
        return (await self._client.accepted(self._url))[-1]


@pytest.fixture
async def url() -> AsyncIterator[str]:
    async with listening() as url:
        yield url


@pytest.fixture
async def producer(session: aiohttp.ClientSession, url: str) -> AsyncIterator[Producer]:
    async with open_http() as http:
        yield Producer(session, http, url)


@pytest.fixture
def edit(samples: Samples) -> Event:
    return next(event for event in samples.events if event["revision"]["rev_id"] == 456789)


def next_edit(edit: Event) -> Event:
    """Return the event of a later edit to the same page."""
    later = copy.deepcopy(edit)
    later["revision"] |= {
        "rev_id": edit["revision"]["rev_id"] + 1,
        "rev_parent_id": edit["revision"]["rev_id"],
    }
    later["meta"]["request_id"] = "2d0c64a2-88a5-4a7e-b0a2-6cf4d6a1c001"
    return later


def rows(events: list[Event]) -> list[tuple[int, str]]:
    """Return revision and model version of each row that a consumer makes of events."""
    with Consumer() as consumer:
        for event in events:
            assert isinstance(consumer.take(Delivery(event)), PredictionRecord)
        return [(row.rev_id, row.model_version) for row in consumer.pages()]


async def test_a_backfill_is_told_by_its_stream(producer: Producer, edit: Event) -> None:
    """The sibling stream has the same schema; the id is another, ``dt`` is the edit's, ``meta.dt`` is now."""
    began = datetime.now(UTC)
    backfilled = await producer.produce(edit, stream=BACKFILL)
    live = await producer.produce(edit)
    assert (backfilled["meta"]["stream"], live["meta"]["stream"]) == (BACKFILL, STREAM)
    assert backfilled["$schema"] == live["$schema"]
    assert backfilled["meta"]["id"] != live["meta"]["id"]
    assert backfilled["dt"] == edit["dt"]
    assert parse_date_time(backfilled["dt"]) < began <= parse_date_time(backfilled["meta"]["dt"])
    with Consumer() as consumer:
        assert isinstance(consumer.take(Delivery(backfilled)), PredictionRecord)
        assert consumer.take(Delivery(live)) is Drop.DUPLICATE


async def test_versions_may_interleave_on_one_page(producer: Producer, edit: Event) -> None:
    """E38: during a rollout each version has an event of its own, and the merge rule settles the row."""
    old, new = "revertrisk-events-9", "revertrisk-events-10"
    first = await producer.produce(edit, version=new, probability=0.8)
    second = await producer.produce(edit, version=old, probability=0.3)
    assert first["meta"]["id"] != second["meta"]["id"]
    assert rows([first, second]) == rows([second, first]) == [(456789, new)]
    third = await producer.produce(next_edit(edit), version=old)
    assert rows([first, third]) == rows([third, first]) == [(456790, old)]


async def test_a_canary_is_on_each_stream_and_in_no_table(
    session: aiohttp.ClientSession, url: str, producer: Producer, edit: Event
) -> None:
    """A canary is a valid event of the stream that only its domain tells from others: it is dropped and counted."""
    await producer.produce(edit)
    async with session.post(f"{url}/_mock/canaries") as answer:
        produced: dict[str, Any] = (await answer.json())["produced"]
    assert {STREAM, BACKFILL} <= produced.keys()
    with Consumer() as consumer:
        for event in await Client(session).accepted(url):
            consumer.take(Delivery(event))
        assert consumer.tally()["new"] == len(list(consumer.pages())) == 1
        assert consumer.tally()["canary"] == len(produced)


async def test_a_hidden_name_or_comment_that_is_out_stays_out(producer: Producer, edit: Event) -> None:
    """What was visible when the prediction was made is in it for ever: the duty to redact is the consumer's."""
    before = await producer.produce(edit)
    hidden = copy.deepcopy(edit)
    hidden["revision"] |= {"is_editor_visible": False, "is_comment_visible": False}
    after = await producer.produce(hidden)
    assert before["revision"]["comment"] == edit["revision"]["comment"]
    assert "performer" in before
    assert not {"performer", "comment"} & after.keys()
    assert not {"editor", "comment"} & after["revision"].keys()
    assert before["meta"]["id"] == after["meta"]["id"]
