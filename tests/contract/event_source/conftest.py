"""Every kind of source, each made of the same records."""

import gzip
import io
import lzma
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import count
from pathlib import Path

import pytest
import zstandard

from revertrisk.streams import JsonlSource, RecordSource
from revertrisk.streams.checkpoints import CheckpointFile
from revertrisk.streams.eventstreams import EventStreamsSource
from revertrisk.streams.kafka import KafkaSource
from revertrisk.streams.kafka_settings import KafkaSettings
from revertrisk.streams.kafka_start_offsets import Start
from tests.fakes.event_stream import EventStream
from tests.fakes.kafka_cluster import QUICKEST_GROUPS, KafkaCluster, kafka_cluster
from tests.fakes.loopback import serving

Records = Sequence[bytes]
_topics = count()


@dataclass(frozen=True)
class Kind:
    """A kind of source; ``open`` makes another one over the records that it was given first."""

    name: str
    open: Callable[[Records], RecordSource]
    ends: bool
    keeps_bytes: bool
    """Whether any bytes can come through it."""


def joined(records: Records) -> bytes:
    return b"".join(record + b"\n" for record in records)


def as_plain(records: Records) -> bytes:
    return joined(records)


def as_gzip(records: Records) -> bytes:
    """Two members, as `cat a.gz b.gz` makes them."""
    half = len(records) // 2
    return gzip.compress(joined(records[:half])) + gzip.compress(joined(records[half:]))


def as_zstandard(records: Records) -> bytes:
    """Two frames, as `cat a.zst b.zst` makes them."""
    half = len(records) // 2
    return zstandard.compress(joined(records[:half])) + zstandard.compress(joined(records[half:]))


def as_xz(records: Records) -> bytes:
    """Two streams, as `cat a.xz b.xz` makes them."""
    half = len(records) // 2
    return lzma.compress(joined(records[:half])) + lzma.compress(joined(records[half:]))


ENCODINGS = {"plain": as_plain, "gzip": as_gzip, "zstd": as_zstandard, "xz": as_xz}
KINDS = (
    *(f"{how}-{encoding}" for how in ("file", "pipe") for encoding in ENCODINGS),
    "checkpointed-file",
    "kafka",
    "eventstreams",
)


RESUMING = ("checkpointed-file", "kafka", "eventstreams")
"""Sources that, opened again, continue after the committed position."""
ENDING = tuple(kind for kind in KINDS if kind != "eventstreams")
"""Sources that end after their last record."""


@pytest.fixture(scope="session")
def cluster() -> Iterator[KafkaCluster]:
    with kafka_cluster() as running:
        yield running


@pytest.fixture(params=KINDS)
def kind(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Kind]:
    """Return each kind of source in turn."""
    name: str = request.param
    with ExitStack() as stack:
        if name == "kafka":
            opener = partial(_kafka, request.getfixturevalue("cluster"), f"contract-{next(_topics)}")
            yield Kind(name, opener, ends=True, keeps_bytes=True)
        elif name == "eventstreams":
            yield Kind(name, _EventStreams(stack, tmp_path).open, ends=False, keeps_bytes=False)
        elif name == "checkpointed-file":
            checkpoints = CheckpointFile(tmp_path / "checkpoints")
            stack.callback(checkpoints.close)
            opener = partial(_file, tmp_path / "events", as_plain, checkpoints)
            yield Kind(name, opener, ends=True, keeps_bytes=True)
        else:
            how, encoding = name.split("-")
            encode = ENCODINGS[encoding]
            opener = (
                partial(_file, tmp_path / "events", encode, None)
                if how == "file"
                else partial(_pipe, stack, encode)
            )
            yield Kind(name, opener, ends=True, keeps_bytes=True)


def _file(
    path: Path, encode: Callable[[Records], bytes], checkpoints: CheckpointFile | None, records: Records
) -> RecordSource:
    if not path.exists():
        path.write_bytes(encode(records))
    return JsonlSource.from_path(str(path), checkpoints.of("file") if checkpoints else None)


def _pipe(stack: ExitStack, encode: Callable[[Records], bytes], records: Records) -> RecordSource:
    reading, writing = os.pipe()

    def feed() -> None:
        with suppress(BrokenPipeError), open(writing, "wb", buffering=0) as pipe:  # noqa: PTH123 (a descriptor)
            pipe.write(encode(records))

    feeder = threading.Thread(target=feed)
    feeder.start()
    stack.callback(feeder.join)
    return JsonlSource("jsonl:-", partial(io.FileIO, reading))


def _kafka(cluster: KafkaCluster, topic: str, records: Records) -> RecordSource:
    if topic not in cluster.topics:
        cluster.create(topic, 1)
        cluster.produce(topic, ((0, record) for record in records))
    # The mock brokers let a group in which the last member has left wait for one session timeout.
    settings = KafkaSettings.parse([f"bootstrap.servers={cluster.brokers}", *QUICKEST_GROUPS])
    return KafkaSource(settings, [topic], topic, start=Start.EARLIEST, to_end=True)


class _EventStreams:
    """One server for all sources of a test."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        self._stack = stack
        self._checkpoints = CheckpointFile(folder / "checkpoints")
        stack.callback(self._checkpoints.close)
        self._url: str | None = None

    def open(self, records: Records) -> RecordSource:
        if self._url is None:
            self._url = self._stack.enter_context(serving(EventStream(list(records)).app()))
        return EventStreamsSource(
            f"{self._url}/v2/stream/x",
            user_agent="test/1",
            since=datetime(2026, 1, 1, tzinfo=UTC),
            checkpoint=self._checkpoints.of("stream"),
            first_pause_s=0.01,
        )
