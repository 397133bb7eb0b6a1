"""What consumers find on the stream after the real programs have seen the sample pages.

Every page_change event is delivered newest first, and then once more.
"""

import asyncio
import copy
import ipaddress
import json
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import pairwise

import aiohttp
import pytest

from revertrisk.cli.programs import Program
from revertrisk.consumer import Consumer, Delivery, PredictionRecord
from revertrisk.event_platform.page_change import SkipReason
from revertrisk.event_platform.prediction_change import PREDICTION_SCHEMA
from revertrisk.event_platform.schemas import SchemaRepository
from revertrisk.runtime.instants import parse_date_time
from tests.contract.stream.conftest import OTHER_MODEL, OTHER_STREAM, Event, Samples
from tests.fakes.clients import MODEL, STREAM, Client, Reply

TELLING = 25
"""Characters from which on a line of a page is unlikely to stand in an event by chance."""


@dataclass(frozen=True)
class Emission:
    """What was sent to the server, what it answered, and what EventGate has accepted since."""

    sources: list[Event]
    replies: list[Reply]
    accepted: list[Event]
    began: datetime
    again: list[Event]
    """What a second delivery of everything, to a server told to emit again, has added."""

    @property
    def produced(self) -> Iterator[tuple[Event, Event]]:
        """Each source that has a prediction, with it."""
        sources = {
            source["meta"]["request_id"]: source
            for source, reply in zip(self.sources, self.replies, strict=True)
            if reply.outcome == "produced"
        }
        for event in self.accepted:
            yield sources[event["meta"]["request_id"]], event


@pytest.fixture(scope="module")
def emission(samples: Samples, server: Program, gate: str) -> Emission:
    async def deliver_all() -> Emission:
        async with aiohttp.ClientSession() as session:
            client = Client(session)
            await client.forget(gate)
            began = datetime.now(UTC)
            sources = samples.events[::-1]
            replies = [await client.predict(server.url, {"event": source}) for source in sources]
            accepted = await client.accepted(gate, stream=STREAM)
            for source in sources:
                await client.predict(server.url, {"event": source}, reemit=True)
            everything = await client.accepted(gate, stream=STREAM)
            return Emission(sources, replies, accepted, began, everything[len(accepted) :])

    return asyncio.run(deliver_all())


def key(event: Event) -> tuple[str, int]:
    return event["wiki_id"], event["revision"]["rev_id"]


def test_each_scored_revision_has_one_event(emission: Emission) -> None:
    """The grain is a revision: what was produced is there once, and a page with two revisions has two events."""
    produced = [
        key(source)
        for source, reply in zip(emission.sources, emission.replies, strict=True)
        if reply.outcome == "produced"
    ]
    assert [key(event) for event in emission.accepted] == produced
    assert len(set(produced)) == len(produced) > 60
    pages = Counter((event["wiki_id"], event["page"]["page_id"]) for event in emission.accepted)
    assert max(pages.values()) > 1


def test_an_older_revision_comes_after_a_newer_one_of_its_page(emission: Emission) -> None:
    """E10: nothing is held back to keep an order; history is wanted."""
    pages = defaultdict(list)
    for event in emission.accepted:
        pages[event["wiki_id"], event["page"]["page_id"]].append(event["revision"]["rev_id"])
    assert any(later < earlier for revisions in pages.values() for earlier, later in pairwise(revisions))


def test_what_is_not_on_the_stream_was_skipped_for_a_known_reason(emission: Emission) -> None:
    """Every change is produced or skipped, with a reason of the closed set; a skip emits nothing."""
    emitted = {key(event) for event in emission.accepted}
    reasons = set()
    for source, reply in zip(emission.sources, emission.replies, strict=True):
        assert reply.status == 200
        assert reply.outcome is not None
        if reply.outcome != "produced":
            reasons.add(SkipReason(reply.outcome.removeprefix("skipped:")))
            assert key(source) not in emitted
    assert reasons >= {SkipReason.NO_PARENT, SkipReason.NULL_EDIT, SkipReason.REDIRECT, SkipReason.NAMESPACE}


