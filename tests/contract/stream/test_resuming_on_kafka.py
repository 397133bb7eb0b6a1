"""Reading the stream from Kafka, through restarts."""

import asyncio
import json
import traceback
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from revertrisk.consumer import Consumer, SourceError, read_kafka
from tests.fakes.kafka_cluster import KafkaCluster, kafka_cluster
from tests.unit.consumer.prediction_events import make_event

pytestmark = pytest.mark.ci("Kafka brokers")

PARTITIONS = 3


@pytest.fixture(scope="module")
def cluster() -> Iterator[KafkaCluster]:
    with kafka_cluster() as running:
        yield running


def produce(cluster: KafkaCluster, topic: str, rev_ids: range) -> None:
    if topic not in cluster.topics:
        cluster.create(topic, PARTITIONS)
    cluster.produce(
        topic,
        (
            (rev_id % PARTITIONS, json.dumps(make_event(revision__rev_id=rev_id)).encode())
            for rev_id in rev_ids
        ),
    )


async def test_a_restarted_consumer_misses_nothing(cluster: KafkaCluster, tmp_path: Path) -> None:
    """From both datacentres' topics, stopped three times between commits, it has each prediction once."""
    topics = [f"{datacentre}.predictions" for datacentre in ("eqiad", "codfw")]
    produce(cluster, topics[0], range(1, 31))
    produce(cluster, topics[1], range(31, 41))
    found: list[int] = []
    for stop_after in (5, 17, 40):
        with Consumer(tmp_path / "predictions.sqlite", commit_every=1) as consumer:
            settings = {"bootstrap.servers": cluster.brokers}
            reading = read_kafka(settings, topics, consumer.resume_at, from_start=True)
            async with aclosing(reading), aclosing(consumer.follow(reading)) as predictions:
                while len(found) < stop_after:
                    found.append((await anext(predictions)).rev_id)
            consumer.commit()
            assert consumer.tally()["new"] == len(found)
            assert consumer.tally()["duplicate"] == 0
    assert sorted(found) == list(range(1, 41))


async def test_reading_begins_now_and_takes_in_what_is_not_json(cluster: KafkaCluster) -> None:
    """Without a place nothing old comes; a broken record is delivered, and its place passed."""
    produce(cluster, "now", range(1, 4))
    async with aclosing(read_kafka({"bootstrap.servers": cluster.brokers}, ["now"], refresh=0)) as reading:
        coming = asyncio.ensure_future(anext(reading))
        while not coming.done():  # until the reading has begun
            cluster.produce("now", [(0, b"{")])
            await asyncio.wait({coming}, timeout=0.1)
        assert coming.result().event is None
        produce(cluster, "now", range(4, 5))
        while (delivery := await anext(reading)).event is None:
            pass
        assert delivery.event["revision"]["rev_id"] == 4


async def test_what_cannot_be_read_is_an_error(cluster: KafkaCluster) -> None:
    """A topic that is not there, a setting that cannot work, a place of another source."""
    with pytest.raises(SourceError, match="misspelt: Broker: Unknown topic"):
        await anext(
            read_kafka(
                {"bootstrap.servers": cluster.brokers, "allow.auto.create.topics": "false"}, ["misspelt"]
            )
        )
    misplaced = {"security.protocol": "a password"}
    with pytest.raises(ValueError, match=r"security\.protocol") as refused:
        await anext(read_kafka(misplaced, ["t"]))
    assert misplaced["security.protocol"] not in "".join(traceback.format_exception(refused.value))
    with pytest.raises(ValueError, match="resume_at: expected"):
        await anext(read_kafka({"bootstrap.servers": cluster.brokers}, ["t"], "[1]"))
