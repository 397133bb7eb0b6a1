"""The sources of predictions: EventStreams over HTTP, or Kafka. The consumer keeps the place to resume from.

A connection to EventStreams ends about every 15 minutes, and reading continues from there with ``Last-Event-ID``.
Kafka needs the extra ``kafka`` and network access to the brokers. It is read without a consumer group, and nothing is
committed to it.
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final

import aiohttp
import orjson

from revertrisk.streams.base import SourcedEvent
from revertrisk.streams.eventstreams import earliest_time, read_stream, resume_id
from revertrisk.streams.kafka_settings import KafkaSettings
from revertrisk.streams.resuming_stream import FIRST_PAUSE_S

REWIND_SECONDS: Final = 60.0
"""On resuming, a time in ``Last-Event-ID`` is moved back by this much, for events that reached the topic late."""
REFRESH_SECONDS: Final = 60.0
"""The interval of the search for new partitions, which are read from their beginning."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it arrived, and the token to resume with after it.

    The source defines the content of ``resume_at``; for EventStreams it is the ``Last-Event-ID`` array as JSON. With
    None the source cannot resume here, and the token before stays valid.
    """

    event: Any = field(repr=False)
    """Any JSON value; one that is not an event is dropped and counted."""
    resume_at: str | None = None


async def read_eventstreams(
    session: aiohttp.ClientSession,
    url: str,
    resume_at: str | None = None,
    *,
    rewind: float = REWIND_SECONDS,
    first_wait: float = FIRST_PAUSE_S,
) -> AsyncGenerator[Delivery, None]:
    """Yield the deliveries of a stream without end; connect again when a response ends or breaks.

    ``url`` is the stream's, such as ``https://stream.wikimedia.org/v2/stream/<names>``, with ``?since=`` for the start
    of the first run if wanted. ``rewind`` and ``first_wait`` are in seconds. The session should send a User-Agent
    that identifies the client's owner.

    An event of more than 16 MiB is delivered as None, which counts as invalid.

    It uses the proxy in ``HTTPS_PROXY``, if there is one.

    Raises:
        StreamRefusedError: the server refuses the request, and a retry cannot help.
        ProxyError: the proxy in the environment is invalid.

    """
    # A topic without events so far was empty since the earliest time in the token, or since now without a token.
    since = earliest_time(resume_at or "") or datetime.now(UTC)
    following = read_stream(
        session,
        url,
        since=since,
        last_event_id=resume_at or "",
        rewind_ms=round(rewind * 1000),
        first_pause_s=first_wait,
    )
    async with aclosing(following) as events:
        async for event in events:
            place = resume_id(event.last_event_id, since=since, rewind_ms=0)
            yield Delivery(_parsed(event.data), place or None)


async def read_kafka(
    settings: Mapping[str, str],
    topics: Sequence[str],
    resume_at: str | None = None,
    *,
    from_start: bool = False,
    refresh: float = REFRESH_SECONDS,
) -> AsyncGenerator[Delivery, None]:
    """Yield the deliveries of some topics without end, such as ``eqiad.`` and ``codfw.`` with a stream's name.

    ``settings`` are librdkafka's, including ``bootstrap.servers``. Without ``resume_at``, reading starts with new
    events, or with ``from_start`` at the oldest event. ``refresh`` is in seconds.

    Raises:
        SourceError: a topic does not exist, no broker answers, or access is refused.
        ValueError: a setting is invalid, or ``resume_at`` is not a token of this source.

    """
    # The extra with confluent-kafka may not be installed.
    from revertrisk.streams.kafka import KafkaSource  # noqa: PLC0415
    from revertrisk.streams.kafka_start_offsets import Start  # noqa: PLC0415

    places = _places(resume_at)
    source = KafkaSource(
        KafkaSettings(settings),
        topics,
        None,
        start=Start.EARLIEST if from_start or places else Start.NEWEST,
        places=places,
        refresh_s=refresh,
    )
    try:
        async with aclosing(source.events()) as records:
            async for record in records:
                places[record.position.partition] = record.position.offset + 1
                event = record.event if isinstance(record, SourcedEvent) else None  # the consumer counts None
                yield Delivery(event, _token({**source.start_offsets, **places}))
    finally:
        await source.close()


def _parsed(data: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None  # the consumer counts it as invalid


def _token(places: Mapping[str, int]) -> str:
    named = (name.removesuffix("]").rpartition("[") for name in places)
    return orjson.dumps(
        [
            {"topic": topic, "partition": int(number), "offset": offset}
            for (topic, _, number), offset in zip(named, places.values(), strict=True)
        ]
    ).decode()


def _places(resume_at: str | None) -> dict[str, int]:
    try:
        return {
            f"{place['topic']}[{place['partition']}]": int(place["offset"])
            for place in (orjson.loads(resume_at) if resume_at is not None else [])
        }
    except (orjson.JSONDecodeError, TypeError, KeyError, ValueError):
        raise ValueError("resume_at: expected a token from read_kafka") from None