def test_a_prediction_sent_again_is_the_same_but_for_its_time_of_receipt(emission: Emission) -> None:
    """E8: the duplicate has the same id and the same bytes, apart from the gate's ``meta.dt``."""

    def without_receipt(event: Event) -> str:
        copied = copy.deepcopy(event)
        del copied["meta"]["dt"]
        return json.dumps(copied)

    first, second = (
        [without_receipt(event) for event in each] for each in (emission.accepted, emission.again)
    )
    assert first == second
    assert len({event["meta"]["id"] for event in emission.accepted + emission.again}) == len(first)


def test_the_request_id_is_that_of_the_edit(emission: Emission) -> None:
    """The join key: ``meta.request_id`` and ``meta.uri`` are the page_change event's, ``meta.id`` is not."""
    for source, event in emission.produced:
        assert key(source) == key(event)
        assert event["meta"]["request_id"] == source["meta"]["request_id"]
        assert event["meta"]["uri"] == source["meta"]["uri"]
        assert event["meta"]["id"] != source["meta"]["id"]


def test_dt_is_the_time_of_the_edit_and_meta_dt_that_of_receipt(emission: Emission) -> None:
    """E41, E42: ``dt`` is copied, however old; ``meta.dt`` is the gate's clock at acceptance."""
    for source, event in emission.produced:
        assert event["dt"] == source["dt"]
        assert event["meta"]["dt"] != source["meta"]["dt"]
        assert emission.began <= parse_date_time(event["meta"]["dt"]) <= datetime.now(UTC)


def test_no_text_of_a_page_is_in_an_event(emission: Emission, samples: Samples) -> None:
    """Neither a revision's wikitext nor its parent's, so no diff either; comments apart, which are facts."""
    compared = 0
    for _, event in emission.produced:
        revision = samples.history.revision(*key(event))
        assert revision is not None
        parent = samples.history.revision(revision.wiki_id, revision.parent_id)
        assert parent is not None
        text = json.dumps(event, ensure_ascii=False)
        for each in (revision, parent):
            lines = (samples.history.text(each) or "").splitlines()
            telling = [line for line in lines if len(line) >= TELLING]
            compared += len(telling)
            assert not [line for line in telling if line in text]
    assert compared > 500


def test_only_fields_of_the_schema_are_in_an_event(emission: Emission) -> None:
    """No features, no content slots, no ground truth: the open objects hold what they are documented to hold."""
    names = SchemaRepository().load(PREDICTION_SCHEMA)["properties"].keys()
    for event in emission.accepted:
        assert event.keys() <= names
        assert event["meta"].keys() == {"stream", "id", "request_id", "domain", "uri", "dt"}
        assert event["predicted_classification"].keys() == {
            "model_name",
            "model_version",
            "predictions",
            "probabilities",
        }
        assert not {"content_slots", "revert"} & event["revision"].keys()


