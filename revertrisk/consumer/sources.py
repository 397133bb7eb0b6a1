"""Where predictions come from: EventStreams over HTTP, or Kafka itself; the places to resume from are the consumer's.

A connection to EventStreams ends every 15 minutes or so, and reading continues where it was, with ``Last-Event-ID``.
Kafka needs the extra ``kafka``, and a consumer that stands beside it: no group is joined and nothing is committed.
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
"""By how much a time in a ``Last-Event-ID`` is taken back on resuming: for what reached the topic late."""
REFRESH_SECONDS: Final = 60.0
"""How often new partitions are looked for; they are read from their beginning."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """One event as it came, and what to resume with once it is done with.

    ``resume_at`` means whatever the source wants it to: for EventStreams it is the ``Last-Event-ID``
    array as JSON. None says that the source cannot resume here; the token before it stays.
    """

    event: Any = field(repr=False)
    """Anything that JSON can hold: what is no event is dropped and counted."""
    resume_at: str | None = None


async def read_eventstreams(
    session: aiohttp.ClientSession,
    url: str,
    resume_at: str | None = None,
    *,
    rewind: float = REWIND_SECONDS,
    first_wait: float = FIRST_PAUSE_S,
) -> AsyncGenerator[Delivery, None]:
    """Yield the deliveries of a stream for ever, connecting again whenever a response ends or breaks.

    ``url`` is that of the stream, such as ``https://stream.wikimedia.org/v2/stream/<names>``, and may have
    ``?since=`` for the very beginning. ``rewind`` and ``first_wait`` are in seconds. The session should send
    a User-Agent that says whose client this is.

    An event of more than 16 MiB comes as none, which counts as invalid.

    The proxy that ``HTTPS_PROXY`` names is used, if there is one.

    :raises StreamRefusedError: on an answer that another try would not change.
    :raises ProxyError: if the environment names something else as a proxy.
    """
    # A topic that is empty still has been so since the earliest of the places, if not since now.
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
    """Yield the deliveries of some topics for ever, such as ``eqiad.`` and ``codfw.`` with a stream's name.

    ``settings`` are librdkafka's, ``bootstrap.servers`` among them. Without a place to resume at, reading begins with
    what comes from now on, or ``from_start`` with the oldest event. ``refresh`` is in seconds.

    :raises SourceError: if a topic is not there, no broker answers, or access is refused.
    :raises ValueError: if a setting cannot work, or ``resume_at`` is no place of this source.
    """
    # The extra is not for everybody.
    from revertrisk.streams.kafka import KafkaSource  # noqa: PLC0415
    from revertrisk.streams.kafka_beginnings import Start  # noqa: PLC0415

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
                event = record.event if isinstance(record, SourcedEvent) else None  # counted by who takes it
                yield Delivery(event, _token({**source.begun, **places}))
    finally:
        await source.close()


def _parsed(data: str) -> Any:
    try:
        return orjson.loads(data)
    except orjson.JSONDecodeError:
        return None  # counted as invalid by who takes it


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
        raise ValueError("resume_at: expected what read_kafka gave") from None