def test_an_address_stands_only_where_a_user_is_named(emission: Emission) -> None:
    """An IP address is in an event only as ``user_text`` of whoever edited under it."""
    users = 0

    def addresses(value: object, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        if isinstance(value, dict):
            for name, each in value.items():
                yield from addresses(each, (*path, name))
        elif isinstance(value, str):
            try:
                ipaddress.ip_address(value)
            except ValueError:
                return
            yield path

    for event in emission.accepted:
        for path in addresses(event, ()):
            users += 1
            assert path in {
                ("performer", "user_text"),
                ("revision", "editor", "user_text"),
                ("prior_state", "revision", "editor", "user_text"),
            }
    assert users > 0


def test_the_classes_are_strings_and_the_likelier_one_is_predicted(emission: Emission) -> None:
    """E36, E37: ``predictions`` is the argmax, a fixed cut at one half, and no operating decision."""
    for event in emission.accepted:
        predicted = event["predicted_classification"]
        probabilities = predicted["probabilities"]
        assert probabilities.keys() == {"true", "false"}
        assert probabilities["false"] == round(1 - probabilities["true"], 6)
        assert predicted["predictions"] == ["true" if probabilities["true"] > 0.5 else "false"]
        assert (predicted["model_name"], type(predicted["model_version"])) == (MODEL, str)


def test_bots_are_scored_like_everybody(emission: Emission) -> None:
    """E39: it is a dataset, and filtering is the consumer's job; who edited is in the event."""
    assert any(event.get("performer", {}).get("is_bot") for event in emission.accepted)


async def test_nothing_is_withdrawn(
    emission: Emission, server: Program, gate: str, session: aiohttp.ClientSession
) -> None:
    """E20: a deletion or a change of visibility emits nothing, and no event is ever of either kind."""
    client = Client(session)
    before = await client.accepted(gate, stream=STREAM)
    for kind, changelog in (("delete", "delete"), ("visibility_change", "update")):
        for source, _ in list(emission.produced)[:3]:
            gone = source | {"page_change_kind": kind, "changelog_kind": changelog}
            reply = await client.predict(server.url, {"event": gone})
            assert reply.outcome == "skipped:page_change_kind"
    assert await client.accepted(gate, stream=STREAM) == before
    assert {event["page_change_kind"] for event in before} <= {"create", "edit", "move", "undelete"}
    assert {event["changelog_kind"] for event in before} <= {"insert", "update"}


async def test_the_lag_of_each_prediction_is_measured(
    emission: Emission, server: Program, session: aiohttp.ClientSession
) -> None:
    """The time from the source's ``meta.dt`` to acceptance is in a histogram that can tell the objective's 10 s."""
    async with session.get(f"{server.url}/metrics") as answer:
        lines = (await answer.text()).splitlines()
    values = dict(line.rsplit(" ", 1) for line in lines if line.startswith("revertrisk_event_lag_seconds"))
    assert 'revertrisk_event_lag_seconds_bucket{le="10.0"}' in values
    assert float(values["revertrisk_event_lag_seconds_count"]) >= len(emission.accepted)


async def test_two_models_have_two_streams(
    emission: Emission, other_server: Program, gate: str, session: aiohttp.ClientSession
) -> None:
    """One revision scored by two models is one event on each model's stream, with an id and a version of its own."""
    client = Client(session)
    source, first = next(iter(emission.produced))
    reply = await client.predict(other_server.url, {"event": source}, model=OTHER_MODEL)
    assert reply.outcome == "produced"
    (second,) = await client.accepted(gate, stream=OTHER_STREAM)
    assert (first["meta"]["stream"], second["meta"]["stream"]) == (STREAM, OTHER_STREAM)
    assert first["$schema"] == second["$schema"] == PREDICTION_SCHEMA
    assert first["meta"]["id"] != second["meta"]["id"]
    assert first["meta"]["request_id"] == second["meta"]["request_id"]
    models = [event["predicted_classification"]["model_name"] for event in (first, second)]
    assert models == [MODEL, OTHER_MODEL]
    assert second["predicted_classification"]["model_version"] == "revertrisk-events-10"


def test_the_consumer_makes_one_row_of_each_page(emission: Emission) -> None:
    """The consumer's table of the real stream is what the merge rule says, by brute force."""
    newest: dict[tuple[str, int], Event] = {}
    for event in emission.accepted:
        page = (event["wiki_id"], event["page"]["page_id"])
        if page not in newest or event["revision"]["rev_id"] > newest[page]["revision"]["rev_id"]:
            newest[page] = event
    with Consumer() as consumer:
        taken = [consumer.take(Delivery(event)) for event in emission.accepted + emission.again]
        assert sum(isinstance(each, PredictionRecord) for each in taken) == len(emission.accepted)
        assert {(row.wiki_id, row.page_id): (row.rev_id, row.probability) for row in consumer.pages()} == {
            page: (
                event["revision"]["rev_id"],
                event["predicted_classification"]["probabilities"]["true"],
            )
            for page, event in newest.items()
        }
